"""A simulated shopper before the real engine: searches, what they are worth, and tables of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.population import Floats, Population, Visit
from engine import Engine, Event, Query, SearchRequest, SearchResponse, Settings
from engine.events import MAX_EVENTS
from engine.settings import ProfileSettings

FIRST = 10
BROWSED = 24
"""How many results a simulated shopper goes through."""
RESAMPLES = 2000
PLAIN = ProfileSettings()
PROFILES = {
    "default": PLAIN,
    "personal": msgspec.structs.replace(PLAIN, rankers=(*PLAIN.rankers, "personal")),
    "explored": msgspec.structs.replace(PLAIN, arrangers=(*PLAIN.arrangers, "explore")),
}


class Judge:
    """What lists are worth to the one who made a visit."""

    def __init__(self, population: Population, visit: Visit) -> None:
        self._grades = visit.grades(population.ids)
        ids = [population.ids[row] for row in visit.rows]
        self._chances = dict(zip(ids, visit.chances().tolist(), strict=True))
        self._ideal = _dcg(sorted(self._grades.values(), reverse=True))

    def __call__(self, ids: Sequence[str]) -> tuple[float, float]:
        """nDCG@10, and the chance that the choice is among the first ten."""
        found = _dcg([self._grades.get(id, 0) for id in ids]) / self._ideal
        return found, sum(self._chances.get(id, 0.0) for id in ids[:FIRST])


def _dcg(gains: Sequence[float]) -> float:
    return float(sum(gain / np.log2(rank + 2) for rank, gain in enumerate(gains[:FIRST])))


@contextmanager
def copied(configured: Settings, **options: dict[str, Any]) -> Iterator[Engine]:
    """The shop with the profiles to compare and these options of plugins, on a copy of its data
    without its events."""
    # A loaded machine must not cost a plugin its turn and the figures their meaning.
    plugins = msgspec.structs.replace(
        configured.plugins, options={**configured.plugins.options, **options}, deadline_ms=60_000
    )
    with tempfile.TemporaryDirectory() as folder:
        ignored = shutil.ignore_patterns("events.sqlite*", "embeddings.sqlite*", "*.lock")
        shutil.copytree(configured.data_path, Path(folder, "data"), ignore=ignored)
        settings = msgspec.structs.replace(
            configured, root=folder, data_dir="data", profiles=PROFILES, plugins=plugins
        )
        with Engine(settings) as shop:
            yield shop


def search(shop: Engine, visit: Visit, profile: str = "default", user: str = "") -> SearchResponse:
    who: dict[str, Any] = {"user_id": user, "session_id": visit.session} if user else {}
    request = SearchRequest(
        Query(visit.query), profile=profile, limit=BROWSED, fields=("id",), **who
    )
    return shop.search(request)


def ids_of(answer: SearchResponse) -> list[str]:
    return [hit.id for hit in answer.hits]


def record(shop: Engine, events: Sequence[Event]) -> None:
    for start in range(0, len(events), MAX_EVENTS):
        results = shop.record(events[start : start + MAX_EVENTS])
        assert all(result.status == "accepted" for result in results), results


def line(name: str, plain: Floats, other: Floats) -> None:
    """The change of both measures; rows are shoppers."""
    rng = np.random.default_rng(0)
    sample = rng.integers(len(plain), size=(RESAMPLES, len(plain)))
    change = other.mean(axis=0) / plain.mean(axis=0) - 1
    changes = other[sample].mean(axis=1) / plain[sample].mean(axis=1) - 1
    low, high = np.percentile(changes, [2.5, 97.5], axis=0)
    print(f"{name:32}{len(plain):5}", end="")
    for n in range(2):
        print(
            f"{plain[:, n].mean():9.4f}{other[:, n].mean():9.4f}{change[n]:+8.1%}"
            f" ({low[n]:+.1%} to {high[n]:+.1%})",
            end="",
        )
    print()


def head(what: str) -> None:
    names = "".join(
        f"{m:>9}{'then':>9}{'change':>8}   95 %         " for m in ("nDCG@10", "hit@10")
    )
    print(f"\n{what:32}{'n':>5}{names}")
