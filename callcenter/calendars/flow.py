"""Opening hours (开放时间) of the hotline, of bureaus' lines and of counters (domain.md R64 to R67, R88). Pure.

Opening hours never move a legal time limit: a Saturday on which counters serve is no working day, and a counter that
closes for an afternoon leaves the day what it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple

from callcenter.calendars.days import MIDNIGHT, WorkingDays

#: How far ahead the next opening is looked for.
LOOK_AHEAD: Final = 400


class On(StrEnum):
    """The days of a span."""

    EVERY_DAY = "every_day"
    WORKING_DAY = "working_day"
    SATURDAY = "saturday"  # that is neither a working day nor a day off of the State Council's


class Closed(StrEnum):
    """Why somebody is not served."""

    HOLIDAY = "holiday"
    DAY_OFF = "day_off"  # a weekend
    SPECIAL = "special"  # an exception that was approved for this day
    HOURS = "hours"  # before, between or after the day's spans
    BOOKED_ONLY = "booked_only"  # 预约办理
    OTHER_MATTERS = "other_matters"  # the six domains of Saturdays


class Span(NamedTuple):
    """From one minute after midnight to another. `domains`: only matters of these; empty: all matters."""

    on: On
    start: int
    end: int
    booked: bool = False
    domains: frozenset[str] = frozenset()


class SpecialDay(NamedTuple):
    """An exception (例外安排): the spans of one day in place of the usual ones, none for closed; and why."""

    spans: tuple[tuple[int, int], ...]
    zh: str
    en: str


@dataclass(frozen=True)
class Calendar:
    """When one place is open. Its spans may touch, and overlap when they serve different needs."""

    code: str
    spans: tuple[Span, ...]
    special: Mapping[date, SpecialDay] = field(default_factory=dict)


class Need(NamedTuple):
    """Who comes: with an appointment (预约) or not, in a matter of which domain (业务领域)."""

    booked: bool = False
    domain: str = ""


WALK_IN: Final = Need()


class Answer(NamedTuple):
    """Open or closed; until when it stays so; why it is closed. `until` is None when that is not in sight."""

    open: bool
    until: datetime | None
    why: Closed | None
    provisional: bool


def spans_of(calendar: Calendar, days: WorkingDays, day: date) -> list[Span]:
    """What is open on a day, for whomever, in order."""
    special = calendar.special.get(day)
    if special is not None:
        return [Span(On.EVERY_DAY, start, end) for start, end in sorted(special.spans)]
    return sorted(span for span in calendar.spans if _applies(span.on, days, day))


def is_open(calendar: Calendar, days: WorkingDays, at: datetime, need: Need = WALK_IN) -> Answer:
    """Whether a need is served at a moment (aware). A span's first minute is open, its end is closed."""
    day = days.today(at)
    for start, end, settled in _stretches(calendar, days, day, need):
        if at < start:
            return Answer(False, start, _why(calendar, days, at, need), not settled)
        if at < end:
            return Answer(True, end if end < days.moment(_last(day), 0) else None, None, not settled)
    return Answer(False, None, _why(calendar, days, at, need), not days.settled(day))


def next_opening(calendar: Calendar, days: WorkingDays, at: datetime, need: Need = WALK_IN) -> Answer | None:
    """The next moment at which a closed place opens for a need, as `until`; None when it is open, or never opens."""
    answer = is_open(calendar, days, at, need)
    return None if answer.open or answer.until is None else answer


def check_spans(spans: Iterable[tuple[int, int]]) -> bool:
    """Whether spans of a special day make sense: within the day, in order, not overlapping."""
    edges = [edge for span in spans for edge in span]
    return all(0 <= edge <= MIDNIGHT for edge in edges) and all(a < b for a, b in pairwise(edges))


def _applies(on: On, days: WorkingDays, day: date) -> bool:
    match on:
        case On.EVERY_DAY:
            return True
        case On.WORKING_DAY:
            return days.works(day)
        case On.SATURDAY:
            return day.weekday() == 5 and not days.works(day) and day not in days.off


def _stretches(
    calendar: Calendar, days: WorkingDays, day: date, need: Need
) -> Iterable[tuple[datetime, datetime, bool]]:
    """Unbroken stretches in which a need is served, from a day on; whether all days up to each are settled."""
    found: tuple[datetime, datetime, bool] | None = None
    settled = True
    for n in range(LOOK_AHEAD):
        each = day + timedelta(days=n)
        settled = settled and (days.settled(each) or not _depends(calendar))
        for span in _serving(spans_of(calendar, days, each), need):
            start, end = days.moment(each, span.start), days.moment(each, span.end)
            if found is not None and start <= found[1]:
                found = (found[0], max(found[1], end), found[2])
                continue
            if found is not None:
                yield found
            found = (start, end, settled)
    if found is not None:
        yield found


def _serving(spans: Sequence[Span], need: Need) -> list[Span]:
    return [
        span for span in spans if (need.booked or not span.booked) and (not span.domains or need.domain in span.domains)
    ]


def _depends(calendar: Calendar) -> bool:
    return any(span.on is not On.EVERY_DAY for span in calendar.spans)


def _last(day: date) -> date:
    return day + timedelta(days=LOOK_AHEAD)


def _why(calendar: Calendar, days: WorkingDays, at: datetime, need: Need) -> Closed:
    day = days.today(at)
    spans = spans_of(calendar, days, day)
    now = [span for span in spans if days.moment(day, span.start) <= at < days.moment(day, span.end)]
    if _serving(now, Need(True, need.domain)):
        return Closed.BOOKED_ONLY
    if now or (spans and not _serving(spans, Need(True, need.domain))):
        return Closed.OTHER_MATTERS
    if day in calendar.special:
        return Closed.SPECIAL
    if spans:
        return Closed.HOURS
    return Closed.HOLIDAY if day in days.off else Closed.DAY_OFF
