"""The reference data for the pages: fetched once, then asked for with its ETag."""

import hashlib
from functools import lru_cache

from aiohttp import web
from pydantic_core import to_json

from agents.breaks import Rules
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
from callcenter.floor.breaks import BREAKS_NOW
from ivr.services import SERVICES

routes = Routes("directory")


class Line(Model):
    """A number that rings here (热线服务), and the department whose line it is or was."""

    number: str
    code: str
    department: str
    zh: str
    en: str


class Break(Named):
    """A reason for a break; `minutes` a day at most, `counted` among those who may be away at once."""

    minutes: int | None
    counted: bool


class Reference(Model):
    kinds: list[Kind]
    urgencies: list[Named]
    categories: list[Category]
    regions: list[Region]
    departments: list[Department]
    services: list[Line]
    breaks: list[Break]
    away_share: float
    away_least: int


@lru_cache(maxsize=4)
def _told(rules: Rules) -> tuple[bytes, str]:
    """The reference with these limits of breaks, and its ETag."""
    limits = {limit.code: limit for limit in rules.limits}
    body = to_json(
        Reference(
            kinds=list(KINDS.values()),
            urgencies=list(URGENCIES.values()),
            categories=list(CATEGORIES.values()),
            regions=list(REGIONS.values()),
            departments=list(DEPARTMENTS.values()),
            services=[Line(number=n, code=code, department=owner, zh=zh, en=en) for n, code, owner, zh, en in SERVICES],
            breaks=[
                Break(code=code, zh=zh, en=en, minutes=limits[code].minutes, counted=limits[code].counted)
                for code, (zh, en) in BREAKS.items()
            ],
            away_share=rules.share / 100,
            away_least=rules.least,
        )
    )
    return body, hashlib.sha256(body).hexdigest()[:32]


@routes.get("/api/v1/reference", action=ANY_USER, out=Reference)
async def reference(ask: Ask) -> web.StreamResponse:
    """Kinds, urgencies, categories, regions, departments, services and reasons for a break"""
    body, etag = _told(ask.app[BREAKS_NOW].rules)
    known = ask.request.if_none_match or ()
    fresh = any(tag.value in (etag, "*") for tag in known)
    response = web.Response(status=304) if fresh else web.Response(body=body, content_type="application/json")
    response.etag = etag
    response.headers["Cache-Control"] = "private, no-cache"
    return response
