"""How many calls will come (话务预测): the next days by slot of the day, and the rest of a day that has begun.

A weighted mean of the same slot on earlier days of the same kind and weekday, the nearest days first; how busy the
latest days were beside what was to be expected of them counts for the days that follow at once. Holidays, make-up
workdays and the first day after a holiday (节后首日) begin as a rest day or a workday and get a factor of their own as
soon as the history holds some. Nothing is drawn from outside: without history there is no forecast.

The constants were chosen on the first half of the bank's days of 2003 (bench/forecast.py); the figures of the second
half are those that count.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

SLOT_MINUTES: Final = 15
SLOTS: Final = 24 * 60 // SLOT_MINUTES

#: Weight of a day one week older: for the shape of the day, and for how many calls it has.
SHAPE_FADES: Final = 0.95
LEVEL_FADES: Final = 0.65
#: How much of the latest days' surprise is expected again on the next day, and on each day further.
SURPRISE: Final = 0.7
SURPRISE_FADES: Final = 0.75
#: The latest days looked at for a surprise, and the weight of each day older.
LATEST: Final = 5
LATEST_FADE: Final = 0.6
#: As many days without a difference are believed until a special kind of day has been seen: one holiday proves little.
DOUBT: Final = 2.0
#: By how much a day's number of calls differs from the forecast (coefficient of variation; reliability.md 2.6: 0.1 to
#: 0.2), and how little the begin of a day tells of the rest: as the share of the day's calls at which it counts half.
DAY_SPREAD: Final = 0.1
BEGIN_DOUBT: Final = 0.15
#: Weight of a slot that was over one slot earlier.
SLOT_FADES: Final = 0.92


class Kind(StrEnum):
    """What a day is in the calendar (日期类型, domain.md 3.5)."""

    WORKDAY = "workday"  # 工作日
    REST = "rest"  # 休息日: Saturday or Sunday
    HOLIDAY = "holiday"  # 法定节假日
    MAKEUP = "makeup"  # 调休上班: a workday on a weekend
    AFTER = "after"  # 节后首日: the first workday after a holiday


#: A special kind -> the ordinary kind that it begins as.
_BEGINS_AS: Final = {Kind.HOLIDAY: Kind.REST, Kind.MAKEUP: Kind.WORKDAY, Kind.AFTER: Kind.WORKDAY}


@dataclass(frozen=True, slots=True)
class Day:
    """One whole day: what it was, and the calls that arrived in each slot of it, in order."""

    date: date
    kind: Kind
    calls: tuple[float, ...]

    @property
    def total(self) -> float:
        return sum(self.calls)


def forecast(history: Sequence[Day], day: date, kind: Kind) -> list[float] | None:
    """Calls to be expected in each slot of `day`; None without history.

    Args:
        history: whole days before `day`, each once, in any order, all with as many slots. Later days are left out.

    Raises ValueError when the days differ in their slots.
    """
    days = sorted((each for each in history if each.date < day), key=lambda each: each.date)
    if not days:
        return None
    if len({len(each.calls) for each in days}) != 1:
        raise ValueError("the days of the history differ in their slots")
    usual = _usual(days, day, kind)
    factor = _factor(days, kind) * _surprise(days, day)
    return [calls * factor for calls in usual]


def rest_of_day(expected: Sequence[float], arrived: Sequence[float]) -> list[float]:
    """The forecast of a day that has begun, anew (日内重预测): the slots not yet over, in the light of those that are.

    Args:
        expected: the forecast of every slot of the day.
        arrived: calls of the slots that are over, from the first.

    What came is held against what was expected, the latest slots most; the rest of the day follows that ratio as far
    as it is to be believed: little when few calls were expected so far (they come by chance), little at daybreak.
    Raises ValueError when more slots are over than the day has.
    """
    if len(arrived) > len(expected):
        raise ValueError("more slots are over than the day has")
    over, rest = expected[: len(arrived)], list(expected[len(arrived) :])
    weights = [SLOT_FADES ** (len(arrived) - 1 - n) for n in range(len(arrived))]
    foreseen = sum(w * calls for w, calls in zip(weights, over, strict=True))
    if not foreseen:
        return rest
    came = sum(w * calls for w, calls in zip(weights, arrived, strict=True))
    believed = 1 / (1 + BEGIN_DOUBT * sum(expected) / foreseen + 1 / (DAY_SPREAD**2 * foreseen))
    level = 1 + believed * (came / foreseen - 1)
    return [calls * level for calls in rest]


def seasonal_naive(history: Sequence[Day], day: date) -> list[float] | None:
    """The simplest forecast, with which ours must stand comparison: the latest day with the same weekday."""
    same = [each for each in history if each.date < day and each.date.weekday() == day.weekday()]
    return list(max(same, key=lambda each: each.date).calls) if same else None


def wape(pairs: Iterable[tuple[float, float]]) -> float:
    """Weighted absolute percentage error of (actual, forecast): all misses over all calls. Raises ValueError."""
    missed = calls = 0.0
    for actual, expected in pairs:
        missed += abs(actual - expected)
        calls += actual
    if not calls:
        raise ValueError("no calls")
    return missed / calls


def _usual(days: Sequence[Day], day: date, kind: Kind) -> list[float]:
    """What a day of the ordinary kind would bring, by the days before."""
    like = _like(days, day, kind)
    shape, level = _mean(like, day, SHAPE_FADES), sum(_mean(like, day, LEVEL_FADES))
    total = sum(shape)
    return [calls * level / total for calls in shape] if total else shape


def _like(days: Sequence[Day], day: date, kind: Kind) -> Sequence[Day]:
    """The days that tell most of such a day: of its kind and weekday, or of its kind, or whatever there is."""
    ordinary = _BEGINS_AS.get(kind, kind)
    of_kind = [each for each in days if each.kind is ordinary]
    if kind in (Kind.HOLIDAY, Kind.MAKEUP):
        return of_kind or days
    same = [each for each in of_kind if each.date.weekday() == day.weekday()]
    return same or of_kind or days


def _mean(days: Sequence[Day], day: date, fade: float) -> list[float]:
    weights = [fade ** ((day - each.date).days / 7) for each in days]
    total = sum(weights)
    slots = zip(*(each.calls for each in days), strict=True)
    return [sum(w * calls for w, calls in zip(weights, slot, strict=True)) / total for slot in slots]


def _factor(days: Sequence[Day], kind: Kind) -> float:
    """How special days of this kind differed from what they begin as."""
    if kind not in _BEGINS_AS:
        return 1.0
    ratios = [ratio for each in days if each.kind is kind and (ratio := _ratio(days, each)) is not None]
    return (DOUBT + sum(ratios)) / (DOUBT + len(ratios))


def _surprise(days: Sequence[Day], day: date) -> float:
    """By what factor the latest ordinary days differed from what was usual, as far as that still counts on `day`."""
    latest = [each for each in reversed(days) if each.kind not in _BEGINS_AS][:LATEST]
    weighted = [(LATEST_FADE**n, ratio) for n, each in enumerate(latest) if (ratio := _ratio(days, each))]
    if not weighted:
        return 1.0
    ratio = sum(w * each for w, each in weighted) / sum(w for w, _ in weighted)
    ahead = (day - days[-1].date).days
    return float(ratio ** (SURPRISE * SURPRISE_FADES ** (ahead - 1)))


def _ratio(days: Sequence[Day], day: Day) -> float | None:
    """A day's calls over what the days before it let expect; None when they let expect nothing."""
    before = [each for each in days if each.date < day.date]
    ordinary = _BEGINS_AS.get(day.kind, day.kind)
    if not any(each.kind is ordinary for each in before):
        return None
    usual = sum(_usual(before, day.date, day.kind))
    return day.total / usual if usual else None
