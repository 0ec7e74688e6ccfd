"""Calls, segments and seats as plain rows: what the ledger writes and the journal keeps.

What is known of a call only grows. Two numbers say how much a row knows, so that rows may come in any order, and twice:

- `rank`: open (0), answered (1), ended and nobody knows how (2), ended (3). A higher rank is never overwritten by a
  lower one.
- `version`: order within a rank. The line counts the microseconds at which it saw the change, so its word stands
  above that of the files, which count the moments that they know.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import LargeBinary, Uuid

from agents.seats import SeatState
from agents.service_level import Outcome
from agents.supervision import Mode
from callcenter.calls.numbers import blind_index
from callcenter.floor.changes import SupervisionMoved
from callcenter.floor.model import Call, Leg, Seat, millis
from callcenter.store.tables import Moment, metadata

OPEN, ANSWERED, ENDED_UNKNOWN, ENDED = range(4)
LONGEST_TEXT: Final = 500

Row = dict[str, Any]


class Record(NamedTuple):
    """One row on its way to a table."""

    table: str
    row: Row


def call_row(call: Call, *, node: str, number_key: bytes, source: str, version: int) -> Row:
    """A call as a row of `calls`. `source` is line or files."""
    talked = [leg for leg in call.legs if leg.answered_at]
    first = talked[0] if talked else None
    outcome = call.outcome
    return {
        "id": call.id,
        "node": node,
        "number": _clean(call.number),
        "number_key": blind_index(number_key, call.number),
        "name": _clean(call.name),
        "dialed": _clean(call.dialed),
        "service": _clean(call.service),
        "language": _clean(call.language),
        "menu": _clean(call.menu),
        "queue": _clean(call.queue) if call.queue else None,
        "arrived_at": call.arrived_at,
        "queued_at": call.queued_at,
        "answered_at": call.answered_at,
        "left_at": call.left_at,
        "ended_at": (call.ended_at or max(known_moments(call))) if outcome else None,
        "wait_ms": call.wait_ms,
        "wait_from_invite_ms": call.wait_from_invite_ms,
        "talk_ms": _talk_ms(talked),
        "held_ms": call.held_ms,
        "outcome": outcome.value if outcome else None,
        "ended_by": call.ended_by.value if call.ended_by else None,
        "seat": first.seat if first else None,
        "login": first.login or None if first else None,
        "late": call.late,
        "recorded_at": call.recorded_at,
        "recording": call.recording,
        "surveyed_at": call.surveyed_at,
        "solved": call.answers.get("solved"),
        "satisfied": call.answers.get("satisfied"),
        "direction": "in" if call.inbound else "callback",
        "origin": _clean(call.origin) if call.origin else None,
        "priority": _clean(call.priority),
        "source": source,
        "rank": _rank(outcome, first),
        "version": version,
    }


def segment_row(call_id: str, n: int, leg: Leg) -> Row:
    """A leg as a row of `segments`; `n` is its place in the call, from 0."""
    return {
        "call_id": call_id,
        "n": n,
        "seat": _clean(leg.seat),
        "login": _clean(leg.login),
        "queue": _clean(leg.queue),
        "rung_at": leg.rung_at,
        "answered_at": leg.answered_at,
        "ended_at": leg.ended_at,
        "how": leg.how.value if leg.how else None,
        "kind": leg.kind.value,
        "line": leg.line,
        "talk_ms": millis(leg.answered_at, leg.ended_at) if leg.answered_at and leg.ended_at else None,
        "why": leg.why,
    }


def guard_row(call_id: str, act: str, at: datetime, seat: str = "") -> Row:
    """An act of the guard as a row of `guard_acts`."""
    return {"call_id": call_id, "act": act, "at": at, "seat": seat}


def seat_row(seat: Seat, at: datetime) -> Row:
    """A seat's present state as a row of `seat_states`; `at` stands in when the seat does not know since when."""
    return {
        "seat": seat.number,
        "since": seat.since or at,
        "login": _clean(seat.login),
        "state": seat.state.value,
        "reason": _clean(seat.pause) if seat.state is SeatState.BREAK and seat.pause else None,
    }


def supervision_rows(change: SupervisionMoved) -> list[Row]:
    """The stretches of one supervision that a change tells of, as rows of `supervisions`: each mode is one."""
    who = change.supervision
    stretches: list[tuple[Mode, datetime, datetime | None]] = [(*change.was, change.at)] if change.was else []
    if not change.over and who.since:
        stretches.append((who.mode, who.since, None))
    return [
        {
            "id": UUID(who.id),
            "since": since,
            "login": _clean(who.login),
            "seat": _clean(who.seat),
            "agent": _clean(who.agent),
            "agent_seat": _clean(who.on),
            "call_id": _clean(who.call),
            "mode": mode.value,
            "channel": _clean(who.channel),
            "until": until,
        }
        for mode, since, until in stretches
    ]


def known_moments(call: Call) -> list[datetime]:
    """Every moment that is known of a call, in no order."""
    moments = [call.arrived_at, call.queued_at, call.left_at, call.recorded_at, call.surveyed_at, call.ended_at]
    for leg in call.legs:
        moments += (leg.rung_at, leg.answered_at, leg.ended_at)
    return [moment for moment in moments if moment]


def _talk_ms(talked: list[Leg]) -> int | None:
    """How long the citizen's matter was talked about: a time in which several talk counts once."""
    total, until = None, None
    for leg in talked:
        if leg.answered_at and leg.ended_at:
            start = max(leg.answered_at, until) if until else leg.answered_at
            total = (total or 0) + millis(start, max(start, leg.ended_at))
            until = max(leg.ended_at, until) if until else leg.ended_at
    return total


def _rank(outcome: Outcome | None, talked: Leg | None) -> int:
    if outcome is None:
        return ANSWERED if talked else OPEN
    return ENDED_UNKNOWN if outcome is Outcome.UNKNOWN_GAP else ENDED


def _clean(text: str) -> str:
    """What Postgres takes: no NUL, no half of a surrogate pair, no novel."""
    text = text[:LONGEST_TEXT]
    return text if text.isascii() and text.isprintable() else text.replace("\0", "").encode(errors="replace").decode()


# --- as JSON, for the journal -----------------------------------------------------------------------------------------

_READERS: dict[str, dict[str, Callable[[str], object]]] = {
    table.name: {
        column.name: reader
        for column in table.columns
        for kind, reader in ((type(Moment), datetime.fromisoformat), (LargeBinary, bytes.fromhex), (Uuid, UUID))
        if isinstance(column.type, kind)
    }
    for table in metadata.sorted_tables
}


#: What a row of an older release's journal lacks.
_YOUNGER: dict[str, Row] = {"calls": {"priority": ""}, "segments": {"why": ""}}


def to_json(record: Record) -> bytes:
    return json.dumps(record, default=_plain, ensure_ascii=False, separators=(",", ":")).encode()


def from_json(data: bytes) -> Record:
    """The record back, types and all. Raises ValueError, KeyError or TypeError when it is none of ours."""
    table, row = json.loads(data)
    row = _YOUNGER.get(table, {}) | row
    for name, read in _READERS[table].items():
        if row.get(name) is not None:
            row[name] = read(row[name])
    return Record(table, row)


def _plain(value: object) -> str:
    match value:
        case datetime():
            return value.isoformat()
        case bytes():
            return value.hex()
        case UUID():
            return str(value)
    raise TypeError(type(value).__name__)
