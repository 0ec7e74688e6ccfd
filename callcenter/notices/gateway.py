"""Whatever carries notices (短信、政务消息网关). The same key again is the same message, and reaches nobody twice."""

import asyncio
import errno
import fcntl
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol

from aiohttp import ClientError, ClientSession, ClientTimeout

from callcenter.alarms.webhook import signature
from callcenter.clock import iso, now
from callcenter.disk import sync_folder

SECONDS: Final = 5.0  # for one try
#: What an answer of the gateway means that will not be another one tomorrow.
_NEVER: Final = frozenset({400, 404, 410, 413, 422})


class Message(NamedTuple):
    """One message. `to`: a telephone number for `sms`; `unit:D29`, `role:dispatcher`, `login:hexin` for `office`."""

    key: str
    channel: Literal["sms", "office"]
    to: str
    text: str
    language: str


class NotNow(Exception):
    """The gateway could not be reached, or could not take it. To be tried again."""


class Never(Exception):
    """The gateway says that it will not take this message."""


#: What became of a message: None when the gateway has it for good, else why not.
Outcome = NotNow | Never | None


class Gateway(Protocol):
    """A way out for messages."""

    async def send(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        """Hand messages over, in their order; of each what became of it."""


class FileGateway:
    """Appends each message as a line of JSON: the gateway of the demo, and of a mail-drop that something else empties.

    Any number of processes may share the file: whoever writes holds it, and first reads what others have added. A line
    that was cut off by a kill is cut away, for its message was not marked as sent.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: set[str] = set()
        self._read = 0
        self._file = 0

    async def send(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        try:
            await asyncio.to_thread(self._append, messages)
        except OSError as error:
            return [NotNow(error.strerror or "OSError")] * len(messages)
        return [None] * len(messages)

    def _append(self, messages: Sequence[Message]) -> None:
        fresh = not self._path.exists()
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            end = self._catch_up(descriptor)
            new = {each.key: each for each in messages if each.key not in self._keys}
            lines = [json.dumps({"at": iso(now())} | each._asdict(), ensure_ascii=False) for each in new.values()]
            raw = "".join(f"{line}\n" for line in lines).encode()
            if os.pwrite(descriptor, raw, end) < len(raw):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
            self._keys |= new.keys()
            self._read = end + len(raw)
        if fresh:
            sync_folder(self._path.parent)

    def _catch_up(self, descriptor: int) -> int:
        """Learn the keys that the file holds by now; where its whole lines end."""
        status = os.fstat(descriptor)
        if status.st_ino != self._file or status.st_size < self._read:  # emptied, or another file by now
            self._file, self._read = status.st_ino, 0
        raw = os.pread(descriptor, status.st_size - self._read, self._read)
        whole = raw[: raw.rfind(b"\n") + 1]
        self._keys.update(filter(None, map(_key, whole.splitlines())))
        self._read += len(whole)
        os.ftruncate(descriptor, self._read)
        return self._read


class WebhookGateway:
    """Posts each message as JSON to one address.

    The receiver checks `X-Callcenter-Signature: sha256=HEX`, the HMAC-SHA256 of `TIMESTAMP.BODY` under the shared
    secret, and must take an `Idempotency-Key` once however often it comes.
    """

    def __init__(self, url: str, secret: bytes) -> None:
        self._url, self._secret = url, secret

    async def send(self, messages: Sequence[Message]) -> Sequence[Outcome]:
        async with ClientSession(timeout=ClientTimeout(total=SECONDS), trust_env=False) as session:
            return [await self._post(session, each) for each in messages]

    async def _post(self, session: ClientSession, message: Message) -> Outcome:
        body = json.dumps(message._asdict(), ensure_ascii=False).encode()
        stamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Idempotency-Key": message.key,
            "X-Callcenter-Timestamp": stamp,
            "X-Callcenter-Signature": signature(self._secret, stamp, body),
        }
        try:
            async with session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                if 200 <= answer.status < 300:
                    return None
                return (Never if answer.status in _NEVER else NotNow)(f"answered {answer.status}")
        except (ClientError, TimeoutError, OSError) as error:
            return NotNow(type(error).__name__)


def _key(line: bytes) -> str:
    """The key of a line; empty for one that is not ours."""
    try:
        found = json.loads(line)
    except ValueError:
        return ""
    return str(found.get("key") or "") if isinstance(found, dict) else ""
