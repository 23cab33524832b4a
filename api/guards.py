"""Who may write, and what content types a route takes."""

from __future__ import annotations

import hmac
import ipaddress
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler

Connection = ASGIConnection[Any, Any, Any, Any]
NAMES = frozenset({"localhost", "localhost.localdomain"})
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="entrepot"'}


def may_write(connection: Connection, _: BaseRouteHandler) -> None:
    """With ``server.api_key`` set, its bearer; without it, programs on this machine only.

    For the latter the client's address and the ``Host`` must both be loopback (a name that
    was made to point here is not) and a browser's ``Origin`` must be this server's own.
    """
    shop = connection.app.state.shops.choose(connection)
    if key := shop.engine.settings.server.api_key:
        scheme, _sep, given = connection.headers.get("authorization", "").partition(" ")
        # Headers are bytes; ASGI frameworks show them as Latin-1.
        fits = hmac.compare_digest(given.strip().encode("latin-1"), key.encode())
        if scheme.lower() != "bearer" or not fits:
            raise NotAuthorizedException(
                "send the shop's server.api_key as 'Authorization: Bearer …'", headers=CHALLENGE
            )
        return
    host = connection.headers.get("host", "")
    origin = connection.headers.get("origin")
    client = connection.client.host if connection.client else ""
    own = origin is None or urlsplit(origin).netloc == host
    if not (own and _is_loopback(client) and _is_loopback(urlsplit(f"//{host}").hostname or "")):
        raise PermissionDeniedException(
            "without server.api_key only programs on the server's own machine may write; set "
            "server.api_key (ENTREPOT_SERVER__API_KEY) and send it as 'Authorization: Bearer …'"
        )


def may_record(connection: Connection, handler: BaseRouteHandler) -> None:
    """Anybody where ``events.public`` is set, else who may write."""
    if not connection.app.state.shops.choose(connection).engine.settings.events.public:
        may_write(connection, handler)


def takes_events(connection: Connection, _: BaseRouteHandler) -> None:
    _require(connection, "application/json", "application/x-ndjson", "application/jsonl")


def takes_json(connection: Connection, _: BaseRouteHandler) -> None:
    _require(connection, "application/json")


def takes_multipart(connection: Connection, _: BaseRouteHandler) -> None:
    _require(connection, "multipart/form-data")


def takes_ndjson(connection: Connection, _: BaseRouteHandler) -> None:
    _require(connection, "application/x-ndjson", "application/jsonl")


def _require(connection: Connection, *allowed: str) -> None:
    given = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in allowed:
        named = f"not {given!r}" if given else "none was sent"
        raise HTTPException(
            f"this route takes Content-Type {' or '.join(allowed)}, {named}", status_code=415
        )


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower() in NAMES
    # A client over IPv4 of a server that listens on "::".
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
