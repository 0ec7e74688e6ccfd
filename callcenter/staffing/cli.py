"""`callcenter demo-history`: arrivals of the past for the demo, made up and marked so.

The ledger is not touched: they stand in a table of their own, and leave it by `--remove`.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from agents.arrivals import Citizens, callers, day_profile
from agents.forecast import SLOT_MINUTES, Kind
from callcenter.calendars.days import WorkingDays
from callcenter.calendars.places import working_days
from callcenter.settings import Settings
from callcenter.staffing import flow, queries
from callcenter.staffing.flow import DAY, SLOT
from callcenter.standalone import CannotStart
from callcenter.store.command import ask_database
from callcenter.store.engine import SILENCE_SECONDS

#: A day's calls of the demo city (domain.md 5), and how far its days differ (coefficient of variation).
CALLS: Final = 1_500.0
SPREAD: Final = 0.08
SEED: Final = 12345


def made_up(days: int, at: datetime, calendar: WorkingDays, settings: Settings) -> list[tuple[datetime, int]]:
    """Arrivals of so many days before the day of `at`, and of that day until then: (begin of a quarter-hour, calls).

    The same for the same days, whenever they are made.
    """
    zone = settings.zone
    today = at.astimezone(zone).date()
    rows = []
    for n in range(days, -1, -1):
        day = today - n * DAY
        counts = _day(day, calendar)
        rows += [
            (moment, calls)
            for moment, calls in zip(flow.slots_of(day, zone), counts, strict=True)
            if moment + SLOT <= at
        ]
    return rows


def load(settings: Settings, days: int, *, remove: bool = False) -> str:
    """Load them, in place of those there were, or remove them; what was done. Raises CannotStart."""
    if not settings.demo and not (settings.home / "demo.json").exists():
        raise CannotStart("made-up arrivals are for the demo only (CALLCENTER_DEMO)")
    rows = [] if remove else made_up(days, datetime.now(UTC), working_days(settings.zone), settings)

    async def write(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await queries.load_arrivals(connection, "demo", rows)

    ask_database(settings, "demo-history", write, seconds=4 * SILENCE_SECONDS)
    if remove:
        return "made-up arrivals removed"
    return f"{sum(calls for _, calls in rows)} made-up arrivals on {days} days and today; they are marked as such"


def _day(day: date, calendar: WorkingDays) -> Sequence[int]:
    chance = Random(SEED * 100_000 + day.toordinal())  # noqa: S311  the same arrivals each time, no secret
    weekday = {Kind.HOLIDAY: 6, Kind.MAKEUP: 4}.get(flow.kind_of(day, calendar.off, calendar.made_up))
    level = chance.gammavariate(SPREAD**-2, SPREAD**2)
    expected = [calls * level for calls in day_profile(CALLS, day.weekday() if weekday is None else weekday)]
    counts = [0] * len(expected)
    seconds = timedelta(minutes=SLOT_MINUTES).total_seconds()
    for caller in callers(expected, seconds, Citizens(redial=0), chance):
        counts[int(caller.at // seconds)] += 1
    return counts
