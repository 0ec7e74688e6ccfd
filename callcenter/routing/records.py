"""What records know of a caller's number, told to the dialplan while the greeting is heard (来电识别).

Asterisk waits for none of it: what comes too late for the queue's entry moves the call within the queue, and without
us or Postgres a call is a plain one.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from agents.priority import Priority, known, weight
from callcenter.asterisk import actions
from callcenter.asterisk.facts import Raised
from callcenter.asterisk.link import ActionRefused, Line, LineAway
from callcenter.begun import Begun
from callcenter.calls.numbers import blind_index
from callcenter.clock import now
from callcenter.floor.changes import CallArrived, Change
from callcenter.floor.model import Call
from callcenter.floor.run import Runner
from callcenter.routing import queries
from callcenter.store.engine import DatabaseAway, within

#: The greeting takes longer than this; what is not known by then comes too late for a preferred seat.
PATIENCE: Final = 2.0

#: What Asterisk has said a moment ago may not have been taken in yet.
JUST_SAID: Final = 0.1

log = structlog.get_logger()


class Known(NamedTuple):
    """What records say: why the call goes before others, and who took down its open matter."""

    priority: Priority | None
    agent: str | None


class Records:
    """A sink of the floor. `number_key`: key of the blind index by which a number is found."""

    def __init__(self, engine: AsyncEngine, line: Line, runner: Runner, number_key: bytes) -> None:
        self._engine = engine
        self._line = line
        self._runner = runner
        self._number_key = number_key
        self._begun = Begun()

    def __call__(self, changes: Sequence[Change]) -> None:
        for change in changes:
            match change:
                case CallArrived(call=call) if call.number and call.queued_at is None:
                    self._begun.begin(self._look_up(call))

    async def _look_up(self, call: Call) -> None:
        try:
            found = await within(PATIENCE, self._ask(call))
            if found.agent is not None:
                await self._prefer(call, found.agent)
            if found.priority is not None:
                await self._raise(call, found.priority)
        except (DatabaseAway, LineAway, ActionRefused) as error:
            log.warning("records_not_told", why=str(error))

    async def _ask(self, call: Call) -> Known:
        key = blind_index(self._number_key, call.number)
        if key is None:
            return Known(None, None)
        async with self._engine.connect() as connection:
            earlier = await queries.earlier_calls(connection, key, call.id, now())
            return Known(known(earlier, now()), await queries.last_agent(connection, key))

    async def _prefer(self, call: Call, login: str) -> None:
        """The dialplan rings that seat first if it is free at the moment when the call would be queued."""
        seats = self._runner.floor.seats.values()
        seat = next((seat for seat in seats if seat.queues and seat.login == login), None)
        if seat is not None and call.queued_at is None:
            for step in actions.prefer(call.channel, seat.number, seat.phone, seat.login):
                await self._line.act(step)

    async def _raise(self, call: Call, priority: Priority) -> None:
        if call.queued_at is None:
            await self._line.act(actions.set_variable(call.channel, "KNOWN", priority))
        # It may have entered its queue meanwhile, without what was told just now.
        await asyncio.sleep(JUST_SAID)
        if call.queue is not None and call.waits and weight(call.priority) < weight(priority):
            await self._line.act(actions.move_up(call.channel, call.queue, weight(priority)))
            self._runner.tell(Raised(now(), call.id, priority))
