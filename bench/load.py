"""A whole instance under calls: the service's processor time beside Asterisk's for the same calls, and its memory.

Each agent has the desk page's websocket open, and there is one wallboard. Callers and agents run on the same machine.
"""

import asyncio
import contextlib
import json
from contextlib import AsyncExitStack
from typing import Any, Final

import asyncpg
from aiohttp import ClientSession

from bench.figures import Figure, spread
from bench.instance import Desk, Instance, calls, running, session, staffed

PARTS: Final = ("service", "asterisk", "postgres")
IDLE_SECONDS: Final = 5.0
WARM_UP: Final = 30  # calls
SETTLE_SECONDS: Final = 5.0  # in which the last rows are written and the files read
SEAL_SECONDS: Final = 60.0  # at most, until the last recordings are stored


async def _listen(browser: ClientSession, view: str) -> None:
    async with browser.ws_connect(f"/api/v1/live?view={view}") as socket:
        async for _ in socket:
            pass


async def _memory(instance: Instance, rate: float, marks: list[int]) -> dict[int, float]:
    """The service's memory when so many calls have begun. By the clock: to ask the service would cost it."""
    seen, before = {}, 0
    for mark in marks:
        await asyncio.sleep((mark - before) / rate)
        seen[mark], before = instance.resident("service"), mark
    return seen


def _agents(rate: float) -> int:
    # 4 s of ring and talk, 2 s that app_queue leaves a seat alone, and a tenth more.
    return round(rate * 6 * 1.1) + 4


async def run(rate: float, number: int) -> list[Figure]:
    """`number` calls, `rate` a second, after a warm-up."""
    async with AsyncExitStack() as stack:
        instance = await stack.enter_async_context(running())
        desks: list[Desk] = await stack.enter_async_context(staffed(instance, _agents(rate)))
        listening = [asyncio.ensure_future(_listen(desk.session, "desk")) for desk in desks]
        leader = next(account for account in instance.told["demo_accounts"] if account["role"] == "supervisor")
        board = await session(stack, instance, leader["login"], leader["password"])
        listening.append(asyncio.ensure_future(_listen(board, "floor")))
        try:
            return await _measure(instance, rate, number, len(desks))
        finally:
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)


async def _measure(instance: Instance, rate: float, number: int, agents: int) -> list[Figure]:
    before = {part: instance.cpu(part) for part in PARTS}
    await asyncio.sleep(IDLE_SECONDS)
    idle = {part: (instance.cpu(part) - before[part]) / IDLE_SECONDS for part in PARTS}

    await calls(instance, rate, WARM_UP)
    start = instance.resident("service")
    marks = sorted({mark for mark in (500, 1000, 2000) if mark < number} | {number})
    remembering = asyncio.ensure_future(_memory(instance, rate, marks))
    used = {part: instance.cpu(part) for part in PARTS}
    stat = (await calls(instance, rate, number))[-1]
    await asyncio.sleep(SETTLE_SECONDS)
    used = {part: instance.cpu(part) - used[part] for part in PARTS}
    seen = await remembering

    waits, outcomes, recorded = await _ledger(instance)
    each = {part: 1000 * used[part] / number for part in PARTS}
    failed = int(stat["FailedCall(C)"])
    return [
        Figure("calls", f"{number} at {rate:g}/s, {agents} agents with their desks open, 1 wallboard"),
        Figure("failed, as SIPp says", str(failed), "0"),
        Figure("outcomes in the ledger, with warm-up", json.dumps(outcomes)),
        Figure("recorded, sealed and stored", recorded),
        Figure("from queue to answer", spread(waits, "ms", 0)),
        Figure("Asterisk", f"{each['asterisk']:.1f} ms a call (idle {idle['asterisk']:.1%} of a core)"),
        Figure("service", f"{each['service']:.1f} ms a call (idle {idle['service']:.1%} of a core)"),
        Figure("Postgres", f"{each['postgres']:.1f} ms a call (idle {idle['postgres']:.1%} of a core)"),
        Figure("service / Asterisk", f"{each['service'] / each['asterisk']:.1%}", "<= 20 %, aim 10 %"),
        Figure("service's memory at the start", f"{start:.0f} MB", "<= 200 MB"),
        *(Figure(f"after {mark} calls", f"{seen[mark]:.0f} MB", "no growth") for mark in marks),
    ]


async def _ledger(instance: Instance) -> tuple[list[float], dict[str, int], str]:
    """Waits in milliseconds, outcomes counted, and how many calls have a whole recording."""
    connection: Any = await asyncpg.connect(instance.told["postgres"])
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SEAL_SECONDS):
                while await connection.fetchval(
                    "SELECT EXISTS (SELECT FROM calls WHERE outcome = 'answered'"
                    " AND NOT EXISTS (SELECT FROM recordings WHERE call_id = calls.id))"
                ):
                    await asyncio.sleep(0.5)
        waits = await connection.fetch("SELECT wait_ms FROM calls WHERE wait_ms IS NOT NULL")
        outcomes = await connection.fetch("SELECT coalesce(outcome, 'open') o, count(*) n FROM calls GROUP BY 1")
        whole, gaps = await connection.fetchrow(
            "SELECT count(*) FILTER (WHERE gap IS NULL), count(*) FILTER (WHERE gap IS NOT NULL) FROM recordings"
        )
    finally:
        await connection.close()
    recorded = f"{whole} calls whole, {gaps} with a gap"
    return [float(row["wait_ms"]) for row in waits], {row["o"]: row["n"] for row in outcomes}, recorded
