"""Supervisors in agents' calls (班长席), as facts tell of them. Part of `step`, pure as that is.

A supervisor's phone is never a leg of the call, until it has taken the call over.
"""

from collections.abc import Container, Iterator
from datetime import datetime, timedelta
from typing import Final

from agents.supervision import Mode
from callcenter.asterisk import facts
from callcenter.floor.changes import ModeLate, SupervisionMoved
from callcenter.floor.model import Floor, Supervision

Moves = Iterator[SupervisionMoved]

#: Asterisk rings the supervisor's phone this long at most.
RING_SECONDS: Final = 15
_UNANSWERED: Final = timedelta(seconds=RING_SECONDS + 2)
#: A phone that is between two steps of the dialplan can lose a Redirect: it is sent again. A mode that has begun is not
#: asked for again, and begun twice it is the same.
_ASK_AGAIN: Final = timedelta(seconds=1)
_MOST_TRIES: Final = 4


def asked(floor: Floor, fact: facts.SupervisionAsked) -> Moves:
    if fact.id not in floor.supervisions:
        supervision = floor.supervisions[fact.id] = _supervision(fact)
        yield SupervisionMoved(fact.at, supervision, None, over=False)


def supervising(floor: Floor, fact: facts.Supervising) -> Moves:
    """In a mode. One that nobody asked for was asked for before the service started anew."""
    there = floor.supervisions.get(fact.id)
    if there is None:
        there = floor.supervisions[fact.id] = _supervision(fact)
    if there.since is not None and fact.at <= there.since:
        return
    was = _now(there)
    there.mode, there.channel, there.since = fact.mode, fact.channel, fact.at
    if fact.mode is there.wanted:
        there.wanted = there.ask_again_at = None
    yield SupervisionMoved(fact.at, there, was, over=False)


def mode_asked(floor: Floor, fact: facts.ModeAsked) -> Moves:
    if there := floor.supervisions.get(fact.id):
        there.wanted, there.ask_again_at, there.tries = fact.mode, fact.at + _ASK_AGAIN, 1
    yield from ()


def ask_again(supervision: Supervision, now: datetime) -> ModeLate:
    """A mode that was asked for has not begun; the last time that this is told nothing more is tried."""
    supervision.tries += 1
    supervision.ask_again_at = now + _ASK_AGAIN if supervision.tries < _MOST_TRIES else None
    return ModeLate(now, supervision)


def hung_up(floor: Floor, at: datetime, channel: str) -> Moves:
    """A phone's channel ended: the supervisor's, or one that was rung for it and not answered."""
    phone = facts.phone_of(channel)
    for each in list(floor.supervisions.values()):
        if each.channel == channel or (not each.channel and phone is not None and phone[0] == each.seat):
            yield end(floor, at, each)


def joined(floor: Floor, fact: facts.Joined) -> Moves:
    """The supervisor's phone has become a leg of the call."""
    for each in list(floor.supervisions.values()):
        if each.channel == fact.channel:
            yield end(floor, fact.at, each)


def swept(floor: Floor, at: datetime, alive: Container[str]) -> Moves:
    """A snapshot does not know the phone's channel any more."""
    for each in list(floor.supervisions.values()):
        if each.channel and each.channel not in alive:
            yield end(floor, at, each)


def unanswered_at(supervision: Supervision) -> datetime | None:
    """When one whose phone was never heard of is given up."""
    return None if supervision.channel else supervision.asked_at + _UNANSWERED


def end(floor: Floor, at: datetime, supervision: Supervision) -> SupervisionMoved:
    del floor.supervisions[supervision.id]
    return SupervisionMoved(at, supervision, _now(supervision), over=True)


def _supervision(fact: facts.SupervisionAsked | facts.Supervising) -> Supervision:
    return Supervision(fact.id, fact.login, fact.seat, fact.agent, fact.on, fact.call, fact.mode, fact.at)


def _now(supervision: Supervision) -> tuple[Mode, datetime] | None:
    return (supervision.mode, supervision.since) if supervision.since else None
