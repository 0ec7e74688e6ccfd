"""The office with millions of orders: lists, searches and saves over HTTP against a whole instance, and the sweep.

Requests come at a fixed rate whatever becomes of the earlier ones, and each is measured from when it was due, so one
that is slow counts against those behind it, too. What fails is counted by its kind. Before that what lists are read
from is read once, and everything is asked for a while, as on a machine that was at work before; what the first ones
took then is told, too. The data is made once and kept.
"""

import asyncio
import json
import os
import random
import secrets
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
from aiohttp import ClientError, ClientSession, ClientTimeout, CookieJar, TCPConnector
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.figures import Figure, percentile, spread
from bench.instance import running
from bench.made import DAYS, OURS, PREFIXES, WORDS, make
from callcenter.settings import Settings
from callcenter.standalone import home as homes
from callcenter.standalone import postgres
from callcenter.store.engine import make_engine
from callcenter.store.migrate import migrate
from callcenter.workorders.policies import Policies
from callcenter.workorders.sweep import sweep

WARM_UP: Final = 30.0
READS: Final = 25.0  # a second
#: Saves a second, one rate after the other; the last is the goal.
SAVES: Final = (50.0, 100.0, 150.0, 200.0)
SAVED_WITHIN: Final = 50.0  # ms, 99 of 100
#: Of a rate of saves so many seconds are not counted.
LEFT_OUT: Final = 3.0
#: Who waits longer has failed, and so has a rate that is then not done.
PATIENCE: Final = 20.0
#: What comes due on a busy day is dealt with for so long.
SWEPT: Final = 30.0
#: What lists and searches are read from, and saves write to, in the order of its worth.
_READ_ONCE: Final = """
    SELECT c.relname, pg_prewarm(c.oid, CASE WHEN c.relkind = 'i' OR c.relname = 'order_texts' THEN 'buffer'
    ELSE 'read' END) FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE coalesce(i.indrelid, c.oid)::regclass::text = ANY($1) AND c.relkind IN ('r', 'i')
    ORDER BY c.relkind, c.relname <> 'order_texts'
"""
_READ_FROM: Final = ["orders", "order_texts", "order_clocks", "order_co_units"]
#: Words of many orders, and such as stand in one of some hundred; in each search one of them.
COMMON: Final = ("小区", "垃圾", "反映", "停车", "居民", "现场")
PAIRS: Final = ("电梯 停运", "渗水 翠湖", "摆摊 东门", "夜间施工 龙华", "路灯 梅林")
OTHERS: Final = ("D15", "D25", "D07", "D41", "D12")
#: So many saves belong to one matter: it is filed, dispatched, signed, noted; and an older order is noted.
_STEPS: Final = 5


class Failed(Exception):
    """An answer that was no success, or none: there is nothing to measure. The text says of what kind."""


Job = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What each kind of job took, in milliseconds; and how many failed, by kind and why."""

    took: dict[str, list[float]] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)

    def all(self) -> list[float]:
        return [one for took in self.took.values() for one in took]

    def figures(self, goals: Mapping[str, str]) -> list[Figure]:
        """A line for each kind; `goals` by the first word of kinds."""
        lines = [Figure(what, spread(took), goals.get(what.split()[0], "")) for what, took in sorted(self.took.items())]
        return lines + [Figure(f"FAILED: {what}", f"{n}", "none") for what, n in self.failed.most_common()]


@dataclass(frozen=True, slots=True)
class Place:
    """A running instance. `admin`: login and password of who can make accounts; `cpu`: seconds of its parts."""

    http: str
    postgres: str
    admin: tuple[str, str]
    zone: Any
    cpu: Callable[[], dict[str, float]] = dict


class Used:
    """What is used of the processors from now on; who asks runs on the same ones."""

    def __init__(self, place: Place) -> None:
        self._place, self._before, self._since = place, self._now(place), time.monotonic()

    @staticmethod
    def _now(place: Place) -> dict[str, float]:
        return place.cpu() | {"who asks": time.process_time()}

    def figure(self, what: str = "cores in use") -> Figure:
        seconds = time.monotonic() - self._since
        shares = {part: (now - self._before[part]) / seconds for part, now in self._now(self._place).items()}
        told = ", ".join(f"{part} {share:.2f}" for part, share in shares.items())
        return Figure(what, f"{told} of {os.cpu_count()}; load {os.getloadavg()[0]:.1f}")


async def run(orders: int, seconds: float, folder: Path) -> AsyncIterator[tuple[str, list[Figure]]]:
    """Make the data unless it is there, then measure; each table when it is known."""
    home = (folder / f"{orders}").absolute()
    told = home / "made.json"
    if not told.exists():
        figures = await _make(home, orders)
        await asyncio.to_thread(told.write_text, json.dumps(figures), encoding="utf-8")
    made = [Figure(*row) for row in json.loads(await asyncio.to_thread(told.read_bytes))]
    yield f"Office: {orders:,} orders of {DAYS} days, made by the loader", made
    async with running(home, patience=1800) as instance:
        admin = next(each for each in instance.told["demo_accounts"] if each["role"] == "admin")
        place = Place(
            instance.http,
            instance.told["postgres"],
            (admin["login"], admin["password"]),
            Settings().zone,
            lambda: {part: instance.cpu(part) for part in ("service", "postgres")},
        )
        async for table in measure(place, seconds):
            yield table
        memory = {part: f"{instance.resident(part):.0f} MB" for part in ("service", "postgres")}
        yield "Memory", [Figure(part, used) for part, used in memory.items()]


async def _make(home: Path, orders: int) -> list[Figure]:
    """A new home with its database filled; while it is being filled a power cut would spoil it, and nothing else."""
    settings = Settings(home=home)
    with homes.locked(home):
        kept = homes.kept(settings)
        server = postgres.Server(home / "postgres", kept.postgres, kept.postgres_password)
        await asyncio.to_thread(postgres.prepare, server)
        part = postgres.part(server, home / "log" / "postgres.log")
        quick = {"fsync": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0"}
        quick |= {"autovacuum": "off", "max_wal_size": "8GB", "checkpoint_timeout": "1h"}
        part.command = [*part.command, *(f"--{name}={value}" for name, value in quick.items())]
        part.patience = 600
        await part.start()
        try:
            await postgres.ready(server)
            engine = make_engine(server.url)
            await migrate(engine)
            await engine.dispose()
            return await make(server.url, orders, kept.number_key.encode(), settings.zone, datetime.now(UTC))
        finally:
            await part.end()
            await asyncio.to_thread(os.sync)


async def measure(
    place: Place, seconds: float, *, reads: float = READS, saves: Sequence[float] = SAVES, warm_up: float = WARM_UP
) -> AsyncIterator[tuple[str, list[Figure]]]:
    """Figures of a running instance that holds made orders."""
    async with AsyncExitStack() as stack:
        connection: Any = await asyncpg.connect(place.postgres)
        stack.push_async_callback(connection.close)
        people = await _hired(stack, place)
        jobs = await _reads(connection, people)
        yield "Before", [await _settled(place), *await _warmed(connection, jobs, warm_up)]
        used = Used(place)
        looked = await at_rate(reads, seconds, jobs)
        goals = {"inbox": "p95 <= 50 ms", "search": "p95 <= 100 ms"}
        yield f"Reading, {reads:g} requests/s for {seconds:g} s", [*looked.figures(goals), used.figure()]
        figures, held = [], 0.0
        for rate in saves:
            left_out = min(LEFT_OUT, warm_up)
            steps = await _saves(connection, people, rate, round(rate * (left_out + seconds / 2)))
            used = Used(place)
            saved = await at_rate(rate, seconds / 2, steps, left_out)
            figures.append(Figure(f"every save, {rate:g}/s", spread(saved.all()), f"p99 <= {SAVED_WITHIN:g} ms"))
            figures += saved.figures({})
            figures.append(used.figure(f"cores in use at {rate:g}/s"))
            if saved.took and not saved.failed and percentile(saved.all(), 0.99) <= SAVED_WITHIN:
                held = rate
        figures.append(Figure(f"rate with p99 <= {SAVED_WITHIN:g} ms", f"{held:g}/s", f"{saves[-1]:g}/s"))
        yield f"Saving with fsync, for {seconds / 2:g} s each", figures
        yield "Sweep over open clocks", await _sweeps(place)


async def at_rate(rate: float, seconds: float, jobs: Iterable[tuple[str, Job]], left_out: float = 0) -> Seen:
    """What each kind of job took from when it was due; the first seconds are left out."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + 0.2
    seen = Seen()

    async def one(what: str, job: Job, due: float) -> None:
        await asyncio.sleep(due - loop.time())
        await _timed(seen, what, job, due, counts=due >= begin + left_out)

    number = round(rate * (left_out + seconds))
    due = (begin + n / rate for n in range(number))
    async with asyncio.TaskGroup() as tasks:
        for (what, job), at in zip(jobs, due, strict=False):
            tasks.create_task(one(what, job, at))
    return seen


async def _timed(seen: Seen, what: str, job: Job, due: float, *, counts: bool = True) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await job()
    except (Failed, ClientError, OSError) as error:
        seen.failed[f"{what}, {error if isinstance(error, Failed) else type(error).__name__}"] += 1
    else:
        if counts:
            seen.took.setdefault(what, []).append((asyncio.get_running_loop().time() - due) * 1000)


async def _settled(place: Place) -> Figure:
    """Deal with what came due while nobody ran, beside the service, so that it is over before anything is measured."""
    engine, policies = make_engine(place.postgres), Policies(place.zone)
    began, swept = time.monotonic(), 0
    while found := await sweep(engine, policies, datetime.now(UTC)):
        swept += found
    await engine.dispose()
    return Figure("came due while nobody ran", f"{swept:,} swept beside the service, {time.monotonic() - began:.1f} s")


async def _warmed(connection: Any, jobs: Iterator[tuple[str, Job]], seconds: float) -> list[Figure]:
    """Read once what lists are read from, then ask two at a time for so long."""
    if not seconds:
        return []
    began = time.monotonic()
    await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
    pages = sum(row["pg_prewarm"] for row in await connection.fetch(_READ_ONCE, _READ_FROM, timeout=300))
    figures = [Figure("tables and indexes read once", f"{pages * 8 / 1e6:.1f} GB in {time.monotonic() - began:.1f} s")]
    loop, seen = asyncio.get_running_loop(), Seen()
    until = loop.time() + seconds

    async def ask_on() -> None:
        while (now := loop.time()) < until:
            what, job = next(jobs)
            await _timed(seen, what, job, now)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(2):
            tasks.create_task(ask_on())
    first = [took[0] for took in seen.took.values()]
    return [
        *figures,
        Figure("the first of each kind then", spread(first)),
        Figure("all until then", spread(seen.all())),
    ]


# --- who asks ---------------------------------------------------------------------------------------------------------


async def _hired(stack: AsyncExitStack, place: Place) -> dict[str, ClientSession]:
    """People logged in, by role, or unit for liaisons. Accounts are new in each run: passwords are nowhere kept."""
    admin = await _browser(stack, place, *place.admin)
    people = {}
    roles = [(role, role, None) for role in ("operator", "dispatcher", "supervisor")]
    for name, role, unit in [*roles, *((unit, "liaison", unit) for unit in (OURS, *OTHERS))]:
        login, password = f"bench.{secrets.token_hex(5)}", secrets.token_urlsafe(12)
        body = {"login": login, "name_zh": "测试", "name_en": "Bench", "roles": [role], "password": password}
        await ask(admin, "POST", "/api/v1/users", body | {"unit": unit})
        people[name] = await _browser(stack, place, login, password)
    return people


async def _browser(stack: AsyncExitStack, place: Place, login: str, password: str) -> ClientSession:
    jar, headers = CookieJar(unsafe=True), {"X-Callcenter": "1", "Origin": place.http}
    # Who asks waits for no connection of its own.
    connector, timeout = TCPConnector(limit=0), ClientTimeout(total=PATIENCE)
    opened = ClientSession(place.http, cookie_jar=jar, headers=headers, connector=connector, timeout=timeout)
    await stack.enter_async_context(opened)
    await ask(opened, "POST", "/api/v1/session", {"login": login, "password": password})
    return opened


async def ask(browser: ClientSession, method: str, path: str, body: Any = None, **query: str) -> Any:
    """The answer. Raises Failed for anything but success."""
    async with browser.request(method, path, json=body, params=query or None) as answer:
        text = await answer.text()
        if answer.status >= 400:
            raise Failed(f"{answer.status} {(json.loads(text) if text else {}).get('error', {}).get('code', '')}")
        return json.loads(text) if text else None


# --- reading ----------------------------------------------------------------------------------------------------------


async def _reads(connection: Any, people: Mapping[str, ClientSession]) -> Iterator[tuple[str, Job]]:
    """Requests without end, each kind in its turn; every one of them asks for something else."""
    lots = random.Random(12345)
    codes, numbers, names = await _known(connection)
    chief, ours = people["supervisor"], people[OURS]

    def get(browser: ClientSession, path: str, **query: str) -> Job:
        async def job() -> None:
            await ask(browser, "GET", path, **query)

        return job

    def search(browser: ClientSession, **query: str) -> Job:
        return get(browser, "/api/v1/orders", **query)

    def kinds() -> Iterator[tuple[str, Job]]:
        yield "inbox of the largest unit", get(ours, "/api/v1/inbox")
        yield "search by code", search(chief, q=lots.choice(codes))
        yield "search by telephone number", search(chief, number=lots.choice(numbers))
        yield "search by a common word", search(chief, q=lots.choice(COMMON))
        yield "search by a rare name", search(chief, q=lots.choice(names))
        yield "inbox of other units", get(people[lots.choice(OTHERS)], "/api/v1/inbox")
        yield "search by two words", search(chief, q=lots.choice(PAIRS))
        yield "search for what is nowhere", search(chief, q=f"无此{lots.choice(names)}")
        yield "search of a unit, common word", search(ours, q=lots.choice(COMMON))
        yield "search of a unit, rare name", search(ours, q=lots.choice(names))
        yield "search of a class, common word", search(chief, q=lots.choice(COMMON), category="0601")
        yield "register, newest", search(chief)
        yield "page of an order", get(chief, f"/api/v1/orders/{lots.choice(codes)}")

    def forever() -> Iterator[tuple[str, Job]]:
        while True:
            yield from kinds()

    return forever()


async def _known(connection: Any) -> tuple[list[str], list[str], list[str]]:
    """Codes, telephone numbers, and names of businesses that stand in descriptions: of orders of all years."""
    rows = await connection.fetch(
        """
        SELECT code, callback_number, substring(description FROM $1) AS name
        FROM orders TABLESAMPLE SYSTEM (least(100, 100 * 20000.0 / (SELECT greatest(reltuples, 1) FROM pg_class
        WHERE oid = 'orders'::regclass))) REPEATABLE (1)
        """,
        f"(?:旁|单位：)([{''.join(WORDS['shop_stems'])}]{{3}})",
    )
    numbers = [row["callback_number"] for row in rows if row["callback_number"]]
    return [row["code"] for row in rows], numbers, [row["name"] for row in rows if row["name"]]


# --- saving -----------------------------------------------------------------------------------------------------------


async def _saves(
    connection: Any, people: Mapping[str, ClientSession], rate: float, number: int
) -> Iterable[tuple[str, Job]]:
    """So many saves: matters that are filed, dispatched, signed and noted a second apart, and notes on older orders."""
    lots = random.Random()  # other citizens each time: a matter that is open cannot be filed again
    matters = -(-number // _STEPS)
    operator = await ask(people["operator"], "GET", "/api/v1/session")
    calls = await _calls(connection, operator["login"], matters, lots)
    older = await connection.fetch(
        """
        SELECT code, version FROM orders WHERE department = $1 AND state = 'in_progress' AND due_at IS NOT NULL
        AND proposal IS NULL AND NOT confidential ORDER BY id LIMIT $2
        """,
        OURS,
        matters,
    )
    versions = {row["code"]: row["version"] for row in older}
    done: dict[tuple[int, str], asyncio.Future[str]] = {}

    def after(n: int, before: str, what: str, work: Callable[[str], Awaitable[str]]) -> tuple[str, Job]:
        """A step of a matter, once the one before it is done; it gets and passes on the order's code."""
        mine = done[n, what] = asyncio.get_running_loop().create_future()

        async def job() -> None:
            try:
                mine.set_result(await work(await done[n, before] if before else ""))
            except BaseException:
                mine.set_exception(Failed("after a step that failed"))
                mine.exception()  # looked at, though nobody may come behind it
                raise

        return what, job

    async def act(who: str, code: str, event: str, version: int, **given: str) -> str:
        body = {"event": event, "given": given, "version": version, "key": str(uuid.uuid4())}
        await ask(people[who], "POST", f"/api/v1/orders/{code}/events", body)
        return code

    def file(n: int) -> tuple[str, Job]:
        form, call_id = _form(lots), calls[n]

        async def work(_: str) -> str:
            body = {"form": form, "end": "pending_dispatch", "key": str(uuid.uuid4())}
            saved = await ask(people["operator"], "POST", f"/api/v1/calls/{call_id}/order", body)
            if saved["code"] is None:
                raise Failed("kept in the journal")
            return str(saved["code"])

        return after(n, "", "a new order", work)

    def dispatch(n: int) -> tuple[str, Job]:
        return after(n, "a new order", "dispatch", lambda code: act("dispatcher", code, "dispatch", 1, lead=OURS))

    def sign(n: int) -> tuple[str, Job]:
        return after(n, "dispatch", "sign for", lambda code: act(OURS, code, "sign", 2))

    def note(n: int) -> tuple[str, Job]:
        told = "已联系诉求人，约定明日到现场查看。"
        return after(n, "sign for", "note", lambda code: act(OURS, code, "note", 3, note=told))

    def note_older(n: int) -> tuple[str, Job]:
        async def job() -> None:
            code = older[n % len(older)]["code"]
            await act(OURS, code, "note", versions[code], note="正在协调施工单位。")
            versions[code] += 1

        return "note on an older order", job

    # Each step of a matter comes a second after the one before.
    apart = max(1, round(rate / _STEPS))
    steps = [(file, 0), (dispatch, apart), (sign, 2 * apart), (note, 3 * apart), *([(note_older, 0)] if older else [])]
    jobs = [step(n - late) for n in range(matters + 3 * apart) for step, late in steps if 0 <= n - late < matters]
    return jobs[:number]


async def _calls(connection: Any, login: str, number: int, lots: random.Random) -> list[str]:
    """Calls that an operator has answered and not yet written up."""
    at = datetime.now(UTC) - timedelta(minutes=30)
    first = int(time.time())
    ids = [f"n1-{first}.9{n:07d}" for n in range(number)]
    calls = [(each, "n1", _number(lots), at, at, at, "answered", "both", 3, 1) for each in ids]
    columns = ["id", "node", "number", "arrived_at", "answered_at", "ended_at", "outcome", "source", "rank", "version"]
    await connection.copy_records_to_table("calls", columns=columns, records=calls)
    talks = [(each, 0, "1001", login, at, at) for each in ids]
    columns = ["call_id", "n", "seat", "login", "rung_at", "answered_at"]
    await connection.copy_records_to_table("segments", columns=columns, records=talks)
    return ids


def _form(lots: random.Random) -> dict[str, Any]:
    def one(name: str) -> str:
        return str(lots.choice(WORDS[name]))

    estate = one("estate_stems") + one("estate_ends")
    road = f"{one('road_stems')}{one('road_ends')}{lots.randint(1, 400)}号"
    shop = "".join(one("shop_stems") for _ in range(3)) + one("shop_ends")
    told = (
        f"{one('openers')}，{one('times')}，{road}{estate}旁{shop}，{one('details')}，{one('effects')}。{one('wishes')}"
    )
    return {
        "kind": "complaint",
        "category": "0101",
        "urgency": "U3",
        "subject": f"{estate}占道经营",
        "description": told,
        "place": road + estate,
        "region": "R0101",
        "contact_name": one("surnames") + one("given_names"),
        "callback_number": _number(lots),
        "confidential": False,
    }


def _number(lots: random.Random) -> str:
    return f"{lots.choice(PREFIXES)}{lots.randrange(10**8):08d}"


# --- the sweep --------------------------------------------------------------------------------------------------------


async def _sweeps(place: Place) -> list[Figure]:
    """Looks that find nothing, and all that comes due until the busiest moment of the next day, at once."""
    engine, policies = make_engine(place.postgres), Policies(place.zone)
    connection: Any = await asyncpg.connect(place.postgres)
    try:
        clocks = await connection.fetchval("SELECT count(*) FROM order_clocks WHERE ended_at IS NULL")
        waiting = await connection.fetchval("SELECT count(*) FROM orders WHERE wake_at IS NOT NULL")
        quiet = [await _look(engine, policies, datetime.now(UTC)) for _ in range(50)]
        busiest = await connection.fetchval(
            """
            SELECT wake_at FROM orders WHERE wake_at < now() + interval '1 day'
            GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1
            """
        ) or datetime.now(UTC)
        due = await connection.fetchval("SELECT count(*) FROM orders WHERE wake_at <= $1", busiest)
        began, swept = time.monotonic(), 0
        while time.monotonic() - began < SWEPT and (found := await sweep(engine, policies, busiest)):
            swept += found
        busy = time.monotonic() - began
    finally:
        await connection.close()
        await engine.dispose()
    return [
        Figure("clocks that run, orders that wait for the sweep", f"{clocks:,}, {waiting:,}"),
        Figure("a look over all of them", spread(quiet), "<= 2 s"),
        Figure(
            f"of {due:,} orders due until {busiest:%m-%d %H:%M} UTC, each told or moved",
            f"{swept:,} in {busy:.1f} s, {swept / max(busy, 0.001):,.0f}/s",
        ),
    ]


async def _look(engine: AsyncEngine, policies: Policies, now: datetime) -> float:
    began = time.monotonic()
    await sweep(engine, policies, now)
    return (time.monotonic() - began) * 1000
