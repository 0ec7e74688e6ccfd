"""Supervisions on record, in SQL."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.store.tables import calls, supervisions


async def stretches(connection: AsyncConnection, call: str | None, most: int) -> Sequence[Row[Any]]:
    """Who was in whose call, newest first; of one call, or of all."""
    asked = select(supervisions).order_by(supervisions.c.since.desc(), supervisions.c.id).limit(most)
    if call is not None:
        asked = asked.where(supervisions.c.call_id == call)
    return (await connection.execute(asked)).all()


async def open_stretches(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """Those of which no end is known."""
    return (await connection.execute(select(supervisions).where(supervisions.c.until.is_(None)))).all()


async def close_with_their_calls(connection: AsyncConnection) -> None:
    """End what the line lost the end of: a supervision never outlives its call."""
    ended = func.greatest(calls.c.ended_at, supervisions.c.since)
    await connection.execute(
        update(supervisions)
        .values(until=ended)
        .where(supervisions.c.until.is_(None), supervisions.c.call_id == calls.c.id, calls.c.ended_at.is_not(None))
    )
