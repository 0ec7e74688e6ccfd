"""Telephone numbers: how one is found without being readable in an index."""

import hashlib
import hmac
import re
from functools import lru_cache

_NOT_DIGIT = re.compile(r"[^0-9]")
_COUNTRY = re.compile(r"^(?:00)?86(?=1[0-9]{10}$|0)")


@lru_cache(1024)  # a call is written several times in its life
def blind_index(key: bytes, number: str) -> bytes | None:
    """By which equal numbers find each other (盲索引): HMAC-SHA256 of the digits, country code left out.

    None when there is no digit in it: callers without a number are not the same person.
    """
    digits = _COUNTRY.sub("", _NOT_DIGIT.sub("", number))
    return hmac.digest(key, digits.encode(), hashlib.sha256) if digits else None
