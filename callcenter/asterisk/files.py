"""The sure path: what Asterisk wrote to its own disk, read from where the ledger last stood.

CEL gives the course of each call to the microsecond; queue_log gives what CEL does not say: whose phone rang, and
whether a ring was missed or cancelled. Both become the facts that the manager interface tells too, and step a floor of
their own. Whatever the live path has lost, this one has.
"""

import json
import os
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import structlog

from agents.service_level import Outcome
from callcenter.asterisk import facts
from callcenter.asterisk.facts import NotAFact, Reader, is_citizen, is_citizens_end, is_dialled, moment, phone_of
from callcenter.floor.changes import CallEnded
from callcenter.floor.model import Call, Floor, Leg, LegKind, Side
from callcenter.floor.step import end_call, step
from dialplan import names

log = structlog.get_logger()

#: Ended calls kept in memory, so that a reconnect finds how a call ended that it missed.
_REMEMBERED: Final = 1_000
#: queue_log cuts times to the second. Asterisk is started again as a second begins, and takes no call in its first
#: quarter of a second: this far after the second that it wrote, the old calls are told from the new.
_RESTART: Final = timedelta(milliseconds=200)
#: Causes of an unanswered ring that the other side chose, or let pass: busy, no user, no answer, declined (Q.850).
_DECLINED: Final = frozenset({17, 18, 19, 21})
#: How often a file that is being renamed is looked for.
_LOOKS: Final = 5
#: Lines of CEL taken in at once: files of a month may wait.
_LINES: Final = 100_000


class Offset(NamedTuple):
    """How far a file has been read: `offset` bytes of the file with this inode."""

    file: str
    inode: int
    offset: int


@dataclass(frozen=True, slots=True)
class Read:
    """What one look at the files brought: calls that have ended since the last, and how far all is settled."""

    ended: list[Call]
    offsets: list[Offset]


def chain(path: Path) -> list[Path]:
    """A file and those that were rotated from it, oldest first; these bear the time of that behind their name."""
    rotated = sorted(path.parent.glob(path.name + ".*"))
    return [*rotated, path] if path.exists() else rotated


class Tail:
    """Reads a growing file by whole lines, and follows it when it is rotated, however often."""

    def __init__(self, path: Path, start: Offset | None) -> None:
        self.path = path
        self._open: BinaryIO | None = None
        self.inode = self.offset = 0
        if start is not None and start.inode:  # 0: there was no file yet
            self._resume(start)

    @property
    def at(self) -> Offset:
        return Offset(self.path.name, self.inode, self.offset)

    def lines(self) -> Iterator[tuple[Offset, bytes]]:
        """Every whole line that is there and not read yet, where it begins and without its end."""
        while self._open is not None or self._take(next(iter(chain(self.path)), None)):
            yield from self._rest()
            if (following := self._following()) is None:
                return
            # Nothing is written to a file once the next one is there; until then something may have been.
            yield from self._rest()
            self._take(following)

    def _resume(self, start: Offset) -> None:
        """Open the file that the offset speaks of, be it renamed meanwhile."""
        for path in chain(self.path):
            status = _status(path)
            if status is not None and status.st_ino == start.inode and status.st_size >= start.offset:
                self._take(path)
                self.offset = start.offset
                return
        log.warning("sure_file_gone", file=self.path.name)

    def _take(self, path: Path | None) -> bool:
        """Go on at the beginning of this file; False when there is none."""
        try:
            file = path.open("rb") if path is not None else None
        except FileNotFoundError:
            file = None
        if self._open is not None:
            self._open.close()
        self._open = file
        if file is not None:
            self.inode, self.offset = os.fstat(file.fileno()).st_ino, 0
        return file is not None

    def _rest(self) -> Iterator[tuple[Offset, bytes]]:
        assert self._open is not None
        self._open.seek(self.offset)
        for line in self._open:
            if not line.endswith(b"\n"):
                return
            at, self.offset = self.at, self.offset + len(line)
            yield at, line.rstrip(b"\r\n")

    def _following(self) -> Path | None:
        """The file that comes after the one that is open; None when that is still written."""
        assert self._open is not None
        for _ in range(_LOOKS):
            files = chain(self.path)
            inodes = [status.st_ino if (status := _status(path)) else 0 for path in files]
            if self.inode in inodes:
                return next(iter(files[inodes.index(self.inode) + 1 :]), None)
            if os.fstat(self._open.fileno()).st_nlink == 0:
                return next(iter(files), None)  # deleted under our hands
            # Renamed while we looked: look again.
        return self.path if self.path.exists() else None  # renamed to a name that is none of ours


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


class Ring(NamedTuple):
    """How a ring ended, from queue_log."""

    login: str
    missed: bool


class SureFiles:
    """Both files of one node, and the floor that follows from them."""

    def __init__(self, log_folder: Path, reader: Reader, offsets: list[Offset]) -> None:
        known = {offset.file: offset for offset in offsets}
        self._cel = Tail(log_folder / "cel-custom" / names.CEL_FILE, known.get(names.CEL_FILE))
        self._queue_log = Tail(log_folder / names.QUEUE_LOG, known.get(names.QUEUE_LOG))
        self._reader = reader
        self.floor = Floor(reader.node, datetime(1970, 1, 1, tzinfo=UTC))
        self.ended: OrderedDict[str, Call] = OrderedDict()
        self._rings: defaultdict[str, deque[Ring]] = defaultdict(deque)
        self._begun: dict[str, tuple[Offset, Offset]] = {}
        self._restarts: deque[datetime] = deque()
        self.since: datetime | None = None  # of the first line that was read

    @property
    def known(self) -> dict[str, Call]:
        """All calls that the files know: open ones, and those that ended lately."""
        return {**self.ended, **self.floor.calls}

    def read(self) -> Read:
        """Take in what has been written since the last look. Reads the disk: call it in a thread."""
        # CEL first, queue_log second: whatever queue_log says of these CEL lines is then already there.
        ended: list[Call] = []
        before, first = self._queue_log.at, True
        while (cel := list(islice(self._cel.lines(), _LINES))) or first:
            first = False
            for _, line in self._queue_log.lines():
                self._take_queue_log(line)
            for at, line in cel:
                try:
                    ended += self._take_cel(json.loads(line), (at, before))
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    log.warning("cel_line_unread", error=type(error).__name__)
            if not cel:
                ended += self._restarted(None)
        for call in ended:
            self.ended[call.id] = call
            self._begun.pop(call.id, None)
            self._rings.pop(call.id, None)
        while len(self.ended) > _REMEMBERED:
            self.ended.popitem(last=False)
        return Read(ended, self._settled())

    def _settled(self) -> list[Offset]:
        """The offsets from which a new start would find every call that is still open, from its beginning."""
        oldest = next(iter(self._begun.values()), None)
        return list(oldest) if oldest else [self._cel.at, self._queue_log.at]

    def _take_cel(self, row: dict[str, str], mark: tuple[Offset, Offset]) -> list[Call]:
        """One CEL line; the calls that ended by it. Raises NotAFact, KeyError."""
        at = moment(row["eventtime"])
        self.since = self.since or at
        ended = self._restarted(at)
        for fact in self._cel_facts(row, at, mark):
            ended += [change.call for change in step(self.floor, fact) if isinstance(change, CallEnded)]
        return ended

    def _cel_facts(self, row: dict[str, str], at: datetime, mark: tuple[Offset, Offset]) -> Iterator[facts.Fact]:
        kind, channel = row["eventtype"], row["channame"]
        uniqueid, call = row["uniqueid"], self._reader.call_id(row["linkedid"])
        own = is_citizen(channel)
        if row["userdeftype"]:
            payload = json.loads(row["eventextra"])["extra"]
            if fact := self._reader.said(row["userdeftype"], payload, at, uniqueid, channel):
                if isinstance(fact, facts.Left):
                    # Whoever rang to the last has missed it; the end of that phone's channel comes after this line.
                    yield from self._last_ring(fact)
                yield fact
        elif own and kind == "CHAN_START":
            self._begun.setdefault(call, mark)
            yield facts.Began(at, call, channel)
        elif own and kind == "HANGUP":
            yield self._citizen_hung_up(row, at, self._reader.call_id(uniqueid))
        elif is_dialled(channel):
            yield from self._dialled_facts(row, at, call, channel)

    def _citizen_hung_up(self, row: dict[str, str], at: datetime, call: str) -> facts.HungUp:
        source = json.loads(row["eventextra"] or "{}").get("hangupsource", "")
        theirs = is_citizen(source) or is_citizens_end(source)
        by = Side.CALLER if theirs else Side.AGENT if phone_of(source) else Side.SYSTEM
        return facts.HungUp(at, row["channame"], call, by)

    def _dialled_facts(self, row: dict[str, str], at: datetime, call: str, channel: str) -> Iterator[facts.Fact]:
        kind, phone, leg = row["eventtype"], phone_of(channel), self._leg(channel)
        queued = leg is not None and leg.kind is LegKind.QUEUE and not leg.why  # queue_log knows of no other
        if kind == "CHAN_START" and phone is not None:
            yield facts.Rang(at, call, *phone, channel)
        elif kind == "ANSWER":
            if queued:
                self._named(channel, self._next_ring(call))
            yield facts.PickedUp(at, call, channel)
        elif kind == "HANGUP":
            if leg is not None and leg.answered_at is None and not leg.why:
                if queued:
                    ring = self._next_ring(call)
                    self._named(channel, ring)
                    missed = ring.missed
                else:
                    missed = json.loads(row["eventextra"] or "{}").get("hangupcause") in _DECLINED
                yield facts.RingOver(at, call, channel, missed)
            yield facts.HungUp(at, channel, None)

    def _last_ring(self, left: facts.Left) -> Iterator[facts.Fact]:
        call = self.floor.calls.get(left.call)
        leg = call.leg if call is not None else None
        if leg is not None and leg.answered_at is None and leg.kind is LegKind.QUEUE and not leg.why:
            ring = self._next_ring(left.call)
            self._named(leg.channel, ring)
            yield facts.RingOver(left.at, left.call, leg.channel, ring.missed)

    def _next_ring(self, call: str) -> Ring:
        rings = self._rings.get(call)
        return rings.popleft() if rings else Ring("", False)

    def _leg(self, channel: str) -> Leg | None:
        call = self.floor.calls.get(self.floor.channels.get(channel, ""))
        return next((leg for leg in call.legs if leg.channel == channel), None) if call is not None else None

    def _named(self, channel: str, ring: Ring) -> None:
        if leg := self._leg(channel):
            leg.login = leg.login or ring.login

    def _take_queue_log(self, line: bytes) -> None:
        """`epoch|uniqueid|queue|member|verb|...`"""
        parts = line.decode("utf-8", "replace").split("|")
        if len(parts) < 5:
            log.warning("queue_log_line_unread")
            return
        stamp, uniqueid, _, member, verb = parts[:5]
        try:
            if verb == "QUEUESTART":
                self._restarts.append(moment(stamp))
            elif verb in {"CONNECT", "RINGNOANSWER", "RINGCANCELED"}:
                self._rings[self._reader.call_id(uniqueid)].append(Ring(member, verb == "RINGNOANSWER"))
        except NotAFact:
            log.warning("queue_log_line_unread")

    def _restarted(self, until: datetime | None) -> list[Call]:
        """Calls cut by the restarts of Asterisk up to `until`; None: by all that the log tells (系统中断)."""
        cut: list[Call] = []
        while self._restarts and (until is None or self._restarts[0] + _RESTART <= until):
            restarted = self._restarts.popleft()
            for call in list(self.floor.calls.values()):
                if call.arrived_at < restarted + _RESTART:
                    cut += [
                        change.call
                        for change in end_call(self.floor, call, max(restarted, call.arrived_at), Outcome.INTERRUPTED)
                        if isinstance(change, CallEnded)
                    ]
        return cut
