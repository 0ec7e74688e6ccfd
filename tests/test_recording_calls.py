"""Recordings and the survey, on real calls: who is heard on which side, what is left on the disk, who may listen."""

import asyncio
import math
import os
import shutil
import signal
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from baresip.runtime import Runtime
from office import Browser
from phones import Line
from stack import HIRED, Desk, Row, Stack, open_stack
from test_outgoing import MATTER
from trunk import Citizen

from callcenter.recordings import tracks

#: What the two ends hum. The agents' phones know no other tone.
CITIZEN_HERTZ, AGENT_HERTZ = 1000, 440


@pytest.fixture(scope="module")
async def asking_stack(telephony: Runtime) -> AsyncIterator[Stack]:
    """An instance that asks after the talk."""
    async with open_stack(telephony, SURVEY="true") as running:
        yield running


@pytest.fixture
async def asking(asking_stack: Stack) -> AsyncIterator[Stack]:
    yield asking_stack
    await asking_stack.clear()


async def talk(stack: Stack, seconds: float = 1.5, key: str = "1") -> tuple[Desk, Citizen, Line]:
    """A call that goes on, both ends humming for so long already."""
    desk = await (await stack.desk("limei")).sit("1001")
    assert desk.phone
    citizen = await stack.trunk.call(stack.number(), key=key)
    line = await desk.phone.line()
    await desk.state("talking")
    humming = await citizen.hum(CITIZEN_HERTZ)
    await asyncio.sleep(seconds)
    humming.cancel()
    return desk, citizen, line


async def recording(stack: Stack, call: str, timeout: float = 15) -> Row:
    """The recording of a call, once it is known whether it is whole."""
    async with asyncio.timeout(timeout):
        while True:
            rows = await stack.rows("SELECT * FROM recordings WHERE call_id = $1 AND gap_ms IS NOT NULL", call)
            if rows:
                return rows[0]
            await asyncio.sleep(0.2)


def monitor(stack: Stack) -> Path:
    return stack.home / "asterisk" / "spool" / "monitor"


def raw(stack: Stack, call: str) -> list[Path]:
    """The tracks of this call that are not sealed yet."""
    return list(monitor(stack).glob(f"{call.partition('-')[2]}-*"))


def loudness(sound: bytes, hertz: int) -> float:
    """How much of a tone is in A-law sound (Goertzel), 0 to 1."""
    samples = [a_law(byte) for byte in sound]
    turn = 2 * math.pi * hertz / tracks.RATE
    real = sum(sample * math.cos(turn * n) for n, sample in enumerate(samples))
    imaginary = sum(sample * math.sin(turn * n) for n, sample in enumerate(samples))
    power = sum(sample * sample for sample in samples) * len(samples) / 2
    return (real * real + imaginary * imaginary) / power if power else 0.0


def hummed(sound: bytes) -> int:
    """The tone of an agent's phone, whichever it has chosen: 440 Hz for its first call; 0 when there is no pure one."""
    return next((hertz for hertz in range(440, 900, 110) if loudness(sound, hertz) > 0.5), 0)


def a_law(byte: int) -> int:
    byte ^= 0x55
    exponent, level = (byte & 0x70) >> 4, (byte & 0x0F) << 4
    level = level + 8 if exponent == 0 else (level + 0x108) << exponent - 1
    return level if byte & 0x80 else -level


async def hear(stack: Stack, browser: Browser, call: str) -> tuple[str, bytes]:
    """Listen to a whole recording: its address, and the file."""
    status, told = await browser.ask("POST", f"/api/v1/calls/{call}/recording/listen", {"reason": "quality"})
    assert status == 200, told
    async with browser.session.get(stack.url + told["url"]) as answer:
        assert (answer.status, answer.content_type) == (200, "audio/wav")
        return told["url"], await answer.read()


async def test_the_citizen_is_heard_left_and_the_agent_right_and_nothing_lies_in_the_clear(stack: Stack) -> None:
    desk, citizen, line = await talk(stack)
    assert len(raw(stack, desk.screen.view["call"]["id"])) == 2
    await line.call.hold()
    await asyncio.sleep(0.6)
    await line.call.resume()
    await asyncio.sleep(0.3)
    await citizen.hang_up()
    call = await stack.record(citizen.number)
    row = await recording(stack, call["id"])
    assert (row["gap"], row["gap_ms"], row["rule"]) == (None, 0, "talk")
    assert row["length_ms"] == pytest.approx((call["ended_at"] - call["recorded_at"]).total_seconds() * 1000, abs=500)
    assert raw(stack, call["id"]) == []
    sealed = list((stack.home / "recordings").rglob(f"{call['id']}.sealed"))
    assert len(sealed) == 1 and sealed[0].stat().st_mode & 0o077 == 0
    assert b"RIFF" not in sealed[0].read_bytes()
    for file in (stack.home / "recordings").rglob("*"):
        assert file.is_dir() or file.suffix == ".sealed"

    _, sound = await hear(stack, await stack.browser("sunli"), call["id"])
    assert sound[:4] == b"RIFF" and len(sound) == tracks.wave_bytes(tracks.wave_samples(len(sound)))
    both = sound[tracks.wave_bytes(0) :]
    answered = (call["answered_at"] - call["recorded_at"]).total_seconds()
    at = int((answered + 0.6) * tracks.RATE) * 2
    spoken = both[at : at + 2 * 4000]
    left, right = spoken[0::2], spoken[1::2]
    assert loudness(left, CITIZEN_HERTZ) > 0.5 and loudness(left, AGENT_HERTZ) < 0.01
    assert loudness(right, AGENT_HERTZ) > 0.5 and loudness(right, CITIZEN_HERTZ) < 0.01


async def test_one_recording_goes_on_through_music_a_transfer_and_another_agent(asking: Stack) -> None:
    desk, citizen, _ = await talk(asking, 0.5)
    expert = await (await asking.desk("wangqiang")).sit("1002")
    assert expert.phone
    call = (await desk.pop(citizen.number))["id"]
    humming = await citizen.hum(CITIZEN_HERTZ)
    await desk.ask("POST", f"/calls/{call}/consult", {"to": {"kind": "seat", "code": "1002"}})
    third = await expert.phone.line()
    await expert.state("talking")
    await asyncio.sleep(1)
    await desk.ask("POST", f"/calls/{call}/complete", None)
    await desk.state("wrap_up")
    await asyncio.sleep(3.5)
    humming.cancel()
    await third.hang_up()
    await asyncio.sleep(0.6)
    await citizen.press("1")
    await asyncio.sleep(0.6)
    await citizen.hang_up()
    record = await asking.record(citizen.number, 10)
    assert (record["solved"], record["ended_by"]) == ("yes", "agent")
    assert [leg["login"] for leg in record["segments"]] == ["limei", "wangqiang"]
    row = await recording(asking, call)
    assert (row["gap"], row["gap_ms"]) == (None, 0)
    _, sound = await hear(asking, await asking.browser("sunli"), call)
    both = sound[tracks.wave_bytes(0) :]

    def side(at: Any, channel: int) -> bytes:
        """Half a second of one side from that moment on."""
        start = int((at - record["recorded_at"]).total_seconds() * tracks.RATE) * 2
        return both[start : start + 8000][channel::2]

    handed_over = record["segments"][0]["ended_at"] + timedelta(seconds=2)
    assert loudness(side(handed_over, 0), CITIZEN_HERTZ) > 0.5
    assert hummed(side(handed_over, 1)), "the second agent, in the same recording"
    consulting = record["segments"][1]["answered_at"] + timedelta(seconds=0.4)
    assert loudness(side(consulting, 0), CITIZEN_HERTZ) > 0.5
    assert not hummed(side(consulting, 1)), "music: what the agents say to each other is not recorded"


async def test_only_who_may_and_says_why_listens_and_that_is_on_record(stack: Stack) -> None:
    desk, citizen, _ = await talk(stack, 1)
    await citizen.hang_up()
    call = (await stack.record(citizen.number))["id"]
    await recording(stack, call)
    open_url = f"/api/v1/calls/{call}/recording/listen"
    supervisor, other = await stack.browser("sunli"), await stack.browser("sunli", another=True)
    assert (await desk.browser.ask("POST", open_url, {"reason": "quality"}))[0] == 403, "the agent herself"
    assert (await supervisor.ask("POST", open_url, {"reason": "curiosity"}))[0] == 422
    assert (await supervisor.ask("POST", open_url, {"reason": "dispute"}))[0] == 422, "a dispute wants words"
    assert (await supervisor.ask("GET", f"/api/v1/calls/{call}/recording"))[0] == 422, "no word"
    guess = f"/api/v1/calls/{call}/recording?word={'A' * 43}"
    assert (await supervisor.ask("GET", guess))[0] == 403
    listened = "SELECT what FROM audit WHERE act = 'listen_recording' AND what->>'call' = $1"
    assert await stack.rows(listened, call) == [], "nobody has listened so far"

    url, sound = await hear(stack, supervisor, call)
    assert len(await stack.rows(listened, call)) == 1
    assert (await other.ask("GET", url))[0] == 403, "the same person, but another session"
    assert (await desk.browser.ask("GET", url))[0] == 403
    async with ClientSession() as stranger, stranger.get(stack.url + url) as answer:
        assert answer.status == 401

    async def part(wanted: str) -> tuple[int, str, bytes]:
        async with supervisor.session.get(stack.url + url, headers={"Range": wanted}) as answer:
            assert answer.headers["Cache-Control"] == "no-store"
            return answer.status, answer.headers["Content-Range"], await answer.read()

    size = len(sound)
    assert await part("bytes=0-") == (206, f"bytes 0-{size - 1}/{size}", sound)
    assert await part("bytes=100-199") == (206, f"bytes 100-199/{size}", sound[100:200])
    assert await part("bytes=-5") == (206, f"bytes {size - 5}-{size - 1}/{size}", sound[-5:])
    status, sizes, _ = await part(f"bytes={size}-")
    assert (status, sizes) == (416, f"bytes */{size}")


async def test_who_listens_to_what_by_role(stack: Stack) -> None:
    """An inspector hears what was drawn for review, and only what he may review; a supervisor hears every call."""
    boss = await stack.boss()
    person = {"login": "liuyang", "name_zh": "刘洋", "name_en": "Liu Yang", "roles": ["inspector"], "password": HIRED}
    assert (await boss.ask("POST", "/api/v1/users", person))[0] == 201
    stack.told["demo_accounts"].append({"login": "liuyang", "password": HIRED, "role": "inspector"})
    supervisor, inspector, another = [await stack.browser(each) for each in ("sunli", "wumin", "liuyang")]
    desk, citizen, _ = await talk(stack, 1)
    await citizen.hang_up()
    call = (await stack.record(citizen.number))["id"]
    await recording(stack, call)

    async def listens(browser: Browser) -> tuple[int, str]:
        status, answer = await browser.ask("POST", f"/api/v1/calls/{call}/recording/listen", {"reason": "quality"})
        return status, answer.get("error", {}).get("code", "")

    async def holds(browser: Browser) -> int:
        status, _ = await browser.ask("PUT", f"/api/v1/calls/{call}/recording/hold", {"reason": "质检申诉处理中"})
        return status

    for login in ("limei", "qianwen", "zhoukai"):
        assert await listens(await stack.browser(login)) == (403, "not_allowed"), login
    assert await listens(inspector) == (403, "not_in_sample")
    assert await holds(inspector) == 403
    assert (await listens(supervisor))[0] == 200
    # Two grade it blind: they hear it, and nobody else.
    calibration = {"call_id": call, "login": "limei", "reviewers": ["wumin", "sunli"]}
    assert (await supervisor.ask("POST", "/api/v1/quality/calibrations", calibration))[0] == 201
    assert (await listens(inspector))[0] == 200
    assert await holds(inspector) == 204
    assert await listens(another) == (403, "not_in_sample")
    # Drawn of the week: every inspector hears it.
    drawn = (
        "INSERT INTO quality_reviews (week, call_id, login, stratum, lot, pool, reviewer, by, at)"
        " SELECT week, call_id, login, 'any', repeat('0', 64), 1, 'wumin', 'sunli', now()"
        " FROM quality_reviews WHERE call_id = $1 LIMIT 1 RETURNING id"
    )
    assert await stack.rows(drawn, call)
    assert (await listens(another))[0] == 200
    # But not who is told in confidence.
    body = {"form": MATTER | {"confidential": True}, "end": "pending_dispatch", "key": str(uuid.uuid4())}
    await desk.ask("POST", f"/calls/{call}/order", body, status=201)
    assert await listens(another) == (403, "not_in_sample")
    assert await listens(supervisor) == (403, "confidential_recording")
    assert (await boss.ask("PATCH", "/api/v1/users/liuyang", {"active": False}))[0] == 200


@pytest.mark.harm
async def test_a_disk_that_is_full_or_fails_never_ends_a_call_and_the_gap_is_flagged(stack: Stack) -> None:
    before = await stack.metrics()
    folder = monitor(stack)
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("where a folder should be, so that no file can be opened")
    try:
        _, failing, _ = await talk(stack, 1)
        await failing.hang_up()
        first = await stack.record(failing.number)
    finally:
        folder.unlink()
    await stack.clear()
    for _ in range(3):  # once a minute the service tells Asterisk that there is room
        await stack.tell_asterisk("dialplan set global RECORD full")
        try:
            _, full, _ = await talk(stack, 1)
            await full.hang_up()
            second = await stack.record(full.number)
        finally:
            await stack.tell_asterisk("dialplan reload")
        if second["recording"] == "full":
            break
        await stack.clear()
    assert (first["recording"], second["recording"]) == ("on", "full")
    for call in (first, second):
        assert (call["outcome"], call["ended_by"]) == ("answered", "caller") and call["talk_ms"] > 900
        row = await recording(stack, call["id"], 60)
        assert (row["gap"], row["length_ms"]) == ("missing", 0) and row["gap_ms"] > 900
        supervisor = await stack.browser("sunli")
        _, detail = await supervisor.ask("GET", f"/api/v1/calls/{call['id']}")
        assert detail["recording"]["gap"] == "missing"
        status, _ = await supervisor.ask("POST", f"/api/v1/calls/{call['id']}/recording/listen", {"reason": "quality"})
        assert status == 404
    name = 'callcenter_recording_gaps_total{gap="missing"}'
    assert (await stack.metrics())[name] - before[name] == 2


@pytest.mark.harm
async def test_a_service_killed_in_mid_call_seals_the_recording_when_it_is_back(stack: Stack) -> None:
    _, citizen, _ = await talk(stack, 1)
    os.kill(stack.pid("service"), signal.SIGKILL)
    await asyncio.sleep(1)
    await citizen.hang_up()
    await stack.ready_again(20)
    async with asyncio.timeout(20):
        while not (rows := await stack.rows("SELECT * FROM calls WHERE number = $1 AND rank = 3", citizen.number)):
            await asyncio.sleep(0.2)
    row = await recording(stack, rows[0]["id"], 20)
    assert (row["gap"], row["gap_ms"]) == (None, 0) and row["length_ms"] > 1800
    assert raw(stack, rows[0]["id"]) == []


async def test_what_nobody_answered_is_not_kept(stack: Stack) -> None:
    await (await stack.desk("limei")).sit("1001", ready=False)
    citizen = await stack.trunk.call(stack.number(), key="1")
    await asyncio.sleep(1.5)
    await citizen.hang_up()
    call = await stack.record(citizen.number)
    assert call["recording"] == "on" and call["answered_at"] is None
    async with asyncio.timeout(10):
        while raw(stack, call["id"]):
            await asyncio.sleep(0.2)
    assert await stack.rows("SELECT 1 FROM recordings WHERE call_id = $1", call["id"]) == []


# --- the survey -------------------------------------------------------------------------------------------------------


async def figures(stack: Stack) -> dict[str, int]:
    status, answer = await (await stack.browser("sunli")).ask("GET", "/api/v1/surveys/today")
    assert status == 200
    found: dict[str, int] = answer
    return found


@pytest.mark.parametrize("key", ["1", "2"])  # in English, in Chinese
async def test_a_citizen_who_stays_on_answers_two_questions_by_keys(asking: Stack, key: str) -> None:
    before = await figures(asking)
    desk, citizen, line = await talk(asking, 1, key)
    board = await asking.board()
    await line.hang_up()
    await desk.state("wrap_up")
    await board.until(lambda view: [call["state"] for call in view["calls"].values()] == ["ended"])
    await asyncio.sleep(0.5)
    for pressed in "172":
        await citizen.press(pressed)  # 7 is no answer to the second question: it is asked once more
        await asyncio.sleep(0.8)
    await citizen.until("ended_at", 10)
    assert citizen.ended_by == "far" and citizen.ended_at and line.ended_at
    record: dict[str, Any] = await asking.record(citizen.number)
    assert (record["solved"], record["satisfied"]) == ("yes", "basically")
    assert (record["outcome"], record["ended_by"]) == ("answered", "agent")
    assert record["talk_ms"] == pytest.approx(record["segments"][0]["talk_ms"], abs=50), (
        "line and files, each by its clock"
    )
    assert record["talk_ms"] / 1000 == pytest.approx(line.ended_at - (line.answered_at or 0), abs=0.5)
    assert record["ended_at"].timestamp() == pytest.approx(citizen.ended_at, abs=0.5)
    row = await recording(asking, record["id"])
    survey_at = (record["surveyed_at"] - record["recorded_at"]).total_seconds() * 1000
    assert row["length_ms"] == pytest.approx(survey_at, abs=500), "the answers are nobody's recording"
    assert row["gap"] is None
    after = await figures(asking)
    grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert grown == {"answered": 1, "asked": 1, "rated": 1, "yes": 1, "basically": 1}
    _, detail = await (await asking.browser("sunli")).ask("GET", f"/api/v1/calls/{record['id']}")
    assert (detail["survey"]["solved"], detail["survey"]["satisfied"]) == ("yes", "basically")


async def test_who_hangs_up_gives_no_answer_or_the_first_one_alone(asking: Stack) -> None:
    desk, at_once, line = await talk(asking, 1)
    await line.hang_up()
    await desk.state("wrap_up")
    await at_once.hang_up()
    record = await asking.record(at_once.number)
    assert record["surveyed_at"] and (record["solved"], record["satisfied"]) == (None, None)
    assert record["ended_by"] == "agent", "the talk was over before"
    await asking.clear()
    _, after_one, line = await talk(asking, 1)
    await line.hang_up()
    await asyncio.sleep(0.6)
    await after_one.press("2")
    await asyncio.sleep(0.6)
    await after_one.hang_up()
    record = await asking.record(after_one.number)
    assert (record["solved"], record["satisfied"]) == ("no", None)
    await asking.clear()
    _, caller, _ = await talk(asking, 1)
    await caller.hang_up()
    record = await asking.record(caller.number)
    assert record["surveyed_at"] is None and record["ended_by"] == "caller", "who hangs up first is not asked"
    await asyncio.sleep(11)  # reconcile looks at what has settled
    assert "0 unexplained" in await asking.reconcile()
    await stays_the_same_by_the_files(asking)


async def stays_the_same_by_the_files(stack: Stack) -> None:
    """What Asterisk's files say of these calls is what the line said."""
    names = "id, ended_by, talk_ms, outcome, solved, satisfied, surveyed_at IS NOT NULL, recording"
    told = await stack.rows(f"SELECT {names} FROM calls ORDER BY id")
    await stack.rows("DELETE FROM recordings")
    await stack.rows("DELETE FROM calls")
    await stack.rows("DELETE FROM tail_offsets")
    os.kill(stack.pid("service"), signal.SIGKILL)
    await asyncio.sleep(1)
    await stack.ready_again(20)
    async with asyncio.timeout(20):
        while len(found := await stack.rows(f"SELECT {names} FROM calls ORDER BY id")) < len(told):
            await asyncio.sleep(0.2)
    for ours, theirs in zip(told, found, strict=True):
        assert abs((ours.pop("talk_ms") or 0) - (theirs.pop("talk_ms") or 0)) < 50
        assert ours == theirs
