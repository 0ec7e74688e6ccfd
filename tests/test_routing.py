"""The rules of routing: who rings for which queue and when, and who goes before others."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.guard import GUARD, LATEST, REACH, Act, BadGuard, Deadline, checked, hastened, last_widening, reach
from agents.priority import WEIGHTS, Earlier, Priority, known, weight
from agents.queues import DANGER, ENTERED, POOL, STANDBY
from agents.service_level import Outcome
from agents.skills import Level, Sitting, default_levels, memberships, tier
from callcenter.routing.routes import EnteredName, QueueName
from dialplan.routing import queuerules_conf

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)

LEVELS = st.dictionaries(st.sampled_from(POOL), st.sampled_from(Level))
SITTING = st.lists(st.tuples(LEVELS, st.booleans()), max_size=12).map(
    lambda found: [Sitting(str(1001 + n), levels, working) for n, (levels, working) in enumerate(found)]
)


# --- skills -----------------------------------------------------------------------------------------------------------


def one_queue(*levels: int, away: int = 0) -> list[int]:
    """The tiers in one queue of people of these levels, the last `away` of whom are on a break."""
    sitting = [Sitting(str(n), {"citizen": Level(level)}, n < len(levels) - away) for n, level in enumerate(levels)]
    return [memberships(sitting)[str(n)]["citizen"] for n in range(len(levels))]


def test_by_default_all_operators_are_one_pool_and_supervisors_volunteer() -> None:
    assert default_levels(["operator"]) == dict.fromkeys(POOL, Level.FIRST)
    assert default_levels(["supervisor"]) == dict.fromkeys(POOL, Level.VOLUNTEER)
    assert default_levels(["operator", "supervisor"]) == dict.fromkeys(POOL, Level.FIRST)
    assert default_levels(["admin"]) == {}


def test_each_level_is_a_tier_of_its_own_while_the_first_is_there() -> None:
    assert one_queue(1, 2, 3, 4) == [0, 1, 2, 3]


def test_nobody_waits_for_people_who_are_not_there() -> None:
    assert one_queue(2, 3, 4) == [0, 2, 3], "the others keep their deadlines"
    assert one_queue(4) == [0], "a volunteer alone is everybody"
    assert one_queue(2, 1, away=1) == [0, 0], "who is on a break is not there, and comes back as the first"
    assert one_queue(1, 2, away=2) == [0, 1], "nobody works: as if they did"


def test_the_api_names_the_queues_that_there_are() -> None:
    assert get_args(QueueName) == POOL
    assert get_args(EnteredName) == tuple(queue.code for queue in ENTERED)


def test_who_serves_nothing_stands_by() -> None:
    assert memberships([Sitting("1001", {}, True)]) == {"1001": {STANDBY.code: 0}}


@given(SITTING)
def test_every_queue_that_somebody_works_for_has_somebody_who_rings_at_once(sitting: list[Sitting]) -> None:
    found = memberships(sitting)
    assert found.keys() == {each.seat for each in sitting}
    for queue in POOL:
        working = [found[each.seat][queue] for each in sitting if each.working and queue in each.levels]
        assert not working or min(working) == 0
    for each in sitting:
        mine = found[each.seat]
        assert mine.keys() == ({*each.levels, DANGER.code} if each.levels else {STANDBY.code})
        assert DANGER.code not in mine or mine[DANGER.code] == min(mine[queue] for queue in each.levels)
        for queue, level in each.levels.items():
            assert found[each.seat][queue] in {0, tier(level)}


@given(SITTING)
def test_a_better_level_never_rings_later(sitting: list[Sitting]) -> None:
    found = memberships(sitting)
    for queue in POOL:
        serving = sorted((each.levels[queue], found[each.seat][queue]) for each in sitting if queue in each.levels)
        assert [tier for _, tier in serving] == sorted(tier for _, tier in serving)


# --- the guard --------------------------------------------------------------------------------------------------------


def test_the_guard_acts_before_the_promise_breaks() -> None:
    assert [(each.seconds, each.act) for each in GUARD] == [
        (5, "widen"),
        (8, "backup"),
        (12, "volunteers"),
        (15, "offer_callback"),
    ]
    assert [reach(GUARD, waited) for waited in (0, 4, 5, 7, 8, 11, 12, 99)] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert checked(GUARD) == GUARD


def test_public_danger_reaches_everybody_at_once_and_is_not_put_off() -> None:
    assert [each.act for each in hastened(GUARD)] == ["widen", "backup", "volunteers"]
    assert reach(hastened(GUARD), 0) == reach(GUARD, last_widening(GUARD))


@pytest.mark.parametrize(
    "deadlines",
    [
        GUARD[:3],
        (*GUARD, GUARD[0]),
        (GUARD[1], GUARD[0], *GUARD[2:]),
        (*GUARD[:3], Deadline(12, Act.OFFER_CALLBACK)),
        (Deadline(0, Act.WIDEN), *GUARD[1:]),
        (*GUARD[:3], Deadline(LATEST + 1, Act.OFFER_CALLBACK)),
    ],
)
def test_a_guard_that_makes_no_sense_is_refused(deadlines: tuple[Deadline, ...]) -> None:
    with pytest.raises(BadGuard):
        checked(deadlines)


@given(st.lists(st.integers(1, LATEST), min_size=4, max_size=4, unique=True).map(sorted), st.integers(0, LATEST))
def test_asterisks_rules_say_what_the_table_says(seconds: list[int], waited: int) -> None:
    """A call that enters after `waited` seconds is let reach, later, whom the table lets it reach."""
    guard = checked([Deadline(each, act) for each, act in zip(seconds, Act, strict=True)])
    waited = min(waited, last_widening(guard))
    section = queuerules_conf(guard).partition(f"[guard{waited}]\n")[2].partition("[")[0]
    changes = [line.removeprefix("penaltychange => ").split(",") for line in section.splitlines() if line]
    # app_queue acts one second after the one that is written.
    told = [(waited + int(after) + 1, int(most)) for after, most in changes]
    assert told == [(each.seconds, REACH[each.act]) for each in guard if each.act in REACH and each.seconds > waited]
    assert all(int(after) >= 0 for after, _ in changes)


# --- priority ---------------------------------------------------------------------------------------------------------


def test_danger_goes_before_all_and_nothing_before_a_plain_call_but_a_reason() -> None:
    assert [each for each, _ in sorted(WEIGHTS.items(), key=lambda item: -item[1])] == list(Priority)
    assert weight("") == weight("no such word") == 0 < min(WEIGHTS.values())


def test_what_records_say_of_the_next_call() -> None:
    def call(minutes: float, outcome: Outcome | None) -> Earlier:
        return Earlier(NOW - timedelta(minutes=minutes), outcome)

    assert known([], NOW) is None
    assert known([call(61, Outcome.INTERRUPTED)], NOW) is None
    assert known([call(59, Outcome.ANSWERED)], NOW) is Priority.AGAIN
    assert known([call(1, None)], NOW) is Priority.AGAIN
    assert known([call(2, Outcome.ANSWERED), call(30, Outcome.INTERRUPTED)], NOW) is Priority.CUT_OFF
    assert known([call(2, Outcome.UNKNOWN_GAP)], NOW) is Priority.AGAIN, "nobody knows that it was a fault"
