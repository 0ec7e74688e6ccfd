"""The roster and the history of arrivals in SQL."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, Column, Label, Row, cast, delete, func, insert, literal, select, union_all, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from agents.forecast import SLOT_MINUTES, SLOTS
from agents.seats import SeatState
from agents.service_level import Outcome
from callcenter.people.permissions import ACTIONS
from callcenter.staffing.flow import Handling, Shift
from callcenter.store.pages import day_bounds
from callcenter.store.tables import arrivals, calls, roster_days, seat_states, shifts, users

EPOCH: Final = date(1970, 1, 1)


class History(NamedTuple):
    """Calls in each slot of the days that had any. `demo`: made-up arrivals are among them."""

    days: dict[date, list[float]]
    demo: bool


async def history(connection: AsyncConnection, zone: ZoneInfo, first: date, last: date) -> History:
    """Arrivals from the first moment of `first` to the last of `last`: the ledger's, and those loaded from elsewhere.

    Both count when both are there: while a city moves, two exchanges answer.
    """
    since, until = day_bounds(first, zone)[0], day_bounds(last, zone)[1]
    ours = select(_slot(calls.c.arrived_at, zone), literal(1).label("calls"), literal("").label("source")).where(
        calls.c.arrived_at >= since, calls.c.arrived_at < until
    )
    loaded = select(_slot(arrivals.c.slot_at, zone), arrivals.c.calls, arrivals.c.source).where(
        arrivals.c.slot_at >= since, arrivals.c.slot_at < until
    )
    each = union_all(ours, loaded).subquery()
    asked = select(each.c.slot, func.sum(each.c.calls), func.bool_or(each.c.source == "demo")).group_by(each.c.slot)
    found: dict[date, list[float]] = defaultdict(lambda: [0.0] * SLOTS)
    demo = False
    for slot, number, made_up in await connection.execute(asked):
        day, n = divmod(slot, SLOTS)
        found[EPOCH + timedelta(days=day)][n] = float(number)
        demo = demo or made_up
    return History(dict(found), demo)


def _slot(at: Column[Any], zone: ZoneInfo) -> Label[int]:
    """Slots on the wall clock since the first of January 1970."""
    local = func.extract("epoch", func.timezone(str(zone), at))
    return cast(func.floor(local / (SLOT_MINUTES * 60)), BigInteger).label("slot")


async def handling(connection: AsyncConnection, since: datetime, until: datetime) -> Handling:
    """Mean seconds of talk and of wrap-up of the calls answered in this time."""
    talked = await connection.execute(
        select(func.count(), func.avg(calls.c.talk_ms)).where(
            calls.c.arrived_at >= since,
            calls.c.arrived_at < until,
            calls.c.outcome == Outcome.ANSWERED,
            calls.c.talk_ms.is_not(None),
        )
    )
    number, talk = talked.one()
    length = func.extract("epoch", seat_states.c.until - seat_states.c.since)
    wrapped = await connection.scalar(
        select(func.avg(length)).where(
            seat_states.c.state == SeatState.WRAP_UP,
            seat_states.c.until.is_not(None),
            seat_states.c.since >= since,
            seat_states.c.since < until,
        )
    )
    return Handling(float(talk or 0) / 1000, float(wrapped or 0), number)


async def people(connection: AsyncConnection) -> list[tuple[str, str, str]]:
    """Everybody who may take a seat: login, name in Chinese and in English."""
    sitting = users.c.roles.overlap(sorted(ACTIONS["sit"]))
    asked = select(users.c.login, users.c.name_zh, users.c.name_en).where(users.c.active, sitting)
    return [(login, zh, en) for login, zh, en in await connection.execute(asked.order_by(users.c.login))]


async def days(connection: AsyncConnection, first: date, last: date) -> dict[date, Row[Any]]:
    """What is known of each day's roster; days without one are left out."""
    rows = await connection.execute(select(roster_days).where(roster_days.c.day.between(first, last)))
    return {row.day: row for row in rows}


async def shifts_of(
    connection: AsyncConnection, first: date, last: date, *, published: bool
) -> dict[date, list[Shift]]:
    """Shifts by the day on which they begin."""
    found: dict[date, list[Shift]] = defaultdict(list)
    columns = (shifts.c.day, shifts.c.login, shifts.c.starts_at, shifts.c.ends_at, shifts.c.queue)
    asked = select(*columns).where(shifts.c.day.between(first, last), shifts.c.published.is_(published))
    for day, *shift in await connection.execute(asked.order_by(shifts.c.starts_at, shifts.c.login)):
        found[day].append(Shift(*shift))
    return found


async def shifts_at(connection: AsyncConnection, at: datetime) -> list[Shift]:
    """The published shifts of a moment."""
    columns = (shifts.c.login, shifts.c.starts_at, shifts.c.ends_at, shifts.c.queue)
    asked = select(*columns).where(shifts.c.published, shifts.c.starts_at <= at, shifts.c.ends_at > at)
    return [Shift(*row) for row in await connection.execute(asked.order_by(shifts.c.ends_at, shifts.c.login))]


async def save_day(connection: AsyncConnection, day: date, was: int, made: Sequence[Shift], login: str) -> int | None:
    """Put a day's shifts in place of those there were; the day's new version, None when somebody was faster.

    Args:
        was: the version that was seen; 0 for a day without a roster.
    """
    if was == 0:
        new = await connection.scalar(
            upsert(roster_days)
            .values(day=day, version=1, changed_at=func.now(), changed_by=login)
            .on_conflict_do_nothing()
            .returning(roster_days.c.version)
        )
    else:
        new = await connection.scalar(
            update(roster_days)
            .where(roster_days.c.day == day, roster_days.c.version == was)
            .values(version=was + 1, changed_at=func.now(), changed_by=login)
            .returning(roster_days.c.version)
        )
    if new is None:
        return None
    await connection.execute(delete(shifts).where(shifts.c.day == day, shifts.c.published.is_(False)))
    await _add(connection, day, made, published=False)
    return int(new)


async def publish(connection: AsyncConnection, drafts: dict[date, list[Shift]], login: str) -> None:
    """Make the drafts of these days what holds."""
    for day, made in drafts.items():
        await connection.execute(delete(shifts).where(shifts.c.day == day, shifts.c.published))
        await _add(connection, day, made, published=True)
        await connection.execute(
            update(roster_days)
            .where(roster_days.c.day == day)
            .values(published_version=roster_days.c.version, published_at=func.now(), published_by=login)
        )


async def hold(connection: AsyncConnection, first: date, last: date) -> None:
    """Keep others from changing these days' rosters until the transaction ends."""
    await connection.execute(
        select(roster_days.c.day)
        .where(roster_days.c.day.between(first, last))
        .order_by(roster_days.c.day)
        .with_for_update()
    )


async def load_arrivals(connection: AsyncConnection, source: str, rows: Sequence[tuple[datetime, int]]) -> None:
    """Arrivals that no ledger of ours has; those of the same source are replaced."""
    await connection.execute(delete(arrivals).where(arrivals.c.source == source))
    if rows:
        values = [{"slot_at": at, "source": source, "calls": number} for at, number in rows]
        await connection.execute(insert(arrivals), values)


async def _add(connection: AsyncConnection, day: date, made: Sequence[Shift], *, published: bool) -> None:
    if made:
        rows = [{"day": day, "published": published, **shift._asdict()} for shift in made]
        await connection.execute(insert(shifts), rows)
