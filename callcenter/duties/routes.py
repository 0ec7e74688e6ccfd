"""The list of responsibilities over HTTP: read by who works with orders, changed by a coordinator, or by two persons.

The matrix (domain.md 4.2, `edit_responsibility_list`) lets a coordinator change it alone; what an administrator changes
holds when somebody else agrees.
"""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from callcenter.api import ENGINE, WHOLE, Ask, Model, Moment, Problem, Routes
from callcenter.clock import now
from callcenter.directory.city import LEAVES, REGIONS
from callcenter.duties import queries
from callcenter.people.queries import write_audit
from callcenter.people.second import check_second
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.workorders.given import UNITS

routes = Routes("duties")

MOST_CHANGES: Final = 100

_Code = Annotated[str, Field(pattern=r"^[A-Z0-9]{0,12}$")]
_Words = Annotated[
    str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$", min_length=2, max_length=queries.MOST_BASIS)
]


class DutyRow(Model):
    """Who leads a leaf (主办) and who helps (协办), in a region or (empty) the whole city.

    `change`: the change by which it holds; 0 for the city's own table, which has no basis.
    """

    category: str
    region: str
    lead: str
    co: list[str]
    basis: str
    change: int


class ChangeRow(Model):
    """A change of the list; `lead` is null when it goes back to the city's table."""

    id: int
    category: str
    region: str
    lead: str | None
    co: list[str]
    basis: str
    by: str
    at: Moment
    state: Literal["proposed", "holds", "refused", "withdrawn"]
    decided_by: str | None
    decided_at: Moment | None

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        return cls(**{name: row[name] for name in cls.model_fields})


class DutyList(Model):
    """What holds, and the newest changes."""

    items: list[DutyRow]
    changes: list[ChangeRow]


class DutyIn(Model):
    """A change. `after`: that of the row which was seen, 0 for the city's table; `basis`: the rule it rests on."""

    category: _Code
    region: _Code
    lead: _Code | None
    co: Annotated[list[_Code], Field(max_length=10)]
    basis: _Words
    after: Annotated[int, Field(ge=0, le=2**53), WHOLE]


class ChangePath(Model):
    id: Annotated[int, Field(ge=0, le=2**53)]


class Decision(Model):
    """`withdrawn`: by who proposed it; the others by somebody else."""

    state: queries.State


@routes.get("/api/v1/duties", action="see_duties", out=DutyList)
async def list_duties(ask: Ask) -> DutyList:
    """Who is responsible for what (职责清单)."""

    async def find(engine: AsyncEngine) -> tuple[queries.Found, queries.Found]:
        async with engine.connect() as connection:
            return await queries.in_force(connection), await queries.recent(connection, MOST_CHANGES)

    held, changes = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    own = {(row["category"], row["region"]): row for row in held if row["lead"] is not None}
    items = [
        DutyRow(category=code, region="", lead=leaf.lead, co=leaf.co, basis="", change=0)
        for code, leaf in LEAVES.items()
        if (code, "") not in own
    ]
    items += [
        DutyRow(change=row["id"], **{name: row[name] for name in ("category", "region", "lead", "co", "basis")})
        for row in own.values()
    ]
    items.sort(key=lambda each: (each.category, each.region))
    return DutyList(items=items, changes=[ChangeRow.of(row) for row in changes])


@routes.post("/api/v1/duties", action="change_duties", body=DutyIn, out=ChangeRow, status=201)
async def change_duty(ask: Ask[DutyIn]) -> ChangeRow:
    """Change who leads a leaf somewhere: a coordinator's word holds at once, an administrator's with another's."""
    body, user = ask.body, ask.user
    _refuse(body)

    async def write(engine: AsyncEngine) -> ChangeRow:
        async with engine.begin() as connection:
            await queries.alone(connection)
            await _unchanged(connection, body.category, body.region, body.after)
            row = body.model_dump() | {"by": user.login}
            made = await queries.add(connection, row, at=now(), holds=user.may("edit_responsibility_list"))
            await write_audit(connection, user.id, "change_duty", _told(made))
            return ChangeRow.of(made)

    return await within(SILENCE_SECONDS, write(ask.app[ENGINE]))


@routes.post("/api/v1/duties/{id}/decision", action="change_duties", path=ChangePath, body=Decision, out=ChangeRow)
async def decide_change(ask: Ask[Decision, None, ChangePath]) -> ChangeRow:
    """Agree to what somebody else has proposed, refuse it, or take back one's own (两人复核)."""
    state, user = ask.body.state, ask.user

    async def write(engine: AsyncEngine) -> ChangeRow:
        async with engine.begin() as connection:
            await queries.alone(connection)
            found = await queries.change(connection, ask.path.id)
            if found is None:
                raise Problem(404, "no_change", "没有此改动", "There is no such change")
            if found["state"] != "proposed":
                raise Problem(409, "decided", "此改动已有结论", "This change has been decided")
            check_second(found["by"], user.login, withdraws=state == "withdrawn")
            if state == "holds":
                await _unchanged(connection, found["category"], found["region"], found["after"])
            made = await queries.decide(connection, ask.path.id, state, user.login)
            await write_audit(connection, user.id, "decide_duty", _told(made))
            return ChangeRow.of(made)

    return await within(SILENCE_SECONDS, write(ask.app[ENGINE]))


def _told(row: RowMapping) -> dict[str, Any]:
    return {name: row[name] for name in ("id", "category", "region", "lead", "co", "basis", "state")}


async def _unchanged(connection: AsyncConnection, category: str, region: str, after: int) -> None:
    """Raise Problem 409 when somebody has changed it since it was seen."""
    held = await queries.held(connection, category, region)
    if (held["id"] if held and held["lead"] is not None else 0) != after:
        raise Problem(409, "stale_duty", "该项职责已被他人更改，请核对后再改", "Somebody has changed this meanwhile")


def _refuse(body: DutyIn) -> None:
    """Raise Problem 422 for what does not fit the city."""
    wrong = {}
    if body.category not in LEAVES:
        wrong["category"] = "无此类别 / no such category"
    if body.region and body.region not in REGIONS:
        wrong["region"] = "无此区域 / no such region"
    if body.lead is not None and body.lead not in UNITS:
        wrong["lead"] = "无此单位 / no such unit"
    if not set(body.co) <= UNITS or len(set(body.co)) < len(body.co):
        wrong["co"] = "有单位不存在或重复 / a unit is not there, or twice"
    if body.lead in body.co or (body.lead is None and body.co):
        wrong["co"] = "主办单位不能同时协办 / the lead unit cannot be a co-unit too"
    if wrong:
        raise Problem(422, "bad_duty", "有字段不正确", "Some fields are not right", wrong)
