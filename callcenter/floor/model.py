"""The floor (话务现场): live calls, their legs, and the seats."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from agents.seats import WRAP_UP, Phone, SeatState, seat_state
from agents.service_level import Outcome

_MILLISECOND = timedelta(milliseconds=1)


class LegEnd(StrEnum):
    """How one ring of one seat ended."""

    COMPLETED = "completed"  # talked, then hung up
    MISSED = "missed"  # 未接: rang out or declined
    CANCELLED = "cancelled"  # the citizen hung up, or the call went elsewhere, while it rang
    TRANSFERRED = "transferred"
    LOST = "lost"  # nobody knows


class Side(StrEnum):
    """Who hung up first."""

    CALLER = "caller"
    AGENT = "agent"
    SYSTEM = "system"


@dataclass(slots=True)
class Leg:
    """One seat rung for a call (话务分段). Its channel is the phone's, not the citizen's."""

    seat: str
    login: str
    queue: str
    channel: str
    rung_at: datetime
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    how: LegEnd | None = None


@dataclass(slots=True)
class Call:
    """One citizen's call. `id` is the Uniqueid of the citizen's own channel, with the node in place of the secret."""

    id: str
    arrived_at: datetime
    channel: str = ""
    number: str = ""
    name: str = ""
    dialed: str = ""
    service: str = ""
    language: str = "zh"
    menu: str = ""
    queue: str | None = None
    queued_at: datetime | None = None
    left_at: datetime | None = None
    left_status: str | None = None
    legs: list[Leg] = field(default_factory=list)
    held_since: datetime | None = None
    held_ms: int = 0
    late: bool = False
    ended_at: datetime | None = None
    ended_by: Side | None = None
    outcome: Outcome | None = None

    @property
    def answered_at(self) -> datetime | None:
        """When the first person answered."""
        for leg in self.legs:
            if leg.answered_at is not None:
                return leg.answered_at
        return None

    @property
    def leg(self) -> Leg | None:
        """The leg that rings or talks now."""
        for leg in reversed(self.legs):
            if leg.ended_at is None:
                return leg
        return None

    @property
    def wait_ms(self) -> int | None:
        """From entry into the queue to the person's answer (clock B); None when unanswered."""
        return millis(self.queued_at, self.answered_at) if self.queued_at and self.answered_at else None

    @property
    def wait_from_invite_ms(self) -> int | None:
        """From the INVITE to the person's answer (clock A); None when unanswered."""
        return millis(self.arrived_at, self.answered_at) if self.answered_at else None


@dataclass(slots=True)
class Seat:
    """One seat (座席). Its state is derived, never stored; `since` is when the derived state last changed."""

    number: str
    login: str = ""
    phone: Phone = Phone.DESK
    queues: set[str] = field(default_factory=set)
    pause: str | None = None
    paused_at: datetime | None = None
    reachable: bool = False
    call: Call | None = None  # the one it rings for, talks with, or wraps up
    leg: Leg | None = None
    held: bool = False
    missed: int = 0
    wrap_up_until: datetime | None = None
    settling_since: datetime | None = None  # the talk is over; app_queue gives no call, our pause is on its way
    gone_since: datetime | None = None
    state: SeatState = SeatState.OFFLINE
    since: datetime | None = None

    def derive(self) -> SeatState:
        return seat_state(
            seated=bool(self.queues),
            reachable=self.reachable,
            ringing=self.leg is not None and self.leg.answered_at is None,
            talking=self.leg is not None and self.leg.answered_at is not None,
            held=self.held,
            pause=WRAP_UP if self.pause is None and self.settling_since else self.pause,
        )


@dataclass(slots=True)
class Floor:
    """All that is true now on one node. `at` is the time of the newest fact and never goes back."""

    node: str
    at: datetime
    wrap_up: timedelta = timedelta(seconds=60)
    started_at: datetime | None = None  # when Asterisk started, as its last snapshot said
    calls: dict[str, Call] = field(default_factory=dict)
    seats: dict[str, Seat] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)  # a phone's channel -> the call it serves
    over: dict[str, None] = field(default_factory=dict)  # ids of calls that ended lately, oldest first


def millis(start: datetime, end: datetime) -> int:
    """Whole milliseconds from start to end, cut, not rounded: 15.0009 s is 15,000 ms; never negative."""
    return max(0, (end - start) // _MILLISECOND)
