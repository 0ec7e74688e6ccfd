"""Time limits of orders (domain.md 3.5): worked examples, year ends, pauses, extensions, reminders. No database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.calendars.days import Year, working_days_between
from callcenter.calendars.places import office_hours, working_days
from callcenter.workorders.deadlines import (
    POLICIES,
    Policy,
    Rules,
    due_at,
    due_moments,
    next_at,
    policy_of,
    reckoned,
    start,
    told,
    turn,
    turning,
    wake_at,
)
from callcenter.workorders.order import Clock, Order, Pause, State

ZONE = ZoneInfo("Asia/Shanghai")


def rules(*loaded: Year, ends: int = 1440, **policies: Policy) -> Rules:
    days = working_days(ZONE, loaded)
    return Rules(1, POLICIES | {policy.code: policy for policy in policies.values()}, days, office_hours(days), ends)


RULES = rules()


def here(text: str) -> datetime:
    """A moment of the city: `2026-02-13 08:30`."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def said(at: datetime | None) -> str:
    return f"{at.astimezone(ZONE):%Y-%m-%d %H:%M}" if at else "-"


def order(kind: str = "complaint", urgency: str = "U3", at: str = "2026-09-30 09:00") -> Order:
    return Order("2609300000015", State.DISPATCHED, kind, "work_order", urgency, here(at), here(at))


def begun(name: str, at: str, kind: str = "complaint", urgency: str = "U3") -> Clock:
    clock = start(order(kind, urgency), name, {}, here(at), RULES)
    assert clock is not None
    return clock


def turned(before: Order, at: str, *words: str, by: Rules = RULES, **given: Any) -> Order:
    return turn(before, words, given, here(at), by)


# --- where limits end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "policy", "right"),
    [
        ("2026-02-13 10:00", Policy("T-AUDIT", 1, "working_day"), "2026-02-15 00:00"),  # Saturday 14th, made up
        ("2026-02-13 10:00", Policy("T-AUDIT", 5, "working_day"), "2026-02-28 00:00"),
        ("2026-02-27 23:59", Policy("T-AUDIT", 1, "working_day"), "2026-03-01 00:00"),
        ("2026-04-30 00:00", Policy("T-AUDIT", 5, "working_day"), "2026-05-12 00:00"),
        ("2026-09-18 17:30", Policy("T-AUDIT", 1, "working_day"), "2026-09-21 00:00"),  # Sunday 20th, made up
        ("2026-09-30 10:00", Policy("T-AUDIT", 5, "working_day"), "2026-10-14 00:00"),
        ("2025-01-24 10:00", Policy("T-AUDIT", 5, "working_day"), "2025-02-08 00:00"),
        ("2025-09-26 10:00", Policy("T-AUDIT", 5, "working_day"), "2025-10-11 00:00"),
        ("2026-11-21 10:00", Policy("T-AUDIT", 1, "working_day"), "2026-11-24 00:00"),
        ("2025-12-30 10:00", Policy("T-AUDIT", 2, "working_day"), "2026-01-05 00:00"),  # over the year's end
        ("2025-12-31 23:50", Policy("T-AUDIT", 30, "minute"), "2026-01-01 00:20"),
        ("2026-09-30 17:00", Policy("T-AUDIT", 4, "working_hour"), "2026-10-08 12:00"),
        ("2026-11-20 11:00", Policy("T-AUDIT", 30, "day"), "2026-12-21 00:00"),
    ],
)
def test_limits_end_where_the_worked_examples_say(at: str, policy: Policy, right: str) -> None:
    clock = start(order(), "T-AUDIT", {}, here(at), rules(audit=policy))
    assert clock is not None
    assert (said(clock.due_at), clock.provisional) == (right, False)


def test_a_complaint_dispatched_before_the_national_day() -> None:
    """R91: dispatched Wednesday 2026-09-30, due Tuesday 2026-10-13; up to its last moment it is in time."""
    clock = begun("T-REPLY", "2026-09-30 16:00")
    assert (clock.policy, said(clock.due_at)) == ("T-REPLY-complaint", "2026-10-14 00:00")
    assert not clock.over(here("2026-10-13 23:59"))
    assert not clock.over(here("2026-10-14 00:00"))
    assert clock.over(here("2026-10-14 00:00") + timedelta(microseconds=1))
    six = start(order(), "T-REPLY", {}, here("2026-09-30 16:00"), rules(ends=18 * 60))
    assert six is not None
    assert said(six.due_at) == "2026-10-13 18:00"


@pytest.mark.parametrize(
    ("kind", "urgency", "name", "policy"),
    [
        ("complaint", "U1", "T-REPLY", "T-REPLY-U1"),
        ("complaint", "U2", "T-SIGN", "T-SIGN-U2"),
        ("consult", "U3", "T-REPLY", "T-REPLY-consult"),
        ("consult", "U4", "T-REPLY", "T-REPLY-U4"),
        ("praise", "U3", "T-REPLY", "T-REPLY"),
        ("complaint", "U3", "T-SIGN", "T-SIGN"),
    ],
)
def test_urgency_goes_before_kind(kind: str, urgency: str, name: str, policy: str) -> None:
    found = policy_of(order(kind, urgency), name, {}, RULES)
    assert found is not None
    assert found.code == policy


def test_what_is_urgent_runs_by_the_wall() -> None:
    assert said(begun("T-REPLY", "2026-10-01 23:00", urgency="U1").due_at) == "2026-10-02 01:00"
    assert said(begun("T-SIGN", "2026-02-17 23:45", urgency="U1").due_at) == "2026-02-18 00:15"


def test_an_unpublished_year_is_provisional_until_its_notice_is_loaded() -> None:
    clock = begun("T-REPLY", "2026-12-30 10:00")
    assert clock.provisional
    assert said(clock.due_at) == "2027-01-07 00:00"
    # The notice, as it might be: New Year's Day and Monday off, made up on Saturday the 9th.
    off = tuple(datetime(2027, 1, day).date() for day in (1, 4))
    loaded = rules(Year(2027, True, off, (datetime(2027, 1, 9).date(),)))
    settled = reckoned(clock, loaded)
    assert (said(settled.due_at), settled.provisional) == ("2027-01-09 00:00", False)


# --- pauses, extensions, changes --------------------------------------------------------------------------------------


def test_a_pause_keeps_what_was_left() -> None:
    """Suspended on the second of five days, resumed after the holidays: four are left."""
    paused = turned(turned(order(), "2026-09-21 10:00", "start:T-REPLY"), "2026-09-22 15:00", "pause")
    assert wake_at(paused, RULES) is None
    assert due_at(paused) is None
    resumed = turned(paused, "2026-10-08 09:00", "resume").clocks[0]
    assert said(begun("T-REPLY", "2026-09-21 10:00").due_at) == "2026-09-30 00:00"  # Friday 25th is off
    assert said(resumed.due_at) == "2026-10-14 00:00"  # 9, 10 (made up), 12, 13
    assert resumed.first_due_at == resumed.due_at
    assert resumed.pauses == (Pause(here("2026-09-22 15:00"), here("2026-10-08 09:00")),)


def test_a_pause_by_the_wall_and_in_office_hours() -> None:
    urgent = turned(turned(order(urgency="U2"), "2026-09-21 10:00", "start:T-REPLY"), "2026-09-21 20:00", "pause")
    assert said(turned(urgent, "2026-09-23 08:00", "resume").clocks[0].due_at) == "2026-09-23 22:00"
    decide = turned(turned(order(), "2026-09-21 10:00", "start:T-RETURN-DECIDE"), "2026-09-21 11:00", "pause")
    assert said(turned(decide, "2026-09-22 20:00", "resume").clocks[0].due_at) == "2026-09-23 12:00"


def test_a_pause_repairs_nothing_that_was_over() -> None:
    late = turned(turned(order(), "2026-09-21 10:00", "start:T-REPLY"), "2026-09-30 08:00", "pause")
    assert said(turned(late, "2026-10-20 08:00", "resume").clocks[0].due_at) == "2026-09-30 00:00"


some_moment = st.datetimes(datetime(2024, 1, 2), datetime(2026, 6, 30), timezones=st.just(ZONE))
some_time = st.timedeltas(timedelta(), timedelta(days=40))
some_policy = st.sampled_from(sorted(POLICIES.values(), key=lambda policy: policy.code))


@given(some_moment, some_policy, st.lists(st.tuples(some_time, some_time), max_size=4), st.integers(0, 5))
def test_pauses_only_move_a_limit_on(
    at: datetime, policy: Policy, gaps: list[tuple[timedelta, timedelta]], extended: int
) -> None:
    """And what is left when a pause begins is left when it is over, whatever the calendar."""
    bare = reckoned(Clock(policy.code, policy.code, policy.value, policy.unit, at, at, at, extended=extended), RULES)
    assert bare.due_at > at
    assert bare.first_due_at <= bare.due_at
    clock, moment = bare, at
    for wait, length in gaps:
        since, until = moment + wait, moment + wait + length
        moment = until
        longer = reckoned(replace(clock, pauses=(*clock.pauses, Pause(since, until))), RULES)
        assert clock.due_at <= longer.due_at
        if since > clock.due_at:
            assert longer.due_at == clock.due_at
        elif policy.unit == "working_day":
            instant = timedelta(microseconds=1)
            before = working_days_between(RULES.days, since.date(), (clock.due_at.astimezone(ZONE) - instant).date())
            after = working_days_between(RULES.days, until.date(), (longer.due_at.astimezone(ZONE) - instant).date())
            # Whoever stopped on the last day and goes on on a day off has until the next working day.
            assert after == before or (before, after) == (0, 1)
        clock = longer


def test_one_extension_and_the_first_date_stays_known() -> None:
    """K19: on time without extensions is measured by the first date."""
    clock = turned(
        turned(order(), "2026-09-21 10:00", "start:T-REPLY"), "2026-09-24 10:00", "extend:T-REPLY", extension_length=3
    ).clocks[0]
    assert (said(clock.due_at), said(clock.first_due_at)) == ("2026-10-10 00:00", "2026-09-30 00:00")


def test_a_new_unit_has_its_whole_time_and_the_order_keeps_its_age() -> None:
    first = turned(order(at="2026-09-21 09:00"), "2026-09-21 10:00", "start:T-SIGN", "start:T-RETURN", "start:T-REPLY")
    back = turned(first, "2026-09-22 10:00", "drop:T-REPLY", "drop:T-RETURN", "stop:T-SIGN", "start:T-DISPATCH")
    again = turned(back, "2026-09-22 10:20", "stop:T-DISPATCH", "start:T-SIGN", "start:T-REPLY")
    reply = again.clock("T-REPLY")
    assert reply is not None
    assert said(reply.due_at) == "2026-10-01 00:00"
    assert [clock.name for clock in again.clocks if clock.dropped] == ["T-RETURN", "T-REPLY"]
    assert again.created_at == first.created_at


def test_undoing_a_merge_counts_from_the_receipt() -> None:
    clock = turned(order(at="2026-09-21 09:00"), "2026-09-25 10:00", "since_receipt:T-DISPATCH").clocks[0]
    assert said(clock.due_at) == "2026-09-21 09:30"


def test_a_changed_urgency_is_reckoned_from_the_start() -> None:
    before = turned(order(), "2026-09-21 10:00", "start:T-REPLY")
    urgent = turned(replace(before, urgency="U2"), "2026-09-21 11:00", "again:T-REPLY", "again:T-SIGN")
    assert [(clock.policy, said(clock.due_at)) for clock in urgent.clocks] == [("T-REPLY-U2", "2026-09-22 10:00")]


def test_a_clock_that_runs_is_not_started_twice() -> None:
    once = turned(order(), "2026-09-21 10:00", "start:T-SUPPORT")
    assert turned(once, "2026-09-22 10:00", "start:T-SUPPORT") == once


def test_a_review_is_on_its_day() -> None:
    waiting = turned(order(), "2026-09-21 10:00", "pause", "start:T-REVIEW", review_day="2026-10-20")
    assert said(wake_at(waiting, RULES)) == "2026-10-20 09:00"
    assert said(due_at(waiting)) == "2026-10-20 09:00"


# --- reminders --------------------------------------------------------------------------------------------------------


def test_reminders_fall_into_office_hours() -> None:
    """Half of five days is the middle of the third; 80 % is the morning of the fifth; 120 % a day after the end."""
    clock = begun("T-REPLY", "2026-09-11 16:00")  # Friday; due Friday the 18th
    assert said(clock.due_at) == "2026-09-19 00:00"
    assert [said(due_moments(clock, stage, RULES)) for stage in (50, 80, 120)] == [
        "2026-09-16 14:30",
        "2026-09-18 09:00",
        "2026-09-20 18:00",  # Sunday, made up
    ]
    urgent = begun("T-REPLY", "2026-09-11 16:00", urgency="U2")
    assert [said(due_moments(urgent, stage, RULES)) for stage in (50, 80, 120)] == [
        "2026-09-12 04:00",
        "2026-09-12 11:12",
        "2026-09-12 20:48",
    ]


def test_each_stage_is_told_once() -> None:
    clock, seen = begun("T-REPLY", "2026-09-11 16:00"), []
    for stage in (50, 80, 100, 120):
        seen.append(said(next_at(clock, RULES)))
        clock = told(clock, stage)
    assert seen == ["2026-09-16 14:30", "2026-09-18 09:00", "2026-09-19 00:00", "2026-09-20 18:00"]
    assert next_at(clock, RULES) is None


def test_windows_wake_nobody_and_the_last_moment_is_in_time() -> None:
    window = turned(order(), "2026-09-11 16:00", "start:T-RETURN", "start:T-REOPEN")
    assert (wake_at(window, RULES), due_at(window)) == (None, None)
    audit = turned(order(), "2026-09-11 16:00", "start:T-AUDIT")
    assert wake_at(audit, RULES) == audit.clocks[0].due_at + timedelta(microseconds=1)
    assert audit.clocks[0].due_at.tzinfo is UTC


def test_an_extended_limit_is_told_anew() -> None:
    clock = turned(order(), "2026-09-11 16:00", "start:T-REPLY")
    late = replace(clock, clocks=(told(clock.clocks[0], 80),))
    longer = turned(late, "2026-09-18 10:00", "extend:T-REPLY", extension_length=5).clocks[0]
    assert longer.reminded == 0
    assert said(next_at(longer, RULES)) == "2026-09-20 09:00"


@pytest.mark.parametrize(
    ("name", "began", "now", "stretches"),
    [
        # From Wednesday into National Day: what is left of Wednesday, then Thursday the 8th to Saturday the 10th, a
        # make-up day, then Monday and Tuesday.
        (
            "T-REPLY",
            "2026-09-30 09:00",
            "2026-09-30 15:00",
            [
                "2026-09-30 00:00 to 2026-10-01 00:00",
                "2026-10-08 00:00 to 2026-10-11 00:00",
                "2026-10-12 00:00 to 2026-10-14 00:00",
            ],
        ),
        # Asked on a day off, nothing of the limit is over.
        (
            "T-REPLY",
            "2026-09-30 09:00",
            "2026-10-03 12:00",
            ["2026-10-08 00:00 to 2026-10-11 00:00", "2026-10-12 00:00 to 2026-10-14 00:00"],
        ),
        (
            "T-RETURN-DECIDE",
            "2026-09-29 16:00",
            "2026-09-29 17:00",
            ["2026-09-29 14:00 to 2026-09-29 18:00", "2026-09-30 09:00 to 2026-09-30 11:00"],
        ),
        ("T-DISPATCH", "2026-10-01 02:00", "2026-10-01 02:10", ["2026-10-01 02:00 to 2026-10-01 02:30"]),
        ("T-DISPATCH", "2026-10-01 02:00", "2026-10-01 02:30", []),
    ],
)
def test_what_is_left_of_a_limit_is_told_as_the_time_in_which_it_turns(
    name: str, began: str, now: str, stretches: list[str]
) -> None:
    clock = begun(name, began)
    assert [f"{said(since)} to {said(until)}" for since, until in turning(clock, here(now), RULES)] == stretches
    assert turning(replace(clock, ended_at=here(now)), here(now), RULES) == []


def test_a_paused_limit_keeps_what_was_left() -> None:
    clock = replace(begun("T-DISPATCH", "2026-10-01 02:00"), paused_at=here("2026-10-01 02:20"))
    ((since, until),) = turning(clock, here("2026-10-05 00:00"), RULES)
    assert (said(since), said(until)) == ("2026-10-01 02:00", "2026-10-01 02:30")
