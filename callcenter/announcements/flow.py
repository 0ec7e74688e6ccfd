"""Which announcements are in force, and which of them callers hear. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

#: Second since the epoch at which an announcement without an end ends: 2286, the last of ten digits.
FOREVER: Final = 9_999_999_999

#: From INVITE to the answer a caller should not wait longer than 15 s, and the opening is part of it (domain.md R9).
ANSWER_WITHIN: Final = 15.0
#: What must be left of it for the person to answer.
LEFT_FOR_ANSWER: Final = 2.0


class Kind(StrEnum):
    """What it is for."""

    INFO = "info"  # 公告
    GUIDANCE = "guidance"  # 应急指引: with answers pinned at every desk


@dataclass(frozen=True, slots=True)
class Pinned:
    """A short answer (置顶答复口径) that agents can read out."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Announcement:
    """One announcement. `starts`, `ends`, `ended`: aware moments; `prompt`: the code of a recording, or empty."""

    id: int
    kind: Kind
    zh: str
    en: str
    starts: datetime
    ends: datetime | None
    ended: datetime | None
    prompt: str = ""
    answers: tuple[Pinned, ...] = ()

    def over(self, now: datetime) -> bool:
        return self.ended is not None or (self.ends is not None and now >= self.ends)

    def on(self, now: datetime) -> bool:
        return self.starts <= now and not self.over(now)


def in_force(announcements: Iterable[Announcement], now: datetime) -> list[Announcement]:
    """Those that are on, guidance first, then the newest."""
    return sorted((each for each in announcements if each.on(now)), key=_weight, reverse=True)


def heard(announcements: Iterable[Announcement], now: datetime) -> Announcement | None:
    """The one that callers hear: one alone, because the seconds of its prompt delay every answer."""
    return next((each for each in in_force(announcements, now) if each.prompt), None)


def ends_at(announcement: Announcement) -> int:
    """The second since the epoch at which an announcement ends by itself."""
    return FOREVER if announcement.ends is None else min(FOREVER, int(announcement.ends.timestamp()))


def _weight(announcement: Announcement) -> tuple[bool, datetime, int]:
    return announcement.kind is Kind.GUIDANCE, announcement.starts, announcement.id
