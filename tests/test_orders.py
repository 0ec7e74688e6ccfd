"""Codes of orders and the order form: the rules, without a database."""

import string
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.api import Problem
from callcenter.workorders.codes import check_character, check_code, is_order_code, order_code
from callcenter.workorders.form import OrderForm, finish
from callcenter.workorders.order import State, Who
from callcenter.workorders.policies import Policies

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
RULES = Policies(ZoneInfo("Asia/Shanghai")).release
OPERATOR = Who("limei", frozenset({"operator"}))
FORM = OrderForm(
    kind="complaint",
    category="0101",
    urgency="U3",
    subject="占道经营",
    description="每晚八点后摆摊\n堵住人行道",
    place="南园路",
    region="R0101",
    contact_name="王女士",
    callback_number="13812345678",
    confidential=False,
)


def form(**changes: object) -> OrderForm:
    return FORM.model_copy(update=changes)


# --- codes ------------------------------------------------------------------------------------------------------------


def test_check_character_of_the_standard() -> None:
    # The example of the GRid standard, which uses the same check: A1-2425G-ABC1234002-M.
    assert check_character("A12425GABC1234002") == "M"


def test_code_is_the_day_the_number_and_a_check() -> None:
    code = order_code(date(2026, 11, 22), 17)
    assert code[:-1] == "261122000017"
    assert is_order_code(code)


codes = st.builds(order_code, st.dates(date(2000, 1, 1), date(2099, 12, 31)), st.integers(1, 999_999))


@given(codes, st.integers(0, 12), st.sampled_from(string.digits + string.ascii_uppercase))
def test_every_wrong_character_is_found(code: str, place: int, wrong: str) -> None:
    assert is_order_code(code[:place] + wrong + code[place + 1 :]) == (wrong == code[place])


def test_nearly_every_swap_of_neighbours_is_found() -> None:
    found = missed = 0
    for number in range(1, 999_999, 331):
        code = order_code(date(2026, 11, 22), number)
        for place in range(11):
            swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
            if swapped != code:
                found, missed = found + (not is_order_code(swapped)), missed + is_order_code(swapped)
    assert missed / (found + missed) < 0.01


@pytest.mark.parametrize(
    "text", ["", "26112200001", "２６１１２２００００１７X", "261122000017", "a61122000017X", "1" * 100_000]
)
def test_what_is_no_code(text: str) -> None:
    assert not is_order_code(text)


def test_check_codes_are_four_digits() -> None:
    made = {check_code() for _ in range(200)}
    assert len(made) > 150
    assert all(len(code) == 4 and code.isdigit() for code in made)


# --- the form ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["complaint", "suggestion", "criticism", "help", "report"])
def test_what_someone_must_look_into_cannot_be_answered_at_once(kind: str) -> None:
    with pytest.raises(Problem) as refusal:
        finish(form(kind=kind), State.ANSWERED, {}, OPERATOR, NOW, RULES)
    assert (refusal.value.status, refusal.value.code) == (422, "must_be_dispatched")
    assert set(refusal.value.fields or ()) == {"kind"}
    sent = finish(form(kind=kind), State.PENDING_DISPATCH, {}, OPERATOR, NOW, RULES)
    assert sent.order.state is State.PENDING_DISPATCH


@pytest.mark.parametrize("kind", ["consult", "handle", "praise"])
def test_what_can_be_answered_at_once(kind: str) -> None:
    plain = form(kind=kind, category="", description="", place="", region="", contact_name="", callback_number="")
    assert finish(plain, State.ANSWERED, {}, OPERATOR, NOW, RULES).order.state is State.ANSWERED


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"subject": " "}, {"subject"}),
        ({"kind": "", "urgency": "", "category": ""}, {"kind", "urgency", "category"}),
        ({"kind": "nonsense"}, {"kind"}),
        ({"category": "01"}, {"category"}),  # a class is no leaf
        ({"region": "R99", "urgency": "U9"}, {"region", "urgency"}),
    ],
)
def test_each_wrong_field_is_named(changes: dict[str, str], fields: set[str]) -> None:
    with pytest.raises(Problem) as refusal:
        finish(form(**changes), State.PENDING_DISPATCH, {}, OPERATOR, NOW, RULES)
    assert refusal.value.status == 422
    assert set(refusal.value.fields or ()) == fields


@pytest.mark.parametrize(
    ("end", "fields"),
    [
        (State.NOT_ACCEPTED, {"refuse_reason", "other_way"}),
        (State.TRANSFERRED_OUT, {"handed_to", "reason"}),
        (State.INVALID, {"reason"}),
    ],
)
def test_nobody_is_told_to_call_elsewhere_without_a_written_reason(end: State, fields: set[str]) -> None:
    """R3; and what only needs the form takes nothing else."""
    for told, wrong in (({}, fields), ({"reason": "拨错", "colour": "red"}, {"colour"})):
        with pytest.raises(Problem) as refusal:
            finish(form(kind="consult"), end, told, OPERATOR, NOW, RULES)
        assert refusal.value.status == 422
        assert wrong <= set(refusal.value.fields or ())
    with pytest.raises(Problem) as refusal:
        finish(form(subject=""), end, {"reason": "拨错"}, OPERATOR, NOW, RULES)
    assert set(refusal.value.fields or ()) == {"subject"}
    with pytest.raises(Problem) as refusal:
        finish(FORM, State.PENDING_DISPATCH, {"reason": "拨错"}, OPERATOR, NOW, RULES)
    assert set(refusal.value.fields or ()) == {"reason"}


def test_an_administrator_saves_no_order() -> None:
    with pytest.raises(Problem) as refusal:
        finish(FORM, State.PENDING_DISPATCH, {}, Who("zhoukai", frozenset({"admin"})), NOW, RULES)
    assert (refusal.value.status, refusal.value.code) == (403, "not_allowed")
