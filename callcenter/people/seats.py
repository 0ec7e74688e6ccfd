"""Seats' SIP accounts (座席话机账号). A secret is never stored: it follows from the key, the number and a version."""

import asyncio
import base64
import hashlib
import hmac
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.people import queries
from callcenter.settings import Settings
from callcenter.standalone.private import write
from callcenter.store.engine import SILENCE_SECONDS, DatabaseAway, within
from dialplan.names import SEATS_FILE
from dialplan.seats import SeatAccount, seats_conf

SECRET_LENGTH: Final = 26  # base32: 130 bits
LOOK_SECONDS: Final = 5.0
_ONE_WRITER: Final = 12350  # advisory lock: the newest table must be the last that is written

_log = structlog.get_logger(__name__)


def seat_secret(key: str, number: str, version: int) -> str:
    """The SIP secret of a seat: letters and digits that a person can type into a phone."""
    digest = hmac.digest(key.encode(), f"{number}:{version}".encode(), hashlib.sha256)
    return base64.b32encode(digest).decode()[:SECRET_LENGTH]


async def write_seats(engine: AsyncEngine, settings: Settings) -> bool:
    """Write the active seats where Asterisk reads them; its keeper sees the new file and loads it.

    Returns whether there was anything new. Raises OSError when the file cannot be written.
    """
    key = settings.seat_key.get_secret_value()
    async with engine.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_WRITER})
        rows = await queries.all_seats(connection)
        wanted = seats_conf(
            SeatAccount(row.number, seat_secret(key, row.number, row.secret_version)) for row in rows if row.active
        )
        return await asyncio.to_thread(_replace, settings, wanted)


async def keep_seats(engine: AsyncEngine, settings: Settings) -> None:
    """Write the seats again whenever the table has changed, whoever changed it: a page, or the command line."""
    while True:
        try:
            await within(SILENCE_SECONDS, write_seats(engine, settings))
        except (DatabaseAway, OSError) as error:
            _log.warning("seats_not_written", error=str(error))
        await asyncio.sleep(LOOK_SECONDS)


def _replace(settings: Settings, wanted: str) -> bool:
    file = settings.asterisk_etc / SEATS_FILE
    if file.exists() and file.read_text(encoding="utf-8") == wanted:
        return False
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write(file, wanted)
    return True
