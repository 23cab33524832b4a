"""The texts that the shipped maps of ``plugins/weights/usem3-bridge`` are fitted on.

    python -m benchmarks.bridge_texts --data DATA > texts.txt
    entrepot bridge texts.txt plugins/weights/usem3-bridge/maps.npz

English product texts and queries: titles of ``fashion`` and queries made of their colours, types
and departments, ``demo_store``, ``queryner``. No validation product of ``fashion``, and none of its
attribute queries.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

from benchmarks.understanding import rows_of

QUERY_FORMS = ("{0} {1} {2}", "{2} {0} {1}", "{0} {1} for {2}", "{0} {1}", "{1}", "{1} {2}")


def texts_of(data: Path, seed: int = 0) -> list[str]:
    found = {" ".join(text.split()) for text in _texts(data, random.Random(seed))}
    queries = rows_of(data / "fashion" / "attribute_queries.jsonl")
    asked = {frozenset(row["text"].split()) for row in queries}
    return sorted(text for text in found if text and frozenset(text.split()) not in asked)


def _texts(data: Path, rng: random.Random) -> Iterator[str]:
    validation = set((data / "fashion" / "val_ids.txt").read_text("utf-8").split())
    for row in rows_of(data / "fashion" / "products.jsonl"):
        if row["id"] in validation:
            continue
        yield row["title"]
        words = [str(row.get(name) or "").lower() for name in ("color", "type", "gender")]
        for form in rng.sample(QUERY_FORMS, 2):
            yield form.format(*words)
    for row in rows_of(data / "demo_store" / "products.jsonl"):
        yield row["title"]["en"]
        yield row["description"].get("en", "") if row.get("description") else ""
    for row in rows_of(data / "queryner" / "train.jsonl"):
        yield " ".join(row["tokens"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    print("\n".join(texts_of(parser.parse_args().data)))


if __name__ == "__main__":
    main()
