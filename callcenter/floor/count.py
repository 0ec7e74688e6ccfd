"""What Prometheus sees of the floor: a sink that counts, and what is true at the moment of asking.

Nothing of a caller gets into a label.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final, get_args

from agents.seats import SeatState
from agents.service_level import ABANDONED, in_time
from callcenter import metrics
from callcenter.clock import now
from callcenter.floor.changes import CallAnswered, CallArrived, CallEnded, Change
from callcenter.floor.model import Floor, millis
from callcenter.floor.view import CallState, call_state
from ivr.services import SERVICES

_SECOND: Final = 1000.0
WAITING: Final = frozenset({"waiting", "ringing"})


# Shown as 0 before the first call: an increase from nothing to 1 is none to Prometheus.
for _service in SERVICES:
    for _counter in (metrics.OFFERED, metrics.ANSWERED, metrics.IN_TIME):
        _counter.labels(_service.code)


def count(changes: Sequence[Change]) -> None:
    """Count calls offered, answered, in time and ended, and how long they waited and rang."""
    for change in changes:
        match change:
            case CallArrived(call=call) if call.inbound:
                metrics.OFFERED.labels(call.service).inc()
            case CallAnswered(call=call, leg=leg) if (
                call.inbound and leg.answered_at is not None and leg.answered_at == call.answered_at
            ):
                metrics.ANSWERED.labels(call.service).inc()
                metrics.RING_SECONDS.observe(millis(leg.rung_at, leg.answered_at) / _SECOND)
                if call.wait_ms is not None:
                    metrics.WAIT_SECONDS.labels(call.queue).observe(call.wait_ms / _SECOND)
                    if in_time(call.wait_ms):
                        metrics.IN_TIME.labels(call.service).inc()
            case CallEnded(call=call) if call.inbound:
                metrics.ENDED.labels(call.service, call.outcome).inc()
                if call.outcome in ABANDONED:
                    metrics.ABANDONED.labels(call.service, call.outcome.removeprefix("abandoned_")).inc()


def show(floor: Floor) -> None:
    """Let Prometheus see the floor as it is at the moment of asking."""
    for state in get_args(CallState):
        metrics.CALLS_NOW.labels(state).set_function(partial(_calls, floor, state))
    for seat_state in SeatState:
        metrics.SEATS_NOW.labels(seat_state).set_function(partial(_seats, floor, seat_state))
    metrics.LONGEST_WAIT.set_function(partial(_longest_wait, floor))


def _calls(floor: Floor, state: CallState) -> int:
    return sum(call_state(call) == state for call in list(floor.calls.values()))


def _seats(floor: Floor, state: SeatState) -> int:
    return sum(seat.state is state for seat in list(floor.seats.values()))


def _longest_wait(floor: Floor) -> float:
    waiting = [call.queued_at for call in list(floor.calls.values()) if call.queued_at and call_state(call) in WAITING]
    return max(0.0, (now() - min(waiting)).total_seconds()) if waiting else 0.0
