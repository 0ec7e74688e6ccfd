"""Words that Python and Asterisk both use. A word written twice is a bug waiting; each stands here once."""

from typing import Final

# User events, sent by AMI and written to CEL under the same name with the same payload: a URL-encoded query string.
ARRIVED: Final = "CcArrived"  # number, name, dialed, service
CHOSE: Final = "CcChose"  # menu, language
QUEUED: Final = "CcQueued"  # queue
LEFT: Final = "CcLeft"  # status: what QUEUESTATUS said
REFUSED: Final = "CcRefused"  # status

PAYLOAD: Final = "Say"  # the header of the user event that carries the payload

# Contexts of the dialplan.
TRUNK_CONTEXT: Final = "from-trunk"
TRY_CONTEXT: Final = "from-try"
SEAT_CONTEXT: Final = "from-seat"

# Accounts of the manager interface.
EVENTS_USER: Final = "callcenter-events"
ACTIONS_USER: Final = "callcenter-actions"

# SIP names.
TRUNK: Final = "trunk"
TRY: Final = "try"
REALM: Final = "asterisk"
BROWSER_SUFFIX: Final = "w"  # seat 1001 has the endpoints 1001 (phone on the desk) and 1001w (browser)

CEL_FILE: Final = "cel.json"  # below cel-custom/ in Asterisk's log folder
QUEUE_LOG: Final = "queue_log"
SEATS_FILE: Final = "seats.conf"

#: The AMI events we hear. All others are dropped inside Asterisk: less work there and here, and none that is written
#: before the dialplan has cleaned the caller's number (Newchannel, Newexten, VarSet) ever comes.
HEARD: Final = (
    "UserEvent",
    "AgentCalled",
    "DialEnd",
    "AgentComplete",
    "Hold",
    "Unhold",
    "Hangup",
    "QueueMemberAdded",
    "QueueMemberRemoved",
    "QueueMemberPause",
)


def interface(seat: str, browser: bool) -> str:
    """The queue member's interface of a seat: PJSIP/1001 for its desk phone, PJSIP/1001w for the browser's."""
    return f"PJSIP/{seat}{BROWSER_SUFFIX if browser else ''}"
