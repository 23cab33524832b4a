"""Searches through HTTP by several clients at once: how many a second, and how long each takes.

    python -m benchmarks.load --config shop/entrepot.toml [--queries queries.jsonl]
        [--clients 1 2 4 8] [--count 240]

Each client sends its next request when it has the answer to the last. The clients run on the
server's cores. *Left out* are searches that went on without a component, which was late. Queries
repeat, caches are off. Beside it runs who types: one suggestion every 50 ms.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import numpy as np
from msgspec import Struct, field

from benchmarks.search import CACHES_OFF, Client, environment, serving, text_requests, work_of
from engine import load_settings

TYPING_S = 0.05
WARM_UP = 100


class Load(Struct):
    """Milliseconds of each search, and how many lacked a component; of each suggestion."""

    searches: list[float] = field(default_factory=list)
    left_out: int = 0
    suggestions: list[float] = field(default_factory=list)


@contextmanager
def typing(port: int, text: str, load: Load) -> Iterator[None]:
    """Somebody asks for suggestions meanwhile."""
    done = threading.Event()

    def type_on() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for n in itertools.cycle(range(1, len(text) + 1)):
            if done.wait(TYPING_S):
                return
            started = time.perf_counter()
            connection.request("GET", f"/v1/suggest?q={quote(text[:n])}")
            connection.getresponse().read()
            load.suggestions.append((time.perf_counter() - started) * 1000)

    thread = threading.Thread(target=type_on)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def under(port: int, texts: Sequence[str], clients: int, count: int) -> tuple[Load, float]:
    """What ``count`` searches by so many clients took, and all together in seconds."""
    load = Load()

    def ask(own: Sequence[str]) -> None:
        client = Client(port)
        for request in text_requests(own):
            spent, answer = client.ask("/v1/search", request)
            load.searches.append(spent)
            load.left_out += bool(json.loads(answer)["degraded"])

    wanted = list(itertools.islice(itertools.cycle(texts), count))
    threads = [threading.Thread(target=ask, args=(wanted[n::clients],)) for n in range(clients)]
    started = time.perf_counter()
    with typing(port, texts[0], load):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return load, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--queries", type=Path, help='JSONL with "text"; else titles of the index')
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 2, 4, 8])
    parser.add_argument("--count", type=int, default=240, help="searches by each number of clients")
    args = parser.parse_args()
    os.environ.update(CACHES_OFF)
    work = work_of(load_settings(args.config, os.environ), args.queries, args.count)
    print("; ".join(f"{key} {value}" for key, value in environment(work).items()))
    print(f"\n{'clients':>8}{'searches/s':>12}{'p50 ms':>9}{'p99':>9}{'left out':>10}", end="")
    print(f"{'suggest p50':>13}{'p99':>9}")
    with serving(args.config, work.texts[0]) as port:
        under(port, work.texts, 1, WARM_UP)
        for clients in args.clients:
            load, seconds = under(port, work.texts, clients, args.count)
            p50, p99 = np.percentile(load.searches, [50, 99])
            line = f"{clients:8}{len(load.searches) / seconds:12.1f}{p50:9.1f}{p99:9.1f}"
            p50, p99 = np.percentile(load.suggestions, [50, 99])
            print(f"{line}{load.left_out:10}{p50:13.1f}{p99:9.1f}", flush=True)


if __name__ == "__main__":
    main()
