"""A real Asterisk of the tests' own, alone: no service and no database beside it, and prompts of a blink's length."""

import asyncio
import shutil
import tempfile
import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import pytest
from ports import free_port

from agents.queues import ENTERED
from agents.seats import Phone
from callcenter.asterisk import actions
from callcenter.asterisk.link import Account, Address
from callcenter.settings import Settings
from callcenter.standalone import asterisk
from callcenter.standalone.processes import Part
from dialplan import names
from dialplan.instance import Instance
from dialplan.seats import SeatAccount, seats_conf
from ivr.prompts import JOINED, LANGUAGES, PROMPTS

NODE = "t1"
SYSTEM_NAME = "recorded"
SEATS = {str(number): f"secret {number}" for number in range(1001, 1005)}
#: An account that no installation has: it hears every event, so that a test sees what the filters keep from ours.
ALL_EVENTS = "all-events"
PROMPT_SECONDS = 0.15


@dataclass
class Tap:
    """One manager session as a stranger to our code would hold it: raw bytes in, raw bytes out."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: bytearray = field(default_factory=bytearray)
    listening: "asyncio.Task[None] | None" = None

    @classmethod
    async def open(cls, port: int, user: str, secret: str) -> Self:
        """Raises PermissionError when the account is refused."""
        tap = cls(*await asyncio.open_connection("127.0.0.1", port))
        banner = await tap.reader.readline()
        assert banner.startswith(b"Asterisk Call Manager/")
        tap.listening = asyncio.ensure_future(tap._listen())
        if b"Success" not in await tap.ask({"Action": "Login", "Username": user, "Secret": secret}):
            raise PermissionError(user)
        return tap

    async def _listen(self) -> None:
        while data := await self.reader.read(65536):
            self.heard += data

    async def ask(self, action: Mapping[str, str]) -> bytes:
        """The first frame that answers the action."""
        ours = f"ask-{len(self.heard)}"
        lines = [f"{name}: {value}" for name, value in {**action, "ActionID": ours}.items()]
        start = len(self.heard)
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        async with asyncio.timeout(10):
            while True:
                for frame in bytes(self.heard[start:]).split(b"\r\n\r\n")[:-1]:
                    if f"ActionID: {ours}".encode() in frame:
                        return frame
                await asyncio.sleep(0.01)

    async def until(self, words: bytes, start: int = 0, seconds: float = 20) -> int:
        """Where these words end, once they are heard after `start`."""
        async with asyncio.timeout(seconds):
            while (at := self.heard.find(words, start)) < 0:
                await asyncio.sleep(0.01)
        return at + len(words)

    def close(self) -> None:
        if self.listening is not None:
            self.listening.cancel()
        self.writer.close()


@dataclass
class Exchange:
    """A running Asterisk, laid out by the code of the product."""

    copy: asterisk.Copy
    instance: Instance
    part: Part

    @property
    def sip(self) -> str:
        return f"127.0.0.1:{self.instance.sip_port}"

    @property
    def account(self) -> Account:
        return Account(
            NODE,
            Address("127.0.0.1", self.instance.ami_port),
            self.instance.system_name,
            self.instance.ami_events_secret,
            self.instance.ami_actions_secret,
        )

    @property
    def log(self) -> Path:
        return self.instance.home / "log"

    @property
    def cel(self) -> Path:
        return self.log / "cel-custom" / names.CEL_FILE

    @property
    def queue_log(self) -> Path:
        return self.log / names.QUEUE_LOG

    @property
    def etc(self) -> Path:
        return self.instance.home / "etc"

    async def start(self) -> None:
        await self.part.start()
        await asyncio.wait_for(asterisk.ready(self.copy, self.instance), 60)

    async def cli(self, line: str) -> str:
        return (await asterisk.cli(self.copy, self.instance, line))[1]

    async def events(self) -> Tap:
        return await Tap.open(self.instance.ami_port, names.EVENTS_USER, self.instance.ami_events_secret)

    async def acting(self) -> Tap:
        return await Tap.open(self.instance.ami_port, names.ACTIONS_USER, self.instance.ami_actions_secret)

    async def all_events(self) -> Tap:
        return await Tap.open(self.instance.ami_port, ALL_EVENTS, ALL_EVENTS)

    async def longest_wait(self, seconds: int) -> None:
        """Callers wait at most so long from now on."""
        for queue in ENTERED:
            await self.cli(f"dialplan set global LONGEST_{queue.code} {seconds}")


async def seat(acting: Tap, number: str, login: str, ready: bool = True) -> None:
    """Have a person sit down with a phone on the desk, in all queues."""
    for queue in ENTERED:
        await acting.ask(actions.seat(number, Phone.DESK, login, queue.code, "NOTREADY"))
    if ready:
        await acting.ask(actions.pause(number, Phone.DESK, None))


async def unseat(acting: Tap, number: str) -> None:
    for queue in ENTERED:
        await acting.ask(actions.unseat(number, Phone.DESK, queue.code))


@asynccontextmanager
async def open_exchange(
    system_name: str = SYSTEM_NAME, conf: Mapping[str, str] | None = None
) -> AsyncIterator[Exchange]:
    """Start one. `conf`: files of its configuration that are to be otherwise."""
    home = Path(tempfile.mkdtemp(prefix="cc-"))  # short: it becomes the address of a socket
    copy = await asyncio.to_thread(asterisk.fetch, Settings(home=home))
    sip, ws, ami, outside = (free_port() for _ in range(4))
    instance = Instance(
        home=home,
        modules=copy.modules,
        data=copy.data,
        sounds=_blinks(home / "blinks"),
        host="127.0.0.1",
        sip_port=sip,
        ws_port=ws,
        ami_port=ami,
        rtp_first=31000,
        rtp_last=31999,
        trunk_match=("127.0.0.1",),
        trunk_address=f"127.0.0.1:{outside}",
        ami_match=("127.0.0.1",),
        public_address=None,
        system_name=system_name,
        ami_events_secret="the events' secret",
        ami_actions_secret="the actions' secret",
        demo=True,
        try_secret="the page's secret",
        survey=False,
    )
    asterisk.lay_out(instance)
    etc = home / "etc"
    (etc / names.SEATS_FILE).write_text(seats_conf(SeatAccount(*each) for each in SEATS.items()))
    queues = etc / "queues.conf"
    queues.write_text(queues.read_text().replace("\ntimeout = 10\n", "\ntimeout = 3\n"))
    manager = etc / "manager.conf"
    everything = f"\n[{ALL_EVENTS}]\nsecret = {ALL_EVENTS}\nread = all\nwrite =\n"
    manager.write_text(manager.read_text() + everything)
    for name, text in (conf or {}).items():
        (etc / name).write_text(text)
    part = replace(asterisk.part(copy, instance, home / "asterisk.out"), patience=5.0)
    exchange = Exchange(copy, instance, part)
    try:
        await exchange.start()
        yield exchange
    finally:
        await part.end()
        shutil.rmtree(home)


def _blinks(folder: Path) -> Path:
    """Every prompt as a short silence: what is said does not matter to these tests, how long it takes does."""
    for name in (*JOINED, *(f"{language}/{name}" for language in LANGUAGES for name in PROMPTS)):
        file = folder / f"{name}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(file), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(8000)
            sound.writeframes(bytes(int(2 * 8000 * PROMPT_SECONDS)))
    return folder


@pytest.fixture(scope="session")
async def exchange() -> AsyncIterator[Exchange]:
    """An Asterisk for all tests that need no service. Leave it as you found it."""
    async with open_exchange() as running:
        yield running
