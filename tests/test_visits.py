"""Return visits: when somebody is called, what the answers come to, who judges them, and the way back to the unit."""

import json
import re
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from office import Office
from sqlalchemy import event, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from test_order_api import REPLY, act, code, mine, show
from test_order_flow import NOW, RULES, SYSTEM, anybody, ready_in
from test_order_moves import START, history, person, policies, rows, saved
from test_order_moves import act as cause
from test_orders_desk import login_of, order, ring, written

from callcenter.alarms.webhook import signature
from callcenter.audits.queries import passed_at_once
from callcenter.inboxes.queries import find_inbox
from callcenter.incoming.flow import Known, meaning, plain
from callcenter.store import tables
from callcenter.visits import queries
from callcenter.visits.answers import record_answer, reopen
from callcenter.visits.flow import (
    Counted,
    Coverage,
    answers_of_text,
    coverage,
    is_surveyed,
    offer,
    rates,
    slot_now,
    slots_of,
)
from callcenter.workorders.deadlines import MEASURES, POLICIES
from callcenter.workorders.effects import changes
from callcenter.workorders.flow import Refused, advance
from callcenter.workorders.guards import CHECKS
from callcenter.workorders.order import State, Who
from callcenter.workorders.policies import Policies

__all__ = ["code", "policies"]

ZONE = ZoneInfo("Asia/Shanghai")
SLOTS = slots_of({code: policy.value for code, policy in MEASURES.items()})
ASKED = {"contacted": "yes", "resolved": "yes", "satisfied_result": "yes", "satisfied_attitude": "yes"}
VISITOR = Who("linxia", frozenset({"visitor"}))


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=ZONE)


# --- when -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tries", "now", "next_at"),
    [
        ([], at(23, 9), None),
        ([], at(23, 8, 59), at(23, 9)),
        ([], at(23, 12, 30), at(23, 14)),
        ([], at(23, 20, 30), at(24, 9)),
        ([at(23, 9)], at(23, 11, 59), at(23, 14)),
        ([at(23, 9)], at(23, 14), None),
        ([at(23, 9), at(23, 14)], at(23, 19), at(24, 9)),
        ([at(23, 9), at(23, 14)], at(24, 9), None),
        ([at(23, 19), at(24, 9)], at(24, 14), None),
    ],
)
def test_an_order_is_offered_when_its_next_hours_have_come(
    tries: list[datetime], now: datetime, next_at: datetime | None
) -> None:
    """R46: three tries in different parts of a day, on two days at least."""
    assert offer(tries, None, now, SLOTS, 3) == (next_at is None, next_at)


def test_a_time_that_the_citizen_named_goes_before_the_usual_hours() -> None:
    assert offer([at(23, 9)], at(23, 21), at(23, 14), SLOTS, 3) == (False, at(23, 21))
    assert offer([at(23, 9)], at(23, 21), at(23, 21), SLOTS, 3) == (True, None)
    assert offer([at(22, 9), at(22, 14), at(23, 9)], None, at(24, 9), SLOTS, 3) == (False, None)


@given(st.lists(st.integers(0, 60 * 72), max_size=3), st.integers(0, 60 * 96))
@settings(max_examples=200, deadline=None)
def test_what_is_offered_the_table_does_not_refuse(minutes: list[int], now: int) -> None:
    order = replace(ready_in(State.VISIT_RETRY), machines={"visit": "trying"})
    begun = at(22, 0)
    order = replace(order, tries=tuple(begun + timedelta(minutes=each) for each in sorted(minutes)))
    moment = begun + timedelta(minutes=now)
    if order.tries and order.tries[-1] >= moment:
        return
    if offer(order.tries, None, moment, SLOTS, 3).open:
        advance(order, "visit_no_answer", VISITOR, {"try_result": "busy"}, moment, RULES)


# --- what is asked ----------------------------------------------------------------------------------------------------


def test_who_wants_no_visit_is_not_called_again_and_counts_as_nothing() -> None:
    order = replace(ready_in(State.PENDING_VISIT), machines={"visit": "planned"})
    moved = advance(order, "visit_no_answer", VISITOR, {"try_result": "refused"}, NOW, RULES)
    assert (moved.then, moved.order.machines["visit"]) == (("visit_exhausted",), "refused")
    closed = advance(moved.order, "visit_exhausted", SYSTEM, {}, NOW, RULES).order
    assert (closed.state, closed.closing, closed.machines["visit"]) == (State.CLOSED, "no_visit", "refused")
    assert not is_surveyed(closed.visit)


def test_a_visit_is_put_off_at_the_citizens_wish() -> None:
    order = replace(ready_in(State.PENDING_VISIT), machines={"visit": "planned"})
    told = {"later_at": (NOW + timedelta(hours=5)).isoformat()}
    later = advance(order, "visit_later", VISITOR, told, NOW, RULES)
    assert (later.order.state, later.order.tries, later.order.visit["later_at"]) == (
        State.PENDING_VISIT,
        (),
        told["later_at"],
    )
    # The time that was named is over with the next try.
    assert "later_at" not in advance(later.order, "visit_no_answer", VISITOR, {}, NOW, RULES).order.visit
    for wrong in (NOW, NOW + timedelta(days=15)):
        with pytest.raises(Refused, match="not_yet"):
            advance(order, "visit_later", VISITOR, {"later_at": wrong.isoformat()}, NOW, RULES)
    for hostile in ("2026-11-24 10:00", "2026-11-24T10:00", "2026-13-24T10:00:00Z", "soon", 5, ["2026"]):
        with pytest.raises(Refused, match="incomplete"):
            advance(order, "visit_later", VISITOR, {"later_at": hostile}, NOW, RULES)


def test_an_unsatisfied_citizen_comes_to_a_second_person() -> None:
    """Who made the visit neither judges it nor agrees to the judgement, though they have the role."""
    order = replace(ready_in(State.PENDING_VISIT), machines={"visit": "planned"})
    first, other = anybody("supervisor", "first"), anybody("supervisor", "other")
    order = advance(order, "visit_unsatisfied", first, ASKED | {"resolved": "no"}, NOW, RULES).order
    assert (order.state, order.visit["by"], order.visit["how"]) == (State.JUDGING, "first", "phone")
    ground = {"basis": "条例", "explained": "已说明"}
    for judged, told in (("reasonable", {"reason": "属实"}), ("unreasonable", ground), ("out_of_duty", ground)):
        with pytest.raises(Refused, match="not_yet"):
            advance(order, judged, first, told, NOW, RULES)
    assert advance(order, "reasonable", other, {"reason": "属实"}, NOW, RULES).order.state is State.REHANDLE
    waiting = advance(order, "unreasonable", other, ground, NOW, RULES).order
    with pytest.raises(Refused, match="not_yet"):
        advance(waiting, "confirm", first, {}, NOW, RULES)
    assert advance(waiting, "confirm", anybody("coordinator", "third"), {}, NOW, RULES).order.state is State.CLOSED


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1121", ("yes", "yes", "basically", "yes")),
        (" 2，3 3，3。", ("no", "no", "no", "no")),
        ("１１１１", ("yes", "yes", "yes", "yes")),
        ("3111", None),
        ("111", None),
        ("11111", None),
        ("谢谢", None),
        ("", None),
    ],
)
def test_a_text_with_four_digits_is_four_answers(text: str, found: tuple[str, ...] | None) -> None:
    answers = answers_of_text(text)
    assert (tuple(answers.values()) if answers else None) == found


def test_unreachable_is_in_no_rate() -> None:
    """K20 to K24: over answers alone; strict and broad side by side."""
    seen = rates(
        [
            Counted("visit_satisfied", "yes", "yes", "yes", "", 6),
            Counted("visit_satisfied", "yes", "basically", "basically", "", 2),
            Counted("visit_unsatisfied", "no", "no", "no", "", 2),
            Counted("visit_no_answer", "", "", "", "no_answer", 30),
            Counted("visit_no_answer", "", "", "", "refused", 3),
            Counted("visit_exhausted", "", "", "", "", 13),
        ]
    )
    assert (seen.answered, seen.satisfied, seen.satisfied_broad, seen.resolved, seen.contacted) == (10, 6, 8, 6, 8)
    assert (seen.unreachable, seen.refused, seen.tries) == (10, 3, 33)
    # K23 and K24: of those that were finished or are overdue.
    assert coverage(seen, overdue=2) == Coverage(due=25, finished=23, answered=10)
    only = rates([Counted("visit_exhausted", "", "", "", "", 5)])
    assert (only.answered, only.satisfied, only.satisfied_broad, only.unreachable) == (0, 0, 0, 5)
    order = replace(ready_in(State.VISIT_RETRY), visit={"last": "no_answer"})
    assert changes(order, "visit_exhausted", SYSTEM, {}, NOW) == {"closing": "unreachable"}
    assert not is_surveyed(order.visit)


ONE, TWO = "2611220000016", "2611220000024"
WAITS, ASKED_BY_TEXT, OTHER = Known(ONE, True, False), Known(TWO, True, True), Known(TWO, False, False)


@pytest.mark.parametrize(
    ("words", "known", "found"),
    [
        ("1 1 2 1", [WAITS], ("answer", ONE)),
        ("1 1 2 1", [OTHER, WAITS], ("answer", ONE)),  # it alone waits for a visit
        ("1121", [WAITS, ASKED_BY_TEXT], ("answer", TWO)),  # it alone was asked by text
        (f"{ONE} 1121", [WAITS, ASKED_BY_TEXT], ("answer", ONE)),
        (f"关于{ONE.lower()}：灯还是不亮", [WAITS, ASKED_BY_TEXT], ("note", ONE)),
        ("灯还是不亮", [WAITS, OTHER], ("note", ONE)),
        ("1121", [OTHER], ("note", TWO)),  # nobody asks any more
        ("1121", [WAITS, Known(TWO, True, False)], ("several", None)),
        ("1121", [ASKED_BY_TEXT, Known(ONE, True, True)], ("several", None)),
        (f"{TWO} 灯不亮", [WAITS], ("several", None)),  # of another number's order nothing is learned
        ("1121", [], ("unknown", None)),
        (" td。", [WAITS], ("stop", None)),
        ("退订", [], ("stop", None)),
    ],
)
def test_a_text_means_an_order_only_where_it_can_mean_no_other(
    words: str, known: list[Known], found: tuple[str, str | None]
) -> None:
    assert meaning(words, known)[:2] == found


def test_a_text_is_kept_without_what_does_something() -> None:
    assert plain("\x00灯\u202e不亮\r\n谢谢\ud800 ") == "灯不亮\n谢谢"
    assert len(plain("好" * 5_000)) == 800


# --- in the database --------------------------------------------------------------------------------------------------


async def to_visit(engine: AsyncEngine, policies: Policies, *, count: int = 1) -> list[str]:
    """Orders whose reply has passed, as the table makes them; at START."""
    codes = await saved(engine, policies, count=count)
    liaison, leader = Who("maowei", frozenset({"liaison"}), "D29"), Who("xiejie", frozenset({"unit_leader"}), "D29")
    for each in codes:
        await cause(engine, policies, each, "dispatch", Who("fangli", frozenset({"dispatcher"})), lead="D29")
        await cause(engine, policies, each, "sign", liaison)
        await cause(engine, policies, each, "first_contact", liaison, how_contacted="call", contact_note="已联系")
        await cause(engine, policies, each, "reply", liaison, **REPLY)
        await cause(engine, policies, each, "confirm", leader)
        inspector = Who("wumin", frozenset({"inspector"}))
        await cause(engine, policies, each, "audit_pass", inspector, checks=sorted(CHECKS))
    return codes


async def test_the_list_is_read_by_the_same_rule(engine: AsyncEngine, policies: Policies) -> None:
    """The query that picks whom to call agrees with the rule, at every hour of two days and whatever was tried."""
    codes = await to_visit(engine, policies, count=14)
    tried: list[list[datetime]] = [
        [],
        [at(22, 10)],
        [at(23, 9)],
        [at(23, 15)],
        [at(23, 19)],
        [at(22, 9), at(22, 15)],
        [at(22, 9), at(23, 15)],
        [at(23, 9), at(23, 15)],
        [at(23, 9), at(23, 15), at(24, 9)],
        [at(23, 15), at(23, 19)],
        [at(22, 19), at(23, 9)],
    ]
    async with engine.begin() as connection:
        for each, tries in zip(codes, tried, strict=False):
            await connection.execute(
                update(tables.orders).where(tables.orders.c.code == each).values(tries=tries, state="visit_retry")
            )
        for each, later in zip(codes[11:], (at(24, 7), at(24, 16), at(25, 21)), strict=True):
            told = {"last": "later", "later_at": later.isoformat()}
            await connection.execute(update(tables.orders).where(tables.orders.c.code == each).values(visit=told))
        # Every other order began when two tries were enough: an order keeps its version.
        versions = [{"version": 2, "body": {"VISIT-TRIES": [2, "times"]}, "by": "x"}]
        await connection.execute(insert(tables.order_policies), versions)
        seconds = update(tables.orders).where(tables.orders.c.code.in_(codes[::2])).values(policy=2)
        await connection.execute(seconds)
        most = await queries.most_tries(connection)
        assert most == {1: 3, 2: 2}
        for day in (24, 25):
            for hour in range(10, 24):
                now = at(day, hour, 30)
                slot = slot_now(SLOTS, now)
                ready, n = await queries.waiting(connection, now, slot, most, open_now=True, limit=50)
                waits, rest = await queries.waiting(connection, now, slot, most, open_now=False, limit=50)
                assert (len(ready), len(waits), n + rest) == (n, rest, 14)
                for row in (*ready, *waits):
                    later = row["visit"].get("later_at")
                    promised = datetime.fromisoformat(later) if later else None
                    due = offer(row["tries"], promised, now, SLOTS, most[row["policy"]])
                    assert due.open == (row in ready), (now, row["tries"], later)
        ready, _ = await queries.waiting(connection, at(25, 21, 30), None, most, open_now=True, limit=50)
        assert {row["code"] for row in ready} == set(codes[11:]), "at night only those who asked for it"


async def test_the_figures_are_read_along_their_indexes(engine: AsyncEngine, policies: Policies) -> None:
    """Forty million rows of history are not read for the visits and audits of a month."""
    (code,) = await to_visit(engine, policies)
    seen: list[str] = []

    def hear(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO order_history (order_id, n, at, who, event, from_state, to_state)"
                " SELECT id, 1000 + n, now() - n * interval '1 h', 'x', 'urge', 'in_progress', 'in_progress'"
                " FROM orders, generate_series(1, 20000) n WHERE code = :code"
            ),
            {"code": code},
        )
        await connection.execute(text("ANALYZE order_history"))
        event.listen(connection.sync_connection, "before_cursor_execute", hear)
        since = datetime.now(UTC) - timedelta(days=30)
        await queries.counted(connection, since, person("fang", "visitor"))
        await passed_at_once(connection, since)
        for statement, index in zip(list(seen), ("ix_order_history_visits", "ix_order_history_audits"), strict=True):
            explained = await connection.exec_driver_sql(f"EXPLAIN {statement}", _parameters(statement, since))
            assert index in "\n".join(explained.scalars())


def _parameters(statement: str, since: datetime) -> tuple[Any, ...]:
    """The moment where one is compared, and texts or numbers elsewhere."""
    places = sorted({int(n) for n in re.findall(r"\$(\d+)", statement)})
    moments = {int(n) for n in re.findall(r"\$(\d+)::TIMESTAMP", statement)}
    numbers = {int(n) for n in re.findall(r"\$(\d+)::INTEGER", statement)}
    return tuple(since if n in moments else 0 if n in numbers else "" for n in places)


async def test_a_citizen_answers_by_page_or_text_once(engine: AsyncEngine, policies: Policies) -> None:
    first, second = await to_visit(engine, policies, count=2)
    key = uuid.uuid4()
    for _ in range(2):  # the same message twice is once
        async with engine.begin() as connection:
            told = ASKED | {"resolved": "no", "comment": "垃圾还在"}
            answer = await record_answer(connection, policies, first, told, START, how="web", key=key)
        assert answer.state == "judging"
    (order,) = await rows(engine, tables.orders, first)
    assert (order["visit"]["by"], order["visit"]["how"]) == ("citizen", "web")
    async with engine.begin() as connection:
        with pytest.raises(Refused, match="not_now"):
            await record_answer(connection, policies, first, ASKED, START, how="text")
        with pytest.raises(Refused, match="incomplete"):
            await record_answer(connection, policies, second, {"resolved": "maybe"}, START, how="text")
        done = await record_answer(connection, policies, second, ASKED, START, how="text")
    assert done.state == "closed"


async def test_nobody_is_written_to_at_a_wrong_number(engine: AsyncEngine, policies: Policies) -> None:
    wrong, missed = await to_visit(engine, policies, count=2)
    await cause(engine, policies, wrong, "visit_no_answer", VISITOR, try_result="wrong_number")
    await cause(engine, policies, missed, "visit_no_answer", VISITOR, try_result="no_answer")
    told = {
        each: [row["template"] for row in await rows(engine, tables.order_notices, each, tables.order_notices.c.id)]
        for each in (wrong, missed)
    }
    assert "visit_missed" not in told[wrong]
    assert told[missed][-1] == "visit_missed"
    await cause(engine, policies, missed, "visit_by_text", VISITOR)
    last = (await rows(engine, tables.order_notices, missed, tables.order_notices.c.id))[-1]
    assert (last["recipient"], last["template"]) == ("citizen", "visit_questions")
    with pytest.raises(Refused, match="not_yet"):
        await cause(engine, policies, missed, "visit_by_text", VISITOR)


async def test_a_citizen_reopens_and_it_reaches_the_unit(engine: AsyncEngine, policies: Policies) -> None:
    """Within 30 days; then it is too late."""
    soon, late = await to_visit(engine, policies, count=2)
    for each in (soon, late):
        async with engine.begin() as connection:
            await record_answer(connection, policies, each, ASKED, START, how="web")
    async with engine.begin() as connection:
        again = START + timedelta(days=29)
        answer = await reopen(connection, policies, soon, "又堆满了", "false_reply", again)
        assert answer.state == "rehandle"
        inbox = await find_inbox(connection, person("maowei", "liaison", unit="D29"), [], limit=50)
        assert soon in {row["code"] for row in inbox}
    told = await rows(engine, tables.order_notices, soon, tables.order_notices.c.id)
    assert [(row["recipient"], row["what"]) for row in told if row["template"] == "reopened"] == [
        ("citizen", ""),
        ("lead", "D29"),
        ("supervisor", ""),
    ]
    async with engine.begin() as connection:
        with pytest.raises(Refused, match="not_yet"):
            await reopen(connection, policies, late, "又堆满了", "unmet", START + timedelta(days=31))
    assert (await history(engine, late))[-1][1] == "visit_satisfied"


# --- over HTTP --------------------------------------------------------------------------------------------------------


async def passed(office: Office, code: str) -> None:
    """Bring an order of the desk to its visit."""
    roles = ("dispatcher", "liaison", "unit_leader", "inspector")
    dispatcher, liaison, leader, inspector = [await office.logged_in(role) for role in roles]
    await act(dispatcher, code, "dispatch", given={"lead": "D29"})
    await act(liaison, code, "sign")
    await act(liaison, code, "first_contact", given={"how_contacted": "call", "contact_note": "已联系"})
    await act(liaison, code, "reply", given=REPLY)
    await act(leader, code, "confirm")
    await act(inspector, code, "audit_pass", given={"checks": sorted(CHECKS)})


async def all_day(office: Office) -> None:
    """Hours of visits from midnight to midnight, so that a test can be run at any time."""
    hours = {
        "VISIT-MORNING-FROM": [0, "o_clock"],
        "VISIT-AFTERNOON-FROM": [720, "o_clock"],
        "VISIT-EVENING-TO": [1440, "o_clock"],
    }
    body = {code: [policy.value, policy.unit] for code, policy in POLICIES.items()} | hours
    async with office.engine.begin() as connection:
        newest = await connection.scalar(
            select(tables.order_policies.c.version).order_by(tables.order_policies.c.version.desc()).limit(1)
        )
        await connection.execute(insert(tables.order_policies).values(version=newest + 1, body=body, by="test"))


async def listed(office: Office, browser: Any, view: str) -> dict[str, Any]:
    status, shown = await browser.ask("GET", f"/api/v1/visits?view={view}")
    assert status == 200, shown
    return {row["code"]: row for row in shown["items"]} | {"": shown}


async def test_the_list_of_the_visitor(office: Office, code: str) -> None:
    await all_day(office)
    await passed(office, code)
    visitor = await office.logged_in("visitor")
    assert (await mine(visitor, code)) - {"note"} == {
        *("visit_satisfied", "visit_unsatisfied", "visit_no_answer", "visit_later", "visit_by_text")
    }
    now = await listed(office, visitor, "now")
    assert (now[code]["open"], now[code]["tries"], now[""]["to_do"] >= 1) == (True, [], True)
    await act(visitor, code, "visit_no_answer", given={"try_result": "busy", "note": "占线"})
    assert code not in await listed(office, visitor, "now")
    later = (await listed(office, visitor, "later"))[code]
    assert (later["last"], len(later["tries"]), later["open"]) == ("busy", 1, False)
    assert datetime.fromisoformat(later["next_at"]) > datetime.now(UTC)
    refused = await visitor.ask("POST", f"/api/v1/visits/{code}/dial")
    assert (refused[0], refused[1]["error"]["code"]) == (409, "not_in_slot")
    before = (await listed(office, visitor, "now"))[""]["today"]
    await act(visitor, code, "visit_unsatisfied", given=ASKED | {"satisfied_result": "no", "comment": "路灯又坏了"})
    after = (await listed(office, visitor, "now"))[""]["today"]
    assert (after["answered"] - before["answered"], after["satisfied"] - before["satisfied"]) == (1, 0)
    assert code not in (await listed(office, visitor, "later"))
    supervisor = await office.logged_in("supervisor")
    shown = await show(supervisor, code)
    assert (shown["state"], shown["history"][-1]["given"]["comment"]) == ("judging", "路灯又坏了")
    assert (await visitor.ask("POST", f"/api/v1/visits/{code}/dial"))[0] == 404
    for role in ("operator", "dispatcher", "inspector", "liaison"):
        assert (await (await office.logged_in(role)).ask("GET", "/api/v1/visits"))[0] == 403


async def sent(office: Office, message: str, number: str, words: str, **more: Any) -> tuple[int, Any]:
    """What the gateway of texts is answered."""
    body = json.dumps({"id": message, "number": number, "text": words} | more.pop("body", {})).encode()
    stamp = str(int(time.time()) + more.pop("late", 0))
    secret = office.settings.texts_secret.get_secret_value().encode()
    told = {"X-Callcenter-Timestamp": stamp, "X-Callcenter-Signature": signature(secret, stamp, body)}
    gateway = office.browser()
    gateway.headers |= told | more
    return await gateway.ask("POST", "/api/v1/incoming-texts", data=body)


async def test_a_citizen_answers_by_text_once_and_what_is_unclear_waits_for_a_person(office: Office) -> None:
    agent, number = await office.logged_in("operator"), "+86 139 2712 3456"
    made = []
    for _ in range(2):
        call = ring(office, login_of(office), number="13927123456")
        body = order(callback_number="", subject="路灯不亮") | {"other_than": list(made)}
        made.append((await agent.ask("POST", f"/api/v1/calls/{call}/order", body))[1]["code"])
        await written(office, call)
        await passed(office, made[-1])
    visitor, supervisor = await office.logged_in("visitor"), await office.logged_in("supervisor")
    asked, other = made
    assert await sent(office, "sms-1", number, "1 1 1 1") == (200, {"outcome": "several"})
    await act(visitor, asked, "visit_by_text")
    first = await sent(office, "sms-2", number, "１ １ ３ ３")
    assert first == (200, {"outcome": "answered"}) == await sent(office, "sms-2", number, "1 1 1 1")
    shown = await show(supervisor, asked)
    assert (shown["state"], shown["history"][-1]["event"]) == ("judging", "visit_unsatisfied")
    assert shown["history"][-1]["given"]["answered_by"] == "text"
    assert await sent(office, "sms-3", number, f"{other} 昨天又坏了\x07") == (200, {"outcome": "noted"})
    _, texts = await visitor.ask("GET", f"/api/v1/orders/{other}/texts")
    assert [(each["text"], each["number"]) for each in texts["items"]] == [(f"{other} 昨天又坏了", "139****3456")]
    liaison, path = await office.logged_in("liaison"), f"/api/v1/orders/{other}/texts"
    assert len((await liaison.ask("GET", path))[1]["items"]) == 1
    secret = update(tables.orders).where(tables.orders.c.code == other)
    async with office.engine.begin() as connection:
        await connection.execute(secret.values(confidential=True))
    assert await liaison.ask("GET", path) == (200, {"items": []}), "the words of a confidential citizen stay here"
    assert len((await visitor.ask("GET", path))[1]["items"]) == 1
    async with office.engine.begin() as connection:
        await connection.execute(secret.values(confidential=False))
    # Nobody's number, and the one that could mean two.
    assert await sent(office, "sms-4", "13900000000", "1111") == (200, {"outcome": "unknown"})
    _, waiting = await visitor.ask("GET", "/api/v1/incoming-texts")
    unclear = {each["text"]: each["id"] for each in waiting["items"]}
    assert {"1 1 1 1", "1111"} <= unclear.keys()
    path = f"/api/v1/incoming-texts/{unclear['1111']}"
    assert (await visitor.ask("POST", f"{path}/reveal", {"reason": "verify", "note": ""}))[1]["number"] == "13900000000"
    assert (await agent.ask("POST", f"{path}/seen", {"code": None}))[0] == 403
    assert (await visitor.ask("POST", f"{path}/seen", {"code": other}))[0] == 204
    assert (await visitor.ask("POST", f"{path}/seen", {"code": None}))[0] == 404
    _, texts = await visitor.ask("GET", f"/api/v1/orders/{other}/texts")
    assert [(each["text"], each["seen_by"]) for each in texts["items"]][-1] == ("1111", office.password("visitor")[0])
    assert await sent(office, "sms-5", number, "TD") == (200, {"outcome": "stopped"})
    assert (await supervisor.ask("GET", f"/api/v1/orders/{other}/notices"))[1]["opted_out"] is True


async def test_a_text_that_nobody_signed_is_not_taken(office: Office) -> None:
    number = "13900000001"
    for more in (
        {"late": -400},
        {"late": 400},
        {"X-Callcenter-Signature": "sha256=00"},
        {"X-Callcenter-Timestamp": "x"},
    ):
        status, refused = await sent(office, "sms-x", number, "1111", **more)  # type: ignore[arg-type]
        assert (status, refused["error"]["code"]) == (401, "not_signed")
    for wrong in ({"id": "a b"}, {"number": "'; DROP"}, {"more": 1}, {"text": "x" * 5_001}):
        assert (await sent(office, "sms-y", number, "1111", body=wrong))[0] == 422
    assert (await sent(office, "sms-z", number, "1", body={"text": "x" * 20_000}))[0] == 413
    async with office.engine.connect() as connection:
        assert (
            await connection.scalar(select(tables.incoming_texts.c.id).where(tables.incoming_texts.c.number == number))
            is None
        )
