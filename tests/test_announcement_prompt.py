"""What callers hear with the greeting: at once, in their language, over by itself, there after a restart."""

import asyncio
import time

from exchange import Exchange, open_exchange
from tones import tone, tones_in
from trunk import open_trunk

from callcenter.asterisk import actions
from dialplan import names
from dialplan.announced import announced_conf, announcement

#: Long enough for two prompts of a blink, their announcements, and the way to the queue.
OPENING = 2.6
FOREVER = 9_999_999_999


def sounds(exchange: Exchange) -> str:
    """Two recordings of one announcement; where they are, for Background to add."""
    for language, hertz in (("zh", 1000), ("en", 1600)):
        folder = exchange.instance.home / "own" / language
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "storm.wav").write_bytes(tone(hertz))
    return f"{exchange.instance.home}/own/storm"


async def heard(exchange: Exchange, dialed: str = "12345") -> list[int]:
    """The tones that a caller hears until the queue."""
    async with open_trunk(exchange.sip) as trunk:
        citizen = await trunk.call("13800000001", dialed)
        await citizen.until("answered_at")
        await asyncio.sleep(OPENING)
        await citizen.hang_up()
        return tones_in(bytes(citizen.voice.heard))


async def say(exchange: Exchange, name: str, value: str) -> None:
    """As the service does: into the file that Asterisk reads when it starts, and to the running one."""
    (exchange.etc / names.ANNOUNCED_FILE).write_text(announced_conf({name: value}))
    acting = await exchange.acting()
    assert b"Response: Success" in await acting.ask(actions.set_global(name, value))
    acting.close()


async def test_callers_hear_what_is_announced_until_it_ends_and_asterisks_restart_keeps_it() -> None:
    async with open_exchange() as exchange:
        storm = sounds(exchange)
        assert await heard(exchange) == []
        await say(exchange, names.ANNOUNCEMENT, announcement(FOREVER, storm))
        assert await heard(exchange) == [1000, 1600]
        await exchange.part.end()
        await exchange.start()
        assert await heard(exchange) == [1000, 1600]
        # It ends by itself, with nobody there to end it.
        await say(exchange, names.ANNOUNCEMENT, announcement(int(time.time()) - 1, storm))
        assert await heard(exchange) == []
        # A recording that is gone costs nothing but itself.
        await say(exchange, names.ANNOUNCEMENT, announcement(FOREVER, "/nowhere/storm"))
        async with open_trunk(exchange.sip) as trunk:
            events = await exchange.events()
            await trunk.call("13800000002")
            await events.until(names.QUEUED.encode(), seconds=5)
            events.close()
        await say(exchange, names.ANNOUNCEMENT, "")
        assert await heard(exchange) == []


async def test_callers_of_an_old_number_hear_that_it_has_moved_from_its_day_on(exchange: Exchange) -> None:
    for language, hertz in (("zh", 700), ("en", 1200)):
        (exchange.instance.sounds / language / "number-moved.wav").write_bytes(tone(hertz))
    now = int(time.time())
    try:
        await say(exchange, names.moved("12319"), str(now + 3600))
        assert await heard(exchange, "12319") == []
        await say(exchange, names.moved("12319"), str(now - 1))
        assert await heard(exchange, "12319") == [700, 1200]
        assert await heard(exchange, "12345") == []
    finally:
        await say(exchange, names.moved("12319"), "")
    assert await heard(exchange, "12319") == []


async def test_nothing_announced_is_worth_no_word_in_the_log(exchange: Exchange) -> None:
    before = len((exchange.log / "messages").read_text())
    await heard(exchange)
    said = (exchange.log / "messages").read_text()[before:]
    assert "ast_expr2" not in said and "func_" not in said, said
