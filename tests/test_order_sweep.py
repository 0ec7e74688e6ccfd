"""The sweep over clocks: what is told when, by whomever, and what a kill costs."""

import asyncio
import signal
import sys
import uuid
from datetime import datetime

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine
from stack import PATIENCE
from test_order_moves import DISPATCHER, LEADER, LIAISON, ZONE, act, history, rows, saved

from callcenter.store import tables
from callcenter.workorders import queries
from callcenter.workorders.order import Who
from callcenter.workorders.policies import Policies
from callcenter.workorders.sweep import AGAIN, settle, sweep


@pytest.fixture
def policies() -> Policies:
    return Policies(ZONE)


async def dispatched(engine: AsyncEngine, policies: Policies, count: int) -> list[str]:
    codes = await saved(engine, policies, count=count)
    for code in codes:
        await act(engine, policies, code, "dispatch", DISPATCHER, lead="D29")
    return codes


async def test_the_sweep_reminds_once_signs_and_urges_level_by_level(engine: AsyncEngine, policies: Policies) -> None:
    """Domain.md 3.4, R48, R90: what went unanswered comes to the supervisor; cards are given by people."""
    (code,) = await dispatched(engine, policies, 1)

    async def look(day: int, hour: int) -> int:
        return await sweep(engine, policies, datetime(2026, 9, day, hour, tzinfo=ZONE))

    assert await look(15, 14) == 0
    assert await look(15, 23) == 1
    assert await look(16, 0) == 0  # the last moment is in time
    assert await look(16, 1) == 1
    assert await look(16, 1) == 0
    at = datetime(2026, 9, 16, 10, tzinfo=ZONE)
    await act(engine, policies, code, "first_contact", LIAISON, at, how_contacted="call", contact_note="x")
    # Half the time is over on the 17th at 14:30, 80 % on Sunday the 20th, which is made up, at 9:00.
    for day, hour in ((17, 14), (17, 15), (17, 15), (20, 8), (20, 10), (20, 10), (21, 1), (21, 1), (21, 19), (30, 9)):
        await look(day, hour)
    assert [event for _, event, _ in await history(engine, code)] == [
        "submit_certain",
        "dispatch",
        "auto_sign",
        "first_contact",
        *["urge"] * 4,
        "draft_supervision",
    ]
    notices = await rows(engine, tables.order_notices, code, tables.order_notices.c.id)
    told = [
        (row["recipient"], row["facts"].get("clock"), row["facts"].get("stage"))
        for row in notices
        if row["template"] in ("time_runs", "time_is_over")
    ]
    assert told == [("lead", "T-SIGN", 80), ("supervisor", "T-REPLY", 100), ("supervisor", "T-REPLY", 120)]
    climbed = [(row["recipient"], row["template"]) for row in notices if row["template"] in ("urged", "card_proposed")]
    assert climbed == [*[("lead", "urged")] * 4, ("supervisor", "card_proposed")]
    assert [row["what"] for row in notices if row["template"] == "urged_in_writing"] == ["D29"] * 2
    (order,) = await rows(engine, tables.orders, code)
    assert (order["urge_level"], order["machines"]["supervision"], order["wake_at"]) == (2, "drafted", None)


async def test_an_inner_day_that_is_over_is_told_to_the_co_unit_and_the_lead(
    engine: AsyncEngine, policies: Policies
) -> None:
    (code,) = await dispatched(engine, policies, 1)
    await act(engine, policies, code, "sign", LIAISON)
    called = {"instruction": "到场", "inner_due": "2026-09-16"}
    for unit in ("D08", "D07"):
        await act(engine, policies, code, "add_co_unit", LIAISON, co_unit=unit, **called)
    await sweep(engine, policies, datetime(2026, 9, 17, 1, tzinfo=ZONE))
    told = [
        (row["recipient"], row["what"], row["facts"]["stage"])
        for row in await rows(engine, tables.order_notices, code, tables.order_notices.c.id)
        if row["facts"].get("clock") == "T-CO"
    ]
    assert told == [("co_unit", "D08", 100), ("lead", "D29", 100), ("co_unit", "D07", 100), ("lead", "D29", 100)]


SWEEPER = """
import asyncio, sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo
from callcenter.store.engine import make_engine
from callcenter.workorders.order import Who
from callcenter.workorders.policies import Policies
from callcenter.workorders.sweep import settle, sweep

async def main():
    engine, policies = make_engine(sys.argv[1]), Policies(ZoneInfo("Asia/Shanghai"))
    print("ready", flush=True)
    sys.stdin.readline()
    while True:
        if await sweep(engine, policies, datetime(2026, 9, 16, 9, tzinfo=UTC), 7):
            print("swept", flush=True)
        else:
            await asyncio.sleep(0.05)

asyncio.run(main())
"""


async def test_two_sweepers_and_a_kill_lose_and_double_nothing(
    engine: AsyncEngine, policies: Policies, database_url: str
) -> None:
    """Processes of their own; one is killed in the middle of its work, as if the power had gone."""
    codes = await dispatched(engine, policies, 120)
    start = [sys.executable, "-c", SWEEPER, database_url]
    pipe = asyncio.subprocess.PIPE
    two = [await asyncio.create_subprocess_exec(*start, stdin=pipe, stdout=pipe) for _ in range(2)]
    try:
        for process in two:
            assert await _line(process) == b"ready\n"
        for process in two:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        assert await _line(two[0]) == b"swept\n"
        two[0].send_signal(signal.SIGKILL)
        async with asyncio.timeout(4 * PATIENCE):
            while True:
                async with engine.connect() as connection:
                    signed = await connection.scalar(text("SELECT count(*) FROM orders WHERE state = 'in_progress'"))
                if signed == len(codes):
                    break
                await asyncio.sleep(0.1)
    finally:
        for process in two:
            if process.returncode is None:
                process.kill()
            await process.wait()
    async with engine.connect() as connection:
        counted = await connection.execute(
            text("SELECT count(*), count(DISTINCT order_id) FROM order_history WHERE event = 'auto_sign'")
        )
        assert counted.one() == (120, 120)
        counted = await connection.execute(
            text("SELECT count(*), count(DISTINCT order_id) FROM order_notices WHERE template = 'signed_by_clock'")
        )
        assert counted.one() == (120, 120)
        assert await connection.scalar(text("SELECT count(*) FROM orders WHERE wake_at <= '2026-09-16 09:00Z'")) == 0


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    return await asyncio.wait_for(process.stdout.readline(), 4 * PATIENCE)


async def test_an_order_that_somebody_holds_does_not_hold_up_the_sweep(engine: AsyncEngine, policies: Policies) -> None:
    codes = await dispatched(engine, policies, 3)
    at = datetime(2026, 9, 16, 9, tzinfo=ZONE)
    async with engine.begin() as connection:
        await queries.lock_order(connection, codes[0])
        assert await asyncio.wait_for(sweep(engine, policies, at), PATIENCE) == 2
    assert await sweep(engine, policies, at) == 1


async def test_what_a_clock_may_not_cause_is_passed_over(engine: AsyncEngine, policies: Policies) -> None:
    """A dispute that nobody opened, as loaded data may hold, calls no joint meeting and stops no sweep."""
    (code,) = await dispatched(engine, policies, 1)
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE orders SET state = 'disputed', machines = '{}' WHERE code = :c"), {"c": code}
        )
        await connection.execute(
            text("UPDATE order_clocks SET name = 'T-DISPUTE', policy = 'T-DISPUTE' WHERE name = 'T-SIGN'")
        )
    before = await history(engine, code)
    at = datetime(2026, 9, 16, 1, tzinfo=ZONE)
    assert await sweep(engine, policies, at) == 1
    assert await sweep(engine, policies, at) == 0
    assert await history(engine, code) == before
    clocks = {
        row["name"]: row["reminded"] for row in await rows(engine, tables.order_clocks, code, tables.order_clocks.c.n)
    }
    assert clocks["T-DISPUTE"] >= 100, "its end is told, and not again every minute"


async def test_what_was_merged_has_its_own_visit_when_the_master_has_passed(
    engine: AsyncEngine, policies: Policies
) -> None:
    master, merged, alone = await saved(engine, policies, count=3)
    await act(engine, policies, merged, "merge", DISPATCHER, master=master, reason="同一事项")
    at = datetime(2026, 9, 14, 10, tzinfo=ZONE)
    assert [len(await history(engine, code)) for code in (merged, alone)] == [2, 1]
    await act(engine, policies, master, "dispatch", DISPATCHER, lead="D29")
    await act(engine, policies, master, "sign", LIAISON)
    await act(engine, policies, master, "first_contact", LIAISON, how_contacted="call", contact_note="x")
    reply = {"result": "resolved", "reply": "已清理", "actions": "现场处置"}
    await act(engine, policies, master, "reply", LIAISON, **reply)
    await act(engine, policies, master, "confirm", LEADER)
    await sweep(engine, policies, at)
    assert (await history(engine, merged))[-1][1] == "merge"
    checks = ["points", "facts", "basis", "result", "next_step", "no_personal_data", "no_promise"]
    await act(engine, policies, master, "audit_pass", Who("wumin", frozenset({"inspector"})), checks=checks)
    await sweep(engine, policies, at)
    assert (await history(engine, merged))[-1] == (3, "master_closed", "pending_visit")
    (order,) = await rows(engine, tables.orders, merged)
    assert (order["master"], order["machines"]) == (master, {"visit": "planned"})
    assert await sweep(engine, policies, at) == 0


async def test_a_loaded_notice_moves_what_was_provisional(engine: AsyncEngine, policies: Policies) -> None:
    """Domain.md 3.5: clocks that reach into an unpublished year are reckoned again when its notice is loaded."""
    at = datetime(2026, 12, 30, 9, tzinfo=ZONE)
    (code,) = await saved(engine, policies, at=at)
    await act(engine, policies, code, "dispatch", DISPATCHER, at, lead="D29")

    async def due() -> tuple[str, bool]:
        (row,) = [row for row in await rows(engine, tables.order_clocks, code) if row["name"] == "T-REPLY"]
        return row["due_at"].astimezone(ZONE).isoformat()[:10], row["provisional"]

    assert await due() == ("2027-01-07", True)
    notice = {"year": 2027, "off": ["2027-01-01", "2027-01-04"], "made_up": ["2027-01-09"]}
    async with engine.begin() as connection:
        change = {"kind": "year", "day": at.date(), "what": notice, "proposed_by": "a"}
        await connection.execute(
            insert(tables.calendar_changes).values(change | {"state": "approved", "decided_by": "b", "decided_at": at})
        )
    assert await settle(engine, policies, at, uuid.UUID(int=0)) is not None
    assert await due() == ("2027-01-09", False)
    assert await settle(engine, policies, at, uuid.UUID(int=0)) is None
    (told,) = [row for row in await rows(engine, tables.order_notices, code) if row["template"] == "due_moved"]
    assert (told["what"], told["facts"]["due"]) == ("D29", "2027-01-08T16:00:00.000Z")


async def test_one_that_cannot_be_dealt_with_does_not_hold_up_the_others(
    engine: AsyncEngine, policies: Policies
) -> None:
    """All that is due is written at once; what is wrong with one of them makes it many single acts."""
    codes = await dispatched(engine, policies, 3)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE orders SET policy = 999 WHERE code = :code"), {"code": codes[1]})
    at = datetime(2026, 9, 16, 1, tzinfo=ZONE)
    assert await sweep(engine, policies, at) == 3
    assert await sweep(engine, policies, at) == 0
    swept = [[event for _, event, _ in await history(engine, code)][2:] for code in codes]
    assert swept == [["auto_sign"], [], ["auto_sign"]]
    (wrong,) = await rows(engine, tables.orders, codes[1])
    assert wrong["wake_at"] == at + AGAIN
