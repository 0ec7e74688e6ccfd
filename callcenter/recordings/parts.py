"""Sends what the vault has opened, whole or the part that the browser asks for (RFC 9110, 14)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import hdrs, web

from callcenter.api import Problem
from callcenter.recordings.flow import WrongRange, part_of
from callcenter.recordings.vault import Opened

PIECE: Final = 2**20


async def send(
    request: web.Request,
    opened: Opened,
    mime: str,
    headers: Mapping[str, str],
    wrong: Problem,
    first: Callable[[], Awaitable[None]] | None = None,
) -> web.StreamResponse:
    """Answer with what was opened, and close it.

    Args:
        headers: of the answer, besides those of its length and part.
        wrong: said of a part that is not there (416).
        first: done before the first byte leaves.
    """
    try:
        try:
            part = part_of(request.headers.get(hdrs.RANGE), opened.size)
        except WrongRange:
            problem = wrong.response()
            problem.headers[hdrs.CONTENT_RANGE] = f"bytes */{opened.size}"
            return problem
        start, end = part or (0, opened.size)
        if first is not None:
            await first()
        answer = web.StreamResponse(status=206 if part else 200, headers=headers)
        answer.content_type = mime
        answer.content_length = end - start
        answer.headers[hdrs.ACCEPT_RANGES] = "bytes"
        if part:
            answer.headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{end - 1}/{opened.size}"
        await answer.prepare(request)
        for at in range(start, end, PIECE):
            await answer.write(await asyncio.to_thread(opened.read, at, min(end, at + PIECE)))
        await answer.write_eof()
        return answer
    finally:
        opened.close()
