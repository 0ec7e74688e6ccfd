"""Intents in, AMI actions out: the one place where values are checked before they go on the wire.

Asterisk takes a bare LF as a line's end too, so a value with CR or LF would be a second action (telephony.md A2), and
refuses lines above 1,024 bytes and more than 128 headers (B8). Actions that could run programs or change files
(Command, Originate with System, UpdateConfig) are never built here, and the accounts have no right to them. Nor is a
way to dial a number: a seat's endpoint or a line's code says whom to ring (dialplan/rooms.py), and a citizen's number
goes to the dialplan, which knows the numbers that may be dialled (dialplan/outgoing.py).
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from agents.seats import Phone
from agents.supervision import Mode
from dialplan import names
from dialplan.outgoing import RINGS
from dialplan.supervise import place, started
from ivr.services import HOTLINE

Action = Mapping[str, str]

MAX_LINE: Final = 1_000  # bytes; Asterisk's buffer of 1,024 less the line's end
MAX_HEADERS: Final = 100
_VALUE: Final = re.compile(r"[A-Za-z0-9_.+*#/-]{0,80}")

_WORD: Final = re.compile(r"[0-9A-Za-z_.-]{0,64}")

#: Actions answered by a list of events that ends with one named ...Complete. Decided by name: panoramisk guesses from
#: English sentences (telephony.md A11).
LISTS: Final = frozenset({"QueueStatus", "CoreShowChannels", "DeviceStateList"})

STATUS: Final[Action] = {"Action": "CoreStatus"}
SETTINGS: Final[Action] = {"Action": "CoreSettings"}
PING: Final[Action] = {"Action": "Ping"}
#: Puts queue_log aside, under its name and the second, and begins a new one. The account's `reporting` is enough.
ROTATE_LOGS: Final[Action] = {"Action": "LoggerRotate"}
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


def seat(number: str, phone: Phone, login: str, queue: str, pause: str | None, tier: int = 0) -> Action:
    """Put a seat into a queue, in its tier (agents/skills.py).

    `pause`: the reason why it is paused from the start; who sits down is not rung before saying so (置忙入座).
    """
    interface = names.interface(number, phone is Phone.BROWSER)
    action = {
        "Action": "QueueAdd",
        "Queue": queue,
        "Interface": interface,
        "StateInterface": interface,
        "MemberName": login,
        "Penalty": str(tier),
        "Paused": "false" if pause is None else "true",
    }
    return action if pause is None else action | {"Reason": pause}


def rank(number: str, phone: Phone, queue: str, tier: int) -> Action:
    """Move a seat to another tier of a queue."""
    interface = names.interface(number, phone is Phone.BROWSER)
    return {"Action": "QueuePenalty", "Queue": queue, "Interface": interface, "Penalty": str(tier)}


def unseat(number: str, phone: Phone, queue: str) -> Action:
    return {"Action": "QueueRemove", "Queue": queue, "Interface": names.interface(number, phone is Phone.BROWSER)}


def is_so_already(action: Action, refusal: str) -> bool:
    """Whether Asterisk refused only because what was asked for is so: a member taken out twice (log-out and skills)."""
    return action["Action"] == "QueueRemove" and refusal.endswith("Not there")


def is_too_early(action: Action, refusal: str) -> bool:
    """Whether Asterisk would do it in a moment: who has just answered is joined to the citizen a little later."""
    return action["Action"] == "BlindTransfer" and refusal == "Transfer invalid"


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


def supervise(
    number: str,
    phone: Phone,
    mode: Mode,
    spied: str,
    call: str,
    payload: Mapping[str, str],
    ring: int,
    *,
    in_room: bool,
) -> Action:
    """Ring a supervisor's phone and put it into an agent's call (监听、强插).

    Args:
        spied: the agent's channel.
        call: the call's id without its node.
        in_room: the agent talks in the call's room.
        payload: what the dialplan tells of it, but for the mode; told as the query string that all our facts are.
        ring: seconds that the phone rings at most.
    """
    # One header carries all variables, divided by commas; nothing of these may hold one.
    variables = {names.SPIED: spied, names.CALL: call, names.SUPERVISION: urlencode(payload)}
    return {
        "Action": "Originate",
        "Channel": names.interface(number, phone is Phone.BROWSER),
        "Context": names.SUPERVISE_CONTEXT,
        "Exten": started(mode, in_room=in_room),
        "Priority": "1",
        "Timeout": str(ring * 1000),
        "CallerID": f'"{mode}" <{payload["on"]}>',
        "Variable": ",".join(f"{name}={value}" for name, value in variables.items()),
        "Async": "true",
    }


def supervise_as(channel: str, mode: Mode, *, in_room: bool) -> Action:
    """Another mode for a supervisor's phone that is in a call."""
    return move(channel, names.SUPERVISE_CONTEXT, place(mode, in_room=in_room))


def take_place(channel: str, role: str) -> Action:
    """Have a supervisor's phone take an agent's place in the call's room; `role`: holder or third."""
    return move(channel, names.SUPERVISE_CONTEXT, f"{names.TAKES}-{role}")


def in_room(call: str) -> Action:
    """Ask how many are in a call's room, by its id without its node; the answer's header `Value` has it."""
    return {"Action": "Getvar", "Variable": f"CONFBRIDGE_INFO(parties,{_word(call)})"}


def take_over(citizen: str, agent: str, taker: str) -> tuple[Action, Action]:
    """Have the citizen leave the agent for the phone that waits (接管), as two actions, in order.

    By a transfer of the agent's, so that app_queue learns of it (telephony.md D3, E6).
    """
    to = {"Context": names.SUPERVISE_CONTEXT, "Exten": names.TAKEN}
    return (
        {"Action": "Setvar", "Channel": citizen, "Variable": names.TAKER, "Value": taker},
        {"Action": "BlindTransfer", "Channel": agent, **to},
    )


def call_back(
    *,
    uniqueid: str,
    number: str,
    origin: str,
    service: str,
    queue: str,
    language: str,
    seat: str,
    phone: Phone,
    login: str,
) -> Action:
    """Call a citizen back for a reserved seat (回电): dialplan/callback.py is what happens then.

    Args:
        uniqueid: that the citizen's channel shall have.
        number: to be dialled, digits only.
        origin: the call that this one answers.
    """
    told = {"number": number, "origin": origin, "service": service, "queue": queue, "language": language, "seat": seat}
    if not all(_WORD.fullmatch(value) for value in (*told.values(), login)):
        raise BadAction("a value that is more than a word")
    variables = {
        "BACK": "&".join(f"{name}={value}" for name, value in told.items()),
        "BACK_NUMBER": number,
        "LANGUAGE_SPOKEN": language,
        "WAY": queue,
        "DIRECT": names.phone(seat, phone is Phone.BROWSER),
        "WHO": login,
    }
    return {
        "Action": "Originate",
        "Channel": names.dialled(number),
        "Codecs": "alaw",
        "ChannelId": uniqueid,
        "Context": names.CALLED_BACK_CONTEXT,
        "Exten": "s",
        "Priority": "1",
        "CallerID": HOTLINE,
        "Timeout": str((RINGS + 1) * 1000),
        "Async": "true",
        "Variable": ",".join(f"{name}={value}" for name, value in variables.items()),
    }


def move(channel: str, context: str, exten: str = "s") -> Action:
    """Have a channel go on at another place of the dialplan."""
    return {"Action": "Redirect", "Channel": channel, "Context": context, "Exten": exten, "Priority": "1"}


def move_both(channel: str, place: tuple[str, str], other: str, other_place: tuple[str, str]) -> Action:
    """Part two who talk: each goes on at a (context, extension) of its own."""
    return {
        **move(channel, *place),
        "ExtraChannel": other,
        "ExtraContext": other_place[0],
        "ExtraExten": other_place[1],
        "ExtraPriority": "1",
    }


def pass_on(agent_channel: str, context: str, exten: str = "s") -> Action:
    """The blind transfer (盲转): whoever talks with this phone goes on there; the phone is free (telephony.md E6)."""
    return {"Action": "BlindTransfer", "Channel": agent_channel, "Context": context, "Exten": exten}


def tell_channel(channel: str, name: str, value: str) -> Action:
    """Set a variable of a channel, and of those that it will dial. Raises BadAction."""
    return {"Action": "Setvar", "Channel": channel, "Variable": f"__{name}", "Value": _word(value)}


def ask(uniqueid: str, told: Mapping[str, str]) -> Action:
    """Dial a third for a call's room (三方). Raises BadAction.

    Args:
        uniqueid: the new channel's; it begins with the citizen's.
        told: variable of dialplan/names.py -> value.
    """
    return {
        "Action": "Originate",
        "Channel": f"Local/s@{names.ASK_CONTEXT}/n",
        "Context": names.ASK_CONTEXT,
        "Exten": "answered",
        "Priority": "1",
        "Timeout": "60000",
        "Async": "true",
        "ChannelId": uniqueid,
        "Variable": ",".join(f"__{name}={_word(value)}" for name, value in told.items()),
    }


def _word(value: str) -> str:
    """A comma would begin another variable, and a dollar an expression."""
    if not _VALUE.fullmatch(value):
        raise BadAction("not a plain word")
    return value


def hang_up(channel: str) -> Action:
    return {"Action": "Hangup", "Channel": channel, "Cause": "16"}


def device_state(number: str, phone: Phone) -> Action:
    """Ask for the state of a seat's phone; the answer's header `Value` has it."""
    return {"Action": "Getvar", "Variable": f"DEVICE_STATE({names.interface(number, phone is Phone.BROWSER)})"}


def set_variable(channel: str, name: str, value: str) -> Action:
    """Set a variable of a channel, for the dialplan to read later."""
    return {"Action": "Setvar", "Channel": channel, "Variable": name, "Value": value}


def get_global(name: str) -> Action:
    """Ask for a global variable; the answer's header `Value` has it, empty when there is none."""
    return {"Action": "Getvar", "Variable": name}


def set_global(name: str, value: str) -> Action:
    """Set a global variable, for the dialplan to read in every call; gone with a restart of Asterisk."""
    return {"Action": "Setvar", "Variable": name, "Value": value}


def prefer(channel: str, number: str, phone: Phone, login: str) -> tuple[Action, ...]:
    """Let the dialplan ring this seat first when it would queue the call, if it is free then."""
    return (
        set_variable(channel, "WHO", login),
        set_variable(channel, "PREFERRED", names.phone(number, phone is Phone.BROWSER)),
    )


def move_up(channel: str, queue: str, weight: int) -> Action:
    """Move a waiting call before all that weigh less (agents/priority.py)."""
    return {
        "Action": "QueueChangePriorityCaller",
        "Queue": queue,
        "Caller": channel,
        "Priority": str(weight),
        "Immediate": "yes",
    }


def direct(
    channel: str, number: str, phone: Phone, login: str, why: str, place: int | None = None
) -> tuple[Action, ...]:
    """Ring one seat's phone for a citizen's call that waits (dialplan/direct.py); in this order, one after the other.

    `login`: who sits there. `why`: one of `names.WHY_...`. `place`: its place in its queue, from 1, to which it comes
    back when nobody answers.
    """
    return (
        set_variable(channel, "DIRECT", names.phone(number, phone is Phone.BROWSER)),
        set_variable(channel, "WHO", login),
        set_variable(channel, "WHY", why),
        set_variable(channel, "PLACE", str(place or "")),
        {"Action": "Redirect", "Channel": channel, "Context": names.DIRECT_CONTEXT, "Exten": "s", "Priority": "1"},
    )
