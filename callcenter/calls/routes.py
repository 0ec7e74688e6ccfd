"""The ledger of calls for the pages. Numbers are masked; an operator sees the calls that rang them."""

from typing import Annotated, Final, Literal, Self

from aiohttp import web
from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, READING, SETTINGS, Ask, Day, Model, Moment, Problem, Routes
from callcenter.calls import queries
from callcenter.calls.numbers import blind_index
from callcenter.calls.recorder import Recent, Recorder
from callcenter.clock import now
from callcenter.log import mask
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.store.pages import Cursor, Limit, cursor, day_bounds

routes = Routes("calls")

RECORDER: Final = web.AppKey("RECORDER", Recorder)

#: Node and Uniqueid of the citizen's channel.
CallId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,7}-[0-9]{1,12}\.[0-9]{1,10}$")]
Word = Annotated[str, Field(pattern=r"^[a-z_]{1,30}$")]


class CallPath(Model):
    call_id: CallId


class CallsQuery(Model):
    """`number` finds exactly this number; `outcome` may be `open`."""

    day: Day | None = None
    outcome: (
        Literal[
            "open",
            "answered",
            "abandoned_greeting",
            "abandoned_queue",
            "abandoned_ringing",
            "timed_out",
            "nobody_on_duty",
            "refused",
            "interrupted",
            "callback",
            "not_reached",
            "unknown_gap",
        ]
        | None
    ) = None
    service: Word | None = None
    seat: Annotated[str, Field(pattern=r"^[0-9]{3,6}$")] | None = None
    number: Annotated[str, Field(pattern=r"^\+?[0-9 -]{3,32}$", max_length=33)] | None = None
    limit: Limit = 50
    before: Cursor | None = None


class OrderMark(Model):
    code: str
    state: str


class CallRecord(Model):
    """A call as the ledger has it; `number` is masked."""

    id: str
    number: str
    dialed: str
    service: str
    language: str
    menu: str
    queue: str | None
    arrived_at: Moment
    queued_at: Moment | None
    answered_at: Moment | None
    ended_at: Moment | None
    wait_ms: int | None
    wait_from_invite_ms: int | None
    talk_ms: int | None
    held_ms: int
    outcome: str | None
    ended_by: str | None
    seat: str | None
    login: str | None
    late: bool
    direction: str
    origin: str | None
    priority: str
    order: OrderMark | None
    source: str

    @classmethod
    def of(cls, row: RowMapping, **more: object) -> Self:
        """From a row of queries.find_calls."""
        fields = {name: row[name] for name in CallRecord.model_fields if name != "order"}
        mark = OrderMark(code=row["order_code"], state=row["order_state"]) if row["order_code"] else None
        return cls(**fields | {"number": mask(row["number"]) if row["number"] else "", "order": mark} | more)


class Segment(Model):
    seat: str
    login: str
    queue: str
    rung_at: Moment
    answered_at: Moment | None
    ended_at: Moment | None
    how: str | None
    talk_ms: int | None
    why: str
    kind: str
    line: str


class Recording(Model):
    """What is told of a recording; hearing it is another matter. `gap` is missing or short, by `gap_ms`."""

    recorded_at: Moment
    length_ms: int
    gap: str | None
    gap_ms: int | None
    hold: str | None
    deleted_at: Moment | None


class Survey(Model):
    """What the citizen answered after the talk (满意度评价); None: asked, and no answer."""

    asked_at: Moment
    solved: str | None
    satisfied: str | None


class GuardAct(Model):
    """What the guard of the 15 seconds did; `seat` is where it ended a wrap-up."""

    act: str
    at: Moment
    seat: str


class CallDetail(CallRecord):
    segments: list[Segment]
    recording: Recording | None
    survey: Survey | None
    guard: list[GuardAct]


class SurveyFigures(Model):
    """Today's answers. `yes` and `no`: solved or not; the other three: how satisfied."""

    answered: int
    asked: int
    rated: int
    yes: int
    no: int
    satisfied: int
    basically: int
    dissatisfied: int


class CallPage(Model):
    items: list[CallRecord]
    next: str | None


@routes.get("/api/v1/calls", action="see_calls", query=CallsQuery, out=CallPage)
async def list_calls(ask: Ask[None, CallsQuery]) -> CallPage:
    """Calls, newest first."""
    query, settings = ask.query, ask.app[SETTINGS]
    key = blind_index(settings.number_key.get_secret_value().encode(), query.number) if query.number else None
    if query.number and key is None:
        return CallPage(items=[], next=None)

    async def find(engine: AsyncEngine) -> queries.Found:
        async with engine.connect() as connection:
            return await queries.find_calls(
                connection,
                limit=query.limit,
                before=query.before,
                between=day_bounds(query.day, settings.zone) if query.day else None,
                outcome=query.outcome,
                service=query.service,
                seat=query.seat,
                number_key=key,
                login=None if ask.user.may("see_all_calls") else ask.user.login,
                person=ask.user,
            )

    found = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    last = found[-1] if len(found) == query.limit else None
    return CallPage(
        items=[CallRecord.of(row) for row in found],
        next=cursor(last["arrived_at"], last["id"]) if last else None,
    )


@routes.get("/api/v1/calls/{call_id}", action="see_calls", path=CallPath, out=CallDetail)
async def show_call(ask: Ask[None, None, CallPath]) -> CallDetail:
    """One call with its segments."""

    async def find(engine: AsyncEngine) -> tuple[RowMapping | None, queries.Found, RowMapping | None, queries.Found]:
        async with engine.connect() as connection:
            call = await queries.find_call(connection, ask.path.call_id, ask.user)
            recording = await queries.find_recording(connection, ask.path.call_id)
            rings = await queries.find_segments(connection, ask.path.call_id)
            return call, rings, recording, await queries.find_guard_acts(connection, ask.path.call_id)

    call, rings, recording, acts = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    if call is None or not (ask.user.may("see_all_calls") or any(ring["login"] == ask.user.login for ring in rings)):
        raise no_call()
    segments = [Segment(**{name: ring[name] for name in Segment.model_fields}) for ring in rings]
    asked_at = call["surveyed_at"]
    return CallDetail.of(
        call,
        segments=segments,
        recording=Recording(**recording) if recording else None,
        survey=Survey(asked_at=asked_at, solved=call["solved"], satisfied=call["satisfied"]) if asked_at else None,
        guard=[GuardAct(act=act["act"], at=act["at"], seat=act["seat"]) for act in acts],
    )


@routes.get("/api/v1/surveys/today", action="see_all_calls", out=SurveyFigures)
async def surveys_today(ask: Ask) -> SurveyFigures:
    """How today's callers rated their calls (满意度评价)."""
    zone = ask.app[SETTINGS].zone

    async def find(engine: AsyncEngine) -> RowMapping:
        async with engine.connect() as connection:
            return await queries.survey_figures(connection, day_bounds(now().astimezone(zone).date(), zone))

    return SurveyFigures(**await within(SILENCE_SECONDS, find(ask.app[ENGINE])))


async def recent_call(app: web.Application, call_id: str) -> Recent:
    """Who was rung for a call, and its number's key: from memory, else from Postgres.

    Raises DatabaseAway when only Postgres could know.
    """
    if remembered := app[RECORDER].recent(call_id):
        return remembered

    async def find(engine: AsyncEngine) -> Recent:
        async with engine.connect() as connection:
            return Recent(
                await queries.find_parties(connection, call_id), await queries.number_key_of(connection, call_id)
            )

    return await within(SILENCE_SECONDS, find(app[READING]))


def no_call() -> Problem:
    """The answer for a call that is not there, or not theirs: nobody learns which."""
    return Problem(404, "no_call", "没有此通话", "There is no such call")
