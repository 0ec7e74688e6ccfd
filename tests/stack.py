"""A whole instance by `callcenter up`, the desks and wallboards of its people, and what its ledger says.

`stack` is one instance for the whole session, with a wrap-up of 3 s.
"""

import asyncio
import copy
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession, CookieJar, WSMsgType
from baresip.runtime import Runtime
from office import Browser
from phones import Agent, Phones, native_stack
from trunk import Trunk, open_trunk

WRAP_UP = 3

#: Most moments of a call that the files count as their version; the line's last word is counted in microseconds.
FILES_KNOW = 1_000_000

Row = dict[str, Any]


@dataclass
class Screen:
    """A page that stays informed: a snapshot, then its changes, each numbered. `view` is what it shows now."""

    url: str
    view: Row = field(default_factory=dict)
    seen: list[Row] = field(default_factory=list)  # every message, as it came
    closed: int | None = None
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Future[None] | None" = None

    async def listen(self, session: ClientSession, ready: asyncio.Event) -> None:
        socket = await session.ws_connect(self.url)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            self.take(json.loads(message.data))
            ready.set()
        self.closed = socket.close_code
        self.moved.set()

    def take(self, message: Row) -> None:
        """The law of the screens: old view + changes = new view, and no number is ever left out."""
        kind = message["type"]
        if kind != "alive":
            self.seen.append(message)
        if kind == "snapshot":
            self.view = copy.deepcopy(message)
        elif kind == "changes":
            assert message["n"] == self.view["n"] + 1, "a change was left out"
            for name, value in message.items():
                if name in {"calls", "seats"}:
                    self.view[name] |= value
                    self.view[name] = {key: row for key, row in self.view[name].items() if row is not None}
                else:
                    self.view[name] = value
        elif kind == "figures":
            self.view["figures"] = message["figures"]
        self.moved.set()

    def shown(self) -> str:
        """What it shows, for people, without the day's figures."""
        told = {name: value for name, value in self.view.items() if name != "figures"}
        return json.dumps(told, ensure_ascii=False, indent=1)

    async def until(self, true: Callable[[Row], object], timeout: float = 2.0) -> Row:
        """Wait until the page shows it; the view. Raises AssertionError with the view when it does not."""
        end = time.monotonic() + timeout
        while not true(self.view):
            if self.task is not None and self.task.done():
                self.task.result()
            left = end - time.monotonic()
            assert left > 0, f"not shown within {timeout:g} s: {self.shown()}"
            self.moved.clear()
            try:
                await asyncio.wait_for(self.moved.wait(), left)
            except TimeoutError:
                continue
        return self.view


@dataclass
class Desk:
    """An agent's desk: the browser, its websocket, and the phone beside it."""

    stack: "Stack"
    login: str
    browser: Browser
    screen: Screen
    seat: str = ""
    phone: Agent | None = None

    async def ask(self, method: str, path: str, body: Any = None, status: int = 202) -> Any:
        """Ask the API; the parsed answer."""
        got, answer = await self.browser.ask(method, f"/api/v1{path}", body)
        assert got == status, f"{method} {path}: {got} {answer}"
        return answer

    async def sit(self, seat: str, *, ready: bool = True, behaviour: str = "answer", delay: float = 0.0) -> "Desk":
        """Take a seat with a desk phone that behaves so."""
        self.phone = await self.stack.phone(seat)
        self.phone.behaviour, self.phone.delay = behaviour, delay
        await self.sit_down(seat)
        if ready:
            await self.ready()
        return self

    async def sit_down(self, seat: str) -> None:
        """Take a seat whose phone is somebody else's business."""
        self.seat = seat
        await self.ask("POST", "/desk/seat", {"number": seat, "phone": "desk"})
        await self.state("break", "unreachable")

    async def ready(self) -> None:
        await self.ask("POST", "/desk/ready")
        await self.state("ready")

    async def leave(self) -> None:
        """Stand up, whatever was going on."""
        if not self.screen.view.get("seat"):
            return
        if self.phone is not None:
            await self.phone.hang_up()
        await self.state("ready", "break", "wrap_up", "unreachable", timeout=5)
        await self.ask("DELETE", "/desk/seat")
        await self.state("offline")
        self.seat, self.phone = "", None

    async def state(self, *states: str, timeout: float = 2.0) -> Row:
        """Wait until the seat is shown in one of these states; its row. `offline` is having none."""

        def shown(view: Row) -> bool:
            seat = view.get("seat")
            return (seat["state"] if seat else "offline") in states

        view = await self.screen.until(shown, timeout)
        row: Row = view.get("seat") or {}
        return row

    async def pop(self, number: str, timeout: float = 20.0) -> Row:
        """Wait for the screen-pop of this caller."""
        view = await self.screen.until(lambda v: v.get("call") and v["call"]["number"] == number, timeout)
        call: Row = view["call"]
        return call


@dataclass
class Stack:
    """A running instance."""

    home: Path
    process: subprocess.Popen[bytes]
    told: Row
    phones: Phones
    trunk: Trunk
    _open: AsyncExitStack
    _desks: list[Desk] = field(default_factory=list)
    _seat_phones: dict[str, Agent] = field(default_factory=dict)
    _numbers: int = 13_800_000_000

    @property
    def url(self) -> str:
        url: str = self.told["http"]
        return url

    def number(self) -> str:
        """A telephone number that no other call of this instance has."""
        self._numbers += 1
        return str(self._numbers)

    def pid(self, part: str) -> int:
        """The process of a part now; `up` writes it anew after each start."""
        pid: int = json.loads((self.home / "ready.json").read_text())["pids"][part]
        return pid

    def secret(self, seat: str) -> str:
        secret: str = next(each["secret"] for each in self.told["demo_seats"] if each["number"] == seat)
        return secret

    async def browser(self, login: str) -> Browser:
        """A browser in which this person is logged in."""
        session = await self._open.enter_async_context(ClientSession(cookie_jar=CookieJar(unsafe=True)))
        browser = Browser(self.url, session)
        password = next(each["password"] for each in self.told["demo_accounts"] if each["login"] == login)
        status, answer = await browser.log_in(login, password)
        assert status == 200, answer
        return browser

    async def screen(self, browser: Browser, view: str) -> Screen:
        """A page of this browser that is informed by websocket: `desk` or `floor`."""
        screen, ready = Screen(f"{self.url}/api/v1/live?view={view}"), asyncio.Event()
        screen.task = asyncio.ensure_future(screen.listen(browser.session, ready))
        self._open.callback(screen.task.cancel)
        await asyncio.wait_for(ready.wait(), 5)
        return screen

    async def desk(self, login: str) -> Desk:
        """A person at the desk page."""
        browser = await self.browser(login)
        desk = Desk(self, login, browser, await self.screen(browser, "desk"))
        self._desks.append(desk)
        return desk

    async def board(self) -> Screen:
        """A wallboard."""
        return await self.screen(await self.browser("sunli"), "floor")

    async def phone(self, seat: str) -> Agent:
        """The desk phone of a seat, registered. It is kept from one test to the next."""
        if seat not in self._seat_phones:
            self._seat_phones[seat] = await self.phones.agent(seat, self.secret(seat))
        phone = self._seat_phones[seat]
        phone.reset()
        return phone

    def phones_at_seats(self) -> list[Agent]:
        return list(self._seat_phones.values())

    async def clear(self) -> None:
        """All citizens hang up, all agents go home."""
        for citizen in self.trunk.citizens.values():
            await citizen.hang_up()
        for desk in self._desks:
            status, _ = await desk.browser.ask("GET", "/api/v1/desk")
            if status == 200:
                desk.screen = await self.screen(desk.browser, "desk")
                await desk.leave()
        self._desks.clear()

    async def tell_asterisk(self, line: str) -> None:
        """One line on Asterisk's own console. It has been done when this returns."""
        reader, writer = await asyncio.open_unix_connection(self.home / "asterisk" / "run" / "asterisk.ctl")
        await reader.readline()  # who it is
        writer.write(f"{line}\0core ping\0".encode())
        await asyncio.wait_for(reader.readuntil(b"core ping"), 5)
        writer.close()

    async def rows(self, query: str, *values: Any) -> list[Row]:
        """Ask the database itself."""
        connection = await asyncpg.connect(self.told["postgres"])
        try:
            return [dict(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    async def record(self, number: str, timeout: float = 5.0) -> Row:
        """The one row of this caller's one call, when it has ended and the line has told of it, with its segments."""
        end = time.monotonic() + timeout
        while True:
            rows = await self.rows("SELECT * FROM calls WHERE number = $1", number)
            if len(rows) == 1 and rows[0]["outcome"] and rows[0]["version"] > FILES_KNOW:
                break
            assert len(rows) < 2, f"{len(rows)} rows of one call"
            assert time.monotonic() < end, f"not on record within {timeout:g} s: {rows}"
            await asyncio.sleep(0.1)
        return rows[0] | {"segments": await self.segments(rows[0]["id"])}

    async def segments(self, call: str) -> list[Row]:
        return await self.rows("SELECT * FROM segments WHERE call_id = $1 ORDER BY n", call)

    async def reconcile(self) -> str:
        """What `callcenter reconcile` prints. Raises AssertionError when a call is not explained."""
        words = [sys.executable, "-m", "callcenter.cli", "reconcile", "--home", str(self.home)]
        environment = clean_environment() | {"CALLCENTER_DATABASE_URL": self.told["postgres"]}
        done = await asyncio.to_thread(subprocess.run, words, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    async def ready_again(self, timeout: float) -> float:
        """Wait until the service says that it is ready; the seconds that it took."""
        began = time.monotonic()
        async with ClientSession() as session:
            while True:
                try:
                    async with session.get(self.url + "/readyz") as answer:
                        if answer.status == 200:
                            return time.monotonic() - began
                except OSError:
                    pass
                assert time.monotonic() - began < timeout, f"not ready within {timeout:g} s"
                await asyncio.sleep(0.05)

    async def metrics(self) -> dict[str, float]:
        """What /metrics says: name with labels -> value."""
        async with ClientSession() as session, session.get(self.url + "/metrics") as answer:
            lines = [line.rpartition(" ") for line in (await answer.text()).splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in lines}


def clean_environment() -> dict[str, str]:
    """Ours, without settings of the call center."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CALLCENTER_")}


@asynccontextmanager
async def open_stack(runtime: Runtime, **settings: str) -> AsyncIterator[Stack]:
    """Start an instance with these settings (names without the prefix), and end it."""
    # As root Postgres runs under an account that may not enter pytest's own folder.
    folder = Path(tempfile.mkdtemp(prefix="callcenter-stack-"))
    folder.chmod(0o755)
    home, file = folder / "home", folder / "home" / "ready.json"
    words = {"WRAP_UP_SECONDS": str(WRAP_UP)} | settings
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "callcenter.cli", "up", "--home", home, "--demo", "--ready-file", file],
            env=clean_environment() | {f"CALLCENTER_{name}": value for name, value in words.items()},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + 60
        while not file.exists():
            assert process.poll() is None and time.monotonic() < end, (folder / "up.log").read_text()
            await asyncio.sleep(0.05)
        told = json.loads(file.read_text())
        async with AsyncExitStack() as opened:
            trunk = await opened.enter_async_context(open_trunk(told["sip"]))
            yield Stack(home, process, told, Phones(runtime, told["sip"]), trunk, opened)
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 15)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
async def telephony() -> AsyncIterator[Runtime]:
    """What carries the phones of all instances."""
    async with native_stack() as runtime:
        yield runtime


@pytest.fixture(scope="session")
async def one_stack(telephony: Runtime) -> AsyncIterator[Stack]:
    async with open_stack(telephony) as running:
        yield running


@pytest.fixture
async def stack(one_stack: Stack) -> AsyncIterator[Stack]:
    """The session's instance, with nobody at its seats before and after the test."""
    yield one_stack
    await one_stack.clear()
