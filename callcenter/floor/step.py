"""The floor's only writer: a fact in, changes out. No I/O, no clock of its own, idempotent.

The same fact again changes nothing, nor does a fact of a call that comes late, be the call over by then (telephony.md
B12). A fact of a seat sets what it says: the line tells these in order, so the last one is true.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from agents.queues import SETTLE
from agents.seats import WRAP_UP
from agents.service_level import ANSWER_TARGET_MS, Outcome, in_time
from callcenter.asterisk import facts
from callcenter.floor.changes import (
    CallAnswered,
    CallArrived,
    CallChose,
    CallEnded,
    CallHeld,
    CallLate,
    CallLeft,
    CallQueued,
    CallRang,
    Change,
    Corrected,
    PhoneGone,
    RingEnded,
    SeatMoved,
    TalkEnded,
    WrapUpOver,
)
from callcenter.floor.model import Call, Floor, Leg, LegEnd, Seat, Side, millis

Changes = Iterator[Change]

#: A phone that was away this long is put on pause: the agent says "ready" again, it does not happen by itself.
PHONE_GONE_AFTER: Final = timedelta(seconds=10)
#: How long to wait before asking Asterisk again to end a wrap-up that it has not ended.
_ASK_AGAIN: Final = timedelta(seconds=2)
#: Calls that are over and of which facts may still come late.
_REMEMBERED: Final = 10_000
_SETTLE: Final = timedelta(seconds=SETTLE)
_TARGET: Final = timedelta(milliseconds=ANSWER_TARGET_MS)
_MILLISECOND: Final = timedelta(milliseconds=1)


def step(floor: Floor, fact: facts.Fact) -> list[Change]:
    """Take in one fact; what has changed by it, in order."""
    floor.at = max(floor.at, fact.at)
    return list(_STEPS[type(fact)](floor, fact))


def tick(floor: Floor, now: datetime) -> list[Change]:
    """What has changed by the mere passing of time up to `now`."""
    floor.at = max(floor.at, now)
    changes: list[Change] = []
    for call in floor.calls.values():
        if (due := _late_at(call)) and now >= due:
            call.late = True
            changes.append(CallLate(now, call))
    for seat in floor.seats.values():
        if seat.wrap_up_until is not None and seat.pause == WRAP_UP and now >= seat.wrap_up_until:
            seat.wrap_up_until = now + _ASK_AGAIN
            changes.append(WrapUpOver(now, seat))
        if (due := _gone_at(seat)) and now >= due:
            seat.gone_since = None
            changes.append(PhoneGone(now, seat))
        if seat.settling_since is not None and now >= seat.settling_since + _SETTLE:
            seat.settling_since = None
            changes += _moved(seat, now)
    return changes


def next_tick(floor: Floor) -> datetime | None:
    """When `tick` has something to do at the earliest; None when nothing is due."""
    dues = [due for call in floor.calls.values() if (due := _late_at(call))]
    for seat in floor.seats.values():
        if seat.wrap_up_until is not None and seat.pause == WRAP_UP:
            dues.append(seat.wrap_up_until)
        if due := _gone_at(seat):
            dues.append(due)
        if seat.settling_since is not None:
            dues.append(seat.settling_since + _SETTLE)
    return min(dues, default=None)


def _late_at(call: Call) -> datetime | None:
    """The first millisecond after the target, for a call that still waits and is not marked late."""
    if call.late or call.queued_at is None or call.answered_at or call.left_at or call.ended_at:
        return None
    return call.queued_at + _TARGET + _MILLISECOND


def _gone_at(seat: Seat) -> datetime | None:
    return seat.gone_since + PHONE_GONE_AFTER if seat.gone_since and seat.queues and seat.pause is None else None


# --- calls -----------------------------------------------------------------------------------------------------------


def _began(floor: Floor, fact: facts.Began) -> Changes:
    if fact.call not in floor.over:
        floor.calls.setdefault(fact.call, Call(fact.call, fact.at, fact.channel))
    yield from ()


def _arrived(floor: Floor, fact: facts.Arrived) -> Changes:
    call = floor.calls.get(fact.call)
    if fact.call in floor.over or (call is not None and call.dialed):
        return
    if call is None:
        call = floor.calls[fact.call] = Call(fact.call, fact.at)
    # A call that a snapshot found first is filled in now.
    call.arrived_at = min(call.arrived_at, fact.at)
    call.channel, call.number, call.name = fact.channel, fact.number, fact.name
    call.dialed, call.service = fact.dialed, fact.service
    yield CallArrived(fact.at, call)


def _chose(floor: Floor, fact: facts.Chose) -> Changes:
    call = floor.calls.get(fact.call)
    if call is not None and call.menu != fact.menu:
        call.menu, call.language = fact.menu, fact.language
        yield CallChose(fact.at, call)


def _queued(floor: Floor, fact: facts.Queued) -> Changes:
    call = floor.calls.get(fact.call)
    if call is not None and call.queued_at is None:
        call.queue, call.queued_at = fact.queue, fact.at
        yield CallQueued(fact.at, call)


def _left(floor: Floor, fact: facts.Left) -> Changes:
    call = floor.calls.get(fact.call)
    if call is not None and call.left_at is None:
        call.left_at, call.left_status = fact.at, fact.status
        yield CallLeft(fact.at, call)
        yield from _close_legs(floor, call, fact.at, LegEnd.CANCELLED)


def _refused(floor: Floor, fact: facts.Refused) -> Changes:
    call = floor.calls.get(fact.call)
    if call is not None:
        call.left_status = fact.status
    yield from ()


def _rang(floor: Floor, fact: facts.Rang) -> Changes:
    call = floor.calls.get(fact.call)
    if call is None or any(leg.channel == fact.channel for leg in call.legs):
        return
    seat = floor.seats.get(fact.seat)
    leg = Leg(
        seat=fact.seat,
        login=fact.login or (seat.login if seat else ""),
        queue=fact.queue or call.queue or "",
        channel=fact.channel,
        rung_at=fact.at,
    )
    call.legs.append(leg)
    floor.channels[fact.channel] = call.id
    yield CallRang(fact.at, call, leg)
    if seat is not None:
        seat.call, seat.leg, seat.held = call, leg, False
        yield from _moved(seat, fact.at)


def _picked_up(floor: Floor, fact: facts.PickedUp) -> Changes:
    call, leg = _leg(floor, fact.channel)
    if call is None or leg is None or leg.answered_at or leg.ended_at:
        return
    leg.answered_at = fact.at
    if call.wait_ms is not None and not in_time(call.wait_ms):
        call.late = True
    yield CallAnswered(fact.at, call, leg)
    if seat := _seat_of(floor, leg):
        seat.missed = 0
        yield from _moved(seat, fact.at)


def _ring_over(floor: Floor, fact: facts.RingOver) -> Changes:
    call, leg = _leg(floor, fact.channel)
    if call is not None and leg is not None and leg.answered_at is None:
        yield from _end_leg(floor, call, leg, fact.at, LegEnd.MISSED if fact.missed else LegEnd.CANCELLED)


def _held(floor: Floor, fact: facts.Held) -> Changes:
    call, leg = _leg(floor, fact.channel)
    if call is None or leg is None or (call.held_since is not None) == fact.held:
        return
    _count_hold(call, fact.at)
    call.held_since = fact.at if fact.held else None
    yield CallHeld(fact.at, call, fact.held)
    if seat := _seat_of(floor, leg):
        seat.held = fact.held
        yield from _moved(seat, fact.at)


def _talk_over(floor: Floor, fact: facts.TalkOver) -> Changes:
    call, leg = _leg(floor, fact.channel)
    if call is None or leg is None:
        return
    if fact.by is not None and call.ended_by is None:
        call.ended_by = fact.by
    yield from _end_leg(floor, call, leg, fact.at, LegEnd.COMPLETED if fact.by is not None else LegEnd.TRANSFERRED)


def _hung_up(floor: Floor, fact: facts.HungUp) -> Changes:
    if fact.call is not None:
        if call := floor.calls.get(fact.call):
            call.ended_by = call.ended_by or fact.by
            yield from end_call(floor, call, fact.at)
        return
    call, leg = _leg(floor, fact.channel)
    if call is not None and leg is not None:
        yield from _end_leg(floor, call, leg, fact.at, LegEnd.COMPLETED if leg.answered_at else LegEnd.CANCELLED)
    floor.channels.pop(fact.channel, None)


def _leg(floor: Floor, channel: str) -> tuple[Call | None, Leg | None]:
    """The call that a phone's channel serves, and its open leg."""
    call = floor.calls.get(floor.channels.get(channel, ""))
    if call is None:
        return None, None
    return call, next((leg for leg in call.legs if leg.channel == channel and leg.ended_at is None), None)


def _seat_of(floor: Floor, leg: Leg) -> Seat | None:
    seat = floor.seats.get(leg.seat)
    return seat if seat is not None and seat.leg is leg else None


def _count_hold(call: Call, at: datetime) -> None:
    if call.held_since is not None:
        call.held_ms += millis(call.held_since, at)
        call.held_since = None


def _end_leg(floor: Floor, call: Call, leg: Leg, at: datetime, how: LegEnd) -> Changes:
    leg.ended_at, leg.how = at, how
    _count_hold(call, at)
    seat = _seat_of(floor, leg)
    if leg.answered_at is not None:
        yield TalkEnded(at, call, leg)
    else:
        if seat is not None and how is LegEnd.MISSED:
            seat.missed += 1
        yield RingEnded(at, call, leg)
    if seat is not None:
        seat.leg, seat.held = None, False
        if leg.answered_at is None or not seat.queues:
            seat.call = None
        if not seat.queues:
            seat.login = ""
        if leg.answered_at is not None and seat.queues and seat.pause is None and floor.wrap_up:
            seat.settling_since = at
        yield from _moved(seat, at)


def _close_legs(floor: Floor, call: Call, at: datetime, how: LegEnd) -> Changes:
    for leg in call.legs:
        if leg.ended_at is None:
            yield from _end_leg(floor, call, leg, at, LegEnd.COMPLETED if leg.answered_at else how)


def end_call(floor: Floor, call: Call, at: datetime, outcome: Outcome | None = None) -> Changes:
    call.ended_at = at
    call.outcome = outcome or outcome_of(call)
    if call.ended_by is None and outcome is None:
        call.ended_by = Side.CALLER if call.left_status is None else Side.SYSTEM
    yield from _close_legs(floor, call, at, LegEnd.CANCELLED if outcome is None else LegEnd.LOST)
    for leg in call.legs:
        floor.channels.pop(leg.channel, None)
    del floor.calls[call.id]
    floor.over[call.id] = None
    if len(floor.over) > _REMEMBERED:
        del floor.over[next(iter(floor.over))]
    yield CallEnded(at, call)


def outcome_of(call: Call) -> Outcome:
    """How a call that has just ended went, from what it had reached (通话结果)."""
    if call.answered_at is not None:
        return Outcome.ANSWERED
    match call.left_status:
        case None:
            pass
        case "TIMEOUT":
            return Outcome.TIMED_OUT
        case "FULL":
            return Outcome.REFUSED
        case "JOINEMPTY" | "JOINUNAVAIL" | "LEAVEEMPTY" | "LEAVEUNAVAIL" | "WITHDRAW":
            return Outcome.NOBODY_ON_DUTY
        case _:
            return Outcome.INTERRUPTED
    if call.queued_at is None:
        return Outcome.ABANDONED_GREETING
    ringing = call.legs and call.legs[-1].how in {None, LegEnd.CANCELLED}
    return Outcome.ABANDONED_RINGING if ringing else Outcome.ABANDONED_QUEUE


# --- seats -----------------------------------------------------------------------------------------------------------


def _seat(floor: Floor, number: str) -> Seat:
    return floor.seats.setdefault(number, Seat(number))


def _moved(seat: Seat, at: datetime) -> Changes:
    """The seat's state anew. Told even when the state is the same: what is shown of it may have changed."""
    was, seat.state = seat.state, seat.derive()
    if seat.state is not was or seat.since is None:
        seat.since = at
    yield SeatMoved(at, seat, was)


def _seated(floor: Floor, fact: facts.Seated) -> Changes:
    seat = _seat(floor, fact.seat)
    if fact.queue in seat.queues and seat.phone is fact.phone and seat.login == fact.login:
        return
    if seat.phone is not fact.phone:
        seat.queues.clear()
    seat.phone, seat.login = fact.phone, fact.login
    seat.queues.add(fact.queue)
    seat.pause, seat.paused_at = fact.pause, fact.at if fact.pause else None
    seat.reachable, seat.gone_since = fact.reachable, None if fact.reachable else fact.at
    seat.missed = 0
    yield from _moved(seat, fact.at)


def _unseated(floor: Floor, fact: facts.Unseated) -> Changes:
    seat = _seat(floor, fact.seat)
    if seat.phone is not fact.phone or fact.queue not in seat.queues:
        return
    seat.queues.discard(fact.queue)
    if not seat.queues:
        seat.pause = seat.paused_at = seat.wrap_up_until = seat.settling_since = None
        seat.missed = 0
        if seat.leg is None:
            seat.login, seat.call = "", None
    yield from _moved(seat, fact.at)


def _paused(floor: Floor, fact: facts.Paused) -> Changes:
    seat = _seat(floor, fact.seat)
    if seat.phone is not fact.phone or seat.pause == fact.reason:
        return
    seat.pause, seat.paused_at, seat.settling_since = fact.reason, fact.at if fact.reason else None, None
    if fact.reason == WRAP_UP:
        seat.wrap_up_until = fact.at + floor.wrap_up
    else:
        seat.wrap_up_until = None
        if fact.reason is None:
            seat.missed = 0
        if seat.leg is None:
            seat.call = None
    yield from _moved(seat, fact.at)


def _extended(floor: Floor, fact: facts.WrapUpExtended) -> Changes:
    seat = floor.seats.get(fact.seat)
    if seat is not None and seat.pause == WRAP_UP and seat.wrap_up_until is not None:
        seat.wrap_up_until += fact.by
        yield from _moved(seat, fact.at)


def _hang_up_asked(floor: Floor, fact: facts.HangUpAsked) -> Changes:
    seat = floor.seats.get(fact.seat)
    if seat is not None and seat.leg is not None and seat.leg.answered_at and seat.call is not None:
        seat.call.ended_by = seat.call.ended_by or Side.AGENT
    yield from ()


def _reached(floor: Floor, fact: facts.Reached) -> Changes:
    seat = floor.seats.get(fact.seat)
    if seat is None or seat.phone is not fact.phone or seat.reachable == fact.reachable:
        return
    seat.reachable = fact.reachable
    seat.gone_since = None if fact.reachable else fact.at
    yield from _moved(seat, fact.at)


# --- the snapshot ----------------------------------------------------------------------------------------------------


def _snapshot(floor: Floor, fact: facts.Snapshot) -> Changes:
    yield from reconcile(floor, fact, {}, frozenset())


def reconcile(floor: Floor, fact: facts.Snapshot, sure: Mapping[str, Call], ending: Container[str]) -> Changes:
    """Make the floor agree with what Asterisk says is true (mark and sweep; telephony.md 4.5).

    Args:
        sure: calls as the files on Asterisk's disk know them, open and lately ended: they know since when, and how.
        ending: calls whose end is among the events held back behind the snapshot; these end by that.
    """
    floor.at = max(floor.at, fact.at)
    alive = {channel.channel for channel in fact.channels}
    citizens = {channel.call: channel for channel in fact.channels if channel.own}
    yield from _sweep(floor, fact, citizens, sure, ending)
    for channel in citizens.values():
        yield from _find(floor, fact, channel, sure.get(channel.call))
    for call in list(floor.calls.values()):
        for leg in call.legs:
            if leg.ended_at is None and leg.channel not in alive:
                yield Corrected(fact.at, "leg")
                yield from _end_leg(floor, call, leg, fact.at, LegEnd.COMPLETED if leg.answered_at else LegEnd.LOST)
    for channel in fact.channels:
        if not channel.own:
            yield from _find_leg(floor, fact, channel)
    yield from _find_seats(floor, fact)


def _sweep(
    floor: Floor,
    fact: facts.Snapshot,
    citizens: Mapping[str, facts.Alive],
    sure: Mapping[str, Call],
    ending: Container[str],
) -> Changes:
    restarted = floor.started_at is not None and fact.started_at > floor.started_at
    floor.started_at = fact.started_at
    for call in list(floor.calls.values()):
        if call.id in citizens or call.id in ending:
            continue
        yield Corrected(fact.at, "call")
        known = sure.get(call.id)
        if known is not None and known.outcome is not None and known.ended_at is not None:
            call.ended_by = known.ended_by
            yield from end_call(floor, call, known.ended_at, known.outcome)
        elif call.arrived_at < fact.started_at or restarted:
            # Asterisk tells the second of its start only, so the call may have moved after it.
            known_at = [fact.started_at, call.arrived_at, call.queued_at]
            known_at += [moment for leg in call.legs for moment in (leg.rung_at, leg.answered_at)]
            yield from end_call(floor, call, max(filter(None, known_at)), Outcome.INTERRUPTED)
        else:
            yield from end_call(floor, call, fact.at, Outcome.UNKNOWN_GAP)


def _find(floor: Floor, fact: facts.Snapshot, channel: facts.Alive, known: Call | None) -> Changes:
    call = floor.calls.get(channel.call)
    if call is None:
        yield Corrected(fact.at, "call")
        if known is not None and known.ended_at is None:
            call = replace(known, legs=[replace(leg) for leg in known.legs])
        else:
            call = Call(channel.call, channel.since, channel.channel)
        floor.calls[call.id] = call
        yield CallArrived(fact.at, call)
        for leg in call.legs:
            if leg.ended_at is None:
                yield from _attach(floor, call, leg, fact)
    queue = fact.waiting.get(call.id)
    if queue is not None and call.queued_at is None:
        call.queue, call.queued_at = queue, fact.at
        yield CallQueued(fact.at, call)


def _attach(floor: Floor, call: Call, leg: Leg, fact: facts.Snapshot) -> Changes:
    """Make an open leg that only the files knew a leg of the live floor."""
    floor.channels[leg.channel] = call.id
    leg.login = leg.login or next((member.login for member in fact.members if member.seat == leg.seat), "")
    seat = _seat(floor, leg.seat)
    seat.login, seat.call, seat.leg = leg.login, call, leg
    yield CallRang(fact.at, call, leg)
    if leg.answered_at is not None:
        yield CallAnswered(fact.at, call, leg)
    yield from _moved(seat, fact.at)


def _find_leg(floor: Floor, fact: facts.Snapshot, channel: facts.Alive) -> Changes:
    call, phone = floor.calls.get(channel.call), facts.phone_of(channel.channel)
    if call is None or phone is None:
        return
    if not any(leg.channel == channel.channel for leg in call.legs):
        yield Corrected(fact.at, "leg")
        member = next((m for m in fact.members if (m.seat, m.phone) == phone), None)
        login = member.login if member else ""
        _seat(floor, phone[0]).login = login
        yield from _rang(floor, facts.Rang(channel.since, call.id, *phone, channel.channel, login))
    if channel.up:
        yield from _picked_up(floor, facts.PickedUp(channel.since, call.id, channel.channel))


def _find_seats(floor: Floor, fact: facts.Snapshot) -> Changes:
    members: dict[str, list[facts.Member]] = {}
    for member in fact.members:
        members.setdefault(member.seat, []).append(member)
    for number in members.keys() | floor.seats.keys():
        seat, found = _seat(floor, number), members.get(number, [])
        was = _shown(seat)
        if found:
            first = found[0]
            seat.login, seat.phone = first.login, first.phone
            seat.queues = {member.queue for member in found}
            if seat.pause != first.pause:
                seat.pause, seat.paused_at, seat.wrap_up_until = first.pause, first.paused_at, None
                if seat.pause != WRAP_UP and seat.leg is None:
                    seat.call = None
            if seat.pause == WRAP_UP and seat.wrap_up_until is None:
                seat.wrap_up_until = (seat.paused_at or fact.at) + floor.wrap_up
            seat.reachable = fact.reachable.get((number, seat.phone), False)
        elif seat.queues:
            seat.queues, seat.pause, seat.wrap_up_until = set(), None, None
            if seat.leg is None:
                seat.login, seat.call = "", None
        seat.gone_since = None if seat.reachable else seat.gone_since or fact.at
        if was != _shown(seat):
            yield Corrected(fact.at, "seat")
            since = (seat.leg.answered_at or seat.leg.rung_at) if seat.leg else seat.paused_at
            yield from _moved(seat, since or fact.at)


def _shown(seat: Seat) -> tuple[object, ...]:
    return seat.login, seat.phone, frozenset(seat.queues), seat.pause, seat.reachable


_STEPS: Final[dict[type, Callable[[Floor, Any], Changes]]] = {
    facts.Began: _began,
    facts.Arrived: _arrived,
    facts.Chose: _chose,
    facts.Queued: _queued,
    facts.Left: _left,
    facts.Refused: _refused,
    facts.Rang: _rang,
    facts.PickedUp: _picked_up,
    facts.RingOver: _ring_over,
    facts.Held: _held,
    facts.TalkOver: _talk_over,
    facts.HungUp: _hung_up,
    facts.Seated: _seated,
    facts.Unseated: _unseated,
    facts.Paused: _paused,
    facts.Reached: _reached,
    facts.HangUpAsked: _hang_up_asked,
    facts.WrapUpExtended: _extended,
    facts.Snapshot: _snapshot,
}
