"""The list of callbacks for the pages: who waits to be called, and what a person may do about it."""

from typing import Annotated, Any, Final, Literal, Self

from aiohttp import web
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, Ask, Model, Moment, Problem, Routes
from callcenter.callbacks import outgoing, queries
from callcenter.callbacks.flow import BY_AGENT, Entry, State
from callcenter.callbacks.run import Callbacks
from callcenter.calls.routes import CallPath, no_call
from callcenter.floor.model import Seat
from callcenter.floor.routes import RUNNER
from callcenter.floor.view import CallState, call_state
from callcenter.log import mask
from callcenter.people.queries import write_audit
from callcenter.privacy.seal import SEALER
from callcenter.push.routes import HUB
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.workorders.routes import OrderPath

CALLBACKS: Final = web.AppKey("CALLBACKS", Callbacks)
MOST_SETTLED: Final = 100
#: In place of a number of which not even the ends are shown.
HIDDEN: Final = "***"

routes = Routes("callbacks")


class CallbacksQuery(Model):
    """`open`: waiting and dialled ones in their order; `settled`: the newest of the others."""

    view: Literal["open", "settled"] = "open"


class Callback(Model):
    """A citizen on the list; `number` is masked, of a confidential order wholly. `id` is the call the citizen made."""

    id: str
    number: str
    origin: str
    service: str
    queue: str
    language: str
    place_at: Moment
    asked_at: Moment
    state: str
    reason: str
    tries: int
    next_at: Moment | None
    call_id: str | None
    seat: str | None
    login: str | None
    updated_at: Moment
    order: str | None

    @classmethod
    def of(cls, entry: Entry, order: str | None = None, *, secret: bool = False) -> Self:
        fields = {name: getattr(entry, name) for name in cls.model_fields if name != "order"}
        number = HIDDEN if secret else mask(entry.number)
        return cls(**fields | {"number": number, "state": entry.state.value, "order": order})


class CallbackList(Model):
    """`dials`: calls leave by themselves; otherwise nobody has given the trunk an address, and people must call."""

    items: list[Callback]
    dials: bool
    tries: int


class Whom(Model):
    """Whom a call would reach; `number` is masked."""

    number: str


class Progress(Model):
    """How far a call of one's own is. `reserving`: the seat is being kept free; `answered`: the citizen is there.

    `reached` is known once it has `ended`: whether both talked.
    """

    state: Literal["reserving", "dialling", "answered", "ringing", "talking", "ended"]
    reached: bool | None


class Reason(Model):
    reason: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


@routes.get("/api/v1/callbacks", action="see_callbacks", query=CallbacksQuery, out=CallbackList)
async def list_callbacks(ask: Ask[None, CallbacksQuery]) -> CallbackList:
    """Citizens to be called back (回电名单)."""
    callbacks = ask.app[CALLBACKS]

    async def find(engine: AsyncEngine) -> tuple[list[Entry], dict[str, str], set[str]]:
        async with engine.connect() as connection:
            found = await queries.settled(connection, MOST_SETTLED, ask.app[SEALER])
            ours = [entry.call_id for entry in found if entry.call_id]
            secret = await queries.confidential(connection, [*ours, *(entry.id for entry in found)])
            return found, await queries.order_codes(connection, ours, ask.user), secret

    codes: dict[str, str] = {}
    secret: set[str] = set()
    if ask.query.view == "settled":
        entries, codes, secret = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    else:
        entries = callbacks.roll.open()

    def hidden(entry: Entry) -> bool:
        # What an agent calls about may be confidential: that is not looked up while Postgres may be away.
        others = entry.origin == BY_AGENT and ask.query.view == "open" and entry.login != ask.user.login
        return others or not secret.isdisjoint((entry.id, entry.call_id))

    return CallbackList(
        items=[Callback.of(entry, codes.get(entry.call_id or ""), secret=hidden(entry)) for entry in entries],
        dials=callbacks.dials,
        tries=len(callbacks.roll.rules.gaps) + 1,
    )


@routes.post("/api/v1/callbacks/{call_id}/call", action="call_back", path=CallPath, out=Callback, status=202)
async def call_now(ask: Ask[None, None, CallPath]) -> Callback:
    """Call this citizen now, from one's own seat."""
    return await dial(ask, _entry(ask))


@routes.get("/api/v1/calls/{call_id}/dial", action="call_out", path=CallPath, out=Whom)
async def whom_of_call(ask: Ask[None, None, CallPath]) -> Whom:
    """Whom a call about this call would reach, if it can be made now."""
    return _whom(ask, await outgoing.of_call(ask, ask.path.call_id))


@routes.get("/api/v1/orders/{code}/dial", action="call_out", path=OrderPath, out=Whom)
async def whom_of_order(ask: Ask[None, None, OrderPath]) -> Whom:
    """Whom a call about this order would reach, if it can be made now."""
    return _whom(ask, await outgoing.of_order(ask, ask.path.code))


@routes.post("/api/v1/calls/{call_id}/dial", action="call_out", path=CallPath, out=Callback, status=202)
async def call_caller(ask: Ask[None, None, CallPath]) -> Callback:
    """Call the citizen of a call that one has had (外呼), from one's own seat."""
    return await dial(ask, await outgoing.of_call(ask, ask.path.call_id))


@routes.post("/api/v1/orders/{code}/dial", action="call_out", path=OrderPath, out=Callback, status=202)
async def call_about_order(ask: Ask[None, None, OrderPath]) -> Callback:
    """Call the citizen of an order (外呼), from one's own seat."""
    return await dial(ask, await outgoing.of_order(ask, ask.path.code))


@routes.get("/api/v1/outgoing/{call_id}", action="sit", path=CallPath, out=Progress)
async def progress(ask: Ask[None, None, CallPath]) -> Progress:
    """How far a call is that one has asked for; the path has the id of that call."""
    callbacks, call_id = ask.app[CALLBACKS], ask.path.call_id
    entry = next((each for each in callbacks.roll.entries.values() if each.call_id == call_id), None)
    if entry is None or entry.login != ask.user.login:
        raise no_call()
    floor = ask.app[RUNNER].floor
    call = floor.calls.get(call_id)
    if call is not None and (state := call_state(call)) != "ended":
        return Progress(state=_SEEN[state], reached=None)
    if entry.state is State.DIALLING and call is None and call_id not in floor.over:
        return Progress(state="reserving", reached=None)
    return Progress(state="ended", reached=entry.state is State.REACHED or bool(call and call.answered_at))


#: How the floor says it -> how it is told to who calls.
_SEEN: Final[dict[CallState, Literal["dialling", "answered", "ringing", "talking"]]] = {
    "dialling": "dialling",
    "greeting": "answered",
    "waiting": "answered",
    "ringing": "ringing",
    "talking": "talking",
    "on_hold": "talking",
}


def _seat(ask: Ask[None, None, CallPath] | Ask[None, None, OrderPath]) -> Seat:
    """One's own seat, free for a call at this moment. Raises Problem."""
    callbacks = ask.app[CALLBACKS]
    seat = ask.app[HUB].seat_of(ask.user.login)
    if seat is None or not seat.queues:
        raise Problem(409, "not_seated", "您还没有签入座席", "You have not taken a seat")
    if not callbacks.dials:
        raise Problem(409, "no_trunk", "外呼线路未配置或暂不可用", "No line to call from is set up, or it is away")
    if not callbacks.is_free(seat):
        raise Problem(409, "seat_busy", "您的座席不空闲，或话机未注册", "Your seat is not free, or its phone is away")
    return seat


def _whom(ask: Ask[None, None, CallPath] | Ask[None, None, OrderPath], wanted: Entry) -> Whom:
    _seat(ask)
    return Whom(number=mask(wanted.number))


async def dial(ask: Ask[None, None, CallPath] | Ask[None, None, OrderPath], wanted: Entry) -> Callback:
    """Call a citizen from one's own seat, now. Raises Problem when the seat is not free, or they are called already."""
    callbacks = ask.app[CALLBACKS]
    # One after the other: two presses are one call, and one line of the audit.
    async with callbacks.asking:
        seat = _seat(ask)
        entry = callbacks.roll.by_agent(wanted)
        if entry is None:
            raise Problem(409, "cannot_call", "该市民正在被回电", "This citizen is being called already")
        await _audit(ask, "callback_called", {"callback": entry.id, "seat": seat.number})
        if callbacks.roll.entries[entry.id].state is not State.WAITING or not callbacks.is_free(seat):
            raise Problem(409, "cannot_call", "该市民正在被回电", "This citizen is being called already")
        callbacks.dial(callbacks.roll.entries[entry.id], seat, seat.pause)
        return Callback.of(callbacks.roll.entries[entry.id])


@routes.post("/api/v1/callbacks/{call_id}/cancel", action="call_back", path=CallPath, body=Reason, out=Callback)
async def cancel(ask: Ask[Reason, None, CallPath]) -> Callback:
    """Take a citizen off the list, with a reason (取消回电)."""
    return await _close(ask, State.CANCELLED, ask.body.reason)


@routes.post("/api/v1/callbacks/{call_id}/done", action="call_back", path=CallPath, body=Reason, out=Callback)
async def done(ask: Ask[Reason, None, CallPath]) -> Callback:
    """The matter is settled in another way (已办结)."""
    return await _close(ask, State.DONE, ask.body.reason)


async def _close(ask: Ask[Reason, None, CallPath], state: State, reason: str) -> Callback:
    callbacks, entry = ask.app[CALLBACKS], _entry(ask)
    await _audit(ask, f"callback_{state.value}", {"callback": entry.id, "reason": reason})
    closed = callbacks.close(entry.id, state, reason, ask.user.login)
    if closed is None:
        raise Problem(409, "already_settled", "该回电已经结束", "This callback is settled already")
    return Callback.of(closed)


def _entry(ask: Ask[Reason, None, CallPath] | Ask[None, None, CallPath]) -> Entry:
    entry = ask.app[CALLBACKS].roll.entries.get(ask.path.call_id)
    if entry is None:
        raise no_call()
    return entry


async def _audit(ask: Ask[Any, None, Any], act: str, what: dict[str, str]) -> None:
    async def write(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await write_audit(connection, ask.user.id, act, what)

    await within(SILENCE_SECONDS, write(ask.app[ENGINE]))
