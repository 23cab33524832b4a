"""Judged windows: what the trainer learns from and the evaluation measures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from engine import Engine, InvalidRequest, Query, SearchRequest, Settings, Vectors

from . import features
from .feature_log import read_line
from .judgments import JudgedQuery, normal
from .measures import Floats, ndcg

_SCORE = features.NAMES.index("score")


class Example(Struct, frozen=True, eq=False):
    """One query's window: ``values`` ``[n, features]``, ``gains`` ``[n]`` with NaN where nobody
    judged; ``judged`` are the gains of all that was judged, found or not."""

    text: str
    values: Vectors
    gains: Floats
    judged: tuple[float, ...]

    @property
    def before(self) -> Floats:
        """The scores that the window came with: fusion's, and those of the rankers before."""
        return self.values[:, _SCORE].astype(np.float64)


def example(query: JudgedQuery, ids: Iterable[str], values: Vectors) -> Example:
    gains = np.asarray([query.gains.get(id, np.nan) for id in ids], dtype=np.float64)
    return Example(query.text, values, gains, tuple(query.gains.values()))


def searched(
    engine: Engine, queries: Iterable[JudgedQuery], popularity: str = "", profile: str = "default"
) -> Iterator[Example]:
    """Each query as the shop answers it now."""
    fields = features.fields(popularity)
    for query in queries:
        batch = engine.window(SearchRequest(Query(query.text), profile=profile), fields)
        yield example(query, batch.ids, features.matrix(batch, popularity))


def logged(path: Path, queries: Iterable[JudgedQuery]) -> Iterator[Example]:
    """Each query as the ranker ``ltr`` last logged it; queries that it did not log are left out.

    Raises:
        InvalidRequest: a line that is no such log, by number, or of other features.
    """
    found: dict[str, int] = {}
    lines = path.read_bytes().splitlines()
    for number, text in enumerate(lines, 1):
        try:
            line, _ = read_line(text)
        except msgspec.DecodeError as error:
            raise InvalidRequest(f"{path}:{number}: {error}", field="features") from error
        if line.features_version != features.VERSION:
            raise InvalidRequest(
                f"{path}:{number}: features of version {line.features_version}, here "
                f"{features.VERSION}: begin a new log",
                field="features",
            )
        found[normal(line.query)] = number - 1
    for query in queries:
        if (at := found.get(normal(query.text))) is not None:
            line, values = read_line(lines[at])
            yield example(query, line.ids, values)


def score(example: Example, scores: Floats, *, condensed: bool, cut: int | None = None) -> float:
    """nDCG@10 of the window ordered by ``scores``, equal ones in the order they have; NaN where
    nothing relevant is judged. ``condensed`` leaves out what nobody judged instead of taking it
    for irrelevant (Sakai, SIGIR 2007); only the first ``cut`` are looked at."""
    order = np.argsort(-scores, kind="stable")[:cut]
    gains = example.gains[order]
    gains = gains[~np.isnan(gains)] if condensed else np.nan_to_num(gains)
    return ndcg(gains, example.judged)


def before_the_ranker(settings: Settings, name: str, profile: str) -> Settings:
    """The shop with a profile that ends before the ranker ``name``, so that the windows of its
    engine are what that ranker would see.

    Raises:
        InvalidRequest: no such profile.
    """
    if profile not in settings.profiles:
        known = ", ".join(settings.profiles)
        raise InvalidRequest(f"no profile {profile!r}; there are: {known}", field="profile")
    chosen = settings.profiles[profile]
    kept = chosen.rankers[: chosen.rankers.index(name)] if name in chosen.rankers else ()
    shortened = msgspec.structs.replace(chosen, rankers=kept, arrangers=())
    return msgspec.structs.replace(settings, profiles={profile: shortened})
