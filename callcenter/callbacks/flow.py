"""Whom we call back, and when (回电规则): one list, merged by number; who asked keeps the place he had in the queue.

Rules only: no I/O, `now` is given. Each act returns the entries that it changed, and these are what is written down.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from typing_extensions import TypedDict

from agents.priority import is_turn
from agents.service_level import Outcome
from callcenter.clock import iso
from callcenter.floor.model import Call
from ivr.callback import callable_number

#: After this time nobody is called back any more.
EXPIRES_AFTER: Final = timedelta(days=1)
#: How soon we try again when it was our fault that the citizen was not reached.
OUR_FAULT: Final = timedelta(seconds=20)


class State(StrEnum):
    """Where an entry of the list stands (回电状态)."""

    WAITING = "waiting"  # 待回电
    DIALLING = "dialling"  # 正在回电: a seat is reserved, and the number is dialled or talks
    REACHED = "reached"  # 已接通
    DONE = "done"  # 已办结: settled in another way, as a person said
    FAILED = "failed"  # 未接通: every try was in vain
    CANCELLED = "cancelled"  # 已取消
    MERGED = "merged"  # 已合并: the number was on the list already
    EXPIRED = "expired"  # 已过期


OPEN: Final = frozenset({State.WAITING, State.DIALLING})

ASKED: Final = "asked"
#: An agent calls about a matter at hand (外呼): once, and never by itself.
BY_AGENT: Final = "by_agent"
#: Unanswered calls whose callers come onto the list though they did not ask.
GIVEN_UP: Final = frozenset(
    {
        Outcome.ABANDONED_QUEUE,
        Outcome.ABANDONED_RINGING,
        Outcome.TIMED_OUT,
        Outcome.NOBODY_ON_DUTY,
        Outcome.INTERRUPTED,
    }
)

#: Why an entry was cancelled without a person's doing.
CALLED_AGAIN: Final = "called_again"
REACHED_OTHERWISE: Final = "reached_otherwise"


@dataclass(frozen=True, slots=True)
class Entry:
    """One citizen to be called back. `id` is the call that this answers.

    Args:
        number: as it is dialled; `number_key` and `caller_key` are the blind indexes of it and of the caller's own.
        origin: `asked`, or the outcome of the call.
        place_at: since when the citizen waits: the queue entry of the original call.
        next_at: not to be dialled before; None: as soon as it is its turn.
        call_id: the call that we made last, or the citizen's own that cancelled this.
    """

    id: str
    number: str
    number_key: bytes
    caller_key: bytes | None
    origin: str
    service: str
    queue: str
    language: str
    place_at: datetime
    asked_at: datetime
    updated_at: datetime
    state: State = State.WAITING
    reason: str = ""
    tries: int = 0
    next_at: datetime | None = None
    call_id: str | None = None
    seat: str | None = None
    login: str | None = None
    version: int = 1

    @property
    def asked(self) -> bool:
        return self.origin == ASKED

    @property
    def rank(self) -> tuple[bool, datetime, str]:
        """Its order in the list: who asked before who gave up, then who waits longest."""
        return not self.asked, self.place_at, self.id


@dataclass(frozen=True, slots=True)
class Hours:
    """When citizens may be called who do not expect it at this moment (回电时段): from `first` to before `last`."""

    first: time
    last: time
    zone: ZoneInfo

    def include(self, now: datetime) -> bool:
        clock = now.astimezone(self.zone).time()
        if self.first <= self.last:
            return self.first <= clock < self.last
        return clock >= self.first or clock < self.last


@dataclass(frozen=True, slots=True)
class Rules:
    """`gaps`: times between the tries, one fewer than there are tries. `dial_given_up`: also whoever did not ask."""

    gaps: tuple[timedelta, ...]
    hours: Hours
    dial_given_up: bool


def entry_of(call: Call, key: Callable[[str], bytes | None]) -> Entry | None:
    """The entry that a citizen's call makes, ended or just asking; None when it makes none.

    Args:
        key: a number's blind index.
    """
    number = callable_number(call.callback or call.number)
    origin = ASKED if call.callback else call.outcome
    at = call.left_at if call.callback else call.ended_at
    if not call.inbound or number is None or at is None or not (call.callback or origin in GIVEN_UP):
        return None
    return Entry(
        id=call.id,
        number=number,
        number_key=key(number) or b"",
        caller_key=key(call.number),
        origin=str(origin),
        service=call.service,
        queue=call.queue or "",
        language=call.language,
        place_at=call.queued_at or call.arrived_at,
        asked_at=at,
        updated_at=at,
    )


class Waiting(TypedDict):
    """What the wallboard shows: citizens who wait for us to call, how many of them asked, and since when the first."""

    waiting: int
    asked: int
    since: str | None


Changed = list[Entry]


class Roll:
    """The list (回电名单): every entry of the last day by id. The only writer of entries."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.entries: dict[str, Entry] = {}

    def load(self, entries: Collection[Entry]) -> Changed:
        """Entries as they were written down; of what is known already the newer stays.

        What was asked before this came is merged with it now.
        """
        for entry in entries:
            known = self.entries.get(entry.id)
            if known is None or known.version < entry.version:
                self.entries[entry.id] = entry
        first: dict[bytes, Entry] = {}
        changed: Changed = []
        for entry in sorted(self.open(), key=lambda each: (each.state is State.WAITING, *each.rank)):
            kept = first.setdefault(entry.number_key, entry)
            if kept is not entry and entry.state is State.WAITING:
                changed.append(self._put(entry, entry.updated_at, state=State.MERGED, reason=kept.id))
        return changed

    def open(self) -> list[Entry]:
        """Waiting and dialled ones, in their order."""
        return sorted((entry for entry in self.entries.values() if entry.state in OPEN), key=lambda each: each.rank)

    def waiting(self) -> Waiting:
        """For the wallboard."""
        entries = [entry for entry in self.open() if entry.state is State.WAITING]
        first = min((entry.place_at for entry in entries), default=None)
        return {
            "waiting": len(entries),
            "asked": sum(entry.asked for entry in entries),
            "since": iso(first) if first else None,
        }

    # --- what citizens do ---------------------------------------------------------------------------------------------

    def add(self, entry: Entry) -> Changed:
        """A citizen asked, or gave up. The same again changes nothing, unless another number was typed."""
        known = self.entries.get(entry.id)
        if known is not None:
            if known.state is State.WAITING and entry.asked and known.number != entry.number:
                return [self._put(known, entry.asked_at, number=entry.number, number_key=entry.number_key)]
            return []
        self.entries[entry.id] = entry
        mine = {entry.number_key, entry.caller_key} - {None}
        other = next((each for each in self.open() if each.id != entry.id and each.number_key in mine), None)
        before = next((each for each in self._cancelled_by(entry.id) if each.asked), None)
        if other is not None and entry.asked and not other.asked and other.state is State.WAITING:
            return [entry, self._put(other, entry.asked_at, state=State.MERGED, reason=entry.id)]
        if other is not None:
            return [self._put(entry, entry.asked_at, state=State.MERGED, reason=other.id, version=entry.version)]
        if before is not None and entry.asked:
            # He called again and asked again: the place is the one he had.
            self.entries[entry.id] = entry = replace(entry, place_at=min(entry.place_at, before.place_at))
        return [entry]

    def called(self, number_key: bytes | None, call: str, now: datetime) -> Changed:
        """The citizen calls again (再次来电): nobody dials him meanwhile."""
        return [
            self._put(entry, now, state=State.CANCELLED, reason=CALLED_AGAIN, call_id=call)
            for entry in self._of(number_key)
            # What has changed since that call came knows of it already: the files tell late.
            if call not in (entry.id, entry.call_id) and entry.updated_at <= now
        ]

    def talked(self, number_key: bytes | None, call: str, now: datetime) -> Changed:
        """A person talks with this number, in whichever call but ours of the entry."""
        return [
            self._put(entry, now, state=State.CANCELLED, reason=REACHED_OTHERWISE, call_id=call)
            for entry in self._of(number_key)
            if call not in (entry.id, entry.call_id) and entry.updated_at <= now
        ]

    def hung_up(self, call: str, now: datetime, *, answered: bool) -> Changed:
        """A call that had cancelled entries is over; unanswered, it has cancelled nothing."""
        if answered:
            return []
        return [
            self._put(entry, now, state=State.WAITING, reason="", call_id=None) for entry in self._cancelled_by(call)
        ]

    # --- what we do ---------------------------------------------------------------------------------------------------

    def turn(self, queues: Collection[str], *, free: int, waiting: Collection[datetime], now: datetime) -> Entry | None:
        """Whose turn it is at a seat that serves these queues (轮到谁), if no live caller's.

        Args:
            free: seats that are ready, this one among them.
            waiting: since when each live caller waits whom this seat could serve.

        An entry goes before the live callers who came after it, and after those who came before it. Who did not ask is
        called only while nobody waits.
        """
        for entry in self.open():
            if entry.queue not in queues or not self._due(entry, now):
                continue
            if not entry.asked and waiting:
                return None
            return entry if is_turn(entry.place_at, waiting, free=free) else None
        return None

    def by_agent(self, entry: Entry) -> Entry | None:
        """An agent wants to call this citizen now; the entry to be dialled. None while it is dialled already.

        Whoever is on the list is called as that; an entry that is settled begins anew.
        """
        known = self.entries.get(entry.id)
        listed = next((each for each in self.open() if each.number_key == entry.number_key), known)
        if listed is not None and listed.state in OPEN:
            return listed if listed.state is State.WAITING else None
        if known is not None:
            entry = replace(entry, version=known.version + 1)
        self.entries[entry.id] = entry
        return entry

    def dial(self, key: str, call: str, seat: str, login: str, now: datetime) -> Changed:
        """The seat is reserved and the number is about to be dialled by the call of this id."""
        entry = self.entries[key]
        return [self._put(entry, now, state=State.DIALLING, call_id=call, seat=seat, login=login, next_at=None)]

    def undialled(self, key: str, now: datetime, wait: timedelta = timedelta()) -> Changed:
        """Nothing was dialled after all; not before `wait` again."""
        entry = self.entries[key]
        if entry.state is not State.DIALLING:
            return []
        return [self._put(entry, now, state=State.WAITING, next_at=now + wait, seat=None, login=None, call_id=None)]

    def tried(self, call: str, outcome: Outcome, now: datetime) -> Changed:
        """Our call of this id is over (回电结果)."""
        entry = next((each for each in self.entries.values() if each.call_id == call and each.state in OPEN), None)
        if entry is None:
            return []
        if outcome is Outcome.ANSWERED:
            return [self._put(entry, now, state=State.REACHED, tries=entry.tries + 1)]
        if outcome in {Outcome.NOBODY_ON_DUTY, Outcome.TIMED_OUT, Outcome.INTERRUPTED, Outcome.UNKNOWN_GAP}:
            # The citizen was there, or Asterisk was not: no try of his.
            return [self._put(entry, now, state=State.WAITING, next_at=now + OUR_FAULT)]
        tries = entry.tries + 1
        if tries > len(self.rules.gaps) or entry.origin == BY_AGENT:
            return [self._put(entry, now, state=State.FAILED, tries=tries)]
        return [self._put(entry, now, state=State.WAITING, tries=tries, next_at=now + self.rules.gaps[tries - 1])]

    def close(self, key: str, state: State, reason: str, login: str, now: datetime) -> Changed:
        """A person settles an entry: `cancelled` or `done`."""
        entry = self.entries.get(key)
        if entry is None or entry.state not in OPEN | {State.FAILED}:
            return []
        return [self._put(entry, now, state=state, reason=reason, login=login)]

    def expire(self, now: datetime) -> Changed:
        """End what is a day old, and forget what ended a day ago."""
        for entry in list(self.entries.values()):
            if entry.state not in OPEN and entry.updated_at < now - EXPIRES_AFTER:
                del self.entries[entry.id]
        return [
            self._put(entry, now, state=State.EXPIRED)
            for entry in self.open()
            if entry.state is State.WAITING and entry.asked_at < now - EXPIRES_AFTER
        ]

    # --- inside -------------------------------------------------------------------------------------------------------

    def _due(self, entry: Entry, now: datetime) -> bool:
        if (
            entry.origin == BY_AGENT
            or entry.state is not State.WAITING
            or (entry.next_at is not None and now < entry.next_at)
        ):
            return False
        if entry.asked and entry.tries == 0:
            return True  # he waits for it, at whatever hour
        return (entry.asked or self.rules.dial_given_up) and self.rules.hours.include(now)

    def _of(self, number_key: bytes | None) -> Iterator[Entry]:
        if number_key is not None:
            yield from (entry for entry in self.open() if number_key in (entry.number_key, entry.caller_key))

    def _cancelled_by(self, call: str) -> list[Entry]:
        return [
            entry
            for entry in self.entries.values()
            if entry.state is State.CANCELLED and entry.reason == CALLED_AGAIN and entry.call_id == call
        ]

    def _put(self, entry: Entry, now: datetime, **fields: object) -> Entry:
        fields = {"version": entry.version + 1, "updated_at": now} | fields
        changed = replace(entry, **fields)  # type: ignore[arg-type]
        self.entries[entry.id] = changed
        return changed


#: What is said to a citizen who was not answered (致歉短信), by the language of the call.
APOLOGY: Final[Mapping[str, str]] = {
    "zh": "【12345】非常抱歉，刚才未能接听您的来电。您的来电已登记，您可以随时再拨12345，我们也会尽量给您回电。",
    "en": "[12345] We are sorry that we could not answer your call. It is noted. You may call"
    " 12345 again at any time, and we will try to call you back.",
}
