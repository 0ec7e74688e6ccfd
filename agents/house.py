"""A house of several services in seconds (多技能离散事件模拟): drawn callers meet skills, guard, priority and callback.

What decides here decides in the running house, too: `skills.memberships` gives each seat its tiers, `guard.reach` whom
a call may ring by now, `priority.weight` and `priority.known` its place in the queue, `priority.is_turn` when it is the
turn of who asked to be called back. Around them stands app_queue as trial.py has it, queue by queue: a caller looks on
coming and once a second, goes ahead when more seats of his queue are free than callers stand before him, and then rings
the lowest tier within his reach, there the seat whose last talk for this queue ended longest ago. Public danger has a
queue of its own, from which lighter ones are kept, and its guard is at the end at once.
"""

from bisect import insort
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from math import inf
from random import Random
from typing import Final

from agents.arrivals import Caller
from agents.guard import GUARD, WRAP_UP_LEAST, Act, Deadline, calls_for_help, hastened, reach
from agents.priority import Earlier, Priority, is_turn, known, weight
from agents.queues import DANGER, QUEUES
from agents.service_level import Outcome
from agents.skills import Level, Levels, Sitting, memberships
from agents.trial import IDEAL, Ended, Rules

_MOST_WAITING: Final = float(max(queue.most_waiting for queue in QUEUES))
_LONGEST_WAIT: Final = float(max(queue.longest_wait for queue in QUEUES))
_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
#: A caller looks at whole seconds since he came; a float may miss one by this.
_HAIR: Final = 1e-6

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A caller with what he wants.

    Args:
        priority: by a key, or by the number that he dialled.
        asks: takes the callback when it is offered to him.
        reached: whether he answers the first, the second ... call back.
    """

    caller: Caller
    service: str
    queue: str
    priority: Priority | None = None
    asks: bool = False
    reached: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Worker:
    """Somebody who takes calls. `duty`: from when to when, in seconds, ascending; `breaks`: begin and length of each.

    What is due during a call comes after it and its wrap-up.
    """

    levels: Levels
    duty: tuple[Span, ...] = ((0.0, inf),)
    breaks: tuple[Span, ...] = ()

    @property
    def volunteers(self) -> bool:
        """Whether this person has other work, and rings only when the guard asks for help."""
        return min(self.levels.values(), default=Level.VOLUNTEER) is Level.VOLUNTEER


@dataclass(frozen=True, slots=True)
class Ways:
    """How calls are given to people. Seconds.

    Args:
        guard: its deadlines; none: no call ever reaches beyond its first tier, and no callback is offered.
        priority: whether calls go before others.
        longest_wait: a caller who has waited so long is sent away; so is who comes when `most_waiting` wait.
        offer: how long the callback is offered; meanwhile nobody rings for this caller.
        offer_every: from one offer to the next.
        missed_rings: so many in a row, and the seat is away for `away`.
        wrap_up_least: no wrap-up is ended before; infinite: none is.
        gaps: from one vain try to call back to the next.
        back_answered, back_vain: how long it is dialled until the citizen answers, or until we give up.
    """

    rules: Rules = field(default_factory=Rules)
    guard: tuple[Deadline, ...] = GUARD
    priority: bool = True
    longest_wait: float = _LONGEST_WAIT
    most_waiting: float = _MOST_WAITING
    wrap_up_least: float = float(WRAP_UP_LEAST)
    offer: float = 2.4
    offer_every: float = 90.0
    missed_rings: int = 2
    away: float = 120.0
    gaps: tuple[float, ...] = (120.0, 600.0)
    back_answered: float = 8.0
    back_vain: float = 30.0


#: No dead time, and no order but that of coming: with `one_pool` the ideal pool.
IDEAL_WAYS: Final = Ways(IDEAL, guard=(), priority=False, longest_wait=inf, most_waiting=inf)


@dataclass
class HouseTrial:
    """What came of a run. Tries with their service; counts by service; times in seat-seconds."""

    ended: list[tuple[str, Ended]] = field(default_factory=list)
    acts: Counter[tuple[str, Act]] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)  # left the queue to be called back
    reached: Counter[str] = field(default_factory=Counter)  # and were
    cut: int = 0  # wrap-ups ended for a caller
    busy: float = 0.0  # talk, wrap-up and calling back
    staffed: float = 0.0  # on duty and on no break


def one_pool(people: Sequence[Worker], queues: Sequence[str]) -> list[Worker]:
    """The same people, each serving everything. Who has other work still rings only by the guard."""
    return [
        Worker(dict.fromkeys(queues, Level.VOLUNTEER if each.volunteers else Level.FIRST), each.duty, each.breaks)
        for each in people
    ]


def strict_split(people: Sequence[Worker]) -> list[Worker]:
    """The same people, each serving nothing but what he or she serves best; who has other work, nothing."""
    split = []
    for each in people:
        best = min(each.levels.values(), default=Level.VOLUNTEER)
        mine = {queue: level for queue, level in each.levels.items() if level is best and not each.volunteers}
        split.append(Worker(mine, each.duty, each.breaks))
    return split


@dataclass(eq=False, slots=True)
class _Waiting:
    drawn: Drawn
    queue: str
    guard: Sequence[Deadline]
    tried: int
    at: float
    weight: int
    order: int
    earlier: tuple[Earlier, ...]
    gone: bool = False
    ringing: "_Seat | None" = None  # whose phone rings for him
    acts: int = 0
    offered: float = inf  # when the callback is offered next
    helped: bool = False

    def __lt__(self, other: "_Waiting") -> bool:
        return (-self.weight, self.at, self.order) < (-other.weight, other.at, other.order)


@dataclass(eq=False, slots=True)
class _Seat:
    number: int
    worker: Worker
    here: bool = False  # on duty
    away: int = 0  # on breaks, or out of reach
    free: bool = False
    doing: int = 0  # counts what it does, so that an end that comes too late is known
    tiers: Mapping[str, int] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)  # queue -> when its last talk for it ended
    leaves: bool = False
    breaks: list[float] = field(default_factory=list)  # those due after the call
    missed: int = 0
    since: float = 0.0  # works, or is free


@dataclass(eq=False, slots=True)
class _Back:
    drawn: Drawn
    place: float
    due: float
    tries: int = 0


class _Run:
    """One run: the clock jumps from event to event."""

    def __init__(self, people: Sequence[Worker], ways: Ways, chance: Random, since: float) -> None:
        self.ways, self.rules, self.chance, self.trial = ways, ways.rules, chance, HouseTrial()
        self.since = since
        self.seats = [_Seat(n, worker) for n, worker in enumerate(people)]
        self.waiting: dict[str, list[_Waiting]] = {}
        self.idle: list[_Seat] = []
        self.wrapping: dict[_Seat, float] = {}  # seats in wrap-up, since when; the longest first
        self.backs: list[_Back] = []
        self.looking_at = -inf  # when it was last seen who is to be called back
        self.events: list[tuple[float, int, object, object]] = []
        self.order = count()

    def later(self, at: float, what: object, whom: object = None) -> None:
        heappush(self.events, (at, next(self.order), what, whom))

    def run(self, callers: Sequence[Drawn]) -> HouseTrial:
        for seat in self.seats:
            for begin, end in seat.worker.duty:
                if begin > 0:
                    self.later(begin, self.sit, seat)
                else:  # all who are there from the start sit down together
                    seat.here = seat.free = True
                    self.idle.append(seat)
                if end < inf:
                    self.later(end, self.stand, seat)
            for begin, length in seat.worker.breaks:
                self.later(begin, self.want_break, (seat, length))
        for drawn in callers:
            self.later(drawn.caller.at, self.arrive, (drawn, 0, ()))
        self.place()
        end = 0.0
        while self.events:
            end, _, what, whom = heappop(self.events)
            what(end, whom)  # type: ignore[operator]
        for seat in self.seats:
            self.count_staffed(end, seat)
        return self.trial

    # --- people -------------------------------------------------------------------------------------------------------

    def sit(self, now: float, seat: _Seat) -> None:
        seat.here, seat.leaves, seat.since = True, False, now
        self.place()
        self.freed(now, seat)

    def stand(self, now: float, seat: _Seat) -> None:
        if seat.free or seat.away:
            self.go(now, seat)
        else:
            seat.leaves = True

    def go(self, now: float, seat: _Seat) -> None:
        self.count_staffed(now, seat)
        self.taken(seat)
        seat.here, seat.away, seat.breaks = False, 0, []
        self.place()

    def want_break(self, now: float, what: tuple[_Seat, float]) -> None:
        seat, length = what
        if seat.free:
            self.leave_for(now, seat, length)
        elif seat.here and not seat.away:
            seat.breaks.append(length)

    def leave_for(self, now: float, seat: _Seat, length: float) -> None:
        self.count_staffed(now, seat)
        self.taken(seat)
        seat.away = seat.doing
        self.place()
        self.later(now + length, self.come_back, (seat, seat.doing))

    def come_back(self, now: float, what: tuple[_Seat, int]) -> None:
        seat, doing = what
        if seat.here and seat.away == doing:
            seat.away, seat.since = 0, now
            self.place()
            self.freed(now, seat)

    def count_staffed(self, now: float, seat: _Seat) -> None:
        if seat.here and not seat.away and not seat.worker.volunteers:
            self.trial.staffed += now - seat.since

    def place(self) -> None:
        """Somebody came or went: give tiers anew."""
        sitting = [Sitting(str(seat.number), seat.worker.levels, not seat.away) for seat in self.seats if seat.here]
        placed = memberships(sitting)
        for seat in self.seats:
            seat.tiers = placed.get(str(seat.number), {})

    def taken(self, seat: _Seat) -> None:
        seat.doing += 1
        self.wrapping.pop(seat, None)
        if seat.free:
            seat.free = False
            self.idle.remove(seat)

    def freed(self, now: float, seat: _Seat) -> None:
        """A seat has nothing to do any more; what was due comes now."""
        self.wrapping.pop(seat, None)
        if seat.leaves:
            self.go(now, seat)
            return
        if seat.breaks:
            self.leave_for(now, seat, seat.breaks.pop(0))
            return
        seat.free = True
        self.idle.append(seat)
        if self.call_back(now, seat) or self.rules.look:
            return
        unserved = [each for queue in seat.tiers for each in self.waiting.get(queue, ()) if not each.ringing]
        if unserved:
            self.look(now, min(unserved))

    # --- callers ------------------------------------------------------------------------------------------------------

    def arrive(self, now: float, who: tuple[Drawn, int, tuple[Earlier, ...]]) -> None:
        drawn, tried, earlier = who
        priority = drawn.priority or known(earlier, _moment(now))
        rank = weight(priority or "") if self.ways.priority else 0
        danger = priority is Priority.DANGER and self.ways.priority
        code, guard = (DANGER.code, hastened(self.ways.guard)) if danger else (drawn.queue, self.ways.guard)
        waiting = _Waiting(drawn, code, guard, tried, now, rank, next(self.order), earlier)
        queue = self.waiting.setdefault(code, [])
        if self.rules.look and not any(code in seat.tiers for seat in self.seats):
            self.end(now, waiting, Outcome.NOBODY_ON_DUTY)
            return
        if len(queue) >= self.ways.most_waiting:
            self.end(now, waiting, Outcome.REFUSED)
            return
        insort(queue, waiting)
        if guard:
            if not danger:
                waiting.offered = now + guard[-1].seconds
            self.later(now + guard[0].seconds, self.guard, waiting)
        self.look(now, waiting)
        patience = drawn.caller.tries[tried].patience
        # Who will not wait at all hangs up only when he has to.
        if (patience > 0 or not waiting.ringing) and (until := min(patience, self.ways.longest_wait)) < inf:
            self.later(now + until, self.give_up, waiting)

    def look(self, now: float, who: _Waiting) -> None:
        """A caller looks whether it is his turn; if not, he looks again a little later."""
        if who.gone or who.ringing:
            return
        if now >= who.offered - _HAIR and self.rules.look:
            who.offered = now + self.ways.offer_every
            self.later(now + self.ways.offer, self.offered, who)
            return
        queue = who.queue
        able = [seat for seat in self.idle if queue in seat.tiers]
        if queue != DANGER.code and self.kept_for_danger():
            able = []
        if able and len(able) > self.ahead(who):
            within = self.reach(now, who)
            found = min(
                (seat for seat in able if seat.tiers[queue] <= within),
                key=lambda seat: (seat.tiers[queue], seat.last.get(queue, -inf), seat.number),
                default=None,
            )
            if found is not None:
                self.ring(now, who, found)
                return
        if self.rules.look:
            self.later(now + self.rules.look, self.look, who)

    def ahead(self, who: _Waiting) -> int:
        """Callers who wait in the same queue before this one."""
        found = 0
        for each in self.waiting[who.queue]:
            if each is who:
                break
            found += each.ringing is None
        return found

    def kept_for_danger(self) -> bool:
        """Whether app_queue keeps the free seats from lighter queues: as many are in danger, rung or not, as are free.

        Everybody who serves anything serves public danger.
        """
        danger = len(self.waiting.get(DANGER.code, ()))
        return bool(danger) and danger >= len(self.idle)

    def reach(self, now: float, who: _Waiting) -> int:
        return reach(who.guard, int(now - who.at + _HAIR))

    def offered(self, now: float, who: _Waiting) -> None:
        """The offer has been said."""
        if who.gone:
            return
        if who.drawn.asks:
            self.leave(now, who, Outcome.CALLBACK)
            if who.at >= self.since:
                self.trial.asked[who.drawn.service] += 1
            insort(self.backs, _Back(who.drawn, who.at, now), key=lambda each: each.place)
            self.look_for_backs(now)
        else:
            self.look(now, who)

    def guard(self, now: float, who: _Waiting) -> None:
        """The next deadline of a call that still waits."""
        if who.gone:
            return
        deadline = who.guard[who.acts]
        if who.at >= self.since:
            self.trial.acts[who.drawn.service, deadline.act] += 1
        who.acts += 1
        if calls_for_help(who.guard, who.acts) and not who.helped:
            self.help(now, who)
        if who.acts < len(who.guard):
            self.later(who.at + who.guard[who.acts].seconds, self.guard, who)

    def help(self, now: float, who: _Waiting) -> None:
        """End the longest wrap-up for this call, as soon as one has lasted long enough."""
        if who.gone or who.helped or self.ways.wrap_up_least == inf:
            return
        seat = next(
            (each for each in self.wrapping if not each.breaks and not each.leaves and who.queue in each.tiers),
            None,
        )
        wait = 1.0 if seat is None or who.ringing else self.wrapping[seat] + self.ways.wrap_up_least - now
        if seat is None or wait > 0:
            self.later(now + min(1.0, max(wait, _HAIR)), self.help, who)
            return
        who.helped = True
        if who.at >= self.since:
            self.trial.cut += 1
        self.trial.busy += now - self.wrapping[seat]
        self.taken(seat)
        self.freed(now, seat)

    def ring(self, now: float, who: _Waiting, seat: _Seat) -> None:
        self.taken(seat)
        who.ringing = seat
        if self.rules.missed and self.chance.random() < self.rules.missed:
            self.later(now + self.rules.ring_limit, self.miss, who)
        elif self.rules.ring:
            self.later(now + self.rules.ring, self.answer, who)
        else:
            self.answer(now, who)

    def miss(self, now: float, who: _Waiting) -> None:
        seat = who.ringing
        if who.gone or seat is None:
            return
        who.ringing = None
        seat.missed += 1
        if seat.missed >= self.ways.missed_rings:
            seat.missed = 0
            seat.breaks.insert(0, self.ways.away)
        self.freed(now, seat)
        self.later(now + self.rules.retry, self.look, who)

    def answer(self, now: float, who: _Waiting) -> None:
        seat = who.ringing
        if who.gone or seat is None:
            return
        seat.missed = 0
        self.leave(now, who, Outcome.ANSWERED)
        self.talk(now, seat, who.drawn)

    def talk(self, now: float, seat: _Seat, drawn: Drawn) -> None:
        self.trial.busy += drawn.caller.talk
        self.later(now + drawn.caller.talk, self.wrap_up, (seat, drawn))

    def wrap_up(self, now: float, what: tuple[_Seat, Drawn]) -> None:
        seat, drawn = what
        seat.doing += 1
        self.wrapping[seat] = seat.last[drawn.queue] = now
        self.later(now + max(self.rules.settle, drawn.caller.wrap_up), self.wrapped_up, (seat, seat.doing))

    def wrapped_up(self, now: float, what: tuple[_Seat, int]) -> None:
        seat, doing = what
        if seat.doing == doing:
            self.trial.busy += now - self.wrapping[seat]
            self.freed(now, seat)

    def give_up(self, now: float, who: _Waiting) -> None:
        if who.gone:
            return
        patient = now - who.at < who.drawn.caller.tries[who.tried].patience - _HAIR
        outcome = Outcome.ABANDONED_RINGING if who.ringing else Outcome.ABANDONED_QUEUE
        self.leave(now, who, Outcome.TIMED_OUT if patient else outcome)
        if who.ringing:
            self.freed(now, who.ringing)

    def leave(self, now: float, who: _Waiting, outcome: Outcome) -> None:
        who.gone = True
        self.waiting[who.queue].remove(who)
        self.end(now, who, outcome)

    def end(self, now: float, who: _Waiting, outcome: Outcome) -> None:
        if who.at >= self.since:
            self.trial.ended.append((who.drawn.service, Ended(who.at, now - who.at, outcome, who.tried > 0)))
        tries, following = who.drawn.caller.tries, who.tried + 1
        if outcome not in {Outcome.ANSWERED, Outcome.CALLBACK} and following < len(tries):
            earlier = (*who.earlier, Earlier(_moment(who.at), outcome))
            self.later(now + tries[following].after, self.arrive, (who.drawn, following, earlier))

    # --- calling back -------------------------------------------------------------------------------------------------

    def look_for_backs(self, now: float, _: object = None) -> None:
        """Once a second while a seat is free for somebody who waits for us to call: whether it is his turn."""
        if self.looking_at > now - 1 + _HAIR:
            return
        self.looking_at = now
        for seat in list(self.idle):
            self.call_back(now, seat)
        due = {each.drawn.queue for each in self.backs if each.due <= now}
        if any(queue in seat.tiers for queue in due for seat in self.idle):
            self.later(now + 1, self.look_for_backs)

    def call_back(self, now: float, seat: _Seat) -> bool:
        """Take a seat that is free for the citizen whose turn it is; False when it is nobody's."""
        first = next((each for each in self.backs if each.due <= now and each.drawn.queue in seat.tiers), None)
        if first is None or not seat.free:
            return False
        since = [each.at for queue in seat.tiers for each in self.waiting.get(queue, ()) if not each.ringing]
        if not is_turn(first.place, since, free=len(self.idle)):
            return False
        self.backs.remove(first)
        self.taken(seat)
        reached = first.tries < len(first.drawn.reached) and first.drawn.reached[first.tries]
        takes = self.ways.back_answered if reached else self.ways.back_vain
        self.trial.busy += takes
        self.later(now + takes, self.called_back, (first, seat, reached))
        return True

    def called_back(self, now: float, what: tuple[_Back, _Seat, bool]) -> None:
        back, seat, reached = what
        if reached:
            if back.place >= self.since:
                self.trial.reached[back.drawn.service] += 1
            self.talk(now, seat, back.drawn)
            return
        if back.tries < len(self.ways.gaps):
            back.due = now + self.ways.gaps[back.tries]
            back.tries += 1
            insort(self.backs, back, key=lambda each: each.place)
            self.later(back.due, self.look_for_backs)
        self.freed(now, seat)


def _moment(at: float) -> datetime:
    return _EPOCH + timedelta(seconds=at)


def run(
    callers: Sequence[Drawn], people: Sequence[Worker], ways: Ways, chance: Random, *, since: float = 0.0
) -> HouseTrial:
    """Let them call.

    Args:
        callers: in any order.
        chance: for what the rules leave to chance: rings that nobody answers.
        since: what befalls calls that came before is not counted.
    """
    return _Run(people, ways, chance, since).run(callers)
