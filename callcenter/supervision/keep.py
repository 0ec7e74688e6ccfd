"""Supervisions across a restart of the service: found again when they go on, ended on record when their call has."""

import asyncio
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from agents.supervision import Mode
from callcenter.asterisk.facts import Supervising
from callcenter.floor.run import Runner
from callcenter.store.engine import DatabaseAway, within
from callcenter.supervision import queries

EVERY: Final = 30.0
PATIENCE: Final = 5.0

log = structlog.get_logger()


async def keep(engine: AsyncEngine, runner: Runner) -> None:
    """Runs until cancelled."""
    await runner.synced.wait()
    found = False
    while True:
        try:
            if not found:
                await within(PATIENCE, _find(engine, runner))
                found = True
            await within(PATIENCE, _close(engine))
        except DatabaseAway as error:
            log.warning("supervisions_not_kept", why=str(error))
        await asyncio.sleep(EVERY)


async def _find(engine: AsyncEngine, runner: Runner) -> None:
    """Tell the floor of those that were going on. The next comparison with Asterisk drops those that are over."""
    async with engine.connect() as connection:
        rows = await queries.open_stretches(connection)
    for row in rows:
        if row.call_id in runner.floor.calls:
            known = str(row.id), row.login, row.seat, row.agent, row.agent_seat, row.call_id, Mode(row.mode)
            runner.tell(Supervising(row.since, *known, row.channel))


async def _close(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await queries.close_with_their_calls(connection)
