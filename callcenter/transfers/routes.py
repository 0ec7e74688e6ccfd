"""The desk's ways to bring others into a call (转接, 咨询, 三方, 紧急).

A command only sends actions: who hears whom is told by the websocket, when Asterisk says so.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal

import structlog
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from agents.queues import QUEUES
from agents.seats import SeatState
from callcenter.api import ANY_USER, ENGINE, Ask, Model, Moment, Problem, Routes
from callcenter.asterisk import actions
from callcenter.asterisk.link import ActionRefused
from callcenter.calls.routes import CallPath
from callcenter.clock import now
from callcenter.directory.city import DEPARTMENTS
from callcenter.floor.ask import in_words
from callcenter.floor.routes import LINE, RUNNER, Accepted
from callcenter.floor.view import call_state
from callcenter.people.queries import write_audit
from callcenter.push.routes import HUB
from callcenter.store.engine import SILENCE_SECONDS, DatabaseAway, within
from callcenter.transfers import flow
from callcenter.transfers.flow import CannotBeDone, Talk, Target
from ivr.lines import EMERGENCIES, LINES, Line

routes = Routes("transfers")

log = structlog.get_logger()

_NOTE_SECONDS: Final = 0.3

_PROBLEMS: Final = {
    "no_call": (404, "没有此通话", "There is no such call at your seat"),
    "not_talking": (409, "当前不在通话中", "You are not talking now"),
    "no_such_target": (404, "没有此转接目标", "There is nobody and nothing of this name to pass a call to"),
    "nobody_free": (409, "该队列现在无人空闲", "Nobody of that queue is free now"),
    "target_busy": (409, "对方座席现在无法接听", "That seat cannot take a call now"),
    "still_ringing": (409, "已有一方正在振铃", "Somebody is still being rung"),
    "room_full": (409, "通话人数已满", "There is no room for more people in this call"),
    "not_parked": (409, "来电人没有在等待", "The citizen is not waiting"),
    "nobody_asked": (409, "没有第三方", "There is no third party"),
}


class Whom(Model):
    """A seat's number, a line's code, a queue's code."""

    kind: Literal["seat", "line", "queue"]
    code: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")]


class ToAsk(Model):
    to: Whom


class Emergency(Model):
    number: Literal["110", "119", "120", "122"]


class SeatTarget(Model):
    """`free`: can be asked now."""

    number: str
    login: str
    zh: str
    en: str
    state: SeatState
    since: Moment | None
    free: bool


class QueueTarget(Model):
    code: str
    zh: str
    en: str
    waiting: int
    ready: int


class LineTarget(Model):
    code: str
    number: str
    zh: str
    en: str
    department_zh: str
    department_en: str


class Targets(Model):
    """Everywhere a call can go."""

    seats: list[SeatTarget]
    queues: list[QueueTarget]
    lines: list[LineTarget]
    emergencies: list[LineTarget]


@routes.get("/api/v1/targets", action="transfer_call", out=Targets)
async def targets(ask: Ask) -> Targets:
    """Seats with their people and states, queues, and lines."""
    floor, people = ask.app[RUNNER].floor, ask.app[HUB].names()
    waiting = [call.again_queue or call.queue for call in floor.calls.values() if call_state(call) == "waiting"]
    seats = []
    for seat in sorted(floor.seats.values(), key=lambda seat: seat.number):
        if seat.login and seat.queues and seat.login != ask.user.login:
            zh, en = people.get(seat.login, (seat.login, seat.login))
            free = seat.state in flow.CAN_BE_ASKED and seat.reachable
            seats.append(
                SeatTarget(
                    number=seat.number, login=seat.login, zh=zh, en=en, state=seat.state, since=seat.since, free=free
                )
            )
    ready = [seat for seat in floor.seats.values() if seat.state is SeatState.READY]
    return Targets(
        seats=seats,
        queues=[
            QueueTarget(
                code=queue.code,
                zh=queue.zh,
                en=queue.en,
                waiting=waiting.count(queue.code),
                ready=sum(queue.code in seat.queues for seat in ready),
            )
            for queue in QUEUES
        ],
        lines=[_line(line) for line in LINES],
        emergencies=[_line(line) for line in EMERGENCIES],
    )


@routes.post(
    "/api/v1/calls/{call_id}/consult", action="transfer_call", body=ToAsk, path=CallPath, out=Accepted, status=202
)
async def consult(ask: Ask[ToAsk, None, CallPath]) -> Accepted:
    """Ask a seat, a line, or whoever is free first of a queue, while the citizen hears music (咨询)."""
    talk, target = _talk(ask), Target(ask.body.to.kind, ask.body.to.code)
    floor, reader = ask.app[RUNNER].floor, ask.app[LINE].reader
    return await _do(ask, "consult", talk, lambda: flow.consult(floor, reader, talk, target, _nonce()), target.code)


@routes.post("/api/v1/calls/{call_id}/join", action="transfer_call", path=CallPath, out=Accepted, status=202)
async def join(ask: Ask[None, None, CallPath]) -> Accepted:
    """Bring the citizen to those who talk (三方通话)."""
    talk = _talk(ask)
    return await _do(ask, "join", talk, lambda: flow.join(talk))


@routes.post("/api/v1/calls/{call_id}/complete", action="transfer_call", path=CallPath, out=Accepted, status=202)
async def complete(ask: Ask[None, None, CallPath]) -> Accepted:
    """Leave the citizen with the third (完成转接)."""
    talk = _talk(ask)
    return await _do(ask, "complete", talk, lambda: flow.complete(talk))


@routes.post("/api/v1/calls/{call_id}/back", action="transfer_call", path=CallPath, out=Accepted, status=202)
async def back(ask: Ask[None, None, CallPath]) -> Accepted:
    """Let the third go and come back to the citizen (取回)."""
    talk = _talk(ask)
    return await _do(ask, "back", talk, lambda: flow.back(talk))


@routes.post(
    "/api/v1/calls/{call_id}/transfer", action="transfer_call", body=ToAsk, path=CallPath, out=Accepted, status=202
)
async def transfer(ask: Ask[ToAsk, None, CallPath]) -> Accepted:
    """Pass the citizen on to a seat, a line or a queue without talking before (盲转)."""
    talk, target = _talk(ask), Target(ask.body.to.kind, ask.body.to.code)
    floor = ask.app[RUNNER].floor
    return await _do(ask, "transfer", talk, lambda: flow.pass_on(floor, talk, target), target.code)


@routes.post(
    "/api/v1/calls/{call_id}/emergency", action=ANY_USER, body=Emergency, path=CallPath, out=Accepted, status=202
)
async def emergency(ask: Ask[Emergency, None, CallPath]) -> Accepted:
    """Bring 110, 119, 120 or 122 into the call (紧急转接). No right is asked for but to be in the call (R17)."""
    talk, number = _talk(ask), ask.body.number
    floor, reader = ask.app[RUNNER].floor, ask.app[LINE].reader
    return await _do(ask, "emergency", talk, lambda: flow.emergency(floor, reader, talk, number, _nonce()), number)


def _talk(ask: Ask[Any, None, CallPath]) -> Talk:
    try:
        return flow.talk_at(ask.app[HUB].seat_of(ask.user.login), ask.path.call_id)
    except CannotBeDone as why:
        raise _problem(why) from None


async def _do(
    ask: Ask[Any, None, CallPath], act: str, talk: Talk, plan: Callable[[], Sequence[actions.Action]], to: str = ""
) -> Accepted:
    try:
        wanted = plan()
    except CannotBeDone as why:
        raise _problem(why) from None
    with in_words():
        for action in wanted:
            try:
                await ask.app[LINE].act(action)
            except actions.BadAction as refusal:
                raise ActionRefused(str(refusal)) from None
            except ActionRefused:
                if action["Action"] != "Hangup":  # whoever is to go may have gone this moment
                    raise
    # Not waited for long: a call goes on while Postgres is away; its segments tell the same.
    await asyncio.wait(
        {asyncio.ensure_future(_note(ask, act, {"call": talk.call.id, "to": to}))}, timeout=_NOTE_SECONDS
    )
    return Accepted(at=now())


async def _note(ask: Ask[Any, None, CallPath], act: str, what: dict[str, str]) -> None:
    async def write() -> None:
        async with ask.app[ENGINE].begin() as connection:
            await write_audit(connection, ask.user.id, act, what)

    try:
        await within(SILENCE_SECONDS, write())
    except (DatabaseAway, SQLAlchemyError) as error:
        log.warning("act_not_audited", act=act, call=what["call"], why=type(error).__name__)


def _line(line: Line) -> LineTarget:
    owner = DEPARTMENTS[line.department]
    return LineTarget(
        code=line.code,
        number=line.number,
        zh=line.zh,
        en=line.en,
        department_zh=owner.zh,
        department_en=owner.en,
    )


def _nonce() -> int:
    """Makes the unique id of each dialled channel one of its own."""
    return secrets.randbelow(10**9)


def _problem(why: CannotBeDone) -> Problem:
    code = str(why)
    status, zh, en = _PROBLEMS[code]
    return Problem(status, code, zh, en)
