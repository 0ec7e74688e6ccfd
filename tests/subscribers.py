"""Citizens' telephones as the carrier reaches them: whoever is called back rings here, and behaves as told."""

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from trunk import Address, Headers, Voice, answer, parsed

LATE = 8.0


@dataclass
class Ring:
    """One call that came to a number. Times are of `time.time()`."""

    number: str
    headers: Headers
    voice: Voice
    rung_at: float = field(default_factory=time.time)
    answered_at: float | None = None
    ended_at: float | None = None
    ended_by: str = ""
    tag: str = field(default_factory=lambda: secrets.token_hex(4))


class Subscribers(asyncio.DatagramProtocol):
    """All numbers behind the trunk.

    `behaviour`: number -> "answer" (unless told otherwise), "late" (after `LATE` seconds), "busy" or "ignore".
    """

    def __init__(self) -> None:
        self.behaviour: dict[str, str] = {}
        self.rings: list[Ring] = []
        self.moved = asyncio.Event()
        self.transport: Any = None
        self._calls: dict[str, Ring] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._asterisk: Address = ("", 0)

    @property
    def address(self) -> str:
        host, port = self.transport.get_extra_info("sockname")
        return f"{host}:{port}"

    def of(self, number: str) -> list[Ring]:
        """Every call that came to this number."""
        return [ring for ring in self.rings if ring.number == number]

    async def ring(self, number: str, nth: int = 1, timeout: float = 20) -> Ring:
        """The nth call to this number, once it rings."""
        async with asyncio.timeout(timeout):
            while len(self.of(number)) < nth:
                self.moved.clear()
                await self.moved.wait()
        return self.of(number)[nth - 1]

    async def until(self, ring: Ring, what: str, timeout: float = 20) -> Ring:
        """Wait until `answered_at` or `ended_at` is known."""
        async with asyncio.timeout(timeout):
            while not getattr(ring, what):
                self.moved.clear()
                await self.moved.wait()
        return ring

    def hang_up(self, ring: Ring) -> None:
        ring.ended_at, ring.ended_by = time.time(), "citizen"
        contact = re.search(r"<?(sip:[^>;]+)", ring.headers["contact"])
        assert contact is not None
        self._send(
            f"BYE {contact[1]} SIP/2.0\r\nVia: SIP/2.0/UDP {self.address};branch=z9hG4bK{secrets.token_hex(6)}\r\n"
            f"Max-Forwards: 70\r\nFrom: {ring.headers['to']};tag={ring.tag}\r\nTo: {ring.headers['from']}\r\n"
            f"Call-ID: {ring.headers['call-id']}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._asterisk = addr
        head, _, body = data.decode(errors="replace").partition("\r\n\r\n")
        first, headers = parsed(head)
        ring = self._calls.get(headers.get("call-id", ""))
        method = first.split()[0]
        if method == "INVITE" and ring is None:
            task = asyncio.ensure_future(self._rung(first, headers, body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif method in {"BYE", "CANCEL"}:
            self._send(answer(headers, "200 OK"))
            if ring is not None and ring.ended_at is None:
                ring.ended_at, ring.ended_by = time.time(), "far"
                if method == "CANCEL":
                    self._answer(ring, "487 Request Terminated")
            self.moved.set()

    async def _rung(self, first: str, headers: Headers, body: str) -> None:
        number = first.split()[1].removeprefix("sip:").partition("@")[0]
        _, voice = await asyncio.get_running_loop().create_datagram_endpoint(Voice, ("127.0.0.1", 0))
        ring = self._calls[headers["call-id"]] = Ring(number, headers, voice)
        self.rings.append(ring)
        self.moved.set()
        behaviour = self.behaviour.get(number, "answer")
        if behaviour == "busy":
            ring.ended_at = time.time()
            self._answer(ring, "486 Busy Here")
            return
        self._answer(ring, "180 Ringing")
        if behaviour == "ignore":
            return
        await asyncio.sleep(LATE if behaviour == "late" else 0.2)
        if ring.ended_at is None:
            offered = re.search(r"^m=audio \d+ \S+ (\d+)", body, re.MULTILINE)
            assert offered is not None
            self._answer(
                ring,
                "200 OK",
                f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                f"m=audio {voice.port} RTP/AVP {offered[1]} 101\r\na=rtpmap:101 telephone-event/8000\r\n",
            )
            ring.answered_at = time.time()
            self.moved.set()

    def _answer(self, ring: Ring, status: str, body: str = "") -> None:
        headers = ring.headers | {"to": f"{ring.headers['to']};tag={ring.tag}"}
        kind = "Content-Type: application/sdp\r\n" if body else ""
        contact = f"Contact: <sip:{ring.number}@{self.address}>\r\n"
        bare = answer(headers, status).removesuffix("Content-Length: 0\r\n\r\n")
        self._send(f"{bare}{contact}{kind}Content-Length: {len(body)}\r\n\r\n{body}")

    def _send(self, message: str) -> None:
        if not self.transport.is_closing():
            self.transport.sendto(message.encode(), self._asterisk)


@asynccontextmanager
async def open_subscribers() -> AsyncIterator[Subscribers]:
    """The numbers behind a trunk whose address is `Subscribers.address`."""
    _, subscribers = await asyncio.get_running_loop().create_datagram_endpoint(Subscribers, ("127.0.0.1", 0))
    try:
        yield subscribers
    finally:
        for ring in subscribers.rings:
            ring.voice.transport.close()
        subscribers.transport.close()
