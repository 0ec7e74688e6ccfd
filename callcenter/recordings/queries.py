"""Recordings in SQL: rows that come by the ledger, what a recording should have been, retention and its proof."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    RowMapping,
    Select,
    Text,
    and_,
    any_,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.calls.rows import Row
from callcenter.recordings.flow import Order, Rule
from callcenter.store.tables import calls, orders, quality_reviews, recording_deletions, recordings, segments

_ONE_AT_A_TIME: Final = 12346  # advisory lock: the chain of proofs grows at one end


async def write_recordings(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Rows of the archive. What was sealed anew takes the place of what was there; what was deleted stays so."""
    statement = upsert(recordings)
    new = {name: statement.excluded[name] for name in ("recorded_at", "stored_at", "length_ms", "bytes")}
    new |= {name: statement.excluded[name] for name in ("sha256", "key_id")}
    judged_anew = {"gap": None, "gap_ms": None, "rule": None, "keep_until": None}
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[recordings.c.call_id], set_=new | judged_anew, where=recordings.c.deleted_at.is_(None)
        ),
        list(rows),
    )


async def find(connection: AsyncConnection, call_id: str) -> RowMapping | None:
    """A call's recording."""
    query = select(recordings).where(recordings.c.call_id == call_id)
    return (await connection.execute(query)).mappings().first()


async def is_drawn(connection: AsyncConnection, call_id: str, login: str, *, confidential: bool) -> bool:
    """Whether a call was drawn for review (抽样) so that this person may look at it (domain.md 4.1).

    Nobody looks at the own call, nor at another's part of a calibration.

    Args:
        confidential: the person may see confidential orders.
    """
    own = quality_reviews.c
    talked = exists().where(
        segments.c.call_id == call_id, segments.c.login == login, segments.c.answered_at.is_not(None)
    )
    query = select(own.id).where(
        own.call_id == call_id, own.login != login, ~talked, or_(~own.calibration, own.reviewer == login)
    )
    if not confidential:
        query = query.where(~exists().where(orders.c.call_id == call_id, orders.c.confidential))
    return (await connection.execute(query.limit(1))).first() is not None


# --- what should be there ---------------------------------------------------------------------------------------------


def _expected() -> Any:
    """Milliseconds from the start of the recording to its end: the survey, or the call's end."""
    until = func.least(calls.c.surveyed_at, calls.c.ended_at)  # in Postgres null does not count
    return func.greatest(0, func.extract("epoch", until - calls.c.recorded_at) * 1000)


async def find_unjudged(connection: AsyncConnection, limit: int) -> Sequence[RowMapping]:
    """Recordings whose call is over now: call_id, length_ms, recorded_at, answered_at, expected_ms, oldest first."""
    query = (
        select(
            recordings.c.call_id,
            recordings.c.length_ms,
            func.coalesce(calls.c.recorded_at, recordings.c.recorded_at).label("recorded_at"),
            calls.c.answered_at,
            _expected().label("expected_ms"),
        )
        .join(calls, calls.c.id == recordings.c.call_id)
        .where(recordings.c.gap_ms.is_(None), calls.c.outcome.is_not(None))
        .order_by(recordings.c.stored_at)
        .limit(limit)
    )
    return (await connection.execute(query)).mappings().all()


async def judge(connection: AsyncConnection, call_id: str, values: Mapping[str, object]) -> None:
    """Write what was found of a recording."""
    await connection.execute(update(recordings).where(recordings.c.call_id == call_id).values(**values))


async def add_missing(connection: AsyncConnection, *, ended: tuple[datetime, datetime]) -> int:
    """A row for each answered call that ended in this time and should have been recorded, but has no recording."""
    lacking = (
        select(calls.c.id, calls.c.recorded_at, func.now(), literal(0), literal(0))
        .outerjoin(recordings, recordings.c.call_id == calls.c.id)
        .where(calls.c.recorded_at.is_not(None), calls.c.answered_at.is_not(None), calls.c.outcome.is_not(None))
        .where(calls.c.ended_at >= ended[0], calls.c.ended_at < ended[1], recordings.c.call_id.is_(None))
    )
    columns = ["call_id", "recorded_at", "stored_at", "length_ms", "bytes"]
    added = await connection.execute(
        upsert(recordings).from_select(columns, lacking).on_conflict_do_nothing().returning(recordings.c.call_id)
    )
    return len(added.all())


async def orders_of(connection: AsyncConnection, call_ids: Sequence[str]) -> dict[str, list[Order]]:
    """The orders that came of calls."""
    found: dict[str, list[Order]] = {call_id: [] for call_id in call_ids}
    theirs = orders.c.call_id == any_(literal(list(call_ids), ARRAY(Text)))
    query = select(orders.c.call_id, orders.c.kind, orders.c.state, orders.c.urgency).where(theirs)
    for call_id, *order in await connection.execute(query):
        found[call_id].append(Order(*order))
    return found


# --- retention --------------------------------------------------------------------------------------------------------


def _due(now: datetime) -> Select[*tuple[Any, ...]]:
    return (
        select(recordings, calls.c.answered_at)
        .outerjoin(calls, calls.c.id == recordings.c.call_id)
        .where(recordings.c.keep_until <= now, recordings.c.deleted_at.is_(None), recordings.c.hold.is_(None))
        .order_by(recordings.c.keep_until)
    )


async def take_due(connection: AsyncConnection, now: datetime, limit: int) -> Sequence[RowMapping]:
    """Recordings whose time has come and that nobody holds; they are ours until the transaction ends."""
    query = _due(now).limit(limit).with_for_update(of=recordings, skip_locked=True)
    return (await connection.execute(query)).mappings().all()


async def apply_days(connection: AsyncConnection, days: Mapping[Rule, int]) -> None:
    """Have the days of each rule hold for what is there already, when they were changed."""
    lengths = case({rule.value: timedelta(days=days[rule]) for rule in Rule}, value=recordings.c.rule)
    other = recordings.c.keep_until != recordings.c.recorded_at + lengths
    kept = and_(recordings.c.deleted_at.is_(None), recordings.c.rule.is_not(None), recordings.c.keep_until.is_not(None))
    await connection.execute(
        update(recordings).where(kept, other).values(keep_until=recordings.c.recorded_at + lengths)
    )


async def prove_deleted(connection: AsyncConnection, row: RowMapping, rule: Rule, days: int, at: datetime) -> None:
    """Write that a recording is gone: when, by which rule, and what it was. Each proof seals the one before it."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
    newest = select(recording_deletions.c.n, recording_deletions.c.seal).order_by(recording_deletions.c.n.desc())
    last = (await connection.execute(newest.limit(1))).first()
    proof = {
        "n": (last.n if last else 0) + 1,
        "call_id": row["call_id"],
        "recorded_at": row["recorded_at"],
        "length_ms": row["length_ms"],
        "bytes": row["bytes"],
        "sha256": row["sha256"],
        "rule": rule.value,
        "days": days,
        "deleted_at": at,
    }
    await connection.execute(
        insert(recording_deletions).values(**proof, seal=seal_of(last.seal if last else b"", proof))
    )
    await connection.execute(
        update(recordings).where(recordings.c.call_id == row["call_id"]).values(deleted_at=at, keep_until=None)
    )


def seal_of(before: bytes, proof: Mapping[str, Any] | RowMapping) -> bytes:
    """SHA-256 over the seal before and every field of a proof: who changes one row must change all that follow."""
    words = [
        proof["n"],
        proof["call_id"],
        f"{proof['recorded_at'].timestamp():.6f}",
        proof["length_ms"],
        proof["bytes"],
        proof["sha256"].hex() if proof["sha256"] else "",
        proof["rule"],
        proof["days"],
        f"{proof['deleted_at'].timestamp():.6f}",
    ]
    return hashlib.sha256(before + "|".join(map(str, words)).encode()).digest()


async def proofs(connection: AsyncConnection) -> Sequence[RowMapping]:
    """Every proof of deletion, oldest first."""
    query = select(recording_deletions).order_by(recording_deletions.c.n)
    return (await connection.execute(query)).mappings().all()


def first_broken(found: Sequence[Mapping[str, Any] | RowMapping]) -> int | None:
    """The number of the first proof that does not fit the chain; None when all do."""
    before = b""
    for n, proof in enumerate(found, 1):
        if proof["n"] != n or proof["seal"] != seal_of(before, proof):
            return n
        before = proof["seal"]
    return None


async def set_hold(connection: AsyncConnection, call_id: str, *, reason: str | None, login: str, at: datetime) -> bool:
    """Hold a recording against deletion, or with `reason` None let it go; False when there is none to hold."""
    held: dict[str, object] = {"hold": reason, "held_by": login, "held_at": at}
    values = held if reason is not None else dict.fromkeys(held)
    there = and_(recordings.c.call_id == call_id, recordings.c.deleted_at.is_(None), recordings.c.bytes > 0)
    changed = await connection.execute(update(recordings).where(there).values(values).returning(recordings.c.call_id))
    return changed.first() is not None


WRITERS: Final = {"recordings": write_recordings}
