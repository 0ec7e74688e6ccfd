"""What is given with an event (填写项): fields.csv says of each field what it takes; pages draw their inputs from it.

Values stay as JSON has them (a day is `YYYY-MM-DD`, a moment ISO 8601 with its offset), so that what was given can be
kept as it was.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Literal, get_args

from callcenter.directory.city import DEPARTMENTS, LEAVES, REGIONS
from callcenter.workorders.codes import is_order_code
from callcenter.workorders.points import read

#: Codes of those who can lead or help: departments and partners, districts and streets.
UNITS: Final = frozenset({*DEPARTMENTS, *REGIONS})

Kind = Literal[
    "text",
    "line",
    "login",
    "unit",
    "units",
    "order",
    "leaf",
    "region",
    "day",
    "moment",
    "number",
    "choice",
    "choices",
    "point",
]

_LINES: Final = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]*")
_LINE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*")
_LOGIN: Final = re.compile(r"[a-z][a-z0-9._-]{1,31}")
_UNIT: Final = re.compile(r"[A-Z][0-9A-Z]{1,11}")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `most`: characters, pieces, or the largest number. `choices`: what can be chosen."""

    name: str
    kind: Kind
    most: int
    choices: tuple[str, ...]
    zh: str
    en: str


def _load(path: Path) -> dict[str, Field]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not {row["kind"] for row in rows} <= set(get_args(Kind)):
        raise ValueError("fields.csv names a kind that is none")
    return {
        row["name"]: Field(
            row["name"],
            row["kind"],  # type: ignore[arg-type]
            int(row["most"] or 0),
            tuple(row["choices"].split()),
            row["zh"],
            row["en"],
        )
        for row in rows
    }


FIELDS: Final = _load(Path(__file__).with_name("fields.csv"))
#: What the service gives itself: the call in which it was asked for, the point that an order had, the unit whose return
#: was not well founded (K15).
OURS: Final = frozenset({"call", "was", "unit"})


def faults(needs: tuple[str, ...], given: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with what is given, by field; nothing when it is right.

    Args:
        needs: names of fields; those that end in `?` may be left out.
    """
    known = {name.rstrip("?"): name.endswith("?") for name in needs}
    wrong = {name[:100]: "未知字段 / unknown field" for name in given if name not in known}
    for name, optional in known.items():
        value = given.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            if not optional:
                wrong[name] = "必填 / required"
        elif fault := _fault(FIELDS[name], value):
            wrong[name] = fault
    return wrong


def _fault(field: Field, value: Any) -> str:
    match field.kind:
        case "text" | "line":
            pattern = _LINES if field.kind == "text" else _LINE
            if not isinstance(value, str) or not pattern.fullmatch(value):
                return "格式不正确或含控制字符 / not in the right form, or with control characters"
            if len(value) > field.most:
                return f"最多 {field.most} 字 / at most {field.most} characters"
        case "choice":
            if value not in field.choices:
                return f"须为 {' '.join(field.choices)} 之一 / must be one of {' '.join(field.choices)}"
        case "choices" | "units":
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                return "须为列表 / must be a list"
            if len(set(value)) < len(value) or len(value) > (field.most or len(field.choices)):
                return "重复或过多 / too many, or the same one twice"
            if not set(value) <= (UNITS if field.kind == "units" else set(field.choices)):
                return "含未知项 / one of them is not known"
        case "number":
            if type(value) is not int or not 1 <= value <= field.most:
                return f"须为 1 至 {field.most} / must be 1 to {field.most}"
        case "day":
            if not _is_day(value):
                return "须为 YYYY-MM-DD / must be YYYY-MM-DD"
        case "moment":
            if not _is_moment(value):
                return "须为带时区的时间 / must be a moment with its offset"
        case "login":
            if not isinstance(value, str) or not _LOGIN.fullmatch(value):
                return "账号格式不正确 / that is no login"
        case "unit":
            if not isinstance(value, str) or value not in UNITS:
                return "无此单位 / no such unit"
        case "leaf":
            if not isinstance(value, str) or value not in LEAVES:
                return "无此类别 / no such category"
        case "region":
            if not isinstance(value, str) or value not in REGIONS:
                return "无此区域 / no such region"
        case "order":
            if not isinstance(value, str) or not is_order_code(value):
                return "工单编号有误 / that is no order's code"
        case "point":
            if not isinstance(value, str) or read(value) is None:
                return "坐标有误 / that is no point"
    return ""


def _is_day(value: object) -> bool:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return False
    try:
        return 2000 <= date.fromisoformat(value).year < 2100
    except ValueError:
        return False


def _is_moment(value: object) -> bool:
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        return False
    try:
        return 2000 <= datetime.fromisoformat(value).year < 2100
    except ValueError:
        return False


def schema() -> dict[str, Any]:
    """What may be given, as JSON schema: every field may be left out, none may be added."""
    shapes = {name: _shape(each) for name, each in FIELDS.items()}
    return {"type": "object", "properties": shapes, "additionalProperties": False}


def _shape(field: Field) -> dict[str, Any]:
    match field.kind:
        case "number":
            return {"type": "integer", "minimum": 1, "maximum": field.most}
        case "choice":
            return {"type": "string", "enum": list(field.choices)}
        case "choices":
            each: dict[str, Any] = {"type": "string", "enum": list(field.choices)}
            return {"type": "array", "items": each, "uniqueItems": True, "maxItems": len(field.choices)}
        case "units":
            each = {"type": "string", "pattern": _UNIT.pattern, "maxLength": 12}
            return {"type": "array", "items": each, "uniqueItems": True, "maxItems": field.most}
        case "day":
            return {"type": "string", "format": "date"}
        case "moment":
            return {"type": "string", "format": "date-time"}
        case _:
            return {"type": "string", "maxLength": field.most or 32}
