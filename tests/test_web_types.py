"""The shapes that the pages believe in (web/src/api/types.ts) are those that the service sends, field by field."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from stack import Stack

from callcenter.api import Model
from callcenter.calls import routes as calls
from callcenter.directory import city
from callcenter.directory import routes as directory
from callcenter.floor import routes as floor
from callcenter.floor.model import Call, Seat
from callcenter.floor.view import call_row, pop, seat_row
from callcenter.people import routes as people
from callcenter.workorders import form
from callcenter.workorders import routes as orders

pytest_plugins = ("stack",)

SOURCE = (Path(__file__).parents[1] / "web" / "src" / "api" / "types.ts").read_text()

#: Ours -> the service's. A page may leave out what it does not show; it must not believe in what is not sent.
MODELS: dict[str, type[Model]] = {
    "About": people.About,
    "Me": people.Me,
    "User": people.User,
    "SeatAccount": people.Seat,
    "TryLine": people.Trial,
    "Reference": directory.Reference,
    "Named": city.Named,
    "Kind": city.Kind,
    "Category": city.Category,
    "Region": city.Region,
    "Service": directory.Line,
    "Desk": floor.Desk,
    "Sip": floor.Sip,
    "CallRecord": calls.CallRecord,
    "CallDetail": calls.CallDetail,
    "Segment": calls.Segment,
    "OrderForm": form.OrderForm,
    "Draft": orders.DraftOut,
    "DraftFound": orders.DraftFound,
    "DraftSaved": orders.DraftSaved,
    "OrderSaved": orders.OrderSaved,
    "OrderRow": orders.OrderRow,
    "OrderDetail": orders.Order,
    "OrderStep": orders.Entry,
    "History": orders.History,
}


def _interfaces() -> dict[str, set[str]]:
    """Each interface -> its fields, inherited ones too."""
    found: dict[str, set[str]] = {}
    pattern = r"^export interface (\w+)(?:<\w+>)?(?: extends (\w+))? \{\n(.*?)^\}"
    for name, base, body in re.findall(pattern, SOURCE, re.DOTALL | re.MULTILINE):
        found[name] = set(re.findall(r"^  (\w+)\??:", body, re.MULTILINE)) | found.get(base, set())
    return found


INTERFACES = _interfaces()


@pytest.mark.parametrize("name", MODELS)
def test_the_pages_believe_what_is_declared(name: str) -> None:
    assert INTERFACES[name] - MODELS[name].model_fields.keys() == set()


def test_live_rows_have_the_fields_that_the_pages_show() -> None:
    now = datetime.now(UTC)
    call, seat = Call("n1-1", now), Seat("1001", since=now)
    assert INTERFACES["CallRow"] == call_row(call).keys()
    pop_fields = set(re.findall(r"^  (\w+):", SOURCE.split("interface Pop ")[1].split("\n}")[0], re.MULTILINE))
    assert INTERFACES["CallRow"] | pop_fields == pop(call, now).keys()
    assert INTERFACES["SeatRow"] == seat_row(seat, {}).keys()


async def test_the_floor_has_the_fields_that_the_board_shows(stack: Stack) -> None:
    view: dict[str, Any] = (await stack.board()).view
    assert INTERFACES["FloorView"] <= view.keys()
    assert INTERFACES["Link"] <= view["link"].keys()
    figures = view["figures"]
    assert INTERFACES["Figures"] <= figures.keys()
    assert INTERFACES["Minute"] <= figures["last_hour"][0].keys()
    assert {"service_level", "connect_rate"} == figures["worst24"].keys()
    assert {"service_seconds", "connect_rate", "connect_standard"} <= figures["goals"].keys()
