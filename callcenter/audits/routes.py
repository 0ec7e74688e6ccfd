"""Replies that wait for their audit (答复审核), and what the rules find; the decision is an event of the order."""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, Ask, Model, Moment, Problem, Routes
from callcenter.audits import queries
from callcenter.audits.flow import Earlier, Finding, Need, Reply, findings, need
from callcenter.clock import now
from callcenter.directory.city import KINDS
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.workorders.deadlines import Rules
from callcenter.workorders.given import FIELDS
from callcenter.workorders.queries import visible_order
from callcenter.workorders.routes import POLICIES, OrderPath

MOST: Final = 60
RATED: Final = timedelta(days=30)

routes = Routes("audits")


class FindingRow(Model):
    """What a rule has found. `check`: the point of the check list; `level`: `stop` or `warn`; `words`: where."""

    code: str
    check: str
    level: Literal["stop", "warn"]
    zh: str
    en: str
    words: str


class AuditRow(Model):
    """A reply that waits. `need`: stopped, doubtful, drawn for a full audit, or clean; `own`: one dispatched it."""

    code: str
    version: int
    kind: str
    urgency: str
    subject: str
    description: str
    department: str | None
    confidential: bool
    due_at: Moment
    replied_at: Moment | None
    replied_by: str | None
    agreed_by: str | None
    result: str
    reply: str
    actions: str
    contact: str
    sent_back: str
    anonymous: bool
    need: Need
    findings: list[FindingRow]


class Audits(Model):
    """`passed` of `first`: replies of 30 days that passed at the first try (K39); `share`: drawn per cent."""

    items: list[AuditRow]
    waiting: int
    passed: int
    first: int
    share: int


class ReplyIn(Model):
    """A reply as it is being written."""

    reply: Annotated[str, Field(max_length=FIELDS["reply"].most)]
    actions: Annotated[str, Field(max_length=FIELDS["actions"].most)] = ""
    result: Literal["", "resolved", "partly", "not_resolved"] = ""


class Checked(Model):
    findings: list[FindingRow]


@routes.get("/api/v1/audits", action="audit_reply", out=Audits)
async def list_audits(ask: Ask) -> Audits:
    """Replies that wait for their audit, by what is due first, with what the rules find"""

    async def find(engine: AsyncEngine) -> Audits:
        async with engine.connect() as connection:
            rules = await ask.app[POLICIES].newest(connection)
            rows, waiting = await queries.waiting(connection, ask.user, MOST)
            said = await queries.said(connection, [row["id"] for row in rows])
            passed, first = await queries.passed_at_once(connection, now() - RATED)
            units = {row["department"] for row in rows if row["department"]}
            earlier = {unit: await queries.earlier_replies(connection, unit, ask.user) for unit in sorted(units)}
            items = []
            for row in rows:
                told = {event: dict(entry) for event, entry in said.get(row["id"], {}).items()}
                given = told.get("reply", {}).get("given", {})
                body = ReplyIn(
                    reply=given.get("reply", ""), actions=given.get("actions", ""), result=given.get("result", "")
                )
                note = told.get("first_contact", {}).get("given", {}).get("contact_note", "")
                found = await _findings(row, body, note, rules, earlier.get(row["department"], ()))
                entry = told.get("reply", {})
                same = ("code", "version", "kind", "urgency", "subject", "description", "department", "confidential")
                items.append(
                    AuditRow(
                        **{name: row[name] for name in (*same, "due_at", "replied_by", "anonymous")},
                        replied_at=entry.get("at"),
                        agreed_by=entry.get("second"),
                        result=body.result,
                        reply=body.reply,
                        actions=body.actions,
                        contact=note,
                        sent_back=told.get(queries.FAILED, {}).get("note", ""),
                        need=need(found, row["code"], row["version"], rules.measures["AUDIT-SAMPLE"]),
                        findings=[_row(each) for each in found],
                    )
                )
            share = rules.measures["AUDIT-SAMPLE"]
            return Audits(items=items, waiting=waiting, passed=passed, first=first, share=share)

    return await within(SILENCE_SECONDS, find(ask.app[ENGINE]))


@routes.post("/api/v1/orders/{code}/reply_check", action="act_on_orders", path=OrderPath, body=ReplyIn, out=Checked)
async def check_reply(ask: Ask[ReplyIn, None, OrderPath]) -> Checked:
    """What the rules would find in a reply that is being written; nothing is kept"""

    async def find(engine: AsyncEngine) -> list[Finding] | None:
        async with engine.connect() as connection:
            row = await visible_order(connection, ask.path.code, ask.user)
            if row is None:
                return None
            rules = await ask.app[POLICIES].newest(connection)
            said = (await queries.said(connection, [row["id"]])).get(row["id"], {})
            note = said["first_contact"]["given"].get("contact_note", "") if "first_contact" in said else ""
            unit = row["department"]
            earlier = await queries.earlier_replies(connection, unit, ask.user) if unit else ()
            return await _findings(row, ask.body, note, rules, earlier)

    found = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    if found is None:
        raise Problem(404, "no_order", "没有此工单", "There is no such order")
    return Checked(findings=[_row(each) for each in found])


async def _findings(
    row: RowMapping, body: ReplyIn, contact: str, rules: Rules, earlier: Collection[Earlier]
) -> list[Finding]:
    reply = Reply(
        text=body.reply,
        actions=body.actions,
        result=body.result,
        asked=f"{row['subject']}\n{row['description']}",
        contact_note=contact,
        name=row["contact_name"],
        needs_basis=row["kind"] in _WITH_BASIS,
        danger=row["public_danger"],
        earlier=[each for each in earlier if each.code != row["code"]],
    )
    measures = rules.measures
    # Beside the loop: a list of long replies takes a tenth of a second.
    return await asyncio.to_thread(findings, reply, short=measures["AUDIT-SHORT"], copy=measures["AUDIT-COPY"])


#: Kinds of request that are answered with a basis: all that end as an order and are no praise.
_WITH_BASIS: Final = frozenset(
    code for code, kind in KINDS.items() if kind.mode.startswith("work_order") and code != "praise"
)


def _row(found: Finding) -> FindingRow:
    rule = found.rule
    return FindingRow(
        code=rule.code,
        check=rule.check,
        level="stop" if rule.level == "stop" else "warn",
        zh=rule.zh,
        en=rule.en,
        words=found.words[:80],
    )
