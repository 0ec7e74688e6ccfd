"""The list of callbacks in a real browser."""

import asyncio

from pages import Visitors
from playwright.async_api import expect
from stack import Stack

pytest_plugins = ("stack", "pages")


#: The list itself keeps no number in clear.
OF_NUMBER = "SELECT b.id FROM callbacks b JOIN calls c ON c.id = b.id WHERE c.number = $1"


async def given_up(stack: Stack) -> str:
    """A citizen waits and gives up; the call's id once he is on the list."""
    number = stack.number()
    citizen = await stack.trunk.call(number, key="1")
    await asyncio.sleep(0.7)
    await citizen.hang_up()
    async with asyncio.timeout(10):
        while not (rows := await stack.rows(OF_NUMBER, number)):
            await asyncio.sleep(0.1)
    call: str = rows[0]["id"]
    return call


async def test_a_supervisor_sees_the_list_and_settles_an_entry_with_a_reason(stack: Stack, visitors: Visitors) -> None:
    await (await stack.desk("limei")).sit("1001", ready=False)
    call = await given_up(stack)
    visitor = await visitors.new()
    board = await visitor.log_in("sunli", "/wallboard")
    await expect(board.locator("[data-figure=callbacks]")).to_contain_text("待回电")
    page = await visitor.page("/callbacks")
    row = page.locator(f"[data-callback='{call}']")
    await expect(row).to_contain_text("138****")
    await expect(row).to_contain_text("排队中挂机")
    await expect(row).to_have_attribute("data-state", "waiting")
    # No line leaves this instance: nobody can be called by the system, and it is said.
    await expect(page.get_by_text("未配置外呼线路")).to_be_visible()
    await expect(row.get_by_role("button", name="回电")).to_be_disabled()
    await row.get_by_role("button", name="取消").click()
    await expect(page.get_by_label("取消原因：")).to_be_focused()
    await page.keyboard.type("市民已到窗口办理")
    await page.keyboard.press("Enter")
    await expect(row).to_have_count(0)
    await page.get_by_role("button", name="已结束").click()
    await expect(row).to_have_attribute("data-state", "cancelled")
    await expect(row).to_contain_text("市民已到窗口办理")
    (act,) = await stack.rows(
        "SELECT what FROM audit WHERE act = 'callback_cancelled' AND what->>'callback' = $1", call
    )
    assert "市民已到窗口办理" in act["what"]
