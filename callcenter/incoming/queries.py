"""Incoming texts and the orders of their numbers, in SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping, and_, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.incoming.flow import Known
from callcenter.store.tables import calls, identities, incoming_texts, orders
from callcenter.visits.queries import WAITING

Found = Sequence[RowMapping]
_T: Final = incoming_texts.c
#: Orders of one number among which the meant one is looked for.
MOST_KNOWN: Final = 20
#: What a person must look at: whose it is could not be told.
UNTOLD: Final = ("several", "unknown")
_WAITS_FOR_A_PERSON: Final = and_(_T.seen_at.is_(None), _T.outcome.in_(UNTOLD))


async def orders_of(connection: AsyncConnection, key: bytes, since: datetime) -> dict[str, tuple[Known, RowMapping]]:
    """By code, the orders to whose citizens texts of this number are sent, the newest first (see notices.queries)."""
    by_call = and_(orders.c.call_id.in_(select(calls.c.id).where(calls.c.number_key == key)), _no_other())
    sealed = orders.c.id.in_(select(identities.c.order_id).where(identities.c.callback_key == key))
    query = (
        select(orders.c.id, orders.c.code, orders.c.state, orders.c.visit, orders.c.confidential)
        .where(or_(orders.c.callback_key == key, sealed, by_call), orders.c.created_at >= since, ~orders.c.anonymous)
        .order_by(orders.c.created_at.desc(), orders.c.id.desc())
        .limit(MOST_KNOWN)
    )
    rows = (await connection.execute(query)).mappings().all()
    return {
        row["code"]: (Known(row["code"], row["state"] in WAITING, "texted_at" in row["visit"]), row) for row in rows
    }


def _no_other() -> Any:
    """The number of the call counts where none was given to call back on."""
    return orders.c.callback_key.is_(None)


async def add(connection: AsyncConnection, row: dict[str, Any]) -> int | None:
    """Write a text down; its id, or None when its message has come before."""
    added = insert(incoming_texts).values(row).on_conflict_do_nothing(index_elements=[_T.message]).returning(_T.id)
    text: int | None = await connection.scalar(added)
    return text


async def settle(connection: AsyncConnection, text: int, values: dict[str, Any]) -> None:
    await connection.execute(update(incoming_texts).where(_T.id == text).values(values))


async def outcome_of(connection: AsyncConnection, message: str) -> str | None:
    found: str | None = await connection.scalar(select(_T.outcome).where(_T.message == message))
    return found


async def of_order(connection: AsyncConnection, order_id: UUID) -> Found:
    """The texts about an order, in the order of coming."""
    query = select(incoming_texts).where(_T.order_id == order_id).order_by(_T.at, _T.id)
    return (await connection.execute(query)).mappings().all()


async def untold(connection: AsyncConnection, limit: int) -> Found:
    """Texts that wait for a person, the oldest first."""
    query = select(incoming_texts).where(_WAITS_FOR_A_PERSON).order_by(_T.at, _T.id).limit(limit)
    return (await connection.execute(query)).mappings().all()


async def one(connection: AsyncConnection, text: int) -> RowMapping | None:
    """A text that waits for a person."""
    query = select(incoming_texts).where(_T.id == text, _WAITS_FOR_A_PERSON)
    return (await connection.execute(query)).mappings().first()


async def see(connection: AsyncConnection, text: int, login: str, order_id: UUID | None, now: datetime) -> bool:
    """Somebody has looked at it, and said whose it is if they know; False when another was faster."""
    seen = update(incoming_texts).where(_T.id == text, _WAITS_FOR_A_PERSON).returning(_T.id)
    done = await connection.execute(seen.values(seen_by=login, seen_at=now, order_id=order_id))
    return done.first() is not None
