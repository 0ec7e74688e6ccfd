"""Callers who ask to be called back, by real phones and a real Asterisk: their place, their turn, every way it ends."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from baresip.runtime import Runtime
from conftest import signal_sessions
from stack import PATIENCE, Row, Stack, open_stack
from subscribers import Subscribers, open_subscribers
from trunk import Citizen


@dataclass
class Town:
    """An instance whose calls leave to the subscribers."""

    stack: Stack
    numbers: Subscribers


@pytest.fixture(scope="module")
async def one_town(telephony: Runtime) -> AsyncIterator[Town]:
    async with (
        open_subscribers() as numbers,
        open_stack(
            telephony, TRUNK_ADDRESS=numbers.address, CALLBACK_GAPS="1,2", CALLBACK_HOURS="00:00-23:59"
        ) as stack,
    ):
        yield Town(stack, numbers)


@pytest.fixture
async def town(one_town: Town) -> AsyncIterator[Town]:
    """With nobody at the seats and nobody on the list, before and after."""
    yield one_town
    stack = one_town.stack
    await stack.clear()
    chief = await stack.browser("sunli")
    for item in (await chief.ask("GET", "/api/v1/callbacks"))[1]["items"]:
        await chief.ask("POST", f"/api/v1/callbacks/{item['id']}/cancel", {"reason": "the test is over"})
    one_town.numbers.behaviour.clear()


async def waiting(town: Town, number: str) -> Citizen:
    """A citizen in the queue, past the greeting."""
    citizen = await town.stack.trunk.call(number, key="1")
    await asyncio.sleep(0.7)
    return citizen


async def entry(town: Town, call: str, *states: str, timeout: float = 10) -> Row:
    """The entry of a call, once it is on record in one of these states."""
    async with asyncio.timeout(timeout):
        while True:
            rows = await town.stack.rows("SELECT * FROM callbacks WHERE id = $1", call)
            if rows and rows[0]["state"] in states:
                return rows[0]
            await asyncio.sleep(0.1)


async def ended(town: Town, call: str) -> Row:
    """The record of a call of ours, once it is over."""
    async with asyncio.timeout(20):
        while True:
            rows = await town.stack.rows("SELECT * FROM calls WHERE id = $1 AND outcome IS NOT NULL", call)
            if rows:
                return rows[0]
            await asyncio.sleep(0.1)


async def asks(town: Town, number: str, *, hears_all: bool = False) -> Row:
    """A citizen waits, presses the key, and goes before or after all has been said; the record of the call."""
    citizen = await waiting(town, number)
    await citizen.press("3")
    if hears_all:
        await citizen.until("ended_at", 30)
        assert citizen.ended_by == "far", "we say goodbye"
    else:
        await asyncio.sleep(1)
        await citizen.hang_up()
    return await town.stack.record(number)


async def test_who_asks_keeps_the_place_and_is_called_when_a_seat_is_free(town: Town) -> None:
    stack = town.stack
    desk = await (await stack.desk("limei")).sit("1001", ready=False)
    number = stack.number()
    call = await asks(town, number, hears_all=True)
    assert (call["outcome"], call["direction"]) == ("callback", "in")
    listed = await entry(town, call["id"], "waiting")
    assert (listed["number"][:7], listed["origin"], listed["tries"]) == ("sealed:", "asked", 0)
    assert listed["place_at"] == call["queued_at"]
    later = await waiting(town, stack.number())
    await desk.ask("POST", "/desk/ready")
    pop = await desk.pop(number)
    assert pop["origin"] == call["id"] and pop["state"] in {"dialling", "waiting", "ringing"}
    ring = await town.numbers.ring(number)
    await town.numbers.until(ring, "answered_at")
    assert desk.phone
    line = await desk.phone.line()
    assert line.number == number, "the phone shows whom it is about"
    await desk.state("talking")
    await asyncio.sleep(0.5)
    town.numbers.hang_up(ring)
    await desk.state("wrap_up")
    reached = await entry(town, call["id"], "reached")
    assert (reached["seat"], reached["login"], reached["tries"]) == ("1001", "limei", 1)
    back = await ended(town, reached["call_id"])
    assert (back["direction"], back["origin"], back["outcome"]) == ("callback", call["id"], "answered")
    assert ("1001", "completed") in [(leg["seat"], leg["how"]) for leg in await stack.segments(back["id"])]
    # Then the one who came later.
    await desk.pop(later.number)
    await later.hang_up()
    assert len(town.numbers.of(number)) == 1
    assert "0 unexplained" in await stack.reconcile()


async def test_three_tries_and_the_agent_is_free_after_each(town: Town) -> None:
    desk = await (await town.stack.desk("limei")).sit("1001", ready=False)
    number = town.stack.number()
    town.numbers.behaviour[number] = "busy"
    call = await asks(town, number)
    await desk.ask("POST", "/desk/ready")
    for nth in (1, 2, 3):
        await town.numbers.ring(number, nth)
        await desk.state("ready")
    failed = await entry(town, call["id"], "failed")
    assert failed["tries"] == 3 and len(town.numbers.of(number)) == 3
    await asyncio.sleep(2)  # rows are written once a second
    tries = await town.stack.rows("SELECT outcome, number FROM calls WHERE origin = $1", call["id"])
    assert tries == [{"outcome": "not_reached", "number": number}] * 3
    assert "0 unexplained" in await town.stack.reconcile()


async def test_who_calls_again_is_not_called_meanwhile(town: Town) -> None:
    desk = await (await town.stack.desk("limei")).sit("1001", ready=False)
    number = town.stack.number()
    call = await asks(town, number)
    again = await waiting(town, number)
    cancelled = await entry(town, call["id"], "cancelled")
    assert cancelled["reason"] == "called_again"
    # He gives up: the place is still his.
    await again.hang_up()
    await entry(town, call["id"], "waiting")
    # He calls once more and is answered: nobody calls him any more.
    once_more = await waiting(town, number)
    await entry(town, call["id"], "cancelled")
    await desk.ask("POST", "/desk/ready")
    await desk.pop(number)
    await desk.state("talking")
    await once_more.hang_up()
    await desk.state("ready")
    assert (await entry(town, call["id"], "cancelled"))["reason"] == "called_again"
    assert town.numbers.of(number) == []


async def test_a_reserved_agent_who_does_not_answer_costs_the_citizen_nothing(town: Town) -> None:
    first = await (await town.stack.desk("limei")).sit("1001", ready=False, behaviour="reject")
    other = await (await town.stack.desk("wangqiang")).sit("1002", ready=False)
    number = town.stack.number()
    call = await asks(town, number)
    await first.ask("POST", "/desk/ready")
    ring = await town.numbers.ring(number)
    await first.state("unreachable", timeout=15)
    await other.ask("POST", "/desk/ready")
    await other.pop(number)
    await other.state("talking")
    assert ring.ended_at is None, "he was never dropped"
    town.numbers.hang_up(ring)
    assert (await entry(town, call["id"], "reached"))["tries"] == 1
    assert len(town.numbers.of(number)) == 1


@pytest.mark.harm
async def test_a_service_killed_at_any_moment_loses_nobody_and_dials_nobody_twice(town: Town) -> None:
    stack = town.stack
    desk = await (await stack.desk("limei")).sit("1001", ready=False)
    number = stack.number()
    town.numbers.behaviour[number] = "late"
    citizen = await waiting(town, number)
    # Asked while nobody listens.
    os.kill(stack.pid("service"), signal.SIGKILL)
    await citizen.press("3")
    await asyncio.sleep(0.3)
    await citizen.hang_up()
    await stack.ready_again(20)
    (call,) = await stack.rows("SELECT id FROM calls WHERE number = $1", number)
    listed = await entry(town, call["id"], "waiting")
    # Killed while the number rings.
    status, _ = await desk.browser.ask("POST", "/api/v1/desk/ready")
    assert status == 202
    await town.numbers.ring(number)
    os.kill(stack.pid("service"), signal.SIGKILL)
    await stack.ready_again(20)
    ring = await town.numbers.until(town.numbers.of(number)[0], "answered_at")
    desk.screen = await stack.screen(desk.browser, "desk")
    await desk.state("talking", timeout=15)
    await asyncio.sleep(0.5)
    town.numbers.hang_up(ring)
    reached = await entry(town, call["id"], "reached", timeout=15)
    assert reached["place_at"] == listed["place_at"] and reached["tries"] == 1
    assert len(town.numbers.of(number)) == 1, "exactly one call"
    await desk.state("wrap_up", "ready")
    await asyncio.sleep(10)  # the ledger settles
    assert "0 unexplained" in await stack.reconcile()


@pytest.mark.harm
async def test_a_callback_asked_for_while_postgres_is_away_is_dialled_once(town: Town) -> None:
    stack = town.stack
    desk = await (await stack.desk("limei")).sit("1001", ready=False)
    number, postgres = stack.number(), stack.pid("postgres")
    citizen = await waiting(town, number)
    signal_sessions(postgres, signal.SIGSTOP)
    try:
        await citizen.press("3")
        await citizen.until("ended_at", 30)
        assert citizen.ended_by == "far", "he has heard that it is noted"
        async with asyncio.timeout(PATIENCE):
            while not (await stack.metrics())["callcenter_journal_bytes"]:
                await asyncio.sleep(0.1)
    finally:
        signal_sessions(postgres, signal.SIGCONT)
    call = await stack.record(number)
    listed = await entry(town, call["id"], "waiting", timeout=PATIENCE)
    assert listed["place_at"] == call["queued_at"]
    await desk.ask("POST", "/desk/ready")
    ring = await town.numbers.ring(number)
    await desk.state("talking")
    town.numbers.hang_up(ring)
    assert (await entry(town, call["id"], "reached", timeout=PATIENCE))["tries"] == 1
    await asyncio.sleep(10)  # the ledger settles; nobody is dialled again meanwhile
    assert len(town.numbers.of(number)) == 1, "exactly one call"
    assert (await stack.metrics())["callcenter_journal_bytes"] == 0
    assert "0 unexplained" in await stack.reconcile()


async def test_who_gave_up_is_listed_once_with_a_text_and_called_by_one_click(town: Town) -> None:
    stack = town.stack
    desk = await (await stack.desk("limei")).sit("1001", ready=False)
    number = stack.number()
    for times in (1, 2):
        citizen = await waiting(town, number)
        await citizen.hang_up()
        rows: list[Row] = []
        async with asyncio.timeout(20):
            while len(rows) < times:
                rows = await stack.rows("SELECT id FROM calls WHERE number = $1 AND outcome IS NOT NULL", number)
                await asyncio.sleep(0.1)
    listed = (await desk.ask("GET", "/callbacks", status=200))["items"]
    assert len(listed) == 1, await stack.rows("SELECT * FROM callbacks")
    assert listed[0]["origin"] == "abandoned_queue" and number not in json.dumps(listed), "masked"
    async with asyncio.timeout(10):
        while number not in (
            texts := (stack.home / "texts.jsonl").read_text() if (stack.home / "texts.jsonl").exists() else ""
        ):
            await asyncio.sleep(0.1)
    await asyncio.sleep(3)
    assert (stack.home / "texts.jsonl").read_text().count(number) == 1, texts
    # Nobody is dialled for it by itself; an agent on a break calls by one click.
    assert town.numbers.of(number) == []
    await desk.ask("POST", "/desk/break", {"code": "PAPERWORK"})
    await desk.ask("POST", f"/callbacks/{listed[0]['id']}/call")
    ring = await town.numbers.ring(number)
    await desk.state("talking", timeout=15)
    town.numbers.hang_up(ring)
    await entry(town, listed[0]["id"], "reached")
    (act,) = await stack.rows("SELECT what FROM audit WHERE act = 'callback_called'")
    assert json.loads(act["what"])["callback"] == listed[0]["id"]


async def test_callbacks_are_neither_answered_nor_abandoned_in_the_figures(town: Town) -> None:
    board = await town.stack.board()
    before = board.view["figures"]
    desk = await (await town.stack.desk("limei")).sit("1001", ready=False)
    await asks(town, number := town.stack.number())
    view = await board.until(lambda view: view["figures"]["callback"] == before["callback"] + 1)
    assert view["callbacks"]["waiting"] == view["callbacks"]["asked"] == 1
    await desk.ask("POST", "/desk/ready")
    ring = await town.numbers.ring(number)
    await desk.state("talking", timeout=15)
    town.numbers.hang_up(ring)
    await board.until(lambda view: view["callbacks"]["waiting"] == 0)
    await asyncio.sleep(3)
    after = board.view["figures"]
    told = {name: after[name] - before[name] for name in ("offered", "answered", "abandoned", "callback", "other")}
    assert told == {"offered": 1, "answered": 0, "abandoned": 0, "callback": 1, "other": 0}
