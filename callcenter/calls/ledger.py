"""The ledger's door (记账): a row goes to Postgres, or to the journal while Postgres is away, and never waits long."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from callcenter import metrics
from callcenter.calls.journal import Journal, read
from callcenter.calls.rows import Record, Row
from callcenter.store.engine import DatabaseAway, is_absence, within

REPLAY_ROWS: Final = 500  # in one transaction
REPLAY_SECONDS: Final = 10.0
LAST_BYTES: Final = 64 * 2**10  # of the journal, for which newer rows wait
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0

log = structlog.get_logger()

#: Writes rows of one table within a transaction, so that writing them twice is writing them once.
Writer = Callable[[AsyncConnection, Sequence[Row]], Awaitable[None]]
_Write = Callable[[Sequence[Record]], Coroutine[Any, Any, None]]


class Stored(StrEnum):
    """Where a row is safe."""

    DATABASE = "database"
    JOURNAL = "journal"


class Ledger:
    """Writes records through `writers`, table by table in their order; the journal's before any newer ones.

    Args:
        patience: how long, in seconds, a write to Postgres may take before the journal takes it.
    """

    def __init__(
        self, engine: AsyncEngine, journal: Journal, writers: Mapping[str, Writer], *, patience: float = 2.0
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._writers = writers
        self.patience = patience
        self._waiting = asyncio.Event()
        # Shut while the last of the journal is written: who writes without a pause would keep it from ever ending.
        self._door = asyncio.Lock()
        self.away = not journal.empty
        if self.away:
            self._waiting.set()

    async def save(self, records: Sequence[Record]) -> Stored:
        """Keep records; when this returns they survive a power cut.

        Raises JournalRefused when neither takes them, DBAPIError when Postgres finds them wrong.
        """
        return await self._keep(records, self._write)

    async def keep(self, records: Sequence[Record]) -> Stored:
        """Like `save`, but rows that Postgres finds wrong are put aside, and do not hold up the others."""
        return await self._keep(records, self._write_what_can_be)

    async def run(self) -> None:
        """Replay the journal whenever Postgres is back. Runs until cancelled."""
        pause = FIRST_PAUSE
        while True:
            await self._waiting.wait()
            try:
                await self._replay()
                pause = FIRST_PAUSE
            except DatabaseAway:
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, pause * 2)

    async def _keep(self, records: Sequence[Record], write: _Write) -> Stored:
        if self.away:
            async with self._door:
                pass  # the last of the journal is on its way: wait a moment, then go straight
        if not self.away:
            try:
                await within(self.patience, write(records))
            except DatabaseAway as error:
                if not self.away:
                    self.away = True
                    log.warning("database_away", why=str(error))
            else:
                metrics.LEDGER_ROWS.labels(Stored.DATABASE).inc(len(records))
                return Stored.DATABASE
        try:
            await self._journal.append(records)
        finally:
            self._waiting.set()
        metrics.LEDGER_ROWS.labels(Stored.JOURNAL).inc(len(records))
        return Stored.JOURNAL

    async def _replay(self) -> None:
        """Write all that waits in the journal, oldest first; then newer rows go straight to Postgres again."""
        began = asyncio.get_running_loop().time()
        rows = 0
        while self._journal.size > LAST_BYTES and (file := await self._journal.oldest()):
            rows += await self._replay_file(file, REPLAY_SECONDS)
        async with self._door:
            while file := await self._journal.oldest():
                rows += await self._replay_file(file, self.patience)
            self._waiting.clear()
            self.away = False
        seconds = asyncio.get_running_loop().time() - began
        metrics.JOURNAL_REPLAY_SECONDS.observe(seconds)
        log.info("journal_replayed", rows=rows, seconds=round(seconds, 3))

    async def _replay_file(self, file: Path, seconds: float) -> int:
        waiting = read(file)
        rows = 0
        while records := list(islice(waiting, REPLAY_ROWS)):
            await within(seconds, self._write_what_can_be(records))
            rows += len(records)
        await self._journal.remove(file)
        return rows

    async def _write(self, records: Sequence[Record]) -> None:
        rows: dict[str, list[Row]] = {}
        for table, row in records:
            rows.setdefault(table, []).append(row)
        async with self._engine.begin() as connection:
            for table, write in self._writers.items():
                if table in rows:
                    await write(connection, rows[table])

    async def _write_what_can_be(self, records: Sequence[Record]) -> None:
        try:
            await self._write(records)
        except DBAPIError as error:
            if is_absence(error):
                raise
            for record in records:
                await self._write_or_refuse(record)

    async def _write_or_refuse(self, record: Record) -> None:
        try:
            await self._write([record])
        except DBAPIError as error:
            if is_absence(error):
                raise
            # Kept for people to look at: a row that is wrong once is wrong at every try.
            self._journal.put_aside(record)
            metrics.LEDGER_REFUSED_ROWS.inc()
            log.critical("row_refused", table=record.table, why=type(error.orig).__name__)
