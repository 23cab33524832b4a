"""Stages 5 and 6: rankers score the window, arrangers reorder it, both say why; each guarded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from .behaviour import Behaviour
from .guard import Guard, PluginFailed
from .known import Known, find_out, for_strangers
from .live import Pipeline
from .markets import NOWHERE, Place
from .plan import QueryPlan
from .profiles import Taste
from .protocols import Vectors, VectorStore
from .types import Candidate, Degraded, Move, Reasons, SearchRequest
from .vectors import means
from .window import Arranger, Explains, Ranker, RankingBatch

T = TypeVar("T", bound=np.generic)


@dataclass(slots=True)
class Ranked:
    """The window in its new order, the plugins that failed, and those that can say why they did
    what they did, each with what it saw."""

    window: list[Candidate]
    degraded: list[Degraded] = field(default_factory=list)
    witnesses: list[tuple[Guard, Explains, RankingBatch]] = field(default_factory=list)


def rank(
    window: list[Candidate],
    pipeline: Pipeline,
    plan: QueryPlan,
    request: SearchRequest,
    store: VectorStore,
    behaviour: Behaviour | None = None,
    place: Place = NOWHERE,
) -> Ranked:
    """Rank and arrange; equal scores keep the fused order. A ranker's change is recorded in
    ``Candidate.deltas``, an arranger's in ``moves`` where the request asks for explanations; a
    plugin that fails leaves the ranking as it was."""
    ranked = Ranked(window)
    if not window or not (pipeline.rankers or pipeline.arrangers):
        return ranked
    ids = [candidate.id for candidate in window]
    known = find_out(ids, pipeline, request, store, behaviour, ranked.degraded)
    if known.profile is None:
        pipeline = for_strangers(pipeline)
    batch = _batch(window, pipeline, plan, request, store, place, known)
    for guard, ranker in pipeline.rankers:
        try:
            scores = guard.call(partial(ranker.rank, _own(batch)), score_check(len(window)))
        except PluginFailed as error:
            ranked.degraded.append(Degraded(guard.name, str(error)))
            continue
        if request.explain and isinstance(ranker, Explains):  # the check takes 34 µs
            ranked.witnesses.append((guard, ranker, batch))
        scores = _frozen(np.array(scores, dtype=np.float32))
        deltas = scores.astype(np.float64) - batch.scores
        for candidate, delta in zip(window, deltas.tolist(), strict=True):
            candidate.deltas[guard.name] = delta
        # Rankers see the window in one fixed order, so columns are fetched once for all.
        batch = msgspec.structs.replace(batch, scores=scores)
    order = np.argsort(-batch.scores, kind="stable")
    ranked.window = [window[i] for i in order]
    if pipeline.arrangers:
        _arrange(ranked, take(batch, order), pipeline)
    return ranked


def _arrange(ranked: Ranked, batch: RankingBatch, pipeline: Pipeline) -> None:
    for guard, arranger in pipeline.arrangers:
        try:
            kept = guard.call(
                partial(arranger.arrange, _own(batch)), index_check(len(ranked.window))
            )
        except PluginFailed as error:
            ranked.degraded.append(Degraded(guard.name, str(error)))
            continue
        if batch.request.explain and isinstance(arranger, Explains):
            ranked.witnesses.append((guard, arranger, batch))
        indices = np.asarray(kept, dtype=np.intp)
        ranked.window = [ranked.window[i] for i in indices]
        if batch.request.explain:
            for after, (before, candidate) in enumerate(zip(indices, ranked.window, strict=True)):
                if before != after:
                    candidate.moves[guard.name] = Move(int(before) + 1, after + 1)
        batch = take(batch, indices)


def explain(ranked: Ranked, page: Sequence[Candidate]) -> None:
    """Ask the witnesses about the products of a page; one that fails is degraded and gives
    none, and its ranking stands."""
    for guard, witness, batch in ranked.witnesses:
        places = {id: row for row, id in enumerate(batch.ids)}
        shown = [candidate for candidate in page if candidate.id in places]
        rows = np.asarray([places[candidate.id] for candidate in shown], dtype=np.intp)
        try:
            found = guard.call(partial(witness.explain, _own(batch), rows), reason_check(len(rows)))
        except PluginFailed as error:
            ranked.degraded.append(Degraded(guard.name, str(error)))
            continue
        for candidate, reasons in zip(shown, found, strict=True):
            if reasons:
                candidate.reasons[guard.name] = dict(reasons)


def _batch(
    window: list[Candidate],
    pipeline: Pipeline,
    plan: QueryPlan,
    request: SearchRequest,
    store: VectorStore,
    place: Place,
    known: Known,
) -> RankingBatch:
    plugins: list[Ranker | Arranger] = [p for _, p in pipeline.rankers]
    plugins += [p for _, p in pipeline.arrangers]
    ids = [candidate.id for candidate in window]
    liked = known.profile.fields if known.profile is not None else ()
    fields = _union([*(p.required_fields for p in plugins), plan.fields, liked])
    ranks, scores = _lane_arrays(window)
    return RankingBatch(
        ids=ids,
        scores=_frozen(np.asarray([c.score for c in window], dtype=np.float32)),
        lane_ranks={lane: _frozen(values) for lane, values in ranks.items()},
        lane_scores={lane: _frozen(values) for lane, values in scores.items()},
        plan=plan,
        request=request,
        columns=place.columns(store, ids, fields) if fields else {},
        vectors={
            using: _frozen(means(store.vectors(ids, using)))
            for using in ("text", "image")
            if any(using in p.required_vectors for p in plugins)
        },
        profile=known.profile,
        popularity=known.popularity,
    )


def _lane_arrays(
    window: list[Candidate],
) -> tuple[dict[str, npt.NDArray[np.int32]], dict[str, Vectors]]:
    lanes = sorted({lane for candidate in window for lane in candidate.lanes})
    ranks = {lane: np.zeros(len(window), dtype=np.int32) for lane in lanes}
    scores = {lane: np.full(len(window), np.nan, dtype=np.float32) for lane in lanes}
    for i, candidate in enumerate(window):
        for lane, hit in candidate.lanes.items():
            ranks[lane][i], scores[lane][i] = hit.rank, hit.score
    return ranks, scores


def take(batch: RankingBatch, indices: npt.NDArray[np.intp]) -> RankingBatch:
    """The rows of ``batch`` at ``indices``, in that order."""
    return msgspec.structs.replace(
        batch,
        ids=[batch.ids[i] for i in indices],
        scores=_frozen(batch.scores[indices]),
        lane_ranks={lane: _frozen(values[indices]) for lane, values in batch.lane_ranks.items()},
        lane_scores={lane: _frozen(values[indices]) for lane, values in batch.lane_scores.items()},
        columns={name: [values[i] for i in indices] for name, values in batch.columns.items()},
        vectors={using: _frozen(rows[indices]) for using, rows in batch.vectors.items()},
        popularity=None if batch.popularity is None else _frozen(batch.popularity[indices]),
    )


def _frozen(array: npt.NDArray[T]) -> npt.NDArray[T]:
    """Read-only: what one plugin writes, even after its deadline, must not reach the next."""
    array.flags.writeable = False
    return array


def _own(batch: RankingBatch) -> RankingBatch:
    """The batch with lists that one plugin may spoil without the next one noticing: sort its ids,
    say."""
    columns = {name: list(values) for name, values in batch.columns.items()}
    profile = batch.profile
    if profile is not None:
        profile = msgspec.structs.replace(
            profile, session=_own_taste(profile.session), long_term=_own_taste(profile.long_term)
        )
    return msgspec.structs.replace(batch, ids=list(batch.ids), columns=columns, profile=profile)


def _own_taste(taste: Taste) -> Taste:
    affinities = {name: dict(shares) for name, shares in taste.affinities.items()}
    return msgspec.structs.replace(taste, affinities=affinities)


def _union(names: Iterable[Sequence[str]]) -> list[str]:
    return sorted({name for group in names for name in group})


def score_check(n: int) -> Callable[[Any], None]:
    """Refuses, with ValueError, what cannot be the scores of ``n`` candidates."""

    def check(scores: Vectors) -> None:
        array = np.asarray(scores, dtype=np.float32)
        if array.shape != (n,):
            raise ValueError(f"rank() must return {n} scores, not shape {array.shape}")
        if not np.isfinite(array).all():
            raise ValueError("rank() returned a score that is not finite")

    return check


def index_check(n: int) -> Callable[[Any], None]:
    """Refuses, with ValueError, what cannot be an order of ``n`` candidates or some of them."""

    def check(indices: npt.NDArray[np.intp]) -> None:
        array = np.asarray(indices)
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            raise ValueError("arrange() must return a flat array of indices")
        if array.size and (array.min() < 0 or array.max() >= n):
            raise ValueError(f"arrange() returned an index outside 0…{n - 1}")
        if len(set(array.tolist())) != array.size:
            raise ValueError("arrange() returned an index twice")

    return check


def reason_check(n: int) -> Callable[[Any], None]:
    """Refuses, with ValueError, what cannot be the reasons of ``n`` products."""

    def check(found: Sequence[Mapping[str, float | str]]) -> None:
        if len(found) != n:
            raise ValueError(f"explain() must return {n} mappings, not {len(found)}")
        msgspec.convert([dict(reasons) for reasons in found], list[Reasons])

    return check
