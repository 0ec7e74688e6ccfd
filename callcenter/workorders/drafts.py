"""Drafts (草稿): what an agent types during a call, kept every few seconds, Postgres or not."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from callcenter.calls.journal import Journal
from callcenter.calls.ledger import Ledger, Stored
from callcenter.calls.rows import Record
from callcenter.store.engine import DatabaseAway, within
from callcenter.store.tables import drafts

REMEMBERED: Final = 1_000
SECONDS: Final = 2.0
#: Drafts of one person that are shown, and those among which they are found.
LISTED: Final = 50
LOOKED_THROUGH: Final = 200


@dataclass(frozen=True, slots=True)
class Draft:
    """A form as far as it is typed. Versions count up from 1; `form` has the shape of OrderForm."""

    call_id: str
    form: dict[str, Any]
    version: int
    saved_at: datetime
    login: str


#: What somebody wrote, of all that is in a form: the rest is there from the start.
WRITTEN: Final = ("subject", "description", "place", "contact_name", "category", "region")


def written(draft: Draft) -> bool:
    """Whether somebody wrote something in it."""
    return bool(draft.form.get("point")) or any(str(draft.form.get(name, "")).strip() for name in WRITTEN)


class StaleDraft(Exception):
    """Someone saved a newer version, which `newest` is; None when the order was saved and the draft is gone."""

    def __init__(self, newest: Draft | None) -> None:
        super().__init__("stale draft")
        self.newest = newest


async def drop(connection: AsyncConnection, call_id: str, at: datetime) -> None:
    """Remove the draft of a call that has come to something; what was typed after that belongs to the next one."""
    await connection.execute(delete(drafts).where(drafts.c.call_id == call_id, drafts.c.saved_at <= at))


class Drafts:
    """The drafts of one service. The newest ones are in memory too, so that they are at hand while Postgres is away."""

    def __init__(self, engine: AsyncEngine, ledger: Ledger, journal: Journal) -> None:
        self._engine = engine
        self._ledger = ledger
        self._memory: dict[str, Draft | None] = {}
        for table, row in journal.records():
            if table == "drafts":
                self._remember(row["call_id"], Draft(**row))
            elif table == "orders":
                self._remember(row["call_id"], None)

    async def get(self, call_id: str) -> Draft | None:
        """The newest draft of a call. Raises DatabaseAway when only Postgres could know."""
        if call_id in self._memory:
            return self._memory[call_id]
        found = await within(SECONDS, self._find(call_id))
        # While we asked, a newer one may have come.
        return self._memory.get(call_id, found)

    async def of(self, login: str) -> list[Draft]:
        """What somebody left unfinished, the newest first. While Postgres is away, what is remembered of it."""
        found: dict[str, Draft] = {}
        with suppress(DatabaseAway):
            found = {draft.call_id: draft for draft in await within(SECONDS, self._find_of(login))}
        for call_id, draft in self._memory.items():
            found.pop(call_id, None)
            if draft is not None and draft.login == login:
                found[call_id] = draft
        return sorted(filter(written, found.values()), key=lambda draft: draft.saved_at, reverse=True)[:LISTED]

    async def put(self, draft: Draft) -> tuple[Draft, Stored]:
        """Keep a draft whose `version` is the one that was seen last, 0 for none; returns it with its own version.

        Raises StaleDraft, or JournalRefused when nothing takes it.
        """
        try:
            newest = await self.get(draft.call_id)
        except DatabaseAway:
            newest = None  # nobody knows; the writer lets a newer one stand
        else:
            if draft.version != (newest.version if newest else 0):
                raise StaleDraft(newest)
        kept = Draft(draft.call_id, draft.form, draft.version + 1, draft.saved_at, draft.login)
        # At once, before anything is awaited: of two that come together one is stale.
        self._remember(draft.call_id, kept)
        row = {name: getattr(kept, name) for name in Draft.__slots__}
        try:
            stored = await self._ledger.save([Record("drafts", row)])
        except BaseException:
            if self._memory.get(draft.call_id) is kept:
                del self._memory[draft.call_id]
            raise
        return kept, stored

    def done(self, call_id: str) -> None:
        """The call's order is saved: its draft is no more."""
        self._remember(call_id, None)

    async def _find(self, call_id: str) -> Draft | None:
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(drafts).where(drafts.c.call_id == call_id))).mappings().first()
        return Draft(**row) if row else None

    async def _find_of(self, login: str) -> list[Draft]:
        query = select(drafts).where(drafts.c.login == login).order_by(drafts.c.saved_at.desc()).limit(LOOKED_THROUGH)
        async with self._engine.connect() as connection:
            return [Draft(**row) for row in (await connection.execute(query)).mappings()]

    def _remember(self, call_id: str, draft: Draft | None) -> None:
        self._memory.pop(call_id, None)
        self._memory[call_id] = draft
        if len(self._memory) > REMEMBERED:
            del self._memory[next(iter(self._memory))]
