"""How orders and drafts are written, from a request or from the journal: twice is once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.calls.ledger import Writer
from callcenter.calls.rows import Row
from callcenter.store.tables import Moment, drafts, order_numbers, orders, users
from callcenter.workorders import queries
from callcenter.workorders.codes import check_code, order_code
from callcenter.workorders.deadlines import Rules, due_at, turn, wake_at
from callcenter.workorders.flow import TABLE, Transition
from callcenter.workorders.move import notice_row
from callcenter.workorders.order import Order, State
from callcenter.workorders.policies import Policies
from callcenter.workorders.queries import Traces
from callcenter.workorders.rows import clock_rows, mode_of

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


def order_writer(policies: Policies) -> Writer:
    """The writer of orders, whose codes carry the day in the city's time zone.

    A row has the columns of `orders` that the form fills, and `event`, which made the order; its clocks and notices are
    those of that event. What its desk has only proposed waits for a second person as what was filed online waits for
    the desk. `given`, which may be left out, is what its history tells beside it. What was saved before
    stays as it is, and the number meant for it is left out.
    """

    async def write_orders(connection: AsyncConnection, rows: Sequence[Row]) -> None:
        by_key = {row["id"]: row for row in rows}
        numbers = await connection.scalars(
            select(order_numbers.next_value()).select_from(func.generate_series(1, len(by_key)))
        )
        rules = await policies.newest(connection)
        begun = {key: _begin(row, policies.zone, rules) for key, row in by_key.items()}
        concerned = await _concerned(connection, rows)
        new = [
            _order(row, number, begun[row["id"]], policies.zone, rules) | concerned[row["id"]]
            for row, number in zip(by_key.values(), numbers, strict=True)
        ]
        written = set(await connection.scalars(_KEEP_ORDERS, new))
        if mine := [row for key, row in by_key.items() if key in written]:
            traces = Traces(history=[_first_entry(row) for row in mine])
            for row in mine:
                traces.clocks.extend(clock_rows(row["id"], (), begun[row["id"]].clocks))
                traces.notices.extend(_told(row))
            await queries.write_traces(connection, traces)
        await connection.execute(_DROP_DRAFT, [{"call": row["call_id"], "at": row["created_at"]} for row in rows])

    return write_orders


def _beginning(row: Row) -> Transition:
    """The row of the table by which it begins."""
    return TABLE[None, "create_online"] if row.get("proposal") else TABLE[State.DRAFT, row["event"]]


def _begin(row: Row, zone: ZoneInfo, rules: Rules) -> Order:
    """The order with its first clocks."""
    at = row["created_at"].astimezone(zone)
    state, kind = State(row["state"]), row["kind"]
    order = Order("", state, kind, mode_of(kind), row["urgency"], at, at, row["category"], policy=rules.version)
    return turn(order, _beginning(row).clocks, {}, at, rules)


def _told(row: Row) -> list[Row]:
    """Who is told that it has begun; nobody before it is decided what becomes of it."""
    told = (notice.partition(":") for notice in _beginning(row).notices if not row.get("proposal"))
    nobody = "citizen" if row.get("anonymous") else None
    return [
        notice_row(row["id"], 1, to, "", template, {}, row["created_at"]) for to, _, template in told if to != nobody
    ]


async def _concerned(connection: AsyncConnection, rows: Sequence[Row]) -> dict[UUID, Row]:
    """By order, whom it complains of: people who are known by name or login, their units with them (domain.md 3.6)."""
    names = {row["complained_person"] for row in rows if row.get("complained_person")}
    known = []
    if names:
        named = or_(*(column.in_(names) for column in (users.c.login, users.c.name_zh, users.c.name_en)))
        columns = (users.c.login, users.c.name_zh, users.c.name_en, users.c.unit)
        known = list(await connection.execute(select(*columns).where(named)))
    found: dict[UUID, Row] = {}
    for row in rows:
        person, units = row.get("complained_person", ""), set(row.get("complained_units", ()))
        # Of two of the same name it is the one of the unit that was named.
        theirs = [
            each
            for each in known
            if person in (each.login, each.name_zh, each.name_en) and (not units or each.unit in units)
        ]
        units |= {each.unit for each in theirs if each.unit is not None}
        found[row["id"]] = {
            "anonymous": row.get("anonymous", False),
            "public_danger": row.get("public_danger", False),
            "complained_person": person,
            "complained_logins": sorted(each.login for each in theirs),
            "complained_units": sorted(units),
            "department": None if row["department"] in units else row["department"],
        }
    return found


def _order(row: Row, number: int, begun: Order, zone: ZoneInfo, rules: Rules) -> Row:
    at: datetime = row["created_at"]
    columns = {name: value for name, value in row.items() if name not in ("event", "given")}
    code = order_code(at.astimezone(zone).date(), number)
    moments = {"updated_at": at, "state_since": at, "due_at": due_at(begun), "wake_at": wake_at(begun, rules)}
    # What an older release put into the journal has no point, repeats nothing and proposes nothing.
    newer = {name: row.get(name) for name in ("lat", "lon", "repeat_of", "proposal")}
    return columns | moments | newer | {"code": code, "check_code": check_code(), "policy": rules.version}


def _first_entry(row: Row) -> Row:
    return {
        "order_id": row["id"],
        "n": 1,
        "at": row["created_at"],
        "who": row["created_by"],
        "event": row["event"],
        "from_state": State.DRAFT.value,
        "to_state": row["state"],
        "note": row.get("given", {}).get("reason", ""),
        "role": "",
        "given": row.get("given", {}),
    }
