"""The ACD queues (排队队列). Few on purpose: one pool split in ten costs a fifth more staff (reliability.md 2.6)."""

from typing import Final, NamedTuple


class Queue(NamedTuple):
    """One queue in Asterisk. Times in seconds."""

    code: str
    zh: str
    en: str
    ring: int = 10
    longest_wait: int = 600
    most_waiting: int = 200


QUEUES: Final[tuple[Queue, ...]] = (
    Queue("citizen", "市民", "Citizens"),
    Queue("enterprise", "企业专席", "Businesses"),
    Queue("english", "英语", "English"),
)

#: Seconds after a talk in which app_queue itself gives a seat no call: a net until the service has paused it
#: (telephony.md C9).
SETTLE: Final = 2

#: Until skills are assigned, every seat serves every queue: one pool.
POOL: Final = tuple(queue.code for queue in QUEUES)
