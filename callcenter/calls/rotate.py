"""Asterisk's files do not grow for ever (日志轮换): put aside by day or size, deleted when they are old and read."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from callcenter.asterisk import actions
from callcenter.asterisk.files import Offset, chain
from callcenter.asterisk.link import ActionRefused, Line, LineAway
from callcenter.clock import now
from dialplan import names

LOOK_EVERY: Final = 5.0
#: Two files put aside never bear the same second.
LEAST_APART: Final = 1.0
#: What Asterisk says about itself; put aside together with queue_log, and read by nobody but people.
MESSAGES: Final = "messages"

log = structlog.get_logger()


async def keep_files(
    line: Line, log_folder: Path, committed: Callable[[], Sequence[Offset]], *, bytes_: int, days: int, zone: ZoneInfo
) -> None:
    """Put aside and delete, for ever.

    Args:
        committed: how far the ledger has what the files tell.
        bytes_: a larger file is put aside at once; every other with its day.
        days: how long what was put aside is kept.
    """
    cel, queue_log = log_folder / "cel-custom" / names.CEL_FILE, log_folder / names.QUEUE_LOG
    while True:
        try:
            today = now().astimezone(zone).date()
            if _due(cel, bytes_, _cel_day(cel, zone), today) or _due(queue_log, bytes_, None, today):
                await _put_aside(line, cel)
            for path in old((cel, queue_log), committed(), now() - timedelta(days=days)):
                log.info("file_deleted", file=path.name)
                path.unlink(missing_ok=True)
            for path in chain(log_folder / MESSAGES)[:-1]:
                if _put_aside_at(path) < now() - timedelta(days=days):
                    path.unlink(missing_ok=True)
        except (LineAway, ActionRefused, OSError) as error:
            log.warning("files_not_rotated", why=str(error))
        await asyncio.sleep(LOOK_EVERY)


def old(files: Iterable[Path], committed: Sequence[Offset], before: datetime) -> list[Path]:
    """What may be deleted: put aside before this moment, and every call of it is in the ledger."""
    found = []
    for file in files:
        needed = next((each.inode for each in committed if each.file == file.name), 0)
        parts = chain(file)
        inodes = [path.stat().st_ino for path in parts]
        if needed in inodes:  # else nobody knows how far it was read
            found += [path for path in parts[: inodes.index(needed)] if _put_aside_at(path) < before]
    return found


def _due(file: Path, bytes_: int, began: date | None, today: date) -> bool:
    try:
        return file.stat().st_size > bytes_ or (began is not None and began < today)
    except FileNotFoundError:
        return False


def _cel_day(cel: Path, zone: ZoneInfo) -> date | None:
    """The day of its first line."""
    try:
        with cel.open("rb") as file:
            seconds = float(json.loads(file.readline())["eventtime"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone).date()


async def _put_aside(line: Line, cel: Path) -> None:
    """CEL is opened anew for each line that Asterisk writes, so a new name is enough; queue_log stays open."""
    await line.act(actions.ROTATE_LOGS)
    aside = cel.with_name(f"{cel.name}.{int(time.time())}")
    with contextlib.suppress(FileNotFoundError):
        await asyncio.to_thread(cel.rename, aside)
    log.info("files_put_aside")
    await asyncio.sleep(LEAST_APART)


def _put_aside_at(path: Path) -> datetime:
    """By its name, else by its last change."""
    stamp = path.name.rpartition(".")[2]
    seconds = int(stamp) if stamp.isdigit() and len(stamp) < 12 else path.stat().st_mtime
    return datetime.fromtimestamp(seconds, UTC)
