"""The figures on the wall. Counted as calls end; read from the ledger at the start, and again now and then."""

from bisect import insort
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from typing_extensions import TypedDict

from agents.service_level import (
    ANSWER_TARGET_MS,
    CONNECT_RATE_GOAL,
    CONNECT_RATE_STANDARD,
    Outcome,
    Tally,
    Window,
    worst_day,
)
from callcenter.clock import iso
from callcenter.floor.changes import CallEnded, Change

#: How far back the worst 24 hours in a row are looked for.
LOOK_BACK: Final = timedelta(days=8)
WORST_EVERY: Final = timedelta(minutes=1)
#: Ended calls of this last time are counted from memory: the ledger may not have them yet.
RECENT: Final = timedelta(seconds=30)
LAST_HOUR: Final = 60


class Ended(NamedTuple):
    """What the figures need of an ended call."""

    arrived_at: datetime
    ended_at: datetime
    service: str
    outcome: Outcome
    wait_ms: int | None
    wait_from_invite_ms: int | None


class MinuteRow(NamedTuple):
    """Calls of one service that arrived in one minute."""

    minute: int  # since the epoch
    service: str
    tally: Tally


class WorstRow(TypedDict):
    """A stretch of 24 h: the share reached in it, and when it began."""

    share: float
    start: str | None


class Worst24(TypedDict):
    service_level: WorstRow | None
    connect_rate: WorstRow | None


class Goals(TypedDict):
    service_seconds: int
    connect_rate: float
    connect_standard: float


class ServiceRow(TypedDict):
    service: str
    offered: int
    answered: int
    in_time: int


class MinuteOfHour(TypedDict):
    minute: str | None
    offered: int
    answered: int
    in_time: int
    abandoned: int


class Waits(TypedDict):
    """Milliseconds that today's answered callers waited."""

    p50: int
    p90: int
    max: int


class Figures(TypedDict):
    """All that the wallboard shows of today, the last hour and the worst 24 hours. Shares are over all offered calls.

    `since`: calls before it are not counted, because the ledger could not be read yet.
    """

    as_of: str | None
    since: str | None
    day: str
    offered: int
    answered: int
    in_time: int
    in_time_from_invite: int
    abandoned: int
    callback: int
    other: int
    service_level: float | None
    service_level_from_invite: float | None
    connect_rate: float | None
    worst24: Worst24
    goals: Goals
    services: list[ServiceRow]
    last_hour: list[MinuteOfHour]
    waits: Waits | None


@dataclass(slots=True)
class _Worst:
    at: datetime
    service_level: Window | None
    connect_rate: Window | None


@dataclass
class Book:
    """Counts of the last eight days. A sink of the floor."""

    zone: ZoneInfo
    since: datetime
    _minutes: defaultdict[int, defaultdict[str, Tally]] = field(default_factory=lambda: defaultdict(_tallies))
    _waits: list[int] = field(default_factory=list)
    _waits_day: date | None = None
    _recent: deque[Ended] = field(default_factory=deque)
    _worst: _Worst | None = None

    def __call__(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if not isinstance(change, CallEnded) or not change.call.inbound:
                continue
            call = change.call
            if call.outcome is not None and call.ended_at is not None:
                ended = Ended(
                    call.arrived_at,
                    call.ended_at,
                    call.service,
                    call.outcome,
                    call.wait_ms,
                    call.wait_from_invite_ms,
                )
                self._recent.append(ended)
                while self._recent[0].ended_at < ended.ended_at - 10 * RECENT:
                    self._recent.popleft()
                self._add(ended)

    def replace(self, rows: Sequence[MinuteRow], waits: Sequence[int], until: datetime, since: datetime) -> None:
        """Begin anew from the ledger.

        Args:
            rows: all calls that arrived since `since` and ended before `until`, by minute and service.
            waits: milliseconds waited by today's answered calls among them.
        """
        self.since, self._worst = since, None
        self._minutes.clear()
        for row in rows:
            self._minutes[row.minute][row.service] += row.tally
        self._waits, self._waits_day = sorted(waits), self._day(until)
        for ended in self._recent:
            if ended.ended_at >= until:
                self._add(ended)

    def figures(self, now: datetime) -> Figures:
        """The figures as they stand."""
        day = self._day(now)
        midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        first, last = _minute(midnight), _minute(now)
        today, services = Tally(), defaultdict[str, Tally](Tally)
        for minute in range(first, last + 1):
            for service, tally in self._minutes.get(minute, {}).items():
                services[service] += tally
                today += tally
        worst = self._worst_now(now)
        return {
            "as_of": iso(now),
            "since": iso(self.since),
            "day": day.isoformat(),
            "offered": today.offered,
            "answered": today.answered,
            "in_time": today.in_time,
            "in_time_from_invite": today.in_time_from_invite,
            "abandoned": today.abandoned,
            "callback": today.callback,
            "other": today.other,
            "service_level": today.service_level,
            "service_level_from_invite": today.in_time_from_invite / today.offered if today.offered else None,
            "connect_rate": today.connect_rate,
            "worst24": {
                "service_level": _window(worst.service_level),
                "connect_rate": _window(worst.connect_rate),
            },
            "goals": {
                "service_seconds": ANSWER_TARGET_MS // 1000,
                "connect_rate": CONNECT_RATE_GOAL,
                "connect_standard": CONNECT_RATE_STANDARD,
            },
            "services": [
                {"service": service, "offered": t.offered, "answered": t.answered, "in_time": t.in_time}
                for service, t in sorted(services.items(), key=lambda item: -item[1].offered)
            ],
            "last_hour": [self._minute_row(minute) for minute in range(last - LAST_HOUR + 1, last + 1)],
            "waits": self._wait_row(day),
        }

    def last(self, minutes: int, now: datetime) -> tuple[int, int]:
        """Calls that have ended of those that arrived in the last `minutes`: offered, and answered in time."""
        total, this = Tally(), _minute(now)
        for minute in range(this - minutes + 1, this + 1):
            total += _sum(self._minutes.get(minute, {}))
        return total.offered, total.in_time

    def _add(self, ended: Ended) -> None:
        self._minutes[_minute(ended.arrived_at)][ended.service].add(
            ended.outcome, ended.wait_ms, ended.wait_from_invite_ms
        )
        if ended.wait_ms is not None:
            day = self._day(ended.ended_at)
            if day != self._waits_day:
                self._waits, self._waits_day = [], day
            insort(self._waits, ended.wait_ms)

    def _worst_now(self, now: datetime) -> _Worst:
        # Until there is one the first call is waited for, and looking costs nothing.
        if self._worst is None or self._worst.connect_rate is None or now - self._worst.at >= WORST_EVERY:
            oldest = _minute(now - LOOK_BACK)
            for minute in [minute for minute in self._minutes if minute < oldest]:
                del self._minutes[minute]
            minutes = [(minute, _sum(services)) for minute, services in sorted(self._minutes.items())]
            first, last = minutes[0][0] if minutes else oldest, _minute(now)
            level, rate = (
                worst_day(minutes, first=first, last=last, share=share) for share in ("service_level", "connect_rate")
            )
            self._worst = _Worst(now, level, rate)
        return self._worst

    def _minute_row(self, minute: int) -> MinuteOfHour:
        tally = _sum(self._minutes.get(minute, {}))
        return {
            "minute": iso(datetime.fromtimestamp(minute * 60, UTC)),
            "offered": tally.offered,
            "answered": tally.answered,
            "in_time": tally.in_time,
            "abandoned": tally.abandoned,
        }

    def _wait_row(self, day: date) -> Waits | None:
        if not self._waits or self._waits_day != day:
            return None
        return {
            "p50": self._waits[len(self._waits) // 2],
            "p90": self._waits[len(self._waits) * 9 // 10],
            "max": self._waits[-1],
        }

    def _day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()


def _tallies() -> defaultdict[str, Tally]:
    return defaultdict(Tally)


def _sum(services: "defaultdict[str, Tally] | dict[str, Tally]") -> Tally:
    total = Tally()
    for tally in services.values():
        total += tally
    return total


def _minute(at: datetime) -> int:
    return int(at.timestamp()) // 60


def _window(window: Window | None) -> WorstRow | None:
    return (
        None
        if window is None
        else {
            "share": window.share,
            "start": iso(datetime.fromtimestamp(window.start * 60, UTC)),
        }
    )
