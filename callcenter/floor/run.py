"""The one loop of the floor: line -> step and tick -> sinks."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final, cast

import structlog

from callcenter import metrics
from callcenter.asterisk.facts import Arrived, Fact, HungUp, NotAFact
from callcenter.asterisk.frames import Forged
from callcenter.asterisk.link import Line, LineAway, LineState, Resync
from callcenter.clock import now
from callcenter.floor.changes import Change, Corrected
from callcenter.floor.model import Call, Floor
from callcenter.floor.resync import reconcile
from callcenter.floor.step import next_tick, step, tick

log = structlog.get_logger()

Sink = Callable[[Sequence[Change]], None]

#: How often the floor is compared with Asterisk while all is well.
AUDIT_EVERY: Final = 60.0
#: Asterisk tells of one moment in several events, each written by itself: this long they are gathered, so that what
#: they change is told once. It saves a fifth of the work, and is a sixth of what a screen-pop may take.
GATHER: Final = 0.005
#: Whatever is due by time is due a second or more after the event that made it so.
LOOK_AHEAD: Final = 0.5


class Runner:
    """Feeds one floor from one line and tells the sinks. Sinks never wait.

    Args:
        sure: asked after each reconnect for the calls as Asterisk's files know them.
    """

    def __init__(self, line: Line, floor: Floor, sure: Callable[[], Awaitable[Mapping[str, Call]]]) -> None:
        self._line = line
        self.floor = floor
        self._sure = sure
        self.sinks: list[tuple[str, Sink]] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """Take in what the line brings, for ever."""
        for name, _ in self.sinks:
            metrics.SINK_ERRORS.labels(name)  # shown as 0, so that the first failure is an increase
        batches = self._line.batches
        while True:
            waiting = [await batches.get()]
            await asyncio.sleep(GATHER)
            while not batches.empty():
                waiting.append(batches.get_nowait())
            for resync, group in groupby(waiting, lambda batch: isinstance(batch, Resync)):
                if resync:
                    for batch in group:
                        await self._resync(cast(Resync, batch))
                else:
                    self._take([frame for frames in group for frame in cast(list[bytes], frames)])
            self._look_ahead_soon()

    async def audit(self) -> None:
        """Compare the floor with Asterisk now and then; a difference is corrected and counted (drift)."""
        while True:
            await asyncio.sleep(AUDIT_EVERY)
            if self._line.state is LineState.LIVE:
                try:
                    await self._line.resync()
                except LineAway as error:
                    log.warning("audit_failed", why=str(error))

    def tell(self, fact: Fact) -> None:
        """Take in a fact of our own making."""
        self._publish(step(self.floor, fact))
        self._look_ahead_soon()

    def facts(self, frames: Sequence[bytes]) -> list[Fact]:
        """The facts in these frames; what is forged or broken is counted and dropped."""
        found = []
        for frame in frames:
            event = self._line.authentic.event(frame)
            if event is None:
                if not frame.startswith(b"Event: FullyBooted\r\n"):
                    self._forged()
                continue
            try:
                fact = self._line.reader.fact(event)
            except Forged:
                self._forged()
                continue
            except NotAFact as error:
                metrics.AMI_BROKEN.inc()
                log.warning("event_unread", error=str(error))
                continue
            if isinstance(fact, Arrived) and fact.forging:
                # The filters in Asterisk have kept its frames from us; the try is told all the same.
                self._forged()
            if fact is not None:
                found.append(fact)
        metrics.AMI_FRAMES.inc(len(frames))
        return found

    def _take(self, frames: Sequence[bytes]) -> None:
        found = self.facts(frames)
        self._line.taken(len(frames))
        changes = [change for fact in found for change in step(self.floor, fact)]
        if found:
            metrics.EVENT_LAG.observe(max(0.0, (now() - found[-1].at).total_seconds()))
        self._publish(changes)

    async def _resync(self, batch: Resync) -> None:
        sure = await self._sure()
        heard = self.facts(batch.heard)
        ending = {fact.call for fact in heard if isinstance(fact, HungUp) and fact.call}
        changes = list(reconcile(self.floor, batch.snapshot, sure, ending))
        for fact in heard:
            changes += step(self.floor, fact)
        self._line.taken(len(batch.heard))
        corrected = sum(isinstance(change, Corrected) for change in changes)
        if corrected and self.synced.is_set():
            log.warning("floor_corrected", things=corrected)
            metrics.CORRECTIONS.inc(corrected)
        self.synced.set()
        self._publish(changes)

    def _publish(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        for name, sink in self.sinks:
            try:
                sink(changes)
            except Exception:
                metrics.SINK_ERRORS.labels(name).inc()
                log.exception("sink_failed", sink=name)

    def _look_ahead_soon(self) -> None:
        """See in a moment when time has something to do. Under many events this is done once for all of them."""
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(LOOK_AHEAD, self._look_ahead)

    def _look_ahead(self) -> None:
        self._look = None
        if self._alarm is not None:
            self._alarm.cancel()
        due = next_tick(self.floor)
        if due is not None:
            self._alarm = asyncio.get_running_loop().call_later(max(0.0, _seconds(due)), self._ring)

    def _ring(self) -> None:
        self._publish(tick(self.floor, now()))
        self._look_ahead()

    def _forged(self) -> None:
        metrics.AMI_FORGED.inc()
        log.warning("frame_forged")


def _seconds(due: datetime) -> float:
    # A hair later, so that the clock has really passed it.
    return (due - now()).total_seconds() + 0.001
