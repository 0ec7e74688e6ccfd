"""The promises of 12345 in figures: how a call ended, and what share was answered in time.

Sources: GB/T 33358-2016 (a person within 15 s, at least 95 % of calls through in any 24 h in a row), the Beijing rules
of 2020 (more than 90 % get through), domain.md 2b. Every share is over **all offered calls**: who hung up early or met
a full line was offered too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

ANSWER_TARGET_MS: Final = 15_000
CONNECT_RATE_GOAL: Final = 0.90
CONNECT_RATE_STANDARD: Final = 0.95


class Outcome(StrEnum):
    """How a call ended (通话结果). Exactly one for each call that reached Asterisk."""

    ANSWERED = "answered"  # 接通: a person spoke with the citizen
    ABANDONED_GREETING = "abandoned_greeting"  # 欢迎语中挂机
    ABANDONED_QUEUE = "abandoned_queue"  # 排队中挂机
    ABANDONED_RINGING = "abandoned_ringing"  # 振铃中挂机
    TIMED_OUT = "timed_out"  # 排队超时
    NOBODY_ON_DUTY = "nobody_on_duty"  # 无人值守
    REFUSED = "refused"  # 线路满，拒接
    INTERRUPTED = "interrupted"  # 系统中断
    CALLBACK = "callback"  # 预约回电: chose to be called back; neither answered nor abandoned
    NOT_REACHED = "not_reached"  # 回电未接通: of our own call to the citizen, never of his
    UNKNOWN_GAP = "unknown_gap"  # 记录缺口: nobody knows; never counted as abandoned


ABANDONED: Final = frozenset({Outcome.ABANDONED_GREETING, Outcome.ABANDONED_QUEUE, Outcome.ABANDONED_RINGING})


def in_time(wait_ms: int) -> bool:
    """Whether a wait meets the 15-second promise: 15.000 s does, 15.001 s does not (domain.md R9)."""
    return wait_ms <= ANSWER_TARGET_MS


@dataclass(slots=True)
class Tally:
    """Calls counted over some time. `in_time` counts from the queue entry, `in_time_from_invite` from the INVITE."""

    offered: int = 0
    answered: int = 0
    in_time: int = 0
    in_time_from_invite: int = 0
    abandoned: int = 0
    callback: int = 0
    other: int = 0

    def add(self, outcome: Outcome, wait_ms: int | None, wait_from_invite_ms: int | None) -> None:
        """Count one ended call; the waits are None for a call that no person answered."""
        self.offered += 1
        if outcome is Outcome.ANSWERED:
            self.answered += 1
            self.in_time += wait_ms is not None and in_time(wait_ms)
            self.in_time_from_invite += wait_from_invite_ms is not None and in_time(wait_from_invite_ms)
        elif outcome in ABANDONED:
            self.abandoned += 1
        elif outcome is Outcome.CALLBACK:
            self.callback += 1
        else:
            self.other += 1

    def __iadd__(self, more: "Tally") -> "Tally":
        for field in fields(Tally):
            setattr(self, field.name, getattr(self, field.name) + getattr(more, field.name))
        return self

    def __isub__(self, less: "Tally") -> "Tally":
        for field in fields(Tally):
            setattr(self, field.name, getattr(self, field.name) - getattr(less, field.name))
        return self

    @property
    def service_level(self) -> float | None:
        """Share of all offered calls answered within 15 s (15 秒接通率); None without calls."""
        return self.in_time / self.offered if self.offered else None

    @property
    def connect_rate(self) -> float | None:
        """Share of all offered calls answered by a person (接通率); None without calls."""
        return self.answered / self.offered if self.offered else None


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of 24 h, `start` in minutes since the epoch, and the share reached in it."""

    start: int
    share: float


DAY_MINUTES: Final = 24 * 60


def worst_day(minutes: Sequence[tuple[int, Tally]], *, first: int, last: int, share: str) -> Window | None:
    """The worst 24 h in a row (任意连续24小时), the measure of GB/T 33358-2016.

    Args:
        minutes: (minute since the epoch, calls that arrived in it), ascending, minutes without calls left out.
        first, last: first and last minute looked at. When there are fewer than 24 h, all of them are one window.
        share: `service_level` or `connect_rate`.

    Returns None when no call was offered. A window's counts change only when its end reaches a call or its start
    passes one, so only the windows at those moments are looked at.
    """
    final = max(first, last - DAY_MINUTES + 1)
    starts = {first, final}
    for minute, _ in minutes:
        starts.update((minute - DAY_MINUTES + 1, minute + 1))
    worst: Window | None = None
    running = Tally()
    head = tail = 0
    for start in sorted(start for start in starts if first <= start <= final):
        while tail < len(minutes) and minutes[tail][0] < start + DAY_MINUTES:
            running += minutes[tail][1]
            tail += 1
        while head < tail and minutes[head][0] < start:
            running -= minutes[head][1]
            head += 1
        value: float | None = getattr(running, share)
        if value is not None and (worst is None or value < worst.share):
            worst = Window(start, value)
    return worst
