"""The citizen's door: how far an order is, and what its citizen may do, by code and check code, without a login.

Both codes come in the body, never in an address, so that no log and no browser history keeps them. What is not there
and what the check code does not fit is one answer, after the same work.
"""

import hmac
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from callcenter.api import ENGINE, PUBLIC, SETTINGS, Ask, Model, Moment, Problem, Routes
from callcenter.calls.numbers import blind_index
from callcenter.citizen import queries
from callcenter.citizen.flow import ACTS, CITIZEN, Act, Public, public
from callcenter.citizen.throttle import FLOOD, after, keys_of, network, refused_until
from callcenter.directory.city import DEPARTMENTS, KINDS, REGIONS
from callcenter.people.permissions import may
from callcenter.people.queries import write_audit
from callcenter.people.routes import address_of
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.visits.answers import record_answer
from callcenter.workorders.codes import is_order_code, wrong_code
from callcenter.workorders.deadlines import Rules
from callcenter.workorders.flow import Refused
from callcenter.workorders.move import KeyTaken, move
from callcenter.workorders.order import State
from callcenter.workorders.routes import POLICIES

routes = Routes("citizen")

_LINES: Final = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]*$"
_Words = Annotated[str, Field(min_length=1, max_length=1000, pattern=_LINES)]
_Number = Annotated[str, Field(max_length=32, pattern=r"^[0-9+*# -]*$")]
_Choice = Annotated[str, Field(pattern=r"^[a-z_]{1,20}$")]
#: What is compared when there is no such order.
_NOBODYS: Final = "----"


class Key(Model):
    """An order's code (工单编号) and its check code (查询码); capitals or not, spaces at the ends left out."""

    code: Annotated[str, Field(min_length=1, max_length=20)]
    check: Annotated[str, Field(max_length=10, pattern=r"^ *[0-9]{4} *$")]


class Named(Model):
    zh: str
    en: str


class Reply(Model):
    text: str
    at: Moment


class Progress(Model):
    """The public state (公开状态). Of a confidential order all but `code`, `step` and `state` is null or empty.

    `joined`: it is handled together with another of its kind (并单), and state, unit, date and reply are that one's.
    `step`: 1 received, 2 accepted, 3 being handled, 4 done. `acts`: what may be done now.
    """

    code: str
    step: int
    state: Named
    kind: Named | None
    unit: Named | None
    received_at: Moment | None
    changed_at: Moment | None
    due_at: Moment | None
    reply: Reply | None
    acts: list[Act]
    joined: bool | None


class ActGiven(Model):
    """What is given with an act: the four answers of a rating, words, or to withdraw the number it was made with."""

    contacted: _Choice | None = None
    resolved: _Choice | None = None
    satisfied_result: _Choice | None = None
    satisfied_attitude: _Choice | None = None
    comment: _Words | None = None
    reopen_reason: _Choice | None = None
    reason: _Words | None = None
    message: _Words | None = None
    supplement: _Words | None = None
    number: _Number | None = None


class ActIn(Key):
    """`key`: a UUID of the page's own choice; the same key again is the same act."""

    act: Act
    given: ActGiven
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


@routes.post("/api/v1/progress", action=PUBLIC, body=Key, out=Progress)
async def show_progress(ask: Ask[Key]) -> Progress:
    """How far an order is"""
    row = await _admitted(ask, ask.body)
    return await _progress(ask, row)


@routes.post("/api/v1/progress/acts", action=PUBLIC, body=ActIn, out=Progress, status=201)
async def act_on_own(ask: Ask[ActIn]) -> Progress:
    """Rate, reopen, urge or add to one's order"""
    row = await _admitted(ask, ask.body)
    action, events = ACTS[ask.body.act]
    if row["confidential"] or not may(["citizen"], action):
        raise _call_us()
    given = ask.body.given.model_dump(exclude_none=True)
    number = given.pop("number", "")
    policies, code, key = ask.app[POLICIES], row["code"], UUID(ask.body.key)
    number_key = ask.app[SETTINGS].number_key.get_secret_value().encode()

    async def act(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            now = datetime.now(UTC)
            if not await queries.acts_left(connection, row["id"], key, now):
                raise _too_many()
            if ask.body.act == "rate":
                moved = await record_answer(connection, policies, code, given, now, how="web", key=key)
            elif ask.body.act == "withdraw":
                await _check_person(connection, row, blind_index(number_key, number))
                event = events[1] if row["public_danger"] else events[0]
                why = {} if row["public_danger"] else given
                about = why | {"identity": "code_and_number"}
                moved = await move(connection, policies, code, event, CITIZEN, about, now, key=key)
            else:
                to, event = await _urged(connection, row) if ask.body.act == "urge" else (code, events[0])
                moved = await move(connection, policies, to, event, CITIZEN, given, now, key=key)
            if not moved.again:
                told = {"code": code, "event": moved.event, "version": moved.version}
                await write_audit(connection, None, "citizen_act", told)

    try:
        await within(SILENCE_SECONDS, act(ask.app[ENGINE]))
    except KeyTaken:
        raise Problem(409, "key_taken", "此编号已用于另一操作", "This key belongs to another act") from None
    except Refused as refused:
        raise Problem(422 if refused.fields else 409, refused.code, refused.zh, refused.en, refused.fields) from refused
    return await _progress(ask, row)


async def _urged(connection: AsyncConnection, row: RowMapping) -> tuple[str, str]:
    """The order that is urged, of one that was merged (并单) its master; and the event by which it is in its state."""
    newest: RowMapping | None = await queries.order_of(connection, row["code"]) or row
    if newest is not None and newest["state"] == State.MERGED:
        newest = await queries.master_of(connection, newest)
        if newest is not None and newest["confidential"]:
            newest = None
    if newest is None:
        raise _call_us()
    return newest["code"], "urge" if newest["state"] == State.IN_PROGRESS else "repeat"


async def _check_person(connection: AsyncConnection, row: RowMapping, key: bytes | None) -> None:
    """Raise Problem unless a number is the one that an order was made with (domain.md 3.6: code and phone check).

    Of an anonymous order no number is kept: there the two codes are all that can be asked for.
    """
    if row["anonymous"]:
        return
    if key is None or not await queries.has_number(connection, row, key):
        words = "与登记的号码不符 / not the number it was made with"
        raise Problem(422, "wrong_number", "号码与登记不符", "That is not the number", {"number": words})


async def _admitted(ask: Ask[Any, Any, Any], key: Key) -> RowMapping:
    """The order that both codes open. Raises Problem."""
    code, check = key.code.strip().upper(), key.check.strip()
    if not is_order_code(code):
        raise wrong_code()
    address = network(address_of(ask.request))
    if not ask.app[FLOOD].admit(address):
        raise _too_many()
    keys = keys_of(ask.app[SETTINGS].number_key.get_secret_value().encode(), code, address)

    async def find(engine: AsyncEngine) -> RowMapping | None:
        async with engine.begin() as connection:
            now = datetime.now(UTC)
            tried = await queries.tried(connection, keys, now)
            if until := refused_until(tried, now):
                raise _too_many(until - now)
            row = await queries.order_of(connection, code)
            right = row["check_code"] if row is not None else _NOBODYS
            fits = hmac.compare_digest(check.encode(), right.encode()) and row is not None
            await queries.keep(connection, keys, after(tried, now, right=fits))
            return row if fits else None

    row = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    if row is None:
        raise Problem(404, "no_such_order", "编号或查询码不正确", "Code or check code is wrong")
    return row


async def _progress(ask: Ask[Any, Any, Any], row: RowMapping) -> Progress:
    async def find(engine: AsyncEngine) -> tuple[queries.Found, Rules]:
        async with engine.connect() as connection:
            newest = await queries.order_of(connection, row["code"])
            found = await queries.whole(connection, newest or row)
            return found, await ask.app[POLICIES].rules(connection, found.order.policy)

    found, rules = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    now, secret = datetime.now(ask.app[SETTINGS].zone), found.row["confidential"]
    seen = public(found.order, rules, confidential=secret, told=found.told, now=now, master=found.master)
    return _shown(found.row, seen)


def _shown(row: RowMapping, seen: Public) -> Progress:
    secret = row["confidential"]
    kind = KINDS.get(row["kind"])
    unit = DEPARTMENTS.get(seen.unit or "") or REGIONS.get(seen.unit or "")
    return Progress(
        code=row["code"],
        step=seen.words.step,
        state=Named(zh=seen.words.zh, en=seen.words.en),
        kind=Named(zh=kind.zh, en=kind.en) if kind and not secret else None,
        unit=Named(zh=unit.zh, en=unit.en or unit.zh) if unit else None,
        received_at=None if secret else row["created_at"],
        changed_at=None if secret else row["state_since"],
        due_at=seen.due_at,
        reply=Reply(text=seen.reply.text, at=seen.reply.at) if seen.reply else None,
        acts=list(seen.acts),
        joined=None if secret else seen.joined,
    )


def _too_many(left: timedelta | None = None) -> Problem:
    """With what is left to wait, in whole minutes."""
    minutes = -(-left // timedelta(minutes=1)) if left else 0
    zh, en = (f"{minutes}分钟后", f"in {minutes} min") if minutes else ("稍后", "later")
    return Problem(
        429, "too_many_tries", f"尝试次数过多，请{zh}再试或致电12345", f"Too many tries; try {en}, or call 12345"
    )


def _call_us() -> Problem:
    return Problem(403, "call_us", "此工单请致电12345办理", "Please call 12345 about this order")
