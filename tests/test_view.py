"""What screens are told, on random walks: old rows + patch = new rows, and never too much for a slow reader."""

import json
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from exchange import NODE, SYSTEM_NAME
from hypothesis import given, settings
from stories import STORIES, facts_of, new_floor, traffic
from walks import START, Step, take, walks

from agents.seats import Phone, SeatState
from callcenter.asterisk.facts import Paused, Seated
from callcenter.asterisk.link import Account, Address, Line
from callcenter.callbacks.flow import Hours, Roll, Rules
from callcenter.floor.model import Call, Floor, Leg, Seat
from callcenter.floor.step import step, tick
from callcenter.floor.view import call_row, call_state, pop, rows
from callcenter.push.hub import MOST_UNREAD, TAKEN_OVER, TOO_SLOW, Hub, Screen
from callcenter.reports.tally import Book

NAMES = {"li.mei": ("李梅", "Li Mei")}


def new_hub(floor: Floor) -> Hub:
    line = Line(Account(NODE, Address("127.0.0.1", 1), SYSTEM_NAME, "", ""))
    zone = ZoneInfo("Asia/Shanghai")
    roll = Roll(Rules((), Hours(time(8), time(21), zone), dial_given_up=False))
    return Hub(floor, line, Book(zone, START), lambda: NAMES, callbacks=roll.waiting)


def read(screen: Screen) -> list[dict[str, Any]]:
    """All that is in its outbox."""
    said = []
    while not screen.outbox.empty():
        text = screen.outbox.get_nowait()
        assert isinstance(text, str)
        said.append(json.loads(text))
    return said


def patched(view: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    """The law, as a page does it."""
    assert message["n"] == view["n"] + 1
    view = {**view, "n": message["n"]}
    for kind in ("calls", "seats"):
        both = {**view[kind], **message[kind]}
        view[kind] = {key: row for key, row in both.items() if row is not None}
    return view


def as_json(value: object) -> Any:
    return json.loads(json.dumps(value))


@settings(max_examples=250, deadline=None)
@given(walk=walks)
def test_old_rows_and_patch_are_the_new_rows(walk: list[Step]) -> None:
    floor = new_floor()
    hub = new_hub(floor)
    board = hub.add_board()
    (view,) = read(board)
    for n, one in enumerate(walk):
        hub(take(floor, one))
        if n % 3:
            hub.tell_boards()
            for message in read(board):
                view = patched(view, message)
            truth = as_json(rows(floor, NAMES))
            assert view["calls"] == truth["calls"]
            assert view["seats"] == truth["seats"]


@settings(max_examples=100, deadline=None)
@given(walk=walks)
def test_a_desk_always_shows_its_seat_and_its_call(walk: list[Step]) -> None:
    """Of everything that a walk tells, what a desk was told last is what is true (waiting time left aside)."""
    floor = new_floor()
    hub = new_hub(floor)
    desk = hub.add_desk("li.mei")
    view: dict[str, Any] = {}
    for one in walk:
        hub(take(floor, one))
        for message in read(desk):
            view |= message
        truth = as_json(hub.desk_view("li.mei"))
        for shown in (view, truth):
            if shown["call"]:
                shown["call"].pop("waited_ms", None)
                shown["call"].pop("late", None)
            if shown["seat"]:
                shown["seat"].pop("wrap_up_until", None)
        assert (view["seat"], view["call"]) == (truth["seat"], truth["call"])


def test_the_stories_hold_the_law_too() -> None:
    for story in STORIES:
        floor = new_floor()
        hub = new_hub(floor)
        board = hub.add_board()
        (view,) = read(board)
        for fact in facts_of([traffic(story)]):
            hub(step(floor, fact))
            hub.tell_boards()
            for message in read(board):
                view = patched(view, message)
            truth = as_json(rows(floor, NAMES))
            assert (view["calls"], view["seats"]) == (truth["calls"], truth["seats"]), story


def test_lists_show_no_number_in_full_and_the_pop_does() -> None:
    floor = new_floor()
    for fact in facts_of([traffic("answered")])[:-4]:
        step(floor, fact)
        for call in floor.calls.values():
            assert "13800000001" not in json.dumps(call_row(call))
            assert pop(call, floor.seat("1001"), fact.at, {})["number"] in {"", "13800000001"}


def test_where_a_call_stands() -> None:
    call = Call("t1-1.0", START)
    assert call_state(call) == "greeting"
    call.queued_at = START
    assert call_state(call) == "waiting"
    leg = Leg("1001", "li.mei", "citizen", "PJSIP/1001-00000001", START)
    call.legs.append(leg)
    assert call_state(call) == "ringing"
    leg.answered_at = START
    assert call_state(call) == "talking"
    call.held_since = START
    assert call_state(call) == "on_hold"
    call.held_since, leg.ended_at = None, START
    assert call_state(call) == "ended"  # and not "waiting" again, until the line is down
    call.ended_at = START
    assert call_state(call) == "ended"


def test_who_has_left_the_queue_unanswered_does_not_wait_any_more() -> None:
    floor = new_floor()
    hub = new_hub(floor)
    board = hub.add_board()
    for fact in facts_of([traffic("queue_timed_out")]):
        hub(step(floor, fact))
        if type(fact).__name__ == "Left":
            hub.tell_boards()
            (row,) = read(board)[-1]["calls"].values()
            assert row["state"] == "greeting"
            return
    raise AssertionError("nobody left")


def test_the_pop_counts_the_wait() -> None:
    call = Call("t1-1.0", START, queued_at=START + timedelta(seconds=1))
    assert pop(call, Seat("1001"), START + timedelta(seconds=3.5), {})["waited_ms"] == 2500


# --- screens ----------------------------------------------------------------------------------------------------------


def test_a_screen_that_does_not_read_is_dropped_and_told_why() -> None:
    screen = Screen("floor")
    for n in range(MOST_UNREAD + 1):
        screen.send(str(n))
    assert screen.outbox.qsize() <= MOST_UNREAD
    last = None
    while not screen.outbox.empty():
        last = screen.outbox.get_nowait()
    assert last == TOO_SLOW


def test_the_newest_desk_of_a_person_wins() -> None:
    hub = new_hub(new_floor())
    first, second = hub.add_desk("li.mei"), hub.add_desk("li.mei")
    read_first = [first.outbox.get_nowait() for _ in range(first.outbox.qsize())]
    assert read_first[-1] == TAKEN_OVER
    assert read(second)[0]["type"] == "snapshot"
    hub.drop(first)
    hub([*step_of_seat(hub)])
    assert read(second), "the newest is still told"


def step_of_seat(hub: Hub) -> list[Any]:
    floor = hub._floor
    return step(floor, facts_of([traffic("answered")])[0])


def test_empty_seats_are_not_on_the_board() -> None:
    floor = new_floor()
    hub = new_hub(floor)
    board = hub.add_board()
    for fact in facts_of([traffic("phone_lost_while_ready")]):
        hub(step(floor, fact))
    hub.tell_boards()
    assert floor.seats["1001"].state is SeatState.OFFLINE
    assert read(board)[-1]["seats"] == {"1001": None}
    assert hub.floor_view()["seats"] == {}


def test_a_wrap_up_that_is_asked_to_end_is_shown_as_it_is() -> None:
    floor = new_floor()
    hub = new_hub(floor)
    board = hub.add_board()
    (view,) = read(board)
    sat = Seated(START, "1001", Phone.DESK, "li.mei", "citizen", "WRAPUP", True)
    for changes in (step(floor, sat), step(floor, Paused(START, "1001", Phone.DESK, "WRAPUP"))):
        hub(changes)
    for seconds in (60, 62, 64):
        hub(tick(floor, START + timedelta(seconds=seconds)))
        hub.tell_boards()
        for message in read(board):
            view = patched(view, message)
        assert view["seats"] == as_json(rows(floor, NAMES))["seats"]
