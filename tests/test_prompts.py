"""The recordings that callers hear are those of the texts in `ivr/prompts.py`."""

import array
import json
import sys
import wave
from pathlib import Path

import pytest

from ivr.menu import MENU
from ivr.prompts import JOINED, LANGUAGES, PROMPTS, TONES, Language

SOUNDS = Path(__file__).resolve().parents[1] / "asterisk-conf" / "sounds"
EVERY = [(language, name) for language in LANGUAGES for name in PROMPTS]


def path_of(language: Language, name: str) -> Path:
    return SOUNDS / language / f"{name}.wav"


def seconds(language: Language, name: str) -> float:
    with wave.open(str(path_of(language, name))) as recording:
        return recording.getnframes() / recording.getframerate()


@pytest.mark.parametrize(("language", "name"), EVERY)
def test_recording_is_telephone_sound_that_is_heard_and_not_clipped(language: Language, name: str) -> None:
    with wave.open(str(path_of(language, name))) as recording:
        assert (recording.getframerate(), recording.getnchannels(), recording.getsampwidth()) == (8000, 1, 2)
        samples = array.array("h", recording.readframes(recording.getnframes()))
    if sys.byteorder == "big":
        samples.byteswap()
    assert 0.1 < len(samples) / 8000 < 8
    assert 3000 < max(abs(sample) for sample in samples) < 32000


@pytest.mark.parametrize("name", PROMPTS)
def test_recording_is_of_the_text_of_today(name: str) -> None:
    spoken = json.loads((SOUNDS / "texts.json").read_text(encoding="utf-8"))
    assert spoken.get(name) == PROMPTS[name], "render it again: see asterisk-conf/sounds/README.md"


def test_nothing_is_recorded_that_has_no_text() -> None:
    recorded = {path.relative_to(SOUNDS).as_posix() for path in SOUNDS.rglob("*.wav")}
    once = {f"{name}.wav" for name in (*TONES, *JOINED)}
    assert recorded == {f"{language}/{name}.wav" for language, name in EVERY} | once
    assert set(json.loads((SOUNDS / "texts.json").read_text(encoding="utf-8"))) == set(PROMPTS)


def frames(name: str) -> bytes:
    with wave.open(str(SOUNDS / f"{name}.wav")) as recording:
        return recording.readframes(recording.getnframes())


def test_what_is_joined_is_of_the_recordings_of_today() -> None:
    for name, parts in JOINED.items():
        first, last = frames(parts[0]), frames(parts[-1])
        assert frames(name).startswith(first) and frames(name).endswith(last), "run asterisk-conf/sounds/tones.py"


def test_opening_leaves_time_to_be_answered_within_fifteen_seconds() -> None:
    assert sum(seconds(say.language, name) for say in MENU.say for name in say.prompts) <= 9
