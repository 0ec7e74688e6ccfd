"""The plan of the house in README.md, held against the imports as they are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent
ROOMS = ("agents", "ivr", "dialplan", "callcenter")
FILES = sorted(file for room in ROOMS for file in (HOUSE / room).rglob("*.py"))


def module(file: Path) -> str:
    return ".".join(file.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__")


def imported(file: Path) -> Iterator[str]:
    """Full names of all that a file imports, wherever in it, and of what it imports from a package."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def plan() -> dict[str, set[str]]:
    """The table of README.md with the columns `room` and `may import`."""
    text = (HOUSE / "README.md").read_text(encoding="utf-8")
    table = re.search(r"^\| *room *\| *may import *\|\n\|[-| ]+\|\n((?:\|.*\|\n)+)", text, re.MULTILINE)
    assert table is not None, "README.md has no table `room | may import`"
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table[1].splitlines()]
    return {room: {name.strip(" `") for name in may.split(",") if name.strip()} for room, may in rows}


def test_the_plan_names_every_room() -> None:
    assert set(plan()) == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_the_plan_allows(room: str) -> None:
    found = {
        name.partition(".")[0]
        for file in FILES
        if module(file).partition(".")[0] == room
        for name in imported(file)
        if name.partition(".")[0] in ROOMS
    }
    assert found - {room} <= plan()[room]
    assert plan()[room] <= found | {room}, "the plan allows what nobody needs"


def test_menu_and_seats_stand_alone() -> None:
    assert plan()["agents"] == plan()["ivr"] == set()
    assert plan()["dialplan"] == {"agents", "ivr"}


def importers(wanted: str) -> set[str]:
    return {
        module(file)
        for file in FILES
        if any(name == wanted or name.startswith(wanted + ".") for name in imported(file))
    }


def test_only_the_command_line_knows_the_wiring() -> None:
    assert importers("callcenter.app") == {"callcenter.cli"}


def test_one_file_knows_panoramisk() -> None:
    assert importers("panoramisk") == {"callcenter.asterisk.link"}


def test_one_file_makes_what_asterisk_is_asked() -> None:
    """Who may act in Asterisk could dial any number there: what is asked of it is made, and checked, in one place."""
    makers = {
        module(file)
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Dict) and "Action" in {key.value for key in node.keys if isinstance(key, ast.Constant)}
    }
    assert makers == {"callcenter.asterisk.actions"}


def test_the_floor_decides_without_the_network_or_the_database() -> None:
    """What the rules are made of stays pure: no clock, no line, no SQL."""
    for name in ("model", "changes", "step", "resync"):
        names = set(imported(HOUSE / "callcenter" / "floor" / f"{name}.py"))
        assert not names & {"asyncio", "time", "random", "callcenter.clock", "callcenter.asterisk.link", "sqlalchemy"}


def test_no_room_is_called_after_nothing() -> None:
    vague = re.compile(r"(?i)(manager|service|helper|util)s?$")
    allowed = {"dialplan.manager", "ivr.services"}  # Asterisk's manager.conf; the services that citizens call
    assert {module(file) for file in FILES if vague.search(file.stem)} <= allowed
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name != "Service":
                assert not vague.search(node.name), f"{module(file)}.{node.name}"
