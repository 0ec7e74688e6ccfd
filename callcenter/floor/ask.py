"""Asking Asterisk on behalf of a request: what goes wrong becomes a Problem that the page can show."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from aiohttp import web

from callcenter.api import Ask, Problem
from callcenter.asterisk import actions
from callcenter.asterisk.link import ActionRefused, Line, LineAway
from callcenter.floor.model import Seat

LINE: Final = web.AppKey("LINE", Line)


async def act(ask: Ask[Any, Any, Any], *several: actions.Action) -> None:
    """Have Asterisk do something, in this order. Raises Problem 503 when it is away, 409 when it refuses."""
    with in_words():
        for action in several:
            await ask.app[LINE].act(action)


async def reachable(ask: Ask[Any, Any, Any], seat: Seat) -> bool:
    """Whether a seat's phone could ring: as the floor knows, or else as Asterisk knows, ahead of its events.

    Raises Problem as `act` does.
    """
    with in_words():
        return seat.reachable or await ask.app[LINE].reachable(seat.number, seat.phone)


@contextmanager
def in_words() -> Iterator[None]:
    """What Asterisk does not do within the block becomes a Problem: 503 when it is away, 409 when it refuses."""
    try:
        yield
    except LineAway:
        raise line_away() from None
    except ActionRefused as refusal:
        raise Problem(
            409, "refused", f"电话系统拒绝了该操作：{refusal}", f"The telephone system refused: {refusal}"
        ) from None


def line_away() -> Problem:
    return Problem(503, "line_away", "电话系统暂时无法连接", "The telephone system cannot be reached now")
