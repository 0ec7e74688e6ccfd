"""Personal data in clear leaves by two persons (domain.md 4.2): a privacy officer asks, another person approves.

What an approval is good for is one file, within a day, of orders that are not confidential and complain of nobody who
takes them: what somebody asks to be told of their own data, what a court or another body is owed.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeVar

from aiohttp import web
from pydantic import Field
from pydantic_core import to_json
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.api import ENGINE, SETTINGS, Ask, Model, Moment, Problem, Routes
from callcenter.calls.numbers import blind_index
from callcenter.clock import now
from callcenter.exports import queries
from callcenter.log import mask
from callcenter.people.queries import write_audit
from callcenter.people.second import check_second
from callcenter.privacy.routes import Decision, RequestPath, RequestsQuery, Said
from callcenter.register.queries import of_number
from callcenter.register.routes import Filters, Format, Taking, check_room, send_sheet, wanted_by
from callcenter.store.engine import SILENCE_SECONDS, within

routes = Routes("exports")
T = TypeVar("T")

#: How long an approval is good.
GOOD_FOR: Final = timedelta(days=1)


class DataWish(Model):
    """What is to be taken out, and why. `number`: of one citizen's orders alone; it is kept as its blind index."""

    reason: Said
    format: Format
    number: Annotated[str, Field(pattern=r"^\+?[0-9 -]{3,32}$", max_length=33)] | None = None
    filters: Filters


class DataExport(Model):
    """A request to take personal data out (导出个人信息申请). `may`: what one can do about it now."""

    id: int
    asked_by: str
    reason: str
    format: Format
    number: str
    filters: Filters
    asked_at: Moment
    state: Literal["asked", "running", "refused", "over"]
    decided_by: str | None
    decided_at: Moment | None
    note: str
    until: Moment | None
    taken_at: Moment | None
    may: list[Literal["decide", "take"]]


class DataExports(Model):
    items: list[DataExport]
    next: str | None


@routes.post("/api/v1/exports", action="ask_export", body=DataWish, out=DataExport, status=201)
async def ask_for(ask: Ask[DataWish]) -> DataExport:
    """Ask to take personal data out; another person decides"""
    body, user, at = ask.body, ask.user, now()
    key = None
    if body.number is not None:
        key = blind_index(ask.app[SETTINGS].number_key.get_secret_value().encode(), body.number)
        if key is None:
            wrong = {"number": "不是号码 / no number"}
            raise Problem(422, "not_valid", "有字段不正确", "Some fields are not right", wrong)
    filters = body.filters.model_dump(mode="json", exclude_none=True)
    shown = mask(body.number) if body.number else ""

    async def note(connection: AsyncConnection) -> DataExport:
        asked: dict[str, Any] = {"asked_by": user.login, "reason": body.reason, "format": body.format, "asked_at": at}
        made = await queries.ask(connection, asked | {"filters": filters, "number_key": key, "number": shown})
        told = {"request": made["id"], "reason": body.reason, "filters": filters, "number": shown}
        await write_audit(connection, user.id, "ask_export", told)
        return _shown(made, ask, at)

    return await _once(ask, note)


@routes.get("/api/v1/exports", action="see_exports", query=RequestsQuery, out=DataExports)
async def list_requests(ask: Ask[None, RequestsQuery]) -> DataExports:
    """Requests, newest first"""
    query, at = ask.query, now()

    async def find(connection: AsyncConnection) -> DataExports:
        before = int(query.before) if query.before else None
        found = await queries.requests(connection, limit=query.limit, before=before)
        last = str(found[-1]["id"]) if len(found) == query.limit else None
        return DataExports(items=[_shown(row, ask, at) for row in found], next=last)

    return await _once(ask, find)


@routes.post("/api/v1/exports/{id}/decision", action="approve_export", path=RequestPath, body=Decision, out=DataExport)
async def decide(ask: Ask[Decision, None, RequestPath]) -> DataExport:
    """Let personal data be taken out, or not; nobody decides on their own request"""
    user, at, given = ask.user, now(), ask.body

    async def write(connection: AsyncConnection) -> DataExport:
        row = await _request(connection, ask.path.id)
        check_second(row["asked_by"], user.login)
        if row["state"] != "asked":
            raise Problem(409, "decided", "此申请已处理", "This request has been decided")
        state, until = ("approved", at + GOOD_FOR) if given.approve else ("refused", None)
        decided = await queries.decide(connection, row["id"], state, user.login, given.note, at, until)
        told = {"request": row["id"], "approved": given.approve, "note": given.note}
        await write_audit(connection, user.id, "decide_export", told)
        return _shown(decided, ask, at)

    return await _once(ask, write)


@routes.raw("POST", "/api/v1/exports/{id}/file", action="export_personal_data", path=RequestPath, approved=True)
async def take(ask: Ask[None, None, RequestPath]) -> web.StreamResponse:
    """The file that another person has approved, once"""
    user, at = ask.user, now()

    async def admit(connection: AsyncConnection) -> RowMapping:
        row = await _request(connection, ask.path.id)
        if row["asked_by"] != user.login or _state(row, at) != "running":
            raise Problem(403, "needs_approval", "没有有效的批准", "You have no approval that runs")
        await queries.taken(connection, row["id"], at)
        return row

    check_room(ask.app)
    row = await _once(ask, admit)
    filters = Filters.model_validate_json(to_json(row["filters"]))
    wanted = wanted_by(filters, ask.app[SETTINGS], at)
    if row["number_key"] is not None:
        wanted = replace(wanted, conditions=(*wanted.conditions, of_number(bytes(row["number_key"]))), few=True)
    told = {"request": row["id"], "reason": row["reason"], "approved_by": row["decided_by"], "number": row["number"]}
    return await send_sheet(ask.request, user, wanted, Taking(filters, row["format"], told, clear=True))


def _state(row: RowMapping, at: datetime) -> Literal["asked", "running", "refused", "over"]:
    if row["state"] == "approved":
        return "running" if row["taken_at"] is None and row["until"] > at else "over"
    return "asked" if row["state"] == "asked" else "refused"


def _shown(row: RowMapping, ask: Ask[Any, Any, Any], at: datetime) -> DataExport:
    user, own, state = ask.user, row["asked_by"] == ask.user.login, _state(row, at)
    may: list[Literal["decide", "take"]] = []
    if state == "asked" and not own and user.may("approve_export"):
        may.append("decide")
    if state == "running" and own:
        may.append("take")
    same = {name: row[name] for name in DataExport.model_fields if name in row and name not in ("state", "filters")}
    return DataExport(**same, state=state, filters=Filters.model_validate_json(to_json(row["filters"])), may=may)


async def _request(connection: AsyncConnection, number: str) -> RowMapping:
    row = await queries.request(connection, int(number))
    if row is None:
        raise Problem(404, "no_request", "没有此申请", "There is no such request")
    return row


async def _once(ask: Ask[Any, Any, Any], work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Do it in one transaction. Raises DatabaseAway."""

    async def do() -> T:
        async with ask.app[ENGINE].begin() as connection:
            return await work(connection)

    return await within(SILENCE_SECONDS, do())
