"""A call from the pages to the citizen of a matter at hand: one press, whom, one more, and how it goes, in words."""

import re

from outside import Outside
from pages import Visitors
from playwright.async_api import Page, expect
from stack import PATIENCE
from test_web_transfers import answered, desks, shot

pytest_plugins = ("stack", "pages")

__all__ = ["desks"]


async def state(page: Page, wanted: str) -> None:
    await expect(page.locator("[data-dial-state]")).to_have_attribute("data-state", wanted)


async def test_the_citizen_is_called_from_the_desk_after_the_call_and_from_the_order(
    desks: Visitors, world: Outside
) -> None:
    stack = desks.stack
    visitor = await desks.new()
    desk = await visitor.sit("limei", "1001")
    citizen = await stack.trunk.call(number := stack.number(), key="1")
    await answered(desk, stack, number)
    await expect(desk.locator("[data-dial]")).to_have_count(0)
    await desk.fill("#subject", "路灯不亮")
    await desk.fill("#description", "滨河路整条路的路灯不亮")
    await citizen.hang_up()
    await expect(desk.locator("[data-pop]")).to_have_attribute("data-state", "ended")
    # Whom it is about to be is asked first, and Escape takes it back.
    masked = f"{number[:3]}****{number[-4:]}"
    await desk.locator("[data-dial]").click()
    await expect(desk.locator("[data-dial-whom]")).to_contain_text(masked)
    await desk.keyboard.press("Escape")
    await expect(desk.locator("[data-dial]")).to_be_focused()
    assert world.dialled == []
    await desk.keyboard.press("Enter")
    await expect(desk.locator("[data-dial-whom] button").first).to_be_focused()
    await shot(desk, "dial_desk_zh")
    await desk.keyboard.press("Enter")
    out = await world.call(PATIENCE)
    assert out.number == number
    await expect(desk.locator(".answer")).to_be_enabled(timeout=20_000)
    await expect(desk.locator("[data-pop] .headline")).to_have_text("市民已接听，请接起")
    await desk.keyboard.press("Alt+a")
    await expect(desk.locator("[data-pop][data-state=talking]")).to_be_visible()
    await world.hang_up(out)
    await expect(desk.locator("[data-pop]")).to_have_attribute("data-state", "ended")
    await expect(desk.locator("[data-seat-state]")).to_have_attribute("data-state", re.compile("ready|wrap_up"))

    # From the list of one's own calls, in English; the citizen is busy.
    world.behaviour = "busy"
    page = await visitor.page("/calls")
    await page.locator(".set button").first.click()
    await page.locator("tbody tr", has_text=masked).last.click()
    await page.locator("[data-dial]").click()
    await page.locator("[data-dial-whom]").get_by_role("button", name="Call", exact=True).click()
    await state(page, "ended")
    await expect(page.locator("[data-dial-state]")).to_contain_text("Not reached")
    await shot(page, "dial_calls_en")
    await page.locator("[data-dial-state]").get_by_role("button", name="Close").click()
    await expect(page.locator("[data-dial]")).to_be_focused()
    await page.locator(".set button").first.click()
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


async def test_a_refusal_is_said_in_words(desks: Visitors, world: Outside) -> None:
    stack = desks.stack
    visitor = await desks.new()
    desk = await visitor.sit("limei", "1001")
    citizen = await stack.trunk.call(number := stack.number(), key="1")
    await answered(desk, stack, number)
    await citizen.hang_up()
    await expect(desk.locator("[data-pop]")).to_have_attribute("data-state", "ended")
    await expect(desk.locator("[data-seat-state]")).to_have_attribute("data-state", "ready")
    await desk.get_by_role("button", name="签出").click()
    visitor.forgiven.append("Failed to load resource")
    page = await visitor.page("/calls")
    await page.locator("tbody tr", has_text=number[-4:]).first.click()
    await page.locator("[data-dial]").click()
    await expect(page.locator("aside").get_by_role("alert")).to_have_text("您还没有签入座席")
    assert world.dialled == []
