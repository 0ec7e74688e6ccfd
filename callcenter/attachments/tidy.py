"""What a service that was killed in between has left: files that were deleted, and files that nobody wrote down."""

import asyncio
import secrets
from contextlib import suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.attachments import queries
from callcenter.attachments.routes import remove_file
from callcenter.clock import now
from callcenter.recordings.vault import Vault
from callcenter.store.engine import DatabaseAway, within

EVERY: Final = 600.0
#: So far back a deletion is looked at again.
BACK: Final = timedelta(days=7)
#: A file without a row is so old before it is taken for left over: nobody is still bringing it.
LEFT: Final = timedelta(days=1)
#: Folders of files, of which each round looks at one: all of them in two days.
FOLDERS: Final = tuple(f"{n:02x}" for n in range(256))

log = structlog.get_logger()


async def keep(engine: AsyncEngine, vault: Vault) -> None:
    """Look for ever."""
    for n in count(secrets.randbelow(len(FOLDERS))):
        try:
            await tidy(engine, vault)
            await sweep(engine, vault, FOLDERS[n % len(FOLDERS)])
        except (DatabaseAway, OSError) as error:
            log.warning("attachments_not_tidied", why=type(error).__name__)
        await asyncio.sleep(EVERY)


async def tidy(engine: AsyncEngine, vault: Vault) -> int:
    """Delete what should be gone; how many files there were. Raises DatabaseAway, OSError."""

    async def find() -> list[str]:
        async with engine.connect() as connection:
            return [str(file) for file in await queries.deleted_since(connection, now() - BACK)]

    left = [file for file in await within(10, find()) if vault.path(file).exists()]
    for file in left:
        await asyncio.to_thread(remove_file, vault, file)
    return len(left)


async def sweep(engine: AsyncEngine, vault: Vault, folder: str) -> int:
    """Remove what lies in a folder and was never written down; how many files. Raises DatabaseAway, OSError."""
    old = await asyncio.to_thread(_old, vault.folder / folder)

    async def find() -> set[UUID]:
        async with engine.connect() as connection:
            return await queries.known(connection, list(old))

    known = await within(10, find()) if old else set()
    left = [path for file, paths in old.items() for path in paths if file not in known or path.suffix == ".part"]
    for path in left:
        await asyncio.to_thread(path.unlink, missing_ok=True)
    if left:
        log.warning("attachments_left_over", files=len(left))
    return len(left)


def _old(folder: Path) -> dict[UUID, list[Path]]:
    """Files that have lain there for long, small copies too, by their id."""
    found: dict[UUID, list[Path]] = {}
    before = (now() - LEFT).timestamp()
    for path in folder.glob("*"):
        with suppress(ValueError, FileNotFoundError):
            if path.stat().st_mtime < before:
                found.setdefault(UUID(path.stem.removesuffix("-small")), []).append(path)
    return found
