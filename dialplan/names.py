"""Words that Python and Asterisk both use. A word written twice is a bug waiting; each stands here once."""

from typing import Final

# User events, sent by AMI and written to CEL under the same name with the same payload: a URL-encoded query string.
ARRIVED: Final = "CcArrived"  # number, name, dialed, service
CHOSE: Final = "CcChose"  # menu, language
QUEUED: Final = "CcQueued"  # queue, priority
LEFT: Final = "CcLeft"  # status: what QUEUESTATUS said
REFUSED: Final = "CcRefused"  # status
RECORDING: Final = "CcRecording"  # status: on, or full when there is no room for it
SURVEYING: Final = "CcSurveying"  # the talk is over, and the citizen stays for the questions
SURVEYED: Final = "CcSurveyed"  # question, key
DIRECTED: Final = "CcDirect"  # phone, login, why: one seat is to ring for the call
DIRECT_OVER: Final = "CcDirectOver"  # status: what DIALSTATUS said
CALLBACK_ASKED: Final = "CcCallbackAsked"  # number, language: as dialled, as spoken
CALLING_BACK: Final = "CcCallingBack"  # the citizen has answered; number, origin, service, queue, language, seat

# Why a call rings one seat's phone.
WHY_LAST_AGENT: Final = "last_agent"  # 首选原话务员
WHY_PULLED: Final = "pulled"  # 班长指派
SUPERVISING: Final = "CcSupervising"  # id, by, seat, agent, on, call, mode; told of the supervisor's channel
JOINED: Final = "CcJoined"  # channel, in a room call: a phone that no queue has rung talks with the citizen
PARTED: Final = "CcParted"  # by: who left first
WHY_CALLBACK: Final = "callback"  # 回电
CALLED: Final = "CcCalled"  # call, kind, line, login: a phone or line is dialled for a call
ENTERED: Final = "CcEntered"  # call: this channel is in the call's room
PARKED: Final = "CcParked"  # call: the citizen waits with music
GONE: Final = "CcGone"  # call, over: the citizen's end; over=yes when all others had left before

PAYLOAD: Final = "Say"  # the header of the user event that carries the payload

# Contexts of the dialplan.
TRUNK_CONTEXT: Final = "from-trunk"
TRY_CONTEXT: Final = "from-try"
SEAT_CONTEXT: Final = "from-seat"
DIRECT_CONTEXT: Final = "direct"
SUPERVISE_CONTEXT: Final = "supervise"
TAKEN: Final = "taken"  # the citizen's extension there
TAKES: Final = "takes"  # and that of a phone that takes a place in the call's room: takes-holder, takes-third

# Variables of channels, set by the service; ANNOUNCE and NOTICE are global, of announce.conf.
SPIED: Final = "SPIED"  # the agent's channel
SUPERVISION: Final = "SUPERVISION"  # payload of CcSupervising, but for the mode
TAKER: Final = "TAKER"  # the supervisor's channel
ANNOUNCE: Final = "SUPERVISION_ANNOUNCE"
NOTICE: Final = "SUPERVISION_NOTICE"
RECORD_CONTEXT: Final = "record"
SURVEY_CONTEXT: Final = "survey"

# Global variables, which the service or the installation sets.
RECORD: Final = "RECORD"  # on, off, or full: there is no room left
RECORDING_NOTICE: Final = "RECORDING_NOTICE"  # & and the prompt, or nothing
SURVEY: Final = "SURVEY"  # the option of Queue() that lets the citizen stay after the talk, or nothing
CALLBACK_CONTEXT: Final = "callback"
CALLABLE_CONTEXT: Final = "callable"
CALLED_BACK_CONTEXT: Final = "called-back"
DIALLED_CONTEXT: Final = "dialled"  # the numbers of citizens that may be dialled from here

#: What CcLeft says of a caller who left the queue by the callback's key, and has no number yet.
BY_KEY: Final = "KEY"
OUTSIDE_CONTEXT: Final = "from-outside"  # empty: lines that we have dialled come in by no other way
WAITING_CONTEXT: Final = "waiting"
KEYS_CONTEXT: Final = "waiting-keys"  # what a key does that is pressed in a queue
ROOM_CONTEXT: Final = "room"
MUSIC_CONTEXT: Final = "music"
ASK_CONTEXT: Final = "ask"
PASSED_CONTEXT: Final = "passed"
AGAIN_CONTEXT: Final = "again"
AFTER_CONTEXT: Final = "after"

# Places in a room; also the names of the conference's user profiles.
CITIZEN: Final = "citizen"
HOLDER: Final = "holder"
THIRD: Final = "third"
GUEST: Final = "supervisor"
GUEST_KEYS: Final = "supervisor-keys"

# Variables of channels. CALL, the call's id without its node, is inherited by every channel dialled for the call.
CALL: Final = "CC"
KIND: Final = "KIND"
LINE: Final = "LINE"
LOGIN: Final = "LOGIN"
PHONE: Final = "PHONE"  # a seat's endpoint: 1001 or 1001w
SHOWN: Final = "SHOWN"  # the caller's number as the phone shows it
QUEUE: Final = "WAY"
CITIZEN_CHANNEL: Final = "CITIZEN"
HELPED: Final = "HELPED"  # yes: 110 or the like was called
STAFF_GROUP: Final = "staff"
RINGING_GROUP: Final = "rings"

# Accounts of the manager interface.
EVENTS_USER: Final = "callcenter-events"
ACTIONS_USER: Final = "callcenter-actions"

# SIP names.
TRUNK: Final = "trunk"
OUTSIDE: Final = "outside"  # the trunk as we dial it: a channel of its own name is never taken for a citizen's
CITIZENS: Final = "citizens"  # the same for citizens whom we call: their call is the Local channel before it
TRY: Final = "try"
REALM: Final = "asterisk"
BROWSER_SUFFIX: Final = "w"  # seat 1001 has the endpoints 1001 (phone on the desk) and 1001w (browser)

#: Music (等待音) of the queues: it begins with words. All other music has none.
WAITING_MUSIC: Final = "waiting"

CEL_FILE: Final = "cel.json"  # below cel-custom/ in Asterisk's log folder
QUEUE_LOG: Final = "queue_log"
SEATS_FILE: Final = "seats.conf"
ANNOUNCE_FILE: Final = "announce.conf"
SWITCHES_FILE: Final = "switches.conf"
TRACKS: Final = "monitor"  # below Asterisk's spool folder, where it writes what it records
ROUTING_FILE: Final = "routing.conf"
QUEUES_FILE: Final = "queues.conf"
GUARD_FILE: Final = "queuerules.conf"

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
    "QueueMemberPenalty",
    "QueueMemberRemoved",
    "QueueMemberPause",
)


def phone(seat: str, browser: bool) -> str:
    """The SIP name of a seat's phone: 1001 for the one on the desk, 1001w for the browser's."""
    return seat + BROWSER_SUFFIX if browser else seat


ANNOUNCED_FILE: Final = "announcements.conf"
#: Global variables, by which the service tells the dialplan what is said with the greeting (dialplan/announced.py).
ANNOUNCEMENT: Final = "ANNOUNCEMENT"


def next_of(seat: str) -> str:
    """The global variable in which Asterisk keeps what is to follow a seat's call, over a restart of the service."""
    return f"NEXT_{seat}"


def dialled(number: str) -> str:
    """How a citizen's number is dialled: by the dialplan, which refuses what may not be (toll fraud)."""
    return f"Local/{number}@{DIALLED_CONTEXT}/n"


def moved(number: str) -> str:
    """The global variable of an old number's cut-over: the second since the epoch from which it is part of 12345."""
    return f"MOVED_{number}"


def interface(seat: str, browser: bool) -> str:
    """The queue member's interface of a seat: PJSIP/1001 for its desk phone, PJSIP/1001w for the browser's."""
    return f"PJSIP/{phone(seat, browser)}"
