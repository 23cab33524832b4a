"""Photos from URLs, without letting a catalogue reach into the network it runs in.

A host is resolved once, every address it has must be public, and the connection goes to an
address that was checked, so a name that changes its mind between check and use gains
nothing. Every redirect passes the same checks. One clock runs over all of it.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from engine.errors import ForbiddenUrl, ImageTooLarge, InvalidImage, InvalidRequest
from engine.settings import ImageSettings

MAX_REDIRECTS = 3
_CHUNK = 65536
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port to the addresses that may be connected to; raises ForbiddenUrl."""


def resolve_public(host: str, port: int) -> list[str]:
    """All addresses of ``host``, if every one of them is public.

    Raises:
        ForbiddenUrl: one of them is private, loopback, link-local, multicast or reserved.
        InvalidImage: the name does not resolve.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise InvalidImage(f"images: cannot resolve {host!r}", field="images") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not is_public(address):
            raise ForbiddenUrl(
                f"images: {host!r} is {address}, which is not a public address", field="images"
            )
    return addresses


def is_public(address: str) -> bool:
    """Whether an IP address is reachable by everyone; IPv4 inside IPv6 is judged as IPv4."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


class Fetcher:
    """Fetches photos under ``limits``; thread-safe. Tests may give a resolver of their own."""

    def __init__(self, limits: ImageSettings, resolve: Resolve = resolve_public) -> None:
        self._limits = limits
        self._resolve = resolve

    def fetch(self, url: str) -> bytes:
        """The bytes behind ``url``.

        Raises:
            ForbiddenUrl: fetching is off, or scheme or address is not allowed.
            ImageTooLarge: more than ``max_bytes``. InvalidImage: it cannot be fetched.
        """
        if not self._limits.urls:
            raise ForbiddenUrl(
                "images: photos by URL are off; set images.urls = true to fetch them",
                field="images",
            )
        deadline = time.monotonic() + self._limits.timeout_s
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._get(url, deadline)
            if isinstance(answer, bytes):
                return answer
            url = _joined(url, answer)
        raise InvalidImage(f"images: more than {MAX_REDIRECTS} redirects", field="images")

    def _get(self, url: str, deadline: float) -> bytes | str:
        """The body, or where it redirects to."""
        parts, host, port = self._checked(url)
        addresses = self._resolve(host, port)
        try:
            with _connected(addresses, port, deadline) as raw, self._secured(raw, parts) as sock:
                # A server that drips bytes would keep every single read within its timeout.
                alarm = threading.Timer(deadline - time.monotonic(), _abort, [sock])
                alarm.daemon = True
                alarm.start()
                try:
                    answer = self._exchange(sock, parts, host, port)
                    if time.monotonic() >= deadline:
                        raise TimeoutError  # what the alarm cut off may look whole
                    return answer
                finally:
                    alarm.cancel()
        except InvalidRequest:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            slow = time.monotonic() >= deadline
            reason = f"no answer within {self._limits.timeout_s:g} s" if slow else str(error)
            raise InvalidImage(f"images: cannot fetch {url[:200]}: {reason}", field="images") from (
                error
            )

    def _checked(self, url: str) -> tuple[SplitResult, str, int]:
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").encode("idna").decode("ascii")
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except (ValueError, UnicodeError) as error:
            raise InvalidImage(f"images: {url[:200]!r} is not a URL", field="images") from error
        if parts.scheme not in self._limits.schemes or parts.scheme not in ("http", "https"):
            allowed = ", ".join(self._limits.schemes)
            raise ForbiddenUrl(
                f"images: {parts.scheme or 'no'} scheme in {url[:200]!r}; allowed: {allowed}",
                field="images",
            )
        if not host or parts.username is not None:
            raise ForbiddenUrl(f"images: {url[:200]!r} needs a plain host name", field="images")
        return parts, host, port

    def _secured(self, sock: socket.socket, parts: SplitResult) -> socket.socket:
        if parts.scheme != "https":
            return sock
        return _tls().wrap_socket(
            sock, server_hostname=parts.hostname, do_handshake_on_connect=False
        )

    def _exchange(
        self, sock: socket.socket, parts: SplitResult, host: str, port: int
    ) -> bytes | str:
        if isinstance(sock, ssl.SSLSocket):
            sock.do_handshake()
        connection = http.client.HTTPConnection(host, port)
        connection.sock = sock
        if port in (80, 443):
            connection.port = connection.default_port = port  # leaves it out of the Host header
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
        query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~?')}" if parts.query else ""
        headers = {"Accept": "image/*", "User-Agent": "entrepot", "Connection": "close"}
        connection.request("GET", path + query, headers=headers)
        response = connection.getresponse()
        if response.status in _REDIRECTS and (location := response.getheader("Location")):
            return location
        if response.status != 200:
            raise InvalidImage(f"images: the server answered {response.status}", field="images")
        return self._body(response)

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        limit, body = self._limits.max_bytes, bytearray()
        while chunk := response.read(min(_CHUNK, limit + 1 - len(body))):
            body += chunk
            if len(body) > limit:
                raise ImageTooLarge(f"images: more than {limit:,} bytes", field="images")
        if response.length:  # bytes that were announced and never came
            raise InvalidImage("images: the answer breaks off", field="images")
        return bytes(body)


@functools.cache
def _tls() -> ssl.SSLContext:
    """Made by the first HTTPS photo: reading the system's certificates takes 20 ms."""
    return ssl.create_default_context()


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        reason = f"images: {url[:200]} redirects to {location[:200]!r}, which is not a URL"
        raise InvalidImage(reason, field="images") from error


def _connected(addresses: Sequence[str], port: int, deadline: float) -> socket.socket:
    """A socket to the first of ``addresses`` that answers."""
    last: OSError = OSError("no address")
    for address in addresses:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            return socket.create_connection((address, port), timeout=left)
        except OSError as error:
            last = error
    raise last


def _abort(sock: socket.socket) -> None:
    """Wake whoever reads from ``sock``. The plain method, for TLS has its own shutdown."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
