"""What a configuration answers to judged queries: rankings, and what they cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct, field
from PIL.Image import Image

from ..types import SearchRequest, SearchResponse
from .judgments import JudgedSearch

Search = Callable[[SearchRequest], SearchResponse]
LoadImage = Callable[[str], Image]
"""The picture of :attr:`JudgedSearch.image`."""

DEPTH = 100
"""Products of a ranking that are looked at, unless a measure looks further."""


class Answers(Struct, frozen=True):
    """One configuration's answers, by query id: product ids best first, milliseconds.
    ``degraded`` counts the answers that went without a component, by its name."""

    rankings: dict[str, list[str]]
    took_ms: dict[str, float]
    degraded: dict[str, int] = field(default_factory=dict)

    @property
    def zero_results(self) -> float:
        """The share of queries that found nothing."""
        empty = sum(not ranking for ranking in self.rankings.values())
        return empty / max(1, len(self.rankings))


def answer(
    search: Search,
    queries: Iterable[JudgedSearch],
    profile: str,
    depth: int = DEPTH,
    load_image: LoadImage | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Answers:
    """Ask every query.

    Raises:
        InvalidRequest: a query with a picture and nothing to load it with, or what ``search``
            refuses.
    """
    found = Answers({}, {})
    lost: Counter[str] = Counter()
    for query in queries:
        image = load_image(query.image) if query.image and load_image else None
        response = search(query.request(profile, depth, image))
        found.rankings[query.id] = [hit.id for hit in response.hits]
        found.took_ms[query.id] = response.took_ms
        lost.update({each.component for each in response.degraded})
        progress()
    found.degraded.update(lost)
    return found


def answers_by_turns(
    searches: Sequence[Search],
    queries: Sequence[JudgedSearch],
    profile: str,
    depth: int = DEPTH,
    load_image: LoadImage | None = None,
) -> list[Answers]:
    """Each query of all ``searches``, the first one by turns: it pays for the embedding that the
    others find in the cache. Raises what :func:`answer` does."""
    parts: list[list[Answers]] = [[] for _ in searches]
    order = range(len(searches))
    for n, query in enumerate(queries):
        first = n % len(searches)
        for i in (*order[first:], *order[:first]):
            parts[i].append(answer(searches[i], [query], profile, depth, load_image))
    return [together(part) for part in parts]


def together(parts: Sequence[Answers]) -> Answers:
    """Answers to batches of queries as one."""
    lost: Counter[str] = Counter()
    for part in parts:
        lost.update(part.degraded)
    return Answers(
        {id: ranking for part in parts for id, ranking in part.rankings.items()},
        {id: ms for part in parts for id, ms in part.took_ms.items()},
        dict(lost),
    )
