"""Our forecast beside the seasonal naive, on real arrivals, one day at a time (rolling origin).

The file is a CSV of `start` (ISO 8601) and `calls`, at equal distances, days of equal length; times are taken as they
are written. The bank's calls of 2003 (Weinberg, Brown and Stroud 2007) are such a file. A day's forecast sees only days
before it: for `ahead` days, only those at least so many days before.
"""

import csv
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from agents.forecast import SLOT_MINUTES, Day, Kind, forecast, rest_of_day, seasonal_naive, wape
from bench.figures import Figure

AHEAD: Final = (1, 7)
FIRST_DAYS: Final = 30  # seen before the first forecast
Forecast = Callable[[Sequence[Day], date, Kind], list[float] | None]


class Misses(NamedTuple):
    """What one forecast came to: shares of all calls, and misses over those of the naive in the history."""

    wape: float
    mase: float
    days: list[float]  # each day's own wape
    totals: float  # wape of the days' sums


def read(file: Path) -> list[Day]:
    """The days of the file in slots of 15 minutes, weekdays that follow a gap of weekdays marked as after a holiday.

    Raises ValueError, KeyError for a file of another shape.
    """
    slots: dict[date, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            at = datetime.fromisoformat(row["start"].replace("Z", "+00:00"))
            slots[at.date()][(at.hour * 60 + at.minute) // SLOT_MINUTES] += float(row["calls"])
    whole = sorted(set.intersection(*(set(each) for each in slots.values())))[:-1]  # the last slot may be cut short
    days = sorted(slots)
    after = {day for before, day in pairwise(days) if _workday(before + timedelta(days=1)) != day}
    return [
        Day(day, Kind.AFTER if day in after else Kind.WORKDAY, tuple(slots[day][slot] for slot in whole))
        for day in days
    ]


def _workday(day: date) -> date:
    while day.weekday() > 4:
        day += timedelta(days=1)
    return day


def run(file: Path) -> list[Figure]:
    """Both forecasts a day and a week ahead, over all days and over the second half alone; then the day under way."""
    days = read(file)
    second = len(days) // 2
    figures = [Figure("days", f"{len(days)} ({days[0].date} to {days[-1].date}), {len(days[0].calls)} slots each")]
    for ahead in AHEAD:
        for name, first in (("all days", FIRST_DAYS), (f"days {second + 1} to {len(days)}, unseen when tuned", second)):
            ours, naive = (_misses(days, make, ahead, first) for make in (forecast, _naive))
            better = sum(a < b for a, b in zip(ours.days, naive.days, strict=True))
            figures += [
                Figure(f"{ahead} day(s) ahead, {name}", "ours      seasonal naive"),
                _row("  WAPE, 15 min", ours.wape, naive.wape, "below the naive"),
                _row("  WAPE, whole days", ours.totals, naive.totals),
                Figure("  MASE", f"{ours.mase:<8.3f}  {naive.mase:.3f}", "below 1"),
                _row("  worst day's WAPE", max(ours.days), max(naive.days)),
                Figure("  days on which ours is better", f"{better} of {len(ours.days)}"),
            ]
    return figures + _under_way(days)


def _naive(history: Sequence[Day], day: date, _kind: Kind) -> list[float] | None:
    return seasonal_naive(history, day)


def _misses(days: Sequence[Day], make: Forecast, ahead: int, first: int) -> Misses:
    pairs, each, sums = [], [], []
    for n in range(first, len(days)):
        day = days[n]
        known = [earlier for earlier in days[:n] if (day.date - earlier.date).days >= ahead]
        expected, fallback = make(known, day.date, day.kind), seasonal_naive(known, day.date)
        if expected is None or fallback is None:
            continue  # no forecast is judged on a day that the other does not have
        now = list(zip(day.calls, expected, strict=True))
        pairs += now
        each.append(wape(now))
        sums.append((day.total, sum(expected)))
    history = [
        abs(a - b)
        for n in range(first)
        if (earlier := seasonal_naive(days[:n], days[n].date)) is not None
        for a, b in zip(days[n].calls, earlier, strict=True)
    ]
    error = sum(abs(a - b) for a, b in pairs) / len(pairs)
    return Misses(wape(pairs), error / (sum(history) / len(history)), each, wape(sums))


def _under_way(days: Sequence[Day]) -> list[Figure]:
    """At four moments of each day: the rest of it by yesterday's forecast, and anew."""
    figures = [Figure("rest of the day", "anew      yesterday's forecast")]
    for share in (0.1, 0.25, 0.5, 0.75):
        over = int(len(days[0].calls) * share)
        old, new = [], []
        for n in range(FIRST_DAYS, len(days)):
            expected = forecast(days[:n], days[n].date, days[n].kind)
            if expected is not None:
                anew = rest_of_day(expected, days[n].calls[:over])
                new += list(zip(days[n].calls[over:], anew, strict=True))
                old += list(zip(days[n].calls[over:], expected[over:], strict=True))
        figures.append(_row(f"  WAPE when {share:.0%} of it is over", wape(new), wape(old), "below yesterday's"))
    return figures


def _row(what: str, ours: float, other: float, goal: str = "") -> Figure:
    return Figure(what, f"{ours:<8.2%}  {other:.2%}", goal)
