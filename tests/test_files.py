"""The sure path: what Asterisk wrote to its own disk tells of each call what the line told."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from exchange import SYSTEM_NAME, Exchange
from hypothesis import given, settings
from hypothesis import strategies as st
from stories import READER, STORIES, Disk, cel_lines, facts_of, queue_log_lines, told, traffic

from callcenter.asterisk.files import Offset, SureFiles, chain
from callcenter.asterisk.link import Line, LineState
from callcenter.calls.rotate import keep_files, old
from callcenter.floor.model import Call
from dialplan import names

CALLS = [story for story in STORIES if cel_lines(story)]


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def second(line: bytes) -> int:
    """The second in which a line of either file was written."""
    return int(line.split(b"|", 1)[0]) if b"|" in line else int(float(json.loads(line)["eventtime"]))


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def grow(disk: Disk, story: str) -> Iterator[None]:
    """Write a story's lines one by one. queue_log says a ring's end before CEL does, as Asterisk does it."""
    queue_log = queue_log_lines(story)
    for line in cel_lines(story):
        while queue_log and second(queue_log[0]) <= second(line):
            append(disk.queue_log, queue_log.pop(0))
        append(disk.cel, line)
        yield
    append(disk.queue_log, b"".join(queue_log))
    yield


def write(disk: Disk, story: str) -> None:
    append(disk.cel, b"".join(cel_lines(story)))
    append(disk.queue_log, b"".join(queue_log_lines(story)))


def summary(call: Call) -> dict[str, object]:
    """All that both paths know of a call. Who was held how long only the line knows."""
    return {
        "number": call.number,
        "name": call.name,
        "dialed": call.dialed,
        "service": call.service,
        "language": call.language,
        "menu": call.menu,
        "queue": call.queue,
        "outcome": call.outcome,
        "ended_by": call.ended_by,
        "left": call.left_status,
        "legs": [(leg.seat, leg.login, leg.how, leg.why, leg.answered_at is not None) for leg in call.legs],
    }


def summaries(calls: Sequence[Call]) -> dict[str, dict[str, object]]:
    return {call.id: summary(call) for call in calls}


@pytest.mark.parametrize("story", CALLS)
def test_the_files_tell_what_the_line_told(disk: Disk, story: str) -> None:
    write(disk, story)
    files = disk.files()
    read = files.read()
    by_line = told(facts_of([traffic(story)])).ended
    assert summaries(read.ended) == summaries(list(by_line.values()))
    assert not files.floor.calls
    assert read.offsets == [
        Offset("cel.json", disk.cel.stat().st_ino, disk.cel.stat().st_size),
        Offset("queue_log", disk.queue_log.stat().st_ino, disk.queue_log.stat().st_size),
    ]
    for call in read.ended:
        other = by_line[call.id]
        # Two clocks' readings of one moment inside Asterisk: CEL's and the manager's, a few ms apart when it is busy.
        for mine, theirs in (
            (call.wait_ms, other.wait_ms),
            (call.wait_from_invite_ms, other.wait_from_invite_ms),
        ):
            assert (mine is None) == (theirs is None)
            assert mine is None or theirs is None or abs(mine - theirs) <= 10
        assert call.arrived_at <= other.arrived_at, "CEL sees the INVITE itself"
        for leg, same in zip(call.legs, other.legs, strict=True):
            for mine_at, their_at in ((leg.rung_at, same.rung_at), (leg.answered_at, same.answered_at)):
                assert (mine_at is None) == (their_at is None)
                assert mine_at is None or their_at is None or abs((mine_at - their_at).total_seconds()) < 0.05


@pytest.mark.parametrize("story", CALLS)
def test_line_by_line_is_the_same_as_at_once(disk: Disk, story: str) -> None:
    files, ended = disk.files(), []
    for _ in grow(disk, story):
        ended += files.read().ended
    at_once = Disk(disk.folder / "at once")
    write(at_once, story)
    assert summaries(ended) == summaries(at_once.files().read().ended)
    assert len(ended) == len({call.id for call in ended}), "each call ends once"


@pytest.mark.parametrize("story", CALLS)
def test_a_restart_at_any_line_loses_nothing(tmp_path: Path, story: str) -> None:
    """The next start goes on where the last committed offsets stand; calls that were open are read from their begin."""
    whole = Disk(tmp_path / "whole")
    write(whole, story)
    wanted = summaries(whole.files().read().ended)
    for stop in range(len(cel_lines(story)) + 1):
        disk = Disk(tmp_path / str(stop))
        files, offsets, ended = disk.files(), list[Offset](), dict[str, Call]()
        for n, _ in enumerate(grow(disk, story)):
            if n == stop:
                files = SureFiles(disk.folder, READER, offsets)
            read = files.read()
            offsets = read.offsets
            ended |= {call.id: call for call in read.ended}
        assert summaries(list(ended.values())) == wanted, f"restarted after {stop} lines"


@settings(max_examples=40, deadline=None)
@given(story=st.sampled_from(CALLS), cuts=st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_half_written_lines_are_waited_for(
    tmp_path_factory: pytest.TempPathFactory, story: str, cuts: list[int]
) -> None:
    disk = Disk(tmp_path_factory.mktemp("half"))
    append(disk.queue_log, b"".join(queue_log_lines(story)))
    data, files, ended = b"".join(cel_lines(story)), disk.files(), []
    for cut in cuts:
        append(disk.cel, data[:cut])
        data = data[cut:]
        ended += files.read().ended
    append(disk.cel, data)
    ended += files.read().ended
    whole = Disk(tmp_path_factory.mktemp("whole"))
    write(whole, story)
    assert summaries(ended) == summaries(whole.files().read().ended)


def test_all_stories_one_after_the_other(disk: Disk) -> None:
    files, wanted = disk.files(), dict[str, dict[str, object]]()
    for story in CALLS:
        write(disk, story)
        wanted |= summaries(list(told(facts_of([traffic(story)])).ended.values()))
    assert summaries(files.read().ended) == wanted
    assert set(files.known) == set(wanted)


# --- the disk ---------------------------------------------------------------------------------------------------------


def test_no_files_yet_is_nothing_yet(disk: Disk) -> None:
    files = disk.files()
    assert files.read().ended == []
    write(disk, "answered")
    assert len(files.read().ended) == 1
    assert files.read().ended == []


def test_a_rotated_file_is_read_to_its_end_and_the_new_one_from_its_begin(disk: Disk) -> None:
    files = disk.files()
    lines = cel_lines("answered")
    append(disk.queue_log, b"".join(queue_log_lines("answered")))
    append(disk.cel, b"".join(lines[:3]))
    assert files.read().ended == []
    append(disk.cel, b"".join(lines[3:5]))
    disk.cel.rename(disk.cel.with_name("cel.json.20260301"))
    append(disk.cel, b"".join(lines[5:]))
    (call,) = files.read().ended
    assert call.outcome == "answered"


def test_a_restart_finds_the_rotated_file_that_it_had_begun(disk: Disk) -> None:
    lines = cel_lines("answered")
    append(disk.queue_log, b"".join(queue_log_lines("answered")))
    append(disk.cel, b"".join(lines[:4]))
    offsets = disk.files().read().offsets
    disk.cel.rename(disk.cel.with_name("cel.json.20260301"))
    append(disk.cel, b"".join(lines[4:]))
    (call,) = SureFiles(disk.folder, READER, offsets).read().ended
    assert (call.outcome, call.legs[0].login) == ("answered", "li.mei")


def test_files_that_were_put_aside_several_times_are_read_in_order(disk: Disk) -> None:
    lines = cel_lines("answered")
    for n, line in enumerate(lines):
        append(disk.cel, line)
        disk.cel.rename(disk.cel.with_name(f"cel.json.{1_795_000_000 + n}"))
    rings = queue_log_lines("answered")
    append(disk.queue_log, rings[0])
    disk.queue_log.rename(disk.queue_log.with_name("queue_log.1795000000"))
    append(disk.queue_log, b"".join(rings[1:]))
    files = disk.files()
    (call,) = files.read().ended
    assert (call.outcome, call.legs[0].login) == ("answered", "li.mei")
    append(disk.cel, b"".join(cel_lines("abandoned_while_ringing")))  # the newest file is there again
    assert len(files.read().ended) == 1


def test_only_what_is_old_and_read_to_its_end_is_deleted(disk: Disk) -> None:
    lines = cel_lines("answered")
    for n, line in enumerate(lines[:4]):
        append(disk.cel, line)
        disk.cel.rename(disk.cel.with_name(f"cel.json.{1_795_000_000 + 1000 * n}"))
    append(disk.cel, lines[4])
    parts = chain(disk.cel)
    after = datetime.fromtimestamp(1_795_900_000, UTC)

    def reached(n: int) -> list[Offset]:
        return [Offset("cel.json", parts[n].stat().st_ino, 1)]

    assert old([disk.cel], [], after) == [], "nobody knows how far it was read"
    assert old([disk.cel], reached(2), after) == parts[:2]
    assert old([disk.cel], reached(4), after) == parts[:4], "never the one that is written"
    assert old([disk.cel], reached(4), datetime.fromtimestamp(1_795_001_500, UTC)) == parts[:2]


def test_an_offset_of_a_file_that_is_gone_does_not_stop_the_reading(disk: Disk) -> None:
    write(disk, "answered")
    lost = [Offset("cel.json", 1, 10_000_000), Offset("queue_log", 1, 10_000_000)]
    assert len(SureFiles(disk.folder, READER, lost).read().ended) == 1


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b'"x"',
        b"{}",
        b'{"eventtype":"HANGUP"}',
        b"\xff\xfe",
        b'{"eventtype":"HANGUP","userdeftype":"","eventtime":"x","channame":"","uniqueid":"","linkedid":"","eventextra":""}',
        json.dumps({**json.loads(cel_lines("answered")[-2]), "eventextra": "[1]"}).encode(),
        json.dumps({**json.loads(cel_lines("answered")[-2]), "eventextra": 1}).encode(),
        json.dumps({**json.loads(cel_lines("answered")[-2]), "channame": None}).encode(),
        cel_lines("answered")[0].replace(SYSTEM_NAME.encode(), b"other"),
    ],
)
def test_a_line_that_makes_no_sense_is_passed_over(disk: Disk, line: bytes) -> None:
    lines = cel_lines("answered")
    append(disk.queue_log, b"garbage\n||||\n" + b"".join(queue_log_lines("answered")))
    append(disk.cel, b"".join(lines[:4]) + line + b"\n" + b"".join(lines[4:]))
    (call,) = disk.files().read().ended
    assert call.outcome == "answered"


def test_a_restart_of_asterisk_cuts_the_calls_of_before(disk: Disk) -> None:
    lines = cel_lines("answered")
    talking = lines[: next(n for n, line in enumerate(lines) if b'"HANGUP"' in line)]
    append(disk.cel, b"".join(talking))
    append(disk.queue_log, b"".join(queue_log_lines("answered")[:8]))
    files = disk.files()
    assert files.read().ended == []
    restarted = second(talking[-1]) + 5
    append(disk.queue_log, f"{restarted}|NONE|NONE|NONE|QUEUESTART|\n".encode())
    (call,) = files.read().ended
    assert (call.outcome, call.ended_at and int(call.ended_at.timestamp())) == ("interrupted", restarted)
    assert not files.floor.calls


async def test_a_file_is_put_aside_once_its_day_is_over(exchange: Exchange, tmp_path: Path) -> None:
    """By the city's day: a file begun a moment before midnight goes, one begun a moment after it stays."""
    zone = ZoneInfo("Asia/Shanghai")
    midnight = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    cel = tmp_path / "cel-custom" / names.CEL_FILE
    cel.parent.mkdir()
    line = Line(exchange.account)
    tasks = [asyncio.ensure_future(line.run())]
    while line.state is not LineState.LIVE:
        await asyncio.sleep(0.01)
    try:
        for begun, goes in ((midnight, False), (midnight - timedelta(milliseconds=1), True)):
            cel.write_text(json.dumps({"eventtime": f"{begun.timestamp():.6f}"}) + "\n")
            keeping = asyncio.ensure_future(keep_files(line, tmp_path, list, bytes_=10**9, days=9, zone=zone))
            tasks.append(keeping)
            await asyncio.sleep(2)
            keeping.cancel()
            assert cel.exists() is not goes
            assert len(chain(cel)) == 1
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
