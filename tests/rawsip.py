"""A caller who writes his own SIP, byte by byte: what no phone would send, a stranger can."""

import asyncio
import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast


@dataclass
class RawCall(asyncio.DatagramProtocol):
    """One call over UDP. `answers` are the status codes that came, in order; with `user` it can prove who it is."""

    sip: str
    dialed: str = "12345"
    sender: str = "<sip:13800000000@example.net>"
    contact: str = "<sip:raw@127.0.0.1:PORT>"
    headers: str = ""
    user: str = ""
    secret: str = ""
    answers: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._id = secrets.token_hex(8)
        self._number = 1
        self._to = f"<sip:{self.dialed}@{self.sip}>"
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self._port = transport.get_extra_info("sockname")[1]
        self._send("INVITE", 1, self._sdp(), self._to)

    def datagram_received(self, data: bytes, addr: object) -> None:
        text = data.decode(errors="replace")
        if not text.startswith("SIP/2.0"):
            # The other side hangs up, or asks whether we live.
            kept = [line for line in text.split("\r\n") if re.match(r"(?i)(via|from|to|call-id|cseq):", line)]
            self._transport.sendto(("\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0"]) + "\r\n\r\n").encode())
            if text.startswith("BYE"):
                self.answers.append(0)
                self._changed.set()
            return
        if "INVITE" not in re.search(r"(?mi)^cseq:(.*)$", text)[1]:  # type: ignore[index]
            return
        status = int(text.split()[1])
        if status >= 200:
            to = re.search(r"(?mi)^to: *(.*)$", text)[1].strip()  # type: ignore[index]
            self._send("ACK", self._number, "", to)
            if status == 401 and self.user and self._number == 1:
                self._number = 2
                self._send("INVITE", 2, self._sdp(), self._to, self._proof(text))
            else:
                self._to = to
        self.answers.append(status)
        self._changed.set()

    async def until(self, status: int, seconds: float = 10) -> None:
        """Wait for an answer; 0 is the other side's BYE."""
        async with asyncio.timeout(seconds):
            while status not in self.answers:
                self._changed.clear()
                await self._changed.wait()

    def hang_up(self) -> None:
        self._send("BYE", self._number + 1, "", self._to)

    def cancel(self) -> None:
        self._send("CANCEL", 1, "", self._to)

    def _proof(self, challenge: str) -> str:
        """Digest without qop (RFC 2617)."""

        def md5(*words: str) -> str:
            return hashlib.md5(":".join(words).encode()).hexdigest()

        realm, nonce = (re.search(rf'{name}="([^"]*)"', challenge)[1] for name in ("realm", "nonce"))  # type: ignore[index]
        uri = f"sip:{self.dialed}@{self.sip}"
        answer = md5(md5(self.user, realm, self.secret), nonce, md5("INVITE", uri))
        return (
            f'Authorization: Digest username="{self.user}", realm="{realm}", nonce="{nonce}", uri="{uri}",'
            f' response="{answer}", algorithm=MD5'
        )

    def _send(self, method: str, number: int, body: str, to: str, proof: str = "") -> None:
        branch = f"z9hG4bK{self._id}{number}" + ("ack" if method == "ACK" and 200 in self.answers else "")
        lines = [
            f"{method} sip:{self.dialed}@{self.sip} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self._port};branch={branch};rport",
            "Max-Forwards: 70",
            f"From: {self.sender};tag={self._id}",
            f"To: {to}",
            f"Call-ID: {self._id}",
            f"CSeq: {number} {method}",
            f"Contact: {self.contact.replace('PORT', str(self._port))}",
        ]
        if proof:
            lines.append(proof)
        if method == "INVITE":
            lines += [line for line in self.headers.split("\n") if line]
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        self._transport.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _sdp(self) -> str:
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self._port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
        )


@asynccontextmanager
async def raw_call(sip: str, **how: str) -> AsyncIterator[RawCall]:
    """Send an INVITE; at the end of the block the call is hung up if it still stands."""
    host, port = sip.split(":")
    loop = asyncio.get_running_loop()
    transport, call = await loop.create_datagram_endpoint(lambda: RawCall(sip, **how), remote_addr=(host, int(port)))
    try:
        yield call
    finally:
        if 200 in call.answers and 0 not in call.answers:
            call.hang_up()
            await asyncio.sleep(0.05)
        transport.close()


#: What ends one event in the manager's stream and begins another of the caller's making.
SHUTDOWN = "138%0d%0a%0d%0aEvent%3a%20Shutdown%0d%0aFake%3a%201"


def forged(*lines: str) -> str:
    """A SIP user part that becomes these lines, raw, where Asterisk prints the caller's number."""
    return "".join(c if c.isalnum() else f"%{ord(c):02x}" for c in "\r\n".join(("1", "", *lines)))
