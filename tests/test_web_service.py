"""The pages about opening hours, old numbers and announcements, in the real browser."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

from pages import Visitors
from playwright.async_api import expect
from stack import HIRED, Stack

pytest_plugins = ("stack", "pages")


async def test_whether_a_place_is_open_and_an_exception_by_two_persons(stack: Stack, visitors: Visitors) -> None:
    page = await (await visitors.new()).log_in("sunli", "/hours")
    await expect(page.locator("[data-place='12345'] [data-open=true]")).to_be_visible()
    await page.locator("[data-place=R01]").click()
    await page.fill("#ask-at", "2026-11-19T08:30")
    await page.get_by_role("button", name="查询").click()
    await expect(page.locator("[data-answer]")).to_contain_text("仅限预约")
    await page.get_by_label("已预约").check()
    await page.get_by_role("button", name="查询").click()
    await expect(page.locator("[data-answer]")).to_contain_text("开放")
    await page.fill("#limit-start", "2026-09-30")
    await page.get_by_role("button", name="推算").click()
    await expect(page.locator("[data-due]")).to_contain_text("2026-10-13 周二")

    day = (datetime.now(UTC) + timedelta(days=40)).date().isoformat()
    await page.fill("#change-day", day)
    await page.fill("#change-zh", "检修")
    await page.fill("#change-en", "Maintenance")
    await page.get_by_role("button", name="提议").click()
    row = page.locator("[data-change]", has_text=day)
    await expect(row).to_contain_text("待审批")
    await expect(row.get_by_role("button", name="批准")).to_have_count(0)
    other = await (await visitors.new()).log_in("zhoukai", "/hours")
    await other.locator("[data-change]", has_text=day).get_by_role("button", name="批准").click()
    await expect(other.locator("[data-change]", has_text=day)).to_contain_text("已生效")


async def test_a_number_is_cut_over_and_back(stack: Stack, visitors: Visitors) -> None:
    visitor = await visitors.new()
    page = await visitor.log_in("zhoukai", "/numbers")
    visitor.forgiven.append("Failed to load resource")
    for number in ("12319", "12333"):
        await page.locator(f"[data-number='{number}'] input").check()
    await page.get_by_role("button", name="并入 12345").click()
    await expect(page.locator(".faults")).to_contain_text("12333 保留号码")
    await page.locator("[data-number='12333'] input").uncheck()
    await page.get_by_role("button", name="并入 12345").click()
    row = page.locator("[data-number='12319']")
    await expect(row).to_contain_text("已并入")
    await row.get_by_role("button", name="撤销").click()
    await expect(row).to_contain_text("并行")


async def test_one_act_is_on_every_page_and_at_the_desk_at_once(stack: Stack, visitors: Visitors) -> None:
    anybody = await (await visitors.new()).page("/try")
    desk = await (await visitors.new()).sit("chenjing", "1005")
    board = await (await visitors.new()).log_in("sunli", "/wallboard")
    await expect(board.locator(".board")).to_have_attribute("data-live", "true")
    page = await (await visitors.new()).log_in("sunli", "/announce")
    await page.locator("[data-preset=storm]").get_by_role("button", name="立即发布").click()
    for shown in (page, desk, board):
        await expect(shown.locator("[data-banner]")).to_contain_text("暴雨预警")
    await expect(desk.locator("[data-pinned]")).to_contain_text("一键转 119")
    await expect(anybody.locator("[data-banner]")).to_contain_text("暴雨预警", timeout=20_000)
    row = page.locator("[data-announcement]", has_text="暴雨预警")
    await row.get_by_role("button", name="结束").click()
    for shown in (page, desk, board):
        await expect(shown.locator("[data-banner]")).to_have_count(0)
    await expect(page.locator("[data-preset=storm]").get_by_role("button", name=re.compile("立即发布"))).to_be_enabled()


async def test_an_agent_asks_and_an_expert_answers_on_their_pages(stack: Stack, visitors: Visitors) -> None:
    desk = await (await visitors.new()).sit("zhaolei", "1004")
    expert = await (await visitors.new()).log_in("qianwen", "/expert")
    await expect(expert.get_by_text("在线", exact=True)).to_be_visible()
    await stack.trunk.call(number := stack.number(), key="2")
    await expect(desk.locator("[data-pop][data-state=ringing] [data-number]")).to_have_text(number, timeout=20_000)
    await expect(desk.locator(".answer")).to_be_enabled()
    await desk.keyboard.press("Alt+a")
    await expect(desk.locator("[data-pop][data-state=talking]")).to_be_visible()
    await desk.get_by_role("button", name="咨询专家").click()
    await desk.select_option("#expert-field", "01")
    await desk.fill("#expert-text", "夜间摆摊的处罚依据是什么？")
    await desk.get_by_role("button", name="提交").click()
    asked = expert.locator(".question", has_text="zhaolei")
    await expect(asked).to_be_visible()
    await expect(expert.get_by_text(number)).to_have_count(0)
    await asked.locator("textarea").fill("《城市市容条例》第十四条。")
    await asked.get_by_label("建议收入知识库").check()
    await asked.get_by_role("button", name="签名答复").click()
    await expect(desk.locator("[data-question=answered]")).to_contain_text("第十四条")
    await expect(desk.locator("[data-question=answered]")).to_contain_text("qianwen")
    await expect(desk.locator("[data-pop][data-state=talking]")).to_be_visible()
    await desk.keyboard.press("Alt+x")


async def test_a_supervisor_says_who_is_expert_for_which_matters_and_when(stack: Stack, visitors: Visitors) -> None:
    boss, chief = await stack.boss(), await stack.browser("sunli")
    person = {"login": "zhengyi", "name_zh": "郑毅", "name_en": "Zheng Yi", "roles": ["expert"], "password": HIRED}
    assert (await boss.ask("POST", "/api/v1/users", person))[0] == 201
    page = await (await visitors.new(own=True)).log_in("sunli", "/experts")
    await page.get_by_label("请选择专家账号").select_option("zhengyi")
    await page.get_by_role("button", name="加入名册").click()
    form = page.locator("[data-expert-form]")
    await expect(form.get_by_role("button", name="保存")).to_be_disabled()
    await form.get_by_label("按部门勾选其主管领域").select_option(label="交通运输局")
    for matter in ("01", "02"):  # city management, transport
        await expect(form.locator(f"[value='{matter}']")).to_be_checked()
    await form.locator("[value='01']").uncheck()
    await form.get_by_label("到", exact=True).fill("12:00")
    await form.get_by_role("button", name="保存").click()
    row = page.locator("[data-expert=zhengyi]")
    await expect(row).to_contain_text("交通运输")
    await expect(row).to_contain_text("工作日 09:00–12:00")
    found = {each["login"]: each for each in (await chief.ask("GET", "/api/v1/experts"))[1]["items"]}
    assert (found["zhengyi"]["hours"], "02" in found["zhengyi"]["fields"]) == (
        [{"on": "working_day", "start": "09:00", "end": "12:00"}],
        True,
    )
    assert "01" not in found["zhengyi"]["fields"]
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await row.get_by_role("button", name="移出名册").click()
    await expect(row).to_have_count(0)
    acts = await stack.rows("SELECT act FROM audit WHERE what->>'login' = 'zhengyi' ORDER BY id")
    assert [each["act"] for each in acts] == ["add_user", "put_expert", "drop_expert"]
