"""Who may do what (权限表): one table, `permissions.csv`, action by role.

Sixty actions and 27 roles come from the domain's matrix (domain.md 4.2); the last rows are the technical actions of
this service (`sit`, `see_floor`, `see_all_calls` ...). A cell is `Y`, or empty or `N` for no, or a condition such as
`two persons` or `with approval`. What a condition guards stays shut until that condition can be checked. One cell
differs from the matrix: `manage_users` is `Y` for the administrator, who is alone on the first day; it is audited.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal


def _load(path: Path) -> tuple[tuple[str, ...], dict[str, frozenset[str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        table = {row.pop("action"): frozenset(role for role, cell in row.items() if cell == "Y") for row in rows}
        return tuple((rows.fieldnames or ())[1:]), table


#: Every role's code, and for each action the roles that may do it without a condition.
ROLES, ACTIONS = _load(Path(__file__).with_name("permissions.csv"))

#: Roles that accounts can have so far: 话务员, 值班长, 系统管理员.
ROLES_IN_USE: Final = ("operator", "supervisor", "admin")


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
    """Who is logged in. `session` is the hash of the session's token: it names the session, and opens nothing."""

    id: int
    login: str
    name_zh: str
    name_en: str
    roles: tuple[str, ...]
    language: Language
    session: bytes

    def may(self, action: str) -> bool:
        return may(self.roles, action)
