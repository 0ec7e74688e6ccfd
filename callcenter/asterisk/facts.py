"""What Asterisk says, as typed facts. One table: AMI event -> parser -> fact. CEL lines become the same facts.

Ids leave this module without Asterisk's secret system name: the node's name stands in its place.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from agents.seats import Phone
from callcenter.floor.model import Side
from dialplan import names

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SEAT_CHANNEL: Final = re.compile(rf"PJSIP/(\d{{3,6}})({names.BROWSER_SUFFIX}?)(?:-[0-9a-f]+)?")
_CITIZEN_CHANNEL: Final = re.compile(rf"PJSIP/(?:{names.TRUNK}|{names.TRY})-[0-9a-f]+")


class NotAFact(ValueError):
    """The event lacks what it must have, or holds what it cannot."""


class Began(NamedTuple):
    """A citizen's channel was made: the INVITE. Only the files tell it; nothing of the caller is known yet."""

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
    at: datetime
    call: str
    queue: str


class Left(NamedTuple):
    """The queue gave the caller back to the dialplan; `status` is its QUEUESTATUS."""

    at: datetime
    call: str
    status: str


class Refused(NamedTuple):
    at: datetime
    call: str
    status: str


class Rang(NamedTuple):
    """A seat's phone rings for a call. `login` and `queue` are empty when the source does not know them."""

    at: datetime
    call: str
    seat: str
    phone: Phone
    channel: str
    login: str = ""
    queue: str = ""


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
    """A person's part ended; `by` says who hung up, None when the citizen was passed on."""

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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is true in Asterisk at one moment. `started_at` changes when Asterisk has been restarted."""

    at: datetime
    started_at: datetime
    channels: tuple[Alive, ...]
    members: tuple[Member, ...]
    waiting: Mapping[str, str] = field(default_factory=dict)  # call -> queue
    reachable: Mapping[tuple[str, Phone], bool] = field(default_factory=dict)


CallFact = Began | Arrived | Chose | Queued | Left | Refused | Rang | PickedUp | RingOver | Held | TalkOver | HungUp
SeatFact = Seated | Unseated | Paused | Reached | HangUpAsked | WrapUpExtended
Fact = CallFact | SeatFact | Snapshot
Fields = Mapping[str, str]


def moment(stamp: str) -> datetime:
    """`1795332391.236564` exactly, without a float in between. Raises NotAFact."""
    seconds, _, micros = stamp.partition(".")
    try:
        return _EPOCH + timedelta(0, int(seconds), int(micros[:6].ljust(6, "0")))
    except (ValueError, OverflowError):
        raise NotAFact(f"not a time: {stamp[:32]!r}") from None


@lru_cache(4096)  # a few hundred names, in almost every event
def phone_of(channel: str) -> tuple[str, Phone] | None:
    """`PJSIP/1001w` or `PJSIP/1001w-0000002a` -> ("1001", BROWSER); None when it is no seat's."""
    match = _SEAT_CHANNEL.fullmatch(channel)
    return (match[1], Phone.BROWSER if match[2] else Phone.DESK) if match else None


def is_citizen(channel: str) -> bool:
    """Whether the channel came in by the trunk or from the page /try."""
    return _CITIZEN_CHANNEL.fullmatch(channel) is not None


class Reader:
    """Turns the headers of authentic events into facts for one node."""

    def __init__(self, node: str, system_name: str) -> None:
        self.node = node
        self._prefix = system_name + "-"
        self._ours = node + "-"
        self._parsers: dict[str, Callable[[Fields], Fact | None]] = {
            "UserEvent": self._said,
            "AgentCalled": self._rang,
            "DialEnd": self._dial_ended,
            "AgentComplete": self._completed,
            "Hold": lambda e: self._held(e, True),
            "Unhold": lambda e: self._held(e, False),
            "Hangup": self._hung_up,
            "QueueMemberAdded": self._seated,
            "QueueMemberRemoved": self._unseated,
            "QueueMemberPause": self._paused,
            "DeviceStateChange": self._device,
        }

    def call_id(self, uniqueid: str) -> str:
        """Asterisk's Uniqueid -> our id. Raises NotAFact when the secret prefix is not there."""
        if not uniqueid.startswith(self._prefix):
            raise NotAFact("a unique id without our system name")
        return self._ours + uniqueid[len(self._prefix) :]

    def uniqueid(self, call: str) -> str:
        """Our id -> Asterisk's Uniqueid."""
        return self._prefix + call.removeprefix(self.node + "-")

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
        values = dict(parse_qsl(payload, keep_blank_values=True, max_num_fields=8))
        try:
            match word:
                case names.ARRIVED:
                    forging = values.get("line_ends", "0") != "0"
                    known = values["number"], values["name"], values["dialed"], values["service"]
                    return Arrived(at, call, channel, *known, forging)
                case names.CHOSE:
                    return Chose(at, call, values["menu"], values["language"])
                case names.QUEUED:
                    return Queued(at, call, values["queue"])
                case names.LEFT:
                    return Left(at, call, values["status"])
                case names.REFUSED:
                    return Refused(at, call, values["status"])
        except KeyError as missing:
            raise NotAFact(f"{word} without {missing}") from None
        return None

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

    def _dial_ended(self, e: Fields) -> Fact | None:
        if "Uniqueid" not in e or phone_of(e["DestChannel"]) is None:
            return None
        at, call, channel = moment(e["Timestamp"]), self.call_id(e["Uniqueid"]), e["DestChannel"]
        status = e["DialStatus"]
        if status == "ANSWER":
            return PickedUp(at, call, channel)
        return RingOver(at, call, channel, missed=status != "CANCEL")

    def _completed(self, e: Fields) -> Fact | None:
        by = {"agent": Side.AGENT, "caller": Side.CALLER}.get(e["Reason"])
        return TalkOver(moment(e["Timestamp"]), self.call_id(e["Uniqueid"]), e["DestChannel"], by)

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
        )

    def _unseated(self, e: Fields) -> Fact | None:
        phone = phone_of(e["Interface"])
        return Unseated(moment(e["Timestamp"]), *phone, e["Queue"]) if phone else None

    def _paused(self, e: Fields) -> Fact | None:
        phone = phone_of(e["Interface"])
        return Paused(moment(e["Timestamp"]), *phone, _pause(e)) if phone else None

    def _device(self, e: Fields) -> Fact | None:
        phone = phone_of(e["Device"])
        return Reached(moment(e["Timestamp"]), *phone, device_reachable(e["State"])) if phone else None


_UNREACHABLE_STATUS: Final = frozenset({"0", "4", "5"})  # app_queue's numbers for unknown, invalid, unavailable


def device_reachable(state: str) -> bool:
    """Whether a device in this state could ring."""
    return state not in {"UNKNOWN", "INVALID", "UNAVAILABLE"}


def _pause(e: Fields) -> str | None:
    return (e["PausedReason"] or "PAUSED") if e["Paused"] == "1" else None
