"""Visits, audits and limits in a real browser; the visit over a real Asterisk, to a citizen's telephone outside."""

import json
import re
import uuid
from typing import Any

from outside import Outside
from pages import Visitors
from playwright.async_api import Page, expect
from stack import PATIENCE, Stack
from test_outgoing import written
from test_transfers import talk
from test_web_transfers import desks, shot

from callcenter.workorders.deadlines import POLICIES
from callcenter.workorders.guards import CHECKS

pytest_plugins = ("stack", "pages")

__all__ = ["desks"]

BAD = "不属于我局职责，请您联系其他部门反映，电话13912345678"
GOOD = (
    "经查，您反映的夜间占道摆摊情况属实。执法人员于11月21日晚到现场劝离摊贩3户，"
    "依照《城市道路管理条例》第二十七条责令整改并清理路面，已当面向您说明。"
)

#: Another one: the same words for two orders are a copy.
OTHER = (
    "关于南园路占用人行道经营，工作人员已于11月22日现场核查并电话联系您。"
    "按照《城市市容管理规定》已取缔摊点五处，设置隔离桩十二个，通行已恢复。"
)


async def event(stack: Stack, login: str, code: str, name: str, **given: Any) -> None:
    browser = await stack.browser(login)
    _, seen = await browser.ask("GET", f"/api/v1/orders/{code}")
    body = {"event": name, "given": given, "version": seen["version"], "key": str(uuid.uuid4())}
    status, answer = await browser.ask("POST", f"/api/v1/orders/{code}/events", body)
    assert status == 201, answer


async def replied(stack: Stack, code: str, reply: str, result: str = "resolved") -> None:
    """Bring an order from the desk to its audit."""
    await event(stack, "fangli", code, "dispatch", lead="D29")
    await event(stack, "maowei", code, "sign")
    await event(stack, "maowei", code, "first_contact", how_contacted="call", contact_note="已电话联系")
    await again(stack, code, reply, result)


async def again(stack: Stack, code: str, reply: str, result: str = "resolved") -> None:
    await event(stack, "maowei", code, "reply", result=result, reply=reply, actions="现场处置")
    await event(stack, "xiejie", code, "confirm")


async def all_day(stack: Stack) -> None:
    """Hours of visits all day long, so that the test can be run at any time."""
    hours = {"VISIT-MORNING-FROM": 0, "VISIT-AFTERNOON-FROM": 720, "VISIT-EVENING-TO": 1439}
    body = {code: [policy.value, policy.unit] for code, policy in POLICIES.items()}
    body |= {code: [value, "o_clock"] for code, value in hours.items()}
    await stack.rows(
        "INSERT INTO order_policies (version, body, by) SELECT max(version) + 1, $1::jsonb, 'test' FROM order_policies",
        json.dumps(body),
    )


async def in_english(page: Page) -> None:
    await page.locator(".set button").first.click()
    await expect(page.locator("html")).to_have_attribute("lang", "en")


async def in_chinese(page: Page) -> None:
    await page.locator(".set button").first.click()
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


async def test_a_citizen_is_visited_by_one_press_in_the_second_slot_and_is_not_satisfied(
    desks: Visitors, world: Outside
) -> None:
    stack = desks.stack
    await all_day(stack)
    here = await talk(stack)
    code = await written(here)
    await replied(stack, code, GOOD)
    await event(stack, "wumin", code, "audit_pass", checks=sorted(CHECKS))
    await (await stack.desk("linxia")).sit("1002", ready=False)
    page = await (await desks.new()).log_in("linxia", "/visits")
    row = page.locator(f"[data-visit='{code}']")
    await expect(row).to_contain_text("0 / 3")
    before = int(await page.locator("[data-reached]").inner_text())
    await row.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-sheet]")).to_contain_text("劝离摊贩")

    # The first try: nobody answers.
    world.behaviour = "busy"
    await page.locator("[data-dial]").click()
    out = await world.call(PATIENCE)
    assert out.number == here.citizen.number
    await expect(page.locator("[data-dial-state]")).to_have_attribute("data-state", "ended")
    await expect(page.get_by_text("电话未接通：请选择结果。")).to_be_visible()
    await shot(page, "visits_missed_zh")
    await page.locator("[data-not=busy]").click()
    await expect(row).to_have_count(0)
    await page.get_by_role("button", name=re.compile("^稍后")).click()
    await expect(row).to_contain_text("1 / 3")
    await expect(row).to_contain_text("占线")

    # The next part of the day has come.
    await stack.rows("UPDATE orders SET tries = ARRAY[tries[1] - interval '1 day'] WHERE code = $1", code)
    await page.get_by_role("button", name=re.compile("^现在可访")).click()
    await row.click()
    world.behaviour = "answer"
    await page.locator("[data-dial]").click()
    out = await world.call(PATIENCE)
    await expect(page.locator("[data-dial-state]")).to_have_attribute("data-state", "talking")
    for question, answer in (
        ("contacted", "联系过"),
        ("resolved", "未解决"),
        ("satisfied_result", "不满意"),
        ("satisfied_attitude", "基本满意"),
    ):
        await page.locator(f"[data-question={question}]").get_by_text(answer, exact=True).click()
    await page.fill("#comment", "昨晚八点又摆出来了，比以前还多")
    await expect(page.get_by_text("将转由另一人研判")).to_be_visible()
    await shot(page, "visits_talk_zh")
    await in_english(page)
    await shot(page, "visits_talk_en")
    await in_chinese(page)
    await world.hang_up(out)
    await page.locator("[data-save]").click()
    await expect(row).to_have_count(0)
    await expect(page.locator("[data-reached]")).to_have_text(str(before + 1))
    await expect(page.locator("[data-satisfied=today]")).not_to_have_text("100%")

    # A second person judges: it goes back to the unit.
    chief = await stack.browser("sunli")
    _, seen = await chief.ask("GET", f"/api/v1/orders/{code}")
    assert seen["state"] == "judging"
    told = seen["history"][-1]
    assert (told["who"], told["given"]["comment"]) == ("linxia", "昨晚八点又摆出来了，比以前还多")
    await event(stack, "sunli", code, "reasonable", reason="摊贩复返，诉求合理", cause="not_solved")
    inbox = (await (await stack.browser("maowei")).ask("GET", "/api/v1/inbox?limit=200"))[1]["items"]
    assert code in {each["code"] for each in inbox}
    calls = await stack.rows("SELECT outcome FROM calls WHERE origin = $1 ORDER BY arrived_at", here.call)
    assert len(calls) == 2, "both tries are on record, linked to the matter"


async def test_a_reply_is_sent_back_with_reasons_and_then_passes(desks: Visitors, world: Outside) -> None:
    stack = desks.stack
    code = await written(await talk(stack))
    await replied(stack, code, BAD, "not_resolved")
    page = await (await desks.new()).log_in("wumin", "/audits")
    row = page.locator(f"[data-audit='{code}']")
    await expect(row).to_have_attribute("data-need", "stopped")
    await row.focus()
    await page.keyboard.press("Enter")
    sheet = page.locator("[data-sheet]")
    await expect(sheet.locator("[data-check=no_personal_data] [data-finding=phone]")).to_contain_text("139…78")
    await expect(sheet.locator("[data-check=result] [data-finding=pushed_away]")).to_be_visible()
    await expect(page.locator("[data-pass]")).to_be_disabled()
    await shot(page, "audits_bad_zh")
    await in_english(page)
    await shot(page, "audits_bad_en")
    await in_chinese(page)
    await page.locator("[data-back]").click()
    await expect(page.locator("#reason")).to_be_focused()
    await expect(page.locator("#reason")).to_have_value(re.compile("推诿"))
    await page.locator("[data-send-back]").click()
    await expect(row).to_have_count(0)
    await again(stack, code, OTHER)
    await page.get_by_role("button", name="刷新").click()
    await row.click()
    await expect(sheet).to_contain_text("上次退回原因")
    await expect(sheet.locator("[data-finding]")).to_have_count(0)
    for check in sorted(CHECKS):
        await sheet.locator(f"[data-check={check}] input").check()
    await page.locator("[data-pass]").click()
    await expect(row).to_have_count(0)
    shown = (await (await stack.browser("sunli")).ask("GET", f"/api/v1/orders/{code}"))[1]
    assert shown["state"] == "pending_visit"


async def test_a_unit_sees_what_the_inspector_would_while_it_writes(desks: Visitors, world: Outside) -> None:
    stack = desks.stack
    code = await written(await talk(stack))
    await event(stack, "fangli", code, "dispatch", lead="D29")
    await event(stack, "maowei", code, "sign")
    await event(stack, "maowei", code, "first_contact", how_contacted="call", contact_note="已电话联系")
    page = await (await desks.new()).log_in("maowei", f"/orders/{code}")
    await page.locator("[data-act=reply]").click()
    await page.get_by_text("未解决", exact=True).click()
    await page.fill("#act-reply", BAD)
    check = page.locator("[data-reply-check]")
    await expect(check.locator("[data-finding=phone]")).to_be_visible()
    await expect(check.locator("[data-finding=pushed_away]")).to_be_visible()
    await shot(page, "reply_check_zh")
    await page.fill("#act-reply", OTHER.replace("南园路", "北园路"))
    await expect(check.locator("[data-finding=phone]")).to_have_count(0)


async def test_a_limit_is_changed_by_two_persons_with_its_effect_shown(desks: Visitors) -> None:
    first = await (await desks.new()).log_in("sunli", "/policies")
    version = await first.locator("[data-version]").inner_text()
    row = first.locator("[data-policy=T-REPLY-help]")
    await row.locator("input").fill("999")
    desks.all[-1].forgiven.append("Failed to load resource")
    await first.locator("[data-go]").click()
    await expect(row.get_by_role("alert")).to_contain_text("须为 1 至 120")
    await row.locator("input").fill("3")
    await first.locator("[data-go]").click()
    await expect(first.locator("[data-preview]")).to_contain_text("5 工作日 → 3 工作日")
    await first.fill("#note", "本市求助类三个工作日办结")
    await shot(first, "policies_preview_zh")
    await in_english(first)
    await shot(first, "policies_preview_en")
    await in_chinese(first)
    await first.locator("[data-go]").click()
    await expect(first.get_by_role("status")).to_have_text("已提交，等待另一人审批")
    await expect(first.locator("[data-approve]")).to_have_count(0)
    second = await (await desks.new()).log_in("zhoukai", "/policies")
    await expect(second.locator("[data-version]")).to_have_text(version)
    await second.locator("[data-proposal]", has_text="三个工作日").locator("[data-approve]").click()
    await expect(second.locator("[data-version]")).not_to_have_text(version)
    history = second.locator("[data-history] tbody tr").first
    await expect(history).to_contain_text("孙丽 → 周凯")
    await expect(history.locator("[data-difference=T-REPLY-help]")).to_contain_text("5 工作日 → 3 工作日")
    await shot(second, "policies_history_zh")


async def test_the_picture_of_an_orders_life_is_shown(desks: Visitors) -> None:
    page = await (await desks.new()).log_in("maowei", "/flow")
    assert await page.locator(".drawing img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 1000
    await shot(page, "flow_zh")
