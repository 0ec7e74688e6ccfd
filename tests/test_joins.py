"""Orders that belong together: candidates, merging and undoing it, splitting, repeats that are urged, over HTTP."""

import asyncio
import csv
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from office import Browser, Office
from sqlalchemy import select, text
from test_order_api import act, mine, show
from test_order_lists import filed, get, made, put
from test_orders_desk import login_of, order, ring, written
from test_progress import GOOD, check_of, do, look, replied

from callcenter.joins.flow import Limits, Pair, weigh
from callcenter.privacy.queries import identity_of, opened
from callcenter.privacy.seal import SEALER
from callcenter.store import tables

LIMITS = Limits(metres=100, days=30)
WHY = {"reason": "同一事项"}


async def row_of(office: Office, code: str) -> Any:
    async with office.engine.connect() as connection:
        return (await connection.execute(select(tables.orders).where(tables.orders.c.code == code))).mappings().one()


async def told(office: Office, code: str) -> list[tuple[str, str]]:
    """Whom notices of an order are for, and by which template, in their order."""
    async with office.engine.connect() as connection:
        its = select(tables.orders.c.id).where(tables.orders.c.code == code).scalar_subquery()
        query = select(tables.order_notices.c.recipient, tables.order_notices.c.template)
        found = await connection.execute(
            query.where(tables.order_notices.c.order_id == its).order_by(tables.order_notices.c.id)
        )
        return [(recipient, template) for recipient, template in found]


# --- candidates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pair", "candidate"),
    [
        (Pair(words=0.6, place=0.0, near=0, days=0), True),  # nearly the same words, somewhere
        (Pair(words=0.2, place=0.9, near=2, days=1), True),  # the same house, said in other words
        (Pair(words=0.05, place=1.0, near=2, days=0), False),  # the same house, another matter
        (Pair(words=0.2, place=0.9, near=0, days=1), False),  # a street of that name in another district
        (Pair(words=0.9, place=1.0, near=2, days=31), False),
        (Pair(words=0.2, place=0.0, near=2, days=1, metres=80), True),
        (Pair(words=0.9, place=1.0, near=2, days=1, metres=501), False),
    ],
)
def test_what_makes_a_candidate(pair: Pair, candidate: bool) -> None:
    weighed = weigh(pair, LIMITS)
    assert (weighed is not None) == candidate
    if weighed is not None:
        points, signs = weighed
        assert points == sum(each.points for each in signs) <= 100


async def test_candidates_find_what_is_one_matter_and_little_else(office: Office) -> None:
    """Against `duplicates.csv`: all of one leaf, as the citizens might have said it."""
    now = datetime.now(UTC)
    with Path(__file__).with_name("duplicates.csv").open(encoding="utf-8", newline="") as file:
        said = list(csv.DictReader(file))
    rows = [
        made(
            now - timedelta(days=int(each["days"])),
            state="pending_dispatch",
            due_at=now,
            category="0302",
            **{name: each[name] for name in ("region", "place", "subject", "description")},
        )
        for each in said
    ]
    await put(office, *rows)
    matter = {row["code"]: each["matter"] for row, each in zip(rows, said, strict=True)}
    dispatcher = await office.logged_in("dispatcher")
    pairs, found, wrong = 0, 0, []
    for code, its in matter.items():
        items = (await get(dispatcher, f"/api/v1/orders/{code}/duplicates"))["items"]
        listed = {each["code"] for each in items}
        same = {other for other, theirs in matter.items() if theirs == its and other != code}
        pairs, found = pairs + len(same), found + len(same & listed)
        wrong += [(its, matter[other]) for other in listed - same]
    assert found / pairs >= 0.9, (found, pairs, wrong)
    assert len(wrong) / (found + len(wrong)) <= 0.1, wrong


async def test_candidates_are_open_near_recent_and_in_sight(office: Office) -> None:
    now = datetime.now(UTC)
    alike: dict[str, Any] = {
        "category": "0303",
        "due_at": now,
        "subject": "井盖破损",
        "description": "环城东路井盖破损",
        "place": "环城东路88号",
    }
    rows = {
        "own": made(now, state="pending_dispatch", **alike),
        "handled": made(now - timedelta(days=3), state="in_progress", dispatched_by="fangli", **alike),
        "secret": made(now, state="in_progress", confidential=True, **alike),
        "of_unit": made(now, state="in_progress", **alike, complained_units=["D29"]),
        "of_dispatcher": made(now, state="dispatched", **alike, complained_logins=["fangli"]),
        "closed": made(now, state="closed", **alike),
        "merged": made(now, state="merged", **alike),
        "old": made(now - timedelta(days=31), state="in_progress", **alike),
        "leaf": made(now, state="in_progress", **(alike | {"category": "0304"})),
        "far": made(
            now, state="in_progress", **(alike | {"region": "R0301", "subject": "路面塌陷", "description": "x"})
        ),
    }
    await put(office, *rows.values())
    name = {row["code"]: key for key, row in rows.items()}
    dispatcher = await office.logged_in("dispatcher")
    page = await get(dispatcher, f"/api/v1/orders/{rows['own']['code']}/duplicates")
    assert (page["days"], page["metres"]) == (30, 100)
    # Whoever's they are; but one that hides its citizen is shown to its own alone.
    assert {name[each["code"]] for each in page["items"]} == {"of_unit", "handled"}
    by_name = {name[each["code"]]: each for each in page["items"]}
    assert [sign["kind"] for sign in by_name["handled"]["signs"]] == ["words", "place", "recent"]
    assert (by_name["handled"]["into"], by_name["handled"]["takes"]) == (True, False)
    # From the other side: what waits can be merged into what is handled; two that are handled cannot.
    other = await get(dispatcher, f"/api/v1/orders/{rows['handled']['code']}/duplicates")
    assert [(name[each["code"]], each["into"], each["takes"]) for each in other["items"]] == [("own", False, True)]
    chief = await office.logged_in("supervisor")
    assert (await get(chief, f"/api/v1/orders/{rows['closed']['code']}/duplicates"))["items"] == []
    liaison = await office.logged_in("liaison")
    assert (await liaison.ask("GET", f"/api/v1/orders/{rows['own']['code']}/duplicates"))[0] == 403


async def test_candidates_are_looked_for_along_an_index(office: Office) -> None:
    async with office.engine.begin() as connection:
        await connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await connection.scalars(
            text(
                "EXPLAIN SELECT id FROM orders WHERE category = '0101' AND created_at > now() - interval '30 days' AND"
                " state IN ('pending_dispatch', 'dispatched', 'return_review', 'disputed', 'in_progress', 'suspended')"
                " ORDER BY created_at DESC LIMIT 200"
            )
        )
        assert "ix_orders_mergeable" in "\n".join(plan)


# --- merging ----------------------------------------------------------------------------------------------------------


async def test_a_merged_order_keeps_what_is_its_own_and_comes_back_whole(office: Office) -> None:
    dispatcher, liaison = await office.logged_in("dispatcher"), await office.logged_in("liaison")
    master, other = await filed(office), await filed(office, subject="也是占道")
    await act(dispatcher, master, "dispatch", given={"lead": "D29"})
    await act(liaison, master, "sign")
    before = await row_of(office, other)
    assert (await liaison.ask("GET", f"/api/v1/orders/{other}"))[0] == 404
    await act(dispatcher, other, "merge", given={"master": master} | WHY)

    # Both histories tell it, each citizen is told under their own code, and the unit of what came.
    assert [entry["event"] for entry in (await show(dispatcher, other))["history"]][-1] == "merge"
    last = (await show(dispatcher, master))["history"][-1]
    assert (last["event"], last["who"], last["given"]) == ("take_in", "fangli", {"joined": other})
    assert (await told(office, other))[-1] == ("citizen", "merged")
    assert (await told(office, master))[-1] == ("lead", "joined")
    joins = await get(liaison, f"/api/v1/orders/{master}/joins")
    assert [each["code"] for each in joins["merged"]] == [other]
    assert joins["merged"][0]["description"] == before["description"]
    # Who handles the master reads the other, and its files; the own code and check code still open the door.
    assert (await get(liaison, f"/api/v1/orders/{other}/joins"))["master"]["code"] == master
    assert (await get(liaison, f"/api/v1/orders/{other}/attachments"))["items"] == []
    assert await mine(liaison, other) == set()
    status, seen = await look(office, other)
    assert (status, seen["code"], seen["joined"], seen["state"]["en"]) == (200, other, True, "Being handled")
    assert seen["unit"]["zh"] == (await look(office, master))[1]["unit"]["zh"]
    assert seen["acts"] == ["urge", "withdraw"]
    # What its citizen says goes to the master.
    assert (await do(office, other, "urge", {"message": "请尽快"}))[0] == 201
    assert (await row_of(office, master))["urges"] == 1
    assert (await row_of(office, other))["urges"] == 0

    await act(dispatcher, other, "unmerge", given={"reason": "不是同一处"})
    after = await row_of(office, other)
    kept = ("code", "check_code", "call_id", "callback_key", "contact_name", "description", "created_at")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert (after["state"], after["master"]) == ("pending_dispatch", None)
    clock = next(each for each in (await show(dispatcher, other))["clocks"] if each["ended_at"] is None)
    assert (clock["name"], clock["due_at"]) == ("T-DISPATCH", (await show(dispatcher, other))["due_at"])
    assert datetime.fromisoformat(clock["started_at"]) - before["created_at"] < timedelta(seconds=1)
    assert (await show(dispatcher, master))["history"][-1]["event"] == "let_go"
    assert (await told(office, other))[-1] == ("citizen", "unmerged")
    assert (await liaison.ask("GET", f"/api/v1/orders/{other}"))[0] == 404


async def test_an_order_is_not_merged_into_one_that_is_out_of_sight_or_of_whom_it_complains(office: Office) -> None:
    dispatcher = await office.logged_in("dispatcher")
    unit, own, hidden = [await filed(office) for _ in range(3)]
    await act(dispatcher, unit, "dispatch", given={"lead": "D29"})
    against = await filed(office, complained_units=["D29"])
    wrong = await act(dispatcher, against, "merge", 422, given={"master": unit} | WHY)
    assert (wrong["error"]["code"], set(wrong["error"]["fields"])) == ("complained_of", {"master"})
    async with office.engine.begin() as connection:
        await connection.execute(
            text("UPDATE orders SET complained_logins = '{fangli}' WHERE code = :code"), {"code": hidden}
        )
    for master in (hidden, own, "2609140000019"):
        assert "master" in (
            await act(dispatcher, own, "merge", 422 if master != own else 409, given={"master": master} | WHY)
        )["error"].get("fields", {"master": ""})


async def test_orders_that_were_chosen_are_compared_and_merged_one_by_one(office: Office) -> None:
    """From the register: whatever they are, with reasons; what cannot be is refused in words."""
    dispatcher = await office.logged_in("dispatcher")
    words = {"subject": "广场舞噪声扰民", "description": "每晚广场舞音量过大"}
    master, near = await filed(office, **words), await filed(office, **words)
    far = await filed(office, category="0302", subject="路灯不亮", description="路灯连续三天不亮", place="北环路")
    over = await filed(office, **words)
    await act(dispatcher, master, "dispatch", given={"lead": "D29"})
    await act(dispatcher, over, "dispatch", given={"lead": "D29"})
    unseen = await filed(office, **words)
    async with office.engine.begin() as connection:
        hide = text("UPDATE orders SET complained_logins = '{fangli}' WHERE code = :code")
        await connection.execute(hide, {"code": unseen})
    among = ",".join((near, far, over, unseen))
    path = f"/api/v1/orders/{master}/duplicates"
    items = {each["code"]: each for each in (await get(dispatcher, f"{path}?among={among}"))["items"]}
    assert items.keys() == {near, far, over}
    assert {code: (each["takes"], each["same_leaf"]) for code, each in items.items()} == {
        near: (True, True),
        far: (True, False),
        over: (False, True),
    }
    assert items[near]["points"] > 45 > items[far]["points"]
    assert "待派单" in items[over]["why_zh"] and items[near]["why_zh"] is None

    async def many(event: str, given: dict[str, Any], codes: Sequence[str]) -> dict[str, Any]:
        rows = [{"code": code, "version": (await row_of(office, code))["version"]} for code in codes]
        body = {"event": event, "given": given, "items": rows, "key": str(uuid.uuid4())}
        status, done = await dispatcher.ask("POST", "/api/v1/register/acts", body)
        assert status == 200, done
        return {each["code"]: each for each in done["items"]}

    done = await many("merge", {"master": master} | WHY, (near, far, over))
    assert {code: each["done"] for code, each in done.items()} == {near: True, far: True, over: False}
    assert "不允许" in done[over]["zh"]
    assert (await many("merge", {"master": unseen} | WHY, (over,)))[over]["why"] == "no_master"
    joins = await get(dispatcher, f"/api/v1/orders/{master}/joins")
    assert [each["code"] for each in joins["merged"]] == [near, far]
    await many("unmerge", {"reason": "不是同一处"}, (far,))
    assert [(await row_of(office, code))["state"] for code in (near, far)] == ["merged", "pending_dispatch"]


async def test_of_two_that_are_merged_into_each_other_at_once_one_is(office: Office) -> None:
    dispatcher = await office.logged_in("dispatcher")
    for _ in range(3):
        one, two = await filed(office), await filed(office)

        async def merge(gone: str, master: str) -> int:
            body = {"event": "merge", "given": {"master": master} | WHY, "version": 1, "key": str(uuid.uuid4())}
            return (await dispatcher.ask("POST", f"/api/v1/orders/{gone}/events", body))[0]

        assert sorted(await asyncio.gather(merge(one, two), merge(two, one))) in ([201, 409], [201, 422])
        assert sorted([(await row_of(office, code))["state"] for code in (one, two)]) == ["merged", "pending_dispatch"]


# --- splitting --------------------------------------------------------------------------------------------------------


async def test_a_matter_is_split_off_and_its_citizen_goes_with_it(office: Office) -> None:
    dispatcher = await office.logged_in("dispatcher")
    matter = {
        "kind": "help",
        "urgency": "U3",
        "category": "0302",
        "subject": "路灯也不亮",
        "description": "南园路路灯不亮",
    }
    for secret in (False, True):
        code = await filed(office, confidential=secret)
        source = await row_of(office, code)
        sent = {"event": "split", "given": matter, "version": 1, "key": str(uuid.uuid4())}
        answers = [await dispatcher.ask("POST", f"/api/v1/orders/{code}/events", sent) for _ in range(2)]
        assert [status for status, _ in answers] == [201, 201], answers
        joins = await get(dispatcher, f"/api/v1/orders/{code}/joins")
        (sibling,) = joins["siblings"]
        part = await row_of(office, sibling["code"])
        assert [
            each["code"] for each in (await get(dispatcher, f"/api/v1/orders/{part['code']}/joins"))["siblings"]
        ] == [code]
        assert (part["state"], part["subject"], part["department"]) == (
            "pending_dispatch",
            "路灯也不亮",
            sibling["department"],
        )
        same = ("call_id", "place", "region", "contact_name", "callback_number", "callback_key", "confidential")
        assert {name: part[name] for name in same} == {name: source[name] for name in same}
        assert part["check_code"] and (await look(office, part["code"]))[0] == 200
        assert (await told(office, part["code"])) == [("citizen", "accepted")]
        first = (await show(dispatcher, part["code"]))["history"][0]
        assert (first["event"], first["given"]) == ("submit_certain", {"split_from": code})
        if secret:
            async with office.engine.connect() as connection:
                both = [await identity_of(connection, row["id"]) for row in (source, part)]
            people = [opened(office.app[SEALER], row) for row in both if row is not None]
            assert people[0] == people[1] and people[0]["contact_name"] == "王女士"
    wrong = await act(dispatcher, code, "split", 422, given=matter | {"category": "01", "subject": " "})
    assert set(wrong["error"]["fields"]) == {"category", "subject"}
    assert (await act(await office.logged_in("visitor"), await filed(office), "split", 404, given=matter))["error"][
        "code"
    ] == "no_order"


async def test_other_matters_of_a_call_are_told_but_for_those_that_hide_their_citizen(office: Office) -> None:
    agent, dispatcher = await office.logged_in("operator"), await office.logged_in("dispatcher")
    call = ring(office, login_of(office))
    saved = [
        (await agent.ask("POST", f"/api/v1/calls/{call}/order", order(subject=f"第{n}件", **more)))[1]["code"]
        for n, more in enumerate([{}, {"category": "0302"}, {"confidential": True}])
    ]
    seen = {code: await get(dispatcher, f"/api/v1/orders/{code}/joins") for code in saved}
    assert [[each["code"] for each in seen[code]["siblings"]] for code in saved] == [[saved[1]], [saved[0]], []]


# --- repeats ----------------------------------------------------------------------------------------------------------


async def save(office: Office, agent: Browser, call: str, **changes: Any) -> tuple[int, Any]:
    """Save a call's order, once the call is written down."""
    await written(office, call)
    other_than = changes.pop("other_than", [])
    return await agent.ask("POST", f"/api/v1/calls/{call}/order", order(**changes) | {"other_than": other_than})


async def ask(agent: Browser, call: str, code: str, what: str = "urge", words: str = "还没有解决") -> tuple[int, Any]:
    body = {"code": code, "act": what, "words": words, "key": str(uuid.uuid4())}
    return await agent.ask("POST", f"/api/v1/calls/{call}/asks", body)


def numbers(start: int) -> Sequence[str]:
    return [f"139{start:04}{n:04}" for n in range(4)]


async def test_the_same_caller_and_matter_is_an_urge_unless_it_is_another_matter(office: Office) -> None:
    agent, login = await office.logged_in("operator"), login_of(office)
    number, at_work, *_ = numbers(1)
    status, first = await save(office, agent, ring(office, login, number=number))
    assert status == 201
    again = ring(office, login, number=number)
    await agent.ask("PUT", f"/api/v1/calls/{again}/draft", {"form": order()["form"], "version": 0})
    found = await agent.ask("POST", f"/api/v1/calls/{again}/repeats", {"form": order()["form"]})
    assert [(each["code"], each["state"]) for each in found[1]["items"]] == [(first["code"], "pending_dispatch")]
    status, refused = await save(office, agent, again)
    assert (status, refused["error"]["code"]) == (409, "repeat")
    assert [each["code"] for each in refused["repeats"]] == [first["code"]]

    # Urged: it counts, the citizen and whose turn it is are told, the call is the order's, and there is no new order.
    body = {"code": first["code"], "act": "urge", "words": "还没有解决", "key": str(uuid.uuid4())}
    answers = [await agent.ask("POST", f"/api/v1/calls/{again}/asks", body) for _ in range(2)]
    assert [(status, answer["event"]) for status, answer in answers] == [(201, "repeat")] * 2
    row = await row_of(office, first["code"])
    assert (row["urges"], row["urge_level"], row["version"]) == (1, 1, 2)
    dispatcher = await office.logged_in("dispatcher")
    last = (await show(dispatcher, first["code"]))["history"][-1]
    assert (last["who"], last["role"], last["given"]) == (login, "citizen", {"message": "还没有解决", "call": again})
    assert (await told(office, first["code"]))[-2:] == [("dispatcher", "urged"), ("citizen", "urged")]
    calls = (await get(dispatcher, f"/api/v1/orders/{first['code']}/calls"))["items"]
    assert [each["id"] for each in calls] == [row["call_id"], again]
    assert (await agent.ask("GET", f"/api/v1/calls/{again}/draft"))[1] == {"draft": None}
    assert (await ask(agent, again, first["code"]))[0] == 201
    assert (await row_of(office, first["code"]))["urge_level"] == 2, "asked twice: urged in writing"

    # Another matter: said of this very order, and on record; the same key again is the same order.
    third = ring(office, login, number=number)
    body = order(subject="另一处占道", callback_number=at_work) | {"other_than": [first["code"]]}
    saved = [await agent.ask("POST", f"/api/v1/calls/{third}/order", body) for _ in range(2)]
    assert [status for status, _ in saved] == [201, 201]
    assert saved[0][1]["code"] == saved[1][1]["code"]
    entry = (await show(dispatcher, saved[0][1]["code"]))["history"][0]
    assert entry["given"] == {"other_than": [first["code"]]}
    # The number to be called back on is theirs, too.
    status, refused = await save(office, agent, ring(office, login), callback_number=at_work)
    assert [each["code"] for each in refused["repeats"]] == [saved[0][1]["code"]]


async def test_who_asks_again_after_it_was_closed_has_it_reopened_or_a_new_order_that_is_linked(office: Office) -> None:
    """Domain.md 3.6: within thirty days by the operator for who is on the line; later the new one names the old one."""
    agent, login = await office.logged_in("operator"), login_of(office)
    number, *_ = numbers(6)
    first = (await save(office, agent, ring(office, login, number=number)))[1]["code"]
    await replied(office, first)
    assert (await do(office, first, "rate", GOOD))[0] == 201
    again = ring(office, login, number=number)
    status, refused = await save(office, agent, again)
    assert (status, [(each["code"], each["way"]) for each in refused["repeats"]]) == (409, [(first, "reopen")])
    body = {"code": first, "act": "reopen", "words": "又摆出来了", "key": str(uuid.uuid4())}
    status, refused = await agent.ask("POST", f"/api/v1/calls/{again}/asks", body)
    assert (status, set(refused["error"]["fields"])) == (422, {"reopen_reason"})
    body["reopen_reason"] = "unmet"
    answers = [await agent.ask("POST", f"/api/v1/calls/{again}/asks", body) for _ in range(2)]
    assert [(status, answer["state"]) for status, answer in answers] == [(201, "rehandle")] * 2
    dispatcher, supervisor = await office.logged_in("dispatcher"), await office.logged_in("supervisor")
    last = (await show(supervisor, first))["history"][-1]
    assert (last["event"], last["who"], last["role"], last["given"]["call"]) == ("reopen", login, "citizen", again)
    assert {("lead", "reopened"), ("supervisor", "reopened")} <= set(await told(office, first))
    calls = (await get(supervisor, f"/api/v1/orders/{first}/calls"))["items"]
    assert [each["id"] for each in calls][-1] == again

    # The operator finds that it is no case for the old one: a new order, marked. So too when the time is over.
    for state, way in (("closed", "reopen"), ("closed", "new"), ("archived", "new")):
        async with office.engine.begin() as connection:
            await connection.execute(
                text("UPDATE orders SET state = :state WHERE code = :code"), {"state": state, "code": first}
            )
            await connection.execute(
                text(
                    "UPDATE order_clocks SET ended_at = NULL, dropped = false, due_at = now() + :left WHERE"
                    " name = 'T-REOPEN' AND order_id = (SELECT id FROM orders WHERE code = :code)"
                ),
                {"code": first, "left": timedelta(days=1 if way == "reopen" else -1)},
            )
        call = ring(office, login, number=number)
        await written(office, call)
        found = await agent.ask("POST", f"/api/v1/calls/{call}/repeats", {"form": order()["form"]})
        assert (first, way) in [(each["code"], each["way"]) for each in found[1]["items"]]
        others = [each["code"] for each in found[1]["items"] if each["code"] != first]
        sent = order() | {"repeats": first, "other_than": others}
        status, saved = await agent.ask("POST", f"/api/v1/calls/{call}/order", sent)
        assert status == 201, saved
        new = saved["code"]
        shown = await show(dispatcher, new)
        assert (shown["repeat_of"], shown["history"][0]["given"]["repeats"]) == (first, first)
    assert (await get(supervisor, f"/api/v1/orders/{new}/joins"))["before"]["code"] == first
    assert [each["code"] for each in (await get(supervisor, f"/api/v1/orders/{first}/joins"))["again"]][-1] == new
    # Nobody's new order repeats what is somebody else's, or still open.
    stranger = order(subject="井盖破损", category="0303") | {"repeats": first}
    call = ring(office, login, number=numbers(7)[0])
    status, saved = await agent.ask("POST", f"/api/v1/calls/{call}/order", stranger)
    assert (status, (await row_of(office, saved["code"]))["repeat_of"]) == (201, None)


async def test_what_is_no_repeat(office: Office) -> None:
    agent, login = await office.logged_in("operator"), login_of(office)
    number, *_ = numbers(2)
    call = ring(office, login, number=number)
    first = (await save(office, agent, call))[1]["code"]
    assert (await save(office, agent, call, subject="同一来电第二件"))[0] == 201
    again = ring(office, login, number=number)
    far = {"category": "0302", "subject": "自来水发黄", "description": "水质有异味，请检测"}
    assert (await save(office, agent, again, **far))[0] == 201
    # By like words another leaf is the same matter.
    status, refused = await save(office, agent, ring(office, login, number=number), category="0304")
    assert status == 409 and first in {each["code"] for each in refused["repeats"]}
    # Who stays unknown is compared with nobody, and found by nobody's number.
    for n, hidden in enumerate(
        ({"confidential": True}, {"anonymous": True, "contact_name": "", "callback_number": ""})
    ):
        number = numbers(3)[n]
        assert (await save(office, agent, ring(office, login, number=number), **hidden))[0] == 201
        assert (await save(office, agent, ring(office, login, number=number)))[0] == 201
        assert (await save(office, agent, ring(office, login, number=number), **hidden))[0] == 201
    # Nobody urges an order of somebody else's, though they know its code.
    stranger = ring(office, login, number=numbers(4)[0])
    assert (await ask(agent, stranger, first))[0] == 404
    assert (await ask(agent, stranger, first, "withdraw"))[0] == 404
    # Nothing is asked of what was answered at once.
    plain = order("answered", kind="consult") | {"other_than": []}
    assert (await agent.ask("POST", f"/api/v1/calls/{ring(office, login, number=numbers(2)[0])}/order", plain))[
        0
    ] == 201


async def test_a_caller_withdraws_and_urges_what_was_merged(office: Office) -> None:
    agent, login = await office.logged_in("operator"), login_of(office)
    dispatcher = await office.logged_in("dispatcher")
    number, *_ = numbers(5)
    code = (await save(office, agent, ring(office, login, number=number)))[1]["code"]
    master = await filed(office)
    await act(dispatcher, code, "merge", given={"master": master} | WHY)
    again = ring(office, login, number=number)
    assert [each["code"] for each in (await save(office, agent, again))[1]["repeats"]] == [code]
    status, urged = await ask(agent, again, code)
    assert (status, urged["code"]) == (201, master)
    status, gone = await ask(agent, again, code, "withdraw", "问题已自行解决")
    assert (status, gone["event"], gone["state"]) == (201, "withdraw", "withdrawn")
    assert (await save(office, agent, ring(office, login, number=number)))[0] == 201, "what is withdrawn is no repeat"


async def test_a_citizen_withdraws_by_page_with_the_number_it_was_made_with(office: Office) -> None:
    code = await filed(office, callback_number="139-9999-0001")
    for wrong in ({}, {"number": "13999990002"}):
        status, refused = await do(office, code, "withdraw", wrong)
        assert (status, set(refused["error"]["fields"])) == (422, {"number"})
    status, seen = await do(office, code, "withdraw", {"number": "13999990001", "reason": "已解决"})
    assert (status, seen["state"]["en"], seen["acts"]) == (201, "Withdrawn as you asked", [])
    # Anonymous: no number is kept or called, there is no visit, and the two codes are all there is.
    anonymous = await filed(office, anonymous=True, contact_name="", callback_number="")
    row = await row_of(office, anonymous)
    assert (row["callback_number"], row["callback_key"], row["contact_name"]) == ("", None, "")
    assert await told(office, anonymous) == []
    agent = await office.logged_in("operator")
    why = {"reason": "citizen", "note": ""}
    supervisor = await office.logged_in("supervisor")
    assert (await supervisor.ask("POST", f"/api/v1/orders/{anonymous}/reveal", why))[0] in (404, 422)
    assert (await agent.ask("GET", f"/api/v1/orders/{anonymous}"))[1]["callback_number"] == ""
    assert (await do(office, anonymous, "withdraw", {}))[1]["state"]["en"] == "Withdrawn as you asked"
    # Public danger: the person goes, the order stays.
    danger = await filed(office, callback_number="13999990003")
    async with office.engine.begin() as connection:
        await connection.execute(text("UPDATE orders SET public_danger = true WHERE code = :code"), {"code": danger})
    status, seen = await do(office, danger, "withdraw", {"number": "13999990003"})
    row = await row_of(office, danger)
    assert (status, row["state"], row["anonymous"], row["callback_number"]) == (201, "pending_dispatch", True, "")
    assert await check_of(office, danger)
