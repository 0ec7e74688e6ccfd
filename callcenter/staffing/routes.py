"""The plan of people: what will come, how many are needed, who is rostered, and who of them is here."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from agents.forecast import Kind
from agents.queues import QUEUES
from agents.seats import SeatState
from callcenter.api import ENGINE, SETTINGS, WHOLE, Ask, Day, Model, Moment, Problem, Routes
from callcenter.calendars import queries as calendars
from callcenter.calendars.days import WorkingDays
from callcenter.clock import now
from callcenter.floor.routes import RUNNER
from callcenter.people.queries import write_audit
from callcenter.routing.queries import read_plan
from callcenter.staffing import flow, queries
from callcenter.staffing.flow import DAY, SLOT, Handling, Shift
from callcenter.store.pages import day_bounds

routes = Routes("staffing")

#: How far back the forecast looks, and how far the time of handling is measured.
LOOK_BACK: Final = timedelta(days=120)
MEASURED: Final = timedelta(days=28)
#: A shift that began on one of these days before may reach into a day.
REACH: Final = DAY
MOST_SHIFTS: Final = 2_000
#: A roster is not made for days further off.
FURTHEST: Final = timedelta(days=400)
REMEMBERED: Final = timedelta(minutes=10)

Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Days = Annotated[int, Field(ge=1, le=31)]


class Slot(Model):
    """A quarter of an hour. `needs`: seats for 80, 90 and 95 % within 15 s; None where nothing is forecast."""

    at: Moment
    expected: float | None
    anew: float | None
    actual: int | None
    needs: list[int] | None
    rostered: int
    drafted: int


class StaffDay(Model):
    day: date
    kind: Kind
    settled: bool
    slots: list[Slot]


class HandlingRow(Model):
    """Mean seconds; `assumed` when too few calls were measured."""

    talk: float
    wrap_up: float
    assumed: bool


class Intraday(Model):
    """Now against plan: calls so far, those expected so far, and the rest of the day as planned and anew."""

    arrived: int
    expected: float
    rest_planned: float
    rest_anew: float
    needed: int
    rostered: int
    seated: int


class Staffing(Model):
    days: list[StaffDay]
    handling: HandlingRow
    history_days: int
    history_demo: bool
    goals: list[float]
    now: Moment
    today: Intraday | None


class WhatIfQuery(Model):
    calls: Annotated[float, Field(ge=1, le=5_000)]
    agents: Annotated[int, Field(ge=1, le=300)]
    patience: Annotated[float, Field(ge=5, le=1_800)]


class TriedRow(Model):
    """Shares of all offered calls, `margin` that of `in_time`; `wait_p95` in seconds, None when nobody was answered."""

    in_time: float
    margin: float
    abandoned: float
    called_back: float
    wait_p95: float | None


class WhatIf(Model):
    """The same drawn callers without the guard of the 15 seconds and with it."""

    calls: int
    handling: HandlingRow
    without: TriedRow
    guarded: TriedRow


class SpanQuery(Model):
    start: Day
    days: Days = 7


class StaffingQuery(SpanQuery):
    days: Annotated[int, Field(ge=1, le=14)] = 7


class GapQuery(SpanQuery):
    published: bool = False


class GapRow(Model):
    """Nobody on duty serves these `queues`."""

    start: Moment
    end: Moment
    queues: list[str]


class Gaps(Model):
    items: list[GapRow]


class ShiftIn(Model):
    """From one time of day to another in the city's time zone; an end not after the start is on the next day."""

    login: Annotated[str, Field(min_length=1, max_length=32)]
    start: Clock
    end: Clock
    queue: Annotated[str, Field(max_length=32)] | None = None


class ShiftRow(ShiftIn):
    starts_at: Moment
    ends_at: Moment


class RosterDay(Model):
    """`version` 0: nothing was ever planned. `published`: what holds is what is shown."""

    day: date
    kind: Kind
    version: int
    published: bool
    published_at: Moment | None
    shifts: list[ShiftRow]


class PersonRow(Model):
    login: str
    name_zh: str
    name_en: str


class RosterPerson(PersonRow):
    """`serves`: the queues of this person's skills."""

    serves: list[str]


class QueueRow(Model):
    code: str
    zh: str
    en: str


class Roster(Model):
    days: list[RosterDay]
    people: list[RosterPerson]
    queues: list[QueueRow]
    gaps: list[GapRow]


class DayPath(Model):
    day: Day


class DayIn(Model):
    version: Annotated[int, Field(ge=0, le=2**31 - 2), WHOLE]
    shifts: Annotated[list[ShiftIn], Field(max_length=MOST_SHIFTS)]


class Publish(Model):
    start: Day
    days: Annotated[int, Field(ge=1, le=31), WHOLE]


class OnDuty(Model):
    """Somebody rostered now. `state` is None while they sit nowhere (未到岗)."""

    login: str
    starts_at: Moment
    ends_at: Moment
    seat: str | None
    state: SeatState | None


class Unplanned(Model):
    """Somebody seated now who is not rostered."""

    login: str
    seat: str
    state: SeatState


class Adherence(Model):
    """Who should be here, and who is (到岗情况). `unknown`: the line to Asterisk is away."""

    rostered: list[OnDuty]
    unplanned: list[Unplanned]
    people: list[PersonRow]
    unknown: bool


class Past:
    """The days before today do not change: they are asked for again only now and then."""

    def __init__(self) -> None:
        self.at: datetime | None = None
        self.today: date | None = None
        self.found = queries.History({}, False)
        self.lock = asyncio.Lock()

    async def of(self, ask: Ask[Any, Any, Any], at: datetime, today: date) -> queries.History:
        async with self.lock:
            if self.at is None or not self.found.days or self.today != today or at - self.at > REMEMBERED:
                zone = ask.app[SETTINGS].zone
                async with ask.app[ENGINE].connect() as connection:
                    self.found = await queries.history(connection, zone, today - LOOK_BACK, today - DAY)
                self.at, self.today = at, today
        return self.found


PAST: Final = web.AppKey("PAST", Past)
#: One trial at a time: each takes a second of a core.
TRYING: Final = web.AppKey("TRYING", asyncio.Lock)


@routes.get("/api/v1/staffing", action="see_reports", query=StaffingQuery, out=Staffing)
async def show_staffing(ask: Ask[None, StaffingQuery]) -> Staffing:
    """Forecast, actual calls, seats needed and seats rostered by quarter of an hour"""
    zone, at = ask.app[SETTINGS].zone, now()
    today = at.astimezone(zone).date()
    first, last = _span(ask.query, today)
    past = await ask.app[PAST].of(ask, at, today)
    async with ask.app[ENGINE].connect() as connection:
        calendar = await calendars.days(connection, zone)
        current = await queries.history(connection, zone, today, today)
        shown = await queries.history(connection, zone, first, last) if first < today - LOOK_BACK else past
        measured = await queries.handling(connection, at - MEASURED, at)
        drafted = _all(await queries.shifts_of(connection, first - REACH, last, published=False))
        rostered = _all(await queries.shifts_of(connection, first - REACH, last, published=True))
    # A day on which the exchange began to work, or was away, is no day like others.
    whole = {day: calls for day, calls in sorted(past.days.items())[1:] if day < today and any(calls)}
    handling = measured if measured.calls >= flow.ENOUGH_CALLS else flow.PLANNED
    days = [first + n * DAY for n in range((last - first).days + 1)]
    over = _over(at, today, zone)
    plans = await asyncio.to_thread(_plans, whole, {*days, today}, calendar, today, current.days.get(today, [])[:over])
    actual = {**shown.days, **current.days}

    def slots(day: date) -> list[Slot]:
        moments = flow.slots_of(day, zone)
        plan, came = plans[day], actual.get(day)
        here, there = flow.on_duty(rostered, moments), flow.on_duty(drafted, moments)
        done = len(moments) if day < today else over if day == today else 0
        rows = []
        for n, moment in enumerate(moments):
            anew = plan.anew[n - over] if day == today and plan.anew is not None and n >= over else None
            expected = plan.expected[n] if plan.expected is not None else None
            foreseen = anew if anew is not None else expected
            needs = None if foreseen is None else list(flow.needs(foreseen, handling.seconds))
            known = n < done and (came is not None or day in whole)
            calls = int(came[n]) if known and came is not None else None
            rows.append(
                Slot(
                    at=moment,
                    expected=_tenth(expected),
                    anew=_tenth(anew),
                    actual=calls,
                    needs=needs,
                    rostered=here[n],
                    drafted=there[n],
                )
            )
        return rows

    shown_days = await asyncio.to_thread(
        lambda: [
            StaffDay(day=day, kind=plans[day].kind, settled=calendar.settled(day), slots=slots(day)) for day in days
        ]
    )
    seated = sum(bool(seat.queues) for seat in ask.app[RUNNER].floor.seats.values())
    return Staffing(
        days=shown_days,
        handling=_handling(handling),
        history_days=len(whole),
        history_demo=past.demo,
        goals=list(flow.GOALS),
        now=at,
        today=_intraday(plans[today], current.days.get(today), over, handling, rostered, at, seated)
        if first <= today <= last
        else None,
    )


@routes.get("/api/v1/staffing/what-if", action="see_reports", query=WhatIfQuery, out=WhatIf)
async def show_what_if(ask: Ask[None, WhatIfQuery]) -> WhatIf:
    """What the 15 seconds would be with so many calls an hour, people and patience"""
    at = now()
    async with ask.app[ENGINE].connect() as connection:
        measured = await queries.handling(connection, at - MEASURED, at)
    handling = measured if measured.calls >= flow.ENOUGH_CALLS else flow.PLANNED
    query = ask.query
    async with ask.app[TRYING]:
        found = await asyncio.to_thread(flow.what_if, query.calls, query.agents, query.patience, handling)
    return WhatIf(
        calls=found.calls,
        handling=_handling(handling),
        without=TriedRow(**found.without._asdict()),
        guarded=TriedRow(**found.guarded._asdict()),
    )


@routes.get("/api/v1/roster", action="see_floor", query=SpanQuery, out=Roster)
async def show_roster(ask: Ask[None, SpanQuery]) -> Roster:
    """The roster as it is planned, and its gaps"""
    zone, today = ask.app[SETTINGS].zone, _today(ask)
    first, last = _span(ask.query, today)
    async with ask.app[ENGINE].connect() as connection:
        calendar = await calendars.days(connection, zone)
        known = await queries.days(connection, first, last)
        drafts = await queries.shifts_of(connection, first - REACH, last, published=False)
        people = await queries.people(connection)
        serves = await _serves(connection)
    days = [_roster_day(first + n * DAY, known, drafts, calendar, zone) for n in range((last - first).days + 1)]
    return Roster(
        days=days,
        people=[
            RosterPerson(login=login, name_zh=zh, name_en=en, serves=list(serves.get(login, ())))
            for login, zh, en in people
        ],
        queues=[QueueRow(code=queue.code, zh=queue.zh, en=queue.en) for queue in QUEUES],
        gaps=_gaps(_all(drafts), first, last, zone, serves),
    )


@routes.get("/api/v1/roster/gaps", action="see_floor", query=GapQuery, out=Gaps)
async def show_gaps(ask: Ask[None, GapQuery]) -> Gaps:
    """Every time without anybody on duty who serves a queue, in the plan or in what was published (domain.md R7)"""
    first, last = _span(ask.query, _today(ask))
    async with ask.app[ENGINE].connect() as connection:
        found = await queries.shifts_of(connection, first - REACH, last, published=ask.query.published)
        serves = await _serves(connection)
    return Gaps(items=_gaps(_all(found), first, last, ask.app[SETTINGS].zone, serves))


@routes.put("/api/v1/roster/days/{day}", action="manage_roster", body=DayIn, path=DayPath, out=RosterDay)
async def change_day(ask: Ask[DayIn, None, DayPath]) -> RosterDay:
    """Put a day's shifts in place of those there were; what was published holds until it is published anew"""
    zone, day = ask.app[SETTINGS].zone, ask.path.day
    if abs(day - _today(ask)) > FURTHEST:
        raise Problem(422, "day_too_far", "日期超出可排班范围", "This day is too far off for a roster")
    made = [flow.shift_of(each.login, day, each.start, each.end, each.queue, zone) for each in ask.body.shifts]
    async with ask.app[ENGINE].begin() as connection:
        await _check(connection, day, made)
        before = (await queries.shifts_of(connection, day, day, published=False)).get(day, [])
        version = await queries.save_day(connection, day, ask.body.version, made, ask.user.login)
        if version is None:
            raise Problem(
                409, "roster_changed", "该日排班已被他人修改，请刷新", "Someone else changed this day; load it anew"
            )
        told = {
            "day": day.isoformat(),
            "version": version,
            "added": [_told(each, zone) for each in made if each not in before],
            "removed": [_told(each, zone) for each in before if each not in made],
        }
        await write_audit(connection, ask.user.id, "change_roster", told)
        calendar = await calendars.days(connection, zone)
        known = await queries.days(connection, day, day)
        drafts = await queries.shifts_of(connection, day, day, published=False)
    return _roster_day(day, known, drafts, calendar, zone)


@routes.post("/api/v1/roster/publish", action="manage_roster", body=Publish, out=Gaps)
async def publish_roster(ask: Ask[Publish]) -> Gaps:
    """Let the plan of these days hold; refused when anybody could call whom nobody on duty serves (domain.md R7)"""
    zone = ask.app[SETTINGS].zone
    first, last = _span(ask.body, _today(ask))
    async with ask.app[ENGINE].begin() as connection:
        await queries.hold(connection, first, last)
        drafts = await queries.shifts_of(connection, first, last, published=False)
        before = await queries.shifts_of(connection, first - REACH, first - DAY, published=True)
        found = _gaps(_all(before) + _all(drafts), first, last, zone, await _serves(connection))
        if found:
            fields = {_minute(gap.start, zone): _minute(gap.end, zone) + _lacking(gap) for gap in found[:50]}
            raise Problem(
                409,
                "roster_has_gaps",
                f"有 {len(found)} 段时间无人值守，不能发布",
                f"Nobody is on duty in {len(found)} stretches of time; the roster cannot be published",
                fields,
            )
        days = {first + n * DAY: drafts.get(first + n * DAY, []) for n in range(ask.body.days)}
        await queries.publish(connection, days, ask.user.login)
        told = {"start": first.isoformat(), "days": ask.body.days, "shifts": sum(map(len, days.values()))}
        await write_audit(connection, ask.user.id, "publish_roster", told)
    return Gaps(items=[])


@routes.get("/api/v1/roster/now", action="see_floor", out=Adherence)
async def show_adherence(ask: Ask) -> Adherence:
    """Who is rostered now, and who sits"""
    at, runner = now(), ask.app[RUNNER]
    async with ask.app[ENGINE].connect() as connection:
        here = await queries.shifts_at(connection, at)
        people = await queries.people(connection)
    seats = {seat.login: seat for seat in runner.floor.seats.values() if seat.queues and seat.login}
    planned = {shift.login for shift in here}
    wanted = planned | seats.keys()
    return Adherence(
        rostered=[
            OnDuty(
                login=shift.login,
                starts_at=shift.starts_at,
                ends_at=shift.ends_at,
                seat=seats[shift.login].number if shift.login in seats else None,
                state=seats[shift.login].state if shift.login in seats else None,
            )
            for shift in here
        ],
        unplanned=[
            Unplanned(login=login, seat=seat.number, state=seat.state)
            for login, seat in sorted(seats.items())
            if login not in planned
        ],
        people=[PersonRow(login=login, name_zh=zh, name_en=en) for login, zh, en in people if login in wanted],
        unknown=not runner.synced.is_set(),
    )


def _today(ask: Ask[Any, Any, Any]) -> date:
    return now().astimezone(ask.app[SETTINGS].zone).date()


def _span(query: SpanQuery | Publish, today: date) -> tuple[date, date]:
    """First and last day asked for. Raises Problem 422 for days out of reach."""
    if abs(query.start - today) > FURTHEST:
        raise Problem(422, "day_too_far", "日期超出范围", "This day is out of reach")
    return query.start, query.start + (query.days - 1) * DAY


def _over(at: datetime, today: date, zone: ZoneInfo) -> int:
    """How many slots of today are over."""
    return sum(moment + SLOT <= at for moment in flow.slots_of(today, zone))


def _plans(
    whole: Mapping[date, list[float]],
    days: Collection[date],
    calendar: WorkingDays,
    today: date,
    arrived: list[float],
) -> dict[date, flow.Plan]:
    kinds = {day: flow.kind_of(day, calendar.off, calendar.made_up) for day in {*whole, *days}}
    return {day: flow.plan(whole, kinds, day, arrived if day == today else ()) for day in days}


def _intraday(
    plan: flow.Plan,
    came: list[float] | None,
    over: int,
    handling: Handling,
    rostered: list[Shift],
    at: datetime,
    seated: int,
) -> Intraday | None:
    if plan.expected is None:
        return None
    rest = plan.anew if plan.anew is not None else plan.expected[over:]
    return Intraday(
        arrived=int(sum(came or [])),
        expected=round(sum(plan.expected[:over]), 1),
        rest_planned=round(sum(plan.expected[over:]), 1),
        rest_anew=round(sum(rest), 1),
        needed=flow.needs(rest[0] if rest else 0.0, handling.seconds)[1],
        rostered=sum(shift.starts_at <= at < shift.ends_at for shift in rostered),
        seated=seated,
    )


def _roster_day(
    day: date, known: Mapping[date, Any], drafts: Mapping[date, list[Shift]], calendar: WorkingDays, zone: ZoneInfo
) -> RosterDay:
    row = known.get(day)
    return RosterDay(
        day=day,
        kind=flow.kind_of(day, calendar.off, calendar.made_up),
        version=row.version if row else 0,
        published=row is not None and row.published_version == row.version,
        published_at=row.published_at if row else None,
        shifts=[
            ShiftRow(
                login=each.login,
                start=_clock(each.starts_at, zone),
                end=_clock(each.ends_at, zone),
                queue=each.queue,
                starts_at=each.starts_at,
                ends_at=each.ends_at,
            )
            for each in drafts.get(day, [])
        ],
    )


async def _check(connection: AsyncConnection, day: date, made: list[Shift]) -> None:
    """Raise the Problem of shifts that cannot be."""
    fields: dict[str, str] = {}
    known = {login for login, _, _ in await queries.people(connection)}
    codes = {queue.code for queue in QUEUES}
    for n, shift in enumerate(made):
        if shift.login not in known:
            fields[f"shifts.{n}.login"] = "没有此人或不可接听 / nobody who takes calls"
        if shift.queue is not None and shift.queue not in codes:
            fields[f"shifts.{n}.queue"] = "没有此队列 / no such queue"
    others = await queries.shifts_of(connection, day - REACH, day + REACH, published=False)
    found = flow.clash([*made, *(shift for at, shifts in others.items() if at != day for shift in shifts)])
    if found is not None:
        fields["shifts"] = f"{found.login}: 班次重叠或超过 16 小时 / shifts overlap or are longer than 16 h"
    if fields:
        raise Problem(422, "not_valid", "有班次不正确", "Some shifts are not right", fields)


def _gaps(
    shifts: list[Shift], first: date, last: date, zone: ZoneInfo, serves: Mapping[str, Collection[str]]
) -> list[GapRow]:
    start, end = day_bounds(first, zone)[0], day_bounds(last, zone)[1]
    found = flow.gaps(shifts, start, end, serves)
    return [GapRow(start=gap.start, end=gap.end, queues=list(gap.queues)) for gap in found]


async def _serves(connection: AsyncConnection) -> dict[str, Collection[str]]:
    """The queues that each person serves."""
    return {login: worker.levels.keys() for login, worker in (await read_plan(connection)).workers.items()}


def _lacking(gap: GapRow) -> str:
    """The queues that nobody serves, unless they are all."""
    named = [f" {queue.zh} / {queue.en}" for queue in QUEUES if queue.code in gap.queues]
    return "" if len(named) == len(QUEUES) else ",".join(named)


def _minute(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _all(by_day: Mapping[date, list[Shift]]) -> list[Shift]:
    return [shift for shifts in by_day.values() for shift in shifts]


def _told(shift: Shift, zone: ZoneInfo) -> dict[str, str | None]:
    """A shift for the audit."""
    return {
        "login": shift.login,
        "start": _clock(shift.starts_at, zone),
        "end": _clock(shift.ends_at, zone),
        "queue": shift.queue,
    }


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%H:%M")


def _handling(handling: Handling) -> HandlingRow:
    return HandlingRow(
        talk=round(handling.talk, 1), wrap_up=round(handling.wrap_up, 1), assumed=handling is flow.PLANNED
    )


def _tenth(calls: float | None) -> float | None:
    return None if calls is None else round(calls, 1)
