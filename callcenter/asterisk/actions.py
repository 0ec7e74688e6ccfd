"""Intents in, AMI actions out: the one place where values are checked before they go on the wire.

Asterisk takes a bare LF as a line's end too, so a value with CR or LF would be a second action (telephony.md A2), and
refuses lines above 1,024 bytes and more than 128 headers (B8). Actions that could run programs or change files
(Command, Originate with System, UpdateConfig) are never built here, and the accounts have no right to them.
"""

from collections.abc import Mapping
from typing import Final

from agents.seats import Phone
from dialplan import names

Action = Mapping[str, str]

MAX_LINE: Final = 1_000  # bytes; Asterisk's buffer of 1,024 less the line's end
MAX_HEADERS: Final = 100

#: Actions answered by a list of events that ends with one named ...Complete. Decided by name: panoramisk guesses from
#: English sentences (telephony.md A11).
LISTS: Final = frozenset({"QueueStatus", "CoreShowChannels", "DeviceStateList"})

STATUS: Final[Action] = {"Action": "CoreStatus"}
SETTINGS: Final[Action] = {"Action": "CoreSettings"}
PING: Final[Action] = {"Action": "Ping"}
QUEUES: Final[Action] = {"Action": "QueueStatus"}
CHANNELS: Final[Action] = {"Action": "CoreShowChannels"}
DEVICES: Final[Action] = {"Action": "DeviceStateList"}


class BadAction(ValueError):
    """A value that must not go on the wire."""


def checked(action: Action) -> Action:
    """The action itself. Raises BadAction for CR, LF or NUL anywhere, too long a line, too many headers."""
    if len(action) > MAX_HEADERS:
        raise BadAction(f"more than {MAX_HEADERS} headers")
    for name, value in action.items():
        line = f"{name}: {value}"
        if any(c in line for c in "\r\n\0"):
            raise BadAction(f"control character in {name!r}")
        if ":" in name:
            raise BadAction(f"colon in header name {name!r}")
        if len(line.encode("utf-8", "surrogatepass")) > MAX_LINE:
            raise BadAction(f"{name} is longer than {MAX_LINE} bytes")
    return action


def login(user: str, secret: str, events: bool) -> Action:
    return {"Action": "Login", "Username": user, "Secret": secret, "Events": "on" if events else "off"}


def seat(number: str, phone: Phone, login: str, queue: str, pause: str) -> Action:
    """Put a seat into a queue, paused from the start: nobody is rung before saying so (置忙入座)."""
    interface = names.interface(number, phone is Phone.BROWSER)
    return {
        "Action": "QueueAdd",
        "Queue": queue,
        "Interface": interface,
        "StateInterface": interface,
        "MemberName": login,
        "Paused": "true",
        "Reason": pause,
    }


def unseat(number: str, phone: Phone, queue: str) -> Action:
    return {"Action": "QueueRemove", "Queue": queue, "Interface": names.interface(number, phone is Phone.BROWSER)}


def pause(number: str, phone: Phone, reason: str | None) -> Action:
    """Pause a seat in all its queues (示忙), or end its pause (示闲) when `reason` is None."""
    action = {
        "Action": "QueuePause",
        "Interface": names.interface(number, phone is Phone.BROWSER),
        "Paused": "false" if reason is None else "true",
    }
    if reason is not None:
        action["Reason"] = reason
    return action


def hang_up(channel: str) -> Action:
    return {"Action": "Hangup", "Channel": channel, "Cause": "16"}
