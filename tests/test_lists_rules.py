"""The rules of inboxes, suggestions and exports, without a database."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from callcenter.calendars.places import office_hours, working_days
from callcenter.dispatch.flow import Known, Precedent, Ranked, Similar, is_sure, near, rank
from callcenter.inboxes.flow import Left, left, task
from callcenter.register.flow import BULK, COLUMNS, cells, headings, safe
from callcenter.register.sheets import Csv
from callcenter.workorders.deadlines import POLICIES, Rules
from callcenter.workorders.flow import TABLE
from callcenter.workorders.order import State, Who

ZONE = ZoneInfo("Asia/Shanghai")
DAYS = working_days(ZONE)
RULES = Rules(1, POLICIES, DAYS, office_hours(DAYS))
#: A Monday.
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=ZONE)


# --- the time that counts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "due", "told"),
    [
        ("minute", NOW + timedelta(minutes=12), Left(12, "minute", False)),
        ("hour", NOW - timedelta(minutes=90), Left(90, "minute", True)),
        # Ends with Monday, with Friday, with next Monday: the weekend does not count.
        ("working_day", datetime(2026, 11, 24, 0, 0, tzinfo=ZONE), Left(0, "working_day", False)),
        ("working_day", datetime(2026, 11, 28, 0, 0, tzinfo=ZONE), Left(4, "working_day", False)),
        ("working_day", datetime(2026, 12, 1, 0, 0, tzinfo=ZONE), Left(5, "working_day", False)),
        ("working_day", datetime(2026, 11, 21, 0, 0, tzinfo=ZONE), Left(1, "working_day", True)),
        ("day", datetime(2026, 12, 1, 0, 0, tzinfo=ZONE), Left(7, "day", False)),
        # 10:00 to 12:00 and from 14:00 of office hours, as the demo city has them.
        ("working_hour", datetime(2026, 11, 23, 11, 30, tzinfo=ZONE), Left(90, "working_minute", False)),
    ],
)
def test_the_time_that_is_left_is_the_time_that_counts(unit: str, due: datetime, told: Left) -> None:
    assert left(unit, due, NOW, RULES) == told


def test_what_was_due_long_ago_is_counted_no_further_than_a_year_and_a_bit() -> None:
    assert left("working_day", NOW - timedelta(days=9000), NOW, RULES).amount < 300


# --- what is asked ----------------------------------------------------------------------------------------------------

PROPOSAL = {"event": "reply", "login": "tangjun"}
ASKED = {"extension_request": "asked"}


@pytest.mark.parametrize(
    ("state", "proposal", "machines", "who", "told"),
    [
        (State.PENDING_DISPATCH, None, {}, Who("a", frozenset({"dispatcher"})), "dispatch"),
        (State.DISPATCHED, None, {}, Who("a", frozenset({"liaison"}), "D29"), "sign"),
        (State.IN_PROGRESS, PROPOSAL, {}, Who("a", frozenset({"unit_leader"}), "D29"), "confirm"),
        (State.IN_PROGRESS, PROPOSAL, {}, Who("tangjun", frozenset({"handler"}), "D29"), "await_second"),
        (State.IN_PROGRESS, None, ASKED, Who("a", frozenset({"supervisor"})), "decide_extension"),
        (State.IN_PROGRESS, None, {"supervision": "issued"}, Who("a", frozenset({"liaison"}), "D29"), "sign_card"),
        (State.IN_PROGRESS, None, {}, Who("a", frozenset({"liaison"}), "D01"), "help"),
        (State.IN_PROGRESS, None, {}, Who("a", frozenset({"follow_up"})), "watch"),
        (State.REHANDLE, None, {}, Who("a", frozenset({"handler"}), "D29"), "rehandle"),
    ],
)  # fmt: skip
def test_what_an_order_asks_for(
    state: State, proposal: dict[str, Any] | None, machines: dict[str, str], who: Who, told: str
) -> None:
    assert task(state, "D29", proposal, machines, who) == told


# --- the suggestion ---------------------------------------------------------------------------------------------------


def units(ranked: list[Ranked]) -> list[str]:
    return [each.unit for each in ranked]


def test_the_list_of_duties_alone_is_enough_to_suggest() -> None:
    (only,) = rank(Known(rule=("D29", ("D08",))))
    assert (only.unit, only.co, [each.kind for each in only.reasons]) == ("D29", ("D08",), ["rule"])
    assert is_sure([only])
    assert rank(Known(rule=None)) == []
    assert not is_sure([])


def test_a_ruling_in_the_same_street_goes_before_the_list_one_elsewhere_does_not() -> None:
    here, there = (rank(Known(("D29", ()), precedents=[Precedent("1", "D08", ("D29",), n)])) for n in (2, 0))
    assert units(here) == ["D08", "D29"]
    assert (here[0].co, here[0].reasons[0].codes) == (("D29",), ("1",))
    assert units(there) == ["D29", "D08"]
    assert not is_sure(here), "two reasons against each other are for a person"


def test_several_alike_orders_outweigh_nothing_but_doubt() -> None:
    alike = [Similar(str(n), "D08", 0.7, 2) for n in range(4)]
    ranked = rank(Known(("D29", ()), similar=alike))
    assert units(ranked) == ["D29", "D08"]
    assert ranked[1].points == 40
    # With the list on their side they make it sure; one faint likeness says little.
    assert is_sure(rank(Known(("D08", ()), similar=alike)))
    faint = rank(Known(None, similar=[Similar("1", "D08", 0.2, 0)]))
    assert 0 < faint[0].points <= 5


def test_who_has_returned_it_stands_last_and_whom_they_named_first() -> None:
    ranked = rank(Known(("D29", ()), named=["D08"], refused=["D29"], similar=[Similar("1", "D29", 1.0, 2)]))
    assert units(ranked) == ["D08", "D29"]
    assert [each.kind for each in ranked[1].reasons] == ["refused", "rule", "similar"]


def test_a_ruling_on_this_very_order_beats_everything() -> None:
    precedents = [Precedent(str(n), "D08", (), 2) for n in range(9)]
    assert units(rank(Known(("D29", ()), bound="D17", precedents=precedents)))[0] == "D17"


def test_what_is_near() -> None:
    parents = {"R0101": "R01", "R0102": "R01", "R0201": "R02"}
    assert [near("R0101", other, parents) for other in ("R0101", "R0102", "R01", "R0201", "")] == [2, 1, 1, 0, 0]


# --- sheets -----------------------------------------------------------------------------------------------------------

ROW: dict[str, Any] = dict.fromkeys([name for name, *_ in COLUMNS], "") | {
    "code": "2611230000015",
    "state": "closed",
    "kind": "complaint",
    "category": "0101",
    "urgency": "U3",
    "subject": "=HYPERLINK(\"http://evil\")",
    "description": "请回电13812345678\n谢谢",
    "department": "D29",
    "region": "R0101",
    "created_at": NOW,
    "due_at": None,
    "urge_level": 3,
    "closing": "satisfied",
    "contact_name": "王女士",
    "callback_number": "13812345678",
}  # fmt: skip


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1+1", "－1"])
def test_no_cell_of_a_csv_is_a_formula(text: str) -> None:
    assert safe(text) == f"'{text}"
    assert safe(f"a{text}") == f"a{text}"


def test_an_order_as_a_line_with_numbers_masked_everywhere() -> None:
    line = dict(zip(headings("zh"), cells(ROW, "zh", ZONE, reveal=False), strict=True))
    assert (line["状态"], line["诉求类型"], line["办结方式"], line["登记时间"]) == (
        "办结",
        "投诉",
        "满意",
        "2026-11-23 10:00",
    )
    assert (line["回电号码"], line["联系人"], line["内容"]) == ("138****5678", "王**", "请回电138****5678\n谢谢")
    open_line = cells(ROW, "en", ZONE, reveal=True)
    assert "13812345678" in open_line
    sheet = Csv()
    sheet.add(open_line)
    assert sheet.take().decode().startswith("\ufeff2611230000015,")
    sheet.add(open_line)
    assert "'=HYPERLINK" in sheet.take().decode()


def test_nothing_that_takes_two_persons_is_done_for_many() -> None:
    assert set(BULK) <= {event for _, event in TABLE}
    assert not [row for (_, event), row in TABLE.items() if event in BULK and row.second]
