"""Accounts, seats and the audit in SQL."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, any_, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.store.tables import audit, seats, users


async def user(connection: AsyncConnection, login: str) -> Row[Any] | None:
    """The account with this login, its password's hash too."""
    return (await connection.execute(select(users).where(users.c.login == login))).first()


async def all_users(connection: AsyncConnection) -> Sequence[Row[Any]]:
    return (await connection.execute(select(users).order_by(users.c.login))).all()


async def add_user(connection: AsyncConnection, account: dict[str, Any]) -> bool:
    """Add an account; False when the login is taken."""
    added = await connection.execute(
        upsert(users).values(account).on_conflict_do_nothing(index_elements=[users.c.login]).returning(users.c.id)
    )
    return added.first() is not None


async def change_user(connection: AsyncConnection, login: str, changes: dict[str, Any]) -> Row[Any] | None:
    """Change an account and return it; None when there is none."""
    changed = await connection.execute(update(users).where(users.c.login == login).values(changes).returning(users))
    row: Row[Any] | None = changed.first()
    return row


async def all_seats(connection: AsyncConnection) -> Sequence[Row[Any]]:
    return (await connection.execute(select(seats).order_by(seats.c.number))).all()


async def add_seat(connection: AsyncConnection, number: str) -> bool:
    """Add a seat; False when the number is taken."""
    added = await connection.execute(
        upsert(seats).values(number=number).on_conflict_do_nothing().returning(seats.c.number)
    )
    return added.first() is not None


async def change_seat(
    connection: AsyncConnection, number: str, *, active: bool | None, new_secret: bool
) -> Row[Any] | None:
    """Open or close a seat, give it its next SIP secret, and return it; None when there is none."""
    changes: dict[str, Any] = {"number": number}
    if active is not None:
        changes["active"] = active
    if new_secret:
        changes["secret_version"] = seats.c.secret_version + 1
    changed = await connection.execute(update(seats).where(seats.c.number == number).values(changes).returning(seats))
    row: Row[Any] | None = changed.first()
    return row


async def seat(connection: AsyncConnection, number: str) -> Row[Any] | None:
    return (await connection.execute(select(seats).where(seats.c.number == number))).first()


async def other_admins(connection: AsyncConnection, login: str) -> int:
    """How many active administrators there are besides this one. Holds them until the transaction ends."""
    found = select(users.c.id).where(users.c.active, literal("admin") == any_(users.c.roles), users.c.login != login)
    return len((await connection.execute(found.with_for_update())).all())


async def write_audit(connection: AsyncConnection, user_id: int | None, act: str, what: dict[str, Any]) -> None:
    """Note who did what (审计), in the same transaction as the deed. `user_id` is None on the command line."""
    await connection.execute(insert(audit).values(user_id=user_id, act=act, what=what))
