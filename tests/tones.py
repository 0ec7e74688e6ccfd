"""Prompts that a test can tell apart by ear: pure tones, and whether they are in what a caller heard."""

import array
import audioop  # of Python 3.11, which the project is made for
import io
import math
import sys
import wave

RATE = 8000


def tone(hertz: int, seconds: float = 0.5, *, rate: int = RATE, channels: int = 1, width: int = 2) -> bytes:
    """A WAV file with one tone."""
    samples = array.array(
        "h", (int(12000 * math.sin(2 * math.pi * hertz * n / rate)) for n in range(int(seconds * rate)))
    )
    if sys.byteorder == "big":
        samples.byteswap()
    raw = samples.tobytes()
    if width == 1:
        raw = audioop.bias(audioop.lin2lin(raw, 2, 1), 1, 128)
    if channels == 2:
        raw = audioop.tostereo(raw, width, 1, 1)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((channels, width, rate, 0, "NONE", ""))
        out.writeframes(raw)
    return file.getvalue()


def tones_in(heard: bytes) -> list[int]:
    """The tones (whole 100 Hz) of a piece of µ-law sound, one after the other, each at least 0.2 s long."""
    linear = array.array("h", audioop.ulaw2lin(heard, 2))
    frame = RATE // 20
    found = [_loudest(linear[at : at + frame]) for at in range(0, len(linear) - frame, frame)]
    return [
        now for n, now in enumerate(found) if now and found[n : n + 4] == [now] * 4 and (n == 0 or found[n - 1] != now)
    ]


def _loudest(samples: "array.array[int]") -> int:
    """The tone that carries nearly all of a frame's power, or 0 (Goertzel)."""
    power = sum(sample * sample for sample in samples)
    if power < len(samples) * 500**2:
        return 0
    for hertz in range(300, 3100, 100):
        turn = 2 * math.cos(2 * math.pi * hertz / RATE)
        one = two = 0.0
        for sample in samples:
            one, two = sample + turn * one - two, one
        if (one * one + two * two - turn * one * two) * 2 / len(samples) > 0.8 * power:
            return hertz
    return 0
