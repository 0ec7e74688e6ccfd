"""How often a login may be tried (登录限速).

Wrong tries are counted for a login from an address, and for an address alone. Neither locks an account: its owner gets
in from elsewhere at once, and from the same place after five minutes.
"""

from typing import Final

from aiohttp import web
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

PER_LOGIN: Final = RateLimitItemPerMinute(8, 5)
PER_ADDRESS: Final = RateLimitItemPerMinute(60, 5)


class Throttle:
    """Counts tries. One per service."""

    def __init__(self) -> None:
        self._window = MovingWindowRateLimiter(MemoryStorage())

    async def admit(self, login: str, address: str) -> bool:
        """Count one try and say whether it may go on. It is counted first, so that tries at once are all counted."""
        return await self._window.test(PER_ADDRESS, address) and await self._window.hit(PER_LOGIN, login, address)

    async def wrong(self, address: str) -> None:
        """The try was wrong."""
        await self._window.hit(PER_ADDRESS, address)

    async def right(self, login: str, address: str) -> None:
        """The try was right: forget the wrong ones before it."""
        await self._window.clear(PER_LOGIN, login, address)


#: The application's counter of tries.
THROTTLE: Final = web.AppKey("THROTTLE", Throttle)
