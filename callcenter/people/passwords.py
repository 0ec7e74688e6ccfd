"""Passwords (口令): Argon2id, each hash a tenth of a second of a thread, never more than two at a time."""

import asyncio
import secrets
from typing import Final

from aiohttp import web
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

MIN_LENGTH: Final = 10
MAX_LENGTH: Final = 128
AT_ONCE: Final = 2

# More than OWASP's least (19 MiB, 2 rounds), less than argon2-cffi's default of 64 MiB: two at a time must fit into the
# service's 200 MB.
_hasher: Final = PasswordHasher(memory_cost=32 * 1024, time_cost=3, parallelism=1)
#: What an unknown login is checked against, so that it takes as long as a known one.
_NOBODY: Final = "$argon2id$v=19$m=32768,t=3,p=1$5ngQ6Kpuoe7b8qCJL1zfGA$F/wwfLUxFIzEQI8e38v1VYUwbTdkmDRT0FLFcXlGxZE"


class Passwords:
    """Hashes and checks passwords in threads."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def hashed(self, password: str) -> str:
        async with self._turn:
            return await asyncio.to_thread(_hasher.hash, password)

    async def fit(self, password: str, password_hash: str | None) -> bool:
        """Whether the password is the one of this hash. None takes as long, and is False."""
        async with self._turn:
            return await asyncio.to_thread(_fits, password, password_hash)


#: The application's checker of passwords.
PASSWORDS: Final = web.AppKey("PASSWORDS", Passwords)


def generated() -> str:
    """A password for a person to type: four groups, 80 bits, no letter that looks like another."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))


def _fits(password: str, password_hash: str | None) -> bool:
    try:
        return _hasher.verify(password_hash or _NOBODY, password) and password_hash is not None
    except (VerifyMismatchError, InvalidHashError):
        return False
