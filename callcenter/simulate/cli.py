"""`callcenter simulate`: which of the two ways, and with what."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from agents.arrivals import Citizens
from agents.trial import Rules
from callcenter.simulate import house, real, seconds


@dataclass(frozen=True)
class Wanted:
    """What the command line says. Times in seconds but for `hours` and `minutes`; `patience` 0 is endless.

    `house`: a file of services and people, or `demo`; empty: one pool of `agents`. `start` and `key`: of real.Setting.
    """

    real: bool
    calls: float
    agents: int
    hours: float
    days: int
    goal: float
    runs: int
    minutes: float
    compressed: float
    talk: float
    wrap_up: float
    patience: float
    redial: float
    ring: float
    missed: float
    seed: int
    house: str = ""
    start: float | None = None
    key: str = ""


def simulate(wanted: Wanted) -> None:
    """Print the table. Raises CannotStart when an instance for real calls does not start."""
    citizens = Citizens(
        talk=wanted.talk, wrap_up=wanted.wrap_up, patience=wanted.patience or None, redial=wanted.redial
    )
    if wanted.real:
        setting = real.Setting(
            calls=wanted.calls,
            agents=wanted.agents,
            seconds=60 * wanted.minutes,
            compressed=wanted.compressed,
            ring=wanted.ring,
            seed=wanted.seed,
            citizens=citizens,
            start=wanted.start,
            key=wanted.key,
        )
        asyncio.run(_show(real.simulate(setting)))
        return
    rules = Rules(ring=wanted.ring, missed=wanted.missed)
    if wanted.house:
        calls = house.days(wanted.calls, wanted.days) if wanted.days else house.flat(wanted.calls, wanted.hours)
        for line in house.simulate(house.read(wanted.house), calls, citizens, rules, wanted.runs, wanted.seed):
            print(line, flush=True)
        return
    if wanted.days:
        load = seconds.days(wanted.calls, wanted.days, wanted.goal, citizens)
    else:
        load = seconds.flat(wanted.calls, wanted.agents, wanted.hours)
    for line in seconds.simulate(load, citizens, rules, wanted.runs, wanted.seed):
        print(line, flush=True)


async def _show(lines: AsyncIterator[str]) -> None:
    async for line in lines:
        print(line, flush=True)
