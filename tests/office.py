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

from callcenter.api import ENGINE, SETTINGS, mount
from callcenter.directory.routes import routes as directory
from callcenter.door import new_application
from callcenter.openapi import routes as openapi
from callcenter.pages import FILES, built
from callcenter.pages import routes as pages
from callcenter.people.demo import DemoFile, load_demo
from callcenter.people.passwords import PASSWORDS
from callcenter.people.routes import routes as people
from callcenter.people.seats import write_seats
from callcenter.settings import Settings


def settings_for(home: Path, **more: Any) -> Settings:
    """Settings of a demo that keeps its files below `home`."""
    given: dict[str, Any] = {
        "home": home,
        "demo": True,
        "asterisk_etc": home / "etc",
        "seat_key": SecretStr("the tests' own key"),
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
        browser = self.browser()
        status, _ = await browser.log_in(*self.password(role))
        assert status == 200
        return browser


@asynccontextmanager
async def open_office(engine: AsyncEngine, settings: Settings) -> AsyncIterator[Office]:
    """Start the service with its demo people."""
    app = new_application(settings, engine)
    app[FILES] = built()
    mount(app, openapi, people, directory, pages)
    await load_demo(engine, settings, app[PASSWORDS])
    await write_seats(engine, settings)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    demo = DemoFile.model_validate_json(await asyncio.to_thread((settings.home / "demo.json").read_bytes))
    office = Office(app, address, demo, [])
    try:
        yield office
    finally:
        for session in office.browsers:
            await session.close()
        await runner.cleanup()
