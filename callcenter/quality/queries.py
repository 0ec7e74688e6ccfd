"""What is asked of the reviews, and how they are written. Grades and history are only ever added to."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Row,
    RowMapping,
    Select,
    any_,
    case,
    distinct,
    exists,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.calls.queries import tellable
from callcenter.people.permissions import Person
from callcenter.quality.flow import Candidate, Pick, State
from callcenter.quality.form import FIRST_FORM, FIRST_SAMPLING, Form, Sampling
from callcenter.store.tables import (
    calls,
    orders,
    quality_forms,
    quality_grades,
    quality_history,
    quality_reviews,
    quality_rules,
    quality_weeks,
    segments,
    users,
)

Found = Sequence[RowMapping]
LIST_ROWS: Final = 200
_PACKAGE: Final = "-"  # who made the first versions


# --- forms and rule ---------------------------------------------------------------------------------------------------


async def newest_forms(connection: AsyncConnection) -> list[tuple[int, Form]]:
    """The newest version of every form, and its number; the package's form is the first."""
    newest = (
        select(quality_forms)
        .ext(distinct_on(quality_forms.c.code))
        .order_by(quality_forms.c.code, quality_forms.c.version.desc())
    )
    rows = (await connection.execute(newest)).mappings().all()
    found = [(row["version"], Form.model_validate(row["body"])) for row in rows]
    if all(form.code != FIRST_FORM.code for _, form in found):
        found = [(1, FIRST_FORM), *found]
    return sorted(found, key=lambda each: each[1].code != FIRST_FORM.code)


async def forms_in_use(connection: AsyncConnection) -> list[tuple[int, Form]]:
    """The newest version of each form that is not retired; the first is what is graded on unless told."""
    return [(version, form) for version, form in await newest_forms(connection) if not form.retired]


async def form_of(connection: AsyncConnection, code: str, version: int) -> Form | None:
    """One version of a form."""
    body = await connection.scalar(
        select(quality_forms.c.body).where(quality_forms.c.code == code, quality_forms.c.version == version)
    )
    if body is not None:
        return Form.model_validate(body)
    return FIRST_FORM if (code, version) == (FIRST_FORM.code, 1) else None


async def add_form(connection: AsyncConnection, form: Form, after: int, by: str, at: datetime) -> bool:
    """Add the version that follows `after`; False when somebody else has added it. One at a time until the commit:
    of two who retire the last two forms, the second must see what the first did.
    """
    await connection.execute(text("LOCK TABLE quality_forms IN SHARE ROW EXCLUSIVE MODE"))
    row = {"code": form.code, "version": after + 1, "body": form.model_dump(), "by": by, "at": at}
    if form.code == FIRST_FORM.code:
        await keep_first_form(connection, at)
    if after and not await form_of(connection, form.code, after):
        return False
    return await _added(connection, upsert(quality_forms).values(row))


async def keep_first_form(connection: AsyncConnection, at: datetime) -> None:
    """Write the package's form into the table, where grades can point at it."""
    row = {"code": FIRST_FORM.code, "version": 1, "body": FIRST_FORM.model_dump(), "by": _PACKAGE, "at": at}
    await _added(connection, upsert(quality_forms).values(row))


async def newest_rule(connection: AsyncConnection) -> tuple[int, Sampling]:
    query = select(quality_rules).order_by(quality_rules.c.version.desc()).limit(1)
    row = (await connection.execute(query)).mappings().first()
    return (row["version"], Sampling.model_validate(row["body"])) if row else (1, FIRST_SAMPLING)


async def add_rule(connection: AsyncConnection, rule: Sampling, after: int, by: str, at: datetime) -> bool:
    """Add the version that follows `after`; False when somebody else has added it."""
    await _keep_first_rule(connection, at)
    if (await newest_rule(connection))[0] != after:
        return False
    return await _added(
        connection, upsert(quality_rules).values(version=after + 1, body=rule.model_dump(), by=by, at=at)
    )


async def _keep_first_rule(connection: AsyncConnection, at: datetime) -> None:
    first = {"version": 1, "body": FIRST_SAMPLING.model_dump(), "by": _PACKAGE, "at": at}
    await _added(connection, upsert(quality_rules).values(first))


async def _added(connection: AsyncConnection, statement: Any) -> bool:
    done = await connection.execute(statement.on_conflict_do_nothing().returning(literal(1)))
    return done.first() is not None


# --- drawing ----------------------------------------------------------------------------------------------------------


async def week(connection: AsyncConnection, monday: date) -> RowMapping | None:
    """Seed and rule of a week that has been drawn."""
    query = (
        select(quality_weeks, quality_rules.c.body)
        .join(quality_rules, quality_rules.c.version == quality_weeks.c.rule)
        .where(quality_weeks.c.week == monday)
    )
    return (await connection.execute(query)).mappings().first()


async def open_week(connection: AsyncConnection, monday: date, seed: str, by: str, at: datetime) -> RowMapping:
    """The week's seed and rule, given now unless it has them; nobody else draws until the transaction ends."""
    await _keep_first_rule(connection, at)
    version, _ = await newest_rule(connection)
    await _added(connection, upsert(quality_weeks).values(week=monday, seed=seed, rule=version, by=by, at=at))
    await connection.execute(select(quality_weeks.c.week).where(quality_weeks.c.week == monday).with_for_update())
    found = await week(connection, monday)
    assert found is not None
    return found


def _talks() -> Select[*tuple[Any, ...]]:
    """Each agent's part in each answered call that is over."""
    others = segments.alias("others")
    parties = (
        select(func.array_agg(distinct(others.c.login)))
        .where(others.c.call_id == segments.c.call_id, others.c.answered_at.is_not(None), others.c.login != "")
        .scalar_subquery()
    )
    return (
        select(
            segments.c.call_id,
            segments.c.login,
            func.coalesce(func.sum(segments.c.talk_ms), 0).label("talk_ms"),
            func.bool_or(segments.c.how == "transferred").label("passed_on"),
            parties.label("parties"),
            _confidential(segments.c.call_id).label("confidential"),
            _satisfied().label("satisfied"),
        )
        .join(calls, calls.c.id == segments.c.call_id)
        .where(segments.c.answered_at.is_not(None), segments.c.login != "", calls.c.ended_at.is_not(None))
        .group_by(segments.c.call_id, segments.c.login)
    )


def _confidential(call_id: ColumnElement[Any]) -> ColumnElement[bool]:
    return exists().where(orders.c.call_id == call_id, orders.c.confidential)


def _satisfied() -> ColumnElement[Any]:
    """False for a citizen who said so after the talk; NULL for one who gave no answer."""
    said = func.max(calls.c.satisfied)
    return case((said.is_(None), null()), else_=said != "dissatisfied")


def _candidate(row: RowMapping) -> Candidate:
    parties = frozenset(row["parties"])
    return Candidate(
        row["call_id"],
        row["login"],
        int(row["talk_ms"]),
        row["passed_on"] or len(parties) > 1,
        row["satisfied"],
        row["confidential"],
        parties,
    )


async def candidates(connection: AsyncConnection, between: tuple[datetime, datetime]) -> list[Candidate]:
    """Every agent's part in every answered call that came in a span of time and is over."""
    query = _talks().where(calls.c.arrived_at >= between[0], calls.c.arrived_at < between[1])
    return [_candidate(row) for row in (await connection.execute(query)).mappings()]


async def candidate(connection: AsyncConnection, call_id: str, login: str) -> Candidate | None:
    """One agent's part in one call; None when there was none, or the call is not over."""
    query = _talks().where(segments.c.call_id == call_id, segments.c.login == login)
    row = (await connection.execute(query)).mappings().first()
    return _candidate(row) if row else None


async def drawn(connection: AsyncConnection, monday: date) -> Found:
    """What was drawn of a week, by agent and in the order of drawing."""
    query = (
        select(quality_reviews)
        .where(quality_reviews.c.week == monday, ~quality_reviews.c.calibration)
        .order_by(quality_reviews.c.login, quality_reviews.c.id)
    )
    return (await connection.execute(query)).mappings().all()


async def people(connection: AsyncConnection, roles: Collection[str]) -> Sequence[Row[Any]]:
    """Active accounts with one of these roles."""
    mine = or_(false(), *(literal(role) == any_(users.c.roles) for role in sorted(roles)))
    return (await connection.execute(select(users).where(users.c.active, mine).order_by(users.c.login))).all()


async def names(connection: AsyncConnection, logins: Collection[str]) -> Sequence[Row[Any]]:
    """The accounts of these logins, closed ones too."""
    return (await connection.execute(select(users).where(users.c.login.in_(logins)).order_by(users.c.login))).all()


async def load(connection: AsyncConnection) -> dict[str, int]:
    """Who has how many reviews to do."""
    todo = quality_reviews.c.state == State.TODO.value
    query = select(quality_reviews.c.reviewer, func.count()).where(todo).group_by(quality_reviews.c.reviewer)
    return {reviewer: count for reviewer, count in await connection.execute(query) if reviewer}


async def add_reviews(
    connection: AsyncConnection,
    monday: date,
    picks: Sequence[tuple[Pick, str | None]],
    by: str,
    at: datetime,
    *,
    calibration: bool = False,
) -> list[int]:
    """Write down what was drawn and who looks at it; the reviews' numbers."""
    made = []
    for pick, reviewer in picks:
        row = {
            "week": monday,
            "call_id": pick.candidate.call_id,
            "login": pick.candidate.login,
            "stratum": pick.stratum,
            "lot": pick.lot,
            "pool": pick.pool,
            "reviewer": reviewer,
            "calibration": calibration,
            "by": by,
            "at": at,
        }
        statement = upsert(quality_reviews).values(row).on_conflict_do_nothing().returning(quality_reviews.c.id)
        if (number := await connection.scalar(statement)) is not None:
            made.append(number)
            await note(connection, number, by, "draw", at)
    return made


# --- reviews ----------------------------------------------------------------------------------------------------------


def _newest(column: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    return (
        select(column)
        .where(quality_grades.c.review_id == quality_reviews.c.id)
        .order_by(quality_grades.c.n.desc())
        .limit(1)
    )


def _reviews() -> Select[*tuple[Any, ...]]:
    """Reviews with their newest grade and what a list shows of the call."""
    newest = (
        select(
            quality_grades.c.score,
            quality_grades.c.fatal,
            quality_grades.c.grader,
            quality_grades.c.at.label("graded_at"),
        )
        .where(quality_grades.c.review_id == quality_reviews.c.id)
        .order_by(quality_grades.c.n.desc())
        .limit(1)
        .lateral()
    )
    talk = (
        select(func.coalesce(func.sum(segments.c.talk_ms), 0))
        .where(segments.c.call_id == quality_reviews.c.call_id, segments.c.login == quality_reviews.c.login)
        .scalar_subquery()
    )
    return (
        select(
            quality_reviews,
            newest,
            calls.c.arrived_at,
            calls.c.service,
            talk.label("talk_ms"),
            _confidential(quality_reviews.c.call_id).label("confidential"),
        )
        .select_from(
            quality_reviews.outerjoin(newest, literal(True)).outerjoin(calls, calls.c.id == quality_reviews.c.call_id)
        )
        .order_by(quality_reviews.c.id.desc())
    )


async def list_reviews(
    connection: AsyncConnection,
    *,
    state: str | None = None,
    reviewer: str | None = None,
    login: str | None = None,
    without: str | None = None,
    calibration: bool | None = None,
    confidential: bool = False,
) -> Found:
    """Reviews, newest first, at most `LIST_ROWS`.

    Args:
        reviewer: only theirs, and those that nobody has.
        without: none about this person, nor with them in the call.
        confidential: whether those of confidential orders are among them.
    """
    query = _reviews().limit(LIST_ROWS)
    own = quality_reviews.c
    if state:
        query = query.where(own.state == state)
    if reviewer:
        query = query.where(or_(own.reviewer == reviewer, own.reviewer.is_(None)))
    if login:
        query = query.where(own.login == login)
    if without:
        talked = exists().where(
            segments.c.call_id == own.call_id, segments.c.login == without, segments.c.answered_at.is_not(None)
        )
        query = query.where(own.login != without, ~talked)
    if calibration is not None:
        query = query.where(own.calibration == calibration)
    if not confidential:
        query = query.where(~_confidential(own.call_id))
    return (await connection.execute(query)).mappings().all()


async def review(connection: AsyncConnection, number: int, *, hold: bool = False) -> RowMapping | None:
    """One review; with `hold` nobody else changes it until the transaction ends."""
    if hold:
        await connection.execute(select(quality_reviews.c.id).where(quality_reviews.c.id == number).with_for_update())
    return (await connection.execute(_reviews().where(quality_reviews.c.id == number))).mappings().first()


async def parties(connection: AsyncConnection, call_id: str) -> frozenset[str]:
    """Who talked in a call."""
    talked = (segments.c.call_id == call_id, segments.c.answered_at.is_not(None), segments.c.login != "")
    return frozenset(await connection.scalars(select(segments.c.login).where(*talked)))


async def grades_of(connection: AsyncConnection, number: int) -> Found:
    """A review's grades, the first one first."""
    query = select(quality_grades).where(quality_grades.c.review_id == number).order_by(quality_grades.c.n)
    return (await connection.execute(query)).mappings().all()


async def history_of(connection: AsyncConnection, number: int) -> Found:
    query = select(quality_history).where(quality_history.c.review_id == number).order_by(quality_history.c.n)
    return (await connection.execute(query)).mappings().all()


async def order_of(connection: AsyncConnection, call_id: str, person: Person) -> RowMapping | None:
    """The first order that came of a call and that may be told beside it."""
    query = select(orders).where(orders.c.call_id == call_id, tellable(person))
    query = query.order_by(orders.c.created_at).limit(1)
    return (await connection.execute(query)).mappings().first()


async def move(
    connection: AsyncConnection, number: int, was: State, to: State, who: str, event: str, at: datetime, text: str = ""
) -> bool:
    """Move a review on and note it; False when somebody was faster."""
    moved = await connection.execute(
        update(quality_reviews)
        .where(quality_reviews.c.id == number, quality_reviews.c.state == was.value)
        .values(state=to.value)
    )
    if not moved.rowcount:
        return False
    await note(connection, number, who, event, at, text)
    return True


async def take(connection: AsyncConnection, number: int, who: str, at: datetime) -> None:
    """Give a review to somebody else."""
    await connection.execute(update(quality_reviews).where(quality_reviews.c.id == number).values(reviewer=who))
    await note(connection, number, who, "take", at)


async def note(connection: AsyncConnection, number: int, who: str, event: str, at: datetime, text: str = "") -> None:
    """Add a line to a review's history."""
    n = select(func.coalesce(func.max(quality_history.c.n), 0) + 1).where(quality_history.c.review_id == number)
    row = {"review_id": number, "n": n.scalar_subquery(), "at": at, "who": who, "event": event, "note": text}
    await connection.execute(insert(quality_history).values(row))


async def add_grade(connection: AsyncConnection, row: Mapping[str, Any]) -> None:
    """Write a grade; it is never changed."""
    n = select(func.coalesce(func.max(quality_grades.c.n), 0) + 1)
    n = n.where(quality_grades.c.review_id == row["review_id"])
    await connection.execute(insert(quality_grades).values(**row, n=n.scalar_subquery()))


# --- results ----------------------------------------------------------------------------------------------------------


def _counted(since: date) -> Any:
    """The newest grade of every review that counts: calibrations are about the graders."""
    return (
        select(
            quality_reviews.c.week,
            quality_reviews.c.login,
            quality_grades.c.score,
            quality_grades.c.fatal,
            quality_grades.c.form,
            quality_grades.c.form_version,
            quality_grades.c.answers,
        )
        .join(quality_grades, quality_grades.c.review_id == quality_reviews.c.id)
        .where(quality_reviews.c.week >= since, ~quality_reviews.c.calibration)
        .ext(distinct_on(quality_reviews.c.id))
        .order_by(quality_reviews.c.id, quality_grades.c.n.desc())
        .subquery()
    )


async def results(connection: AsyncConnection, since: date) -> Found:
    """Agent by agent and week by week: reviews graded, mean score, how many failed a critical item."""
    rows = _counted(since)
    failed = case((func.cardinality(rows.c.fatal) > 0, 1), else_=0)
    query = (
        select(
            rows.c.login,
            rows.c.week,
            func.count().label("graded"),
            func.avg(rows.c.score).label("score"),
            func.sum(failed).label("fatal"),
        )
        .group_by(rows.c.login, rows.c.week)
        .order_by(rows.c.login, rows.c.week)
    )
    return (await connection.execute(query)).mappings().all()


async def answers(connection: AsyncConnection, since: date, login: str | None) -> Found:
    """Week by week how often each item got which answer, of one agent or of all."""
    rows = _counted(since)
    each = func.jsonb_each_text(rows.c.answers).table_valued("item", "answer").render_derived()
    query = (
        select(rows.c.week, rows.c.form, each.c.item, each.c.answer, func.count().label("n"))
        .select_from(rows.join(each, literal(True)))
        .where(rows.c.login == login if login else literal(True))
        .group_by(rows.c.week, rows.c.form, each.c.item, each.c.answer)
        .order_by(rows.c.form, each.c.item, rows.c.week)
    )
    return (await connection.execute(query)).mappings().all()
