"""One leg of a call and the seat it rings: how it is found, and how it ends. Used by `step` alone, and as pure."""

from collections.abc import Iterator
from datetime import datetime

from agents.seats import WRAP_UP
from callcenter.floor.changes import Change, RingEnded, SeatMoved, TalkEnded
from callcenter.floor.model import Call, Floor, Leg, LegEnd, LegKind, Seat, millis

Changes = Iterator[Change]


def open_leg(floor: Floor, channel: str) -> tuple[Call | None, Leg | None]:
    """The call that a phone's channel serves, and its open leg."""
    call = floor.calls.get(floor.channels.get(channel, ""))
    if call is None:
        return None, None
    return call, next((leg for leg in call.legs if leg.channel == channel and leg.ended_at is None), None)


def seat_of(floor: Floor, leg: Leg) -> Seat | None:
    seat = floor.seats.get(leg.seat)
    return seat if seat is not None and seat.leg is leg else None


def count_hold(call: Call, at: datetime) -> None:
    if call.held_since is not None:
        call.held_ms += millis(call.held_since, at)
        call.held_since = None


def end_leg(floor: Floor, call: Call, leg: Leg, at: datetime, how: LegEnd) -> Changes:
    if how is LegEnd.COMPLETED and call.ended_by is None and goes_on(call, leg):
        how = LegEnd.TRANSFERRED
    leg.ended_at, leg.how = at, how
    if not call.parked:
        count_hold(call, at)
    seat = seat_of(floor, leg)
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
        if leg.answered_at is not None and seat.pause == WRAP_UP:
            seat.wrap_up_until = at + floor.wrap_up
        yield from moved(seat, at)


def goes_on(call: Call, leg: Leg) -> bool:
    """Whether somebody who came into the call after this leg stays with the citizen, or rings for them.

    Who was asked passes the call on to nobody who has taken over from the asker.
    """
    later = call.legs[call.legs.index(leg) + 1 :]
    return any(
        each.ended_at is None for each in later if not (leg.kind is LegKind.CONSULT and each.kind is LegKind.QUEUE)
    )


def close_legs(floor: Floor, call: Call, at: datetime, how: LegEnd) -> Changes:
    for leg in call.legs:
        if leg.ended_at is None:
            yield from end_leg(floor, call, leg, at, LegEnd.COMPLETED if leg.answered_at else how)


def moved(seat: Seat, at: datetime) -> Changes:
    """The seat's state anew. Told even when the state is the same: what is shown of it may have changed."""
    was, seat.state = seat.state, seat.derive()
    if seat.state is not was or seat.since is None:
        seat.since = at
    yield SeatMoved(at, seat, was)
