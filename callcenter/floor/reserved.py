"""What is to follow a call and its wrap-up (预约状态) survives a restart of the service: Asterisk keeps it meanwhile.

A sink of the floor. In a global variable of the dialplan, gone with a restart of Asterisk, as is the call itself.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from agents.seats import BREAKS, LEAVE
from callcenter.asterisk import actions
from callcenter.asterisk.facts import Reserved
from callcenter.asterisk.link import ActionRefused, Line, LineAway
from callcenter.begun import Begun
from callcenter.clock import now
from callcenter.floor.changes import Change, SeatMoved
from callcenter.floor.run import Runner
from dialplan import names

RETRY: Final = 2.0
_UNKNOWN: Final = "?"

log = structlog.get_logger()


class Keeping:
    """Tells Asterisk what is reserved as it changes; `recall` reads it once after a start."""

    def __init__(self, line: Line, runner: Runner) -> None:
        self._line = line
        self._runner = runner
        self._kept: dict[str, str] = {}  # seat -> what Asterisk was told
        self._begun = Begun()

    def __call__(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if isinstance(change, SeatMoved):
                seat = change.seat
                wanted = f"{seat.next}:{seat.login}" if seat.next else ""
                if self._kept.get(seat.number, "") != wanted:
                    self._kept[seat.number] = wanted
                    self._begun.begin(self._keep(seat.number, wanted))

    async def _keep(self, seat: str, what: str) -> None:
        try:
            await self._line.act(actions.set_global(names.next_of(seat), what))
        except (LineAway, ActionRefused) as error:
            self._kept[seat] = _UNKNOWN  # told again when the seat moves
            log.warning("reserved_not_kept", seat=seat, why=str(error))

    async def recall(self) -> None:
        """Find what was reserved when the service ended."""
        await self._runner.synced.wait()
        left = {seat.number for seat in self._runner.floor.seats.values() if seat.queues and seat.next is None}
        while left:
            try:
                for number in sorted(left):
                    self._found(number, await self._line.global_(names.next_of(number)))
                    left.remove(number)
            except (LineAway, ActionRefused) as error:
                log.warning("reserved_not_recalled", why=str(error))
                await asyncio.sleep(RETRY)

    def _found(self, number: str, value: str) -> None:
        what, _, login = value.partition(":")
        seat = self._runner.floor.seat(number)
        # Whoever is on a break has begun what was reserved; another person has reserved nothing.
        if what in {*BREAKS, LEAVE} and seat.login == login and seat.next is None and seat.pause not in BREAKS:
            self._runner.tell(Reserved(now(), number, what))
