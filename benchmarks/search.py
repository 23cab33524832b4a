"""Latency of searches through HTTP, per stage, against the bare parts they are made of.

    python -m benchmarks.search --config shop/entrepot.toml [--queries queries.jsonl]
        [--count 1000] [--json result.json]

One client on the same machine, distinct queries, caches off. Text queries are the ``text`` of
``--queries`` or the index's own titles; image queries are its photos. *Bare* is the same work
with nothing around it, measured in the same run: every model run alone, the same store call,
and an echo route that reads the same request and gives an equal answer. Echo and search are
measured in turn, so that a busy machine slows both.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from engine import Encoder, Filter, Query, QueryPlan, Settings, VectorStore, load_settings
from engine.assembly import open_encoders, open_stores
from engine.images import decode_image, read_local
from engine.lanes import plan_lanes
from engine.live import Live
from engine.manager import PluginManager

CACHES_OFF = {"ENTREPOT_SEARCH__CACHE": "0"}
WARM_UP = 50
LIMIT = 20
PACKAGES = ("litestar", "uvicorn", "onnxruntime", "qdrant-edge-py", "numpy", "pillow")

Times = dict[str, list[float]]
"""Milliseconds by name."""


class Work(msgspec.Struct):
    """What is asked: distinct texts, and photos as JPEG (or whatever the files are)."""

    texts: list[str]
    photos: list[bytes]
    products: int


class Parts:
    """The index's parts, opened bare: no cache, no batching, no pipeline."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self.settings = settings
        manager = PluginManager(settings.plugins)
        stores = open_stores(settings, manager)
        stack.callback(stores.close)
        current = stores.current()
        if current is None:
            raise SystemExit("nothing is indexed: run `entrepot index` first")
        self.store: VectorStore = stores.open(current)
        stack.callback(self.store.close)
        self.text, self.image = self.encoders = open_encoders(settings, manager)
        for encoder in self.encoders:
            stack.callback(encoder.close)
        self.live = Live(current, self.store, self.text, self.image, {})
        self.weights = settings.profiles["default"].weights

    def work(self, queries: Path | None, count: int) -> Work:
        rng = random.Random(0)
        ids = self.store.scroll(Filter(), self.store.count(Filter()))
        rng.shuffle(ids)
        chosen = [p for p in self.store.get(ids[: 8 * count]) if p is not None]
        texts = [p.title for p in chosen]
        if queries:
            lines = queries.read_text(encoding="utf-8").splitlines()
            texts = [json.loads(line)["text"] for line in lines]
        root, limits = Path(self.store.spec.image_root), self.settings.images
        refs = dict.fromkeys(p.images[0] for p in chosen if p.images and "://" not in p.images[0])
        photos = [read_local(root, ref, limits) for ref in list(refs)[:count]]
        return Work(list(dict.fromkeys(texts))[:count], photos, len(ids))

    def bare_text(self, text: str, times: Times) -> None:
        query, plan = Query(text), QueryPlan(original=text, text=text)
        with timed(times, "text model"):
            self.text.encode_texts([text], "query")
        if "image" in self.image.info.modalities:
            with timed(times, "joint model, text"):
                self.image.encode_texts([text], "query")
        self._store_call(query, plan, times)

    def bare_photo(self, photo: bytes, times: Times) -> None:
        image = decode_image(photo, self.settings.images)
        with timed(times, "joint model, image"):
            self.image.encode_images([image])
        self._store_call(Query(image=image), QueryPlan(), times)

    def _store_call(self, query: Query, plan: QueryPlan, times: Times) -> None:
        lanes = plan_lanes(query, plan, self.live, self.weights).queries
        with timed(times, "store"):
            self.store.search_batch(lanes, Filter(), self.settings.search.depth)


class Client:
    """One keep-alive connection; light, for it runs on the server's cores."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, path: str, body: bytes, kind: str) -> tuple[float, bytes]:
        """Wall milliseconds until the whole answer is there, and the answer."""
        started = time.perf_counter()
        self._connection.request("POST", path, body, {"Content-Type": kind})
        response = self._connection.getresponse()
        answer = response.read()
        spent = (time.perf_counter() - started) * 1000
        if response.status != 200:
            raise SystemExit(f"{path}: {response.status} {answer.decode()}")
        return spent, answer


@contextmanager
def timed(times: Times, name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    times[name].append((time.perf_counter() - started) * 1000)


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


def measure_bare(run: Callable[[Any, Times], None], items: Sequence[Any]) -> Times:
    for item in items[:WARM_UP]:
        run(item, defaultdict(list))
    times: Times = defaultdict(list)
    for item in items:
        run(item, times)
    return times


def measure_http(
    client: Client, path: str, echo: str, bodies: Sequence[tuple[bytes, str]]
) -> Times:
    """Search and echo in turn; the stages as the answers tell them."""
    for body, kind in bodies[:WARM_UP]:
        client.ask(path, body, kind)
        client.ask(echo, body, kind)
    times: Times = defaultdict(list)
    for body, kind in bodies:
        spent, answer = client.ask(path, body, kind)
        times["through HTTP"].append(spent)
        told = json.loads(answer)
        for stage, milliseconds in told["timings"].items():
            times[f"· {stage}"].append(milliseconds)
        times["· HTTP"].append(spent - told["took_ms"])
        times["echo"].append(client.ask(echo, body, kind)[0])
    return times


def text_bodies(texts: Sequence[str]) -> list[tuple[bytes, str]]:
    return [(json.dumps({"text": t, "limit": LIMIT}).encode(), "application/json") for t in texts]


def photo_bodies(photos: Sequence[bytes]) -> list[tuple[bytes, str]]:
    boundary = uuid.uuid4().hex
    kind = f"multipart/form-data; boundary={boundary}"
    part = 'Content-Disposition: form-data; name="image"; filename="photo.jpg"\r\n'
    head = f"--{boundary}\r\n{part}Content-Type: image/jpeg\r\n\r\n".encode()
    return [(head + photo + f"\r\n--{boundary}--\r\n".encode(), kind) for photo in photos]


def report(title: str, http_times: Times, bare: Times) -> dict[str, Any]:
    """Print one table; the medians and the share that the bare parts are of the whole."""
    rows = {**{k: v for k, v in http_times.items() if k != "echo"}}
    parts = {**bare, "echo": http_times["echo"]}
    print(f"\n{title}: {len(http_times['echo']):,} distinct queries, one client\n")
    print(f"{'milliseconds':28}{'p50':>8}{'p95':>8}{'p99':>8}")
    for name, values in rows.items():
        print(row(name, values))
    print("bare parts")
    for name, values in parts.items():
        print(row(f"· {name}", values))
    total = sum(float(np.median(values)) for values in parts.values())
    whole = float(np.median(rows["through HTTP"]))
    print(f"{'sum of bare medians':28}{total:8.2f}   = {total / whole:.0%} of the whole")
    return {
        "p50": {name: round(float(np.median(v)), 3) for name, v in {**rows, **parts}.items()},
        "p95": {name: round(float(np.percentile(v, 95)), 3) for name, v in rows.items()},
        "p99": {name: round(float(np.percentile(v, 99)), 3) for name, v in rows.items()},
        "bare_sum": round(total, 3),
        "bare_share": round(total / whole, 3),
    }


def row(name: str, values: Sequence[float]) -> str:
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    return f"{name:28}{p50:8.2f}{p95:8.2f}{p99:8.2f}"


def environment(parts: tuple[Encoder, Encoder], products: int) -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    cpu = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
    return {
        "cpu": cpu or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "products": products,
        "encoders": [f"{encoder.info.name} {encoder.info.version}" for encoder in parts],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--queries", type=Path, help='JSONL with "text"; else titles of the index')
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    os.environ.update(CACHES_OFF)
    settings = load_settings(args.config, os.environ)
    with ExitStack() as stack:
        parts = Parts(settings, stack)
        work = parts.work(args.queries, args.count)
        about = environment(parts.encoders, work.products)
        bare_text = measure_bare(parts.bare_text, work.texts)
        bare_photo = measure_bare(parts.bare_photo, work.photos)
    print("; ".join(f"{key} {value}" for key, value in about.items()))
    result: dict[str, Any] = {"environment": about}
    with serving(args.config, work.texts[0]) as port:
        client = Client(port)
        text_times = measure_http(client, "/v1/search", "/echo", text_bodies(work.texts))
        result["text"] = report("Text query", text_times, bare_text)
        if work.photos:
            bodies = photo_bodies(work.photos)
            photo_times = measure_http(client, "/v1/search/image", "/echo/image", bodies)
            result["image"] = report("Image query (multipart)", photo_times, bare_photo)
    if args.json:
        args.json.write_bytes(msgspec.json.format(msgspec.json.encode(result)))


if __name__ == "__main__":
    main()
