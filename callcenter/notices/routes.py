"""Notices for staff: those of an order, those that failed, and the templates."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, SETTINGS, WHOLE, Ask, Model, Moment, Problem, Routes
from callcenter.notices import queries
from callcenter.notices.flow import (
    ALLOWED,
    LANGUAGES,
    SAMPLE,
    SKIPS,
    TEMPLATES,
    Template,
    code_of,
    faults_of,
    filled,
    length_of,
)
from callcenter.people.queries import write_audit
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.store.pages import Limit, cursor
from callcenter.workorders.queries import visible_order
from callcenter.workorders.routes import OrderPath

routes = Routes("notices")

Code = Annotated[str, Field(pattern=r"^(citizen|staff)\.[a-z_]{1,30}$")]
Written = Annotated[str, Field(max_length=500)]


class Notice(Model):
    """One notice (通知). `state`: waiting, sent, skipped (no number, wants none), failed (given up).

    `text` is as it was sent, but for the check code; empty before the first try. `address` shows no citizen's number in
    full. `error`: why it failed or was left out.
    """

    id: int
    n: int
    recipient: str
    what: str
    template: str
    zh: str
    en: str
    state: Literal["waiting", "sent", "skipped", "failed"]
    created_at: Moment
    due_at: Moment
    sent_at: Moment | None
    given_up_at: Moment | None
    tries: int
    error: str
    channel: str
    address: str
    language: str
    text: str
    template_version: int | None

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        template = TEMPLATES[code_of(row["recipient"], row["template"])]
        made = ("template", "zh", "en", "state")
        same = {name: row[name] for name in cls.model_fields if name not in made and name in row}
        names: dict[str, Any] = {"template": template.code, "zh": template.name_zh, "en": template.name_en}
        return cls(**same, **names, state=_state(row))


class FailedNotice(Notice):
    """A notice that was given up, with its order's code."""

    code: str


class OrderNotices(Model):
    """`opted_out`: the citizen wants no texts (退订); null when the order has no number."""

    items: list[Notice]
    opted_out: bool | None


class FailedQuery(Model):
    limit: Limit = 50
    before: Annotated[str, Field(pattern=r"^[0-9]{1,16}~[0-9]{1,18}$")] | None = None


class FailedPage(Model):
    items: list[FailedNotice]
    next: str | None


class NoticePath(Model):
    id: Annotated[int, Field(ge=0, le=2**53)]


class OptOut(Model):
    out: bool


class Texts(Model):
    zh: Written
    en: Written


class Shown(Model):
    """A template filled with sample names: how it reads, and of how many messages (计费条数) it consists."""

    text: str
    characters: int
    parts: int


class Preview(Model):
    """`faults`: what is wrong with the Chinese (`zh`) or the English (`en`) text."""

    zh: Shown | None
    en: Shown | None
    faults: dict[str, str]


class TemplateRow(Model):
    """`version` 0 is the release's own text, `default_zh` and `default_en`. `allowed`: names of placeholders."""

    code: str
    name_zh: str
    name_en: str
    zh: str
    en: str
    version: int
    default_zh: str
    default_en: str
    allowed: list[str]
    preview: Preview


class TemplateList(Model):
    items: list[TemplateRow]


class TemplatePath(Model):
    code: Code


class TemplateIn(Texts):
    """`after`: the version that was seen."""

    after: Annotated[int, Field(ge=0, le=1_000_000), WHOLE]


class TemplateVersion(Model):
    version: int
    zh: str
    en: str
    by: str
    at: Moment


class TemplateVersions(Model):
    items: list[TemplateVersion]


def _state(row: RowMapping) -> Literal["waiting", "sent", "skipped", "failed"]:
    if row["sent_at"] is not None:
        return "sent"
    if row["given_up_at"] is None:
        return "waiting"
    return "skipped" if row["error"] in SKIPS else "failed"


@routes.get("/api/v1/orders/{code}/notices", action="see_orders", path=OrderPath, out=OrderNotices)
async def list_order_notices(ask: Ask[None, None, OrderPath]) -> OrderNotices:
    """What was told whom of an order"""

    async def find(engine: AsyncEngine) -> OrderNotices | None:
        async with engine.connect() as connection:
            order = await visible_order(connection, ask.path.code, ask.user)
            if order is None:
                return None
            key = await queries.number_key_of(connection, order)
            out = await queries.opted_out(connection, key) if key is not None else None
            found = await queries.of_order(connection, order["id"])
            return OrderNotices(items=[Notice.of(row) for row in found], opted_out=out)

    found = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    if found is None:
        raise _no_order()
    return found


@routes.put("/api/v1/orders/{code}/notices/opt-out", action="stop_texts", path=OrderPath, body=OptOut)
async def set_opt_out(ask: Ask[OptOut, None, OrderPath]) -> None:
    """Send no more texts to the citizen of an order, on any order, or send them again"""

    async def act(engine: AsyncEngine) -> bool | None:
        async with engine.begin() as connection:
            order = await visible_order(connection, ask.path.code, ask.user)
            if order is None:
                return None
            key = await queries.number_key_of(connection, order)
            if key is None:
                return False
            if ask.body.out:
                await queries.opt_out(connection, key, ask.user.login, datetime.now(UTC))
            else:
                await queries.opt_in(connection, key)
            told = {"code": ask.path.code, "out": ask.body.out}
            await write_audit(connection, ask.user.id, "stop_texts", told)
            return True

    done = await within(SILENCE_SECONDS, act(ask.app[ENGINE]))
    if done is None:
        raise _no_order()
    if not done:
        raise Problem(409, "no_number", "此工单没有电话号码", "This order has no telephone number")


@routes.get("/api/v1/order-notices/failed", action="edit_notices", query=FailedQuery, out=FailedPage)
async def list_failed(ask: Ask[None, FailedQuery]) -> FailedPage:
    """Notices that were given up, the last first"""

    async def find(engine: AsyncEngine) -> queries.Found:
        async with engine.connect() as connection:
            return await queries.failed(connection, ask.user, limit=ask.query.limit, before=ask.query.before)

    found = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    last = found[-1] if len(found) == ask.query.limit else None
    return FailedPage(
        items=[FailedNotice.of(row) for row in found], next=cursor(last["given_up_at"], last["id"]) if last else None
    )


@routes.post("/api/v1/order-notices/{id}/resend", action="edit_notices", path=NoticePath)
async def resend(ask: Ask[None, None, NoticePath]) -> None:
    """Try a notice again that was given up; the gateway still takes it once"""

    async def act(engine: AsyncEngine) -> bool:
        async with engine.begin() as connection:
            code = await queries.again(connection, ask.path.id, ask.user, datetime.now(UTC))
            if code is not None:
                await write_audit(connection, ask.user.id, "resend_notice", {"code": code, "notice": ask.path.id})
            return code is not None

    if not await within(SILENCE_SECONDS, act(ask.app[ENGINE])):
        raise Problem(409, "not_failed", "没有可重发的此条通知", "There is no such notice that failed")


@routes.get("/api/v1/notice-templates", action="edit_notices", out=TemplateList)
async def list_templates(ask: Ask) -> TemplateList:
    """Every template with a preview"""

    async def find(engine: AsyncEngine) -> dict[str, Template]:
        async with engine.connect() as connection:
            return await queries.templates(connection)

    found = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    return TemplateList(items=[_row(ask, template) for template in found.values()])


@routes.put(
    "/api/v1/notice-templates/{code}", action="edit_notices", path=TemplatePath, body=TemplateIn, out=TemplateRow
)
async def save_template(ask: Ask[TemplateIn, None, TemplatePath]) -> TemplateRow:
    """Make a new version of a template; it holds from the next notice on"""
    was = _known(ask.path.code)
    faults = {name: fault for name in LANGUAGES if (fault := faults_of(was.audience, getattr(ask.body, name)))}
    if faults:
        raise Problem(422, "not_valid", "有字段不正确", "Some fields are not right", faults)
    version = ask.body.after + 1

    async def act(engine: AsyncEngine) -> bool:
        async with engine.begin() as connection:
            newest = (await queries.templates(connection))[was.code].version
            row = {"code": was.code, "version": version, "zh": ask.body.zh, "en": ask.body.en, "by": ask.user.login}
            if newest != ask.body.after or not await queries.add_template(connection, row):
                return False
            told = {"code": was.code, "version": version, "zh": ask.body.zh, "en": ask.body.en}
            await write_audit(connection, ask.user.id, "edit_notices", told)
            return True

    if not await within(SILENCE_SECONDS, act(ask.app[ENGINE])):
        raise Problem(
            409, "stale_version", "模板已被他人修改，请重新载入", "Somebody has changed the template; load it again"
        )
    return _row(ask, Template(was.code, was.name_zh, was.name_en, ask.body.zh, ask.body.en, version))


@routes.post(
    "/api/v1/notice-templates/{code}/preview", action="edit_notices", path=TemplatePath, body=Texts, out=Preview
)
async def preview_template(ask: Ask[Texts, None, TemplatePath]) -> Preview:
    """How texts would read, and how long they are"""
    was = _known(ask.path.code)
    return _preview(ask, Template(was.code, was.name_zh, was.name_en, ask.body.zh, ask.body.en))


@routes.get("/api/v1/notice-templates/{code}/versions", action="edit_notices", path=TemplatePath, out=TemplateVersions)
async def list_versions(ask: Ask[None, None, TemplatePath]) -> TemplateVersions:
    """The versions of a template that were made here, the last first"""
    was = _known(ask.path.code)

    async def find(engine: AsyncEngine) -> queries.Found:
        async with engine.connect() as connection:
            return await queries.template_history(connection, was.code)

    found = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    return TemplateVersions(
        items=[TemplateVersion(**{name: row[name] for name in TemplateVersion.model_fields}) for row in found]
    )


def _known(code: str) -> Template:
    if code not in TEMPLATES:
        raise Problem(404, "no_template", "没有此模板", "There is no such template")
    return TEMPLATES[code]


def _row(ask: Ask[Any, Any, Any], template: Template) -> TemplateRow:
    release = TEMPLATES[template.code]
    return TemplateRow(
        code=template.code,
        name_zh=template.name_zh,
        name_en=template.name_en,
        zh=template.zh,
        en=template.en,
        version=template.version,
        default_zh=release.zh,
        default_en=release.en,
        allowed=sorted(ALLOWED[template.audience]),
        preview=_preview(ask, template),
    )


def _preview(ask: Ask[Any, Any, Any], template: Template) -> Preview:
    faults = {name: fault for name in LANGUAGES if (fault := faults_of(template.audience, template.text(name)))}
    shown = {name: None if name in faults else _shown(ask, template, name) for name in LANGUAGES}
    return Preview(zh=shown["zh"], en=shown["en"], faults=faults)


def _shown(ask: Ask[Any, Any, Any], template: Template, language: str) -> Shown:
    text = filled(template, SAMPLE, language, ask.app[SETTINGS].zone)
    length = length_of(text)
    return Shown(text=text, characters=length.characters, parts=length.parts)


def _no_order() -> Problem:
    return Problem(404, "no_order", "没有此工单", "There is no such order")
