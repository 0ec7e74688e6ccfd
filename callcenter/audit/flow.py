"""The chain over the audit log (哈希链): how rows are put into words and linked, and how a walk finds a break. Pure."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

#: What the first link is made over, in place of a link before it.
BEGINNING: Final = hashlib.sha256(b"12345 audit").digest()


class Told(NamedTuple):
    """A row of the audit as it is sealed. `at`: microseconds since 1970; `what`: jsonb as Postgres writes it."""

    id: int
    at: int
    user_id: int | None
    act: str
    what: str


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the chain with what stands there now; `row` is None when the audit's row is gone."""

    n: int
    audit_id: int
    hash: bytes
    row: Told | None


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place that does not fit, and how: changed, missing, unsealed, replaced (another
    stood there when the head was told), cut_off (there were more)."""

    n: int
    audit_id: int | None
    how: str


def link(before: bytes, n: int, row: Told) -> bytes:
    """SHA-256 over the link before, the place, and the row in its canonical form, a JSON array."""
    words = json.dumps([n, *row], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(before + words.encode()).digest()


class Head(NamedTuple):
    """The end of the chain, as it is or as it was told outside the database at some time."""

    n: int
    hash: bytes


class Walk:
    """A walk along the chain from its beginning, link by link; `n` and `head` say how far it has come.

    Args:
        heads: ends of the chain that were told earlier: it must go through each of them.
    """

    def __init__(self, heads: Iterable[Head] = ()) -> None:
        self.n = 0
        self.head = BEGINNING
        self._heads = dict(heads)

    def take(self, links: Iterable[Link]) -> Broken | None:
        """Go over the next links, in their order; the first that does not fit."""
        for each in links:
            if each.n != self.n + 1:
                return Broken(self.n + 1, None, "missing")
            if each.row is None:
                return Broken(each.n, each.audit_id, "missing")
            if link(self.head, each.n, each.row) != each.hash:
                return Broken(each.n, each.audit_id, "changed")
            if self._heads.get(each.n, each.hash) != each.hash:
                return Broken(each.n, each.audit_id, "replaced")
            self.n, self.head = each.n, each.hash
        return None

    def end(self) -> Broken | None:
        """What the heads say when the chain is over."""
        return Broken(self.n + 1, None, "cut_off") if max(self._heads, default=0) > self.n else None
