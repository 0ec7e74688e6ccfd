"""The failure tests at full length, by hand: `.venv/bin/python tests/long/failures.py [minutes] [kills]`.

Postgres is silent for half of the minutes (10 unless given) and dead for the other half; the service is killed `kills`
times (20) and Asterisk half as often, all under calls. Prints the figures; ends with a traceback when a call is lost.
"""

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from conftest import run_postgres
from phones import native_stack
from stack import Stack, open_stack
from test_failures import Traffic, dropped, exactly_once, order_kept, service_back, staff

MOST_BACKLOG = 60.0  # seconds in which the journal must have been replayed


async def postgres_away(minutes: float) -> None:
    async with native_stack() as telephony:
        async for postgres in run_postgres():
            url = postgres.url(await postgres.new_database())
            async with open_stack(telephony, DATABASE_URL=url) as stack:
                await staff(stack)
                traffic = Traffic(stack, seed=1, every=1.5)
                postgres.freeze()
                await asyncio.sleep(minutes * 30)
                postgres.thaw()
                await asyncio.sleep(5)
                await postgres.kill()
                await asyncio.sleep(minutes * 30)
                size = (await stack.metrics())["callcenter_journal_bytes"]
                await postgres.start()
                began = time.monotonic()
                while (await stack.metrics())["callcenter_journal_bytes"]:
                    assert time.monotonic() - began < MOST_BACKLOG
                    await asyncio.sleep(0.2)
                print(f"{size / 1000:.0f} kB of journal replayed within {time.monotonic() - began:.1f} s")
                await finish(stack, traffic)
                await order_kept(stack)


async def kills(times: int) -> None:
    chance = random.Random(12345)
    async with native_stack() as telephony, open_stack(telephony) as stack:
        await staff(stack)
        traffic = Traffic(stack, seed=2)
        took = []
        for _ in range(times):
            await asyncio.sleep(chance.uniform(0.2, 8))
            was = stack.pid("service")
            os.kill(was, signal.SIGKILL)
            took.append(await service_back(stack, was))
        print(f"service: live again after {sorted(took)[len(took) // 2]:.1f} s (median), {max(took):.1f} s at most")
        await finish(stack, traffic)
        answered = []
        for _ in range(times // 2):
            await asyncio.sleep(chance.uniform(2, 6))
            os.kill(stack.pid("asterisk"), signal.SIGKILL)
            began = time.time()
            citizen = await stack.trunk.call(stack.number())
            await citizen.until("answered_at", 10)
            answered.append(time.time() - began)
            await citizen.hang_up()
            await stack.record(citizen.number, 20)
        print(f"Asterisk: a new call answered after {max(answered):.1f} s at most")
        print(await stack.reconcile())


async def finish(stack: Stack, traffic: Traffic) -> None:
    await traffic.stop()
    assert dropped(traffic.citizens) == []
    print(f"{len(traffic.citizens)} calls, 0 dropped: {dict(await exactly_once(stack, traffic.citizens, 60))}")
    print(await stack.reconcile())


if __name__ == "__main__":
    asyncio.run(postgres_away(float(sys.argv[1]) if len(sys.argv) > 1 else 10))
    asyncio.run(kills(int(sys.argv[2]) if len(sys.argv) > 2 else 20))
