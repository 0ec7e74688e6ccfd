"""Revealing a number, with a reason; and who a confidential order came from, with an approval.

Numbers are masked wherever the office shows them. Whoever may see one reveals it by an act, and that is on record. Who
a confidential order came from (保密诉求人) is shown to who has asked for it with a reason, to whom another person has
given it, for hours; each look is on record (domain.md 3.6, 4.2).
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.api import ENGINE, WHOLE, Ask, Model, Moment, Problem, Routes
from callcenter.calls.queries import find_call
from callcenter.calls.routes import CallPath, no_call, recent_call
from callcenter.clock import now
from callcenter.people.queries import write_audit
from callcenter.people.second import check_second
from callcenter.privacy import queries
from callcenter.privacy.seal import SEALER, CannotOpen, relay_of
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.store.pages import Limit
from callcenter.workorders.queries import WITH_UNIT, visible_order
from callcenter.workorders.routes import OrderPath

routes = Routes("privacy")
T = TypeVar("T")

#: Why a number is revealed (查看号码事由).
Reason = Literal["contact", "verify", "visit", "urgent", "other"]
_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
Note = Annotated[str, Field(max_length=200, pattern=_LINE)]
Said = Annotated[str, Field(min_length=10, max_length=500, pattern=_LINE)]


class Why(Model):
    """`note` says more; `other` needs it."""

    reason: Reason
    note: Note = ""


class Revealed(Model):
    number: str


class Wish(Model):
    """Why the identity must be known, and for how many hours."""

    reason: Said
    hours: Annotated[int, Field(ge=1, le=72), WHOLE]


class RequestsQuery(Model):
    limit: Limit = 50
    before: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = None


class RequestPath(Model):
    id: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")]


class Decision(Model):
    approve: bool
    note: Annotated[str, Field(min_length=2, max_length=500, pattern=_LINE)]


class RequestRow(Model):
    """A request to see an identity (查看身份申请). `may`: what one can do about it now."""

    id: int
    code: str
    relay: str
    asked_by: str
    reason: str
    hours: int
    asked_at: Moment
    state: Literal["asked", "running", "refused", "over"]
    decided_by: str | None
    decided_at: Moment | None
    note: str
    until: Moment | None
    views: int
    may: list[Literal["decide", "view", "end"]]

    @classmethod
    def of(cls, row: RowMapping, ask: Ask[Any, Any, Any], at: datetime) -> Self:
        """From a row of queries.requests."""
        user, own = ask.user, row["asked_by"] == ask.user.login
        running = row["state"] == "approved" and row["until"] > at
        may: list[Literal["decide", "view", "end"]] = []
        if row["state"] == "asked" and not own and user.may("approve_identity"):
            may.append("decide")
        if running and own:
            may.append("view")
        if (running and (own or user.may("approve_identity"))) or (row["state"] == "asked" and own):
            may.append("end")
        word = {"asked": "asked", "refused": "refused"}.get(row["state"], "running" if running else "over")
        same = {name: row[name] for name in cls.model_fields if name in row and name != "state"}
        return cls(**same, state=word, relay=relay_of(row["order_id"]), may=may)  # type: ignore[arg-type]


class Requests(Model):
    items: list[RequestRow]
    next: str | None


class Identity(Model):
    """Who it came from; `caller` is the number of the call, once that is over."""

    contact_name: str
    callback_number: str
    caller: str
    until: Moment


@routes.post("/api/v1/orders/{code}/reveal", action="reveal_number", path=OrderPath, body=Why, out=Revealed)
async def reveal_of_order(ask: Ask[Why, None, OrderPath]) -> Revealed:
    """Show the number to call back on, for a reason; it is on record"""
    code, user = ask.path.code, ask.user
    _check(ask.body)

    async def show(connection: AsyncConnection) -> Revealed:
        order = await visible_order(connection, code, user)
        if order is None:
            raise _no_order()
        if order["confidential"]:
            raise Problem(
                403, "confidential", "身份保密，须申请并经批准", "It is confidential: ask for it, with a reason"
            )
        if order["anonymous"]:
            raise _no_number()
        # A handler sees the contact of what is theirs to handle, and no other number (domain.md 4.2: contact only).
        theirs = order["handler"] == user.login and order["state"] in WITH_UNIT
        if not (user.may("see_caller_number") or theirs):
            raise Problem(403, "not_yours", "此工单不在您手上", "This order is not in your hands")
        number = order["callback_number"]
        if not number and user.may("see_caller_number"):
            call = await find_call(connection, order["call_id"])
            number = call["number"] if call is not None else ""
        if not number:
            raise _no_number()
        told = {"code": code, "reason": ask.body.reason, "note": ask.body.note}
        await write_audit(connection, user.id, "reveal_number", told)
        return Revealed(number=number)

    return await _once(ask, show)


@routes.post("/api/v1/calls/{call_id}/reveal", action="see_caller_number", path=CallPath, body=Why, out=Revealed)
async def reveal_of_call(ask: Ask[Why, None, CallPath]) -> Revealed:
    """Show the number that called, for a reason; it is on record"""
    call_id, user = ask.path.call_id, ask.user
    _check(ask.body)
    recent = await recent_call(ask.app, call_id)
    if not (user.may("see_all_calls") or user.login in recent.parties):
        raise no_call()

    async def show(connection: AsyncConnection) -> Revealed:
        call = await find_call(connection, call_id)
        if call is None:
            raise no_call()
        if await queries.is_confidential(connection, call_id) or not call["number"]:
            raise _no_number()
        told = {"call": call_id, "reason": ask.body.reason, "note": ask.body.note}
        await write_audit(connection, user.id, "reveal_number", told)
        return Revealed(number=call["number"])

    return await _once(ask, show)


@routes.post(
    "/api/v1/orders/{code}/identity", action="ask_identity", path=OrderPath, body=Wish, out=RequestRow, status=201
)
async def ask_for(ask: Ask[Wish, None, OrderPath]) -> RequestRow:
    """Ask to see who a confidential order came from; another person decides"""
    code, user, at = ask.path.code, ask.user, now()

    async def note(connection: AsyncConnection) -> RequestRow:
        order = await queries.order_to_ask_for(connection, code, user)
        if order is None:
            raise _no_order()
        if not order["confidential"]:
            raise Problem(409, "not_confidential", "此工单未保密", "This order is not confidential")
        number = await queries.ask(connection, order["id"], user.login, ask.body.reason, ask.body.hours, at)
        if number is None:
            raise Problem(409, "asked_already", "您已有待批或有效的申请", "A request of yours waits or runs already")
        told = {"code": code, "request": number, "reason": ask.body.reason, "hours": ask.body.hours}
        await write_audit(connection, user.id, "ask_identity", told)
        row = await queries.request(connection, number, user)
        assert row is not None
        return RequestRow.of(row, ask, at)

    return await _once(ask, note)


@routes.get("/api/v1/privacy/requests", action="see_identity_requests", query=RequestsQuery, out=Requests)
async def list_requests(ask: Ask[None, RequestsQuery]) -> Requests:
    """Requests, newest first; of others, to who decides on them and to auditors"""
    query, user, at = ask.query, ask.user, now()

    async def find(connection: AsyncConnection) -> Requests:
        everybodys = user.may("approve_identity") or user.may("export_audit")
        before = int(query.before) if query.before else None
        found = await queries.requests(connection, user, everybodys=everybodys, limit=query.limit, before=before)
        last = str(found[-1]["id"]) if len(found) == query.limit else None
        return Requests(items=[RequestRow.of(row, ask, at) for row in found], next=last)

    return await _once(ask, find)


@routes.post(
    "/api/v1/privacy/requests/{id}/decision",
    action="approve_identity",
    path=RequestPath,
    body=Decision,
    out=RequestRow,
)
async def decide(ask: Ask[Decision, None, RequestPath]) -> RequestRow:
    """Give or refuse an identity to who has asked for it; nobody decides on their own request"""
    user, at, given = ask.user, now(), ask.body

    async def write(connection: AsyncConnection) -> RequestRow:
        row = await _request(ask, connection)
        check_second(row["asked_by"], user.login)
        if row["state"] != "asked":
            raise Problem(409, "decided", "此申请已处理", "This request has been decided or taken back")
        values = {"decided_by": user.login, "decided_at": at, "note": given.note}
        if given.approve:
            values |= {"state": "approved", "until": at + timedelta(hours=row["hours"])}
        else:
            values["state"] = "refused"
        await queries.change(connection, row["id"], values)
        told = {"code": row["code"], "request": row["id"], "approved": given.approve, "note": given.note}
        await write_audit(connection, user.id, "decide_identity", told)
        return RequestRow.of(await _request(ask, connection), ask, at)

    return await _once(ask, write)


@routes.post("/api/v1/privacy/requests/{id}/end", action="see_identity_requests", path=RequestPath, out=RequestRow)
async def end(ask: Ask[None, None, RequestPath]) -> RequestRow:
    """Take a request back, or end an approval before its time"""
    user, at = ask.user, now()

    async def write(connection: AsyncConnection) -> RequestRow:
        row = await _request(ask, connection)
        if "end" not in RequestRow.of(row, ask, at).may:
            raise Problem(409, "not_running", "没有可结束的授权", "There is nothing to end")
        await queries.change(connection, row["id"], {"state": "ended", "until": None})
        await write_audit(connection, user.id, "end_identity", {"code": row["code"], "request": row["id"]})
        return RequestRow.of(await _request(ask, connection), ask, at)

    return await _once(ask, write)


@routes.post(
    "/api/v1/privacy/requests/{id}/view", action="see_hidden_identity", path=RequestPath, out=Identity, approved=True
)
async def view(ask: Ask[None, None, RequestPath]) -> Identity:
    """Who it came from, while one's own approval runs; each look is on record"""
    user, at = ask.user, now()

    async def show(connection: AsyncConnection) -> Identity:
        row = await _request(ask, connection)
        if row["asked_by"] != user.login or row["state"] != "approved" or row["until"] <= at:
            raise Problem(403, "needs_approval", "没有有效的批准", "You have no approval that runs")
        sealed = await queries.identity_of(connection, row["order_id"])
        if sealed is None:
            raise Problem(404, "no_identity", "诉求人信息已去除", "The person has been removed from this order")
        try:
            known = queries.opened(ask.app[SEALER], sealed)
        except CannotOpen as error:
            raise Problem(503, "identity_shut", "身份信息无法解密，请联系管理员", "It cannot be opened") from error
        await queries.change(connection, row["id"], {"views": row["views"] + 1})
        await write_audit(connection, user.id, "view_identity", {"code": row["code"], "request": row["id"]})
        return Identity(
            contact_name=known["contact_name"],
            callback_number=known["callback_number"],
            caller=known.get("caller", ""),
            until=row["until"],
        )

    return await _once(ask, show)


async def _once(ask: Ask[Any, Any, Any], work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Do it in one transaction. Raises DatabaseAway."""

    async def do() -> T:
        async with ask.app[ENGINE].begin() as connection:
            return await work(connection)

    return await within(SILENCE_SECONDS, do())


async def _request(ask: Ask[Any, Any, RequestPath], connection: AsyncConnection) -> RowMapping:
    """A request that one may know of, held. Raises Problem 404."""
    row = await queries.request(connection, int(ask.path.id), ask.user)
    known = ask.user.may("approve_identity") or ask.user.may("export_audit")
    if row is None or not (known or row["asked_by"] == ask.user.login):
        raise Problem(404, "no_request", "没有此申请", "There is no such request")
    return row


def _check(why: Why) -> None:
    if why.reason == "other" and not why.note.strip():
        raise Problem(
            422, "not_valid", "有字段不正确", "Some fields are not right", {"note": "请说明 / please say more"}
        )


def _no_order() -> Problem:
    return Problem(404, "no_order", "没有此工单", "There is no such order")


def _no_number() -> Problem:
    return Problem(404, "no_number", "没有可显示的号码", "There is no number to show")
