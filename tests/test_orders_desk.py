"""Drafts, orders and the ledger over HTTP: what an agent does during a call, Postgres or not."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Postgres
from office import Browser, Office, open_office, settings_for
from pydantic import SecretStr
from sqlalchemy import func, select, text

from agents.service_level import Outcome
from callcenter.calls.routes import RECORDER
from callcenter.calls.rows import Record
from callcenter.floor.changes import CallAnswered, CallArrived, CallEnded, CallRang
from callcenter.floor.model import Call, Leg, LegEnd, Side
from callcenter.store import tables
from callcenter.workorders.codes import is_order_code
from callcenter.workorders.routes import DRAFTS, LEDGER

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
FORM: dict[str, Any] = {
    "kind": "complaint",
    "category": "0101",
    "urgency": "U3",
    "subject": "占道经营",
    "description": "每晚八点后摆摊\n堵住人行道",
    "place": "南园路",
    "region": "R0101",
    "contact_name": "王女士",
    "callback_number": "13812345678",
    "confidential": False,
    "anonymous": False,
    "public_danger": False,
    "complained_person": "",
    "complained_units": [],
    "point": None,
}
EVIL = (
    "'; DROP TABLE orders; --",
    '" OR ""="',
    "%' OR 1=1 --",
    "_%\\",
    "<img src=x onerror=alert(1)>",
    "\u202e\u2066right to left",
)
_number = iter(range(1, 10_000))
#: Everybody is somebody else unless a test says so: who comes again with the same matter urges, see test_joins.py.
_person = iter(range(10_000))


def ring(
    office: Office,
    login: str,
    *,
    number: str | None = None,
    answered: bool = True,
    service: str = "unified",
    origin: str | None = None,
) -> str:
    """A call that rings the seat of a person and, when `answered`, is talked and over; returns its id."""
    n = next(_number)
    began = START + timedelta(seconds=n)
    number = number or f"138{n:04}1111"
    call = Call(
        id=f"n1-1763798400.{n}", arrived_at=began, number=number, service=service, dialed="12345", origin=origin
    )
    recorder = office.app[RECORDER]
    recorder([CallArrived(began, call)])
    call.queue, call.queued_at = "main", began
    leg = Leg("1001", login, "main", "c", began + timedelta(seconds=2))
    call.legs.append(leg)
    recorder([CallRang(leg.rung_at, call, leg)])
    if answered:
        leg.answered_at = began + timedelta(seconds=4)
        recorder([CallAnswered(leg.answered_at, call, leg)])
        call.ended_at = leg.ended_at = began + timedelta(seconds=60)
        leg.how, call.outcome, call.ended_by = LegEnd.COMPLETED, Outcome.ANSWERED, Side.CALLER
        recorder([CallEnded(call.ended_at, call)])
    return call.id


async def written(office: Office, call_id: str) -> None:
    """Wait until the recorder has written a call down."""
    async with asyncio.timeout(20):
        while True:
            async with office.engine.connect() as connection:
                if await connection.scalar(select(tables.calls.c.id).where(tables.calls.c.id == call_id)):
                    return
            await asyncio.sleep(0.05)


def order(end: str = "pending_dispatch", key: str | None = None, **changes: Any) -> dict[str, Any]:
    number = f"138{next(_person):04}5678"
    return {"form": FORM | {"callback_number": number} | changes, "end": end, "key": key or str(uuid.uuid4())}


@pytest.fixture
async def agent(office: Office) -> Browser:
    return await office.logged_in("operator")


@pytest.fixture
async def other(office: Office) -> Browser:
    """Another operator than `agent`."""
    account = [account for account in office.demo.accounts if account.role == "operator"][1]
    browser = office.browser()
    assert (await browser.log_in(account.login, account.password))[0] == 200
    return browser


def login_of(office: Office) -> str:
    return office.password("operator")[0]


# --- drafts -----------------------------------------------------------------------------------------------------------


async def test_draft_is_kept_version_by_version(office: Office, agent: Browser) -> None:
    url = f"/api/v1/calls/{ring(office, login_of(office))}/draft"
    assert await agent.ask("GET", url) == (200, {"draft": None})
    status, saved = await agent.ask("PUT", url, {"form": FORM | {"subject": "占"}, "version": 0})
    assert (status, saved["version"], saved["stored"]) == (200, 1, "database")
    assert (await agent.ask("PUT", url, {"form": FORM, "version": 1}))[1]["version"] == 2
    status, found = await agent.ask("GET", url)
    assert (status, found["draft"]["form"], found["draft"]["version"]) == (200, FORM, 2)
    office.app[DRAFTS]._memory.clear()  # as after a restart of the service
    assert (await agent.ask("GET", url))[1] == found


async def test_second_tab_learns_that_it_is_behind(office: Office, agent: Browser) -> None:
    url = f"/api/v1/calls/{ring(office, login_of(office))}/draft"
    await agent.ask("PUT", url, {"form": FORM, "version": 0})
    answers = await asyncio.gather(
        *(agent.ask("PUT", url, {"form": FORM | {"subject": f"tab {n}"}, "version": 1}) for n in range(5))
    )
    assert sorted(status for status, _ in answers) == [200, 409, 409, 409, 409]
    winner = next(n for n, (status, _) in enumerate(answers) if status == 200)
    refusal = next(answer for status, answer in answers if status == 409)
    assert refusal["error"]["code"] == "stale_draft"
    assert (refusal["draft"]["version"], refusal["draft"]["form"]["subject"]) == (2, f"tab {winner}")


async def test_drafts_are_listed_wherever_one_logs_in(own_office: Office) -> None:
    login = login_of(own_office)
    desk = await own_office.logged_in("operator")
    calls = [ring(own_office, login) for _ in range(4)]
    for call_id in calls:
        await written(own_office, call_id)
        await desk.ask("PUT", f"/api/v1/calls/{call_id}/draft", {"form": FORM, "version": 0})
    # One became an order, in one nothing is left; a colleague's is not mine.
    await desk.ask("POST", f"/api/v1/calls/{calls[0]}/order", order())
    blank = dict.fromkeys(("category", "subject", "description", "place", "region", "contact_name"), "")
    await desk.ask("PUT", f"/api/v1/calls/{calls[1]}/draft", {"form": FORM | blank, "version": 1})
    account = [account for account in own_office.demo.accounts if account.role == "operator"][1]
    other = own_office.browser()
    await other.log_in(account.login, account.password)
    theirs = ring(own_office, account.login)
    await other.ask("PUT", f"/api/v1/calls/{theirs}/draft", {"form": FORM, "version": 0})
    elsewhere = await own_office.logged_in("operator")
    status, found = await elsewhere.ask("GET", "/api/v1/drafts")
    assert (status, [note["call_id"] for note in found["items"]]) == (200, [calls[3], calls[2]])
    assert found["items"][0]["service"] == "unified"
    assert "占道" not in str(found), "a list says nothing of what was said"
    own_office.app[DRAFTS]._memory.clear()  # as after a restart of the service
    assert (await elsewhere.ask("GET", "/api/v1/drafts"))[1] == found


async def test_draft_of_somebody_elses_call_is_not_there(office: Office, agent: Browser, other: Browser) -> None:
    url = f"/api/v1/calls/{ring(office, login_of(office))}/draft"
    await agent.ask("PUT", url, {"form": FORM, "version": 0})
    assert (await other.ask("GET", url))[0] == 404
    assert (await other.ask("PUT", url, {"form": FORM, "version": 1}))[0] == 404
    assert (await agent.ask("GET", "/api/v1/calls/n1-1.999/draft"))[0] == 404


# --- orders -----------------------------------------------------------------------------------------------------------


async def test_order_is_saved_and_its_draft_is_gone(office: Office, agent: Browser) -> None:
    call_id = ring(office, login_of(office))
    await agent.ask("PUT", f"/api/v1/calls/{call_id}/draft", {"form": FORM, "version": 0})
    status, saved = await agent.ask("POST", f"/api/v1/calls/{call_id}/order", order())
    assert (status, saved["state"], saved["stored"], saved["call_id"]) == (
        201, "pending_dispatch", "database", call_id,
    )  # fmt: skip
    assert is_order_code(saved["code"])
    assert await agent.ask("GET", f"/api/v1/calls/{call_id}/draft") == (200, {"draft": None})
    # An autosave that was under way when the order was saved brings nothing back.
    late = await agent.ask("PUT", f"/api/v1/calls/{call_id}/draft", {"form": FORM, "version": 1})
    assert (late[0], late[1]["draft"]) == (409, None)
    status, shown = await agent.ask("GET", f"/api/v1/orders/{saved['code']}")
    assert status == 200
    assert {name: shown[name] for name in FORM} == FORM | {"callback_number": "138****5678"}
    assert (shown["department"], shown["created_by"]) == ("D29", login_of(office))
    assert [(line["event"], line["from_state"], line["to_state"]) for line in shown["history"]] == [
        ("submit_certain", "draft", "pending_dispatch")
    ]
    await written(office, call_id)
    _, call = await agent.ask("GET", f"/api/v1/calls/{call_id}")
    assert call["order"] == {"code": saved["code"], "state": "pending_dispatch"}


async def test_order_is_made_once_however_often_it_is_sent(office: Office, agent: Browser) -> None:
    url = f"/api/v1/calls/{ring(office, login_of(office))}/order"
    body = order()
    answers = await asyncio.gather(*(agent.ask("POST", url, body) for _ in range(6)))
    assert {status for status, _ in answers} == {201}
    assert len({answer["code"] for _, answer in answers}) == 1
    # The same key for another call is a mistake, and says so.
    elsewhere = f"/api/v1/calls/{ring(office, login_of(office))}/order"
    status, refusal = await agent.ask("POST", elsewhere, body)
    assert (status, refusal["error"]["code"]) == (409, "key_taken")
    # A second matter in one call is a second order.
    second = await agent.ask("POST", url, order())
    assert second[1]["code"] != answers[0][1]["code"]


async def test_many_orders_at_once_have_codes_of_their_own(office: Office, agent: Browser) -> None:
    async def saved(call: str) -> str:
        """The code; like the page, what a slow machine does not save in time is sent once more, under the same key."""
        form = order()
        for _ in range(10):
            status, answer = await agent.ask("POST", f"/api/v1/calls/{call}/order", form)
            if status != 503:
                break
        assert status in {200, 201}
        return str(answer["code"])

    calls = [ring(office, login_of(office)) for _ in range(60)]
    assert len(set(await asyncio.gather(*map(saved, calls)))) == 60


async def test_who_may_save(office: Office, agent: Browser, other: Browser) -> None:
    login = login_of(office)
    talked, rung = ring(office, login), ring(office, login, answered=False)
    assert (await other.ask("POST", f"/api/v1/calls/{talked}/order", order()))[0] == 404
    status, refusal = await agent.ask("POST", f"/api/v1/calls/{rung}/order", order())
    assert (status, refusal["error"]["code"]) == (403, "not_yours")
    supervisor, admin = await office.logged_in("supervisor"), await office.logged_in("admin")
    assert (await supervisor.ask("POST", f"/api/v1/calls/{talked}/order", order()))[0] == 201
    assert (await admin.ask("POST", f"/api/v1/calls/{talked}/order", order()))[0] == 403
    # The same when the service has forgotten the call, and asks Postgres.
    await written(office, talked)
    office.app[RECORDER]._recent.clear()
    assert (await other.ask("POST", f"/api/v1/calls/{talked}/order", order()))[0] == 404
    assert (await agent.ask("POST", f"/api/v1/calls/{talked}/order", order()))[0] == 201


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"subject": "x" * 100_000}, "form.subject"),
        ({"description": "x" * 5001}, "form.description"),
        ({"subject": "two\nlines"}, "form.subject"),
        ({"description": "bell \x07"}, "form.description"),
        ({"contact_name": "\x1b[31m"}, "form.contact_name"),
        ({"place": "\x00"}, "form.place"),
        ({"callback_number": "call me"}, "form.callback_number"),
        ({"confidential": "yes"}, "form.confidential"),
        ({"kind": "nonsense"}, "kind"),
        ({"subject": ""}, "subject"),
        ({"surprise": 1}, "form.surprise"),
    ],
)
async def test_wrong_fields_are_named_in_both_languages(
    office: Office, agent: Browser, changes: dict[str, Any], field: str
) -> None:
    url = f"/api/v1/calls/{ring(office, login_of(office))}/order"
    status, answer = await agent.ask("POST", url, order(**changes))
    assert status == 422
    assert answer["error"]["zh"]
    assert answer["error"]["en"]
    assert list(answer["error"]["fields"]) == [field]
    assert " / " in answer["error"]["fields"][field]


async def test_evil_texts_are_only_text(office: Office, agent: Browser) -> None:
    for evil in EVIL:
        url = f"/api/v1/calls/{ring(office, login_of(office))}/order"
        status, saved = await agent.ask("POST", url, order(subject=evil, description=evil, contact_name=evil[:60]))
        assert status == 201
        assert (await agent.ask("GET", f"/api/v1/orders/{saved['code']}"))[1]["subject"] == evil
        found = (await agent.ask("GET", "/api/v1/orders", params={"q": evil}))[1]["items"]
        assert [item["code"] for item in found] == [saved["code"]]


async def test_list_of_orders_goes_on_page_by_page(office: Office, agent: Browser, other: Browser) -> None:
    made = []
    for n in range(7):
        url = f"/api/v1/calls/{ring(office, login_of(office))}/order"
        made.append((await agent.ask("POST", url, order(subject=f"页 {n}", kind="help")))[1]["code"])
    seen: list[str] = []
    before: dict[str, str] = {}
    while True:
        params = {"q": "页", "kind": "help", "state": "pending_dispatch", "department": "D29", "limit": "3"} | before
        status, page = await agent.ask("GET", "/api/v1/orders", params=params)
        assert status == 200
        seen += [item["code"] for item in page["items"]]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
    assert seen == made[::-1]
    assert (await other.ask("GET", "/api/v1/orders", params={"q": "页"}))[1]["items"] == []
    assert (await other.ask("GET", f"/api/v1/orders/{made[0]}"))[0] == 404
    status, refusal = await agent.ask("GET", "/api/v1/orders", params={"before": "17~not-a-uuid"})
    assert (status, list(refusal["error"]["fields"])) == (422, ["before"])


async def test_who_a_confidential_order_came_from_is_hidden(office: Office, agent: Browser) -> None:
    url = f"/api/v1/calls/{ring(office, login_of(office))}/order"
    code = (await agent.ask("POST", url, order(confidential=True)))[1]["code"]
    assert (await agent.ask("GET", f"/api/v1/orders/{code}"))[1]["contact_name"] == "", "nor to who wrote it"
    shown = (await (await office.logged_in("supervisor")).ask("GET", f"/api/v1/orders/{code}"))[1]
    assert (shown["contact_name"], shown["callback_number"], shown["subject"]) == ("", "", "占道经营")


# --- the ledger -------------------------------------------------------------------------------------------------------


async def test_calls_are_listed_masked_and_found_exactly(office: Office, agent: Browser, other: Browser) -> None:
    mine = [ring(office, login_of(office), number="13911112222", service="labour") for _ in range(3)]
    await written(office, mine[-1])
    supervisor = await office.logged_in("supervisor")
    asked = {"day": "2026-11-22", "service": "labour", "seat": "1001", "outcome": "answered", "limit": "2"}
    status, page = await supervisor.ask("GET", "/api/v1/calls", params=asked)
    assert status == 200
    assert [item["id"] for item in page["items"]] == [mine[2], mine[1]]
    assert (page["items"][0]["number"], page["items"][0]["wait_ms"]) == ("139****2222", 4000)
    rest = (await supervisor.ask("GET", "/api/v1/calls", params=asked | {"before": page["next"]}))[1]
    assert [item["id"] for item in rest["items"]] == [mine[0]]
    for spelling, found in (("+86 139 1111 2222", 3), ("1391111222", 0), ("---", 0)):
        answer = (await supervisor.ask("GET", "/api/v1/calls", params={"number": spelling}))[1]
        assert len(answer["items"]) == found
    assert len((await agent.ask("GET", "/api/v1/calls", params={"service": "labour"}))[1]["items"]) == 3
    assert (await other.ask("GET", "/api/v1/calls", params={"service": "labour"}))[1]["items"] == []
    for day in ("0001-01-01", "9999-12-31"):
        assert (await supervisor.ask("GET", "/api/v1/calls", params={"day": day})) == (200, {"items": [], "next": None})


async def test_one_call_with_its_segments(office: Office, agent: Browser, other: Browser) -> None:
    call_id = ring(office, login_of(office))
    await written(office, call_id)
    status, call = await agent.ask("GET", f"/api/v1/calls/{call_id}")
    assert status == 200
    assert (call["outcome"], call["arrived_at"][-5:], call["talk_ms"]) == ("answered", ".000Z", 56_000)
    (segment,) = call["segments"]
    assert (segment["seat"], segment["login"], segment["how"]) == ("1001", login_of(office), "completed")
    assert (await other.ask("GET", f"/api/v1/calls/{call_id}"))[0] == 404


async def test_history_of_a_number_is_there_while_it_rings(office: Office, agent: Browser, other: Browser) -> None:
    login = login_of(office)
    earlier = [ring(office, login, number="13700007777") for _ in range(2)]
    old = await agent.ask("POST", f"/api/v1/calls/{earlier[0]}/order", order(callback_number="", subject="旧单"))
    another = order(callback_number="137 0000 7777", subject="回电") | {"other_than": [old[1]["code"]]}
    called_back = await agent.ask("POST", f"/api/v1/calls/{ring(office, login)}/order", another)
    assert called_back[0] == 201
    await written(office, earlier[1])
    now = ring(office, login, number="13700007777", answered=False)
    status, history = await agent.ask("GET", f"/api/v1/calls/{now}/history")
    assert status == 200
    assert [call["id"] for call in history["calls"]] == earlier[::-1]
    assert [each["subject"] for each in history["orders"]] == ["回电", "旧单"]
    assert "13700007777" not in str(history)
    assert (await other.ask("GET", f"/api/v1/calls/{now}/history"))[0] == 404
    without = ring(office, login, number="anonymous")
    assert (await agent.ask("GET", f"/api/v1/calls/{without}/history"))[1] == {"calls": [], "orders": []}


# --- Postgres goes away -----------------------------------------------------------------------------------------------


@pytest.fixture
async def fragile(own_postgres: Postgres, tmp_path: Path) -> AsyncIterator[Office]:
    """A service whose Postgres the test may harm."""
    url = own_postgres.url(await own_postgres.new_database())
    async with open_office(url, settings_for(tmp_path, number_key=SecretStr("k")), patience=2.0) as office:
        yield office


async def _back(office: Office) -> None:
    async with asyncio.timeout(20):
        while office.app[LEDGER].away:
            await asyncio.sleep(0.05)


@pytest.mark.harm
async def test_acknowledged_orders_survive_kill_9_of_postgres(own_postgres: Postgres, fragile: Office) -> None:
    """Three times kill -9 while orders are saved: each acknowledged one is there, once, with a code."""
    ledger, acknowledged = fragile.app[LEDGER], []
    over = asyncio.Event()

    async def save() -> None:
        while not over.is_set():
            key = uuid.uuid4()
            row = FORM | {
                "id": key, "call_id": "n1-1.1", "state": "pending_dispatch", "event": "submit_certain",
                "department": "D29", "callback_key": None, "created_by": "limei",
                "created_at": datetime.now(UTC), "language": "zh",
            }  # fmt: skip
            await ledger.save([Record("orders", row)])
            acknowledged.append(key)
            await asyncio.sleep(0.01)  # a city's agents save a hundred times less

    savers = [asyncio.create_task(save()) for _ in range(4)]
    for _ in range(3):
        await asyncio.sleep(0.2)
        await own_postgres.kill()
        await asyncio.sleep(0.1)
        await own_postgres.start()
        await _back(fragile)
    over.set()
    await asyncio.gather(*savers)
    await _back(fragile)
    async with fragile.engine.connect() as connection:
        found = set(await connection.scalars(select(tables.orders.c.id)))
        entries = await connection.scalar(select(func.count()).select_from(tables.order_history))
        codes = await connection.scalar(text("SELECT count(DISTINCT code) FROM orders"))
    assert set(acknowledged) <= found
    assert entries == codes == len(found)
    assert len(acknowledged) > 100


async def test_desk_goes_on_while_postgres_is_away(own_postgres: Postgres, fragile: Office) -> None:
    agent = await fragile.logged_in("operator")
    login = login_of(fragile)
    before, after = ring(fragile, login), ring(fragile, login)
    assert (await agent.ask("PUT", f"/api/v1/calls/{before}/draft", {"form": FORM, "version": 0}))[0] == 200
    own_postgres.freeze()  # the worse way: silence
    url = f"/api/v1/calls/{before}/draft"
    answers = [await agent.ask("PUT", url, {"form": FORM | {"subject": f"第 {n} 版"}, "version": n}) for n in (1, 2)]
    assert [(status, answer.get("stored")) for status, answer in answers] == [(200, "journal")] * 2
    assert (await agent.ask("GET", url))[1]["draft"]["form"]["subject"] == "第 2 版"
    key = str(uuid.uuid4())
    status, saved = await agent.ask("POST", f"/api/v1/calls/{after}/order", order(key=key))
    assert (status, saved["code"], saved["stored"]) == (201, None, "journal")
    prank = order("invalid") | {"given": {"reason": "骚扰"}}
    status, saved = await agent.ask("POST", f"/api/v1/calls/{after}/order", prank)
    assert (status, saved["state"], saved["stored"]) == (201, "submitted", "journal")
    own_postgres.thaw()
    await _back(fragile)
    # The page asks again with the same key, and learns the code.
    status, saved = await agent.ask("POST", f"/api/v1/calls/{after}/order", order(key=key))
    assert (status, saved["stored"]) == (201, "database")
    assert is_order_code(saved["code"])
    async with fragile.engine.connect() as connection:
        waits = select(tables.orders.c.state, tables.orders.c.proposal["event"].astext)
        assert (await connection.execute(waits.where(tables.orders.c.proposal.is_not(None)))).all() == [
            ("submitted", "mark_invalid")
        ]
    fragile.app[DRAFTS]._memory.clear()
    assert (await agent.ask("GET", url))[1]["draft"]["form"]["subject"] == "第 2 版"
