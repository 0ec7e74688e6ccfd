"""A supervisor in an agent's call: three real phones on the real Asterisk, each known by the pitch of its hum."""

import asyncio
from dataclasses import dataclass

from baresip.runtime import Runtime
from phones import CITIZEN, Line, hum
from stack import PATIENCE, Desk, Row, Screen, Stack, open_stack

AGENT, COLLEAGUE, SUPERVISOR, TONE = hum("1001"), hum("1002"), hum("1003"), 1400
ALL = (AGENT, COLLEAGUE, SUPERVISOR, CITIZEN)


@dataclass
class Scene:
    """An agent in a call, and a supervisor at a seat of his own, not ready."""

    stack: Stack
    agent: Desk
    boss: Desk
    board: Screen
    citizen: Line
    agents_line: Line
    number: str

    @property
    def call(self) -> str:
        return str(self.agent.screen.view["call"]["id"])

    async def start(self, mode: str) -> Line:
        """The supervisor comes in; the line at his phone."""
        await self.boss.ask("POST", "/supervisions", {"seat": "1001", "mode": mode})
        assert self.boss.phone
        line = await self.boss.phone.line()
        await self.shown(mode)
        return line

    async def shown(self, mode: str) -> Row:
        """Wait until the supervisors' board shows it."""

        def there(view: Row) -> bool:
            return [each["mode"] for each in view["supervisions"] if each["since"]] == [mode]

        row: Row = (await self.board.until(there, PATIENCE))["supervisions"][0]
        return row

    async def change(self, mode: str) -> None:
        row = self.board.view["supervisions"][0]
        await self.boss.ask("PATCH", f"/supervisions/{row['id']}", {"mode": mode})
        await self.shown(mode)

    async def hear(self, boss: Line, supervisor: set[int], agent: set[int], citizen: set[int]) -> None:
        """Supervisor, agent and citizen hear these now."""
        await hear((boss, supervisor), (self.agents_line, agent), (self.citizen, citizen))

    async def stretches(self) -> list[tuple[str, bool]]:
        """The modes on record, in order, and whether each has ended."""
        rows = await self.stack.rows("SELECT * FROM supervisions WHERE call_id = $1 ORDER BY since", self.call_id)
        assert {(row["login"], row["seat"], row["agent"], row["agent_seat"]) for row in rows} <= {
            ("sunli", "1003", "limei", "1001")
        }
        return [(row["mode"], row["until"] is not None) for row in rows]

    def __post_init__(self) -> None:
        self.call_id = self.call


async def hear(*ends: tuple[Line, set[int]]) -> None:
    """At each of these ends, these and nobody else are heard; not what was said a moment ago and is still on its way.

    It is listened to again where not: a voice stands still while its phone waits for a core.
    """
    for _ in range(6):
        await asyncio.sleep(1)
        heard = await asyncio.gather(*(line.hears(*ALL) for line, _ in ends))
        if heard == [pitches for _, pitches in ends]:
            break
    assert heard == [pitches for _, pitches in ends]


async def scene(stack: Stack) -> Scene:
    agent = await (await stack.desk("limei")).sit("1001")
    boss = await (await stack.desk("sunli")).sit("1003", ready=False)
    board = await stack.board()
    number = stack.number()
    assert agent.phone
    citizen = await stack.phones.call(number)
    agents_line = await agent.phone.line(30)
    await agent.state("talking")
    return Scene(stack, agent, boss, board, citizen, agents_line, number)


async def test_listen_whisper_and_join_are_heard_by_whom_they_should(stack: Stack) -> None:
    s = await scene(stack)
    boss = await s.start("listen")
    await s.hear(boss, {AGENT, CITIZEN}, {CITIZEN}, {AGENT})
    await s.change("whisper")
    await s.hear(boss, {AGENT, CITIZEN}, {CITIZEN, SUPERVISOR}, {AGENT})
    await s.change("join")
    await s.hear(boss, {AGENT, CITIZEN}, {CITIZEN, SUPERVISOR}, {AGENT, SUPERVISOR})
    await boss.press("4")  # the phone's own keys do it too, and are on record too
    await s.shown("listen")
    await s.hear(boss, {AGENT, CITIZEN}, {CITIZEN}, {AGENT})
    assert s.agent.screen.view["seat"]["state"] == "talking"
    assert not any("supervis" in kind for message in s.agent.screen.seen for kind in message), "the agent is not told"
    assert s.boss.screen.view["seat"]["state"] == "break", "the supervisor need not be ready, and is not in a call"
    assert s.boss.screen.view["call"] is None
    await s.citizen.hang_up()
    await boss.wait_ended()  # it ends with the call, by itself
    await s.board.until(lambda view: view["supervisions"] == [])
    record = await stack.record(s.number)
    assert [leg["seat"] for leg in record["segments"]] == ["1001"], "a supervisor is no agent of the call"
    await asyncio.sleep(1.5)
    assert await s.stretches() == [("listen", True), ("whisper", True), ("join", True), ("listen", True)]
    told = await s.boss.ask("GET", f"/supervisions?call={s.call_id}", status=200)
    assert [each["mode"] for each in told["items"]] == ["listen", "join", "whisper", "listen"]
    acts = await stack.rows("SELECT act FROM audit WHERE what->>'call' = $1 OR act = 'change_supervision'", s.call_id)
    assert [row["act"] for row in acts].count("supervise") == 1
    await stack.reconcile()


async def test_a_supervisor_takes_a_call_over(stack: Stack) -> None:
    """The citizen talks with the supervisor, without a gap; the agent wraps up; the call stays one call."""
    s = await scene(stack)
    boss = await s.start("listen")
    await s.boss.ask("PATCH", f"/supervisions/{s.board.view['supervisions'][0]['id']}", {"mode": "take"})
    await s.boss.state("talking")
    row = await s.agent.state("wrap_up", "ready")
    assert row["state"] == "wrap_up"
    assert s.board.view["supervisions"] == []
    await hear((boss, {CITIZEN}), (s.citizen, {SUPERVISOR}))
    assert s.agents_line.ended.is_set()
    assert s.boss.screen.view["call"]["id"] == s.call_id, "the form of the call is the supervisor's now"
    await s.agent.state("ready")
    await boss.hang_up()
    await s.citizen.wait_ended()
    record = await stack.record(s.number)
    assert (record["id"], record["outcome"], record["ended_by"]) == (s.call_id, "answered", "agent")
    assert [(leg["seat"], leg["login"], leg["how"]) for leg in record["segments"]] == [
        ("1001", "limei", "transferred"),
        ("1003", "sunli", "completed"),
    ]
    assert record["seat"] == "1001", "who answered the citizen"
    assert [mode for mode, over in await s.stretches() if over] == ["listen", "take"]
    await stack.reconcile()


async def test_an_agent_whose_call_was_taken_gets_the_next_one(stack: Stack) -> None:
    s = await scene(stack)
    await s.boss.ask("POST", "/supervisions", {"seat": "1001", "mode": "take"})
    await s.boss.state("talking")
    await s.agent.state("ready")  # wrapped up, while the call goes on with the supervisor
    next_one = await stack.trunk.call(stack.number(), key="1")
    await s.agent.state("talking")
    await next_one.hang_up()
    await s.citizen.hang_up()
    assert (await stack.record(s.number))["ended_by"] == "caller"


@dataclass
class Room:
    """The same scene; the agent has asked a colleague into the call."""

    scene: Scene
    colleague: Desk
    line: Line

    async def do(self, act: str, who: Desk | None = None) -> None:
        await (who or self.scene.agent).ask("POST", f"/calls/{self.scene.call_id}/{act}")


async def consulting(s: Scene) -> Room:
    """The citizen hears music while agent and colleague talk."""
    colleague = await (await s.stack.desk("wangqiang")).sit("1002")
    assert colleague.phone
    body = {"to": {"kind": "seat", "code": "1002"}}
    await s.agent.ask("POST", f"/calls/{s.call_id}/consult", body)
    line = await colleague.phone.line()
    await s.agent.screen.until(lambda view: any(party["state"] == "talking" for party in view["call"]["parties"]))
    await s.agent.screen.until(lambda view: view["call"]["parked"])
    return Room(s, colleague, line)


async def test_a_supervisor_is_in_a_call_of_three_and_takes_the_agents_place(stack: Stack) -> None:
    s = await scene(stack)
    room = await consulting(s)
    await room.do("join")
    await s.agent.screen.until(lambda view: not view["call"]["parked"])
    boss = await s.start("listen")
    talking = (
        (s.agents_line, {COLLEAGUE, CITIZEN}),
        (room.line, {AGENT, CITIZEN}),
        (s.citizen, {AGENT, COLLEAGUE}),
    )
    await hear((boss, {AGENT, COLLEAGUE, CITIZEN}), *talking)
    await s.change("whisper")
    await hear((s.agents_line, {COLLEAGUE, CITIZEN, SUPERVISOR}), *talking[1:])
    await s.change("join")
    joined = ((line, heard | {SUPERVISOR}) for line, heard in talking)
    await hear((boss, {AGENT, COLLEAGUE, CITIZEN}), *joined)
    await boss.press("4")  # out of the room again, to listen
    await s.shown("listen")
    await hear((s.citizen, {AGENT, COLLEAGUE}))
    await s.boss.ask("PATCH", f"/supervisions/{s.board.view['supervisions'][0]['id']}", {"mode": "take"})
    await s.boss.state("talking")
    await s.agents_line.wait_ended()
    await s.agent.state("wrap_up", "ready")
    assert s.board.view["supervisions"] == []
    await hear((boss, {COLLEAGUE, CITIZEN}), (room.line, {SUPERVISOR, CITIZEN}), (s.citizen, {SUPERVISOR, COLLEAGUE}))
    await room.line.hang_up()
    await s.boss.screen.until(lambda view: view["call"]["parties"] == [])
    await boss.hang_up()
    await s.citizen.wait_ended()
    record = await stack.record(s.number)
    assert [(leg["seat"], leg["login"], leg["how"]) for leg in record["segments"]] == [
        ("1001", "limei", "transferred"),
        ("1002", "wangqiang", "completed"),
        ("1003", "sunli", "completed"),
    ]
    modes = [mode for mode, over in await s.stretches() if over]
    assert modes == ["listen", "whisper", "join", "listen", "take"]
    await stack.reconcile()


async def test_who_has_joined_follows_the_call_into_a_room_and_takes_over_while_the_citizen_waits(stack: Stack) -> None:
    s = await scene(stack)
    boss = await s.start("join")
    room = await consulting(s)
    await s.shown("join")
    await hear((boss, {AGENT, COLLEAGUE}), (room.line, {AGENT, SUPERVISOR}))
    assert not await s.citizen.hears(SUPERVISOR), "who waits with music hears nobody"
    await s.boss.ask("PATCH", f"/supervisions/{s.board.view['supervisions'][0]['id']}", {"mode": "take"})
    await s.boss.state("talking")
    await s.agents_line.wait_ended()
    await room.do("back", s.boss)
    await room.line.wait_ended()
    await s.boss.screen.until(lambda view: not view["call"]["parked"] and view["call"]["parties"] == [])
    await hear((boss, {CITIZEN}), (s.citizen, {SUPERVISOR}))
    await s.citizen.hang_up()
    await boss.wait_ended()
    record = await stack.record(s.number)
    assert [(leg["seat"], leg["how"]) for leg in record["segments"]] == [
        ("1001", "transferred"),
        ("1002", "completed"),
        ("1003", "completed"),
    ]
    assert record["ended_by"] == "caller"
    await stack.reconcile()


async def test_who_may_not_and_what_cannot_be_supervised(stack: Stack) -> None:
    s = await scene(stack)
    await s.agent.ask("POST", "/supervisions", {"seat": "1003", "mode": "listen"}, status=403)
    await s.boss.ask("POST", "/supervisions", {"seat": "1002", "mode": "listen"}, status=409)
    await s.boss.ask("POST", "/supervisions", {"seat": "1001", "mode": "spy"}, status=422)
    boss = await s.start("whisper")
    answer = await s.boss.ask("POST", "/supervisions", {"seat": "1001", "mode": "listen"}, status=409)
    assert answer["error"]["code"] == "supervising"
    key = s.board.view["supervisions"][0]["id"]
    await s.agent.ask("PATCH", f"/supervisions/{key}", {"mode": "listen"}, status=403)
    agents_board = await stack.screen(s.agent.browser, "floor")
    assert "supervisions" not in agents_board.view
    await s.boss.ask("DELETE", f"/supervisions/{key}")
    await boss.wait_ended()
    await s.board.until(lambda view: view["supervisions"] == [])
    await s.boss.ask("DELETE", f"/supervisions/{key}", status=404)
    assert s.agent.screen.view["seat"]["state"] == "talking", "the call goes on"
    assert not any(message["type"] == "supervisions" for message in agents_board.seen)
    # A phone that declines: nothing began, and the next try is free.
    assert s.boss.phone
    s.boss.phone.behaviour = "reject"
    await s.boss.ask("POST", "/supervisions", {"seat": "1001", "mode": "listen"})
    await s.board.until(lambda view: view["supervisions"])
    await s.board.until(lambda view: view["supervisions"] == [])
    await s.citizen.hang_up()


async def test_where_the_law_wants_it_both_hear_a_tone_and_the_agent_is_shown(telephony: Runtime) -> None:
    async with open_stack(telephony, SUPERVISION_ANNOUNCE="beep", SUPERVISION_SHOWN="true") as stack:
        s = await scene(stack)
        hearing = asyncio.gather(*(end.hears(TONE, seconds=5) for end in (s.agents_line, s.citizen)))
        await s.start("listen")
        view = await s.agent.screen.until(lambda view: view.get("supervised"))
        assert [(each["mode"], each["name_zh"]) for each in view["supervised"]] == [("listen", "孙丽")]
        agent, citizen = await hearing
        assert (agent, citizen) == ({TONE}, {TONE})
        await s.citizen.hang_up()
        await s.agent.screen.until(lambda view: view["supervised"] == [])
        await stack.clear()
        # Where three talk, all three hear it.
        s = await scene(stack)
        room = await consulting(s)
        await room.do("join")
        await s.agent.screen.until(lambda view: not view["call"]["parked"])
        hearing = asyncio.gather(*(end.hears(TONE, seconds=5) for end in (s.agents_line, room.line, s.citizen)))
        await s.start("listen")
        assert await hearing == [{TONE}] * 3
        await s.citizen.hang_up()
        await stack.clear()
