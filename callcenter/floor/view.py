"""The floor as the wallboard sees it, and one call as the screen-pop sees it: plain rows, ready for JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from typing_extensions import TypedDict

from agents.seats import BREAKS, Phone, SeatState
from agents.service_level import Outcome
from callcenter.asterisk.link import LineState
from callcenter.clock import iso
from callcenter.floor.model import Call, Floor, Seat, millis
from callcenter.log import mask

#: Login -> names in Chinese and English.
Names = Mapping[str, tuple[str, str]]

CallState = Literal["greeting", "waiting", "ringing", "talking", "on_hold", "ended"]


class CallRow(TypedDict):
    """A live call for lists: the number masked, no name. Moments as the API writes them."""

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


class Pop(CallRow):
    """The screen-pop (来电弹屏): live facts only, with the full number and the name that the caller's side sent."""

    name: str
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
    queues: list[str]


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
    """Where a call stands: greeting, waiting, ringing, talking, on_hold; ended while its seat wraps it up."""
    if call.ended_at is not None:
        return "ended"
    leg = call.leg
    if leg is not None and leg.answered_at is not None:
        return "on_hold" if call.held_since else "talking"
    if leg is not None:
        return "ringing"
    if call.answered_at is not None:
        return "ended"  # the person's part is over; the line's end follows at once
    return "waiting" if call.queued_at and not call.left_at else "greeting"


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
        "queue": call.queue,
        "arrived_at": iso(call.arrived_at),
        "queued_at": iso(call.queued_at),
        "answered_at": iso(call.answered_at),
        "seat": leg.seat if leg else None,
        "late": call.late,
    }


def pop(call: Call, now: datetime) -> Pop:
    waited_until = call.answered_at or call.ended_at or now
    return {
        **call_row(call),
        "number": call.number,
        "name": call.name,
        "waited_ms": millis(call.queued_at, waited_until) if call.queued_at else None,
        "ended_at": iso(call.ended_at),
        "outcome": call.outcome,
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
        "queues": sorted(seat.queues),
    }


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
