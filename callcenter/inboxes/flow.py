"""What waits for whom, what it asks of them, and how much of its time is left that counts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from callcenter.calendars.days import working_days_between, working_time
from callcenter.workorders.deadlines import Rules
from callcenter.workorders.flow import TABLE
from callcenter.workorders.order import State, Who

#: Whose turn it is at a step: role -> states. People of a unit have their unit's orders, handlers and officers theirs.
STEPS: Final = {
    "operator": (State.SUBMITTED,),
    "operator_ent": (State.SUBMITTED,),
    "support": (State.INVESTIGATING,),
    "dispatcher": (State.PENDING_DISPATCH, State.RETURN_REVIEW),
    "coordinator": (State.DISPUTED,),
    "leader": (State.DISPUTED,),
    "inspector": (State.REPLIED,),
    "visitor": (State.PENDING_VISIT, State.VISIT_RETRY),
    "supervisor": (State.JUDGING, State.SUSPENDED),
}
#: What a unit has in its inbox: the rest of its orders waits for others.
IN_HAND: Final = (State.DISPATCHED, State.IN_PROGRESS, State.SUSPENDED, State.REHANDLE)
#: What a unit has asked the supervisor for, or answered: the machine and its state -> what is to be done.
ASKED: Final = {
    ("extension_request", "asked"): "decide_extension",
    ("suspension", "asked"): "decide_suspension",
    ("supervision", "replied"): "judge_card",
}
#: A card that waits for the unit -> what is to be done.
CARDS: Final = {"issued": "sign_card", "signed": "answer_card", "rejected": "answer_card"}

#: What an order asks for at its step (待办事项); confirm, help, watch and those above come before it.
TASKS: Final = {
    State.SUBMITTED: "accept",
    State.INVESTIGATING: "investigate",
    State.PENDING_DISPATCH: "dispatch",
    State.DISPATCHED: "sign",
    State.RETURN_REVIEW: "decide_return",
    State.DISPUTED: "rule",
    State.IN_PROGRESS: "handle",
    State.SUSPENDED: "review_suspension",
    State.REPLIED: "audit",
    State.PENDING_VISIT: "visit",
    State.VISIT_RETRY: "visit",
    State.JUDGING: "judge",
    State.REHANDLE: "rehandle",
}

#: Further back than this nobody counts working days.
FARTHEST: Final = timedelta(days=400)
_INSTANT: Final = timedelta(microseconds=1)


def task(
    state: State, lead: str | None, proposal: Mapping[str, Any] | None, machines: Mapping[str, str], who: Who
) -> str:
    """What an order in somebody's inbox asks of them.

    Args:
        proposal: the act that waits for a second person, with `event` and `login` of who asked for it.
        machines: the small machines that have begun -> their state.
    """
    if proposal is not None and (row := TABLE.get((state, proposal["event"]))):
        if row.second & who.roles and proposal["login"] != who.login:
            return "confirm"
        if who.unit is not None or proposal["login"] == who.login:
            return "await_second"
    if "supervisor" in who.roles:
        for (machine, asked), what in ASKED.items():
            if machines.get(machine) == asked:
                return what
    if who.unit is not None and lead != who.unit:
        return "help"
    if who.unit is not None and (card := CARDS.get(machines.get("supervision", ""))):
        return card
    if who.roles <= {"follow_up"}:
        return "watch"
    return TASKS.get(state, "watch")


Unit = Literal["minute", "working_minute", "working_day", "day"]


@dataclass(frozen=True, slots=True)
class Left:
    """So many of a unit are left until it is due, or are over since; minutes by the wall or of office hours."""

    amount: int
    unit: Unit
    over: bool


def left(unit: str, due_at: datetime, now: datetime, rules: Rules) -> Left:
    """The time that counts (剩余时限) of a limit in `unit`; 0 working days: it is due today.

    Args:
        unit: of the limit: minute, hour, working_hour, working_day, day.
    """
    over = now > due_at
    due_at = max(due_at, now - FARTHEST)
    first, last = (due_at, now) if over else (now, due_at)
    # A limit that ends at midnight ends with the day before.
    days = sorted((rules.days.today(now), rules.days.today(due_at - _INSTANT)))
    match unit:
        case "working_day":
            return Left(working_days_between(rules.days, *days), "working_day", over)
        case "day":
            return Left((days[1] - days[0]).days, "day", over)
        case "working_hour":
            return Left(working_time(rules.hours, first, last) // timedelta(minutes=1), "working_minute", over)
        case _:
            return Left((last - first) // timedelta(minutes=1), "minute", over)
