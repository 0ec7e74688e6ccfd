"""Inbox, register and dispatch desk in the real browser: by keyboard, and what is refused said in words."""

import csv
import re
import uuid
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from pages import Visitors
from playwright.async_api import Page, expect
from stack import Stack
from test_web_transfers import shot
from test_web_visits import in_chinese, in_english

from callcenter.workorders.codes import order_code

pytest_plugins = ("stack", "pages")

_number = count(700_001)
CHINESE = re.compile("[一-鿿]")
#: Words that are nobody's to translate: what citizens said.
OWN = re.compile("油烟")


async def put(stack: Stack, **columns: Any) -> str:
    """An order as it stands in the database, with the clock by which it is due; its code."""
    at = datetime.now(UTC)
    row = {
        "id": uuid.uuid4(),
        "code": order_code(at.date(), next(_number)),
        "check_code": "1234",
        "call_id": "n1-1.1",
        "state": "pending_dispatch",
        "kind": "complaint",
        "category": "0101",
        "urgency": "U3",
        "subject": "占道经营",
        "description": "夜市摊位占道",
        "region": "R0101",
        "created_by": "limei",
        "created_at": at,
        "updated_at": at,
        "state_since": at,
        "department": "D29",
        "dispatched_by": "fangli",
        "due_at": at + timedelta(minutes=30),
    } | columns
    clock = row.pop("clock", ("T-DISPATCH", "minute"))
    names = ", ".join(row)
    await stack.rows(
        f"INSERT INTO orders ({names}) VALUES ({', '.join(f'${n}' for n in range(1, len(row) + 1))})", *row.values()
    )
    if row["due_at"]:
        await stack.rows(
            "INSERT INTO order_clocks (order_id, n, name, policy, value, unit, started_at, due_at, first_due_at)"
            " VALUES ($1, 1, $2, $2, 1, $3, $4, $5, $5)",
            row["id"],
            *clock,
            at,
            row["due_at"],
        )
    code: str = row["code"]
    return code


async def looked_at(page: Page, name: str) -> None:
    """Photographed in both languages; what is said in English has no Chinese but the citizens' and the units' own."""
    await shot(page, f"{name}_zh")
    await in_english(page)
    words = await page.locator("main").locator("h1, h2, h3, label, legend, dt, button, p.quiet").all_inner_texts()
    assert [each for each in words if CHINESE.search(each) and not OWN.search(each)] == []
    await shot(page, f"{name}_en")
    await in_chinese(page)


async def test_an_inbox_by_due_time_and_by_keyboard(stack: Stack, visitors: Visitors) -> None:
    now = datetime.now(UTC)
    reply, hand = ("T-REPLY", "working_day"), {"state": "in_progress", "handler": "tangjun"}
    late = await put(stack, clock=reply, subject="路灯不亮", due_at=now - timedelta(days=40), urge_level=3, **hand)
    later = await put(stack, clock=reply, subject="井盖破损", due_at=now + timedelta(days=20), **hand)
    page = await (await visitors.new()).log_in("maowei", "/inbox")
    rows = page.locator("tr[data-code]")
    await expect(rows.filter(has_text=late)).to_contain_text("超期")
    await expect(rows.filter(has_text=late)).to_contain_text("黄牌")
    await expect(rows.filter(has_text=later)).to_contain_text("个工作日")
    await expect(page.locator("tr.heading").first).to_contain_text("已超期")
    await page.locator("[data-group=later]").click()
    await expect(rows.filter(has_text=late)).to_have_count(0)
    await page.get_by_role("button", name="清除筛选").click()
    await expect(rows.filter(has_text=late)).to_be_visible()
    # What comes meanwhile is there without a word, and what was chosen stays chosen.
    await page.locator("h1").click()
    await page.keyboard.press("j")
    await expect(rows.first).to_be_focused()
    chosen = await rows.first.get_attribute("data-code")
    await page.keyboard.press("/")
    await expect(page.locator("#q")).to_be_focused()
    await page.keyboard.type("井盖破损")
    await page.keyboard.press("Enter")
    await expect(rows).to_have_count(1)
    await page.locator("h1").click()
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(f"/orders/{later}$"))
    assert chosen is not None
    await page.goto(f"{stack.url}/inbox")
    await page.fill("#q", "没有这样的词")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("没有符合条件的工单")).to_be_visible()


async def test_a_page_tells_that_the_service_is_away_and_comes_back(stack: Stack, visitors: Visitors) -> None:
    visitor = await visitors.new()
    page = await visitor.log_in("maowei", "/inbox")
    await expect(page.locator("[role=status]").first).to_be_visible()
    visitor.forgiven.append("Failed to load resource")
    await page.route("**/api/v1/inbox**", lambda route: route.abort())
    await page.keyboard.press("r")
    await expect(page.get_by_role("alert")).to_contain_text("连不上服务")
    await page.unroute("**/api/v1/inbox**")
    await page.get_by_role("button", name="重试").click()
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_an_order_is_dispatched_by_one_key_and_another_with_a_unit_of_ones_own(
    stack: Stack, visitors: Visitors
) -> None:
    now = datetime.now(UTC)
    done = {"state": "closed", "department": "D08", "due_at": None, "subject": "夜市占道经营扰民"}
    before = [await put(stack, **done) for _ in range(3)]
    first = await put(stack, subject="夜市占道经营扰民", due_at=now - timedelta(hours=20))
    second = await put(stack, subject="占道经营，另派", due_at=now - timedelta(hours=19))
    page = await (await visitors.new()).log_in("fangli", "/dispatch")
    await page.locator(f"[data-code='{first}']").click()
    units = page.locator("[data-unit]")
    await expect(units.filter(has=page.locator("[data-why=rule]"))).to_have_attribute("data-unit", "D29")
    await expect(units.filter(has=page.locator("[data-why=similar]"))).to_contain_text(before[0][:6])
    await expect(page.locator(f"[data-similar='{before[0]}']")).to_be_visible()
    await expect(page.locator(f"[data-similar='{before[0]}'] a")).to_have_count(0)
    await expect(page.locator(".words")).to_contain_text("夜市占道经营扰民")
    await page.keyboard.press("a")
    await expect(page.locator("[data-done]")).to_contain_text(first)
    (sent,) = await stack.rows("SELECT state, department FROM orders WHERE code = $1", first)
    assert (sent["state"], sent["department"]) == ("dispatched", "D29")

    await page.locator(f"[data-code='{second}']").click()
    await expect(page.locator(".words")).to_contain_text("另派")
    await page.keyboard.press("2")
    await expect(units.nth(1)).to_have_attribute("aria-pressed", "true")
    await page.locator("#co").fill("公安")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-co]")).to_have_count(1)
    await page.fill("#instruction", "请当日到场")
    await page.locator("[data-dispatch]").click()
    await expect(page.locator("[data-done]")).to_contain_text(second)
    (sent,) = await stack.rows("SELECT state, department FROM orders WHERE code = $1", second)
    assert (sent["state"], sent["department"]) == ("dispatched", "D08")
    (given,) = await stack.rows(
        "SELECT given->>'instruction' AS words, jsonb_array_length(given->'co_units') AS units FROM order_history h"
        " JOIN orders o ON o.id = h.order_id WHERE code = $1 AND event = 'dispatch'",
        second,
    )
    assert (given["words"], given["units"]) == ("请当日到场", 1)

    # Another was faster with what one writes about: the words stay until one goes on.
    third = await put(stack, subject="占道经营，他人已派", due_at=now - timedelta(hours=21))
    await page.get_by_role("button", name="刷新").click()
    await page.locator(f"[data-code='{third}']").click()
    await page.fill("#instruction", "请先联系诉求人")
    await stack.rows("UPDATE orders SET state = 'in_progress', version = 3 WHERE code = $1", third)
    await page.get_by_role("button", name="刷新").click()
    await expect(page.locator("[data-gone]")).to_be_visible()
    await expect(page.locator("#instruction")).to_have_value("请先联系诉求人")
    await expect(page.locator("[data-dispatch]")).to_be_disabled()
    await page.locator("[data-gone]").get_by_role("button").click()
    await expect(page.locator("[data-gone]")).to_have_count(0)

    # What another citizen has told already is merged where it lies.
    told = {"category": "0503", "place": "南园路12号", "subject": "餐馆油烟扰民", "description": "楼下餐馆油烟直排"}
    master = await put(stack, state="in_progress", dispatched_by="another", **told)
    twin = await put(stack, due_at=now - timedelta(hours=18), **told)
    await page.get_by_role("button", name="刷新").click()
    await page.locator(f"[data-code='{twin}']").click()
    await page.locator(f"[data-candidate='{master}'] [data-compare]").click()
    await expect(page.locator("[data-merge-form]")).to_be_focused()
    await looked_at(page, "dispatch_merge")
    await page.locator("[data-merge]").click()
    await expect(page.locator("[data-joined-done]")).to_contain_text(f"{twin} 已并入 {master}")
    await expect(page.locator(f"[data-code='{twin}']")).to_have_count(0)


async def test_the_register_with_views_many_at_once_and_an_export(
    stack: Stack, visitors: Visitors, tmp_path: Path
) -> None:
    word = f"垃圾清运{uuid.uuid4().hex[:6]}"
    due = datetime.now(UTC) + timedelta(days=2)
    ours = [
        await put(stack, subject=f"{word} {n}", state="dispatched", due_at=due, clock=("T-SIGN", "working_day"))
        for n in range(3)
    ]
    closed = await put(stack, subject=f"={word}", state="closed", due_at=None)
    page = await (await visitors.new()).log_in("maowei", "/orders")
    rows = page.locator("tr[data-code]")
    await page.fill("#q", word)
    await page.keyboard.press("Enter")
    await expect(rows).to_have_count(4)
    await page.get_by_role("button", name="保存当前筛选").click()
    await page.fill("#view-name", "清运")
    await page.get_by_role("button", name="保存", exact=True).click()
    view = page.locator("[data-view=清运]")
    await expect(view).to_be_visible()
    await page.get_by_role("button", name="清除筛选").click()
    await view.get_by_role("button", name="清运", exact=True).click()
    await expect(rows).to_have_count(4)
    await view.get_by_role("button", name="修改").click()
    await page.get_by_role("button", name="删除").click()
    await expect(view).to_have_count(0)
    await page.get_by_role("button", name="撤销删除").click()
    await expect(view).to_be_visible()

    for code in (*ours, closed):
        await page.locator(f"tr[data-code='{code}'] input").check()
    await page.locator("[data-act=sign]").click()
    await page.get_by_role("button", name="执行").click()
    await expect(page.locator("[data-bulk-result]")).to_contain_text("完成 3 件，未完成 1 件")
    await expect(page.locator(f"[data-failed='{closed}']")).to_contain_text("不允许")
    await page.get_by_role("button", name="关闭").last.click()
    await expect(rows.filter(has_text="办理中")).to_have_count(3)
    await expect(page.get_by_role("button", name="导出")).to_have_count(0)

    chief = await (await visitors.new(accept_downloads=True)).log_in("sunli", "/orders")
    await chief.fill("#q", word)
    await chief.keyboard.press("Enter")
    await expect(chief.locator("tr[data-code]")).to_have_count(4)
    # Chosen in the list, and merged into the one that a unit has: one is no case for it, and all can be undone.
    told = {"category": "0503", "place": "南园路12号", "description": f"{word}楼下餐馆油烟直排"}
    master = await put(stack, subject=f"{word}餐馆油烟", state="in_progress", due_at=None, **told)
    near = await put(stack, subject=f"{word}餐馆油烟扰民", **told)
    far = await put(stack, subject=f"{word}路灯", category="0105", description="整条街路灯不亮")
    await chief.get_by_role("button", name="刷新").click()
    for code in (master, near, far, ours[0]):
        await chief.locator(f"tr[data-code='{code}'] input").check()
    await chief.locator("[data-act=merge]").click()
    sheet = chief.locator("[data-merge-chosen]")
    await sheet.locator(f"[data-chosen='{master}'] input").check()
    await expect(sheet.locator(f"[data-chosen='{near}'] [data-sign=place]")).to_be_visible()
    await expect(sheet.locator(f"[data-chosen='{far}']")).to_contain_text("事项类别不同")
    await expect(sheet.locator(f"[data-chosen='{ours[0]}'] [data-why]")).to_contain_text("不在待派单状态")
    await shot(chief, "register_merge_zh")
    await sheet.locator("[data-merge]").click()
    await expect(chief.locator("[data-merged]")).to_contain_text(f"2 件已并入 {master}")
    merged = "SELECT code FROM orders WHERE master = $1 AND state = 'merged' ORDER BY code"
    assert [row["code"] for row in await stack.rows(merged, master)] == sorted((near, far))
    await chief.locator("[data-undo]").click()
    await expect(chief.locator("[data-undone]")).to_contain_text("已撤销 2 件")
    assert await stack.rows(merged, master) == []
    await chief.get_by_role("button", name="关闭").last.click()

    await chief.get_by_role("button", name="导出").click()
    await chief.fill("#export-reason", "月度分析")
    await chief.get_by_label("文本（csv）").check()
    async with chief.expect_download() as coming:
        await chief.get_by_role("button", name="导出").last.click()
    kept = tmp_path / "orders.csv"
    await (await coming.value).save_as(kept)
    lines = list(csv.reader(kept.read_text(encoding="utf-8-sig").splitlines()))
    assert len(lines) == 8
    assert lines[4][6] == f"'={word}"
    await chief.locator("h1").click()
    await chief.keyboard.press("j")
    await chief.keyboard.press("Enter")
    await expect(chief).to_have_url(re.compile(f"/orders/{far}$"))
