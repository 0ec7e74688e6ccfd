"""The forecast: what is known of its parts, and that it beats the simplest one on days as a hotline has them."""

from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.arrivals import Citizens, callers, day_profile
from agents.forecast import Day, Kind, forecast, rest_of_day, seasonal_naive, wape

MONDAY = date(2026, 3, 2)


def day(at: date, calls: float, kind: Kind | None = None) -> Day:
    kind = kind or (Kind.REST if at.weekday() > 4 else Kind.WORKDAY)
    return Day(at, kind, (calls * 0.25, calls * 0.75))


def week(calls: float, start: date = MONDAY) -> list[Day]:
    return [day(start + timedelta(days=n), calls * (0.5 if n > 4 else 1)) for n in range(7)]


def test_a_steady_town_is_forecast_as_it_is() -> None:
    history = week(100) + week(100, MONDAY + timedelta(days=7))
    for n in range(14, 28):
        at = MONDAY + timedelta(days=n)
        expected = forecast(history, at, day(at, 1).kind)
        assert expected == pytest.approx([12.5, 37.5] if at.weekday() > 4 else [25, 75])


def test_without_history_there_is_no_forecast() -> None:
    assert forecast([], MONDAY, Kind.WORKDAY) is None
    assert forecast(week(100, MONDAY + timedelta(days=7)), MONDAY, Kind.WORKDAY) is None, "the future is not known"
    assert seasonal_naive([], MONDAY) is None
    with pytest.raises(ValueError):
        forecast([day(MONDAY, 1), Day(MONDAY + timedelta(days=1), Kind.WORKDAY, (1,))], date(2027, 1, 1), Kind.WORKDAY)


def test_special_days_begin_as_ordinary_ones_and_learn() -> None:
    history = week(100) + week(100, MONDAY + timedelta(days=7))
    spring = MONDAY + timedelta(days=14)  # a Monday off
    assert sum(forecast(history, spring, Kind.HOLIDAY) or []) == pytest.approx(50), "as a rest day"
    assert sum(forecast(history, spring + timedelta(days=5), Kind.MAKEUP) or []) == pytest.approx(100), "as a workday"
    assert sum(forecast(history, spring + timedelta(days=1), Kind.AFTER) or []) == pytest.approx(100)
    # A first day after a holiday brought half as many again: the next one is believed to, in part.
    seen = [*history, day(spring + timedelta(days=1), 150, Kind.AFTER)]
    next_one = sum(forecast(seen, spring + timedelta(days=50), Kind.AFTER) or [])
    assert 105 < next_one < 150
    # Ordinary days have nothing to do with it.
    assert sum(forecast(seen, spring + timedelta(days=2), Kind.WORKDAY) or []) == pytest.approx(100)


def test_a_busy_yesterday_counts_most_tomorrow() -> None:
    history = week(100) + week(100, MONDAY + timedelta(days=7))[:3]
    history[-1] = day(history[-1].date, 140)  # Wednesday
    rows = [sum(forecast(history, history[-1].date + timedelta(days=n), Kind.WORKDAY) or []) for n in (1, 2, 5)]
    assert 140 > rows[0] > rows[1] > rows[2] > 100


def test_a_day_that_has_begun() -> None:
    expected = [100.0] * 10
    assert rest_of_day(expected, []) == expected
    assert rest_of_day(expected, [100, 100]) == pytest.approx([100] * 8)
    early, later = rest_of_day(expected, [150]), rest_of_day(expected, [150] * 5)
    assert 100 < early[0] < later[0] < 150, "the longer it lasts, the more it is believed"
    few = rest_of_day([0.5] * 10, [2] * 5)
    assert few[0] < 0.8, "four times nothing much is still chance"
    assert rest_of_day([0.0, 10.0], [7]) == [10.0]
    assert rest_of_day(expected, [100] * 10) == []
    with pytest.raises(ValueError):
        rest_of_day([1.0], [1, 2])


@given(st.lists(st.lists(st.integers(0, 50), min_size=4, max_size=4), min_size=1, max_size=20), st.sampled_from(Kind))
def test_no_history_makes_it_fail_or_foretell_less_than_nothing(calls: list[list[int]], kind: Kind) -> None:
    kinds = list(Kind)
    history = [
        Day(MONDAY + timedelta(days=n), kinds[(n * 7) % len(kinds)], tuple(map(float, each)))
        for n, each in enumerate(calls)
    ]
    expected = forecast(history, MONDAY + timedelta(days=len(calls) + 2), kind)
    assert expected is not None and len(expected) == 4
    assert all(0 <= each < 1e6 for each in expected)


def test_it_beats_the_seasonal_naive_on_a_town_of_chance() -> None:
    """Ten weeks of Poisson calls whose days differ by 10 %: the mean of many days must beat one day."""
    chance = Random(20)
    history = []
    for n in range(70):
        at = MONDAY + timedelta(days=n)
        slots = day_profile(1_500 * chance.gammavariate(100, 0.01), at.weekday())
        drawn = [0.0] * len(slots)
        for caller in callers(slots, 900, Citizens(redial=0), chance):
            drawn[int(caller.at // 900)] += 1
        history.append(Day(at, Kind.REST if at.weekday() > 4 else Kind.WORKDAY, tuple(drawn)))
    ours, naive = [], []
    for n in range(28, 70):
        today = history[n]
        ours += zip(today.calls, forecast(history[:n], today.date, today.kind) or [], strict=True)
        naive += zip(today.calls, seasonal_naive(history[:n], today.date) or [], strict=True)
    assert wape(ours) < 0.85 * wape(naive)


def test_a_share_of_nothing_is_not_a_figure() -> None:
    assert wape([(10, 8), (10, 13)]) == pytest.approx(0.25)
    with pytest.raises(ValueError):
        wape([(0, 3)])
