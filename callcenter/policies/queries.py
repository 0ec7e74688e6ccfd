"""Versions of the policies, and proposals to change them, in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.policies.flow import Body
from callcenter.store.tables import order_policies, orders
from callcenter.store.tables import order_policy_changes as proposals
from callcenter.workorders.queries import WITH_UNIT

State = Literal["approved", "refused", "withdrawn"]


async def versions(connection: AsyncConnection, limit: int) -> Sequence[Row[Any]]:
    """The newest first."""
    query = select(order_policies).order_by(order_policies.c.version.desc()).limit(limit)
    return (await connection.execute(query)).all()


async def in_use(connection: AsyncConnection) -> Mapping[int, int]:
    """How many orders that are under way began with each version."""
    query = select(orders.c.policy, func.count()).where(orders.c.state.in_(WITH_UNIT), orders.c.due_at.is_not(None))
    found = await connection.execute(query.group_by(orders.c.policy))
    return {row[0]: row[1] for row in found}


async def propose(connection: AsyncConnection, base: int, changes: Body, note: str, login: str) -> Row[Any]:
    """Note a proposal and return it."""
    row = {"base": base, "changes": {code: list(limit) for code, limit in changes.items()}, "note": note}
    asked = insert(proposals).values(row | {"proposed_by": login}).returning(proposals)
    proposed: Row[Any] = (await connection.execute(asked)).one()
    return proposed


async def decide(
    connection: AsyncConnection, number: int, state: State, login: str, version: int | None
) -> Row[Any] | None:
    """Decide an open proposal of somebody else's, or withdraw one's own; None when it is not open, or not theirs."""
    own = proposals.c.proposed_by == login
    decided = await connection.execute(
        update(proposals)
        .where(proposals.c.id == number, proposals.c.state == "proposed", own if state == "withdrawn" else ~own)
        .values(state=state, decided_by=login, decided_at=func.now(), version=version)
        .returning(proposals)
    )
    row: Row[Any] | None = decided.first()
    return row


async def proposal(connection: AsyncConnection, number: int, *, lock: bool = False) -> Row[Any] | None:
    query = select(proposals).where(proposals.c.id == number)
    return (await connection.execute(query.with_for_update() if lock else query)).first()


async def recent(connection: AsyncConnection, limit: int) -> Sequence[Row[Any]]:
    """Proposals, the newest first."""
    return (await connection.execute(select(proposals).order_by(proposals.c.id.desc()).limit(limit))).all()


async def add_version(connection: AsyncConnection, version: int, body: Body, by: str, note: str, at: datetime) -> None:
    """Write a version; the database refuses a second one of the same number."""
    row = {"version": version, "body": {code: list(limit) for code, limit in body.items()}, "by": by, "note": note}
    await connection.execute(insert(order_policies).values(row | {"at": at}))
