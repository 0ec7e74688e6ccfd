"""Days in seconds: what the run of our queue does to callers, and that chance is the same for all who are compared."""

from math import inf
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.arrivals import Caller, Citizens, Try, callers, day_profile
from agents.erlang import erlang_c
from agents.service_level import Outcome
from agents.trial import IDEAL, Ended, Rules, Trial, run


def caller(at: float, *, talk: float = 60.0, wrap_up: float = 10.0, patience: float = inf, again: int = 0) -> Caller:
    return Caller(at, talk, wrap_up, tuple(Try(30.0 if n else 0.0, patience) for n in range(1 + again)))


def told(calls: list[Caller], seats: list[int], rules: Rules, slot: float = 3_600) -> Trial:
    return run(calls, seats, slot, rules, Random(1))


def test_the_ideal_pool_serves_at_once_and_in_order() -> None:
    trial = told([caller(0), caller(5), caller(6)], [1], IDEAL)
    assert [(each.at, each.waited) for each in trial.ended] == [(0, 0), (5, 65), (6, 134)]
    assert trial.busy == 3 * 70


def test_ours_looks_once_a_second_and_rings() -> None:
    trial = told([caller(0), caller(5.25)], [1], Rules(ring=0.5))
    first, second = trial.ended
    assert first.waited == 0.5
    # Free at 70.5, looked at from 5.25 on in whole seconds: seen at 71.25, answered at 71.75.
    assert second.waited == pytest.approx(66.5)
    assert trial.free_to_ring == pytest.approx([0.75])


def test_a_wrap_up_shorter_than_the_queue_allows_waits_for_it() -> None:
    trial = told([caller(0, wrap_up=0), caller(1)], [1], Rules(look=1, ring=0, settle=2))
    assert trial.ended[1].waited == pytest.approx(61)  # 60 s of talk and 2 s that the seat is left alone, from second 1


def test_who_hangs_up_calls_again_and_is_counted_twice() -> None:
    trial = told([caller(0, talk=100), caller(1, patience=20, again=2)], [1], IDEAL)
    tries = [(each.at, each.outcome, each.again) for each in trial.ended if each.at]
    assert tries == [
        (1, Outcome.ABANDONED_QUEUE, False),
        (51, Outcome.ABANDONED_QUEUE, True),
        (101, Outcome.ANSWERED, True),
    ]
    assert trial.tally().offered == 4


def test_who_will_not_wait_is_content_when_somebody_is_free() -> None:
    trial = told([caller(0, patience=0), caller(10, patience=0)], [1], Rules(ring=2))
    assert [each.outcome for each in trial.ended] == [Outcome.ANSWERED, Outcome.ABANDONED_QUEUE]


def test_who_hangs_up_under_the_ring_frees_the_seat() -> None:
    trial = told([caller(0, patience=3), caller(1)], [1], Rules(ring=5))
    assert [(each.outcome, each.waited) for each in trial.ended] == [
        (Outcome.ABANDONED_RINGING, 3),
        (Outcome.ANSWERED, 7),
    ]


def test_a_ring_that_nobody_answers_costs_its_whole_time() -> None:
    trial = run([caller(0)], [2], 3_600, Rules(missed=1.0, ring_limit=10, retry=1), _Once())
    assert trial.ended[0].waited == 11.5


class _Once(Random):
    """The first ring is missed, the others are not."""

    rolled = 0

    def random(self) -> float:
        self.rolled += 1
        return 0.0 if self.rolled == 1 else 1.0


def test_people_come_and_go_by_the_roster() -> None:
    trial = told([caller(0), caller(10), caller(3_500, talk=600), caller(3_601)], [0, 2, 1], IDEAL)
    assert trial.ended[0].waited == trial.ended[1].waited + 10 == 3_600
    assert trial.unstaffed_calls == 3
    assert trial.staffed == 3 * 3_600


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12), st.floats(0, 3), st.floats(0, 0.3))
def test_no_call_is_lost_and_no_seat_is_made(seed: int, seats: int, ring: float, missed: float) -> None:
    drawn = callers([40.0] * 4, 900, Citizens(), Random(seed))
    trial = run(drawn, [seats], 900, Rules(ring=ring, missed=missed), Random(seed))
    tries = sum(not each.again for each in trial.ended)
    assert tries == len(drawn), "every first call has one outcome"
    assert all(each.waited >= 0 for each in trial.ended)
    events = sorted(
        event
        for each, caller in _answered(trial, drawn)
        for event in ((each.at + each.waited, 1), (each.at + each.waited + caller.talk, -1))
    )
    talking = most = 0
    for _, change in events:
        talking += change
        most = max(most, talking)
    assert most <= seats


def _answered(trial: Trial, drawn: list[Caller]) -> list[tuple[Ended, Caller]]:
    at = {caller.at: caller for caller in drawn}
    return [(each, at[each.at]) for each in trial.ended if each.outcome is Outcome.ANSWERED and not each.again]


def test_the_same_callers_for_all_and_the_promised_nearness() -> None:
    """600 calls/h, 43 agents: app_queue's look once a second and half a second of ringing cost less than 2 points."""
    ideal_shares, our_shares = [], []
    for seed in range(4):
        drawn = callers([600.0] * 12, 3_600, Citizens(), Random(seed))
        assert drawn == callers([600.0] * 12, 3_600, Citizens(), Random(seed))
        ideal, ours = (run(drawn, [43], 3_600, rules, Random(0)) for rules in (IDEAL, Rules()))
        ideal_shares.append(ideal.tally().service_level or 0)
        our_shares.append(ours.tally().service_level or 0)
        waits = sorted(ours.free_to_ring)
        assert waits[len(waits) // 2] <= 0.6 and waits[len(waits) * 99 // 100] <= 1.2
    loss = sum(ideal_shares) / 4 - sum(our_shares) / 4
    assert 0 < loss <= 0.02
    assert erlang_c(600, 210, 43).in_time - 0.03 < sum(ideal_shares) / 4, "impatience only helps those who stay"


def test_the_day_has_its_two_peaks_and_all_its_calls() -> None:
    monday = day_profile(1_500, 0)
    assert len(monday) == 96
    assert sum(monday) == pytest.approx(1_500 * 1.12, rel=0.01)
    assert monday.index(max(monday)) == 9 * 4
