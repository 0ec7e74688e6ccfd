"""Opening hours and the number map as the pages get them, and their changes by two persons."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from office import Browser, Office
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from callcenter.directory.city import HOTLINES
from callcenter.numbermap.flow import Cutover, Refused, State, refusals, state_of
from callcenter.store.tables import audit, calls

ZONE = ZoneInfo("Asia/Shanghai")
CALENDARS = "/api/v1/calendars"
TODAY = datetime.now(UTC).astimezone(ZONE).date()


async def acts(office: Office, *names: str) -> list[tuple[str, Any]]:
    async with office.engine.connect() as connection:
        rows = await connection.execute(select(audit.c.act, audit.c.what).where(audit.c.act.in_(names)).order_by("id"))
        return [(row.act, row.what) for row in rows]


async def opened(browser: Browser, code: str, at: str, **more: str) -> Any:
    status, answer = await browser.ask("GET", f"{CALENDARS}/{code}/is_open", params={"at": at, **more})
    assert status == 200, answer
    return answer


async def test_every_place_says_whether_it_is_open(office: Office) -> None:
    browser = await office.logged_in("operator")
    status, answer = await browser.ask("GET", CALENDARS)
    assert status == 200
    by_code = {row["code"]: row for row in answer["items"]}
    assert [row["kind"] for row in answer["items"]].count("centre") == 12
    assert [row["kind"] for row in answer["items"]].count("line") == 19
    assert (by_code["12345"]["open"], by_code["12345"]["until"]) == (True, None)
    for row in answer["items"]:
        assert row["open"] == (row["next_opening"] is None)


async def test_is_it_open_then(office: Office) -> None:
    """Answers differ for weekday, lunch, Saturday, holiday, make-up day (R64); booked or not (R65); by domain (R67)."""
    browser = await office.logged_in("operator")
    assert (await opened(browser, "R01", "2026-11-19T12:30:00+08:00"))["open"]
    early = await opened(browser, "R01", "2026-11-19T08:30:00+08:00")
    assert (early["open"], early["why"]) == (False, "booked_only")
    assert (await opened(browser, "R01", "2026-11-19T08:30:00+08:00", booked="true"))["open"]
    assert (await opened(browser, "R01", "2026-11-21T10:00:00+08:00", domain="medical_insurance"))["open"]
    assert (await opened(browser, "R01", "2026-11-21T10:00:00+08:00"))["why"] == "other_matters"
    festival = await opened(browser, "R01", "2026-02-17T10:00:00+08:00")
    assert (festival["why"], festival["next_opening"]) == ("holiday", "2026-02-24T01:00:00.000Z")
    assert (await opened(browser, "12333", "2026-02-14T10:00:00+08:00"))["open"]
    assert (await opened(browser, "12333", "2027-01-06T10:00:00+08:00"))["provisional"]


@pytest.mark.parametrize("at", ["", "0", "2026-11-19", "2026-11-19T08:30:00", "2026-13-01T00:00:00Z"])
async def test_a_moment_that_is_none_is_refused(office: Office, at: str) -> None:
    browser = await office.logged_in("operator")
    status, answer = await browser.ask("GET", f"{CALENDARS}/R01/is_open", params={"at": at})
    assert (status, answer["error"]["code"]) == (422, "not_valid")


async def test_a_week_shows_its_make_up_day(office: Office) -> None:
    browser = await office.logged_in("operator")
    _, week = await browser.ask("GET", f"{CALENDARS}/12333?day=2026-10-08")
    assert week["days"][0]["day"] == "2026-10-05"
    assert [day["working"] for day in week["days"]] == [False, False, False, True, True, True, False]
    assert week["days"][0]["holiday"] == {"zh": "国庆节", "en": "National Day"}
    assert week["days"][5]["made_up"]
    assert (await browser.ask("GET", f"{CALENDARS}/nowhere"))[0] == 404


async def test_how_many_working_days(office: Office) -> None:
    browser = await office.logged_in("operator")
    _, answer = await browser.ask("GET", "/api/v1/working_days?start=2026-09-30&n=5")
    assert (answer["day"], answer["provisional"]) == ("2026-10-13", False)


async def test_an_exception_takes_two_persons(own_office: Office) -> None:
    supervisor, admin = await own_office.logged_in("supervisor"), await own_office.logged_in("admin")
    change = {
        "kind": "special",
        "place": "R01",
        "day": "2026-11-19",
        "spans": [{"start": "09:00", "end": "10:00"}],
        "zh": "系统升级",
        "en": "System upgrade",
    }
    status, proposed = await supervisor.ask("POST", f"{CALENDARS}/changes", {"change": change})
    assert (status, proposed["state"]) == (201, "proposed")
    ten = "2026-11-19T10:00:00+08:00"
    assert (await opened(supervisor, "R01", ten))["open"], "a proposal changes nothing"
    decision = f"{CALENDARS}/changes/{proposed['id']}/decision"
    assert (await supervisor.ask("POST", decision, {"state": "approved"}))[1]["error"]["code"] == "not_allowed"
    assert (await admin.ask("DELETE", f"{CALENDARS}/changes/{proposed['id']}"))[1]["error"]["code"] == "not_yours"
    status, decided = await admin.ask("POST", decision, {"state": "approved"})
    assert (status, decided["state"], decided["decided_by"]) == (200, "approved", "zhoukai")
    closed = await opened(supervisor, "R01", ten)
    assert (closed["open"], closed["why"], closed["special"]["zh"]) == (False, "special", "系统升级")
    assert (await opened(supervisor, "R02", ten))["open"], "another place is not touched"
    assert (await admin.ask("POST", decision, {"state": "refused"}))[1]["error"]["code"] == "decided"
    # Its end takes two persons too; an administrator cannot be both.
    lift = {"change": {"kind": "lift", "place": "R01", "day": "2026-11-19"}}
    _, lifted = await admin.ask("POST", f"{CALENDARS}/changes", lift)
    decision = f"{CALENDARS}/changes/{lifted['id']}/decision"
    assert (await admin.ask("POST", decision, {"state": "approved"}))[1]["error"]["code"] == "second_person"
    assert (await admin.ask("DELETE", f"{CALENDARS}/changes/{lifted['id']}"))[1]["state"] == "withdrawn"
    _, lifted = await supervisor.ask("POST", f"{CALENDARS}/changes", lift)
    assert (await admin.ask("POST", f"{CALENDARS}/changes/{lifted['id']}/decision", {"state": "approved"}))[0] == 200
    assert (await opened(supervisor, "R01", ten))["open"]
    assert len(await acts(own_office, "propose_calendar", "approve_calendar")) == 6
    with pytest.raises(DBAPIError, match="check"):
        async with own_office.engine.begin() as connection:
            await connection.execute(
                text("UPDATE calendar_changes SET proposed_by = decided_by WHERE state = 'approved'")
            )


async def test_the_hotline_has_no_exceptions(office: Office) -> None:
    supervisor = await office.logged_in("supervisor")
    change = {"kind": "special", "place": "12345", "day": "2026-11-19", "spans": [], "zh": "停机", "en": "Closed"}
    status, answer = await supervisor.ask("POST", f"{CALENDARS}/changes", {"change": change})
    assert (status, answer["error"]["code"]) == (409, "never_closes")


async def test_a_years_notice_is_loaded_and_what_was_provisional_is_no_more(own_office: Office) -> None:
    supervisor, admin = await own_office.logged_in("supervisor"), await own_office.logged_in("admin")
    due = "/api/v1/working_days?start=2026-12-31&n=1"
    assert (await admin.ask("GET", due))[1] == {"start": "2026-12-31", "n": 1, "day": "2027-01-01", "provisional": True}
    notice: dict[str, Any] = {
        "kind": "year",
        "year": 2027,
        "off": ["2027-01-01", "2027-01-02", "2027-01-03"],
        "made_up": ["2027-01-09"],
        "notice": "https://www.gov.cn/notice",
    }
    for wrong in ({"made_up": ["2027-01-08"]}, {"off": ["2025-01-01"]}, {"made_up": ["2027-01-02"]}):
        assert (await supervisor.ask("POST", f"{CALENDARS}/changes", {"change": notice | wrong}))[0] == 409
    _, proposed = await supervisor.ask("POST", f"{CALENDARS}/changes", {"change": notice})
    assert (await admin.ask("POST", f"{CALENDARS}/changes/{proposed['id']}/decision", {"state": "approved"}))[0] == 200
    assert (await admin.ask("GET", due))[1] == {
        "start": "2026-12-31",
        "n": 1,
        "day": "2027-01-04",
        "provisional": False,
    }


# --- the number map ---------------------------------------------------------------------------------------------------


def test_a_number_is_open_then_closing_then_closed() -> None:
    cutover = Cutover(date(2026, 12, 1), True)
    line = HOTLINES["12319"]
    assert state_of(line, None, date(2026, 11, 30)) is State.OPEN
    assert state_of(line, cutover, date(2026, 11, 30)) is State.CLOSING
    assert state_of(line, cutover, date(2026, 12, 1)) is State.CLOSED
    assert state_of(HOTLINES["12349"], None, date(2026, 11, 30)) is State.CLOSED
    assert state_of(HOTLINES["110"], None, date(2026, 11, 30)) is State.UNTOUCHED


def test_retained_numbers_are_never_cut_over_in_bulk() -> None:
    retained = {number for number, line in HOTLINES.items() if line.retained}
    assert retained == {"12333", "12328", "12315", "12366", "12367"}
    for number in retained:
        assert refusals([number, "12319"], HOTLINES, (), reason="x") == {number: Refused.RETAINED}
        assert refusals([number], HOTLINES, (), reason=" ") == {number: Refused.RETAINED}
        assert refusals([number], HOTLINES, (), reason="市政府决定") == {}
    assert refusals(["110", "114", "12345", "99999", "12349", "12319"], HOTLINES, ["12319"], reason="") == {
        "110": Refused.NEVER,
        "114": Refused.NEVER,
        "12345": Refused.NEVER,
        "99999": Refused.UNKNOWN,
        "12349": Refused.ALREADY,
        "12319": Refused.ALREADY,
    }


async def test_a_cut_over_is_all_or_nothing_and_can_be_undone(own_office: Office) -> None:
    operator, admin = await own_office.logged_in("operator"), await own_office.logged_in("admin")
    path = "/api/v1/legacy_numbers"
    at = datetime.now(UTC)
    row = {"id": "n1-1", "node": "n1", "dialed": "12319", "arrived_at": at, "source": "line", "rank": 0, "version": 1}
    async with own_office.engine.begin() as connection:
        await connection.execute(calls.insert().values(row))
    asked = {"numbers": ["12319", "12315"], "day": TODAY.isoformat(), "announced": True}
    assert (await operator.ask("POST", f"{path}/cutover", asked))[1]["error"]["code"] == "not_allowed"
    status, answer = await admin.ask("POST", f"{path}/cutover", asked)
    assert (status, set(answer["error"]["fields"])) == (409, {"12315"})
    day = (TODAY + timedelta(days=1)).isoformat()
    _, answer = await admin.ask(
        "POST", f"{path}/cutover", {"numbers": ["12319", "12348"], "day": day, "announced": True}
    )
    found = {row["number"]: row for row in answer["items"]}
    assert (found["12319"]["state"], found["12319"]["calls"], found["12319"]["by"]) == ("closing", 1, "zhoukai")
    assert found["12348"]["state"] == "closing"
    _, answer = await admin.ask("DELETE", f"{path}/12319/cutover")
    assert next(row for row in answer["items"] if row["number"] == "12319")["state"] == "open"
    assert (await admin.ask("DELETE", f"{path}/12319/cutover"))[0] == 404
    for wrong in ((TODAY - timedelta(days=1)).isoformat(), "2099-01-01"):
        asked = {"numbers": ["12338"], "day": wrong, "announced": False}
        assert (await admin.ask("POST", f"{path}/cutover", asked))[0] == 409
    assert [act for act, _ in await acts(own_office, "cut_over_number", "undo_cutover")] == [
        "cut_over_number",
        "undo_cutover",
    ]
