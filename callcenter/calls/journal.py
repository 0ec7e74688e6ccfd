"""The journal (本地日志): where rows wait on the local disk while Postgres is away.

Numbered files, one record a line: length, CRC-32, JSON. `append` returns when the record is on the disk; those who
come while one write is under way share the next one. A file is never changed once it is sealed, and is removed only
when all of it is committed. So a crash at any moment leaves at most one torn record, the last one, which nobody was
promised.
"""

import asyncio
import os
import time
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Final

import structlog

from callcenter import metrics
from callcenter.calls.rows import Record, from_json, to_json
from callcenter.disk import sync_folder

FILE_BYTES: Final = 4 * 2**20  # what is read into memory, and done again after a crash, at most
_HEAD: Final = 18  # two numbers of eight hexadecimal digits, and a blank after each

log = structlog.get_logger()


class JournalRefused(Exception):
    """The journal is full, or the disk does not take it."""


class _Entry:
    __slots__ = ("data", "refusal")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.refusal: str | None = None


class Journal:
    """Records that wait in `folder`, at most `limit` bytes of them. One process at a time."""

    def __init__(self, folder: Path, limit: int = 2 * 2**30) -> None:
        """Raises OSError when the folder cannot be made or read."""
        self._folder = folder
        self._limit = limit
        self._waiting: deque[_Entry] = deque()
        self._file: IO[bytes] | None = None  # the open one, always the last of _files
        # One thread does all writing, one piece after the other.
        self._pen = ThreadPoolExecutor(1, "journal")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._files = sorted(path for path in folder.glob("*.journal"))
        self._next = 1 + (int(self._files[-1].stem) if self._files else 0)
        self.size = sum(path.stat().st_size for path in self._files)
        self.since = min((path.stat().st_mtime for path in self._files), default=None)
        metrics.JOURNAL_BYTES.set_function(lambda: self.size)
        metrics.JOURNAL_AGE_SECONDS.set_function(lambda: time.time() - self.since if self.since else 0)

    @property
    def empty(self) -> bool:
        return not self._files

    async def append(self, records: Sequence[Record]) -> None:
        """Keep records; when this returns they survive a power cut. Raises JournalRefused, and keeps none then."""
        entry = _Entry(b"".join(_line(record) for record in records))
        self._waiting.append(entry)
        await asyncio.get_running_loop().run_in_executor(self._pen, self._write)
        if entry.refusal:
            raise JournalRefused(entry.refusal)

    async def oldest(self) -> Path | None:
        """The file to replay next, sealed: newer records go to another one. None when nothing waits."""
        return await asyncio.get_running_loop().run_in_executor(self._pen, self._seal_oldest)

    async def remove(self, file: Path) -> None:
        """Forget a sealed file, whose records are all committed."""
        await asyncio.get_running_loop().run_in_executor(self._pen, self._remove, file)

    def records(self) -> Iterator[Record]:
        """All that waits, oldest first."""
        for file in list(self._files):
            yield from read(file)

    def put_aside(self, record: Record) -> None:
        """Keep a record that Postgres finds wrong in `refused`, which nothing replays."""
        with (self._folder / "refused").open("ab") as file:
            file.write(_line(record))

    def close(self) -> None:
        """Wait for the last write."""
        self._pen.shutdown()
        if self._file:
            self._file.close()

    # --- in the pen's thread ------------------------------------------------------------------------------------------

    def _write(self) -> None:
        room = self._limit - self.size
        taken: list[_Entry] = []
        while self._waiting:
            entry = self._waiting.popleft()
            room -= len(entry.data)
            if room < 0:
                entry.refusal = f"the journal has reached its limit of {self._limit} bytes"
                room += len(entry.data)
                continue
            taken.append(entry)
        if not taken:
            return  # written by whoever came before
        data = b"".join(entry.data for entry in taken)
        try:
            file = self._file or self._begin()
            whole = file.tell()
            try:
                file.write(data)
                os.fsync(file.fileno())
            except OSError:
                file.truncate(whole)  # half a record in the middle would hide those after it
                file.seek(whole)
                raise
        except OSError as error:
            for entry in taken:
                entry.refusal = f"the journal cannot be written: {error.strerror}"
            return
        self.size += len(data)
        self.since = self.since or time.time()
        if file.tell() >= FILE_BYTES:
            self._seal()

    def _begin(self) -> IO[bytes]:
        path = self._folder / f"{self._next:010d}.journal"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._files.append(path)
        self._next += 1
        sync_folder(self._folder)
        return self._file

    def _seal(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def _seal_oldest(self) -> Path | None:
        if len(self._files) == 1:
            self._seal()
        return self._files[0] if self._files else None

    def _remove(self, file: Path) -> None:
        self.size -= file.stat().st_size
        file.unlink()
        self._files.remove(file)
        self.since = min((path.stat().st_mtime for path in self._files), default=None)


def read(file: Path) -> Iterator[Record]:
    """The records of one file, in order. A torn or spoiled one is left out, counted and logged."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            payload = line[_HEAD:-1]
            try:
                length, checksum = int(line[:8], 16), int(line[9:17], 16)
                if len(payload) != length or zlib.crc32(payload) != checksum:
                    raise ValueError
                yield from_json(payload)
            except (ValueError, KeyError, TypeError):
                metrics.JOURNAL_TORN_RECORDS.inc()
                log.warning("journal_record_torn", file=file.name, line=number, bytes=len(line))


def _line(record: Record) -> bytes:
    payload = to_json(record)
    return b"%08x %08x %b\n" % (len(payload), zlib.crc32(payload), payload)
