"""Who may do what (权限表): one table, `permissions.csv`, action by role.

Sixty actions and 27 roles come from the domain's matrix (domain.md 4.2); the last rows are the technical actions of
this service (`sit`, `see_floor`, `see_all_calls` ...). A cell is `Y`, or empty or `N` for no, or a condition such as
`two persons` or `with approval`. What a condition guards stays shut until that condition can be checked. One cell
differs from the matrix: `manage_users` is `Y`, for one administrator opens the page; people/routes.py asks for the
second one from the day on that there are two. `edit_calendar` by two persons is told in two actions:
`propose_calendar`, and `approve_calendar` by somebody else.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args


def _load(path: Path) -> tuple[tuple[str, ...], dict[str, frozenset[str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        table = {row.pop("action"): frozenset(role for role, cell in row.items() if cell == "Y") for row in rows}
        return tuple((rows.fieldnames or ())[1:]), table


def _load_conditions(path: Path) -> dict[str, frozenset[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return {row.pop("action"): frozenset(role for role, cell in row.items() if cell in APPROVED) for row in rows}


#: Cells that ask for a second person's word, which nobody can give yet.
APPROVED: Final = frozenset({"with approval", "two persons"})

_TABLE: Final = Path(__file__).with_name("permissions.csv")
#: Every role's code, and for each action the roles that may do it without a condition.
ROLES, ACTIONS = _load(_TABLE)
#: For each action the roles that may do it once somebody has approved.
BY_APPROVAL: Final = _load_conditions(_TABLE)

#: Roles that accounts can have so far.
Role = Literal[
    "operator",
    "inspector",
    "expert",
    "supervisor",
    "admin",
    "operator_ent",
    "support",
    "dispatcher",
    "follow_up",
    "visitor",
    "coordinator",
    "liaison",
    "handler",
    "unit_leader",
    "street",
    "assessor",
    "oversight",
    "privacy",
    "auditor",
    "leader",
]
ROLES_IN_USE: Final[tuple[str, ...]] = get_args(Role)


def may(roles: Iterable[str], action: str) -> bool:
    """Whether one of the roles may do the action. Raises KeyError for an action that is not in the table."""
    return not ACTIONS[action].isdisjoint(roles)


def actions_of(roles: Iterable[str]) -> list[str]:
    """Every action that one of the roles may do, in the table's order."""
    held = frozenset(roles)
    return [action for action, allowed in ACTIONS.items() if allowed & held]


Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Person:
    """Who is logged in. `session` is the hash of the session's token: it names the session, and opens nothing.

    `unit`: the department or district they work for (承办单位); None for those of the centre.
    """

    id: int
    login: str
    name_zh: str
    name_en: str
    roles: tuple[str, ...]
    language: Language
    session: bytes
    unit: str | None = None

    def may(self, action: str) -> bool:
        return may(self.roles, action)
