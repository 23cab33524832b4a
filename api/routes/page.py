"""The web page: the files of ``api/web/``, served as they are."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

WEB = Path(__file__).parent.parent / "web"
INDEX = "index.html"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' https: http: blob: data:; manifest-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self)",
    "Cache-Control": "no-cache",
}


def page_handlers(folder: Path = WEB) -> list[HTTPRouteHandler]:
    """A route per file, so that no path a client sends ever reaches the file system;
    ``index.html`` is ``/``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [_handler(path, path.relative_to(folder).as_posix()) for path in files]


def _handler(path: Path, name: str) -> HTTPRouteHandler:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"

    @get("/" if name == INDEX else f"/{name}", include_in_schema=False, name=f"page:{name}")
    async def page_file() -> Response[bytes]:
        return Response(path.read_bytes(), media_type=kind, headers=HEADERS)

    return page_file
