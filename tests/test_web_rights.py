"""The audit, identities, revealed numbers in the browser; and that whom an order complains of finds it nowhere."""

import asyncio
import json

import pytest
from office import Office
from pages import Visitor, Visitors
from playwright.async_api import Page, expect
from sqlalchemy import update
from test_order_api import act
from test_privacy import NAME, NUMBER, SECRET, hidden, save
from test_web_notices import both

from callcenter.store import tables

pytest_plugins = ("pages",)

REASON = "核查打击报复线索，须联系本人"


@pytest.fixture
def visitors(at_office: Visitors) -> Visitors:
    return at_office


async def enter(visitor: Visitor, office: Office, role: str, path: str) -> Page:
    """A page, logged in as somebody of a role, hired or of the demo."""
    if role not in {account.role for account in office.demo.accounts}:
        await office.hire(role)
    login, password = office.password(role)
    page = await visitor.page(f"/login?to={path}")
    await page.fill("#login", login)
    await page.fill("#password", password)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{office.url}{path}")
    return page


async def test_an_identity_by_request_approval_and_a_look(office: Office, visitors: Visitors) -> None:
    agent = await office.logged_in("operator")
    code = (await save(office, agent, **SECRET))["code"]
    await hidden(office)
    asker = await enter(await visitors.new(), office, "oversight", "/privacy")
    await asker.fill("#code", code)
    await asker.fill("#reason", REASON)
    await asker.keyboard.press("Enter")
    await expect(asker.locator("[data-sent]")).to_contain_text(code)
    await expect(asker.locator("[data-group=asked]")).to_contain_text(REASON)
    officer = await enter(await visitors.new(), office, "privacy", "/privacy")
    row = officer.locator("[data-group=asked] tr", has_text=code)
    await both(officer, "privacy_asked")
    await row.get_by_role("button", name="批准", exact=True).click()
    await officer.fill("#decision-note", "同意，限本次核查")
    await officer.keyboard.press("Enter")
    await expect(officer.locator("[data-group=running]")).to_contain_text(code)
    await asker.get_by_role("button", name="刷新").click()
    await asker.locator("[data-group=running] tr", has_text=code).get_by_role("button", name="查看身份").click()
    await expect(asker.locator("[data-identity]")).to_contain_text(NAME)
    await expect(asker.locator("[data-identity]")).to_contain_text(NUMBER)
    await asker.keyboard.press("Escape")
    await expect(asker.locator("[data-identity]")).to_have_count(0)
    assert NUMBER not in await asker.content()
    await expect(asker.locator("[data-group=running] tr", has_text=code)).to_contain_text("1")
    # Personal data in clear leaves by two persons, once.
    await officer.fill("#take-reason", "本人申请查阅其个人信息")
    await officer.fill("#take-number", "138 1234 5678")
    await officer.keyboard.press("Enter")
    await expect(officer.locator("[data-export-sent]")).to_be_visible()
    await expect(officer.locator("[data-export]")).to_contain_text("138****5678")
    leader = await enter(await visitors.new(), office, "leader", "/privacy")
    await leader.locator("[data-export]").get_by_role("button", name="批准", exact=True).click()
    await leader.fill("#export-note", "同意")
    await leader.keyboard.press("Enter")
    await expect(leader.locator("[data-export]")).to_contain_text("有效")
    await officer.reload()
    await both(officer, "take_out")
    async with officer.expect_download() as taken:
        await officer.get_by_role("button", name="下载文件").click()
    assert (await taken.value).suggested_filename.endswith(".xlsx")
    await expect(officer.locator("[data-export]")).to_contain_text("已下载")
    auditor = await enter(await visitors.new(), office, "auditor", "/audit")
    await auditor.fill("#about", code)
    await auditor.keyboard.press("Enter")
    await expect(auditor.locator("[data-audit]", has_text="add_user")).to_have_count(0)
    await expect(auditor.locator("[data-audit]", has_text="view_identity")).to_have_count(1)
    await expect(auditor.locator("[data-audit]", has_text="decide_identity")).to_have_count(1)
    await expect(auditor.locator("[data-chain]")).to_be_visible()
    assert NAME not in await auditor.content() and NUMBER not in await auditor.content()
    await both(auditor, "audit")


async def test_a_units_leader_sees_its_figures(office: Office, visitors: Visitors) -> None:
    agent, dispatcher = await office.logged_in("operator"), await office.logged_in("dispatcher")
    code = (await save(office, agent, urgency="U1"))["code"]
    await act(dispatcher, code, "dispatch", given={"lead": "D29"})
    page = await enter(await visitors.new(), office, "unit_leader", "/unit-report")
    await expect(page.locator("[data-orders]")).not_to_have_text("0")
    await both(page, "unit_report")
    await page.goto(f"{office.url}/orders/{code}")
    await expect(page.locator("[data-danger]")).to_contain_text("涉公共安全")
    chief = await enter(await visitors.new(), office, "supervisor", "/unit-report")
    await expect(chief.get_by_text("请选择单位")).to_be_visible()
    await chief.fill("#unit", "城市管理")
    await chief.keyboard.press("Enter")
    await expect(chief.locator("[data-unit-report]")).to_be_visible()
    await expect(chief.locator("[data-stage=dispatched] [data-count]")).not_to_have_text("0")
    # Who sees reports and not the floor has the forecast without the roster, which names people.
    assessor = await enter(await visitors.new(), office, "assessor", "/staffing")
    await expect(assessor.locator("[data-empty]")).to_be_visible()
    await expect(assessor.get_by_role("alert")).to_have_count(0)


async def test_a_number_is_shown_by_an_act_at_the_order(office: Office, visitors: Visitors) -> None:
    agent = await office.logged_in("operator")
    code = (await save(office, agent, callback_number=NUMBER, subject="Street light"))["code"]
    page = await enter(await visitors.new(), office, "operator", f"/orders/{code}")
    assert NUMBER not in await page.content()
    await page.locator("[data-reveal]").click()
    await page.get_by_label("查看事由").select_option("visit")
    await both(page, "reveal")
    await page.get_by_role("button", name="查看", exact=True).click()
    await expect(page.locator("[data-revealed]")).to_have_text(NUMBER)
    await page.get_by_role("button", name="隐藏").click()
    await expect(page.locator("[data-revealed]")).to_have_count(0)


async def test_whom_it_complains_of_finds_it_on_no_page_and_by_no_api(office: Office, visitors: Visitors) -> None:
    """Their lists, search, the order's address, the page of identities; and every answer that a page got meanwhile."""
    agent = await office.logged_in("operator")
    told = SECRET | {"complained_person": "毛伟", "subject": "反映工作人员吃拿卡要"}
    code = (await save(office, agent, **told))["code"]
    await act(await office.logged_in("dispatcher"), code, "dispatch", given={"lead": "D10"})
    visitor = await visitors.new(own=True)
    visitor.forgiven.append("Failed to load resource")
    heard: list[str] = []
    page = await enter(visitor, office, "liaison", "/orders")
    page.on("response", lambda response: asyncio.ensure_future(_hear(response, heard)))
    for search in (code, "吃拿卡要", ""):
        await page.fill("#q", search)
        await page.keyboard.press("Enter")
        await page.wait_for_load_state("networkidle")
        await expect(page.locator("main")).not_to_contain_text("吃拿卡要")
        await expect(page.locator("tbody", has_text=code)).to_have_count(0)
    await page.goto(f"{office.url}/orders/{code}")
    await expect(page.locator("main")).to_contain_text("没有此工单")
    await expect(page.locator("main")).not_to_contain_text("吃拿卡要")
    for path in ("/privacy", "/audit", "/calls"):
        await page.goto(office.url + path)
        await page.wait_for_load_state("networkidle")
        await expect(page.locator("body")).not_to_contain_text(code)
    assert heard and not any("吃拿卡要" in each or (code in each and "no_order" not in each) for each in heard)


async def _hear(response: object, heard: list[str]) -> None:
    try:
        heard.append(json.dumps(await response.json(), ensure_ascii=False))  # type: ignore[attr-defined]
    except Exception:
        return


async def test_an_administrator_proposes_who_leads_a_matter_and_a_coordinator_agrees(
    office: Office, visitors: Visitors
) -> None:
    admin = await enter(await visitors.new(), office, "admin", "/duties")
    await admin.get_by_label("按类别或单位查找").fill("噪声")
    row = admin.locator("[data-duty]").last
    name = await row.get_attribute("data-duty")
    await row.get_by_role("button").click()
    await admin.fill("#duty-lead", "卫生健康")
    await admin.keyboard.press("Enter")
    await admin.fill("#duty-region", "福田区")
    await admin.keyboard.press("Enter")
    await admin.fill("#duty-basis", "三定方案第五条")
    await both(admin, "duties_change")
    await admin.locator("[data-save]").click()
    await expect(admin.locator("[data-done]")).to_contain_text("待另一人复核")
    chief = await enter(await visitors.new(), office, "coordinator", "/duties")
    await expect(chief.locator("[data-waiting]")).to_contain_text("三定方案第五条")
    await chief.locator("[data-agree]").click()
    await expect(chief.locator("[data-waiting]")).to_have_count(0)
    await expect(chief.locator(f"[data-duty='{name}R01']")).to_contain_text("卫生健康")
    await both(chief, "duties")


async def test_a_second_administrator_agrees_to_a_new_account(office: Office, visitors: Visitors) -> None:
    person = {
        "login": "qinyu",
        "name_zh": "秦雨",
        "name_en": "Qin Yu",
        "roles": ["admin"],
        "password": "a long password",
    }
    assert (await (await office.logged_in("admin")).ask("POST", "/api/v1/users", person))[0] == 201
    try:
        visitor = await visitors.new()
        visitor.forgiven.append("409")
        admin = await enter(visitor, office, "admin", "/admin")
        for field, text in (("login", "ruan.qi"), ("zh", "阮琪"), ("en", "Ruan Qi")):
            await admin.fill(f"#new-{field}", text)
        await admin.keyboard.press("Enter")
        await expect(admin.locator("[data-waits='ruan.qi']")).to_contain_text("待另一位管理员复核：启用")
        await both(admin, "account_waits")
        other = await (await visitors.new()).page("/login?to=/admin")
        await other.fill("#login", "qinyu")
        await other.fill("#password", "a long password")
        await other.keyboard.press("Enter")
        waits = other.locator("[data-waits='ruan.qi']")
        await expect(waits).to_contain_text("待 zhoukai 以外的管理员复核：启用")
        await both(other, "account_decides")
        await waits.get_by_role("button", name="同意", exact=True).click()
        await expect(waits).to_have_count(0)
        await expect(other.locator("tr", has_text="ruan.qi")).to_contain_text("启用")
        await admin.locator("[data-waits='ruan.qi']").get_by_role("button", name="撤回").click()
        await expect(admin.get_by_role("alert")).to_contain_text("此改动已有结论")
        await expect(admin.locator("[data-waits]")).to_have_count(0)
    finally:
        async with office.engine.begin() as connection:
            await connection.execute(update(tables.users).where(tables.users.c.login == "qinyu").values(active=False))
