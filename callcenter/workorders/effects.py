"""What an event changes in an order, beside its state, clocks and small machines. Pure."""

from datetime import datetime
from typing import Any, Final

from callcenter.workorders.deadlines import Rules
from callcenter.workorders.guards import Given, all_tried, refusing
from callcenter.workorders.order import INTERVIEW, RED, REMINDER, WRITTEN, YELLOW, Order, Who

#: The urgency (特急) of danger to life or to the public: what it is given to stays public danger (涉公共安全).
CRITICAL: Final = "U1"

#: Notices that are sent from a level of urging on: to the reviewer, to oversight and assessment (抄送), domain.md 3.4.
FROM_LEVEL: Final = {"urged_in_writing": WRITTEN, "red_card": RED}
#: What the service says when it urges an order whose time is over.
OVERDUE: Final = "超期 / overdue"

#: How a visit was answered: the four questions (回访四问).
VISIT: Final = ("contacted", "resolved", "satisfied_result", "satisfied_attitude")
#: What became of a try to visit without answers (回访未成); `later`: the citizen named another time.
NO_ANSWER, BUSY, WRONG_NUMBER, REFUSED, LATER = "no_answer", "busy", "wrong_number", "refused", "later"


def changes(order: Order, event: str, who: Who, given: Given, now: datetime) -> dict[str, Any]:
    """Fields of the order that an event changes, with their new values."""
    match event:
        case "dispatch":
            officer = given.get("follow_up_officer") or order.follow_up_officer
            named = {"lead": given["lead"], "co": _blown(given), "handler": None, "dispatched_by": who.login}
            # A ruling that was set aside with a reason no longer binds.
            return named | {"follow_up_officer": officer, "bound": order.bound and given["lead"] == order.lead}
        case "accept_certain" | "to_dispatch":
            return _classified(order, given)
        case "sign":
            return {"handler": given.get("handler") or order.handler}
        case "assign_handler" | "sub_dispatch":
            return {"handler": given.get("handler") or order.handler}
        case "ask_return":
            return {"returns": order.returns + 1}
        case "approve_return" | "open_dispute" | "claim_not_ours":
            return {"refused_by": tuple(sorted(refusing(order)))}
        case "rule" | "rule_joint":
            return {"lead": given["lead"], "co": _blown(given), "bound": True, "handler": None, "contacted_at": None}
        case "first_contact":
            return {"contacted_at": order.contacted_at or now}
        case "add_co_unit" | "blow_whistle" | "attend" | "mark_absent" | "co_reply" | "score_co_unit":
            return {"co": {**order.co, str(given.get("co_unit") or who.unit): _WHISTLE[event]}}
        case "urge" | "repeat":
            return _urged(order, who, given)
        case "supervise":
            return {"urge_level": max(order.urge_level, YELLOW if given["card"] == "yellow" else RED)}
        case "advise_interview":
            return {"urge_level": INTERVIEW}
        case "reply":
            return {"replied_by": who.login}
        case "visit_no_answer":
            result = given.get("try_result") or NO_ANSWER
            return {"tries": (*order.tries, now), "visit": _planned(order) | {"last": result}}
        case "visit_later":
            return {"visit": _planned(order) | {"last": LATER, "later_at": given["later_at"]}}
        case "visit_by_text":
            return {"visit": {**order.visit, "texted_at": now.isoformat()}}
        case "visit_satisfied":
            return {"visit": _answers(given, who), "closing": "satisfied"}
        case "visit_unsatisfied":
            return {"visit": _answers(given, who)}
        case "visit_exhausted":
            return {"closing": "no_visit" if _refused(order) else "unreachable"}
        case "audit_pass_no_visit":
            return {"closing": "no_visit"}
        case "out_of_duty" | "unreasonable":
            return {"closing": event}
        case "reasonable":
            level = min(order.urge_level + 1, RED)
            return {"rehandles": order.rehandles + 1, "urge_level": level, "tries": (), "visit": {}}
        case "reasonable_again":
            level = max(order.urge_level, RED)
            return {"rehandles": order.rehandles + 1, "urge_level": level, "tries": (), "visit": {}}
        case "reopen":
            return {"closing": None, "tries": (), "visit": {}}
        case "master_closed":
            # Who handled it handles it again, when its citizen is not satisfied.
            return {"lead": given.get("lead") or order.lead}
        case "merge":
            return {"master": given["master"]}
        case "unmerge":
            return {"master": None}
        case "remove_person":
            return {"anonymous": True}
        case "raise_urgency":
            return {"urgency": given["urgency"], "public_danger": order.public_danger or given["urgency"] == CRITICAL}
        case "lower_urgency":
            return {"urgency": given["urgency"]}
        case _:
            return {}


def follow_ups(order: Order, event: str, now: datetime, rules: Rules) -> tuple[str, ...]:
    """What the service causes at once: the last return is a dispute by itself (R72), the last vain try the end."""
    if event == "ask_return" and order.returns >= rules.measures["RETURN-MOST"]:
        return ("open_dispute",)
    if event == "visit_no_answer" and (_refused(order) or all_tried(order, now, rules)):
        return ("visit_exhausted",)
    return ()


_WHISTLE: Final = {
    "add_co_unit": "blown",
    "blow_whistle": "blown",
    "attend": "attending",
    "mark_absent": "absent",
    "co_reply": "done",
    "score_co_unit": "scored",
}


def _blown(given: Given) -> dict[str, str]:
    return dict.fromkeys(given.get("co_units") or (), "blown")


def _classified(order: Order, given: Given) -> dict[str, Any]:
    """The category that was found out; the unit that the one before stood for is none any more."""
    category = given.get("category") or order.category
    return {"category": category, "lead": order.lead if category == order.category else None}


def step(event: str, given: Given) -> str:
    """The name by which the small machines know an event: who wants no visit has not just been missed."""
    return "visit_refused" if event == "visit_no_answer" and given.get("try_result") == REFUSED else event


def unwanted(order: Order) -> bool:
    """Whether a text to the citizen would reach somebody else, or who wants no visit."""
    return order.visit.get("last") in (WRONG_NUMBER, REFUSED)


def _refused(order: Order) -> bool:
    return order.visit.get("last") == REFUSED


def _planned(order: Order) -> dict[str, Any]:
    """What is known of the visit to come; a time that was named is over with the next try."""
    return {name: value for name, value in order.visit.items() if name != "later_at"}


def _answers(given: Given, who: Who) -> dict[str, Any]:
    """The answers, and who asked: another person judges them. `how`: by telephone, text or page."""
    how = given.get("answered_by") or ("web" if who.roles & {"citizen", "enterprise"} else "phone")
    return {name: given[name] for name in VISIT} | {"by": who.login, "how": how}


def _urged(order: Order, who: Who, given: Given) -> dict[str, Any]:
    """Once by the citizen or before the time is over is a reminder; by an officer, later or again it is in writing."""
    by_citizen = bool(who.roles & {"citizen", "enterprise"})
    urges = order.urges + by_citizen
    late = "system" in who.roles and given.get("message") == OVERDUE
    written = bool(who.roles & {"follow_up", "supervisor"}) or urges >= 2 or late
    level = WRITTEN if written else REMINDER
    return {"urges": urges, "urge_level": max(order.urge_level, level)}
