"""Make callcenter/directory/data from the domain's tables, once, with pinyin for search. Needs pypinyin.

    python scripts/directory_data.py FOLDER_WITH_THE_TABLES

Keeps what the pages and rules read, and leaves out contacts, which are fictional, and prose about behaviour.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pypinyin import Style, lazy_pinyin

DATA = Path(__file__).parent.parent / "callcenter" / "directory" / "data"
Row = dict[str, Any]


def department(row: Row) -> Row:
    kind = row["kind"] if row["kind"] == "bureau" else "partner"
    more = {"short_zh": row.get("alias_zh"), "saturday_domain": row.get("saturday_domain")}
    return {"code": row["code"], "kind": kind, "zh": row["name_zh"], "en": row["name_en"]} | {
        name: value for name, value in more.items() if value
    }


def region(row: Row) -> Row:
    parent = row["parent"] if row["level"] == "street" else ""
    names = {"zh": row["name_zh"], "en": row["name_en"]}
    middle = {"lat": float(row["lat"]), "lon": float(row["lng"])} if row["lat"] else {}
    return {"code": row["code"], "parent": parent, "level": row["level"]} | names | middle


def category(row: Row) -> Row:
    zh = row["name_zh"]
    return {
        "code": row["code"],
        "parent": row["parent"],
        "zh": zh,
        "en": row["name_en"],
        "pinyin": " ".join(lazy_pinyin(zh, errors="ignore")),
        "initials": "".join(lazy_pinyin(zh, style=Style.FIRST_LETTER, errors="ignore")),
        "lead": row["lead"],
        "co": row["co"].split(),
        "default_kind": row["default_kind"],
        "default_urgency": row["default_urgency"],
        "flags": row["flags"],
        "keywords": row["keywords_zh"],
    }


def kind(row: Row) -> Row:
    return {"code": row["code"], "zh": row["zh"], "en": row["en"], "mode": row["mode"]}


def urgency(row: Row) -> Row:
    return {"code": row["code"], "zh": row["zh"], "en": row["en"]}


def hotline(row: Row, keepers: set[str]) -> Row:
    """`keepers`: bureaus that keep their own lines (domain.md R13)."""
    names = {"zh": row["name_zh"], "en": row["name_en"]}
    retained = row["owner"] in keepers and row["mode"] in ("parallel", "subcentre")
    return {name: row[name] for name in ("number", "mode", "owner")} | names | {"retained": retained}


#: The spans of service_calendars, whose source says them in prose: on which days, from when, until when.
HOURS = {
    "hotline_24x7": [("every_day", "00:00", "24:00")],
    "gov_working_days": [("working_day", "00:00", "24:00")],
    "gov_office_hours": [("working_day", "09:00", "12:00"), ("working_day", "14:00", "18:00")],
    "counter_base": [("working_day", "09:00", "12:00"), ("working_day", "14:00", "17:00")],
    "counter_early_late": [("working_day", "08:00", "09:00"), ("working_day", "17:00", "18:00")],
    "counter_lunch": [("working_day", "12:00", "14:00")],
    "counter_saturday": [("saturday", "09:00", "12:00"), ("saturday", "14:00", "17:00")],
}
BOOKED = {"counter_early_late"}
SATURDAY_DOMAINS = {
    "counter_saturday": [
        "social_security",
        "medical_insurance",
        "civil_administration",
        "public_security",
        "housing_security",
        "disabled_affairs",
    ]
}
HOLIDAYS = {
    "元旦": "New Year",
    "春节": "Spring Festival",
    "清明节": "Tomb-Sweeping Day",
    "劳动节": "Labour Day",
    "“五一”": "Labour Day",
    "“五一”国际劳动节": "Labour Day",
    "端午节": "Dragon Boat Festival",
    "中秋节": "Mid-Autumn Festival",
    "国庆节": "National Day",
    "“十一”": "National Day",
    "国庆节、中秋节": "National Day and Mid-Autumn Festival",
    "中秋节、国庆节": "Mid-Autumn Festival and National Day",
    "抗日战争暨世界反法西斯战争胜利70周年纪念日": "70th anniversary of victory",
}


def calendar(row: Row) -> Row:
    code = row["code"]
    return {
        "code": code,
        "zh": row["zh"],
        "en": row["en"],
        "kind": row["kind"],
        "spans": [
            {"on": on, "start": start, "end": end, "booked": code in BOOKED, "domains": SATURDAY_DOMAINS.get(code, [])}
            for on, start, end in HOURS[code]
        ],
    }


def year(number: str, row: Row) -> Row:
    return {
        "year": int(number),
        "published": row["published"],
        "notices": row["notice_urls"],
        "off": row["off_days"],
        "made_up": row["makeup_workdays"],
        "holidays": [
            {"zh": zh, "en": HOLIDAYS[zh], "first": first, "last": last}
            for zh, (first, last) in row["holidays"].items()
        ],
    }


def main(source: Path) -> None:
    def table(name: str) -> list[Row]:
        rows: list[Row] = json.loads((source / f"{name}.json").read_text(encoding="utf-8"))
        return rows

    keepers = {row["code"] for row in table("departments") if row["retained_in_seed_2007"] == "Y"}
    years = json.loads((source / "calendar_cn_2007_2027.json").read_text(encoding="utf-8"))["years"]
    made = {
        "departments": [department(row) for row in table("departments") + table("partners")],
        "regions": [region(row) for row in table("regions")],
        "categories": [category(row) for row in table("categories")],
        "request_kinds": [kind(row) for row in table("request_kinds")],
        "urgency_levels": [urgency(row) for row in table("urgency_levels")],
        "hotlines": [hotline(row, keepers) for row in table("hotlines")],
        "service_calendars": [calendar(row) for row in table("service_calendars")],
        "holidays": [year(number, row) for number, row in years.items()],
    }
    for name, rows in made.items():
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (DATA / f"{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
