"""How orders and drafts are written, from a request or from the journal: twice is once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.calls.ledger import Writer
from callcenter.calls.rows import Row
from callcenter.store.tables import drafts, order_history, order_numbers, orders
from callcenter.workorders.codes import check_code, order_code
from callcenter.workorders.flow import State

_DRAFT: Final = insert(drafts)
_KEEP_DRAFT: Final = _DRAFT.on_conflict_do_update(
    index_elements=[drafts.c.call_id],
    set_={name: _DRAFT.excluded[name] for name in ("form", "version", "saved_at", "login")},
    where=drafts.c.version < _DRAFT.excluded.version,
)


async def write_drafts(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Rows of `drafts`; a newer version stays."""
    for row in rows:
        await connection.execute(_KEEP_DRAFT, row)


def order_writer(zone: ZoneInfo) -> Writer:
    """The writer of orders, whose codes carry the day in the city's time zone.

    A row has the columns of `orders` but code, check code, version and `updated_at`, and `event`, which made the order.
    """

    async def write_orders(connection: AsyncConnection, rows: Sequence[Row]) -> None:
        for row in rows:
            await _write_order(connection, row, zone)

    return write_orders


async def _write_order(connection: AsyncConnection, row: Row, zone: ZoneInfo) -> None:
    columns = {name: value for name, value in row.items() if name != "event"}
    at: datetime = row["created_at"]
    number = await connection.scalar(order_numbers)
    code = order_code(at.astimezone(zone).date(), number)
    written = await connection.execute(
        insert(orders)
        .values(**columns, code=code, check_code=check_code(), updated_at=at)
        .on_conflict_do_nothing(index_elements=[orders.c.id])
    )
    if not written.rowcount:
        return  # saved before: the number is left out
    await connection.execute(
        insert(order_history).values(
            order_id=row["id"],
            n=1,
            at=at,
            who=row["created_by"],
            event=row["event"],
            from_state=State.DRAFT,
            to_state=row["state"],
        )
    )
    await connection.execute(delete(drafts).where(drafts.c.call_id == row["call_id"], drafts.c.saved_at <= at))
