"""How alike two texts of citizens are (文本相似). Pure.

Pairs of neighbouring characters are compared, as the register finds words: Chinese is written without spaces, and two
people say one thing with the same words in another order.
"""

import re
from collections.abc import Set
from typing import Final

#: So many characters are compared: citizens say first what it is about.
MOST: Final = 300

_WORD: Final = re.compile(r"\w+")
_NUMBER: Final = re.compile(r"\d+")
_DIGITS: Final = str.maketrans("〇零一二三四五六七八九", "00123456789")


def pairs(text: str) -> frozenset[str]:
    """The pairs of characters in the words of a text, numbers in digits."""
    words = _WORD.findall(text[:MOST].lower().translate(_DIGITS))
    return frozenset(word[n : n + 2] for word in words for n in range(len(word) - 1))


def alike(one: Set[str], other: Set[str]) -> float:
    """The share of pairs that two texts have in common (Dice), 0 to 1."""
    whole = len(one) + len(other)
    return 2 * len(one & other) / whole if whole else 0.0


def alike_places(one: str, other: str) -> float:
    """How much of the shorter address is in the longer one, 0 to 1."""
    a, b = pairs(one), pairs(other)
    return len(a & b) / min(len(a), len(b)) if a and b else 0.0


def other_number(one: str, other: str) -> bool:
    """Whether two addresses have numbers (门牌), and none in common."""
    numbers = [set(_NUMBER.findall(place.translate(_DIGITS))) for place in (one, other)]
    return all(numbers) and not numbers[0] & numbers[1]
