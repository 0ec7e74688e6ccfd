"""Listening to a recording: by right, with a reason, on record, in this session alone, and only as a stream.

A supervisor may hear any call, an inspector those of the drawn sample; a call of which a confidential order came is
heard by nobody but who has an approval that runs to see that order's identity (domain.md 3.6, 4.1); whom an order
complains of hears nothing of it. Whoever may listen
opens a listening first, by giving a reason; that is one row of the audit. What comes back is a word that opens the
sound for a while, for the same session only, so the address of the sound is worth nothing to others.
"""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from aiohttp import hdrs, web
from pydantic import Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, SETTINGS, Ask, Model, Moment, Problem, Routes
from callcenter.calls.routes import CallPath, no_call
from callcenter.clock import now
from callcenter.people.permissions import Person
from callcenter.people.queries import write_audit
from callcenter.privacy.queries import complains_of, is_confidential, may_hear
from callcenter.recordings import queries, tracks
from callcenter.recordings.parts import send
from callcenter.recordings.vault import CannotOpen, Opened, Vault
from callcenter.store.engine import SILENCE_SECONDS, within

routes = Routes("recordings")

#: None when the service was given no keys.
VAULT: Final[web.AppKey[Vault | None]] = web.AppKey("VAULT")
#: How long a listening lasts after the sound's own length: time to stop, and to hear a place again.
LISTENING: Final = timedelta(minutes=20)
MOST_LISTENINGS: Final = 1_000
COLUMNS: Final = 300

#: Why somebody listens (调听事由).
Reason = Literal["quality", "complaint", "order", "dispute", "training", "request"]
Note = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]
Word = Annotated[str, Field(min_length=5, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]


class Why(Model):
    """`note` says more; it is needed where the reason alone says little."""

    reason: Reason
    note: Note = ""


class Listening(Model):
    """`url` plays the sound until `expires_at`. `peaks`: loudness 0 to 127 in equal parts, citizen and staff apart."""

    url: str
    expires_at: Moment
    length_ms: int
    recorded_at: Moment
    citizen: list[int]
    staff: list[int]


class WordQuery(Model):
    word: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]


class Hold(Model):
    reason: Word


class Deletion(Model):
    """Proof that a recording is gone; `seal` covers it and every proof before it."""

    n: int
    call_id: str
    recorded_at: Moment
    length_ms: int
    bytes: int
    sha256: str | None
    rule: str
    days: int
    deleted_at: Moment
    seal: str


class DeletionsQuery(Model):
    """`month`: of the deletion, in the city's time zone; all of them without it."""

    month: Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")] | None = None


class Deletions(Model):
    """`total`: proofs of all time. `broken`: the first of them that was tampered with."""

    items: list[Deletion]
    total: int
    broken: int | None


@dataclass(frozen=True, slots=True)
class _Open:
    call: str
    session: bytes
    expires_at: datetime


#: Word -> what it opens.
LISTENINGS: Final = web.AppKey("LISTENINGS", dict[str, _Open])


@routes.post(
    "/api/v1/calls/{call_id}/recording/listen",
    action="listen_recording",
    path=CallPath,
    body=Why,
    out=Listening,
    approved=True,
)
async def listen(ask: Ask[Why, None, CallPath]) -> Listening:
    """Open a listening, for a reason; it is on record"""
    call, user = ask.path.call_id, ask.user
    if ask.body.reason in ("dispute", "request") and not ask.body.note.strip():
        raise Problem(
            422, "not_valid", "有字段不正确", "Some fields are not right", {"note": "请说明 / please say more"}
        )
    await _confidential(ask.app[ENGINE], user, call)
    row = await within(SILENCE_SECONDS, _find(ask.app[ENGINE], call))
    if row is None:
        raise no_call()
    opened = await asyncio.to_thread(_open, ask.app, row)
    try:
        citizen, staff = await asyncio.to_thread(_peaks, opened)
    finally:
        opened.close()

    async def note() -> None:
        async with ask.app[ENGINE].begin() as connection:
            told = {"call": call, "reason": ask.body.reason, "note": ask.body.note}
            await write_audit(connection, user.id, "listen_recording", told)

    await within(SILENCE_SECONDS, note())
    expires_at = now() + LISTENING + timedelta(milliseconds=row["length_ms"])
    word = _admit(ask.app, _Open(call, user.session, expires_at))
    return Listening(
        url=f"/api/v1/calls/{call}/recording?word={word}",
        expires_at=expires_at,
        length_ms=row["length_ms"],
        recorded_at=row["recorded_at"],
        citizen=citizen,
        staff=staff,
    )


@routes.raw(
    "GET",
    "/api/v1/calls/{call_id}/recording",
    action="listen_recording",
    path=CallPath,
    query=WordQuery,
    status=200,
    approved=True,
)
async def sound(ask: Ask[None, WordQuery, CallPath]) -> web.StreamResponse:
    """The sound of an open listening, whole or the part asked for; never kept by the browser."""
    opened = await asyncio.to_thread(_open_listened, ask.app, ask.user, ask.path.call_id, ask.query.word)
    wrong = Problem(416, "wrong_range", "没有这一段录音", "The recording has no such part")
    return await send(ask.request, opened, "audio/wav", {hdrs.CONTENT_DISPOSITION: "inline"}, wrong)


@routes.put("/api/v1/calls/{call_id}/recording/hold", action="hold_recording", path=CallPath, body=Hold)
async def hold(ask: Ask[Hold, None, CallPath]) -> None:
    """Hold a recording against deletion: a dispute, an appeal, an inquiry"""
    await _in_reach(ask.app[ENGINE], ask.user, ask.path.call_id)
    await _set_hold(ask.app[ENGINE], ask.user, ask.path.call_id, ask.body.reason)


@routes.delete("/api/v1/calls/{call_id}/recording/hold", action="hold_recording", path=CallPath)
async def let_go(ask: Ask[None, None, CallPath]) -> None:
    """Let a held recording go: its rule says again when it is deleted"""
    await _in_reach(ask.app[ENGINE], ask.user, ask.path.call_id)
    await _set_hold(ask.app[ENGINE], ask.user, ask.path.call_id, None)


@routes.get("/api/v1/recordings/deletions", action="hold_recording", query=DeletionsQuery, out=Deletions)
async def deletions(ask: Ask[None, DeletionsQuery]) -> Deletions:
    """Proof of every deletion, newest first, and whether the whole chain of proofs is unbroken"""
    month, zone = ask.query.month, ask.app[SETTINGS].zone

    async def read(engine: AsyncEngine) -> Deletions:
        async with engine.connect() as connection:
            found = await queries.proofs(connection)
        shown = [row for row in found if month in (None, f"{row['deleted_at'].astimezone(zone):%Y-%m}")]
        return Deletions(
            items=[_deletion(row) for row in reversed(shown)], total=len(found), broken=queries.first_broken(found)
        )

    return await within(SILENCE_SECONDS, read(ask.app[ENGINE]))


async def _find(engine: AsyncEngine, call: str) -> RowMapping | None:
    async with engine.connect() as connection:
        return await queries.find(connection, call)


async def _confidential(engine: AsyncEngine, user: Person, call: str) -> None:
    """Raise 403 for the sound of a confidential call without an approval; of others, as their reach says.

    Who listens by approval alone hears confidential calls alone.
    """

    async def look() -> tuple[bool, bool]:
        async with engine.connect() as connection:
            if await complains_of(connection, call, user):
                raise _no_sound()
            confidential = await is_confidential(connection, call)
            return confidential, confidential and await may_hear(connection, call, user, now())

    confidential, approved = await within(SILENCE_SECONDS, look())
    if approved:
        return
    if confidential:
        await _in_reach(engine, user, call)  # so that nobody learns by this which of other calls are confidential
        raise Problem(
            403,
            "confidential_recording",
            "保密工单的录音须经批准方可调听",
            "The recording of a confidential call takes an approval",
        )
    if not user.may("listen_recording"):
        raise Problem(403, "needs_approval", "此操作须经批准", "This needs an approval")
    await _in_reach(engine, user, call)


async def _in_reach(engine: AsyncEngine, user: Person, call: str) -> None:
    """Raise 403 when somebody who listens to the drawn sample only (质检审核员) asks for another call."""
    if user.may("listen_any_recording") or not user.may("listen_recording"):
        return

    async def look() -> bool:
        async with engine.connect() as connection:
            return await queries.is_drawn(connection, call, user.login, confidential=user.may("grade_confidential"))

    if not await within(SILENCE_SECONDS, look()):
        raise Problem(
            403,
            "not_in_sample",
            "只能调听已抽中且由您可见的质检样本",
            "Only calls that were drawn for review can be heard",
        )


async def _set_hold(engine: AsyncEngine, user: Person, call: str, reason: str | None) -> None:
    async def write() -> bool:
        async with engine.begin() as connection:
            held = await queries.set_hold(connection, call, reason=reason, login=user.login, at=now())
            act = "hold_recording" if reason is not None else "let_recording_go"
            if held:
                await write_audit(connection, user.id, act, {"call": call, "reason": reason or ""})
            return held

    if not await within(SILENCE_SECONDS, write()):
        raise _no_sound()


def _open(app: web.Application, row: RowMapping) -> Opened:
    """The recording of a row. Raises Problem."""
    if row["deleted_at"] is not None:
        raise Problem(410, "recording_deleted", "录音已按规定销毁", "The recording has been deleted, as the rules want")
    if not row["bytes"]:
        raise _no_sound()
    return _opened(app, row["call_id"])


def _opened(app: web.Application, call: str) -> Opened:
    vault = app[VAULT]
    if vault is None:
        raise Problem(503, "no_keys", "未配置录音密钥", "The service has no keys for recordings")
    try:
        return vault.open(call)
    except CannotOpen as error:
        raise Problem(503, "recording_shut", "录音无法打开，请联系管理员", "The recording cannot be opened") from error


def _open_listened(app: web.Application, user: Person, call: str, word: str) -> Opened:
    listening = app[LISTENINGS].get(word)
    if listening is None or (listening.call, listening.session) != (call, user.session) or listening.expires_at < now():
        raise Problem(
            403, "no_listening", "请先说明事由再调听", "Say first why you listen: this word opens nothing any more"
        )
    return _opened(app, call)


def _admit(app: web.Application, listening: _Open) -> str:
    word = secrets.token_urlsafe(32)
    listenings = app[LISTENINGS]
    listenings[word] = listening
    while len(listenings) > MOST_LISTENINGS:
        del listenings[next(iter(listenings))]
    return word


def _peaks(opened: Opened) -> tuple[list[int], list[int]]:
    """Loudness of both sides in COLUMNS equal parts, from a few samples of each."""
    head = tracks.wave_bytes(0)
    samples = tracks.wave_samples(opened.size)
    sides: tuple[list[int], list[int]] = ([], [])
    for column in range(COLUMNS):
        start, end = samples * column // COLUMNS, samples * (column + 1) // COLUMNS
        both = opened.read(head + 2 * start, head + 2 * min(end, start + 1600))
        for side, peaks in enumerate(sides):
            peaks.append(max(both[side::2].translate(_LOUDNESS), default=0))
    return sides


#: A-law byte -> loudness, 0 to 127: its lower seven bits, as they were before every other bit was turned over.
_LOUDNESS: Final = bytes((byte ^ 0x55) & 0x7F for byte in range(256))


def _deletion(row: RowMapping) -> Deletion:
    values = {name: row[name] for name in Deletion.model_fields if name not in ("sha256", "seal")}
    return Deletion(**values, sha256=row["sha256"].hex() if row["sha256"] else None, seal=row["seal"].hex())


def _no_sound() -> Problem:
    return Problem(404, "no_recording", "此通话没有录音", "This call has no recording")
