"""Limits of breaks (小休限制): minutes for each reason, at once and in a day, and how many of a shift may be away.

A limit warns; it does not hold anybody at the desk. Whoever goes on regardless is on record and on the wallboard.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple


class Limit(NamedTuple):
    """The limit of one reason. `minutes` a day, `once` in one break; None: as long as it takes.

    `counted`: among those away at once, unlike work elsewhere.
    """

    code: str
    minutes: int | None
    once: int | None
    counted: bool


class Rules(NamedTuple):
    """All limits. Of those who have taken a seat, `share` percent may be on counted breaks, but always `least`."""

    limits: tuple[Limit, ...]
    share: int
    least: int

    def of(self, code: str | None) -> Limit | None:
        """The limit of a reason; None for what is no break."""
        return next((limit for limit in self.limits if limit.code == code), None)

    def ends(self, code: str, began: datetime, used: timedelta) -> datetime | None:
        """Until when a break is within its minutes; None when its reason has no limit.

        Args:
            used: spent on this reason earlier in the day.
        """
        limit = self.of(code)
        if limit is None:
            return None
        left = [] if limit.once is None else [timedelta(minutes=limit.once)]
        if limit.minutes is not None:
            left.append(max(timedelta(0), timedelta(minutes=limit.minutes) - used))
        return began + min(left) if left else None

    def at_once(self, seated: int) -> int:
        """How many may be on counted breaks while so many have taken a seat."""
        return max(self.least, seated * self.share // 100)

    def counted(self, code: str | None) -> bool:
        limit = self.of(code)
        return limit is not None and limit.counted


#: What holds until a supervisor changes it.
FIRST: Final = Rules(
    (
        Limit("REST", 30, None, True),
        Limit("MEAL", 60, None, True),
        Limit("MEETING", None, None, False),
        Limit("TRAINING", None, None, False),
        Limit("COACHING", None, None, False),
        Limit("PAPERWORK", None, None, False),
    ),
    share=20,
    least=1,
)
