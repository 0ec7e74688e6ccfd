"""Orders as rows, and rows as orders: nothing but the two translations."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping

from callcenter.directory.city import KINDS
from callcenter.workorders import deadlines
from callcenter.workorders.deadlines import Rules
from callcenter.workorders.order import Clock, Order, Pause, Proposal, State, Who

Row = dict[str, Any]

#: Columns of `orders` that are fields of an Order, by the same name.
_SAME: Final = (
    "code",
    "kind",
    "urgency",
    "category",
    "created_at",
    "state_since",
    "version",
    "policy",
    "handler",
    "follow_up_officer",
    "dispatched_by",
    "replied_by",
    "bound",
    "returns",
    "rehandles",
    "urges",
    "urge_level",
    "contacted_at",
    "visit",
    "closing",
    "master",
    "public_danger",
    "anonymous",
    "machines",
)


#: Columns of `orders` that an event can change: what `columns_of` tells.
CHANGED: Final = (
    *(name for name in _SAME if name not in ("code", "kind", "category", "created_at")),
    *("state", "department", "visit", "machines", "refused_by", "tries", "proposal", "due_at", "wake_at", "updated_at"),
)


def order_of(row: RowMapping, clocks: Iterable[RowMapping], co: Iterable[tuple[str, str]]) -> Order:
    """An order from its row, its clocks in their order, and its co-units with their states."""
    return Order(
        state=State(row["state"]),
        mode=mode_of(row["kind"]),
        lead=row["department"],
        co=dict(co),
        refused_by=tuple(row["refused_by"]),
        tries=tuple(row["tries"]),
        proposal=_proposal(row["proposal"]),
        clocks=tuple(map(_clock, clocks)),
        **{name: row[name] for name in _SAME},
    )


def mode_of(kind: str) -> str:
    """What becomes of a kind of request; empty for one that this release does not know."""
    return KINDS[kind].mode if kind in KINDS else ""


def columns_of(order: Order, now: datetime, rules: Rules) -> Row:
    """The columns of `orders` that an event can change, for the order after it."""
    same = {name: getattr(order, name) for name in _SAME if name not in ("code", "kind", "created_at")}
    return same | {
        "state": str(order.state),
        "department": order.lead,
        "visit": dict(order.visit),
        "machines": dict(order.machines),
        "refused_by": list(order.refused_by),
        "tries": list(order.tries),
        "proposal": told(order.proposal),
        "due_at": deadlines.due_at(order),
        "wake_at": deadlines.wake_at(order, rules),
        "updated_at": now,
    }


def clock_rows(order_id: object, before: tuple[Clock, ...], after: tuple[Clock, ...]) -> list[Row]:
    """Rows of `order_clocks` that are new or have changed; clocks keep their places."""
    changed = [(n, clock) for n, clock in enumerate(after) if n >= len(before) or before[n] != clock]
    return [_clock_row(order_id, n + 1, clock) for n, clock in changed]


def _clock(row: RowMapping) -> Clock:
    pauses = tuple(Pause(*map(datetime.fromisoformat, pause)) for pause in row["pauses"])
    return Clock(pauses=pauses, **{name: row[name] for name in Clock.__slots__ if name != "pauses"})


def _clock_row(order_id: object, n: int, clock: Clock) -> Row:
    pauses = [[pause.since.isoformat(), pause.until.isoformat()] for pause in clock.pauses]
    return {name: getattr(clock, name) for name in Clock.__slots__} | {"order_id": order_id, "n": n, "pauses": pauses}


def _proposal(told: Mapping[str, Any] | None) -> Proposal | None:
    if told is None:
        return None
    who = Who(told["login"], frozenset(told["roles"]), told["unit"])
    return Proposal(told["event"], told["given"], who, datetime.fromisoformat(told["at"]))


def told(proposal: Proposal | None) -> Row | None:
    """What waits for a second person, as its column has it."""
    if proposal is None:
        return None
    who = {"login": proposal.who.login, "roles": sorted(proposal.who.roles), "unit": proposal.who.unit}
    return who | {"event": proposal.event, "given": dict(proposal.given), "at": proposal.at.isoformat()}
