"""Notices of orders: words, the sender beside others and after a kill, hours of quiet, and who is told nothing."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from office import Office
from sqlalchemy import RowMapping, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from stack import PATIENCE
from test_order_api import act, show
from test_order_moves import DISPATCHER, LIAISON, START, ZONE, policies, rows, saved
from test_order_moves import act as cause
from test_orders_desk import login_of, order, ring

from callcenter.alarms.webhook import signature
from callcenter.notices.flow import (
    ALLOWED,
    SAMPLE,
    TEMPLATES,
    Hours,
    Matter,
    faults_of,
    filled,
    length_of,
    moment_words,
    names_in,
)
from callcenter.notices.gateway import FileGateway, Message, Never, NotNow, Outcome, WebhookGateway
from callcenter.notices.queries import untold
from callcenter.notices.send import LEASE, Sender
from callcenter.store import tables
from callcenter.workorders.deadlines import KINDS
from callcenter.workorders.flow import TABLE
from callcenter.workorders.policies import Policies

__all__ = ["policies"]
NOON = START.replace(hour=12)
HOURS = Hours.parse("08:00-21:00")
LINK = "https://12345.example/progress"


class Taken:
    """A gateway in memory that takes a key once, and fails as long as it is told to."""

    def __init__(self, *failures: NotNow | Never) -> None:
        self.messages: list[Message] = []
        self.failures = list(failures)

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        return [self._take(each) for each in messages]

    def _take(self, message: Message) -> Outcome:
        if self.failures:
            return self.failures.pop(0)
        if message.key not in {each.key for each in self.messages}:
            self.messages.append(message)
        return None

    def to(self, address: str) -> list[Message]:
        return [each for each in self.messages if each.to == address]


def sender(engine: AsyncEngine, gateway: Any, at: datetime = NOON, hours: Hours = HOURS) -> Sender:
    return Sender(engine, gateway, ZONE, hours, LINK, lambda: at)


async def send_all(sender: Sender) -> None:
    while await sender.send():
        pass


async def notices(engine: AsyncEngine, code: str) -> Sequence[RowMapping]:
    return await rows(engine, tables.order_notices, code, tables.order_notices.c.id)


# --- words ------------------------------------------------------------------------------------------------------------


def test_every_notice_of_the_tables_has_its_words() -> None:
    told = {notice for row in TABLE.values() for notice in row.notices}
    told |= {f"{kind.whose}:{word}" for kind in KINDS.values() if kind.whose for word in ("time_runs",) if kind.remind}
    told |= {f"{kind.whose}:time_is_over" for kind in KINDS.values() if kind.whose and not kind.then}
    told |= {"lead:due_moved", "dispatcher:master_gone", "co_unit:new_order"}
    wanted = {
        f"{'citizen' if to == 'citizen' else 'staff'}.{word}" for to, _, word in (each.partition(":") for each in told)
    }
    assert wanted - TEMPLATES.keys() == set()


def test_the_releases_own_words_can_be_used_and_are_short() -> None:
    for template in TEMPLATES.values():
        for language in ("zh", "en"):
            assert faults_of(template.audience, template.text(language)) == ""
            reads = filled(template, SAMPLE, language, ZONE)
            assert "{" not in reads and "—" not in reads, template.code
            if template.audience == "citizen":
                assert length_of(reads).parts <= 3, (template.code, reads)
    first = [TEMPLATES[f"citizen.{name}"] for name in ("received", "accepted", "not_accepted", "handed_over", "answer")]
    assert all("check" in names_in([each.zh]) & names_in([each.en]) for each in first)
    assert "check" not in ALLOWED["staff"]


@pytest.mark.parametrize(
    "words",
    [
        "",
        "  ",
        "{phone}",
        "{contact_name}",
        "{code",
        "code}",
        "{{code}}",
        "{code!r}",
        "{0}",
        "a\nb",
        "a\u202eb",
        "x" * 501,
    ],
)
def test_templates_that_could_tell_too_much_are_refused(words: str) -> None:
    assert faults_of("citizen", words)


def test_staff_templates_cannot_tell_the_check_code() -> None:
    assert faults_of("staff", "{check}") and not faults_of("citizen", "{check}")


def test_of_a_confidential_order_neither_unit_nor_words_are_told() -> None:
    facts = {**SAMPLE.facts, "reason": "举报人王女士"}
    matter = Matter(SAMPLE.code, SAMPLE.check, SAMPLE.kind, SAMPLE.urgency, True, LINK, facts)
    for template in TEMPLATES.values():
        for language in ("zh", "en"):
            reads = filled(template, matter, language, ZONE)
            assert "王女士" not in reads and "核实" not in reads
            assert template.audience == "staff" or ("城市管理" not in reads and "Urban" not in reads), reads


def test_what_people_typed_cannot_do_anything() -> None:
    evil = "{check} 13812345678 \u202e\n<b>" + "长" * 300
    matter = Matter("C", "1234", "complaint", "U3", False, LINK, {"reason": evil, "due": "2026-09-20T16:00:00Z"})
    reads = filled(TEMPLATES["citizen.extended"], matter, "zh", ZONE)
    assert "13812345678" not in reads and "1234 " not in reads and "\u202e" not in reads and "\n" not in reads
    assert "{check}" in reads, "what is filled in is not filled again"
    assert len(reads) < 130 and "延至9月20日" in reads


def test_a_limit_that_ends_at_midnight_ends_with_the_day_before() -> None:
    assert moment_words(datetime(2026, 10, 1, tzinfo=ZONE), "zh") == "9月30日"
    assert moment_words(datetime(2026, 9, 30, 18, 30, tzinfo=ZONE), "en") == "30 Sept 18:30"


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        *(("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("[" * 80, 1), ("[" * 81, 2)),
        *(("字" * 70, 1), ("字" * 71, 2), ("字" * 134, 2), ("字" * 135, 3), ("😀" * 35, 1), ("😀" * 36, 2)),
    ],
)
def test_the_length_of_a_text_is_counted_as_telephones_do(words: str, parts: int) -> None:
    assert length_of(words) == (len(words), parts)


@pytest.mark.parametrize(
    ("hours", "at", "opens"),
    [
        ("08:00-21:00", "2026-09-14T07:59", "2026-09-14T08:00"),
        ("08:00-21:00", "2026-09-14T08:00", "2026-09-14T08:00"),
        ("08:00-21:00", "2026-09-14T21:00", "2026-09-15T08:00"),
        ("08:00-21:00", "2026-12-31T23:30", "2027-01-01T08:00"),
        ("20:00-06:00", "2026-09-14T03:00", "2026-09-14T03:00"),
        ("20:00-06:00", "2026-09-14T06:00", "2026-09-14T20:00"),
        ("00:00-00:00", "2026-09-14T03:00", "2026-09-14T03:00"),
    ],
)
def test_hours_of_quiet(hours: str, at: str, opens: str) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=ZONE)
    assert Hours.parse(hours).next(moment).isoformat()[:16] == opens


# --- the sender -------------------------------------------------------------------------------------------------------


async def test_citizen_and_unit_are_told_and_what_was_said_is_kept(engine: AsyncEngine, policies: Policies) -> None:
    (code,) = await saved(engine, policies)
    await cause(engine, policies, code, "dispatch", DISPATCHER, lead="D29", co_units=["D13"])
    gateway = Taken()
    await send_all(sender(engine, gateway))
    (order_row,) = await rows(engine, tables.orders, code)
    accepted, dispatched = gateway.to("13812345678")
    assert code in accepted.text and order_row["check_code"] in accepted.text and LINK in accepted.text
    assert (
        "9月21日" not in accepted.text and "9月" in dispatched.text and order_row["check_code"] not in dispatched.text
    )
    assert (accepted.channel, accepted.language) == ("sms", "zh")
    assert [each.channel for each in gateway.to("unit:D29") + gateway.to("unit:D13")] == ["office", "office"]
    kept = await notices(engine, code)
    assert all(row["sent_at"] == NOON and row["error"] == "" for row in kept)
    assert kept[0]["address"] == "138****5678" and "****" in kept[0]["text"]
    assert order_row["check_code"] not in kept[0]["text"], "what is kept opens no door"
    assert "13812345678" not in json.dumps([dict(row) for row in kept], default=str, ensure_ascii=False)
    await send_all(sender(engine, gateway, NOON + timedelta(days=1)))
    assert len(gateway.messages) == 4


async def test_whoever_called_in_english_is_told_in_english(engine: AsyncEngine, policies: Policies) -> None:
    call = {
        "id": "n1-1.1",
        "node": "n1",
        "arrived_at": START,
        "language": "en",
        "source": "line",
        "rank": 0,
        "version": 1,
    }
    async with engine.begin() as connection:
        await connection.execute(insert(tables.calls).values(call))
    await saved(engine, policies)
    gateway = Taken()
    await send_all(sender(engine, gateway))
    assert gateway.messages[0].text.startswith("12345: your request is accepted")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"callback_number": "", "callback_key": None}, "no_number"),
        ({"callback_number": "0755-83788111"}, "no_mobile"),
        ({"callback_number": "+44 20 7946 0000"}, "no_mobile"),
        ({"anonymous": True}, "anonymous"),
        ({"callback_key": b"wants none"}, "opted_out"),
    ],
)
async def test_who_cannot_or_will_not_be_told_is_left_out(
    engine: AsyncEngine, policies: Policies, change: dict[str, Any], why: str
) -> None:
    (code,) = await saved(engine, policies)
    async with engine.begin() as connection:
        await connection.execute(update(tables.orders).values(change))
        await connection.execute(insert(tables.notice_optouts).values(number_key=b"wants none", by="limei", at=NOON))
    gateway = Taken()
    await send_all(sender(engine, gateway))
    assert gateway.messages == []
    (row,) = await notices(engine, code)
    assert (row["error"], row["given_up_at"], row["sent_at"], row["text"]) == (why, NOON, None, "")


async def test_the_number_of_the_call_serves_when_none_was_given(engine: AsyncEngine, policies: Policies) -> None:
    call = {"id": "n1-1.1", "node": "n1", "number": "+8613900001111", "arrived_at": START, "source": "line"}
    async with engine.begin() as connection:
        await connection.execute(insert(tables.calls).values(call | {"rank": 0, "version": 1}))
    await saved(engine, policies)
    async with engine.begin() as connection:
        await connection.execute(update(tables.orders).values(callback_number="", callback_key=None))
    gateway = Taken()
    await send_all(sender(engine, gateway))
    assert [each.to for each in gateway.messages] == ["13900001111"]


async def test_nobody_is_woken_but_who_has_just_called(engine: AsyncEngine, policies: Policies) -> None:
    night = START.replace(hour=23)
    (code,) = await saved(engine, policies, at=night)
    await cause(engine, policies, code, "dispatch", DISPATCHER, night, lead="D29")
    gateway = Taken()
    await send_all(sender(engine, gateway, night))
    assert [each.to for each in gateway.messages] == ["13812345678", "unit:D29"]
    waits = (await notices(engine, code))[1]
    assert (waits["due_at"], waits["tries"], waits["sent_at"]) == (START.replace(day=15, hour=8), 0, None)
    await send_all(sender(engine, gateway, START.replace(day=15, hour=8)))
    assert len(gateway.to("13812345678")) == 2


async def test_what_fails_is_tried_again_ever_later_then_given_up(engine: AsyncEngine, policies: Policies) -> None:
    (code,) = await saved(engine, policies)
    gateway, at, waits = Taken(*[NotNow("answered 503")] * 20), NOON, []
    for _ in range(9):
        await sender(engine, gateway, at).send()
        (row,) = await notices(engine, code)
        waits.append((row["due_at"] - at).total_seconds())
        at = row["due_at"]
    assert waits[:4] == [5, 30, 120, 600] and waits[:-1] == sorted(waits[:-1])
    assert (row["error"], row["tries"]) == ("answered 503", 9) and row["given_up_at"] is not None
    assert await sender(engine, gateway, at + timedelta(days=2)).send() == 0


async def test_what_the_gateway_will_never_take_is_given_up_at_once(engine: AsyncEngine, policies: Policies) -> None:
    (code,) = await saved(engine, policies)
    await sender(engine, Taken(Never("answered 422"))).send()
    (row,) = await notices(engine, code)
    assert (row["error"], row["given_up_at"], row["tries"]) == ("answered 422", NOON, 1)
    # An alarm for a day, unless it is sent again.
    async with engine.connect() as connection:
        assert [await untold(connection, NOON - timedelta(hours=hours)) for hours in (24, 0)] == [1, 1]
        assert await untold(connection, NOON + timedelta(seconds=1)) == 0


async def test_one_that_breaks_does_not_hold_up_the_others(engine: AsyncEngine, policies: Policies) -> None:
    bad, good = [(await saved(engine, policies))[0] for _ in range(2)]
    order_id = select(tables.orders.c.id).where(tables.orders.c.code == bad).scalar_subquery()
    worse = update(tables.order_notices).where(tables.order_notices.c.order_id == order_id)
    async with engine.begin() as connection:
        await connection.execute(worse.values(template="dispatched", facts={"due": "no moment"}))
    gateway = Taken()
    await sender(engine, gateway).send()
    assert [good in each.text for each in gateway.messages] == [True]
    (row,) = await notices(engine, bad)
    assert (row["error"], row["tries"], row["due_at"]) == ("ValueError", 1, NOON + timedelta(seconds=5))


async def test_old_news_is_not_told(engine: AsyncEngine, policies: Policies) -> None:
    (code,) = await saved(engine, policies)
    gateway = Taken()
    await send_all(sender(engine, gateway, START + timedelta(days=4)))
    assert gateway.messages == []
    assert (await notices(engine, code))[0]["error"] == "too_old"


SENDER = """
import asyncio, os, sys
from datetime import datetime
from pathlib import Path
from callcenter.notices.flow import Hours
from callcenter.notices.gateway import FileGateway
from callcenter.notices.send import Sender
from callcenter.store.engine import make_engine
from zoneinfo import ZoneInfo

class Deadly(FileGateway):
    "Dies when a batch is safe and nobody has written that down."
    left = int(sys.argv[3])
    async def send(self, messages):
        outcomes = await super().send(messages)
        self.left -= 1
        if self.left == 0:
            print("handed over", flush=True)
            await asyncio.sleep(60)
        return outcomes

async def main():
    engine = make_engine(sys.argv[1])
    at = datetime.fromisoformat(sys.argv[4])
    gateway = Deadly(Path(sys.argv[2]))
    sender = Sender(engine, gateway, ZoneInfo("Asia/Shanghai"), Hours.parse("08:00-21:00"), "", lambda: at)
    while await sender.send():
        pass
    print("done", flush=True)

asyncio.run(main())
"""


async def test_two_senders_and_a_kill_tell_everybody_exactly_once(
    engine: AsyncEngine, policies: Policies, database_url: str, tmp_path: Path
) -> None:
    """Killed between handing over and writing down; then a line is torn as by a power cut; then others go on."""
    codes = await saved(engine, policies, count=60)
    file = tmp_path / "notices.jsonl"
    first = await _start(database_url, file, 2, NOON)
    assert await _line(first) == b"handed over\n"
    second = await _start(database_url, file, 0, NOON)
    first.send_signal(signal.SIGKILL)
    await first.wait()
    assert await _line(second) == b"done\n"
    await second.wait()
    unsent = select(tables.order_notices.c.id).where(tables.order_notices.c.sent_at.is_(None))
    async with engine.connect() as connection:
        left = len((await connection.execute(unsent)).all())
    assert left >= 1, "what the dead one had taken is nobody's until its time is over"
    with file.open("ab") as torn:
        torn.write(b'{"key": "to')
    two = [await _start(database_url, file, 0, NOON + LEASE + timedelta(seconds=1)) for _ in range(2)]
    for process in two:
        assert await _line(process) == b"done\n"
        await process.wait()
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    told = [code for line in lines for code in codes if code in line["text"]]
    assert sorted(told) == sorted(codes), "each once"
    async with engine.connect() as connection:
        assert (await connection.execute(unsent)).all() == []


async def _start(url: str, file: Path, dies_after: int, at: datetime) -> asyncio.subprocess.Process:
    words = (sys.executable, "-c", SENDER, url, str(file), str(dies_after), at.astimezone(UTC).isoformat())
    return await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    return await asyncio.wait_for(process.stdout.readline(), 4 * PATIENCE)


# --- gateways ---------------------------------------------------------------------------------------------------------

MESSAGE = Message("order-7", "sms", "13812345678", "您好", "zh")


async def test_the_file_takes_a_key_once_whoever_writes(tmp_path: Path) -> None:
    file = tmp_path / "notices.jsonl"
    one, other = FileGateway(file), FileGateway(file)
    await asyncio.gather(*(gateway.send([MESSAGE]) for gateway in (one, other, one, other)))
    later = MESSAGE._replace(key="order-8")
    assert await other.send([later, MESSAGE, later]) == [None, None, None]
    assert [json.loads(line)["key"] for line in file.read_text().splitlines()] == ["order-7", "order-8"]
    assert file.stat().st_mode & 0o777 == 0o600
    (why_not,) = await FileGateway(tmp_path / "missing" / "x").send([MESSAGE])
    assert isinstance(why_not, NotNow)


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[str, list[Any]]]:
    heard: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        heard.append((dict(request.headers), await request.read()))
        return web.Response(status=int(request.query["status"]))

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/?status=", heard
    await runner.cleanup()


async def test_the_webhook_is_signed_and_says_what_a_refusal_means(receiver: tuple[str, list[Any]]) -> None:
    url, heard = receiver
    assert await WebhookGateway(f"{url}200", b"secret").send([MESSAGE]) == [None]
    headers, body = heard[0]
    assert json.loads(body) == MESSAGE._asdict()
    assert headers["Idempotency-Key"] == "order-7"
    assert headers["X-Callcenter-Signature"] == signature(b"secret", headers["X-Callcenter-Timestamp"], body)
    refused = {301: NotNow, 422: Never, 429: NotNow, 500: NotNow, 503: NotNow}
    for status, what in refused.items():
        (why_not,) = await WebhookGateway(f"{url}{status}", b"secret").send([MESSAGE])
        assert type(why_not) is what
    nobody = await WebhookGateway("http://127.0.0.1:1/", b"secret").send([MESSAGE, MESSAGE])
    assert [type(each) for each in nobody] == [NotNow, NotNow]


# --- over HTTP --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def code(office: Office) -> str:
    agent = await office.logged_in("operator")
    made = await agent.ask("POST", f"/api/v1/calls/{ring(office, login_of(office))}/order", order())
    return str(made[1]["code"])


async def told(office: Office, code: str, state: str = "sent") -> list[Any]:
    """The notices of an order, once all are in this state."""
    boss = await office.logged_in("supervisor")
    async with asyncio.timeout(PATIENCE):
        while True:
            status, found = await boss.ask("GET", f"/api/v1/orders/{code}/notices")
            assert status == 200
            if found["items"] and all(each["state"] == state for each in found["items"]):
                return list(found["items"])
            await asyncio.sleep(0.2)


async def test_the_service_sends_and_staff_see_what_was_sent(office: Office, code: str) -> None:
    (accepted,) = await told(office, code)
    assert (accepted["template"], accepted["zh"], accepted["n"]) == ("citizen.accepted", "已受理", 1)
    assert accepted["address"] == "138****5678" and "****" in accepted["text"] and code in accepted["text"]
    lines = (office.settings.home / "notices.jsonl").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if code in line]) == 1
    liaison = await office.logged_in("liaison")
    assert (await liaison.ask("GET", f"/api/v1/orders/{code}/notices"))[0] == 404
    assert (await liaison.ask("GET", "/api/v1/notice-templates"))[0] == 403


async def test_a_failed_one_is_listed_and_sent_again_on_record(office: Office, code: str) -> None:
    await told(office, code)
    failed = {"sent_at": None, "given_up_at": datetime.now(UTC), "error": "answered 422"}
    order_id = select(tables.orders.c.id).where(tables.orders.c.code == code).scalar_subquery()
    async with office.engine.begin() as connection:
        await connection.execute(
            update(tables.order_notices).where(tables.order_notices.c.order_id == order_id).values(failed)
        )
    boss = await office.logged_in("supervisor")
    status, page = await boss.ask("GET", "/api/v1/order-notices/failed")
    (mine,) = [each for each in page["items"] if each["code"] == code]
    assert (status, mine["state"], mine["error"]) == (200, "failed", "answered 422")
    assert (await boss.ask("POST", f"/api/v1/order-notices/{mine['id']}/resend"))[0] == 204
    (again,) = await told(office, code)
    assert again["error"] == ""
    assert (await boss.ask("POST", f"/api/v1/order-notices/{mine['id']}/resend"))[0] == 409
    async with office.engine.connect() as connection:
        kept = select(tables.audit.c.what).where(tables.audit.c.act == "resend_notice")
        assert {"code": code, "notice": mine["id"]} in list(await connection.scalars(kept))


async def test_whoever_wants_no_texts_gets_none_on_any_order(office: Office, code: str) -> None:
    await told(office, code)
    agent = await office.logged_in("operator")
    assert (await agent.ask("PUT", f"/api/v1/orders/{code}/notices/opt-out", {"out": True}))[0] == 204
    try:
        dispatcher = await office.logged_in("dispatcher")
        await act(dispatcher, code, "dispatch", given={"lead": "D29"})
        async with asyncio.timeout(PATIENCE):
            while True:
                found = (await agent.ask("GET", f"/api/v1/orders/{code}/notices"))[1]
                states = {each["template"]: (each["state"], each["error"]) for each in found["items"]}
                if states.get("citizen.dispatched", ("waiting",))[0] != "waiting":
                    break
                await asyncio.sleep(0.2)
        assert found["opted_out"] is True
        assert states["citizen.dispatched"] == ("skipped", "opted_out")
    finally:
        assert (await agent.ask("PUT", f"/api/v1/orders/{code}/notices/opt-out", {"out": False}))[0] == 204
    async with office.engine.connect() as connection:
        key = await connection.scalar(select(tables.orders.c.callback_key).where(tables.orders.c.code == code))
        assert (
            await connection.scalar(select(tables.notice_optouts.c.by).where(tables.notice_optouts.c.number_key == key))
            is None
        )


async def test_templates_are_changed_by_versions(office: Office) -> None:
    boss = await office.logged_in("supervisor")
    url = "/api/v1/notice-templates/citizen.thanks"
    listed = {each["code"]: each for each in (await boss.ask("GET", "/api/v1/notice-templates"))[1]["items"]}
    assert listed.keys() == TEMPLATES.keys()
    assert listed["citizen.thanks"]["version"] == 0 and listed["citizen.thanks"]["preview"]["zh"]["parts"] >= 1
    texts = {"zh": "【12345】谢谢！{code}", "en": "12345: thanks! {code}"}
    status, shown = await boss.ask("POST", f"{url}/preview", texts | {"en": "{phone}"})
    assert (status, shown["zh"]["text"], shown["en"]) == (200, "【12345】谢谢！260914000001K", None)
    assert "phone" in shown["faults"]["en"]
    assert (await boss.ask("PUT", url, texts | {"en": "{phone}", "after": 0}))[0] == 422
    status, made = await boss.ask("PUT", url, texts | {"after": 0})
    assert (status, made["version"], made["zh"]) == (200, 1, texts["zh"])
    assert (await boss.ask("PUT", url, texts | {"after": 0}))[1]["error"]["code"] == "stale_version"
    back = {"zh": TEMPLATES["citizen.thanks"].zh, "en": TEMPLATES["citizen.thanks"].en, "after": 1}
    assert (await boss.ask("PUT", url, back))[1]["version"] == 2
    versions = (await boss.ask("GET", f"{url}/versions"))[1]["items"]
    assert [(each["version"], each["by"]) for each in versions] == [(2, "sunli"), (1, "sunli")]
    assert (await boss.ask("PUT", "/api/v1/notice-templates/citizen.nothing", texts | {"after": 0}))[0] == 404
    with pytest.raises(DBAPIError, match="append-only"):
        async with office.engine.begin() as connection:
            await connection.execute(text("DELETE FROM notice_templates"))


async def test_a_changed_template_is_what_is_sent(engine: AsyncEngine, policies: Policies) -> None:
    (code,) = await saved(engine, policies)
    row = {"code": "citizen.accepted", "version": 1, "zh": "新词{code}", "en": "new {code}", "by": "sunli"}
    async with engine.begin() as connection:
        await connection.execute(insert(tables.notice_templates).values(row))
    await cause(engine, policies, code, "dispatch", DISPATCHER, lead="D29")
    await cause(engine, policies, code, "sign", LIAISON)
    gateway = Taken()
    await send_all(sender(engine, gateway))
    assert gateway.messages[0].text == f"新词{code}"
    assert (await notices(engine, code))[0]["template_version"] == 1


async def test_the_order_of_a_day_is_told_in_its_order(office: Office, code: str) -> None:
    dispatcher, liaison = await office.logged_in("dispatcher"), await office.logged_in("liaison")
    await act(dispatcher, code, "dispatch", given={"lead": "D29"})
    await act(liaison, code, "sign")
    assert (await show(liaison, code))["state"] == "in_progress"
    found = (await liaison.ask("GET", f"/api/v1/orders/{code}/notices"))[1]["items"]
    assert [each["template"] for each in found] == [
        "citizen.accepted",
        "citizen.dispatched",
        "staff.new_order",
        "citizen.signed",
    ]
