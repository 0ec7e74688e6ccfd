"""An alarm from a waiting caller to a receiver of webhooks, and what the wallboard shows of it."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from baresip.runtime import Runtime
from pydantic import ValidationError
from stack import Row, open_stack

from callcenter.alarms.webhook import delay
from callcenter.settings import Settings

SECRET = "a secret that both know"
RULE = {"kind": "waiting", "raise_at": 0, "clear_at": 0, "hold_seconds": 0, "severity": "critical"}


@dataclass
class Receiver:
    """A stranger's server that is told of alarms."""

    fail: int = 0  # so many tries are answered 500
    told: list[Row] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)
    lured: int = 0
    url: str = ""

    async def hook(self, request: web.Request) -> web.Response:
        body, stamp = await request.read(), request.headers["X-Callcenter-Timestamp"]
        mac = hmac.digest(SECRET.encode(), stamp.encode() + b"." + body, "sha256").hex()
        assert hmac.compare_digest(request.headers["X-Callcenter-Signature"], f"sha256={mac}")
        self.tries.append(request.headers["X-Callcenter-Delivery"])
        if self.fail:
            self.fail -= 1
            return web.Response(status=500)
        self.told.append(json.loads(body))
        return web.Response(status=204)

    async def redirect(self, request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/lure")

    async def lure(self, request: web.Request) -> web.Response:
        self.lured += 1
        return web.Response()


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    there = Receiver()
    app = web.Application()
    app.router.add_post("/hook", there.hook)
    app.router.add_post("/elsewhere", there.redirect)
    app.router.add_post("/lure", there.lure)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield there
    finally:
        await runner.cleanup()


async def test_an_alarm_is_shown_acknowledged_told_and_kept(telephony: Runtime) -> None:
    async with (
        receiver() as there,
        open_stack(telephony, ALARM_WEBHOOKS=f"{there.url}/hook, {there.url}/elsewhere", ALARM_SECRET=SECRET) as stack,
    ):
        there.fail = 2
        boss, agent = await stack.desk("sunli"), await (await stack.desk("limei")).sit("1001", behaviour="ignore")
        board = await stack.board()
        assert board.view["alarms"] == []
        await agent.ask("PUT", "/alarm-rules/test", RULE, status=403)
        await boss.ask("PUT", "/alarm-rules/test", RULE | {"clear_at": 1}, status=409)
        await boss.ask("PUT", "/alarm-rules/test", RULE, status=204)
        number = stack.number()
        citizen = await stack.trunk.call(number, key="1")
        view = await board.until(lambda view: view["alarms"])
        (alarm,) = view["alarms"]
        assert (alarm["rule"], alarm["severity"], alarm["value"], alarm["acked_by"]) == ("test", "critical", 1, None)
        await agent.ask("POST", f"/alarms/{alarm['id']}/ack", status=403)
        await boss.ask("POST", f"/alarms/{alarm['id']}/ack", status=204)
        await board.until(lambda view: view["alarms"][0]["acked_by"] == "sunli")
        await citizen.hang_up()
        await board.until(lambda view: view["alarms"] == [])
        async with asyncio.timeout(15):
            while len(there.told) < 3:
                await asyncio.sleep(0.1)
        assert sorted(each["event"] for each in there.told) == ["acknowledged", "cleared", "raised"]
        assert {each["id"] for each in there.told} == {alarm["id"]}
        assert len(there.tries) == 5 and len(set(there.tries)) == 3, "two failed, and were tried again as the same"
        assert number not in json.dumps(there.told), "nothing of the caller"
        assert there.lured == 0, "no redirect is followed"
        (kept,) = (await boss.ask("GET", "/alarms", status=200))["items"][:1]
        assert (kept["id"], kept["acked_by"], kept["cleared_at"] is not None) == (alarm["id"], "sunli", True)
        webhooks = (await boss.ask("GET", "/alarm-rules", status=200))["webhooks"]
        assert webhooks == {"addresses": 2, "waiting": 3, "given_up": 0}, "what was redirected waits to be tried again"
        await boss.ask("DELETE", "/alarm-rules/test", status=204)
        await stack.clear()


@pytest.mark.parametrize(
    ("webhooks", "secret"),
    [
        ("ftp://example.net/x", SECRET),
        ("https://user:word@example.net/x", SECRET),
        ("file:///etc/passwd", SECRET),
        ("https://example.net/x", "short"),
    ],
)
def test_addresses_that_cannot_be_meant_are_refused(
    webhooks: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLCENTER_ALARM_WEBHOOKS", webhooks)
    monkeypatch.setenv("CALLCENTER_ALARM_SECRET", secret)
    with pytest.raises(ValidationError):
        Settings()


def test_tries_come_slower_and_slower() -> None:
    assert [delay(tries) for tries in (1, 2, 3, 5, 11, 500)] == [1, 2, 4, 16, 900, 900]
