"""Routing for the pages (话务分配): services, skills, queues and the guard; pulling a waiting call to a person.

A change is written, put on record and told to Asterisk before it is answered; nothing is restarted.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from agents.guard import LATEST, Act, BadGuard, Deadline, checked
from agents.priority import Priority, weight
from agents.queues import QUEUES
from agents.seats import SeatState
from callcenter.api import ENGINE, WHOLE, Ask, Model, Moment, Problem, Routes
from callcenter.asterisk import actions
from callcenter.calls.routes import CallPath, Word
from callcenter.clock import now
from callcenter.floor.ask import in_words
from callcenter.floor.model import Call, Floor
from callcenter.floor.routes import DISTRIBUTION, LINE, RUNNER
from callcenter.floor.view import call_state
from callcenter.people.permissions import may
from callcenter.people.queries import write_audit
from callcenter.people.routes import LoginName
from callcenter.routing import queries
from callcenter.store.engine import DatabaseAway, within
from dialplan import names
from ivr.services import SERVICES

routes = Routes("routing")

#: The queues of agents/queues.py that are skills, and all in which callers wait; a test compares them.
QueueName = Literal["citizen", "enterprise", "english"]
EnteredName = Literal["citizen", "enterprise", "english", "danger"]

#: A pull is not held up by the record of it.
AUDIT_PATIENCE: Final = 1.0
#: Whose phone may be made ring by a supervisor: a ready one would be rung by the queue itself within a second.
_FREE: Final = frozenset({SeatState.READY, SeatState.BREAK, SeatState.WRAP_UP})


class Pull(Model):
    seat: Annotated[str, Field(pattern=r"^[0-9]{3,6}$")]


class Pulled(Model):
    """Asterisk has been asked; what comes of it comes by the websocket."""

    at: Moment


class ServiceWay(Model):
    service: str
    number: str
    zh: str
    en: str
    queue: str
    elderly: bool


class QueueSettings(Model):
    """Seconds that a phone rings and that a caller waits at most, and how many may wait.

    `weight`: above 0 it is no skill: everybody serves it, before all else.
    """

    code: str
    zh: str
    en: str
    ring: int
    longest_wait: int
    most_waiting: int
    weight: int


class PersonLevels(Model):
    """`levels`: queue -> 1 first, 2 second, 3 backup, 4 volunteer; a queue that is not served is left out."""

    login: str
    name_zh: str
    name_en: str
    roles: list[str]
    seat: str | None
    levels: dict[str, int]


class GuardDeadline(Model):
    act: Act
    seconds: Annotated[int, Field(ge=1, le=LATEST), WHOLE]


class Routing(Model):
    services: list[ServiceWay]
    queues: list[QueueSettings]
    people: list[PersonLevels]
    guard: list[GuardDeadline]


class LoginPath(Model):
    login: LoginName


class QueuePath(Model):
    queue: EnteredName


class ServicePath(Model):
    service: Word


class SkillLevel(Model):
    """0 serves it not at all."""

    queue: QueueName
    level: Annotated[int, Field(ge=0, le=4), WHOLE]


class LevelsChange(Model):
    """Queues that are left out are not served."""

    levels: Annotated[list[SkillLevel], Field(max_length=len(QUEUES))]


class QueueChange(Model):
    ring: Annotated[int, Field(ge=3, le=60), WHOLE]
    longest_wait: Annotated[int, Field(ge=30, le=7200), WHOLE]
    most_waiting: Annotated[int, Field(ge=1, le=2000), WHOLE]


class WayChange(Model):
    queue: QueueName
    elderly: bool


class GuardChange(Model):
    deadlines: Annotated[list[GuardDeadline], Field(max_length=len(Act))]


@routes.get("/api/v1/routing", action="edit_routing", out=Routing)
async def show_routing(ask: Ask) -> Routing:
    """Who takes which calls"""
    distribution = ask.app[DISTRIBUTION]
    await distribution.read()
    return _routing(ask)


@routes.put("/api/v1/routing/people/{login}", action="edit_routing", body=LevelsChange, path=LoginPath, out=Routing)
async def change_levels(ask: Ask[LevelsChange, None, LoginPath]) -> Routing:
    """What a person serves, and how well; live for who sits at a seat"""
    login, levels = ask.path.login, {str(each.queue): each.level for each in ask.body.levels}

    async def change(connection: AsyncConnection) -> None:
        if not await queries.write_levels(connection, login, levels):
            raise Problem(404, "no_such_user", "没有此账号", "There is no such account")
        await write_audit(connection, ask.user.id, "change_skills", {"login": login, "levels": levels})

    return await _changed(ask, change)


@routes.put("/api/v1/routing/queues/{queue}", action="edit_routing", body=QueueChange, path=QueuePath, out=Routing)
async def change_queue(ask: Ask[QueueChange, None, QueuePath]) -> Routing:
    """How long a queue rings and lets wait, and how many"""
    row = {"queue": ask.path.queue, **ask.body.model_dump()}

    async def change(connection: AsyncConnection) -> None:
        await queries.write_queue(connection, row)
        await write_audit(connection, ask.user.id, "change_queue", row)

    return await _changed(ask, change)


@routes.put("/api/v1/routing/services/{service}", action="edit_routing", body=WayChange, path=ServicePath, out=Routing)
async def change_way(ask: Ask[WayChange, None, ServicePath]) -> Routing:
    """Where a service's calls go that press no key, and whether they go before others"""
    if all(service.code != ask.path.service for service in SERVICES):
        raise Problem(404, "no_such_service", "没有此服务", "There is no such service")
    row = {"service": ask.path.service, **ask.body.model_dump()}

    async def change(connection: AsyncConnection) -> None:
        await queries.write_way(connection, row)
        await write_audit(connection, ask.user.id, "change_service", row)

    return await _changed(ask, change)


@routes.put("/api/v1/routing/guard", action="edit_routing", body=GuardChange, out=Routing)
async def change_guard(ask: Ask[GuardChange]) -> Routing:
    """When the guard of the 15 seconds acts"""
    try:
        guard = checked([Deadline(each.seconds, each.act) for each in ask.body.deadlines])
    except BadGuard:
        raise Problem(
            422,
            "not_valid",
            f"时限须依次递增，且在 1 至 {LATEST} 秒之间",
            f"The deadlines must rise, from 1 to {LATEST} seconds",
        ) from None

    async def change(connection: AsyncConnection) -> None:
        seconds = {each.act: each.seconds for each in guard}
        await queries.write_guard(connection, seconds)
        await write_audit(connection, ask.user.id, "change_guard", {str(act): value for act, value in seconds.items()})

    return await _changed(ask, change)


async def _changed(ask: Ask[Any, Any, Any], change: Callable[[AsyncConnection], Awaitable[None]]) -> Routing:
    async with ask.app[ENGINE].begin() as connection:
        await change(connection)
    await ask.app[DISTRIBUTION].read()
    return _routing(ask)


def _routing(ask: Ask[Any, Any, Any]) -> Routing:
    plan = ask.app[DISTRIBUTION].plan
    seats = {seat.login: seat.number for seat in ask.app[RUNNER].floor.seats.values() if seat.login}
    ways = plan.ways or {}
    return Routing(
        services=[
            ServiceWay(
                service=each.code,
                number=each.number,
                zh=each.zh,
                en=each.en,
                queue=ways[each.code].queue,
                elderly=ways[each.code].priority is Priority.ELDERLY,
            )
            for each in SERVICES
            if each.code in ways
        ],
        queues=[QueueSettings(**queue._asdict()) for queue in plan.queues],
        people=[
            PersonLevels(
                login=each.login,
                name_zh=each.name_zh,
                name_en=each.name_en,
                roles=list(each.roles),
                seat=seats.get(each.login),
                levels={queue: int(level) for queue, level in each.levels.items()},
            )
            for each in plan.workers.values()
            if each.levels or may(each.roles, "sit")
        ],
        guard=[GuardDeadline(act=each.act, seconds=each.seconds) for each in plan.guard],
    )


@routes.post("/api/v1/calls/{call_id}/pull", action="pull_call", body=Pull, path=CallPath, out=Pulled, status=202)
async def pull(ask: Ask[Pull, None, CallPath]) -> Pulled:
    """Pull a waiting call to a person (指派接听); unanswered it goes back to its place in the queue."""
    floor, line = ask.app[RUNNER].floor, ask.app[LINE]
    call = _waiting(floor, ask.path.call_id)
    seat = floor.seats.get(ask.body.seat)
    if seat is None or seat.state not in _FREE:
        raise Problem(409, "seat_not_free", "该座席现在不能接听", "That seat cannot take a call now")

    async def record() -> None:
        async with ask.app[ENGINE].begin() as connection:
            what = {"call": call.id, "seat": seat.number, "login": seat.login}
            await write_audit(connection, ask.user.id, "pull_call", what)

    try:
        await within(AUDIT_PATIENCE, record())
    except DatabaseAway:
        raise Problem(503, "no_record", "暂时无法留痕，请稍后再试", "It cannot be put on record now") from None
    steps = actions.direct(call.channel, seat.number, seat.phone, seat.login, names.WHY_PULLED, place(floor, call))
    with in_words():
        for step in steps:
            # Asked again before each: a call that has found its person meanwhile is not torn away.
            _waiting(floor, call.id)
            await line.act(step)
    return Pulled(at=now())


def _waiting(floor: Floor, call_id: str) -> Call:
    call = floor.calls.get(call_id)
    if call is None or call_state(call) not in {"waiting", "ringing"}:
        raise Problem(409, "not_waiting", "该来电已不在排队", "That call does not wait any more")
    return call


def place(floor: Floor, call: Call) -> int:
    """The place of a waiting call in its queue, from 1 (排队位次)."""
    return 1 + sum(
        other.queue == call.queue and call_state(other) in {"waiting", "ringing"} and _turn(other) < _turn(call)
        for other in floor.calls.values()
    )


def _turn(call: Call) -> tuple[int, float, str]:
    return (-weight(call.priority), call.queued_at.timestamp() if call.queued_at else 0.0, call.id)
