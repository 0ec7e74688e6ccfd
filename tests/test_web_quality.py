"""The page of quality review: a call is drawn, graded, appealed against and decided on, by three people's browsers."""

import re
from datetime import UTC, datetime, timedelta

import asyncpg
from pages import Visitors
from playwright.async_api import Page, expect
from stack import Stack

pytest_plugins = ("stack", "pages")


async def fill_ledger(stack: Stack) -> None:
    """One answered call of this week, long ago enough to be over; another node's, for it is not in Asterisk's files."""
    at = datetime.now(UTC) - timedelta(minutes=2)
    connection = await asyncpg.connect(stack.told["postgres"])
    try:
        await connection.execute(
            "INSERT INTO calls (id, node, number, dialed, service, arrived_at, answered_at, ended_at, wait_ms, talk_ms,"
            " outcome, ended_by, seat, login, source, rank, version) VALUES ('n2-1763798400.77', 'n2', '13800001111',"
            " '12345', 'unified', $1, $1, $2, 4000, 12000, 'answered', 'caller', '1021', 'drawn', 'line', 3, 1)",
            at,
            at + timedelta(seconds=16),
        )
        await connection.execute(
            "INSERT INTO segments (call_id, n, seat, login, queue, rung_at, answered_at, ended_at, how, talk_ms)"
            " VALUES ('n2-1763798400.77', 0, '1021', 'drawn', 'citizen', $1, $1, $2, 'completed', 12000)",
            at,
            at + timedelta(seconds=16),
        )
    finally:
        await connection.close()


async def answer(page: Page, item: str, mark: str) -> None:
    await page.locator(f"[data-item={item}]").get_by_text(mark, exact=True).click()


async def test_a_call_is_drawn_graded_appealed_against_and_decided_on(stack: Stack, visitors: Visitors) -> None:
    await stack.hire(await stack.boss(), "drawn", "1021")  # whose only call it is
    await fill_ledger(stack)
    supervisor = await (await visitors.new()).log_in("sunli", "/quality/draw")
    await supervisor.get_by_role("button", name="抽样").click()
    await expect(supervisor.get_by_role("status")).to_contain_text("新抽中")
    row = supervisor.get_by_role("row").filter(has_text="n2-1763798400.77")
    await expect(row).to_contain_text("短通话")

    inspector = await (await visitors.new()).log_in("wumin", "/quality/all")
    await inspector.get_by_role("row").filter(has_text="0:12").first.click()
    await expect(inspector.get_by_role("heading", name="来电受理质检表")).to_be_visible()
    if await inspector.get_by_role("button", name="由我质检").count():
        await inspector.get_by_role("button", name="由我质检").click()
    await expect(inspector.locator("[data-item=greeting]")).to_be_visible()
    for row in await inspector.locator("[data-item]").all():
        await row.get_by_text("符合", exact=True).click()
    await answer(inspector, "greeting", "不符合")
    await answer(inspector, "owner", "不符合")
    await expect(inspector.locator(".big")).to_have_text("85.0")
    await answer(inspector, "tone", "部分")
    await expect(inspector.locator(".big")).to_have_text("80.0")
    # Below the mark it is not saved without a reason.
    await inspector.get_by_role("button", name="提交评分").click()
    await expect(inspector.locator("#note")).to_have_attribute("aria-invalid", "true")
    await inspector.fill("#note", "未报工号")
    await inspector.get_by_role("button", name="提交评分").click()
    await expect(inspector.get_by_text("吴敏 评分 80.0")).to_be_visible()
    await expect(inspector.get_by_role("button", name="提交评分")).to_have_count(0)

    agent = await (await visitors.new()).log_in("drawn", "/quality")
    await expect(agent.get_by_role("link", name="抽样")).to_have_count(0)
    await agent.get_by_role("row").filter(has_text="80.0").click()
    await agent.fill("#appeal", "报了工号，请听第三秒")
    await agent.get_by_role("button", name="提交申诉").click()
    await expect(agent.locator(".review .pill").filter(has_text="申诉中")).to_be_visible()

    await supervisor.goto(stack.url + "/quality/all")
    await supervisor.get_by_role("row").filter(has_text="申诉中").click()
    await supervisor.get_by_role("button", name="重新评分…").click()
    await answer(supervisor, "greeting", "符合")
    await supervisor.fill("#note", "听录音，已报工号")
    await supervisor.get_by_role("button", name="提交改判").click()
    await expect(supervisor.get_by_text("孙丽 改判为 85.0")).to_be_visible()
    await expect(supervisor.get_by_text("原为 不符合")).to_have_count(1)

    await agent.goto(stack.url + "/quality/mine")
    await expect(agent.get_by_role("row").filter(has_text="85.0")).to_contain_text("申诉后改判")
    await supervisor.goto(stack.url + "/quality/results")
    await expect(supervisor.get_by_role("row").filter(has_text="座席")).to_contain_text(re.compile(r"85\.0"))
    await supervisor.get_by_role("button", name="座席").click()
    await expect(supervisor.locator("figure")).to_contain_text("座席")


async def test_a_supervisor_changes_the_form_and_the_rule(stack: Stack, visitors: Visitors) -> None:
    chief = await stack.browser("sunli")
    (found,) = (await chief.ask("GET", "/api/v1/quality/forms"))[1]["items"]
    rule = (await chief.ask("GET", "/api/v1/quality/rule"))[1]
    visitor = await visitors.new()
    page = await visitor.log_in("sunli", "/quality/forms")
    save = page.locator(".foot").get_by_role("button", name=f"保存为第 {found['version'] + 1} 版")
    try:
        await expect(page.locator("[data-total]")).to_have_text("合计 100 分")
        await page.get_by_role("button", name="增加一项").first.click()
        await page.keyboard.type("报出工号")
        await expect(page.locator(".foot").get_by_role("alert")).to_contain_text("1 处未填写")
        await page.keyboard.press("Tab")
        await page.keyboard.type("Says the own number")
        added = page.locator("[data-edit=item_1]")
        await added.locator("[data-weight]").fill("5")
        await expect(page.locator("[data-total]")).to_have_text("合计 105 分")
        await expect(save).to_be_disabled()
        await page.locator("[data-edit=tone] [data-weight]").fill("5")
        await page.get_by_role("button", name="预览").click()
        await expect(page.locator("[data-preview] [data-item=item_1]")).to_contain_text("报出工号")
        await page.get_by_role("button", name="预览").click()
        await save.click()
        await expect(page.get_by_role("status")).to_have_text(f"已保存为第 {found['version'] + 1} 版")
        (made,) = (await chief.ask("GET", "/api/v1/quality/forms"))[1]["items"]
        assert made["version"] == found["version"] + 1
        assert made["form"]["sections"][0]["items"][-1]["en"] == "Says the own number"

        # A new form is made from nothing, and taken out of use again; the last one cannot be.
        await page.get_by_role("button", name="新建质检表").click()
        for field, words in (("#form-zh", "快速质检表"), ("#form-en", "Short form")):
            await page.fill(field, words)
        for code in ("section_1", "item_1"):
            await page.locator(f"[data-edit={code}] input").nth(0).fill("服务")
            await page.locator(f"[data-edit={code}] input").nth(1).fill("Service")
        await page.locator("[data-edit=item_1] [data-weight]").fill("100")
        await page.locator(".foot").get_by_role("button", name="保存为第 1 版").click()
        await expect(page.get_by_role("status")).to_have_text("已保存为第 1 版")
        await page.get_by_role("button", name="停用").click()
        await expect(page.locator("[data-retired]")).to_be_visible()
        await page.get_by_label("质检表", exact=True).select_option(label=found["form"]["zh"])
        visitor.forgiven.append("409")
        await page.get_by_role("button", name="停用").click()
        await expect(page.get_by_role("alert")).to_contain_text("至少须保留一张在用的质检表")

        sampling = page.locator("[data-sampling]")
        await sampling.locator("#rule-per_agent").fill("3")
        await expect(sampling.get_by_role("alert")).to_contain_text("优先抽取共 4 通，超过每人 3 通")
        await sampling.locator("#stratum-long").fill("0")
        await sampling.get_by_role("button", name="提前").last.click()
        await sampling.get_by_role("button", name=f"保存为第 {rule['version'] + 1} 版").click()
        await expect(sampling.get_by_role("status")).to_contain_text("已保存")
        changed = (await chief.ask("GET", "/api/v1/quality/rule"))[1]["rule"]
        assert [each["code"] for each in changed["strata"]] == ["unsatisfied", "transferred", "short"]
        assert changed["per_agent"] == 3
    finally:
        # The other tests of this instance grade on the form that they know.
        now = (await chief.ask("GET", "/api/v1/quality/forms"))[1]["items"][0]
        if now["version"] > found["version"]:
            body = {"form": found["form"], "after": now["version"]}
            assert (await chief.ask("POST", "/api/v1/quality/forms", body))[0] == 201
        version = (await chief.ask("GET", "/api/v1/quality/rule"))[1]["version"]
        if version > rule["version"]:
            body = {"rule": rule["rule"], "after": version}
            assert (await chief.ask("POST", "/api/v1/quality/rule", body))[0] == 201
