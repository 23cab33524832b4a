"""Components that run in a process of their own: killed at their deadline, capped in memory.

These stand in the server for the components, which are built by a child process
(:mod:`engine.isolated_child`) that :mod:`engine.process_keeper` keeps alive. What isolation
promises, and what it does not, is in ``docs/plugin-isolation.md``.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from .guard import Failure
from .manager import PluginManager
from .offers import MEMORY_MB
from .plan import QueryPlan
from .process_keeper import LEARN_S, Keeper
from .protocols import ShopView, Vectors
from .types import Reasons
from .window import RankingBatch
from .wire import Because, Garbage, Numbers, Planned, Ready, Recipe

PICTURE_SIDE = 224
"""Pixels: a shopper's picture is sent no larger than what image towers look at."""


class IsolatedComponent:
    """What stands for an isolated component in the server."""

    explain: Callable[[RankingBatch, npt.NDArray[np.intp]], Sequence[Mapping[str, float | str]]]
    """Only where the component has it."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        keeper.when_ready(self._ready)

    def _ready(self, declared: Ready) -> None:
        if declared.explains:
            self.explain = self._explain

    @property
    def required_fields(self) -> Sequence[str]:
        return self.keeper.declared.required_fields

    @property
    def required_vectors(self) -> Sequence[str]:
        return self.keeper.declared.required_vectors

    @property
    def required_behaviour(self) -> Sequence[Literal["profile", "popularity"]]:
        return self.keeper.declared.required_behaviour

    @property
    def for_known_shoppers(self) -> bool:
        return self.keeper.declared.for_known_shoppers

    def _numbers(self, question: str, batch: RankingBatch) -> npt.NDArray[Any]:
        answer = self.keeper.ask(Numbers, question, _sent(batch, self.keeper.declared))
        try:
            return answer.array
        except ValueError as error:
            raise self.keeper.lose(Garbage(str(error))) from error

    def _explain(self, batch: RankingBatch, rows: npt.NDArray[np.intp]) -> list[Reasons]:
        return self.keeper.ask(Because, "explain", _sent(batch, self.keeper.declared), rows).rows


class IsolatedRanker(IsolatedComponent):
    def rank(self, batch: RankingBatch) -> Vectors:
        return self._numbers("rank", batch)


class IsolatedArranger(IsolatedComponent):
    def arrange(self, batch: RankingBatch) -> npt.NDArray[np.intp]:
        return self._numbers("arrange", batch)


class IsolatedProcessor(IsolatedComponent):
    """Is told of another shop in the background: until its process knows, the words of the shop
    before stand."""

    _given: ShopView | None = None

    def process(self, plan: QueryPlan, shop: ShopView) -> QueryPlan:
        if shop is not self._given:
            self._teach(shop)
        if self.keeper.untaught:
            raise Failure("waiting", "its process is learning the shop's words", "undecided")
        after = self.keeper.ask(Planned, "process", plan).plan
        return plan if after is None else after

    def warm_up(self, shop: ShopView) -> None:
        """Return once the process knows ``shop``, or has had its time to."""
        self._teach(shop).wait(LEARN_S)

    def _teach(self, shop: ShopView) -> threading.Event:
        self._given = shop
        facts = {name: getattr(shop, name) for name in ShopView.__struct_fields__}
        del facts["text_encoder"]
        return self.keeper.teach(facts)


STANDS_FOR: dict[str, type[IsolatedComponent]] = {
    "rankers": IsolatedRanker,
    "arrangers": IsolatedArranger,
    "query_processors": IsolatedProcessor,
}


def isolate(
    manager: PluginManager,
    kind: str,
    name: str,
    *,
    deadline_s: float,
    memory_mb: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """A component of ``kind`` "rankers", "arrangers" or "query_processors", not yet started:
    call ``keeper.start()``, and ``keeper.close()`` in the end.

    Raises:
        UnknownPlugin: nobody registered ``name``.
    """
    recipe = Recipe(
        plugin=manager.plugin_of(kind, name),
        kind=kind,
        name=name,
        options={**manager.settings_of(name), **(options or {})},
        memory_mb=memory_mb or MEMORY_MB,
        parent=os.getpid(),
        log_level=logging.getLogger().getEffectiveLevel(),
        registry=manager.registry_settings(kind, name),
    )
    return STANDS_FOR[kind](Keeper(recipe, deadline_s))


@contextmanager
def isolated(
    manager: PluginManager,
    kind: str,
    name: str,
    *,
    deadline_s: float,
    memory_mb: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Iterator[Any]:
    """A component of ``kind``, ready in a process of its own, which ends with the block. Its
    calls raise :class:`engine.guard.Failure`.

    Raises:
        UnknownPlugin: nobody registered ``name``. InvalidSettings: its options do not fit.
        PluginError: it could not be built there.
    """
    component = isolate(
        manager, kind, name, deadline_s=deadline_s, memory_mb=memory_mb, options=options
    )
    component.keeper.start()
    try:
        component.keeper.settled.wait()
        if component.keeper.refusal is not None:
            raise component.keeper.refusal
        yield component
    finally:
        component.keeper.close()


def _sent(batch: RankingBatch, declared: Ready) -> RankingBatch:
    """The batch with what its component declared and nothing that only others did, and with the
    shopper's picture scaled down."""
    known = set(declared.required_behaviour)
    profile = batch.profile if "profile" in known else None
    liked = profile.fields if profile is not None else ()
    fields = {*declared.required_fields, *batch.plan.fields, *liked}
    columns = {name: values for name, values in batch.columns.items() if name in fields}
    spaces = set(declared.required_vectors)
    vectors = {using: rows for using, rows in batch.vectors.items() if using in spaces}
    replace = msgspec.structs.replace
    popularity = batch.popularity if "popularity" in known else None
    batch = replace(batch, columns=columns, vectors=vectors, profile=profile, popularity=popularity)
    query = batch.request.query
    if query is None or query.image is None or max(query.image.size) <= PICTURE_SIDE:
        return batch
    small = query.image.copy()
    small.thumbnail((PICTURE_SIDE, PICTURE_SIDE), reducing_gap=2.0)
    return replace(batch, request=replace(batch.request, query=replace(query, image=small)))
