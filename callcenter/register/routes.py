"""The register over HTTP: the list, saved views, acts on many orders, exports."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple, Self
from uuid import UUID, uuid5

from aiohttp import web
from pydantic import Field, WithJsonSchema
from pydantic_core import to_json
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, READING, SETTINGS, WHOLE, Ask, Day, Model, Moment, Problem, Routes
from callcenter.calls.numbers import blind_index
from callcenter.directory.city import LEAVES
from callcenter.people.permissions import Person
from callcenter.people.queries import write_audit
from callcenter.register import queries
from callcenter.register.flow import COLUMNS, MOST_AT_ONCE, MOST_ROWS, Bulk, cells, headings
from callcenter.register.sheets import Csv, Sheet, Xlsx
from callcenter.settings import Settings
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.store.pages import Limit, cursor, day_bounds
from callcenter.store.tables import orders
from callcenter.workorders.codes import OrderCode
from callcenter.workorders.flow import STATES, Refused
from callcenter.workorders.given import schema
from callcenter.workorders.move import Conflict, KeyTaken, NoOrder, move
from callcenter.workorders.narrow import Narrow, Unit, conditions, words_of
from callcenter.workorders.order import Who
from callcenter.workorders.queries import Found, visible_order, wrote
from callcenter.workorders.routes import POLICIES, OrderRow, check_master

routes = Routes("register")

#: So many exports are written at once; each holds a connection now and then, and some of the processor.
EXPORTS: Final = web.AppKey("EXPORTS", asyncio.Semaphore)
AT_ONCE: Final = 2
#: By login, how many lines of their export are written so far.
EXPORTING: Final[web.AppKey[dict[str, int]]] = web.AppKey("EXPORTING")
#: Rows that are read, and lines that are written, before others have their turn.
PAGE, LINES = 500, 50

#: States in which something is to be done: of the orders of years, one in a hundred.
_OPEN: Final = frozenset(state.value for state, row in STATES.items() if row.kind in ("open", "paused"))

Uuid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
#: The Cursor of a row whose id is a UUID.
OrderCursor = Annotated[str, Field(pattern=r"^[0-9]{1,16}~[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
#: One line of text, as people type it.
Line = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]


class Filters(Narrow):
    """What the register is narrowed to and sorted by: what a view keeps, and an export takes.

    `from_day`, `to_day`: when it was filed, both days included; `days`: within so many days, today included.
    """

    department: Unit | None = None
    from_day: Day | None = None
    to_day: Day | None = None
    days: Annotated[int, Field(ge=1, le=3660)] | None = None
    due: Literal["overdue", "today", "open"] | None = None
    sort: queries.Sort = "newest"


class RegisterQuery(Filters):
    """`number`: a telephone number that an order came from or is called back on; whoever may see numbers may ask."""

    number: Annotated[str, Field(pattern=r"^\+?[0-9 -]{3,32}$", max_length=33)] | None = None
    limit: Limit = 50
    before: OrderCursor | None = None


class RegisterRow(OrderRow):
    """A line of the register. `overdue`: what must be done for it now should have been done."""

    region: str
    due_at: Moment | None
    overdue: bool
    urge_level: int
    handler: str | None
    returns: int
    rehandles: int
    closing: str | None
    version: int
    repeat_of: str | None
    proposed: bool

    @classmethod
    def at(cls, row: RowMapping, now: datetime) -> Self:
        """From a row of the table."""
        same = {name: row[name] for name in RegisterRow.model_fields if name in row}
        overdue = row["due_at"] is not None and row["due_at"] < now
        return cls(overdue=overdue, proposed=row["proposal"] is not None, **same)


class RegisterPage(Model):
    """`next`: the cursor of the page after it; one that is not full may have one: so far there was no more."""

    items: list[RegisterRow]
    next: str | None


class ViewBody(Model):
    """A saved view (常用筛选). `role`: shared with everybody who has this role of one's own; null: one's own."""

    name: Line
    role: Annotated[str, Field(pattern=r"^[a-z_]{1,30}$")] | None
    filters: Filters


class Exporting(Model):
    """`rows`: lines that are written so far; null while none of one's own is under way."""

    rows: int | None


class View(ViewBody):
    id: str
    mine: bool
    login: str


class Views(Model):
    items: list[View]


class ViewPath(Model):
    view: Uuid


class ActOn(Model):
    code: OrderCode
    version: Annotated[int, Field(ge=1, le=1_000_000), WHOLE]


class BulkIn(Model):
    """One event for many orders (批量). `key` is a UUID of the page's choice: the same one again is the same acts."""

    event: Bulk
    given: Annotated[dict[str, Any], Field(max_length=40), WithJsonSchema(schema())]
    items: Annotated[list[ActOn], Field(min_length=1, max_length=MOST_AT_ONCE)]
    key: Uuid


class BulkRow(Model):
    """What became of one of them: its new version and state, or why not."""

    code: str
    done: bool
    state: str | None
    version: int | None
    why: str | None
    zh: str
    en: str


class BulkDone(Model):
    items: list[BulkRow]


Format = Literal["csv", "xlsx"]


class ExportIn(Model):
    """An export for one's work: names and numbers are masked. In clear they are taken out by two persons (exports/)."""

    format: Format
    reason: Annotated[str, Field(min_length=4, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]
    filters: Filters


@routes.get("/api/v1/orders", action="see_orders", query=RegisterQuery, out=RegisterPage)
async def list_orders(ask: Ask[None, RegisterQuery]) -> RegisterPage:
    """Orders that one may see: one's own, one's unit's, those at one's step, or all."""
    query, settings, now = ask.query, ask.app[SETTINGS], datetime.now(UTC)
    wanted = wanted_by(query, settings, now)
    if query.number:
        if not ask.user.may("see_caller_number"):
            raise Problem(403, "not_allowed", "您不能按号码查找", "You may not search by number")
        key = blind_index(settings.number_key.get_secret_value().encode(), query.number)
        if key is None:
            return RegisterPage(items=[], next=None)
        wanted = replace(wanted, conditions=(*wanted.conditions, queries.of_number(key)), few=True)

    async def find(engine: AsyncEngine) -> queries.Looked:
        async with engine.connect() as connection:
            return await queries.find_orders(
                connection, ask.user, wanted, sort=query.sort, limit=query.limit, before=query.before
            )

    try:
        found, upto = await within(SILENCE_SECONDS, find(ask.app[READING]))
    except queries.TooShort:
        fault = {"q": "至少两个字 / at least two characters"}
        raise Problem(
            422, "too_short", "请输入至少两个字", "Please search for at least two characters", fault
        ) from None
    following = cursor(*upto) if upto else None
    if len(found) == query.limit:
        following = _cursor(found[-1], query.sort)
    return RegisterPage(items=[RegisterRow.at(row, now) for row in found], next=following)


@routes.get("/api/v1/register/views", action="see_orders", out=Views)
async def list_views(ask: Ask) -> Views:
    """One's own saved views, and those shared with one's roles."""

    async def find(engine: AsyncEngine) -> Found:
        async with engine.connect() as connection:
            return await queries.views_of(connection, ask.user)

    found = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    return Views(items=[_view(row, ask.user) for row in found])


@routes.put("/api/v1/register/views/{view}", action="see_orders", path=ViewPath, body=ViewBody)
async def put_view(ask: Ask[ViewBody, None, ViewPath]) -> None:
    """Keep a view under an id of the page's choice: new, renamed, shared, or brought back after it was deleted."""
    body, person = ask.body, ask.user
    if body.role is not None and body.role not in person.roles:
        raise Problem(403, "not_your_role", "只能共享给您自己的角色", "A view is shared with a role of your own")
    values = {"name": body.name, "role": body.role, "filters": body.filters.model_dump(mode="json", exclude_none=True)}

    async def write(engine: AsyncEngine) -> str:
        async with engine.begin() as connection:
            kept = await queries.put_view(connection, UUID(ask.path.view), person.login, values)
            if kept == "kept":
                await write_audit(connection, person.id, "put_view", {"view": ask.path.view, "role": body.role})
            return kept

    match await within(SILENCE_SECONDS, write(ask.app[ENGINE])):
        case "taken":
            raise Problem(409, "key_taken", "此视图属于他人", "This view is somebody else's")
        case "full":
            most = queries.MOST_VIEWS
            raise Problem(409, "too_many_views", f"最多保存 {most} 个视图", f"At most {most} views can be kept")


@routes.delete("/api/v1/register/views/{view}", action="see_orders", path=ViewPath)
async def drop_view(ask: Ask[None, None, ViewPath]) -> None:
    """Delete a view of one's own."""

    async def write(engine: AsyncEngine) -> bool:
        async with engine.begin() as connection:
            gone = await queries.drop_view(connection, UUID(ask.path.view), ask.user.login)
            if gone is not None:
                await write_audit(connection, ask.user.id, "drop_view", {"view": ask.path.view})
            return gone is not None

    if not await within(SILENCE_SECONDS, write(ask.app[ENGINE])):
        raise Problem(404, "no_view", "没有此视图", "There is no such view of yours")


@routes.post("/api/v1/register/acts", action="act_on_orders", body=BulkIn, out=BulkDone)
async def act_on_many(ask: Ask[BulkIn]) -> BulkDone:
    """Cause one event for many orders, each by itself: what became of each, in the order asked for."""
    body = ask.body
    if len({each.code for each in body.items}) < len(body.items):
        raise Problem(422, "not_valid", "同一工单重复", "An order is named twice", {"items": "重复 / twice"})
    return BulkDone(items=[await _act(ask.app, ask.user, body, each) for each in body.items])


@routes.get("/api/v1/register/export", action="export_orders", out=Exporting)
async def export_so_far(ask: Ask) -> Exporting:
    """How far one's own export is that is being written now."""
    return Exporting(rows=ask.app[EXPORTING].get(ask.user.login))


@routes.raw("POST", "/api/v1/register/export", action="export_orders", body=ExportIn)
async def export(ask: Ask[ExportIn]) -> web.StreamResponse:
    """The register as a sheet, at most 100,000 lines; confidential orders are left out."""
    wanted = wanted_by(ask.body.filters, ask.app[SETTINGS], datetime.now(UTC))
    taking = Taking(ask.body.filters, ask.body.format, {"reason": ask.body.reason})
    return await send_sheet(ask.request, ask.user, wanted, taking)


class Taking(NamedTuple):
    """What an export takes out. `told`: what the audit says of it; `clear`: everybody's orders, nothing masked."""

    filters: Filters
    format: Format
    told: dict[str, Any]
    clear: bool = False


async def send_sheet(
    request: web.Request, person: Person, wanted: queries.Wanted, taking: Taking
) -> web.StreamResponse:
    """Send orders as a sheet, none of them confidential; the taking is on record before and after. Raises Problem."""
    app = request.app
    check_room(app)
    wanted = replace(wanted, conditions=(*wanted.conditions, ~orders.c.confidential))
    async with app[EXPORTS]:
        app[EXPORTING][person.login] = 0
        try:
            return await _send_sheet(request, person, wanted, taking)
        finally:
            app[EXPORTING].pop(person.login, None)


def check_room(app: web.Application) -> None:
    """Raise Problem 429 while as many exports as may are written."""
    if app[EXPORTS].locked():
        raise Problem(429, "busy", "其他导出正在进行，请稍后再试", "Other exports are under way; please try again")


async def _send_sheet(
    request: web.Request, person: Person, wanted: queries.Wanted, taking: Taking
) -> web.StreamResponse:
    settings, engine, now = request.app[SETTINGS], request.app[ENGINE], datetime.now(UTC)
    act = "personal_data" if taking.clear else "orders"
    told = taking.told | {"format": taking.format}
    filters = taking.filters.model_dump(mode="json", exclude_none=True)

    async def note(act: str, what: dict[str, Any]) -> None:
        async with engine.begin() as connection:
            await write_audit(connection, person.id, act, what)

    # Nothing leaves before it is on record.
    await within(SILENCE_SECONDS, note(f"export_{act}", told | {"filters": filters}))
    sheet: Sheet = Csv() if taking.format == "csv" else Xlsx([width for *_, width in COLUMNS])
    response = web.StreamResponse()
    response.content_type = sheet.content_type
    day = f"{now.astimezone(settings.zone):%Y%m%d-%H%M}"
    response.headers["Content-Disposition"] = f'attachment; filename="orders-{day}.{taking.format}"'
    await response.prepare(request)
    sheet.add(headings(person.language))
    written = 0
    async for row in _rows(engine, person, wanted, taking):
        if written == MOST_ROWS:
            most = (f"仅导出前 {MOST_ROWS} 行", f"Only the first {MOST_ROWS} lines are exported")
            sheet.add([most[person.language == "en"]])
            break
        sheet.add(cells(dict(row), person.language, settings.zone, reveal=taking.clear))
        written += 1
        if written % LINES == 0:
            request.app[EXPORTING][person.login] = written
            await response.write(sheet.take())
            await asyncio.sleep(0)
    async for chunk in sheet.finish():
        await response.write(chunk)
    await within(SILENCE_SECONDS, note(f"exported_{act}", told | {"rows": written}))
    await response.write_eof()
    return response


async def _rows(
    engine: AsyncEngine, person: Person, wanted: queries.Wanted, taking: Taking
) -> AsyncIterator[RowMapping]:
    """All orders of an export, page by page, so that no transaction stays open while somebody downloads."""
    before: str | None = None
    sort = taking.filters.sort

    async def page() -> queries.Looked:
        async with engine.connect() as connection:
            return await queries.find_orders(
                connection, person, wanted, sort=sort, limit=PAGE, before=before, everybodys=taking.clear, whole=True
            )

    while True:
        found, _ = await within(SILENCE_SECONDS, page())
        for row in found:
            yield row
        if len(found) < PAGE:
            return
        before = _cursor(found[-1], sort)


async def _act(app: web.Application, person: Person, body: BulkIn, on: ActOn) -> BulkRow:
    key = uuid5(UUID(body.key), on.code)
    who = Who(person.login, frozenset(person.roles), person.unit)

    async def act(engine: AsyncEngine) -> BulkRow:
        async with engine.begin() as connection:
            seen = await visible_order(connection, on.code, person)
            if seen is None and not await wrote(connection, on.code, key, person.login):
                raise NoOrder
            if body.event == "merge":
                await check_master(connection, body.given, person)
            now = datetime.now(UTC)
            moved = await move(
                connection,
                app[POLICIES],
                on.code,
                body.event,
                who,
                body.given,
                now,
                expected_version=on.version,
                key=key,
            )
            if not moved.again:
                told = {"code": on.code, "event": moved.event, "version": moved.version, "bulk": body.key}
                await write_audit(connection, person.id, "order_event", told)
            return BulkRow(
                code=on.code, done=True, state=moved.state, version=moved.version, why=None, zh="完成", en="Done"
            )

    def refused(why: str, zh: str, en: str) -> BulkRow:
        return BulkRow(code=on.code, done=False, state=None, version=None, why=why, zh=zh, en=en)

    try:
        return await within(SILENCE_SECONDS, act(app[ENGINE]))
    except NoOrder:
        return refused("no_order", "没有此工单", "There is no such order")
    except KeyTaken:
        return refused("key_taken", "此编号已用于另一操作", "This key belongs to another act")
    except Conflict:
        return refused("stale_order", "工单已有变化，请刷新后再试", "The order has changed meanwhile: refresh it")
    except Refused as refusal:
        fields = "；".join(f"{name}: {fault}" for name, fault in refusal.fields.items())
        tail = f"（{fields}）" if fields else ""
        return refused(refusal.code, refusal.zh + tail, refusal.en + (f" ({fields})" if fields else ""))


def wanted_by(filters: Filters, settings: Settings, now: datetime) -> queries.Wanted:
    """What must hold of the orders that the filters let through."""
    those, zone = conditions(filters), settings.zone
    today = now.astimezone(zone).date()
    since = until = None
    if filters.department:
        those.append(orders.c.department == filters.department)
    if filters.from_day:
        since = day_bounds(filters.from_day, zone)[0]
    if filters.to_day:
        until = day_bounds(filters.to_day, zone)[1]
    if filters.days:
        of_days = day_bounds(today - timedelta(days=filters.days - 1), zone)[0]
        since = max(since, of_days) if since else of_days
    match filters.due:
        case "overdue":
            those.append(orders.c.due_at < now)
        case "today":
            those += [orders.c.due_at >= now, orders.c.due_at <= day_bounds(today, zone)[1]]
        case "open":
            those.append(orders.c.due_at.is_not(None))
    few = bool(filters.due) or filters.urged in ("yellow", "red") or filters.state in _OPEN
    carried = bool(filters.department or filters.state) or filters.category in LEAVES
    return queries.Wanted(tuple(those), tuple(words_of(filters)), since, until, few, carried)


def _cursor(row: RowMapping, sort: queries.Sort) -> str:
    return cursor(row["due_at" if sort == "due" else "created_at"], row["id"])


def _view(row: RowMapping, person: Person) -> View:
    return View(
        id=str(row["id"]),
        name=row["name"],
        role=row["role"],
        filters=Filters.model_validate_json(to_json(row["filters"])),
        mine=row["login"] == person.login,
        login=row["login"],
    )
