"""The audit's chain: nothing in it can be changed, deleted or cut off unnoticed, whoever writes, and however many."""

import asyncio
from pathlib import Path

import pytest
from conftest import Postgres
from office import Office, settings_for
from prometheus_client import REGISTRY
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter import metrics
from callcenter.audit.cli import verify
from callcenter.audit.seal import HEADS, Sealer
from callcenter.people.queries import write_audit
from callcenter.standalone import CannotStart
from callcenter.store.engine import make_engine

#: What only a superuser can do: no trigger hears of it.
UNHEARD = "SET LOCAL session_replication_role = replica"


async def write(engine: AsyncEngine, *codes: str) -> None:
    for code in codes:
        async with engine.begin() as connection:
            await write_audit(connection, None, "order_event", {"code": code, "event": "签收", "n": 1.50})


class Log:
    """An audit with a sealer, and the command beside it."""

    def __init__(self, engine: AsyncEngine, url: str, home: Path) -> None:
        self.engine = engine
        self.settings = settings_for(home, database_url=SecretStr(url))
        self.sealer = Sealer(engine, home / HEADS, self.settings.zone)

    async def harm(self, words: str) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(UNHEARD))
            await connection.execute(text(words))

    async def verify(self) -> int:
        return await asyncio.to_thread(verify, self.settings, None)


@pytest.fixture
async def log(engine: AsyncEngine, database_url: str, tmp_path: Path) -> Log:
    """Twelve rows, chained, and their head told."""
    log = Log(engine, database_url, tmp_path)
    await write(engine, *(f"order {n}" for n in range(12)))
    assert await log.sealer.seal() == 12
    return log


async def test_a_whole_chain_is_said_to_be_whole(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    await write(log.engine, "one that waits still")
    assert await log.verify() == 0
    told = capsys.readouterr().out
    assert "12 rows" in told and "whole" in told
    assert await log.sealer.seal() == 1
    assert await log.sealer.seal() == 0
    assert await log.verify() == 0


@pytest.mark.parametrize("table", ["audit", "audit_chain"])
async def test_rows_cannot_be_changed_or_deleted(log: Log, table: str) -> None:
    for words in (f"UPDATE {table} SET id = 1", f"DELETE FROM {table}", f"TRUNCATE {table}"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with log.engine.begin() as connection:
                await connection.execute(text(words.replace("SET id", "SET n" if "chain" in table else "SET act")))


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ("UPDATE audit SET what = what || '{\"event\": \"退单\"}' WHERE id = 5", "断于 5, audit row 审计行 5: changed"),
        ("UPDATE audit SET at = at + interval '1 microsecond' WHERE id = 5", "5: changed"),
        ("UPDATE audit SET user_id = 7 WHERE id = 9", "9: changed"),
        ("DELETE FROM audit WHERE id = 6", "broken at 断于 6, audit row 审计行 6: missing"),
        ("DELETE FROM audit_chain WHERE n = 6", "broken at 断于 6: missing"),
        ("UPDATE audit_chain SET audit_id = 40 WHERE n = 12", "missing"),
        ("DELETE FROM audit WHERE id > 10", "broken at 断于 11, audit row 审计行 11: missing"),
        (
            "INSERT INTO audit (act, what) VALUES ('order_event', '{}')",
            "audit row 审计行 13: not in the chain",
        ),
    ],
    ids=range(8),
)  # fmt: skip
async def test_harm_by_a_superuser_is_found(
    log: Log, capsys: pytest.CaptureFixture[str], harm: str, found: str
) -> None:
    await log.harm(harm)
    assert await log.verify() == 1
    assert found in capsys.readouterr().out


async def test_a_tail_cut_off_with_its_links_shows_by_the_head_that_was_told(
    log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    await log.harm("WITH cut AS (DELETE FROM audit_chain WHERE n > 8) DELETE FROM audit WHERE id > 8")
    assert await log.verify() == 1
    assert "broken at 断于 9: the chain was longer" in capsys.readouterr().out
    # Others written in their place do not hide it.
    await write(log.engine, *(f"forged {n}" for n in range(6)))
    await Sealer(log.engine, log.settings.home / "elsewhere", log.settings.zone).seal()
    assert await log.verify() == 1
    assert "another row stood here" in capsys.readouterr().out


async def test_the_running_sealer_sees_that_its_tail_is_gone(log: Log) -> None:
    def broken() -> bool:
        return REGISTRY.get_sample_value("callcenter_audit_chain_broken") == 1

    await log.sealer.seal()
    assert not broken()
    await log.harm("WITH cut AS (DELETE FROM audit_chain WHERE n > 8) DELETE FROM audit WHERE id > 8")
    await log.sealer.seal()
    assert broken()
    metrics.AUDIT_BROKEN.set(0)


async def test_writers_and_sealers_side_by_side_keep_one_chain(
    log: Log, postgres: Postgres, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eight write, one of them slowly so that a lower id is committed later; two sealers run meanwhile."""
    others = [make_engine(database_url) for _ in range(2)]
    sealers = [Sealer(other, log.settings.home / f"heads{n}", log.settings.zone) for n, other in enumerate(others)]
    over = asyncio.Event()

    async def seal(sealer: Sealer) -> None:
        while not over.is_set():
            await sealer.seal()

    async def late() -> None:
        async with log.engine.begin() as connection:
            await write_audit(connection, None, "late", {})
            await asyncio.sleep(0.5)

    sealing = [asyncio.create_task(seal(each)) for each in sealers]
    await asyncio.gather(late(), *(write(log.engine, *(f"{n}-{i}" for i in range(25))) for n in range(8)))
    over.set()
    await asyncio.gather(*sealing)
    await sealers[0].seal()
    assert await log.verify() == 0
    assert "213 rows" in capsys.readouterr().out
    async with log.engine.connect() as connection:
        late_n, most = (await connection.execute(text(
            "SELECT min(n), (SELECT count(*) FROM audit WHERE act <> 'late') FROM audit_chain"
            " JOIN audit ON id = audit_id WHERE act = 'late'"
        ))).one()  # fmt: skip
    assert most == 212 and late_n > 12
    for other in others:
        await other.dispose()


async def test_what_cannot_be_read_is_said_in_one_line(log: Log, tmp_path: Path) -> None:
    (tmp_path / HEADS).write_text("no head\n")
    with pytest.raises(CannotStart, match="holds no heads"):
        await log.verify()


# --- reading it -------------------------------------------------------------------------------------------------------


async def test_an_auditor_finds_deeds_page_by_page_and_is_on_record(office: Office) -> None:
    auditor = await office.logged_in("auditor")
    for n in range(5):
        async with office.engine.begin() as connection:
            await write_audit(connection, 1, "order_event", {"code": "2611220000017", "event": f"第{n}步"})
    seen: list[str] = []
    before: dict[str, str] = {}
    while True:
        params = {"about": "2611220000017", "act": "order_event", "person": "limei", "limit": "2"} | before
        status, page = await auditor.ask("GET", "/api/v1/audit", params=params)
        assert status == 200
        seen += [row["what"]["event"] for row in page["items"]]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
    assert seen == [f"第{n}步" for n in reversed(range(5))]
    own = (await auditor.ask("GET", "/api/v1/audit", params={"act": "read_audit", "limit": "1"}))[1]["items"][0]
    assert own["what"] == {"about": "2611220000017", "act": "order_event", "person": "limei", "rows": 1}
    assert own["login"] == office.password("auditor")[0]
    for wrong in ({"since": "yesterday"}, {"before": "1~x"}, {"about": "'; DROP TABLE audit"}, {"limit": "9999"}):
        assert (await auditor.ask("GET", "/api/v1/audit", params=wrong))[0] == 422
    status, chain = await auditor.ask("GET", "/api/v1/audit/chain")
    assert (status, "order_event" in chain["acts"], len(chain["head"])) == (200, True, 64)


async def test_the_export_is_the_auditors_and_runs_no_formula(office: Office) -> None:
    async with office.engine.begin() as connection:
        await write_audit(connection, 1, "sendmessage", {"text": "=HYPERLINK(1)\r\n-2"})
    assert (await (await office.logged_in("oversight")).ask("GET", "/api/v1/audit/export"))[0] == 403
    auditor = await office.logged_in("auditor")
    response = await auditor.send("GET", "/api/v1/audit/export?act=sendmessage")
    assert (response.status, response.content_type) == (200, "text/csv")
    lines = (await response.read()).decode("utf-8-sig").split("\r\n")
    assert lines[0] == "id,at,login,act,what,n,hash"
    assert ',limei,sendmessage,"{""text"": ""=HYPERLINK(1)\\r\\n-2""}",' in lines[1]
    assert not any(cell[:1] in "=+-@" for cell in lines[1].split(",") if cell)
    told = (await auditor.ask("GET", "/api/v1/audit", params={"act": "export_audit"}))[1]["items"][0]["what"]
    assert told == {"act": "sendmessage", "rows": 1}
