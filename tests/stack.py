"""A whole instance by `callcenter up`, the desks and wallboards of its people, and what its ledger says.

`stack` is one instance for the whole session, with a wrap-up of 3 s and no questions after the talk.
"""

import asyncio
import copy
import fcntl
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
from ports import free_port
from trunk import Trunk, open_trunk
from typer.testing import CliRunner
from yarl import URL

from callcenter import cli
from callcenter.log import mask
from callcenter.people.sessions import COOKIE

WRAP_UP = 3

#: How long a test waits for what it expects, in seconds. How fast things are is the benchmarks' business: here other
#: tests run beside.
PATIENCE = 30.0

#: Most moments of a call that the files count as their version; the line's last word is counted in microseconds.
FILES_KNOW = 1_000_000

Row = dict[str, Any]

HIRED = "a long password"  # of all who are hired for a test


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
        elif kind in {"supervisions", "supervised", "alarms"}:
            self.view[kind] = message[kind]
        elif kind == "figures":
            self.view |= {name: message[name] for name in ("figures", "callbacks")}
        self.moved.set()

    def shown(self) -> str:
        """What it shows, for people, without the day's figures."""
        told = {name: value for name, value in self.view.items() if name != "figures"}
        return json.dumps(told, ensure_ascii=False, indent=1)

    async def until(self, true: Callable[[Row], object], timeout: float = PATIENCE) -> Row:
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
        await self.state("break", "ready")  # with its phone in reach: before that nobody is on duty
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
        await self.state("ready", "break", "wrap_up", "unreachable")
        await self.ask("DELETE", "/desk/seat")
        await self.state("offline")
        self.seat, self.phone = "", None

    async def state(self, *states: str, timeout: float = PATIENCE) -> Row:
        """Wait until the seat is shown in one of these states; its row. `offline` is having none."""

        def shown(view: Row) -> bool:
            seat = view.get("seat")
            return (seat["state"] if seat else "offline") in states

        view = await self.screen.until(shown, timeout)
        row: Row = view.get("seat") or {}
        return row

    async def pop(self, number: str, timeout: float = PATIENCE) -> Row:
        """Wait for the screen-pop of this caller, whose number a seat that is asked sees masked."""
        shown = {number, mask(number)}
        view = await self.screen.until(lambda v: v.get("call") and v["call"]["number"] in shown, timeout)
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
    #: The cookies of those who had logged in before this instance began.
    logged_in: dict[str, str] = field(default_factory=dict)
    _desks: list[Desk] = field(default_factory=list)
    _seat_phones: dict[str, Agent] = field(default_factory=dict)
    _browsers: dict[str, Browser] = field(default_factory=dict)
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

    async def boss(self) -> Browser:
        """The browser of the administrator."""
        return await self.browser(next(each["login"] for each in self.told["demo_accounts"] if each["role"] == "admin"))

    async def hire(self, boss: Browser, login: str, seat: str) -> None:
        """A new agent and a new seat, which Asterisk knows; both are then as those of the demo."""
        person = {"login": login, "name_zh": "座席", "name_en": "Agent", "roles": ["operator"], "password": HIRED}
        for path, body, wanted in (
            ("/users", person, 201),
            ("/seats", {"number": seat}, 201),
            (f"/seats/{seat}/secret", None, 200),
        ):
            status, answer = await boss.ask("POST", f"/api/v1{path}", body)
            assert status == wanted, answer
        self.told["demo_accounts"].append({"login": login, "password": HIRED, "role": "operator"})
        self.told["demo_seats"].append({"number": seat, "secret": answer["secret"]})
        end = time.monotonic() + PATIENCE
        while "Unable to find" in await self.tell_asterisk(f"pjsip show aor {seat}"):
            assert time.monotonic() < end, "Asterisk does not know the seat"
            await asyncio.sleep(0.1)

    async def employ(self, login: str, zh: str, en: str, role: str, unit: str | None = None) -> str:
        """A new account with this role, for a unit if one is given; its login. Whoever is employed stays."""
        if all(each["login"] != login for each in self.told["demo_accounts"]):
            person = {"login": login, "name_zh": zh, "name_en": en, "roles": [role], "password": HIRED, "unit": unit}
            status, answer = await (await self.boss()).ask("POST", "/api/v1/users", person)
            assert status == 201, answer
            self.told["demo_accounts"].append({"login": login, "password": HIRED, "role": role})
        return login

    async def browser(self, login: str, *, another: bool = False) -> Browser:
        """The browser in which this person is logged in; it is kept from one test to the next, unless it is another."""
        known = None if another else self._browsers.get(login)
        if known and (await known.ask("GET", "/api/v1/session"))[0] == 200:
            return known
        session = await self._open.enter_async_context(ClientSession(cookie_jar=CookieJar(unsafe=True)))
        browser = self._browsers[login] = Browser(self.url, session)
        if not known and not another and login in self.logged_in:
            session.cookie_jar.update_cookies({COOKIE: self.logged_in[login]}, URL(self.url))
            return browser
        password = next(each["password"] for each in self.told["demo_accounts"] if each["login"] == login)
        status, answer = await browser.log_in(login, password)
        assert status == 200, answer
        return browser

    async def screen(self, browser: Browser, view: str) -> Screen:
        """A page of this browser that is informed by websocket: `desk` or `floor`."""
        screen, ready = Screen(f"{self.url}/api/v1/live?view={view}"), asyncio.Event()
        screen.task = asyncio.ensure_future(screen.listen(browser.session, ready))
        self._open.callback(screen.task.cancel)
        await asyncio.wait_for(ready.wait(), PATIENCE)
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

    async def tell_asterisk(self, line: str) -> str:
        """One line on Asterisk's own console. It has been done when this returns; what was printed."""
        reader, writer = await asyncio.open_unix_connection(self.home / "asterisk" / "run" / "asterisk.ctl")
        await reader.readline()  # who it is
        writer.write(f"{line}\0core ping\0".encode())
        printed = await asyncio.wait_for(reader.readuntil(b"core ping"), PATIENCE)
        writer.close()
        return printed.decode(errors="replace")

    async def rows(self, query: str, *values: Any) -> list[Row]:
        """Ask the database itself."""
        connection = await asyncpg.connect(self.told["postgres"])
        try:
            return [dict(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    async def record(self, number: str, timeout: float = PATIENCE) -> Row:
        """The one row of this caller's one call, when it has ended and the line has told of it, with its segments."""
        return await self._record("number", number, timeout)

    async def record_of(self, call: str, timeout: float = PATIENCE) -> Row:
        """Likewise, by the call's id: after a confidential order its row has no number."""
        return await self._record("id", call, timeout)

    async def _record(self, column: str, value: str, timeout: float) -> Row:
        end = time.monotonic() + timeout
        while True:
            rows = await self.rows(f"SELECT * FROM calls WHERE {column} = $1", value)
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
        words = ["reconcile", "--home", str(self.home)]
        environment = {"CALLCENTER_DATABASE_URL": self.told["postgres"]}
        done = await asyncio.to_thread(CliRunner().invoke, cli.app, words, env=environment)
        assert done.exit_code == 0, done.output
        return done.output

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


def _begin(folder: Path, **settings: str) -> subprocess.Popen[bytes]:
    """`callcenter up` in the home of this folder, with these settings (names without the prefix)."""
    words = ["up", "--home", folder / "home", "--demo", "--ready-file", _ready_file(folder)]
    with (folder / "up.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "callcenter.cli", *words],
            env=clean_environment() | {f"CALLCENTER_{name}": value for name, value in settings.items()},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _ready_file(folder: Path) -> Path:
    return folder / "home" / "ready.json"


async def _ready(folder: Path, process: subprocess.Popen[bytes]) -> Row:
    """What the ready file tells, when it is there."""
    end, file = time.monotonic() + 60, _ready_file(folder)
    while not file.exists():
        assert process.poll() is None and time.monotonic() < end, (folder / "up.log").read_text()
        await asyncio.sleep(0.05)
    told: Row = json.loads(file.read_text())
    return told


async def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(process.wait, 15)


def _folder() -> Path:
    # As root Postgres runs under an account that may not enter pytest's own folder.
    folder = Path(tempfile.mkdtemp(prefix="callcenter-stack-"))
    folder.chmod(0o755)
    return folder


#: The home of an instance that was started once, for all workers of this run; they inherit the variable.
BEGUN = Path(os.environ.setdefault("BEGUN_INSTANCE", f"{tempfile.gettempdir()}/callcenter-begun-{os.getpid()}"))


LOGGED_IN = "logged_in.json"


async def _log_in(told: Row) -> dict[str, str]:
    """Everybody logs in; login -> cookie."""
    found = {}
    for each in told["demo_accounts"]:
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
            browser = Browser(told["http"], session)
            status, answer = await browser.log_in(each["login"], each["password"])
            cookie = browser.cookie()
            assert status == 200 and cookie, answer
            found[each["login"]] = cookie
    return found


async def _begun() -> Path:
    """A home to copy: a first start makes a database and checks passwords, which is proven elsewhere."""
    with BEGUN.with_suffix(".lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        if not BEGUN.exists():
            folder = _folder()
            process = _begin(folder)
            try:
                cookies = await _log_in(await _ready(folder, process))
            finally:
                await _end(process)
            (folder / "home" / LOGGED_IN).write_text(json.dumps(cookies))
            shutil.rmtree(folder / "home" / "asterisk")
            (folder / "home" / "log" / "service.log").unlink()
            folder.rename(BEGUN)
    return BEGUN / "home"


def _copy(begun: Path, home: Path) -> None:
    """The same people, seats and secrets; ports of its own."""
    subprocess.run(["cp", "-a", begun, home], check=True)
    file = home / "instance.json"
    ports = {name: free_port() for name in ("http", "sip", "ws", "ami", "postgres")}
    file.write_text(json.dumps(json.loads(file.read_text()) | ports))


@asynccontextmanager
async def open_stack(runtime: Runtime, **settings: str) -> AsyncIterator[Stack]:
    """Start an instance with these settings (names without the prefix), and end it."""
    folder = _folder()
    home = folder / "home"
    if "DATABASE_URL" not in settings:
        await asyncio.to_thread(_copy, await _begun(), home)
    rules = {"WRAP_UP_SECONDS": str(WRAP_UP), "WRAP_UP_LEAST_SECONDS": str(WRAP_UP), "SURVEY": "false"}
    process = _begin(folder, **(rules | settings))
    try:
        told = await _ready(folder, process)
        async with AsyncExitStack() as opened:
            trunk = await opened.enter_async_context(open_trunk(told["sip"]))
            kept = home / LOGGED_IN
            cookies = json.loads(kept.read_text()) if kept.exists() else {}
            yield Stack(home, process, told, Phones(runtime, told["sip"]), trunk, opened, cookies)
    finally:
        await _end(process)
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
    log = one_stack.home / "log" / "service.log"
    before = log.stat().st_size
    yield one_stack
    await one_stack.clear()
    print(log.read_bytes()[before:].decode(errors="replace"))  # shown when the test fails
