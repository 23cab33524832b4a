"""What recommenders see of the live shop: its products, under one filter, for one request."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal, Self

from .errors import PluginError
from .filters import Filter, matches
from .protocols import LaneQuery, Scored, Vectors, VectorStore
from .schema import IndexSchema
from .types import SortBy


class LiveAssortment:
    """See :class:`engine.recommenders.Assortment`. Usable within its ``with`` block: what a
    recommender that was left behind asks later must not reach a store that may be closed."""

    def __init__(self, store: VectorStore, filter: Filter) -> None:
        self._open: VectorStore | None = store
        self._filter = filter
        self._judged: dict[str, bool] = {}

    @property
    def schema(self) -> IndexSchema:
        return self._store.spec.schema

    def admitted(self, ids: Sequence[str], most: int) -> list[str]:
        found: list[str] = []
        # The first few mostly suffice; what is asked of the store doubles while they do not.
        start, step = 0, max(2 * most, 16)
        while start < len(ids) and len(found) < most:
            part = ids[start : start + step]
            self._judge(part)
            found += [id for id in part if self._judged[id]]
            start, step = start + step, 2 * step
        return found[:most]

    def search(self, lanes: Sequence[LaneQuery], n: int) -> list[list[Scored]]:
        return self._store.search_batch(lanes, self._filter, n)

    def browse(self, n: int, sort: SortBy | None = None) -> list[str]:
        return self._store.scroll(self._filter, n, 0, sort)

    def vectors(self, ids: Sequence[str], using: Literal["text", "image"]) -> list[Vectors]:
        return self._store.vectors(ids, using)

    def columns(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, list[Any]]:
        return self._store.columns(ids, fields)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open = None

    @property
    def _store(self) -> VectorStore:
        if self._open is None:
            raise PluginError("the request that this assortment was for has been answered")
        return self._open

    def _judge(self, ids: Sequence[str]) -> None:
        unknown = [id for id in dict.fromkeys(ids) if id not in self._judged]
        if not unknown:
            return
        # "locale" is there for every product that the shop has.
        names = list(dict.fromkeys([*self._filter.fields, "locale"]))
        columns = self._store.columns(unknown, names)
        for row, id in enumerate(unknown):
            values = {name: columns[name][row] for name in names}
            self._judged[id] = values["locale"] is not None and matches(self._filter, id, values)
