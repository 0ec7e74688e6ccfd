"""What the figures read from the ledger."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from agents.service_level import ABANDONED, ANSWER_TARGET_MS, Outcome, Tally
from callcenter.reports.tally import MinuteRow
from callcenter.store.tables import calls


async def minutes(connection: AsyncConnection, since: datetime, until: datetime) -> list[MinuteRow]:
    """Calls that arrived since `since` and ended before `until`, by minute of arrival and service."""
    minute = cast(func.floor(func.extract("epoch", calls.c.arrived_at) / 60), BigInteger)
    answered = calls.c.outcome == Outcome.ANSWERED
    count = func.count()
    rows = await connection.execute(
        select(
            minute,
            calls.c.service,
            count,
            count.filter(answered),
            count.filter(answered, calls.c.wait_ms <= ANSWER_TARGET_MS),
            count.filter(answered, calls.c.wait_from_invite_ms <= ANSWER_TARGET_MS),
            count.filter(calls.c.outcome.in_(ABANDONED)),
        )
        .where(calls.c.arrived_at >= since, calls.c.ended_at < until, calls.c.outcome.is_not(None))
        .group_by(minute, calls.c.service)
    )
    return [
        MinuteRow(at, service, Tally(offered, got, timely, prompt, gone, offered - got - gone))
        for at, service, offered, got, timely, prompt, gone in rows
    ]


async def waits(connection: AsyncConnection, since: datetime, until: datetime) -> Sequence[int]:
    """Milliseconds waited by the answered calls that ended in this time."""
    rows = await connection.execute(
        select(calls.c.wait_ms).where(calls.c.ended_at >= since, calls.c.ended_at < until, calls.c.wait_ms.is_not(None))
    )
    return rows.scalars().all()
