"""The sender (通知发送): what waits in the outbox goes to a gateway, each notice once as far as anybody can tell.

A notice is taken for a while, so any number of services may send at once; it has a key, so that one whose sender was
killed between handing it over and writing that down is not told twice. What fails is tried again after growing times,
then given up, which an alert tells of.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from aiohttp import web
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter import metrics
from callcenter.log import mask
from callcenter.notices import queries
from callcenter.notices.flow import (
    CITIZEN,
    GIVEN,
    STALE,
    Hours,
    Matter,
    Template,
    again_after,
    code_of,
    filled,
)
from callcenter.notices.gateway import SECONDS as TRY_SECONDS
from callcenter.notices.gateway import Gateway, Message, Never, NotNow
from callcenter.privacy.queries import opened
from callcenter.privacy.seal import Sealer
from callcenter.store.engine import DatabaseAway, within
from ivr.callback import callable_number

LOOK_EVERY: Final = 1.0
AT_ONCE: Final = 20
#: Longer than the worst batch takes: nobody else sends what is being sent.
LEASE: Final = timedelta(seconds=AT_ONCE * (TRY_SECONDS + 1) + 30)
SECONDS: Final = 10.0
COUNT_EVERY: Final = 15.0
#: For how long one that was given up is an alarm, unless it is sent again.
UNTOLD: Final = timedelta(days=1)
#: Recipients that are a unit's people; the others are roles, or a person of that role.
_UNITS: Final = frozenset({"lead", "unit_leader", "co_unit"})

log = structlog.get_logger()


class Untold:
    """How many notices were given up lately (通知未送达), as last counted; None before, and without a sender."""

    def __init__(self) -> None:
        self.count: int | None = None

    def __call__(self) -> int | None:
        return self.count


UNTOLD_NOW: Final = web.AppKey("UNTOLD_NOW", Untold)


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends what is due.

    Args:
        hours: when citizens may be sent texts.
        link: the address of the page on which a citizen sees how far the order is.
    """

    engine: AsyncEngine
    gateway: Gateway
    zone: ZoneInfo
    hours: Hours
    link: str
    now: Callable[[], datetime]
    #: Opens the numbers of confidential orders; without it their citizens are not told.
    sealer: Sealer | None = None
    untold: Untold = field(default_factory=Untold)

    async def run(self) -> None:
        """Send for ever."""
        counted = -COUNT_EVERY
        while True:
            try:
                while await self.send() == AT_ONCE:
                    pass
                if (at := asyncio.get_running_loop().time()) - counted >= COUNT_EVERY:
                    counted = at
                    await within(SECONDS, self._count())
            except DatabaseAway as error:
                log.warning("notices_wait", why=str(error))
            await asyncio.sleep(LOOK_EVERY)

    async def send(self) -> int:
        """Send a batch; how many there were. Raises DatabaseAway."""
        rows, templates = await within(SECONDS, self._take())
        made = [self._make(row, templates) for row in rows]
        messages = [message for message, _ in made if message is not None]
        outcomes = iter(await self._hand_over(messages) if messages else ())
        notes = []
        for row, (message, kept) in zip(rows, made, strict=True):
            became = kept if message is None else kept | self._after(row, message.channel, next(outcomes))
            notes.append((row["id"], became))
        if notes:
            await within(SECONDS, self._note(notes))
        return len(rows)

    async def _take(self) -> tuple[queries.Found, dict[str, Template]]:
        at = self.now()
        async with self.engine.begin() as connection:
            if stale := await queries.drop_stale(connection, at - STALE, at):
                metrics.NOTICES_GIVEN_UP.inc(stale)
            rows = await queries.take(connection, at, LEASE, AT_ONCE)
            return rows, await queries.templates(connection) if rows else {}

    def _make(
        self, row: Mapping[str, Any] | RowMapping, templates: dict[str, Template]
    ) -> tuple[Message | None, dict[str, Any]]:
        """A notice's message, and what is to be written down of it; no message for who is not told, or not now.

        Whatever is wrong with it: one that cannot be made must not hold up the others.
        """
        try:
            return self._message(row, templates)
        except Exception as error:
            log.exception("notice_not_sent", id=row["id"])
            return None, self._failed(row, error, "sms" if row["recipient"] == CITIZEN else "office")

    def _message(
        self, row: Mapping[str, Any] | RowMapping, templates: dict[str, Template]
    ) -> tuple[Message | None, dict[str, Any]]:
        at = self.now()
        citizen = row["recipient"] == CITIZEN
        if citizen and row["sealed"] is not None and self.sealer is not None:
            known = opened(self.sealer, row)
            row = dict(row) | {"callback_number": known["callback_number"] or known.get("caller", "")}
        number = number_of(row)
        if citizen:
            if why := _skip(row, number):
                metrics.NOTICES.labels("sms", "skipped").inc()
                return None, {"given_up_at": at, "error": why, "channel": "sms"}
            # Who has just called is awake, and wants the code.
            opens = self.hours.next(at.astimezone(self.zone))
            if row["n"] > 1 and opens > at:
                return None, {"due_at": opens, "tries": row["tries"] - 1}
        template = templates[code_of(row["recipient"], row["template"])]
        language = "en" if citizen and row["language"] == "en" else "zh"
        matter = matter_of(row, self.link)
        to, told = (number or "", shown(row, number)) if citizen else (address_of(row), address_of(row))
        message = Message(
            f"{row['order_id']}-{row['id']}",
            "sms" if citizen else "office",
            to,
            filled(template, matter, language, self.zone),
            language,
        )
        kept = {
            "channel": message.channel,
            "address": told,
            "language": language,
            "template_version": template.version,
            "text": filled(template, matter, language, self.zone, check="****"),
        }
        return message, kept

    async def _hand_over(self, messages: Sequence[Message]) -> Sequence[Exception | None]:
        """Of each message why the gateway has not taken it."""
        try:
            async with asyncio.timeout(len(messages) * (TRY_SECONDS + 1)):
                return await self.gateway.send(messages)
        except TimeoutError as error:
            return [error] * len(messages)
        except Exception as error:
            log.exception("notices_not_sent")
            return [error] * len(messages)

    def _after(self, row: Mapping[str, Any] | RowMapping, channel: str, why_not: Exception | None) -> dict[str, Any]:
        if why_not is not None:
            return self._failed(row, why_not, channel)
        metrics.NOTICES.labels(channel, "sent").inc()
        return {"sent_at": self.now(), "error": ""}

    def _failed(self, row: Mapping[str, Any] | RowMapping, error: Exception, channel: str) -> dict[str, Any]:
        ours, at = isinstance(error, (NotNow, Never)), self.now()
        why = str(error)[:200] if ours else type(error).__name__
        log.warning("notice_failed", id=row["id"], tries=row["tries"], why=why)
        metrics.NOTICES.labels(channel, "failed").inc()
        after = None if isinstance(error, Never) else again_after(row["tries"])
        if after is None:
            metrics.NOTICES_GIVEN_UP.inc()
            return {"given_up_at": at, "error": why}
        return {"due_at": at + after, "error": why}

    async def _note(self, notes: list[tuple[int, dict[str, Any]]]) -> None:
        async with self.engine.begin() as connection:
            await queries.note(connection, notes)

    async def _count(self) -> None:
        at = self.now()
        async with self.engine.connect() as connection:
            count, oldest = await queries.waiting(connection, at)
            self.untold.count = await queries.untold(connection, at - UNTOLD)
        metrics.NOTICES_UNTOLD.set(self.untold.count)
        metrics.NOTICES_WAITING.set(count)
        metrics.NOTICES_AGE.set((at - oldest).total_seconds() if oldest else 0)


def number_of(row: Mapping[str, Any] | RowMapping) -> str | None:
    """The citizen's telephone: the one to call back on, else that of the call."""
    return callable_number(
        "".join(char for char in row["callback_number"] or row["number"] or "" if char in "0123456789+")
    )


def _skip(row: Mapping[str, Any] | RowMapping, number: str | None) -> str:
    """Why a citizen is not told at all; empty when they are."""
    if row["anonymous"]:
        return "anonymous"
    if row["opted_out"]:
        return "opted_out"
    if not (row["callback_number"] or row["number"]):
        return "no_number"
    return "" if number is not None and number.startswith("1") and len(number) == 11 else "no_mobile"


def shown(row: Mapping[str, Any] | RowMapping, number: str | None) -> str:
    """A citizen's number as staff see it; of a confidential order none of it."""
    return "***" if row["confidential"] else mask(number or "")


def address_of(row: Mapping[str, Any] | RowMapping) -> str:
    """Where a message to staff goes: a unit, a person, a role."""
    recipient, what = row["recipient"], row["what"]
    if recipient in _UNITS:
        return f"unit:{what}" if recipient != "unit_leader" else f"leader:{what}"
    return f"login:{what}" if what else f"role:{recipient}"


def matter_of(row: Mapping[str, Any] | RowMapping, link: str) -> Matter:
    given = row["given"] or {}
    facts = {name: given[name] for name in GIVEN if given.get(name)} | {
        name: value for name, value in row["facts"].items() if value not in (None, "")
    }
    return Matter(row["code"], row["check_code"], row["kind"], row["urgency"], row["confidential"], link, facts)
