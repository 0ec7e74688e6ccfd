"""Recordings for callers: whether a file is one that Asterisk plays as it is, and how long it lasts."""

import io
import wave
from pathlib import Path
from typing import Final

RATE: Final = 8000
LONGEST: Final = 12.0
SHORTEST: Final = 0.2
_QUIETEST: Final = 300  # of 32,767: below it nobody hears a word


class BadRecording(ValueError):
    """Why a file is not taken, in both languages."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


def seconds_of(file: Path) -> float:
    """How long one of our own recordings lasts. Raises OSError."""
    with wave.open(str(file), "rb") as recording:
        return recording.getnframes() / recording.getframerate()


def checked(raw: bytes) -> tuple[bytes, float]:
    """The recording written anew, without what a stranger hung on to it, and its seconds.

    Raises BadRecording for what is no WAV of 8 kHz, mono, 16 bit, for silence, and outside 0.2 to 12 seconds.
    """
    try:
        with wave.open(io.BytesIO(raw), "rb") as recording:
            shape = recording.getframerate(), recording.getnchannels(), recording.getsampwidth()
            frames = recording.getnframes()
            sound = recording.readframes(min(frames, int(RATE * LONGEST) + 1)) if shape == (RATE, 1, 2) else b""
    except (wave.Error, EOFError, ValueError, OverflowError):
        raise BadRecording("不是 WAV 文件", "this is no WAV file") from None
    if shape != (RATE, 1, 2):
        rate, channels, width = shape
        raise BadRecording(
            f"须为 8000 Hz、单声道、16 位，此文件为 {rate} Hz、{channels} 声道、{8 * width} 位",
            f"must be 8000 Hz, mono, 16 bit; this is {rate} Hz, {channels} channels, {8 * width} bit",
        )
    sound = sound[: len(sound) // 2 * 2]
    seconds = len(sound) / 2 / RATE
    if not SHORTEST <= seconds <= LONGEST:
        raise BadRecording("时长须为 0.2 至 12 秒", "must last 0.2 to 12 seconds")
    if (
        max(abs(int.from_bytes(sound[at : at + 2], "little", signed=True)) for at in range(0, len(sound), 2))
        < _QUIETEST
    ):
        raise BadRecording("录音没有声音", "nothing can be heard in it")
    out = io.BytesIO()
    with wave.open(out, "wb") as clean:
        clean.setparams((1, 2, RATE, 0, "NONE", ""))
        clean.writeframes(sound)
    return out.getvalue(), seconds
