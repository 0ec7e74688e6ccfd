"""Whom a question goes to, by when it is to be answered, and what must not stand in it. Pure."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from callcenter.calendars.days import Due, WorkingDays, WorkingHours, add_working_time
from callcenter.calendars.flow import Calendar, Span, is_open
from callcenter.directory.city import CATEGORIES

#: The citizen is on the line: an expert who is there answers within this time. The project's own choice.
ON_THE_LINE: Final = timedelta(minutes=10)
#: Nobody is there: it is a written question, answered within this much working time. The project's own choice.
IN_WRITING: Final = timedelta(hours=4)

#: A mobile number, or a resident's ID number (居民身份证号), with spaces or dashes between its digits or without.
_IDENTITY: Final = re.compile(r"(?<!\d)(1[3-9]\d{9}|\d{17}[\dXx])(?![\dXx])")
_BETWEEN: Final = re.compile(r"(?<=\d)[ \-\u2010-\u2015](?=[\dXx])")


@dataclass(frozen=True, slots=True)
class Expert:
    """An expert of the roster. `fields`: classes of categories, none for all; `spans`: duty hours (值班时间)."""

    login: str
    fields: frozenset[str]
    spans: tuple[Span, ...]

    def on_duty(self, days: WorkingDays, at: datetime) -> bool:
        return is_open(Calendar(self.login, self.spans), days, at).open


class Reach(NamedTuple):
    """Who can be asked now, of the field; of them, who is at the desk; and by when the answer is due."""

    of_field: list[str]
    there: list[str]
    due: Due


def field_of(category: str) -> str:
    """The class of a category's code, which may be a class itself. Raises KeyError."""
    return CATEGORIES[category].parent or category


def reach(
    experts: Iterable[Expert],
    days: WorkingDays,
    office: WorkingHours,
    at: datetime,
    category: str,
    seen: Collection[str],
) -> Reach:
    """Whom a question goes to.

    Args:
        at: when it is asked (aware).
        category: code of a class or a leaf.
        seen: logins with an open desk.
    """
    field = field_of(category)
    able = [expert for expert in experts if not expert.fields or field in expert.fields]
    there = [expert.login for expert in able if expert.login in seen and expert.on_duty(days, at)]
    due = Due(at + ON_THE_LINE, False) if there else add_working_time(office, at, IN_WRITING)
    return Reach([expert.login for expert in able], there, due)


def names_somebody(text: str) -> bool:
    """Whether a text holds a mobile number or an ID number: who calls is none of the expert's business."""
    return _IDENTITY.search(_BETWEEN.sub("", text)) is not None
