"""Skills, queues' settings, services' ways and the guard's deadlines in SQL, and what a number's records say."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from agents.guard import GUARD, Act, Deadline
from agents.priority import LATELY, Earlier, Priority
from agents.queues import ENTERED, QUEUES, Queue
from agents.service_level import Outcome
from agents.skills import Level, default_levels
from callcenter.routing.plan import Plan, Worker
from callcenter.store.tables import (
    calls,
    guard_deadlines,
    orders,
    queue_settings,
    service_ways,
    skills,
    users,
)
from callcenter.workorders.order import State
from dialplan.routing import Way
from ivr.menu import MENU
from ivr.services import SERVICES


async def read_plan(connection: AsyncConnection) -> Plan:
    """Everything that supervisors may change, with the code's own data where there is no row."""
    people = (await connection.execute(select(users).where(users.c.active).order_by(users.c.login))).mappings().all()
    written: dict[str, dict[str, int]] = {}
    for row in (await connection.execute(select(skills))).mappings():
        written.setdefault(row["login"], {})[row["queue"]] = row["level"]
    settings = {row["queue"]: row for row in (await connection.execute(select(queue_settings))).mappings()}
    ways = {row["service"]: row for row in (await connection.execute(select(service_ways))).mappings()}
    seconds = {row["act"]: row["seconds"] for row in (await connection.execute(select(guard_deadlines))).mappings()}
    return Plan(
        workers={row["login"]: _worker(row, written.get(row["login"])) for row in people},
        queues=tuple(_queue(queue, settings.get(queue.code)) for queue in ENTERED),
        guard=tuple(Deadline(seconds.get(each.act, each.seconds), each.act) for each in GUARD),
        ways={service.code: _way(ways.get(service.code)) for service in SERVICES},
    )


def _worker(row: RowMapping, levels: Mapping[str, int] | None) -> Worker:
    known = {queue.code for queue in QUEUES}
    own = (
        default_levels(row["roles"])
        if levels is None
        else {queue: Level(level) for queue, level in levels.items() if level and queue in known}
    )
    return Worker(row["login"], row["name_zh"], row["name_en"], tuple(row["roles"]), own)


def _queue(queue: Queue, row: RowMapping | None) -> Queue:
    if row is None:
        return queue
    return queue._replace(ring=row["ring"], longest_wait=row["longest_wait"], most_waiting=row["most_waiting"])


def _way(row: RowMapping | None) -> Way:
    if row is None or row["queue"] not in {queue.code for queue in QUEUES}:
        return Way(MENU.queue, Priority.ELDERLY if row and row["elderly"] else None)
    return Way(row["queue"], Priority.ELDERLY if row["elderly"] else None)


async def write_levels(connection: AsyncConnection, login: str, levels: Mapping[str, int]) -> bool:
    """Write what a person serves, every queue of it; False when there is no such person."""
    if (await connection.execute(select(users.c.id).where(users.c.login == login).with_for_update())).first() is None:
        return False
    await connection.execute(delete(skills).where(skills.c.login == login))
    rows = [{"login": login, "queue": queue.code, "level": levels.get(queue.code, 0)} for queue in QUEUES]
    await connection.execute(insert(skills), rows)
    return True


async def write_queue(connection: AsyncConnection, row: dict[str, Any]) -> None:
    """A row of queue_settings."""
    statement = insert(queue_settings).values(row)
    await connection.execute(statement.on_conflict_do_update(index_elements=["queue"], set_=row))


async def write_way(connection: AsyncConnection, row: dict[str, Any]) -> None:
    """A row of service_ways."""
    statement = insert(service_ways).values(row)
    await connection.execute(statement.on_conflict_do_update(index_elements=["service"], set_=row))


async def write_guard(connection: AsyncConnection, seconds: Mapping[Act, int]) -> None:
    """The guard's deadlines, all of them."""
    await connection.execute(delete(guard_deadlines))
    await connection.execute(insert(guard_deadlines), [{"act": act, "seconds": each} for act, each in seconds.items()])


async def earlier_calls(connection: AsyncConnection, number_key: bytes, but: str, now: datetime) -> list[Earlier]:
    """The calls of a number within the last hour, without the one that is under way."""
    rows = await connection.execute(
        select(calls.c.arrived_at, calls.c.outcome)
        .where(calls.c.number_key == number_key, calls.c.id != but, calls.c.arrived_at >= now - LATELY)
        .order_by(calls.c.arrived_at.desc())
        .limit(20)
    )
    return [Earlier(arrived_at, Outcome(outcome) if outcome else None) for arrived_at, outcome in rows]


async def last_agent(connection: AsyncConnection, number_key: bytes) -> str | None:
    """Who took down the latest open matter of a number: that order's author."""
    call = select(calls.c.id).where(calls.c.number_key == number_key)
    found = await connection.execute(
        select(orders.c.created_by)
        .where(or_(orders.c.callback_key == number_key, orders.c.call_id.in_(call)))
        .where(orders.c.state != State.ANSWERED.value)
        .order_by(orders.c.created_at.desc())
        .limit(1)
    )
    login: str | None = found.scalar()
    return login
