"""Supervisions on the floor, by the facts alone."""

from datetime import UTC, datetime, timedelta

from stories import new_floor

from agents.supervision import Mode
from callcenter.asterisk.facts import HungUp, ModeAsked, Snapshot, Supervising, SupervisionAsked
from callcenter.calls.rows import supervision_rows
from callcenter.floor.changes import ModeLate, SupervisionMoved
from callcenter.floor.model import Floor
from callcenter.floor.resync import reconcile
from callcenter.floor.step import next_tick, step, tick

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
KEY = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
WHO = (KEY, "sunli", "1003", "limei", "1001", "t1-1.0")
PHONE = "PJSIP/1003-00000007"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def ringing() -> Floor:
    floor = new_floor()
    step(floor, SupervisionAsked(START, *WHO, Mode.LISTEN))
    return floor


def test_each_mode_is_a_stretch_of_its_own_on_record() -> None:
    floor = ringing()
    facts = [
        Supervising(at(2), *WHO, Mode.LISTEN, PHONE),
        Supervising(at(2), *WHO, Mode.LISTEN, PHONE),  # the same fact again
        Supervising(at(9), *WHO, Mode.WHISPER, PHONE),
        HungUp(at(12), PHONE, None),
    ]
    changes = [change for fact in facts for change in step(floor, fact)]
    assert all(isinstance(change, SupervisionMoved) for change in changes)
    rows = {}
    for change in changes:
        if isinstance(change, SupervisionMoved):
            rows |= {row["since"]: (row["mode"], row["until"]) for row in supervision_rows(change)}
    assert rows == {at(2): ("listen", at(9)), at(9): ("whisper", at(12))}
    assert floor.supervisions == {}


def test_a_phone_that_is_never_heard_of_is_given_up() -> None:
    floor = ringing()
    assert next_tick(floor) == at(17)
    assert tick(floor, at(16)) == []
    (change,) = tick(floor, at(17))
    assert isinstance(change, SupervisionMoved)
    assert change.over and change.was is None and supervision_rows(change) == []
    assert next_tick(floor) is None


def test_a_ring_declined_is_over_and_another_seats_is_not_meant() -> None:
    floor = ringing()
    assert step(floor, HungUp(at(1), "PJSIP/1002-00000009", None)) == []
    assert len(step(floor, HungUp(at(1), "PJSIP/1003w-00000009", None))) == 1


def test_one_that_goes_on_while_the_service_starts_anew_is_known_by_its_next_word() -> None:
    floor = new_floor()
    step(floor, Supervising(at(30), *WHO, Mode.JOIN, PHONE))
    assert floor.supervisions[KEY].login == "sunli"
    snapshot = Snapshot(at=at(40), started_at=START, channels=(), members=())
    (over,) = [change for change in reconcile(floor, snapshot, {}, ()) if isinstance(change, SupervisionMoved)]
    assert over.over and over.was == (Mode.JOIN, at(30))


def test_a_mode_that_does_not_begin_is_asked_for_again_and_not_for_ever() -> None:
    floor = ringing()
    step(floor, Supervising(at(2), *WHO, Mode.LISTEN, PHONE))
    step(floor, ModeAsked(at(5), KEY, Mode.TAKE))
    assert next_tick(floor) == at(6)
    (late,) = tick(floor, at(6))
    assert isinstance(late, ModeLate) and late.supervision.wanted is Mode.TAKE
    step(floor, Supervising(at(6.1), *WHO, Mode.LISTEN, PHONE))  # the old mode, begun anew
    assert len(tick(floor, at(7))) == 1
    step(floor, Supervising(at(7.1), *WHO, Mode.TAKE, PHONE))
    assert next_tick(floor) is None
    step(floor, ModeAsked(at(9), KEY, Mode.JOIN))
    assert sum(len(tick(floor, at(second))) for second in range(9, 60)) == 3
    assert next_tick(floor) is None
