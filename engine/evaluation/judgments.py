"""Judged queries as files: queries, and which products answer them how well.

Queries are JSON Lines of :class:`JudgedSearch` or TSV of ``id``, ``text``; judgments (qrels) are
TREC's ``query 0 product grade`` or JSON Lines of ``{"query", "product", "grade"}``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct, field
from PIL.Image import Image

from ..errors import InvalidRequest
from ..types import MAX_WINDOW, ImageWeight, Locale, Query, SearchRequest

T = TypeVar("T")

Grade = Annotated[float, Meta(ge=0, le=1000)]
Qrels = Mapping[str, Mapping[str, float]]
"""Query id → product id → grade, 0 for what is not relevant."""


class JudgedSearch(Struct, frozen=True, omit_defaults=True):
    """A search that judgments are about. ``image`` is a picture's path, from the file's folder."""

    id: Annotated[str, Meta(min_length=1, max_length=256)]
    text: str = ""
    filters: dict[str, Any] = field(default_factory=dict)
    locale: Locale | None = None
    market: str | None = None
    like: tuple[str, ...] = ()
    image: str = ""
    image_weight: ImageWeight = 0.5

    def request(self, profile: str, limit: int, image: Image | None = None) -> SearchRequest:
        """The search; answers hold ids alone."""
        asks = bool(self.text) or image is not None or bool(self.like)
        return SearchRequest(
            Query(self.text or None, image, self.like, self.image_weight) if asks else None,
            filters=self.filters,
            locale=self.locale,
            market=self.market,
            profile=profile,
            limit=min(limit, MAX_WINDOW),
            fields=("id",),
        )


class Judgment(Struct, frozen=True):
    """One line of judgments as JSON."""

    query: Annotated[str, Meta(min_length=1)]
    product: Annotated[str, Meta(min_length=1)]
    grade: Grade


def read_queries(path: Path) -> list[JudgedSearch]:
    """Raises InvalidRequest, by line: neither JSON of a query nor ``id <tab> text``, or an id
    that was there before."""
    found: dict[str, JudgedSearch] = {}
    for number, line in _lines(path):
        if line.startswith("{"):
            query = _decoded(line, JudgedSearch, f"{path}:{number}", "queries")
        else:
            id, tab, text = line.partition("\t")
            if not (tab and id.strip() and text.strip()):
                raise InvalidRequest(
                    f'{path}:{number}: neither {{"id", "text"}} nor `id <tab> text`: {line[:80]!r}',
                    field="queries",
                )
            query = JudgedSearch(id.strip(), text.strip())
        if query.id in found:
            raise InvalidRequest(f"{path}:{number}: a second {query.id!r}", field="queries")
        found[query.id] = query
    return list(found.values())


def read_qrels(path: Path) -> dict[str, dict[str, float]]:
    """Grades by query and product; of a pair judged twice the last counts.

    Raises:
        InvalidRequest: a line that is no judgment, by number, or no judgment at all.
    """
    grades: dict[str, dict[str, float]] = {}
    for number, line in _lines(path):
        if line.startswith("{"):
            judged = _decoded(line, Judgment, f"{path}:{number}", "qrels")
        else:
            judged = _trec(line, f"{path}:{number}")
        grades.setdefault(judged.query, {})[judged.product] = judged.grade
    if not grades:
        raise InvalidRequest(f"{path} holds no judgment", field="qrels")
    return grades


def write_qrels(qrels: Qrels) -> str:
    """TREC's format. Raises InvalidRequest for ids that hold white space; JSON can hold them."""
    for query, grades in qrels.items():
        for id in (query, *grades):
            if len(id.split()) != 1 or id != id.strip():
                raise InvalidRequest(
                    f"{id!r} holds white space, which parts TREC's columns; write JSON Lines",
                    field="format",
                )
    return "".join(
        f"{query}\t0\t{product}\t{grade:g}\n"
        for query, grades in qrels.items()
        for product, grade in grades.items()
    )


def measurable(queries: list[JudgedSearch], qrels: Qrels) -> list[JudgedSearch]:
    """The queries that some product answers; the others tell no two orders apart.

    Raises:
        InvalidRequest: there is none.
    """
    found = [q for q in queries if max(qrels.get(q.id, {}).values(), default=0) > 0]
    if not found:
        raise InvalidRequest("the judgments name no relevant product of any query", field="qrels")
    return found


def _trec(line: str, where: str) -> Judgment:
    try:
        query, _, product, grade = line.split()
        value = float(grade)
    except ValueError:
        raise InvalidRequest(
            f"{where}: not `query 0 product grade`: {line[:80]!r}", field="qrels"
        ) from None
    if not (math.isfinite(value) and value >= 0):
        raise InvalidRequest(f"{where}: grade {grade}: 0 or more", field="qrels")
    return Judgment(query, product, value)


def _decoded(line: str, kind: type[T], where: str, field: str) -> T:
    try:
        return msgspec.json.decode(line, type=kind)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"{where}: {error}", field=field) from error


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InvalidRequest(f"cannot read {path}: {why}", field=path.name) from error
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.strip()
