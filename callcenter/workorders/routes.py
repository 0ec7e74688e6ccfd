"""Drafts and orders for the desk, one order, and its events.

Whoever talked with the citizen writes the order; a supervisor may too. Saved means on a disk: in Postgres, or in the
journal while Postgres is away; then the code comes later.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from aiohttp import web
from pydantic import Field, WithJsonSchema
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from callcenter.api import ENGINE, READING, SETTINGS, WHOLE, Ask, Model, Moment, Problem, Routes
from callcenter.calls.journal import JournalRefused
from callcenter.calls.ledger import Ledger, Stored
from callcenter.calls.numbers import blind_index
from callcenter.calls.queries import find_calls
from callcenter.calls.recorder import Recent
from callcenter.calls.routes import CallPath, CallRecord, no_call, recent_call
from callcenter.calls.rows import Record
from callcenter.directory.city import LEAVES
from callcenter.log import mask
from callcenter.people.permissions import Person
from callcenter.privacy.seal import SEALER, Sealer, relay_of
from callcenter.store.engine import SILENCE_SECONDS, DatabaseAway, within
from callcenter.workorders import queries
from callcenter.workorders.codes import OrderCode
from callcenter.workorders.deadlines import Rules, kind_of, turning
from callcenter.workorders.diagram import ROLE_WORDS
from callcenter.workorders.drafts import SECONDS, Draft, Drafts, StaleDraft
from callcenter.workorders.flow import CONFIRM, DECLINE, STATES, Possible, Refused, possible
from callcenter.workorders.form import OTHER_ENDS, OrderForm, finish, in_danger
from callcenter.workorders.given import FIELDS, OURS, schema
from callcenter.workorders.given import Field as GivenField
from callcenter.workorders.move import Conflict, KeyTaken, NoOrder, move, orders_of
from callcenter.workorders.order import Clock, Proposal, State, Who
from callcenter.workorders.order import Order as Whole
from callcenter.workorders.parts import split_off
from callcenter.workorders.points import Point, of_row
from callcenter.workorders.policies import Policies
from callcenter.workorders.repeats import MOST as MOST_REPEATS
from callcenter.workorders.repeats import Repeat, Way, repeated
from callcenter.workorders.rows import told
from callcenter.workorders.words import event_words

routes = Routes("workorders")

LEDGER: Final = web.AppKey("LEDGER", Ledger)
DRAFTS: Final = web.AppKey("DRAFTS", Drafts)
POLICIES: Final = web.AppKey("POLICIES", Policies)

HISTORY_ROWS: Final = 20

Word = Annotated[str, Field(pattern=r"^[a-z_]{1,30}$")]


class DraftOut(Model):
    form: OrderForm
    version: int
    saved_at: Moment


class DraftFound(Model):
    """`draft` is null when nothing has been typed yet."""

    draft: DraftOut | None


class DraftNote(Model):
    """A draft in a list, without a word of what was said; the call's facts are null while nobody knows them."""

    call_id: str
    saved_at: Moment
    service: str | None
    arrived_at: Moment | None


class DraftNotes(Model):
    items: list[DraftNote]


class DraftIn(Model):
    """`version` is the one seen last, 0 when there was none."""

    form: OrderForm
    version: Annotated[int, Field(ge=0, le=1_000_000), WHOLE]


class DraftSaved(Model):
    version: int
    saved_at: Moment
    stored: Stored


class OrderIn(Model):
    """`key` is a UUID of the page's own choice: the same key again is the same order.

    `given`: the reason, and whatever else an end of its own asks for, see `/api/v1/order-ends`.
    `other_than`: orders of the caller's that look like the same matter, and that the operator says are not.
    `repeats`: one that is over, and that this is the same matter as.
    """

    form: OrderForm
    end: Literal["answered", "investigating", "pending_dispatch", "not_accepted", "transferred_out", "invalid"]
    given: Annotated[dict[str, Any], Field(max_length=10, default_factory=dict), WithJsonSchema(schema())]
    repeats: OrderCode | None = None
    other_than: Annotated[list[OrderCode], Field(max_length=MOST_REPEATS, default_factory=list)]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class OrderSaved(Model):
    """`code` is null while the order waits in the journal. `state`: `submitted` while it waits for a second person."""

    code: str | None
    state: str
    call_id: str
    stored: Stored


class OrderRow(Model):
    """An order in a list; `department` is the code of the lead. Its call is told by orderview/routes.py alone."""

    code: str
    state: str
    kind: str
    category: str
    urgency: str
    subject: str
    department: str | None
    created_at: Moment
    confidential: bool

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        """From a row of the table."""
        return cls(**{name: row[name] for name in OrderRow.model_fields})


class History(Model):
    calls: list[CallRecord]
    orders: list[OrderRow]


class Repeated(OrderRow):
    """An order of the same caller's that this would repeat (重复诉求). `likeness` of the words, in per cent.

    `way`: it is open and is urged; it is closed and can be reopened; or a new order repeats it. `state_since`: when it
    came to its state.
    """

    way: Way
    state_since: Moment
    due_at: Moment | None
    urge_level: int
    likeness: int

    @classmethod
    def told(cls, found: Repeat) -> Self:
        same = {name: found.row[name] for name in cls.model_fields if name not in ("likeness", "way")}
        return cls(likeness=round(found.likeness * 100), way=found.way, **same)


class OrderPath(Model):
    code: OrderCode


class Entry(Model):
    """One line of an order's history (办理记录). `n` is the order's version after it; `second` is who agreed.

    `zh` and `en`: what the event is called.
    """

    n: int
    at: Moment
    who: str
    role: str
    second: str | None
    event: str
    from_state: str
    to_state: str
    note: str
    given: dict[str, Any]
    zh: str
    en: str

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        """From a row of the table."""
        words = event_words(row["event"], row["from_state"])
        return cls(zh=words.zh, en=words.en, **{name: row[name] for name in Entry.model_fields if name in row})


class Turn(Model):
    """A stretch of time in which a clock turns."""

    since: Moment
    until: Moment


class ClockRow(Model):
    """A time limit of an order (时限). `work`: somebody must do something until then. `late`: met, but too late.

    `value` and `extended` are in `unit`. `turns`: when it turns until it is over: what is left of it is what of these
    stretches lies after now, or after its pause.
    """

    name: str
    policy: str
    value: int
    unit: str
    extended: int
    turns: list[Turn]
    started_at: Moment
    due_at: Moment
    first_due_at: Moment
    provisional: bool
    paused_at: Moment | None
    ended_at: Moment | None
    dropped: bool
    work: bool
    late: bool


class FieldRow(Model):
    """What an act asks for: see workorders/fields.csv."""

    name: str
    kind: str
    optional: bool
    most: int
    choices: list[str]
    zh: str
    en: str


class ActRow(Model):
    """What may be done next (可办事项). `who`: roles that may; `mine`: whether who asks may; `why_...`: why not now.

    `second`: roles of the second person whom it takes; empty when one is enough, or who asks is. `unit`: whose people
    may, when they act for a unit: `lead`, `co`, `party`; empty when it does not matter.
    """

    event: str
    zh: str
    en: str
    to: str
    who: list[str]
    second: list[str]
    unit: str
    mine: bool
    why_zh: str | None
    why_en: str | None
    fields: list[FieldRow]


class ProposalRow(Model):
    """An act that waits for a second person (待复核)."""

    event: str
    zh: str
    en: str
    by: str
    at: Moment
    given: dict[str, Any]


class CoUnit(Model):
    unit: str
    state: str


class Order(OrderRow):
    """An order with all that was said. Numbers are masked: revealing one is an act of its own (privacy/routes.py).

    A confidential order names nobody; `relay` is the reference under which its citizen is written to.
    """

    description: str
    place: str
    region: str
    point: Point | None
    contact_name: str
    callback_number: str
    anonymous: bool
    public_danger: bool
    relay: str | None
    complained_person: str
    complained_units: list[str]
    created_by: str
    updated_at: Moment
    version: int
    state_since: Moment
    due_at: Moment | None
    handler: str | None
    follow_up_officer: str | None
    returns: int
    rehandles: int
    urge_level: int
    closing: str | None
    master: str | None
    repeat_of: str | None
    machines: dict[str, str]
    co_units: list[CoUnit]
    proposal: ProposalRow | None
    clocks: list[ClockRow]
    possible: list[ActRow]
    history: list[Entry]


class EventIn(Model):
    """An event of an order. `version` is the one that was seen; `key` a UUID of the page's choice: twice is once."""

    event: Word
    given: Annotated[dict[str, Any], Field(max_length=40), WithJsonSchema(schema())]
    version: Annotated[int, Field(ge=1, le=1_000_000), WHOLE]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class OrderEnds(Model):
    """Ends of a call's matter that ask for more than its form: the reason, where to, a second person's word."""

    items: list[ActRow]


class OrderMoved(Model):
    """What became of an event: it is `propose_...` when it waits for a second person."""

    code: str
    event: str
    state: str
    version: int
    at: Moment


@routes.get("/api/v1/drafts", action="write_order", out=DraftNotes)
async def list_drafts(ask: Ask) -> DraftNotes:
    """What one has left unfinished, the newest first."""
    drafts = await ask.app[DRAFTS].of(ask.user.login)

    async def find(engine: AsyncEngine) -> queries.Found:
        async with engine.connect() as connection:
            return await queries.facts_of(connection, [draft.call_id for draft in drafts])

    facts: dict[str, RowMapping] = {}
    with suppress(DatabaseAway):
        facts = {row["id"]: row for row in await within(SECONDS, find(ask.app[ENGINE]))} if drafts else {}
    return DraftNotes(
        items=[
            DraftNote(
                call_id=draft.call_id,
                saved_at=draft.saved_at,
                service=facts[draft.call_id]["service"] if draft.call_id in facts else None,
                arrived_at=facts[draft.call_id]["arrived_at"] if draft.call_id in facts else None,
            )
            for draft in drafts
        ]
    )


@routes.get("/api/v1/calls/{call_id}/draft", action="write_order", path=CallPath, out=DraftFound)
async def show_draft(ask: Ask[None, None, CallPath]) -> DraftFound:
    """What has been typed so far for a call."""
    await party(ask.app, ask.user, ask.path.call_id, talked=False)
    draft = await ask.app[DRAFTS].get(ask.path.call_id)
    return DraftFound(draft=_draft(ask.app[SEALER], draft) if draft else None)


@routes.put("/api/v1/calls/{call_id}/draft", action="write_order", path=CallPath, body=DraftIn, out=DraftSaved)
async def save_draft(ask: Ask[DraftIn, None, CallPath]) -> DraftSaved | web.Response:
    """Keep what has been typed so far."""
    call_id = ask.path.call_id
    await party(ask.app, ask.user, call_id, talked=False)
    form = _sealed(ask.app[SEALER], call_id, ask.body.form)
    draft = Draft(call_id, form, ask.body.version, datetime.now(UTC), ask.user.login)
    try:
        kept, stored = await ask.app[DRAFTS].put(draft)
    except StaleDraft as stale:
        return _stale(ask.app[SEALER], stale.newest)
    except JournalRefused:
        raise _nothing_stored() from None
    return DraftSaved(version=kept.version, saved_at=kept.saved_at, stored=stored)


@routes.post(
    "/api/v1/calls/{call_id}/order", action="write_order", path=CallPath, body=OrderIn, out=OrderSaved, status=201
)
async def save_order(ask: Ask[OrderIn, None, CallPath]) -> OrderSaved | web.Response:
    """Make a call's form an order: answered at once, for support staff, waiting for dispatch, or one of the other ends.

    What takes two persons begins as an order that waits for the second one's word.
    409 with the caller's orders that it would repeat, when one of them could be urged or reopened instead and nobody
    has said that it is another matter, or that a closed one is repeated by a new order.
    """
    call_id, form, person = ask.path.call_id, ask.body.form, ask.user
    recent = await party(ask.app, person, call_id, talked=True)
    at = datetime.now(UTC)
    if form.confidential:
        _no_numbers(ask.body.given)
    ending = finish(form, State(ask.body.end), ask.body.given, _who(person), at, ask.app[POLICIES].release)
    proposal = told(ending.order.proposal)
    state = State.SUBMITTED if proposal else ending.entry.to_state
    number_key = ask.app[SETTINGS].number_key.get_secret_value().encode()
    key = UUID(ask.body.key)
    other_than, repeat_of = sorted(set(ask.body.other_than)), None
    if state in (State.INVESTIGATING, State.PENDING_DISPATCH):
        again = await repeats(ask.app, person, call_id, form, recent, key)
        ways = {each.row["code"]: each.way for each in again}
        repeat_of = ask.body.repeats if ways.get(ask.body.repeats or "", "urge") != "urge" else None
        if any(way != "new" for code, way in ways.items() if code not in (*other_than, repeat_of)):
            return _repeat(again)
    row = form.model_dump(exclude={"point"}) | {
        "id": key,
        "call_id": call_id,
        "state": state.value,
        "event": ending.entry.event,
        "proposal": proposal,
        "department": LEAVES[form.category].lead if form.category else None,
        "callback_key": blind_index(number_key, form.callback_number),
        "public_danger": in_danger(form),
        "created_by": person.login,
        "created_at": at,
        "language": person.language,
        "lat": form.point and form.point.lat,
        "lon": form.point and form.point.lon,
        "repeat_of": repeat_of,
        # Nothing tells of one order that hides its person that it is of the same one as another.
        "given": ask.body.given | ({} if form.confidential or form.anonymous else _beside(other_than, repeat_of)),
    }
    records = [Record("orders", row)]
    if form.confidential:
        records.append(_split(ask.app[SEALER], row))
    try:
        stored = await ask.app[LEDGER].save(records)
    except JournalRefused:
        raise _nothing_stored() from None
    if stored is Stored.JOURNAL:
        ask.app[DRAFTS].done(call_id)
        return OrderSaved(code=None, state=state, call_id=call_id, stored=stored)
    saved = await within(SILENCE_SECONDS, _order_by_key(ask.app[READING], key))
    if saved is None or (saved["call_id"], saved["created_by"]) != (call_id, person.login):
        raise Problem(409, "key_taken", "此编号已用于另一工单", "This key belongs to another order")
    ask.app[DRAFTS].done(call_id)
    return OrderSaved(code=saved["code"], state=saved["state"], call_id=call_id, stored=stored)


@routes.get("/api/v1/order-ends", action="write_order", out=OrderEnds)
async def list_ends(ask: Ask) -> OrderEnds:
    """How else than by its form alone one may end a call's matter."""
    now, rules = datetime.now(UTC), ask.app[POLICIES].release
    draft = Whole("", State.DRAFT, "", "", "", now, now)
    ends = [each for each in possible(draft, _who(ask.user), now, rules) if each.mine and each.event in OTHER_ENDS]
    return OrderEnds(items=[_act(each, ask.user) for each in ends])


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
            calls = await find_calls(connection, limit=HISTORY_ROWS + 1, number_key=key, person=ask.user)
            return calls, await queries.orders_of_number(
                connection, key, without=call_id, limit=HISTORY_ROWS, person=ask.user
            )

    calls, orders = await within(SILENCE_SECONDS, find(ask.app[ENGINE], recent.number_key))
    others = [row for row in calls if row["id"] != call_id][:HISTORY_ROWS]
    return History(
        calls=[CallRecord.of(row) for row in others],
        orders=[OrderRow.of(row) for row in orders],
    )


@routes.get("/api/v1/orders/{code}", action="see_orders", path=OrderPath, out=Order)
async def show_order(ask: Ask[None, None, OrderPath]) -> Order:
    """One order with its history, its clocks, and what may be done next."""

    policies = ask.app[POLICIES]

    async def find(engine: AsyncEngine) -> tuple[RowMapping, Whole, queries.Found, Rules]:
        async with engine.connect() as connection:
            row = await queries.visible_order(connection, ask.path.code, ask.user)
            if row is None:
                raise await _out_of_sight(connection, ask.path.code, ask.user, 404)
            (order,) = await orders_of(connection, [row])
            rules = await policies.rules(connection, order.policy)
            return row, order, await queries.history_of(connection, row["id"]), rules

    row, order, history, rules = await within(SILENCE_SECONDS, find(ask.app[READING]))
    now = datetime.now(ask.app[SETTINGS].zone)
    same = {name: row[name] for name in Order.model_fields if name in row}
    same["callback_number"] = mask(row["callback_number"]) if row["callback_number"] else ""
    same["relay"] = relay_of(row["id"]) if row["confidential"] else None
    if row["confidential"]:  # as it was before there was a store for it
        same |= {"contact_name": "", "callback_number": ""}
    proposal = order.proposal
    made = {
        "point": of_row(row["lat"], row["lon"]),
        "machines": dict(order.machines),
        "co_units": [CoUnit(unit=unit, state=state) for unit, state in order.co.items()],
        "clocks": [_clock(clock, now, rules) for clock in order.clocks],
        "possible": [_act(each, ask.user) for each in possible(order, _who(ask.user), now, rules)],
        "history": [Entry.of(entry) for entry in history],
        "proposal": proposal and _proposal(proposal, row["state"]),
    }
    return Order(**same | made)


@routes.post(
    "/api/v1/orders/{code}/events", action="act_on_orders", path=OrderPath, body=EventIn, out=OrderMoved, status=201
)
async def cause_event(ask: Ask[EventIn, None, OrderPath]) -> OrderMoved | web.Response:
    """Do what the order's table allows: sign it, return it, reply to it; or ask for it, when it takes two."""
    code, body, person, key = ask.path.code, ask.body, ask.user, UUID(ask.body.key)
    policies, sealer = ask.app[POLICIES], ask.app[SEALER]

    async def act(engine: AsyncEngine) -> OrderMoved:
        async with engine.begin() as connection:
            # An event that concerns two orders holds both, in their order.
            two = body.event in ("merge", "unmerge")
            see = queries.visible_order if two else queries.hold_visible
            seen = await see(connection, code, person)
            # Somebody whose act took the order out of their sight may ask again what became of it.
            if seen is None and not await queries.wrote(connection, code, key, person.login):
                raise await _out_of_sight(connection, code, person, 409)
            if seen is not None and (wrong := await queries.wrongly_named(connection, seen["department"], body.given)):
                raise Refused("incomplete", "有字段不正确", "Some fields are not right", wrong)
            if ours := OURS & body.given.keys():
                raise Refused("incomplete", "有字段不正确", "Some fields are not right", dict.fromkeys(ours, _UNKNOWN))
            if seen is not None and seen["confidential"]:
                _no_numbers(body.given)
            if body.event == "merge":
                await check_master(connection, body.given, person)
            moved = await move(
                connection,
                policies,
                code,
                body.event,
                _who(person),
                body.given,
                datetime.now(UTC),
                expected_version=body.version,
                key=key,
                held=None if two else seen,
                by=person.id,
            )
            if moved.event == "split" and seen is not None and not moved.again:
                await split_off(connection, policies, sealer, seen, body.given, person.login, moved.at)
            return OrderMoved(code=code, event=moved.event, state=moved.state, version=moved.version, at=moved.at)

    try:
        return await within(SILENCE_SECONDS, act(ask.app[ENGINE]))
    except NoOrder:
        raise _no_order() from None
    except KeyTaken:
        raise Problem(409, "key_taken", "此编号已用于另一操作", "This key belongs to another act") from None
    except Conflict as conflict:
        return _conflict(conflict)
    except Refused as refused:
        status = 422 if refused.fields else 403 if refused.code in ("not_allowed", "not_your_unit") else 409
        raise Problem(status, refused.code, refused.zh, refused.en, refused.fields) from refused


async def check_master(connection: AsyncConnection, given: Mapping[str, Any], person: Person) -> None:
    """Raise Refused unless somebody may merge into it; what is no code is refused by the table."""
    master = given.get("master")
    if isinstance(master, str) and not await queries.may_be_master(connection, master, person):
        raise Refused("no_master", "主单不存在", "There is no such order", {"master": "无效 / not valid"})


def _who(person: Person) -> Who:
    return Who(person.login, frozenset(person.roles), person.unit)


def _no_order() -> Problem:
    return Problem(404, "no_order", "没有此工单", "There is no such order")


async def _out_of_sight(connection: AsyncConnection, code: str, person: Person, status: int) -> Problem:
    """Why somebody does not see an order: it has gone on from them, and where to; else that there is none."""
    state = await queries.state_since_left(connection, code, person)
    if state is None:
        return _no_order()
    now = STATES[state]
    turn = ROLE_WORDS.get(now.owner, ("", ""))
    zh = f"工单已转到下一环节，现为“{now.zh}”" + (f"，待{turn[0]}办理" if turn[0] else "")
    en = f"The order has gone on: it is now “{now.en}”" + (f", and it is the turn of the {turn[1]}" if turn[1] else "")
    return Problem(status, "left_sight", zh, en)


def _conflict(conflict: Conflict) -> web.Response:
    """409 with what has changed since the page saw the order."""
    problem = Problem(409, "stale_order", "工单已有变化", "The order has changed meanwhile").response()
    error = problem.body
    assert isinstance(error, bytes)
    since = b",".join(Entry.of(entry).model_dump_json().encode() for entry in conflict.since)
    problem.body = error[:-1] + b',"version":%d,"since":[%s]}' % (conflict.version, since)
    return problem


def _proposal(proposal: Proposal, state: str) -> ProposalRow:
    words = event_words(proposal.event, state)
    given, login = dict(proposal.given), proposal.who.login
    return ProposalRow(event=proposal.event, zh=words.zh, en=words.en, by=login, at=proposal.at, given=given)


def _clock(clock: Clock, now: datetime, rules: Rules) -> ClockRow:
    same = {name: getattr(clock, name) for name in ClockRow.model_fields if name not in ("work", "late", "turns")}
    late = not clock.dropped and clock.over(clock.ended_at or clock.paused_at or now)
    turns = [Turn(since=since, until=until) for since, until in turning(clock, now, rules)]
    return ClockRow(work=kind_of(clock).work, late=late, turns=turns, **same)


def _act(each: Possible, person: Person) -> ActRow:
    row, answer = each.row, each.event in (CONFIRM, DECLINE)
    needs = row.needs if not answer else ("reason",) if each.event == DECLINE else ()
    words = {CONFIRM: ("同意：", "Agree: "), DECLINE: ("不同意：", "Do not agree: ")}.get(each.event, ("", ""))
    return ActRow(
        event=each.event,
        zh=words[0] + row.zh,
        en=words[1] + row.en,
        to=row.state or row.to if each.event == DECLINE else row.to,
        who=sorted(row.second if answer else row.who - {"system"}),
        second=[] if answer or row.alone & set(person.roles) else sorted(row.second),
        unit="lead" if answer else row.unit,
        mine=each.mine,
        why_zh=each.why[0] if each.why else None,
        why_en=each.why[1] if each.why else None,
        fields=[_field(FIELDS[name.rstrip("?")], name.endswith("?")) for name in needs if name.rstrip("?") not in OURS],
    )


def _field(field: GivenField, optional: bool) -> FieldRow:
    return FieldRow(
        name=field.name,
        kind=field.kind,
        optional=optional,
        most=field.most,
        choices=list(field.choices),
        zh=field.zh,
        en=field.en,
    )


async def party(app: web.Application, person: Person, call_id: str, *, talked: bool) -> Recent:
    """Who was rung for a call. Raises 404 when it was someone else, 403 when it must have been talked and was not."""
    recent = await recent_call(app, call_id)
    if not recent.parties:
        raise no_call()
    if person.may("see_all_calls"):
        return recent
    if person.login not in recent.parties:
        raise no_call()
    if talked and not recent.parties[person.login]:
        raise Problem(403, "not_yours", "只有接听者可以保存工单", "Only who talked with the citizen can save the order")
    return recent


async def repeats(
    app: web.Application, person: Person, call_id: str, form: OrderForm, recent: Recent, key: UUID | None = None
) -> list[Repeat]:
    """Orders of the caller's that a form would repeat; none while Postgres is away, for saving waits for nothing.

    Whoever stays unknown is not compared with anybody.
    """
    if form.confidential or form.anonymous or app[LEDGER].away:
        return []
    number_key = app[SETTINGS].number_key.get_secret_value().encode()

    async def find(engine: AsyncEngine) -> list[Repeat]:
        numbers = {recent.number_key, blind_index(number_key, form.callback_number)}
        async with engine.connect() as connection:
            return await repeated(
                connection,
                app[POLICIES],
                person,
                [number for number in numbers if number is not None],
                category=form.category,
                subject=form.subject,
                description=form.description,
                call_id=call_id,
                now=datetime.now(app[SETTINGS].zone),
                key=key,
            )

    try:
        return await within(SECONDS, find(app[READING]))
    except DatabaseAway:
        return []


def _beside(other_than: list[str], repeat_of: str | None) -> dict[str, Any]:
    """What an order's history tells of the caller's others."""
    return ({"other_than": other_than} if other_than else {}) | ({"repeats": repeat_of} if repeat_of else {})


def _repeat(again: list[Repeat]) -> web.Response:
    """409 with the orders of the same caller's."""
    problem = Problem(
        409, "repeat", "此来电人已有同类工单，请催办、重新办理，或确认是另一件事", "The caller has an order like this"
    ).response()
    error = problem.body
    assert isinstance(error, bytes)
    rows = b",".join(Repeated.told(each).model_dump_json().encode() for each in again)
    problem.body = error[:-1] + b',"repeats":[%s]}' % rows
    return problem


async def _order_by_key(engine: AsyncEngine, key: UUID) -> RowMapping | None:
    async with engine.connect() as connection:
        return await queries.order_by_key(connection, key)


#: What a form tells of who called.
_IDENTITY: Final = ("contact_name", "callback_number")
_MOBILE: Final = re.compile(r"(?<!\d)(?:\+?86[ -]?)?1[3-9]\d(?:[ -]?\d){8}(?!\d)")


def _sealed(sealer: Sealer, call_id: str, form: OrderForm) -> dict[str, Any]:
    """A form as it is kept: whether it will be confidential is known at its end only, so who called is sealed."""
    return form.model_dump() | {name: sealer.seal_text(call_id, getattr(form, name)) for name in _IDENTITY}


def _split(sealer: Sealer, row: dict[str, Any]) -> Record:
    """Take who it came from out of the row of a confidential order; their own row, sealed, for the store."""
    about = {name: row[name] for name in _IDENTITY}
    key_id, data = sealer.seal(str(row["id"]), about)
    kept = {"order_id": row["id"], "call_id": row["call_id"], "key_id": key_id, "sealed": data}
    kept["callback_key"] = row["callback_key"]
    row.update(dict.fromkeys(_IDENTITY, "") | {"callback_key": None})
    return Record("identities", kept)


def _no_numbers(given: Mapping[str, Any]) -> None:
    """Raise Problem 422 when a telephone number is about to be written into a confidential order."""
    wrong = {name[:100]: _NO_NUMBER for name, text in given.items() if isinstance(text, str) and _MOBILE.search(text)}
    if wrong:
        raise Problem(422, "tells_number", "保密工单不得写入电话号码", "A confidential order takes no numbers", wrong)


_UNKNOWN: Final = "未知字段 / unknown field"
_NO_NUMBER: Final = "请删去电话号码 / leave the number out"


def _draft(sealer: Sealer, draft: Draft) -> DraftOut:
    form = draft.form | {name: sealer.open_text(draft.call_id, draft.form[name]) for name in _IDENTITY}
    return DraftOut(form=OrderForm(**form), version=draft.version, saved_at=draft.saved_at)


def _stale(sealer: Sealer, newest: Draft | None) -> web.Response:
    problem = Problem(409, "stale_draft", "草稿在别处已更新", "The draft was changed elsewhere").response()
    error = problem.body
    assert isinstance(error, bytes)
    draft = _draft(sealer, newest).model_dump_json() if newest else "null"
    problem.body = error[:-1] + f',"draft":{draft}}}'.encode()
    return problem


def _nothing_stored() -> Problem:
    return Problem(503, "nothing_stored", "暂时无法保存，请稍后再试", "Nothing can be saved now; please try again")
