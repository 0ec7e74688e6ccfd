"""The sealer (封存): chains what was audited a moment ago, and tells the chain's end outside the database once a day.

Chaining where the row is written would make all who write wait for each other until each has committed; so a row waits
in a table of its own until the sealer puts it into the chain, a second later at most. It holds a lock in Postgres while
it does, so several services keep one chain. What a superuser changes within that second is not found out.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter import metrics
from callcenter.audit import queries
from callcenter.audit.flow import Head
from callcenter.clock import iso, now
from callcenter.store.engine import DatabaseAway, within

EVERY: Final = 1.0
AT_ONCE: Final = 2_000
SECONDS: Final = 30.0
#: Below home: a line of JSON for each day with the chain's end. Copy it to where the database's masters cannot write.
HEADS: Final = "audit-heads.jsonl"

log = structlog.get_logger()


def told_heads(file: Path) -> Iterator[tuple[str, Head]]:
    """Day and head of every line of the file. Raises ValueError for a line that is none."""
    if file.exists():
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            yield row["day"], Head(int(row["n"]), bytes.fromhex(row["hash"]))


class Sealer:
    """Chains rows of the audit for ever. `file` gets the chain's end of each day, in the city's time zone."""

    def __init__(self, engine: AsyncEngine, file: Path, zone: ZoneInfo) -> None:
        self._engine = engine
        self._file = file
        self._zone = zone
        self._day = ""
        self._seen: Head | None = None

    async def run(self) -> None:
        """Seal whatever waits, once a second."""
        if told := await asyncio.to_thread(list, told_heads(self._file)):
            self._day, self._seen = told[-1]
        metrics.AUDIT_BROKEN.set(0)
        while True:
            try:
                while await self.seal() == AT_ONCE:
                    pass
            except DatabaseAway:
                log.warning("audit_not_sealed")
            await asyncio.sleep(EVERY)

    async def seal(self) -> int:
        """Chain what waits, AT_ONCE rows at most; how many there were. Raises DatabaseAway."""
        sealed, head, whole = await within(SECONDS, self._seal())
        if not whole:
            metrics.AUDIT_BROKEN.set(1)
            log.critical("audit_chain_broken", n=self._seen.n if self._seen else 0)
        self._seen = head
        metrics.AUDIT_CHAINED.set(head.n)
        day = f"{now().astimezone(self._zone):%Y-%m-%d}"
        if head.n and day != self._day:
            await asyncio.to_thread(self._tell, day, head, now())
            self._day = day
        return sealed

    async def _seal(self) -> tuple[int, Head, bool]:
        async with self._engine.begin() as connection:
            whole = self._seen is None or await queries.goes_through(connection, self._seen)
            sealed, head = await queries.seal(connection, AT_ONCE)
            metrics.AUDIT_WAITING.set(await queries.unsealed(connection) if sealed == AT_ONCE else 0)
            return sealed, head, whole

    def _tell(self, day: str, head: Head, at: datetime) -> None:
        line = json.dumps({"day": day, "n": head.n, "hash": head.hash.hex(), "at": iso(at)})
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as file:
            file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())
        log.info("audit_head", day=day, n=head.n, hash=head.hash.hex())
