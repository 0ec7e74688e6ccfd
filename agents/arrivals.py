"""Citizens who will call, drawn beforehand (模拟来话): when, how patiently, how long they will talk.

Nothing that is drawn depends on who answers, so several ways to answer can be tried on exactly the same calls. The
recipe is that of reliability.md 2.6: Poisson arrivals whose rate follows the profile of the day, lognormal talk of mean
150 s and longest 4,751 s (Changzhou 2021; Brown and others 2005), exponential patience, and redials.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, log, sqrt
from random import Random
from typing import Final

MOST_REDIALS: Final = 3

#: Share of a weekday's calls in each hour (traffic_profile.json of the domain's data: a plan value with two peaks).
SHARE_BY_HOUR: Final = (
    0.01, 0.007, 0.005, 0.004, 0.004, 0.006, 0.012, 0.026, 0.062, 0.098, 0.096, 0.082,
    0.052, 0.05, 0.076, 0.084, 0.08, 0.064, 0.042, 0.036, 0.034, 0.03, 0.024, 0.016,
)  # fmt: skip
#: Monday to Sunday, beside the mean.
WEEKDAY_FACTORS: Final = (1.12, 1.06, 1.04, 1.02, 1.0, 0.9, 0.86)


@dataclass(frozen=True, slots=True)
class Citizens:
    """What the callers are like. Means in seconds; `cv` are coefficients of variation: 1 and `exponential` for Erlang.

    `patience`: mean wait until they hang up, None: they never do. `balk`: share that hangs up at once when it has to
    wait. `redial`: share of those who hung up that calls again, `redial_after` seconds later in the mean.
    """

    talk: float = 150.0
    talk_cv: float = 1.0
    longest_talk: float = 4751.0
    wrap_up: float = 60.0
    wrap_up_cv: float = 0.5
    patience: float | None = 120.0
    balk: float = 0.05
    redial: float = 0.3
    redial_after: float = 60.0
    exponential: bool = False  # talk and wrap-up together exponential, as the Erlang formulas have it

    @property
    def handling(self) -> float:
        return self.talk + self.wrap_up


@dataclass(frozen=True, slots=True)
class Try:
    """One try to get through: seconds after hanging up the last one (of the first: 0), and its patience in seconds."""

    after: float
    patience: float


@dataclass(frozen=True, slots=True)
class Caller:
    """One citizen. `at`: seconds from the start. `tries`: one at least; the next follows only when the last failed."""

    at: float
    talk: float
    wrap_up: float
    tries: tuple[Try, ...]


def callers(expected: Sequence[float], seconds: float, citizens: Citizens, chance: Random) -> list[Caller]:
    """All who call, in the order of their first call.

    Args:
        expected: calls expected in each slot, in order; redials come on top.
        seconds: length of a slot.
    """
    found = []
    for slot, calls in enumerate(expected):
        if calls <= 0:
            continue
        at = slot * seconds + chance.expovariate(calls / seconds)
        while at < (slot + 1) * seconds:
            found.append(_caller(at, citizens, chance))
            at += chance.expovariate(calls / seconds)
    return found


def day_profile(calls: float, weekday: int, slots: int = 96) -> list[float]:
    """Calls expected in each slot of a day. `calls`: a mean day's; `weekday`: 0 is Monday. `slots` divides by 24."""
    each = slots // 24
    return [calls * WEEKDAY_FACTORS[weekday] * share / each for share in SHARE_BY_HOUR for _ in range(each)]


def _caller(at: float, citizens: Citizens, chance: Random) -> Caller:
    if citizens.exponential:
        talk = chance.expovariate(1 / citizens.handling)
        wrap_up = 0.0
    else:
        talk = min(citizens.longest_talk, _lognormal(citizens.talk, citizens.talk_cv, chance))
        wrap_up = _lognormal(citizens.wrap_up, citizens.wrap_up_cv, chance)
    tries = [Try(0.0, _patience(citizens, chance))]
    while len(tries) <= MOST_REDIALS and chance.random() < citizens.redial:
        tries.append(Try(chance.expovariate(1 / citizens.redial_after), _patience(citizens, chance)))
    return Caller(at, talk, wrap_up, tuple(tries))


def _patience(citizens: Citizens, chance: Random) -> float:
    if citizens.patience is None:
        return inf
    return 0.0 if chance.random() < citizens.balk else chance.expovariate(1 / citizens.patience)


def _lognormal(mean: float, cv: float, chance: Random) -> float:
    if mean == 0:
        return 0.0
    variance = log(1 + cv * cv)
    return exp(chance.gauss(log(mean) - variance / 2, sqrt(variance)))
