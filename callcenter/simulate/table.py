"""What a simulation prints: the same figures of several ways to answer the same calls, side by side."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import NamedTuple

from agents.erlang import Answering
from agents.service_level import Outcome
from agents.trial import Trial


class Column(NamedTuple):
    """One way to answer. Shares of all offered calls, times in seconds; None: not known of this way."""

    offered: int | None = None
    in_time: float | None = None
    in_scaled_time: float | None = None
    answered: float | None = None
    abandoned: float | None = None
    mean_wait: float | None = None
    waits: tuple[float, float, float] | None = None  # of the answered: half, nine of ten, 99 of 100 waited no longer
    occupancy: float | None = None
    free_to_ring: tuple[float, float, int] | None = None  # p50, p99, how many


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def of_calls(
    calls: Sequence[tuple[float, Outcome]],
    free_to_ring: Sequence[float] = (),
    occupancy: float | None = None,
    *,
    target: float,
    scaled: float | None = None,
) -> Column:
    """From single calls: (seconds waited, how it ended)."""
    if not calls:
        return Column(0)
    waits = [waited for waited, outcome in calls if outcome is Outcome.ANSWERED]

    def within(seconds: float) -> float:
        return sum(round(waited * 1000) <= seconds * 1000 for waited in waits) / len(calls)

    return Column(
        offered=len(calls),
        in_time=within(target),
        in_scaled_time=None if scaled is None else within(scaled),
        answered=len(waits) / len(calls),
        abandoned=sum(outcome is not Outcome.ANSWERED for _, outcome in calls) / len(calls),
        mean_wait=sum(waited for waited, _ in calls) / len(calls),
        waits=(percentile(waits, 0.5), percentile(waits, 0.9), percentile(waits, 0.99)) if waits else None,
        occupancy=occupancy,
        free_to_ring=(percentile(free_to_ring, 0.5), percentile(free_to_ring, 0.99), len(free_to_ring))
        if free_to_ring
        else None,
    )


def of_trials(trials: Sequence[Trial], since: float, *, target: float, scaled: float | None = None) -> Column:
    """From runs in seconds, all together; calls before `since` are left out."""
    calls = [(each.waited, each.outcome) for trial in trials for each in trial.ended if each.at >= since]
    rings = [each for trial in trials for each in trial.free_to_ring]
    staffed = sum(trial.staffed for trial in trials)
    return of_calls(
        calls, rings, sum(trial.busy for trial in trials) / staffed if staffed else None, target=target, scaled=scaled
    )


def of_formula(answering: Answering, scaled: Answering | None = None) -> Column:
    return Column(
        in_time=answering.in_time,
        in_scaled_time=None if scaled is None else scaled.in_time,
        answered=1 - answering.abandons,
        abandoned=answering.abandons,
        mean_wait=answering.mean_wait,
        occupancy=answering.occupancy,
    )


def lines(columns: Mapping[str, Column], *, target: float, scaled: float | None = None) -> list[str]:
    """The table. Rows that no column knows are left out."""

    def share(value: float | None) -> str:
        return "" if value is None else f"{value:.2%}"

    def seconds(value: float | None) -> str:
        return "" if value is None else f"{value:.2f} s"

    ways = list(columns.values())
    rows: list[tuple[str, list[str]]] = [
        ("offered calls, redials too", ["" if way.offered is None else str(way.offered) for way in ways]),
        (f"answered within {target:g} s, of all offered", [share(way.in_time) for way in ways]),
        (f"answered within {scaled or 0:g} s, of all offered", [share(way.in_scaled_time) for way in ways]),
        ("answered", [share(way.answered) for way in ways]),
        ("not answered", [share(way.abandoned) for way in ways]),
        ("mean wait of all", [seconds(way.mean_wait) for way in ways]),
        (
            "wait of the answered, p50 / p90 / p99",
            ["" if way.waits is None else " / ".join(f"{each:.1f}" for each in way.waits) for way in ways],
        ),
        ("occupancy", [share(way.occupancy) for way in ways]),
        (
            "from a free seat to ringing, p50 / p99",
            ["" if way.free_to_ring is None else "{:.2f} / {:.2f} s (n {})".format(*way.free_to_ring) for way in ways],
        ),
    ]
    rows = [row for row in rows if any(row[1])]
    return grid([["", *columns], *([name, *cells] for name, cells in rows)])


def grid(table: Sequence[Sequence[str]]) -> list[str]:
    """Cells under each other. Every row has as many."""
    widths = [max(len(row[n]) for row in table) for n in range(len(table[0]))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
