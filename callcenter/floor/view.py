"""The floor as the wallboard sees it, and one call as the screen-pop sees it: plain rows, ready for JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from typing_extensions import TypedDict

from agents.guard import Act
from agents.seats import BREAKS, IN_CALL, Phone, SeatState
from agents.service_level import Outcome
from agents.supervision import Mode
from callcenter.asterisk.link import LineState
from callcenter.clock import iso
from callcenter.floor.model import Call, Floor, Leg, LegKind, Seat, millis
from callcenter.log import mask

#: Login -> names in Chinese and English.
Names = Mapping[str, tuple[str, str]]

CallState = Literal["dialling", "greeting", "waiting", "ringing", "talking", "on_hold", "ended"]


class CallRow(TypedDict):
    """A live call for lists: the number masked, no name. Moments as the API writes them.

    `origin`: the call that this one answers, when we call a citizen back.
    """

    id: str
    state: CallState
    number: str
    dialed: str
    service: str
    language: str
    menu: str
    queue: str | None
    arrived_at: str | None
    queued_at: str | None
    answered_at: str | None
    seat: str | None
    late: bool
    origin: str | None
    priority: str
    act: Act | None


class Party(TypedDict):
    """Who else is in the call, or rung for it: a seat with its person, or a line by its code of ivr/lines.py."""

    kind: LegKind
    state: Literal["ringing", "talking"]
    since: str | None
    seat: str
    name_zh: str
    name_en: str
    line: str


class Pop(CallRow):
    """The screen-pop (来电弹屏): live facts only, with the full number and the name that the caller's side sent.

    Who is asked about a call that stays another's sees the number masked and no name: the question, not the identity.
    `parked`: the citizen waits with music while others talk; `parties`: these others, without the seat that is told.
    """

    name: str
    parked: bool
    kind: LegKind
    parties: list[Party]
    waited_ms: int | None
    ended_at: str | None
    outcome: Outcome | None


class SeatRow(TypedDict):
    number: str
    state: SeatState
    since: str | None
    reason: str | None
    login: str | None
    name_zh: str | None
    name_en: str | None
    phone: Phone | None
    call: str | None
    missed: int
    wrap_up_until: str | None
    wrap_up_cut: str | None
    next: str | None
    break_until: str | None
    queues: list[str]


class SupervisionRow(TypedDict):
    """A supervisor in an agent's call; `since` is None while the supervisor's phone rings."""

    id: str
    login: str
    name_zh: str
    name_en: str
    seat: str
    on: str
    agent: str
    call: str
    mode: Mode
    since: str | None


class Link(TypedDict):
    """How well we hear Asterisk, and since when."""

    state: LineState
    since: str | None
    why: str


class Rows(TypedDict):
    """All calls and all occupied seats."""

    calls: dict[str, CallRow]
    seats: dict[str, SeatRow]


class Changed(TypedDict):
    """The rows that have changed, None for those that are gone."""

    calls: dict[str, CallRow | None]
    seats: dict[str, SeatRow | None]


def call_state(call: Call) -> CallState:
    """Where a call stands: dialling, greeting, waiting, ringing, talking, on_hold; ended while its seat wraps it up.

    `dialling`: a citizen is called back, and has not answered yet.
    """
    if call.ended_at is not None:
        return "ended"
    leg = call.leg
    if leg is not None and leg.answered_at is not None:
        return "on_hold" if call.held_since else "talking"
    if leg is not None:
        return "ringing"
    if call.again_at is not None and call.left_at is None:
        return "waiting"
    if call.parked:
        return "on_hold"
    if call.answered_at is not None:
        return "ended"  # the person's part is over; the line's end follows at once
    if not call.inbound and call.queued_at is None:
        return "dialling"
    return "waiting" if call.queued_at and not call.left_at else "greeting"


def seat_call_state(call: Call, seat: Seat) -> CallState:
    """Where a call stands as one seat sees it: it may ring here while others talk."""
    leg = seat.leg
    if leg is None:
        # Its part is over while others go on, or it has not begun: a seat that is reserved for a call back.
        had_part = any(each.seat == seat.number for each in call.legs)
        return "ended" if had_part else call_state(call)
    if call.ended_at is not None:
        return "ended"
    if not leg.talks:
        return "ringing"
    return "on_hold" if seat.held else "talking"


def waits_again(call: Call) -> bool:
    """Whether the call, once answered, waits in a queue for another person."""
    return call.again_at is not None and call.left_at is None and not any(leg.talks for leg in call.legs)


def call_row(call: Call) -> CallRow:
    leg = call.leg
    return {
        "id": call.id,
        "state": call_state(call),
        "number": mask(call.number) if call.number else "",
        "dialed": call.dialed,
        "service": call.service,
        "language": call.language,
        "menu": call.menu,
        "queue": call.again_queue or call.queue,
        "arrived_at": iso(call.arrived_at),
        "queued_at": iso(call.again_at if waits_again(call) else call.queued_at),
        "answered_at": iso(call.answered_at),
        "seat": leg.seat if leg else None,
        "late": call.late,
        "origin": call.origin,
        "priority": call.priority,
        "act": call.act,
    }


def pop(call: Call, seat: Seat, now: datetime, names: Names) -> Pop:
    """The call as it is shown at this seat."""
    waited_until = call.answered_at or call.ended_at or now
    mine = [leg for leg in call.legs if leg.seat == seat.number]
    asked = bool(mine) and _only_asked(call, mine[-1])
    return {
        **call_row(call),
        "state": seat_call_state(call, seat),
        "number": mask(call.number) if call.number and asked else call.number,
        "name": "" if asked else call.name,
        "parked": call.parked,
        "kind": mine[-1].kind if mine else LegKind.QUEUE,
        "parties": [_party(leg, names) for leg in call.open_legs if leg is not seat.leg],
        "waited_ms": millis(call.queued_at, waited_until) if call.queued_at else None,
        "ended_at": iso(call.ended_at),
        "outcome": call.outcome,
    }


def _only_asked(call: Call, leg: Leg) -> bool:
    """Whether a seat is, or was to its end, asked about a call (咨询) that another holds."""
    others = (each for each in call.legs if each.seat != leg.seat)
    return leg.kind is LegKind.CONSULT and any(
        each.ended_at is None or (leg.ended_at is not None and each.ended_at >= leg.ended_at) for each in others
    )


def _party(leg: Leg, names: Names) -> Party:
    zh, en = names.get(leg.login, (leg.login, leg.login))
    return {
        "kind": leg.kind,
        "state": "talking" if leg.talks else "ringing",
        "since": iso(leg.answered_at or leg.rung_at),
        "seat": leg.seat,
        "name_zh": zh,
        "name_en": en,
        "line": leg.line,
    }


def seat_row(seat: Seat, names: Names) -> SeatRow:
    zh, en = names.get(seat.login, (seat.login, seat.login))
    return {
        "number": seat.number,
        "state": seat.state,
        "since": iso(seat.since),
        "reason": seat.pause if seat.state is SeatState.BREAK and seat.pause in BREAKS else None,
        "login": seat.login or None,
        "name_zh": zh or None,
        "name_en": en or None,
        "phone": seat.phone if seat.login else None,
        "call": seat.call.id if seat.call else None,
        "missed": seat.missed,
        "wrap_up_until": iso(seat.wrap_up_until) if seat.state is SeatState.WRAP_UP else None,
        "wrap_up_cut": iso(seat.cut_at),
        "next": seat.next or (seat.pause if seat.pause in BREAKS and seat.state in IN_CALL else None),
        "break_until": iso(seat.break_until) if seat.state is SeatState.BREAK else None,
        "queues": sorted(seat.queues),
    }


def supervision_rows(floor: Floor, names: Names, on: str | None = None) -> list[SupervisionRow]:
    """All supervisions, oldest first; or those of the agent at the seat `on`."""
    found: list[SupervisionRow] = []
    for each in floor.supervisions.values():
        if on is None or each.on == on:
            zh, en = names.get(each.login, (each.login, each.login))
            found.append(
                {
                    "id": each.id,
                    "login": each.login,
                    "name_zh": zh,
                    "name_en": en,
                    "seat": each.seat,
                    "on": each.on,
                    "agent": each.agent,
                    "call": each.call,
                    "mode": each.mode,
                    "since": iso(each.since),
                }
            )
    return found


def rows(floor: Floor, names: Names) -> Rows:
    return {
        "calls": {call.id: call_row(call) for call in floor.calls.values()},
        "seats": {seat.number: seat_row(seat, names) for seat in floor.seats.values() if shown(seat)},
    }


def shown(seat: Seat) -> bool:
    """Empty seats are not on the board."""
    return bool(seat.login)


class Patch:
    """What has changed since the last patch. The law: *old rows + patch = new rows*."""

    def __init__(self) -> None:
        self.calls: set[str] = set()
        self.seats: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self.calls or self.seats)

    def take(self, floor: Floor, names: Names) -> Changed:
        """The changed rows; nothing is left noted."""
        patch: Changed = {
            "calls": {key: call_row(call) if (call := floor.calls.get(key)) else None for key in self.calls},
            "seats": {
                key: seat_row(seat, names) if (seat := floor.seats.get(key)) and shown(seat) else None
                for key in self.seats
            },
        }
        self.calls.clear()
        self.seats.clear()
        return patch
