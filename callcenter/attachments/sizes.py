"""How large each kind of file may be (附件大小). Pure."""

from collections.abc import Mapping
from typing import Final

KINDS: Final = ("photo", "voice", "pdf")
#: The largest that can be allowed, in megabytes: a file is in memory while it is looked at.
_MOST: Final = 100


def bytes_of(text: str) -> Mapping[str, int]:
    """Bytes of each kind, from `photo=20,voice=30,pdf=20`. Raises ValueError, also when one lacks."""
    given = {name: int(number) for name, _, number in (part.strip().partition("=") for part in text.split(","))}
    if set(given) != set(KINDS) or any(not 1 <= number <= _MOST for number in given.values()):
        raise ValueError(f"needs megabytes, 1 to {_MOST}, for each of {', '.join(KINDS)}")
    return {name: number * 2**20 for name, number in given.items()}
