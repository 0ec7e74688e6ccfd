"""Telling others of alarms by webhook: signed, tried again with growing delays, only where the settings say.

The receiver checks `X-Callcenter-Signature: sha256=HEX`, the HMAC-SHA256 of `TIMESTAMP.BODY` under the shared secret,
with `X-Callcenter-Timestamp` in seconds since the epoch. `X-Callcenter-Delivery` is the same at every try.
"""

import asyncio
import hashlib
import hmac
import random
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.alarms import queries
from callcenter.clock import now
from callcenter.store.engine import DatabaseAway, within

LOOK_EVERY: Final = 1.0
AT_ONCE: Final = 10
SECONDS: Final = 5.0  # for one try
LEASE: Final = 60.0
FIRST_DELAY, LONGEST_DELAY = 1.0, 900.0
GIVE_UP: Final = timedelta(hours=24)
PATIENCE: Final = 5.0

log = structlog.get_logger()


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """`sha256=` and the HMAC of timestamp and body, in hexadecimal."""
    return "sha256=" + hmac.digest(secret, timestamp.encode() + b"." + body, hashlib.sha256).hex()


def delay(tries: int) -> float:
    """Seconds from the failed try number `tries` (from 1) to the next, without jitter."""
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(tries - 1, 20))


async def tell(engine: AsyncEngine, urls: Sequence[str], secret: bytes) -> None:
    """Send what waits in the outbox, for ever."""
    # No proxy of the environment, no cookies, and no redirect is followed: it goes where the settings say or nowhere.
    async with ClientSession(timeout=ClientTimeout(total=SECONDS), trust_env=False) as session:
        while True:
            try:
                rows = await within(PATIENCE, _take(engine))
                await asyncio.gather(*(_tell(engine, session, row, urls, secret) for row in rows))
            except DatabaseAway as error:
                rows = []
                log.warning("webhooks_wait", why=str(error))
            if not rows:
                await asyncio.sleep(LOOK_EVERY)


async def _take(engine: AsyncEngine) -> Sequence[Row[Any]]:
    async with engine.begin() as connection:
        return await queries.take(connection, AT_ONCE, LEASE)


async def _tell(engine: AsyncEngine, session: ClientSession, row: Row[Any], urls: Sequence[str], secret: bytes) -> None:
    error = await _send(session, row, secret) if row.url in urls else "no longer in the settings"
    if error:
        log.warning("webhook_failed", id=row.id, tries=row.tries, why=error)
    await within(PATIENCE, _note(engine, row, error, given_up=row.url not in urls))


async def _send(session: ClientSession, row: Row[Any], secret: bytes) -> str:
    """Try once; why it failed, empty when it did not."""
    body, stamp = row.body.encode(), str(int(time.time()))
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "X-Callcenter-Timestamp": stamp,
        "X-Callcenter-Signature": signature(secret, stamp, body),
        "X-Callcenter-Delivery": str(row.id),
    }
    try:
        async with session.post(row.url, data=body, headers=headers, allow_redirects=False) as answer:
            return "" if 200 <= answer.status < 300 else f"answered {answer.status}"
    except (ClientError, TimeoutError, ValueError, OSError) as error:
        return type(error).__name__


async def _note(engine: AsyncEngine, row: Row[Any], error: str, *, given_up: bool) -> None:
    async with engine.begin() as connection:
        if not error:
            await queries.told(connection, row.id)
            return
        jitter = random.uniform(0.8, 1.2)  # noqa: S311 (no secret)
        again = now() + timedelta(seconds=delay(row.tries) * jitter)
        over = given_up or again - row.created_at > GIVE_UP
        await queries.not_told(connection, row.id, error, None if over else again)
