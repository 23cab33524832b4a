"""Retrieval figures of an encoder on held-out products, each with a 95 % interval.

Definitions, all over exact search:

- title → photo: queries are validation titles, gallery all fashion photos, any product with
  the very title counts (compared in lower case). ``clean`` are the titles no training product
  has. R@1, R@10, MRR.
- attribute → photo: nDCG@10 (linear gain, log2 discount) over the validation products.
- photo → photo: P@10 by product type among the validation products, itself left out.
- grocery: R@1 of shelf photos to the catalogue pictures.
- clothing: accuracy of a vote of the 10 nearest training photos.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from PIL import Image

import engine
from engine import Encoder, PluginManager, bootstrap_interval

from .data import Row, rows, validation_ids

Floats = npt.NDArray[np.float32]
BATCH = 32
NOISE_QUANTILE = 0.99
Floors = dict[str, float]


class Figure(Struct, frozen=True):
    """A mean over ``n`` queries with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f}, n = {self.n:,})"


def figure(values: Sequence[float] | npt.NDArray[np.generic], seed: int = 0) -> Figure:
    """The mean and its percentile bootstrap interval over the queries."""
    array = np.asarray(values, dtype=np.float64)
    return Figure(float(array.mean()), *bootstrap_interval(array, seed=seed), len(array))


def served_encoder(folder: Path, space: str, threads: int = 2) -> Encoder:
    """A space of a served folder, on ONNX Runtime."""
    options = {"model": str(folder.resolve()), "space": space, "threads": threads}
    encoder: Encoder = plugins().create("encoders", "onnx", options)
    return encoder


def served_reader(folder: Path, **options: Any) -> Any:
    """The query tower of a served folder as queries are read with it: a ``QueryReader`` of
    ``plugins/query_reader.py``; ``options`` are those of the query processor that uses it.

    Raises:
        InvalidModel: the folder is damaged, or has no query tower.
    """
    wanted = {"model": str(folder.resolve()), **options}
    return plugins().create("query_processors", "understand", wanted).reader


def served_pairs(folder: Path, threads: int = 2) -> Any:
    """The pair tower of a served folder as ranker ``cross-encoder`` reads with it: a
    ``PairReader`` of ``plugins/cross_encoder.py``; pairs are cut only where the model ends.

    Raises:
        InvalidModel: the folder is damaged, or has no pair tower.
    """
    options = {"model": str(folder.resolve()), "max_tokens": 512, "threads": threads}
    return plugins().create("rankers", "cross-encoder", options).reader


@cache
def plugins() -> PluginManager:
    """The plugins without any settings; loading them imports ONNX Runtime."""
    return PluginManager()


def evaluate(encoder: Encoder, data: Path) -> dict[str, Figure]:
    """All figures of a joint encoder."""
    fashion = rows(data / "fashion" / "products.jsonl")
    gallery = embed_files(encoder, [data / "fashion" / row["image"] for row in fashion])
    held_out = validation_ids(data)
    val = np.asarray([row["id"] in held_out for row in fashion])
    products = [row for row, kept in zip(fashion, val, strict=True) if kept]
    return {
        **title_figures(encoder, fashion, gallery, val),
        "attribute → photo nDCG@10": attribute_figure(encoder, data, products, gallery[val]),
        **photo_figures(encoder, data, products, gallery[val]),
    }


def photo_figures(
    encoder: Encoder, data: Path, products: Sequence[Row], gallery: Floats
) -> dict[str, Figure]:
    """The figures that need no words; ``gallery`` holds the photos of ``products``."""
    return {
        "photo → photo P@10 by type": type_figure(products, gallery),
        "grocery photo → catalogue R@1": grocery_figure(encoder, data),
        "clothing 10-NN accuracy": clothing_figure(encoder, data),
    }


def noise_floors(encoder: Encoder, data: Path) -> Floors:
    """Floors of a space by query modality.

    Unrelated by construction: queries are validation titles, and photos where the space has
    them, of fashion; products the pictures, or else the texts, of the grocery catalogue.
    """
    held_out = validation_ids(data)
    fashion = [r for r in rows(data / "fashion" / "products.jsonl") if r["id"] in held_out]
    grocery = rows(data / "grocery" / "catalogue.jsonl")
    asked = encoder.encode_texts([row["title"] for row in fashion], "query")
    if "image" not in encoder.info.modalities:
        texts = [f"{row['title']}. {row['description']}" for row in grocery]
        return {"text": noise_floor(asked, encoder.encode_texts(texts, "document"))}
    photos = embed_files(encoder, [data / "fashion" / row["image"] for row in fashion])
    pictures = embed_files(encoder, [data / "grocery" / row["image"] for row in grocery])
    return {"text": noise_floor(asked, pictures), "image": noise_floor(photos, pictures)}


def noise_floor(queries: Floats, documents: Floats) -> float:
    """The cosine that 99 % of all query-document pairs stay below."""
    return round(float(np.quantile(queries @ documents.T, NOISE_QUANTILE)), 4)


def embed_files(encoder: Encoder, paths: Sequence[Path]) -> Floats:
    """Unit rows of picture files."""
    parts: list[Floats] = []
    for start in range(0, len(paths), BATCH):
        parts.append(encoder.encode_images([open_rgb(p) for p in paths[start : start + BATCH]]))
    return np.concatenate(parts)


def title_figures(
    encoder: Encoder, fashion: Sequence[Row], gallery: Floats, val: npt.NDArray[np.bool_]
) -> dict[str, Figure]:
    titles = np.asarray([row["title"].lower() for row in fashion])
    trained = set(titles[~val])
    queries = encoder.encode_texts(
        [r["title"] for r, v in zip(fashion, val, strict=True) if v], "query"
    )
    wanted = titles[val]
    ranks = np.concatenate(
        [
            first_ranks(queries[i : i + BATCH] @ gallery.T, titles == wanted[i : i + BATCH, None])
            for i in range(0, len(queries), BATCH)
        ]
    )
    clean = np.asarray([title not in trained for title in wanted])
    found: dict[str, Figure] = {}
    for name, chosen in (("clean", ranks[clean]), ("all", ranks)):
        found[f"title → photo R@1 ({name})"] = figure(chosen <= 1)
        found[f"title → photo R@10 ({name})"] = figure(chosen <= 10)
        found[f"title → photo MRR ({name})"] = figure(1.0 / chosen)
    return found


def attribute_figure(
    encoder: Encoder, data: Path, products: Sequence[Row], gallery: Floats
) -> Figure:
    queries = rows(data / "fashion" / "attribute_queries.jsonl")
    grades = read_qrels(data / "fashion" / "attribute_qrels.tsv")
    scores = encoder.encode_texts([q["text"] for q in queries], "query") @ gallery.T
    ids = [row["id"] for row in products]
    return figure(
        [
            ndcg([ids[i] for i in np.argsort(-row)[:10]], grades[q["id"]])
            for q, row in zip(queries, scores, strict=True)
            if q["id"] in grades
        ]
    )


def type_figure(products: Sequence[Row], gallery: Floats) -> Figure:
    types = np.asarray([row["type"] for row in products])
    scores = gallery @ gallery.T
    np.fill_diagonal(scores, -np.inf)
    nearest = np.argsort(-scores, axis=1)[:, :10]
    return figure((types[nearest] == types[:, None]).mean(axis=1))


def grocery_figure(encoder: Encoder, data: Path) -> Figure:
    folder = data / "grocery"
    catalogue, photos = rows(folder / "catalogue.jsonl"), rows(folder / "val.jsonl")
    gallery = embed_files(encoder, [folder / row["image"] for row in catalogue])
    queries = embed_files(encoder, [folder / row["image"] for row in photos])
    best = np.argmax(queries @ gallery.T, axis=1)
    return figure(
        [catalogue[i]["id"] == row["product"] for i, row in zip(best, photos, strict=True)]
    )


def clothing_figure(encoder: Encoder, data: Path, k: int = 10) -> Figure:
    folder = data / "clothing"
    train, photos = rows(folder / "train.jsonl"), rows(folder / "validation.jsonl")
    gallery = embed_files(encoder, [folder / row["image"] for row in train])
    queries = embed_files(encoder, [folder / row["image"] for row in photos])
    nearest = np.argsort(-(queries @ gallery.T), axis=1)[:, :k]
    votes = [Counter(train[i]["label"] for i in row).most_common(1)[0][0] for row in nearest]
    return figure([vote == row["label"] for vote, row in zip(votes, photos, strict=True)])


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """TREC qrels by query."""
    found: dict[str, dict[str, int]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        query, _, product, grade = line.split()
        found.setdefault(query, {})[product] = int(grade)
    return found


def ndcg(ranking: Sequence[str], grades: Mapping[str, int], k: int = 10) -> float:
    """Linear gain, log2 discount, unjudged = 0 (Järvelin and Kekäläinen 2002)."""
    return engine.ndcg([grades.get(id, 0) for id in ranking[:k]], grades.values(), k)


def first_ranks(scores: Floats, right: npt.NDArray[np.bool_]) -> npt.NDArray[np.int_]:
    """The rank (from 1) of the best right answer of each row, both ``[queries, answers]``.

    Wrong answers of the same score come first, and all of them where it is NaN: a model whose
    rows are all alike, or broken, finds nothing.
    """
    best = np.where(right, scores, -np.inf).max(axis=1)
    return 1 + (~right & ~(scores < best[:, None])).sum(axis=1)


def open_rgb(path: Path) -> Image.Image:
    """A picture file, decoded."""
    with Image.open(path) as file:
        return file.convert("RGB")
