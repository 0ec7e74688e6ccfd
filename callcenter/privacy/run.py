"""Takes callers' numbers out of the calls of confidential orders once these calls are over."""

import asyncio
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.clock import now
from callcenter.privacy import queries
from callcenter.privacy.seal import Sealer
from callcenter.store.engine import DatabaseAway, within

EVERY: Final = 2.0
SECONDS: Final = 10.0

log = structlog.get_logger()


async def hide(engine: AsyncEngine, sealer: Sealer) -> int:
    """Take out what can be taken out now; how many calls there were. Raises DatabaseAway."""

    async def once() -> int:
        async with engine.begin() as connection:
            return await queries.hide_callers(connection, sealer, now())

    return await within(SECONDS, once())


async def keep_hidden(engine: AsyncEngine, sealer: Sealer) -> None:
    """Do it every two seconds, for ever."""
    while True:
        try:
            while await hide(engine, sealer) == queries.HIDDEN_AT_ONCE:
                pass
        except DatabaseAway:
            log.warning("callers_not_hidden")
        await asyncio.sleep(EVERY)
