"""The roster and the plan: R7 by its rule, by its doors, and in the city's own time zone."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from office import Browser, Office
from sqlalchemy import select, text

from agents.forecast import SLOTS, Kind
from agents.queues import POOL
from callcenter.calendars.places import working_days
from callcenter.staffing import flow, queries
from callcenter.staffing.cli import load, made_up
from callcenter.staffing.flow import Gap, Shift
from callcenter.staffing.routes import PAST
from callcenter.standalone import CannotStart
from callcenter.store.tables import audit

SHANGHAI = ZoneInfo("Asia/Shanghai")
TODAY = datetime.now(UTC).astimezone(SHANGHAI).date()
DAY = timedelta(days=1)


def at(hour: float, day: int = 0) -> datetime:
    return datetime(2026, 3, 2, tzinfo=UTC) + timedelta(days=day, hours=hour)


def shift(login: str, start: float, end: float) -> Shift:
    return Shift(login, at(start), at(end))


# --- rules ------------------------------------------------------------------------------------------------------------


#: Two who serve every queue, and one who speaks no English.
SERVES = {"a": POOL, "b": POOL, "c": ("citizen", "enterprise")}


def test_any_time_without_a_person_is_a_gap() -> None:
    night, day = shift("a", 0, 3), shift("b", 4, 24)
    assert flow.gaps([day, night], at(0), at(24), SERVES) == [Gap(at(3), at(4), POOL)]
    assert flow.gaps([day, night, shift("b", 2, 5)], at(0), at(24), SERVES) == []
    assert flow.gaps([], at(0), at(24), SERVES) == [Gap(at(0), at(24), POOL)]
    assert flow.gaps([shift("a", -5, 30)], at(0), at(24), SERVES) == []
    assert flow.gaps([shift("a", 1, 2)], at(0), at(3), SERVES) == [Gap(at(0), at(1), POOL), Gap(at(2), at(3), POOL)]


def test_a_queue_without_a_person_who_serves_it_is_a_gap() -> None:
    english = shift("b", 4, 6)._replace(queue="english")
    found = flow.gaps([shift("a", 0, 3), shift("c", 2, 8), english], at(0), at(8), SERVES)
    assert found == [Gap(at(3), at(4), ("english",)), Gap(at(6), at(8), ("english",))]
    # Who is on duty for one queue alone is there for no other; who has left the house is there for none.
    assert flow.gaps([english], at(4), at(6), SERVES) == [Gap(at(4), at(6), ("citizen", "enterprise"))]
    assert flow.gaps([shift("gone", 0, 8)], at(0), at(8), SERVES) == [Gap(at(0), at(8), POOL)]


QUARTERS = st.tuples(st.integers(-8, 104), st.integers(1, 48)).map(lambda p: shift("a", p[0] / 4, (p[0] + p[1]) / 4))


@given(st.lists(QUARTERS, max_size=8))
def test_gaps_and_people_on_duty_are_two_sides_of_one_thing(shifts: list[Shift]) -> None:
    slots = [at(n / 4) for n in range(96)]
    count = flow.on_duty(shifts, slots)
    empty = [Gap(slot, slot + flow.SLOT, POOL) for slot, people in zip(slots, count, strict=True) if people == 0]
    found = flow.gaps(shifts, at(0), at(24), {"a": POOL})
    assert all(any(gap.start <= each.start and each.end <= gap.end for gap in found) for each in empty)
    assert sum((gap.end - gap.start for gap in found), timedelta()) == flow.SLOT * len(empty)


def test_a_slot_counts_who_is_there_all_along() -> None:
    # One leaves at 8:05, another comes at 8:10: between them nobody sits there.
    assert flow.on_duty([shift("a", 0, 8 + 1 / 12), shift("b", 8 + 1 / 6, 20)], [at(8), at(9)]) == [0, 1]
    assert flow.on_duty([shift("a", 0, 8.1), shift("b", 8.1, 20)], [at(8)]) == [1]


def test_nobody_is_in_two_places_nor_on_duty_for_a_day() -> None:
    assert flow.clash([shift("a", 0, 8), shift("a", 8, 12), shift("b", 0, 12)]) is None
    assert flow.clash([shift("a", 0, 8), shift("a", 7, 12)]) == shift("a", 7, 12)
    assert flow.clash([shift("a", 0, 17)]) == shift("a", 0, 17)


def test_a_shift_over_midnight_and_over_a_change_of_clocks() -> None:
    night = flow.shift_of("a", date(2026, 3, 2), "22:00", "06:00", None, SHANGHAI)
    assert (night.starts_at, night.ends_at) == (at(14), at(22))
    berlin = ZoneInfo("Europe/Berlin")  # 29 March 2026: clocks go from 2 to 3
    short = flow.shift_of("a", date(2026, 3, 28), "22:00", "06:00", None, berlin)
    assert short.ends_at - short.starts_at == timedelta(hours=7)


def test_the_kind_of_a_day() -> None:
    off = frozenset(date(2026, 10, n) for n in range(1, 8))
    made = frozenset({date(2026, 10, 10)})
    kinds = {n: flow.kind_of(date(2026, 10, n), off, made) for n in (1, 8, 9, 10, 11, 12)}
    assert kinds == {
        1: Kind.HOLIDAY,
        8: Kind.AFTER,
        9: Kind.WORKDAY,
        10: Kind.MAKEUP,
        11: Kind.REST,
        12: Kind.WORKDAY,
    }


def test_seats_needed_in_a_quarter_are_those_of_its_hour() -> None:
    assert flow.needs(150, 210) == (41, 43, 45)
    assert flow.needs(0, 210) == (1, 1, 1), "never nobody (R7)"


def test_made_up_arrivals_are_the_same_each_time_and_end_now(office: Office) -> None:
    noon = datetime(2026, 3, 4, 4, 7, tzinfo=UTC)  # 12:07 in Shanghai
    rows = made_up(14, noon, working_days(SHANGHAI), office.settings)
    assert rows == made_up(14, noon, working_days(SHANGHAI), office.settings)
    assert max(moment for moment, _ in rows) == datetime(2026, 3, 4, 3, 45, tzinfo=UTC)
    assert len(rows) == 14 * SLOTS + 48
    assert 14 * 1_000 < sum(calls for _, calls in rows) < 15 * 2_000


# --- doors ------------------------------------------------------------------------------------------------------------


async def put(browser: Browser, day: date, version: int, *shifts: tuple[str, str, str]) -> tuple[int, Any]:
    given = [{"login": login, "start": start, "end": end} for login, start, end in shifts]
    return await browser.ask("PUT", f"/api/v1/roster/days/{day}", {"version": version, "shifts": given})


FULL = (("limei", "00:00", "08:00"), ("wangqiang", "08:00", "16:00"), ("chenjing", "16:00", "00:00"))


async def test_a_roster_with_a_gap_at_three_in_the_morning_is_refused(own_office: Office) -> None:
    """domain.md R7: its own test."""
    leader = await own_office.logged_in("supervisor")
    day = TODAY + 2 * DAY
    holed = (("limei", "00:00", "03:00"), ("zhaolei", "04:00", "08:00"), *FULL[1:])
    status, answer = await put(leader, day, 0, *holed)
    assert (status, answer["version"], answer["published"]) == (200, 1, False)
    three = datetime(day.year, day.month, day.day, 3, tzinfo=SHANGHAI)
    _, answer = await leader.ask("GET", f"/api/v1/roster/gaps?start={day}&days=1")
    hole = {"start": three.astimezone(UTC), "end": (three + timedelta(hours=1)).astimezone(UTC)}
    (gap,) = answer["items"]
    assert gap.pop("queues") == list(POOL)
    assert {k: datetime.fromisoformat(v) for k, v in gap.items()} == hole
    status, answer = await leader.ask("POST", "/api/v1/roster/publish", {"start": str(day), "days": 1})
    assert (status, answer["error"]["code"]) == (409, "roster_has_gaps")
    assert answer["error"]["fields"] == {f"{day} 03:00": f"{day} 04:00"}
    # Filled, but in the night by somebody who speaks no English: that is a gap, too.
    assert (await put(leader, day, 1, *FULL))[0] == 200
    levels = [{"queue": queue, "level": 1} for queue in POOL]
    assert (await leader.ask("PUT", "/api/v1/routing/people/limei", {"levels": levels[:2]}))[0] == 200
    status, answer = await leader.ask("POST", "/api/v1/roster/publish", {"start": str(day), "days": 1})
    assert (status, answer["error"]["fields"]) == (409, {f"{day} 00:00": f"{day} 08:00 英语 / English"})
    assert (await leader.ask("PUT", "/api/v1/routing/people/limei", {"levels": levels}))[0] == 200
    # With everybody served it holds.
    assert (await leader.ask("POST", "/api/v1/roster/publish", {"start": str(day), "days": 1}))[0] == 200
    _, answer = await leader.ask("GET", f"/api/v1/roster/gaps?start={day}&days=1&published=true")
    assert answer == {"items": []}
    # A change afterwards is a plan until it is published: what holds stays whole.
    _, answer = await put(leader, day, 2, *FULL[:2])
    assert answer["published"] is False
    assert (await leader.ask("GET", f"/api/v1/roster/gaps?start={day}&days=1&published=true"))[1] == {"items": []}
    assert len((await leader.ask("GET", f"/api/v1/roster/gaps?start={day}&days=1"))[1]["items"]) == 1
    async with own_office.engine.connect() as connection:
        acts = (await connection.execute(select(audit.c.act, audit.c.what).order_by(audit.c.id))).all()
    roster = [(row.act, row.what) for row in acts if "roster" in row.act]
    assert [act for act, _ in roster] == ["change_roster", "change_roster", "publish_roster", "change_roster"]
    assert roster[-1][1]["removed"] == [{"login": "chenjing", "start": "16:00", "end": "00:00", "queue": None}]


async def test_the_night_shift_of_the_day_before_closes_the_morning(own_office: Office) -> None:
    leader = await own_office.logged_in("supervisor")
    day = TODAY + 5 * DAY
    await put(leader, day, 0, *FULL[:2], ("chenjing", "16:00", "02:00"))
    await put(leader, day + DAY, 0, ("limei", "02:00", "08:00"), *FULL[1:])
    assert (await leader.ask("GET", f"/api/v1/roster/gaps?start={day}&days=2"))[1] == {"items": []}
    # Only what is published closes it: published alone, the second day has a hole.
    status, _ = await leader.ask("POST", "/api/v1/roster/publish", {"start": str(day + DAY), "days": 1})
    assert status == 409
    assert (await leader.ask("POST", "/api/v1/roster/publish", {"start": str(day), "days": 2}))[0] == 200
    status, roster = await leader.ask("GET", f"/api/v1/roster?start={day}&days=2")
    assert [each["published"] for each in roster["days"]] == [True, True]
    assert {person["login"] for person in roster["people"]} >= {"limei", "sunli"}
    assert "zhoukai" not in {person["login"] for person in roster["people"]}, "who takes no calls is not rostered"


async def test_two_who_plan_the_same_day(own_office: Office) -> None:
    leader = await own_office.logged_in("supervisor")
    day = TODAY + 3 * DAY
    assert (await put(leader, day, 0, *FULL))[0] == 200
    status, answer = await put(leader, day, 0, *FULL[:1])
    assert (status, answer["error"]["code"]) == (409, "roster_changed")
    assert (await put(leader, day, 1, *FULL[:1]))[1]["version"] == 2
    for wrong in (("nobody", "08:00", "09:00"), ("zhoukai", "08:00", "09:00"), ("limei", "08:00", "07:00")):
        status, answer = await put(leader, day, 2, wrong)
        assert status == 422, wrong
    assert (await put(leader, day, 2, ("limei", "08:00", "12:00"), ("limei", "11:00", "13:00")))[0] == 422
    assert (await put(leader, day, 2, ("limei", "8:00", "12:00")))[0] == 422
    assert (await put(leader, TODAY + 900 * DAY, 0, *FULL))[0] == 422
    for far in ("9999-12-31", "0001-01-01"):
        assert (await leader.ask("POST", "/api/v1/roster/publish", {"start": far, "days": 31}))[0] == 422
        assert (await leader.ask("GET", f"/api/v1/staffing?start={far}&days=2"))[0] == 422
        assert (await leader.ask("GET", f"/api/v1/roster/gaps?start={far}&days=2"))[0] == 422


async def test_who_should_be_here_and_is_not(own_office: Office) -> None:
    leader = await own_office.logged_in("supervisor")
    for day, version in ((TODAY - DAY, 0), (TODAY, 0)):
        assert (await put(leader, day, version, *FULL))[0] == 200
    assert (await leader.ask("POST", "/api/v1/roster/publish", {"start": str(TODAY - DAY), "days": 2}))[0] == 200
    status, answer = await leader.ask("GET", "/api/v1/roster/now")
    assert status == 200
    assert [row["seat"] for row in answer["rostered"]] == [None]
    assert answer["rostered"][0]["login"] in {"limei", "wangqiang", "chenjing"}
    assert answer["unknown"], "there is no Asterisk in this test"


async def test_without_history_the_page_says_so_and_with_it_the_plan_is_there(own_office: Office) -> None:
    leader = await own_office.logged_in("supervisor")
    status, empty = await leader.ask("GET", f"/api/v1/staffing?start={TODAY}&days=1")
    assert status == 200
    assert (empty["history_days"], empty["history_demo"], empty["today"]) == (0, False, None)
    assert {slot["expected"] for slot in empty["days"][0]["slots"]} == {None}
    assert empty["handling"] == {"talk": 150.0, "wrap_up": 60.0, "assumed": True}

    now = datetime.now(UTC)
    rows = made_up(35, now, working_days(SHANGHAI), own_office.settings)
    async with own_office.engine.begin() as connection:
        await queries.load_arrivals(connection, "demo", rows)
        await connection.execute(
            text(
                "INSERT INTO calls (id, node, arrived_at, ended_at, outcome, source, rank, version)"
                " SELECT 'n1-' || n || '.1', 'n1', :at, :at, 'answered', 'line', 3, 1 FROM generate_series(1, 40) n"
            ),
            {"at": datetime.combine(TODAY - 2 * DAY, datetime.min.time(), SHANGHAI) + timedelta(hours=9, minutes=29)},
        )
        found = await queries.history(connection, SHANGHAI, TODAY - 40 * DAY, TODAY)
    loaded = made_up(35, now, working_days(SHANGHAI), own_office.settings)
    nine = datetime.combine(TODAY - 2 * DAY, datetime.min.time(), SHANGHAI) + timedelta(hours=9, minutes=15)
    assert found.demo
    assert found.days[TODAY - 2 * DAY][37] == dict(loaded)[nine.astimezone(UTC)] + 40, "local time, and both sources"

    own_office.app[PAST].at = None
    status, staffing = await leader.ask("GET", f"/api/v1/staffing?start={TODAY}&days=2")
    assert status == 200
    assert (staffing["history_days"], staffing["history_demo"]) == (34, True), "the first day may be cut short"
    first, second = (day["slots"] for day in staffing["days"])
    assert len(first) == len(second) == SLOTS
    assert all(slot["expected"] > 0 and slot["actual"] is None for slot in second)
    busiest = max(second, key=lambda slot: slot["expected"])
    assert busiest["needs"] == sorted(busiest["needs"]) and busiest["needs"][1] > busiest["expected"] * 4 * 210 / 3600
    assert all(slot["needs"][0] >= 1 and slot["rostered"] == slot["drafted"] == 0 for slot in second)
    today = staffing["today"]
    assert today["arrived"] == sum(slot["actual"] or 0 for slot in first)


async def test_what_if_tells_the_same_calls_with_and_without_the_guard(own_office: Office) -> None:
    leader = await own_office.logged_in("supervisor")
    status, found = await leader.ask("GET", "/api/v1/staffing/what-if?calls=600&agents=40&patience=120")
    assert status == 200
    assert found["calls"] > 1_000 and found["handling"] == {"talk": 150.0, "wrap_up": 60.0, "assumed": True}
    assert 0.7 < found["without"]["in_time"] < found["guarded"]["in_time"] <= 1
    assert found["without"]["called_back"] == 0
    # With hardly anybody there nobody is in time, and it still answers soon: fewer calls are drawn.
    status, few = await leader.ask("GET", "/api/v1/staffing/what-if?calls=5000&agents=1&patience=1800")
    assert status == 200 and few["guarded"]["in_time"] < 0.05
    assert (await leader.ask("GET", "/api/v1/staffing/what-if?calls=600&agents=0&patience=120"))[0] == 422
    assert (await (await own_office.logged_in("operator")).ask("GET", "/api/v1/staffing/what-if"))[0] in {403, 422}


async def test_made_up_arrivals_are_for_the_demo_only(own_office: Office, tmp_path: Any) -> None:
    real = own_office.settings.model_copy(update={"demo": False, "home": tmp_path / "real"})
    with pytest.raises(CannotStart, match="demo only"):
        load(real, 30)
