"""A house of several services in seconds: tiers, guard, priority and callback as the running house has them."""

from math import inf
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.arrivals import Caller, Citizens, Try, callers
from agents.guard import GUARD, Act
from agents.house import IDEAL_WAYS, Drawn, HouseTrial, Ways, Worker, one_pool, run, strict_split
from agents.priority import Priority
from agents.service_level import Outcome
from agents.skills import Level
from agents.trial import IDEAL, Rules
from agents.trial import run as run_pool

FIRST, SECOND, BACKUP, VOLUNTEER = Level
QUICK = Rules(ring=0.0)


def call(
    at: float,
    *,
    talk: float = 400.0,
    wrap_up: float = 10.0,
    patience: float = inf,
    priority: Priority | None = None,
    asks: bool = False,
    reached: tuple[bool, ...] = (),
) -> Drawn:
    return Drawn(Caller(at, talk, wrap_up, (Try(0.0, patience),)), "citizen", "citizen", priority, asks, reached)


def told(calls: list[Drawn], people: list[Worker], ways: Ways | None = None) -> HouseTrial:
    return run(calls, people, ways or Ways(QUICK), Random(1))


def waits(trial: HouseTrial) -> dict[float, float]:
    """When each call came -> how long it waited."""
    return {each.at: each.waited for _, each in trial.ended}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 12), st.sampled_from([0.0, 0.1]))
def test_with_one_service_and_one_skill_it_is_the_pool(seed: int, seats: int, missed: float) -> None:
    """The same callers have the same fate, call by call, as in agents/trial.py."""
    drawn = callers([40.0] * 4, 900, Citizens(redial=0.0), Random(seed))
    calls = [Drawn(each, "citizen", "citizen") for each in drawn]
    people = [Worker({"citizen": FIRST})] * seats
    for rules, ways in (
        (Rules(missed=missed), Ways(Rules(missed=missed), guard=(), longest_wait=inf, missed_rings=10**6)),
        (IDEAL, IDEAL_WAYS),
    ):
        pool = run_pool(drawn, [seats], 900, rules, Random(seed))
        ours = run(calls, people, ways, Random(seed))
        told = [(each.at, each.outcome, each.waited) for _, each in ours.ended]
        assert told == [(each.at, each.outcome, pytest.approx(each.waited)) for each in pool.ended]
        assert ours.busy == pytest.approx(pool.busy)


def test_the_guard_widens_at_five_eight_and_twelve_seconds() -> None:
    """As measured on the real Asterisk: tests/test_routing_end_to_end.py."""
    people = [Worker({"citizen": level}) for level in (FIRST, SECOND, BACKUP, VOLUNTEER)]
    trial = told([call(0), call(1), call(2), call(3), call(4)], people)
    assert waits(trial) == pytest.approx({0: 0, 1: 5, 2: 8, 3: 12, 4: 406}, abs=1.001)
    assert trial.acts["citizen", Act.WIDEN] == 4
    assert trial.acts["citizen", Act.OFFER_CALLBACK] == 1
    nobody_beyond = told([call(0), call(1)], people, Ways(QUICK, guard=()))
    assert waits(nobody_beyond)[1] == pytest.approx(399 + 10, abs=1)


def test_tiers_are_those_of_who_is_there() -> None:
    people = [Worker({"citizen": FIRST}, breaks=((5.0, 100.0),)), Worker({"citizen": SECOND})]
    trial = told([call(10)], people, Ways(QUICK, guard=()))
    assert waits(trial) == {10: 0}, "the first skill is on a break: the second counts as first"


def test_the_longest_wrap_up_is_ended_for_who_waits_twelve_seconds() -> None:
    people = [Worker({"citizen": FIRST}), Worker({"citizen": FIRST})]
    calls = [call(0, talk=10, wrap_up=300), call(1, talk=20, wrap_up=300), call(40)]
    trial = told(calls, people)
    assert waits(trial)[40] == pytest.approx(12, abs=1)
    assert trial.cut == 1
    # One that has only begun is left for 15 s.
    assert waits(told([call(0, talk=40, wrap_up=300), call(30)], people[:1]))[30] == pytest.approx(25, abs=1)


def test_danger_goes_first_and_reaches_everybody_at_once() -> None:
    people = [Worker({"citizen": FIRST}), Worker({"citizen": VOLUNTEER})]
    trial = told([call(0), call(1), call(2, priority=Priority.DANGER)], people)
    assert waits(trial)[2] == 0
    one = [Worker({"citizen": FIRST})]
    # It takes whoever serves any queue, ends a wrap-up of 15 s at once, and is offered no callback.
    other = told([call(0), call(1), call(30, priority=Priority.DANGER)], [Worker({"english": FIRST}), *one])
    assert waits(other)[30] == 0 and waits(other)[1] > 200
    helped = told([call(0, talk=10, wrap_up=300), call(30, priority=Priority.DANGER)], one)
    assert waits(helped)[30] == pytest.approx(0, abs=1.001) and helped.cut == 1
    assert helped.acts["citizen", Act.OFFER_CALLBACK] == 0
    # While it rings one seat, the last other free one is kept from lighter queues.
    slow = Ways(Rules(ring=4.0, missed=0.0), guard=())
    kept = told([call(0, priority=Priority.DANGER), call(1)], [*one, *one], slow)
    assert waits(kept)[1] == pytest.approx(3 + 4, abs=1.001)
    order = told([call(0, talk=60), call(1), call(2, priority=Priority.ELDERLY)], one, Ways(QUICK, guard=()))
    assert waits(order)[2] < waits(order)[1]
    # Who gave up and calls again within the hour goes before those who came meanwhile.
    impatient = Drawn(Caller(1.0, 60.0, 10.0, (Try(0.0, 10.0), Try(30.0, inf))), "citizen", "citizen")
    again = told([call(0, talk=60), impatient, call(12)], one, Ways(QUICK, guard=()))
    assert sorted(waits(again)) == [0, 1, 12, 41]
    assert waits(again)[41] == pytest.approx(29, abs=1) and waits(again)[12] > 100


def test_who_asks_to_be_called_back_keeps_the_place() -> None:
    people = [Worker({"citizen": FIRST})]
    calls = [call(0, talk=60, wrap_up=5), call(10, talk=30, wrap_up=0, asks=True, reached=(True,)), call(20, talk=10)]
    trial = told(calls, people)
    ended = {each.at: each for _, each in trial.ended}
    assert ended[10].outcome is Outcome.CALLBACK and ended[10].waited == pytest.approx(17.4)
    assert (trial.asked["citizen"], trial.reached["citizen"]) == (1, 1)
    assert ended[20].waited > 80, "he came later: called back at 65, 8 s until he answers, 30 s talk"
    vain = told([calls[0], call(10, asks=True, reached=(False, False, False))], people)
    assert (vain.asked["citizen"], vain.reached["citizen"]) == (1, 0)


def test_a_seat_that_misses_two_rings_is_away() -> None:
    trial = run([call(0, talk=5)], [Worker({"citizen": FIRST})], Ways(Rules(missed=1.0), guard=()), _Twice())
    assert trial.ended[0][1].waited == pytest.approx(10 + 1 + 10 + 120 + 0.5, abs=1.01)


class _Twice(Random):
    """The first two rings are missed."""

    rolled = 0

    def random(self) -> float:
        self.rolled += 1
        return 0.0 if self.rolled <= 2 else 1.0


def test_people_come_go_and_take_what_is_due_after_the_call() -> None:
    worker = Worker({"citizen": FIRST}, duty=((100.0, 1_000.0),), breaks=((150.0, 50.0),))
    calls = [call(0), call(120, talk=60), call(130, talk=10), call(1_200)]
    trial = told(calls, [worker], Ways(QUICK, guard=()))
    outcomes = {each.at: each.outcome for _, each in trial.ended}
    assert outcomes[0] is outcomes[1_200] is Outcome.NOBODY_ON_DUTY
    assert waits(trial)[130] == pytest.approx(180 + 10 + 50 - 130, abs=1.01), "the break begins after the wrap-up"
    assert trial.staffed == 850


def test_who_waits_too_long_is_sent_away() -> None:
    trial = told([call(0, talk=5_000), call(1)], [Worker({"citizen": FIRST})], Ways(QUICK, guard=(), longest_wait=600))
    assert [(each.outcome, each.waited) for _, each in trial.ended][1] == (Outcome.TIMED_OUT, 600)
    full = told([call(0), call(1), call(2)], [Worker({"citizen": FIRST})], Ways(QUICK, guard=(), most_waiting=1))
    assert {each.at: each.outcome for _, each in full.ended}[2] is Outcome.REFUSED


def test_the_same_people_pooled_and_split() -> None:
    people = [Worker({"a": FIRST, "b": SECOND}), Worker({"b": BACKUP}), Worker({"a": VOLUNTEER, "b": VOLUNTEER})]
    assert [each.levels for each in one_pool(people, ["a", "b"])] == [
        {"a": FIRST, "b": FIRST},
        {"a": FIRST, "b": FIRST},
        {"a": VOLUNTEER, "b": VOLUNTEER},
    ]
    assert [each.levels for each in strict_split(people)] == [{"a": FIRST}, {"b": BACKUP}, {}]


@settings(max_examples=15, deadline=None, derandomize=True)  # a rare town redials for minutes
@given(st.integers(0, 2**32), st.floats(0, 0.2))
def test_no_call_is_lost_whatever_happens(seed: int, missed: float) -> None:
    chance = Random(seed)
    queues = ("citizen", "enterprise")
    people = [
        Worker(
            {queue: Level(chance.randint(1, 4)) for queue in queues if chance.random() < 0.8},
            duty=((chance.uniform(0, 600), chance.uniform(1_800, 4_000)),),
            breaks=((chance.uniform(600, 2_000), chance.uniform(10, 600)),),
        )
        for _ in range(chance.randint(1, 8))
    ]
    calls = [
        Drawn(each, queue, queue, asks=chance.random() < 0.5, reached=tuple(chance.random() < 0.5 for _ in range(3)))
        for queue in queues
        for each in callers([40.0] * 4, 900, Citizens(), chance)
    ]
    trial = run(calls, people, Ways(Rules(missed=missed), guard=GUARD), Random(seed))
    assert sum(not each.again for _, each in trial.ended) == len(calls), "every first call has one outcome"
    assert all(each.waited >= 0 for _, each in trial.ended)
    assert trial.asked.total() == sum(each.outcome is Outcome.CALLBACK for _, each in trial.ended)
    assert trial.reached.total() <= trial.asked.total()
