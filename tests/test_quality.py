"""Quality review: what is drawn, what a grade is worth, who may do what with it, and that nothing is rewritten."""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from office import Browser, Office
from pydantic import ValidationError
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError

from callcenter.clock import now
from callcenter.quality.flow import (
    TRANSITIONS,
    By,
    Candidate,
    Refused,
    Review,
    Reviewer,
    State,
    advance,
    assign,
    draw,
    grade,
    week_of,
)
from callcenter.quality.form import FIRST_FORM, FIRST_SAMPLING, SCALES, Form
from callcenter.store import tables

SEED = "the week's own"
BEST = {item.code: "yes" for item in FIRST_FORM.items}


def talk(n: int, login: str = "limei", **changes: Any) -> Candidate:
    call = Candidate(f"n1-1763798400.{n}", login, 120_000, False, None, False, frozenset({login}))
    return replace(call, **changes)


# --- drawing ----------------------------------------------------------------------------------------------------------


def test_each_agent_has_a_call_of_each_kind_drawn_and_the_rest_from_all() -> None:
    calls = [talk(n) for n in range(100)]
    calls += [talk(100, talk_ms=900_000), talk(101, talk_ms=5_000), talk(102, satisfied=False), talk(103, "wangqiang")]
    calls += [talk(104, transferred=True, parties=frozenset({"limei", "chenjing"}))]
    picks = draw(calls, FIRST_SAMPLING, SEED, drawn={})
    mine = [pick for pick in picks if pick.candidate.login == "limei"]
    assert [pick.stratum for pick in mine] == ["unsatisfied", "transferred", "long", "short", "any"]
    assert [pick.pool for pick in mine] == [1, 1, 1, 1, 104]
    assert [pick.candidate.call_id for pick in mine[:4]] == [f"n1-1763798400.{n}" for n in (102, 104, 100, 101)]
    assert len({pick.candidate.call_id for pick in mine}) == FIRST_SAMPLING.per_agent
    assert [pick.candidate.login for pick in picks if pick not in mine] == ["wangqiang"], "few calls, few drawn"


def test_a_draw_can_be_repeated_and_explained() -> None:
    calls = [talk(n) for n in range(50)]
    picks = draw(calls, FIRST_SAMPLING, SEED, drawn={})
    assert draw(reversed(calls + calls), FIRST_SAMPLING, SEED, drawn={}) == picks, "whatever the order, and twice"
    # By hand: the five smallest of the lots.
    lots = sorted(hashlib.sha256(f"{SEED} {call.call_id} limei".encode()).hexdigest() for call in calls)
    assert [pick.lot for pick in picks] == lots[:5]
    assert draw(calls, FIRST_SAMPLING, "another week's", drawn={}) != picks


def test_what_was_drawn_before_counts_and_is_not_drawn_again() -> None:
    calls = [talk(n, talk_ms=900_000) for n in range(20)]
    first = draw(calls, FIRST_SAMPLING, SEED, drawn={})
    before = {(pick.candidate.call_id, "limei"): pick.stratum for pick in first}
    assert draw(calls, FIRST_SAMPLING, SEED, drawn=before) == []
    fewer = dict(list(before.items())[:2])
    again = draw(calls, FIRST_SAMPLING, SEED, drawn=fewer)
    assert len(again) == FIRST_SAMPLING.per_agent - 2
    assert not {pick.candidate.call_id for pick in again} & {call for call, _ in fewer}
    assert "long" not in {pick.stratum for pick in again}, "the long one is among what was drawn"


def test_confidential_calls_are_drawn_for_those_who_may_see_them_only() -> None:
    calls = [talk(n, confidential=n < 3) for n in range(5)]
    assert len(draw(calls, FIRST_SAMPLING, SEED, drawn={})) == 2
    picks = draw(calls, FIRST_SAMPLING, SEED, drawn={}, confidential=True)
    assert len(picks) == 5
    given = assign(picks, [Reviewer("wumin", False), Reviewer("sunli", True)], {"sunli": 90})
    assert {reviewer for pick, reviewer in given if pick.candidate.confidential} == {"sunli"}
    assert {reviewer for pick, reviewer in given if not pick.candidate.confidential} == {"wumin"}


def test_nobody_reviews_a_call_in_which_they_talked() -> None:
    calls = [talk(1, "sunli"), talk(2, parties=frozenset({"limei", "sunli"})), talk(3)]
    picks = draw(calls, FIRST_SAMPLING, SEED, drawn={})
    alone = {pick.candidate.call_id[-1]: who for pick, who in assign(picks, [Reviewer("sunli", True)], {})}
    assert alone == {"1": None, "2": None, "3": "sunli"}


def test_reviews_go_to_whoever_has_least_to_do() -> None:
    picks = draw([talk(n, f"agent{n // 5}") for n in range(50)], FIRST_SAMPLING, SEED, drawn={})
    given = assign(picks, [Reviewer("a", False), Reviewer("b", False), Reviewer("c", False)], {"a": 20})
    shares = [sum(who == each for _, who in given) for each in "abc"]
    assert shares == [4, 23, 23] or shares == [3, 23, 24] or shares == [3, 24, 23]


# --- grading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "score"),
    [
        ({}, "100.0"),
        ({"greeting": "partly"}, "97.5"),
        ({"greeting": "no", "tone": "no"}, "85.0"),
        ({"hold": "none"}, "100.0"),
        # 20 of the 100 points are out of the sum; 5 of the other 80 are lost.
        ({"answer": "none", "greeting": "no"}, "93.7"),
        ({"emergency": "none"}, "100.0"),
    ],
    ids=str,
)
def test_a_grade_is_the_weighted_mean_of_what_applies(changes: Mapping[str, str], score: str) -> None:
    found = grade(FIRST_FORM, BEST | changes, "")
    assert (found.score, found.weighted, found.fatal) == (Decimal(score), Decimal(score), ())


def test_a_critical_item_zeroes_the_grade() -> None:
    found = grade(FIRST_FORM, BEST | {"respect": "no", "greeting": "no"}, "骂人")
    assert (found.score, found.weighted, found.fatal) == (Decimal("0.0"), Decimal("95.0"), ("respect",))


def test_a_grade_below_the_mark_needs_a_reason() -> None:
    poor = BEST | {"greeting": "no", "tone": "no", "patience": "partly"}
    for note in ("", " \n"):
        with pytest.raises(Refused) as refusal:
            grade(FIRST_FORM, poor, note)
        assert refusal.value.fields == {"note": "必填 / required"}
    assert grade(FIRST_FORM, poor, "打断市民").score == Decimal("80.0")


def test_every_item_is_answered_on_its_own_scale() -> None:
    given = {code: answer for code, answer in BEST.items() if code != "tone"} | {"owner": "partly", "dress": "yes"}
    with pytest.raises(Refused) as refusal:
        grade(FIRST_FORM, given, "")
    assert set(refusal.value.fields) == {"answers.tone", "answers.owner", "answers.dress"}


def test_a_form_that_could_not_be_graded_is_refused() -> None:
    body = FIRST_FORM.model_dump()
    assert sum(item.weight for item in FIRST_FORM.items) == 100
    twice = body | {"sections": [body["sections"][0], body["sections"][0]]}
    all_optional = {"code": "a", "zh": "甲", "en": "A", "weight": 10, "scale": "three_or_none"}
    for wrong in (twice, body | {"sections": [{"code": "s", "zh": "甲", "en": "A", "items": [all_optional]}]}):
        with pytest.raises(ValidationError):
            Form.model_validate(wrong)


# --- the life of a review ---------------------------------------------------------------------------------------------

AT = datetime(2026, 11, 22, 8, tzinfo=UTC)
PEOPLE = {"agent": "limei", "colleague": "chenjing", "grader": "wumin", "another": "sunli"}


def review_in(state: State) -> Review:
    graders = frozenset() if state is State.TODO else frozenset({"wumin"})
    at = None if state is State.TODO else AT
    return Review(state, "limei", "wumin", frozenset({"limei", "chenjing"}), graders, at)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", ["grade", "appeal", "uphold", "change"])
def test_every_state_event_and_person(state: State, event: str) -> None:
    allowed = {By.REVIEWER: {"grader"}, By.AGENT: {"agent"}, By.ANOTHER: {"another"}}
    to = TRANSITIONS.get((state, event))
    for role, who in PEOPLE.items():
        if to is not None and role in allowed[to[1]]:
            assert advance(review_in(state), event, who=who, now=AT, appeal_days=5) is to[0]
        else:
            with pytest.raises(Refused):
                advance(review_in(state), event, who=who, now=AT, appeal_days=5)


def test_the_time_for_an_appeal_ends_to_the_second() -> None:
    graded = review_in(State.GRADED)
    last = AT + timedelta(days=5)
    assert advance(graded, "appeal", who="limei", now=last - timedelta(seconds=1), appeal_days=5) is State.APPEALED
    with pytest.raises(Refused, match="too_late"):
        advance(graded, "appeal", who="limei", now=last, appeal_days=5)
    with pytest.raises(Refused, match="not_now"):
        advance(replace(graded, calibration=True), "appeal", who="limei", now=AT, appeal_days=5)


# --- over HTTP --------------------------------------------------------------------------------------------------------

_calls = itertools.count(1)
TODAY = now()
MONDAY = week_of((TODAY + timedelta(hours=8)).date())


async def call(
    office: Office, *logins: str, talk_ms: int = 120_000, confidential: bool | None = None, satisfied: str | None = None
) -> str:
    """An answered call of this week in the ledger, talked by these people one after the other; its id.

    `confidential`: whether its order is; None for a call without an order.
    """
    call_id = f"n1-1763798400.{next(_calls)}"
    at = max(TODAY - timedelta(minutes=30), datetime.combine(MONDAY, datetime.min.time(), UTC) - timedelta(hours=7))
    ended = at + timedelta(milliseconds=talk_ms + 4_000)
    row = {
        "id": call_id, "node": "n1", "number": "13800001111", "dialed": "12345", "service": "unified",
        "arrived_at": at, "queued_at": at, "answered_at": at + timedelta(seconds=4), "ended_at": ended,
        "wait_ms": 4_000, "talk_ms": talk_ms, "outcome": "answered", "ended_by": "caller", "seat": "1001",
        "login": logins[0], "satisfied": satisfied,
        "surveyed_at": ended if satisfied else None, "source": "line", "rank": 3, "version": 1,
    }  # fmt: skip
    async with office.engine.begin() as connection:
        await connection.execute(insert(tables.calls).values(row))
        for n, login in enumerate(logins):
            segment = {
                "call_id": call_id, "n": n, "seat": "1001", "login": login, "queue": "citizen", "rung_at": at,
                "answered_at": at + timedelta(seconds=4), "ended_at": ended, "talk_ms": talk_ms,
                "how": "completed" if n == len(logins) - 1 else "transferred",
            }  # fmt: skip
            await connection.execute(insert(tables.segments).values(segment))
        if confidential is not None:
            n = next(_calls)
            order = {
                "id": f"00000000-0000-4000-8000-{n:012d}", "code": f"{261122000000 + n}7", "check_code": "1234",
                "call_id": call_id, "state": "answered", "kind": "consult", "urgency": "U3", "subject": "公积金提取",
                "created_by": logins[0], "created_at": ended, "updated_at": ended, "confidential": confidential,
                "contact_name": "王女士", "callback_number": "13812345678",
            }  # fmt: skip
            await connection.execute(insert(tables.orders).values(order))
    return call_id


def listed(answers: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"item": item, "answer": answer} for item, answer in answers.items()]


class Bureau:
    """The people of a running service, logged in."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self._browsers: dict[str, Browser] = {}

    async def ask(self, who: str, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        got, answer = await self.answer(who, method, path, body)
        assert got == status, f"{who} {method} {path}: {got} {answer}"
        return answer

    async def answer(self, who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        if who not in self._browsers:
            browser = self._browsers[who] = self.office.browser()
            password = next(each.password for each in self.office.demo.accounts if each.login == who)
            assert (await browser.log_in(who, password))[0] == 200
        return await self._browsers[who].ask(method, f"/api/v1/quality{path}", body)

    async def drawn(self, call_id: str) -> dict[str, Any]:
        """This week's draw, and the review of a call as its reviewer sees it in the list."""
        await self.ask("sunli", "POST", f"/weeks/{MONDAY}/draw")
        for who in ("wumin", "sunli"):
            for row in (await self.ask(who, "GET", "/reviews?mine=true"))["items"]:
                if row["call_id"] == call_id:
                    found: dict[str, Any] = row
                    return found
        raise AssertionError("not drawn")

    async def graded(self, call_id: str, **changes: str) -> dict[str, Any]:
        """A review that wumin has graded so."""
        row = await self.drawn(call_id)
        if row["reviewer"] != "wumin":
            await self.ask("wumin", "POST", f"/reviews/{row['id']}/take")
        body = {"form": "call", "version": 1, "answers": listed(BEST | changes), "note": "见录音"}
        found: dict[str, Any] = await self.ask("wumin", "POST", f"/reviews/{row['id']}/grade", body)
        return found

    async def rows(self, words: str) -> list[Any]:
        async with self.office.engine.connect() as connection:
            return list((await connection.execute(text(words))).mappings())


@pytest.fixture
async def bureau(own_office: Office) -> AsyncIterator[Bureau]:
    yield Bureau(own_office)


async def test_from_the_draw_to_the_decision_on_the_appeal(bureau: Bureau) -> None:
    call_id = await call(bureau.office, "limei", confidential=False)
    review = await bureau.graded(call_id, greeting="no", owner="no", tone="partly")
    number = review["id"]
    assert (review["state"], review["score"], review["may"]) == ("graded", 80.0, [])
    assert review["call"]["number"] == "138****1111"
    assert review["order"]["subject"] == "公积金提取"
    assert "13812345678" not in str(review) and "王女士" not in str(review)
    assert [each["event"] for each in review["history"]][-1] == "grade"

    mine = (await bureau.ask("limei", "GET", "/mine"))["items"]
    assert [(each["id"], each["score"]) for each in mine] == [(number, 80.0)]
    assert mine[0]["appeal_until"] is not None
    assert (await bureau.ask("limei", "GET", f"/mine/{number}"))["may"] == ["appeal"]
    told = await bureau.ask("limei", "POST", f"/mine/{number}/appeal", {"note": "开头语说了，听录音第 3 秒"})
    assert (told["state"], told["may"]) == ("appealed", [])
    answer = await bureau.ask("limei", "POST", f"/mine/{number}/appeal", {"note": "再次"}, 409)
    assert answer["error"]["code"] == "not_now"

    # The grader does not decide on the own grade, however it is asked for.
    assert "decide" not in (await bureau.ask("wumin", "GET", f"/reviews/{number}"))["may"]
    change = {"decision": "change", "note": "开头语完整", "answers": listed(BEST | {"owner": "no"})}
    answer = await bureau.ask("wumin", "POST", f"/reviews/{number}/decision", change, 409)
    assert answer["error"]["code"] == "not_yours"
    assert (await bureau.ask("sunli", "GET", f"/reviews/{number}"))["may"] == ["decide"]
    decided = await bureau.ask("sunli", "POST", f"/reviews/{number}/decision", change)
    assert (decided["state"], decided["score"]) == ("changed", 90.0)
    assert [(each["n"], each["score"], each["grader"]) for each in decided["grades"]] == [
        (1, 80.0, "wumin"),
        (2, 90.0, "sunli"),
    ]
    assert [each["event"] for each in decided["history"]][-3:] == ["grade", "appeal", "change"]
    assert [each["score"] for each in (await bureau.ask("limei", "GET", "/mine"))["items"]] == [90.0]
    acts = [row["act"] for row in await bureau.rows("SELECT act FROM audit ORDER BY id")]
    assert [act for act in acts if act != "take_review"] == [
        "draw_samples", "grade_call", "appeal_grade", "decide_grade_appeal",
    ]  # fmt: skip


async def test_an_appeal_that_is_refused_leaves_the_grade_and_the_reason(bureau: Bureau) -> None:
    number = (await bureau.graded(await call(bureau.office, "limei"), respect="no"))["id"]
    assert (await bureau.ask("limei", "GET", f"/mine/{number}"))["score"] == 0
    await bureau.ask("limei", "POST", f"/mine/{number}/appeal", {"note": "语气没有问题"})
    for wrong in (
        {"decision": "uphold", "note": "已核听", "answers": listed(BEST)},
        {"decision": "change", "note": "已核听"},
    ):
        await bureau.ask("sunli", "POST", f"/reviews/{number}/decision", wrong, 422)
    upheld = await bureau.ask("sunli", "POST", f"/reviews/{number}/decision", {"decision": "uphold", "note": "已核听"})
    assert (upheld["state"], upheld["score"], len(upheld["grades"])) == ("upheld", 0, 1)
    assert upheld["history"][-1]["note"] == "已核听"


async def test_nobody_rewrites_a_grade(bureau: Bureau) -> None:
    number = (await bureau.graded(await call(bureau.office, "limei")))["id"]
    again = {"form": "call", "version": 1, "answers": listed(BEST), "note": ""}
    await bureau.ask("wumin", "POST", f"/reviews/{number}/grade", again, 409)
    for words in (
        "UPDATE quality_grades SET score = 100",
        "DELETE FROM quality_grades",
        "TRUNCATE quality_grades",
        "UPDATE quality_history SET who = 'x'",
        "DELETE FROM quality_history",
        "UPDATE quality_forms SET body = '{}'",
        "DELETE FROM quality_weeks",
    ):
        with pytest.raises(DBAPIError, match="append-only"):
            async with bureau.office.engine.begin() as connection:
                await connection.execute(text(words))
    # The database itself knows that nobody grades themselves, nor decides on the own grade.
    for grader in ("limei", "wumin"):
        with pytest.raises(DBAPIError, match="another person"):
            async with bureau.office.engine.begin() as connection:
                await connection.execute(
                    text(
                        "INSERT INTO quality_grades SELECT review_id, 2, form, form_version, answers, note, score, "
                        f"weighted, fatal, '{grader}', at FROM quality_grades"
                    )
                )


async def test_an_agent_sees_the_own_grades_only(bureau: Bureau) -> None:
    number = (await bureau.graded(await call(bureau.office, "limei")))["id"]
    waiting = await bureau.drawn(await call(bureau.office, "wangqiang"))
    assert (await bureau.ask("wangqiang", "GET", "/mine"))["items"] == []
    for who, path in (
        ("wangqiang", f"/mine/{number}"),
        ("wangqiang", f"/mine/{waiting['id']}"),
        ("limei", "/mine/999"),
    ):
        assert (await bureau.ask(who, "GET", path, status=404))["error"]["code"] == "no_review"
    await bureau.ask("wangqiang", "POST", f"/mine/{number}/appeal", {"note": "不是我的"}, 404)
    for method, path in (
        ("GET", "/reviews"), ("GET", f"/reviews/{number}"), ("POST", f"/reviews/{number}/take"), ("GET", "/results"),
        ("POST", f"/reviews/{number}/grade"), ("POST", f"/reviews/{number}/decision"), ("GET", "/calibrations"),
        ("POST", f"/weeks/{MONDAY}/draw"), ("GET", f"/weeks/{MONDAY}"), ("POST", "/forms"), ("POST", "/rule"),
    ):  # fmt: skip
        await bureau.ask("limei", method, path, status=403)
    # An inspector draws and grades; the forms are the supervisor's.
    await bureau.ask("wumin", "GET", "/mine", status=403)
    await bureau.ask("wumin", "POST", "/forms", status=403)
    await bureau.ask("zhoukai", "GET", "/reviews", status=403)


async def test_who_was_not_satisfied_is_drawn_first_and_shown_with_the_call(bureau: Bureau) -> None:
    for n in range(8):
        await call(bureau.office, "limei", satisfied="satisfied" if n else "basically")
    call_id = await call(bureau.office, "limei", satisfied="dissatisfied")
    row = await bureau.drawn(call_id)
    assert row["stratum"] == "unsatisfied"
    shown = await bureau.ask(row["reviewer"], "GET", f"/reviews/{row['id']}")
    assert shown["call"]["survey"]["satisfied"] == "dissatisfied"
    assert shown["call"]["recording"] is None


async def test_a_supervisor_who_took_the_call_never_sees_its_review(bureau: Bureau) -> None:
    own, passed_on = await call(bureau.office, "sunli"), await call(bureau.office, "limei", "sunli")
    for call_id in (own, passed_on):
        row = await bureau.drawn(call_id)
        assert row["reviewer"] == "wumin"
        await bureau.ask("sunli", "GET", f"/reviews/{row['id']}", status=404)
        await bureau.ask("sunli", "POST", f"/reviews/{row['id']}/take", status=404)
    shown = {row["call_id"] for row in (await bureau.ask("sunli", "GET", "/reviews"))["items"]}
    assert not shown & {own, passed_on}


async def test_a_confidential_call_is_the_supervisors_alone(bureau: Bureau) -> None:
    secret, plain = await call(bureau.office, "limei", confidential=True), await call(bureau.office, "limei")
    assert (await bureau.ask("wumin", "POST", f"/weeks/{MONDAY}/draw"))["drawn"] == 1
    assert (await bureau.ask("sunli", "POST", f"/weeks/{MONDAY}/draw"))["drawn"] == 1
    row = await bureau.drawn(secret)
    assert row["reviewer"] == "sunli"
    await bureau.ask("wumin", "GET", f"/reviews/{row['id']}", status=404)
    assert {each["call_id"] for each in (await bureau.ask("wumin", "GET", "/reviews"))["items"]} == {plain}


async def test_a_week_tells_how_it_was_drawn(bureau: Bureau) -> None:
    calls = [await call(bureau.office, "limei", talk_ms=900_000 if n < 3 else 60_000) for n in range(9)]
    drawn = await bureau.ask("sunli", "POST", f"/weeks/{MONDAY + timedelta(days=2)}/draw")
    assert (drawn["week"], drawn["candidates"], drawn["drawn"], drawn["unassigned"]) == (str(MONDAY), 9, 5, 0)
    assert (await bureau.ask("sunli", "POST", f"/weeks/{MONDAY}/draw"))["drawn"] == 0, "twice is once"
    week = await bureau.ask("wumin", "GET", f"/weeks/{MONDAY}")
    lots = {hashlib.sha256(f"{week['seed']} {call_id} limei".encode()).hexdigest(): call_id for call_id in calls}
    assert all(lots[pick["lot"]] == pick["call_id"] for pick in week["picks"])
    long = min(lot for lot, call_id in lots.items() if call_id in calls[:3])
    assert [pick["lot"] for pick in week["picks"] if pick["stratum"] == "long"] == [long]
    rest = sorted(set(lots) - {long})[:4]
    assert [pick["lot"] for pick in week["picks"] if pick["stratum"] == "any"] == rest
    # A rule that is changed is for the weeks to come.
    rule = week["rule"]["rule"] | {"per_agent": 9}
    await bureau.ask("sunli", "POST", "/rule", {"rule": rule, "after": 1}, 201)
    await bureau.ask("sunli", "POST", "/rule", {"rule": rule, "after": 1}, 409)
    await bureau.ask("sunli", "POST", "/rule", {"rule": rule | {"per_agent": 1}, "after": 2}, 422)
    assert (await bureau.ask("sunli", "POST", f"/weeks/{MONDAY}/draw"))["drawn"] == 0
    await bureau.ask("sunli", "POST", f"/weeks/{MONDAY + timedelta(days=7)}/draw", status=422)


async def test_a_grade_keeps_the_version_of_its_form(bureau: Bureau) -> None:
    old = await bureau.graded(await call(bureau.office, "limei"), greeting="no")
    found = (await bureau.ask("sunli", "GET", "/forms"))["items"]
    assert [(each["form"]["code"], each["version"]) for each in found] == [("call", 1)]
    form = found[0]["form"]
    form["sections"][0]["items"][0] |= {"weight": 15, "zh": "开头语"}
    refused = await bureau.ask("sunli", "POST", "/forms", {"form": form, "after": 1}, 422)
    assert refused["error"]["zh"] == "各项分值合计须为 100，现为 110"
    form["sections"][0]["items"][2] |= {"weight": 0}
    assert (await bureau.ask("sunli", "POST", "/forms", {"form": form, "after": 1}, 201))["version"] == 2
    await bureau.ask("sunli", "POST", "/forms", {"form": form, "after": 1}, 409)
    await bureau.ask("sunli", "POST", "/forms", {"form": form, "after": 7}, 409)
    shown = await bureau.ask("limei", "GET", f"/mine/{old['id']}")
    assert (shown["form"]["version"], shown["form"]["form"]["sections"][0]["items"][0]["weight"]) == (1, 5)
    assert shown["score"] == 95.0
    # What is graded from now on is graded on the new one, and may still be on the old.
    row = await bureau.drawn(await call(bureau.office, "wangqiang"))
    assert (await bureau.ask(row["reviewer"], "GET", f"/reviews/{row['id']}"))["form"]["version"] == 2
    # A form of its own is offered beside it, until it is retired; the last one in use cannot be.
    short = {"code": "form_1", "zh": "快速质检表", "en": "Short form", "pass_at": 60, "sections": form["sections"]}
    assert (await bureau.ask("sunli", "POST", "/forms", {"form": short, "after": 0}, 201))["version"] == 1
    shown = await bureau.ask(row["reviewer"], "GET", f"/reviews/{row['id']}")
    assert [each["form"]["code"] for each in shown["forms"]] == ["call", "form_1"]
    assert (await bureau.ask("sunli", "POST", "/forms", {"form": short | {"retired": True}, "after": 1}, 201))[
        "version"
    ] == 2
    shown = await bureau.ask(row["reviewer"], "GET", f"/reviews/{row['id']}")
    assert [each["form"]["code"] for each in shown["forms"]] == ["call"]
    last = await bureau.ask("sunli", "POST", "/forms", {"form": form | {"retired": True}, "after": 2}, 409)
    assert last["error"]["code"] == "last_form"
    body = {"form": "form_1", "version": 1, "answers": listed(BEST), "note": ""}
    await bureau.ask(row["reviewer"], "POST", f"/reviews/{row['id']}/grade", body, 422)
    body = {"form": "call", "version": 9, "answers": listed(BEST), "note": ""}
    await bureau.ask(row["reviewer"], "POST", f"/reviews/{row['id']}/grade", body, 422)
    await bureau.ask(row["reviewer"], "POST", f"/reviews/{row['id']}/grade", body | {"version": 2})
    # Two who retire the last two at the same moment: one of them stays in use.
    await bureau.ask("sunli", "POST", "/forms", {"form": short, "after": 2}, 201)
    retired = ({"form": form | {"retired": True}, "after": 2}, {"form": short | {"retired": True}, "after": 3})
    answers = await asyncio.gather(*(bureau.answer("sunli", "POST", "/forms", body) for body in retired))
    assert sorted(status for status, _ in answers) == [201, 409]


async def test_two_grade_the_same_call_blind_and_the_difference_is_shown(bureau: Bureau) -> None:
    call_id = await call(bureau.office, "limei")
    body = {"call_id": call_id, "login": "limei", "reviewers": ["wumin", "sunli"]}
    for wrong in (["wumin", "wumin"], ["wumin", "chenjing"]):
        await bureau.ask("sunli", "POST", "/calibrations", body | {"reviewers": wrong}, 422)
    await bureau.ask("sunli", "POST", "/calibrations", body | {"login": "chenjing"}, 404)
    assert (await bureau.ask("sunli", "POST", "/calibrations", body, 201))["drawn"] == 2
    own = {
        who: next(row["id"] for row in (await bureau.ask(who, "GET", "/reviews"))["items"] if row["calibration"])
        for who in ("wumin", "sunli")
    }
    assert own["wumin"] != own["sunli"]
    given = {"form": "call", "version": 1, "answers": listed(BEST | {"tone": "partly", "greeting": "no"}), "note": ""}
    await bureau.ask("wumin", "POST", f"/reviews/{own['wumin']}/grade", given)
    await bureau.ask("sunli", "GET", f"/reviews/{own['wumin']}", status=404)
    shown = (await bureau.ask("sunli", "GET", "/calibrations"))["items"][0]
    assert [(each["graded"], each["score"], each["answers"]) for each in shown["graders"]].count((True, None, [])) == 1
    assert (shown["spread"], shown["differ"]) == (None, [])
    await bureau.ask(
        "sunli", "POST", f"/reviews/{own['sunli']}/grade", given | {"answers": listed(BEST | {"tone": "partly"})}
    )
    shown = (await bureau.ask("wumin", "GET", "/calibrations"))["items"][0]
    assert (shown["spread"], shown["differ"]) == (5.0, ["greeting"])
    # It is about the graders: neither the agent nor the results hear of it.
    assert (await bureau.ask("limei", "GET", "/mine"))["items"] == []
    assert (await bureau.ask("sunli", "GET", "/results"))["agents"] == []


async def test_results_by_agent_and_item_week_by_week(bureau: Bureau) -> None:
    await bureau.graded(await call(bureau.office, "limei"), greeting="no")
    number = (await bureau.graded(await call(bureau.office, "limei"), respect="no"))["id"]
    await bureau.graded(await call(bureau.office, "wangqiang"), greeting="partly", hold="none")
    found = await bureau.ask("wumin", "GET", "/results?weeks=4")
    assert found["weeks"] == [str(MONDAY - timedelta(weeks=back)) for back in (3, 2, 1, 0)]
    assert [(row["login"], row["graded"], row["score"], row["fatal"]) for row in found["agents"]] == [
        ("limei", 2, 47.5, 1),
        ("wangqiang", 1, 97.3, 0),
    ]
    shares = {row["item"]: (row["share"], row["n"]) for row in found["items"]}
    assert shares["greeting"] == (50.0, 3)
    assert shares["hold"] == (100.0, 2), "what does not apply does not count"
    one = await bureau.ask("wumin", "GET", "/results?weeks=4&login=limei")
    assert {row["item"]: row["share"] for row in one["items"]}["greeting"] == 50.0
    # A grade that was changed counts as changed.
    await bureau.ask("limei", "POST", f"/mine/{number}/appeal", {"note": "请复核"})
    change = {"decision": "change", "note": "误判", "answers": listed(BEST)}
    await bureau.ask("sunli", "POST", f"/reviews/{number}/decision", change)
    found = await bureau.ask("wumin", "GET", "/results?weeks=1")
    assert [row["score"] for row in found["agents"]] == [97.5, 97.3]


def test_scales_are_worth_what_they_say() -> None:
    assert all(set(scale.values()) <= {0, 50, 100, None} and scale["yes"] == 100 for scale in SCALES.values())
    assert MONDAY.weekday() == 0 and week_of(date(2026, 11, 22)) == date(2026, 11, 16)
