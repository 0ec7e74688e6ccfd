"""The promises in figures, against the slow and obvious way to count them."""

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.service_level import DAY_MINUTES, Outcome, Tally, Window, in_time, worst_day
from callcenter.floor.changes import CallEnded
from callcenter.floor.model import Call, Leg
from callcenter.reports.tally import Book, MinuteRow

SHANGHAI = ZoneInfo("Asia/Shanghai")
#: 23:59:00 in Shanghai, as UTC.
LATE = datetime(2026, 3, 1, 15, 59, tzinfo=UTC)


def test_fifteen_seconds_are_in_time_and_one_millisecond_more_is_not() -> None:
    assert in_time(15_000)
    assert not in_time(15_001)


def test_every_share_is_over_all_offered() -> None:
    """telephony.md C6: of 6 offered 1 was answered in time; app_queue itself called that 100 %."""
    tally = Tally()
    assert (tally.service_level, tally.connect_rate) == (None, None)
    tally.add(Outcome.ANSWERED, 1_000, 2_000)
    tally.add(Outcome.ANSWERED, 15_001, 16_000)
    tally.add(Outcome.ABANDONED_QUEUE, None, None)
    tally.add(Outcome.ABANDONED_GREETING, None, None)
    tally.add(Outcome.TIMED_OUT, None, None)
    tally.add(Outcome.UNKNOWN_GAP, None, None)
    assert (tally.offered, tally.answered, tally.in_time, tally.abandoned, tally.other) == (6, 2, 1, 2, 2)
    assert tally.service_level == pytest.approx(1 / 6)
    assert tally.connect_rate == pytest.approx(2 / 6)


def test_the_two_clocks_are_two() -> None:
    tally = Tally()
    tally.add(Outcome.ANSWERED, 14_000, 19_000)
    assert (tally.in_time, tally.in_time_from_invite) == (1, 0)


@given(st.lists(st.tuples(st.sampled_from(Outcome), st.none() | st.integers(0, 40_000)), max_size=30))
def test_every_offered_call_is_counted_once(calls: list[tuple[Outcome, int | None]]) -> None:
    total, parts = Tally(), [Tally(), Tally()]
    for n, (outcome, wait) in enumerate(calls):
        total.add(outcome, wait, wait)
        parts[n % 2].add(outcome, wait, wait)
    assert total.offered == total.answered + total.abandoned + total.callback + total.other == len(calls)
    assert total.in_time <= total.answered
    joined = Tally()
    for part in parts:
        joined += part
    assert joined == total
    joined -= parts[0]
    assert joined == parts[1]


# --- any 24 hours in a row --------------------------------------------------------------------------------------------


def slow_worst_day(minutes: dict[int, Tally], first: int, last: int, share: str) -> Window | None:
    """Every window, one after the other."""
    worst = None
    for start in range(first, max(first, last - DAY_MINUTES + 1) + 1):
        total = Tally()
        for minute in range(start, start + DAY_MINUTES):
            if minute in minutes:
                total += minutes[minute]
        value = getattr(total, share)
        if value is not None and (worst is None or value < worst.share):
            worst = Window(start, value)
    return worst


@settings(max_examples=60, deadline=None)
@given(
    calls=st.lists(st.tuples(st.integers(0, 1800), st.booleans(), st.integers(1, 3)), max_size=25),
    share=st.sampled_from(["service_level", "connect_rate"]),
    length=st.integers(0, 1800) | st.integers(DAY_MINUTES - 2, 1800),
)
@example(calls=[(0, False, 1)], share="connect_rate", length=1800)
def test_the_worst_day_is_the_worst_of_all_windows(calls: list[tuple[int, bool, int]], share: str, length: int) -> None:
    minutes: dict[int, Tally] = {}
    for minute, answered, count in calls:
        if minute <= length:
            for _ in range(count):
                outcome = Outcome.ANSWERED if answered else Outcome.ABANDONED_QUEUE
                minutes.setdefault(minute, Tally()).add(outcome, 1 if answered else None, None)
    quick = worst_day(sorted(minutes.items()), first=0, last=length, share=share)
    slow = slow_worst_day(minutes, 0, length, share)
    assert (quick and quick.share) == (slow and slow.share)
    if quick is not None:
        assert 0 <= quick.start <= max(0, length - DAY_MINUTES + 1)
        window = [minutes[m] for m in minutes if quick.start <= m < quick.start + DAY_MINUTES]
        again = Tally()
        for tally in window:
            again += tally
        assert getattr(again, share) == quick.share


def test_a_bad_hour_across_midnight_is_found() -> None:
    """A calendar day would hide it: half of the bad hour falls on each side."""
    rng = random.Random(1)
    minutes = []
    for minute in range(4 * DAY_MINUTES):
        tally = Tally()
        bad = 2 * DAY_MINUTES - 300 <= minute < 2 * DAY_MINUTES + 300
        for _ in range(rng.randint(0, 2)):
            tally.add(Outcome.ABANDONED_QUEUE if bad else Outcome.ANSWERED, None if bad else 1, None)
        if tally.offered:
            minutes.append((minute, tally))
    worst = worst_day(minutes, first=0, last=4 * DAY_MINUTES - 1, share="connect_rate")
    assert worst is not None
    assert worst.start <= 2 * DAY_MINUTES - 300
    assert worst.start + DAY_MINUTES >= 2 * DAY_MINUTES + 300
    assert worst.share < 0.7


# --- the book ---------------------------------------------------------------------------------------------------------


def ended(
    arrived: datetime, *, wait: float | None = None, outcome: Outcome = Outcome.ANSWERED, service: str = "unified"
) -> CallEnded:
    call = Call(f"t1-{arrived.timestamp()}", arrived, service=service, dialed="12345", queued_at=arrived)
    call.ended_at, call.outcome = arrived + timedelta(seconds=30), outcome
    if wait is not None:
        call.legs = [
            Leg("1001", "li.mei", "citizen", "PJSIP/1001-00000001", arrived, arrived + timedelta(seconds=wait))
        ]
    return CallEnded(call.ended_at, call)


def test_the_day_begins_at_midnight_in_the_city() -> None:
    book = Book(SHANGHAI, LATE)
    book([ended(LATE, wait=3), ended(LATE + timedelta(seconds=10), outcome=Outcome.ABANDONED_QUEUE)])
    before = book.figures(LATE + timedelta(seconds=50))
    assert (before["day"], before["offered"], before["answered"], before["in_time"]) == ("2026-03-01", 2, 1, 1)
    assert before["connect_rate"] == 0.5
    assert before["waits"] == {"p50": 3000, "p90": 3000, "max": 3000}
    after = book.figures(LATE + timedelta(seconds=61))
    assert (after["day"], after["offered"], after["connect_rate"], after["waits"]) == ("2026-03-02", 0, None, None)
    assert sum(minute["offered"] for minute in after["last_hour"]) == 2
    assert len(after["last_hour"]) == 60
    assert after["last_hour"][-1]["minute"] == "2026-03-01T16:00:00.000Z"
    assert after["worst24"]["connect_rate"] == {"share": 0.5, "start": "2026-03-01T15:59:00.000Z"}


def test_a_call_counts_for_the_minute_in_which_it_came() -> None:
    """Come before midnight and answered after it: of the old day."""
    book = Book(SHANGHAI, LATE)
    book([ended(LATE + timedelta(seconds=59), wait=4)])
    assert book.figures(LATE + timedelta(seconds=90))["offered"] == 0


def test_services_are_counted_apart_and_the_busiest_stands_first() -> None:
    book = Book(SHANGHAI, LATE)
    book([ended(LATE, wait=16, service="labour"), ended(LATE, wait=1), ended(LATE, wait=2)])
    figures = book.figures(LATE)
    assert [(row["service"], row["offered"], row["in_time"]) for row in figures["services"]] == [
        ("unified", 2, 2),
        ("labour", 1, 0),
    ]
    assert figures["service_level"] == pytest.approx(2 / 3)
    assert figures["connect_rate"] == 1


def test_from_the_ledger_and_from_memory_no_call_is_counted_twice() -> None:
    book = Book(SHANGHAI, LATE)
    old, new = ended(LATE - timedelta(minutes=3), wait=1), ended(LATE, wait=2)
    book([old, new])
    tally = Tally()
    tally.add(Outcome.ANSWERED, 1000, 1000)
    row = MinuteRow(int(old.call.arrived_at.timestamp()) // 60, "unified", tally)
    book.replace([row], [1000], until=LATE, since=LATE - timedelta(days=8))
    figures = book.figures(LATE + timedelta(seconds=40))
    assert (figures["offered"], figures["answered"]) == (2, 2)
    assert figures["waits"] == {"p50": 2000, "p90": 2000, "max": 2000}
    assert figures["since"] == "2026-02-21T15:59:00.000Z"


def test_what_is_older_than_eight_days_is_forgotten() -> None:
    book = Book(SHANGHAI, LATE)
    book([ended(LATE, outcome=Outcome.ABANDONED_QUEUE)])
    worst = book.figures(LATE + timedelta(days=7))["worst24"]["connect_rate"]
    assert worst == {"share": 0, "start": "2026-03-01T15:59:00.000Z"}
    assert book.figures(LATE + timedelta(days=9))["worst24"]["connect_rate"] is None
