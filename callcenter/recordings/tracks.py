"""What Asterisk has recorded: two tracks of A-law to a call, on the disk that it writes to, in the clear.

A track that nobody writes any more is finished. The kernel knows: a lease for reading is not given on a file that is
open for writing (fcntl(2), F_SETLEASE), whoever has it open. So nothing is guessed from events, and what was left by a
crash is found like everything else.
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

RATE: Final = 8000  # samples a second, each of one byte
SILENCE: Final = b"\xd5"  # of A-law
CITIZEN, STAFF = "-in.alaw", "-out.alaw"
PIECE: Final = 32 * 2**10  # bytes of one track read at a time
#: A track is looked at this long after it was last written: not while it is being made.
SETTLE_SECONDS: Final = 2.0
#: Where the kernel gives no leases (NFS), a track so long unwritten is finished. Asterisk writes every 4 s.
IDLE_SECONDS: Final = 120.0


class Tracks(NamedTuple):
    """The tracks of one channel; `name` is its Uniqueid without Asterisk's secret part."""

    name: str
    citizen: Path
    staff: Path

    @property
    def samples(self) -> int:
        """The length of the longer track."""
        return max(_size(self.citizen), _size(self.staff))

    @property
    def written_at(self) -> float:
        """When Asterisk last wrote, in seconds since the epoch. Raises FileNotFoundError when both are gone."""
        return max(path.stat().st_mtime for path in (self.citizen, self.staff) if path.exists())

    def remove(self) -> None:
        """Delete the clear text."""
        self.citizen.unlink(missing_ok=True)
        self.staff.unlink(missing_ok=True)


def finished(folder: Path, now: float) -> list[Tracks]:
    """Every pair of tracks that is no longer written, oldest first; `now` is `time.time()`. Raises OSError."""
    names = {path.name.removesuffix(CITIZEN).removesuffix(STAFF) for path in folder.glob("*.alaw")}
    pairs = [Tracks(name, folder / (name + CITIZEN), folder / (name + STAFF)) for name in names]
    settled = [(pair.written_at, pair) for pair in pairs if pair.written_at + SETTLE_SECONDS <= now]
    return [
        pair
        for at, pair in sorted(settled)
        if not any(_is_written(path, idle=now - at) for path in (pair.citizen, pair.staff))
    ]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is_written(path: Path, idle: float) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        return idle < IDLE_SECONDS
    finally:
        os.close(descriptor)  # and with it the lease
    return False


def wave_bytes(samples: int) -> int:
    """The size of the stereo file that `stereo` makes of so many samples."""
    return len(_head(samples)) + 2 * samples


def wave_samples(size: int) -> int:
    """How many samples a stereo file of this size holds."""
    return (size - len(_head(0))) // 2


def stereo(tracks: Tracks) -> Iterator[bytes]:
    """A WAV file in pieces: the citizen left, the staff right, the shorter track filled up with silence.

    Raises OSError.
    """
    left_size, right_size = _size(tracks.citizen), _size(tracks.staff)
    samples = max(left_size, right_size)
    yield _head(samples)
    with _reading(tracks.citizen) as citizen, _reading(tracks.staff) as staff:
        for start in range(0, samples, PIECE):
            length = min(PIECE, samples - start)
            both = bytearray(2 * length)
            both[0::2] = citizen.read(min(length, max(0, left_size - start))).ljust(length, SILENCE)
            both[1::2] = staff.read(min(length, max(0, right_size - start))).ljust(length, SILENCE)
            yield bytes(both)


def _reading(path: Path) -> BinaryIO:
    return (path if path.exists() else Path(os.devnull)).open("rb")


def _head(samples: int) -> bytes:
    """RIFF header of A-law in two channels: format 6, and the `fact` that it asks for."""
    sound = 2 * samples
    form = struct.pack("<4sIHHIIHHH", b"fmt ", 18, 6, 2, RATE, 2 * RATE, 2, 8, 0)
    fact = struct.pack("<4sII", b"fact", 4, samples)
    data = struct.pack("<4sI", b"data", sound)
    body = b"WAVE" + form + fact + data
    return struct.pack("<4sI", b"RIFF", len(body) + sound) + body
