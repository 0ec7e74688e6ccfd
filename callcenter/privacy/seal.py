"""How identities are sealed: AES-256-GCM under a key that is not in the database, bound to what they belong to.

Keys come from a setting, `id:64 hexadecimal digits` divided by commas; the last one seals, the others open what is
older. So keys rotate: add one, run `callcenter privacy reseal`, take the old one away.
"""

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from callcenter.recordings.vault import Keys
from callcenter.settings import Settings
from callcenter.standalone import CannotStart

_NONCE: Final = 12
#: How a sealed word begins.
MARK: Final = "sealed:"


class CannotOpen(Exception):
    """It was changed, belongs to something else, or its key is not among ours."""


class Sealed(NamedTuple):
    """What was sealed, and the id of the key that opens it."""

    key_id: str
    data: bytes


class Sealer:
    """Seals and opens small things under the keys of the identity store."""

    def __init__(self, keys: Keys) -> None:
        self._boxes = {name: AESGCM(key) for name, key in keys.by_id.items()}
        self.newest = keys.newest

    def seal(self, about: str, clear: Mapping[str, str]) -> Sealed:
        """Seal words that belong to `about`, the id of an order, a call or a draft."""
        nonce = os.urandom(_NONCE)
        words = json.dumps(dict(clear), ensure_ascii=False).encode()
        return Sealed(self.newest, nonce + self._boxes[self.newest].encrypt(nonce, words, about.encode()))

    def open(self, about: str, sealed: Sealed) -> dict[str, str]:
        """The words again. Raises CannotOpen."""
        box = self._boxes.get(sealed.key_id)
        if box is None:
            raise CannotOpen(f"the key {sealed.key_id} is not among those given")
        try:
            words = box.decrypt(sealed.data[:_NONCE], sealed.data[_NONCE:], about.encode())
        except (InvalidTag, ValueError) as error:
            raise CannotOpen("changed, or of something else") from error
        found: dict[str, str] = json.loads(words)
        return found

    def seal_text(self, about: str, text: str) -> str:
        """A text as a sealed word of ASCII; an empty one stays empty."""
        if not text:
            return ""
        key_id, data = self.seal(about, {"text": text})
        return f"{MARK}{key_id}:{base64.b64encode(data).decode()}"

    def open_text(self, about: str, word: str) -> str:
        """The text of `seal_text`; one that was never sealed is as it is. Raises CannotOpen."""
        if not word.startswith(MARK):
            return word
        key_id, _, data = word.removeprefix(MARK).partition(":")
        return self.open(about, Sealed(key_id, base64.b64decode(data)))["text"]


def sealer_of(settings: Settings) -> Sealer:
    """The sealer of the settings. Raises CannotStart without a key, or for one that is none."""
    try:
        return Sealer(Keys.parse(settings.identity_key.get_secret_value()))
    except ValueError as error:
        raise CannotStart(f"CALLCENTER_IDENTITY_KEY: {error}") from error


#: The sealer of an application.
SEALER: Final = web.AppKey("SEALER", Sealer)


def relay_of(order_id: UUID) -> str:
    """The reference under which units write to a citizen whom they do not know (保密编号)."""
    return f"BM-{base64.b32encode(hashlib.sha256(order_id.bytes).digest())[:8].decode()}"
