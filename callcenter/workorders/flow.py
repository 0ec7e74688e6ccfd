"""The life of an order (工单流转) as one table: transitions.csv, rows of domain.md 3.2.

A row says from which state which event leads where, who may cause it (roles), for which modes of request (the column
`mode` of the request kinds, `*` for all), and what must be filled in. Rule R6: complaints, suggestions, criticism,
reports and pleas for help cannot end as answered at once; they go to someone who looks into them.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final


class State(StrEnum):
    """States of an order (工单状态), as far as a call takes it."""

    DRAFT = "draft"  # 草稿
    ANSWERED = "answered"  # 直接答复
    INVESTIGATING = "investigating"  # 后台研判
    PENDING_DISPATCH = "pending_dispatch"  # 待派单


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table. `modes` is None when the mode of the request does not matter."""

    state: State
    event: str
    to: State
    who: frozenset[str]
    modes: frozenset[str] | None
    needs: tuple[str, ...]
    zh: str
    en: str


class Refused(Exception):
    """The table does not allow it. `fields`: name -> what is wrong with it."""

    def __init__(self, code: str, zh: str, en: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code, self.zh, self.en, self.fields = code, zh, en, dict(fields or {})


def _load(path: Path) -> dict[tuple[State, str], Transition]:
    table: dict[tuple[State, str], Transition] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            transition = Transition(
                State(row["from"]),
                row["event"],
                State(row["to"]),
                frozenset(row["who"].split()),
                None if row["modes"] == "*" else frozenset(row["modes"].split()),
                tuple(row["needs"].split()),
                row["zh"],
                row["en"],
            )
            if (transition.state, transition.event) in table:
                raise ValueError(f"two rows for {transition.state}, {transition.event}")
            table[transition.state, transition.event] = transition
    return table


TRANSITIONS: Final = _load(Path(__file__).with_name("transitions.csv"))


def advance(state: State, event: str, *, roles: Iterable[str], mode: str, given: Mapping[str, object]) -> Transition:
    """The row by which an order moves on.

    Args:
        roles: of the person who asks.
        mode: of the order's request kind.
        given: the order's fields by name; an empty one counts as not given.

    Raises Refused: the state does not allow the event, the person may not, the kind needs another way, fields lack.
    """
    transition = TRANSITIONS.get((state, event))
    if transition is None:
        raise Refused("not_now", "工单当前状态不允许此操作", "The order's state does not allow this")
    if transition.who.isdisjoint(roles):
        raise Refused("not_allowed", "您没有此项权限", "You are not allowed to do this")
    lacking = {name: "必填 / required" for name in transition.needs if not str(given.get(name) or "").strip()}
    if lacking:
        raise Refused("incomplete", "请补全必填项", "Please fill in what is required", lacking)
    if transition.modes is not None and mode not in transition.modes:
        raise Refused(
            "must_be_dispatched",
            "此类诉求不能直接办结，须转派单",
            "Requests of this kind cannot be closed at once: send them for dispatch",
            {"kind": "须转派单 / must be sent for dispatch"},
        )
    return transition
