"""What lists of orders can be narrowed to (筛选): the same words in the inbox, the register and its exports."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

from pydantic import Field
from sqlalchemy import ColumnElement, or_

from callcenter.api import Model
from callcenter.directory.city import CATEGORIES, REGIONS
from callcenter.store.tables import orders
from callcenter.workorders.codes import is_order_code, wrong_code
from callcenter.workorders.order import RED, REMINDER, YELLOW

Word = Annotated[str, Field(pattern=r"^[a-z_]{1,30}$")]
Unit = Annotated[str, Field(pattern=r"^[A-Z][0-9A-Z]{1,11}$")]

#: A day and seven more: no telephone number with its 86 is one.
_LIKE_CODE: Final = re.compile(r"[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{6}[0-9A-Z]")
_URGED: Final = {"urged": REMINDER, "yellow": YELLOW, "red": RED}


class Narrow(Model):
    """`category`: a leaf or a class; `region`: a street or a whole district; `urged`: that, or with a card.

    `q`: an order's code, or words that the subject, the description or the place contains.
    """

    state: Word | None = None
    kind: Word | None = None
    category: Annotated[str, Field(pattern=r"^[0-9]{2,6}$")] | None = None
    region: Unit | None = None
    urgency: Literal["U1", "U2", "U3", "U4"] | None = None
    urged: Literal["urged", "yellow", "red"] | None = None
    q: Annotated[str, Field(min_length=1, max_length=100)] | None = None


def conditions(narrow: Narrow) -> list[ColumnElement[bool]]:
    """What must hold of the orders, but for words. Raises the Problem of a code whose check character does not fit."""
    if narrow.q and _LIKE_CODE.fullmatch(narrow.q.upper()) and not is_order_code(narrow.q.upper()):
        raise wrong_code()
    same = ((orders.c.state, narrow.state), (orders.c.kind, narrow.kind), (orders.c.urgency, narrow.urgency))
    wanted: list[ColumnElement[bool]] = [column == value for column, value in same if value]
    if narrow.category:
        leaves = [code for code, each in CATEGORIES.items() if narrow.category in (code, each.parent)]
        wanted.append(orders.c.category.in_(leaves))
    if narrow.region:
        within = [code for code, each in REGIONS.items() if narrow.region in (code, each.parent)]
        wanted.append(orders.c.region.in_(within))
    if narrow.urged:
        wanted.append(orders.c.urge_level >= _URGED[narrow.urged])
    if narrow.q and is_order_code(narrow.q.upper()):
        wanted.append(orders.c.code == narrow.q.upper())
    return wanted


def words_of(narrow: Narrow) -> list[str]:
    """The words that are looked for."""
    return [] if narrow.q is None or is_order_code(narrow.q.upper()) else narrow.q.split()


def contains(words: Iterable[str]) -> list[ColumnElement[bool]]:
    """That the subject, the description or the place of orders contains each: reads every order that is asked about."""
    columns = (orders.c.subject, orders.c.description, orders.c.place)
    return [or_(*(_contains(column, word) for column in columns)) for word in words]


def _contains(column: Any, word: str) -> ColumnElement[bool]:
    # Chinese has no small letters, and to make them of a whole text costs ten times the look into it.
    found: ColumnElement[bool] = (
        column.contains(word, autoescape=True)
        if word.lower() == word.upper()
        else column.icontains(word, autoescape=True)
    )
    return found
