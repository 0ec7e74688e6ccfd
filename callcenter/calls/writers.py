"""How rows of calls, segments and seats meet those that are there already.

All of it may be done twice and in any order (calls/rows.py says how rows are ranked); the guard is in the statement.
"""

import json
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    ColumnClause,
    ColumnElement,
    Integer,
    Text,
    Update,
    and_,
    any_,
    bindparam,
    case,
    create_mock_engine,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.calls.rows import Row
from callcenter.floor.model import LegEnd
from callcenter.store.tables import Moment, calls, guard_acts, seat_states, segments, supervisions

# Written into the statement: as parameters they would be sent with every row, more of them than the row has columns.
_EMPTY: Final = literal_column("''", Text)
_BOTH: Final = literal_column("'both'", Text)
_LOST: Final = literal_column(f"'{LegEnd.LOST.value}'", Text)

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
            known, told = func.nullif(ours, _EMPTY), func.nullif(theirs, _EMPTY)
            value = case((newer, func.coalesce(told, known)), else_=func.coalesce(known, told))
            merged[column.name] = value if column.nullable else func.coalesce(value, _EMPTY)
        else:
            merged[column.name] = case((newer, func.coalesce(theirs, ours)), else_=func.coalesce(ours, theirs))
    merged["source"] = case((calls.c.source == new.source, calls.c.source), else_=_BOTH)
    return statement.on_conflict_do_update(index_elements=[calls.c.id], set_=merged)


def _segments_upsert() -> Insert:
    statement = insert(segments)
    new = statement.excluded
    old = segments.c
    told = or_(old.how.is_(None), and_(old.how == _LOST, new.how.is_not(None)))
    merged: dict[str, ColumnElement[Any]] = {
        "login": func.coalesce(func.nullif(old.login, _EMPTY), new.login),
        "queue": func.coalesce(func.nullif(old.queue, _EMPTY), new.queue),
        "answered_at": func.coalesce(old.answered_at, new.answered_at),
        **{
            name: case((told, func.coalesce(new[name], old[name])), else_=func.coalesce(old[name], new[name]))
            for name in ("ended_at", "how", "talk_ms")
        },
    }
    # Another seat at the same place: line and files count the rings differently, and the first word stands.
    same = and_(old.seat == new.seat, old.line == new.line)
    return statement.on_conflict_do_update(index_elements=[old.call_id, old.n], set_=merged, where=same)


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


_DIALECT: Final = create_mock_engine("postgresql+asyncpg://", lambda *_: None).dialect


def _default(column: "ColumnClause[Any]") -> object:
    """The column's default as the database has it; None without one."""
    text = getattr(getattr(column, "server_default", None), "arg", None)
    if isinstance(column.type, Boolean | Integer) and text is not None:
        return json.loads(text)
    return text if isinstance(column.type, Text) else None


class _Upsert:
    """A statement that takes many rows every second: compiled once, its rows handed over as the driver wants them."""

    def __init__(self, statement: Insert, *without: str) -> None:
        columns = [column.name for column in statement.table.columns if column.name not in without]
        compiled = statement.compile(dialect=_DIALECT, column_keys=columns)
        self._sql = str(compiled)
        self._values = itemgetter(*(compiled.positiontup or ()))
        #: What a row lacks that an older release has left in the journal.
        self._lacking = {column.name: _default(column) for column in statement.table.columns}

    async def __call__(self, connection: AsyncConnection, rows: Iterable[Row]) -> None:
        await connection.exec_driver_sql(self._sql, [self._values({**self._lacking, **row}) for row in rows])


# Built once: the recorder uses them every second.
_UPSERT_CALLS: Final = _Upsert(_calls_upsert())
_UPSERT_SEGMENTS: Final = _Upsert(_segments_upsert())
_UPSERT_SEAT_STATES: Final = _Upsert(_seat_states_upsert(), "until")
_END_SEAT_STATES: Final = _seat_states_end()


async def write_calls(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Rows of rows.call_row."""
    # In one order, so that two who write the same calls do not wait for each other.
    await _UPSERT_CALLS(connection, sorted(rows, key=itemgetter("id")))


async def write_segments(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Rows of rows.segment_row; their calls are there already. What is known of a segment stays."""
    await _UPSERT_SEGMENTS(connection, rows)


async def write_seat_states(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Rows of rows.seat_row. Each state ends where the seat's next one begins."""
    await _UPSERT_SEAT_STATES(connection, rows)
    touched = {"seats": list({row["seat"] for row in rows}), "earliest": min(row["since"] for row in rows)}
    await connection.execute(_END_SEAT_STATES, touched)


async def write_supervisions(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Rows of rows.supervision_rows. A stretch that has ended stays so."""
    statement = insert(supervisions)
    until = func.coalesce(supervisions.c.until, statement.excluded.until)
    upsert = statement.on_conflict_do_update(
        index_elements=[supervisions.c.id, supervisions.c.since], set_={"until": until}
    )
    await connection.execute(upsert, list(rows))


async def write_guard_acts(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Rows of rows.guard_row; their calls are there already. The first word stands."""
    await connection.execute(insert(guard_acts).on_conflict_do_nothing(), rows)


WRITERS: Final = {
    "calls": write_calls,
    "segments": write_segments,
    "guard_acts": write_guard_acts,
    "seat_states": write_seat_states,
    "supervisions": write_supervisions,
}
