"""The screen-pop: from AgentCalled in Asterisk to the desk's websocket, and to the painted page.

The clock starts at the time stamp that Asterisk puts on AgentCalled, before the event is on the wire. A second events
session hears the same bytes and shows how much of the time is the wire's own. All clocks are this machine's.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import asyncpg
from playwright.async_api import async_playwright

from bench.figures import Figure, spread
from bench.instance import Desk, Instance, calls, running, staffed
from callcenter.asterisk.facts import Fact, Rang, Reader
from callcenter.asterisk.frames import Authentic, Splitter
from dialplan import names

PAGES: Final = 3
WARM_UP: Final = 10.0  # seconds
CHROMIUM: Final = "/usr/bin/chromium"

#: Tells when a caller's number is painted: the frame after the one in which it came into the page.
_WATCH: Final = """
() => {
  const seen = new Set()
  new MutationObserver(() => {
    for (const [number] of (document.body.textContent.replace(/[\\s-]/g, '')).matchAll(/139\\d{8}/g)) {
      if (seen.has(number)) continue
      seen.add(number)
      requestAnimationFrame(() => {
        const channel = new MessageChannel()
        channel.port1.onmessage = () => window.painted(number, performance.timeOrigin + performance.now())
        channel.port2.postMessage(null)
      })
    }
  }).observe(document.body, { childList: true, subtree: true, characterData: true })
}
"""


class Heard:
    """When what was seen of each call. Milliseconds since the epoch, by the call's id or the caller's number."""

    def __init__(self) -> None:
        self.stamped: dict[str, float] = {}
        self.wire: dict[str, float] = {}
        self.socket: dict[str, float] = {}
        self.painted: dict[str, float] = {}

    def take(self, fact: Fact) -> None:
        if isinstance(fact, Rang):
            self.stamped.setdefault(fact.call, fact.at.timestamp() * 1000)
            self.wire.setdefault(fact.call, time.time() * 1000)

    def since_stamp(self, when: Callable[[str], float | None], begin: float) -> list[float]:
        """Milliseconds from the stamp to `when`, for each call stamped after `begin`."""
        pairs = ((at, when(call)) for call, at in self.stamped.items() if at >= begin)
        return [seen - at for at, seen in pairs if seen is not None]

    def on_the_way(self, begin: float) -> list[float]:
        """Milliseconds from Asterisk's bytes to the frame of the page, for each call stamped after `begin`."""
        return [
            max(0.0, self.socket[call] - wire)
            for call, wire in self.wire.items()
            if call in self.socket and self.stamped[call] >= begin
        ]


async def hear(instance: Instance, take: Callable[[Fact], None]) -> None:
    """Listen to Asterisk beside the service, by a session of the same account; `take` gets the facts."""
    host, _, port = instance.told["ami"].partition(":")
    system_name = instance.kept("system_name")
    splitter, authentic, reader = Splitter(), Authentic(system_name), Reader("n1", system_name)
    stream, writer = await asyncio.open_connection(host, int(port))
    login = f"Action: Login\r\nUsername: {names.EVENTS_USER}\r\nSecret: {instance.kept('ami_events_secret')}\r\n\r\n"
    writer.write(login.encode())
    try:
        while data := await stream.read(65536):
            for frame in splitter.feed(data):
                event = authentic.event(frame)
                if event is not None and (fact := reader.fact(event)) is not None:
                    take(fact)
    finally:
        writer.close()


async def _watch(desk: Desk, heard: Heard) -> None:
    async with desk.session.ws_connect("/api/v1/live?view=desk") as socket:
        async for message in socket:
            now = time.time() * 1000
            call = json.loads(message.data).get("call")
            if call:
                heard.socket.setdefault(call["id"], now)


@asynccontextmanager
async def _pages(instance: Instance, desks: list[Desk], heard: Heard) -> AsyncIterator[None]:
    """A browser with a desk page for each of these people."""

    async def painted(_: Any, number: str, at: float) -> None:
        heard.painted[number] = at

    async with async_playwright() as play:
        words = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=words)
        for desk in desks:
            context = await browser.new_context(viewport={"width": 1366, "height": 768})
            jar = [{"name": each.key, "value": each.value, "url": instance.http} for each in desk.session.cookie_jar]
            await context.add_cookies(jar)  # type: ignore[arg-type]
            page = await context.new_page()
            await page.expose_binding("painted", painted)
            await page.goto(f"{instance.http}/desk", wait_until="networkidle")
            await page.evaluate(_WATCH)
        yield
        await browser.close()


async def run(rate: float, seconds: float, *, silent: bool) -> list[Figure]:
    """Calls for so many seconds, after a warm-up of ten.

    Args:
        silent: the callers send no sound. Their sound and its recording cost a small machine more than all else.
    """
    heard = Heard()
    async with AsyncExitStack() as stack:
        instance = await stack.enter_async_context(running())
        desks = await stack.enter_async_context(staffed(instance, round(rate * 6 * 1.1) + 4))
        await stack.enter_async_context(_pages(instance, desks[:PAGES], heard))
        tasks = [asyncio.ensure_future(_watch(desk, heard)) for desk in desks[PAGES:]]
        tasks.append(asyncio.ensure_future(hear(instance, heard.take)))
        begin = (time.time() + WARM_UP) * 1000
        try:
            await calls(instance, rate, round(rate * (WARM_UP + seconds)), silent=silent)
            numbers = await _numbers(instance)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
    for error in ended:
        if not isinstance(error, asyncio.CancelledError):
            raise SystemExit(f"a listener ended before its time: {error!r}")
    return [
        Figure("calls", f"{rate:g}/s for {seconds:g} s, {len(desks)} agents, {PAGES} of them with a page"),
        Figure("event stamped to on the wire", spread(heard.since_stamp(heard.wire.get, begin))),
        Figure("on the wire to websocket frame", spread(heard.on_the_way(begin)), "p99 <= 30 ms"),
        Figure(
            "event stamped to painted page",
            spread(heard.since_stamp(lambda call: heard.painted.get(numbers.get(call, "")), begin)),
            "p95 <= 150 ms",
        ),
    ]


async def _numbers(instance: Instance) -> dict[str, str]:
    """Call -> the caller's number, from the ledger."""
    await asyncio.sleep(2)
    connection: Any = await asyncpg.connect(instance.told["postgres"])
    try:
        return {row["id"]: row["number"] for row in await connection.fetch("SELECT id, number FROM calls")}
    finally:
        await connection.close()
