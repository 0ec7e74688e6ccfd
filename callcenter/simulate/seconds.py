"""Days in seconds: the rules of agents/, an ideal pool on the same callers, and the formulas beside them."""

from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple

from agents.arrivals import Citizens, callers, day_profile
from agents.erlang import TARGET_SECONDS, Answering, erlang_a, erlang_c, seats_needed
from agents.trial import IDEAL, Rules, Trial, run
from callcenter.simulate.table import lines, of_formula, of_trials

WARM_UP: Final = 1800.0  # of a flat load: the house is empty at first


class Load(NamedTuple):
    """What comes and who is there, slot by slot of `seconds`. `since`: calls before it are not counted."""

    expected: list[float]
    seats: list[int]
    seconds: float
    since: float


def flat(calls_per_hour: float, seats: int, hours: float) -> Load:
    """The same load and people all the time, after half an hour that is left out."""
    return Load([calls_per_hour * (hours + 0.5)], [seats], (hours + 0.5) * 3600, WARM_UP)


def days(calls: float, number: int, goal: float, citizens: Citizens) -> Load:
    """Days from a Monday on; in each quarter-hour as many people as Erlang C wants for `goal`, one at least."""
    expected = [slot for n in range(number) for slot in day_profile(calls, n % 7)]
    return Load(expected, [max(1, seats_needed(4 * slot, citizens.handling, goal)) for slot in expected], 900.0, 0.0)


def simulate(load: Load, citizens: Citizens, rules: Rules, runs: int, seed: int) -> Iterator[str]:
    """The lines that are printed. Each run draws other callers; within a run all ways meet the same."""
    ours: list[Trial] = []
    ideal: list[Trial] = []
    losses = []
    for n in range(runs):
        drawn = callers(load.expected, load.seconds, citizens, Random(seed + n))  # noqa: S311 (no secret)
        for trials, way in ((ours, rules), (ideal, IDEAL)):
            trials.append(run(drawn, load.seats, load.seconds, way, Random(seed + n)))  # noqa: S311 (no secret)
        shares = [trials[-1].tally(load.since).service_level for trials in (ours, ideal)]
        if shares[0] is not None and shares[1] is not None:
            losses.append(100 * (shares[0] - shares[1]))
    columns = {
        "our rules": of_trials(ours, load.since, target=TARGET_SECONDS),
        "ideal pool": of_trials(ideal, load.since, target=TARGET_SECONDS),
        "Erlang C": of_formula(_formula(load, citizens, None)),
    }
    if citizens.patience is not None:
        columns["Erlang A"] = of_formula(_formula(load, citizens, citizens.patience))
    yield from lines(columns, target=TARGET_SECONDS)
    yield ""
    loss = mean_of_runs(losses)
    yield f"ours less the ideal pool: {loss} points in {len(losses)} run(s) of the same callers (goal: -2.00)"
    yield "The formulas know exponential times, no redials and no balking: they differ from the pool by that."


def mean_of_runs(values: list[float]) -> str:
    """A mean with the half-width of its 95 % interval."""
    if not values:
        return "no"
    mean = sum(values) / len(values)
    if len(values) == 1:
        return f"{mean:+.2f}"
    error = (sum((each - mean) ** 2 for each in values) / (len(values) - 1) / len(values)) ** 0.5
    return f"{mean:+.2f} +- {1.96 * error:.2f}"


def _formula(load: Load, citizens: Citizens, patience: float | None) -> Answering:
    """The formula in each slot, weighted with the slot's calls."""
    rows = []
    for calls, seats in zip(load.expected, load.seats, strict=True):
        an_hour = calls * 3600 / load.seconds
        found = (
            erlang_c(an_hour, citizens.handling, seats)
            if patience is None
            else erlang_a(an_hour, citizens.handling, seats, patience=patience)
        )
        rows.append((calls, found))
    total = sum(calls for calls, _ in rows)

    def mean(name: str) -> float:
        return sum(calls * float(getattr(found, name)) for calls, found in rows) / total

    return Answering(*(mean(name) for name in ("waits", "in_time", "abandons", "mean_wait", "occupancy")))
