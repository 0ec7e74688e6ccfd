"""Codes and the life of an order: the rules, without a database."""

import string
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.api import Problem
from callcenter.directory.city import KINDS
from callcenter.people.permissions import ROLES
from callcenter.workorders.codes import check_character, check_code, is_order_code, order_code
from callcenter.workorders.flow import TRANSITIONS, Refused, State, advance
from callcenter.workorders.form import OrderForm, finish

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


# --- the table --------------------------------------------------------------------------------------------------------


def test_every_state_event_and_role() -> None:
    """The whole table: a row lets its own roles through when all it needs is given, and nobody else."""
    events = {event for _, event in TRANSITIONS} | {"fly"}
    modes = {kind.mode for kind in KINDS.values()}
    for state in State:
        for event in events:
            for role in ROLES:
                for mode in modes:
                    row = TRANSITIONS.get((state, event))
                    allowed = row is not None and role in row.who and (row.modes is None or mode in row.modes)
                    if allowed:
                        assert row is advance(state, event, roles=[role], mode=mode, given=FORM.model_dump())
                        continue
                    with pytest.raises(Refused):
                        advance(state, event, roles=[role], mode=mode, given=FORM.model_dump())


def test_roles_and_needs_of_the_table_exist() -> None:
    for row in TRANSITIONS.values():
        assert row.who <= set(ROLES)
        assert set(row.needs) <= set(OrderForm.model_fields)
        assert (row.modes or set()) <= {kind.mode for kind in KINDS.values()}
        assert row.zh
        assert row.en


@pytest.mark.parametrize("kind", ["complaint", "suggestion", "criticism", "help", "report"])
def test_what_someone_must_look_into_cannot_be_answered_at_once(kind: str) -> None:
    with pytest.raises(Problem) as refusal:
        finish(form(kind=kind), State.ANSWERED, ("operator",))
    assert (refusal.value.status, refusal.value.code) == (422, "must_be_dispatched")
    assert set(refusal.value.fields or ()) == {"kind"}
    assert finish(form(kind=kind), State.PENDING_DISPATCH, ("operator",)).to is State.PENDING_DISPATCH


@pytest.mark.parametrize("kind", ["consult", "handle", "praise"])
def test_what_can_be_answered_at_once(kind: str) -> None:
    plain = form(kind=kind, category="", description="", place="", region="", contact_name="", callback_number="")
    assert finish(plain, State.ANSWERED, ("operator",)).to is State.ANSWERED


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
        finish(form(**changes), State.PENDING_DISPATCH, ("operator",))
    assert refusal.value.status == 422
    assert set(refusal.value.fields or ()) == fields


def test_an_administrator_saves_no_order() -> None:
    with pytest.raises(Problem) as refusal:
        finish(FORM, State.PENDING_DISPATCH, ("admin",))
    assert (refusal.value.status, refusal.value.code) == (403, "not_allowed")
