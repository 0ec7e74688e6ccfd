"""The description of the API (OpenAPI 3.1), drawn from the declared routes."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, Final

from aiohttp import web
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode
from pydantic_core import to_json

from callcenter.api import PUBLIC, ROUTES, Ask, Model, Route, Routes
from callcenter.door import SAFE
from callcenter.people.sessions import COOKIE

routes = Routes("api")

_PARTS: Final = {"body": "validation", "query": "validation", "path": "validation", "out": "serialization"}


class Error(Model):
    """What is wrong, in both languages; `fields` names what is wrong with single fields."""

    code: str
    zh: str
    en: str
    fields: dict[str, str] | None = None


class Failure(Model):
    """The body of every answer from 400 on."""

    error: Error


@routes.raw("GET", "/api/openapi.json", action=PUBLIC)
async def describe_api(ask: Ask) -> web.Response:
    """This description"""
    declared = ask.app[ROUTES]
    return web.Response(body=to_json(describe(declared)), content_type="application/json")


def describe(declared: Iterable[Route]) -> dict[str, Any]:
    """The OpenAPI document of these routes; pages and files, which are no API, are left out."""
    declared = [route for route in declared if route.url.startswith("/api/")]
    shapes: dict[tuple[int, str], tuple[JsonSchemaMode, TypeAdapter[Any]]] = {}
    for n, route in enumerate(declared):
        for part, mode in _PARTS.items():
            if (adapter := getattr(route, part)) is not None:
                shapes[n, part] = (mode, adapter)  # type: ignore[assignment]
    shapes[-1, "out"] = ("serialization", TypeAdapter(Failure))
    found, schemas = TypeAdapter.json_schemas(
        [(key, mode, adapter) for key, (mode, adapter) in shapes.items()],
        ref_template="#/components/schemas/{model}",
    )
    by_part = {key: schema for (key, _), schema in found.items()}
    components: dict[str, Any] = schemas.get("$defs", {})
    paths: dict[str, dict[str, Any]] = {}
    for n, route in enumerate(declared):
        parts = {part: by_part[n, part] for part in _PARTS if (n, part) in by_part}
        paths.setdefault(route.url, {})[route.method.lower()] = _operation(route, parts, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "12345", "version": version("callcenter-12345")},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": COOKIE}},
        },
    }


def _operation(route: Route, parts: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    parameters = _parameters("path", parts.get("path"), components) + _parameters(
        "query", parts.get("query"), components
    )
    if route.method not in SAFE:
        parameters.append({"name": "X-Callcenter", "in": "header", "required": True, "schema": {"const": "1"}})
    failure = {
        "description": "what is wrong, in both languages",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}},
    }
    success: dict[str, Any] = {"description": "done"}
    if "out" in parts:
        success["content"] = {"application/json": {"schema": parts["out"]}}
    operation: dict[str, Any] = {
        "operationId": f"{route.room}_{route.handler.__name__}",
        "tags": [route.room],
        "summary": route.summary,
        "x-action": route.action,
        "parameters": parameters,
        "responses": {str(route.success): success, "4XX": failure, "503": failure},
        "security": [] if route.action == PUBLIC else [{"session": []}],
    }
    if "body" in parts:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": parts["body"]}}}
    return operation


def _parameters(where: str, schema: dict[str, Any] | None, components: dict[str, Any]) -> list[dict[str, Any]]:
    if schema is None:
        return []
    model = components[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
    required = model.get("required", ())
    return [
        {"name": name, "in": where, "required": name in required, "schema": shape}
        for name, shape in model.get("properties", {}).items()
    ]
