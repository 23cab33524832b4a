"""Queries without a person's tags, for a teacher to label: recombined from tagged ones and
attribute values, and cut from titles."""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from .data import Row, rows
from .query_data import Query
from .query_tags import spans_of
from .query_taxonomy import Item

Words = tuple[str, ...]
Generator = np.random.Generator
ATTRIBUTES = {
    **dict.fromkeys(("Brand", "Brand Name"), "creator"),
    **dict.fromkeys(
        ("Gender", "Department Name", "Applicable People", "Age", "Age range"), "department"
    ),
    **dict.fromkeys(("Color", "Frame Color", "Lenses Color"), "color"),
    **dict.fromkeys(("Material", "Fabric Type", "Frame Material", "Body Material"), "material"),
    **dict.fromkeys(("Volume", "Size", "Weight", "Length", "Dosage"), "UoM"),
    **dict.fromkeys(("Pack size", "Quantity"), "quantity"),
    "Model name": "product_name",
    "Model Number": "product_number",
    **dict.fromkeys(
        ("Shoe type", "Eyewear Type", "Lure Type", "Stove Type", "Tea variety", "Type", "Item"),
        "core_product_type",
    ),
    **dict.fromkeys(
        ("Flavor", "Scent", "Specialty", "Benefit", "Roast type", "Style", "Sport Type", "Diet"),
        "modifier",
    ),
    "Country": "origin",
}
"""Attributes of AE-110k and OA-Mine that correspond to a QueryNER type."""
LONGEST_VALUE = 3
"""Words of an attribute value that people type into a search box."""


def attribute_rows(data: Path, *, held_out: bool = False) -> list[Row]:
    """Titles with their attributes, AE-110k and OA-Mine; every fifth is ``held_out``."""
    folder = data / "attributes"
    both = [row for part in ("ae-110k", "oa-mine") for row in rows(folder / part / "train.jsonl")]
    return [row for row in both if (zlib.crc32(row["input"].encode()) % 5 == 0) == held_out]


def attribute_values(data: Path) -> Iterator[tuple[str, Words]]:
    """QueryNER types with words for them, from titles' attributes."""
    for row in attribute_rows(data):
        for name, values in row["target_scores"].items():
            for value in values:
                words = plain_words(value)
                if name in ATTRIBUTES and value != "n/a" and 0 < len(words) <= LONGEST_VALUE:
                    yield ATTRIBUTES[name], words


def plain_words(text: str) -> Words:
    """Lower case, without the punctuation that titles have and queries do not."""
    return tuple(re.sub(r"[^\w\s&'./%+-]|(?<=\s)[-./&](?=\s)|_", " ", text.lower()).split())


def recombined(
    queries: Sequence[Query], values: Sequence[tuple[str, Words]], count: int, seed: int = 0
) -> list[Words]:
    """New queries on the pattern of old ones: some spans exchanged for others of their type, one
    in four dropped a span."""
    rng = np.random.default_rng(seed)
    known: dict[str, list[Words]] = defaultdict(list)
    for query in queries:
        for span in spans_of(query.tags):
            known[span.kind].append(query.words[span.start : span.end])
    extra: dict[str, list[Words]] = defaultdict(list)
    for kind, words in values:
        extra[kind].append(words)
    found: set[Words] = set()
    seen = {query.words for query in queries}
    for _ in range(4 * count):
        if len(found) == count:
            break
        words = _recombine(queries[int(rng.integers(len(queries)))], known, extra, rng)
        if words and words not in seen:
            found.add(words)
    return sorted(found)


def _recombine(
    query: Query, known: dict[str, list[Words]], extra: dict[str, list[Words]], rng: Generator
) -> Words:
    out: list[str] = []
    spans = spans_of(query.tags)
    dropped = int(rng.integers(len(spans))) if len(spans) > 1 and rng.random() < 0.25 else -1
    at = 0
    for number, span in enumerate(spans):
        out += query.words[at : span.start]
        at = span.end
        if number == dropped:
            continue
        pool = known[span.kind]
        if extra[span.kind] and rng.random() < 0.3:
            pool = extra[span.kind]
        if rng.random() < 0.6:
            out += pool[int(rng.integers(len(pool)))]
        else:
            out += query.words[span.start : span.end]
    return (*out, *query.words[at:])


def shortened(title: str, rng: Generator) -> Words:
    """Two to six words in a row of a title, more often its first."""
    words = plain_words(title)
    length = int(rng.integers(2, 7))
    start = 0 if rng.random() < 0.4 else int(rng.integers(max(1, len(words) - length + 1)))
    return words[start : start + length]


def title_queries(data: Path, count: int, seed: int = 0) -> list[Words]:
    """Shortened titles of AE-110k and OA-Mine."""
    rng = np.random.default_rng(seed)
    titles = [row["input"] for row in attribute_rows(data)]
    found = {shortened(titles[int(rng.integers(len(titles)))], rng) for _ in range(count)}
    return sorted(words for words in found if words)


def category_queries(products: Sequence[Item], most: int, seed: int = 0) -> list[tuple[Words, int]]:
    """Texts of products that may be trained on, with their category: titles, shortened titles,
    phrases and names, at most ``most`` of a category."""
    rng = np.random.default_rng(seed)
    texts: dict[int, set[Words]] = defaultdict(set)
    for item in products:
        if not item.held_out:
            ways = [plain_words(item.title)[:12], shortened(item.title, rng)]
            ways += [plain_words(text) for text in (*item.names, *item.phrases)]
            texts[item.category] |= {words for words in ways if words}
    found = []
    for category, kinds in sorted(texts.items()):
        ordered = sorted(kinds)
        chosen = rng.permutation(len(ordered))[:most]
        found += [(ordered[i], category) for i in chosen]
    return found
