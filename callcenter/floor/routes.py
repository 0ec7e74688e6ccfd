"""The agent's commands (座席操作), and the floor as a whole.

A command only sends an action: the seat moves when Asterisk says so, just as if it had been moved from elsewhere.
"""

import asyncio
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import Field

from agents.queues import POOL
from agents.seats import BREAKS, NOT_READY, WRAP_UP, Phone, SeatState
from callcenter.api import ENGINE, SETTINGS, Ask, Model, Moment, Problem, Routes
from callcenter.asterisk import actions
from callcenter.asterisk.facts import HangUpAsked, WrapUpExtended
from callcenter.asterisk.link import ActionRefused, Line, LineAway, LineState
from callcenter.clock import now
from callcenter.floor.model import Seat
from callcenter.floor.run import Runner
from callcenter.floor.view import CallRow, Link, Pop, SeatRow
from callcenter.people import queries
from callcenter.people.seats import seat_secret
from callcenter.push.routes import HUB
from callcenter.reports.tally import Figures
from dialplan import names

LINE: Final = web.AppKey("LINE", Line)
RUNNER: Final = web.AppKey("RUNNER", Runner)

routes = Routes("floor")

#: What Asterisk has said a moment ago may not have been taken in yet.
JUST_SAID: Final = 0.2


class Taken(Model):
    number: str
    taken_by: str | None


class Sip(Model):
    """What the browser's softphone registers with."""

    ws_url: str
    uri: str
    user: str
    password: str


class Desk(Model):
    seat: SeatRow | None
    call: Pop | None
    seats: list[Taken]
    sip: Sip | None


class Take(Model):
    number: Annotated[str, Field(pattern=r"^[0-9]{3,6}$")]
    phone: Literal["browser", "desk"]


class Sat(Model):
    seat: str
    sip: Sip | None


class Break(Model):
    code: Annotated[str, Field(max_length=32, json_schema_extra={"enum": list(BREAKS)})]


class WrapUp(Model):
    act: Literal["extend", "finish"]


class FloorView(Model):
    n: int
    epoch: str
    at: str
    node: str
    link: Link
    calls: dict[str, CallRow]
    seats: dict[str, SeatRow]
    figures: Figures


class Accepted(Model):
    """Asterisk has been asked; what comes of it comes by the websocket."""

    at: Moment


@routes.get("/api/v1/floor", action="see_floor", out=FloorView)
async def floor(ask: Ask) -> FloorView:
    """The whole floor: live calls, seats, figures."""
    return FloorView(**ask.app[HUB].floor_view())


@routes.get("/api/v1/desk", action="sit", out=Desk)
async def desk(ask: Ask) -> Desk:
    """One's own seat, the call at it, and the seats that can be taken."""
    hub, runner = ask.app[HUB], ask.app[RUNNER]
    async with ask.app[ENGINE].connect() as connection:
        rows = await queries.all_seats(connection)
    taken = {seat.number: seat.login for seat in runner.floor.seats.values() if seat.login}
    mine = hub.seat_of(ask.user.login)
    version = next((row.secret_version for row in rows if mine and row.number == mine.number), None)
    return Desk(
        **hub.desk_view(ask.user.login),
        seats=[Taken(number=row.number, taken_by=taken.get(row.number)) for row in rows if row.active],
        sip=_sip(ask, mine.number, version) if mine and mine.phone is Phone.BROWSER and version else None,
    )


@routes.post("/api/v1/desk/seat", action="sit", body=Take, out=Sat, status=202)
async def take_seat(ask: Ask[Take]) -> Sat:
    """Sit down (签入): the seat joins its queues, not yet ready."""
    number, phone = ask.body.number, Phone(ask.body.phone)
    async with ask.app[ENGINE].connect() as connection:
        row = await queries.seat(connection, number)
    if row is None or not row.active:
        raise Problem(404, "no_such_seat", f"没有座席 {number}", f"There is no seat {number}")
    there = ask.app[RUNNER].floor.seats.get(number)
    if there is not None and there.login and there.login != ask.user.login:
        raise Problem(409, "seat_taken", f"座席 {number} 已有人使用", f"Seat {number} is taken")
    mine = ask.app[HUB].seat_of(ask.user.login)
    if mine is not None and (mine.number, mine.phone) != (number, phone):
        _refuse_in_call(mine)
        await _leave(ask, mine)
        mine = None
    if mine is None:
        for queue in POOL:
            await _act(ask, actions.seat(number, phone, ask.user.login, queue, NOT_READY))
    return Sat(seat=number, sip=_sip(ask, number, row.secret_version) if phone is Phone.BROWSER else None)


@routes.delete("/api/v1/desk/seat", action="sit", out=Accepted, status=202)
async def leave_seat(ask: Ask) -> Accepted:
    """Stand up (签出)."""
    seat = _mine(ask)
    _refuse_in_call(seat)
    await _leave(ask, seat)
    return Accepted(at=now())


@routes.post("/api/v1/desk/ready", action="sit", out=Accepted, status=202)
async def ready(ask: Ask) -> Accepted:
    """Ready for calls (示闲); ends a break, a wrap-up, and being unreachable after missed rings."""
    seat = _mine(ask)
    if not seat.reachable:
        await asyncio.sleep(JUST_SAID)
    if not seat.reachable:
        raise Problem(409, "phone_away", "话机未注册，无法示闲", "Your phone is not registered, so it cannot ring")
    await _act(ask, actions.pause(seat.number, seat.phone, None))
    return Accepted(at=now())


@routes.post("/api/v1/desk/break", action="sit", body=Break, out=Accepted, status=202)
async def take_break(ask: Ask[Break]) -> Accepted:
    """Take a break (小休) with a reason. During a call it begins when the call ends."""
    if ask.body.code not in BREAKS:
        raise Problem(422, "no_such_break", "没有这种小休原因", "There is no such reason for a break")
    seat = _mine(ask)
    await _act(ask, actions.pause(seat.number, seat.phone, ask.body.code))
    return Accepted(at=now())


@routes.post("/api/v1/desk/wrap-up", action="sit", body=WrapUp, out=Accepted, status=202)
async def wrap_up(ask: Ask[WrapUp]) -> Accepted:
    """More time for wrap-up (延长话后处理), or no more (结束话后处理)."""
    seat = _mine(ask)
    if seat.pause != WRAP_UP:
        raise Problem(409, "not_in_wrap_up", "当前不在话后处理", "You are not in wrap-up")
    if ask.body.act == "extend":
        more = timedelta(seconds=ask.app[SETTINGS].wrap_up_seconds)
        ask.app[RUNNER].tell(WrapUpExtended(now(), seat.number, more))
    else:
        await _act(ask, actions.pause(seat.number, seat.phone, None))
    return Accepted(at=now())


@routes.post("/api/v1/desk/hangup", action="sit", out=Accepted, status=202)
async def hang_up(ask: Ask) -> Accepted:
    """Hang up one's own end, from whichever phone."""
    seat = _mine(ask)
    if seat.leg is None:
        raise Problem(409, "no_call", "当前没有通话", "There is no call at your seat")
    # Told first: the events of the hang-up may overtake the answer to the action.
    ask.app[RUNNER].tell(HangUpAsked(now(), seat.number))
    await _act(ask, actions.hang_up(seat.leg.channel))
    return Accepted(at=now())


def _mine(ask: Ask[Any]) -> Seat:
    if ask.app[LINE].state is LineState.AWAY:
        raise _line_away()
    seat = ask.app[HUB].seat_of(ask.user.login)
    if seat is None:
        raise Problem(409, "not_seated", "您还没有签入座席", "You have not taken a seat")
    return seat


def _refuse_in_call(seat: Seat) -> None:
    if seat.state in {SeatState.RINGING, SeatState.TALKING, SeatState.ON_HOLD}:
        raise Problem(409, "in_call", "通话中不能离席", "You cannot leave the seat during a call")


async def _leave(ask: Ask[Any], seat: Seat) -> None:
    for queue in sorted(seat.queues):
        await _act(ask, actions.unseat(seat.number, seat.phone, queue))


async def _act(ask: Ask[Any], action: actions.Action) -> None:
    try:
        await ask.app[LINE].act(action)
    except LineAway:
        raise _line_away() from None
    except ActionRefused as refusal:
        raise Problem(
            409, "refused", f"电话系统拒绝了该操作：{refusal}", f"The telephone system refused: {refusal}"
        ) from None


def _line_away() -> Problem:
    return Problem(503, "line_away", "电话系统暂时无法连接", "The telephone system cannot be reached now")


def _sip(ask: Ask[Any], number: str, version: int) -> Sip:
    settings = ask.app[SETTINGS]
    user = number + names.BROWSER_SUFFIX
    return Sip(
        ws_url=settings.sip_ws_url,
        uri=f"sip:{user}@{settings.host}",
        user=user,
        password=seat_secret(settings.seat_key.get_secret_value(), number, version),
    )
