"""Seats as the agent, the wallboard and Asterisk see them: every move is shown, true, within two seconds."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from itertools import pairwise
from typing import Any

from stack import WRAP_UP, Desk, Row, Stack
from trunk import MutePhone, open_mute_phone


async def seat_in_api(stack: Stack, desk: Desk) -> dict[str, Any]:
    """The seat as GET /floor tells it to a supervisor."""
    board = await stack.browser("sunli")
    status, floor = await board.ask("GET", "/api/v1/floor")
    assert status == 200
    row: dict[str, Any] = floor["seats"].get(desk.seat, {"state": "offline", "reason": None})
    return row


async def on_the_line(stack: Stack, desk: Desk) -> Any:
    """A call that this agent has taken."""
    assert desk.phone
    citizen = await stack.trunk.call(stack.number(), key="1")
    await desk.phone.line()
    await desk.state("talking")
    return citizen


async def test_a_working_day(stack: Stack) -> None:
    """Sit down, ready, a break and its reason, leave; the same on desk, wallboard, in the API and the ledger."""
    began = time.time()
    board = await stack.board()
    desk = await (await stack.desk("limei")).sit("1001", ready=False)
    view = await desk.screen.until(
        lambda view: view["seat"]["queues"] == ["citizen", "danger", "english", "enterprise"]
    )
    row = view["seat"]
    assert (row["state"], row["reason"], row["login"]) == ("break", None, "limei"), "sat down, and not ready yet"
    await board.until(lambda view: view["seats"].get("1001", {}).get("state") == "break")
    await desk.ready()
    await board.until(lambda view: view["seats"]["1001"]["state"] == "ready")
    await desk.ask("POST", "/desk/break", {"code": "MEAL"})
    assert (await desk.state("break"))["reason"] == "MEAL"
    await board.until(lambda view: view["seats"]["1001"]["reason"] == "MEAL")
    told = await seat_in_api(stack, desk)
    assert (told["state"], told["reason"]) == ("break", "MEAL")
    await desk.ask("POST", "/desk/break", {"code": "NAP"}, status=422)
    await desk.ready()
    await desk.leave()
    await board.until(lambda view: "1001" not in view["seats"])
    await asyncio.sleep(2)  # the ledger gathers changes for a second before it writes them
    states = await stack.rows(
        "SELECT * FROM seat_states WHERE seat = '1001' AND since >= to_timestamp($1) ORDER BY since", began
    )
    assert [(each["state"], each["reason"]) for each in states] == [
        ("break", "NOTREADY"),
        ("ready", None),
        ("break", "MEAL"),
        ("ready", None),
        ("offline", None),
    ]
    for each, following in pairwise(states):
        assert each["until"] == following["since"], "no gap between two states"


async def test_a_seat_is_taken_by_one(stack: Stack) -> None:
    await (await stack.desk("limei")).sit("1001")
    other = await stack.desk("wangqiang")
    await other.ask("POST", "/desk/seat", {"number": "1001", "phone": "desk"}, status=409)
    await other.ask("POST", "/desk/seat", {"number": "1999", "phone": "desk"}, status=404)
    await other.ask("POST", "/desk/ready", status=409)
    seats = await other.ask("GET", "/desk", status=200)
    taken = {each["number"]: each["taken_by"] for each in seats["seats"]}
    assert taken["1001"] == "limei" and taken["1002"] is None


async def test_wrap_up_ends_by_its_timer_when_extended_and_when_finished(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001")
    citizen = await on_the_line(stack, desk)
    await citizen.hang_up()
    began = time.monotonic()
    row = await desk.screen.until(lambda view: view["seat"]["wrap_up_until"] and view["call"]["outcome"])
    assert row["call"]["number"] == citizen.number and row["call"]["outcome"] == "answered", "kept for the form"
    due = datetime.fromisoformat(row["seat"]["wrap_up_until"]).timestamp()
    assert abs(due - time.time() - WRAP_UP) < 2
    await desk.ask("POST", "/desk/wrap-up", {"act": "extend"})
    await desk.screen.until(
        lambda view: datetime.fromisoformat(view["seat"]["wrap_up_until"]).timestamp() > due + WRAP_UP - 0.1
    )
    await desk.state("ready")
    assert 2 * WRAP_UP - 0.5 < time.monotonic() - began < 2 * WRAP_UP + 5
    assert desk.screen.view["call"] is None
    await desk.ask("POST", "/desk/wrap-up", {"act": "finish"}, status=409)
    citizen = await on_the_line(stack, desk)
    await citizen.hang_up()
    await desk.screen.until(lambda view: view["seat"]["wrap_up_until"])
    await desk.ask("POST", "/desk/wrap-up", {"act": "finish"})
    await desk.state("ready")


async def test_a_break_asked_for_during_a_call_begins_after_call_and_wrap_up(stack: Stack) -> None:
    board, desk = await stack.board(), await (await stack.desk("limei")).sit("1001")
    citizen = await on_the_line(stack, desk)
    await desk.ask("POST", "/desk/break", {"code": "REST"})
    await desk.screen.until(lambda view: view["seat"]["next"] == "REST")
    await board.until(lambda view: view["seats"]["1001"]["next"] == "REST")
    await citizen.hang_up()
    row = await desk.state("wrap_up")
    assert row["next"] == "REST", "the form is finished first"
    row = await desk.state("break")
    assert (row["reason"], row["next"]) == ("REST", None)
    await desk.ready()
    # Finished before its time, the wrap-up ends in what was asked for; asked for and taken back, in nothing.
    citizen = await on_the_line(stack, desk)
    await desk.ask("POST", "/desk/break", {"code": "REST"})
    await citizen.hang_up()
    await desk.screen.until(lambda view: view["seat"]["wrap_up_until"])
    await desk.ask("POST", "/desk/wrap-up", {"act": "finish"})
    assert (await desk.state("break"))["reason"] == "REST"
    await desk.ready()
    citizen = await on_the_line(stack, desk)
    await desk.ask("POST", "/desk/break", {"code": "MEAL"})
    await desk.ask("POST", "/desk/ready")
    await desk.screen.until(lambda view: view["seat"]["next"] is None)
    await citizen.hang_up()
    await desk.state("wrap_up")
    await desk.state("ready")


async def test_a_break_asked_for_while_it_rings_begins_when_the_ring_is_over(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001", behaviour="ignore")
    citizen = await stack.trunk.call(stack.number(), key="1")
    await desk.state("ringing", timeout=20)
    await desk.ask("POST", "/desk/break", {"code": "MEETING"})
    await citizen.hang_up()
    assert (await desk.state("break"))["reason"] == "MEETING"


async def test_leaving_asked_for_during_a_call_follows_it(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001")
    citizen = await on_the_line(stack, desk)
    await desk.ask("DELETE", "/desk/seat")
    await desk.screen.until(lambda view: view["seat"]["next"] == "LEAVE")
    assert desk.screen.view["seat"]["state"] == "talking"
    await citizen.hang_up()
    await desk.state("wrap_up")
    await desk.state("offline")


async def test_a_limit_of_breaks_warns_and_holds_nobody(stack: Stack) -> None:
    """One of two may rest; the second is warned, may insist, and it is on record and on the board."""
    board = await stack.board()
    first = await (await stack.desk("limei")).sit("1001")
    second = await (await stack.desk("wangqiang")).sit("1002")
    await first.ask("POST", "/desk/break", {"code": "REST"})
    row = await first.screen.until(lambda view: view["seat"]["break_until"])
    left = datetime.fromisoformat(row["seat"]["break_until"]) - datetime.fromisoformat(row["seat"]["since"])
    assert 0 < left.total_seconds() <= 30 * 60
    answer = await second.ask("POST", "/desk/break", {"code": "MEAL"}, status=409)
    assert answer["error"]["code"] == "too_many_away"
    await second.ask("POST", "/desk/break", {"code": "MEETING"})  # work elsewhere is not counted
    await second.ask("POST", "/desk/break", {"code": "MEAL", "insist": True})
    await board.until(lambda view: view["seats"].get("1002", {}).get("reason") == "MEAL")
    acts = await stack.rows("SELECT what FROM audit WHERE act = 'break_over_limit' ORDER BY id DESC LIMIT 1")
    assert '"too_many_away"' in acts[0]["what"]
    await first.ready()
    await second.ready()
    await asyncio.sleep(2)
    # A day whose minutes are used up: of one minute, as if this rest had begun a minute earlier.
    boss = await stack.browser("sunli")
    _, told = await boss.ask("GET", "/api/v1/breaks")
    limits = [limit | ({"minutes": 1} if limit["code"] == "REST" else {}) for limit in told["rules"]["limits"]]
    one_minute = {"after": told["version"], "rules": told["rules"] | {"limits": limits}}
    status, shorter = await boss.ask("PUT", "/api/v1/breaks", one_minute)
    assert status == 200, shorter
    changed = await stack.rows(
        "UPDATE seat_states SET since = since - interval '1 minute' WHERE login = 'limei' AND since = ("
        "SELECT max(since) FROM seat_states WHERE login = 'limei' AND reason = 'REST') RETURNING until"
    )
    assert changed[0]["until"] is not None
    try:
        answer = await first.ask("POST", "/desk/break", {"code": "REST"}, status=409)
        assert answer["error"]["code"] == "break_used_up"
        await first.ask("POST", "/desk/break", {"code": "REST", "insist": True})
        row = await first.screen.until(lambda view: view["seat"]["break_until"])
        assert row["seat"]["break_until"] <= row["seat"]["since"], "over from its first second"
    finally:
        status, back = await boss.ask("PUT", "/api/v1/breaks", {"after": shorter["version"], "rules": told["rules"]})
        assert status == 200, back


async def test_the_own_day_adds_up_to_the_second(stack: Stack) -> None:
    await stack.hire(await stack.boss(), "firstday", "1031")
    desk = await (await stack.desk("firstday")).sit("1031")
    citizen = await on_the_line(stack, desk)
    await asyncio.sleep(1.2)
    await citizen.hang_up()
    await desk.state("wrap_up")
    await desk.state("ready")
    await desk.ask("POST", "/desk/break", {"code": "MEETING"})
    row = await desk.state("break")
    await asyncio.sleep(2)
    day = await desk.ask("GET", "/desk/day", status=200)
    assert day["since"] == row["since"]
    spent = {(each["state"], each["reason"]): each for each in day["states"]}
    assert ("break", "MEETING") not in spent, "what goes on is the page's to count"
    assert spent["talking", None]["ms"] >= 1_000
    assert abs(spent["wrap_up", None]["ms"] - WRAP_UP * 1000) < 700
    rows = await stack.rows("SELECT min(since) AS began FROM seat_states WHERE login = 'firstday'")
    whole = datetime.fromisoformat(row["since"]) - rows[0]["began"]
    assert abs(sum(each["ms"] for each in day["states"]) - whole.total_seconds() * 1000) < 20
    assert (day["taken"], day["talks"], day["missed"], day["first"], day["in_time"]) == (1, 1, 0, 1, 1)
    assert abs(day["talk_ms"] - spent["talking", None]["ms"]) < 100


@asynccontextmanager
async def mute(stack: Stack, seat: str) -> AsyncIterator[tuple[Desk, MutePhone]]:
    """Somebody new at a new seat: a phone more at an old one would take the place of that which others use."""
    login = f"mute{seat}"
    await stack.hire(await stack.boss(), login, seat)
    desk = await stack.desk(login)
    async with open_mute_phone(stack.told["sip"], seat, stack.secret(seat)) as phone:
        await asyncio.sleep(1.2)  # Asterisk has asked the phone whether it is there
        await desk.sit_down(seat)
        yield desk, phone


async def test_a_lost_phone_is_seen_within_two_seconds(stack: Stack) -> None:
    board = await stack.board()
    async with mute(stack, "1032") as (desk, phone):
        await desk.ready()
        phone.silent = True
        lost = time.monotonic()
        await desk.state("unreachable")
        await board.until(lambda view: view["seats"]["1032"]["state"] == "unreachable")
        assert time.monotonic() - lost < 4  # two seconds, and the half of one that a wallboard gathers
        await desk.ask("POST", "/desk/ready", status=409)
        phone.silent = False
        await desk.state("ready")  # a hiccup: back within ten seconds, and at work again
        await phone.register(0)
        await desk.state("unreachable")
        await phone.register()
        await desk.state("ready")


async def test_a_phone_that_was_long_away_does_not_make_its_agent_ready(stack: Stack) -> None:
    async with mute(stack, "1033") as (desk, phone):
        await desk.ready()
        await phone.register(0)
        await desk.state("unreachable")
        await asyncio.sleep(10.5)
        await phone.register()
        await asyncio.sleep(1.5)
        assert desk.screen.view["seat"]["state"] == "unreachable"
        await desk.ready()


async def test_a_declined_ring_is_a_missed_one(stack: Stack) -> None:
    async with mute(stack, "1034") as (desk, _):
        await desk.ready()
        citizen = await stack.trunk.call(stack.number(), key="1")
        await desk.state("unreachable")
        await citizen.hang_up()
        record = await stack.record(citizen.number)
        assert record["outcome"] == "abandoned_queue"
        assert [ring["how"] for ring in record["segments"]] == ["missed", "missed"]


async def test_the_newest_desk_of_an_agent_wins(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001")
    newer = await stack.screen(desk.browser, "desk")
    async with asyncio.timeout(10):
        while desk.screen.closed is None:
            await asyncio.sleep(0.02)
    assert desk.screen.closed == 4001
    assert newer.view["seat"]["number"] == "1001"
    desk.screen = newer


async def test_a_new_seat_works_without_a_restart(stack: Stack) -> None:
    asterisk = stack.pid("asterisk")
    admin = await stack.browser("zhoukai")
    status, answer = await admin.ask("POST", "/api/v1/seats", {"number": "1101"})
    assert status in {200, 201}, answer
    status, answer = await admin.ask("POST", "/api/v1/seats/1101/secret")
    assert status == 200, answer
    stack.told["demo_seats"].append(answer)
    began = time.monotonic()
    async with asyncio.timeout(20):
        while True:
            try:
                async with open_mute_phone(stack.told["sip"], "1101", answer["secret"]):
                    break
            except AssertionError:
                await asyncio.sleep(0.3)
    assert time.monotonic() - began < 15
    desk = await (await stack.desk("zhaolei")).sit("1101")
    citizen = await on_the_line(stack, desk)
    await citizen.hang_up()
    assert (await stack.record(citizen.number))["seat"] == "1101"
    assert stack.pid("asterisk") == asterisk


async def test_who_is_deactivated_is_thrown_out(stack: Stack) -> None:
    desk = await (await stack.desk("zhaolei")).sit("1004")
    admin = await stack.browser("zhoukai")
    status, answer = await admin.ask("PATCH", "/api/v1/users/zhaolei", {"active": False})
    assert status == 200, answer
    try:
        async with asyncio.timeout(10):
            while desk.screen.closed is None:
                await asyncio.sleep(0.02)
        assert desk.screen.closed == 4002
        status, _ = await desk.browser.ask("GET", "/api/v1/desk")
        assert status == 401
        board = await stack.board()
        await board.until(lambda view: "1004" not in view["seats"])
    finally:
        await admin.ask("PATCH", "/api/v1/users/zhaolei", {"active": True})


def has_heard(n: int, view: Row) -> bool:
    return bool(view["n"] >= n)


async def test_what_a_screen_is_told_adds_up(stack: Stack) -> None:
    """Old view + changes = new view: a board that listened all along shows what a new one is told."""
    old = await stack.board()
    desks = [await (await stack.desk(login)).sit(seat) for login, seat in (("limei", "1001"), ("wangqiang", "1002"))]
    citizens = [await stack.trunk.call(stack.number(), key=key) for key in ("1", "2", "1")]
    for desk in desks:
        await desk.state("talking")
    await citizens[0].hang_up()
    for _ in range(3):
        new = await stack.board()
        await asyncio.sleep(0.7)  # a snapshot may be ahead of its number, until the next changes are told
        await old.until(partial(has_heard, new.view["n"]))
        await new.until(partial(has_heard, old.view["n"]))
        told = [message["n"] for message in old.seen if "n" in message]
        assert told == list(range(told[0], told[0] + len(told)))
        assert (old.view["calls"], old.view["seats"]) == (new.view["calls"], new.view["seats"])
    assert len(old.view["calls"]) == 2
