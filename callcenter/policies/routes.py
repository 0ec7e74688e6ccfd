"""The limits of orders (时限规则) for the pages: as they are and were, and their changes, which take two persons."""

from typing import Annotated, Any, Final, Literal

from aiohttp import web
from pydantic import Field
from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from callcenter.api import ANY_USER, ENGINE, SETTINGS, WHOLE, Ask, Model, Moment, Problem, Routes
from callcenter.clock import now
from callcenter.people.queries import write_audit
from callcenter.people.second import check_second
from callcenter.policies import queries
from callcenter.policies.flow import Body, changed, examples, faults, whole
from callcenter.store.engine import SILENCE_SECONDS, within
from callcenter.workorders.deadlines import AT_ONCE, MEASURES, NAMES, Rules
from callcenter.workorders.diagram import Language, svg
from callcenter.workorders.routes import POLICIES as IN_FORCE

MOST_VERSIONS: Final = 50
MOST_PROPOSALS: Final = 50

routes = Routes("policies")

Code = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9_-]{1,40}$")]
Note = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$", min_length=2, max_length=200)]


class Limit(Model):
    """How long: so many of a unit (minute, hour, working_hour, working_day, day; measures have units of their own)."""

    value: Annotated[int, Field(ge=0, le=100_000), WHOLE]
    unit: Annotated[str, Field(pattern=r"^[a-z_]{1,20}$")]


class PolicyRow(Model):
    """A limit, or (`measure`) a number. `at_once`: it holds for all orders; others for those that begin later."""

    code: str
    zh: str
    en: str
    measure: bool
    at_once: bool
    value: int
    unit: str


class Difference(Model):
    """What a version or a proposal changes; `before` is null for what was not written down before."""

    code: str
    before: Limit | None
    after: Limit


class VersionRow(Model):
    """A version (版本). `approved_by` is null for those of a release; `orders`: under way that began with it."""

    version: int
    at: Moment
    by: str
    approved_by: str | None
    note: str
    orders: int
    differences: list[Difference]


class ProposalRow(Model):
    """A proposal and what became of it; `base`: the version that it would change."""

    id: int
    base: int
    note: str
    differences: list[Difference]
    state: Literal["proposed", "approved", "refused", "withdrawn"]
    proposed_by: str
    proposed_at: Moment
    decided_by: str | None
    decided_at: Moment | None


class PolicyTable(Model):
    """The newest version, the earlier ones, and proposals."""

    version: int
    items: list[PolicyRow]
    versions: list[VersionRow]
    proposals: list[ProposalRow]


class ChangeIn(Limit):
    """A limit as it is to be."""

    code: Code


class ChangesIn(Model):
    """What is to be changed of the version that was seen."""

    base: Annotated[int, Field(ge=1, le=1_000_000), WHOLE]
    changes: Annotated[list[ChangeIn], Field(min_length=1, max_length=100)]


class ProposalIn(ChangesIn):
    """A proposal, and why."""

    note: Note


class ExampleRow(Model):
    """A limit that starts now: when it ends as it is, and as it would be. Both null for what is no limit.

    `provisional`: a notice of holidays that is not out yet may move it (暂定).
    """

    code: str
    before: Limit
    after: Limit
    ends_before: Moment | None
    ends_after: Moment | None
    provisional: bool


class Preview(Model):
    """What a change would do. `orders`: under way, which keep the limits that they began with."""

    at: Moment
    examples: list[ExampleRow]
    orders: int


class FlowQuery(Model):
    language: Language = "zh"


class ProposalPath(Model):
    id: Annotated[int, Field(ge=0, le=2**53)]


class Decision(Model):
    state: Literal["approved", "refused"]


@routes.get("/api/v1/policies", action=ANY_USER, out=PolicyTable)
async def show_policies(ask: Ask) -> PolicyTable:
    """Limits and measures in force, their versions with who and why, and proposals (时限规则)"""

    async def find(engine: AsyncEngine) -> PolicyTable:
        async with engine.connect() as connection:
            versions = await queries.versions(connection, MOST_VERSIONS)
            in_use = await queries.in_use(connection)
            proposals = await queries.recent(connection, MOST_PROPOSALS)
        bodies = {row.version: _body(row.body) for row in versions}
        made = {row.version: row for row in proposals if row.version is not None}
        newest = versions[0]
        body = whole(bodies[newest.version])
        return PolicyTable(
            version=newest.version,
            items=[
                PolicyRow(
                    code=code,
                    zh=zh,
                    en=en,
                    measure=code in MEASURES,
                    at_once=code in AT_ONCE,
                    value=body[code][0],
                    unit=body[code][1],
                )
                for code, (zh, en) in NAMES.items()
            ],
            versions=[
                VersionRow(
                    version=row.version,
                    at=row.at,
                    by=row.by,
                    approved_by=made[row.version].decided_by if row.version in made else None,
                    note=row.note,
                    orders=in_use.get(row.version, 0),
                    differences=_differences(bodies.get(row.version - 1), bodies[row.version]),
                )
                for row in versions
            ],
            proposals=[_proposal(row, bodies) for row in proposals],
        )

    return await within(SILENCE_SECONDS, find(ask.app[ENGINE]))


@routes.post("/api/v1/policies/preview", action="propose_rules", body=ChangesIn, out=Preview)
async def preview(ask: Ask[ChangesIn]) -> Preview:
    """What a change would do: when limits would end that start now. Nothing is kept"""

    async def find(engine: AsyncEngine) -> Preview:
        async with engine.connect() as connection:
            rules = await ask.app[IN_FORCE].newest(connection)
            body, changes = await _checked(connection, ask.body)
            orders = sum((await queries.in_use(connection)).values())
        return _preview(ask, rules, body, changes, orders)

    return await within(SILENCE_SECONDS, find(ask.app[ENGINE]))


@routes.post("/api/v1/policies/proposals", action="propose_rules", body=ProposalIn, out=ProposalRow, status=201)
async def propose(ask: Ask[ProposalIn]) -> ProposalRow:
    """Propose a change of the limits, with the reason; another person decides (两人复核)"""

    async def write(engine: AsyncEngine) -> ProposalRow:
        async with engine.begin() as connection:
            body, changes = await _checked(connection, ask.body)
            row = await queries.propose(connection, ask.body.base, changes, ask.body.note, ask.user.login)
            told = {"id": row.id, "base": row.base, "changes": row.changes, "note": row.note}
            await write_audit(connection, ask.user.id, "propose_rules", told)
            return _proposal(row, {row.base: body})

    return await within(SILENCE_SECONDS, write(ask.app[ENGINE]))


@routes.post(
    "/api/v1/policies/proposals/{id}/decision",
    action="approve_rules",
    path=ProposalPath,
    body=Decision,
    out=ProposalRow,
)
async def decide(ask: Ask[Decision, None, ProposalPath]) -> ProposalRow:
    """Approve or refuse what another person has proposed; approved, it is a new version for orders that begin now"""
    return await _decide(ask, ask.body.state)


@routes.delete("/api/v1/policies/proposals/{id}", action="propose_rules", path=ProposalPath, out=ProposalRow)
async def withdraw(ask: Ask[None, None, ProposalPath]) -> ProposalRow:
    """Take back one's own proposal"""
    return await _decide(ask, "withdrawn")


@routes.raw("GET", "/api/v1/flow.svg", action=ANY_USER, query=FlowQuery)
async def draw(ask: Ask[None, FlowQuery]) -> web.StreamResponse:
    """The life of an order as a picture, drawn from its table (流转图)"""
    return web.Response(
        text=svg(ask.query.language), content_type="image/svg+xml", headers={"Cache-Control": "no-cache"}
    )


async def _decide(ask: Ask[Any, None, ProposalPath], state: queries.State) -> ProposalRow:
    number, login = ask.path.id, ask.user.login

    async def write(engine: AsyncEngine) -> ProposalRow:
        async with engine.begin() as connection:
            found = await queries.proposal(connection, number, lock=True)
            if found is None:
                raise Problem(404, "no_proposal", "没有此提议", "There is no such proposal")
            newest = (await queries.versions(connection, 1))[0]
            body = whole(_body(newest.body))
            version = newest.version + 1 if state == "approved" else None
            row = await queries.decide(connection, number, state, login, version)
            if row is None:
                if found.state == "proposed":
                    check_second(found.proposed_by, login, withdraws=state == "withdrawn")
                raise Problem(409, "decided", "此提议已有结论", "This proposal has been decided")
            if version is not None:
                if found.base != newest.version:
                    raise _stale()
                changes = _body(found.changes)
                _refuse(faults(body, changes))
                after = {**body, **changes}
                await queries.add_version(connection, version, after, found.proposed_by, found.note, now())
            told = {"id": number, "state": state, "proposed_by": row.proposed_by, "version": version}
            act = "propose_rules" if state == "withdrawn" else "approve_rules"
            await write_audit(connection, ask.user.id, act, told)
            return _proposal(row, {found.base: body})

    try:
        return await within(SILENCE_SECONDS, write(ask.app[ENGINE]))
    except IntegrityError:
        raise _stale() from None


async def _checked(connection: AsyncConnection, given: ChangesIn) -> tuple[Body, Body]:
    """The version that is to be changed, and what is changed in it. Raises Problem."""
    newest = (await queries.versions(connection, 1))[0]
    if newest.version != given.base:
        raise _stale()
    body = whole(_body(newest.body))
    changes = {limit.code: (limit.value, limit.unit) for limit in given.changes}
    _refuse(faults(body, changes))
    if not (different := changed(body, changes)):
        raise Problem(422, "nothing_changed", "没有任何改动", "Nothing is changed")
    return body, different


def _refuse(wrong: dict[str, str]) -> None:
    if wrong:
        raise Problem(422, "bad_policies", "时限不正确", "Some limits are not right", wrong)


def _preview(ask: Ask[ChangesIn], rules: Rules, body: Body, changes: Body, orders: int) -> Preview:
    at = now().astimezone(ask.app[SETTINGS].zone)
    return Preview(
        at=at,
        orders=orders,
        examples=[
            ExampleRow(
                code=each.code,
                before=_limit(body[each.code]),
                after=_limit(changes[each.code]),
                ends_before=each.before,
                ends_after=each.after,
                provisional=each.provisional,
            )
            for each in examples(body, changes, at, rules)
        ],
    )


def _stale() -> Problem:
    return Problem(409, "stale_version", "规则已有新版本，请刷新后再提", "There is a newer version; please look again")


def _body(stored: dict[str, list[Any]]) -> dict[str, tuple[int, str]]:
    return {code: (value, unit) for code, (value, unit) in stored.items()}


def _limit(limit: tuple[int, str]) -> Limit:
    return Limit(value=limit[0], unit=limit[1])


def _differences(before: Body | None, after: Body) -> list[Difference]:
    """What a version changed; nothing for the first, nor for what the release brought by itself."""
    if before is None:
        return []
    known = whole(before)
    return [
        Difference(code=code, before=_limit(known[code]) if code in known else None, after=_limit(limit))
        for code, limit in after.items()
        if known.get(code) != limit
    ]


def _proposal(row: Row[Any], bodies: dict[int, Body] | dict[int, dict[str, tuple[int, str]]]) -> ProposalRow:
    base = bodies.get(row.base)
    known = whole(base) if base is not None else {}
    return ProposalRow(
        differences=[
            Difference(code=code, before=_limit(known[code]) if code in known else None, after=_limit(limit))
            for code, limit in _body(row.changes).items()
        ],
        **{name: getattr(row, name) for name in ProposalRow.model_fields if name != "differences"},
    )
