"""Judgments of the small shop of :mod:`tests.api.harness`, and generations worse than it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from engine import Product
from tests.api.harness import COLOURS, KINDS, products


def write_judgments(folder: Path, **rules: object) -> Path:
    """A gate with every colour and kind as a query; the file."""
    queries, qrels = [], []
    for kind in KINDS:
        for color in COLOURS:
            id = f"q-{color}-{kind}"
            queries.append(json.dumps({"id": id, "text": f"{color} {kind}"}))
            for other in COLOURS:
                grade = 3 if other == color else 1
                qrels.append(f"{id}\t0\t{other}-{kind}\t{grade}")
    (folder / "queries.jsonl").write_text("\n".join(queries) + "\n", encoding="utf-8")
    (folder / "qrels.tsv").write_text("\n".join(qrels) + "\n", encoding="utf-8")
    said = {"queries": "queries.jsonl", "qrels": "qrels.tsv", "min_queries": 10, **rules}
    gate = folder / "judgments.toml"
    gate.write_text("".join(f"{k} = {json.dumps(v)}\n" for k, v in said.items()), encoding="utf-8")
    return gate


def with_shuffled_titles() -> list[Product]:
    """The shop after an import that put every title on the next product."""
    found = products()
    titles = [product.title for product in found]
    return [
        msgspec.structs.replace(product, title=title, category=(), brand="")
        for product, title in zip(found, [titles[-1], *titles[:-1]], strict=True)
    ]
