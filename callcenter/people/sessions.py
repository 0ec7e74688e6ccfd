"""Sessions (登录会话): an opaque cookie of 256 bits; Postgres keeps its SHA-256 only.

Sessions in use are kept in memory and read again every `REFRESH_SECONDS` in one query. So a request costs no query,
a session that was ended anywhere (log-out, a deactivated account, the command line) is over within two seconds, and
who is logged in goes on working while Postgres is away.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from aiohttp import web
from sqlalchemy import LargeBinary, any_, delete, insert, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.people.permissions import Person
from callcenter.store.engine import DatabaseAway, within
from callcenter.store.tables import sessions, users

COOKIE: Final = "callcenter_session"
REFRESH_SECONDS: Final = 2.0
#: How long a look-up may take before Postgres counts as away.
LOOKUP_SECONDS: Final = 2.0
#: How exactly `seen_at` is kept.
SEEN_EVERY: Final = timedelta(minutes=1)

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Open:
    person: Person
    expires_at: datetime
    used: bool = True
    over: asyncio.Event = field(default_factory=asyncio.Event)


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


class Sessions:
    """Who is logged in. One per service; `run` keeps it true."""

    def __init__(self, engine: AsyncEngine, *, lasts: timedelta) -> None:
        self._engine = engine
        self._lasts = lasts
        self._open: dict[bytes, _Open] = {}
        self._noted = datetime.min.replace(tzinfo=UTC)

    @property
    def seconds(self) -> int:
        """How long a session lasts, for the cookie."""
        return int(self._lasts.total_seconds())

    async def person(self, token: str | None) -> Person | None:
        """Who holds this token; None when nobody does. Raises DatabaseAway when Postgres cannot say."""
        if not token or len(token) > 64 or not token.isascii():
            return None
        key = token_hash(token)
        now = datetime.now(UTC)
        if key not in self._open:
            for found in await within(LOOKUP_SECONDS, self._find([key], now)):
                self._open.setdefault(key, found)
        session = self._open.get(key)
        if session is None or session.expires_at <= now:
            return None
        session.used = True
        return session.person

    async def open(self, user_id: int, address: str, *, instead_of: str | None) -> str:
        """Begin a session and end the one that the browser came with. Returns the new token."""
        token = secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        old = token_hash(instead_of or "")
        async with self._engine.begin() as connection:
            await connection.execute(delete(sessions).where(sessions.c.token_hash == old))
            await connection.execute(
                insert(sessions).values(
                    token_hash=token_hash(token),
                    user_id=user_id,
                    created_at=now,
                    seen_at=now,
                    expires_at=now + self._lasts,
                    address=address,
                )
            )
        self._end(old)
        return token

    async def close(self, person: Person) -> None:
        """End this session (退出登录)."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(sessions).where(sessions.c.token_hash == person.session))
        self._end(person.session)

    async def close_all(self, user_id: int) -> None:
        """End every session of an account."""
        async with self._engine.begin() as connection:
            await connection.execute(delete(sessions).where(sessions.c.user_id == user_id))
        for key in [key for key, session in self._open.items() if session.person.id == user_id]:
            self._end(key)

    async def ended(self, person: Person) -> None:
        """Return when this session is over. A websocket closes itself with 4002 then."""
        session = self._open.get(person.session)
        if session is not None:
            await session.over.wait()

    async def run(self) -> None:
        """Read the sessions in use again, for ever."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await within(LOOKUP_SECONDS, self.refresh())
            except DatabaseAway:
                _log.warning("sessions_not_read")
                self._drop_expired(datetime.now(UTC))

    async def refresh(self) -> None:
        """Read the sessions in use again once: end what is over, take changed names and roles."""
        now = datetime.now(UTC)
        known = list(self._open)
        if not known:
            return
        found = {session.person.session: session for session in await self._find(known, now)}
        if now - self._noted >= SEEN_EVERY:
            self._noted = now
            used = [session for session in self._open.values() if session.used]
            seen = sessions.c.token_hash == any_(literal([each.person.session for each in used], ARRAY(LargeBinary)))
            for each in used:
                each.used = False
            async with self._engine.begin() as connection:
                await connection.execute(update(sessions).where(seen).values(seen_at=now))
        for key in known:
            if key not in found:
                self._end(key)
            elif key in self._open:
                self._open[key].person = found[key].person

    async def _find(self, keys: Collection[bytes], now: datetime) -> list[_Open]:
        async with self._engine.connect() as connection:
            rows = await connection.execute(
                select(
                    users.c.id,
                    users.c.login,
                    users.c.name_zh,
                    users.c.name_en,
                    users.c.roles,
                    users.c.language,
                    users.c.unit,
                    sessions.c.token_hash,
                    sessions.c.expires_at,
                )
                .join(users, users.c.id == sessions.c.user_id)
                .where(
                    sessions.c.token_hash == any_(literal(list(keys), ARRAY(LargeBinary))),
                    sessions.c.expires_at > now,
                    users.c.active,
                )
            )
            return [
                _Open(
                    Person(
                        row.id,
                        row.login,
                        row.name_zh,
                        row.name_en,
                        tuple(row.roles),
                        row.language,
                        row.token_hash,
                        row.unit,
                    ),
                    row.expires_at,
                )
                for row in rows
            ]

    def _drop_expired(self, now: datetime) -> None:
        for key in [key for key, session in self._open.items() if session.expires_at <= now]:
            self._end(key)

    def _end(self, key: bytes) -> None:
        session = self._open.pop(key, None)
        if session is not None:
            session.over.set()


#: The application's open sessions.
SESSIONS: Final = web.AppKey("SESSIONS", Sessions)
