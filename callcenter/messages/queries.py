"""Messages and their receipts in SQL."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, ScalarSelect, case, func, insert, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.store.tables import message_receipts, messages, users


async def add(connection: AsyncConnection, message: dict[str, Any], to: Collection[str]) -> Row[Any]:
    """Keep a message for each of these logins; the message."""
    row: Row[Any] = (await connection.execute(insert(messages).values(message).returning(messages))).one()
    await connection.execute(insert(message_receipts), [{"message_id": row.id, "login": login} for login in to])
    return row


async def who_may_sit(connection: AsyncConnection, roles: Collection[str]) -> list[str]:
    """Logins of the open accounts that have one of these roles."""
    asked = select(users.c.login).where(users.c.active, users.c.roles.overlap(list(roles)))
    return list((await connection.execute(asked.order_by(users.c.login))).scalars())


async def is_open(connection: AsyncConnection, login: str) -> bool:
    found = await connection.execute(select(users.c.id).where(users.c.login == login, users.c.active))
    return found.first() is not None


async def of(connection: AsyncConnection, login: str, most: int) -> Sequence[Row[Any]]:
    """Messages to this person: unread ones first, then the newest."""
    asked = (
        select(messages, message_receipts.c.read_at)
        .join(message_receipts, message_receipts.c.message_id == messages.c.id)
        .where(message_receipts.c.login == login)
        .order_by(case((message_receipts.c.read_at.is_(None), 0), else_=1), messages.c.at.desc(), messages.c.id)
        .limit(most)
    )
    return (await connection.execute(asked)).all()


async def mark_read(connection: AsyncConnection, key: UUID, login: str) -> bool:
    """Note that this person has read it, the first time it is said; False when it was not sent to this person."""
    mine = (message_receipts.c.message_id == key, message_receipts.c.login == login)
    read_at = func.coalesce(message_receipts.c.read_at, func.now())
    done = await connection.execute(update(message_receipts).values(read_at=read_at).where(*mine))
    return bool(done.rowcount)


async def sent_by(connection: AsyncConnection, login: str, most: int) -> Sequence[Row[Any]]:
    """Messages that this person sent, newest first, each with `unread`: the logins that have not read it."""
    asked = select(messages, _logins(read=True).label("read"), _logins(read=False).label("unread"))
    asked = asked.where(messages.c.sender == login).order_by(messages.c.at.desc(), messages.c.id).limit(most)
    return (await connection.execute(asked)).all()


async def sender_of(connection: AsyncConnection, key: UUID) -> str | None:
    return (await connection.execute(select(messages.c.sender).where(messages.c.id == key))).scalar()


def _logins(*, read: bool) -> ScalarSelect[Any]:
    receipt = message_receipts.c
    known = receipt.read_at.is_not(None) if read else receipt.read_at.is_(None)
    found = func.array_agg(aggregate_order_by(receipt.login, receipt.login))
    return select(func.coalesce(found, [])).where(receipt.message_id == messages.c.id, known).scalar_subquery()
