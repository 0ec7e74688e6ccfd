"""A call in every way it can go, by real phones and a real Asterisk; the ledger against the phones' own clocks."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from phones import Line
from stack import Row, Stack
from trunk import Citizen

#: How far the ledger's clock may be from the phones', in seconds.
NEAR = 0.5


def seconds(moment: datetime) -> float:
    return moment.astimezone(UTC).timestamp()


def agrees(record: Row, citizen: Citizen, line: Line | None = None) -> None:
    """The record's times are those of the two phones."""
    assert seconds(record["arrived_at"]) == pytest.approx(citizen.invited_at, abs=NEAR)
    assert citizen.ended_at is not None
    assert seconds(record["ended_at"]) == pytest.approx(citizen.ended_at, abs=NEAR)
    if line is None:
        assert record["answered_at"] is None
        assert record["wait_ms"] is None and record["talk_ms"] is None
        return
    assert line.answered_at is not None
    assert seconds(record["answered_at"]) == pytest.approx(line.answered_at, abs=NEAR)
    from_invite = line.answered_at - citizen.invited_at
    assert record["wait_from_invite_ms"] / 1000 == pytest.approx(from_invite, abs=NEAR)
    queued = seconds(record["queued_at"])
    assert record["wait_ms"] / 1000 == pytest.approx(line.answered_at - queued, abs=NEAR)
    assert record["talk_ms"] / 1000 == pytest.approx(citizen.ended_at - line.answered_at, abs=NEAR)


def ways(record: Row) -> list[tuple[str, str]]:
    """The rings of a call: seat, and how each ended."""
    return [(ring["seat"], ring["how"]) for ring in record["segments"]]


async def talking(line: Line) -> Line:
    async with asyncio.timeout(20):
        while line.answered_at is None:
            await asyncio.sleep(0.02)
    return line


@pytest.mark.parametrize("who", ["caller", "agent", "page"])
async def test_answered_and_hung_up_by_either(stack: Stack, who: str) -> None:
    desk = await (await stack.desk("limei")).sit("1001")
    assert desk.phone
    citizen = await stack.trunk.call(stack.number(), key="1")
    line = await talking(await desk.phone.line())
    assert line.number == citizen.number
    pop = await desk.pop(citizen.number)
    assert (pop["language"], pop["menu"], pop["queue"]) == ("en", "english", "english")
    await desk.state("talking")
    await asyncio.sleep(0.5)
    match who:
        case "caller":
            await citizen.hang_up()
        case "agent":
            await line.hang_up()
        case "page":
            await desk.ask("POST", "/desk/hangup")
    await citizen.until("ended_at")
    record = await stack.record(citizen.number)
    agrees(record, citizen, line)
    assert record["outcome"] == "answered"
    assert record["ended_by"] == ("caller" if who == "caller" else "agent")
    assert (record["seat"], record["login"], record["language"]) == ("1001", "limei", "en")
    assert ways(record) == [("1001", "completed")]
    assert record["segments"][0]["login"] == "limei"


async def test_nobody_presses_a_key_and_a_parallel_number_is_its_own_service(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001")
    assert desk.phone
    citizen = await stack.trunk.call(stack.number(), dialed="12333")
    line = await talking(await desk.phone.line())
    heard = citizen.voice.packets / 50
    assert heard > 8, "the greeting in both languages, and the recording notice"
    await citizen.hang_up()
    record = await stack.record(citizen.number)
    agrees(record, citizen, line)
    assert (record["dialed"], record["service"]) == ("12333", "labour")
    assert (record["menu"], record["language"], record["queue"]) == ("", "zh", "citizen")


async def test_the_second_key_leads_to_the_enterprise_section(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001")
    citizen = await stack.trunk.call(stack.number(), key="2")
    pop = await desk.pop(citizen.number)
    assert (pop["menu"], pop["queue"], pop["language"]) == ("enterprise", "enterprise", "zh")
    await citizen.hang_up()
    assert (await stack.record(citizen.number))["queue"] == "enterprise"


async def test_the_citizen_gives_up_in_every_phase(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001", ready=False, behaviour="ignore")
    # In the greeting; at once after the answer; in the queue, where nobody is ready; while a phone rings.
    greeting, at_once = await asyncio.gather(*(stack.trunk.call(stack.number()) for _ in range(2)))
    await at_once.until("answered_at")
    await at_once.hang_up()
    queue = await stack.trunk.call(stack.number(), key="1")
    await asyncio.sleep(0.7)
    await asyncio.gather(greeting.hang_up(), queue.hang_up())
    await desk.ready()
    ringing = await stack.trunk.call(stack.number(), key="1")
    await desk.state("ringing")
    await asyncio.sleep(0.3)
    await ringing.hang_up()
    row = await desk.state("ready")
    assert row["missed"] == 0, "a caller who gives up is not the agent's miss"
    for citizen, outcome, rings in (
        (greeting, "abandoned_greeting", []),
        (at_once, "abandoned_greeting", []),
        (queue, "abandoned_queue", []),
        (ringing, "abandoned_ringing", [("1001", "cancelled")]),
    ):
        record = await stack.record(citizen.number)
        agrees(record, citizen)
        assert (record["outcome"], record["ended_by"], ways(record)) == (outcome, "caller", rings)


async def test_a_busy_phone_passes_the_call_on(stack: Stack) -> None:
    busy = await (await stack.desk("limei")).sit("1001", behaviour="reject")
    citizen = await stack.trunk.call(stack.number(), key="1")
    await busy.screen.until(lambda view: view["seat"]["missed"] == 1)
    other = await (await stack.desk("wangqiang")).sit("1002")
    assert other.phone
    line = await talking(await other.phone.line())
    await citizen.hang_up()
    record = await stack.record(citizen.number)
    agrees(record, citizen, line)
    assert record["outcome"] == "answered" and record["login"] == "wangqiang"
    assert set(ways(record)[:-1]) == {("1001", "missed")}
    assert ways(record)[-1] == ("1002", "completed")


async def test_two_rings_missed_make_the_seat_unreachable(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001", behaviour="ignore")
    board = await stack.board()
    assert desk.phone
    citizen = await stack.trunk.call(stack.number(), key="1")
    first = await desk.phone.line()
    await desk.screen.until(lambda view: view["seat"]["missed"] == 1)
    second = await desk.phone.line()
    await second.wait_ended()
    row = await desk.state("unreachable")
    assert row["missed"] == 2
    await board.until(lambda view: view["seats"]["1001"]["state"] == "unreachable")
    assert first.ended_at and first.ended_at - first.rung_at == pytest.approx(10, abs=2)
    await asyncio.sleep(1.5)
    assert desk.phone.rung == 2, "an unreachable seat is not rung"
    await citizen.hang_up()
    record = await stack.record(citizen.number)
    assert record["outcome"] == "abandoned_queue"
    assert ways(record) == [("1001", "missed")] * 2
    await desk.ready()


async def test_nobody_on_duty_is_said(stack: Stack) -> None:
    citizen = await stack.trunk.call(stack.number(), key="1")
    before = citizen.voice.packets
    await citizen.until("ended_at", 20)
    assert citizen.ended_by == "far"
    assert (citizen.voice.packets - before) / 50 > 4, "the caller hears why"
    record = await stack.record(citizen.number)
    agrees(record, citizen)
    assert (record["outcome"], record["ended_by"], ways(record)) == ("nobody_on_duty", "system", [])


async def test_a_wait_that_is_too_long_ends_with_a_word(stack: Stack) -> None:
    await (await stack.desk("limei")).sit("1001", ready=False)
    await stack.tell_asterisk("dialplan set global LONGEST_english 2")
    try:
        citizen = await stack.trunk.call(stack.number(), key="1")
        before = citizen.voice.packets
        await citizen.until("ended_at", 20)
    finally:
        await stack.tell_asterisk("dialplan reload")
    assert citizen.ended_by == "far"
    assert (citizen.voice.packets - before) / 50 > 4
    record = await stack.record(citizen.number)
    agrees(record, citizen)
    assert (record["outcome"], record["ended_by"]) == ("timed_out", "system")


async def test_a_number_that_is_not_ours(stack: Stack) -> None:
    for dialed in ("12346", "123456", "s", "english"):
        citizen = await stack.trunk.call(stack.number(), dialed=dialed)
        await citizen.until("status")
        assert citizen.status == 404
        assert await stack.rows("SELECT 1 FROM calls WHERE number = $1", citizen.number) == []


async def test_two_agents_share_the_calls(stack: Stack) -> None:
    desks = [await (await stack.desk(login)).sit(seat) for login, seat in (("limei", "1001"), ("wangqiang", "1002"))]
    answered_by = []
    for _ in range(2):
        pair = [await stack.trunk.call(stack.number(), key="2") for _ in desks]
        for desk in desks:
            assert desk.phone
            await talking(await desk.phone.line())
        for citizen in pair:
            await citizen.hang_up()
        answered_by += [(await stack.record(citizen.number))["login"] for citizen in pair]
        for desk in desks:
            await desk.state("wrap_up")
            await desk.ask("POST", "/desk/wrap-up", {"act": "finish"})
            await desk.state("ready")
    assert sorted(answered_by) == ["limei", "limei", "wangqiang", "wangqiang"]


async def test_the_third_caller_waits_for_the_first_who_is_free(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001")
    assert desk.phone
    first = await stack.trunk.call(stack.number(), key="1")
    await talking(await desk.phone.line())
    second = await stack.trunk.call(stack.number(), key="1")
    await asyncio.sleep(1)
    assert desk.phone.rung == 1, "one call at a time"
    await first.hang_up()
    view = await desk.screen.until(lambda view: view["seat"]["wrap_up_until"])
    assert view["seat"]["state"] == "wrap_up" and view["call"] is not None
    line = await talking(await desk.phone.line())
    await second.hang_up()
    assert first.ended_at
    assert line.rung_at - first.ended_at > 2.8, "not rung during wrap-up"
    record = await stack.record(second.number)
    agrees(record, second, line)


async def test_hold(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001")
    board = await stack.board()
    assert desk.phone
    citizen = await stack.trunk.call(stack.number(), key="1")
    line = await talking(await desk.phone.line())
    await desk.state("talking")
    await asyncio.sleep(0.5)  # a hold at once would meet Asterisk's own re-INVITE
    held = time.time()
    await line.call.hold()
    await desk.state("on_hold")
    await board.until(lambda view: [call["state"] for call in view["calls"].values()] == ["on_hold"])
    before = citizen.voice.packets
    await asyncio.sleep(0.6)
    assert citizen.voice.packets - before > 15, "the citizen hears music"
    await line.call.resume()
    held = time.time() - held
    await desk.state("talking")
    await citizen.hang_up()
    record = await stack.record(citizen.number)
    agrees(record, citizen, line)
    assert record["held_ms"] / 1000 == pytest.approx(held, abs=2 * NEAR)


async def test_hang_ups_at_every_moment_of_ring_and_answer(stack: Stack) -> None:
    """The caller goes just when the phone rings, or is picked up: no seat hangs, nothing is counted twice."""
    staff = {"limei": "1001", "wangqiang": "1002", "chenjing": "1003", "zhaolei": "1004"}
    desks = [await (await stack.desk(login)).sit(seat, delay=0.15) for login, seat in staff.items()]

    async def fickle(after: float) -> Citizen:
        citizen = await stack.trunk.call(stack.number(), key="1")
        await asyncio.sleep(after)
        await citizen.hang_up()
        return citizen

    citizens: list[Citizen] = []
    for n in range(5):
        citizens += await asyncio.gather(*(fickle((4 * n + k) * 0.018) for k in range(4)))
        for desk in desks:
            await desk.state("ready", "wrap_up")
            if desk.screen.view["seat"]["state"] == "wrap_up":
                await desk.screen.until(lambda view: view["seat"]["wrap_up_until"])
                await desk.ask("POST", "/desk/wrap-up", {"act": "finish"})
            await desk.state("ready")
    records = [await stack.record(citizen.number) for citizen in citizens]
    for record, citizen in zip(records, citizens, strict=True):
        assert abs(seconds(record["ended_at"]) - (citizen.ended_at or 0)) < 2 * NEAR
        assert sum(ring["answered_at"] is not None for ring in record["segments"]) <= 1
        assert all(ring["how"] and ring["ended_at"] for ring in record["segments"])
    outcomes = {record["outcome"] for record in records}
    assert all(each == "answered" or each.startswith("abandoned_") for each in outcomes), outcomes
    assert len(outcomes) > 1, outcomes
    board = await stack.board()
    assert board.view["calls"] == {}


def hostile() -> list[tuple[str, str, str]]:
    """What a From header may hold: (the header, the number on record, the name on record)."""
    here = "127.0.0.1"
    return [
        (f'"<b>\\"Bobby\\" O\'Neil</b>" <sip:13900000001@{here}>', "13900000001", '<b>\\"Bobby\\" O\'Neil</b>'),
        (f'"{"市" * 26}" <sip:13900000002@{here}>', "13900000002", "市" * 26),
        (f"<sip:13900000003%0d%0aEvent:%20Hangup%0d%0a%0d%0a@{here}>", "13900000003", ""),
        (f"<sip:139%22%3Cscript%3E00000004@{here}>", "13900000004", ""),
        (f"<sip:{'7' * 80}@{here}>", "7" * 32, ""),
        (f'"Anonymous" <sip:anonymous@{here}>', "", "Anonymous"),
    ]


@pytest.mark.parametrize("n", range(len(hostile())))
async def test_whatever_a_caller_says_is_on_record_and_shown_as_text(stack: Stack, n: int) -> None:
    from_, number, name = hostile()[n]
    desk = await (await stack.desk("limei")).sit("1001")
    was = {row["id"] for row in await stack.rows("SELECT id FROM calls")}
    citizen = await stack.trunk.call("", from_=from_, key="1")
    pop = await desk.pop(number)
    await desk.state("talking")
    await citizen.hang_up()
    records: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while not records or not records[0]["outcome"]:
            records = [row for row in await stack.rows("SELECT * FROM calls") if row["id"] not in was]
            await asyncio.sleep(0.1)
    assert [(row["number"], row["name"], row["outcome"]) for row in records] == [(number, name, "answered")]
    assert (pop["number"], pop["name"]) == (number, name)


async def test_no_number_is_in_any_log(stack: Stack) -> None:
    """Every caller of this session is a canary."""
    desk = await (await stack.desk("limei")).sit("1001")
    citizen = await stack.trunk.call("13812349876", key="1")
    await desk.pop(citizen.number)
    await citizen.hang_up()
    await stack.record(citizen.number)
    numbers = {row["number"] for row in await stack.rows("SELECT number FROM calls") if row["number"]}
    assert "13812349876" in numbers
    said = "\n".join(
        file.read_text(errors="replace") for file in [*(stack.home / "log").glob("*"), stack.home.parent / "up.log"]
    )
    said += "\n".join(await stack.metrics())
    assert "line_moved" in said, "the logs were read"
    assert [number for number in numbers if number in said] == []


async def test_the_ledger_and_asterisks_files_agree(stack: Stack) -> None:
    """After all that went before."""
    assert "\n0 unexplained" in await stack.reconcile()
