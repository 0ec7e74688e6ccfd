"""When a citizen may be visited (回访时段), and what the visits come to (回访统计). Pure.

Three tries in different parts of a day, on two days at least (domain.md 3.6, R46); the guards of `workorders` refuse
what goes against that, this says when the next one is due. In every figure a citizen who was not reached counts as not
reached: neither satisfied nor unsatisfied (domain.md 2b, K20 to K24).
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from callcenter.api import Model
from callcenter.workorders.guards import part_of_day

#: The parts of a day in which citizens are called, as `part_of_day` numbers them.
PARTS: Final = ("morning", "afternoon", "evening")
#: How many days ahead the next hours are looked for: tries end on the second day.
_AHEAD: Final = 3
#: Where each part of a day begins and ends, in minutes after midnight: hours of visits lie within.
BORDERS: Final = ((0, 720), (720, 1080), (1080, 1440))


class Slot(NamedTuple):
    """Hours in which citizens are called: minutes after midnight, `end` not among them."""

    name: str
    start: int
    end: int

    def holds(self, now: datetime) -> bool:
        return self.start <= now.hour * 60 + now.minute < self.end


class Offer(NamedTuple):
    """Whether an order is to be visited now, and if not, when next; None when never."""

    open: bool
    next_at: datetime | None


def slots_of(measures: Mapping[str, int]) -> tuple[Slot, ...]:
    """The hours of visits as the policies have them."""
    codes = ((name, f"VISIT-{name.upper()}") for name in PARTS)
    return tuple(Slot(name, measures[f"{code}-FROM"], measures[f"{code}-TO"]) for name, code in codes)


def slot_now(slots: Iterable[Slot], now: datetime) -> Slot | None:
    """The hours that it is now, in the city's time zone; None between them."""
    return next((slot for slot in slots if slot.holds(now)), None)


def offer(
    tries: Collection[datetime], later_at: datetime | None, now: datetime, slots: Collection[Slot], most: int
) -> Offer:
    """When an order is to be visited.

    Args:
        tries: when it was tried in vain.
        later_at: when the citizen asked to be called, if so: then neither earlier nor only in the usual hours.
        now: in the city's time zone.
        most: tries, by the order's version of the policies.
    """
    if later_at is not None:
        return Offer(now >= later_at, None if now >= later_at else later_at)
    if len(tries) >= most:
        return Offer(False, None)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for ahead in range(_AHEAD):
        for slot in sorted(slots, key=lambda each: each.start):
            start, end = (midnight + timedelta(days=ahead, minutes=at) for at in (slot.start, slot.end))
            at = max(now, start)
            if at < end and _another(tries, at, most):
                return Offer(at == now, None if at == now else at)
    return Offer(False, None)


def _another(tries: Collection[datetime], at: datetime, most: int) -> bool:
    """Whether a part of a day has not been tried, and the last try would not be on the only day of the others."""
    local = [each.astimezone(at.tzinfo) for each in tries]
    if any((each.date(), part_of_day(each)) == (at.date(), part_of_day(at)) for each in local):
        return False
    return len(local) < most - 1 or {each.date() for each in local} != {at.date()}


# --- answers ----------------------------------------------------------------------------------------------------------

_DIGITS: Final = re.compile(r"[\s,，、.。;；/]*([12])" + r"[\s,，、.。;；/]*([123])" * 3 + r"[\s,，、.。;；/]*")
_WIDE: Final = str.maketrans("１２３", "123")


def answers_of_text(text: str) -> dict[str, str] | None:
    """The four answers of a text (短信回访): `1 1 2 1`; None when it holds none.

    In order: contacted (1 yes, 2 no); solved, satisfied with the result, with the attitude (1 yes, 2 basically, 3 no).
    """
    found = _DIGITS.fullmatch(text.translate(_WIDE))
    if found is None:
        return None
    contacted, *rest = found.groups()
    scale = {"1": "yes", "2": "basically", "3": "no"}
    names = ("resolved", "satisfied_result", "satisfied_attitude")
    return {"contacted": "yes" if contacted == "1" else "no"} | {
        name: scale[digit] for name, digit in zip(names, rest, strict=True)
    }


# --- figures ----------------------------------------------------------------------------------------------------------


class Counted(NamedTuple):
    """How often something happened: an event of a visit with what was given; empty where nothing was."""

    event: str
    contacted: str
    resolved: str
    satisfied: str
    result: str
    n: int


class Rates(Model):
    """What visits came to, in numbers of orders; shares are over `answered` alone.

    `resolved` and `satisfied` are strict (yes); `..._broad` count "basically" too. `unreachable`: three tries in vain.
    """

    answered: int
    contacted: int
    resolved: int
    resolved_broad: int
    satisfied: int
    satisfied_broad: int
    unreachable: int
    refused: int
    tries: int


ANSWERED: Final = frozenset({"visit_satisfied", "visit_unsatisfied"})
#: What is counted; the index of the history knows these too.
EVENTS: Final = (*sorted(ANSWERED), "visit_no_answer", "visit_exhausted")
_BROAD: Final = frozenset({"yes", "basically"})


def rates(counted: Iterable[Counted]) -> Rates:
    """Sum up what happened in a span of time."""
    rows = list(counted)
    answers = [row for row in rows if row.event in ANSWERED]
    refused = sum(row.n for row in rows if row.event == "visit_no_answer" and row.result == "refused")
    return Rates(
        answered=sum(row.n for row in answers),
        contacted=sum(row.n for row in answers if row.contacted == "yes"),
        resolved=sum(row.n for row in answers if row.resolved == "yes"),
        resolved_broad=sum(row.n for row in answers if row.resolved in _BROAD),
        satisfied=sum(row.n for row in answers if row.satisfied == "yes"),
        satisfied_broad=sum(row.n for row in answers if row.satisfied in _BROAD),
        unreachable=max(0, sum(row.n for row in rows if row.event == "visit_exhausted") - refused),
        refused=refused,
        tries=sum(row.n for row in rows if row.event == "visit_no_answer"),
    )


class Coverage(Model):
    """How far visits go (回访覆盖率、回访成功率), in orders; domain.md K23 and K24.

    `due`: visits that were finished in the time, and those whose limit is over and that are not; `finished`: answered,
    or three tries in vain, or the citizen wanted none. K23 is `finished` of `due`, K24 `answered` of `due`.
    """

    due: int
    finished: int
    answered: int


def coverage(found: Rates, overdue: int) -> Coverage:
    """From what visits came to, and how many are overdue now."""
    finished = found.answered + found.unreachable + found.refused
    return Coverage(due=finished + overdue, finished=finished, answered=found.answered)


def is_surveyed(visit: Mapping[str, Any]) -> bool:
    """Whether an order's visit has answers: what every rate of satisfaction is over."""
    return "satisfied_result" in visit
