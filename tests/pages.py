"""Real browsers for the tests of the pages: Chromium with a made-up microphone. What its console complains of fails."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect
from stack import Stack

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

expect.set_options(timeout=5_000)


@dataclass
class Visitor:
    """One person's browser, with cookies of its own."""

    stack: Stack
    context: BrowserContext
    #: Complaints that the test expects: part of their text.
    forgiven: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def page(self, path: str) -> Page:
        page = await self.context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        await page.goto(self.stack.url + path)
        return page

    async def log_in(self, login: str, path: str = "/") -> Page:
        """A page at `path`, after this demo person has typed login and password."""
        page = await self.page(f"/login?to={path}")
        await page.fill("#login", login)
        await page.fill("#password", self.password(login))
        await page.keyboard.press("Enter")
        await page.wait_for_url(self.stack.url + path)
        return page

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

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        if not any(each in message.text for each in self.forgiven):
            self.complaints.append(f"{message.type}: {message.text} {message.location.get('url', '')}")


@dataclass
class Visitors:
    """The browsers of one test."""

    stack: Stack
    browser: Browser
    all: list[Visitor] = field(default_factory=list)

    async def new(self, **options: Any) -> Visitor:
        context = await self.browser.new_context(**({"viewport": LAPTOP} | options))
        visitor = Visitor(self.stack, context)
        self.all.append(visitor)
        return visitor


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


@pytest.fixture
async def deaf_chromium() -> AsyncIterator[Browser]:
    """A browser whose microphone is blocked."""
    async for browser in _chromium():
        yield browser


@pytest.fixture
async def visitors(stack: Stack, chromium: Browser) -> AsyncIterator[Visitors]:
    """Browsers; at the end nobody sits any more, and no console has complained."""
    visitors = Visitors(stack, chromium)
    yield visitors
    for visitor in visitors.all:
        await visitor.leave()
        await visitor.context.close()
    complaints = [each for visitor in visitors.all for each in visitor.complaints]
    assert not complaints, "\n".join(complaints)
