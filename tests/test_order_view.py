"""What stands beside an order: the words of the tables, its calls with their recordings by right, people by name."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from office import Office
from pydantic import ValidationError
from sqlalchemy import insert
from test_order_api import act, code, show
from test_orders_desk import login_of, order, ring, written
from test_privacy import row_of

from callcenter.orderview import routes
from callcenter.store import tables
from callcenter.workorders import flow
from callcenter.workorders.effects import INTERVIEW, REMINDER
from callcenter.workorders.flow import ACTS, MACHINES, TABLE
from callcenter.workorders.given import FIELDS
from callcenter.workorders.points import Point, about, metres
from callcenter.workorders.words import WORDS, event_words

__all__ = ["code"]


def test_every_code_of_the_tables_has_words() -> None:
    needed = {(field.name, choice) for field in FIELDS.values() for choice in field.choices}
    needed |= {("machine", machine) for machine in MACHINES}
    needed |= {
        (machine, state)
        for machine, events in MACHINES.items()
        for moves in events.values()
        for state in sum(moves, ())
        if state not in ("-", "*")
    }
    with (Path(flow.__file__).parent / "policies.csv").open(encoding="utf-8", newline="") as file:
        needed |= {("unit", row["unit"]) for row in csv.DictReader(file)}
    needed |= {("urge_level", str(level)) for level in range(REMINDER, INTERVIEW + 1)} | {("clock", "T-REVIEW")}
    assert needed <= WORDS.keys()
    assert all(words.zh and words.en for words in WORDS.values())


def test_what_has_happened_is_told_in_the_words_of_the_table() -> None:
    assert event_words("dispatch", "pending_dispatch") == ("派单", "Dispatch")
    assert event_words("propose_reply", "in_progress").zh == "提请复核：提交办理结果"
    assert event_words("decline", "in_progress").en == "Not agreed"
    assert event_words("create_by_call", "-").zh == "来电建单"
    assert event_words("of_another_release", "closed") == ("of_another_release", "of_another_release")
    assert all(event_words(event, state or "-").zh == row.zh for (state, event), row in (TABLE | ACTS).items())


async def test_the_words_are_fetched_once(office: Office) -> None:
    browser = await office.logged_in("liaison")
    first = await browser.send("GET", "/api/v1/order-words")
    told = routes.OrderWords.model_validate_json(await first.read())
    assert {state.code for state in told.states} == {state.value for state in flow.STATES}
    again = await browser.send("GET", "/api/v1/order-words", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status, again.status) == (200, 304)


async def _call(office: Office, call_id: str, **more: Any) -> None:
    at = datetime.now(UTC) - timedelta(minutes=5)
    row = {"id": call_id, "node": "n1", "number": "13812345678", "arrived_at": at, "source": "line", "rank": 2}
    times = {"answered_at": at, "ended_at": at + timedelta(minutes=1), "talk_ms": 60_000, "outcome": "answered"}
    async with office.engine.begin() as connection:
        await connection.execute(insert(tables.calls), [row | times | {"version": 1} | more])


async def test_the_calls_of_an_order_come_without_a_number_and_with_recordings_by_right(
    office: Office, code: str
) -> None:
    dispatcher, liaison = await office.logged_in("dispatcher"), await office.logged_in("liaison")
    supervisor, path = await office.logged_in("supervisor"), f"/api/v1/orders/{code}/calls"
    call = (await row_of(office, code))["call_id"]
    await written(office, call)
    await _call(office, f"{call}9", direction="callback", origin=call, outcome="not_reached", answered_at=None)
    await _call(office, f"{call}8")
    recorded = {"call_id": call, "recorded_at": datetime.now(UTC), "stored_at": datetime.now(UTC)}
    sealed = {"length_ms": 60_000, "bytes": 480_000, "sha256": b"x" * 32, "key_id": "k1", "rule": "order"}
    async with office.engine.begin() as connection:
        await connection.execute(
            insert(tables.recordings), [recorded | sealed | {"keep_until": recorded["stored_at"] + timedelta(days=9)}]
        )
    seen = (await supervisor.ask("GET", path))[1]["items"]
    assert [(each["id"], each["direction"], each["open"]) for each in seen] == [
        (call, "in", True),
        (f"{call}9", "callback", True),
    ]
    assert seen[0]["recording"]["length_ms"] == 60_000
    assert "13812345678" not in str(seen)
    of_dispatcher = (await dispatcher.ask("GET", path))[1]["items"]
    assert [(each["open"], each["recording"]) for each in of_dispatcher] == [(False, None), (False, None)]
    # Whose order it is not, sees nothing of it.
    assert (await liaison.ask("GET", path))[0] == 404
    assert (await liaison.ask("GET", f"/api/v1/orders/{code}/people"))[0] == 404


async def test_people_are_told_by_name_and_who_can_be_named_for_what(office: Office, code: str) -> None:
    dispatcher, liaison = await office.logged_in("dispatcher"), await office.logged_in("liaison")
    path = f"/api/v1/orders/{code}/people"

    async def can(browser: Any) -> dict[str, list[str]]:
        return {each["login"]: each["can"] for each in (await browser.ask("GET", path))[1]["items"]}

    before = await can(dispatcher)
    assert before["hexin"] == ["follow_up_officer"]
    assert before["limei"] == [], "who wrote it is named in it"
    await act(dispatcher, code, "dispatch", given={"lead": "D29", "follow_up_officer": "hexin"})
    after = await can(liaison)
    assert (after["tangjun"], after["maowei"], after["fangli"]) == (["handler"], ["handler"], [])
    assert "guoping" not in after
    # Nobody else is taken: not of another unit, not without the role, not somebody who is not there.
    for handler in ("xiejie", "hexin", "nobody"):
        refused = await act(liaison, code, "sign", 422, given={"handler": handler})
        assert set(refused["error"]["fields"]) == {"handler"}
    # Who only reads may name nobody.
    assert set(map(tuple, (await can(await office.logged_in("auditor"))).values())) == {()}


async def test_an_order_tells_how_its_clocks_turn_and_what_its_events_are_called(office: Office, code: str) -> None:
    dispatcher = await office.logged_in("dispatcher")
    (clock,) = (await show(dispatcher, code))["clocks"]
    assert (clock["name"], clock["value"], clock["unit"], clock["extended"]) == ("T-DISPATCH", 30, "minute", 0)
    (turn,) = clock["turns"]
    left = datetime.fromisoformat(turn["until"]) - datetime.fromisoformat(turn["since"])
    assert left == timedelta(minutes=30)
    await act(dispatcher, code, "dispatch", given={"lead": "D29"})
    shown = await show(dispatcher, code)
    assert [(entry["zh"], entry["en"]) for entry in shown["history"]] == [
        ("转派单", "Send for dispatch"),
        ("派单", "Dispatch"),
    ]
    sign = next(each for each in (await show(await office.logged_in("liaison"), code))["possible"] if each["mine"])
    assert (sign["event"], sign["unit"]) == ("sign", "lead")


@pytest.mark.parametrize("role", ["handler", "unit_leader"])
async def test_a_proposal_is_told_in_words(office: Office, code: str, role: str) -> None:
    dispatcher, liaison = await office.logged_in("dispatcher"), await office.logged_in("liaison")
    await act(dispatcher, code, "dispatch", given={"lead": "D29"})
    await act(liaison, code, "sign", given={"handler": "tangjun"})
    await act(liaison, code, "first_contact", given={"how_contacted": "call", "contact_note": "已联系"})
    await act(liaison, code, "reply", given={"result": "resolved", "reply": "已清理", "actions": "现场处置"})
    proposal = (await show(await office.logged_in(role), code))["proposal"]
    assert (proposal["zh"], proposal["en"], proposal["by"]) == ("提交办理结果", "Reply", "maowei")


async def test_a_point_is_kept_and_the_open_orders_of_its_leaf_near_by_are_shown(office: Office) -> None:
    agent, dispatcher = await office.logged_in("operator"), await office.logged_in("dispatcher")

    async def filed(**changes: Any) -> str:
        call = ring(office, login_of(office))
        status, saved = await agent.ask("POST", f"/api/v1/calls/{call}/order", order(**changes))
        assert status == 201, saved
        return str(saved["code"])

    here, leaf = {"lat": 22.543, "lon": 114.0579}, "0301"
    first = await filed(point=here, category=leaf)
    near = await filed(point={"lat": 22.544, "lon": 114.0579}, category=leaf, confidential=True)
    await filed(point={"lat": 22.5531, "lon": 114.0579}, category=leaf)  # 1,123 m to the north
    await filed(point={"lat": 22.5511, "lon": 114.0666}, category=leaf)  # in a corner of the square, 1,270 m
    await filed(point=here, category="0101")
    await filed(category=leaf)
    assert (await show(dispatcher, first))["point"] == here
    path = f"/api/v1/orders/{first}/near"
    status, found = await dispatcher.ask("GET", path)
    assert (status, found["map_url"]) == (200, "https://map.example.gov.cn/?at=114.057900,22.543000")
    assert [(row["code"], row["metres"]) for row in found["near"]] == [(near, 111)]
    # Who does not see the other order sees no dot of it.
    await act(dispatcher, first, "dispatch", given={"lead": "D29"})
    # What was set wrongly is corrected, by whoever has the order; what it was stays in the history.
    liaison = await office.logged_in("liaison")
    await act(liaison, first, "set_point", 422, given={"point": "南园路"})
    await act(liaison, first, "set_point", 422, given={"point": "22.500000, 114.000000", "was": "1.0, 1.0"})
    await act(liaison, first, "set_point", given={"point": "22.543100, 114.058000", "reason": "落在河里"})
    shown = await show(liaison, first)
    assert shown["point"] == {"lat": 22.5431, "lon": 114.058}
    assert shown["history"][-1]["given"]["was"] == "22.543000, 114.057900"
    (form,) = [each["fields"] for each in shown["possible"] if each["event"] == "set_point"]
    assert [field["name"] for field in form] == ["point", "reason"]
    status, found = await (await office.logged_in("liaison")).ask("GET", path)
    assert (status, found["near"]) == (200, [])
    for point in ({"lat": 91, "lon": 0}, {"lat": 0, "lon": 180.1}, {"lat": 22.5}, {"lat": "22", "lon": 114}, "22,114"):
        body = order(point=point)
        status, refused = await agent.ask("POST", f"/api/v1/calls/{ring(office, login_of(office))}/order", body)
        assert status == 422, refused


def test_points_are_measured_on_the_ground() -> None:
    one, other = Point(lat=22.543, lon=114.0579), Point(lat=22.548, lon=114.131)  # Futian, Luohu: 7.53 km
    assert 7_520 < metres(one, other) < 7_540
    assert metres(one, one) == 0
    box = about(one, 100)
    for lat, lon in ((box.north, one.lon), (one.lat, box.east)):
        assert 99.9 < metres(one, Point(lat=lat, lon=lon)) < 100.1
    with pytest.raises(ValidationError):
        Point(lat=float("nan"), lon=0.0)


async def test_who_has_looked_at_the_number_is_told_with_the_order(office: Office, code: str) -> None:
    supervisor, dispatcher = await office.logged_in("supervisor"), await office.logged_in("dispatcher")
    why = {"reason": "verify", "note": "核实住址"}
    assert (await supervisor.ask("POST", f"/api/v1/orders/{code}/reveal", why))[0] == 200
    status, found = await dispatcher.ask("GET", f"/api/v1/orders/{code}/reveals")
    assert status == 200
    assert [(each["act"], each["reason"], each["login"]) for each in found["items"]] == [
        ("reveal_number", "verify", "sunli")
    ]
    assert "核实住址" not in str(found), "what else was said is for who reads the audit log"
    assert (await (await office.logged_in("liaison")).ask("GET", f"/api/v1/orders/{code}/reveals"))[0] == 404
