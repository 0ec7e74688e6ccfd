"""What a supervisor does to agents (班长操作): be in their calls, and send them on a break, to work, or home."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID, uuid4

from pydantic import Field

from agents.seats import BREAKS, SeatState
from agents.supervision import Mode, can_be_supervised
from callcenter.api import ENGINE, Ask, Model, Moment, Problem, Routes
from callcenter.asterisk import actions
from callcenter.asterisk.facts import ModeAsked, SupervisionAsked
from callcenter.asterisk.link import LineState
from callcenter.clock import now
from callcenter.floor.acts import leaving
from callcenter.floor.ask import LINE, act, line_away
from callcenter.floor.model import Seat, Supervision
from callcenter.floor.routes import RUNNER
from callcenter.floor.supervise import RING_SECONDS
from callcenter.messages.post import post
from callcenter.people.queries import write_audit
from callcenter.push.routes import HUB
from callcenter.supervision import queries

routes = Routes("supervision")

MOST_LISTED: Final = 200
_IN_CALL: Final = frozenset({SeatState.RINGING, SeatState.TALKING, SeatState.ON_HOLD})

SeatNumber = Annotated[str, Field(pattern=r"^[0-9]{3,6}$")]


class Supervise(Model):
    """The agent's seat, and how the supervisor comes into its call: listen, whisper, join, take."""

    seat: SeatNumber
    mode: Annotated[Mode, Field(strict=False)]


class ModeChange(Model):
    mode: Annotated[Mode, Field(strict=False)]


class SupervisionPath(Model):
    id: UUID


class Begun(Model):
    id: str
    at: Moment


class Accepted(Model):
    """Asterisk has been asked; what comes of it comes by the websocket."""

    at: Moment


class Force(Model):
    """`reason`: words for the agent. `code`: the kind of break (小休原因)."""

    act: Literal["break", "ready", "log_out"]
    reason: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]*\S[^\x00-\x1f\x7f-\x9f]*$", max_length=200)]
    code: Annotated[str, Field(max_length=32, json_schema_extra={"enum": list(BREAKS)})] | None = None


class SeatPath(Model):
    number: SeatNumber


class OfCall(Model):
    call: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,7}-[0-9.]{1,40}$")] | None = None


class Stretch(Model):
    """One mode of one supervision."""

    id: str
    login: str
    seat: str
    agent: str
    agent_seat: str
    call: str
    mode: Mode
    since: Moment
    until: Moment | None


class Stretches(Model):
    items: list[Stretch]


@routes.post("/api/v1/supervisions", action="supervise", body=Supervise, out=Begun, status=202)
async def supervise(ask: Ask[Supervise]) -> Begun:
    """Come into an agent's call: one's own phone rings, and is in the call when it is answered"""
    mine, there = _my_seat(ask), _in_call(ask, ask.body.seat)
    floor = ask.app[RUNNER].floor
    if any(each.login == ask.user.login for each in floor.supervisions.values()):
        raise Problem(409, "supervising", "您正在另一通电话中监听", "You are already in an agent's call")
    if mine.state in _IN_CALL:
        raise Problem(409, "in_call", "您自己正在通话中", "You are in a call yourself")
    if not mine.reachable:
        raise Problem(409, "phone_away", "您的话机未注册", "Your phone is not registered")
    if mine.number == there.number:
        raise Problem(409, "own_call", "不能监听自己的通话", "You cannot listen to your own call")
    call, leg = there.call, there.leg
    assert call is not None and leg is not None, "seen by _in_call"
    key = str(uuid4())
    payload = {
        "id": key,
        "by": ask.user.login,
        "seat": mine.number,
        "agent": there.login,
        "on": there.number,
        "call": call.id,
    }
    # On record before anything is heard.
    await _audit(ask, "supervise", payload | {"mode": ask.body.mode.value})
    asked = SupervisionAsked(now(), key, ask.user.login, mine.number, there.login, there.number, call.id, ask.body.mode)
    ask.app[RUNNER].tell(asked)
    number = ask.app[LINE].reader.number(call.id)
    phone = mine.number, mine.phone
    await act(
        ask,
        actions.supervise(*phone, ask.body.mode, leg.channel, number, payload, RING_SECONDS, in_room=call.in_room),
    )
    return Begun(id=key, at=asked.at)


@routes.patch(
    "/api/v1/supervisions/{id}", action="supervise", body=ModeChange, path=SupervisionPath, out=Accepted, status=202
)
async def change_mode(ask: Ask[ModeChange, None, SupervisionPath]) -> Accepted:
    """Another mode of one's own supervision: listen, whisper, join, take over"""
    supervision = _mine(ask, ask.path.id)
    if not supervision.channel:
        raise Problem(409, "not_answered", "请先接听您的话机", "Answer your phone first")
    call = _in_call(ask, supervision.on).call
    assert call is not None, "seen by _in_call"
    await _audit(ask, "change_supervision", {"id": supervision.id, "mode": ask.body.mode.value})
    # Told first: that the mode has begun may overtake the answer to the action.
    ask.app[RUNNER].tell(ModeAsked(now(), supervision.id, ask.body.mode))
    await act(ask, actions.supervise_as(supervision.channel, ask.body.mode, in_room=call.in_room))
    return Accepted(at=now())


@routes.delete("/api/v1/supervisions/{id}", action="supervise", path=SupervisionPath, out=Accepted, status=202)
async def stop(ask: Ask[None, None, SupervisionPath]) -> Accepted:
    """End one's own supervision; the call goes on"""
    supervision = _mine(ask, ask.path.id)
    if not supervision.channel:
        raise Problem(409, "not_answered", "请先接听您的话机", "Answer your phone first")
    await act(ask, actions.hang_up(supervision.channel))
    return Accepted(at=now())


@routes.get("/api/v1/supervisions", action="supervise", query=OfCall, out=Stretches)
async def record(ask: Ask[None, OfCall]) -> Stretches:
    """Who was in whose call, newest first; of one call, or of the last"""
    async with ask.app[ENGINE].connect() as connection:
        rows = await queries.stretches(connection, ask.query.call, MOST_LISTED)
    return Stretches(
        items=[
            Stretch(
                id=str(row.id),
                login=row.login,
                seat=row.seat,
                agent=row.agent,
                agent_seat=row.agent_seat,
                call=row.call_id,
                mode=Mode(row.mode),
                since=row.since,
                until=row.until,
            )
            for row in rows
        ]
    )


@routes.post("/api/v1/seats/{number}/force", action="force_seat", body=Force, path=SeatPath, out=Accepted, status=202)
async def force(ask: Ask[Force, None, SeatPath]) -> Accepted:
    """Send an agent on a break, to work, or home (强制示忙、示闲、签出); the agent is told by whom and why"""
    seat = _seated(ask, ask.path.number)
    body, login = ask.body, seat.login
    steps = _steps(seat, body)
    told = {"seat": seat.number, "login": login, **body.model_dump(exclude_none=True)}
    await _audit(ask, "force_seat", told)
    await act(ask, *steps)
    await post(ask, [login], body.reason, kind=body.act, to_what=login)
    return Accepted(at=now())


def _steps(seat: Seat, body: Force) -> list[actions.Action]:
    """What Asterisk is asked for. Raises Problem where it cannot be."""
    if body.act == "log_out":
        return leaving(seat)
    if body.act == "ready":
        if not seat.reachable:
            raise Problem(409, "phone_away", "该座席话机未注册", "The phone of that seat is not registered")
        return [actions.pause(seat.number, seat.phone, None)]
    if body.code not in BREAKS:
        raise Problem(409, "no_such_break", "没有这种小休原因", "There is no such reason for a break")
    return [actions.pause(seat.number, seat.phone, body.code)]


def _seated(ask: Ask[Any, Any, Any], number: str) -> Seat:
    if ask.app[LINE].state is LineState.AWAY:
        raise line_away()
    seat = ask.app[RUNNER].floor.seats.get(number)
    if seat is None or not seat.login or not seat.queues:
        raise Problem(409, "not_seated", f"座席 {number} 无人签入", f"Nobody sits at {number}")
    return seat


def _my_seat(ask: Ask[Any, Any, Any]) -> Seat:
    if ask.app[LINE].state is LineState.AWAY:
        raise line_away()
    seat = ask.app[HUB].seat_of(ask.user.login)
    if seat is None:
        raise Problem(409, "not_seated", "请先签入一个座席", "Take a seat first: your phone there will ring")
    return seat


def _in_call(ask: Ask[Any, Any, Any], number: str) -> Seat:
    seat = ask.app[RUNNER].floor.seats.get(number)
    if seat is None or seat.call is None or seat.leg is None or not can_be_supervised(seat.state):
        raise Problem(409, "not_in_call", f"座席 {number} 不在通话中", f"Seat {number} is in no call")
    return seat


def _mine(ask: Ask[Any, Any, Any], key: UUID) -> Supervision:
    supervision = ask.app[RUNNER].floor.supervisions.get(str(key))
    if supervision is None or supervision.login != ask.user.login:
        raise Problem(404, "no_such_supervision", "该监听已结束", "This is over")
    return supervision


async def _audit(ask: Ask[Any, Any, Any], deed: str, what: dict[str, Any]) -> None:
    async with ask.app[ENGINE].begin() as connection:
        await write_audit(connection, ask.user.id, deed, what)
