"""What tests share: a real Postgres, one migrated database for each test.

Postgres is started once a session; a test's database is a copy of a migrated template (70 ms).
"""

import asyncio
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from office import Office, open_office, settings_for
from sqlalchemy.ext.asyncio import AsyncEngine
from stack import one_stack, stack, telephony

from callcenter.standalone import postgres as standalone
from callcenter.standalone.processes import Part
from callcenter.store.engine import make_engine
from callcenter.store.migrate import migrate

__all__ = ["one_stack", "stack", "telephony"]

TEMPLATE = "template_12345"


@dataclass(slots=True)
class Postgres:
    """A running server of the tests' own. `stop`, `kill`, `freeze` and `thaw` are for tests that do harm to it."""

    server: standalone.Server
    part: Part

    async def start(self) -> None:
        await self.part.start()
        await asyncio.wait_for(standalone.ready(self.server), 20)

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

    async def new_database(self) -> str:
        """A migrated, empty database; returns its name."""
        name = f"t_{secrets.token_hex(6)}"
        await self.administer(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY wal_log")
        return name

    def _signal(self, what: signal.Signals) -> None:
        pid = self.part.pid
        assert pid is not None
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            try:
                os.kill(each, what)
            except ProcessLookupError:
                continue  # a session that ended by itself


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def _run_postgres() -> AsyncIterator[Postgres]:
    # Not below pytest's own folder: as root that one is closed to the unprivileged account that Postgres runs under.
    home = Path(tempfile.mkdtemp(prefix="callcenter-postgres-"))
    home.chmod(0o755)
    try:
        server = standalone.Server(home=home / "postgres", port=free_port(), password=secrets.token_urlsafe(12))
        await asyncio.to_thread(standalone.prepare, server)
        running = Postgres(server, standalone.part(server, home / "postgres.log"))
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
    async for running in _run_postgres():
        yield running


@pytest.fixture
async def own_postgres() -> AsyncIterator[Postgres]:
    """A server for one test alone, which may stop, kill and freeze it."""
    async for running in _run_postgres():
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


@pytest.fixture(scope="module")
async def office(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """The running service with its demo people, shared by a module's tests."""
    name = await postgres.new_database()
    engine = make_engine(postgres.url(name))
    async with open_office(engine, settings_for(tmp_path_factory.mktemp("office"))) as running:
        yield running
    await engine.dispose()
    await postgres.administer(f"DROP DATABASE {name} WITH (FORCE)")
