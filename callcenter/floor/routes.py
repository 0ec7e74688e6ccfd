"""The agent's commands (座席操作), and the floor as a whole.

A command only sends an action: the seat moves when Asterisk says so, just as if it had been moved from elsewhere.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from agents.breaks import Limit, Rules
from agents.seats import BREAKS, IN_CALL, LEAVE, NOT_READY, WRAP_UP, Phone, SeatState
from callcenter.api import ENGINE, SETTINGS, WHOLE, Ask, Model, Moment, Problem, Routes
from callcenter.asterisk import actions
from callcenter.asterisk.facts import HangUpAsked, Reserved, WrapUpExtended
from callcenter.asterisk.link import LineState
from callcenter.callbacks.flow import Waiting
from callcenter.clock import now
from callcenter.floor.acts import afterwards, leaving
from callcenter.floor.ask import LINE as LINE
from callcenter.floor.ask import act as _act
from callcenter.floor.ask import line_away, reachable
from callcenter.floor.breaks import BREAKS_NOW, read_rules, used_today
from callcenter.floor.model import Seat
from callcenter.floor.queries import add_break_rules, own_calls, time_in_states
from callcenter.floor.run import Runner
from callcenter.floor.view import CallRow, Link, Pop, SeatRow
from callcenter.people import queries
from callcenter.people.seats import seat_secret
from callcenter.push.routes import HUB
from callcenter.reports.tally import Figures
from callcenter.routing.distribution import Distribution
from callcenter.store.engine import SILENCE_SECONDS, DatabaseAway, within
from callcenter.store.pages import day_bounds
from dialplan import names

DISTRIBUTION: Final = web.AppKey("DISTRIBUTION", Distribution)
RUNNER: Final = web.AppKey("RUNNER", Runner)
#: Seconds in which a seat's queues are looked at again when somebody leaves it, and from one look to the next.
LEFT_WITHIN: Final = 1.0
LEFT_LOOK: Final = 0.02
#: Takes a seat that is about to be ready for a citizen whose turn it is to be called back; True when it did.
CLAIM: Final[web.AppKey[Callable[[Seat], bool]]] = web.AppKey("CLAIM")

routes = Routes("floor")

States = dict[tuple[str, str | None], tuple[int, int]]


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
    """`insist`: although a limit has been reached, of which the first answer warned."""

    code: Annotated[str, Field(max_length=32, json_schema_extra={"enum": list(BREAKS)})]
    insist: bool = False


class BreakLimit(Model):
    """The limit of one reason; `minutes` a day, `once` in one break; null: as long as it takes."""

    code: Annotated[str, Field(max_length=32, json_schema_extra={"enum": list(BREAKS)})]
    minutes: Annotated[int, Field(ge=1, le=720), WHOLE] | None
    once: Annotated[int, Field(ge=1, le=720), WHOLE] | None
    counted: bool


class BreakRules(Model):
    """All limits. `share` percent of those seated may be on counted breaks at once, but always `least`."""

    limits: Annotated[list[BreakLimit], Field(min_length=len(BREAKS), max_length=len(BREAKS))]
    share: Annotated[int, Field(ge=0, le=100), WHOLE]
    least: Annotated[int, Field(ge=0, le=1000), WHOLE]


class VersionedBreaks(Model):
    version: int
    rules: BreakRules


class BreaksIn(Model):
    """`after` is the version that was seen last."""

    rules: BreakRules
    after: Annotated[int, Field(ge=0, le=1_000_000), WHOLE]


class StateTime(Model):
    """Time in one state, a break by its reason; `times` is how often it began today."""

    state: SeatState
    reason: str | None
    ms: int
    times: int


class Day(Model):
    """One's own day so far (本人当日), but for the state that goes on: that one began at `since`, the page counts it.

    `in_time` of `first`: calls answered within 15 s, of those that nobody else had answered before.
    """

    day: str
    since: Moment | None
    states: list[StateTime]
    taken: int
    talk_ms: int
    talks: int
    missed: int
    first: int
    in_time: int


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
    callbacks: Waiting


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
        distribution = ask.app[DISTRIBUTION]
        await distribution.read()  # the account may be a second old
        for queue, tier in distribution.place(number, ask.user.login).items():
            await _act(ask, actions.seat(number, phone, ask.user.login, queue, NOT_READY, tier))
    return Sat(seat=number, sip=_sip(ask, number, row.secret_version) if phone is Phone.BROWSER else None)


@routes.delete("/api/v1/desk/seat", action="sit", out=Accepted, status=202)
async def leave_seat(ask: Ask) -> Accepted:
    """Stand up (签出); asked for during a call, when it and its wrap-up are over."""
    seat = _mine(ask)
    if seat.state in IN_CALL:
        ask.app[RUNNER].tell(Reserved(now(), seat.number, LEAVE))
        return Accepted(at=now())
    await _leave(ask, seat)
    return Accepted(at=now())


@routes.post("/api/v1/desk/ready", action="sit", out=Accepted, status=202)
async def ready(ask: Ask) -> Accepted:
    """Ready for calls (示闲); ends a break, a wrap-up, being unreachable after missed rings, and what was reserved."""
    seat = _mine(ask)
    ask.app[RUNNER].tell(Reserved(now(), seat.number, None))
    if not await reachable(ask, seat):
        raise Problem(409, "phone_away", "话机未注册，无法示闲", "Your phone is not registered, so it cannot ring")
    await _make_ready(ask, seat)
    return Accepted(at=now())


@routes.post("/api/v1/desk/break", action="sit", body=Break, out=Accepted, status=202)
async def take_break(ask: Ask[Break]) -> Accepted:
    """Take a break (小休) with a reason; asked for during a call, it begins when call and wrap-up are over."""
    if ask.body.code not in BREAKS:
        raise Problem(422, "no_such_break", "没有这种小休原因", "There is no such reason for a break")
    seat = _mine(ask)
    if reached := await _limits(ask, seat, ask.body.code):
        if not ask.body.insist:
            raise reached
        async with ask.app[ENGINE].begin() as connection:
            what = {"code": ask.body.code, "limit": reached.code}
            await queries.write_audit(connection, ask.user.id, "break_over_limit", what)
    if seat.state in IN_CALL:
        ask.app[RUNNER].tell(Reserved(now(), seat.number, ask.body.code))
    else:
        await _act(ask, actions.pause(seat.number, seat.phone, ask.body.code))
    return Accepted(at=now())


@routes.get("/api/v1/breaks", action="see_floor", out=VersionedBreaks)
async def show_breaks(ask: Ask) -> VersionedBreaks:
    """The limits of breaks (小休时限) that hold."""
    version, rules = await within(SILENCE_SECONDS, read_rules(ask.app[ENGINE]))
    return _breaks(version, rules)


@routes.put("/api/v1/breaks", action="edit_breaks", body=BreaksIn, out=VersionedBreaks)
async def change_breaks(ask: Ask[BreaksIn]) -> VersionedBreaks:
    """Change the limits of breaks; they hold at once, for breaks that go on too"""
    given, after = ask.body.rules, ask.body.after
    rules = Rules(tuple(Limit(**each.model_dump()) for each in given.limits), given.share, given.least)
    if {limit.code for limit in rules.limits} != set(BREAKS):
        raise Problem(422, "no_such_break", "没有这种小休原因", "There is no such reason for a break")
    if wrong := [each.code for each in rules.limits if each.once and each.minutes and each.once > each.minutes]:
        told = {"limits": f"{', '.join(wrong)}: 单次不得多于全天 / one break has more than the day"}
        raise Problem(422, "not_valid", "单次时长不得超过全天时长", "One break cannot have more than the day", told)
    async with ask.app[ENGINE].begin() as connection:
        if not await add_break_rules(connection, rules, after, ask.user.login, now()):
            raise Problem(
                409, "stale_version", "已有更新的版本，请刷新后再改", "There is a newer version; reload and change that"
            )
        what = {"version": after + 1, **given.model_dump()}
        await queries.write_audit(connection, ask.user.id, "change_breaks", what)
    breaks = ask.app[BREAKS_NOW]
    breaks.version, breaks.rules = after + 1, rules
    ask.app[HUB].tell_all({"type": "breaks"})
    return _breaks(after + 1, rules)


@routes.delete("/api/v1/desk/next", action="sit", out=Accepted, status=202)
async def take_back(ask: Ask) -> Accepted:
    """Take back what was asked for during a call: ready follows its wrap-up."""
    seat = _mine(ask)
    ask.app[RUNNER].tell(Reserved(now(), seat.number, None))
    if seat.state in IN_CALL and seat.pause in BREAKS:
        await _act(ask, actions.pause(seat.number, seat.phone, None))
    return Accepted(at=now())


@routes.get("/api/v1/desk/day", action="sit", out=Day)
async def own_day(ask: Ask) -> Day:
    """One's own figures of the day, and the time in each state."""
    zone, seat = ask.app[SETTINGS].zone, ask.app[HUB].seat_of(ask.user.login)
    at = now()
    start, end = day_bounds(at.astimezone(zone).date(), zone)
    until = seat.since if seat is not None and seat.since else at

    async def find(engine: AsyncEngine) -> tuple[States, RowMapping]:
        async with engine.connect() as connection:
            states = await time_in_states(connection, ask.user.login, start, max(start, until))
            return states, await own_calls(connection, ask.user.login, start, end)

    states, calls = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    return Day(
        day=at.astimezone(zone).date().isoformat(),
        since=max(start, seat.since) if seat is not None and seat.since else None,
        states=[
            StateTime(state=SeatState(state), reason=reason, ms=ms, times=times)
            for (state, reason), (ms, times) in sorted(states.items(), key=str)
        ],
        **calls,
    )


@routes.post("/api/v1/desk/wrap-up", action="sit", body=WrapUp, out=Accepted, status=202)
async def wrap_up(ask: Ask[WrapUp]) -> Accepted:
    """More time for wrap-up (延长话后处理), or no more (结束话后处理)."""
    seat = _mine(ask)
    if seat.pause != WRAP_UP:
        raise Problem(409, "not_in_wrap_up", "当前不在话后处理", "You are not in wrap-up")
    if ask.body.act == "extend":
        more = timedelta(seconds=ask.app[SETTINGS].wrap_up_seconds)
        ask.app[RUNNER].tell(WrapUpExtended(now(), seat.number, more))
    elif seat.next:
        for action in afterwards(seat):
            await _act(ask, action)
    else:
        await _make_ready(ask, seat)
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
        raise line_away()
    seat = ask.app[HUB].seat_of(ask.user.login)
    if seat is None:
        raise Problem(409, "not_seated", "您还没有签入座席", "You have not taken a seat")
    return seat


async def _limits(ask: Ask[Any], seat: Seat, code: str) -> Problem | None:
    """Which limit a break would go beyond; none while Postgres cannot say."""
    if seat.pause == code:
        return None
    floor, rules = ask.app[RUNNER].floor, ask.app[BREAKS_NOW].rules
    seated = [each for each in floor.seats.values() if each.queues]
    away = sum(rules.counted(each.next or each.pause) for each in seated if each is not seat)
    allowed = rules.at_once(len(seated))
    if rules.counted(code) and away >= allowed:
        return Problem(
            409,
            "too_many_away",
            f"同时小休最多 {allowed} 人，现已有 {away} 人",
            f"At most {allowed} may be on a break at once, and {away} already",
        )
    zh, en = BREAKS[code]
    with suppress(DatabaseAway):
        used = await within(1, used_today(ask.app[ENGINE], ask.user.login, code, ask.app[SETTINGS].zone))
        at, limit = now(), rules.of(code)
        ends = rules.ends(code, at, used)
        if ends is not None and ends <= at and limit is not None:
            minutes = limit.minutes
            return Problem(
                409,
                "break_used_up",
                f"今日“{zh}”{minutes} 分钟已用完",
                f"Today's {minutes} minutes of {en} are used up",
            )
    return None


def _breaks(version: int, rules: Rules) -> VersionedBreaks:
    limits = [BreakLimit(**limit._asdict()) for limit in rules.limits]
    return VersionedBreaks(version=version, rules=BreakRules(limits=limits, share=rules.share, least=rules.least))


def _refuse_in_call(seat: Seat) -> None:
    if seat.state in IN_CALL:
        raise Problem(409, "in_call", "通话中不能离席", "You cannot leave the seat during a call")


async def _make_ready(ask: Ask[Any], seat: Seat) -> None:
    if not ask.app[CLAIM](seat):
        await _act(ask, actions.pause(seat.number, seat.phone, None))


async def _leave(ask: Ask[Any], seat: Seat) -> None:
    """Out of all queues; out of one, too, that a new skill put it into this moment: the floor hears of it next."""
    loop = asyncio.get_running_loop()
    until = loop.time() + LEFT_WITHIN
    while seat.queues and seat.login == ask.user.login and loop.time() < until:
        for action in leaving(seat):
            await _act(ask, action)
        await asyncio.sleep(LEFT_LOOK)


def _sip(ask: Ask[Any], number: str, version: int) -> Sip:
    settings = ask.app[SETTINGS]
    user = number + names.BROWSER_SUFFIX
    return Sip(
        ws_url=settings.sip_ws_url,
        uri=f"sip:{user}@{settings.host}",
        user=user,
        password=seat_secret(settings.seat_key.get_secret_value(), number, version),
    )
