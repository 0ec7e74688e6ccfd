"""Announcements and own recordings in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.announcements.flow import Announcement, Kind, Pinned
from callcenter.store.tables import announcements, own_prompts


async def add(connection: AsyncConnection, values: Mapping[str, Any]) -> Row[Any]:
    """Note an announcement and return it."""
    row: Row[Any] = (await connection.execute(insert(announcements).values(values).returning(announcements))).one()
    return row


async def end(connection: AsyncConnection, number: int, login: str) -> Row[Any] | None:
    """End one that is not over; None when it is, or was never there."""
    ended = await connection.execute(
        update(announcements)
        .where(
            announcements.c.id == number,
            announcements.c.ended_at.is_(None),
            or_(announcements.c.ends_at.is_(None), announcements.c.ends_at > func.now()),
        )
        .values(ended_by=login, ended_at=func.now())
        .returning(announcements)
    )
    row: Row[Any] | None = ended.first()
    return row


async def recent(connection: AsyncConnection, limit: int) -> Sequence[Row[Any]]:
    """The newest."""
    return (await connection.execute(select(announcements).order_by(announcements.c.id.desc()).limit(limit))).all()


async def open_ones(connection: AsyncConnection, now: datetime) -> list[Announcement]:
    """Those that are on, or will be."""
    asked = select(announcements).where(
        announcements.c.ended_at.is_(None), or_(announcements.c.ends_at.is_(None), announcements.c.ends_at > now)
    )
    return [announcement(row) for row in await connection.execute(asked)]


def announcement(row: Row[Any]) -> Announcement:
    """A row as what the rules know."""
    answers = tuple(Pinned(each["zh"], each["en"]) for each in row.answers)
    return Announcement(
        row.id, Kind(row.kind), row.zh, row.en, row.starts_at, row.ends_at, row.ended_at, row.prompt, answers
    )


async def add_prompt(connection: AsyncConnection, values: Mapping[str, Any]) -> bool:
    """Keep a recording; False when its code is taken."""
    added = upsert(own_prompts).values(values).on_conflict_do_nothing().returning(own_prompts.c.code)
    return (await connection.execute(added)).first() is not None


async def drop_prompt(connection: AsyncConnection, code: str) -> bool:
    """Forget a recording that no open announcement uses; False when one does, or there is none."""
    used = select(announcements.c.id).where(
        announcements.c.prompt == code,
        announcements.c.ended_at.is_(None),
        or_(announcements.c.ends_at.is_(None), announcements.c.ends_at > func.now()),
    )
    gone = delete(own_prompts).where(own_prompts.c.code == code, ~used.exists()).returning(own_prompts.c.code)
    return (await connection.execute(gone)).first() is not None


async def prompts(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """Own recordings, without their sound."""
    columns = [column for column in own_prompts.c if column.name not in ("sound_zh", "sound_en")]
    return (await connection.execute(select(*columns).order_by(own_prompts.c.code))).all()


async def sounds(connection: AsyncConnection, code: str) -> tuple[bytes, bytes | None] | None:
    """A recording's sound in Chinese, and in English if there is one."""
    asked = select(own_prompts.c.sound_zh, own_prompts.c.sound_en).where(own_prompts.c.code == code)
    row = (await connection.execute(asked)).first()
    return None if row is None else (row.sound_zh, row.sound_en)
