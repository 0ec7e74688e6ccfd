"""The callback (回电) as the caller meets it: by which key, and which numbers are called at all.

When it is first offered (domain.md R9) is a row of the guard: agents/guard.py.
"""

import re
from typing import Final

#: Seconds after which it is said again. Rarely: app_queue offers a caller to nobody while it speaks to him.
OFFER_EVERY: Final = 90

#: The key. None of the menu's: one of those pressed a moment too late must not take a caller out of the queue.
KEY: Final = "3"

#: Seconds to wait for the key that confirms, and for each digit typed; how often a number may be typed wrong.
CONFIRM_SECONDS: Final = 4
DIGIT_SECONDS: Final = 6
TRIES: Final = 3

#: What may be called, as Asterisk writes it: mobiles, numbers with an area code, numbers of the city itself. Nothing
#: abroad (00), no short or premium number (168...): whoever shows or types one would have us pay (reliability.md S5).
#: The dialplan holds exactly these (dialplan/outgoing.py). An area code has two digits after its 0 when it begins with
#: 1 or 2, else three, of which the last two are not both 0.
CALLABLE: Final = (
    "1[345789]XXXXXXXXX",
    "16[2567]XXXXXXXX",
    "010XXXXXXXX",
    "02XXXXXXXXX",
    *(f"0{area}{number}" for area in ("[3-9]X[1-9]", "[3-9][1-9]0") for number in ("XXXXXXX", "XXXXXXXX")),
    "[2-8]XXXXXXX",
)

_CALLABLE: Final = re.compile("|".join(pattern.replace("X", "[0-9]") for pattern in CALLABLE))
#: How the trunk may write our own country before a number; the longest first.
COUNTRY: Final = ("+86", "0086")


def callable_number(number: str) -> str | None:
    """The number as it is dialled, our own country's code left out; None when it must not be called.

    >>> callable_number("+8613800000001"), callable_number("0044207946000")
    ('13800000001', None)
    """
    for code in COUNTRY:
        number = number.removeprefix(code)
    return number if _CALLABLE.fullmatch(number) else None
