"""How many seats a load of calls needs (座席需求): Erlang C, in which callers wait for ever, and Erlang A, in which
they hang up when their patience ends (Palm 1957; Mandelbaum and Zeltyn, The Palm/Erlang-A Queue, 2005).

Both take Poisson arrivals and exponential handling; in Erlang A patience is exponential, too. Every share is over all
offered calls, as everywhere in this house. Times in seconds, loads in erlangs (calls arriving in one handling time).
Only ratios of neighbouring states are multiplied, from the likeliest state outward, so nothing overflows, however many
seats there are.
"""

from dataclasses import dataclass
from math import exp, expm1, inf, isfinite, log
from typing import Final

from agents.service_level import ANSWER_TARGET_MS

TARGET_SECONDS: Final = ANSWER_TARGET_MS / 1000
#: States less likely than this, beside the likeliest, are left out.
_NEGLIGIBLE: Final = 1e-17
#: A search for seats ends here.
MOST_SEATS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Answering:
    """What becomes of the calls in the long run. Shares of all offered calls; `mean_wait` of all callers, in seconds.

    `waits`: who is not answered at once. `in_time`: answered by a person within the target. `abandons`: hang up
    waiting. `occupancy`: share of the seats' time spent on calls (座席利用率).
    """

    waits: float
    in_time: float
    abandons: float
    mean_wait: float
    occupancy: float


def load(calls_per_hour: float, handling: float) -> float:
    """The load in erlangs (话务量). `handling`: seconds of talk and wrap-up together. Raises ValueError."""
    if not (isfinite(calls_per_hour) and isfinite(handling) and calls_per_hour >= 0 and handling > 0):
        raise ValueError("calls must be 0 or more, handling more than 0, both finite")
    return calls_per_hour * handling / 3600


def erlang_b(erlangs: float, seats: int) -> float:
    """The share of calls that find all seats busy when nobody may wait."""
    blocked = 1.0
    for seat in range(1, seats + 1):
        blocked = erlangs * blocked / (seat + erlangs * blocked)
    return blocked


def erlang_c(calls_per_hour: float, handling: float, seats: int, *, target: float = TARGET_SECONDS) -> Answering:
    """Callers who never hang up. With no fewer erlangs than seats the queue grows for ever: all wait, none in time.

    Raises ValueError for arguments that no call center has.
    """
    erlangs = _checked(calls_per_hour, handling, seats, target)
    if erlangs == 0:
        return Answering(0.0, 1.0, 0.0, 0.0, 0.0)
    if erlangs >= seats:
        return Answering(1.0, 0.0, 0.0, inf, 1.0)
    blocked = erlang_b(erlangs, seats)
    waits = blocked / (1 - erlangs / seats * (1 - blocked))
    spare = (seats - erlangs) / handling  # how much faster calls could end than they come, a second
    return Answering(waits, 1 - waits * exp(-spare * target), 0.0, waits / spare, erlangs / seats)


def erlang_a(
    calls_per_hour: float, handling: float, seats: int, *, patience: float, target: float = TARGET_SECONDS
) -> Answering:
    """Callers who hang up after `patience` seconds in the mean. Raises ValueError.

    Who arrives when `ahead` others wait is answered after `ahead + 1` departures, at rates c, c+1, c+2 ... in units of
    1/patience, where c is all seats' rate in these units. Of such a sum V, e^-V has the beta distribution with c and
    ahead + 1; what is asked of V (in time, before patience ends) are its incomplete integrals, whose series are summed
    one term a state.
    """
    erlangs = _checked(calls_per_hour, handling, seats, target)
    if not (isfinite(patience) and patience > 0):
        raise ValueError("patience must be more than 0 and finite")
    if erlangs == 0:
        return Answering(0.0, 1.0, 0.0, 0.0, 0.0)
    all_busy = seats * patience / handling  # the c above
    first, shares = _states(erlangs, seats, handling / patience)
    at_once = sum(share for n, share in enumerate(shares, first) if n < seats)
    mean_waiting = sum((n - seats) * share for n, share in enumerate(shares, first) if n > seats)
    abandons = mean_waiting / patience * handling / erlangs  # all who wait leave at the rate 1/patience
    in_time = at_once + _answered_while_waiting(all_busy, target / patience, first - seats, shares)
    occupancy = erlangs * (1 - abandons) / seats if seats else 0.0
    return Answering(1 - at_once, min(1.0, in_time), abandons, abandons * patience, occupancy)


def seats_needed(
    calls_per_hour: float,
    handling: float,
    share: float,
    *,
    target: float = TARGET_SECONDS,
    patience: float | None = None,
) -> int:
    """The fewest seats at which `share` (below 1) of all offered calls is answered within `target` seconds.

    `patience`: mean seconds until a waiting caller hangs up; None: never (Erlang C, the careful plan). No calls need no
    seats; that a hotline has a person at any hour is a rule of the roster (domain.md R7). Raises ValueError.
    """
    if not 0 < share < 1:
        raise ValueError("share must lie between 0 and 1")
    if load(calls_per_hour, handling) == 0:
        return 0

    def enough(seats: int) -> bool:
        if patience is None:
            return erlang_c(calls_per_hour, handling, seats, target=target).in_time >= share
        return erlang_a(calls_per_hour, handling, seats, patience=patience, target=target).in_time >= share

    low, high = 0, max(1, int(load(calls_per_hour, handling)))
    while not enough(high):
        low, high = high, high * 2
        if high > MOST_SEATS:
            raise ValueError(f"more than {MOST_SEATS} seats")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _checked(calls_per_hour: float, handling: float, seats: int, target: float) -> float:
    if seats < 0 or not target >= 0:
        raise ValueError("seats and target must be 0 or more")
    return load(calls_per_hour, handling)


def _states(erlangs: float, seats: int, leaving: float) -> tuple[int, list[float]]:
    """How likely it is that n calls are in the house, talking or waiting: (the first n, shares from there on).

    `leaving`: rate at which each waiting caller hangs up, in units of the rate at which a seat ends a call.
    """

    def ending(n: int) -> float:
        return n if n <= seats else seats + (n - seats) * leaving

    mode = int(erlangs) if erlangs <= seats else seats + int((erlangs - seats) / leaving)
    below, weight = [], 1.0
    for n in range(mode, 0, -1):
        weight *= ending(n) / erlangs
        if weight < _NEGLIGIBLE:
            break
        below.append(weight)
    above, weight, n = [], 1.0, mode
    while True:
        n += 1
        weight *= erlangs / ending(n)
        if weight < _NEGLIGIBLE:
            break
        above.append(weight)
    weights = [*reversed(below), 1.0, *above]
    total = sum(weights)
    return mode - len(below), [weight / total for weight in weights]


def _answered_while_waiting(c: float, t: float, ahead: int, shares: list[float]) -> float:
    """Share of all calls that wait and are answered within `t` patiences.

    `shares` are those of `ahead`, `ahead` + 1 ... callers waiting before one; negative: of free seats.

    P(Y >= y) of Y ~ beta(c + 1, k + 1), y = e^-t, is one less the sum over b = 0..k of y^a (1-y)^b G(a+b)/(G(a) b!)
    with a = c + 1: terms of a negative binomial, each made from the one before.
    """
    if t == 0 or c == 0:
        return 0.0
    a, log_hit = c + 1, log(-expm1(-t))
    term, late, total = -a * t, 0.0, 0.0
    for k in range(max(0, ahead + len(shares))):
        if k:
            term += log_hit + log((a + k - 1) / k)
        late += exp(term)
        if k >= ahead:
            # E[Y; Y >= y] of beta(c, k+1) is c/(c+k+1), the chance to be answered at all, times the above.
            total += shares[k - ahead] * c / (c + k + 1) * max(0.0, 1 - late)
    return total
