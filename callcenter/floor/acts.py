"""What the floor does by itself: begins and ends wrap-up, takes a seat out of reach that does not answer.

A sink. Rules only; the acts go out by the line and come back as facts.
"""

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from agents.seats import CALLBACK, LEAVE, UNREACHABLE, WRAP_UP, SeatState
from callcenter.asterisk import actions
from callcenter.asterisk.link import ActionRefused, Line, LineAway
from callcenter.begun import Begun
from callcenter.floor.changes import Change, PhoneGone, RingEnded, SeatMoved, TalkEnded, WrapUpCut, WrapUpOver
from callcenter.floor.model import Floor, LegEnd, LegKind, Seat

log = structlog.get_logger()


def wanted(floor: Floor, change: Change, missed_rings: int) -> actions.Action | None:
    """The action that a change calls for, if any.

    Args:
        missed_rings: missed rings in a row after which a seat is unreachable.
    """
    match change:
        case TalkEnded(leg=leg):
            seat = floor.seats.get(leg.seat)
            if seat is not None and seat.queues and seat.pause in {None, CALLBACK} and floor.wrap_up:
                return actions.pause(seat.number, seat.phone, WRAP_UP)
            if seat is not None and seat.queues and seat.pause == CALLBACK:
                return actions.pause(seat.number, seat.phone, None)
        case RingEnded(call=call, leg=leg) if call.ended_at is not None and leg.kind is not LegKind.QUEUE:
            # The citizen is gone; Asterisk rings on for whoever was asked.
            return actions.hang_up(leg.channel)
        case RingEnded(leg=leg) if leg.how is LegEnd.MISSED:
            seat = floor.seats.get(leg.seat)
            if seat is not None and seat.pause is None and seat.missed >= missed_rings:
                return actions.pause(seat.number, seat.phone, UNREACHABLE)
            if seat is not None and seat.pause == CALLBACK:
                # He knew whom he was kept free for: the next ring is for somebody who is there.
                return actions.pause(seat.number, seat.phone, UNREACHABLE)
        case WrapUpOver(seat=seat) | WrapUpCut(seat=seat):
            return actions.pause(seat.number, seat.phone, None)
        case PhoneGone(seat=seat):
            return actions.pause(seat.number, seat.phone, UNREACHABLE)
    return None


def freed(floor: Floor, change: Change) -> Seat | None:
    """The seat that is about to be ready by itself, if any."""
    match change:
        case WrapUpOver(seat=seat):
            return None if seat.next else seat
        case TalkEnded(leg=leg) if not floor.wrap_up:
            there = floor.seats.get(leg.seat)
            if there is not None and there.queues and there.pause in {None, CALLBACK} and not there.next:
                return there
    return None


def leaving(seat: Seat) -> list[actions.Action]:
    """What takes a seat out of all its queues."""
    return [actions.unseat(seat.number, seat.phone, queue) for queue in sorted(seat.queues)]


def afterwards(seat: Seat) -> list[actions.Action]:
    """What begins a seat's reserved state."""
    if seat.next == LEAVE:
        return leaving(seat)
    return [actions.pause(seat.number, seat.phone, seat.next)]


def reserved(change: Change) -> list[actions.Action]:
    """The actions by which a reserved state begins: when wrap-up is over, or when the seat is free without one."""
    match change:
        case WrapUpOver(seat=seat) if seat.next:
            return afterwards(seat)
        case SeatMoved(seat=seat) if seat.next and seat.state is SeatState.READY:
            return afterwards(seat)
    return []


class Acts:
    """Sends what is wanted. A refused act is logged: the next fact or tick calls for it again if it is still due.

    Args:
        claim: takes a seat that is about to be ready for a citizen who is called back; True when it did.
    """

    def __init__(self, line: Line, floor: Floor, missed_rings: int, claim: Callable[[Seat], bool]) -> None:
        self._line = line
        self._floor = floor
        self._missed_rings: Final = missed_rings
        self._claim = claim
        self._begun = Begun()

    def __call__(self, changes: Sequence[Change]) -> None:
        for change in changes:
            seat = freed(self._floor, change)
            if seat is not None and self._claim(seat):
                continue
            one = wanted(self._floor, change, self._missed_rings)
            for action in reserved(change) or ([one] if one else []):
                self._begun.begin(self._act(action))

    async def _act(self, action: actions.Action) -> None:
        try:
            await self._line.act(action)
        except (LineAway, ActionRefused) as error:
            log.warning("act_failed", action=action["Action"], error=str(error))
