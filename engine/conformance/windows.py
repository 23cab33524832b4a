"""Rerank windows made up for a component that declares fields and vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from msgspec import structs
from PIL import Image

from engine.plan import QueryPlan
from engine.profiles import Taste, UserProfile
from engine.protocols import Vectors
from engine.schema import CORE_FIELDS, FieldKind
from engine.types import Query, SearchRequest
from engine.window import Arranger, NeedsBehaviour, Ranker, RankingBatch

from .spoken import spoken_plan

T = TypeVar("T", bound=np.generic)

LANES = ("bm25", "image", "text")
VECTOR_DIM = 16
SIZES = (1, 2, 3, 7, 50, 200)
"""Windows of one candidate to the default ``search.rerank_window``."""
FIRST_SCORES = (0.01, 0.05)
"""Between which a fused score usually lies: a sum of reciprocal ranks ``1 / (60 + rank)`` over
three lanes."""
ODD_WORDS = ("Größe ☃", "كرسي خشبي", "登山靴", "👩‍🚀", "a > b", "NaN", "x" * 500, 'it\'s "q" <b>\\')
ODD_NUMBERS = (0.0, 1e-9, 0.1, 1.0, 1e6, 1e12)

Method = Literal["rank", "arrange"]
Values = Callable[[str, int], list[Any]]
"""From a field's name and n: n values of it."""


def make_batch(
    n: int,
    columns: Mapping[str, Sequence[Any]] | None = None,
    vectors: Mapping[str, Vectors] | None = None,
    *,
    text: str = "red leather purse",
    plan: QueryPlan | None = None,
) -> RankingBatch:
    """A window of ``n`` candidates as the engine hands it out: falling scores, some products
    missing from each lane, arrays read-only.

    ``columns`` hold ``n`` values per field, ``vectors`` float32 ``[n, d]`` under "text" and
    "image". ``plan`` is what was understood of the query, its spans among it; the engine would
    fetch the columns that they name, so name them in ``columns``. The request asks for the plan's
    words, or for ``text``; where that is empty, for a photo.
    """
    text = plan.original or text if plan else text
    rng = np.random.default_rng(n)
    found = {lane: rng.random(n) < 0.7 for lane in (LANES if text else ("photo",))}
    ranks = {lane: rng.permutation(n).astype(np.int32) + 1 for lane in found}
    photo = None if text else Image.new("RGB", (8, 8), "maroon")
    batch = RankingBatch(
        ids=[f"p{i:04d}" for i in range(n)],
        scores=np.sort(rng.uniform(*FIRST_SCORES, n))[::-1].astype(np.float32),
        lane_ranks={lane: np.where(held, ranks[lane], 0) for lane, held in found.items()},
        lane_scores={
            lane: np.where(held, 1 / ranks[lane], np.nan).astype(np.float32)
            for lane, held in found.items()
        },
        plan=plan or QueryPlan(original=text, text=text, locale="en"),
        request=SearchRequest(Query(text=text or None, image=photo)),
        columns={name: list(values) for name, values in (columns or {}).items()},
        vectors=dict(vectors or {}),
    )
    for array in arrays_of(batch):
        array.flags.writeable = False
    return batch


def arrays_of(batch: RankingBatch) -> list[npt.NDArray[Any]]:
    """All arrays of a window."""
    groups = (batch.lane_ranks, batch.lane_scores, batch.vectors)
    known = [] if batch.popularity is None else [batch.popularity]
    return [batch.scores, *known, *(array for group in groups for array in group.values())]


def with_scores(batch: RankingBatch, scores: npt.NDArray[Any]) -> RankingBatch:
    """The window after a ranker that gave ``scores``."""
    return structs.replace(batch, scores=read_only(scores.astype(np.float32)))


def read_only(array: npt.NDArray[T]) -> npt.NDArray[T]:
    array.flags.writeable = False
    return array


class Windows:
    """Windows with the columns, vectors and behaviour that ``component`` declares; ``values`` makes
    the columns, and vectors have ``dim`` numbers. ``method`` is what answers them, for a component
    may be both a ranker and an arranger."""

    def __init__(
        self,
        component: Ranker | Arranger,
        method: Method,
        values: Values | None = None,
        dim: int = VECTOR_DIM,
    ) -> None:
        self._component = component
        self._dim = dim
        self._values = values or values_of({})
        self.method = method

    def plain(self, n: int, text: str = "red leather purse") -> RankingBatch:
        """Plausible values and vectors, none missing, for a shopper who is known."""
        columns = {field: self._values(field, n) for field in self._component.required_fields}
        batch = make_batch(n, columns, self._vectors(_rows(n, self._dim)), text=text)
        return self._known(batch, a_profile(self._dim))

    def gappy(self, n: int) -> RankingBatch:
        """The same, but every third product lacks each, and nothing is known of the shopper."""
        columns = {
            field: [v if i % 3 or field in ALWAYS else None for i, v in enumerate(values)]
            for field, values in self.plain(n).columns.items()
        }
        rows = _rows(n, self._dim)
        rows[::3] = 0
        return self._known(make_batch(n, columns, self._vectors(rows)), None)

    def bare(self, n: int) -> RankingBatch:
        """Products that have none of what the component declares, in a shop without events."""
        columns = {field: [None] * n for field in self._component.required_fields}
        return make_batch(n, columns, self._vectors(np.zeros((n, self._dim), np.float32)))

    def odd(self, n: int) -> RankingBatch:
        """What catalogues hold beside the usual: other alphabets, long words, several values,
        very small and large numbers; all vectors the same; a shopper without any taste."""
        columns = {f: _odd(f, self._values(f, n)) for f in self._component.required_fields}
        rows = np.full((n, self._dim), self._dim**-0.5, np.float32)
        batch = make_batch(n, columns, self._vectors(rows), text="größe 42 ☃ <b>red</b>")
        return self._known(batch, UserProfile(bought=("p0000",)))

    def understood(self, n: int) -> RankingBatch:
        """Plausible values, and a plan and request that say all they can: of one field two values
        are wanted, of another one is not, a reading names no field, rules lift products. The
        columns of the fields that the plan speaks of are there, as in a search."""
        plan = spoken_plan()
        spoken = {field: values_of({})(field, n) for field in plan.fields}
        batch = self.plain(n)
        request = SearchRequest(
            Query(text=plan.original),
            filters=plan.selected,
            limit=1,
            locale="de",
            market="CH",
            currency="CHF",
            user_id="u",
            session_id="s",
        )
        columns = {**spoken, **batch.columns}
        return structs.replace(batch, plan=plan, request=request, columns=columns)

    def rescored(self, n: int) -> RankingBatch:
        """After another ranker: scores in no order, many of them equal."""
        batch = self.plain(n)
        rng = np.random.default_rng(2)
        return with_scores(batch, rng.choice(batch.scores[: max(1, n // 3)], n) * 1.5)

    def _vectors(self, rows: Vectors) -> dict[str, Vectors]:
        return {using: rows.copy() for using in self._component.required_vectors}

    def _known(self, batch: RankingBatch, profile: UserProfile | None) -> RankingBatch:
        """With what the component declares of behaviour; every fourth product is popular."""
        component: object = self._component
        wanted = component.required_behaviour if isinstance(component, NeedsBehaviour) else ()
        places = np.arange(len(batch.ids))
        popularity = read_only(np.where(places % 4, 0.0, 1.5 + places).astype(np.float32))
        profile = profile if "profile" in wanted else None
        liked = profile.fields if profile is not None else ()
        return structs.replace(
            batch,
            columns={**{name: values_of({})(name, len(places)) for name in liked}, **batch.columns},
            profile=profile,
            popularity=popularity if "popularity" in wanted else None,
        )


def a_profile(dim: int) -> UserProfile:
    """A shopper who looked at three products of the window today and bought another before."""
    text, image = (read_only(row) for row in _rows(2, dim))
    now = Taste(text, image, {"brand": {"brand 1": 1.0}, "color": {"red": 0.5}}, 2.5, 3)
    before = Taste(text, None, {"brand": {"brand 2": 0.4}}, 0.7, 1)
    return UserProfile(now, before, ("p0000", "p0001", "p0002", "sold-out"), ("sold-out",))


def values_of(kinds: Mapping[str, FieldKind]) -> Values:
    """Plausible values by kind; a field of unknown kind counts as a keyword."""

    def values(field: str, n: int) -> list[Any]:
        kind = kinds.get(field) or CORE_FIELDS.get(field.partition(":")[0], FieldKind.KEYWORD)
        if field == "category":
            return [["A", f"A > {i % 4}"] for i in range(n)]
        if kind is FieldKind.NUMBER:
            start = 1.7e9 if field == "updated_at" else 0.0
            return [start + i % 11 for i in range(n)]
        if kind is FieldKind.BOOLEAN:
            return [i % 3 > 0 for i in range(n)]
        return [f"{field} {i % 5}" for i in range(n)]

    return values


ALWAYS = ("title", "in_stock", "locale")
"""What every product has."""
SINGLE = frozenset(CORE_FIELDS) - {"category"} | {"title"}
"""What a product has one of; an attribute may have several values."""


def _rows(n: int, dim: int) -> Vectors:
    rows = np.random.default_rng(1).standard_normal((n, dim)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _odd(field: str, usual: list[Any]) -> list[Any]:
    """Odd values of the type that ``usual`` has."""
    sample = next((value for value in usual if value is not None), None)
    found: list[Any] = list(usual)
    for i, value in enumerate(usual):
        if value is None or isinstance(sample, bool):
            continue
        if isinstance(sample, int | float):
            found[i] = ODD_NUMBERS[i % len(ODD_NUMBERS)]
        elif isinstance(sample, list) or (field not in SINGLE and i % 3 == 0):
            found[i] = [ODD_WORDS[i % len(ODD_WORDS)], *ODD_WORDS[:2]]
        else:
            found[i] = ODD_WORDS[i % len(ODD_WORDS)]
    return found
