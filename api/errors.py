"""Errors as HTTP answers: problem details by RFC 9457, one table from class to status."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from msgspec import structs

from engine.errors import (
    CompiledMismatch,
    EditConflict,
    EncoderError,
    EntrepotError,
    ForbiddenUrl,
    GateRefused,
    GenerationLive,
    ImageTooLarge,
    IndexMismatch,
    InvalidBook,
    InvalidFilter,
    InvalidImage,
    InvalidModel,
    InvalidProduct,
    InvalidRequest,
    InvalidRules,
    InvalidSettings,
    InvalidSynonyms,
    NoAccelerator,
    NoIndex,
    NotFound,
    PluginError,
    StoreError,
    StoreLocked,
    StoreUnavailable,
    UnknownPlugin,
    UnsupportedModality,
)

from .observe import request_id_of
from .openapi import PROBLEM
from .schemas import Problem

log = logging.getLogger(__name__)

STATUS: dict[type[EntrepotError], int] = {
    EntrepotError: 500,
    InvalidRequest: 400,
    InvalidFilter: 400,
    InvalidProduct: 400,
    InvalidImage: 400,
    ImageTooLarge: 413,
    ForbiddenUrl: 400,
    NotFound: 404,
    InvalidBook: 409,
    InvalidRules: 409,
    InvalidSynonyms: 409,
    EditConflict: 412,
    GateRefused: 409,
    InvalidSettings: 500,
    PluginError: 500,
    UnknownPlugin: 500,
    EncoderError: 500,
    InvalidModel: 500,
    UnsupportedModality: 400,
    NoAccelerator: 500,
    CompiledMismatch: 500,
    StoreError: 500,
    StoreUnavailable: 503,
    StoreLocked: 503,
    GenerationLive: 409,
    IndexMismatch: 409,
    NoIndex: 503,
}
"""Every class of :mod:`engine.errors`; a test proves that none is missing."""

_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")
_UNKNOWN_FIELD = re.compile(r"unknown field `([^`]+)`")
_MISSING_FIELD = re.compile(r"missing required field `([^`]+)`")
_ITEM = re.compile(r"`\$\.data(\[\d+\][^`]*)`$")
"""Where in a list something is wrong, which Litestar leaves out of what it tells."""

AnyRequest = Request[Any, Any, Any]


def on_entrepot_error(request: AnyRequest, error: EntrepotError) -> Response[Problem]:
    """The engine's own errors: their messages are written for the caller."""
    status = STATUS[_known(type(error))]
    if status >= 500:
        # 503 is a state that health reports too, not an incident of this request.
        level = logging.WARNING if status == 503 else logging.ERROR
        log.log(level, "%s: %s: %s", request_id_of(request.scope), type(error).__name__, error)
    words = _WORD_START.sub(" ", type(error).__name__).capitalize()
    slug = _WORD_START.sub("-", type(error).__name__).lower()
    answered = _respond(request, f"urn:entrepot:{slug}", words, status, str(error), error.field)
    if isinstance(error, GateRefused):
        answered.content = structs.replace(answered.content, evidence=error.evidence)
    return answered


def on_http_error(request: AnyRequest, error: HTTPException) -> Response[Problem]:
    """Litestar's errors: routing, decoding, limits, guards."""
    title = HTTPStatus(error.status_code).phrase
    headers = dict(error.headers or {})
    if isinstance(error, ValidationException):
        return _invalid_input(request, error)
    return _respond(
        request, "about:blank", title, error.status_code, error.detail, None, headers=headers
    )


def on_unknown_error(request: AnyRequest, error: Exception) -> Response[Problem]:
    """A bug: logged whole, answered without its insides."""
    log.error("%s: unexpected error", request_id_of(request.scope), exc_info=error)
    detail = "Something went wrong on the server; its log has the details under this request_id."
    return _respond(request, "about:blank", "Internal Server Error", 500, detail, None)


def on_bad_encoding(request: AnyRequest, error: Exception) -> Response[Problem]:
    """A form's text in an encoding that is unknown or is not the one it claims to be."""
    if not isinstance(error, UnicodeDecodeError) and type(error) is not LookupError:
        return on_unknown_error(request, error)
    detail = f"the form's text cannot be decoded: {error}"
    return _respond(request, "urn:entrepot:invalid-request", "Invalid request", 400, detail, None)


EXCEPTION_HANDLERS: dict[int | type[Exception], Any] = {
    EntrepotError: on_entrepot_error,
    HTTPException: on_http_error,
    Exception: on_unknown_error,
}


def _known(kind: type[EntrepotError]) -> type[EntrepotError]:
    """The class itself or, for a plugin's own subclass, its nearest listed ancestor."""
    return next(base for base in kind.__mro__ if base in STATUS)


def _invalid_input(request: AnyRequest, error: ValidationException) -> Response[Problem]:
    """Values that do not fit the declared types: every one by its field."""
    found: list[dict[str, str]] = []
    for item in error.extra if isinstance(error.extra, list) else []:
        message, key = str(item.get("message", "")), str(item.get("key", ""))
        if named := _UNKNOWN_FIELD.search(message) or _MISSING_FIELD.search(message):
            key = named[1]
        key = key.removeprefix("data").lstrip(".")
        if not key and (place := _ITEM.search(str(error.__cause__))):
            key = re.sub(r"\[(\d+)\]", r".\1", place[1]).lstrip(".")
        found.append({"field": key, "message": message})
    detail = "; ".join(": ".join(filter(None, e.values())) for e in found) or error.detail
    field = found[0]["field"] if found else None
    return _respond(
        request, "urn:entrepot:invalid-request", "Invalid request", 400, detail, field, found
    )


def _respond(
    request: AnyRequest,
    type: str,
    title: str,
    status: int,
    detail: str,
    field: str | None,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response[Problem]:
    problem = Problem(
        type, title, status, detail, field or "", errors or [], request_id_of(request.scope)
    )
    return Response(problem, status_code=status, media_type=PROBLEM, headers=headers or {})
