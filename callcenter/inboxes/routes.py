"""The inbox over HTTP."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, get_args

from pydantic import Field
from sqlalchemy import ColumnElement, RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import READING, Ask, Model, Moment, Routes
from callcenter.inboxes import queries
from callcenter.inboxes.flow import Unit, left, task
from callcenter.people.permissions import Person
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.store.pages import Limit, cursor
from callcenter.store.tables import orders
from callcenter.workorders.deadlines import Rules
from callcenter.workorders.narrow import Narrow, conditions, contains, words_of
from callcenter.workorders.order import State, Who
from callcenter.workorders.routes import POLICIES, OrderRow

routes = Routes("inboxes")

#: The Cursor of a row whose id is a UUID.
OrderCursor = Annotated[str, Field(pattern=r"^[0-9]{1,16}~[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Group = Literal["overdue", "today", "later"]


class InboxQuery(Narrow):
    """`whose`: only what was given to who asks."""

    group: Group | None = None
    whose: Literal["mine"] | None = None
    limit: Limit = 50
    after: OrderCursor | None = None


class TimeLeft(Model):
    """What is left of the limit by which it is due (剩余时限), or over since; see flow.Left. `clock`: its name."""

    amount: int
    unit: Unit
    over: bool
    clock: str
    provisional: bool


class InboxRow(OrderRow):
    """An order that waits for somebody. `task`: what it asks for; `reminded`: the last per cent of its time told.

    `proposed`: the act that waits for a second person.
    """

    region: str
    due_at: Moment
    state_since: Moment
    urge_level: int
    handler: str | None
    returns: int
    rehandles: int
    version: int
    repeat_of: str | None
    task: str
    left: TimeLeft | None
    reminded: int
    proposed: str | None


class Counted(Model):
    name: str
    count: int


class InboxPage(Model):
    """`groups` and `states` count all that waits, not the page; `more`: beyond the first thousand none is counted."""

    items: list[InboxRow]
    next: str | None
    groups: list[Counted]
    states: list[Counted]
    more: bool


@routes.get("/api/v1/inbox", action="see_orders", query=InboxQuery, out=InboxPage)
async def show_inbox(ask: Ask[None, InboxQuery]) -> InboxPage:
    """What waits for one, or for one's unit, by what is due first."""
    query, person, policies = ask.query, ask.user, ask.app[POLICIES]
    now = datetime.now(UTC)

    async def find(engine: AsyncEngine) -> InboxPage:
        async with engine.connect() as connection:
            rules = await policies.newest(connection)
            midnight = rules.days.moment(rules.days.today(now) + timedelta(days=1), 0)
            wanted = [*conditions(query), *contains(words_of(query))]
            if query.whose == "mine":
                wanted.append(orders.c.handler == person.login)
            one: list[ColumnElement[bool]] = [queries.group(query.group, now, midnight)] if query.group else []
            found = await queries.find_inbox(connection, person, [*wanted, *one], limit=query.limit, after=query.after)
            clocks = await queries.clocks_due(connection, [row["id"] for row in found])
            # A later page says the same of all.
            counted = [] if query.after else await queries.count_inbox(connection, person, wanted, now, midnight)
            last = found[-1] if len(found) == query.limit else None
            groups, states = Counter[str](), Counter[str]()
            for row in counted:
                groups[row["part"]] += row["n"]
                states[row["state"]] += row["n"]
            return InboxPage(
                items=[_row(row, clocks.get(row["id"]), person, now, rules) for row in found],
                next=cursor(last["due_at"], last["id"]) if last else None,
                groups=[Counted(name=name, count=groups[name]) for name in get_args(Group)],
                states=[Counted(name=name, count=n) for name, n in states.most_common()],
                more=groups.total() == queries.MOST,
            )

    return await within(SILENCE_SECONDS, find(ask.app[READING]))


def _row(row: RowMapping, clock: RowMapping | None, person: Person, now: datetime, rules: Rules) -> InboxRow:
    who = Who(person.login, frozenset(person.roles), person.unit)
    same = {name: row[name] for name in InboxRow.model_fields if name in row}
    return InboxRow(
        task=task(State(row["state"]), row["department"], row["proposal"], row["machines"], who),
        left=_left(clock, now, rules) if clock else None,
        reminded=clock["reminded"] if clock else 0,
        proposed=row["proposal"]["event"] if row["proposal"] else None,
        **same,
    )


def _left(clock: RowMapping, now: datetime, rules: Rules) -> TimeLeft:
    told = left(clock["unit"], clock["due_at"], now, rules)
    return TimeLeft(
        amount=told.amount,
        unit=told.unit,
        over=told.over,
        clock=clock["name"],
        provisional=clock["provisional"],
    )
