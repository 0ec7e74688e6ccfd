"""Real calls through a whole 12345: an instance of its own, its agents at their desks, and citizens who call.

Everything is measured by the ledger, not by the phones. The ideal pool, and our rules in seconds, then meet the same
callers at the moments at which the ledger says that they entered the queue.
"""

import asyncio
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil, inf
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from aiohttp import ClientError, ClientSession, CookieJar
from sqlalchemy import select

from agents.arrivals import Caller, Citizens, Try, callers, day_profile
from agents.erlang import TARGET_SECONDS, erlang_a, erlang_c
from agents.seats import SeatState
from agents.service_level import Outcome
from agents.trial import IDEAL, Rules, run
from callcenter.simulate import phones
from callcenter.simulate.table import lines, of_calls, of_formula, of_trials
from callcenter.standalone import CannotStart
from callcenter.store.engine import make_engine
from callcenter.store.tables import calls, seat_states, segments

FIRST_SEAT: Final = 3001
START_SECONDS: Final = 120
#: Nobody hangs up sooner than this after the greeting: it takes so long to hear that one has to wait.
SHORTEST_PATIENCE: Final = 2.0
#: How long the ledger may take to write the last rows.
WRITTEN_SECONDS: Final = 10
#: How often a run says how far it is, in seconds.
TOLD_EVERY: Final = 60.0
DAY: Final = 86_400.0
FIRST_NUMBER: Final = 13900000000


@dataclass(frozen=True)
class Setting:
    """What is tried. `compressed`: talk, wrap-up and patience are so many times shorter, calls so many times more.

    Args:
        calls: an hour; with `start` a day.
        start: seconds since midnight at which the run begins in the profile of a day; None: calls come evenly.
        key: of the menu, pressed by everybody at once; empty: all hear the whole greeting.
    """

    calls: float
    agents: int
    seconds: float
    compressed: float
    ring: float
    seed: int
    citizens: Citizens
    start: float | None = None
    key: str = ""

    @property
    def expected(self) -> list[float]:
        """Calls expected in each slot; the slots are equal parts of the run."""
        lasts = self.compressed * self.seconds
        if self.start is None:
            return [self.calls * lasts / 3600]
        profile = day_profile(self.calls, 0)
        quarter = DAY / len(profile)
        slots = ceil(lasts / quarter)
        first = int(self.start / quarter)
        return [profile[(first + n) % len(profile)] * lasts / quarter / slots for n in range(slots)]

    def drawn(self) -> list[Caller]:
        """The callers, in compressed time. The balking is in the patience."""
        each, c = self.citizens, self.compressed
        citizens = replace(
            each,
            talk=each.talk / c,
            longest_talk=each.longest_talk / c,
            wrap_up=each.wrap_up / c,
            patience=None if each.patience is None else each.patience / c,
            redial_after=each.redial_after / c,
            balk=0.0,
        )
        expected = self.expected
        return callers(expected, self.seconds / len(expected), citizens, Random(self.seed))  # noqa: S311 (no secret)


class Seen(NamedTuple):
    """A call as the ledger has it, in seconds since the begin."""

    number: str
    queued: float
    over: float  # answered, or gone
    rung: float | None
    outcome: Outcome
    in_queue: bool


async def simulate(setting: Setting) -> AsyncIterator[str]:
    """The lines that are printed. Raises CannotStart when the instance does not start."""
    load = os.getloadavg()[0]
    yield f"{os.cpu_count()} cores, load {load:.1f} before the run; phones, agents and 12345 share them"
    async with AsyncExitStack() as stack:
        told = await asyncio.to_thread(_told, *stack.enter_context(_started()))
        house = await _House.open(stack, told, setting)
        yield f"{setting.agents} agents are ready"
        begin = datetime.now(UTC)
        running = asyncio.ensure_future(house.run(setting.drawn()))
        while not (await asyncio.wait({running}, timeout=TOLD_EVERY))[0]:
            after = str(datetime.now(UTC) - begin).partition(".")[0]
            yield f"after {after}: {house.made} calls made, {house.going_on} on the line"
        greeting = running.result()
        yield f"greeting and notice take {greeting:.1f} s; clock B begins after them"
        for _ in range(4 * WRITTEN_SECONDS):
            seen, rings = await _ledger(str(told["postgres"]), begin)
            if len(seen) >= house.made:
                break
            await asyncio.sleep(0.25)
    yield f"load {os.getloadavg()[0]:.1f} after the run of {setting.seconds:g} s"
    yield ""
    for line in _report(setting, seen, rings, greeting):
        yield line


def _report(setting: Setting, seen: Sequence[Seen], rings: Sequence[float], greeting: float) -> Iterator[str]:
    scaled = TARGET_SECONDS / setting.compressed if setting.compressed != 1 else None
    replayed = _replay(setting, seen, greeting)
    citizens = setting.citizens
    length = max((each.at for each in replayed), default=0.0) + 1

    def way(rules: Rules) -> Any:
        trial = run(replayed, [setting.agents], length, rules, Random(setting.seed))  # noqa: S311 (no secret)
        return of_trials([trial], 0.0, target=TARGET_SECONDS, scaled=scaled)._replace(occupancy=None)

    in_queue = [(each.over - each.queued, each.outcome) for each in seen if each.in_queue]
    handling, c = citizens.handling / setting.compressed, setting.compressed
    rate = sum(setting.expected) * 3600 / setting.seconds

    def formula(patience: float | None) -> Any:
        both = []
        for target in (TARGET_SECONDS, scaled or TARGET_SECONDS):
            if patience is None:
                both.append(erlang_c(rate, handling, setting.agents, target=target))
            else:
                both.append(erlang_a(rate, handling, setting.agents, patience=patience / c, target=target))
        return of_formula(both[0], both[1] if scaled else None)

    columns = {
        "real calls": of_calls(in_queue, rings, target=TARGET_SECONDS, scaled=scaled),
        "our rules": way(Rules(ring=setting.ring)),
        "ideal pool": way(IDEAL),
        "Erlang C": formula(None),
    }
    if citizens.patience is not None:
        columns["Erlang A"] = formula(citizens.patience)
    yield from lines(columns, target=TARGET_SECONDS, scaled=scaled)
    outside = sum(not each.in_queue for each in seen)
    yield ""
    yield f"{outside} call(s) ended before the queue; goals: from a free seat to ringing p50 0.6 s, p99 1.2 s"
    yield "real calls, our rules and the ideal pool: the same callers, from the moment they entered the queue"
    yield "one pool: every caller dials 12345 and presses no key or the same, every agent has every skill and takes no"
    yield "break; services, skills, breaks, public danger and callbacks are tried by --house, not by real calls"


def _replay(setting: Setting, seen: Sequence[Seen], greeting: float) -> list[Caller]:
    """The drawn callers at the moments at which they really entered the queue for the first time."""
    first: dict[str, float] = {}
    for each in seen:
        if each.in_queue:
            first[each.number] = min(first.get(each.number, each.queued), each.queued)
    found = []
    for n, caller in enumerate(setting.drawn()):
        at = first.get(str(FIRST_NUMBER + n))
        if at is not None:
            tries = [
                Try(each.after + greeting if n else 0.0, max(SHORTEST_PATIENCE, each.patience))
                for n, each in enumerate(caller.tries)
            ]
            found.append(replace(caller, at=at, tries=tuple(tries)))
    return found


@contextmanager
def _started() -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """`callcenter up` in a folder of its own, and the file that tells when it is ready. Ended and removed with it."""
    folder = Path(tempfile.mkdtemp(prefix="callcenter-simulate-"))
    folder.chmod(0o755)  # Postgres runs under an account of its own when we are root
    ready = folder / "ready.json"
    words = ["up", "--demo", "--with-parent", "--home", str(folder / "home"), "--ready-file", str(ready)]
    with (folder / "up.log").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "callcenter.cli", *words],
            # The simulated agents end their wrap-up themselves.
            env={**os.environ, "CALLCENTER_WRAP_UP_SECONDS": "3600", "CALLCENTER_MISSED_RINGS": "10"},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield process, ready
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _told(process: "subprocess.Popen[bytes]", ready: Path) -> dict[str, Any]:
    """What the ready file tells. Raises CannotStart when the instance ends before."""
    for _ in range(10 * START_SECONDS):
        if ready.exists():
            return dict(json.loads(ready.read_text()))
        if process.poll() is not None:
            raise CannotStart((ready.parent / "up.log").read_text().strip()[-2000:])
        time.sleep(0.1)
    raise CannotStart(f"12345 was not ready after {START_SECONDS} s")


class _House:
    """The people of a run: agents with their desks and phones, and the citizens' line."""

    def __init__(self, http: str, setting: Setting) -> None:
        self.http, self.setting = http, setting
        self.desks: dict[str, ClientSession] = {}
        self.talks: dict[str, tuple[float, float]] = {}  # number -> talk, wrap-up
        self.met: dict[str, asyncio.Event] = {}
        self.said: dict[str, asyncio.Event] = {}
        self.made = 0  # calls
        self.going_on = 0  # citizens who wait or talk
        self.began: dict[str, float] = {}
        self.greeting: asyncio.Future[float] = asyncio.get_running_loop().create_future()  # how long it takes
        self.tasks: set[asyncio.Task[Any]] = set()
        self.agents: phones.Agents
        self.citizens: phones.Citizens

    @classmethod
    async def open(cls, stack: AsyncExitStack, told: dict[str, Any], setting: Setting) -> "_House":
        house = cls(str(told["http"]), setting)
        host, _, port = str(told["sip"]).rpartition(":")
        sip = (host, int(port))
        loop = asyncio.get_running_loop()
        _, voice = await loop.create_datagram_endpoint(phones.Voice, local_addr=("127.0.0.1", 0))
        _, house.citizens = await loop.create_datagram_endpoint(
            lambda: phones.Citizens(sip, voice), local_addr=("127.0.0.1", 0)
        )
        _, house.agents = await loop.create_datagram_endpoint(
            lambda: phones.Agents(sip, voice, setting.ring, house.talk, house.wrap_up), local_addr=("127.0.0.1", 0)
        )
        stack.callback(house.citizens.close)
        stack.callback(house.agents.close)
        keeping = asyncio.ensure_future(voice.keep())
        stack.callback(keeping.cancel)
        await house.staff(stack, told)
        return house

    async def staff(self, stack: AsyncExitStack, told: dict[str, Any]) -> None:
        """As many new agents as are wanted, each logged in, with a phone, seated, ready."""
        password = secrets.token_urlsafe(12)
        admin = next(each for each in told["demo_accounts"] if each["role"] == "admin")
        boss = await self.browser(stack, admin["login"], admin["password"])
        seats = [str(FIRST_SEAT + n) for n in range(self.setting.agents)]
        for seat in seats:
            person = {"login": f"sim{seat}", "name_zh": "座席", "name_en": "Agent", "roles": ["operator"]}
            await self.ask(boss, "POST", "/api/v1/users", person | {"password": password})
            await self.ask(boss, "POST", "/api/v1/seats", {"number": seat})
        for seat in seats:
            secret = (await self.ask(boss, "POST", f"/api/v1/seats/{seat}/secret"))["secret"]
            for _ in range(10):  # a seat that was made a moment ago is not known to Asterisk yet
                if await self.agents.register(seat, secret):
                    break
                await asyncio.sleep(1)
            else:
                raise CannotStart(f"the phone of seat {seat} cannot register")
            desk = self.desks[seat] = await self.browser(stack, f"sim{seat}", password)
            await self.ask(desk, "POST", "/api/v1/desk/seat", {"number": seat, "phone": "desk"})
        for desk in self.desks.values():
            await self.ask(desk, "POST", "/api/v1/desk/ready")
        for _ in range(60):
            if await self.ready(boss) == len(seats):
                return
            await asyncio.sleep(0.5)
        raise CannotStart(f"only {await self.ready(boss)} of {len(seats)} seats are ready")

    async def ready(self, boss: ClientSession) -> int:
        floor = await self.ask(boss, "GET", "/api/v1/floor")
        return sum(seat["state"] == SeatState.READY for seat in floor["seats"].values())

    async def browser(self, stack: AsyncExitStack, login: str, password: str) -> ClientSession:
        opened = ClientSession(self.http, cookie_jar=CookieJar(unsafe=True), headers={"X-Callcenter": "1"})
        await stack.enter_async_context(opened)
        await self.ask(opened, "POST", "/api/v1/session", {"login": login, "password": password})
        return opened

    async def ask(self, session: ClientSession, method: str, path: str, body: Any = None) -> Any:
        async with session.request(method, path, json=body) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise CannotStart(f"{method} {path}: {answer.status} {text[:200]}")
            return json.loads(text) if text else None

    async def run(self, drawn: Sequence[Caller]) -> float:
        """Let them all call; how long the greeting took, once the last call is over. Nobody calls: 0."""
        begin = asyncio.get_running_loop().time()
        await asyncio.gather(*(self.citizen(n, caller, begin) for n, caller in enumerate(drawn)))
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=30)
        return self.greeting.result() if self.greeting.done() else 0.0

    async def citizen(self, n: int, caller: Caller, begin: float) -> None:
        loop = asyncio.get_running_loop()
        number = str(FIRST_NUMBER + n)
        met, said = self.expect(number, caller.talk, caller.wrap_up)
        await asyncio.sleep(begin + caller.at - loop.time())
        for attempt in caller.tries:
            await asyncio.sleep(attempt.after)
            tired = asyncio.Event()
            tiring = asyncio.ensure_future(self.tire(loop.time(), attempt.patience, tired))
            self.began[number] = loop.time()
            self.made += 1
            self.going_on += 1
            await self.citizens.call(number, self.setting.key, tired, met, said)
            self.going_on -= 1
            tiring.cancel()
            if met.is_set():
                return

    async def tire(self, began: float, patience: float, tired: asyncio.Event) -> None:
        """Patience begins with the queue: after the greeting, whose length the first call tells that is answered.

        Nobody waits for a person before that call is answered: it came first, and everybody was free.
        """
        greeting = await asyncio.shield(self.greeting)
        if patience < inf:
            await asyncio.sleep(began + greeting + max(SHORTEST_PATIENCE, patience) - asyncio.get_running_loop().time())
            tired.set()

    def expect(self, number: str, talk: float, wrap_up: float) -> tuple[asyncio.Event, asyncio.Event]:
        """A citizen is about to call: what is set when a person answers, and when all is said."""
        self.talks[number] = (talk, wrap_up)
        self.met[number], self.said[number] = asyncio.Event(), asyncio.Event()
        return self.met[number], self.said[number]

    def talk(self, _seat: str, number: str) -> float:
        if not self.greeting.done():
            self.greeting.set_result(asyncio.get_running_loop().time() - self.began[number] - self.setting.ring)
        self.met[number].set()
        return self.talks[number][0]

    def wrap_up(self, seat: str, number: str) -> None:
        self.said[number].set()
        task = asyncio.ensure_future(self._wrap_up(seat, self.talks[number][1]))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _wrap_up(self, seat: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        for _ in range(20):
            try:
                await self.ask(self.desks[seat], "POST", "/api/v1/desk/wrap-up", {"act": "finish"})
            except (CannotStart, ClientError, TimeoutError):
                await asyncio.sleep(0.1)  # the talk is not over for the service yet
            else:
                return


async def _ledger(url: str, begin: datetime) -> tuple[list[Seen], list[float]]:
    """The calls since `begin`, and the times from a free seat to its ringing."""
    engine = make_engine(url, connections=1, name="callcenter simulate")
    try:
        async with engine.connect() as connection:
            rows = (await connection.execute(select(calls).where(calls.c.arrived_at >= begin))).all()
            rung = (
                await connection.execute(
                    select(segments.c.call_id, segments.c.rung_at, segments.c.ended_at, segments.c.answered_at)
                )
            ).all()
            states = (
                await connection.execute(
                    select(seat_states.c.state, seat_states.c.since, seat_states.c.until).where(
                        seat_states.c.since >= begin
                    )
                )
            ).all()
    finally:
        await engine.dispose()
    first_ring: dict[str, datetime] = {}
    for call_id, at, *_ in sorted(rung, key=lambda row: row.rung_at):
        first_ring.setdefault(call_id, at)

    def seconds(at: datetime) -> float:
        return (at - begin).total_seconds()

    seen = []
    for row in rows:
        if row.outcome is None:
            continue
        over = row.answered_at or row.left_at or row.ended_at
        ring = first_ring.get(row.id)
        seen.append(
            Seen(
                row.number,
                seconds(row.queued_at or row.arrived_at),
                seconds(over),
                seconds(ring) if ring else None,
                Outcome(row.outcome),
                row.queued_at is not None,
            )
        )
    ready = [(seconds(row.since), seconds(row.until)) for row in states if row.state == SeatState.READY and row.until]
    return seen, wanted(seen, ready)


def wanted(seen: Sequence[Seen], ready: Sequence[tuple[float, float]]) -> list[float]:
    """From a seat becoming free, while more callers waited than seats were free, to the first ring of one of them.

    Not to its own ring: app_queue rings the seat whose last talk ended longest ago, which may have come later.
    """
    found = []
    rung: set[int] = set()
    for since, _ in sorted(ready):
        waiting = [
            n
            for n, each in enumerate(seen)
            if each.queued <= since < (each.rung if each.rung is not None else each.over)
        ]
        if len(waiting) <= sum(start < since < end for start, end in ready):
            continue
        rings = [(each, n) for n in waiting if n not in rung and (each := seen[n].rung) is not None]
        if rings:
            at, n = min(rings)
            rung.add(n)
            found.append(at - since)
    return found
