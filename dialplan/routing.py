"""What supervisors may change while calls go on, as Asterisk reads it: routing.conf, queues.conf and queuerules.conf.

All three have defaults in asterisk-conf/ and are written anew by the service when its tables say otherwise. Everything
here works without the service: Asterisk has it on its own disk.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from agents.guard import REACH, Deadline, last_widening, reach
from agents.priority import WEIGHTS, Priority
from agents.queues import Queue
from dialplan.extensions import HEADER


class Way(NamedTuple):
    """Where calls of a service go that press no key, and whether they go before others."""

    queue: str
    priority: Priority | None = None


def routing_conf(queues: Sequence[Queue], guard: Sequence[Deadline], ways: Mapping[str, Way]) -> str:
    """Global variables of the dialplan. `ways`: by service."""
    last = last_widening(guard)
    return HEADER + "".join(
        f"{name}={value}\n"
        for name, value in (
            *((f"LONGEST_{queue.code}", queue.longest_wait) for queue in queues),
            *((f"WAY_{service}", way.queue) for service, way in ways.items()),
            *((f"BECAUSE_{service}", way.priority.value) for service, way in ways.items() if way.priority),
            ("WEIGHT_", 0),
            *((f"WEIGHT_{priority}", weight) for priority, weight in WEIGHTS.items()),
            ("GUARD_LAST", last),
            *((f"REACH_{waited}", reach(guard, waited)) for waited in range(last + 1)),
        )
    )


#: app_queue looks once a second, and calls anew at the look after the one by which the rule was due (measured on
#: 22.10.1: a change at 5 s rang at 6.0 s). It counts whole seconds of the clock, so a ring may come up to 1 s early.
_LOOK: Final = 1


def queuerules_conf(guard: Sequence[Deadline]) -> str:
    """The guard's widening: rule guard7 is for a call that has waited 7 s when it enters the queue."""
    last = last_widening(guard)
    lines = []
    for waited in range(last + 1):
        lines.append(f"\n[guard{waited}]\n")
        lines += [
            f"penaltychange => {each.seconds - waited - _LOOK},{REACH[each.act]}\n"
            for each in guard
            if each.act in REACH and each.seconds > waited
        ]
    return HEADER + "".join(lines)
