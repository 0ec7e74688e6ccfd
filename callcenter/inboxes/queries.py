"""Inboxes in SQL: each part of one is read along an index of its own, so the first page costs what it shows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Select, and_, case, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.inboxes.flow import ASKED, CARDS, IN_HAND, STEPS
from callcenter.people.permissions import Person
from callcenter.store.pages import place
from callcenter.store.tables import order_clocks, order_co_units, orders
from callcenter.workorders.deadlines import KINDS
from callcenter.workorders.queries import WHOLE_UNIT, Found, first_of_each, visible_to

#: So many are counted; an inbox with more says so.
MOST: Final = 1000

_ALONG: Final = (orders.c.due_at, orders.c.id)


def _parts(person: Person) -> list[ColumnElement[bool]]:
    """What together waits for somebody."""
    roles = frozenset(person.roles)
    steps = sorted({state for role in roles for state in STEPS.get(role, ())})
    parts: list[ColumnElement[bool]] = [orders.c.state == state for state in steps]
    if "handler" in roles:
        parts.append(and_(orders.c.handler == person.login, orders.c.state.in_(IN_HAND)))
    if roles & {"supervisor", "coordinator", "oversight"}:
        # The second word that an act waits for; replies wait for their own unit's.
        parts.append(and_(orders.c.proposal.is_not(None), orders.c.proposal["event"].astext != "reply"))
    if "supervisor" in roles:
        parts.append(or_(*(orders.c.machines[machine].astext == state for machine, state in ASKED)))
    if roles & WHOLE_UNIT and person.unit is not None:
        carded = orders.c.machines["supervision"].astext.in_(CARDS)
        parts.append(and_(orders.c.department == person.unit, or_(orders.c.state.in_(IN_HAND), carded)))
    if "follow_up" in roles:
        parts.append(orders.c.follow_up_officer == person.login)
    return parts


def _helps(person: Person) -> Select[tuple[UUID]] | None:
    """Ids of what somebody's unit is to help with: few."""
    if WHOLE_UNIT.isdisjoint(person.roles) or person.unit is None:
        return None
    todo = order_co_units.c.state.in_(("blown", "attending"))
    return select(order_co_units.c.order_id).where(order_co_units.c.unit == person.unit, todo)


def group(name: str, now: datetime, midnight: datetime) -> ColumnElement[bool]:
    """What is overdue (超期), due today (今日到期) or later; `midnight`: the end of today, which is still today."""
    match name:
        case "overdue":
            return orders.c.due_at < now
        case "today":
            return and_(orders.c.due_at >= now, orders.c.due_at <= midnight)
        case _:
            return orders.c.due_at > midnight


async def find_inbox(
    connection: AsyncConnection,
    person: Person,
    wanted: Sequence[ColumnElement[bool]],
    *,
    limit: int,
    after: str | None = None,
) -> Found:
    """A page of what waits for somebody, by what is due first."""
    if not (parts := _parts(person)):
        return []
    wanted = [orders.c.due_at.is_not(None), visible_to(person), *wanted]
    if after:
        at, row_id = place(after)
        wanted.append(tuple_(*_ALONG) > tuple_(at, UUID(row_id)))
    query = select(orders).where(orders.c.id.in_(first_of_each(parts, wanted, _ALONG, limit, _helps(person))))
    return (await connection.execute(query.order_by(*_ALONG).limit(limit))).mappings().all()


async def count_inbox(
    connection: AsyncConnection,
    person: Person,
    wanted: Sequence[ColumnElement[bool]],
    now: datetime,
    midnight: datetime,
) -> Found:
    """How many of the first MOST that wait for somebody are in which group (`part`) and state."""
    if not (parts := _parts(person)):
        return []
    wanted = [orders.c.due_at.is_not(None), visible_to(person), *wanted]
    part = case((group("overdue", now, midnight), "overdue"), (group("today", now, midnight), "today"), else_="later")
    told = (orders.c.id, orders.c.due_at, orders.c.state, part.label("part"))
    those = first_of_each(parts, wanted, _ALONG, MOST, _helps(person), told=told).subquery()
    first = select(those).order_by(those.c.due_at, those.c.id).limit(MOST).subquery()
    counted = select(first.c.part, first.c.state, func.count().label("n")).group_by(first.c.part, first.c.state)
    return (await connection.execute(counted)).mappings().all()


async def clocks_due(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, RowMapping]:
    """For each order the running clock by which it is due."""
    work: list[Any] = [name for name, kind in KINDS.items() if kind.work]
    query = (
        select(order_clocks)
        .where(
            order_clocks.c.order_id.in_(ids),
            order_clocks.c.name.in_(work),
            order_clocks.c.ended_at.is_(None),
            order_clocks.c.paused_at.is_(None),
        )
        .order_by(order_clocks.c.due_at.desc())
    )
    return {row["order_id"]: row for row in (await connection.execute(query)).mappings()}
