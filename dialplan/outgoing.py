"""What may be dialled from here (呼出): the emergency numbers from every seat's phone, and nothing else.

The phones reach no other context, be the service up or down: whatever else they dial, or ask a transfer to, is answered
404 by Asterisk (reliability.md S5). The service has citizens dialled by [dialled] alone, whose patterns are those of
`ivr/callback.py`: what fits none of them is refused here too, whoever asks for it.
"""

from typing import Final

from dialplan import names
from ivr.callback import CALLABLE
from ivr.lines import EMERGENCY_NUMBERS
from ivr.services import HOTLINE

#: Seconds that a citizen's telephone rings who is called.
RINGS: Final = 30


def from_seats() -> list[str]:
    """The context of seats' phones: it is also where a phone's own transfer (REFER) ends."""
    lines = [
        "; Phones of seats may call for help and nothing else, by themselves when need be: a phone can hold the",
        "; citizen, dial 110 and connect the two. The seat's other channel knows which call that is for.",
        f"[{names.SEAT_CONTEXT}]",
    ]
    for number in EMERGENCY_NUMBERS:
        lines += [
            f"exten => {number},1,Set(__{names.LINE}={number})",
            " same => n,Goto(help,s,1)",
        ]
    lines += [
        "",
        "[help]",
        f"exten => s,1,Set(__{names.KIND}=emergency)",
        f" same => n,Set(__{names.LOGIN}=)",
        " same => n,Set(LINES=${CHANNELS(^${CHANNEL(name):0:-9}-)})",
        " same => n,Set(OTHER=${LISTFILTER(LINES, ,${CHANNEL(name)})})",
        ' same => n,GotoIf($["${OTHER}"=""]?dial)',
        f" same => n,Set(__{names.CALL}=${{IMPORT(${{OTHER}},{names.CALL})}})",
        f" same => n(dial),Gosub(target,${{{names.LINE}}},1)",
        " same => n,Dial(${TARGET},,ib(ring^s^1))",
        " same => n,Hangup()",
    ]
    return lines


def to_citizens() -> list[str]:
    """The context in which the service has citizens dialled: numbers that may be, written out as patterns."""
    lines = [
        "; Citizens whom we call. A number that fits no pattern is not there, and nothing here leads elsewhere.",
        f"[{names.DIALLED_CONTEXT}]",
    ]
    for pattern in CALLABLE:
        lines += [
            f"exten => _{pattern},1,Set(CALLERID(num)={HOTLINE})",
            f" same => n,Dial(PJSIP/${{EXTEN}}@{names.CITIZENS},{RINGS})",
            " same => n,Hangup()",
        ]
    return lines
