"""The audit for who reads it: oversight and auditors. Reading it is on record too."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Annotated, Any, Self

from aiohttp import web
from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, SETTINGS, Ask, Day, Model, Moment, Routes
from callcenter.audit import queries
from callcenter.clock import iso
from callcenter.people.queries import write_audit
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.store.pages import Limit, cursor, day_bounds

routes = Routes("audit")

#: Rows of one file.
MOST_EXPORTED = 20_000

Word = Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
About = Annotated[str, Field(pattern=r"^[0-9A-Za-z._-]{2,40}$")]
Login = Annotated[str, Field(pattern=r"^[a-z][a-z0-9._-]{1,31}$")]
AuditCursor = Annotated[str, Field(pattern=r"^[0-9]{1,16}~[0-9]{1,18}$")]


class Wanted(Model):
    """`person`: a login; `about`: an order's code, a call's id or a login; days in the city's time zone."""

    person: Login | None = None
    act: Word | None = None
    about: About | None = None
    since: Day | None = None
    until: Day | None = None


class AuditQuery(Wanted):
    limit: Limit = 50
    before: AuditCursor | None = None


class AuditRow(Model):
    """One deed. `n` and `hash`: its place in the chain; null for the moment until it is there."""

    id: int
    at: Moment
    login: str | None
    name_zh: str | None
    name_en: str | None
    act: str
    what: dict[str, Any]
    n: int | None
    hash: str | None

    @classmethod
    def of(cls, row: RowMapping) -> Self:
        """From a row of queries.find."""
        return cls(**dict(row) | {"hash": row["hash"].hex() if row["hash"] else None})


class AuditPage(Model):
    items: list[AuditRow]
    next: str | None


class Chain(Model):
    """The chain's end, and how many rows wait for their place; `acts`: every act that is on record."""

    rows: int
    head: str
    waiting: int
    acts: list[str]


@routes.get("/api/v1/audit", action="read_audit_log", query=AuditQuery, out=AuditPage)
async def list_audit(ask: Ask[None, AuditQuery]) -> AuditPage:
    """Who did what, newest first"""
    found = await within(SILENCE_SECONDS, _find(ask, ask.query, ask.query.limit, ask.query.before, "read_audit"))
    last = found[-1] if len(found) == ask.query.limit else None
    return AuditPage(items=[AuditRow.of(row) for row in found], next=cursor(last["at"], last["id"]) if last else None)


@routes.get("/api/v1/audit/chain", action="read_audit_log", out=Chain)
async def show_chain(ask: Ask) -> Chain:
    """How long the audit's chain is, and its end"""

    async def read(engine: AsyncEngine) -> Chain:
        async with engine.connect() as connection:
            head = await queries.last(connection)
            waiting, acts = await queries.unsealed(connection), await queries.acts(connection)
            return Chain(rows=head.n, head=head.hash.hex(), waiting=waiting, acts=acts)

    return await within(SILENCE_SECONDS, read(ask.app[ENGINE]))


@routes.raw("GET", "/api/v1/audit/export", action="export_audit", query=Wanted)
async def export(ask: Ask[None, Wanted]) -> web.StreamResponse:
    """The audit as a file for a spreadsheet, at most 20,000 rows; who took it is on record"""
    found = await within(SILENCE_SECONDS, _find(ask, ask.query, MOST_EXPORTED, None, "export_audit"))
    return web.Response(
        body=_csv(found).encode("utf-8-sig"),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": 'attachment; filename="audit.csv"'},
    )


async def _find(ask: Ask[None, Any], wanted: Wanted, limit: int, before: str | None, deed: str) -> Sequence[RowMapping]:
    """A page of the audit, with a row of its own that says who looked for what."""
    zone = ask.app[SETTINGS].zone
    told = wanted.model_dump(mode="json", exclude_none=True, include=set(Wanted.model_fields))
    async with ask.app[ENGINE].begin() as connection:
        found = await queries.find(
            connection,
            limit=limit,
            before=before,
            person=wanted.person,
            act=wanted.act,
            about=wanted.about,
            since=day_bounds(wanted.since, zone)[0] if wanted.since else None,
            until=day_bounds(wanted.until, zone)[1] if wanted.until else None,
        )
        await write_audit(connection, ask.user.id, deed, told | {"rows": len(found)})
    return found


def _csv(found: Sequence[RowMapping]) -> str:
    """Rows as CSV (RFC 4180) that runs no formula."""
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\r\n")
    rows.writerow(("id", "at", "login", "act", "what", "n", "hash"))
    for row in found:
        what = json.dumps(row["what"], ensure_ascii=False, sort_keys=True)
        sealed = (row["n"] or "", row["hash"].hex() if row["hash"] else "")
        rows.writerow((row["id"], iso(row["at"]), row["login"] or "", row["act"], what, *sealed))
    return file.getvalue()
