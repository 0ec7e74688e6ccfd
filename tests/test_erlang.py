"""Seats for a load of calls: published tables, the properties that any such formula has, and a run of chance."""

from random import Random
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.arrivals import Citizens, callers
from agents.erlang import Answering, erlang_a, erlang_b, erlang_c, load, seats_needed
from agents.trial import IDEAL, run

CALLS = st.floats(0.1, 5_000)
HANDLING = st.floats(5, 1_000)
SEATS = st.integers(1, 400)
PATIENCE = st.floats(1, 3_600)


@pytest.mark.parametrize(
    ("calls", "seats"),
    [
        # calls an hour, seats for 80, 90 and 95 % within 15 s; talk 150 s and wrap-up 60 s (reliability.md 2.6)
        (60, (6, 7, 8)),
        (200, (16, 17, 18)),
        (600, (41, 43, 45)),
        (1_800, (113, 116, 119)),
        (3_600, (220, 224, 228)),
        (7_200, (432, 437, 441)),
        # busy hours of cities (domain.md 5)
        (150, (12, 13, 15)),
        (500, (35, 36, 38)),
        (1_000, (65, 68, 70)),
        (2_500, (155, 158, 162)),
        (6_000, (362, 366, 370)),
    ],
)
def test_the_tables_of_the_specification(calls: float, seats: tuple[int, ...]) -> None:
    assert tuple(seats_needed(calls, 210, share) for share in (0.80, 0.90, 0.95)) == seats


@pytest.mark.parametrize(
    ("lines", "blocked", "erlangs", "digits"),
    [
        # D. Collins, Carrier Grade Voice over IP, 2nd edition (2003), appendix A, to a tenth of an erlang
        *((5, share, load, 1) for share, load in ((0.001, 0.8), (0.01, 1.4), (0.05, 2.2))),
        *((8, share, load, 1) for share, load in ((0.001, 2.1), (0.01, 3.1), (0.05, 4.5))),
        *((9, share, load, 1) for share, load in ((0.001, 2.6), (0.01, 3.8), (0.05, 5.4))),
        # Westbay Engineers, Erlang calculator manual, "How much traffic?" (erlang.com)
        (15, 0.01, 8.108, 3),
    ],
)
def test_the_published_tables_of_erlang_b(lines: int, blocked: float, erlangs: float, digits: int) -> None:
    """On which Erlang C stands: the most load at which no more than this share finds all lines busy."""
    rounding = 0.5 * 10**-digits
    assert erlang_b(erlangs - rounding, lines) <= blocked <= erlang_b(erlangs + rounding, lines)


def test_the_published_examples_of_erlang_c() -> None:
    """Mitan, The Erlang-C Formula (mitan.co.uk, elgcmath); Call Centre Helper, Erlang C Formula - Made Simple, table of
    agents; V. Rodriguez, Erlang C calculator (personal.telefonica.terra.es/web/vr/erlang).
    """
    # 360 calls in half an hour, 4 min each, 55 agents, 15 s.
    tutorial = erlang_c(720, 240, 55)
    assert (tutorial.waits, tutorial.mean_wait, tutorial.occupancy) == pytest.approx((0.239, 8.18, 0.873), abs=0.005)
    # 10 erlangs, calls of 3 min, 20 s.
    table = {n: erlang_c(200, 180, n, target=20) for n in (11, 12, 13, 14)}
    assert [table[n].waits for n in table] == pytest.approx([0.6821, 0.4494, 0.2853, 0.1741], abs=5e-5)
    assert (table[14].in_time, table[14].mean_wait) == pytest.approx((0.888, 7.8), abs=0.05)
    # 600 calls an hour of 120 s: 26 agents are the fewest for a waiting share of 15 %, then 3 s in the mean; 30: 2.5 %.
    fewest = {n: erlang_c(600, 120, n) for n in (25, 26, 30)}
    assert fewest[25].waits > 0.15 >= fewest[26].waits
    assert fewest[26].mean_wait == pytest.approx(3, abs=0.5)
    assert fewest[30].waits == pytest.approx(0.025, abs=0.0005)


def test_the_published_example_of_impatient_callers() -> None:
    """Garnett, Mandelbaum and Reiman, Designing a Call Center with Impatient Customers (2002), table 1.

    50 agents, 48 calls a minute of one minute: 20.8 s mean wait without abandonment; with a patience of 2 min
    3.1 % abandon, 3.7 s mean wait, occupancy 93 % in place of 96 %.
    """
    patient, impatient = erlang_c(2_880, 60, 50), erlang_a(2_880, 60, 50, patience=120)
    assert (patient.mean_wait, patient.occupancy) == pytest.approx((20.8, 0.96), abs=0.05)
    assert impatient.abandons == pytest.approx(0.031, abs=0.0005)
    assert (impatient.mean_wait, impatient.occupancy) == pytest.approx((3.7, 0.93), abs=0.05)


@pytest.mark.parametrize(
    ("calls", "seats", "in_time", "lost"),
    [(600, 37, 0.806, 0.051), (600, 39, 0.877, 0.032), (3_600, 212, 0.918, 0.027), (3_600, 220, 0.968, 0.013)],
)
def test_impatience_as_the_specification_computes_it(calls: float, seats: int, in_time: float, lost: float) -> None:
    found = erlang_a(calls, 210, seats, patience=120)
    assert (found.in_time, found.abandons) == pytest.approx((in_time, lost), abs=0.001)


def test_both_formulas_hold_against_chance() -> None:
    """The share in time and of abandons in ten runs of an ideal pool, within 3.3 standard errors of the formula."""
    seats, calls, handling = 50, 2_880, 60.0
    for patience in (None, 120.0):
        formula = erlang_a(calls, handling, seats, patience=patience) if patience else erlang_c(calls, handling, seats)
        citizens = Citizens(talk=handling, wrap_up=0, patience=patience, balk=0, redial=0, exponential=True)
        runs = []
        for seed in range(10):
            drawn = callers([calls * 2], 7_200, citizens, Random(seed))
            runs.append(run(drawn, [seats], 7_200, IDEAL, Random(0)).tally(since=600))
        for seen, computed in (
            ([each.service_level for each in runs], formula.in_time),
            ([each.abandoned / each.offered for each in runs], formula.abandons),
        ):
            error = stdev(seen) / len(seen) ** 0.5
            assert abs(mean(seen) - computed) <= 3.3 * error + 1e-9, (patience, mean(seen), computed, error)


@given(CALLS, HANDLING, SEATS, PATIENCE)
def test_shares_are_shares_and_another_seat_never_harms(
    calls: float, handling: float, seats: int, patience: float
) -> None:
    def either(n: int) -> tuple[Answering, Answering]:
        return erlang_c(calls, handling, n), erlang_a(calls, handling, n, patience=patience)

    for less, more in zip(either(seats), either(seats + 1), strict=True):
        for share in (less.waits, less.in_time, less.abandons, less.occupancy):
            assert -1e-9 <= share <= 1 + 1e-9
        assert more.in_time >= less.in_time - 1e-9
        assert more.waits <= less.waits + 1e-9
        assert more.mean_wait <= less.mean_wait + 1e-9
        assert less.in_time + less.abandons <= 1 + 1e-9
    # Who hangs up makes room: those who stay are answered sooner than in a house where nobody does.
    patient, impatient = either(seats)
    assert impatient.mean_wait <= patient.mean_wait * (1 + 1e-9)


@given(CALLS, HANDLING, st.floats(0.05, 0.99), st.none() | PATIENCE)
def test_the_seats_needed_are_enough_and_one_less_is_not(
    calls: float, handling: float, share: float, patience: float | None
) -> None:
    def in_time(seats: int) -> float:
        if patience is None:
            return erlang_c(calls, handling, seats).in_time
        return erlang_a(calls, handling, seats, patience=patience).in_time

    seats = seats_needed(calls, handling, share, patience=patience)
    assert in_time(seats) >= share
    assert seats >= 1 and (seats == 1 or in_time(seats - 1) < share)


@given(CALLS, HANDLING, SEATS)
def test_endless_patience_is_erlang_c(calls: float, handling: float, seats: int) -> None:
    if load(calls, handling) > 0.97 * seats:
        return  # the longer the queue, the longer it takes until a patience of years makes no difference
    patient, nearly = erlang_c(calls, handling, seats), erlang_a(calls, handling, seats, patience=1e9)
    assert nearly.in_time == pytest.approx(patient.in_time, abs=1e-4)
    assert nearly.waits == pytest.approx(patient.waits, abs=1e-4)


def test_a_town_without_calls_and_one_with_millions() -> None:
    assert seats_needed(0, 210, 0.9) == 0
    assert erlang_c(0, 210, 0).in_time == 1.0
    assert erlang_c(600, 210, 35).in_time == 0.0, "as many erlangs as seats: the queue grows for ever"
    assert seats_needed(100_000, 210, 0.9) == 5_860
    overrun = erlang_a(200_000, 210, 9_000, patience=120)
    assert overrun.abandons == pytest.approx(1 - 9_000 / load(200_000, 210), abs=1e-6)
    assert erlang_b(5_000, 5_000) == pytest.approx(0.0112, abs=0.0001)  # sqrt(2 / (pi a)), for many seats
    assert erlang_a(600, 210, 0, patience=60).abandons == pytest.approx(1)


@pytest.mark.parametrize(
    "wrong", [(-1, 210, 5), (600, 0, 5), (float("nan"), 210, 5), (600, float("inf"), 5), (6, 9, -1)]
)
def test_what_no_call_center_has_is_refused(wrong: tuple[float, float, int]) -> None:
    with pytest.raises(ValueError):
        erlang_c(*wrong)
    with pytest.raises(ValueError):
        erlang_a(*wrong, patience=60)
    with pytest.raises(ValueError):
        seats_needed(600, 210, 1.0)
