"""The work-order form (工单表单) as an agent fills it in."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field

from callcenter.api import Model, Problem
from callcenter.directory.city import KINDS, LEAVES, REGIONS, URGENCIES
from callcenter.workorders.deadlines import Rules
from callcenter.workorders.effects import CRITICAL
from callcenter.workorders.flow import OF_FORM, TABLE, Moved, Refused, advance
from callcenter.workorders.given import UNITS
from callcenter.workorders.order import Order, State, Who
from callcenter.workorders.points import Point

# No control characters but, in the long text, line feeds and tabs.
_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
_LINES: Final = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]*$"
_Code = Annotated[str, Field(max_length=20, pattern=_LINE)]
_Unit = Annotated[str, Field(max_length=12, pattern=r"^[A-Z][0-9A-Z]{1,11}$")]


class OrderForm(Model):
    """Every field may be empty: a draft is not finished. `category` is the code of a leaf."""

    kind: _Code
    category: _Code
    urgency: _Code
    subject: Annotated[str, Field(max_length=200, pattern=_LINE)]
    description: Annotated[str, Field(max_length=5000, pattern=_LINES)]
    place: Annotated[str, Field(max_length=300, pattern=_LINE)]
    region: _Code
    contact_name: Annotated[str, Field(max_length=60, pattern=_LINE)]
    callback_number: Annotated[str, Field(max_length=32, pattern=r"^[0-9+*# -]*$")]
    confidential: bool
    #: Without a name and a number (匿名): no visit, progress by code (domain.md 3.6).
    anonymous: bool = False
    #: Danger to life or to the public (涉公共安全): it goes on though its citizen withdraws it (domain.md 3.2).
    public_danger: bool = False
    #: Whom it complains of (被投诉人、被投诉单位): they never see it.
    complained_person: Annotated[str, Field(max_length=60, pattern=_LINE)] = ""
    complained_units: Annotated[list[_Unit], Field(max_length=5, default_factory=list)]
    #: Where it is, when that is known better than by words (地图点).
    point: Point | None = None


#: How a call's matter can end at the desk: in what comes of it -> the event. The last three ask for more than the form.
EVENTS: Final = {
    State.ANSWERED: "answer",
    State.INVESTIGATING: "submit_order",
    State.PENDING_DISPATCH: "submit_certain",
    State.NOT_ACCEPTED: "refuse",
    State.TRANSFERRED_OUT: "hand_over",
    State.INVALID: "mark_invalid",
}
OTHER_ENDS: Final = frozenset({"refuse", "hand_over", "mark_invalid"})
#: What every order has, however it ends.
_ALWAYS: Final = ("kind", "urgency", "subject")


def finish(form: OrderForm, end: State, given: Mapping[str, Any], who: Who, now: datetime, rules: Rules) -> Moved:
    """How a filled-in form ends its draft, or what it proposes, when that takes a second person.

    Args:
        given: what the end asks for beside the form: nobody is told to call elsewhere without a reason (domain.md R3).

    Raises Problem 422 with the fields that are wrong, or 403.
    """
    unknown = {
        name: "无此代码 / no such code"
        for name, known in (("kind", KINDS), ("category", LEAVES), ("urgency", URGENCIES), ("region", REGIONS))
        if (code := getattr(form, name)) and code not in known
    }
    if not set(form.complained_units) <= UNITS:
        unknown["complained_units"] = "无此单位 / no such unit"
    unknown |= _tells(form)
    of_form = set(TABLE[State.DRAFT, EVENTS[end]].needs) <= OF_FORM
    if of_form:
        unknown |= dict.fromkeys(given, "未知字段 / unknown field")
    if unknown:
        raise Problem(422, "not_valid", "有字段不正确", "Some fields are not right", unknown)
    mode = KINDS[form.kind].mode if form.kind else ""
    draft = Order("", State.DRAFT, form.kind, mode, form.urgency, now, now, form.category)
    lacks = {name: "必填 / required" for name in _ALWAYS if not getattr(form, name).strip()}
    try:
        if lacks and not of_form:
            raise Refused("incomplete", "请补全必填项", "Please fill in what is required", lacks)
        return advance(draft, EVENTS[end], who, form.model_dump() if of_form else given, now, rules)
    except Refused as refused:
        status = 422 if refused.fields else 403
        raise Problem(status, refused.code, refused.zh, refused.en, refused.fields) from refused


def in_danger(form: OrderForm) -> bool:
    """Whether it is public danger (涉公共安全): who writes it says so, or finds it critical (特急)."""
    return form.public_danger or form.urgency == CRITICAL


def _tells(form: OrderForm) -> dict[str, str]:
    """Fields that tell who it came from, where nobody may: a form without a person, the text of a confidential one."""
    if form.anonymous:
        given = {name for name in ("contact_name", "callback_number") if getattr(form, name)}
        return dict.fromkeys(given, "匿名诉求不登记身份 / an anonymous order takes none")
    if not form.confidential:
        return {}
    name, digits = form.contact_name.strip(), _digits(form.callback_number)
    told = {}
    for field in ("subject", "description", "place"):
        text = getattr(form, field)
        if (len(name) > 1 and name in text) or (len(digits) > 6 and digits in _digits(text)):
            told[field] = "保密工单正文不得写明诉求人 / the text of a confidential order must not name the citizen"
    return told


def _digits(text: str) -> str:
    return "".join(char for char in text if char in "0123456789")
