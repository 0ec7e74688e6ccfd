"""[callback]: a waiting caller asks to be called back; and what the citizen hears who is called back (回电).

Works while the service is away: the queue offers it (queues.conf), its key leads here, and what was asked stands in CEL
until somebody reads it. A number that may be called is asked for at once: who hangs up while it is read out to him has
asked. Another number that is typed takes its place.

    [callable]     the numbers that may be called back, and no others
    [called-back]  the citizen has answered: one sentence, then the reserved seat, then the head of the queue

Variables that the Originate sets: BACK_NUMBER, BACK (the payload of CcCallingBack), LANGUAGE_SPOKEN, WAY, DIRECT
(dialplan/direct.py says what these two are).
"""

from dialplan import names
from dialplan.rooms import knows_its_call
from ivr.callback import CALLABLE, CONFIRM_SECONDS, COUNTRY, DIGIT_SECONDS, KEY, TRIES

_LONGEST = 12


def callback() -> list[str]:
    """The lines of all three contexts."""
    return [
        "; A waiting caller pressed the key of the callback; see dialplan/callback.py.",
        f"[{names.CALLBACK_CONTEXT}]",
        f"exten => {KEY},1,Set(TYPED=${{CALLERID(num)}})",
        *(
            f' same => n,Set(TYPED=${{IF($["${{TYPED:0:{len(code)}}}"="{code}"]?${{TYPED:{len(code)}}}:${{TYPED}})}})'
            for code in COUNTRY
        ),
        f" same => n,GotoIf({_callable()}?ask)",
        f" same => n,Gosub(say,s,1({names.LEFT},status={names.BY_KEY}))",
        " same => n(type),Set(TYPING=$[0${TYPING}+1])",
        f" same => n,GotoIf($[${{TYPING}}>{TRIES}]?enough)",
        f" same => n,Read(KEY,callback-type,{_LONGEST},,1,{DIGIT_SECONDS})",
        " same => n,Set(TYPED=${FILTER(0-9,${KEY})})",
        f" same => n,GotoIf({_callable()}?ask)",
        " same => n,Playback(callback-refused)",
        " same => n,Goto(type)",
        " same => n(ask),Set(BACK_NUMBER=${TYPED})",
        f" same => n,Gosub(say,s,1({names.CALLBACK_ASKED},number=${{BACK_NUMBER}}&language=${{CHANNEL(language)}}))",
        " same => n,Playback(callback-number)",
        " same => n,SayDigits(${BACK_NUMBER})",
        f" same => n,Read(KEY,callback-keep,1,,1,{CONFIRM_SECONDS})",
        ' same => n,GotoIf($["${KEY}"="2"]?type)',
        " same => n(noted),Playback(callback-noted&goodbye)",
        " same => n,Hangup()",
        # Nobody types for ever. What was asked for stands; who has no number waits on, where he was.
        ' same => n(enough),GotoIf($["${BACK_NUMBER}"!=""]?noted)',
        " same => n,Set(PLACE=${QUEUEPOSITION})",
        f" same => n,Gosub(say,s,1({names.QUEUED},queue=${{WAY}}))",
        " same => n,Goto(waiting,${WAY},enter)",
        "",
        f"[{names.CALLABLE_CONTEXT}]",
        *(f"exten => _{pattern},1,Return()" for pattern in CALLABLE),
        "",
        f"[{names.CALLED_BACK_CONTEXT}]",
        f"exten => s,1,Gosub(say,s,1({names.CALLING_BACK},${{BACK}}))",
        knows_its_call(),
        " same => n,Set(CHANNEL(language)=${LANGUAGE_SPOKEN})",
        knows_its_call(),
        f" same => n,Gosub(say,s,1({names.QUEUED},queue=${{WAY}}))",
        # The agent's phone shows whom it is about.
        " same => n,Set(CALLERID(num)=${BACK_NUMBER})",
        f" same => n,Gosub({names.RECORD_CONTEXT},s,1)",
        f" same => n,Playback(callback-greeting${{{names.RECORDING_NOTICE}}})",
        f" same => n,MSet(WHY={names.WHY_CALLBACK},PLACE=1,QUEUED_AT=${{EPOCH}})",
        f" same => n,Goto({names.DIRECT_CONTEXT},s,1)",
    ]


def _callable() -> str:
    # With an empty number DIALPLAN_EXISTS would tell whether the context is there.
    return f"$[${{LEN(${{TYPED}})}}>0 & 0${{DIALPLAN_EXISTS({names.CALLABLE_CONTEXT},${{TYPED}},1)}}>0]"
