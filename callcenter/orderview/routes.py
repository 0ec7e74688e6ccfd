"""The words of the orders' tables; the calls of an order, with what is told of their recordings; people named in it."""

import hashlib
from functools import lru_cache
from typing import Final, Literal

from aiohttp import web
from pydantic_core import to_json
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, SETTINGS, Ask, Model, Moment, Problem, Routes
from callcenter.calls.routes import Recording, Segment
from callcenter.clock import now
from callcenter.orderview import queries
from callcenter.privacy.queries import may_hear
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.workorders.flow import STATES
from callcenter.workorders.given import FIELDS
from callcenter.workorders.points import Point, metres, of_row
from callcenter.workorders.queries import NAMED, visible_order
from callcenter.workorders.routes import OrderPath
from callcenter.workorders.words import WORDS

routes = Routes("orderview")

#: How far about an order others are shown, in metres.
REACH: Final = 1_000.0
#: An order has one call that it came from, and few about it.
MOST_CALLS: Final = 50

NamedAs = Literal["handler", "follow_up_officer"]


class Word(Model):
    """What a code is called. `of`: the field or the small machine whose code it is, or a word of words.csv."""

    of: str
    code: str
    zh: str
    en: str


class StateName(Model):
    """A state of an order; `kind`: open, paused, closed or final; `owner`: the role whose turn it is."""

    code: str
    zh: str
    en: str
    kind: str
    owner: str


class FieldName(Model):
    """What is given with events, and how it is called."""

    name: str
    kind: str
    zh: str
    en: str


class OrderWords(Model):
    states: list[StateName]
    fields: list[FieldName]
    words: list[Word]


class OrderCall(Model):
    """A call of an order, without a number. `recording`: for whoever may hear it or see the call; null for others."""

    id: str
    direction: str
    arrived_at: Moment
    answered_at: Moment | None
    ended_at: Moment | None
    talk_ms: int | None
    outcome: str | None
    login: str | None
    open: bool
    segments: list[Segment]
    recording: Recording | None


_CALL: Final = ("id", "direction", "arrived_at", "answered_at", "ended_at", "talk_ms", "outcome", "login")


class OrderCalls(Model):
    items: list[OrderCall]


class OrderPerson(Model):
    """Somebody named in an order. `can`: as what they can be named in it now."""

    login: str
    name_zh: str
    name_en: str
    can: list[NamedAs]


class OrderPeople(Model):
    items: list[OrderPerson]


class Reveal(Model):
    """Somebody has looked at the number (查看号码), or at who a confidential order came from."""

    id: int
    at: Moment
    act: Literal["reveal_number", "view_identity"]
    reason: str | None
    login: str
    name_zh: str
    name_en: str


class Reveals(Model):
    items: list[Reveal]


class Near(Model):
    """An open order of the same leaf near by. `metres`: from the order's point."""

    code: str
    subject: str
    state: str
    created_at: Moment
    point: Point
    metres: int


class OrderPlace(Model):
    """What is about an order's point (地图点); `map_url`: the city's own map of it, where there is one."""

    near: list[Near]
    map_url: str | None


@lru_cache(maxsize=1)
def _words() -> tuple[bytes, str]:
    told = OrderWords(
        states=[
            StateName(code=row.state.value, zh=row.zh, en=row.en, kind=row.kind, owner=row.owner)
            for row in STATES.values()
        ],
        fields=[FieldName(name=each.name, kind=each.kind, zh=each.zh, en=each.en) for each in FIELDS.values()],
        words=[Word(of=of, code=code, zh=words.zh, en=words.en) for (of, code), words in WORDS.items()],
    )
    body = to_json(told)
    return body, hashlib.sha256(body).hexdigest()[:32]


@routes.get("/api/v1/order-words", action="see_orders", out=OrderWords)
async def show_words(ask: Ask) -> web.StreamResponse:
    """What the codes of the orders' tables are called."""
    body, etag = _words()
    fresh = any(tag.value in (etag, "*") for tag in ask.request.if_none_match or ())
    response = web.Response(status=304) if fresh else web.Response(body=body, content_type="application/json")
    response.etag = etag
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@routes.get("/api/v1/orders/{code}/calls", action="see_orders", path=OrderPath, out=OrderCalls)
async def show_calls(ask: Ask[None, None, OrderPath]) -> OrderCalls:
    """The call that an order came from, and our calls about it (外呼).

    Of a confidential order only those that who asks was in, unless they may see whom it came from: another order of the
    same call tells who that is.
    """
    user = ask.user

    async def find(engine: AsyncEngine) -> tuple[queries.Found, queries.Found, queries.Found]:
        async with engine.connect() as connection:
            order = await visible_order(connection, ask.path.code, user)
            if order is None:
                raise _no_order()
            found = await queries.calls_of(connection, order, limit=MOST_CALLS)
            rings = await queries.segments_of(connection, [call["id"] for call in found])
            if order["confidential"] and not await may_hear(connection, order["call_id"], user, now()):
                own = {ring["call_id"] for ring in rings if ring["login"] == user.login}
                found = [call for call in found if call["id"] in own]
            return found, rings, await queries.recordings_of(connection, [call["id"] for call in found])

    found, rings, told = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    recordings = {row["call_id"]: row for row in told}
    hears = user.may("listen_recording") or user.may("hold_recording")

    def shown(call: RowMapping) -> OrderCall:
        its = [ring for ring in rings if ring["call_id"] == call["id"]]
        party = any(ring["login"] == user.login for ring in its)
        own = user.may("see_calls") and (user.may("see_all_calls") or party)
        row = recordings.get(call["id"]) if hears or own else None
        return OrderCall(
            segments=[Segment(**{name: ring[name] for name in Segment.model_fields}) for ring in its],
            recording=Recording(**{name: row[name] for name in Recording.model_fields}) if row else None,
            open=own,
            **{name: call[name] for name in _CALL},
        )

    return OrderCalls(items=[shown(call) for call in found])


@routes.get("/api/v1/orders/{code}/people", action="see_orders", path=OrderPath, out=OrderPeople)
async def show_people(ask: Ask[None, None, OrderPath]) -> OrderPeople:
    """Names of those who are named in an order; for those who act on orders, who can be named in it, too."""

    async def find(engine: AsyncEngine) -> tuple[queries.Found, dict[NamedAs, queries.Found]]:
        async with engine.connect() as connection:
            order = await visible_order(connection, ask.path.code, ask.user)
            if order is None:
                raise _no_order()
            can: dict[NamedAs, queries.Found] = {}
            if ask.user.may("act_on_orders"):
                can["follow_up_officer"] = await queries.people_of_unit(connection, None, NAMED["follow_up_officer"])
                if order["department"]:
                    can["handler"] = await queries.people_of_unit(connection, order["department"], NAMED["handler"])
            return await queries.people_named(connection, order), can

    named, can = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    logins = {name: {row["login"] for row in rows} for name, rows in can.items()}
    everybody = {row["login"]: row for rows in (named, *can.values()) for row in rows}
    return OrderPeople(
        items=[
            OrderPerson(
                login=login,
                name_zh=row["name_zh"],
                name_en=row["name_en"],
                can=[name for name, those in logins.items() if login in those],
            )
            for login, row in sorted(everybody.items())
        ]
    )


@routes.get("/api/v1/orders/{code}/near", action="see_orders", path=OrderPath, out=OrderPlace)
async def show_near(ask: Ask[None, None, OrderPath]) -> OrderPlace:
    """Open orders of the same leaf within a kilometre of an order's point; none when it has no point."""

    async def find(engine: AsyncEngine) -> tuple[Point, queries.Found] | None:
        async with engine.connect() as connection:
            order = await visible_order(connection, ask.path.code, ask.user)
            if order is None:
                raise _no_order()
            point = of_row(order["lat"], order["lon"])
            return (point, await queries.near(connection, order, point, ask.user, REACH)) if point else None

    found = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    if found is None:
        return OrderPlace(near=[], map_url=None)
    middle, rows = found
    template = ask.app[SETTINGS].map_url
    near = []
    for row in rows:
        point = Point(lat=row["lat"], lon=row["lon"])
        if (far := metres(middle, point)) <= REACH:
            same = {name: row[name] for name in ("code", "subject", "state", "created_at")}
            near.append(Near(point=point, metres=round(far), **same))
    shown = template and template.replace("{lat}", f"{middle.lat:.6f}").replace("{lon}", f"{middle.lon:.6f}")
    return OrderPlace(near=sorted(near, key=lambda each: each.metres), map_url=shown)


@routes.get("/api/v1/orders/{code}/reveals", action="see_orders", path=OrderPath, out=Reveals)
async def show_reveals(ask: Ask[None, None, OrderPath]) -> Reveals:
    """Who has looked at the citizen's number, when and why; at an identity, for those who see such requests."""
    acts = ["reveal_number"] + (["view_identity"] if ask.user.may("see_identity_requests") else [])

    async def find(engine: AsyncEngine) -> queries.Found:
        async with engine.connect() as connection:
            if await visible_order(connection, ask.path.code, ask.user) is None:
                raise _no_order()
            return await queries.reveals(connection, ask.path.code, acts)

    return Reveals(items=[Reveal(**row) for row in await within(SILENCE_SECONDS, find(ask.app[ENGINE]))])


def _no_order() -> Problem:
    return Problem(404, "no_order", "没有此工单", "There is no such order")
