"""The places (服务点) with opening hours: the hotline itself, bureaus' own lines, service centres and their counters.

The demo city's: from the directory's numbers and districts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal
from zoneinfo import ZoneInfo

from callcenter.calendars.days import Holiday, WorkingDays, WorkingHours, Year, all_of
from callcenter.calendars.flow import Calendar, On, Span, SpecialDay
from callcenter.directory.city import HOLIDAYS, HOTLINES, REGIONS, SERVICE_CALENDARS, HolidayYear
from ivr.services import HOTLINE

Kind = Literal["hotline", "line", "centre"]

#: What a centre's counters are open by (domain.md R64 to R67), and what a bureau's own line is.
COUNTER: Final = ("counter_base", "counter_early_late", "counter_lunch", "counter_saturday")
OFFICE: Final = ("gov_office_hours",)

#: The six domains of Saturdays (周六办事), domain.md R67.
DOMAINS: Final = tuple(SERVICE_CALENDARS["counter_saturday"].spans[0].domains)


@dataclass(frozen=True, slots=True)
class Place:
    """One place. `calendars` are codes of service_calendars, together its usual hours."""

    code: str
    kind: Kind
    zh: str
    en: str
    calendars: tuple[str, ...]
    department: str = ""

    @property
    def spans(self) -> tuple[Span, ...]:
        return tuple(
            Span(On(each.on), minutes(each.start), minutes(each.end), each.booked, frozenset(each.domains))
            for code in self.calendars
            for each in SERVICE_CALENDARS[code].spans
        )

    def calendar(self, special: Mapping[date, SpecialDay] | None = None) -> Calendar:
        """Its calendar with these exceptions."""
        return Calendar(self.code, self.spans, special or {})


def minutes(clock: str) -> int:
    """`09:30` -> 570; `24:00` -> 1440."""
    hours, _, rest = clock.partition(":")
    return int(hours) * 60 + int(rest)


def clock(minute: int) -> str:
    """570 -> `09:30`."""
    return f"{minute // 60:02}:{minute % 60:02}"


def published_years(loaded: Iterable[Year] = ()) -> dict[int, Year]:
    """The notices that came with this release, and over them those that were loaded since."""
    return {row.year: _year(row) for row in HOLIDAYS} | {year.year: year for year in loaded}


def working_days(zone: ZoneInfo, loaded: Iterable[Year] = ()) -> WorkingDays:
    """The legal working days by all notices known."""
    return all_of(zone, published_years(loaded).values())


def office_hours(days: WorkingDays) -> WorkingHours:
    """The hours of offices (机关办公时间), for limits that are told in working hours."""
    spans = SERVICE_CALENDARS["gov_office_hours"].spans
    return WorkingHours(days, tuple((minutes(each.start), minutes(each.end)) for each in spans))


def _year(row: HolidayYear) -> Year:
    holidays = tuple(Holiday(each.zh, each.en, each.first, each.last) for each in row.holidays)
    return Year(row.year, row.published, tuple(row.off), tuple(row.made_up), holidays)


def _places() -> Iterable[Place]:
    unified = HOTLINES[HOTLINE]
    yield Place(HOTLINE, "hotline", unified.zh, unified.en, ("hotline_24x7",), unified.owner)
    yield Place("city", "centre", "市政务服务中心", "City service centre", COUNTER, unified.owner)
    for region in REGIONS.values():
        if region.level == "district":
            yield Place(region.code, "centre", f"{region.zh}政务服务中心", f"{region.en} service centre", COUNTER)
    for line in HOTLINES.values():
        if line.mode in ("parallel", "subcentre"):
            yield Place(line.number, "line", line.zh, line.en, OFFICE, line.owner)


PLACES: Final = {place.code: place for place in _places()}
