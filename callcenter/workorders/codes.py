"""Codes of work orders (工单编号), which a citizen may be told over the phone: YYMMDD, six digits, a check character.

The check is ISO 7064 MOD 37,36: it finds every single wrong character and nearly every swap of two neighbours.
"""

import re
import secrets
from datetime import date
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SHAPE: Final = re.compile(r"[0-9]{12}[0-9A-Z]")


def order_code(day: date, number: int) -> str:
    """The code of the day's order with this number (1 to 999999)."""
    body = f"{day:%y%m%d}{number:06d}"
    return body + check_character(body)


def is_order_code(code: str) -> bool:
    """Whether it has the shape of a code and its check character fits."""
    return _SHAPE.fullmatch(code) is not None and check_character(code[:-1]) == code[-1]


def check_character(body: str) -> str:
    """ISO 7064 MOD 37,36 over digits and capital letters. Raises ValueError on other characters."""
    product = 36
    for character in body:
        product = (product + _ALPHABET.index(character)) % 36 or 36
        product = product * 2 % 37
    return _ALPHABET[(37 - product) % 36]


def check_code() -> str:
    """Four digits that a citizen gives together with the code to look an order up (查询码); not to be guessed."""
    return f"{secrets.randbelow(10_000):04d}"
