"""The recipe of the query BERT: a teacher's labels for tagged and untagged queries, distilled
into a small model together with the categories."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .onnx_export import round_to_served
from .query_corpus import (
    Words,
    attribute_rows,
    attribute_values,
    category_queries,
    plain_words,
    recombined,
    title_queries,
)
from .query_data import Example, Floats, Query, Rows, dev_split, one_hot, training_queries
from .query_fit import Fit, Report, fit, read
from .query_model import QueryBert, base_tokenizer, build_query_bert, sentences
from .query_pieces import chosen_pieces
from .query_reading import span_temperature, temperature
from .query_tags import spans_of
from .query_taxonomy import CATEGORIES, Item, items
from .query_teacher import teach, teacher_folder

SURE = 0.75
"""Cosine of a product type to the name of a known one from which they are the same."""
STRANGE = 0.5
"""Cosine to all known names below which a product type is another thing."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Hyperparameters, chosen on a part of the training queries; see the model card's table.

    ``frequent``: pieces kept of the vocabulary's beginning; ``gold``: weight of a person's tags
    against the teacher's; ``most``: texts of a category.
    """

    layers: int = 5
    frequent: int = 8000
    folds: int = 3
    recombined: int = 8000
    titles: int = 2500
    most: int = 120
    gold: float = 0.5
    teacher: Fit = field(
        default_factory=lambda: Fit(
            5, batch=32, lr=6e-5, decay=0.9, noise=0.15, frozen=1, average=0.98
        )
    )
    student: Fit = field(
        default_factory=lambda: Fit(8, lr=2e-4, decay=0.9, noise=0.5, average=0.998)
    )


@dataclass(frozen=True, slots=True)
class Material:
    """What there is to learn from: tagged queries, other texts, and the categories of both
    where they are known. ``dev``: rows of ``queries`` that choices are made by."""

    queries: list[Query]
    kinds: list[int | None]
    train: Rows
    dev: Rows
    others: list[Words]
    other_kinds: list[int | None]


def load_material(data: Path, recipe: Recipe) -> Material:
    """Everything but what is kept for validation."""
    queries = training_queries(data)
    train, dev = dev_split(len(queries))
    products = items(data)
    free = recombined([queries[i] for i in train], list(attribute_values(data)), recipe.recombined)
    free += title_queries(data, recipe.titles)
    known = category_queries(products, recipe.most)
    return Material(
        queries,
        query_kinds(queries, products),
        train,
        dev,
        [*free, *(words for words, _ in known)],
        [*([None] * len(free)), *(kind for _, kind in known)],
    )


def query_kinds(queries: Sequence[Query], products: Sequence[Item]) -> list[int | None]:
    """Categories of tagged queries, by the likeness of their product type to the names of known
    ones: the same, other (the index after the last), or not known."""
    names = sorted({(name, i.category) for i in products if not i.held_out for name in i.names})
    known = sentences([name for name, _ in names])
    places = np.asarray([category for _, category in names])
    texts = [_product_type(query) for query in queries]
    distinct = sorted({text for text in texts if text})
    likeness = sentences(distinct) @ known.T
    found: dict[str, int | None] = {"": None}
    for text, row in zip(distinct, likeness, strict=True):
        best = int(row.argmax())
        strange = len(CATEGORIES) if row[best] < STRANGE else None
        found[text] = int(places[best]) if row[best] >= SURE else strange
    return [found[text] for text in texts]


def _product_type(query: Query) -> str:
    spans = [span for span in spans_of(query.tags) if span.kind == "core_product_type"]
    return " ".join(word for span in spans for word in query.words[span.start : span.end])


def distilled(
    material: Material,
    own: Sequence[Floats | None],
    rest: Sequence[Floats],
    recipe: Recipe,
    rows: Rows,
) -> list[Example]:
    """Examples of the student: queries of ``rows`` with a mixture of a person's and the teacher's
    tags, and all other texts with the teacher's."""
    found = []
    for i in rows:
        tags = one_hot(material.queries[i].tags)
        labelled = own[i]
        if labelled is not None:
            tags = recipe.gold * tags + (1 - recipe.gold) * labelled
        kind = one_kind(material.kinds[i])
        found.append(Example(material.queries[i].words, tags, kind, gold=True))
    for words, tags, place in zip(material.others, rest, material.other_kinds, strict=True):
        found.append(Example(words, tags, one_kind(place)))
    return found


def one_kind(place: int | None) -> Floats | None:
    """The category as a distribution."""
    if place is None:
        return None
    out: Floats = np.eye(len(CATEGORIES) + 1, dtype=np.float32)[place]
    return out


def kept_pieces(material: Material, data: Path, recipe: Recipe) -> list[str]:
    """The student's vocabulary: frequent pieces, and all that training texts hold."""
    titles = [" ".join(plain_words(row["input"])) for row in attribute_rows(data)]
    texts = [query.text for query in material.queries]
    texts += [" ".join(words) for words in material.others]
    return chosen_pieces(base_tokenizer(), [*texts, *titles], recipe.frequent)


def taught(
    data: Path, work: Path, material: Material, recipe: Recipe, report: Report
) -> tuple[list[Floats | None], list[Floats]]:
    """The teacher's labels of the queries and the other texts, made once and kept in ``work``."""
    texts = [*(material.queries[i].words for i in material.dev), *material.others]
    run = hashlib.sha256(f"{recipe.teacher}{recipe.folds}{texts}".encode()).hexdigest()[:12]
    file = work / f"teacher-{run}.npz"
    if not file.exists():
        folder = teacher_folder(work)
        own, rest = teach(
            folder, material.queries, material.train, texts, recipe.teacher, recipe.folds, report
        )
        for i, tags in zip(material.dev, rest, strict=False):
            own[i] = tags
        rest = rest[len(material.dev) :]
        flat = np.concatenate([*(tags for tags in own if tags is not None), *rest])
        np.savez(file, tags=flat.astype(np.float16))
    return _unflatten(np.load(file)["tags"].astype(np.float32), material)


def _unflatten(flat: Floats, material: Material) -> tuple[list[Floats | None], list[Floats]]:
    lengths = [*(len(q.words) for q in material.queries), *(len(w) for w in material.others)]
    parts = np.split(flat, np.cumsum(lengths)[:-1])
    own: list[Floats | None] = list(parts[: len(material.queries)])
    return own, parts[len(material.queries) :]


def calibrate(model: QueryBert, material: Material) -> None:
    """Set the temperatures by the development queries, which ``model`` must not have seen."""
    queries = [material.queries[i] for i in material.dev]
    tags, kinds = read(model, [query.words for query in queries])
    model.tag_temperature.fill_(span_temperature(tags, [query.tags for query in queries]))
    places = [material.kinds[i] for i in material.dev]
    known = [(row, place) for row, place in zip(kinds, places, strict=True) if place is not None]
    if known:
        rows, classes = zip(*known, strict=True)
        model.category_temperature.fill_(temperature(np.stack(rows), classes))


def train(data: Path, work: Path, recipe: Recipe, report: Report) -> QueryBert:
    """The model, with its weights as the int8 variant stores them: calibrated as trained without
    the development queries, then trained with them."""
    work.mkdir(parents=True, exist_ok=True)
    material = load_material(data, recipe)
    own, rest = taught(data, work, material, recipe, report)
    kept = kept_pieces(material, data, recipe)
    models = []
    for rows in (material.train, np.arange(len(material.queries))):
        model = build_query_bert(kept, CATEGORIES, recipe.layers, recipe.student.seed)
        fit(model, distilled(material, own, rest, recipe, rows), recipe.student, report)
        round_to_served(model)
        models.append(model)
    calibrate(models[0], material)
    models[1].tag_temperature.copy_(models[0].tag_temperature)
    models[1].category_temperature.copy_(models[0].category_temperature)
    return models[1]
