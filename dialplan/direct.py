"""[direct]: a citizen's call rings the phone of one seat, before its queue or out of it (直接呼叫座席).

Who sends a call there sets variables on the citizen's channel first:

- `DIRECT`: the phone, `1001` or `1001w` (names.phone).
- `WHO`: for the record, the login of who sits there; `WHY`: one of the words of `names.WHY_...`.
- `WAY`: the queue to which the call goes when nobody answers. `[waiting]` has set it for a call that was queued.
- `QUEUED_AT`: second since the epoch of its first entry into a queue, set by `[waiting]` too. The guard goes on from
  there, and the longest wait counts from it.
- `PLACE`: the place in that queue to which it comes back, 1 for its head; unset: its end.

Then `Goto(direct,s,1)` in the dialplan, or a Redirect by the manager interface (`actions.direct`): a call that waits in
a queue leaves it at once, and a phone that rang for it stops. The call is told twice like all else: CcDirect, then
DialBegin and DialEnd on the manager interface (queue calls' DialBegin is kept inside Asterisk by its context), and
CcDirectOver with Dial's status unless the citizen hung up meanwhile. ANSWER there means that the agent hung up first.

A phone that is not idle at that moment is not rung (CcDirectOver says BUSY): Asterisk knows it better than we do.
"""

from typing import Final

from agents.queues import DIRECT_RING
from dialplan import names

#: g: go on when the agent hangs up, so that this is told; i: a phone may not send the call elsewhere; m: music as in
#: the queue.
_OPTIONS: Final = "gim"


def direct() -> list[str]:
    """The lines of the context."""
    return [
        "; One seat's phone rings for a call; see dialplan/direct.py.",
        f"[{names.DIRECT_CONTEXT}]",
        f"exten => s,1,Gosub({names.RECORD_CONTEXT},s,1)",
        f" same => n,Gosub(say,s,1({names.DIRECTED},phone=${{DIRECT}}&login=${{WHO}}&why=${{WHY}}))",
        ' same => n,GotoIf($["${DEVICE_STATE(PJSIP/${DIRECT})}"="NOT_INUSE"]?ring)',
        f" same => n,Gosub(say,s,1({names.DIRECT_OVER},status=BUSY))",
        " same => n,Goto(waiting,${WAY},enter)",
        f" same => n(ring),Dial(PJSIP/${{DIRECT}},{DIRECT_RING},{_OPTIONS})",
        f" same => n,Gosub(say,s,1({names.DIRECT_OVER},status=${{DIALSTATUS}}))",
        ' same => n,GotoIf($["${DIALSTATUS}"="ANSWER"]?talked)',
        " same => n,Goto(waiting,${WAY},enter)",
        f" same => n(talked),Goto({names.SURVEY_CONTEXT},s,1)",
    ]
