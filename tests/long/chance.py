"""Random acts at full length, by hand: `.venv/bin/python tests/long/chance.py [calls] [people] [seed]`.

Prints the figures; ends with a traceback when a seat was shown wrong for more than 5 s, or a call has no outcome.
"""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from chance import Chance
from phones import native_stack
from stack import open_stack
from test_failures import exactly_once


async def main(calls: int = 2000, people: int = 14, seed: int = 1) -> None:
    async with native_stack() as telephony, open_stack(telephony) as stack:
        chance = Chance(stack, seed)
        await chance.run(people, calls, every=0.35)
        print(f"{calls} calls, {people} people, acts: {dict(chance.acts.most_common())}")
        print(f"longest time that the board differed from the phones: {chance.watch.longest:.2f} s")
        print(dict(await exactly_once(stack, chance.citizens, 60, chance.slowest)))
        print(await stack.reconcile())


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
