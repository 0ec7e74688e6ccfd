"""What must hold before an event (前提), by the names that transitions.csv and acts.csv use. Pure.

A guard returns None, or why not, in Chinese and English. Those that look at what is given are asked when the event
comes; the others also before, to draw buttons.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from callcenter.workorders.deadlines import WAITED_FOR, Rules, overdue_by
from callcenter.workorders.order import RED, YELLOW, Order, Who

Given = Mapping[str, Any]
Why = tuple[str, str] | None
Guard = Callable[[Order, Who, Given, datetime, Rules], Why]

GUARDS: Final[dict[str, Guard]] = {}
#: Those that cannot be asked before something is given.
OF_GIVEN: Final[set[str]] = set()

#: Those that look at who acts: the second person must pass them too.
OF_PERSON: Final = frozenset({"not_dispatcher", "not_in_unit", "not_visitor"})

CHECKS: Final = frozenset({"points", "facts", "basis", "result", "next_step", "no_personal_data", "no_promise"})


def _guard(of_given: bool = False) -> Callable[[Guard], Guard]:
    def keep(guard: Guard) -> Guard:
        name = guard.__name__.strip("_")
        GUARDS[name] = guard
        if of_given:
            OF_GIVEN.add(name)
        return guard

    return keep


def days_of_tries(order: Order, now: datetime) -> set[date]:
    """The days on which a visit was tried, in the zone of `now`."""
    return {at.astimezone(now.tzinfo).date() for at in order.tries}


def part_of_day(at: datetime) -> int:
    """0 morning, 1 afternoon, 2 evening: the slots (时段) of visits."""
    return 0 if at.hour < 12 else 1 if at.hour < 18 else 2


def refusing(order: Order) -> set[str]:
    """Units that said that it is not theirs, the one that says so now among them."""
    return {*order.refused_by, *([order.lead] if order.lead else [])}


def all_tried(order: Order, now: datetime, rules: Rules) -> bool:
    """Whether a citizen was tried often enough (domain.md 3.6), on two days at least."""
    return len(order.tries) >= rules.measures["VISIT-TRIES"] and len(days_of_tries(order, now)) >= 2


def _over(order: Order, name: str, now: datetime) -> bool:
    clock = order.clock(name)
    return clock is not None and clock.over(now)


# --- before dispatch --------------------------------------------------------------------------------------------------


@_guard(of_given=True)
def _has_category(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    return None if order.category or given.get("category") else ("须先选定事项类别", "A category must be chosen first")


@_guard()
def _limit_over(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    return None if _over(order, "T-SUPP-LIMIT", now) else ("补充期限未到", "There is still time to supply it")


@_guard(of_given=True)
def _lead_is_not_co(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    if given["lead"] in given.get("co_units", ()):
        return "主办单位不能同时协办", "The lead unit cannot be a co-unit too"
    return None


@_guard(of_given=True)
def _not_ruled_otherwise(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    if order.bound and given["lead"] != order.lead and not given.get("override"):
        return "裁定已确定主办单位", "A ruling binds it to another unit"
    return None


@_guard(of_given=True)
def _not_into_itself(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    return ("不能并入自身", "An order cannot be merged into itself") if given["master"] == order.code else None


# --- signing, returns, disputes ---------------------------------------------------------------------------------------


@_guard()
def _sign_over(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    return None if _over(order, "T-SIGN", now) else ("签收期限未到", "There is still time to sign")


@_guard()
def _in_return_time(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    clock = order.clock("T-RETURN")
    if clock is None or clock.over(now):
        return "已过退单期限", "The time for returns is over"
    return None


@_guard()
def _returns_left(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    most = rules.measures["RETURN-MOST"]
    return None if order.returns < most else (f"退单已达{most}次", f"It was returned {most} times")


@_guard()
def _not_bound(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    return ("裁定具有约束力", "The ruling is binding") if order.bound else None


@_guard()
def _disputed_enough(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    most = rules.measures["RETURN-MOST"]
    if order.returns >= most or len(refusing(order)) >= 2:
        return None
    return f"须两个单位推诿或第{most}次退单", f"Two units must have refused, or it must be return number {most}"


@_guard()
def _may_rule(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    if order.machines.get("dispute") == "leader_ruling" and "leader" not in who.roles:
        return "已提请领导裁定", "It is before the leader"
    if order.machines.get("dispute") != "leader_ruling" and not who.roles & {"coordinator", "supervisor"}:
        return "尚在协调阶段", "It is still with the coordinator"
    return None


# --- handling ---------------------------------------------------------------------------------------------------------


@_guard(of_given=True)
def _a_new_co_unit(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    if given["co_unit"] == order.lead or given["co_unit"] in order.co:
        return "该单位已在办理", "That unit is in it already"
    return None


@_guard(of_given=True)
def _inner_before_outer(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    reply, inner = order.clock("T-REPLY") or order.clock("T-REHANDLE"), given.get("inner_due")
    if inner and reply and date.fromisoformat(inner) > _last_day(reply.due_at, now):
        return "内部期限不得晚于办理期限", "The inner due date must not be later than the order's"
    if inner and date.fromisoformat(inner) < now.date():
        return "期限不能在过去", "The due date is past"
    return None


def _last_day(due: datetime, now: datetime) -> date:
    """The last day of a limit: one that ends at midnight ends with the day before."""
    return (due.astimezone(now.tzinfo) - timedelta(microseconds=1)).date()


@_guard()
def _before_due(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    clock = order.clock("T-REPLY")
    if clock is None or clock.over(now):
        return "须在期限届满前申请", "It must be asked for before the time is over"
    return None


@_guard(of_given=True)
def _extension_length(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    clock = order.clock("T-REPLY")
    if clock is None:
        return "没有可延长的期限", "No time limit is running"
    most = clock.value
    if clock.unit == "working_day":
        most = min(most, rules.measures["EXTEND-LONGEST"])
    if not 1 <= given["extension_length"] <= most:
        return f"延期最多{most}", f"At most {most} can be added"
    return None


@_guard(of_given=True)
def _review_soon(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    day = date.fromisoformat(given["review_day"])
    most = rules.measures["SUSPEND-LONGEST"]
    if not now.date() < day <= now.date() + timedelta(days=most):
        return f"复核日期须在{most}日内", f"The review must be within {most} days"
    return None


@_guard(of_given=True)
def _card_deserved(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    """What a yellow or a red card takes (domain.md 3.4), unless a leader has ordered it or a reply was false.

    After a level comes the next when it went unanswered (R84): after urging in writing a yellow card, after that a red.
    """
    if given.get("leader_order"):
        return None
    reply = order.clock("T-REPLY") or order.clock("T-REHANDLE")
    if given["card"] == "yellow":
        if order.rehandles or (reply is not None and reply.over(now)) or _over(order, "T-URGE", now):
            return None
        return "须已超期、书面催办逾期未答复或重办", "It must be overdue, its urging unanswered, or handled again"
    days, rehandles = rules.measures["RED-OVERDUE"], rules.measures["REHANDLE-MOST"]
    if order.rehandles >= rehandles or (order.urge_level >= YELLOW and _over(order, "T-CARD", now)):
        return None
    if reply is not None and overdue_by(reply, days, now, rules):
        return None
    return (
        f"须黄牌逾期未回复、超期{days}个工作日或重办{rehandles}次",
        f"A yellow card must be unanswered, or it {days} working days overdue or handled again {rehandles} times",
    )


@_guard()
def _urged_in_writing(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    return None if order.clock("T-URGE") else ("没有待答复的书面催办", "No urging in writing waits for an answer")


@_guard()
def _red_unanswered(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    if order.urge_level >= RED and _over(order, "T-CARD", now):
        return None
    return "须红牌逾期未回复", "A red card must have gone unanswered"


@_guard()
def _contacted(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    return None if order.contacted_at else ("须先联系诉求人", "The citizen must have been contacted first")


@_guard()
def _co_replied(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    lacking = [unit for unit, state in order.co.items() if state in WAITED_FOR]
    if lacking:
        return f"协办单位尚未反馈：{'、'.join(lacking)}", f"Co-units have not replied yet: {', '.join(lacking)}"
    return None


_LEVELS: Final = ("U4", "U3", "U2", "U1")


@_guard(of_given=True)
def _higher(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    if _LEVELS.index(given["urgency"]) > _LEVELS.index(order.urgency):
        return None
    return "须高于当前紧急程度", "It must be higher than it is"


@_guard(of_given=True)
def _lower(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    if _LEVELS.index(given["urgency"]) < _LEVELS.index(order.urgency):
        return None
    return "须低于当前紧急程度", "It must be lower than it is"


# --- audit, visit, judgement ------------------------------------------------------------------------------------------


@_guard(of_given=True)
def _all_checked(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    if set(given["checks"]) != CHECKS:
        return "审核项须全部通过", "Every point of the check list must hold"
    return None


@_guard()
def _not_dispatcher(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    if who.login == order.dispatched_by:
        return "派单人不能审核", "Who dispatched it cannot audit it"
    return None


@_guard()
def _not_in_unit(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    if who.login == order.replied_by or (who.unit is not None and who.unit in (order.lead, *order.co)):
        return "承办单位人员不能为此", "Nobody of the handling unit can do this"
    return None


@_guard(of_given=True)
def _no_visit_because(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    true = {"praise": order.kind == "praise", "anonymous": order.anonymous, "refused_by_citizen": True}
    return None if true[given["no_visit"]] else ("不符合免回访条件", "That is no reason to leave the visit out")


def is_satisfied(given: Given) -> bool:
    """Solved and satisfied, or basically (domain.md 3.2)."""
    return "no" not in (given["resolved"], given["satisfied_result"])


@_guard(of_given=True)
def _satisfied(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    return None if is_satisfied(given) else ("答案表示不满意", "The answers say not satisfied")


@_guard(of_given=True)
def _unsatisfied(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    return ("答案表示满意", "The answers say satisfied") if is_satisfied(given) else None


@_guard()
def _tries_left(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    most = rules.measures["VISIT-TRIES"]
    return None if len(order.tries) < most else (f"已回访{most}次", f"It was tried {most} times")


@_guard()
def _another_slot(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    """Each try in another part of a day, and the last one not on the only day of the others."""
    before = {(at.astimezone(now.tzinfo).date(), part_of_day(at.astimezone(now.tzinfo))) for at in order.tries}
    if (now.date(), part_of_day(now)) in before:
        return "此时段已回访过，请换时段", "This part of the day was tried: try another"
    if len(order.tries) == rules.measures["VISIT-TRIES"] - 1 and days_of_tries(order, now) == {now.date()}:
        return "最后一次须在另一天", "The last try must be on another day"
    return None


@_guard(of_given=True)
def _soon(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    most = rules.measures["VISIT-LATER"]
    if now < datetime.fromisoformat(given["later_at"]) <= now + timedelta(days=most):
        return None
    return f"须在将来{most}日内", f"It must be within the next {most} days"


@_guard()
def _has_person(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    return ("匿名诉求无法发送短信", "Nobody is known to write to") if order.anonymous else None


@_guard()
def _not_texted(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    return ("已发送过短信回访", "The questions were sent already") if "texted_at" in order.visit else None


@_guard()
def _not_visitor(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    """Who asked the citizen does not judge the answer: a second person does (domain.md 3.1)."""
    return ("回访人不能研判", "Who made the visit cannot judge it") if who.login == order.visit.get("by") else None


@_guard()
def _tries_over(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    if order.visit.get("last") == "refused" or all_tried(order, now, rules):
        return None
    most = rules.measures["VISIT-TRIES"]
    return f"须在两日回访满{most}次", f"{most} tries on two days are needed"


@_guard()
def _rehandles_left(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    most = rules.measures["REHANDLE-MOST"]
    return None if order.rehandles < most else (f"已重办{most}次，须红牌督办", f"Handled again {most} times: red card")


@_guard()
def _rehandles_over(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    most = rules.measures["REHANDLE-MOST"]
    return None if order.rehandles >= most else (f"重办未满{most}次", f"It was not handled again {most} times")


# --- after the end ----------------------------------------------------------------------------------------------------


@_guard()
def _in_reopen_time(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    clock = order.clock("T-REOPEN")
    if clock is None or clock.over(now):
        return "已过重新办理期限", "The time to reopen it is over"
    return None


@_guard()
def _quiet(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    return None if _over(order, "T-ARCHIVE", now) else ("归档期限未到", "It is too early to archive it")


@_guard()
def _in_follow_up_time(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    return ("已过期限", "The time for this is over") if _over(order, "T-ARCHIVE", now) else None


@_guard()
def _in_objection_time(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    most = rules.measures["OBJECT-DAYS"]
    over = now - order.state_since > timedelta(days=most)
    return (f"已过{most}日", f"{most} days are over") if over else None


@_guard()
def _no_public_danger(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    if order.public_danger:
        return "涉公共安全，可去除个人信息，工单继续办理", "Public danger: the person can be removed, the order goes on"
    return None


@_guard()
def _public_danger(order: Order, who: Who, given: Given, now: datetime, rules: Rules) -> Why:
    return None if order.public_danger else ("不涉公共安全，请撤单", "No public danger: withdraw the order")
