"""`callcenter reconcile`: every call is explained, or named with why not."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from agents.service_level import Outcome
from callcenter.calls.cli import reconcile, report
from callcenter.calls.reconcile import Balance, Known, compare
from callcenter.calls.rows import call_row
from callcenter.calls.writers import write_calls
from callcenter.floor.model import Call
from callcenter.settings import Settings

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
NOW = START + timedelta(hours=1)


def known(**changes: Any) -> Known:
    ended = {
        "arrived_at": START,
        "answered_at": START + timedelta(seconds=9),
        "ended_at": START + timedelta(seconds=60),
        "outcome": "answered",
    }
    return Known(**(ended | changes))


def open_call(arrived_at: datetime = START) -> Known:
    return Known(arrived_at, None, None, None)


def why(ledger: Known | None, *files: Known) -> str | None:
    balance = compare({"n1-1.1": ledger} if ledger else {}, [("n1-1.1", each) for each in files], now=NOW)
    assert balance.offered == 1
    return balance.unexplained[0].why if balance.unexplained else None


def test_what_agrees_is_explained() -> None:
    assert why(known(), known()) is None
    assert why(open_call(), open_call()) is None
    assert (
        why(known(), known(answered_at=START + timedelta(seconds=10), arrived_at=START - timedelta(seconds=1))) is None
    )


@pytest.mark.parametrize(
    ("ledger", "files", "reason"),
    [
        (None, [known()], "missing in the ledger"),
        (known(), [], "missing in the files"),
        (known(), [known(), known()], "2 times in the files"),
        (known(), [known(outcome="abandoned_queue")], "outcome: ledger answered, files abandoned_queue"),
        (open_call(), [known()], "outcome: ledger open, files answered"),
        (known(), [open_call()], "outcome: ledger answered, files open"),
        (known(), [known(ended_at=START + timedelta(seconds=61.001))], "ended_at: 1.001 s apart"),
        (known(answered_at=None), [known()], "answered_at: only in the files"),
        (known(), [known(answered_at=None)], "answered_at: only in the ledger"),
    ],
)
def test_what_disagrees_is_named(ledger: Known | None, files: list[Known], reason: str) -> None:
    assert why(ledger, *files) == reason


def test_what_has_just_happened_is_on_its_way() -> None:
    fresh = known(ended_at=NOW - timedelta(seconds=2))
    assert why(open_call(), fresh) is None
    assert why(None, open_call(NOW - timedelta(seconds=1))) is None


def test_what_is_older_than_the_files_is_counted_and_not_compared() -> None:
    ledger = {f"n1-1.{n}": known(arrived_at=START - timedelta(hours=n)) for n in range(3)}
    balance = compare(ledger, [("n1-1.0", known())], now=NOW, since=START - timedelta(minutes=1))
    assert (balance.before, balance.offered, balance.unexplained) == (2, 1, [])
    assert "       2  before the files" in "\n".join(report(balance, "title"))


calls = st.builds(
    known,
    arrived_at=st.datetimes(datetime(2026, 11, 20), datetime(2026, 11, 22), timezones=st.just(UTC)),
    answered_at=st.none(),
    outcome=st.sampled_from([None, *Outcome]),
)
ids = st.sampled_from([f"n1-1.{n}" for n in range(8)])


@given(st.dictionaries(ids, calls), st.dictionaries(ids, calls))
def test_every_call_is_counted_once_and_only_differences_are_named(
    ledger: dict[str, Known], files: dict[str, Known]
) -> None:
    balance = compare(ledger, files.items(), now=NOW)
    assert balance.offered == len(ledger.keys() | files.keys())
    assert {each.call_id for each in balance.unexplained} == {
        call_id for call_id in ledger.keys() | files.keys() if ledger.get(call_id) != files.get(call_id)
    }
    days = [
        compare(ledger, files.items(), now=NOW, between=(day, day + timedelta(days=1)))
        for day in (datetime(2026, 11, 20, tzinfo=UTC) + timedelta(days=n) for n in range(3))
    ]
    assert sum(each.offered for each in days) >= balance.offered


def test_report_adds_up() -> None:
    lines = list(report(Balance({Outcome.ANSWERED: 3, Outcome.REFUSED: 1}, 2, []), "title"))
    figures = [int(line.split()[0]) for line in lines[1:-1]]
    assert figures[0] == 6 == sum(figures[1:])
    assert lines[-1].startswith("0 unexplained")


async def test_command_says_it_and_exits_by_it(
    engine: AsyncEngine, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(
        home=tmp_path, database_url=SecretStr(database_url), asterisk_log=tmp_path, system_name=SecretStr("n1_tests")
    )
    assert await asyncio.to_thread(reconcile, settings, None) == 0
    assert "0 unexplained" in capsys.readouterr().out
    call = Call(id="n1-1763798400.1", arrived_at=datetime(2026, 11, 21, 23, tzinfo=UTC))
    async with engine.begin() as connection:
        await write_calls(connection, [call_row(call, node="n1", number_key=b"k", source="line", version=1)])
    for day, code in ((datetime(2026, 11, 21), 0), (datetime(2026, 11, 22), 1)):
        assert await asyncio.to_thread(reconcile, settings, day) == code
    assert "n1-1763798400.1  missing in the files" in capsys.readouterr().out
