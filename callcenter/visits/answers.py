"""What citizens answer themselves (网上、短信回访), and their way back to the unit (重新办理): for other rooms."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.workorders.flow import Refused
from callcenter.workorders.given import faults
from callcenter.workorders.guards import is_satisfied
from callcenter.workorders.move import Answer, move
from callcenter.workorders.order import Who
from callcenter.workorders.policies import Policies

#: Who acts when a citizen does, having shown who they are: the door through which they came has seen to that.
CITIZEN: Final = Who("citizen", frozenset({"citizen"}))
NEEDS: Final = ("contacted", "resolved", "satisfied_result", "satisfied_attitude", "comment?")


async def record_answer(
    connection: AsyncConnection,
    policies: Policies,
    code: str,
    given: Mapping[str, Any],
    now: datetime,
    *,
    how: Literal["web", "text"],
    key: UUID | None = None,
) -> Answer:
    """Write down the four answers of a citizen, in the caller's transaction; who is not satisfied comes to a judge.

    Args:
        given: the four questions, and `comment` in the citizen's words if any.
        key: names the message, so that it counts once.

    Raises NoOrder, KeyTaken, Refused: the order does not wait for a visit (any more), answers lack or are wrong.
    """
    if wrong := faults(NEEDS, given):
        raise Refused("incomplete", "请补全必填项", "Please fill in what is required", wrong)
    event = "visit_satisfied" if is_satisfied(given) else "visit_unsatisfied"
    return await move(connection, policies, code, event, CITIZEN, {**given, "answered_by": how}, now, key=key)


async def reopen(
    connection: AsyncConnection,
    policies: Policies,
    code: str,
    reason: str,
    why: Literal["new_facts", "unmet", "false_reply"],
    now: datetime,
    *,
    key: UUID | None = None,
) -> Answer:
    """Let the unit handle a closed order again (重新办理), within 30 days, at the citizen's wish.

    Raises NoOrder, KeyTaken, Refused: it is not closed, or the time for it is over.
    """
    given = {"reopen_reason": why, "reason": reason}
    return await move(connection, policies, code, "reopen", CITIZEN, given, now, key=key)
