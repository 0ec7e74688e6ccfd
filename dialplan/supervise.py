"""A supervisor's phone (班长席) in an agent's call: listen, whisper, join, take over.

The service has the supervisor's phone rung and sent here; keys and the service change the mode, each by coming in by
another extension, so that every mode is told as a fact. ChanSpy ends with the agent's channel, and so with the call.
In a room the supervisor joins and takes over as one of those in it: there ChanSpy reaches none but the agent.
"""

from typing import Final

from agents.supervision import Announce, Mode
from dialplan import names
from dialplan.tell import tell

#: Keys of the phone that change the mode.
KEYS: Final = {"4": Mode.LISTEN, "5": Mode.WHISPER, "6": Mode.JOIN}

#: u: a whole channel name; q: no announcement to the supervisor; E, S: over when the agent's channel is;
#: X: keys lead to other extensions; w: the agent hears the supervisor; B: both do.
_SPY: Final = {Mode.LISTEN: "uqESX", Mode.WHISPER: "uqESXw", Mode.JOIN: "uqESXB"}
#: In a room frames come otherwise than in a call of two: without the long queue the agent does not hear the whisper.
_LONG: Final = "l"
_TONE: Final = "supervision-tone"
_TAKE_SECONDS: Final = 10

_START, _IN_ROOM = "start", "room"
_TONE_BOTH, _TONE_ROOM, _TONE_SOUND = "tone", "tone-room", "sound"


def supervise() -> list[str]:
    """The contexts' lines."""
    context = names.SUPERVISE_CONTEXT
    spied, call = f"${{{names.SPIED}}}", f"${{{names.CALL}}}"
    known = f"v(__{names.SPIED}={spied}^__{names.CALL}={call})"
    lines = ["; A supervisor in an agent's call. Only the service sends a phone here.", f"[{context}]"]
    for in_room in (False, True):
        by = _TONE_ROOM if in_room else _TONE_BOTH
        tone = f"Local/{by}@{context}/n,exten,{context},{_TONE_SOUND},1,5,{known}"
        for mode, options in _SPY.items():
            begun, where = started(mode, in_room=in_room), place(mode, in_room=in_room)
            lines += [
                f'exten => {begun},1,GotoIf($["${{{names.ANNOUNCE}}}"!="{Announce.BEEP}"]?{where},1)',
                f" same => n,Originate({tone})",
                f" same => n,Goto({where},1)",
                f"exten => {where},1,Set(SPY_EXIT_CONTEXT={_keys(in_room=in_room)})",
                *tell(names.SUPERVISING, f"${{{names.SUPERVISION}}}&mode={mode}"),
            ]
            if in_room and mode is Mode.JOIN:
                # Goes with the last of the staff, or back to listening by its key.
                lines += [
                    f" same => n,ConfBridge({call},room,{names.GUEST},{names.GUEST_KEYS})",
                    f' same => n,GotoIf($["${{CONFBRIDGE_RESULT}}"="DTMF"]?{place(Mode.LISTEN, in_room=True)},1)',
                ]
            else:
                lines.append(f" same => n,ChanSpy({spied},{options}{_LONG if in_room else ''})")
            lines.append(" same => n,Hangup()")
    lines.append("; In a room the phone that takes over takes the agent's place; the service then lets the agent go.")
    for role in (names.HOLDER, names.THIRD):
        lines += [
            f"exten => {names.TAKES}-{role},1,Set(GROUP({names.STAFF_GROUP})={call})",
            f" same => n,Gosub(say,s,1({names.JOINED},call={call}&channel=${{CHANNEL(name)}}&place={role}))",
            f" same => n,Gosub(say,s,1({names.ENTERED},call={call}))",
            f" same => n,ConfBridge({call},room,{role})",
            " same => n,Hangup()",
        ]
    lines += [
        "; The supervisor waits here until the citizen comes.",
        *(f"exten => {started(Mode.TAKE, in_room=each)},1,Goto({Mode.TAKE},1)" for each in (False, True)),
        f"exten => {Mode.TAKE},1,NoOp()",
        *tell(names.SUPERVISING, f"${{{names.SUPERVISION}}}&mode={Mode.TAKE}"),
        f" same => n,Wait({_TAKE_SECONDS})",
        " same => n,Hangup()",
        "; The citizen, transferred away from the agent, comes to the phone that waits.",
        f"exten => {names.TAKEN},1,Gosub(say,s,1({names.JOINED},channel=${{{names.TAKER}}}))",
        f" same => n,Bridge(${{{names.TAKER}}})",
        f" same => n,Gosub(say,s,1({names.PARTED},by=agent))",
        f" same => n,Goto({names.SURVEY_CONTEXT},s,1)",
        "; A short tone to all: one end of a call to ourselves sounds it, the other joins the agent's call or room.",
        f"exten => {_TONE_BOTH},1,ChanSpy({spied},uqESB)",
        " same => n,Hangup()",
        f"exten => {_TONE_ROOM},1,ConfBridge({call},room,{names.GUEST})",
        " same => n,Hangup()",
        f"exten => {_TONE_SOUND},1,Wait(0.2)",
        f" same => n,Playback({_TONE})",
        " same => n,Hangup()",
        "",
    ]
    for in_room in (False, True):
        lines.append(f"[{_keys(in_room=in_room)}]")
        lines += [f"exten => {key},1,Goto({context},{place(mode, in_room=in_room)},1)" for key, mode in KEYS.items()]
    return lines


def place(mode: Mode, *, in_room: bool) -> str:
    """The extension of a mode. `in_room`: the call is in a room (dialplan/rooms.py)."""
    return f"{mode}-{_IN_ROOM}" if in_room and mode is not Mode.TAKE else mode.value


def started(mode: Mode, *, in_room: bool) -> str:
    """The extension by which a supervisor's phone comes in first."""
    return f"{_START}-{mode}-{_IN_ROOM}" if in_room else f"{_START}-{mode}"


def _keys(*, in_room: bool) -> str:
    return f"{names.SUPERVISE_CONTEXT}-{_IN_ROOM}-keys" if in_room else f"{names.SUPERVISE_CONTEXT}-keys"
