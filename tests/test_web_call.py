"""A citizen's call at the desk page, from the ring to the work order, in real browsers over a real Asterisk."""

import asyncio
import os
import re
import time
import uuid
from datetime import date
from itertools import count
from pathlib import Path

from pages import Visitors
from playwright.async_api import Browser, Page, expect
from stack import Stack

from callcenter.workorders.codes import order_code

pytest_plugins = ("stack", "pages")

_numbers = count(810_001)
#: Where pictures of the pages are put to be looked at; unset: nowhere.
PICTURES = os.environ.get("ORDER_PICTURES")


async def shot(page: Page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png")


async def state(page: Page, *states: str, timeout: float = 5_000) -> None:
    wanted = re.compile("^(" + "|".join(states) + ")$")
    await expect(page.locator("[data-seat-state]")).to_have_attribute("data-state", wanted, timeout=timeout)


async def rung(page: Page, number: str) -> None:
    """The screen-pop of this caller is there and its phone can be answered."""
    await expect(page.locator("[data-pop][data-state=ringing] [data-number]")).to_have_text(number, timeout=20_000)
    await expect(page.locator(".answer")).to_be_enabled()


async def talks(page: Page) -> None:
    await expect(page.locator("[data-pop][data-state=talking]")).to_be_visible()


async def write(page: Page, subject: str, category: str = "ludeng", description: str = "") -> None:
    """By the keyboard alone, as an agent does."""
    await page.keyboard.press("Alt+c")
    await page.keyboard.type(category)
    await page.keyboard.press("Enter")
    await page.keyboard.press("Alt+w")
    await page.keyboard.insert_text(subject)
    if description:
        await page.keyboard.press("Tab")
        await page.keyboard.insert_text(description)


async def saved(page: Page) -> None:
    await expect(page.locator("[data-save-state]")).to_have_attribute("data-is", "saved")


async def test_who_dials_a_closed_number_is_answered_and_the_desk_says_whose_it_was(
    stack: Stack, visitors: Visitors
) -> None:
    desk = await (await visitors.new()).sit("limei", "1001")
    citizen = await stack.trunk.call(stack.number(), dialed="12349", key="1")
    await rung(desk, citizen.number)
    await expect(desk.locator("[data-pop]")).to_contain_text("12349 民政服务")
    await expect(desk.locator("[data-owner]")).to_contain_text("民政局")
    await citizen.hang_up()
    record = await stack.record(citizen.number)
    assert (record["dialed"], record["service"]) == ("12349", "civil")


async def test_from_the_page_try_to_a_work_order(stack: Stack, visitors: Visitors) -> None:
    desk = await (await visitors.new()).sit("limei", "1001")
    board = await (await visitors.new(color_scheme="dark")).log_in("sunli", "/wallboard")
    await expect(board.locator("[data-live=true]")).to_be_visible()

    number = stack.number()
    citizen = await (await visitors.new()).page("/try")
    await citizen.fill("#from", number)
    await citizen.get_by_role("button", name="呼叫").click()
    await expect(citizen.locator("[data-talk=up]")).to_be_visible()
    await citizen.get_by_role("button", name="1 英语").click()

    await rung(desk, number)
    await expect(desk.locator("[data-pop]")).to_contain_text("1 英语")
    await expect(board.locator("[data-figure=waiting]")).to_have_text("1")
    await desk.keyboard.press("Alt+a")
    await talks(desk)
    await expect(board.locator("[data-figure=waiting]")).to_have_text("0")

    # Both hear each other: the made-up microphones beep now and then.
    for page in (desk, citizen):
        for n in range(2):
            beep = f"() => document.querySelectorAll('.level .fill')[{n}].getAttribute('width') > 5"
            await page.wait_for_function(beep, polling=50)

    await desk.keyboard.press("Alt+h")
    await expect(desk.locator("[data-pop][data-state=on_hold]")).to_be_visible()
    await state(desk, "on_hold")
    await desk.keyboard.press("Alt+h")
    await talks(desk)
    await desk.keyboard.press("Alt+m")
    await expect(desk.get_by_role("button", name="取消静音")).to_have_attribute("aria-pressed", "true")

    await write(desk, "路灯不亮", description="滨河路整条路的路灯不亮，已有三天")
    await saved(desk)
    await citizen.get_by_role("button", name="挂断").click()
    await state(desk, "wrap_up")
    await expect(desk.locator("[data-pop]")).to_have_attribute("data-state", "ended")

    # Where it is, as a Chinese web map copies it: longitude first, some hundred metres off. A click moves it.
    point = desk.locator("[data-point]")
    await point.locator("summary").click()
    await point.locator("[data-point-text]").fill("22.5,")
    await expect(point).to_contain_text("无法识别")
    await point.locator("[data-point-text]").fill("114.063014, 22.540283")
    await point.get_by_label("坐标系").select_option("gcj02")
    await expect(point.locator("summary")).to_contain_text("22.543000, 114.0579")
    await point.scroll_into_view_if_needed()
    await shot(desk, "desk_point_zh")
    drawing = point.locator("svg")
    box = await drawing.bounding_box()
    assert box is not None
    # A quarter of its width to the east: 625 m.
    await drawing.click(position={"x": box["width"] * 0.75, "y": box["height"] / 2})
    await expect(point.locator("summary")).to_contain_text("114.0639")

    await desk.locator("#subject").focus()
    await desk.keyboard.press("Control+Enter")
    code = await desk.locator("[data-order-code]").inner_text()
    rows = await stack.rows("SELECT * FROM orders WHERE code = $1", code)
    assert [(round(row["lat"], 3), round(row["lon"], 3)) for row in rows] == [(22.543, 114.064)]
    assert [(row["subject"], row["state"], row["category"]) for row in rows] == [
        ("路灯不亮", "pending_dispatch", "0105")
    ]
    record = await stack.record(number)
    assert (record["outcome"], record["language"], record["seat"]) == ("answered", "en", "1001")

    # After a reload the order is still there, and no empty form asks for a second one.
    await desk.reload()
    if await desk.locator("[data-pop]").count():
        await expect(desk.locator("[data-order-code]")).to_have_text(code)
    await desk.goto(f"{stack.url}/orders/{code}")
    await expect(desk.locator("main")).to_contain_text("滨河路整条路的路灯不亮")
    await desk.get_by_role("link", name="查看通话记录").click()
    await expect(desk.locator("aside")).to_contain_text(code)


async def test_a_reload_brings_call_and_draft_back(stack: Stack, visitors: Visitors) -> None:
    desk = await (await visitors.new()).sit("wangqiang", "1002")
    citizen = await stack.trunk.call(number := stack.number(), key="2")
    await rung(desk, number)
    await desk.keyboard.press("Alt+a")
    await talks(desk)
    await write(desk, "企业咨询社保补贴")
    typed = time.monotonic()
    await saved(desk)
    assert time.monotonic() - typed < 3
    desk.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await desk.reload()
    await expect(desk.locator("[data-number]")).to_have_text(number)
    await expect(desk.locator("#subject")).to_have_value("企业咨询社保补贴")
    await talks(desk)
    assert citizen.ended_at is None
    # The sound went with the page, so the button ends the call by the service.
    await desk.get_by_role("button", name="挂断").click()
    await citizen.until("ended_at")
    assert citizen.ended_by == "far"


async def test_a_closed_browser_loses_at_most_three_seconds(stack: Stack, visitors: Visitors) -> None:
    first = await visitors.new()
    desk = await first.sit("chenjing", "1003")
    await stack.trunk.call(number := stack.number(), key="1")
    await rung(desk, number)
    await desk.keyboard.press("Alt+a")
    await talks(desk)
    await desk.keyboard.press("Alt+w")
    # Typing without a pause, then the power goes: no farewell of the page is sent.
    typing = time.monotonic()
    words = 0
    while time.monotonic() - typing < 6:
        await desk.keyboard.insert_text("一")
        words += 1
        await asyncio.sleep(0.1)
    session = await first.context.new_cdp_session(desk)
    await session.send(
        "Network.emulateNetworkConditions",
        {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0},
    )
    await desk.close(run_before_unload=False)

    again = await visitors.new()
    await again.context.add_cookies(await first.context.cookies())  # type: ignore[arg-type]
    elsewhere = await again.page("/desk")
    await expect(elsewhere.locator("[data-number]")).to_have_text(number)
    await expect(elsewhere.locator("#subject")).to_have_value(re.compile("^一+$"))
    kept = len(await elsewhere.locator("#subject").input_value())
    assert words - kept <= 31, f"{words} written, {kept} kept"


async def test_the_newest_tab_wins_and_the_other_says_so(stack: Stack, visitors: Visitors) -> None:
    visitor = await visitors.new()
    old = await visitor.sit("zhaolei", "1004")
    new = await visitor.page("/desk")
    await state(new, "ready")
    await expect(old.get_by_role("alertdialog")).to_contain_text("已在另一个标签页打开")
    # The call rings in the new tab; the seat was never lost.
    citizen = await stack.trunk.call(number := stack.number(), key="1")
    await rung(new, number)
    await new.keyboard.press("Alt+a")
    await talks(new)
    await write(new, "路灯不亮")
    await saved(new)
    # Taken back in mid-call: the sound stays where it is, and both say so.
    await old.get_by_role("button", name="切回本页使用").click()
    await talks(old)
    await expect(new.get_by_role("alertdialog")).to_contain_text("声音还在本页")
    await expect(old.get_by_text("这通电话的声音不在本页")).to_be_visible()
    await expect(old.locator("#subject")).to_have_value("路灯不亮")
    # And back again: the tab that has the sound goes on with the call.
    await new.get_by_role("button", name="切回本页使用").click()
    await talks(new)
    await expect(old.get_by_role("alertdialog")).to_be_visible()
    await expect(new.get_by_role("button", name="静音")).to_be_visible()
    assert citizen.ended_at is None
    await new.get_by_role("button", name="挂断").click()
    await state(new, "wrap_up")
    await expect(new.get_by_text("浏览器软电话 · 已注册")).to_be_attached()


async def test_a_desk_phone_pops_before_it_is_answered(stack: Stack, visitors: Visitors) -> None:
    phone = await stack.phone("1005")
    phone.behaviour, phone.delay = "answer", 2.0
    visitor = await visitors.new(locale="en-GB")
    page = await visitor.log_in("limei", "/desk")
    await page.get_by_role("button", name="English").click()
    await page.select_option("#seat", "1005")
    await page.get_by_text("SIP telephone on the desk").click()
    await page.get_by_role("button", name="Take the seat").click()
    await state(page, "break")
    await page.get_by_role("button", name="Ready", exact=True).click()
    await state(page, "ready")
    hostile = '"<img src=x onerror=alert(1)>" <sip:{}@127.0.0.1>'
    number = stack.number()
    await stack.trunk.call(number, from_=hostile.format(number), key="1")
    await expect(page.locator("[data-pop][data-state=ringing] [data-number]")).to_have_text(number, timeout=20_000)
    await expect(page.get_by_text("Answer on the telephone")).to_be_visible()
    await expect(page.locator("[data-pop]")).to_contain_text("<img src=x onerror=alert(1)>")
    await talks(page)
    await page.get_by_role("button", name="Hang up").click()
    await state(page, "wrap_up")
    await page.get_by_role("button", name="中").click()


async def test_missed_rings_make_the_seat_unreachable_in_sight(stack: Stack, visitors: Visitors) -> None:
    desk = await (await visitors.new()).sit("limei", "1001")
    await stack.trunk.call(stack.number(), key="1")
    await state(desk, "ringing", timeout=20_000)
    await state(desk, "unreachable", timeout=40_000)
    await expect(desk.get_by_role("alert").filter(has_text="未接")).to_be_visible()
    await desk.keyboard.press("Alt+r")
    await state(desk, "ready", "ringing")


async def test_a_blocked_microphone_is_explained(stack: Stack, deaf_chromium: Browser) -> None:
    visitors = Visitors(stack, deaf_chromium, {})
    visitor = await visitors.new(permissions=[])
    page = await visitor.log_in("limei", "/desk")
    await page.click("form.take button.main")
    await expect(page.get_by_role("alert")).to_contain_text("麦克风")
    citizen = await visitor.page("/try")
    await citizen.get_by_role("button", name="呼叫").click()
    await expect(citizen.locator(".screen")).to_contain_text("麦克风")
    await visitor.context.close()
    assert not visitor.complaints


async def test_who_calls_again_about_the_same_matter_is_urged_by_the_same_key(stack: Stack, visitors: Visitors) -> None:
    desk = await (await visitors.new()).sit("chenjing", "1003")
    citizen = await stack.trunk.call(number := stack.number(), key="1")
    await rung(desk, number)
    call = await desk.locator("[data-pop]").get_attribute("data-call")
    first, second = [await earlier(stack, str(call)) for _ in range(2)]
    await desk.keyboard.press("Alt+a")
    await talks(desk)
    await write(desk, "路灯还是不亮", description="上周报的路灯还没有修")
    box = desk.locator("[data-repeats]")
    await expect(box.locator(f"[data-repeat='{second}'] input")).to_be_checked()
    await expect(desk.locator("[data-end=pending_dispatch]")).to_have_text("记为催办")
    await shot(desk, "repeat-zh")
    await desk.keyboard.press("Control+Enter")
    await expect(desk.locator("[data-urged]")).to_be_visible()
    await expect(desk.locator("[data-order-code]")).to_have_text(second)
    (urged,) = await stack.rows("SELECT urges, urge_level, state FROM orders WHERE code = $1", second)
    assert (urged["urges"], urged["urge_level"], urged["state"]) == (1, 1, "in_progress")
    # An order that its citizen no longer wants goes at their word.
    await desk.locator(f"[data-withdraw='{first}']").click()
    await shot(desk, "withdraw-zh")
    await desk.locator("[data-withdraw-send]").click()
    await expect(desk.locator("[data-withdrawn]")).to_contain_text(first)
    # One that was closed is reopened at their word, as long as it can be.
    closed = await earlier(stack, str(call), "closed")
    await desk.get_by_role("button", name="同一来电再登记一件").click()
    await write(desk, "修好的路灯又不亮了", description="上月修好的那盏又坏了")
    await box.locator(f"[data-repeat='{closed}'][data-way=reopen] input").check()
    await box.locator("#reopen-reason").select_option("false_reply")
    await shot(desk, "reopen-zh")
    await desk.keyboard.press("Control+Enter")
    await expect(desk.locator("[data-urged]")).to_contain_text("重新办理")
    (again,) = await stack.rows(
        "SELECT o.state, h.given FROM orders o JOIN order_history h ON h.order_id = o.id AND h.event = 'reopen'"
        " WHERE code = $1",
        closed,
    )
    assert again["state"] == "rehandle" and "false_reply" in again["given"] and str(call) in again["given"]
    # Another matter is a new order, though it looks like this one.
    await desk.get_by_role("button", name="同一来电再登记一件").click()
    await write(desk, "路灯不亮，另一条街", description="南环路的路灯也不亮")
    await box.locator("[data-other-matter]").check()
    await desk.keyboard.press("Control+Enter")
    await expect(desk.locator("[data-order-code]")).not_to_have_text(second)
    (told,) = await stack.rows(
        "SELECT given FROM order_history h JOIN orders o ON o.id = h.order_id WHERE o.call_id = $1 AND n = 1", call
    )
    assert second in told["given"]
    # What nobody here can say goes to support staff, and what is not the city's elsewhere, with its reason.
    await desk.get_by_role("button", name="同一来电再登记一件").click()
    await desk.keyboard.press("Alt+w")
    await desk.keyboard.insert_text("退役军人落户办理条件")
    await desk.keyboard.press("Tab")
    await desk.keyboard.insert_text("知识库未查到，需核实后答复")
    await desk.keyboard.press("Alt+i")
    await expect(desk.locator("[data-order-code]")).to_be_visible()
    await desk.get_by_role("button", name="同一来电再登记一件").click()
    await desk.keyboard.press("Alt+w")
    await desk.keyboard.insert_text("邻市公交刷卡重复扣费")
    await desk.locator("[data-otherwise]").click()
    await desk.locator("[data-other-ends] input[value=hand_over]").check()
    await desk.locator("[data-end=transferred_out]").click()
    await expect(desk.locator("#act-handed_to")).to_be_focused()
    await shot(desk, "other-ends-zh")
    await desk.fill("#act-handed_to", "广州 12345")
    await desk.fill("#act-reason", "事发地在广州")
    await desk.locator("[data-end=transferred_out]").click()
    await expect(desk.locator("[data-order-code]")).to_be_visible()
    ended = await stack.rows("SELECT state, category FROM orders WHERE call_id = $1 ORDER BY created_at", call)
    assert [(row["state"], row["category"]) for row in ended[-2:]] == [("investigating", ""), ("transferred_out", "")]
    await citizen.hang_up()


async def earlier(stack: Stack, call: str, state: str = "in_progress") -> str:
    """An order that the caller of a call has in a unit's hands, or had; its code."""
    async with asyncio.timeout(20):
        while not (found := await stack.rows("SELECT number_key FROM calls WHERE id = $1", call)):
            await asyncio.sleep(0.1)
    code: str = order_code(date(2026, 11, 20), next(_numbers))
    await stack.rows(
        "INSERT INTO orders (id, code, check_code, call_id, state, kind, category, urgency, subject, callback_key,"
        " department, created_by, created_at, updated_at)"
        " VALUES ($1, $2, '1234', 'n1-1.1', $5, 'complaint', '0105', 'U3', '路灯不亮', $3, 'D29', 'limei',"
        " now() + make_interval(secs => $4), now())",
        key := uuid.uuid4(), code, found[0]["number_key"], float(int(code[6:12]) % 60), state,
    )  # fmt: skip
    if state == "closed":
        await stack.rows(
            "INSERT INTO order_clocks (order_id, n, name, policy, value, unit, started_at, due_at, first_due_at)"
            " VALUES ($1, 1, 'T-REOPEN', 'T-REOPEN', 30, 'day', now(), now() + '30 days', now() + '30 days')",
            key,
        )
    return code
