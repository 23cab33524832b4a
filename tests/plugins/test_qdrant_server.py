"""The client's local mode and, where there is one, a real server keep the store contract; a
server that is wrong, slow or strict is met with clear errors."""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.errors import InvalidRequest, StoreError, StoreUnavailable
from engine.protocols import VectorStores
from engine.testing.store_contract import StoreContract
from engine.testing.store_fixtures import POINTS, fill
from plugins import qdrant_transport
from plugins.qdrant_server import ServerOptions, ServerStores, connect


class TestQdrantLocal(StoreContract):
    @classmethod
    def make_stores(cls, folder: Path) -> ServerStores:
        return connect(ServerOptions(url=":memory:"))

    def reopen(self, stores: VectorStores, folder: Path) -> VectorStores:
        return stores


@pytest.mark.qdrant
class TestQdrantServer(StoreContract):
    """Each backend is a shop of its own, removed afterwards."""

    recall_points = 20_000
    recall_dim = 64
    options = ServerOptions(exact_below_kb=1000)

    @classmethod
    def make_stores(cls, folder: Path) -> ServerStores:
        url, shop = os.environ["ENTREPOT_TEST_QDRANT_URL"], f"test-{uuid.uuid4().hex}"
        return connect(msgspec.structs.replace(cls.options, url=url, shop=shop))

    def reopen(self, stores: VectorStores, folder: Path) -> VectorStores:
        assert isinstance(stores, ServerStores)
        return connect(stores.options)

    @classmethod
    def dispose(cls, stores: VectorStores) -> None:
        assert isinstance(stores, ServerStores)
        stores.drop_everything()
        stores.close()


@pytest.mark.qdrant
class TestQdrantServerGrpc(TestQdrantServer):
    recall_points = 1000
    options = ServerOptions(exact_below_kb=1000, grpc=True, quantization="scalar")


class FakeServer(HTTPServer):
    """Answers each request with the next of ``answers`` (the last one again and again)."""

    answers: list[tuple[int, bytes]]
    paths: list[str]


class Handler(BaseHTTPRequestHandler):
    server: FakeServer

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        answers = self.server.answers
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer(("127.0.0.1", 0), Handler)
    fake.paths = []
    thread = threading.Thread(target=fake.serve_forever, args=(0.01,))
    thread.start()
    yield fake
    fake.shutdown()
    thread.join()
    fake.server_close()


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qdrant_transport, "BACKOFF_S", 0.0)


def stores_at(server: FakeServer, **options: Any) -> ServerStores:
    return connect(ServerOptions(url=f"http://127.0.0.1:{server.server_port}", **options))


ALIASES = json.dumps(
    {"result": {"aliases": [{"alias_name": "shop", "collection_name": "shop--g7"}]}}
).encode()
BUSY = b'{"status": {"error": "overloaded"}}'


def test_a_busy_server_is_asked_again(server: FakeServer) -> None:
    server.answers = [(503, BUSY), (429, BUSY), (200, ALIASES)]
    assert stores_at(server).current() == "g7"
    assert len(server.paths) == 3


def test_retries_end(server: FakeServer) -> None:
    server.answers = [(503, BUSY)]
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1.*overloaded.*url setting"):
        stores_at(server, retries=1).current()
    assert len(server.paths) == 2


def test_a_refusal_is_not_repeated(server: FakeServer) -> None:
    server.answers = [(400, b'{"status": {"error": "bad vector"}}')]
    with pytest.raises(StoreError, match="bad vector"):
        stores_at(server).current()
    assert len(server.paths) == 1


@pytest.mark.parametrize("body", [b"<html>not here</html>", b'{"detail": "nope"}'])
def test_another_web_server_is_not_qdrant(server: FakeServer, body: bytes) -> None:
    server.answers = [(404, body)]
    with pytest.raises(StoreUnavailable, match="no Qdrant server answers"):
        stores_at(server).generations()
    server.answers = [(200, body)]
    with pytest.raises(StoreUnavailable, match="no Qdrant server answers"):
        stores_at(server).generations()


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
@pytest.mark.parametrize("status", [400, 401, 403, 503])
def test_the_api_key_stays_secret(server: FakeServer, status: int) -> None:
    server.answers = [(status, b'{"status": {"error": "key s3cret is wrong"}}')]
    stores = stores_at(server, api_key="s3cret", retries=0)
    with pytest.raises(StoreError) as failure:
        stores.current()
    assert "s3cret" not in str(failure.value)
    assert "s3cret" not in repr(stores.options)
    assert ("check api_key" in str(failure.value)) == (status in (401, 403))


@pytest.mark.parametrize("grpc", [False, True])
@pytest.mark.parametrize("host", ["127.0.0.1:9", "user:pass@nowhere.invalid:6333"])
def test_a_wrong_url_is_told(host: str, grpc: bool) -> None:
    stores = connect(ServerOptions(url=f"http://{host}", grpc=grpc, grpc_port=9, timeout_s=2))
    with pytest.raises(StoreUnavailable, match=host.split("@")[-1]) as failure:
        stores.open("g")
    assert "pass" not in str(failure.value)
    stores.close()


@pytest.mark.parametrize("shop", ["", "a--b", "a/b"])
def test_shop_names_that_would_mix_up_collections(shop: str) -> None:
    with pytest.raises(InvalidRequest, match="shop"):
        connect(ServerOptions(url=":memory:", shop=shop))


def test_two_shops_share_a_server() -> None:
    first = connect(ServerOptions(url=":memory:", shop="first"))
    second = ServerStores(
        first.transport, first.models, ServerOptions(url=":memory:", shop="second")
    )
    for stores, name in ((first, "g1"), (second, "g2")):
        fill(stores, name, POINTS[:3])
        stores.promote(name)
    assert (first.generations(), first.current()) == (["g1"], "g1")
    assert (second.generations(), second.current()) == (["g2"], "g2")
    second.drop_everything()
    assert (second.generations(), second.current()) == ([], None)
    assert first.current() == "g1"
    first.close()
