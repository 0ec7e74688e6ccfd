"""queues.conf. Each setting answers a row of telephony.md 4.3, named beside it."""

from collections.abc import Iterable, Sequence

from agents.guard import Act, Deadline, due
from agents.queues import DANGER, SETTLE, Queue
from agents.service_level import ANSWER_TARGET_MS
from dialplan import names
from dialplan.extensions import HEADER
from ivr.callback import OFFER_EVERY

_GENERAL = """
[general]
persistentmembers = yes ; seats and pauses outlive a restart of Asterisk (C17)
autofill = yes ; or the caller at the head blocks the others (C13)
shared_lastcall = no ; source of deadlocks (C10); wrap-up is the service's work
log_unpause_on_reason_change = yes
"""

_QUEUE = """
[{code}]
strategy = leastrecent ; the agent idle longest; never ringall: two may answer one call (R12)
timeout = {ring}
retry = 1 ; 0 means 5 (C14)
timeoutrestart = no
timeoutpriority = conf
ringinuse = no
autopause = no ; missed rings are counted by the service
wrapuptime = {settle}
maxlen = {most_waiting}
servicelevel = {target}
joinempty = unavailable,invalid,unknown ; agents on break may come back, absent ones do not (C16)
leavewhenempty = no
announce-frequency = 0 ; else all but the first hear their place on coming, and look for no free seat for 4 s
announce-holdtime = no
musicclass = {music}
reportholdtime = no ; would count as waiting (C8)
context = {context} ; keys lead there, in the middle of a ring too (C2)
memberdelay = 0
setinterfacevar = no
weight = {weight}
"""

_OFFER = """\
periodic-announce = callback-offer
periodic-announce-startdelay = {after}
periodic-announce-frequency = {every}
"""


def queues_conf(queues: Iterable[Queue], guard: Sequence[Deadline]) -> str:
    """The whole file. Members are dynamic: the service adds them when an agent takes a seat.

    The guard says after how many seconds a callback is offered; who waits already is offered it when it was due then.
    """
    offer = _OFFER.format(after=due(guard, Act.OFFER_CALLBACK), every=OFFER_EVERY)
    return (
        HEADER
        + _GENERAL
        + "".join(
            _QUEUE.format(
                code=queue.code,
                ring=queue.ring,
                most_waiting=queue.most_waiting,
                target=ANSWER_TARGET_MS // 1000,
                settle=SETTLE,
                context=names.KEYS_CONTEXT,
                music="default" if queue.code == DANGER.code else names.WAITING_MUSIC,
                weight=queue.weight,
            )
            + ("" if queue.code == DANGER.code else offer)
            for queue in queues
        )
    )
