"""Alarms and their rules over HTTP."""

from datetime import timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import Row

from agents.alarms import BadRule, Kind, Rule, Severity, checked
from callcenter.alarms import queries
from callcenter.alarms.watch import WATCH
from callcenter.api import ENGINE, SETTINGS, WHOLE, Ask, Model, Moment, Problem, Routes
from callcenter.clock import now
from callcenter.people.queries import write_audit

routes = Routes("alarms")

MOST_SHOWN: Final = 200

Threshold = Annotated[float, Field(ge=0, le=100_000, strict=True)]
Whole = Annotated[int, Field(ge=0, le=86_400), WHOLE]


class AlarmRow(Model):
    """An alarm; `value` is the figure that raised it, `threshold` the one it passed."""

    id: str
    rule: str
    kind: Kind
    severity: Severity
    value: float
    threshold: float
    raised_at: Moment
    cleared_at: Moment | None
    acked_by: str | None
    acked_at: Moment | None


class Alarms(Model):
    items: list[AlarmRow]


class AlarmPath(Model):
    id: UUID


class RuleBody(Model):
    """A rule: raised beyond `raise_at` once that has lasted `hold_seconds`, cleared at `clear_at` or better.

    `window_minutes` and `least_calls` are of `in_time` alone.
    """

    kind: Annotated[Kind, Field(strict=False)]
    raise_at: Threshold
    clear_at: Threshold
    hold_seconds: Whole
    severity: Literal["warning", "critical"]
    window_minutes: Annotated[int, Field(ge=1, le=1440), WHOLE] = 15
    least_calls: Annotated[int, Field(ge=1, le=100_000), WHOLE] = 20
    active: bool = True


class AlarmRule(RuleBody):
    code: str
    changed_by: str
    changed_at: Moment


class Webhooks(Model):
    """`addresses`: how many are told. `waiting` and `given_up` are tellings, the latter of the last day."""

    addresses: int
    waiting: int
    given_up: int


class Rules(Model):
    items: list[AlarmRule]
    webhooks: Webhooks


class RulePath(Model):
    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


@routes.get("/api/v1/alarms", action="see_floor", out=Alarms)
async def history(ask: Ask) -> Alarms:
    """The last alarms, newest first"""
    async with ask.app[ENGINE].connect() as connection:
        rows = await queries.history(connection, MOST_SHOWN)
    return Alarms(items=[_row(row) for row in rows])


@routes.post("/api/v1/alarms/{id}/ack", action="edit_alarms", path=AlarmPath)
async def acknowledge(ask: Ask[None, None, AlarmPath]) -> None:
    """Say that one has seen an alarm and sees to it"""
    async with ask.app[ENGINE].begin() as connection:
        await write_audit(connection, ask.user.id, "acknowledge_alarm", {"id": str(ask.path.id)})
    if ask.app[WATCH].acknowledge(ask.path.id, ask.user.login, now()) is None:
        raise Problem(404, "no_such_alarm", "该告警已解除", "This alarm has been cleared")


@routes.get("/api/v1/alarm-rules", action="edit_alarms", out=Rules)
async def rules(ask: Ask) -> Rules:
    """The rules, and how the webhooks fare"""
    async with ask.app[ENGINE].connect() as connection:
        items = [_rule(row) for row in await queries.rules(connection)]
        waiting, given_up = await queries.outbox(connection)
    addresses = len(ask.app[SETTINGS].alarm_webhooks)
    return Rules(items=items, webhooks=Webhooks(addresses=addresses, waiting=waiting, given_up=given_up))


@routes.put("/api/v1/alarm-rules/{code}", action="edit_alarms", body=RuleBody, path=RulePath)
async def put_rule(ask: Ask[RuleBody, None, RulePath]) -> None:
    """Make or change a rule; it counts within two seconds"""
    body = ask.body
    try:
        hold = timedelta(seconds=body.hold_seconds)
        checked(Rule(ask.path.code, body.kind, body.raise_at, body.clear_at, hold, body.severity))
    except BadRule:
        raise Problem(
            409,
            "thresholds_cross",
            "解除阈值不得比触发阈值更差",
            "The threshold that clears must not be worse than the one that raises",
            {"clear_at": "与触发阈值矛盾 / contradicts the one that raises"},
        ) from None
    rule: dict[str, Any] = {**body.model_dump(mode="json"), "code": ask.path.code}
    async with ask.app[ENGINE].begin() as connection:
        await queries.put_rule(connection, rule | {"changed_by": ask.user.login})
        await write_audit(connection, ask.user.id, "put_alarm_rule", rule)


@routes.delete("/api/v1/alarm-rules/{code}", action="edit_alarms", path=RulePath)
async def drop_rule(ask: Ask[None, None, RulePath]) -> None:
    """Remove a rule; its alarm is cleared"""
    async with ask.app[ENGINE].begin() as connection:
        if not await queries.drop_rule(connection, ask.path.code):
            raise Problem(404, "no_such_rule", "没有此规则", "There is no such rule")
        await write_audit(connection, ask.user.id, "drop_alarm_rule", {"code": ask.path.code})


def _row(row: Row[Any]) -> AlarmRow:
    return AlarmRow(
        id=str(row.id),
        rule=row.rule,
        kind=Kind(row.kind),
        severity=row.severity,
        value=row.value,
        threshold=row.threshold,
        raised_at=row.raised_at,
        cleared_at=row.cleared_at,
        acked_by=row.acked_by,
        acked_at=row.acked_at,
    )


def _rule(row: Row[Any]) -> AlarmRule:
    return AlarmRule(
        code=row.code,
        kind=Kind(row.kind),
        raise_at=row.raise_at,
        clear_at=row.clear_at,
        hold_seconds=row.hold_seconds,
        severity=row.severity,
        window_minutes=row.window_minutes,
        least_calls=row.least_calls,
        active=row.active,
        changed_by=row.changed_by,
        changed_at=row.changed_at,
    )
