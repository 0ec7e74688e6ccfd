"""The transfer panel and the red button at the desk page, in a real browser over a real Asterisk."""

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from outside import Outside
from pages import Kept, Visitors
from playwright.async_api import Browser, Page, expect
from stack import Stack
from test_transfers import settled, talking, ways

pytest_plugins = ("stack", "pages")

#: Where screenshots go, when somebody wants to look at them.
SHOTS = os.environ.get("SHOTS")


@pytest.fixture
async def desks(trunked: Stack, world: Outside, chromium: Browser, kept: Kept) -> AsyncIterator[Visitors]:
    world.reset()
    visitors = Visitors(trunked, chromium, kept)
    yield visitors
    for visitor in visitors.all:
        await visitor.leave()
    await trunked.clear()
    await visitors.end()


async def shot(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=Path(SHOTS) / f"{name}.png")


async def answered(page: Page, stack: Stack, number: str) -> None:
    await expect(page.locator("[data-pop][data-state=ringing] [data-number]")).to_have_text(number, timeout=20_000)
    await expect(page.locator(".answer")).to_be_enabled()
    await page.keyboard.press("Alt+a")
    await expect(page.locator("[data-pop][data-state=talking]")).to_be_visible()


async def test_ask_a_colleague_talk_with_three_and_hand_over_by_keys(desks: Visitors) -> None:
    stack = desks.stack
    page = await (await desks.new()).sit("limei", "1001")
    expert = await (await stack.desk("wangqiang")).sit("1002", ready=False, delay=1.0)
    assert expert.phone
    citizen = await stack.trunk.call(number := stack.number(), key="1")
    await answered(page, stack, number)

    await page.keyboard.press("Alt+t")
    await expect(page.locator("[data-target='1002']")).to_contain_text("小休")
    await expect(page.locator("[data-target=tax]")).to_contain_text("税务局")
    await shot(page, "panel-zh")
    await page.keyboard.type("wangqiang")
    await expect(page.locator("[data-target]")).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-party='1002']")).to_have_attribute("data-is", "ringing")
    await expect(page.locator("[data-party=citizen]")).to_have_attribute("data-is", "parked")
    await expect(page.get_by_role("button", name="三方通话")).to_be_disabled()
    third = await talking(await expert.phone.line())
    await expect(page.locator("[data-party='1002']")).to_have_attribute("data-is", "talking")
    await shot(page, "consult-zh")
    await page.keyboard.press("Alt+j")
    await expect(page.locator("[data-party=citizen]")).to_have_attribute("data-is", "talking")
    await page.keyboard.press("Alt+k")
    await expect(page.locator("[data-seat-state]")).to_have_attribute("data-state", "wrap_up")
    assert citizen.ended_at is None and third.ended_at is None
    await third.hang_up()
    await citizen.until("ended_at", 20)
    record = await stack.record(number, 8)
    assert ways(record) == [("1001", "queue", "limei", "transferred"), ("1002", "consult", "wangqiang", "completed")]
    await settled(stack, record)


async def test_the_red_button_in_english(desks: Visitors, world: Outside) -> None:
    stack = desks.stack
    page = await (await desks.new(color_scheme="dark")).sit("chenjing", "1003")  # a language stays with the account
    await page.get_by_role("button", name=re.compile("English|EN")).first.click()
    citizen = await stack.trunk.call(number := stack.number(), key="1")
    await answered(page, stack, number)
    await page.locator("[data-emergency]").click()
    await expect(page.get_by_role("menuitem", name="110 Police emergency")).to_be_focused()
    await shot(page, "emergency-en")
    await page.get_by_role("menuitem", name="120 Ambulance").click()
    ambulance = await world.call(5)
    assert ambulance.number == "120"
    await expect(page.locator("[data-party='120']")).to_have_attribute("data-is", "talking")
    await expect(page.locator("[data-party='120']")).to_contain_text("Ambulance 120")
    await shot(page, "three-en")
    await page.keyboard.press("Alt+k")
    await expect(page.locator("[data-seat-state]")).to_have_attribute("data-state", "wrap_up")
    assert citizen.ended_at is None and ambulance.ended_at is None
    await citizen.hang_up()
    await ambulance.until("ended_at", 20)


async def test_the_phone_calls_help_by_itself_when_the_service_is_silent(desks: Visitors, world: Outside) -> None:
    stack = desks.stack
    visitor = await desks.new()
    visitor.forgiven.append("net::ERR")
    page = await visitor.sit("limei", "1001")
    citizen = await stack.trunk.call(number := stack.number(), key="1")
    await answered(page, stack, number)
    await page.route("**/emergency", lambda route: None)  # taken, and never answered
    await page.keyboard.press("Alt+1")
    police = await world.call(5)
    assert police.number == "110"
    await police.until("answered_at")
    # The phone connects the two and is out of the call.
    await expect(page.locator("[data-seat-state]")).to_have_attribute("data-state", "wrap_up")
    assert citizen.ended_at is None and police.ended_at is None
    heard = citizen.voice.packets
    await page.wait_for_timeout(1000)
    assert citizen.ended_at is None and police.ended_at is None
    assert citizen.voice.packets >= heard
    await citizen.hang_up()
    await police.until("ended_at", 20)
    record = await stack.record(number, 8)
    assert ways(record) == [("1001", "queue", "limei", "transferred"), ("110", "emergency", "", "completed")]
    await settled(stack, record)
