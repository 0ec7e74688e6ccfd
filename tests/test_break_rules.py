"""Limits of breaks: their rules, and how a supervisor changes them while people rest."""

from datetime import UTC, datetime, timedelta

import pytest
from stack import Stack

from agents.breaks import FIRST, Limit, Rules

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "minutes, once, used, left",
    [
        (30, None, 0, 30),
        (30, None, 20, 10),
        (30, None, 40, 0),
        (30, 15, 0, 15),
        (30, 15, 20, 10),
        (None, 15, 600, 15),
        (None, None, 600, None),
    ],
)
def test_a_break_ends_by_the_nearer_of_its_two_limits(
    minutes: int | None, once: int | None, used: int, left: int | None
) -> None:
    rules = Rules((Limit("REST", minutes, once, True),), 20, 1)
    ends = rules.ends("REST", NOON, timedelta(minutes=used))
    assert ends == (None if left is None else NOON + timedelta(minutes=left))


def test_a_share_of_those_seated_may_be_away_but_always_so_many() -> None:
    rules = FIRST._replace(share=20, least=1)
    assert [rules.at_once(seated) for seated in (0, 1, 9, 10, 43)] == [1, 1, 1, 2, 8]
    assert FIRST._replace(share=0, least=0).at_once(43) == 0
    assert FIRST.counted("REST") and not FIRST.counted("MEETING") and not FIRST.counted(None)


async def test_new_limits_hold_at_once_for_breaks_that_go_on(stack: Stack) -> None:
    chief = await stack.browser("sunli")
    desk = await (await stack.desk("limei")).sit("1001", ready=False)
    await desk.ask("POST", "/desk/break", {"code": "PAPERWORK"})
    status, found = await chief.ask("GET", "/api/v1/breaks")
    assert status == 200
    first = found["rules"]

    def changed(**limit: object) -> dict[str, object]:
        limits = [each | limit if each["code"] == "PAPERWORK" else each for each in first["limits"]]
        return first | {"limits": limits}

    body = {"rules": changed(minutes=90, once=25), "after": found["version"]}
    assert (await desk.browser.ask("PUT", "/api/v1/breaks", body))[0] == 403
    status, found = await chief.ask("PUT", "/api/v1/breaks", body)
    assert status == 200, found
    try:
        row = await desk.screen.until(lambda view: view["seat"]["break_until"])
        until, since = (datetime.fromisoformat(row["seat"][name]) for name in ("break_until", "since"))
        assert (until - since) == timedelta(minutes=25)
        reference = (await desk.browser.ask("GET", "/api/v1/reference"))[1]
        assert [each["minutes"] for each in reference["breaks"] if each["code"] == "PAPERWORK"] == [90]
        # Who saw an older version does not undo what somebody else has changed.
        status, answer = await chief.ask("PUT", "/api/v1/breaks", body)
        assert (status, answer["error"]["code"]) == (409, "stale_version")
        wrong = {"rules": changed(minutes=20, once=25), "after": found["version"]}
        assert (await chief.ask("PUT", "/api/v1/breaks", wrong))[0] == 422
        acts = await stack.rows("SELECT what FROM audit WHERE act = 'change_breaks' ORDER BY id DESC LIMIT 1")
        assert '"once": 25' in acts[0]["what"]
    finally:
        status, found = await chief.ask("PUT", "/api/v1/breaks", {"rules": first, "after": found["version"]})
        assert status == 200, found
    await desk.screen.until(lambda view: view["seat"]["break_until"] is None)
