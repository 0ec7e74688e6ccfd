"""Makes the sounds that are one for all languages, tones and joined recordings: run it with `python`."""

import math
import struct
import sys
import wave
from pathlib import Path
from typing import Final

SOUNDS: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(SOUNDS.parents[1]))

from ivr.prompts import JOINED, TONES  # noqa: E402

RATE: Final = 8000
LOUDNESS: Final = 8000
FADE: Final = 80  # samples at each end, so that it does not click
PAUSE: Final = 0.3  # seconds between joined recordings


def write(name: str, pitch: int, seconds: float) -> None:
    """A sine of `pitch` Hz as 8 kHz, mono, 16 bit."""
    length = int(RATE * seconds)
    samples = [
        LOUDNESS * min(1.0, n / FADE, (length - n) / FADE) * math.sin(2 * math.pi * pitch * n / RATE)
        for n in range(length)
    ]
    save(name, struct.pack(f"<{length}h", *map(int, samples)))


def join(name: str, parts: tuple[str, ...]) -> None:
    """Recordings one after the other."""
    save(name, bytes(2 * int(RATE * PAUSE)).join(map(frames, parts)))


def frames(name: str) -> bytes:
    with wave.open(str(SOUNDS / f"{name}.wav")) as file:
        return file.readframes(file.getnframes())


def save(name: str, sound: bytes) -> None:
    with wave.open(str(SOUNDS / f"{name}.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(sound)


if __name__ == "__main__":
    for each, (hertz, length) in TONES.items():
        write(each, hertz, length)
    for each, recordings in JOINED.items():
        join(each, recordings)
