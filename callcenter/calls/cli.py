"""`callcenter reconcile`: the ledger against Asterisk's files; exit code 1 when something is not explained."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from agents.service_level import Outcome
from callcenter.asterisk.facts import Reader
from callcenter.asterisk.files import SureFiles
from callcenter.calls.reconcile import Balance, Known, compare
from callcenter.settings import Settings
from callcenter.standalone import CannotStart
from callcenter.store.engine import DatabaseAway, make_engine, within
from callcenter.store.pages import day_bounds
from callcenter.store.tables import calls

SECONDS: Final = 60.0
NAMES: Final = {
    Outcome.ANSWERED: "接通",
    Outcome.ABANDONED_GREETING: "欢迎语中挂机",
    Outcome.ABANDONED_QUEUE: "排队中挂机",
    Outcome.ABANDONED_RINGING: "振铃中挂机",
    Outcome.TIMED_OUT: "排队超时",
    Outcome.NOBODY_ON_DUTY: "无人值守",
    Outcome.REFUSED: "拒接",
    Outcome.INTERRUPTED: "系统中断",
    Outcome.UNKNOWN_GAP: "记录缺口",
}


def reconcile(settings: Settings, day: datetime | None) -> int:
    """Print the balance of a day, or of all days; the exit code. Raises CannotStart when Postgres is away."""
    if settings.database_url is None:
        raise CannotStart(
            "no database: set CALLCENTER_DATABASE_URL, or CALLCENTER_HOME to the folder of `callcenter up`"
        )
    between = day_bounds(day.date(), settings.zone) if day else None
    try:
        ledger = asyncio.run(_ledger(settings.database_url.get_secret_value(), settings.node))
    except DatabaseAway as error:
        raise CannotStart(f"{error} (CALLCENTER_DATABASE_URL)") from error
    balance = compare(ledger, _files(settings), now=datetime.now(UTC), between=between)
    which = f"{day:%Y-%m-%d}" if day else "全部日期 all days"
    print("\n".join(report(balance, f"对账 Reconciliation · {settings.node} · {which}")))
    return 1 if balance.unexplained else 0


def report(balance: Balance, title: str) -> Iterator[str]:
    """The balance as lines of text."""
    yield title
    yield f"{balance.offered:>8}  offered 呼入"
    for outcome, name in NAMES.items():
        yield f"{balance.outcomes.get(outcome, 0):>8}    {outcome} {name}"
    yield f"{balance.in_progress:>8}    in progress 进行中"
    yield f"{len(balance.unexplained)} unexplained 无法解释"
    for difference in balance.unexplained:
        yield f"  {difference.call_id}  {difference.why}"


async def _ledger(url: str, node: str) -> dict[str, Known]:
    engine = make_engine(url, connections=1, name="callcenter reconcile")
    try:
        return await within(SECONDS, _read(engine, node))
    finally:
        await engine.dispose()


async def _read(engine: AsyncEngine, node: str) -> dict[str, Known]:
    columns = (calls.c.id, calls.c.arrived_at, calls.c.answered_at, calls.c.ended_at, calls.c.outcome)
    async with engine.connect() as connection:
        rows = await connection.execute(select(*columns).where(calls.c.node == node))
        return {row[0]: Known(*row[1:]) for row in rows}


def _files(settings: Settings) -> Iterator[tuple[str, Known]]:
    files = SureFiles(settings.asterisk_log, Reader(settings.node, settings.system_name.get_secret_value()), [])
    ended = files.read().ended
    for call in (*ended, *files.floor.calls.values()):
        yield call.id, Known(call.arrived_at, call.answered_at, call.ended_at, call.outcome)
