"""Announcements and the guidance mode: one act on, one act off, everywhere; and recordings of one's own."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from office import Browser, Office
from sqlalchemy import select
from stack import PATIENCE, Stack
from tones import tone, tones_in

from callcenter.announcements.flow import FOREVER, Announcement, Kind, ends_at, heard, in_force
from callcenter.announcements.presets import PRESETS
from callcenter.announcements.routes import READY
from callcenter.announcements.wav import BadRecording, checked, seconds_of
from callcenter.store.tables import audit
from dialplan.announced import announced_conf, announcement, plain
from dialplan.names import ANNOUNCED_FILE, ANNOUNCEMENT

pytest_plugins = ("stack",)

PATH = "/api/v1/announcements"
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
STORM = {"kind": "guidance", "zh": "暴雨预警", "en": "Storm warning", "prompt": "announcement-storm"}


def one(number: int = 1, kind: Kind = Kind.INFO, **more: Any) -> Announcement:
    given = {"starts": NOW, "ends": None, "ended": None} | more
    return Announcement(number, kind, "公告", "Notice", **given)


# --- rules ------------------------------------------------------------------------------------------------------------


def test_an_announcement_is_on_from_its_start_until_its_end() -> None:
    planned = one(starts=NOW + HOUR, ends=NOW + 2 * HOUR)
    assert [planned.on(NOW + n * HOUR) for n in (0, 1, 2)] == [False, True, False]
    assert not one(ended=NOW).on(NOW)


def test_guidance_comes_first_and_one_prompt_alone_is_heard() -> None:
    info = one(1, prompt="announcement-busy", starts=NOW)
    old = one(2, Kind.GUIDANCE, prompt="announcement-outage", starts=NOW - HOUR)
    new = one(3, Kind.GUIDANCE, starts=NOW)
    assert [each.id for each in in_force([info, old, new], NOW)] == [3, 2, 1]
    assert heard([info, old, new], NOW) is old, "the first that has a prompt"
    assert heard([new], NOW) is None


def test_an_end_that_no_clock_reaches_is_ten_digits() -> None:
    assert ends_at(one()) == FOREVER
    assert ends_at(one(ends=datetime(2100, 1, 1, tzinfo=UTC))) < FOREVER
    assert len(str(FOREVER)) == 10


def test_presets_speak_recordings_that_are_there() -> None:
    assert {preset.prompt for preset in PRESETS} <= set(READY)
    assert all(len(preset.zh) <= 300 and len(preset.en) <= 300 for preset in PRESETS)


@given(st.text())
def test_nothing_but_plain_words_reaches_asterisks_file(text: str) -> None:
    value = f"9999999999&{text}"
    if plain(value):
        assert announced_conf({ANNOUNCEMENT: value}).count("\n") == 2
        assert not set(text) & set(";$,:?\n\r\0 ")
    else:
        with pytest.raises(ValueError, match="not a plain value"):
            announced_conf({ANNOUNCEMENT: value})


# --- recordings -------------------------------------------------------------------------------------------------------


def test_a_good_recording_is_taken_and_what_hangs_on_to_it_is_not() -> None:
    raw = tone(1000, 1.5)
    clean, seconds = checked(raw + b"LIST junk")
    assert (clean, seconds) == (raw, 1.5)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "no WAV"),
        (b"RIFF....WAVE", "no WAV"),
        (b"\x7fELF" * 100, "no WAV"),
        (tone(1000)[:30], "no WAV"),
        (tone(1000, rate=16000), "16000 Hz"),
        (tone(1000, channels=2), "2 channels"),
        (tone(1000, width=1), "8 bit"),
        (tone(1000, 0.1), "0.2 to 12"),
        (tone(1000, 12.5), "0.2 to 12"),
        (tone(0, 1.0), "nothing can be heard"),
    ],
)
def test_a_file_that_asterisk_would_not_play_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(BadRecording, match=why) as refused:
        checked(raw)
    assert refused.value.zh


@given(st.binary(max_size=400))
def test_no_file_whatever_breaks_the_check(raw: bytes) -> None:
    for each in (raw, tone(500, 0.3)[:44] + raw, tone(500, 0.3)[:20] + raw):
        try:
            checked(each)
        except BadRecording:
            continue


# --- the service ------------------------------------------------------------------------------------------------------


async def notices(browser: Browser) -> list[Any]:
    status, answer = await browser.ask("GET", "/api/v1/notices")
    assert status == 200
    return [item["zh"] for item in answer["items"]]


async def test_one_act_switches_it_on_for_everybody_and_one_off(own_office: Office) -> None:
    supervisor, operator = await own_office.logged_in("supervisor"), await own_office.logged_in("operator")
    anybody = own_office.browser()
    assert (await operator.ask("POST", PATH, STORM))[1]["error"]["code"] == "not_allowed"
    answers = [{"zh": "转 119", "en": "Hand over to 119"}]
    status, made = await supervisor.ask("POST", PATH, STORM | {"answers": answers})
    assert (status, made["state"], made["heard"], made["by"]) == (201, "on", True, "sunli")
    await until(lambda: notices(anybody), ["暴雨预警"])
    _, pinned = await operator.ask("GET", "/api/v1/notices/pinned")
    assert (pinned["items"][0]["answers"], pinned["items"][0]["heard"]) == (answers, True)
    file = own_office.settings.asterisk_etc / ANNOUNCED_FILE
    async with asyncio.timeout(PATIENCE):
        announced = f"{ANNOUNCEMENT}={announcement(FOREVER, 'announcement-storm')}"
        while announced not in await asyncio.to_thread(file.read_text):  # a moment after the pages
            await asyncio.sleep(0.02)
    assert (await supervisor.ask("POST", f"{PATH}/{made['id']}/end"))[1]["ended_by"] == "sunli"
    await until(lambda: notices(anybody), [])
    async with asyncio.timeout(PATIENCE):
        while ANNOUNCEMENT in await asyncio.to_thread(file.read_text):
            await asyncio.sleep(0.02)
    assert (await supervisor.ask("POST", f"{PATH}/{made['id']}/end"))[1]["error"]["code"] == "not_on"
    async with own_office.engine.connect() as connection:
        acts = (await connection.scalars(select(audit.c.act).order_by(audit.c.id.desc()).limit(2))).all()
    assert acts == ["end_announcement", "announce"]


async def until(ask: Any, wanted: Any, seconds: float = 2) -> None:
    """Wait until asking gives what is wanted."""
    async with asyncio.timeout(seconds):
        while await ask() != wanted:
            await asyncio.sleep(0.05)


async def test_a_planned_one_comes_and_goes_by_itself(own_office: Office) -> None:
    supervisor = await own_office.logged_in("supervisor")
    at = datetime.now(UTC)
    times = {"starts": (at + timedelta(seconds=1.5)).isoformat(), "ends": (at + timedelta(seconds=4)).isoformat()}
    _, made = await supervisor.ask("POST", PATH, STORM | times)
    assert made["state"] == "planned"
    assert await notices(supervisor) == []
    await until(lambda: notices(supervisor), ["暴雨预警"], 4)
    await until(lambda: notices(supervisor), [], 5)
    status, answer = await supervisor.ask("POST", PATH, STORM | {"ends": (at - HOUR).isoformat()})
    assert (status, answer["error"]["code"]) == (409, "bad_end")


async def test_the_list_tells_what_can_be_switched_on_and_how_long_it_takes(office: Office) -> None:
    supervisor = await office.logged_in("supervisor")
    _, answer = await supervisor.ask("GET", PATH)
    assert {preset["code"] for preset in answer["presets"]} == {"storm", "outage", "busy"}
    prompts = {prompt["code"]: prompt for prompt in answer["prompts"]}
    assert set(prompts) >= set(READY)
    assert 8 < answer["opening"] <= 9
    storm = Path(__file__).parents[1] / "asterisk-conf" / "sounds" / "zh" / "announcement-storm.wav"
    assert prompts["announcement-storm"]["seconds_zh"] == round(seconds_of(storm), 1)


async def test_own_recordings_are_checked_kept_and_forgotten(office: Office) -> None:
    supervisor = await office.logged_in("supervisor")

    async def upload(zh: bytes, en: bytes | None = None) -> tuple[int, Any]:
        body = {"name": "停气通知", "zh": base64.b64encode(zh).decode()}
        return await supervisor.ask(
            "POST", f"{PATH}/prompts", body | ({"en": base64.b64encode(en).decode()} if en else {})
        )

    for wrong in (b"no sound", tone(1000, rate=16000)):
        status, answer = await upload(wrong)
        assert (status, answer["error"]["code"]) == (409, "bad_recording")
    status, kept = await upload(tone(900), tone(1100))
    assert (status, kept["seconds_zh"], kept["seconds_en"]) == (201, 0.5, 0.5)
    assert (await upload(tone(900), tone(1100)))[1]["error"]["code"] == "prompt_exists"
    _, made = await supervisor.ask("POST", PATH, STORM | {"prompt": kept["code"]})
    file = office.settings.asterisk_etc / "own" / "en" / f"{kept['code']}.wav"
    await until(lambda: asyncio.to_thread(file.exists), True)
    assert await asyncio.to_thread(file.read_bytes) == tone(1100)
    assert (await supervisor.ask("DELETE", f"{PATH}/prompts/{kept['code']}"))[1]["error"]["code"] == "prompt_in_use"
    await supervisor.ask("POST", f"{PATH}/{made['id']}/end")
    assert (await supervisor.ask("DELETE", f"{PATH}/prompts/{kept['code']}"))[0] == 204
    status, answer = await supervisor.ask("POST", PATH, STORM | {"prompt": "own-0123456789abcdef"})
    assert (status, answer["error"]["code"]) == (409, "no_prompt")


# --- a whole instance -------------------------------------------------------------------------------------------------


async def test_the_next_caller_hears_it_and_the_screens_are_told(stack: Stack) -> None:
    supervisor = await stack.browser("sunli")
    desk = await stack.desk("limei")

    async def told() -> int:
        return sum(message["type"] == "notices" for message in desk.screen.seen)

    async def call() -> list[int]:
        citizen = await stack.trunk.call(stack.number())
        await citizen.until("answered_at")
        await asyncio.sleep(5)
        await citizen.hang_up()
        return tones_in(bytes(citizen.voice.heard))

    recording = {"name": "试音", "zh": base64.b64encode(tone(1000, 1.0)).decode()}
    _, kept = await supervisor.ask("POST", f"{PATH}/prompts", recording)
    assert 1000 not in await call()
    before = await told()
    _, made = await supervisor.ask("POST", PATH, STORM | {"prompt": kept["code"]})
    await asyncio.sleep(2)
    assert await told() == before + 1
    assert 1000 in await call()
    await supervisor.ask("POST", f"{PATH}/{made['id']}/end")
    await asyncio.sleep(2)
    assert 1000 not in await call()
    assert await told() == before + 2
