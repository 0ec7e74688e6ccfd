"""The page of an order in real browsers: each does their part, two persons where it takes two, nothing is lost."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from office import Browser, Office
from pages import LAPTOP, Visitors
from playwright.async_api import Page, expect
from sqlalchemy import insert, select, update
from test_order_api import REPLY, act, code, show
from test_order_lists import filed
from test_orders_desk import written
from test_privacy import row_of
from test_web_pages import CHINESE, CONTRAST, REFUSED

from callcenter.store import tables

pytest_plugins = ("pages",)

__all__ = ["code"]

#: Where pictures of the pages are put to be looked at; unset: nowhere.
PICTURES = os.environ.get("ORDER_PICTURES")


@pytest.fixture
def people(at_office: Visitors) -> Visitors:
    return at_office


async def opened(people: Visitors, login: str, code: str, **options: Any) -> Page:
    """The order's page of a person; refusals of the service may stand in its console."""
    visitor = await people.new(**options)
    visitor.forgiven.append(REFUSED)
    page = await visitor.log_in(login, f"/orders/{code}")
    await expect(page.locator("[data-head]")).to_be_visible()
    return page


async def is_now(page: Page, state: str) -> None:
    await expect(page.locator("[data-state]")).to_have_attribute("data-is", state)


async def begin(page: Page, event: str) -> None:
    await page.locator(f"[data-act={event}]").click()
    await expect(page.locator("[data-act-form]")).to_be_visible()


async def picked(page: Page, field: str, typed: str) -> None:
    """Choose from a list by typing."""
    await page.locator(f"#act-{field}").click()
    await page.keyboard.insert_text(typed)
    await page.keyboard.press("Enter")


async def send(page: Page) -> None:
    await page.locator("[data-send]").click()
    await expect(page.locator("[data-done]")).to_be_visible()
    await expect(page.locator("[data-act-form]")).to_have_count(0)


async def picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png")


async def test_an_order_is_dispatched_signed_extended_and_replied_to_by_those_whose_turn_it_is(
    office: Office, people: Visitors, code: str
) -> None:
    dispatcher = await opened(people, "fangli", code)
    await is_now(dispatcher, "pending_dispatch")
    await expect(dispatcher.locator("[data-clock=T-DISPATCH]")).to_contain_text(re.compile("剩余.*2[0-9]:[0-5][0-9]"))
    await begin(dispatcher, "dispatch")
    await dispatcher.locator("[data-send]").click()
    await expect(dispatcher.locator("#act-lead-wrong")).to_have_text("必填")
    await expect(dispatcher.locator("#act-lead")).to_be_focused()
    await dispatcher.keyboard.insert_text("城市管理")
    await dispatcher.keyboard.press("Enter")
    await picked(dispatcher, "co_units", "水务")
    await dispatcher.fill("#act-instruction", "三日内现场处置")
    await picked(dispatcher, "follow_up_officer", "何欣")
    await picture(dispatcher, "dispatch_zh")
    await send(dispatcher)
    await is_now(dispatcher, "dispatched")
    shown = await show(await office.logged_in("dispatcher"), code)
    await expect(dispatcher.locator("[data-other=sign]")).to_contain_text("城市管理和综合执法局的单位联络员")
    told = dispatcher.locator("[data-timeline] [data-event=dispatch]")
    await expect(told).to_contain_text("三日内现场处置")
    await expect(told).to_contain_text("方丽")
    assert shown["department"] == "D29"

    liaison = await opened(people, "maowei", code)
    await begin(liaison, "sign")
    await picked(liaison, "handler", "唐军")
    await send(liaison)
    await is_now(liaison, "in_progress")
    # Once by two persons: the unit asks, the centre grants.
    await begin(liaison, "ask_extension")
    await expect(liaison.locator("[data-field=extension_length]")).to_contain_text("工作日")
    await liaison.fill("#act-extension_length", "0")
    await liaison.fill("#act-reason", "需要采购路灯配件")
    await liaison.keyboard.press("Control+Enter")
    await expect(liaison.locator("#act-extension_length-wrong")).to_contain_text("须为 1 至")
    await liaison.fill("#act-extension_length", "3")
    await liaison.keyboard.press("Control+Enter")
    await expect(liaison.locator("[data-done]")).to_be_visible()
    await expect(liaison.locator("[data-machine=extension_request]")).to_contain_text("已申请，待审批")
    await expect(liaison.locator("[data-other=grant_extension]")).to_contain_text("由值班长")

    supervisor = await opened(people, "sunli", code)
    await begin(supervisor, "grant_extension")
    await expect(supervisor.locator("#act-extension_length")).to_have_value("3")
    await supervisor.fill("#act-reason", "同意")
    await send(supervisor)
    await expect(supervisor.locator("[data-clock=T-REPLY]")).to_contain_text("已延期")

    handler = await opened(people, "tangjun", code)
    barred = handler.locator("[data-barred=reply]")
    await expect(barred).to_contain_text("须先联系诉求人")
    await expect(barred.get_by_role("button")).to_be_disabled()
    await begin(handler, "first_contact")
    await handler.get_by_label("电话").check()
    await handler.fill("#act-contact_note", "已电话联系，约定明日现场查看")
    await send(handler)
    await expect(handler.locator("[data-barred=reply]")).to_contain_text("协办单位尚未反馈")
    street = await office.hire("liaison", unit=shown["co_units"][0]["unit"])
    helper = office.browser()
    await helper.log_in(street.login, street.password)
    await act(helper, code, "co_reply", given={"co_reply": "管网正常"})
    await handler.reload()
    await begin(handler, "reply")
    await handler.get_by_label("已解决", exact=True).check()
    await handler.fill("#act-reply", "路灯已修复，并安排每周巡查。")
    await handler.fill("#act-actions", "更换灯具三盏")
    await picture(handler, "reply_zh")
    await send(handler)
    waits = handler.locator("[data-proposal]")
    await expect(waits).to_contain_text("须由另一人复核")
    await expect(waits).to_contain_text("路灯已修复")
    await expect(waits.locator("[data-act=confirm]")).to_have_count(0)

    leader = await opened(people, "xiejie", code)
    await picture(leader, "proposal_zh")
    await begin(leader, "confirm")
    await send(leader)
    await is_now(leader, "replied")
    await expect(leader.locator("[data-timeline] [data-event=reply]")).to_contain_text("复核：谢杰")
    inspector = await opened(people, "wumin", code)
    await begin(inspector, "audit_pass")
    boxes = inspector.get_by_role("checkbox")
    await expect(boxes).to_have_count(7)
    await boxes.first.check()
    await inspector.locator("[data-send]").click()
    await expect(inspector.get_by_role("alert")).to_contain_text("审核项须全部通过")
    for n in range(1, 7):
        await boxes.nth(n).check()
    await picture(inspector, "audit_zh")
    await send(inspector)
    history = (await show(await office.logged_in("dispatcher"), code))["history"]
    assert [entry["event"] for entry in history] == [
        "submit_certain",
        "dispatch",
        "sign",
        "ask_extension",
        "grant_extension",
        "first_contact",
        "co_reply",
        "propose_reply",
        "reply",
        "audit_pass",
    ]
    # What left somebody's sight is told as that, and not as an error of the page.
    await inspector.reload()
    await expect(inspector.get_by_text("工单已转到下一环节")).to_be_visible()


async def test_what_is_typed_outlives_escape_a_reload_and_others_who_were_faster(
    office: Office, people: Visitors, code: str
) -> None:
    page = await opened(people, "fangli", code)
    other: Browser = await office.logged_in("supervisor")
    await begin(page, "raise_urgency")
    await page.get_by_label("紧急", exact=True).check()
    await page.fill("#act-reason", "学校门口，须当天处理")
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-act-form]")).to_have_count(0)
    await expect(page.locator("[data-act=raise_urgency]")).to_be_focused()
    await page.reload()
    await expect(page.locator("[data-act=raise_urgency]")).to_contain_text("未提交")
    await page.locator("[data-act=raise_urgency]").press("Enter")
    await expect(page.locator("#act-reason")).to_have_value("学校门口，须当天处理")
    await expect(page.get_by_label("紧急", exact=True)).to_be_checked()

    # Somebody dispatches it meanwhile: who and what is shown, the text stays, the second try goes through.
    await act(other, code, "dispatch", given={"lead": "D29"})
    await page.locator("[data-send]").click()
    since = page.locator("[data-since]")
    await expect(since).to_contain_text("孙丽")
    await expect(since).to_contain_text("派单")
    await is_now(page, "dispatched")
    await expect(page.locator("#act-reason")).to_have_value("学校门口，须当天处理")
    await picture(page, "stale_zh")
    await page.locator("[data-send]").dblclick()
    await expect(page.locator("[data-done]")).to_be_visible()
    raised = [entry for entry in (await show(other, code))["history"] if entry["event"] == "raise_urgency"]
    assert [entry["given"] for entry in raised] == [{"urgency": "U2", "reason": "学校门口，须当天处理"}]

    # What can no longer be done says so, and what was typed can still be copied.
    herself = await office.logged_in("dispatcher")
    await act(herself, code, "recall", given={"reason": "换个单位"})
    await act(herself, code, "dispatch", given={"lead": "D29"})
    await page.reload()
    await begin(page, "recall")
    await page.fill("#act-reason", "派错了单位")
    liaison = await office.logged_in("liaison")
    await act(liaison, code, "sign")
    await page.locator("[data-send]").click()
    await expect(page.get_by_text("此事项现在已不能由您办理")).to_be_visible()
    await expect(page.locator("#act-reason")).to_have_value("派错了单位")
    await expect(page.locator("[data-send]")).to_be_disabled()

    # What has left one's sight altogether says where it is, and gives back what was typed.
    async with office.engine.begin() as connection:
        sent_by_another = update(tables.orders).where(tables.orders.c.code == code).values(dispatched_by="somebody")
        await connection.execute(sent_by_another)
    await page.get_by_role("button", name="刷新").click()
    await expect(page.locator("[data-not-seen]")).to_contain_text("现为“办理中”，待承办人办理")
    await expect(page.locator("[data-unsent]")).to_contain_text("派错了单位")
    await picture(page, "left_sight_zh")
    await page.locator("[data-unsent]").get_by_role("button", name="清除").click()
    await expect(page.locator("[data-unsent]")).to_have_count(0)


async def test_an_answer_that_was_lost_is_asked_for_again_and_counts_once(
    office: Office, people: Visitors, code: str
) -> None:
    page = await opened(people, "fangli", code)
    await begin(page, "dispatch")
    await picked(page, "lead", "城市管理")

    async def lost(route: Any) -> None:
        await route.fetch()  # it reaches the service, and its answer nobody
        await route.abort("connectionreset")

    await page.route("**/events", lost)
    await page.locator("[data-send]").click()
    await expect(page.get_by_role("alert")).to_contain_text("连不上服务")
    await page.unroute("**/events")
    await page.locator("[data-send]").click()
    await is_now(page, "dispatched")
    history = (await show(await office.logged_in("dispatcher"), code))["history"]
    assert [entry["event"] for entry in history] == ["submit_certain", "dispatch"]


#: Who looks at an order, and what has been done to it before: each sees other things and may do others.
LOOKS = (
    ("limei", ()),
    ("fangli", ()),
    ("guoping", ("suspend",)),
    ("maowei", ()),
    ("tangjun", ("reply",)),
    ("sunli", ("reply",)),
    ("wumin", ("reply", "confirm")),
    ("linxia", ("reply", "confirm", "audit_pass")),
)
OWN_WORDS = "h1, h2, h3, label, legend, summary, dt, .notice, .pill, .btn"
CHECKS = ["points", "facts", "basis", "result", "next_step", "no_personal_data", "no_promise"]
DOES: dict[str, tuple[str, dict[str, Any]]] = {
    "dispatch": ("dispatcher", {"lead": "D29", "follow_up_officer": "hexin"}),
    "sign": ("liaison", {"handler": "tangjun"}),
    "first_contact": ("liaison", {"how_contacted": "call", "contact_note": "已联系"}),
    "suspend": ("supervisor", {"suspend_reason": "SEASON", "review_day": "", "reason": "雨季"}),
    "reply": ("liaison", REPLY),
    "confirm": ("unit_leader", {}),
    "audit_pass": ("inspector", {"checks": CHECKS}),
}


async def test_clocks_that_are_over_paused_or_provisional_say_so_and_recordings_are_for_those_who_may_hear(
    office: Office, people: Visitors, code: str
) -> None:
    dispatcher, liaison = await office.logged_in("dispatcher"), await office.logged_in("liaison")
    await act(dispatcher, code, "dispatch", given={"lead": "D29"})
    await act(liaison, code, "sign")
    call = (await row_of(office, code))["call_id"]
    await written(office, call)
    now = datetime.now(UTC)
    recorded = {"call_id": call, "recorded_at": now, "stored_at": now, "length_ms": 60_000, "bytes": 480_000}
    sealed = {"sha256": b"x" * 32, "key_id": "k1", "rule": "order", "keep_until": now + timedelta(days=9)}
    its = (
        tables.order_clocks.c.order_id
        == select(tables.orders.c.id).where(tables.orders.c.code == code).scalar_subquery()
    )
    clock = update(tables.order_clocks).where(its)
    async with office.engine.begin() as connection:
        await connection.execute(insert(tables.recordings), [recorded | sealed])
        late = {"due_at": now - timedelta(hours=27, minutes=30)}
        await connection.execute(clock.where(tables.order_clocks.c.name == "T-CONTACT").values(late))
        far = {"due_at": now + timedelta(days=60), "provisional": True, "paused_at": now}
        await connection.execute(clock.where(tables.order_clocks.c.name == "T-REPLY").values(far))
    page = await opened(people, "sunli", code)
    over = page.locator("[data-clock=T-CONTACT]")
    await expect(over).to_have_attribute("data-is", "late")
    shown = await over.locator(".left").inner_text()
    assert re.search(r"超期 1 天 3:3\d:\d\d", shown)
    await expect(over.locator(".left")).not_to_have_text(shown)  # it counts
    still = page.locator("[data-clock=T-REPLY]")
    await expect(still).to_contain_text("暂停，剩余")
    await expect(still).to_contain_text("暂定")
    heard = page.locator("[data-timeline] [data-event=call]")
    await heard.get_by_role("button", name="调听录音").click()
    await expect(heard.get_by_label("调听事由")).to_be_visible()
    await picture(page, "clocks_zh")
    other = await opened(people, "fangli", code)
    await expect(other.locator("[data-timeline] [data-event=call]")).to_be_visible()
    await expect(other.get_by_role("heading", name="录音")).to_have_count(0)


@pytest.mark.parametrize(("login", "before"), LOOKS)
async def test_everybody_who_sees_an_order_has_its_page_in_both_languages_light_and_dark_wide_and_narrow(
    office: Office, people: Visitors, code: str, login: str, before: tuple[str, ...]
) -> None:
    soon = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"
    for event in ("dispatch", "sign", "first_contact", *before):
        role, given = DOES[event]
        given = {name: value or soon for name, value in given.items()}
        await act(await office.logged_in(role), code, event, given=given)
    page = await opened(people, login, code)
    await picture(page, f"{login}_zh_light")
    await page.locator(".set button").first.click()
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    subject = await page.locator("h1").inner_text()
    for size in (LAPTOP, {"width": 390, "height": 844}):
        await page.set_viewport_size(size)  # type: ignore[arg-type]
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await picture(page, f"{login}_en_{scheme}_{size['width']}")
            await page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")
            words = await page.locator("main").locator(OWN_WORDS).all_inner_texts()
            assert [each for each in words if CHINESE.search(each) and each != subject] == []
            assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, "it scrolls sideways"
            assert await page.evaluate(CONTRAST) == []
    await page.set_viewport_size(LAPTOP)  # type: ignore[arg-type]
    await page.locator(".set button").first.click()
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await picture(page, f"{login}_zh_dark")


async def test_administrators_say_for_which_unit_somebody_works(office: Office, people: Visitors) -> None:
    page = await (await people.new()).log_in("zhoukai", "/admin")
    await page.fill("#new-login", "unit.person")
    await page.fill("#new-zh", "新联络员")
    await page.fill("#new-en", "New Liaison")
    await expect(page.locator("#new-unit")).to_have_count(0)
    await page.select_option("#new-role", "liaison")
    await page.locator("#new-unit").click()
    await page.keyboard.insert_text("水务")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="新增账号").click()
    row = page.locator("tr", has_text="unit.person")
    await expect(row).to_contain_text("水务局")
    await row.get_by_role("button", name="改单位").click()
    await page.locator("#move-unit").click()
    await page.keyboard.insert_text("南山区")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="保存").click()
    await expect(row).to_contain_text("南山区")
    await picture(page, "admin_zh")


async def test_the_list_leads_to_the_page_of_each_order(office: Office, people: Visitors, code: str) -> None:
    page = await (await people.new()).log_in("sunli", "/orders")
    await page.get_by_role("link", name=code).click()
    await expect(page).to_have_url(re.compile(f"/orders/{code}$"))
    await expect(page.locator("tr[data-row]")).to_have_count(0)
    await expect(page.locator("[data-code]")).to_have_text(code)
    await page.go_back()
    await page.locator("tr", has_text=code).focus()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile(f"/orders/{code}$"))


async def test_support_staff_find_out_what_it_is_about_and_send_it_on(office: Office, people: Visitors) -> None:
    code = await filed(office, end="investigating", kind="consult", category="", subject="夜市收摊时间")
    support = await opened(people, "zhengyu", code)
    await is_now(support, "investigating")
    await begin(support, "to_dispatch")
    await support.locator("[data-send]").click()
    await expect(support.locator("#act-category-wrong")).to_have_text("必填")
    await picked(support, "category", "占道")
    await picture(support, "to_dispatch_zh")
    await send(support)
    row = await row_of(office, code)
    assert (row["state"], row["category"][:2], row["department"]) == ("pending_dispatch", "01", None)


async def test_a_duplicate_is_compared_merged_brought_back_and_a_matter_split_off(
    office: Office, people: Visitors
) -> None:
    leaf = "0402"  # no other test's, for only the likeliest duplicates are shown
    code = await filed(office, category=leaf, description="每晚八点后摆摊，堵住人行道")
    waits = await opened(people, "fangli", code)
    await act(await office.logged_in("dispatcher"), code, "dispatch", given={"lead": "D29"})
    twin = await filed(office, category=leaf, description="每晚八点后摆摊，堵住人行道，行人走机动车道")
    dispatcher = await opened(people, "fangli", twin)
    card = dispatcher.locator(f"[data-candidate='{code}']")
    await expect(card.locator("[data-sign=place]")).to_contain_text("地点相似 100%")
    await card.locator("[data-compare]").click()
    form = dispatcher.locator("[data-merge-form]")
    await expect(form).to_be_focused()
    await expect(form.locator("article")).to_have_count(2)
    await expect(form.locator("article").last).to_contain_text("堵住人行道")
    await picture(dispatcher, "duplicates_zh")
    await dispatcher.locator(".set button").first.click()
    await expect(dispatcher.locator("html")).to_have_attribute("lang", "en")
    words = await dispatcher.locator("[data-duplicates]").locator(f"{OWN_WORDS}, dt, p.quiet").all_inner_texts()
    assert [each for each in words if CHINESE.search(each)] == []
    assert await dispatcher.evaluate(CONTRAST) == []
    await picture(dispatcher, "duplicates_en")
    await dispatcher.locator(".set button").first.click()
    await form.locator("[data-merge]").click()
    await expect(dispatcher.locator("[data-done]")).to_contain_text(f"{twin} 已并入 {code}")
    await is_now(dispatcher, "merged")
    await expect(dispatcher.locator(f"[data-joined-as=master][data-code='{code}']")).to_be_visible()
    # The unit of the master reads what came.
    liaison = await opened(people, "maowei", code)
    await expect(liaison.locator(f"[data-joined-as=merged][data-code='{twin}']")).to_contain_text("行人走机动车道")
    await picture(liaison, "joined_zh")
    await liaison.locator("[data-joined-as=merged] a").click()
    await is_now(liaison, "merged")

    await dispatcher.locator("[data-undo]").click()
    await dispatcher.fill("#act-reason", "不是同一处")
    await send(dispatcher)
    await is_now(dispatcher, "pending_dispatch")
    await begin(dispatcher, "split")
    await expect(dispatcher.locator("#act-place")).to_have_value("南园路")
    await picked(dispatcher, "category", "ludeng")
    await dispatcher.fill("#act-subject", "路灯也不亮")
    await dispatcher.fill("#act-description", "摊位旁的两盏路灯不亮")
    await picture(dispatcher, "split_zh")
    await send(dispatcher)
    part = dispatcher.locator("[data-joined-as=siblings]")
    await expect(part).to_contain_text("路灯也不亮")
    await part.locator("a").click()
    await expect(dispatcher.locator("[data-head]")).to_contain_text("路灯也不亮")
    await expect(dispatcher.locator("[data-timeline]")).to_contain_text(twin)
    # The other way about, from the page of the one that is handled.
    await waits.reload()
    await waits.locator(f"[data-candidate='{twin}'] [data-compare]").click()
    await expect(waits.locator("[data-merge-form] [value=that]")).to_have_count(0)
    await waits.locator("[data-merge]").click()
    await expect(waits.locator(f"[data-joined-as=merged][data-code='{twin}']")).to_be_visible()
