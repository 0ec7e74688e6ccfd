"""How likely it is that two orders are one matter (并单候选), with the reasons in points. Pure; a person decides.

domain.md 3.6 names the four signs: the same leaf, near, recent, like words. The leaf and the days are asked of the
database; the others are weighed here. The weights are ours: `tests/duplicates.csv` holds how many they find, and how
many they name wrongly.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

#: What each sign says at most, in points.
WORDS, NEAR, RECENT = 50, 35, 15
#: So much likeness of words says all that words can say; below the least it is another matter.
FULL_WORDS, LEAST_WORDS = 0.5, 0.16
#: Addresses so much alike are one address, or the same street of houses.
SAME_PLACE, LIKE_PLACE = 0.8, 0.4
#: Points of being near: an address, a like one, the same street office, the same district.
AT_PLACE, BY_PLACE, IN_STREET, IN_DISTRICT = 35, 22, 14, 4
#: Farther than so many times the limit is another place, whatever the words.
FAR: Final = 5
#: Fewer points are no candidate.
LEAST: Final = 45
MOST: Final = 8

Sign = Literal["words", "metres", "place", "street", "district", "recent"]


class Reason(NamedTuple):
    """One sign: what it weighs, and its measure: per cent of likeness, metres, days."""

    kind: Sign
    points: int
    value: int


@dataclass(frozen=True, slots=True)
class Pair:
    """What is known of two orders of one leaf.

    Args:
        words, place: likeness 0 to 1 of the words, of the addresses (0 when one has none).
        near: 2 in the same street office, 1 in the same district, 0 elsewhere, None when one has no region.
        days: between their receipts.
        metres: between their points on the map; None when one has none.
        other_number: their addresses have numbers of their own.
    """

    words: float
    place: float
    near: int | None
    days: float
    metres: float | None = None
    other_number: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """How far and how old (measures MERGE-METRES, MERGE-DAYS)."""

    metres: int
    days: int


def weigh(pair: Pair, limits: Limits) -> tuple[int, tuple[Reason, ...]] | None:
    """Points of 100 with their reasons, the heaviest first; None when they are not one matter."""
    if pair.days > limits.days or (pair.metres is not None and pair.metres > limits.metres * FAR):
        return None
    points, told = signs(pair, limits)
    # Of two in one place on one day each may be another's: without words there is no matter.
    return (points, told) if points >= LEAST and pair.words >= LEAST_WORDS else None


def signs(pair: Pair, limits: Limits) -> tuple[int, tuple[Reason, ...]]:
    """Points of 100 with their reasons, the heaviest first, of any two that somebody has put side by side."""
    reasons = [_words(pair), _place(pair, limits), _recent(pair, limits)]
    told = tuple(sorted((reason for reason in reasons if reason), key=lambda reason: -reason.points))
    return sum(reason.points for reason in told), told


def _words(pair: Pair) -> Reason | None:
    if pair.words < LEAST_WORDS:
        return None
    return Reason("words", round(WORDS * min(1.0, pair.words / FULL_WORDS)), round(pair.words * 100))


def _place(pair: Pair, limits: Limits) -> Reason | None:
    if pair.metres is not None:
        if pair.metres <= limits.metres:
            return Reason("metres", AT_PLACE, round(pair.metres))
        left = max(0.0, 1 - (pair.metres - limits.metres) / (limits.metres * (FAR - 1)))
        return Reason("metres", round(BY_PLACE * left), round(pair.metres))
    if pair.near == 0:  # there may be a street of that name in each district
        return None
    if pair.place >= LIKE_PLACE and not pair.other_number:
        return Reason("place", AT_PLACE if pair.place >= SAME_PLACE else BY_PLACE, round(pair.place * 100))
    if pair.near == 2 and not pair.other_number:
        return Reason("street", IN_STREET, 0)
    return Reason("district", IN_DISTRICT, 0) if pair.near else None


def _recent(pair: Pair, limits: Limits) -> Reason:
    return Reason("recent", round(RECENT * max(0.0, 1 - pair.days / limits.days)), int(pair.days))
