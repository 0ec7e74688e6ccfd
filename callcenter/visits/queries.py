"""What is asked of orders that wait for a visit. Every value is a bound parameter."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Integer,
    RowMapping,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.people.permissions import Person
from callcenter.privacy.queries import concerning, unconcerned
from callcenter.store.tables import Moment, order_history, order_policies, orders
from callcenter.visits.flow import BORDERS, EVENTS, Counted, Slot
from callcenter.workorders.deadlines import MEASURES
from callcenter.workorders.guards import part_of_day
from callcenter.workorders.order import State

WAITING: Final = (State.PENDING_VISIT, State.VISIT_RETRY)
#: Written into the query, so that the planner sees which index holds them.
_EVENTS: Final[Any] = bindparam("events", EVENTS, expanding=True, literal_execute=True)
USUAL_TRIES: Final = MEASURES["VISIT-TRIES"].value
_LATER_AT: Final = orders.c.visit["later_at"].astext


async def most_tries(connection: AsyncConnection) -> dict[int, int]:
    """How often a citizen is tried, by version of the policies; one that does not say so has the release's."""
    body = order_policies.c.body["VISIT-TRIES"]
    query = select(order_policies.c.version, func.coalesce(body[0].astext.cast(Integer), USUAL_TRIES))
    return {row[0]: row[1] for row in await connection.execute(query)}


async def waiting(
    connection: AsyncConnection,
    now: datetime,
    slot: Slot | None,
    most: Mapping[int, int],
    *,
    open_now: bool,
    limit: int,
    person: Person | None = None,
) -> tuple[Sequence[RowMapping], int]:
    """Orders to be visited now, or those not yet: first what was promised, then by what is due first; and how many.

    Args:
        now: in the city's time zone; `slot`: the hours of visits that it is.
        most: see `most_tries`.
        person: who looks; None for all that wait, those that complain of somebody too.
    """
    wanted = and_(orders.c.state.in_(WAITING), orders.c.due_at.is_not(None), _open(now, slot, most, open_now=open_now))
    if person is not None:
        wanted = and_(wanted, unconcerned(person))
    count = await connection.scalar(select(func.count()).select_from(orders).where(wanted))
    promised = case((_LATER_AT.is_not(None), 0), else_=1)
    query = select(orders).where(wanted).order_by(promised, orders.c.due_at, orders.c.id).limit(limit)
    return (await connection.execute(query)).mappings().all(), count or 0


def _open(now: datetime, slot: Slot | None, most: Mapping[int, int], *, open_now: bool) -> ColumnElement[bool]:
    """The rule of flow.offer for now, so that a long list is not read whole."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    begun = midnight.replace(hour=BORDERS[part_of_day(now)][0] // 60)
    tries = func.unnest(orders.c.tries).column_valued("at")
    in_this_part = exists(select(tries).where(tries >= begun))
    on_other_days = exists(select(tries).where(tries < midnight))
    promised = and_(_LATER_AT.is_not(None), cast(_LATER_AT, Moment) <= now)
    usual: ColumnElement[bool] = false()
    # Orders keep the version that they began with; seldom does one differ in this.
    other = {version: tries for version, tries in most.items() if tries != USUAL_TRIES}
    tries_of = case(other, value=orders.c.policy, else_=USUAL_TRIES) if other else literal(USUAL_TRIES)
    tried = func.cardinality(orders.c.tries)
    if slot is not None:
        usual = and_(
            _LATER_AT.is_(None),
            ~in_this_part,
            tried < tries_of,
            or_(tried < tries_of - 1, on_other_days),
        )
    found = or_(promised, usual)
    return found if open_now else ~found


async def counted(connection: AsyncConnection, since: datetime, person: Person) -> list[Counted]:
    """What happened at visits since a moment, but of orders that complain of who looks."""
    given = order_history.c.given
    names = ("contacted", "resolved", "satisfied_result", "try_result")
    columns = [func.coalesce(given[name].astext, "").label(name) for name in names]
    told = (
        select(order_history.c.event, *columns)
        .where(order_history.c.at >= since, order_history.c.event.in_(_EVENTS))
        .where(order_history.c.order_id.not_in(concerning(person)))
        .subquery()
    )
    found = await connection.execute(select(*told.c, func.count()).group_by(*told.c))
    return [Counted._make(row) for row in found]


async def overdue(connection: AsyncConnection, now: datetime, person: Person) -> int:
    """Visits whose time is over, but of orders that complain of who looks."""
    late = (orders.c.state.in_(WAITING), orders.c.due_at < now, unconcerned(person))
    query = select(func.count()).select_from(orders).where(*late)
    return await connection.scalar(query) or 0
