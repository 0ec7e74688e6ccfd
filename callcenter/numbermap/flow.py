"""Old numbers that fold into 12345 (domain.md R10, R12, R13). Pure."""

from collections.abc import Collection, Iterable
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from callcenter.directory.city import Hotline


class State(StrEnum):
    """Where a number stands."""

    UNTOUCHED = "untouched"  # emergency numbers, 114: never part of 12345
    UNIFIED = "unified"  # 12345 itself
    OPEN = "open"  # both numbers answer (双号并行), or the bureau's own sub-centre does (设分中心)
    CLOSING = "closing"  # a day has been set
    CLOSED = "closed"  # part of 12345 (归并)


class Cutover(NamedTuple):
    """A number's day of cut-over, and whether its callers hear from then on that 12345 is the number to dial."""

    day: date
    announced: bool


class Refused(StrEnum):
    """Why a number cannot be cut over."""

    UNKNOWN = "unknown"
    NEVER = "never"  # an emergency number, 114, or 12345 itself
    ALREADY = "already"
    RETAINED = "retained"  # its bureau keeps its own line: never in bulk, alone with a reason


def state_of(line: Hotline, cutover: Cutover | None, today: date) -> State:
    """The state of a number today."""
    if line.mode in ("emergency", "kb_subscriber"):
        return State.UNTOUCHED
    if line.mode == "unified":
        return State.UNIFIED
    if line.mode == "merged":
        return State.CLOSED
    if cutover is None:
        return State.OPEN
    return State.CLOSED if cutover.day <= today else State.CLOSING


def refusals(
    asked: Iterable[str], lines: dict[str, Hotline], taken: Collection[str], *, reason: str
) -> dict[str, Refused]:
    """Which of the numbers cannot be cut over together, and why; nothing is done unless all can.

    Args:
        taken: numbers for which a day has been set.
        reason: why, in words; a retained number needs one, and to be asked for alone.
    """
    numbers = list(asked)
    found: dict[str, Refused] = {}
    for number in numbers:
        line = lines.get(number)
        if line is None:
            found[number] = Refused.UNKNOWN
        elif line.mode in ("emergency", "kb_subscriber", "unified"):
            found[number] = Refused.NEVER
        elif line.mode == "merged" or number in taken:
            found[number] = Refused.ALREADY
        elif line.retained and (len(numbers) > 1 or not reason.strip()):
            found[number] = Refused.RETAINED
    return found
