"""The pages beside a call: the door, the wallboard, the lists, the accounts; in both languages, light and dark."""

import os
import re
import signal
from collections.abc import AsyncIterator
from typing import Literal

import pytest
from pages import LAPTOP, Visitor, Visitors
from playwright.async_api import Browser, Page, Route, expect
from stack import Stack
from test_web_lists import put

pytest_plugins = ("stack", "pages")

#: Console lines that the browser itself writes when the service refuses or is gone.
REFUSED = "Failed to load resource"
GONE = "WebSocket connection to"

CHINESE = re.compile("[\u4e00-\u9fff]")


async def test_the_door(stack: Stack, visitors: Visitors) -> None:
    visitor = await visitors.new()
    page = await visitor.page("/wallboard")
    await expect(page).to_have_url(re.compile(r"/login\?to=/wallboard$"))
    visitor.forgiven.append(REFUSED)
    await page.fill("#login", "limei")
    await page.fill("#password", "not the password")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("账号或口令不正确")
    await expect(page.locator("#password")).to_be_focused()
    await page.keyboard.type(visitor.password("limei"))
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(stack.url + "/wallboard")
    # An operator has no business with accounts.
    await page.goto(stack.url + "/admin")
    await expect(page.get_by_role("alert")).to_have_text("您的角色没有该页面的权限。")
    await expect(page.get_by_role("link", name="账号与座席")).to_have_count(0)
    # A login that ends elsewhere ends here.
    await page.goto(stack.url + "/desk")
    await expect(page.get_by_role("heading", name="签入座席")).to_be_visible()
    headers = {"X-Callcenter": "1", "Origin": stack.url}
    await visitor.context.request.delete(stack.url + "/api/v1/session", headers=headers)
    await expect(page).to_have_url(re.compile(r"/login\?to=/desk$"))


async def test_a_login_leads_nowhere_else(stack: Stack, visitors: Visitors) -> None:
    visitor = await visitors.new()
    page = await visitor.page("/login?to=//example.org/")
    await page.fill("#login", "sunli")
    await page.fill("#password", visitor.password("sunli"))
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(f"^{re.escape(stack.url)}/"))
    await expect(page.get_by_role("button", name="退出")).to_be_visible()


async def test_the_wallboard_counts_and_never_shows_old_numbers_as_live(stack: Stack, visitors: Visitors) -> None:
    visitor = await visitors.new(viewport={"width": 3840, "height": 2160}, color_scheme="dark")
    page = await visitor.log_in("sunli", "/wallboard")
    board = page.locator(".board")
    await expect(board).to_have_attribute("data-live", "true")
    offered = int(await page.locator("[data-figure=offered]").inner_text())
    desk = await (await stack.desk("limei")).sit("1007", behaviour="ignore")
    citizen = await stack.trunk.call(stack.number(), key="1")
    await expect(page.locator("[data-figure=waiting]")).to_have_text("1", timeout=15_000)
    await expect(page.locator("[data-figure=longest]")).to_have_text(re.compile(r"^0:0[1-9]$"))
    await citizen.hang_up()
    await expect(page.locator("[data-figure=waiting]")).to_have_text("0")
    await expect(page.locator("[data-figure=longest]")).to_have_text("—")
    await expect(page.locator("[data-figure=offered]")).to_have_text(str(offered + 1))

    await desk.leave()
    visitor.forgiven += [REFUSED, GONE]
    os.kill(stack.pid("service"), signal.SIGKILL)
    await expect(board).to_have_attribute("data-live", "false")
    await expect(page.get_by_role("alert")).to_contain_text("以下为旧数据")
    await expect(board).to_have_attribute("data-live", "true", timeout=30_000)
    await expect(page.get_by_role("alert")).to_have_count(0)
    await stack.ready_again(10)


async def test_the_board_before_any_call_has_no_shares(stack: Stack, visitors: Visitors) -> None:
    page = await (await visitors.new()).log_in("sunli", "/wallboard")
    await expect(page.locator(".board")).to_have_attribute("data-live", "true")
    offered = await page.locator("[data-figure=offered]").inner_text()
    share = await page.locator("[data-figure=service_level]").inner_text()
    assert (share == "—") if offered == "0" else re.fullmatch(r"\d+(\.\d)?%", share)


SUPERVISORS = (
    "/",
    "/desk",
    "/wallboard",
    "/calls",
    "/callbacks",
    "/inbox",
    "/dispatch",
    "/orders",
    "/try",
    "/hours",
    "/numbers",
    "/announce",
    "/routing",
    "/staffing",
    "/alarms",
    "/breaks",
    "/experts",
    "/deletions",
    "/notices",
    "/progress",
    "/orders/{code}",
    *(f"/quality/{tab}" for tab in ("todo", "all", "results", "calibration", "draw", "forms", "mine")),
)
OTHERS = (
    ("qianwen", "/expert"),
    ("zhoukai", "/admin"),
    ("zhoukai", "/policies"),
    ("linxia", "/visits"),
    ("linxia", "/desk"),
    ("wumin", "/audits"),
    ("maowei", "/flow"),
    ("xuning", "/privacy"),
    ("xuning", "/audit"),
)
#: The order that is looked at.
SHOWN = {"code": ""}
EVERY_PAGE = (*(("sunli", path) for path in SUPERVISORS), *OTHERS)


@pytest.fixture(scope="module")
async def at_home(one_stack: Stack, chromium: Browser) -> AsyncIterator[dict[str, Visitor]]:
    """The browser of each person who looks at pages: one for all of them, at an office that has work."""
    await one_stack.employ("xuning", "许宁", "Xu Ning", "privacy")
    with_handler = {"state": "in_progress", "handler": "tangjun", "clock": ("T-REPLY", "working_day")}
    for columns in ({}, with_handler, {"state": "replied"}, {"state": "pending_visit"}):
        SHOWN["code"] = await put(one_stack, subject="Stalls block the way", **columns)
    visitors: dict[str, Visitor] = {}
    for login in {login for login, _ in EVERY_PAGE}:
        visitors[login] = Visitor(one_stack, await chromium.new_context(viewport=LAPTOP))
    yield visitors
    for visitor in visitors.values():
        await visitor.context.close()


@pytest.mark.parametrize(("login", "path"), EVERY_PAGE)
async def test_every_page_in_both_languages_on_a_laptop(
    stack: Stack, at_home: dict[str, Visitor], login: str, path: str
) -> None:
    visitor = at_home[login]
    page = await visitor.log_in(login, path.format(**SHOWN))
    await expect(page.locator("h1").first).to_be_attached()
    await expect(page.locator(".bone")).to_have_count(0)
    await expect(page.get_by_text("加载中…", exact=True)).to_have_count(0)
    await expect(page.locator(".demo")).to_contain_text("演示环境")
    assert await bad_contrast(page) == []
    await page.locator(".set button").first.click()
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await expect(page.locator(".demo")).to_contain_text("Demonstration")
    # Data may be Chinese (names without an English form); our own words are not.
    words = await page.locator("h1, h2, h3, label, legend, th, dt, .notice").all_inner_texts()
    assert [each for each in words if CHINESE.search(each)] == []
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, "it scrolls sideways"
    assert await bad_contrast(page) == []
    await page.locator(".set button").first.click()
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    visitor.spare = page
    assert not visitor.complaints


async def bad_contrast(page: Page) -> list[str]:
    """What cannot be read well, by light or in the dark."""
    found: list[str] = []
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found += [f"{scheme}: {each}" for each in await page.evaluate(CONTRAST)]
    return found


async def test_accounts_and_seats(stack: Stack, visitors: Visitors) -> None:
    page = await (await visitors.new()).log_in("zhoukai", "/admin")
    await page.fill("#new-login", "new.agent")
    await page.fill("#new-zh", "新人")
    await page.fill("#new-en", "New Agent")
    await page.get_by_role("button", name="新增账号").click()
    password = await page.locator(".notice.good .shown").inner_text()
    entered = await (await visitors.new()).page("/login")
    await entered.fill("#login", "new.agent")
    await entered.fill("#password", password)
    await entered.keyboard.press("Enter")
    await expect(entered).to_have_url(stack.url + "/desk")
    # Closed: the person is out at once.
    row = page.locator("tr", has_text="new.agent")
    await row.get_by_role("button", name="停用").click()
    await expect(row).to_contain_text("启用")
    await expect(entered).to_have_url(re.compile("/login"))

    await page.fill("#new-seat", "1777")
    await page.get_by_role("button", name="新增座席").click()
    seat = page.locator(".seats li", has_text="1777")
    await seat.get_by_role("button", name="查看密钥").click()
    await expect(page.locator(".notice.good .shown").last).to_have_text(re.compile("^[A-Z2-7]{20,}$"))
    await seat.get_by_role("button", name="停用").click()
    await expect(seat.locator(".pill")).to_have_text("停用")


async def test_the_service_away_while_writing(stack: Stack, visitors: Visitors) -> None:
    visitor = await visitors.new()
    desk = await visitor.sit("wangqiang", "1006")
    await stack.trunk.call(number := stack.number(), key="1")
    await expect(desk.locator("[data-pop][data-state=ringing] [data-number]")).to_have_text(number, timeout=20_000)
    await expect(desk.locator(".answer")).to_be_enabled()
    await desk.keyboard.press("Alt+a")
    await expect(desk.locator("[data-pop][data-state=talking]")).to_be_visible()
    visitor.forgiven += [REFUSED, GONE]
    await desk.route("**/draft", _nobody)
    await desk.fill("#subject", "写到一半，服务断了")
    badge = desk.locator("[data-save-state]")
    await expect(badge).to_have_attribute("data-is", "failed")
    await expect(badge).to_contain_text("已存在本机")
    await desk.unroute("**/draft")
    await expect(badge).to_have_attribute("data-is", "saved")
    # The service dies under the call: the call goes on, and so does the card.
    os.kill(stack.pid("service"), signal.SIGKILL)
    await expect(desk.get_by_role("alert").filter(has_text="连接中断")).to_be_visible()
    await stack.ready_again(15)
    await expect(desk.get_by_role("alert").filter(has_text="连接中断")).to_have_count(0, timeout=20_000)
    await expect(desk.locator("[data-pop][data-state=talking] [data-number]")).to_have_text(number)
    await expect(desk.locator("#subject")).to_have_value("写到一半，服务断了")
    await desk.keyboard.press("Alt+x")
    await expect(desk.locator("[data-seat-state]")).to_have_attribute("data-state", re.compile("wrap_up|ready"))


async def _nobody(route: Route) -> None:
    await route.abort("connectionrefused")


#: Texts whose contrast is below 4.5 (3 for large ones), WCAG 2 AA; what is disabled is exempt.
CONTRAST = """() => {
  const canvas = document.createElement('canvas'); canvas.width = canvas.height = 1
  const pen = canvas.getContext('2d', { willReadFrequently: true })
  const rgba = (colour) => { pen.clearRect(0, 0, 1, 1); pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1)
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255] }
  const behind = (node) => { for (let at = node; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor); if (colour[3] > 0.99) return colour }
    return rgba('white') }
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0)
  const bad = []
  for (const node of document.querySelectorAll('#app *')) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim())
    if (!own || !node.checkVisibility() || node.closest(':disabled, .unseen, svg, .skip')) continue
    const style = getComputedStyle(node)
    const [a, b] = [light(rgba(style.color)), light(behind(node))]
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700)
    if (ratio < (large ? 3 : 4.5)) bad.push(`${node.textContent.trim().slice(0, 30)} ${ratio.toFixed(2)}`)
  }
  return bad
}"""
