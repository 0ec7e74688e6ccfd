"""Pages of a list that grows at its head: a cursor names the last row seen, so nothing is shown twice or skipped."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import Field

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST, _LAST = date(1970, 1, 2), date(2200, 1, 1)

#: microseconds since the epoch and the row's id
Cursor = Annotated[str, Field(pattern=r"^[0-9]{1,16}~[0-9A-Za-z.-]{1,64}$")]
Limit = Annotated[int, Field(ge=1, le=200)]


def cursor(at: datetime, row_id: object) -> str:
    """The cursor of a row."""
    return f"{(at - _EPOCH) // _MICROSECOND}~{row_id}"


def place(cursor: str) -> tuple[datetime, str]:
    """The moment and the id that a Cursor names."""
    at, _, row_id = cursor.partition("~")
    return _EPOCH + int(at) * _MICROSECOND, row_id


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """First moment of a day in the city's time zone, and of the next. Days out of living memory are empty ones."""
    day = min(max(day, _FIRST), _LAST)
    start = datetime.combine(day, time(), zone)
    end = datetime.combine(day + timedelta(days=1), time(), zone)
    return start.astimezone(UTC), end.astimezone(UTC)
