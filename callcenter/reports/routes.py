"""The figures of a unit (本单位报表): to its own leaders, and to whoever may see reports of any unit."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, SETTINGS, Ask, Model, Moment, Problem, Routes
from callcenter.clock import now
from callcenter.reports import queries
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.store.pages import day_bounds
from callcenter.workorders.narrow import Unit

routes = Routes("reports")


class OfUnit(Model):
    """`unit`: another than one's own, for who may see all reports."""

    unit: Unit | None = None


class UnitQuery(OfUnit):
    """`days`: orders that were filed since."""

    days: Annotated[int, Field(ge=1, le=366)] = 30


class UnitReport(Model):
    """Orders that a unit led, filed in these days, but those that complain of who looks.

    Shares, with their row and target in domain.md 2b; what is not due yet and not done is in none of them:
    K14 `signed` of `sign_due` (及时签收率, 100 %): signed by a person within the limit of the unit that leads now.
    K17 `contacted` of `contact_due` (响应率, 100 %): the first contact within its limit.
    K18 `in_time` of `reply_due` (按时办结率, 98 %): the first reply within its limit, granted extensions counted.
    K19 `on_time` of `replied` (beside K18): the first reply within its first limit, which an extension does not move.
    K20, K21 `resolved`, `satisfied` of `visited` (解决率, 满意率): strict (yes); `..._broad` count `basically`, too.
    K26 `closed_again` of `closed` (重办率, below 5 %): orders handled again before they were closed.
    K27 `extended` of `orders` (延期率, below 10 %).
    K28 `unreasonable` of `closed` (不合理认定率, watched).
    """

    unit: str
    days: int
    orders: int
    open: int
    overdue: int
    closed: int
    replied: int
    on_time: int
    sign_due: int
    signed: int
    contact_due: int
    contacted: int
    reply_due: int
    in_time: int
    extended: int
    returned: int
    rehandled: int
    closed_again: int
    unreasonable: int
    urged: int
    carded: int
    visited: int
    resolved: int
    resolved_broad: int
    satisfied: int
    satisfied_broad: int
    unreachable: int


class Stage(Model):
    """Orders of a unit at one step (环节). `overdue`, `today`: due before now, by the end of today.

    `oldest`: since when the one has been there that has been there longest.
    """

    state: str
    count: int
    overdue: int
    today: int
    oldest: Moment


class Process(Model):
    """Where a unit's orders in hand are, in the order of the steps; none that complains of who looks."""

    unit: str
    stages: list[Stage]


@routes.get("/api/v1/monitor", action="see_unit_report", query=OfUnit, out=Process)
async def monitor(ask: Ask[None, OfUnit]) -> Process:
    """The whole process of a unit: how many orders are at which step, and how late (domain.md R63)"""
    unit, at, zone = _unit(ask), now(), ask.app[SETTINGS].zone
    midnight = day_bounds(at.astimezone(zone).date(), zone)[1]

    async def find(engine: AsyncEngine) -> Process:
        async with engine.connect() as connection:
            found = await queries.stages_of(connection, ask.user, unit, at, midnight)
            return Process(unit=unit, stages=[Stage(**row) for row in found])

    return await within(SILENCE_SECONDS, find(ask.app[ENGINE]))


@routes.get("/api/v1/reports/unit", action="see_unit_report", query=UnitQuery, out=UnitReport)
async def unit_report(ask: Ask[None, UnitQuery]) -> UnitReport:
    """How a unit does: its orders, its limits, what its citizens say"""
    query, at, unit = ask.query, now(), _unit(ask)

    async def find(engine: AsyncEngine) -> UnitReport:
        async with engine.connect() as connection:
            found = await queries.of_unit(connection, ask.user, unit, at - timedelta(days=query.days), at)
            return UnitReport(unit=unit, days=query.days, **found)

    return await within(SILENCE_SECONDS, find(ask.app[ENGINE]))


def _unit(ask: Ask[None, Any]) -> str:
    """The unit that is asked about. Raises Problem 422 when there is none, 403 when it is not theirs to see."""
    own = ask.user.unit
    unit: str | None = ask.query.unit or own
    if unit is None:
        wrong = {"unit": "必填 / required"}
        raise Problem(422, "not_valid", "有字段不正确", "Some fields are not right", wrong)
    if unit != own and not ask.user.may("see_reports"):
        raise Problem(403, "not_your_unit", "只能查看本单位的报表", "Only your own unit's figures")
    return unit
