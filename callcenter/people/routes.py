"""Logging in, accounts, seats, and what the pages must know before anyone has logged in."""

import ipaddress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import Field
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.api import ANY_USER, ENGINE, PUBLIC, SETTINGS, WHOLE, Ask, Model, Moment, Problem, Routes
from callcenter.directory.city import DEPARTMENTS, REGIONS
from callcenter.people import queries
from callcenter.people.passwords import MAX_LENGTH, MIN_LENGTH, PASSWORDS
from callcenter.people.permissions import Language, Person, Role, actions_of
from callcenter.people.seats import seat_secret, write_seats
from callcenter.people.second import check_second
from callcenter.people.sessions import COOKIE, SESSIONS
from callcenter.people.throttle import THROTTLE
from dialplan import names
from ivr.services import HOTLINE, SERVICES

routes = Routes("people")

LoginName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9._-]{1,31}$", min_length=2, max_length=32)]
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$", min_length=1, max_length=40)]
Password = Annotated[str, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]
Roles = Annotated[list[Role], Field(min_length=1, max_length=3)]
#: A department's or a district's code: whose orders people of a unit may see and handle.
Unit = Annotated[str, Field(pattern=r"^[A-Z][0-9A-Z]{1,11}$", max_length=12)]
#: What of an account says what it may do, or opens it.
_RIGHTS: Final = frozenset({"roles", "active", "password_hash", "unit"})
SeatNumber = Annotated[str, Field(pattern=r"^[1-9][0-9]{3}$", min_length=4, max_length=4)]


class About(Model):
    version: str
    demo: bool
    calls_leave: bool  # a trunk is set up, so calls can go out to real telephones
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


class AccountProposal(Model):
    """What of an account waits for a second administrator (两人复核); what stays as it is, is null.

    `unit` is empty when somebody is to be taken out of theirs; `password`: there is a new one.
    """

    id: int
    by: str
    at: Moment
    roles: list[str] | None
    unit: str | None
    active: bool | None
    password: bool

    @classmethod
    def of(cls, row: Row[Any]) -> Self | None:
        """From an account's row."""
        if row.proposal_id is None:
            return None
        change = row.proposal_change
        return cls(
            id=row.proposal_id,
            by=row.proposal_by,
            at=row.proposal_at,
            roles=change.get("roles"),
            unit=(change["unit"] or "") if "unit" in change else None,
            active=change.get("active"),
            password="password_hash" in change,
        )


class User(Model):
    login: str
    name_zh: str
    name_en: str
    roles: list[str]
    active: bool
    unit: str | None
    proposal: AccountProposal | None


class Users(Model):
    items: list[User]


class Logins(Model):
    """Logins, divided by commas."""

    of: Annotated[str, Field(pattern=r"^[a-z][a-z0-9._-]{1,31}(,[a-z][a-z0-9._-]{1,31}){0,99}$", max_length=3300)]


class Colleague(Model):
    login: str
    name_zh: str
    name_en: str


class Colleagues(Model):
    items: list[Colleague]


class NewUser(Model):
    login: LoginName
    name_zh: Name
    name_en: Name
    roles: Roles
    password: Password
    unit: Unit | None = None


class UserChange(Model):
    """What is to change of an account; an empty `unit` takes somebody out of theirs."""

    name_zh: Name | None = None
    name_en: Name | None = None
    roles: Roles | None = None
    active: bool | None = None
    password: Password | None = None
    unit: Unit | Literal[""] | None = None


class UserPath(Model):
    login: LoginName


class UserDecision(Model):
    """`id`: the proposal that was seen."""

    id: Annotated[int, Field(ge=1, le=2**53), WHOLE]
    state: Literal["agreed", "refused", "withdrawn"]


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
        calls_leave=settings.trunk_address is not None,
        time_zone=settings.time_zone,
        hotline=HOTLINE,
        has_session=COOKIE in ask.request.cookies,
        now=datetime.now(UTC),
    )


@routes.post("/api/v1/session", action=PUBLIC, body=Login, out=Me)
async def log_in(ask: Ask[Login]) -> Me:
    """Log in; the same answer, after the same time, for an unknown login and a wrong password"""
    login, address = ask.body.login.strip().lower(), address_of(ask.request)
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


@routes.get("/api/v1/colleagues", action=ANY_USER, query=Logins, out=Colleagues)
async def name_colleagues(ask: Ask[None, Logins]) -> Colleagues:
    """The names of people whose logins stand on a page; those of closed accounts too, of unknown ones nothing"""
    async with ask.app[ENGINE].connect() as connection:
        found = await queries.named(connection, ask.query.of.split(","))
        return Colleagues(items=[Colleague(**row._mapping) for row in found])


@routes.get("/api/v1/users", action="manage_users", out=Users)
async def list_users(ask: Ask) -> Users:
    """Every account"""
    async with ask.app[ENGINE].connect() as connection:
        return Users(items=[_user(row) for row in await queries.all_users(connection)])


@routes.post("/api/v1/users", action="manage_users", body=NewUser, out=User, status=201)
async def add_user(ask: Ask[NewUser]) -> User:
    """Make an account; unless there is one administrator alone, another one must agree before it is open"""
    _known_unit(ask.body.unit)
    given = ask.body.model_dump(exclude={"password"}) | {"roles": sorted(set(ask.body.roles))}
    password_hash = await ask.app[PASSWORDS].hashed(ask.body.password)
    async with ask.app[ENGINE].begin() as connection:
        await queries.hold_admins(connection)
        alone = not await queries.other_admins(connection, ask.user.login)
        if not await queries.add_user(connection, given | {"password_hash": password_hash, "active": alone}):
            raise Problem(409, "login_taken", "账号已存在", "This login is taken", {"login": "已存在 / taken"})
        await queries.write_audit(connection, ask.user.id, "add_user", given)
        row = await _account(connection, given["login"])
        if not alone:
            await _propose(connection, row, {"active": True}, ask.user)
        return _user(await _account(connection, given["login"]))


@routes.patch("/api/v1/users/{login}", action="manage_users", body=UserChange, path=UserPath, out=User)
async def change_user(ask: Ask[UserChange, None, UserPath]) -> User:
    """Change an account; a new password, new roles or its closing end its sessions

    What gives rights, and whatever changes an administrator's, waits for another one unless there is one alone. To
    close an account takes nobody else.
    """
    login, user = ask.path.login, ask.user
    _known_unit(ask.body.unit)
    changes: dict[str, Any] = ask.body.model_dump(exclude={"password"}, exclude_none=True)
    if "roles" in changes:
        changes["roles"] = sorted(set(changes["roles"]))
    if changes.get("unit") == "":
        changes["unit"] = None
    if ask.body.password:
        changes["password_hash"] = await ask.app[PASSWORDS].hashed(ask.body.password)
    async with ask.app[ENGINE].begin() as connection:
        await queries.hold_admins(connection)
        alone = not await queries.other_admins(connection, user.login)
        row = await _account(connection, login)
        await _check_admins(connection, login, changes)
        guarded = {} if alone else {name: value for name, value in changes.items() if _guarded(row, name, value)}
        at_once = {name: value for name, value in changes.items() if name not in guarded}
        if guarded:
            if row.proposal_id is not None and row.proposal_by != user.login:
                raise Problem(409, "proposed", "已有待复核的改动，请先处理", "Another change waits: decide it first")
            await _propose(connection, row, guarded, user)
        if at_once or not guarded:
            await queries.change_user(connection, login, at_once or {"login": login})
            await queries.write_audit(connection, user.id, "change_user", {"login": login, **_told(at_once)})
        changed = await _account(connection, login)
    if _rights(at_once):
        await ask.app[SESSIONS].close_all(changed.id)
    return _user(changed)


@routes.post("/api/v1/users/{login}/decision", action="manage_users", body=UserDecision, path=UserPath, out=User)
async def decide_user(ask: Ask[UserDecision, None, UserPath]) -> User:
    """Agree to another administrator's change of an account, refuse it, or take back one's own"""
    login, user, state = ask.path.login, ask.user, ask.body.state
    async with ask.app[ENGINE].begin() as connection:
        await queries.hold_admins(connection)
        row = await _account(connection, login)
        if row.proposal_id != ask.body.id:
            raise Problem(409, "decided", "此改动已有结论", "This change has been decided")
        check_second(row.proposal_by, user.login, withdraws=state == "withdrawn")
        change: dict[str, Any] = row.proposal_change
        if state == "agreed":
            await _check_admins(connection, login, change)
            await queries.change_user(connection, login, change)
        await queries.drop_proposal(connection, row.id)
        told = {"login": login, "state": state, "proposed_by": row.proposal_by, **_told(change)}
        await queries.write_audit(connection, user.id, "decide_user", told)
        decided = await _account(connection, login)
    if state == "agreed" and _rights(change):
        await ask.app[SESSIONS].close_all(decided.id)
    return _user(decided)


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
    return User(
        login=row.login,
        name_zh=row.name_zh,
        name_en=row.name_en,
        roles=row.roles,
        active=row.active,
        unit=row.unit,
        proposal=AccountProposal.of(row),
    )


async def _account(connection: AsyncConnection, login: str) -> Row[Any]:
    row = await queries.account(connection, login)
    if row is None:
        raise Problem(404, "no_such_user", "没有此账号", "There is no such account")
    return row


async def _propose(connection: AsyncConnection, row: Row[Any], change: dict[str, Any], person: Person) -> None:
    """Let a change wait for a second administrator, with what the same one has proposed before."""
    await queries.propose(connection, row.id, (row.proposal_change or {}) | change, person.login)
    await queries.write_audit(connection, person.id, "propose_user", {"login": row.login, **_told(change)})


def _guarded(row: Row[Any], name: str, value: object) -> bool:
    """Whether a change of an account takes two: it gives rights, or takes those of an administrator."""
    if name == "active":
        return value is True or "admin" in row.roles
    return name in _RIGHTS


def _rights(change: dict[str, Any]) -> bool:
    """Whether a change ends the account's sessions."""
    return not _RIGHTS.isdisjoint(change)


def _told(change: dict[str, Any]) -> dict[str, Any]:
    """A change as the audit tells it: of a password only that it is new."""
    return {name: value for name, value in change.items() if name != "password_hash"} | (
        {"password": "new"} if "password_hash" in change else {}
    )


def _seat(row: Row[Any]) -> Seat:
    return Seat(number=row.number, active=row.active)


def _no_seat() -> Problem:
    return Problem(404, "no_such_seat", "没有此座席", "There is no such seat")


def _known_unit(unit: str | None) -> None:
    if unit and unit not in DEPARTMENTS and unit not in REGIONS:
        raise Problem(
            422, "not_valid", "有字段不正确", "Some fields are not right", {"unit": "无此单位 / no such unit"}
        )


async def _check_admins(connection: AsyncConnection, login: str, change: dict[str, Any]) -> None:
    """Raise Problem when a change would leave nobody who administers."""
    ends = change.get("active") is False or "admin" not in change.get("roles", ["admin"])
    if ends and not await queries.other_admins(connection, login):
        raise Problem(409, "last_admin", "这是最后一位管理员", "This is the last administrator")


def address_of(request: web.Request) -> str:
    """Where a request comes from. Behind a proxy of ours it is the last address that the proxy saw."""
    peer = request.remote or ""
    if request.app[SETTINGS].public_origin is None:
        return peer
    try:
        return str(ipaddress.ip_address(request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()))
    except ValueError:
        return peer
