"""What rules find in a unit's reply (答复审核规则), domain.md 3.6. Pure: no rule decides, a person does.

A reply answers each point with facts, basis, result and next step; it holds no personal data, promises nothing that
nobody can keep, sends nobody elsewhere, and is no copy. `rules.csv` says of each rule which point of the check list it
is about and whether a reply that breaks it can be passed without a word; `phrases.txt` has the words, a pattern a line.
"""

import csv
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal, NamedTuple

_HERE: Final = Path(__file__).parent


class Rule(NamedTuple):
    """One rule. `check`: the point of the check list; `level`: `stop` or `warn`."""

    code: str
    check: str
    level: str
    zh: str
    en: str


class Finding(NamedTuple):
    """What a rule has found; `words`: where, as far as it can be shown."""

    rule: Rule
    words: str


class Earlier(NamedTuple):
    """An earlier reply of the same unit, by its pieces."""

    code: str
    grams: frozenset[str]

    @classmethod
    def of(cls, code: str, text: str) -> "Earlier":
        return cls(code, _grams(text))


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply, and what must be known to judge it.

    Args:
        asked: subject and description of the order; `actions`: what the unit says that it did.
        result: resolved, partly, not_resolved; empty while none is chosen.
        contact_note: what was written down of the first contact.
        name: the citizen's, as the order has it.
        needs_basis: whether the kind of request must be answered with a basis.
        earlier: of the same unit, newest first.
    """

    text: str
    actions: str = ""
    result: str = ""
    asked: str = ""
    contact_note: str = ""
    name: str = ""
    needs_basis: bool = False
    danger: bool = False
    earlier: Collection[Earlier] = ()


def _rules() -> dict[str, Rule]:
    with (_HERE / "rules.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: Rule(**row) for row in csv.DictReader(file)}


def _phrases() -> dict[str, tuple[re.Pattern[str], ...]]:
    found: dict[str, tuple[re.Pattern[str], ...]] = {}
    for line in (_HERE / "phrases.txt").read_text(encoding="utf-8").splitlines():
        name, _, pattern = line.partition(" ")
        found[name] = (*found.get(name, ()), re.compile(pattern))
    return found


RULES: Final = _rules()
_PHRASES: Final = _phrases()
#: Rules that are broken by saying something.
_SAID: Final = ("promise", "absolute", "pushed_away", "rude", "secret", "placeholder")

SHORT: Final = 30
COPY: Final = 85
#: Longest text that is compared with others; the rest of a very long one is not looked at.
_COMPARED: Final = 1500
_GRAM: Final = 3


def findings(reply: Reply, *, short: int = SHORT, copy: int = COPY) -> list[Finding]:
    """What the rules find, in their order.

    Args:
        short: fewest characters of a reply.
        copy: per cent of likeness to an earlier one from which on it is a copy.
    """
    found = dict(_found(reply, short, copy))
    return [Finding(rule, found[code]) for code, rule in RULES.items() if code in found]


def _found(reply: Reply, short: int, copy: int) -> Iterator[tuple[str, str]]:
    text, whole = reply.text, f"{reply.text}\n{reply.actions}"
    for code in _SAID:
        if said := _said(code, text):
            yield code, said
    yield from _personal(reply)
    if len(re.sub(r"\s", "", text)) < short:
        yield "too_short", ""
    points = _points(reply.asked)
    if points >= 2 and _points(text) < points and len(re.findall(r"[。；;.\n]", text.strip())) < points:
        yield "points", ""
    if not (_said("contact", whole) or _said("contact", reply.contact_note)):
        yield "no_contact", ""
    if not _said("facts", whole):
        yield "no_facts", ""
    if reply.needs_basis and not _said("basis", text):
        yield "no_basis", ""
    if (vague := _said("vague", text)) and "《" not in text and not re.search("第[^条]{1,8}条", text):
        yield "vague_basis", vague
    if text.count("《") != text.count("》") or re.search(r"《\s*》", text):
        yield "broken_citation", "《"
    if not _said("result", text):
        yield "no_result", ""
    if reply.result == "resolved" and (still := _said("unsolved", text)):
        yield "contradiction", still
    if reply.result in ("partly", "not_resolved") and not _said("next_step", text):
        yield "no_next_step", ""
    if reply.result != "resolved" and (soon := _undated(text)):
        yield "undated", soon
    if (reply.danger or _said("danger", reply.asked)) and reply.result != "resolved" and not _said("safety", text):
        yield "no_safety", _said("danger", reply.asked)
    if like := copied(text, reply.earlier, copy):
        yield "copied", like.code


def _said(name: str, text: str) -> str:
    """The words that a pattern of this name finds; empty when none does."""
    return next((match[0].strip() for each in _PHRASES[name] if (match := each.search(text))), "")


def _points(text: str) -> int:
    """How many points a text makes, as far as it numbers them."""
    return max(len(each.findall(text)) for each in _PHRASES["point"])


def _undated(text: str) -> str:
    """A promise to act soon in a sentence without a date."""
    for sentence in re.split(r"[。；;\n!！]", text):
        if (soon := _said("undated", sentence)) and not _said("date", sentence):
            return soon
    return ""


# --- personal data ----------------------------------------------------------------------------------------------------

_NOT_DIGIT: Final = r"(?<![0-9])"
_MOBILE: Final = re.compile(_NOT_DIGIT + r"1[3-9]\d[\s-]?\d{4}[\s-]?\d{4}(?![0-9])")
_IDENTITY: Final = re.compile(
    _NOT_DIGIT + r"[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[0-9Xx]"
)
_CARD: Final = re.compile(_NOT_DIGIT + r"[1-9](?:[\s-]?\d){15,18}(?![0-9])")
_MAIL: Final = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z0-9.-]+")
#: Mail of offices is public.
_OFFICIAL: Final = re.compile(r"(?i)\.gov(\.cn)?$")
_TITLES: Final = ("先生", "女士", "小姐", "同志", "老师", "阿姨", "大爷")
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def _personal(reply: Reply) -> Iterator[tuple[str, str]]:
    """Numbers are shown masked: what is found is kept nowhere in clear."""
    text = reply.text
    identity = next((match[0] for match in _IDENTITY.finditer(text) if is_identity(match[0])), "")
    if identity:
        yield "identity", f"{identity[:3]}…{identity[-2:]}"
    if match := _MOBILE.search(text):
        yield "phone", f"{match[0][:3]}…{match[0][-2:]}"
    if any(_luhn(re.sub(r"\D", "", match[0])) for match in _CARD.finditer(text) if match[0] != identity):
        yield "bank_card", ""
    if (mail := _MAIL.search(text)) and not _OFFICIAL.search(mail[0].rstrip(".")):
        yield "mail", f"{mail[0][:2]}…"
    name = reply.name.strip()
    if len(name) >= 2 and not name.endswith(_TITLES) and name in text:
        yield "name", f"{name[0]}…"


def is_identity(number: str) -> bool:
    """Whether 18 characters are an identity number (GB 11643), by its last one."""
    total = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == number[-1].upper()


def _luhn(digits: str) -> bool:
    doubled = [int(digit) * (2 if n % 2 else 1) for n, digit in enumerate(reversed(digits))]
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0


# --- copies -----------------------------------------------------------------------------------------------------------


def copied(text: str, earlier: Collection[Earlier], most: int = COPY) -> Earlier | None:
    """The first earlier reply that this one is `most` per cent like; None when it is like none."""
    grams = _grams(text)
    return next((each for each in earlier if _likeness(grams, each.grams) * 100 >= most), None)


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Share of common pieces of two texts (Jaccard), 0 to 1."""
    both = len(one & other)
    return both / (len(one) + len(other) - both) if both else 0.0


def _grams(text: str) -> frozenset[str]:
    """Pieces of three characters, without numbers, signs and spaces: a copy with another date is a copy."""
    plain = re.sub(r"[\W\d_]", "", text[:_COMPARED])
    return frozenset(plain[n : n + _GRAM] for n in range(len(plain) - _GRAM + 1))


# --- the sample -------------------------------------------------------------------------------------------------------

Need = Literal["stopped", "doubtful", "drawn", "clean"]


def need(found: Collection[Finding], code: str, version: int, share: int) -> Need:
    """How closely an inspector must look (审核方式).

    Args:
        version: of the order when it was replied to: another reply is another lot.
        share: per cent of clean replies that are drawn (抽查). The lot is the SHA-256 of the reply's name, so a draw
            can be repeated.
    """
    if any(each.rule.level == "stop" for each in found):
        return "stopped"
    if found:
        return "doubtful"
    lot = int.from_bytes(sha256(f"{code}/{version}".encode()).digest()[:4]) % 100
    return "drawn" if lot < share else "clean"


def broken(found: Collection[Finding]) -> Mapping[str, list[Finding]]:
    """Findings by the point of the check list that they speak against."""
    points: dict[str, list[Finding]] = {}
    for each in found:
        points.setdefault(each.rule.check, []).append(each)
    return points
