"""What can change on the floor, in the past tense. `step` and `tick` return these; sinks read them.

`call` is the floor's own object: a sink that keeps it past its turn must copy what it needs.
"""

from datetime import datetime
from typing import NamedTuple

from agents.guard import Act
from agents.seats import SeatState
from agents.supervision import Mode
from callcenter.floor.model import Call, Leg, Seat, Supervision


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


class CallbackAsked(NamedTuple):
    """The caller chose to be called back, at `call.callback`."""

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


class CallRaised(NamedTuple):
    """The call goes before others; `call.priority` says why."""

    at: datetime
    call: Call


class CallGuarded(NamedTuple):
    """The call has waited through a deadline of the guard; app_queue has acted on it by itself."""

    at: datetime
    call: Call
    act: Act


class WrapUpCut(NamedTuple):
    """The guard ends a wrap-up for a waiting call. Asterisk has not been told yet."""

    at: datetime
    call: Call
    seat: Seat


class CallHeld(NamedTuple):
    at: datetime
    call: Call
    held: bool


class CallMoved(NamedTuple):
    """Who hears whom has changed: the citizen waits with music, came into a room, or waits in a queue again."""

    at: datetime
    call: Call


class CallRecorded(NamedTuple):
    """Recording began, or could not for want of room."""

    at: datetime
    call: Call


class CallSurveyed(NamedTuple):
    """The citizen is asked, or has answered (满意度评价)."""

    at: datetime
    call: Call


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


class SupervisionMoved(NamedTuple):
    """A supervisor's phone rings for, or is in, an agent's call; its mode changed; or it is over.

    `was`: the mode that ended now and since when, None when none had begun.
    """

    at: datetime
    supervision: Supervision
    was: tuple[Mode, datetime] | None
    over: bool


class ModeLate(NamedTuple):
    """A mode that a supervisor asked for has not begun."""

    at: datetime
    supervision: Supervision


class Corrected(NamedTuple):
    """The snapshot disagreed with the floor, and the floor gave way."""

    at: datetime
    what: str


CallChange = (
    CallArrived
    | CallChose
    | CallQueued
    | CallLeft
    | CallbackAsked
    | CallRang
    | RingEnded
    | CallAnswered
    | CallLate
    | CallRaised
    | CallGuarded
    | CallHeld
    | CallRecorded
    | CallSurveyed
    | CallMoved
    | TalkEnded
    | CallEnded
)
Change = CallChange | SeatMoved | WrapUpOver | WrapUpCut | PhoneGone | SupervisionMoved | ModeLate | Corrected
