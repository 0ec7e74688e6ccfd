"""What a supervisor may do to a call that an agent has (班长席): telephony.md row 22, domain.md R9."""

from enum import StrEnum
from typing import Final

from agents.seats import SeatState


class Mode(StrEnum):
    """How a supervisor is in a call. Each is a word of the dialplan too (dialplan/supervise.py)."""

    LISTEN = "listen"  # 监听: hears both, is heard by nobody
    WHISPER = "whisper"  # 耳语指导: is heard by the agent alone
    JOIN = "join"  # 强插: is heard by both
    TAKE = "take"  # 接管: the citizen talks with the supervisor, the agent's part is over


class Announce(StrEnum):
    """How the parties of a call learn that a supervisor may be in it, as the law of the place requires."""

    NONE = "none"
    GREETING = "greeting"  # a sentence beside the recording notice, to every caller
    BEEP = "beep"  # a short tone to citizen and agent when it begins


#: Who has a person at the other end, and so can be listened to.
_IN_CALL: Final = frozenset({SeatState.TALKING, SeatState.ON_HOLD})


def can_be_supervised(state: SeatState) -> bool:
    """Whether an agent whose seat is in this state has a call that a supervisor can be in."""
    return state in _IN_CALL
