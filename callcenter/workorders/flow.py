"""The life of an order (工单流转) as tables; everything else is drawn from them: buttons, refusals, history, tests.

`transitions.csv` are the 86 rows of domain.md 3.2: from which state which event leads where, who may cause it (roles,
and the permission that they hold), whether a second person must agree (两人复核) and who may be that or needs none,
whether one of the order's own unit must do it, for which modes of request, what must be given, which guards must hold,
which clocks start and stop, who is told. `acts.csv` are acts in the same columns that leave the state as it is, and
`machines.csv` the small machines (domain.md 3.3) that events move along. Rule R6: complaints, suggestions, criticism,
reports and pleas for help cannot end as answered at once; they go to someone who looks into them.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from callcenter.workorders.deadlines import Rules
from callcenter.workorders.effects import changes, follow_ups, step
from callcenter.workorders.given import faults
from callcenter.workorders.guards import GUARDS, OF_GIVEN, OF_PERSON, Given, Why
from callcenter.workorders.order import Order, Proposal, State, Who

_HERE: Final = Path(__file__).parent

#: Roles that act for a unit, and only on its orders.
UNIT_ROLES: Final = frozenset({"liaison", "handler", "unit_leader", "street"})
#: The answers of the second person to a proposal.
CONFIRM, DECLINE = "confirm", "decline"


@dataclass(frozen=True, slots=True)
class StateRow:
    """A state's row. `kind`: open, paused, closed or final; `owner`: the role whose turn it is."""

    state: State
    kind: str
    owner: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table.

    Args:
        state: None begins an order; `to` is `state` for an act.
        second: roles of the second person; none when one is enough. `alone`: roles, or `field=value`, that need none.
        unit: `lead`, `co` or `party`: which units' people may act, when they act for a unit.
        actions: of the permission table, that `who` hold.
        modes: of the request; None when it does not matter.
    """

    state: State | None
    event: str
    to: State
    who: frozenset[str]
    second: frozenset[str]
    alone: frozenset[str]
    unit: str
    actions: tuple[str, ...]
    modes: frozenset[str] | None
    needs: tuple[str, ...]
    guards: tuple[str, ...]
    clocks: tuple[str, ...]
    notices: tuple[str, ...]
    zh: str
    en: str

    @property
    def act(self) -> bool:
        """Whether it is an act: an event of acts.csv."""
        return (self.state, self.event) in ACTS


class Refused(Exception):
    """The table does not allow it. `fields`: name -> what is wrong with it."""

    def __init__(self, code: str, zh: str, en: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code, self.zh, self.en, self.fields = code, zh, en, dict(fields or {})


@dataclass(frozen=True, slots=True)
class Entry:
    """What is written down of an event (办理记录); `second` is who agreed."""

    who: str
    role: str
    second: str | None
    event: str
    from_state: State | None
    to_state: State
    reason: str
    given: Given
    at: datetime


@dataclass(frozen=True, slots=True)
class Moved:
    """An order after an event.

    Args:
        clocks: what happens to its clocks, in the words of the table; `deadlines.turn` does it.
        notices: `to:template`, who is told what.
        then: events that the service must cause at once.
    """

    order: Order
    entry: Entry
    clocks: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    then: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Possible:
    """What may be done next. `mine`: by whom it was asked for; `why`: why not now, for what is known before."""

    row: Transition
    event: str
    mine: bool
    why: Why


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _transition(row: Mapping[str, str], state: State | None, to: State) -> Transition:
    lists = {name: tuple(row[name].split()) for name in ("needs", "guards", "clocks", "notices")}
    return Transition(
        state,
        row["event"],
        to,
        frozenset(row["who"].split()),
        frozenset(row["second"].split()),
        frozenset(row["alone"].split()),
        row["unit"],
        tuple(row["action"].split()),
        None if row["modes"] == "*" else frozenset(row["modes"].split()),
        zh=row["zh"],
        en=row["en"],
        **lists,
    )


def _load() -> tuple[dict[tuple[State | None, str], Transition], dict[tuple[State | None, str], Transition]]:
    table: dict[tuple[State | None, str], Transition] = {}
    acts: dict[tuple[State | None, str], Transition] = {}
    for row in _rows("transitions.csv"):
        state = None if row["from"] == "-" else State(row["from"])
        if (state, row["event"]) in table:
            raise ValueError(f"two rows for {state}, {row['event']}")
        table[state, row["event"]] = _transition(row, state, State(row["to"]))
    for row in _rows("acts.csv"):
        for state in map(State, row["states"].split()):
            if (state, row["event"]) in table or (state, row["event"]) in acts:
                raise ValueError(f"two rows for {state}, {row['event']}")
            acts[state, row["event"]] = _transition(row, state, state)
    return table, acts


def _load_machines() -> dict[str, dict[str, list[tuple[str, str]]]]:
    machines: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for row in _rows("machines.csv"):
        machines.setdefault(row["machine"], {}).setdefault(row["event"], []).append((row["from"], row["to"]))
    return machines


STATES: Final = {
    State(row["code"]): StateRow(State(row["code"]), row["class"], row["owner"], row["zh"], row["en"])
    for row in _rows("states.csv")
}
TRANSITIONS, ACTS = _load()
TABLE: Final = TRANSITIONS | ACTS
#: Machine -> event -> (from, to): `-` before it began, `*` from anywhere.
MACHINES: Final = _load_machines()
#: The machine that each co-unit has of its own (吹哨报到).
WHISTLE: Final = "whistle"


def advance(order: Order, event: str, who: Who, given: Given, now: datetime, rules: Rules) -> Moved:
    """The order after an event, which may be a proposal that waits for a second person.

    Args:
        given: fields by name, as JSON has them. A draft's are those of the order form.
        now: in the city's time zone: days and parts of days are counted in it.
        rules: of the order's version.

    Raises Refused: the state does not allow the event, the person may not, a guard stands against it, fields lack.
    """
    if event in (CONFIRM, DECLINE):
        return _answer(order, event, who, given, now, rules)
    row = row_of(order, event)
    role = _role(order, row, who)
    _check_given(order, row, given)
    if why := _why_not(order, row, who, given, now, rules, of_given=True):
        raise Refused("not_yet", *why)
    if _needs_second(row, who, given):
        return _propose(order, row, role, who, given, now)
    return _move(order, row, role, who, given, now, rules)


def possible(order: Order, who: Who, now: datetime, rules: Rules) -> list[Possible]:
    """What may be done next, by this person and by others, in the table's order. What only clocks cause is left out."""
    found = []
    if order.proposal is not None:
        row = TABLE[order.state, order.proposal.event]
        mine = _may_answer(order, row, who)
        why = _why_not_agree(order, order.proposal, row, who, now, rules)
        found = [Possible(row, CONFIRM, mine, why), Possible(row, DECLINE, mine or _own(order, who), None)]
    for (state, event), row in TABLE.items():
        if state is not order.state or state is None or row.who == {"system"}:
            continue
        if row.modes is not None and order.mode not in row.modes:
            continue
        why = _why_not(order, row, who, {}, now, rules, of_given=False)
        names = _names(row, who)
        if why is None and all(_machines(order, row, who, {}, name, check=True) is None for name in names):
            continue
        if why is None and order.proposal is not None and event not in names:
            why = _WAITS
        found.append(Possible(row, event, _finds_role(order, row, who) is not None, why))
    return found


def _names(row: Transition, who: Who) -> tuple[str, ...]:
    """By which names the small machines may come to know an event: alone, or proposed; what is given may decide it."""
    proposed = f"propose_{row.event}"
    if not row.second or row.alone & who.roles:
        return (row.event,)
    return (proposed, row.event) if any("=" in each for each in row.alone) else (proposed,)


_WAITS: Final = ("已有操作待复核", "Something waits for a second person already")


def row_of(order: Order, event: str) -> Transition:
    """The row of an event in the order's state. Raises Refused when there is none."""
    row = TABLE.get((order.state, event))
    if row is None:
        now = STATES[order.state] if order.state else None
        raise Refused(
            "not_now",
            f"工单当前状态（{now.zh if now else '未建'}）不允许此操作",
            f"The order's state ({now.en if now else 'not begun'}) does not allow this",
        )
    return row


def _answer(order: Order, event: str, who: Who, given: Given, now: datetime, rules: Rules) -> Moved:
    """The second person agrees with what was proposed, or does not; who proposed may take it back."""
    proposal = order.proposal
    if proposal is None:
        raise Refused("nothing_proposed", "没有待复核的操作", "Nothing waits for a second person")
    row = TABLE[order.state, proposal.event]
    if event == DECLINE:
        if not (_own(order, who) or _may_answer(order, row, who)):
            raise _not_allowed()
        if wrong := faults(("reason",), given):
            raise Refused("incomplete", "请补全必填项", "Please fill in what is required", wrong)
        machines = _machines(order, row, who, given, f"{DECLINE}_{row.event}") or order.machines
        moved = replace(order, machines=machines, proposal=None)
        entry = _entry(order, order.state, DECLINE, who, _named(row.second, who), given, now)
        return Moved(replace(moved, version=order.version + 1), entry)
    if who.login == proposal.who.login:
        raise Refused("second_person", "须由另一人复核", "It takes another person")
    if not _may_answer(order, row, who):
        raise _not_allowed()
    role = _role(order, row, proposal.who)
    if why := _why_not_agree(order, proposal, row, who, now, rules):
        raise Refused("not_yet", *why)
    return _move(order, row, role, proposal.who, proposal.given, now, rules, second=who)


def _why_not_agree(order: Order, proposal: Proposal, row: Transition, who: Who, now: datetime, rules: Rules) -> Why:
    """What stands against the second person's word, or against what was proposed, now."""
    for name in set(row.guards) & OF_PERSON:
        if why := GUARDS[name](order, who, {}, now, rules):
            return why
    if why := _why_not(order, row, proposal.who, proposal.given, now, rules, of_given=True):
        return why
    went_on = _machines(order, row, proposal.who, proposal.given, step(row.event, proposal.given)) is None
    return _WRONG_STEP if went_on else None


def _propose(order: Order, row: Transition, role: str, who: Who, given: Given, now: datetime) -> Moved:
    if order.proposal is not None:
        raise Refused("proposed_already", *_WAITS)
    machines = _machines(order, row, who, given, f"propose_{row.event}")
    proposal = Proposal(row.event, dict(given), who, now)
    moved = replace(order, proposal=proposal, machines=machines or order.machines, version=order.version + 1)
    return Moved(moved, _entry(order, order.state, f"propose_{row.event}", who, role, given, now))


def _move(
    order: Order,
    row: Transition,
    role: str,
    who: Who,
    given: Given,
    now: datetime,
    rules: Rules,
    second: Who | None = None,
) -> Moved:
    machines = _machines(order, row, who, given, step(row.event, given))
    if machines is None:
        raise _wrong_step()
    moved = replace(
        order,
        state=row.to,
        # What was proposed in another state has lost its ground.
        proposal=None if second or row.to is not order.state else order.proposal,
        state_since=now if row.to is not order.state else order.state_since,
        machines=machines,
        version=order.version + 1,
        **changes(order, row.event, who, given, now),
    )
    entry = _entry(order, row.to, row.event, who, role, given, now, second)
    return Moved(moved, entry, row.clocks, row.notices, follow_ups(moved, row.event, now, rules))


def _entry(
    order: Order,
    to: State | None,
    event: str,
    who: Who,
    role: str,
    given: Given,
    now: datetime,
    second: Who | None = None,
) -> Entry:
    if to is None:
        raise Refused("not_now", "工单尚未建立", "The order has not begun")
    reason = str(given.get("reason") or "")
    return Entry(who.login, role, second.login if second else None, event, order.state, to, reason, given, now)


def _check_given(order: Order, row: Transition, given: Given) -> None:
    """Raise Refused when fields lack or are wrong, or the kind of request needs another way."""
    if row.state is None or (row.state is State.DRAFT and set(row.needs) <= OF_FORM):
        # The order form is typed by itself (form.py); an empty field counts as not given.
        wrong = {name: "必填 / required" for name in row.needs if not str(given.get(name) or "").strip()}
    else:
        wrong = faults(row.needs, given)
    if wrong:
        raise Refused("incomplete", "请补全必填项", "Please fill in what is required", wrong)
    if row.modes is not None and order.mode not in row.modes:
        raise Refused(
            "must_be_dispatched",
            "此类诉求不能直接办结，须转研判或派单",
            "Requests of this kind cannot be closed at once: send them to support staff or for dispatch",
            {"kind": "须转研判或派单 / must be sent to support staff or for dispatch"},
        )


#: Fields of the order form (form.py) that events from a draft ask for.
OF_FORM: Final = frozenset({"kind", "urgency", "category", "subject", "description"})


def _why_not(
    order: Order, row: Transition, who: Who, given: Given, now: datetime, rules: Rules, *, of_given: bool
) -> Why:
    """The first guard that stands against it. Without `of_given`, of those that need nothing given."""
    for name in row.guards:
        if name not in GUARDS or (name in OF_GIVEN and not of_given):
            continue
        if why := GUARDS[name](order, who, given, now, rules):
            return why
    return None


def _role(order: Order, row: Transition, who: Who) -> str:
    """The role by which somebody may cause it. Raises Refused."""
    role = _finds_role(order, row, who)
    if role is not None:
        return role
    if not row.who & who.roles:
        raise _not_allowed()
    raise Refused("not_your_unit", "工单不属于您的单位", "The order is not your unit's")


def _finds_role(order: Order, row: Transition, who: Who) -> str | None:
    for role in sorted(row.who & who.roles):
        if role not in UNIT_ROLES or row.unit == "" or who.unit in _units(order, row.unit):
            return role
    return None


def _units(order: Order, which: str) -> set[str]:
    """The units whose people may act: the lead; the co-units; all who are party to it."""
    if which == "co":
        return set(order.co)
    lead = {order.lead} if order.lead else set()
    return lead | set(order.co) | set(order.refused_by) if which == "party" else lead


def _needs_second(row: Transition, who: Who, given: Given) -> bool:
    if not row.second or row.alone & who.roles:
        return False
    return not any(given.get(name) == value for name, _, value in (one.partition("=") for one in row.alone) if value)


def _may_answer(order: Order, row: Transition, who: Who) -> bool:
    if order.proposal is None or who.login == order.proposal.who.login:
        return False
    return any(role not in UNIT_ROLES or who.unit in _units(order, "lead") for role in row.second & who.roles)


def _own(order: Order, who: Who) -> bool:
    return order.proposal is not None and order.proposal.who.login == who.login


def _named(roles: frozenset[str], who: Who) -> str:
    return next(iter(sorted(roles & who.roles)), next(iter(sorted(who.roles)), ""))


def _machines(
    order: Order, row: Transition, who: Who, given: Given, event: str, *, check: bool = False
) -> Mapping[str, str] | None:
    """The small machines after an event; None when one that the event is for does not allow it.

    An act is for the machines that name it, and so is a transition with the guard `machine`; others ride along.
    `check`: whether it may be, before anything is given: then any co-unit's whistle may be meant, or a new one's.
    """
    moved = dict(order.machines)
    named = allowed = False
    for machine, events in MACHINES.items():
        if machine == WHISTLE or event not in events:
            continue
        named = True
        was = order.machines.get(machine, "-")
        to = next((to for before, to in events[event] if before in (was, "*")), None)
        if to is not None:
            allowed = True
            moved[machine] = to
    if named and not allowed and (row.act or "machine" in row.guards):
        return None
    if event in MACHINES[WHISTLE]:
        units = _co_units(order, row, who) if check else [_co_unit(who, given)]
        if all(whistle(order, event, unit) is None for unit in units):
            return None
    return moved


def _co_unit(who: Who, given: Given) -> str:
    return str(given.get("co_unit") or who.unit or "")


def _co_units(order: Order, row: Transition, who: Who) -> list[str]:
    """Co-units that an event can mean before any is named; empty for one that is not in it yet."""
    if "co_unit" in row.needs:
        return [*order.co, ""]
    return [who.unit] if who.unit is not None and who.unit in order.co else list(order.co)


def whistle(order: Order, event: str, unit: str) -> str | None:
    """The state of a co-unit's whistle after an event; None when it does not allow it."""
    was = order.co.get(unit, "-")
    return next((to for before, to in MACHINES[WHISTLE][event] if before == was), None)


def _not_allowed() -> Refused:
    return Refused("not_allowed", "您没有此项权限", "You are not allowed to do this")


def _wrong_step() -> Refused:
    return Refused("not_now", *_WRONG_STEP)


_WRONG_STEP: Final = ("此事项当前阶段不允许此操作", "The matter has not come to this, or is past it")
