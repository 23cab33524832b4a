"""kill -9 of the server between and during writes: what was acknowledged is there again."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import httpx

from tests.api.harness import make_photos, products, write_catalogue
from tests.api.processes import Server, run_entrepot

NDJSON = {"Content-Type": "application/x-ndjson"}
BATCH = 7


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """One client puts small uploads and deletes in turn; the server is killed meanwhile, three
    times. After each restart every acknowledged write holds, in searches as well."""
    config = write_catalogue(make_photos(tmp_path / "catalogue"))
    assert run_entrepot("index", "--config", str(config)).returncode == 0
    stored: set[str] = set()
    deleted: set[str] = set()
    for round in range(3):
        with Server(config) as server:
            enough = threading.Event()
            writer = threading.Thread(
                target=_write, args=(server.client, round, stored, deleted, enough)
            )
            writer.start()
            assert enough.wait(60)
            server.kill()
            writer.join(60)
            assert not writer.is_alive()
    assert len(stored) > 3 * BATCH
    assert deleted
    with Server(config) as server:
        for id in stored - deleted:
            assert server.client.get(f"/v1/products/{id}").status_code == 200, id
        for id in deleted:
            assert server.client.get(f"/v1/products/{id}").status_code == 404, id
        everything = server.client.post("/v1/search", json={"filters": {}, "limit": 0}).json()
        # Writes under way when the server died may hold as well: one upload, one delete a round.
        assert everything["total"] >= len(products()) + len(stored - deleted) - 3
        last = sorted(stored - deleted)[-1]
        found = server.client.post("/v1/search", json={"text": last, "limit": 1}).json()
        assert found["hits"][0]["id"] == last


def _write(
    client: httpx.Client, round: int, stored: set[str], deleted: set[str], enough: threading.Event
) -> None:
    """Until the server is gone; only acknowledged writes are noted."""
    for n in range(10_000):
        ids = [f"r{round}n{n}i{i}" for i in range(BATCH)]
        lines = "\n".join(json.dumps({"id": id, "title": f"Written {id}"}) for id in ids)
        try:
            answer = client.put("/v1/products", content=lines, headers=NDJSON).json()
            stored |= {item["id"] for item in answer["items"] if item["status"] == "stored"}
            if client.delete(f"/v1/products/{ids[0]}").status_code == 204:
                deleted.add(ids[0])
        except httpx.TransportError:
            return
        if n == 5:
            enough.set()
