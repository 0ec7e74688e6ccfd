"""`callcenter reconcile`: the ledger against Asterisk's files; exit code 1 when something is not explained."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from agents.service_level import Outcome
from callcenter.asterisk.facts import Reader
from callcenter.asterisk.files import SureFiles
from callcenter.calls.reconcile import Balance, Known, compare
from callcenter.settings import Settings
from callcenter.store.command import ask_database
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
    Outcome.CALLBACK: "预约回电",
    Outcome.NOT_REACHED: "回电未接通",
    Outcome.UNKNOWN_GAP: "记录缺口",
}


def reconcile(settings: Settings, day: datetime | None) -> int:
    """Print the balance of a day, or of all days; the exit code. Raises CannotStart when Postgres is away."""
    between = day_bounds(day.date(), settings.zone) if day else None
    ledger = ask_database(settings, "reconcile", lambda engine: _read(engine, settings.node), seconds=SECONDS)
    told, since = _files(settings)
    balance = compare(ledger, told, now=datetime.now(UTC), between=between, since=since)
    which = f"{day:%Y-%m-%d}" if day else "全部日期 all days"
    from_ = f" · 文件自 files since {since.astimezone(settings.zone):%Y-%m-%d %H:%M}" if since else ""
    print("\n".join(report(balance, f"对账 Reconciliation · {settings.node} · {which}{from_}")))
    return 1 if balance.unexplained else 0


def report(balance: Balance, title: str) -> Iterator[str]:
    """The balance as lines of text."""
    yield title
    yield f"{balance.offered:>8}  offered 呼入"
    for outcome, name in NAMES.items():
        yield f"{balance.outcomes.get(outcome, 0):>8}    {outcome} {name}"
    yield f"{balance.in_progress:>8}    in progress 进行中"
    if balance.before:
        yield f"{balance.before:>8}  before the files, not compared 早于现存文件，未核对"
    yield f"{len(balance.unexplained)} unexplained 无法解释"
    for difference in balance.unexplained:
        yield f"  {difference.call_id}  {difference.why}"


async def _read(engine: AsyncEngine, node: str) -> dict[str, Known]:
    columns = (calls.c.id, calls.c.arrived_at, calls.c.answered_at, calls.c.ended_at, calls.c.outcome)
    async with engine.connect() as connection:
        rows = await connection.execute(select(*columns).where(calls.c.node == node))
        return {row[0]: Known(*row[1:]) for row in rows}


def _files(settings: Settings) -> tuple[Sequence[tuple[str, Known]], datetime | None]:
    """What the files know of each call, those put aside too, and when they begin."""
    files = SureFiles(settings.asterisk_log, Reader(settings.node, settings.system_name.get_secret_value()), [])
    ended = files.read().ended
    return [
        (call.id, Known(call.arrived_at, call.answered_at, call.ended_at, call.outcome))
        for call in (*ended, *files.floor.calls.values())
    ], files.since
