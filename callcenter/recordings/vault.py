"""The vault (加密存储): one file to a recording, sealed by AES-256-GCM in chunks, so that a part can be read alone.

    head   magic, size of a chunk, size of the clear text, salt, id of the key
    chunks each `chunk` bytes of clear text (the last one less), sealed, with its tag of 16 bytes

Each file has a key of its own, derived (HKDF) from the master key, the file's salt and the call's id, so a number of
the chunk is nonce enough, and a file in another call's place does not open. The head and the chunk's number are
authenticated with each chunk: nothing can be cut off, moved or swapped unnoticed. Master keys come from a setting and
are never in the database; a row says by which one its file was sealed, so that keys can rotate.
"""

import hashlib
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from callcenter.disk import sync_folder

CHUNK: Final = 64 * 2**10
TAG: Final = 16
KEY_BYTES: Final = 32
_MAGIC: Final = b"12345REC"
_HEAD: Final = struct.Struct(">8sIQ32s16s")


class CannotOpen(Exception):
    """The file is not there, was changed, or its key is not among ours."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Master keys by id; new files are sealed with the last one."""

    by_id: dict[str, bytes]

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `id:64 hexadecimal digits`, divided by commas. Raises ValueError."""
        by_id = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, digits = part.partition(":")
            if not (name.isascii() and name.isalnum() and len(name) <= 16) or name in by_id:
                raise ValueError("a key's id is 1 to 16 letters and digits, and stands once")
            key = bytes.fromhex(digits)
            if len(key) != KEY_BYTES:
                raise ValueError(f"key {name} has not 64 hexadecimal digits")
            by_id[name] = key
        if not by_id:
            raise ValueError("no key")
        return cls(by_id)

    @property
    def newest(self) -> str:
        return next(reversed(self.by_id))


class Sealed(NamedTuple):
    """What is known of a file just sealed. `size` and `sha256` are those of the file as it lies on the disk."""

    size: int
    sha256: bytes
    key_id: str


def by_day(call: str) -> Path:
    """Where a call's recording lies: by node and day (UTC) of its channel. Raises ValueError for what is no id."""
    node, _, unique = call.partition("-")
    second = int(unique.partition(".")[0])
    return Path(node, f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d}", f"{call}.sealed")


class Vault:
    """A folder of sealed files, of recordings or others. All of it reads and writes the disk: call it in a thread.

    Args:
        place: where below the folder the file of an id lies. An id is of one kind of files only.
    """

    def __init__(self, folder: Path, keys: Keys, place: Callable[[str], Path] = by_day) -> None:
        self.folder = folder
        self._keys = keys
        self._place = place

    def path(self, call: str) -> Path:
        """Where a call's recording lies. Raises ValueError for what is no id."""
        return self.folder / self._place(call)

    def seal(self, call: str, clear: Iterable[bytes], size: int) -> Sealed:
        """Write `size` bytes of clear text; when this returns the file survives a power cut, or it is not there.

        Raises OSError; ValueError when the clear text has another size.
        """
        name = self._keys.newest
        salt = os.urandom(32)
        head = _HEAD.pack(_MAGIC, CHUNK, size, salt, name.encode())
        box, digest = AESGCM(_derived(self._keys.by_id[name], salt, call)), hashlib.sha256()
        path = self.path(call)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_suffix(".part")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                digest.update(head)
                file.write(head)
                written = 0
                for n, chunk in enumerate(_chunked(clear)):
                    sealed = box.encrypt(_nonce(n), chunk, head)
                    digest.update(sealed)
                    file.write(sealed)
                    written += len(chunk)
                if written != size:
                    raise ValueError(f"{written} bytes of clear text in place of {size}")
                file.flush()
                os.fsync(file.fileno())
                on_disk = file.tell()
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
        return Sealed(on_disk, digest.digest(), name)

    def open(self, call: str) -> "Opened":
        """A recording to read from. Raises CannotOpen."""
        try:
            file = self.path(call).open("rb")
        except OSError as error:
            raise CannotOpen(f"{call}: {error.strerror}") from error
        try:
            head = file.read(_HEAD.size)
            magic, chunk, size, salt, name = _HEAD.unpack(head)
            key = self._keys.by_id.get(name.rstrip(b"\0").decode("ascii"))
            if magic != _MAGIC or not 0 < chunk <= 2**24:
                raise CannotOpen(f"{call}: not a sealed recording")
            if key is None:
                raise CannotOpen(f"{call}: its key is not among the keys given")
        except (struct.error, UnicodeDecodeError) as error:
            file.close()
            raise CannotOpen(f"{call}: not a sealed recording") from error
        except CannotOpen:
            file.close()
            raise
        return Opened(file, call, head, chunk, size, AESGCM(_derived(key, salt, call)))

    def remove(self, call: str) -> None:
        """Delete a recording, for good once this returns. Raises OSError."""
        path = self.path(call)
        path.unlink(missing_ok=True)
        if path.parent.exists():
            sync_folder(path.parent)


class Opened:
    """An open recording: `size` bytes of clear text. Close it."""

    def __init__(self, file: BinaryIO, call: str, head: bytes, chunk: int, size: int, box: AESGCM) -> None:
        self._file, self._call, self._head, self._chunk, self._box = file, call, head, chunk, box
        self.size = size

    def read(self, start: int, end: int) -> bytes:
        """The clear text from `start` up to, not including, `end`. Raises CannotOpen when the file was changed."""
        end = min(end, self.size)
        if start >= end:
            return b""
        first, last = start // self._chunk, (end - 1) // self._chunk
        clear = b"".join(self._clear(n) for n in range(first, last + 1))
        return clear[start - first * self._chunk : end - first * self._chunk]

    def close(self) -> None:
        self._file.close()

    def _clear(self, n: int) -> bytes:
        length = min(self._chunk, self.size - n * self._chunk)
        self._file.seek(len(self._head) + n * (self._chunk + TAG))
        try:
            return self._box.decrypt(_nonce(n), self._file.read(length + TAG), self._head)
        except InvalidTag:
            raise CannotOpen(f"{self._call}: chunk {n} was changed") from None


def _derived(master: bytes, salt: bytes, call: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt, b"12345 recording " + call.encode()).derive(master)


def _nonce(n: int) -> bytes:
    return n.to_bytes(12, "big")


def _chunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= CHUNK:
            yield bytes(waiting[:CHUNK])
            del waiting[:CHUNK]
    if waiting:
        yield bytes(waiting)
