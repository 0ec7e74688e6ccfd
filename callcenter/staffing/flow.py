"""The roster's rules, and what a day needs. Pure: the calendar, the history and the shifts are given."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from math import ceil
from random import Random
from statistics import stdev
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from agents.arrivals import Citizens, callers
from agents.erlang import erlang_a, seats_needed
from agents.forecast import SLOT_MINUTES, SLOTS, Day, Kind, forecast, rest_of_day
from agents.guard import GUARD, Deadline
from agents.house import Drawn, Ways, Worker, run
from agents.queues import POOL
from agents.service_level import Outcome, Tally
from agents.skills import Level

#: The shares answered within 15 s for which seats are told.
GOALS: Final = (0.80, 0.90, 0.95)
SLOT: Final = timedelta(minutes=SLOT_MINUTES)
LONGEST_SHIFT: Final = timedelta(hours=16)
DAY: Final = timedelta(days=1)


class Shift(NamedTuple):
    """A person's time on duty (班次). `queue`: only for this one; None: for the pool."""

    login: str
    starts_at: datetime
    ends_at: datetime
    queue: str | None = None


class Gap(NamedTuple):
    """A time in which nobody on duty serves these queues (空班); when they are all of them, nobody is there."""

    start: datetime
    end: datetime
    queues: tuple[str, ...]


class Handling(NamedTuple):
    """Mean seconds of talk and wrap-up (平均处理时长), over so many `calls`; 0 calls: plan values."""

    talk: float
    wrap_up: float
    calls: int

    @property
    def seconds(self) -> float:
        return self.talk + self.wrap_up


#: What is planned with until there are calls enough to measure (Changzhou 2021; domain.md K08).
PLANNED: Final = Handling(150.0, 60.0, 0)
ENOUGH_CALLS: Final = 50


def kind_of(day: date, off: Collection[date], made_up: Collection[date]) -> Kind:
    """What a day is, by the State Council's notices: days off (weekends may be among them), and weekends worked."""
    if day in made_up:
        return Kind.MAKEUP
    if day in off:
        return Kind.HOLIDAY
    if day.weekday() > 4:
        return Kind.REST
    before = day - DAY
    return Kind.AFTER if before in off and before not in made_up else Kind.WORKDAY


def slots_of(day: date, zone: ZoneInfo) -> list[datetime]:
    """When each slot of a day begins, in UTC."""
    midnight = datetime.combine(day, time(), zone)
    return [(midnight + n * SLOT).astimezone(UTC) for n in range(SLOTS)]


def shift_of(login: str, day: date, start: str, end: str, queue: str | None, zone: ZoneInfo) -> Shift:
    """The shift that begins on `day` at `start`, both as HH:MM; an `end` not after it is on the next day."""
    begin, finish = (datetime.combine(day, time.fromisoformat(clock)) for clock in (start, end))
    if finish <= begin:
        finish += DAY
    return Shift(login, begin.replace(tzinfo=zone).astimezone(UTC), finish.replace(tzinfo=zone).astimezone(UTC), queue)


def gaps(shifts: Collection[Shift], start: datetime, end: datetime, serves: Mapping[str, Collection[str]]) -> list[Gap]:
    """Every time from `start` to `end` in which a queue has no human seat (domain.md R7).

    `serves`: the queues that each person serves, at whatever level: the last one there is rung at once (agents/skills).
    """
    alone = {
        queue: _uncovered(
            [each for each in shifts if each.queue in {None, queue} and queue in serves.get(each.login, ())], start, end
        )
        for queue in POOL
    }
    moments = sorted({at for spans in alone.values() for span in spans for at in span})
    found = []
    for begin, finish in pairwise(moments):
        if queues := tuple(queue for queue, spans in alone.items() if any(a <= begin < b for a, b in spans)):
            found.append(Gap(begin, finish, queues))
    return found


def _uncovered(shifts: Iterable[Shift], start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    found, covered = [], start
    for shift in sorted(shifts, key=lambda each: each.starts_at):
        if shift.starts_at >= end:
            break
        if shift.starts_at > covered:
            found.append((covered, shift.starts_at))
        covered = max(covered, shift.ends_at)
    if covered < end:
        found.append((covered, end))
    return found


def clash(shifts: Iterable[Shift]) -> Shift | None:
    """A shift that begins while its person is still on another one, or is too long; None when all is well."""
    last: dict[str, datetime] = {}
    for shift in sorted(shifts, key=lambda each: (each.starts_at, each.ends_at)):
        if shift.ends_at - shift.starts_at > LONGEST_SHIFT or shift.starts_at < last.get(shift.login, shift.starts_at):
            return shift
        last[shift.login] = shift.ends_at
    return None


def on_duty(shifts: Sequence[Shift], slots: Sequence[datetime]) -> list[int]:
    """How many people are on duty in each slot: the fewest at any moment of it."""
    return [_fewest(shifts, slot, slot + SLOT) for slot in slots]


def _fewest(shifts: Sequence[Shift], start: datetime, end: datetime) -> int:
    here = [each for each in shifts if each.starts_at < end and each.ends_at > start]
    moments = {start, *(each.ends_at for each in here if each.ends_at < end)}
    return min(sum(each.starts_at <= at < each.ends_at for each in here) for at in moments)


class Plan(NamedTuple):
    """What a day is expected to bring. `anew`: the rest of a day that has begun, in the light of what came."""

    kind: Kind
    expected: list[float] | None
    anew: list[float] | None


def plan(
    history: Mapping[date, Sequence[float]],
    kinds: Mapping[date, Kind],
    day: date,
    arrived: Sequence[float] = (),
) -> Plan:
    """The forecast of a day.

    Args:
        history: calls in each slot of whole days; those from `day` on are not looked at.
        kinds: what the days of the history, and `day`, are.
        arrived: for today, calls in the slots that are over.
    """
    days = [Day(each, kinds[each], tuple(calls)) for each, calls in history.items() if each < day]
    expected = forecast(days, day, kinds[day])
    anew = None if expected is None or not arrived else rest_of_day(expected, arrived)
    return Plan(kinds[day], expected, anew)


def needs(calls: float, handling: float) -> tuple[int, ...]:
    """Seats needed in a slot with so many calls for each of `GOALS`: by Erlang C, and never nobody (domain.md R7)."""
    return _needs(round(calls, 1), round(handling))


class Tried(NamedTuple):
    """What came of a trial: shares of all offered calls; `wait_p95`: nineteen of twenty answered waited no longer.

    `margin`: of `in_time`, half of its 95 % interval, by the tenths of the trial.
    """

    in_time: float
    margin: float
    abandoned: float
    called_back: float
    wait_p95: float | None


class WhatIf(NamedTuple):
    """The same `calls` callers met without the guard and with it."""

    calls: int
    without: Tried
    guarded: Tried


def what_if(an_hour: float, agents: int, patience: float, handling: Handling) -> WhatIf:
    """So many calls an hour and people who serve all of them (如果…会怎样): the rules of agents/, in seconds.

    Args:
        patience: mean seconds until a waiting caller hangs up.

    How many callers are drawn depends on how long they wait, so that it takes a second or so.
    """
    citizens = Citizens(talk=max(1.0, handling.talk), wrap_up=handling.wrap_up, patience=patience)
    waits = erlang_a(an_hour, citizens.handling, agents, patience=patience).mean_wait
    begin = 5 * citizens.handling
    end = begin + _WORK / (_EACH + waits + agents * _A_SEAT) * 3600 / an_hour
    chance = Random(1)  # noqa: S311 (no secret)
    drawn = [
        Drawn(caller, "all", "all", asks=chance.random() < _ASKS, reached=(True,))
        for caller in callers([an_hour * end / 3600], end, citizens, chance)
    ]
    people = [Worker({"all": Level.FIRST})] * agents
    without, guarded = (_tried(drawn, people, guard, begin) for guard in ((), GUARD))
    return WhatIf(sum(each.caller.at >= begin for each in drawn), without, guarded)


#: Looks of callers in a trial, and those of a caller who does not wait.
_WORK: Final = 100_000
_EACH: Final = 6
_A_SEAT: Final = 0.1  # looking at a seat, beside looking at all
_TENTHS: Final = 10
_TWO_SIDED: Final = 2.26  # Student's t of nine degrees of freedom, 95 %
#: Share of those to whom a callback is offered that take it: a plan value.
_ASKS: Final = 0.2


def _tried(drawn: Sequence[Drawn], people: Sequence[Worker], guard: tuple[Deadline, ...], since: float) -> Tried:
    trial = run(drawn, people, Ways(guard=guard), Random(1), since=since)  # noqa: S311 (no secret)
    ended = sorted((each for _, each in trial.ended), key=lambda each: each.at)
    tenth = ceil(len(ended) / _TENTHS) or 1
    tallies = []
    for n in range(0, len(ended), tenth):
        tallies.append(part := Tally())
        for each in ended[n : n + tenth]:
            wait = round(1000 * each.waited) if each.outcome is Outcome.ANSWERED else None
            part.add(each.outcome, wait, wait)
    tally = Tally()
    for part in tallies:
        tally += part
    shares = [part.service_level or 0.0 for part in tallies]
    waits = sorted(each.waited for each in ended if each.outcome is Outcome.ANSWERED)
    offered = max(1, tally.offered)
    return Tried(
        tally.in_time / offered,
        _TWO_SIDED * stdev(shares) / len(shares) ** 0.5 if len(shares) > 1 else 1.0,
        (tally.abandoned + tally.other) / offered,
        tally.callback / offered,
        waits[ceil(0.95 * len(waits)) - 1] if waits else None,
    )


@lru_cache(maxsize=20_000)
def _needs(calls: float, handling: int) -> tuple[int, ...]:
    an_hour = calls * 60 / SLOT_MINUTES
    return tuple(max(1, seats_needed(an_hour, max(1, handling), share)) for share in GOALS)
