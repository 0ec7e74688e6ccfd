"""Accounts, seats and the audit in SQL."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row, any_, delete, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.store.tables import account_proposals as proposals
from callcenter.store.tables import audit, seats, users

_ADMINS: Final = 12349  # advisory lock: who administers is decided by one at a time
_PROPOSED: Final = [proposals.c[name].label(f"proposal_{name}") for name in ("id", "change", "by", "at")]
_ACCOUNTS: Final = select(users, *_PROPOSED).outerjoin(proposals, proposals.c.user_id == users.c.id)


async def user(connection: AsyncConnection, login: str) -> Row[Any] | None:
    """The account with this login, its password's hash too."""
    return (await connection.execute(select(users).where(users.c.login == login))).first()


async def all_users(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """Every account, with what waits for a second administrator."""
    return (await connection.execute(_ACCOUNTS.order_by(users.c.login))).all()


async def account(connection: AsyncConnection, login: str) -> Row[Any] | None:
    """An account with what waits for a second administrator; it is held until the transaction ends."""
    return (await connection.execute(_ACCOUNTS.where(users.c.login == login).with_for_update(of=users))).first()


async def propose(connection: AsyncConnection, user_id: int, change: dict[str, Any], by: str) -> None:
    """Let a change of an account wait; one that waited there is gone."""
    await drop_proposal(connection, user_id)
    await connection.execute(insert(proposals).values(user_id=user_id, change=change, by=by))


async def drop_proposal(connection: AsyncConnection, user_id: int) -> None:
    await connection.execute(delete(proposals).where(proposals.c.user_id == user_id))


async def named(connection: AsyncConnection, logins: Sequence[str]) -> Sequence[Row[Any]]:
    """Login and names of these accounts."""
    columns = [users.c[name] for name in ("login", "name_zh", "name_en")]
    query = select(*columns).where(users.c.login.in_(logins))
    return (await connection.execute(query.order_by(users.c.login))).all()


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


async def hold_admins(connection: AsyncConnection) -> None:
    """Let nobody else change who administers until the transaction ends."""
    await connection.execute(select(func.pg_advisory_xact_lock(_ADMINS)))


async def other_admins(connection: AsyncConnection, login: str) -> int:
    """How many active administrators there are besides this one; `hold_admins` first."""
    others = users.c.active & (literal("admin") == any_(users.c.roles)) & (users.c.login != login)
    return await connection.scalar(select(func.count()).select_from(users).where(others)) or 0


_AUDIT: Final = insert(audit).inline()  # nobody asks for the number of the row


async def write_audit(connection: AsyncConnection, user_id: int | None, act: str, what: dict[str, Any]) -> None:
    """Note who did what (审计), in the same transaction as the deed. `user_id` is None on the command line."""
    await connection.execute(_AUDIT, {"user_id": user_id, "act": act, "what": what})
