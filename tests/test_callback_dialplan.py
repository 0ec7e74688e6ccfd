"""The callback's offer and its keys, by a real Asterisk alone: nothing of it waits for the service."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from exchange import SEATS, Exchange, Tap, seat, unseat
from tones import tone, tones_in
from trunk import Citizen, Trunk, open_mute_phone, open_trunk

from agents.guard import GUARD, Act, due
from ivr.callback import callable_number
from ivr.menu import WAITING


@pytest.mark.parametrize(
    ("shown", "dialled"),
    [
        ("13800000001", "13800000001"),
        ("+8613800000001", "13800000001"),
        ("008613800000001", "13800000001"),
        ("02583112345", "02583112345"),
        ("83112345", "83112345"),
        ("01065556666", "01065556666"),
        ("05166888999", "05166888999"),
        ("0990123456", None),
        ("09001234567", None),
        ("", None),
        ("+442079460000", None),
        ("00442079460000", None),
        ("12345", None),
        ("16812345", None),
        ("16812345678", None),
        ("16612345678", "16612345678"),
        ("138000000012", None),
        ("*67#13800000001", None),
    ],
)
def test_only_numbers_of_our_own_country_are_called(shown: str, dialled: str | None) -> None:
    assert callable_number(shown) == dialled


@dataclass
class Hall:
    """A queue in which nobody is ready, its callers, and every event."""

    exchange: Exchange
    events: Tap
    trunk: Trunk

    async def wait(self, number: str) -> tuple[Citizen, int]:
        """A citizen in the queue, and where the events then stood."""
        start = len(self.events.heard)
        citizen = await self.trunk.call(number, key="2")
        return citizen, await self.events.until(b"Event: QueueCallerJoin", start)


@pytest.fixture
async def hall(exchange: Exchange) -> AsyncIterator[Hall]:
    acting, events = await exchange.acting(), await exchange.all_events()
    await seat(acting, "1001", "li.mei", ready=False)
    async with open_mute_phone(exchange.sip, "1001", SEATS["1001"]), open_trunk(exchange.sip) as trunk:
        yield Hall(exchange, events, trunk)
    await unseat(acting, "1001")
    acting.close()
    events.close()


async def test_it_is_offered_when_the_guard_says_and_not_before(hall: Hall) -> None:
    citizen, at = await hall.wait("13800001001")
    joined = time.monotonic()
    music = 0.0
    while music < 1:  # it starts and stops as he joins
        at = await hall.events.until(b"Event: MusicOnHoldStop", at, 25)
        music = time.monotonic() - joined
    offered = due(GUARD, Act.OFFER_CALLBACK)
    assert offered - 1 <= music <= offered + 3
    await citizen.press("3")
    at = await hall.events.until(b"Event: QueueCallerLeave", at)
    at = await hall.events.until(b"Say: number=13800001001&language=zh", at)
    await citizen.until("ended_at", 15)
    assert citizen.ended_by == "far"
    assert b"Event: QueueCallerAbandon" not in hall.events.heard[at:]


async def test_another_number_is_typed_and_takes_the_place_of_the_shown_one(hall: Hall) -> None:
    citizen, at = await hall.wait("+8613800001002")
    await citizen.press("3")
    at = await hall.events.until(b"Say: number=13800001002&", at)
    await asyncio.sleep(2.5)  # the number is read out
    await citizen.press("2")
    for wrong_or_right in ("00442079460000#", "02583112345#"):
        await asyncio.sleep(0.6)
        for key in wrong_or_right:
            await citizen.press(key)
            await asyncio.sleep(0.06)
    await hall.events.until(b"Say: number=02583112345&", at)
    await citizen.until("ended_at", 20)
    assert b"number=0044" not in hall.events.heard


async def test_who_has_no_number_to_be_called_at_waits_on_where_he_was(hall: Hall) -> None:
    first, at = await hall.wait("+442079460001")
    second, at = await hall.wait("13800001003")
    await first.press("3")
    at = await hall.events.until(b"Say: status=KEY", at)
    for _ in range(3):
        await asyncio.sleep(0.6)
        for key in "123#":
            await first.press(key)
            await asyncio.sleep(0.06)
    at = await hall.events.until(b"Event: QueueCallerJoin", at)
    joined = hall.events.heard[at : hall.events.heard.index(b"\r\n\r\n", at)]
    assert re.search(rb"Position: 1\r\n", joined), "before the one who came later"
    assert b"number=44" not in hall.events.heard
    await first.hang_up()
    await second.hang_up()


async def test_who_hangs_up_while_the_number_is_read_out_has_asked(hall: Hall) -> None:
    citizen, at = await hall.wait("13800001004")
    await citizen.press("3")
    await hall.events.until(b"Say: number=13800001004&", at)
    await citizen.hang_up()


async def test_the_key_for_danger_is_told_as_the_music_begins(hall: Hall) -> None:
    words = hall.exchange.instance.sounds / f"{WAITING}.wav"
    before = words.read_bytes()
    words.write_bytes(tone(1300, 0.8))
    try:
        citizen, _ = await hall.wait("13800001006")
        already = len(citizen.voice.heard)
        await asyncio.sleep(1.5)
        assert 1300 in tones_in(bytes(citizen.voice.heard[already:]))
        await citizen.hang_up()
    finally:
        words.write_bytes(before)


async def test_the_key_for_danger_goes_before_those_who_wait(hall: Hall) -> None:
    first, at = await hall.wait("13800001007")
    second, at = await hall.wait("13800001008")
    for _ in range(2):  # pressed again it changes nothing
        await second.press("9")
        at = await hall.events.until(b"Say: queue=danger&priority=danger", at)
        at = await hall.events.until(b"Event: QueueCallerJoin", at)
        joined = hall.events.heard[at : hall.events.heard.index(b"\r\n\r\n", at)]
        assert re.search(rb"Position: 1\r\n", joined)
        assert b"Queue: danger" in joined
        await asyncio.sleep(0.3)
    for citizen in (first, second):
        await citizen.hang_up()


async def test_a_key_of_the_menu_pressed_too_late_does_not_leave_the_queue(hall: Hall) -> None:
    citizen, at = await hall.wait("13800001005")
    for key in "12":
        await citizen.press(key)
        await asyncio.sleep(0.3)
    assert b"Event: QueueCallerLeave" not in hall.events.heard[at:]
    await citizen.hang_up()
