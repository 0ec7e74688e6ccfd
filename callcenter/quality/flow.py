"""Quality review (质检), the pure rules: which calls are drawn, what a grade is worth, how an agent may object.

A draw can be repeated and explained: each call's lot is the SHA-256 of the week's seed and the call, and the smallest
lots are drawn. Domain.md 4.2: who is judged does not judge; an appeal is decided by another person than the grader.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from typing import Final

from callcenter.quality.form import SCALES, Form, Sampling

#: The stratum of what is drawn from all calls, whatever kind they are of.
ANY: Final = "any"
_TENTH: Final = Decimal("0.1")


class Refused(Exception):
    """The rules do not allow it. `fields`: name -> what is wrong with it."""

    def __init__(self, code: str, zh: str, en: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code, self.zh, self.en, self.fields = code, zh, en, dict(fields or {})


# --- drawing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidate:
    """One agent's part in one call. `parties`: everyone who talked in it; `satisfied`: None when nobody was asked."""

    call_id: str
    login: str
    talk_ms: int
    transferred: bool
    satisfied: bool | None
    confidential: bool
    parties: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pick:
    """A call that was drawn: by which stratum, with which lot, out of how many that stood there."""

    candidate: Candidate
    stratum: str
    lot: str
    pool: int


@dataclass(frozen=True, slots=True)
class Reviewer:
    login: str
    may_confidential: bool


def week_of(day: date) -> date:
    """The Monday of the week in which a day lies."""
    return day - timedelta(days=day.weekday())


def lot(seed: str, call_id: str, login: str) -> str:
    """A call's lot in a draw: SHA-256 of seed, call and agent, divided by spaces, in hexadecimal."""
    return hashlib.sha256(f"{seed} {call_id} {login}".encode()).hexdigest()


def strata_of(call: Candidate, rule: Sampling) -> set[str]:
    """The kinds of which a call is."""
    found = {
        "unsatisfied": call.satisfied is False,
        "transferred": call.transferred,
        "long": call.talk_ms >= rule.long_seconds * 1000,
        "short": call.talk_ms < rule.short_seconds * 1000,
    }
    return {code for code, true in found.items() if true} | {ANY}


def draw(
    candidates: Iterable[Candidate],
    rule: Sampling,
    seed: str,
    *,
    drawn: Mapping[tuple[str, str], str],
    confidential: bool = False,
) -> list[Pick]:
    """What is drawn of a week's calls (分层抽样), agent by agent.

    Args:
        seed: the week's.
        drawn: (call, agent) -> stratum of what was drawn of this week before; it counts, and is not drawn again.
        confidential: whether calls of confidential orders may be drawn.

    The strata come in the rule's order; what is left of an agent's share is drawn from all of the agent's calls.
    """
    calls: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        if confidential or not candidate.confidential:
            calls[candidate.login].append(candidate)
    picks: list[Pick] = []
    for login in sorted(calls):
        lots = sorted((lot(seed, call.call_id, login), call) for call in _by_id(calls[login]))
        taken = {call_id for call_id, agent in drawn if agent == login}
        had = Counter(stratum for (_, agent), stratum in drawn.items() if agent == login)
        left = rule.per_agent - len(taken)
        for code, take in [*((each.code, each.take) for each in rule.strata), (ANY, rule.per_agent)]:
            standing = [(number, call) for number, call in lots if code in strata_of(call, rule)]
            free = [(number, call) for number, call in standing if call.call_id not in taken]
            for number, call in free[: max(0, min(left, take if code == ANY else take - had[code]))]:
                picks.append(Pick(call, code, number, len(standing)))
                taken.add(call.call_id)
                left -= 1
    return picks


def _by_id(calls: Iterable[Candidate]) -> list[Candidate]:
    """Each call once: twice the same would be two lots of one paper."""
    return list({call.call_id: call for call in calls}.values())


def assign(
    picks: Iterable[Pick], reviewers: Sequence[Reviewer], load: Mapping[str, int]
) -> list[tuple[Pick, str | None]]:
    """Who looks at what: whoever has least to do, never at a call in which they talked.

    Args:
        load: reviewer -> reviews still to do.

    None where nobody may: whoever can later takes it.
    """
    todo = Counter({each.login: load.get(each.login, 0) for each in reviewers})
    out: list[tuple[Pick, str | None]] = []
    for pick in picks:
        able = [each.login for each in reviewers if may_review(each, pick.candidate)]
        chosen = min(able, key=lambda login: (todo[login], lot(pick.lot, "", login)), default=None)
        if chosen is not None:
            todo[chosen] += 1
        out.append((pick, chosen))
    return out


def may_review(reviewer: Reviewer, call: Candidate) -> bool:
    """Nobody reviews a call in which they talked, nor a confidential one without the right to."""
    mine = reviewer.login == call.login or reviewer.login in call.parties
    return not mine and (reviewer.may_confidential or not call.confidential)


# --- grading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Score:
    """What answers are worth: 0 to 100 with one decimal, cut; `fatal` names the critical items that were failed.

    `weighted` is the sum without regard to critical items.
    """

    score: Decimal
    weighted: Decimal
    fatal: tuple[str, ...]


def grade(form: Form, answers: Mapping[str, str], note: str) -> Score:
    """The worth of the answers: the weighted mean of the items that apply, zero when a critical one is failed.

    Args:
        answers: item's code -> answer of its scale, one for every item.
        note: the reason in words, needed below the form's pass mark.

    Raises Refused with the items that lack an answer, or have one that their scale does not know.
    """
    wrong: dict[str, str] = {}
    weights = worth = 0
    fatal: list[str] = []
    known = {item.code: item for item in form.items}
    for code, item in known.items():
        scale = SCALES[item.scale]
        if code not in answers:
            wrong[f"answers.{code}"] = "必填 / required"
            continue
        if answers[code] not in scale:
            wrong[f"answers.{code}"] = "没有这一档 / no such answer"
            continue
        share = scale[answers[code]]
        if share is not None:
            weights += item.weight
            worth += item.weight * share
            if item.critical and share == 0:
                fatal.append(code)
    wrong |= {f"answers.{code}": "没有这一项 / no such item" for code in answers if code not in known}
    if wrong:
        raise Refused("incomplete", "请逐项评分", "Please answer every item", wrong)
    weighted = (Decimal(worth) / Decimal(weights)).quantize(_TENTH, ROUND_DOWN)
    score = Decimal("0.0") if fatal else weighted
    if score < form.pass_at and not note.strip():
        raise Refused(
            "reason_needed",
            "低于合格分或有致命项，须写明理由",
            "A grade below the pass mark needs a reason",
            {"note": "必填 / required"},
        )
    return Score(score, weighted, tuple(fatal))


# --- the life of a review ---------------------------------------------------------------------------------------------


class State(StrEnum):
    """States of a review (质检单状态)."""

    TODO = "todo"  # 待质检
    GRADED = "graded"  # 已评分
    APPEALED = "appealed"  # 申诉中
    UPHELD = "upheld"  # 维持
    CHANGED = "changed"  # 改判


class By(StrEnum):
    """Who may cause an event."""

    REVIEWER = "reviewer"  # whom the review was given to
    AGENT = "agent"  # who was graded
    ANOTHER = "another"  # neither agent nor grader, nor anyone else who talked in the call


#: (state, event) -> next state, and who may.
TRANSITIONS: Final[dict[tuple[State, str], tuple[State, By]]] = {
    (State.TODO, "grade"): (State.GRADED, By.REVIEWER),
    (State.GRADED, "appeal"): (State.APPEALED, By.AGENT),
    (State.APPEALED, "uphold"): (State.UPHELD, By.ANOTHER),
    (State.APPEALED, "change"): (State.CHANGED, By.ANOTHER),
}


@dataclass(frozen=True, slots=True)
class Review:
    """What the rules must know of a review. `calibration`: graded by several, blind; nobody appeals against that."""

    state: State
    login: str
    reviewer: str | None
    parties: frozenset[str]
    graders: frozenset[str] = frozenset()
    graded_at: datetime | None = None
    calibration: bool = False


def advance(review: Review, event: str, *, who: str, now: datetime, appeal_days: int) -> State:
    """The state to which an event leads. Raises Refused: not now, not by this person, or too late."""
    found = TRANSITIONS.get((review.state, event))
    if found is None or (review.calibration and event != "grade"):
        raise Refused("not_now", "质检单当前状态不允许此操作", "The review's state does not allow this")
    to, by = found
    in_call = who == review.login or who in review.parties
    allowed = {
        By.REVIEWER: who == review.reviewer and not in_call,
        By.AGENT: who == review.login,
        By.ANOTHER: not in_call and who not in review.graders,
    }
    if not allowed[by]:
        raise Refused("not_yours", "此事须由他人办理", "Somebody else must do this")
    if event == "appeal" and (ends := appeal_ends(review, appeal_days)) is not None and now >= ends:
        raise Refused("too_late", f"申诉期为评分后 {appeal_days} 天，已过", "The time for an appeal has passed")
    return to


def appeal_ends(review: Review, appeal_days: int) -> datetime | None:
    """Until when the agent may appeal; None when there is nothing to appeal against."""
    if review.graded_at is None or review.state is not State.GRADED or review.calibration:
        return None
    return review.graded_at + timedelta(days=appeal_days)


def differences(form: Form, one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The items that two graders of the same call answered differently (校准差异), in the form's order."""
    return [item.code for item in form.items if one.get(item.code) != other.get(item.code)]
