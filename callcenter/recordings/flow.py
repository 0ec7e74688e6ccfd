"""The rules of recordings: how long each kind is kept, when one has a gap, which part of one was asked for. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")

#: How much shorter than the clock a whole recording may be: Asterisk's writer starts a few ms late, and fills a silent
#: side up, but not both.
_TOLERANCE_MS: Final = 1_500
_TOLERANCE_SHARE: Final = 0.02


class Rule(StrEnum):
    """Which rule says how long a recording is kept (留存规则)."""

    UNHEARD = "unheard"  # 未接通: nobody spoke with the citizen, so there is nothing to keep
    TALK = "talk"  # 普通通话
    ORDER = "order"  # 关联工单: complaints, reports, pleas for help, and whatever is still open
    EMERGENCY = "emergency"  # 紧急: an order of the highest urgency came of it


RULES: Final[dict[Rule, tuple[str, str]]] = {
    Rule.UNHEARD: ("未接通，不留存", "Not answered, not kept"),
    Rule.TALK: ("普通通话", "Ordinary talk"),
    Rule.ORDER: ("关联工单", "Bound to an order"),
    Rule.EMERGENCY: ("紧急事项", "Emergency"),
}

#: What can be closed at once (GB/T 33358-2016, domain.md R6) is an ordinary talk once it is closed.
_ORDINARY_KINDS: Final = frozenset({"consult", "handle"})
_OVER: Final = frozenset({"answered", "closed", "archived"})
_HIGHEST: Final = "U1"


class Gap(StrEnum):
    """What is wrong with a recording (录音缺口)."""

    MISSING = "missing"  # 无录音
    SHORT = "short"  # 不完整


class WrongRange(ValueError):
    """No such part of the file."""


@dataclass(frozen=True, slots=True)
class Order:
    """What retention needs of an order that came of the call."""

    kind: str
    state: str
    urgency: str


def days_of(text: str) -> dict[Rule, int]:
    """Days of each rule, from `talk=180,order=1825,emergency=1825`. Raises ValueError, also when one lacks."""
    given = {Rule(name): int(days) for name, _, days in (part.strip().partition("=") for part in text.split(","))}
    wanted = {Rule.TALK, Rule.ORDER, Rule.EMERGENCY}
    if set(given) != wanted or any(not 1 <= days <= 36_500 for days in given.values()):
        raise ValueError(f"needs days, 1 to 36500, for each of {', '.join(sorted(wanted))}")
    return given | {Rule.UNHEARD: 0}


def rule_for(*, heard: bool, orders: list[Order]) -> Rule:
    """The rule of one recording (domain.md 7): the longest that applies.

    Args:
        heard: a person spoke with the citizen.
    """
    if any(order.urgency == _HIGHEST for order in orders):
        return Rule.EMERGENCY
    if any(order.kind not in _ORDINARY_KINDS or order.state not in _OVER for order in orders):
        return Rule.ORDER
    return Rule.TALK if heard else Rule.UNHEARD


def keep_until(recorded_at: datetime, rule: Rule, days: Mapping[Rule, int]) -> datetime:
    """From when on a recording is to be deleted."""
    return recorded_at + timedelta(days=days[rule])


def is_open(orders: list[Order]) -> bool:
    """Whether an order of the call is not over yet: its recording stays, however old."""
    return any(order.state not in _OVER for order in orders)


def gap_of(*, expected_ms: int, length_ms: int) -> Gap | None:
    """What is wrong with a recording of this length, of a talk that lasted so long by the clock."""
    if length_ms == 0:
        return Gap.MISSING
    short = expected_ms - length_ms > max(_TOLERANCE_MS, _TOLERANCE_SHARE * expected_ms)
    return Gap.SHORT if short else None


def part_of(header: str | None, size: int) -> tuple[int, int] | None:
    """The part [start, end) that a Range header asks for; None: all of it (RFC 9110, 14.2).

    Raises WrongRange. Several ranges at once are more than a player needs, and refused.
    """
    if header is None:
        return None
    match = _RANGE.fullmatch(header.strip())
    if match is None or not (match[1] or match[2]):
        raise WrongRange(header)
    if not match[1]:
        start, end = max(0, size - int(match[2])), size
    else:
        start, end = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
    if start >= end:
        raise WrongRange(header)
    return start, end
