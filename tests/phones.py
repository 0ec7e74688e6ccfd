"""Scripted SIP phones for tests: agents who answer, with real audio. One native SIP stack serves the whole process."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from baresip import Account, BaresipError, Config, Event, StackEvent
from baresip.call import Call
from baresip.runtime import Runtime
from baresip.ua import UserAgent


@dataclass
class Line:
    """One end of a call. Times are of `time.time()`."""

    call: Call
    rung_at: float = field(default_factory=time.time)
    answered_at: float | None = None
    ended_at: float | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.call.on(self._event)

    def _event(self, event: StackEvent) -> None:
        if event.event is Event.CALL_ESTABLISHED:
            self.answered_at = time.time()
        elif event.event is Event.CALL_CLOSED:
            self.ended_at = time.time()
            self.ended.set()

    @property
    def number(self) -> str:
        """Who calls, as the phone shows it."""
        return (self.call.peer or "").removeprefix("sip:").partition("@")[0]

    async def hang_up(self) -> None:
        with suppress(BaresipError):
            await self.call.hangup()

    async def wait_ended(self, timeout: float = 20) -> None:
        await asyncio.wait_for(self.ended.wait(), timeout)


@dataclass
class Agent:
    """A registered phone. `behaviour`: "answer" after `delay` seconds, "ignore" or "reject" (busy)."""

    ua: UserAgent
    behaviour: str = "answer"
    delay: float = 0.0
    lines: "asyncio.Queue[Line]" = field(default_factory=asyncio.Queue)
    all: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ua.on_incoming(self._incoming)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def rung(self) -> int:
        """How often it rang."""
        return len(self.all)

    def reset(self) -> None:
        """As new: it answers at once, and remembers nothing."""
        self.behaviour, self.delay, self.lines = "answer", 0.0, asyncio.Queue()
        self.all.clear()

    def _incoming(self, call: Call) -> None:
        line = Line(call)
        self.all.append(line)
        task = asyncio.ensure_future(self._act(line))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _act(self, line: Line) -> None:
        self.lines.put_nowait(line)
        if self.delay:
            await asyncio.sleep(self.delay)
        with suppress(BaresipError):
            if self.behaviour == "answer":
                await line.call.answer()
            elif self.behaviour == "reject":
                await line.call.reject()

    async def line(self, timeout: float = 20) -> Line:
        """The next line this phone got; it rings, or rang."""
        return await asyncio.wait_for(self.lines.get(), timeout)

    async def hang_up(self) -> None:
        """Hang up whatever is there."""
        for line in self.all:
            if not line.ended.is_set():
                await line.hang_up()


class Phones:
    """All phones of a test. `sip`: host:port of Asterisk."""

    def __init__(self, runtime: Runtime, sip: str) -> None:
        self._runtime = runtime
        self._sip = sip
        self._citizens: dict[str, UserAgent] = {}

    async def agent(self, number: str, secret: str, behaviour: str = "answer", delay: float = 0.0) -> Agent:
        """A phone registered to a seat."""
        ua = await UserAgent.create(self._runtime, Account(number, self._sip, secret))
        await ua.register()
        return Agent(ua, behaviour, delay)

    async def call(self, number: str, dialed: str = "12345") -> Line:
        """A citizen with a real phone calls; returns when the INVITE is on its way."""
        if number not in self._citizens:
            account = Account(number, self._sip, "", reg_interval=0)
            self._citizens[number] = await UserAgent.create(self._runtime, account)
        return Line(await self._citizens[number].dial(f"sip:{dialed}@{self._sip}"))


@asynccontextmanager
async def native_stack() -> AsyncIterator[Runtime]:
    """What carries the phones. A process can have one at a time."""
    runtime = Runtime(native_log_level="error")
    await runtime.start(
        Config(net_interface="127.0.0.1", audio_source="ausine,440", audio_player="aumem", max_concurrent_calls=None)
    )
    try:
        yield runtime
    finally:
        await runtime.close()
