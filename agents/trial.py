"""Days of 12345 in seconds (离散事件模拟): the same callers met by our queue, or by an ideal pool.

Our queue is app_queue with our rules: a caller looks for a free seat on coming and then once a second (`RECHECK 1`),
may go ahead when more seats are free than callers stand before him, a ring that nobody answers costs `ring_limit` and
a second more, and a seat that ended a call is left alone while its agent wraps up. The ideal pool has no dead time at
all: the first to come is the first answered, at once.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import inf
from random import Random
from typing import Final

from agents.arrivals import Caller
from agents.queues import SETTLE
from agents.service_level import Outcome, Tally


@dataclass(frozen=True, slots=True)
class Rules:
    """How calls are given to seats. All in seconds, `missed` as a share of the rings."""

    look: float = 1.0  # how often a waiting caller looks for a free seat; 0: told at once
    ring: float = 0.5  # from ringing to the agent's answer
    settle: float = float(SETTLE)  # app_queue leaves a seat alone after a talk, however short its wrap-up
    missed: float = 0.0
    ring_limit: float = 10.0
    retry: float = 1.0


#: No dead time: nobody waits while one of the same people is free, and nobody overtakes.
IDEAL: Final = Rules(look=0.0, ring=0.0, settle=0.0, retry=0.0)


@dataclass(frozen=True, slots=True)
class Ended:
    """One try of a citizen, over. `waited`: seconds until the answer or until hanging up."""

    at: float
    waited: float
    outcome: Outcome
    again: bool  # a redial


@dataclass
class Trial:
    """What came of a run.

    `free_to_ring`: seconds from a seat becoming free, with more callers waiting than seats free, to the next ring.
    """

    ended: list[Ended] = field(default_factory=list)
    free_to_ring: list[float] = field(default_factory=list)
    busy: float = 0.0  # seat-seconds of talk and wrap-up
    staffed: float = 0.0  # seat-seconds
    unstaffed_calls: int = 0  # calls that came while nobody was rostered

    def tally(self, since: float = 0.0, until: float = inf) -> Tally:
        """The calls that arrived in this time, counted as the ledger counts them."""
        total = Tally()
        for each in self.ended:
            if since <= each.at < until:
                answered = each.outcome is Outcome.ANSWERED
                wait = round(each.waited * 1000) if answered else None
                total.add(each.outcome, wait, wait)
        return total


@dataclass(eq=False, slots=True)
class _Waiting:
    caller: Caller
    tried: int
    at: float
    gone: bool = False
    ringing: bool = False


class _Run:
    """One run: the clock jumps from event to event."""

    def __init__(self, rules: Rules, seats: Sequence[int], slot: float, chance: Random) -> None:
        self.rules, self.chance, self.trial = rules, chance, Trial()
        self.plan, self.slot = seats, slot
        self.staff = 0  # rostered now
        self.busy = 0  # seats that ring, talk or wrap up
        self.idle = 0  # seats that are free
        self.wanted: deque[float] = deque()  # since when seats are free for which somebody waits
        self.waiting: list[_Waiting] = []
        self.events: list[tuple[float, int, object, object]] = []
        self.order = count()

    def later(self, at: float, what: object, whom: object = None) -> None:
        heappush(self.events, (at, next(self.order), what, whom))

    def run(self, callers: Sequence[Caller]) -> Trial:
        for n in range(len(self.plan)):
            self.later(n * self.slot, self.shift, n)
        for caller in callers:
            self.later(caller.at, self.arrive, (caller, 0))
        while self.events:
            now, _, what, whom = heappop(self.events)
            what(now, whom)  # type: ignore[operator]
        return self.trial

    def shift(self, now: float, n: int) -> None:
        """The roster's next slot: people come, or go when they have ended their call. The last slot lasts."""
        self.staff = self.plan[n]
        self.trial.staffed += self.staff * self.slot
        self.idle = min(self.idle, max(0, self.staff - self.busy))
        self.forget()
        while self.idle + self.busy < self.staff:
            self.freed(now)

    def arrive(self, now: float, who: tuple[Caller, int]) -> None:
        caller, tried = who
        waiting = _Waiting(caller, tried, now)
        self.trial.unstaffed_calls += self.staff == 0
        self.waiting.append(waiting)
        self.look(now, waiting)
        patience = caller.tries[tried].patience
        if patience > 0 or not waiting.ringing:  # who will not wait at all hangs up only when he has to
            self.later(now + patience, self.give_up, waiting)

    def look(self, now: float, who: _Waiting) -> None:
        """A caller looks whether it is his turn; if not, he looks again a little later."""
        if who.gone or who.ringing:
            return
        if self.idle and self.idle > self._ahead(who):
            self.ring(now, who)
        elif self.rules.look:
            self.later(now + self.rules.look, self.look, who)

    def _ahead(self, who: _Waiting) -> int:
        """Callers who wait before this one."""
        return sum(not each.ringing for each in self.waiting[: self.waiting.index(who)])

    def ring(self, now: float, who: _Waiting) -> None:
        self.idle -= 1
        self.busy += 1
        who.ringing = True
        if self.wanted:
            self.trial.free_to_ring.append(now - self.wanted.popleft())
        if self.rules.missed and self.chance.random() < self.rules.missed:
            self.later(now + self.rules.ring_limit, self.miss, who)
        elif self.rules.ring:
            self.later(now + self.rules.ring, self.answer, who)
        else:
            self.answer(now, who)

    def miss(self, now: float, who: _Waiting) -> None:
        if who.gone:
            return
        who.ringing = False
        self.release(now)
        self.later(now + self.rules.retry, self.look, who)

    def answer(self, now: float, who: _Waiting) -> None:
        if who.gone:
            return
        who.gone = True
        self.waiting.remove(who)
        self.end(who, now, Outcome.ANSWERED)
        taken = who.caller.talk + max(self.rules.settle, who.caller.wrap_up)
        self.trial.busy += taken
        self.later(now + taken, self.release)

    def give_up(self, now: float, who: _Waiting) -> None:
        if who.gone:
            return
        who.gone = True
        self.waiting.remove(who)
        self.end(who, now, Outcome.ABANDONED_RINGING if who.ringing else Outcome.ABANDONED_QUEUE)
        self.forget()
        if who.ringing:
            self.release(now)
        following = who.tried + 1
        if following < len(who.caller.tries):
            self.later(now + who.caller.tries[following].after, self.arrive, (who.caller, following))

    def release(self, now: float, _: object = None) -> None:
        self.busy -= 1
        if self.idle + self.busy < self.staff:
            self.freed(now)

    def freed(self, now: float) -> None:
        unserved = [each for each in self.waiting if not each.ringing]
        if len(unserved) > self.idle:
            self.wanted.append(now)
        self.idle += 1
        if unserved and not self.rules.look:
            self.ring(now, unserved[0])

    def forget(self) -> None:
        """Nobody waits for a seat any more when fewer wait than seats are free, or the seat is gone."""
        most = min(self.idle, sum(not each.ringing for each in self.waiting))
        while len(self.wanted) > most:
            self.wanted.pop()

    def end(self, who: _Waiting, now: float, outcome: Outcome) -> None:
        self.trial.ended.append(Ended(who.at, now - who.at, outcome, who.tried > 0))


def run(callers: Sequence[Caller], seats: Sequence[int], slot: float, rules: Rules, chance: Random) -> Trial:
    """Let them call.

    Args:
        callers: in any order.
        seats: how many people are on duty in each slot; after the last slot its people stay until all is over.
        slot: length of a slot in seconds.
        chance: for what the rules leave to chance: rings that nobody answers.
    """
    return _Run(rules, seats, slot, chance).run(callers)
