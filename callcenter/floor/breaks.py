"""The limits of breaks that hold now, and until when each break is within them (小休时限).

The limits are read from their table; the time spent is read from the ledger once, when a break has begun, and again
when the limits have been changed.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncEngine

from agents.breaks import FIRST, Rules
from agents.seats import SeatState
from callcenter.asterisk.facts import BreakBudget
from callcenter.clock import now
from callcenter.floor.model import Floor, Seat
from callcenter.floor.queries import newest_break_rules, time_in_states
from callcenter.store.engine import DatabaseAway, within
from callcenter.store.pages import day_bounds

LOOK_EVERY: Final = 1.0
SECONDS: Final = 3.0

log = structlog.get_logger()


class Breaks:
    """What holds now. `version` 0: nobody has changed it, or Postgres has not been asked yet."""

    def __init__(self) -> None:
        self.rules: Rules = FIRST
        self.version = 0


BREAKS_NOW: Final = web.AppKey("BREAKS_NOW", Breaks)


async def keep_breaks(
    engine: AsyncEngine, breaks: Breaks, floor: Floor, tell: Callable[[BreakBudget], None], zone: ZoneInfo
) -> None:
    """Find out until when the breaks that go on may last, for ever. While Postgres is away nobody is warned."""
    judged = -1  # the version by which the breaks that go on have been judged
    while True:
        await asyncio.sleep(LOOK_EVERY)
        try:
            breaks.version, breaks.rules = await within(SECONDS, read_rules(engine))
            version, rules = breaks.version, breaks.rules
            for seat in list(floor.seats.values()):
                if seat.state is SeatState.BREAK and (judged != version or _unknown(seat, rules)):
                    await _judge(engine, seat, rules, tell, zone)
            judged = version
        except DatabaseAway as error:
            log.warning("breaks_not_kept", why=str(error))


async def read_rules(engine: AsyncEngine) -> tuple[int, Rules]:
    """The limits as their table has them, and their version."""
    async with engine.connect() as connection:
        return await newest_break_rules(connection)


async def used_today(engine: AsyncEngine, login: str, code: str, zone: ZoneInfo) -> timedelta:
    """What somebody has spent today on breaks of this reason that are over."""
    start, _ = day_bounds(now().astimezone(zone).date(), zone)
    async with engine.connect() as connection:
        found = await time_in_states(connection, login, start, now(), over=True)
    return timedelta(milliseconds=found.get((SeatState.BREAK.value, code), (0, 0))[0])


async def _judge(
    engine: AsyncEngine, seat: Seat, rules: Rules, tell: Callable[[BreakBudget], None], zone: ZoneInfo
) -> None:
    code, since = seat.pause or "", seat.since
    if since is None:
        return
    until = None
    if rules.ends(code, since, timedelta()) is not None:
        used = await within(SECONDS, used_today(engine, seat.login, code, zone))
        until = rules.ends(code, since, used)
    if until != seat.break_until and (seat.pause, seat.since) == (code, since):
        tell(BreakBudget(now(), seat.number, until))


def _unknown(seat: Seat, rules: Rules) -> bool:
    if seat.break_until is not None or seat.pause is None or seat.since is None:
        return False
    return rules.ends(seat.pause, seat.since, timedelta()) is not None
