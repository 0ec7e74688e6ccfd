"""Messages over HTTP: sent by supervisors, read by those they were sent to."""

from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field

from callcenter.api import ANY_USER, ENGINE, Ask, Model, Problem, Routes
from callcenter.floor.routes import RUNNER
from callcenter.messages import queries
from callcenter.messages.post import Message, ToKind, post, shape
from callcenter.people.permissions import ACTIONS
from callcenter.push.routes import HUB

routes = Routes("messages")

MOST_SHOWN: Final = 50


class NewMessage(Model):
    """`to_what`: a login, a queue's code; empty for all."""

    to_kind: ToKind
    to_what: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")] | None = None
    text: Annotated[
        str, Field(pattern=r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*\S[^\x00-\x09\x0b-\x1f\x7f-\x9f]*$", max_length=500)
    ]
    urgent: bool = False


class Sent(Model):
    id: str
    readers: int


class MessagePath(Model):
    id: UUID


class Messages(Model):
    items: list[Message]


class SentMessage(Model):
    """A message of one's own, with who has read it and who has not."""

    message: Message
    read: list[str]
    unread: list[str]


class SentMessages(Model):
    items: list[SentMessage]


@routes.post("/api/v1/messages", action="send_message", body=NewMessage, out=Sent, status=201)
async def send(ask: Ask[NewMessage]) -> Sent:
    """Send a message to one person, to those of a queue, or to all agents"""
    body, what = ask.body, ask.body.to_what or ""
    to = set(await _readers(ask, body.to_kind, what)) - {ask.user.login}
    if not to:
        raise Problem(409, "nobody_to_read", "没有收信人", "There is nobody to read it")
    key = await post(ask, sorted(to), body.text, to_kind=body.to_kind, to_what=what, urgent=body.urgent)
    return Sent(id=key, readers=len(to))


@routes.get("/api/v1/messages", action=ANY_USER, out=Messages)
async def mine(ask: Ask) -> Messages:
    """Messages to oneself: unread ones first"""
    async with ask.app[ENGINE].connect() as connection:
        rows = await queries.of(connection, ask.user.login, MOST_SHOWN)
    names = ask.app[HUB].names()
    return Messages(items=[shape(row, row.read_at, names) for row in rows])


@routes.post("/api/v1/messages/{id}/read", action=ANY_USER, path=MessagePath)
async def read(ask: Ask[None, None, MessagePath]) -> None:
    """Say that one has read it, and confirm it when it is urgent"""
    async with ask.app[ENGINE].begin() as connection:
        if not await queries.mark_read(connection, ask.path.id, ask.user.login):
            raise Problem(404, "no_such_message", "没有此消息", "There is no such message")
        sender = await queries.sender_of(connection, ask.path.id)
    ask.app[HUB].tell_desks([sender or ""], {"type": "receipt", "id": str(ask.path.id), "login": ask.user.login})


@routes.get("/api/v1/messages/sent", action="send_message", out=SentMessages)
async def sent(ask: Ask) -> SentMessages:
    """One's own messages, each with who has read it"""
    async with ask.app[ENGINE].connect() as connection:
        rows = await queries.sent_by(connection, ask.user.login, MOST_SHOWN)
    names = ask.app[HUB].names()
    return SentMessages(
        items=[SentMessage(message=shape(row, None, names), read=row.read, unread=row.unread) for row in rows]
    )


async def _readers(ask: Ask[Any, Any, Any], kind: ToKind, what: str) -> list[str]:
    """Logins. Those who sit in a queue now; all: whoever may sit, also when they are at home."""
    if kind == "queue":
        return [seat.login for seat in ask.app[RUNNER].floor.seats.values() if what in seat.queues and seat.login]
    async with ask.app[ENGINE].connect() as connection:
        if kind == "all":
            return await queries.who_may_sit(connection, ACTIONS["sit"])
        if not await queries.is_open(connection, what):
            raise Problem(404, "no_such_user", "没有此账号", "There is no such account")
        return [what]
