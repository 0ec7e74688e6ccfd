"""Who a confidential order came from: nowhere in clear, shown by approval only, and never to whom it complains of."""

import asyncio
import json
import uuid
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import Postgres
from office import Browser, Office, open_office, settings_for
from pydantic import SecretStr
from sqlalchemy import RowMapping, select, text, update
from test_order_api import act, show
from test_orders_desk import FORM, START, login_of, order, ring, written
from test_progress import GOOD, replied

from callcenter.api import Problem
from callcenter.app import make_app
from callcenter.callbacks.flow import Entry
from callcenter.callbacks.outgoing import of_order, of_visit
from callcenter.callbacks.routes import CALLBACKS
from callcenter.callbacks.writers import entry_record, text_record, write_callbacks, write_texts
from callcenter.clock import now
from callcenter.log import mask
from callcenter.people.permissions import Person
from callcenter.people.sessions import SESSIONS
from callcenter.privacy.cli import reseal
from callcenter.privacy.run import hide
from callcenter.privacy.seal import SEALER, relay_of
from callcenter.standalone import CannotStart
from callcenter.store import tables

NAME, NUMBER, CALLER = "欧阳小满", "13987650123", "13612349876"
SECRET = {"contact_name": NAME, "callback_number": NUMBER, "confidential": True, "kind": "report"}


@pytest.fixture
async def agent(office: Office) -> Browser:
    return await office.logged_in("operator")


async def save(office: Office, agent: Browser, *, number: str = CALLER, status: int = 201, **changes: Any) -> Any:
    """The answer to an order that was saved of a call."""
    call_id = ring(office, login_of(office), number=number)
    await written(office, call_id)
    sent = order(**changes)
    got, saved = await agent.ask("POST", f"/api/v1/calls/{call_id}/order", sent)
    if got == 409 and saved["error"]["code"] == "repeat":  # all that CALLER asks for is another matter here
        sent["other_than"] = [each["code"] for each in saved["repeats"]]
        got, saved = await agent.ask("POST", f"/api/v1/calls/{call_id}/order", sent)
    assert got == status, saved
    return saved


async def hidden(office: Office) -> None:
    while await hide(office.engine, office.app[SEALER]):
        pass


async def everything(office: Office) -> str:
    """Every row of every table of the database, as text."""
    async with office.engine.connect() as connection:
        rows = [
            str(row)
            for table in tables.metadata.sorted_tables
            for row in (await connection.execute(text(f'SELECT t::text FROM "{table.name}" t'))).scalars()
        ]
    return "\n".join(rows)


async def person(office: Office, role: str) -> Person:
    browser = await office.logged_in(role)
    found = await office.app[SESSIONS].person(browser.cookie())
    assert found is not None
    return found


def asking(office: Office, user: Person) -> Any:
    """What is asked, without a request."""
    return SimpleNamespace(app=office.app, user=user)


async def row_of(office: Office, code: str) -> RowMapping:
    async with office.engine.connect() as connection:
        query = select(tables.orders).where(tables.orders.c.code == code)
        return (await connection.execute(query)).mappings().one()


# --- nowhere in clear -------------------------------------------------------------------------------------------------


async def test_no_table_tells_who_it_came_from(
    own_office: Office, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A raw look into every table after the whole life of an order: a call that was given up, our call back of which it
    came, a draft, its dispatch, handling, audit and visit, an agent's call about it, notices, exports, a look at who.
    """
    agent = await own_office.logged_in("operator")
    given_up = ring(own_office, login_of(own_office), number=CALLER, answered=False)
    call_id = ring(own_office, login_of(own_office), number=CALLER, origin=given_up)
    await written(own_office, call_id)
    back = own_office.app[CALLBACKS]
    asked = Entry(
        given_up, CALLER, b"k", None, "abandoned_queue", "unified", "main", "zh", START, START, START, call_id=call_id
    )
    back._keep(back.roll.add(asked))
    back._pending["texts", given_up] = text_record(asked, "抱歉", own_office.app[SEALER])
    await back.flush()
    url = f"/api/v1/calls/{call_id}/draft"
    assert (await agent.ask("PUT", url, {"form": FORM | SECRET, "version": 0}))[0] == 200
    assert NAME not in await everything(own_office) and NUMBER not in await everything(own_office)
    drafted = (await agent.ask("GET", url))[1]["draft"]["form"]
    assert (drafted["contact_name"], drafted["callback_number"]) == (NAME, NUMBER)
    code = (await agent.ask("POST", f"/api/v1/calls/{call_id}/order", order(**SECRET)))[1]["code"]
    privacy = await own_office.logged_in("privacy")
    await replied(own_office, code)
    visitor = await own_office.logged_in("visitor")
    about = await of_visit(asking(own_office, await person(own_office, "visitor")), await row_of(own_office, code))
    back._keep([back.roll.by_agent(about) or about])
    await back.flush()
    await act(visitor, code, "visit_satisfied", given=GOOD)
    assert about.number == NUMBER
    export = {"format": "csv", "reason": "月度分析", "filters": {}}
    chief = await own_office.logged_in("supervisor")
    sheet = await (await chief.send("POST", "/api/v1/register/export", export)).text()
    shown = [await visitor.ask("GET", f"/api/v1/orders/{code}{part}") for part in ("", "/calls", "/notices", "/people")]
    listed = [await chief.ask("GET", f"/api/v1/callbacks?view={view}") for view in ("open", "settled")]
    await approved(own_office, privacy, code)
    asked = (await privacy.ask("GET", "/api/v1/privacy/requests"))[1]["items"][0]
    await hidden(own_office)
    status, who = await privacy.ask("POST", f"/api/v1/privacy/requests/{asked['id']}/view")
    assert (status, who["contact_name"], who["callback_number"], who["caller"]) == (200, NAME, NUMBER, CALLER)
    # What writes the call's row again brings nothing back.
    async with own_office.engine.begin() as connection:
        again = update(tables.calls).where(tables.calls.c.id == call_id)
        await connection.execute(again.values(number=CALLER, name=NAME, number_key=b"k"))
    rows, log = await everything(own_office), capfd.readouterr()
    journal = b"".join(file.read_bytes() for file in (own_office.settings.home / "journal").iterdir()).decode()
    seen = json.dumps([sheet, shown, listed], ensure_ascii=False)
    for told in (NAME, NUMBER, CALLER, NUMBER[-8:], CALLER[-8:], mask(NUMBER)):
        for where in (rows, journal, log.out, log.err, seen):
            assert told not in where
    assert "占道经营" in rows, "the matter itself is there"


async def test_the_journal_does_not_tell_either(own_postgres: Postgres, tmp_path: Path) -> None:
    url = own_postgres.url(await own_postgres.new_database())
    async with open_office(url, settings_for(tmp_path), patience=2.0) as office:
        agent = await office.logged_in("operator")
        call_id = ring(office, login_of(office), number=CALLER)
        await written(office, call_id)
        assert (await agent.ask("GET", "/api/v1/session"))[0] == 200  # so that the session is known without Postgres
        own_postgres.freeze()
        draft = {"form": FORM | SECRET, "version": 0}
        await agent.ask("PUT", f"/api/v1/calls/{call_id}/draft", draft)
        body = order(**SECRET)
        status, saved = await agent.ask("POST", f"/api/v1/calls/{call_id}/order", body)
        assert (status, saved.get("stored")) == (201, "journal"), saved
        kept = b"".join(file.read_bytes() for file in (tmp_path / "journal").glob("*.journal")).decode()
        assert "占道经营" in kept and NAME not in kept and NUMBER not in kept
        own_postgres.thaw()
        async with asyncio.timeout(30):
            while saved["code"] is None:
                _, saved = await agent.ask("POST", f"/api/v1/calls/{call_id}/order", body)
                await asyncio.sleep(0.1)
        privacy = await office.logged_in("privacy")
        number = await approved(office, privacy, saved["code"])
        assert (await privacy.ask("POST", f"/api/v1/privacy/requests/{number}/view"))[1]["contact_name"] == NAME


async def test_units_see_a_relay_only_and_so_does_who_wrote_it(office: Office, agent: Browser) -> None:
    code = (await save(office, agent, **SECRET))["code"]
    dispatcher, liaison = await office.logged_in("dispatcher"), await office.logged_in("liaison")
    await act(dispatcher, code, "dispatch", given={"lead": "D29"})
    for browser in (agent, dispatcher, liaison, await office.logged_in("supervisor")):
        shown = await show(browser, code)
        assert (shown["contact_name"], shown["callback_number"]) == ("", "")
        assert shown["relay"].startswith("BM-") and len(shown["relay"]) == 11
        assert NAME not in json.dumps(shown, ensure_ascii=False)
        if browser is not liaison:
            continue
        status, refusal = await browser.ask("POST", f"/api/v1/orders/{code}/reveal", {"reason": "contact"})
        assert (status, refusal["error"]["code"]) == (403, "not_allowed")
    status, refusal = await agent.ask("POST", f"/api/v1/orders/{code}/reveal", {"reason": "contact"})
    assert (status, refusal["error"]["code"]) == (403, "confidential")
    # A number in what a unit writes is refused, whosever it is.
    told = {"handler": "tangjun"}
    await act(liaison, code, "sign", given=told)
    note = {"how_contacted": "call", "contact_note": "联系 139 8765 0123"}
    refused = await act(liaison, code, "first_contact", 422, given=note)
    assert (refused["error"]["code"], set(refused["error"]["fields"])) == ("tells_number", {"contact_note"})


async def test_nothing_ties_a_confidential_order_to_another_of_its_call(office: Office, agent: Browser) -> None:
    """One call, two orders, one of which names the caller: nowhere is the other's call told but to who was in it."""
    call_id = ring(office, login_of(office), number=CALLER)
    await written(office, call_id)
    plain, secret = [
        (await agent.ask("POST", f"/api/v1/calls/{call_id}/order", order(**told) | {"other_than": []}))[1]["code"]
        for told in ({"category": "0201"}, SECRET | {"complained_person": "窗口人员"})
    ]
    await hidden(office)
    dispatcher, supervisor = await office.logged_in("dispatcher"), await office.logged_in("supervisor")
    for browser in (dispatcher, supervisor):
        about = [await browser.ask("GET", f"/api/v1/orders/{secret}{part}") for part in ("", "/calls", "/joined")]
        listed = [await browser.ask("GET", f"/api/v1/{which}?limit=200") for which in ("orders", "inbox")]
        assert call_id not in json.dumps([about, listed])
        assert (await browser.ask("GET", f"/api/v1/orders/{plain}/calls"))[1]["items"][0]["id"] == call_id
    assert (await supervisor.ask("GET", f"/api/v1/calls/{call_id}"))[1]["order"]["code"] == plain
    listed = [await supervisor.ask("GET", f"/api/v1/{which}") for which in ("calls?limit=200", "callbacks")]
    assert secret not in json.dumps(listed)
    assert (await agent.ask("GET", f"/api/v1/orders/{secret}/calls"))[1]["items"][0]["id"] == call_id, "it was theirs"
    oversight = await office.logged_in("oversight")
    await approved(office, oversight, secret)
    assert (await oversight.ask("GET", f"/api/v1/orders/{secret}/calls"))[1]["items"][0]["id"] == call_id


async def test_the_text_of_a_confidential_order_names_nobody(office: Office, agent: Browser) -> None:
    wrong = {"description": f"来电人{NAME}反映", "subject": "请回 1398765 0123"}
    refused = await save(office, agent, status=422, **SECRET | wrong)
    assert set(refused["error"]["fields"]) == {"description", "subject"}
    await save(office, agent, **SECRET | wrong | {"confidential": False, "kind": "complaint"})


async def test_an_anonymous_order_takes_no_name_and_tells_no_citizen(office: Office, agent: Browser) -> None:
    refused = await save(office, agent, status=422, anonymous=True)
    assert set(refused["error"]["fields"]) == {"contact_name", "callback_number"}
    code = (await save(office, agent, anonymous=True, contact_name="", callback_number=""))["code"]
    assert (await show(agent, code))["anonymous"] is True
    await act(await office.logged_in("dispatcher"), code, "dispatch", given={"lead": "D29"})
    async with office.engine.connect() as connection:
        query = select(tables.order_notices.c.recipient).join(tables.orders).where(tables.orders.c.code == code)
        assert set(await connection.scalars(query)) == {"lead"}


async def test_keys_rotate(office: Office, agent: Browser) -> None:
    """Wherever something is sealed, in whatever table: nothing is left under the old key."""
    await save(office, agent, **SECRET)
    await hidden(office)
    call_id = ring(office, login_of(office), number=CALLER)
    await written(office, call_id)
    url = f"/api/v1/calls/{call_id}/draft"
    assert (await agent.ask("PUT", url, {"form": FORM | SECRET | {"subject": "sealed:i1:x"}, "version": 0}))[0] == 200
    asked = Entry(call_id, CALLER, b"k", None, "abandoned_queue", "unified", "main", "zh", START, START, START)
    sealer = office.app[SEALER]
    async with office.engine.begin() as connection:
        for write, record in (
            (write_callbacks, entry_record(asked, "n9", sealer)),
            (write_texts, text_record(asked, "抱歉", sealer)),
        ):
            await write(connection, [record.row])
    old, new = "1a" * 32, "2b" * 32
    assert await _sealed_by(office, "i1") >= {"callbacks", "drafts", "identities", "texts"}
    settings = office.settings.model_copy(update={"identity_key": SecretStr(f"i1:{old},i2:{new}")})
    assert await asyncio.to_thread(reseal, settings) > 3
    assert await asyncio.to_thread(reseal, settings) == 0
    assert await _sealed_by(office, "i1") == set()
    # Back, for the tests that share this office.
    back = office.settings.model_copy(update={"identity_key": SecretStr(f"i2:{new},i1:{old}")})
    assert await asyncio.to_thread(reseal, back) > 3
    assert (await agent.ask("GET", url))[1]["draft"]["form"]["contact_name"] == NAME


async def _sealed_by(office: Office, key_id: str) -> set[str]:
    """Tables in which something is sealed by a key of the identities; recordings have keys of their own."""
    found = set()
    async with office.engine.connect() as connection:
        for table in tables.metadata.tables.values():
            words = f"t::text ~ 'sealed:{key_id}:[A-Za-z0-9+/]{{20}}'"
            own = f" OR t.key_id = '{key_id}'" if "key_id" in table.c and table.name != "recordings" else ""
            if await connection.scalar(text(f'SELECT count(*) FROM "{table.name}" t WHERE {words}{own}')):
                found.add(table.name)
    return found


# --- by approval ------------------------------------------------------------------------------------------------------

WISH = {"reason": "核查打击报复线索，须联系本人", "hours": 2}


async def approved(office: Office, asker: Browser, code: str) -> int:
    """A request of somebody's that the city's leader has approved; its number."""
    status, asked = await asker.ask("POST", f"/api/v1/orders/{code}/identity", WISH)
    assert status == 201, asked
    leader = await office.logged_in("leader")
    decision = {"approve": True, "note": "同意，限本次核查"}
    status, given = await leader.ask("POST", f"/api/v1/privacy/requests/{asked['id']}/decision", decision)
    assert (status, given["state"]) == (200, "running")
    return int(asked["id"])


async def test_an_identity_is_seen_by_who_asked_after_another_agreed_and_for_hours(
    office: Office, agent: Browser
) -> None:
    code = (await save(office, agent, **SECRET))["code"]
    oversight, privacy = await office.logged_in("oversight"), await office.logged_in("privacy")
    for browser in (agent, await office.logged_in("supervisor"), await office.logged_in("admin")):
        assert (await browser.ask("POST", f"/api/v1/orders/{code}/identity", WISH))[0] == 403
    short = await oversight.ask("POST", f"/api/v1/orders/{code}/identity", {"reason": "看看", "hours": 99})
    assert (short[0], set(short[1]["error"]["fields"])) == (422, {"reason", "hours"})
    status, asked = await oversight.ask("POST", f"/api/v1/orders/{code}/identity", WISH)
    assert (status, asked["state"], asked["may"]) == (201, "asked", ["end"])
    assert (await oversight.ask("POST", f"/api/v1/orders/{code}/identity", WISH))[0] == 409
    url = f"/api/v1/privacy/requests/{asked['id']}"
    assert (await oversight.ask("POST", f"{url}/view"))[0] == 403
    decision = {"approve": True, "note": "同意"}
    assert (await oversight.ask("POST", f"{url}/decision", decision))[0] == 403, "who asks does not decide"
    status, given = await privacy.ask("POST", f"{url}/decision", decision)
    assert (status, given["state"], given["may"]) == (200, "running", ["end"])
    assert (await privacy.ask("POST", f"{url}/view"))[0] == 403, "who decides does not see"
    assert (await privacy.ask("POST", f"{url}/decision", decision))[0] == 409
    for views in (1, 2):
        status, who = await oversight.ask("POST", f"{url}/view")
        assert (status, who["contact_name"], who["callback_number"]) == (200, NAME, NUMBER)
        mine = (await oversight.ask("GET", "/api/v1/privacy/requests"))[1]["items"][0]
        assert (mine["views"], mine["may"]) == (views, ["view", "end"])
    async with office.engine.begin() as connection:
        own = tables.identity_requests
        query = update(own).where(own.c.id == asked["id"]).values(until=now() - timedelta(seconds=1))
        await connection.execute(query)
        told = select(tables.audit.c.act).where(tables.audit.c.what["code"].astext == code)
        acts = list(await connection.scalars(told.order_by(tables.audit.c.id)))
    assert acts == ["ask_identity", "decide_identity", "view_identity", "view_identity"]
    assert (await oversight.ask("POST", f"{url}/view"))[0] == 403, "its time is over"
    assert (await oversight.ask("GET", "/api/v1/privacy/requests"))[1]["items"][0]["state"] == "over"


async def test_an_officer_does_not_decide_on_the_own_request_and_an_end_ends_it(office: Office, agent: Browser) -> None:
    code = (await save(office, agent, **SECRET))["code"]
    privacy = await office.logged_in("privacy")
    asked = (await privacy.ask("POST", f"/api/v1/orders/{code}/identity", WISH))[1]
    url = f"/api/v1/privacy/requests/{asked['id']}"
    refused = await privacy.ask("POST", f"{url}/decision", {"approve": True, "note": "自批"})
    assert (refused[0], refused[1]["error"]["code"]) == (403, "second_person")
    leader = await office.logged_in("leader")
    assert (await leader.ask("POST", f"{url}/decision", {"approve": True, "note": "同意"}))[0] == 200
    assert (await leader.ask("POST", f"{url}/end"))[1]["state"] == "over"
    assert (await privacy.ask("POST", f"{url}/view"))[0] == 403
    again = (await privacy.ask("POST", f"/api/v1/orders/{code}/identity", WISH))[1]
    url = f"/api/v1/privacy/requests/{again['id']}"
    assert (await leader.ask("POST", f"{url}/decision", {"approve": False, "note": "理由不足"}))[1][
        "state"
    ] == "refused"
    assert (await privacy.ask("POST", f"{url}/view"))[0] == 403
    plain = (await save(office, agent))["code"]
    assert (await privacy.ask("POST", f"/api/v1/orders/{plain}/identity", WISH))[0] == 409
    auditor = await office.logged_in("auditor")
    seen = (await auditor.ask("GET", "/api/v1/privacy/requests"))[1]["items"]
    assert {row["id"] for row in seen} >= {asked["id"], again["id"]} and not any(row["may"] for row in seen)


async def test_a_removed_person_is_nobodys_to_see(office: Office, agent: Browser) -> None:
    """What is critical is public danger: it cannot be withdrawn, its person can be removed."""
    code = (await save(office, agent, **SECRET | {"urgency": "U1"}))["code"]
    refused = await act(agent, code, "withdraw", 409, given={"identity": "call_back"})
    assert "公共安全" in refused["error"]["zh"]
    privacy = await office.logged_in("privacy")
    number = await approved(office, privacy, code)
    assert (await show(agent, code))["public_danger"] is True
    await act(agent, code, "remove_person", given={"identity": "call_back"})
    assert (await privacy.ask("POST", f"/api/v1/privacy/requests/{number}/view"))[0] == 404
    assert (await show(agent, code))["anonymous"] is True


# --- numbers are masked, and revealed by an act -----------------------------------------------------------------------


async def test_a_number_is_masked_until_it_is_revealed_for_a_reason(office: Office, agent: Browser) -> None:
    code = (await save(office, agent, callback_number=NUMBER))["code"]
    url = f"/api/v1/orders/{code}/reveal"
    assert (await show(agent, code))["callback_number"] == "139****0123"
    assert (await agent.ask("POST", url, {}))[0] == 422
    assert (await agent.ask("POST", url, {"reason": "other", "note": " "}))[0] == 422
    assert await agent.ask("POST", url, {"reason": "visit", "note": "回访"}) == (200, {"number": NUMBER})
    async with office.engine.connect() as connection:
        told = (
            select(tables.audit.c.what).where(tables.audit.c.act == "reveal_number").order_by(tables.audit.c.id.desc())
        )
        assert await connection.scalar(told) == {"code": code, "reason": "visit", "note": "回访"}
    assert (await (await office.logged_in("dispatcher")).ask("POST", url, {"reason": "visit"}))[0] == 403
    # Of a call: by who talked, and by who sees all; nobody learns of another's.
    call = (await row_of(office, code))["call_id"]
    assert (await agent.ask("POST", f"/api/v1/calls/{call}/reveal", {"reason": "verify"}))[1] == {"number": CALLER}
    other = office.browser()
    await other.log_in("wangqiang", next(each.password for each in office.demo.accounts if each.login == "wangqiang"))
    assert (await other.ask("POST", f"/api/v1/calls/{call}/reveal", {"reason": "verify"}))[0] == 404
    assert (await other.ask("POST", url, {"reason": "verify"}))[0] == 404


async def test_a_handler_sees_the_contact_of_what_is_theirs_alone(office: Office, agent: Browser) -> None:
    code = (await save(office, agent, callback_number=NUMBER))["code"]
    handler, url = await office.logged_in("handler"), f"/api/v1/orders/{code}/reveal"
    assert (await handler.ask("POST", url, {"reason": "contact"}))[0] == 404
    await act(await office.logged_in("dispatcher"), code, "dispatch", given={"lead": "D29"})
    await act(await office.logged_in("liaison"), code, "sign", given={"handler": "tangjun"})
    assert await handler.ask("POST", url, {"reason": "contact"}) == (200, {"number": NUMBER})
    call = (await row_of(office, code))["call_id"]
    assert (await handler.ask("POST", f"/api/v1/calls/{call}/reveal", {"reason": "contact"}))[0] == 403


# --- those whom it complains of ---------------------------------------------------------------------------------------


LISTS = ("/api/v1/orders?limit=200", "/api/v1/inbox?limit=200", "/api/v1/orders?q={code}", "/api/v1/orders?q=占道")


async def sees(browser: Browser, code: str) -> bool:
    """Whether somebody finds an order anywhere: by its code, or in a list."""
    status, _ = await browser.ask("GET", f"/api/v1/orders/{code}")
    found = [await browser.ask("GET", url.format(code=code)) for url in LISTS]
    return status == 200 or any(code in json.dumps(answer) for got, answer in found if got == 200)


async def test_whom_it_complains_of_and_their_desk_never_see_it(own_office: Office) -> None:
    """A liaison's unit by the person's name, a supervisor by login, and every way to the order."""
    agent = await own_office.logged_in("operator")
    concerned = SECRET | {"complained_person": "毛伟"}
    code = (await save(own_office, agent, **concerned))["code"]
    dispatcher, supervisor = await own_office.logged_in("dispatcher"), await own_office.logged_in("supervisor")
    desk = {role: await own_office.logged_in(role) for role in ("liaison", "handler", "unit_leader")}
    shown = await show(dispatcher, code)
    assert (shown["department"], shown["complained_units"]) == (None, ["D29"])
    for given in ({"lead": "D29"}, {"lead": "D10", "co_units": ["D29"]}):
        refused = await act(dispatcher, code, "dispatch", 422, given=given)
        assert refused["error"]["code"] == "complained_of"
    assert await sees(dispatcher, code)
    await act(dispatcher, code, "dispatch", given={"lead": "D10"})
    other = await own_office.hire("liaison", unit="D10")
    unit = own_office.browser()
    await unit.log_in(other.login, other.password)
    assert await sees(unit, code)
    for role, browser in desk.items():
        assert not await sees(browser, code), role
        body = {"event": "sign", "given": {}, "version": 2, "key": str(uuid.uuid4())}
        status, answer = await browser.ask("POST", f"/api/v1/orders/{code}/events", body)
        assert (status, answer["error"]["code"]) == (404, "no_order")
    # One who sees all orders sees all but this one: not by code, list, search, the call, its number, or requests.
    mine = (await save(own_office, agent, number="13699990000", complained_person="sunli", callback_number=""))["code"]
    call = (await row_of(own_office, mine))["call_id"]
    assert not await sees(supervisor, mine)
    assert (await supervisor.ask("GET", f"/api/v1/calls/{call}"))[1]["order"] is None
    assert mine not in json.dumps((await supervisor.ask("GET", "/api/v1/calls?limit=200"))[1])
    heard = await supervisor.ask("POST", f"/api/v1/calls/{call}/recording/listen", {"reason": "quality"})
    assert (heard[0], heard[1]["error"]["code"]) == (404, "no_recording")
    assert (await dispatcher.ask("GET", f"/api/v1/orders/{mine}"))[0] == 200
    again = ring(own_office, login_of(own_office), number="13699990000")
    assert mine in json.dumps((await agent.ask("GET", f"/api/v1/calls/{again}/history"))[1])
    history = (await supervisor.ask("GET", f"/api/v1/calls/{again}/history"))[1]
    assert mine not in json.dumps(history)
    assert (await supervisor.ask("POST", f"/api/v1/orders/{mine}/reveal", {"reason": "verify"}))[0] == 404
    assert (await supervisor.ask("GET", f"/api/v1/orders/{mine}/dial"))[0] == 404


async def test_an_officer_who_is_complained_of_neither_asks_nor_decides_nor_reads_of_it(own_office: Office) -> None:
    agent = await own_office.logged_in("operator")
    privacy, oversight = await own_office.logged_in("privacy"), await own_office.logged_in("oversight")
    login = own_office.password("privacy")[0]
    code = (await save(own_office, agent, **SECRET | {"complained_person": login}))["code"]
    assert (await privacy.ask("POST", f"/api/v1/orders/{code}/identity", WISH))[0] == 404
    asked = (await oversight.ask("POST", f"/api/v1/orders/{code}/identity", WISH))[1]
    assert (await privacy.ask("GET", "/api/v1/privacy/requests"))[1]["items"] == []
    url = f"/api/v1/privacy/requests/{asked['id']}/decision"
    assert (await privacy.ask("POST", url, {"approve": True, "note": "同意"}))[0] == 404


async def test_of_two_of_one_name_it_is_the_one_of_the_unit_that_was_named(own_office: Office) -> None:
    agent, dispatcher = await own_office.logged_in("operator"), await own_office.logged_in("dispatcher")
    named = {"complained_person": "毛伟", "complained_units": ["D10"], "callback_number": ""}
    code = (await save(own_office, agent, **named))["code"]
    assert (await show(dispatcher, code))["complained_units"] == ["D10"]
    await act(dispatcher, code, "dispatch", given={"lead": "D29"})
    assert await sees(await own_office.logged_in("liaison"), code)


async def test_a_confidential_order_is_called_about_by_who_wrote_it_alone(own_office: Office) -> None:
    agent = await own_office.logged_in("operator")
    code = (await save(own_office, agent, **SECRET))["code"]
    await hidden(own_office)

    entry = await of_order(asking(own_office, await person(own_office, "operator")), code)
    assert entry.number == NUMBER
    with pytest.raises(Problem, match="confidential"):
        await of_order(asking(own_office, await person(own_office, "supervisor")), code)


def test_a_relay_belongs_to_its_order() -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    assert relay_of(first) == relay_of(first) != relay_of(second)


async def test_an_order_can_be_sealed_with_no_key_but_the_right_one(tmp_path: Path) -> None:
    for wrong in ("", "i1:abc", f"i1:{'1a' * 32},i1:{'2b' * 32}"):
        settings = settings_for(
            tmp_path, identity_key=SecretStr(wrong), database_url=SecretStr("postgresql://x@127.0.0.1/x")
        )
        with pytest.raises(CannotStart, match="CALLCENTER_IDENTITY_KEY"):
            make_app(settings)


async def test_a_text_reaches_who_is_told_in_confidence_and_shows_nobody_the_number(
    own_office: Office,
) -> None:
    agent = await own_office.logged_in("operator")
    code = (await save(own_office, agent, **SECRET))["code"]
    await hidden(own_office)
    async with asyncio.timeout(30):
        while True:
            told = (await agent.ask("GET", f"/api/v1/orders/{code}/notices"))[1]["items"]
            if sent := [each for each in told if each["channel"] == "sms" and each["state"] == "sent"]:
                break
            await asyncio.sleep(0.2)
    assert NUMBER not in json.dumps(told) and NUMBER[-4:] not in json.dumps([each["address"] for each in sent])
    gateway = (own_office.settings.home / "notices.jsonl").read_text()
    assert NUMBER in gateway and NAME not in gateway
