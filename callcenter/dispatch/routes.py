"""The suggestion of a unit over HTTP; dispatching itself is an event of the order."""

from typing import Final

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, Ask, Model, Moment, Problem, Routes
from callcenter.directory.city import REGIONS
from callcenter.dispatch import queries
from callcenter.dispatch.flow import Known, Precedent, ReasonKind, Similar, is_sure, near, rank
from callcenter.duties.queries import Duty, duty_of
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.workorders.queries import Found, least_burdened, visible_order
from callcenter.workorders.routes import OrderPath

routes = Routes("dispatch")

_PARENTS: Final = {code: region.parent for code, region in REGIONS.items() if region.level == "street"}


class ReasonRow(Model):
    """Why a unit, or why not; `codes`: the orders that it rests on."""

    kind: ReasonKind
    points: int
    codes: list[str]


class SuggestedUnit(Model):
    unit: str
    points: int
    co: list[str]
    reasons: list[ReasonRow]


class Ruling(Model):
    """A ruling in a dispute (裁定先例): what was ruled on which facts. `near`: see flow.near.

    `open`: whether who asks may open that order, too.
    """

    code: str
    open: bool
    unit: str
    co: list[str]
    region: str
    near: int
    at: Moment
    by: str
    facts: str
    basis: str


class SimilarOrder(Model):
    """A closed order whose words are alike; `likeness` in per cent; `open` as in a ruling."""

    code: str
    open: bool
    subject: str
    region: str
    near: int
    department: str
    created_at: Moment
    closing: str | None
    likeness: int


class Suggestion(Model):
    """The units in question, the best first. `sure`: the first one is clearly the one.

    `follow_up_officer`: who has followed it so far, else who follows the fewest open orders; null when there is nobody.
    """

    code: str
    version: int
    sure: bool
    follow_up_officer: str | None
    units: list[SuggestedUnit]
    rulings: list[Ruling]
    similar: list[SimilarOrder]


@routes.get("/api/v1/orders/{code}/suggestion", action="dispatch", path=OrderPath, out=Suggestion)
async def suggest(ask: Ask[None, None, OrderPath]) -> Suggestion:
    """To which unit an order should go, and why."""

    async def find(engine: AsyncEngine) -> tuple[RowMapping, Found, Found, list[str], Duty | None, str | None] | None:
        async with engine.connect() as connection:
            row = await visible_order(connection, ask.path.code, ask.user)
            if row is None:
                return None
            ruled = await queries.rulings(connection, row, ask.user)
            alike = await queries.alike(connection, row, ask.user)
            duty = await duty_of(connection, row["category"], row["region"])
            officer = row["follow_up_officer"] or await least_burdened(connection, row)
            return row, ruled, alike, await queries.named_units(connection, row["id"]), duty, officer

    found = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    if found is None:
        raise Problem(404, "no_order", "没有此工单", "There is no such order")
    row, ruled, alike, named, duty, officer = found
    rulings = [_ruling(each, row["region"]) for each in ruled]
    similar = [_similar(each, row["region"]) for each in alike]
    ranked = rank(
        Known(
            rule=duty,
            bound=row["department"] if row["bound"] else None,
            named=named,
            refused=row["refused_by"],
            precedents=[Precedent(each.code, each.unit, tuple(each.co), each.near) for each in rulings],
            similar=[Similar(each.code, each.department, each.likeness / 100, each.near) for each in similar],
        )
    )
    return Suggestion(
        code=row["code"],
        version=row["version"],
        sure=is_sure(ranked),
        follow_up_officer=officer,
        units=[
            SuggestedUnit(
                unit=each.unit,
                points=each.points,
                co=list(each.co),
                reasons=[ReasonRow(kind=why.kind, points=why.points, codes=list(why.codes)) for why in each.reasons],
            )
            for each in ranked
        ],
        rulings=rulings,
        similar=similar,
    )


def _ruling(row: RowMapping, region: str) -> Ruling:
    given = row["given"]
    return Ruling(
        code=row["code"],
        open=row["open"],
        unit=given["lead"],
        co=list(given.get("co_units") or ()),
        region=row["region"],
        near=near(region, row["region"], _PARENTS),
        at=row["at"],
        by=row["who"],
        facts=given.get("precedent", ""),
        basis=given.get("basis", ""),
    )


def _similar(row: RowMapping, region: str) -> SimilarOrder:
    same = {name: row[name] for name in SimilarOrder.model_fields if name not in ("near", "likeness")}
    return SimilarOrder(near=near(region, row["region"], _PARENTS), likeness=round(row["likeness"] * 100), **same)
