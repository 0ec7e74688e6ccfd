"""What is asked of the orders. Every value is a bound parameter; the order of a list is fixed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as of
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import (
    CTE,
    ColumnElement,
    RowMapping,
    Select,
    Table,
    TableValuedAlias,
    Text,
    Update,
    and_,
    any_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    true,
    union,
    update,
)
from sqlalchemy import Uuid as UuidType
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, aggregate_order_by
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.directory.city import LEAVES, REGIONS
from callcenter.people.permissions import Person
from callcenter.privacy.queries import unconcerned
from callcenter.store.tables import (
    audit,
    calls,
    expert_questions,
    order_clocks,
    order_co_units,
    order_history,
    order_notices,
    orders,
    users,
)
from callcenter.workorders.flow import TABLE, UNIT_ROLES, Entry
from callcenter.workorders.order import YELLOW, State
from callcenter.workorders.policies import ASKED
from callcenter.workorders.rows import CHANGED, Row

Found = Sequence[RowMapping]

#: Who sees all orders of their unit; handlers see those that were given to them (domain.md 4.1).
WHOLE_UNIT: Final = UNIT_ROLES - {"handler"}
#: States in which an order is in its lead unit's hands, and those in which it was and is no longer.
WITH_UNIT: Final = (
    State.DISPATCHED,
    State.RETURN_REVIEW,
    State.DISPUTED,
    State.IN_PROGRESS,
    State.SUSPENDED,
    State.REPLIED,
    State.PENDING_VISIT,
    State.VISIT_RETRY,
    State.JUDGING,
    State.REHANDLE,
)
_AFTER: Final = (State.CLOSED, State.ARCHIVED, State.WITHDRAWN)
#: Steps at which all orders are somebody's by their role. The shift takes up and takes in supplements, whoever answers;
#: until a unit has signed, any dispatcher may call an order back.
STEPS: Final[Mapping[str, tuple[State, ...]]] = {
    "operator": (State.SUBMITTED, State.AWAITING_INFO),
    "operator_ent": (State.SUBMITTED, State.AWAITING_INFO),
    "support": (State.INVESTIGATING, State.AWAITING_INFO),
    "dispatcher": (State.PENDING_DISPATCH, State.DISPATCHED, State.RETURN_REVIEW, State.DISPUTED),
    "visitor": (State.PENDING_VISIT, State.VISIT_RETRY),
    "inspector": (State.REPLIED,),
    "coordinator": (State.DISPUTED,),
}
#: Leaves of firms' matters (企业专席): the flag E of categories.
OF_FIRMS: Final = tuple(sorted(code for code, leaf in LEAVES.items() if "E" in leaf.flags.split()))
#: Event -> roles of the centre whose second word it can wait for; that of a unit's leader is their unit's affair.
SECONDS: Final = {row.event: row.second - UNIT_ROLES for row in TABLE.values() if row.second - UNIT_ROLES}


def area_of(unit: str | None) -> tuple[str, ...]:
    """The streets of a district, or the street itself (辖区); none for a bureau."""
    return tuple(sorted(code for code, region in REGIONS.items() if unit in (code, region.parent)))


def visible_to(person: Person) -> ColumnElement[bool]:
    """Which orders somebody may see (数据范围), domain.md 4.1: their own, their unit's, those at their step, or all.

    None that complains of them or of their unit, whatever their role. Whatever shows or counts orders asks this: lists,
    the order itself, its files, its calls, what may be dialled for it.
    """
    scopes: list[ColumnElement[bool]] = [true()] if person.may("see_raw_orders") else _scopes(person)
    if (theirs := _helped(person)) is not None:
        scopes.append(select(order_co_units.c.unit).where(theirs, order_co_units.c.order_id == orders.c.id).exists())
    return and_(unconcerned(person), or_(*scopes))


def _helped(person: Person) -> ColumnElement[bool] | None:
    """Rows of `order_co_units` that tell what somebody's unit helps with, and so sees; None for who is of no unit."""
    if WHOLE_UNIT.isdisjoint(person.roles) or person.unit is None:
        return None
    return order_co_units.c.unit == person.unit


def _scopes(person: Person) -> list[ColumnElement[bool]]:
    """What together is visible to somebody who may not see all, with `_helped`; each has an index, so that lists read
    few rows."""
    roles = frozenset(person.roles)
    scopes: list[ColumnElement[bool]] = [orders.c.created_by == person.login]
    scopes += [_at(*states) for states in dict.fromkeys(STEPS[role] for role in STEPS if role in roles)]
    if "operator_ent" in roles:
        scopes.append(and_(orders.c.category.in_(OF_FIRMS), orders.c.due_at.is_not(None)))
    if "expert" in roles:
        asked = select(expert_questions.c.call_id).where(expert_questions.c.answered_by == person.login)
        scopes.append(and_(_at(State.INVESTIGATING), orders.c.call_id.in_(asked)))
    if "dispatcher" in roles:
        sent = and_(orders.c.dispatched_by == person.login, orders.c.due_at.is_not(None))
        scopes += [sent, orders.c.state == State.MERGED]
    if "handler" in roles:
        scopes.append(and_(orders.c.handler == person.login, orders.c.due_at.is_not(None)))
    if roles & WHOLE_UNIT and person.unit is not None:
        sent = or_(orders.c.state.in_(WITH_UNIT), and_(orders.c.state.in_(_AFTER), orders.c.dispatched_by.is_not(None)))
        party = and_(_at(State.DISPUTED), literal(person.unit) == any_(orders.c.refused_by))
        scopes += [and_(orders.c.department == person.unit, sent), party]
    if "street" in roles and (area := area_of(person.unit)):
        # Of others' orders in its area a street sees those that tell of nobody.
        scopes.append(and_(orders.c.region.in_(area), _at(*WITH_UNIT), ~orders.c.confidential))
    if "follow_up" in roles:
        nobodys = and_(orders.c.follow_up_officer.is_(None), _at(*WITH_UNIT))
        scopes += [and_(orders.c.follow_up_officer == person.login, orders.c.due_at.is_not(None)), nobodys]
    if "leader" in roles:
        scopes.append(and_(_at(State.DISPUTED), orders.c.machines["dispute"].astext == "leader_ruling"))
    if "oversight" in roles:
        scopes += [orders.c.urge_level >= YELLOW, orders.c.complained_person != ""]
    if agreed := sorted(event for event, second in SECONDS.items() if roles & second):
        scopes.append(and_(orders.c.proposal.is_not(None), orders.c.proposal["event"].astext.in_(agreed)))
    if "assessor" in roles:
        scopes.append(and_(orders.c.state == State.CLOSED, orders.c.machines.has_key("score_appeal")))
    return scopes


def own_scopes(person: Person) -> tuple[list[ColumnElement[bool]], ColumnElement[bool] | None]:
    """What together somebody sees, but for what complains of them: orders, and rows of `order_co_units` or none."""
    return ([true()], None) if person.may("see_raw_orders") else (_scopes(person), _helped(person))


def _at(*states: State) -> ColumnElement[bool]:
    """At steps at which something is to be done: so there is a due moment, and the index of those is small."""
    return and_(orders.c.state.in_(states), orders.c.due_at.is_not(None))


async def visible_order(connection: AsyncConnection, code: str, person: Person) -> RowMapping | None:
    """An order that somebody may see; None for one that they may not, or that is not there.

    What was merged (并单) into an order is seen by all who see that one, for whoever handles one handles both.
    """
    sight, _ = _of_person(person)
    seen: RowMapping | None = (await connection.execute(sight, {"of_code": code})).mappings().first()
    if seen is not None:
        return seen
    return await _through_master(connection, code, person)


async def hold_visible(connection: AsyncConnection, code: str, person: Person) -> RowMapping | None:
    """Like `visible_order`; the order is held until the transaction ends."""
    _, hold = _of_person(person)
    found: RowMapping | None = (await connection.execute(hold, {"of_code": code})).mappings().first()
    if found is None or found["seen"]:
        return found
    return await _through_master(connection, code, person) if found["state"] == State.MERGED else None


@lru_cache(maxsize=512)
def _of_person(person: Person) -> tuple[Select[Any], Select[Any]]:
    """What reads an order that somebody may see, and what holds one and says whether they may. To make them is dear."""
    one = orders.c.code == _CODE
    seen = visible_to(person)
    return select(orders).where(one, seen), select(orders, seen.label("seen")).where(one).with_for_update(of=orders)


async def _through_master(connection: AsyncConnection, code: str, person: Person) -> RowMapping | None:
    query = select(orders).where(orders.c.code == code, orders.c.state == State.MERGED, unconcerned(person))
    if (merged := (await connection.execute(query)).mappings().first()) is None:
        return None
    master = select(orders.c.id).where(orders.c.code == merged["master"], visible_to(person))
    return merged if (await connection.execute(master)).first() is not None else None


async def state_since_left(connection: AsyncConnection, code: str, person: Person) -> State | None:
    """The state of an order that was somebody's to see at an earlier step, or in which they acted; None for others."""
    steps = [state for role, states in STEPS.items() if role in person.roles for state in states]
    own = or_(order_history.c.who == person.login, order_history.c.second == person.login)
    past = select(order_history.c.n).where(
        order_history.c.order_id == orders.c.id, or_(own, order_history.c.to_state.in_(steps))
    )
    query = select(orders.c.state).where(orders.c.code == code, unconcerned(person), past.exists())
    state = await connection.scalar(query)
    return None if state is None else State(state)


async def may_be_master(connection: AsyncConnection, code: str, person: Person) -> bool:
    """Whether somebody who merges may name an order as the master: any that is not secret, whoever has it by now.

    Candidates tell of those already (joins/queries.py); whether the order is open is the table's to say.
    """
    told = or_(~orders.c.confidential, visible_to(person))
    query = select(orders.c.id).where(orders.c.code == code, unconcerned(person), told)
    return (await connection.execute(query)).first() is not None


async def wrote(connection: AsyncConnection, code: str, key: UUID, login: str) -> bool:
    """Whether somebody's message has caused an event of an order."""
    order_id = select(orders.c.id).where(orders.c.code == code).scalar_subquery()
    by = or_(order_history.c.who == login, order_history.c.second == login)
    query = select(order_history.c.n).where(order_history.c.order_id == order_id, order_history.c.key == key, by)
    return (await connection.execute(query)).first() is not None


#: Who can be named in an order: by a field of an event, people with one of these roles; handlers are of its unit.
NAMED: Final = {"handler": ("handler", "liaison", "street"), "follow_up_officer": ("follow_up",)}


async def wrongly_named(connection: AsyncConnection, unit: str | None, given: Mapping[str, Any]) -> dict[str, str]:
    """Fields of an event that name somebody who is not there or not for this, with what is wrong."""
    wrong = {}
    for field, roles in NAMED.items():
        if not isinstance(login := given.get(field), str) or not login:
            continue
        query = select(users.c.id).where(users.c.login == login, users.c.active)
        query = query.where(users.c.roles.overlap(literal(list(roles), ARRAY(Text))))
        if field == "handler":
            query = query.where(users.c.unit == unit)
        if (await connection.execute(query)).first() is None:
            wrong[field] = "不能指定此人 / this person cannot be named"
    return wrong


#: So many open orders of an officer are counted: who has more is compared by when the last of these is due.
COUNTED: Final = 200


def _least_burdened() -> Select[Any]:
    theirs = select(orders.c.due_at).where(orders.c.follow_up_officer == users.c.login, orders.c.due_at.is_not(None))
    first = theirs.order_by(orders.c.due_at).limit(COUNTED).lateral("first")
    concerned = users.c.login == any_(bindparam("concerned", type_=ARRAY(Text)))
    return (
        select(users.c.login)
        .select_from(users.outerjoin(first, true()))
        .where(users.c.active, literal("follow_up") == any_(users.c.roles), ~concerned)
        .group_by(users.c.login)
        .order_by(func.count(first.c.due_at), func.max(first.c.due_at).desc(), users.c.login)
        .limit(1)
    )


_LEAST_BURDENED: Final = _least_burdened()


async def least_burdened(connection: AsyncConnection, order: RowMapping) -> str | None:
    """The officer who follows the fewest open orders (跟办员, domain.md R90), but none whom the order complains of."""
    login: str | None = await connection.scalar(_LEAST_BURDENED, {"concerned": order["complained_logins"]})
    return login


def visible_first(
    person: Person,
    wanted: Sequence[ColumnElement[bool]],
    along: Sequence[ColumnElement[Any]],
    limit: int,
    *,
    down: bool | None = None,
    everybodys: bool = False,
) -> Select[Any]:
    """The first orders that somebody may see, of those wanted: what every list of orders is made of.

    `down`: `along` goes by when they were made, the newest first or last; None: by something else.
    """
    wanted = [unconcerned(person), *wanted]
    query = select(orders).where(*wanted)
    if not (everybodys or person.may("see_raw_orders")):
        scopes, helped = _scopes(person), None
        if (theirs := _helped(person)) is not None:
            helped = select(order_co_units.c.order_id).where(theirs)
            if down is None:
                scopes.append(orders.c.id.in_(helped))
                helped = None
            else:
                made = (order_co_units.c.created_at, order_co_units.c.order_id)
                helped = helped.order_by(*(each.desc() if down else each for each in made))
        first = first_of_each(scopes, wanted, along, limit, helped, enough=limit)
        query = select(orders).where(orders.c.id.in_(first))
    return query.order_by(*along).limit(limit)


def first_of_each(
    scopes: Sequence[ColumnElement[bool]],
    wanted: Sequence[ColumnElement[bool]],
    along: Sequence[ColumnElement[Any]],
    limit: int,
    helped: Select[tuple[UUID]] | None = None,
    enough: int | None = None,
    told: Sequence[ColumnElement[Any]] = (orders.c.id,),
) -> Select[Any]:
    """The first rows of each scope: what a page of all together can hold, without reading them all.

    Args:
        told: what is told of each, its id among it.
        helped: ids that are looked up one by one, with those of the scopes.
        enough: so many of these; then they come in the order of the page.
    """
    firsts = [select(*told).where(scope, *wanted).order_by(*along).limit(limit).subquery() for scope in scopes]
    found = [select(first) for first in firsts]
    if helped is not None:
        ids = helped.subquery()
        one = select(*told).where(orders.c.id == ids.c.order_id, *wanted).limit(1).lateral()
        found.append(select(select(one).select_from(ids.join(one, true())).limit(enough).subquery()))
    return select(union(*found).subquery())


def ids_of_number(key: bytes) -> Select[tuple[UUID]]:
    """Ids of orders whose call came from a number, or that are to be called back on it; each part has an index."""
    called = select(orders.c.id).join(calls, calls.c.id == orders.c.call_id).where(calls.c.number_key == key)
    both = union(select(orders.c.id).where(orders.c.callback_key == key), called).subquery()
    return select(both.c.id)


async def orders_of_number(
    connection: AsyncConnection, number_key: bytes, *, without: str, limit: int, person: Person
) -> Found:
    """Orders whose call came from a number, or that are to be called back on it, but for one call's; newest first.

    Confidential and anonymous ones are shown to nobody by a number, nor those that complain of who looks.
    """
    query = (
        select(orders)
        .where(orders.c.id.in_(ids_of_number(number_key)), orders.c.call_id != without)
        .where(~orders.c.confidential, ~orders.c.anonymous, unconcerned(person))
        .order_by(orders.c.created_at.desc(), orders.c.id.desc())
        .limit(limit)
    )
    return (await connection.execute(query)).mappings().all()


async def facts_of(connection: AsyncConnection, call_ids: Sequence[str]) -> Found:
    """Service and arrival of calls."""
    query = select(calls.c.id, calls.c.service, calls.c.arrived_at).where(calls.c.id.in_(call_ids))
    return (await connection.execute(query)).mappings().all()


async def order_by_code(connection: AsyncConnection, code: str) -> RowMapping | None:
    return (await connection.execute(_BY_CODE, {"of_code": code})).mappings().first()


async def order_by_key(connection: AsyncConnection, key: UUID) -> RowMapping | None:
    return (await connection.execute(_BY_ID, {"of_order": key})).mappings().first()


async def history_of(connection: AsyncConnection, order_id: UUID) -> Found:
    return (await connection.execute(_ENTRIES, {"of_order": order_id})).mappings().all()


# --- the life of an order ---------------------------------------------------------------------------------------------

# An event of an order runs a dozen statements. They are made once: to make one anew costs as much as to run it.
_ID, _CODE = bindparam("of_order", type_=UuidType), bindparam("of_code", type_=Text)
_LOCK: Final = select(orders).where(orders.c.code == _CODE).with_for_update()
_UPDATE: Final = update(orders).where(orders.c.id == _ID)
_BY_CODE: Final = select(orders).where(orders.c.code == _CODE)
_BY_ID: Final = select(orders).where(orders.c.id == _ID)
_ENTRIES: Final = select(order_history).where(order_history.c.order_id == _ID).order_by(order_history.c.n)
_OF_KEY: Final = select(order_history).where(order_history.c.order_id == _ID, order_history.c.key == bindparam("key"))
_IDS: Final = any_(bindparam("ids", type_=ARRAY(UuidType)))
_CLOCKS: Final = select(order_clocks).where(order_clocks.c.order_id == _IDS).order_by(order_clocks.c.n)
_CO_UNITS: Final = (
    select(order_co_units.c.order_id, order_co_units.c.unit, order_co_units.c.state)
    .where(order_co_units.c.order_id == _IDS)
    .order_by(order_co_units.c.unit)
)


def _about() -> Select[Any]:
    """All that an event needs of an order beside its row: a row for each clock, or one without."""
    its, entry = order_co_units.c, order_history.c

    def units(column: Any) -> Any:
        listed = select(func.array_agg(aggregate_order_by(column, its.unit))).where(its.order_id == _ID)
        return listed.scalar_subquery()

    known = select(entry.n).where(entry.order_id == _ID, entry.key == bindparam("key", type_=UuidType)).limit(1)
    about = select(
        units(its.unit).label("units"),
        units(its.state).label("unit_states"),
        known.scalar_subquery().label("known"),
        *ASKED.selected_columns,
    ).subquery("about")
    clock = about.outerjoin(order_clocks, order_clocks.c.order_id == _ID)
    return select(order_clocks, about).select_from(clock).order_by(order_clocks.c.n)


_ABOUT: Final = _about()


def _made_of(table: Table, *names: str) -> tuple[list[str], Select[Any]]:
    """Columns of a table, and rows of them that are told."""
    listed = _told_rows(table, *names)
    return list(names), select(*(listed.c[name] for name in names))


def _told_rows(table: Table, *names: str) -> TableValuedAlias:
    """Rows of a table that are told as JSON, in a parameter of the table's name."""
    told = cast(bindparam(table.name, type_=Text), JSONB)
    rows = func.jsonb_populate_recordset(literal_column(f"null::{table.name}"), told)
    return rows.table_valued(*(table.c[name] for name in names), name=f"told_{table.name}")


def _traces() -> tuple[CTE, ...]:
    """What writes all that events leave beside their order: one statement, however much it is."""
    clock = upsert(order_clocks).from_select(*_made_of(order_clocks, *order_clocks.c.keys()))
    # In their order: a name runs once, so the old clock ends first.
    kept = clock.on_conflict_do_update(
        index_elements=[order_clocks.c.order_id, order_clocks.c.n],
        set_={c.name: clock.excluded[c.name] for c in order_clocks.c if c.name not in ("order_id", "n", "name")},
    )
    notice = ("order_id", "n", "recipient", "what", "template", "facts", "created_at", "due_at")
    return (
        insert(order_history).from_select(*_made_of(order_history, *order_history.c.keys())).cte("new_history"),
        kept.cte("new_clocks"),
        insert(order_notices).from_select(*_made_of(order_notices, *notice)).cte("new_notices"),
        insert(audit).from_select(*_made_of(audit, "user_id", "act", "what")).cte("new_audit"),
    )


_TRACES: Final = _traces()
_WRITE: Final[Select[Any]] = select(literal_column("1")).add_cte(*_TRACES)
_UPDATE_AND_WRITE: Final = _UPDATE.add_cte(*_TRACES)


def _update_many() -> Update:
    """What writes many orders, told as JSON like what their events leave."""
    told = _told_rows(orders, "id", *CHANGED)
    return update(orders).where(orders.c.id == told.c.id).values({name: told.c[name] for name in CHANGED})


_UPDATE_MANY_AND_WRITE: Final = _update_many().add_cte(*_TRACES)


@dataclass(frozen=True, slots=True)
class Traces:
    """Rows that events leave beside their order, written all at once.

    Args:
        clocks: those that are new or have changed.
    """

    history: list[Row] = of(default_factory=list)
    clocks: list[Row] = of(default_factory=list)
    notices: list[Row] = of(default_factory=list)
    audited: list[Row] = of(default_factory=list)

    def told(self) -> dict[str, str]:
        rows = (
            (order_history, self.history),
            (order_clocks, self.clocks),
            (order_notices, self.notices),
            (audit, self.audited),
        )
        return {table.name: to_json(its).decode() for table, its in rows}


@dataclass(frozen=True, slots=True)
class About:
    """What an event needs beside the row. `known`: the event that the message had caused; `asked`: see Policies."""

    clocks: list[RowMapping]
    co: list[tuple[str, str]]
    known: int | None
    asked: tuple[datetime | None, int]


async def lock_order(connection: AsyncConnection, code: str) -> RowMapping | None:
    """An order, held until the transaction ends: it is the one lock of all that belongs to the order."""
    return (await connection.execute(_LOCK, {"of_code": code})).mappings().first()


async def lock_orders(connection: AsyncConnection, codes: Collection[str]) -> dict[str, RowMapping]:
    """Orders by their codes, held until the transaction ends; in the order of their codes, so that no two wait for
    each other."""
    query = select(orders).where(orders.c.code.in_(codes)).order_by(orders.c.code).with_for_update()
    return {row["code"]: row for row in (await connection.execute(query)).mappings()}


async def lock_woken(connection: AsyncConnection, now: datetime, limit: int) -> Found:
    """Orders that the sweep must look at, the longest waiting first; what somebody else holds is left to them."""
    query = select(orders).where(orders.c.wake_at <= now).order_by(orders.c.wake_at).limit(limit)
    return (await connection.execute(query.with_for_update(skip_locked=True))).mappings().all()


async def lock_provisional(connection: AsyncConnection, after: UUID, limit: int) -> Found:
    """Orders with a limit that a notice of holidays may move, in the order of their ids."""
    theirs = select(order_clocks.c.order_id).where(
        order_clocks.c.provisional, order_clocks.c.ended_at.is_(None), order_clocks.c.order_id > after
    )
    ids = list(await connection.scalars(theirs.distinct().order_by(order_clocks.c.order_id).limit(limit)))
    query = select(orders).where(_one_of(orders.c.id, ids)).order_by(orders.c.id).with_for_update()
    return (await connection.execute(query)).mappings().all()


async def clocks_of(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, list[RowMapping]]:
    """All clocks of orders, each order's in their order."""
    found: dict[UUID, list[RowMapping]] = {}
    for row in (await connection.execute(_CLOCKS, {"ids": list(ids)})).mappings():
        found.setdefault(row["order_id"], []).append(row)
    return found


async def co_units_of(connection: AsyncConnection, ids: Sequence[UUID]) -> dict[UUID, list[tuple[str, str]]]:
    """Co-units of orders with their states."""
    found: dict[UUID, list[tuple[str, str]]] = {}
    for order_id, unit, state in await connection.execute(_CO_UNITS, {"ids": list(ids)}):
        found.setdefault(order_id, []).append((unit, state))
    return found


async def entry_of_key(connection: AsyncConnection, order_id: UUID, key: UUID) -> RowMapping:
    """The event that a message caused. An order has few events, so its own are looked through without an index."""
    return (await connection.execute(_OF_KEY, {"of_order": order_id, "key": key})).mappings().one()


async def about(connection: AsyncConnection, order_id: UUID, key: UUID | None) -> About:
    """Clocks and co-units of an order, whether a message has come before, and what rules there are: one question."""
    rows = (await connection.execute(_ABOUT, {"of_order": order_id, "key": key})).mappings().all()
    first = rows[0]
    co = list(zip(first["units"] or (), first["unit_states"] or (), strict=True))
    clocks = [row for row in rows if row["order_id"] is not None]
    return About(clocks, co, first["known"], (first["calendar_at"], first["newest"]))


async def history_since(connection: AsyncConnection, order_id: UUID, n: int) -> Found:
    query = select(order_history).where(order_history.c.order_id == order_id, order_history.c.n > n)
    return (await connection.execute(query.order_by(order_history.c.n))).mappings().all()


def entry_row(order_id: UUID, n: int, told: Entry, key: UUID | None) -> Row:
    """A row of `order_history`; `n` is the order's version after it."""
    return {
        "order_id": order_id,
        "n": n,
        "at": told.at,
        "who": told.who,
        "role": told.role,
        "second": told.second,
        "event": told.event,
        "from_state": str(told.from_state or "-"),
        "to_state": str(told.to_state),
        "note": told.reason,
        "given": dict(told.given),
        "key": key,
    }


async def update_order(
    connection: AsyncConnection, order_id: UUID, columns: Mapping[str, Any], traces: Traces | None = None
) -> None:
    """Write a locked order, and what its events leave beside it."""
    if traces is None:
        await connection.execute(_UPDATE, {**columns, "of_order": order_id})
    else:
        await connection.execute(_UPDATE_AND_WRITE, {**columns, **traces.told(), "of_order": order_id})


async def update_orders(connection: AsyncConnection, rows: Sequence[Row], traces: Traces) -> None:
    """Write locked orders, of each its id and all of CHANGED, and what their events leave beside them."""
    await connection.execute(_UPDATE_MANY_AND_WRITE, {orders.name: to_json(rows).decode(), **traces.told()})


async def write_traces(connection: AsyncConnection, traces: Traces) -> None:
    """What events leave beside orders that are written already."""
    await connection.execute(_WRITE, traces.told())


async def wake_merged(connection: AsyncConnection, master: str, at: datetime) -> None:
    """Let the sweep look at what was merged into an order."""
    merged = update(orders).where(orders.c.master == master, orders.c.state == State.MERGED)
    await connection.execute(merged.values(wake_at=at))


async def master_of(connection: AsyncConnection, code: str) -> str | None:
    """The order that this one was merged into (主单), if it was."""
    found: str | None = await connection.scalar(select(orders.c.master).where(orders.c.code == code))
    return found


async def write_co_units(connection: AsyncConnection, order_id: UUID, made: datetime, units: Mapping[str, str]) -> None:
    """The co-units as they are now, of an order and when it was made."""
    await connection.execute(delete(order_co_units).where(order_co_units.c.order_id == order_id))
    named = {"order_id": order_id, "created_at": made}
    rows = [named | {"unit": unit, "state": state} for unit, state in units.items()]
    if rows:
        await connection.execute(insert(order_co_units), rows)


async def oldest_wake(connection: AsyncConnection) -> datetime | None:
    """Since when the sweep is waited for."""
    woken: datetime | None = await connection.scalar(select(func.min(orders.c.wake_at)))
    return woken


def _one_of(column: Any, ids: Sequence[UUID]) -> Any:
    return column == any_(literal(list(ids), ARRAY(UuidType)))
