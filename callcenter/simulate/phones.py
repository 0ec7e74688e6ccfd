"""Telephones without people: SIP over UDP, as much of it as a call to 12345 needs.

One socket stands for all citizens, one for all agents' desk phones, one takes the voice of all and sends a packet of
silence now and then, so that Asterisk does not take a call for dead. Every second of a call is drawn beforehand.
"""

import asyncio
import hashlib
import itertools
import re
import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, cast

RESEND: Final = 0.5  # RFC 3261 T1
MOST_SENDS: Final = 7
SILENCE_EVERY: Final = 20.0
_EVENT: Final = 101  # RTP's payload type of keys
_KEYS: Final = "0123456789*#"
_SDP: Final = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
)


@dataclass(frozen=True, slots=True)
class Message:
    """One SIP message. `start` is its first line; of a header that comes more than once, all lines are kept."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @classmethod
    def parse(cls, data: bytes) -> "Message":
        """Raises ValueError for what is no SIP."""
        head, _, body = data.decode(errors="replace").partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        if "SIP/2.0" not in start:
            raise ValueError("no SIP")
        pairs = [line.partition(":") for line in lines if ":" in line]
        return cls(start, tuple((name.strip().lower(), value.strip()) for name, _, value in pairs), body)

    def one(self, name: str) -> str:
        return next((value for each, value in self.headers if each == name), "")

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.headers if each == name]

    @property
    def status(self) -> int | None:
        """The status of an answer; None for a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0") else None

    @property
    def method(self) -> str:
        return self.one("cseq").split()[-1]

    @property
    def voice(self) -> tuple[str, int] | None:
        """Where the other side wants to hear us."""
        host, port = re.search(r"(?m)^c=IN IP4 (\S+)", self.body), re.search(r"(?m)^m=audio (\d+)", self.body)
        return (host[1], int(port[1])) if host and port else None


def user_of(address: str) -> str:
    """`13900000001` of `"x" <sip:13900000001@host>;tag=1`; empty when there is none."""
    found = re.search(r"sip:([^@;>]+)@", address)
    return found[1] if found else ""


class Voice(asyncio.DatagramProtocol):
    """Takes every leg's voice and throws it away."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port: int = transport.get_extra_info("sockname")[1]
        self.to: dict[str, tuple[str, int]] = {}

    async def keep(self) -> None:
        """A packet of silence to everybody who is in a call, for ever."""
        for n in itertools.count(1):
            await asyncio.sleep(SILENCE_EVERY)
            packet = struct.pack("!BBHII", 0x80, 0, n & 0xFFFF, n * 160, 1) + b"\xff" * 160
            for address in self.to.values():
                self._transport.sendto(packet, address)

    async def press(self, key: str, to: tuple[str, int]) -> None:
        """A key of 100 ms, its end said three times (RFC 4733)."""
        stamp, source = secrets.randbits(31), secrets.randbits(31)
        for n, (end, length) in enumerate([(0, 160), (0, 320), (0, 480), (0, 640), *[(0x80, 800)] * 3]):
            head = struct.pack("!BBHII", 0x80, _EVENT | (0x80 if n == 0 else 0), n, stamp, source)
            self._transport.sendto(head + struct.pack("!BBH", _KEYS.index(key), end | 10, length), to)
            await asyncio.sleep(0.02)


@dataclass
class Leg:
    """One call as one phone sees it. `target`: where requests within it go; `over` when it has ended."""

    call_id: str
    ours: str  # our From or To with its tag
    theirs: str
    target: str
    sequence: int = 1
    answered: bool = False
    invite: Message | None = None
    last: bytes = b""  # our last answer, for an INVITE that comes again
    settled: asyncio.Event = field(default_factory=asyncio.Event)  # answered, or over before it was
    over: asyncio.Event = field(default_factory=asyncio.Event)
    timer: asyncio.TimerHandle | None = None


class Socket(asyncio.DatagramProtocol):
    """What both kinds of phones do."""

    def __init__(self, sip: tuple[str, int], voice: Voice) -> None:
        self.sip, self.voice = sip, voice
        self.legs: dict[str, Leg] = {}
        self._unanswered: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.host, self.port = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, _address: object) -> None:
        try:
            message = Message.parse(data)
            if message.status is None:
                self.asked(message)
            else:
                waiting = self._unanswered.pop((message.one("call-id"), message.one("cseq")), None)
                if waiting is not None:
                    waiting.cancel()
                self.answered(message)
        except (ValueError, IndexError):
            return

    def asked(self, message: Message) -> None:
        """A request of Asterisk's."""
        if message.method != "ACK":
            self.answer(message, 200, "OK")
        leg = self.legs.get(message.one("call-id"))
        if leg is not None and message.method == "BYE":
            self.end(leg)

    def answered(self, message: Message) -> None:
        """An answer of Asterisk's."""

    def answer(self, to: Message, status: int, words: str, leg: Leg | None = None, *, sdp: bool = False) -> bytes:
        """Answer a request; what was sent."""
        kept = [f"Via: {via}" for via in to.all("via")]
        kept += [f"Record-Route: {each}" for each in to.all("record-route")]
        kept += [f"From: {to.one('from')}", f"To: {leg.ours if leg else to.one('to')}"]
        kept += [f"Call-ID: {to.one('call-id')}", f"CSeq: {to.one('cseq')}"]
        sent = self._text(f"SIP/2.0 {status} {words}", kept, sdp=sdp)
        self._transport.sendto(sent, self.sip)
        return sent

    def request(self, method: str, leg: Leg, more: str = "", *, sdp: bool = False, again: bool = True) -> None:
        """Send a request within a leg, and again until it is answered."""
        head = [
            f"Via: SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{secrets.token_hex(8)};rport",
            "Max-Forwards: 70",
            f"From: {leg.ours}",
            f"To: {leg.theirs}",
            f"Call-ID: {leg.call_id}",
            f"CSeq: {leg.sequence} {method}",
            *([more] if more else []),
        ]
        sent = self._text(f"{method} {leg.target} SIP/2.0", head, sdp=sdp)
        self._transport.sendto(sent, self.sip)
        if again:
            self._resend((leg.call_id, f"{leg.sequence} {method}"), sent, 1)

    def hang_up(self, leg: Leg) -> None:
        """End an answered leg."""
        if not leg.over.is_set():
            leg.sequence += 1
            self.request("BYE", leg)
            self.end(leg)

    def end(self, leg: Leg) -> None:
        self.voice.to.pop(leg.ours, None)
        if leg.timer is not None:
            leg.timer.cancel()
        leg.settled.set()
        leg.over.set()
        self.legs.pop(leg.call_id, None)

    def close(self) -> None:
        for handle in self._unanswered.values():
            handle.cancel()
        self._transport.close()

    def _resend(self, key: tuple[str, str], sent: bytes, n: int) -> None:
        def now() -> None:
            del self._unanswered[key]
            self._transport.sendto(sent, self.sip)
            if n < MOST_SENDS:
                self._resend(key, sent, n + 1)

        self._unanswered[key] = self._loop.call_later(min(RESEND * 2 ** (n - 1), 4.0), now)

    def _text(self, start: str, head: list[str], *, sdp: bool) -> bytes:
        body = _SDP.format(host=self.host, port=self.voice.port) if sdp else ""
        lines = [start, *head, f"Contact: <sip:phone@{self.host}:{self.port}>"]
        lines += ["Content-Type: application/sdp"] if sdp else []
        return ("\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body).encode()


class Citizens(Socket):
    """Everybody who calls 12345."""

    async def call(self, number: str, key: str, tired: asyncio.Event, met: asyncio.Event, said: asyncio.Event) -> bool:
        """Call, press the key if there is one, and hang up when `tired`, unless `met` is set: a person answered.

        With `said` all is said: the citizen hangs up and answers no survey. Returns once the call is over; whether
        12345 picked up at all.
        """
        host, port = self.sip
        leg = Leg(
            secrets.token_hex(12),
            f"<sip:{number}@{self.host}:{self.port}>;tag={secrets.token_hex(6)}",
            f"<sip:12345@{host}:{port}>",
            f"sip:12345@{host}:{port}",
        )
        self.legs[leg.call_id] = leg
        self.request("INVITE", leg, sdp=True)
        try:
            await asyncio.wait_for(leg.settled.wait(), 30)
        except TimeoutError:
            self.end(leg)
            return False
        if leg.answered:
            if key and leg.ours in self.voice.to:
                await self.voice.press(key, self.voice.to[leg.ours])
            await _first(leg.over, met, tired)
            if met.is_set():
                await _first(leg.over, said)
            self.hang_up(leg)
        return leg.answered

    def answered(self, message: Message) -> None:
        leg = self.legs.get(message.one("call-id"))
        if leg is None or message.method != "INVITE" or message.status is None or message.status < 200:
            return
        leg.theirs = message.one("to")
        if message.status < 300 and not leg.answered:
            leg.answered = True
            leg.settled.set()
            leg.target = re.sub(r"^.*<|>.*$", "", message.one("contact"))
            if message.voice:
                self.voice.to[leg.ours] = message.voice
        self.request("ACK", leg, again=False)
        if message.status >= 300:
            self.end(leg)


async def _first(*events: asyncio.Event) -> None:
    """Wait until one of them is set."""
    waits = [asyncio.ensure_future(each.wait()) for each in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in waits:
        task.cancel()


#: Told of each call that an agent answered, by the caller's number: for how many seconds they talk.
Talk = Callable[[str, str], float]


class Agents(Socket):
    """All desk phones. Each rings `ring` seconds and answers; `talk` says how long; `over` is told when it ended."""

    def __init__(
        self, sip: tuple[str, int], voice: Voice, ring: float, talk: Talk, over: Callable[[str, str], None]
    ) -> None:
        super().__init__(sip, voice)
        self.ring, self.talk, self.told_over = ring, talk, over
        self._registering: dict[str, tuple[Leg, str, asyncio.Future[int]]] = {}

    async def register(self, seat: str, secret: str) -> bool:
        """Make a seat's phone known; whether Asterisk took it."""
        host, port = self.sip
        address = f"<sip:{seat}@{host}:{port}>"
        leg = Leg(secrets.token_hex(12), f"{address};tag={secrets.token_hex(6)}", address, f"sip:{host}:{port}")
        done: asyncio.Future[int] = self._loop.create_future()
        self._registering[leg.call_id] = (leg, secret, done)
        self.request("REGISTER", leg, "Expires: 3600")
        try:
            return await asyncio.wait_for(done, 10) < 300
        except TimeoutError:
            return False
        finally:
            del self._registering[leg.call_id]

    def _text(self, start: str, head: list[str], *, sdp: bool) -> bytes:
        made = super()._text(start, head, sdp=sdp)
        if start.startswith("REGISTER"):
            seat = user_of(next(line for line in head if line.startswith("From")))
            made = made.replace(b"<sip:phone@", f"<sip:{seat}@".encode())
        return made

    def answered(self, message: Message) -> None:
        known = self._registering.get(message.one("call-id"))
        if known is None or message.status is None or message.status < 200:
            return
        leg, secret, done = known
        if message.status == 401 and leg.sequence == 1:
            leg.sequence = 2
            proof = _proof(message.one("www-authenticate"), user_of(leg.ours), secret, "REGISTER", leg.target)
            self.request("REGISTER", leg, f"Expires: 3600\r\nAuthorization: {proof}")
        elif not done.done():
            done.set_result(message.status)

    def asked(self, message: Message) -> None:
        call_id = message.one("call-id")
        leg = self.legs.get(call_id)
        if message.method == "INVITE":
            if leg is not None:
                self._transport.sendto(leg.last, self.sip)
            else:
                self._rung(message)
        elif message.method == "CANCEL":
            self.answer(message, 200, "OK", leg)
            if leg is not None and leg.invite is not None and not leg.answered:
                self.answer(leg.invite, 487, "Request Terminated", leg)
                self.end(leg)
        else:
            talked = leg is not None and message.method == "BYE" and leg.answered
            super().asked(message)
            if talked and leg is not None and leg.invite is not None:
                self._over(leg, leg.invite)

    def _rung(self, invite: Message) -> None:
        leg = Leg(
            invite.one("call-id"),
            f"{invite.one('to')};tag={secrets.token_hex(6)}",
            invite.one("from"),
            re.sub(r"^.*<|>.*$", "", invite.one("contact")),
            invite=invite,
        )
        self.legs[leg.call_id] = leg
        leg.last = self.answer(invite, 180, "Ringing", leg)
        leg.timer = self._loop.call_later(self.ring, self._pick_up, leg, invite)

    def _pick_up(self, leg: Leg, invite: Message) -> None:
        leg.answered = True
        leg.last = self.answer(invite, 200, "OK", leg, sdp=True)
        if invite.voice:
            self.voice.to[leg.ours] = invite.voice
        seconds = self.talk(_seat(invite), user_of(invite.one("from")))
        leg.timer = self._loop.call_later(seconds, self._said_all, leg, invite)

    def _said_all(self, leg: Leg, invite: Message) -> None:
        self.hang_up(leg)
        self._over(leg, invite)

    def _over(self, _leg: Leg, invite: Message) -> None:
        self.told_over(_seat(invite), user_of(invite.one("from")))


def _seat(invite: Message) -> str:
    found = re.search(r"sip:([^@;>]+)@", invite.start)
    return found[1] if found else ""


def _proof(challenge: str, user: str, secret: str, method: str, uri: str) -> str:
    """Who we are, by MD5 digest, as Asterisk asks for it (RFC 2617)."""
    given = dict(re.findall(r'(\w+)="?([^",]*)"?', challenge))

    def md5(*words: str) -> str:
        return hashlib.md5(":".join(words).encode(), usedforsecurity=False).hexdigest()

    first, second = md5(user, given["realm"], secret), md5(method, uri)
    told = f'Digest username="{user}", realm="{given["realm"]}", nonce="{given["nonce"]}", uri="{uri}"'
    if "qop" not in given:
        return f'{told}, response="{md5(first, given["nonce"], second)}", algorithm=MD5'
    once = secrets.token_hex(8)
    answer = md5(first, given["nonce"], "00000001", once, "auth", second)
    opaque = f', opaque="{given["opaque"]}"' if "opaque" in given else ""
    return f'{told}, response="{answer}", algorithm=MD5, qop=auth, nc=00000001, cnonce="{once}"{opaque}'
