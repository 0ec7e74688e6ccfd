"""Whom we call back, and when: the rules of the list, without a telephone."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agents.service_level import Outcome
from callcenter.callbacks.flow import Entry, Hours, Roll, Rules, State, entry_of
from callcenter.floor.model import Call

START = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)  # noon in the city
ZONE = ZoneInfo("Asia/Shanghai")
GAPS = (timedelta(minutes=2), timedelta(minutes=10))


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def roll(*, dial_given_up: bool = False) -> Roll:
    return Roll(Rules(GAPS, Hours(time(8), time(21), ZONE), dial_given_up))


def key(number: str) -> bytes | None:
    return number.encode() or None


def asked(name: str, number: str = "", at: float = 0, **more: Any) -> Entry:
    """Somebody who came into the queue at `at` and asked 20 s later."""
    given: dict[str, Any] = {
        "id": f"n1-{name}",
        "number": number or f"1380000{int(at):04}",
        "origin": "asked",
        "service": "unified",
        "queue": "citizen",
        "language": "zh",
        "place_at": after(at),
        "asked_at": after(at + 20),
        "updated_at": after(at + 20),
    } | more
    return Entry(**{"number_key": given["number"].encode(), "caller_key": given["number"].encode()} | given)


def turn(
    of: Roll, *waiting: float, free: int = 1, now: float = 60, queues: tuple[str, ...] = ("citizen",)
) -> str | None:
    entry = of.turn(queues, free=free, waiting=[after(each) for each in waiting], now=after(now))
    return entry.id if entry else None


def test_the_place_is_kept_among_live_callers() -> None:
    r = roll()
    r.add(asked("b", at=10))
    r.add(asked("a", at=5))
    assert turn(r) == "n1-a", "who waits longest"
    assert turn(r, 7, 30) == "n1-a", "those who came later wait on"
    assert turn(r, 3) is None, "who came before goes before"
    assert turn(r, 3, free=2) == "n1-a", "there is a seat for each of them"
    assert turn(r, 3, 4, free=2) is None
    assert turn(r, queues=("english",)) is None


def test_who_gave_up_comes_last_and_only_when_told_to_and_nobody_waits() -> None:
    for dial in (False, True):
        r = roll(dial_given_up=dial)
        r.add(asked("gone", at=0, origin="abandoned_queue"))
        assert turn(r) == ("n1-gone" if dial else None)
        assert turn(r, 500) is None
        r.add(asked("asked", at=30))
        assert turn(r, 500) == "n1-asked"


def test_three_tries_with_growing_gaps_in_allowed_hours() -> None:
    r = roll()
    r.add(asked("a"))
    at = 60.0
    for gap in (*GAPS, None):
        assert turn(r, now=at) == "n1-a"
        r.dial("n1-a", f"n1-1.{int(at)}", "1001", "li.mei", after(at))
        assert turn(r, now=at) is None, "not twice at once"
        (entry,) = r.tried(f"n1-1.{int(at)}", Outcome.NOT_REACHED, after(at))
        if gap is None:
            assert (entry.state, entry.tries) == (State.FAILED, 3)
            continue
        assert entry.state is State.WAITING
        assert turn(r, now=at + gap.total_seconds() - 1) is None
        at += gap.total_seconds()
    assert turn(r, now=at + 1) is None


def test_the_first_try_is_at_any_hour_and_the_others_are_not_at_night() -> None:
    r = roll()
    night = 12 * 3600.0
    r.add(asked("a", at=night))
    assert turn(r, now=night + 30) == "n1-a", "he waits for it"
    r.dial("n1-a", "n1-1.1", "1001", "li.mei", after(night + 30))
    r.tried("n1-1.1", Outcome.NOT_REACHED, after(night + 60))
    assert turn(r, now=night + 3600) is None
    assert turn(r, now=20 * 3600) == "n1-a"


@pytest.mark.parametrize("outcome", [Outcome.NOBODY_ON_DUTY, Outcome.TIMED_OUT, Outcome.INTERRUPTED])
def test_what_was_our_fault_is_no_try_of_his(outcome: Outcome) -> None:
    r = roll()
    r.add(asked("a"))
    r.dial("n1-a", "n1-1.1", "1001", "li.mei", after(60))
    (entry,) = r.tried("n1-1.1", outcome, after(90))
    assert (entry.state, entry.tries) == (State.WAITING, 0)


def test_one_number_is_one_entry() -> None:
    r = roll()
    r.add(asked("a", "13800000001", 0))
    (second,) = r.add(asked("b", "13800000001", 50))
    assert (second.state, second.reason) == (State.MERGED, "n1-a")
    (third,) = r.add(asked("c", "13800000001", 90, origin="timed_out"))
    assert third.state is State.MERGED
    assert [entry.id for entry in r.open()] == ["n1-a"]
    assert r.add(asked("a", "13800000001", 0)) == [], "told twice"
    (typed,) = r.add(asked("a", "13800000002", 0))
    assert typed.number == "13800000002", "unless another number was typed"


def test_asking_takes_the_place_of_having_given_up() -> None:
    r = roll()
    r.add(asked("gone", "13800000001", 0, origin="abandoned_queue"))
    changed = r.add(asked("a", "13800000001", 50))
    assert {entry.id: entry.state for entry in changed} == {"n1-a": State.WAITING, "n1-gone": State.MERGED}


def test_calling_again_cancels_and_giving_up_again_brings_the_place_back() -> None:
    r = roll()
    r.add(asked("a", "13800000001", 0))
    (entry,) = r.called(b"13800000001", "n1-again", after(100))
    assert (entry.state, entry.reason) == (State.CANCELLED, "called_again")
    assert turn(r, now=110) is None
    (entry,) = r.hung_up("n1-again", after(120), answered=False)
    assert (entry.state, entry.place_at) == (State.WAITING, after(0))
    r.called(b"13800000001", "n1-third", after(130))
    assert r.hung_up("n1-third", after(140), answered=True) == []
    assert r.open() == []


def test_asking_again_keeps_the_first_place() -> None:
    r = roll()
    r.add(asked("a", "13800000001", 0))
    r.called(b"13800000001", "n1-b", after(100))
    (entry,) = r.add(asked("b", "13800000001", 100))
    assert entry.place_at == after(0)


def test_a_call_from_his_own_telephone_counts_though_another_number_was_typed() -> None:
    r = roll()
    r.add(asked("a", "13800000002", 0, caller_key=b"13800000001"))
    assert r.called(b"13800000001", "n1-again", after(100))


def test_being_reached_in_another_call_settles_it() -> None:
    r = roll()
    r.add(asked("a", "13800000001", 0))
    (entry,) = r.talked(b"13800000001", "n1-out", after(100))
    assert (entry.state, entry.reason) == (State.CANCELLED, "reached_otherwise")


def test_late_word_from_the_files_changes_nothing_that_came_after() -> None:
    r = roll()
    r.add(asked("a", "13800000001", 0))
    r.called(b"13800000001", "n1-again", after(100))
    r.hung_up("n1-again", after(120), answered=False)
    assert r.called(b"13800000001", "n1-again", after(100)) == []
    assert r.talked(b"13800000001", "n1-older", after(50)) == []


def test_what_was_written_down_joins_what_was_asked_meanwhile() -> None:
    before, r = asked("a", "13800000001", 0, version=4), roll()
    r.add(asked("b", "13800000001", 50))
    (merged,) = r.load([before])
    assert (merged.id, merged.state, merged.reason) == ("n1-b", State.MERGED, "n1-a")
    assert r.load([asked("a", "13800000001", 0, version=3)]) == []
    assert r.entries["n1-a"].version == 4


def test_a_day_later_nobody_is_called_any_more() -> None:
    r = roll()
    r.add(asked("a"))
    assert r.expire(after(86_000)) == []
    (entry,) = r.expire(after(86_500))
    assert entry.state is State.EXPIRED


@pytest.mark.parametrize(
    ("number", "callback", "outcome", "origin"),
    [
        ("13800000001", "13800000002", Outcome.CALLBACK, "asked"),
        ("", "13800000002", Outcome.CALLBACK, "asked"),
        ("+8613800000001", None, Outcome.ABANDONED_QUEUE, "abandoned_queue"),
        ("13800000001", None, Outcome.NOBODY_ON_DUTY, "nobody_on_duty"),
        ("13800000001", None, Outcome.ABANDONED_GREETING, None),
        ("13800000001", None, Outcome.ANSWERED, None),
        ("13800000001", None, Outcome.UNKNOWN_GAP, None),
        ("+442079460000", None, Outcome.ABANDONED_QUEUE, None),
        ("", None, Outcome.ABANDONED_QUEUE, None),
    ],
)
def test_who_comes_onto_the_list(number: str, callback: str | None, outcome: Outcome, origin: str | None) -> None:
    call = Call("n1-1.1", START, number=number, queue="citizen", queued_at=after(5), outcome=outcome)
    call.callback, call.ended_at, call.left_at = callback, after(40), after(30) if callback else None
    entry = entry_of(call, key)
    assert (entry and entry.origin) == origin
    if entry:
        assert entry.number == (callback or number.removeprefix("+86")) and entry.place_at == after(5)


def test_our_own_calls_never_come_onto_the_list() -> None:
    call = Call("n1-1.900000001", START, number="13800000001", outcome=Outcome.ABANDONED_QUEUE, ended_at=after(9))
    assert not call.inbound and entry_of(call, key) is None
