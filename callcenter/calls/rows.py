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
from callcenter.calls.numbers import blind_index
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
    talks = [millis(leg.answered_at, leg.ended_at) for leg in talked if leg.answered_at and leg.ended_at]
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
        "talk_ms": sum(talks) if talks else None,
        "held_ms": call.held_ms,
        "outcome": outcome.value if outcome else None,
        "ended_by": call.ended_by.value if call.ended_by else None,
        "seat": first.seat if first else None,
        "login": first.login or None if first else None,
        "late": call.late,
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
        "talk_ms": millis(leg.answered_at, leg.ended_at) if leg.answered_at and leg.ended_at else None,
    }


def seat_row(seat: Seat, at: datetime) -> Row:
    """A seat's present state as a row of `seat_states`; `at` stands in when the seat does not know since when."""
    return {
        "seat": seat.number,
        "since": seat.since or at,
        "login": _clean(seat.login),
        "state": seat.state.value,
        "reason": _clean(seat.pause) if seat.state is SeatState.BREAK and seat.pause else None,
    }


def known_moments(call: Call) -> list[datetime]:
    """Every moment that is known of a call, in no order."""
    moments = [call.arrived_at, call.queued_at, call.left_at, call.ended_at]
    for leg in call.legs:
        moments += (leg.rung_at, leg.answered_at, leg.ended_at)
    return [moment for moment in moments if moment]


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


def to_json(record: Record) -> bytes:
    return json.dumps(record, default=_plain, ensure_ascii=False, separators=(",", ":")).encode()


def from_json(data: bytes) -> Record:
    """The record back, types and all. Raises ValueError, KeyError or TypeError when it is none of ours."""
    table, row = json.loads(data)
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
