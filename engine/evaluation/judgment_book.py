"""What people of the shop judged, kept as JSON Lines that only grow.

One line is one rating: who, when, of which search and product, which grade. The newest of a rater
counts, ``null`` takes it back; raters are averaged. The file is read whole, at 200 bytes a rating.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from ..errors import StoreError
from ..types import MAX_QUERY_CHARS, Locale
from .judgments import JudgedSearch

log = logging.getLogger(__name__)

FILE = "judgments.jsonl"
GRADES = {0: "not relevant", 1: "related", 2: "good", 3: "exactly right"}
"""The scale that the page offers. Four grades are usual for products, as in Amazon's ESCI."""

Words = Annotated[str, Meta(min_length=1, max_length=MAX_QUERY_CHARS)]
Rater = Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9_.-]*$")]


class JudgedQuery(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The search that a rating is about."""

    text: Words
    filters: dict[str, Any] = field(default_factory=dict)
    locale: Locale | None = None
    market: str | None = None

    @property
    def id(self) -> str:
        """The same for the same words, whatever their case and spaces, under the same filters."""
        words = " ".join(self.text.casefold().split())
        rest = msgspec.json.encode([words, self.filters, self.locale, self.market], order="sorted")
        return f"q-{hashlib.blake2b(rest, digest_size=8).hexdigest()}"


class Rating(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One grade of one product; ``None`` takes the rater's earlier one back. ``rater`` is a name
    or alias, or empty."""

    query: JudgedQuery
    product: Annotated[str, Meta(min_length=1, max_length=256)]
    grade: Annotated[int, Meta(ge=0, le=3)] | None
    rater: Rater = ""
    time: datetime | None = None


class Judgments(Struct, frozen=True):
    """All that counts: searches, and the mean grade by query id and product."""

    queries: list[JudgedSearch]
    qrels: dict[str, dict[str, float]]


class JudgmentBook:
    """The ratings of one shop; thread-safe in one process."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = threading.Lock()

    def add(self, ratings: Sequence[Rating]) -> None:
        """Keep ratings; on return they are on the disk.

        Raises:
            StoreError: they may not be taken for kept; sending them again is harmless.
        """
        now = datetime.now(UTC)
        lines = b"".join(
            msgspec.json.encode(msgspec.structs.replace(rating, time=now)) + b"\n"
            for rating in ratings
        )
        with self._lock:
            try:
                with self._path.open("ab+") as file:
                    if _is_torn(file):
                        lines = b"\n" + lines
                    file.write(lines)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise StoreError(f"cannot write {self._path}: {error.strerror}") from error

    def judgments(self) -> Judgments:
        """What counts of all ratings, queries in the order they were first judged."""
        newest: dict[tuple[str, str, str], Rating] = {}
        queries: dict[str, JudgedQuery] = {}
        for rating in self._ratings():
            id = rating.query.id
            queries.setdefault(id, rating.query)
            newest[id, rating.product, rating.rater] = rating
        grades: dict[str, dict[str, list[int]]] = {}
        for (id, product, _), rating in newest.items():
            if rating.grade is not None:
                grades.setdefault(id, {}).setdefault(product, []).append(rating.grade)
        return Judgments(
            [
                JudgedSearch(id, q.text, q.filters, q.locale, q.market)
                for id, q in queries.items()
                if id in grades
            ],
            {
                id: {p: round(sum(given) / len(given), 2) for p, given in grades[id].items()}
                for id in queries
                if id in grades
            },
        )

    def grades(self, query: JudgedQuery, rater: str) -> dict[str, int]:
        """What one rater said of a search's products."""
        found: dict[str, int | None] = {}
        for rating in self._ratings():
            if rating.rater == rater and rating.query.id == query.id:
                found[rating.product] = rating.grade
        return {product: grade for product, grade in found.items() if grade is not None}

    def _ratings(self) -> Iterator[Rating]:
        """In the order they were given; a line that a crash cut short was never acknowledged."""
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"cannot read {self._path}: {error.strerror}") from error
        for number, line in enumerate(lines, 1):
            if line:
                try:
                    yield _DECODER.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    log.warning("%s:%d is left out: %s", self._path, number, error)


_DECODER = msgspec.json.Decoder(Rating)


def _is_torn(file: Any) -> bool:
    """Whether the file ends within a line."""
    if not file.seek(0, os.SEEK_END):
        return False
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) != b"\n")
