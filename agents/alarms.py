"""Alarms (告警): what is watched, when it is raised, when it is cleared. Pure: figures and `now` in, turns out.

An alarm is raised once its condition has held for the rule's time, and cleared only beyond a second threshold, so that
a figure that trembles about one value does not ring all day (domain.md R9, R83; telephony.md row 25).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, NamedTuple


class Kind(StrEnum):
    """What is watched."""

    WAITING = "waiting"  # 排队人数: callers who wait
    LONGEST_WAIT = "longest_wait"  # 最长等待, seconds
    IN_TIME = "in_time"  # 15 秒接通率 of the last minutes, 0 to 1
    READY = "ready"  # 就绪座席: seats that could take a call
    LINK = "link"  # 与 Asterisk 失联, seconds
    RECORDING = "recording"  # 录音失败: recordings that fail now
    NOTICES = "notices"  # 通知未送达: notices that were given up lately and not sent again


class About(NamedTuple):
    """A kind in words. `rises`: it is bad when the figure is high; else when it is low."""

    zh: str
    en: str
    rises: bool = True


#: The list can grow: a kind needs a figure in `_figure` and words here.
KINDS: Final[dict[Kind, About]] = {
    Kind.WAITING: About("排队人数", "Callers waiting"),
    Kind.LONGEST_WAIT: About("最长等待（秒）", "Longest wait (s)"),
    Kind.IN_TIME: About("15 秒接通率", "Answered in 15 s", rises=False),
    Kind.READY: About("就绪座席", "Seats ready", rises=False),
    Kind.LINK: About("与电话系统失联（秒）", "Telephone system unheard (s)"),
    Kind.RECORDING: About("录音失败", "Recordings failing"),
    Kind.NOTICES: About("通知未送达", "Notices not told"),
}

Severity = Literal["warning", "critical"]


class Rule(NamedTuple):
    """One rule. Raised above `raise_at` (below it where low is bad), cleared at `clear_at` and better.

    `window` and `least_calls` are of IN_TIME alone: minutes looked back, and calls without which nothing is said.
    """

    code: str
    kind: Kind
    raise_at: float
    clear_at: float
    hold: timedelta
    severity: Severity
    window: int = 15
    least_calls: int = 20


class Figures(NamedTuple):
    """What is true now. None: nobody knows, so nothing is raised and nothing cleared by it."""

    waiting: int | None = None
    longest_wait: float | None = None
    ready: int | None = None
    link: float | None = None
    recording: float | None = None
    notices: float | None = None
    #: Minutes looked back -> calls offered in them, and those of them answered in time.
    windows: Mapping[int, tuple[int, int]] = {}


class Standing(NamedTuple):
    """How a rule stands: since when its condition has held, and since when the alarm is raised."""

    since: datetime | None = None
    raised_at: datetime | None = None


class Turn(NamedTuple):
    """An alarm raised, or cleared. `value`: the figure at that moment, None when the rule itself has gone."""

    rule: str
    raised: bool
    value: float | None
    at: datetime


class BadRule(ValueError):
    """The thresholds contradict each other."""


def checked(rule: Rule) -> Rule:
    """The rule itself. Raises BadRule when it would be cleared while it is raised."""
    worse = rule.clear_at - rule.raise_at if KINDS[rule.kind].rises else rule.raise_at - rule.clear_at
    if worse > 0:
        raise BadRule("the threshold that clears must not be worse than the one that raises")
    return rule


def judge(
    rules: Sequence[Rule], standing: Mapping[str, Standing], figures: Figures, now: datetime
) -> tuple[dict[str, Standing], list[Turn]]:
    """How every rule stands now, and which alarms have been raised or cleared by it."""
    after: dict[str, Standing] = {}
    turns: list[Turn] = []
    for rule in rules:
        was = standing.get(rule.code, Standing())
        value = _figure(rule, figures)
        stands = _stands(rule, was, value, figures, now)
        if stands.raised_at != was.raised_at:
            turns.append(Turn(rule.code, stands.raised_at is not None, value, now))
        after[rule.code] = stands
    gone = sorted(code for code in standing.keys() - after.keys() if standing[code].raised_at is not None)
    turns += [Turn(code, raised=False, value=None, at=now) for code in gone]
    return after, turns


def _stands(rule: Rule, was: Standing, value: float | None, figures: Figures, now: datetime) -> Standing:
    if value is None:
        # Too few calls are no case against anybody; what nobody knows leaves all as it was.
        return Standing() if rule.kind is Kind.IN_TIME and rule.window in figures.windows else was
    rises = KINDS[rule.kind].rises
    breached = value > rule.raise_at if rises else value < rule.raise_at
    cleared = value <= rule.clear_at if rises else value >= rule.clear_at
    if was.raised_at is not None:
        return Standing() if cleared else was
    if not breached:
        return Standing()
    since = was.since or now
    return Standing(since, now if now - since >= rule.hold else None)


def _figure(rule: Rule, figures: Figures) -> float | None:
    match rule.kind:
        case Kind.WAITING:
            return figures.waiting
        case Kind.LONGEST_WAIT:
            return figures.longest_wait
        case Kind.READY:
            return figures.ready
        case Kind.LINK:
            return figures.link
        case Kind.RECORDING:
            return figures.recording
        case Kind.NOTICES:
            return figures.notices
        case Kind.IN_TIME:
            offered, in_time = figures.windows.get(rule.window, (0, 0))
            return in_time / offered if offered and offered >= rule.least_calls else None
