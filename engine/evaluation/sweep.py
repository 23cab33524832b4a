"""Trying values of settings: chosen on one half of the queries, reported on the other.

The best of many is best partly by luck; only queries that had no part in the choice tell by how
much it is better.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from msgspec import Struct

from .comparison import Report
from .judgments import JudgedSearch

MAX_TRIED = 500


class Tried(Struct, frozen=True):
    """One point of the grid and its mean on the development half."""

    values: dict[str, float]
    mean: float


class Sweep(Struct, frozen=True):
    """All points, the best first, and the best against the settings as they are, on the held-out
    half."""

    measure: str
    development: int
    tried: list[Tried]
    held_out: Report


def halves(
    queries: Sequence[JudgedSearch], seed: int
) -> tuple[list[JudgedSearch], list[JudgedSearch]]:
    """A development and a held-out half. A query's half hangs on its words, so that repeated
    queries are on one side, and on ``seed``; not on what else is in the file."""
    parts: tuple[list[JudgedSearch], list[JudgedSearch]] = ([], [])
    for query in queries:
        key = " ".join(query.text.casefold().split()) or query.id
        digest = hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=8).digest()
        parts[digest[0] % 2].append(query)
    return parts


def grid(axes: Mapping[str, Sequence[float]]) -> Iterator[dict[str, float]]:
    """Every combination."""
    for values in product(*axes.values()):
        yield dict(zip(axes, values, strict=True))
