"""The floor's only writer: a fact in, changes out. No I/O, no clock of its own, idempotent.

The same fact again changes nothing, nor does a fact of a call that comes late, be the call over by then (telephony.md
B12). A fact of a seat sets what it says: the line tells these in order, so the last one is true.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from agents.guard import Deadline, calls_for_help, hastened
from agents.priority import Priority, weight
from agents.queues import SETTLE
from agents.seats import BREAKS, CALLBACK, WRAP_UP, SeatState
from agents.service_level import ANSWER_TARGET_MS, Outcome, in_time
from callcenter.asterisk import facts
from callcenter.floor import supervise
from callcenter.floor.changes import (
    CallAnswered,
    CallArrived,
    CallbackAsked,
    CallChose,
    CallEnded,
    CallGuarded,
    CallHeld,
    CallLate,
    CallLeft,
    CallQueued,
    CallRaised,
    CallRang,
    CallRecorded,
    CallSurveyed,
    Change,
    PhoneGone,
    WrapUpCut,
    WrapUpOver,
)
from callcenter.floor.legs import Changes, close_legs, count_hold, end_leg, moved, open_leg, seat_of
from callcenter.floor.model import Call, Direct, Floor, Leg, LegEnd, Plan, Seat, Side
from callcenter.floor.moves import entered, gone, parked, queued_again, tell_kind
from dialplan import names
from ivr import survey

#: A phone that was away this long is put on pause: the agent says "ready" again, it does not happen by itself.
PHONE_GONE_AFTER: Final = timedelta(seconds=10)
#: How long to wait before asking Asterisk again to end a wrap-up that it has not ended.
_ASK_AGAIN: Final = timedelta(seconds=2)
#: Calls that are over and of which facts may still come late.
_REMEMBERED: Final = 1_000
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
        while (due := _guard_at(floor, call)) and now >= due:
            call.act = _guard(floor, call)[call.acts].act
            call.acts += 1
            changes.append(CallGuarded(due, call, call.act))
    for call in floor.calls.values():
        if (seat := _to_cut(floor, call)) and now >= _cut_at(floor, seat):
            call.helped = True
            seat.cut_at, seat.wrap_up_until = now, now + _ASK_AGAIN
            changes.append(WrapUpCut(now, call, seat))
            changes += moved(seat, now)
    for seat in floor.seats.values():
        if seat.wrap_up_until is not None and _wraps_up(seat) and now >= seat.wrap_up_until:
            seat.wrap_up_until = now + _ASK_AGAIN
            changes.append(WrapUpOver(now, seat))
        if (due := _gone_at(seat)) and now >= due:
            seat.gone_since = None
            changes.append(PhoneGone(now, seat))
        if seat.settling_since is not None and now >= seat.settling_since + _SETTLE:
            seat.settling_since = None
            changes += moved(seat, now)
    for supervision in list(floor.supervisions.values()):
        if (due := supervise.unanswered_at(supervision)) and now >= due:
            changes.append(supervise.end(floor, now, supervision))
        elif supervision.ask_again_at is not None and now >= supervision.ask_again_at:
            changes.append(supervise.ask_again(supervision, now))
    return changes


def next_tick(floor: Floor) -> datetime | None:
    """When `tick` has something to do at the earliest; None when nothing is due."""
    dues = [due for call in floor.calls.values() if (due := _late_at(call))]
    dues += [due for call in floor.calls.values() if (due := _guard_at(floor, call))]
    dues += [_cut_at(floor, seat) for call in floor.calls.values() if (seat := _to_cut(floor, call))]
    for seat in floor.seats.values():
        if seat.wrap_up_until is not None and _wraps_up(seat):
            dues.append(seat.wrap_up_until)
        if due := _gone_at(seat):
            dues.append(due)
        if seat.settling_since is not None:
            dues.append(seat.settling_since + _SETTLE)
    for supervision in floor.supervisions.values():
        dues += filter(None, (supervise.unanswered_at(supervision), supervision.ask_again_at))
    return min(dues, default=None)


def _late_at(call: Call) -> datetime | None:
    """The first millisecond after the target, for a call that still waits and is not marked late."""
    if call.late or call.queued_at is None or not call.waits:
        return None
    return call.queued_at + _TARGET + _MILLISECOND


def _guard_at(floor: Floor, call: Call) -> datetime | None:
    """The next deadline of a call that still waits."""
    guard = _guard(floor, call)
    if call.acts >= len(guard) or call.queued_at is None or not call.waits:
        return None
    return (call.raised_at or call.queued_at) + timedelta(seconds=guard[call.acts].seconds)


def _guard(floor: Floor, call: Call) -> Sequence[Deadline]:
    return hastened(floor.guard) if call.priority == Priority.DANGER else floor.guard


def _to_cut(floor: Floor, call: Call) -> Seat | None:
    """Whose wrap-up is to be ended for a call: the longest, of those who serve its queue."""
    if call.helped or call.leg is not None or not call.waits:
        return None
    if not calls_for_help(_guard(floor, call), call.acts):
        return None
    able = [
        seat
        for seat in floor.seats.values()
        if _wraps_up(seat) and not seat.next and seat.reachable and seat.cut_at is None and call.queue in seat.queues
    ]
    return min(able, key=lambda seat: _cut_at(floor, seat), default=None)


def _cut_at(floor: Floor, seat: Seat) -> datetime:
    return (seat.paused_at or floor.at) + floor.wrap_up_least


def _wraps_up(seat: Seat) -> bool:
    """Not while a call that was pulled to the seat has interrupted the wrap-up."""
    return seat.pause == WRAP_UP and seat.leg is None


def _gone_at(seat: Seat) -> datetime | None:
    return seat.gone_since + PHONE_GONE_AFTER if seat.gone_since and seat.queues and seat.pause is None else None


# --- calls -----------------------------------------------------------------------------------------------------------


def _began(floor: Floor, fact: facts.Began) -> Changes:
    if fact.call not in floor.over:
        floor.calls.setdefault(fact.call, Call(fact.call, fact.at, fact.channel))
        if plan := floor.planned.pop(fact.call, None):
            yield from _calling_back(floor, facts.CallingBack(fact.at, fact.call, fact.channel, *plan))


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
    if call is None:
        return
    if call.queued_at is None:
        call.queue, call.queued_at, call.priority = fact.queue, fact.at, fact.priority
        yield CallQueued(fact.at, call)
    elif call.left_status == names.BY_KEY:
        # Back in the queue: there was no number at which he could be called.
        call.left_at = call.left_status = None
        yield CallQueued(fact.at, call)
    elif call.waits and weight(fact.priority) > weight(call.priority):
        # A key pressed while waiting: he has waited since he first came.
        call.queue, call.priority, call.raised_at = fact.queue, fact.priority, fact.at
        yield CallRaised(fact.at, call)
    elif call.answered_at is not None and fact.at > max(call.queued_at, call.again_at or call.answered_at):
        yield from queued_again(call, fact)


def _raised(floor: Floor, fact: facts.Raised) -> Changes:
    call = floor.calls.get(fact.call)
    if call is not None and call.priority != fact.priority:
        call.priority = fact.priority
        yield CallRaised(fact.at, call)


def _left(floor: Floor, fact: facts.Left) -> Changes:
    call = floor.calls.get(fact.call)
    if call is not None and call.left_at is None:
        call.left_at, call.left_status = fact.at, fact.status
        yield CallLeft(fact.at, call)
        yield from close_legs(floor, call, fact.at, LegEnd.CANCELLED)


def _refused(floor: Floor, fact: facts.Refused) -> Changes:
    call = floor.calls.get(fact.call)
    if call is not None:
        call.left_status = fact.status
    yield from ()


def _directed(floor: Floor, fact: facts.Directed) -> Changes:
    call = floor.calls.get(fact.call)
    if call is not None and (call.direct is None or call.direct.at < fact.at):
        call.direct = Direct(fact.at, fact.seat, fact.login, fact.why)
    yield from ()


def _direct_over(floor: Floor, fact: facts.DirectOver) -> Changes:
    call = floor.calls.get(fact.call)
    if call is None or call.direct is None or call.direct.over or fact.at < call.direct.at:
        return
    call.direct.over = True
    leg = next((leg for leg in reversed(call.legs) if leg.why and leg.rung_at >= call.direct.at), None)
    if fact.status == "ANSWER":
        call.ended_by = call.ended_by or Side.AGENT
    elif leg is not None and leg.answered_at is None:
        # The files tell the end of the phone's channel, before this or after it, and not why.
        if leg.ended_at is None:
            yield from end_leg(floor, call, leg, fact.at, LegEnd.MISSED)
        elif leg.how is LegEnd.CANCELLED:
            leg.how = LegEnd.MISSED


def _recording_began(floor: Floor, fact: facts.RecordingBegan) -> Changes:
    call = floor.calls.get(fact.call)
    if call is not None and call.recorded_at is None:
        call.recorded_at, call.recording = fact.at, fact.status
        yield CallRecorded(fact.at, call)


def _survey_began(floor: Floor, fact: facts.SurveyBegan) -> Changes:
    call = floor.calls.get(fact.call)
    if call is not None and call.surveyed_at is None:
        call.surveyed_at = fact.at
        # Whoever hangs up later, the talk was ended by the agent: nobody else is asked.
        call.ended_by = call.ended_by or Side.AGENT
        yield from close_legs(floor, call, fact.at, LegEnd.CANCELLED)
        yield CallSurveyed(fact.at, call)


def _surveyed(floor: Floor, fact: facts.Surveyed) -> Changes:
    call, question = floor.calls.get(fact.call), survey.BY_CODE.get(fact.question)
    answer = question.keys.get(fact.key) if question else None
    if call is not None and answer is not None and call.answers.get(fact.question) != answer:
        call.answers[fact.question] = answer
        yield CallSurveyed(fact.at, call)


def _callback_asked(floor: Floor, fact: facts.CallbackAsked) -> Changes:
    call = floor.calls.get(fact.call)
    if call is None or call.callback == fact.number:
        return
    first = call.left_status != CALLBACK
    call.callback, call.left_status, call.left_at = fact.number, CALLBACK, call.left_at or fact.at
    if first:
        yield CallLeft(fact.at, call)
        yield from close_legs(floor, call, fact.at, LegEnd.CANCELLED)
    yield CallbackAsked(fact.at, call)


def _calling_back(floor: Floor, fact: facts.CallingBack) -> Changes:
    call = floor.calls.get(fact.call)
    if fact.call in floor.over or (call is not None and call.origin):
        return
    if not fact.channel:
        floor.planned[fact.call] = Plan(*fact[3:])
        if len(floor.planned) > _REMEMBERED:
            del floor.planned[next(iter(floor.planned))]
        return
    if call is None:
        call = floor.calls[fact.call] = Call(fact.call, fact.at)
    call.arrived_at = min(call.arrived_at, fact.at)
    call.channel, call.number, call.origin = fact.channel, fact.number, fact.origin
    call.service, call.queue, call.language = fact.service, fact.queue, fact.language
    yield CallArrived(fact.at, call)
    seat = floor.seats.get(fact.seat)
    if seat is not None and seat.pause == CALLBACK and seat.leg is None:
        seat.call = call
        yield from moved(seat, fact.at)


def _rang(floor: Floor, fact: facts.Rang) -> Changes:
    call = floor.calls.get(fact.call)
    if call is None:
        return
    if known := next((leg for leg in call.legs if leg.channel == fact.channel), None):
        # The files tell of the phone first, and then for what it rings.
        tell_kind(call, known, fact)
        return
    if floor.channels.get(fact.channel, call.id) != call.id:
        return  # a phone's channel serves one call
    seat = floor.seats.get(fact.seat)
    direct = call.direct if call.direct and call.direct.seat == fact.seat and not call.direct.over else None
    leg = Leg(
        seat=fact.seat,
        login=fact.login or (direct.login if direct else "") or (seat.login if seat else ""),
        queue=fact.queue or call.again_queue or call.queue or "",
        channel=fact.channel,
        rung_at=fact.at,
        why=direct.why if direct else "",
    )
    tell_kind(call, leg, fact)
    call.legs.append(leg)
    floor.channels[fact.channel] = call.id
    yield CallRang(fact.at, call, leg)
    if seat is not None:
        seat.call, seat.leg, seat.held = call, leg, False
        yield from moved(seat, fact.at)


def _picked_up(floor: Floor, fact: facts.PickedUp) -> Changes:
    call, leg = open_leg(floor, fact.channel)
    if call is None or leg is None or leg.answered_at or leg.ended_at:
        return
    leg.answered_at = fact.at
    if call.answered_at == leg.answered_at and call.wait_ms is not None and not in_time(call.wait_ms):
        call.late = True
    yield CallAnswered(fact.at, call, leg)
    if seat := seat_of(floor, leg):
        seat.missed = 0
        yield from moved(seat, fact.at)


def _entered(floor: Floor, fact: facts.Entered) -> Changes:
    yield from _picked_up(floor, facts.PickedUp(fact.at, fact.call, fact.channel))
    yield from entered(floor, fact)


def _ring_over(floor: Floor, fact: facts.RingOver) -> Changes:
    call, leg = open_leg(floor, fact.channel)
    if call is not None and leg is not None and leg.answered_at is None:
        yield from end_leg(floor, call, leg, fact.at, LegEnd.MISSED if fact.missed else LegEnd.CANCELLED)


def _held(floor: Floor, fact: facts.Held) -> Changes:
    call, leg = open_leg(floor, fact.channel)
    if call is None or leg is None:
        return
    if not call.moved and (call.held_since is not None) != fact.held:
        count_hold(call, fact.at)
        call.held_since = fact.at if fact.held else None
        yield CallHeld(fact.at, call, fact.held)
    # Who holds in a room holds nobody but himself.
    seat = seat_of(floor, leg)
    if seat is not None and seat.held != fact.held:
        seat.held = fact.held
        yield from moved(seat, fact.at)


def _talk_over(floor: Floor, fact: facts.TalkOver) -> Changes:
    call = floor.calls.get(fact.call)
    if call is None:
        return
    _, leg = open_leg(floor, fact.channel)
    # In a call that was moved the agent's end is not the call's; `Gone` says who ended that.
    if fact.by is not None and call.ended_by is None and not (call.moved and fact.by is Side.AGENT):
        call.ended_by = fact.by
    if leg is not None:
        yield from end_leg(floor, call, leg, fact.at, LegEnd.COMPLETED if fact.by is not None else LegEnd.TRANSFERRED)


def _hung_up(floor: Floor, fact: facts.HungUp) -> Changes:
    if fact.call is not None:
        if call := floor.calls.get(fact.call):
            call.ended_by = call.ended_by or fact.by
            yield from end_call(floor, call, fact.at)
        return
    yield from supervise.hung_up(floor, fact.at, fact.channel)
    call, leg = open_leg(floor, fact.channel)
    if call is not None and leg is not None:
        yield from end_leg(floor, call, leg, fact.at, LegEnd.COMPLETED if leg.answered_at else LegEnd.CANCELLED)
    floor.channels.pop(fact.channel, None)


def _joined(floor: Floor, fact: facts.Joined) -> Changes:
    """A phone that no queue has rung: rung and answered in one moment."""
    supervisor = next((each for each in floor.supervisions.values() if each.channel == fact.channel), None)
    yield from supervise.joined(floor, fact)
    login = supervisor.login if supervisor else ""
    yield from _rang(floor, facts.Rang(fact.at, fact.call, fact.seat, fact.phone, fact.channel, login, kind=fact.kind))
    yield from _picked_up(floor, facts.PickedUp(fact.at, fact.call, fact.channel))


def _parted(floor: Floor, fact: facts.Parted) -> Changes:
    if call := floor.calls.get(fact.call):
        call.ended_by = call.ended_by or fact.by
    yield from ()


def end_call(floor: Floor, call: Call, at: datetime, outcome: Outcome | None = None) -> Changes:
    call.ended_at, call.parked = at, False
    count_hold(call, at)
    call.outcome = outcome or outcome_of(call)
    if call.ended_by is None and outcome is None:
        by_caller = call.left_status is None and call.outcome is not Outcome.NOT_REACHED
        call.ended_by = Side.CALLER if by_caller else Side.SYSTEM
    yield from close_legs(floor, call, at, LegEnd.CANCELLED if outcome is None else LegEnd.LOST)
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
        case _ if call.callback:
            return Outcome.CALLBACK
        case names.BY_KEY:
            return Outcome.ABANDONED_QUEUE
        case "TIMEOUT":
            return Outcome.TIMED_OUT
        case "FULL":
            return Outcome.REFUSED
        case "JOINEMPTY" | "JOINUNAVAIL" | "LEAVEEMPTY" | "LEAVEUNAVAIL" | "WITHDRAW":
            return Outcome.NOBODY_ON_DUTY
        case _:
            return Outcome.INTERRUPTED
    if call.queued_at is None:
        return Outcome.ABANDONED_GREETING if call.inbound else Outcome.NOT_REACHED
    ringing = call.legs and call.legs[-1].how in {None, LegEnd.CANCELLED}
    return Outcome.ABANDONED_RINGING if ringing else Outcome.ABANDONED_QUEUE


# --- seats -----------------------------------------------------------------------------------------------------------


def _seated(floor: Floor, fact: facts.Seated) -> Changes:
    seat = floor.seat(fact.seat)
    if seat.queues and seat.phone is fact.phone and seat.login == fact.login:
        # One more queue for who sits there already; what that person does goes on.
        if seat.queues.get(fact.queue) != fact.tier:
            seat.queues[fact.queue] = fact.tier
            yield from moved(seat, fact.at)
        return
    if seat.phone is not fact.phone:
        seat.queues.clear()
    seat.phone, seat.login = fact.phone, fact.login
    seat.queues[fact.queue] = fact.tier
    seat.pause, seat.paused_at = fact.pause, fact.at if fact.pause else None
    seat.reachable, seat.gone_since = fact.reachable, None if fact.reachable else fact.at
    seat.missed = 0
    yield from moved(seat, fact.at)


def _unseated(floor: Floor, fact: facts.Unseated) -> Changes:
    seat = floor.seat(fact.seat)
    if seat.phone is not fact.phone or fact.queue not in seat.queues:
        return
    del seat.queues[fact.queue]
    if not seat.queues:
        seat.pause = seat.paused_at = seat.wrap_up_until = seat.settling_since = None
        seat.next = seat.break_until = None
        seat.cut_at, seat.missed = None, 0
        if seat.leg is None:
            seat.login, seat.call = "", None
    yield from moved(seat, fact.at)


def _ranked(floor: Floor, fact: facts.Ranked) -> Changes:
    seat = floor.seat(fact.seat)
    if seat.phone is fact.phone and fact.queue in seat.queues and seat.queues[fact.queue] != fact.tier:
        seat.queues[fact.queue] = fact.tier
        yield from moved(seat, fact.at)


def _paused(floor: Floor, fact: facts.Paused) -> Changes:
    seat = floor.seat(fact.seat)
    if seat.phone is not fact.phone or seat.pause == fact.reason:
        return
    seat.pause, seat.paused_at, seat.settling_since = fact.reason, fact.at if fact.reason else None, None
    if fact.reason is not None:
        seat.cut_at = None
    seat.break_until = None
    if fact.reason == WRAP_UP:
        seat.wrap_up_until = fact.at + floor.wrap_up
    else:
        seat.wrap_up_until = None
        if fact.reason in BREAKS:
            seat.next = None
        if fact.reason is None:
            seat.missed = 0
        if seat.leg is None:
            seat.call = None
    yield from moved(seat, fact.at)


def _extended(floor: Floor, fact: facts.WrapUpExtended) -> Changes:
    seat = floor.seats.get(fact.seat)
    if seat is not None and seat.pause == WRAP_UP and seat.wrap_up_until is not None:
        seat.wrap_up_until += fact.by
        yield from moved(seat, fact.at)


def _reserved(floor: Floor, fact: facts.Reserved) -> Changes:
    seat = floor.seats.get(fact.seat)
    if seat is not None and seat.queues and seat.next != fact.next:
        seat.next = fact.next
        yield from moved(seat, fact.at)


def _budget(floor: Floor, fact: facts.BreakBudget) -> Changes:
    seat = floor.seats.get(fact.seat)
    if seat is not None and seat.state is SeatState.BREAK and seat.break_until != fact.until:
        seat.break_until = fact.until
        yield from moved(seat, fact.at)


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
    yield from moved(seat, fact.at)


_STEPS: Final[dict[type, Callable[[Floor, Any], Changes]]] = {
    facts.Began: _began,
    facts.Arrived: _arrived,
    facts.Chose: _chose,
    facts.Queued: _queued,
    facts.Raised: _raised,
    facts.Left: _left,
    facts.Refused: _refused,
    facts.Directed: _directed,
    facts.DirectOver: _direct_over,
    facts.RecordingBegan: _recording_began,
    facts.SurveyBegan: _survey_began,
    facts.Surveyed: _surveyed,
    facts.CallbackAsked: _callback_asked,
    facts.CallingBack: _calling_back,
    facts.Rang: _rang,
    facts.PickedUp: _picked_up,
    facts.RingOver: _ring_over,
    facts.Held: _held,
    facts.TalkOver: _talk_over,
    facts.Entered: _entered,
    facts.Parked: parked,
    facts.Gone: gone,
    facts.HungUp: _hung_up,
    facts.Seated: _seated,
    facts.Ranked: _ranked,
    facts.Unseated: _unseated,
    facts.Paused: _paused,
    facts.Reached: _reached,
    facts.HangUpAsked: _hang_up_asked,
    facts.WrapUpExtended: _extended,
    facts.Reserved: _reserved,
    facts.BreakBudget: _budget,
    facts.Joined: _joined,
    facts.Parted: _parted,
    facts.SupervisionAsked: supervise.asked,
    facts.Supervising: supervise.supervising,
    facts.ModeAsked: supervise.mode_asked,
}
