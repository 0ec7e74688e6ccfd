"""Codes of work orders (工单编号), which a citizen may be told over the phone: YYMMDD, six digits, a check character.

The check is ISO 7064 MOD 37,36: it finds every single wrong character and nearly every swap of two neighbours.
"""

import re
import secrets
from datetime import date
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from callcenter.api import Problem

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SHAPE: Final = re.compile(r"[0-9]{12}[0-9A-Z]")


def order_code(day: date, number: int) -> str:
    """The code of the day's order with this number (1 to 999999)."""
    body = f"{day:%y%m%d}{number:06d}"
    return body + check_character(body)


def is_order_code(code: str) -> bool:
    """Whether it has the shape of a code and its check character fits."""
    return _SHAPE.fullmatch(code) is not None and check_character(code[:-1]) == code[-1]


def wrong_code() -> Problem:
    """A slip of the pen, seen without looking: nothing is learned of what is there."""
    return Problem(
        422,
        "wrong_code",
        "工单编号有误：校验位不符，请核对后重新输入",
        "That is no order's code: its check character does not fit; please look again",
        {"code": "校验位不符 / the check character does not fit"},
    )


def checked(code: str) -> str:
    """The code as it is. Raises the Problem of a wrong one."""
    if not is_order_code(code):
        raise wrong_code()
    return code


#: An order's code as somebody tells it: of the shape, or 422 as any field; with its check character, or `wrong_code`.
OrderCode = Annotated[str, Field(pattern=r"^[0-9]{12}[0-9A-Z]$"), AfterValidator(checked)]


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
