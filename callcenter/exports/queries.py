"""Requests to take personal data out, in SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.store.tables import data_exports

_E = data_exports.c


async def ask(connection: AsyncConnection, row: dict[str, Any]) -> RowMapping:
    """A new request."""
    asked = insert(data_exports).values(row).returning(data_exports)
    found: RowMapping = (await connection.execute(asked)).mappings().one()
    return found


async def requests(connection: AsyncConnection, *, limit: int, before: int | None) -> Sequence[RowMapping]:
    """Requests, newest first."""
    query = select(data_exports)
    if before is not None:
        query = query.where(_E.id < before)
    return (await connection.execute(query.order_by(_E.id.desc()).limit(limit))).mappings().all()


async def request(connection: AsyncConnection, number: int) -> RowMapping | None:
    """One request, held until the transaction ends."""
    query = select(data_exports).where(_E.id == number).with_for_update()
    return (await connection.execute(query)).mappings().first()


async def decide(
    connection: AsyncConnection, number: int, state: str, login: str, note: str, now: datetime, until: datetime | None
) -> RowMapping:
    """Write what another person has decided on a request that is held."""
    values = {"state": state, "decided_by": login, "decided_at": now, "note": note, "until": until}
    decided = update(data_exports).where(_E.id == number).values(values).returning(data_exports)
    found: RowMapping = (await connection.execute(decided)).mappings().one()
    return found


async def taken(connection: AsyncConnection, number: int, now: datetime) -> None:
    """Write that a request that is held has been used: it is good for one file."""
    await connection.execute(update(data_exports).where(_E.id == number).values(taken_at=now))
