"""What is known of a call only grows: rows may come in any order, twice, from the line and from the files."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from agents.seats import SeatState
from agents.service_level import Outcome
from callcenter.asterisk.files import Offset
from callcenter.calls.numbers import blind_index
from callcenter.calls.rows import Record, Row, call_row, from_json, known_moments, segment_row, to_json
from callcenter.calls.sure import commit_sure, load_offsets
from callcenter.calls.writers import write_calls, write_seat_states, write_segments
from callcenter.floor.model import Call, Leg, LegEnd, Side
from callcenter.store import tables

KEY = b"a key for tests"
START = datetime(2026, 11, 22, 8, 0, 0, 123456, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def lives(call_id: str = "n1-1763798400.7") -> list[Call]:
    """One call at each step of its life: greeting, queue, ring missed, ring answered, hold, end."""

    def call(**more: object) -> Call:
        return Call(id=call_id, arrived_at=at(0), number="13812345678", dialed="12345", **more)  # type: ignore[arg-type]

    missed = Leg("1001", "amy", "main", "PJSIP/1001-1", at(5))
    missed_over = Leg("1001", "amy", "main", "PJSIP/1001-1", at(5), None, at(12), LegEnd.MISSED)
    ringing = Leg("1002", "bob", "main", "PJSIP/1002-1", at(13))
    talking = Leg("1002", "bob", "main", "PJSIP/1002-1", at(13), at(18))
    over = Leg("1002", "bob", "main", "PJSIP/1002-1", at(13), at(18), at(78.5), LegEnd.COMPLETED)
    queued = {"queue": "main", "queued_at": at(3), "service": "12345"}
    return [
        call(),
        call(menu="1"),
        call(menu="1", **queued),
        call(menu="1", legs=[missed], **queued),
        call(menu="1", legs=[missed_over], **queued),
        call(menu="1", legs=[missed_over, ringing], **queued),
        call(menu="1", legs=[missed_over, talking], late=False, left_at=at(18), **queued),
        call(menu="1", legs=[missed_over, talking], late=True, held_ms=4000, left_at=at(18), **queued),
        call(
            menu="1", legs=[missed_over, over], late=True, held_ms=4000, left_at=at(18), ended_at=at(78.5),
            ended_by=Side.CALLER, outcome=Outcome.ANSWERED, **queued,
        ),
    ]  # fmt: skip


def by_line(call: Call, version: int) -> Row:
    return call_row(call, node="n1", number_key=KEY, source="line", version=version)


def by_files(call: Call) -> Row:
    return call_row(call, node="n1", number_key=KEY, source="files", version=len(known_moments(call)))


async def _write(engine: AsyncEngine, rows: list[Row]) -> None:
    for row in rows:
        async with engine.begin() as connection:
            await write_calls(connection, [row])


async def _calls(engine: AsyncEngine) -> list[Row]:
    async with engine.connect() as connection:
        return [dict(row) for row in (await connection.execute(select(tables.calls))).mappings()]


async def _segments(engine: AsyncEngine) -> list[Row]:
    async with engine.connect() as connection:
        found = await connection.execute(select(tables.segments).order_by(tables.segments.c.n))
        return [dict(row) for row in found.mappings()]


async def _clear(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(delete(tables.calls))


async def test_milliseconds_are_exact(engine: AsyncEngine) -> None:
    await _write(engine, [by_line(lives()[-1], 1)])
    (row,) = await _calls(engine)
    assert (row["wait_ms"], row["wait_from_invite_ms"], row["talk_ms"], row["held_ms"]) == (
        15_000,
        18_000,
        60_500,
        4_000,
    )
    assert row["arrived_at"] == START
    assert (row["seat"], row["login"], row["outcome"], row["ended_by"]) == ("1002", "bob", "answered", "caller")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(len(lives()))), again=st.lists(st.integers(0, len(lives()) - 1), max_size=4))
async def test_any_order_of_the_line_ends_the_same(engine: AsyncEngine, order: list[int], again: list[int]) -> None:
    await _clear(engine)
    rows = [by_line(call, 100 + n) for n, call in enumerate(lives())]
    await _write(engine, [rows[n] for n in (*order, *again)])
    assert await _calls(engine) == [rows[-1]]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.permutations(range(len(lives()))), places=st.lists(st.integers(0, len(lives())), min_size=3, max_size=3))
async def test_files_fill_but_never_better_the_line(engine: AsyncEngine, line: list[int], places: list[int]) -> None:
    """The files' rows come in their order, between the line's in any order."""
    await _clear(engine)
    heard = [by_line(call, 100 + n) for n, call in enumerate(lives())]
    told = [by_files(call) for call in (lives()[2], lives()[6], lives()[8])]
    for row in told:
        row["language"] = ""
        row["ended_by"] = None
        row["wait_ms"] = row["wait_ms"] and row["wait_ms"] - 999
    rows = [heard[n] for n in line]
    for place, row in reversed(list(zip(sorted(places), told, strict=True))):
        rows.insert(place, row)
    await _write(engine, rows)
    assert await _calls(engine) == [heard[-1] | {"source": "both"}]


async def test_row_that_the_line_left_open_is_closed_by_the_files(engine: AsyncEngine) -> None:
    heard = by_line(lives()[5], 100)
    await _write(engine, [heard])
    await commit_sure(engine, [lives()[-1]], [Offset("queue_log", 7, 1234)], node="n1", number_key=KEY)
    (row,) = await _calls(engine)
    assert (row["outcome"], row["source"], row["wait_ms"]) == ("answered", "both", 15_000)
    assert await load_offsets(engine, "n1") == [Offset("queue_log", 7, 1234)]
    assert await load_offsets(engine, "n2") == []


async def test_files_know_better_than_unknown(engine: AsyncEngine) -> None:
    lost = lives()[5]
    lost.outcome, lost.ended_at = Outcome.UNKNOWN_GAP, at(100)
    await _write(engine, [by_line(lost, 100)])
    await commit_sure(engine, [lives()[-1]], [], node="n1", number_key=KEY)
    await _write(engine, [by_line(lost, 101)])
    (row,) = await _calls(engine)
    assert (row["outcome"], row["ended_at"]) == ("answered", at(78.5))


async def test_offsets_are_committed_with_their_rows_or_not_at_all(engine: AsyncEngine) -> None:
    await commit_sure(engine, [lives()[0]], [Offset("cel", 7, 10)], node="n1", number_key=KEY)
    wrong = lives("n1-1763798400.8")[0]
    wrong.held_ms = -1  # the database refuses it
    with pytest.raises(Exception, match="held_ms"):
        await commit_sure(engine, [lives()[-1], wrong], [Offset("cel", 7, 99)], node="n1", number_key=KEY)
    assert await load_offsets(engine, "n1") == [Offset("cel", 7, 10)]
    assert [row["outcome"] for row in await _calls(engine)] == [None]


async def test_rings_that_the_line_missed_come_from_the_files(engine: AsyncEngine) -> None:
    whole = lives()[-1]
    seen = Call(id=whole.id, arrived_at=whole.arrived_at, legs=whole.legs[1:])
    async with engine.begin() as connection:
        await write_calls(connection, [by_line(seen, 100)])
        await write_segments(connection, [segment_row(seen.id, 0, seen.legs[0])])
    for leg in whole.legs:
        leg.login = ""  # queue_log knows seats, not people
    await commit_sure(engine, [whole], [], node="n1", number_key=KEY)
    expected = [("1001", "", "missed"), ("1002", "bob", "completed")]
    assert [(row["seat"], row["login"], row["how"]) for row in await _segments(engine)] == expected
    # The line's own count comes once more, from the journal.
    async with engine.begin() as connection:
        await write_segments(connection, [segment_row(seen.id, 0, seen.legs[0])])
    assert [(row["seat"], row["login"], row["how"]) for row in await _segments(engine)] == expected


async def test_segment_never_loses_what_is_known(engine: AsyncEngine) -> None:
    steps = [
        Leg("1002", "bob", "main", "c", at(13)),
        Leg("1002", "bob", "main", "c", at(13), at(18)),
        Leg("1002", "bob", "main", "c", at(13), at(18), at(70), LegEnd.LOST),
        Leg("1002", "bob", "main", "c", at(13), at(18), at(78.5), LegEnd.COMPLETED),
    ]
    rows = [segment_row("n1-1763798400.7", 0, leg) for leg in steps]
    for order in itertools.permutations(range(4)):
        await _clear(engine)
        await _write(engine, [by_line(lives()[0], 1)])
        for n in order:
            async with engine.begin() as connection:
                await write_segments(connection, [rows[n]])
        assert await _segments(engine) == [rows[-1]]


async def test_states_of_a_seat_follow_each_other_without_gap(engine: AsyncEngine) -> None:
    states = [SeatState.READY, SeatState.RINGING, SeatState.TALKING, SeatState.WRAP_UP]
    rows = [
        {"seat": "1001", "since": at(n), "login": "amy", "state": state.value, "reason": None}
        for n, state in enumerate(states)
    ]
    other = {"seat": "1002", "since": at(0), "login": "bob", "state": "break", "reason": "MEAL"}
    for order in itertools.permutations(range(4)):
        async with engine.begin() as connection:
            await connection.execute(delete(tables.seat_states))
            for n in order:
                await write_seat_states(connection, [rows[n], other])
            await write_seat_states(connection, [rows[n] for n in order])
            found = (await connection.execute(select(tables.seat_states).order_by("seat", "since"))).mappings().all()
        ends = [(row["since"], row["state"], row["until"]) for row in found]
        untils = [at(1), at(2), at(3), None]
        expected = [(at(n), state.value, until) for n, (state, until) in enumerate(zip(states, untils, strict=True))]
        assert ends == [*expected, (at(0), "break", None)]


@pytest.mark.parametrize(
    "name",
    [
        "'; DROP TABLE calls; --",
        '"<img src=x onerror=alert(1)>"',
        "张" * 80,
        "a\0b\x01\x1b[31m\r\nEvent: Shutdown",
        "\ud800 half a pair",
        "x" * 100_000,
    ],
)
async def test_hostile_names_are_only_text(engine: AsyncEngine, name: str) -> None:
    call = lives()[0]
    call.name = call.number = name
    record = Record("calls", by_line(call, 1))
    assert from_json(to_json(record)) == record
    await _write(engine, [record.row])
    (row,) = await _calls(engine)
    assert row["name"] == record.row["name"]
    assert len(row["name"]) <= 500
    assert "\0" not in row["name"]
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM calls")) == 1


def test_numbers_meet_whatever_their_spelling() -> None:
    same = {blind_index(KEY, number) for number in ("13812345678", "+8613812345678", "0086 138-1234-5678")}
    assert len(same) == 1
    assert blind_index(b"another key", "13812345678") not in same
    assert blind_index(KEY, "8612345") != blind_index(KEY, "12345")
    assert blind_index(KEY, "anonymous") is None
