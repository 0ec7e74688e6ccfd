"""The demo city (演示城市), read once from `data/` into types. What does not fit together is refused at the start.

Made by scripts/directory_data.py; sources in domain.md 4.3. Department and category codes are the plan's own.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import Field, TypeAdapter

from callcenter.api import Day, Model

DATA: Final = Path(__file__).with_name("data")

Code = Annotated[str, Field(min_length=1, max_length=12)]
Text = Annotated[str, Field(min_length=1, max_length=80)]


class Named(Model):
    code: Code
    zh: Text
    en: str


class Department(Named):
    """A body that can lead an order: one of the 44 bureaus (委办局), or a partner such as a utility (合作单位)."""

    kind: Literal["bureau", "partner"]
    short_zh: str = ""
    saturday_domain: str = ""  # of the six that counters serve on Saturdays (domain.md R67)


class Region(Named):
    """A district (区), or a street or town (街道) in it."""

    parent: str
    level: Literal["district", "street"]
    #: About its middle, WGS-84 in degrees, where the city's tables have it: of districts.
    lat: float | None = None
    lon: float | None = None


class Category(Named):
    """A class (大类), or with a parent a leaf (小类) of what requests are about.

    `flags` holds S (whoever reports is kept apart) and E (enterprise); `pinyin` is in syllables, without tones;
    `keywords` are divided by spaces.
    """

    parent: str
    pinyin: str
    initials: str
    lead: Code
    co: list[Code]
    default_kind: str
    default_urgency: str
    flags: str
    keywords: str


class Kind(Named):
    """A kind of request (诉求类型); `mode` says what becomes of it: answered now, a window, a record, a work order."""

    mode: Literal["answer_now", "connect_window", "work_order", "work_order_confidential", "record", "attach", "close"]


class Hotline(Model):
    """A telephone number of the city and whose it is. `retained`: its bureau keeps its own line (domain.md R13)."""

    number: Code
    mode: Literal["emergency", "unified", "kb_subscriber", "merged", "parallel", "subcentre"]
    owner: Code
    zh: Text
    en: Text
    retained: bool


#: `09:00`, and `24:00` for the end of a day.
Clock = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]


class Hours(Model):
    """From when until when, on which days, for whom: those with an appointment, matters of some domains."""

    on: Literal["every_day", "working_day", "saturday"]
    start: Clock
    end: Clock
    booked: bool
    domains: list[str]


class ServiceCalendar(Model):
    """A calendar (日历) that places share: the hotline's, offices', counters'; sources in domain.md 3.5."""

    code: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")]
    zh: Text
    en: Text
    kind: Literal["clock", "day_count", "hours"]
    spans: list[Hours]


class Festival(Model):
    """A holiday's name and its days off."""

    zh: Text
    en: Text
    first: Day
    last: Day


class HolidayYear(Model):
    """A year's notice of the State Council (放假安排): days off, make-up days, and where it was published."""

    year: int
    published: bool
    notices: list[str]
    off: list[Day]
    made_up: list[Day]
    holidays: list[Festival]


Shape = TypeVar("Shape", bound=Model)


def _table(name: str, shape: type[Shape]) -> tuple[Shape, ...]:
    return TypeAdapter(tuple[shape, ...]).validate_json((DATA / f"{name}.json").read_bytes())  # type: ignore[valid-type]


def _by_code(rows: Iterable[Shape], key: str = "code") -> dict[str, Shape]:
    return {getattr(row, key): row for row in rows}


DEPARTMENTS: Final = _by_code(_table("departments", Department))
REGIONS: Final = _by_code(_table("regions", Region))
CATEGORIES: Final = _by_code(_table("categories", Category))
KINDS: Final = _by_code(_table("request_kinds", Kind))
URGENCIES: Final = _by_code(_table("urgency_levels", Named))
HOTLINES: Final = _by_code(_table("hotlines", Hotline), "number")
SERVICE_CALENDARS: Final = _by_code(_table("service_calendars", ServiceCalendar))
HOLIDAYS: Final = _table("holidays", HolidayYear)

#: What a request can be filed under.
LEAVES: Final = {code: category for code, category in CATEGORIES.items() if category.parent}
