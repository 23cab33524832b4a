"""Feature logging: what a ranking model saw, as it saw it, one line of JSON per search.

float32 values are written in full, so that reading them back gives the same bits; null is NaN.
Nobody who searched is named, but what was typed is; who keeps the file keeps that.
"""

from __future__ import annotations

import logging
import random
import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from engine import RankingBatch, Vectors

from .features import VERSION

log = logging.getLogger(__name__)


class Line(Struct, frozen=True):
    """One search: ``rows`` are the features of ``ids``, in the order of
    :data:`plugins.ltr.features.NAMES` of ``features_version``."""

    at: str
    model: str
    features_version: int
    query: str
    locale: str | None
    ids: list[str]
    rows: list[list[float | None]]


class FeatureLog:
    """Appends a share of all searches to a file. Thread-safe; trouble with the file is reported
    in the log, once, and never to the search."""

    def __init__(self, path: Path, share: float) -> None:
        self._path = path
        self._share = share
        self._lock = threading.Lock()
        self._failed = False

    def offer(self, batch: RankingBatch, values: Vectors, model: str) -> None:
        """Write the search down if the draw says so."""
        if random.random() >= self._share:
            return
        line = Line(
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            model=model,
            features_version=VERSION,
            query=batch.plan.original,
            locale=batch.plan.locale,
            ids=list(batch.ids),
            rows=values.tolist(),
        )
        try:
            with self._lock, self._path.open("ab") as file:
                file.write(msgspec.json.encode(line) + b"\n")
        except OSError as error:
            if not self._failed:
                log.warning("features are not logged: %s: %s", self._path, error.strerror)
            self._failed = True


def read_line(line: bytes) -> tuple[Line, Vectors]:
    """A line and its features, float32 ``[n, features]``; raises msgspec.DecodeError."""
    found = msgspec.json.decode(line, type=Line)
    width = len(found.rows[0]) if found.rows else 0
    if any(len(row) != width for row in found.rows):
        raise msgspec.ValidationError("rows of several lengths")
    return found, np.asarray(found.rows, dtype=np.float32).reshape(len(found.rows), width)
