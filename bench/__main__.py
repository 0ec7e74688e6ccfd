"""`make bench`: every benchmark, one table each. Figures for people; nothing passes or fails."""

import argparse
import asyncio
import os
from collections.abc import AsyncIterable
from pathlib import Path

from bench import board, forecast, frames, load, office, pop
from bench.figures import Figure, table


def main() -> None:
    """Short runs of a few minutes, or with --full the lengths for which the goals are meant."""
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument(
        "only", nargs="*", metavar="frames|load|pop|board|forecast|office", help="default: all but the last two"
    )
    options.add_argument(
        "--full", action="store_true", help="10 calls/s for 200 s, 15 for 60 s, 5 calls/s for 120 s, 500 seats"
    )
    options.add_argument("--data", type=Path, help="CSV of start,calls in equal steps, for `forecast`")
    options.add_argument(
        "--orders", type=int, default=200_000, help="how many, for `office`; 5000000 is the goal's size"
    )
    options.add_argument("--seconds", type=float, default=30.0, help="of each measurement of `office`")
    options.add_argument("--folder", type=Path, default=Path("var/bench-office"), help="where `office` keeps its data")
    given = options.parse_args()
    wanted = given.only or ["frames", "load", "pop", "board"]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; callers, agents and browser run beside it\n")
    if "forecast" in wanted:
        if given.data is None:
            options.error("forecast needs --data FILE")
        print(table("Forecast", forecast.run(given.data)), flush=True)
    if "office" in wanted:
        asyncio.run(_told(office.run(given.orders, given.seconds, given.folder)))
    if "frames" in wanted:
        print(table("AMI bytes to changes", frames.run(10_000 if given.full else 2_000)), flush=True)
    if "load" in wanted:
        for rate, calls in [(10.0, 2_000), (15.0, 900)] if given.full else [(10.0, 300)]:
            print(table("Under calls", asyncio.run(load.run(rate, calls))), flush=True)
    if "pop" in wanted:
        seconds = 120.0 if given.full else 30.0
        for silent in (True, False):
            title = f"Screen-pop, callers {'silent' if silent else 'speaking'}"
            print(table(title, asyncio.run(pop.run(5.0, seconds, silent=silent))), flush=True)
    if "board" in wanted:
        seats, waiting, seconds = (500, 60, 60.0) if given.full else (100, 20, 20.0)
        print(table("Wallboard", asyncio.run(board.run(seats, waiting, seconds))), flush=True)


async def _told(tables: AsyncIterable[tuple[str, list[Figure]]]) -> None:
    async for title, figures in tables:
        print(table(title, figures), flush=True)


if __name__ == "__main__":
    main()
