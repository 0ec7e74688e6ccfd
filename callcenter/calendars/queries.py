"""Changes of calendars in SQL: proposed by one person, decided by another (两人复核)."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Row, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.calendars.days import WorkingDays, Year
from callcenter.calendars.flow import SpecialDay
from callcenter.calendars.places import working_days
from callcenter.store.tables import calendar_changes as changes

Kind = Literal["special", "lift", "year"]
State = Literal["approved", "refused", "withdrawn"]


async def days(connection: AsyncConnection, zone: ZoneInfo) -> WorkingDays:
    """Legal working days: the notices of this release, and those that were loaded and approved since."""
    asked = select(changes.c.what).where(changes.c.kind == "year", changes.c.state == "approved").order_by(changes.c.id)
    loaded = {}
    for what in await connection.scalars(asked):
        year = Year(what["year"], True, _dates(what["off"]), _dates(what["made_up"]))
        loaded[year.year] = year
    return working_days(zone, loaded.values())


async def special_days(
    connection: AsyncConnection, first: date, place: str | None = None
) -> Mapping[str, Mapping[date, SpecialDay]]:
    """Approved exceptions from a day on, by place; the newest word on a day counts, and may be that there is none."""
    asked = select(changes).where(
        changes.c.kind.in_(("special", "lift")), changes.c.state == "approved", changes.c.day >= first
    )
    if place is not None:
        asked = asked.where(changes.c.place == place)
    found: dict[str, dict[date, SpecialDay]] = {}
    for row in await connection.execute(asked.order_by(changes.c.decided_at, changes.c.id)):
        of_place = found.setdefault(row.place, {})
        if row.kind == "lift":
            of_place.pop(row.day, None)
        else:
            spans = tuple((start, end) for start, end in row.what["spans"])
            of_place[row.day] = SpecialDay(spans, row.what["zh"], row.what["en"])
    return found


async def propose(
    connection: AsyncConnection, kind: Kind, place: str, day: date, what: Mapping[str, Any], login: str
) -> Row[Any]:
    """Note a proposal and return it."""
    row = {"kind": kind, "place": place, "day": day, "what": what, "proposed_by": login}
    proposed: Row[Any] = (await connection.execute(insert(changes).values(row).returning(changes))).one()
    return proposed


async def decide(connection: AsyncConnection, change: int, state: State, login: str) -> Row[Any] | None:
    """Decide an open proposal of somebody else, or withdraw one's own; None when it is not open, or not theirs."""
    own = changes.c.proposed_by == login
    decided = await connection.execute(
        update(changes)
        .where(changes.c.id == change, changes.c.state == "proposed", own if state == "withdrawn" else ~own)
        .values(state=state, decided_by=login, decided_at=func.now())
        .returning(changes)
    )
    row: Row[Any] | None = decided.first()
    return row


async def change(connection: AsyncConnection, number: int) -> Row[Any] | None:
    return (await connection.execute(select(changes).where(changes.c.id == number))).first()


async def recent_changes(connection: AsyncConnection, first: date, limit: int) -> Sequence[Row[Any]]:
    """Open proposals, and decided ones about days from `first` on, newest first."""
    asked = select(changes).where(or_(changes.c.state == "proposed", changes.c.day >= first))
    return (await connection.execute(asked.order_by(changes.c.id.desc()).limit(limit))).all()


def _dates(given: Sequence[str]) -> tuple[date, ...]:
    return tuple(map(date.fromisoformat, given))
