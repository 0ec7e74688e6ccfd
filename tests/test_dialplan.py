"""What Asterisk runs: written from data, never stale, taken without a word of complaint, and it does what it says."""

import asyncio
import json
import re
import wave
from dataclasses import replace
from pathlib import Path

import pytest
from exchange import SEATS, Exchange, open_exchange
from rawsip import raw_call

from agents.queues import ENTERED, STANDBY
from agents.supervision import Announce
from dialplan import names
from dialplan.instance import files
from dialplan.manager import manager_conf
from dialplan.record import NOTICE as RECORDING_NOTICE
from dialplan.rooms import rooms
from dialplan.seats import SeatAccount, seats_conf
from dialplan.supervise import supervise
from dialplan.write import CONF, written
from ivr.lines import BY_CODE
from ivr.menu import FAREWELLS, MENU, SUPERVISION_NOTICE, WAITING
from ivr.prompts import JOINED, LANGUAGES, PROMPTS, TONES
from ivr.services import BY_NUMBER, HOTLINE, SERVICES, Service
from ivr.survey import QUESTIONS, THANKS

HOTLINES = Path(__file__).parent.parent / "callcenter" / "directory" / "data" / "hotlines.json"


# --- the text ---------------------------------------------------------------------------------------------------------


def test_the_committed_files_are_not_stale() -> None:
    for name, text in written().items():
        assert (CONF / name).read_text(encoding="utf-8") == text, f"run python -m dialplan.write: {name} is stale"


def test_the_numbers_are_those_of_the_directory() -> None:
    """12345 itself, each line that is merged in parallel (双号并行), and those that are closed; no other rings here."""
    lines = [row for row in json.loads(HOTLINES.read_text()) if row["mode"] in {"unified", "parallel", "merged"}]
    assert {(s.number, s.zh, s.en) for s in SERVICES} == {(row["number"], row["zh"], row["en"]) for row in lines}
    assert len(BY_NUMBER) == len({service.code for service in SERVICES}) == len(SERVICES)
    assert BY_NUMBER[HOTLINE].code == "unified"


def test_every_prompt_is_there_in_both_languages() -> None:
    text = written()["extensions.conf"]
    text = text.replace(f"${{{names.NOTICE}}}", f"&{SUPERVISION_NOTICE}")
    text = re.sub(r"\$\{(MOVED|ANNOUNCED)\}", "", text)
    text = text.replace(f"${{{names.RECORDING_NOTICE}}}", f"&{RECORDING_NOTICE}")
    played = re.findall(r"(?:Background|Playback|Read)\((?:KEY,)?([^),]*)[),]", text)
    said = {name for found in played for name in found.split("&")}
    spoken = {prompt for say in MENU.say for prompt in say.prompts} | {*FAREWELLS.values(), "fault", "goodbye"}
    spoken |= {question.prompt for question in QUESTIONS} | {THANKS}
    spoken |= {f"callback-{name}" for name in ("number", "keep", "type", "refused", "noted", "greeting")}
    assert {part.partition("/")[0] for part in JOINED[WAITING]} == set(LANGUAGES)
    assert said == spoken | {SUPERVISION_NOTICE} | TONES.keys()
    assert said <= PROMPTS.keys() | TONES.keys()
    for language in LANGUAGES:
        for name in PROMPTS:
            with wave.open(str(CONF / "sounds" / language / f"{name}.wav")) as sound:
                assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
                assert 0.1 < sound.getnframes() / 8000 < 15
                assert max(sound.readframes(sound.getnframes())) > 0, "not silence"


def test_no_step_of_a_call_waits_for_us_or_runs_a_program() -> None:
    text = written()["extensions.conf"]
    text = text.replace(f"Dial(PJSIP/${{EXTEN}}@{names.CITIZENS}", "")  # behind patterns that take digits alone
    for word in ("AGI", "System", "CURL", "ODBC", "SHELL", "Exec", "Stasis", "_X", "_.", "${EXTEN}"):
        assert word not in text, word


def test_the_callers_number_is_cleaned_before_anything_else() -> None:
    for line in written()["extensions.conf"].splitlines():
        if re.match(r"exten => \d{5},1,", line):
            assert re.search(r",1,MSet\(.*,CALLERID\(num\)=\$\{FILTER\(0-9\+\*#,", line), line


def test_the_seats_file_holds_no_secret() -> None:
    text = seats_conf([SeatAccount("1001", "a very secret word")])
    assert "secret word" not in text
    assert text.count("password_digest = MD5:") == 2
    assert "[1001](seat-phone)" in text
    assert "[1001w](seat-browser)" in text


def test_the_manager_accounts_have_the_least_rights() -> None:
    text = manager_conf(host="127.0.0.1", port=5038, match=("127.0.0.1/32",), events_secret="e", actions_secret="a")
    rights = re.findall(r"^(?:read|write) = ?(.*)$", text, re.MULTILINE)
    assert rights == ["agent,call,user", "reporting", "", "agent,call,originate,reporting"]
    assert text.count("eventfilter(action(include)") == len(names.HEARD) + 3
    assert re.search(r"^deny = 0.0.0.0/0.0.0.0$", text, re.MULTILINE)


# --- Asterisk ---------------------------------------------------------------------------------------------------------


async def test_asterisk_starts_without_a_word_of_complaint() -> None:
    """It checks all that it loads; what it dislikes it writes into its log."""
    async with open_exchange() as fresh:
        log = (fresh.log / "messages").read_text()
        printed = (fresh.instance.home / "asterisk.out").read_text()
        assert "loader.c" in log
    assert [line for line in log.splitlines() if re.search(r"WARNING|ERROR|CRITICAL", line)] == []
    printed = re.sub(r"Unable to disable core size resource limit: Operation not permitted", "", printed)
    assert not re.search(r"(?i)error|warning|fail|unable", printed), printed


async def test_asterisk_has_loaded_every_module_of_the_list(exchange: Exchange) -> None:
    wanted = set(re.findall(r"^(?:pre)?load = (\S+)$", (CONF / "modules.conf").read_text(), re.MULTILINE))
    shown = await exchange.cli("module show")
    assert wanted == set(re.findall(r"^(\S+\.so) .*Running", shown, re.MULTILINE))


@pytest.mark.parametrize("context", [names.TRUNK_CONTEXT, names.TRY_CONTEXT])
async def test_the_dialplan_answers_exactly_our_numbers(exchange: Exchange, context: str) -> None:
    shown = await exchange.cli(f"dialplan show {context}")
    assert set(re.findall(r"^  '(.*)' =>", shown, re.MULTILINE)) == set(BY_NUMBER)
    assert "Include" not in shown
    assert "Alt. Switch" not in shown


async def test_phones_of_seats_can_dial_the_emergency_numbers_and_nothing_else(exchange: Exchange) -> None:
    shown = await exchange.cli(f"dialplan show {names.SEAT_CONTEXT}")
    assert set(re.findall(r"^  '(.*)' =>", shown, re.MULTILINE)) == {"110", "119", "120", "122"}
    assert "Include" not in shown
    assert "0 extensions" in await exchange.cli(f"dialplan show {names.OUTSIDE_CONTEXT}")


async def test_what_may_be_dialled_for_a_call_is_the_table_of_lines(exchange: Exchange) -> None:
    shown = await exchange.cli("dialplan show target")
    assert set(re.findall(r"^  '(.*)' =>", shown, re.MULTILINE)) == {"s", *BY_CODE}
    assert set(re.findall(r"PJSIP/(\d+)@outside", shown)) == {line.number for line in BY_CODE.values()}


async def test_the_manager_account_can_run_no_program_and_change_no_file(exchange: Exchange) -> None:
    """It may dial: nothing else comes with that right."""
    acting = await exchange.acting()
    local = {"Action": "Originate", "Channel": "Local/s@ask/n", "Async": "true"}
    for action in (
        {**local, "Application": "System", "Data": "true"},
        {**local, "Application": "TrySystem", "Data": "true"},
        {**local, "Application": "Exec", "Data": "System(true)"},
        {**local, "Application": "AGI", "Data": "/bin/true"},
        {**local, "Application": "MixMonitor", "Data": "x.wav,,true"},
        {**local, "Application": "Set", "Data": "X=${SHELL(true)}"},
        {"Action": "Command", "Command": "core show version"},
        {"Action": "UpdateConfig", "SrcFilename": "extensions.conf", "DstFilename": "extensions.conf"},
        {"Action": "GetConfig", "Filename": "manager.conf"},
        {"Action": "ModuleLoad", "LoadType": "load", "Module": "app_system.so"},
        {"Action": "Setvar", "Channel": "x", "Variable": "SHELL(true)", "Value": "x"},
        {"Action": "Getvar", "Variable": "SHELL(true)"},
    ):
        answered = await acting.ask(action)
        assert b"Response: Error" in answered, (action, answered)
    acting.close()


async def test_the_queues_are_those_of_the_data(exchange: Exchange) -> None:
    shown = await exchange.cli("queue show")
    found = dict(re.findall(r"^(\S+) has \d+ calls \(max (\d+)\) in 'leastrecent' strategy", shown, re.MULTILINE))
    assert found == {queue.code: str(queue.most_waiting) for queue in (*ENTERED, STANDBY)}
    assert shown.count("within 15s") == len(ENTERED) + 1


async def test_each_seat_has_two_endpoints_and_the_rest_is_trunk_and_try(exchange: Exchange) -> None:
    shown = await exchange.cli("pjsip show endpoints")
    found = set(re.findall(r"^ Endpoint:  ([^/ ]+)", shown, re.MULTILINE))
    assert found == {*SEATS, *(f"{seat}w" for seat in SEATS), names.TRUNK, names.TRY, names.OUTSIDE, names.CITIZENS}
    assert "anonymous" not in shown
    endpoint = await exchange.cli("pjsip show endpoint 1001")
    assert re.search(r"direct_media +: false", endpoint)
    assert re.search(r"context +: from-seat", endpoint)
    # A phone may connect a citizen with 110 by itself; test_transfers.py tries where else it gets.
    assert re.search(r"allow_transfer +: true", endpoint)
    for other in (names.TRUNK, names.TRY, names.OUTSIDE, names.CITIZENS):
        assert re.search(r"allow_transfer +: false", await exchange.cli(f"pjsip show endpoint {other}"))


async def test_who_acts_may_ring_phones_and_run_nothing(exchange: Exchange) -> None:
    """Ringing a phone needs the class `originate`; programs, commands and files stay out of its reach (S5, B5)."""
    acting = await exchange.acting()
    originate = {"Action": "Originate", "Channel": "Local/s@nowhere", "Async": "true"}
    try:
        for forbidden in (
            {"Action": "Command", "Command": "core show version"},
            originate | {"Application": "System", "Data": "touch /tmp/owned"},
            originate | {"Application": "AGI", "Data": "/bin/sh"},
        ):
            answer = await acting.ask(forbidden)
            assert b"Response: Error" in answer, answer
            assert b"ermission denied" in answer or b"Access Forbidden" in answer, answer
    finally:
        acting.close()


@pytest.mark.parametrize(
    ("announce", "global_"), [(Announce.GREETING, f"&{SUPERVISION_NOTICE}"), (Announce.BEEP, ""), (Announce.NONE, "")]
)
def test_the_greeting_says_so_where_the_law_wants_it(exchange: Exchange, announce: Announce, global_: str) -> None:
    text = files(replace(exchange.instance, announce=announce))[names.ANNOUNCE_FILE]
    assert text == f"{names.ANNOUNCE}={announce}\n{names.NOTICE}={global_}\n"


async def test_seats_come_and_go_by_a_reload_without_a_restart(exchange: Exchange) -> None:
    file = exchange.etc / names.SEATS_FILE
    before = file.read_text()
    try:
        file.write_text(seats_conf([*(SeatAccount(*each) for each in SEATS.items()), SeatAccount("2001", "new")]))
        await exchange.cli("module reload res_pjsip.so")
        assert "2001w" in await exchange.cli("pjsip show endpoints")
    finally:
        file.write_text(before)
        await exchange.cli("module reload res_pjsip.so")
    assert "2001" not in await exchange.cli("pjsip show endpoints")


# --- calls ------------------------------------------------------------------------------------------------------------


async def last_answer(exchange: Exchange, **how: str) -> int:
    """The final answer to an INVITE."""
    async with raw_call(exchange.sip, **how) as call, asyncio.timeout(10):
        while not (final := [status for status in call.answers if status >= 200 and status != 401]):
            await asyncio.sleep(0.01)
        return final[0]


@pytest.mark.parametrize(
    "dialed",
    ["12346", "110", "1001", "s", "hotline", "+12345", "012345", "123456", "12", "12345%0d%0a", "h"],
)
async def test_every_other_number_is_refused(exchange: Exchange, dialed: str) -> None:
    started = exchange.cel.stat().st_size if exchange.cel.exists() else 0
    incomplete = any(number.startswith(dialed) for number in BY_NUMBER)
    assert await last_answer(exchange, dialed=dialed) == (484 if incomplete else 404)
    assert (exchange.cel.stat().st_size if exchange.cel.exists() else 0) == started, "no call at all"


async def test_a_nul_ends_the_number_and_no_more(exchange: Exchange) -> None:
    assert await last_answer(exchange, dialed="12345%00110") == 200
    assert await last_answer(exchange, dialed="110%0012345") == 404


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.code)
async def test_every_number_of_ours_is_answered(exchange: Exchange, service: Service) -> None:
    events = await exchange.events()
    assert await last_answer(exchange, dialed=service.number) == 200
    await events.until(f"dialed={service.number}&service={service.code}".encode())
    events.close()


@pytest.mark.parametrize(
    "dialed",
    [
        "12345",
        "12333",
        "1002",
        "13800000001",
        "0085212345678",
        "19000000000",
        "12366",
        "tax",
        "s",
        "room",
        "target",
        "110%26PJSIP/x",
        "12345%26PJSIP%2fx",
        "1100",
        "11",
        "9110",
        "*2",
        "%2b110",
    ],
)
async def test_a_seats_phone_can_call_nobody(exchange: Exchange, dialed: str) -> None:
    """Toll fraud with a stolen seat account ends here."""
    mine = {"sender": "<sip:1001@example.net>", "dialed": dialed, "user": "1001"}
    assert await last_answer(exchange, **mine, secret=SEATS["1001"]) == (484 if dialed == "11" else 404)


async def test_a_wrong_secret_is_no_seat(exchange: Exchange) -> None:
    async with raw_call(exchange.sip, sender="<sip:1001@example.net>", user="1001", secret="wrong") as call:
        await call.until(401)
        await asyncio.sleep(0.3)
        assert set(call.answers) == {401}


async def test_when_all_lines_are_full_the_caller_hears_why(exchange: Exchange) -> None:
    events = await exchange.events()
    await exchange.cli("dialplan set global MAX_CALLS 0")
    try:
        async with raw_call(exchange.sip) as call:
            await call.until(200)
            await call.until(0)
    finally:
        await exchange.cli("dialplan reload")
    await events.until(b"UserEvent: CcRefused")
    events.close()
    shown = await exchange.cli("dialplan show globals")
    assert "MAX_CALLS=500" in shown


def test_nothing_stands_between_a_told_place_and_the_place_itself() -> None:
    """A Redirect of whoever heard of it can be lost while a Gosub returns: 11 of 60 on 22.10.1, like this none."""
    lines = [*supervise(), *rooms()]
    places = ("ChanSpy(${SPIED},uqESX", "ConfBridge(${CC},room,supervisor,", f"ConfBridge(${{CC}},room,{names.CITIZEN}")
    begun = [n for n, line in enumerate(lines) if any(f"n,{place}" in line for place in (*places, "Wait(10)"))]
    assert len(begun) == 3 + 2 + 1 + 1 + 1
    for n in begun:
        assert lines[n - 1].startswith(
            (f" same => n,UserEvent({names.SUPERVISING},", f" same => n,UserEvent({names.ENTERED},")
        )
