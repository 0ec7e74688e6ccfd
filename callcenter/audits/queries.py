"""What is asked of replies that wait for their audit. Every value is a bound parameter."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.audits.flow import Earlier
from callcenter.people.permissions import Person
from callcenter.privacy.queries import unconcerned
from callcenter.store.tables import order_history, orders
from callcenter.workorders.order import State
from callcenter.workorders.queries import visible_to

#: With so many of a unit's newest replies one is compared.
COMPARED: Final = 100
PASSED: Final = ("audit_pass", "audit_pass_no_visit")
FAILED: Final = "audit_fail"
#: Written into the query, so that the planner sees which index holds them.
_AUDITS: Final[Any] = bindparam("audits", (*PASSED, FAILED), expanding=True, literal_execute=True)


async def waiting(connection: AsyncConnection, person: Person, limit: int) -> tuple[Sequence[RowMapping], int]:
    """Orders whose reply waits, by what is due first; and how many there are."""
    wanted = (orders.c.state == State.REPLIED, orders.c.due_at.is_not(None), visible_to(person))
    count = await connection.scalar(select(func.count()).select_from(orders).where(*wanted))
    query = select(orders).where(*wanted).order_by(orders.c.due_at, orders.c.id).limit(limit)
    return (await connection.execute(query)).mappings().all(), count or 0


async def said(connection: AsyncConnection, ids: Sequence[UUID]) -> Mapping[UUID, Mapping[str, RowMapping]]:
    """Of each order the newest reply and contact: event -> row."""
    query = (
        select(order_history)
        .where(order_history.c.order_id.in_(ids), order_history.c.event.in_(("reply", "first_contact", FAILED)))
        .order_by(order_history.c.order_id, order_history.c.n)
    )
    found: dict[UUID, dict[str, RowMapping]] = {}
    for row in (await connection.execute(query)).mappings():
        found.setdefault(row["order_id"], {})[row["event"]] = row
    return found


async def earlier_replies(connection: AsyncConnection, unit: str, person: Person) -> list[Earlier]:
    """The newest replies of a unit, but those to orders that complain of who looks."""
    replied = (
        select(orders.c.id, orders.c.code)
        .where(orders.c.department == unit, orders.c.replied_by.is_not(None), unconcerned(person))
        .order_by(orders.c.created_at.desc(), orders.c.id.desc())
        .limit(COMPARED)
        .subquery()
    )
    query = (
        select(replied.c.code, order_history.c.given["reply"].astext)
        .join(order_history, order_history.c.order_id == replied.c.id)
        .where(order_history.c.event == "reply")
        .order_by(order_history.c.at.desc())
    )
    return [Earlier.of(code, text or "") for code, text in await connection.execute(query)]


async def passed_at_once(connection: AsyncConnection, since: datetime) -> tuple[int, int]:
    """Orders whose first audit since a moment passed, and all whose first audit it was (K39)."""
    told = order_history.alias()
    first = (
        select(told.c.order_id, func.min(told.c.n).label("n"))
        .where(told.c.at >= since, told.c.event.in_(_AUDITS))
        .group_by(told.c.order_id)
        .subquery()
    )
    query = (
        select(func.count().filter(order_history.c.event.in_(PASSED)), func.count())
        .select_from(order_history)
        .join(first, (first.c.order_id == order_history.c.order_id) & (first.c.n == order_history.c.n))
    )
    passed, every = (await connection.execute(query)).one()
    return passed, every
