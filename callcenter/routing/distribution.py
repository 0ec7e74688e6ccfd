"""Keeps Asterisk to the plan: each seat a member of the queues of its person's skills, in the right tier, live.

A sink of the floor and a task. What is so already is left alone; differences are sent, and come back as facts.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from agents.skills import Levels, Sitting, memberships
from callcenter.asterisk import actions
from callcenter.asterisk.link import ActionRefused, Line, LineAway, LineState
from callcenter.floor.changes import Change, Corrected, SeatMoved
from callcenter.floor.model import Floor, Seat
from callcenter.routing.plan import Plan
from callcenter.routing.queries import read_plan
from callcenter.settings import Settings
from callcenter.standalone.private import write
from callcenter.store.engine import DatabaseAway, within

#: How often the tables are read, for changes that come from elsewhere; the page's own are taken in at once.
READ_EVERY: Final = 5.0
READ_PATIENCE: Final = 2.0
#: What was sent a moment ago comes back as facts within this time.
ECHO: Final = 0.25

log = structlog.get_logger()


class Distribution:
    """Call it with changes; let `run` go on beside it. `plan` is what applies now."""

    def __init__(self, engine: AsyncEngine, line: Line, floor: Floor, settings: Settings) -> None:
        self._engine = engine
        self._line = line
        self._floor = floor
        self._settings = settings
        self._moved = asyncio.Event()
        # Seat -> who was put there with what; a person's new skills are told by the difference.
        self._placed: dict[str, tuple[str, Levels]] = {}
        self.plan = Plan({})

    def __call__(self, changes: Sequence[Change]) -> None:
        if any(isinstance(change, SeatMoved | Corrected) for change in changes):
            self._moved.set()

    async def run(self) -> None:
        """Hold seats and Asterisk's files to the plan, for ever."""
        again = 0.0
        while True:
            if asyncio.get_running_loop().time() >= again:
                try:
                    await self.read()
                except (DatabaseAway, OSError) as error:
                    log.warning("plan_not_read", why=str(error))
                again = asyncio.get_running_loop().time() + READ_EVERY
            self._moved.clear()
            if self._line.state is LineState.LIVE and await self._act():
                await asyncio.sleep(ECHO)
                continue
            try:
                await asyncio.wait_for(self._moved.wait(), max(0.0, again - asyncio.get_running_loop().time()))
            except TimeoutError:
                continue

    async def read(self) -> None:
        """Take in what the tables say. Raises DatabaseAway; OSError when Asterisk's files cannot be written."""

        async def ask() -> Plan:
            async with self._engine.connect() as connection:
                return await read_plan(connection)

        self.plan = await within(READ_PATIENCE, ask())
        self._floor.guard = self.plan.guard
        self._moved.set()
        await asyncio.to_thread(self._write, self.plan.files())

    def place(self, seat: str, login: str) -> Mapping[str, int]:
        """Queue -> tier of a person who sits down at a seat; whoever asks tells Asterisk."""
        sitting = [each for each in self._sitting() if each.seat != seat]
        sits = self._sits(seat, login, working=False)
        self._placed[seat] = (login, sits.levels)
        return memberships([*sitting, sits])[seat]

    async def _act(self) -> bool:
        """Tell Asterisk what is not as it should be; whether there was anything."""
        acted = False
        for number, wanted in memberships(self._sitting()).items():
            seat = self._floor.seats[number]
            worker = self.plan.workers.get(seat.login)
            if worker is None:
                continue  # gone while others were told
            place = (seat.login, worker.levels)
            told = list(_differences(seat, wanted, belongs=self._placed.get(number) == place))
            try:
                for action in told:
                    await self._line.act(action)
                self._placed[number] = place
            except (LineAway, ActionRefused) as error:
                log.warning("seat_not_placed", seat=number, why=str(error))
            acted = acted or bool(told)
        return acted

    def _sitting(self) -> list[Sitting]:
        # Of whom nothing is known yet, nothing is changed.
        seats = [seat for seat in self._floor.seats.values() if seat.queues and seat.login in self.plan.workers]
        return [self._sits(seat.number, seat.login, working=seat.working) for seat in seats]

    def _sits(self, seat: str, login: str, *, working: bool) -> Sitting:
        worker = self.plan.workers.get(login)
        return Sitting(seat, worker.levels if worker else {}, working)

    def _write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            file = self._settings.asterisk_etc / name
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write(file, text)


def _differences(seat: Seat, wanted: Mapping[str, int], *, belongs: bool) -> Iterator[actions.Action]:
    """What Asterisk has to be told of a seat; joining before leaving.

    `belongs`: it was put into all its queues before. What it is not a member of then, it is just leaving: somebody
    stands up, or is sent away.
    """
    for queue, tier in wanted.items():
        if queue in seat.queues:
            if seat.queues[queue] != tier:
                yield actions.rank(seat.number, seat.phone, queue, tier)
        elif not belongs:
            yield actions.seat(seat.number, seat.phone, seat.login, queue, seat.pause, tier)
    if not belongs:
        for queue in sorted(seat.queues.keys() - wanted.keys()):
            yield actions.unseat(seat.number, seat.phone, queue)
