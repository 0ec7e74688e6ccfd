"""How orders and drafts are written, from a request or from the journal: twice is once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.calls.ledger import Writer
from callcenter.calls.rows import Row
from callcenter.store.tables import Moment, drafts, order_history, order_numbers, orders
from callcenter.workorders.codes import check_code, order_code
from callcenter.workorders.flow import State

_DRAFT: Final = insert(drafts)
_KEEP_DRAFT: Final = _DRAFT.on_conflict_do_update(
    index_elements=[drafts.c.call_id],
    set_={name: _DRAFT.excluded[name] for name in ("form", "version", "saved_at", "login")},
    where=drafts.c.version < _DRAFT.excluded.version,
)


_KEEP_ORDERS: Final = insert(orders).on_conflict_do_nothing(index_elements=[orders.c.id]).returning(orders.c.id)
# What was typed after the order was saved belongs to the next one.
_DROP_DRAFT: Final = delete(drafts).where(
    drafts.c.call_id == bindparam("call"), drafts.c.saved_at <= bindparam("at", type_=Moment)
)


async def write_drafts(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Rows of `drafts`; a newer version stays."""
    await connection.execute(_KEEP_DRAFT, rows)


def order_writer(zone: ZoneInfo) -> Writer:
    """The writer of orders, whose codes carry the day in the city's time zone.

    A row has the columns of `orders` but code, check code, version and `updated_at`, and `event`, which made the order.
    What was saved before stays as it is, and the number meant for it is left out.
    """

    async def write_orders(connection: AsyncConnection, rows: Sequence[Row]) -> None:
        by_key = {row["id"]: row for row in rows}
        numbers = await connection.scalars(
            select(order_numbers.next_value()).select_from(func.generate_series(1, len(by_key)))
        )
        new = [_order(row, number, zone) for row, number in zip(by_key.values(), numbers, strict=True)]
        written = set(await connection.scalars(_KEEP_ORDERS, new))
        entries = [_first_entry(by_key[key]) for key in written]
        if entries:
            await connection.execute(insert(order_history), entries)
        await connection.execute(_DROP_DRAFT, [{"call": row["call_id"], "at": row["created_at"]} for row in rows])

    return write_orders


def _order(row: Row, number: int, zone: ZoneInfo) -> Row:
    at: datetime = row["created_at"]
    columns = {name: value for name, value in row.items() if name != "event"}
    code = order_code(at.astimezone(zone).date(), number)
    return columns | {"code": code, "check_code": check_code(), "updated_at": at}


def _first_entry(row: Row) -> Row:
    return {
        "order_id": row["id"],
        "n": 1,
        "at": row["created_at"],
        "who": row["created_by"],
        "event": row["event"],
        "from_state": State.DRAFT.value,
        "to_state": row["state"],
    }
