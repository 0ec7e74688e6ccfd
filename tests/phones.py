"""Scripted SIP phones for tests: agents who answer, with real audio. One native SIP stack serves the whole process."""

import array
import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from baresip import Account, AudioNotActive, BaresipError, Config, Event, StackEvent
from baresip.audio import CallAudio
from baresip.call import Call
from baresip.runtime import Runtime
from baresip.ua import UserAgent

#: Pitches (Hz) that phones hum in, so that each can be told by its sound.
CITIZEN = 1000
_LOUD = 2000  # amplitude; a hum has 8,000


def hum(seat: str) -> int:
    """The pitch of a seat's phone."""
    return 330 + 110 * (int(seat) % 10)


def _hum(pitch: int) -> tuple[str, ...]:
    return (f"audio_source=ausine,{pitch}",)


def _loudness(samples: "array.array[int]", rate: int, pitch: int) -> float:
    turn = 2 * math.pi * pitch / rate
    real = sum(sample * math.cos(turn * n) for n, sample in enumerate(samples))
    imaginary = sum(sample * math.sin(turn * n) for n, sample in enumerate(samples))
    return 2 * math.hypot(real, imaginary) / max(1, len(samples))


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

    async def hears(self, *pitches: int, seconds: float = 0.8) -> set[int]:
        """Which of these pitches (Hz) are heard at this end for a quarter of a second of the next `seconds`."""
        audio, heard = self.call.audio, b""
        await self._sound(audio)
        while audio.read(65536):
            pass
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            heard += audio.read(65536)
            await asyncio.sleep(0.02)
        rate, samples = audio.info().rx_sample_rate, array.array("h", heard)
        step = rate // 4
        parts = [samples[n : n + step] for n in range(0, len(samples) - step + 1, step)]
        return {pitch for pitch in pitches if any(_loudness(part, rate, pitch) > _LOUD for part in parts)}

    async def _sound(self, audio: CallAudio) -> None:
        """Wait until there is sound: a call is established some milliseconds before its streams are."""
        async with asyncio.timeout(20):
            while True:
                with suppress(AudioNotActive):
                    audio.info()
                    return
                await asyncio.sleep(0.02)

    async def press(self, key: str) -> None:
        await self.call.send_dtmf(key)

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
        """A phone registered to a seat. It hums in the seat's pitch."""
        ua = await UserAgent.create(self._runtime, Account(number, self._sip, secret, extra_params=_hum(hum(number))))
        await ua.register()
        return Agent(ua, behaviour, delay)

    async def call(self, number: str, dialed: str = "12345") -> Line:
        """A citizen with a real phone calls; returns when the INVITE is on its way."""
        if number not in self._citizens:
            account = Account(number, self._sip, "", reg_interval=0, extra_params=_hum(CITIZEN))
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
