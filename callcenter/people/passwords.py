"""Passwords (口令): Argon2id, each hash a fifth of a second of a thread, never more than two at a time."""

import asyncio
import secrets
from typing import Final

from aiohttp import web
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

MIN_LENGTH: Final = 10
MAX_LENGTH: Final = 128
AT_ONCE: Final = 2

_hasher: Final = PasswordHasher()
#: What an unknown login is checked against, so that it takes as long as a known one.
_NOBODY: Final = "$argon2id$v=19$m=65536,t=3,p=4$0OCgDoht9ifrxkkVLLn98Q$PsvD5v+FXbjzMEivkgG224K5Dolmnejahs8q1lgjXls"


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


def hash_now(password: str) -> str:
    """The hash, made in this thread: for the command line."""
    return _hasher.hash(password)


def _fits(password: str, password_hash: str | None) -> bool:
    try:
        return _hasher.verify(password_hash or _NOBODY, password) and password_hash is not None
    except (VerifyMismatchError, InvalidHashError):
        return False
