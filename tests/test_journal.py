"""Postgres stops, hangs, dies in mid-commit; the disk tears a record. Nothing that was promised is lost."""

import asyncio
import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Postgres
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from agents.seats import SeatState
from agents.service_level import Outcome
from callcenter.calls.journal import FILE_BYTES, Journal, JournalRefused, read
from callcenter.calls.ledger import Ledger, Stored
from callcenter.calls.recorder import Recorder
from callcenter.calls.rows import Record, call_row
from callcenter.calls.writers import WRITERS
from callcenter.floor.changes import CallAnswered, CallArrived, CallEnded, CallRang, Change, SeatMoved, TalkEnded
from callcenter.floor.model import Call, Leg, LegEnd, Seat
from callcenter.store import tables
from callcenter.store.engine import make_engine

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def record(n: int, **more: object) -> Record:
    call = Call(id=f"n1-1763798400.{n}", arrived_at=START + timedelta(seconds=n), number="13812345678")
    row = call_row(call, node="n1", number_key=b"k", source="line", version=n)
    return Record("calls", row | more)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


def ids(records: Any) -> list[str]:
    return [each.row["id"] for each in records]


# --- the files --------------------------------------------------------------------------------------------------------


async def test_many_writers_lose_nothing_and_share_the_disk(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = 0
    sync = os.fsync

    def slow(descriptor: int) -> None:
        nonlocal syncs
        syncs += 1
        time.sleep(0.005)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    await asyncio.gather(*(journal.append([record(n)]) for n in range(500)))
    assert ids(journal.records()) == ids(record(n) for n in range(500))
    assert syncs < 50
    assert journal.size == sum(path.stat().st_size for path in journal._files)


async def test_records_come_back_as_they_went(journal: Journal) -> None:
    sent = [record(n, name=f"行\n{n}\\\u2028'\"") for n in range(5)]
    await journal.append(sent)
    assert list(journal.records()) == sent


async def test_torn_last_record_costs_only_itself(journal: Journal, tmp_path: Path) -> None:
    await journal.append([record(n) for n in range(3)])
    journal.close()
    (file,) = (tmp_path / "journal").glob("*.journal")
    whole = file.read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    for cut in (1, 10, 100, last - 1):
        file.write_bytes(whole[:-cut])
        again = Journal(tmp_path / "journal")
        await again.append([record(9)])  # never onto the torn end
        assert ids(again.records()) == ids([record(0), record(1), record(9)])
        newest = await again.oldest()
        again.close()
        assert newest == file
        for other in set((tmp_path / "journal").glob("*.journal")) - {file}:
            other.unlink()


async def test_spoiled_record_in_the_middle_costs_only_itself(journal: Journal, tmp_path: Path) -> None:
    await journal.append([record(n) for n in range(3)])
    (file,) = (tmp_path / "journal").glob("*.journal")
    lines = file.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"13812345678", b"13912345678")
    file.write_bytes(b"".join(lines))
    assert ids(read(file)) == ids([record(0), record(2)])


async def test_limit_refuses_loudly_and_takes_again_when_there_is_room(tmp_path: Path) -> None:
    journal = Journal(tmp_path, limit=4000)
    kept = 0
    with pytest.raises(JournalRefused, match="limit of 4000 bytes"):
        for n in range(100):
            await journal.append([record(n)])
            kept += 1
    assert 3 < kept < 100
    assert ids(journal.records()) == ids(record(n) for n in range(kept))
    file = await journal.oldest()
    assert file is not None
    await journal.remove(file)
    assert journal.empty
    assert journal.size == 0
    await journal.append([record(7)])
    assert ids(journal.records()) == ids([record(7)])


async def test_disk_that_takes_half_a_record(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    await journal.append([record(0)])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(JournalRefused, match="No space left"):
            await journal.append([record(1)])
    await journal.append([record(2)])
    assert ids(journal.records()) == ids([record(0), record(2)])


async def test_files_are_cut_before_they_grow_large(journal: Journal) -> None:
    size = len(b"".join(str(record(0)).encode() for _ in range(1)))
    for first in range(0, 3 * FILE_BYTES // size, 2000):
        await journal.append([record(n) for n in range(first, first + 2000)])
    assert len(journal._files) >= 2
    assert all(path.stat().st_size < 2 * FILE_BYTES for path in journal._files)


@pytest.mark.harm
async def test_promised_records_survive_kill_9(tmp_path: Path) -> None:
    """A process writes and says which records it was promised, until it is killed."""
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from test_journal import record\n"
        "from callcenter.calls.journal import Journal\n"
        "async def main():\n"
        "    journal = Journal(Path(sys.argv[1]))\n"
        "    for n in range(10**9):\n"
        "        await journal.append([record(n)])\n"
        "        print(n, flush=True)\n"
        "asyncio.run(main())\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "j"), str(Path(__file__).parent)], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    for _ in range(50):
        await asyncio.to_thread(child.stdout.readline)
    child.kill()
    promised = 50 + len(child.stdout.read().splitlines())
    child.wait()
    found = ids(Journal(tmp_path / "j").records())
    assert found == ids(record(n) for n in range(len(found)))
    assert len(found) >= promised


# --- the ledger -------------------------------------------------------------------------------------------------------


async def _count(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return await connection.scalar(select(func.count()).select_from(tables.calls)) or 0


@contextlib.asynccontextmanager
async def running(ledger: Ledger) -> AsyncIterator[None]:
    task = asyncio.create_task(ledger.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _until_back(ledger: Ledger, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while ledger.away:
            await asyncio.sleep(0.02)


@pytest.fixture
async def own_engine(own_postgres: Postgres) -> AsyncIterator[AsyncEngine]:
    engine = make_engine(own_postgres.url(await own_postgres.new_database()))
    yield engine
    await engine.dispose()


async def test_postgres_stopped_and_back(own_postgres: Postgres, own_engine: AsyncEngine, journal: Journal) -> None:
    ledger = Ledger(own_engine, journal, WRITERS, patience=1)
    async with running(ledger):
        assert await ledger.save([record(0)]) is Stored.DATABASE
        await own_postgres.stop()
        for n in range(1, 20):
            assert await ledger.save([record(n, name="first")]) is Stored.JOURNAL
            assert await ledger.save([record(n, name="second", version=100 + n)]) is Stored.JOURNAL
        await own_postgres.start()
        await _until_back(ledger)
        assert journal.empty
        assert await ledger.save([record(20)]) is Stored.DATABASE
    async with own_engine.connect() as connection:
        names = list(await connection.scalars(select(tables.calls.c.name).order_by("arrived_at")))
    assert names == ["", *["second"] * 19, ""]


async def test_postgres_silent_and_back(own_postgres: Postgres, own_engine: AsyncEngine, journal: Journal) -> None:
    ledger = Ledger(own_engine, journal, WRITERS, patience=0.3)
    async with running(ledger):
        assert await ledger.save([record(0)]) is Stored.DATABASE
        own_postgres.freeze()
        began = time.monotonic()
        for n in range(1, 10):
            assert await ledger.save([record(n)]) is Stored.JOURNAL
        assert time.monotonic() - began < 3
        own_postgres.thaw()
        await _until_back(ledger)
        assert await _count(own_engine) == 10


async def test_postgres_killed_in_mid_commit(own_postgres: Postgres, own_engine: AsyncEngine, journal: Journal) -> None:
    """Three times kill -9 while records are saved: each one that was acknowledged is there, and there once."""
    ledger = Ledger(own_engine, journal, WRITERS, patience=1)
    saved = 0
    stored = set()

    async def save() -> None:
        nonlocal saved
        while not over.is_set():
            stored.add(await ledger.save([record(saved)]))
            saved += 1
            await asyncio.sleep(0.005)

    over = asyncio.Event()
    async with running(ledger):
        saver = asyncio.create_task(save())
        for _ in range(3):
            await asyncio.sleep(random.uniform(0.1, 0.3))
            await own_postgres.kill()
            await asyncio.sleep(0.1)
            await own_postgres.start()
            await _until_back(ledger)
        over.set()
        await saver
        await _until_back(ledger)
        assert stored == {Stored.DATABASE, Stored.JOURNAL}
        assert await _count(own_engine) == saved


async def test_what_an_earlier_process_left_comes_first(engine: AsyncEngine, tmp_path: Path) -> None:
    before = Journal(tmp_path)
    await before.append([record(1, name="old", version=1), record(2)])
    before.close()
    ledger = Ledger(engine, Journal(tmp_path), WRITERS)
    assert ledger.away
    assert await ledger.save([record(1, name="new", version=2)]) is Stored.JOURNAL
    async with running(ledger):
        await _until_back(ledger)
    async with engine.connect() as connection:
        assert list(await connection.scalars(select(tables.calls.c.name).order_by("arrived_at"))) == ["new", ""]


async def test_wrong_row_is_put_aside_and_holds_up_nobody(
    engine: AsyncEngine, journal: Journal, tmp_path: Path
) -> None:
    ledger = Ledger(engine, journal, WRITERS)
    await ledger.keep([record(1), record(2, held_ms=-1), record(3)])
    assert await _count(engine) == 2
    assert ids(read(tmp_path / "journal" / "refused")) == ids([record(2)])
    await journal.append([record(4), record(5, held_ms=-1), record(6)])
    ledger = Ledger(engine, journal, WRITERS)
    async with running(ledger):
        await _until_back(ledger)
    assert await _count(engine) == 4


async def test_ten_minutes_of_backlog_are_replayed_in_a_minute(engine: AsyncEngine, journal: Journal) -> None:
    """A twentieth of it here: 300 calls, each six rows of itself, three of its segments and eight of its seat.

    The limit leaves room for a machine that others use too; alone it takes a tenth of it.
    """
    for first in range(0, 300, 20):
        rows = []
        for n in range(first, first + 20):
            rows += [record(n, version=version) for version in range(6)]
            ring = {"call_id": f"n1-1763798400.{n}", "n": 0, "seat": "1001", "rung_at": START}
            rows += [Record("segments", ring | dict.fromkeys(("answered_at", "ended_at", "how", "talk_ms")))] * 3
            for record_ in rows[-3:]:
                record_.row.update(login="amy", queue="main")
            for step in range(8):
                state = {"seat": str(1000 + n % 50), "since": START + timedelta(seconds=n, milliseconds=step)}
                rows.append(Record("seat_states", state | {"login": "amy", "state": "ready", "reason": None}))
        await journal.append(rows)
    ledger = Ledger(engine, journal, WRITERS)
    began = time.monotonic()
    async with running(ledger):
        await _until_back(ledger, 60)
    seconds = time.monotonic() - began
    assert seconds < 6
    assert await _count(engine) == 300


# --- the recorder -----------------------------------------------------------------------------------------------------


def _story(n: int) -> Iterator[list[Change]]:
    """A call that is rung, answered and ended, with the seat's states; changes of one moment together.

    The floor changes its own objects in place, between one telling and the next.
    """
    began = START + timedelta(seconds=n)
    call = Call(id=f"n1-1763798400.{n}", arrived_at=began, number="13812345678")
    seat = Seat(f"1{n:03d}", login="amy", since=began, state=SeatState.READY)
    yield [CallArrived(began, call), SeatMoved(began, seat, SeatState.OFFLINE)]
    second = timedelta(seconds=1)
    leg = Leg(seat.number, "amy", "main", "c", began + second)
    call.queue, call.queued_at = "main", began
    call.legs.append(leg)
    seat.state, seat.since = SeatState.RINGING, began + second
    yield [CallRang(began + second, call, leg), SeatMoved(began + second, seat, SeatState.READY)]
    leg.answered_at = began + 2 * second
    seat.state, seat.since = SeatState.TALKING, began + 2 * second
    yield [CallAnswered(began + 2 * second, call, leg), SeatMoved(began + 2 * second, seat, SeatState.RINGING)]
    leg.ended_at, leg.how = began + 9 * second, LegEnd.COMPLETED
    call.outcome, call.ended_at = Outcome.ANSWERED, began + 9 * second
    seat.state, seat.since = SeatState.READY, began + 9 * second
    yield [
        TalkEnded(began + 9 * second, call, leg),
        CallEnded(began + 9 * second, call),
        SeatMoved(began + 9 * second, seat, SeatState.TALKING),
    ]


@pytest.mark.parametrize("gather", [0, 0.05])
async def test_recorder_tells_what_happened(
    engine: AsyncEngine, journal: Journal, monkeypatch: pytest.MonkeyPatch, gather: float
) -> None:
    monkeypatch.setattr("callcenter.calls.recorder.GATHER_SECONDS", gather)
    recorder = Recorder(Ledger(engine, journal, WRITERS), node="n1", number_key=b"k")
    task = asyncio.create_task(recorder.run())
    for moment in _story(1):
        recorder(moment)
        await asyncio.sleep(0.02)
    recent = recorder.recent("n1-1763798400.1")
    assert recent is not None
    assert recent.parties == {"amy": True}
    assert recorder.recent("n1-1763798400.2") is None
    task.cancel()  # what is not written yet is written now
    with contextlib.suppress(asyncio.CancelledError):
        await task
    async with engine.connect() as connection:
        (call,) = (await connection.execute(select(tables.calls))).mappings().all()
        (segment,) = (await connection.execute(select(tables.segments))).mappings().all()
        states = (await connection.execute(select(tables.seat_states).order_by("since"))).mappings().all()
    assert (call["outcome"], call["wait_ms"], call["talk_ms"], call["login"]) == ("answered", 2000, 7000, "amy")
    assert (segment["how"], segment["talk_ms"], segment["login"]) == ("completed", 7000, "amy")
    assert [row["state"] for row in states] == ["ready", "ringing", "talking", "ready"]
    assert [row["until"] for row in states] == [*(row["since"] for row in states[1:]), None]


async def test_recorder_through_an_outage(
    own_postgres: Postgres, own_engine: AsyncEngine, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callcenter.calls.recorder.GATHER_SECONDS", 0.05)
    ledger = Ledger(own_engine, journal, WRITERS, patience=0.5)
    recorder = Recorder(ledger, node="n1", number_key=b"k")
    task = asyncio.create_task(recorder.run())
    async with running(ledger):
        for n in range(60):
            if n == 10:
                own_postgres.freeze()
            if n == 30:
                await own_postgres.kill()
            if n == 45:
                await own_postgres.start()
            for moment in _story(n):
                recorder(moment)
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.3)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await _until_back(ledger)
    async with own_engine.connect() as connection:
        rows = list(await connection.execute(select(tables.calls.c.outcome, tables.calls.c.talk_ms)))
        assert rows == [("answered", 7000)] * 60
        states = await connection.scalar(select(func.count()).select_from(tables.seat_states))
        assert states == 4 * 60


async def test_recorder_keeps_what_nobody_takes(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postgres away and the journal full: rows wait in memory, and are written when something takes them again."""
    monkeypatch.setattr("callcenter.calls.recorder.GATHER_SECONDS", 0.05)
    journal = Journal(tmp_path, limit=10)
    ledger = Ledger(engine, journal, WRITERS)
    ledger.away = True
    recorder = Recorder(ledger, node="n1", number_key=b"k")
    task = asyncio.create_task(recorder.run())
    for moment in _story(1):
        recorder(moment)
    await asyncio.sleep(0.2)
    async with running(ledger):
        await _until_back(ledger)
        await asyncio.sleep(1.3)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert await _count(engine) == 1
