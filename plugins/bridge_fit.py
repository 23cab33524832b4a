"""A linear map from a multilingual sentence encoder into the space of another encoder.

Both see the same English texts; ridge regression finds the map (Hoerl and Kennard, Technometrics
1970). The multilingual encoder puts a sentence and its translation side by side, so the map serves
its other languages too, though it has seen none of them. No photo is needed: the joint space
holds texts and photos alike.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from engine import Encoder, Vectors

PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Ridge penalties tried; the held-out texts choose."""
HELD_OUT = 0.05
QUERY_FORMS = ("{0} {1} {2}", "{2} {0} {1}", "{0} {1} for {2}", "{0} {1}", "{1}", "{1} {2}")


class Fitted(Struct, frozen=True):
    """``weights`` ``[d_source + 1, d_target]``, the last row the constant; ``cosine`` is the mean
    between mapped and true embeddings of held-out texts."""

    weights: npt.NDArray[np.float32]
    penalty: float
    cosine: float


def texts_of(data: Path, seed: int = 0) -> list[str]:
    """English product texts and queries that training may use; no validation product of
    ``fashion``, and none of its attribute queries."""
    found = {text.strip() for text in _texts(data, random.Random(seed))}
    asked = {frozenset(_field(row, "text").split()) for row in _rows(data, "attribute_queries")}
    kept = [text for text in found if text and frozenset(text.split()) not in asked]
    return sorted(kept)


def fit(source: Vectors, target: Vectors, seed: int = 0) -> Fitted:
    """The map from rows ``[n, d_source]`` to rows ``[n, d_target]``, both of length 1."""
    order = np.random.default_rng(seed).permutation(len(source))
    held, seen = np.split(order, [max(1, int(len(order) * HELD_OUT))])
    inputs = np.hstack([source, np.ones((len(source), 1), np.float32)]).astype(np.float64)
    gram, cross = inputs[seen].T @ inputs[seen], inputs[seen].T @ target[seen].astype(np.float64)
    best: Fitted | None = None
    for penalty in PENALTIES:
        ridge = np.eye(len(gram)) * penalty
        ridge[-1, -1] = 0.0  # the constant is not shrunk
        weights = np.linalg.solve(gram + ridge, cross)
        mapped = inputs[held] @ weights
        mapped /= np.linalg.norm(mapped, axis=1, keepdims=True)
        cosine = float((mapped * target[held]).sum(axis=1).mean())
        if best is None or cosine > best.cosine:
            best = Fitted(weights.astype(np.float32), penalty, cosine)
    assert best is not None
    return best


def encoded(encoder: Encoder, texts: Sequence[str], say: Callable[[str], None]) -> Vectors:
    """Query embeddings of ``texts``, by the batch."""
    rows: list[Vectors] = []
    for start in range(0, len(texts), 512):
        rows.append(encoder.encode_texts(texts[start : start + 512], "query"))
        if start % 8192 == 0:
            say(f"{encoder.info.name}: {start} of {len(texts)}")
    return np.concatenate(rows)


def _texts(data: Path, rng: random.Random) -> Iterator[str]:
    validation = set((data / "fashion" / "val_ids.txt").read_text("utf-8").split())
    for row in _rows(data, "products"):
        if _field(row, "id") in validation:
            continue
        yield _field(row, "title")
        words = [_field(row, name).lower() for name in ("color", "type", "gender")]
        for form in rng.sample(QUERY_FORMS, 2):
            yield form.format(*words)
    for row in _read(data / "demo_store" / "products.jsonl"):
        for name in ("title", "description"):
            held = row.get(name)
            yield str(held.get("en", "")) if isinstance(held, dict) else ""
    for row in _read(data / "queryner" / "train.jsonl"):
        held = row.get("tokens")
        yield " ".join(map(str, held)) if isinstance(held, list) else ""


def _rows(data: Path, name: str) -> Iterator[dict[str, object]]:
    yield from _read(data / "fashion" / f"{name}.jsonl")


def _read(path: Path) -> Iterator[dict[str, object]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _field(row: dict[str, object], name: str) -> str:
    return str(row.get(name) or "")
