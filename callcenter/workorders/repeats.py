"""Whether somebody asks again for what an order of theirs is about (重复诉求), domain.md 3.6.

Within the life of that order it is an urge (催办) and no new order; as long as it can be reopened (重新办理) it is
that, or a new order that is marked as its repeat; later it is the marked one. The person is known by the number that
calls or that is to be called back, the matter by its leaf or by its words. By a number nobody finds a confidential
order or an anonymous one.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import LargeBinary, RowMapping, Select, any_, bindparam, or_, select, union
from sqlalchemy import Uuid as UuidType
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.people.permissions import Person
from callcenter.privacy.queries import unconcerned
from callcenter.store.tables import Moment, calls, orders
from callcenter.workorders.deadlines import Rules
from callcenter.workorders.flow import STATES, possible
from callcenter.workorders.likeness import alike, pairs
from callcenter.workorders.move import orders_of
from callcenter.workorders.order import Order, State, Who
from callcenter.workorders.policies import Policies

#: The life of an order, as far as it can be urged; what is merged is urged through its master.
OPEN: Final = (
    *(state for state, row in STATES.items() if row.kind in ("open", "paused") and state is not State.DRAFT),
    State.MERGED,
)
#: Orders that have come to their end, so that a new one may repeat them, and for how long they are looked at.
OVER: Final = (State.CLOSED, State.ARCHIVED)
OVER_FOR: Final = timedelta(days=365)
#: Orders of another leaf whose words are so much alike are the same matter.
LIKE: Final = 0.4
MOST: Final = 10
#: Of a caller's orders so many are compared, the open ones first, the newest first.
COMPARED: Final = 50

#: What becomes of asking again: the order is urged, it can be reopened, or there is a new one that repeats it.
Way = Literal["urge", "reopen", "new"]
_CITIZEN: Final = Who("", frozenset({"citizen"}))


class Repeat(NamedTuple):
    """An order that would be repeated; how much its words are alike, 0 to 1."""

    row: RowMapping
    likeness: float
    way: Way


async def repeated(
    connection: AsyncConnection,
    policies: Policies,
    person: Person,
    keys: Collection[bytes],
    *,
    category: str,
    subject: str,
    description: str,
    call_id: str,
    now: datetime,
    key: UUID | None = None,
) -> list[Repeat]:
    """Orders that this would repeat, the open ones first, newest first; those of the call itself are not.

    Args:
        keys: of the caller's numbers.
        key: of the order that is being saved.
    """
    if not keys:
        return []
    asked = {"keys": list(keys), "since": now - OVER_FOR, "of_call": call_id, "key": key or UUID(int=0)}
    rows = (await connection.execute(_of_person(person), asked)).mappings().all()
    words = pairs(f"{subject}\n{description}") if rows else frozenset()
    found = [(row, alike(words, pairs(f"{row['subject']}\n{row['description']}"))) for row in rows]
    same = [(row, likeness) for row, likeness in found if row["category"] == category or likeness >= LIKE][:MOST]
    whole = await orders_of(connection, [row for row, _ in same])
    rules = [await policies.rules(connection, order.policy) for order in whole]
    ways = [_way(order, now, its) for order, its in zip(whole, rules, strict=True)]
    return [Repeat(*each, way) for each, way in zip(same, ways, strict=True)]


@lru_cache(maxsize=512)
def _of_person(person: Person) -> Select[Any]:
    """What reads a caller's orders for somebody: it is asked with every order that is saved, and to make it is dear."""
    of_keys = any_(bindparam("keys", type_=ARRAY(LargeBinary)))
    its_calls = select(calls.c.id).where(calls.c.number_key == of_keys)
    theirs = union(
        select(orders.c.id).where(orders.c.callback_key == of_keys),
        select(orders.c.id).where(orders.c.call_id.in_(its_calls)),
    )
    open_ = orders.c.state.in_(OPEN)
    return (
        select(orders)
        .where(
            orders.c.id.in_(select(theirs.subquery().c.id)),
            or_(open_, orders.c.state.in_(OVER) & (orders.c.created_at > bindparam("since", type_=Moment))),
            ~orders.c.confidential,
            ~orders.c.anonymous,
            unconcerned(person),
            orders.c.call_id != bindparam("of_call"),
            orders.c.id != bindparam("key", type_=UuidType),
        )
        .order_by(open_.desc(), orders.c.created_at.desc(), orders.c.id.desc())
        .limit(COMPARED)
    )


def _way(order: Order, now: datetime, rules: Rules) -> Way:
    if order.state not in OVER:
        return "urge"
    may = {each.event for each in possible(order, _CITIZEN, now, rules) if each.mine and each.why is None}
    return "reopen" if "reopen" in may else "new"


async def of_caller(connection: AsyncConnection, person: Person, number_key: bytes, code: str) -> RowMapping | None:
    """An order that is open or was closed, if it is of whoever calls from a number."""
    its_calls = select(calls.c.id).where(calls.c.number_key == number_key)
    query = select(orders).where(
        orders.c.code == code,
        or_(orders.c.callback_key == number_key, orders.c.call_id.in_(its_calls)),
        orders.c.state.in_((*OPEN, *OVER)),
        ~orders.c.confidential,
        ~orders.c.anonymous,
        unconcerned(person),
    )
    return (await connection.execute(query)).mappings().first()
