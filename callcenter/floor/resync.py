"""The floor made to agree with a snapshot of Asterisk, after each connect and now and then (telephony.md 4.5).

Beside `step` and `tick` the only writer of the floor; pure as they are.
"""

from collections.abc import Container, Mapping
from dataclasses import replace

from agents.seats import BREAKS, WRAP_UP
from agents.service_level import Outcome
from callcenter.asterisk import facts
from callcenter.floor import supervise
from callcenter.floor.changes import CallAnswered, CallArrived, CallQueued, CallRang, Corrected
from callcenter.floor.legs import Changes, end_leg, moved
from callcenter.floor.model import Call, Floor, Leg, LegEnd, LegKind, Seat
from callcenter.floor.step import end_call, step


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
                yield from end_leg(floor, call, leg, fact.at, LegEnd.COMPLETED if leg.answered_at else LegEnd.LOST)
    for channel in fact.channels:
        if not channel.own:
            yield from _find_leg(floor, fact, channel, sure.get(channel.call))
    yield from supervise.swept(floor, fact.at, alive)
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
    if known is not None and known.moved:
        call.moved, call.in_room, call.parked = True, known.in_room, known.parked
        call.held_since = known.held_since
        call.again_queue, call.again_at = known.again_queue, known.again_at
    queue = fact.waiting.get(call.id)
    if queue is not None and call.queued_at is None:
        call.queue, call.queued_at = queue, fact.at
        yield CallQueued(fact.at, call)


def _attach(floor: Floor, call: Call, leg: Leg, fact: facts.Snapshot) -> Changes:
    """Make an open leg that only the files knew a leg of the live floor."""
    floor.channels[leg.channel] = call.id
    leg.login = leg.login or next((member.login for member in fact.members if member.seat == leg.seat), "")
    seat = floor.seat(leg.seat)
    seat.login, seat.call, seat.leg = leg.login, call, leg
    yield CallRang(fact.at, call, leg)
    if leg.answered_at is not None:
        yield CallAnswered(fact.at, call, leg)
    yield from moved(seat, fact.at)


def _find_leg(floor: Floor, fact: facts.Snapshot, channel: facts.Alive, known: Call | None) -> Changes:
    call = floor.calls.get(channel.call)
    if call is None:
        return
    if not any(leg.channel == channel.channel for leg in call.legs):
        yield Corrected(fact.at, "leg")
        seat, phone = facts.phone_of(channel.channel) or ("", None)
        member = next((m for m in fact.members if (m.seat, m.phone) == (seat, phone)), None)
        login = member.login if member else ""
        if seat:
            floor.seat(seat).login = login
        # What it rings for only the files know, when the line has missed it.
        told = next((leg for leg in known.legs if leg.channel == channel.channel), None) if known else None
        kind, line = (told.kind, told.line) if told else (LegKind.QUEUE if seat else LegKind.CONSULT, "")
        rang = facts.Rang(channel.since, call.id, seat, phone, channel.channel, login, kind=kind, line=line)
        yield from step(floor, rang)
    if channel.up:
        yield from step(floor, facts.PickedUp(channel.since, call.id, channel.channel))


def _find_seats(floor: Floor, fact: facts.Snapshot) -> Changes:
    members: dict[str, list[facts.Member]] = {}
    for member in fact.members:
        members.setdefault(member.seat, []).append(member)
    for number in members.keys() | floor.seats.keys():
        seat, found = floor.seat(number), members.get(number, [])
        was = _shown(seat)
        if found:
            first = found[0]
            seat.login, seat.phone = first.login, first.phone
            seat.queues = {member.queue: member.tier for member in found}
            if seat.pause != first.pause:
                seat.pause, seat.paused_at, seat.wrap_up_until = first.pause, first.paused_at, None
                seat.break_until = None
                if seat.pause in BREAKS:
                    seat.next = None
                if seat.pause != WRAP_UP and seat.leg is None:
                    seat.call = None
            if seat.pause == WRAP_UP and seat.wrap_up_until is None:
                seat.wrap_up_until = (seat.paused_at or fact.at) + floor.wrap_up
            seat.reachable = fact.reachable.get((number, seat.phone), False)
        elif seat.queues:
            seat.queues, seat.pause, seat.wrap_up_until = {}, None, None
            seat.next = seat.break_until = None
            if seat.leg is None:
                seat.login, seat.call = "", None
        seat.gone_since = None if seat.reachable else seat.gone_since or fact.at
        if was != _shown(seat):
            yield Corrected(fact.at, "seat")
            since = (seat.leg.answered_at or seat.leg.rung_at) if seat.leg else seat.paused_at
            yield from moved(seat, since or fact.at)


def _shown(seat: Seat) -> tuple[object, ...]:
    return seat.login, seat.phone, tuple(sorted(seat.queues.items())), seat.pause, seat.reachable
