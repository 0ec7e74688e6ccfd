"""Every Prometheus object. Names begin with callcenter_ and carry their unit; no label holds anything of a caller."""

from importlib.metadata import version
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, Info

BUILD: Final = Info("callcenter_build", "Which release runs")
BUILD.info({"version": version("callcenter-12345")})
PART_UP: Final = Gauge("callcenter_part_up", "1 when a part that /readyz asks is there, else 0", ("part",))

HTTP_SECONDS: Final = Histogram(
    "callcenter_http_request_duration_seconds",
    "Time to answer an HTTP request, by route and never by address",
    ("method", "route", "status"),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)

LEDGER_ROWS: Final = Counter("callcenter_ledger_rows_total", "Rows kept, by where they were safe first", ("stored",))
LEDGER_REFUSED_ROWS: Final = Counter("callcenter_ledger_refused_rows_total", "Rows put aside as wrong by Postgres")
LEDGER_LOST_ROWS: Final = Counter("callcenter_ledger_lost_rows_total", "Rows that neither Postgres nor journal took")
ORDERS_SWEPT: Final = Counter("callcenter_orders_swept_total", "Orders that the sweep over clocks has looked at")
NOTICES: Final = Counter("callcenter_notices_total", "Tries to send notices of orders", ("channel", "outcome"))
NOTICES_GIVEN_UP: Final = Counter("callcenter_notices_given_up_total", "Notices of orders that nobody was told")
NOTICES_UNTOLD: Final = Gauge(
    "callcenter_notices_untold", "Notices of orders given up in the last day and not sent again"
)
NOTICES_WAITING: Final = Gauge("callcenter_notices_waiting", "Notices of orders that wait to be sent, or for the day")
NOTICES_AGE: Final = Gauge("callcenter_notices_age_seconds", "For how long the oldest notice that is due has waited")
RECORDER_BUFFER_ROWS: Final = Gauge("callcenter_recorder_buffer_rows", "Rows that wait in memory to be written")
JOURNAL_BYTES: Final = Gauge("callcenter_journal_bytes", "Size of the journal on disk")
JOURNAL_AGE_SECONDS: Final = Gauge("callcenter_journal_age_seconds", "Age of what waits longest in the journal")
JOURNAL_TORN_RECORDS: Final = Counter("callcenter_journal_torn_records_total", "Records of the journal that were torn")
JOURNAL_REPLAY_SECONDS: Final = Histogram(
    "callcenter_journal_replay_seconds",
    "Time to replay the journal",
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300),
)

AUDIT_CHAINED: Final = Gauge("callcenter_audit_chained_rows", "Rows of the audit that are in the chain")
AUDIT_WAITING: Final = Gauge("callcenter_audit_waiting_rows", "Rows of the audit that wait to be chained")
AUDIT_BROKEN: Final = Gauge("callcenter_audit_chain_broken", "1 when the audit's chain has lost links that it had")

# The line to Asterisk.
LINE_UP: Final = Gauge("callcenter_line_state", "1 for the state that the line to Asterisk is in", ("state",))
AMI_RECONNECTS: Final = Counter("callcenter_ami_reconnects_total", "Attempts to connect to Asterisk again")
AMI_FRAMES: Final = Counter("callcenter_ami_frames_total", "Manager event frames heard")
AMI_FORGED: Final = Counter(
    "callcenter_ami_forged_frames_total",
    "Tries to forge events: frames dropped because they are not Asterisk's own, and callers' numbers with line ends",
)
AMI_BROKEN: Final = Counter("callcenter_ami_unread_frames_total", "Authentic events that lacked what they must have")
ASTERISK_HUNG: Final = Gauge(
    "callcenter_asterisk_hung_kills",
    "How often `callcenter up` has killed an Asterisk that lived and did not answer; it only grows",
)
LINE_WAITING: Final = Gauge("callcenter_line_waiting_frames", "Event frames heard that the floor has not taken in")
EVENT_LAG: Final = Histogram(
    "callcenter_event_lag_seconds",
    "From Asterisk's time stamp on an event to the floor taking it in",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.03, 0.1, 0.5, 2, 10),
)
CORRECTIONS: Final = Counter("callcenter_resync_corrections_total", "Things a snapshot found otherwise than the floor")
SINK_ERRORS: Final = Counter("callcenter_sink_errors_total", "Failures inside one sink of the floor", ("sink",))
TASK_RESTARTS: Final = Counter(
    "callcenter_task_restarts_total", "Long tasks that failed and were started again", ("task",)
)

# The floor.
OFFERED: Final = Counter("callcenter_calls_offered_total", "Calls that reached Asterisk", ("service",))
ENDED: Final = Counter("callcenter_calls_ended_total", "Ended calls by outcome", ("service", "outcome"))
ANSWERED: Final = Counter("callcenter_calls_answered_total", "Calls that a person answered", ("service",))
IN_TIME: Final = Counter(
    "callcenter_calls_answered_in_time_total", "Calls a person answered within 15 s of entering the queue", ("service",)
)
ABANDONED: Final = Counter(
    "callcenter_calls_abandoned_total", "Calls whose caller hung up unanswered", ("service", "phase")
)
WAIT_SECONDS: Final = Histogram(
    "callcenter_wait_seconds",
    "From entry into the queue to a person's answer",
    ("queue",),
    buckets=(0.5, 1, 2, 3, 5, 8, 10, 12, 15, 20, 30, 60, 120, 300, 600),
)
RING_SECONDS: Final = Histogram(
    "callcenter_ring_seconds", "From the first ring of a seat to its answer", buckets=(0.5, 1, 2, 3, 4, 5, 6, 8, 10, 15)
)
CALLS_NOW: Final = Gauge("callcenter_calls", "Calls now, by state", ("state",))
SEATS_NOW: Final = Gauge("callcenter_seats", "Seats now, by state", ("state",))
CALLBACKS_WAITING: Final = Gauge("callcenter_callbacks_waiting", "Citizens who wait to be called back")
CALLBACKS: Final = Counter("callcenter_callbacks_total", "Calls back to citizens, by outcome", ("outcome",))
LONGEST_WAIT: Final = Gauge("callcenter_longest_wait_seconds", "How long the caller at the head waits now")
SCREENS: Final = Gauge("callcenter_screens", "Connected pages, by view", ("view",))
SCREEN_UNREAD: Final = Gauge(
    "callcenter_screen_unread_messages", "Messages that the slowest connected page has not read", ("view",)
)
SCREEN_OVERRUNS: Final = Counter(
    "callcenter_screen_overruns_total", "Pages dropped because they read too slowly", ("view",)
)


def line_state(state: str) -> None:
    """Show the line's state: `live`, `stale` or `away`."""
    for name in ("live", "stale", "away"):
        LINE_UP.labels(name).set(name == state)


line_state("away")

# Recordings.
RECORDINGS: Final = Counter(
    "callcenter_recordings_total", "Recordings sealed, or thrown away because nobody had answered", ("result",)
)
RECORDING_GAPS: Final = Counter(
    "callcenter_recording_gaps_total", "Answered calls whose recording is missing or too short", ("gap",)
)
RECORDING_FAILURES: Final = Counter("callcenter_recording_failures_total", "Tries to seal a recording that failed")
RECORDING_CLEAR_SECONDS: Final = Gauge(
    "callcenter_recording_clear_seconds", "How long the oldest finished recording has been waiting unsealed"
)
RECORDING_FREE: Final = Gauge(
    "callcenter_recording_free_ratio",
    "Free share of the disk, of Asterisk's tracks and of sealed recordings",
    ("disk",),
)
RECORDINGS_DELETED: Final = Counter("callcenter_recordings_deleted_total", "Recordings deleted when due", ("rule",))

SURE_CALLS: Final = Counter("callcenter_sure_calls_total", "Ended calls read from Asterisk's own files")
