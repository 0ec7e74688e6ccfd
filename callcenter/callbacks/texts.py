"""Texts to citizens (短信): a row goes to a gateway, exactly once as far as the citizen can tell."""

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

import structlog
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.callbacks import queries
from callcenter.clock import iso, now
from callcenter.privacy.seal import Sealer
from callcenter.store.engine import DatabaseAway, within

LOOK_EVERY: Final = 2.0
SECONDS: Final = 5.0

log = structlog.get_logger()


class Gateway(Protocol):
    """Whatever carries texts to telephones (短信网关)."""

    async def send(self, key: str, number: str, text: str) -> None:
        """Send one text. The same `key` again is the same text, and is not sent again. Raises OSError to be retried."""


class FileGateway:
    """Appends each text as a line of JSON: the gateway of the demo, and of a mail-drop that something else empties."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: set[str] | None = None

    async def send(self, key: str, number: str, text: str) -> None:
        await asyncio.to_thread(self._append, key, {"id": key, "at": iso(now()), "number": number, "text": text})

    def _append(self, key: str, line: Mapping[str, object]) -> None:
        if self._keys is None:
            lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else ()
            self._keys = {json.loads(each)["id"] for each in lines if each.endswith("}")}
        if key in self._keys:
            return
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._keys.add(key)


async def send_texts(engine: AsyncEngine, gateway: Gateway, sealer: Sealer) -> None:
    """Send what waits in the table, for ever. A text is marked when the gateway has it, and tried again until then.

    One whose number nobody can open any more is marked without having been sent.
    """
    while True:
        try:
            while row := await within(SECONDS, _take(engine)):
                if number := queries.number_of(row, sealer):
                    await gateway.send(row["id"], number, row["text"])
                await within(SECONDS, _mark(engine, row["id"]))
        except (DatabaseAway, OSError) as error:
            log.warning("texts_wait", why=type(error).__name__)
        await asyncio.sleep(LOOK_EVERY)


async def _take(engine: AsyncEngine) -> RowMapping | None:
    async with engine.begin() as connection:
        return await queries.take_text(connection, now())


async def _mark(engine: AsyncEngine, key: str) -> None:
    async with engine.begin() as connection:
        await queries.text_sent(connection, key, now())
