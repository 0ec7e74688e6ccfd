"""Limits of orders: shown, changed by two persons with the effect shown, and kept by the orders that have them."""

from pathlib import Path
from typing import Any

import pytest
from office import Browser, Office
from test_order_api import act, code, show
from test_orders_desk import login_of, order, ring

from callcenter.policies.flow import faults, whole
from callcenter.workorders.deadlines import MEASURES, NAMES, POLICIES
from callcenter.workorders.diagram import COLUMNS, LANGUAGES, svg
from callcenter.workorders.flow import TRANSITIONS
from callcenter.workorders.order import State

__all__ = ["code"]

DOCS = Path(__file__).parents[1] / "docs"
THREE = {"value": 3, "unit": "working_day"}


# --- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"T-REPLY-complaint": (3, "working_day")}, set()),
        ({"T-REPLY-complaint": (0, "working_day")}, {"T-REPLY-complaint"}),
        ({"T-REPLY-complaint": (121, "working_day")}, {"T-REPLY-complaint"}),
        ({"T-REPLY-complaint": (3, "fortnight")}, {"T-REPLY-complaint"}),
        ({"T-NOTHING": (3, "day")}, {"T-NOTHING"}),
        ({"T-REPLY-U1": (25, "hour")}, {"T-REPLY-U1"}),
        ({"T-SIGN-U2": (3, "day")}, {"T-SIGN-U2"}),
        ({"AUDIT-SAMPLE": (101, "percent")}, {"AUDIT-SAMPLE"}),
        ({"AUDIT-SAMPLE": (20, "day")}, {"AUDIT-SAMPLE"}),
        ({"VISIT-TRIES": (1, "times")}, {"VISIT-TRIES"}),
        ({"REMIND-FIRST": (80, "percent")}, {"REMIND-FIRST"}),
        ({"VISIT-MORNING-TO": (780, "o_clock")}, {"VISIT-MORNING-FROM"}),
        ({"VISIT-EVENING-FROM": (1230, "o_clock")}, {"VISIT-EVENING-FROM"}),
    ],
)
def test_what_may_not_be_changed_is_said(changes: dict[str, tuple[int, str]], wrong: set[str]) -> None:
    assert set(faults(whole({}), changes)) == wrong


def test_every_limit_has_a_name_and_the_release_fits_itself() -> None:
    assert NAMES.keys() == POLICIES.keys() | MEASURES.keys()
    assert faults(whole({}), whole({})) == {}
    assert all(zh and en for zh, en in NAMES.values())


# --- over HTTP --------------------------------------------------------------------------------------------------------


async def table(browser: Browser) -> Any:
    status, shown = await browser.ask("GET", "/api/v1/policies")
    assert status == 200, shown
    return shown


async def propose(browser: Browser, code: str, value: int, unit: str, status: int = 201) -> Any:
    changes = [{"code": code, "value": value, "unit": unit}]
    base = (await table(browser))["version"]
    got, answer = await browser.ask(
        "POST", "/api/v1/policies/proposals", {"base": base, "changes": changes, "note": "本市投诉三日办结"}
    )
    assert got == status, answer
    return answer


async def due(browser: Browser, code: str) -> str:
    clocks = (await show(browser, code))["clocks"]
    found: str = next(clock["due_at"] for clock in clocks if clock["name"] == "T-REPLY")
    return found


async def test_a_change_takes_two_persons_and_orders_keep_what_they_began_with(office: Office, code: str) -> None:
    dispatcher = await office.logged_in("dispatcher")
    supervisor, admin = await office.logged_in("supervisor"), await office.logged_in("admin")
    seen = await table(dispatcher)
    first = seen["version"]
    assert {row["code"] for row in seen["items"]} == NAMES.keys()

    # What it would do is shown before: later ends become earlier ones.
    body = {"base": first, "changes": [{"code": "T-REPLY-complaint"} | THREE]}
    status, shown = await supervisor.ask("POST", "/api/v1/policies/preview", body)
    assert status == 200, shown
    (example,) = shown["examples"]
    assert (example["before"], example["after"]) == ({"value": 5, "unit": "working_day"}, THREE)
    assert example["ends_after"] < example["ends_before"]
    assert shown["orders"] >= 0
    assert (await dispatcher.ask("POST", "/api/v1/policies/preview", body))[0] == 403

    proposal = await propose(supervisor, "T-REPLY-complaint", 3, "working_day")
    assert (await table(dispatcher))["version"] == first, "nothing holds before it is approved"
    decision = f"/api/v1/policies/proposals/{proposal['id']}/decision"
    assert (await supervisor.ask("POST", decision, {"state": "approved"}))[0] == 403
    own = await propose(admin, "T-AUDIT", 2, "working_day")
    refused = await admin.ask("POST", f"/api/v1/policies/proposals/{own['id']}/decision", {"state": "approved"})
    assert (refused[0], refused[1]["error"]["code"]) == (403, "second_person")
    status, decided = await admin.ask("POST", decision, {"state": "approved"})
    assert (status, decided["state"], decided["decided_by"]) == (200, "approved", office.password("admin")[0])
    again = await admin.ask("POST", decision, {"state": "approved"})
    assert (again[0], again[1]["error"]["code"]) == (409, "decided")

    # An order keeps the version it began with; one that begins now has the new one.
    agent = await office.logged_in("operator")
    saved = await agent.ask("POST", f"/api/v1/calls/{ring(office, login_of(office))}/order", order())
    new = saved[1]["code"]
    for each in (code, new):
        await act(dispatcher, each, "dispatch", given={"lead": "D29"})
    assert await due(dispatcher, new) < await due(dispatcher, code)

    newest = (await table(dispatcher))["versions"][0]
    assert (newest["version"], newest["by"], newest["approved_by"]) == (first + 1, "sunli", "zhoukai")
    assert newest["differences"] == [
        {
            "code": "T-REPLY-complaint",
            "before": {"value": 5, "unit": "working_day"},
            "after": {"value": 3, "unit": "working_day"},
        }
    ]
    assert newest["orders"] >= 1
    # What was proposed for the version before must be looked at again.
    other = await office.hire("admin")
    browser = office.browser()
    await browser.log_in(other.login, other.password)
    stale = await browser.ask("POST", f"/api/v1/policies/proposals/{own['id']}/decision", {"state": "approved"})
    assert (stale[0], stale[1]["error"]["code"]) == (409, "stale_version")
    assert (await table(admin))["version"] == first + 1
    assert (await browser.ask("POST", f"/api/v1/policies/proposals/{own['id']}/decision", {"state": "refused"}))[
        0
    ] == 200


async def test_bad_proposals_say_what_is_wrong(office: Office) -> None:
    supervisor, admin = await office.logged_in("supervisor"), await office.logged_in("admin")
    wrong = await propose(supervisor, "T-REPLY-U1", 99, "hour", 422)
    assert wrong["error"]["code"] == "bad_policies"
    assert set(wrong["error"]["fields"]) == {"T-REPLY-U1"}
    base = (await table(supervisor))["version"]
    body = {"base": base, "changes": [{"code": "T-AUDIT", "value": 3, "unit": "day"}], "note": "x\u0000y"}
    assert (await supervisor.ask("POST", "/api/v1/policies/proposals", body))[0] == 422
    assert (await supervisor.ask("POST", "/api/v1/policies/proposals", body | {"note": "理由", "base": base + 9}))[
        0
    ] == 409
    status, same = await supervisor.ask(
        "POST",
        "/api/v1/policies/preview",
        {"base": base, "changes": [{"code": "T-SUPPORT", "value": 1, "unit": "working_day"}]},
    )
    assert (status, same["error"]["code"]) == (422, "nothing_changed")
    mine = await propose(supervisor, "T-SUPPORT", 2, "working_day")
    url = f"/api/v1/policies/proposals/{mine['id']}"
    taken = await admin.ask("DELETE", url)
    assert (taken[0], taken[1]["error"]["code"]) == (403, "not_yours")
    assert (await supervisor.ask("DELETE", url))[1]["state"] == "withdrawn"
    assert (await supervisor.ask("DELETE", "/api/v1/policies/proposals/999999"))[0] == 404


# --- the picture ------------------------------------------------------------------------------------------------------


def test_the_picture_in_the_docs_is_that_of_the_table() -> None:
    """When it is stale: python -m callcenter.workorders.diagram docs"""
    for language in LANGUAGES:
        assert (DOCS / f"order-flow.{language}.svg").read_text(encoding="utf-8") == svg(language)


def test_the_picture_shows_every_state_and_every_way() -> None:
    assert sorted(state for *_, states in COLUMNS for state in states) == sorted(State)
    begun = sum(1 for state, _ in TRANSITIONS if state is not None)
    for language in LANGUAGES:
        assert svg(language).count("→ ") == begun + 1, "one arrow to a line, and one in the words above"


async def test_the_picture_is_served_in_both_languages(office: Office) -> None:
    browser = await office.logged_in("liaison")
    for language in LANGUAGES:
        response = await browser.send("GET", f"/api/v1/flow.svg?language={language}")
        assert (response.status, response.content_type) == (200, "image/svg+xml")
        assert await response.text() == svg(language)
    assert (await browser.ask("GET", "/api/v1/flow.svg?language=fr"))[0] == 422
