"""Skills (技能) and levels: who rings for which queue, and in which order. Pure rules.

A skill is a queue that a person serves, at a level. A level becomes the member's penalty in app_queue, its tier:
app_queue rings a higher tier only when nobody of a lower one is free, and only when the guard (guard.py) has let the
call reach it. One pool wherever possible: each split costs staff (reliability.md 2.6), so by default every operator
serves all.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from agents.queues import DANGER, POOL, STANDBY


class Level(IntEnum):
    """How well a person serves a queue (技能等级)."""

    FIRST = 1  # 主技能
    SECOND = 2  # 次技能
    BACKUP = 3  # 后备组
    VOLUNTEER = 4  # 志愿支援: experts and supervisors


#: Queue -> level; a queue that is not there is not served.
Levels = Mapping[str, Level]

_DEFAULTS: Final[Mapping[str, Level]] = {"operator": Level.FIRST, "supervisor": Level.VOLUNTEER}


class Sitting(NamedTuple):
    """Who sits at a seat. `working`: reachable, and on no break."""

    seat: str
    levels: Levels
    working: bool


def default_levels(roles: Iterable[str]) -> dict[str, Level]:
    """What a person serves of whom nothing has been written: operators everything, supervisors as volunteers."""
    levels = [_DEFAULTS[role] for role in roles if role in _DEFAULTS]
    return dict.fromkeys(POOL, min(levels)) if levels else {}


def memberships(sitting: Iterable[Sitting]) -> dict[str, dict[str, int]]:
    """Seat -> queue -> tier (0 rings first) for all who sit.

    The lowest tier of which somebody works counts as 0, and so do all below it: nobody waits for people who are not
    there. Whoever serves anything serves public danger too, in the lowest of these tiers. Whoever serves nothing is a
    member of the standby queue, so that the seat can be paused, made ready and called directly.
    """
    there = list(sitting)
    # Where nobody works, those who may come back from a break count.
    lowest = _lowest(there) | _lowest([each for each in there if each.working])
    found: dict[str, dict[str, int]] = {}
    for each in there:
        tiers = {queue: 0 if tier(level) <= lowest[queue] else tier(level) for queue, level in each.levels.items()}
        found[each.seat] = tiers | {DANGER.code: min(tiers.values())} if tiers else {STANDBY.code: 0}
    return found


def _lowest(sitting: Iterable[Sitting]) -> dict[str, int]:
    lowest: dict[str, int] = {}
    for each in sitting:
        for queue, level in each.levels.items():
            lowest[queue] = min(lowest.get(queue, tier(level)), tier(level))
    return lowest


def tier(level: Level) -> int:
    """The tier of a level before any is compressed: 0 for the first."""
    return level - 1
