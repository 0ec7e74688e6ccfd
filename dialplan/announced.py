"""announcements.conf: what is said with the greeting besides, as global variables. Asterisk reads it when it starts.

While it runs the service sets the same variables by the manager interface, so nothing is reloaded. AstDB would be the
better place, but a manager account may write it only where `live_dangerously` is on.
"""

import re
from collections.abc import Mapping
from typing import Final

from dialplan import names

HEADER: Final = "; Written by the service: what is announced. Do not edit.\n"

#: A value that Asterisk takes as it stands: no `;`, which begins a comment, no `$`, no comma, colon or question mark.
_PLAIN: Final = re.compile(r"[0-9]{10}(&[A-Za-z0-9/._-]{1,200})?|[0-9]{1,12}|")


def plain(value: str) -> bool:
    """Whether a value may be set."""
    return _PLAIN.fullmatch(value) is not None


def announced_conf(values: Mapping[str, str]) -> str:
    """The whole file: lines of [globals]. `values`: variable (names.ANNOUNCEMENT, names.moved) -> value, empty or not.

    Raises ValueError for a value that is not plain.
    """
    if wrong := [name for name, value in values.items() if not plain(value)]:
        raise ValueError(f"not a plain value: {', '.join(wrong)}")
    return HEADER + "".join(f"{name}={value}\n" for name, value in sorted(values.items()) if value)


def announcement(until: int, prompt: str) -> str:
    """The value of names.ANNOUNCEMENT: the second since the epoch at which it ends, then what Background is to add."""
    return f"{until:010d}&{prompt}"


def said_besides(moved: str) -> list[str]:
    """Lines of the dialplan that set MOVED and ANNOUNCED, to be put right behind the greeting. Both end by themselves.

    `moved`: the prompt for callers of a number that is part of 12345 since its day.
    """
    since = f"GLOBAL({names.moved('${DIALED}')})"
    return [
        f" same => n,Set(MOVED=0${{{since}}})",
        f" same => n,Set(MOVED=${{IF($[${{MOVED}}>0 & ${{EPOCH}}>=${{MOVED}}]?&{moved})}})",
        f" same => n,Set(ANNOUNCED=${{GLOBAL({names.ANNOUNCEMENT})}})",
        " same => n,Set(ANNOUNCED=${IF($[${EPOCH}<0${ANNOUNCED:0:10}]?${ANNOUNCED:10})})",
    ]
