"""The work-order form (工单表单) as an agent fills it in."""

from typing import Annotated, Final

from pydantic import Field

from callcenter.api import Model, Problem
from callcenter.directory.city import KINDS, LEAVES, REGIONS, URGENCIES
from callcenter.workorders.flow import Refused, State, Transition, advance

# No control characters but, in the long text, line feeds and tabs.
_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
_LINES: Final = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]*$"
_Code = Annotated[str, Field(max_length=20, pattern=_LINE)]


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


EVENTS: Final = {State.ANSWERED: "answer", State.PENDING_DISPATCH: "submit_certain"}


def finish(form: OrderForm, end: State, roles: tuple[str, ...]) -> Transition:
    """How a filled-in form ends its draft. Raises Problem 422 with the fields that are wrong, or 403."""
    unknown = {
        name: "无此代码 / no such code"
        for name, known in (("kind", KINDS), ("category", LEAVES), ("urgency", URGENCIES), ("region", REGIONS))
        if (code := getattr(form, name)) and code not in known
    }
    if unknown:
        raise Problem(422, "not_valid", "有字段不正确", "Some fields are not right", unknown)
    mode = KINDS[form.kind].mode if form.kind else ""
    try:
        return advance(State.DRAFT, EVENTS[end], roles=roles, mode=mode, given=form.model_dump())
    except Refused as refused:
        status = 422 if refused.fields else 403
        raise Problem(status, refused.code, refused.zh, refused.en, refused.fields) from refused
