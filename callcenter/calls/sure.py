"""The sure path: what Asterisk's own files know of the calls, committed together with how far they were read."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Text, any_, delete, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from callcenter.asterisk.files import Offset
from callcenter.calls.rows import Row, call_row, known_moments, segment_row
from callcenter.calls.writers import write_calls, write_segments
from callcenter.floor.model import Call
from callcenter.store.engine import within
from callcenter.store.tables import segments, tail_offsets

SECONDS: Final = 10.0


async def commit_sure(
    engine: AsyncEngine, calls: Sequence[Call], offsets: Sequence[Offset], *, node: str, number_key: bytes
) -> None:
    """Write what the files say of calls, and the offsets, in one transaction. May be done twice.

    A call that the line left open is closed, what the line missed is filled in, and what the line knows better stays.
    Raises DatabaseAway; the files wait.
    """
    await within(SECONDS, _commit(engine, calls, offsets, node, number_key))


async def load_offsets(engine: AsyncEngine, node: str) -> list[Offset]:
    """How far each file of a node has been read. Raises DatabaseAway."""
    return await within(SECONDS, _load(engine, node))


async def _commit(
    engine: AsyncEngine, calls: Sequence[Call], offsets: Sequence[Offset], node: str, number_key: bytes
) -> None:
    rows = [
        call_row(call, node=node, number_key=number_key, source="files", version=len(known_moments(call)))
        for call in calls
    ]
    legs = {call.id: [segment_row(call.id, n, leg) for n, leg in enumerate(call.legs)] for call in calls if call.legs}
    async with engine.begin() as connection:
        if rows:
            await write_calls(connection, rows)
        if legs:
            await _drop_incomplete(connection, legs)
            await write_segments(connection, [row for rings in legs.values() for row in rings])
        for each in offsets:
            where = insert(tail_offsets).values(node=node, file=each.file, inode=each.inode, offset=each.offset)
            await connection.execute(
                where.on_conflict_do_update(
                    index_elements=[tail_offsets.c.node, tail_offsets.c.file],
                    set_={"inode": where.excluded.inode, "offset": where.excluded.offset},
                )
            )


async def _drop_incomplete(connection: AsyncConnection, legs: Mapping[str, Sequence[Row]]) -> None:
    """Take away the rings of calls of which the line saw fewer than the files: the files' are all of them.

    Who sat at the seat only the line may know; that is carried over.
    """
    found: dict[str, list[tuple[str, str, str]]] = {}
    asked = select(segments.c.call_id, segments.c.seat, segments.c.line, segments.c.login).where(
        segments.c.call_id == any_(literal(list(legs), ARRAY(Text)))
    )
    for call_id, seat, line, login in await connection.execute(asked.order_by(segments.c.call_id, segments.c.n)):
        found.setdefault(call_id, []).append((seat, line, login))
    for call_id, ours in found.items():
        theirs = legs[call_id]
        if len(ours) < len(theirs) and any(
            (seat, line) != (row["seat"], row["line"]) for (seat, line, _), row in zip(ours, theirs, strict=False)
        ):
            sat = {seat: login for seat, _, login in ours if login}
            for row in theirs:
                row["login"] = row["login"] or sat.get(row["seat"], "")
            await connection.execute(delete(segments).where(segments.c.call_id == call_id))


async def _load(engine: AsyncEngine, node: str) -> list[Offset]:
    async with engine.connect() as connection:
        rows = await connection.execute(select(tail_offsets).where(tail_offsets.c.node == node))
        return [Offset(row.file, row.inode, row.offset) for row in rows]
