"""Rules, alarms and what is to be told of them, in SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.store.tables import alarm_rules, alarms, webhook_outbox


async def rules(connection: AsyncConnection) -> Sequence[Row[Any]]:
    return (await connection.execute(select(alarm_rules).order_by(alarm_rules.c.code))).all()


async def put_rule(connection: AsyncConnection, rule: dict[str, Any]) -> None:
    """Make a rule, or change the one of that code."""
    statement = upsert(alarm_rules).values(rule | {"changed_at": func.now()})
    await connection.execute(
        statement.on_conflict_do_update(index_elements=[alarm_rules.c.code], set_=statement.excluded)
    )


async def drop_rule(connection: AsyncConnection, code: str) -> bool:
    """Remove a rule; False when there is none."""
    return bool((await connection.execute(delete(alarm_rules).where(alarm_rules.c.code == code))).rowcount)


async def open_alarms(connection: AsyncConnection) -> Sequence[Row[Any]]:
    return (await connection.execute(select(alarms).where(alarms.c.cleared_at.is_(None)))).all()


async def history(connection: AsyncConnection, most: int) -> Sequence[Row[Any]]:
    """The last alarms, newest first."""
    return (await connection.execute(select(alarms).order_by(alarms.c.raised_at.desc(), alarms.c.id).limit(most))).all()


async def keep(connection: AsyncConnection, alarm: dict[str, Any]) -> None:
    """Write an alarm as it stands; twice is once, and what is known of its end stays."""
    statement = upsert(alarms).values(alarm)
    known = {
        name: func.coalesce(alarms.c[name], statement.excluded[name]) for name in ("cleared_at", "acked_by", "acked_at")
    }
    await connection.execute(statement.on_conflict_do_update(index_elements=[alarms.c.id], set_=known))


async def post(connection: AsyncConnection, urls: Sequence[str], alarm: UUID, event: str, body: str) -> None:
    """Put a telling of this event to each address into the outbox; twice is once."""
    if urls:
        rows = [{"url": url, "alarm_id": alarm, "event": event, "body": body} for url in urls]
        await connection.execute(upsert(webhook_outbox).on_conflict_do_nothing(), rows)


async def take(connection: AsyncConnection, most: int, lease: float) -> Sequence[Row[Any]]:
    """Tellings that are due. Each is taken for `lease` seconds: another one, or a later try, takes it only then."""
    box = webhook_outbox.c
    due = (
        select(box.id)
        .where(box.sent_at.is_(None), box.given_up_at.is_(None), box.due_at <= func.now())
        .order_by(box.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    taken = (
        update(webhook_outbox)
        .where(box.id.in_(due))
        .values(due_at=func.now() + text(f"interval '{lease:g} seconds'"), tries=box.tries + 1)
        .returning(webhook_outbox)
    )
    return sorted((await connection.execute(taken)).all(), key=lambda row: row.id)


async def told(connection: AsyncConnection, key: int) -> None:
    await connection.execute(
        update(webhook_outbox).where(webhook_outbox.c.id == key).values(sent_at=func.now(), error="")
    )


async def not_told(connection: AsyncConnection, key: int, error: str, again_at: datetime | None) -> None:
    """It failed; None: it is given up."""
    values = {"error": error[:200]} | ({"due_at": again_at} if again_at else {"given_up_at": func.now()})
    await connection.execute(update(webhook_outbox).where(webhook_outbox.c.id == key).values(values))


async def outbox(connection: AsyncConnection) -> tuple[int, int]:
    """How many tellings wait, and how many were given up in the last day."""
    box = webhook_outbox.c
    waiting = func.count().filter(box.sent_at.is_(None), box.given_up_at.is_(None))
    lost = func.count().filter(box.given_up_at > func.now() - text("interval '1 day'"))
    found = (await connection.execute(select(waiting, lost))).one()
    return found[0], found[1]
