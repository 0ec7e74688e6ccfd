"""Real browsers for the tests of the pages: Chromium with a made-up microphone. What its console complains of fails."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from office import Browser as Desk
from office import Office
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    WebError,
    async_playwright,
    expect,
)
from stack import PATIENCE, Stack

#: Nothing of this browser calls home, and it runs as root too.
QUIET = (
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
#: A microphone that hums, and nobody to be asked for it.
MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
LAPTOP = {"width": 1366, "height": 768}

expect.set_options(timeout=PATIENCE * 1000)


@dataclass
class Visitor:
    """One person's browser, with cookies of its own."""

    stack: Stack
    context: BrowserContext
    options: dict[str, Any] = field(default_factory=dict)
    #: A page that shows nothing any more: a new one costs a second of processor.
    spare: Page | None = None
    #: Complaints that the test expects: part of their text.
    forgiven: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.on("console", self._heard)
        self.context.on("weberror", self._failed)

    async def page(self, path: str) -> Page:
        page, self.spare = self.spare or await self.context.new_page(), None
        await page.goto(self.stack.url + path)
        return page

    async def log_in(self, login: str, path: str = "/") -> Page:
        """A page at `path` of this demo person, who has logged in before."""
        jar = (await self.stack.browser(login)).session.cookie_jar
        cookies: list[Any] = [{"name": each.key, "value": each.value, "url": self.stack.url} for each in jar]
        await self.context.add_cookies(cookies)
        return await self.page(path)

    def password(self, login: str) -> str:
        found: str = next(each["password"] for each in self.stack.told["demo_accounts"] if each["login"] == login)
        return found

    async def sit(self, login: str, seat: str) -> Page:
        """The desk of a person who has taken the seat with the browser's phone and is ready."""
        page = await self.log_in(login, "/desk")
        await page.select_option("#seat", seat)
        await page.click("form.take button.main")
        await expect(page.locator("[data-seat-state]")).to_have_attribute("data-state", "break")
        await expect(page.get_by_text("已注册")).to_be_attached()
        await page.keyboard.press("Alt+r")
        await expect(page.locator("[data-seat-state]")).to_have_attribute("data-state", "ready")
        return page

    async def leave(self) -> None:
        """Hang up and stand up, by the service, whatever the page shows."""
        headers = {"X-Callcenter": "1", "Origin": self.stack.url}
        for _ in range(30):
            await self.context.request.post(self.stack.url + "/api/v1/desk/hangup", headers=headers)
            await self.context.request.delete(self.stack.url + "/api/v1/desk/seat", headers=headers)
            answer = await self.context.request.get(self.stack.url + "/api/v1/desk", headers=headers)
            if answer.status != 200 or (await answer.json())["seat"] is None:
                return
            await asyncio.sleep(0.2)
        raise AssertionError("the seat cannot be left")

    async def go(self) -> Page | None:
        """Forget everything; the page that is left may be given to the next visitor."""
        self.context.remove_listener("console", self._heard)
        self.context.remove_listener("weberror", self._failed)
        if not self.context.pages:
            return None
        page, *others = self.context.pages
        for other in others:
            await other.close()
        page.on("dialog", _agree)  # who leaves unsaved words is asked
        await page.goto("about:blank")
        page.remove_listener("dialog", _agree)
        await page.unroute_all()
        # What the page keeps it writes as it is left: only then can it be thrown away.
        await page.goto(self.stack.url + "/healthz")
        await page.evaluate("localStorage.clear(); sessionStorage.clear()")
        await page.set_viewport_size(self.options["viewport"])
        await page.emulate_media(
            color_scheme=self.options.get("color_scheme", "light"), reduced_motion=self.options["reduced_motion"]
        )
        await self.context.clear_cookies()
        return page

    def _failed(self, error: WebError) -> None:
        self.complaints.append(f"error: {error.error}")

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        if not any(each in message.text for each in self.forgiven):
            self.complaints.append(f"{message.type}: {message.text} {message.location.get('url', '')}")


async def _agree(dialog: Dialog) -> None:
    await dialog.accept()


#: Pages of earlier visitors, by the options of their browser.
Kept = dict[str, list[Page]]


@dataclass
class Visitors:
    """The browsers of one test."""

    stack: Stack
    browser: Browser
    kept: Kept
    all: list[Visitor] = field(default_factory=list)
    _own: list[Visitor] = field(default_factory=list)

    async def new(self, *, own: bool = False, **options: Any) -> Visitor:
        """A visitor without a past, to whom nothing moves. `own`: for a test that listens to the page or breaks it."""
        options = {"viewport": LAPTOP, "reduced_motion": "reduce"} | options
        used = None if own else next(iter(self.kept.get(repr(options), [])), None)
        if used:
            self.kept[repr(options)].remove(used)
        context = used.context if used else await self.browser.new_context(**options)
        visitor = Visitor(self.stack, context, options, used)
        self.all.append(visitor)
        if own:
            self._own.append(visitor)
        return visitor

    async def end(self) -> None:
        """All go; what a console complained of fails the test."""
        for visitor in self.all:
            page = await visitor.go() if visitor not in self._own else None
            if page:
                self.kept.setdefault(repr(visitor.options), []).append(page)
            else:
                await visitor.context.close()
        complaints = [each for visitor in self.all for each in visitor.complaints]
        assert not complaints, "\n".join(complaints)


async def _chromium(*more: str) -> AsyncIterator[Browser]:
    program = shutil.which("chromium")
    assert program, "chromium is not installed: make test says how"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=[*QUIET, *more])
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async for browser in _chromium(*MICROPHONE):
        yield browser


@pytest.fixture(scope="session")
def kept() -> Kept:
    return {}


@pytest.fixture
async def deaf_chromium() -> AsyncIterator[Browser]:
    """A browser whose microphone is blocked."""
    async for browser in _chromium():
        yield browser


class Front:
    """The service alone, without a telephone, as browsers see it."""

    def __init__(self, office: Office) -> None:
        self.office, self.url = office, office.url
        self.told: Any = {"demo_accounts": [account.model_dump() for account in office.demo.accounts]}

    async def browser(self, login: str) -> Desk:
        """A browser in which this person is logged in."""
        account = next(each for each in self.office.demo.accounts if each.login == login)
        browser = self.office.browser()
        assert (await browser.log_in(login, account.password))[0] == 200
        return browser


@pytest.fixture
async def at_office(office: Office, chromium: Browser, kept: Kept) -> AsyncIterator[Visitors]:
    """Browsers in front of the service alone; at the end no console has complained."""
    front: Any = Front(office)
    visitors = Visitors(front, chromium, kept)
    yield visitors
    await visitors.end()


@pytest.fixture
async def visitors(stack: Stack, chromium: Browser, kept: Kept) -> AsyncIterator[Visitors]:
    """Browsers; at the end nobody sits any more, and no console has complained."""
    visitors = Visitors(stack, chromium, kept)
    yield visitors
    for visitor in visitors.all:
        await visitor.leave()
    await visitors.end()
