"""A wallboard of a big floor: from an event's time stamp in Asterisk to the painted page, in a real browser.

Every seat has a phone and a person; most are on a break, so that callers wait, and the few who work take one call after
the other. Measured is the answer of a call: from Asterisk's stamp on it until the seat is painted as talking.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from playwright.async_api import async_playwright

from agents.seats import Phone
from bench.figures import Figure, spread
from bench.instance import Desk, Instance, calls, manager, running, staffed
from bench.pop import CHROMIUM, hear
from callcenter.asterisk import actions
from callcenter.asterisk.facts import Fact, PickedUp, phone_of

WARM_UP: Final = 20.0  # seconds, in which those who wait call
WORKING: Final = 16
RATE: Final = 2.0  # calls a second

#: Tells when a seat is painted as talking: the frame after the one in which it came to stand there.
_WATCH: Final = """
() => {
  let before = new Set()
  new MutationObserver(() => {
    const talking = new Set([...document.querySelectorAll('li.s-talking[title]')].map((seat) => seat.title))
    const fresh = [...talking].filter((seat) => !before.has(seat))
    before = talking
    if (!fresh.length) return
    requestAnimationFrame(() => {
      const channel = new MessageChannel()
      channel.port1.onmessage = () => window.painted(fresh, performance.timeOrigin + performance.now())
      channel.port2.postMessage(null)
    })
  }).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ['class'] })
}
"""


class Answers:
    """Answers heard from Asterisk, and how long each took until it was painted. Milliseconds."""

    def __init__(self) -> None:
        self.open: dict[str, float] = {}  # seat -> when its call was answered, since the epoch
        self.painted: list[tuple[float, float]] = []  # when answered, and how long until painted

    def take(self, fact: Fact) -> None:
        if isinstance(fact, PickedUp) and (seat := phone_of(fact.channel)):
            self.open[seat[0]] = fact.at.timestamp() * 1000

    async def see(self, _: Any, seats: list[str], at: float) -> None:
        self.painted += [(was, at - was) for seat in seats if (was := self.open.pop(seat, None)) is not None]


async def run(seats: int, waiting: int, seconds: float) -> list[Figure]:
    """A floor of so many seats with so many callers waiting, watched for so long."""
    answers = Answers()
    async with AsyncExitStack() as stack:
        instance = await stack.enter_async_context(running())
        desks = await stack.enter_async_context(staffed(instance, seats))
        await _split(instance, desks)
        await stack.enter_async_context(_wall(instance, answers))
        tasks = [
            asyncio.ensure_future(hear(instance, answers.take)),
            asyncio.ensure_future(calls(instance, 5, waiting, key="1", stay=WARM_UP + seconds + 5, prefix="138")),
            asyncio.ensure_future(calls(instance, RATE, round(RATE * (WARM_UP + seconds)))),
        ]
        await asyncio.sleep(WARM_UP)
        begin = time.time() * 1000
        await asyncio.sleep(seconds)
        now = await instance.metrics()
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error
    still = sum(now[f'callcenter_calls{{state="{state}"}}'] for state in ("waiting", "ringing"))
    figures = [took for at, took in answers.painted if at >= begin]
    return [
        Figure("floor", f"{seats} seats, {still:.0f} callers waiting, {RATE:g} calls answered a second"),
        Figure("answer stamped to painted", spread(figures), "p95 <= 500 ms"),
    ]


async def _split(instance: Instance, desks: list[Desk]) -> None:
    """Those who work leave the queue of those who wait; all others take a break, so that nobody serves it."""
    async with manager(instance) as ask:
        for desk in desks[:WORKING]:
            await ask(actions.unseat(desk.seat, Phone.DESK, "english"))
    for desk in desks[WORKING:]:
        async with desk.session.post("/api/v1/desk/break", json={"code": "MEETING"}) as answer:
            answer.raise_for_status()


@asynccontextmanager
async def _wall(instance: Instance, answers: Answers) -> AsyncIterator[None]:
    """A browser with the wallboard of a supervisor."""
    leader = next(account for account in instance.told["demo_accounts"] if account["role"] == "supervisor")
    async with async_playwright() as play:
        words = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=words)
        page = await browser.new_page(viewport={"width": 1920, "height": 1080})
        await page.expose_binding("painted", answers.see)
        await page.goto(f"{instance.http}/login", wait_until="networkidle")
        await page.evaluate(
            """account => fetch('/api/v1/session', {method: 'POST', body: JSON.stringify(account),
                headers: {'Content-Type': 'application/json', 'X-Callcenter': '1'}})""",
            {"login": leader["login"], "password": leader["password"]},
        )
        await page.goto(f"{instance.http}/wallboard", wait_until="networkidle")
        await page.evaluate(_WATCH)
        yield
        await browser.close()
