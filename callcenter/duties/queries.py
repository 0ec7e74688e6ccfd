"""Changes of the list of responsibilities, in SQL. What nobody has changed is as the city's table of categories has it.

Of a leaf and a region the change holds that took force last; one without a lead goes back to the table.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import RowMapping, Select, Text, any_, func, insert, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.directory.city import LEAVES, REGIONS
from callcenter.store.tables import duty_changes
from callcenter.workorders.order import Who

Found = Sequence[RowMapping]
State = Literal["holds", "refused", "withdrawn"]

#: The longest basis of a change, in characters.
MOST_BASIS: Final = 300

_SAME: Final = (duty_changes.c.category, duty_changes.c.region)
_LATEST: Final = (duty_changes.c.decided_at.desc(), duty_changes.c.id.desc())


class Duty(NamedTuple):
    """Who leads a leaf, and who helps; units' codes."""

    lead: str
    co: tuple[str, ...]


def _in_force() -> Select[Any]:
    query = select(duty_changes).where(duty_changes.c.state == "holds").ext(distinct_on(*_SAME))
    return query.order_by(*_SAME, *_LATEST)


async def in_force(connection: AsyncConnection) -> Found:
    """What was changed and holds, by leaf and region."""
    found: Found = (await connection.execute(_in_force())).mappings().all()
    return found


async def held(connection: AsyncConnection, category: str, region: str) -> RowMapping | None:
    """The change of a leaf and a region that holds; None when nobody has changed it."""
    query = _in_force().where(duty_changes.c.category == category, duty_changes.c.region == region)
    found: RowMapping | None = (await connection.execute(query)).mappings().first()
    return found


async def duty_of(connection: AsyncConnection, category: str, region: str) -> Duty | None:
    """Who leads a leaf in a region: by the street, else by its district, else by the city. None for no leaf."""
    leaf = LEAVES.get(category)
    if leaf is None:
        return None
    at = REGIONS.get(region)
    ways = [region, at.parent if at else "", ""]
    query = _in_force().where(
        duty_changes.c.category == category, duty_changes.c.region == any_(literal(ways, ARRAY(Text)))
    )
    found = {row["region"]: row for row in (await connection.execute(query)).mappings()}
    for way in ways:
        if (row := found.get(way)) is not None and row["lead"] is not None:
            return Duty(row["lead"], tuple(row["co"]))
    return Duty(leaf.lead, tuple(leaf.co))


async def alone(connection: AsyncConnection) -> None:
    """Let nobody else change the list until the transaction ends; readers do not wait."""
    await connection.execute(text("LOCK TABLE duty_changes IN SHARE ROW EXCLUSIVE MODE"))


async def recent(connection: AsyncConnection, limit: int) -> Found:
    """Changes and proposals, the newest first."""
    query = select(duty_changes).order_by(duty_changes.c.id.desc()).limit(limit)
    return (await connection.execute(query)).mappings().all()


async def change(connection: AsyncConnection, number: int) -> RowMapping | None:
    return (await connection.execute(select(duty_changes).where(duty_changes.c.id == number))).mappings().first()


async def add(connection: AsyncConnection, row: dict[str, Any], *, at: datetime, holds: bool) -> RowMapping:
    """Write a change: it holds at once, or waits for another person."""
    decided = {"state": "holds", "decided_by": row["by"], "decided_at": at} if holds else {}
    asked = insert(duty_changes).values(row | {"at": at} | decided).returning(duty_changes)
    made: RowMapping = (await connection.execute(asked)).mappings().one()
    return made


async def ruled(
    connection: AsyncConnection, order: RowMapping, given: Mapping[str, Any], by: Who, at: datetime
) -> RowMapping | None:
    """Write a ruling in a dispute into the list (domain.md 3.6); None when the list has it so already.

    A coordinator's holds at once for the region of the order, as their own change of the list would; where somebody
    else has ruled, or nobody knows the region, it is proposed.

    Args:
        order: its row; `given`: what was ruled.
    """
    category, region = order["category"], order["region"]
    duty = await duty_of(connection, category, region)
    lead, co = given["lead"], sorted(given.get("co_units") or ())
    if duty is None or (duty.lead, sorted(duty.co)) == (lead, co):
        return None
    await alone(connection)
    now_held = await held(connection, category, region)
    # Of a confidential order nobody's words leave it.
    words = "" if order["confidential"] else " ".join(given["basis"].split())
    basis = f"裁定 {order['code']}：{words}".rstrip("：")
    row = {"category": category, "region": region, "lead": lead, "co": co, "by": by.login}
    row |= {"basis": basis[:MOST_BASIS], "after": now_held["id"] if now_held and now_held["lead"] is not None else 0}
    return await add(connection, row, at=at, holds=bool(region) and "coordinator" in by.roles)


async def decide(connection: AsyncConnection, number: int, state: State, login: str) -> RowMapping:
    """Decide a change that waits."""
    decided = {"state": state, "decided_by": login, "decided_at": func.now()}
    asked = update(duty_changes).where(duty_changes.c.id == number).values(decided).returning(duty_changes)
    made: RowMapping = (await connection.execute(asked)).mappings().one()
    return made
