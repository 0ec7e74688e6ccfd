"""What a command asks of Postgres: an engine of its own, and one line for its user when Postgres is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.settings import Settings
from callcenter.standalone import CannotStart
from callcenter.store.engine import DatabaseAway, is_absence, make_engine, within

T = TypeVar("T")


def ask_database(
    settings: Settings, name: str, work: Callable[[AsyncEngine], Awaitable[T]], *, seconds: float | None = None
) -> T:
    """Do the work on an engine that lasts as long. Raises CannotStart when there is no Postgres, or none answers.

    Args:
        name: of the command, as pg_stat_activity shows it.
        seconds: how long it may take; None for what has no limit.
    """
    url = settings.database_url
    if url is None:
        raise CannotStart(
            "no database: set CALLCENTER_DATABASE_URL, or CALLCENTER_HOME to the folder of `callcenter up`"
        )

    async def run() -> T:
        engine = make_engine(url.get_secret_value(), connections=1, name=f"callcenter {name}")

        async def once() -> T:
            return await work(engine)

        try:
            return await (once() if seconds is None else within(seconds, once()))
        finally:
            await engine.dispose()

    try:
        return asyncio.run(run())
    except DatabaseAway as error:
        raise CannotStart(f"{error} (CALLCENTER_DATABASE_URL)") from error
    except Exception as error:
        if is_absence(error):
            raise CannotStart(f"Postgres is away: {type(error).__name__} (CALLCENTER_DATABASE_URL)") from error
        raise
