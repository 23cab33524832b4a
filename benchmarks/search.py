"""Latency of searches through HTTP, per stage, against the bare parts they are made of.

    python -m benchmarks.search --config shop/entrepot.toml [--queries queries.jsonl]
        [--count 1000] [--json result.json]

One client on the same machine, distinct queries, caches off. Text queries are the ``text`` of
``--queries`` or the index's own titles; image queries are its photos. *Bare* is the same work
with nothing around it: every model run alone, the same store call, and an echo route that
reads the same request and gives an equal answer. Search, echo and bare work take turns in one
process, so that a busy machine slows all of them alike.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import random
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from engine import Filter, Settings, load_settings
from engine.assembly import open_stores
from engine.images import read_local
from engine.manager import PluginManager

CACHES_OFF = {"ENTREPOT_SEARCH__CACHE": "0"}
WARM_UP = 50
LIMIT = 20
PACKAGES = ("litestar", "uvicorn", "onnxruntime", "qdrant-edge-py", "numpy", "pillow")

Times = dict[str, list[float]]
"""Milliseconds by name."""
Request = tuple[bytes, str]
"""Body and content type."""


class Work(msgspec.Struct):
    """What is asked: distinct texts, and photos as their files are."""

    texts: list[str]
    photos: list[bytes]
    products: int
    encoders: list[str]


def work_of(settings: Settings, queries: Path | None, count: int) -> Work:
    """Titles (or ``queries``) and photos of the live index, drawn at random."""
    stores = open_stores(settings, PluginManager(settings.plugins))
    current = stores.current()
    if current is None:
        raise SystemExit("nothing is indexed: run `entrepot index` first")
    store = stores.open(current)
    ids = store.scroll(Filter(), store.count(Filter()))
    random.Random(0).shuffle(ids)
    chosen = [product for product in store.get(ids[: 8 * count]) if product is not None]
    spec = store.spec
    store.close()
    stores.close()
    texts = [product.title for product in chosen]
    if queries:
        lines = queries.read_text(encoding="utf-8").splitlines()
        texts = [json.loads(line)["text"] for line in lines]
    refs = dict.fromkeys(p.images[0] for p in chosen if p.images and "://" not in p.images[0])
    root = Path(spec.image_root)
    photos = [read_local(root, ref, settings.images) for ref in list(refs)[:count]]
    encoders = [f"{info.name} {info.version}" for info in (spec.text_encoder, spec.image_encoder)]
    return Work(list(dict.fromkeys(texts))[:count], photos, len(ids), encoders)


class Client:
    """One keep-alive connection; light, for it runs on the server's cores."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, path: str, request: Request) -> tuple[float, bytes]:
        """Wall milliseconds until the whole answer is there, and the answer."""
        body, kind = request
        started = time.perf_counter()
        self._connection.request("POST", path, body, {"Content-Type": kind})
        response = self._connection.getresponse()
        answer = response.read()
        spent = (time.perf_counter() - started) * 1000
        if response.status != 200:
            raise SystemExit(f"{path}: {response.status} {answer.decode()}")
        return spent, answer


@contextmanager
def serving(config: Path, text: str) -> Iterator[int]:
    """The port of a server in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.search_server", "--config", str(config)]
    process = subprocess.Popen(
        [*command, "--text", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(60)


def measure(client: Client, suffix: str, requests: Sequence[Request]) -> tuple[Times, Times]:
    """Through HTTP with its stages, and the bare parts. The bare work is on another query of
    the same set: encoders that remember their last text must not know it."""
    search, echo, bare = f"/v1/search{suffix}", f"/echo{suffix}", f"/bare{suffix}"
    for request in requests[:WARM_UP]:
        for path in (search, echo, bare):
            client.ask(path, request)
    whole: Times = defaultdict(list)
    parts: Times = defaultdict(list)
    half = len(requests) // 2
    for here, there in zip(requests, [*requests[half:], *requests[:half]], strict=True):
        spent, answer = client.ask(search, here)
        told = json.loads(answer)
        whole["through HTTP"].append(spent)
        for stage, milliseconds in told["timings"].items():
            whole[f"· {stage}"].append(milliseconds)
        whole["· HTTP"].append(spent - told["took_ms"])
        parts["echo"].append(client.ask(echo, here)[0])
        for name, milliseconds in json.loads(client.ask(bare, there)[1]).items():
            parts[name].append(milliseconds)
    return whole, parts


def text_requests(texts: Sequence[str]) -> list[Request]:
    return [(json.dumps({"text": t, "limit": LIMIT}).encode(), "application/json") for t in texts]


def photo_requests(photos: Sequence[bytes]) -> list[Request]:
    boundary = uuid.uuid4().hex
    kind = f"multipart/form-data; boundary={boundary}"
    part = 'Content-Disposition: form-data; name="image"; filename="photo.jpg"\r\n'
    head = f"--{boundary}\r\n{part}Content-Type: image/jpeg\r\n\r\n".encode()
    return [(head + photo + f"\r\n--{boundary}--\r\n".encode(), kind) for photo in photos]


def report(title: str, whole: Times, parts: Times) -> dict[str, Any]:
    """Print one table; its figures."""
    print(f"\n{title}: {len(parts['echo']):,} distinct queries, one client\n")
    print(f"{'milliseconds':28}{'p50':>8}{'p95':>8}{'p99':>8}")
    for name, values in whole.items():
        print(row(name, values))
    print("bare parts")
    for name, values in parts.items():
        print(row(f"· {name}", values))
    bare = sum(float(np.median(values)) for values in parts.values())
    share = bare / float(np.median(whole["through HTTP"]))
    print(f"{'sum of bare medians':28}{bare:8.2f}   = {share:.0%} of the whole")
    return {
        "queries": len(parts["echo"]),
        "milliseconds": {name: percentiles(v) for name, v in whole.items()},
        "bare": {name: percentiles(v) for name, v in parts.items()},
        "bare_sum": round(bare, 3),
        "bare_share": round(share, 3),
    }


def row(name: str, values: Sequence[float]) -> str:
    return f"{name:28}" + "".join(f"{value:8.2f}" for value in percentiles(values))


def percentiles(values: Sequence[float]) -> list[float]:
    return [round(float(value), 3) for value in np.percentile(values, [50, 95, 99])]


def environment(work: Work) -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    cpu = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
    return {
        "cpu": cpu or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "products": work.products,
        "encoders": work.encoders,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--queries", type=Path, help='JSONL with "text"; else titles of the index')
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    os.environ.update(CACHES_OFF)
    work = work_of(load_settings(args.config, os.environ), args.queries, args.count)
    about = environment(work)
    print("; ".join(f"{key} {value}" for key, value in about.items()))
    result: dict[str, Any] = {"environment": about}
    with serving(args.config, work.texts[0]) as port:
        client = Client(port)
        result["text"] = report("Text query", *measure(client, "", text_requests(work.texts)))
        if work.photos:
            requests = photo_requests(work.photos)
            result["image"] = report("Image query", *measure(client, "/image", requests))
    if args.json:
        args.json.write_bytes(msgspec.json.format(msgspec.json.encode(result)))


if __name__ == "__main__":
    main()
