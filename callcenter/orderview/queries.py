"""What is asked beside an order."""

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import BindParameter, RowMapping, Text, and_, any_, literal, or_, select, union
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.people.permissions import Person
from callcenter.store.tables import audit, calls, order_history, orders, recordings, segments, users
from callcenter.workorders.points import Point, about
from callcenter.workorders.queries import visible_to

Found = Sequence[RowMapping]

#: Dots on a map; more are no picture.
MOST_NEAR: Final = 100
#: Looks at one order that its page tells of.
MOST_REVEALS: Final = 200


async def calls_of(connection: AsyncConnection, order: RowMapping, *, limit: int) -> Found:
    """The call that an order came from, those in which its citizen urged or reopened it, and ours about it, in time."""
    named = order_history.c.given["call"].astext
    again = select(named).where(
        order_history.c.order_id == order["id"], order_history.c.event.in_(("repeat", "reopen"))
    )
    its = [order["call_id"], *(await connection.scalars(again))]
    wanted = or_(calls.c.id.in_(its), calls.c.origin.in_(its))
    query = select(calls).where(wanted).order_by(calls.c.arrived_at, calls.c.id).limit(limit)
    return (await connection.execute(query)).mappings().all()


async def segments_of(connection: AsyncConnection, call_ids: Iterable[str]) -> Found:
    query = select(segments).where(segments.c.call_id == any_(_texts(call_ids)))
    return (await connection.execute(query.order_by(segments.c.rung_at, segments.c.n))).mappings().all()


async def recordings_of(connection: AsyncConnection, call_ids: Iterable[str]) -> Found:
    """What is told of recordings."""
    told = (recordings.c.call_id, recordings.c.recorded_at, recordings.c.length_ms, recordings.c.gap)
    more = (recordings.c.gap_ms, recordings.c.hold, recordings.c.deleted_at)
    query = select(*told, *more).where(recordings.c.call_id == any_(_texts(call_ids)))
    return (await connection.execute(query)).mappings().all()


async def people_named(connection: AsyncConnection, order: RowMapping) -> Found:
    """Accounts of those who are named in an order or its history."""
    entries = select(order_history.c.who, order_history.c.second).where(order_history.c.order_id == order["id"])
    told = entries.subquery()
    logins = [order[name] for name in ("created_by", "handler", "follow_up_officer") if order[name]]
    if order["proposal"]:
        logins.append(order["proposal"]["login"])
    named = union(select(told.c.who), select(told.c.second).where(told.c.second.is_not(None)))
    query = select(users).where(or_(users.c.login.in_(named), users.c.login == any_(_texts(logins))))
    return (await connection.execute(query.order_by(users.c.login))).mappings().all()


async def people_of_unit(connection: AsyncConnection, unit: str | None, roles: Iterable[str]) -> Found:
    """Accounts in use with one of the roles; `unit`: of these people only."""
    query = select(users).where(users.c.active, users.c.roles.overlap(_texts(roles)))
    if unit is not None:
        query = query.where(users.c.unit == unit)
    return (await connection.execute(query.order_by(users.c.login))).mappings().all()


async def near(connection: AsyncConnection, order: RowMapping, point: Point, person: Person, reach: float) -> Found:
    """Open orders of the same leaf about a point that somebody may see, the newest first; not this one.

    `reach` in metres: some of those in the corners of its square are farther.
    """
    box = about(point, reach)
    wanted = and_(
        orders.c.category == order["category"],
        orders.c.lat.between(box.south, box.north),
        orders.c.lon.between(box.west, box.east),
        orders.c.due_at.is_not(None),
        orders.c.id != order["id"],
        visible_to(person),
    )
    columns = (orders.c.code, orders.c.subject, orders.c.state, orders.c.created_at, orders.c.lat, orders.c.lon)
    query = select(*columns).where(wanted).order_by(orders.c.created_at.desc(), orders.c.id).limit(MOST_NEAR)
    return (await connection.execute(query)).mappings().all()


async def reveals(connection: AsyncConnection, code: str, acts: Iterable[str]) -> Found:
    """Who has looked at who it came from, the first one first, by the audit log."""
    about = audit.c.what["code"].astext == code
    columns = (audit.c.id, audit.c.at, audit.c.act, audit.c.what["reason"].astext.label("reason"))
    names = (users.c.login, users.c.name_zh, users.c.name_en)
    query = select(*columns, *names).join(users, users.c.id == audit.c.user_id)
    query = query.where(about, audit.c.act == any_(_texts(acts))).order_by(audit.c.at, audit.c.id).limit(MOST_REVEALS)
    return (await connection.execute(query)).mappings().all()


def _texts(values: Iterable[str]) -> BindParameter[list[str]]:
    return literal(list(values), ARRAY(Text))
