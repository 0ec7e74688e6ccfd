"""The line to Asterisk: two manager sessions, one that hears and one that acts. The only importer of panoramisk.

Two, because a slow action delays the events of its own session (telephony.md B3). panoramisk 1.4 carries the bytes and
matches answers to actions; its nine faults (telephony.md 4.1) are mended here: frames are cut from bytes, nothing of
ours runs inside its callback, every action and ping has a deadline, nothing is sent twice, a refused login is said.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Final, NamedTuple, TypeVar
from uuid import uuid4

import structlog
from panoramisk.actions import Action as WireAction
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message

from agents.seats import Phone
from callcenter import metrics
from callcenter.asterisk import actions
from callcenter.asterisk.facts import (
    Alive,
    Member,
    Reader,
    Snapshot,
    device_reachable,
    is_citizen,
    is_dialled,
    moment,
    phone_of,
)
from callcenter.asterisk.frames import Authentic, FrameTooLong, Splitter, parse
from dialplan import names

log = structlog.get_logger()

ACTION_DEADLINE: Final = 5.0
PING_EVERY: Final = 1.5
PING_DEADLINE: Final = 1.5
MISSED_PINGS: Final = 2
JOINED_WITHIN: Final = 1.0  # seconds from a phone's answer to its talk, on a busy machine
OLDEST_ASTERISK: Final = (20, 0, 0)
RETRY_FIRST: Final = 0.2
RETRY_MOST: Final = 10.0
MOST_WAITING_FRAMES: Final = 100_000
_BANNER: Final = b"Asterisk Call Manager/"
_LONGEST_BANNER: Final = 64

T = TypeVar("T")


class LineAway(Exception):
    """Asterisk cannot be asked now: not connected, or no answer in time. Whether it acted is not known."""


class ActionRefused(Exception):
    """Asterisk answered with an error; its text."""


class LoginRefused(Exception):
    """Asterisk knows no such account or another password."""


class AsteriskTooOld(Exception):
    """Asterisk is older than what 12345 was written for."""


class LineState(StrEnum):
    LIVE = "live"
    STALE = "stale"  # connected, but a ping went unanswered
    AWAY = "away"


class Address(NamedTuple):
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Account:
    """How to reach one Asterisk. `node` stands for it in every id that leaves this package."""

    node: str
    address: Address
    system_name: str
    events_secret: str
    actions_secret: str


#: Headers of one answer.
Item = dict[str, str]


class Resync(NamedTuple):
    """A snapshot, and the frames heard while it was taken."""

    snapshot: Snapshot
    heard: list[bytes]


class Wire(AMIProtocol):  # type: ignore[misc]
    """One connection. Pushed events go to `heard` as raw frames; answers go to their actions."""

    def __init__(self, heard: Callable[[list[bytes]], None]) -> None:
        self._heard = heard
        self._splitter = Splitter()
        self._banner = b""
        self.greeted = asyncio.get_running_loop().create_future()
        self.encoding = "utf-8"
        self.lost = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        if not self.greeted.done():
            # The banner is one line without the blank line that ends a frame.
            self._banner, end, data = (self._banner + data).partition(b"\r\n")
            if self._banner[: len(_BANNER)] != _BANNER[: len(self._banner)] or len(self._banner) > _LONGEST_BANNER:
                self._drop("this is no Asterisk manager interface")
                return
            if not end:
                return
            self.greeted.set_result(None)
        try:
            frames = self._splitter.feed(data)
        except FrameTooLong as error:
            self._drop(str(error))
            return
        events = []
        for frame in frames:
            if frame.startswith(b"Event: ") and b"\r\nActionID: " not in frame:
                events.append(frame)
            else:
                self._answered(frame)
        if events:
            self._heard(events)

    def _answered(self, frame: bytes) -> None:
        """An answer counts only under an id of ours, and these are random: no caller can guess one.

        One in which a header occurs twice was written into by a caller: it is left out.
        """
        fields = parse(frame)
        action = self.responses.get(fields.get("ActionID", "")) if fields is not None else None
        if action is None:
            return
        message = Message(fields)
        if message.response == "Error":
            del self.responses[message.action_id]
            if not action.future.done():
                action.future.set_exception(ActionRefused(message.message))
        elif action.add_message(message):
            self.responses.pop(message.action_id, None)

    async def ask(self, action: actions.Action, deadline: float = ACTION_DEADLINE) -> list[Item]:
        """Send once, and wait for the whole answer: one item, or the events of a list.

        Raises LineAway, ActionRefused, BadAction.
        """
        if self.lost.done():
            raise LineAway("the connection is closed")
        as_list = action["Action"] in actions.LISTS
        wire = WireAction({**actions.checked(action), "ActionID": uuid4().hex})
        try:
            # Not wait_for: it may swallow our own cancellation when the answer comes at the same moment.
            async with asyncio.timeout(deadline):
                answer = await self.send(wire, as_list=as_list)
        except TimeoutError:
            raise LineAway(f"no answer to {action['Action']} within {deadline:g} s") from None
        finally:
            self.responses.pop(wire.id, None)
        return [dict(each) for each in answer if "Event" in each] if as_list else [dict(answer)]

    def connection_lost(self, exc: Exception | None) -> None:
        self.close()

    def close(self) -> None:
        """End the connection. Unanswered actions fail; none is kept to be sent again (telephony.md A6, A7)."""
        self.transport.close()
        for action in self.responses.values():
            if not action.future.done():
                action.future.set_exception(LineAway("the connection was lost"))
        self.responses.clear()
        for future in (self.greeted, self.lost):
            if not future.done():
                future.set_result(None)

    def _drop(self, why: str) -> None:
        log.warning("ami_connection_dropped", why=why)
        self.close()


class Line:
    """The telephone line of one node.

    `batches` holds what the floor must take in, in order: a Resync after each connect, then raw event frames. Commands
    go by `act`.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.reader = Reader(account.node, account.system_name)
        self.authentic = Authentic(account.system_name)
        self.state = LineState.AWAY
        self.since = datetime.now(UTC)
        self.why = "not connected yet"
        self.batches: asyncio.Queue[Resync | list[bytes]] = asyncio.Queue()
        self._held_back: list[bytes] | None = None
        self._waiting = 0
        self._events: Wire | None = None
        self._actions: Wire | None = None
        self._silent: set[Wire] = set()  # those of which the last ping went unanswered
        self.watchers: list[Callable[[], None]] = []
        metrics.LINE_WAITING.set_function(lambda: self._waiting)

    async def run(self) -> None:
        """Keep the line up for ever."""
        delay = RETRY_FIRST
        while True:
            began = time.monotonic()
            try:
                await self._connection()
                why = "the connection was lost"
            except (OSError, LineAway, ActionRefused) as error:
                # Refused: the manager interface answers before app_queue is there, when Asterisk is just starting.
                why = str(error) or type(error).__name__
            except (LoginRefused, AsteriskTooOld) as error:
                why = str(error)
                delay = RETRY_MOST
                log.exception("line_refused", why=why)
            except Exception as error:
                self._moved(LineState.AWAY, f"an error of ours: {type(error).__name__}")
                raise
            self._moved(LineState.AWAY, why)
            if time.monotonic() - began > RETRY_MOST:
                delay = RETRY_FIRST
            # Jitter, so that all do not come back at the same moment.
            await asyncio.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311
            delay = min(RETRY_MOST, delay * 2)
            metrics.AMI_RECONNECTS.inc()

    async def act(self, action: actions.Action) -> None:
        """Have Asterisk do something, once. Its effect comes back as facts. Raises LineAway, ActionRefused.

        What it refuses because it is too early is asked for again, for a moment.
        """
        patient_until = time.monotonic() + JOINED_WITHIN
        while True:
            try:
                await self._ask(action)
                return
            except ActionRefused as refusal:
                if actions.is_so_already(action, str(refusal)):
                    return
                if not actions.is_too_early(action, str(refusal)) or time.monotonic() > patient_until:
                    raise
            await asyncio.sleep(JOINED_WITHIN / 10)

    async def reachable(self, number: str, phone: Phone) -> bool:
        """Whether a seat's phone could ring, as Asterisk knows ahead of its events. Raises LineAway, ActionRefused."""
        (answer,) = await self._ask(actions.device_state(number, phone))
        return device_reachable(answer["Value"])

    async def global_(self, name: str) -> str:
        """A global variable of the dialplan; empty when there is none. Raises LineAway, ActionRefused."""
        (answer,) = await self._ask(actions.get_global(name))
        return answer["Value"]

    async def in_room(self, call: str) -> int:
        """How many are in a call's room. Raises LineAway, ActionRefused."""
        (answer,) = await self._ask(actions.in_room(self.reader.number(call)))
        return int(answer["Value"] or 0)

    async def _ask(self, action: actions.Action) -> list[Item]:
        wire = self._actions
        if wire is None or self.state is LineState.AWAY:
            raise LineAway(self.why)
        return await wire.ask(action)

    async def resync(self) -> None:
        """Have the floor take a snapshot, while events are held back behind it. Raises LineAway."""
        wire = self._actions
        if wire is None:
            raise LineAway(self.why)
        self._held_back = []
        snapshot = None
        try:
            snapshot = await self._ask_all(wire)
        finally:
            self._release(snapshot)

    def taken(self, frames: int) -> None:
        """The floor has taken in so many frames."""
        self._waiting -= frames

    async def _connection(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            self._held_back = []
            acting = await self._open(names.ACTIONS_USER, self.account.actions_secret, stack, lambda _: None)
            await self._check_version(acting)
            hearing = await self._open(names.EVENTS_USER, self.account.events_secret, stack, self._hear)
            self._events, self._actions = hearing, acting
            stack.callback(self._forget)
            self._release(await self._ask_all(acting))
            self._moved(LineState.LIVE, "")
            await self._watch(hearing, acting)

    async def _open(
        self, user: str, secret: str, stack: contextlib.AsyncExitStack, heard: Callable[[list[bytes]], None]
    ) -> Wire:
        loop = asyncio.get_running_loop()
        host, port = self.account.address
        async with asyncio.timeout(ACTION_DEADLINE):
            _, wire = await loop.create_connection(lambda: Wire(heard), host, port)
            stack.callback(wire.close)
            await wire.greeted  # no password for whoever is not Asterisk
        try:
            await wire.ask(actions.login(user, secret, events=user == names.EVENTS_USER))
        except ActionRefused:
            raise LoginRefused(
                f"Asterisk refuses the manager account {user}: check CALLCENTER_AMI_EVENTS_SECRET and "
                "CALLCENTER_AMI_ACTIONS_SECRET"
            ) from None
        return wire

    async def _check_version(self, wire: Wire) -> None:
        (settings,) = await wire.ask(actions.SETTINGS)
        version = settings["AsteriskVersion"]
        if asterisk_version(version) < OLDEST_ASTERISK:
            raise AsteriskTooOld(
                f"Asterisk {version} is too old: 12345 needs {'.'.join(map(str, OLDEST_ASTERISK[:1]))} or newer"
            )

    async def _watch(self, *wires: Wire) -> None:
        """Until a connection ends or stops answering."""
        pinging = [asyncio.ensure_future(self._ping(wire)) for wire in wires]
        try:
            await asyncio.wait([*(wire.lost for wire in wires), *pinging], return_when=asyncio.FIRST_COMPLETED)
            for task in pinging:
                if task.done():
                    task.result()
        finally:
            for task in pinging:
                task.cancel()

    async def _ping(self, wire: Wire) -> None:
        missed = 0
        while True:
            await asyncio.sleep(PING_EVERY)
            try:
                await wire.ask(actions.PING, PING_DEADLINE)
            except LineAway:
                missed += 1
                if missed >= MISSED_PINGS:
                    raise
                self._silent.add(wire)
                self._moved(LineState.STALE, "a ping went unanswered")
            else:
                missed = 0
                self._silent.discard(wire)
                if not self._silent:
                    self._moved(LineState.LIVE, "")

    async def _ask_all(self, wire: Wire) -> Snapshot:
        status, queues, channels, devices = await asyncio.gather(
            *(wire.ask(action) for action in (actions.STATUS, actions.QUEUES, actions.CHANNELS, actions.DEVICES))
        )
        return snapshot(self.reader, datetime.now(UTC), status[0], queues, channels, devices)

    def _hear(self, frames: list[bytes]) -> None:
        if self._held_back is not None:
            self._held_back.extend(frames)
            return
        self._waiting += len(frames)
        if self._waiting > MOST_WAITING_FRAMES and self._events is not None:
            # Too far behind to be true: start over from a snapshot.
            log.error("line_overrun", frames=self._waiting)
            self._events.close()
            return
        self.batches.put_nowait(frames)

    def _release(self, snapshot: Snapshot | None) -> None:
        """The snapshot first, then what was heard meanwhile: the other order brings dead calls back."""
        held, self._held_back = self._held_back or [], None
        if snapshot is not None:
            self._waiting += len(held)
            self.batches.put_nowait(Resync(snapshot, held))
        elif held:
            self._hear(held)

    def _forget(self) -> None:
        self._events = self._actions = None
        self._silent.clear()

    def _moved(self, state: LineState, why: str) -> None:
        self.why = why
        if state is self.state:
            return
        log.info("line_moved", state=state, was=self.state, why=why)
        self.state, self.since = state, datetime.now(UTC)
        metrics.line_state(state)
        for watcher in self.watchers:
            watcher()


def asterisk_version(text: str) -> tuple[int, int, int]:
    """`22.10.1+dfsg...` -> (22, 10, 1); what cannot be read is (0, 0, 0)."""
    parts = text.split("+")[0].split("~")[0].split("-")[0].split(".")
    try:
        numbers = [int(part) for part in parts[:3]]
    except ValueError:
        return (0, 0, 0)
    major, minor, patch = ([*numbers, 0, 0])[:3]
    return (major, minor, patch)


def snapshot(
    reader: Reader,
    now: datetime,
    status: Item,
    queues: Sequence[Item],
    channels: Sequence[Item],
    devices: Sequence[Item],
) -> Snapshot:
    """The answers to CoreStatus, QueueStatus, CoreShowChannels and DeviceStateList as one fact.

    An item that lacks something was cut off by what a caller wrote into it: it is left out, and counted.
    """
    waiting, reachable = dict(_read(queues, partial(_entry, reader))), dict(_read(devices, _device))
    return Snapshot(
        at=now,
        started_at=datetime.fromisoformat(f"{status['CoreStartupDate']}T{status['CoreStartupTime']}").astimezone(UTC),
        channels=tuple(_read(channels, partial(_alive, reader, now))),
        members=tuple(_read(queues, _member)),
        waiting=waiting,
        reachable=reachable,
    )


def _read(items: Sequence[Item], read: Callable[[Item], T | None]) -> Iterator[T]:
    for item in items:
        try:
            found = read(item)
        except (KeyError, ValueError):
            metrics.AMI_BROKEN.inc()
            continue
        if found is not None:
            yield found


def _entry(reader: Reader, item: Item) -> tuple[str, str] | None:
    return (reader.call_id(item["Uniqueid"]), item["Queue"]) if item["Event"] == "QueueEntry" else None


def _device(item: Item) -> tuple[tuple[str, Phone], bool] | None:
    if item["Event"] != "DeviceStateChange" or (phone := phone_of(item["Device"])) is None:
        return None
    return phone, device_reachable(item["State"])


def _alive(reader: Reader, now: datetime, item: Item) -> Alive | None:
    if item["Event"] != "CoreShowChannel" or not item["Uniqueid"]:
        return None
    own = is_citizen(item["Channel"])
    if not own and not is_dialled(item["Channel"]):
        return None
    call = reader.call_id(item["Uniqueid"] if own else item["Linkedid"])
    hours, minutes, seconds = (int(part) for part in item["Duration"].split(":"))
    since = now - timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if own:
        # The duration is cut off to whole seconds, and the answer took its time: the id tells the second of the birth.
        born = datetime.fromtimestamp(int(call.rpartition("-")[2].partition(".")[0]), UTC)
        since = sorted((born, since, born + timedelta(seconds=1)))[1]
    return Alive(
        channel=item["Channel"],
        call=call,
        own=own,
        since=since,
        number=item["CallerIDNum"],
        up=item["ChannelStateDesc"] == "Up",
    )


def _member(item: Item) -> Member | None:
    if item["Event"] != "QueueMember" or (phone := phone_of(item["Location"])) is None:
        return None
    paused = item["Paused"] == "1"
    return Member(
        seat=phone[0],
        phone=phone[1],
        login=item["Name"],
        queue=item["Queue"],
        pause=(item["PausedReason"] or "PAUSED") if paused else None,
        paused_at=moment(item["LastPause"]) if paused and item["LastPause"] not in {"", "0"} else None,
        tier=int(item["Penalty"]),
    )
