"""A call passed on (转接), asked about (咨询转接) and shared (三方通话): the places to which channels are moved.

One mechanism for every phone: the service moves channels by Redirect, and has a third one dialled by Originate, which
comes to the same room. Each channel carries the call's id, as does every channel dialled for it. What happens when
somebody hangs up is decided here, so a citizen is not left in silence when the service is away.

Whom to dial the service says in two variables, a seat's endpoint or a line's code; no variable ever holds a number.
"""

from dialplan import names
from dialplan.tell import tell
from ivr.lines import EMERGENCIES, LINES

_CALL = f"${{{names.CALL}}}"
_PARTIES = f"0${{CONFBRIDGE_INFO(parties,{_CALL})}}"
_HOLDERS = f"0${{CONFBRIDGE_INFO(admins,{_CALL})}}"
#: Phones of staff and lines outside that ring for the call or are in it.
_STAFF = f"${{GROUP_COUNT({_CALL}@{names.STAFF_GROUP})}}"
_RINGING = f"${{GROUP_COUNT({_CALL}@{names.RINGING_GROUP})}}"
RING_SECONDS = 30


def knows_its_call() -> str:
    """A step of the citizen's channel: from here on it, and whoever is dialled for it, carries the call's id."""
    return f" same => n,Set(__{names.CALL}=${{UNIQUEID:$[${{LEN(${{SYSTEMNAME}})}}+1]}})"


def rooms() -> list[str]:
    """The contexts of rooms, of waiting with music, and of dialling one phone for a call."""
    call = f"call={_CALL}"
    return [
        "; A conversation of more than two, named by the call. Without staff the citizen goes on to what comes after",
        "; the call, unless somebody is still rung for it; without the citizen the staff are let go.",
        f"[{names.ROOM_CONTEXT}]",
        "; the citizen",
        f"exten => {names.CITIZEN},1,Gosub(guard,s,1)",
        " same => n,StopMusicOnHold()",
        *tell(names.ENTERED, call),
        f" same => n,ConfBridge({_CALL},room,{names.CITIZEN})",
        f" same => n,GotoIf($[{_RINGING}>0]?{names.MUSIC_CONTEXT},s,1)",
        " same => n,Set(OVER=yes)",
        f" same => n,Goto({names.AFTER_CONTEXT},s,1)",
        "; the agent who asks or passes on",
        f"exten => {names.HOLDER},1,Set(GROUP({names.STAFF_GROUP})={_CALL})",
        *tell(names.ENTERED, call),
        f" same => n,ConfBridge({_CALL},room,{names.HOLDER})",
        " same => n,Hangup()",
        "; who was asked, when there is still a citizen to be asked about",
        f"exten => {names.THIRD},1,GotoIf($[${{CHANNEL_EXISTS(${{{names.CITIZEN_CHANNEL}}})}}=0]?over)",
        f" same => n,Set(GROUP({names.RINGING_GROUP})=)",
        *tell(names.ENTERED, call),
        f" same => n,ConfBridge({_CALL},room,{names.THIRD})",
        " same => n(over),Hangup()",
        "",
        "; The citizen waits with music while others talk. Nobody hangs up on a citizen who waits: without the holder",
        "; the citizen comes to whoever is left in the room, and when nobody is left or rings, back to the queue.",
        f"[{names.MUSIC_CONTEXT}]",
        "exten => s,1,Gosub(guard,s,1)",
        *tell(names.PARKED, call),
        " same => n,StartMusicOnHold()",
        " same => n,Wait(2)",
        f" same => n(again),GotoIf($[{_STAFF}=0]?nobody)",
        f" same => n,GotoIf($[{_HOLDERS}=0 & {_PARTIES}>0]?{names.ROOM_CONTEXT},{names.CITIZEN},1)",
        " same => n,Wait(1)",
        " same => n,Goto(again)",
        " same => n(nobody),StopMusicOnHold()",
        f" same => n,Goto({names.AGAIN_CONTEXT},s,1)",
        "",
        "; Back to the queue from which the citizen came.",
        f"[{names.AGAIN_CONTEXT}]",
        f"exten => s,1,GotoIf($[${{DIALPLAN_EXISTS({names.WAITING_CONTEXT},${{{names.QUEUE}}},1)}}]?queue)",
        f" same => n,Goto({names.AFTER_CONTEXT},s,1)",
        f" same => n(queue),Goto({names.WAITING_CONTEXT},${{{names.QUEUE}}},1)",
        "",
        "; One phone or line instead of the agent: the service says which before it moves the citizen here.",
        f"[{names.PASSED_CONTEXT}]",
        "exten => s,1,Gosub(guard,s,1)",
        f" same => n,Gosub(target,${{IF($[${{LEN(${{{names.LINE}}})}}>0]?${{{names.LINE}}}:s)}},1)",
        f" same => n,Dial(${{TARGET}},{RING_SECONDS},imgb(ring^s^1))",
        f' same => n,GotoIf($["${{DIALSTATUS}}"!="ANSWER"]?{names.AGAIN_CONTEXT},s,1)',
        " same => n,Set(OVER=yes)",
        f" same => n,Goto({names.AFTER_CONTEXT},s,1)",
        "",
        "; Dial a third for the room. Originate cannot say a fact before the phone rings (its PreDialGoSub is not run",
        "; in Asterisk 22.10.1), Dial can: so a Local channel dials, and is gone when the phone has answered.",
        f"[{names.ASK_CONTEXT}]",
        f"exten => s,1,Set(CALLERID(num)=${{{names.SHOWN}}})",
        f" same => n,Gosub(target,${{IF($[${{LEN(${{{names.LINE}}})}}>0]?${{{names.LINE}}}:s)}},1)",
        f" same => n,Dial(${{TARGET}},{RING_SECONDS},ib(ring^s^1)G({names.ASK_CONTEXT}^answered^1))",
        " same => n,Hangup()",
        "exten => answered,1,Hangup()",
        f"exten => answered,2,Goto({names.ROOM_CONTEXT},{names.THIRD},1)",
        "",
        "; What may be dialled for a call: a seat's phone, or one of these lines (toll fraud: there are no others).",
        "[target]",
        f"exten => s,1,Set(TARGET=PJSIP/${{FILTER(0-9w,${{{names.PHONE}}})}})",
        " same => n,Return()",
        *(
            line_
            for line in (*EMERGENCIES, *LINES)
            for line_ in (
                f"exten => {line.code},1,Set(TARGET=PJSIP/{line.number}@{names.OUTSIDE})",
                " same => n,Return()",
            )
        ),
        "",
        "; Steps of a channel that is dialled for a call, before it rings.",
        "[ring]",
        f"exten => s,1,Set(GROUP({names.STAFF_GROUP})={_CALL})",
        f" same => n,Set(GROUP({names.RINGING_GROUP})={_CALL})",
        f" same => n,Gosub(say,s,1({names.CALLED},{call}&kind=${{{names.KIND}}}&line=${{{names.LINE}}}"
        f"&login=${{{names.LOGIN}}}))",
        " same => n,Return()",
        "",
        "; Once for a citizen's channel: its end empties the room.",
        "[guard]",
        'exten => s,1,GotoIf($["${GUARDED}"="yes"]?done)',
        " same => n,Set(GUARDED=yes)",
        " same => n,Set(CHANNEL(hangup_handler_push)=gone,s,1)",
        " same => n(done),Return()",
        "",
        "[gone]",
        f"exten => s,1,Gosub(say,s,1({names.GONE},{call}&over=${{OVER}}))",
        f" same => n,GotoIf($[{_PARTIES}=0]?done)",
        f" same => n,ConfKick({_CALL},all)",
        " same => n(done),Return()",
        "",
        "; After the last person's part, while the citizen is still there. Who called for help is not asked questions.",
        f"[{names.AFTER_CONTEXT}]",
        f'exten => s,1,GotoIf($["${{{names.HELPED}}}"!="yes"]?{names.SURVEY_CONTEXT},s,1)',
        " same => n,Hangup()",
    ]
