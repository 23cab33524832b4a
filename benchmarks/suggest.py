"""What suggestions cost: time per keystroke, time to read the catalogue, memory.

    python -m benchmarks.suggest --config shop/entrepot.toml [--queries queries.jsonl]

Every prefix of some queries (titles of the shop without ``--queries``) is completed as a shopper
would type it, as it is and with one typing error in it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import string
import time
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.typos import mistyped
from engine import Engine, Filter, load_settings
from engine.suggest import SuggestionIndex

TEXTS = 200
LIMIT = 8


def prefixes(texts: Iterable[str]) -> Iterator[str]:
    """What stands in the box after each key."""
    for text in texts:
        yield from (text[:end] for end in range(1, len(text) + 1))


def milliseconds(index: SuggestionIndex, typed: Sequence[str]) -> list[float]:
    found = []
    for text in typed:
        started = time.perf_counter()
        index.suggest(text, LIMIT)
        found.append((time.perf_counter() - started) * 1000)
    return found


def titles_of(shop: Engine, rng: random.Random) -> list[str]:
    with shop.trial() as trial:
        store = trial.live.store
        ids = store.scroll(Filter(), store.count(Filter()))
        titles = store.columns(rng.sample(ids, min(TEXTS, len(ids))), ["title"])["title"]
    return [title for title in titles if title]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--queries", type=Path, help='JSONL of {"text"}')
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with Engine(load_settings(args.config, os.environ)) as shop:
        shop.words.read()
        started = time.perf_counter()
        shop.words.read()
        print(f"reading {shop.health().products:,} products: {time.perf_counter() - started:.2f} s")
        gc.collect()
        tracemalloc.start()
        shop.words.read()
        gc.collect()
        kept, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        index = shop.words.suggestions()
        print(
            f"{len(index):,} suggestions; memory of words and suggestions {kept / 2**20:.1f} MiB, "
            f"while reading {peak / 2**20:.1f} MiB"
        )
        if args.queries:
            lines = args.queries.read_text(encoding="utf-8").splitlines()
            texts = rng.sample([json.loads(line)["text"] for line in lines], min(TEXTS, len(lines)))
        else:
            texts = titles_of(shop, rng)
        noisy = [mistyped(text, 1.0, lambda _: string.ascii_lowercase, rng) for text in texts]
        print(f"{'typed':18}{'keys':>8}{'p50':>8}{'p99':>8}{'most':>8}  ms, {LIMIT} suggestions")
        for name, asked in (("as it is", texts), ("with errors", noisy)):
            typed = list(prefixes(asked))
            times = milliseconds(index, typed)
            p50, p99 = np.percentile(times, [50, 99])
            print(f"{name:18}{len(typed):8,}{p50:8.3f}{p99:8.3f}{max(times):8.3f}")


if __name__ == "__main__":
    main()
