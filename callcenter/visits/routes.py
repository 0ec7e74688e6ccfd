"""Return visits for the pages (回访): whom to call now, the call itself, and what the visits come to.

What becomes of a try, and the four answers, are events of the order: `POST /api/v1/orders/{code}/events`.
"""

from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, SETTINGS, Ask, Model, Moment, Problem, Routes
from callcenter.callbacks.outgoing import of_visit
from callcenter.callbacks.routes import Callback, dial
from callcenter.clock import now
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.store.pages import day_bounds
from callcenter.visits import queries
from callcenter.visits.flow import Coverage, Offer, Rates, Slot, coverage, offer, rates, slot_now, slots_of
from callcenter.workorders.queries import visible_order
from callcenter.workorders.routes import POLICIES, OrderPath

#: Rates are over so many days.
RATED: Final = timedelta(days=30)
MOST: Final = 100

routes = Routes("visits")


class VisitsQuery(Model):
    """`now`: to be called in these hours; `later`: not yet."""

    view: Literal["now", "later"] = "now"


class SlotRow(Model):
    """Hours of visits, in minutes after midnight."""

    name: str
    start: int
    end: int
    now: bool


class VisitRow(Model):
    """An order that waits for a visit. `last`: what became of the last try; `next_at`: null when it is its turn now.

    `most`: how often it is tried.
    """

    code: str
    state: str
    kind: str
    urgency: str
    subject: str
    department: str | None
    confidential: bool
    language: str
    due_at: Moment
    tries: list[Moment]
    most: int
    last: str | None
    later_at: Moment | None
    texted_at: Moment | None
    open: bool
    next_at: Moment | None


class Visits(Model):
    """`to_do` and `waiting`: how many to call now, and how many not yet; `overdue`: of both. `coverage`: of 30 days."""

    items: list[VisitRow]
    slots: list[SlotRow]
    to_do: int
    waiting: int
    overdue: int
    today: Rates
    month: Rates
    coverage: Coverage


@routes.get("/api/v1/visits", action="visit", query=VisitsQuery, out=Visits)
async def list_visits(ask: Ask[None, VisitsQuery]) -> Visits:
    """Citizens to be visited (回访名单), by promise and by what is due first; the figures of today and of 30 days"""
    at = now().astimezone(ask.app[SETTINGS].zone)
    view = ask.query.view
    start, _ = day_bounds(at.date(), ask.app[SETTINGS].zone)

    async def find(engine: AsyncEngine) -> Visits:
        async with engine.connect() as connection:
            rules = await ask.app[POLICIES].newest(connection)
            slots = slots_of(rules.measures)
            slot = slot_now(slots, at)
            most = await queries.most_tries(connection)
            found = {
                name: await queries.waiting(
                    connection, at, slot, most, open_now=name == "now", limit=MOST, person=ask.user
                )
                for name in ("now", "later")
            }
            overdue = await queries.overdue(connection, at, ask.user)
            month = rates(await queries.counted(connection, at - RATED, ask.user))
            return Visits(
                items=[_row(row, at, slots, most[row["policy"]]) for row in found[view][0]],
                slots=[SlotRow(**each._asdict(), now=each is slot) for each in slots],
                to_do=found["now"][1],
                waiting=found["later"][1],
                overdue=overdue,
                today=rates(await queries.counted(connection, start, ask.user)),
                month=month,
                coverage=coverage(month, overdue),
            )

    return await within(SILENCE_SECONDS, find(ask.app[ENGINE]))


@routes.post("/api/v1/visits/{code}/dial", action="visit", path=OrderPath, out=Callback, status=202)
async def call_citizen(ask: Ask[None, None, OrderPath]) -> Callback:
    """Call the citizen of an order whose turn it is, from one's own seat (一键外呼)"""
    at = now().astimezone(ask.app[SETTINGS].zone)

    async def find(engine: AsyncEngine) -> tuple[RowMapping | None, tuple[Slot, ...], dict[int, int]]:
        async with engine.connect() as connection:
            rules = await ask.app[POLICIES].newest(connection)
            most = await queries.most_tries(connection)
            return await visible_order(connection, ask.path.code, ask.user), slots_of(rules.measures), most

    order, slots, most = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    if order is None or order["state"] not in queries.WAITING:
        raise Problem(404, "no_visit", "此工单不在回访名单", "This order does not wait for a visit")
    due = _offer(order, at, slots, most[order["policy"]])
    if not due.open:
        when = f"{due.next_at:%m-%d %H:%M}" if due.next_at else ""
        raise Problem(
            409,
            "not_in_slot",
            f"尚未到回访时段（{when} 起）" if when else "已无可用的回访时段",
            f"It is not its time yet (from {when})" if when else "There are no more hours to try it in",
        )
    return await dial(ask, await of_visit(ask, order))


def _offer(row: RowMapping, at: datetime, slots: tuple[Slot, ...], most: int) -> Offer:
    return offer(row["tries"], _moment(row["visit"].get("later_at")), at, slots, most)


def _moment(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None


def _row(row: RowMapping, at: datetime, slots: tuple[Slot, ...], most: int) -> VisitRow:
    same = ("code", "state", "kind", "urgency", "subject", "department", "confidential", "language", "due_at")
    told, due = row["visit"], _offer(row, at, slots, most)
    return VisitRow(
        **{name: row[name] for name in same},
        later_at=_moment(told.get("later_at")),
        texted_at=_moment(told.get("texted_at")),
        tries=list(row["tries"]),
        most=most,
        last=told.get("last"),
        open=due.open,
        next_at=due.next_at,
    )
