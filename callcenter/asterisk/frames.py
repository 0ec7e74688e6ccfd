"""Bytes in, whole AMI frames out; and the test whether a frame is Asterisk's own.

A caller can write into the manager's stream: Asterisk unescapes the SIP user part and prints it raw, so a number with
CR LF CR LF in it ends one event and begins another of the caller's making (platform.md). What no caller knows is the
secret system name, which Asterisk writes as the fourth line of each event it pushes (Event, Privilege, Timestamp,
SystemName; without time stamps it would be the third).
"""

from collections.abc import Iterator, Mapping
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


class Forged(ValueError):
    """A header occurs twice: a stranger wrote one of them, with a single CR LF in a value. None of ours does."""


class Event(Mapping[str, str]):
    """The headers of an authentic event. Looking one up raises KeyError when it is missing, Forged when it is twice.

    They are searched for when asked: of some 20 headers in an event we read 5 (bench/frames.py).
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text  # begins and ends with a line end

    def __getitem__(self, header: str) -> str:
        mark = f"\r\n{header}: "
        _, found, rest = self._text.partition(mark)
        if not found:
            raise KeyError(header)
        if mark in rest:
            raise Forged(header)
        return rest.partition("\r\n")[0]

    def __iter__(self) -> Iterator[str]:
        return (line.partition(": ")[0] for line in self._text.split("\r\n")[1:-1])

    def __len__(self) -> int:
        return self._text.count("\r\n") - 1


class Authentic:
    """Tells Asterisk's own pushed events from forged and from broken ones."""

    def __init__(self, system_name: str) -> None:
        if not system_name:
            raise ValueError("the system name is empty: events could not be told from forged ones")
        self._fourth = f"SystemName: {system_name}"

    def event(self, frame: bytes) -> Event | None:
        """The authentic event in the frame; None when it is forged or broken. Bytes that are no UTF-8 become U+FFFD."""
        text = f"\r\n{frame.decode('utf-8', 'replace')}\r\n"
        head = text.split("\r\n", 5)
        return Event(text) if len(head) == 6 and head[4] == self._fourth and head[1].startswith("Event: ") else None


def parse(frame: bytes) -> dict[str, str] | None:
    """Header -> value; None when a header occurs twice or a line is none. Bytes that are no UTF-8 become U+FFFD."""
    lines = frame.decode("utf-8", "replace").split("\r\n")
    fields = {name: value for line in lines for name, colon, value in (line.partition(": "),) if colon}
    return fields if len(fields) == len(lines) else None
