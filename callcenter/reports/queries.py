"""What the figures read from the ledger, and those of a unit from its orders."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, RowMapping, and_, cast, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import LateralFromClause

from agents.service_level import ABANDONED, ANSWER_TARGET_MS, Outcome, Tally
from callcenter.people.permissions import Person
from callcenter.privacy.queries import unconcerned
from callcenter.reports.tally import MinuteRow
from callcenter.store.tables import calls, order_clocks, order_history, orders
from callcenter.workorders.order import YELLOW
from callcenter.workorders.queries import WITH_UNIT


async def minutes(connection: AsyncConnection, since: datetime, until: datetime) -> list[MinuteRow]:
    """Calls that arrived since `since` and ended before `until`, by minute of arrival and service."""
    minute = cast(func.floor(func.extract("epoch", calls.c.arrived_at) / 60), BigInteger)
    answered = calls.c.outcome == Outcome.ANSWERED
    count = func.count()
    rows = await connection.execute(
        select(
            minute,
            calls.c.service,
            count,
            count.filter(answered),
            count.filter(answered, calls.c.wait_ms <= ANSWER_TARGET_MS),
            count.filter(answered, calls.c.wait_from_invite_ms <= ANSWER_TARGET_MS),
            count.filter(calls.c.outcome.in_(ABANDONED)),
            count.filter(calls.c.outcome == Outcome.CALLBACK),
        )
        .where(calls.c.arrived_at >= since, calls.c.ended_at < until, calls.c.outcome.is_not(None))
        .where(calls.c.direction == "in")
        .group_by(minute, calls.c.service)
    )
    return [
        MinuteRow(at, service, Tally(offered, got, timely, prompt, gone, back, offered - got - gone - back))
        for at, service, offered, got, timely, prompt, gone, back in rows
    ]


async def of_unit(
    connection: AsyncConnection, person: Person, unit: str, since: datetime, now: datetime
) -> dict[str, int]:
    """Orders that a unit led and that were filed since, by what became of them; see reports/routes.py."""
    told, count = orders.c, func.count()
    reply, sign, contact = (_latest(name) for name in ("T-REPLY", "T-SIGN", "T-CONTACT"))
    # Who was signed for by the clock did not sign; a unit that leads after another signs by its own clock.
    replied, signed = (
        select(pick(order_history.c.at))
        .where(order_history.c.order_id == told.id, order_history.c.event == event)
        .scalar_subquery()
        for pick, event in ((func.min, "reply"), (func.max, "sign"))
    )
    names = ("due_at", "state", "returns", "rehandles", "urge_level", "visit", "closing", "contacted_at")
    led = (
        select(*(told[name] for name in names))
        .add_columns(replied.label("replied_at"), signed.label("signed_at"))
        .add_columns(reply.c.first_due_at, reply.c.extended, reply.c.due_at.label("reply_due"))
        .add_columns(sign.c.started_at.label("sent_at"), sign.c.due_at.label("sign_due"))
        .add_columns(contact.c.due_at.label("contact_due"))
        .select_from(orders.outerjoin(reply, true()).outerjoin(sign, true()).outerjoin(contact, true()))
        .where(told.department == unit, told.created_at >= since, told.dispatched_by.is_not(None), unconcerned(person))
        .subquery()
    ).c
    visit, good = led.visit, ("yes", "basically")
    visited = visit.has_key("satisfied_result")
    signed_in_time = and_(led.signed_at >= led.sent_at, led.signed_at <= led.sign_due)
    contacted_in_time = led.contacted_at <= led.contact_due
    replied_in_time = led.replied_at <= led.reply_due
    over = led.state.in_(("closed", "archived"))
    query = select(
        count.label("orders"),
        count.filter(led.due_at.is_not(None)).label("open"),
        count.filter(led.due_at < now).label("overdue"),
        count.filter(over).label("closed"),
        count.filter(led.replied_at.is_not(None)).label("replied"),
        count.filter(led.replied_at <= led.first_due_at).label("on_time"),
        count.filter(or_(led.sign_due < now, signed_in_time)).label("sign_due"),
        count.filter(signed_in_time).label("signed"),
        count.filter(or_(led.contact_due < now, contacted_in_time)).label("contact_due"),
        count.filter(contacted_in_time).label("contacted"),
        count.filter(or_(led.reply_due < now, replied_in_time)).label("reply_due"),
        count.filter(replied_in_time).label("in_time"),
        count.filter(led.extended > 0).label("extended"),
        count.filter(led.returns > 0).label("returned"),
        count.filter(led.rehandles > 0).label("rehandled"),
        count.filter(over, led.rehandles > 0).label("closed_again"),
        count.filter(over, led.closing == "unreasonable").label("unreasonable"),
        count.filter(led.urge_level.between(1, 2)).label("urged"),
        count.filter(led.urge_level >= YELLOW).label("carded"),
        count.filter(visited).label("visited"),
        count.filter(visit["resolved"].astext == "yes").label("resolved"),
        count.filter(visit["resolved"].astext.in_(good)).label("resolved_broad"),
        count.filter(visit["satisfied_result"].astext == "yes").label("satisfied"),
        count.filter(visit["satisfied_result"].astext.in_(good)).label("satisfied_broad"),
        count.filter(led.closing == "unreachable").label("unreachable"),
    )
    return dict((await connection.execute(query)).mappings().one())


def _latest(name: str) -> LateralFromClause:
    """An order's latest clock of a name, read by the order's key."""
    clock = order_clocks.c
    return (
        select(clock.started_at, clock.due_at, clock.first_due_at, clock.extended)
        .where(clock.order_id == orders.c.id, clock.name == name)
        .order_by(clock.n.desc())
        .limit(1)
        .lateral()
    )


async def stages_of(
    connection: AsyncConnection, person: Person, unit: str, now: datetime, midnight: datetime
) -> Sequence[RowMapping]:
    """A unit's orders in hand, by step; see reports/routes.py."""
    told, count = orders.c, func.count()
    query = (
        select(
            told.state,
            count.label("count"),
            count.filter(told.due_at < now).label("overdue"),
            count.filter(told.due_at >= now, told.due_at <= midnight).label("today"),
            func.min(told.state_since).label("oldest"),
        )
        .where(told.department == unit, told.due_at.is_not(None), told.state.in_(WITH_UNIT), unconcerned(person))
        .group_by(told.state)
    )
    found = {row["state"]: row for row in (await connection.execute(query)).mappings()}
    return [found[state] for state in WITH_UNIT if state in found]


async def waits(connection: AsyncConnection, since: datetime, until: datetime) -> Sequence[int]:
    """Milliseconds waited by the answered calls that ended in this time."""
    rows = await connection.execute(
        select(calls.c.wait_ms)
        .where(calls.c.ended_at >= since, calls.c.ended_at < until, calls.c.wait_ms.is_not(None))
        .where(calls.c.direction == "in")
    )
    return rows.scalars().all()
