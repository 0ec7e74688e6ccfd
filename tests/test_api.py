"""The router and the front door, as any visitor meets them."""

import asyncio
import gzip
import json
import re
from typing import Any

import pytest
from aiohttp import ClientSession, WSServerHandshakeError, web
from office import Office

from callcenter.api import ANY_USER, PUBLIC, ROUTES, Ask, Model, Route, Routes
from callcenter.openapi import describe
from callcenter.people.permissions import ACTIONS, BY_APPROVAL, ROLES, ROLES_IN_USE, may

LOGIN = {"login": "nobody", "password": "wrong password"}


def test_a_route_needs_an_action_of_the_table() -> None:
    async def handler(ask: Ask) -> None: ...

    with pytest.raises(ValueError, match="no action see_everything"):
        Route("room", "GET", "/x", "see_everything", handler)
    with pytest.raises(ValueError, match="needs path="):
        Route("room", "GET", "/x/{id}", PUBLIC, handler)


async def test_every_route_of_the_service_is_declared(office: Office) -> None:
    declared = {(route.method, route.url) for route in office.app[ROUTES]}
    served = {(route.method, route.resource.canonical) for route in office.app.router.routes() if route.resource}
    assert served == declared
    assert len(declared) > 20


async def test_only_what_must_be_is_public(office: Office) -> None:
    public = {f"{route.method} {route.url}" for route in office.app[ROUTES] if route.action == PUBLIC}
    assert {url for url in public if "/api/" in url} == {
        "GET /api/openapi.json",
        "GET /api/v1/about",
        "GET /api/v1/notices",
        "POST /api/v1/incoming-texts",
        "POST /api/v1/progress",
        "POST /api/v1/progress/acts",
        "POST /api/v1/session",
        "POST /api/v1/try",
    }


def test_the_permission_table_is_whole() -> None:
    assert len(ROLES) == 27
    assert len(ACTIONS) == 111
    assert set(ROLES_IN_USE) <= set(ROLES)
    assert may(["operator"], "answer_call")
    assert not may(["admin"], "answer_call")
    assert not may([], "answer_call")
    # A condition that cannot be checked yet keeps the door shut.
    assert not may(ROLES, "export_personal_data")
    assert not may(["oversight", "privacy"], "see_hidden_identity")
    with pytest.raises(KeyError):
        may(["admin"], "no_such_action")


async def test_every_cell_of_route_and_role(office: Office) -> None:
    """Every declared route, asked by nobody and by each role, answers as the table says (S12)."""
    visitors = {role: await office.logged_in(role) for role in ROLES_IN_USE}
    nobody = office.browser()
    wrong = []
    for route in office.app[ROUTES]:
        if route.action == PUBLIC or (route.method, route.url) == ("DELETE", "/api/v1/session"):
            continue
        url = re.sub(r"\{[^}]*\}", "0", route.url)
        status, answer = await nobody.ask(route.method, url)
        if (status, answer["error"]["code"]) != (401, "not_logged_in"):
            wrong.append((route.method, url, "nobody", status))
        for role, browser in visitors.items():
            status, answer = await browser.ask(route.method, url)
            refused = status == 403 and answer["error"]["code"] in ("not_allowed", "needs_approval")
            allowed = route.action == ANY_USER or may([role], route.action)
            # Open by approval: the route asks for it, and there is none.
            by_approval = route.approved and role in BY_APPROVAL[route.action]
            if by_approval and status in (403, 404, 422):
                continue
            if refused == allowed or status in (401, 500):
                wrong.append((route.method, url, role, status))
    assert wrong == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_json"),
        (b"{", 400, "bad_json"),
        (b"\xff\xfe", 400, "bad_json"),
        (b'{"login": "\xed\xa0\x80", "password": "x"}', 400, "bad_json"),
        (b'{"login": "\\ud800", "password": "x"}', 400, "bad_json"),
        (b"[" * 100_000, 400, "bad_json"),
        (b'{"login":' * 50_000, 400, "bad_json"),
        (b'{"login": ' + b"9" * 100_000 + b"}", 400, "bad_json"),
        (b'{"login": 1e999, "password": NaN}', 422, "not_valid"),
        (b"null", 422, "not_valid"),
        (b"[]", 422, "not_valid"),
        (b'"x"', 422, "not_valid"),
        (b"{}", 422, "not_valid"),
        (b'{"login": 5, "password": true}', 422, "not_valid"),
        (b'{"login": ["a"], "password": {}}', 422, "not_valid"),
        (b'{"login": "a", "password": "b", "roles": ["admin"]}', 422, "not_valid"),
        (b'{"login": "a\\u0000b", "password": "x"}', 422, "not_valid"),
        (b'{"login": "", "password": ""}', 422, "not_valid"),
        (b'{"login": "' + b"a" * 65 + b'", "password": "x"}', 422, "not_valid"),
    ],
    ids=range(19),
)
async def test_bad_bodies_are_refused_clearly(office: Office, body: bytes, status: int, code: str) -> None:
    async with (
        ClientSession() as session,
        session.post(
            f"{office.url}/api/v1/session",
            data=body,
            headers={"Content-Type": "application/json", "X-Callcenter": "1"},
        ) as response,
    ):
        error = (await response.json())["error"]
        assert (response.status, error["code"]) == (status, code)
        assert error["zh"] and error["en"]


async def test_an_escaped_backslash_is_no_nul(office: Office) -> None:
    status, _ = await office.browser().log_in("a\\u0000b", "x")
    assert status == 401


async def test_a_fault_names_its_field_in_both_languages(office: Office) -> None:
    _, answer = await office.browser().ask("POST", "/api/v1/session", {"login": "a" * 65, "more": 1})
    assert answer["error"]["fields"] == {
        "login": "最多 64 字 / at most 64 characters",
        "password": "必填 / required",
        "more": "未知字段 / unknown field",
    }


@pytest.mark.parametrize(
    "query", ["a=1", "now=%00", "%00=1", "a=1&a=2", "x=%ff%fe", "q=" + "a" * 5000, "=", "a=%ed%a0%80"]
)
async def test_bad_queries_are_refused_clearly(office: Office, query: str) -> None:
    async with ClientSession() as session, session.get(f"{office.url}/api/v1/about?{query}") as response:
        assert response.status == 422
        assert (await response.json())["error"]["code"] == "not_valid"


@pytest.mark.parametrize(
    "day", ["0", "1763801234", "2026-W01-1", "20260101", "2026-02-30", "２０２６-01-01", "2026-1-1", ""]
)
async def test_a_day_is_a_day(office: Office, day: str) -> None:
    supervisor = await office.logged_in("supervisor")
    assert (await supervisor.ask("GET", "/api/v1/calls?day=2026-02-28"))[0] == 200
    assert (await supervisor.ask("GET", f"/api/v1/calls?day={day}"))[0] == 422


async def test_bad_paths_are_refused_clearly(office: Office) -> None:
    admin = await office.logged_in("admin")
    for number in ("%00", "..%2f..%2fetc%2fpasswd", "1001'--", "%ff", "１００１", "1" * 4000, "1001%0d%0aX: y"):
        status, answer = await admin.ask("PATCH", f"/api/v1/seats/{number}", {"active": True})
        assert (status, answer["error"]["code"]) in ((422, "not_valid"), (404, "not_found")), number


async def test_bodies_too_large_packed_or_of_another_type(office: Office) -> None:
    url = f"{office.url}/api/v1/session"
    ours = {"X-Callcenter": "1"}
    packed = gzip.compress(json.dumps(LOGIN).encode())
    cases: list[tuple[bytes, dict[str, str], int, str]] = [
        (b'{"login": "' + b"a" * 2_000_000, {"Content-Type": "application/json"}, 413, "too_large"),
        (packed, {"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415, "packed"),
        (b"login=a&password=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "not_json"),
        (json.dumps(LOGIN).encode(), {"Content-Type": "text/plain"}, 415, "not_json"),
    ]
    async with ClientSession() as session:
        for body, headers, status, code in cases:
            async with session.post(url, data=body, headers=ours | headers) as response:
                assert (response.status, (await response.json())["error"]["code"]) == (status, code)


async def test_unknown_addresses_and_methods_answer_json(office: Office) -> None:
    browser = office.browser()
    assert (await browser.ask("GET", "/api/v1/nothing"))[1]["error"]["code"] == "not_found"
    response = await browser.send("PUT", "/api/v1/about")
    assert (response.status, response.headers["Allow"]) == (405, "GET")
    assert (await response.json())["error"]["code"] == "wrong_method"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Callcenter": "1", "Origin": "https://evil.example"},
        {"X-Callcenter": "1", "Origin": "null"},
        {"X-Callcenter": "1", "Origin": ""},
        {"X-Callcenter": "1", "Origin": "http://127.0.0.1"},
        {"X-Callcenter": "1", "Origin": "http://evil.example", "Host": "evil.example"},
        {"X-Callcenter": "1", "Origin": "http://[", "Host": "["},
        {"X-Callcenter": "1", "Sec-Fetch-Site": "cross-site"},
        {"X-Callcenter": "1", "Sec-Fetch-Site": "same-site"},
        {"X-Callcenter": "0"},
        {},
    ],
)
async def test_another_sites_page_is_turned_away(office: Office, headers: dict[str, str]) -> None:
    admin = await office.logged_in("admin")
    async with admin.session.post(f"{office.url}/api/v1/seats", json={"number": "4444"}, headers=headers) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (403, "cross_site")
    assert all(seat["number"] != "4444" for seat in (await admin.ask("GET", "/api/v1/seats"))[1]["items"])


async def test_our_own_page_and_a_program_may_pass(office: Office) -> None:
    port = office.url.rpartition(":")[2]
    async with ClientSession() as session:
        for headers in (
            {"Origin": f"http://localhost:{port}", "Host": f"localhost:{port}"},
            {"Origin": office.url, "Sec-Fetch-Site": "same-origin"},
            {},
        ):
            async with session.post(
                f"{office.url}/api/v1/session", json=LOGIN, headers={"X-Callcenter": "1"} | headers
            ) as response:
                assert response.status == 401


async def test_every_answer_carries_the_safety_rules(office: Office) -> None:
    browser = office.browser()
    for path in ("/api/v1/about", "/api/v1/nothing", "/api/v1/session", "/"):
        headers = (await browser.send("GET", path)).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "ws://127.0.0.1:8088" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "microphone=(self)" in headers["Permissions-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Server"] == "callcenter"


async def test_openapi_limits_every_value_that_comes_in(office: Office) -> None:
    """Each text a client may send has a largest length, each number bounds, each object known fields."""
    declared = office.app[ROUTES]
    document = describe(declared)
    schemas = document["components"]["schemas"]
    loose: list[str] = []

    def walk(shape: dict[str, Any], where: str) -> None:
        if "$ref" in shape:
            name = shape["$ref"].rpartition("/")[2]
            walk(schemas[name], f"{where} {name}")
        for part in (*shape.get("anyOf", ()), *shape.get("oneOf", ()), *shape.get("allOf", ())):
            walk(part, where)
        kind = shape.get("type")
        endless = re.search(r"[*+]|,\}", re.sub(r"\[[^]]*\]|\\.", "", shape.get("pattern", "*")))
        if kind == "string" and endless and not shape.keys() & {"maxLength", "enum", "const", "format"}:
            loose.append(where)
        if kind in ("integer", "number") and not {"minimum", "maximum"} <= shape.keys():
            loose.append(where)
        if kind == "array":
            walk(shape["items"], where)
            if "maxItems" not in shape:
                loose.append(where)
        if kind == "object":
            if shape.get("additionalProperties") is not False:
                loose.append(where)
            for name, inner in shape.get("properties", {}).items():
                walk(inner, f"{where}.{name}")

    for url, operations in document["paths"].items():
        for method, operation in operations.items():
            for parameter in operation["parameters"]:
                walk(parameter["schema"], f"{method} {url} {parameter['name']}")
            if "requestBody" in operation:
                walk(operation["requestBody"]["content"]["application/json"]["schema"], f"{method} {url}")
    assert "\n".join(loose) == ""


async def test_openapi_is_served(office: Office) -> None:
    status, document = await office.browser().ask("GET", "/api/openapi.json")
    assert status == 200
    assert document["openapi"] == "3.1.0"
    login = document["paths"]["/api/v1/session"]["post"]
    assert login["security"] == []
    assert document["paths"]["/api/v1/users"]["get"]["security"] == [{"session": []}]
    assert document["paths"]["/api/v1/users"]["get"]["x-action"] == "manage_users"
    names = [op["operationId"] for path in document["paths"].values() for op in path.values()]
    assert len(names) == len(set(names))


async def test_a_fault_of_ours_shows_nothing_inside(office: Office) -> None:
    """A handler that fails answers 500 in our shape, without a trace."""
    from callcenter.api import mount
    from callcenter.door import new_application

    class Given(Model):
        pass

    broken = Routes("broken")

    @broken.post("/api/v1/broken", action=PUBLIC, body=Given)
    async def fail(ask: Ask[Given]) -> None:
        raise RuntimeError("the caller was 13812345678")

    @broken.raw("GET", "/api/v1/socket", action=PUBLIC, status=101)
    async def socket(ask: Ask) -> web.StreamResponse:
        answer = web.WebSocketResponse()
        await answer.prepare(ask.request)
        await answer.send_str("hello")
        await answer.close()
        return answer

    app = new_application(office.settings, office.engine)
    mount(app, broken)
    with pytest.raises(ValueError, match="declared twice"):
        mount(app, broken)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with ClientSession() as session:
            async with session.post(f"{url}/api/v1/broken", json={}, headers={"X-Callcenter": "1"}) as response:
                assert response.status == 500
                assert (await response.json())["error"]["code"] == "internal"
                assert "13812345678" not in await response.text()
                assert "Traceback" not in await response.text()
            # A websocket from another site's page carries the victim's cookies: it is refused before the upgrade (S11).
            for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
                with pytest.raises(WSServerHandshakeError) as refused:
                    await session.ws_connect(f"{url}/api/v1/socket", headers=headers)
                assert refused.value.status == 403
            async with session.ws_connect(f"{url}/api/v1/socket", headers={"Origin": url}) as accepted:
                assert await accepted.receive_str() == "hello"
    finally:
        await runner.cleanup()


async def test_a_slow_body_is_given_up(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callcenter.api.BODY_SECONDS", 0.2)
    host, port = office.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Callcenter: 1\r\n"
        b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    assert b" 408 " in await asyncio.wait_for(reader.readline(), 5)
    writer.close()
