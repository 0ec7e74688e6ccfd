"""Logging in, accounts, seats, and what the pages must know before anyone has logged in."""

import ipaddress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import Field
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.api import ANY_USER, ENGINE, PUBLIC, SETTINGS, Ask, Model, Moment, Problem, Routes
from callcenter.people import queries
from callcenter.people.passwords import MAX_LENGTH, MIN_LENGTH, PASSWORDS
from callcenter.people.permissions import Language, Person, actions_of
from callcenter.people.seats import seat_secret, write_seats
from callcenter.people.sessions import COOKIE, SESSIONS
from callcenter.people.throttle import THROTTLE
from dialplan import names
from ivr.services import HOTLINE, SERVICES

routes = Routes("people")

#: The roles of `permissions.ROLES_IN_USE`; a test compares the two.
Role = Literal["operator", "supervisor", "admin"]
LoginName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9._-]{1,31}$", min_length=2, max_length=32)]
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$", min_length=1, max_length=40)]
Password = Annotated[str, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]
Roles = Annotated[list[Role], Field(min_length=1, max_length=3)]
SeatNumber = Annotated[str, Field(pattern=r"^[1-9][0-9]{3}$", min_length=4, max_length=4)]


class About(Model):
    version: str
    demo: bool
    time_zone: str
    hotline: str
    has_session: bool  # the browser brought a session's cookie, so it is worth asking whose
    now: Moment


class Login(Model):
    login: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=MAX_LENGTH)]


class Me(Model):
    login: str
    name_zh: str
    name_en: str
    roles: list[str]
    may: list[str]
    language: Language


class Preferences(Model):
    language: Language


class User(Model):
    login: str
    name_zh: str
    name_en: str
    roles: list[str]
    active: bool


class Users(Model):
    items: list[User]


class NewUser(Model):
    login: LoginName
    name_zh: Name
    name_en: Name
    roles: Roles
    password: Password


class UserChange(Model):
    name_zh: Name | None = None
    name_en: Name | None = None
    roles: Roles | None = None
    active: bool | None = None
    password: Password | None = None


class UserPath(Model):
    login: LoginName


class Seat(Model):
    number: str
    active: bool


class Seats(Model):
    items: list[Seat]


class NewSeat(Model):
    number: SeatNumber


class SeatChange(Model):
    active: bool | None = None
    new_secret: bool = False


class SeatPath(Model):
    number: SeatNumber


class SeatSecret(Model):
    number: str
    secret: str


class Dial(Model):
    number: str
    name_zh: str
    name_en: str


class Trial(Model):
    ws_url: str
    uri: str
    user: str
    password: str
    numbers: list[Dial]


@routes.get("/api/v1/about", action=PUBLIC, out=About)
async def about(ask: Ask) -> About:
    """What this installation is"""
    settings = ask.app[SETTINGS]
    return About(
        version=version("callcenter-12345"),
        demo=settings.demo,
        time_zone=settings.time_zone,
        hotline=HOTLINE,
        has_session=COOKIE in ask.request.cookies,
        now=datetime.now(UTC),
    )


@routes.post("/api/v1/session", action=PUBLIC, body=Login, out=Me)
async def log_in(ask: Ask[Login]) -> Me:
    """Log in; the same answer, after the same time, for an unknown login and a wrong password"""
    login, address = ask.body.login.strip().lower(), _address(ask.request)
    throttle = ask.app[THROTTLE]
    if not await throttle.admit(login, address):
        raise Problem(
            429, "too_many_tries", "尝试次数过多，请五分钟后再试", "Too many tries; try again in five minutes"
        )
    async with ask.app[ENGINE].connect() as connection:
        found = await queries.user(connection, login)
    known = found if found is not None and found.active else None
    fits = await ask.app[PASSWORDS].fit(ask.body.password, known.password_hash if known is not None else None)
    if known is None or not fits:
        await throttle.wrong(address)
        raise Problem(401, "wrong_login", "账号或口令不正确", "Login or password is wrong")
    await throttle.right(login, address)
    sessions = ask.app[SESSIONS]
    token = await sessions.open(known.id, address, instead_of=ask.request.cookies.get(COOKIE))
    ask.answer.set_cookie(
        COOKIE,
        token,
        max_age=sessions.seconds,
        httponly=True,
        samesite="Strict",
        secure=(ask.app[SETTINGS].public_origin or "").startswith("https:"),
    )
    return _me(known, known.language)


@routes.get("/api/v1/session", action=ANY_USER, out=Me)
async def who_am_i(ask: Ask) -> Me:
    """Who is logged in"""
    return _me(ask.user, ask.user.language)


@routes.patch("/api/v1/session", action=ANY_USER, body=Preferences, out=Me)
async def choose_language(ask: Ask[Preferences]) -> Me:
    """Choose the language of the pages"""
    async with ask.app[ENGINE].begin() as connection:
        await queries.change_user(connection, ask.user.login, {"language": ask.body.language})
    await ask.app[SESSIONS].refresh()
    return _me(ask.user, ask.body.language)


@routes.delete("/api/v1/session", action=ANY_USER)
async def log_out(ask: Ask) -> None:
    """Log out; the session is over everywhere at once"""
    await ask.app[SESSIONS].close(ask.user)
    ask.answer.del_cookie(COOKIE)


@routes.get("/api/v1/users", action="manage_users", out=Users)
async def list_users(ask: Ask) -> Users:
    """Every account"""
    async with ask.app[ENGINE].connect() as connection:
        return Users(items=[_user(row) for row in await queries.all_users(connection)])


@routes.post("/api/v1/users", action="manage_users", body=NewUser, out=User, status=201)
async def add_user(ask: Ask[NewUser]) -> User:
    """Make an account"""
    given = ask.body.model_dump(exclude={"password"}) | {"roles": sorted(set(ask.body.roles))}
    password_hash = await ask.app[PASSWORDS].hashed(ask.body.password)
    async with ask.app[ENGINE].begin() as connection:
        if not await queries.add_user(connection, given | {"password_hash": password_hash}):
            raise Problem(409, "login_taken", "账号已存在", "This login is taken", {"login": "已存在 / taken"})
        await queries.write_audit(connection, ask.user.id, "add_user", given)
    return User(**given, active=True)


@routes.patch("/api/v1/users/{login}", action="manage_users", body=UserChange, path=UserPath, out=User)
async def change_user(ask: Ask[UserChange, None, UserPath]) -> User:
    """Change an account; a new password, new roles or its closing end its sessions"""
    login = ask.path.login
    changes: dict[str, Any] = ask.body.model_dump(exclude={"password"}, exclude_none=True)
    if "roles" in changes:
        changes["roles"] = sorted(set(changes["roles"]))
    told = changes | ({"password": "new"} if ask.body.password else {})
    if ask.body.password:
        changes["password_hash"] = await ask.app[PASSWORDS].hashed(ask.body.password)
    async with ask.app[ENGINE].begin() as connection:
        if changes.get("active") is False or "admin" not in changes.get("roles", ["admin"]):
            await _another_admin(connection, login)
        row = await queries.change_user(connection, login, changes or {"login": login})
        if row is None:
            raise Problem(404, "no_such_user", "没有此账号", "There is no such account")
        await queries.write_audit(connection, ask.user.id, "change_user", {"login": login, **told})
    if told.keys() & {"roles", "active", "password"}:
        await ask.app[SESSIONS].close_all(row.id)
    return _user(row)


@routes.get("/api/v1/seats", action="manage_seats", out=Seats)
async def list_seats(ask: Ask) -> Seats:
    """Every seat"""
    async with ask.app[ENGINE].connect() as connection:
        return Seats(items=[_seat(row) for row in await queries.all_seats(connection)])


@routes.post("/api/v1/seats", action="manage_seats", body=NewSeat, out=Seat, status=201)
async def add_seat(ask: Ask[NewSeat]) -> Seat:
    """Make a seat; its phones can register a moment later"""
    number = ask.body.number
    async with ask.app[ENGINE].begin() as connection:
        if not await queries.add_seat(connection, number):
            raise Problem(409, "seat_exists", "座席已存在", "This seat exists", {"number": "已存在 / exists"})
        await queries.write_audit(connection, ask.user.id, "add_seat", {"number": number})
    await write_seats(ask.app[ENGINE], ask.app[SETTINGS])
    return Seat(number=number, active=True)


@routes.patch("/api/v1/seats/{number}", action="manage_seats", body=SeatChange, path=SeatPath, out=Seat)
async def change_seat(ask: Ask[SeatChange, None, SeatPath]) -> Seat:
    """Open or close a seat, or give it a new SIP secret"""
    number, change = ask.path.number, ask.body
    async with ask.app[ENGINE].begin() as connection:
        row = await queries.change_seat(connection, number, active=change.active, new_secret=change.new_secret)
        if row is None:
            raise _no_seat()
        told = {"number": number, **change.model_dump(exclude_none=True)}
        await queries.write_audit(connection, ask.user.id, "change_seat", told)
    await write_seats(ask.app[ENGINE], ask.app[SETTINGS])
    return _seat(row)


@routes.post("/api/v1/seats/{number}/secret", action="manage_seats", path=SeatPath, out=SeatSecret)
async def show_secret(ask: Ask[None, None, SeatPath]) -> SeatSecret:
    """Show a seat's SIP secret, for the person who sets up its phone; who looked is on record"""
    number = ask.path.number
    async with ask.app[ENGINE].begin() as connection:
        row = await queries.seat(connection, number)
        if row is None:
            raise _no_seat()
        await queries.write_audit(connection, ask.user.id, "show_seat_secret", {"number": number})
    key = ask.app[SETTINGS].seat_key.get_secret_value()
    return SeatSecret(number=number, secret=seat_secret(key, number, row.secret_version))


@routes.post("/api/v1/try", action=PUBLIC, out=Trial)
async def try_it(ask: Ask) -> Trial:
    """The account of the page /try, which calls 12345 from the browser; in the demo only"""
    settings = ask.app[SETTINGS]
    if not settings.demo:
        raise Problem(404, "not_found", "没有这个地址", "There is nothing at this address")
    return Trial(
        ws_url=settings.sip_ws_url,
        uri=f"sip:{names.TRY}@{urlsplit(settings.sip_ws_url).hostname}",
        user=names.TRY,
        password=settings.try_secret.get_secret_value(),
        numbers=[Dial(number=each.number, name_zh=each.zh, name_en=each.en) for each in SERVICES],
    )


def _me(who: Person | Row[Any], language: Language) -> Me:
    return Me(
        login=who.login,
        name_zh=who.name_zh,
        name_en=who.name_en,
        roles=list(who.roles),
        may=actions_of(who.roles),
        language=language,
    )


def _user(row: Row[Any]) -> User:
    return User(login=row.login, name_zh=row.name_zh, name_en=row.name_en, roles=row.roles, active=row.active)


def _seat(row: Row[Any]) -> Seat:
    return Seat(number=row.number, active=row.active)


def _no_seat() -> Problem:
    return Problem(404, "no_such_seat", "没有此座席", "There is no such seat")


async def _another_admin(connection: AsyncConnection, login: str) -> None:
    if not await queries.other_admins(connection, login):
        raise Problem(409, "last_admin", "这是最后一位管理员", "This is the last administrator")


def _address(request: web.Request) -> str:
    """Where a try to log in comes from. Behind a proxy of ours it is the last address that the proxy saw."""
    peer = request.remote or ""
    if request.app[SETTINGS].public_origin is None:
        return peer
    try:
        return str(ipaddress.ip_address(request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()))
    except ValueError:
        return peer
