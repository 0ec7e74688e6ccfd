"""The watch (值守): looks at the floor once a second by the rules, and tells what has turned.

It lives beside the floor and waits for nothing of it: what is to be written waits in memory until Postgres takes it.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from aiohttp import web
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from agents.alarms import KINDS, Figures, Kind, Rule, Severity, Standing, Turn, judge
from agents.seats import SeatState
from callcenter import metrics
from callcenter.alarms import queries
from callcenter.asterisk.link import Line, LineState
from callcenter.clock import iso, now
from callcenter.floor.count import WAITING
from callcenter.floor.model import Floor
from callcenter.floor.view import call_state
from callcenter.reports.tally import Book
from callcenter.store.engine import DatabaseAway, within

EVERY: Final = 1.0
FAILURES_REMEMBERED: Final = timedelta(minutes=5)
PATIENCE: Final = 5.0
MOST_UNWRITTEN: Final = 10_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm, from when it was raised. No caller is in it."""

    id: UUID
    rule: str
    kind: Kind
    severity: Severity
    value: float
    threshold: float
    raised_at: datetime
    cleared_at: datetime | None = None
    acked_by: str | None = None
    acked_at: datetime | None = None


class Watch:
    """The rules, how they stand, and the alarms that are raised.

    Args:
        tell: told the rows of all raised alarms whenever one turns.
        urls: where each turn is told by webhook.
        recording: how many recordings failed lately; None when nobody knows.
        notices: how many notices of orders were given up lately; None when nobody knows.
    """

    def __init__(
        self,
        floor: Floor,
        line: Line,
        book: Book,
        tell: Callable[[list[dict[str, Any]]], None],
        *,
        urls: Sequence[str] = (),
        recording: Callable[[datetime], float | None] = lambda _: None,
        notices: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._floor, self._line, self._book = floor, line, book
        self._tell = tell
        self._urls = urls
        self._recording, self._notices = recording, notices
        self._rules: dict[str, Rule] | None = None  # None: not read yet
        self._standing: dict[str, Standing] = {}
        self.raised: dict[str, Alarm] = {}  # by the rule's code
        self._unwritten: deque[tuple[Alarm, str]] = deque(maxlen=MOST_UNWRITTEN)
        self._changed = asyncio.Event()

    async def run(self, engine: AsyncEngine) -> None:
        """Look for ever."""
        while True:
            await self.read(engine)
            if self._rules is not None:
                self.look(now())
            await asyncio.sleep(EVERY)

    async def write(self, engine: AsyncEngine) -> None:
        """Write what has turned, for ever, oldest first."""
        while True:
            await self._changed.wait()
            while self._unwritten:
                alarm, event = self._unwritten[0]
                try:
                    await within(PATIENCE, self._write(engine, alarm, event))
                except DatabaseAway as error:
                    log.warning("alarm_not_written", why=str(error))
                    await asyncio.sleep(2 * EVERY)
                else:
                    self._unwritten.popleft()
            self._changed.clear()

    async def read(self, engine: AsyncEngine) -> None:
        """Read the rules, and the first time the alarms that were raised when we stopped."""
        try:
            rules, found = await within(PATIENCE, _read(engine, alarms_too=self._rules is None))
        except DatabaseAway:
            return
        if self._rules is None:
            for row in found:
                alarm = self.raised[row.rule] = _alarm(row)
                self._standing[row.rule] = Standing(alarm.raised_at, alarm.raised_at)
            self._show()
        self._rules = {rule.code: rule for rule in rules}

    def look(self, at: datetime) -> None:
        """Judge by the rules what is true now."""
        rules = self._rules or {}
        before = self.raised.keys() - rules.keys()
        self._standing, turns = judge(list(rules.values()), self._standing, self.figures(at), at)
        for turn in turns:
            if turn.raised:
                self._raise(rules[turn.rule], turn)
            elif alarm := self.raised.pop(turn.rule, None):
                self._note(_changed(alarm, cleared_at=turn.at), "cleared")
        if turns or before:
            self._show()

    def figures(self, at: datetime) -> Figures:
        """What is true now; the floor only while the line lives."""
        stale = 0.0 if self._line.state is LineState.LIVE else (at - self._line.since).total_seconds()
        windows = {rule.window: self._book.last(rule.window, at) for rule in (self._rules or {}).values()}
        if stale:
            return Figures(link=stale, recording=self._recording(at), notices=self._notices(), windows=windows)
        waiting = [call.queued_at or at for call in self._floor.calls.values() if call_state(call) in WAITING]
        return Figures(
            waiting=len(waiting),
            longest_wait=(at - min(waiting)).total_seconds() if waiting else 0.0,
            ready=sum(seat.state is SeatState.READY for seat in self._floor.seats.values()),
            link=0.0,
            recording=self._recording(at),
            notices=self._notices(),
            windows=windows,
        )

    def acknowledge(self, key: UUID, login: str, at: datetime) -> Alarm | None:
        """Someone has seen it, the first counts; None when it is not raised."""
        alarm = next((alarm for alarm in self.raised.values() if alarm.id == key), None)
        if alarm is not None and alarm.acked_by is None:
            alarm = self.raised[alarm.rule] = _changed(alarm, acked_by=login, acked_at=at)
            self._note(alarm, "acknowledged")
            self._show()
        return alarm

    def rows(self) -> list[dict[str, Any]]:
        """All raised alarms, worst and newest first."""
        alarms = sorted(self.raised.values(), key=lambda alarm: alarm.raised_at, reverse=True)
        return [row(alarm) for alarm in sorted(alarms, key=lambda alarm: alarm.severity != "critical")]

    def _raise(self, rule: Rule, turn: Turn) -> None:
        value = turn.value if turn.value is not None else rule.raise_at
        alarm = Alarm(uuid4(), rule.code, rule.kind, rule.severity, value, rule.raise_at, turn.at)
        self.raised[rule.code] = alarm
        self._note(alarm, "raised")

    def _note(self, alarm: Alarm, event: str) -> None:
        log.warning("alarm", rule=alarm.rule, what=event, value=alarm.value)
        self._unwritten.append((alarm, event))
        self._changed.set()

    def _show(self) -> None:
        self._tell(self.rows())

    async def _write(self, engine: AsyncEngine, alarm: Alarm, event: str) -> None:
        async with engine.begin() as connection:
            await queries.keep(connection, asdict(alarm))
            body = json.dumps(told(alarm, event, self._floor.node), ensure_ascii=False)
            await queries.post(connection, self._urls, alarm.id, event, body)


def told(alarm: Alarm, event: str, node: str) -> dict[str, Any]:
    """What a webhook is told: figures only, nobody's number or name but that of who acknowledged."""
    about = KINDS[alarm.kind]
    return {"event": event, "node": node, **row(alarm), "zh": about.zh, "en": about.en}


def row(alarm: Alarm) -> dict[str, Any]:
    """An alarm as it is sent."""
    plain = asdict(alarm)
    moments = {name: iso(plain[name]) for name in ("raised_at", "cleared_at", "acked_at")}
    return {**plain, "id": str(alarm.id), "kind": alarm.kind.value, **moments}


def rule_of(found: Row[Any]) -> Rule:
    """A row of `alarm_rules` as the rule that it is."""
    hold = timedelta(seconds=found.hold_seconds)
    limits = found.raise_at, found.clear_at
    return Rule(found.code, Kind(found.kind), *limits, hold, found.severity, found.window_minutes, found.least_calls)


async def _read(engine: AsyncEngine, *, alarms_too: bool) -> tuple[list[Rule], Sequence[Row[Any]]]:
    async with engine.connect() as connection:
        rules = [rule_of(found) for found in await queries.rules(connection) if found.active]
        return rules, await queries.open_alarms(connection) if alarms_too else ()


def _alarm(found: Row[Any]) -> Alarm:
    return Alarm(
        found.id,
        found.rule,
        Kind(found.kind),
        found.severity,
        found.value,
        found.threshold,
        found.raised_at,
        acked_by=found.acked_by,
        acked_at=found.acked_at,
    )


def _changed(alarm: Alarm, **what: Any) -> Alarm:
    return Alarm(**(asdict(alarm) | what))


class Failures:
    """How many recordings failed in the last minutes: not sealed, or missing when they should be there (录音失败)."""

    def __init__(self) -> None:
        self._seen: deque[tuple[datetime, float]] = deque()

    def __call__(self, at: datetime) -> float:
        counted = sum(
            sample.value
            for counter in (metrics.RECORDING_FAILURES, metrics.RECORDING_GAPS)
            for family in counter.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        )
        self._seen.append((at, counted))
        while self._seen[0][0] < at - FAILURES_REMEMBERED:
            self._seen.popleft()
        return counted - self._seen[0][1]


WATCH: Final = web.AppKey("WATCH", Watch)
