"""What is asked of the outbox (通知待发) and of the templates."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import RowMapping, and_, any_, bindparam, delete, exists, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.notices.flow import SKIPS, TEMPLATES, Template
from callcenter.people.permissions import Person
from callcenter.privacy.queries import identity_of
from callcenter.store.pages import place
from callcenter.store.tables import (
    calls,
    identities,
    notice_optouts,
    notice_templates,
    order_history,
    order_notices,
    orders,
)
from callcenter.workorders.queries import visible_to

Found = Sequence[RowMapping]
_N: Final = order_notices.c
_UNSENT: Final = and_(_N.sent_at.is_(None), _N.given_up_at.is_(None))
_FAILED: Final = and_(_N.given_up_at.is_not(None), _N.error != func.all(literal(sorted(SKIPS), ARRAY(TEXT))))


async def drop_stale(connection: AsyncConnection, before: datetime, now: datetime) -> int:
    """Give up what should have gone out before; how many there were."""
    stale = update(order_notices).where(_UNSENT, _N.due_at < before).values(given_up_at=now, error="too_old")
    return (await connection.execute(stale)).rowcount


async def take(connection: AsyncConnection, now: datetime, lease: timedelta, most: int) -> Found:
    """Notices that are due, with what their texts need. Nobody else takes them before the lease is over."""
    due = select(_N.id).where(_UNSENT, _N.due_at <= now).order_by(_N.due_at, _N.id).limit(most)
    ids = list(await connection.scalars(due.with_for_update(skip_locked=True)))
    if not ids:
        return []
    chosen = _N.id == any_(literal(ids, ARRAY(_N.id.type)))
    await connection.execute(update(order_notices).where(chosen).values(due_at=now + lease, tries=_N.tries + 1))
    columns = (
        *(_N.id, _N.n, _N.recipient, _N.what, _N.template, _N.facts, _N.tries, _N.order_id),
        *(orders.c.code, orders.c.check_code, orders.c.kind, orders.c.urgency, orders.c.confidential),
        *(orders.c.anonymous, orders.c.callback_number, orders.c.callback_key),
        calls.c.number,
        calls.c.number_key,
        calls.c.language,
        order_history.c.given,
        *(identities.c.key_id, identities.c.sealed, identities.c.caller),
        exists()
        .where(
            notice_optouts.c.number_key
            == func.coalesce(orders.c.callback_key, identities.c.callback_key, calls.c.number_key)
        )
        .label("opted_out"),
    )
    query = (
        select(*columns)
        .join(orders, orders.c.id == _N.order_id)
        .outerjoin(identities, identities.c.order_id == orders.c.id)
        .outerjoin(calls, calls.c.id == orders.c.call_id)
        .outerjoin(order_history, and_(order_history.c.order_id == _N.order_id, order_history.c.n == _N.n))
        .where(chosen)
        .order_by(_N.id)
    )
    return (await connection.execute(query)).mappings().all()


async def note(connection: AsyncConnection, notes: Iterable[tuple[int, dict[str, Any]]]) -> None:
    """Write down what became of notices, but of those that were sent or given up meanwhile."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for notice, values in notes:
        alike.setdefault(tuple(sorted(values)), []).append(values | {"of_notice": notice})
    for rows in alike.values():
        await connection.execute(update(order_notices).where(_N.id == bindparam("of_notice"), _UNSENT), rows)


async def waiting(connection: AsyncConnection, now: datetime) -> tuple[int, datetime | None]:
    """How many notices wait, and since when the oldest of those that are due."""
    oldest = func.min(_N.due_at).filter(_N.due_at <= now)
    found = (await connection.execute(select(func.count(), oldest).where(_UNSENT))).one()
    return found[0], found[1]


async def untold(connection: AsyncConnection, since: datetime) -> int:
    """How many notices were given up since then and were not sent again."""
    query = select(func.count()).select_from(order_notices).where(_FAILED, _N.given_up_at >= since)
    return await connection.scalar(query) or 0


async def of_order(connection: AsyncConnection, order_id: Any) -> Found:
    """All notices of an order, in their order."""
    query = select(order_notices).where(_N.order_id == order_id).order_by(_N.id)
    return (await connection.execute(query)).mappings().all()


async def failed(connection: AsyncConnection, person: Person, *, limit: int, before: str | None) -> Found:
    """A page of notices that were given up, the last first, of orders that somebody may see."""
    wanted = [_FAILED, visible_to(person)]
    if before:
        at, notice = place(before)
        wanted.append(tuple_(_N.given_up_at, _N.id) < tuple_(at, int(notice)))
    query = (
        select(order_notices, orders.c.code)
        .join(orders, orders.c.id == _N.order_id)
        .where(*wanted)
        .order_by(_N.given_up_at.desc(), _N.id.desc())
        .limit(limit)
    )
    return (await connection.execute(query)).mappings().all()


async def again(connection: AsyncConnection, notice: int, person: Person, now: datetime) -> str | None:
    """Let a notice that was given up be tried anew; its order's code, or None when there is none to be tried."""
    of_seen = select(orders.c.code).where(orders.c.id == _N.order_id, visible_to(person)).scalar_subquery()
    renewed = (
        update(order_notices)
        .where(_N.id == notice, _FAILED, of_seen.is_not(None))
        .values(given_up_at=None, tries=0, due_at=now, error="")
        .returning(of_seen)
    )
    code: str | None = await connection.scalar(renewed)
    return code


# --- templates --------------------------------------------------------------------------------------------------------


async def templates(connection: AsyncConnection) -> dict[str, Template]:
    """The templates as they are now, by code."""
    rows = await connection.execute(select(notice_templates).order_by(notice_templates.c.version))
    found = dict(TEMPLATES)
    for row in rows:
        if (was := TEMPLATES.get(row.code)) is not None:
            found[row.code] = Template(row.code, was.name_zh, was.name_en, row.zh, row.en, row.version)
    return found


async def template_history(connection: AsyncConnection, code: str) -> Found:
    """The versions that a city has made of a template, the last first."""
    query = select(notice_templates).where(notice_templates.c.code == code)
    return (await connection.execute(query.order_by(notice_templates.c.version.desc()))).mappings().all()


async def add_template(connection: AsyncConnection, row: dict[str, Any]) -> bool:
    """Add a version; False when somebody was faster."""
    added = await connection.execute(
        upsert(notice_templates).values(row).on_conflict_do_nothing().returning(notice_templates.c.version)
    )
    return added.first() is not None


# --- who wants none ---------------------------------------------------------------------------------------------------


async def number_key_of(connection: AsyncConnection, order: RowMapping) -> bytes | None:
    """The blind index of the number to which an order's texts go; None when there is none."""
    if order["callback_key"] is not None:
        return bytes(order["callback_key"])
    kept = await identity_of(connection, order["id"]) if order["confidential"] else None
    if kept is not None and kept["callback_key"] is not None:
        return bytes(kept["callback_key"])
    key: bytes | None = await connection.scalar(select(calls.c.number_key).where(calls.c.id == order["call_id"]))
    return key


async def opted_out(connection: AsyncConnection, key: bytes | None) -> bool:
    found = select(notice_optouts.c.at).where(notice_optouts.c.number_key == key)
    return key is not None and await connection.scalar(found) is not None


async def opt_out(connection: AsyncConnection, key: bytes, by: str, now: datetime) -> None:
    """Send no more texts to a number; twice is once."""
    row = {"number_key": key, "by": by, "at": now}
    await connection.execute(upsert(notice_optouts).values(row).on_conflict_do_nothing())


async def opt_in(connection: AsyncConnection, key: bytes) -> None:
    await connection.execute(delete(notice_optouts).where(notice_optouts.c.number_key == key))
