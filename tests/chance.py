"""Calls with random acts on real phones: hold, hang-up at every moment, break, lost phone, a seat left and taken again.

The board is watched meanwhile: it may differ from what the phones know for `PATIENCE` seconds, not longer.
"""

import asyncio
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from baresip import BaresipError
from phones import Agent, Line
from stack import Desk, Screen, Stack
from trunk import Citizen

from agents.seats import BREAKS
from callcenter.log import mask

PATIENCE = 5.0
EVERY = 0.25  # seconds from one look at the board to the next
IN_CALL = frozenset({"ringing", "talking", "on_hold"})


@dataclass
class Person:
    """An agent who does anything, and what the phone on the desk knows of it."""

    desk: Desk
    seat: str
    phone: Agent
    lost: bool = False  # the phone is not registered

    @property
    def line(self) -> Line | None:
        """The line that rings or talks now."""
        return next((line for line in self.phone.all if not line.ended.is_set()), None)

    def differs(self, state: str) -> bool:
        """Whether a state on the board cannot be true by what the phone knows."""
        line = self.line
        if line is not None:
            return state not in ({"talking", "on_hold"} if line.answered_at else {"ringing"})
        return state in IN_CALL or (self.lost and state not in {"unreachable", "offline"})


@dataclass
class Watch:
    """What is wrong on the board, for how long; and what was wrong for too long.

    A look that comes late counts as one look: when this process had to wait for a core, so had its phones.
    """

    wrong: dict[str, float] = field(default_factory=dict)
    found: dict[str, float] = field(default_factory=dict)
    longest: float = 0.0

    def look(self, differences: set[str]) -> None:
        self.wrong = {what: self.wrong.get(what, -EVERY) + EVERY for what in differences}
        for what, seconds in self.wrong.items():
            self.longest = max(self.longest, seconds)
            if seconds > PATIENCE:
                self.found[what] = seconds


class Chance:
    """People at their desks and callers, all of whom do anything."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self.stack = stack
        self.chance = random.Random(seed)
        self.people: list[Person] = []
        self.citizens: list[Citizen] = []
        self.acts: Counter[str] = Counter()
        self.watch = Watch()
        self.over = False

    @property
    def slowest(self) -> float:
        """The longest that Asterisk took to answer an INVITE: how late it may have seen an answer or a hang-up."""
        return max(each.answered_at - each.invited_at for each in self.citizens if each.answered_at)

    async def run(self, people: int, calls: int, every: float) -> None:
        """So many calls, on average one in `every` seconds, among so many people. Returns when all have ended."""
        await self._staff(people)
        board = await self.stack.board()
        working = [asyncio.ensure_future(self._work(person)) for person in self.people]
        watching = asyncio.ensure_future(self._watch(board))
        under_way = []
        try:
            for _ in range(calls):
                under_way.append(asyncio.ensure_future(self._call()))
                await asyncio.sleep(self.chance.expovariate(1 / every))
            await asyncio.gather(*under_way)
            self.over = True  # acts end by themselves: a phone whose leaving is cut off leaves after it has come back
            await asyncio.sleep(PATIENCE + 1)
        finally:
            self.over = True
            for task in (*working, watching):
                task.cancel()
            ended = await asyncio.gather(*working, watching, return_exceptions=True)
            for person in self.people:
                if person.lost:  # who sits here in another test finds the phone in its place
                    await person.phone.ua.register()
        for error in ended:
            if isinstance(error, Exception):
                raise error
        assert not self.watch.found, self.watch.found
        assert not board.view["calls"], "a ghost call"

    async def _staff(self, number: int) -> None:
        demo = {"limei": "1001", "wangqiang": "1002", "chenjing": "1003", "zhaolei": "1004"}
        new = {f"chance{n}": str(3000 + n) for n in range(number - len(demo))}
        boss = await self.stack.boss()
        for login, seat in new.items():
            await self.stack.hire(boss, login, seat)
        for login, seat in list((demo | new).items())[:number]:
            desk = await (await self.stack.desk(login)).sit(seat)
            assert desk.phone is not None
            self.people.append(Person(desk, seat, desk.phone))

    async def _call(self) -> None:
        """A citizen who hangs up at any moment: in the greeting, waiting, while it rings, in the talk, on hold."""
        citizen = await self.stack.trunk.call(self.stack.number())
        self.citizens.append(citizen)
        await citizen.until("answered_at")
        key = self.chance.choice(["", "1", "1", "2", "2", "2"])
        if key:
            await asyncio.sleep(0.2)
            await citizen.press(key)
        patience = self.chance.choice([0.0, 0.2, 1.0, 2.0, 4.0, 9.0, 20.0])
        with suppress(TimeoutError):
            await citizen.until("ended_at", patience * self.chance.uniform(0.5, 1.5))
        await citizen.hang_up()

    async def _work(self, person: Person) -> None:
        """Do anything, again and again: one thing in a talk, another between talks."""
        in_talk = (self._hold, self._resume, self._hang_up, self._hang_up_by_page, self._break, self._do_nothing)
        in_talk += (self._consult, self._consult, self._join, self._complete, self._back, self._transfer)
        between = (self._break, self._ready, self._ready, self._finish, self._extend, self._leave, self._lose_phone)
        while not self.over:
            person.phone.behaviour = self.chance.choices(["answer", "ignore", "reject"], [18, 1, 1])[0]
            person.phone.delay = self.chance.choice([0.0, 0.0, 0.3, 1.5])
            await asyncio.sleep(self.chance.expovariate(1 / 1.5))
            talking = person.line is not None and person.line.answered_at is not None
            act = self.chance.choice(in_talk if talking else between)
            self.acts[act.__name__.strip("_")] += 1
            with suppress(BaresipError):  # the call has ended meanwhile
                await act(person)

    async def _ask(self, person: Person, method: str, path: str, body: object = None) -> None:
        """What is not possible now is refused in words; nothing else may go wrong."""
        status, answer = await person.desk.browser.ask(method, f"/api/v1{path}", body)
        refused = status == 404 and answer["error"]["code"] in {"no_call", "no_such_target"}
        assert status in {202, 409} or refused, f"{path}: {status} {answer}"

    async def _ask_call(self, person: Person, act: str, body: object = None) -> None:
        if call := person.desk.screen.view.get("call"):
            await self._ask(person, "POST", f"/calls/{call['id']}/{act}", body)

    async def _consult(self, person: Person) -> None:
        other = self.chance.choice([each for each in self.people if each is not person])
        await self._ask_call(person, "consult", {"to": {"kind": "seat", "code": other.seat}})

    async def _join(self, person: Person) -> None:
        await self._ask_call(person, "join")

    async def _complete(self, person: Person) -> None:
        await self._ask_call(person, "complete")

    async def _back(self, person: Person) -> None:
        await self._ask_call(person, "back")

    async def _transfer(self, person: Person) -> None:
        other = self.chance.choice([each for each in self.people if each is not person])
        to = self.chance.choice([("seat", other.seat), ("queue", "english")])
        await self._ask_call(person, "transfer", {"to": {"kind": to[0], "code": to[1]}})

    async def _do_nothing(self, person: Person) -> None:
        await asyncio.sleep(1)

    async def _hold(self, person: Person) -> None:
        if line := person.line:
            await line.call.hold()

    async def _resume(self, person: Person) -> None:
        if line := person.line:
            await line.call.resume()

    async def _hang_up(self, person: Person) -> None:
        if line := person.line:
            await line.hang_up()

    async def _hang_up_by_page(self, person: Person) -> None:
        await self._ask(person, "POST", "/desk/hangup")

    async def _break(self, person: Person) -> None:
        await self._ask(person, "POST", "/desk/break", {"code": self.chance.choice(list(BREAKS))})
        await asyncio.sleep(self.chance.uniform(0, 2))

    async def _ready(self, person: Person) -> None:
        await self._ask(person, "POST", "/desk/ready")

    async def _finish(self, person: Person) -> None:
        await self._ask(person, "POST", "/desk/wrap-up", {"act": "finish"})

    async def _extend(self, person: Person) -> None:
        await self._ask(person, "POST", "/desk/wrap-up", {"act": "extend"})

    async def _leave(self, person: Person) -> None:
        await self._ask(person, "DELETE", "/desk/seat")
        await asyncio.sleep(self.chance.uniform(0, 2))
        await self._ask(person, "POST", "/desk/seat", {"number": person.seat, "phone": "desk"})
        await self._ask(person, "POST", "/desk/ready")

    async def _lose_phone(self, person: Person) -> None:
        await person.phone.ua.unregister()
        person.lost = True
        await asyncio.sleep(self.chance.choice([0.5, 3, 7]))
        person.lost = False
        await person.phone.ua.register()
        await asyncio.sleep(0.5)
        await self._ask(person, "POST", "/desk/ready")

    async def _watch(self, board: Screen) -> None:
        while True:
            await asyncio.sleep(EVERY)
            seats, over = board.view["seats"], {mask(each.number) for each in self.citizens if each.ended_at}
            shown = {each.seat: seats[each.seat]["state"] if each.seat in seats else "offline" for each in self.people}
            wrong = {f"{each.seat} is {shown[each.seat]}" for each in self.people if each.differs(shown[each.seat])}
            ghosts = {f"{key} lives" for key, call in board.view["calls"].items() if call["number"] in over}
            self.watch.look(wrong | ghosts)
