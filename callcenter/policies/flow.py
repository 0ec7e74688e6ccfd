"""What may be changed in the policies (时限规则), and what a change does. Pure.

An order keeps the version of the limits that it began with; hours of visits and numbers of the audit hold for all.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from callcenter.visits.flow import BORDERS, PARTS
from callcenter.workorders.deadlines import MEASURES, POLICIES, UNITS, Policy, Rules, reckoned
from callcenter.workorders.order import Clock

#: Code -> value and unit: what a version holds, and what is changed in it.
Body = Mapping[str, tuple[int, str]]

#: The largest value of each unit: none is longer than half a year.
MOST: Final = {"minute": 1440, "hour": 720, "working_hour": 720, "working_day": 120, "day": 180}
#: Of a day: an hour of visits ends with it at the latest.
_LAST_MINUTE: Final = 1439
#: The least and the largest value of each measure.
RANGES: Final = {
    "AUDIT-SAMPLE": (0, 100),
    "AUDIT-SHORT": (0, 500),
    "AUDIT-COPY": (50, 100),
    "MERGE-DAYS": (1, 365),
    "MERGE-METRES": (10, 2000),
    "RETURN-MOST": (1, 10),
    "EXTEND-LONGEST": (1, 60),
    "SUSPEND-LONGEST": (1, 365),
    "VISIT-TRIES": (2, 10),
    "VISIT-LATER": (1, 60),
    "REHANDLE-MOST": (1, 10),
    "RED-OVERDUE": (1, 30),
    "OBJECT-DAYS": (1, 180),
    "REMIND-FIRST": (1, 98),
    "REMIND-SECOND": (2, 99),
    "REMIND-LATE": (101, 300),
}


class Example(NamedTuple):
    """How long a limit is that starts at one moment: before a change and after it; None for what has none."""

    code: str
    before: datetime | None
    after: datetime | None
    provisional: bool


def whole(body: Body) -> dict[str, tuple[int, str]]:
    """A version with all that this release knows: what it was written without is as the release has it."""
    known = {code: (policy.value, policy.unit) for code, policy in (POLICIES | MEASURES).items()}
    return known | {code: (value, unit) for code, (value, unit) in body.items() if code in known}


def faults(body: Body, changes: Body) -> dict[str, str]:
    """What is wrong with changes of a whole version, by code; nothing when they are right."""
    wrong: dict[str, str] = {}
    for code, (value, unit) in changes.items():
        if code in POLICIES:
            if unit not in UNITS:
                wrong[code] = "未知单位 / unknown unit"
            elif not 1 <= value <= MOST[unit]:
                wrong[code] = f"须为 1 至 {MOST[unit]} / must be 1 to {MOST[unit]}"
        elif code in MEASURES:
            least, most = RANGES.get(code, (0, _LAST_MINUTE))
            if unit != MEASURES[code].unit:
                wrong[code] = "单位不可更改 / the unit cannot be changed"
            elif not least <= value <= most:
                wrong[code] = f"须为 {least} 至 {most} / must be {least} to {most}"
        else:
            wrong[code[:60]] = "未知规则 / unknown policy"
    return wrong or _crossed({**body, **changes})


def _crossed(body: Body) -> dict[str, str]:
    """Limits that contradict each other."""
    wrong = {}
    for name, (first, last) in zip(PARTS, BORDERS, strict=True):
        code = f"VISIT-{name.upper()}"
        start, end = body[f"{code}-FROM"][0], body[f"{code}-TO"][0]
        if not first <= start < end <= last:
            wrong[f"{code}-FROM"] = (
                f"须在 {_clock(first)} 至 {_clock(last)} 之内 / must lie within {_clock(first)} to {_clock(last)}"
            )
    if body["REMIND-FIRST"][0] >= body["REMIND-SECOND"][0]:
        wrong["REMIND-FIRST"] = "须早于再次提醒 / must come before the second one"
    for urgent, plain in (("T-SIGN-U1", "T-SIGN-U2"), ("T-SIGN-U2", "T-SIGN"), ("T-REPLY-U1", "T-REPLY-U2")):
        if _hours(body[urgent]) > _hours(body[plain]):
            wrong[urgent] = f"不得长于 {plain} / must not be longer than {plain}"
    return wrong


#: Hours of one of each unit, roughly: to tell which of two limits is longer.
_ROUGHLY: Final = {"minute": 1 / 60, "hour": 1.0, "working_hour": 1.0, "working_day": 24.0, "day": 24.0}


def _hours(limit: tuple[int, str]) -> float:
    return limit[0] * _ROUGHLY[limit[1]]


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def changed(body: Body, changes: Body) -> dict[str, tuple[int, str]]:
    """Those of the changes that change anything."""
    return {code: (value, unit) for code, (value, unit) in changes.items() if body[code] != (value, unit)}


def examples(body: Body, changes: Body, at: datetime, rules: Rules) -> list[Example]:
    """When limits end that start at this moment, before and after.

    Args:
        at: in the city's time zone.
        rules: for the calendar.
    """
    found = []
    for code, after in changes.items():
        if code in MEASURES:
            found.append(Example(code, None, None, False))
            continue
        ends = [_ends(code, limit, at, rules) for limit in (body[code], after)]
        found.append(Example(code, ends[0].due_at, ends[1].due_at, any(each.provisional for each in ends)))
    return found


def _ends(code: str, limit: tuple[int, str], at: datetime, rules: Rules) -> Clock:
    value, unit = limit
    named = replace(rules, policies={code: Policy(code, value, unit)})
    return reckoned(Clock(code, code, value, unit, at, at, at), named)
