"""The typed router: one declaration gives a route its permission, its parsing, its answer and its place in OpenAPI.

    routes = Routes("people")

    @routes.post("/api/v1/session", action=PUBLIC, body=Login, out=Me)
    async def log_in(ask: Ask[Login]) -> Me: ...

Who asks is checked before anything of the request is parsed. A handler gets typed values and returns one; what it
cannot do it raises as a `Problem`. A handler may return a ready `web.StreamResponse` instead, and may put headers and
cookies on `ask.answer`.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Generic, NoReturn, Protocol

from aiohttp import web
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails, from_json, to_json
from sqlalchemy.ext.asyncio import AsyncEngine
from typing_extensions import TypeVar

from callcenter.clock import iso
from callcenter.people.permissions import ACTIONS, BY_APPROVAL, Person
from callcenter.people.sessions import COOKIE, SESSIONS
from callcenter.settings import Settings

ENGINE: Final = web.AppKey("ENGINE", AsyncEngine)
#: For what only reads: the same connections, without the messages that begin and end a transaction.
READING: Final = web.AppKey("READING", AsyncEngine)
SETTINGS: Final = web.AppKey("SETTINGS", Settings)

#: In place of an action: anyone, logged in or not; anyone who is logged in.
PUBLIC: Final = "PUBLIC"
ANY_USER: Final = "ANY_USER"

BODY_SECONDS: Final = 15.0


class Problem(Exception):
    """A refusal that the page can show: HTTP status, code in snake_case, one sentence in each language.

    `fields` names what is wrong with single fields of the body or the query.
    """

    def __init__(self, status: int, code: str, zh: str, en: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.status, self.code, self.zh, self.en, self.fields = status, code, zh, en, fields

    def response(self) -> web.Response:
        error = {"code": self.code, "zh": self.zh, "en": self.en} | ({"fields": self.fields} if self.fields else {})
        return web.Response(status=self.status, body=to_json({"error": error}), content_type="application/json")


class Model(BaseModel):
    """Base of everything that comes in or goes out: exact types, no unknown fields, never changed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


#: A moment as the API writes it: ISO 8601, UTC with `Z`, milliseconds.
Moment = Annotated[
    datetime,
    PlainSerializer(iso, return_type=str, when_used="json-unless-none"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


def _day(given: object) -> date:
    if type(given) is date:  # ours, on its way out
        return given
    if not isinstance(given, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", given):
        raise ValueError("must be YYYY-MM-DD")
    return date.fromisoformat(given)


def _whole(given: object) -> object:
    return int(given) if isinstance(given, float) and given.is_integer() else given


#: A day as YYYY-MM-DD and nothing else: pydantic alone would read `0` as the first of January 1970.
Day = Annotated[date, BeforeValidator(_day)]


def _moment(given: object) -> datetime:
    if not isinstance(given, str) or not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}", given):
        raise ValueError("must be an ISO 8601 moment")
    at = datetime.fromisoformat(given)
    if at.tzinfo is None:
        raise ValueError("must have its offset from UTC")
    return min(max(at, _EARLIEST), _LATEST)


_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

#: A moment that somebody tells us: ISO 8601 with an offset. One out of this century is its edge: reckoning ends there.
At = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]

#: Lets JSON write a whole number as `5.0`: `Annotated[int, Field(ge=0, le=9), WHOLE]`.
WHOLE: Final = BeforeValidator(_whole)

BodyT = TypeVar("BodyT", bound=Model | None, default=None)
QueryT = TypeVar("QueryT", bound=Model | None, default=None)
PathT = TypeVar("PathT", bound=Model | None, default=None)
OutT = TypeVar("OutT", default=None)


@dataclass(frozen=True, slots=True)
class Ask(Generic[BodyT, QueryT, PathT]):
    """One request, parsed: `Ask[Body]`, `Ask[None, Query]`, `Ask[Body, None, Path]`."""

    request: web.Request
    person: Person | None
    body: BodyT
    query: QueryT
    path: PathT
    #: The answer to come, for headers and cookies.
    answer: web.Response = field(default_factory=web.Response)

    @property
    def app(self) -> web.Application:
        return self.request.app

    @property
    def user(self) -> Person:
        """Who is logged in. Raises LookupError on a public route that nobody logged in for."""
        if self.person is None:
            raise LookupError("nobody is logged in on this route")
        return self.person


Handler = Callable[[Ask[BodyT, QueryT, PathT]], Awaitable[OutT | web.StreamResponse]]
RawHandler = Callable[[Ask[BodyT, QueryT, PathT]], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One declared route. `raw` routes answer by themselves: websockets, pages, files."""

    room: str
    method: str
    url: str
    action: str
    handler: Handler[Any, Any, Any, Any]
    status: int = 200
    raw: bool = False
    #: Open to those too who may do it with an approval; the handler asks for that.
    approved: bool = False
    body: TypeAdapter[Any] | None = None
    query: TypeAdapter[Any] | None = None
    path: TypeAdapter[Any] | None = None
    out: TypeAdapter[Any] | None = None

    def __post_init__(self) -> None:
        if self.action not in (PUBLIC, ANY_USER) and self.action not in ACTIONS:
            raise ValueError(f"{self.method} {self.url}: no action {self.action} in the permission table")
        if "{" in self.url and self.path is None and not self.raw:
            raise ValueError(f"{self.method} {self.url}: needs path=")

    @property
    def success(self) -> int:
        """The status of a good answer: 204 instead of 200 when there is nothing to say."""
        return 204 if self.status == 200 and self.out is None and not self.raw else self.status

    @property
    def summary(self) -> str:
        return (self.handler.__doc__ or self.handler.__name__.replace("_", " ")).strip().splitlines()[0]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Check who asks, parse, handle, answer."""
        person = None if self.action == PUBLIC else await request.app[SESSIONS].person(request.cookies.get(COOKIE))
        allow(person, self.action, approved=self.approved)
        path = parse_strings(self.path, request.match_info) if self.path else None
        shape = self.query or (None if self.raw else _NO_QUERY)
        query = parse_strings(shape, _single(request)) if shape else None
        body = parse_json(self.body, await read_body(request)) if self.body else None
        ask: Ask[Any, Any, Any] = Ask(request, person, body, query, path)
        result = await self.handler(ask)
        if isinstance(result, web.StreamResponse):
            return result
        ask.answer.set_status(self.success)
        if self.out:
            ask.answer.content_type = "application/json"
            ask.answer.body = self.out.dump_json(result)
        return ask.answer


class Declare(Protocol):
    """What `routes.get`, `routes.post` ... take: the action, the shapes, the status of success."""

    def __call__(
        self,
        url: str,
        /,
        *,
        action: str,
        body: type[BodyT] | None = None,
        query: type[QueryT] | None = None,
        path: type[PathT] | None = None,
        out: type[OutT] | None = None,
        status: int = 200,
        approved: bool = False,
    ) -> Callable[[Handler[BodyT, QueryT, PathT, OutT]], Handler[BodyT, QueryT, PathT, OutT]]: ...


class Routes:
    """The routes of one room."""

    def __init__(self, room: str) -> None:
        self.room = room
        self.declared: list[Route] = []
        self.get, self.post, self.put, self.patch, self.delete = map(
            self._verb, ("GET", "POST", "PUT", "PATCH", "DELETE")
        )

    def _verb(self, method: str) -> Declare:
        def declare(
            url: str,
            /,
            *,
            action: str,
            body: type[BodyT] | None = None,
            query: type[QueryT] | None = None,
            path: type[PathT] | None = None,
            out: type[OutT] | None = None,
            status: int = 200,
            approved: bool = False,
        ) -> Callable[[Handler[BodyT, QueryT, PathT, OutT]], Handler[BodyT, QueryT, PathT, OutT]]:
            def remember(handler: Handler[BodyT, QueryT, PathT, OutT]) -> Handler[BodyT, QueryT, PathT, OutT]:
                adapters = [TypeAdapter[Any](shape) if shape else None for shape in (body, query, path, out)]
                self.declared.append(Route(self.room, method, url, action, handler, status, False, approved, *adapters))
                return handler

            return remember

        return declare

    def raw(
        self,
        method: str,
        url: str,
        *,
        action: str,
        body: type[BodyT] | None = None,
        query: type[QueryT] | None = None,
        path: type[PathT] | None = None,
        status: int = 200,
        approved: bool = False,
    ) -> Callable[[RawHandler[BodyT, QueryT, PathT]], RawHandler[BodyT, QueryT, PathT]]:
        """Declare a route that answers by itself: a websocket (status 101), a page, a file."""

        def remember(handler: RawHandler[BodyT, QueryT, PathT]) -> RawHandler[BodyT, QueryT, PathT]:
            adapters = [TypeAdapter[Any](shape) if shape else None for shape in (body, query, path)]
            self.declared.append(Route(self.room, method, url, action, handler, status, True, approved, *adapters))
            return handler

        return remember


#: Every declared route of an application, for OpenAPI and for the test that finds undeclared ones.
ROUTES: Final = web.AppKey("ROUTES", list[Route])


def mount(app: web.Application, *rooms: Routes) -> None:
    """Add the rooms' routes to the application. Raises ValueError when a route is declared twice."""
    declared = app.setdefault(ROUTES, [])
    taken = {(route.method, route.url) for route in declared}
    for route in (route for room in rooms for route in room.declared):
        if (route.method, route.url) in taken:
            raise ValueError(f"{route.method} {route.url} is declared twice")
        taken.add((route.method, route.url))
        declared.append(route)
        app.router.add_route(route.method, route.url, route.serve)


def allow(person: Person | None, action: str, *, approved: bool = False) -> None:
    """Raise the 401 or 403 of someone who may not do the action.

    Args:
        approved: who may do it with an approval passes; the handler asks for that.
    """
    if action == PUBLIC:
        return
    if person is None:
        raise Problem(401, "not_logged_in", "请先登录", "Please log in first")
    if action != ANY_USER and not person.may(action):
        if not BY_APPROVAL[action].isdisjoint(person.roles):
            if approved:
                return
            raise Problem(
                403,
                "needs_approval",
                "此操作须经批准，系统暂不支持审批",
                "This needs an approval, which cannot be given yet",
            )
        raise Problem(403, "not_allowed", "您没有此项权限", "You are not allowed to do this")


async def read_body(request: web.Request) -> bytes:
    """The raw body of a JSON request, its size limited by the application and its time by `BODY_SECONDS`."""
    if request.content_type != "application/json":
        raise Problem(415, "not_json", "请求体须为 application/json", "The body must be application/json")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise Problem(408, "body_too_slow", "请求体接收超时", "The body came too slowly") from None


def parse_json(shape: TypeAdapter[Any], raw: bytes) -> Any:
    """A body in its shape. Raises Problem 400 when it is no JSON, 422 when it is not of the shape."""
    try:
        value = shape.validate_json(raw)
    except ValidationError as error:
        _refuse(error)
    if b"\\u0000" in raw and _has_nul(from_json(raw)):
        raise Problem(422, "not_valid", "文本中不得含空字符", "Text must not contain NUL characters")
    return value


def parse_strings(shape: TypeAdapter[Any], given: Mapping[str, str]) -> Any:
    """Path or query parameters in their shape. Raises Problem 422."""
    for name, text in given.items():
        if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in name + text):
            raise Problem(422, "not_valid", "参数中含非法字符", "A parameter holds characters that are not allowed")
    try:
        return shape.validate_strings(dict(given))
    except ValidationError as error:
        _refuse(error)


def _single(request: web.Request) -> dict[str, str]:
    if len(request.query) != len(set(request.query)):
        raise Problem(422, "not_valid", "参数重复", "A parameter is given twice")
    return dict(request.query)


class _NoQuery(Model):
    pass


_NO_QUERY: Final = TypeAdapter[Any](_NoQuery)


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(map(_has_nul, value)) or any(map(_has_nul, value.values()))
    return isinstance(value, list) and any(map(_has_nul, value))


#: What pydantic calls a fault -> how a page says it.
_FAULTS: Final = {
    "missing": "必填 / required",
    "extra_forbidden": "未知字段 / unknown field",
    "string_too_long": "最多 {max_length} 字 / at most {max_length} characters",
    "string_too_short": "至少 {min_length} 字 / at least {min_length} characters",
    "too_long": "最多 {max_length} 项 / at most {max_length} items",
    "too_short": "至少 {min_length} 项 / at least {min_length} items",
    "string_pattern_mismatch": "格式不正确或含控制字符 / not in the right form, or with control characters",
    "literal_error": "须为 {expected} 之一 / must be one of {expected}",
    "enum": "须为 {expected} 之一 / must be one of {expected}",
}


def _fault(error: ErrorDetails) -> str:
    return _FAULTS.get(error["type"], "格式不正确 / {msg}").format(msg=error["msg"], **error.get("ctx", {}))


def _refuse(error: ValidationError) -> NoReturn:
    faults = error.errors(include_url=False, include_input=False)
    if faults[0]["type"] == "json_invalid":
        raise Problem(400, "bad_json", "请求体不是合法的 JSON", "The body is not valid JSON") from None
    fields = {".".join(map(str, fault["loc"])) or "body": _fault(fault) for fault in faults[:50]}
    raise Problem(422, "not_valid", "有字段不正确", "Some fields are not right", fields) from None
