"""The ACD queues (排队队列). Few on purpose: one pool split in ten costs a fifth more staff (reliability.md 2.6)."""

from typing import Final, NamedTuple


class Queue(NamedTuple):
    """One queue in Asterisk. Times in seconds. `weight`: a seat of two queues goes to the one that weighs more."""

    code: str
    zh: str
    en: str
    ring: int = 10
    longest_wait: int = 600
    most_waiting: int = 200
    weight: int = 0


QUEUES: Final[tuple[Queue, ...]] = (
    Queue("citizen", "市民", "Citizens"),
    Queue("enterprise", "企业专席", "Businesses"),
    Queue("english", "英语", "English"),
)

#: Public danger (险情) goes before all who wait in any queue. Everybody who serves one serves this one too: app_queue
#: has no order between queues but their weights, and a heavier queue holds back the seats that both have.
DANGER: Final = Queue("danger", "险情", "Public danger", weight=1)

#: Every queue in which callers wait.
ENTERED: Final = (*QUEUES, DANGER)

#: Seconds after a talk in which app_queue itself gives a seat no call: a net until the service has paused it
#: (telephony.md C9).
SETTLE: Final = 2

#: Seconds that a call rings the phone of one seat before it goes to its queue.
DIRECT_RING: Final = 6

#: Where the seats are members whose people serve no queue: no caller ever enters it.
STANDBY: Final = Queue("standby", "待命", "Standby")

#: Every queue that is a skill. One pool: by default everybody serves all of them.
POOL: Final = tuple(queue.code for queue in QUEUES)
