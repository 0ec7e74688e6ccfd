"""Quality review (质检) for the pages: drawing calls, grading them, the agent's own grades and the appeal.

A supervisor or an inspector sees what is in the sample, and nothing else of the ledger by this way; an agent sees the
own grades only. Somebody else's review is answered as if it were not there.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.api import ENGINE, SETTINGS, WHOLE, Ask, Day, Model, Moment, Problem, Routes
from callcenter.calls.queries import find_call, find_recording, find_segments
from callcenter.calls.routes import CallId, Recording, Segment, Survey
from callcenter.clock import now
from callcenter.log import mask
from callcenter.people.permissions import ACTIONS, Person, may
from callcenter.people.queries import write_audit
from callcenter.quality import queries
from callcenter.quality.flow import (
    Pick,
    Refused,
    Review,
    Reviewer,
    State,
    advance,
    appeal_ends,
    assign,
    differences,
    draw,
    grade,
    lot,
    may_review,
    week_of,
)
from callcenter.quality.form import SCALES, Code, Form, Sampling
from callcenter.store.pages import day_bounds

routes = Routes("quality")

LONGEST_NOTE: Final = 2000
#: What all points of a form that is made from now on add up to.
WHOLE_FORM: Final = 100
_TEXT: Final = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]*$"
Note = Annotated[str, Field(max_length=LONGEST_NOTE, pattern=_TEXT)]
Reason = Annotated[str, Field(min_length=1, max_length=LONGEST_NOTE, pattern=_TEXT)]
Version = Annotated[int, Field(ge=0, le=1_000_000), WHOLE]
LoginName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9._-]{1,31}$")]
#: A small whole number that a query or a path carries as text.
Number = Annotated[str, Field(pattern=r"^[0-9]{1,12}$")]


class Answer(Model):
    """What was found on one item: an answer of its scale."""

    item: Code
    answer: Annotated[str, Field(pattern=r"^[a-z]{1,10}$")]

    @classmethod
    def all(cls, answers: Mapping[str, str]) -> list[Self]:
        return [cls(item=item, answer=answer) for item, answer in answers.items()]


Answers = Annotated[list[Answer], Field(max_length=400)]


class VersionedForm(Model):
    """A form and the number of its version."""

    version: int
    form: Form


class Forms(Model):
    """The newest version of each form. `scales`: what each answer of a scale is worth in percent; null: not counted."""

    items: list[VersionedForm]
    scales: dict[str, dict[str, int | None]]


class FormIn(Model):
    """`after` is the version that was seen last, 0 for a new form."""

    form: Form
    after: Version


class VersionedRule(Model):
    version: int
    rule: Sampling


class RuleIn(Model):
    rule: Sampling
    after: Version


class WeekPath(Model):
    """Any day of the week."""

    week: Day


class Drawn(Model):
    """What a draw added. `unassigned`: nobody who may review it is there."""

    week: date
    candidates: int
    drawn: int
    unassigned: int


class Lot(Model):
    """One call that was drawn: by which stratum, as which lot, out of how many."""

    login: str
    call_id: str
    stratum: str
    lot: str
    pool: int


class Week(Model):
    """How a week was drawn, so that anybody can draw it again: a call's lot is the SHA-256 of seed, call and agent."""

    week: date
    seed: str | None
    rule: VersionedRule
    picks: list[Lot]


class ReviewPath(Model):
    number: Number


class ReviewsQuery(Model):
    """`mine`: those given to me, and those that nobody has."""

    state: Literal["todo", "graded", "appealed", "upheld", "changed"] | None = None
    mine: Literal["true", "false"] = "false"


class ReviewRow(Model):
    """A review in a list. `satisfied` and the call's facts are null when nobody knows."""

    id: int
    week: date
    call_id: str
    login: str
    stratum: str
    calibration: bool
    reviewer: str | None
    state: str
    arrived_at: Moment | None
    service: str | None
    talk_ms: int
    score: float | None
    fatal: list[str]
    grader: str | None
    graded_at: Moment | None
    appeal_until: Moment | None

    @classmethod
    def of(cls, row: RowMapping, appeal_days: int, **more: object) -> Self:
        """From a row of queries.list_reviews."""
        named = ("score", "fatal", "appeal_until")
        fields = {name: row[name] for name in ReviewRow.model_fields if name not in named}
        ends = appeal_ends(_known(row, frozenset(), []), appeal_days)
        score = None if row["score"] is None else float(row["score"])
        return cls(**fields | {"score": score, "fatal": row["fatal"] or [], "appeal_until": ends} | more)


class Name(Model):
    """What a login is called."""

    login: str
    name_zh: str
    name_en: str


class Reviews(Model):
    """`people`: everyone whose login is among the rows."""

    items: list[ReviewRow]
    people: list[Name]


class GradeOut(Model):
    """A grade (评分). `weighted` is what it would be without critical items."""

    n: int
    form: str
    form_version: int
    answers: list[Answer]
    note: str
    score: float
    weighted: float
    fatal: list[str]
    grader: str
    at: Moment


class Event(Model):
    at: Moment
    who: str
    event: str
    note: str


class ReviewedCall(Model):
    """The call under review; the number is masked."""

    id: str
    number: str
    dialed: str
    service: str
    language: str
    arrived_at: Moment
    answered_at: Moment | None
    ended_at: Moment | None
    wait_ms: int | None
    talk_ms: int | None
    held_ms: int
    ended_by: str | None
    outcome: str | None
    segments: list[Segment]
    recording: Recording | None
    survey: Survey | None


class ReviewedOrder(Model):
    """The order that came of it, without who it came from."""

    code: str
    state: str
    kind: str
    category: str
    urgency: str
    subject: str
    description: str
    created_by: str
    confidential: bool


class ReviewOut(ReviewRow):
    """A review with all that is needed to grade it; `form` is the one it was graded on, or the first of `forms`.

    `forms`: those on which it may be graded. `may`: what the person who asks may do with it now.
    """

    call: ReviewedCall | None
    order: ReviewedOrder | None
    form: VersionedForm
    forms: list[VersionedForm]
    grades: list[GradeOut]
    history: list[Event]
    people: list[Name]
    may: list[Literal["take", "grade", "appeal", "decide"]]


class GradeIn(Model):
    form: Code
    version: Annotated[int, Field(ge=1, le=1_000_000), WHOLE]
    answers: Answers
    note: Note = ""


class AppealIn(Model):
    note: Reason


class DecisionIn(Model):
    """`answers` are those that stand from now on, needed to change a grade and given only then."""

    decision: Literal["uphold", "change"]
    note: Reason
    answers: Answers | None = None


class CalibrationIn(Model):
    """`login` is the agent whose part in the call is graded."""

    call_id: CallId
    login: LoginName
    reviewers: Annotated[list[LoginName], Field(min_length=2, max_length=6)]


class Blind(Model):
    """What one of several graders found. Empty until all have graded."""

    reviewer: str
    graded: bool
    score: float | None
    fatal: list[str]
    answers: list[Answer]


class Calibration(Model):
    """One call graded by several, each without seeing the others' grades (校准)."""

    call_id: str
    login: str
    week: date
    at: Moment
    graders: list[Blind]
    spread: float | None
    differ: list[str]
    form: VersionedForm | None


class Calibrations(Model):
    items: list[Calibration]
    people: list[Name]


class Graders(Model):
    """Who may be asked to review."""

    items: list[Name]


class ResultsQuery(Model):
    """The last `weeks` weeks, this one too; `login` for the items of one agent."""

    weeks: Annotated[int, Field(ge=1, le=52)] = 8
    login: LoginName | None = None


class WeekScore(Model):
    login: str
    week: date
    graded: int
    score: float
    fatal: int


class ItemScore(Model):
    """An item's mean in a week, in percent of what it can be worth; `n` grades in which it applied."""

    item: str
    week: date
    share: float
    n: int


class Results(Model):
    weeks: list[date]
    agents: list[WeekScore]
    people: list[Name]
    form: VersionedForm
    items: list[ItemScore]


# --- forms and rule ---------------------------------------------------------------------------------------------------


@routes.get("/api/v1/quality/forms", action="grade_calls", out=Forms)
async def list_forms(ask: Ask) -> Forms:
    """The grading forms."""
    async with ask.app[ENGINE].connect() as connection:
        found = await queries.newest_forms(connection)
    return Forms(items=[VersionedForm(version=version, form=form) for version, form in found], scales=SCALES)


@routes.post("/api/v1/quality/forms", action="edit_grade_forms", body=FormIn, out=VersionedForm, status=201)
async def add_form(ask: Ask[FormIn]) -> VersionedForm:
    """A new form, or the next version of one, by which it may be retired; grades that were given keep theirs."""
    form, after = ask.body.form, ask.body.after
    if (points := sum(item.weight for item in form.items)) != WHOLE_FORM:
        raise Problem(
            422,
            "not_valid",
            f"各项分值合计须为 {WHOLE_FORM}，现为 {points}",
            f"All points must add up to {WHOLE_FORM}; they are {points}",
            {"form.sections": f"合计 / in all {points}"},
        )
    async with ask.app[ENGINE].begin() as connection:
        if not await queries.add_form(connection, form, after, ask.user.login, now()):
            raise _newer()
        if not await queries.forms_in_use(connection):
            raise Problem(409, "last_form", "至少须保留一张在用的质检表", "One form at least must stay in use")
        what = {"form": form.code, "version": after + 1, "retired": form.retired}
        await write_audit(connection, ask.user.id, "add_quality_form", what)
    return VersionedForm(version=after + 1, form=form)


@routes.get("/api/v1/quality/rule", action="grade_calls", out=VersionedRule)
async def show_rule(ask: Ask) -> VersionedRule:
    """How many calls are drawn, and of which kinds."""
    async with ask.app[ENGINE].connect() as connection:
        version, rule = await queries.newest_rule(connection)
    return VersionedRule(version=version, rule=rule)


@routes.post("/api/v1/quality/rule", action="edit_grade_forms", body=RuleIn, out=VersionedRule, status=201)
async def change_rule(ask: Ask[RuleIn]) -> VersionedRule:
    """The next version of the sampling rule; weeks that were drawn keep theirs."""
    async with ask.app[ENGINE].begin() as connection:
        if not await queries.add_rule(connection, ask.body.rule, ask.body.after, ask.user.login, now()):
            raise _newer()
        what = {"version": ask.body.after + 1, **ask.body.rule.model_dump()}
        await write_audit(connection, ask.user.id, "change_sampling", what)
    return VersionedRule(version=ask.body.after + 1, rule=ask.body.rule)


# --- drawing ----------------------------------------------------------------------------------------------------------


@routes.post("/api/v1/quality/weeks/{week}/draw", action="draw_samples", path=WeekPath, out=Drawn)
async def draw_week(ask: Ask[None, None, WeekPath]) -> Drawn:
    """Draw a week's calls for review; what was drawn before stays, and counts."""
    monday, at = week_of(ask.path.week), now()
    if monday > week_of(at.astimezone(ask.app[SETTINGS].zone).date()):
        raise Problem(422, "week_to_come", "该周尚未开始", "That week has not begun")
    async with ask.app[ENGINE].begin() as connection:
        week = await queries.open_week(connection, monday, secrets.token_hex(16), ask.user.login, at)
        drawn = {(row["call_id"], row["login"]): row["stratum"] for row in await queries.drawn(connection, monday)}
        candidates = await queries.candidates(connection, _bounds(ask, monday))
        picks = draw(
            candidates,
            Sampling.model_validate(week["body"]),
            week["seed"],
            drawn=drawn,
            confidential=ask.user.may("grade_confidential"),
        )
        given = assign(picks, await _reviewers(connection), await queries.load(connection))
        made = await queries.add_reviews(connection, monday, given, ask.user.login, at)
        await write_audit(connection, ask.user.id, "draw_samples", {"week": monday.isoformat(), "drawn": len(made)})
    unassigned = sum(reviewer is None for _, reviewer in given)
    return Drawn(week=monday, candidates=len(candidates), drawn=len(made), unassigned=unassigned)


@routes.get("/api/v1/quality/weeks/{week}", action="draw_samples", path=WeekPath, out=Week)
async def show_week(ask: Ask[None, None, WeekPath]) -> Week:
    """How a week was drawn: seed, rule, and each call's lot."""
    monday = week_of(ask.path.week)
    async with ask.app[ENGINE].connect() as connection:
        week = await queries.week(connection, monday)
        picks = await queries.drawn(connection, monday)
        version, rule = await queries.newest_rule(connection)
    if week is not None:
        version, rule = week["rule"], Sampling.model_validate(week["body"])
    return Week(
        week=monday,
        seed=week["seed"] if week else None,
        rule=VersionedRule(version=version, rule=rule),
        picks=[Lot(**{name: row[name] for name in Lot.model_fields}) for row in picks],
    )


# --- grading ----------------------------------------------------------------------------------------------------------


@routes.get("/api/v1/quality/reviews", action="grade_calls", query=ReviewsQuery, out=Reviews)
async def list_reviews(ask: Ask[None, ReviewsQuery]) -> Reviews:
    """Reviews, newest first; none about the person who asks."""
    async with ask.app[ENGINE].connect() as connection:
        _, rule = await queries.newest_rule(connection)
        rows = await queries.list_reviews(
            connection,
            state=ask.query.state,
            reviewer=ask.user.login if ask.query.mine == "true" else None,
            without=ask.user.login,
            confidential=ask.user.may("grade_confidential"),
        )
        # Of a calibration everyone sees the own part only; the whole of it is shown when all have graded.
        shown = [row for row in rows if not row["calibration"] or row["reviewer"] == ask.user.login]
        return await _listed(connection, shown, rule)


@routes.get("/api/v1/quality/reviews/{number}", action="grade_calls", path=ReviewPath, out=ReviewOut)
async def show_review(ask: Ask[None, None, ReviewPath]) -> ReviewOut:
    """One review: the call, its order, the form, and what was decided."""
    async with ask.app[ENGINE].connect() as connection:
        found, known = await _review(connection, ask.user, int(ask.path.number))
        return await _told(connection, ask.user, found, known)


@routes.post("/api/v1/quality/reviews/{number}/take", action="grade_calls", path=ReviewPath, out=ReviewOut)
async def take_review(ask: Ask[None, None, ReviewPath]) -> ReviewOut:
    """Do a review in somebody else's place."""
    number = int(ask.path.number)
    async with ask.app[ENGINE].begin() as connection:
        found, known = await _review(connection, ask.user, number, hold=True)
        if known.state is not State.TODO or known.calibration:
            raise Problem(409, "not_now", "质检单当前状态不允许此操作", "The review's state does not allow this")
        await queries.take(connection, number, ask.user.login, now())
        what = {"review": number, "from": known.reviewer}
        await write_audit(connection, ask.user.id, "take_review", what)
        found, known = await _review(connection, ask.user, number)
        return await _told(connection, ask.user, found, known)


@routes.post(
    "/api/v1/quality/reviews/{number}/grade", action="grade_calls", path=ReviewPath, body=GradeIn, out=ReviewOut
)
async def grade_review(ask: Ask[GradeIn, None, ReviewPath]) -> ReviewOut:
    """Grade a call, once and for all."""
    number, given, at = int(ask.path.number), ask.body, now()
    async with ask.app[ENGINE].begin() as connection:
        found, known = await _review(connection, ask.user, number, hold=True)
        _, rule = await queries.newest_rule(connection)
        to = _advance(known, "grade", ask.user, rule)
        form = await queries.form_of(connection, given.form, given.version)
        if form is None or form.code not in {each.code for _, each in await _offered(connection, known)}:
            raise Problem(
                422, "no_such_form", "没有此质检表版本，或已停用", "No such version of a form, or it is retired"
            )
        await queries.keep_first_form(connection, at)
        await _give(connection, number, form, given.version, given.answers, given.note, ask.user, at)
        await queries.move(connection, number, known.state, to, ask.user.login, "grade", at)
        await write_audit(connection, ask.user.id, "grade_call", {"review": number})
        found, known = await _review(connection, ask.user, number)
        return await _told(connection, ask.user, found, known)


@routes.post(
    "/api/v1/quality/reviews/{number}/decision",
    action="decide_grade_appeal",
    path=ReviewPath,
    body=DecisionIn,
    out=ReviewOut,
)
async def decide_appeal(ask: Ask[DecisionIn, None, ReviewPath]) -> ReviewOut:
    """Decide on an appeal: the grade stands, or a new one follows it."""
    number, given, at = int(ask.path.number), ask.body, now()
    if (given.answers is not None) != (given.decision == "change"):
        field = {"answers": "改判须重新评分，维持则不须 / needed to change a grade, and only then"}
        raise Problem(422, "not_valid", "有字段不正确", "Some fields are not right", field)
    async with ask.app[ENGINE].begin() as connection:
        found, known = await _review(connection, ask.user, number, hold=True)
        _, rule = await queries.newest_rule(connection)
        to = _advance(known, given.decision, ask.user, rule)
        if given.answers is not None:
            last = (await queries.grades_of(connection, number))[-1]
            form = await queries.form_of(connection, last["form"], last["form_version"])
            assert form is not None
            version = last["form_version"]
            await _give(connection, number, form, version, given.answers, given.note, ask.user, at)
        await queries.move(connection, number, known.state, to, ask.user.login, given.decision, at, given.note)
        what = {"review": number, "decision": given.decision}
        await write_audit(connection, ask.user.id, "decide_grade_appeal", what)
        found, known = await _review(connection, ask.user, number)
        return await _told(connection, ask.user, found, known)


# --- the agent's own --------------------------------------------------------------------------------------------------


@routes.get("/api/v1/quality/mine", action="see_own_grades", out=Reviews)
async def list_mine(ask: Ask) -> Reviews:
    """One's own grades, newest first."""
    async with ask.app[ENGINE].connect() as connection:
        _, rule = await queries.newest_rule(connection)
        rows = await queries.list_reviews(connection, login=ask.user.login, calibration=False, confidential=True)
        return await _listed(connection, [row for row in rows if row["state"] != State.TODO.value], rule)


@routes.get("/api/v1/quality/mine/{number}", action="see_own_grades", path=ReviewPath, out=ReviewOut)
async def show_mine(ask: Ask[None, None, ReviewPath]) -> ReviewOut:
    """One of one's own grades, with the form it was made on."""
    async with ask.app[ENGINE].connect() as connection:
        found, known = await _mine(connection, ask.user, int(ask.path.number))
        return await _told(connection, ask.user, found, known)


@routes.post(
    "/api/v1/quality/mine/{number}/appeal", action="appeal_grade", path=ReviewPath, body=AppealIn, out=ReviewOut
)
async def appeal(ask: Ask[AppealIn, None, ReviewPath]) -> ReviewOut:
    """Object to a grade (申诉); another person than the grader decides."""
    number, at = int(ask.path.number), now()
    async with ask.app[ENGINE].begin() as connection:
        found, known = await _mine(connection, ask.user, number, hold=True)
        _, rule = await queries.newest_rule(connection)
        to = _advance(known, "appeal", ask.user, rule)
        await queries.move(connection, number, known.state, to, ask.user.login, "appeal", at, ask.body.note)
        await write_audit(connection, ask.user.id, "appeal_grade", {"review": number})
        found, known = await _mine(connection, ask.user, number)
        return await _told(connection, ask.user, found, known)


# --- calibration and results ------------------------------------------------------------------------------------------


@routes.get("/api/v1/quality/graders", action="draw_samples", out=Graders)
async def list_graders(ask: Ask) -> Graders:
    """Who may be asked to review."""
    async with ask.app[ENGINE].connect() as connection:
        return Graders(items=await _names(connection, {each.login for each in await _reviewers(connection)}))


@routes.post("/api/v1/quality/calibrations", action="draw_samples", body=CalibrationIn, out=Drawn, status=201)
async def calibrate(ask: Ask[CalibrationIn]) -> Drawn:
    """Let several grade the same call, each without seeing the others' grades (校准)."""
    given, at = ask.body, now()
    async with ask.app[ENGINE].begin() as connection:
        call = await queries.candidate(connection, given.call_id, given.login)
        row = await find_call(connection, given.call_id)
        if call is None or row is None or (call.confidential and not ask.user.may("grade_confidential")):
            raise Problem(404, "no_call", "没有此通话", "There is no such call")
        able = {each.login for each in await _reviewers(connection) if may_review(each, call)}
        if unable := sorted(set(given.reviewers) - able) or len(set(given.reviewers)) < len(given.reviewers):
            raise Problem(
                422,
                "not_valid",
                "质检人有误：须各不相同，有权限，且未参与该通话",
                "Reviewers must be different, allowed to review, and not have talked in the call",
                {"reviewers": ", ".join(unable) if isinstance(unable, list) else "重复 / twice"},
            )
        monday = week_of(row["arrived_at"].astimezone(ask.app[SETTINGS].zone).date())
        await queries.open_week(connection, monday, secrets.token_hex(16), ask.user.login, at)
        pick = Pick(call, "calibration", lot("", call.call_id, call.login), 1)
        picks = [(pick, reviewer) for reviewer in given.reviewers]
        made = await queries.add_reviews(connection, monday, picks, ask.user.login, at, calibration=True)
        await write_audit(connection, ask.user.id, "calibrate", given.model_dump())
    return Drawn(week=monday, candidates=1, drawn=len(made), unassigned=0)


@routes.get("/api/v1/quality/calibrations", action="grade_calls", out=Calibrations)
async def list_calibrations(ask: Ask) -> Calibrations:
    """Calls that several graded, newest first, and where they differ once all have graded."""
    async with ask.app[ENGINE].connect() as connection:
        rows = await queries.list_reviews(
            connection,
            without=ask.user.login,
            calibration=True,
            confidential=ask.user.may("grade_confidential"),
        )
        together: dict[tuple[str, str], list[RowMapping]] = {}
        for row in rows:
            together.setdefault((row["call_id"], row["login"]), []).append(row)
        return Calibrations(
            items=[await _compared(connection, group) for group in together.values()],
            people=await _names(connection, {row[name] for row in rows for name in ("login", "reviewer")}),
        )


@routes.get("/api/v1/quality/results", action="see_grades", query=ResultsQuery, out=Results)
async def show_results(ask: Ask[None, ResultsQuery]) -> Results:
    """Scores by agent and by item, week by week."""
    this = week_of(now().astimezone(ask.app[SETTINGS].zone).date())
    weeks = [this - timedelta(weeks=back) for back in reversed(range(ask.query.weeks))]
    async with ask.app[ENGINE].connect() as connection:
        version, form = (await queries.forms_in_use(connection))[0]
        agents = await queries.results(connection, weeks[0])
        answers = await queries.answers(connection, weeks[0], ask.query.login)
        people = await _names(connection, {row["login"] for row in agents})
    return Results(
        weeks=weeks,
        agents=[
            WeekScore(
                login=row["login"],
                week=row["week"],
                graded=row["graded"],
                score=round(float(row["score"]), 1),
                fatal=row["fatal"],
            )
            for row in agents
        ],
        people=people,
        form=VersionedForm(version=version, form=form),
        items=_items(form, answers),
    )


def _items(form: Form, answers: queries.Found) -> list[ItemScore]:
    """Each item's mean share, week by week, of the items that the form has now."""
    scales = {item.code: SCALES[item.scale] for item in form.items}
    sums: dict[tuple[str, date], tuple[int, int]] = {}
    for row in answers:
        share = scales.get(row["item"], {}).get(row["answer"]) if row["form"] == form.code else None
        if share is not None:
            worth, n = sums.get((row["item"], row["week"]), (0, 0))
            sums[row["item"], row["week"]] = (worth + share * row["n"], n + row["n"])
    return [
        ItemScore(item=item, week=week, share=round(worth / n, 1), n=n) for (item, week), (worth, n) in sums.items()
    ]


# --- what the routes share --------------------------------------------------------------------------------------------


def _bounds(ask: Ask[Any, Any, Any], monday: date) -> tuple[Any, Any]:
    """First moment of a week in the city's time zone, and of the next."""
    zone = ask.app[SETTINGS].zone
    return day_bounds(monday, zone)[0], day_bounds(monday + timedelta(weeks=1), zone)[0]


async def _names(connection: AsyncConnection, logins: Collection[str | None]) -> list[Name]:
    rows = await queries.names(connection, {login for login in logins if login})
    return [Name(login=row.login, name_zh=row.name_zh, name_en=row.name_en) for row in rows]


async def _listed(connection: AsyncConnection, rows: Sequence[RowMapping], rule: Sampling) -> Reviews:
    return Reviews(
        items=[ReviewRow.of(row, rule.appeal_days) for row in rows],
        people=await _names(connection, {row[name] for row in rows for name in ("login", "reviewer", "grader")}),
    )


async def _reviewers(connection: AsyncConnection) -> list[Reviewer]:
    rows = await queries.people(connection, ACTIONS["grade_calls"])
    return [Reviewer(row.login, may(row.roles, "grade_confidential")) for row in rows]


def _known(row: RowMapping, parties: frozenset[str], grades: queries.Found | list[RowMapping]) -> Review:
    return Review(
        state=State(row["state"]),
        login=row["login"],
        reviewer=row["reviewer"],
        parties=parties,
        graders=frozenset(each["grader"] for each in grades),
        graded_at=row["graded_at"],
        calibration=row["calibration"],
    )


async def _load(connection: AsyncConnection, number: int, hold: bool) -> tuple[RowMapping, Review]:
    row = await queries.review(connection, number, hold=hold)
    if row is None:
        raise _no_review()
    parties = await queries.parties(connection, row["call_id"])
    return row, _known(row, parties, await queries.grades_of(connection, number))


async def _review(
    connection: AsyncConnection, person: Person, number: int, *, hold: bool = False
) -> tuple[RowMapping, Review]:
    """A review for a grader: not about themselves, not confidential without the right, not another's blind one."""
    row, known = await _load(connection, number, hold)
    in_call = person.login == known.login or person.login in known.parties
    blind = known.calibration and known.reviewer != person.login
    if in_call or blind or (row["confidential"] and not person.may("grade_confidential")):
        raise _no_review()
    return row, known


async def _mine(
    connection: AsyncConnection, person: Person, number: int, *, hold: bool = False
) -> tuple[RowMapping, Review]:
    """One's own review, once it is graded."""
    row, known = await _load(connection, number, hold)
    if known.login != person.login or known.calibration or known.state is State.TODO:
        raise _no_review()
    return row, known


def _advance(known: Review, event: str, person: Person, rule: Sampling) -> State:
    try:
        return advance(known, event, who=person.login, now=now(), appeal_days=rule.appeal_days)
    except Refused as refused:
        raise Problem(409, refused.code, refused.zh, refused.en) from refused


async def _give(
    connection: AsyncConnection,
    number: int,
    form: Form,
    version: int,
    given: list[Answer],
    note: str,
    person: Person,
    at: Any,
) -> None:
    answers = {each.item: each.answer for each in given}
    try:
        score = grade(form, answers, note)
    except Refused as refused:
        raise Problem(422, refused.code, refused.zh, refused.en, refused.fields) from refused
    row = {
        "review_id": number,
        "form": form.code,
        "form_version": version,
        "answers": answers,
        "note": note,
        "score": score.score,
        "weighted": score.weighted,
        "fatal": list(score.fatal),
        "grader": person.login,
        "at": at,
    }
    await queries.add_grade(connection, row)


async def _told(connection: AsyncConnection, person: Person, row: RowMapping, known: Review) -> ReviewOut:
    """The review as its reader may see it."""
    number = row["id"]
    grades = await queries.grades_of(connection, number)
    if grades:
        code, version = grades[-1]["form"], grades[-1]["form_version"]
        form = await queries.form_of(connection, code, version)
        assert form is not None
        offered = [(version, form)]
    else:
        offered = await _offered(connection, known)
        version, form = offered[0]
    call = await find_call(connection, row["call_id"])
    order = await queries.order_of(connection, row["call_id"], person)
    history = await queries.history_of(connection, number)
    logins = {row["login"], row["reviewer"], *known.graders, *known.parties, *(each["who"] for each in history)}
    _, rule = await queries.newest_rule(connection)
    return ReviewOut.of(
        row,
        rule.appeal_days,
        call=await _call(connection, call) if call else None,
        order=ReviewedOrder(**{name: order[name] for name in ReviewedOrder.model_fields}) if order else None,
        form=VersionedForm(version=version, form=form),
        forms=[VersionedForm(version=version, form=form) for version, form in offered],
        grades=[_grade(each) for each in grades],
        history=[Event(**{name: each[name] for name in Event.model_fields}) for each in history],
        people=await _names(connection, logins),
        may=[act for act, event in _ACTS if _able(known, act, event, person, rule)],
    )


async def _offered(connection: AsyncConnection, known: Review) -> list[tuple[int, Form]]:
    """The forms on which a review may be graded; several who calibrate do it on one."""
    found = await queries.forms_in_use(connection)
    return found[:1] if known.calibration else found


_ACTS: Final[tuple[tuple[Literal["take", "grade", "appeal", "decide"], str], ...]] = (
    ("take", ""),
    ("grade", "grade"),
    ("appeal", "appeal"),
    ("decide", "uphold"),
)
_NEEDS: Final = {
    "take": "grade_calls",
    "grade": "grade_calls",
    "appeal": "appeal_grade",
    "decide": "decide_grade_appeal",
}


def _able(known: Review, act: str, event: str, person: Person, rule: Sampling) -> bool:
    """What the page offers is what the rules would allow."""
    if not person.may(_NEEDS[act]):
        return False
    if act == "take":
        return known.state is State.TODO and not known.calibration and known.reviewer != person.login
    try:
        advance(known, event, who=person.login, now=now(), appeal_days=rule.appeal_days)
    except Refused:
        return False
    return True


async def _call(connection: AsyncConnection, row: RowMapping) -> ReviewedCall:
    more = ("segments", "recording", "survey")
    fields = {name: row[name] for name in ReviewedCall.model_fields if name not in more}
    segments = await find_segments(connection, row["id"])
    recording = await find_recording(connection, row["id"])
    asked_at = row["surveyed_at"]
    return ReviewedCall(
        **fields | {"number": mask(row["number"]) if row["number"] else ""},
        segments=[Segment(**{name: each[name] for name in Segment.model_fields}) for each in segments],
        recording=Recording(**recording) if recording else None,
        survey=Survey(asked_at=asked_at, solved=row["solved"], satisfied=row["satisfied"]) if asked_at else None,
    )


def _grade(row: RowMapping) -> GradeOut:
    fields = {name: row[name] for name in GradeOut.model_fields}
    marks = {"score": float(row["score"]), "weighted": float(row["weighted"])}
    return GradeOut(**fields | marks | {"answers": Answer.all(row["answers"])})


async def _compared(connection: AsyncConnection, group: list[RowMapping]) -> Calibration:
    """A calibration; what the graders found is shown when all have graded."""
    over = all(row["state"] != State.TODO.value for row in group)
    found = [(await queries.grades_of(connection, row["id"]))[0] for row in group] if over else []
    form: Form | None = None
    differ: list[str] = []
    version = 0
    if found:
        version = found[0]["form_version"]
        form = await queries.form_of(connection, found[0]["form"], version)
    if form is not None:
        items = {code for other in found[1:] for code in differences(form, found[0]["answers"], other["answers"])}
        differ = [item.code for item in form.items if item.code in items]
    graders = [
        Blind(
            reviewer=row["reviewer"],
            graded=row["state"] != State.TODO.value,
            score=float(found[n]["score"]) if found else None,
            fatal=found[n]["fatal"] if found else [],
            answers=Answer.all(found[n]["answers"]) if found else [],
        )
        for n, row in enumerate(group)
    ]
    scores = [each.score for each in graders if each.score is not None]
    return Calibration(
        call_id=group[0]["call_id"],
        login=group[0]["login"],
        week=group[0]["week"],
        at=group[0]["at"],
        graders=graders,
        spread=round(max(scores) - min(scores), 1) if scores else None,
        differ=differ,
        form=VersionedForm(version=version, form=form) if form else None,
    )


def _no_review() -> Problem:
    return Problem(404, "no_review", "没有此质检单", "There is no such review")


def _newer() -> Problem:
    return Problem(
        409, "stale_version", "已有更新的版本，请刷新后再改", "There is a newer version; reload and change that"
    )
