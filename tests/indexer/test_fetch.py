"""Photos by URL: what may be fetched, and what a hostile server can do (a loopback one)."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from engine.errors import ForbiddenUrl, ImageTooLarge, InvalidImage
from engine.settings import ImageSettings
from indexer import fetch as fetching
from indexer.fetch import Fetcher, is_public, resolve_public

BODY = bytes(range(256)) * 40
LIMITS = ImageSettings(urls=True, schemes=("http", "https"), max_bytes=20_000, timeout_s=20.0)


class Handler(BaseHTTPRequestHandler):
    """Answers by path; ``stop`` ends those that would go on for ever."""

    stop: threading.Event
    seen: list[str]

    def do_GET(self) -> None:
        self.seen.append(f"{self.headers['Host']} {self.path}")
        name, _, rest = self.path.lstrip("/").partition("?")
        answer = getattr(self, f"answer_{name.partition('/')[0]}", self.answer_photo)
        answer(rest)

    def answer_photo(self, rest: str, announced: int = len(BODY), body: bytes = BODY) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        self.wfile.write(body)

    def answer_to(self, location: str) -> None:
        self.send_response(302)
        self.send_header("Location", unquote(location))
        self.end_headers()

    def answer_loop(self, rest: str) -> None:
        self.answer_to("/loop")

    def answer_gone(self, rest: str) -> None:
        self.send_error(404)

    def answer_short(self, rest: str) -> None:
        self.answer_photo(rest, announced=len(BODY) + 1)

    def answer_large(self, rest: str) -> None:
        """More than the limit without saying how much."""
        self.send_response(200)
        self.end_headers()
        try:
            while not self.stop.is_set():
                self.wfile.write(BODY)
        except OSError:
            self.close_connection = True

    def answer_drip(self, rest: str) -> None:
        """A byte now and then, each well within any timeout for one read."""
        self.send_response(200)
        self.end_headers()
        try:
            while not self.stop.wait(0.01):
                self.wfile.write(b"x")
        except OSError:
            self.close_connection = True

    def answer_garbage(self, rest: str) -> None:
        self.wfile.write(b"\0\0\0\r\n\r\n")

    def log_message(self, *_: object) -> None: ...


class Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for the handlers

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what these tests are about."""


@pytest.fixture
def server() -> Iterator[Server]:
    handler = type("ThisHandler", (Handler,), {"stop": threading.Event(), "seen": []})
    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    handler.stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


def resolve(host: str, port: int) -> list[str]:
    """Only ``shop.example`` may be on this machine."""
    return ["127.0.0.1"] if host == "shop.example" else resolve_public(host, port)


def fetch(server: Server, path: str, limits: ImageSettings = LIMITS, scheme: str = "http") -> bytes:
    return Fetcher(limits, resolve).fetch(f"{scheme}://shop.example:{server.server_port}/{path}")


def test_a_photo_and_a_redirect(server: Server) -> None:
    assert fetch(server, "a photo.jpg?size=1 2") == BODY
    assert fetch(server, "to?/photo.jpg") == BODY
    assert fetch(server, "to?photo.jpg") == BODY
    host = f"shop.example:{server.server_port}"
    seen = server.RequestHandlerClass.seen  # type: ignore[attr-defined]
    assert seen[0] == f"{host} /a%20photo.jpg?size=1%202"


def test_the_address_is_resolved_once_per_hop(server: Server) -> None:
    """A name that answers differently the second time gets no second time."""
    asked = []

    def once(host: str, port: int) -> list[str]:
        asked.append(host)
        return resolve(host, port)

    url = f"http://shop.example:{server.server_port}/to?/photo"
    assert Fetcher(LIMITS, once).fetch(url) == BODY
    assert asked == ["shop.example", "shop.example"]


@pytest.mark.parametrize(
    "location",
    [
        *("http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/", "//127.0.0.1/x"),
        *("file:///etc/passwd", "ftp://shop.example/x", "gopher://shop.example", "https://@x@y/"),
    ],
)
def test_a_redirect_is_checked_like_a_first_url(server: Server, location: str) -> None:
    with pytest.raises(ForbiddenUrl):
        fetch(server, f"to?{location}")


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("loop", InvalidImage, "more than 3 redirects"),
        ("gone", InvalidImage, "answered 404"),
        ("short", InvalidImage, "breaks off"),
        ("large", ImageTooLarge, "more than 20,000 bytes"),
        ("garbage", InvalidImage, "cannot fetch"),
        ("to?http://shop.example:99999/", InvalidImage, "not a URL"),
        ("to?http://[/", InvalidImage, "not a URL"),
    ],
)
def test_bad_answers(server: Server, path: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        fetch(server, path)


def test_one_clock_runs_over_all_of_it(server: Server) -> None:
    limits = ImageSettings(urls=True, schemes=("http",), timeout_s=0.3)
    with pytest.raises(InvalidImage, match=r"no answer within 0\.3 s"):
        fetch(server, "drip", limits)


def test_https(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Path(__file__).parent / "tls"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / "cert.pem", keys / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    port = server.server_port
    with pytest.raises(InvalidImage, match="CERTIFICATE_VERIFY_FAILED"):
        fetch(server, "photo", scheme="https")
    trusting = ssl.create_default_context(cafile=keys / "cert.pem")
    monkeypatch.setattr(fetching, "_tls", lambda: trusting)
    assert fetch(server, "photo", scheme="https") == BODY
    # The certificate must be for the name that was asked for, not for the address.
    with pytest.raises(InvalidImage, match="CERTIFICATE_VERIFY_FAILED"):
        Fetcher(LIMITS, lambda *_: ["127.0.0.1"]).fetch(f"https://other.example:{port}/photo")
    # Plain HTTP at a TLS port, and the other way round.
    with pytest.raises(InvalidImage, match="cannot fetch"):
        fetch(server, "photo")


def test_tls_to_a_plain_server(server: Server) -> None:
    with pytest.raises(InvalidImage, match="cannot fetch"):
        fetch(server, "photo", scheme="https")


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/"),
        *("http://localhost/", "http://0.0.0.0/", "http://[::]/", "http://[::1]/"),
        *("http://10.0.0.1/", "http://192.168.1.1/", "http://172.16.0.1/", "http://100.64.0.1/"),
        *("http://169.254.169.254/latest/meta-data", "http://[fe80::1]/", "http://[fd00::1]/"),
        *("http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/"),
        *("http://224.0.0.1/", "http://255.255.255.255/", "http://240.0.0.1/", "http://[ff02::1]/"),
        *("file:///etc/passwd", "ftp://example.com/", "javascript:alert(1)", "x.jpg", ""),
        *("http://user:pass@example.com/", "http:///x", "http://@/"),
    ],
)
def test_forbidden(url: str) -> None:
    with pytest.raises(ForbiddenUrl):
        Fetcher(LIMITS).fetch(url)


def test_fetching_is_off_unless_switched_on() -> None:
    with pytest.raises(ForbiddenUrl, match=r"images\.urls = true"):
        Fetcher(ImageSettings()).fetch("https://example.com/x.jpg")
    only_https = ImageSettings(urls=True)
    with pytest.raises(ForbiddenUrl, match="allowed: https"):
        Fetcher(only_https).fetch("http://example.com/x.jpg")


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


def test_names_that_do_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no such name")

    monkeypatch.setattr(fetching.socket, "getaddrinfo", fail)
    with pytest.raises(InvalidImage, match=r"cannot resolve 'nowhere\.example'"):
        resolve_public("nowhere.example", 80)


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(0, 0, 0, "", (address, 80)) for address in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(fetching.socket, "getaddrinfo", lambda *_, **__: answers)
    with pytest.raises(ForbiddenUrl, match=r"10\.0\.0\.1"):
        resolve_public("mixed.example", 80)


def test_nobody_listens() -> None:
    with pytest.raises(InvalidImage, match="cannot fetch"):
        Fetcher(LIMITS, lambda *_: ["127.0.0.1"]).fetch("http://shop.example:9/x.jpg")
