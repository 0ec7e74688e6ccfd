"""What tests share: a real Postgres, one migrated database for each test.

Postgres is started once a session; a test's database is a copy of a migrated template (70 ms).
"""

import asyncio
import os
import secrets
import shutil
import signal
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import structlog
from argon2 import PasswordHasher
from exchange import exchange
from office import Office, open_office, settings_for
from outside import trunked, world
from ports import free_port
from sqlalchemy.ext.asyncio import AsyncEngine
from stack import BEGUN, one_stack, stack, telephony

from callcenter.people import passwords
from callcenter.people.demo import load_demo
from callcenter.people.passwords import Passwords
from callcenter.standalone import postgres as standalone
from callcenter.standalone.processes import Part
from callcenter.store.engine import make_engine
from callcenter.store.migrate import migrate

__all__ = ["exchange", "one_stack", "stack", "telephony", "trunked", "world"]

TEMPLATE = "template_12345"

#: What a slow test asks for, and how many seconds it takes then; any other one is done soon.
_SLOW = {"telephony": 8.0, "chromium": 5.0, "exchange": 2.0}
_SOON = 0.2
_LONG = 60.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first: a file is one worker's, and whoever begins the longest one last is waited for.

    Calls wait for time, browsers for a processor: both are spread over the whole run, so that some are always beside
    the others.
    """
    takes: defaultdict[Path, float] = defaultdict(float)
    calls, browses = set(), set()
    for item in items:
        assert isinstance(item, pytest.Function)
        asks = _SLOW.keys() & set(item.fixturenames)
        takes[item.path] += max((_SLOW[name] for name in asks), default=_SOON)
        takes[item.path] += _LONG if item.get_closest_marker("long") else 0
        if "chromium" in asks:
            browses.add(item.path)
        elif asks:
            calls.add(item.path)
    begins: dict[Path, float] = {}
    called = calls - browses
    for those in (called, takes.keys() - called):
        ordered = sorted(those, key=lambda path: (-takes[path], path))  # by every worker alike
        done, total = 0.0, sum(takes[path] for path in ordered)
        for path in ordered:
            begins[path] = done / total
            done += takes[path]
    items.sort(key=lambda item: (begins[item.path], item.path))


_COSTLY = passwords._hasher


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Tests log in thousands of times; what a guess costs is for those that take `costly_passwords`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(memory_cost=64, time_cost=1, parallelism=1))
        yield


@pytest.fixture
def costly_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords cost what they do in the service."""
    monkeypatch.setattr(passwords, "_hasher", _COSTLY)


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """A traceback as Python writes it: as a picture in colours it takes a tenth of a second of processor."""
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        cache_logger_on_first_use=False,
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The last to end is whoever has begun the workers."""
    if not hasattr(session.config, "workerinput"):
        shutil.rmtree(BEGUN, ignore_errors=True)
        BEGUN.with_suffix(".lock").unlink(missing_ok=True)


@dataclass(slots=True)
class Postgres:
    """A running server of the tests' own. `stop`, `kill`, `freeze` and `thaw` are for tests that do harm to it."""

    server: standalone.Server
    part: Part

    async def start(self) -> None:
        await self.part.start()
        await asyncio.wait_for(standalone.ready(self.server), 60)

    async def stop(self) -> None:
        await self.part.end()

    async def kill(self) -> None:
        """kill -9 of the whole server, every session with it: as if the power had gone."""
        assert self.part.process is not None
        self._signal(signal.SIGKILL)
        await self.part.process.wait()

    def freeze(self) -> None:
        """No error, only silence."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def url(self, database: str) -> str:
        return self.server.url.rpartition("/")[0] + f"/{database}"

    async def administer(self, words: str) -> None:
        connection = await asyncpg.connect(self.url("postgres"))
        try:
            await connection.execute(words)
        finally:
            await connection.close()

    async def new_database(self, template: str = TEMPLATE) -> str:
        """A copy of the template, which is migrated and empty unless another is given; returns its name."""
        name = f"t_{secrets.token_hex(6)}"
        await self.administer(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
        return name

    def _signal(self, what: signal.Signals) -> None:
        assert self.part.pid is not None
        signal_sessions(self.part.pid, what)


def signal_sessions(pid: int, what: signal.Signals) -> None:
    """Send a signal to a server of Postgres and every session of it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for each in (pid, *map(int, children)):
        try:
            os.kill(each, what)
        except ProcessLookupError:
            continue  # a session that ended by itself


async def run_postgres() -> AsyncIterator[Postgres]:
    # Not below pytest's own folder: as root that one is closed to the unprivileged account that Postgres runs under.
    home = Path(tempfile.mkdtemp(prefix="callcenter-postgres-"))
    home.chmod(0o755)
    try:
        server = standalone.Server(home=home / "postgres", port=free_port(), password=secrets.token_urlsafe(12))
        await asyncio.to_thread(standalone.prepare, server)
        part = standalone.part(server, home / "postgres.log")
        part.patience = 30  # killed alone, it would leave sessions behind that keep the next start out
        running = Postgres(server, part)
        await running.start()
        try:
            await running.administer(f"CREATE DATABASE {TEMPLATE}")
            engine = make_engine(running.url(TEMPLATE))
            await migrate(engine)
            await engine.dispose()
            yield running
        finally:
            if running.part.pid is not None:
                running.thaw()
            await running.stop()
    finally:
        shutil.rmtree(home)


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[Postgres]:
    """The session's server. Do no harm to it: see `own_postgres`."""
    async for running in run_postgres():
        yield running


@pytest.fixture
async def own_postgres() -> AsyncIterator[Postgres]:
    """A server for one test alone, which may stop, kill and freeze it."""
    async for running in run_postgres():
        yield running


@pytest.fixture
async def database_url(postgres: Postgres) -> AsyncIterator[str]:
    """The address of an empty, migrated database."""
    name = await postgres.new_database()
    yield postgres.url(name)
    await postgres.administer(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on an empty, migrated database."""
    engine = make_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture(scope="session")
async def demo_city(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A database with the demo's people, to be copied, and the demo.json that belongs to it."""
    name = await postgres.new_database()
    settings = settings_for(tmp_path_factory.mktemp("demo"))
    engine = make_engine(postgres.url(name))
    await load_demo(engine, settings, Passwords())
    await engine.dispose()
    return name, settings.home / "demo.json"


async def _office(postgres: Postgres, demo_city: tuple[str, Path], home: Path) -> AsyncIterator[Office]:
    template, demo = demo_city
    name = await postgres.new_database(template)
    shutil.copy(demo, home)
    async with open_office(postgres.url(name), settings_for(home)) as running:
        yield running
    await postgres.administer(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
async def office(
    postgres: Postgres, demo_city: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    """The running service with its demo people, shared by a module's tests."""
    async for running in _office(postgres, demo_city, tmp_path_factory.mktemp("office")):
        yield running


@pytest.fixture
async def own_office(postgres: Postgres, demo_city: tuple[str, Path], tmp_path: Path) -> AsyncIterator[Office]:
    """A running service for one test alone."""
    async for running in _office(postgres, demo_city, tmp_path):
        yield running
