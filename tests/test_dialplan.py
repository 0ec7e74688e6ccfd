"""What Asterisk runs: written from data, never stale, taken without a word of complaint, and it does what it says."""

import asyncio
import json
import re
import wave
from pathlib import Path

import pytest
from exchange import SEATS, Exchange, open_exchange
from rawsip import raw_call

from agents.queues import QUEUES
from dialplan import names
from dialplan.manager import manager_conf
from dialplan.seats import SeatAccount, seats_conf
from dialplan.write import CONF, written
from ivr.menu import FAREWELLS, MENU
from ivr.prompts import LANGUAGES, PROMPTS
from ivr.services import BY_NUMBER, HOTLINE, SERVICES, Service

HOTLINES = Path(__file__).parent.parent / "callcenter" / "directory" / "data" / "hotlines.json"


# --- the text ---------------------------------------------------------------------------------------------------------


def test_the_committed_files_are_not_stale() -> None:
    for name, text in written().items():
        assert (CONF / name).read_text(encoding="utf-8") == text, f"run python -m dialplan.write: {name} is stale"


def test_the_numbers_are_those_of_the_directory() -> None:
    """12345 itself, and each line that is merged in parallel (双号并行); no other rings here."""
    lines = [row for row in json.loads(HOTLINES.read_text()) if row["mode"] in {"unified", "parallel"}]
    assert {(s.number, s.zh, s.en) for s in SERVICES} == {(row["number"], row["zh"], row["en"]) for row in lines}
    assert len(BY_NUMBER) == len({service.code for service in SERVICES}) == len(SERVICES)
    assert BY_NUMBER[HOTLINE].code == "unified"


def test_every_prompt_is_there_in_both_languages() -> None:
    text = written()["extensions.conf"]
    said = {name for found in re.findall(r"(?:Background|Playback)\(([^)]*)\)", text) for name in found.split("&")}
    assert said == {prompt for say in MENU.say for prompt in say.prompts} | {*FAREWELLS.values(), "fault", "goodbye"}
    assert said <= PROMPTS.keys()
    for language in LANGUAGES:
        for name in PROMPTS:
            with wave.open(str(CONF / "sounds" / language / f"{name}.wav")) as sound:
                assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
                assert 0.1 < sound.getnframes() / 8000 < 15
                assert max(sound.readframes(sound.getnframes())) > 0, "not silence"


def test_no_step_of_a_call_waits_for_us_or_runs_a_program() -> None:
    text = written()["extensions.conf"]
    for word in ("AGI", "System", "CURL", "ODBC", "SHELL", "Exec", "Stasis", "_X", "_.", "${EXTEN}"):
        assert word not in text, word


def test_the_callers_number_is_cleaned_before_anything_else() -> None:
    for line in written()["extensions.conf"].splitlines():
        if re.match(r"exten => 12\d{3},1,", line):
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
    assert not {"all", "system", "command", "config", "originate"} & {w for r in rights for w in r.split(",")}
    assert text.count("eventfilter(action(include)") == len(names.HEARD) + 1
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


async def test_phones_of_seats_can_dial_nothing(exchange: Exchange) -> None:
    assert "0 extensions" in await exchange.cli(f"dialplan show {names.SEAT_CONTEXT}")


async def test_the_queues_are_those_of_the_data(exchange: Exchange) -> None:
    shown = await exchange.cli("queue show")
    found = dict(re.findall(r"^(\S+) has \d+ calls \(max (\d+)\) in 'leastrecent' strategy", shown, re.MULTILINE))
    assert found == {queue.code: str(queue.most_waiting) for queue in QUEUES}
    assert shown.count("within 15s") == len(QUEUES)


async def test_each_seat_has_two_endpoints_and_the_rest_is_trunk_and_try(exchange: Exchange) -> None:
    shown = await exchange.cli("pjsip show endpoints")
    found = set(re.findall(r"^ Endpoint:  ([^/ ]+)", shown, re.MULTILINE))
    assert found == {*SEATS, *(f"{seat}w" for seat in SEATS), names.TRUNK, names.TRY}
    assert "anonymous" not in shown
    endpoint = await exchange.cli("pjsip show endpoint 1001")
    assert re.search(r"direct_media +: false", endpoint)
    assert re.search(r"context +: from-seat", endpoint)
    assert re.search(r"allow_transfer +: false", endpoint)


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


@pytest.mark.parametrize("dialed", ["12345", "12333", "1002", "110", "13800000001"])
async def test_a_seats_phone_can_call_nobody(exchange: Exchange, dialed: str) -> None:
    """Toll fraud with a stolen seat account ends here."""
    mine = {"sender": "<sip:1001@example.net>", "dialed": dialed, "user": "1001"}
    assert await last_answer(exchange, **mine, secret=SEATS["1001"]) == 404


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
