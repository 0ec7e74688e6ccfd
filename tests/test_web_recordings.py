"""Listening in the page: a reason first, then both sides are drawn, played and moved through; ratings are shown."""

import asyncio
import csv
from collections.abc import Callable
from datetime import datetime, timedelta

import asyncpg
from pages import Visitors
from playwright.async_api import Page, expect
from stack import Stack
from test_recording_calls import recording, talk

from callcenter.recordings.queries import seal_of

pytest_plugins = ("stack", "pages")


async def sound(page: Page, what: str) -> float:
    found: float = await page.evaluate(f"Number(document.querySelector('audio').{what})")
    return found


async def until(page: Page, what: str, true: Callable[[float], bool]) -> None:
    async with asyncio.timeout(20):
        while not true(await sound(page, what)):
            await asyncio.sleep(0.05)


async def test_a_supervisor_listens_for_a_reason_and_moves_through_the_sound(stack: Stack, visitors: Visitors) -> None:
    _, citizen, _ = await talk(stack, 5)
    await citizen.hang_up()
    call = await stack.record(citizen.number)
    await recording(stack, call["id"])
    words = "UPDATE calls SET surveyed_at = ended_at, solved = 'yes', satisfied = 'basically' WHERE id = $1"
    await stack.rows(words, call["id"])

    agent = await (await visitors.new()).log_in("limei", f"/calls/{call['id']}")
    await expect(agent.get_by_role("heading", name="录音")).to_be_visible()
    await expect(agent.get_by_role("button", name="调听录音")).to_have_count(0)
    await expect(agent.get_by_text("今日评价")).to_have_count(0)

    page = await (await visitors.new()).log_in("sunli", f"/calls/{call['id']}")
    await expect(page.get_by_role("region", name="今日评价")).to_be_visible()
    await expect(page.locator(".facts").get_by_text("基本满意")).to_be_visible()
    await page.get_by_role("button", name="调听录音").click()
    begin = page.get_by_role("button", name="开始调听")
    await expect(begin).to_be_disabled()
    await page.get_by_label("调听事由").select_option("dispute")
    await page.get_by_label("说明").fill("市民对答复有异议")
    await begin.click()

    slider = page.get_by_role("slider")
    await expect(slider).to_be_visible()
    await until(page, "readyState", lambda state: state >= 3)
    length = await sound(page, "duration")
    assert abs(length - (call["ended_at"] - call["recorded_at"]).total_seconds()) < 0.3
    answered = (call["answered_at"] - call["recorded_at"]).total_seconds()
    assert abs(await sound(page, "currentTime") - answered) < 0.3, "it begins where the person answered"
    await page.get_by_role("button", name="播放", exact=True).click()
    await until(page, "currentTime", lambda at: at > answered + 0.5)
    await page.get_by_role("button", name="1.5×").click()
    assert await sound(page, "playbackRate") == 1.5
    await slider.press("Space")
    await expect(page.get_by_role("button", name="播放", exact=True)).to_be_visible()
    await slider.press("Home")
    assert await sound(page, "currentTime") == 0
    await slider.press("ArrowRight")
    assert abs(await sound(page, "currentTime") - min(5, length)) < 0.1
    box = await slider.bounding_box()
    assert box
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 10)
    await until(page, "currentTime", lambda at: abs(at - length / 2) < 0.1)
    shapes = await page.locator(".wave path").evaluate_all("paths => paths.map(path => path.getBBox().height)")
    assert len(shapes) == 2 and min(shapes) > 5, "both sides spoke"

    await page.get_by_role("button", name="暂缓销毁").click()
    await page.get_by_label("暂缓销毁的原因").fill("质检申诉处理中")
    await page.get_by_role("button", name="暂缓销毁").click()
    await expect(page.get_by_role("button", name="解除暂缓")).to_be_visible()
    (held,) = await stack.rows("SELECT hold, held_by FROM recordings WHERE call_id = $1", call["id"])
    assert held == {"hold": "质检申诉处理中", "held_by": "sunli"}


async def test_proof_of_deletion_is_listed_by_month_and_saved_as_a_file(stack: Stack, visitors: Visitors) -> None:
    months = {"2024-02": 2, "2024-03": 1}
    connection = await asyncpg.connect(stack.told["postgres"])
    try:
        # Nothing is old enough to have been deleted here; proofs of an earlier time, each with its seal.
        (known,) = await connection.fetch("SELECT count(*) AS n FROM recording_deletions")
        seal = await connection.fetchval("SELECT seal FROM recording_deletions ORDER BY n DESC LIMIT 1") or b""
        n = known["n"]
        for month, count in months.items():
            for day in range(1, count + 1):
                at = datetime.fromisoformat(f"{month}-{day:02}T04:00:00+00:00")
                n += 1
                proof: dict[str, object] = {
                    "n": n,
                    "call_id": f"n1-1700000000.{n}",
                    "recorded_at": at - timedelta(days=180),
                    "length_ms": 61_000,
                    "bytes": 1000,
                    "sha256": bytes(32),
                    "rule": "talk",
                    "days": 180,
                    "deleted_at": at,
                }
                seal = seal_of(seal, proof)
                await connection.execute(
                    f"INSERT INTO recording_deletions ({', '.join(proof)}, seal)"
                    f" VALUES ({', '.join(f'${i}' for i in range(1, len(proof) + 2))})",
                    *proof.values(),
                    seal,
                )
    finally:
        await connection.close()
    page = await (await visitors.new()).log_in("sunli", "/deletions")
    await expect(page.get_by_role("status")).to_have_text(f"证明链完整，共 {n} 条")
    rows = page.locator("[data-deletion]")
    await expect(rows.first).to_contain_text("普通通话")
    await page.locator("#month").fill("2024-02")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("2024-02-02 12:00:00")
    async with page.expect_download() as saving:
        await page.get_by_role("button", name="导出 CSV").click()
    saved = await saving.value
    assert saved.suggested_filename == "recording-deletions-2024-02.csv"
    with (await saved.path()).open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["rule"], row["days"], row["call_id"]) for row in table] == [
        ("talk", "180", f"n1-1700000000.{n - 1}"),
        ("talk", "180", f"n1-1700000000.{n - 2}"),
    ]
    await page.locator("#month").fill("2024-04")
    await expect(page.get_by_text("该月没有销毁录音")).to_be_visible()
