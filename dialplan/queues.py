"""queues.conf. Each setting answers a row of telephony.md 4.3, named beside it."""

from agents.queues import QUEUES, SETTLE
from agents.service_level import ANSWER_TARGET_MS
from dialplan.extensions import HEADER

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
announce-frequency = 30
min-announce-frequency = 30
announce-position = yes
announce-holdtime = no
announce-to-first-user = no
musicclass = default
reportholdtime = no ; would count as waiting (C8)
memberdelay = 0
setinterfacevar = no
weight = 0
"""


def queues_conf() -> str:
    """The whole file. Members are dynamic: the service adds them when an agent takes a seat."""
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
            )
            for queue in QUEUES
        )
    )
