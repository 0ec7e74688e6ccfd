"""What can change on the floor, in the past tense. `step` and `tick` return these; sinks read them.

`call` is the floor's own object: a sink that keeps it past its turn must copy what it needs.
"""

from datetime import datetime
from typing import NamedTuple

from agents.seats import SeatState
from callcenter.floor.model import Call, Leg, Seat


class CallArrived(NamedTuple):
    at: datetime
    call: Call


class CallChose(NamedTuple):
    """The caller pressed a key of the menu."""

    at: datetime
    call: Call


class CallQueued(NamedTuple):
    at: datetime
    call: Call


class CallLeft(NamedTuple):
    """The queue gave the caller back without a person: a farewell is heard."""

    at: datetime
    call: Call


class CallRang(NamedTuple):
    at: datetime
    call: Call
    leg: Leg


class RingEnded(NamedTuple):
    """A ring ended without an answer; `leg.how` says how."""

    at: datetime
    call: Call
    leg: Leg


class CallAnswered(NamedTuple):
    at: datetime
    call: Call
    leg: Leg


class CallLate(NamedTuple):
    """The call waits longer than the 15 seconds."""

    at: datetime
    call: Call


class CallHeld(NamedTuple):
    at: datetime
    call: Call
    held: bool


class TalkEnded(NamedTuple):
    """A person's part in the call ended: wrap-up begins."""

    at: datetime
    call: Call
    leg: Leg


class CallEnded(NamedTuple):
    at: datetime
    call: Call


class SeatMoved(NamedTuple):
    """A seat's state, or what is shown of it, changed."""

    at: datetime
    seat: Seat
    was: SeatState


class WrapUpOver(NamedTuple):
    """The time for wrap-up has passed; Asterisk has not been told yet."""

    at: datetime
    seat: Seat


class PhoneGone(NamedTuple):
    """A seat's phone has been unreachable for so long that the seat is taken out of the queues' reach."""

    at: datetime
    seat: Seat


class Corrected(NamedTuple):
    """The snapshot disagreed with the floor, and the floor gave way."""

    at: datetime
    what: str


CallChange = (
    CallArrived
    | CallChose
    | CallQueued
    | CallLeft
    | CallRang
    | RingEnded
    | CallAnswered
    | CallLate
    | CallHeld
    | TalkEnded
    | CallEnded
)
Change = CallChange | SeatMoved | WrapUpOver | PhoneGone | Corrected
