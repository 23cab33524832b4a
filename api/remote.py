"""A running server's answers, for the commands that talk to it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from engine.errors import EntrepotError, GateRefused, InvalidRequest
from engine.evaluation.gate import Evidence, Gate
from engine.schema import CORE_FIELDS, IndexSchema

from .schemas import Fields, Problem, Promoted, Promotion


def call(
    client: httpx.Client, method: str, path: str, body: Any = None, version: str = ""
) -> bytes:
    """The answer's body; a change may name the ``version`` that it is of.

    Raises:
        InvalidRequest, GateRefused, EntrepotError: what the server said was wrong, in its words.
    """
    content = None if body is None else msgspec.json.encode(body)
    headers = {} if body is None else {"Content-Type": "application/json"}
    if version:
        headers["If-Match"] = version
    try:
        response = client.request(method, path, content=content, headers=headers)
    except httpx.HTTPError as error:
        raise EntrepotError(f"the server at {client.base_url} does not answer: {error}") from error
    if response.is_success:
        return response.content
    problem = _problem(response)
    if problem.evidence is not None:
        raise GateRefused(problem.detail, field=problem.field or None, evidence=problem.evidence)
    kind = InvalidRequest if problem.status == 400 else EntrepotError
    raise kind(problem.detail, field=problem.field or None)


def promote_remotely(
    client: httpx.Client, generation: str, gate: Gate | None = None, *, force: bool = False
) -> Evidence | None:
    """Ask the server to make ``generation`` live; what its gate found, where there is one.

    Raises:
        GateRefused: it may not go live. What :func:`call` raises.
    """
    client.timeout = httpx.Timeout(None, connect=5.0)  # a gate asks every judged query twice
    path = f"/v1/generations/{quote(generation, safe='')}/promote"
    answer = call(client, "POST", path, Promotion(gate, force))
    return msgspec.json.decode(answer, type=Promoted).evidence


def declared_fields(client: httpx.Client) -> IndexSchema:
    """The server's schema."""
    found = msgspec.json.decode(call(client, "GET", "/v1/fields"), type=Fields)
    return IndexSchema({f.name: f.kind for f in found.fields if f.name not in CORE_FIELDS})


def _problem(response: httpx.Response) -> Problem:
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except msgspec.MsgspecError:
        detail = f"the server answered {response.status_code} {response.reason_phrase}"
        return Problem("about:blank", response.reason_phrase, response.status_code, detail)
