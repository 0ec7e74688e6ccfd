"""No telephone number gets into a log in clear (S19)."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from callcenter.log import mask, mask_text, set_up_logs

CANARY = "13812345678"


@contextmanager
def logs(*, as_json: bool) -> Iterator[None]:
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    set_up_logs(as_json=as_json)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**configured)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("13812345678", "138****5678"),
        ("+8613812345678", "861****5678"),
        ("075512345678", "075****5678"),
        ("12345678", "12****78"),
        ("12345", "12****45"),
        ("110", "****"),
        ("", "****"),
    ],
)
def test_a_number_is_shown_with_three_and_four_digits(number: str, shown: str) -> None:
    assert mask(number) == shown


@pytest.mark.parametrize(
    "text",
    [
        "13812345678",
        "call from 13812345678 to 12345",
        "sip:13812345678@10.0.0.1",
        "tel:+86-138-1234-5678;x",
        "138 1234 5678",
        "0755-12345678",
        "a13812345678z",
        "１３８１２３４５６７８",
        "\n13812345678\r\n",
        "n=13812345678.",
        "2026-11-22 13812345678",
    ],
)
def test_whatever_looks_like_a_number_is_masked(text: str) -> None:
    assert "12345678" not in mask_text(text).replace(" ", "").replace("-", "")
    assert "****" in mask_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T07:27:39.123456Z",
        "2026-11-22 07:27:39",
        "12345",
        "n1_ab-1763801234.17",
        "ms=17.1234567",
        "127.0.0.1:5060",
    ],
)
def test_times_call_ids_and_addresses_stay_readable(text: str) -> None:
    assert mask_text(text) == text


@given(st.text(alphabet="1234567890", min_size=11, max_size=15), st.text(max_size=20), st.text(max_size=20))
def test_no_number_survives_between_any_words(number: str, before: str, after: str) -> None:
    assert number not in mask_text(f"{before}: {number} {after}")


@pytest.mark.parametrize("as_json", [True, False])
def test_lines_of_ours_and_of_libraries_are_masked(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with logs(as_json=as_json):
        log = structlog.get_logger("ours")
        log.info("rang", number=CANARY, deep={"list": [CANARY, {CANARY: int(CANARY)}]}, raw=CANARY.encode())
        logging.getLogger("theirs").warning("no route to %s", CANARY)
        try:
            raise ValueError(f"cannot dial {CANARY}")
        except ValueError:
            log.exception("failed")
            logging.getLogger("theirs").exception("failed")
    said = capsys.readouterr().err
    assert CANARY not in said
    assert said.count("138****5678") == 8
    assert said.count("ValueError: cannot dial") == 2


@pytest.mark.parametrize("as_json", [True, False])
def test_what_promises_a_secret_is_withheld(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with logs(as_json=as_json):
        structlog.get_logger("ours").info("made", password="hunter2hunter2", contact_name="王小明")
    said = capsys.readouterr().err
    assert "made" in said
    assert "hunter2" not in said
    assert "王小明" not in said


def test_a_line_cannot_be_forged(capsys: pytest.CaptureFixture[str]) -> None:
    with logs(as_json=True):
        structlog.get_logger("ours").info("said", text='x\n{"event": "forged"}')
    lines = capsys.readouterr().err.splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["said"]
