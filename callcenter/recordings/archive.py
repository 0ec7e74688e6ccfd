"""Takes what Asterisk has recorded into the vault (归档): seals finished tracks, then deletes the clear text.

A sink, so that it knows which calls a person answered; the work goes on beside it. In this order: seal, row, delete. A
crash in between leaves the tracks where they are, and they are taken again; writing twice is writing once.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from callcenter import metrics
from callcenter.calls.journal import JournalRefused
from callcenter.calls.ledger import Ledger
from callcenter.calls.rows import Record
from callcenter.floor.changes import CallEnded, Change
from callcenter.floor.model import Call, Floor
from callcenter.recordings import tracks
from callcenter.recordings.tracks import Tracks
from callcenter.recordings.vault import Sealed, Vault

LOOK_EVERY: Final = 2.0
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 30.0
REMEMBERED_CALLS: Final = 1_000
_NAME: Final = re.compile(r"[0-9]{1,12}\.[0-9]{1,10}")
_MS: Final = timedelta(milliseconds=1)

log = structlog.get_logger()


class Archive:
    """Call it with changes; let `run` go on beside it.

    Args:
        folder: where Asterisk writes its tracks.
    """

    def __init__(self, ledger: Ledger, floor: Floor, vault: Vault, folder: Path) -> None:
        self._ledger = ledger
        self._floor = floor
        self._vault = vault
        self._folder = folder
        self._over: dict[str, tuple[datetime, bool]] = {}  # call -> recorded since when, and whether a person answered
        self.behind = False  # a track could not be taken: what is missing may yet come
        for result in ("stored", "unheard"):
            metrics.RECORDINGS.labels(result)

    def __call__(self, changes: Sequence[Change]) -> None:
        """Take note, and wait for nothing."""
        for change in changes:
            if isinstance(change, CallEnded) and change.call.recorded_at is not None:
                self._over[change.call.id] = change.call.recorded_at, change.call.answered_at is not None
                if len(self._over) > REMEMBERED_CALLS:
                    del self._over[next(iter(self._over))]

    async def run(self) -> None:
        """Take what is finished, for ever."""
        pause = FIRST_PAUSE
        while True:
            if await self.look():
                pause = FIRST_PAUSE
                await asyncio.sleep(LOOK_EVERY)
            else:
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)

    async def look(self) -> bool:
        """Take every finished pair of tracks; whether all went well."""
        try:
            found = await asyncio.to_thread(tracks.finished, self._folder, time.time())
        except OSError as error:
            self._failed("", error)
            return False
        well = True
        oldest = time.time()
        for pair in found:
            if not _NAME.fullmatch(pair.name):
                log.warning("track_of_no_call", file=pair.citizen.name)
                continue
            try:
                await self._take(pair, f"{self._floor.node}-{pair.name}")
            except (OSError, ValueError, JournalRefused) as error:
                self._failed(pair.name, error)
                oldest = min(oldest, pair.written_at)
                well = False
        metrics.RECORDING_CLEAR_SECONDS.set(time.time() - oldest)
        self.behind = not well
        return well

    async def _take(self, pair: Tracks, call: str) -> None:
        written_at = pair.written_at
        since, heard = self._known(call)
        if heard is False:
            # Nobody spoke with the citizen; what was said into the music is nobody's business (PIPL: minimum).
            await asyncio.to_thread(pair.remove)
            metrics.RECORDINGS.labels("unheard").inc()
            return
        samples = pair.samples
        sealed = await asyncio.to_thread(self._seal, pair, call, samples) if samples else None
        length_ms = samples * 1000 // tracks.RATE
        row = {
            "call_id": call,
            "recorded_at": since or datetime.fromtimestamp(written_at, UTC) - length_ms * _MS,
            "stored_at": datetime.now(UTC),
            "length_ms": length_ms,
            "bytes": sealed.size if sealed else 0,
            "sha256": sealed.sha256 if sealed else None,
            "key_id": sealed.key_id if sealed else None,
        }
        await self._ledger.keep([Record("recordings", row)])
        await asyncio.to_thread(pair.remove)
        metrics.RECORDINGS.labels("stored").inc()

    def _seal(self, pair: Tracks, call: str, samples: int) -> Sealed:
        return self._vault.seal(call, tracks.stereo(pair), tracks.wave_bytes(samples))

    def _known(self, call: str) -> tuple[datetime | None, bool | None]:
        """Since when it is recorded, and whether a person answered; None for what nobody here knows."""
        live: Call | None = self._floor.calls.get(call)
        if live is not None:
            # Only a survey is left of it, or Asterisk gave up writing: it may be answered yet.
            return live.recorded_at, live.answered_at is not None or None
        return self._over.get(call, (None, None))

    def _failed(self, name: str, error: Exception) -> None:
        metrics.RECORDING_FAILURES.inc()
        log.error("recording_not_sealed", track=name, error=f"{type(error).__name__}: {error}")
