"""Cut-overs of numbers in SQL, and how many calls still come by each number."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.store.tables import calls, number_cutovers


async def cutovers(connection: AsyncConnection) -> Mapping[str, Row[Any]]:
    return {row.number: row for row in await connection.execute(select(number_cutovers))}


async def calls_by_number(connection: AsyncConnection, since: datetime) -> Mapping[str, int]:
    """How many calls came by each dialled number since then."""
    asked = select(calls.c.dialed, func.count()).where(calls.c.arrived_at >= since).group_by(calls.c.dialed)
    return {row[0]: row[1] for row in await connection.execute(asked)}


async def cut_over(
    connection: AsyncConnection, numbers: Sequence[str], day: date, *, announced: bool, reason: str, login: str
) -> bool:
    """Set the day of all these numbers, or of none: False when one of them has a day already."""
    rows = [{"number": number, "day": day, "announced": announced, "reason": reason, "by": login} for number in numbers]
    added = insert(number_cutovers).values(rows).on_conflict_do_nothing().returning(number_cutovers.c.number)
    return len((await connection.execute(added)).all()) == len(numbers)


async def undo(connection: AsyncConnection, number: str) -> bool:
    """Take a number's day back; False when it has none."""
    gone = delete(number_cutovers).where(number_cutovers.c.number == number).returning(number_cutovers.c.number)
    return (await connection.execute(gone)).first() is not None
