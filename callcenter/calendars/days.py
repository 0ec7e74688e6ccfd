"""Legal working days (法定工作日) and the arithmetic of time limits on them (domain.md 3.5). Pure.

A working day is Monday to Friday less the State Council's off days (放假) plus its make-up days (调休补班): a make-up
Saturday counts, a Saturday on which counters serve does not. What reaches into a year whose notice has not been
published yet is provisional: it is told as such, and reckoned anew when the notice is loaded.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

#: Minutes of a day: the end of one that ends at 24:00.
MIDNIGHT: Final = 1440

#: No limit is longer: a slip of the keyboard must not send us through the centuries.
MOST_DAYS: Final = 2_000
MOST_TIME: Final = timedelta(hours=8 * MOST_DAYS)

_DAY: Final = timedelta(days=1)
#: From here on a day of December may be given away by the next year's notice; 29 December 2007 and 2018 were.
_NEW_YEARS_REACH: Final = (12, 29)


class Holiday(NamedTuple):
    """A holiday (节日) of the notice, from its first day to its last."""

    zh: str
    en: str
    first: date
    last: date


class Year(NamedTuple):
    """One year's notice (放假通知); an unpublished one has no days."""

    year: int
    published: bool
    off: tuple[date, ...]
    made_up: tuple[date, ...]
    holidays: tuple[Holiday, ...] = ()


class Reckoned(NamedTuple):
    """A day that was reckoned. `provisional`: a notice that is not out yet may move it (暂定)."""

    day: date
    provisional: bool


class Due(NamedTuple):
    """A moment that was reckoned, in UTC; `provisional` as for Reckoned."""

    at: datetime
    provisional: bool


@dataclass(frozen=True)
class WorkingDays:
    """What the State Council's notices say, and the zone in which a day begins and ends.

    Args:
        off: days off, weekends among them or not.
        made_up: Saturdays and Sundays that are worked.
        published: the years whose notice is known.
    """

    zone: ZoneInfo
    off: frozenset[date]
    made_up: frozenset[date]
    published: frozenset[int]
    holidays: tuple[Holiday, ...] = ()

    def works(self, day: date) -> bool:
        """Whether a day is a legal working day, as far as is known."""
        return day in self.made_up or (day.weekday() < 5 and day not in self.off)

    def settled(self, day: date) -> bool:
        """Whether no notice to come can change the day."""
        reached = (day.month, day.day) >= _NEW_YEARS_REACH
        return day.year in self.published and (not reached or day.year + 1 in self.published)

    def holiday(self, day: date) -> Holiday | None:
        """The holiday whose days off include this one."""
        if day not in self.off:
            return None
        return next((each for each in self.holidays if each.first <= day <= each.last), None)

    def today(self, at: datetime) -> date:
        """The day that it is here at a moment (aware)."""
        return at.astimezone(self.zone).date()

    def moment(self, day: date, minute: int) -> datetime:
        """So many minutes after a day began here, in UTC; 1440 is its end."""
        day, minute = day + _DAY * (minute // MIDNIGHT), minute % MIDNIGHT
        return datetime.combine(day, time(minute // 60, minute % 60), self.zone).astimezone(UTC)


def all_of(zone: ZoneInfo, years: Iterable[Year]) -> WorkingDays:
    """The working days of all the years' notices together; a later notice about the same day wins."""
    off: set[date] = set()
    made_up: set[date] = set()
    holidays: list[Holiday] = []
    published: set[int] = set()
    for year in sorted(years, key=lambda year: year.year):
        off = (off | set(year.off)) - set(year.made_up)
        made_up = (made_up | set(year.made_up)) - set(year.off)
        holidays += year.holidays
        published |= {year.year} if year.published else set()
    return WorkingDays(zone, frozenset(off), frozenset(made_up), frozenset(published), tuple(holidays))


def add_working_days(days: WorkingDays, start: date, n: int) -> Reckoned:
    """The n-th working day after `start`. The start is not counted, be it a working day or not.

    0 is the start itself, or the next working day when it is none. Raises ValueError for an n out of 0 to 2,000.
    """
    return _count(days, start, n, _DAY)


def subtract_working_days(days: WorkingDays, end: date, n: int) -> Reckoned:
    """The n-th working day before `end`, which is not counted. Raises ValueError as `add_working_days` does."""
    return _count(days, end, n, -_DAY)


def working_days_between(days: WorkingDays, start: date, end: date) -> int:
    """How many working days follow `start` up to and with `end`; 0 when `end` is not later."""
    return sum(map(days.works, takewhile(lambda day: day <= end, _from(start + _DAY, _DAY))))


def due_after_days(days: WorkingDays, start: datetime, n: int, *, ends: int = MIDNIGHT) -> Due:
    """When a limit of n working days that began at `start` (aware) is over: its last day's end.

    Args:
        ends: minutes after midnight at which a day's time is up: 1440 for 24:00, 1080 for 18:00.
    """
    last = add_working_days(days, days.today(start), n)
    return Due(days.moment(last.day, ends), last.provisional)


@dataclass(frozen=True)
class WorkingHours:
    """Office hours (办公时间): spans of each working day, in minutes after midnight, in order and not overlapping."""

    days: WorkingDays
    spans: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        edges = [edge for span in self.spans for edge in span]
        if not edges or edges[0] < 0 or edges[-1] > MIDNIGHT or any(a >= b for a, b in self.spans):
            raise ValueError("working hours need spans within a day")
        if edges != sorted(edges):
            raise ValueError("spans of working hours must be in order and not overlap")

    def on(self, day: date) -> list[tuple[datetime, datetime]]:
        """The spans of a day as moments; none on a day off."""
        if not self.days.works(day):
            return []
        return [(self.days.moment(day, first), self.days.moment(day, last)) for first, last in self.spans]


def add_working_time(hours: WorkingHours, start: datetime, length: timedelta) -> Due:
    """When so much working time has passed since `start` (aware). Time outside the hours does not count.

    Raises ValueError for a length below zero or above 16,000 hours.
    """
    left, provisional = _length(length), not hours.days.settled(hours.days.today(start))
    if not left:
        return Due(start.astimezone(UTC), provisional)
    for day in _from(hours.days.today(start), _DAY):
        provisional = provisional or not hours.days.settled(day)
        for first, last in hours.on(day):
            begin = max(first, start)
            if last - begin >= left:
                return Due((begin + left).astimezone(UTC), provisional)
            left -= max(timedelta(), last - begin)
    raise OverflowError("the calendar has ended")


def subtract_working_time(hours: WorkingHours, end: datetime, length: timedelta) -> Due:
    """The moment since which so much working time has passed at `end` (aware). Raises as `add_working_time` does."""
    left, provisional = _length(length), not hours.days.settled(hours.days.today(end))
    if not left:
        return Due(end.astimezone(UTC), provisional)
    for day in _from(hours.days.today(end), -_DAY):
        provisional = provisional or not hours.days.settled(day)
        for first, last in reversed(hours.on(day)):
            stop = min(last, end)
            if stop - first >= left:
                return Due((stop - left).astimezone(UTC), provisional)
            left -= max(timedelta(), stop - first)
    raise OverflowError("the calendar has ended")


def working_time(hours: WorkingHours, start: datetime, end: datetime) -> timedelta:
    """How much working time lies between two moments (aware); none when `end` is not later."""
    whole = timedelta()
    for day in takewhile(lambda day: day <= hours.days.today(end), _from(hours.days.today(start), _DAY)):
        whole += sum((max(timedelta(), min(b, end) - max(a, start)) for a, b in hours.on(day)), timedelta())
    return whole


def _count(days: WorkingDays, start: date, n: int, step: timedelta) -> Reckoned:
    if not 0 <= n <= MOST_DAYS:
        raise ValueError(f"a limit is 0 to {MOST_DAYS} working days")
    provisional = not days.settled(start)
    for day in _from(start if n == 0 else start + step, step):
        provisional = provisional or not days.settled(day)
        n -= days.works(day)
        if n <= 0 and days.works(day):
            return Reckoned(day, provisional)
    raise OverflowError("the calendar has ended")


def _from(day: date, step: timedelta) -> Iterator[date]:
    """Day after day, or day before day, as long as the calendar goes."""
    edge = date.max if step > timedelta() else date.min
    while True:
        yield day
        if day == edge:
            return
        day += step


def _length(length: timedelta) -> timedelta:
    if not timedelta() <= length <= MOST_TIME:
        raise ValueError(f"a limit is 0 to {MOST_TIME // timedelta(hours=1)} working hours")
    return length
