"""Time limits of orders (时限), domain.md 3.5. Pure.

A limit in working days does not count the day on which it starts and ends with its last day; one in hours runs by the
wall, day and night. While an order waits for somebody else its clocks stand still: what is left of them is counted
anew from the day on which they go on. A clock is always reckoned from its start, through its extension and its pauses,
so it can be reckoned again when a notice of holidays is loaded, or the urgency changes.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from callcenter.calendars.days import (
    MIDNIGHT,
    Due,
    WorkingDays,
    WorkingHours,
    add_working_days,
    add_working_time,
    due_after_days,
    subtract_working_time,
    working_days_between,
    working_time,
)
from callcenter.workorders.order import Clock, Order, Pause

_HERE: Final = Path(__file__).parent
_INSTANT: Final = timedelta(microseconds=1)

#: When a suspension is looked at again on its review day: minutes after midnight.
REVIEW_AT: Final = 9 * 60
#: The share of a limit in per cent at which it is over.
END: Final = 100

_CLOCK_TIME: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}
UNITS: Final = ("minute", "hour", "working_hour", "working_day", "day")


@dataclass(frozen=True, slots=True)
class Policy:
    """How long one limit is: so many of a unit. Cities differ, so these are data (时限规则)."""

    code: str
    value: int
    unit: str


@dataclass(frozen=True, slots=True)
class Kind:
    """What one clock is for.

    Args:
        work: somebody must do something until then, and has it in the inbox by that time.
        remind: told before its end (50, 80 %) and after it (120 %), too; see `stages`.
        then: the event that its end causes; empty when its end only tells.
        whose: the role that is told, or `lead`, `co_unit`, `unit_leader`, `citizen`; empty for nobody.
        late: who is told of its end beside, as in `whose`; `centre`: the follow-up officer, else the supervisor.
    """

    name: str
    work: bool
    remind: bool
    then: str
    whose: str
    late: str


@dataclass(frozen=True, slots=True)
class Rules:
    """By what limits are reckoned: a version of the policies, and the calendar as far as it is known.

    `ends`: minutes after midnight at which the last day of a limit is over: 1440, or 1080 for 18:00.
    `measures`: numbers of returns, tries and reminders, hours of visits, by the codes of measures.csv; the release's
    unless told.
    """

    version: int
    policies: Mapping[str, Policy]
    days: WorkingDays
    hours: WorkingHours
    ends: int = MIDNIGHT
    measures: Mapping[str, int] = field(default_factory=lambda: {code: each.value for code, each in MEASURES.items()})


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


#: What else cities set for themselves (其他规则), by code: `o_clock` is minutes after midnight.
MEASURES: Final[dict[str, Policy]] = {
    row["code"]: Policy(row["code"], int(row["value"]), row["unit"]) for row in _rows("measures.csv")
}
#: Those of no single order: they hold for all at once. The others an order keeps, as it keeps its limits.
AT_ONCE: Final = frozenset(
    code for code, each in MEASURES.items() if each.unit == "o_clock" or code.startswith(("AUDIT-", "MERGE-"))
)
#: The policies that this release brings, version 1.
POLICIES: Final = {row["code"]: Policy(row["code"], int(row["value"]), row["unit"]) for row in _rows("policies.csv")}
#: The clocks of co-units, `T-CO:UNIT`, and the states of a whistle (吹哨) in which it is waited for.
CO_UNITS: Final = "T-CO"
WAITED_FOR: Final = ("blown", "attending")
#: Clocks without a policy (内部期限): their last day is given, and of co-units (协办) each has one of its own.
OF_DAY: Final = {"T-REVIEW": "review_day", "T-INNER": "inner_due", "T-CO": "inner_due"}
#: What each of both is called, in Chinese and English, in their order.
NAMES: Final = {row["code"]: (row["zh"], row["en"]) for name in ("policies.csv", "measures.csv") for row in _rows(name)}
KINDS: Final = {
    row["name"]: Kind(row["name"], row["work"] == "y", row["remind"] == "y", row["then"], row["whose"], row["late"])
    for row in _rows("clocks.csv")
}


def turn(order: Order, words: Iterable[str], given: Mapping[str, Any], now: datetime, rules: Rules) -> Order:
    """The order with its clocks after an event, in the table's words.

    `start:NAME` (unless it runs), `restart:`, `since_receipt:`, `stop:` (met, or missed), `drop:NAME` or `drop:all`,
    `pause`, `resume`, `extend:NAME` (by what is given), `again:NAME` (the kind or urgency has changed). Of co-units'
    clocks `stop:T-CO` means those of units that have replied or were marked absent.

    Args:
        order: after the event.
        now: in the city's time zone.
    """
    clocks = list(order.clocks)
    for word in words:
        act, _, name = word.partition(":")
        if name == CO_UNITS:
            clocks = _of_co_units(order, clocks, act, given, now, rules)
            continue
        at = next((i for i, clock in enumerate(clocks) if clock.name == name and clock.ended_at is None), None)
        if act in ("stop", "restart") and at is not None:
            clocks[at] = replace(_resumed(clocks[at], now, rules), ended_at=now)
            at = None
        if act in ("start", "restart", "since_receipt") and at is None:
            begun = order.created_at if act == "since_receipt" else now
            if (clock := start(order, name, given, begun, rules)) is not None:
                clocks.append(clock)
        elif act == "drop":
            clocks = [_dropped(clock, now) if name in ("all", clock.name) else clock for clock in clocks]
        elif act == "pause":
            clocks = [replace(clock, paused_at=now) if clock.running else clock for clock in clocks]
        elif act == "resume":
            clocks = [_resumed(clock, now, rules) for clock in clocks]
        elif act == "extend" and at is not None:
            clock = replace(clocks[at], extended=clocks[at].extended + given["extension_length"])
            clocks[at] = _still_to_tell(reckoned(clock, rules), now, rules)
        elif act == "again" and at is not None and (policy := policy_of(order, name, given, rules)) is not None:
            clock = replace(clocks[at], policy=policy.code, value=policy.value, unit=policy.unit, extended=0)
            clocks[at] = _still_to_tell(reckoned(clock, rules), now, rules)
    return replace(order, clocks=tuple(clocks))


def kind_of(clock: Clock) -> Kind:
    """What a clock is for; of those of co-units (协办) each has its unit in its name."""
    return KINDS[clock.name.partition(":")[0]]


def start(order: Order, name: str, given: Mapping[str, Any], at: datetime, rules: Rules) -> Clock | None:
    """A clock that starts; None when no policy limits this, or no day was given."""
    if name == "T-REVIEW":
        due = rules.days.moment(date.fromisoformat(given["review_day"]), REVIEW_AT)
        return Clock(name, name, 1, "day", at, due, due)
    if name in OF_DAY:
        if not given.get(OF_DAY[name]):
            return None
        days = (date.fromisoformat(given[OF_DAY[name]]) - rules.days.today(at)).days
        return reckoned(Clock(name, name, days, "day", at, at, at), rules)
    policy = policy_of(order, name, given, rules)
    if policy is None:
        return None
    return reckoned(Clock(name, policy.code, policy.value, policy.unit, at, at, at), rules)


def policy_of(order: Order, name: str, given: Mapping[str, Any], rules: Rules) -> Policy | None:
    """The row for this order: by its urgency, its kind, its state, its level of urging, else the plain one."""
    for which in (order.urgency, order.kind, str(order.state), str(order.urge_level)):
        if policy := rules.policies.get(f"{name}-{which}"):
            return policy
    return rules.policies.get(name)


def reckoned(clock: Clock, rules: Rules) -> Clock:
    """The clock with its due moments as its start, extension, pauses and the calendar make them."""
    if clock.name == "T-REVIEW":
        return clock  # its day was given
    due = _due(clock, clock.value + clock.extended, rules)
    first = _due(clock, clock.value, rules) if clock.extended else due
    return replace(clock, due_at=due.at, first_due_at=first.at, provisional=due.provisional)


def due_moments(clock: Clock, stage: int, rules: Rules) -> datetime:
    """When so many per cent of a clock's limit are over; limits in days are divided in office hours.

    It is counted back from the end, so pauses and extensions move it along.
    """
    length, ahead = clock.value + clock.extended, stage > END
    part = abs(END - stage)
    match clock.unit:
        case "working_day" | "working_hour":
            hour = timedelta(hours=1)
            whole = length * (_office_day(rules) if clock.unit == "working_day" else hour)
            count = add_working_time if ahead else subtract_working_time
            return count(rules.hours, clock.due_at, whole * part / 100).at
        case unit:
            whole = length * _CLOCK_TIME.get(unit, timedelta(days=1))
            return clock.due_at + whole * part / 100 * (1 if ahead else -1)


def stages(rules: Rules) -> tuple[int, int, int, int]:
    """Shares of a limit in per cent at which somebody is told: twice before its end, at it, after (domain.md R90)."""
    measures = rules.measures
    return measures["REMIND-FIRST"], measures["REMIND-SECOND"], END, measures["REMIND-LATE"]


def next_stage(clock: Clock, rules: Rules) -> int | None:
    """The stage that is told next; None when there is none."""
    kind = kind_of(clock)
    if not clock.running or not (kind.work or kind.remind or kind.then):
        return None
    to_tell = stages(rules) if kind.remind else (END,)
    return next((stage for stage in to_tell if stage > clock.reminded), None)


def next_at(clock: Clock, rules: Rules) -> datetime | None:
    """When the sweep must look at a clock; None when it need not."""
    stage = next_stage(clock, rules)
    if stage is None:
        return None
    # The last moment of a limit is still in time.
    return clock.due_at + _INSTANT if stage == END else max(clock.started_at, due_moments(clock, stage, rules))


def wake_at(order: Order, rules: Rules) -> datetime | None:
    """When the sweep must look at an order."""
    return min((at for clock in order.clocks if (at := next_at(clock, rules))), default=None)


def due_at(order: Order) -> datetime | None:
    """Until when something must be done for an order: what inboxes are sorted by."""
    return min((clock.due_at for clock in order.clocks if clock.running and kind_of(clock).work), default=None)


def turning(clock: Clock, now: datetime, rules: Rules) -> list[tuple[datetime, datetime]]:
    """When a clock turns until its limit is over: what is left of it is what of these stretches lies after `now`.

    The first is the one in which `now` lies, or the next. One in working days turns on those, from midnight to
    midnight; one in working hours in office hours; others always. For one that stands still it is the moment of the
    pause that counts, not `now`. Nothing is left of one that has ended.
    """
    begin = clock.paused_at or now
    if clock.ended_at is not None or begin >= clock.due_at:
        return []
    days = rules.days
    first, last = days.today(begin), days.today(clock.due_at - _INSTANT)
    dates = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    match clock.unit:
        case "working_day":
            whole = [(days.moment(day, 0), days.moment(day, MIDNIGHT)) for day in dates if days.works(day)]
        case "working_hour":
            whole = [span for day in dates for span in rules.hours.on(day)]
        case _:
            whole = [(clock.started_at, clock.due_at)]
    found: list[tuple[datetime, datetime]] = []
    for since, until in whole:
        until = min(until, clock.due_at)
        if found and found[-1][1] == since:
            found[-1] = (found[-1][0], until)
        elif begin < until and since < until:
            found.append((since, until))
    return found


def overdue_by(clock: Clock, days: int, now: datetime, rules: Rules) -> bool:
    """Whether so many whole working days have passed since a limit was over."""
    return now > due_after_days(rules.days, clock.due_at - _INSTANT, days, ends=rules.ends).at


def told(clock: Clock, stage: int) -> Clock:
    """The clock after a stage of it has been told."""
    return replace(clock, reminded=stage)


def _still_to_tell(clock: Clock, now: datetime, rules: Rules) -> Clock:
    """A limit that has become longer is told anew: what of it is over is not."""
    clock = replace(clock, reminded=0)
    for stage in stages(rules) if kind_of(clock).remind else ():
        if due_moments(clock, stage, rules) <= now and stage < END:
            clock = replace(clock, reminded=stage)
    return clock


def _due(clock: Clock, length: int, rules: Rules) -> Due:
    match clock.unit:
        case "working_day":
            due = due_after_days(rules.days, clock.started_at, length, ends=rules.ends)
        case "working_hour":
            due = add_working_time(rules.hours, clock.started_at, timedelta(hours=length))
        case "day":
            last = rules.days.today(clock.started_at) + timedelta(days=length)
            due = Due(rules.days.moment(last, MIDNIGHT), False)
        case unit:
            due = Due(clock.started_at + length * _CLOCK_TIME[unit], False)
    for pause in clock.pauses:
        due = _shifted(clock.unit, due, pause, rules)
    return due


def _shifted(unit: str, due: Due, pause: Pause, rules: Rules) -> Due:
    """A due moment after a pause: what was left when it began is left when it is over."""
    if pause.since > due.at:
        return due  # it was over already, and a pause repairs nothing
    days = rules.days
    match unit:
        case "working_day":
            left = working_days_between(days, days.today(pause.since), days.today(due.at - _INSTANT))
            last = add_working_days(days, days.today(pause.until), left)
            moved = Due(days.moment(last.day, rules.ends), last.provisional)
        case "working_hour":
            left_time = working_time(rules.hours, pause.since, due.at)
            moved = add_working_time(rules.hours, pause.until, left_time)
        case "day":
            passed = days.today(pause.until) - days.today(pause.since)
            moved = Due(days.moment(days.today(due.at - _INSTANT) + passed, MIDNIGHT), False)
        case _:
            moved = Due(due.at + (pause.until - pause.since), False)
    return Due(max(due.at, moved.at), due.provisional or moved.provisional)


def _resumed(clock: Clock, now: datetime, rules: Rules) -> Clock:
    """Going on after a pause; one that did not stand still is as it was."""
    if clock.ended_at is not None or clock.paused_at is None:
        return clock
    return reckoned(replace(clock, paused_at=None, pauses=(*clock.pauses, Pause(clock.paused_at, now))), rules)


def _of_co_units(
    order: Order, clocks: list[Clock], act: str, given: Mapping[str, Any], now: datetime, rules: Rules
) -> list[Clock]:
    """The clocks after a word about those of co-units."""
    if act == "start":
        clock = start(order, CO_UNITS, given, now, rules)
        return [*clocks, replace(clock, name=f"{CO_UNITS}:{given['co_unit']}")] if clock is not None else clocks
    waits = {unit for unit, state in order.co.items() if act == "stop" and state in WAITED_FOR}
    return [
        clock
        if kind_of(clock).name != CO_UNITS or clock.ended_at is not None or clock.name.partition(":")[2] in waits
        else replace(_resumed(clock, now, rules), ended_at=now, dropped=act == "drop")
        for clock in clocks
    ]


def _dropped(clock: Clock, now: datetime) -> Clock:
    return clock if clock.ended_at is not None else replace(clock, ended_at=now, dropped=True)


def _office_day(rules: Rules) -> timedelta:
    return timedelta(minutes=sum(last - first for first, last in rules.hours.spans))
