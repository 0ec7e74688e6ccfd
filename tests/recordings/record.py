"""Record the stories anew: `python tests/recordings/record.py [story ...]`, from the project's root.

A real Asterisk, real phones, the events session as it is configured. Beside each story's `.ami` stand the lines that
its calls left in `cel.json` and `queue_log`.
"""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from exchange import Exchange, Tap, open_exchange, seat, unseat  # noqa: E402
from phones import Agent, Line, Phones, native_stack  # noqa: E402
from rawsip import SHUTDOWN, raw_call  # noqa: E402

from agents.seats import Phone  # noqa: E402
from callcenter.asterisk import actions  # noqa: E402
from dialplan import names  # noqa: E402

CHINESE_NAME = (
    "深圳市民张三丰先生与欧阳女士共同来电反映小区夜间噪声大"  # 81 bytes: Asterisk keeps the 78 of whole characters
)


@dataclass
class Stage:
    exchange: Exchange
    events: Tap
    acting: Tap
    phones: Phones
    li: Agent  # seat 1001
    wang: Agent  # seat 1002
    heard: int = 0

    async def hear(self, words: str) -> None:
        """Wait until these words come by the events session, after those waited for before."""
        self.heard = await self.events.until(words.encode(), self.heard)

    async def sit(self, *, both: bool = False, ready: bool = True) -> None:
        await seat(self.acting, "1001", "li.mei", ready)
        if both:
            await seat(self.acting, "1002", "wang.fang", ready)

    async def pause(self, reason: str | None) -> None:
        await self.acting.ask(actions.pause("1001", Phone.DESK, reason))


async def talking(agent: Agent) -> Line:
    """The agent's next line, once it is answered."""
    line = await agent.line()
    await line.call.wait_established()
    return line


async def answered(s: Stage) -> None:
    await s.sit()
    s.li.delay = 0.3
    citizen = await s.phones.call("13800000001")
    line = await talking(s.li)
    await s.hear("Event: DialEnd")
    await asyncio.sleep(0.5)
    await line.hang_up()
    await citizen.wait_ended()
    await s.pause("WRAPUP")
    await asyncio.sleep(0.3)
    await s.pause(None)


async def held_and_resumed(s: Stage) -> None:
    await s.sit()
    citizen = await s.phones.call("13800000002")
    line = await talking(s.li)
    await s.hear("Event: DialEnd")
    await line.call.hold()
    await s.hear("Event: Hold")
    await asyncio.sleep(0.4)
    await line.call.resume()
    await s.hear("Event: Unhold")
    await asyncio.sleep(0.2)
    await citizen.hang_up()


async def abandoned_in_greeting(s: Stage) -> None:
    await s.sit()
    citizen = await s.phones.call("13800000003")
    await s.hear("UserEvent: CcArrived")
    await asyncio.sleep(0.3)
    await citizen.hang_up()


async def abandoned_waiting(s: Stage) -> None:
    await s.sit(ready=False)
    citizen = await s.phones.call("13800000004")
    await s.hear("UserEvent: CcQueued")
    await asyncio.sleep(0.7)
    await citizen.hang_up()


async def abandoned_while_ringing(s: Stage) -> None:
    await s.sit()
    s.li.behaviour = "ignore"
    citizen = await s.phones.call("13800000005")
    await s.hear("Event: AgentCalled")
    await asyncio.sleep(0.7)
    await citizen.hang_up()


async def declined_then_answered(s: Stage) -> None:
    await s.sit(both=True)
    s.li.behaviour = s.wang.behaviour = "reject"
    citizen = await s.phones.call("13800000006")
    await s.hear("Event: DialEnd")
    s.li.behaviour = s.wang.behaviour = "answer"
    await s.hear("DialStatus: ANSWER")
    await asyncio.sleep(0.3)
    await citizen.hang_up()


async def rang_out(s: Stage) -> None:
    await s.sit()
    s.li.behaviour = "ignore"
    citizen = await s.phones.call("13800000007")
    await s.hear("Event: DialEnd")
    await s.pause("UNREACHABLE")
    await asyncio.sleep(0.5)
    await citizen.hang_up()


async def nobody_on_duty(s: Stage) -> None:
    citizen = await s.phones.call("13800000008")
    await citizen.wait_ended()


async def queue_timed_out(s: Stage) -> None:
    await s.exchange.longest_wait(2)
    await s.sit(ready=False)
    citizen = await s.phones.call("13800000009")
    await citizen.wait_ended()
    await s.exchange.longest_wait(600)


async def timed_out_while_ringing(s: Stage) -> None:
    await s.exchange.longest_wait(2)
    await s.sit()
    s.li.behaviour = "ignore"
    citizen = await s.phones.call("13800000019")
    await citizen.wait_ended()
    await s.exchange.longest_wait(600)


async def two_calls_same_second(s: Stage) -> None:
    await s.sit(both=True)
    one, two = await asyncio.gather(s.phones.call("13800000010"), s.phones.call("13800000011"))
    await talking(s.li)
    await talking(s.wang)
    await asyncio.sleep(0.3)
    await one.hang_up()
    await asyncio.sleep(0.2)
    await two.hang_up()


async def english_chosen(s: Stage) -> None:
    await s.sit()
    citizen = await s.phones.call("13800000012")
    await citizen.call.wait_established()
    await citizen.call.send_dtmf("1")
    await s.hear("UserEvent: CcChose")
    line = await talking(s.li)
    await asyncio.sleep(0.3)
    await line.hang_up()


async def parallel_number(s: Stage) -> None:
    await s.sit()
    citizen = await s.phones.call("13800000013", "12315")
    await talking(s.li)
    await asyncio.sleep(0.3)
    await citizen.hang_up()


async def break_during_the_talk(s: Stage) -> None:
    await s.sit()
    citizen = await s.phones.call("13800000014")
    await talking(s.li)
    await s.pause("MEAL")
    await asyncio.sleep(0.3)
    await citizen.hang_up()


async def phone_lost_while_ready(s: Stage) -> None:
    await s.sit()
    await s.li.ua.unregister()
    await s.hear("State: UNAVAILABLE")
    await s.li.ua.register()
    await s.hear("State: NOT_INUSE")


async def raw(s: Stage, sender: str, **more: str) -> None:
    """A caller who writes his own SIP talks to a person, who hangs up."""
    async with raw_call(s.exchange.sip, sender=sender, **more) as call:
        await call.until(200)
        line = await talking(s.li)
        await asyncio.sleep(0.2)
        await line.hang_up()
        await call.until(0)


async def chinese_name(s: Stage) -> None:
    await s.sit()
    await raw(s, f'"{CHINESE_NAME}" <sip:13800000015@example.net>')


async def no_number(s: Stage) -> None:
    await s.sit()
    await raw(s, '"Anonymous" <sip:anonymous@anonymous.invalid>')


async def forged_event(s: Stage) -> None:
    await s.sit()
    await raw(s, f"<sip:{SHUTDOWN}@example.net>")


async def waiting(s: Stage) -> Line:
    """A citizen waits while both agents are not ready."""
    await s.sit(both=True, ready=False)
    citizen = await s.phones.call("13800000020")
    await s.hear("UserEvent: CcQueued")
    await asyncio.sleep(0.3)
    return citizen


async def pull(s: Stage, to: str, login: str) -> None:
    """The citizen who came last is pulled to this seat."""
    channel = re.findall(rb"Event: UserEvent.*?\r\nChannel: (\S+)", s.events.heard, re.DOTALL)[-1]
    for action in actions.direct(channel.decode(), to, Phone.DESK, login, names.WHY_PULLED, 1):
        await s.acting.ask(action)


async def pulled_and_answered(s: Stage) -> None:
    await waiting(s)
    await pull(s, "1001", "li.mei")
    line = await talking(s.li)
    await asyncio.sleep(0.3)
    await line.hang_up()


async def pulled_and_hung_up_by_the_citizen(s: Stage) -> None:
    citizen = await waiting(s)
    await pull(s, "1001", "li.mei")
    await talking(s.li)
    await asyncio.sleep(0.3)
    await citizen.hang_up()


async def pulled_and_given_up(s: Stage) -> None:
    s.li.behaviour = "ignore"
    citizen = await waiting(s)
    await pull(s, "1001", "li.mei")
    await s.hear("Event: DialBegin")
    await asyncio.sleep(0.5)
    await citizen.hang_up()


async def pulled_to_nobody_then_answered(s: Stage) -> None:
    s.li.behaviour = "ignore"
    citizen = await waiting(s)
    await pull(s, "1001", "li.mei")
    await s.hear("UserEvent: CcDirectOver")
    await asyncio.sleep(0.3)
    await s.acting.ask(actions.pause("1002", Phone.DESK, None))
    await talking(s.wang)
    await asyncio.sleep(0.3)
    await citizen.hang_up()


async def pulled_and_declined_then_answered(s: Stage) -> None:
    s.li.behaviour = "reject"
    citizen = await waiting(s)
    await pull(s, "1001", "li.mei")
    await s.hear("UserEvent: CcDirectOver")
    await s.acting.ask(actions.pause("1002", Phone.DESK, None))
    await talking(s.wang)
    await asyncio.sleep(0.3)
    await citizen.hang_up()


async def pulled_while_another_rings(s: Stage) -> None:
    s.li.behaviour = "ignore"
    citizen = await waiting(s)
    await s.acting.ask(actions.pause("1001", Phone.DESK, None))
    await s.hear("Event: AgentCalled")
    await asyncio.sleep(0.3)
    await pull(s, "1002", "wang.fang")
    await talking(s.wang)
    await asyncio.sleep(0.3)
    await citizen.hang_up()


STORIES: dict[str, Callable[[Stage], Awaitable[None]]] = {
    story.__name__: story
    for story in (
        answered,
        held_and_resumed,
        abandoned_in_greeting,
        abandoned_waiting,
        abandoned_while_ringing,
        declined_then_answered,
        rang_out,
        nobody_on_duty,
        queue_timed_out,
        timed_out_while_ringing,
        two_calls_same_second,
        english_chosen,
        parallel_number,
        break_during_the_talk,
        phone_lost_while_ready,
        chinese_name,
        no_number,
        forged_event,
        pulled_and_answered,
        pulled_and_hung_up_by_the_citizen,
        pulled_and_given_up,
        pulled_to_nobody_then_answered,
        pulled_and_declined_then_answered,
        pulled_while_another_rings,
    )
}


async def record(wanted: list[str]) -> None:
    async with open_exchange() as exchange, native_stack() as stack:
        ours = Phones(stack, exchange.sip)
        events, acting, everything = await exchange.events(), await exchange.acting(), await exchange.all_events()
        li, wang = [await ours.agent(number, f"secret {number}") for number in ("1001", "1002")]
        stage = Stage(exchange, events, acting, ours, li, wang)
        for name in wanted:
            files = {"cel.json": exchange.cel, "queue_log": exchange.queue_log}
            await asyncio.sleep(2.5)  # app_queue's own pause after a talk
            sizes = {kind: file.stat().st_size if file.exists() else 0 for kind, file in files.items()}
            start, all_start = len(events.heard), len(everything.heard)
            stage.heard = start
            for agent in (li, wang):
                agent.reset()
            await STORIES[name](stage)
            await asyncio.sleep(0.5)
            for number in ("1001", "1002"):
                await unseat(acting, number)
            await asyncio.sleep(0.3)
            (HERE / f"{name}.ami").write_bytes(events.heard[start:])
            if name == "forged_event":
                (HERE / "forged_event_unfiltered.ami").write_bytes(everything.heard[all_start:])
            for kind, file in files.items():
                (HERE / f"{name}.{kind}").write_bytes(file.read_bytes()[sizes[kind] :] if file.exists() else b"")
            print(name, len(events.heard) - start, "bytes", flush=True)


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:] or list(STORIES)))
