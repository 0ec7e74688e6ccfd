"""How people spent their day at a seat, from the ledger, and the limits of breaks.

Moments are exact; lengths are whole milliseconds.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import RowMapping, case, func, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from agents.breaks import FIRST, Limit, Rules
from agents.seats import BREAKS
from agents.service_level import ANSWER_TARGET_MS
from callcenter.store.tables import break_rules, calls, seat_states, segments

#: No state of a seat is older than this and still of the day.
_LONGEST: Final = timedelta(days=1)


async def time_in_states(
    connection: AsyncConnection, login: str, start: datetime, end: datetime, *, over: bool = False
) -> dict[tuple[str, str | None], tuple[int, int]]:
    """(state, reason of a break) -> milliseconds spent in it between two moments, and how often it began.

    Args:
        over: only states that have ended.
    """
    own = seat_states.c
    began, ended = func.greatest(own.since, start), func.least(func.coalesce(own.until, end), end)
    length = func.extract("epoch", ended - began) * 1000
    query = (
        select(own.state, own.reason, func.sum(length), func.count().filter(own.since >= start))
        .where(own.login == login, own.since >= start - _LONGEST, own.since < end)
        .where(func.coalesce(own.until, end) > start)
        .group_by(own.state, own.reason)
    )
    if over:
        query = query.where(own.until.is_not(None))
    return {(state, reason): (round(ms), n) for state, reason, ms, n in await connection.execute(query)}


async def own_calls(connection: AsyncConnection, login: str, start: datetime, end: datetime) -> RowMapping:
    """What somebody answered between two moments: `taken`, `talk_ms` together, `talks` that are over, `missed` rings;
    of the calls that this person answered first, `first` in all and `in_time`."""
    own = segments.c
    talked = own.answered_at.is_not(None)
    first = case((calls.c.login == login, calls.c.wait_ms), else_=None)
    query = (
        select(
            func.count().filter(talked).label("taken"),
            func.coalesce(func.sum(own.talk_ms), 0).label("talk_ms"),
            func.count(own.talk_ms).label("talks"),
            func.count().filter(own.how == "missed").label("missed"),
            func.count(first).filter(talked).label("first"),
            func.count().filter(talked, first <= ANSWER_TARGET_MS).label("in_time"),
        )
        .join(calls, calls.c.id == own.call_id)
        .where(own.login == login, own.rung_at >= start, own.rung_at < end)
    )
    return (await connection.execute(query)).mappings().one()


async def newest_break_rules(connection: AsyncConnection) -> tuple[int, Rules]:
    """The limits of breaks and their version; 0 and the first ones when nobody has changed them."""
    query = select(break_rules.c.version, break_rules.c.body).order_by(break_rules.c.version.desc()).limit(1)
    row = (await connection.execute(query)).first()
    if row is None:
        return 0, FIRST
    told = {each["code"]: Limit(**each) for each in row.body["limits"]}
    # A reason that this release knows, and that one did not.
    limits = tuple(told.get(code) or FIRST.of(code) or Limit(code, None, None, False) for code in BREAKS)
    return row.version, Rules(limits, row.body["share"], row.body["least"])


async def add_break_rules(connection: AsyncConnection, rules: Rules, after: int, by: str, at: datetime) -> bool:
    """Add the version that follows `after`; False when somebody else has added it."""
    if (await newest_break_rules(connection))[0] != after:
        return False
    body = {"limits": [limit._asdict() for limit in rules.limits], "share": rules.share, "least": rules.least}
    added = upsert(break_rules).values(version=after + 1, body=body, by=by, at=at).on_conflict_do_nothing()
    return (await connection.execute(added.returning(literal(1)))).first() is not None
