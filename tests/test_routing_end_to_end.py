"""Who takes which call, by real phones and a real Asterisk."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from phones import Line
from stack import PATIENCE, Row, Stack
from trunk import Citizen

from agents.guard import GUARD, Act, due

SKILLS = ("citizen", "enterprise", "english")
ALL = (*SKILLS, "danger")


async def waiting(stack: Stack, key: str = "1") -> tuple[Citizen, str]:
    """A citizen who waits in a queue, and the call's id."""
    board = await stack.board()
    known = set(board.view["calls"])
    citizen = await stack.trunk.call(stack.number(), key=key)
    view = await board.until(
        lambda view: [c for c in view["calls"].values() if c["state"] == "waiting" and c["id"] not in known], 5
    )
    return citizen, next(c["id"] for c in view["calls"].values() if c["state"] == "waiting" and c["id"] not in known)


async def pull(stack: Stack, call: str, seat: str, status: int = 202) -> None:
    supervisor = await stack.browser("sunli")
    got, answer = await supervisor.ask("POST", f"/api/v1/calls/{call}/pull", {"seat": seat})
    assert got == status, answer


async def test_a_waiting_call_is_pulled_to_a_person(stack: Stack) -> None:
    """Past those who wait longer, to a person on a break; afterwards the break goes on."""
    desk = await (await stack.desk("limei")).sit("1001", ready=False)
    assert desk.phone
    longer, _ = await waiting(stack)
    citizen, call = await waiting(stack)
    await pull(stack, call, "1002", status=409)
    await pull(stack, call, "1001")
    await desk.pop(citizen.number)
    line = await desk.phone.line()
    assert line.number == citizen.number
    await desk.state("talking")
    await pull(stack, call, "1001", status=409)
    await line.hang_up()
    await citizen.until("ended_at")
    await desk.state("break")
    record = await stack.record(citizen.number)
    assert (record["outcome"], record["ended_by"], record["login"]) == ("answered", "agent", "limei")
    assert [(each["seat"], each["login"], each["how"], each["why"]) for each in record["segments"]] == [
        ("1001", "limei", "completed", "pulled")
    ]
    audit = await stack.rows("SELECT what FROM audit WHERE act = 'pull_call' ORDER BY id DESC LIMIT 1")
    assert call in audit[0]["what"]
    await longer.hang_up()


async def test_a_pulled_call_that_nobody_answers_comes_back_to_its_place(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001", ready=False, behaviour="reject")
    other = await (await stack.desk("wangqiang")).sit("1002", ready=False)
    assert desk.phone and other.phone
    citizens = [await waiting(stack) for _ in range(3)]
    second, call = citizens[1]
    await pull(stack, call, "1001")
    await desk.phone.line()
    await desk.screen.until(lambda view: view["seat"]["missed"] == 1)
    await other.ready()
    for citizen, _ in citizens:
        line = await other.phone.line()
        assert line.number == citizen.number
        await other.state("talking")
        await citizen.hang_up()
        await other.state("wrap_up")
        await other.screen.until(lambda view: view["seat"]["wrap_up_until"])
        await other.ask("POST", "/desk/wrap-up", {"act": "finish"})
    record = await stack.record(second.number)
    assert [(each["seat"], each["how"], each["why"]) for each in record["segments"]] == [
        ("1001", "missed", "pulled"),
        ("1002", "completed", ""),
    ]
    assert "\n0 unexplained" in await stack.reconcile()


async def change(stack: Stack, path: str, body: Any) -> Any:
    supervisor = await stack.browser("sunli")
    status, answer = await supervisor.ask("PUT", f"/api/v1/routing/{path}", body)
    assert status == 200, answer
    return answer


async def tiers(stack: Stack, seat: str) -> dict[str, int]:
    """The queues of a seat and its penalty in each, as Asterisk has them."""
    shown = await stack.tell_asterisk("queue show")
    found: dict[str, int] = {}
    queue = ""
    for line in shown.splitlines():
        words = line.split()
        if " strategy " in line:
            queue = words[0]
        elif f"(PJSIP/{seat})" in line:
            found[queue] = int(line.partition("with penalty ")[2].split()[0]) if "with penalty" in line else 0
    return found


async def serve(stack: Stack, login: str, skills: Mapping[str, int]) -> None:
    """This person serves these queues from now on, and no others."""
    rows = [{"queue": queue, "level": level} for queue, level in skills.items()]
    await change(stack, f"people/{login}", {"levels": rows})


@asynccontextmanager
async def levels(stack: Stack, **people: Mapping[str, int] | int) -> AsyncIterator[None]:
    """People serve this for a while; a number stands for all queues at that level."""
    for login, each in people.items():
        await serve(stack, login, dict.fromkeys(SKILLS, each) if isinstance(each, int) else each)
    try:
        yield
    finally:
        for login in people:
            await serve(stack, login, dict.fromkeys(SKILLS, 1))


async def within(seconds: float, wanted: Any, ask: Any) -> None:
    """Ask until the answer is the wanted one."""
    end = time.monotonic() + seconds
    while (found := await ask()) != wanted:
        assert time.monotonic() < end, f"not within {seconds:g} s: {found}"
        await asyncio.sleep(0.05)


async def test_a_skill_is_live_without_a_restart_for_who_sits(stack: Stack) -> None:
    li = await (await stack.desk("limei")).sit("1001")
    wang = await (await stack.desk("wangqiang")).sit("1002")
    assert await tiers(stack, "1001") == dict.fromkeys(ALL, 0)
    async with levels(stack, limei={"citizen": 2, "english": 3, "enterprise": 0}):
        await within(PATIENCE, {"citizen": 1, "english": 2, "danger": 1}, lambda: tiers(stack, "1001"))
        assert await tiers(stack, "1002") == dict.fromkeys(ALL, 0)
        # The first level goes on a break: the second counts as the first, and nobody waits for who is not there.
        await wang.ask("POST", "/desk/break", {"code": "MEAL"})
        await within(PATIENCE, {"citizen": 0, "english": 0, "danger": 0}, lambda: tiers(stack, "1001"))
        await serve(stack, "limei", {})
        await within(PATIENCE, {"standby": 0}, lambda: tiers(stack, "1001"))
        assert li.screen.view["seat"]["state"] == "ready", "what the person does goes on"
        await li.leave()
        assert await tiers(stack, "1001") == {}
        await li.sit("1001")
        assert await tiers(stack, "1001") == {"standby": 0}
    await within(PATIENCE, dict.fromkeys(ALL, 0), lambda: tiers(stack, "1001"))
    audit = await stack.rows("SELECT what FROM audit WHERE act = 'change_skills'")
    assert any('"english": 3' in each["what"] for each in audit)


async def test_a_queues_settings_and_a_services_queue_are_live_without_a_restart(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001")
    assert desk.phone
    before = await change(stack, "queues/english", {"ring": 4, "longest_wait": 60, "most_waiting": 7})
    await change(stack, "services/labour", {"queue": "english", "elderly": True})
    try:
        assert "elderly" in str(before)

        async def most() -> bool:
            return "english has 0 calls (max 7)" in await stack.tell_asterisk("queue show english")

        async def ways() -> bool:
            shown = await stack.tell_asterisk("dialplan show globals")
            return all(each in shown for each in ("WAY_labour=english", "BECAUSE_labour=elderly", "LONGEST_english=60"))

        await within(PATIENCE, True, most)
        await within(PATIENCE, True, ways)
        assert await tiers(stack, "1001") == dict.fromkeys(ALL, 0), "a reload leaves the members"
        citizen = await stack.trunk.call(stack.number(), dialed="12333")
        pop = await desk.pop(citizen.number)
        assert (pop["queue"], pop["priority"], pop["menu"]) == ("english", "elderly", "")
        await citizen.hang_up()
        assert (await stack.record(citizen.number))["priority"] == "elderly"
    finally:
        await change(stack, "queues/english", {"ring": 10, "longest_wait": 600, "most_waiting": 200})
        await change(stack, "services/labour", {"queue": "citizen", "elderly": False})
    await stack.rows("SELECT 1")


async def rings(stack: Stack, citizen: Citizen, line: Line) -> float:
    """How long after its entry into the queue a call rang this phone."""
    await asyncio.sleep(1.5)
    rows = await stack.rows("SELECT queued_at FROM calls WHERE number = $1", citizen.number)
    queued: datetime = rows[0]["queued_at"]
    return line.rung_at - queued.timestamp()


async def acts(stack: Stack, number: str) -> list[tuple[str, str]]:
    record = await stack.record(number)
    rows = await stack.rows("SELECT * FROM guard_acts WHERE call_id = $1 ORDER BY at", record["id"])
    return [(row["act"], row["seat"]) for row in rows]


async def test_the_guard_widens_at_five_eight_and_twelve_seconds(stack: Stack) -> None:
    """The first level talks; the second, the backup and a volunteer are free, one for each of three queues."""
    board = await stack.board()
    async with levels(
        stack,
        limei=1,
        wangqiang={"citizen": 2},
        chenjing={"enterprise": 3},
        zhaolei={"english": 4},
    ):
        first = await (await stack.desk("limei")).sit("1001")
        assert first.phone
        talk = await stack.trunk.call(stack.number(), key="1")
        await first.state("talking")
        staff = {"wangqiang": ("1002", "", 5), "chenjing": ("1003", "2", 8), "zhaolei": ("1004", "1", 12)}
        waits = []
        for login, (seat, key, due) in staff.items():
            desk = await (await stack.desk(login)).sit(seat)
            assert desk.phone
            citizen = await stack.trunk.call(stack.number(), key=key)
            waits.append((citizen, desk.phone, due))
        for act in ("widen", "backup", "volunteers"):
            await board.until(lambda view, act=act: any(c["act"] == act for c in view["calls"].values()), 20)
        for citizen, phone, due in waits:
            line = await phone.line()
            assert line.number == citizen.number
            # app_queue counts the clock's whole seconds, and looks once a second.
            assert due - 1.1 < await rings(stack, citizen, line) < due + 1.1
            await citizen.hang_up()
        names = ["widen", "backup", "volunteers"]
        for n, (citizen, _, _) in enumerate(waits):
            async with asyncio.timeout(PATIENCE):  # they are written once a second
                while [act for act, _ in await acts(stack, citizen.number)][: n + 1] != names[: n + 1]:
                    await asyncio.sleep(0.2)
        await talk.hang_up()


async def test_at_twelve_seconds_the_longest_wrap_up_is_ended_with_notice(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001")
    assert desk.phone
    citizen = await stack.trunk.call(stack.number(), key="1")
    await (await desk.phone.line()).call.wait_established()
    await desk.state("talking")
    await citizen.hang_up()
    await desk.screen.until(lambda view: view["seat"]["wrap_up_until"])
    for _ in range(8):  # much to write
        await desk.ask("POST", "/desk/wrap-up", {"act": "extend"})
    waiting = await stack.trunk.call(stack.number(), key="1")
    began = time.monotonic()
    view = await desk.screen.until(lambda view: view["seat"]["wrap_up_cut"])
    assert 11.5 < time.monotonic() - began < 15
    assert view["seat"]["wrap_up_cut"], "the desk says why"
    await desk.pop(waiting.number)
    await desk.state("talking")
    await waiting.hang_up()
    assert ("end_wrap_up", "1001") in await acts(stack, waiting.number)
    await desk.screen.until(lambda view: view["seat"]["wrap_up_until"] and not view["seat"]["wrap_up_cut"])


async def offered(stack: Stack) -> float:
    """How long a caller waits until the callback is offered, as Asterisk's own log tells of it."""
    await stack.tell_asterisk("logger add channel offers verbose(3)")
    log = stack.home / "asterisk" / "log" / "offers"
    try:
        citizen, _ = await waiting(stack)
        began = time.monotonic()
        async with asyncio.timeout(20):
            while "Playing periodic announcement" not in log.read_text():
                await asyncio.sleep(0.1)
        await citizen.hang_up()
        return time.monotonic() - began
    finally:
        await stack.tell_asterisk("logger remove channel offers")


async def test_the_callback_is_offered_at_the_second_that_the_supervisor_sets(stack: Stack) -> None:
    await (await stack.desk("limei")).sit("1001", ready=False)
    deadlines = {"widen": 1, "backup": 2, "volunteers": 3, "offer_callback": 4}
    try:
        await change(stack, "guard", {"deadlines": [{"act": act, "seconds": n} for act, n in deadlines.items()]})
        await asyncio.sleep(2)
        assert 2 < await offered(stack) < due(GUARD, Act.OFFER_CALLBACK) - 2
    finally:
        usual = [{"act": each.act, "seconds": each.seconds} for each in GUARD]
        await change(stack, "guard", {"deadlines": usual})


async def test_danger_to_the_public_goes_before_all_who_wait(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001", ready=False)
    board = await stack.board()
    assert desk.phone

    def reasons(view: Row) -> list[str]:
        return sorted(call["priority"] for call in view["calls"].values() if call["state"] == "waiting")

    plain = await stack.trunk.call(stack.number())
    await asyncio.sleep(2)
    again = await stack.trunk.call(plain.number)
    await board.until(lambda view: reasons(view) == ["", "again"], 15)
    english = await stack.trunk.call(stack.number(), key="1")
    danger = await stack.trunk.call(stack.number(), key="9")

    await board.until(lambda view: reasons(view) == ["", "", "again", "danger"])
    await desk.ready()
    pop = await desk.pop(danger.number)
    assert (pop["menu"], pop["priority"], pop["queue"]) == ("danger", "danger", "danger")
    await desk.state("talking")
    assert desk.phone.rung == 1, "nobody else's call came before"
    await english.hang_up()
    await danger.hang_up()
    assert [act for act, _ in await acts(stack, danger.number)] == ["widen", "backup", "volunteers"]
    pop = await desk.pop(plain.number)
    assert pop["priority"] == "again", "the second call of that number goes before its first"
    for citizen in (again, plain):
        await citizen.hang_up()


async def test_public_danger_ends_a_wrap_up_at_once(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001")
    assert desk.phone
    citizen = await stack.trunk.call(stack.number(), key="1")
    await desk.pop(citizen.number)
    await desk.state("talking")
    await citizen.hang_up()
    await desk.screen.until(lambda view: view["seat"]["wrap_up_until"])
    for _ in range(8):  # much to write
        await desk.ask("POST", "/desk/wrap-up", {"act": "extend"})
    plain = await stack.trunk.call(stack.number(), key="2")
    danger = await stack.trunk.call(stack.number(), key="9")
    began = time.monotonic()
    await desk.screen.until(lambda view: view["seat"]["wrap_up_cut"])
    assert time.monotonic() - began < due(GUARD, Act.VOLUNTEERS) - 2
    await desk.pop(danger.number)
    await desk.state("talking")
    await danger.hang_up()
    await plain.hang_up()


async def test_a_caller_who_waits_says_by_a_key_that_it_is_danger(stack: Stack) -> None:
    desk = await (await stack.desk("limei")).sit("1001", ready=False)
    board = await stack.board()
    assert desk.phone
    longer, _ = await waiting(stack)
    citizen, call = await waiting(stack)
    view = await board.until(lambda view: view["calls"].get(call, {}).get("queued_at"))  # a board of its own
    queued_at = view["calls"][call]["queued_at"]
    await asyncio.sleep(1)
    await citizen.press("9")
    view = await board.until(lambda view: view["calls"][call]["priority"] == "danger")
    assert view["calls"][call]["queue"] == "danger"
    assert view["calls"][call]["queued_at"] == queued_at, "he has waited since he first came"
    await desk.ready()
    assert (await desk.pop(citizen.number))["menu"] == "danger"
    await desk.state("talking")
    await citizen.hang_up()
    record = await stack.record(citizen.number)
    assert (record["priority"], record["outcome"]) == ("danger", "answered")
    assert record["wait_ms"] > 1_000
    await longer.hang_up()
    assert "\n0 unexplained" in await stack.reconcile()


async def open_matter(stack: Stack, call: str, login: str) -> None:
    """An order of that call that somebody has to look into."""
    await stack.rows(
        "INSERT INTO orders (id, code, check_code, call_id, state, kind, urgency, created_by, created_at, updated_at)"
        " VALUES (gen_random_uuid(), $1, '1234', $2, 'pending_dispatch', 'complaint', 'U3', $3, now(), now())",
        f"26112299{secrets.randbelow(10_000):04}7",
        call,
        login,
    )


async def test_the_last_agent_of_an_open_matter_rings_first_and_others_follow(stack: Stack) -> None:
    li = await (await stack.desk("limei")).sit("1001")
    number = stack.number()
    first = await stack.trunk.call(number, key="1")
    call = (await li.pop(number))["id"]
    await li.state("talking")
    await first.hang_up()
    await stack.record(number)
    await open_matter(stack, call, "limei")
    await li.state("ready")
    wang = await (await stack.desk("wangqiang")).sit("1002")  # idle for longer: the queue's choice
    assert li.phone and wang.phone

    async def calls_again() -> Citizen:
        citizen = await stack.trunk.call(number)
        await citizen.until("answered_at")
        await asyncio.sleep(1.5)  # in which the records are asked
        await citizen.press("1")
        return citizen

    # Free at once: rung first.
    second = await calls_again()
    await li.pop(number)
    await li.state("talking")
    assert wang.phone.rung == 0
    await second.hang_up()
    # Does not answer: the queue's turn after some seconds, and the wait is counted from the first ring.
    await li.state("ready")
    li.phone.behaviour = "ignore"
    third = await calls_again()
    await wang.pop(number)
    await wang.state("talking")
    await third.hang_up()
    # On a break: the queue at once.
    await li.ask("POST", "/desk/break", {"code": "MEAL"})
    await wang.state("ready")
    rung = li.phone.rung
    fourth = await calls_again()
    await wang.pop(number)
    await wang.state("talking")
    assert li.phone.rung == rung
    await fourth.hang_up()
    await wang.state("wrap_up")
    await asyncio.sleep(2.5)
    rows = await stack.rows("SELECT id, wait_ms, priority FROM calls WHERE number = $1 ORDER BY arrived_at", number)
    found = [[(ring["seat"], ring["how"], ring["why"]) for ring in await stack.segments(row["id"])] for row in rows]
    assert found == [
        [("1001", "completed", "")],
        [("1001", "completed", "last_agent")],
        [("1001", "missed", "last_agent"), ("1002", "completed", "")],
        [("1002", "completed", "")],
    ]
    assert [row["priority"] for row in rows] == ["", "again", "again", "again"]
    assert rows[2]["wait_ms"] > 5_500
    assert "\n0 unexplained" in await stack.reconcile()
