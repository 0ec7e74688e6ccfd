"""Bytes in, whole AMI frames out; and the test whether a frame is Asterisk's own.

A caller can write into the manager's stream: Asterisk unescapes the SIP user part and prints it raw, so a number with
CR LF CR LF in it ends one event and begins another of the caller's making (platform.md). What no caller knows is the
secret system name, which Asterisk writes as the fourth line of each event it pushes (Event, Privilege, Timestamp,
SystemName; without time stamps it would be the third).
"""

from typing import Final

MAX_FRAME: Final = 256 * 1024
_END: Final = b"\r\n\r\n"


class FrameTooLong(ValueError):
    """The other side sent no end of frame for `MAX_FRAME` bytes; the connection is of no more use."""


class Splitter:
    """Cuts the byte stream into frames, however the network has cut it."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes, without their blank line. Raises FrameTooLong."""
        frames = (self._rest + data).split(_END) if self._rest else data.split(_END)
        self._rest = frames.pop()
        if len(self._rest) > MAX_FRAME:
            raise FrameTooLong(f"no end of frame within {MAX_FRAME} bytes")
        return frames


class Authentic:
    """Tells Asterisk's own pushed events from forged and from broken ones."""

    def __init__(self, system_name: str) -> None:
        if not system_name:
            raise ValueError("the system name is empty: events could not be told from forged ones")
        self._fourth = f"SystemName: {system_name}"

    def fields(self, frame: bytes) -> dict[str, str] | None:
        """Header -> value of an authentic event; None when it is forged or broken.

        A header that occurs twice was written by a stranger with a single CR LF in a value: none of ours does.
        """
        lines = _lines(frame)
        if len(lines) < 5 or lines[3] != self._fourth or not lines[0].startswith("Event: "):
            return None
        return _headers(lines)


def parse(frame: bytes) -> dict[str, str] | None:
    """Header -> value; None when a header occurs twice or a line is none. Bytes that are no UTF-8 become U+FFFD."""
    return _headers(_lines(frame))


def _lines(frame: bytes) -> list[str]:
    return frame.decode("utf-8", "replace").split("\r\n")


def _headers(lines: list[str]) -> dict[str, str] | None:
    # A comprehension, one of the two loops that every byte from Asterisk goes through: bench/frames.py.
    fields = {name: value for line in lines for name, colon, value in (line.partition(": "),) if colon}
    return fields if len(fields) == len(lines) else None
