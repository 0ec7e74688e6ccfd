"""The way to Postgres, and how long we wait for it.

Postgres can be away in two ways: it says so (an error), or it says nothing (stopped, a cut line). The second is the
worse one, so nobody waits for it without a limit.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from asyncpg.exceptions import (
    CannotConnectNowError,
    InsufficientResourcesError,
    InterfaceError,
    InternalClientError,
    OperatorInterventionError,
    PostgresConnectionError,
)
from sqlalchemy import URL, AdaptedConnection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

CONNECT_SECONDS: Final = 3
STATEMENT_SECONDS: Final = 5  # after this Postgres itself gives a statement up
SILENCE_SECONDS: Final = 7  # after this we give Postgres up

_ABSENCE = (
    CannotConnectNowError,
    InsufficientResourcesError,
    InterfaceError,
    InternalClientError,
    OperatorInterventionError,
    PostgresConnectionError,
    OSError,
    TimeoutError,
)
T = TypeVar("T")
_given_up: set[asyncio.Task[Any]] = set()


class DatabaseAway(Exception):
    """Postgres does not answer, or says that it cannot now."""


def make_engine(
    url: str | URL, *, connections: int = 8, name: str = "callcenter", silence: float | None = SILENCE_SECONDS
) -> AsyncEngine:
    """An engine for `postgresql://user:password@host:port/name`; connects when first used.

    Args:
        connections: how many at most.
        name: what the connections are called in pg_stat_activity.
        silence: seconds after which a statement without an answer is given up; None: whoever asks has the patience.
    """
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=CONNECT_SECONDS,
        pool_use_lifo=True,  # the same few at work: each has prepared statements of its own to remember
        pool_recycle=1800,
        hide_parameters=True,  # an error's text must not carry a citizen's number
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": silence,
            # The service asks some hundred questions; to prepare one anew costs more than to ask it.
            "prepared_statement_cache_size": 500,
            "server_settings": {
                "application_name": name,
                "timezone": "UTC",
                "jit": "off",
                "statement_timeout": f"{STATEMENT_SECONDS}s",
                "idle_in_transaction_session_timeout": f"{2 * SILENCE_SECONDS}s",
            },
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(connection: AdaptedConnection, *_: object) -> None:
    # A restart of Postgres closes every connection of the pool; asyncpg knows at once, without asking the server.
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def is_absence(error: BaseException) -> bool:
    """Whether an error means that Postgres is away, and not that the statement is wrong."""
    if isinstance(error, DBAPIError):
        cause = error.orig.__cause__ if error.orig is not None else None
        return error.connection_invalidated or isinstance(cause or error.orig, _ABSENCE)
    return isinstance(error, (*_ABSENCE, NoFreeConnection, DatabaseAway))


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Do `work` with the database, or raise DatabaseAway: at once when Postgres is away, after `seconds` when silent.

    Work that is given up is cancelled but not waited for: asyncpg's farewell to a silent server takes its time too. It
    may have been committed all the same, so only work that can be done twice belongs here. Other errors pass.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.cancel()
        _given_up.add(task)
        task.add_done_callback(_bury)
        raise DatabaseAway(f"Postgres said nothing for {seconds:g} s")
    try:
        return task.result()
    except Exception as error:
        if is_absence(error):
            raise DatabaseAway(f"Postgres is away: {type(error).__name__}") from error
        raise


def _bury(task: asyncio.Task[Any]) -> None:
    _given_up.discard(task)
    if not task.cancelled():
        task.exception()  # looked at, so that asyncio does not report it
