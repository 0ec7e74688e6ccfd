"""The shapes that the pages believe in (web/src/api/types.ts) are those that the service sends, field by field."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from stack import Stack

from callcenter.alarms import routes as alarms
from callcenter.announcements import routes as announcements
from callcenter.api import Model
from callcenter.attachments import routes as attachments
from callcenter.audit import routes as audit
from callcenter.audits import routes as audits
from callcenter.calendars import routes as calendars
from callcenter.callbacks import routes as callbacks
from callcenter.calls import routes as calls
from callcenter.citizen import routes as citizen
from callcenter.directory import city
from callcenter.directory import routes as directory
from callcenter.dispatch import routes as dispatch
from callcenter.duties import routes as duties
from callcenter.experts import routes as experts
from callcenter.exports import routes as exports
from callcenter.floor import routes as floor
from callcenter.floor.model import Call, Seat
from callcenter.floor.view import call_row, pop, seat_row
from callcenter.inboxes import routes as inboxes
from callcenter.incoming import routes as incoming
from callcenter.joins import routes as joins
from callcenter.messages import routes as messages
from callcenter.notices import routes as notices
from callcenter.numbermap import routes as numbermap
from callcenter.orderview import routes as orderview
from callcenter.pages import PAGES
from callcenter.people import routes as people
from callcenter.policies import routes as policies
from callcenter.privacy import routes as privacy
from callcenter.quality import form as quality_form
from callcenter.quality import routes as quality
from callcenter.recordings import routes as recordings
from callcenter.register import routes as register
from callcenter.reports import routes as reports
from callcenter.routing import routes as routing
from callcenter.staffing import routes as staffing
from callcenter.transfers import routes as transfers
from callcenter.visits import flow as visit_flow
from callcenter.visits import routes as visits
from callcenter.workorders import form, points
from callcenter.workorders import routes as orders

pytest_plugins = ("stack",)

API = Path(__file__).parents[1] / "web" / "src" / "api"
FILES = ("types.ts", "joins.ts", "service.ts", "notices.ts", "orders.ts", "lists.ts", "visits.ts", "rights.ts")
SOURCE = "".join((API / name).read_text() for name in FILES)

#: Ours -> the service's. A page may leave out what it does not show; it must not believe in what is not sent.
MODELS: dict[str, type[Model]] = {
    "About": people.About,
    "Me": people.Me,
    "AccountProposal": people.AccountProposal,
    "User": people.User,
    "Colleague": people.Colleague,
    "SeatAccount": people.Seat,
    "TryLine": people.Trial,
    "Reference": directory.Reference,
    "Named": city.Named,
    "Kind": city.Kind,
    "Category": city.Category,
    "Region": city.Region,
    "Service": directory.Line,
    "Staffing": staffing.Staffing,
    "StaffDay": staffing.StaffDay,
    "StaffSlot": staffing.Slot,
    "Intraday": staffing.Intraday,
    "Tried": staffing.TriedRow,
    "WhatIf": staffing.WhatIf,
    "Roster": staffing.Roster,
    "RosterDay": staffing.RosterDay,
    "RosterShift": staffing.ShiftRow,
    "RosterGap": staffing.GapRow,
    "PersonName": staffing.PersonRow,
    "Adherence": staffing.Adherence,
    "OnDuty": staffing.OnDuty,
    "Unplanned": staffing.Unplanned,
    "Routing": routing.Routing,
    "ServiceWay": routing.ServiceWay,
    "QueueSettings": routing.QueueSettings,
    "RoutingPerson": routing.PersonLevels,
    "GuardDeadline": routing.GuardDeadline,
    "GuardAct": calls.GuardAct,
    "Desk": floor.Desk,
    "Sip": floor.Sip,
    "OwnDay": floor.Day,
    "BreakReason": directory.Break,
    "VersionedRule": quality.VersionedRule,
    "BreakLimit": floor.BreakLimit,
    "BreakRules": floor.BreakRules,
    "VersionedBreaks": floor.VersionedBreaks,
    "CallRecord": calls.CallRecord,
    "CallDetail": calls.CallDetail,
    "Segment": calls.Segment,
    "Targets": transfers.Targets,
    "SeatTarget": transfers.SeatTarget,
    "QueueTarget": transfers.QueueTarget,
    "LineTarget": transfers.LineTarget,
    "Recording": calls.Recording,
    "Survey": calls.Survey,
    "SurveyFigures": calls.SurveyFigures,
    "Deletion": recordings.Deletion,
    "Deletions": recordings.Deletions,
    "Listening": recordings.Listening,
    "OrderForm": form.OrderForm,
    "Point": points.Point,
    "IncomingText": incoming.IncomingText,
    "Reveal": orderview.Reveal,
    "NearOrder": orderview.Near,
    "OrderPlace": orderview.OrderPlace,
    "Draft": orders.DraftOut,
    "DraftFound": orders.DraftFound,
    "DraftSaved": orders.DraftSaved,
    "ListedDraft": orders.DraftNote,
    "OrderSaved": orders.OrderSaved,
    "OrderRow": orders.OrderRow,
    "OrderDetail": orders.Order,
    "Entry": orders.Entry,
    "Turn": orders.Turn,
    "OrderClock": orders.ClockRow,
    "OrderField": orders.FieldRow,
    "OrderAct": orders.ActRow,
    "OrderProposal": orders.ProposalRow,
    "OrderCoUnit": orders.CoUnit,
    "OrderMoved": orders.OrderMoved,
    "OrderCall": orderview.OrderCall,
    "OrderPerson": orderview.OrderPerson,
    "OrderStateName": orderview.StateName,
    "OrderFieldName": orderview.FieldName,
    "OrderWord": orderview.Word,
    "OrderWords": orderview.OrderWords,
    "History": orders.History,
    "TimeLeft": inboxes.TimeLeft,
    "InboxRow": inboxes.InboxRow,
    "Counted": inboxes.Counted,
    "InboxPage": inboxes.InboxPage,
    "RegisterRow": register.RegisterRow,
    "RegisterFilters": register.Filters,
    "SavedView": register.View,
    "BulkRow": register.BulkRow,
    "SuggestionReason": dispatch.ReasonRow,
    "SuggestedUnit": dispatch.SuggestedUnit,
    "Ruling": dispatch.Ruling,
    "SimilarOrder": dispatch.SimilarOrder,
    "Suggestion": dispatch.Suggestion,
    "MergeSign": joins.SignRow,
    "MergeCandidate": joins.Candidate,
    "MergeCandidates": joins.Candidates,
    "JoinedOrder": joins.Joined,
    "OrderJoins": joins.Joins,
    "RepeatedOrder": orders.Repeated,
    "RepeatedOrders": joins.Repeats,
    "AskedOfOrder": joins.Asked,
    "AlarmRow": alarms.AlarmRow,
    "AlarmRule": alarms.AlarmRule,
    "AlarmRuleBody": alarms.RuleBody,
    "AlarmRules": alarms.Rules,
    "MessageRow": messages.Message,
    "SentMessage": messages.SentMessage,
    "GradeItem": quality_form.Item,
    "GradeSection": quality_form.Section,
    "GradeForm": quality_form.Form,
    "VersionedForm": quality.VersionedForm,
    "Sampling": quality_form.Sampling,
    "Name": quality.Name,
    "ReviewRow": quality.ReviewRow,
    "Reviews": quality.Reviews,
    "GradeAnswer": quality.Answer,
    "Grade": quality.GradeOut,
    "ReviewedCall": quality.ReviewedCall,
    "ReviewedOrder": quality.ReviewedOrder,
    "Review": quality.ReviewOut,
    "WeekDrawn": quality.Week,
    "Drawn": quality.Drawn,
    "Calibration": quality.Calibration,
    "Results": quality.Results,
    "VisitSlot": visits.SlotRow,
    "VisitRow": visits.VisitRow,
    "VisitRates": visit_flow.Rates,
    "VisitCoverage": visit_flow.Coverage,
    "Visits": visits.Visits,
    "VisitedOrder": orders.Order,
    "AuditFinding": audits.FindingRow,
    "AuditRow": audits.AuditRow,
    "Audits": audits.Audits,
    "Limit": policies.Limit,
    "PolicyRow": policies.PolicyRow,
    "Difference": policies.Difference,
    "PolicyVersion": policies.VersionRow,
    "PolicyProposal": policies.ProposalRow,
    "PolicyTable": policies.PolicyTable,
    "PolicyExample": policies.ExampleRow,
    "PolicyPreview": policies.Preview,
    "OpenNow": calendars.OpenNow,
    "PlaceRow": calendars.PlaceRow,
    "DayRow": calendars.DayRow,
    "Stretch": calendars.Stretch,
    "Week": calendars.Week,
    "Calendars": calendars.Calendars,
    "DueDay": calendars.DueDay,
    "CalendarChange": calendars.Change,
    "NoticeRow": notices.Notice,
    "FailedNotice": notices.FailedNotice,
    "FailedPage": notices.FailedPage,
    "OrderNotices": notices.OrderNotices,
    "ShownText": notices.Shown,
    "TextPreview": notices.Preview,
    "NoticeTemplate": notices.TemplateRow,
    "NoticeTemplates": notices.TemplateList,
    "PublicOrder": citizen.Progress,
    "PublicReply": citizen.Reply,
    "Attachment": attachments.Attachment,
    "AttachmentList": attachments.Attachments,
    "NumberRow": numbermap.NumberRow,
    "Notice": announcements.Notice,
    "PinnedNotice": announcements.PinnedNotice,
    "AnnouncementRow": announcements.AnnouncementRow,
    "PresetRow": announcements.PresetRow,
    "PromptRow": announcements.PromptRow,
    "Announcements": announcements.Announcements,
    "ExpertRow": experts.ExpertRow,
    "DutyHours": experts.DutyHours,
    "Question": experts.Question,
    "Asked": experts.Asked,
    "Callback": callbacks.Callback,
    "CallbackList": callbacks.CallbackList,
    "Whom": callbacks.Whom,
    "Progress": callbacks.Progress,
    "DeedRow": audit.AuditRow,
    "AuditChain": audit.Chain,
    "Revealed": privacy.Revealed,
    "IdentityRequest": privacy.RequestRow,
    "CitizenIdentity": privacy.Identity,
    "DataExport": exports.DataExport,
    "UnitReport": reports.UnitReport,
    "Process": reports.Process,
    "ProcessStage": reports.Stage,
    "DutyRow": duties.DutyRow,
    "DutyChange": duties.ChangeRow,
    "DutyList": duties.DutyList,
}


def _interfaces() -> dict[str, set[str]]:
    """Each interface -> its fields, inherited ones too."""
    found: dict[str, set[str]] = {}
    pattern = r"^export interface (\w+)(?:<\w+>)?(?: extends (\w+))? \{\n(.*?)^\}"
    for name, base, body in re.findall(pattern, SOURCE, re.DOTALL | re.MULTILINE):
        found[name] = set(re.findall(r"^  (\w+)\??:", body, re.MULTILINE)) | found.get(base, set())
    return found


INTERFACES = _interfaces()


@pytest.mark.parametrize("name", MODELS)
def test_the_pages_believe_what_is_declared(name: str) -> None:
    assert INTERFACES[name] - MODELS[name].model_fields.keys() == set()


def test_every_page_of_the_router_outlives_a_reload() -> None:
    """The service answers each address that the router knows, with and without what may be left out."""
    known = set()
    for path in re.findall(r"path: '(/[^'(]*)'", (API.parent / "router.ts").read_text()):
        parts = path.split("/")[1:]
        least = sum(not part.endswith("?") for part in parts)
        ways = (parts[:n] for n in range(least, len(parts) + 1))
        known |= {"/" + "/".join("{}" if part.startswith(":") else part for part in way) for way in ways}
    assert known == {re.sub(r"{\w+}", "{}", page) for page in PAGES}


def test_live_rows_have_the_fields_that_the_pages_show() -> None:
    now = datetime.now(UTC)
    call, seat = Call("n1-1", now), Seat("1001", since=now)
    assert INTERFACES["CallRow"] == call_row(call).keys()
    pop_fields = set(re.findall(r"^  (\w+):", SOURCE.split("interface Pop ")[1].split("\n}")[0], re.MULTILINE))
    assert INTERFACES["CallRow"] | pop_fields == pop(call, seat, now, {}).keys()
    assert INTERFACES["SeatRow"] == seat_row(seat, {}).keys()


async def test_the_floor_has_the_fields_that_the_board_shows(stack: Stack) -> None:
    view: dict[str, Any] = (await stack.board()).view
    assert INTERFACES["FloorView"] <= view.keys()
    assert INTERFACES["Link"] <= view["link"].keys()
    figures = view["figures"]
    assert INTERFACES["Figures"] <= figures.keys()
    assert INTERFACES["Minute"] <= figures["last_hour"][0].keys()
    assert {"service_level", "connect_rate"} == figures["worst24"].keys()
    assert {"service_seconds", "connect_rate", "connect_standard"} <= figures["goals"].keys()
