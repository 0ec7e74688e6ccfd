"""Random walks over the floor: any facts in any order, time passing, snapshots in between. Nonsense, on purpose."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from exchange import NODE
from hypothesis import strategies as st
from stories import take_in

from agents.seats import BREAKS, NOT_READY, UNREACHABLE, WRAP_UP, Phone
from callcenter.asterisk import facts
from callcenter.floor.changes import Change
from callcenter.floor.model import Floor, Side
from callcenter.floor.step import tick

START = datetime(2026, 3, 1, tzinfo=UTC)

Fact = facts.Fact | facts.Snapshot
Step = tuple[int, Fact | None]  # milliseconds later; None: only time passes

calls = st.sampled_from([f"{NODE}-{n}.0" for n in range(3)])
seats = st.sampled_from(["1001", "1002"])
phones = st.sampled_from(Phone)
logins = st.sampled_from(["li.mei", "wang.fang"])
queues = st.sampled_from(["citizen", "english"])
pauses = st.sampled_from([None, None, WRAP_UP, NOT_READY, UNREACHABLE, *list(BREAKS)[:1]])
#: A phone's channel; a number of it belongs to one seat, as in Asterisk.
channels = st.sampled_from([f"PJSIP/{seat}-{n:08x}" for seat in ("1001", "1002") for n in range(3)])
now = st.just(START)
number = st.just("13800000001")


def _rang(call: str, channel: str, login: str, queue: str) -> facts.Rang:
    seat = channel[6:10]
    return facts.Rang(START, call, seat, Phone.DESK, channel, login, queue)


def _alive(call: str, channel: str, own: bool, up: bool) -> facts.Alive:
    return facts.Alive(f"PJSIP/trunk-{call[-3:-2]}" if own else channel, call, own, START, "138", up)


alive = st.builds(_alive, calls, channels, st.booleans(), st.booleans())
members = st.builds(facts.Member, seats, phones, logins, queues, pauses, st.none() | now)
snapshots = st.builds(
    facts.Snapshot,
    now,
    st.sampled_from([START - timedelta(days=1), START + timedelta(seconds=20)]),
    st.lists(alive, max_size=4).map(tuple),
    st.lists(members, max_size=3).map(tuple),
    st.dictionaries(calls, queues, max_size=2),
    st.dictionaries(st.tuples(seats, phones), st.booleans(), max_size=3),
)
any_fact = st.one_of(
    st.builds(
        facts.Arrived, now, calls, st.just("PJSIP/trunk-0"), st.just("138"), st.just(""), st.just("12345"), queues
    ),
    st.builds(facts.Chose, now, calls, st.just("english"), st.just("en")),
    st.builds(facts.Queued, now, calls, queues),
    st.builds(facts.Left, now, calls, st.sampled_from(["TIMEOUT", "JOINEMPTY", "CONTINUE"])),
    st.builds(facts.Refused, now, calls, st.just("FULL")),
    st.builds(_rang, calls, channels, logins, queues),
    st.builds(_rang, calls, channels, logins, queues),
    st.builds(facts.PickedUp, now, calls, channels),
    st.builds(facts.PickedUp, now, calls, channels),
    st.builds(facts.RingOver, now, calls, channels, st.booleans()),
    st.builds(facts.Held, now, channels, st.booleans()),
    st.builds(facts.TalkOver, now, calls, channels, st.none() | st.sampled_from(Side)),
    st.builds(facts.HungUp, now, channels, st.none()),
    st.builds(facts.HungUp, now, st.just("PJSIP/trunk-0"), calls, st.none()),
    st.builds(facts.Seated, now, seats, phones, logins, queues, pauses, st.booleans()),
    st.builds(facts.Seated, now, seats, st.just(Phone.DESK), logins, queues, st.none(), st.just(True)),
    st.builds(facts.Unseated, now, seats, phones, queues),
    st.builds(facts.Paused, now, seats, phones, pauses),
    st.builds(facts.Reached, now, seats, phones, st.booleans()),
    st.builds(facts.WrapUpExtended, now, seats, st.just(timedelta(seconds=60))),
    snapshots,
)
steps = st.tuples(st.sampled_from([0, 0, 1, 900, 3000, 15_001, 61_000]), st.none() | any_fact)

#: Beginnings that make sense, so that the nonsense after them has something to spoil.
CALL, PHONE, SECOND = f"{NODE}-0.0", "PJSIP/1001-00000000", "PJSIP/1001-00000001"
_sat = [(0, facts.Seated(START, "1001", Phone.DESK, "li.mei", "citizen", None, True))]
_waiting = [
    (0, facts.Arrived(START, CALL, "PJSIP/trunk-0", "13800000001", "", "12345", "city")),
    (900, facts.Queued(START, CALL, "citizen")),
]
_ringing = [(1, _rang(CALL, PHONE, "li.mei", "citizen"))]
_talking = [(900, facts.PickedUp(START, CALL, PHONE))]
_wrapping = [
    (900, facts.TalkOver(START, CALL, PHONE, Side.AGENT)),
    (0, facts.Paused(START, "1001", Phone.DESK, WRAP_UP)),
]
beginnings = st.sampled_from(
    [
        [],
        _waiting,
        [*_sat, *_waiting, *_ringing],
        [*_sat, *_waiting, *_ringing, *_talking],
        [*_sat, *_waiting, *_ringing, *_talking, *_wrapping],
    ]
)
#: Facts about the call and the seat of the beginning alone.
about = st.one_of(
    st.builds(facts.Left, now, st.just(CALL), st.just("TIMEOUT")),
    st.builds(facts.RingOver, now, st.just(CALL), st.just(PHONE), st.booleans()),
    st.just(_rang(CALL, SECOND, "li.mei", "citizen")),
    st.builds(facts.PickedUp, now, st.just(CALL), st.sampled_from([PHONE, SECOND])),
    st.just(facts.Held(START, PHONE, True)),
    st.just(facts.Held(START, PHONE, False)),
    st.builds(facts.TalkOver, now, st.just(CALL), st.just(PHONE), st.none() | st.sampled_from(Side)),
    st.builds(facts.HungUp, now, st.just("PJSIP/trunk-0"), st.just(CALL), st.none()),
    st.builds(facts.Paused, now, st.just("1001"), st.just(Phone.DESK), pauses),
    st.builds(facts.Reached, now, st.just("1001"), st.just(Phone.DESK), st.booleans()),
)
near = st.tuples(st.sampled_from([0, 1, 900, 11_000, 15_001, 61_000]), st.none() | about)
walks = st.builds(lambda start, rest: [*start, *rest], beginnings, st.lists(near | steps, min_size=1, max_size=25))


def at(fact: Fact, when: datetime) -> Fact:
    """The same fact, at another time."""
    return fact._replace(at=when) if isinstance(fact, tuple) else replace(fact, at=when)


def take(floor: Floor, one: Step) -> list[Change]:
    """Go one step; time is the floor's own."""
    later, fact = one
    when = max(floor.at, START) + timedelta(milliseconds=later)
    return tick(floor, when) if fact is None else take_in(floor, at(fact, when))
