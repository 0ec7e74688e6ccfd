"""An agent calls a citizen about a matter at hand; and where a seat's phone cannot get, whatever it tries."""

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from baresip.runtime import Runtime
from outside import Outside, open_outside
from stack import PATIENCE, Desk, Stack, open_stack
from test_transfers import Talk, talk


@pytest.fixture
async def office(trunked: Stack, world: Outside) -> AsyncIterator[Stack]:
    world.reset()
    yield trunked
    await trunked.clear()


async def test_the_citizen_of_a_call_one_has_had_is_called_and_it_is_on_record(office: Stack, world: Outside) -> None:
    here = await talk(office)
    await asyncio.sleep(1.5)
    await here.do("dial", status=409)  # in a call
    await here.citizen.hang_up()
    await here.record()
    await here.desk.state("ready")
    stranger = await (await office.desk("wangqiang")).sit("1002", ready=False)
    await stranger.ask("POST", f"/calls/{here.call}/dial", status=404)
    await here.do("dial")
    out = await world.call(PATIENCE)
    assert out.number == here.citizen.number
    assert "<sip:12345@" in out.headers["from"]
    await out.until("answered_at")
    await here.desk.state("talking", timeout=20)
    await asyncio.sleep(0.5)
    await world.hang_up(out)
    await here.desk.state("wrap_up")
    async with asyncio.timeout(PATIENCE):
        while not (
            rows := await office.rows("SELECT * FROM calls WHERE origin = $1 AND outcome = 'answered'", here.call)
        ):
            await asyncio.sleep(0.1)
    assert rows[0]["direction"] != "in"
    acts = await office.rows("SELECT what FROM audit WHERE act = 'callback_called'")
    assert here.call in acts[-1]["what"]
    await asyncio.sleep(3)
    assert world.dialled == [here.citizen.number], "once, and never by itself again"
    assert "0 unexplained" in await office.reconcile()


MATTER = {
    "kind": "complaint",
    "category": "0101",
    "urgency": "U3",
    "subject": "占道经营",
    "description": "每晚八点后摆摊",
    "place": "南园路",
    "region": "R0101",
    "contact_name": "王女士",
    "callback_number": "",
    "confidential": False,
}


async def written(here: Talk, **changes: object) -> str:
    """The code of an order that the agent writes about the call, which is over then, and its seat ready."""
    body = {"form": MATTER | changes, "end": "pending_dispatch", "key": str(uuid.uuid4())}
    saved = await here.desk.ask("POST", f"/calls/{here.call}/order", body, status=201)
    await here.citizen.hang_up()
    await here.record()
    await here.desk.state("ready")
    code: str = saved["code"]
    return code


async def until(desk: Desk, call: str, state: str) -> bool | None:
    """Wait until a call of one's own is this far; whether it was talked in, once it has ended."""
    async with asyncio.timeout(PATIENCE):
        while True:
            told = await desk.ask("GET", f"/outgoing/{call}", status=200)
            if told["state"] == state:
                reached: bool | None = told["reached"]
                return reached
            await asyncio.sleep(0.05)


async def test_the_citizen_of_an_order_is_called_at_the_number_that_the_order_has(
    office: Stack, world: Outside
) -> None:
    here = await talk(office)
    number = office.number()
    code = await written(here, callback_number=number)
    stranger = await (await office.desk("wangqiang")).sit("1002", ready=False)
    for method in ("GET", "POST"):
        await stranger.ask(method, f"/orders/{code}/dial", status=404)
    shown = await here.desk.ask("GET", f"/orders/{code}/dial", status=200)
    assert shown["number"] == f"{number[:3]}****{number[-4:]}"
    assert world.dialled == [], "asking whom it would reach calls nobody"
    # Two presses are one call.
    first, second = await asyncio.gather(
        *(here.desk.browser.ask("POST", f"/api/v1/orders/{code}/dial") for _ in range(2))
    )
    assert sorted([first[0], second[0]]) == [202, 409]
    call = (first if first[0] == 202 else second)[1]["call_id"]
    out = await world.call(PATIENCE)
    assert out.number == number
    await until(here.desk, call, "talking")
    await stranger.ask("GET", f"/outgoing/{call}", status=404)
    await world.hang_up(out)
    assert await until(here.desk, call, "ended") is True
    await here.desk.state("wrap_up")
    (act,) = await office.rows(
        "SELECT what FROM audit WHERE act = 'callback_called' AND what->>'callback' = $1", here.call
    )
    assert "1001" in act["what"]
    async with asyncio.timeout(PATIENCE):
        while not await office.rows("SELECT 1 FROM calls WHERE id = $1 AND outcome = 'answered'", call):
            await asyncio.sleep(0.1)
    assert world.dialled == [number]
    assert "0 unexplained" in await office.reconcile()


async def test_a_citizen_who_does_not_answer_is_told_as_that_and_the_seat_is_ready_again(
    office: Stack, world: Outside
) -> None:
    here = await talk(office)
    code = await written(here)
    world.behaviour = "busy"
    made = await here.desk.ask("POST", f"/orders/{code}/dial")
    out = await world.call(PATIENCE)
    assert out.number == here.citizen.number, "an order without a number of its own: the caller's"
    assert await until(here.desk, made["call_id"], "ended") is False
    await here.desk.state("ready")


async def test_whom_an_order_does_not_let_one_call(office: Stack, world: Outside) -> None:
    here = await talk(office)
    code = await written(here, confidential=True, callback_number="0044207946000")
    refused = await here.desk.ask("GET", f"/orders/{code}/dial", status=409)
    assert refused["error"]["code"] == "not_callable"
    chief = await (await office.desk("sunli")).sit("1003", ready=False)
    refused = await chief.ask("POST", f"/orders/{code}/dial", status=403)
    assert refused["error"]["code"] == "confidential"
    # The number of its call is gone with it; and nobody calls without a seat.
    refused = await here.desk.ask("GET", f"/calls/{here.call}/dial", status=409)
    assert refused["error"]["code"] == "not_callable"
    await here.desk.leave()
    again = await talk(office)
    await written(again)
    await again.desk.leave()
    refused = await again.desk.ask("GET", f"/calls/{again.call}/dial", status=409)
    assert refused["error"]["code"] == "not_seated"
    assert world.dialled == []


@pytest.mark.parametrize("number", ["0085212345678", "19000000000", "13800000001", "12366", "1002", "12345", "tax"])
async def test_a_phone_cannot_transfer_a_citizen_anywhere_else(office: Stack, world: Outside, number: str) -> None:
    """REFER from the phone itself, with the citizen in the call."""
    here = await talk(office)
    with contextlib.suppress(Exception):  # how a phone says that it was refused does not matter
        await asyncio.wait_for(here.line.call.transfer(f"sip:{number}@{office.told['sip']}"), 4)
    await asyncio.sleep(1)
    assert world.dialled == []
    assert here.citizen.ended_at is None
    await here.citizen.hang_up()


async def test_a_phone_can_transfer_a_citizen_to_the_police_by_itself(office: Stack, world: Outside) -> None:
    here = await talk(office)
    with contextlib.suppress(Exception):
        await asyncio.wait_for(here.line.call.transfer(f"sip:110@{office.told['sip']}"), 4)
    police = await world.call()
    await police.until("answered_at")
    await here.desk.state("wrap_up")
    assert here.citizen.ended_at is None and police.number == "110"
    await here.citizen.hang_up()
    await police.until("ended_at", 20)


def kill(pid: int) -> None:
    """At once, with all that it has started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for each in (pid, *map(int, children)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


@pytest.mark.harm
async def test_a_phone_brings_the_police_while_service_and_database_are_dead(telephony: Runtime) -> None:
    """The agent talks with 110 before leaving the citizen with them."""
    async with open_outside() as world, open_stack(telephony, TRUNK_ADDRESS=world.here) as stack:
        here = await talk(stack)
        assert here.desk.phone
        os.kill(stack.process.pid, signal.SIGSTOP)  # or it would start them again
        try:
            for part in ("service", "postgres"):
                kill(stack.pid(part))
            with pytest.raises(OSError):
                await stack.rows("SELECT 1")
            with pytest.raises(OSError):
                await stack.browser("limei")
            world.delay = 1.5
            await here.line.call.hold()
            ours = await here.desk.phone.ua.dial(f"sip:110@{stack.told['sip']}")
            police = await world.call()
            assert police.number == "110"
            await ours.wait_established()
            assert here.citizen.ended_at is None and here.line.ended_at is None, "nobody has left"
            await here.line.call.attended_transfer(ours)
            await here.line.wait_ended()
            await asyncio.sleep(1)
            assert here.citizen.ended_at is None and police.ended_at is None
            await world.hang_up(police)
            await here.citizen.until("ended_at")
        finally:
            os.kill(stack.process.pid, signal.SIGCONT)
        # It starts them again, and the files tell what nobody else has seen.
        await stack.ready_again(30)
        async with asyncio.timeout(30):
            while not (
                rows := await stack.rows("SELECT * FROM calls WHERE id = $1 AND outcome = 'answered'", here.call)
            ):
                await asyncio.sleep(0.2)
        legs = [(leg["seat"] or leg["line"], leg["kind"]) for leg in await stack.segments(here.call)]
        assert legs == [("1001", "queue"), ("110", "emergency")]
        assert rows[0]["source"] == "files"


async def test_keys_pressed_in_a_talk_are_no_commands(office: Stack, world: Outside) -> None:
    here = await talk(office)
    for key in "*2110#**1110":
        await here.citizen.press(key)
        await here.line.call.send_dtmf(key)
    await asyncio.sleep(1)
    assert world.dialled == []
    assert here.citizen.ended_at is None and here.line.ended_at is None
    await here.citizen.hang_up()
