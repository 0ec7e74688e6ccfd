"""Follows Asterisk's files and brings the ledger what the live path has lost (可靠路径)."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter import metrics
from callcenter.asterisk.facts import Reader
from callcenter.asterisk.files import Offset, SureFiles
from callcenter.calls.sure import commit_sure, load_offsets
from callcenter.floor.model import Call
from callcenter.store.engine import DatabaseAway

LOOK_EVERY: Final = 2.0
RETRY_EVERY: Final = 3.0
CALLS_AT_ONCE: Final = 500

log = structlog.get_logger()


class SurePath:
    """One node's files, read as they grow; their calls committed together with how far they were read."""

    def __init__(
        self,
        engine: AsyncEngine,
        log_folder: Path,
        reader: Reader,
        *,
        number_key: bytes,
        repaired: Callable[[], None],
        told: Callable[[Sequence[Call]], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._log_folder = log_folder
        self._reader = reader
        self._number_key = number_key
        self._repaired = repaired
        self._told = told
        self._files: SureFiles | None = None
        self._reading = asyncio.Lock()
        self._ended: deque[Call] = deque()
        self._offsets: list[Offset] = []
        self._committed: list[Offset] = []

    @property
    def committed(self) -> Sequence[Offset]:
        """Up to where the ledger has what the files tell; empty until that is known."""
        return self._committed

    async def known(self) -> Mapping[str, Call]:
        """The calls as the files know them at this moment: open ones, and those that ended lately."""
        return (await self._read()).known

    async def run(self) -> None:
        """Follow the files, for ever."""
        while True:
            await self._read()
            try:
                await self._commit()
                await asyncio.sleep(LOOK_EVERY)
            except DatabaseAway as error:
                log.warning("sure_path_waits", why=str(error))
                await asyncio.sleep(RETRY_EVERY)

    async def _read(self) -> SureFiles:
        async with self._reading:
            if self._files is None:
                self._files = SureFiles(self._log_folder, self._reader, await self._start())
            read = await asyncio.to_thread(self._files.read)
            self._ended.extend(read.ended)
            self._offsets = read.offsets
            return self._files

    async def _start(self) -> list[Offset]:
        """Where the ledger last stood. Without Postgres everything is read again: writing twice is writing once."""
        try:
            return await load_offsets(self._engine, self._reader.node)
        except DatabaseAway as error:
            log.warning("sure_path_from_the_beginning", why=str(error))
            return []

    async def _commit(self) -> None:
        while self._ended or self._offsets != self._committed:
            batch, offsets = list(islice(self._ended, CALLS_AT_ONCE)), self._offsets
            last = len(batch) == len(self._ended)
            if batch:
                await self._told(batch)
            # Offsets only with the last of the calls that they stand for.
            await commit_sure(
                self._engine,
                batch,
                offsets if last else [],
                node=self._reader.node,
                number_key=self._number_key,
            )
            for _ in batch:
                self._ended.popleft()
            if last:
                self._committed = offsets
            metrics.SURE_CALLS.inc(len(batch))
            if batch:
                self._repaired()
