"""Whoever is reached by the trunk: 110, a bureau's window, a citizen who is called back. Raw SIP over UDP."""

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from baresip.runtime import Runtime
from stack import Stack, open_stack
from trunk import Address, Headers, Voice, answer, parsed


@dataclass
class Reached:
    """One call that came out of Asterisk. Times are of `time.time()`."""

    number: str
    headers: Headers
    address: Address
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    rung_at: float = field(default_factory=time.time)
    answered_at: float | None = None
    ended_at: float | None = None
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, what: str, timeout: float = 15) -> "Reached":
        """Wait until `answered_at` or `ended_at` is known."""
        async with asyncio.timeout(timeout):
            while not getattr(self, what):
                self.moved.clear()
                await self.moved.wait()
        return self


class Outside(asyncio.DatagramProtocol):
    """Takes every call. `behaviour`: answer, ring or busy; `dialled` has all numbers that were ever asked for."""

    def __init__(self) -> None:
        self.behaviour = "answer"
        self.delay = 0.1
        self.dialled: list[str] = []
        self.calls: asyncio.Queue[Reached] = asyncio.Queue()
        self._known: dict[str, Reached] = {}
        self._voice: Any = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    @property
    def here(self) -> str:
        host, port = self.transport.get_extra_info("sockname")
        return f"{host}:{port}"

    async def call(self, timeout: float = 10) -> Reached:
        """The next call that comes."""
        return await asyncio.wait_for(self.calls.get(), timeout)

    def reset(self) -> None:
        self.behaviour, self.calls = "answer", asyncio.Queue()
        self.dialled.clear()

    async def hang_up(self, call: Reached) -> None:
        target = re.search(r"<(sip:[^>]+)>", call.headers["contact"])
        assert target is not None
        call.ended_at = time.time()
        self.transport.sendto(
            (
                f"BYE {target[1]} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {self.here};branch=z9hG4bK{secrets.token_hex(6)};rport\r\nMax-Forwards: 70\r\n"
                f"From: {call.headers['to']};tag={call.tag}\r\nTo: {call.headers['from']}\r\n"
                f"Call-ID: {call.headers['call-id']}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
            ).encode(),
            call.address,
        )
        await asyncio.sleep(0)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        first, headers = parsed(data.decode(errors="replace").partition("\r\n\r\n")[0])
        if first.startswith("SIP/2.0 "):
            return
        method, uri = first.split()[:2]
        known = self._known.get(headers["call-id"])
        if method == "INVITE" and known is None:
            known = Reached(uri.removeprefix("sip:").partition("@")[0], headers, addr)
            self._known[headers["call-id"]] = known
            self.dialled.append(known.number)
            self.calls.put_nowait(known)
            task = asyncio.ensure_future(self._take(known))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif method in {"BYE", "CANCEL"} and known is not None:
            self._say(known, "200 OK", headers)
            if method == "CANCEL":
                self._say(known, "487 Request Terminated")
            known.ended_at = known.ended_at or time.time()
            known.moved.set()
        elif method not in {"ACK", "INVITE"}:
            self.transport.sendto(answer(headers, "200 OK").encode(), addr)

    async def _take(self, call: Reached) -> None:
        if self.behaviour == "busy":
            self._say(call, "486 Busy Here")
            call.ended_at = time.time()
            return
        self._say(call, "180 Ringing")
        if self.behaviour == "ring":
            return
        await asyncio.sleep(self.delay)
        if call.ended_at is not None:
            return
        if self._voice is None:
            _, self._voice = await asyncio.get_running_loop().create_datagram_endpoint(Voice, ("127.0.0.1", 0))
        sdp = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self._voice.port} RTP/AVP 8 0\r\n"
        )
        call.answered_at = time.time()
        self._say(call, "200 OK", body=sdp)
        call.moved.set()

    def _say(self, call: Reached, status: str, headers: Headers | None = None, body: str = "") -> None:
        text = answer({**(headers or call.headers), "to": f"{call.headers['to']};tag={call.tag}"}, status)
        kind = f"Contact: <sip:{call.number}@{self.here}>\r\nContent-Type: application/sdp\r\n" if body else ""
        self.transport.sendto(
            (text.replace("Content-Length: 0", f"{kind}Content-Length: {len(body)}") + body).encode(), call.address
        )


@asynccontextmanager
async def open_outside(port: int = 0) -> AsyncIterator[Outside]:
    """A world outside; without a port, at one of its own."""
    _, outside = await asyncio.get_running_loop().create_datagram_endpoint(Outside, ("127.0.0.1", port))
    try:
        yield outside
    finally:
        outside.transport.close()


@pytest.fixture(scope="session")
async def world() -> AsyncIterator[Outside]:
    async with open_outside() as outside:
        yield outside


@pytest.fixture(scope="session")
async def trunked(telephony: Runtime, world: Outside) -> AsyncIterator[Stack]:
    """The session's other instance, whose trunk leads somewhere."""
    async with open_stack(telephony, TRUNK_ADDRESS=world.here) as running:
        yield running
