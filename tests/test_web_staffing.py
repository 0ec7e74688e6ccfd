"""The staffing page in a real browser: from an empty house to a published roster, by keyboard."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pages import Visitors
from playwright.async_api import Page, expect
from pydantic import SecretStr
from stack import Stack
from test_web_pages import CHINESE, CONTRAST

from callcenter.settings import Settings
from callcenter.staffing.cli import load

pytest_plugins = ("pages",)

SHANGHAI = ZoneInfo("Asia/Shanghai")


async def _row(page: Page, name: str, first: int, last: int) -> None:
    """Put somebody on or off duty from one half-hour to another, by keyboard."""
    row = page.locator("table.grid tbody tr", has_text=name)
    await row.locator("td.cell").nth(first).click()  # a click paints one half-hour; the keys take it back
    await page.keyboard.press("Space")
    for _ in range(last - first):
        await page.keyboard.press("Shift+ArrowRight")
    await page.keyboard.press("Space")


async def test_a_roster_is_painted_refused_filled_and_published(stack: Stack, visitors: Visitors) -> None:
    visitor = await visitors.new()
    page = await visitor.log_in("sunli", "/staffing")
    # Others' calls of today may stand in the ledger that they share.
    await expect(page.locator("[data-empty], .u-wrap").first).to_be_visible()

    day = (datetime.now(UTC).astimezone(SHANGHAI) + timedelta(days=9)).date().isoformat()
    await page.fill("#staffing-day", day)
    await expect(page.locator("[data-published]")).to_have_text("草稿")
    await expect(page.locator("[data-gaps]")).to_contain_text("有 1 段时间无人值守")
    await _row(page, "李梅", 0, 15)
    await _row(page, "王强", 16, 31)
    await _row(page, "陈静", 32, 47)
    await expect(page.locator("table.grid tbody tr", has_text="陈静").locator(".own")).to_have_text("16:00–00:00")
    await expect(page.locator(".sum.gap")).to_have_count(0)
    # A hole at three in the morning: painted, saved, refused.
    await _row(page, "李梅", 6, 7)
    await expect(page.locator("table.grid tbody tr", has_text="李梅").locator(".own")).to_have_text(
        "00:00–03:00 04:00–08:00"
    )
    await page.keyboard.press("Control+s")
    await expect(page.get_by_role("status")).to_have_text("已保存")
    visitor.forgiven.append("409")
    await page.get_by_role("button", name="发布本日").click()
    await expect(page.get_by_role("alert")).to_contain_text("有 1 段时间无人值守，不能发布")
    await expect(page.get_by_text(f"{day} 03:00–04:00")).to_be_visible()
    # Filled again it holds; what was painted can be taken back and done again.
    await _row(page, "李梅", 6, 7)
    await expect(page.locator(".sum.gap")).to_have_count(0)
    undo = page.get_by_role("button", name="撤销")
    while await undo.is_enabled():
        await page.keyboard.press("Control+z")
    await expect(page.locator(".sum.gap")).to_have_count(2)
    redo = page.get_by_role("button", name="重做")
    while await redo.is_enabled():
        await page.keyboard.press("Control+y")
    await page.get_by_role("button", name="保存").click()
    await expect(page.get_by_role("status")).to_have_text("已保存")
    await page.get_by_role("button", name="发布本日").click()
    await expect(page.locator("[data-published]")).to_have_text("已发布")
    await expect(page.locator("[data-gaps]")).to_have_count(0)


async def test_a_shift_can_be_for_one_queue_only(stack: Stack, visitors: Visitors) -> None:
    page = await (await visitors.new()).log_in("sunli", "/staffing")
    day = (datetime.now(UTC).astimezone(SHANGHAI) + timedelta(days=17)).date().isoformat()
    await page.fill("#staffing-day", day)
    await expect(page.locator("[data-published]")).to_have_text("草稿")
    own = page.locator("table.grid tbody tr", has_text="赵磊").locator(".own")
    await _row(page, "赵磊", 16, 31)
    await expect(own).to_have_text("08:00–16:00")
    await page.get_by_label("排给").select_option(label="只排英语")
    await _row(page, "赵磊", 24, 31)
    await expect(own).to_have_text("08:00–12:00 12:00–16:00 英语")
    # Whoever is there for English alone leaves the other queues without anybody: that is a gap like any other.
    sums = page.locator("tfoot tr").first.locator("td.sum")
    await expect(sums.nth(20)).to_have_text("1")
    await expect(sums.nth(28)).to_have_attribute("title", "1 无人接市民 无人接企业专席")
    await page.get_by_role("button", name="保存").click()
    await expect(page.get_by_role("status")).to_have_text("已保存")
    await expect(page.locator("[data-gaps]")).to_contain_text("12:00–16:00 市民 企业专席")
    rows = await stack.rows(
        "SELECT queue FROM shifts JOIN users USING (login) WHERE login = 'zhaolei' AND queue IS NOT NULL"
    )
    assert [row["queue"] for row in rows] == ["english"]


async def test_the_plan_is_shown_in_both_languages_light_and_dark(stack: Stack, visitors: Visitors) -> None:
    settings = Settings(home=stack.home, demo=True, database_url=SecretStr(stack.told["postgres"]))
    assert "made-up arrivals" in await asyncio.to_thread(load, settings, 30)
    try:
        for scheme in ("light", "dark"):
            visitor = await visitors.new(color_scheme=scheme)
            page = await visitor.log_in("sunli", "/staffing")
            tomorrow = (datetime.now(UTC).astimezone(SHANGHAI) + timedelta(days=1)).date().isoformat()
            await page.fill("#staffing-day", tomorrow)
            await expect(page.locator(".u-wrap canvas")).to_have_count(2)
            await page.get_by_text("以表格查看").click()
            busiest = page.locator("details tbody tr", has_text="09:00")
            await expect(busiest.locator("td").first).to_have_text(re.compile(r"^\d{2,}$"))
            await page.locator(".set button").first.click()
            await expect(page.locator("html")).to_have_attribute("lang", "en")
            words = await page.locator("h1, h2, h3, label, legend, thead th, .notice, summary").all_inner_texts()
            assert [each for each in words if CHINESE.search(each)] == []
            assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            assert await page.evaluate(CONTRAST) == []
            await page.fill("#what-agents", "40")
            await page.get_by_role("button", name="Try it").click()
            tried = page.locator("[data-what-if] tbody tr")
            await expect(tried).to_have_count(2)
            await expect(tried.locator("td").first).to_have_text(re.compile(r"^\d+\.\d% ± \d+\.\d%$"))
            assert await page.evaluate(CONTRAST) == []
            await page.get_by_role("button", name="Week", exact=True).click()
            await expect(page.get_by_role("button", name=re.compile("^Mon "))).to_be_visible()
            await expect(page.locator("details tbody tr")).to_have_count(7 * 24)
            await page.locator(".set button").first.click()
            await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    finally:
        await asyncio.to_thread(load, settings, 30, remove=True)
