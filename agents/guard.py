"""The guard of the 15 seconds (15秒保障): what is done for a call that still waits, before the promise breaks (R9).

A table of deadlines, counted from the entry into the queue. Widening happens inside Asterisk, by rules written from
this table (dialplan/queues.py), so it does not need us; the floor makes each act a change that is shown and recorded.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple


class Act(StrEnum):
    """What the guard does (保障动作), in the order in which it is done."""

    WIDEN = "widen"  # 扩大到次级技能
    BACKUP = "backup"  # 启用后备组
    VOLUNTEERS = "volunteers"  # 呼叫志愿支援，结束话后处理
    OFFER_CALLBACK = "offer_callback"  # 提供回拨


class Deadline(NamedTuple):
    """One row: after so many whole seconds of waiting the act is due."""

    seconds: int
    act: Act


GUARD: Final = (
    Deadline(5, Act.WIDEN),
    Deadline(8, Act.BACKUP),
    Deadline(12, Act.VOLUNTEERS),
    Deadline(15, Act.OFFER_CALLBACK),
)

#: The widest tier (skills.py) whom an act lets ring.
REACH: Final[Mapping[Act, int]] = {Act.WIDEN: 1, Act.BACKUP: 2, Act.VOLUNTEERS: 3}

#: The latest that a deadline may be: after that no caller believes in a promise of 15 seconds.
LATEST: Final = 60


#: A wrap-up is not ended for a waiting caller before it has lasted so many seconds, unless the settings say otherwise.
WRAP_UP_LEAST: Final = 15


class BadGuard(ValueError):
    """Deadlines that cannot be: an act is missing, comes twice or out of order, too early or too late."""


def checked(deadlines: Sequence[Deadline]) -> tuple[Deadline, ...]:
    """The table itself. Raises BadGuard."""
    if [each.act for each in deadlines] != list(Act):
        raise BadGuard("every act once, in its order")
    seconds = [each.seconds for each in deadlines]
    if seconds != sorted(set(seconds)) or seconds[0] < 1 or seconds[-1] > LATEST:
        raise BadGuard(f"seconds must rise, from 1 to {LATEST}")
    return tuple(deadlines)


def hastened(guard: Sequence[Deadline]) -> tuple[Deadline, ...]:
    """The guard of a call of public danger: at once it reaches everybody. It is offered no callback."""
    return tuple(Deadline(0, each.act) for each in guard if each.act in REACH)


def due(guard: Sequence[Deadline], act: Act) -> int:
    """After how many seconds of waiting an act is due."""
    return next(each.seconds for each in guard if each.act is act)


def reach(guard: Sequence[Deadline], waited: int) -> int:
    """The widest tier that may ring for a call that has waited so many seconds."""
    return max((REACH[each.act] for each in guard if each.act in REACH and each.seconds <= waited), default=0)


def last_widening(guard: Sequence[Deadline]) -> int:
    """The second from which on a call reaches everybody."""
    return max(each.seconds for each in guard if each.act in REACH)


def calls_for_help(guard: Sequence[Deadline], acts: int) -> bool:
    """Whether a wrap-up may be ended for a call for which the first so many `acts` are done."""
    return any(each.act is Act.VOLUNTEERS for each in guard[:acts])
