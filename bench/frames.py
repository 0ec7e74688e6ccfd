"""From the manager's bytes to changes of the floor, beside stock panoramisk on the same bytes.

The bytes are a real recorded call, written again for many calls at many seats, 20 calls at a time, as the network
would cut them. panoramisk is measured twice: with one empty callback for each event, and with a callback that goes on
to the same changes by our own facts and floor.
"""

import asyncio
import gc
import logging
import re
import statistics
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from panoramisk.manager import Manager

from bench.figures import Figure
from callcenter.asterisk.facts import Reader
from callcenter.asterisk.frames import Authentic, Splitter
from callcenter.floor.model import Floor
from callcenter.floor.step import step
from dialplan import names

RECORDING: Final = Path(__file__).parent.parent / "tests/recordings/answered.ami"
SYSTEM_NAME: Final = "recorded"
SEATS: Final = 200
AT_ONCE: Final = 20
PIECE: Final = 8192  # bytes that one read brings
ROUNDS: Final = 5


def traffic(calls: int) -> tuple[bytes, int]:
    """The bytes of an events session with so many calls, and how many frames they hold."""
    frames = [frame for frame in RECORDING.read_bytes().split(b"\r\n\r\n") if frame.startswith(b"Event: ")]
    seated = [frame for frame in frames if frame.startswith(b"Event: QueueMemberAdded")]
    first = next(n for n, frame in enumerate(frames) if b"UserEvent: CcArrived" in frame)
    call = [frame for frame in frames[first:] if not frame.startswith(b"Event: QueueMemberRemoved")]
    out = [_again(frame, 0, 1000 + n) for n in range(SEATS) for frame in seated]
    for begin in range(0, calls, AT_ONCE):
        batch = range(begin, min(calls, begin + AT_ONCE))
        out += [_again(frame, n, 1000 + n % SEATS) for frame in call for n in batch]
    return b"\r\n\r\n".join(out) + b"\r\n\r\n", len(out)


def _again(frame: bytes, call: int, seat: int) -> bytes:
    """The frame for another call, of another citizen, at another seat."""
    frame = re.sub(rb"PJSIP/(\d+)(-\w+)?", lambda m: b"PJSIP/%d%b" % (seat, b"-%08x" % call if m[2] else b""), frame)
    frame = re.sub(rb"PJSIP/trunk-\w+", b"PJSIP/trunk-%08x" % call, frame)
    return re.sub(rb"(recorded-\d+)\.(\d+)", rb"\1.%d\2" % (call + 1), frame)


class Ours:
    """Bytes to changes, as link.py and run.py do it."""

    def __init__(self) -> None:
        self._splitter = Splitter()
        self._authentic = Authentic(SYSTEM_NAME)
        self._reader = Reader("n1", SYSTEM_NAME)
        self._floor = Floor("n1", datetime.fromtimestamp(0, UTC))

    def feed(self, data: bytes) -> None:
        for frame in self._splitter.feed(data):
            event = self._authentic.event(frame)
            fact = self._reader.fact(event) if event is not None else None
            if fact is not None:
                step(self._floor, fact)


class Stock:
    """panoramisk as it is delivered, with one callback for each event that we hear."""

    def __init__(self, take: Callable[[Manager, Any], None] = lambda _manager, _event: None) -> None:
        manager = Manager(loop=asyncio.new_event_loop())
        for event in (*names.HEARD, "DeviceStateChange"):
            manager.register_event(event, take)
        self._protocol = manager.config["protocol_factory"]()
        self._protocol.connection_made(None)
        self._protocol.queue, self._protocol.factory = deque(), manager
        self._protocol.encoding = manager.config["encoding"]

    def feed(self, data: bytes) -> None:
        self._protocol.data_received(data)


class StockToChanges(Stock):
    """panoramisk for the bytes, our facts and floor for the rest."""

    def __init__(self) -> None:
        super().__init__(self._take)
        self._reader = Reader("n1", SYSTEM_NAME)
        self._floor = Floor("n1", datetime.fromtimestamp(0, UTC))

    def _take(self, _manager: Manager, event: Any) -> None:
        fact = self._reader.fact(event)
        if fact is not None:
            step(self._floor, fact)


def _side_by_side(data: bytes) -> tuple[float, float, float]:
    """Processor seconds of each, piece by piece in turn, so that a noisy machine is noisy to all."""
    feeds = (Ours().feed, Stock().feed, StockToChanges().feed)
    spent = [0.0, 0.0, 0.0]
    gc.collect()
    for at in range(0, len(data), PIECE):
        piece = data[at : at + PIECE]
        for n, feed in enumerate(feeds):
            began = time.thread_time()
            feed(piece)
            spent[n] += time.thread_time() - began
    return spent[0], spent[1], spent[2]


def run(calls: int) -> list[Figure]:
    """`ROUNDS` rounds, after one that is dropped; medians."""
    logging.getLogger("panoramisk").setLevel(logging.WARNING)
    data, frames = traffic(calls)
    rounds = [_side_by_side(data) for _ in range(ROUNDS + 1)][1:]
    ours, stock, both = (f"{frames / statistics.median(each):,.0f} frames/s" for each in zip(*rounds, strict=True))

    def ratio(other: int) -> str:
        ratios = [seconds[other] / seconds[0] for seconds in rounds]
        return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"

    return [
        Figure("recording", f"{frames} frames, {len(data) / frames:.0f} bytes each"),
        Figure("ours, bytes to changes", ours),
        Figure("panoramisk 1.4, bytes to an empty callback", stock),
        Figure("panoramisk 1.4, bytes to changes", both),
        Figure("ratio to the empty callback", ratio(1), ">= 3"),
        Figure("ratio to the same changes", ratio(2)),
    ]
