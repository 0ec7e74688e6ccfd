"""An order (工单) as the rules see it: what they must know of one, and nothing of how it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple


class State(StrEnum):
    """States of an order (工单状态), domain.md 3.1."""

    DRAFT = "draft"  # 草稿
    SUBMITTED = "submitted"  # 待受理
    AWAITING_INFO = "awaiting_info"  # 待补充
    ANSWERED = "answered"  # 直接答复
    NOT_ACCEPTED = "not_accepted"  # 不予受理
    TRANSFERRED_OUT = "transferred_out"  # 已转出
    INVESTIGATING = "investigating"  # 后台研判
    PENDING_DISPATCH = "pending_dispatch"  # 待派单
    DISPATCHED = "dispatched"  # 已派待签收
    RETURN_REVIEW = "return_review"  # 退单待审
    DISPUTED = "disputed"  # 职责争议协调
    IN_PROGRESS = "in_progress"  # 办理中
    SUSPENDED = "suspended"  # 挂账
    REPLIED = "replied"  # 已回复待审核
    PENDING_VISIT = "pending_visit"  # 待回访
    VISIT_RETRY = "visit_retry"  # 回访未接通
    JUDGING = "judging"  # 诉求研判
    REHANDLE = "rehandle"  # 重办
    CLOSED = "closed"  # 办结
    ARCHIVED = "archived"  # 归档
    WITHDRAWN = "withdrawn"  # 撤单
    MERGED = "merged"  # 并单
    INVALID = "invalid"  # 无效


#: Levels of urging (催办督办等级), domain.md 3.4.
REMINDER, WRITTEN, YELLOW, RED, INTERVIEW = 1, 2, 3, 4, 5


class Pause(NamedTuple):
    """From when until when clocks stood still (暂停计时)."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """A time limit that runs, or ran, on an order (时限).

    Args:
        name: what it limits, `T-REPLY`; `policy`: the row it follows, `T-REPLY-complaint`.
        value: the limit's length in `unit`: minute, hour, working_hour, working_day, day.
        first_due_at: as it was before any extension, so that none repairs it (K19).
        provisional: a notice of holidays that is not out yet may move it (暂定).
        paused_at: since when it stands still; `pauses`: when it did before.
        reminded: how much of it the last reminder told: 0, 50, 80 or 100 %.
        extended: by how much, in `unit`.
        dropped: it ended without having been met or missed.
    """

    name: str
    policy: str
    value: int
    unit: str
    started_at: datetime
    due_at: datetime
    first_due_at: datetime
    provisional: bool = False
    paused_at: datetime | None = None
    pauses: tuple[Pause, ...] = ()
    reminded: int = 0
    extended: int = 0
    ended_at: datetime | None = None
    dropped: bool = False

    @property
    def running(self) -> bool:
        return self.ended_at is None and self.paused_at is None

    def over(self, now: datetime) -> bool:
        """Whether it has run out. The last moment still counts as in time."""
        return now > self.due_at


@dataclass(frozen=True, slots=True)
class Who:
    """Who acts: login, roles, and the unit (承办单位) they work for; None for those of the centre."""

    login: str
    roles: frozenset[str]
    unit: str | None = None


#: The service itself, when a clock runs out.
SYSTEM: Final = Who("system", frozenset({"system"}))


@dataclass(frozen=True, slots=True)
class Proposal:
    """An act of two persons (两人复核) that the first has asked for."""

    event: str
    given: Mapping[str, Any]
    who: Who
    at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """An order at one moment.

    Args:
        state: None before it has begun.
        mode: of its kind, see the request kinds.
        version: how many events it has had.
        lead: code of the lead unit (主办单位); it stays the last one until another has been named.
        co: co-units (协办单位) -> state of their whistle (吹哨).
        refused_by: units that said that it is not theirs.
        bound: a ruling binds it to its lead.
        urges: how often the citizen has urged; urge_level: 0 to 5 (domain.md 3.4).
        tries: when visits were tried in vain.
        machines: the small machines that have begun -> their state (domain.md 3.3).
        closing: how it was closed: satisfied, no_visit, unreachable, out_of_duty, unreasonable.
    """

    code: str
    state: State | None
    kind: str
    mode: str
    urgency: str
    created_at: datetime
    state_since: datetime
    category: str = ""
    version: int = 0
    policy: int = 1
    lead: str | None = None
    co: Mapping[str, str] = field(default_factory=dict)
    handler: str | None = None
    follow_up_officer: str | None = None
    dispatched_by: str | None = None
    replied_by: str | None = None
    refused_by: tuple[str, ...] = ()
    bound: bool = False
    returns: int = 0
    rehandles: int = 0
    urges: int = 0
    urge_level: int = 0
    contacted_at: datetime | None = None
    tries: tuple[datetime, ...] = ()
    visit: Mapping[str, Any] = field(default_factory=dict)
    closing: str | None = None
    master: str | None = None
    public_danger: bool = False
    anonymous: bool = False
    machines: Mapping[str, str] = field(default_factory=dict)
    proposal: Proposal | None = None
    clocks: tuple[Clock, ...] = ()

    def clock(self, name: str) -> Clock | None:
        """The clock of this name that has not ended."""
        return next((clock for clock in self.clocks if clock.name == name and clock.ended_at is None), None)
