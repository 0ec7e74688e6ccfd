"""Keeps what is announced: read from Postgres, told to the screens and to Asterisk. No call ever waits for it."""

import asyncio
import contextlib
import os
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.announcements import queries
from callcenter.announcements.flow import Announcement, ends_at, heard, in_force
from callcenter.asterisk import actions
from callcenter.asterisk.link import ActionRefused, Line, LineAway, LineState
from callcenter.clock import now
from callcenter.numbermap.queries import cutovers
from callcenter.standalone.private import write
from callcenter.store.engine import DatabaseAway, within
from dialplan import names
from dialplan.announced import announced_conf, announcement
from ivr.prompts import LANGUAGES, PROMPTS
from ivr.services import SERVICES

LOOK_SECONDS: Final = 1.0
OWN: Final = "own"  # folder of own recordings, beside what Asterisk reads
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9/._-]{1,190}")

log = structlog.get_logger()


class Crier:
    """What is announced now.

    Args:
        etc: the folder that Asterisk reads.
        tell: called when what is in force has changed.
    """

    def __init__(self, engine: AsyncEngine, line: Line, etc: Path, zone: ZoneInfo, tell: Callable[[], None]) -> None:
        self._engine = engine
        self._line = line
        self._etc = etc.absolute()
        self._zone = zone
        self._tell = tell
        self._known: list[Announcement] | None = None
        self._moved: dict[str, str] = {}
        self._said: dict[str, str] = {}  # global variables as Asterisk has them since the line came up
        self._shown: list[Announcement] = []
        self._look = asyncio.Event()
        self._asked: list[asyncio.Event] = []  # by those who wait until what they changed has been read
        line.watchers.append(self._line_moved)

    def in_force(self) -> list[Announcement]:
        """What is on now, guidance first."""
        return in_force(self._known or (), now())

    async def look(self) -> None:
        """Something has been changed: look at once. Returns when it has been read, or after two seconds."""
        read = asyncio.Event()
        self._asked.append(read)
        self._look.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * LOOK_SECONDS):
                await read.wait()

    @property
    def takes_own(self) -> bool:
        """Whether Asterisk can be given recordings of one's own: their path must be plain."""
        return _PLAIN_PATH.fullmatch(str(self._etc / OWN)) is not None

    async def run(self) -> None:
        """Look every second, and whenever told to, for ever."""
        while True:
            self._look.clear()
            asked, self._asked = self._asked, []
            with contextlib.suppress(DatabaseAway):
                await within(LOOK_SECONDS * 3, self._read())
            for read in asked:
                read.set()
            if self._known is not None:  # until Postgres has been read once, Asterisk keeps what it has
                await self._cry(self._known)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._look.wait()

    async def _read(self) -> None:
        async with self._engine.connect() as connection:
            known = await queries.open_ones(connection, now())
            days = await cutovers(connection)
            said = heard(known, now())
            if said is not None and not self._has(said.prompt):
                sound = await queries.sounds(connection, said.prompt)
                if sound is not None:
                    await asyncio.to_thread(self._write_own, said.prompt, *sound)
        self._moved = {
            names.moved(each.number): self._from(row.day) if row is not None and row.announced else ""
            for each in SERVICES
            for row in (days.get(each.number),)
        }
        self._known = known

    def _has(self, prompt: str) -> bool:
        # An own recording is named after its content: what is there is right.
        return prompt in PROMPTS or (self._etc / OWN / LANGUAGES[0] / f"{prompt}.wav").exists()

    def _from(self, day: date) -> str:
        return str(int(datetime.combine(day, time(), self._zone).timestamp()))

    async def _cry(self, known: list[Announcement]) -> None:
        shown = in_force(known, now())
        if shown != self._shown:
            self._shown = shown
            self._tell()
        wanted = self._moved | {names.ANNOUNCEMENT: self._value(heard(known, now()))}
        try:
            await asyncio.to_thread(self._keep, wanted)
            if self._line.state is LineState.AWAY:
                return
            for name, value in wanted.items():
                if self._said.get(name) != value:
                    await self._line.act(actions.set_global(name, value))
                    self._said[name] = value
        except (LineAway, ActionRefused, OSError) as error:
            log.warning("announcement_not_told", why=str(error))

    def _value(self, said: Announcement | None) -> str:
        if said is None:
            return ""
        own = said.prompt not in PROMPTS
        return announcement(ends_at(said), str(self._etc / OWN / said.prompt) if own else said.prompt)

    def _keep(self, wanted: Mapping[str, str]) -> None:
        """Write the file that Asterisk reads when it starts, if it is not the same already."""
        file, text = self._etc / names.ANNOUNCED_FILE, announced_conf(wanted)
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write(file, text)

    def _write_own(self, code: str, zh: bytes, en: bytes | None) -> None:
        # The first language last: it says that all are there.
        for language, sound in reversed(list(zip(LANGUAGES, (zh, en), strict=True))):
            if sound is None:
                continue
            file = self._etc / OWN / language / f"{code}.wav"
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = file.with_name(f".{file.name}.new")
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                out.write(sound)
            new.replace(file)

    def _line_moved(self) -> None:
        if self._line.state is not LineState.STALE:
            self._said.clear()
        self._look.set()
