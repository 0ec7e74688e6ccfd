"""The permission matrix (domain.md 4.2), cell by cell: 60 actions by 27 roles, through the API on a real database.

Each cell is asked by an account of that role. What is allowed gets past the permission and is refused for the nonsense
that it gives (422); what is not allowed is refused for who asks (403), or is not there for them (404). Actions whose
feature does not exist yet are listed by name. Of an action that several events need, one is asked over HTTP for each
role, and the table of transitions is asked of all.
"""

import asyncio
import csv
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import ClientSession, TCPConnector
from office import Office
from sqlalchemy import insert

from callcenter.api import ROUTES
from callcenter.clock import now
from callcenter.people import permissions
from callcenter.people.permissions import ROLES, ROLES_IN_USE
from callcenter.people.sessions import COOKIE, SESSIONS
from callcenter.store import tables
from callcenter.workorders.codes import order_code
from callcenter.workorders.flow import STATES, TABLE, UNIT_ROLES
from callcenter.workorders.order import State

UNIT, OTHER_UNIT = "D29", "D10"
#: So many requests at once: more would only wait for each other.
AT_A_TIME: Final = 4
#: Who of these tests works for whom: a district's centre has its area.
UNITS_OF: Final = dict.fromkeys(UNIT_ROLES, UNIT) | {"street": "R01"}

with Path(permissions.__file__).with_name("permissions.csv").open(encoding="utf-8", newline="") as file:
    CELLS: Final = {row.pop("action"): row for row in csv.DictReader(file)}
#: The domain's own; the rest are technical actions, each of which has routes (test_api.py asks all of these).
MATRIX: Final = list(CELLS)[:60]

#: Action -> event and state in which it is asked for.
EVENTS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "submit_request": (("follow_up", "answered"),),
    "withdraw_own": (("withdraw", "pending_dispatch"), ("withdraw", "in_progress"), ("withdraw", "judging")),
    "reopen_own": (("reopen", "closed"), ("object_unreasonable", "closed")),
    "emergency_transfer": (("hand_over", "submitted"), ("hand_over", "investigating")),
    "close_consult": (("answer", "investigating"), ("answer", "submitted")),
    "mark_invalid": (("mark_invalid", "submitted"),),
    "blow_whistle": (("blow_whistle", "in_progress"),),
    "refuse_out_of_scope": (("refuse", "submitted"), ("refuse", "investigating"), ("review", "not_accepted")),
    "set_urgency_up": (("raise_urgency", "in_progress"),),
    "set_urgency_down": (("lower_urgency", "in_progress"),),
    "investigate": (("answer", "investigating"), ("to_dispatch", "investigating"), ("ask_info", "investigating")),
    "dispatch": (("dispatch", "pending_dispatch"), ("recall", "dispatched")),
    "merge_orders": (("merge", "pending_dispatch"),),
    "unmerge": (("unmerge", "merged"),),
    "sign": (("sign", "dispatched"), ("sign_supervision", "in_progress")),
    "ask_return": (("ask_return", "dispatched"),),
    "decide_return": (("approve_return", "return_review"), ("reject_return", "return_review")),
    "open_dispute": (("open_dispute", "return_review"), ("claim_not_ours", "in_progress"), ("argue", "disputed")),
    "rule_dispute": (("rule", "disputed"), ("rule_joint", "disputed"), ("take_up_dispute", "disputed")),
    "sub_dispatch": (("sub_dispatch", "in_progress"), ("assign_handler", "dispatched")),
    "handle": (("first_contact", "in_progress"), ("ask_suspension", "in_progress")),
    "reply": (("reply", "in_progress"), ("reply", "rehandle")),
    "approve_reply_in_unit": (("reply_supervision", "in_progress"),),
    "audit_reply": (("audit_pass", "replied"), ("audit_fail", "replied"), ("audit_pass_no_visit", "replied")),
    "ask_extension": (("ask_extension", "in_progress"),),
    "grant_extension": (("grant_extension", "in_progress"), ("refuse_extension", "in_progress")),
    "suspend_clock": (("suspend", "in_progress"), ("resume", "suspended"), ("refuse_suspension", "in_progress")),
    "urge": (("urge", "in_progress"),),
    "yellow_card": (("accept_supervision", "in_progress"), ("reject_supervision", "in_progress")),
    "red_card": (("supervise", "in_progress"), ("advise_interview", "in_progress")),
    "visit": (("visit_satisfied", "pending_visit"), ("visit_no_answer", "visit_retry")),
    "judge_unreasonable": (("unreasonable", "judging"), ("out_of_duty", "judging"), ("reasonable", "judging")),
    "appeal_score": (("appeal_score", "closed"),),
    "decide_score_appeal": (("check_appeal", "closed"), ("pass_appeal", "closed"), ("refuse_appeal", "closed")),
    "peer_transfer": (("bounced", "transferred_out"),),
}
#: Action -> method and address; the route's own action may be a technical one of the same cells.
ADDRESSES: Final = {
    "answer_call": ("POST", "/api/v1/desk/seat"),
    "see_caller_number": ("POST", "/api/v1/calls/n1-1.1/reveal"),
    "see_hidden_identity": ("POST", "/api/v1/privacy/requests/0/view"),
    "export_personal_data": ("POST", "/api/v1/exports/0/file"),
    "listen_recording": ("POST", "/api/v1/calls/n1-1.1/recording/listen"),
    "see_reports": ("GET", "/api/v1/staffing?nonsense=1"),
    "edit_responsibility_list": ("POST", "/api/v1/duties"),
    "manage_users": ("POST", "/api/v1/users"),
    "read_audit_log": ("GET", "/api/v1/audit?nonsense=1"),
    "manage_roster": ("POST", "/api/v1/roster/publish"),
    "manage_incident": ("POST", "/api/v1/announcements"),
}
#: Cells of which another address asks: one's own scope.
OWN: Final = dict.fromkeys(
    [("see_reports", "unit_leader"), ("see_reports", "street")], ("GET", "/api/v1/reports/unit?nonsense=1")
)
#: What nothing does yet. A name goes from here when its feature comes, and none may be added.
MISSING: Final = {
    "see_own_progress": "the citizen's portal; a code and check code, without an account, until then",
    "rate": "the citizen's portal",
    "create_contact": "a call's draft and orders, of who talked (`write_order`); other channels come with the portal",
    "kb_search": "knowledge base",
    "kb_write": "knowledge base",
    "kb_publish": "knowledge base",
    "kb_withdraw": "knowledge base",
    "see_raw_orders": "in force as the scope of the supervisor and the auditor; the analyst's masked view lacks",
    "edit_calendar": "in two actions: `propose_calendar`, `approve_calendar`",
    "edit_rules": "in two actions: `propose_rules`, `approve_rules`",
    "publish_open_data": "no open data yet",
    "publish_officer_directory": "no directory of officers yet",
    "decide_application": "no applications yet",
    "issue_supplement_notice": "no applications yet",
}
#: Cells with a condition: what becomes of them. `asks`: the first of two persons, or what an approval opens, gets in;
#: `shut`: nobody can give that approval yet, so nobody gets in.
CONDITIONS: Final = {
    ("see_caller_number", "handler"): "shut",  # contact only: of an order in hand, by /orders/{code}/reveal
    ("see_hidden_identity", "oversight"): "asks",
    ("see_hidden_identity", "privacy"): "asks",
    ("refuse_out_of_scope", "operator"): "asks",
    ("refuse_out_of_scope", "support"): "asks",
    ("rule_dispute", "supervisor"): "asks",
    ("mark_invalid", "supervisor"): "asks",
    ("suspend_clock", "supervisor"): "asks",
    ("red_card", "supervisor"): "asks",
    ("judge_unreasonable", "supervisor"): "asks",
    ("decide_score_appeal", "assessor"): "asks",
    ("listen_recording", "privacy"): "asks",
    ("export_personal_data", "privacy"): "asks",
    ("edit_responsibility_list", "admin"): "asks",
    ("see_reports", "unit_leader"): "asks",  # own scope
    ("see_reports", "street"): "asks",
}
#: More than the matrix has: because the list of transitions (domain.md 3.2) says so, because return-visit agents take
#: a seat to call citizens from it, and because a supervisor who answers a call may end it.
MORE: Final = {
    ("answer_call", "visitor"),
    ("close_consult", "supervisor"),
    ("mark_invalid", "operator"),
    ("mark_invalid", "operator_ent"),
    ("reopen_own", "supervisor"),
    ("rule_dispute", "leader"),
}
#: Who has no account in this service: they will come by the portal, or as machines; kb and analysis lack.
WITHOUT_ACCOUNTS: Final = {"citizen", "enterprise", "kb_editor", "kb_publisher", "analyst", "client114", "peer"}


@dataclass
class Asker:
    """An account with one role, and its browser's cookie."""

    role: str
    login: str
    cookie: str
    session: ClientSession
    url: str

    async def ask(self, method: str, path: str, json: Any = None) -> tuple[int, Any]:
        headers = {"X-Callcenter": "1", "Cookie": f"{COOKIE}={self.cookie}"}
        async with self.session.request(method, self.url + path, json=json, headers=headers) as response:
            return response.status, await response.json()


@pytest.fixture(scope="module")
async def askers(office: Office) -> AsyncIterator[dict[str, Asker]]:
    """An account for every role of the matrix; units' people are of one unit."""
    connector = TCPConnector(limit=30)
    async with ClientSession(connector=connector) as session:
        found = {}
        for role in ROLES:
            login = f"cell.{role}"
            unit = UNITS_OF.get(role)
            row = {
                "login": login,
                "name_zh": login,
                "name_en": login,
                "roles": [role],
                "password_hash": "",
                "unit": unit,
            }
            async with office.engine.begin() as connection:
                user = await connection.scalar(insert(tables.users).values(row).returning(tables.users.c.id))
            cookie = await office.app[SESSIONS].open(user or 0, "127.0.0.1", instead_of=None)
            found[role] = Asker(role, login, cookie, session, office.url)
        yield found


_codes = (order_code(date(2026, 11, 22), n) for n in range(1, 1_000_000))


def order_row(state: str, **more: Any) -> dict[str, Any]:
    """A row of `orders` in a state, with what everything needs."""
    at = now()
    due = None if STATES[State(state)].kind in ("final", "closed") else at + timedelta(days=1)
    row = {
        "id": uuid.uuid4(), "code": next(_codes), "check_code": "0000", "call_id": "n1-1.1", "state": state,
        "kind": "complaint", "category": "0101", "urgency": "U3", "subject": "x", "department": UNIT,
        "created_by": "nobody", "created_at": at, "updated_at": at, "due_at": due, "dispatched_by": "somebody",
        "handler": None, "follow_up_officer": "somebody", "urge_level": 0, "proposal": None, "machines": {},
        "complained_person": "", "complained_logins": [], "complained_units": [], "region": "", "confidential": False,
    }  # fmt: skip
    return row | more


async def write(office: Office, rows: list[dict[str, Any]]) -> None:
    async with office.engine.begin() as connection:
        await connection.execute(insert(tables.orders), rows)


def test_the_matrix_is_covered_and_the_gaps_are_named() -> None:
    assert len(MATRIX) == 60 and len(ROLES) == 27
    assert sorted({*EVENTS, *ADDRESSES, *MISSING}, key=MATRIX.index) == MATRIX
    assert len(MISSING) == 60 - len(EVENTS) - len(ADDRESSES) <= 14
    assert set(ROLES) - set(ROLES_IN_USE) == WITHOUT_ACCOUNTS
    conditions = {
        (action, role)
        for action in MATRIX
        for role, cell in CELLS[action].items()
        if cell not in ("", "Y", "N") and action not in MISSING
    }
    assert conditions - CONDITIONS.keys() == set()
    assert all((State(state), event) in TABLE for events in EVENTS.values() for event, state in events)


def expected(action: str, role: str) -> bool:
    """What the matrix says of a cell, as far as it can be asked with an account."""
    if CONDITIONS.get((action, role)) == "asks" or (action, role) in MORE:
        return True
    by_portal = action in EVENTS and role in WITHOUT_ACCOUNTS
    return CELLS[action][role] == "Y" and not by_portal


def event_body(event: str) -> dict[str, Any]:
    return {"event": event, "given": {"nonsense": 1}, "version": 1, "key": str(uuid.uuid4())}


def told_by(action: str, role: str) -> list[tuple[str, str]]:
    """Events of an action that the table of transitions lets a role cause."""
    return [(event, state) for event, state in EVENTS[action] if role in TABLE[State(state), event].who]


async def test_every_cell_that_is_an_event_of_an_order(office: Office, askers: dict[str, Asker]) -> None:
    """Each asker has an order of their own making for each, so that only the permission stands between."""
    rows, asked = [], []
    for action in EVENTS:
        for role, asker in askers.items():
            event, state = next(iter(told_by(action, role)), EVENTS[action][0])
            row = order_row(state, created_by=asker.login, department=UNITS_OF.get(role, UNIT))
            rows.append(row)
            asked.append((action, event, asker, row["code"]))
    await write(office, rows)
    some_at_a_time = asyncio.Semaphore(AT_A_TIME)

    async def ask(event: str, asker: Asker, code: str) -> bool:
        body = event_body(event)
        async with some_at_a_time:
            status, answer = await asker.ask("POST", f"/api/v1/orders/{code}/events", body)
        assert status in (403, 404, 422), (event, asker.role, status, answer)
        assert status != 422 or "nonsense" in answer["error"]["fields"], (event, asker.role, answer)
        return bool(status == 422)

    got = await asyncio.gather(*(ask(event, asker, code) for _, event, asker, code in asked))
    may = {(action, asker.role): allowed for (action, _, asker, _), allowed in zip(asked, got, strict=True)}
    assert {cell: allowed for cell, allowed in may.items() if allowed != expected(*cell)} == {}
    assert len(may) == len(EVENTS) * 27
    portal = {"citizen", "enterprise", "peer"}
    assert {cell for cell in may if cell[1] not in portal and bool(told_by(*cell)) != may[cell]} == set()


@pytest.mark.parametrize("action", ADDRESSES)
async def test_every_cell_that_is_an_address(askers: dict[str, Asker], action: str) -> None:
    wrong = {}
    for role, asker in askers.items():
        method, path = OWN.get((action, role), ADDRESSES[action])
        status, answer = await asker.ask(method, path, {"nonsense": 1} if method == "POST" else None)
        refused = status == 403 and answer["error"]["code"] in ("not_allowed", "needs_approval")
        if refused and action == "see_hidden_identity" and role in ("oversight", "privacy"):
            continue
        if refused == expected(action, role) or status not in (403, 404, 422):
            wrong[role] = (status, answer)
    assert wrong == {}


async def test_what_has_no_feature_has_no_door(office: Office) -> None:
    """An action without a feature is on no route but those that are named: nothing is open by mistake."""
    assert {route.action for route in office.app[ROUTES]} & MISSING.keys() == set()


# --- data scope -------------------------------------------------------------------------------------------------------


#: A street of the own district, and one of another; leaves of firms' matters and of others.
NEAR, FAR = "R0101", "R0201"
FIRMS, PEOPLE = "1602", "0101"


def shapes(askers: dict[str, Asker]) -> Iterator[dict[str, Any]]:
    """Orders of every state: of one's own unit and another's, given to one or not, of one's own area and another's,
    confidential, with a second person waited for, of firms, and those that complain of who looks."""
    handler, officer = askers["handler"].login, askers["follow_up"].login
    for state in STATES:
        if state in (State.DRAFT,):
            continue
        for unit in (UNIT, OTHER_UNIT):
            yield order_row(state, department=unit)
            yield order_row(state, department=unit, handler=handler, follow_up_officer=officer)
        yield order_row(state, department="R01")
        yield order_row(state, department=UNIT, follow_up_officer=None, dispatched_by=None)
        yield order_row(state, department=OTHER_UNIT, urge_level=3)
        yield order_row(state, department=OTHER_UNIT, dispatched_by=askers["dispatcher"].login)
        yield order_row(state, department=OTHER_UNIT, region=NEAR, category=FIRMS)
        yield order_row(state, department=OTHER_UNIT, region=NEAR, confidential=True, call_id=ASKED_ABOUT)
        yield order_row(state, department=OTHER_UNIT, region=FAR, complained_person="somebody else")
        for event in ("suspend", "rule", "refuse") if state in (State.IN_PROGRESS, State.REPLIED) else ():
            asked = {"event": event, "given": {}, "login": "a", "roles": ["supervisor"], "unit": None}
            yield order_row(state, department=OTHER_UNIT, proposal=asked | {"at": now().isoformat()})
        yield order_row(state, department=OTHER_UNIT, machines={"dispute": "leader_ruling", "score_appeal": "asked"})
        yield order_row(state, department=UNIT, complained_units=[UNIT])
        yield order_row(state, department=OTHER_UNIT, region=NEAR, complained_units=["R01"])
        for role in ("operator", "supervisor", "visitor", "oversight", "auditor", "dispatcher", "support"):
            theirs = [askers[role].login]
            yield order_row(state, department=OTHER_UNIT, created_by=theirs[0])
            concerned = {"complained_logins": theirs, "complained_person": theirs[0], "urge_level": 3}
            yield order_row(state, department=OTHER_UNIT, created_by=theirs[0], **concerned)


#: The call about which the expert of these tests was asked.
ASKED_ABOUT: Final = "n1-1.2"
OPEN: Final = {
    "dispatched", "return_review", "disputed", "in_progress", "suspended", "replied", "pending_visit", "visit_retry",
    "judging", "rehandle",
}  # fmt: skip
ENDED: Final = {"closed", "archived", "withdrawn"}
#: By whom a proposal of these tests can be answered.
SECONDS: Final = {"suspend": {"supervisor", "coordinator"}, "rule": {"coordinator", "leader"}, "refuse": {"supervisor"}}


def in_scope(role: str, login: str, row: dict[str, Any], co_units: set[str]) -> bool:
    """The data scope of a role (domain.md 4.1), said once more, in other words than the query's."""
    state = str(row["state"])
    unit = UNITS_OF.get(role)
    if login in row["complained_logins"] or unit in row["complained_units"]:
        return False
    if row["created_by"] == login:
        return True
    with_unit = state in OPEN or (state in ENDED and row["dispatched_by"] is not None)
    open_ = row["due_at"] is not None
    if row["proposal"] is not None and role in SECONDS[row["proposal"]["event"]]:
        return True
    match role:
        case "supervisor" | "auditor":
            return True
        case "operator":
            return state in ("submitted", "awaiting_info")
        case "operator_ent":
            return state in ("submitted", "awaiting_info") or (row["category"] == FIRMS and open_)
        case "support":
            return state in ("investigating", "awaiting_info")
        case "expert":
            return state == "investigating" and row["call_id"] == ASKED_ABOUT
        case "dispatcher":
            waits = state in ("pending_dispatch", "dispatched", "return_review", "disputed", "merged")
            return waits or (row["dispatched_by"] == login and open_)
        case "handler":
            return row["handler"] == login and open_
        case "liaison" | "unit_leader":
            return (row["department"] == unit and with_unit) or unit in co_units
        case "street":
            led = (row["department"] == unit and with_unit) or unit in co_units
            return led or (state in OPEN and row["region"] == NEAR and not row["confidential"])
        case "follow_up":
            given = row["follow_up_officer"] == login and open_
            return given or (row["follow_up_officer"] is None and state in OPEN)
        case "visitor":
            return state in ("pending_visit", "visit_retry")
        case "inspector":
            return state == "replied"
        case "coordinator":
            return state == "disputed"
        case "leader":
            return state == "disputed" and row["machines"].get("dispute") == "leader_ruling"
        case "oversight":
            return row["urge_level"] >= 3 or row["complained_person"] != ""
        case "assessor":
            return state == "closed" and "score_appeal" in row["machines"]
        case _:
            return False


async def test_what_is_out_of_scope_is_in_no_list_and_is_not_there(office: Office, askers: dict[str, Asker]) -> None:
    """Every role in use, every shape of an order: lists, search and every address of an order agree with its scope."""
    rows = list(shapes(askers))
    await write(office, rows)
    helped = [row for row in rows if row["state"] == "in_progress" and row["department"] == OTHER_UNIT][:2]
    async with office.engine.begin() as connection:
        theirs = [
            {"order_id": row["id"], "unit": UNIT, "state": "blown", "created_at": row["created_at"]} for row in helped
        ]
        await connection.execute(insert(tables.order_co_units), theirs)
        question = {"id": uuid.uuid4(), "call_id": ASKED_ABOUT, "category": PEOPLE, "field": "01", "text": "?"}
        asked = {"asked_by": "x", "asked_at": now(), "due_at": now(), "answered_by": askers["expert"].login}
        answered = {"state": "answered", "answer": "!", "answered_at": now()}
        await connection.execute(insert(tables.expert_questions).values(question | asked | answered))
    helps = {row["code"] for row in helped}
    ours = {row["code"]: row for row in rows}
    ways = [
        (route.method, route.url)
        for route in office.app[ROUTES]
        if "{code}" in route.url and route.url.startswith("/api/v1/orders/")
    ]
    assert len(ways) >= 12

    some_at_a_time = asyncio.Semaphore(AT_A_TIME)

    async def look(role: str) -> list[Any]:
        async with some_at_a_time:
            return await look_at_all(role)

    async def look_at_all(role: str) -> list[Any]:
        asker = askers[role]
        want = {
            code for code, row in ours.items() if in_scope(role, asker.login, row, {UNIT} if code in helps else set())
        }
        if not permissions.may([role], "see_orders"):
            assert (await asker.ask("GET", "/api/v1/orders"))[0] == 403
            return []
        listed = await pages(asker, "/api/v1/orders?limit=200", "before")
        waiting = await pages(asker, "/api/v1/inbox?limit=200", "after")
        wrong: list[Any] = [(role, "list", ours[code], code in want) for code in (listed & ours.keys()) ^ want]
        wrong += [(role, "inbox", ours[code], False) for code in (waiting & ours.keys()) - want]
        for code in sorted(want)[:2] + sorted(ours.keys() - want)[::150]:
            found = (await asker.ask("GET", f"/api/v1/orders?q={code}"))[1]["items"]
            if bool(found) != (code in want):
                wrong.append((role, "search", ours[code], code in want))
        # Whatever is asked of an order that is not theirs: it is not there, or they may ask this of none.
        for code, seen in [*((code, True) for code in sorted(want)[:1]), *others(ours, want)]:
            for method, path in ways if not seen else [("GET", "/api/v1/orders/{code}")]:
                body = event_body("note") if path.endswith("/events") else BODY.get(method)
                status, answer = await asker.ask(method, path.format(code=code, id=uuid.uuid4()), body)
                hidden = status == 404 and answer["error"]["code"] in ("no_order", "no_file")
                refused = status == 403 and answer["error"]["code"] in ("not_allowed", "needs_approval")
                if (path == "/api/v1/orders/{code}" and seen != (status == 200)) or (
                    not seen and not hidden and not refused and status not in (415, 422)
                ):
                    wrong.append((role, method, path, ours[code], status, answer))
        return wrong

    found = await asyncio.gather(*map(look, ROLES_IN_USE))
    assert [each for wrong in found for each in wrong] == []


#: What is asked of an order by POST; what it asks for is looked at before the order is.
BODY: Final = {"POST": {"reason": "contact", "note": ""}}


def others(ours: dict[str, dict[str, Any]], want: set[str]) -> Iterator[tuple[str, bool]]:
    """An order that is out of somebody's scope: a confidential one, if there is."""
    hidden = sorted(ours.keys() - want, key=lambda code: (not ours[code]["confidential"], code))
    yield from ((code, False) for code in hidden[:1])


async def pages(asker: Asker, url: str, cursor: str) -> set[str]:
    """Codes of all pages of a list."""
    found: set[str] = set()
    more: str | None = ""
    while more is not None:
        status, page = await asker.ask("GET", url + (f"&{cursor}={more}" if more else ""))
        assert status == 200, page
        found |= {row["code"] for row in page["items"]}
        more = page["next"]
    return found
