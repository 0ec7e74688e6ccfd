"""Seats (座席): what an agent is doing, in one word.

A seat's state is never stored; it follows from the few facts that Asterisk tells of it, so the two cannot disagree.
"""

from enum import StrEnum
from typing import Final


class SeatState(StrEnum):
    """The nine states of a seat (座席状态), as shown on wallboard and desk."""

    OFFLINE = "offline"  # 离线: nobody sits here
    READY = "ready"  # 就绪
    RINGING = "ringing"  # 振铃
    TALKING = "talking"  # 通话
    ON_HOLD = "on_hold"  # 保持: the citizen hears music
    RESERVED = "reserved"  # 预留: a citizen is being called back for this seat
    WRAP_UP = "wrap_up"  # 话后处理
    BREAK = "break"  # 小休, with a reason code
    UNREACHABLE = "unreachable"  # 失联: phone lost, or rings missed in a row


#: The states in which a call is at the seat.
IN_CALL: Final = frozenset({SeatState.RINGING, SeatState.TALKING, SeatState.ON_HOLD})


class Phone(StrEnum):
    """What rings at a seat: the browser's softphone or a SIP phone on the desk."""

    BROWSER = "browser"
    DESK = "desk"


#: Pause reasons in Asterisk that are ours and are no break of the agent's own. Codes only: a reason with `;` is cut
#: in two by app_queue's persistent members (telephony.md B15).
WRAP_UP: Final = "WRAPUP"
UNREACHABLE: Final = "UNREACHABLE"
CALLBACK: Final = "CALLBACK"  # kept free for a citizen who is being called back
NOT_READY: Final = "NOTREADY"  # sat down, not yet ready

#: In place of a break's code, what is to follow a call and its wrap-up: leaving the seat (签出).
LEAVE: Final = "LEAVE"

#: Reasons for a break (小休原因): code -> Chinese, English.
BREAKS: Final[dict[str, tuple[str, str]]] = {
    "REST": ("休息", "Rest"),
    "MEAL": ("用餐", "Meal"),
    "MEETING": ("会议", "Meeting"),
    "TRAINING": ("培训", "Training"),
    "COACHING": ("辅导", "Coaching"),
    "PAPERWORK": ("案头工作", "Paperwork"),
}


def seat_state(
    *, seated: bool, reachable: bool, ringing: bool, talking: bool, held: bool, pause: str | None
) -> SeatState:
    """The state of a seat.

    Args:
        seated: the seat is a member of a queue in Asterisk.
        reachable: its phone is registered.
        ringing, talking, held: what its open legs say.
        pause: the reason of its pause, None when not paused.

    A talk outranks everything: a phone whose registration lapses in mid-call is still talking.
    """
    if talking:
        return SeatState.ON_HOLD if held else SeatState.TALKING
    if not seated:
        return SeatState.OFFLINE
    if not reachable or pause == UNREACHABLE:
        return SeatState.UNREACHABLE
    if ringing:
        return SeatState.RINGING
    if pause == CALLBACK:
        return SeatState.RESERVED
    if pause == WRAP_UP:
        return SeatState.WRAP_UP
    if pause is not None:
        return SeatState.BREAK
    return SeatState.READY
