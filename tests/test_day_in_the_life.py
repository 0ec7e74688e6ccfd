"""A day in the life of two orders: each step by the person whose work it is, in the page made for it, by telephone.

A citizen calls about a night market. The order goes to the police, who return it; to the city management, who return it
too; the dispute is ruled; it is handled, extended, replied to, audited; its citizen is visited by telephone and not
satisfied; it is handled again, visited again and closed. Meanwhile another citizen reports somebody of the city
management in confidence: whom the report complains of never learns of it.
"""

import asyncio
from dataclasses import dataclass, field
from functools import partial

import pytest
from outside import Outside
from pages import Visitor, Visitors
from playwright.async_api import Page, Response, expect
from stack import PATIENCE, Stack
from test_web_order import begin, is_now, picked, send
from test_web_pages import REFUSED
from test_web_transfers import answered, desks, shot
from test_web_visits import in_chinese, in_english
from trunk import Citizen

from callcenter.workorders.guards import CHECKS

pytest_plugins = ("stack", "pages")

__all__ = ["desks"]

MARKET = "夜市占道烧烤，深夜噪声扰民"
MARKET_WORDS = "园岭一街夜市每晚摆到凌晨两点，烧烤摊占了人行道，音响很大，我们旅馆的住客没法休息，已有三间退房。"
BRIBE = "反映执法人员收受夜市摊主好处"
BRIBE_WORDS = "有人看见执法队员每周向摊主收取现金，检查前先打招呼，所以一直没有人管。"
ACCUSED = "毛伟"
#: Whom it complains of, and who works with them.
CONCERNED = ("maowei", "tangjun", "xiejie")
FIRST_REPLY = (
    "经查，园岭一街夜市占道烧烤、噪声扰民情况属实。执法人员当晚到现场劝离烧烤摊五户，"
    "依照《市容和环境卫生管理条例》第十四条责令整改，清洗了油污路面，并已电话向您说明。"
)
SECOND_REPLY = (
    "针对您在回访时反映的摊贩复返，工作人员再次到场核实并与您当面沟通。对屡劝不改的两户，"
    "已依据《城市市容管理规定》第三十二条立案处罚、暂扣音响，自本周起每晚二十时至次日一时安排专人值守。"
)


@dataclass
class Day:
    """Everybody's browser, one tab each; `heard`: all that the service told the concerned, in answers and in frames.

    What they were told comes after the login and the address.
    """

    desks: Visitors
    world: Outside
    visitors: dict[str, Visitor] = field(default_factory=dict)
    pages: dict[str, Page] = field(default_factory=dict)
    heard: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def stack(self) -> Stack:
        return self.desks.stack

    async def at(self, login: str, path: str) -> Page:
        """Somebody goes to a page: by the address the first time, then by the links of the pages."""
        if login not in self.pages:
            concerned = login in CONCERNED
            visitor = self.visitors[login] = await self.desks.new(own=concerned)
            if concerned:
                visitor.context.on("page", lambda page: self._listen(login, page))
            self.pages[login] = await visitor.log_in(login, "/")
        page = self.pages[login]
        link = page.locator(f"nav a[href='{path}']").first
        await expect(page.get_by_role("button", name="退出")).to_be_visible()
        if not await link.is_visible():
            await page.get_by_role("button", name="更多").click()
        await link.click()
        await expect(page.locator("h1").first).to_be_visible()
        return page

    async def task(self, login: str, code: str, *, event: str = "") -> Page:
        """Somebody opens an order from their inbox by the keyboard, and begins an act."""
        page = await self.at(login, "/inbox")
        row = page.locator(f"tr[data-code='{code}']")
        await row.focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("[data-head]")).to_be_visible()
        if event:
            await begin(page, event)
        return page

    def _listen(self, login: str, page: Page) -> None:
        page.on("response", lambda response: asyncio.ensure_future(self._hear(login, response)))
        page.on("websocket", lambda socket: socket.on("framereceived", partial(self._frame, login, socket.url)))

    async def _hear(self, login: str, response: Response) -> None:
        if "/api/" in response.url and response.request.resource_type in {"fetch", "xhr"}:
            self.heard.append((login, response.url, await response.text()))

    def _frame(self, login: str, url: str, said: str | bytes) -> None:
        self.heard.append((login, url, said if isinstance(said, str) else said.decode(errors="replace")))


@pytest.mark.long
async def test_a_day_in_the_life_of_two_orders(desks: Visitors, world: Outside) -> None:
    day = Day(desks, world)
    await open_for_visits(day.stack)
    police = await day.stack.employ("gaoyan", "高岩", "Gao Yan", "liaison", "D07")
    caller, code = await a_citizen_calls(day)
    secret = await another_reports_in_confidence(day)
    await returned_disputed_and_ruled(day, code, police)
    await the_report_reaches_the_police_alone(day, secret, police)
    await signed_contacted_and_extended(day, code)
    await replied_and_audited(day, code, FIRST_REPLY)
    await visited(day, code, caller, satisfied=False)
    await judged(day, code)
    await replied_and_audited(day, code, SECOND_REPLY)
    await visited(day, code, caller, satisfied=True)
    await seen_by_the_citizen(day, code)
    await invisible_to_whom_it_complains_of(day, secret)
    assert "0 unexplained" in await day.stack.reconcile()


# --- the office -------------------------------------------------------------------------------------------------------


async def open_for_visits(stack: Stack) -> None:
    """Whatever time it is, citizens may be visited: the hours are changed by two persons, as any city may."""
    first, second = await stack.browser("sunli"), await stack.browser("zhoukai")
    _, table = await first.ask("GET", "/api/v1/policies")
    hours = {"VISIT-MORNING-FROM": 0, "VISIT-AFTERNOON-FROM": 720, "VISIT-EVENING-TO": 1439}
    now = {each["code"]: each["value"] for each in table["items"]}
    if all(now[code] == value for code, value in hours.items()):
        return
    changes = [{"code": code, "value": value, "unit": "o_clock"} for code, value in hours.items()]
    told = {"base": table["version"], "changes": changes, "note": "夜间也回访"}
    status, proposal = await first.ask("POST", "/api/v1/policies/proposals", told)
    assert status == 201, proposal
    path = f"/api/v1/policies/proposals/{proposal['id']}/decision"
    status, answer = await second.ask("POST", path, {"state": "approved"})
    assert status == 200, answer


# --- the calls --------------------------------------------------------------------------------------------------------


async def a_citizen_calls(day: Day) -> tuple[Citizen, str]:
    """Screen-pop, the form while talking, the order."""
    visitor = day.visitors["limei"] = await day.desks.new()
    desk = day.pages["limei"] = await visitor.sit("limei", "1001")
    caller = await day.stack.trunk.call(day.stack.number(), key="2")
    await expect(desk.locator("[data-pop][data-state=ringing] [data-number]")).to_have_text(caller.number)
    await expect(desk.locator(".answer")).to_be_enabled()
    await shot(desk, "day_01_rings_zh")
    await answered(desk, day.stack, caller.number)
    await write(desk, "shehuishenghuozaosheng", MARKET, MARKET_WORDS)
    await desk.get_by_role("combobox", name="所属区域").click()
    await desk.keyboard.insert_text("园岭")
    await desk.keyboard.press("Enter")
    await desk.fill("#place", "园岭一街与园岭东路路口")
    await desk.fill("#contact", "陈女士")
    await expect(desk.locator("#callback")).to_have_value(caller.number)
    await shot(desk, "day_02_form_zh")
    code = await saved(desk, caller)
    await shot(desk, "day_03_saved_zh")
    await desk.get_by_role("button", name="收起").click()
    return caller, code


async def another_reports_in_confidence(day: Day) -> str:
    desk = day.pages["limei"]
    await expect(desk.locator("[data-seat-state]")).to_have_attribute("data-state", "ready")
    caller = await day.stack.trunk.call(day.stack.number(), key="2")
    await answered(desk, day.stack, caller.number)
    await write(desk, "zhianxiansuo", BRIBE, BRIBE_WORDS)
    await expect(desk.get_by_role("switch", name="身份保密")).to_be_checked()
    await desk.fill("#contact", "欧阳小满")
    await desk.get_by_text("被投诉人、被投诉单位").click()
    await desk.fill("#complained", ACCUSED)
    await shot(desk, "day_04_confidential_zh")
    await in_english(desk)
    await shot(desk, "day_04_confidential_en")
    await in_chinese(desk)
    return await saved(desk, caller)


async def write(desk: Page, category: str, subject: str, description: str) -> None:
    await desk.keyboard.press("Alt+c")
    await desk.keyboard.type(category)
    await desk.keyboard.press("Enter")
    await desk.fill("#subject", subject)
    await desk.fill("#description", description)


async def saved(desk: Page, caller: Citizen) -> str:
    await desk.keyboard.press("Control+Enter")
    code = await desk.locator("[data-order-code]").inner_text()
    await caller.hang_up()
    await expect(desk.locator("[data-pop]")).to_have_attribute("data-state", "ended")
    return code


# --- whose it is ------------------------------------------------------------------------------------------------------


async def dispatched(day: Day, code: str, unit: str, name: str) -> None:
    """To one of the units that are suggested, without those that are to help."""
    page = await day.at("fangli", "/dispatch")
    await page.locator(f"[data-code='{code}']").click()
    await expect(page.locator(".words h2")).to_have_text(code)
    await page.locator(f"[data-unit={unit}]").click()
    while await page.locator("[data-co]").count():
        await page.locator("[data-co] button").first.click()
    await shot(page, name)
    await page.locator("[data-dispatch]").click()
    await expect(page.locator("[data-done]")).to_contain_text(code)


async def returned(day: Day, login: str, code: str, basis: str, suggested: str, name: str) -> None:
    page = await day.task(login, code, event="ask_return")
    await page.select_option("#act-return_reason", "NOT_DUTY")
    await page.fill("#act-basis", basis)
    await picked(page, "suggested_unit", suggested)
    await shot(page, name)
    await send(page)
    await is_now(page, "return_review")


async def decided(day: Day, login: str, code: str, event: str, **given: str) -> Page:
    """An act of texts alone."""
    page = await day.task(login, code, event=event)
    for name, words in given.items():
        await page.fill(f"#act-{name}", words)
    return page


async def returned_disputed_and_ruled(day: Day, code: str, police: str) -> None:
    await dispatched(day, code, "D07", "day_05_dispatch_zh")
    basis = "《市容和环境卫生管理条例》第十四条：占道经营由城市管理部门查处"
    await returned(day, police, code, basis, "城市管理", "day_06_return_zh")
    page = await decided(day, "fangli", code, "approve_return", reason="占道烧烤为主要诉求，理由成立")
    await send(page)
    await dispatched(day, code, "D29", "day_07_dispatch_again_zh")
    basis = "《噪声污染防治法》第八十二条：社会生活噪声由公安机关处理"
    await returned(day, "maowei", code, basis, "公安局", "day_08_return_again_zh")
    page = await decided(day, "fangli", code, "open_dispute", reason="两个单位均认为不属本单位职责")
    await send(page)
    await is_now(page, "disputed")
    page = await decided(
        day,
        "guoping",
        code,
        "rule",
        basis="市职责清单：夜间占道经营及其引发的噪声，由城市管理部门牵头",
        precedent="噪声由占道经营引起，先取缔占道",
    )
    await picked(page, "lead", "城市管理")
    await shot(page, "day_09_ruling_zh")
    day.visitors["guoping"].forgiven.append(REFUSED)
    await send(page)
    await expect(page.get_by_text("不再由您办理")).to_be_visible()


async def the_report_reaches_the_police_alone(day: Day, secret: str, police: str) -> None:
    """Who handles it reads the matter and a number to ask by, and no name."""
    await dispatched(day, secret, "D07", "day_10_confidential_dispatch_zh")
    page = await day.task(police, secret)
    await expect(page.locator("main")).to_contain_text(BRIBE_WORDS)
    await expect(page.locator("main")).to_contain_text("保密编号")
    for told in ("欧阳小满", "1380000"):
        await expect(page.locator("main")).not_to_contain_text(told)
    await shot(page, "day_11_confidential_unit_zh")
    await in_english(page)
    await shot(page, "day_11_confidential_unit_en")
    await in_chinese(page)


# --- handling ---------------------------------------------------------------------------------------------------------


async def signed_contacted_and_extended(day: Day, code: str) -> None:
    unit = await day.task("maowei", code, event="sign")
    await picked(unit, "handler", "唐军")
    await send(unit)
    await is_now(unit, "in_progress")
    handler = await day.task("tangjun", code, event="first_contact")
    await handler.get_by_label("电话", exact=True).check()
    await handler.fill("#act-contact_note", "已电话联系陈女士，约定当晚到现场")
    await send(handler)
    unit = await day.task("maowei", code, event="ask_extension")
    await unit.fill("#act-extension_length", "2")
    await unit.fill("#act-reason", "摊贩流动性强，需连续三晚核查")
    await send(unit)
    chief = await day.task("sunli", code, event="grant_extension")
    await expect(chief.locator("#act-extension_length")).to_have_value("2")
    await chief.fill("#act-reason", "情况属实，同意")
    await shot(chief, "day_12_extension_zh")
    await send(chief)
    await expect(chief.locator("[data-clock=T-REPLY]").first).to_contain_text("已延期")


async def replied_and_audited(day: Day, code: str, reply: str) -> None:
    again = reply == SECOND_REPLY
    handler = await day.task("tangjun", code, event="reply")
    await handler.get_by_label("已解决", exact=True).check()
    await handler.fill("#act-actions", "两次到场" if again else "当晚到场")
    await handler.fill("#act-reply", reply)
    await expect(handler.locator("[data-reply-check]")).to_contain_text("未发现问题")
    await shot(handler, f"day_{'18' if again else '13'}_reply_zh")
    await send(handler)
    leader = await day.task("xiejie", code, event="confirm")
    await shot(leader, f"day_{'19' if again else '14'}_second_person_zh")
    await send(leader)
    await is_now(leader, "replied")
    page = await day.at("wumin", "/audits")
    await page.get_by_role("button", name="刷新").click()
    await page.locator(f"[data-audit='{code}']").click()
    sheet = page.locator("[data-sheet]")
    await expect(sheet.locator("[data-reply]")).to_have_text(reply)
    for check in sorted(CHECKS):
        await sheet.locator(f"[data-check={check}] input").check()
    await shot(page, f"day_{'20' if again else '15'}_audit_zh")
    await page.locator("[data-pass]").click()
    await expect(page.locator(f"[data-audit='{code}']")).to_have_count(0)


# --- visits -----------------------------------------------------------------------------------------------------------


async def visited(day: Day, code: str, caller: Citizen, *, satisfied: bool) -> None:
    """One press calls the citizen; the four questions are asked while talking."""
    if "linxia" not in day.pages:
        visitor = day.visitors["linxia"] = await day.desks.new()
        day.pages["linxia"] = await visitor.sit("linxia", "1002")
    await day.at("linxia", "/inbox")
    page = await day.at("linxia", "/visits")
    await page.locator(f"[data-visit='{code}']").click()
    await expect(page.locator("[data-sheet]")).to_contain_text("立案处罚" if satisfied else "劝离烧烤摊五户")
    await page.locator("[data-dial]").click()
    out = await day.world.call(PATIENCE)
    assert out.number == caller.number
    await page.locator("[data-sheet]").get_by_role("button", name="接听", exact=True).click()
    await expect(page.locator("[data-dial-state]")).to_have_attribute("data-state", "talking")
    said = ("联系过", "已解决", "满意", "满意") if satisfied else ("联系过", "未解决", "不满意", "基本满意")
    questions = ("contacted", "resolved", "satisfied_result", "satisfied_attitude")
    for question, answer in zip(questions, said, strict=True):
        await page.locator(f"[data-question={question}]").get_by_text(answer, exact=True).click()
    await page.fill("#comment", "这两晚安静多了，谢谢" if satisfied else "只好了一晚，第二天又摆出来了")
    await shot(page, f"day_{'21' if satisfied else '16'}_visit_zh")
    if not satisfied:
        await in_english(page)
        await shot(page, "day_16_visit_en")
        await in_chinese(page)
    await day.world.hang_up(out)
    await page.locator("[data-save]").click()
    await expect(page.locator(f"[data-visit='{code}']")).to_have_count(0)


async def judged(day: Day, code: str) -> None:
    """By a second person: it goes back to the unit."""
    page = await decided(day, "sunli", code, "reasonable", reason="摊贩复返属实，诉求合理，重办")
    await shot(page, "day_17_judged_zh")
    await send(page)
    await is_now(page, "rehandle")


# --- the end ----------------------------------------------------------------------------------------------------------


async def seen_by_the_citizen(day: Day, code: str) -> None:
    """By the two codes that a text tells, which waits for the morning when it is night."""
    (row,) = await day.stack.rows("SELECT check_code FROM orders WHERE code = $1", code)
    check = row["check_code"]
    page = await (await day.desks.new(viewport={"width": 390, "height": 800})).page(f"/progress#{code}")
    await page.fill("#check", check)
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-state]")).to_have_text("已办结")
    await expect(page.locator("[data-reply]")).to_have_text(SECOND_REPLY)
    await shot(page, "day_22_citizen_zh")
    page = await day.at("sunli", "/orders")
    await page.fill("#q", code)
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name=code).click()
    await is_now(page, "closed")
    for told in ("accepted", "dispatched", "unit_fixed", "extended", "reply", "rehandled", "thanks"):
        await expect(page.locator(f"[data-notice='citizen.{told}']").first).to_be_attached()
    entries = await page.locator("[data-timeline] li:not([data-notice])").all()
    events = [await each.get_attribute("data-event") for each in reversed(entries)]
    assert [event for event in events if event != "call"] == [
        "submit_certain",
        "dispatch",
        "ask_return",
        "approve_return",
        "dispatch",
        "ask_return",
        "open_dispute",
        "rule",
        "sign",
        "first_contact",
        "ask_extension",
        "grant_extension",
        *("propose_reply", "reply", "audit_pass", "visit_unsatisfied", "reasonable"),
        *("propose_reply", "reply", "audit_pass", "visit_satisfied"),
    ]
    assert events.count("call") == 3, "the citizen's call and two visits"
    await shot(page, "day_23_closed_zh")
    await page.emulate_media(media="print")
    await expect(page.locator(".bar:visible, .btn:visible")).to_have_count(0)
    await expect(page.locator("[data-timeline]")).to_be_visible()
    await shot(page, "day_23_paper_zh")
    await page.emulate_media(media="screen")


async def invisible_to_whom_it_complains_of(day: Day, secret: str) -> None:
    """Neither by list, search nor address; and nothing that the service told all day speaks of it."""
    visitor, page = day.visitors["maowei"], await day.at("maowei", "/orders")
    for search in (secret, BRIBE):
        await page.fill("#q", search)
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("没有符合条件的工单")).to_be_visible()
    await shot(page, "day_24_nothing_found_zh")
    visitor.forgiven.append(REFUSED)
    await page.goto(f"{day.stack.url}/orders/{secret}")
    await expect(page.locator("main")).to_contain_text("没有此工单")
    await shot(page, "day_25_no_such_order_zh")
    for login in CONCERNED:
        for view in ("floor", "desk"):
            answer = await day.visitors[login].context.request.get(f"{day.stack.url}/api/v1/live?view={view}")
            assert answer.status == 403, "no stream is open to a unit"
        assert len([who for who, _, _ in day.heard if who == login]) > 5, login
    told = [(who, url, said) for who, url, said in day.heard if secret in said or BRIBE in said or BRIBE_WORDS in said]
    assert told == []
    rows = await day.stack.rows("SELECT state, confidential, department FROM orders WHERE code = $1", secret)
    assert rows == [{"state": "dispatched", "confidential": True, "department": "D07"}]
