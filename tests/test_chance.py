"""Whatever people do with their phones: the board is right within seconds, and every call is on record once."""

from chance import Chance
from stack import Stack
from test_failures import exactly_once


async def test_random_acts_leave_no_seat_wrong_and_no_call_without_an_outcome(stack: Stack) -> None:
    chance = Chance(stack, seed=12345)
    await chance.run(people=4, calls=40, every=0.7)
    outcomes = await exactly_once(stack, chance.citizens, crossing=chance.slowest)
    assert outcomes["answered"], outcomes
    assert "\n0 unexplained" in await stack.reconcile()
