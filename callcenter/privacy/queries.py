"""Identities and requests to see them, in SQL. Nothing here is readable without the key of the store."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping, Select, and_, any_, delete, func, insert, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.calls.rows import Row
from callcenter.people.permissions import Person
from callcenter.privacy.seal import MARK, Sealed, Sealer
from callcenter.store.tables import callbacks, calls, drafts, identities, identity_requests, orders, texts

Found = Sequence[RowMapping]

#: Calls whose numbers are taken out at once.
HIDDEN_AT_ONCE: Final = 200


def unconcerned(person: Person) -> Any:
    """Orders that do not complain of somebody or of their unit (回避被投诉人), domain.md 3.6.

    Of a person who is known by an account, the writer of orders has put down the login, and their unit with it; of
    others the name is compared.
    """
    told = orders.c
    named = and_(
        told.complained_person.in_(sorted({person.login, person.name_zh, person.name_en})),
        func.cardinality(told.complained_units) == 0,
    )
    concerned = [literal(person.login) == any_(told.complained_logins), named]
    if person.unit is not None:
        concerned.append(literal(person.unit) == any_(told.complained_units))
    return ~or_(*concerned)


def concerning(person: Person) -> Select[tuple[UUID]]:
    """Ids of the orders that complain of somebody or of their unit: few, by an index; to be left out of counts."""
    about = orders.c.complained_person != ""
    if person.unit is not None:
        about = or_(about, literal(person.unit) == any_(orders.c.complained_units))
    return select(orders.c.id).where(about, ~unconcerned(person))


async def write_identities(connection: AsyncConnection, rows: Sequence[Row]) -> None:
    """Rows of `identities`, after those of their orders; what is there stays."""
    await connection.execute(upsert(identities).on_conflict_do_nothing(index_elements=["order_id"]), list(rows))


async def identity_of(connection: AsyncConnection, order_id: UUID) -> RowMapping | None:
    query = select(identities).where(identities.c.order_id == order_id)
    return (await connection.execute(query)).mappings().first()


async def forget(connection: AsyncConnection, order_id: UUID) -> None:
    """Remove the person; the order goes on."""
    await connection.execute(delete(identities).where(identities.c.order_id == order_id))


def opened(sealer: Sealer, row: Mapping[str, Any] | RowMapping) -> dict[str, str]:
    """Name, callback number and caller's number of a row. Raises CannotOpen."""
    about = str(row["order_id"])
    found = sealer.open(about, Sealed(row["key_id"], row["sealed"]))
    if row["caller"] is not None:
        found |= sealer.open(about, Sealed(row["key_id"], row["caller"]))
    return found


async def hide_callers(connection: AsyncConnection, sealer: Sealer, now: datetime) -> int:
    """Take the caller's number out of ended calls of confidential orders, into the store; how many there were.

    From then on the database keeps numbers of these calls out, whoever writes the call's row again.
    """
    query = (
        select(
            identities.c.order_id, identities.c.key_id, identities.c.sealed, calls.c.id, calls.c.number, calls.c.name
        )
        .join(calls, calls.c.id == identities.c.call_id)
        .where(identities.c.hidden_at.is_(None), calls.c.ended_at.is_not(None))
        .order_by(identities.c.order_id)
        .limit(HIDDEN_AT_ONCE)
    )
    found = (await connection.execute(query.with_for_update(of=identities, skip_locked=True))).all()
    for order_id, key_id, sealed, call_id, number, name in found:
        about = str(order_id)
        whole = sealer.seal(about, sealer.open(about, Sealed(key_id, sealed)))
        caller = sealer.seal(about, {"caller": number, "caller_name": name})
        hidden = {"key_id": whole.key_id, "sealed": whole.data, "caller": caller.data, "hidden_at": now}
        await connection.execute(update(identities).where(identities.c.order_id == order_id).values(hidden))
        # The trigger does it: of this call, of the one that it calls back for, and of every other call back for that.
        first = func.coalesce(select(calls.c.origin).where(calls.c.id == call_id).scalar_subquery(), call_id)
        its = or_(calls.c.id.in_([call_id, first]), calls.c.origin == first)
        await connection.execute(update(calls).where(its).values(number=""))
    return len(found)


async def reseal(connection: AsyncConnection, sealer: Sealer, most: int) -> int:
    """Seal what older keys have sealed with the newest one; how many rows there were. Raises CannotOpen."""
    query = select(identities).where(identities.c.key_id != sealer.newest).limit(most).with_for_update()
    found = (await connection.execute(query)).mappings().all()
    for row in found:
        about = str(row["order_id"])
        new = sealer.seal(about, sealer.open(about, Sealed(row["key_id"], row["sealed"])))
        caller = None
        if row["caller"] is not None:
            caller = sealer.seal(about, sealer.open(about, Sealed(row["key_id"], row["caller"]))).data
        changed = {"key_id": new.key_id, "sealed": new.data, "caller": caller}
        await connection.execute(update(identities).where(identities.c.order_id == row["order_id"]).values(changed))
    done = len(found)
    for key, column, names in _WORDS:
        words = [column[name].astext for name in names] or [column]
        older = or_(*(and_(word.startswith(MARK), ~word.startswith(f"{MARK}{sealer.newest}:")) for word in words))
        query = select(key, column).where(older).limit(most - done).with_for_update()
        rows = (await connection.execute(query)).all()
        for about, held in rows:
            new_held = (
                _again(sealer, about, held)
                if not names
                else held | {name: _again(sealer, about, held[name]) for name in names}
            )
            await connection.execute(update(key.table).where(key == about).values({column.name: new_held}))
        done += len(rows)
    return done


def _again(sealer: Sealer, about: str, word: str) -> str:
    return sealer.seal_text(about, sealer.open_text(about, word))


#: Where sealed words are (`Sealer.seal_text`): the column of what they are bound to, theirs, and the names in a form.
_WORDS: Final[Sequence[tuple[Any, Any, Sequence[str]]]] = (
    (callbacks.c.id, callbacks.c.number, ()),
    (texts.c.id, texts.c.number, ()),
    (drafts.c.call_id, drafts.c.form, ("contact_name", "callback_number")),
)


async def is_confidential(connection: AsyncConnection, call_id: str) -> bool:
    """Whether a confidential order came of a call, or of the call that it calls back for."""
    origin = select(calls.c.origin).where(calls.c.id == call_id).scalar_subquery()
    query = select(orders.c.id).where(
        or_(orders.c.call_id == call_id, orders.c.call_id == origin), orders.c.confidential
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def complains_of(connection: AsyncConnection, call_id: str, person: Person) -> bool:
    """Whether an order that complains of somebody came of a call, or of the call that it calls back for."""
    origin = select(calls.c.origin).where(calls.c.id == call_id).scalar_subquery()
    its = or_(orders.c.call_id == call_id, orders.c.call_id == origin)
    return (await connection.execute(select(orders.c.id).where(its, ~unconcerned(person)).limit(1))).first() is not None


async def may_hear(connection: AsyncConnection, call_id: str, person: Person, now: datetime) -> bool:
    """Whether somebody has an approval that runs, for the order that came of a call, or of that it calls back for."""
    origin = select(calls.c.origin).where(calls.c.id == call_id).scalar_subquery()
    query = (
        select(identity_requests.c.id)
        .join(orders, orders.c.id == identity_requests.c.order_id)
        .where(or_(orders.c.call_id == call_id, orders.c.call_id == origin), unconcerned(person))
        .where(*_running(person.login, now))
    )
    return (await connection.execute(query.limit(1))).first() is not None


# --- requests ---------------------------------------------------------------------------------------------------------


def _running(login: str, now: datetime) -> tuple[Any, ...]:
    own = identity_requests.c
    return own.asked_by == login, own.state == "approved", own.until > now


async def order_to_ask_for(connection: AsyncConnection, code: str, person: Person) -> RowMapping | None:
    """An order that somebody may ask about: any but those that complain of them."""
    query = select(orders).where(orders.c.code == code, unconcerned(person))
    return (await connection.execute(query)).mappings().first()


async def ask(
    connection: AsyncConnection, order_id: UUID, login: str, reason: str, hours: int, now: datetime
) -> int | None:
    """A new request; None when one of theirs for this order waits or runs."""
    own = identity_requests.c
    await connection.execute(select(orders.c.id).where(orders.c.id == order_id).with_for_update())
    open_ = or_(own.state == "asked", and_(own.state == "approved", own.until > now))
    theirs = select(own.id).where(own.order_id == order_id, own.asked_by == login, open_)
    if (await connection.execute(theirs.limit(1))).first() is not None:
        return None
    row = {"order_id": order_id, "asked_by": login, "reason": reason, "hours": hours, "asked_at": now}
    made: int | None = await connection.scalar(insert(identity_requests).values(row).returning(own.id))
    return made


def _requests() -> Select[*tuple[Any, ...]]:
    return select(identity_requests, orders.c.code).join(orders, orders.c.id == identity_requests.c.order_id)


async def requests(
    connection: AsyncConnection, person: Person, *, everybodys: bool, limit: int, before: int | None
) -> Found:
    """Requests, newest first: everybody's or one's own, but none about an order that complains of who looks."""
    query = _requests().where(unconcerned(person))
    if not everybodys:
        query = query.where(identity_requests.c.asked_by == person.login)
    if before is not None:
        query = query.where(identity_requests.c.id < before)
    query = query.order_by(identity_requests.c.id.desc()).limit(limit)
    return (await connection.execute(query)).mappings().all()


async def request(connection: AsyncConnection, number: int, person: Person) -> RowMapping | None:
    """One request, held until the transaction ends; None for one about an order that complains of who looks."""
    query = _requests().where(identity_requests.c.id == number, unconcerned(person))
    return (await connection.execute(query.with_for_update(of=identity_requests))).mappings().first()


async def change(connection: AsyncConnection, number: int, values: dict[str, Any]) -> None:
    """Write a request that is held."""
    await connection.execute(update(identity_requests).where(identity_requests.c.id == number).values(values))


WRITERS: Final = {"identities": write_identities}
