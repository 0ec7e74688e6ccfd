"""Keeps the figures in agreement with the ledger."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.clock import now
from callcenter.reports import queries
from callcenter.reports.tally import LOOK_BACK, RECENT, Book
from callcenter.store.engine import DatabaseAway, within

RELOAD_EVERY: Final = 300.0
RETRY_EVERY: Final = 5.0
SECONDS: Final = 7.0

log = structlog.get_logger()


async def keep(book: Book, engine: AsyncEngine, dirty: asyncio.Event) -> None:
    """Read the ledger at once, then every five minutes or when `dirty` says that it has been repaired. For ever."""
    started = True
    while True:
        try:
            # At the start nothing is counted from memory yet, so the ledger is asked up to now.
            await within(SECONDS, _load(book, engine, now() - (timedelta() if started else RECENT)))
            started = False
            pause = RELOAD_EVERY
        except DatabaseAway as error:
            log.warning("figures_not_read", why=str(error))
            pause = RETRY_EVERY
        try:
            await asyncio.wait_for(dirty.wait(), pause)
            dirty.clear()
            await asyncio.sleep(RECENT.total_seconds() + 1)
        except TimeoutError:
            pass


async def _load(book: Book, engine: AsyncEngine, until: datetime) -> None:
    local = until.astimezone(book.zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    async with engine.connect() as connection:
        rows = await queries.minutes(connection, until - LOOK_BACK, until)
        waits = await queries.waits(connection, midnight, until)
    book.replace(rows, waits, until, until - LOOK_BACK)
