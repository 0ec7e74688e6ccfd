"""The sure path: what Asterisk wrote to its own disk, read from where the ledger last stood.

CEL gives the course of each call to the microsecond; queue_log gives what CEL does not say: whose phone rang, and
whether a ring was missed or cancelled. Both become the facts that the manager interface tells too, and step a floor of
their own. Whatever the live path has lost, this one has.
"""

import json
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import structlog

from agents.seats import Phone
from agents.service_level import Outcome
from callcenter.asterisk import facts
from callcenter.asterisk.facts import NotAFact, Reader, is_citizen, moment, phone_of
from callcenter.floor.changes import CallEnded
from callcenter.floor.model import Call, Floor, Leg, Side
from callcenter.floor.step import end_call, step
from dialplan import names

log = structlog.get_logger()

#: Ended calls kept in memory, so that a reconnect finds how a call ended that it missed.
_REMEMBERED: Final = 10_000
#: queue_log cuts times to the second. Asterisk is started again as a second begins, and takes no call in its first
#: quarter of a second: this far after the second that it wrote, the old calls are told from the new.
_RESTART: Final = timedelta(milliseconds=200)


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


class Tail:
    """Reads a growing file by whole lines, and follows it when it is rotated."""

    def __init__(self, path: Path, start: Offset | None) -> None:
        self.path = path
        self._open: BinaryIO | None = None
        self.inode = self.offset = 0
        if start is not None and start.inode:  # 0: there was no file yet
            self._resume(start)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """(offset, line without its end) of every whole line that is there and not read yet."""
        while True:
            if self._open is None and not self._begin():
                return
            yield from self._rest()
            if not self._rotated():
                return

    def _resume(self, start: Offset) -> None:
        """Open the file that the offset speaks of, be it renamed meanwhile."""
        for path in (self.path, *sorted(self.path.parent.glob(self.path.name + ".*"))):
            if path.exists() and path.stat().st_ino == start.inode and path.stat().st_size >= start.offset:
                self._open = path.open("rb")
                self.inode, self.offset = start.inode, start.offset
                return
        log.warning("sure_file_gone", file=self.path.name)

    def _begin(self) -> bool:
        try:
            self._open = self.path.open("rb")
        except FileNotFoundError:
            return False
        self.inode, self.offset = self.path.stat().st_ino, 0
        return True

    def _rest(self) -> Iterator[tuple[int, bytes]]:
        assert self._open is not None
        self._open.seek(self.offset)
        for line in self._open:
            if not line.endswith(b"\n"):
                return
            at, self.offset = self.offset, self.offset + len(line)
            yield at, line.rstrip(b"\r\n")

    def _rotated(self) -> bool:
        """Whether another file has taken the name; the old one is then closed, having been read to its end."""
        try:
            if self.path.stat().st_ino == self.inode:
                return False
        except FileNotFoundError:
            return False
        assert self._open is not None
        self._open.close()
        self._open = None
        return True


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

    @property
    def known(self) -> dict[str, Call]:
        """All calls that the files know: open ones, and those that ended lately."""
        return {**self.ended, **self.floor.calls}

    def read(self) -> Read:
        """Take in what has been written since the last look. Reads the disk: call it in a thread."""
        # CEL first, queue_log second: whatever queue_log says of these CEL lines is then already there.
        cel = list(self._cel.lines())
        before = self._offset(self._queue_log)
        for _, line in self._queue_log.lines():
            self._take_queue_log(line)
        ended: list[Call] = []
        for offset, line in cel:
            mark = (Offset(names.CEL_FILE, self._cel.inode, offset), before)
            try:
                ended += self._take_cel(json.loads(line), mark)
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
        return list(oldest) if oldest else [self._offset(self._cel), self._offset(self._queue_log)]

    @staticmethod
    def _offset(tail: Tail) -> Offset:
        return Offset(tail.path.name, tail.inode, tail.offset)

    def _take_cel(self, row: dict[str, str], mark: tuple[Offset, Offset]) -> list[Call]:
        """One CEL line; the calls that ended by it. Raises NotAFact, KeyError."""
        at = moment(row["eventtime"])
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
        elif (phone := phone_of(channel)) is not None:
            yield from self._phone_facts(kind, phone, at, call, channel)

    def _citizen_hung_up(self, row: dict[str, str], at: datetime, call: str) -> facts.HungUp:
        source = json.loads(row["eventextra"] or "{}").get("hangupsource", "")
        by = Side.CALLER if is_citizen(source) else Side.AGENT if phone_of(source) else Side.SYSTEM
        return facts.HungUp(at, row["channame"], call, by)

    def _phone_facts(
        self, kind: str, phone: tuple[str, Phone], at: datetime, call: str, channel: str
    ) -> Iterator[facts.Fact]:
        if kind == "CHAN_START":
            yield facts.Rang(at, call, *phone, channel)
        elif kind == "ANSWER":
            self._named(call, channel, self._next_ring(call))
            yield facts.PickedUp(at, call, channel)
        elif kind == "HANGUP":
            leg = self._leg(call, channel)
            if leg is not None and leg.answered_at is None:
                ring = self._next_ring(call)
                self._named(call, channel, ring)
                yield facts.RingOver(at, call, channel, missed=ring.missed)
            yield facts.HungUp(at, channel, None)

    def _last_ring(self, left: facts.Left) -> Iterator[facts.Fact]:
        call = self.floor.calls.get(left.call)
        leg = call.leg if call is not None else None
        if leg is not None and leg.answered_at is None:
            ring = self._next_ring(left.call)
            self._named(left.call, leg.channel, ring)
            yield facts.RingOver(left.at, left.call, leg.channel, ring.missed)

    def _next_ring(self, call: str) -> Ring:
        rings = self._rings.get(call)
        return rings.popleft() if rings else Ring("", False)

    def _leg(self, call: str, channel: str) -> Leg | None:
        legs = self.floor.calls[call].legs if call in self.floor.calls else ()
        return next((leg for leg in legs if leg.channel == channel), None)

    def _named(self, call: str, channel: str, ring: Ring) -> None:
        if leg := self._leg(call, channel):
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
