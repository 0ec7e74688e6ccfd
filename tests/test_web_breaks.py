"""Breaks and the own day at the desk page: what is asked for in a call is shown, limits warn, and time is told."""

import re

from pages import Visitors
from playwright.async_api import Page, expect
from stack import Stack

pytest_plugins = ("stack", "pages")


async def state(page: Page, wanted: str, timeout: float = 8_000) -> None:
    await expect(page.locator("[data-seat-state]")).to_have_attribute("data-state", wanted, timeout=timeout)


async def take_break(page: Page, word: str) -> None:
    await page.keyboard.press("Alt+b")
    await page.get_by_role("menuitem", name=re.compile(word)).click()


async def test_a_break_asked_for_in_a_call_is_shown_until_it_begins(stack: Stack, visitors: Visitors) -> None:
    board = await (await visitors.new()).log_in("sunli", "/wallboard")
    desk = await (await visitors.new()).sit("limei", "1001")
    before = int(await desk.locator("[data-own=taken]").inner_text())
    number = stack.number()
    citizen = await stack.trunk.call(number, key="1")
    await expect(desk.locator("[data-pop][data-state=ringing] [data-number]")).to_have_text(number, timeout=20_000)
    await expect(desk.locator(".answer")).to_be_enabled()
    await desk.keyboard.press("Alt+a")
    await state(desk, "talking")
    await take_break(desk, "用餐")
    await expect(desk.locator("[data-next]")).to_contain_text("通话和话后处理结束后：用餐")
    await expect(board.locator(".chips li").filter(has_text="1001")).to_contain_text("通话，之后用餐")
    await desk.get_by_role("button", name="取消").click()
    await expect(desk.locator("[data-next]")).to_have_count(0)
    await take_break(desk, "会议")
    await expect(desk.locator("[data-next]")).to_contain_text("会议")
    await citizen.hang_up()
    await state(desk, "wrap_up")
    await expect(desk.get_by_role("button", name="完成处理，会议")).to_be_visible()
    await state(desk, "break")
    await expect(desk.locator(".state")).to_contain_text("会议")
    # The own day has the call, and the break's time goes on.
    await expect(desk.locator("[data-own=taken]")).to_have_text(str(before + 1))
    await desk.get_by_role("button", name="各状态时长").click()
    spent = desk.locator(".states li").filter(has_text="会议").locator("[data-state-time=break]")
    shown = await spent.inner_text()
    await expect(spent).not_to_have_text(shown)


async def test_a_limit_is_told_before_the_break_and_while_it_lasts(stack: Stack, visitors: Visitors) -> None:
    board = await (await visitors.new()).log_in("sunli", "/wallboard")
    first = await (await visitors.new()).sit("wangqiang", "1002")
    second = await (await visitors.new()).sit("chenjing", "1003")
    await take_break(first, "休息")
    await expect(first.locator("[data-break-left]")).to_have_text(re.compile(r"还剩 \d+:\d\d"))
    second_visitor = visitors.all[-1]
    second_visitor.forgiven.append("Failed to load resource")
    await take_break(second, "休息")
    await expect(second.locator("[data-limit]")).to_contain_text("同时小休最多 1 人")
    await state(second, "ready")
    await second.get_by_role("button", name="仍要小休").click()
    await state(second, "break")
    await expect(board.locator(".away")).to_have_text("2 人，限 1 人")


async def test_a_supervisor_changes_a_limit_and_the_desk_knows_at_once(stack: Stack, visitors: Visitors) -> None:
    desk = await (await visitors.new()).sit("limei", "1001")
    page = await (await visitors.new()).log_in("sunli", "/breaks")
    row = page.locator("[data-break=TRAINING]")
    save = page.get_by_role("button", name="保存并生效")
    await expect(save).to_be_disabled()
    await row.locator("[data-day]").fill("40")
    await row.locator("[data-once]").fill("45")
    await expect(page.get_by_role("alert")).to_have_text("单次时长不得超过全天时长")
    await expect(save).to_be_disabled()
    await row.locator("[data-once]").fill("25")
    await row.get_by_role("checkbox").check()
    await save.click()
    await expect(page.get_by_role("status")).to_have_text("已保存，立即生效")
    try:
        await desk.keyboard.press("Alt+b")
        await expect(desk.get_by_role("menuitem", name=re.compile("培训"))).to_contain_text("40")
        await desk.get_by_role("menuitem", name=re.compile("培训")).click()
        await expect(desk.locator("[data-break-left]")).to_have_text(re.compile(r"还剩 2[45]:\d\d"))
    finally:
        await row.locator("[data-day]").fill("")
        await row.locator("[data-once]").fill("")
        await row.get_by_role("checkbox").uncheck()
        await save.click()
    await expect(page.get_by_role("status")).to_have_text("已保存，立即生效")
