"""Scripted SIP phones for tests: citizens who call, agents who answer. Real signalling and real audio."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from baresip import Account, BaresipError, Config, Event, StackEvent
from baresip.call import Call
from baresip.runtime import Runtime
from baresip.ua import UserAgent


@dataclass
class Line:
    """One end of a call, with its audio kept flowing so that the other end hears a talker."""

    call: Call
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.call.on(self._event)

    def _event(self, event: StackEvent) -> None:
        if event.event is Event.CALL_CLOSED:
            self.ended.set()

    async def hang_up(self) -> None:
        with suppress(BaresipError):
            await self.call.hangup()

    async def wait_ended(self, timeout: float = 20) -> None:
        await asyncio.wait_for(self.ended.wait(), timeout)


@dataclass
class Agent:
    """A registered phone. `behaviour`: "answer", "ignore" or "reject"; may be changed at any time."""

    ua: UserAgent
    behaviour: str = "answer"
    delay: float = 0.0
    lines: "asyncio.Queue[Line]" = field(default_factory=asyncio.Queue)
    rung: int = 0

    def __post_init__(self) -> None:
        self.ua.on_incoming(self._incoming)
        self._tasks: set[asyncio.Task[None]] = set()

    def _incoming(self, call: Call) -> None:
        self.rung += 1
        task = asyncio.ensure_future(self._act(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _act(self, call: Call) -> None:
        line = Line(call)
        if self.delay:
            await asyncio.sleep(self.delay)
        with suppress(BaresipError):
            if self.behaviour == "answer":
                await call.answer()
            elif self.behaviour == "reject":
                await call.reject()
        await self.lines.put(line)

    async def line(self, timeout: float = 20) -> Line:
        """The next line this phone got."""
        return await asyncio.wait_for(self.lines.get(), timeout)


class Phones:
    """All phones of a test. One native SIP stack serves them: `baresip` allows one a process."""

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
        """A citizen calls; returns when the INVITE is on its way."""
        if number not in self._citizens:
            account = Account(number, self._sip, "", reg_interval=0)
            self._citizens[number] = await UserAgent.create(self._runtime, account)
        return Line(await self._citizens[number].dial(f"sip:{dialed}@{self._sip}"))


@asynccontextmanager
async def phones(sip: str) -> AsyncIterator[Phones]:
    """`sip`: host:port of Asterisk."""
    runtime = Runtime(native_log_level="error")
    await runtime.start(Config(net_interface="127.0.0.1", audio_source="ausine,440", audio_player="aumem", max_concurrent_calls=None))
    try:
        yield Phones(runtime, sip)
    finally:
        await runtime.close()
