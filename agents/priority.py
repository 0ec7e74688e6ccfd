"""Who is answered first (优先规则): a reason gives a call its weight in the queue. Pure rules.

A higher weight goes before all lower ones; within a weight, who came first. What the dialplan can know (a key, the
number that was dialled) it sets itself; what only records know is told to it while the greeting is heard.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar

from agents.service_level import Outcome


class Priority(StrEnum):
    """Why a call goes before others (优先原因), the highest first."""

    DANGER = "danger"  # 危及生命或公共安全: the caller pressed its key
    CUT_OFF = "cut_off"  # 因故障中断后再次来电
    AGAIN = "again"  # 一小时内再次来电
    ELDERLY = "elderly"  # 敬老专线


#: What app_queue sorts by (QUEUE_PRIO).
WEIGHTS: Final[Mapping[Priority, int]] = {
    Priority.DANGER: 40,
    Priority.CUT_OFF: 30,
    Priority.AGAIN: 20,
    Priority.ELDERLY: 10,
}

#: An earlier call counts this long.
LATELY: Final = timedelta(hours=1)

_Time = TypeVar("_Time", datetime, float)


class Earlier(NamedTuple):
    """An earlier call of the same number; `outcome` is None while it goes on or nobody knows yet."""

    arrived_at: datetime
    outcome: Outcome | None


def weight(priority: str) -> int:
    """The weight of a priority's word; 0 for none and for an unknown one."""
    return WEIGHTS[Priority(priority)] if priority in set(Priority) else 0


def known(earlier: Iterable[Earlier], now: datetime) -> Priority | None:
    """What the records of a number give its next call.

    The matter is not known before somebody speaks with the citizen: a second call of a number within the hour is taken
    for the same matter.
    """
    lately = [each for each in earlier if now - LATELY <= each.arrived_at <= now]
    if any(each.outcome is Outcome.INTERRUPTED for each in lately):
        return Priority.CUT_OFF
    return Priority.AGAIN if lately else None


def is_turn(place: _Time, waiting: Collection[_Time], *, free: int) -> bool:
    """Whether who asked to be called back is called now: the place is the one that he had in the queue (domain.md R22).

    Args:
        place: since when he waits.
        waiting: since when each live caller waits whom the free seat could serve.
        free: seats that are ready.
    """
    return free > sum(since < place for since in waiting)
