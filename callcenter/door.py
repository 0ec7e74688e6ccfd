"""The front door: what stands before every route and after every answer.

Errors become one JSON shape, other sites are turned away, every answer carries the browser's safety rules, and every
request leaves one line in the log and one count in the metrics, by route and never by address, so that no caller's
number gets into either.
"""

import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

import structlog
from aiohttp import hdrs, web
from sqlalchemy.ext.asyncio import AsyncEngine

from callcenter.api import ENGINE, READING, SETTINGS, Problem
from callcenter.metrics import HTTP_SECONDS
from callcenter.people.passwords import PASSWORDS, Passwords
from callcenter.people.sessions import SESSIONS, Sessions
from callcenter.people.throttle import THROTTLE, Throttle
from callcenter.settings import Settings
from callcenter.store.engine import is_absence

BODY_BYTES: Final = 1024 * 1024
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_COUNTED: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})

#: A request's name is of letters: digits in a row would be masked as a telephone number.
_LETTERS: Final = str.maketrans("0123456789abcdef", "abcdefghijklmnop")

_log = structlog.get_logger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def new_application(settings: Settings, engine: AsyncEngine) -> web.Application:
    """An application with the door built in; the rooms are mounted on it."""
    app = web.Application(middlewares=[watch, keep_out], client_max_size=BODY_BYTES)
    app[SETTINGS] = settings
    app[ENGINE] = engine
    app[READING] = engine.execution_options(isolation_level="AUTOCOMMIT")
    app[SESSIONS] = Sessions(engine, lasts=timedelta(hours=settings.session_hours))
    app[PASSWORDS] = Passwords()
    app[THROTTLE] = Throttle()
    rules = safety_rules(settings)

    async def add_rules(_: web.Request, response: web.StreamResponse) -> None:
        for name, value in rules.items():
            response.headers.setdefault(name, value)
        response.headers[hdrs.SERVER] = "callcenter"

    app.on_response_prepare.append(add_rules)
    return app


def safety_rules(settings: Settings) -> dict[str, str]:
    """The headers that every answer carries."""
    sip = urlsplit(settings.sip_ws_url)
    policy = {
        "default-src": "'self'",
        "connect-src": f"'self' {sip.scheme}://{sip.netloc}",
        "img-src": "'self' data:",
        "media-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    rules = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), payment=(), usb=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cache-Control": "no-store",
    }
    if (settings.public_origin or "").startswith("https:"):
        rules["Strict-Transport-Security"] = "max-age=31536000"
    return rules


def same_site(request: web.Request) -> bool:
    """Whether a browser that sent this was on a page of ours; what is no browser sends neither header and passes.

    An Origin is compared with the configured one, or with Host as long as Host is this machine's own address: a foreign
    name that was pointed at us (DNS rebinding) is not ours.
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get(hdrs.ORIGIN)
    settings = request.app[SETTINGS]
    if origin is None or origin == settings.public_origin:
        return True
    ours = {"127.0.0.1", "localhost", "::1", settings.host}
    try:
        return origin == f"http://{request.host}" and urlsplit(origin).hostname in ours
    except ValueError:
        return False


@web.middleware
async def keep_out(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn away what another site's page sends (CSRF, websocket hijacking) and bodies that are packed."""
    if request.match_info.http_exception is None:
        unsafe = request.method not in SAFE
        socket = request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"
        if (unsafe or socket) and not same_site(request):
            raise Problem(403, "cross_site", "请求来自其他网站，已拒绝", "Refused: the request comes from another site")
        if unsafe and request.headers.get("X-Callcenter") != "1":
            raise Problem(403, "cross_site", "缺少请求头 X-Callcenter", "The header X-Callcenter is missing")
        if request.headers.get(hdrs.CONTENT_ENCODING, "identity") != "identity":
            raise Problem(415, "packed", "不接受压缩的请求体", "A compressed body is not accepted")
    return await handler(request)


@web.middleware
async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Name the request, answer errors as JSON, log and count."""
    began = time.perf_counter()
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    name = secrets.token_hex(5).translate(_LETTERS)
    with structlog.contextvars.bound_contextvars(request=name):
        response = await _answer(request, handler)
        seconds = time.perf_counter() - began
        method = request.method if request.method in _COUNTED else "other"
        if not isinstance(response, web.WebSocketResponse):  # its time is that of a shift, not of an answer
            HTTP_SECONDS.labels(method, route, str(response.status)).observe(seconds)
        _log.info("http", method=method, route=route, status=response.status, ms=round(seconds * 1000, 1))
        if not response.prepared:
            response.headers["X-Request-Id"] = name
    return response


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Problem as problem:
        return problem.response()
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _http_problem(error)
    except Exception as error:
        if request.writer.output_size:  # the answer had begun; nothing can be said any more
            raise
        if is_absence(error):
            _log.warning("database_away", error=type(error).__name__)
            return Problem(503, "database_away", "数据库暂不可用", "The database is away at the moment").response()
        _log.exception("http_failed")
        return Problem(500, "internal", "系统内部错误", "Something went wrong inside").response()


def _http_problem(error: web.HTTPException) -> web.Response:
    code, zh, en = {
        404: ("not_found", "没有这个地址", "There is nothing at this address"),
        405: ("wrong_method", "不支持此方法", "This method is not supported here"),
        413: ("too_large", "请求体过大", "The body is too large"),
    }.get(error.status, ("bad_request", "请求不正确", "The request is not right"))
    response = Problem(error.status, code, zh, en).response()
    if hdrs.ALLOW in error.headers:
        response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
    return response
