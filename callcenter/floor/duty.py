"""Who may no longer work here leaves the seat, whoever changed the account: a page, or the command line."""

import asyncio
from collections.abc import Collection
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.asterisk.link import ActionRefused, Line, LineAway
from callcenter.floor.acts import leaving
from callcenter.floor.model import Floor
from callcenter.store.engine import DatabaseAway, within
from callcenter.store.tables import users

LOOK_EVERY: Final = 2.0

log = structlog.get_logger()


async def keep_duty(engine: AsyncEngine, line: Line, floor: Floor) -> None:
    """Take the seats of closed accounts out of their queues, for ever. A talk that goes on is not cut."""
    while True:
        await asyncio.sleep(LOOK_EVERY)
        seated = {seat.login for seat in floor.seats.values() if seat.queues}
        try:
            gone = await within(LOOK_EVERY, _closed(engine, seated)) if seated else ()
            for seat in [seat for seat in floor.seats.values() if seat.login in gone]:
                log.info("seat_cleared", seat=seat.number)
                for action in leaving(seat):
                    await line.act(action)
        except (DatabaseAway, LineAway, ActionRefused) as error:
            log.warning("duty_not_kept", why=str(error))


async def _closed(engine: AsyncEngine, logins: Collection[str]) -> Collection[str]:
    async with engine.connect() as connection:
        asked = select(users.c.login).where(users.c.login.in_(logins), users.c.active.is_(False))
        return set((await connection.execute(asked)).scalars())
