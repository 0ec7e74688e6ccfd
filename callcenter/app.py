"""All wiring, in start order, top to bottom. The only file that knows all rooms."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
import uvloop
from aiohttp import web
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, SETTINGS, mount
from callcenter.asterisk.link import Account, Address, Line, LineState
from callcenter.calls.follow import SurePath
from callcenter.calls.journal import Journal
from callcenter.calls.ledger import Ledger
from callcenter.calls.recorder import Recorder
from callcenter.calls.routes import RECORDER
from callcenter.calls.routes import routes as calls
from callcenter.calls.writers import WRITERS
from callcenter.clock import now
from callcenter.directory.routes import routes as directory
from callcenter.door import new_application
from callcenter.floor.acts import Acts
from callcenter.floor.count import count, show
from callcenter.floor.duty import keep_duty
from callcenter.floor.model import Floor
from callcenter.floor.routes import LINE, RUNNER
from callcenter.floor.routes import routes as floor
from callcenter.floor.run import Runner
from callcenter.log import set_up_logs
from callcenter.openapi import routes as openapi
from callcenter.ops import PARTS, keep
from callcenter.ops import routes as ops
from callcenter.pages import FILES, built
from callcenter.pages import routes as pages
from callcenter.people.demo import load_demo
from callcenter.people.passwords import PASSWORDS
from callcenter.people.routes import routes as people
from callcenter.people.seats import keep_seats, write_seats
from callcenter.people.sessions import SESSIONS
from callcenter.push.hub import Hub
from callcenter.push.routes import HUB
from callcenter.push.routes import routes as push
from callcenter.reports.run import keep as keep_figures
from callcenter.reports.tally import Book
from callcenter.settings import Settings
from callcenter.standalone import CannotStart
from callcenter.store.engine import SILENCE_SECONDS, DatabaseAway, make_engine, within
from callcenter.store.migrate import SchemaTooNew, migrate
from callcenter.store.tables import users
from callcenter.workorders.drafts import Drafts
from callcenter.workorders.routes import DRAFTS, LEDGER
from callcenter.workorders.routes import routes as workorders
from callcenter.workorders.writers import order_writer, write_drafts

#: How long a start waits for Postgres before it goes on without.
FIRST_MIGRATION: Final = 5.0
RETRY: Final = 2.0
NAMES_EVERY: Final = 10.0

log = structlog.get_logger()

MIGRATED: Final = web.AppKey("MIGRATED", asyncio.Event)


#: Every room's routes.
ROOMS: Final = (ops, people, directory, floor, push, calls, workorders, openapi, pages)


def make_app(settings: Settings) -> web.Application:
    """The whole service. Raises ValueError, OSError for settings that cannot work."""
    if settings.database_url is None:
        raise CannotStart("no database: set CALLCENTER_DATABASE_URL, or start everything by `callcenter up`")
    engine = make_engine(settings.database_url.get_secret_value())
    app = new_application(settings, engine)
    app[MIGRATED] = asyncio.Event()
    app[FILES] = built()
    app[PARTS] = {}
    mount(app, *ROOMS)
    app.cleanup_ctx.extend([_store, _people, _ledger, _floor])
    return app


async def _store(app: web.Application) -> AsyncIterator[None]:
    """The schema. Without Postgres the service starts all the same: calls go on, the journal fills."""
    engine = app[ENGINE]
    app[PARTS]["database"] = lambda: _database(engine, app[MIGRATED])
    try:
        await within(FIRST_MIGRATION, migrate(engine))
        app[MIGRATED].set()
    except DatabaseAway as error:
        log.warning("started_without_database", why=str(error))
    async with _tasks(("migration", lambda: _migrate_later(engine, app[MIGRATED]))):
        yield
    with contextlib.suppress(DatabaseAway):
        await within(2, engine.dispose())  # a silent Postgres does not say farewell


async def _people(app: web.Application) -> AsyncIterator[None]:
    """Accounts, sessions, seats; in a demo the people of the demo city."""
    settings, engine, migrated = app[SETTINGS], app[ENGINE], app[MIGRATED]
    loaded = asyncio.Event()

    async def seats() -> None:
        await migrated.wait()
        if settings.demo:
            await load_demo(engine, settings, app[PASSWORDS])
        await within(SILENCE_SECONDS, write_seats(engine, settings))
        loaded.set()
        await keep_seats(engine, settings)

    async def people_loaded() -> str | None:
        return None if loaded.is_set() else "accounts and seats have not been read yet"

    app[PARTS]["seats"] = people_loaded

    async with _tasks(("sessions", app[SESSIONS].run), ("seats", seats)):
        yield


async def _ledger(app: web.Application) -> AsyncIterator[None]:
    """What is written down: rows to Postgres, or to the journal while it is away."""
    settings = app[SETTINGS]
    key = settings.number_key.get_secret_value().encode()
    journal = Journal(settings.home / "journal", settings.journal_megabytes * 2**20)
    orders = {"drafts": write_drafts, "orders": order_writer(settings.zone)}
    ledger = app[LEDGER] = Ledger(app[ENGINE], journal, WRITERS | orders)
    app[DRAFTS] = Drafts(app[ENGINE], ledger, journal)
    recorder = app[RECORDER] = Recorder(ledger, node=settings.node, number_key=key)
    async with _tasks(("ledger", ledger.run), ("recorder", recorder.run)):
        yield


async def _floor(app: web.Application) -> AsyncIterator[None]:
    """The line to Asterisk, the floor, and all who hear of it."""
    settings, engine = app[SETTINGS], app[ENGINE]
    line = app[LINE] = Line(
        Account(
            node=settings.node,
            address=Address(settings.ami_host, settings.ami_port),
            system_name=settings.system_name.get_secret_value(),
            events_secret=settings.ami_events_secret.get_secret_value(),
            actions_secret=settings.ami_actions_secret.get_secret_value(),
        )
    )
    dirty = asyncio.Event()
    sure = SurePath(
        engine,
        settings.asterisk_log,
        line.reader,
        number_key=settings.number_key.get_secret_value().encode(),
        repaired=dirty.set,
    )
    state = Floor(settings.node, datetime.fromtimestamp(0, UTC), timedelta(seconds=settings.wrap_up_seconds))
    runner = app[RUNNER] = Runner(line, state, sure.known)
    book = Book(settings.zone, now())
    names: dict[str, tuple[str, str]] = {}
    hub = app[HUB] = Hub(state, line, book, lambda: names)
    runner.sinks = [
        ("acts", Acts(line, state, settings.missed_rings)),
        ("screens", hub),
        ("recorder", app[RECORDER]),
        ("figures", book),
        ("metrics", count),
    ]

    show(state)

    async def asterisk() -> str | None:
        if line.state is not LineState.LIVE:
            return f"{line.state}: {line.why}"
        return None if runner.synced.is_set() else "the first snapshot has not been taken in yet"

    app[PARTS]["asterisk"] = asterisk
    async with _tasks(
        ("line", line.run),
        ("floor", runner.run),
        ("audit", runner.audit),
        ("sure_path", sure.run),
        ("figures", lambda: keep_figures(book, engine, dirty)),
        ("names", lambda: _keep_names(engine, names)),
        ("duty", lambda: keep_duty(engine, line, state)),
        ("boards", hub.keep_boards),
        ("board_figures", hub.keep_figures),
        ("desks", hub.keep_desks),
    ):
        yield


async def _database(engine: AsyncEngine, migrated: asyncio.Event) -> str | None:
    if not migrated.is_set():
        return "away, or its schema is not this release's"

    async def ask() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    try:
        await within(1.5, ask())
    except DatabaseAway as error:
        return str(error)
    return None


async def _migrate_later(engine: AsyncEngine, migrated: asyncio.Event) -> None:
    while not migrated.is_set():
        await asyncio.sleep(RETRY)
        try:
            await within(60, migrate(engine))
            migrated.set()
        except DatabaseAway:
            continue
        except SchemaTooNew as error:
            log.critical("schema_too_new", why=str(error))


async def _keep_names(engine: AsyncEngine, names: dict[str, tuple[str, str]]) -> None:
    while True:
        with contextlib.suppress(DatabaseAway):
            for login, zh, en in await within(5, _names(engine)):
                names[login] = (zh, en)
        await asyncio.sleep(NAMES_EVERY)


async def _names(engine: AsyncEngine) -> list[tuple[str, str, str]]:
    async with engine.connect() as connection:
        rows = await connection.execute(select(users.c.login, users.c.name_zh, users.c.name_en))
        return [(login, zh, en) for login, zh, en in rows]


@contextlib.asynccontextmanager
async def _tasks(*named: tuple[str, Callable[[], Awaitable[object]]]) -> AsyncIterator[None]:
    """Run tasks under `keep` while the block lasts; they are cancelled and waited for at its end."""
    running = [asyncio.ensure_future(keep(name, make)) for name, make in named]
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def main(settings: Settings) -> None:
    """Run the service until SIGTERM or SIGINT. Raises CannotStart."""
    set_up_logs(as_json=True)
    try:
        uvloop.run(_serve(settings))
    except SchemaTooNew as error:
        raise CannotStart(str(error)) from None


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Nothing is unpacked: `door` refuses packed bodies, and a bomb would go off before it.
    # No access log: `door` writes one line a request, without addresses that may hold a caller's number.
    runner = web.AppRunner(make_app(settings), access_log=None, auto_decompress=False, shutdown_timeout=1.0)
    try:
        await runner.setup()
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
        except OSError as error:
            raise CannotStart(f"cannot listen on {settings.host}:{settings.port} (CALLCENTER_PORT): {error}") from None
        log.info("listening", host=settings.host, port=settings.port)
        await stop.wait()
    finally:
        await runner.cleanup()
