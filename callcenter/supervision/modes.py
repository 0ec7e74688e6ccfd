"""What follows from a supervisor's mode: the take-over (接管), a join that follows the call. A sink of the floor."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from agents.supervision import Mode
from callcenter.asterisk import actions
from callcenter.asterisk.link import ActionRefused, Line, LineAway
from callcenter.begun import Begun
from callcenter.floor.changes import CallMoved, Change, ModeLate, SupervisionMoved
from callcenter.floor.model import Call, Floor, Leg, LegKind, Supervision
from dialplan import names

#: How long a phone may take to be in the room to which it was sent, and between two looks.
ENTERS: Final = 1.0
LOOK: Final = 0.05
#: How often it is sent there: on its way between two steps of the dialplan it may lose a Redirect.
TRIES: Final = 3

log = structlog.get_logger()


class Modes:
    """Sends what is wanted. Where a take-over fails the call stays with its agent, and the supervisor listens."""

    def __init__(self, line: Line, floor: Floor) -> None:
        self._line = line
        self._floor = floor
        self._begun = Begun()
        self._in_room: dict[str, bool] = {}  # supervision -> whether it began its mode in the call's room

    def __call__(self, changes: Sequence[Change]) -> None:
        for change in changes:
            match change:
                case SupervisionMoved(supervision=supervision, over=False) if (
                    supervision.mode is Mode.TAKE and supervision.since == change.at
                ):
                    self._note(supervision, over=False)
                    self._begun.begin(self._take(supervision))
                case SupervisionMoved(supervision=supervision, over=over):
                    self._note(supervision, over)
                case ModeLate(supervision=supervision):
                    log.warning("mode_asked_again", call=supervision.call, mode=supervision.wanted)
                    self._begun.begin(self._send(supervision, supervision.wanted or supervision.mode))
                case CallMoved(call=call):
                    for each in list(self._floor.supervisions.values()):
                        # Into the room, or out of it: a mode follows the call.
                        if each.call == call.id and self._in_room.get(each.id, call.in_room) is not call.in_room:
                            self._in_room[each.id] = call.in_room
                            self._begun.begin(self._send(each, each.mode))

    def _note(self, supervision: Supervision, over: bool) -> None:
        call = self._floor.calls.get(supervision.call)
        if over or call is None or supervision.mode is Mode.TAKE or not supervision.since:
            self._in_room.pop(supervision.id, None)
        else:
            self._in_room[supervision.id] = call.in_room

    async def _send(self, supervision: Supervision, mode: Mode) -> None:
        call = self._floor.calls.get(supervision.call)
        if call is not None:
            action = actions.supervise_as(supervision.channel, mode, in_room=call.in_room)
            try:
                await self._line.act(action)
            except (LineAway, ActionRefused) as error:
                log.warning("mode_not_changed", call=call.id, error=str(error))

    async def _take(self, supervision: Supervision) -> None:
        call = self._floor.calls.get(supervision.call)
        leg = _talking(call, supervision.on) if call is not None else None
        try:
            if call is None or leg is None:
                await self._line.act(actions.hang_up(supervision.channel))
            elif call.in_room:
                await self._take_place(call, leg, supervision.channel)
            else:
                for action in actions.take_over(call.channel, leg.channel, supervision.channel):
                    await self._line.act(action)
        except (LineAway, ActionRefused, TimeoutError) as error:
            log.warning("call_not_taken_over", call=supervision.call, error=str(error) or "the phone did not come")
            await self._send(supervision, Mode.LISTEN)

    async def _take_place(self, call: Call, leg: Leg, taker: str) -> None:
        """In a room: first the supervisor comes, then the agent goes, so that nobody is ever alone with the citizen."""
        before = await self._line.in_room(call.id)
        role = names.THIRD if leg.kind is LegKind.CONSULT else names.HOLDER
        for _ in range(TRIES):
            await self._line.act(actions.take_place(taker, role))
            for _ in range(int(ENTERS / LOOK)):
                if await self._line.in_room(call.id) > before:
                    await self._line.act(actions.hang_up(leg.channel))
                    return
                await asyncio.sleep(LOOK)
        raise TimeoutError


def _talking(call: Call, seat: str) -> Leg | None:
    """The leg by which a seat talks in a call."""
    return next((leg for leg in call.open_legs if leg.seat == seat and leg.talks), None)
