"""Texts of citizens (来信短信): taken from the gateway, shown with their order, looked at by a person.

The gateway posts each text as JSON, signed as our own webhooks are: `X-Callcenter-Signature: sha256=HEX` is the
HMAC-SHA256 of `TIMESTAMP.BODY` under `CALLCENTER_TEXTS_SECRET`, `X-Callcenter-Timestamp` in seconds since the epoch.
Its id names the message: the same one again is answered as the first time, and does nothing.
"""

import hmac
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, Self
from uuid import UUID, uuid5

import structlog
from aiohttp import web
from pydantic import Field, ValidationError
from pydantic_core import from_json, to_json
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from callcenter.alarms.webhook import signature
from callcenter.api import ENGINE, PUBLIC, SETTINGS, Ask, Model, Moment, Problem, Routes
from callcenter.calls.numbers import blind_index
from callcenter.incoming import queries
from callcenter.incoming.flow import Meaning, meaning, plain
from callcenter.log import mask
from callcenter.notices.queries import opt_out
from callcenter.people.queries import write_audit
from callcenter.privacy.routes import Revealed, Why
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.visits.answers import record_answer
from callcenter.workorders.codes import OrderCode
from callcenter.workorders.flow import Refused
from callcenter.workorders.policies import Policies
from callcenter.workorders.queries import visible_order
from callcenter.workorders.routes import POLICIES, OrderPath
from ivr.callback import callable_number

routes = Routes("incoming")
log = structlog.get_logger()

#: Longest body, in bytes.
BODY: Final = 16_384
#: How far the gateway's clock may be from ours, in seconds: a message that was listened in on is worth nothing later.
APART: Final = 300
#: A text means an order that is no older.
BACK: Final = timedelta(days=180)
MOST_SHOWN: Final = 100
_NAMES: Final = UUID("5f1c7a52-2a4e-4b62-9f0d-6b8f0d1a7c11")

Outcome = Literal["answered", "noted", "stopped", "several", "unknown"]


class Sms(Model):
    """A text as the gateway has it. `id`: its own, of this message and no other; `number`: who sent it."""

    id: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[!-~]+$")]
    number: Annotated[str, Field(min_length=3, max_length=32, pattern=r"^\+?[0-9 -]+$")]
    text: Annotated[str, Field(max_length=5_000)]


class Taken(Model):
    """`outcome`: answered a visit, noted on an order, stopped texts, or waits for a person: several, unknown."""

    outcome: Outcome


class IncomingText(Model):
    """A text of a citizen. `number` is masked; empty for a confidential order."""

    id: int
    at: Moment
    number: str
    text: str
    outcome: Outcome
    seen_by: str | None
    seen_at: Moment | None

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        same = {name: row[name] for name in cls.model_fields if name != "number"}
        return cls(**same, number=mask(row["number"]) if row["number"] else "")


class IncomingTexts(Model):
    items: list[IncomingText]


class TextPath(Model):
    id: Annotated[int, Field(ge=0, le=2**53)]


class Seen(Model):
    """`code`: the order that it is about, where somebody knows."""

    code: OrderCode | None = None


@routes.raw("POST", "/api/v1/incoming-texts", action=PUBLIC)
async def take(ask: Ask) -> web.StreamResponse:
    """A text from the gateway, signed; the same id again does nothing"""
    sms = _read(ask.request, await _body(ask.request), ask.app[SETTINGS].texts_secret.get_secret_value().encode())
    key = blind_index(ask.app[SETTINGS].number_key.get_secret_value().encode(), sms.number)

    async def keep(engine: AsyncEngine) -> Outcome:
        async with engine.begin() as connection:
            return await _take(connection, ask.app[POLICIES], sms, key)

    outcome = await within(SILENCE_SECONDS, keep(ask.app[ENGINE]))
    log.info("text_taken", outcome=outcome)
    return web.Response(body=to_json(Taken(outcome=outcome)), content_type="application/json")


@routes.get("/api/v1/incoming-texts", action="visit", out=IncomingTexts)
async def list_untold(ask: Ask) -> IncomingTexts:
    """Texts of which nobody knows yet whose they are, the oldest first"""

    async def find(engine: AsyncEngine) -> queries.Found:
        async with engine.connect() as connection:
            return await queries.untold(connection, MOST_SHOWN)

    return IncomingTexts(items=[IncomingText.of(row) for row in await within(SILENCE_SECONDS, find(ask.app[ENGINE]))])


@routes.get("/api/v1/orders/{code}/texts", action="see_orders", path=OrderPath, out=IncomingTexts)
async def list_of_order(ask: Ask[None, None, OrderPath]) -> IncomingTexts:
    """What the citizen of an order has sent by text; of a confidential one that stays with the centre"""

    async def find(engine: AsyncEngine) -> queries.Found:
        async with engine.connect() as connection:
            order = await visible_order(connection, ask.path.code, ask.user)
            if order is None:
                raise _no_order()
            # Words of their own say who they are, as a voice does.
            if order["confidential"] and ask.user.unit is not None:
                return []
            return await queries.of_order(connection, order["id"])

    return IncomingTexts(items=[IncomingText.of(row) for row in await within(SILENCE_SECONDS, find(ask.app[ENGINE]))])


@routes.post("/api/v1/incoming-texts/{id}/seen", action="visit", path=TextPath, body=Seen)
async def see(ask: Ask[Seen, None, TextPath]) -> None:
    """Put a text aside, or with the order that it is about"""
    code, user = ask.body.code, ask.user

    async def act(engine: AsyncEngine) -> bool:
        async with engine.begin() as connection:
            order = await visible_order(connection, code, user) if code else None
            if code and order is None:
                raise _no_order()
            about = order["id"] if order is not None else None
            done = await queries.see(connection, ask.path.id, user.login, about, datetime.now(UTC))
            if done:
                if order is not None and order["confidential"]:
                    await queries.settle(connection, ask.path.id, {"number": "", "number_key": None})
                told = {"text": ask.path.id} | ({"code": code} if code else {})
                await write_audit(connection, user.id, "see_text", told)
            return done

    if not await within(SILENCE_SECONDS, act(ask.app[ENGINE])):
        raise _no_text()


@routes.post("/api/v1/incoming-texts/{id}/reveal", action="see_caller_number", path=TextPath, body=Why, out=Revealed)
async def reveal(ask: Ask[Why, None, TextPath]) -> Revealed:
    """Show the number that a text came from, for a reason; it is on record"""

    async def show(engine: AsyncEngine) -> RowMapping | None:
        async with engine.begin() as connection:
            row = await queries.one(connection, ask.path.id)
            if row is not None:
                told = {"text": ask.path.id, "reason": ask.body.reason, "note": ask.body.note}
                await write_audit(connection, ask.user.id, "reveal_number", told)
            return row

    if not ask.user.may("visit"):
        raise _no_text()
    row = await within(SILENCE_SECONDS, show(ask.app[ENGINE]))
    if row is None:
        raise _no_text()
    return Revealed(number=row["number"])


async def _body(request: web.Request) -> bytes:
    body = await request.content.read(BODY + 1)
    while len(body) <= BODY and (more := await request.content.read(BODY + 1 - len(body))):
        body += more
    if len(body) > BODY:
        raise Problem(413, "too_large", "请求体过大", "The body is too large")
    return body


def _read(request: web.Request, body: bytes, secret: bytes) -> Sms:
    """The text of a request that the gateway has signed. Raises Problem."""
    stamp, told = request.headers.get("X-Callcenter-Timestamp", ""), request.headers.get("X-Callcenter-Signature", "")
    near = stamp.isdecimal() and len(stamp) < 12 and abs(time.time() - int(stamp)) <= APART
    if not secret or not near or not hmac.compare_digest(told.encode(), signature(secret, stamp, body).encode()):
        raise Problem(401, "not_signed", "签名不正确", "The signature is not right")
    try:
        return Sms.model_validate(from_json(body))
    except (ValidationError, ValueError):
        raise Problem(422, "not_valid", "短信格式不正确", "That is no text") from None


async def _take(connection: AsyncConnection, policies: Policies, sms: Sms, key: bytes | None) -> Outcome:
    """Write a text down with what it means, and do that; what became of it when it came first."""
    now = datetime.now(policies.zone)
    text = plain(sms.text)
    digits = "".join(char for char in sms.number if char in "0123456789+")
    number = callable_number(digits) or digits
    row = {"message": sms.id, "at": now, "number": number, "number_key": key, "text": text, "outcome": "unknown"}
    mine = await queries.add(connection, row)
    if mine is None:
        before = await queries.outcome_of(connection, sms.id)
        assert before is not None
        return before  # type: ignore[return-value]
    known = await queries.orders_of(connection, key, now - BACK) if key is not None else {}
    meant = meaning(text, [each for each, _ in known.values()])
    order = known[meant.code][1] if meant.code is not None else None
    outcome = await _do(connection, policies, meant, sms.id, key, now)
    settled = {"outcome": outcome, "order_id": order["id"] if order is not None else None}
    if order is not None and order["confidential"]:
        # Who it came from is in the store of identities alone.
        settled |= {"number": "", "number_key": None}
    await queries.settle(connection, mine, settled)
    return outcome


async def _do(
    connection: AsyncConnection, policies: Policies, meant: Meaning, message: str, key: bytes | None, now: datetime
) -> Outcome:
    match meant.kind:
        case "stop":
            if key is not None:
                await opt_out(connection, key, "citizen", now)
            return "stopped"
        case "several" | "unknown":
            return meant.kind
        case "note":
            return "noted"
    assert meant.code is not None and meant.answers is not None
    try:
        async with connection.begin_nested():
            moved = await record_answer(
                connection, policies, meant.code, meant.answers, now, how="text", key=uuid5(_NAMES, message)
            )
            told = {"code": meant.code, "event": moved.event, "version": moved.version}
            await write_audit(connection, None, "citizen_act", told)
    except Refused:  # visited meanwhile: the words stay with the order
        return "noted"
    return "answered"


def _no_order() -> Problem:
    return Problem(404, "no_order", "没有此工单", "There is no such order")


def _no_text() -> Problem:
    return Problem(404, "no_text", "没有待看的此条短信", "No such text waits for a look")
