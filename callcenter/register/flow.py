"""What may be done with many orders at once, and how an order reads as a line of a sheet. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, get_args
from zoneinfo import ZoneInfo

from callcenter.directory.city import CATEGORIES, DEPARTMENTS, KINDS, REGIONS, URGENCIES
from callcenter.log import mask, mask_text
from callcenter.workorders.flow import STATES, TABLE
from callcenter.workorders.order import State

#: Events that can be caused for many orders at once (批量操作): each is one person's, and none sends an order on to
#: where it cannot be fetched back from.
Bulk = Literal["sign", "assign_handler", "urge", "note", "merge", "unmerge"]
BULK: Final = get_args(Bulk)
MOST_AT_ONCE: Final = 100
if any(row.second for (_, event), row in TABLE.items() if event in BULK):
    raise ValueError("an act of two persons cannot be done for many orders at once")

MOST_ROWS: Final = 100_000

_FORMULA: Final = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")

#: Columns of an export: name, Chinese, English, width in characters.
COLUMNS: Final = (
    ("code", "工单编号", "Order", 15),
    ("created_at", "登记时间", "Filed", 17),
    ("state", "状态", "State", 16),
    ("kind", "诉求类型", "Kind", 10),
    ("category", "事项类别", "Category", 20),
    ("urgency", "紧急程度", "Urgency", 10),
    ("subject", "标题", "Subject", 30),
    ("description", "内容", "Description", 50),
    ("region", "区域", "Region", 16),
    ("place", "地点", "Place", 24),
    ("department", "主办单位", "Lead unit", 20),
    ("handler", "承办人", "Handler", 12),
    ("due_at", "到期时间", "Due", 17),
    ("urge_level", "催办等级", "Urged", 8),
    ("returns", "退单次数", "Returns", 8),
    ("rehandles", "重办次数", "Handled again", 8),
    ("closing", "办结方式", "Closed as", 14),
    ("contact_name", "联系人", "Contact", 10),
    ("callback_number", "回电号码", "Callback number", 16),
)
_CLOSINGS: Final = {
    "satisfied": ("满意", "Satisfied"),
    "no_visit": ("不回访", "No visit"),
    "unreachable": ("未接通", "Unreachable"),
    "out_of_duty": ("超职责范围", "Out of duty"),
    "unreasonable": ("不合理诉求", "Unreasonable"),
}


def safe(text: str) -> str:
    """A cell of a csv that no spreadsheet takes for a formula (CSV injection, OWASP): such a one begins with `'`."""
    return f"'{text}" if _FORMULA.match(text) else text


def headings(language: str) -> list[str]:
    return [zh if language == "zh" else en for _, zh, en, _ in COLUMNS]


def cells(row: Mapping[str, Any], language: str, zone: ZoneInfo, *, reveal: bool) -> list[str]:
    """An order as the cells of COLUMNS. Unless `reveal`, numbers and names are masked, and numbers within texts."""

    def word(zh: str, en: str) -> str:
        return (zh or en) if language == "zh" else (en or zh)

    def named(table: Mapping[str, Any], code: str | None) -> str:
        thing = table.get(code or "")
        return word(thing.zh, thing.en) if thing else (code or "")

    def moment(at: datetime | None) -> str:
        return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else ""

    state = STATES[State(row["state"])]
    closing = _CLOSINGS.get(row["closing"] or "")
    told = {name: str(row[name] or "") for name, *_ in COLUMNS} | {
        "created_at": moment(row["created_at"]),
        "due_at": moment(row["due_at"]),
        "state": word(state.zh, state.en),
        "kind": named(KINDS, row["kind"]),
        "category": named(CATEGORIES, row["category"]),
        "urgency": named(URGENCIES, row["urgency"]),
        "region": named(REGIONS, row["region"]),
        "department": named(DEPARTMENTS if row["department"] in DEPARTMENTS else REGIONS, row["department"]),
        "closing": word(*closing) if closing else "",
    }
    if not reveal:
        told["callback_number"] = mask(row["callback_number"]) if row["callback_number"] else ""
        told["contact_name"] = row["contact_name"][:1] + "**" if row["contact_name"] else ""
        told |= {name: mask_text(told[name]) for name in ("subject", "description", "place")}
    return [told[name] for name, *_ in COLUMNS]
