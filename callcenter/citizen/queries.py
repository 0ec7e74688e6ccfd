"""What the citizen's door asks of the orders: one order, with its clocks and what was answered; and wrong tries."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import RowMapping, and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.citizen.flow import CITIZEN, Told, told_of
from callcenter.citizen.throttle import DAY, MOST_ACTS, Tried, Tries, fresh
from callcenter.store.tables import calls, citizen_tries, order_history, orders
from callcenter.workorders.move import orders_of
from callcenter.workorders.order import Order, State
from callcenter.workorders.queries import history_of

#: So many masters are followed: an order is merged into one that was merged, seldom further.
_DEEPEST: Final = 5
#: From where a code was once given rightly is remembered for so long after.
KNOWN_FOR: Final = timedelta(days=180)


class Found(NamedTuple):
    """An order; while it is merged, its master, unless that is secret."""

    row: RowMapping
    order: Order
    told: Told | None
    master: Order | None = None


async def order_of(connection: AsyncConnection, code: str) -> RowMapping | None:
    """An order's row. Whoever asks must still show its check code."""
    return (await connection.execute(select(orders).where(orders.c.code == code))).mappings().first()


async def tried(connection: AsyncConnection, keys: tuple[bytes, bytes, bytes], now: datetime) -> Tried:
    """What is known of address, code, and both; held until the transaction ends, so that tries at once are counted."""
    rows = [{"key": key, "at": now} for key in sorted(keys)]
    await connection.execute(upsert(citizen_tries).on_conflict_do_nothing(), rows)
    query = select(citizen_tries).where(citizen_tries.c.key.in_(keys)).order_by(citizen_tries.c.key)
    found = {
        bytes(row["key"]): fresh(Tries(row["at"], row["wrong"], row["known"], row["strangers"]), now)
        for row in (await connection.execute(query.with_for_update())).mappings()
    }
    return Tried(*(found[key] for key in keys))


async def keep(connection: AsyncConnection, keys: tuple[bytes, bytes, bytes], after: Tried) -> None:
    """Write down what is known after a try, and let go what has been forgotten."""
    for key, tries in zip(keys, (after.address, after.code, after.pair), strict=True):
        values = {"at": tries.at, "wrong": tries.wrong, "known": tries.known, "strangers": tries.strangers}
        await connection.execute(update(citizen_tries).where(citizen_tries.c.key == key).values(values))
    old = after.pair.at - DAY
    stale = or_(and_(citizen_tries.c.at < old, ~citizen_tries.c.known), citizen_tries.c.at < old - KNOWN_FOR)
    some = select(citizen_tries.c.key).where(stale).limit(20).with_for_update(skip_locked=True)
    await connection.execute(delete(citizen_tries).where(citizen_tries.c.key.in_(some)))


async def acts_left(connection: AsyncConnection, order_id: UUID, key: UUID, now: datetime) -> bool:
    """Whether a citizen may do one thing more with an order today; what has been done may always be asked again."""
    done = order_history.c.who == CITIZEN.login
    query = select(func.count().filter(order_history.c.at > now - DAY), func.bool_or(order_history.c.key == key))
    count, again = (await connection.execute(query.where(order_history.c.order_id == order_id, done))).one()
    return bool(again) or count < MOST_ACTS


async def whole(connection: AsyncConnection, row: RowMapping) -> Found:
    """An order with what was answered; of one that was merged (并单), what its master was answered."""
    (order,) = await orders_of(connection, [row])
    told = told_of(await _history(connection, row["id"]))
    last = await master_of(connection, row)
    if last is None or last["confidential"]:
        return Found(row, order, told)
    if told is None:
        told = told_of(await _history(connection, last["id"]))
    (master,) = await orders_of(connection, [last])
    return Found(row, order, told, master if order.state is State.MERGED else None)


async def master_of(connection: AsyncConnection, row: RowMapping) -> RowMapping | None:
    """The order that one was merged into, and if that was merged too, the last of them."""
    master: RowMapping | None = None
    code = row["master"]
    for _ in range(_DEEPEST):
        if code is None or (found := await order_of(connection, code)) is None:
            break
        master = found
        code = found["master"] if found["state"] == State.MERGED else None
    return master


async def has_number(connection: AsyncConnection, row: RowMapping, key: bytes) -> bool:
    """Whether an order is called back on a number, or its call came from it."""
    if row["callback_key"] == key:
        return True
    query = select(calls.c.id).where(calls.c.id == row["call_id"], calls.c.number_key == key)
    return (await connection.execute(query)).first() is not None


async def _history(connection: AsyncConnection, order_id: UUID) -> list[dict[str, Any]]:
    return [dict(entry) for entry in await history_of(connection, order_id)]
