"""Opening hours for whoever asks, and their changes, which take two persons."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field
from sqlalchemy import Row

from callcenter.api import ANY_USER, ENGINE, SETTINGS, WHOLE, Ask, At, Day, Model, Moment, Problem, Routes
from callcenter.calendars import queries
from callcenter.calendars.days import WorkingDays, add_working_days
from callcenter.calendars.flow import (
    WALK_IN,
    Closed,
    Need,
    Span,
    SpecialDay,
    check_spans,
    is_open,
    spans_of,
)
from callcenter.calendars.places import PLACES, Place, clock, minutes
from callcenter.clock import now
from callcenter.directory.city import Clock
from callcenter.people.queries import write_audit
from callcenter.people.second import check_second
from callcenter.store.engine import SILENCE_SECONDS, within
from ivr.services import HOTLINE

routes = Routes("calendars")

#: Decided changes stay in the list so long after their day.
REMEMBERED: Final = timedelta(days=60)
MOST_CHANGES: Final = 200
_FIRST, _LAST = date(2000, 1, 1), date(2100, 1, 1)

Reason = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$", min_length=1, max_length=100)]
Domain = Literal[
    "social_security",
    "medical_insurance",
    "civil_administration",
    "public_security",
    "housing_security",
    "disabled_affairs",
]


class PlacePath(Model):
    code: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,12}$")]


class OpenQuery(Model):
    """When (now, unless told), with an appointment or not, and in a matter of which Saturday domain."""

    at: At | None = None
    booked: Literal["true", "false"] = "false"
    domain: Domain | None = None


class WeekQuery(Model):
    """A day of the week asked for; this week, unless told."""

    day: Day | None = None


class Stretch(Model):
    """Open from when until when, on one day; `booked`: with an appointment; `domains`: only these matters."""

    start: Clock
    end: Clock
    booked: bool
    domains: list[str]


class Why(Model):
    """The reason of an exception."""

    zh: str
    en: str


class OpenNow(Model):
    """`until` is when that changes; `next_opening` when a closed place opens. Null when that is not in sight.

    `provisional`: a notice of working days that is not out yet may change the answer (暂定).
    """

    code: str
    at: Moment
    open: bool
    why: Closed | None
    until: Moment | None
    next_opening: Moment | None
    provisional: bool
    special: Why | None


class PlaceRow(OpenNow):
    """A place, whether it is open for whoever walks in, and its hours of today."""

    kind: Literal["hotline", "line", "centre"]
    zh: str
    en: str
    department: str
    today: list[Stretch]


class DayRow(Model):
    """A day: legal working day or not, the holiday it belongs to, and what is open on it."""

    day: Day
    working: bool
    made_up: bool
    provisional: bool
    holiday: Why | None
    special: Why | None
    spans: list[Stretch]


class Calendars(Model):
    at: Moment
    today: DayRow
    items: list[PlaceRow]


class Week(PlaceRow):
    """A place with the seven days of a week, Monday first."""

    days: list[DayRow]


class DueQuery(Model):
    start: Day
    n: Annotated[int, Field(ge=0, le=200)]


class DueDay(Model):
    """The last day of a limit of n working days; `provisional` as in OpenNow."""

    start: Day
    n: int
    day: Day
    provisional: bool


class SpanIn(Model):
    start: Clock
    end: Clock


class SpecialIn(Model):
    """An exception: the place's spans on one day in place of the usual ones; none means closed."""

    kind: Literal["special"]
    place: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,12}$")]
    day: Day
    spans: Annotated[list[SpanIn], Field(max_length=6)]
    zh: Reason
    en: Reason


class LiftIn(Model):
    """An exception is taken back: the day has its usual hours again."""

    kind: Literal["lift"]
    place: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,12}$")]
    day: Day


class YearIn(Model):
    """A year's notice of the State Council, when it has come out."""

    kind: Literal["year"]
    year: Annotated[int, Field(ge=2026, le=2099), WHOLE]
    off: Annotated[list[Day], Field(min_length=1, max_length=60)]
    made_up: Annotated[list[Day], Field(max_length=30)]
    notice: Annotated[str, Field(pattern=r"^https://[!-~]{4,190}$", max_length=200)]


class ChangeIn(Model):
    """What is proposed."""

    change: Annotated[SpecialIn | LiftIn | YearIn, Field(discriminator="kind")]


class Change(Model):
    """A proposal and what became of it. `what` is as it was proposed."""

    id: int
    kind: Literal["special", "lift", "year"]
    place: str
    day: Day
    what: dict[str, Any]
    state: Literal["proposed", "approved", "refused", "withdrawn"]
    proposed_by: str
    proposed_at: Moment
    decided_by: str | None
    decided_at: Moment | None


class Changes(Model):
    items: list[Change]


class ChangePath(Model):
    id: Annotated[int, Field(ge=0, le=2**53)]


class Decision(Model):
    state: Literal["approved", "refused"]


@routes.get("/api/v1/calendars", action=ANY_USER, out=Calendars)
async def list_places(ask: Ask) -> Calendars:
    """Every place: open or closed now, next opening, hours of today"""
    at = now()
    days, special = await _known(ask, _today(ask, at))
    rows = [_row(place, days, special.get(place.code, {}), at) for place in PLACES.values()]
    return Calendars(at=at, today=_day(PLACES[HOTLINE], days, {}, days.today(at)), items=rows)


@routes.get("/api/v1/calendars/changes", action=ANY_USER, out=Changes)
async def list_changes(ask: Ask) -> Changes:
    """Proposed changes, and those decided of late"""
    first = _today(ask, now()) - REMEMBERED
    async with ask.app[ENGINE].connect() as connection:
        return Changes(items=[_change(row) for row in await queries.recent_changes(connection, first, MOST_CHANGES)])


@routes.get("/api/v1/calendars/{code}", action=ANY_USER, path=PlacePath, query=WeekQuery, out=Week)
async def show_week(ask: Ask[None, WeekQuery, PlacePath]) -> Week:
    """One place and its week"""
    place, at = _place(ask.path.code), now()
    asked = min(max(ask.query.day or _today(ask, at), _FIRST), _LAST)
    monday = asked - timedelta(days=asked.weekday())
    days, special = await _known(ask, min(monday, _today(ask, at)), place.code)
    mine = special.get(place.code, {})
    week = [_day(place, days, mine, monday + timedelta(days=n)) for n in range(7)]
    return Week(**dict(_row(place, days, mine, at)), days=week)


@routes.get("/api/v1/calendars/{code}/is_open", action=ANY_USER, path=PlacePath, query=OpenQuery, out=OpenNow)
async def is_open_at(ask: Ask[None, OpenQuery, PlacePath]) -> OpenNow:
    """Whether a place is open at a moment, and when it opens next"""
    place, at = _place(ask.path.code), ask.query.at or now()
    days, special = await _known(ask, _today(ask, at), place.code)
    need = Need(ask.query.booked == "true", ask.query.domain or "")
    return _open(place, days, special.get(place.code, {}), at, need)


@routes.get("/api/v1/working_days", action=ANY_USER, query=DueQuery, out=DueDay)
async def count_working_days(ask: Ask[None, DueQuery]) -> DueDay:
    """The last day of a limit of so many working days"""
    start, n = ask.query.start, ask.query.n
    if not _FIRST < start < _LAST:
        raise Problem(409, "out_of_range", "日期超出范围", "The day is out of range", {"start": "2000–2099"})
    days, _ = await _known(ask, start)
    reckoned = add_working_days(days, start, n)
    return DueDay(start=start, n=n, day=reckoned.day, provisional=reckoned.provisional)


@routes.post("/api/v1/calendars/changes", action="propose_calendar", body=ChangeIn, out=Change, status=201)
async def propose_change(ask: Ask[ChangeIn]) -> Change:
    """Propose an exception, its end, or a year's notice; another person decides"""
    given = ask.body.change
    if isinstance(given, YearIn):
        _check_year(given)
        place, day = "", date(given.year, 1, 1)
        what = given.model_dump(mode="json", exclude={"kind"})
    else:
        place, day = _place(given.place).code, given.day
        if place == HOTLINE:
            raise Problem(409, "never_closes", "12345 全天候服务，不设例外", "12345 never closes; it has no exceptions")
        what = {}
        if isinstance(given, SpecialIn):
            spans = [(minutes(span.start), minutes(span.end)) for span in given.spans]
            if not check_spans(spans):
                fault = {"change.special.spans": "须按先后且不重叠 / must be in order and not overlap"}
                raise Problem(409, "bad_hours", "时段不正确", "The hours are not right", fault)
            what = {"spans": spans, "zh": given.zh, "en": given.en}
    async with ask.app[ENGINE].begin() as connection:
        row = await queries.propose(connection, given.kind, place, day, what, ask.user.login)
        told = {"id": row.id, "kind": given.kind, "place": place, "day": day.isoformat(), **what}
        await write_audit(connection, ask.user.id, "propose_calendar", told)
    return _change(row)


@routes.post(
    "/api/v1/calendars/changes/{id}/decision", action="approve_calendar", path=ChangePath, body=Decision, out=Change
)
async def decide_change(ask: Ask[Decision, None, ChangePath]) -> Change:
    """Approve or refuse what another person has proposed; approved, it is in force at once"""
    return await _decide(ask, ask.path.id, ask.body.state, "approve_calendar")


@routes.delete("/api/v1/calendars/changes/{id}", action="propose_calendar", path=ChangePath, out=Change)
async def withdraw_change(ask: Ask[None, None, ChangePath]) -> Change:
    """Take back one's own proposal"""
    return await _decide(ask, ask.path.id, "withdrawn", "propose_calendar")


async def _decide(ask: Ask[Any, Any, Any], number: int, state: queries.State, act: str) -> Change:
    async with ask.app[ENGINE].begin() as connection:
        row = await queries.decide(connection, number, state, ask.user.login)
        if row is None:
            found = await queries.change(connection, number)
            if found is None:
                raise Problem(404, "no_change", "没有此变更", "There is no such change")
            if found.state == "proposed":
                check_second(found.proposed_by, ask.user.login, withdraws=state == "withdrawn")
            raise Problem(409, "decided", "此变更已有结论", "This change has been decided")
        await write_audit(connection, ask.user.id, act, {"id": number, "state": state, "proposed_by": row.proposed_by})
    return _change(row)


def _today(ask: Ask[Any, Any, Any], at: datetime) -> date:
    return at.astimezone(ask.app[SETTINGS].zone).date()


async def _known(
    ask: Ask[Any, Any, Any], first: date, place: str | None = None
) -> tuple[WorkingDays, Mapping[str, Mapping[date, SpecialDay]]]:
    """Working days, and exceptions from a day on."""
    zone = ask.app[SETTINGS].zone

    async def read() -> tuple[WorkingDays, Mapping[str, Mapping[date, SpecialDay]]]:
        async with ask.app[ENGINE].connect() as connection:
            special = await queries.special_days(connection, first, place)
            return await queries.days(connection, zone), special

    return await within(SILENCE_SECONDS, read())


def _place(code: str) -> Place:
    place = PLACES.get(code)
    if place is None:
        raise Problem(404, "no_place", "没有此服务点", "There is no such place")
    return place


def _open(
    place: Place, days: WorkingDays, special: Mapping[date, SpecialDay], at: datetime, need: Need = WALK_IN
) -> OpenNow:
    answer = is_open(place.calendar(special), days, at, need)
    today = special.get(days.today(at))
    return OpenNow(
        code=place.code,
        at=at,
        open=answer.open,
        why=answer.why,
        until=answer.until,
        next_opening=None if answer.open else answer.until,
        provisional=answer.provisional,
        special=Why(zh=today.zh, en=today.en) if today else None,
    )


def _row(place: Place, days: WorkingDays, special: Mapping[date, SpecialDay], at: datetime) -> PlaceRow:
    return PlaceRow(
        **dict(_open(place, days, special, at)),
        kind=place.kind,
        zh=place.zh,
        en=place.en,
        department=place.department,
        today=_stretches(spans_of(place.calendar(special), days, days.today(at))),
    )


def _day(place: Place, days: WorkingDays, special: Mapping[date, SpecialDay], day: date) -> DayRow:
    holiday, exception = days.holiday(day), special.get(day)
    return DayRow(
        day=day,
        working=days.works(day),
        made_up=day in days.made_up,
        provisional=not days.settled(day),
        holiday=Why(zh=holiday.zh, en=holiday.en) if holiday else None,
        special=Why(zh=exception.zh, en=exception.en) if exception else None,
        spans=_stretches(spans_of(place.calendar(special), days, day)),
    )


def _stretches(spans: list[Span]) -> list[Stretch]:
    return [
        Stretch(start=clock(span.start), end=clock(span.end), booked=span.booked, domains=sorted(span.domains))
        for span in spans
    ]


def _change(row: Row[Any]) -> Change:
    return Change(**{name: getattr(row, name) for name in Change.model_fields})


def _check_year(given: YearIn) -> None:
    """A notice names days of its year, or of the end of the one before; only weekends are made up."""
    faults: dict[str, str] = {}
    first, last = date(given.year - 1, 12, 20), date(given.year, 12, 31)
    for name, listed in (("off", given.off), ("made_up", given.made_up)):
        if len(set(listed)) != len(listed) or not all(first <= day <= last for day in listed):
            faults[f"change.year.{name}"] = "日期重复或不属于该年 / a day is twice or not of this year"
    if any(day.weekday() < 5 for day in given.made_up):
        faults["change.year.made_up"] = "补班只能是周六、周日 / only Saturdays and Sundays are made up"
    if set(given.off) & set(given.made_up):
        faults["change.year.off"] = "同一天不能既放假又补班 / a day cannot be both off and made up"
    if faults:
        raise Problem(409, "bad_notice", "放假安排不正确", "The notice is not right", faults)
