"""A citizen's call at the desk page, from the ring to the work order, in real browsers over a real Asterisk."""

import asyncio
import re
import time

from pages import Visitors
from playwright.async_api import Browser, Page, expect
from stack import Stack

pytest_plugins = ("stack", "pages")


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
            await page.wait_for_function(beep, timeout=10_000, polling=50)

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

    await desk.keyboard.press("Control+Enter")
    code = await desk.locator("[data-order-code]").inner_text()
    rows = await stack.rows("SELECT * FROM orders WHERE code = $1", code)
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
    await expect(desk.locator("aside")).to_contain_text("滨河路整条路的路灯不亮")
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
    visitors = Visitors(stack, deaf_chromium)
    visitor = await visitors.new(permissions=[])
    page = await visitor.log_in("limei", "/desk")
    await page.click("form.take button.main")
    await expect(page.get_by_role("alert")).to_contain_text("麦克风")
    citizen = await visitor.page("/try")
    await citizen.get_by_role("button", name="呼叫").click()
    await expect(citizen.locator(".screen")).to_contain_text("麦克风")
    await visitor.context.close()
    assert not visitor.complaints
