"""What was decided about orders like one: rulings, and closed orders whose words are alike.

Both look at the newest orders of the leaf alone, along indexes, so what they cost does not grow with the table.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, and_, func, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.dispatch.flow import LEAST_LIKENESS, OF_SUBJECT, OF_TEXT
from callcenter.people.permissions import Person
from callcenter.privacy.queries import unconcerned
from callcenter.store.tables import order_history, orders
from callcenter.workorders.order import State
from callcenter.workorders.queries import Found, visible_to

MOST_RULINGS: Final = 30
#: Closed orders of the leaf that are compared: the newest of the same street, and of the whole city.
OF_STREET, OF_CITY = 100, 200
MOST_SIMILAR: Final = 12
#: So many characters of a description are compared: what a comparison costs grows with them.
WORDS: Final = 150

SETTLED: Final = (State.CLOSED, State.ARCHIVED)


async def rulings(connection: AsyncConnection, order: RowMapping, person: Person) -> Found:
    """The newest rulings (裁定先例) about other orders of the leaf that still hold, whoever's these are.

    None of them is confidential, or complains of who looks; the orders themselves are seen by those who may.
    """
    ruled = (
        select(orders.c.id, orders.c.code, orders.c.region, visible_to(person).label("open"))
        .where(orders.c.bound, orders.c.category == order["category"], orders.c.id != order["id"], _telling(person))
        .order_by(orders.c.created_at.desc())
        .limit(MOST_RULINGS)
        .subquery()
    )
    query = (
        select(
            ruled.c.code,
            ruled.c.region,
            ruled.c.open,
            order_history.c.given,
            order_history.c.at,
            order_history.c.who,
            order_history.c.event,
        )
        .join(order_history, order_history.c.order_id == ruled.c.id)
        .where(order_history.c.event.in_(("rule", "rule_joint")))
        .order_by(order_history.c.at.desc())
    )
    return (await connection.execute(query)).mappings().all()


async def alike(connection: AsyncConnection, order: RowMapping, person: Person) -> Found:
    """Closed orders of the leaf whose words are most like an order's, with their `likeness`; as rulings."""
    settled = (
        select(orders.c.id)
        .where(
            orders.c.category == order["category"],
            orders.c.state.in_(SETTLED),
            orders.c.department.is_not(None),
            _telling(person),
        )
        .order_by(orders.c.created_at.desc())
    )
    pool = union(
        select(settled.where(orders.c.region == order["region"]).limit(OF_STREET).subquery()),
        select(settled.limit(OF_CITY).subquery()),
    )
    how = likeness(order["subject"], order["description"])
    shown = ("code", "subject", "region", "department", "created_at", "closing")
    # The limit keeps the planner from reckoning each likeness anew wherever it is named below.
    most = OF_STREET + OF_CITY
    seen = visible_to(person).label("open")
    compared = select(*(orders.c[name] for name in shown), how.label("likeness"), seen).where(orders.c.id.in_(pool))
    found = compared.limit(most).subquery()
    query = (
        select(found)
        .where(found.c.likeness >= LEAST_LIKENESS)
        .order_by(found.c.likeness.desc(), found.c.created_at.desc())
        .limit(MOST_SIMILAR)
    )
    return (await connection.execute(query)).mappings().all()


def likeness(subject: str, description: str) -> ColumnElement[float]:
    """How much the words of orders are like these: 0 to 1, by trigrams."""
    subjects = func.similarity(orders.c.subject, subject)
    words = func.similarity(func.left(orders.c.description, WORDS), description[:WORDS])
    return OF_SUBJECT * subjects + OF_TEXT * words


def _telling(person: Person) -> ColumnElement[bool]:
    return and_(~orders.c.confidential, unconcerned(person))


async def named_units(connection: AsyncConnection, order_id: UUID) -> list[str]:
    """Units that were named by those who returned or disputed an order."""
    unit = order_history.c.given["suggested_unit"].astext
    query = select(unit).where(
        order_history.c.order_id == order_id,
        or_(order_history.c.event == "ask_return", order_history.c.event == "claim_not_ours"),
        unit.is_not(None),
    )
    return list(dict.fromkeys(await connection.scalars(query)))
