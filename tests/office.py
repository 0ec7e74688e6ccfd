"""A running service with every room, its people, and browsers that talk to it over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, ClientSession, CookieJar, web
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine
from yarl import URL

from callcenter.api import ENGINE, SETTINGS
from callcenter.app import make_app
from callcenter.people.demo import DemoAccount, DemoFile, load_demo
from callcenter.people.passwords import Passwords
from callcenter.people.seats import write_seats
from callcenter.settings import Settings
from callcenter.store.engine import make_engine
from callcenter.workorders.routes import LEDGER


def settings_for(home: Path, **more: Any) -> Settings:
    """Settings of a demo that keeps its files below `home`."""
    given: dict[str, Any] = {
        "home": home,
        "demo": True,
        "asterisk_etc": home / "etc",
        "asterisk_log": home / "log",
        "system_name": SecretStr("n1_tests"),
        "seat_key": SecretStr("the tests' own key"),
        "number_key": SecretStr("the tests' other key"),
        "identity_key": SecretStr(f"i1:{'1a' * 32}"),
        "texts_secret": SecretStr("the secret of the gateway of texts"),
        "map_url": "https://map.example.gov.cn/?at={lon},{lat}",
        "try_secret": SecretStr("the tests' own secret"),
    }
    return Settings(**(given | more))


@dataclass
class Browser:
    """One visitor's browser: its cookies, and the headers that our pages send."""

    url: str
    session: ClientSession
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, json: Any = None, **more: Any) -> tuple[int, Any]:
        """Status and parsed answer (None when there is none)."""
        response = await self.send(method, path, json, **more)
        return response.status, await response.json() if response.content_type == "application/json" else None

    async def send(self, method: str, path: str, json: Any = None, **more: Any) -> ClientResponse:
        headers = {"X-Callcenter": "1", "Origin": self.url} | self.headers | more.pop("headers", {})
        response = await self.session.request(method, self.url + path, json=json, headers=headers, **more)
        await response.read()
        return response

    async def log_in(self, login: str, password: str) -> tuple[int, Any]:
        return await self.ask("POST", "/api/v1/session", {"login": login, "password": password})

    def cookie(self) -> str | None:
        found = self.session.cookie_jar.filter_cookies(URL(self.url)).get("callcenter_session")
        return found.value if found is not None and found.value else None


@dataclass
class Office:
    """The service on a port of its own."""

    app: web.Application
    url: str
    demo: DemoFile
    browsers: list[ClientSession]

    @property
    def settings(self) -> Settings:
        return self.app[SETTINGS]

    @property
    def engine(self) -> AsyncEngine:
        return self.app[ENGINE]

    def browser(self) -> Browser:
        self.browsers.append(ClientSession(cookie_jar=CookieJar(unsafe=True)))
        return Browser(self.url, self.browsers[-1])

    def password(self, role: str) -> tuple[str, str]:
        account = next(account for account in self.demo.accounts if account.role == role)
        return account.login, account.password

    async def logged_in(self, role: str) -> Browser:
        """Somebody with the role: of the demo's people, or hired for the tests."""
        if role not in {account.role for account in self.demo.accounts}:
            await self.hire(role)
        browser = self.browser()
        status, answer = await browser.log_in(*self.password(role))
        assert status == 200, answer
        return browser

    async def hire(self, role: str, *, unit: str | None = None) -> DemoAccount:
        """A new account with this role."""
        n = len(self.demo.accounts)
        new = DemoAccount(login=f"hired.{n}", password="a long password", role=role, name=role)
        body = {"login": new.login, "name_zh": role, "name_en": role, "roles": [role], "password": new.password}
        status, _ = await (await self.logged_in("admin")).ask("POST", "/api/v1/users", body | {"unit": unit})
        assert status == 201
        self.demo.accounts.append(new)
        return new


@asynccontextmanager
async def open_office(database_url: str, settings: Settings, *, patience: float = 20.0) -> AsyncIterator[Office]:
    """Start the service with its demo people; its line looks for an Asterisk where `settings` says.

    `patience`: after so many seconds the journal takes what Postgres does not. A busy machine is not an outage.
    """
    settings = settings.model_copy(update={"database_url": SecretStr(database_url)})
    engine = make_engine(database_url)
    await load_demo(engine, settings, Passwords())  # the service does both too, but does not wait for them
    await write_seats(engine, settings)
    await engine.dispose()
    app = make_app(settings)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    app[LEDGER].patience = patience
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    demo = DemoFile.model_validate_json(await asyncio.to_thread((settings.home / "demo.json").read_bytes))
    office = Office(app, f"http://127.0.0.1:{runner.addresses[0][1]}", demo, [])
    try:
        yield office
    finally:
        for session in office.browsers:
            await session.close()
        await runner.cleanup()
