"""The outermost layer: request ids, response headers, request metrics, encoded paths."""

from __future__ import annotations

import re
import time
import uuid

from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from .metrics import Metrics

PRODUCTS = b"/v1/products/"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_STATE_KEY = "entrepot_request_id"
_SAFE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


def request_id_of(scope: Scope) -> str:
    return str(scope["state"].get(_STATE_KEY, ""))


class Observe:
    """Wraps the whole application, so that requests that match no route count as well."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        scope = _head_as_get(scope)
        started, status = time.perf_counter(), 500
        request_id = _request_id(scope)
        scope["state"][_STATE_KEY] = request_id
        _keep_encoded(scope)

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            route = scope.get("path_template") or "none"
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.request(route, method, status, time.perf_counter() - started)


def _head_as_get(scope: HTTPScope) -> HTTPScope:
    """HEAD is GET whose body the server leaves out; it looks at the scope that it made."""
    return {**scope, "method": HttpMethod.GET} if scope["method"] == HttpMethod.HEAD else scope


def _keep_encoded(scope: HTTPScope) -> None:
    """Route product paths as they were sent: a ``%2F`` in an id is not a path separator.
    The routes decode the id themselves."""
    raw = scope.get("raw_path") or b""
    if raw.startswith(PRODUCTS) and b"%" in raw:
        scope["path"] = raw.partition(b"?")[0].decode("latin-1")


def _request_id(scope: Scope) -> str:
    """The client's own id where it is harmless to log, else a new one."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode() if _SAFE_ID.fullmatch(given) else uuid.uuid4().hex
