"""For those who run it: is it alive, is it ready, what does it count."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from callcenter import metrics
from callcenter.api import PUBLIC, Ask, Model, Routes

#: A part's name -> a question that answers None when the part is well, else what is wrong with it.
Part = Callable[[], Awaitable[str | None]]
PARTS: Final = web.AppKey("PARTS", dict[str, Part])
ANSWER_SECONDS: Final = 2.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0

routes = Routes("ops")
log = structlog.get_logger()


class Health(Model):
    status: str


@routes.get("/healthz", action=PUBLIC, out=Health)
async def healthz(ask: Ask) -> Health:
    """The process lives and its loop turns."""
    return Health(status="ok")


@routes.raw("GET", "/readyz", action=PUBLIC)
async def readyz(ask: Ask) -> web.StreamResponse:
    """200 when every part is there, else 503; either way which part is away."""
    parts = await _parts(ask.app)
    ready = not any(parts.values())
    return web.json_response(
        {"ready": ready, "parts": {name: wrong or "ok" for name, wrong in parts.items()}},
        status=200 if ready else 503,
    )


@routes.raw("GET", "/metrics", action=PUBLIC)
async def figures(ask: Ask) -> web.StreamResponse:
    """Counts for Prometheus, and which parts are there."""
    for name, wrong in (await _parts(ask.app)).items():
        metrics.PART_UP.labels(name).set(wrong is None)
    body = await asyncio.to_thread(generate_latest, REGISTRY)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _parts(app: web.Application) -> dict[str, str | None]:
    """Part -> what is wrong with it; None when it is well."""
    parts = app[PARTS]
    return dict(zip(parts, await asyncio.gather(*map(_ask, parts.values())), strict=True))


async def _ask(part: Part) -> str | None:
    try:
        return await asyncio.wait_for(part(), ANSWER_SECONDS)
    except TimeoutError:
        return f"no answer within {ANSWER_SECONDS:g} s"


async def keep(name: str, make: Callable[[], Awaitable[object]]) -> None:
    """Run a task that never ends, again when it fails: logged, counted, with a growing pause."""
    pause = FIRST_PAUSE
    metrics.TASK_RESTARTS.labels(name)  # shown as 0, so that the first failure is an increase
    while True:
        try:
            await make()
            return
        except Exception:
            metrics.TASK_RESTARTS.labels(name).inc()
            log.exception("task_failed", task=name, again_in=pause)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)
