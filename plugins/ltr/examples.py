"""Judged windows: what the trainer learns from and the evaluation measures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from engine import Engine, InvalidRequest, Query, SearchRequest, Settings, Vectors, ndcg

from . import features
from .booster import Floats
from .feature_log import Line, read_line
from .judgments import JudgedQuery, normal

_SCORE = features.NAMES.index("score")
_PATIENCE_MS = 60_000.0


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
    wanted = {normal(query.text): query for query in queries}
    latest: dict[str, bytes] = {}
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            key = normal(_checked(text, f"{path}:{number}").query)
            if key in wanted:
                latest[key] = text
    for key, query in wanted.items():
        if key in latest:
            line, values = read_line(latest[key])
            yield example(query, line.ids, values)


def _checked(text: bytes, where: str) -> Line:
    try:
        line, values = read_line(text)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"{where}: {error}", field="features") from error
    here = features.VERSION, (len(line.ids), len(features.NAMES))
    if (line.features_version, values.shape) != here:
        raise InvalidRequest(
            f"{where}: features of version {line.features_version}, shape {values.shape}; here "
            f"version {here[0]}, shape {here[1]}: begin a new log",
            field="features",
        )
    return line


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
    # Nobody waits: a plugin that is late for once must not be missing from what is learned.
    plugins = msgspec.structs.replace(settings.plugins, deadline_ms=_PATIENCE_MS)
    return msgspec.structs.replace(settings, profiles={profile: shortened}, plugins=plugins)
