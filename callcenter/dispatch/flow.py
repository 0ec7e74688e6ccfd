"""Which unit an order should go to, with the reasons (派单建议). Pure: a suggestion, never a decision.

What is known is weighed in points. The responsibility list says who leads a leaf; a ruling in a dispute about the same
leaf goes before it where the region is the same (domain.md 3.6: offered at the next dispatch); orders that were closed
before and are alike say who handled them. Who has returned this very order is not suggested again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

#: What each reason weighs. Near is 2 in the same street, 1 in the same district, else 0.
RULE: Final = 50
PRECEDENT: Final = (25, 40, 60)
ANOTHER_PRECEDENT: Final = 5
SIMILAR: Final = 40
NAMED: Final = 35
BOUND: Final = 200
REFUSED: Final = -150

#: How much of a likeness (0 to 1) is that of the subjects, how much that of the texts.
OF_SUBJECT, OF_TEXT = 0.6, 0.4
#: Less than this is not alike.
LEAST_LIKENESS: Final = 0.15
#: What an alike order in another street, another district counts.
BY_NEAR: Final = (0.6, 0.8, 1.0)
#: So much likeness together says all that likeness can say.
FULL_LIKENESS: Final = 1.5
MOST_ALIKE: Final = 8
MOST_UNITS: Final = 5
#: The first one is sure when it has so many points, and so many more than the next.
SURE, AHEAD = 50, 15


class Precedent(NamedTuple):
    """A ruling about the same leaf (裁定先例). `near`: 0 to 2."""

    code: str
    unit: str
    co: tuple[str, ...]
    near: int


class Similar(NamedTuple):
    """A closed order of the same leaf whose words are alike: `likeness` 0 to 1, `near` 0 to 2."""

    code: str
    unit: str
    likeness: float
    near: int


ReasonKind = Literal["bound", "precedent", "rule", "similar", "named", "refused"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for or against a unit, what it weighs, and the orders that it rests on."""

    kind: ReasonKind
    points: int
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ranked:
    """A unit that is suggested, with its co-units and every reason, the heaviest first."""

    unit: str
    points: int
    co: tuple[str, ...]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of where an order belongs.

    Args:
        rule: the leaf's lead and co-units by the responsibility list (职责清单); None when the leaf is unknown.
        bound: the unit that a ruling on this very order names.
        named: units that others named when they returned it; refused: those that have returned it.
        precedents: the newest first.
    """

    rule: tuple[str, tuple[str, ...]] | None
    bound: str | None = None
    named: Collection[str] = ()
    refused: Collection[str] = ()
    precedents: Sequence[Precedent] = ()
    similar: Sequence[Similar] = ()


def rank(known: Known) -> list[Ranked]:
    """The units in question, the best first; one that has refused stands last, with its reason."""
    reasons: dict[str, list[Reason]] = {}
    if known.bound:
        reasons.setdefault(known.bound, []).append(Reason("bound", BOUND))
    if known.rule:
        reasons.setdefault(known.rule[0], []).append(Reason("rule", RULE))
    for unit, rulings in _by_unit(known.precedents).items():
        points = max(PRECEDENT[each.near] for each in rulings)
        points += ANOTHER_PRECEDENT * min(len(rulings) - 1, 3)
        codes = tuple(each.code for each in sorted(rulings, key=lambda each: -each.near)[:3])
        reasons.setdefault(unit, []).append(Reason("precedent", points, codes))
    for unit, reason in _alike(known.similar):
        reasons.setdefault(unit, []).append(reason)
    for unit in known.named:
        reasons.setdefault(unit, []).append(Reason("named", NAMED))
    for unit in reasons.keys() & set(known.refused):
        reasons[unit].append(Reason("refused", REFUSED))
    ranked = [_ranked(unit, told, known) for unit, told in reasons.items()]
    return sorted(ranked, key=lambda each: (-each.points, each.unit))[:MOST_UNITS]


def is_sure(ranked: Sequence[Ranked]) -> bool:
    """Whether the first one is clearly the one."""
    if not ranked or ranked[0].points < SURE:
        return False
    return len(ranked) == 1 or ranked[0].points - ranked[1].points >= AHEAD


def near(region: str, other: str, parents: Mapping[str, str]) -> int:
    """2 for the same street, 1 for the same district, else 0. `parents`: street -> district."""
    if not region or not other:
        return 0
    if region == other:
        return 2
    return int(parents.get(region, region) == parents.get(other, other))


def _ranked(unit: str, told: list[Reason], known: Known) -> Ranked:
    co: tuple[str, ...] = next((each.co for each in known.precedents if each.unit == unit and each.near), ())
    if not co and known.rule and known.rule[0] == unit:
        co = known.rule[1]
    heaviest = tuple(sorted(told, key=lambda reason: -abs(reason.points)))
    return Ranked(unit, sum(reason.points for reason in told), co, heaviest)


def _by_unit(precedents: Iterable[Precedent]) -> dict[str, list[Precedent]]:
    units: dict[str, list[Precedent]] = {}
    for each in precedents:
        units.setdefault(each.unit, []).append(each)
    return units


def _alike(similar: Iterable[Similar]) -> list[tuple[str, Reason]]:
    """What alike orders say of units: each unit's share of all likeness, as far as there is much of it."""
    best = sorted(similar, key=lambda each: -each.likeness * BY_NEAR[each.near])[:MOST_ALIKE]
    units: dict[str, list[Similar]] = {}
    for each in best:
        units.setdefault(each.unit, []).append(each)
    sums = {unit: sum(each.likeness * BY_NEAR[each.near] for each in alike) for unit, alike in units.items()}
    whole = sum(sums.values())
    found = []
    for unit, alike in units.items():
        points = round(SIMILAR * sums[unit] / whole * min(1.0, whole / FULL_LIKENESS))
        if points:
            found.append((unit, Reason("similar", points, tuple(each.code for each in alike[:3]))))
    return found
