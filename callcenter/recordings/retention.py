"""What becomes of recordings later: was it whole, until when is it kept, and its deletion with proof (留存与销毁)."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter import metrics
from callcenter.clock import now
from callcenter.recordings import queries
from callcenter.recordings.archive import Archive
from callcenter.recordings.flow import Gap, Rule, gap_of, is_open, keep_until, rule_for
from callcenter.recordings.vault import Vault
from callcenter.store.engine import DatabaseAway, within

EVERY: Final = 5.0
SECONDS: Final = 20.0
AT_ONCE: Final = 200
#: So long after the end of a call its recording must have come, unless the archive is behind.
MISSING_AFTER: Final = timedelta(seconds=30)
MISSING_LOOK_BACK: Final = timedelta(days=7)
#: An order that is still open is asked again after this time.
ASK_AGAIN: Final = timedelta(days=1)

log = structlog.get_logger()


class Retention:
    """One per service; `run` keeps at it. Two of them do no harm to each other."""

    def __init__(self, engine: AsyncEngine, vault: Vault, archive: Archive, days: Mapping[Rule, int]) -> None:
        self._engine = engine
        self._vault = vault
        self._archive = archive
        self._days = days
        for gap in Gap:
            metrics.RECORDING_GAPS.labels(gap)

    async def run(self) -> None:
        """Look again and again, for ever."""
        applied = False
        while True:
            try:
                if not applied:
                    await within(SECONDS, self._apply_days())
                    applied = True
                await within(SECONDS, self.judge(now()))
                while await within(SECONDS, self.sweep(now())) == AT_ONCE:
                    pass
            except DatabaseAway as error:
                log.warning("retention_waits", why=str(error))
            await asyncio.sleep(EVERY)

    async def judge(self, at: datetime) -> None:
        """Find answered calls without a recording, and say of each new recording whether it is whole."""
        async with self._engine.begin() as connection:
            if not self._archive.behind:
                await queries.add_missing(connection, ended=(at - MISSING_LOOK_BACK, at - MISSING_AFTER))
            found = await queries.find_unjudged(connection, AT_ONCE)
            orders = await queries.orders_of(connection, [row["call_id"] for row in found])
            gaps = []
            for row in found:
                expected_ms = int(row["expected_ms"] or 0)
                gap = gap_of(expected_ms=expected_ms, length_ms=row["length_ms"]) if row["answered_at"] else None
                rule = rule_for(heard=row["answered_at"] is not None, orders=orders[row["call_id"]])
                verdict = {
                    "recorded_at": row["recorded_at"],
                    "gap": gap.value if gap else None,
                    "gap_ms": max(0, expected_ms - row["length_ms"]) if gap else 0,
                    "rule": rule.value,
                    # Where there is no sound there is nothing to delete.
                    "keep_until": keep_until(row["recorded_at"], rule, self._days) if row["length_ms"] else None,
                }
                await queries.judge(connection, row["call_id"], verdict)
                if gap:
                    gaps.append((row["call_id"], gap))
        for call_id, gap in gaps:
            metrics.RECORDING_GAPS.labels(gap).inc()
            log.error("recording_gap", call=call_id, gap=gap.value)

    async def sweep(self, at: datetime) -> int:
        """Delete what is due, a number at a time, each with its proof; how many were looked at."""
        async with self._engine.begin() as connection:
            due = await queries.take_due(connection, at, AT_ONCE)
            orders = await queries.orders_of(connection, [row["call_id"] for row in due])
            for row in due:
                call_id = row["call_id"]
                rule = rule_for(heard=row["answered_at"] is not None, orders=orders[call_id])
                until = keep_until(row["recorded_at"], rule, self._days)
                if until > at or is_open(orders[call_id]):
                    later = {"rule": rule.value, "keep_until": max(until, at + ASK_AGAIN)}
                    await queries.judge(connection, call_id, later)
                    continue
                # First the file: a proof is never written of what is still there.
                await asyncio.to_thread(self._vault.remove, call_id)
                await queries.prove_deleted(connection, row, rule, self._days[rule], at)
                metrics.RECORDINGS_DELETED.labels(rule).inc()
                log.info("recording_deleted", call=call_id, rule=rule.value)
        return len(due)

    async def _apply_days(self) -> None:
        async with self._engine.begin() as connection:
            await queries.apply_days(connection, self._days)
