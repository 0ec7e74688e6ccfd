"""What is asked of the ledger. Every value is a bound parameter; the order of a list is fixed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, exists, func, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.store.pages import place
from callcenter.store.tables import calls, orders, segments

Found = Sequence[RowMapping]


def _records() -> Select[*tuple[Any, ...]]:
    """Calls, newest first, each with the first order that came of it."""
    order = (
        select(orders.c.code.label("order_code"), orders.c.state.label("order_state"))
        .where(orders.c.call_id == calls.c.id)
        .order_by(orders.c.created_at)
        .limit(1)
        .lateral()
    )
    return select(calls, order).outerjoin(order, true()).order_by(calls.c.arrived_at.desc(), calls.c.id.desc())


async def find_calls(
    connection: AsyncConnection,
    *,
    limit: int,
    before: str | None = None,
    between: tuple[datetime, datetime] | None = None,
    outcome: str | None = None,
    service: str | None = None,
    seat: str | None = None,
    number_key: bytes | None = None,
    login: str | None = None,
) -> Found:
    """A page of calls. `login`: only those that rang this person. `outcome` may be `open`: not ended."""
    query = _records().limit(limit)
    if before:
        query = query.where(tuple_(calls.c.arrived_at, calls.c.id) < tuple_(*place(before)))
    if between:
        query = query.where(calls.c.arrived_at >= between[0], calls.c.arrived_at < between[1])
    if outcome:
        query = query.where(calls.c.outcome.is_(None) if outcome == "open" else calls.c.outcome == outcome)
    if service:
        query = query.where(calls.c.service == service)
    if seat:
        query = query.where(calls.c.seat == seat)
    if number_key:
        query = query.where(calls.c.number_key == number_key)
    if login:
        query = query.where(exists().where(segments.c.call_id == calls.c.id, segments.c.login == login))
    return (await connection.execute(query)).mappings().all()


async def find_call(connection: AsyncConnection, call_id: str) -> RowMapping | None:
    return (await connection.execute(_records().where(calls.c.id == call_id))).mappings().first()


async def find_segments(connection: AsyncConnection, call_id: str) -> Found:
    query = select(segments).where(segments.c.call_id == call_id).order_by(segments.c.rung_at, segments.c.n)
    return (await connection.execute(query)).mappings().all()


async def find_parties(connection: AsyncConnection, call_id: str) -> dict[str, bool]:
    """Who was rung for a call: login -> whether they talked."""
    talked = func.bool_or(segments.c.answered_at.is_not(None))
    query = select(segments.c.login, talked).where(segments.c.call_id == call_id).group_by(segments.c.login)
    return {row[0]: row[1] for row in await connection.execute(query)}


async def number_key_of(connection: AsyncConnection, call_id: str) -> bytes | None:
    """By which the other calls of a call's number are found; None when there is none, or no such call."""
    return await connection.scalar(select(calls.c.number_key).where(calls.c.id == call_id))
