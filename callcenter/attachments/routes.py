"""Files of orders (附件): brought, listed, read and removed by who may see the order.

A file comes as the bare body of a request, is looked at before anything is kept, and lies sealed under a random name
outside of all that is served. It goes out as a download that no browser runs, and each reading is on record. A voice
tells who speaks, so those of confidential orders stay with the centre.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Annotated, Final, Literal, Self
from urllib.parse import quote
from uuid import UUID, uuid4

from aiohttp import hdrs, web
from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, SETTINGS, Ask, Model, Moment, Problem, Routes
from callcenter.attachments import queries
from callcenter.attachments.flow import SMALL_MIME, TYPES, Kind, Refused, Type, cleaned, name_of, small, type_of
from callcenter.attachments.sizes import bytes_of
from callcenter.people.permissions import Person
from callcenter.people.queries import write_audit
from callcenter.recordings.parts import send
from callcenter.recordings.vault import CannotOpen, Opened, Vault
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.workorders.order import State
from callcenter.workorders.queries import Found, lock_order, visible_order
from callcenter.workorders.routes import OrderPath

routes = Routes("attachments")

#: None when the service was given no keys: then nothing can be kept.
FILES_VAULT: Final[web.AppKey[Vault | None]] = web.AppKey("FILES_VAULT")
#: One at a time makes a small copy that is not there yet.
_MAKING: Final = Lock()
#: How many files are in memory at once.
TURNS: Final = web.AppKey("TURNS", asyncio.Semaphore)
AT_ONCE: Final = 2
#: How long a file may take to come, in all and between two pieces.
SECONDS, PIECE_SECONDS = 300.0, 20.0
#: Most of how a file may begin before it must be known what it is.
_HEAD: Final = 16
_CLOSED: Final = frozenset({State.ARCHIVED, State.WITHDRAWN, State.INVALID})
#: A browser that opens it all the same runs nothing of it.
_BARE: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
#: Not all browsers show a pdf in a sandbox; what acts in one was refused when it came, and here it may fetch nothing.
_PDF: Final = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'"

_WORDS: Final[Mapping[str, tuple[int, str, str]]] = {
    "unknown_type": (
        415,
        "只接收照片（jpg、png、webp）、语音（wav、mp3、m4a、ogg）和pdf",
        "Only photos (jpg, png, webp), voices (wav, mp3, m4a, ogg) and pdf are taken",
    ),
    "broken": (422, "文件已损坏，或内容与类型不符", "The file is broken, or is not what it claims to be"),
    "too_many_pixels": (422, "照片像素过多", "The photo has too many points"),
    "active": (422, "文档含脚本或内嵌文件，不能接收", "The document holds scripts or other files and is not taken"),
    "empty": (422, "文件为空", "The file is empty"),
}


class Attachment(Model):
    """One file. `deleted_at`: it is gone, and why is told. `open`: whether who asks may read it."""

    id: str
    name: str
    form: str
    kind: Kind
    bytes: int
    by: str
    at: Moment
    deleted_at: Moment | None
    deleted_by: str | None
    deleted_why: str
    open: bool

    @classmethod
    def of(cls, row: RowMapping, *, secret: bool, person: Person) -> Self:
        same = {name: row[name] for name in cls.model_fields if name not in ("id", "open")}
        return cls(id=str(row["id"]), open=row["deleted_at"] is None and _may(row, secret, person), **same)


class Attachments(Model):
    """`most`: bytes of the largest file of each kind. `may_add`: whether who asks may bring more."""

    items: list[Attachment]
    most: dict[str, int]
    may_add: bool


class Bring(Model):
    """`name` is what the file is called where it comes from; `key` a UUID of the page's choice: twice is once."""

    name: Annotated[str, Field(min_length=1, max_length=500)]
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class FilePath(OrderPath):
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class How(Model):
    """`shown`: a pdf is to be opened in its tab, and not saved."""

    shown: Literal["yes"] | None = None


class Why(Model):
    reason: Annotated[str, Field(min_length=5, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]


def place(file: str) -> Path:
    """Where a file lies: its name is random, so its first signs spread the folders."""
    return Path(file[:2], f"{file}.sealed")


def small_of(file: str | UUID) -> str:
    """What the small copy of a photo is called in the vault."""
    return f"{file}-small"


def remove_file(vault: Vault, file: str) -> None:
    """Delete a file, its small copy first: while the file is there, `tidy` comes back for both. Raises OSError."""
    vault.remove(small_of(file))
    vault.remove(file)


@routes.get("/api/v1/orders/{code}/attachments", action="see_orders", path=OrderPath, out=Attachments)
async def list_attachments(ask: Ask[None, None, OrderPath]) -> Attachments:
    """The files of an order"""

    async def find(engine: AsyncEngine) -> tuple[RowMapping, Found] | None:
        async with engine.connect() as connection:
            order = await visible_order(connection, ask.path.code, ask.user)
            return (order, await queries.of_order(connection, order["id"])) if order is not None else None

    found = await within(SILENCE_SECONDS, find(ask.app[ENGINE]))
    if found is None:
        raise _no_order()
    order, rows = found
    return Attachments(
        items=[Attachment.of(row, secret=order["confidential"], person=ask.user) for row in rows],
        most=dict(bytes_of(ask.app[SETTINGS].attachment_megabytes)),
        may_add=ask.user.may("act_on_orders") and State(order["state"]) not in _CLOSED,
    )


@routes.raw(
    "POST", "/api/v1/orders/{code}/attachments", action="act_on_orders", path=OrderPath, query=Bring, status=201
)
async def bring(ask: Ask[None, Bring, OrderPath]) -> web.StreamResponse:
    """Bring a file: its bytes are the body, whatever type is claimed for it"""
    vault, settings, key = _vault(ask.app), ask.app[SETTINGS], UUID(ask.query.key)
    order, before = await within(SILENCE_SECONDS, _before(ask.app[ENGINE], ask.path.code, key, ask.user))
    if before is not None:
        return _answer(before, order, ask.user)
    async with ask.app[TURNS]:
        raw, found = await _received(ask.request, bytes_of(settings.attachment_megabytes))
        try:
            clean = await asyncio.to_thread(cleaned, raw, found, pixels=settings.attachment_megapixels * 10**6)
        except Refused as refused:
            raise _refused(refused.code) from refused
        file = uuid4()
        await asyncio.to_thread(vault.seal, str(file), [clean], len(clean))
        if found.kind == "photo":
            few = await asyncio.to_thread(small, clean)
            await asyncio.to_thread(vault.seal, small_of(file), [few], len(few))
    row = {
        "id": file,
        "key": key,
        "name": name_of(ask.query.name, found.form),
        "form": found.form,
        "kind": found.kind,
        "bytes": len(clean),
        "sha256": hashlib.sha256(clean).digest(),
        "by": ask.user.login,
        "at": datetime.now(UTC),
    }
    kept = False
    try:
        kept = await within(
            SILENCE_SECONDS, _write(ask.app[ENGINE], ask.path.code, row, ask.user, settings.attachments_most)
        )
    finally:
        if not kept:
            await asyncio.to_thread(remove_file, vault, str(file))
    order, written = await within(SILENCE_SECONDS, _before(ask.app[ENGINE], ask.path.code, key, ask.user))
    assert written is not None
    return _answer(written, order, ask.user)


@routes.raw("GET", "/api/v1/orders/{code}/attachments/{id}", action="see_orders", path=FilePath, query=How)
async def read(ask: Ask[None, How, FilePath]) -> web.StreamResponse:
    """A file, whole or the part asked for, to be saved, a pdf also to be shown; the reading is on record"""
    row = await _in_reach(ask.app, ask.user, ask.path)
    opened = await asyncio.to_thread(_opened, _vault(ask.app), row["id"])
    shown = ask.query.shown == "yes" and row["kind"] == "pdf"
    headers = {
        hdrs.CONTENT_DISPOSITION: _disposition(row["name"], row["form"], "inline" if shown else "attachment"),
        "Content-Security-Policy": _PDF if shown else _BARE,
    }
    wrong = _wrong_range()

    async def note() -> None:
        await within(SILENCE_SECONDS, _note(ask.app[ENGINE], ask.user, "read_attachment", ask.path))

    return await send(ask.request, opened, TYPES[row["form"]].mime, headers, wrong, note)


@routes.raw("GET", "/api/v1/orders/{code}/attachments/{id}/small", action="see_orders", path=FilePath)
async def read_small(ask: Ask[None, None, FilePath]) -> web.StreamResponse:
    """The small copy of a photo (缩略图), as the list of files shows it; only the reading of the whole is on record"""
    row = await _in_reach(ask.app, ask.user, ask.path)
    if row["kind"] != "photo":
        raise Problem(404, "no_file", "没有此附件", "There is no such file")
    vault = _vault(ask.app)
    if not vault.path(small_of(row["id"])).exists():
        async with ask.app[TURNS]:
            await asyncio.to_thread(_make_small, vault, row["id"])
    opened = await asyncio.to_thread(_opened, vault, small_of(row["id"]))
    return await send(ask.request, opened, SMALL_MIME, {"Content-Security-Policy": _BARE}, _wrong_range())


@routes.post("/api/v1/orders/{code}/attachments/{id}/removal", action="remove_attachment", path=FilePath, body=Why)
async def remove(ask: Ask[Why, None, FilePath]) -> None:
    """Delete a file for good, for a reason; that it was there stays on record"""
    vault = _vault(ask.app)
    await _in_reach(ask.app, ask.user, ask.path)

    async def act(engine: AsyncEngine) -> bool:
        async with engine.begin() as connection:
            file, now = UUID(ask.path.id), datetime.now(UTC)
            gone = await queries.delete(connection, file, ask.user.login, ask.body.reason, now)
            if gone:
                told = {"code": ask.path.code, "file": ask.path.id, "reason": ask.body.reason}
                await write_audit(connection, ask.user.id, "remove_attachment", told)
            return gone

    if not await within(SILENCE_SECONDS, act(ask.app[ENGINE])):
        raise _gone()
    await asyncio.to_thread(remove_file, vault, ask.path.id)


async def _before(engine: AsyncEngine, code: str, key: UUID, person: Person) -> tuple[RowMapping, RowMapping | None]:
    """The order, and what the message brought when it came before. Raises Problem."""
    async with engine.connect() as connection:
        order = await visible_order(connection, code, person)
        if order is None:
            raise _no_order()
        if State(order["state"]) in _CLOSED:
            raise Problem(
                409, "order_over", "工单已结束，不能再加附件", "The order is over: no more files can be added"
            )
        row = await queries.by_key(connection, key)
    if row is not None and (row["order_id"] != order["id"] or row["by"] != person.login):
        raise Problem(409, "key_taken", "此编号已用于另一文件", "This key belongs to another file")
    return order, row


async def _write(engine: AsyncEngine, code: str, row: dict[str, object], person: Person, most: int) -> bool:
    """Write the file down; False when the same message was faster. Raises Problem when there are too many."""
    async with engine.begin() as connection:
        order = await lock_order(connection, code)
        if order is None:
            raise _no_order()
        if await queries.count(connection, order["id"]) >= most:
            raise Problem(409, "too_many_files", f"每个工单最多{most}个附件", f"An order has at most {most} files")
        kept = await queries.add(connection, row | {"order_id": order["id"]})
        if kept:
            told = {"code": code, "file": str(row["id"]), "form": row["form"], "bytes": row["bytes"]}
            await write_audit(connection, person.id, "add_attachment", told)
        return kept


async def _received(request: web.Request, most: Mapping[str, int]) -> tuple[bytes, Type]:
    """The body, no longer than its kind may be, and what it begins as. Raises Problem as soon as that is known."""
    raw, found, limit = bytearray(), None, max(most.values())
    if request.content_length is not None and request.content_length > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(SECONDS):
            while piece := await asyncio.wait_for(request.content.readany(), PIECE_SECONDS):
                raw += piece
                if found is None and len(raw) >= _HEAD:
                    found = _type(raw)
                    limit = most[found.kind]
                if len(raw) > limit or (found and (request.content_length or 0) > limit):
                    raise _too_large(limit)
    except TimeoutError:
        raise Problem(408, "body_too_slow", "文件接收超时", "The file came too slowly") from None
    if not raw:
        raise _refused("empty")
    return bytes(raw), found or _type(raw)


def _type(raw: bytearray) -> Type:
    try:
        return type_of(bytes(raw[:_HEAD]))
    except Refused as refused:
        raise _refused(refused.code) from refused


async def _in_reach(app: web.Application, person: Person, path: FilePath) -> RowMapping:
    """The row of a file that somebody may read. Raises Problem."""

    async def find(engine: AsyncEngine) -> RowMapping | None:
        async with engine.connect() as connection:
            return await queries.visible(connection, path.code, UUID(path.id), person)

    row = await within(SILENCE_SECONDS, find(app[ENGINE]))
    if row is None:
        raise Problem(404, "no_file", "没有此附件", "There is no such file")
    if row["deleted_at"] is not None:
        raise _gone()
    if not _may(row, row["confidential"], person):
        raise Problem(
            403,
            "confidential_voice",
            "保密工单的语音仅限热线中心调听",
            "The voice of a confidential order stays with the centre",
        )
    return row


def _may(row: RowMapping, secret: bool, person: Person) -> bool:
    """Whether somebody who sees the order may read a file of it: a voice says who speaks."""
    return not (secret and row["kind"] == "voice" and person.unit is not None)


def _vault(app: web.Application) -> Vault:
    vault = app[FILES_VAULT]
    if vault is None:
        raise Problem(503, "no_keys", "未配置加密密钥，不能存取附件", "The service has no keys to keep files with")
    return vault


def _opened(vault: Vault, file: str | UUID) -> Opened:
    try:
        return vault.open(str(file))
    except CannotOpen as error:
        raise _shut() from error


def _make_small(vault: Vault, file: UUID) -> None:
    """Make the small copy of a photo that was brought before there were any. Raises Problem."""
    with _MAKING:
        if vault.path(small_of(file)).exists():
            return
        whole = _opened(vault, file)
        try:
            few = small(whole.read(0, whole.size))
        except CannotOpen as error:
            raise _shut() from error
        finally:
            whole.close()
        vault.seal(small_of(file), [few], len(few))


async def _note(engine: AsyncEngine, person: Person, act: str, path: FilePath) -> None:
    async with engine.begin() as connection:
        await write_audit(connection, person.id, act, {"code": path.code, "file": path.id})


def _shut() -> Problem:
    return Problem(503, "file_shut", "附件无法打开，请联系管理员", "The file cannot be opened")


def _wrong_range() -> Problem:
    return Problem(416, "wrong_range", "没有这一部分", "The file has no such part")


def _disposition(name: str, form: str, how: Literal["attachment", "inline"]) -> str:
    """To be saved, but for a pdf that is to be looked at; `<img>` and `<audio>` of our own pages do not ask."""
    return f"{how}; filename=\"file.{form}\"; filename*=UTF-8''{quote(name, safe='')}"


def _answer(row: RowMapping, order: RowMapping, person: Person) -> web.Response:
    body = Attachment.of(row, secret=order["confidential"], person=person).model_dump_json()
    return web.Response(status=201, text=body, content_type="application/json")


def _refused(code: str) -> Problem:
    status, zh, en = _WORDS[code]
    return Problem(status, code, zh, en)


def _too_large(limit: int) -> Problem:
    megabytes = limit >> 20
    return Problem(413, "too_large", f"文件最大 {megabytes} MB", f"The file may have at most {megabytes} MB")


def _gone() -> Problem:
    return Problem(410, "file_deleted", "附件已删除", "The file has been deleted")


def _no_order() -> Problem:
    return Problem(404, "no_order", "没有此工单", "There is no such order")
