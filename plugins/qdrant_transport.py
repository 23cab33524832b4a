"""Calls to a Qdrant server: retried when the way there fails, errors told in our words.

The client raises httpx, gRPC and its own errors; they are told apart by what they carry, so
that nothing of the vendor needs importing before a shop really uses a server.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import RLock
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from engine import aside
from engine.errors import EntrepotError, NotFound, StoreError, StoreUnavailable

T = TypeVar("T")

BACKOFF_S = 0.1
"""Before the first retry; doubled each time."""

_TRANSIENT = {408, 429, 500, 502, 503, 504}
_GARBAGE = (json.JSONDecodeError, AssertionError)
"""What the client raises when another kind of server answers 200 with something else."""
_GRPC_STATUS = {
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
    "RESOURCE_EXHAUSTED": 429,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
}


class Transport:
    """One client and how to call it. The client's local mode is not thread-safe: one caller
    at a time there."""

    def __init__(self, client: Any, url: str, *, retries: int, secret: str, local: bool) -> None:
        self._client = client
        self._where = without_credentials(url)
        self._retries = retries
        self._secret = secret
        self._guard: AbstractContextManager[Any] = RLock() if local else nullcontext()

    def call(self, method: str, *args: Any, **options: Any) -> Any:
        """``client.method(…)``; safe to repeat, for every write here is idempotent.

        Raises:
            StoreUnavailable: no answer, or none in time, after all retries.
            NotFound: no such collection.
            StoreError: the server refused; its own words are in the message.
        """
        function: Callable[..., Any] = getattr(self._client, method)
        for attempt in range(self._retries + 1):
            try:
                with aside(), self._guard:
                    return function(*args, **options)
            except Exception as exc:
                status = _status(exc)
                if status in _TRANSIENT and attempt < self._retries:
                    time.sleep(BACKOFF_S * 2**attempt)
                    continue
                raise self._translated(exc, status) from exc
        raise AssertionError("unreachable")

    def close(self) -> None:
        self._client.close()

    def _translated(self, exc: Exception, status: int) -> EntrepotError:
        words = self._words(exc)
        if status in (401, 403):
            return StoreError(f"Qdrant at {self._where} refused the API key; check api_key")
        if status == 404 and _is_qdrant(exc):
            return NotFound(f"Qdrant at {self._where}: {words}")
        if status in _TRANSIENT or status == 404:
            return StoreUnavailable(
                f"no Qdrant server answers at {self._where} ({words}); check the url setting, "
                "that the server runs, and that its port can be reached from here"
            )
        return StoreError(f"Qdrant at {self._where}: {words}")

    def _words(self, exc: Exception) -> str:
        content = getattr(exc, "content", None)
        details = getattr(exc, "details", None)
        text = str(details() if callable(details) else exc)
        if isinstance(content, bytes):
            text = content.decode(errors="replace")
        text = " ".join(text.split())[:300]
        return text.replace(self._secret, "***") if self._secret else text


def without_credentials(url: str) -> str:
    """``url`` as it may be shown and logged."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _status(exc: Exception) -> int:
    """An HTTP status for any of the client's errors; 503 when the server was not reached."""
    if isinstance(status := getattr(exc, "status_code", None), int):
        return status
    if hasattr(exc, "source") or isinstance(exc, OSError):
        return 503
    if isinstance(exc, _GARBAGE):
        return 404
    if hasattr(exc, "retry_after_s"):
        return 429
    if callable(code := getattr(exc, "code", None)):
        return _GRPC_STATUS.get(code().name, 400)
    return 404 if "not found" in str(exc) and isinstance(exc, ValueError) else 400


def _is_qdrant(exc: Exception) -> bool:
    """Whether a 404 is Qdrant's own rather than that of some other web server."""
    content = getattr(exc, "content", None)
    if isinstance(exc, _GARBAGE):
        return False
    return not isinstance(content, bytes) or b'"status"' in content
