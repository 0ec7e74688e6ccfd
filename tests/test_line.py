"""The line to Asterisk: each fault of panoramisk 1.4 (telephony.md 4.1, A1-A12) is none of ours, and B1-B15 hold.

The other side is a small TCP peer that fails on purpose, or the real Asterisk.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import pytest
from exchange import SYSTEM_NAME, Exchange, Tap, seat
from peer import BANNER, Peer, a_peer, channel, event, listed, member
from prometheus_client import Counter
from rawsip import SHUTDOWN, forged, raw_call
from stack import PATIENCE
from stories import new_floor, traffic

from agents.seats import Phone, SeatState
from callcenter import metrics
from callcenter.asterisk import actions, link
from callcenter.asterisk.actions import BadAction
from callcenter.asterisk.files import Offset, SureFiles
from callcenter.asterisk.link import (
    Account,
    ActionRefused,
    Line,
    LineAway,
    LineState,
    Resync,
    asterisk_version,
)
from callcenter.floor.changes import CallEnded, Change
from callcenter.floor.model import Call
from callcenter.floor.run import Runner
from dialplan import names


def value(counter: Counter) -> float:
    return counter._value.get()  # type: ignore[no-any-return]


async def until(true: Callable[[], object], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)


async def no_files() -> Mapping[str, Call]:
    return {}


class Running:
    """A line, its floor and what the floor told."""

    def __init__(self, account: Account) -> None:
        self.line = Line(account)
        self.runner = Runner(self.line, new_floor(), no_files)
        self.changes: list[Change] = []
        self.moves: list[LineState] = []
        self.runner.sinks = [("seen", self.changes.extend)]
        self.line.watchers.append(lambda: self.moves.append(self.line.state))

    @property
    def floor(self):  # type: ignore[no-untyped-def]
        return self.runner.floor

    @property
    def ended(self) -> list[Call]:
        return [change.call for change in self.changes if isinstance(change, CallEnded)]

    async def live(self) -> None:
        await until(lambda: self.line.state is LineState.LIVE and self.runner.synced.is_set(), 10)


@asynccontextmanager
async def running(account: Account) -> AsyncIterator[Running]:
    it = Running(account)
    tasks = [asyncio.ensure_future(it.line.run()), asyncio.ensure_future(it.runner.run())]
    try:
        yield it
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rules with shorter times."""
    monkeypatch.setattr(link, "PING_EVERY", 0.1)
    monkeypatch.setattr(link, "PING_DEADLINE", 0.15)
    monkeypatch.setattr(link.Wire.ask, "__defaults__", (0.5,))
    monkeypatch.setattr(link, "RETRY_FIRST", 0.02)
    monkeypatch.setattr(link, "RETRY_MOST", 0.3)


def arrival(number: str, call: str = "1795332391.1", name: str = "") -> bytes:
    return event(
        "UserEvent",
        "Channel: PJSIP/trunk-00000001",
        f"Uniqueid: {SYSTEM_NAME}-{call}",
        "UserEvent: CcArrived",
        f"Say: number={number}&name={name}&dialed=12345&service=unified",
    )


def hangup(call: str = "1795332391.1", number: str = "138") -> bytes:
    return event(
        "Hangup",
        "Channel: PJSIP/trunk-00000001",
        f"CallerIDNum: {number}",
        f"Uniqueid: {SYSTEM_NAME}-{call}",
        stamp=1795332392.5,
    )


# --- bytes (A1, A12) --------------------------------------------------------------------------------------------------


async def test_a1_everything_one_byte_at_a_time(quick: None) -> None:
    """Banner, answers and a whole story, each byte a write of its own."""
    async with a_peer(bytewise=True) as peer, running(peer.account) as r:
        await r.live()
        data = traffic("chinese_name")
        for n in range(0, len(data), 3):
            peer.hearing.push(data[n : n + 3])
            if n % 300 == 0:
                await asyncio.sleep(0)
        await until(lambda: r.ended)
        assert r.ended[0].name.startswith("深圳市民张三丰")
        assert r.ended[0].outcome == "answered"
        assert peer.connections == 2


@pytest.mark.parametrize("banner", [b"SSH-2.0-OpenSSH\r\n", b"Asterisk Cal\0", b"Asterisk Call Manager/" + b"1" * 100])
async def test_whoever_does_not_greet_as_asterisk_is_left(quick: None, banner: bytes) -> None:
    async with a_peer(banner=banner) as peer, running(peer.account) as r:
        await until(lambda: peer.connections >= 2)
        assert r.line.state is LineState.AWAY
        assert not peer.got, "no password was given to it"


async def test_a12_a_frame_without_end_ends_the_connection_not_the_memory(quick: None) -> None:
    async with a_peer() as peer, running(peer.account) as r:
        await r.live()
        peer.hearing.push(b"x" * 300_000)
        await until(lambda: LineState.AWAY in r.moves)
        await r.live()


async def test_a12_a_floor_that_does_not_keep_up_starts_over(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "MOST_WAITING_FRAMES", 50)
    async with a_peer() as peer:
        line = Line(peer.account)
        task = asyncio.ensure_future(line.run())
        await until(lambda: line.state is LineState.LIVE)
        peer.hearing.push(arrival("1") * 60)
        await until(lambda: line.state is LineState.AWAY)
        task.cancel()


async def test_an_answer_comes_at_once_not_by_polling(quick: None) -> None:
    async with a_peer() as peer, running(peer.account) as r:
        await r.live()
        began = time.perf_counter()
        for _ in range(20):
            await r.line.act(actions.pause("1001", Phone.DESK, "MEAL"))
        assert time.perf_counter() - began < 1.9, "panoramisk looks every 0.1 s"


# --- actions (A2, A5, A6, A7, A8, A11) --------------------------------------------------------------------------------


async def test_a2_no_value_becomes_a_second_action(quick: None) -> None:
    async with a_peer() as peer, running(peer.account) as r:
        await r.live()
        for reason in ("a\r\n\r\nAction: Command", "a\nAction: Command", "a\rb", "a\0b"):
            with pytest.raises(BadAction):
                await r.line.act(actions.pause("1001", Phone.DESK, reason))
        await r.line.act(actions.pause("1001", Phone.DESK, "MEAL"))
        assert [each["Reason"] for each in peer.got["QueuePause"]] == ["MEAL"]
        assert b"Command" not in peer.raw


async def test_a3_a_fault_in_a_sink_cuts_nothing(quick: None) -> None:
    """panoramisk: one fault in a handler closes the connection, and the rest of the chunk is lost."""
    async with a_peer() as peer, running(peer.account) as r:

        def broken(changes: object) -> None:
            raise RuntimeError("a fault of ours")

        r.runner.sinks.insert(0, ("broken", broken))
        await r.live()
        errors = value(metrics.SINK_ERRORS.labels("broken"))
        peer.hearing.push(arrival("1", "1.1") + arrival("2", "2.1") + hangup("1.1"))
        await until(lambda: r.ended)
        assert set(r.floor.calls) == {"t1-2.1"}
        assert peer.connections == 2
        assert value(metrics.SINK_ERRORS.labels("broken")) > errors


async def test_a4_events_are_taken_in_the_order_in_which_they_came(quick: None) -> None:
    async with a_peer() as peer, running(peer.account) as r:
        await r.live()
        for n in range(200):
            peer.hearing.push(arrival(str(n), f"{n}.1"))
            if n % 17 == 0:
                await asyncio.sleep(0)
        await until(lambda: len(r.floor.calls) == 200)
        assert [call.number for call in r.floor.calls.values()] == [str(n) for n in range(200)]


async def test_a5_an_asterisk_that_does_not_answer_is_stale_and_then_away(quick: None) -> None:
    async with a_peer() as peer, running(peer.account) as r:
        await r.live()
        peer.silent.add("Ping")
        await until(lambda: len(r.moves) >= 3)
        assert r.moves[:3] == [LineState.LIVE, LineState.STALE, LineState.AWAY]
        assert "no answer to Ping" in r.line.why
        peer.silent.clear()
        await r.live()


async def test_a5_one_missed_ping_is_stale_and_live_again(quick: None) -> None:
    async with a_peer() as peer, running(peer.account) as r:
        await r.live()
        peer.silent.add("Ping")
        await until(lambda: r.line.state is LineState.STALE)
        peer.silent.clear()
        await until(lambda: r.line.state is LineState.LIVE)
        assert peer.connections == 2


async def test_a5_silence_on_one_session_is_stale_whatever_the_other_says(quick: None) -> None:
    async with a_peer() as peer, running(peer.account) as r:
        await r.live()
        peer.silent_to = names.EVENTS_USER
        peer.silent.add("Ping")
        await until(lambda: LineState.AWAY in r.moves)
        assert r.moves == [LineState.LIVE, LineState.STALE, LineState.AWAY], "the other session's pongs do not hide it"


@pytest.mark.parametrize("name", ["QueueStatus", "CoreShowChannels", "DeviceStateList", "CoreStatus"])
async def test_a6_a_list_that_is_cut_off_fails_and_is_asked_for_again(quick: None, name: str) -> None:
    async with a_peer(torn={name}) as peer, running(peer.account) as r:
        await until(lambda: peer.connections >= 4)
        assert LineState.LIVE not in r.moves
        peer.torn.clear()
        await r.live()


async def test_a6_an_action_that_gets_no_answer_fails_in_time(quick: None) -> None:
    async with a_peer(silent={"QueuePause"}) as peer, running(peer.account) as r:
        await r.live()
        began = time.monotonic()
        with pytest.raises(LineAway, match="no answer to QueuePause"):
            await r.line.act(actions.pause("1001", Phone.DESK, "MEAL"))
        assert time.monotonic() - began < 2
        assert r.line.state is LineState.LIVE


async def test_a6_an_action_fails_at_once_when_the_connection_is_lost(quick: None) -> None:
    async with a_peer(silent={"QueuePause"}) as peer, running(peer.account) as r:
        await r.live()
        asked = asyncio.ensure_future(r.line.act(actions.pause("1001", Phone.DESK, "MEAL")))
        await until(lambda: peer.got["QueuePause"])
        peer.drop()
        with pytest.raises(LineAway, match="lost"):
            await asked


async def test_a6_an_action_while_away_fails_at_once() -> None:
    line = Line(Account("t1", link.Address("127.0.0.1", 1), "x", "", ""))
    with pytest.raises(LineAway):
        await line.act(actions.PING)
    with pytest.raises(LineAway):
        await line.resync()


async def test_a7_nothing_is_sent_again_after_a_reconnect(quick: None) -> None:
    """panoramisk sent a lost Originate twice: two calls to one citizen."""
    async with a_peer(silent={"Hangup"}) as peer, running(peer.account) as r:
        await r.live()
        with contextlib.suppress(LineAway):
            asked = asyncio.ensure_future(r.line.act(actions.hang_up("PJSIP/1001-00000001")))
            await until(lambda: peer.got["Hangup"])
            peer.drop()
            await asked
        peer.silent.clear()
        await until(lambda: LineState.AWAY in r.moves)
        await r.live()
        await asyncio.sleep(0.1)
        assert len(peer.got["Hangup"]) == 1


async def test_a8_a_refused_login_is_said(quick: None, capsys: pytest.CaptureFixture[str]) -> None:
    async with a_peer(refuse=True) as peer, running(peer.account) as r:
        await until(lambda: "refuses" in r.line.why)
        assert r.line.state is LineState.AWAY
        assert "CALLCENTER_AMI_ACTIONS_SECRET" in r.line.why
        assert "line_refused" in capsys.readouterr().out
        await asyncio.sleep(0.1)
        tried = peer.connections
        peer.refuse = False
        await r.live()
        assert tried <= 2, "a wrong password is not tried in a hurry"


async def test_a9_the_wait_between_two_attempts_grows_and_is_never_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "RETRY_FIRST", 0.05)
    monkeypatch.setattr(link, "RETRY_MOST", 0.4)
    peer = await Peer().start()
    account = peer.account
    await peer.stop()  # nobody listens there now
    waits: list[float] = []
    asleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        waits.append(seconds)
        await asleep(0)
        if len(waits) > 40:
            await asleep(3600)

    monkeypatch.setattr(asyncio, "sleep", noted)
    before = value(metrics.AMI_RECONNECTS)
    task = asyncio.ensure_future(Line(account).run())
    async with asyncio.timeout(5):
        while len(waits) <= 40:
            await asleep(0.005)
    task.cancel()
    assert value(metrics.AMI_RECONNECTS) - before >= 40
    assert 0.025 <= waits[0] <= 0.075
    assert 0.05 <= waits[1] <= 0.15
    assert max(waits) <= 0.6, "and has an end"
    assert len({round(wait, 6) for wait in waits[5:]}) > 30, "jitter"


async def test_a9_an_error_of_ours_is_said_as_away(quick: None) -> None:
    """Not only OSError: whatever it is, the state does not stay live. The supervisor starts the line again."""
    async with a_peer(answers={"CoreStatus": "Response: Success\n@@\nCoreStartupDate: never\n\n"}) as peer:
        line = Line(peer.account)
        with pytest.raises((KeyError, ValueError)):
            await asyncio.wait_for(line.run(), 5)
        assert line.state is LineState.AWAY
        assert "an error of ours" in line.why


async def test_a10_two_calls_of_one_second_are_two(quick: None) -> None:
    async with a_peer() as peer, running(peer.account) as r:
        await r.live()
        peer.hearing.push(traffic("two_calls_same_second"))
        await until(lambda: len(r.ended) == 2)
        assert {call.number for call in r.ended} == {"13800000010", "13800000011"}
        assert {call.legs[0].login for call in r.ended} == {"li.mei", "wang.fang"}


async def test_a11_a_list_is_known_by_its_action_not_by_english_words(quick: None) -> None:
    answer = "Response: Success\n@@\nMessage: Added interface to queue, more will follow\n\n"
    async with a_peer(answers={"QueueAdd": answer}) as peer, running(peer.account) as r:
        await r.live()
        await r.line.act(actions.seat("1001", Phone.DESK, "li.mei", "citizen", "NOTREADY"))
        assert peer.got["QueueAdd"]


async def test_a11_a_refusal_is_an_error_with_its_text(quick: None) -> None:
    no = "Response: Error\n@@\nMessage: Unable to add interface: Already there\n\n"
    async with a_peer(answers={"QueueAdd": no}) as peer, running(peer.account) as r:
        await r.live()
        with pytest.raises(ActionRefused, match="Already there"):
            await r.line.act(actions.seat("1001", Phone.DESK, "li.mei", "citizen", "NOTREADY"))


async def test_a_transfer_that_is_too_early_is_asked_for_again_for_a_moment(quick: None) -> None:
    no = "Response: Error\n@@\nMessage: Transfer invalid\n\n"
    transfer = actions.pass_on("PJSIP/1001-00000001", names.WAITING_CONTEXT, "citizen")
    async with a_peer(answers={"BlindTransfer": no}) as peer, running(peer.account) as r:
        await r.live()
        acting = asyncio.ensure_future(r.line.act(transfer))
        await until(lambda: len(peer.got["BlindTransfer"]) == 2)
        del peer.answers["BlindTransfer"]
        await acting
        peer.answers["BlindTransfer"] = no
        with pytest.raises(ActionRefused, match="Transfer invalid"):
            await r.line.act(transfer)


# --- the snapshot (B2, B12) -------------------------------------------------------------------------------------------


async def test_what_is_heard_during_the_snapshot_comes_after_it(quick: None) -> None:
    """The other order brings dead calls back."""
    uniqueid = f"{SYSTEM_NAME}-1795332391.1"
    async with a_peer(silent={"CoreShowChannels"}) as peer:
        line = Line(peer.account)
        task = asyncio.ensure_future(line.run())
        await until(lambda: peer.got["CoreShowChannels"])
        peer.hearing.push(arrival("1") + hangup())
        await asyncio.sleep(0.05)
        assert line.batches.empty(), "held back"
        (asked,) = peer.got["CoreShowChannels"]
        text = listed("CoreShowChannels", channel("1", uniqueid)).replace("@@", f"ActionID: {asked['ActionID']}")
        acting = next(s for s in peer.sessions if s.user == names.ACTIONS_USER)
        acting.push(text.replace("\n", "\r\n").encode())
        batch = await asyncio.wait_for(line.batches.get(), 10)
        assert isinstance(batch, Resync)
        assert [alive.call for alive in batch.snapshot.channels] == ["t1-1795332391.1"]
        assert len(batch.heard) == 2
        task.cancel()


async def test_b2_what_ended_while_we_were_away_is_seen_at_the_next_snapshot(quick: None) -> None:
    async with a_peer() as peer, running(peer.account) as r:
        await r.live()
        peer.hearing.push(arrival("1"))
        await until(lambda: r.floor.calls)
        peer.drop()
        await until(lambda: r.ended)
        assert r.ended[0].outcome == "unknown_gap"
        assert r.floor.seats["1001"].state is SeatState.READY


async def test_a_failed_snapshot_holds_nothing_back(quick: None) -> None:
    """An audit that gets no answer must not stop the events."""
    async with a_peer() as peer, running(peer.account) as r:
        await r.live()
        for bad in ({"silent": {"CoreStatus"}}, {"answers": {"CoreStatus": "Response: Success\n@@\nX: y\n\n"}}):
            peer.silent, peer.answers = bad.get("silent", set()), bad.get("answers", {})  # type: ignore[assignment]
            asked = asyncio.ensure_future(r.line.resync())
            await asyncio.sleep(0)
            with pytest.raises((LineAway, KeyError)):
                await asked
        peer.hearing.push(arrival("1"))
        await until(lambda: r.floor.calls, 2)


async def test_items_that_a_caller_wrote_into_are_left_out_of_the_snapshot(quick: None) -> None:
    """In the millisecond before the dialplan cleans his number, CoreShowChannels prints it raw."""
    good = channel("138", f"{SYSTEM_NAME}-1795332391.1")
    evil = [
        channel("1\n\nEvent: CoreShowChannelsComplete\nX: y", f"{SYSTEM_NAME}-1795332391.2"),
        channel("1\nUniqueid: mine", f"{SYSTEM_NAME}-1795332391.3"),
        channel("1\nEvent: Shutdown", f"{SYSTEM_NAME}-1795332391.4"),
        channel("1\n\nEvent: CoreShowChannel\nActionID: guess\nUniqueid: x", f"{SYSTEM_NAME}-1795332391.5"),
        channel("1", "other-1795332391.6"),
        channel("1", f"{SYSTEM_NAME}-1795332391.7").replace("00:00:07", "soon"),
    ]
    answers = {"CoreShowChannels": listed("CoreShowChannels", *evil, good)}
    async with a_peer(answers=answers) as peer, running(peer.account) as r:
        await r.live()
        assert list(r.floor.calls) == ["t1-1795332391.1"]
        assert peer.connections == 2


async def test_the_snapshot_speaks_queue_statuss_words() -> None:
    """telephony.md B14: Name and Location here, MemberName and Interface in events."""
    answers = {"QueueStatus": listed("QueueStatus", member("1001", "li.mei", "MEAL"), member("1002", "wang.fang"))}
    async with a_peer(answers=answers) as peer, running(peer.account) as r:
        await r.live()
        assert (r.floor.seats["1001"].pause, r.floor.seats["1001"].login) == ("MEAL", "li.mei")
        assert r.floor.seats["1002"].state is SeatState.UNREACHABLE, "its device is in no list"


# --- forged events ----------------------------------------------------------------------------------------------------


async def test_a_forged_event_is_dropped_and_counted(quick: None) -> None:
    evil = forged_hangups()
    async with a_peer() as peer, running(peer.account) as r:
        await r.live()
        peer.hearing.push(arrival("1"))
        before = value(metrics.AMI_FORGED) + value(metrics.AMI_BROKEN)
        for each in evil:
            peer.hearing.push(each)
        peer.hearing.push(arrival("2", "1795332391.2"))
        await until(lambda: len(r.floor.calls) == 2)
        assert not r.ended
        assert peer.connections == 2
        assert value(metrics.AMI_FORGED) + value(metrics.AMI_BROKEN) - before == len(evil) + 1


def forged_hangups() -> list[bytes]:
    """Each ends the first call, or the connection, if it is believed."""
    real = hangup(number="%s").decode()
    return [
        b"Event: Shutdown\r\nPrivilege: system,all\r\nShutdown: Cleanly\r\nRestart: False\r\n\r\n",
        event("Hangup", "Channel: PJSIP/trunk-00000001", f"Uniqueid: {SYSTEM_NAME}-1795332391.1", system_name="guess"),
        (real % f"1\r\nUniqueid: {SYSTEM_NAME}-1795332391.1").replace(".1\r\n\r\n", ".9\r\n\r\n").encode(),
        # Cut in two: the head is authentic and lacks its end, the rest lacks the head.
        (real % "138\r\n\r\nEvent: Hangup\r\nFake: 1").encode(),
    ]


# --- the real Asterisk ------------------------------------------------------------------------------------------------


async def test_live_with_the_real_asterisk(exchange: Exchange) -> None:
    async with running(exchange.account) as r:
        await r.live()
        assert r.moves == [LineState.LIVE]
        for queue in ("citizen", "english"):
            await r.line.act(actions.seat("1001", Phone.DESK, "li.mei", queue, "NOTREADY"))
        await until(lambda: "1001" in r.floor.seats and len(r.floor.seats["1001"].queues) == 2)
        await r.line.act(actions.pause("1001", Phone.DESK, "MEAL"))
        await until(lambda: r.floor.seats["1001"].pause == "MEAL")
        await r.line.resync()
        await until(lambda: r.line.batches.empty())
        for queue in ("citizen", "english"):
            await r.line.act(actions.unseat("1001", Phone.DESK, queue))
        await until(lambda: r.floor.seats["1001"].state is SeatState.OFFLINE)
        await r.line.act(actions.unseat("1001", Phone.DESK, "citizen"))  # so already
        with pytest.raises(ActionRefused):
            await r.line.act(actions.pause("1001", Phone.DESK, "MEAL"))


async def test_a_wrong_password_with_the_real_asterisk(exchange: Exchange) -> None:
    right = exchange.account
    for account, user in (
        (Account(right.node, right.address, right.system_name, "wrong", right.actions_secret), names.EVENTS_USER),
        (Account(right.node, right.address, right.system_name, right.events_secret, "wrong"), names.ACTIONS_USER),
    ):
        async with running(account) as r:
            await until(lambda: "refuses" in r.line.why, 10)
            assert user in r.line.why
            assert r.line.state is LineState.AWAY


@pytest.mark.parametrize("version", ["16.28.0~dfsg-0+deb11u4", "18.26.4", "certified/18.9-cert1", "GIT-master-1"])
async def test_an_asterisk_that_is_too_old_is_said(quick: None, version: str) -> None:
    async with a_peer(version=version) as peer, running(peer.account) as r:
        await until(lambda: "too old" in r.line.why)
        assert version in r.line.why
        assert r.line.state is LineState.AWAY


def test_versions_as_asterisk_writes_them() -> None:
    assert asterisk_version("22.10.1+dfsg+~cs6.17.60671434-1") == (22, 10, 1)
    assert asterisk_version("20.9-cert2") == (20, 9, 0)
    assert asterisk_version("23.0.0-rc1") == (23, 0, 0)
    assert asterisk_version("unknown") == (0, 0, 0)


FORBIDDEN = {
    "Command": {"Command": "core show version"},
    "Originate": {"Channel": "Local/x@y", "Application": "System", "Data": "id"},
    "UpdateConfig": {"SrcFilename": "manager.conf", "DstFilename": "manager.conf"},
    "GetConfig": {"Filename": "manager.conf"},
    "ModuleLoad": {"LoadType": "unload", "Module": "app_queue.so"},
    "Reload": {},
    "DBPut": {"Family": "x", "Key": "y", "Val": "z"},
    "UserEvent": {"UserEvent": "CcArrived"},
    "Filter": {"Filter": "Event: .*"},
    "Setvar": {"Variable": "GLOBAL(MAX_CALLS)", "Value": "0"},
    "CreateConfig": {"Filename": "x.conf"},
    "DialplanExtensionAdd": {"Context": "from-trunk", "Extension": "1", "Priority": "1", "Application": "NoOp"},
}
CALL_ACTIONS = {
    "QueueAdd": {"Queue": "citizen", "Interface": "PJSIP/1001"},
    "QueuePause": {"Interface": "PJSIP/1001", "Paused": "true"},
    "Hangup": {"Channel": "PJSIP/1001-00000001"},
}


async def refused(tap: Tap, name: str, fields: dict[str, str]) -> bool:
    answer = await tap.ask({"Action": name, **fields})
    return b"Permission denied" in answer or b"Invalid/unknown command" in answer or b"Access Forbidden" in answer


async def test_b5_the_account_that_hears_can_do_nothing(exchange: Exchange) -> None:
    tap = await exchange.events()
    for name, fields in (FORBIDDEN | CALL_ACTIONS).items():
        assert await refused(tap, name, fields), name
    assert b"Pong" in await tap.ask({"Action": "Ping"})
    tap.close()


async def test_b5_the_account_that_acts_can_do_what_we_need_and_no_more(exchange: Exchange) -> None:
    tap = await exchange.acting()
    needed = {"UserEvent", "Setvar"}  # come with the class `call`, which Hangup needs
    for name, fields in FORBIDDEN.items():
        if name not in needed:
            assert await refused(tap, name, fields), name
    for name, fields in CALL_ACTIONS.items():
        assert not await refused(tap, name, fields), name
    assert b"Event: " not in tap.heard.replace(b"Event: FullyBooted", b""), "and hears no events"
    await tap.ask({"Action": "QueueRemove", "Queue": "citizen", "Interface": "PJSIP/1001"})
    tap.close()


async def test_b5_nobody_else_and_nobody_unasked(exchange: Exchange) -> None:
    for user, secret in (("admin", ""), (names.EVENTS_USER, ""), (names.EVENTS_USER, "x"), (ALL, "")):
        with pytest.raises(PermissionError):
            await Tap.open(exchange.instance.ami_port, user, secret)


ALL = "all"


async def test_b8_asterisk_takes_our_longest_line(exchange: Exchange) -> None:
    tap = await exchange.acting()
    longest = "x" * (actions.MAX_LINE - len("Reason: "))
    action = {"Action": "QueuePause", "Interface": "PJSIP/1004", "Paused": "true", "Reason": longest}
    actions.checked(action)
    answer = await tap.ask(action)
    assert b"Interface not found" in answer, "the line was read to its end"
    tap.close()


async def test_b9_only_what_we_asked_for_is_sent_in_a_call(exchange: Exchange) -> None:
    heard, everything = await exchange.events(), await exchange.all_events()
    start = len(everything.heard)
    async with raw_call(exchange.sip) as call:
        await call.until(200)
        await heard.until(b"UserEvent: CcQueued")
        await call.until(0)
    await heard.until(b"Event: Hangup")
    ours = {frame.split(b"\r\n")[0] for frame in bytes(heard.heard).split(b"\r\n\r\n") if frame.startswith(b"Event")}
    all_of_them = bytes(everything.heard[start:])
    assert ours <= {f"Event: {name}".encode() for name in (*names.HEARD, "DeviceStateChange")}
    assert all_of_them.count(b"Event: ") > 5 * bytes(heard.heard).count(b"Event: ")
    assert b"Event: VarSet" in all_of_them
    heard.close()
    everything.close()


INVITES = {
    "shutdown in the number": {"sender": f"<sip:{SHUTDOWN}@example.net>"},
    "a hangup in the number": {"sender": f"<sip:{forged('', 'Event: Hangup', 'Channel: PJSIP/trunk-0')}@example.net>"},
    "one line end": {"sender": "<sip:138%0d%0aUniqueid%3a%20x@example.net>"},
    "a bare line feed": {"sender": "<sip:138%0a%0aEvent%3a%20Shutdown%0a@example.net>"},
    "nul": {"sender": "<sip:138%00%0d%0a@example.net>"},
    "bar": {"sender": "<sip:138%7c%7cABANDON%7c@example.net>"},
    "quotes": {"sender": '"a\\"b<c>;,|" <sip:138%22%3b%2c@example.net>'},
    "in the name": {"sender": '"x%0d%0a%0d%0aEvent: Shutdown" <sip:138@example.net>'},
    "80 bytes": {"sender": f"<sip:{'%0d%0a' * 40}@example.net>"},
    "contact": {"contact": f"<sip:{SHUTDOWN}@127.0.0.1:PORT>"},
    "asserted": {"headers": f"P-Asserted-Identity: <sip:{SHUTDOWN}@example.net>"},
    "diverted": {"headers": f"Diversion: <sip:{SHUTDOWN}@example.net>;reason=unconditional"},
    "all": {
        "sender": f"<sip:{SHUTDOWN}@example.net>",
        "headers": "\n".join(
            f"{name}: <sip:{SHUTDOWN}@a>" for name in ("P-Asserted-Identity", "Diversion", "Remote-Party-ID")
        ),
    },
    "no number": {"sender": "<sip:example.net>"},
    "chinese": {"sender": f'"{"深圳" * 13}" <sip:138@example.net>'},
}


async def to_the_end(exchange: Exchange, **how: str) -> None:
    """A call that is answered, and ended by the other side."""
    async with raw_call(exchange.sip, **how) as call:
        await call.until(200)
        await call.until(0)


#: Those with a line end in what Asterisk takes for the number; a NUL cuts it off before.
FORGING = {"shutdown in the number", "a hangup in the number", "one line end", "a bare line feed", "80 bytes", "all"}


async def test_forged_events_by_real_calls_change_nothing(exchange: Exchange) -> None:
    """reliability.md S1: fifteen INVITEs, each a call like any other: on the floor, in the files, once, and no more."""
    cel_before = exchange.cel.stat().st_size if exchange.cel.exists() else 0
    forged_before = value(metrics.AMI_FORGED)
    everything = await exchange.all_events()
    async with running(exchange.account) as r:
        await r.live()
        await asyncio.gather(*(to_the_end(exchange, **how) for how in INVITES.values()))
        await until(lambda: len(r.ended) == len(INVITES), 10)
        assert r.moves == [LineState.LIVE], "the connection stayed"
        assert not r.floor.calls
        assert value(metrics.AMI_FORGED) - forged_before == len(FORGING), "each number with a line end is counted"
        assert {call.outcome for call in r.ended} == {"nobody_on_duty"}
        for call in r.ended:
            assert set(call.number) <= set("0123456789+*#")
            assert not any(c in call.name for c in "\r\n")
    assert bytes(everything.heard).count(b"\r\n\r\nEvent: Shutdown\r\n") >= 3, "Asterisk does print them raw"
    everything.close()
    await asyncio.sleep(0.2)
    files = SureFiles(exchange.log, r.line.reader, [])
    on_disk = [call for call in files.read().ended if call.id in {call.id for call in r.ended}]
    assert len(on_disk) == len(INVITES)
    assert {call.outcome for call in on_disk} == {"nobody_on_duty"}
    lines = [json.loads(line) for line in exchange.cel.read_bytes()[cel_before:].splitlines()]
    started = [line for line in lines if line["eventtype"] == "CHAN_START"]
    assert len(started) == len(INVITES), "as many lines as calls, and each is one line"


async def test_the_parser_holds_without_the_filters(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """The filters keep every forged frame out. Were they gone, the system name would: a line that hears everything."""
    right = exchange.account
    monkeypatch.setattr(names, "EVENTS_USER", "all-events")
    account = Account(right.node, right.address, right.system_name, "all-events", right.actions_secret)
    async with running(account) as r:
        await r.live()
        forged_before = value(metrics.AMI_FORGED)
        async with raw_call(exchange.sip, sender=f"<sip:{SHUTDOWN}@example.net>") as call:
            await call.until(200)
            await call.until(0)
        await until(lambda: r.ended, 10)
        assert value(metrics.AMI_FORGED) - forged_before >= 3
        assert r.moves == [LineState.LIVE]
        assert [call.outcome for call in r.ended] == ["nobody_on_duty"]
        assert [call.number for call in r.ended] == ["1381"]


async def test_a_forger_who_hangs_up_at_once_is_on_record(exchange: Exchange) -> None:
    """CANCEL before the dialplan's first line may leave a Hangup with the raw number: nothing is taken from it."""
    written = [(path.name, path.stat()) for path in (exchange.cel, exchange.log / names.QUEUE_LOG) if path.exists()]
    before = [Offset(name, file.st_ino, file.st_size) for name, file in written]
    async with running(exchange.account) as r:
        await r.live()
        for _ in range(5):
            async with raw_call(exchange.sip, sender=f"<sip:{SHUTDOWN}@example.net>") as call:
                call.cancel()
                await call.until(100)
        files = SureFiles(exchange.log, r.line.reader, before)
        # Where the only word of the end was forged, the comparison with Asterisk ends the call: here not once a minute.
        async with asyncio.timeout(PATIENCE):
            while r.floor.calls:
                await r.line.resync()
                await asyncio.sleep(0.2)
        await until(lambda: not files.read().ended and not files.floor.calls, PATIENCE)
        assert r.moves == [LineState.LIVE]
    known = {call.id for call in files.known.values()}
    assert {call.id for call in r.ended} <= known


async def test_b13_a_restart_of_asterisk_is_seen_by_the_end_of_the_connection(exchange: Exchange) -> None:
    """And calls that it cut are interrupted: on the floor by the snapshot, in the files by QUEUESTART."""
    acting = await exchange.acting()
    await seat(acting, "1003", "li.mei", ready=False)
    acting.close()
    async with running(exchange.account) as r:
        await r.live()
        await asyncio.sleep(1.1)  # Asterisk tells its start to the second: two starts in one look like one
        async with raw_call(exchange.sip) as call:
            await call.until(200)
            await until(lambda: r.floor.calls)
            (cut,) = r.floor.calls
            assert exchange.part.process is not None
            exchange.part.process.kill()
            await exchange.part.process.wait()
            await until(lambda: r.line.state is LineState.AWAY)
            assert cut in r.floor.calls, "not known yet"
            await exchange.start()
            call.answers.append(0)
        await until(lambda: r.ended, 15)
        assert [(call.id, call.outcome) for call in r.ended] == [(cut, "interrupted")]
        await r.live()
        assert r.floor.seats["1003"].login == "li.mei", "seats outlive it (C17)"
        assert r.floor.seats["1003"].pause == "NOTREADY"
        for queue in sorted(r.floor.seats["1003"].queues):
            await r.line.act(actions.unseat("1003", Phone.DESK, queue))
    files = SureFiles(exchange.log, r.line.reader, [])
    files.read()
    files.read()  # nothing more of that call: whatever was open before the restart was cut by it
    assert files.known[cut].outcome == "interrupted"


def test_the_banner_is_asterisks() -> None:
    assert BANNER.startswith(link._BANNER)
