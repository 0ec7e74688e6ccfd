"""extensions.conf: what Asterisk does with a call, alone if need be. No step waits for Python or a database."""

from agents.priority import Priority
from agents.queues import ENTERED
from dialplan import names
from dialplan.announced import said_besides
from dialplan.callback import callback
from dialplan.direct import direct
from dialplan.outgoing import from_seats, to_citizens
from dialplan.record import NOTICE, record, survey
from dialplan.rooms import knows_its_call, rooms
from dialplan.supervise import supervise
from ivr.callback import KEY as CALLBACK_KEY
from ivr.menu import FAREWELLS, MENU, MOVED
from ivr.services import SERVICES

HEADER = "; Written by `python -m dialplan.write` from ivr/, agents/ and dialplan/. Do not edit.\n"

#: A caller's number keeps these characters and no others, before anything else happens: the SIP user part is
#: unescaped by Asterisk and printed raw in AMI events (platform.md, "A caller can forge AMI events").
_NUMBER = "0-9+*#"
_LINE_ENDS = r"\x0a\x0d"
_NUMBER_LENGTH = 32
_BESIDES = "${MOVED}${ANNOUNCED}"
#: Where the law wants it, callers hear beside the recording notice that a supervisor may listen.
_NOTICES = f"${{{names.RECORDING_NOTICE}}}${{{names.NOTICE}}}"
_NAME_LENGTH = 80


def extensions_conf(max_calls: int = 500) -> str:
    """The whole file. `max_calls`: calls in the system above which new ones are refused with a spoken reason."""
    return HEADER + "\n".join(
        [
            "[general]",
            "static=yes",
            "writeprotect=yes",
            "clearglobalvars=no",
            "",
            "[globals]",
            f"MAX_CALLS={max_calls}",
            f"#include {names.ANNOUNCE_FILE}",
            f"#tryinclude {names.ANNOUNCED_FILE}",
            f"#include {names.SWITCHES_FILE}",
            f"#include {names.ROUTING_FILE}",
            "",
            "; Trunk calls. Exactly our numbers, never a pattern: everything else is answered 404 by Asterisk.",
            f"[{names.TRUNK_CONTEXT}]",
            *_entries("${CALLERID(num)}"),
            "",
            "; The page /try. The caller's number is the one typed there.",
            f"[{names.TRY_CONTEXT}]",
            *_entries("${PJSIP_HEADER(read,X-Try-Number)}"),
            "",
            *from_seats(),
            "",
            "; Whoever we have dialled may not dial.",
            f"[{names.OUTSIDE_CONTEXT}]",
            "",
            *to_citizens(),
            "",
            *_hotline(),
            "",
            *_waiting(),
            "",
            *_waiting_keys(),
            "",
            *_priority(),
            "",
            *_reach(),
            "",
            *_preferred(),
            "",
            *direct(),
            "",
            *callback(),
            "",
            *_farewell(),
            "",
            *supervise(),
            *record(),
            "",
            *survey(),
            "",
            *rooms(),
            "",
            *_say(),
            "",
        ]
    )


def _entries(number: str) -> list[str]:
    # One line, so that nothing comes before the cleaning. A line end in a number is a try to forge events.
    clean = f"CALLERID(num)=${{FILTER({_NUMBER},{number})}}"
    line_ends = f"LINE_ENDS=${{LEN(${{FILTER({_LINE_ENDS},{number})}})}}"
    lines = []
    for service in SERVICES:
        lines += [
            f"exten => {service.number},1,MSet({line_ends},{clean})",
            f" same => n,Set(CALLERID(num)=${{CALLERID(num):0:{_NUMBER_LENGTH}}})",
            f" same => n,Set(DIALED={service.number})",
            f" same => n,Set(SERVICE={service.code})",
            " same => n,Goto(hotline,s,1)",
        ]
    return lines


def _hotline() -> list[str]:
    arrived = "&".join(
        (
            "number=${URIENCODE(${CALLERID(num)})}",
            f"name=${{URIENCODE(${{CALLERID(name):0:{_NAME_LENGTH}}})}}",
            "dialed=${DIALED}",
            "service=${SERVICE}",
            "line_ends=${LINE_ENDS}",
        )
    )
    lines = [
        "; Greeting, recording notice, optional keys, then straight to a person.",
        "[hotline]",
        f"exten => s,1,Gosub(say,s,1({names.ARRIVED},{arrived}))",
        # The name has been told, encoded; no phone shows what a stranger wrote.
        " same => n,Set(CALLERID(name)=)",
        knows_its_call(),
        " same => n,Set(GROUP()=hotline)",
        " same => n,Answer()",
        " same => n,GotoIf($[${GROUP_COUNT(hotline)}>${MAX_CALLS}]?full)",
        *said_besides(MOVED),
    ]
    for say in MENU.say:
        greeting, *more = say.prompts
        prompts = "&".join((greeting + _BESIDES, *more))
        lines += [
            f" same => n,Set(CHANNEL(language)={say.language})",
            f" same => n,Background({prompts.replace(f'&{NOTICE}', _NOTICES)})",
        ]
    lines += [
        f" same => n,Set(CHANNEL(language)={MENU.say[0].language})",
        f" same => n,Goto({names.WAITING_CONTEXT},${{WAY_${{SERVICE}}}},1)",
        f" same => n(full),Gosub(say,s,1({names.REFUSED},status=FULL))",
        " same => n,Goto(farewell,FULL,1)",
    ]
    for choice in MENU.choices:
        language = choice.language or MENU.say[0].language
        lines += [
            f"exten => {choice.key},1,Set(CHANNEL(language)={language})",
            f" same => n,Gosub(say,s,1({names.CHOSE},menu={choice.place}&language={language}))",
        ]
        if choice.priority:
            lines.append(f" same => n,Set(BECAUSE={choice.priority})")
        lines.append(f" same => n,Goto(waiting,{choice.queue or '${WAY_${SERVICE}}'},1)")
    return lines


def _waiting() -> list[str]:
    lines = ["; The queue. Whoever leaves it without a person hears why.", f"[{names.WAITING_CONTEXT}]"]
    for queue in ENTERED:
        lines += [
            f"exten => {queue.code},1,MSet(WAY={queue.code},QUEUED_AT=${{EPOCH}})",
            f" same => n,Gosub({names.RECORD_CONTEXT},s,1)",
            " same => n,Gosub(priority,s,1)",
            f" same => n,Gosub(say,s,1({names.QUEUED},queue={queue.code}&priority=${{BECAUSE}}))",
            ' same => n,GotoIf($["${PREFERRED}"!=""]?preferred,s,1)',
            " same => n(enter),Gosub(reach,s,1)",
            f" same => n,Queue({queue.code},i${{{names.SURVEY}}},,,"
            f"$[${{LONGEST_{queue.code}}}-${{WAITED}}],,,guard${{AGE}},${{PLACE}})",
            f' same => n,GotoIf($["${{QUEUESTATUS}}" = "CONTINUE"]?{names.SURVEY_CONTEXT},s,1)',
            f" same => n,Gosub(say,s,1({names.LEFT},status=${{QUEUESTATUS}}))",
            " same => n,Goto(farewell,${IF($[${DIALPLAN_EXISTS(farewell,${QUEUESTATUS},1)}]?${QUEUESTATUS}:FAULT)},1)",
        ]
    return lines


def _waiting_keys() -> list[str]:
    lines = [
        "; Keys pressed while waiting: to be called back, or why the call cannot wait. app_queue sees the caller leave",
        "; and come again; he has waited since he first came.",
        f"[{names.KEYS_CONTEXT}]",
        f"exten => {CALLBACK_KEY},1,Goto({names.CALLBACK_CONTEXT},{CALLBACK_KEY},1)",
    ]
    for choice in MENU.choices:
        if choice.priority:
            told = f"menu={choice.place}&language=${{CHANNEL(language)}}"
            lines += [
                f"exten => {choice.key},1,Gosub(say,s,1({names.CHOSE},{told}))",
                f' same => n,Set(PLACE=${{IF($["${{BECAUSE}}"="{choice.priority}"]?${{QUEUEPOSITION}})}})',
                f" same => n,MSet(BECAUSE={choice.priority},WAY={choice.queue or '${WAY}'})",
                " same => n,Gosub(priority,s,1)",
                f" same => n,Gosub(say,s,1({names.QUEUED},queue=${{WAY}}&priority=${{BECAUSE}}))",
                f" same => n,Goto({names.WAITING_CONTEXT},${{WAY}},enter)",
            ]
    return lines


def _priority() -> list[str]:
    key, records, line = "${BECAUSE}", "${KNOWN}", "${BECAUSE_${SERVICE}}"
    return [
        "; Why a call goes before others: its key, else what records know of its number, else the number dialled.",
        "[priority]",
        f'exten => s,1,Set(BECAUSE=${{IF($["{key}"!=""]?{key}:{records})}})',
        f' same => n,Set(BECAUSE=${{IF($["{key}"!=""]?{key}:{line})}})',
        " same => n,Set(QUEUE_PRIO=${WEIGHT_${BECAUSE}})",
        " same => n,Return()",
    ]


def _reach() -> list[str]:
    return [
        "; Whom the guard lets ring by now, and from here on: a call that comes back goes on where it was.",
        "; Public danger reaches everybody at once.",
        "[reach]",
        "exten => s,1,Set(WAITED=$[${EPOCH}-${QUEUED_AT}])",
        f' same => n,Set(AGE=${{IF($["${{BECAUSE}}"="{Priority.DANGER}"]?${{GUARD_LAST}}:${{WAITED}})}})',
        " same => n,Set(AGE=${IF($[${AGE}<${GUARD_LAST}]?${AGE}:${GUARD_LAST})})",
        " same => n,Set(QUEUE_MAX_PENALTY=${REACH_${AGE}})",
        " same => n,Return()",
    ]


def _preferred() -> list[str]:
    return [
        "; The last agent of an open matter first, if that seat is free at once and nobody waits whose turn it is.",
        "[preferred]",
        "exten => s,1,GotoIf($[${QUEUE_WAITING_COUNT(${WAY})}>0]?queue)",
        ' same => n,GotoIf($["${QUEUE_MEMBER(${WAY},paused,PJSIP/${PREFERRED})}"!="0"]?queue)',
        ' same => n,GotoIf($["${DEVICE_STATE(PJSIP/${PREFERRED})}"!="NOT_INUSE"]?queue)',
        f" same => n,MSet(DIRECT=${{PREFERRED}},WHY={names.WHY_LAST_AGENT},PLACE=1)",
        f" same => n,Goto({names.DIRECT_CONTEXT},s,1)",
        " same => n(queue),Goto(waiting,${WAY},enter)",
    ]


def _farewell() -> list[str]:
    lines = ["[farewell]"]
    for status, prompt in {**FAREWELLS, "FAULT": "fault"}.items():
        lines += [f"exten => {status},1,Playback({prompt}&goodbye)", " same => n,Hangup()"]
    return lines


def _say() -> list[str]:
    return [
        "; Tell a fact twice: by AMI, fast and lossy, and to CEL, slow and sure. ARG1 its name, ARG2 its payload.",
        "[say]",
        f"exten => s,1,UserEvent(${{ARG1}},{names.PAYLOAD}: ${{ARG2}})",
        " same => n,CELGenUserEvent(${ARG1},${ARG2})",
        " same => n,Return()",
    ]
