"""The schema: made by migrations, as the code believes it to be, and never an unknown one."""

import asyncio
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from conftest import Postgres
from sqlalchemy import Connection, insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.store import migrations, tables
from callcenter.store.engine import DatabaseAway, make_engine, within
from callcenter.store.migrate import SchemaTooNew, migrate

NEWEST = max(file.stem[:4] for file in Path(migrations.__file__).parent.glob("versions/[0-9]*.py"))


def _differences(connection: Connection) -> list[str]:
    # Partial and descending indexes are the migrations' own affair: the queries do not name them.
    context = MigrationContext.configure(
        connection, opts={"include_object": lambda _o, _n, kind, *_: kind in ("table", "column")}
    )
    return [str(difference) for difference in compare_metadata(context, tables.metadata)]


async def test_tables_are_what_the_migrations_make(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert await connection.run_sync(_differences) == []


async def test_services_that_start_together_migrate_once(postgres: Postgres) -> None:
    await postgres.administer("CREATE DATABASE two_starts")
    engines = [make_engine(postgres.url("two_starts")) for _ in range(3)]
    await asyncio.gather(*(migrate(engine) for engine in engines))
    async with engines[0].connect() as connection:
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == NEWEST
    for engine in engines:
        await engine.dispose()


async def test_newer_schema_is_refused_in_one_line(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew) as refusal:
        await migrate(engine)
    assert "9999" in str(refusal.value)
    assert "\n" not in str(refusal.value)


async def test_history_of_orders_cannot_be_rewritten(engine: AsyncEngine) -> None:
    now = datetime.now(UTC)
    key = uuid.uuid4()
    async with engine.begin() as connection:
        await connection.execute(
            insert(tables.orders).values(
                id=key,
                code="2611220000017",
                check_code="1234",
                call_id="n1-1",
                state="answered",
                kind="consult",
                urgency="U3",
                created_by="a",
                created_at=now,
                updated_at=now,
            )
        )
        await connection.execute(
            insert(tables.order_history).values(
                order_id=key, n=1, at=now, who="a", event="answer", from_state="draft", to_state="answered"
            )
        )
    for words in ("UPDATE order_history SET who = 'b'", "DELETE FROM order_history", "TRUNCATE order_history"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with engine.begin() as connection:
                await connection.execute(text(words))


async def _ask(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(text("SELECT 1")) or 0)


async def test_absence_by_error_and_by_silence(own_postgres: Postgres) -> None:
    engine = make_engine(own_postgres.url("postgres"))
    assert await within(2, _ask(engine)) == 1
    own_postgres.freeze()
    began = asyncio.get_running_loop().time()
    with pytest.raises(DatabaseAway, match="said nothing"):
        await within(0.3, _ask(engine))
    assert asyncio.get_running_loop().time() - began < 1
    own_postgres.thaw()
    assert await within(5, _ask(engine)) == 1
    await own_postgres.kill()
    with pytest.raises(DatabaseAway):
        await within(2, _ask(engine))
    await own_postgres.start()
    assert await within(5, _ask(engine)) == 1
    await engine.dispose()


async def test_wrong_statement_is_not_absence(engine: AsyncEngine) -> None:
    async def wrong() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT nonsense"))

    with pytest.raises(DBAPIError):
        await within(2, wrong())
