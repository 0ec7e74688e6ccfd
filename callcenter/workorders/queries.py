"""What is asked of the orders. Every value is a bound parameter; the order of a list is fixed."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.store.pages import place
from callcenter.store.tables import calls, order_history, orders
from callcenter.workorders.codes import is_order_code

Found = Sequence[RowMapping]


async def find_orders(
    connection: AsyncConnection,
    *,
    limit: int,
    before: str | None = None,
    state: str | None = None,
    kind: str | None = None,
    department: str | None = None,
    words: str | None = None,
    created_by: str | None = None,
) -> Found:
    """A page of orders, newest first. `words`: a code, or what subject, description or place contain."""
    query = select(orders).order_by(orders.c.created_at.desc(), orders.c.id.desc()).limit(limit)
    if before:
        at, row_id = place(before)
        query = query.where(tuple_(orders.c.created_at, orders.c.id) < tuple_(at, UUID(row_id)))
    for column, wanted in ((orders.c.state, state), (orders.c.kind, kind), (orders.c.department, department)):
        if wanted:
            query = query.where(column == wanted)
    if words and is_order_code(words.upper()):
        query = query.where(orders.c.code == words.upper())
    elif words:
        columns = (orders.c.subject, orders.c.description, orders.c.place)
        query = query.where(or_(*(column.icontains(words, autoescape=True) for column in columns)))
    if created_by:
        query = query.where(orders.c.created_by == created_by)
    return (await connection.execute(query)).mappings().all()


async def orders_of_number(connection: AsyncConnection, number_key: bytes, *, without: str, limit: int) -> Found:
    """Orders whose call came from a number, or that are to be called back on it, but for one call's; newest first."""
    its_calls = select(calls.c.id).where(calls.c.number_key == number_key)
    query = (
        select(orders)
        .where(or_(orders.c.callback_key == number_key, orders.c.call_id.in_(its_calls)), orders.c.call_id != without)
        .order_by(orders.c.created_at.desc(), orders.c.id.desc())
        .limit(limit)
    )
    return (await connection.execute(query)).mappings().all()


async def order_by_code(connection: AsyncConnection, code: str) -> RowMapping | None:
    return (await connection.execute(select(orders).where(orders.c.code == code))).mappings().first()


async def order_by_key(connection: AsyncConnection, key: UUID) -> RowMapping | None:
    return (await connection.execute(select(orders).where(orders.c.id == key))).mappings().first()


async def history_of(connection: AsyncConnection, order_id: UUID) -> Found:
    query = select(order_history).where(order_history.c.order_id == order_id).order_by(order_history.c.n)
    return (await connection.execute(query)).mappings().all()
