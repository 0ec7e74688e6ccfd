"""A call passed on, asked about and shared, by real phones and a real Asterisk: who hung up when, and the record."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from outside import Outside
from phones import Line
from stack import Desk, Row, Stack
from trunk import Citizen

from callcenter.log import mask


@pytest.fixture
async def office(trunked: Stack, world: Outside) -> AsyncIterator[Stack]:
    world.reset()
    yield trunked
    await trunked.clear()


async def talking(line: Line) -> Line:
    async with asyncio.timeout(20):
        while line.answered_at is None:
            await asyncio.sleep(0.02)
    return line


class Talk:
    """A citizen who talks with Li Mei at seat 1001."""

    def __init__(self, stack: Stack, desk: Desk, citizen: Citizen, line: Line, call: str) -> None:
        self.stack, self.desk, self.citizen, self.line, self.call = stack, desk, citizen, line, call

    async def do(self, act: str, body: Any = None, status: int = 202) -> Any:
        return await self.desk.ask("POST", f"/calls/{self.call}/{act}", body, status)

    async def consult(self, kind: str, code: str) -> None:
        await self.do("consult", {"to": {"kind": kind, "code": code}})
        await self.desk.screen.until(lambda view: view["call"]["parked"] and view["call"]["parties"])

    async def with_third(self) -> None:
        """Until the third has answered."""
        await self.desk.screen.until(
            lambda view: any(party["state"] == "talking" for party in view["call"]["parties"]), 5
        )

    async def record(self) -> Row:
        return await self.stack.record_of(self.call)


async def talk(stack: Stack) -> Talk:
    desk = await (await stack.desk("limei")).sit("1001")
    assert desk.phone
    citizen = await stack.trunk.call(stack.number(), key="1")
    line = await talking(await desk.phone.line())
    pop = await desk.pop(citizen.number)
    await desk.state("talking")
    return Talk(stack, desk, citizen, line, pop["id"])


def ways(record: Row) -> list[tuple[str, str, str, str]]:
    """The legs of a call: whose, what for, with which login, and how each ended."""
    return [(leg["seat"] or leg["line"], leg["kind"], leg["login"], leg["how"]) for leg in record["segments"]]


async def settled(stack: Stack, record: Row) -> None:
    """Line and files agree about every call."""
    assert record["outcome"] == "answered"
    await asyncio.sleep(0.2)
    assert "0 unexplained" in await stack.reconcile()


async def test_consult_then_attended_transfer(office: Stack) -> None:
    here = await talk(office)
    expert = await (await office.desk("wangqiang")).sit("1002", delay=0.5)
    assert expert.phone
    await here.consult("seat", "1002")
    shown = await expert.pop(here.citizen.number)
    assert (shown["id"], shown["state"], shown["kind"]) == (here.call, "ringing", "consult")
    assert (shown["number"], shown["name"]) == (mask(here.citizen.number), ""), "the question, not the identity"
    third = await talking(await expert.phone.line())
    assert third.number == "12345"
    await here.with_third()
    await expert.state("talking")
    heard = here.citizen.voice.packets
    await asyncio.sleep(1)
    assert here.citizen.voice.packets - heard > 40, "music"
    await here.do("complete")
    await here.line.wait_ended()
    await here.desk.state("wrap_up")
    await expert.screen.until(lambda view: not view["call"]["parked"] and view["call"]["parties"] == [])
    await expert.screen.until(lambda view: view["call"]["number"] == here.citizen.number)  # it is theirs now
    await asyncio.sleep(1.5)
    assert here.citizen.ended_at is None and third.ended_at is None
    await third.hang_up()
    await here.citizen.until("ended_at")
    await expert.state("wrap_up")
    record = await here.record()
    assert ways(record) == [
        ("1001", "queue", "limei", "transferred"),
        ("1002", "consult", "wangqiang", "completed"),
    ]
    assert record["ended_by"] == "agent"
    assert record["login"] == "limei"
    first, second = record["segments"]
    assert first["ended_at"] < second["ended_at"]
    assert second["queue"] == "" and first["queue"] == "english"
    assert 900 < record["held_ms"] < 4000, "the citizen heard music"
    await settled(office, record)


async def test_consult_to_a_queue_asks_whoever_is_free_first(office: Stack) -> None:
    here = await talk(office)
    await (await office.desk("wangqiang")).sit("1002", ready=False)
    expert = await (await office.desk("chenjing")).sit("1003")
    assert expert.phone
    await here.consult("queue", "enterprise")
    shown = await expert.pop(here.citizen.number)
    assert (shown["id"], shown["kind"]) == (here.call, "consult")
    third = await talking(await expert.phone.line())
    await here.with_third()
    await here.do("complete")
    await here.line.wait_ended()
    await expert.screen.until(lambda view: not view["call"]["parked"] and view["call"]["parties"] == [])
    await third.hang_up()
    await here.citizen.until("ended_at")
    record = await here.record()
    assert ways(record) == [("1001", "queue", "limei", "transferred"), ("1003", "consult", "chenjing", "completed")]
    await settled(office, record)


@pytest.mark.parametrize("who", ["citizen", "agent", "third"])
async def test_three_talk_and_one_hangs_up(office: Stack, who: str) -> None:
    here = await talk(office)
    expert = await (await office.desk("wangqiang")).sit("1002")
    assert expert.phone
    await here.consult("seat", "1002")
    third = await talking(await expert.phone.line())
    await here.with_third()
    await here.do("join")
    view = await here.desk.screen.until(lambda view: not view["call"]["parked"])
    assert [party["seat"] for party in view["call"]["parties"]] == ["1002"]
    await asyncio.sleep(0.7)
    match who:
        case "citizen":
            await here.citizen.hang_up()
            await asyncio.gather(here.line.wait_ended(), third.wait_ended())
        case "agent":
            await here.line.hang_up()
            await here.desk.state("wrap_up")
            await asyncio.sleep(1)
            assert here.citizen.ended_at is None and third.ended_at is None
            await here.citizen.hang_up()
            await third.wait_ended()
        case "third":
            await third.hang_up()
            await here.desk.screen.until(lambda view: view["call"]["parties"] == [])
            await asyncio.sleep(1)
            assert here.citizen.ended_at is None and here.line.ended_at is None
            await here.line.hang_up()
            await here.citizen.until("ended_at", 20)
    record = await here.record()
    how = {"citizen": "completed", "agent": "transferred", "third": "completed"}[who]
    assert ways(record) == [("1001", "queue", "limei", how), ("1002", "consult", "wangqiang", "completed")]
    assert record["ended_by"] == ("agent" if who == "third" else "caller")
    for desk in (here.desk, expert):
        await desk.state("wrap_up", "ready")
    await settled(office, record)


async def test_back_to_the_citizen(office: Stack) -> None:
    here = await talk(office)
    expert = await (await office.desk("wangqiang")).sit("1002")
    assert expert.phone
    await here.consult("seat", "1002")
    third = await talking(await expert.phone.line())
    await here.with_third()
    await here.do("back")
    await third.wait_ended()
    await here.desk.screen.until(lambda view: not view["call"]["parked"] and view["call"]["parties"] == [])
    await here.desk.state("talking")
    await asyncio.sleep(1)
    assert here.citizen.ended_at is None and here.line.ended_at is None
    await here.do("back", status=409)
    await here.do("complete", status=409)
    await here.desk.ask("POST", "/desk/hangup")
    await here.citizen.until("ended_at", 20)
    record = await here.record()
    assert ways(record) == [("1001", "queue", "limei", "completed"), ("1002", "consult", "wangqiang", "completed")]
    assert record["ended_by"] == "agent"
    await settled(office, record)


async def test_whoever_is_asked_declines(office: Stack) -> None:
    here = await talk(office)
    await (await office.desk("wangqiang")).sit("1002", behaviour="reject")
    await here.do("consult", {"to": {"kind": "seat", "code": "1002"}})
    await here.desk.screen.until(lambda view: view["call"]["parked"])
    await here.desk.screen.until(lambda view: view["call"]["parties"] == [])
    await asyncio.sleep(2.5)
    assert here.line.ended_at is None and here.citizen.ended_at is None, "the agent is still there"
    await here.do("back")
    await here.desk.screen.until(lambda view: not view["call"]["parked"])
    await here.citizen.hang_up()
    await here.line.wait_ended()
    record = await here.record()
    assert ways(record) == [("1001", "queue", "limei", "completed"), ("1002", "consult", "wangqiang", "missed")]
    await settled(office, record)


async def test_the_agent_leaves_while_the_third_rings(office: Stack) -> None:
    """The citizen is not dropped: music until the third answers, then the two talk."""
    here = await talk(office)
    expert = await (await office.desk("wangqiang")).sit("1002", delay=4)
    assert expert.phone
    await here.consult("seat", "1002")
    ringing = await expert.phone.line()
    await here.do("complete")
    await here.line.wait_ended()
    third = await talking(ringing)
    await expert.screen.until(lambda view: view["call"]["state"] == "talking" and not view["call"]["parked"])
    await asyncio.sleep(0.5)
    assert here.citizen.ended_at is None
    await here.citizen.hang_up()
    await third.wait_ended()
    record = await here.record()
    assert ways(record) == [("1001", "queue", "limei", "transferred"), ("1002", "consult", "wangqiang", "completed")]
    await settled(office, record)


async def test_the_citizen_gives_up_while_the_third_rings(office: Stack) -> None:
    here = await talk(office)
    expert = await (await office.desk("wangqiang")).sit("1002", behaviour="ignore")
    assert expert.phone
    await here.consult("seat", "1002")
    ringing = await expert.phone.line()
    await asyncio.sleep(0.3)
    await here.citizen.hang_up()
    await asyncio.gather(here.line.wait_ended(), ringing.wait_ended())
    await expert.state("ready")
    record = await here.record()
    assert ways(record) == [("1001", "queue", "limei", "completed"), ("1002", "consult", "wangqiang", "cancelled")]
    assert record["ended_by"] == "caller"
    await settled(office, record)


async def test_all_leave_a_citizen_who_waits(office: Stack) -> None:
    """Nobody hangs up on music: the citizen comes to the queue again and is answered."""
    here = await talk(office)
    await (await office.desk("wangqiang")).sit("1002", ready=False)
    await here.do("consult", {"to": {"kind": "seat", "code": "1002"}})
    await here.with_third()
    desk = next(each for each in office._desks if each.login == "wangqiang")
    assert desk.phone
    await desk.phone.hang_up()
    await here.desk.screen.until(lambda view: view["call"]["parties"] == [])
    await here.line.hang_up()
    other = await (await office.desk("chenjing")).sit("1003")
    assert other.phone
    again = await talking(await other.phone.line(8))
    assert (await other.pop(here.citizen.number))["id"] == here.call
    await again.hang_up()
    await here.citizen.until("ended_at")
    record = await here.record()
    assert [way[1] for way in ways(record)] == ["queue", "consult", "queue"]
    assert record["queue"] == "english"
    await settled(office, record)


async def test_blind_to_a_queue_a_seat_and_a_line(office: Stack, world: Outside) -> None:
    here = await talk(office)
    other = await (await office.desk("wangqiang")).sit("1002", ready=False)
    assert other.phone
    await here.do("transfer", {"to": {"kind": "queue", "code": "enterprise"}})
    await here.line.wait_ended()
    await here.desk.state("wrap_up")
    board = await office.board()
    row = (await board.until(lambda view: view["calls"][here.call]["state"] == "waiting"))["calls"][here.call]
    assert row["queue"] == "enterprise"
    await other.ready()
    await talking(await other.phone.line())
    pop = await other.pop(here.citizen.number)
    assert pop["id"] == here.call
    await other.state("talking")
    third = await (await office.desk("chenjing")).sit("1003", ready=False)
    assert third.phone
    await other.ask("POST", f"/calls/{here.call}/transfer", {"to": {"kind": "seat", "code": "1003"}})
    line = await talking(await third.phone.line())
    await third.state("talking")
    assert (await third.pop(here.citizen.number))["kind"] == "transfer"
    await third.ask("POST", f"/calls/{here.call}/transfer", {"to": {"kind": "line", "code": "tax"}})
    await line.wait_ended()
    tax = await world.call()
    assert tax.number == "12366"
    assert "<sip:12345@" in tax.headers["from"]
    await tax.until("answered_at")
    await asyncio.sleep(0.5)
    assert here.citizen.ended_at is None
    await world.hang_up(tax)
    await here.citizen.until("ended_at", 20)
    record = await here.record()
    assert ways(record) == [
        ("1001", "queue", "limei", "transferred"),
        ("1002", "queue", "wangqiang", "transferred"),
        ("1003", "transfer", "chenjing", "transferred"),
        ("tax", "transfer", "", "completed"),
    ]
    assert [leg["queue"] for leg in record["segments"]] == ["english", "enterprise", "", ""]
    await settled(office, record)


async def test_a_seat_that_does_not_answer_gives_the_citizen_back_to_the_queue(office: Stack) -> None:
    here = await talk(office)
    await (await office.desk("wangqiang")).sit("1002", behaviour="reject", ready=False)
    await here.do("transfer", {"to": {"kind": "seat", "code": "1002"}})
    other = await (await office.desk("chenjing")).sit("1003")
    assert other.phone
    line = await talking(await other.phone.line(8))
    await line.hang_up()
    await here.citizen.until("ended_at", 20)
    record = await here.record()
    assert ways(record) == [
        ("1001", "queue", "limei", "transferred"),
        ("1002", "transfer", "wangqiang", "missed"),
        ("1003", "queue", "chenjing", "completed"),
    ]
    await settled(office, record)


@pytest.mark.parametrize("who", ["citizen", "agent", "110"])
async def test_emergency_and_who_leaves(office: Stack, world: Outside, who: str) -> None:
    here = await talk(office)
    await here.do("emergency", {"number": "110"})
    police = await world.call(3)
    assert police.number == "110"
    await police.until("answered_at")
    await here.with_third()
    assert here.citizen.ended_at is None and here.line.ended_at is None
    match who:
        case "citizen":
            await here.citizen.hang_up()
            await asyncio.gather(police.until("ended_at", 20), here.line.wait_ended())
        case "agent":
            await here.line.hang_up()
            await asyncio.sleep(1)
            assert here.citizen.ended_at is None and police.ended_at is None
            await here.citizen.hang_up()
            await police.until("ended_at", 20)
        case _:
            await world.hang_up(police)
            await asyncio.sleep(1)
            assert here.citizen.ended_at is None and here.line.ended_at is None
            await here.line.hang_up()
            await here.citizen.until("ended_at", 20)
    record = await here.record()
    assert [way[:2] for way in ways(record)] == [("1001", "queue"), ("110", "emergency")]
    assert all(leg["answered_at"] for leg in record["segments"])
    await settled(office, record)


async def test_what_cannot_be_done_is_said(office: Stack) -> None:
    here = await talk(office)
    for body, status in (
        ({"to": {"kind": "seat", "code": "1001"}}, 404),
        ({"to": {"kind": "seat", "code": "1002"}}, 404),
        ({"to": {"kind": "line", "code": "110"}}, 404),
        ({"to": {"kind": "line", "code": "13800000001"}}, 404),
        ({"to": {"kind": "queue", "code": "citizen"}}, 409),
        ({"to": {"kind": "queue", "code": "standby"}}, 404),
        ({"to": {"kind": "line", "code": "tax&PJSIP/x"}}, 422),
        ({"to": {"kind": "number", "code": "13800000001"}}, 422),
    ):
        await here.do("consult", body, status)
    await here.do("join", status=409)
    await here.do("emergency", {"number": "114"}, 422)
    stranger = await office.desk("wangqiang")
    for act, body in (("consult", {"to": {"kind": "line", "code": "tax"}}), ("emergency", {"number": "110"})):
        await stranger.ask("POST", f"/calls/{here.call}/{act}", body, 404)
    assert here.line.ended_at is None and here.citizen.ended_at is None
