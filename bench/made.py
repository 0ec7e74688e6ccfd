"""Orders of three years as a city of 20 million has them, made inside Postgres: calls, orders, history, clocks, words.

Row n is the same in every run: what is drawn for it comes from hashes of n. Six in a thousand are open, and stand where
their age lets them; their clocks are started by the service's own rules. Indexes are built when the rows are there.
"""

import asyncio
import time
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import asyncpg

from bench.figures import Figure
from callcenter.directory.city import LEAVES, REGIONS
from callcenter.store.engine import make_engine
from callcenter.workorders import deadlines
from callcenter.workorders.deadlines import Rules, next_at, next_stage, told, turn
from callcenter.workorders.order import Clock, Order, State
from callcenter.workorders.policies import Policies
from callcenter.workorders.rows import clock_rows, mode_of

DAYS: Final = 1095
ROWS: Final = 25_000  # made by one statement
TABLES: Final = ("calls", "orders", "order_history", "order_clocks", "order_co_units", "order_notices", "order_texts")
WORDS: Final = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
PREFIXES: Final = ("135", "136", "137", "138", "139", "150", "158", "159", "186", "188")
#: The one of the demo's bureaus that has a liaison, a handler and a leader.
OURS: Final = "D29"
_LEAVES: Final = tuple(LEAVES.values())
_STREETS: Final = tuple(region for region in REGIONS.values() if region.level == "street")
_WORK: Final = ("complaint", "report", "help", "suggestion")

#: What happened: event, from, to, role of who did it, and when, as a share of the time that the order took.
_BEGUN: Final = (("submit_certain", "draft", "pending_dispatch", "operator", 0.0),)
_SENT: Final = (*_BEGUN, ("dispatch", "pending_dispatch", "dispatched", "dispatcher", 0.01))
_SIGNED: Final = (
    *_SENT,
    ("sign", "dispatched", "in_progress", "liaison", 0.1),
    ("assign_handler", "in_progress", "in_progress", "liaison", 0.12),
    ("first_contact", "in_progress", "in_progress", "handler", 0.2),
)
_REPLIED: Final = (
    *_SIGNED,
    ("note", "in_progress", "in_progress", "follow_up", 0.4),
    ("urge", "in_progress", "in_progress", "system", 0.5),
    ("propose_reply", "in_progress", "in_progress", "handler", 0.6),
    ("reply", "in_progress", "replied", "unit_leader", 0.65),
)
_PASSED: Final = (*_REPLIED, ("audit_pass", "replied", "pending_visit", "inspector", 0.8))
_AGAIN: Final = (
    *_PASSED,
    ("visit_unsatisfied", "pending_visit", "judging", "visitor", 0.85),
    ("reasonable", "judging", "rehandle", "supervisor", 0.88),
)
_Path = tuple[str, tuple[tuple[str, str, str, str, float], ...], str | None]
#: Name -> the state it ends in, its events, how it was closed. Those that end in `closed` are archived after 30 days.
PATHS: Final[dict[str, _Path]] = {
    "answered": ("answered", (("answer", "draft", "answered", "operator", 0.0),), None),
    "pending_dispatch": ("pending_dispatch", _BEGUN, None),
    "dispatched": ("dispatched", _SENT, None),
    "return_review": (
        "return_review",
        (*_SENT, ("ask_return", "dispatched", "return_review", "liaison", 0.9)),
        None,
    ),
    "disputed": ("disputed", (*_SIGNED, ("claim_not_ours", "in_progress", "disputed", "liaison", 0.9)), None),
    "in_progress": ("in_progress", _SIGNED, None),
    "suspended": ("suspended", (*_SIGNED, ("suspend", "in_progress", "suspended", "supervisor", 0.9)), None),
    "replied": ("replied", _REPLIED, None),
    "pending_visit": ("pending_visit", _PASSED, None),
    "visit_retry": (
        "visit_retry",
        (*_PASSED, ("visit_no_answer", "pending_visit", "visit_retry", "visitor", 0.9)),
        None,
    ),
    "judging": ("judging", _AGAIN[:-1], None),
    "rehandle": ("rehandle", _AGAIN, None),
    "satisfied": (
        "closed",
        (*_PASSED, ("visit_satisfied", "pending_visit", "closed", "visitor", 1.0)),
        "satisfied",
    ),
    "no_visit": (
        "closed",
        (*_REPLIED, ("audit_pass_no_visit", "replied", "closed", "inspector", 1.0)),
        "no_visit",
    ),
    "unreachable": (
        "closed",
        (
            *_PASSED,
            ("visit_no_answer", "pending_visit", "visit_retry", "visitor", 0.9),
            ("visit_no_answer", "visit_retry", "visit_retry", "visitor", 0.95),
            ("visit_exhausted", "visit_retry", "closed", "system", 1.0),
        ),
        "unreachable",
    ),
    "again": (
        "closed",
        (
            *_AGAIN,
            ("reply", "rehandle", "replied", "unit_leader", 0.93),
            ("audit_pass", "replied", "pending_visit", "inspector", 0.96),
            ("visit_satisfied", "pending_visit", "closed", "visitor", 1.0),
        ),
        "satisfied",
    ),
}
#: The clocks that an open order has, in the words of the table.
_CLOCKS: Final = {
    "pending_dispatch": ("start:T-DISPATCH",),
    "dispatched": ("start:T-SIGN", "start:T-RETURN", "start:T-REPLY"),
    "return_review": ("start:T-REPLY", "start:T-RETURN-DECIDE"),
    "disputed": ("start:T-REPLY", "start:T-DISPUTE"),
    "in_progress": ("start:T-REPLY",),
    "suspended": ("start:T-REPLY", "pause", "start:T-REVIEW"),
    "replied": ("start:T-AUDIT",),
    "pending_visit": ("start:T-VISIT-START",),
    "visit_retry": ("start:T-VISIT-NEXT",),
    "judging": ("start:T-JUDGE",),
    "rehandle": ("start:T-REHANDLE",),
}


# --- expressions of SQL over the row's number -------------------------------------------------------------------------


def _texts(words: Iterable[str]) -> str:
    return "ARRAY[" + ",".join("'" + word.replace("'", "''") + "'" for word in words) + "]"


def _lot(salt: int, most: int | str, of: str = "n") -> str:
    """A whole number from 0 to `most` - 1."""
    return f"((hashint8extended({of}, {salt}) & 1099511627775) % ({most}))"


def _share(salt: int, of: str = "n") -> str:
    """From 0 up to, not including, 1."""
    return f"((hashint8extended({of}, {salt}) & 1048575) / 1048576.0::float8)"


def _one(words: Sequence[str], salt: int) -> str:
    return f"({_texts(words)})[1 + {_lot(salt, len(words))}]"


def _of_leaf(values: Iterable[str]) -> str:
    return f"({_texts(values)})[1 + leaf]"


def _paths(shares: Sequence[tuple[str, float]]) -> str:
    """A path by the share that it has."""
    upto, cases = 0.0, []
    for name, share in shares:
        upto += share
        cases.append(f"WHEN {_share(3)} < {upto:.4f} THEN '{name}'")
    return f"CASE {' '.join(cases)} ELSE '{shares[-1][0]}' END"


_NEW: Final = (("dispatched", 0.6), ("in_progress", 0.37), ("return_review", 0.03))
_YOUNG: Final = (
    *(("in_progress", 0.7), ("replied", 0.1), ("pending_visit", 0.1), ("disputed", 0.04), ("rehandle", 0.02)),
    *(("visit_retry", 0.02), ("judging", 0.01), ("return_review", 0.01)),
)
_OLD: Final = (
    *(("in_progress", 0.45), ("pending_visit", 0.2), ("replied", 0.12), ("visit_retry", 0.08), ("rehandle", 0.08)),
    *(("suspended", 0.05), ("judging", 0.02)),
)
_ENDED: Final = (("satisfied", 0.65), ("no_visit", 0.22), ("unreachable", 0.07), ("again", 0.06))
#: From 0 up to these days of age so much of the work is still open, by these paths.
_OPEN: Final = ((0.04, 1.0, (("pending_dispatch", 1.0),)), (1.2, 1.0, _NEW), (3.0, 1.0, _YOUNG), (8.0, 0.85, _YOUNG))
_STILL_OPEN: Final = ((14.0, 0.6, _OLD), (20.0, 0.25, _OLD), (90.0, 0.004, (("suspended", 1.0),)))


def _rows(number: int) -> str:
    """Rows $1 to $2 of so many, as `made`; $3 is now."""
    path = " ".join(
        f"WHEN age < {upto} AND {_share(2)} < {share} THEN {_paths(paths)}"
        for upto, share, paths in _OPEN + _STILL_OPEN
    )
    return f"""
    (SELECT r.*, p.state AS ends, p.closing, p.events,
        CASE p.state WHEN 'answered' THEN interval '0' WHEN 'closed' THEN least(6.0, age * 0.9) * interval '1 day'
        ELSE age * 0.9 * interval '1 day' END AS took
     FROM (SELECT s.*, CASE WHEN {_share(1)} < 0.43 THEN 'answered' {path} ELSE {_paths(_ENDED)} END AS path
        FROM (SELECT n, md5('order ' || n)::uuid AS id, ({number} - n) * {DAYS / number:.12f}::float8 AS age,
            $3::timestamptz - ({number} - n) * {DAYS / number:.12f}::float8 * interval '1 day' AS created_at,
            floor({len(_LEAVES)} * {_share(4)} ^ 1.8)::int AS leaf,
            floor({max(1, number // 3)} * {_share(5)} ^ 1.6)::bigint AS person,
            {_share(6)} < 0.01 AS confidential, {_share(7)} < 0.01 AS nameless
            FROM generate_series($1::bigint, $2::bigint) AS n OFFSET 0) AS s OFFSET 0) AS r
     JOIN made.paths AS p USING (path) OFFSET 0) AS made
    """


_ENDED_AT: Final = "(created_at + took)"
_ARCHIVED: Final = "(ends = 'answered' AND age >= 9 OR ends = 'closed' AND age >= 40)"
_CALL: Final = "('n1-' || (extract(epoch FROM created_at)::bigint - 240) || '.' || n)"
_LEAD: Final = _of_leaf(leaf.lead for leaf in _LEAVES)
_TOPIC: Final = f"""
    CASE {_lot(20, 3)} WHEN 0 THEN {_of_leaf(leaf.zh for leaf in _LEAVES)}
    WHEN 1 THEN {_of_leaf(leaf.keywords.split()[0] for leaf in _LEAVES)}
    ELSE {_of_leaf(leaf.keywords.split()[-1] for leaf in _LEAVES)} END
"""
_REGION: Final = _one([street.zh for street in _STREETS], 21)
_ROAD: Final = f"{_one(WORDS['road_stems'], 22)} || {_one(WORDS['road_ends'], 23)} || (1 + {_lot(24, 400)}) || '号'"
_ESTATE: Final = f"{_one(WORDS['estate_stems'], 25)} || {_one(WORDS['estate_ends'], 26)}"
_SHOP: Final = (
    " || ".join(_one(WORDS["shop_stems"], salt) for salt in (27, 28, 29)) + f" || {_one(WORDS['shop_ends'], 30)}"
)
_SUBJECT: Final = f"""
    CASE WHEN ends = 'answered' THEN '咨询' || {_TOPIC} || {_one(("问题", "政策", "流程", "材料"), 31)}
    ELSE {_ESTATE} || {_TOPIC} || {_one(("问题", "扰民", "投诉", "无人处理", "反复出现"), 31)} END
"""
_DESCRIPTION: Final = f"""
    CASE WHEN ends = 'answered' THEN {_one(WORDS["openers"], 32)} || '，' || {_TOPIC} || {_one(WORDS["questions"], 33)}
        || '，' || {_one(WORDS["questions"], 34)} || '。'
        || CASE WHEN {_share(35)} < 0.3 THEN '单位：' || {_SHOP} ELSE '' END
    ELSE {_one(WORDS["openers"], 32)} || '，' || {_one(WORDS["times"], 33)} || '，' || {_REGION} || {_ROAD} || {_ESTATE}
        || (1 + {_lot(36, 30)}) || '栋' || CASE WHEN {_share(35)} < 0.5 THEN '旁' || {_SHOP} ELSE '' END
        || {_TOPIC} || '，'
        || {_one(WORDS["details"], 37)} || '，' || {_one(WORDS["details"], 38)} || '，' || {_one(WORDS["effects"], 39)}
        || '，' || {_one(WORDS["effects"], 40)} || '。' || {_one(WORDS["wishes"], 41)} END
"""
_NAME: Final = f"{_one(WORDS['surnames'], 42)} || {_one(WORDS['given_names'], 43)}"
_PHONE: Final = (
    f"({_texts(PREFIXES)})[1 + {_lot(44, len(PREFIXES), 'person')}] || lpad({_lot(45, 10**8, 'person')}::text, 8, '0')"
)
_OPERATOR: Final = "CASE {0} WHEN 0 THEN 'limei' WHEN 1 THEN 'wangqiang' ELSE 'agent' || {0} END".format(_lot(46, 200))
#: Who does what, by the role.
_WHO: Final = f"""
    CASE p.role WHEN 'operator' THEN {_OPERATOR} WHEN 'dispatcher' THEN 'fangli' WHEN 'inspector' THEN 'wumin'
    WHEN 'visitor' THEN 'linxia' WHEN 'supervisor' THEN 'sunli' WHEN 'follow_up' THEN 'hexin'
    WHEN 'system' THEN 'system' ELSE p.role || '.' || lower({_LEAD}) END
"""
_HANDLER: Final = (
    f"CASE WHEN {_LEAD} = '{OURS}' AND {_lot(47, 8)} = 0 THEN 'tangjun' ELSE 'handler.' || lower({_LEAD}) END"
)


def _calls(made: str, key: bytes) -> str:
    return f"""
    INSERT INTO calls (id, node, number, number_key, dialed, service, language, queue, arrived_at, queued_at,
        answered_at, left_at, ended_at, wait_ms, wait_from_invite_ms, talk_ms, outcome, ended_by, seat, login, source,
        rank, version)
    SELECT {_CALL}, 'n1', CASE WHEN confidential THEN '' ELSE number END,
        CASE WHEN NOT confidential THEN {_blind(key, "number")} END, '12345', 'general', 'zh', 'general',
        at, at + interval '12 s', at + interval '19 s', at + interval '200 s', at + interval '230 s',
        7000, 19000, 181000, 'answered', 'caller', '1001', {_OPERATOR}, 'both', 3, extract(epoch FROM at)::bigint
    FROM (SELECT *, {_PHONE} AS number, created_at - interval '4 min' AS at FROM {made} OFFSET 0) AS each
    """


def _orders(made: str, key: bytes, zone: str) -> str:
    default_kinds = [leaf.default_kind if leaf.default_kind in _WORK else "help" for leaf in _LEAVES]
    sent = "path NOT IN ('answered', 'pending_dispatch')"
    return f"""
    INSERT INTO orders (id, code, check_code, call_id, state, kind, category, urgency, subject, description, place,
        region, contact_name, callback_number, callback_key, confidential, anonymous, department, created_by,
        created_at, updated_at, version, state_since, handler, follow_up_officer, dispatched_by, replied_by, returns,
        urges, urge_level, contacted_at, visit, closing, due_at, wake_at)
    SELECT id, day || made.check_character(day), lpad({_lot(50, 10000)}::text, 4, '0'), {_CALL},
        CASE WHEN {_ARCHIVED} THEN 'archived' ELSE ends END,
        CASE WHEN ends = 'answered' THEN 'consult' ELSE {_of_leaf(default_kinds)} END,
        {_of_leaf(leaf.code for leaf in _LEAVES)},
        {_of_leaf(leaf.default_urgency for leaf in _LEAVES)}, {_SUBJECT}, {_DESCRIPTION},
        CASE WHEN ends = 'answered' THEN '' ELSE {_REGION} || {_ROAD} || {_ESTATE} END,
        {_one([street.code for street in _STREETS], 21)}, CASE WHEN hidden THEN '' ELSE {_NAME} END,
        CASE WHEN hidden THEN '' ELSE number END, CASE WHEN NOT hidden THEN {_blind(key, "number")} END,
        confidential, nameless, {_LEAD}, {_OPERATOR}, created_at, {_ENDED_AT}, events + {_ARCHIVED}::int, {_ENDED_AT},
        CASE WHEN {sent} THEN {_HANDLER} END, CASE WHEN {sent} AND {_share(51)} < 0.4 THEN 'hexin' END,
        CASE WHEN {sent} THEN 'fangli' END, CASE WHEN closing IS NOT NULL THEN {_HANDLER} END,
        ({_share(52)} < 0.03)::int, ({_share(53)} < 0.2)::int,
        CASE WHEN {_share(53)} < 0.0005 THEN 4 WHEN {_share(53)} < 0.002 THEN 3
            WHEN {_share(53)} < 0.2 THEN 1 ELSE 0 END,
        CASE WHEN {sent} THEN created_at + 0.2 * took END,
        CASE closing WHEN 'satisfied' THEN '{{"resolved": "yes", "result": "satisfied"}}'::jsonb ELSE '{{}}' END,
        closing, NULL, CASE WHEN ends IN ('answered', 'closed') AND NOT {_ARCHIVED} THEN {_archive_at(zone)} END
    FROM (SELECT *, {_PHONE} AS number, confidential OR nameless OR {_share(54)} < 0.3 AS hidden,
        to_char(created_at AT TIME ZONE '{zone}', 'YYMMDD') || lpad((1 + n % 999999)::text, 6, '0') AS day
        FROM {made} OFFSET 0) AS each
    """


def _archive_at(zone: str) -> str:
    """The midnight after the last day of T-ARCHIVE, a moment later."""
    days = "CASE ends WHEN 'answered' THEN 8 ELSE 31 END"
    last = f"(({_ENDED_AT} AT TIME ZONE '{zone}')::date + {days})::timestamp AT TIME ZONE '{zone}'"
    return f"greatest({last}, $3 + interval '1 hour') + interval '1 microsecond'"


def _history(made: str) -> str:
    reply = _one(WORDS["replies"], 60)
    return f"""
    INSERT INTO order_history (order_id, n, at, who, event, from_state, to_state, note, role, given, key)
    SELECT made.id, p.place, created_at + p.share * took + p.days * interval '1 day', {_WHO}, p.event,
        p.from_state, p.to_state, CASE p.event WHEN 'note' THEN {_one(WORDS["effects"], 61)} ELSE '' END, p.role,
        CASE p.event WHEN 'dispatch' THEN jsonb_build_object('lead', {_LEAD})
            WHEN 'assign_handler' THEN jsonb_build_object('handler', {_HANDLER})
            WHEN 'propose_reply' THEN jsonb_build_object('result', 'resolved', 'reply', {reply})
            WHEN 'reply' THEN jsonb_build_object('result', 'resolved', 'reply', {reply})
            WHEN 'visit_satisfied' THEN '{{"contacted": "yes", "resolved": "yes", "satisfied_result": "satisfied"}}'
            ELSE '{{}}' END,
        CASE WHEN p.role <> 'system' THEN md5('key ' || made.n || ' ' || p.place)::uuid END
    FROM {made} JOIN made.events AS p USING (path)
    WHERE p.event <> 'archive' OR {_ARCHIVED}
    """


def _clocks(made: str, zone: str) -> str:
    """Clocks of what is over; those of open orders are the service's own."""
    return f"""
    INSERT INTO order_clocks (order_id, n, name, policy, value, unit, started_at, due_at, first_due_at, ended_at,
        reminded)
    SELECT id, c.place, c.name, c.policy, c.value, c.unit, created_at + c.share * took,
        CASE c.name WHEN 'T-ARCHIVE' THEN {_archive_at(zone)} - interval '1 microsecond' ELSE created_at + took END,
        created_at + took,
        CASE WHEN c.name <> 'T-ARCHIVE' THEN created_at + c.until * took WHEN {_ARCHIVED} THEN created_at + took
        + interval '31 days' END, c.reminded
    FROM {made} JOIN (VALUES
        ('answered', 1, 'T-ARCHIVE', 'T-ARCHIVE-answered', 7, 'day', 1, 1, 0),
        ('closed', 1, 'T-DISPATCH', 'T-DISPATCH', 30, 'minute', 0, 0.01, 0),
        ('closed', 2, 'T-SIGN', 'T-SIGN', 1, 'working_day', 0.01, 0.1, 0),
        ('closed', 3, 'T-REPLY', 'T-REPLY-complaint', 5, 'working_day', 0.01, 0.65, 50),
        ('closed', 4, 'T-ARCHIVE', 'T-ARCHIVE', 30, 'day', 1, 1, 0)
    ) AS c (ends, place, name, policy, value, unit, share, until, reminded) USING (ends)
    """


def _others(made: str) -> tuple[str, str]:
    """A co-unit of every twentieth order, a text that was sent for each that was dispatched."""
    return (
        f"""
        INSERT INTO order_co_units (order_id, created_at, unit, state)
        SELECT id, created_at, {_of_leaf(_LEAVES[(n * 7 + 1) % len(_LEAVES)].lead for n in range(len(_LEAVES)))},
            CASE WHEN closing IS NULL THEN 'attending' ELSE 'done' END
        FROM {made} WHERE path NOT IN ('answered', 'pending_dispatch') AND {_share(70)} < 0.05
        """,
        f"""
        INSERT INTO order_notices (order_id, n, recipient, template, facts, created_at, due_at, tries, sent_at, channel,
            language, text, template_version)
        SELECT id, 2, 'citizen', 'dispatched', jsonb_build_object('unit', {_LEAD}), created_at, created_at, 1,
            created_at, 'sms', 'zh', '您的诉求已派往承办单位办理，请留意回访电话。', 0
        FROM {made} WHERE path NOT IN ('answered', 'pending_dispatch')
        """,
    )


def _blind(key: bytes, number: str) -> str:
    """The service's blind index (calls/numbers.py) of a number of digits: HMAC-SHA256, RFC 2104."""
    assert len(key) <= 64, "a longer key would have to be hashed first"
    inner, outer = (bytes(byte ^ pad for byte in key.ljust(64, b"\0")).hex() for pad in (0x36, 0x5C))
    return f"sha256('\\x{outer}'::bytea || sha256('\\x{inner}'::bytea || convert_to({number}, 'UTF8')))"


_MADE: Final = """
CREATE SCHEMA made;
CREATE TABLE made.paths (path text PRIMARY KEY, state text, closing text, events int);
CREATE TABLE made.events (path text, place int, event text, from_state text, to_state text, role text, share float8,
    days int);
CREATE FUNCTION made.check_character(body text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    product integer := 36;
BEGIN
    FOR i IN 1 .. length(body) LOOP
        product := (product + ascii(substr(body, i, 1)) - 48) % 36;
        IF product = 0 THEN product := 36; END IF;
        product := product * 2 % 37;
    END LOOP;
    RETURN substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ', (37 - product) % 36 + 1, 1);
END $$;
"""


# --- the making -------------------------------------------------------------------------------------------------------


async def make(url: str, number: int, key: bytes, zone: ZoneInfo, now: datetime, at_once: int = 2) -> list[Figure]:
    """Fill an empty, migrated database with so many orders; how long each part took.

    Args:
        url: of the database, as a superuser of it: triggers and foreign keys are not asked meanwhile.
        key: of the blind index.
        at_once: statements that run at the same time.
    """
    figures: list[Figure] = []
    began = since = time.monotonic()

    def took(what: str) -> None:
        nonlocal since
        figures.append(Figure(what, f"{time.monotonic() - since:,.1f} s"))
        since = time.monotonic()

    hands = [await asyncpg.connect(url, server_settings={"timezone": "UTC", "jit": "off"}) for _ in range(at_once)]
    try:
        for hand in hands:
            await hand.execute("SET session_replication_role = replica; SET synchronous_commit = off")
            await hand.execute("SET maintenance_work_mem = '1GB'; SET max_parallel_maintenance_workers = 1")
        head = hands[0]
        await head.execute(_MADE)
        await _tell_paths(head)
        indexes = await _drop_indexes(head)
        made = _rows(number)
        for what, statements in {
            "calls": (_calls(made, key),),
            "orders": (_orders(made, key, zone.key),),
            "history": (_history(made),),
            "clocks, co-units, notices": (_clocks(made, zone.key), *_others(made)),
        }.items():
            await _in_pieces(hands, statements, number, now)
            took(what)
        await head.execute("SELECT setval('order_numbers', $1)", number % 999_999 + 1)
        opened = await _start_clocks(url, head, zone, now)
        took(f"clocks of {opened:,} open orders")
        await head.execute(
            "INSERT INTO order_texts SELECT id, created_at, order_text(subject, description, place) FROM orders"
        )
        took("words")
        await _side_by_side(hands, indexes)
        took("indexes")
        await head.execute("DROP SCHEMA made CASCADE")
        await _side_by_side(hands, [f"VACUUM (FREEZE, ANALYZE) {table}" for table in TABLES])
        await head.execute("CHECKPOINT")
        took("vacuum and statistics")
        figures.append(Figure("all", f"{time.monotonic() - began:,.1f} s"))
        return figures + await _sizes(head)
    finally:
        for hand in hands:
            await hand.close()


async def _tell_paths(head: Any) -> None:
    ends = [(name, state, closing, len(events)) for name, (state, events, closing) in PATHS.items()]
    await head.executemany("INSERT INTO made.paths VALUES ($1, $2, $3, $4)", ends)
    rows = [
        (name, n, event, before, after, role, share, 0)
        for name, (_, events, _) in PATHS.items()
        for n, (event, before, after, role, share) in enumerate(events, start=1)
    ]
    rows += [
        (name, len(events) + 1, "archive", state, "archived", "system", 1.0, 8 if state == "answered" else 31)
        for name, (state, events, _) in PATHS.items()
        if state in ("answered", "closed")
    ]
    await head.executemany("INSERT INTO made.events VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", rows)


async def _drop_indexes(head: Any) -> list[str]:
    """Drop what is cheaper to build at the end; the statements that make it again."""
    plain = await head.fetch(
        """
        SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made FROM pg_index
        WHERE indrelid::regclass::text = ANY($1) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
        ORDER BY pg_get_indexdef(indexrelid) LIKE '% USING gin %' DESC
        """,
        list(TABLES),
    )
    keys = await head.fetch(
        """
        SELECT conrelid::regclass::text AS name, conname, pg_get_constraintdef(oid) AS made FROM pg_constraint
        WHERE contype = 'p' AND conrelid::regclass::text = ANY($1)
        """,
        ["order_history", "order_clocks", "order_texts"],
    )
    for row in plain:
        await head.execute(f"DROP INDEX {row['name']}")
    for row in keys:
        await head.execute(f"ALTER TABLE {row['name']} DROP CONSTRAINT {row['conname']}")
    added = [f"ALTER TABLE {row['name']} ADD CONSTRAINT {row['conname']} {row['made']}" for row in keys]
    return [*(row["made"] for row in plain), *added]


async def _in_pieces(hands: Sequence[Any], statements: Sequence[str], number: int, now: datetime) -> None:
    """Run statements over all rows, piece by piece, several at once; every piece is in its place in the tables."""
    pieces = iter(range(1, number + 1, ROWS))

    async def work(hand: Any) -> None:
        prepared = [await hand.prepare(statement) for statement in statements]
        for first in pieces:
            for each in prepared:
                await each.fetch(first, min(number, first + ROWS - 1), now)

    await asyncio.gather(*(work(hand) for hand in hands))


async def _side_by_side(hands: Sequence[Any], statements: Iterable[str]) -> None:
    waiting = iter(list(statements))

    async def work(hand: Any) -> None:
        for statement in waiting:
            await hand.execute(statement)

    await asyncio.gather(*(work(hand) for hand in hands))


async def _start_clocks(url: str, head: Any, zone: ZoneInfo, now: datetime) -> int:
    """The clocks of open orders, started where they stand, with what has come due told already."""
    engine = make_engine(url)
    async with engine.connect() as connection:
        rules = await Policies(zone).newest(connection)
    await engine.dispose()
    found = await head.fetch(
        "SELECT id, state, kind, urgency, category, created_at, updated_at FROM orders WHERE state = ANY($1)",
        list(_CLOCKS),
    )
    clocks: list[dict[str, Any]] = []
    moments = []
    for row in found:
        order = _standing(row, zone, now.astimezone(zone), rules)
        clocks += clock_rows(row["id"], (), order.clocks)
        moments.append((row["id"], deadlines.due_at(order), deadlines.wake_at(order, rules), order.state_since))
    if clocks:
        columns = [name for name in clocks[0] if name != "pauses"]
        rows = [tuple(row[name] for name in columns) for row in clocks]
        await head.copy_records_to_table("order_clocks", columns=columns, records=rows)
    await head.execute("CREATE TABLE made.moments (id uuid, due timestamptz, wake timestamptz, since timestamptz)")
    await head.copy_records_to_table("moments", schema_name="made", records=moments)
    await head.execute(
        "UPDATE orders SET due_at = due, wake_at = wake, state_since = since FROM made.moments m WHERE m.id = orders.id"
    )
    return len(found)


def _standing(row: Any, zone: ZoneInfo, now: datetime, rules: Rules) -> Order:
    """An open order with its clocks as they stand now."""
    state, kind = State(row["state"]), row["kind"]
    began, since = row["created_at"].astimezone(zone), row["updated_at"].astimezone(zone)
    work = state in (State.DISPATCHED, State.RETURN_REVIEW, State.DISPUTED, State.IN_PROGRESS, State.SUSPENDED)
    order = Order("", state, kind, mode_of(kind), row["urgency"], began, since, row["category"], policy=rules.version)
    given = {"review_day": (now + timedelta(days=20)).date().isoformat()}
    for word in _CLOCKS[state]:
        at = began if work and word != "pause" else since
        order = turn(order, (word,), given, at, rules)
    # What came due long ago was told then.
    return replace(order, clocks=tuple(_told(clock, now, rules) for clock in order.clocks))


def _told(clock: Clock, now: datetime, rules: Rules) -> Clock:
    while (at := next_at(clock, rules)) is not None and at <= now and (stage := next_stage(clock, rules)) is not None:
        clock = told(clock, stage)
    return clock


async def _sizes(head: Any) -> list[Figure]:
    rows = await head.fetch(
        """
        SELECT relname, reltuples::bigint AS n, pg_table_size(oid) AS heap, pg_indexes_size(oid) AS indexes
        FROM pg_class WHERE relname = ANY($1) ORDER BY pg_total_relation_size(oid) DESC
        """,
        list(TABLES),
    )
    sizes = [
        Figure(
            row["relname"],
            f"{row['n']:,} rows, {row['heap'] / 1e9:.2f} GB and {row['indexes'] / 1e9:.2f} GB of indexes",
        )
        for row in rows
    ]
    whole = await head.fetchval("SELECT pg_database_size(current_database())")
    words = await head.fetchval("SELECT pg_relation_size('ix_order_texts_words')")
    return [*sizes, Figure("index of words", f"{words / 1e9:.2f} GB"), Figure("database", f"{whole / 1e9:.1f} GB")]
