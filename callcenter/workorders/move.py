"""One event of an order in one transaction: the row is locked, the table asked, and order, history, clocks and notices
are written together. The same message twice is the same answer; a page that is behind learns what has changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.clock import iso
from callcenter.directory.city import REGIONS
from callcenter.duties.queries import ruled
from callcenter.privacy.queries import forget
from callcenter.workorders import queries
from callcenter.workorders.deadlines import Rules, turn
from callcenter.workorders.effects import FROM_LEVEL, unwanted
from callcenter.workorders.flow import TABLE, Moved, Refused, advance
from callcenter.workorders.order import SYSTEM, Order, State, Who
from callcenter.workorders.points import of_row, read, written
from callcenter.workorders.policies import Policies
from callcenter.workorders.queries import Traces
from callcenter.workorders.rows import clock_rows, columns_of, order_of

#: States of an order that others can be merged into (主单).
MASTERS: Final = (
    State.PENDING_DISPATCH,
    State.DISPATCHED,
    State.RETURN_REVIEW,
    State.DISPUTED,
    State.IN_PROGRESS,
    State.SUSPENDED,
)
#: States of a master in which what was merged into it goes on by itself: passed, or gone.
MASTER_PASSED = frozenset({State.PENDING_VISIT, State.VISIT_RETRY, State.CLOSED, State.ARCHIVED})
MASTER_ENDS = MASTER_PASSED | {State.WITHDRAWN}


class NoOrder(Exception):
    """There is no order with this code."""


class Conflict(Exception):
    """The order has gone on since the page saw it. `since`: rows of the history that the page does not know."""

    def __init__(self, version: int, since: Sequence[RowMapping]) -> None:
        super().__init__("the order has changed")
        self.version, self.since = version, since


class KeyTaken(Exception):
    """Another message had this key."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a message: `event` is `propose_...` when it waits for a second person.

    `version` and `state` are those right after it; what followed by itself is in the order's history. `again`: the
    message had come before.
    """

    code: str
    event: str
    state: str
    version: int
    at: datetime
    again: bool = False


async def move(
    connection: AsyncConnection,
    policies: Policies,
    code: str,
    event: str,
    who: Who,
    given: Mapping[str, Any],
    now: datetime,
    *,
    expected_version: int | None = None,
    key: UUID | None = None,
    held: RowMapping | None = None,
    by: int | None = None,
) -> Answer:
    """Cause an event, within a transaction of the caller's.

    Args:
        expected_version: the one that was seen; None for whoever need not have seen it.
        key: names the message, so that it counts once however often it comes.
        held: the order's row, when the caller holds it already; not for what concerns two orders.
        by: the account that the audit names; None when the caller audits it.

    Raises NoOrder, Conflict, KeyTaken, Refused.
    """
    row, master = (held, None) if held is not None else await _locked(connection, code, event, given)
    if row is None:
        raise NoOrder
    about = await queries.about(connection, row["id"], key)
    if about.known is not None and key is not None:
        return _first_answer(code, await queries.entry_of_key(connection, row["id"], key), event, who)
    if expected_version is not None and expected_version != row["version"]:
        raise Conflict(row["version"], await queries.history_since(connection, row["id"], expected_version))
    if event == "merge" and given.get("master"):
        _check_master(row, master)
    _check_concerned(row, given)
    if event == "set_point" and (was := of_row(row["lat"], row["lon"])) is not None:
        given = {**given, "was": written(was)}
    unfollowed = event == "dispatch" and not (given.get("follow_up_officer") or row["follow_up_officer"])
    if unfollowed and (officer := await queries.least_burdened(connection, row)) is not None:
        given = {**given, "follow_up_officer": officer}
    if event == "reject_return":
        given = {**given, "unit": row["department"]}
    order = order_of(row, about.clocks, about.co)
    at = now.astimezone(policies.zone)
    rules = await policies.rules(connection, order.policy, about.asked)
    traces = Traces()
    done = apply(row["id"], order, event, who, given, at, rules, traces, key)
    entry = traces.history[0]
    if by is not None:
        what = {"code": code, "event": entry["event"], "version": entry["n"]}
        traces.audited.append({"user_id": by, "act": "order_event", "what": what})
    if entry["event"] in ("dispatch", "rule") and (copied := _above(row, done.lead)) is not None:
        traces.notices.append(notice_row(row["id"], entry["n"], "co_unit", copied, "copy_to_district", {}, at))
    if entry["event"] in ("rule", "rule_joint"):
        by_whom = order.proposal.who if order.proposal is not None else who
        made = await ruled(connection, row, entry["given"], by_whom, at)
        if made is not None and by is not None:
            what = {name: made[name] for name in ("id", "category", "region", "lead", "co", "basis", "state")}
            traces.audited.append({"user_id": by, "act": "change_duty", "what": what})
    await finish(connection, row["id"], order, done, traces, at, rules)
    if event == "set_point" and (point := read(given["point"])) is not None:
        await queries.update_order(connection, row["id"], {"lat": point.lat, "lon": point.lon})
    if master is not None and done.master != order.master:
        told = "take_in" if done.master is not None else "let_go"
        await _tell_master(connection, policies, master, told, code, who, at)
    return Answer(code, entry["event"], entry["to_state"], entry["n"], entry["at"])


async def orders_of(connection: AsyncConnection, rows: Sequence[RowMapping]) -> list[Order]:
    """Orders from their rows, with clocks and co-units."""
    if not rows:
        return []
    ids = [row["id"] for row in rows]
    clocks = await queries.clocks_of(connection, ids)
    units = await queries.co_units_of(connection, ids)
    return [order_of(row, clocks.get(row["id"], ()), units.get(row["id"], ())) for row in rows]


def apply(
    order_id: UUID,
    order: Order,
    event: str,
    who: Who,
    given: Mapping[str, Any],
    at: datetime,
    rules: Rules,
    traces: Traces,
    key: UUID | None = None,
) -> Order:
    """An event and all that follows from it by itself; history and notices come into `traces`. Raises Refused.

    `finish` must follow: it writes them, with the order and its clocks.
    """
    moved = advance(order, event, who, given, at, rules)
    # What was proposed is given by who proposed it.
    told = moved.entry.given
    after = turn(moved.order, moved.clocks, told, at, rules)
    traces.history.append(queries.entry_row(order_id, after.version, moved.entry, key))
    traces.notices.extend(_notices(order_id, order, replace(moved, order=after), at))
    for then in moved.then:
        reason = {"reason": f"第{after.returns}次退单，自动转争议"} if then == "open_dispute" else {}
        after = apply(order_id, after, then, SYSTEM, reason, at, rules, traces)
    return after


async def finish(
    connection: AsyncConnection,
    order_id: UUID,
    before: Order,
    after: Order,
    traces: Traces,
    at: datetime,
    rules: Rules,
) -> None:
    """Write an order after its events, with what they leave, its clocks and co-units."""
    columns = columns_of(after, at, rules)
    if after.anonymous and not before.anonymous:
        columns |= {"contact_name": "", "callback_number": "", "callback_key": None}
        await forget(connection, order_id)
    traces.clocks.extend(clock_rows(order_id, before.clocks, after.clocks))
    await queries.update_order(connection, order_id, columns, traces)
    await _finish_beside(connection, order_id, before, after, at)


async def finish_many(
    connection: AsyncConnection, done: Sequence[tuple[UUID, Order, Order, Rules]], traces: Traces, at: datetime
) -> None:
    """Like `finish`, for what the sweep does to many: of each order its id, how it was and is, and its rules."""
    for order_id, before, after, _ in done:
        traces.clocks.extend(clock_rows(order_id, before.clocks, after.clocks))
    rows = [{"id": order_id} | columns_of(after, at, rules) for order_id, _, after, rules in done]
    await queries.update_orders(connection, rows, traces)
    for order_id, before, after, _ in done:
        await _finish_beside(connection, order_id, before, after, at)


async def _finish_beside(
    connection: AsyncConnection, order_id: UUID, before: Order, after: Order, at: datetime
) -> None:
    """What an order's events do elsewhere than in it and in what they leave."""
    if after.state is not before.state and after.state in MASTER_ENDS:
        await queries.wake_merged(connection, after.code, at)
    if after.co != before.co:
        await queries.write_co_units(connection, order_id, after.created_at, after.co)


def _notices(order_id: UUID, before: Order, moved: Moved, at: datetime) -> list[dict[str, Any]]:
    """Rows of the outbox; whom there is nobody to tell of, is left out."""
    order, given = moved.order, moved.entry.given
    reply = order.clock("T-REPLY") or order.clock("T-REHANDLE")
    facts = {"unit": order.lead, "due": iso(reply.due_at) if reply else None, "reason": moved.entry.reason}
    rows = []
    for notice in moved.notices:
        recipient, _, template = notice.partition(":")
        if order.urge_level < FROM_LEVEL.get(template, 0):
            continue
        if recipient == "citizen" and (before.anonymous or unwanted(order)):
            continue
        units = {"lead": order.lead, "unit_leader": order.lead, "co_unit": given.get("co_unit")}
        units["follow_up"] = order.follow_up_officer or ""
        what = units.get(recipient, "")
        if what is None:
            continue
        rows.append(notice_row(order_id, order.version, recipient, str(what), template, facts, at))
    if "new_order" in {notice.partition(":")[2] for notice in moved.notices}:
        rows += [notice_row(order_id, order.version, "co_unit", unit, "new_order", facts, at) for unit in order.co]
    return rows


def _above(row: RowMapping, lead: str | None) -> str | None:
    """The district that is told when one of its streets gets an order directly (直派街道), domain.md R75.

    None when no street leads it, or the district must not know of it.
    """
    at = REGIONS.get(lead or "")
    if at is None or at.level != "street" or row["confidential"] or at.parent in row["complained_units"]:
        return None
    return at.parent


def notice_row(
    order_id: UUID, n: int, recipient: str, what: str, template: str, facts: Mapping[str, Any], at: datetime
) -> dict[str, Any]:
    """A row of `order_notices`, due at once."""
    named = {"order_id": order_id, "n": n, "recipient": recipient, "what": what, "template": template}
    return named | {"facts": dict(facts), "created_at": at, "due_at": at}


def _first_answer(code: str, entry: RowMapping, event: str, who: Who) -> Answer:
    """What the message was answered the first time. Raises KeyTaken when it was another one."""
    same = entry["event"] in (event, f"propose_{event}") or (event == "confirm" and entry["second"] == who.login)
    if not same or who.login not in (entry["who"], entry["second"]):
        raise KeyTaken
    return Answer(code, entry["event"], entry["to_state"], entry["n"], entry["at"], again=True)


def _check_concerned(row: RowMapping, given: Mapping[str, Any]) -> None:
    """Raise Refused when those would get the order whom it complains of (domain.md 3.6)."""
    wrong = {name for name in ("lead", "co_unit", "suggested_unit") if given.get(name) in row["complained_units"]}
    helps = given.get("co_units")
    if isinstance(helps, list) and any(unit in row["complained_units"] for unit in helps):
        wrong.add("co_units")
    wrong |= {name for name in ("handler", "follow_up_officer") if given.get(name) in row["complained_logins"]}
    if wrong:
        fault = "被投诉方不得办理 / they are whom it complains of"
        raise Refused(
            "complained_of",
            "被投诉的单位或人员不得办理此工单",
            "Those whom the order complains of cannot handle it",
            dict.fromkeys(sorted(wrong), fault),
        )


async def _locked(
    connection: AsyncConnection, code: str, event: str, given: Mapping[str, Any]
) -> tuple[RowMapping | None, RowMapping | None]:
    """An order, held, and the master that the event is about, held too: what happens to both is written in both."""
    if event == "merge" and isinstance(given.get("master"), str):
        both = await queries.lock_orders(connection, {code, given["master"]})
        return both.get(code), both.get(given["master"])
    master = None
    if event == "unmerge" and (its := await queries.master_of(connection, code)) is not None:
        # The master first, as when it wakes those that were merged into it.
        master = await queries.lock_order(connection, its)
    row = await queries.lock_order(connection, code)
    return row, master if row is not None and master is not None and row["master"] == master["code"] else None


def _check_master(row: RowMapping, master: RowMapping | None) -> None:
    """Raise Refused unless an order can be merged into another one."""
    if master is None or State(master["state"]) not in MASTERS:
        raise Refused("no_master", "主单不存在或已办结", "There is no such open order", {"master": "无效 / not valid"})
    if joins_concerned(row, master):
        raise Refused(
            "complained_of",
            "主单由被投诉的单位或人员办理，不能并入",
            "Those whom the order complains of handle the other one",
            {"master": "由被投诉方办理 / handled by whom it complains of"},
        )


def joins_concerned(row: Mapping[Any, Any] | RowMapping, master: Mapping[Any, Any] | RowMapping) -> bool:
    """Whether an order, merged into another, would be handled by those whom it complains of (domain.md 3.6)."""
    return master["department"] in row["complained_units"] or master["handler"] in row["complained_logins"]


async def _tell_master(
    connection: AsyncConnection, policies: Policies, row: RowMapping, event: str, code: str, who: Who, at: datetime
) -> None:
    """Write a merge into the master's history, too (domain.md 3.6), and tell who handles it."""
    (order,) = await orders_of(connection, [row])
    if (order.state, event) not in TABLE:
        return
    rules = await policies.rules(connection, order.policy)
    # Nobody causes it by itself: it comes of the other order's event.
    by, traces = replace(who, roles=SYSTEM.roles), Traces()
    done = apply(row["id"], order, event, by, {"joined": code}, at, rules, traces)
    await finish(connection, row["id"], order, done, traces, at, rules)
