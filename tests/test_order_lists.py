"""Inbox, register and dispatch desk over HTTP, on a real Postgres."""

import asyncio
import csv
import io
import uuid
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from office import Browser, Office
from sqlalchemy import func, insert, select, text, update
from test_order_api import act
from test_orders_desk import EVIL, login_of, order, ring

from bench.made import PATHS, make
from bench.office import Place, measure
from callcenter.calls.numbers import blind_index
from callcenter.inboxes.flow import IN_HAND
from callcenter.store import tables
from callcenter.store.pages import day_bounds
from callcenter.workorders.codes import is_order_code, order_code
from callcenter.workorders.flow import TABLE
from callcenter.workorders.order import State

RULED = {"basis": "三定方案", "precedent": "夜间流动摊贩由城管主办"}
_number = iter(range(500_001, 900_000))


async def filed(office: Office, **changes: Any) -> str:
    """An order of an operator's, sent for dispatch; its code."""
    agent = await office.logged_in("operator")
    status, saved = await agent.ask("POST", f"/api/v1/calls/{ring(office, login_of(office))}/order", order(**changes))
    assert status == 201, saved
    code: str = saved["code"]
    return code


def made(at: datetime, **columns: Any) -> dict[str, Any]:
    """A row of orders as it might stand there."""
    return {
        "id": uuid.uuid4(),
        "code": order_code(at.date(), next(_number)),
        "check_code": "1234",
        "call_id": "n1-1.1",
        "state": "closed",
        "kind": "complaint",
        "category": "0101",
        "urgency": "U3",
        "subject": "占道经营",
        "description": "夜市摊位占道",
        "place": "",
        "region": "R0101",
        "department": "D29",
        "created_by": "limei",
        "created_at": at,
        "updated_at": at,
    } | columns


async def put(office: Office, *rows: dict[str, Any]) -> None:
    async with office.engine.begin() as connection:
        for row in rows:
            await connection.execute(insert(tables.orders).values(row))


async def get(browser: Browser, path: str, status: int = 200) -> Any:
    got, answer = await browser.ask("GET", path)
    assert got == status, answer
    return answer


async def codes(browser: Browser, path: str) -> list[str]:
    return [row["code"] for row in (await get(browser, path))["items"]]


# --- the inbox --------------------------------------------------------------------------------------------------------


async def test_an_inbox_is_grouped_counted_and_narrowed(own_office: Office) -> None:
    now = datetime.now(UTC)
    zone = own_office.settings.zone
    midnight = day_bounds(now.astimezone(zone).date(), zone)[1]
    liaison = await own_office.logged_in("liaison")
    mine = {"state": "in_progress", "department": "D29", "handler": "tangjun"}
    rows = {
        "late": made(now, due_at=now - timedelta(hours=1), urge_level=4, subject="垃圾成堆", **mine),
        # The end of today is still today.
        "soon": made(now, due_at=midnight, state="dispatched", department="D29", region="R0201"),
        "later": made(now, due_at=now + timedelta(days=9), urgency="U1", category="0201", **mine),
        "theirs": made(now, due_at=now, state="dispatched", department="D08"),
        "replied": made(now, due_at=now, state="replied", department="D29"),
        "quiet": made(now, department="D29"),
    }
    await put(own_office, *rows.values())
    name = {row["code"]: key for key, row in rows.items()}

    async def names(query: str = "") -> list[str]:
        return [name[code] for code in await codes(liaison, f"/api/v1/inbox{query}")]

    page = await get(liaison, "/api/v1/inbox")
    assert [name[row["code"]] for row in page["items"]] == ["late", "soon", "later"]
    assert {each["name"]: each["count"] for each in page["groups"]} == {"overdue": 1, "today": 1, "later": 1}
    assert {each["name"]: each["count"] for each in page["states"]} == {"in_progress": 2, "dispatched": 1}
    assert [row["task"] for row in page["items"]] == ["handle", "sign", "handle"]
    assert page["more"] is False
    for query, wanted in {
        "?group=overdue": ["late"],
        "?group=later": ["later"],
        "?state=dispatched": ["soon"],
        "?urgency=U1": ["later"],
        "?urged=red": ["late"],
        "?category=02": ["later"],
        "?category=0101": ["late", "soon"],
        "?region=R02": ["soon"],
        "?q=垃圾": ["late"],
        f"?q={rows['soon']['code']}": ["soon"],
        "?kind=praise": [],
    }.items():
        assert await names(query) == wanted, query
    assert [name[code] for code in await codes(await own_office.logged_in("handler"), "/api/v1/inbox")] == [
        "late",
        "later",
    ]
    first = await get(liaison, "/api/v1/inbox?limit=2")
    rest = await get(liaison, f"/api/v1/inbox?limit=2&after={first['next']}")
    assert ([name[row["code"]] for row in rest["items"]], rest["next"]) == (["later"], None)
    assert await names("?whose=mine") == []


async def test_a_supervisor_finds_what_units_have_asked_for(office: Office) -> None:
    now = datetime.now(UTC)
    asked = made(now, state="in_progress", due_at=now + timedelta(days=2), machines={"extension_request": "asked"})
    await put(office, asked)
    found = await get(await office.logged_in("supervisor"), f"/api/v1/inbox?q={asked['code']}")
    assert [row["task"] for row in found["items"]] == ["decide_extension"]


async def test_the_time_left_is_that_of_the_clock_that_is_due(office: Office) -> None:
    code = await filed(office)
    dispatcher = await office.logged_in("dispatcher")
    (row,) = (await get(dispatcher, f"/api/v1/inbox?q={code}"))["items"]
    assert (row["left"]["clock"], row["left"]["unit"], row["left"]["over"]) == ("T-DISPATCH", "minute", False)
    assert 27 <= row["left"]["amount"] <= 30
    await act(dispatcher, code, "dispatch", given={"lead": "D29"})
    (row,) = (await get(await office.logged_in("liaison"), f"/api/v1/inbox?q={code}"))["items"]
    assert (row["left"]["clock"], row["left"]["unit"]) == ("T-SIGN", "working_day")
    assert (row["task"], row["state"]) == ("sign", "dispatched")


# --- the register -----------------------------------------------------------------------------------------------------


async def test_the_register_is_narrowed_sorted_and_paged(own_office: Office) -> None:
    start = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
    rows = [made(start + timedelta(days=n), subject=f"噪声扰民 {n}", category="0201") for n in range(7)]
    rows[2] |= {"state": "in_progress", "due_at": start, "subject": "广场舞音量", "department": "R0101"}
    rows[4] |= {"state": "dispatched", "due_at": start + timedelta(days=9000), "urge_level": 3}
    await put(own_office, *rows)
    chief = await own_office.logged_in("supervisor")
    n = {row["code"]: number for number, row in enumerate(rows)}

    async def numbers(query: str) -> list[int]:
        return [n[code] for code in await codes(chief, f"/api/v1/orders{query}")]

    assert await numbers("") == [6, 5, 4, 3, 2, 1, 0]
    assert await numbers("?sort=oldest") == [0, 1, 2, 3, 4, 5, 6]
    assert await numbers("?sort=due") == [2, 4]
    assert await numbers("?due=overdue") == [2]
    assert await numbers("?due=open&urged=yellow") == [4]
    assert await numbers("?from_day=2026-03-04&to_day=2026-03-05") == [3, 2]
    assert await numbers("?days=1") == []
    assert await numbers("?department=R0101") == [2]
    assert await numbers("?q=噪声") == [6, 5, 4, 3, 1, 0]
    assert await numbers("?q=音量 广场") == [2]
    assert await numbers("?q=音") == [2]
    for evil in EVIL:
        assert (await chief.ask("GET", "/api/v1/orders", params={"q": evil}))[1]["items"] == []
    for sort, wanted in {"newest": [6, 5, 4, 3, 2, 1, 0], "oldest": [0, 1, 2, 3, 4, 5, 6], "due": [2, 4]}.items():
        seen: list[int] = []
        cursor = ""
        while cursor is not None:
            page = await get(chief, f"/api/v1/orders?sort={sort}&limit=3{cursor and '&before='}{cursor}")
            seen += [n[row["code"]] for row in page["items"]]
            cursor = page["next"]
        assert seen == wanted
    assert (await chief.ask("GET", "/api/v1/orders?category=x"))[0] == 422


async def test_words_are_found_by_an_index_page_by_page_through_the_years(
    own_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two characters are a word in Chinese, and trigrams find none: by pairs no table is read through."""
    start = datetime(2024, 3, 2, 4, 0, tzinfo=UTC)
    rows = [made(start + timedelta(days=40 * n), place=f"园岭{n}栋", description="夜市Stall占道") for n in range(7)]
    rows[3] |= {"subject": "噪声", "state": "in_progress", "department": "D08"}
    await put(own_office, *rows)
    chief, liaison = await own_office.logged_in("supervisor"), await own_office.logged_in("liaison")
    n = {row["code"]: number for number, row in enumerate(rows)}

    async def numbers(query: str, browser: Browser = chief) -> list[int]:
        return [n[code] for code in await codes(browser, f"/api/v1/orders?{query}")]

    assert await numbers("q=园岭") == [6, 5, 4, 3, 2, 1, 0]
    assert await numbers("q=sTALL 园岭3&sort=oldest") == [3]
    assert await numbers("q=园岭&from_day=2024-04-01&to_day=2024-07-01") == [3, 2, 1]
    assert await numbers("q=园岭&state=in_progress") == [3]
    assert await numbers("q=占道&state=closed&limit=2") == [6, 5]
    assert await numbers("q=岭园") == []
    assert await numbers("q=园岭", liaison) == []  # what was not sent to a unit is not theirs
    for sort, wanted in {"newest": [6, 5, 4, 3, 2, 1, 0], "oldest": [0, 1, 2, 3, 4, 5, 6]}.items():
        seen: list[int] = []
        cursor = ""
        while cursor is not None:
            page = await get(chief, f"/api/v1/orders?q=园岭&sort={sort}&limit=3{cursor and '&before='}{cursor}")
            seen += [n[row["code"]] for row in page["items"]]
            cursor = page["next"]
        assert seen == wanted
    # A search looks at so many and no more; what it has not come to is asked for as the next page.
    monkeypatch.setattr("callcenter.register.queries.MOST_HITS", 2)
    assert await numbers("q=园岭&region=R0101") == [6, 5]
    seen, cursor, pages = [], "", 0
    while cursor is not None:
        page = await get(chief, f"/api/v1/orders?q=园岭&kind={rows[0]['kind']}{cursor and '&before='}{cursor}")
        seen += [n[row["code"]] for row in page["items"]]
        cursor, pages = page["next"], pages + 1
    assert (seen, pages) == ([6, 5, 4, 3, 2, 1, 0], 4)
    # A single character is in no index: it is found among the newest, or more is asked for.
    assert await numbers("q=噪") == [3]
    monkeypatch.setattr("callcenter.register.queries.LOOKED_AT", 5)
    status, told = await chief.ask("GET", "/api/v1/orders?q=噪")
    assert (status, told["error"]["code"], list(told["error"]["fields"])) == (422, "too_short", ["q"])
    assert await numbers("q=噪&due=open") == []
    async with own_office.engine.begin() as connection:
        await connection.execute(
            text("UPDATE orders SET subject = '井盖' WHERE code = :code"), {"code": rows[2]["code"]}
        )
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        keys = "word_keys(order_span(created_at), words) @> word_keys(8000, '占道')"
        plan = await connection.scalars(text(f"EXPLAIN SELECT FROM order_texts WHERE {keys}"))
        assert "ix_order_texts_words" in "\n".join(plan)
    assert await numbers("q=井盖") == [2]


def test_orders_made_for_the_benchmark_live_as_the_table_allows() -> None:
    for name, (_, events, _) in PATHS.items():
        for event, before, after, role, _ in events:
            row = TABLE.get((State(before), event))
            assert event.startswith("propose_") or (row is not None and row.to == after), (name, event)
            assert row is None or role in row.who | row.second, (name, event)


async def test_the_benchmark_of_the_office_makes_its_orders_and_asks_for_them(own_office: Office) -> None:
    """What it measures is a figure for people; that all of it is answered is shown here, at a tiny size."""
    settings, url = own_office.settings, own_office.engine.url.render_as_string(hide_password=False)
    url = url.replace("+asyncpg", "")
    key = settings.number_key.get_secret_value().encode()
    await make(url, 2000, key, settings.zone, datetime.now(UTC))
    place = Place(own_office.url, url, own_office.password("admin"), settings.zone)
    tables_made = [table async for table in measure(place, 1.3, reads=10, saves=[20], warm_up=0)]
    assert [title.partition(",")[0] for title, _ in tables_made] == [
        "Before",
        "Reading",
        "Saving with fsync",
        "Sweep over open clocks",
    ]
    told = [figure for _, figures in tables_made for figure in figures]
    assert not [figure for figure in told if "FAILED" in figure.what or figure.value == "none"]
    async with own_office.engine.connect() as connection:
        told = (await connection.execute(select(tables.orders))).mappings().all()
        entries = await connection.execute(text("SELECT order_id, max(n) FROM order_history GROUP BY 1"))
        last = {row[0]: row[1] for row in entries}
        missing = "SELECT count(*) FROM orders WHERE NOT EXISTS (SELECT FROM order_texts WHERE order_id = orders.id)"
        assert await connection.scalar(text(missing)) == 0
    assert all(is_order_code(row["code"]) and last[row["id"]] == row["version"] for row in told)
    with_number = [row for row in told if row["callback_number"]]
    assert all(row["callback_key"] == blind_index(key, row["callback_number"]) for row in with_number)
    chief = await own_office.logged_in("supervisor")
    open_ones = [row for row in told if row["state"] in IN_HAND]
    assert open_ones
    assert all(row["due_at"] is not None for row in open_ones)
    row = with_number[0]
    assert row["code"] in await codes(chief, f"/api/v1/orders?number={row['callback_number']}")


async def test_who_may_finds_orders_by_a_number_and_no_confidential_one(office: Office) -> None:
    number = "13911112222"
    code = await filed(office, callback_number=number)
    hidden = await filed(office, callback_number=number, confidential=True)
    chief = await office.logged_in("supervisor")
    found = await codes(chief, f"/api/v1/orders?number={number}")
    assert code in found
    assert hidden not in found
    assert await codes(chief, "/api/v1/orders?number=13911112223") == []
    assert (await get(await office.logged_in("dispatcher"), f"/api/v1/orders?number={number}", 403))["error"][
        "code"
    ] == "not_allowed"


async def test_a_view_is_kept_shared_renamed_deleted_and_brought_back(office: Office) -> None:
    first, other = await office.hire("liaison", unit="D29"), await office.hire("liaison", unit="D08")
    owner, colleague = office.browser(), office.browser()
    await owner.log_in(first.login, first.password)
    await colleague.log_in(other.login, other.password)
    url = f"/api/v1/register/views/{uuid.uuid4()}"
    view = {"name": "待签收", "role": None, "filters": {"state": "dispatched", "days": 7, "from_day": "2026-03-01"}}

    async def seen(browser: Browser) -> list[tuple[str, bool]]:
        return [(each["name"], each["mine"]) for each in (await get(browser, "/api/v1/register/views"))["items"]]

    assert (await owner.ask("PUT", url, view))[0] == 204
    assert (await seen(owner), await seen(colleague)) == ([("待签收", True)], [])
    (kept,) = (await get(owner, "/api/v1/register/views"))["items"]
    assert {name: value for name, value in kept["filters"].items() if value} == view["filters"] | {"sort": "newest"}
    assert (await owner.ask("PUT", url, view | {"name": "签收", "role": "liaison"}))[0] == 204
    assert await seen(colleague) == [("签收", False)]
    assert (await colleague.ask("PUT", url, view))[1]["error"]["code"] == "key_taken"
    assert (await colleague.ask("DELETE", url))[0] == 404
    assert (await owner.ask("PUT", url, view | {"role": "supervisor"}))[1]["error"]["code"] == "not_your_role"
    assert (await owner.ask("DELETE", url))[0] == 204
    assert await seen(owner) == []
    assert (await owner.ask("PUT", url, view))[0] == 204
    assert await seen(owner) == [("待签收", True)]
    assert (await owner.ask("PUT", url, view | {"filters": {"number": "13800000000"}}))[0] == 422


async def test_many_are_signed_at_once_and_each_says_what_became_of_it(office: Office) -> None:
    dispatcher, liaison = await office.logged_in("dispatcher"), await office.logged_in("liaison")
    ours, theirs, stale = [await filed(office) for _ in range(3)]
    for code, unit in ((ours, "D29"), (theirs, "D08"), (stale, "D29")):
        await act(dispatcher, code, "dispatch", given={"lead": unit})
    items = [{"code": code, "version": 2 if code != stale else 1} for code in (ours, theirs, stale)]
    body = {"event": "sign", "given": {}, "items": items, "key": str(uuid.uuid4())}
    status, done = await liaison.ask("POST", "/api/v1/register/acts", body)
    assert status == 200
    assert [(row["done"], row["why"], row["state"]) for row in done["items"]] == [
        (True, None, "in_progress"),
        (False, "no_order", None),
        (False, "stale_order", None),
    ]
    assert (await liaison.ask("POST", "/api/v1/register/acts", body))[1]["items"][0] == done["items"][0]
    note = {"event": "note", "given": {"note": "已电话催促"}, "key": str(uuid.uuid4())}
    many = note | {"items": [{"code": ours, "version": 3}, {"code": stale, "version": 2}]}
    assert [row["done"] for row in (await liaison.ask("POST", "/api/v1/register/acts", many))[1]["items"]] == [
        True,
        True,
    ]
    twice = note | {"items": [{"code": ours, "version": 4}] * 2}
    assert (await liaison.ask("POST", "/api/v1/register/acts", twice))[0] == 422
    two_persons = {"event": "suspend", "given": {}, "items": items, "key": str(uuid.uuid4())}
    assert (await liaison.ask("POST", "/api/v1/register/acts", two_persons))[0] == 422
    blank = note | {"items": [{"code": ours, "version": 4}], "given": {}, "key": str(uuid.uuid4())}
    (row,) = (await liaison.ask("POST", "/api/v1/register/acts", blank))[1]["items"]
    assert (row["done"], row["why"]) == (False, "incomplete")
    assert "note" in row["zh"]


LARGE = 20_000


async def copied(office: Office, at: datetime, n: int) -> None:
    """Many orders at once, filed before a moment: by COPY, and without the index of their words."""
    rows = [made(at - timedelta(seconds=each), department="D08") for each in range(n)]
    async with office.engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        records = [tuple(row.values()) for row in rows]
        await driver.copy_records_to_table("orders", records=records, columns=list(rows[0]))


async def test_an_export_is_on_record_safe_and_masked(own_office: Office) -> None:
    at = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
    evil = made(at, subject="=cmd|' /C calc'!A0", callback_number="13812345678", contact_name="王女士")
    plain = made(at + timedelta(hours=1), description="请打13812345678")
    hidden = made(at, confidential=True, subject="保密")
    await put(own_office, evil, plain, hidden)
    await copied(own_office, at - timedelta(days=1), 620)
    chief = await own_office.logged_in("supervisor")
    ask = {"format": "csv", "reason": "月度分析", "filters": {}}

    async def lines(**changes: Any) -> list[list[str]]:
        answer = await chief.send("POST", "/api/v1/register/export", ask | changes)
        assert (answer.status, answer.content_type) == (200, "text/csv")
        assert ".csv" in answer.headers["Content-Disposition"]
        return list(csv.reader(io.StringIO((await answer.read()).decode("utf-8-sig"))))

    told = await lines()
    assert len(told) == 1 + 2 + 620
    assert [row[0] for row in told[1:3]] == [plain["code"], evil["code"]]
    assert told[2][6] == "'" + evil["subject"]
    assert told[2][-2:] == ["王**", "138****5678"]
    assert told[1][7] == "请打138****5678"
    assert (await chief.ask("POST", "/api/v1/register/export", ask | {"numbers": True}))[0] == 422
    await copied(own_office, at - timedelta(days=2), LARGE)
    writing = asyncio.create_task(chief.send("POST", "/api/v1/register/export", ask | {"format": "xlsx"}))
    seen = []
    while not writing.done():
        seen.append((await get(chief, "/api/v1/register/export"))["rows"])
        await asyncio.sleep(0.1)
    book = await writing
    # How far it is, told while it is written: never back, and nothing before and after.
    far = [rows for rows in seen if rows is not None]
    assert far == sorted(far) and 0 < max(far) <= LARGE + 622 and len(set(far)) > 2
    assert (await get(chief, "/api/v1/register/export"))["rows"] is None
    with zipfile.ZipFile(io.BytesIO(await book.read())) as opened:
        sheet = opened.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row ") == 1 + 2 + 620 + LARGE
    assert "<f>" not in sheet
    assert "=cmd|" in sheet
    assert "13812345678" not in sheet
    assert (await chief.ask("POST", "/api/v1/register/export", ask | {"reason": "x"}))[0] == 422
    leader = await own_office.logged_in("unit_leader")
    own = await leader.send("POST", "/api/v1/register/export", ask)
    assert "D08" not in (await own.read()).decode()
    assert (await (await own_office.logged_in("handler")).ask("POST", "/api/v1/register/export", ask))[0] == 403
    async with own_office.engine.connect() as connection:
        query = select(tables.audit.c.act, tables.audit.c.what).where(tables.audit.c.act.like("export%"))
        noted = (await connection.execute(query.order_by(tables.audit.c.id))).all()
    assert [act for act, _ in noted[:2]] == ["export_orders", "exported_orders"]
    assert (noted[1][1]["rows"], noted[1][1]["reason"]) == (622, "月度分析")


async def test_personal_data_leaves_by_two_persons_once_and_on_record(own_office: Office) -> None:
    at = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
    key = blind_index(own_office.settings.number_key.get_secret_value().encode(), "13812345678")
    hers = made(at, callback_number="13812345678", callback_key=key, contact_name="王女士")
    hidden = made(at, callback_key=key, confidential=True)
    await put(own_office, hers, hidden, made(at, callback_number="13900000000"))
    privacy, leader = await own_office.logged_in("privacy"), await own_office.logged_in("leader")
    wish = {"reason": "本人申请查阅其个人信息", "format": "csv", "number": "138 1234 5678", "filters": {}}
    for other in ("supervisor", "admin", "auditor", "leader"):
        assert (await (await own_office.logged_in(other)).ask("POST", "/api/v1/exports", wish))[0] == 403
    status, asked = await privacy.ask("POST", "/api/v1/exports", wish)
    assert (status, asked["state"], asked["number"], asked["may"]) == (201, "asked", "138****5678", [])
    url, yes = f"/api/v1/exports/{asked['id']}", {"approve": True, "note": "同意"}
    assert (await privacy.ask("POST", f"{url}/file"))[1]["error"]["code"] == "needs_approval"
    assert (await privacy.ask("POST", f"{url}/decision", yes))[1]["error"]["code"] == "second_person"
    assert (await leader.ask("POST", f"{url}/decision", yes))[1]["state"] == "running"
    assert (await leader.ask("POST", f"{url}/decision", yes))[0] == 409
    assert (await leader.ask("POST", f"{url}/file"))[0] == 403, "who approves does not take"
    answer = await privacy.send("POST", f"{url}/file")
    told = list(csv.reader(io.StringIO((await answer.read()).decode("utf-8-sig"))))
    assert [(row[0], *row[-2:]) for row in told[1:]] == [(hers["code"], "王女士", "13812345678")]
    assert (await privacy.ask("POST", f"{url}/file"))[0] == 403, "once"
    shown = (await leader.ask("GET", "/api/v1/exports"))[1]["items"][0]
    assert (shown["state"], shown["may"], shown["taken_at"] is not None) == ("over", [], True)
    refused = (await privacy.ask("POST", "/api/v1/exports", wish))[1]["id"]
    no = await leader.ask("POST", f"/api/v1/exports/{refused}/decision", {"approve": False, "note": "理由不足"})
    assert no[1]["state"] == "refused" and (await privacy.ask("POST", f"/api/v1/exports/{refused}/file"))[0] == 403
    async with own_office.engine.connect() as connection:
        query = select(tables.audit.c.act, tables.audit.c.what).where(tables.audit.c.act.like("%export%"))
        noted = (await connection.execute(query.order_by(tables.audit.c.id))).all()
    acts = ["ask_export", "decide_export", "export_personal_data", "exported_personal_data"]
    assert [act for act, _ in noted[:4]] == acts and noted[3][1]["rows"] == 1
    assert "13812345678" not in str(noted)


async def test_a_unit_sees_its_own_figures_alone(own_office: Office) -> None:
    at = datetime.now(UTC) - timedelta(days=2)
    happy = {"resolved": "basically", "satisfied_result": "yes"}
    not_happy = happy | {"satisfied_result": "no"}
    sent: dict[str, Any] = {"dispatched_by": "fangli", "returns": 0}
    rows = [
        made(at, state="closed", visit=happy, closing="satisfied", contacted_at=at + timedelta(hours=3), **sent),
        made(at, state="closed", visit=not_happy, closing="unreasonable", rehandles=1, **sent | {"returns": 1}),
        made(at, state="in_progress", due_at=at, urge_level=3, **sent),
        made(at, state="in_progress", due_at=at, complained_units=["D29"], **sent),
        made(at, state="in_progress", due_at=at, department="D10", **sent),
        made(at - timedelta(days=40), state="closed", **sent),
    ]
    nothing: dict[str, Any] = {"visit": {}, "closing": None, "due_at": None, "urge_level": 0, "complained_units": []}
    nothing |= {"rehandles": 0, "contacted_at": None}
    await put(own_office, *(nothing | row for row in rows))
    async with own_office.engine.begin() as connection:
        for row, days in ((rows[0], 1), (rows[1], 3)):
            due = at + timedelta(days=2)
            clock = {"name": "T-REPLY", "policy": "T-REPLY", "value": 2, "unit": "day", "started_at": at}
            ends = {"due_at": due + timedelta(days=5), "first_due_at": due, "n": 1, "order_id": row["id"]}
            ends["extended"] = 0 if days == 1 else 5
            await connection.execute(insert(tables.order_clocks).values(clock | ends))
            said = {"who": "tangjun", "event": "reply", "from_state": "in_progress", "to_state": "replied", "n": 2}
            said |= {"order_id": row["id"], "at": at + timedelta(days=days)}
            await connection.execute(insert(tables.order_history).values(said))
        for row, hours in ((rows[0], 1), (rows[2], 9)):
            for n, name in ((2, "T-SIGN"), (3, "T-CONTACT")):
                due = at + timedelta(hours=4)
                clock = {"name": name, "policy": name, "value": 4, "unit": "hour", "started_at": at, "n": n}
                clock |= {"due_at": due, "first_due_at": due, "order_id": row["id"]}
                await connection.execute(insert(tables.order_clocks).values(clock))
            said = {"who": "tangjun", "event": "sign", "from_state": "dispatched", "to_state": "in_progress", "n": 3}
            said |= {"order_id": row["id"], "at": at + timedelta(hours=hours)}
            await connection.execute(insert(tables.order_history).values(said))
    leader = await own_office.logged_in("unit_leader")
    status, told = await leader.ask("GET", "/api/v1/reports/unit")
    assert status == 200
    few = {"unit": "D29", "days": 30, "orders": 3, "open": 1, "overdue": 1, "closed": 2, "replied": 2, "on_time": 1}
    more = {"returned": 1, "rehandled": 1, "urged": 0, "carded": 1, "visited": 2, "unreachable": 0}
    strict = {"resolved": 0, "resolved_broad": 2, "satisfied": 1, "satisfied_broad": 1}
    # The third was signed too late for its limit, and its limit for a contact is over; the second was extended.
    units = {"sign_due": 2, "signed": 1, "contact_due": 2, "contacted": 1, "reply_due": 2, "in_time": 2}
    shares = {"extended": 1, "closed_again": 1, "unreasonable": 1}
    assert told == few | more | strict | units | shares, "an extension repairs nothing"
    assert (await leader.ask("GET", "/api/v1/reports/unit?days=366"))[1]["orders"] == 4
    assert (await leader.ask("GET", "/api/v1/reports/unit?unit=D10"))[1]["error"]["code"] == "not_your_unit"
    chief = await own_office.logged_in("supervisor")
    assert (await chief.ask("GET", "/api/v1/reports/unit?unit=D10"))[1]["orders"] == 1
    assert (await chief.ask("GET", "/api/v1/reports/unit"))[0] == 422
    # The whole process (R63): as many at each step as its list has.
    status, process = await leader.ask("GET", "/api/v1/monitor")
    assert (status, [(each["state"], each["count"], each["overdue"]) for each in process["stages"]]) == (
        200, [("in_progress", 1, 1)],
    )  # fmt: skip
    assert len(await codes(leader, "/api/v1/orders?department=D29&state=in_progress&due=overdue")) == 1
    for other in ("liaison", "handler", "dispatcher"):
        for path in ("/api/v1/reports/unit", "/api/v1/monitor"):
            assert (await (await own_office.logged_in(other)).ask("GET", path))[0] == 403


# --- the dispatch desk ------------------------------------------------------------------------------------------------


async def test_a_unit_is_suggested_with_its_reasons(own_office: Office) -> None:
    at = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
    alike = made(at, subject="夜市占道经营", description="夜市摊位占道，堵住人行道", department="D08")
    far = made(at, subject="完全不同的事情", description="没有一个字一样", department="D17")
    other_leaf = made(at, category="0102", department="D31")
    hidden = made(at, state="in_progress", department="D30")
    await put(own_office, alike, far, other_leaf, hidden)
    code = await filed(own_office, subject="夜市占道经营", description="每晚夜市摊位占道，堵住人行道")
    dispatcher = await own_office.logged_in("dispatcher")
    told = await get(dispatcher, f"/api/v1/orders/{code}/suggestion")
    assert [(each["unit"], [why["kind"] for why in each["reasons"]]) for each in told["units"]] == [
        ("D29", ["rule"]),
        ("D08", ["similar"]),
    ]
    assert [row["code"] for row in told["similar"]] == [alike["code"]]
    assert (told["similar"][0]["near"], told["similar"][0]["likeness"] > 60) == (2, True)
    assert not told["similar"][0]["open"], "closed ones are a supervisor's to open"
    everybody = await own_office.logged_in("supervisor")
    assert (await get(everybody, f"/api/v1/orders/{code}/suggestion"))["similar"][0]["open"]
    assert told["sure"]

    # A ruling about the same leaf in the same street is offered next time; set aside, it is no precedent.
    disputed = await filed(own_office)
    liaison, coordinator = await own_office.logged_in("liaison"), await own_office.logged_in("coordinator")
    await act(dispatcher, disputed, "dispatch", given={"lead": "D29"})
    await act(liaison, disputed, "sign")
    claim = {"new_facts": "摊位在公园内", "basis": "条例", "suggested_unit": "D08"}
    await act(liaison, disputed, "claim_not_ours", given=claim)
    await act(coordinator, disputed, "take_up_dispute")
    await act(coordinator, disputed, "rule", given={"lead": "D08", "co_units": ["D29"], **RULED})
    told = await get(dispatcher, f"/api/v1/orders/{code}/suggestion")
    first = told["units"][0]
    assert (first["unit"], first["co"], first["reasons"][0]["kind"]) == ("D08", ["D29"], "precedent")
    assert first["reasons"][0]["codes"] == [disputed]
    # It has edited the list of responsibilities, for a coordinator may (domain.md 3.6, 4.2).
    (edited,) = (await get(dispatcher, "/api/v1/duties"))["changes"]
    assert (edited["region"], edited["lead"], edited["co"], edited["state"]) == ("R0101", "D08", ["D29"], "holds")
    assert edited["basis"].startswith(f"裁定 {disputed}：")
    assert [(row["unit"], row["facts"], row["near"]) for row in told["rulings"]] == [("D08", RULED["precedent"], 2)]
    own = await get(dispatcher, f"/api/v1/orders/{disputed}/suggestion")
    assert own["units"][0]["reasons"][0]["kind"] == "bound"
    assert {why["kind"] for why in own["units"][0]["reasons"]} >= {"bound", "named"}
    async with own_office.engine.begin() as connection:
        await connection.execute(update(tables.orders).where(tables.orders.c.code == disputed).values(bound=False))
    assert (await get(dispatcher, f"/api/v1/orders/{code}/suggestion"))["rulings"] == []
    # Whoever follows fewer open orders follows the next; of those with many, whose are due later (R90).
    at = datetime.now(UTC)
    other = await own_office.hire("follow_up")
    for officer, hours, fewest in ((other.login, 9, "hexin"), ("hexin", 3, other.login)):
        await put(
            own_office, made(at, state="in_progress", due_at=at + timedelta(hours=hours), follow_up_officer=officer)
        )
        told = await get(dispatcher, f"/api/v1/orders/{code}/suggestion")
        assert told["follow_up_officer"] == fewest


async def test_who_dispatches_may_ask_for_a_suggestion(office: Office) -> None:
    code = await filed(office)
    assert (await (await office.logged_in("liaison")).ask("GET", f"/api/v1/orders/{code}/suggestion"))[0] == 403
    dispatcher = await office.logged_in("dispatcher")
    assert (await dispatcher.ask("GET", "/api/v1/orders/2609140000015/suggestion"))[0] == 404
    await act(dispatcher, code, "dispatch", given={"lead": "D29"})
    returned = {"return_reason": "NOT_DUTY", "basis": "三定方案", "suggested_unit": "D08"}
    await act(await office.logged_in("liaison"), code, "ask_return", given=returned)
    await act(dispatcher, code, "approve_return", given={"reason": "依据充分"})
    told = await get(dispatcher, f"/api/v1/orders/{code}/suggestion")
    assert [(each["unit"], each["points"] > 0) for each in told["units"]] == [("D08", True), ("D29", False)]


@pytest.mark.long
async def test_alike_orders_are_found_among_many(own_office: Office) -> None:
    """4,000 closed orders, 1,000 of them of one leaf, some long; what it takes is printed, not asserted."""
    import random
    import time

    random.seed(5)
    said = "夜市 摊位 占道 经营 噪声 扰民 垃圾 堆放 路灯 不亮 井盖 破损 积水 停车 收费 物业 漏水 施工"
    words = said.split()

    def prose(n: int) -> str:
        return "，".join("".join(random.choices(words, k=4)) for _ in range(n))

    at = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
    rows = [
        made(
            at - timedelta(minutes=n),
            subject=prose(1),
            description=prose(random.choice((3, 10, 40))),
            category=random.choice(("0101", "0102", "0201", "0202")),
            region=random.choice(("R0101", "R0102", "R0201")),
            department=random.choice(("D29", "D08", "D17")),
            state="closed",
        )
        for n in range(4_000)
    ]
    async with own_office.engine.begin() as connection:
        for first in range(0, len(rows), 1000):
            await connection.execute(insert(tables.orders), rows[first : first + 1000])
    async with own_office.engine.begin() as connection:
        await connection.execute(text("SET LOCAL statement_timeout = 0"))
        await connection.execute(text("ANALYZE orders"))
    code = await filed(own_office, subject="夜市摊位占道经营", description=prose(20))
    dispatcher = await own_office.logged_in("dispatcher")
    took = []
    for _ in range(30):
        began = time.perf_counter()
        told = await get(dispatcher, f"/api/v1/orders/{code}/suggestion")
        took.append(time.perf_counter() - began)
        assert told["similar"]
    took.sort()
    print(f"suggestion among 4,000: p50 {took[15] * 1000:.1f} ms, max {took[-1] * 1000:.1f} ms")


async def test_the_list_of_responsibilities_is_changed_and_the_desk_suggests_by_it(own_office: Office) -> None:
    """By a coordinator alone, by an administrator with another's word; for the city, a district, a street (R28)."""
    code = await filed(own_office)
    coordinator, admin = await own_office.logged_in("coordinator"), await own_office.logged_in("admin")
    dispatcher = await own_office.logged_in("dispatcher")

    async def first() -> str:
        told = await get(dispatcher, f"/api/v1/orders/{code}/suggestion")
        return next(each["unit"] for each in told["units"] if {"rule"} & {why["kind"] for why in each["reasons"]})

    async def change(browser: Browser, status: int = 201, **more: Any) -> Any:
        asked = {"category": "0101", "region": "", "lead": "D08", "co": [], "basis": "三定方案第五条", "after": 0}
        got, answer = await browser.ask("POST", "/api/v1/duties", asked | more)
        assert got == status, answer
        return answer

    async def decide(browser: Browser, number: int, state: str, status: int = 200) -> Any:
        got, answer = await browser.ask("POST", f"/api/v1/duties/{number}/decision", {"state": state})
        assert got == status, answer
        return answer

    assert await first() == "D29"
    wrong = {"category": "9", "region": "R99", "lead": "D99", "co": ["D98"]}
    assert set((await change(coordinator, 422, **wrong))["error"]["fields"]) == wrong.keys()
    await change(dispatcher, 403)
    asked = await change(admin)
    assert (asked["state"], await first()) == ("proposed", "D29")
    assert (await decide(admin, asked["id"], "holds", 403))["error"]["code"] == "second_person"
    await decide(coordinator, asked["id"], "holds")
    assert await first() == "D08"
    assert (await change(coordinator, 409))["error"]["code"] == "stale_duty"
    # The nearer place goes before the wider one, and one that goes back to the table frees what it lay over.
    street = await change(coordinator, region="R0101", lead="R0101", co=["D29"])
    assert (street["state"], await first()) == ("holds", "R0101")
    await change(coordinator, region="R01", lead="D17")
    assert await first() == "R0101"
    await change(coordinator, region="R0101", lead=None, after=street["id"])
    assert await first() == "D17"
    told = await get(dispatcher, "/api/v1/duties")
    rows = [(row["region"], row["lead"], row["basis"]) for row in told["items"] if row["category"] == "0101"]
    assert rows == [("", "D08", "三定方案第五条"), ("R01", "D17", "三定方案第五条")]
    assert [each["state"] for each in told["changes"]] == ["holds"] * 4
    async with own_office.engine.connect() as connection:
        acts = select(func.count()).where(tables.audit.c.act.in_(("change_duty", "decide_duty")))
        assert await connection.scalar(acts) == 5
