"""The floor (话务现场): live calls, their legs, and the seats."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from agents.guard import GUARD, WRAP_UP_LEAST, Act, Deadline
from agents.seats import CALLBACK, WRAP_UP, Phone, SeatState, seat_state
from agents.service_level import Outcome
from agents.supervision import Mode

_MILLISECOND = timedelta(milliseconds=1)
#: Our own calls to citizens count from here behind the point of their ids, where Asterisk's never come.
CALLBACK_IDS = range(900_000_000, 1_000_000_000)


class LegEnd(StrEnum):
    """How one ring of one seat ended."""

    COMPLETED = "completed"  # talked, then hung up
    MISSED = "missed"  # 未接: rang out or declined
    CANCELLED = "cancelled"  # the citizen hung up, or the call went elsewhere, while it rang
    TRANSFERRED = "transferred"
    LOST = "lost"  # nobody knows


class LegKind(StrEnum):
    """How a person or a line came into a call."""

    QUEUE = "queue"  # the queue rang the seat
    TRANSFER = "transfer"  # 转接: passed on to this seat or line by another
    CONSULT = "consult"  # 咨询: asked by another while the citizen waited, or three-party
    EMERGENCY = "emergency"  # 紧急转接: 110, 119, 120 or 122


class Side(StrEnum):
    """Who hung up first."""

    CALLER = "caller"
    AGENT = "agent"
    SYSTEM = "system"


@dataclass(slots=True)
class Leg:
    """One seat rung for a call (话务分段), or a line outside. Its channel is the phone's, not the citizen's.

    `seat` is empty for a line, `line` for a seat: a code of ivr/lines.py.
    """

    seat: str
    login: str
    queue: str
    channel: str
    rung_at: datetime
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    how: LegEnd | None = None
    why: str = ""  # names.WHY_... when the seat was rung past the queue
    kind: LegKind = LegKind.QUEUE
    line: str = ""

    @property
    def talks(self) -> bool:
        return self.answered_at is not None and self.ended_at is None


@dataclass(slots=True)
class Direct:
    """One seat is to ring for a call, past the queue, since `at`; `over` when Asterisk has said what came of it."""

    at: datetime
    seat: str
    login: str
    why: str
    over: bool = False


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
    priority: str = ""  # why it goes before others: a word of agents/priority.py
    raised_at: datetime | None = None  # when it said so in the queue, by a key
    left_at: datetime | None = None
    left_status: str | None = None
    direct: Direct | None = None  # the latest
    callback: str | None = None  # the number at which the caller asked to be called back
    origin: str | None = None  # of a call of ours: the call that it answers
    legs: list[Leg] = field(default_factory=list)
    moved: bool = False  # it was passed on, or another was asked: not simply one citizen with one agent any more
    in_room: bool = False  # it is talked in a room, or waits for it with music
    parked: bool = False  # the citizen waits with music while others talk
    again_queue: str | None = None  # passed on to a queue
    again_at: datetime | None = None
    held_since: datetime | None = None
    held_ms: int = 0
    recorded_at: datetime | None = None  # since when it is recorded, or would be if there were room
    recording: str | None = None  # on, or full: no room
    surveyed_at: datetime | None = None  # since when the citizen, alone again, is asked
    answers: dict[str, str] = field(default_factory=dict)  # question of the survey -> answer
    late: bool = False
    acts: int = 0  # how many deadlines of the guard it has waited through
    act: Act | None = None  # the latest of them
    helped: bool = False  # a wrap-up was ended for it
    ended_at: datetime | None = None
    ended_by: Side | None = None
    outcome: Outcome | None = None

    @property
    def waits(self) -> bool:
        """Queued, and no person has answered yet; it may ring."""
        return self.queued_at is not None and not (self.answered_at or self.left_at or self.ended_at)

    @property
    def answered_at(self) -> datetime | None:
        """When the first person answered."""
        for leg in self.legs:
            if leg.answered_at is not None:
                return leg.answered_at
        return None

    @property
    def inbound(self) -> bool:
        """Whether a citizen called us; our calls back are told by their ids."""
        return not is_callback(self.id)

    @property
    def open_legs(self) -> list[Leg]:
        """Those that ring or talk now, in the order in which they were rung."""
        return [leg for leg in self.legs if leg.ended_at is None]

    @property
    def leg(self) -> Leg | None:
        """The leg that talks now, of several the newest; else that which rings."""
        legs = self.open_legs
        return next((leg for leg in reversed(legs) if leg.talks), legs[-1] if legs else None)

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
    queues: dict[str, int] = field(default_factory=dict)  # queue -> tier (agents/skills.py)
    pause: str | None = None
    paused_at: datetime | None = None
    reachable: bool = False
    call: Call | None = None  # the one it rings for, talks with, or wraps up
    leg: Leg | None = None
    held: bool = False
    missed: int = 0
    wrap_up_until: datetime | None = None
    cut_at: datetime | None = None  # when the guard ended the last wrap-up; until the next pause
    next: str | None = None  # asked for during a call: a break's code or LEAVE, begun when call and wrap-up are over
    break_until: datetime | None = None  # until when the break is within its limit, once that is known
    settling_since: datetime | None = None  # the talk is over; app_queue gives no call, our pause is on its way
    gone_since: datetime | None = None
    state: SeatState = SeatState.OFFLINE
    since: datetime | None = None

    @property
    def working(self) -> bool:
        """Reachable, and on no break: calls come here, or will after the wrap-up."""
        return self.reachable and self.pause in {None, WRAP_UP, CALLBACK}

    def derive(self) -> SeatState:
        return seat_state(
            seated=bool(self.queues),
            reachable=self.reachable,
            ringing=self.leg is not None and self.leg.answered_at is None,
            talking=self.leg is not None and self.leg.answered_at is not None,
            held=self.held,
            pause=WRAP_UP if self.pause is None and self.settling_since else self.pause,
        )


class Plan(NamedTuple):
    """Whom a call of ours is about to reach, and for which seat."""

    number: str
    origin: str
    service: str
    queue: str
    language: str
    seat: str


@dataclass(slots=True)
class Supervision:
    """A supervisor's phone in an agent's call (监听、耳语、强插、接管). No leg of the call: it answers nobody."""

    id: str
    login: str  # the supervisor's
    seat: str
    agent: str  # the agent's login
    on: str  # and seat
    call: str
    mode: Mode
    asked_at: datetime
    channel: str = ""  # of the supervisor's phone, once it has answered
    since: datetime | None = None  # when the mode began
    wanted: Mode | None = None  # another mode that was asked for and has not begun
    ask_again_at: datetime | None = None
    tries: int = 0  # how often it was asked for


@dataclass(slots=True)
class Floor:
    """All that is true now on one node. `at` is the time of the newest fact and never goes back."""

    node: str
    at: datetime
    wrap_up: timedelta = timedelta(seconds=60)
    wrap_up_least: timedelta = timedelta(seconds=WRAP_UP_LEAST)  # the guard ends none that is shorter
    guard: Sequence[Deadline] = GUARD
    started_at: datetime | None = None  # when Asterisk started, as its last snapshot said
    calls: dict[str, Call] = field(default_factory=dict)
    seats: dict[str, Seat] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)  # a phone's channel -> the call it serves
    supervisions: dict[str, Supervision] = field(default_factory=dict)
    planned: dict[str, Plan] = field(default_factory=dict)  # calls of ours that are about to be dialled
    over: dict[str, None] = field(default_factory=dict)  # ids of calls that ended lately, oldest first

    def seat(self, number: str) -> Seat:
        """The seat of this number; a new one when nobody has heard of it yet."""
        return self.seats.setdefault(number, Seat(number))


def is_callback(call: str) -> bool:
    """Whether this is the id of a call by which we call a citizen back (回电)."""
    count = call.rpartition(".")[2]
    return len(count) == len(str(CALLBACK_IDS[0])) and count.isdigit() and int(count) in CALLBACK_IDS


def millis(start: datetime, end: datetime) -> int:
    """Whole milliseconds from start to end, cut, not rounded: 15.0009 s is 15,000 ms; never negative."""
    return max(0, (end - start) // _MILLISECOND)
