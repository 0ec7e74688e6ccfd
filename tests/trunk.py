"""Citizens by raw SIP over UDP: each keeps the truth of its own call, may say what no phone says, and costs little.

Also a desk phone that can fall silent, as one does whose cable was pulled.
"""

import asyncio
import hashlib
import math
import re
import secrets
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Address = tuple[str, int]
Headers = dict[str, str]

_EVENT = 101  # payload type of RFC 4733 telephone events


_MINUTE = 60 * 8000


class Voice(asyncio.DatagramProtocol):
    """One end of the audio: counts what comes, keeps its first minute (G.711 µ-law, 8 kHz), and presses keys."""

    def __init__(self) -> None:
        self.packets = 0
        self.heard = bytearray()
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if data[1] & 0x7F == 0:
            self.packets += 1
            if len(self.heard) < _MINUTE:
                self.heard += data[12:]

    @property
    def port(self) -> int:
        port: int = self.transport.get_extra_info("sockname")[1]
        return port

    async def hum(self, hertz: int, to: Address) -> None:
        """A tone as G.711 in packets of 20 ms, until cancelled."""
        source, began = secrets.randbits(31), time.monotonic()
        for n in range(1 << 16):
            sound = bytes(
                mu_law(round(8000 * math.sin(2 * math.pi * hertz * (160 * n + i) / 8000))) for i in range(160)
            )
            self.transport.sendto(struct.pack("!BBHII", 0x80, 0, n, 160 * n, source) + sound, to)
            await asyncio.sleep(began + 0.02 * (n + 1) - time.monotonic())

    async def press(self, key: str, to: Address) -> None:
        """One key, as RFC 4733 wants it: 100 ms, its end said three times."""
        digit, stamp, source = "0123456789*#".index(key), secrets.randbits(31), secrets.randbits(31)
        for n, (end, length) in enumerate([(0, 160), (0, 320), (0, 480), (0, 640), *[(0x80, 800)] * 3]):
            marker = 0x80 if n == 0 else 0
            head = struct.pack("!BBHII", 0x80, marker | _EVENT, n, stamp, source)
            self.transport.sendto(head + struct.pack("!BBH", digit, end | 10, length), to)
            await asyncio.sleep(0.02)


@dataclass
class Citizen:
    """A caller, and the truth of the call as heard at this end. Times are of `time.time()`."""

    number: str
    trunk: "Trunk"
    dialed: str
    from_: str
    voice: Voice
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    branch: str = field(default_factory=lambda: "z9hG4bK" + secrets.token_hex(6))
    invited_at: float = 0.0
    status: int = 0  # of the final answer to the INVITE
    answered_at: float | None = None
    ended_at: float | None = None
    ended_by: str = ""  # "caller" or "far"
    to: str = ""
    audio: Address | None = None
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, what: str, timeout: float = 15) -> "Citizen":
        """Wait until `answered_at`, `ended_at` or `status` is known."""
        async with asyncio.timeout(timeout):
            while not getattr(self, what):
                self.moved.clear()
                await self.moved.wait()
        return self

    async def press(self, key: str) -> None:
        await self.until("answered_at")
        assert self.audio is not None
        await self.voice.press(key, self.audio)

    async def hum(self, hertz: int) -> "asyncio.Future[None]":
        """Begin to hum a tone; cancel what is returned to stop."""
        await self.until("answered_at")
        assert self.audio is not None
        return asyncio.ensure_future(self.voice.hum(hertz, self.audio))

    async def hang_up(self) -> None:
        if self.answered_at is None or self.ended_at is not None:
            return
        self.ended_at, self.ended_by = time.time(), "caller"
        self.trunk.request("BYE", self, 2)
        self.moved.set()
        await asyncio.sleep(0)


class Trunk(asyncio.DatagramProtocol):
    """The exchange that hands the citizens' calls over. `sip`: host:port of Asterisk."""

    def __init__(self, sip: str) -> None:
        host, _, port = sip.partition(":")
        self.asterisk: Address = (host, int(port))
        self.citizens: dict[str, Citizen] = {}
        self.transport: Any = None
        self._voices: list[Voice] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    @property
    def here(self) -> str:
        host, port = self.transport.get_extra_info("sockname")
        return f"{host}:{port}"

    async def call(self, number: str, dialed: str = "12345", from_: str | None = None, key: str = "") -> Citizen:
        """A call: returns when the INVITE is on its way, or when `key` was pressed. `from_` is the raw From."""
        _, voice = await asyncio.get_running_loop().create_datagram_endpoint(Voice, ("127.0.0.1", 0))
        self._voices.append(voice)
        from_ = f"<sip:{number}@{self.here}>" if from_ is None else from_
        citizen = Citizen(number, self, dialed, f"{from_};tag={secrets.token_hex(4)}", voice)
        self.citizens[citizen.id] = citizen
        citizen.invited_at = time.time()
        asyncio.get_running_loop().call_soon(self._invite, citizen, 0.5)
        if key:
            await asyncio.sleep(0.15)  # keys are heard once the greeting has begun
            await citizen.until("answered_at")
            await asyncio.sleep(0.15)
            await citizen.press(key)
        return citizen

    def request(self, method: str, citizen: Citizen, sequence: int, body: str = "", branch: str = "") -> None:
        """Send a request of a citizen's dialogue."""
        host, port = self.asterisk
        kind = "Content-Type: application/sdp\r\n" if body else ""
        self._send(
            f"{method} sip:{citizen.dialed}@{host}:{port} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self.here};branch={branch or 'z9hG4bK' + secrets.token_hex(6)};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: {citizen.from_}\r\n"
            f"To: {citizen.to or f'<sip:{citizen.dialed}@{host}:{port}>'}\r\n"
            f"Call-ID: {citizen.id}\r\nCSeq: {sequence} {method}\r\nContact: <sip:citizen@{self.here}>\r\n"
            f"{kind}Content-Length: {len(body.encode())}\r\n\r\n{body}"
        )

    def datagram_received(self, data: bytes, addr: Address) -> None:
        head, _, body = data.decode(errors="replace").partition("\r\n\r\n")
        first, headers = parsed(head)
        citizen = self.citizens.get(headers.get("call-id", ""))
        if not first.startswith("SIP/2.0 "):
            self._send(answer(headers, "200 OK"))
            if citizen is not None and first.startswith("BYE ") and citizen.ended_at is None:
                citizen.ended_at, citizen.ended_by = time.time(), "far"
                citizen.moved.set()
            return
        status = int(first.split()[1])
        if citizen is None or status < 200 or not headers["cseq"].endswith("INVITE"):
            return
        if status >= 300:
            citizen.to = headers["to"]
            self.request("ACK", citizen, 1, branch=citizen.branch)
            citizen.to = ""
        else:
            citizen.to = headers["to"]
            self.request("ACK", citizen, 1)
            port = re.search(r"^m=audio (\d+)", body, re.MULTILINE)
            assert port is not None, "an answer without audio"
            citizen.audio = (self.asterisk[0], int(port[1]))
            citizen.answered_at = citizen.answered_at or time.time()
        citizen.status = status
        citizen.moved.set()

    def close(self) -> None:
        for voice in self._voices:
            voice.transport.close()
        self.transport.close()

    def _invite(self, citizen: Citizen, again: float) -> None:
        if citizen.status or again > 16:
            return
        body = (
            f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {citizen.voice.port} RTP/AVP 0 {_EVENT}\r\na=rtpmap:{_EVENT} telephone-event/8000\r\n"
        )
        self.request("INVITE", citizen, 1, body, citizen.branch)
        asyncio.get_running_loop().call_later(again, self._invite, citizen, again * 2)

    def _send(self, message: str) -> None:
        if not self.transport.is_closing():
            self.transport.sendto(message.encode(errors="surrogateescape"), self.asterisk)


class MutePhone(asyncio.DatagramProtocol):
    """A registered desk phone that declines every call, and can fall silent without a word."""

    def __init__(self, sip: str, number: str, secret: str) -> None:
        host, _, port = sip.partition(":")
        self._asterisk: Address = (host, int(port))
        self._number, self._secret = number, secret
        self._id = secrets.token_hex(8)
        self._sequence = 0
        self._expires = 0
        self._done: asyncio.Future[int] | None = None
        self.silent = False
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    async def register(self, expires: int = 3600) -> None:
        """Register; with 0 seconds take the registration back."""
        self._expires, self._done = expires, asyncio.get_running_loop().create_future()
        self._register("")
        assert await asyncio.wait_for(self._done, 20) == 200

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if self.silent:
            return
        first, headers = parsed(data.decode(errors="replace").partition("\r\n\r\n")[0])
        if not first.startswith("SIP/2.0 "):
            if not first.startswith("ACK "):
                status_line = "603 Decline" if first.startswith("INVITE ") else "200 OK"
                self.transport.sendto(answer(headers, status_line).encode(), self._asterisk)
            return
        status = int(first.split()[1])
        challenge = dict(re.findall(r'(\w+)="?([^",]+)', headers.get("www-authenticate", "")))
        if status == 401 and challenge:
            self._register(self._proof(challenge))
        elif status >= 200 and self._done is not None and not self._done.done():
            self._done.set_result(status)

    def _proof(self, challenge: dict[str, str]) -> str:
        def md5(*words: str) -> str:
            return hashlib.md5(":".join(words).encode()).hexdigest()

        realm, nonce, uri = challenge["realm"], challenge["nonce"], f"sip:{self._asterisk[0]}:{self._asterisk[1]}"
        once = secrets.token_hex(4)
        response = md5(md5(self._number, realm, self._secret), nonce, "00000001", once, "auth", md5("REGISTER", uri))
        return (
            f'Authorization: Digest username="{self._number}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
            f'response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="{once}"'
            + (f', opaque="{challenge["opaque"]}"' if "opaque" in challenge else "")
            + "\r\n"
        )

    def _register(self, proof: str) -> None:
        self._sequence += 1
        host, port = self._asterisk
        here = "{}:{}".format(*self.transport.get_extra_info("sockname"))
        self.transport.sendto(
            (
                f"REGISTER sip:{host}:{port} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{secrets.token_hex(6)}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:{self._number}@{host}>;tag={self._id}\r\n"
                f"To: <sip:{self._number}@{host}>\r\nCall-ID: {self._id}\r\nCSeq: {self._sequence} REGISTER\r\n"
                f"Contact: <sip:{self._number}@{here}>\r\nExpires: {self._expires}\r\n{proof}Content-Length: 0\r\n\r\n"
            ).encode(),
            self._asterisk,
        )


def mu_law(sample: int) -> int:
    """A sample of 16 bits as a byte of G.711."""
    sign, level = (0x80, -sample) if sample < 0 else (0, sample)
    level = min(level, 32_635) + 132
    exponent = level.bit_length() - 8
    return ~(sign | exponent << 4 | (level >> exponent + 3) & 0x0F) & 0xFF


def parsed(head: str) -> tuple[str, Headers]:
    """First line and headers; names in small letters; several Via or Record-Route are not told apart."""
    first, *lines = head.split("\r\n")
    return first, {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def answer(headers: Headers, status: str) -> str:
    """An answer without a body to a request."""
    if ";tag=" not in headers["to"]:
        headers = headers | {"to": f"{headers['to']};tag={secrets.token_hex(4)}"}
    copied = "".join(f"{name}: {headers[name]}\r\n" for name in ("via", "from", "to", "call-id", "cseq"))
    return f"SIP/2.0 {status}\r\n{copied}Content-Length: 0\r\n\r\n"


@asynccontextmanager
async def open_trunk(sip: str) -> AsyncIterator[Trunk]:
    """A trunk; its citizens hang up at the end."""
    _, trunk = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Trunk(sip), ("127.0.0.1", 0))
    try:
        yield trunk
    finally:
        for citizen in trunk.citizens.values():
            await citizen.hang_up()
        await asyncio.sleep(0.2)  # let the last BYE be answered
        trunk.close()


@asynccontextmanager
async def open_mute_phone(sip: str, number: str, secret: str) -> AsyncIterator[MutePhone]:
    """A phone registered to a seat."""
    loop = asyncio.get_running_loop()
    _, phone = await loop.create_datagram_endpoint(lambda: MutePhone(sip, number, secret), ("127.0.0.1", 0))
    try:
        await phone.register()
        yield phone
    finally:
        phone.transport.close()
