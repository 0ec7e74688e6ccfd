"""Expert seats: who is asked, by when, what must not be told; and from asking to the answer on a real desk."""

import asyncio
import time
import uuid
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stack import Desk, Stack

from callcenter.calendars.flow import On, Span
from callcenter.calendars.places import office_hours, working_days
from callcenter.experts.flow import Expert, field_of, names_somebody, reach

pytest_plugins = ("stack",)

ZONE = ZoneInfo("Asia/Shanghai")
DAYS = working_days(ZONE)
OFFICE = office_hours(DAYS)
WORKDAYS = (Span(On.WORKING_DAY, 540, 1080),)
ANY = Expert("any", frozenset(), WORKDAYS)
CITY = Expert("city", frozenset({"01"}), WORKDAYS)


def here(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


# --- rules ------------------------------------------------------------------------------------------------------------


def test_a_question_goes_to_the_experts_of_its_field_who_are_there() -> None:
    at = here("2026-11-19 10:00")
    assert field_of("0101") == field_of("01") == "01"
    found = reach([ANY, CITY], DAYS, OFFICE, at, "0101", {"any", "city"})
    assert (found.of_field, found.there) == (["any", "city"], ["any", "city"])
    assert found.due.at == here("2026-11-19 10:10")
    assert reach([ANY, CITY], DAYS, OFFICE, at, "0201", {"any", "city"}).there == ["any"]
    assert reach([ANY, CITY], DAYS, OFFICE, at, "0101", {"city"}).there == ["city"], "a desk that is shut sees nothing"


def test_with_nobody_on_duty_it_has_four_working_hours() -> None:
    found = reach([ANY, CITY], DAYS, OFFICE, here("2026-11-20 19:00"), "0101", {"any", "city"})
    assert (found.of_field, found.there) == (["any", "city"], [])
    assert found.due.at == here("2026-11-23 15:00")
    assert reach([], DAYS, OFFICE, here("2026-11-19 10:00"), "0101", set()).due.at == here("2026-11-19 16:00")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("他的电话是13812345678，请核实", True),
        ("138 1234 5678", True),
        ("138-1234-5678", True),
        ("身份证 11010519491231002X", True),
        ("1101 0519 4912 31002x", True),
        ("工单编号 2611220000017 的补贴标准是多少", False),
        ("依据第 138 条，金额 12345 元，拨 12345", False),
        ("", False),
    ],
)
def test_a_question_that_names_somebody_is_seen(text: str, found: bool) -> None:
    assert names_somebody(text) is found


@given(st.from_regex(r"\A1[3-9][0-9]{9}\Z"), st.text(st.characters(whitelist_categories=["Lo", "P"]), max_size=20))
def test_no_mobile_number_slips_through(number: str, words: str) -> None:
    words = "".join(each for each in words if not each.isdigit())
    assert names_somebody(f"{words}{number}{words}")


# --- a whole instance -------------------------------------------------------------------------------------------------


async def talk(stack: Stack, seat: str = "1003") -> tuple[Desk, str, str]:
    """An agent in a talk: the desk, the call's id, the caller's number."""
    desk = await (await stack.desk("limei")).sit(seat)
    number = stack.number()
    await stack.trunk.call(number, key="2")
    call = await desk.pop(number)
    await desk.state("talking")
    return desk, call["id"], number


def question(call: str, **more: Any) -> dict[str, Any]:
    return {"key": str(uuid.uuid4()), "call_id": call, "category": "0101", "text": "夜间摆摊的处罚依据？"} | more


async def heard(desk: Desk, key: str, count: int = 1) -> None:
    """Wait until the desk was told of this question so often."""

    def told() -> bool:
        return sum(m.get("id") == key for m in desk.screen.seen if m["type"] == "question") >= count

    await desk.screen.until(lambda _: told())


async def test_an_expert_answers_while_the_citizen_is_on_the_line(stack: Stack) -> None:
    agent, call, number = await talk(stack)
    expert = await stack.desk("qianwen")
    asked = question(call)
    began = time.monotonic()
    answer = await agent.ask("POST", "/expert_questions", asked, 201)
    await heard(expert, asked["key"])
    assert time.monotonic() - began < 5
    assert (answer["there"], answer["question"]["state"]) == (1, "open")
    found = await expert.ask("GET", "/expert_questions", status=200)
    mine = next(each for each in found["items"] if each["id"] == asked["key"])
    assert mine["text"] == asked["text"]
    assert number not in str(found), "who calls is not the expert's business"
    refused = await expert.ask("POST", f"/expert_questions/{asked['key']}/identity", status=403)
    assert refused["error"]["code"] == "not_needed"
    path = f"/expert_questions/{asked['key']}/answer"
    signed = await expert.ask("POST", path, {"text": "《城市市容条例》第十四条。", "propose": True}, 200)
    assert (signed["answered_by"], signed["proposed"]) == ("qianwen", True)
    await heard(agent, asked["key"])
    shown = await agent.ask("GET", f"/calls/{call}/questions", status=200)
    assert shown["items"][0]["answer"] == "《城市市容条例》第十四条。"
    assert (await agent.state("talking"))["state"] == "talking", "the citizen was there all the time"
    again = await expert.ask("POST", path, {"text": "又一次", "propose": False}, 409)
    assert again["error"]["code"] == "answered"
    rows = await stack.rows(
        "SELECT state, by FROM knowledge_proposals WHERE question_id = $1::text::uuid", asked["key"]
    )
    assert rows == [{"state": "proposed", "by": "qianwen"}]
    acts = await stack.rows("SELECT act FROM audit WHERE what->>'id' = $1 ORDER BY id", asked["key"])
    assert [row["act"] for row in acts] == ["ask_expert", "answer_expert"]


async def test_who_called_is_told_only_where_it_is_needed_and_leaves_a_trace(stack: Stack) -> None:
    agent, call, number = await talk(stack)
    expert = await stack.desk("qianwen")
    named = question(call, text=f"请查 {number} 的参保记录")
    assert (await agent.ask("POST", "/expert_questions", named, 409))["error"]["code"] == "names_somebody"
    asked = question(call, identity="须核对本人参保记录")
    await agent.ask("POST", "/expert_questions", asked, 201)
    async with asyncio.timeout(20):  # the ledger is written once a second
        while (await expert.ask("POST", f"/expert_questions/{asked['key']}/identity", status=200))["number"] != number:
            await asyncio.sleep(0.2)
    acts = await stack.rows("SELECT act FROM audit WHERE what->>'id' = $1 AND act = 'show_identity'", asked["key"])
    assert acts
    assert (await agent.ask("POST", f"/expert_questions/{asked['key']}/withdraw", status=200))["state"] == "withdrawn"
    gone = await expert.ask("POST", f"/expert_questions/{asked['key']}/identity", status=403)
    assert gone["error"]["code"] == "not_needed"


async def test_with_no_expert_there_it_is_written_and_has_a_clock(stack: Stack) -> None:
    agent, call, _ = await talk(stack)
    supervisor = await stack.browser("sunli")
    status, _ = await supervisor.ask(
        "PUT",
        "/api/v1/experts/qianwen",
        {"fields": ["02"], "hours": [{"on": "every_day", "start": "00:00", "end": "24:00"}]},
    )
    assert status == 200
    try:
        answer = await agent.ask("POST", "/expert_questions", question(call), 201)
        assert answer["there"] == 0
        assert answer["question"]["due_at"] > answer["question"]["asked_at"]
        stranger = await stack.desk("wangqiang")
        refused = await stranger.ask("POST", "/expert_questions", question(call), 404)
        assert refused["error"]["code"] == "no_call"
    finally:
        await supervisor.ask(
            "PUT",
            "/api/v1/experts/qianwen",
            {"fields": [], "hours": [{"on": "every_day", "start": "00:00", "end": "24:00"}]},
        )
    status, answer = await supervisor.ask(
        "PUT", "/api/v1/experts/limei", {"fields": [], "hours": [{"on": "every_day", "start": "09:00", "end": "10:00"}]}
    )
    assert (status, answer["error"]["code"]) == (409, "no_expert")
