"""What may be done with a call at a seat, and which actions do it. Pure: the floor in, actions out.

Every phone is served alike, the browser's and the one on the desk: nothing here is done by the phone itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agents.queues import POOL
from agents.seats import WRAP_UP, SeatState
from callcenter.asterisk import actions
from callcenter.asterisk.facts import Reader
from callcenter.floor.model import Call, Floor, Leg, LegKind, Seat
from dialplan import names
from ivr.lines import BY_CODE, LINES
from ivr.services import HOTLINE

#: A seat in one of these states can be asked: it has a phone, and no other call.
CAN_BE_ASKED: Final = frozenset({SeatState.READY, SeatState.BREAK, SeatState.WRAP_UP})
MOST_IN_A_ROOM: Final = 6

_CITIZEN: Final = (names.ROOM_CONTEXT, names.CITIZEN)
_HOLDER: Final = (names.ROOM_CONTEXT, names.HOLDER)
_MUSIC: Final = (names.MUSIC_CONTEXT, "s")


class CannotBeDone(Exception):
    """Why not, as a code of transfers/routes.py."""


@dataclass(frozen=True, slots=True)
class Target:
    """A seat by its number, a line or a queue by its code."""

    kind: str  # seat, line, queue
    code: str


@dataclass(frozen=True, slots=True)
class Talk:
    """A call as one of its agents has it in hand."""

    call: Call
    mine: Leg
    seat: Seat

    @property
    def others(self) -> list[Leg]:
        """Who else is in the call or rung for it."""
        return [leg for leg in self.call.open_legs if leg is not self.mine]


def talk_at(seat: Seat | None, call_id: str) -> Talk:
    """The call that is talked at a seat. Raises CannotBeDone."""
    if seat is None or seat.call is None or seat.call.id != call_id:
        raise CannotBeDone("no_call")
    if seat.leg is None or not seat.leg.talks or not seat.call.channel:
        raise CannotBeDone("not_talking")
    return Talk(seat.call, seat.leg, seat)


def consult(floor: Floor, reader: Reader, talk: Talk, target: Target, nonce: int) -> list[actions.Action]:
    """Ask another while the citizen hears music (咨询转接). Raises CannotBeDone."""
    dialled = _dial(floor, reader, talk, target, LegKind.CONSULT, nonce)
    return [actions.move_both(talk.call.channel, _MUSIC, talk.mine.channel, _HOLDER), dialled]


def emergency(floor: Floor, reader: Reader, talk: Talk, number: str, nonce: int) -> list[actions.Action]:
    """Bring 110, 119, 120 or 122 to citizen and agent (R17): nobody is put aside."""
    dialled = _dial(floor, reader, talk, Target("line", number), LegKind.EMERGENCY, nonce)
    return [
        actions.move_both(talk.call.channel, _CITIZEN, talk.mine.channel, _HOLDER),
        dialled,
        actions.tell_channel(talk.call.channel, names.HELPED, "yes"),
    ]


def join(talk: Talk) -> list[actions.Action]:
    """The citizen comes to those who talk (三方通话). Raises CannotBeDone."""
    if not talk.call.parked:
        raise CannotBeDone("not_parked")
    return [actions.move(talk.call.channel, *_CITIZEN)]


def complete(talk: Talk) -> list[actions.Action]:
    """The agent leaves citizen and third to each other (完成转接); the citizen waits while the third only rings.

    Raises CannotBeDone.
    """
    if not talk.others:
        raise CannotBeDone("nobody_asked")
    # Without the holder the dialplan brings a citizen who waits to the third; doing it here saves the wait.
    together = [actions.move(talk.call.channel, *_CITIZEN)] if talk.call.parked and _answered(talk.others) else []
    return [*together, actions.hang_up(talk.mine.channel)]


def back(talk: Talk) -> list[actions.Action]:
    """The third goes, the citizen comes back to the agent (取回). Raises CannotBeDone."""
    if not talk.call.parked and not talk.others:
        raise CannotBeDone("nobody_asked")
    return [
        *(actions.hang_up(leg.channel) for leg in talk.others),
        *([actions.move(talk.call.channel, *_CITIZEN)] if talk.call.parked else []),
    ]


def pass_on(floor: Floor, talk: Talk, target: Target) -> list[actions.Action]:
    """Pass the citizen on without talking before (盲转). Raises CannotBeDone."""
    citizen = talk.call.channel
    told: list[actions.Action] = []
    if target.kind == "queue":
        if target.code not in POOL:
            raise CannotBeDone("no_such_target")
        place = (names.WAITING_CONTEXT, target.code)
        if talk.seat.pause is None:
            # Before the citizen waits: this phone is free the moment after, and would be rung for the same call.
            told = [actions.pause(talk.seat.number, talk.seat.phone, WRAP_UP)]
    else:
        place = (names.PASSED_CONTEXT, "s")
        told = [
            actions.tell_channel(citizen, name, value)
            for name, value in _whom(floor, talk, target, LegKind.TRANSFER).items()
        ]
    if not talk.call.in_room:
        return [*told, actions.pass_on(talk.mine.channel, *place)]
    others = [actions.hang_up(leg.channel) for leg in (*talk.others, talk.mine)]
    return [*told, actions.move(citizen, *place), *others]


def _dial(floor: Floor, reader: Reader, talk: Talk, target: Target, kind: LegKind, nonce: int) -> actions.Action:
    if len(talk.others) + 2 >= MOST_IN_A_ROOM:
        raise CannotBeDone("room_full")
    if kind is LegKind.CONSULT and not _all_answered(talk.others):
        raise CannotBeDone("still_ringing")
    told = _whom(floor, talk, target, kind) | {
        names.CALL: reader.number(talk.call.id),
        names.CITIZEN_CHANNEL: talk.call.channel,
        # A seat that is asked gets the question, not the identity; a bureau or 110 may have to call the citizen back.
        names.SHOWN: HOTLINE if kind is LegKind.CONSULT and target.kind != "line" else talk.call.number,
    }
    return actions.ask(f"{reader.uniqueid(talk.call.id)}.{nonce}", told)


def _whom(floor: Floor, talk: Talk, target: Target, kind: LegKind) -> dict[str, str]:
    """The variables that say whom to dial, and why."""
    if target.kind == "line":
        if target.code not in BY_CODE or (kind is not LegKind.EMERGENCY and target.code not in _ORDINARY):
            raise CannotBeDone("no_such_target")
        return {names.KIND: kind.value, names.LINE: target.code, names.PHONE: "", names.LOGIN: ""}
    seat = floor.seats.get(target.code) if target.kind == "seat" else _free(floor, talk, target.code)
    if seat is None or not seat.queues or seat.number == talk.mine.seat:
        raise CannotBeDone("no_such_target")
    if seat.state not in CAN_BE_ASKED or not seat.reachable:
        raise CannotBeDone("target_busy")
    phone = names.interface(seat.number, seat.phone.value == "browser").removeprefix("PJSIP/")
    return {names.KIND: kind.value, names.LINE: "", names.PHONE: phone, names.LOGIN: seat.login}


def _free(floor: Floor, talk: Talk, queue: str) -> Seat:
    """Whom app_queue would ring first of a queue: of the lowest tier, who has been ready longest."""
    if queue not in POOL:
        raise CannotBeDone("no_such_target")
    free = [
        seat
        for seat in floor.seats.values()
        if seat.state is SeatState.READY and queue in seat.queues and seat.number != talk.mine.seat
    ]
    if not free:
        raise CannotBeDone("nobody_free")
    return min(free, key=lambda seat: (seat.queues[queue], seat.since or floor.at, seat.number))


_ORDINARY: Final = frozenset(line.code for line in LINES)


def _answered(legs: Sequence[Leg]) -> bool:
    return any(leg.talks for leg in legs)


def _all_answered(legs: Sequence[Leg]) -> bool:
    return all(leg.talks for leg in legs)
