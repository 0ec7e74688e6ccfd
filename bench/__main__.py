"""`make bench`: every benchmark, one table each. Figures for people; nothing passes or fails."""

import argparse
import asyncio
import os

from bench import frames, load, pop
from bench.figures import table


def main() -> None:
    """Short runs of a few minutes, or with --full the lengths for which the goals are meant."""
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument("only", nargs="*", metavar="frames|load|pop", help="default: all")
    options.add_argument("--full", action="store_true", help="10 calls/s for 200 s, 5 calls/s for 120 s")
    given = options.parse_args()
    wanted = given.only or ["frames", "load", "pop"]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; callers, agents and browser run beside it\n")
    if "frames" in wanted:
        print(table("AMI bytes to changes", frames.run(10_000 if given.full else 2_000)), flush=True)
    if "load" in wanted:
        rate, calls = (10.0, 2_000) if given.full else (10.0, 300)
        print(table("Under calls", asyncio.run(load.run(rate, calls))), flush=True)
    if "pop" in wanted:
        print(table("Screen-pop", asyncio.run(pop.run(5.0, 120.0 if given.full else 30.0))), flush=True)


if __name__ == "__main__":
    main()
