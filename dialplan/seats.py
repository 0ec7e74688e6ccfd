"""seats.conf: the SIP accounts of the seats. Written from the database; reloaded without a restart."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from dialplan import names

HEADER = "; Written by the service from its table of seats. Do not edit.\n"


class SeatAccount(NamedTuple):
    """A seat's number (`1001`) and its SIP secret."""

    number: str
    secret: str


def seats_conf(seats: Iterable[SeatAccount]) -> str:
    """The whole file. Each seat has two endpoints: its number for a SIP phone, number + `w` for the browser.

    Only digests are written (RFC 7616, MD5, which every SIP phone speaks), no secret.
    """
    return HEADER + "".join(
        _endpoint(seat.number, "seat-phone", seat) + _endpoint(seat.number + names.BROWSER_SUFFIX, "seat-browser", seat)
        for seat in seats
    )


def _endpoint(name: str, template: str, seat: SeatAccount) -> str:
    digest = hashlib.md5(f"{name}:{names.REALM}:{seat.secret}".encode(), usedforsecurity=False).hexdigest()
    return f"""
[{name}]({template})
auth = {name}
aors = {name}

[{name}](seat-auth)
username = {name}
password_digest = MD5:{digest}

[{name}]({template}-aor)
"""
