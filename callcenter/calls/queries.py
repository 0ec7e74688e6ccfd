"""What is asked of the ledger. Every value is a bound parameter; the order of a list is fixed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    bindparam,
    exists,
    false,
    func,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.people.permissions import Person
from callcenter.privacy.queries import unconcerned
from callcenter.store.pages import place
from callcenter.store.tables import calls, guard_acts, orders, recordings, segments
from ivr.survey import BY_CODE as QUESTIONS

Found = Sequence[RowMapping]


def _records(person: Person | None) -> Select[*tuple[Any, ...]]:
    """Calls, newest first, each with the first order that came of it and that `person` may know of."""
    known = and_(orders.c.call_id == calls.c.id, tellable(person) if person else false())
    order = (
        select(orders.c.code.label("order_code"), orders.c.state.label("order_state"))
        .where(known)
        .order_by(orders.c.created_at)
        .limit(1)
        .lateral()
    )
    return select(calls, order).outerjoin(order, true()).order_by(calls.c.arrived_at.desc(), calls.c.id.desc())


def tellable(person: Person) -> ColumnElement[bool]:
    """Orders that may be told beside their call: not those that complain of who looks; confidential ones, to who wrote
    them. What else is in an order, workorders/queries.py lets see."""
    own = or_(~orders.c.confidential, orders.c.created_by == person.login)
    return and_(unconcerned(person), own)


async def find_calls(
    connection: AsyncConnection,
    *,
    limit: int,
    person: Person,
    before: str | None = None,
    between: tuple[datetime, datetime] | None = None,
    outcome: str | None = None,
    service: str | None = None,
    seat: str | None = None,
    number_key: bytes | None = None,
    login: str | None = None,
) -> Found:
    """A page of calls. `login`: only those that rang this person. `outcome` may be `open`: not ended."""
    query = _records(person).limit(limit)
    if before:
        query = query.where(tuple_(calls.c.arrived_at, calls.c.id) < tuple_(*place(before)))
    if between:
        query = query.where(calls.c.arrived_at >= between[0], calls.c.arrived_at < between[1])
    if outcome:
        query = query.where(calls.c.outcome.is_(None) if outcome == "open" else calls.c.outcome == outcome)
    if service:
        query = query.where(calls.c.service == service)
    if seat:
        query = query.where(calls.c.seat == seat)
    if number_key:
        query = query.where(calls.c.number_key == number_key)
    if login:
        query = query.where(exists().where(segments.c.call_id == calls.c.id, segments.c.login == login))
    return (await connection.execute(query)).mappings().all()


async def find_call(connection: AsyncConnection, call_id: str, person: Person | None = None) -> RowMapping | None:
    """One call; with its order when `person` may know of it."""
    return (await connection.execute(_records(person).where(calls.c.id == call_id))).mappings().first()


async def find_recording(connection: AsyncConnection, call_id: str) -> RowMapping | None:
    """What is told of a call's recording to whoever sees the call."""
    told = (recordings.c.recorded_at, recordings.c.length_ms, recordings.c.gap, recordings.c.gap_ms)
    query = select(*told, recordings.c.hold, recordings.c.deleted_at).where(recordings.c.call_id == call_id)
    return (await connection.execute(query)).mappings().first()


async def survey_figures(connection: AsyncConnection, between: tuple[datetime, datetime]) -> RowMapping:
    """Of the calls that arrived in this time: answered, asked, rated, and how many gave each answer."""
    count = func.count()
    query = select(
        count.filter(calls.c.answered_at.is_not(None)).label("answered"),
        count.filter(calls.c.surveyed_at.is_not(None)).label("asked"),
        count.filter(or_(calls.c.solved.is_not(None), calls.c.satisfied.is_not(None))).label("rated"),
        *(count.filter(calls.c.solved == word).label(word) for word in QUESTIONS["solved"].keys.values()),
        *(count.filter(calls.c.satisfied == word).label(word) for word in QUESTIONS["satisfied"].keys.values()),
    ).where(calls.c.arrived_at >= between[0], calls.c.arrived_at < between[1])
    return (await connection.execute(query)).mappings().one()


async def find_segments(connection: AsyncConnection, call_id: str) -> Found:
    query = select(segments).where(segments.c.call_id == call_id).order_by(segments.c.rung_at, segments.c.n)
    return (await connection.execute(query)).mappings().all()


async def find_guard_acts(connection: AsyncConnection, call_id: str) -> Found:
    query = select(guard_acts).where(guard_acts.c.call_id == call_id).order_by(guard_acts.c.at)
    return (await connection.execute(query)).mappings().all()


async def find_parties(connection: AsyncConnection, call_id: str) -> dict[str, bool]:
    """Who was rung for a call: login -> whether they talked."""
    return {row[0]: row[1] for row in await connection.execute(_PARTIES, {"of_call": call_id})}


async def number_key_of(connection: AsyncConnection, call_id: str) -> bytes | None:
    """By which the other calls of a call's number are found; None when there is none, or no such call."""
    return await connection.scalar(_NUMBER_KEY, {"of_call": call_id})


# These are asked with every order that is saved, and made once: to make one anew costs as much as to ask it.
_TALKED: Final = func.bool_or(segments.c.answered_at.is_not(None))
_OF_CALL: Final = segments.c.call_id == bindparam("of_call")
_PARTIES: Final = select(segments.c.login, _TALKED).where(_OF_CALL).group_by(segments.c.login)
_NUMBER_KEY: Final = select(calls.c.number_key).where(calls.c.id == bindparam("of_call"))
