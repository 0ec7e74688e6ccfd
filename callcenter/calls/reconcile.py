"""Does the ledger say what Asterisk's own files say? (对账)"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agents.service_level import Outcome

TOLERANCE: Final = timedelta(seconds=1)
#: Ledger and files each lag behind the calls by a second or two: what happened since is still on its way.
SETTLING: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Known:
    """What ledger or files know of a call. `outcome` is None while it goes on."""

    arrived_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    outcome: str | None

    @property
    def last(self) -> datetime:
        return max(at for at in (self.arrived_at, self.answered_at, self.ended_at) if at)


@dataclass(frozen=True, slots=True)
class Difference:
    """A call that is not explained, and why."""

    call_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Balance:
    """Offered calls by outcome, those in progress, and what is not explained.

    `before`: calls of the ledger that came before the oldest file begins; they are none of the others, for nothing is
    left that they could be held against.
    """

    outcomes: Mapping[Outcome, int]
    in_progress: int
    unexplained: list[Difference]
    before: int = 0

    @property
    def offered(self) -> int:
        return sum(self.outcomes.values()) + self.in_progress


def compare(
    ledger: Mapping[str, Known],
    files: Iterable[tuple[str, Known]],
    *,
    now: datetime,
    between: tuple[datetime, datetime] | None = None,
    since: datetime | None = None,
) -> Balance:
    """Compare ledger and files, call by call.

    Args:
        files: pairs of call id and what the files know; an id that comes twice is a difference.
        between: count only calls that arrived in [first, second), by either side.
        since: when the files begin; of a call that came before, they need not know.
    """
    told = list(files)
    by_files = dict(told)
    times = Counter(call_id for call_id, _ in told)
    outcomes: Counter[Outcome] = Counter()
    in_progress = before = 0
    unexplained: list[Difference] = []
    for call_id in sorted(ledger.keys() | by_files.keys()):
        ours, theirs = ledger.get(call_id), by_files.get(call_id)
        sides = [side for side in (ours, theirs) if side]
        if between and not any(between[0] <= side.arrived_at < between[1] for side in sides):
            continue
        if ours and not theirs and since and ours.arrived_at < since:
            before += 1
            continue
        settled = all(side.last < now - SETTLING for side in sides)
        why = _difference(ours, theirs, times[call_id]) if settled else None
        if why:
            unexplained.append(Difference(call_id, why))
        outcome = next((side.outcome for side in sides if side.outcome), None)
        if outcome:
            outcomes[Outcome(outcome)] += 1
        else:
            in_progress += 1
    return Balance(outcomes, in_progress, unexplained, before)


def _difference(ours: Known | None, theirs: Known | None, times_in_files: int) -> str | None:
    if times_in_files > 1:
        return f"{times_in_files} times in the files"
    if ours is None:
        return "missing in the ledger"
    if theirs is None:
        return "missing in the files"
    if ours.outcome != theirs.outcome:
        return f"outcome: ledger {ours.outcome or 'open'}, files {theirs.outcome or 'open'}"
    for name in ("arrived_at", "answered_at", "ended_at"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        if (mine is None) != (other is None):
            return f"{name}: only in the {'ledger' if mine else 'files'}"
        if mine and abs(mine - other) > TOLERANCE:
            return f"{name}: {abs(mine - other).total_seconds():.3f} s apart"
    return None
