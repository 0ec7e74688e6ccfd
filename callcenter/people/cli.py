"""Accounts and seats from the command line: the first administrator, and whoever has no browser at hand.

Only the tables are written. The running service sees them: sessions of a closed account end within two seconds, and a
new seat reaches Asterisk within five.
"""

import sys
from collections.abc import Awaitable, Callable
from getpass import getpass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from callcenter.people import queries
from callcenter.people.passwords import Passwords, generated
from callcenter.people.routes import LoginName, Name, Password, Roles, SeatNumber
from callcenter.settings import Settings
from callcenter.standalone import CannotStart
from callcenter.store.command import ask_database
from callcenter.store.engine import SILENCE_SECONDS


def add_user(settings: Settings, login: str, roles: list[str], name_zh: str, name_en: str) -> None:
    """Make an account. Raises CannotStart.

    The password is asked for on a terminal, else read from standard input; an empty one is generated and shown.
    """
    given = {
        "login": _checked("login", LoginName, login),
        "roles": sorted(set(_checked("--role", Roles, roles))),
        "name_zh": _checked("--name-zh", Name, name_zh or login),
        "name_en": _checked("--name-en", Name, name_en or login),
    }
    typed = getpass("Password (empty: generate one): ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    password = _checked("password", Password, typed or generated())

    async def add(connection: AsyncConnection) -> bool:
        password_hash = await Passwords().hashed(password)
        if not await queries.add_user(connection, given | {"password_hash": password_hash}):
            return False
        await queries.write_audit(connection, None, "add_user", given)
        return True

    if not _do(settings, add):
        raise CannotStart(f"the login {login} is taken")
    print(f"{login}: {'added' if typed else password}")


def close_user(settings: Settings, login: str) -> None:
    """Close an account (停用), which ends its sessions. Raises CannotStart."""

    async def close(connection: AsyncConnection) -> bool:
        if await queries.change_user(connection, login, {"active": False}) is None:
            return False
        await queries.write_audit(connection, None, "change_user", {"login": login, "active": False})
        return True

    if not _do(settings, close):
        raise CannotStart(f"there is no account {login}")
    print(f"{login}: closed")


def add_seat(settings: Settings, number: str) -> None:
    """Make a seat; an administrator looks its SIP secret up in the browser. Raises CannotStart."""
    number = _checked("seat number", SeatNumber, number)

    async def add(connection: AsyncConnection) -> bool:
        if not await queries.add_seat(connection, number):
            return False
        await queries.write_audit(connection, None, "add_seat", {"number": number})
        return True

    if not _do(settings, add):
        raise CannotStart(f"seat {number} exists")
    print(f"{number}: added")


def _checked(what: str, shape: Any, value: Any) -> Any:
    try:
        return TypeAdapter(shape).validate_python(value)
    except ValidationError as error:
        raise CannotStart(f"{what}: {error.errors()[0]['msg']}") from None


def _do(settings: Settings, work: Callable[[AsyncConnection], Awaitable[bool]]) -> bool:
    """Do it in one transaction. Raises CannotStart when Postgres is away or unknown."""

    async def once(engine: AsyncEngine) -> bool:
        async with engine.begin() as connection:
            return await work(connection)

    return ask_database(settings, "people", once, seconds=SILENCE_SECONDS)
