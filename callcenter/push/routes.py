"""The websocket: one snapshot, then numbered changes."""

import asyncio
import contextlib
from typing import Final, Literal

from aiohttp import WSMsgType, web

from callcenter.api import ANY_USER, Ask, Model, Routes, allow
from callcenter.people.sessions import SESSIONS
from callcenter.push.hub import LOGGED_OUT, Hub, Screen

HUB: Final = web.AppKey("HUB", Hub)

routes = Routes("push")


class View(Model):
    view: Literal["floor", "desk"]


@routes.raw("GET", "/api/v1/live", action=ANY_USER, query=View, status=101)
async def live(ask: Ask[None, View]) -> web.StreamResponse:
    """A page that stays informed."""
    person, hub = ask.user, ask.app[HUB]
    allow(person, "see_floor" if ask.query.view == "floor" else "sit")
    socket = web.WebSocketResponse(heartbeat=30, compress=False, max_msg_size=4096)
    await socket.prepare(ask.request)
    board = ask.query.view == "floor"
    screen = hub.add_board(supervisor=person.may("supervise")) if board else hub.add_desk(person.login)
    ended = asyncio.ensure_future(_close_at_end(ask.app, ask, screen))
    writing = asyncio.ensure_future(_write(socket, screen))
    try:
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break  # nothing is said on this socket but by us
    finally:
        hub.drop(screen)
        for task in (ended, writing):
            task.cancel()
    return socket


async def _write(socket: web.WebSocketResponse, screen: Screen) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            message = await screen.outbox.get()
            if isinstance(message, int):
                await socket.close(code=message)
                return
            await socket.send_str(message)


async def _close_at_end(app: web.Application, ask: Ask[None, View], screen: Screen) -> None:
    await app[SESSIONS].ended(ask.user)
    screen.close(LOGGED_OUT)
