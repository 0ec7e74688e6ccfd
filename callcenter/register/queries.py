"""The register in SQL: orders in the order that an index carries, and everybody's saved views."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Text, delete, func, literal, or_, select, true, tuple_, union_all
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.people.permissions import Person
from callcenter.privacy.queries import unconcerned
from callcenter.store.pages import place
from callcenter.store.tables import order_co_units, order_texts, order_views, orders
from callcenter.workorders.narrow import contains
from callcenter.workorders.queries import WHOLE_UNIT, Found, ids_of_number, own_scopes, visible_first, visible_to

Sort = Literal["newest", "oldest", "due"]
#: Sort -> the column, and whether it goes down. Each is carried by an index; ids decide between equals.
SORTS: Final = {
    "newest": (orders.c.created_at, True),
    "oldest": (orders.c.created_at, False),
    "due": (orders.c.due_at, False),
}
MOST_VIEWS: Final = 50


#: Who sees orders that are over, and so more than can be looked through.
_SEES_MANY: Final = WHOLE_UNIT | {"operator", "operator_ent"}
#: So many are looked at before the index of words is asked.
LOOKED_AT: Final = 1000
#: Of what has the words so many are looked at for a page, whether they are wanted and may be seen.
MOST_HITS: Final = 4000
_WORDS: Final = ARRAY(Text)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to.

    Args:
        conditions: that hold of the orders.
        words: that the subject, the description or the place contains.
        since: when they were made, up to but not including `until`.
        few: these are few orders anyway, so that they can be looked through for the words.
        carried: an index carries these in the order in which they were made.
    """

    conditions: tuple[ColumnElement[bool], ...] = ()
    words: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    few: bool = False
    carried: bool = False


class TooShort(Exception):
    """A single character (单字) is in no index, and the newest orders do not hold a page of it."""


class Looked(NamedTuple):
    """A page. `upto`: not all was looked at, and the page after it goes on from there; None for one that is full."""

    found: Found
    upto: tuple[datetime, UUID] | None = None


async def find_orders(
    connection: AsyncConnection,
    person: Person,
    wanted: Wanted,
    *,
    sort: Sort,
    limit: int,
    before: str | None = None,
    everybodys: bool = False,
    whole: bool = False,
) -> Looked:
    """A page of orders that a person may see. `before`: the cursor of the page before it, in the same order.

    `everybodys`: all but those that complain of them, as another person has approved. `whole`: pages are full to the
    last one, however long that takes; else none takes long. Raises TooShort.
    """
    column, down = SORTS[sort]
    after = place(before) if before else None
    many = person.may("see_raw_orders") or not _SEES_MANY.isdisjoint(person.roles)
    indexed = any(len(word) > 1 for word in wanted.words)
    if sort != "due" and many and not everybodys and not wanted.few and (indexed or (wanted.words and not whole)):
        carried = wanted.carried or not person.may("see_raw_orders") or not (indexed or wanted.conditions)
        if carried and (newest := await _among_newest(connection, person, wanted, after, down, limit)) is not None:
            return Looked(newest)
        if not indexed:
            raise TooShort
        return await _by_words(connection, person, wanted, after, down, limit, None if whole else MOST_HITS)
    those = [*wanted.conditions, *contains(wanted.words)]
    if sort == "due":
        those.append(orders.c.due_at.is_not(None))
    if wanted.since:
        those.append(orders.c.created_at >= wanted.since)
    if wanted.until:
        those.append(orders.c.created_at < wanted.until)
    if after:
        at, row_id = after
        here, there = tuple_(column, orders.c.id), tuple_(at, UUID(row_id))
        those.append(here < there if down else here > there)
    along = (column.desc(), orders.c.id.desc()) if down else (column, orders.c.id)
    query = visible_first(person, those, along, limit, down=None if sort == "due" else down, everybodys=everybodys)
    return Looked((await connection.execute(query)).mappings().all())


def _made(
    at: ColumnElement[Any], row_id: ColumnElement[Any], wanted: Wanted, after: tuple[datetime, str] | None, down: bool
) -> tuple[list[ColumnElement[bool]], tuple[ColumnElement[Any], ...]]:
    """When rows must have been made that are wanted and come after a cursor; and the order of these."""
    those = []
    if wanted.since:
        those.append(at >= wanted.since)
    if wanted.until:
        those.append(at < wanted.until)
    if after:
        here, there = tuple_(at, row_id), tuple_(after[0], UUID(after[1]))
        those.append(here < there if down else here > there)
    return those, (at.desc(), row_id.desc()) if down else (at, row_id)


async def _among_newest(
    connection: AsyncConnection,
    person: Person,
    wanted: Wanted,
    after: tuple[datetime, str] | None,
    down: bool,
    limit: int,
) -> Found | None:
    """A page, when the next orders of somebody or some kind hold it or are all that there are; else None.

    A word of many orders and a kind of few would let the index of words yield thousands that are then thrown away.
    """
    scopes, helped = own_scopes(person)
    made, along = _made(orders.c.created_at, orders.c.id, wanted, after, down)
    ones = [select(orders.c.id, orders.c.created_at).where(scope, *made, *wanted.conditions) for scope in scopes]
    ones = [one.order_by(*along) for one in ones]
    if helped is not None:
        its = order_co_units.c
        theirs, in_order = _made(its.created_at, its.order_id, wanted, after, down)
        ones.append(select(its.order_id.label("id"), its.created_at).where(helped, *theirs).order_by(*in_order))
    parts = [select(literal(n).label("part"), one.limit(LOOKED_AT).subquery()) for n, one in enumerate(ones)]
    looked = union_all(*parts).cte("looked")
    # Of a part that has more, nothing is known from here on.
    last, first = (func.min, func.max) if down else (func.max, func.min)
    cut = select(last(looked.c.created_at).label("at")).group_by(looked.c.part)
    upto = select(first(cut.having(func.count() == LOOKED_AT).subquery().c.at)).scalar_subquery()
    known = orders.c.created_at > upto if down else orders.c.created_at < upto
    query = select(orders).where(orders.c.id.in_(select(looked.c.id)), or_(upto.is_(None), known))
    query = query.where(unconcerned(person), *wanted.conditions, *contains(wanted.words)).order_by(*along).limit(limit)
    found: Found = (await connection.execute(query)).mappings().all()
    return found if len(found) == limit or await connection.scalar(select(upto)) is None else None


async def _by_words(
    connection: AsyncConnection,
    person: Person,
    wanted: Wanted,
    after: tuple[datetime, str] | None,
    down: bool,
    limit: int,
    most: int | None,
) -> Looked:
    """Go from one span of time to the next by the index of words (migration 0028), until there is a page.

    `most`: so many that have the words are looked at; None: all.
    """
    ends = await connection.execute(select(func.min(orders.c.created_at), func.max(orders.c.created_at)))
    first, last = ends.one()
    if first is None:
        return Looked([])
    texts = order_texts.c
    theirs, along = _made(texts.created_at, texts.order_id, wanted, after, down)
    first, last = max(first, wanted.since or first), min(last, wanted.until or last)
    if after:
        first, last = (first, after[0]) if down else (after[0], last)
    begin, end = (last, first) if down else (first, last)
    spans = func.generate_series(func.order_span(begin), func.order_span(end), -1 if down else 1)
    span = spans.table_valued("n").render_derived("span")
    for word in (word.lower() for word in wanted.words):
        if len(word) > 1:
            keys = func.word_keys(func.order_span(texts.created_at), texts.words, type_=_WORDS)
            theirs.append(keys.contains(func.word_keys(span.c.n, word, type_=_WORDS)))
        theirs.append(texts.words.contains(word, autoescape=True))
    of_span = select(texts.order_id, texts.created_at).where(*theirs).order_by(*along).lateral()
    # Spans are taken in their order, and none after the page is full.
    having = select(of_span).select_from(span.join(of_span, true()))
    hits = having.limit(most).subquery()
    # One look for each: the planner, which cannot know how rare a word is, would read the table instead.
    found = select(orders).where(orders.c.id == hits.c.order_id, visible_to(person), *wanted.conditions)
    each = found.limit(1).lateral()
    page = (await connection.execute(select(each).select_from(hits.join(each, true())).limit(limit))).mappings().all()
    if most is None or len(page) == limit:
        return Looked(page)
    stopped = (await connection.execute(having.offset(most - 1).limit(1))).first()
    return Looked(page, stopped and (stopped.created_at, stopped.order_id))


def of_number(key: bytes) -> ColumnElement[bool]:
    """Orders that came from a number or are called back on it; confidential ones are shown to nobody by a number."""
    return orders.c.id.in_(ids_of_number(key)) & ~orders.c.confidential


# --- saved views ------------------------------------------------------------------------------------------------------


async def views_of(connection: AsyncConnection, person: Person) -> Found:
    """Somebody's own views, and those that are shared with one of their roles."""
    shared = order_views.c.role.in_(person.roles)
    query = select(order_views).where(or_(order_views.c.login == person.login, shared)).order_by(order_views.c.name)
    return (await connection.execute(query)).mappings().all()


async def put_view(connection: AsyncConnection, view_id: UUID, login: str, values: dict[str, Any]) -> str:
    """Keep a view: "kept", or "taken" when it is somebody else's, "full" when one has too many."""
    count = select(func.count()).select_from(order_views)
    others = count.where(order_views.c.login == login, order_views.c.id != view_id)
    if (await connection.scalar(others) or 0) >= MOST_VIEWS:
        return "full"
    new = insert(order_views).values(id=view_id, login=login, changed_at=datetime.now(UTC), **values)
    kept = new.on_conflict_do_update(
        index_elements=[order_views.c.id],
        set_={name: new.excluded[name] for name in ("name", "role", "filters", "changed_at")},
        where=order_views.c.login == login,
    )
    done = await connection.execute(kept.returning(order_views.c.id))
    return "kept" if done.first() else "taken"


async def drop_view(connection: AsyncConnection, view_id: UUID, login: str) -> RowMapping | None:
    """Take a view of one's own away; None when there is none."""
    gone = delete(order_views).where(order_views.c.id == view_id, order_views.c.login == login).returning(order_views)
    return (await connection.execute(gone)).mappings().first()
