"""How often codes may be guessed (防猜测). Rules only: no I/O, `now` is given.

Wrong tries are counted for three: the address that tries, an order's code, and the two together. Each bears some, then
has to wait, each time twice as long, up to a bound; a day without a wrong try forgets them. So a stranger cannot keep
out whom an order belongs to: from where its check code was once given rightly the code's own wait does not count, nor
does it for the first try from anywhere else, as long as there have not been too many such. All together guess fewer
than a hundred of the ten thousand check codes in a day.
"""

import hmac
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final, NamedTuple

from aiohttp import web

#: Without a wrong try for so long, those before are forgotten.
DAY: Final = timedelta(days=1)
#: First tries from addresses that are new to a code, which its wait does not hold up, and may be wrong.
STRANGERS: Final = 50


class Bears(NamedTuple):
    """So many wrong tries cost nothing; then one waits, from `first` on, twice as long each time, up to `most`."""

    free: int
    first: timedelta
    most: timedelta


ADDRESS: Final = Bears(30, timedelta(seconds=10), timedelta(hours=1))
PAIR: Final = Bears(5, timedelta(seconds=30), timedelta(hours=1))
CODE: Final = Bears(10, timedelta(seconds=30), timedelta(hours=1))
EVER: Final = datetime.min.replace(tzinfo=UTC)
#: What a citizen may do with one order in a day.
MOST_ACTS: Final = 10
#: Requests of one address, right or wrong, and addresses that are remembered: that alone is kept in memory.
MOST_REQUESTS: Final = 120
WINDOW_SECONDS: Final = 300.0
MOST_KEYS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Tries:
    """What is known of an address, a code, or both together.

    Args:
        wrong: tries since the last day without one; `at`: when the last one was, or a right one.
        known: of both together: the check code was given rightly.
        strangers: of a code: first tries from somewhere else that were wrong while it had to wait.
    """

    at: datetime
    wrong: int = 0
    known: bool = False
    strangers: int = 0


class Tried(NamedTuple):
    """The three at one moment."""

    address: Tries
    code: Tries
    pair: Tries


def fresh(tries: Tries, now: datetime) -> Tries:
    """Without what is a day old."""
    return tries if now - tries.at < DAY else Tries(now, known=tries.known)


def waits_until(tries: Tries, bears: Bears) -> datetime:
    """When the next try is admitted: the free ones ever, also when one of a moment later was kept before."""
    over = tries.wrong - bears.free
    if over < 0:
        return EVER
    return tries.at + min(bears.first * (1 << min(over, 20)), bears.most)


def refused_until(tried: Tried, now: datetime) -> datetime | None:
    """When to try again; None when one may try now."""
    until = max(waits_until(tried.address, ADDRESS), waits_until(tried.pair, PAIR))
    if not tried.pair.known and not _first_here(tried):
        until = max(until, waits_until(tried.code, CODE))
    return until if until > now else None


def after(tried: Tried, now: datetime, *, right: bool) -> Tried:
    """The three after a try that was admitted.

    A right one pays for no wrong one of the address: who guesses may have an order of their own.
    """
    if right:
        return tried._replace(pair=Tries(now, known=True))
    waited = waits_until(tried.code, CODE) > now and _first_here(tried)
    return Tried(
        replace(tried.address, at=now, wrong=tried.address.wrong + 1),
        replace(tried.code, at=now, wrong=tried.code.wrong + 1, strangers=tried.code.strangers + waited),
        replace(tried.pair, at=now, wrong=tried.pair.wrong + 1),
    )


def _first_here(tried: Tried) -> bool:
    return tried.pair.wrong == 0 and tried.code.strangers < STRANGERS


@dataclass(slots=True)
class Flood:
    """Counts the requests of addresses in the last minutes. One per service. `clock`: seconds that never go back."""

    clock: Callable[[], float] = time.monotonic
    _hits: dict[str, deque[float]] = field(default_factory=dict)

    def admit(self, address: str) -> bool:
        """Count one; False, and not counted, when there were too many."""
        at = self.clock()
        hits = self._hits.pop(address, None) or deque()
        while hits and hits[0] <= at - WINDOW_SECONDS:
            hits.popleft()
        if room := len(hits) < MOST_REQUESTS:
            hits.append(at)
        self._hits[address] = hits
        if len(self._hits) > MOST_KEYS:
            del self._hits[next(iter(self._hits))]
        return room


#: The application's counter of requests at the door.
FLOOD: Final = web.AppKey("FLOOD", Flood)


def keys_of(secret: bytes, code: str, address: str) -> tuple[bytes, bytes, bytes]:
    """Under which the three are kept: of address, code, and both. Nobody reads an address in them."""
    told = (f"address {address}", f"code {code}", f"both {code} {address}")
    address_key, code_key, pair_key = (hmac.digest(secret, b"tries " + each.encode(), sha256) for each in told)
    return address_key, code_key, pair_key


def network(address: str) -> str:
    """What counts as one address; of an IPv6 address its network, for whoever has one address of it has all."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((found, 64), strict=False)) if isinstance(found, IPv6Address) else str(found)
