"""Events of orders over HTTP: who sees which order, what may be done next, refusals in words, the audit."""

import uuid
from typing import Any

import pytest
from office import Browser, Office
from sqlalchemy import select
from test_orders_desk import login_of, order, ring

from callcenter.people.permissions import ACTIONS
from callcenter.store import tables
from callcenter.workorders.flow import TABLE

REPLY = {"result": "resolved", "reply": "已清理", "actions": "现场处置"}


@pytest.fixture
async def code(office: Office) -> str:
    """An order of an operator's, sent for dispatch."""
    agent = await office.logged_in("operator")
    saved = await agent.ask("POST", f"/api/v1/calls/{ring(office, login_of(office))}/order", order())
    made: str = saved[1]["code"]
    return made


async def act(browser: Browser, code: str, event: str, status: int = 201, **more: Any) -> Any:
    """Cause an event, having seen the order; the answer."""
    seen = more.pop("version", None) or (await browser.ask("GET", f"/api/v1/orders/{code}"))[1].get("version", 1)
    body = {"event": event, "given": more.pop("given", {}), "version": seen, "key": str(uuid.uuid4())} | more
    got, answer = await browser.ask("POST", f"/api/v1/orders/{code}/events", body)
    assert got == status, answer
    return answer


async def show(browser: Browser, code: str) -> Any:
    status, shown = await browser.ask("GET", f"/api/v1/orders/{code}")
    assert status == 200, shown
    return shown


async def mine(browser: Browser, code: str) -> set[str]:
    return {each["event"] for each in (await show(browser, code))["possible"] if each["mine"] and not each["why_en"]}


def test_who_is_in_the_table_may_cause_events() -> None:
    """The route's action is held by every role of the table that can log in, and by no other."""
    named = set().union(*(row.who | row.second for row in TABLE.values()))
    assert ACTIONS["act_on_orders"] == named - {"system", "citizen", "enterprise", "peer"}
    assert ACTIONS["act_on_orders"] <= ACTIONS["see_orders"]


async def test_an_order_goes_from_the_desk_to_a_visit(office: Office, code: str) -> None:
    who = {
        role: await office.logged_in(role) for role in ("dispatcher", "liaison", "handler", "unit_leader", "inspector")
    }
    assert (await who["liaison"].ask("GET", f"/api/v1/orders/{code}"))[0] == 404
    waiting = await who["dispatcher"].ask("GET", "/api/v1/inbox?limit=200")
    assert code in {row["code"] for row in waiting[1]["items"]}
    assert await mine(who["dispatcher"], code) == {"dispatch", "merge", "raise_urgency", "set_point", "note", "split"}
    await act(who["dispatcher"], code, "dispatch", given={"lead": "D29"})
    assert await mine(who["dispatcher"], code) == {"recall", "raise_urgency", "set_point", "note"}
    assert await mine(who["liaison"], code) == {"sign", "ask_return", "assign_handler", "set_point", "note"}
    await act(who["liaison"], code, "sign", given={"handler": "tangjun"})
    assert code in {row["code"] for row in (await who["handler"].ask("GET", "/api/v1/inbox?limit=200"))[1]["items"]}
    await act(who["handler"], code, "first_contact", given={"how_contacted": "call", "contact_note": "已联系"})
    asked = await act(who["handler"], code, "reply", given=REPLY)
    assert (asked["event"], asked["state"]) == ("propose_reply", "in_progress")
    assert await mine(who["unit_leader"], code) >= {"confirm", "decline"}
    await act(who["unit_leader"], code, "confirm")
    checks = ["points", "facts", "basis", "result", "next_step", "no_personal_data", "no_promise"]
    await act(who["inspector"], code, "audit_pass", given={"checks": checks})
    visitor = await office.logged_in("visitor")
    shown = await show(visitor, code)
    assert shown["state"] == "pending_visit"
    assert [entry["event"] for entry in shown["history"]] == [
        "submit_certain",
        "dispatch",
        "sign",
        "first_contact",
        "propose_reply",
        "reply",
        "audit_pass",
    ]
    assert [entry["n"] for entry in shown["history"]] == list(range(1, 8))
    reply = next(clock for clock in shown["clocks"] if clock["name"] == "T-REPLY")
    assert (reply["late"], reply["ended_at"] is not None, reply["work"]) == (False, True, True)
    assert shown["callback_number"] == "138****5678"  # a visitor, who must call, reveals it by an act
    assert "*" in (await show(await office.logged_in("dispatcher"), code))["callback_number"]
    async with office.engine.connect() as connection:
        told = select(tables.audit.c.what).where(tables.audit.c.act == "order_event")
        events = [what["event"] for what in await connection.scalars(told) if what["code"] == code]
    assert events == ["dispatch", "sign", "first_contact", "propose_reply", "reply", "audit_pass"]


async def test_what_the_desk_cannot_answer_is_found_out_by_support_staff_and_sent_on(office: Office) -> None:
    agent, support = await office.logged_in("operator"), await office.logged_in("support")
    url = f"/api/v1/calls/{ring(office, login_of(office))}/order"
    status, saved = await agent.ask("POST", url, order("investigating", kind="consult", category=""))
    assert (status, saved["state"]) == (201, "investigating")
    code = saved["code"]
    inbox = (await support.ask("GET", "/api/v1/inbox?limit=200"))[1]["items"]
    (row,) = [row for row in inbox if row["code"] == code]
    assert (row["task"], row["left"]["clock"]) == ("investigate", "T-SUPPORT")
    ends = {"answer", "to_dispatch", "ask_info", "refuse", "hand_over"}
    assert await mine(support, code) == ends | {"raise_urgency", "set_point", "note", "split"}
    await act(support, code, "note", given={"note": "已核实，属城管职责"})
    assert set((await act(support, code, "to_dispatch", 422))["error"]["fields"]) == {"category"}
    await act(support, code, "to_dispatch", given={"category": "0101"})
    # Who follows it is chosen by load, unless the dispatcher names somebody (R90).
    dispatcher = await office.logged_in("dispatcher")
    told = (await dispatcher.ask("GET", f"/api/v1/orders/{code}/suggestion"))[1]
    assert (told["units"][0]["unit"], told["follow_up_officer"]) == ("D29", "hexin")
    await act(dispatcher, code, "dispatch", given={"lead": "D29"})
    shown = await show(await office.logged_in("follow_up"), code)
    assert (shown["category"], shown["department"], shown["follow_up_officer"]) == ("0101", "D29", "hexin")


async def test_what_is_sent_elsewhere_at_the_desk_takes_a_reason_and_a_second_person(office: Office) -> None:
    agent, supervisor = await office.logged_in("operator"), await office.logged_in("supervisor")
    told = (await agent.ask("GET", "/api/v1/order-ends"))[1]["items"]
    assert {each["event"]: each["second"] for each in told} == {
        "refuse": ["supervisor"], "hand_over": [], "mark_invalid": ["supervisor"],
    }  # fmt: skip
    alone = (await supervisor.ask("GET", "/api/v1/order-ends"))[1]["items"]
    assert {each["event"] for each in alone if not each["second"]} == {"refuse", "hand_over"}

    async def ended(end: str, status: int = 201, **given: str) -> Any:
        url = f"/api/v1/calls/{ring(office, login_of(office))}/order"
        got, answer = await agent.ask("POST", url, order(end, kind="consult", category="") | {"given": given})
        assert got == status, answer
        return answer

    wrong = await ended("not_accepted", 422, refuse_reason="out_of_area")
    assert set(wrong["error"]["fields"]) == {"other_way"}
    gone = await ended("transferred_out", handed_to="广州 12345", reason="事发地在广州")
    assert gone["state"] == "transferred_out"
    refused = await ended("not_accepted", refuse_reason="out_of_area", other_way="广州 12345")
    code = refused["code"]
    assert refused["state"] == "submitted"
    inbox = (await supervisor.ask("GET", "/api/v1/inbox?limit=200"))[1]["items"]
    assert [(row["task"], row["proposed"]) for row in inbox if row["code"] == code] == [("confirm", "refuse")]
    assert (await act(agent, code, "confirm", 409))["error"]["code"] == "second_person"
    await act(supervisor, code, "confirm")
    shown = await show(supervisor, code)
    assert [(each["event"], each["to_state"]) for each in shown["history"]] == [
        ("propose_refuse", "submitted"), ("refuse", "not_accepted"),
    ]  # fmt: skip
    # What the second person does not agree to waits for the desk again.
    prank = (await ended("invalid", reason="骚扰"))["code"]
    await act(supervisor, prank, "decline", given={"reason": "确有诉求"})
    assert (await show(agent, prank))["state"] == "submitted"
    assert {"accept", "answer", "accept_certain"} <= await mine(await office.logged_in("operator_ent"), prank)


async def test_refusals_say_why(office: Office, code: str) -> None:
    dispatcher, supervisor = await office.logged_in("dispatcher"), await office.logged_in("supervisor")
    wrong = await act(dispatcher, code, "sign", 409)
    assert wrong["error"]["code"] == "not_now"
    assert "待派单" in wrong["error"]["zh"]
    assert set((await act(dispatcher, code, "dispatch", 422))["error"]["fields"]) == {"lead"}
    evil = {"lead": "'; DROP TABLE orders; --", "colour": "red", "instruction": "x" * 100_000}
    assert set((await act(dispatcher, code, "dispatch", 422, given=evil))["error"]["fields"]) == {*evil}
    assert (await act(supervisor, code, "to_dispatch", 409))["error"]["code"] == "not_now"
    assert (await act(await office.logged_in("operator"), code, "dispatch", 403, given={"lead": "D29"}))["error"][
        "code"
    ] == "not_allowed"
    await act(dispatcher, code, "dispatch", given={"lead": "D29"})
    stale = await act(supervisor, code, "recall", 409, given={"reason": "改派"}, version=1)
    assert (stale["error"]["code"], stale["version"]) == ("stale_order", 2)
    assert [entry["event"] for entry in stale["since"]] == ["dispatch"]
    assert (await act(dispatcher, "2609140000015", "sign", 404))["error"]["code"] == "no_order"
    for path in ("orders/2609140000019", "orders?q=2609140000019", "inbox?q=2609140000019"):
        slip = await dispatcher.ask("GET", f"/api/v1/{path}")
        assert (slip[0], slip[1]["error"]["code"]) == (422, "wrong_code"), path
    assert (await act(supervisor, code, "fly", 409))["error"]["code"] == "not_now"


async def test_who_was_late_learns_where_the_order_has_gone(office: Office, code: str) -> None:
    """A dispatcher's page of an order that another has sent meanwhile, and its unit has signed."""
    late, liaison = await office.logged_in("dispatcher"), await office.logged_in("liaison")
    await act(await office.logged_in("supervisor"), code, "dispatch", given={"lead": "D29"})
    await act(liaison, code, "sign")
    sent = {"event": "dispatch", "given": {"lead": "D08"}, "version": 1, "key": str(uuid.uuid4())}
    for status, asked in (
        (409, await late.ask("POST", f"/api/v1/orders/{code}/events", sent)),
        (404, await late.ask("GET", f"/api/v1/orders/{code}")),
    ):
        assert (asked[0], asked[1]["error"]["code"]) == (status, "left_sight")
        assert "办理中" in asked[1]["error"]["zh"] and "承办人" in asked[1]["error"]["zh"]
    visitor = await office.logged_in("visitor")
    assert (await visitor.ask("GET", f"/api/v1/orders/{code}"))[1]["error"]["code"] == "no_order"


async def test_a_double_click_counts_once_even_when_the_order_is_out_of_sight(office: Office, code: str) -> None:
    dispatcher, liaison = await office.logged_in("dispatcher"), await office.logged_in("liaison")
    await act(dispatcher, code, "dispatch", given={"lead": "D29"})
    key = str(uuid.uuid4())
    returned = {"return_reason": "NOT_DUTY", "basis": "三定方案"}
    first = await act(liaison, code, "ask_return", given=returned, key=key)
    await act(dispatcher, code, "approve_return", given={"reason": "依据充分"})
    assert (await liaison.ask("GET", f"/api/v1/orders/{code}"))[0] == 404
    body = {"event": "ask_return", "given": returned, "version": 2, "key": key}
    assert await liaison.ask("POST", f"/api/v1/orders/{code}/events", body) == (201, first)
