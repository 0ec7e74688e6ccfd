"""A house of several services in seconds: what splitting its people costs, and what the guard gives back.

The house is a file of services and people (`house.toml` is one, with its words); the rules that it meets are those of
agents/. Within a run all ways meet the same callers.
"""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from random import Random
from time import process_time
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agents.arrivals import Citizens, callers, day_profile
from agents.erlang import TARGET_SECONDS, seats_needed
from agents.guard import GUARD, Act
from agents.house import IDEAL_WAYS, Drawn, HouseTrial, Span, Ways, Worker, one_pool, run, strict_split
from agents.priority import Priority
from agents.service_level import ABANDONED, Outcome, in_time
from agents.skills import Level
from agents.trial import Ended, Rules
from callcenter.simulate.seconds import WARM_UP, mean_of_runs
from callcenter.simulate.table import grid, percentile
from callcenter.standalone import CannotStart

DEMO: Final = Path(__file__).with_name("house.toml")
DAY: Final = 86_400.0
_SUM: Final = 0.001
_CLOCK: Final = r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$"

Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1, max_length=32)]


class BadHouse(CannotStart):
    """A file that is no house: what is wrong, in words."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Service(_Model):
    """A service (热线服务): a share of all calls. `talk` and `wrap_up`: mean seconds; None: as everybody's."""

    code: Name
    share: Share
    queue: Name = ""
    priority: Priority | None = None
    danger: Share = 0.0
    talk: Annotated[float, Field(ge=1, le=3600)] | None = None
    wrap_up: Annotated[float, Field(ge=0, le=3600)] | None = None

    @property
    def enters(self) -> str:
        return self.queue or self.code


class People(_Model):
    """So many people alike (班组). `shift`: HH:MM-HH:MM of each day; empty: always there. Breaks in minutes."""

    number: Annotated[int, Field(ge=1, le=5_000)]
    levels: dict[Name, Level]
    shift: Annotated[str, Field(pattern=_CLOCK)] | None = None
    break_every: Annotated[float, Field(ge=10, le=1_440)] | None = None
    break_minutes: Annotated[float, Field(ge=1, le=480)] = 10.0

    def workers(self, end: float) -> list[Worker]:
        """Each of them until `end` seconds; their breaks are spread, so that few are away at once."""
        found = []
        duty = self._duty(end)
        for n in range(self.number):
            breaks = [
                (at, self.break_minutes * 60)
                for begin, until in duty
                for at in self._breaks(begin, min(until, end), (n + 1) / self.number)
            ]
            found.append(Worker(self.levels, duty, tuple(breaks)))
        return found

    def _duty(self, end: float) -> tuple[Span, ...]:
        if self.shift is None:
            return ((0.0, inf),)
        begin, until = (_seconds(clock) for clock in self.shift.split("-"))
        length = (until - begin) % DAY or DAY
        days = range(-1, int(end // DAY) + 1)
        starts = [day * DAY + begin for day in days]
        return tuple((max(0.0, at), at + length) for at in starts if at + length > 0)

    def _breaks(self, begin: float, end: float, part: float) -> Iterator[float]:
        if self.break_every is not None:
            at = begin + part * self.break_every * 60
            while at < end:
                yield at
                at += self.break_every * 60


class Callback(_Model):
    """Who takes the callback when it is offered, and who answers it: shares."""

    asks: Share = 0.0
    reached: Share = 1.0


class House(_Model):
    """What is tried. Shares are together 1, and somebody serves each queue."""

    services: Annotated[list[Service], Field(min_length=1, max_length=100)]
    people: Annotated[list[People], Field(min_length=1, max_length=500)]
    callback: Callback = Callback()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if abs(sum(each.share for each in self.services) - 1) > _SUM:
            raise ValueError("the services' shares must be 1 together")
        served = {queue for each in self.people for queue in each.levels}
        for queue in self.queues:
            if queue not in served:
                raise ValueError(f"nobody serves {queue}")
        return self

    @property
    def queues(self) -> list[str]:
        return list(dict.fromkeys(each.enters for each in self.services))


class Load(NamedTuple):
    """How much comes: calls expected in each slot of `seconds`. Calls before `since` are not counted."""

    expected: list[float]
    seconds: float
    since: float

    @property
    def end(self) -> float:
        return len(self.expected) * self.seconds


def flat(calls_per_hour: float, hours: float) -> Load:
    """The same load all the time, after half an hour that is left out."""
    return Load([calls_per_hour * (hours + 0.5)], (hours + 0.5) * 3600, WARM_UP)


def days(calls: float, number: int) -> Load:
    """Days from a Monday on, each with its profile."""
    return Load([slot for n in range(number) for slot in day_profile(calls, n % 7)], 900.0, 0.0)


def read(name: str) -> House:
    """The house of a file; `demo` is the one that comes with us. Raises BadHouse."""
    try:
        given: dict[str, Any] = tomllib.loads((DEMO if name == "demo" else Path(name)).read_text(encoding="utf-8"))
        return House.model_validate(given)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadHouse(f"{name}: {error}") from error
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'house'}: {each['msg']}" for each in error.errors())
        raise BadHouse(f"{name}: {told}") from error


def draw(house: House, load: Load, citizens: Citizens, seed: int) -> list[Drawn]:
    """All who call, whoever answers them."""
    found = []
    for n, service in enumerate(house.services):
        chance = Random(seed * 1_000 + n)  # noqa: S311 (no secret)
        talk, wrap_up = service.talk or citizens.talk, service.wrap_up
        like = replace(citizens, talk=talk, wrap_up=citizens.wrap_up if wrap_up is None else wrap_up)
        tries = len(Ways().gaps) + 1
        for caller in callers([slot * service.share for slot in load.expected], load.seconds, like, chance):
            danger = chance.random() < service.danger
            asks = chance.random() < house.callback.asks
            reached = tuple(chance.random() < house.callback.reached for _ in range(tries))
            priority = Priority.DANGER if danger else service.priority
            found.append(Drawn(caller, service.code, service.enters, priority, asks, reached))
    return sorted(found, key=lambda each: each.caller.at)


#: The way that our house goes, of whose services more is told.
OURS: Final = "tiers + guard"
IDEAL_POOL: Final = "ideal pool"


def simulate(house: House, load: Load, citizens: Citizens, rules: Rules, runs: int, seed: int) -> Iterator[str]:
    """The lines that are printed. Each run draws other callers."""
    people = [worker for each in house.people for worker in each.workers(load.end)]
    pooled, split = one_pool(people, house.queues), strict_split(people)
    everybody = [each for each in one_pool(people, ["all"]) if not each.volunteers]
    with_guard, without = Ways(rules), Ways(rules, guard=())
    ways = {
        IDEAL_POOL: (everybody, IDEAL_WAYS),
        "one pool + guard": (pooled, with_guard),
        "one pool": (pooled, without),
        OURS: (people, with_guard),
        "tiers + widening": (people, Ways(rules, wrap_up_least=inf)),
        "tiers": (people, without),
        "strict split": (split, without),
    }
    trials: dict[str, list[HouseTrial]] = {name: [] for name in ways}
    began = process_time()
    for n in range(runs):
        drawn = draw(house, load, citizens, seed + n)
        together = [replace(each, queue="all") for each in drawn]
        for name, (workers, way) in ways.items():
            chance = Random(seed + n)  # noqa: S311 (no secret)
            met = together if name == IDEAL_POOL else drawn
            trials[name].append(run(met, workers, way, chance, since=load.since))
    took = process_time() - began
    yield from grid([["", *ways], *_ways(trials)])
    yield ""
    yield f"{OURS}, service by service:"
    yield from grid(list(_services(house, trials)))
    yield ""
    volunteers = sum(each.volunteers for each in people)
    yield f"{len(people) - volunteers} people in turns, and {volunteers} volunteers, who ring only by the guard."
    yield "ideal pool: no dead time, all answered in the order of coming. Three things beat it in 15 s: priority and"
    yield "queues side by side, where some wait longer that others need not, and the guard, which takes wrap-up time."
    yield f"tiers: a call rings nobody beyond the first skill of who is there; + guard: {_GUARD}."
    yield "tiers + widening: the guard, but no wrap-up is ended."
    yield "strict split: nobody has a second skill. one pool: everybody has every skill."
    if len(load.expected) == 1:
        yield _formulas(house, load, citizens)
    yield (
        f"{runs} run(s) of {(load.end - load.since) / 3600:g} h, {len(ways)} ways, in {took:.1f} s of one core:"
        f" {took / runs / len(ways) * DAY / load.end:.2f} s for a day in one way"
    )


def _ways(trials: dict[str, list[HouseTrial]]) -> Iterator[list[str]]:
    def row(name: str, cell: Any) -> list[str]:
        return [name, *(cell(each) for each in trials.values())]

    ended = {id(each): [one for trial in each for _, one in trial.ended] for each in trials.values()}

    def share(*outcomes: Outcome) -> Any:
        return lambda each: _share(sum(one.outcome in outcomes for one in ended[id(each)]), len(ended[id(each)]))

    def losses(each: list[HouseTrial]) -> str:
        if each is trials[IDEAL_POOL]:
            return ""
        rates = zip(each, trials[IDEAL_POOL], strict=True)
        return mean_of_runs([100 * (_rate(ours.ended) - _rate(ideal.ended)) for ours, ideal in rates])

    def acts(act: Act) -> Any:
        return lambda each: str(sum(n for trial in each for (_, done), n in trial.acts.items() if done is act) or "")

    yield row("offered calls, redials too", lambda each: str(len(ended[id(each)])))
    yield row(
        f"answered within {TARGET_SECONDS:g} s, of all offered",
        lambda each: _share(sum(map(_in_time, ended[id(each)])), len(ended[id(each)])),
    )
    yield row("less the ideal pool, points", losses)
    yield row("abandoned", share(*ABANDONED))
    yield row("sent away: too long, nobody, too many", share(*_SENT_AWAY))
    yield row("asked to be called back", share(Outcome.CALLBACK))
    yield row("  and were reached", lambda each: str(sum(trial.reached.total() for trial in each) or ""))
    yield row("wait of the answered, p50 / p95", lambda each: _waits(ended[id(each)]))
    yield row("occupancy", lambda each: _share(sum(one.busy for one in each), sum(one.staffed for one in each)))
    for act, words in _ACTS.items():
        yield row(f"guard: {words}", acts(act))
    yield row("guard: wrap-ups ended early", lambda each: str(sum(trial.cut for trial in each) or ""))


_SENT_AWAY: Final = (Outcome.TIMED_OUT, Outcome.NOBODY_ON_DUTY, Outcome.REFUSED)
_ACTS: Final = {
    Act.WIDEN: f"widened at {GUARD[0].seconds} s",
    Act.BACKUP: f"backup at {GUARD[1].seconds} s",
    Act.VOLUNTEERS: f"volunteers at {GUARD[2].seconds} s",
    Act.OFFER_CALLBACK: f"callback offered at {GUARD[3].seconds} s",
}

_GUARD: Final = ", ".join(
    f"{each.seconds} s {words}"
    for each, words in zip(
        GUARD, ("second skill", "backup", "volunteers and the longest wrap-up", "callback"), strict=True
    )
)


def _services(house: House, trials: dict[str, list[HouseTrial]]) -> Iterator[list[str]]:
    yield [
        "", "offered", "in 15 s", "ideal pool", "strict split", "abandoned", "wait p50 / p95",
        "widened", "backup", "volunteers", "offered back", "asked", "reached",
    ]  # fmt: skip
    for code in [each.code for each in house.services]:
        ours = trials[OURS]
        of = {
            name: [one for trial in trials[name] for service, one in trial.ended if service == code]
            for name in (OURS, IDEAL_POOL, "strict split")
        }
        ended = of[OURS]
        yield [
            code,
            str(len(ended)),
            *(_share(sum(map(_in_time, of[name])), len(of[name])) for name in of),
            _share(sum(one.outcome in ABANDONED for one in ended), len(ended)),
            _waits(ended),
            *(str(sum(trial.acts[code, act] for trial in ours)) for act in Act),
            str(sum(trial.asked[code] for trial in ours)),
            str(sum(trial.reached[code] for trial in ours)),
        ]


def _formulas(house: House, load: Load, citizens: Citizens) -> str:
    """People by Erlang C for 90 % in time, together and queue by queue (reliability.md 2.6)."""
    each: dict[str, tuple[float, float]] = {}
    an_hour = load.expected[0] * 3600 / load.seconds
    for service in house.services:
        calls, seconds = each.get(service.enters, (0.0, 0.0))
        wrap_up = citizens.wrap_up if service.wrap_up is None else service.wrap_up
        handling = (service.talk or citizens.talk) + wrap_up
        each[service.enters] = calls + an_hour * service.share, seconds + an_hour * service.share * handling
    seats = [seats_needed(calls, seconds / calls, 0.9) for calls, seconds in each.values() if calls]
    calls, seconds = (sum(values) for values in zip(*each.values(), strict=True))
    return (
        f"Erlang C wants {seats_needed(calls, seconds / calls, 0.9)} people for 90 % in one pool,"
        f" {sum(seats)} in {len(seats)} queues of their own ({' + '.join(map(str, seats))})."
    )


def _in_time(one: Ended) -> bool:
    return one.outcome is Outcome.ANSWERED and in_time(round(one.waited * 1000))


def _rate(ended: Sequence[tuple[str, Ended]]) -> float:
    return sum(_in_time(one) for _, one in ended) / max(1, len(ended))


def _share(some: float, total: float) -> str:
    return f"{some / total:.2%}" if total else ""


def _waits(ended: Sequence[Ended]) -> str:
    waits = [one.waited for one in ended if one.outcome is Outcome.ANSWERED]
    return f"{percentile(waits, 0.5):.1f} / {percentile(waits, 0.95):.1f} s" if waits else ""


def _seconds(clock: str) -> float:
    hours, minutes = clock.split(":")
    return 3600.0 * int(hours) + 60.0 * int(minutes)
