"""Orders that belong together, in SQL.

Candidates are looked for among the newest open orders of a leaf, along an index: what it costs does not grow with the
table.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, RowMapping, func, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.dispatch.queries import likeness
from callcenter.people.permissions import Person
from callcenter.privacy.queries import unconcerned
from callcenter.store.tables import orders
from callcenter.workorders.move import MASTERS
from callcenter.workorders.queries import Found, visible_to

#: Open orders of the leaf that are compared: the newest of the same street, and of the whole city.
OF_STREET, OF_CITY = 100, 200
#: Of these the likeliest, by trigrams, are weighed.
MOST_WEIGHED: Final = 60
MOST_JOINED: Final = 50


async def pool(connection: AsyncConnection, order: RowMapping, person: Person, since: datetime) -> Found:
    """Open orders of an order's leaf since a moment that may be like it: whoever has them, but secret ones.

    Who dispatches has an order in hand that may be another's already; that one is shown as a line, its page to its own.
    """
    open_ = (
        select(orders.c.id)
        .where(
            orders.c.category == order["category"],
            orders.c.state.in_(MASTERS),
            orders.c.created_at >= since,
            orders.c.id != order["id"],
            unconcerned(person),
            or_(~orders.c.confidential, visible_to(person)),
        )
        .order_by(orders.c.created_at.desc())
    )
    ids = union(
        select(open_.where(orders.c.region == order["region"]).limit(OF_STREET).subquery()),
        select(open_.limit(OF_CITY).subquery()),
    )
    how = likeness(order["subject"], order["description"]) + func.similarity(orders.c.place, order["place"])
    query = select(orders).where(orders.c.id.in_(ids)).order_by(how.desc(), orders.c.created_at.desc())
    return (await connection.execute(query.limit(MOST_WEIGHED))).mappings().all()


async def chosen(connection: AsyncConnection, codes: Collection[str], person: Person) -> Found:
    """Orders that somebody has chosen among those that they see."""
    query = select(orders).where(orders.c.code.in_(codes), visible_to(person)).order_by(orders.c.created_at)
    return (await connection.execute(query)).mappings().all()


async def merged_into(connection: AsyncConnection, code: str, person: Person) -> Found:
    """What was merged into an order that somebody sees, the oldest first."""
    return await _together(connection, orders.c.master == code, unconcerned(person))


async def repeats(connection: AsyncConnection, code: str, person: Person) -> Found:
    """Later orders that repeat one that is over (重复诉求), as far as somebody may see them, the oldest first."""
    return await _together(connection, orders.c.repeat_of == code, visible_to(person))


async def siblings(connection: AsyncConnection, order: RowMapping, person: Person) -> Found:
    """Other orders of the same call (一次来电多件诉求) that somebody may see, the oldest first.

    One that hides its citizen is told beside no other that does not: it would say who it is.
    """
    same = (
        (orders.c.call_id == order["call_id"])
        & (orders.c.id != order["id"])
        & (orders.c.confidential == order["confidential"])
        & (orders.c.anonymous == order["anonymous"])
    )
    return await _together(connection, same, visible_to(person))


async def _together(connection: AsyncConnection, which: ColumnElement[bool], seen: ColumnElement[bool]) -> Found:
    query = select(orders).where(which, seen).order_by(orders.c.created_at, orders.c.id).limit(MOST_JOINED)
    return (await connection.execute(query)).mappings().all()
