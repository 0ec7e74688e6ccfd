"""Events of orders in the database: one transaction, one lock, one answer."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import RowMapping, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.inboxes.queries import find_inbox
from callcenter.people.permissions import Person
from callcenter.store import tables
from callcenter.workorders import queries
from callcenter.workorders.deadlines import POLICIES
from callcenter.workorders.flow import Refused
from callcenter.workorders.move import Answer, Conflict, KeyTaken, NoOrder, move
from callcenter.workorders.order import Who
from callcenter.workorders.policies import Policies
from callcenter.workorders.writers import order_writer

ZONE = ZoneInfo("Asia/Shanghai")
#: A Monday morning, and all of it past: clocks that start then have run out.
START = datetime(2026, 9, 14, 9, 0, tzinfo=ZONE)
DISPATCHER = Who("fangli", frozenset({"dispatcher"}))
LIAISON = Who("maowei", frozenset({"liaison"}), "D29")
LEADER = Who("xiejie", frozenset({"unit_leader"}), "D29")


@pytest.fixture
def policies() -> Policies:
    return Policies(ZONE)


async def saved(engine: AsyncEngine, policies: Policies, *, count: int = 1, at: datetime = START) -> list[str]:
    """Orders as the desk saves them, sent for dispatch; their codes."""
    ids = [uuid.uuid4() for _ in range(count)]
    row = {
        "call_id": "n1-1.1",
        "state": "pending_dispatch",
        "event": "submit_certain",
        "kind": "complaint",
        "category": "0101",
        "urgency": "U3",
        "subject": "占道经营",
        "description": "每晚摆摊",
        "place": "",
        "region": "",
        "contact_name": "王女士",
        "callback_number": "13812345678",
        "callback_key": b"k",
        "confidential": False,
        "department": "D29",
        "created_by": "limei",
        "created_at": at,
        "language": "zh",
    }
    async with engine.begin() as connection:
        await order_writer(policies)(connection, [row | {"id": each} for each in ids])
        found = await connection.execute(select(tables.orders.c.code).where(tables.orders.c.id.in_(ids)))
        return list(found.scalars())


async def act(
    engine: AsyncEngine, policies: Policies, code: str, event: str, who: Who, at: datetime = START, **more: Any
) -> Answer:
    options = {name: more.pop(name) for name in ("expected_version", "key") if name in more}
    async with engine.begin() as connection:
        return await move(connection, policies, code, event, who, more, at, **options)


async def rows(engine: AsyncEngine, table: Any, code: str, *order: Any) -> Sequence[RowMapping]:
    key = select(tables.orders.c.id).where(tables.orders.c.code == code).scalar_subquery()
    column = tables.orders.c.id if table is tables.orders else table.c.order_id
    async with engine.connect() as connection:
        return (await connection.execute(select(table).where(column == key).order_by(*order))).mappings().all()


async def history(engine: AsyncEngine, code: str) -> list[tuple[int, str, str]]:
    found = await rows(engine, tables.order_history, code, tables.order_history.c.n)
    return [(row["n"], row["event"], row["to_state"]) for row in found]


# --- one event --------------------------------------------------------------------------------------------------------


async def test_the_first_policies_are_those_of_the_release(engine: AsyncEngine, policies: Policies) -> None:
    async with engine.connect() as connection:
        rules = await policies.newest(connection)
    assert (rules.version, rules.policies) == (1, POLICIES)


async def test_an_order_keeps_the_policies_it_began_with(engine: AsyncEngine, policies: Policies) -> None:
    (old,) = await saved(engine, policies)
    body = {code: [policy.value, policy.unit] for code, policy in POLICIES.items()} | {
        "T-REPLY-complaint": [3, "working_day"]
    }
    async with engine.begin() as connection:
        await connection.execute(insert(tables.order_policies).values(version=2, body=body, by="admin"))
    (new,) = await saved(engine, policies)
    due = {}
    for code in (old, new):
        await act(engine, policies, code, "dispatch", DISPATCHER, lead="D29")
        (clock,) = [row for row in await rows(engine, tables.order_clocks, code) if row["name"] == "T-REPLY"]
        due[code] = clock["due_at"].astimezone(ZONE).isoformat()[:16]
    assert due == {old: "2026-09-21T00:00", new: "2026-09-18T00:00"}
    with pytest.raises(DBAPIError, match="append-only"):
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE order_policies SET body = '{}'"))


async def test_order_history_clocks_and_notices_are_written_together(engine: AsyncEngine, policies: Policies) -> None:
    (code,) = await saved(engine, policies)
    answer = await act(engine, policies, code, "dispatch", DISPATCHER, lead="D29", co_units=["D13"], expected_version=1)
    assert (answer.event, answer.state, answer.version) == ("dispatch", "dispatched", 2)
    (order,) = await rows(engine, tables.orders, code)
    assert (order["version"], order["department"], order["dispatched_by"]) == (2, "D29", "fangli")
    assert order["due_at"].astimezone(ZONE).isoformat() == "2026-09-16T00:00:00+08:00"  # sign by the end of the 15th
    clocks = await rows(engine, tables.order_clocks, code, tables.order_clocks.c.n)
    assert [(row["name"], row["ended_at"] is None) for row in clocks] == [
        ("T-DISPATCH", False),
        ("T-SIGN", True),
        ("T-RETURN", True),
        ("T-REPLY", True),
    ]
    notices = await rows(engine, tables.order_notices, code, tables.order_notices.c.id)
    assert [(row["n"], row["recipient"], row["what"], row["template"]) for row in notices] == [
        (1, "citizen", "", "accepted"),
        (2, "citizen", "", "dispatched"),
        (2, "lead", "D29", "new_order"),
        (2, "co_unit", "D13", "new_order"),
    ]
    entry = (await rows(engine, tables.order_history, code, tables.order_history.c.n))[-1]
    assert (entry["who"], entry["role"], entry["given"]) == (
        "fangli",
        "dispatcher",
        {"lead": "D29", "co_units": ["D13"]},
    )


async def test_what_is_refused_leaves_nothing(engine: AsyncEngine, policies: Policies) -> None:
    (code,) = await saved(engine, policies)
    before = await rows(engine, tables.orders, code)
    for who, event, given in (
        (LIAISON, "dispatch", {"lead": "D29"}),
        (DISPATCHER, "sign", {}),
        (DISPATCHER, "dispatch", {"lead": "D99"}),
        (DISPATCHER, "merge", {"master": "2609140000019", "reason": "同一事项"}),
    ):
        with pytest.raises(Refused):
            await act(engine, policies, code, event, who, **given)
    with pytest.raises(NoOrder):
        await act(engine, policies, "2609140000019", "sign", LIAISON)
    assert await rows(engine, tables.orders, code) == before
    assert len(await history(engine, code)) == 1


async def test_a_stale_page_learns_what_has_changed(engine: AsyncEngine, policies: Policies) -> None:
    (code,) = await saved(engine, policies)
    await act(engine, policies, code, "dispatch", DISPATCHER, lead="D29")
    await act(engine, policies, code, "sign", LIAISON)
    with pytest.raises(Conflict) as conflict:
        await act(engine, policies, code, "recall", DISPATCHER, reason="改派", expected_version=1)
    assert (conflict.value.version, [row["event"] for row in conflict.value.since]) == (3, ["dispatch", "sign"])


async def test_of_two_at_once_one_is_stale(engine: AsyncEngine, policies: Policies) -> None:
    (code,) = await saved(engine, policies)
    units = ("D01", "D02", "D03", "D04")
    found = await asyncio.gather(
        *(act(engine, policies, code, "dispatch", DISPATCHER, lead=unit, expected_version=1) for unit in units),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in found) == ["Answer", "Conflict", "Conflict", "Conflict"]
    assert len(await history(engine, code)) == 2


async def test_the_same_message_twice_is_the_first_answer(engine: AsyncEngine, policies: Policies) -> None:
    (code,) = await saved(engine, policies)
    message: dict[str, Any] = {"lead": "D29", "expected_version": 1, "key": uuid.uuid4()}
    answers = await asyncio.gather(*(act(engine, policies, code, "dispatch", DISPATCHER, **message) for _ in range(4)))
    assert sorted(answer.again for answer in answers) == [False, True, True, True]
    assert {(answer.state, answer.version, answer.at) for answer in answers} == {("dispatched", 2, answers[0].at)}
    await act(engine, policies, code, "sign", LIAISON)
    assert (await act(engine, policies, code, "dispatch", DISPATCHER, **message)).state == "dispatched"
    assert len(await history(engine, code)) == 3
    for who, event in ((DISPATCHER, "recall"), (Who("other", frozenset({"dispatcher"})), "dispatch")):
        with pytest.raises(KeyTaken):
            await act(engine, policies, code, event, who, lead="D29", key=message["key"])


async def test_a_reply_waits_for_the_units_leader(engine: AsyncEngine, policies: Policies) -> None:
    """Two persons, across the database: what was proposed, by whom, and what the second said."""
    (code,) = await saved(engine, policies)
    await act(engine, policies, code, "dispatch", DISPATCHER, lead="D29")
    await act(engine, policies, code, "sign", LIAISON)
    await act(engine, policies, code, "first_contact", LIAISON, how_contacted="call", contact_note="已联系")
    reply = {"result": "resolved", "reply": "已清理", "actions": "现场处置"}
    asked = await act(engine, policies, code, "reply", LIAISON, **reply)
    assert (asked.event, asked.state) == ("propose_reply", "in_progress")
    with pytest.raises(Refused, match="second_person"):
        await act(engine, policies, code, "confirm", LIAISON)
    await act(engine, policies, code, "decline", LEADER, reason="未答复第二点")
    await act(engine, policies, code, "reply", LIAISON, **reply)
    key = uuid.uuid4()
    done = await act(engine, policies, code, "confirm", LEADER, START + timedelta(days=1), key=key)
    assert (done.event, done.state) == ("reply", "replied")
    assert (await act(engine, policies, code, "confirm", LEADER, key=key)).again
    last = (await rows(engine, tables.order_history, code, tables.order_history.c.n))[-1]
    assert (last["who"], last["second"], last["given"]) == ("maowei", "xiejie", reply)
    (order,) = await rows(engine, tables.orders, code)
    assert (order["proposal"], order["replied_by"]) == (None, "maowei")
    names = {row["name"]: row["ended_at"] is None for row in await rows(engine, tables.order_clocks, code)}
    assert {name for name, runs in names.items() if runs} == {"T-AUDIT"}


async def test_the_third_return_opens_a_dispute_in_the_same_transaction(
    engine: AsyncEngine, policies: Policies
) -> None:
    (code,) = await saved(engine, policies)
    given = {"return_reason": "NOT_DUTY", "basis": "三定方案"}
    for unit in ("D01", "D02", "D03"):
        await act(engine, policies, code, "dispatch", DISPATCHER, lead=unit)
        answer = await act(engine, policies, code, "ask_return", Who("a", frozenset({"liaison"}), unit), **given)
        if unit != "D03":
            await act(engine, policies, code, "approve_return", DISPATCHER, reason="依据充分")
    assert answer.state == "return_review"
    (order,) = await rows(engine, tables.orders, code)
    assert (order["state"], order["returns"], order["refused_by"]) == ("disputed", 3, ["D01", "D02", "D03"])
    assert (await history(engine, code))[-2:] == [(9, "ask_return", "return_review"), (10, "open_dispute", "disputed")]


async def test_who_else_learns_of_a_dispatch_and_whose_return_was_refused(
    engine: AsyncEngine, policies: Policies
) -> None:
    """R75: a district of what its streets get, unless it is complained of. K15: the unit whose return had no ground."""
    told = []
    street, complained = await saved(engine, policies, count=2)
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE orders SET complained_units = '{R01}' WHERE code = :code"), {"code": complained}
        )
    for code in (street, complained):
        await act(engine, policies, code, "dispatch", DISPATCHER, lead="R0101")
        told += await rows(engine, tables.order_notices, code)
    assert [(row["recipient"], row["what"]) for row in told if row["template"] == "copy_to_district"] == [
        ("co_unit", "R01")
    ]
    asked = {"return_reason": "NOT_DUTY", "basis": "三定方案"}
    await act(engine, policies, street, "ask_return", Who("street1", frozenset({"street"}), "R0101"), **asked)
    await act(engine, policies, street, "reject_return", DISPATCHER, reason="属其职责")
    last = (await rows(engine, tables.order_history, street, tables.order_history.c.n))[-1]
    assert (last["event"], last["given"]["unit"]) == ("reject_return", "R0101")


async def test_a_removed_person_is_gone_from_the_order(engine: AsyncEngine, policies: Policies) -> None:
    (code,) = await saved(engine, policies)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE orders SET public_danger = true"))
    operator = Who("limei", frozenset({"operator"}))
    await act(engine, policies, code, "remove_person", operator, identity="code_and_number")
    (order,) = await rows(engine, tables.orders, code)
    assert (order["anonymous"], order["contact_name"], order["callback_number"], order["callback_key"]) == (
        True,
        "",
        "",
        None,
    )
    await act(engine, policies, code, "dispatch", DISPATCHER, lead="D29")
    told = [row["recipient"] for row in await rows(engine, tables.order_notices, code) if row["n"] > 2]
    assert told == ["lead"]


# --- lists ------------------------------------------------------------------------------------------------------------


def person(login: str, *roles: str, unit: str | None = None) -> Person:
    return Person(1, login, login, login, roles, "zh", b"", unit)


async def test_an_inbox_holds_what_waits_for_one(engine: AsyncEngine, policies: Policies) -> None:
    """R43, R51: a dispatched order is in exactly one lead inbox, and in those of its co-units."""
    first, second, third = await saved(engine, policies, count=3)
    await act(engine, policies, first, "dispatch", DISPATCHER, lead="D29", co_units=["D13"])
    await act(engine, policies, second, "dispatch", DISPATCHER, lead="D13")
    await act(engine, policies, second, "sign", Who("b", frozenset({"liaison"}), "D13"))

    async def inbox(who: Person) -> set[str]:
        async with engine.connect() as connection:
            found = [row["code"] for row in await find_inbox(connection, who, [], limit=50)]
            assert len(found) == len(set(found))
            for code in (first, second, third):
                seen = await queries.visible_order(connection, code, who) is not None
                assert seen or code not in found
            return set(found)

    assert await inbox(person("maowei", "liaison", unit="D29")) == {first}
    assert await inbox(person("b", "liaison", unit="D13")) == {first, second}
    assert await inbox(person("c", "liaison", unit="D01")) == set()
    assert await inbox(person("tangjun", "handler", unit="D29")) == set()
    await act(engine, policies, first, "sign", LIAISON, handler="tangjun")
    assert await inbox(person("tangjun", "handler", unit="D29")) == {first}
    assert await inbox(person("other", "handler", unit="D29")) == set()
    suspension: dict[str, Any] = {"suspend_reason": "COURT", "review_day": "2026-10-20", "reason": "诉讼中"}
    await act(engine, policies, first, "suspend", Who("sunli", frozenset({"supervisor"})), **suspension)
    assert await inbox(person("guoping", "coordinator")) == {first}
    assert await inbox(person("fangli", "dispatcher")) == {third}
    assert await inbox(person("linxia", "visitor")) == set()
    async with engine.connect() as connection:
        nobodys = await queries.visible_order(connection, first, person("d", "liaison", unit="D01"))
        assert nobodys is None
        assert await queries.visible_order(connection, third, person("maowei", "liaison", unit="D29")) is None


async def test_a_units_inbox_is_read_along_its_index(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO orders (id, code, check_code, call_id, state, kind, urgency, department, created_by,"
                " created_at, updated_at, due_at, dispatched_by)"
                " SELECT gen_random_uuid(), to_char(260914000000 + n, 'FM000000000000') || 'A', '0000', 'c',"
                " 'in_progress', 'complaint', 'U3', 'D' || lpad((n % 44)::text, 2, '0'), 'x', now(), now(),"
                " now() + n * interval '1 s', 'f'"
                " FROM generate_series(1, 20000) n"
            )
        )
        await connection.execute(text("ANALYZE orders"))
        found = await find_inbox(connection, person("m", "liaison", unit="D29"), [], limit=20)
        assert [row["due_at"] for row in found] == sorted(row["due_at"] for row in found)
        assert len(found) == 20
        last = found[-1]
        after = f"{int(last['due_at'].timestamp() * 1_000_000)}~{last['id']}"
        more = await find_inbox(connection, person("m", "liaison", unit="D29"), [], limit=20, after=after)
        assert not {row["code"] for row in more} & {row["code"] for row in found}
        plan = await connection.scalars(
            text(
                "EXPLAIN SELECT id FROM orders WHERE department = 'D29' AND state IN ('dispatched', 'in_progress')"
                " AND due_at IS NOT NULL ORDER BY due_at, id LIMIT 20"
            )
        )
        assert "ix_orders_unit_due" in "\n".join(plan)


async def test_orders_without_clocks_are_moved_on_too(engine: AsyncEngine, policies: Policies) -> None:
    """As a loader or an older release leaves them."""
    async with engine.begin() as connection:
        await connection.execute(
            insert(tables.orders).values(
                id=uuid.uuid4(),
                code="2609140000019",
                check_code="0000",
                call_id="c",
                state="pending_dispatch",
                kind="complaint",
                urgency="U3",
                created_by="x",
                created_at=datetime.now(UTC),
                updated_at=datetime.now(UTC),
            )
        )
    await act(engine, policies, "2609140000019", "dispatch", DISPATCHER, lead="D29")
    assert (await act(engine, policies, "2609140000019", "sign", LIAISON)).state == "in_progress"
