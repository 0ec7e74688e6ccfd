"""The sink that counts for Prometheus. Nothing of a caller gets into a label."""

from collections.abc import Sequence
from typing import Final

from agents.service_level import ABANDONED, in_time
from callcenter import metrics
from callcenter.floor.changes import CallAnswered, CallArrived, CallEnded, Change
from callcenter.floor.model import millis
from ivr.services import SERVICES

_SECOND: Final = 1000.0


# Shown as 0 before the first call: an increase from nothing to 1 is none to Prometheus.
for _service in SERVICES:
    for _counter in (metrics.OFFERED, metrics.ANSWERED, metrics.IN_TIME):
        _counter.labels(_service.code)


def count(changes: Sequence[Change]) -> None:
    """Count calls offered, answered, in time and ended, and how long they waited and rang."""
    for change in changes:
        match change:
            case CallArrived(call=call):
                metrics.OFFERED.labels(call.service).inc()
            case CallAnswered(call=call, leg=leg) if (
                leg.answered_at is not None and leg.answered_at == call.answered_at
            ):
                metrics.ANSWERED.labels(call.service).inc()
                metrics.RING_SECONDS.observe(millis(leg.rung_at, leg.answered_at) / _SECOND)
                if call.wait_ms is not None:
                    metrics.WAIT_SECONDS.labels(call.queue).observe(call.wait_ms / _SECOND)
                    if in_time(call.wait_ms):
                        metrics.IN_TIME.labels(call.service).inc()
            case CallEnded(call=call):
                metrics.ENDED.labels(call.service, call.outcome).inc()
                if call.outcome in ABANDONED:
                    metrics.ABANDONED.labels(call.service, call.outcome.removeprefix("abandoned_")).inc()
