"""Sheets that are written line by line: what was written of a csv can be sent at once, an xlsx is sent at its end."""

import asyncio
import csv
import io
import tempfile
from collections.abc import AsyncIterator, Sequence
from typing import IO, Final, Protocol

from xlsxwriter import Workbook

from callcenter.register.flow import safe

_CHUNK: Final = 1 << 18


class Sheet(Protocol):
    """A sheet that grows."""

    content_type: str

    def add(self, cells: Sequence[str]) -> None: ...

    def take(self) -> bytes:
        """What can be sent already."""

    def finish(self) -> AsyncIterator[bytes]:
        """All the rest."""


class Csv:
    """RFC 4180 in UTF-8 with the mark by which spreadsheets know it; no cell of it is a formula."""

    content_type = "text/csv"

    def __init__(self) -> None:
        self._text = io.StringIO("\ufeff", newline="")
        self._text.seek(0, io.SEEK_END)
        self._writer = csv.writer(self._text)

    def add(self, cells: Sequence[str]) -> None:
        self._writer.writerow([safe(cell) for cell in cells])

    def take(self) -> bytes:
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return text.encode()

    async def finish(self) -> AsyncIterator[bytes]:
        yield self.take()


class Xlsx:
    """A workbook whose cells are texts, so that none is a formula; rows go to a file, memory stays as it is."""

    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def __init__(self, widths: Sequence[int]) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by finish
        self._book = Workbook(self._file, {"constant_memory": True})
        self._page = self._book.add_worksheet("12345")
        self._page.freeze_panes(1, 0)
        for column, width in enumerate(widths):
            self._page.set_column(column, column, width)
        self._row = 0

    def add(self, cells: Sequence[str]) -> None:
        for column, cell in enumerate(cells):
            self._page.write_string(self._row, column, cell)
        self._row += 1

    def take(self) -> bytes:
        return b""

    async def finish(self) -> AsyncIterator[bytes]:
        with self._file:
            await asyncio.to_thread(self._book.close)
            self._file.seek(0)
            while chunk := await asyncio.to_thread(self._file.read, _CHUNK):
                yield chunk
