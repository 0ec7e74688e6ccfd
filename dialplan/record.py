"""Recording (录音) and the questions after a talk (满意度评价), as every kind of call uses them.

    Gosub(record,s,1)     start recording the channel that runs this, once for its whole life
    Goto(survey,s,1)      the talk is over and the citizen is still there: two questions, then farewell

One recording to a call: it hangs on the citizen's own channel, so it goes on through transfers, music and rooms
(telephony.md D8). Both sides are written apart, kept in step by Asterisk itself, in the A-law that the trunk speaks:
half the bytes of PCM. Asterisk writes in a thread of its own; a disk that is full or gone costs the recording, never
the call.
"""

from typing import Final

from dialplan import names
from ivr.survey import ANSWER_SECONDS, QUESTIONS, THANKS, TRIES

#: The prompt that tells a caller of the recording (PIPL: notice). Said when calls are recorded, and not otherwise.
NOTICE: Final = "recording-notice"


def record() -> list[str]:
    """The subroutine [record]. A channel that is recorded already is left alone."""
    tracks = "r(${RECORDING}-in.alaw)t(${RECORDING}-out.alaw)"
    return [
        "; Record the call from here on, both sides apart; once on the citizen's channel.",
        f"[{names.RECORD_CONTEXT}]",
        f'exten => s,1,GotoIf($["${{RECORDING}}${{{names.RECORD}}}" != "on"]?shed)',
        # The file is named after the call; the secret half of the channel's id stays out of it.
        " same => n,Set(RECORDING=${STRREPLACE(UNIQUEID,${SYSTEMNAME}-)})",
        f" same => n,MixMonitor(,{tracks})",
        f" same => n,Gosub(say,s,1({names.RECORDING},status=on))",
        " same => n,Return()",
        # No room on the disk: the gap is told, so that it is on record.
        f' same => n(shed),GotoIf($["${{RECORDING}}${{{names.RECORD}}}" != "full"]?done)',
        f" same => n,Gosub(say,s,1({names.RECORDING},status=full))",
        " same => n(done),Return()",
    ]


def survey() -> list[str]:
    """The context [survey]. Each answer is told as it is given: who hangs up after the first has given one."""
    lines = [
        "; The talk is over and the citizen stays on: two questions, answered by keys. Nobody is recorded here.",
        f"[{names.SURVEY_CONTEXT}]",
        f'exten => s,1,GotoIf($["${{{names.SURVEY}}}" = ""]?bye)',
        " same => n,StopMixMonitor()",
        f" same => n,Gosub(say,s,1({names.SURVEYING},))",
    ]
    for question in QUESTIONS:
        keys = "".join(question.keys)
        lines += [
            " same => n,Set(TRY=0)",
            f" same => n({question.code}),Set(TRY=$[${{TRY}}+1])",
            f" same => n,GotoIf($[${{TRY}}>{TRIES}]?{question.code}-over)",
            f" same => n,Read(KEY,{question.prompt},1,,1,{ANSWER_SECONDS})",
            f' same => n,GotoIf($[${{REGEX("^[{keys}]$" ${{KEY}})}}=0]?{question.code})',
            f" same => n,Gosub(say,s,1({names.SURVEYED},question={question.code}&key=${{KEY}}))",
            f" same => n({question.code}-over),NoOp()",
        ]
    return [*lines, f" same => n,Playback({THANKS})", " same => n(bye),Hangup()"]
