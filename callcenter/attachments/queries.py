"""What is asked of the files of orders."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, and_, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.people.permissions import Person
from callcenter.store.tables import order_attachments, orders
from callcenter.workorders.queries import Found, visible_to

_A = order_attachments.c


async def of_order(connection: AsyncConnection, order_id: UUID) -> Found:
    """All files of an order in the order of their coming, those that were deleted too."""
    query = select(order_attachments).where(_A.order_id == order_id).order_by(_A.at, _A.id)
    return (await connection.execute(query)).mappings().all()


async def count(connection: AsyncConnection, order_id: UUID) -> int:
    """How many files an order has; the order must be held."""
    query = select(func.count()).where(_A.order_id == order_id, _A.deleted_at.is_(None))
    return (await connection.execute(query)).scalar_one()


async def by_key(connection: AsyncConnection, key: UUID) -> RowMapping | None:
    return (await connection.execute(select(order_attachments).where(_A.key == key))).mappings().first()


async def add(connection: AsyncConnection, row: dict[str, Any]) -> bool:
    """Write a file down; False when its message has come before."""
    added = upsert(order_attachments).values(row).on_conflict_do_nothing(index_elements=[_A.key]).returning(_A.id)
    return (await connection.execute(added)).first() is not None


async def visible(connection: AsyncConnection, code: str, file: UUID, person: Person) -> RowMapping | None:
    """A file of an order that somebody may see; None when it is not there or they may not."""
    query = (
        select(order_attachments, orders.c.confidential)
        .join(orders, and_(orders.c.id == _A.order_id, orders.c.code == code))
        .where(_A.id == file, visible_to(person))
    )
    return (await connection.execute(query)).mappings().first()


async def delete(connection: AsyncConnection, file: UUID, by: str, why: str, now: datetime) -> bool:
    """Write down that a file is to go; False when it has gone."""
    gone = update(order_attachments).where(_A.id == file, _A.deleted_at.is_(None))
    done = await connection.execute(gone.values(deleted_at=now, deleted_by=by, deleted_why=why).returning(_A.id))
    return done.first() is not None


async def known(connection: AsyncConnection, files: Sequence[UUID]) -> set[UUID]:
    """Those of the files that were written down, deleted or not."""
    return set(await connection.scalars(select(_A.id).where(_A.id.in_(files))))


async def deleted_since(connection: AsyncConnection, at: datetime) -> list[UUID]:
    """Files that were to go since then."""
    return list(await connection.scalars(select(_A.id).where(_A.deleted_at >= at)))
