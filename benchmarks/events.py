"""Events per second, in batches, by the store alone and through HTTP; what a profile costs a
search; what erasing costs.

    python -m benchmarks.events --events 200000 --products 18000 [--dsn "host=… dbname=…"]

Half of the events are impressions of four products, the others are about one; users and products
are drawn by Zipf's law. Client and server share the machine. The shop has hash encoders, for no
query is embedded. On a machine that is busy otherwise, look at the microseconds of a core.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import httpx
import msgspec
import numpy as np

from benchmarks.stores import SCHEMA, WORDS, make_vectors
from engine import (
    Engine,
    Event,
    EventProduct,
    EventStore,
    GenerationSpec,
    PluginManager,
    Point,
    Product,
    load_settings,
)
from engine.assembly import open_encoders, open_stores
from engine.documents import keyword_fields
from engine.schema import field_values

SETTINGS = """
shop = "bench"
log_level = "error"
data_dir = "data"
[encoders]
text = { plugin = "hash" }
image = { plugin = "hash" }
"""
TYPES = ("impression", "impression", "impression", "view", "click", "cart")
Batches = list[list[Event]]


def make_batches(count: int, size: int, products: int, seed: int) -> Batches:
    """``count`` events of the last week in batches, by about a tenth as many users."""
    rng, dice = np.random.default_rng(seed), random.Random(seed)
    users = rng.zipf(1.3, count) % max(1, count // 10)
    shown = rng.zipf(1.2, (count, 4)) % products
    now = datetime.now(UTC)
    kinds = dice.choices(TYPES, k=count)
    events = [
        Event(
            f"{dice.getrandbits(128):032x}",
            kind,  # type: ignore[arg-type]
            now - timedelta(seconds=dice.randrange(7 * 86_400)),
            f"user-{user}",
            f"session-{user}-{dice.randrange(5)}",
            tuple(
                EventProduct(f"sku-{p}", position=k + 1)
                for k, p in enumerate(row[: 4 if kind == "impression" else 1])
            ),
            " ".join(dice.choices(WORDS, k=3)),
            f"{dice.getrandbits(128):032x}",
            results=219,
        )
        for kind, user, row in zip(kinds, users.tolist(), shown.tolist(), strict=True)
    ]
    return [events[start : start + size] for start in range(0, count, size)]


def in_threads(send: Callable[[list[Event]], int], batches: Batches, threads: int) -> float:
    """Seconds until all batches were acknowledged."""
    waiting = iter(batches)
    door, accepted = threading.Lock(), 0

    def run() -> None:
        nonlocal accepted
        while True:
            with door:
                batch = next(waiting, None)
            if batch is None:
                return
            count = send(batch)
            with door:
                accepted += count

    workers = [threading.Thread(target=run) for _ in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took = time.perf_counter() - began
    assert accepted == sum(map(len, batches)), accepted
    return took


def cpu_seconds(pid: int) -> float:
    """What a process has used of the cores so far, in all its threads (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def report(name: str, size: int, threads: int, count: int, took: float, cpu: float) -> None:
    print(
        f"{name:10} batches of {size:>5}, {threads:>2} at once: {count / took:9,.0f} events/s, "
        f"{cpu / count * 1e6:7.0f} µs of a core per event"
    )


def store_alone(name: str, store: EventStore, options: argparse.Namespace) -> None:
    count = options.events
    for size, threads, events in (
        (1000, 1, count),
        (1000, 4, count),
        (1, 1, count // 100),
        (1, 16, count // 20),
    ):
        batches = make_batches(events, size, options.products, seed=size + threads)
        before = time.process_time()
        took = in_threads(lambda batch: store.append(batch).count("accepted"), batches, threads)
        report(name, size, threads, events, took, time.process_time() - before)


def make_shop(folder: Path, products: int) -> Path:
    """A built generation of made-up products; the settings file."""
    config = folder / "entrepot.toml"
    config.write_text(SETTINGS, encoding="utf-8")
    settings = load_settings(config)
    manager = PluginManager()
    text, image = (encoder.info for encoder in open_encoders(settings, manager))
    stores = open_stores(settings, manager)
    store = stores.create("g1", GenerationSpec(SCHEMA, text, image))
    rng = np.random.default_rng(0)
    words, photos = (make_vectors(rng, products, info.dim) for info in (text, image))
    for start in range(0, products, 1000):
        points = []
        for i in range(start, min(start + 1000, products)):
            product = Product(
                f"sku-{i}", " ".join(rng.choice(WORDS, 6)), category=("All", f"Aisle {i % 40}"),
                brand=f"Brand {i % 200}", attributes={"color": f"color {i % 40}"},
            )  # fmt: skip
            fields = field_values(product, SCHEMA)
            keywords = keyword_fields(product)
            points.append(Point(product, words[i], photos[i : i + 1], keywords, fields))
        store.upsert(points)
    store.build(SCHEMA, products)
    store.close()
    stores.promote("g1")
    stores.close()
    return config


@contextmanager
def server(config: Path) -> Iterator[tuple[str, int]]:
    """A real server process; its address and process id."""
    command = [sys.executable, "-m", "api", "serve", "--config", str(config), "--port", "0"]
    process = subprocess.Popen([*command, "--no-browser"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if found := re.search(r"answers at (http://\S+)", line):
                yield found[1], process.pid
                break
        else:
            raise RuntimeError("the server did not start")
    finally:
        process.terminate()
        process.wait(60)


class _Answer(msgspec.Struct):
    accepted: int


def through_http(config: Path, options: argparse.Namespace) -> None:
    with server(config) as (address, pid):
        for size, clients, count in (
            (1000, 2, options.events),
            (100, 4, options.events // 2),
            (1, 16, options.events // 100),
        ):
            batches = make_batches(count, size, options.products, seed=7 * size)
            send = sender(address, batches)
            before = cpu_seconds(pid)
            took = in_threads(send, batches, clients)
            report("HTTP", size, clients, count, took, cpu_seconds(pid) - before)


def sender(address: str, batches: Batches) -> Callable[[list[Event]], int]:
    """Posts a batch, encoded beforehand, over a connection of the thread's own."""
    bodies = {id(batch): msgspec.json.encode(batch) for batch in batches}
    own = threading.local()
    headers = {"Content-Type": "application/json"}

    def send(batch: list[Event]) -> int:
        if not hasattr(own, "client"):
            own.client = httpx.Client(base_url=address, trust_env=False, timeout=60)
        answer = own.client.post("/v1/events", content=bodies[id(batch)], headers=headers)
        return msgspec.json.decode(answer.content, type=_Answer).accepted

    return send


def percentiles(name: str, work: Callable[[int], object], repeat: int) -> None:
    times = []
    for i in range(repeat):
        began = time.perf_counter()
        work(i)
        times.append((time.perf_counter() - began) * 1e3)
    p50, p95, p99 = np.percentile(times, (50, 95, 99))
    print(f"{name:46}{p50:9.2f}{p95:9.2f}{p99:9.2f}   ms")


def search_path(config: Path, options: argparse.Namespace) -> None:
    """What a ranker that asks for them adds to a search, among all events recorded so far."""
    with Engine.open(config) as engine:
        behaviour, store = engine.behaviour, engine.behaviour.store
        busy = [f"user-{n}" for n in range(1, 200)]
        histories = [store.history(user, f"session-{n}-1", 50) for n, user in enumerate(busy, 1)]
        sizes = [len(history) for history in histories]
        print(
            f"\n{store.count():,} events; profiles of {np.median(sizes):.0f} events at the median"
            f"\n{'':46}{'p50':>9}{'p95':>9}{'p99':>9}"
        )
        rng = np.random.default_rng(1)
        windows = [[f"sku-{n}" for n in rng.choice(options.products, 200, replace=False)]
                   for _ in range(50)]  # fmt: skip

        def who(i: int) -> tuple[str, str]:
            n = 1 + i % len(busy)
            return f"user-{n}", f"session-{n}-1"

        repeat = options.repeat
        percentiles("profile of a known shopper", lambda i: engine.profile(*who(i)), repeat)
        percentiles("  of which the events", lambda i: store.history(*who(i), 50), repeat)
        percentiles("profile of a stranger", lambda i: engine.profile(f"new-{i}", "x"), repeat)
        percentiles("popularity of a window of 200",
                    lambda i: behaviour.popularity(windows[i % 50]), repeat)  # fmt: skip
        percentiles("erasing one shopper", lambda i: engine.erase_user(busy[-1 - i]), 5)
        size = sum(f.stat().st_size for f in (config.parent / "data").glob("events*"))
        print(f"the file has {size / 1e6:,.0f} MB")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--products", type=int, default=18_000)
    parser.add_argument("--repeat", type=int, default=1000)
    parser.add_argument("--dsn", default="", help="also a PostgreSQL server")
    options = parser.parse_args(arguments)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
          f"SQLite {sqlite3.sqlite_version}, msgspec {version('msgspec')}, Litestar "
          f"{version('litestar')}, uvicorn {version('uvicorn')}")  # fmt: skip
    with tempfile.TemporaryDirectory(dir=".") as folder:
        where = Path(folder)
        manager = PluginManager()
        lone = manager.create("event_stores", "sqlite", {"data_dir": str(where / "alone")})
        store_alone("SQLite", lone, options)
        lone.close()
        if options.dsn:
            server_store = manager.create("event_stores", "postgres", {"dsn": options.dsn})
            store_alone("PostgreSQL", server_store, options)
            server_store.close()
        config = make_shop(where, options.products)
        through_http(config, options)
        search_path(config, options)


if __name__ == "__main__":
    main()
