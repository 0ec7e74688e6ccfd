"""Bring the database to the schema of this release."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.store.engine import make_engine

_ONE_AT_A_TIME = 12345  # advisory lock: two services that start together migrate one after the other


class SchemaTooNew(Exception):
    """The database was made by a newer release than this one."""


async def migrate(engine: AsyncEngine) -> None:
    """Run what is missing, all of it in one transaction. Raises SchemaTooNew."""
    # An index of millions of rows is made in minutes, in which Postgres says nothing.
    patient = make_engine(engine.url, connections=1, name="migration", silence=None)
    try:
        async with patient.begin() as connection:
            await connection.execute(text("SET LOCAL statement_timeout = 0"))
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_AT_A_TIME})
            await connection.run_sync(_upgrade)
    finally:
        await patient.dispose()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if connection.scalar(text("SELECT to_regclass('alembic_version')")) is not None:
        found = set(connection.scalars(text("SELECT version_num FROM alembic_version")))
        if unknown := found - known:
            raise SchemaTooNew(
                f"the database has schema {', '.join(sorted(unknown))}, which this release does not know: "
                "start the newer release, or restore a backup of the older schema"
            )
    command.upgrade(config, "head")
