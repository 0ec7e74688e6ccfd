"""Parts are killed, frozen and cut off under calls: none is dropped that need not be, each is on record exactly once.

The truth is the phones': every citizen has a number of their own, and notes who hung up and when.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from baresip.runtime import Runtime
from conftest import Postgres
from stack import Desk, Row, Stack, open_stack
from trunk import Citizen

from callcenter.asterisk.files import chain

pytestmark = pytest.mark.harm

FORM = ("kind", "category", "urgency", "description", "place", "region", "contact_name", "callback_number")
#: How far the ledger's clock may be from the phones', in seconds, on a machine that starts services meanwhile.
NEAR = 3
#: An answer and a hang-up less than this apart may cross on the way, in seconds.
CROSSING = 0.5
SEATS = {"limei": "1001", "wangqiang": "1002", "chenjing": "1003", "zhaolei": "1004"}


async def staff(stack: Stack) -> list[Desk]:
    """Four agents at their seats, ready."""
    return [await (await stack.desk(login)).sit(seat) for login, seat in SEATS.items()]


class Traffic:
    """Calls, one after the other, each of its own kind, until told to stop; and the truth of them."""

    def __init__(self, stack: Stack, seed: int, every: float = 0.8) -> None:
        self._stack = stack
        self._chance = random.Random(seed)
        self._every = every
        self._calls: list[asyncio.Task[None]] = []
        self.citizens: list[Citizen] = []
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """No new calls; those under way go on to their end."""
        self._task.cancel()
        await asyncio.gather(*self._calls)

    async def _run(self) -> None:
        while True:
            self._calls.append(asyncio.ensure_future(self._call()))
            await asyncio.sleep(self._every)

    async def _call(self) -> None:
        """Give up in the greeting, or soon after pressing a key, or talk for some seconds."""
        key = self._chance.choice(["", "1", "2", "1", "2"])
        patience = self._chance.choice([0.5, 2.0, 4.0, 6.0])
        citizen = await self._stack.trunk.call(self._stack.number(), key="")
        self.citizens.append(citizen)
        await citizen.until("answered_at", 15)
        if key:
            await asyncio.sleep(0.2)
            await citizen.press(key)
        await asyncio.sleep(patience)
        await citizen.hang_up()


def answered(stack: Stack) -> dict[str, Any]:
    """Which citizens spoke with an agent, and on which line first, as the agents' phones know it."""
    lines = [line for phone in stack.phones_at_seats() for line in phone.all if line.answered_at]
    return {line.number: line for line in sorted(lines, key=lambda line: line.answered_at or 0, reverse=True)}


async def exactly_once(
    stack: Stack, citizens: list[Citizen], timeout: float = 15.0, crossing: float = 0.0
) -> Counter[str]:
    """Every citizen has one row, with an outcome that agrees with the phones. Returns how many had which.

    `crossing`: how much longer than usual an answer and a hang-up may cross, in seconds.
    """
    wanted = {citizen.number: citizen for citizen in citizens}
    end = time.monotonic() + timeout
    while True:
        rows = await stack.rows("SELECT * FROM calls WHERE number = ANY($1)", list(wanted))
        found = Counter(row["number"] for row in rows)
        if len(found) == len(wanted) and all(row["outcome"] for row in rows):
            break
        missing = [number for number in wanted if number not in found]
        still = [row["number"] for row in rows if not row["outcome"]]
        assert time.monotonic() < end, f"without a row: {missing}; without an outcome: {still}"
        await asyncio.sleep(0.2)
    assert set(found.values()) == {1}
    spoke = answered(stack)
    for row in rows:
        truth = wanted[row["number"]]
        assert truth.ended_at is not None
        assert abs(row["arrived_at"].timestamp() - truth.invited_at) < NEAR, row
        assert abs(row["ended_at"].timestamp() - truth.ended_at) < NEAR, row
        line = spoke.get(row["number"])
        if line and line.answered_at and truth.ended_at - line.answered_at < CROSSING + crossing:
            continue  # hung up while the answer was on its way: either is right
        assert (row["outcome"] == "answered") == (line is not None), row
        if line is not None:
            assert abs(row["answered_at"].timestamp() - (line.answered_at or 0)) < NEAR, row
    return Counter(row["outcome"] for row in rows)


def dropped(citizens: list[Citizen]) -> list[str]:
    """Citizens who were cut off, or never answered."""
    return [each.number for each in citizens if each.ended_by != "caller" or not each.answered_at]


async def service_back(stack: Stack, was: int) -> float:
    """Wait until `up` has started the service again and it is ready; the seconds from its start."""
    async with asyncio.timeout(20):
        while (pid := stack.pid("service")) == was:
            await asyncio.sleep(0.02)
    await stack.ready_again(10)
    born = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - born


async def test_the_service_is_killed_under_calls(stack: Stack) -> None:
    desks = await staff(stack)
    await desks[3].ask("POST", "/desk/break", {"code": "TRAINING"})
    await desks[3].state("break")
    traffic = Traffic(stack, seed=12345)
    started: list[float] = []
    for pause in (1.7, 1.3, 0.6, 1.1, 0.4):
        await asyncio.sleep(pause)
        was = stack.pid("service")
        os.kill(was, signal.SIGKILL)
        started.append(await service_back(stack, was))
    await asyncio.sleep(2)
    await traffic.stop()
    print(f"live again after {[round(each, 2) for each in started]} s")
    assert dropped(traffic.citizens) == []
    print(await exactly_once(stack, traffic.citizens))
    assert "\n0 unexplained" in await stack.reconcile()
    # The middle one: a start is two seconds of work, and a busy machine may stretch one.
    assert sorted(started)[2] < 5 and max(started) < 10
    board = await stack.board()
    for seat in SEATS.values():
        assert board.view["seats"][seat]["state"] in {"ready", "wrap_up", "break"}
    assert board.view["seats"]["1004"]["reason"] == "TRAINING"
    assert board.view["calls"] == {}
    assert board.view["link"]["state"] == "live"


async def test_postgres_falls_silent_and_is_killed_under_calls(own_postgres: Postgres, telephony: Runtime) -> None:
    database = await own_postgres.new_database()
    async with open_stack(telephony, DATABASE_URL=own_postgres.url(database)) as stack:
        desks = await staff(stack)
        traffic = Traffic(stack, seed=54321)
        await asyncio.sleep(2)
        own_postgres.freeze()
        began = time.time()
        await asyncio.sleep(3)
        call = await draft(desks[0], "路灯不亮")
        await asyncio.sleep(3)
        own_postgres.thaw()
        await asyncio.sleep(3)
        await own_postgres.kill()
        await asyncio.sleep(5)
        metrics = await stack.metrics()
        assert metrics["callcenter_journal_bytes"] > 0
        await own_postgres.start()
        await asyncio.sleep(2)
        await traffic.stop()
        assert dropped(traffic.citizens) == []
        assert sum(citizen.invited_at > began for citizen in traffic.citizens) > 8
        print(await exactly_once(stack, traffic.citizens, 30))
        assert "\n0 unexplained" in await stack.reconcile()
        await order_kept(stack)
        kept = await desks[0].ask("GET", f"/calls/{call}/draft", status=200)
        assert kept["draft"]["form"]["subject"] == "路灯不亮"
        assert await stack.rows("SELECT form->>'subject' AS subject FROM drafts") == [{"subject": "路灯不亮"}]
        assert (await stack.metrics())["callcenter_journal_bytes"] == 0


async def draft(desk: Desk, subject: str) -> str:
    """The agent types into the form of the call that they talk with, while Postgres is away; the call's id."""
    view = await desk.screen.until(lambda view: view["call"] and view["call"]["answered_at"])
    call: str = view["call"]["id"]
    form = dict.fromkeys(FORM, "") | {"subject": subject, "confidential": False}
    saved = await desk.ask("PUT", f"/calls/{call}/draft", {"form": form, "version": 0}, status=200)
    assert saved["stored"] == "journal"
    return call


async def order_kept(stack: Stack) -> None:
    """Seat states follow one another without gap or overlap, though some went by the journal."""
    for seat in SEATS.values():
        states = await stack.rows("SELECT since, until FROM seat_states WHERE seat = $1 ORDER BY since", seat)
        assert [each["until"] for each in states[:-1]] == [each["since"] for each in states[1:]]


async def test_asterisk_stops_answering(stack: Stack) -> None:
    board, desk = await stack.board(), await (await stack.desk("limei")).sit("1001")
    assert desk.phone
    citizen = await stack.trunk.call(stack.number(), key="1")
    await desk.state("talking")
    asterisk = stack.pid("asterisk")
    os.kill(asterisk, signal.SIGSTOP)
    try:
        await board.until(lambda view: view["link"]["state"] != "live")
        await desk.screen.until(lambda view: view["link"]["state"] != "live")
        await asyncio.sleep(4)
        await board.until(lambda view: view["link"]["state"] == "away")
        await desk.ask("POST", "/desk/break", {"code": "REST"}, status=503)
        await citizen.hang_up()  # nobody hears it yet
    finally:
        os.kill(asterisk, signal.SIGCONT)
    healed = time.monotonic()
    await board.until(lambda view: view["link"]["state"] == "live" and not view["calls"])
    print(f"true again after {time.monotonic() - healed:.1f} s")
    citizen.trunk.request("BYE", citizen, 3)
    assert (await stack.record(citizen.number))["outcome"] == "answered"


async def test_asterisk_is_killed_under_calls(stack: Stack) -> None:
    desks = await staff(stack)
    await desks[3].ask("POST", "/desk/break", {"code": "MEETING"})
    await desks[3].state("break")
    cut = [await stack.trunk.call(stack.number(), key=key) for key in ("1", "2", "1", "1", "")]
    await cut[-1].until("answered_at")
    for desk in desks[:3]:
        await desk.state("talking")
    os.kill(stack.pid("asterisk"), signal.SIGKILL)
    killed = time.time()
    for desk in desks:
        assert desk.phone
        await desk.phone.hang_up()  # their end of calls that are no more
    citizen = await stack.trunk.call(stack.number())
    await citizen.until("answered_at", 10)
    assert citizen.answered_at
    print(f"a new call is answered {citizen.answered_at - killed:.1f} s after the kill")
    for each in cut:
        record = await stack.record(each.number, 10)
        assert record["outcome"] == "interrupted"
        assert record["ended_at"].timestamp() - killed < 10
        each.ended_at, each.ended_by = killed, "far"
    board = await stack.board()
    await board.until(lambda view: settled(view) == [None] * 3 + ["MEETING"] and len(view["calls"]) == 1)
    await citizen.press("1")
    async with asyncio.timeout(10):
        while citizen.number not in answered(stack):
            await asyncio.sleep(0.05)
    await citizen.hang_up()
    assert (await stack.record(citizen.number))["outcome"] == "answered"
    assert "\n0 unexplained" in await stack.reconcile()


def settled(view: Row) -> list[str | None]:
    """The break reasons of the four seats, when all of them are in their queues."""
    seats = [view["seats"].get(seat) for seat in SEATS.values()]
    return [seat["reason"] for seat in seats if seat and len(seat["queues"]) == 4]


async def test_an_asterisk_that_hangs_is_killed_and_started_again(telephony: Runtime) -> None:
    """The process lives, and answers nobody: SIGSTOP is the surest way to that."""
    async with open_stack(telephony, ASTERISK_SILENT_SECONDS="8") as stack:
        desk = await (await stack.desk("limei")).sit("1001")
        hung = stack.pid("asterisk")
        await asyncio.sleep(2)  # Asterisk writes down who sits where once a second
        os.kill(hung, signal.SIGSTOP)
        async with asyncio.timeout(60):
            while stack.pid("asterisk") == hung:
                await asyncio.sleep(0.1)
        board = await stack.board()
        await board.until(lambda view: view["link"]["state"] == "live", 30)
        citizen = await stack.trunk.call(stack.number(), key="1")
        await desk.state("talking", timeout=30)
        await citizen.hang_up()
        assert (await stack.metrics())["callcenter_asterisk_hung_kills"] == 1
        assert "asterisk has not answered for 8 s" in (stack.home.parent / "up.log").read_text()


async def test_what_was_reserved_in_a_call_outlives_the_service(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001")

    async def killed() -> None:
        was = stack.pid("service")
        os.kill(was, signal.SIGKILL)
        await service_back(stack, was)
        desk.screen = await stack.screen(desk.browser, "desk")

    citizen = await stack.trunk.call(stack.number(), key="1")
    await desk.state("talking")
    await desk.ask("POST", "/desk/break", {"code": "MEAL"})
    await desk.screen.until(lambda view: view["seat"]["next"] == "MEAL")
    await killed()
    await desk.screen.until(lambda view: view["seat"]["next"] == "MEAL" and view["seat"]["state"] == "talking")
    await citizen.hang_up()
    assert (await desk.state("break"))["reason"] == "MEAL"
    await killed()
    assert (await desk.state("break"))["next"] is None, "what has begun is not reserved any more"
    await desk.ready()
    citizen = await stack.trunk.call(stack.number(), key="1")
    await desk.state("talking")
    await desk.ask("DELETE", "/desk/seat")
    await desk.screen.until(lambda view: view["seat"]["next"] == "LEAVE")
    await killed()
    await desk.screen.until(lambda view: view["seat"]["next"] == "LEAVE")
    await citizen.hang_up()
    await desk.state("offline")


async def test_files_are_put_aside_and_deleted_under_calls(telephony: Runtime) -> None:
    async with open_stack(telephony, ASTERISK_LOG_MEGABYTES="0.02", ASTERISK_LOG_DAYS="2") as stack:
        await staff(stack)
        log = stack.home / "asterisk" / "log"
        cel, queue_log = log / "cel-custom" / "cel.json", log / "queue_log"
        traffic = Traffic(stack, seed=777, every=0.5)
        async with asyncio.timeout(90):
            while len(chain(cel)) < 3:
                await asyncio.sleep(0.2)
        was = stack.pid("service")
        os.kill(was, signal.SIGKILL)
        await service_back(stack, was)
        async with asyncio.timeout(90):
            while len(chain(cel)) < 5:
                await asyncio.sleep(0.2)
        await traffic.stop()
        assert dropped(traffic.citizens) == []
        print(await exactly_once(stack, traffic.citizens))
        assert "\n0 unexplained" in await stack.reconcile()
        assert len(chain(queue_log)) >= 4
        # As if they had been put aside long ago: what is older than the days goes, the rest still agrees.
        for file in (cel, queue_log):
            for n, path in enumerate(chain(file)[:2]):
                path.rename(file.with_name(f"{file.name}.{1_700_000_000 + n}"))
        async with asyncio.timeout(60):
            while any(path.name.split(".")[-1].startswith("17000000") for path in (*chain(cel), *chain(queue_log))):
                await asyncio.sleep(0.2)
        told = await stack.reconcile()
        assert "\n0 unexplained" in told and "files since" in told
