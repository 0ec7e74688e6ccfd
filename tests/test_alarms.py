"""Alarms by their rules: thresholds, patience, hysteresis, and what nobody knows."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.alarms import KINDS, BadRule, Figures, Kind, Rule, Standing, Turn, checked, judge
from callcenter import metrics
from callcenter.alarms.watch import Failures

START = datetime(2026, 11, 22, 8, tzinfo=UTC)


def rule(kind: Kind, raise_at: float, clear_at: float, hold: float = 0, **more: int) -> Rule:
    return Rule("r", kind, raise_at, clear_at, timedelta(seconds=hold), "warning", **more)


def run(rule: Rule, *values: Figures) -> list[tuple[int, bool]]:
    """One look a second; (second, raised or cleared) of each turn."""
    standing: dict[str, Standing] = {}
    turns: list[Turn] = []
    for second, figures in enumerate(values):
        standing, new = judge([rule], standing, figures, START + timedelta(seconds=second))
        turns += new
    return [((turn.at - START).seconds, turn.raised) for turn in turns]


def waiting(*counts: int | None) -> list[Figures]:
    return [Figures(waiting=count) for count in counts]


def test_a_threshold_is_passed_not_reached() -> None:
    assert run(rule(Kind.WAITING, 5, 3), *waiting(4, 5, 6)) == [(2, True)]


def test_between_the_two_thresholds_nothing_changes() -> None:
    assert run(rule(Kind.WAITING, 5, 3), *waiting(6, 5, 4, 6, 4, 3, 4, 5)) == [(0, True), (5, False)]


def test_it_is_raised_only_when_it_lasts() -> None:
    assert run(rule(Kind.WAITING, 5, 5, hold=3), *waiting(6, 6, 6, 5, 6, 6, 6, 6, 6)) == [(7, True)]


def test_what_nobody_knows_raises_and_clears_nothing() -> None:
    assert run(rule(Kind.WAITING, 5, 3), *waiting(None, None)) == []
    assert run(rule(Kind.WAITING, 5, 3), *waiting(6, None, None, 2)) == [(0, True), (3, False)]


def test_low_is_bad_for_shares_and_for_seats() -> None:
    ready = [Figures(ready=count) for count in (2, 0, 0, 1)]
    assert run(rule(Kind.READY, 1, 1), *ready) == [(1, True), (3, False)]
    share = [Figures(windows={15: counts}) for counts in ((30, 27), (30, 23), (30, 25), (30, 27))]
    assert run(rule(Kind.IN_TIME, 0.8, 0.85), *share) == [(1, True), (3, False)]


def test_too_few_calls_are_no_case() -> None:
    few = rule(Kind.IN_TIME, 0.8, 0.85, window=15, least_calls=20)
    figures = [Figures(windows={15: counts}) for counts in ((19, 0), (20, 0), (19, 0), (0, 0))]
    assert run(few, *figures) == [(1, True), (2, False)]


def test_each_window_is_its_own() -> None:
    five, hour = (rule(Kind.IN_TIME, 0.8, 0.85, window=minutes, least_calls=1) for minutes in (5, 60))
    now = Figures(windows={5: (2, 0), 60: (100, 95)})
    assert run(five, now) == [(0, True)]
    assert run(hour, now) == []


def test_a_rule_that_is_gone_clears_its_alarm() -> None:
    standing, _ = judge([rule(Kind.LINK, 10, 0)], {}, Figures(link=60), START)
    assert judge([], standing, Figures(link=60), START)[1] == [Turn("r", raised=False, value=None, at=START)]


@pytest.mark.parametrize(
    ("kind", "raise_at", "clear_at"), [(Kind.WAITING, 5, 6), (Kind.IN_TIME, 0.8, 0.7), (Kind.READY, 1, 0)]
)
def test_thresholds_that_contradict_each_other_are_refused(kind: Kind, raise_at: float, clear_at: float) -> None:
    with pytest.raises(BadRule):
        checked(rule(kind, raise_at, clear_at))
    assert checked(rule(kind, raise_at, raise_at))


def test_every_kind_has_words() -> None:
    assert KINDS.keys() == set(Kind)


@given(st.lists(st.integers(0, 10) | st.none(), max_size=60), st.integers(0, 4), st.integers(2, 8), st.integers(0, 3))
def test_turns_alternate_and_tell_the_truth(counts: list[int | None], hold: int, raise_at: int, less: int) -> None:
    """Raised, cleared, raised ...; raised only above the one threshold, cleared only at the other."""
    one = rule(Kind.WAITING, raise_at, raise_at - less, hold)
    turns = run(one, *waiting(*counts))
    assert [raised for _, raised in turns] == [n % 2 == 0 for n in range(len(turns))]
    for second, raised in turns:
        value = counts[second]
        assert value is not None
        assert value > one.raise_at if raised else value <= one.clear_at
        if raised:
            assert all(count is None or count > one.raise_at for count in counts[second - hold : second])


def test_recordings_that_fail_are_counted_for_five_minutes() -> None:
    failures = Failures()
    assert failures(START) == 0
    metrics.RECORDING_FAILURES.inc()
    metrics.RECORDING_GAPS.labels("missing").inc(2)
    assert failures(START + timedelta(seconds=1)) == 3
    assert failures(START + timedelta(minutes=4)) == 3
    assert failures(START + timedelta(minutes=6)) == 0
