"""Figures of a query model, served or in torch, on held-out queries, titles and phrases.

Definitions:

- entity F1: micro F1 over spans; a span is right if its words and its type are. Intervals are
  95 % bootstrap over queries.
- token accuracy: share of words with the right tag.
- noisy: the validation queries as :func:`models.query_noise.noisy_queries` changes them, once.
- category accuracy @1, @3: over products that training never saw, by their titles and by phrases
  such as "red heels women", those of either that no training product has.
- linked: share of attribute values in held-out titles of AE-110k and OA-Mine that a span of the
  corresponding type covers exactly, or touches.
- ECE: expected calibration error in 10 bins of equal size, of spans (is a span right?) and of
  the likeliest category.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from engine import Span, word_offsets

from .evaluation import Figure, figure
from .query_corpus import ATTRIBUTES, LONGEST_VALUE, attribute_rows, plain_words
from .query_data import Query, validation_queries
from .query_noise import noisy_queries
from .query_tags import LABELS, TagSpan, begin, spans_of
from .query_taxonomy import CATEGORIES, Item, items

Counts = npt.NDArray[np.int_]
BINS = 10
RESAMPLES = 1000


class Reading(Protocol):
    """What a query was read as: spans over its text, likeliest categories first."""

    @property
    def spans(self) -> Sequence[Span]: ...

    @property
    def categories(self) -> Mapping[str, float]: ...


class Reader(Protocol):
    """A query model in use, served or in torch."""

    def read_many(self, texts: Sequence[str]) -> Sequence[Reading]: ...


class Read(Struct, frozen=True):
    """A reading of ours."""

    spans: list[Span]
    categories: dict[str, float]


def evaluate(reader: Reader, data: Path) -> dict[str, Figure]:
    """All figures on what is held out."""
    queries = validation_queries(data)
    changed = noisy_queries(queries)
    clean = tag_figures(queries, reader, "clean", per_type=True)
    noisy = tag_figures([query for query, _ in changed], reader, "noisy")
    for name, found in by_change(changed).items():
        noisy |= tag_figures(found, reader, f"noisy: {name}")
    return {
        **clean,
        **noisy,
        **category_figures(reader, items(data)),
        **linking_figures(reader, data),
    }


def by_change(changed: Sequence[tuple[Query, tuple[str, ...]]]) -> dict[str, list[Query]]:
    """Noisy queries by what was done to them."""
    found: dict[str, list[Query]] = defaultdict(list)
    for query, names in changed:
        for name in names:
            found[name].append(query)
    return dict(sorted(found.items()))


def tag_figures(
    queries: Sequence[Query], reader: Reader, name: str, *, per_type: bool = False
) -> dict[str, Figure]:
    """Entity F1 and token accuracy under ``name``; with ``per_type`` also F1 of each type and
    the calibration of spans."""
    readings = reader.read_many([query.text for query in queries])
    predicted = [
        tags_of(query.text, reading.spans) for query, reading in zip(queries, readings, strict=True)
    ]
    gold = [query.tags for query in queries]
    right = [
        a == b for g, p in zip(gold, predicted, strict=True) for a, b in zip(g, p, strict=True)
    ]
    found = {f"entity F1 ({name})": f1(gold, predicted), f"token accuracy ({name})": figure(right)}
    if per_type:
        for kind in sorted({span.kind for tags in gold for span in spans_of(tags)}):
            found[f"F1 of {kind}"] = f1(gold, predicted, kind)
        found[f"span ECE ({name})"] = ece(*_span_outcomes(queries, readings))
    return found


def f1(gold: Sequence[Sequence[int]], predicted: Sequence[Sequence[int]], kind: str = "") -> Figure:
    """Micro F1 of spans, of one type or all; ``n`` counts the gold spans."""
    counts = span_counts(gold, predicted, kind)
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(counts), size=(RESAMPLES, len(counts)))
    low, high = np.percentile([_f1(counts[rows].sum(axis=0)) for rows in drawn], [2.5, 97.5])
    return Figure(_f1(counts.sum(axis=0)), float(low), float(high), int(counts[:, 1].sum()))


def span_counts(
    gold: Sequence[Sequence[int]], predicted: Sequence[Sequence[int]], kind: str = ""
) -> Counts:
    """By query: right, gold and predicted spans, ``[n, 3]``."""
    out = np.zeros((len(gold), 3), np.int_)
    for row, (g, p) in enumerate(zip(gold, predicted, strict=True)):
        a, b = ({s for s in spans_of(tags) if kind in ("", s.kind)} for tags in (g, p))
        out[row] = len(a & b), len(a), len(b)
    return out


def _f1(counts: Counts) -> float:
    right, gold, predicted = counts
    return float(2 * right / max(1, gold + predicted))


def tags_of(text: str, spans: Sequence[Span]) -> tuple[int, ...]:
    """The words' tags that ``spans`` of ``text`` stand for."""
    words = word_offsets(text)
    tags = [0] * len(words)
    for span in spans:
        if f"B-{span.label}" not in LABELS:
            continue
        inside = [
            i for i, (start, end) in enumerate(words) if span.start <= start < end <= span.end
        ]
        for place, i in enumerate(inside):
            tags[i] = begin(span.label) + (place > 0)
    return tuple(tags)


def _span_outcomes(
    queries: Sequence[Query], readings: Sequence[Reading]
) -> tuple[list[float], list[bool]]:
    """Confidence of every span, and whether it is right."""
    confidence, right = [], []
    for query, reading in zip(queries, readings, strict=True):
        gold = set(spans_of(query.tags))
        words = {
            offset: i for i, offset in enumerate(start for start, _ in word_offsets(query.text))
        }
        for span in reading.spans:
            first = words[span.start]
            count = len(query.text[span.start : span.end].split())
            confidence.append(span.confidence)
            right.append(TagSpan(first, first + count, span.label) in gold)
    return confidence, right


def ece(confidence: Sequence[float], right: Sequence[bool]) -> Figure:
    """Expected calibration error, in bins that hold equally many."""
    order = np.argsort(confidence, kind="stable")
    said, was = np.asarray(confidence)[order], np.asarray(right, np.float64)[order]
    bins = [rows for rows in np.array_split(np.arange(len(order)), BINS) if len(rows)]
    error = sum(len(r) * abs(said[r].mean() - was[r].mean()) for r in bins) / max(1, len(order))
    return Figure(float(error), float(error), float(error), len(order))


def category_figures(reader: Reader, products: Sequence[Item]) -> dict[str, Figure]:
    """Accuracy on products that were not trained on."""
    trained = {item.title.lower() for item in products if not item.held_out}
    trained |= {text for item in products if not item.held_out for text in item.phrases}
    held = [item for item in products if item.held_out]
    titles = {i.title.lower(): i.category for i in held if i.title.lower() not in trained}
    phrases = {text: i.category for i in held for text in i.phrases if text not in trained}
    found: dict[str, Figure] = {}
    for name, wanted in (("titles", titles), ("phrases", phrases)):
        readings = reader.read_many(list(wanted))
        ranked = [list(reading.categories) for reading in readings]
        names = [CATEGORIES[place] for place in wanted.values()]
        for k in (1, 3):
            right = [name in best[:k] for name, best in zip(names, ranked, strict=True)]
            found[f"category accuracy@{k} ({name})"] = figure(right)
        said = [max(reading.categories.values()) for reading in readings]
        first = [name == best[0] for name, best in zip(names, ranked, strict=True)]
        found[f"category ECE ({name})"] = ece(said, first)
    return found


def linking_figures(reader: Reader, data: Path) -> dict[str, Figure]:
    """Attribute values in held-out titles that a span of their type covers or touches."""
    exact: list[bool] = []
    touched: list[bool] = []
    titles = attribute_rows(data, held_out=True)
    words = [plain_words(str(row["input"])) for row in titles]
    readings = reader.read_many([" ".join(w) for w in words])
    for row, own, reading in zip(titles, words, readings, strict=True):
        tags = tags_of(" ".join(own), reading.spans)
        read = set(spans_of(tags))
        for span in attribute_spans(row, own):
            exact.append(span in read)
            same = (s for s in read if s.kind == span.kind)
            touched.append(any(s.start < span.end and span.start < s.end for s in same))
    return {
        "attribute values linked exactly": figure(exact),
        "attribute values touched": figure(touched),
    }


def attribute_spans(row: Mapping[str, Any], words: Sequence[str]) -> Iterator[TagSpan]:
    """Where the values of a title's attributes stand in its words, first place of each."""
    for name, values in row["target_scores"].items():
        for value in values:
            wanted = plain_words(value)
            if name not in ATTRIBUTES or value == "n/a" or not 0 < len(wanted) <= LONGEST_VALUE:
                continue
            for start in range(len(words) - len(wanted) + 1):
                if tuple(words[start : start + len(wanted)]) == wanted:
                    yield TagSpan(start, start + len(wanted), ATTRIBUTES[name])
                    break
