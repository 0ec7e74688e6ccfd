"""A manager interface of the tests' own: real TCP, Asterisk's words, and every way to fail."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from exchange import NODE, SYSTEM_NAME

from callcenter.asterisk.link import Account, Address
from dialplan import names

BANNER = b"Asterisk Call Manager/11.0.0\r\n"


@dataclass
class Session:
    """One connection of ours, as the other side sees it."""

    peer: "Peer"
    writer: asyncio.StreamWriter
    user: str = ""

    def push(self, data: bytes) -> None:
        self.writer.write(data)


@dataclass
class Peer:
    """Answers as Asterisk 22 does, unless told otherwise.

    `silent`: actions that get no answer. `answers`: other answers, without ActionID, as frames. `torn`: actions whose
    answer is broken off in the middle, and the connection with it.
    """

    version: str = "22.10.1"
    silent: set[str] = field(default_factory=set)
    silent_to: str | None = None  # the silence is for this account alone
    torn: set[str] = field(default_factory=set)
    answers: dict[str, str] = field(default_factory=dict)
    refuse: bool = False
    banner: bytes = BANNER
    bytewise: bool = False
    got: "defaultdict[str, list[dict[str, str]]]" = field(default_factory=lambda: defaultdict(list))
    sessions: list[Session] = field(default_factory=list)
    connections: int = 0
    raw: bytearray = field(default_factory=bytearray)

    @property
    def account(self) -> Account:
        return Account(NODE, Address("127.0.0.1", self.port), SYSTEM_NAME, "e", "a")

    @property
    def hearing(self) -> Session:
        """The newest session of the events account."""
        return next(session for session in reversed(self.sessions) if session.user == names.EVENTS_USER)

    async def start(self) -> Self:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def drop(self) -> None:
        """Cut every connection, without a word."""
        for session in self.sessions:
            session.writer.transport.abort()
        self.sessions.clear()

    async def stop(self) -> None:
        self.server.close()
        self.drop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        session = Session(self, writer)
        self.sessions.append(session)
        writer.write(self.banner)
        try:
            while True:
                frame = await reader.readuntil(b"\r\n\r\n")
                self.raw += frame
                lines = frame.decode().rstrip("\r\n").split("\r\n")
                action = dict(line.split(": ", 1) for line in lines)
                self.got[action["Action"]].append(action)
                await self._answer(session, action)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, session: Session, action: dict[str, str]) -> None:
        name, ours = action["Action"], action["ActionID"]
        if name == "Login":
            session.user = action["Username"]
        if name in self.silent and self.silent_to in {None, session.user}:
            return
        if name == "Login" and self.refuse:
            session.push(f"Response: Error\r\nActionID: {ours}\r\nMessage: Authentication failed\r\n\r\n".encode())
            return
        text = self.answers.get(name) or self._plain(name)
        data = text.replace("\n", "\r\n").replace("@@", f"ActionID: {ours}").encode()
        if name in self.torn:
            session.push(data[: len(data) // 2])
            await session.writer.drain()
            self.drop()
            return
        if self.bytewise:
            for n in range(len(data)):
                session.push(data[n : n + 1])
                await session.writer.drain()
        else:
            session.push(data)

    def _plain(self, name: str) -> str:
        match name:
            case "CoreSettings":
                return f"Response: Success\n@@\nAMIversion: 11.0.0\nAsteriskVersion: {self.version}\n\n"
            case "CoreStatus":
                return (
                    "Response: Success\n@@\nCoreStartupDate: 2026-03-01\nCoreStartupTime: 00:00:00\n"
                    "CoreReloadDate: 2026-03-01\nCoreReloadTime: 00:00:00\nCoreCurrentCalls: 0\n\n"
                )
            case "Ping":
                return "Response: Success\n@@\nPing: Pong\nTimestamp: 1795332390.7\n\n"
            case "QueueStatus":
                return listed("QueueStatus", member("1001", "li.mei"))
            case "CoreShowChannels":
                return listed("CoreShowChannels")
            case "DeviceStateList":
                return listed("DeviceStateList", "Event: DeviceStateChange\n@@\nDevice: PJSIP/1001\nState: NOT_INUSE\n")
        return "Response: Success\n@@\nMessage: done\n\n"


def listed(name: str, *items: str) -> str:
    """The answer to a list action."""
    end = {"QueueStatus": "QueueStatusComplete", "CoreShowChannels": "CoreShowChannelsComplete"}.get(
        name, "DeviceStateListComplete"
    )
    head = "Response: Success\n@@\nEventList: start\nMessage: a list will follow\n\n"
    return head + "".join(item + "\n" for item in items) + f"Event: {end}\n@@\nEventList: Complete\nListItems: 1\n\n"


def member(seat: str, login: str, reason: str = "") -> str:
    return (
        f"Event: QueueMember\nQueue: citizen\nName: {login}\nLocation: PJSIP/{seat}\nStateInterface: PJSIP/{seat}\n"
        f"Membership: dynamic\nPenalty: 0\nCallsTaken: 0\nLastCall: 0\nLastPause: {1795332390 if reason else 0}\n"
        f"InCall: 0\nStatus: 1\nPaused: {int(bool(reason))}\nPausedReason: {reason}\nWrapuptime: 2\n@@\n"
    )


def channel(number: str, uniqueid: str, name: str = "PJSIP/trunk-00000001") -> str:
    return (
        f"Event: CoreShowChannel\n@@\nChannel: {name}\nChannelState: 6\nChannelStateDesc: Up\nCallerIDNum: {number}\n"
        f"CallerIDName: \nConnectedLineNum: \nConnectedLineName: \nLanguage: zh\nAccountCode: \nContext: waiting\n"
        f"Exten: citizen\nPriority: 2\nUniqueid: {uniqueid}\nLinkedid: {uniqueid}\nApplication: Queue\n"
        f"ApplicationData: citizen\nDuration: 00:00:07\nBridgeId: \n"
    )


def event(name: str, *lines: str, stamp: float = 1795332391.25, system_name: str = SYSTEM_NAME) -> bytes:
    """A pushed event, as Asterisk writes it."""
    head = [f"Event: {name}", "Privilege: call,all", f"Timestamp: {stamp:.6f}", f"SystemName: {system_name}"]
    return ("\r\n".join([*head, *lines]) + "\r\n\r\n").encode()


@asynccontextmanager
async def a_peer(**how: object) -> AsyncIterator[Peer]:
    peer = await Peer(**how).start()  # type: ignore[arg-type]
    try:
        yield peer
    finally:
        await peer.stop()
