"""The page where supervisors say who takes which calls, in a real Chromium."""

import asyncio

from pages import Visitors, expect
from stack import PATIENCE, Stack

pytest_plugins = ("pages", "stack")


async def widens(stack: Stack, seconds: int) -> None:
    """Wait until the guard widens then; the button is off while it is written, too."""
    async with asyncio.timeout(PATIENCE):
        while {"seconds": seconds} not in await stack.rows("SELECT seconds FROM guard_deadlines WHERE act = 'widen'"):
            await asyncio.sleep(0.05)


async def test_a_supervisor_changes_skills_services_and_the_guard(stack: Stack, visitors: Visitors) -> None:
    desk = await (await stack.desk("limei")).sit("1001")
    visitor = await visitors.new()
    page = await visitor.log_in("sunli", "/routing")
    row = page.locator("[data-login=limei]")
    await expect(row).to_contain_text("1001")
    english = row.locator("[data-queue=english]")
    await expect(english).to_have_value("1")
    await english.select_option("0")
    await expect(page.get_by_role("status")).to_be_visible()
    await desk.screen.until(lambda view: view["seat"]["queues"] == ["citizen", "danger", "enterprise"])
    await english.select_option("1")
    await desk.screen.until(lambda view: view["seat"]["queues"] == ["citizen", "danger", "english", "enterprise"])
    widen = page.get_by_label("扩大到次技能")
    apply = page.locator("form button")
    await expect(apply).to_be_disabled()
    await widen.fill("9")
    await expect(apply).to_be_disabled()  # not before the backup
    await widen.fill("4")
    await apply.click()
    await widens(stack, 4)
    await widen.fill("5")
    await apply.click()
    await widens(stack, 5)
    way = page.locator("[data-service=labour] select")
    await way.select_option("enterprise")
    await expect(way).to_be_enabled()
    await page.reload()
    await expect(way).to_have_value("enterprise")
    await way.select_option("citizen")
    await expect(way).to_be_enabled()


async def test_who_may_not_edit_is_not_let_in(stack: Stack, visitors: Visitors) -> None:
    visitor = await visitors.new()
    page = await visitor.log_in("limei")
    await page.goto(f"{stack.url}/routing")
    await page.wait_for_url("**/?refused=1")
