"""The built pages: one index.html for every page's address, and its files, whose names carry a hash of what is in them.

The files are listed when the service starts. A name that is not in the list is not there, so no address can reach out
of the folder.
"""

from pathlib import Path
from typing import Final

from aiohttp import web

from callcenter.api import PUBLIC, Ask, Routes

#: Addresses that the browser's router knows.
PAGES: Final = (
    *("/", "/login", "/desk", "/wallboard", "/try", "/admin"),
    *("/calls", "/callbacks", "/calls/{id}", "/orders", "/orders/{code}", "/inbox", "/dispatch"),
    *("/hours", "/numbers", "/announce", "/expert", "/routing", "/staffing"),
    *("/notices", "/progress"),
    *("/visits", "/visits/{code}", "/audits", "/audits/{code}", "/policies", "/duties", "/flow", "/unit-report"),
    *("/alarms", "/breaks", "/experts", "/deletions", "/audit", "/privacy"),
    *("/quality", "/quality/{tab}", "/quality/{tab}/{id}"),
)
FOLDER: Final = Path(__file__).with_name("static")
FILES: Final = web.AppKey("FILES", dict[str, Path])

routes = Routes("pages")


def built(folder: Path = FOLDER) -> dict[str, Path]:
    """Address -> file of everything that the web's build made; empty when it was not built."""
    files = {f"/{path.relative_to(folder).as_posix()}": path for path in folder.rglob("*") if path.is_file()}
    if (icon := files.get("/icon.svg")) is not None:
        files["/favicon.ico"] = icon  # browsers ask for it before they have read the page that names the other
    return files


async def page(ask: Ask) -> web.StreamResponse:
    """A page"""
    index = ask.app[FILES].get("/index.html")
    if index is None:
        return web.Response(status=503, text="The pages are not built: run `make setup`.\n")
    return web.FileResponse(index, headers={"Cache-Control": "no-cache"})


@routes.raw("GET", "/{file}", action=PUBLIC)
@routes.raw("GET", "/assets/{file}", action=PUBLIC)
async def file(ask: Ask) -> web.StreamResponse:
    """A file of the pages"""
    found = ask.app[FILES].get(ask.request.path)
    if found is None:
        raise web.HTTPNotFound
    hashed = ask.request.path.startswith("/assets/")
    kept = "public, max-age=31536000, immutable" if hashed else "no-cache"
    return web.FileResponse(found, headers={"Cache-Control": kept})


for _address in PAGES:
    routes.raw("GET", _address, action=PUBLIC)(page)
