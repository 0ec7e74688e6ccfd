"""Questions to experts, their answers, and the roster of who is asked."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.api import ANY_USER, ENGINE, SETTINGS, Ask, Model, Moment, Problem, Routes
from callcenter.calendars.flow import check_spans
from callcenter.calendars.places import minutes, office_hours
from callcenter.calendars.queries import days
from callcenter.calls.routes import CallPath, no_call, recent_call
from callcenter.clock import now
from callcenter.directory.city import CATEGORIES, Clock
from callcenter.experts import queries
from callcenter.experts.flow import field_of, names_somebody, reach
from callcenter.people.queries import write_audit
from callcenter.push.routes import HUB
from callcenter.store.tables import users

routes = Routes("experts")

Category = Annotated[str, Field(pattern=r"^[0-9]{2,8}$")]
Text = Annotated[str, Field(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]*\S[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$")]
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
State = Literal["open", "answered", "withdrawn"]


class DutyHours(Model):
    on: Literal["every_day", "working_day", "saturday"]
    start: Clock
    end: Clock


class ExpertRow(Model):
    """One expert: fields are codes of classes, none for all; `there`: on duty, with the desk open."""

    login: str
    name_zh: str
    name_en: str
    fields: list[str]
    hours: list[DutyHours]
    on_duty: bool
    there: bool


class Experts(Model):
    items: list[ExpertRow]


class Candidate(Model):
    """An account with the role of an expert."""

    login: str
    name_zh: str
    name_en: str


class Candidates(Model):
    items: list[Candidate]


class ExpertIn(Model):
    fields: Annotated[list[Category], Field(max_length=40)]
    hours: Annotated[list[DutyHours], Field(min_length=1, max_length=12)]


class ExpertPath(Model):
    login: Annotated[str, Field(pattern=r"^[a-z][a-z0-9._-]{1,31}$")]


class QuestionIn(Model):
    """A question about a call; `key`: a UUID of the page's choice; `identity`: why the expert must know who calls."""

    key: Key
    call_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]{1,64}$")]
    category: Category
    text: Annotated[Text, Field(min_length=1, max_length=1000)]
    identity: Annotated[Text, Field(min_length=1, max_length=200)] | None = None


class Question(Model):
    """A question and its signed answer. Nothing in it says who called."""

    id: str
    call_id: str
    category: str
    text: str
    identity: str | None
    asked_by: str
    asked_at: Moment
    due_at: Moment
    state: State
    answer: str | None
    answered_by: str | None
    answered_at: Moment | None
    proposed: bool


class Asked(Model):
    """`there`: experts who see it now; none: it is a written question, and the citizen is told `due_at`."""

    question: Question
    there: int
    provisional: bool


class Questions(Model):
    items: list[Question]


class AnswerIn(Model):
    """The answer; `propose` offers it to the knowledge base (入库建议)."""

    text: Annotated[Text, Field(min_length=1, max_length=2000)]
    propose: bool


class QuestionPath(Model):
    id: Key


class Identity(Model):
    number: str


@routes.get("/api/v1/experts", action=ANY_USER, out=Experts)
async def list_experts(ask: Ask) -> Experts:
    """The roster: who, for which fields, when, and who is there now"""
    return await _roster(ask)


@routes.get("/api/v1/expert_candidates", action="manage_roster", out=Candidates)
async def list_candidates(ask: Ask) -> Candidates:
    """Whose accounts are experts', on the roster or not"""
    async with ask.app[ENGINE].connect() as connection:
        rows = await queries.candidates(connection)
    return Candidates(items=[Candidate(login=row.login, name_zh=row.name_zh, name_en=row.name_en) for row in rows])


@routes.put("/api/v1/experts/{login}", action="manage_roster", path=ExpertPath, body=ExpertIn, out=Experts)
async def put_expert(ask: Ask[ExpertIn, None, ExpertPath]) -> Experts:
    """Put an expert on the roster, or change fields and duty hours"""
    given, login = ask.body, ask.path.login
    if unknown := [code for code in given.fields if code not in CATEGORIES or CATEGORIES[code].parent]:
        raise Problem(409, "no_field", "没有此领域", "There is no such field", {"fields": ", ".join(unknown)})
    if not all(check_spans([(minutes(each.start), minutes(each.end))]) for each in given.hours):
        raise Problem(409, "bad_hours", "时段不正确", "The hours are not right")
    async with ask.app[ENGINE].begin() as connection:
        if not await _is_expert(connection, login):
            raise Problem(409, "no_expert", "此账号不是专家座席", "This account is no expert's")
        told = given.model_dump(mode="json")
        await queries.put_expert(connection, login, told["fields"], told["hours"])
        await write_audit(connection, ask.user.id, "put_expert", {"login": login, **told})
    return await _roster(ask)


@routes.delete("/api/v1/experts/{login}", action="manage_roster", path=ExpertPath, out=Experts)
async def drop_expert(ask: Ask[None, None, ExpertPath]) -> Experts:
    """Take an expert off the roster"""
    async with ask.app[ENGINE].begin() as connection:
        if not await queries.drop_expert(connection, ask.path.login):
            raise Problem(404, "no_expert", "名册中没有此专家", "There is no such expert on the roster")
        await write_audit(connection, ask.user.id, "drop_expert", {"login": ask.path.login})
    return await _roster(ask)


@routes.post("/api/v1/expert_questions", action="ask_expert", body=QuestionIn, out=Asked, status=201)
async def ask_expert(ask: Ask[QuestionIn]) -> Asked:
    """Ask the experts of a field about a call; those on duty see it at once, without who called"""
    given, at = ask.body, now()
    if given.category not in CATEGORIES:
        raise Problem(409, "no_category", "没有此分类", "There is no such category", {"category": given.category})
    recent = await recent_call(ask.app, given.call_id)
    if not (ask.user.login in recent.parties or (recent.parties and ask.user.may("see_all_calls"))):
        raise no_call()
    if given.identity is None and names_somebody(given.text):
        zh, en = (
            "提问中含手机号或证件号，请删去或勾选“需要身份”并说明理由",
            "It holds a number of a person: leave it out",
        )
        raise Problem(409, "names_somebody", zh, f"{en}, or say why it is needed", {"text": "含身份信息 / identity"})
    hub = ask.app[HUB]
    async with ask.app[ENGINE].begin() as connection:
        known = await days(connection, ask.app[SETTINGS].zone)
        experts = [queries.expert(row) for row in await queries.roster(connection)]
        seen = {expert.login for expert in experts if hub.is_there(expert.login)}
        reached = reach(experts, known, office_hours(known), at, given.category, seen)
        values = given.model_dump(exclude={"key"}) | {
            "id": UUID(given.key),
            "field": field_of(given.category),
            "asked_by": ask.user.login,
            "asked_at": at,
            "due_at": reached.due.at,
        }
        if not await queries.add_question(connection, values):
            raise Problem(409, "key_taken", "此问题已提交", "This question has been asked already")
        told = {"id": given.key, "call": given.call_id, "category": given.category, "identity": given.identity}
        await write_audit(connection, ask.user.id, "ask_expert", told)
        row = await queries.question(connection, UUID(given.key))
        assert row is not None, "it was written a line above"
    for login in reached.of_field:
        hub.tell(login, {"type": "question", "id": given.key})
    return Asked(question=_question(row, set()), there=len(reached.there), provisional=reached.due.provisional)


@routes.get("/api/v1/calls/{call_id}/questions", action="ask_expert", path=CallPath, out=Questions)
async def list_of_call(ask: Ask[None, None, CallPath]) -> Questions:
    """One's own questions about a call"""
    login = None if ask.user.may("see_all_calls") else ask.user.login
    async with ask.app[ENGINE].connect() as connection:
        return await _questions(connection, await queries.of_call(connection, ask.path.call_id, login))


@routes.get("/api/v1/expert_questions", action="answer_expert", out=Questions)
async def list_for_expert(ask: Ask) -> Questions:
    """Open questions of one's fields, and those one has answered"""
    async with ask.app[ENGINE].connect() as connection:
        mine = next((row for row in await queries.roster(connection) if row.login == ask.user.login), None)
        if mine is None:
            return Questions(items=[])
        return await _questions(connection, await queries.for_expert(connection, ask.user.login, mine.fields))


@routes.post(
    "/api/v1/expert_questions/{id}/answer", action="answer_expert", path=QuestionPath, body=AnswerIn, out=Question
)
async def answer(ask: Ask[AnswerIn, None, QuestionPath]) -> Question:
    """Answer a question, signed; the desk that asked shows it at once"""
    key = UUID(ask.path.id)
    async with ask.app[ENGINE].begin() as connection:
        await _mine_to_answer(ask, connection, key)
        row = await queries.close(connection, key, ask.user.login, now(), answer=ask.body.text)
        if row is None:
            raise Problem(409, "answered", "此问题已有人答复或已撤回", "It has been answered, or taken back")
        if ask.body.propose:
            await queries.propose(connection, row, ask.user.login)
        told = {"id": ask.path.id, "call": row.call_id, "propose": ask.body.propose}
        await write_audit(connection, ask.user.id, "answer_expert", told)
        others = [each.login for each in await queries.roster(connection)]
    _tell(ask, ask.path.id, {row.asked_by, *others})
    return _question(row, {key} if ask.body.propose else set())


@routes.post("/api/v1/expert_questions/{id}/withdraw", action="ask_expert", path=QuestionPath, out=Question)
async def withdraw(ask: Ask[None, None, QuestionPath]) -> Question:
    """Take one's own open question back"""
    key = UUID(ask.path.id)
    async with ask.app[ENGINE].begin() as connection:
        row = await queries.close(connection, key, ask.user.login, now(), answer=None)
        if row is None:
            raise Problem(404, "no_question", "没有此问题，或已有答复", "There is no such open question of yours")
        await write_audit(connection, ask.user.id, "withdraw_question", {"id": ask.path.id})
        others = [each.login for each in await queries.roster(connection)]
    _tell(ask, ask.path.id, {row.asked_by, *others})
    return _question(row, set())


@routes.post("/api/v1/expert_questions/{id}/identity", action="answer_expert", path=QuestionPath, out=Identity)
async def show_identity(ask: Ask[None, None, QuestionPath]) -> Identity:
    """Who called, where the agent said that it is needed; who looked is on record"""
    key = UUID(ask.path.id)
    async with ask.app[ENGINE].begin() as connection:
        row = await _mine_to_answer(ask, connection, key)
        if row.identity is None or row.state != "open":
            raise Problem(403, "not_needed", "提问人未提供身份", "Who called was not said to be needed")
        number = await queries.number_of(connection, row.call_id)
        await write_audit(connection, ask.user.id, "show_identity", {"id": ask.path.id, "call": row.call_id})
    return Identity(number=number)


async def _mine_to_answer(ask: Ask[Any, Any, Any], connection: AsyncConnection, key: UUID) -> Row[Any]:
    row = await queries.question(connection, key)
    mine = next((each for each in await queries.roster(connection) if each.login == ask.user.login), None)
    if row is None or mine is None or (mine.fields and row.field not in mine.fields):
        raise Problem(404, "no_question", "没有此问题", "There is no such question")
    return row


def _tell(ask: Ask[Any, Any, Any], key: str, logins: set[str]) -> None:
    for login in logins:
        ask.app[HUB].tell(login, {"type": "question", "id": key})


async def _questions(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> Questions:
    offered = await queries.proposed(connection, [row.id for row in rows])
    return Questions(items=[_question(row, offered) for row in rows])


def _question(row: Row[Any], offered: set[UUID]) -> Question:
    names = Question.model_fields.keys() - {"id", "proposed"}
    return Question(id=str(row.id), proposed=row.id in offered, **{name: getattr(row, name) for name in names})


async def _roster(ask: Ask[Any, Any, Any]) -> Experts:
    at, hub = now(), ask.app[HUB]
    async with ask.app[ENGINE].connect() as connection:
        known = await days(connection, ask.app[SETTINGS].zone)
        rows = await queries.roster(connection)
    items = []
    for row in rows:
        duty = queries.expert(row).on_duty(known, at)
        items.append(
            ExpertRow(
                login=row.login,
                name_zh=row.name_zh,
                name_en=row.name_en,
                fields=row.fields,
                hours=[DutyHours(**each) for each in row.hours],
                on_duty=duty,
                there=duty and hub.is_there(row.login),
            )
        )
    return Experts(items=items)


async def _is_expert(connection: AsyncConnection, login: str) -> bool:
    asked = select(users.c.id).where(users.c.login == login, users.c.active, users.c.roles.contains(["expert"]))
    return (await connection.execute(asked)).first() is not None
