"""The audit log in SQL: what is to be chained, the chain itself, and what an auditor asks of it."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    RowMapping,
    Select,
    Text,
    any_,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.audit.flow import BEGINNING, Broken, Head, Link, Told, link
from callcenter.store.pages import place
from callcenter.store.tables import audit, audit_chain, audit_unsealed, users

_ONE_AT_A_TIME: Final = 12347  # advisory lock: the chain grows at one end
WALKED: Final = 5_000
_CODE: Final = re.compile("[0-9]{12}[0-9A-Z]")

_AT: Final = cast(func.extract("epoch", audit.c.at) * 1_000_000, BigInteger)
_TOLD: Final = (audit.c.id, _AT, audit.c.user_id, audit.c.act, cast(audit.c.what, Text))


async def seal(connection: AsyncConnection, most: int) -> tuple[int, Head]:
    """Put up to `most` rows that wait at the end of the chain, in the order of their ids.

    Returns how many there were, and the chain's end. A row that was deleted while it waited stays among those that
    wait: the walk names it.
    """
    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
    head = await last(connection)
    waiting = select(*_TOLD).join(audit_unsealed, audit_unsealed.c.audit_id == audit.c.id)
    rows = [Told(*row) for row in await connection.execute(waiting.order_by(audit.c.id).limit(most))]
    if not rows:
        return 0, head
    links, before = [], head.hash
    for n, row in enumerate(rows, head.n + 1):
        before = link(before, n, row)
        links.append({"n": n, "audit_id": row.id, "hash": before})
    await connection.execute(insert(audit_chain), links)
    done = literal([row.id for row in rows], ARRAY(BigInteger))
    await connection.execute(delete(audit_unsealed).where(audit_unsealed.c.audit_id == any_(done)))
    return len(rows), Head(head.n + len(rows), before)


async def last(connection: AsyncConnection) -> Head:
    """The chain's end; place 0 before there is any."""
    query = select(audit_chain.c.n, audit_chain.c.hash).order_by(audit_chain.c.n.desc()).limit(1)
    row = (await connection.execute(query)).first()
    return Head(row.n, row.hash) if row is not None else Head(0, BEGINNING)


async def goes_through(connection: AsyncConnection, head: Head) -> bool:
    """Whether the chain still has this link at this place."""
    there = await connection.scalar(select(audit_chain.c.hash).where(audit_chain.c.n == head.n))
    return there == head.hash or head.n == 0


async def unsealed(connection: AsyncConnection) -> int:
    """How many rows wait to be chained."""
    return await connection.scalar(select(func.count()).select_from(audit_unsealed)) or 0


async def links(connection: AsyncConnection) -> AsyncIterator[list[Link]]:
    """The whole chain, from its beginning, a few thousand links at a time."""
    after = 0
    while True:
        chain = audit_chain.c
        query = select(chain.n, chain.audit_id, chain.hash, *_TOLD).outerjoin(audit, audit.c.id == chain.audit_id)
        found = (await connection.execute(query.where(chain.n > after).order_by(chain.n).limit(WALKED))).all()
        if not found:
            return
        yield [Link(row[0], row[1], row[2], Told(*row[3:]) if row[3] is not None else None) for row in found]
        after = found[-1][0]


async def outside(connection: AsyncConnection) -> Broken | None:
    """A row that is neither chained nor waits for it, or that waits and is gone."""
    chained = select(audit_chain.c.audit_id).where(audit_chain.c.audit_id == audit.c.id).exists()
    waits = select(audit_unsealed.c.audit_id).where(audit_unsealed.c.audit_id == audit.c.id).exists()
    lost = await connection.scalar(select(audit.c.id).where(~chained, ~waits).order_by(audit.c.id).limit(1))
    if lost is not None:
        return Broken((await last(connection)).n + 1, lost, "unsealed")
    there = select(audit.c.id).where(audit.c.id == audit_unsealed.c.audit_id).exists()
    gone = await connection.scalar(select(audit_unsealed.c.audit_id).where(~there).limit(1))
    return Broken((await last(connection)).n + 1, gone, "missing") if gone is not None else None


# --- what an auditor asks ---------------------------------------------------------------------------------------------


def _rows() -> Select[*tuple[Any, ...]]:
    named = (users.c.login, users.c.name_zh, users.c.name_en)
    chain = (audit_chain.c.n, audit_chain.c.hash)
    query = select(audit.c.id, audit.c.at, audit.c.act, audit.c.what, *named, *chain)
    return query.outerjoin(users, users.c.id == audit.c.user_id).outerjoin(
        audit_chain, audit_chain.c.audit_id == audit.c.id
    )


async def find(
    connection: AsyncConnection,
    *,
    limit: int,
    before: str | None = None,
    person: str | None = None,
    act: str | None = None,
    about: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Sequence[RowMapping]:
    """A page of the audit, newest first. `person`: a login; `about`: an order's code, a call's id, or a login."""
    query = _rows()
    if before:
        at, row_id = place(before)
        query = query.where(tuple_(audit.c.at, audit.c.id) < tuple_(at, int(row_id)))
    if person:
        query = query.where(audit.c.user_id == select(users.c.id).where(users.c.login == person).scalar_subquery())
    if act:
        query = query.where(audit.c.act == act)
    if about:
        names = ("code",) if _CODE.fullmatch(about) else ("call", "callback") if "." in about else ("login", "number")
        query = query.where(or_(*(audit.c.what[name].astext == about for name in names)))
    if since:
        query = query.where(audit.c.at >= since)
    if until:
        query = query.where(audit.c.at < until)
    query = query.order_by(audit.c.at.desc(), audit.c.id.desc()).limit(limit)
    return (await connection.execute(query)).mappings().all()


async def acts(connection: AsyncConnection) -> list[str]:
    """Every act that is on record; found along the index, one step for each."""
    step = text(
        """
        WITH RECURSIVE known AS (
            (SELECT act FROM audit ORDER BY act LIMIT 1)
            UNION ALL
            SELECT (SELECT act FROM audit WHERE act > known.act ORDER BY act LIMIT 1) FROM known WHERE act IS NOT NULL
        )
        SELECT act FROM known WHERE act IS NOT NULL
        """
    )
    return list(await connection.scalars(step))
