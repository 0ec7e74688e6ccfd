"""What is asked of the list of callbacks. The order of a list is fixed."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import RowMapping, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.callbacks.flow import OPEN, Entry, State
from callcenter.calls.queries import tellable
from callcenter.people.permissions import Person
from callcenter.privacy.seal import MARK, CannotOpen, Sealer
from callcenter.store.tables import callbacks, calls, orders, texts

#: A text that is being sent is tried again after this time, should its sender have died.
SENDING: Final = timedelta(minutes=1)
SEALED_AT_ONCE: Final = 500

log = structlog.get_logger()


async def lately(connection: AsyncConnection, since: datetime, node: str, sealer: Sealer) -> list[Entry]:
    """Entries of a node that are open, or have changed since."""
    query = select(callbacks).where(
        callbacks.c.node == node,
        or_(callbacks.c.state.in_([state.value for state in OPEN]), callbacks.c.updated_at >= since),
    )
    return [entry_of_row(row, sealer) for row in (await connection.execute(query)).mappings()]


async def settled(connection: AsyncConnection, limit: int, sealer: Sealer) -> list[Entry]:
    """Entries that are not open any more, newest first."""
    query = select(callbacks).where(callbacks.c.state.not_in([state.value for state in OPEN]))
    query = query.order_by(callbacks.c.updated_at.desc(), callbacks.c.id.desc()).limit(limit)
    return [entry_of_row(row, sealer) for row in (await connection.execute(query)).mappings()]


async def confidential(connection: AsyncConnection, call_ids: Sequence[str]) -> set[str]:
    """Those of the calls of which a confidential order came: nobody is shown their number, not even masked."""
    query = select(orders.c.call_id).where(orders.c.call_id.in_(call_ids), orders.c.confidential)
    return set(await connection.scalars(query))


async def seal_clear(connection: AsyncConnection, sealer: Sealer) -> int:
    """Seal numbers that an earlier release has written in clear; how many there were."""
    done = 0
    for table in (callbacks, texts):
        clear = and_(table.c.number != "", ~table.c.number.startswith(MARK))
        query = select(table.c.id, table.c.number).where(clear).limit(SEALED_AT_ONCE - done)
        for key, number in (await connection.execute(query.with_for_update())).all():
            sealed = sealer.seal_text(key, number)
            await connection.execute(update(table).where(table.c.id == key).values(number=sealed))
            done += 1
    return done


async def order_codes(connection: AsyncConnection, call_ids: Sequence[str], person: Person) -> dict[str, str]:
    """Call -> code of the first order that came of it, of those that may be told beside a number."""
    query = select(orders.c.call_id, func.min(orders.c.code)).where(orders.c.call_id.in_(call_ids))
    query = query.where(tellable(person))
    rows = await connection.execute(query.group_by(orders.c.call_id))
    return {row[0]: row[1] for row in rows}


async def calls_of(connection: AsyncConnection, key: str) -> Sequence[RowMapping]:
    """Our calls that answer the citizen's call `key`, oldest first."""
    query = select(calls.c.id, calls.c.arrived_at, calls.c.answered_at, calls.c.outcome, calls.c.login, calls.c.seat)
    found = await connection.execute(query.where(calls.c.origin == key).order_by(calls.c.arrived_at))
    return found.mappings().all()


async def take_text(connection: AsyncConnection, now: datetime) -> RowMapping | None:
    """The text to send next, taken so that nobody else takes it meanwhile."""
    chosen = select(texts.c.id).where(texts.c.sent_at.is_(None), texts.c.next_at <= now)
    chosen = chosen.order_by(texts.c.next_at).limit(1).with_for_update(skip_locked=True)
    taking = update(texts).where(texts.c.id == chosen.scalar_subquery())
    taking = taking.values(next_at=now + SENDING, tries=texts.c.tries + 1)
    found = await connection.execute(taking.returning(texts.c.id, texts.c.number, texts.c.text, texts.c.tries))
    return found.mappings().first()


async def text_sent(connection: AsyncConnection, key: str, now: datetime) -> None:
    await connection.execute(update(texts).where(texts.c.id == key).values(sent_at=now))


def number_of(row: Mapping[str, Any] | RowMapping, sealer: Sealer) -> str:
    """The number of an entry or a text; none when its key is not among ours any more."""
    try:
        return sealer.open_text(row["id"], row["number"])
    except CannotOpen:
        log.warning("callback_number_shut", call=row["id"])
        return ""


def entry_of_row(row: Mapping[str, Any] | RowMapping, sealer: Sealer) -> Entry:
    """An entry as it was written down, in the table or in the journal."""
    fields: dict[str, Any] = {name: row[name] for name in Entry.__slots__}
    return Entry(**fields | {"state": State(row["state"]), "number": number_of(row, sealer)})
