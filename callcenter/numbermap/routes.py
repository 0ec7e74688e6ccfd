"""The number map, and the act that makes old numbers part of 12345."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import Field
from sqlalchemy import Row

from callcenter.announcements.routes import CRIER
from callcenter.api import ANY_USER, ENGINE, SETTINGS, Ask, Day, Model, Moment, Problem, Routes
from callcenter.clock import now
from callcenter.directory.city import HOTLINES
from callcenter.numbermap import queries
from callcenter.numbermap.flow import Cutover, Refused, State, refusals, state_of
from callcenter.people.queries import write_audit
from ivr.services import BY_NUMBER

routes = Routes("numbermap")

COUNTED: Final = timedelta(days=30)
#: How far ahead a number's day may be set.
FARTHEST: Final = timedelta(days=730)

Number = Annotated[str, Field(pattern=r"^[0-9]{3,6}$")]

_REFUSED: Final[dict[Refused, tuple[str, str]]] = {
    Refused.UNKNOWN: ("没有此号码", "no such number"),
    Refused.NEVER: ("此号码不得并入", "this number is never cut over"),
    Refused.ALREADY: ("已并入或已定日期", "cut over already, or its day is set"),
    Refused.RETAINED: ("保留号码，不得批量并入，须单独办理并说明理由", "retained: never in bulk, alone with a reason"),
}


class NumberRow(Model):
    """A number of the city. `rings_here`: our Asterisk answers it; `calls`: those of the last 30 days."""

    number: str
    zh: str
    en: str
    owner: str
    mode: Literal["emergency", "unified", "kb_subscriber", "merged", "parallel", "subcentre"]
    retained: bool
    state: State
    rings_here: bool
    calls: int
    day: Day | None
    announced: bool
    reason: str
    by: str | None
    set_at: Moment | None


class Numbers(Model):
    items: list[NumberRow]


class CutoverIn(Model):
    """Which numbers, from which day on, and whether their callers hear a notice (改拨提示) with the greeting."""

    numbers: Annotated[list[Number], Field(min_length=1, max_length=40)]
    day: Day
    announced: bool
    reason: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$", max_length=200)] = ""


class NumberPath(Model):
    number: Number


@routes.get("/api/v1/legacy_numbers", action=ANY_USER, out=Numbers)
async def list_numbers(ask: Ask) -> Numbers:
    """Every number, whose it is, where it stands, and how many still call it"""
    return await _numbers(ask)


@routes.post("/api/v1/legacy_numbers/cutover", action="cut_over_number", body=CutoverIn, out=Numbers)
async def cut_over(ask: Ask[CutoverIn]) -> Numbers:
    """Make numbers part of 12345 from a day on: all of them, or none"""
    given = ask.body
    numbers = list(dict.fromkeys(given.numbers))
    today = now().astimezone(ask.app[SETTINGS].zone).date()
    if not today <= given.day <= today + FARTHEST:
        fault = {"day": "须为今天起两年之内 / must be within two years from today"}
        raise Problem(409, "bad_day", "日期不正确", "The day is not right", fault)
    async with ask.app[ENGINE].begin() as connection:
        taken = await queries.cutovers(connection)
        found = refusals(numbers, HOTLINES, taken.keys(), reason=given.reason)
        if found:
            faults = {number: " / ".join(_REFUSED[why]) for number, why in found.items()}
            raise Problem(409, "cannot_cut_over", "有号码不能并入，未作任何变更", "Some cannot be; none was", faults)
        if not await queries.cut_over(
            connection, numbers, given.day, announced=given.announced, reason=given.reason, login=ask.user.login
        ):
            raise Problem(409, "cannot_cut_over", "有号码刚被他人并入", "Somebody else has just cut one of them over")
        told = given.model_dump(mode="json") | {"numbers": numbers}
        await write_audit(connection, ask.user.id, "cut_over_number", told)
    await ask.app[CRIER].look()
    return await _numbers(ask)


@routes.delete("/api/v1/legacy_numbers/{number}/cutover", action="cut_over_number", path=NumberPath, out=Numbers)
async def undo_cutover(ask: Ask[None, None, NumberPath]) -> Numbers:
    """Take a number's cut-over back"""
    async with ask.app[ENGINE].begin() as connection:
        if not await queries.undo(connection, ask.path.number):
            raise Problem(404, "no_cutover", "此号码没有并入日期", "This number has no day of cut-over")
        await write_audit(connection, ask.user.id, "undo_cutover", {"number": ask.path.number})
    await ask.app[CRIER].look()
    return await _numbers(ask)


async def _numbers(ask: Ask[Any, Any, Any]) -> Numbers:
    at = now()
    today = at.astimezone(ask.app[SETTINGS].zone).date()
    async with ask.app[ENGINE].connect() as connection:
        days = await queries.cutovers(connection)
        counts = await queries.calls_by_number(connection, at - COUNTED)
    return Numbers(items=[_row(number, days, counts, today) for number in HOTLINES])


def _row(number: str, days: Mapping[str, Row[Any]], counts: Mapping[str, int], today: Day) -> NumberRow:
    line, set_ = HOTLINES[number], days.get(number)
    return NumberRow(
        number=number,
        zh=line.zh,
        en=line.en,
        owner=line.owner,
        mode=line.mode,
        retained=line.retained,
        state=state_of(line, Cutover(set_.day, set_.announced) if set_ else None, today),
        rings_here=number in BY_NUMBER,
        calls=counts.get(number, 0),
        day=set_.day if set_ else None,
        announced=bool(set_ and set_.announced),
        reason=set_.reason if set_ else "",
        by=set_.by if set_ else None,
        set_at=set_.at if set_ else None,
    )
