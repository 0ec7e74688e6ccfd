"""By what rules limits are reckoned (时限规则): an order's version of the policies, and the calendar as it is now."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from callcenter.calendars.days import WorkingDays, WorkingHours
from callcenter.calendars.places import office_hours, working_days
from callcenter.calendars.queries import days as calendar_days
from callcenter.store.tables import calendar_changes, order_policies
from callcenter.workorders.deadlines import MEASURES, POLICIES, Policy, Rules

#: When the last notice of holidays was approved, and the newest version.
ASKED: Final = select(
    select(func.max(calendar_changes.c.decided_at))
    .where(calendar_changes.c.kind == "year", calendar_changes.c.state == "approved")
    .scalar_subquery()
    .label("calendar_at"),
    select(func.max(order_policies.c.version)).scalar_subquery().label("newest"),
)


@dataclass(slots=True)
class Policies:
    """What is known of them in this process. Versions never change; the calendar does when a notice is approved."""

    zone: ZoneInfo
    _versions: dict[int, dict[str, Policy]] = field(default_factory=dict)
    _calendar: tuple[datetime | None, WorkingDays, WorkingHours] | None = None
    _release: Rules | None = None

    @property
    def calendar_at(self) -> datetime | None:
        """When the last notice of holidays was approved that is known here; None for those of the release alone."""
        return self._calendar[0] if self._calendar else None

    @property
    def release(self) -> Rules:
        """The rules as the release brings them, without a database: for drafts, which have no version yet."""
        if self._release is None:
            days = working_days(self.zone)
            self._release = Rules(0, POLICIES, days, office_hours(days))
        return self._release

    async def newest(self, connection: AsyncConnection) -> Rules:
        """The rules for an order that begins now."""
        return await self.rules(connection, None)

    async def rules(
        self, connection: AsyncConnection, version: int | None, asked: tuple[datetime | None, int] | None = None
    ) -> Rules:
        """The rules for an order that began with this version; for None the newest.

        `asked`: the answer to ASKED, when it is known.
        """
        changed, last = asked or (await connection.execute(ASKED)).one()
        version = version or last
        if self._calendar is None or self._calendar[0] != changed:
            days = await calendar_days(connection, self.zone)
            self._calendar = (changed, days, office_hours(days))
        if version not in self._versions:
            body: dict[str, Any] = (
                await connection.scalars(select(order_policies.c.body).where(order_policies.c.version == version))
            ).one()
            self._versions[version] = {code: Policy(code, value, unit) for code, (value, unit) in body.items()}
        _, days, hours = self._calendar
        known = self._versions[version]
        # A version from before a limit or a measure was thought of has the release's.
        limits = POLICIES | {code: policy for code, policy in known.items() if code not in MEASURES}
        measures = {code: known.get(code, policy).value for code, policy in MEASURES.items()}
        return Rules(version, limits, days, hours, measures=measures)
