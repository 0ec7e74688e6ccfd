"""Steps of a call that is passed on, asked about, or shared (转接, 咨询, 三方通话). Used by `step` alone; as pure."""

from callcenter.asterisk import facts
from callcenter.floor.changes import CallMoved
from callcenter.floor.legs import Changes, count_hold
from callcenter.floor.model import Call, Floor, Leg, LegEnd, LegKind, Side


def tell_kind(call: Call, leg: Leg, fact: facts.Rang) -> None:
    """Why this phone or line rings, when it is not the queue that rings it."""
    if fact.kind is LegKind.QUEUE:
        return
    leg.kind, leg.line, leg.queue = fact.kind, fact.line, ""
    leg.login = leg.login or fact.login
    call.moved = True
    if leg.kind is LegKind.TRANSFER:
        call.in_room = call.parked = False
        count_hold(call, fact.at)
        _passed_on(call)


def entered(floor: Floor, fact: facts.Entered) -> Changes:
    """A channel is in the room; when it is the citizen's own, the music is over."""
    call = floor.calls.get(fact.call)
    if call is None:
        return
    was = call.moved, call.in_room, call.parked
    call.moved = True
    if fact.channel == call.channel:
        call.in_room, call.parked = True, False
        count_hold(call, fact.at)
    if was != (call.moved, call.in_room, call.parked):
        yield CallMoved(fact.at, call)


def parked(floor: Floor, fact: facts.Parked) -> Changes:
    """The citizen waits with music: held, as by the phone's own key."""
    call = floor.calls.get(fact.call)
    if call is not None and not call.parked:
        call.moved = call.in_room = call.parked = True
        call.held_since = call.held_since or fact.at
        yield CallMoved(fact.at, call)


def gone(floor: Floor, fact: facts.Gone) -> Changes:
    """Who ended a call that was moved: the citizen, or the last of the others. The end itself follows."""
    call = floor.calls.get(fact.call)
    if call is not None and call.ended_by is None:
        call.ended_by = Side.AGENT if fact.over else Side.CALLER
    yield from ()


def queued_again(call: Call, fact: facts.Queued) -> Changes:
    """The citizen waits in a queue once more, passed on by an agent, or because nobody was left."""
    call.again_queue, call.again_at = fact.queue, fact.at
    call.moved, call.in_room, call.parked = True, False, False
    count_hold(call, fact.at)
    _passed_on(call)
    yield CallMoved(fact.at, call)


def _passed_on(call: Call) -> None:
    """The last who talked did not end the call: it went on from there (转出).

    app_queue hears of the agent's hang-up and of the transfer by two ways, and now and then the hang-up first: then it
    says that the agent ended the call. That it goes on says more.
    """
    if call.ended_by is Side.AGENT:
        call.ended_by = None
    talked = [leg for leg in call.legs if leg.answered_at is not None and leg.ended_at is not None]
    if talked and talked[-1].how is LegEnd.COMPLETED and call.ended_by is None:
        talked[-1].how = LegEnd.TRANSFERRED
