"""Who listens, and what they are told. A screen that reads too slowly is dropped; it comes back with a snapshot."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from uuid import uuid4

from pydantic_core import to_json
from typing_extensions import TypedDict

from callcenter import metrics
from callcenter.asterisk.link import Line
from callcenter.callbacks.flow import Waiting
from callcenter.clock import iso, now
from callcenter.floor.changes import (
    Change,
    Corrected,
    ModeLate,
    PhoneGone,
    SeatMoved,
    SupervisionMoved,
    WrapUpCut,
    WrapUpOver,
)
from callcenter.floor.model import Floor, Seat
from callcenter.floor.view import (
    Link,
    Names,
    Patch,
    Pop,
    SeatRow,
    SupervisionRow,
    pop,
    rows,
    seat_row,
    supervision_rows,
)
from callcenter.reports.tally import Book

#: How often a wallboard's lists change at most: so that an event is painted within half a second (bench/board.py).
BOARD_EVERY: Final = 0.4
#: How often figures are sent; a screen that hears nothing for 10 s takes its view for old.
FIGURES_EVERY: Final = 2.0
DESK_ALIVE_EVERY: Final = 6.0
MOST_UNREAD: Final = 256

TAKEN_OVER: Final = 4001
LOGGED_OUT: Final = 4002
TOO_SLOW: Final = 4008


class DeskRows(TypedDict):
    """A person's seat and the call at it."""

    seat: SeatRow | None
    call: Pop | None


class Screen:
    """One connected page. `outbox` is read by its websocket; an int closes it with that code."""

    def __init__(self, view: str) -> None:
        self.view = view
        self.outbox: asyncio.Queue[str | int] = asyncio.Queue(MOST_UNREAD)
        self.n = 0
        self.shown: object = None  # what a desk was told last

    def send(self, text: str) -> None:
        try:
            self.outbox.put_nowait(text)
        except asyncio.QueueFull:
            metrics.SCREEN_OVERRUNS.labels(self.view).inc()
            self.close(TOO_SLOW)

    def close(self, code: int) -> None:
        while self.outbox.full():
            self.outbox.get_nowait()
        self.outbox.put_nowait(code)


class Hub:
    """A sink of the floor. Desks hear at once what concerns them; wallboards now and then what has changed.

    Args:
        names: login -> names; read anew at each use.
        callbacks: who waits to be called back.
        supervision_shown: agents are shown who is in their calls. Supervisors' boards always are; no other board is.
    """

    def __init__(
        self,
        floor: Floor,
        line: Line,
        book: Book,
        names: Callable[[], Names],
        *,
        callbacks: Callable[[], Waiting],
        supervision_shown: bool = False,
    ) -> None:
        self._floor = floor
        self._line = line
        self._book = book
        self._names = names
        self._callbacks = callbacks
        self._epoch = uuid4().hex
        self._n = 0
        self._patch = Patch()
        self._link_moved = False
        self._supervision_shown = supervision_shown
        self._alarms: list[dict[str, Any]] = []
        self._boards: set[Screen] = set()
        self._supervisors: set[Screen] = set()  # those of the boards that show who is in whose call
        self._desks: dict[str, Screen] = {}
        self._logins: dict[str, str] = {}  # seat -> who sits there, to tell who has just left
        self._places: dict[str, str] = {}  # login -> the seat where this person was last found
        line.watchers.append(self._line_moved)
        metrics.SCREEN_UNREAD.labels("floor").set_function(lambda: _most_unread(self._boards))
        metrics.SCREEN_UNREAD.labels("desk").set_function(lambda: _most_unread(self._desks.values()))

    def __call__(self, changes: Sequence[Change]) -> None:
        logins: set[str] = set()
        for change in changes:
            match change:
                case Corrected() | ModeLate():
                    pass
                case SupervisionMoved(supervision=supervision):
                    self._tell_supervision(supervision.on)
                case WrapUpOver(seat=seat) | WrapUpCut(seat=seat) | PhoneGone(seat=seat):
                    self._patch.seats.add(seat.number)
                case SeatMoved(seat=seat):
                    self._patch.seats.add(seat.number)
                    logins.update((seat.login, self._logins.get(seat.number, "")))
                    self._logins[seat.number] = seat.login
                case _:
                    self._patch.calls.add(change.call.id)
                    for leg in change.call.legs:
                        if (there := self._floor.seats.get(leg.seat)) is not None and there.call is change.call:
                            logins.add(there.login)
        for login in logins:
            self._tell_desk(login)

    def names(self) -> Names:
        """Login -> names, as they are now."""
        return self._names()

    def seat_of(self, login: str) -> Seat | None:
        """The seat at which this person sits."""
        seat = self._floor.seats.get(self._places.get(login, ""))
        if seat is not None and seat.login == login:
            return seat
        seat = next((seat for seat in self._floor.seats.values() if seat.login == login), None)
        if seat is not None:
            self._places[login] = seat.number
        return seat

    def floor_view(self) -> dict[str, Any]:
        """The whole floor, as a wallboard begins with it."""
        view: dict[str, Any] = {
            "n": self._n,
            "epoch": self._epoch,
            "at": iso(now()),
            "node": self._floor.node,
            "link": self.link(),
            "figures": self._book.figures(now()),
            "callbacks": self._callbacks(),
        }
        return {**view, **rows(self._floor, self._names())}

    def desk_view(self, login: str) -> DeskRows:
        """The person's seat and the call at it."""
        seat = self.seat_of(login)
        return {
            "seat": seat_row(seat, self._names()) if seat else None,
            "call": pop(seat.call, seat, now(), self._names()) if seat and seat.call else None,
        }

    def link(self) -> Link:
        """How well we hear Asterisk."""
        return {"state": self._line.state, "since": iso(self._line.since), "why": self._line.why}

    def tell_desks(self, logins: Iterable[str], message: dict[str, Any]) -> None:
        """Say something to these people's desks, if they are open. It belongs to no view, and has no number."""
        _send([self._desks[login] for login in logins if login in self._desks], message)

    def tell_alarms(self, alarms: list[dict[str, Any]]) -> None:
        """All alarms that are raised now, for every board."""
        self._alarms = alarms
        _send(self._boards, {"type": "alarms", "alarms": alarms})

    def supervisions(self) -> list[SupervisionRow]:
        """Who is in whose call, for supervisors."""
        return supervision_rows(self._floor, self._names())

    def add_board(self, *, supervisor: bool = False) -> Screen:
        """A new wallboard; a supervisor's shows who is in whose call."""
        screen = Screen("floor")
        shown = {"supervisions": self.supervisions()} if supervisor else {}
        screen.send(_json({"type": "snapshot", "alarms": self._alarms} | self.floor_view() | shown))
        self._boards.add(screen)
        if supervisor:
            self._supervisors.add(screen)
        metrics.SCREENS.labels("floor").inc()
        return screen

    def add_desk(self, login: str) -> Screen:
        """A new desk of this person; an older one is told that it has been taken over."""
        if older := self._desks.get(login):
            older.close(TAKEN_OVER)
        screen = self._desks[login] = Screen("desk")
        screen.send(
            _json({"type": "snapshot", "n": 0, "epoch": self._epoch, "link": self.link(), **self.desk_view(login)})
        )
        if (seat := self.seat_of(login)) is not None and (there := self._supervised(seat)):
            screen.send(_json({"type": "supervised", "supervised": there}))
        metrics.SCREENS.labels("desk").inc()
        return screen

    def drop(self, screen: Screen) -> None:
        metrics.SCREENS.labels(screen.view).dec()
        self._boards.discard(screen)
        self._supervisors.discard(screen)
        for login in [login for login, desk in self._desks.items() if desk is screen]:
            del self._desks[login]

    async def keep_boards(self) -> None:
        """Tell the wallboards what has changed, for ever."""
        while True:
            await asyncio.sleep(BOARD_EVERY)
            self.tell_boards()

    def tell_boards(self) -> None:
        """Tell the wallboards what has changed since the last time, if anything."""
        if not self._patch and not self._link_moved:
            return
        self._n += 1
        changes: dict[str, Any] = {"type": "changes", "n": self._n, "at": iso(now())}
        changes.update(self._patch.take(self._floor, self._names()))
        if self._link_moved:
            changes["link"] = self.link()
            self._link_moved = False
        _send(self._boards, changes)

    async def keep_figures(self) -> None:
        """Send the figures of the day, for ever. They also tell a wallboard that we live."""
        while True:
            await asyncio.sleep(FIGURES_EVERY)
            if self._boards:
                _send(
                    self._boards,
                    {"type": "figures", "figures": self._book.figures(now()), "callbacks": self._callbacks()},
                )

    async def keep_desks(self) -> None:
        """Tell the desks that we live, for ever."""
        while True:
            await asyncio.sleep(DESK_ALIVE_EVERY)
            _send(self._desks.values(), {"type": "alive"})

    def tell_all(self, message: dict[str, Any]) -> None:
        """Something of another room's to every screen; it is no part of what a screen shows, and has no number."""
        _send((*self._boards, *self._desks.values()), message)

    def tell(self, login: str, message: dict[str, Any]) -> None:
        """The same to one person's desk, if it is open."""
        if screen := self._desks.get(login):
            screen.send(_json(message))

    def is_there(self, login: str) -> bool:
        """Whether this person's desk is open."""
        return login in self._desks

    def _tell_desk(self, login: str) -> None:
        screen = self._desks.get(login)
        if screen is None:
            return
        view = self.desk_view(login)
        if view != screen.shown:
            screen.shown = view
            screen.n += 1
            screen.send(_json({"type": "changes", "n": screen.n, **view}))

    def _tell_supervision(self, on: str) -> None:
        # Few and seldom: all of them each time, so that nothing can be missed.
        _send(self._supervisors, {"type": "supervisions", "supervisions": self.supervisions()})
        seat = self._floor.seats.get(on)
        if self._supervision_shown and seat is not None and (screen := self._desks.get(seat.login)):
            screen.send(_json({"type": "supervised", "supervised": self._supervised(seat)}))

    def _supervised(self, seat: Seat) -> list[SupervisionRow]:
        return supervision_rows(self._floor, self._names(), seat.number) if self._supervision_shown else []

    def _line_moved(self) -> None:
        self._link_moved = True
        for screen in self._desks.values():
            screen.n += 1
            screen.send(_json({"type": "changes", "n": screen.n, "link": self.link()}))


def _most_unread(screens: Iterable[Screen]) -> int:
    return max((screen.outbox.qsize() for screen in screens), default=0)


def _send(screens: Iterable[Screen], message: dict[str, Any]) -> None:
    text = _json(message)
    for screen in list(screens):
        screen.send(text)


def _json(message: dict[str, Any]) -> str:
    return to_json(message).decode()
