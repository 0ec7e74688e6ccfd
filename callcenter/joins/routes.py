"""Orders that belong together over HTTP: candidates for merging, what an order is joined with, what a caller repeats.

Merging, undoing it and splitting are events of the order (workorders/routes.py). What a caller asks of an order that
is there already, the operator causes for them: the service has seen that the number is the order's.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, Ask, Model, Moment, Problem, Routes
from callcenter.calls.routes import CallPath, recent_call
from callcenter.citizen.queries import master_of
from callcenter.directory.city import REGIONS
from callcenter.dispatch.flow import near
from callcenter.joins import queries
from callcenter.joins.flow import LEAST, MOST, Limits, Pair, Sign, signs, weigh
from callcenter.people.queries import write_audit
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.workorders.codes import OrderCode
from callcenter.workorders.drafts import drop
from callcenter.workorders.flow import Refused
from callcenter.workorders.form import OrderForm
from callcenter.workorders.likeness import alike, alike_places, other_number, pairs
from callcenter.workorders.move import MASTERS, KeyTaken, joins_concerned, move
from callcenter.workorders.order import State, Who
from callcenter.workorders.points import metres, of_row
from callcenter.workorders.queries import Found, visible_order
from callcenter.workorders.repeats import of_caller
from callcenter.workorders.routes import DRAFTS, POLICIES, OrderPath, Repeated, party, repeats

routes = Routes("joins")

_PARENTS: Final = {code: region.parent for code, region in REGIONS.items() if region.level == "street"}
_LINES: Final = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]*$"


class SignRow(Model):
    """Why it may be the same matter. `value`: per cent of likeness, metres, or days; 0 for a street or a district."""

    kind: Sign
    points: int
    value: int


class Candidate(Model):
    """An open order that may be the same matter. `into`: the order may be merged into it; `takes`: it into the order.

    `why_...`: why it is not. `same_leaf`: candidates are; what somebody has chosen need not be.
    """

    code: str
    state: str
    version: int
    urgency: str
    subject: str
    description: str
    place: str
    region: str
    department: str | None
    created_at: Moment
    confidential: bool
    points: int
    signs: list[SignRow]
    same_leaf: bool
    into: bool
    takes: bool
    why_zh: str | None
    why_en: str | None


class Candidates(Model):
    """The likeliest first. `days`, `metres`: how old and how far apart they may be; `least`: points of a candidate."""

    code: str
    version: int
    days: int
    metres: int
    least: int
    items: list[Candidate]


class Among(Model):
    """`among`: codes of orders that somebody has chosen, divided by commas; each is told, whatever its points."""

    among: Annotated[str, Field(pattern=r"^[0-9]{12}[0-9A-Z](,[0-9]{12}[0-9A-Z]){0,99}$", max_length=1400)] | None = (
        None
    )


class Joined(Model):
    """An order that belongs to another."""

    code: str
    state: str
    version: int
    category: str
    subject: str
    description: str
    place: str
    region: str
    department: str | None
    created_at: Moment
    confidential: bool

    @classmethod
    def of(cls, row: RowMapping) -> "Joined":
        return cls(**{name: row[name] for name in cls.model_fields})


class Joins(Model):
    """What an order is joined with.

    Args:
        master: what it was merged into (主单), as far as who asks may see it.
        merged: what was merged into it (并单); each keeps its code, citizen, files and visit.
        siblings: other matters of the same call.
        before: an order that was over and that it repeats (重复诉求); `again`: orders that repeat it.
    """

    master: Joined | None
    merged: list[Joined]
    siblings: list[Joined]
    before: Joined | None
    again: list[Joined]


class RepeatsIn(Model):
    """The form as far as it is filled in."""

    form: OrderForm


class Repeats(Model):
    items: list[Repeated]


class AskIn(Model):
    """What the caller asks of an order of theirs. `key`: a UUID of the page's choice, twice is once.

    `words`, and to reopen `reopen_reason`: what is given with the act.
    """

    code: OrderCode
    act: Literal["urge", "reopen", "withdraw"]
    reopen_reason: Annotated[str, Field(pattern=r"^[a-z_]{1,20}$")] | None = None
    words: Annotated[str, Field(max_length=2000, pattern=_LINES)]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class Asked(Model):
    """What became of it. `code`: of the order that was urged: of a merged one, its master."""

    code: str
    event: str
    state: str
    version: int
    at: Moment


@routes.get("/api/v1/orders/{code}/duplicates", action="merge_orders", path=OrderPath, query=Among, out=Candidates)
async def show_candidates(ask: Ask[None, Among, OrderPath]) -> Candidates:
    """Open orders that may be the same matter (并单候选), with the reasons; or those that somebody has chosen."""
    among = ask.query.among
    policies, now = ask.app[POLICIES], datetime.now(UTC)

    async def find(engine: AsyncEngine) -> tuple[RowMapping, Found, Limits]:
        async with engine.connect() as connection:
            order = await visible_order(connection, ask.path.code, ask.user)
            if order is None:
                raise _no_order()
            measures = (await policies.newest(connection)).measures
            limits = Limits(measures["MERGE-METRES"], measures["MERGE-DAYS"])
            if among is not None:
                codes = set(among.split(",")) - {order["code"]}
                return order, await queries.chosen(connection, codes, ask.user), limits
            if order["state"] not in MASTERS:
                return order, (), limits
            since = now - timedelta(days=limits.days)
            return order, await queries.pool(connection, order, ask.user, since), limits

    order, pool, limits = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    found = [each for row in pool if (each := _candidate(order, row, limits, chosen=among is not None)) is not None]
    found.sort(key=lambda each: (-each.points, each.created_at, each.code))
    return Candidates(
        code=order["code"],
        version=order["version"],
        days=limits.days,
        metres=limits.metres,
        least=LEAST,
        items=found if among is not None else found[:MOST],
    )


@routes.get("/api/v1/orders/{code}/joins", action="see_orders", path=OrderPath, out=Joins)
async def show_joins(ask: Ask[None, None, OrderPath]) -> Joins:
    """What an order is joined with: master, what was merged into it, matters of its call, what it repeats."""

    async def find(engine: AsyncEngine) -> Joins:
        async with engine.connect() as connection:
            order = await visible_order(connection, ask.path.code, ask.user)
            if order is None:
                raise _no_order()

            async def named(column: str) -> Joined | None:
                code = order[column]
                row = await visible_order(connection, code, ask.user) if code is not None else None
                return Joined.of(row) if row is not None else None

            return Joins(
                master=await named("master"),
                merged=[Joined.of(row) for row in await queries.merged_into(connection, order["code"], ask.user)],
                siblings=[Joined.of(row) for row in await queries.siblings(connection, order, ask.user)],
                before=await named("repeat_of"),
                again=[Joined.of(row) for row in await queries.repeats(connection, order["code"], ask.user)],
            )

    return await within(SILENCE_SECONDS, find(ask.app[ENGINE]))


@routes.post("/api/v1/calls/{call_id}/repeats", action="write_order", path=CallPath, body=RepeatsIn, out=Repeats)
async def show_repeats(ask: Ask[RepeatsIn, None, CallPath]) -> Repeats:
    """Orders of the caller's that the form would repeat (重复诉求)."""
    recent = await party(ask.app, ask.user, ask.path.call_id, talked=False)
    found = await repeats(ask.app, ask.user, ask.path.call_id, ask.body.form, recent)
    return Repeats(items=[Repeated.told(each) for each in found])


@routes.post("/api/v1/calls/{call_id}/asks", action="write_order", path=CallPath, body=AskIn, out=Asked, status=201)
async def ask_of_order(ask: Ask[AskIn, None, CallPath]) -> Asked:
    """Urge, reopen or withdraw an order for its citizen, who is on the line."""
    call_id, body, person, policies = ask.path.call_id, ask.body, ask.user, ask.app[POLICIES]
    await party(ask.app, person, call_id, talked=True)
    number_key = (await recent_call(ask.app, call_id)).number_key
    # The operator's hand, the citizen's word: so it counts as theirs.
    who = Who(person.login, frozenset({"citizen"}))

    async def act(engine: AsyncEngine) -> Asked:
        async with engine.begin() as connection:
            row = await of_caller(connection, person, number_key, body.code) if number_key is not None else None
            if row is None:
                raise _no_order()
            code, event, given = body.code, "withdraw", _withdrawal(row, body.words)
            if body.act == "urge":
                code, event, given = await _urged(connection, row), "repeat", {"call": call_id}
                given |= {"message": body.words} if body.words.strip() else {}
            elif body.act == "reopen":
                event, given = "reopen", {"call": call_id, "reopen_reason": body.reopen_reason, "reason": body.words}
            elif row["public_danger"]:
                event = "remove_person"
            at = datetime.now(UTC)
            moved = await move(connection, policies, code, event, who, given, at, key=UUID(body.key))
            if body.act != "withdraw":
                await drop(connection, call_id, at)
            if not moved.again:
                told = {"code": code, "event": moved.event, "version": moved.version, "call": call_id}
                await write_audit(connection, person.id, "order_event", told)
            return Asked(code=code, event=moved.event, state=moved.state, version=moved.version, at=moved.at)

    try:
        asked = await within(SILENCE_SECONDS, act(ask.app[ENGINE]))
    except KeyTaken:
        raise Problem(409, "key_taken", "此编号已用于另一操作", "This key belongs to another act") from None
    except Refused as refused:
        raise Problem(422 if refused.fields else 409, refused.code, refused.zh, refused.en, refused.fields) from refused
    if body.act != "withdraw":
        ask.app[DRAFTS].done(call_id)
    return asked


async def _urged(connection: Any, row: RowMapping) -> str:
    """The order that is urged: of one that was merged, its master. Raises Problem when that one is secret."""
    if row["state"] != State.MERGED:
        return str(row["code"])
    master = await master_of(connection, row)
    if master is None or master["confidential"]:
        raise Problem(409, "no_master", "主单不可催办，请联系派单员", "Its master cannot be urged: ask a dispatcher")
    return str(master["code"])


def _withdrawal(row: RowMapping, words: str) -> dict[str, Any]:
    """Code and number are checked: the order was found by the number that calls."""
    checked = {"identity": "code_and_number"}
    return checked | ({"reason": words} if words.strip() and not row["public_danger"] else {})


def _candidate(
    order: RowMapping, row: Mapping[Any, Any] | RowMapping, limits: Limits, *, chosen: bool
) -> Candidate | None:
    """How an order compares with another one; None when that is none to compare with, unless somebody has chosen it."""
    waits = State.PENDING_DISPATCH in (order["state"], row["state"])
    if not waits and not chosen:
        return None  # both are in somebody's hands
    regions = order["region"], row["region"]
    here, there = of_row(order["lat"], order["lon"]), of_row(row["lat"], row["lon"])
    pair = Pair(
        words=alike(_words(order), _words(row)),
        place=alike_places(order["place"], row["place"]),
        near=near(*regions, _PARENTS) if all(regions) else None,
        metres=metres(here, there) if here and there else None,
        other_number=other_number(order["place"], row["place"]),
        days=abs((order["created_at"] - row["created_at"]) / timedelta(days=1)),
    )
    weighed = signs(pair, limits) if chosen else weigh(pair, limits)
    if weighed is None:
        return None
    points, told = weighed
    into, takes = _why_not(order, row), _why_not(row, order)
    why = takes if chosen else (into and takes)
    shown = set(Candidate.model_fields) - {"points", "signs", "same_leaf", "into", "takes", "why_zh", "why_en"}
    return Candidate(
        points=points,
        signs=[SignRow(kind=each.kind, points=each.points, value=each.value) for each in told],
        same_leaf=order["category"] == row["category"],
        into=into is None,
        takes=takes is None,
        why_zh=why[0] if why else None,
        why_en=why[1] if why else None,
        **{name: row[name] for name in shown},
    )


def _why_not(gone: Mapping[Any, Any] | RowMapping, master: Mapping[Any, Any] | RowMapping) -> tuple[str, str] | None:
    """Why an order cannot be merged into another one; None when it can."""
    if gone["state"] != State.PENDING_DISPATCH:
        return "不在待派单状态，不能并入他单", "It does not wait for dispatch, so it cannot be merged"
    if master["state"] not in MASTERS:
        return "主单已办结或不在办理，不能并入", "The master is not open, so nothing can be merged into it"
    if joins_concerned(gone, master):
        return "由被投诉方办理，不能合并", "Whom one of them complains of handles the other"
    return None


def _words(order: Mapping[Any, Any] | RowMapping) -> frozenset[str]:
    return pairs(f"{order['subject']}\n{order['description']}")


def _no_order() -> Problem:
    return Problem(404, "no_order", "没有此工单", "There is no such order")
