"""What a notice says (通知模板), how long it is as a text message, and when it may go out. Pure.

A template is text with placeholders in braces, one in Chinese and one in English. Those of the release are in
`templates.csv`; a city changes them by versions. `citizen.accepted` goes to a citizen's telephone, `staff.new_order`
to a unit, a role or a person. What a text may hold is a short list: nothing in it says who the citizen is, and of a
confidential order (保密件) neither the unit nor anybody's words are told.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from callcenter.directory.city import DEPARTMENTS, KINDS, REGIONS, URGENCIES
from callcenter.log import mask_text

_HERE: Final = Path(__file__).parent

LANGUAGES: Final = ("zh", "en")
CITIZEN, STAFF = "citizen", "staff"

#: Longest template, in characters.
MOST: Final = 500
#: How much of somebody's own words a notice carries, in characters; the order's page has the rest.
_WORDS: Final = {CITIZEN: 60, STAFF: 200}

_COMMON: Final = frozenset({"code", "kind", "unit", "due", "reason", "master", "link"})
#: What templates for each audience may name.
ALLOWED: Final = {
    CITIZEN: _COMMON | {"check", "missing", "other_way", "handed_to", "refuse_reason"},
    STAFF: _COMMON | {"clock", "stage", "was", "urgency", "card", "message"},
}
#: What is told of a confidential order to nobody: somebody's words may say who it is about.
_UNTOLD: Final = frozenset({"reason", "missing", "message", "other_way", "handed_to"})
#: Words that people typed.
_TYPED: Final = frozenset({"reason", "missing", "message", "other_way", "handed_to"})
#: Of what was given with the event, what a notice may tell.
GIVEN: Final = (
    "missing",
    "other_way",
    "handed_to",
    "refuse_reason",
    "card",
    "message",
    "instruction",
    "master",
    "reason",
)

_HOLE: Final = re.compile(r"\{([a-z_]+)\}")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")


@dataclass(frozen=True, slots=True)
class Template:
    """`version` 0 is the release's own."""

    code: str
    name_zh: str
    name_en: str
    zh: str
    en: str
    version: int = 0

    @property
    def audience(self) -> str:
        return self.code.partition(".")[0]

    def text(self, language: str) -> str:
        return self.en if language == "en" else self.zh


def _load() -> dict[str, Template]:
    with (_HERE / "templates.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["code"]: Template(row["code"], row["name_zh"], row["name_en"], row["zh"], row["en"])
            for row in csv.DictReader(file)
        }


def _load_words() -> dict[tuple[str, str], tuple[str, str]]:
    with (_HERE / "words.csv").open(encoding="utf-8", newline="") as file:
        return {(row["what"], row["code"]): (row["zh"], row["en"]) for row in csv.DictReader(file)}


#: The release's templates by code.
TEMPLATES: Final = _load()
_NAMES: Final = _load_words()


def code_of(recipient: str, template: str) -> str:
    """The template's code; for one that nobody has written yet, that of the plainest news."""
    audience = CITIZEN if recipient == CITIZEN else STAFF
    code = f"{audience}.{template}"
    return code if code in TEMPLATES else f"{audience}.update"


def faults_of(audience: str, text: str) -> str:
    """Why a template cannot be used, in both languages; empty when it can."""
    if not text.strip():
        return "必填 / required"
    if len(text) > MOST:
        return f"最多 {MOST} 字 / at most {MOST} characters"
    if _CONTROL.search(text):
        return "不得含换行和控制字符 / without line ends and control characters"
    unknown = sorted({name for name in _HOLE.findall(text) if name not in ALLOWED[audience]})
    if unknown:
        return f"不允许的占位符：{' '.join(unknown)} / placeholders that are not allowed: {' '.join(unknown)}"
    if re.search(r"[{}]", _HOLE.sub("", text)):
        return "花括号只用于占位符 / braces are for placeholders only"
    return ""


@dataclass(frozen=True, slots=True)
class Matter:
    """What a notice is about. `facts`: those of the notice, and what was given with its event."""

    code: str
    check: str
    kind: str
    urgency: str
    confidential: bool
    link: str
    facts: Mapping[str, Any]


def filled(template: Template, matter: Matter, language: str, zone: ZoneInfo, *, check: str | None = None) -> str:
    """The text, ready to send. `check` in place of the check code: for what is kept, which must not open the door."""

    def word(match: re.Match[str]) -> str:
        return _word(match[1], template.audience, matter, language, zone, check)

    return _HOLE.sub(word, template.text(language))


def _word(name: str, audience: str, matter: Matter, language: str, zone: ZoneInfo, check: str | None) -> str:
    zh = language != "en"
    if matter.confidential and name in _UNTOLD:
        return (
            ("详情请致电12345" if zh else "please call 12345")
            if audience == CITIZEN
            else ("保密" if zh else "confidential")
        )
    if matter.confidential and name == "unit" and audience == CITIZEN:
        return "承办单位" if zh else "the unit in charge"
    match name:
        case "code":
            return matter.code
        case "check":
            return check if check is not None else matter.check
        case "link":
            return matter.link
        case "kind" | "urgency":
            known = KINDS.get(matter.kind) if name == "kind" else URGENCIES.get(matter.urgency)
            return (known.zh if zh else known.en) if known else "—"
        case "message":
            # A co-unit is called with an instruction (办理要求).
            value = matter.facts.get("message") or matter.facts.get("instruction")
        case _:
            value = matter.facts.get(name)
    if value is None or value == "":
        return "—"
    if name in ("due", "was"):
        return moment_words(datetime.fromisoformat(str(value)).astimezone(zone), language)
    if name == "unit":
        unit = DEPARTMENTS.get(str(value)) or REGIONS.get(str(value))
        return (unit.zh if zh else unit.en or unit.zh) if unit else str(value)
    if (name, str(value)) in _NAMES:
        return _NAMES[name, str(value)][0 if zh else 1]
    text = _CONTROL.sub(" ", str(value)).strip()
    most = _WORDS[audience]
    text = text if len(text) <= most else text[: most - 1] + "…"
    # Other ways may be telephone numbers of bodies; reasons may hold a citizen's.
    return mask_text(text) if name in ("reason", "message") else text


def moment_words(at: datetime, language: str) -> str:
    """A limit in words. One that ends at midnight ends with the day before."""
    day = at - timedelta(minutes=1) if at.time() == time() else at
    clock = "" if day is not at else f" {at:%H:%M}"
    return f"{day.day} {_MONTHS[day.month - 1]}{clock}" if language == "en" else f"{day.month}月{day.day}日{clock}"


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "June", "July", "Aug", "Sept", "Oct", "Nov", "Dec")

# --- how long it is ---------------------------------------------------------------------------------------------------

#: 3GPP TS 23.038, 6.2.1: the default alphabet; those of the second string take two places.
_GSM: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWO: Final = frozenset("^{}\\[~]|€")


class Length(NamedTuple):
    """Characters of a text, and how many messages it takes (计费条数)."""

    characters: int
    parts: int


def length_of(text: str) -> Length:
    """As telephones count: 160 of the default alphabet, 70 of any other; of several parts 153 and 67 each."""
    if all(char in _GSM or char in _GSM_TWO for char in text):
        units, one, each = sum(2 if char in _GSM_TWO else 1 for char in text), 160, 153
    else:
        units, one, each = len(text.encode("utf-16-le")) // 2, 70, 67
    return Length(len(text), 1 if units <= one else -(-units // each))


#: An order to show a template with: names and dates as long as they may well be.
SAMPLE: Final = Matter(
    "260914000001K",
    "4821",
    "complaint",
    "U2",
    False,
    "https://12345.example.gov.cn/progress",
    {
        "unit": "D29",
        "due": "2026-09-21T16:00:00Z",
        "was": "2026-09-18T16:00:00Z",
        "reason": "需会同街道现场核实",
        "missing": "发生地点和照片",
        "other_way": "人民法院",
        "handed_to": "110报警服务台",
        "refuse_reason": "litigation",
        "master": "260913000007R",
        "clock": "T-REPLY",
        "stage": "80",
        "card": "yellow",
        "message": "请尽快答复诉求人",
    },
)

# --- when it may go out -----------------------------------------------------------------------------------------------


class Hours(NamedTuple):
    """When citizens may be sent texts, in the city's time; over midnight when `first` is after `last`."""

    first: time
    last: time

    @classmethod
    def parse(cls, text: str) -> "Hours":
        """From `08:00-21:00`. Raises ValueError."""
        first, _, last = text.partition("-")
        return cls(time.fromisoformat(first), time.fromisoformat(last))

    def next(self, at: datetime) -> datetime:
        """`at`, or when the quiet (免打扰) is over. `at`: in the city's zone."""
        clock = at.time()
        inside = self.first <= clock < self.last if self.first < self.last else clock >= self.first or clock < self.last
        if inside or self.first == self.last:
            return at
        opens = datetime.combine(at.date(), self.first, at.tzinfo)
        return opens if opens > at else datetime.combine(at.date() + timedelta(days=1), self.first, at.tzinfo)


#: Why a notice is not sent at all; no failure.
SKIPS: Final = frozenset({"anonymous", "opted_out", "no_number", "no_mobile"})
#: After a failed try, seconds until the next; after the last one it is given up.
DELAYS: Final = (5, 30, 120, 600, 1800, 3600, 7200, 14400)
#: A notice that waited longer than this tells nothing any more.
STALE: Final = timedelta(days=3)


def again_after(tries: int) -> timedelta | None:
    """How long after the failed try number `tries` (from 1) the next one is made; None when there is none."""
    return timedelta(seconds=DELAYS[tries - 1]) if tries <= len(DELAYS) else None


def names_in(texts: Iterable[str]) -> set[str]:
    """Placeholders of texts."""
    return {name for text in texts for name in _HOLE.findall(text)}
