"""extensions.conf: what Asterisk does with a call, alone if need be. No step waits for Python or a database."""

from agents.queues import QUEUES
from dialplan import names
from ivr.menu import FAREWELLS, MENU
from ivr.services import SERVICES

HEADER = "; Written by `python -m dialplan.write` from ivr/, agents/ and dialplan/. Do not edit.\n"

#: A caller's number keeps these characters and no others, before anything else happens: the SIP user part is
#: unescaped by Asterisk and printed raw in AMI events (platform.md, "A caller can forge AMI events").
_NUMBER = "0-9+*#"
_LINE_ENDS = r"\x0a\x0d"
_NUMBER_LENGTH = 32
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
            "",
            "; Trunk calls. Exactly our numbers, never a pattern: everything else is answered 404 by Asterisk.",
            f"[{names.TRUNK_CONTEXT}]",
            *_entries("${CALLERID(num)}"),
            "",
            "; The page /try. The caller's number is the one typed there.",
            f"[{names.TRY_CONTEXT}]",
            *_entries("${PJSIP_HEADER(read,X-Try-Number)}"),
            "",
            "; Phones of seats may call nobody yet.",
            f"[{names.SEAT_CONTEXT}]",
            "",
            *_hotline(),
            "",
            *_waiting(),
            "",
            *_farewell(),
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
        " same => n,Set(GROUP()=hotline)",
        " same => n,Answer()",
        " same => n,GotoIf($[${GROUP_COUNT(hotline)}>${MAX_CALLS}]?full)",
    ]
    for say in MENU.say:
        lines += [
            f" same => n,Set(CHANNEL(language)={say.language})",
            f" same => n,Background({'&'.join(say.prompts)})",
        ]
    lines += [
        f" same => n,Set(CHANNEL(language)={MENU.say[0].language})",
        f" same => n,Goto(waiting,{MENU.queue},1)",
        f" same => n(full),Gosub(say,s,1({names.REFUSED},status=FULL))",
        " same => n,Goto(farewell,FULL,1)",
    ]
    for choice in MENU.choices:
        language = choice.language or MENU.say[0].language
        lines += [
            f"exten => {choice.key},1,Set(CHANNEL(language)={language})",
            f" same => n,Gosub(say,s,1({names.CHOSE},menu={choice.place}&language={language}))",
            f" same => n,Goto(waiting,{choice.queue},1)",
        ]
    return lines


def _waiting() -> list[str]:
    lines = ["; The queue. Whoever leaves it without a person hears why.", "[waiting]"]
    for queue in QUEUES:
        lines += [
            f"exten => {queue.code},1,Gosub(say,s,1({names.QUEUED},queue={queue.code}))",
            f" same => n,Queue({queue.code},i,,,{queue.longest_wait})",
            f" same => n,Gosub(say,s,1({names.LEFT},status=${{QUEUESTATUS}}))",
            " same => n,Goto(farewell,${IF($[${DIALPLAN_EXISTS(farewell,${QUEUESTATUS},1)}]?${QUEUESTATUS}:FAULT)},1)",
        ]
    return lines


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
