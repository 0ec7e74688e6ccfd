"""How rows of calls, segments and seats meet those that are there already.

All of it may be done twice and in any order (calls/rows.py says how rows are ranked); the guard is in the statement.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Text,
    Update,
    and_,
    any_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.calls.rows import Row
from callcenter.floor.model import LegEnd
from callcenter.store.tables import Moment, calls, seat_states, segments

_GROWING: Final = ("held_ms", "talk_ms")  # the larger is the later


def _calls_upsert() -> Insert:
    statement = insert(calls)
    new = statement.excluded
    newer = tuple_(new.rank, new.version) >= tuple_(calls.c.rank, calls.c.version)
    merged: dict[str, ColumnElement[Any]] = {}
    for column in calls.columns:
        ours, theirs = column, new[column.name]
        if column.name in ("id", "node", "source"):
            continue
        if column.name in _GROWING:
            merged[column.name] = func.greatest(ours, theirs)
        elif isinstance(column.type, Boolean):
            merged[column.name] = or_(ours, theirs)
        elif isinstance(column.type, Text):
            known, told = func.nullif(ours, ""), func.nullif(theirs, "")
            value = case((newer, func.coalesce(told, known)), else_=func.coalesce(known, told))
            merged[column.name] = value if column.nullable else func.coalesce(value, "")
        else:
            merged[column.name] = case((newer, func.coalesce(theirs, ours)), else_=func.coalesce(ours, theirs))
    merged["source"] = case((calls.c.source == new.source, calls.c.source), else_=literal("both"))
    return statement.on_conflict_do_update(index_elements=[calls.c.id], set_=merged)


def _segments_upsert() -> Insert:
    statement = insert(segments)
    new = statement.excluded
    old = segments.c
    told = or_(old.how.is_(None), and_(old.how == LegEnd.LOST.value, new.how.is_not(None)))
    merged: dict[str, ColumnElement[Any]] = {
        "login": func.coalesce(func.nullif(old.login, ""), new.login),
        "queue": func.coalesce(func.nullif(old.queue, ""), new.queue),
        "answered_at": func.coalesce(old.answered_at, new.answered_at),
        **{
            name: case((told, func.coalesce(new[name], old[name])), else_=func.coalesce(old[name], new[name]))
            for name in ("ended_at", "how", "talk_ms")
        },
    }
    # Another seat at the same place: line and files count the rings differently, and the first word stands.
    return statement.on_conflict_do_update(index_elements=[old.call_id, old.n], set_=merged, where=old.seat == new.seat)


def _seat_states_upsert() -> Insert:
    statement = insert(seat_states)
    return statement.on_conflict_do_update(
        index_elements=[seat_states.c.seat, seat_states.c.since],
        set_={name: statement.excluded[name] for name in ("login", "state", "reason")},
    )


def _seat_states_end() -> Update:
    old = seat_states.c
    earliest = bindparam("earliest", type_=Moment)
    following = func.lead(old.since).over(partition_by=old.seat, order_by=old.since)
    touched = (
        select(old.seat, old.since, following.label("next"))
        .where(old.seat == any_(bindparam("seats", type_=ARRAY(Text))))
        .where(or_(old.since >= earliest, old.until.is_(None), old.until > earliest))
        .subquery()
    )
    return (
        update(seat_states)
        .values(until=touched.c.next)
        .where(old.seat == touched.c.seat, old.since == touched.c.since)
        .where(old.until.is_distinct_from(touched.c.next))
    )


# Built once: the recorder uses them every second.
_UPSERT_CALLS: Final = _calls_upsert()
_UPSERT_SEGMENTS: Final = _segments_upsert()
_UPSERT_SEAT_STATES: Final = _seat_states_upsert()
_END_SEAT_STATES: Final = _seat_states_end()


async def write_calls(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Rows of rows.call_row."""
    # In one order, so that two who write the same calls do not wait for each other.
    await connection.execute(_UPSERT_CALLS, sorted(rows, key=itemgetter("id")))


async def write_segments(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Rows of rows.segment_row; their calls are there already. What is known of a segment stays."""
    await connection.execute(_UPSERT_SEGMENTS, rows)


async def write_seat_states(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Rows of rows.seat_row. Each state ends where the seat's next one begins."""
    await connection.execute(_UPSERT_SEAT_STATES, rows)
    touched = {"seats": list({row["seat"] for row in rows}), "earliest": min(row["since"] for row in rows)}
    await connection.execute(_END_SEAT_STATES, touched)


WRITERS: Final = {"calls": write_calls, "segments": write_segments, "seat_states": write_seat_states}
