"""A supervisor at the wallboard: comes into a call by the browser's phone, writes, moves a seat, sees an alarm."""

import os
from pathlib import Path

from pages import Visitors, expect
from playwright.async_api import Page
from stack import Stack

pytest_plugins = ("stack", "pages")

RULE = {"kind": "waiting", "raise_at": 0, "clear_at": 0, "hold_seconds": 0, "severity": "critical"}


async def picture(page: Page, name: str) -> None:
    """Keep a picture where somebody wants to look at it."""
    if folder := os.environ.get("PICTURES"):
        await page.screenshot(path=Path(folder) / f"{name}.png")


async def speak(page: Page, language: str) -> None:
    """Choose the language of this person's pages."""
    headers = {"X-Callcenter": "1", "Origin": page.url.rsplit("/", 1)[0]}
    answer = await page.request.patch(
        headers["Origin"] + "/api/v1/session", data={"language": language}, headers=headers
    )
    assert answer.status == 200


async def test_a_supervisor_works_from_the_wallboard(stack: Stack, visitors: Visitors) -> None:
    agent = await (await stack.desk("limei")).sit("1001")
    visitor = await visitors.new()
    page = await visitor.log_in("sunli", "/desk")
    await page.select_option("#seat", "1003")
    await page.click("form.take button.main")
    await expect(page.get_by_text("已注册")).to_be_attached()  # with the browser's phone, and not ready
    await page.click("header a[href='/wallboard']")
    citizen = await stack.trunk.call(stack.number(), key="1")
    await agent.state("talking")
    await page.click("[data-seat='1001']")
    await expect(page.locator("dialog [data-mode='listen']")).to_be_visible()
    await picture(page, "seat-acts")
    await page.click("[data-mode='listen']")
    strip = page.locator(".supervising")
    await expect(strip.get_by_text("监听", exact=True).first).to_be_visible(timeout=8_000)
    await strip.get_by_role("button", name="耳语指导").click()
    await expect(strip.get_by_role("button", name="耳语指导")).to_have_attribute("aria-pressed", "true")
    await picture(page, "supervising")
    await strip.get_by_role("button", name="结束").click()
    await expect(strip).to_have_count(0)
    await page.click("[data-seat='1001']")
    await page.fill("#force-reason", "三楼开会")
    await page.select_option("dialog .kind", "MEETING")
    await page.get_by_role("button", name="强制小休").click()
    await expect(page.get_by_text("已执行")).to_be_visible()
    await page.keyboard.press("Escape")
    await citizen.hang_up()
    assert (await agent.state("break"))["reason"] == "MEETING"


async def test_messages_reach_the_desk_and_are_confirmed(stack: Stack, visitors: Visitors) -> None:
    boss, agent = await visitors.new(), await visitors.new()
    desk = await agent.log_in("wangqiang", "/desk")
    for old in (await (await stack.desk("wangqiang")).ask("GET", "/messages", status=200))["items"]:
        await (await stack.desk("wangqiang")).ask("POST", f"/messages/{old['id']}/read", status=204)
    await desk.reload()
    board = await boss.log_in("sunli", "/wallboard")
    await board.get_by_role("button", name="发消息").click()
    await board.fill("#message-text", "今天下午两点停电演练\n请提前保存工单")
    await board.get_by_label("紧急").check()
    await board.get_by_role("button", name="发送").click()
    await expect(board.get_by_text("已发送给")).to_be_visible()
    message = desk.locator("[data-message]")
    await expect(message).to_contain_text("停电演练")
    await expect(message).to_contain_text("孙丽")
    await picture(desk, "inbox")
    await message.get_by_role("button", name="确认收到").click()
    await expect(message).to_have_count(0)
    await expect(board.get_by_text("已读 1/").first).to_be_visible(timeout=6_000)
    await picture(board, "compose")


async def test_an_alarm_is_seen_and_seen_to(stack: Stack, visitors: Visitors) -> None:
    agent = await (await stack.desk("limei")).sit("1001", behaviour="ignore")
    boss = await stack.desk("sunli")
    await boss.ask("PUT", "/alarm-rules/page_test", RULE, status=204)
    visitor = await visitors.new()
    page = await visitor.log_in("sunli", "/wallboard")
    citizen = await stack.trunk.call(stack.number(), key="1")
    banner = page.locator("[data-alarm='page_test']")
    await expect(banner).to_contain_text("排队人数")
    await picture(page, "alarm")
    await banner.get_by_role("button", name="确认").click()
    await expect(banner).to_contain_text("sunli 已确认")
    await citizen.hang_up()
    await expect(banner).to_have_count(0)
    await page.goto(stack.url + "/alarms")
    row = page.locator("[data-rule='page_test']")
    visitor.forgiven.append("409 (Conflict)")  # thresholds that contradict each other
    await row.get_by_label("触发阈值").fill("7")
    await row.get_by_label("解除阈值").fill("9")
    await row.get_by_role("button", name="保存").click()
    await expect(page.get_by_text("解除阈值不得比触发阈值更差")).to_be_visible()
    await row.get_by_label("解除阈值").fill("3")
    await row.get_by_role("button", name="保存").click()
    await expect(page.get_by_text("已保存 page_test")).to_be_visible()
    await picture(page, "alarms")
    rules = {rule["code"]: rule for rule in (await boss.ask("GET", "/alarm-rules", status=200))["items"]}
    assert (rules["page_test"]["raise_at"], rules["page_test"]["clear_at"]) == (7, 3)
    await boss.ask("DELETE", "/alarm-rules/page_test", status=204)
    await agent.leave()


async def test_the_pages_in_english_and_dark(stack: Stack, visitors: Visitors) -> None:
    await (await stack.desk("limei")).sit("1001")
    visitor = await visitors.new(color_scheme="dark", locale="en-GB")
    page = await visitor.log_in("sunli", "/alarms")
    await speak(page, "en")
    await page.reload()
    await expect(page.get_by_role("heading", name="Rules")).to_be_visible()
    await picture(page, "alarms-en")
    await page.goto(stack.url + "/wallboard")
    await page.click("[data-seat='1001']")
    await expect(page.get_by_text("There is no call at this seat now.")).to_be_visible()
    await picture(page, "seat-acts-en")
    await speak(page, "zh")


async def test_calls_are_handed_over_and_people_moved_from_the_wallboard(stack: Stack, visitors: Visitors) -> None:
    """By keyboard: from the row of a waiting call, from a person's tile, and into a call from the list of talks."""
    silent = await (await stack.desk("limei")).sit("1001", behaviour="ignore")
    first = await (await stack.desk("wangqiang")).sit("1002", ready=False)
    second = await (await stack.desk("zhaolei")).sit("1004", ready=False)
    visitor = await visitors.new()
    page = await visitor.log_in("sunli", "/wallboard")
    citizens = [await stack.trunk.call(stack.number(), key="1") for _ in range(2)]
    rows = page.locator(".waiting [data-call]")
    await expect(rows).to_have_count(2)
    await rows.first.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("dialog [data-pull]")).to_be_visible()
    await page.select_option("[data-pull]", "1002")
    await picture(page, "pull-to-whom")
    await page.get_by_role("button", name="指派接听").press("Enter")
    await first.state("talking")
    await expect(page.locator("dialog")).to_have_count(0)
    await page.click("[data-seat='1004']")
    await expect(page.locator("dialog [data-pull] option")).to_have_count(2)
    await picture(page, "pull-which")
    await page.select_option("[data-pull]", index=1)
    await page.get_by_role("button", name="指派接听").click()
    await second.state("talking")
    await page.click("[data-seat='1001']")
    english = page.locator("dialog [data-queue='english']")
    await expect(english).to_have_value("1")
    await english.select_option("0")
    await silent.screen.until(lambda view: view["seat"]["queues"] == ["citizen", "danger", "enterprise"])
    await picture(page, "skills")
    await expect(english).to_be_enabled()
    await english.select_option("1")
    await silent.screen.until(lambda view: view["seat"]["queues"] == ["citizen", "danger", "english", "enterprise"])
    await page.keyboard.press("Escape")
    await page.locator("[data-talks]").press("Enter")
    talks = page.locator("dialog [data-call]")
    await expect(talks).to_have_count(2)
    await picture(page, "talks")
    await talks.first.press("Enter")
    await expect(page.locator("dialog [data-mode='listen']")).to_be_visible()
    await picture(page, "call-acts")
    await speak(page, "en")
    await page.reload()
    await page.locator("[data-talks]").press("Enter")
    await picture(page, "talks-en")
    await talks.first.press("Enter")
    await picture(page, "call-acts-en")
    await page.keyboard.press("Escape")
    await page.click("[data-seat='1001']")
    await expect(page.locator("dialog [data-queue='english']")).to_have_value("1")
    await picture(page, "seat-acts-more-en")
    await speak(page, "zh")
    for citizen in citizens:
        await citizen.hang_up()
