"""What Asterisk itself lets out by the trunk, whoever asks: the service's own account, or a seat's phone."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from exchange import SEATS, Exchange
from outside import Outside, open_outside
from rawsip import raw_call

from dialplan import names

FORBIDDEN = (
    "09001234567",
    "0900123456",
    "0085212345678",
    "+85212345678",
    "00",
    "16812345678",
    "95588",
    "12366",
    "110",
    "138000000011",
    "13800000001&PJSIP/0085212345678@outside",
    "s",
)


@pytest.fixture
async def world(exchange: Exchange) -> AsyncIterator[Outside]:
    """Whoever is reached by the exchange's trunk."""
    assert exchange.instance.trunk_address is not None
    async with open_outside(int(exchange.instance.trunk_address.partition(":")[2])) as outside:
        yield outside


def asked(number: str) -> dict[str, str]:
    """A raw action, as the service asks for a citizen who is to be called."""
    return {
        "Action": "Originate",
        "Channel": names.dialled(number),
        "Application": "Wait",
        "Data": "1",
        "Async": "true",
    }


async def test_the_services_own_account_gets_a_citizens_number_dialled(exchange: Exchange, world: Outside) -> None:
    acting = await exchange.acting()
    assert b"Response: Success" in await acting.ask(asked("13800000001"))
    call = await world.call()
    assert call.number == "13800000001"
    assert "<sip:12345@" in call.headers["from"]
    await call.until("ended_at")
    acting.close()


@pytest.mark.parametrize("number", FORBIDDEN)
async def test_and_no_other(exchange: Exchange, world: Outside, number: str) -> None:
    acting = await exchange.acting()
    for context in (names.DIALLED_CONTEXT, names.SEAT_CONTEXT, names.CALLABLE_CONTEXT, "target", "room", "hotline"):
        if (context, number) != (names.SEAT_CONTEXT, "110"):
            await acting.ask(asked(number) | {"Channel": f"Local/{number}@{context}/n"})
    # In place of a line's code, or of a seat's phone.
    for variable in (names.LINE, names.PHONE):
        for context in (names.ASK_CONTEXT, names.PASSED_CONTEXT):
            told = {"Channel": f"Local/s@{context}/n", "Variable": f"__{variable}={number}"}
            if (variable, number) != (names.LINE, "110"):
                await acting.ask(asked(number) | told)
    await asyncio.sleep(1)
    acting.close()
    assert world.dialled == []


@pytest.mark.parametrize("number", [each for each in (*FORBIDDEN, "13800000001") if each != "110"])
async def test_a_seats_phone_gets_none_of_them_dialled(exchange: Exchange, world: Outside, number: str) -> None:
    dialed = number.replace("&", "%26").replace("/", "%2f").replace("@", "%40")
    mine = {"sender": "<sip:1001@example.net>", "dialed": dialed, "user": "1001", "secret": SEATS["1001"]}
    async with raw_call(exchange.sip, **mine) as call, asyncio.timeout(10):
        while not (final := [status for status in call.answers if status >= 200 and status != 401]):
            await asyncio.sleep(0.01)
    assert final[0] in {404, 484}
    await asyncio.sleep(0.3)
    assert world.dialled == []
