"""Drafts and orders for the desk, and the list of orders.

Whoever talked with the citizen writes the order; a supervisor may too. Saved means on a disk: in Postgres, or in the
journal while Postgres is away; then the code comes later.
"""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from aiohttp import web
from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, SETTINGS, WHOLE, Ask, Model, Moment, Problem, Routes
from callcenter.calls.journal import JournalRefused
from callcenter.calls.ledger import Ledger, Stored
from callcenter.calls.numbers import blind_index
from callcenter.calls.queries import find_calls
from callcenter.calls.routes import CallPath, CallRecord, no_call, recent_call
from callcenter.calls.rows import Record
from callcenter.directory.city import LEAVES
from callcenter.log import mask
from callcenter.people.permissions import Person
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.store.pages import Limit, cursor
from callcenter.workorders import queries
from callcenter.workorders.drafts import Draft, Drafts, StaleDraft
from callcenter.workorders.flow import State
from callcenter.workorders.form import OrderForm, finish

routes = Routes("workorders")

LEDGER: Final = web.AppKey("LEDGER", Ledger)
DRAFTS: Final = web.AppKey("DRAFTS", Drafts)

HISTORY_ROWS: Final = 20

Word = Annotated[str, Field(pattern=r"^[a-z_]{1,30}$")]


class DraftOut(Model):
    form: OrderForm
    version: int
    saved_at: Moment


class DraftFound(Model):
    """`draft` is null when nothing has been typed yet."""

    draft: DraftOut | None


class DraftIn(Model):
    """`version` is the one seen last, 0 when there was none."""

    form: OrderForm
    version: Annotated[int, Field(ge=0, le=1_000_000), WHOLE]


class DraftSaved(Model):
    version: int
    saved_at: Moment
    stored: Stored


class OrderIn(Model):
    """`key` is a UUID of the page's own choice: the same key again is the same order."""

    form: OrderForm
    end: Literal["answered", "pending_dispatch"]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class OrderSaved(Model):
    """`code` is null while the order waits in the journal."""

    code: str | None
    state: str
    call_id: str
    stored: Stored


#: The Cursor of a row whose id is a UUID.
OrderCursor = Annotated[str, Field(pattern=r"^[0-9]{1,16}~[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class OrdersQuery(Model):
    """`q`: an order's code, or words of its subject, description or place."""

    state: Word | None = None
    kind: Word | None = None
    department: Annotated[str, Field(pattern=r"^[A-Z][0-9A-Z]{1,11}$")] | None = None
    q: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    limit: Limit = 50
    before: OrderCursor | None = None


class OrderRow(Model):
    """An order in a list; `department` is the code of the lead."""

    code: str
    state: str
    kind: str
    category: str
    urgency: str
    subject: str
    department: str | None
    created_at: Moment
    call_id: str
    confidential: bool

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        """From a row of the table."""
        return cls(**{name: row[name] for name in OrderRow.model_fields})


class History(Model):
    calls: list[CallRecord]
    orders: list[OrderRow]


class OrderPage(Model):
    items: list[OrderRow]
    next: str | None


class OrderPath(Model):
    code: Annotated[str, Field(pattern=r"^[0-9]{12}[0-9A-Z]$")]


class Entry(Model):
    """One line of an order's history (办理记录)."""

    at: Moment
    who: str
    event: str
    from_state: str
    to_state: str
    note: str


class Order(OrderRow):
    """An order with all that was said. Who it came from is hidden when it is confidential, but to who wrote it."""

    description: str
    place: str
    region: str
    contact_name: str
    callback_number: str
    created_by: str
    updated_at: Moment
    history: list[Entry]


@routes.get("/api/v1/calls/{call_id}/draft", action="write_order", path=CallPath, out=DraftFound)
async def show_draft(ask: Ask[None, None, CallPath]) -> DraftFound:
    """What has been typed so far for a call."""
    await _party(ask.app, ask.user, ask.path.call_id, talked=False)
    draft = await ask.app[DRAFTS].get(ask.path.call_id)
    return DraftFound(draft=_draft(draft) if draft else None)


@routes.put("/api/v1/calls/{call_id}/draft", action="write_order", path=CallPath, body=DraftIn, out=DraftSaved)
async def save_draft(ask: Ask[DraftIn, None, CallPath]) -> DraftSaved | web.Response:
    """Keep what has been typed so far."""
    call_id = ask.path.call_id
    await _party(ask.app, ask.user, call_id, talked=False)
    draft = Draft(call_id, ask.body.form.model_dump(), ask.body.version, datetime.now(UTC), ask.user.login)
    try:
        kept, stored = await ask.app[DRAFTS].put(draft)
    except StaleDraft as stale:
        return _stale(stale.newest)
    except JournalRefused:
        raise _nothing_stored() from None
    return DraftSaved(version=kept.version, saved_at=kept.saved_at, stored=stored)


@routes.post(
    "/api/v1/calls/{call_id}/order", action="write_order", path=CallPath, body=OrderIn, out=OrderSaved, status=201
)
async def save_order(ask: Ask[OrderIn, None, CallPath]) -> OrderSaved:
    """Make a call's form an order: answered at once, or waiting for dispatch."""
    call_id, form, person = ask.path.call_id, ask.body.form, ask.user
    await _party(ask.app, person, call_id, talked=True)
    ending = finish(form, State(ask.body.end), person.roles)
    number_key = ask.app[SETTINGS].number_key.get_secret_value().encode()
    row = form.model_dump() | {
        "id": UUID(ask.body.key),
        "call_id": call_id,
        "state": ending.to.value,
        "event": ending.event,
        "department": LEAVES[form.category].lead if form.category else None,
        "callback_key": blind_index(number_key, form.callback_number),
        "created_by": person.login,
        "created_at": datetime.now(UTC),
        "language": person.language,
    }
    try:
        stored = await ask.app[LEDGER].save([Record("orders", row)])
    except JournalRefused:
        raise _nothing_stored() from None
    if stored is Stored.JOURNAL:
        ask.app[DRAFTS].done(call_id)
        return OrderSaved(code=None, state=ending.to, call_id=call_id, stored=stored)
    saved = await within(SILENCE_SECONDS, _order_by_key(ask.app[ENGINE], UUID(ask.body.key)))
    if saved is None or (saved["call_id"], saved["created_by"]) != (call_id, person.login):
        raise Problem(409, "key_taken", "此编号已用于另一工单", "This key belongs to another order")
    ask.app[DRAFTS].done(call_id)
    return OrderSaved(code=saved["code"], state=saved["state"], call_id=call_id, stored=stored)


@routes.get("/api/v1/calls/{call_id}/history", action="see_calls", path=CallPath, out=History)
async def show_history(ask: Ask[None, None, CallPath]) -> History:
    """Earlier calls and orders of the same number, newest first, at most 20 of each."""
    call_id = ask.path.call_id
    recent = await recent_call(ask.app, call_id)
    if not (ask.user.may("see_all_calls") or ask.user.login in recent.parties):
        raise no_call()
    if recent.number_key is None:
        return History(calls=[], orders=[])

    async def find(engine: AsyncEngine, key: bytes) -> tuple[queries.Found, queries.Found]:
        async with engine.connect() as connection:
            calls = await find_calls(connection, limit=HISTORY_ROWS + 1, number_key=key)
            return calls, await queries.orders_of_number(connection, key, without=call_id, limit=HISTORY_ROWS)

    calls, orders = await within(SILENCE_SECONDS, find(ask.app[ENGINE], recent.number_key))
    others = [row for row in calls if row["id"] != call_id][:HISTORY_ROWS]
    return History(
        calls=[CallRecord.of(row) for row in others],
        orders=[OrderRow.of(row) for row in orders],
    )


@routes.get("/api/v1/orders", action="see_orders", query=OrdersQuery, out=OrderPage)
async def list_orders(ask: Ask[None, OrdersQuery]) -> OrderPage:
    """Orders, newest first; an operator sees their own."""
    query = ask.query

    async def find(engine: AsyncEngine) -> queries.Found:
        async with engine.connect() as connection:
            return await queries.find_orders(
                connection,
                limit=query.limit,
                before=query.before,
                state=query.state,
                kind=query.kind,
                department=query.department,
                words=query.q,
                created_by=None if ask.user.may("see_all_orders") else ask.user.login,
            )

    found = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    last = found[-1] if len(found) == query.limit else None
    return OrderPage(
        items=[OrderRow.of(row) for row in found], next=cursor(last["created_at"], last["id"]) if last else None
    )


@routes.get("/api/v1/orders/{code}", action="see_orders", path=OrderPath, out=Order)
async def show_order(ask: Ask[None, None, OrderPath]) -> Order:
    """One order with its history."""

    async def find(engine: AsyncEngine) -> tuple[RowMapping | None, queries.Found]:
        async with engine.connect() as connection:
            order = await queries.order_by_code(connection, ask.path.code)
            return order, await queries.history_of(connection, order["id"]) if order else []

    order, history = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    own = order is not None and order["created_by"] == ask.user.login
    if order is None or not (own or ask.user.may("see_all_orders")):
        raise Problem(404, "no_order", "没有此工单", "There is no such order")
    fields = {name: order[name] for name in Order.model_fields if name != "history"}
    if not own and order["confidential"]:
        fields |= {"contact_name": "", "callback_number": ""}
    elif not (own or ask.user.may("see_caller_number")):
        fields["callback_number"] = mask(order["callback_number"]) if order["callback_number"] else ""
    entries = [Entry(**{name: entry[name] for name in Entry.model_fields}) for entry in history]
    return Order(**fields, history=entries)


async def _party(app: web.Application, person: Person, call_id: str, *, talked: bool) -> None:
    """Raise 404 when the call rang someone else, 403 when it must have been talked and was not."""
    recent = await recent_call(app, call_id)
    if not recent.parties:
        raise no_call()
    if person.may("see_all_calls"):
        return
    if person.login not in recent.parties:
        raise no_call()
    if talked and not recent.parties[person.login]:
        raise Problem(403, "not_yours", "只有接听者可以保存工单", "Only who talked with the citizen can save the order")


async def _order_by_key(engine: AsyncEngine, key: UUID) -> RowMapping | None:
    async with engine.connect() as connection:
        return await queries.order_by_key(connection, key)


def _draft(draft: Draft) -> DraftOut:
    return DraftOut(form=OrderForm(**draft.form), version=draft.version, saved_at=draft.saved_at)


def _stale(newest: Draft | None) -> web.Response:
    problem = Problem(409, "stale_draft", "草稿在别处已更新", "The draft was changed elsewhere").response()
    error = problem.body
    assert isinstance(error, bytes)
    draft = _draft(newest).model_dump_json() if newest else "null"
    problem.body = error[:-1] + f',"draft":{draft}}}'.encode()
    return problem


def _nothing_stored() -> Problem:
    return Problem(503, "nothing_stored", "暂时无法保存，请稍后再试", "Nothing can be saved now; please try again")
