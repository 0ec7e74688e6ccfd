"""The roster of experts, questions and answers in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.calendars.flow import On, Span
from callcenter.calendars.places import minutes
from callcenter.experts.flow import Expert
from callcenter.store.tables import calls, expert_questions, experts, knowledge_proposals, users

_ANSWERED_SHOWN = 30


async def roster(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """Experts whose accounts are open, with their names."""
    asked = (
        select(experts, users.c.name_zh, users.c.name_en)
        .join(users, users.c.login == experts.c.login)
        .where(users.c.active, users.c.roles.contains(["expert"]))
        .order_by(experts.c.login)
    )
    return (await connection.execute(asked)).all()


async def candidates(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """Open accounts with the role of an expert."""
    mine = (users.c.active, users.c.roles.contains(["expert"]))
    return (await connection.execute(select(users).where(*mine).order_by(users.c.login))).all()


def expert(row: Row[Any]) -> Expert:
    """A row of the roster as what the rules know."""
    spans = tuple(Span(On(each["on"]), minutes(each["start"]), minutes(each["end"])) for each in row.hours)
    return Expert(row.login, frozenset(row.fields), spans)


async def put_expert(
    connection: AsyncConnection, login: str, fields: Sequence[str], hours: Sequence[Mapping[str, str]]
) -> None:
    """Put a person on the roster, or change the entry."""
    row = {"fields": list(fields), "hours": list(hours)}
    await connection.execute(
        upsert(experts).values(login=login, **row).on_conflict_do_update(index_elements=[experts.c.login], set_=row)
    )


async def drop_expert(connection: AsyncConnection, login: str) -> bool:
    gone = delete(experts).where(experts.c.login == login).returning(experts.c.login)
    return (await connection.execute(gone)).first() is not None


async def add_question(connection: AsyncConnection, values: Mapping[str, Any]) -> bool:
    """Note a question; False when its key is taken."""
    added = upsert(expert_questions).values(values).on_conflict_do_nothing().returning(expert_questions.c.id)
    return (await connection.execute(added)).first() is not None


async def question(connection: AsyncConnection, key: UUID) -> Row[Any] | None:
    found = await connection.execute(select(expert_questions).where(expert_questions.c.id == key))
    row: Row[Any] | None = found.first()
    return row


async def of_call(connection: AsyncConnection, call_id: str, login: str | None) -> Sequence[Row[Any]]:
    """Questions of a call, oldest first; of one asker, or of all."""
    asked = select(expert_questions).where(expert_questions.c.call_id == call_id)
    if login is not None:
        asked = asked.where(expert_questions.c.asked_by == login)
    return (await connection.execute(asked.order_by(expert_questions.c.asked_at))).all()


async def for_expert(connection: AsyncConnection, login: str, fields: Sequence[str]) -> Sequence[Row[Any]]:
    """Open questions of these fields (none: of all), and those this person answered last."""
    mine = expert_questions.c.answered_by == login
    open_ = expert_questions.c.state == "open"
    if fields:
        open_ = open_ & expert_questions.c.field.in_(fields)
    asked = (
        select(expert_questions)
        .where(or_(open_, mine))
        .order_by((expert_questions.c.state == "open").desc(), expert_questions.c.asked_at.desc())
        .limit(_ANSWERED_SHOWN)
    )
    return (await connection.execute(asked)).all()


async def close(
    connection: AsyncConnection, key: UUID, login: str, at: datetime, *, answer: str | None
) -> Row[Any] | None:
    """Answer an open question, or with no answer take one's own back; None when it is not open, or not theirs."""
    closing = update(expert_questions).where(expert_questions.c.id == key, expert_questions.c.state == "open")
    if answer is None:
        closing = closing.where(expert_questions.c.asked_by == login).values(state="withdrawn", answered_at=at)
    else:
        closing = closing.values(state="answered", answer=answer, answered_by=login, answered_at=at)
    row: Row[Any] | None = (await connection.execute(closing.returning(expert_questions))).first()
    return row


async def propose(connection: AsyncConnection, row: Row[Any], login: str) -> None:
    """Offer a question and its answer to the knowledge base (入库建议)."""
    given = {"question_id": row.id, "category": row.category, "question": row.text, "answer": row.answer, "by": login}
    await connection.execute(insert(knowledge_proposals).values(given))


async def proposed(connection: AsyncConnection, keys: Sequence[UUID]) -> set[UUID]:
    """Which of the questions have been offered to the knowledge base."""
    asked = select(knowledge_proposals.c.question_id).where(knowledge_proposals.c.question_id.in_(keys))
    return set(await connection.scalars(asked))


async def number_of(connection: AsyncConnection, call_id: str) -> str:
    """The caller's number; empty when it is not known."""
    return await connection.scalar(select(calls.c.number).where(calls.c.id == call_id)) or ""
