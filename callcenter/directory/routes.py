"""The reference data for the pages: fetched once, then asked for with its ETag."""

import hashlib
from typing import Final

from aiohttp import web
from pydantic_core import to_json

from agents.seats import BREAKS
from callcenter.api import ANY_USER, Ask, Model, Routes
from callcenter.directory.city import (
    CATEGORIES,
    DEPARTMENTS,
    KINDS,
    REGIONS,
    URGENCIES,
    Category,
    Department,
    Kind,
    Named,
    Region,
)
from ivr.services import SERVICES

routes = Routes("directory")


class Line(Model):
    """A number that rings here (热线服务)."""

    number: str
    code: str
    zh: str
    en: str


class Reference(Model):
    kinds: list[Kind]
    urgencies: list[Named]
    categories: list[Category]
    regions: list[Region]
    departments: list[Department]
    services: list[Line]
    breaks: list[Named]


REFERENCE: Final = Reference(
    kinds=list(KINDS.values()),
    urgencies=list(URGENCIES.values()),
    categories=list(CATEGORIES.values()),
    regions=list(REGIONS.values()),
    departments=list(DEPARTMENTS.values()),
    services=[Line(number=each.number, code=each.code, zh=each.zh, en=each.en) for each in SERVICES],
    breaks=[Named(code=code, zh=zh, en=en) for code, (zh, en) in BREAKS.items()],
)
_BODY: Final = to_json(REFERENCE)
_ETAG: Final = hashlib.sha256(_BODY).hexdigest()[:32]


@routes.get("/api/v1/reference", action=ANY_USER, out=Reference)
async def reference(ask: Ask) -> web.StreamResponse:
    """Kinds, urgencies, categories, regions, departments, services and reasons for a break"""
    known = ask.request.if_none_match or ()
    fresh = any(tag.value in (_ETAG, "*") for tag in known)
    response = web.Response(status=304) if fresh else web.Response(body=_BODY, content_type="application/json")
    response.etag = _ETAG
    response.headers["Cache-Control"] = "private, no-cache"
    return response
