"""Work that is begun and not waited for: what a sink does after it was told."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger()


class Begun:
    """Holds what it began until that has ended: asyncio alone would let it be collected in the middle.

    An error that the work did not expect is logged when it happens, not when the task is collected.
    """

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin, and return at once."""
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("begun_work_failed", exc_info=error)
