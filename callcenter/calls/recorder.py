"""The recorder (话单记录): the sink that turns the floor's changes into rows. It never holds the floor up."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from callcenter import metrics
from callcenter.calls.journal import JournalRefused
from callcenter.calls.ledger import Ledger
from callcenter.calls.numbers import blind_index
from callcenter.calls.rows import Record, Row, call_row, guard_row, seat_row, segment_row, supervision_rows
from callcenter.floor.changes import (
    CallAnswered,
    CallArrived,
    CallChose,
    CallEnded,
    CallGuarded,
    CallHeld,
    CallLate,
    CallLeft,
    CallMoved,
    CallQueued,
    CallRaised,
    CallRang,
    CallRecorded,
    CallSurveyed,
    Change,
    RingEnded,
    SeatMoved,
    SupervisionMoved,
    TalkEnded,
    WrapUpCut,
)
from callcenter.floor.model import Call, Leg

GATHER_SECONDS: Final = 1.0  # changes of one call within this time become one row
BUFFER_ROWS: Final = 50_000
REMEMBERED_CALLS: Final = 1_000
#: The guard's act that app_queue knows nothing of.
END_WRAP_UP: Final = "end_wrap_up"
_MICROSECOND: Final = 1_000_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Recent:
    """What the desk needs of a call before, or without, asking Postgres.

    `parties`: who was rung -> whether they talked. `number_key`: by which the number's other calls are found.
    """

    parties: Mapping[str, bool]
    number_key: bytes | None


class Recorder:
    """Call it with changes; let `run` go on beside it.

    Args:
        number_key: key of the blind index by which a number is found.
    """

    def __init__(self, ledger: Ledger, *, node: str, number_key: bytes) -> None:
        self._ledger = ledger
        self._node = node
        self._number_key = number_key
        # Rows by their own key, so that a later state of the same thing takes the place of the earlier; made when they
        # are written, once for all that has changed of a call by then.
        self._pending: dict[tuple[str, ...], Callable[[], Record]] = {}
        self._changed = asyncio.Event()
        self._version = 0
        self._seats: dict[str, Row] = {}
        self._recent: dict[str, Recent] = {}
        metrics.RECORDER_BUFFER_ROWS.set_function(lambda: len(self._pending))

    def __call__(self, changes: Sequence[Change]) -> None:
        """Take note, and wait for nothing."""
        for change in changes:
            match change:
                case SeatMoved():
                    row = seat_row(change.seat, change.at)
                    if self._seats.get(row["seat"]) != row:
                        self._seats[row["seat"]] = row
                        # At once: a seat goes on to its next state, a call only grows.
                        self._put(
                            partial(Record, "seat_states", row), "seat_states", row["seat"], row["since"].isoformat()
                        )
                case SupervisionMoved():
                    for row in supervision_rows(change):
                        self._put(
                            partial(Record, "supervisions", row),
                            "supervisions",
                            str(row["id"]),
                            row["since"].isoformat(),
                        )
                case CallRang() | RingEnded() | CallAnswered() | TalkEnded():
                    self._note(change.call, change.at, (change.leg,))
                case CallEnded():
                    self._note(change.call, change.at, change.call.legs)
                case CallGuarded():
                    self._note(change.call, change.at, ())
                    self._guard(change.call, change.act, change.at)
                case WrapUpCut():
                    self._guard(change.call, END_WRAP_UP, change.at, change.seat.number)
                case (
                    CallArrived()
                    | CallChose()
                    | CallQueued()
                    | CallLeft()
                    | CallLate()
                    | CallHeld()
                    | CallMoved()
                    | CallRaised()
                ):
                    self._note(change.call, change.at, ())
                case CallRecorded() | CallSurveyed():
                    self._note(change.call, change.at, ())
        if self._pending:
            self._changed.set()

    def recent(self, call_id: str) -> Recent | None:
        """What is remembered of a call that rang a seat lately."""
        return self._recent.get(call_id)

    async def run(self) -> None:
        """Write what was noted, until cancelled; the last of it is written then."""
        try:
            while True:
                await self._changed.wait()
                await asyncio.sleep(GATHER_SECONDS)
                await self._write()
        finally:
            await self._write()

    def _note(self, call: Call, at: datetime, moved: Sequence[Leg]) -> None:
        self._version = max(self._version + 1, int(at.timestamp() * _MICROSECOND))
        self._put(partial(self._call, call, self._version), "calls", call.id)
        for leg in moved:
            n = next(n for n, each in enumerate(call.legs) if each is leg)
            self._put(partial(_segment, call.id, n, leg), "segments", call.id, str(n))
        if moved:
            self._remember(call, blind_index(self._number_key, call.number))

    def _guard(self, call: Call, act: str, at: datetime, seat: str = "") -> None:
        self._put(partial(Record, "guard_acts", guard_row(call.id, act, at, seat)), "guard_acts", call.id, act)

    def _call(self, call: Call, version: int) -> Record:
        row = call_row(call, node=self._node, number_key=self._number_key, source="line", version=version)
        return Record("calls", row)

    def _remember(self, call: Call, number_key: bytes | None) -> None:
        parties: dict[str, bool] = {}
        for leg in call.legs:
            parties[leg.login] = parties.get(leg.login, False) or leg.answered_at is not None
        self._recent.pop(call.id, None)
        self._recent[call.id] = Recent(parties, number_key)
        if len(self._recent) > REMEMBERED_CALLS:
            del self._recent[next(iter(self._recent))]

    def _put(self, make: Callable[[], Record], *key: str) -> None:
        if len(self._pending) >= BUFFER_ROWS and key not in self._pending:
            metrics.LEDGER_LOST_ROWS.inc()  # the files know the call, and bring it back
            return
        self._pending[key] = make

    async def _write(self) -> None:
        self._changed.clear()
        if not self._pending:
            return
        taken, self._pending = self._pending, {}
        try:
            await self._ledger.keep([make() for make in taken.values()])
        except BaseException as error:
            # Back into the buffer, where newer rows of the same things win; the buffer has an end.
            self._pending = taken | self._pending
            self._changed.set()
            if not isinstance(error, JournalRefused):
                raise
            log.critical("ledger_refused", why=str(error), rows=len(taken))
            await asyncio.sleep(1)


def _segment(call_id: str, n: int, leg: Leg) -> Record:
    return Record("segments", segment_row(call_id, n, leg))
