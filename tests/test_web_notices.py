"""Pages of notices, of the citizen's door and of attachments, in the browser, on a service without a telephone."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conftest import Postgres
from office import Office, open_office, settings_for
from pages import Visitor, Visitors
from playwright.async_api import Page, expect
from pydantic import SecretStr
from sqlalchemy import select, update
from stack import PATIENCE
from test_attachments import MP3, PDF, noted, photo, sound
from test_orders_desk import FORM, login_of, order, ring
from test_progress import check_of, replied
from test_visits import passed, sent
from test_web_pages import CHINESE, CONTRAST
from test_web_transfers import shot

from callcenter.store import tables

pytest_plugins = ("pages",)
FILES = Path(__file__).parent / "files"
MAP = "https://map.example.gov.cn/?at=114.057900,22.543000"
HERE = {"lat": 22.543, "lon": 114.0579}


@pytest.fixture(scope="module")
async def office(
    postgres: Postgres, demo_city: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    template, demo = demo_city
    home = tmp_path_factory.mktemp("office")
    (home / "demo.json").write_bytes(demo.read_bytes())
    name = await postgres.new_database(template)
    settings = settings_for(home, recording_keys=SecretStr("k1:" + "0123456789abcdef" * 4))
    async with open_office(postgres.url(name), settings) as running:
        yield running
    await postgres.administer(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def visitors(at_office: Visitors) -> Visitors:
    return at_office


@pytest.fixture
async def code(office: Office) -> str:
    agent = await office.logged_in("operator")
    made = await agent.ask("POST", f"/api/v1/calls/{ring(office, login_of(office))}/order", order(point=HERE))
    return str(made[1]["code"])


async def both(page: Page, name: str) -> None:
    """The page as it stands can be read in both languages, and is photographed."""
    await shot(page, f"{name}_zh")
    await page.locator(".set button").first.click()
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    words = await page.locator("h1, h2, h3, label:not([lang]), legend, th, dt, .notice").all_inner_texts()
    assert [each for each in words if CHINESE.search(each) and each != FORM["subject"]] == []
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, "it scrolls sideways"
    assert await page.evaluate(CONTRAST) == []
    await shot(page, f"{name}_en")
    await page.locator(".set button").first.click()
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


async def both_of(page: Page, name: str) -> None:
    """What lies over the page, photographed: there is no other language to choose beneath it."""
    await shot(page, f"{name}_zh")
    assert await page.evaluate(CONTRAST) == []


async def looked_up(visitor: Visitor, code: str, check: str) -> Page:
    page = await visitor.page(f"/progress#{code}")
    await expect(page.locator("#code")).to_have_value(code)
    await page.fill("#check", check)
    await page.keyboard.press("Enter")
    return page


async def test_a_citizen_rates_and_reopens_by_two_codes(office: Office, visitors: Visitors, code: str) -> None:
    check = await check_of(office, code)
    await replied(office, code)
    visitor = await visitors.new()
    visitor.forgiven.append("404")
    page = await looked_up(visitor, code, f"{(int(check) + 1) % 10_000:04d}")
    await expect(page.get_by_role("alert")).to_contain_text("编号或查询码不正确")
    await both(page, "progress_wrong")
    await page.fill("#check", check)
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-state]")).to_have_text("已答复，等待您评价")
    await expect(page.locator("[data-reply]")).to_have_text("已清理")
    assert "王女士" not in await page.content() and check not in page.url
    await page.locator("[data-act=rate]").click()
    await both(page, "progress_rate")
    for question, choice in (("contacted", "是"), ("resolved", "已解决"), ("satisfied_result", "满意")):
        await page.locator(f"[data-question={question}]").get_by_label(choice, exact=True).check()
    await page.locator("[data-question=satisfied_attitude]").get_by_label("基本满意").check()
    await page.get_by_role("button", name="提交").click()
    await expect(page.get_by_role("status")).to_have_text("已提交，谢谢您。")
    await expect(page.locator("[data-state]")).to_have_text("已办结")
    await page.locator("[data-act=reopen]").click()
    await page.get_by_label("问题没有解决").check()
    await page.fill("#words", "第二天又摆了")
    await page.get_by_role("button", name="提交").click()
    await expect(page.locator("[data-state]")).to_have_text("正在重新办理")
    await both(page, "progress_reopened")
    # Withdrawn by whoever knows the number that it was made with, too.
    visitor.forgiven.append("422")
    await page.locator("[data-act=withdraw]").click()
    await both(page, "progress_withdraw")
    await page.fill("#number", "13900009999")
    await page.get_by_role("button", name="提交").click()
    await expect(page.locator("#number")).to_have_attribute("aria-invalid", "true")
    await both(page, "progress_withdraw_wrong")
    async with office.engine.connect() as connection:
        own = select(tables.orders.c.callback_number).where(tables.orders.c.code == code)
        await page.fill("#number", str(await connection.scalar(own)))
    await page.get_by_role("button", name="提交").click()
    await expect(page.locator("[data-state]")).to_have_text("已按您的要求撤回")
    await both(page, "progress_withdrawn")


async def test_a_confidential_order_shows_its_state_alone(office: Office, visitors: Visitors, code: str) -> None:
    async with office.engine.begin() as connection:
        await connection.execute(update(tables.orders).where(tables.orders.c.code == code).values(confidential=True))
    page = await looked_up(
        await visitors.new(viewport={"width": 390, "height": 800}), code, await check_of(office, code)
    )
    await expect(page.get_by_text("此件按保密要求办理")).to_be_visible()
    await expect(page.locator("[data-act]")).to_have_count(0)
    await expect(page.locator("[data-unit]")).to_have_count(0)
    await both(page, "progress_secret_phone")


async def test_a_supervisor_changes_the_words_and_sends_again(office: Office, visitors: Visitors, code: str) -> None:
    page = await (await visitors.new()).log_in("sunli", "/notices")
    await page.locator("[data-template='citizen.thanks']").click()
    save = page.get_by_role("button", name="保存并生效")
    await expect(save).to_be_disabled()
    await page.fill("#text-zh", "【12345】谢谢您的评价。{phone}")
    await expect(page.get_by_role("alert")).to_contain_text("不允许的占位符：phone")
    await expect(save).to_be_disabled()
    await page.fill("#text-zh", "【12345】谢谢您的评价，编号")
    await page.locator("[data-hole=code]").click()
    await expect(page.locator("[data-reads=zh]")).to_contain_text("谢谢您的评价，编号260914000001K")
    await expect(page.locator("[data-reads=zh]")).to_contain_text("29 字，1 条短信")
    await save.click()
    await expect(page.get_by_role("status")).to_have_text("已保存，从下一条通知起生效")
    await expect(page.locator("[data-template='citizen.thanks'] .pill")).to_have_text("1")
    await both(page, "notices_templates")

    async with office.engine.begin() as connection:
        notices = update(tables.order_notices).values(given_up_at=tables.order_notices.c.created_at, sent_at=None)
        await connection.execute(notices.values(error="answered 422", tries=1))
    await page.reload()
    await page.locator("[data-tab=failed]").click()
    row = page.locator("[data-notice]", has_text=code)
    await expect(row).to_contain_text("answered 422")
    await both(page, "notices_failed")
    await row.get_by_role("button", name="重发").click()
    await expect(page.get_by_role("status")).to_contain_text(code)
    await expect(row).to_have_count(0)


async def test_files_are_brought_seen_and_removed_on_the_orders_page(
    office: Office, visitors: Visitors, code: str, tmp_path: Path
) -> None:
    visitor = await visitors.new()
    # A file of another kind; and the tab of a pdf, which is no page of ours, asks for a picture of its own.
    visitor.forgiven += ["415", "404"]
    page = await visitor.log_in("limei", f"/orders/{code}")
    files = page.locator("[data-attachments]")
    await expect(files).to_contain_text("没有附件")
    for name, raw in (("现场.jpg", photo("JPEG", (640, 480))), ("市民留言.wav", sound(2.0)), ("合同.pdf", PDF)):
        (tmp_path / name).write_bytes(raw)
    (tmp_path / "假照片.jpg").write_bytes(b"PK\x03\x04" + bytes(400))
    names = ("现场.jpg", "市民留言.wav", "合同.pdf", "假照片.jpg")
    await files.locator("input[type=file]").set_input_files([tmp_path / name for name in names])
    await expect(files.locator("[data-file]")).to_have_count(3)
    await expect(files.locator("[data-sending]")).to_contain_text("只接收照片")
    image = files.locator("img")
    await image.scroll_into_view_if_needed()
    await expect(image).to_have_js_property("complete", True)
    assert await image.evaluate("image => image.naturalWidth") == 240, "a small one, turned as the camera was held"
    await expect(page.locator("[data-notice='citizen.accepted']")).to_contain_text("已发", timeout=20_000)
    await files.scroll_into_view_if_needed()
    await both(page, "attachments")
    # All of it is on one timeline, each kind alone on demand.
    timeline = page.locator("[data-timeline]")
    await expect(timeline.locator("[data-event=file]")).to_have_count(3)
    await timeline.locator("[data-kind=file]").focus()
    await page.keyboard.press("Enter")
    await expect(timeline.locator("li")).to_have_count(3)
    await timeline.locator("[data-kind=all]").click()
    await expect(timeline.locator("[data-event=submit_certain]")).to_be_visible()

    # Photos are looked at one after the other by keys.
    (tmp_path / "夜间.png").write_bytes(photo("PNG", (300, 200)))
    await files.locator("input[type=file]").set_input_files([tmp_path / "夜间.png"])
    await expect(files.locator("[data-file]")).to_have_count(4)
    await files.get_by_role("button", name="查看 现场.jpg").click()
    viewer = page.locator("[data-viewer]")
    await expect(viewer).to_contain_text("1 / 2 张")
    await expect(viewer.locator("img")).to_have_js_property("naturalWidth", 480)
    await page.keyboard.press("ArrowRight")
    await expect(viewer.locator("img")).to_have_js_property("naturalWidth", 200)
    await both_of(page, "viewer")
    await page.keyboard.press("ArrowRight")
    await expect(viewer).to_contain_text("现场.jpg")
    await page.keyboard.press("Escape")
    await expect(viewer).to_have_count(0)

    # Where it is, drawn without a map server; another open order of its kind near by is a dot on it.
    place = page.locator("[data-place]")
    await expect(place).to_contain_text("22.543000, 114.057900")
    await expect(place.get_by_role("link", name="用地图软件打开")).to_have_attribute("href", "geo:22.543000,114.057900")
    await expect(place.get_by_role("link", name="在本市地图上查看")).to_have_attribute("href", MAP)
    await place.scroll_into_view_if_needed()
    await both(page, "place")

    sheet = files.locator("[data-file]", has_text="合同.pdf")
    await expect(sheet.get_by_role("button", name="删除")).to_have_count(0)
    async with page.context.expect_page() as opening:
        await sheet.get_by_role("link", name="打开").click()
    opened = await opening.value
    await opened.wait_for_load_state()
    assert await opened.evaluate("document.contentType") == "application/pdf"
    async with asyncio.timeout(PATIENCE):  # until the browser's own viewer has it
        while not any(frame.url.startswith("chrome-extension:") for frame in opened.frames):
            await asyncio.sleep(0.1)
    await opened.close()
    async with page.expect_download() as saving:
        await sheet.get_by_role("link", name="下载").click()
    assert (await saving.value).suggested_filename == "合同.pdf"

    page = await (await visitors.new()).log_in("sunli", f"/orders/{code}")
    sheet = page.locator("[data-file]", has_text="合同.pdf")
    await sheet.get_by_role("button", name="删除").click()
    await page.fill("#why", "与本案无关的合同")
    await shot(page, "attachments_delete_zh")
    await page.get_by_role("dialog").get_by_role("button", name="删除").click()
    await expect(sheet).to_contain_text("已由 孙丽 删除：与本案无关的合同")
    await expect(sheet.get_by_role("link")).to_have_count(0)


async def test_a_text_that_nobody_can_place_is_put_with_its_order(
    office: Office, visitors: Visitors, code: str
) -> None:
    assert await sent(office, f"sms-{code}", "13955556666", "灯修好了，谢谢") == (200, {"outcome": "unknown"})
    page = await (await visitors.new()).log_in("linxia", "/visits")
    row = page.locator("[data-text]", has_text="灯修好了")
    await expect(row).to_contain_text("139****6666")
    await expect(page.locator("[data-coverage]")).to_be_visible()
    await both(page, "visits_texts")
    await passed(office, code)
    await row.get_by_label("工单编号").fill(code)
    await row.get_by_role("button", name="归入工单").click()
    await expect(row).to_have_count(0)
    await page.goto(f"{office.url}/orders/{code}")
    await page.locator("[data-kind=text]").click()
    await expect(page.locator("[data-timeline] li")).to_contain_text("灯修好了，谢谢")
    await page.locator("[data-kind=all]").click()
    await both(page, "timeline")


async def _decoded(page: Page, address: str) -> float:
    """Seconds of sound that the browser makes of a file."""
    seconds: float = await page.evaluate(
        """async (address) => {
          const raw = await (await fetch(address)).arrayBuffer()
          return (await new OfflineAudioContext(1, 48000, 48000).decodeAudioData(raw)).duration
        }""",
        address,
    )
    return seconds


async def test_every_cleaned_voice_can_still_be_heard(office: Office, visitors: Visitors, code: str) -> None:
    agent = await office.logged_in("operator")
    page = await (await visitors.new()).log_in("limei", "/")
    for raw, seconds in (
        (noted(sound(1.0)), 1.0),
        (MP3, 1.0),
        ((FILES / "voice.ogg").read_bytes(), 1.0),
        ((FILES / "voice.m4a").read_bytes(), 1.0),
    ):
        query = {"name": "voice", "key": str(uuid.uuid4())}
        response = await agent.send("POST", f"/api/v1/orders/{code}/attachments", data=raw, params=query)
        made = await response.json()
        assert response.status == 201, made
        heard = await _decoded(page, f"/api/v1/orders/{code}/attachments/{made['id']}")
        assert seconds * 0.7 < heard < seconds * 1.4, made["form"]
