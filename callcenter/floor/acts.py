"""What the floor does by itself: begins and ends wrap-up, takes a seat out of reach that does not answer.

A sink. Rules only; the acts go out by the line and come back as facts.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from agents.seats import UNREACHABLE, WRAP_UP
from callcenter.asterisk import actions
from callcenter.asterisk.link import ActionRefused, Line, LineAway
from callcenter.floor.changes import Change, PhoneGone, RingEnded, TalkEnded, WrapUpOver
from callcenter.floor.model import Floor, LegEnd

log = structlog.get_logger()


def wanted(floor: Floor, change: Change, missed_rings: int) -> actions.Action | None:
    """The action that a change calls for, if any.

    Args:
        missed_rings: missed rings in a row after which a seat is unreachable.
    """
    match change:
        case TalkEnded(leg=leg):
            seat = floor.seats.get(leg.seat)
            if seat is not None and seat.queues and seat.pause is None and floor.wrap_up:
                return actions.pause(seat.number, seat.phone, WRAP_UP)
        case RingEnded(leg=leg) if leg.how is LegEnd.MISSED:
            seat = floor.seats.get(leg.seat)
            if seat is not None and seat.pause is None and seat.missed >= missed_rings:
                return actions.pause(seat.number, seat.phone, UNREACHABLE)
        case WrapUpOver(seat=seat):
            return actions.pause(seat.number, seat.phone, None)
        case PhoneGone(seat=seat):
            return actions.pause(seat.number, seat.phone, UNREACHABLE)
    return None


class Acts:
    """Sends what is wanted. A refused act is logged: the next fact or tick calls for it again if it is still due."""

    def __init__(self, line: Line, floor: Floor, missed_rings: int) -> None:
        self._line = line
        self._floor = floor
        self._missed_rings: Final = missed_rings
        self._under_way: set[asyncio.Task[None]] = set()

    def __call__(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if action := wanted(self._floor, change, self._missed_rings):
                task = asyncio.ensure_future(self._act(action))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

    async def _act(self, action: actions.Action) -> None:
        try:
            await self._line.act(action)
        except (LineAway, ActionRefused) as error:
            log.warning("act_failed", action=action["Action"], error=str(error))
