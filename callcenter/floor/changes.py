"""What can change on the floor, in the past tense. `step` and `tick` return these; sinks read them.

`call` is the floor's own object: a sink that keeps it past its turn must copy what it needs.
"""

from dataclasses import dataclass
from datetime import datetime

from agents.seats import SeatState
from callcenter.floor.model import Call, Leg, Seat


@dataclass(frozen=True, slots=True)
class CallArrived:
    at: datetime
    call: Call


@dataclass(frozen=True, slots=True)
class CallChose:
    """The caller pressed a key of the menu."""

    at: datetime
    call: Call


@dataclass(frozen=True, slots=True)
class CallQueued:
    at: datetime
    call: Call


@dataclass(frozen=True, slots=True)
class CallLeft:
    """The queue gave the caller back without a person: a farewell is heard."""

    at: datetime
    call: Call


@dataclass(frozen=True, slots=True)
class CallRang:
    at: datetime
    call: Call
    leg: Leg


@dataclass(frozen=True, slots=True)
class RingEnded:
    """A ring ended without an answer; `leg.how` says how."""

    at: datetime
    call: Call
    leg: Leg


@dataclass(frozen=True, slots=True)
class CallAnswered:
    at: datetime
    call: Call
    leg: Leg


@dataclass(frozen=True, slots=True)
class CallLate:
    """The call waits longer than the 15 seconds."""

    at: datetime
    call: Call


@dataclass(frozen=True, slots=True)
class CallHeld:
    at: datetime
    call: Call
    held: bool


@dataclass(frozen=True, slots=True)
class TalkEnded:
    """A person's part in the call ended: wrap-up begins."""

    at: datetime
    call: Call
    leg: Leg


@dataclass(frozen=True, slots=True)
class CallEnded:
    at: datetime
    call: Call


@dataclass(frozen=True, slots=True)
class SeatMoved:
    """A seat's state, or what is shown of it, changed."""

    at: datetime
    seat: Seat
    was: SeatState


@dataclass(frozen=True, slots=True)
class WrapUpOver:
    """The time for wrap-up has passed; Asterisk has not been told yet."""

    at: datetime
    seat: Seat


@dataclass(frozen=True, slots=True)
class PhoneGone:
    """A seat's phone has been unreachable for so long that the seat is taken out of the queues' reach."""

    at: datetime
    seat: Seat


@dataclass(frozen=True, slots=True)
class Corrected:
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
