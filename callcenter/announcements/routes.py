"""Announcements: what everybody may read, and the one act that switches one on, or off."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import Field
from sqlalchemy import Row

from callcenter.announcements import queries
from callcenter.announcements.flow import ANSWER_WITHIN, LEFT_FOR_ANSWER, Announcement, Kind, heard
from callcenter.announcements.presets import PRESETS
from callcenter.announcements.run import Crier
from callcenter.announcements.wav import BadRecording, checked, seconds_of
from callcenter.api import ANY_USER, ENGINE, PUBLIC, Ask, At, Model, Moment, Problem, Routes
from callcenter.clock import now
from callcenter.people.queries import write_audit
from callcenter.standalone.asterisk import conf
from ivr.menu import MENU
from ivr.prompts import LANGUAGES, PROMPTS

routes = Routes("announcements")

CRIER: Final = web.AppKey("CRIER", Crier)

REMEMBERED: Final = 50
#: Names of our recordings that may be said with the greeting.
READY: Final = tuple(name for name in PROMPTS if name.startswith("announcement-"))

Words = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\S[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]
Text = Annotated[Words, Field(min_length=1, max_length=300)]
PromptCode = Annotated[str, Field(pattern=r"^(own-[0-9a-f]{16}|announcement-[a-z]{1,20})$")]


class Answer(Model):
    zh: Text
    en: Text


class Notice(Model):
    """An announcement that is on, for a page's head."""

    id: int
    kind: Kind
    zh: str
    en: str
    until: Moment | None


class Notices(Model):
    items: list[Notice]


class PinnedNotice(Notice):
    """With the answers pinned at the desk, and whether callers hear it."""

    answers: list[Answer]
    heard: bool


class PinnedNotices(Model):
    items: list[PinnedNotice]


class AnnouncementIn(Model):
    """What is announced, from now or a later moment on; `prompt` is a recording's code. Without `ends` it stays."""

    kind: Kind
    zh: Text
    en: Text
    starts: At | None = None
    ends: At | None = None
    prompt: PromptCode | None = None
    answers: Annotated[tuple[Answer, ...], Field(max_length=12)] = ()


class AnnouncementRow(Model):
    """One announcement on record."""

    id: int
    kind: Kind
    zh: str
    en: str
    starts_at: Moment
    ends_at: Moment | None
    prompt: str
    answers: list[Answer]
    by: str
    at: Moment
    ended_by: str | None
    ended_at: Moment | None
    state: Literal["planned", "on", "over"]
    heard: bool


class PresetRow(Model):
    """A ready announcement (预案)."""

    code: str
    kind: Kind
    zh: str
    en: str
    hours: int
    prompt: str
    answers: list[Answer]


class PromptRow(Model):
    """A recording that callers can be made to hear: seconds in each language, 0 where there is none."""

    code: str
    own: bool
    zh: str
    en: str
    seconds_zh: float
    seconds_en: float


class Announcements(Model):
    """`opening`: seconds of what every caller hears before the queue; together with a prompt at most `longest`."""

    items: list[AnnouncementRow]
    presets: list[PresetRow]
    prompts: list[PromptRow]
    opening: float
    longest: float
    takes_own: bool


class AnnouncementPath(Model):
    id: Annotated[int, Field(ge=0, le=2**53)]


class PromptIn(Model):
    """A recording of one's own: WAV files, base64, 8 kHz, mono, 16 bit, 0.2 to 12 s; English is optional."""

    name: Annotated[Words, Field(min_length=1, max_length=40)]
    zh: Annotated[str, Field(max_length=300_000)]
    en: Annotated[str, Field(max_length=300_000)] | None = None


class PromptPath(Model):
    code: Annotated[str, Field(pattern=r"^own-[0-9a-f]{16}$")]


@routes.get("/api/v1/notices", action=PUBLIC, out=Notices)
async def list_notices(ask: Ask) -> Notices:
    """What is announced now, for everybody"""
    return Notices(items=[Notice(**_notice(each)) for each in ask.app[CRIER].in_force()])


@routes.get("/api/v1/notices/pinned", action=ANY_USER, out=PinnedNotices)
async def list_pinned(ask: Ask) -> PinnedNotices:
    """What is announced now, with the answers for the desk"""
    on = ask.app[CRIER].in_force()
    said = heard(on, now())
    items = [
        PinnedNotice(
            **_notice(each), answers=[Answer(zh=one.zh, en=one.en) for one in each.answers], heard=each is said
        )
        for each in on
    ]
    return PinnedNotices(items=items)


@routes.get("/api/v1/announcements", action="manage_incident", out=Announcements)
async def list_announcements(ask: Ask) -> Announcements:
    """Announcements on record, what can be switched on, and the recordings there are"""
    async with ask.app[ENGINE].connect() as connection:
        rows = await queries.recent(connection, REMEMBERED)
        own = await queries.prompts(connection)
    lengths = _lengths()
    said = heard([queries.announcement(row) for row in rows], now())
    return Announcements(
        items=[_row(row, said) for row in rows],
        presets=[
            PresetRow(**preset._asdict() | {"answers": [Answer(**one_of(each)) for each in preset.answers]})
            for preset in PRESETS
        ],
        prompts=[_ready(name, lengths) for name in READY] + [_own(row) for row in own],
        opening=round(sum(lengths[say.language, name] for say in MENU.say for name in say.prompts), 1),
        longest=ANSWER_WITHIN - LEFT_FOR_ANSWER,
        takes_own=ask.app[CRIER].takes_own,
    )


@routes.post("/api/v1/announcements", action="manage_incident", body=AnnouncementIn, out=AnnouncementRow, status=201)
async def switch_on(ask: Ask[AnnouncementIn]) -> AnnouncementRow:
    """Announce: on every page, at every desk, and with a prompt in every caller's ear within two seconds"""
    given, at = ask.body, now()
    starts = max(given.starts or at, at)
    if given.ends is not None and given.ends <= starts:
        fault = {"ends": "须晚于开始时间 / must be after the start"}
        raise Problem(409, "bad_end", "结束时间不正确", "The end is not right", fault)
    values = {
        **given.model_dump(include={"zh", "en"}),
        "kind": given.kind.value,
        "starts_at": starts,
        "ends_at": given.ends,
        "prompt": given.prompt or "",
        "answers": [each.model_dump() for each in given.answers],
        "by": ask.user.login,
    }
    async with ask.app[ENGINE].begin() as connection:
        if given.prompt and given.prompt not in READY and given.prompt not in await _own_codes(connection):
            raise Problem(409, "no_prompt", "没有此录音", "There is no such recording", {"prompt": given.prompt})
        row = await queries.add(connection, values)
        told = given.model_dump(mode="json") | {"id": row.id}
        await write_audit(connection, ask.user.id, "announce", told)
    await ask.app[CRIER].look()
    return _row(row, queries.announcement(row) if given.prompt else None)


@routes.post("/api/v1/announcements/{id}/end", action="manage_incident", path=AnnouncementPath, out=AnnouncementRow)
async def switch_off(ask: Ask[None, None, AnnouncementPath]) -> AnnouncementRow:
    """End an announcement, everywhere, in one act"""
    async with ask.app[ENGINE].begin() as connection:
        row = await queries.end(connection, ask.path.id, ask.user.login)
        if row is None:
            raise Problem(404, "not_on", "此公告不存在或已结束", "There is no such announcement, or it is over")
        await write_audit(connection, ask.user.id, "end_announcement", {"id": row.id})
    await ask.app[CRIER].look()
    return _row(row, None)


@routes.post("/api/v1/announcements/prompts", action="manage_incident", body=PromptIn, out=PromptRow, status=201)
async def add_prompt(ask: Ask[PromptIn]) -> PromptRow:
    """Keep a recording of one's own"""
    if not ask.app[CRIER].takes_own:
        raise Problem(409, "no_own", "数据目录的路径含特殊字符", "The path of CALLCENTER_ASTERISK_ETC is not plain")
    zh, seconds_zh = _recording("zh", ask.body.zh)
    en, seconds_en = _recording("en", ask.body.en) if ask.body.en is not None else (None, 0.0)
    code = "own-" + hashlib.sha256(zh + b"|" + (en or b"")).hexdigest()[:16]
    values = {
        "code": code,
        "name": ask.body.name,
        "sound_zh": zh,
        "sound_en": en,
        "ms_zh": round(seconds_zh * 1000),
        "ms_en": round(seconds_en * 1000),
        "by": ask.user.login,
    }
    async with ask.app[ENGINE].begin() as connection:
        if not await queries.add_prompt(connection, values):
            raise Problem(409, "prompt_exists", "已有相同的录音", "This recording is there already")
        told = {name: value for name, value in values.items() if not name.startswith("sound_")}
        await write_audit(connection, ask.user.id, "add_prompt", told)
    name = ask.body.name
    return PromptRow(
        code=code,
        own=True,
        zh=name,
        en=name,
        seconds_zh=round(seconds_zh, 1),
        seconds_en=round(seconds_en, 1),
    )


@routes.delete("/api/v1/announcements/prompts/{code}", action="manage_incident", path=PromptPath)
async def drop_prompt(ask: Ask[None, None, PromptPath]) -> None:
    """Forget a recording that no announcement uses"""
    async with ask.app[ENGINE].begin() as connection:
        if not await queries.drop_prompt(connection, ask.path.code):
            raise Problem(409, "prompt_in_use", "没有此录音，或公告正在使用", "It is not there, or in use")
        await write_audit(connection, ask.user.id, "drop_prompt", {"code": ask.path.code})


def one_of(answer: Any) -> Mapping[str, str]:
    """An answer's two languages."""
    return {"zh": answer.zh, "en": answer.en}


def _notice(each: Announcement) -> dict[str, Any]:
    return {"id": each.id, "kind": each.kind, "zh": each.zh, "en": each.en, "until": each.ends}


def _row(row: Row[Any], said: Announcement | None) -> AnnouncementRow:
    known, at = queries.announcement(row), now()
    state: Literal["planned", "on", "over"] = "over" if known.over(at) else "on" if known.on(at) else "planned"
    names = AnnouncementRow.model_fields.keys() - {"answers", "state", "heard", "kind"}
    return AnnouncementRow(
        **{name: getattr(row, name) for name in names},
        kind=known.kind,
        answers=[Answer(**one_of(each)) for each in known.answers],
        state=state,
        heard=state == "on" and said is not None and said.id == row.id,
    )


def _ready(name: str, lengths: Mapping[tuple[str, str], float]) -> PromptRow:
    zh, en = (lengths[language, name] for language in LANGUAGES)
    texts = PROMPTS[name]
    return PromptRow(
        code=name, own=False, zh=texts["zh"], en=texts["en"], seconds_zh=round(zh, 1), seconds_en=round(en, 1)
    )


def _own(row: Row[Any]) -> PromptRow:
    zh, en = round(row.ms_zh / 1000, 1), round(row.ms_en / 1000, 1)
    return PromptRow(code=row.code, own=True, zh=row.name, en=row.name, seconds_zh=zh, seconds_en=en)


async def _own_codes(connection: Any) -> set[str]:
    return {row.code for row in await queries.prompts(connection)}


def _recording(name: str, given: str) -> tuple[bytes, float]:
    try:
        return checked(base64.b64decode(given, validate=True))
    except BadRecording as why:
        raise Problem(409, "bad_recording", why.zh, why.en, {name: f"{why.zh} / {why.en}"}) from None
    except ValueError:  # not base64, or not even ASCII
        fault = {name: "不是 base64 / not base64"}
        raise Problem(409, "bad_recording", "录音无法读取", "The recording cannot be read", fault) from None


@cache
def _lengths() -> Mapping[tuple[str, str], float]:
    """Seconds of our recordings, by language and name."""
    sounds = conf() / "sounds"
    return {
        (language, name): seconds_of(sounds / language / f"{name}.wav") for language in LANGUAGES for name in PROMPTS
    }
