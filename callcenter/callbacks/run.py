"""Keeps the list of callbacks: a sink of the floor that hears who asks, and the task that reserves seats and dials."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from agents.seats import CALLBACK, SeatState
from agents.service_level import Outcome
from callcenter import metrics
from callcenter.asterisk import actions
from callcenter.asterisk.facts import CallingBack
from callcenter.asterisk.link import ActionRefused, Line, LineAway, LineState
from callcenter.begun import Begun
from callcenter.callbacks import queries
from callcenter.callbacks.flow import APOLOGY, EXPIRES_AFTER, OUR_FAULT, Entry, Roll, State, Waiting, entry_of
from callcenter.callbacks.writers import entry_record, text_record
from callcenter.calls.journal import Journal, JournalRefused
from callcenter.calls.ledger import Ledger
from callcenter.calls.numbers import blind_index
from callcenter.calls.rows import Record
from callcenter.clock import now
from callcenter.floor.changes import CallAnswered, CallArrived, CallbackAsked, CallEnded, Change
from callcenter.floor.model import CALLBACK_IDS, Call, Floor, Seat
from callcenter.floor.view import call_state
from callcenter.privacy.seal import Sealer
from callcenter.store.engine import DatabaseAway, within

LOOK_EVERY: Final = 1.0
RETRY: Final = 2.0
#: How long Asterisk may take to show a reservation, and a call that it was told to make.
SHOWN_WITHIN: Final = 2.0
#: A call that neither floor nor files know after this time was never made.
NEVER_MADE: Final = timedelta(seconds=10)
_ORPHANED: Final = timedelta(seconds=3)
_SEEN: Final = 5_000

log = structlog.get_logger()


class Callbacks:
    """One node's callbacks.

    Args:
        tell: has the floor take in whom we are about to call.
        leaves: whether calls can leave at all; otherwise nobody is dialled, and the list is for people to work through.
        given_up: whether callers who gave up come onto the list.
        text: whether they get a text of apology.
    """

    def __init__(
        self,
        roll: Roll,
        floor: Floor,
        line: Line,
        ledger: Ledger,
        engine: AsyncEngine,
        *,
        tell: Callable[[CallingBack], None],
        number_key: bytes,
        sealer: Sealer,
        leaves: bool,
        given_up: bool,
        text: bool,
    ) -> None:
        self.roll = roll
        self.asking = asyncio.Lock()  # held while a person's call is checked, noted and begun
        self._floor = floor
        self._line = line
        self._ledger = ledger
        self._engine = engine
        self._tell = tell
        self._number_key = number_key
        self._sealer = sealer
        self._leaves = leaves
        self._given_up = given_up
        self._text = text
        self._pending: dict[tuple[str, str], Record] = {}
        self._wake = asyncio.Event()
        self._loaded = asyncio.Event()
        self._reserved: dict[str, tuple[str, str | None]] = {}  # seat -> entry, and the pause that it was in
        self._orphans: dict[str, datetime] = {}  # seats that are reserved for nobody, since we saw it
        self._seen: dict[str, None] = {}  # ended calls that the floor told of, oldest first
        self._begun = Begun()
        metrics.CALLBACKS_WAITING.set_function(lambda: self.view()["waiting"])

    def remember(self, journal: Journal) -> None:
        """Take in what waits in the journal."""
        for table, row in journal.records():
            if table == "callbacks":
                self.roll.load([queries.entry_of_row(row, self._sealer)])

    # --- hearing ------------------------------------------------------------------------------------------------------

    def __call__(self, changes: Sequence[Change]) -> None:
        for change in changes:
            match change:
                case CallbackAsked(call=call):
                    self._add(call)
                case CallArrived(call=call, at=at) if call.inbound:
                    self._called(call, at)
                case CallAnswered(call=call, at=at):
                    self._keep(self.roll.talked(self._key(call.number), call.id, at))
                case CallEnded(call=call):
                    self._ended(call)
        self._wake.set()

    async def repair(self, calls: Sequence[Call]) -> None:
        """Ended calls as the files tell of them: what the floor has missed is made good, and written down.

        Raises DatabaseAway when it cannot be written down; the files wait.
        """
        await self._loaded.wait()
        for call in sorted(calls, key=lambda each: each.arrived_at):
            if call.id not in self._seen and call.arrived_at > now() - EXPIRES_AFTER:
                if call.inbound:
                    self._called(call, call.arrived_at)
                if call.answered_at is not None:
                    self._keep(self.roll.talked(self._key(call.number), call.id, call.answered_at))
                self._ended(call)
        try:
            await self.flush()
        except JournalRefused as error:
            raise DatabaseAway(str(error)) from error

    async def flush(self) -> None:
        """Write down what has changed. Raises JournalRefused when nothing takes it."""
        taken, self._pending = self._pending, {}
        try:
            if taken:
                await self._ledger.keep(list(taken.values()))
        except BaseException:
            self._pending = taken | self._pending
            raise

    def view(self) -> Waiting:
        """For the wallboard."""
        return self.roll.waiting()

    def _key(self, number: str) -> bytes | None:
        return blind_index(self._number_key, number)

    def _called(self, call: Call, at: datetime) -> None:
        changed = self.roll.called(self._key(call.number), call.id, at)
        for entry in changed:
            self._stop(entry.id)
        self._keep(changed)

    def _ended(self, call: Call) -> None:
        outcome, at = call.outcome, call.ended_at
        if outcome is None or at is None:
            return
        self._seen[call.id] = None
        if len(self._seen) > _SEEN:
            del self._seen[next(iter(self._seen))]
        if call.inbound:
            settled = outcome in {Outcome.ANSWERED, Outcome.CALLBACK}
            self._keep(self.roll.hung_up(call.id, at, answered=settled))
            self._add(call)
            return
        changed = self.roll.tried(call.id, outcome, at)
        for entry in changed:
            log.info("called_back", call=call.id, outcome=outcome, state=entry.state, tries=entry.tries)
            metrics.CALLBACKS.labels(outcome).inc()
            if call.answered_at is None:
                self._release(entry.id)
            else:
                self._forget(entry.id)
        self._keep(changed)

    def _add(self, call: Call) -> None:
        entry = entry_of(call, self._key)
        if entry is None or not (entry.asked or self._given_up):
            return
        changed = self.roll.add(entry)
        self._keep(changed)
        if self._text and not entry.asked and changed and changed[0].state is State.WAITING:
            record = text_record(entry, APOLOGY.get(entry.language, APOLOGY["zh"]), self._sealer)
            self._pending["texts", entry.id] = record

    def _keep(self, changed: Sequence[Entry]) -> None:
        for entry in changed:
            self._pending["callbacks", entry.id] = self._record(entry)
        if changed:
            self._wake.set()

    # --- dialling -----------------------------------------------------------------------------------------------------

    async def run(self, known: Callable[[], Awaitable[Mapping[str, Call]]]) -> None:
        """Read the list, then see every second, or when something moves, whom to call. For ever.

        Args:
            known: the calls as Asterisk's files know them.
        """
        await self._load()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), LOOK_EVERY)
            self._wake.clear()
            self._keep(self.roll.expire(now()))
            await self._settle(known)
            for seat in sorted(self._ready(), key=lambda each: each.since or now()):
                self.claim(seat)
            try:
                await self.flush()
            except JournalRefused as error:
                log.critical("callbacks_not_kept", why=str(error))
                await asyncio.sleep(RETRY)

    def claim(self, seat: Seat) -> bool:
        """Take a seat that is ready, or about to be, for the citizen whose turn it is; False when it is nobody's.

        A seat must be taken before it is ready: a caller who waits would have it within a millisecond.
        """
        if not self.dials or seat.number in self._reserved or seat.leg is not None or not seat.reachable:
            return False
        free = len({each.number for each in self._ready()} | {seat.number})
        waiting = [
            call.queued_at
            for call in self._floor.calls.values()
            if call.queued_at and call.queue in seat.queues and call_state(call) == "waiting"
        ]
        entry = self.roll.turn(seat.queues, free=free, waiting=waiting, now=now())
        if entry is None:
            return False
        self.dial(entry, seat, None)
        return True

    @property
    def dials(self) -> bool:
        """Whether calls can leave at this moment."""
        return self._leaves and self._loaded.is_set() and self._line.state is LineState.LIVE

    def is_free(self, seat: Seat) -> bool:
        """Whether an agent at this seat can call a citizen at this moment."""
        return self.dials and seat.leg is None and seat.reachable and seat.number not in self._reserved

    def dial(self, entry: Entry, seat: Seat, was: str | None) -> None:
        """Reserve the seat and dial. `was`: the pause to which the seat goes back when nobody answers."""
        call = f"{self._floor.node}-{int(time.time())}.{random.choice(CALLBACK_IDS)}"  # noqa: S311 (no secret)
        self._reserved[seat.number] = entry.id, was
        (entry,) = self.roll.dial(entry.id, call, seat.number, seat.login, now())
        self._keep([entry])
        self._begun.begin(self._dial(entry, seat))

    def close(self, key: str, state: State, reason: str, login: str) -> Entry | None:
        """A person settles an entry; None when there is nothing to settle."""
        changed = self.roll.close(key, state, reason, login, now())
        if not changed:
            return None
        self._stop(key)
        self._keep(changed)
        return changed[0]

    async def _dial(self, entry: Entry, seat: Seat) -> None:
        call = entry.call_id
        assert call is not None
        try:
            await self._line.act(actions.pause(seat.number, seat.phone, CALLBACK))
            reserved = await self._shown(lambda: seat.pause == CALLBACK)
            if not reserved or seat.leg is not None or not self._still(entry):
                self._give_back(entry, timedelta())
                return
            # Written down before it is done: should we die now, the number is not dialled twice.
            await self._ledger.save([self._record(entry)])
            if not self._still(entry):
                self._give_back(entry, timedelta())
                return
        except (LineAway, ActionRefused, JournalRefused) as error:
            log.warning("callback_not_dialled", call=call, why=str(error))
            self._give_back(entry, OUR_FAULT)
            return
        told = entry.number, entry.id, entry.service, entry.queue, entry.language, seat.number
        self._tell(CallingBack(now(), call, "", *told))
        try:
            await self._line.act(
                actions.call_back(
                    uniqueid=self._line.reader.uniqueid(call),
                    number=entry.number,
                    origin=entry.id,
                    service=entry.service,
                    queue=entry.queue,
                    language=entry.language,
                    seat=seat.number,
                    phone=seat.phone,
                    login=seat.login,
                )
            )
        except ActionRefused as error:
            log.warning("callback_not_dialled", call=call, why=str(error))
            self._give_back(entry, OUR_FAULT)
            return
        except LineAway:
            return  # whether it dials is not known: floor and files will tell
        if not await self._shown(lambda: call in self._floor.calls or call in self._floor.over):
            log.warning("callback_not_dialled", call=call, why="no call came of it")

    async def _shown(self, true: Callable[[], bool]) -> bool:
        end = time.monotonic() + SHOWN_WITHIN
        while not true():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.02)
        return True

    def _still(self, entry: Entry) -> bool:
        there = self.roll.entries.get(entry.id)
        return there is not None and there.state is State.DIALLING and there.call_id == entry.call_id

    def _give_back(self, entry: Entry, wait: timedelta) -> None:
        if self._still(entry):
            self._keep(self.roll.undialled(entry.id, now(), wait))
        self._release(entry.id)

    def _stop(self, key: str) -> None:
        """Hang up the call of an entry, if it still rings; its seat is free then."""
        for call in self._floor.calls.values():
            if call.origin == key and call.answered_at is None and call.channel:
                self._act(actions.hang_up(call.channel))
        self._release(key)

    def _release(self, key: str) -> None:
        """Let the seat of an entry go back to what it did."""
        for number, (entry, was) in list(self._reserved.items()):
            if entry == key:
                del self._reserved[number]
                seat = self._floor.seats.get(number)
                if seat is not None and seat.pause == CALLBACK and seat.leg is None:
                    self._act(actions.pause(number, seat.phone, was))

    def _forget(self, key: str) -> None:
        for number in [number for number, (entry, _) in self._reserved.items() if entry == key]:
            del self._reserved[number]

    def _act(self, action: actions.Action) -> None:
        async def act() -> None:
            try:
                await self._line.act(action)
            except (LineAway, ActionRefused) as error:
                log.warning("callback_act_failed", action=action["Action"], why=str(error))

        self._begun.begin(act())

    def _ready(self) -> list[Seat]:
        seats = self._floor.seats.values()
        return [seat for seat in seats if seat.state is SeatState.READY and seat.number not in self._reserved]

    async def _settle(self, known: Callable[[], Awaitable[Mapping[str, Call]]]) -> None:
        """Find dialled entries of which no call came, and seats that are reserved for nobody."""
        if not self._loaded.is_set() or self._line.state is not LineState.LIVE:
            return
        open_ = [entry for entry in self.roll.open() if entry.state is State.DIALLING]
        lost = [
            entry for entry in open_ if entry.call_id not in self._floor.calls and entry.updated_at < now() - NEVER_MADE
        ]
        if lost:
            files = await known()
            for entry in lost:
                call = files.get(entry.call_id or "")
                if call is None and self._still(entry):
                    self._give_back(entry, timedelta())
                elif call is not None and call.outcome is not None:
                    self._ended(call)
        orphans: dict[str, datetime] = {}
        for seat in self._floor.seats.values():
            if seat.pause != CALLBACK or seat.leg is not None:
                continue
            key = self._reserved.get(seat.number, ("", None))[0]
            there = self.roll.entries.get(key)
            if key and (there is None or there.state is not State.DIALLING or self._elsewhere(there, seat)):
                self._release(key)
            elif not key:
                orphans[seat.number] = self._orphans.get(seat.number, now())
                # Not at once: after a talk its wrap-up is on its way.
                if orphans[seat.number] < now() - _ORPHANED:
                    self._act(actions.pause(seat.number, seat.phone, None))
        self._orphans = orphans

    def _elsewhere(self, entry: Entry, seat: Seat) -> bool:
        """Whether the citizen who was dialled for this seat rings or talks at another."""
        call = self._floor.calls.get(entry.call_id or "")
        return call is not None and call.leg is not None and call.leg.seat != seat.number

    async def _load(self) -> None:
        """Nothing is dialled before the ledger has been read: it may have been dialled already."""
        while True:
            try:
                self._keep(self.roll.load(await within(5, self._lately())))
                break
            except DatabaseAway as error:
                log.warning("callbacks_not_read", why=str(error))
                await asyncio.sleep(RETRY)
        for entry in self.roll.open():
            if entry.state is State.DIALLING and entry.seat is not None:
                self._reserved.setdefault(entry.seat, (entry.id, None))
        self._loaded.set()

    async def _lately(self) -> list[Entry]:
        async with self._engine.begin() as connection:
            while await queries.seal_clear(connection, self._sealer) == queries.SEALED_AT_ONCE:
                pass
            return await queries.lately(connection, now() - 2 * EXPIRES_AFTER, self._floor.node, self._sealer)

    def _record(self, entry: Entry) -> Record:
        return entry_record(entry, self._floor.node, self._sealer)
