"""The sweep (巡检) over clocks: reminders, and what an end of time causes. Any number of services may sweep at once.

An order says in `wake_at` when it must be looked at; whoever looks holds its row, and others pass it by. What a clock
has told stands in its row, written together with the notice or the event, so nothing is told twice or lost, whoever is
killed in between. What came due while nobody swept is told late, by its last stage.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from callcenter import metrics
from callcenter.clock import iso
from callcenter.store.engine import DatabaseAway, is_absence, within
from callcenter.workorders import queries
from callcenter.workorders.deadlines import END, Rules, due_moments, kind_of, next_at, reckoned, stages, told
from callcenter.workorders.effects import OVERDUE
from callcenter.workorders.flow import TABLE, Refused
from callcenter.workorders.move import MASTER_ENDS, MASTER_PASSED, apply, finish, finish_many, notice_row, orders_of
from callcenter.workorders.order import RED, SYSTEM, WRITTEN, Clock, Order, State
from callcenter.workorders.policies import ASKED, Policies
from callcenter.workorders.queries import Traces

EVERY: Final = 2.0
AT_ONCE: Final = 50
SECONDS: Final = 20.0
#: After this a row that could not be dealt with is tried again.
AGAIN: Final = timedelta(minutes=5)

log = structlog.get_logger()
Woken = Sequence[tuple[RowMapping, Order]]


async def keep(engine: AsyncEngine, policies: Policies, now: Callable[[], datetime]) -> None:
    """Sweep for ever, and reckon provisional limits again at the start and whenever a notice has been loaded."""
    settled: tuple[datetime | None] | None = None
    while True:
        try:
            if settled != (loaded := (await within(SECONDS, _loaded(engine, policies)),)):
                after: UUID | None = UUID(int=0)
                while after is not None:
                    after = await within(SECONDS, settle(engine, policies, now(), after))
                settled = loaded
            while await within(SECONDS, sweep(engine, policies, now())) == AT_ONCE:
                pass
        except DatabaseAway as error:
            log.warning("sweep_waits", why=str(error))
        await asyncio.sleep(EVERY)


async def sweep(engine: AsyncEngine, policies: Policies, now: datetime, limit: int = AT_ONCE) -> int:
    """Deal with orders that are waited for, at most `limit`, in one transaction; how many there were."""
    async with engine.begin() as connection:
        rows = await queries.lock_woken(connection, now, limit)
        if not rows:
            return 0
        woken = list(zip(rows, await orders_of(connection, rows), strict=True))
        try:
            async with connection.begin_nested():
                await _wake(connection, policies, woken, now)
        except Exception as error:
            if is_absence(error):
                raise
            await _wake_each(connection, policies, woken, now)
    metrics.ORDERS_SWEPT.inc(len(rows))
    return len(rows)


async def settle(engine: AsyncEngine, policies: Policies, now: datetime, after: UUID) -> UUID | None:
    """Reckon the provisional limits (暂定时限) of some orders again, by the calendar as it is now.

    Returns the last of them, to go on after; None when there are no more. Whose limit has moved is told.
    """
    at = now.astimezone(policies.zone)
    async with engine.begin() as connection:
        rows = await queries.lock_provisional(connection, after, AT_ONCE)
        for row, order in zip(rows, await orders_of(connection, rows), strict=True):
            rules = await policies.rules(connection, order.policy)
            clocks = tuple(reckoned(clock, rules) if clock.ended_at is None else clock for clock in order.clocks)
            if clocks == order.clocks:
                continue
            moved = replace(order, clocks=clocks)
            was, now_due = order.clock("T-REPLY"), moved.clock("T-REPLY")
            traces = Traces()
            if was and now_due and was.due_at != now_due.due_at and order.lead:
                facts = {"clock": "T-REPLY", "due": iso(now_due.due_at), "was": iso(was.due_at), "unit": order.lead}
                told = notice_row(row["id"], order.version, "lead", order.lead, "due_moved", facts, at)
                traces.notices.append(told)
            await finish(connection, row["id"], order, moved, traces, at, rules)
    return rows[-1]["id"] if rows else None


async def _loaded(engine: AsyncEngine, policies: Policies) -> datetime | None:
    async with engine.connect() as connection:
        await policies.newest(connection)
    return policies.calendar_at


async def _wake_each(connection: AsyncConnection, policies: Policies, woken: Woken, now: datetime) -> None:
    """Like `_wake`, one by one: one that cannot be dealt with must not hold up the others, and is not forgotten."""
    for row, order in woken:
        try:
            async with connection.begin_nested():
                await _wake(connection, policies, [(row, order)], now)
        except Exception as error:
            if is_absence(error):
                raise
            log.exception("order_not_swept", code=row["code"])
            await queries.update_order(connection, row["id"], {"wake_at": now + AGAIN})


async def _wake(connection: AsyncConnection, policies: Policies, woken: Woken, now: datetime) -> None:
    """Deal with orders, and write all of it at once."""
    at, traces, done = now.astimezone(policies.zone), Traces(), []
    calendar_at, newest = (await connection.execute(ASKED)).one()
    for row, before in woken:
        order, rules = before, await policies.rules(connection, before.policy, (calendar_at, newest))
        if order.state is State.MERGED and order.master is not None:
            order = await _follow_master(connection, row, order, at, rules, traces)
        # Each round tells one clock's stage, so there are few of them.
        while (place := _due(order, at, rules)) is not None:
            order = _tell(row, order, place, at, rules, traces)
        done.append((row["id"], before, order, rules))
        # Thousands may be due at midnight: who saves something has their turn after each.
        await asyncio.sleep(0)
    await finish_many(connection, done, traces, at)


async def _follow_master(
    connection: AsyncConnection, row: RowMapping, order: Order, at: datetime, rules: Rules, traces: Traces
) -> Order:
    """What was merged (并单) has its own visit when its master has passed; when that is gone, a person must decide."""
    master = await queries.order_by_code(connection, str(order.master))
    state = State(master["state"]) if master is not None else None
    if master is not None and state in MASTER_PASSED:
        lead = master["department"]
        given = {"lead": lead} if lead and lead not in row["complained_units"] else {}
        return apply(row["id"], order, "master_closed", SYSTEM, given, at, rules, traces)
    if state in MASTER_ENDS:
        facts = {"master": order.master}
        traces.notices.append(notice_row(row["id"], order.version, "dispatcher", "", "master_gone", facts, at))
    return order


def _due(order: Order, at: datetime, rules: Rules) -> int | None:
    """The place of the clock that waits longest, if one waits."""
    waiting = [(when, n) for n, clock in enumerate(order.clocks) if (when := next_at(clock, rules)) and when <= at]
    return min(waiting)[1] if waiting else None


def _stage(clock: Clock, at: datetime, rules: Rules) -> int:
    """The last stage up to its end that has come; after its end the one beyond."""
    if clock.reminded >= END:
        return stages(rules)[-1]
    if clock.over(at):
        return END
    return max(stage for stage in stages(rules) if stage < END and due_moments(clock, stage, rules) <= at)


def _tell(row: RowMapping, order: Order, place: int, at: datetime, rules: Rules, traces: Traces) -> Order:
    """Tell one clock's stage: by the event that it causes, else by a notice; a reply that is late by both (R90)."""
    clock = order.clocks[place]
    stage, kind = _stage(clock, at, rules), kind_of(clock)
    clocks = list(order.clocks)
    clocks[place] = told(clock, stage)
    order = replace(order, clocks=tuple(clocks))
    event, given = (kind.then, _GIVEN.get(kind.then, {})) if stage == END else ("", {})
    urges, urged = clock.name in _URGED, False
    if urges and (stage >= END or order.urge_level < WRITTEN):
        event, given = "urge", {"message": f"{stage}%" if stage < END else OVERDUE}
    if event and (order.state, event) in TABLE:
        try:
            order = apply(row["id"], order, event, SYSTEM, given, at, rules, traces)
        except Refused as refused:
            log.info("sweep_refused", code=order.code, act=event, why=refused.code)
        else:
            urged = urges
        if not urges or stage < END:
            return order
    facts: dict[str, Any] = {"clock": kind.name, "stage": stage, "due": iso(clock.due_at), "unit": order.lead}
    late = kind.late if kind.late != "centre" else "follow_up" if order.follow_up_officer else "supervisor"
    recipients = [kind.whose] if stage < END else [late] if urged else [kind.whose, late]
    if clock.name == "T-CARD" and stage >= END and order.urge_level >= RED:
        recipients.append("oversight")
    template = "time_runs" if stage < END else "time_is_over"
    traces.notices.extend(
        notice_row(row["id"], order.version, recipient, _what(order, recipient, clock), template, facts, at)
        for recipient in dict.fromkeys(recipients)
        if recipient and not (recipient == "citizen" and order.anonymous)
    )
    return order


#: Clocks of the handling unit, by which it is urged by itself (R90).
_URGED: Final = ("T-REPLY", "T-REHANDLE")
#: What the service gives with the events that it causes.
_GIVEN: Final = {"draft_supervision": {"card": "yellow", "reason": "书面催办逾期未答复"}}


def _what(order: Order, recipient: str, clock: Clock) -> str:
    if recipient == "co_unit":
        return clock.name.partition(":")[2]
    if recipient in ("lead", "unit_leader"):
        return order.lead or ""
    return order.follow_up_officer or "" if recipient == "follow_up" else ""
