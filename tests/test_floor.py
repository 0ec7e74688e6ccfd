"""The floor: every story's end, every state of a seat, time, and what a snapshot corrects."""

import copy
from datetime import datetime, timedelta

import pytest
from exchange import NODE
from hypothesis import given, settings
from hypothesis import strategies as st
from stories import STORIES, Told, facts_of, told, traffic
from walks import START, Step, take, walks

from agents.guard import GUARD
from agents.queues import SETTLE
from agents.seats import WRAP_UP, Phone, SeatState
from callcenter.asterisk import facts
from callcenter.asterisk.facts import Alive, Member, Snapshot
from callcenter.floor.acts import wanted
from callcenter.floor.changes import (
    CallEnded,
    CallGuarded,
    CallLate,
    Change,
    Corrected,
    PhoneGone,
    SeatMoved,
    TalkEnded,
    WrapUpCut,
    WrapUpOver,
)
from callcenter.floor.model import Call, Floor, LegEnd, LegKind, Side, millis
from callcenter.floor.resync import reconcile
from callcenter.floor.step import PHONE_GONE_AFTER, next_tick, outcome_of, tick

CALL = f"{NODE}-1.0"
CITIZEN = "PJSIP/trunk-00000001"
PHONE = "PJSIP/1001-00000002"


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def arrived(at: float = 0, call: str = CALL) -> facts.Arrived:
    return facts.Arrived(after(at), call, CITIZEN, "13800000001", "", "12345", "unified")


def queued(at: float = 0, call: str = CALL) -> facts.Queued:
    return facts.Queued(after(at), call, "citizen")


def rang(at: float = 0, call: str = CALL, channel: str = PHONE) -> facts.Rang:
    return facts.Rang(after(at), call, "1001", Phone.DESK, channel, "li.mei", "citizen")


def picked_up(at: float, call: str = CALL, channel: str = PHONE) -> facts.PickedUp:
    return facts.PickedUp(after(at), call, channel)


def missed(at: float, channel: str = PHONE) -> facts.RingOver:
    return facts.RingOver(after(at), CALL, channel, missed=True)


def hung_up(at: float, call: str = CALL) -> facts.HungUp:
    return facts.HungUp(after(at), CITIZEN, call)


def seated(at: float = 0, queue: str = "citizen", pause: str | None = None, reachable: bool = True) -> facts.Seated:
    return facts.Seated(after(at), "1001", Phone.DESK, "li.mei", queue, pause, reachable)


def paused(at: float, reason: str | None) -> facts.Paused:
    return facts.Paused(after(at), "1001", Phone.DESK, reason)


def reached(at: float, reachable: bool) -> facts.Reached:
    return facts.Reached(after(at), "1001", Phone.DESK, reachable)


def state(t: Told) -> SeatState:
    return t.floor.seats["1001"].state


def talking(t: Told, start: float = 0, channel: str = PHONE) -> None:
    """A call that comes, is queued, rings and is answered at once."""
    t.tell(arrived(start), queued(start), rang(start, channel=channel), picked_up(start + 1, channel=channel))


# --- the stories ------------------------------------------------------------------------------------------------------

MISSED, COMPLETED, CANCELLED = ("missed", False), ("completed", True), ("cancelled", False)

ENDS: dict[str, list[tuple[str, str | None, list[tuple[str, bool]]]]] = {
    "answered": [("answered", "agent", [COMPLETED])],
    "held_and_resumed": [("answered", "caller", [COMPLETED])],
    "abandoned_in_greeting": [("abandoned_greeting", "caller", [])],
    "abandoned_waiting": [("abandoned_queue", "caller", [])],
    "abandoned_while_ringing": [("abandoned_ringing", "caller", [CANCELLED])],
    "declined_then_answered": [("answered", "caller", [MISSED, COMPLETED])],
    "rang_out": [("abandoned_queue", "caller", [MISSED])],
    "nobody_on_duty": [("nobody_on_duty", "system", [])],
    "queue_timed_out": [("timed_out", "system", [])],
    "timed_out_while_ringing": [("timed_out", "system", [MISSED])],
    "two_calls_same_second": [("answered", "caller", [COMPLETED]), ("answered", "caller", [COMPLETED])],
    "english_chosen": [("answered", "agent", [COMPLETED])],
    "parallel_number": [("answered", "caller", [COMPLETED])],
    "break_during_the_talk": [("answered", "caller", [COMPLETED])],
    "phone_lost_while_ready": [],
    "chinese_name": [("answered", "agent", [COMPLETED])],
    "no_number": [("answered", "agent", [COMPLETED])],
    "forged_event": [("answered", "agent", [COMPLETED])],
    "pulled_and_answered": [("answered", "agent", [COMPLETED])],
    "pulled_and_hung_up_by_the_citizen": [("answered", "caller", [COMPLETED])],
    "pulled_and_given_up": [("abandoned_ringing", "caller", [CANCELLED])],
    "pulled_to_nobody_then_answered": [("answered", "caller", [MISSED, COMPLETED])],
    "pulled_and_declined_then_answered": [("answered", "caller", [MISSED, COMPLETED])],
    "pulled_while_another_rings": [("answered", "caller", [CANCELLED, COMPLETED])],
}


def test_every_story_has_its_end() -> None:
    assert sorted(ENDS) == STORIES


@pytest.mark.parametrize("story", STORIES)
def test_how_a_story_ends(story: str) -> None:
    t = told(facts_of([traffic(story)]))
    assert not t.floor.calls, "every call is over"
    assert not t.floor.channels
    ends = [
        (call.outcome, call.ended_by, [(leg.how, leg.answered_at is not None) for leg in call.legs])
        for call in t.ended.values()
    ]
    assert ends == ENDS[story]
    assert sum(isinstance(change, CallEnded) for change in t.changes) == len(ENDS[story])
    for call in t.ended.values():
        assert call.queued_at is not None or call.outcome == "abandoned_greeting"
        for leg in call.legs:
            assert leg.rung_at <= (leg.answered_at or leg.rung_at) <= (leg.ended_at or START)
            assert leg.login in {"li.mei", "wang.fang"}


@pytest.mark.parametrize("story", STORIES)
def test_every_fact_twice_changes_nothing_more(story: str) -> None:
    """telephony.md B12."""
    once, twice = Told(), Told()
    for fact in facts_of([traffic(story)]):
        once.tell(fact)
        twice.tell(fact)
        assert twice.tell(fact) == [], fact
    assert once.floor == twice.floor
    assert once.names == twice.names


@pytest.mark.parametrize("story", STORIES)
def test_no_late_fact_brings_a_dead_call_back(story: str) -> None:
    everything = facts_of([traffic(story)])
    t = told(everything)
    before = copy.deepcopy(t.rows)
    for fact in everything:
        if not isinstance(fact, facts.Seated | facts.Unseated | facts.Paused | facts.Reached):
            assert t.tell(fact) == [], fact
    assert t.rows == before
    assert not t.floor.calls


@pytest.mark.parametrize("story", STORIES)
def test_a_story_heard_again_behind_its_snapshot_ends_the_same(story: str) -> None:
    """Seats: the last word counts, so a whole buffer that the snapshot already knew leaves the same state."""
    everything = [f for f in facts_of([traffic(story)]) if not isinstance(f, facts.Reached)]
    t = told(everything)
    seats = {number: (seat.state, seat.pause, seat.queues) for number, seat in t.floor.seats.items()}
    t.tell(*everything)
    assert {n: (seat.state, seat.pause, seat.queues) for n, seat in t.floor.seats.items()} == seats


@given(data=st.data(), story=st.sampled_from(STORIES))
@settings(max_examples=60, deadline=None)
def test_a_call_fact_that_comes_late_within_the_call_changes_nothing(data: st.DataObject, story: str) -> None:
    everything = facts_of([traffic(story)])
    n = data.draw(st.integers(0, len(everything) - 1))
    t = told(everything[: n + 1])
    late = [f for f in everything[: n + 1] if isinstance(f, facts.CallFact) and not isinstance(f, facts.Held)]
    for fact in late:
        assert t.tell(fact) == [], fact


def test_held_time_is_counted() -> None:
    (call,) = told(facts_of([traffic("held_and_resumed")])).ended.values()
    held = [fact for fact in facts_of([traffic("held_and_resumed")]) if isinstance(fact, facts.Held)]
    assert call.held_ms == millis(held[0].at, held[1].at) > 0


def test_seats_in_the_story_of_an_answered_call() -> None:
    t = told(facts_of([traffic("answered")]))
    states = [change.seat for change in t.changes if isinstance(change, SeatMoved)]
    assert states
    walked: list[SeatState] = []
    again = Told()
    for fact in facts_of([traffic("answered")]):
        again.tell(fact)
        if not walked or walked[-1] is not state(again):
            walked.append(state(again))
    assert walked == [
        SeatState.BREAK,  # sat down, not ready yet
        SeatState.READY,
        SeatState.RINGING,
        SeatState.TALKING,
        SeatState.WRAP_UP,
        SeatState.READY,
        SeatState.OFFLINE,
    ]


# --- every state of a seat --------------------------------------------------------------------------------------------


def test_all_nine_states() -> None:
    t = Told()
    t.tell(seated(0, pause="NOTREADY"))
    seen = [state(t)]

    def then(*told_now: facts.Fact) -> None:
        t.tell(*told_now)
        seen.append(state(t))

    then(paused(1, None))
    then(arrived(2), queued(2), rang(2))
    then(picked_up(3))
    then(facts.Held(after(4), PHONE, True))
    then(facts.Held(after(5), PHONE, False))
    then(facts.TalkOver(after(6), CALL, PHONE, Side.AGENT))
    then(paused(6.01, "WRAPUP"))
    then(paused(7, None))
    then(paused(7.5, "CALLBACK"))
    then(paused(8, "MEAL"))
    then(paused(9, "UNREACHABLE"))
    then(reached(10, False))
    then(facts.Unseated(after(11), "1001", Phone.DESK, "citizen"))
    assert seen == [
        SeatState.BREAK,
        SeatState.READY,
        SeatState.RINGING,
        SeatState.TALKING,
        SeatState.ON_HOLD,
        SeatState.TALKING,
        SeatState.WRAP_UP,
        SeatState.WRAP_UP,
        SeatState.READY,
        SeatState.RESERVED,
        SeatState.BREAK,
        SeatState.UNREACHABLE,
        SeatState.UNREACHABLE,
        SeatState.OFFLINE,
    ]
    assert set(seen) == set(SeatState)


def test_a_phone_that_lapses_in_mid_call_is_still_talking() -> None:
    t = Told()
    t.tell(seated())
    talking(t)
    t.tell(reached(2, False))
    assert state(t) is SeatState.TALKING
    t.tell(facts.TalkOver(after(3), CALL, PHONE, Side.CALLER))
    assert state(t) is SeatState.UNREACHABLE


def test_missed_rings_are_counted_in_a_row() -> None:
    t = Told()
    t.tell(seated(), arrived(), queued())
    acts = []
    for n in (1, 2):
        channel = f"PJSIP/1001-0000000{n}"
        changes = t.tell(rang(n, channel=channel), missed(n + 0.5, channel))
        acts += [act for change in changes if (act := wanted(t.floor, change, 2))]
    assert t.floor.seats["1001"].missed == 2
    assert [(act["Action"], act.get("Reason")) for act in acts] == [("QueuePause", "UNREACHABLE")]
    t.tell(paused(3, "UNREACHABLE"), paused(4, None))
    assert t.floor.seats["1001"].missed == 0, "ready again, and as new"
    t.tell(rang(5), missed(6), rang(7, channel="PJSIP/1001-0000000a"), picked_up(8, channel="PJSIP/1001-0000000a"))
    assert t.floor.seats["1001"].missed == 0, "an answered ring ends the row"


def test_a_cancelled_ring_is_no_missed_one() -> None:
    t = Told()
    t.tell(seated(), arrived(), queued(), rang(1), facts.RingOver(after(2), CALL, PHONE, missed=False))
    assert t.floor.seats["1001"].missed == 0


def test_wrap_up_begins_by_itself_and_ends_by_its_timer() -> None:
    t = Told()
    t.tell(seated())
    talking(t)
    changes = t.tell(facts.TalkOver(after(2), CALL, PHONE, Side.CALLER))
    (ended,) = (change for change in changes if isinstance(change, TalkEnded))
    act = wanted(t.floor, ended, 2)
    assert act is not None
    assert (act["Action"], act["Reason"], act["Paused"]) == ("QueuePause", "WRAPUP", "true")
    t.tell(paused(2.1, "WRAPUP"))
    assert t.floor.seats["1001"].wrap_up_until == after(62.1)
    assert next_tick(t.floor) == after(62.1)
    assert tick(t.floor, after(62.099)) == []
    (over,) = tick(t.floor, after(62.1))
    assert isinstance(over, WrapUpOver)
    act = wanted(t.floor, over, 2)
    assert act is not None
    assert act["Paused"] == "false"
    assert state(t) is SeatState.WRAP_UP, "until Asterisk says otherwise"
    t.tell(paused(62.2, None))
    assert state(t) is SeatState.READY
    assert t.floor.seats["1001"].call is None
    assert next_tick(t.floor) is None


def test_a_wrap_up_that_asterisk_did_not_end_is_asked_for_again() -> None:
    t = Told()
    t.tell(seated(), paused(0, "WRAPUP"))
    assert len(tick(t.floor, after(60))) == 1
    assert tick(t.floor, after(61)) == []
    assert len(tick(t.floor, after(62))) == 1


def test_wrap_up_is_extended_and_finished_early() -> None:
    t = Told()
    t.tell(seated(), paused(0, "WRAPUP"))
    t.tell(facts.WrapUpExtended(after(30), "1001", timedelta(seconds=60)))
    assert tick(t.floor, after(60)) == []
    assert len(tick(t.floor, after(120))) == 1
    t.tell(paused(121, None))
    assert t.tell(facts.WrapUpExtended(after(122), "1001", timedelta(seconds=60))) == [], "there is none any more"


def test_a_break_asked_for_during_the_talk_begins_after_it_without_wrap_up() -> None:
    t = Told()
    t.tell(seated())
    talking(t)
    t.tell(paused(1.5, "MEAL"))
    assert state(t) is SeatState.TALKING
    changes = t.tell(facts.TalkOver(after(2), CALL, PHONE, Side.CALLER))
    assert not [act for change in changes if (act := wanted(t.floor, change, 2))]
    assert state(t) is SeatState.BREAK


def test_between_talk_and_pause_nobody_thinks_the_seat_is_ready() -> None:
    t = Told()
    t.tell(seated())
    talking(t)
    t.tell(facts.TalkOver(after(2), CALL, PHONE, Side.CALLER))
    assert state(t) is SeatState.WRAP_UP
    assert tick(t.floor, after(2 + SETTLE) - timedelta(milliseconds=1)) == []
    (moved,) = tick(t.floor, after(2 + SETTLE))
    assert isinstance(moved, SeatMoved)
    assert state(t) is SeatState.READY, "the pause never came: app_queue does give it calls"


def test_a_phone_gone_for_ten_seconds_is_taken_out() -> None:
    t = Told()
    t.tell(seated(), reached(1, False))
    assert state(t) is SeatState.UNREACHABLE
    gone = after(1) + PHONE_GONE_AFTER
    assert tick(t.floor, gone - timedelta(milliseconds=1)) == []
    (change,) = tick(t.floor, gone)
    assert isinstance(change, PhoneGone)
    act = wanted(t.floor, change, 2)
    assert act is not None
    assert act["Reason"] == "UNREACHABLE"
    assert tick(t.floor, gone + timedelta(seconds=1)) == [], "once"


def test_a_phone_that_is_back_in_time_is_ready_again() -> None:
    t = Told()
    t.tell(seated(), reached(1, False), reached(9, True))
    assert state(t) is SeatState.READY
    assert next_tick(t.floor) is None


def test_who_sits_down_again_is_not_punished_for_the_phone_of_before() -> None:
    t = Told()
    t.tell(seated(), reached(1, False), facts.Unseated(after(2), "1001", Phone.DESK, "citizen"))
    t.tell(seated(100))
    assert next_tick(t.floor) is None
    assert tick(t.floor, after(200)) == []


def test_the_other_phone_of_a_seat_says_nothing_about_it() -> None:
    t = Told()
    t.tell(seated())
    before = copy.deepcopy(t.floor)
    t.tell(facts.Reached(after(0), "1001", Phone.BROWSER, False), facts.Paused(after(0), "1001", Phone.BROWSER, "MEAL"))
    t.tell(facts.Unseated(after(0), "1001", Phone.BROWSER, "citizen"))
    assert t.floor == before


# --- fifteen seconds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wait", "late"), [(14.999, False), (15.0, False), (15.0009, False), (15.001, True)])
def test_late_by_the_answer_and_late_by_the_clock_agree(wait: float, late: bool) -> None:
    by_answer = Told()
    by_answer.tell(seated(), arrived(), queued(1), rang(2), picked_up(1 + wait))
    assert by_answer.floor.calls[CALL].late is late
    by_clock = Told()
    by_clock.tell(arrived(), queued(1))
    tick(by_clock.floor, after(1 + 14.9))  # the guard's deadlines before
    changes = tick(by_clock.floor, after(1 + wait))
    assert (CallLate in map(type, changes)) is late
    tick(by_clock.floor, after(16))
    assert next_tick(by_clock.floor) == (None if late else after(16.001))


def test_who_is_answered_or_gone_does_not_become_late() -> None:
    t = Told()
    t.tell(seated(), arrived(), queued(), rang(), picked_up(3))
    assert tick(t.floor, after(60)) == []
    t = Told()
    t.tell(arrived(), queued(), facts.Left(after(5), CALL, "TIMEOUT"))
    assert tick(t.floor, after(60)) == []


def test_the_guard_is_told_at_each_deadline_of_a_call_that_still_waits() -> None:
    t = Told()
    t.tell(arrived(), queued())
    assert next_tick(t.floor) == after(5)
    told = [change for second in range(1, 20) for change in tick(t.floor, after(second))]
    guarded = [(change.at, change.act) for change in told if isinstance(change, CallGuarded)]
    assert guarded == [(after(each.seconds), each.act) for each in GUARD]
    assert t.floor.calls[CALL].act is GUARD[-1].act
    t = Told()
    t.tell(seated(), arrived(), queued(), rang(), picked_up(4))
    assert not tick(t.floor, after(30)), "who is answered needs no guard"


def test_the_guard_ends_the_longest_wrap_up_and_none_before_its_least() -> None:
    t = Told()
    t.tell(seated(), paused(10, WRAP_UP), arrived(0), queued(0))
    assert not [change for change in tick(t.floor, after(24.9)) if isinstance(change, WrapUpCut)]
    cut = [change for change in tick(t.floor, after(25)) if isinstance(change, WrapUpCut)]
    assert [(change.seat.number, change.call.id) for change in cut] == [("1001", CALL)]
    assert not [change for change in tick(t.floor, after(26)) if isinstance(change, WrapUpCut)], "once for a call"
    t.tell(paused(26, None))
    assert t.floor.seats["1001"].cut_at == after(25), "the agent is told until the next pause"
    t.tell(paused(60, WRAP_UP))
    assert t.floor.seats["1001"].cut_at is None


def test_both_clocks_of_a_wait() -> None:
    t = Told()
    t.tell(seated(), arrived(0), queued(8), rang(8), picked_up(12.3456))
    call = t.floor.calls[CALL]
    assert (call.wait_ms, call.wait_from_invite_ms) == (4345, 12345)


def test_the_time_of_the_floor_never_goes_back() -> None:
    t = Told()
    t.tell(arrived(10))
    t.tell(queued(5))
    assert t.floor.at == after(10)
    tick(t.floor, after(3))
    assert t.floor.at == after(10)


# --- outcomes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("TIMEOUT", "timed_out"),
        ("FULL", "refused"),
        ("JOINEMPTY", "nobody_on_duty"),
        ("JOINUNAVAIL", "nobody_on_duty"),
        ("LEAVEEMPTY", "nobody_on_duty"),
        ("LEAVEUNAVAIL", "nobody_on_duty"),
        ("WITHDRAW", "nobody_on_duty"),
        ("", "interrupted"),
        ("CONTINUE", "interrupted"),
    ],
)
def test_what_the_queue_said_is_the_outcome(status: str, outcome: str) -> None:
    t = Told()
    t.tell(arrived(), queued(), facts.Left(after(2), CALL, status), hung_up(3))
    assert t.ended[CALL].outcome == outcome
    assert t.ended[CALL].ended_by is Side.SYSTEM


def test_a_call_refused_because_all_lines_are_full() -> None:
    t = Told()
    t.tell(arrived(), facts.Refused(after(0.1), CALL, "FULL"), hung_up(3))
    assert t.ended[CALL].outcome == "refused"


def test_an_answered_call_is_answered_whatever_came_after() -> None:
    t = Told()
    t.tell(seated())
    talking(t)
    t.tell(facts.Left(after(3), CALL, "CONTINUE"), hung_up(4))
    assert t.ended[CALL].outcome == "answered"
    assert t.ended[CALL].legs[0].how is LegEnd.COMPLETED


def test_a_talk_passed_on_is_transferred() -> None:
    t = Told()
    t.tell(seated())
    talking(t)
    t.tell(facts.TalkOver(after(2), CALL, PHONE, None))
    assert t.floor.calls[CALL].legs[0].how is LegEnd.TRANSFERRED
    assert t.floor.calls[CALL].ended_by is None


@pytest.mark.parametrize("way", ["queue", "seat"])
def test_a_call_that_goes_on_was_not_ended_by_the_agent_whatever_app_queue_says(way: str) -> None:
    t = Told()
    t.tell(seated())
    talking(t)
    t.tell(facts.TalkOver(after(2), CALL, PHONE, Side.AGENT))
    other = facts.Rang(after(2.1), CALL, "1002", Phone.DESK, PHONE + "2", kind=LegKind.TRANSFER)
    t.tell(facts.Queued(after(2.1), CALL, "enterprise") if way == "queue" else other)
    assert t.floor.calls[CALL].legs[0].how is LegEnd.TRANSFERRED
    assert t.floor.calls[CALL].ended_by is None
    t.tell(hung_up(4))
    assert t.ended[CALL].ended_by is Side.CALLER


def test_the_agent_ended_a_call_also_when_that_is_told_after_the_end_of_the_phones_channel() -> None:
    t = Told()
    t.tell(seated())
    talking(t)
    t.tell(facts.HungUp(after(2), PHONE, None), facts.TalkOver(after(2), CALL, "", Side.AGENT), hung_up(2.1))
    assert t.ended[CALL].ended_by is Side.AGENT
    assert t.ended[CALL].legs[0].how is LegEnd.COMPLETED


def test_the_outcome_of_a_call_that_rang_in_vain() -> None:
    call = Call(CALL, START, queued_at=START)
    assert outcome_of(call) == "abandoned_queue"


# --- the snapshot -----------------------------------------------------------------------------------------------------

ON_AIR = Alive(CITIZEN, CALL, True, START, "13800000001", True)
RINGING = Alive(PHONE, CALL, False, after(1), "1001", False)
TALKING = Alive(PHONE, CALL, False, after(1), "1001", True)
LI = Member("1001", Phone.DESK, "li.mei", "citizen", None, None)
HERE = {("1001", Phone.DESK): True}


def snapshot(
    at: float = 10,
    *channels: Alive,
    members: tuple[Member, ...] = (),
    waiting: dict[str, str] | None = None,
    reachable: dict[tuple[str, Phone], bool] | None = None,
    started: float = -1000,
) -> Snapshot:
    return Snapshot(after(at), after(started), channels, members, waiting or {}, reachable or {})


def corrected(changes: list[Change]) -> list[str]:
    return [change.what for change in changes if isinstance(change, Corrected)]


def test_a_floor_that_agrees_is_left_alone() -> None:
    t = Told()
    t.tell(seated())
    talking(t)
    before = copy.deepcopy(t.floor)
    changes = t.tell(snapshot(10, ON_AIR, TALKING, members=(LI,), reachable=HERE))
    assert changes == []
    before.at, before.started_at = after(10), after(-1000)
    assert t.floor == before


def test_a_call_of_which_the_end_was_lost_is_a_gap_and_never_abandoned() -> None:
    t = Told()
    t.tell(arrived(), queued())
    changes = t.tell(snapshot(10))
    assert corrected(changes) == ["call"]
    assert t.ended[CALL].outcome == "unknown_gap"
    assert not t.floor.calls


def test_a_call_that_a_restart_of_asterisk_cut_is_interrupted() -> None:
    t = Told()
    t.tell(seated())
    talking(t)
    t.tell(snapshot(10, started=5))
    call = t.ended[CALL]
    assert (call.outcome, call.ended_at) == ("interrupted", after(5))


def test_a_restart_within_the_second_of_the_call_is_seen_too() -> None:
    """Asterisk tells its start to the second: the call may seem to be younger than the restart."""
    t = Told()
    t.tell(snapshot(0, started=-1000))
    t.tell(arrived(5.3), queued(5.6))
    t.tell(snapshot(10, started=5))
    assert (t.ended[CALL].outcome, t.ended[CALL].ended_at) == ("interrupted", after(5.6))


def test_what_the_files_know_is_how_it_ended() -> None:
    t = Told()
    t.tell(arrived(), queued())
    known = Told()
    known.tell(arrived(), queued(), hung_up(4))
    changes = list(reconcile(t.floor, snapshot(10), known.ended, frozenset()))
    (end,) = (change for change in changes if isinstance(change, CallEnded))
    assert (end.call.outcome, end.call.ended_at) == ("abandoned_queue", after(4))


def test_a_call_that_ends_in_the_held_back_events_ends_by_them() -> None:
    t = Told()
    t.tell(arrived(), queued())
    assert list(reconcile(t.floor, snapshot(10), {}, {CALL})) == []
    t.tell(hung_up(9.9))
    assert t.ended[CALL].outcome == "abandoned_queue"


def test_a_call_that_nobody_told_of_is_found() -> None:
    t = Told()
    changes = t.tell(snapshot(10, ON_AIR, members=(LI,), waiting={CALL: "citizen"}, reachable=HERE))
    assert "call" in corrected(changes)
    assert t.floor.calls[CALL].queue == "citizen"
    t.tell(arrived(10.1))
    assert t.floor.calls[CALL].number == "13800000001", "and filled in by what comes"
    assert t.floor.calls[CALL].arrived_at == START
    t.tell(hung_up(11))
    assert t.ended[CALL].outcome == "abandoned_queue"


def test_a_talk_that_nobody_told_of_is_found_with_its_seat() -> None:
    t = Told()
    t.tell(snapshot(10, ON_AIR, TALKING, members=(LI,), reachable=HERE))
    assert state(t) is SeatState.TALKING
    (leg,) = t.floor.calls[CALL].legs
    assert (leg.login, leg.answered_at) == ("li.mei", after(1))
    t.tell(facts.TalkOver(after(11), CALL, PHONE, Side.AGENT), hung_up(11))
    assert t.ended[CALL].outcome == "answered"


def test_a_found_call_begins_when_the_files_say() -> None:
    known = Told()
    known.tell(arrived(-30), queued(-25), rang(-24), picked_up(-20))
    t = Told()
    t.tell(seated(-100))
    list(reconcile(t.floor, snapshot(10, ON_AIR, TALKING, members=(LI,), reachable=HERE), known.floor.calls, ()))
    call = t.floor.calls[CALL]
    assert (call.arrived_at, call.wait_ms) == (after(-30), 5000)
    assert state(t) is SeatState.TALKING, "the seat knows it too"
    assert call is not known.floor.calls[CALL]
    t.tell(hung_up(12))
    assert known.floor.calls[CALL].ended_at is None, "the files' own copy is not touched"


def test_a_ring_that_is_over_is_swept() -> None:
    t = Told()
    t.tell(seated(), arrived(), queued(), rang())
    changes = t.tell(snapshot(10, ON_AIR, members=(LI,), waiting={CALL: "citizen"}, reachable=HERE))
    assert corrected(changes) == ["leg"]
    assert state(t) is SeatState.READY
    assert t.floor.calls[CALL].legs[0].how is LegEnd.LOST


def test_seats_are_what_asterisk_says() -> None:
    t = Told()
    t.tell(seated(), seated(0, "english"), paused(1, "WRAPUP"))
    t.tell(snapshot(10, members=(LI,), reachable=HERE))
    seat = t.floor.seats["1001"]
    assert (seat.state, seat.queues, seat.pause, seat.call) == (SeatState.READY, {"citizen": 0}, None, None)
    t.tell(snapshot(20, members=(LI,), reachable={}))
    assert state(t) is SeatState.UNREACHABLE
    t.tell(snapshot(30))
    assert state(t) is SeatState.OFFLINE
    assert not seat.login


def test_a_wrap_up_that_the_snapshot_finds_ends_in_time() -> None:
    t = Told()
    wrapping = Member("1001", Phone.DESK, "li.mei", "citizen", "WRAPUP", after(-20))
    t.tell(snapshot(0, members=(wrapping,), reachable=HERE))
    assert state(t) is SeatState.WRAP_UP
    assert next_tick(t.floor) == after(40)


def test_a_snapshot_twice_is_a_snapshot_once() -> None:
    t = Told()
    seen = snapshot(10, ON_AIR, RINGING, members=(LI,), waiting={CALL: "citizen"}, reachable=HERE)
    assert t.tell(seen)
    assert t.tell(seen) == []


# --- random walks -----------------------------------------------------------------------------------------------------


def sound(floor: Floor) -> None:
    """What may never be, whatever is told."""
    for seat in floor.seats.values():
        assert seat.state is seat.derive(), "the state that is shown is the one that follows"
        if seat.leg is not None:
            assert seat.leg.ended_at is None
            assert seat.call is not None
            assert seat.call.id in floor.calls
            assert seat.leg in seat.call.legs
        if seat.state in {SeatState.TALKING, SeatState.ON_HOLD}:
            assert seat.leg is not None
            assert seat.leg.answered_at is not None
        if seat.state is SeatState.RINGING:
            assert seat.leg is not None
            assert seat.leg.answered_at is None
        if seat.state is SeatState.READY:
            assert seat.queues
            assert seat.reachable
            assert seat.pause is None
        if seat.state is SeatState.OFFLINE:
            assert not seat.queues
        assert not seat.held or seat.leg is not None
        assert seat.missed >= 0
    for call in floor.calls.values():
        assert call.outcome is None
        assert call.ended_at is None
        for leg in call.legs:
            assert leg.ended_at is not None or floor.channels.get(leg.channel) == call.id
            assert (leg.ended_at is None) == (leg.how is None)
        assert call.held_ms >= 0
    for call_id in floor.channels.values():
        assert call_id in floor.calls


@settings(max_examples=200, deadline=None)
@given(walk=walks)
def test_no_walk_leads_to_an_impossible_floor(walk: list[Step]) -> None:
    floor = Told().floor
    ended: list[str] = []
    for one in walk:
        was = floor.at
        changes = take(floor, one)
        ended += [change.call.id for change in changes if isinstance(change, CallEnded)]
        for change in changes:
            if isinstance(change, CallEnded):
                assert change.call.outcome is not None
                assert change.call.ended_at is not None
                assert all(leg.ended_at for leg in change.call.legs)
        assert floor.at >= was
        sound(floor)
        due = next_tick(floor)
        if due is not None:
            assert tick(copy.deepcopy(floor), due), "what is due has something to do"
            early = copy.deepcopy(floor)
            assert tick(early, due - timedelta(milliseconds=1)) == [], "and nothing before"


@settings(max_examples=100, deadline=None)
@given(walk=walks)
def test_on_any_walk_the_same_fact_again_changes_nothing(walk: list[Step]) -> None:
    floor = Told().floor
    for one in walk:
        take(floor, one)
        if one[1] is not None and not isinstance(one[1], facts.WrapUpExtended | Snapshot):
            before = copy.deepcopy(floor)
            assert take(floor, (0, one[1])) == []
            assert floor == before


@settings(max_examples=100, deadline=None)
@given(walk=walks)
def test_a_call_ends_once(walk: list[Step]) -> None:
    """Unless Asterisk itself says in a snapshot that it is alive after all."""
    floor = Told().floor
    ended: list[str] = []
    for one in walk:
        if isinstance(one[1], Snapshot):
            continue
        ended += [change.call.id for change in take(floor, one) if isinstance(change, CallEnded)]
    assert len(ended) == len(set(ended))
