"""The documentation: /openapi.json and Swagger UI, from files that we ship (api/static/swagger)."""

from __future__ import annotations

from pathlib import Path

import orjson
from aiohttp import web

from api import openapi
from api.refusals import not_found
from api.routes import NOTHING, Answer, Routes
from api.wiring import ROUTE_TABLE

DOCS = Routes("documentation")
_FILES = Path(__file__).parent / "static" / "swagger"
_MEDIA = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "start.js": "text/javascript",
    "favicon-32x32.png": "image/png",
    "LICENSE": "text/plain",
    "NOTICE": "text/plain",
}
# Swagger UI's own pictures are data: URLs. Scripts, styles and calls are ours alone.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_KEPT_S = 3600


@DOCS.add(
    "GET",
    "/openapi.json",
    takes=NOTHING,
    uses_redis=False,
    needs="read",
    answers={200: Answer("The document.", media="application/json")},
)
async def show_openapi(request: web.Request, _: None) -> web.Response:
    """Describe the API as OpenAPI 3.1."""
    return web.Response(
        body=orjson.dumps(openapi.document(request.app[ROUTE_TABLE])), content_type="application/json"
    )


@DOCS.add(
    "GET",
    "/docs",
    takes=NOTHING,
    uses_redis=False,
    needs="read",
    answers={200: Answer("The page.", media="text/html")},
)
async def show_docs(_request: web.Request, _: None) -> web.FileResponse:
    """Show the API in Swagger UI."""
    return _file("index.html", "text/html; charset=utf-8", kept_s=0)


@DOCS.add(
    "GET",
    "/docs/{file}",
    takes=NOTHING,
    uses_redis=False,
    needs="read",
    answers={200: Answer("The file.", media="*/*"), 304: Answer("Unchanged.")},
    refusals=(404,),
)
async def show_docs_file(request: web.Request, _: None) -> web.FileResponse:
    """Serve a file of Swagger UI."""
    name = request.match_info["file"]
    if name not in _MEDIA:
        raise not_found("no such file")
    return _file(name, _MEDIA[name], kept_s=_KEPT_S)


def _file(name: str, media: str, *, kept_s: int) -> web.FileResponse:
    headers = {
        "Content-Type": media,
        "Content-Security-Policy": _PAGE_POLICY,
        "Cache-Control": f"private, max-age={kept_s}" if kept_s else "no-cache",
    }
    return web.FileResponse(_FILES / name, headers=headers)
