"""Working days by the State Council's notices, opening hours, and the arithmetic of time limits (domain.md 3.5)."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.calendars.days import (
    WorkingHours,
    Year,
    add_working_days,
    add_working_time,
    due_after_days,
    subtract_working_days,
    subtract_working_time,
    working_days_between,
    working_time,
)
from callcenter.calendars.flow import WALK_IN, Closed, Need, SpecialDay, check_spans, is_open, next_opening
from callcenter.calendars.places import DOMAINS, PLACES, office_hours, working_days

ZONE = ZoneInfo("Asia/Shanghai")
DAYS = working_days(ZONE)
OFFICE = office_hours(DAYS)
COUNTER = PLACES["city"].calendar()

#: The table of worked examples: start, working days, right answer.
EXAMPLES = [
    ("2026-02-13", 1, "2026-02-14"),
    ("2026-02-13", 5, "2026-02-27"),
    ("2026-02-27", 1, "2026-02-28"),
    ("2026-04-30", 5, "2026-05-11"),
    ("2026-09-18", 1, "2026-09-20"),
    ("2026-09-30", 5, "2026-10-13"),
    ("2025-01-24", 5, "2025-02-07"),
    ("2025-09-26", 5, "2025-10-10"),
    ("2026-11-21", 1, "2026-11-23"),
]

some_day = st.dates(date(2007, 1, 1), date(2026, 12, 31))
some_moment = st.datetimes(datetime(2008, 1, 1), datetime(2026, 11, 30), timezones=st.just(ZONE))
some_time = st.timedeltas(timedelta(), timedelta(hours=200))


def here(text: str) -> datetime:
    """A moment of the city: `2026-02-13 08:30`."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


# --- working days -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "n", "right"), EXAMPLES)
def test_the_worked_examples_come_out(start: str, n: int, right: str) -> None:
    assert add_working_days(DAYS, date.fromisoformat(start), n) == (date.fromisoformat(right), False)


@pytest.mark.parametrize(("year", "count"), [(2024, 251), (2025, 248), (2026, 248)])
def test_a_year_has_its_working_days(year: int, count: int) -> None:
    assert working_days_between(DAYS, date(year - 1, 12, 31), date(year, 12, 31)) == count


def test_spring_festival_of_2026_is_nine_days() -> None:
    """A public calendar has it wrong: to 21 February instead of 23."""
    off = [day for day in (date(2026, 2, 14) + timedelta(days=n) for n in range(12)) if not DAYS.works(day)]
    assert (off[0], off[-1], len(off)) == (date(2026, 2, 15), date(2026, 2, 23), 9)
    festival = DAYS.holiday(date(2026, 2, 17))
    assert festival is not None and festival.zh == "春节"


def test_what_reaches_into_an_unpublished_year_is_provisional_until_its_notice_is_loaded() -> None:
    start = date(2026, 12, 28)
    assert add_working_days(DAYS, start, 5) == (date(2027, 1, 4), True)
    # The end of December too may be given away by next year's notice; the days before it may not.
    assert [add_working_days(DAYS, date(2026, 12, 21), n).provisional for n in (5, 6)] == [False, True]
    new_year = (date(2026, 12, 31), *(date(2027, 1, n) for n in (1, 2, 3)))
    loaded = working_days(ZONE, [Year(2027, True, new_year, (date(2027, 1, 9),))])
    assert add_working_days(loaded, start, 5) == (date(2027, 1, 6), False)
    assert add_working_days(loaded, date(2027, 1, 8), 1) == (date(2027, 1, 9), False)
    # What is in the past of the notices is not known either.
    assert add_working_days(DAYS, date(2005, 3, 1), 1).provisional


def test_a_limit_ends_with_its_last_day_or_at_six() -> None:
    assert due_after_days(DAYS, here("2026-02-13 16:00"), 1) == (here("2026-02-15 00:00"), False)
    assert due_after_days(DAYS, here("2026-02-13 16:00"), 1, ends=18 * 60) == (here("2026-02-14 18:00"), False)
    # Half past eleven at night in UTC is the next day here.
    assert due_after_days(DAYS, datetime(2026, 2, 26, 23, 30, tzinfo=UTC), 1).at == here("2026-03-01 00:00")


@pytest.mark.parametrize("n", [-1, 2_001])
def test_a_limit_out_of_reason_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match="0 to 2000"):
        add_working_days(DAYS, date(2026, 1, 5), n)


@given(some_day, st.integers(0, 60))
def test_counting_forth_and_back_meet(start: date, n: int) -> None:
    there = add_working_days(DAYS, start, n).day
    assert DAYS.works(there)
    assert working_days_between(DAYS, start, there) == n or (n == 0 and not DAYS.works(start))
    if DAYS.works(start):
        assert subtract_working_days(DAYS, there, n).day == start


@given(some_day, st.integers(0, 30), st.integers(0, 30))
def test_a_limit_in_two_parts_is_the_whole(start: date, a: int, b: int) -> None:
    part = add_working_days(DAYS, start, a).day
    if a or DAYS.works(start):
        assert add_working_days(DAYS, part, b).day == add_working_days(DAYS, start, a + b).day


# --- working hours ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "hours", "right"),
    [
        ("2026-02-13 17:00", 4, "2026-02-14 12:00"),  # the make-up Saturday is worked
        ("2026-02-14 17:30", 1, "2026-02-24 09:30"),  # and then it is Spring Festival
        ("2026-11-20 11:30", 1, "2026-11-20 14:30"),  # over lunch
        ("2026-11-20 10:00", 2, "2026-11-20 12:00"),  # an end is an end, not the next beginning
        ("2026-11-21 03:00", 7, "2026-11-23 18:00"),
        ("2026-11-21 03:00", 8, "2026-11-24 10:00"),
    ],
)
def test_working_hours_are_counted_within_the_hours(start: str, hours: int, right: str) -> None:
    due = add_working_time(OFFICE, here(start), timedelta(hours=hours))
    assert (due.at, due.provisional) == (here(right), False)


def test_working_hours_that_reach_into_next_year_are_provisional() -> None:
    assert add_working_time(OFFICE, here("2026-12-28 10:00"), timedelta(hours=40)).provisional
    assert not add_working_time(OFFICE, here("2026-12-28 10:00"), timedelta(hours=2)).provisional


@given(some_moment, some_time)
def test_so_much_time_later_is_so_much_time_between(start: datetime, length: timedelta) -> None:
    later = add_working_time(OFFICE, start, length).at
    assert working_time(OFFICE, start, later) == length
    assert later >= start
    back = subtract_working_time(OFFICE, later, length).at
    assert working_time(OFFICE, back, later) == length
    assert back >= start or not length


@pytest.mark.parametrize("spans", [(), ((540, 540),), ((600, 540),), ((540, 720), (700, 800)), ((0, 1441),)])
def test_hours_that_make_no_sense_are_refused(spans: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValueError, match="span"):
        WorkingHours(DAYS, spans)


# --- opening hours ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "need", "open_", "why"),
    [
        ("2026-11-19 10:00", WALK_IN, True, None),
        ("2026-11-19 12:30", WALK_IN, True, None),  # R66: the lunch hour is used
        ("2026-11-19 08:30", WALK_IN, False, Closed.BOOKED_ONLY),  # R65
        ("2026-11-19 08:30", Need(booked=True), True, None),
        ("2026-11-19 17:30", WALK_IN, False, Closed.BOOKED_ONLY),
        ("2026-11-19 07:59", Need(booked=True), False, Closed.HOURS),
        ("2026-11-19 18:00", Need(booked=True), False, Closed.HOURS),
        ("2026-11-21 10:00", WALK_IN, False, Closed.OTHER_MATTERS),  # R67: a Saturday
        ("2026-11-21 10:00", Need(domain="medical_insurance"), True, None),
        ("2026-11-21 12:30", Need(domain="medical_insurance"), False, Closed.HOURS),
        ("2026-11-21 10:00", Need(domain="tax"), False, Closed.OTHER_MATTERS),
        ("2026-11-22 10:00", Need(domain="medical_insurance"), False, Closed.DAY_OFF),
        ("2026-02-14 10:00", WALK_IN, True, None),  # a make-up Saturday
        ("2026-10-03 10:00", Need(domain="medical_insurance"), False, Closed.HOLIDAY),  # a Saturday of National Day
        ("2026-02-17 10:00", WALK_IN, False, Closed.HOLIDAY),
    ],
)
def test_a_counter_is_open_when_the_rules_say_so(at: str, need: Need, open_: bool, why: Closed | None) -> None:
    answer = is_open(COUNTER, DAYS, here(at), need)
    assert (answer.open, answer.why) == (open_, why)


def test_a_closed_counter_says_when_it_opens_next() -> None:
    def opens(at: str, need: Need = WALK_IN) -> datetime | None:
        answer = next_opening(COUNTER, DAYS, here(at), need)
        return answer and answer.until

    assert opens("2026-11-19 10:00") is None
    assert opens("2026-11-20 18:30") == here("2026-11-23 09:00")
    assert opens("2026-11-20 18:30", Need(booked=True)) == here("2026-11-23 08:00")
    assert opens("2026-11-20 18:30", Need(domain=DOMAINS[0])) == here("2026-11-21 09:00")
    assert opens("2026-02-14 17:00") == here("2026-02-24 09:00")  # the whole of Spring Festival


def test_saturday_service_and_long_hours_leave_time_limits_alone() -> None:
    assert is_open(COUNTER, DAYS, here("2026-11-21 10:00"), Need(domain=DOMAINS[0])).open
    assert not DAYS.works(date(2026, 11, 21))
    assert add_working_days(DAYS, date(2026, 11, 20), 1).day == date(2026, 11, 23)


def test_a_bureaus_line_closes_at_lunch_and_a_stretch_ends_where_it_ends() -> None:
    line = PLACES["12366"].calendar()
    assert is_open(line, DAYS, here("2026-11-19 11:59")) == (True, here("2026-11-19 12:00"), None, False)
    assert is_open(line, DAYS, here("2026-11-19 12:00")) == (False, here("2026-11-19 14:00"), Closed.HOURS, False)
    # Spans that touch are one stretch.
    assert is_open(COUNTER, DAYS, here("2026-11-19 10:00")).until == here("2026-11-19 17:00")


def test_an_exception_replaces_the_day_and_nothing_else() -> None:
    special = {
        date(2026, 11, 19): SpecialDay((), "设备检修", "Maintenance"),
        date(2026, 11, 21): SpecialDay(((600, 660),), "便民开放日", "Open day"),
    }
    calendar = PLACES["city"].calendar(special)
    assert is_open(calendar, DAYS, here("2026-11-19 10:00")).why is Closed.SPECIAL
    assert is_open(calendar, DAYS, here("2026-11-19 10:00")).until == here("2026-11-20 09:00")
    assert is_open(calendar, DAYS, here("2026-11-21 10:30")).open
    assert is_open(calendar, DAYS, here("2026-11-21 11:30")).why is Closed.SPECIAL
    assert is_open(calendar, DAYS, here("2026-11-20 10:00")).open


def test_what_depends_on_an_unpublished_year_says_so() -> None:
    assert is_open(COUNTER, DAYS, here("2027-01-06 10:00")).provisional
    assert not is_open(PLACES["12345"].calendar(), DAYS, here("2027-01-06 10:00")).provisional


@given(some_moment)
def test_the_hotline_never_closes(at: datetime) -> None:
    assert is_open(PLACES["12345"].calendar(), DAYS, at) == (True, None, None, False)


@given(some_moment, st.booleans(), st.sampled_from(["", *DOMAINS]), st.sampled_from(sorted(PLACES)))
def test_an_answer_holds_until_it_says(at: datetime, booked: bool, domain: str, code: str) -> None:
    calendar, need = PLACES[code].calendar(), Need(booked, domain)
    answer = is_open(calendar, DAYS, at, need)
    if answer.until is None:
        return
    assert answer.until > at
    assert is_open(calendar, DAYS, answer.until, need).open is not answer.open
    assert is_open(calendar, DAYS, answer.until - timedelta(microseconds=1), need).open is answer.open


@pytest.mark.parametrize(
    ("spans", "sense"),
    [([], True), ([(540, 720), (780, 1440)], True), ([(540, 540)], False), ([(700, 800), (540, 600)], False)],
)
def test_spans_of_a_special_day_make_sense(spans: list[tuple[int, int]], sense: bool) -> None:
    assert check_spans(spans) is sense
