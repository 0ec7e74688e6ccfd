"""What Asterisk says, as typed facts. One table: AMI event -> parser -> fact. CEL lines become the same facts.

Ids leave this module without Asterisk's secret system name: the node's name stands in its place.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

from agents.seats import Phone
from agents.supervision import Mode
from callcenter.floor.model import LegKind, Side
from dialplan import names

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SEAT_CHANNEL: Final = re.compile(rf"PJSIP/(\d{{3,6}})({names.BROWSER_SUFFIX}?)(?:-[0-9a-f]+)?")
_OUTSIDE_CHANNEL: Final = re.compile(rf"PJSIP/{names.OUTSIDE}-[0-9a-f]+")
_CALL_NUMBER: Final = re.compile(r"[0-9]{1,12}\.[0-9]{1,10}")
_CITIZEN_CHANNEL: Final = re.compile(
    rf"PJSIP/(?:{names.TRUNK}|{names.TRY})-[0-9a-f]+|Local/[0-9]+@{names.DIALLED_CONTEXT}-[0-9a-f]+;1"
)
_CITIZENS_END: Final = re.compile(rf"PJSIP/{names.CITIZENS}-[0-9a-f]+|Local/[0-9]+@{names.DIALLED_CONTEXT}-[0-9a-f]+;2")


class NotAFact(ValueError):
    """The event lacks what it must have, or holds what it cannot."""


class Began(NamedTuple):
    """A citizen's channel was made: the INVITE, or our own to a citizen. Nothing more is known of it yet.

    Of calls that come in only the files tell it.
    """

    at: datetime
    call: str
    channel: str


class Arrived(NamedTuple):
    """A citizen's call has reached the dialplan; its number is clean now. About 1 ms after the INVITE.

    `forging`: there were line ends in the number, which would have been events of the caller's making.
    """

    at: datetime
    call: str
    channel: str
    number: str
    name: str
    dialed: str
    service: str
    forging: bool = False


class Chose(NamedTuple):
    at: datetime
    call: str
    menu: str
    language: str


class Queued(NamedTuple):
    """`priority`: why it goes before others, a word of agents/priority.py, or nothing."""

    at: datetime
    call: str
    queue: str
    priority: str = ""


class Left(NamedTuple):
    """The queue gave the caller back to the dialplan; `status` is its QUEUESTATUS."""

    at: datetime
    call: str
    status: str


class Refused(NamedTuple):
    at: datetime
    call: str
    status: str


class Directed(NamedTuple):
    """One seat is to ring for the call, past the queue: dialplan/direct.py. `why`: one of names.WHY_..."""

    at: datetime
    call: str
    seat: str
    phone: Phone
    login: str
    why: str


class DirectOver(NamedTuple):
    """What came of it; `status` is Dial's own: ANSWER when the agent hung up first, otherwise the phone did not answer.

    Not told when the citizen hung up.
    """

    at: datetime
    call: str
    status: str


class RecordingBegan(NamedTuple):
    """From here on the call is recorded; `status` is on, or full when there was no room for it."""

    at: datetime
    call: str
    status: str


class SurveyBegan(NamedTuple):
    """The talk is over, the agent hung up, and the citizen stays for the questions (满意度评价)."""

    at: datetime
    call: str


class Surveyed(NamedTuple):
    """One question of the survey was answered by a key."""

    at: datetime
    call: str
    question: str
    key: str


class CallbackAsked(NamedTuple):
    """The caller left the queue to be called back at `number` (回电). Said again when another number was typed."""

    at: datetime
    call: str
    number: str
    language: str


class CallingBack(NamedTuple):
    """We call a citizen back. `origin` is the call that this answers.

    Ours before it is dialled, without a channel; told by the dialplan when the citizen has answered.
    """

    at: datetime
    call: str
    channel: str
    number: str
    origin: str
    service: str
    queue: str
    language: str
    seat: str


class Rang(NamedTuple):
    """A seat's phone, or a line outside, rings for a call. `login` and `queue` are empty when the source does not know.

    A line has no seat and no phone; `line` is its code.
    """

    at: datetime
    call: str
    seat: str
    phone: Phone | None
    channel: str
    login: str = ""
    queue: str = ""
    kind: LegKind = LegKind.QUEUE
    line: str = ""


class Entered(NamedTuple):
    """A channel is in the call's room (三方通话): the citizen's own, a seat's phone, or a line's."""

    at: datetime
    call: str
    channel: str


class Parked(NamedTuple):
    """The citizen waits with music while others talk about the matter."""

    at: datetime
    call: str


class Gone(NamedTuple):
    """The end of a citizen who had been moved. `over`: all others had left before."""

    at: datetime
    call: str
    over: bool


class PickedUp(NamedTuple):
    at: datetime
    call: str
    channel: str


class RingOver(NamedTuple):
    """A ring ended unanswered: `missed` by the agent, or cancelled because the call went elsewhere."""

    at: datetime
    call: str
    channel: str
    missed: bool


class Held(NamedTuple):
    at: datetime
    channel: str
    held: bool


class TalkOver(NamedTuple):
    """A person's part ended; `by` says who hung up, None when the citizen was passed on.

    `channel` is empty when that phone's channel is gone already.
    """

    at: datetime
    call: str
    channel: str
    by: Side | None


class HungUp(NamedTuple):
    """A channel ended: the citizen's, or a seat's phone. `by` is None when the source does not say who hung up."""

    at: datetime
    channel: str
    call: str | None  # the id when it is a citizen's channel
    by: Side | None = None


class Seated(NamedTuple):
    at: datetime
    seat: str
    phone: Phone
    login: str
    queue: str
    pause: str | None
    reachable: bool
    tier: int = 0


class Ranked(NamedTuple):
    """A seat moved to another tier of a queue."""

    at: datetime
    seat: str
    phone: Phone
    queue: str
    tier: int


class Unseated(NamedTuple):
    at: datetime
    seat: str
    phone: Phone
    queue: str


class Paused(NamedTuple):
    at: datetime
    seat: str
    phone: Phone
    reason: str | None


class Reached(NamedTuple):
    """A seat's phone is registered and answers, or not."""

    at: datetime
    seat: str
    phone: Phone
    reachable: bool


class HangUpAsked(NamedTuple):
    """The agent hangs up by the desk page. Ours, not Asterisk's: it names the citizen for who is cut by an action."""

    at: datetime
    seat: str


class WrapUpExtended(NamedTuple):
    """The agent asked for more time. Ours, not Asterisk's: the timer is ours too."""

    at: datetime
    seat: str
    by: timedelta


class Reserved(NamedTuple):
    """What is to follow the call and its wrap-up: a break's code, LEAVE, or None for ready. Ours, not Asterisk's."""

    at: datetime
    seat: str
    next: str | None


class BreakBudget(NamedTuple):
    """Until when the break at a seat is within its limit; None: it has none. Ours, not Asterisk's."""

    at: datetime
    seat: str
    until: datetime | None


class SupervisionAsked(NamedTuple):
    """A supervisor's phone is about to be rung. Ours, not Asterisk's: it tells no more than that it rings."""

    at: datetime
    id: str
    login: str
    seat: str
    agent: str
    on: str
    call: str
    mode: Mode


class Supervising(NamedTuple):
    """A supervisor's phone is in an agent's call, in this mode from now on."""

    at: datetime
    id: str
    login: str
    seat: str
    agent: str
    on: str
    call: str
    mode: Mode
    channel: str


class ModeAsked(NamedTuple):
    """A supervisor's phone is about to be sent into another mode. Ours: that it is there, `Supervising` tells."""

    at: datetime
    id: str
    mode: Mode


class Joined(NamedTuple):
    """The citizen talks with a seat's phone that no queue has rung: it takes the place of one that came as `kind`."""

    at: datetime
    call: str
    seat: str
    phone: Phone
    channel: str
    kind: LegKind = LegKind.QUEUE


class Parted(NamedTuple):
    """Who left the talk first, when no queue tells it."""

    at: datetime
    call: str
    by: Side


class Raised(NamedTuple):
    """A waiting call goes before others from now on. Ours: Asterisk does as it is told and tells nobody."""

    at: datetime
    call: str
    priority: str


class Alive(NamedTuple):
    """A channel that the snapshot found."""

    channel: str
    call: str  # of the citizen's channel it belongs to
    own: bool  # it is that channel
    since: datetime
    number: str
    up: bool


class Member(NamedTuple):
    """A seat's membership that the snapshot found."""

    seat: str
    phone: Phone
    login: str
    queue: str
    pause: str | None
    paused_at: datetime | None
    tier: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is true in Asterisk at one moment. `started_at` changes when Asterisk has been restarted."""

    at: datetime
    started_at: datetime
    channels: tuple[Alive, ...]
    members: tuple[Member, ...]
    waiting: Mapping[str, str] = field(default_factory=dict)  # call -> queue
    reachable: Mapping[tuple[str, Phone], bool] = field(default_factory=dict)


CallFact = (
    Began
    | Arrived
    | Chose
    | Queued
    | Left
    | Refused
    | Directed
    | DirectOver
    | RecordingBegan
    | SurveyBegan
    | Surveyed
    | CallbackAsked
    | CallingBack
    | Rang
    | PickedUp
    | RingOver
    | Held
    | TalkOver
    | Entered
    | Parked
    | Gone
    | HungUp
    | Joined
    | Parted
    | Supervising
    | Raised
)
SeatFact = (
    Seated
    | Ranked
    | Unseated
    | Paused
    | Reached
    | HangUpAsked
    | WrapUpExtended
    | Reserved
    | BreakBudget
    | SupervisionAsked
    | ModeAsked
)
Fact = CallFact | SeatFact
Fields = Mapping[str, str]


def moment(stamp: str) -> datetime:
    """`1795332391.236564` exactly, without a float in between. Raises NotAFact."""
    seconds, _, micros = stamp.partition(".")
    try:
        return _EPOCH + timedelta(0, int(seconds), int(micros if len(micros) == 6 else micros[:6].ljust(6, "0")))
    except (ValueError, OverflowError):
        raise NotAFact(f"not a time: {stamp[:32]!r}") from None


@lru_cache(4096)  # a few hundred names, in almost every event
def phone_of(channel: str) -> tuple[str, Phone] | None:
    """`PJSIP/1001w` or `PJSIP/1001w-0000002a` -> ("1001", BROWSER); None when it is no seat's."""
    match = _SEAT_CHANNEL.fullmatch(channel)
    return (match[1], Phone.BROWSER if match[2] else Phone.DESK) if match else None


def is_citizen(channel: str) -> bool:
    """Whether it is a citizen's own channel: it came in by the trunk or from the page /try, or we call that citizen."""
    return _CITIZEN_CHANNEL.fullmatch(channel) is not None


def is_citizens_end(channel: str) -> bool:
    """Whether the channel leads on from a citizen's own to the telephone of whom we call."""
    return _CITIZENS_END.fullmatch(channel) is not None


def is_dialled(channel: str) -> bool:
    """Whether the channel was dialled for a call: a seat's phone, or a line outside."""
    return phone_of(channel) is not None or _OUTSIDE_CHANNEL.fullmatch(channel) is not None


class Reader:
    """Turns the headers of authentic events into facts for one node."""

    def __init__(self, node: str, system_name: str) -> None:
        self.node = node
        self._prefix = system_name + "-"
        self._ours = node + "-"
        self._parsers: dict[str, Callable[[Fields], Fact | None]] = {
            "UserEvent": self._said,
            "AgentCalled": self._rang,
            "DialBegin": self._dial_began,
            "DialEnd": self._dial_ended,
            "AgentComplete": self._completed,
            "Hold": lambda e: self._held(e, True),
            "Unhold": lambda e: self._held(e, False),
            "Hangup": self._hung_up,
            "QueueMemberAdded": self._seated,
            "QueueMemberPenalty": self._ranked,
            "QueueMemberRemoved": self._unseated,
            "QueueMemberPause": self._paused,
            "DeviceStateChange": self._device,
        }

    def call_id(self, uniqueid: str) -> str:
        """Asterisk's Uniqueid -> our id. Raises NotAFact when the secret prefix is not there.

        What is dialled for a call bears the call's id with a third part behind it (`uniqueid`).
        """
        if not uniqueid.startswith(self._prefix):
            raise NotAFact("a unique id without our system name")
        number = uniqueid[len(self._prefix) :]
        if number.count(".") > 1:
            number = ".".join(number.split(".", 2)[:2])
        return self._ours + number

    def number(self, call: str) -> str:
        """Our id without its node: how the dialplan names the call."""
        return call.removeprefix(self._ours)

    def uniqueid(self, call: str) -> str:
        """Our id -> Asterisk's Uniqueid."""
        return self._prefix + self.number(call)

    def fact(self, event: Fields) -> Fact | None:
        """The fact an event tells; None when it tells none of ours. Raises NotAFact."""
        parse = self._parsers.get(event["Event"])
        try:
            return parse(event) if parse else None
        except KeyError as missing:
            raise NotAFact(f"{event['Event']} without {missing}") from None

    def said(self, word: str, payload: str, at: datetime, uniqueid: str, channel: str) -> CallFact | None:
        """A fact that the dialplan told, by AMI or by CEL. Raises NotAFact."""
        call = self.call_id(uniqueid)
        values = {name: unquote_plus(value) for name, _, value in (pair.partition("=") for pair in payload.split("&"))}
        try:
            match word:
                case names.ARRIVED:
                    forging = values.get("line_ends", "0") != "0"
                    known = values["number"], values["name"], values["dialed"], values["service"]
                    return Arrived(at, call, channel, *known, forging)
                case names.CHOSE:
                    return Chose(at, call, values["menu"], values["language"])
                case names.QUEUED:
                    return Queued(at, call, values["queue"], values.get("priority", ""))
                case names.LEFT:
                    return Left(at, call, values["status"])
                case names.REFUSED:
                    return Refused(at, call, values["status"])
                case names.DIRECTED if phone := phone_of("PJSIP/" + values["phone"]):
                    return Directed(at, call, *phone, values["login"], values["why"])
                case names.DIRECT_OVER:
                    return DirectOver(at, call, values["status"])
                case names.JOINED:
                    there = self._told_call(values) if "call" in values else call
                    return _joined(at, there, values["channel"], values.get("place"))
                case names.PARTED:
                    return Parted(at, call, Side(values["by"]))
                case names.SUPERVISING:
                    who = values["id"], values["by"], values["seat"]
                    whom = values["agent"], values["on"], values["call"]
                    return Supervising(at, *who, *whom, Mode(values["mode"]), channel)
                case names.RECORDING:
                    return RecordingBegan(at, call, values["status"])
                case names.SURVEYING:
                    return SurveyBegan(at, call)
                case names.SURVEYED:
                    return Surveyed(at, call, values["question"], values["key"])
                case names.CALLBACK_ASKED:
                    return CallbackAsked(at, call, values["number"], values["language"])
                case names.CALLING_BACK:
                    told = (values[name] for name in ("number", "origin", "service", "queue", "language", "seat"))
                    return CallingBack(at, call, channel, *told)
                case names.CALLED:
                    return self._called(at, values, channel)
                case names.ENTERED:
                    return Entered(at, self._told_call(values), channel)
                case names.PARKED:
                    return Parked(at, self._told_call(values))
                case names.GONE:
                    return Gone(at, self._told_call(values), values["over"] == "yes")
        except KeyError as missing:
            raise NotAFact(f"{word} without {missing}") from None
        except ValueError:
            raise NotAFact(f"{word} with a word that is none of ours") from None
        return None

    def _told_call(self, values: Mapping[str, str]) -> str:
        number = values["call"]
        if not _CALL_NUMBER.fullmatch(number):
            raise NotAFact("not a call's number")
        return self._ours + number

    def _called(self, at: datetime, values: Mapping[str, str], channel: str) -> Rang | None:
        if not values["call"]:
            return None  # a seat's phone calls for help while it has no call
        try:
            kind = LegKind(values["kind"])
        except ValueError:
            raise NotAFact("not a kind of leg") from None
        seat, phone = phone_of(channel) or ("", None)
        return Rang(at, self._told_call(values), seat, phone, channel, values["login"], "", kind, values["line"])

    def _said(self, e: Fields) -> Fact | None:
        return self.said(e["UserEvent"], e.get(names.PAYLOAD, ""), moment(e["Timestamp"]), e["Uniqueid"], e["Channel"])

    def _rang(self, e: Fields) -> Fact | None:
        phone = phone_of(e["Interface"])
        if phone is None:
            return None
        return Rang(
            at=moment(e["Timestamp"]),
            call=self.call_id(e["Uniqueid"]),
            seat=phone[0],
            phone=phone[1],
            channel=e["DestChannel"],
            login=e["MemberName"],
            queue=e["Queue"],
        )

    def _dial_began(self, e: Fields) -> Fact | None:
        at, channel, phone = moment(e["Timestamp"]), e["DestChannel"], phone_of(e["DestChannel"])
        if "Uniqueid" not in e:
            # Dialled by nobody's channel: our own call to a citizen.
            return Began(at, self.call_id(e["DestUniqueid"]), channel) if is_citizen(channel) else None
        if phone is None:
            return None
        return Rang(at, self.call_id(e["Uniqueid"]), *phone, channel)

    def _dial_ended(self, e: Fields) -> Fact | None:
        if "Uniqueid" not in e or not is_dialled(e["DestChannel"]):
            return None
        at, call, channel = moment(e["Timestamp"]), self.call_id(e["Uniqueid"]), e["DestChannel"]
        status = e["DialStatus"]
        if status == "ANSWER":
            return PickedUp(at, call, channel)
        return RingOver(at, call, channel, missed=status != "CANCEL")

    def _completed(self, e: Fields) -> Fact | None:
        if "Uniqueid" not in e:
            return None  # the citizen is gone already; the hang-ups tell the rest
        by = {"agent": Side.AGENT, "caller": Side.CALLER}.get(e["Reason"])
        # Without the phone's channel, when that is gone already, it still says who hung up.
        return TalkOver(moment(e["Timestamp"]), self.call_id(e["Uniqueid"]), e.get("DestChannel", ""), by)

    def _held(self, e: Fields, held: bool) -> Fact | None:
        return Held(moment(e["Timestamp"]), e["Channel"], held) if phone_of(e["Channel"]) else None

    def _hung_up(self, e: Fields) -> Fact | None:
        channel = e["Channel"]
        call = self.call_id(e["Uniqueid"]) if is_citizen(channel) else None
        return HungUp(moment(e["Timestamp"]), channel, call)

    def _seated(self, e: Fields) -> Fact | None:
        phone = phone_of(e["Interface"])
        if phone is None:
            return None
        return Seated(
            at=moment(e["Timestamp"]),
            seat=phone[0],
            phone=phone[1],
            login=e["MemberName"],
            queue=e["Queue"],
            pause=_pause(e),
            reachable=e["Status"] not in _UNREACHABLE_STATUS,
            tier=_tier(e),
        )

    def _ranked(self, e: Fields) -> Fact | None:
        phone = phone_of(e["Interface"])
        return Ranked(moment(e["Timestamp"]), *phone, e["Queue"], _tier(e)) if phone else None

    def _unseated(self, e: Fields) -> Fact | None:
        phone = phone_of(e["Interface"])
        return Unseated(moment(e["Timestamp"]), *phone, e["Queue"]) if phone else None

    def _paused(self, e: Fields) -> Fact | None:
        phone = phone_of(e["Interface"])
        return Paused(moment(e["Timestamp"]), *phone, _pause(e)) if phone else None

    def _device(self, e: Fields) -> Fact | None:
        phone = phone_of(e["Device"])
        return Reached(moment(e["Timestamp"]), *phone, device_reachable(e["State"])) if phone else None


def _joined(at: datetime, call: str, channel: str, place: str | None) -> Joined:
    phone = phone_of(channel)
    if phone is None:
        raise NotAFact(f"{names.JOINED} with a channel that is no seat's")
    return Joined(at, call, *phone, channel, LegKind.CONSULT if place == names.THIRD else LegKind.QUEUE)


_UNREACHABLE_STATUS: Final = frozenset({"0", "4", "5"})  # app_queue's numbers for unknown, invalid, unavailable


def device_reachable(state: str) -> bool:
    """Whether a device in this state could ring."""
    return state not in {"UNKNOWN", "INVALID", "UNAVAILABLE"}


def _tier(e: Fields) -> int:
    penalty = e["Penalty"]
    if not penalty.isdecimal():
        raise NotAFact("a penalty that is no number")
    return int(penalty)


def _pause(e: Fields) -> str | None:
    return (e["PausedReason"] or "PAUSED") if e["Paused"] == "1" else None
