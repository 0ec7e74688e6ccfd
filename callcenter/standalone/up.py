"""`callcenter up`: Postgres, Asterisk and the service as one, started, watched and stopped together."""

import asyncio
import http.client
import shutil
import signal
import sys
from collections.abc import Awaitable
from pathlib import Path

from callcenter.settings import Settings
from callcenter.standalone import CannotStart, asterisk, home, postgres
from callcenter.standalone.asterisk import Copy
from callcenter.standalone.home import Kept
from callcenter.standalone.private import write
from callcenter.standalone.processes import Part, end_leftovers, remember
from callcenter.standalone.ready import Demo, Ready, welcome
from dialplan.instance import Instance

LONGEST_START = 90.0  # seconds
LONGEST_STOP = 4.5  # seconds, of all parts one after the other
LOOK = 0.1  # seconds between two questions whether the service is ready
LARGEST_LOG = 20_000_000  # bytes; a larger one is put aside at the next start
LEAST_SPACE = 200_000_000  # bytes that the database and Asterisk's files of the first days need


def up(settings: Settings, ready_file: Path | None) -> None:
    """Run everything until a signal ends it. Raises CannotStart, OSError."""
    settings = settings.model_copy(update={"home": settings.home.absolute()})
    copy = asterisk.fetch(settings)
    with home.locked(settings.home):
        if ready_file:
            ready_file.unlink(missing_ok=True)  # of one that was killed
        _space(settings.home)
        end_leftovers(settings.home / "pids.json")
        asyncio.run(_run(settings, copy, ready_file))


def asterisk_alone(settings: Settings) -> None:
    """Run Asterisk and keep it, for a container of its own. Raises CannotStart, OSError."""
    settings = settings.model_copy(update={"home": settings.home.absolute()})
    copy = asterisk.fetch(settings)
    with home.locked(settings.home):
        instance = home.instance(settings, home.kept(settings), copy)
        asterisk.lay_out(instance)
        read = asterisk.written(instance)
        part = asterisk.part(copy, instance)

        async def run() -> None:
            _stop_on_signal()
            try:
                await part.start()
                await _alive(part, asterisk.ready(copy, instance))
                await asyncio.gather(part.keep(lambda: None), asterisk.watch(copy, instance, read))
            except asyncio.CancelledError:
                pass
            finally:
                await part.end()

        asyncio.run(run())


async def _run(settings: Settings, copy: Copy, ready_file: Path | None) -> None:
    _stop_on_signal()
    kept = home.kept(settings)
    instance = home.instance(settings, kept, copy)
    server, url = None, settings.database_url.get_secret_value() if settings.database_url else ""
    if not url:
        server = postgres.Server(settings.home / "postgres", kept.postgres, kept.postgres_password)
        url = server.url
    log = settings.home / "log"
    line = asterisk.part(copy, instance, _log(log / "asterisk.log"))
    service = _service(settings, kept, instance, url, _log(log / "service.log"))
    database = postgres.part(server, _log(log / "postgres.log")) if server else None
    parts = [part for part in (line, service, database) if part is not None]

    def tell() -> None:
        try:
            remember(settings.home / "pids.json", parts)
            if ready_file and ready_file.exists():
                write(ready_file, _ready(settings, kept, url, parts).model_dump_json(indent=1))
        except (OSError, CannotStart) as error:  # a full disk, say: no reason to end calls
            print(f"the ready file is out of date: {error}", flush=True)

    asterisk.lay_out(instance)
    read = asterisk.written(instance)

    async def start() -> None:
        await line.start()
        if server and database:
            await asyncio.to_thread(postgres.prepare, server)
            await database.start()
            tell()
            await _alive(database, postgres.ready(server))
        await service.start()
        tell()
        await asyncio.gather(
            _alive(line, asterisk.ready(copy, instance)), _alive(service, _answers(settings.host, kept.http))
        )
        # The seats, which the service has written: before Asterisk knows them it refuses their phones.
        while not await asterisk.read_again(copy, instance, read):  # noqa: ASYNC110 (files are looked at)
            await asyncio.sleep(LOOK)

    try:
        try:
            await asyncio.wait_for(start(), LONGEST_START)
        except TimeoutError as error:
            state = await asyncio.to_thread(_readyz, settings.host, kept.http)
            raise CannotStart(f"not ready after {LONGEST_START:g} s ({state}); see {log}") from error
        ready = _ready(settings, kept, url, parts)
        if ready_file:
            write(ready_file, ready.model_dump_json(indent=1))
        print(welcome(ready, settings.home), flush=True)
        async with asyncio.TaskGroup() as keepers:
            for part in parts:
                keepers.create_task(part.keep(tell))
            keepers.create_task(asterisk.watch(copy, instance, read))
            if settings.asterisk_silent_seconds:
                silent, hung = float(settings.asterisk_silent_seconds), settings.home / asterisk.HUNG
                keepers.create_task(asterisk.unhang(line, instance, silent, hung))
    except asyncio.CancelledError:
        print("stopping", flush=True)
    finally:
        if ready_file:
            ready_file.unlink(missing_ok=True)  # noqa: ASYNC240 (nothing else waits)
        # The calls end while the ledger still listens, and the ledger while the database does.
        until = asyncio.get_running_loop().time() + LONGEST_STOP
        for part in parts:
            if part is database:
                # Its checkpoint may take a while; killed, it would have to recover at the next start.
                part.patience = max(part.patience, until - asyncio.get_running_loop().time())
            await part.end()
        (settings.home / "pids.json").unlink(missing_ok=True)


def _stop_on_signal() -> None:
    """The first signal cancels the caller's task; those that follow find us stopping already."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None, "called from a task"

    def stop() -> None:
        for number in signals:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        task.cancel()

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, stop)


async def _alive(part: Part, ready: Awaitable[None]) -> None:
    """Wait until the part is ready. Raises CannotStart when it dies before."""
    assert part.process is not None, "started"
    waiting, dying = asyncio.ensure_future(ready), asyncio.ensure_future(part.process.wait())
    try:
        await asyncio.wait((waiting, dying), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise CannotStart(f"{part.name} does not start: {part.last_words()} (see {part.log})")
        waiting.result()
    finally:
        waiting.cancel()
        dying.cancel()


async def _answers(host: str, port: int) -> None:
    while not (await asyncio.to_thread(_readyz, host, port)).startswith("200"):  # noqa: ASYNC110 (another process)
        await asyncio.sleep(LOOK)


def _readyz(host: str, port: int) -> str:
    """What the service says about itself: status and text, or why it says nothing."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return f"{answer.status} {answer.read(500).decode(errors='replace')}"
    except (OSError, http.client.HTTPException) as error:
        return f"the service does not answer: {error}"
    finally:
        connection.close()


def _service(settings: Settings, kept: Kept, instance: Instance, url: str, log: Path) -> Part:
    environment = {
        "HOME": str(settings.home),
        "DEMO": str(settings.demo),
        "HOST": settings.host,
        "PORT": str(kept.http),
        "DATABASE_URL": url,
        "AMI_HOST": settings.host,
        "AMI_PORT": str(kept.ami),
        "AMI_EVENTS_SECRET": kept.ami_events_secret,
        "AMI_ACTIONS_SECRET": kept.ami_actions_secret,
        "SYSTEM_NAME": kept.system_name,
        "ASTERISK_LOG": str(instance.home / "log"),
        "ASTERISK_ETC": str(instance.home / "etc"),
        "ASTERISK_SPOOL": str(instance.home / "spool"),
        "SEAT_KEY": kept.seat_key,
        "NUMBER_KEY": kept.number_key,
        "RECORDING_KEYS": kept.recording_keys,
        "IDENTITY_KEY": kept.identity_key,
        "TRY_SECRET": kept.try_secret,
        "SIP_WS_URL": f"ws://{settings.host}:{kept.ws}/ws",
    }
    if "sip_ws_url" in settings.model_fields_set:
        del environment["SIP_WS_URL"]
    return Part(
        "service",
        [sys.executable, "-m", "callcenter.cli", "serve"],
        environment={f"CALLCENTER_{name}": value for name, value in environment.items()},
        log=log,
    )


def _ready(settings: Settings, kept: Kept, url: str, parts: list[Part]) -> Ready:
    demo = Demo.read(settings.home) if settings.demo else Demo()
    return Ready(
        http=f"http://{settings.host}:{kept.http}",
        sip=f"{settings.host}:{kept.sip}",
        sip_ws=f"ws://{settings.host}:{kept.ws}/ws",
        ami=f"{settings.host}:{kept.ami}",
        postgres=url,
        demo_accounts=demo.accounts,
        demo_seats=demo.seats,
        pids={part.name: part.pid for part in parts if part.pid is not None},
    )


def _log(file: Path) -> Path:
    if file.exists() and file.stat().st_size > LARGEST_LOG:
        file.replace(file.with_suffix(".1.log"))
    return file


def _space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < LEAST_SPACE:
        raise CannotStart(
            f"only {free // 1_000_000} MB are free in {folder}, needed are {LEAST_SPACE // 1_000_000} MB:"
            " make room, or give another folder (CALLCENTER_HOME, --home)"
        )
