"""What supervisors may change while calls go on (话务分配方案), as one value."""

from collections.abc import Mapping
from dataclasses import dataclass

from agents.guard import GUARD, Deadline
from agents.queues import ENTERED, STANDBY, Queue
from agents.skills import Levels
from dialplan import names
from dialplan.queues import queues_conf
from dialplan.routing import Way, queuerules_conf, routing_conf


@dataclass(frozen=True, slots=True)
class Worker:
    """A person with an account that is open, and what he or she serves."""

    login: str
    name_zh: str
    name_en: str
    roles: tuple[str, ...]
    levels: Levels


@dataclass(frozen=True, slots=True)
class Plan:
    """People by login, the queues with their settings, the guard, and where each service's calls go."""

    workers: Mapping[str, Worker]
    queues: tuple[Queue, ...] = ENTERED
    guard: tuple[Deadline, ...] = GUARD
    ways: Mapping[str, Way] | None = None

    def files(self) -> dict[str, str]:
        """What Asterisk has to know of it: file name -> text. Empty until the plan has been read."""
        if self.ways is None:
            return {}
        return {
            names.QUEUES_FILE: queues_conf((*self.queues, STANDBY), self.guard),
            names.GUARD_FILE: queuerules_conf(self.guard),
            names.ROUTING_FILE: routing_conf(self.queues, self.guard, self.ways),
        }
