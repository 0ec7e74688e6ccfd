"""All wiring, in start order, top to bottom. The only file that knows all rooms."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Final

import structlog
import uvloop
from aiohttp import web
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter import metrics
from callcenter.alarms.routes import routes as alarms
from callcenter.alarms.watch import WATCH, Failures, Watch
from callcenter.alarms.webhook import tell as tell_webhooks
from callcenter.announcements.routes import CRIER
from callcenter.announcements.routes import routes as announcements
from callcenter.announcements.run import Crier
from callcenter.api import ENGINE, SETTINGS, mount
from callcenter.asterisk.link import Account, Address, Line, LineState
from callcenter.attachments.routes import AT_ONCE, FILES_VAULT, TURNS, place
from callcenter.attachments.routes import routes as attachments
from callcenter.attachments.tidy import keep as keep_attachments
from callcenter.audit.routes import routes as audit
from callcenter.audit.seal import HEADS, Sealer
from callcenter.audits.routes import routes as audits
from callcenter.calendars.routes import routes as calendars
from callcenter.callbacks.flow import Hours, Roll, Rules
from callcenter.callbacks.routes import CALLBACKS
from callcenter.callbacks.routes import routes as callbacks
from callcenter.callbacks.run import Callbacks
from callcenter.callbacks.texts import FileGateway, send_texts
from callcenter.callbacks.writers import write_callbacks, write_texts
from callcenter.calls.follow import SurePath
from callcenter.calls.journal import Journal
from callcenter.calls.ledger import Ledger
from callcenter.calls.recorder import Recorder
from callcenter.calls.rotate import keep_files
from callcenter.calls.routes import RECORDER
from callcenter.calls.routes import routes as calls
from callcenter.calls.writers import WRITERS
from callcenter.citizen.routes import routes as citizen
from callcenter.citizen.throttle import FLOOD, Flood
from callcenter.clock import now
from callcenter.directory.routes import routes as directory
from callcenter.dispatch.routes import routes as dispatch
from callcenter.door import new_application
from callcenter.duties.routes import routes as duties
from callcenter.experts.routes import routes as experts
from callcenter.exports.routes import routes as exports
from callcenter.floor.acts import Acts
from callcenter.floor.ask import LINE
from callcenter.floor.breaks import BREAKS_NOW, Breaks, keep_breaks
from callcenter.floor.count import count, show
from callcenter.floor.duty import keep_duty
from callcenter.floor.model import Floor
from callcenter.floor.reserved import Keeping
from callcenter.floor.routes import CLAIM, DISTRIBUTION, RUNNER
from callcenter.floor.routes import routes as floor
from callcenter.floor.run import Runner
from callcenter.inboxes.routes import routes as inboxes
from callcenter.incoming.routes import routes as incoming
from callcenter.joins.routes import routes as joins
from callcenter.log import set_up_logs
from callcenter.messages.routes import routes as messages
from callcenter.notices.flow import Hours as NoticeHours
from callcenter.notices.gateway import FileGateway as NoticeFile
from callcenter.notices.gateway import Gateway, WebhookGateway
from callcenter.notices.routes import routes as notices
from callcenter.notices.send import UNTOLD_NOW, Sender, Untold
from callcenter.numbermap.routes import routes as numbermap
from callcenter.openapi import routes as openapi
from callcenter.ops import PARTS, keep
from callcenter.ops import routes as ops
from callcenter.orderview.routes import routes as orderview
from callcenter.pages import FILES, built
from callcenter.pages import routes as pages
from callcenter.people.demo import load_demo
from callcenter.people.passwords import PASSWORDS
from callcenter.people.routes import routes as people
from callcenter.people.seats import keep_seats, write_seats
from callcenter.people.sessions import SESSIONS
from callcenter.policies.routes import routes as policies
from callcenter.privacy.queries import WRITERS as IDENTITY_WRITERS
from callcenter.privacy.routes import routes as privacy
from callcenter.privacy.run import keep_hidden
from callcenter.privacy.seal import SEALER, sealer_of
from callcenter.push.hub import Hub
from callcenter.push.routes import HUB
from callcenter.push.routes import routes as push
from callcenter.quality.routes import routes as quality
from callcenter.recordings.archive import Archive
from callcenter.recordings.flow import days_of
from callcenter.recordings.queries import WRITERS as RECORDING_WRITERS
from callcenter.recordings.retention import Retention
from callcenter.recordings.room import keep_room
from callcenter.recordings.routes import LISTENINGS, VAULT
from callcenter.recordings.routes import routes as recordings
from callcenter.recordings.vault import Keys, Vault
from callcenter.register.routes import AT_ONCE as EXPORTS_AT_ONCE
from callcenter.register.routes import EXPORTING, EXPORTS
from callcenter.register.routes import routes as register
from callcenter.reports.routes import routes as reports
from callcenter.reports.run import keep as keep_figures
from callcenter.reports.tally import Book
from callcenter.routing.distribution import Distribution
from callcenter.routing.records import Records
from callcenter.routing.routes import routes as routing
from callcenter.settings import Settings
from callcenter.staffing.routes import PAST, TRYING, Past
from callcenter.staffing.routes import routes as staffing
from callcenter.standalone import CannotStart
from callcenter.standalone.asterisk import HUNG, times_hung
from callcenter.store.engine import SILENCE_SECONDS, DatabaseAway, make_engine, within
from callcenter.store.migrate import SchemaTooNew, migrate
from callcenter.store.tables import users
from callcenter.supervision.keep import keep as keep_supervisions
from callcenter.supervision.modes import Modes
from callcenter.supervision.routes import routes as supervision
from callcenter.transfers.routes import routes as transfers
from callcenter.visits.routes import routes as visits
from callcenter.workorders.drafts import Drafts
from callcenter.workorders.policies import Policies
from callcenter.workorders.routes import DRAFTS, LEDGER, POLICIES
from callcenter.workorders.routes import routes as workorders
from callcenter.workorders.sweep import keep as keep_orders
from callcenter.workorders.writers import order_writer, write_drafts
from dialplan.names import TRACKS

#: How long a start waits for Postgres before it goes on without.
FIRST_MIGRATION: Final = 5.0
#: How long one may then take: of millions of orders an index is made anew.
MIGRATION: Final = 1800.0
RETRY: Final = 2.0
NAMES_EVERY: Final = 10.0

log = structlog.get_logger()

MIGRATED: Final = web.AppKey("MIGRATED", asyncio.Event)
JOURNAL: Final = web.AppKey("JOURNAL", Journal)


#: Every room's routes.
ROOMS: Final = (
    ops,
    people,
    audit,
    directory,
    floor,
    routing,
    supervision,
    transfers,
    messages,
    alarms,
    push,
    calls,
    recordings,
    callbacks,
    workorders,
    notices,
    incoming,
    citizen,
    attachments,
    orderview,
    visits,
    audits,
    policies,
    duties,
    privacy,
    inboxes,
    register,
    dispatch,
    joins,
    quality,
    staffing,
    calendars,
    numbermap,
    announcements,
    experts,
    exports,
    reports,
    openapi,
    pages,
)


def make_app(settings: Settings) -> web.Application:
    """The whole service. Raises ValueError, OSError for settings that cannot work."""
    if settings.database_url is None:
        raise CannotStart("no database: set CALLCENTER_DATABASE_URL, or start everything by `callcenter up`")
    engine = make_engine(settings.database_url.get_secret_value())
    app = new_application(settings, engine)
    app[MIGRATED] = asyncio.Event()
    app[FILES] = built()
    app[PARTS] = {}
    app[PAST] = Past()
    app[TRYING] = asyncio.Lock()
    app[VAULT] = _vault(settings)
    app[SEALER] = sealer_of(settings)
    app[LISTENINGS] = {}
    app[FILES_VAULT] = app[VAULT] and Vault(settings.attachments_folder, _keys(settings), place)
    app[TURNS] = asyncio.Semaphore(AT_ONCE)
    app[BREAKS_NOW] = Breaks()
    app[FLOOD] = Flood()
    app[UNTOLD_NOW] = Untold()
    app[EXPORTS] = asyncio.Semaphore(EXPORTS_AT_ONCE)
    app[EXPORTING] = {}
    mount(app, *ROOMS)
    app.cleanup_ctx.extend([_store, _people, _ledger, _notices, _attachments, _floor, _recordings])
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
    sealer = Sealer(engine, settings.home / HEADS, settings.zone)

    async def sealed() -> None:
        await migrated.wait()
        await sealer.run()

    async with _tasks(("sessions", app[SESSIONS].run), ("seats", seats), ("audit_chain", sealed)):
        yield


async def _ledger(app: web.Application) -> AsyncIterator[None]:
    """What is written down: rows to Postgres, or to the journal while it is away."""
    settings = app[SETTINGS]
    key = settings.number_key.get_secret_value().encode()
    journal = Journal(settings.home / "journal", settings.journal_megabytes * 2**20)
    policies = app[POLICIES] = Policies(settings.zone)
    orders = {"drafts": write_drafts, "orders": order_writer(policies)} | IDENTITY_WRITERS
    back = {"callbacks": write_callbacks, "texts": write_texts}
    ledger = app[LEDGER] = Ledger(app[ENGINE], journal, WRITERS | RECORDING_WRITERS | orders | back)
    app[JOURNAL] = journal
    app[DRAFTS] = Drafts(app[ENGINE], ledger, journal)
    recorder = app[RECORDER] = Recorder(ledger, node=settings.node, number_key=key)

    async def sweep() -> None:
        await app[MIGRATED].wait()
        await keep_orders(app[ENGINE], policies, now)

    async def hidden() -> None:
        await app[MIGRATED].wait()
        await keep_hidden(app[ENGINE], app[SEALER])

    async with _tasks(("ledger", ledger.run), ("recorder", recorder.run), ("orders", sweep), ("callers", hidden)):
        yield


async def _notices(app: web.Application) -> AsyncIterator[None]:
    """What citizens and units are told of orders, when there is a gateway."""
    settings = app[SETTINGS]
    file = settings.notices_file or (settings.home / "notices.jsonl" if settings.demo else None)
    gateway: Gateway
    if settings.notices_webhook:
        gateway = WebhookGateway(settings.notices_webhook, settings.notices_secret.get_secret_value().encode())
    elif file:
        gateway = NoticeFile(file)
    else:
        yield
        return
    origin = settings.public_origin or f"http://{settings.host}:{settings.port}"
    hours = NoticeHours.parse(settings.notice_hours)
    sender = Sender(app[ENGINE], gateway, settings.zone, hours, f"{origin}/progress", now, app[SEALER], app[UNTOLD_NOW])

    async def send() -> None:
        await app[MIGRATED].wait()
        await sender.run()

    async with _tasks(("notices", send)):
        yield


async def _attachments(app: web.Application) -> AsyncIterator[None]:
    """Files of orders: what was deleted goes, whoever was killed meanwhile."""
    vault = app[FILES_VAULT]
    if vault is None:
        yield
        return

    async def kept() -> None:
        await app[MIGRATED].wait()
        await keep_attachments(app[ENGINE], vault)

    async with _tasks(("attachments", kept)):
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
    state = Floor(
        settings.node,
        datetime.fromtimestamp(0, UTC),
        wrap_up=timedelta(seconds=settings.wrap_up_seconds),
        wrap_up_least=timedelta(seconds=settings.wrap_up_least_seconds),
    )
    number_key = settings.number_key.get_secret_value().encode()
    dirty = asyncio.Event()
    alarm_secret = settings.alarm_secret.get_secret_value().encode()
    back = app[CALLBACKS] = _callbacks(app, line, state)
    app[CLAIM] = back.claim
    sure = SurePath(
        engine, settings.asterisk_log, line.reader, number_key=number_key, repaired=dirty.set, told=back.repair
    )
    runner = app[RUNNER] = Runner(line, state, sure.known)
    keeping = Keeping(line, runner)
    book = Book(settings.zone, now())
    names: dict[str, tuple[str, str]] = {}
    hub = app[HUB] = Hub(
        state,
        line,
        book,
        lambda: names,
        callbacks=back.roll.waiting,
        supervision_shown=settings.supervision_shown,
    )
    crier = app[CRIER] = Crier(
        engine, line, settings.asterisk_etc, settings.zone, lambda: hub.tell_all({"type": "notices"})
    )
    watch = app[WATCH] = Watch(
        state,
        line,
        book,
        hub.tell_alarms,
        urls=settings.alarm_webhooks,
        recording=Failures(),
        notices=app[UNTOLD_NOW],
    )
    distribution = app[DISTRIBUTION] = Distribution(engine, line, state, settings)
    runner.sinks = [
        ("acts", Acts(line, state, settings.missed_rings, back.claim)),
        ("reserved", keeping),
        ("supervision", Modes(line, state)),
        ("screens", hub),
        ("recorder", app[RECORDER]),
        ("callbacks", back),
        ("figures", book),
        ("metrics", count),
        ("distribution", distribution),
        ("records", Records(engine, line, runner, settings.number_key.get_secret_value().encode())),
    ]

    show(state)
    metrics.ASTERISK_HUNG.set_function(lambda: times_hung(settings.home / HUNG))

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
        ("reserved", keeping.recall),
        (
            "files",
            lambda: keep_files(
                line,
                settings.asterisk_log,
                lambda: sure.committed,
                bytes_=int(settings.asterisk_log_megabytes * 2**20),
                days=settings.asterisk_log_days,
                zone=settings.zone,
            ),
        ),
        ("callbacks", lambda: back.run(sure.known)),
        ("figures", lambda: keep_figures(book, engine, dirty)),
        ("names", lambda: _keep_names(engine, names)),
        ("supervisions", lambda: keep_supervisions(engine, runner)),
        ("alarms", lambda: watch.run(engine)),
        ("alarm_rows", lambda: watch.write(engine)),
        ("webhooks", lambda: tell_webhooks(engine, settings.alarm_webhooks, alarm_secret)),
        ("duty", lambda: keep_duty(engine, line, state)),
        ("breaks", lambda: keep_breaks(engine, app[BREAKS_NOW], state, runner.tell, settings.zone)),
        ("announcements", crier.run),
        ("distribution", distribution.run),
        ("boards", hub.keep_boards),
        ("board_figures", hub.keep_figures),
        ("desks", hub.keep_desks),
        *(
            [("texts", lambda: send_texts(engine, FileGateway(texts), app[SEALER]))]
            if (texts := _texts(settings))
            else []
        ),
    ):
        yield


async def _recordings(app: web.Application) -> AsyncIterator[None]:
    """What Asterisk records is sealed, judged, kept and deleted."""
    settings, vault = app[SETTINGS], app[VAULT]
    if vault is None:

        async def keys() -> str | None:
            return "no keys: set CALLCENTER_RECORDING_KEYS" if settings.record else None

        app[PARTS]["recordings"] = keys
        yield
        return
    runner, tracks = app[RUNNER], settings.asterisk_spool / TRACKS
    archive = Archive(app[LEDGER], runner.floor, vault, tracks)
    runner.sinks.append(("recordings", archive))
    retention = Retention(app[ENGINE], vault, archive, days_of(settings.recording_days))

    async def kept() -> None:
        await app[MIGRATED].wait()
        await retention.run()

    tasks = [("archive", archive.run), ("retention", kept)]
    if settings.record:
        disks = {"tracks": tracks, "recordings": settings.recordings_folder}
        reserve = settings.recording_reserve_megabytes * 2**20
        tasks.append(("recording_room", lambda: keep_room(app[LINE], disks, reserve)))
    async with _tasks(*tasks):
        yield


def _vault(settings: Settings) -> Vault | None:
    """None without keys: then nothing can be sealed. Raises CannotStart for keys that are none."""
    try:
        return (
            Vault(settings.recordings_folder, _keys(settings)) if settings.recording_keys.get_secret_value() else None
        )
    except ValueError as error:
        raise CannotStart(f"CALLCENTER_RECORDING_KEYS: {error}") from error


def _keys(settings: Settings) -> Keys:
    """Those of everything that is sealed. Raises ValueError."""
    return Keys.parse(settings.recording_keys.get_secret_value())


def _callbacks(app: web.Application, line: Line, floor: Floor) -> Callbacks:
    settings = app[SETTINGS]
    first, last = (clock.fromisoformat(part) for part in settings.callback_hours.split("-"))
    rules = Rules(
        gaps=tuple(timedelta(seconds=gap) for gap in settings.callback_gaps),
        hours=Hours(first, last, settings.zone),
        dial_given_up=settings.callback_given_up == "dial",
    )
    back = Callbacks(
        Roll(rules),
        floor,
        line,
        app[LEDGER],
        app[ENGINE],
        tell=lambda fact: app[RUNNER].tell(fact),
        number_key=settings.number_key.get_secret_value().encode(),
        sealer=app[SEALER],
        leaves=settings.trunk_address is not None,
        given_up=settings.callback_given_up != "off",
        text=_texts(settings) is not None,
    )
    back.remember(app[JOURNAL])
    return back


def _texts(settings: Settings) -> Path | None:
    return settings.texts_file or (settings.home / "texts.jsonl" if settings.demo else None)


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
            await within(MIGRATION, migrate(engine))
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
        # Files are parsed in threads beside: the loop gets the interpreter back after a millisecond, not after five.
        sys.setswitchinterval(0.001)
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
