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
    return {"code": row["code"], "kind": kind, "zh": row["name_zh"], "en": row["name_en"]} | (
        {"short_zh": row["alias_zh"]} if row.get("alias_zh") else {}
    )


def region(row: Row) -> Row:
    parent = row["parent"] if row["level"] == "street" else ""
    return {"code": row["code"], "parent": parent, "level": row["level"], "zh": row["name_zh"], "en": row["name_en"]}


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


def hotline(row: Row) -> Row:
    return {name: row[name] for name in ("number", "mode", "owner")} | {"zh": row["name_zh"], "en": row["name_en"]}


def main(source: Path) -> None:
    def table(name: str) -> list[Row]:
        rows: list[Row] = json.loads((source / f"{name}.json").read_text(encoding="utf-8"))
        return rows

    made = {
        "departments": [department(row) for row in table("departments") + table("partners")],
        "regions": [region(row) for row in table("regions")],
        "categories": [category(row) for row in table("categories")],
        "request_kinds": [kind(row) for row in table("request_kinds")],
        "urgency_levels": [urgency(row) for row in table("urgency_levels")],
        "hotlines": [hotline(row) for row in table("hotlines")],
    }
    for name, rows in made.items():
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (DATA / f"{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
