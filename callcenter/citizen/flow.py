"""What a citizen is shown of an order (公开状态) and may do with it by code and check code. Pure.

Of a confidential order (保密件) the state alone is shown, and nothing can be done here: whoever has learned the two
codes must not learn more. A reply is public once its audit has passed, which looks that it holds nobody's data
(domain.md 3.6).
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from callcenter.people.permissions import may
from callcenter.workorders.deadlines import Rules
from callcenter.workorders.flow import possible
from callcenter.workorders.order import Order, State, Who

#: Whoever has shown code and check code.
CITIZEN: Final = Who("citizen", frozenset({"citizen"}))

Act = Literal["rate", "reopen", "urge", "add", "object", "again", "withdraw"]
#: Act -> the action of the permission table that a citizen must hold, and the events that it may cause.
ACTS: Final[Mapping[Act, tuple[str, tuple[str, ...]]]] = {
    "rate": ("rate", ("visit_satisfied", "visit_unsatisfied")),
    "reopen": ("reopen_own", ("reopen",)),
    # At any time of an order's life (R48), as by telephone.
    "urge": ("urge", ("urge", "repeat")),
    "add": ("submit_request", ("info_received",)),
    "object": ("reopen_own", ("object_unreasonable",)),
    "again": ("submit_request", ("follow_up",)),
    # In a matter of public danger the person is removed and the order goes on (domain.md 3.6).
    "withdraw": ("withdraw_own", ("withdraw", "remove_person")),
}
#: States in which a unit has the order, so that it may be named.
_WITH_UNIT: Final = frozenset(
    {
        State.DISPATCHED,
        State.IN_PROGRESS,
        State.SUSPENDED,
        State.REPLIED,
        State.PENDING_VISIT,
        State.VISIT_RETRY,
        State.JUDGING,
        State.REHANDLE,
        State.CLOSED,
        State.ARCHIVED,
    }
)
_PASSED: Final = frozenset({"audit_pass", "audit_pass_no_visit"})
_EXPLAINED: Final = frozenset({"out_of_duty", "unreasonable"})


class Words(NamedTuple):
    """A state in plain words; `step`: 1 received, 2 accepted, 3 handled, 4 done."""

    step: int
    zh: str
    en: str


def _load() -> dict[State, Words]:
    with Path(__file__).with_name("states.csv").open(encoding="utf-8", newline="") as file:
        return {State(row["state"]): Words(int(row["step"]), row["zh"], row["en"]) for row in csv.DictReader(file)}


WORDS: Final = _load()


class Told(NamedTuple):
    """What the citizen was answered, and when."""

    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Public:
    """What is shown. `joined`: it is handled together with another one (并单), whose state this is."""

    words: Words
    unit: str | None
    due_at: datetime | None
    reply: Told | None
    acts: tuple[Act, ...]
    joined: bool = False


def public(
    order: Order, rules: Rules, *, confidential: bool, told: Told | None, now: datetime, master: Order | None = None
) -> Public:
    """What a citizen sees of an order now. `master`: what it was merged into, whose state is told in its place."""
    assert order.state is not None  # a draft is no order yet
    if confidential:
        return Public(WORDS[order.state], None, None, None, ())
    its = master or order
    assert its.state is not None
    named = its.lead if its.state in _WITH_UNIT and its.dispatched_by is not None else None
    running = [clock for name in ("T-REPLY", "T-REHANDLE") if (clock := its.clock(name)) is not None]
    due = running[0].due_at if running and its.state in _WITH_UNIT else None
    acts = acts_of(order, now, rules)
    if master is not None and "urge" in acts_of(master, now, rules):
        acts = ("urge", *acts)
    return Public(WORDS[its.state], named, due, told, acts, order.state is State.MERGED)


def acts_of(order: Order, now: datetime, rules: Rules) -> tuple[Act, ...]:
    """What the citizen may do now, by the order's table and the permission table."""
    open_now = {each.event for each in possible(order, CITIZEN, now, rules) if each.mine and each.why is None}
    return tuple(act for act, (action, events) in ACTS.items() if may(["citizen"], action) and open_now & set(events))


def told_of(history: Iterable[Mapping[Any, Any]]) -> Told | None:
    """What was answered last, from an order's history: an answer, a reply that has passed, why it was closed."""
    found: Told | None = None
    waiting: Told | None = None
    for entry in history:
        given = entry["given"]
        if entry["event"] == "answer" and given.get("answer"):
            found = Told(str(given["answer"]), entry["at"])
        elif entry["event"] == "reply" and given.get("reply"):
            waiting = Told(str(given["reply"]), entry["at"])
        elif entry["event"] in _PASSED and waiting is not None:
            found = Told(waiting.text, entry["at"])
        elif entry["event"] in _EXPLAINED and given.get("explained"):
            found = Told(str(given["explained"]), entry["at"])
    return found
