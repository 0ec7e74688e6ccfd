"""The citizen's door: what two codes show and allow, what is never shown, and that guessing does not pay."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from office import Browser, Office
from sqlalchemy import select, text, update
from test_order_api import REPLY, act
from test_orders_desk import login_of, order, ring

from callcenter.citizen.flow import WORDS, told_of
from callcenter.citizen.throttle import (
    ADDRESS,
    CODE,
    DAY,
    MOST_ACTS,
    MOST_KEYS,
    MOST_REQUESTS,
    PAIR,
    STRANGERS,
    WINDOW_SECONDS,
    Flood,
    Tried,
    Tries,
    after,
    fresh,
    network,
    refused_until,
)
from callcenter.store import tables
from callcenter.workorders.codes import check_character
from callcenter.workorders.order import State

CHECKS = ["points", "facts", "basis", "result", "next_step", "no_personal_data", "no_promise"]
GOOD = {"contacted": "yes", "resolved": "yes", "satisfied_result": "basically", "satisfied_attitude": "yes"}
SECRETS = ("王女士", "5678", "占道", "南园路", "每晚", "limei", "fangli", "maowei", "tangjun")


@pytest.fixture
async def code(office: Office) -> str:
    agent = await office.logged_in("operator")
    made = await agent.ask("POST", f"/api/v1/calls/{ring(office, login_of(office))}/order", order())
    return str(made[1]["code"])


async def check_of(office: Office, code: str) -> str:
    async with office.engine.connect() as connection:
        found = await connection.scalar(select(tables.orders.c.check_code).where(tables.orders.c.code == code))
        return str(found)


async def look(office: Office, code: str, check: str | None = None, browser: Browser | None = None) -> tuple[int, Any]:
    key = {"code": code, "check": check or await check_of(office, code)}
    return await (browser or office.browser()).ask("POST", "/api/v1/progress", key)


async def do(office: Office, code: str, what: str, given: dict[str, Any], key: str | None = None) -> tuple[int, Any]:
    body = {"code": code, "check": await check_of(office, code), "act": what, "given": given}
    return await office.browser().ask("POST", "/api/v1/progress/acts", body | {"key": key or str(uuid.uuid4())})


async def replied(office: Office, code: str) -> None:
    """Take an order to where its citizen is asked."""
    who = {
        role: await office.logged_in(role) for role in ("dispatcher", "liaison", "handler", "unit_leader", "inspector")
    }
    await act(who["dispatcher"], code, "dispatch", given={"lead": "D29"})
    await act(who["liaison"], code, "sign", given={"handler": "tangjun"})
    await act(who["handler"], code, "first_contact", given={"how_contacted": "call", "contact_note": "已联系"})
    await act(who["handler"], code, "reply", given=REPLY)
    await act(who["unit_leader"], code, "confirm")
    assert (await look(office, code))[1]["reply"] is None, "not before its audit"
    await act(who["inspector"], code, "audit_pass", given={"checks": CHECKS})


def test_every_state_has_plain_words() -> None:
    assert WORDS.keys() == set(State)


async def test_two_codes_show_state_unit_and_dates_and_nobodys_name(office: Office, code: str) -> None:
    status, seen = await look(office, code)
    assert (status, seen["state"]["zh"], seen["unit"], seen["acts"]) == (
        200,
        "已受理，正在确定承办单位",
        None,
        ["urge", "withdraw"],
    )
    status, seen = await do(office, code, "urge", {"message": "何时派单"})
    assert (status, seen["step"]) == (201, 2), "R48: at any time, not only while a unit has it"
    await act(await office.logged_in("dispatcher"), code, "dispatch", given={"lead": "D29"})
    await act(await office.logged_in("liaison"), code, "sign")
    status, seen = await look(office, f" {code.lower()} ", await check_of(office, code))
    assert (seen["state"]["en"], seen["step"], seen["acts"]) == ("Being handled", 3, ["urge", "withdraw"])
    assert seen["unit"]["zh"] and seen["due_at"] and seen["received_at"] and seen["kind"]["en"] == "Complaint"
    assert not [secret for secret in SECRETS if secret in str(seen)]


async def test_a_citizen_rates_reopens_and_rates_again(office: Office, code: str) -> None:
    await replied(office, code)
    _, seen = await look(office, code)
    assert (seen["reply"]["text"], seen["acts"], seen["step"]) == (REPLY["reply"], ["rate", "urge", "withdraw"], 4)
    status, refused = await do(office, code, "rate", {"contacted": "yes"})
    assert (status, set(refused["error"]["fields"])) == (422, {"resolved", "satisfied_result", "satisfied_attitude"})
    key = str(uuid.uuid4())
    for _ in range(2):  # a double click
        status, seen = await do(office, code, "rate", GOOD | {"comment": "谢谢"}, key)
        assert (status, seen["state"]["zh"], seen["acts"]) == (201, "已办结", ["reopen"])
    status, refused = await do(office, code, "rate", GOOD)
    assert (status, refused["error"]["code"]) == (409, "not_now")
    status, seen = await do(office, code, "reopen", {"reopen_reason": "unmet", "reason": "又摆了"})
    assert (status, seen["state"]["en"], seen["acts"]) == (201, "Being handled again", ["urge", "withdraw"])
    async with office.engine.connect() as connection:
        told = select(tables.audit.c.what).where(tables.audit.c.act == "citizen_act")
        events = [what["event"] for what in await connection.scalars(told) if what["code"] == code]
        history = select(tables.order_history.c.who, tables.order_history.c.role).join(
            tables.orders, tables.orders.c.id == tables.order_history.c.order_id
        )
        acted = await connection.execute(
            history.where(tables.orders.c.code == code, tables.order_history.c.who == "citizen")
        )
        assert set(acted) == {("citizen", "citizen")}
    assert events == ["visit_satisfied", "reopen"]


async def test_who_is_not_satisfied_goes_to_a_second_person(office: Office, code: str) -> None:
    await replied(office, code)
    status, seen = await do(office, code, "rate", GOOD | {"resolved": "no"})
    assert (status, seen["acts"]) == (201, ["urge", "withdraw"])
    boss = await office.logged_in("supervisor")
    assert (await boss.ask("GET", f"/api/v1/orders/{code}"))[1]["state"] == "judging"


async def test_after_thirty_days_it_cannot_be_reopened(office: Office, code: str) -> None:
    await replied(office, code)
    await do(office, code, "rate", GOOD)
    past = text(
        "UPDATE order_clocks SET due_at = now() - interval '1 minute' WHERE name = 'T-REOPEN' AND order_id ="
        " (SELECT id FROM orders WHERE code = :code)"
    )
    async with office.engine.begin() as connection:
        await connection.execute(past, {"code": code})
    assert (await look(office, code))[1]["acts"] == []
    status, refused = await do(office, code, "reopen", {"reopen_reason": "unmet", "reason": "又摆了"})
    assert (status, refused["error"]["zh"]) == (409, "已过重新办理期限")


async def test_of_a_confidential_order_the_state_alone_is_shown(office: Office, code: str) -> None:
    await replied(office, code)
    async with office.engine.begin() as connection:
        await connection.execute(update(tables.orders).where(tables.orders.c.code == code).values(confidential=True))
    _, seen = await look(office, code)
    shown = {name for name, value in seen.items() if value not in (None, [])}
    assert shown == {"code", "step", "state"}
    status, refused = await do(office, code, "rate", GOOD)
    assert (status, refused["error"]["code"]) == (403, "call_us")


async def test_what_is_not_there_and_what_does_not_fit_are_one_answer(office: Office, code: str) -> None:
    missing = "991231999999"
    missing += check_character(missing)
    wrong = f"{(int(await check_of(office, code)) + 1) % 10_000:04d}"
    one, other = await look(office, code, wrong), await look(office, missing, wrong)
    assert one == other and one[0] == 404
    status, refused = await look(office, code[:-1] + ("0" if code[-1] != "0" else "1"), wrong)
    assert (status, refused["error"]["code"]) == (422, "wrong_code"), "a slip of the pen is told as such"
    for body in ({"code": code}, {"code": code, "check": "12a4"}, {"code": "x" * 21, "check": "1234"}):
        assert (await office.browser().ask("POST", "/api/v1/progress", body))[0] == 422


async def test_guessing_ends_soon_survives_a_restart_and_keeps_no_owner_out(office: Office, code: str) -> None:
    right = await check_of(office, code)
    tries = [f"{(int(right) + n) % 10_000:04d}" for n in range(1, PAIR.free + 8)]
    answers = await asyncio.gather(*(look(office, code, each) for each in tries))
    counted = [status for status, _ in answers]
    assert counted.count(404) == PAIR.free and counted.count(429) == 7, "at once or not, they are counted"
    status, refused = await look(office, code, right)
    assert (status, refused["error"]["code"]) == (429, "too_many_tries"), "nor the right one from there"
    async with office.engine.connect() as connection:
        kept = (await connection.execute(select(tables.citizen_tries))).mappings().all()
    assert PAIR.free in {row["wrong"] for row in kept}, "not in memory alone"
    assert all(b"127.0.0.1" not in row["key"] for row in kept)


async def test_urging_without_end_ends(office: Office, code: str) -> None:
    await act(await office.logged_in("dispatcher"), code, "dispatch", given={"lead": "D29"})
    await act(await office.logged_in("liaison"), code, "sign")
    counted = [(await do(office, code, "urge", {"message": "请快些"}))[0] for _ in range(MOST_ACTS + 2)]
    assert counted == [201] * MOST_ACTS + [429] * 2
    assert (await look(office, code))[0] == 200


async def test_right_tries_cost_nothing(office: Office, code: str) -> None:
    for _ in range(CODE.free + 2):
        assert (await look(office, code))[0] == 200


AT = datetime(2026, 9, 14, 12, tzinfo=UTC)


def guessed(wrong: int, tries: Tried, at: datetime) -> tuple[Tried, datetime]:
    """So many wrong tries, each as soon as it is admitted."""
    for _ in range(wrong):
        at = refused_until(tries, at) or at
        tries = after(tries, at, right=False)
    return tries, at


def nobody() -> Tried:
    return Tried(Tries(AT), Tries(AT), Tries(AT))


def test_a_free_try_never_waits_for_one_that_came_later_and_was_kept_first() -> None:
    tries, at = guessed(PAIR.free - 1, nobody(), AT)
    assert refused_until(tries, at - timedelta(milliseconds=20)) is None


def test_wrong_tries_wait_longer_and_longer_and_a_quiet_day_forgets_them() -> None:
    tries, at = guessed(PAIR.free, nobody(), AT)
    assert at == AT and refused_until(tries, AT) == AT + PAIR.first
    tries, at = guessed(1, tries, AT)
    assert refused_until(tries, at) == at + 2 * PAIR.first
    tries, at = guessed(30, tries, at)
    assert refused_until(tries, at) == at + PAIR.most, "never longer than that"
    assert refused_until(Tried(*(fresh(each, at + DAY) for each in tries)), at + DAY) is None
    # A right one is no pardon for an address: who guesses may have an order of their own.
    tries, at = guessed(ADDRESS.free, nobody(), AT)
    elsewhere = after(tries, at, right=True)
    assert elsewhere.address == tries.address and elsewhere.pair == Tries(at, known=True)


def test_strangers_keep_no_owner_out() -> None:
    """Strangers guess at a code from ever new addresses; its owner looks from home, and from a phone never seen."""
    code, at = Tries(AT), AT
    for _ in range(200):
        tried = Tried(Tries(at), code, Tries(at))
        code = after(tried, refused_until(tried, at) or at, right=False).code
        at = max(at, code.at)
        home = Tried(Tries(at), code, Tries(AT, known=True))
        assert refused_until(home, at) is None
    assert refused_until(Tried(Tries(at), code, Tries(at)), at) is not None, "two hundred addresses can do that"
    tried, at = guessed(CODE.free + 5, nobody(), AT)
    assert refused_until(Tried(Tries(at), tried.code, Tries(at)), at) is None, "one cannot"
    # What all together can guess of ten thousand check codes in a day.
    code, at, guesses = Tries(AT), AT, 0
    while True:
        tried = Tried(Tries(at), code, Tries(at, wrong=0 if code.strangers < STRANGERS else 1))
        at = refused_until(tried, at) or at
        if at >= AT + DAY:
            break
        code, guesses = after(tried, at, right=False).code, guesses + 1
    assert guesses < 100


def test_an_address_that_asks_without_end_is_kept_out() -> None:
    at = [0.0]
    flood = Flood(lambda: at[0])
    assert [flood.admit("192.0.2.1") for _ in range(MOST_REQUESTS + 1)] == [True] * MOST_REQUESTS + [False]
    assert flood.admit("192.0.2.2")
    at[0] = WINDOW_SECONDS + 1
    assert flood.admit("192.0.2.1")
    assert network("2001:db8:1:2:3::4") == network("2001:db8:1:2::ffff") != network("2001:db8:1:3::4")
    for n in range(MOST_KEYS + 5):
        flood.admit(str(n))
    assert len(flood._hits) == MOST_KEYS


async def test_neither_code_is_in_the_log(
    office: Office, code: str, caplog: pytest.LogCaptureFixture, capsys: Any
) -> None:
    check = await check_of(office, code)
    await look(office, code)
    await look(office, code, f"{(int(check) + 1) % 10_000:04d}")
    said = caplog.text + capsys.readouterr().err + capsys.readouterr().out
    assert code not in said and f'"{check}"' not in said


def test_a_reply_is_told_when_it_has_passed_and_the_last_one_holds() -> None:
    at = [datetime(2026, 9, 14) + timedelta(hours=n) for n in range(9)]
    history: list[dict[str, Any]] = [
        {"event": "reply", "given": {"reply": "一"}, "at": at[0]},
        {"event": "audit_fail", "given": {}, "at": at[1]},
        {"event": "reply", "given": {"reply": "二"}, "at": at[2]},
    ]
    assert told_of(history) is None
    history.append({"event": "audit_pass", "given": {}, "at": at[3]})
    assert told_of(history) == ("二", at[3])
    history.append({"event": "reply", "given": {"reply": "三"}, "at": at[4]})
    assert told_of(history) == ("二", at[3]), "the next one is not looked at yet"
    history.append({"event": "unreasonable", "given": {"explained": "说明"}, "at": at[5]})
    assert told_of(history) == ("说明", at[5])
    assert told_of([{"event": "answer", "given": {}, "at": at[0]}]) is None


async def test_the_master_answers_for_what_was_merged_unless_it_is_secret(office: Office, code: str) -> None:
    agent = await office.logged_in("operator")
    made = await agent.ask("POST", f"/api/v1/calls/{ring(office, login_of(office))}/order", order())
    other = made[1]["code"]
    dispatcher = await office.logged_in("dispatcher")
    await act(dispatcher, other, "merge", given={"master": code, "reason": "同一事项"})
    await replied(office, code)
    _, seen = await look(office, other)
    assert seen["reply"]["text"] == REPLY["reply"]
    async with office.engine.begin() as connection:
        await connection.execute(update(tables.orders).where(tables.orders.c.code == code).values(confidential=True))
    assert (await look(office, other))[1]["reply"] is None
