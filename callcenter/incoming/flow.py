"""What a citizen's text means (短信回复), by the orders of its number. Pure.

An order is meant when the text names its code, when it alone waits for a visit, when of several that wait it alone was
asked by text, or when it is the number's only one. All else is for a person to look at: nothing is guessed.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from callcenter.visits.flow import answers_of_text
from callcenter.workorders.codes import is_order_code

#: Longest text that is kept, in characters: twelve messages of Chinese.
MOST: Final = 800
#: By which citizens say that they want no texts (退订).
STOP: Final = frozenset({"T", "TD", "N", "退订", "STOP"})

_CODE: Final = re.compile(r"(?<![0-9A-Za-z])[0-9]{12}[0-9A-Za-z](?![0-9A-Za-z])")

Kind = Literal["answer", "note", "stop", "several", "unknown"]


class Known(NamedTuple):
    """An order of the number. `waits`: for a visit; `asked`: its citizen was sent the questions by text."""

    code: str
    waits: bool
    asked: bool


class Meaning(NamedTuple):
    """`code`: of the order that is meant, for an answer and a note."""

    kind: Kind
    code: str | None = None
    answers: Mapping[str, str] | None = None


def plain(text: str) -> str:
    """What is kept of a text: without control characters but line ends, and no longer than `MOST`."""
    kept = (char for char in text if char == "\n" or unicodedata.category(char)[0] != "C")
    return "".join(kept).strip()[:MOST]


def meaning(text: str, known: Sequence[Known]) -> Meaning:
    """What a text means. `known`: the orders of its number, the newest first."""
    if unicodedata.normalize("NFKC", text).strip(" .。,，!！").upper() in STOP:
        return Meaning("stop")
    if not known:
        return Meaning("unknown")
    named = {found[0].upper() for found in _CODE.finditer(text) if is_order_code(found[0].upper())}
    answers = answers_of_text(_CODE.sub(" ", text) if named else text)
    order = _meant(named, known)
    if order is None:
        return Meaning("several")
    if answers is not None and order.waits:
        return Meaning("answer", order.code, answers)
    return Meaning("note", order.code)


def _meant(named: set[str], known: Sequence[Known]) -> Known | None:
    if named:
        known = [each for each in known if each.code in named]
    waiting = [each for each in known if each.waits]
    asked = [each for each in waiting if each.asked]
    for few in (known, waiting, asked):
        if len(few) == 1:
            return few[0]
    return None
