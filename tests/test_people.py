"""Accounts, sessions and seats: what must work, and every way in that must stay shut."""

import asyncio
import hashlib
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Postgres
from office import Browser, Office, open_office, settings_for
from ports import free_port
from pydantic import SecretStr
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.people import cli, passwords
from callcenter.people.permissions import ROLES_IN_USE
from callcenter.people.routes import Role
from callcenter.people.seats import seat_secret, write_seats
from callcenter.people.sessions import SESSIONS
from callcenter.people.throttle import PER_ADDRESS, PER_LOGIN, THROTTLE, Throttle
from callcenter.standalone import CannotStart
from callcenter.store.tables import audit, sessions, users

EVIL = (
    "'; DROP TABLE users; --",
    '" OR ""="',
    "admin'/*",
    "<img src=x onerror=alert(1)>",
    "%27%20OR%201=1",
    "=cmd|' /C calc'!A0",
    "${jndi:ldap://x}",
    "\u202e\u2066right to left",
    "𝕬" * 40,
)


async def last_audit(office: Office) -> Any:
    async with office.engine.connect() as connection:
        return (await connection.execute(select(audit).order_by(audit.c.id.desc()).limit(1))).one()


# --- logging in and out -----------------------------------------------------------------------------------------------


async def test_logging_in_says_who_one_is_and_what_one_may(office: Office) -> None:
    browser = office.browser()
    status, me = await browser.log_in(*office.password("operator"))
    assert status == 200
    assert (me["login"], me["name_zh"], me["name_en"]) == ("limei", "李梅", "Li Mei")
    assert me["roles"] == ["operator"]
    assert {"answer_call", "sit", "see_calls"} <= set(me["may"])
    assert not {"manage_users", "see_all_calls"} & set(me["may"])
    assert (await browser.ask("GET", "/api/v1/session")) == (200, me)
    assert (await browser.ask("PATCH", "/api/v1/session", {"language": "en"})) == (200, me | {"language": "en"})
    assert (await browser.ask("GET", "/api/v1/session"))[1]["language"] == "en"
    assert (await browser.ask("PATCH", "/api/v1/session", {"language": "zh"}))[0] == 200


async def test_a_login_is_taken_as_it_is_typed(office: Office) -> None:
    login, password = office.password("operator")
    assert (await office.browser().log_in(f" {login.upper()} ", password))[0] == 200
    assert (await office.browser().log_in(login, password.upper()))[0] == 401


async def test_the_cookie_is_for_our_pages_alone(office: Office) -> None:
    response = await office.browser().send(
        "POST", "/api/v1/session", dict(zip(("login", "password"), office.password("operator"), strict=True))
    )
    cookie = response.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert "max-age=43200" in cookie
    assert "secure" not in cookie  # plain http on loopback


async def test_behind_https_the_cookie_never_travels_in_clear(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.url(await postgres.new_database())
    async with open_office(url, settings_for(tmp_path, public_origin="https://12345.example")) as office:
        browser = office.browser()
        browser.headers["Origin"] = "https://12345.example"
        login, password = office.password("admin")
        response = await browser.send("POST", "/api/v1/session", {"login": login, "password": password})
        assert response.status == 200
        assert "secure" in response.headers["Set-Cookie"].lower()
        assert "max-age" in response.headers["Strict-Transport-Security"]


async def test_the_token_itself_is_stored_nowhere(office: Office) -> None:
    browser = await office.logged_in("operator")
    token = browser.cookie()
    assert token is not None and len(token) >= 43  # 256 bits
    async with office.engine.connect() as connection:
        found = await connection.scalar(
            select(func.count()).where(sessions.c.token_hash == hashlib.sha256(token.encode()).digest())
        )
        assert found == 1
        for table in ("sessions", "users", "audit"):
            dump = await connection.scalar(text(f"SELECT string_agg({table}::text, ' ') FROM {table}"))
            assert token not in (dump or "")


async def test_a_cookie_is_worth_nothing_after_log_out(office: Office) -> None:
    browser = await office.logged_in("operator")
    stolen = browser.cookie()
    assert (await browser.ask("DELETE", "/api/v1/session"))[0] == 204
    assert browser.cookie() is None
    thief = office.browser()
    thief.headers["Cookie"] = f"callcenter_session={stolen}"
    assert (await thief.ask("GET", "/api/v1/session"))[1]["error"]["code"] == "not_logged_in"


async def test_logging_in_always_makes_a_new_session(office: Office) -> None:
    """A token that someone planted, or that was there before, is not the one that is used (fixation)."""
    browser = office.browser()
    browser.headers["Cookie"] = "callcenter_session=planted"
    response = await browser.send(
        "POST", "/api/v1/session", dict(zip(("login", "password"), office.password("operator"), strict=True))
    )
    assert response.cookies["callcenter_session"].value != "planted"
    again = await office.logged_in("operator")
    first = again.cookie()
    assert (await again.log_in(*office.password("operator")))[0] == 200
    assert again.cookie() != first
    old = office.browser()
    old.headers["Cookie"] = f"callcenter_session={first}"
    assert (await old.ask("GET", "/api/v1/session"))[0] == 401


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "a" * 5000, "%00", "'; DROP TABLE sessions; --", "é", '"quoted"'])
async def test_a_made_up_cookie_is_nobody(office: Office, token: str) -> None:
    browser = office.browser()
    browser.headers["Cookie"] = f"callcenter_session={token}"
    assert (await browser.ask("GET", "/api/v1/session"))[0] == 401


async def test_a_session_ends_after_its_hours(office: Office) -> None:
    browser = await office.logged_in("operator")
    token = browser.cookie()
    assert token is not None
    past = datetime.now(UTC) - timedelta(seconds=1)
    async with office.engine.begin() as connection:
        await connection.execute(
            update(sessions)
            .where(sessions.c.token_hash == hashlib.sha256(token.encode()).digest())
            .values(expires_at=past)
        )
    await office.app[SESSIONS].refresh()
    assert (await browser.ask("GET", "/api/v1/session"))[0] == 401


async def test_a_session_ended_elsewhere_is_over_within_two_seconds(own_office: Office) -> None:
    """Another process (the command line) closes the account: the websocket's watch and the next request both see it."""
    browser = await own_office.logged_in("operator")
    token = browser.cookie()
    opened = own_office.app[SESSIONS]
    person = await opened.person(token)
    assert person is not None
    watch = asyncio.create_task(opened.ended(person))
    async with own_office.engine.begin() as connection:
        await connection.execute(update(users).where(users.c.login == person.login).values(active=False))
    began = time.monotonic()
    await asyncio.wait_for(watch, 20)
    assert time.monotonic() - began < 5
    assert (await browser.ask("GET", "/api/v1/session"))[0] == 401
    # A watch on a session that is over already returns at once.
    await asyncio.wait_for(opened.ended(person), 10)


async def test_who_is_logged_in_works_on_while_postgres_is_away(own_postgres: Postgres, tmp_path: Path) -> None:
    url = own_postgres.url(await own_postgres.new_database())
    async with open_office(url, settings_for(tmp_path)) as office:
        browser = await office.logged_in("operator")
        assert (await browser.ask("GET", "/api/v1/session"))[0] == 200
        await own_postgres.stop()
        await asyncio.sleep(2.5)  # the keeper looks in vain
        assert (await browser.ask("GET", "/api/v1/session"))[0] == 200
        status, answer = await office.browser().log_in(*office.password("admin"))
        assert (status, answer["error"]["code"]) == (503, "database_away")
        unknown = office.browser()
        unknown.headers["Cookie"] = "callcenter_session=" + "a" * 43
        assert (await unknown.ask("GET", "/api/v1/session"))[0] == 503
        await own_postgres.start()
        assert (await office.browser().log_in(*office.password("admin")))[0] == 200
        # Silence is worse than an error: the answer comes all the same, and in time.
        own_postgres.freeze()
        try:
            began = time.monotonic()
            assert (await browser.ask("GET", "/api/v1/session"))[0] == 200
            assert (await unknown.ask("GET", "/api/v1/session"))[0] == 503
            assert time.monotonic() - began < 6
        finally:
            own_postgres.thaw()


# --- guessing ---------------------------------------------------------------------------------------------------------


async def test_guessing_is_slowed_and_locks_nobody_out(own_office: Office) -> None:
    login, password = own_office.password("supervisor")
    guesser = own_office.browser()
    seen = [(await guesser.log_in(login, f"guess {n}"))[0] for n in range(10)]
    assert seen == [401] * PER_LOGIN.amount + [429] * (10 - PER_LOGIN.amount)
    # From here even the right password must wait; from another address the account's owner gets in.
    assert (await guesser.log_in(login, password))[0] == 429
    assert await own_office.app[THROTTLE].admit(login, "10.0.0.2")
    # Other accounts are not touched.
    assert (await own_office.logged_in("admin")).cookie()


async def test_an_address_that_guesses_many_logins_is_stopped() -> None:
    throttle = Throttle()
    for n in range(PER_ADDRESS.amount):
        assert await throttle.admit(f"login{n}", "10.0.0.1")
        await throttle.wrong("10.0.0.1")
    assert not await throttle.admit("another", "10.0.0.1")
    assert await throttle.admit("another", "10.0.0.2")


async def test_guesses_at_once_are_all_counted(own_office: Office) -> None:
    login, _ = own_office.password("supervisor")
    browsers = [own_office.browser() for _ in range(30)]
    seen = await asyncio.gather(*(browser.log_in(login, "guess") for browser in browsers))
    assert sum(status == 401 for status, _ in seen) == PER_LOGIN.amount


async def test_a_right_password_clears_the_count(own_office: Office) -> None:
    login, password = own_office.password("supervisor")
    browser = own_office.browser()
    for _ in range(2):
        for _ in range(PER_LOGIN.amount - 1):
            assert (await browser.log_in(login, "guess"))[0] == 401
        assert (await browser.log_in(login, password))[0] == 200


@pytest.mark.usefixtures("costly_passwords")
async def test_an_unknown_login_cannot_be_told_from_a_wrong_password(own_office: Office) -> None:
    admin = await own_office.logged_in("admin")
    for login, change in (("limei", {}), ("chenjing", {"active": False})):
        change |= {"password": "as costly as any"}
        assert (await admin.ask("PATCH", f"/api/v1/users/{login}", change))[0] == 200
    times: dict[str, list[float]] = {"limei": [], "nosuchlogin": [], "chenjing": []}
    answers = set()
    for _ in range(5):
        for login, taken in times.items():
            browser = own_office.browser()
            began = time.process_time()
            status, answer = await browser.log_in(login, "wrong password")
            taken.append(time.process_time() - began)
            answers.add((status, str(answer)))
    assert len(answers) == 1
    # Work done, not time on the clock: the machine may be busy with other things.
    best = {login: min(taken) for login, taken in times.items()}
    assert max(best.values()) - min(best.values()) < 0.5 * statistics.mean(best.values())
    assert min(best.values()) > 0.02


@pytest.mark.usefixtures("costly_passwords")
def test_the_stand_in_hash_costs_what_a_real_one_does() -> None:
    assert not passwords._hasher.check_needs_rehash(passwords._NOBODY)
    assert passwords._NOBODY.startswith("$argon2id$")


@pytest.mark.usefixtures("costly_passwords")
async def test_passwords_are_checked_two_at_a_time() -> None:
    checker = passwords.Passwords()
    real = await checker.hashed("correct horse")
    assert await asyncio.gather(*(checker.fit(word, real) for word in ("correct horse", "wrong", ""))) == [
        True,
        False,
        False,
    ]
    assert not await checker.fit("anything", None)
    assert not await checker.fit("anything", "no hash at all")
    ticks = 0
    work = asyncio.gather(*(checker.fit("wrong", real) for _ in range(4)))
    while not work.done():
        await asyncio.sleep(0.005)
        ticks += 1
    assert ticks > 10  # the loop ran on meanwhile


def test_generated_passwords_are_long_and_never_the_same() -> None:
    made = {passwords.generated() for _ in range(200)}
    assert len(made) == 200
    assert all(len(word) == 19 and len(word) >= passwords.MIN_LENGTH for word in made)


# --- accounts ---------------------------------------------------------------------------------------------------------

NEW = {
    "login": "he.xin",
    "name_zh": "何欣",
    "name_en": "He Xin",
    "roles": ["operator", "supervisor"],
    "password": "a long password",
    "unit": "D29",
}


async def test_an_account_from_its_making_to_its_closing(own_office: Office) -> None:
    admin = await own_office.logged_in("admin")
    shown = {key: value for key, value in NEW.items() if key != "password"} | {"active": True, "proposal": None}
    assert await admin.ask("POST", "/api/v1/users", NEW) == (201, shown)
    assert (await last_audit(own_office)).what == {
        key: shown[key] for key in ("login", "name_zh", "name_en", "roles", "unit")
    }
    status, answer = await admin.ask("POST", "/api/v1/users", NEW)
    assert (status, answer["error"]["code"]) == (409, "login_taken")
    listed = (await admin.ask("GET", "/api/v1/users"))[1]["items"]
    assert shown in listed
    assert all("password" not in str(account) for account in listed)

    agent = own_office.browser()
    assert (await agent.log_in("he.xin", "a long password"))[1]["roles"] == ["operator", "supervisor"]
    # A new name is seen at once by the session; new roles and passwords end it.
    assert (await admin.ask("PATCH", "/api/v1/users/he.xin", {"name_zh": "何馨"}))[1]["name_zh"] == "何馨"
    await own_office.app[SESSIONS].refresh()
    assert (await agent.ask("GET", "/api/v1/session"))[1]["name_zh"] == "何馨"
    for change in ({"roles": ["operator"]}, {"password": "another password"}, {"active": False}):
        assert (await agent.ask("GET", "/api/v1/session"))[0] == 200
        assert (await admin.ask("PATCH", "/api/v1/users/he.xin", change))[0] == 200
        assert (await agent.ask("GET", "/api/v1/session"))[0] == 401
        entry = await last_audit(own_office)
        assert entry.act == "change_user"
        assert "another password" not in str(entry.what)
        await agent.log_in("he.xin", "another password" if "roles" not in change else "a long password")
    assert (await agent.ask("GET", "/api/v1/session"))[0] == 401  # closed accounts do not get in
    assert (await admin.ask("PATCH", "/api/v1/users/nobody", {"active": True}))[1]["error"]["code"] == "no_such_user"
    assert (await admin.ask("PATCH", "/api/v1/users/he.xin", {}))[0] == 200


async def test_who_works_for_a_unit_is_moved_and_taken_out_of_it(own_office: Office) -> None:
    admin = await own_office.logged_in("admin")
    assert (await admin.ask("POST", "/api/v1/users", NEW | {"roles": ["liaison"]}))[1]["unit"] == "D29"
    agent = own_office.browser()
    await agent.log_in("he.xin", "a long password")
    assert (await admin.ask("PATCH", "/api/v1/users/he.xin", {"unit": "R01"}))[1]["unit"] == "R01"
    assert (await agent.ask("GET", "/api/v1/session"))[0] == 401, "whose orders one sees is decided at the login"
    refused = await admin.ask("PATCH", "/api/v1/users/he.xin", {"unit": "D99"})
    assert (refused[0], set(refused[1]["error"]["fields"])) == (422, {"unit"})
    assert (await admin.ask("PATCH", "/api/v1/users/he.xin", {"unit": ""}))[1]["unit"] is None
    assert (await last_audit(own_office)).what == {"login": "he.xin", "unit": None}


async def test_the_last_administrator_stays(own_office: Office) -> None:
    admin = await own_office.logged_in("admin")
    login, _ = own_office.password("admin")
    for change in ({"active": False}, {"roles": ["operator"]}):
        status, answer = await admin.ask("PATCH", f"/api/v1/users/{login}", change)
        assert (status, answer["error"]["code"]) == (409, "last_admin")
    assert (await admin.ask("PATCH", "/api/v1/users/limei", {"active": False}))[0] == 200


async def test_from_the_second_administrator_on_it_takes_two(own_office: Office) -> None:
    admin = await own_office.logged_in("admin")
    login, _ = own_office.password("admin")
    other_admin = NEW | {"login": "he.xin", "roles": ["admin"], "unit": None}
    assert (await admin.ask("POST", "/api/v1/users", other_admin))[1]["active"], "the only one is alone"
    other = own_office.browser()
    assert (await other.log_in("he.xin", "a long password"))[0] == 200

    async def change(who: Browser, account: str, given: dict[str, Any]) -> dict[str, Any]:
        status, told = await who.ask("PATCH", f"/api/v1/users/{account}", given)
        assert status == 200, told
        return dict(told)

    async def decide(who: Browser, account: str, seen: dict[str, Any], state: str) -> tuple[int, Any]:
        body = {"id": seen["proposal"]["id"], "state": state}
        return await who.ask("POST", f"/api/v1/users/{account}/decision", body)

    # A new account is closed, and nobody gets in, until the other one agrees.
    guard = NEW | {"login": "fangli2", "roles": ["dispatcher"], "unit": None}
    status, made = await admin.ask("POST", "/api/v1/users", guard)
    assert (status, made["active"], made["proposal"]["active"], made["proposal"]["by"]) == (201, False, True, login)
    newcomer = own_office.browser()
    assert (await newcomer.log_in("fangli2", "a long password"))[0] == 401
    for who, state, code in ((admin, "agreed", "second_person"), (other, "withdrawn", "not_yours")):
        status, refused = await decide(who, "fangli2", made, state)
        assert (status, refused["error"]["code"]) == (403, code)
    assert (await decide(other, "fangli2", made, "agreed"))[1]["active"]
    assert (await last_audit(own_office)).what == {
        "login": "fangli2",
        "state": "agreed",
        "proposed_by": login,
        "active": True,
    }
    assert (await decide(other, "fangli2", made, "agreed"))[1]["error"]["code"] == "decided"
    assert (await newcomer.log_in("fangli2", "a long password"))[0] == 200

    # Rights, unit and password wait; a name does not; the second one sees what waits and no password.
    mixed = {"name_zh": "方丽二", "roles": ["liaison"], "unit": "D29", "password": "another password"}
    seen = await change(admin, "fangli2", mixed)
    assert (seen["name_zh"], seen["roles"], seen["unit"]) == ("方丽二", ["dispatcher"], None)
    waits = {key: seen["proposal"][key] for key in ("roles", "unit", "active", "password")}
    assert waits == {"roles": ["liaison"], "unit": "D29", "active": None, "password": True}
    listed = {each["login"]: each for each in (await other.ask("GET", "/api/v1/users"))[1]["items"]}
    assert listed["fangli2"] == seen and "hash" not in str(listed)
    status, refused = await other.ask("PATCH", "/api/v1/users/fangli2", {"unit": "D10"})
    assert (status, refused["error"]["code"]) == (409, "proposed")
    assert (await newcomer.ask("GET", "/api/v1/session"))[0] == 200, "nothing has changed yet"
    # Who has proposed it says more, which is another proposal: what was seen before is decided no longer.
    more = await change(admin, "fangli2", {"unit": ""})
    assert (more["proposal"]["unit"], more["proposal"]["roles"]) == ("", ["liaison"])
    assert (await decide(other, "fangli2", seen, "agreed"))[0] == 409
    decided = await decide(other, "fangli2", more, "agreed")
    assert (decided[1]["roles"], decided[1]["unit"], decided[1]["proposal"]) == (["liaison"], None, None)
    assert (await newcomer.ask("GET", "/api/v1/session"))[0] == 401
    assert (await newcomer.log_in("fangli2", "another password"))[0] == 200

    # One alone closes an account, but not an administrator's; refused and taken back leave it as it is.
    assert not (await change(admin, "fangli2", {"active": False}))["active"]
    for who, state in ((other, "refused"), (admin, "withdrawn")):
        seen = await change(admin, "he.xin", {"active": False})
        assert seen["active"] and seen["proposal"]["active"] is False
        kept = (await decide(who, "he.xin", seen, state))[1]
        assert kept["active"] and kept["proposal"] is None
    seen = await change(other, login, {"roles": ["operator"]})
    assert (await decide(admin, login, seen, "agreed"))[0] == 200
    # The only one left is alone again.
    assert (await change(other, "fangli2", {"active": True}))["active"]
    status, refused = await other.ask("PATCH", "/api/v1/users/he.xin", {"active": False})
    assert (status, refused["error"]["code"]) == (409, "last_admin")


async def test_nobody_raises_themselves(office: Office) -> None:
    """Mass assignment and other people's routes (S13)."""
    agent = await office.logged_in("operator")
    for more in ({"roles": ["admin"]}, {"active": True}, {"login": "zhoukai"}, {"id": 1}):
        assert (await agent.ask("PATCH", "/api/v1/session", {"language": "zh"} | more))[0] == 422
    login = office.password("operator")[0]
    assert (await agent.ask("PATCH", f"/api/v1/users/{login}", {"roles": ["admin"]}))[0] == 403
    admin = await office.logged_in("admin")
    for more in ({"id": 1}, {"password_hash": "x"}, {"created_at": "2026-01-01T00:00:00Z"}, {"roles": ["root"]}):
        assert (await admin.ask("POST", "/api/v1/users", NEW | more))[0] == 422


@pytest.mark.parametrize("evil", EVIL, ids=range(len(EVIL)))
async def test_hostile_text_is_text(office: Office, evil: str) -> None:
    admin = await office.logged_in("admin")
    assert (await office.browser().log_in(evil, evil))[0] == 401
    assert (await admin.ask("POST", "/api/v1/users", NEW | {"login": evil}))[0] == 422
    status, account = await admin.ask("PATCH", "/api/v1/users/zhaolei", {"name_zh": evil, "name_en": evil})
    assert (status, account["name_zh"], account["name_en"]) == (200, evil, evil)
    assert (await admin.ask("POST", "/api/v1/seats", {"number": evil}))[0] == 422


@pytest.mark.parametrize(
    "change",
    [
        {"name_zh": "two\nlines"},
        {"name_zh": "nul\x00"},
        {"name_zh": "tab\t"},
        {"name_zh": ""},
        {"name_zh": "长" * 41},
        {"password": "short"},
        {"password": "x" * 129},
        {"roles": []},
        {"roles": ["operator"] * 4},
        {"login": "Upper"},
        {"login": "1digit"},
        {"login": "a"},
        {"login": "a" * 33},
        {"login": "limei\n"},
    ],
    ids=str,
)
async def test_an_account_must_be_well_formed(office: Office, change: dict[str, Any]) -> None:
    admin = await office.logged_in("admin")
    status, answer = await admin.ask("POST", "/api/v1/users", NEW | {"login": "new.one"} | change)
    assert (status, answer["error"]["code"]) == (422, "not_valid")


def test_the_roles_of_the_api_are_those_in_use() -> None:
    assert Role.__args__ == ROLES_IN_USE  # type: ignore[attr-defined]


# --- seats ------------------------------------------------------------------------------------------------------------


def seats_file(office: Office) -> str:
    return (office.settings.asterisk_etc / "seats.conf").read_text()


async def test_a_seat_from_its_making_to_its_closing(own_office: Office) -> None:
    admin = await own_office.logged_in("admin")
    assert "[1001]" in seats_file(own_office)
    assert "[1001w]" in seats_file(own_office)
    assert "[2001]" not in seats_file(own_office)
    assert await admin.ask("POST", "/api/v1/seats", {"number": "2001"}) == (201, {"number": "2001", "active": True})
    assert "[2001]" in seats_file(own_office)
    assert (await admin.ask("POST", "/api/v1/seats", {"number": "2001"}))[1]["error"]["code"] == "seat_exists"
    numbers = [seat["number"] for seat in (await admin.ask("GET", "/api/v1/seats"))[1]["items"]]
    assert numbers == [*(str(n) for n in range(1001, 1009)), "2001"]

    status, shown = await admin.ask("POST", "/api/v1/seats/2001/secret")
    assert (status, shown["number"], len(shown["secret"])) == (200, "2001", 26)
    entry = await last_audit(own_office)
    assert (entry.act, entry.what) == ("show_seat_secret", {"number": "2001"})
    assert await admin.ask("POST", "/api/v1/seats/2001/secret") == (200, shown)  # showing changes nothing
    assert (await admin.ask("PATCH", "/api/v1/seats/2001", {"new_secret": True}))[0] == 200
    assert (await admin.ask("POST", "/api/v1/seats/2001/secret"))[1]["secret"] != shown["secret"]

    assert await admin.ask("PATCH", "/api/v1/seats/2001", {"active": False}) == (
        200,
        {"number": "2001", "active": False},
    )
    assert "[2001]" not in seats_file(own_office)
    assert (await admin.ask("PATCH", "/api/v1/seats/9999", {"active": True}))[1]["error"]["code"] == "no_such_seat"
    assert (await admin.ask("POST", "/api/v1/seats/9999/secret"))[1]["error"]["code"] == "no_such_seat"


async def test_the_seats_file_holds_digests_and_is_ours_alone(office: Office) -> None:
    file = office.settings.asterisk_etc / "seats.conf"
    assert file.stat().st_mode & 0o777 == 0o600
    conf = file.read_text()
    for seat in office.demo.seats:
        assert seat.secret not in conf
        digest = hashlib.md5(f"{seat.number}w:asterisk:{seat.secret}".encode()).hexdigest()
        assert digest in conf


async def test_the_seats_file_is_left_alone_when_nothing_changed(office: Office, tmp_path: Path) -> None:
    settings = office.settings.model_copy(update={"asterisk_etc": tmp_path / "new"})
    file = tmp_path / "new" / "seats.conf"
    written = await asyncio.gather(*(write_seats(office.engine, settings) for _ in range(5)))
    assert sum(written) == 1
    assert "[1008w]" in file.read_text()
    before = file.stat().st_mtime_ns
    assert not await write_seats(office.engine, settings)
    assert file.stat().st_mtime_ns == before


def test_a_secret_follows_from_key_number_and_version() -> None:
    secret = seat_secret("key", "1001", 1)
    assert secret == seat_secret("key", "1001", 1)
    assert len(secret) == 26 and secret.isalnum()
    others = {seat_secret("other", "1001", 1), seat_secret("key", "1002", 1), seat_secret("key", "1001", 2)}
    assert len(others | {secret}) == 4


# --- the demo ---------------------------------------------------------------------------------------------------------


async def test_the_demos_people_are_made_once(database_url: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    async with open_office(database_url, settings) as office:
        first = office.demo
        roles = [account.role for account in first.accounts]
        assert roles[:8] == ["operator"] * 4 + ["inspector", "expert", "supervisor", "admin"]
        assert [seat.number for seat in first.seats] == [str(n) for n in range(1001, 1009)]
        assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600
        admin = await office.logged_in("admin")
        assert (await admin.ask("PATCH", "/api/v1/users/limei", {"password": "changed by hand"}))[0] == 200
        assert (await admin.ask("PATCH", "/api/v1/seats/1001", {"new_secret": True}))[0] == 200
        assert (await admin.ask("PATCH", "/api/v1/seats/1008", {"active": False}))[0] == 200
    async with open_office(database_url, settings) as office:
        assert office.demo.accounts == first.accounts
        assert (await office.browser().log_in("limei", "changed by hand"))[0] == 200
        assert office.demo.seats[0].secret != first.seats[0].secret
        assert office.demo.seats[1:] == first.seats[1:-1]


async def test_a_start_that_was_cut_off_leaves_no_unknown_password(
    database_url: str, engine: AsyncEngine, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path)
    async with open_office(database_url, settings) as office:
        told = office.demo
    async with engine.begin() as connection:  # as if the file had been written, and the accounts not committed
        await connection.execute(text("SET LOCAL session_replication_role = replica"))  # the audit refuses it
        await connection.execute(text("TRUNCATE users, sessions, seats, audit, audit_unsealed CASCADE"))
    async with open_office(database_url, settings) as office:
        assert office.demo == told
        assert (await office.logged_in("operator")).cookie()


async def test_the_demo_touches_no_real_accounts(database_url: str, engine: AsyncEngine, tmp_path: Path) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            users.insert().values(
                login="limei", name_zh="真", name_en="Real", roles=["admin"], password_hash="kept as it is"
            )
        )
    async with open_office(database_url, settings_for(tmp_path)) as office:
        assert office.demo.accounts == []
        async with engine.connect() as connection:
            assert (await connection.scalars(select(users.c.password_hash))).all() == ["kept as it is"]


async def test_trying_is_for_the_demo_alone(own_office: Office) -> None:
    status, trial = await own_office.browser().ask("POST", "/api/v1/try")
    assert status == 200
    assert (trial["user"], trial["uri"], trial["password"]) == ("try", "sip:try@127.0.0.1", "the tests' own secret")
    assert trial["numbers"][0] == {"number": "12345", "name_zh": "政务服务便民热线", "name_en": "Unified hotline"}
    own_office.settings.trunk_address = "192.0.2.1"
    assert (await own_office.browser().ask("GET", "/api/v1/about"))[1]["calls_leave"] is True
    own_office.settings.demo = False
    assert (await own_office.browser().ask("POST", "/api/v1/try"))[0] == 404


async def test_about_is_for_everyone(office: Office) -> None:
    status, about = await office.browser().ask("GET", "/api/v1/about")
    assert status == 200
    assert about["calls_leave"] is False
    assert (about["demo"], about["time_zone"], about["hotline"]) == (True, "Asia/Shanghai", "12345")
    assert datetime.fromisoformat(about["now"]).tzinfo == UTC
    assert about["now"].endswith("Z") and len(about["now"]) == 24


# --- the command line -------------------------------------------------------------------------------------------------


async def command(url: str, *words: str, typed: str = "") -> tuple[int, str]:
    """Run `callcenter ...` on this database; exit code and all that it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "callcenter.cli", *words),
        env=os.environ | {"CALLCENTER_DATABASE_URL": url},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(typed.encode()), 60)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_the_first_administrator_comes_by_the_command_line(own_office: Office, postgres: Postgres) -> None:
    assert own_office.settings.database_url is not None
    url = own_office.settings.database_url.get_secret_value()
    code, said = await command(url, "user", "add", "root.admin", "--role", "admin", "--name-zh", "管理员")
    assert code == 0
    login, _, password = said.strip().partition(": ")
    browser = own_office.browser()
    assert (await browser.log_in(login, password))[1]["name_zh"] == "管理员"
    assert await command(url, "user", "add", "second", "--role", "operator", typed="typed password\n") == (
        0,
        "second: added\n",
    )
    assert (await own_office.browser().log_in("second", "typed password"))[0] == 200
    assert await command(url, "seat", "add", "3001") == (0, "3001: added\n")
    assert (await last_audit(own_office)).what == {"number": "3001"}
    async with asyncio.timeout(10):
        while "[3001]" not in seats_file(own_office):
            await asyncio.sleep(0.2)
    assert await command(url, "user", "close", "root.admin") == (0, "root.admin: closed\n")
    async with asyncio.timeout(20):
        while (await browser.ask("GET", "/api/v1/session"))[0] != 401:
            await asyncio.sleep(0.2)


async def test_the_command_line_refuses_in_one_line(database_url: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, database_url=SecretStr(database_url))
    away = settings_for(tmp_path, database_url=SecretStr(f"postgresql://x:y@127.0.0.1:{free_port()}/x"))
    refusals: list[tuple[Callable[..., None], tuple[Any, ...], str]] = [
        (cli.add_user, (settings, "Upper", ["admin"], "", ""), "login: String should match pattern"),
        (cli.add_user, (settings, "someone", ["king"], "", ""), "--role: Input should be 'operator'"),
        (cli.close_user, (settings, "someone"), "there is no account someone"),
        (cli.add_seat, (settings, "12345"), "seat number: String should"),
        (cli.add_seat, (away, "3001"), "CALLCENTER_DATABASE_URL"),
        (cli.add_seat, (settings_for(tmp_path), "3001"), "CALLCENTER_DATABASE_URL"),
    ]
    for command_, given, line in refusals:
        with pytest.raises(CannotStart) as refused:
            await asyncio.to_thread(command_, *given)
        assert line in str(refused.value)
        assert "\n" not in str(refused.value)
    assert await command(database_url, "user", "close", "someone") == (2, "callcenter: there is no account someone\n")
