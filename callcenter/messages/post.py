"""Sending a message: kept first, then pushed to the desks that are open (within a second, mostly at once)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import Row

from callcenter.api import ENGINE, Ask, Model, Moment
from callcenter.messages import queries
from callcenter.people.queries import write_audit
from callcenter.push.routes import HUB

#: A word of the supervisor's, or what a supervisor did to the seat: 示忙、示闲、签出.
Kind = Literal["message", "break", "ready", "log_out"]
ToKind = Literal["person", "queue", "all"]


class Message(Model):
    """One message as its reader sees it. An urgent one stays on the screen until it is confirmed."""

    id: str
    at: Moment
    sender: str
    sender_zh: str
    sender_en: str
    kind: Kind
    to_kind: ToKind
    to_what: str
    text: str
    urgent: bool
    read_at: Moment | None


async def post(
    ask: Ask[Any, Any, Any],
    to: Collection[str],
    text: str,
    *,
    kind: Kind = "message",
    to_kind: ToKind = "person",
    to_what: str = "",
    urgent: bool = False,
) -> str:
    """Send to these logins in the name of who asks; the message's id. It is on record with the audit."""
    message = {
        "id": uuid4(),
        "sender": ask.user.login,
        "kind": kind,
        "to_kind": to_kind,
        "to_what": to_what,
        "text": text,
        "urgent": urgent,
    }
    async with ask.app[ENGINE].begin() as connection:
        row = await queries.add(connection, message, to)
        told = {"id": str(row.id), "to": to_kind, "what": to_what, "readers": len(to), "urgent": urgent}
        if kind == "message":
            await write_audit(connection, ask.user.id, "send_message", told)
    zh, en = ask.user.name_zh, ask.user.name_en
    shown = shape(row, None, {ask.user.login: (zh, en)}).model_dump(mode="json")
    ask.app[HUB].tell_desks(to, {"type": "message", "message": shown})
    return str(row.id)


def shape(row: Row[Any], read_at: datetime | None, names: "dict[str, tuple[str, str]] | Any") -> Message:
    """A row of `messages` as its reader sees it."""
    zh, en = names.get(row.sender, (row.sender, row.sender))
    return Message(
        id=str(row.id),
        at=row.at,
        sender=row.sender,
        sender_zh=zh,
        sender_en=en,
        kind=row.kind,
        to_kind=row.to_kind,
        to_what=row.to_what,
        text=row.text,
        urgent=row.urgent,
        read_at=read_at,
    )
