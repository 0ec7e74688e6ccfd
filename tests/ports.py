"""Ports of the tests' own servers."""

import os
import random
import socket
from collections.abc import Iterator
from itertools import chain, cycle


def _mine() -> Iterator[int]:
    """Round and round the share of this worker, so that no two workers ask for one port.

    Above those that the kernel gives to outgoing connections, which are also above those that an instance chooses.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = range(61000, 65500)[worker :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]
    begin = random.randrange(len(share))  # another run of the tests may be under way
    return cycle(chain(share[begin:], share[:begin]))


_PORTS = _mine()


def free_port() -> int:
    """One that is free for TCP and UDP alike, and that this worker has not been given lately."""
    return next(port for port in _PORTS if _is_free(port))


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
