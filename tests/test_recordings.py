"""The vault, the rules of recordings, and their deletion with proof: without a telephone."""

import fcntl
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.calls.journal import Journal
from callcenter.calls.ledger import Ledger
from callcenter.floor.model import Floor
from callcenter.people.permissions import ACTIONS, BY_APPROVAL
from callcenter.recordings import queries, tracks
from callcenter.recordings.archive import Archive
from callcenter.recordings.flow import Gap, Order, Rule, WrongRange, days_of, gap_of, part_of, rule_for
from callcenter.recordings.retention import Retention
from callcenter.recordings.room import has_room
from callcenter.recordings.vault import CHUNK, CannotOpen, Keys, Vault
from callcenter.store.tables import calls, orders

CALL = "n1-1795344208.7"
DAYS = days_of("talk=180,order=1825,emergency=1825")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def keys(*names: str) -> Keys:
    return Keys.parse(",".join(f"{name}:{name.encode().hex().ljust(64, '0')}" for name in names))


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "recordings", keys("k1"))


def track(folder: Path, name: str, citizen: bytes, staff: bytes, age: float = 60) -> None:
    folder.mkdir(exist_ok=True)
    for suffix, sound in ((tracks.CITIZEN, citizen), (tracks.STAFF, staff)):
        file = folder / (name + suffix)
        file.write_bytes(sound)
        os.utime(file, (time.time() - age,) * 2)


# --- tracks -----------------------------------------------------------------------------------------------------------


def test_the_citizen_is_left_the_staff_right_and_the_shorter_side_is_filled_up(tmp_path: Path) -> None:
    track(tmp_path, "1.1", b"\x01" * 40_000, b"\x02" * 30_000)
    (pair,) = tracks.finished(tmp_path, time.time())
    file = b"".join(tracks.stereo(pair))
    assert len(file) == tracks.wave_bytes(40_000) and tracks.wave_samples(len(file)) == 40_000
    assert file[:4] == b"RIFF" and int.from_bytes(file[4:8], "little") == len(file) - 8
    sound = file[tracks.wave_bytes(0) :]
    assert sound[0::2] == b"\x01" * 40_000
    assert sound[1::2] == b"\x02" * 30_000 + tracks.SILENCE * 10_000


def test_a_track_is_finished_when_nobody_writes_it_any_more(tmp_path: Path) -> None:
    track(tmp_path, "1.1", b"", b"")
    track(tmp_path, "1.2", b"", b"", age=0)
    with (tmp_path / "1.1-out.alaw").open("ab") as writer:
        old = (time.time() - 3600,) * 2
        os.utime(tmp_path / "1.1-out.alaw", old)
        assert tracks.finished(tmp_path, time.time()) == [], "one is open, however old; the other is too young to tell"
        writer.write(b"x")
    os.utime(tmp_path / "1.1-out.alaw", old)
    assert [pair.name for pair in tracks.finished(tmp_path, time.time())] == ["1.1"]


def test_the_kernel_knows_who_writes(tmp_path: Path) -> None:
    """What `finished` builds on: a lease for reading is refused while anyone has the file open for writing."""
    file = tmp_path / "file"
    with file.open("wb"), file.open("rb") as reader, pytest.raises(BlockingIOError):
        fcntl.fcntl(reader, fcntl.F_SETLEASE, fcntl.F_RDLCK)


# --- vault ------------------------------------------------------------------------------------------------------------


def pieces(clear: bytes) -> Iterator[bytes]:
    yield from (clear[at : at + 1000] for at in range(0, len(clear), 1000))


@pytest.mark.parametrize("size", [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5])
def test_any_part_of_a_sealed_recording_can_be_read(vault: Vault, size: int) -> None:
    clear = os.urandom(size)
    sealed = vault.seal(CALL, pieces(clear), size)
    on_disk = vault.path(CALL).read_bytes()
    assert len(on_disk) == sealed.size and (size < 100 or clear[:100] not in on_disk)
    opened = vault.open(CALL)
    assert opened.size == size
    for start, end in ((0, size), (0, 1), (size - 1, size), (CHUNK - 2, CHUNK + 2), (size, size + 9), (5, 4)):
        assert opened.read(start, end) == clear[start:end]
    opened.close()


def test_what_was_changed_cut_or_put_in_anothers_place_does_not_open(vault: Vault) -> None:
    clear = os.urandom(2 * CHUNK + 100)
    vault.seal(CALL, pieces(clear), len(clear))
    path = vault.path(CALL)
    whole = path.read_bytes()
    spoiled = {
        "a bit": whole[:-1] + bytes([whole[-1] ^ 1]),
        "the end cut off": whole[: -(100 + 16)],
        "the length": whole[:19] + bytes([whole[19] ^ 1]) + whole[20:],
        "chunks swapped": whole[:68] + whole[68 + CHUNK + 16 : 68 + 2 * (CHUNK + 16)] + whole[68 : 68 + CHUNK + 16],
        "no recording": b"RIFF" + whole[4:],
        "next to nothing": whole[:20],
    }
    for what, file in spoiled.items():
        path.write_bytes(file)
        with pytest.raises(CannotOpen):
            opened = vault.open(CALL)
            opened.read(0, opened.size)
        assert what
    other = vault.path("n1-1795344208.8")
    other.write_bytes(whole)
    with pytest.raises(CannotOpen):
        vault.open("n1-1795344208.8").read(0, 1)


def test_keys_rotate(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    old = Vault(folder, keys("k1")).seal(CALL, [b"old"], 3)
    both = Vault(folder, keys("k1", "k2"))
    new = both.seal("n1-1795344208.9", [b"new"], 3)
    assert (old.key_id, new.key_id) == ("k1", "k2")
    assert both.open(CALL).read(0, 3) == b"old"
    with pytest.raises(CannotOpen, match="key"):
        Vault(folder, keys("k2")).open(CALL)
    with pytest.raises(ValueError):
        Keys.parse("k1:12")


# --- rules ------------------------------------------------------------------------------------------------------------


def test_parts_of_a_file() -> None:
    assert part_of(None, 100) is None
    assert part_of("bytes=0-", 100) == (0, 100)
    assert part_of("bytes=10-19", 100) == (10, 20)
    assert part_of("bytes=90-500", 100) == (90, 100)
    assert part_of("bytes=-10", 100) == (90, 100)
    assert part_of("bytes=-500", 100) == (0, 100)
    for wrong in ("bytes=100-", "bytes=20-10", "bytes=-0", "bytes=-", "bytes=a-b", "chars=0-1", "bytes=0-1,5-6"):
        with pytest.raises(WrongRange):
            part_of(wrong, 100)


def test_the_longest_rule_that_applies_keeps_a_recording() -> None:
    consult, complaint = Order("consult", "answered", "U3"), Order("complaint", "answered", "U3")
    assert rule_for(heard=False, orders=[]) is Rule.UNHEARD
    assert rule_for(heard=True, orders=[]) is Rule.TALK
    assert rule_for(heard=True, orders=[consult]) is Rule.TALK
    assert rule_for(heard=True, orders=[consult, complaint]) is Rule.ORDER
    assert rule_for(heard=True, orders=[Order("consult", "investigating", "U3")]) is Rule.ORDER
    assert rule_for(heard=True, orders=[complaint, Order("help", "pending_dispatch", "U1")]) is Rule.EMERGENCY
    for wrong in ("talk=180", "talk=180,order=0,emergency=1", "talk=x,order=1,emergency=1", "unheard=1"):
        with pytest.raises(ValueError):
            days_of(wrong)


def test_a_gap_is_more_than_a_blink() -> None:
    assert gap_of(expected_ms=60_000, length_ms=59_000) is None
    assert gap_of(expected_ms=60_000, length_ms=58_000) is Gap.SHORT
    assert gap_of(expected_ms=3_600_000, length_ms=3_540_000) is None
    assert gap_of(expected_ms=60_000, length_ms=0) is Gap.MISSING


def test_recording_stops_and_begins_again_at_two_figures() -> None:
    assert has_room(100, 100, had=True) and not has_room(99, 100, had=True)
    assert not has_room(110, 100, had=False) and has_room(120, 100, had=False)


def test_the_privacy_officer_needs_an_approval_that_nobody_can_give_yet() -> None:
    assert BY_APPROVAL["listen_recording"] == {"privacy"}
    assert ACTIONS["listen_recording"] == {"inspector", "supervisor"}
    assert ACTIONS["listen_any_recording"] == {"supervisor"}


# --- archive and retention --------------------------------------------------------------------------------------------


async def add_call(engine: AsyncEngine, call: str, *, answered: bool = True, recorded_at: datetime = NOW) -> None:
    row = {
        "id": call,
        "node": "n1",
        "arrived_at": recorded_at,
        "recorded_at": recorded_at,
        "recording": "on",
        "answered_at": recorded_at + timedelta(seconds=5) if answered else None,
        "ended_at": recorded_at + timedelta(seconds=30),
        "outcome": "answered" if answered else "abandoned_queue",
        "source": "line",
        "rank": 3,
        "version": 1,
    }
    async with engine.begin() as connection:
        await connection.execute(insert(calls).values(row))


async def add_order(engine: AsyncEngine, call: str, n: int, *, kind: str, state: str, urgency: str) -> None:
    row = {
        "id": f"00000000-0000-0000-0000-{n:012d}",
        "code": f"{n:012d}A",
        "check_code": "1234",
        "call_id": call,
        "state": state,
        "kind": kind,
        "urgency": urgency,
        "created_by": "limei",
        "created_at": NOW,
        "updated_at": NOW,
    }
    async with engine.begin() as connection:
        await connection.execute(insert(orders).values(row))


async def rows(engine: AsyncEngine, query: str) -> list[dict[str, object]]:
    async with engine.connect() as connection:
        return [dict(row) for row in (await connection.execute(text(query))).mappings()]


def archive_for(engine: AsyncEngine, vault: Vault, tmp_path: Path) -> Archive:
    ledger = Ledger(engine, Journal(tmp_path / "journal"), queries.WRITERS)
    return Archive(ledger, Floor("n1", NOW), vault, tmp_path / "monitor")


async def test_tracks_left_by_a_crash_are_sealed_and_their_clear_text_is_gone(
    engine: AsyncEngine, vault: Vault, tmp_path: Path
) -> None:
    name = CALL.removeprefix("n1-")
    track(tmp_path / "monitor", name, b"\x11" * 240_000, b"\x22" * 240_000)
    # As a crash after the sealing, before the row, leaves it.
    vault.seal(CALL, [b"half"], 4)
    archive = archive_for(engine, vault, tmp_path)
    assert await archive.look()
    assert list((tmp_path / "monitor").iterdir()) == []
    (row,) = await rows(engine, "SELECT * FROM recordings")
    assert (row["call_id"], row["length_ms"], row["key_id"]) == (CALL, 30_000, "k1")
    opened = vault.open(CALL)
    assert opened.read(0, 4) == b"RIFF" and opened.size == tracks.wave_bytes(240_000)
    opened.close()
    # And as one after the row, before the deletion.
    track(tmp_path / "monitor", name, b"\x11" * 240_000, b"\x22" * 240_000)
    assert await archive.look()
    assert list((tmp_path / "monitor").iterdir()) == [] and len(await rows(engine, "SELECT * FROM recordings")) == 1


async def test_a_vault_that_takes_nothing_costs_no_clear_text_and_is_tried_again(
    engine: AsyncEngine, vault: Vault, tmp_path: Path
) -> None:
    track(tmp_path / "monitor", "1795344208.7", b"\x11" * 800, b"\x22" * 800)
    vault.folder.write_text("a file where the folder should be")
    archive = archive_for(engine, vault, tmp_path)
    assert not await archive.look() and archive.behind
    assert len(list((tmp_path / "monitor").iterdir())) == 2
    vault.folder.unlink()
    assert await archive.look() and not archive.behind
    assert list((tmp_path / "monitor").iterdir()) == []


async def test_what_is_missing_or_short_is_flagged(engine: AsyncEngine, vault: Vault, tmp_path: Path) -> None:
    names = ("1795344208.1", "1795344208.2", "1795344208.3", "1795344208.4")
    whole, short, empty, missing = (f"n1-{name}" for name in names)
    for call in (whole, short, empty, missing):
        await add_call(engine, call)
    await add_call(engine, "n1-1795344208.5", answered=False)
    for name, seconds in zip(names, (30, 12, 0), strict=False):
        track(tmp_path / "monitor", name, b"\x11" * 8000 * seconds, b"\x22" * 8000 * seconds)
    archive = archive_for(engine, vault, tmp_path)
    assert await archive.look()
    await Retention(engine, vault, archive, DAYS).judge(NOW + timedelta(minutes=5))
    found = {row["call_id"]: (row["gap"], row["gap_ms"]) for row in await rows(engine, "SELECT * FROM recordings")}
    assert found == {
        whole: (None, 0),
        short: ("short", 18_000),
        empty: ("missing", 30_000),
        missing: ("missing", 30_000),
    }


async def test_recordings_go_when_their_rule_says_so_and_leave_proof(
    engine: AsyncEngine, vault: Vault, tmp_path: Path
) -> None:
    names = [f"1795344208.{n}" for n in range(1, 6)]
    plain, held, complaint, waiting, unheard = (f"n1-{name}" for name in names)
    for name in names:
        await add_call(engine, f"n1-{name}", answered=f"n1-{name}" != unheard)
        track(tmp_path / "monitor", name, b"\x11" * 240_000, b"\x22" * 240_000)
    await add_order(engine, complaint, 1, kind="complaint", state="answered", urgency="U3")
    await add_order(engine, waiting, 2, kind="complaint", state="pending_dispatch", urgency="U3")
    archive = archive_for(engine, vault, tmp_path)
    assert await archive.look()
    retention = Retention(engine, vault, archive, DAYS)
    await retention.judge(NOW)

    async def kept(at: datetime) -> set[object]:
        await retention.sweep(at)
        found = await rows(engine, "SELECT call_id FROM recordings WHERE deleted_at IS NULL")
        there = {row["call_id"] for row in found}
        assert {path.stem for path in vault.folder.rglob("*.sealed")} == there, "files and rows agree"
        return there

    assert await kept(NOW + timedelta(minutes=1)) == {plain, held, complaint, waiting}, "nobody had answered it"
    async with engine.begin() as connection:
        assert await queries.set_hold(connection, held, reason="appeal", login="sunli", at=NOW)
    assert await kept(NOW + timedelta(days=179)) == {plain, held, complaint, waiting}
    assert await kept(NOW + timedelta(days=181)) == {held, complaint, waiting}
    assert await kept(NOW + timedelta(days=1830)) == {held, waiting}, "what is open or held stays, however old"
    async with engine.begin() as connection:
        await connection.execute(update(orders).where(orders.c.call_id == waiting).values(state="answered"))
        assert await queries.set_hold(connection, held, reason=None, login="sunli", at=NOW)
    assert await kept(NOW + timedelta(days=1832)) == set()
    async with engine.connect() as connection:
        proofs = await queries.proofs(connection)
    assert [(proof["call_id"], proof["rule"]) for proof in proofs[:3]] == [
        (unheard, "unheard"),
        (plain, "talk"),
        (complaint, "order"),
    ]
    assert all(len(proof["sha256"]) == 32 for proof in proofs) and queries.first_broken(proofs) is None
    forged = [dict(proof) for proof in proofs]
    forged[1]["rule"] = "order"
    assert queries.first_broken(forged) == 2
    with pytest.raises(DBAPIError, match="append-only"):
        async with engine.begin() as connection:
            await connection.execute(text("DELETE FROM recording_deletions"))


async def test_days_that_were_changed_hold_for_what_is_there(engine: AsyncEngine, vault: Vault, tmp_path: Path) -> None:
    await add_call(engine, CALL)
    track(tmp_path / "monitor", CALL.removeprefix("n1-"), b"\x11" * 240_000, b"\x22" * 240_000)
    archive = archive_for(engine, vault, tmp_path)
    assert await archive.look()
    await Retention(engine, vault, archive, DAYS).judge(NOW)
    async with engine.begin() as connection:
        await queries.apply_days(connection, days_of("talk=30,order=40,emergency=50"))
    (row,) = await rows(engine, "SELECT keep_until - recorded_at AS kept FROM recordings")
    assert row["kept"] == timedelta(days=30)
