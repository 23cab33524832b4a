"""Plugins that are good, odd, or broken in one way each, for the engine to cope with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import msgspec
import numpy as np

from engine import QueryPlan, RankingBatch, ShopView, Span, hookimpl

release = threading.Event()
"""Ends the calls that hang."""


def _hang(batch: Any) -> Any:
    release.wait()


def _raise(*given: Any) -> Any:
    raise LookupError("the price list is gone")


def _exit(batch: Any) -> Any:
    raise SystemExit(3)


def _write(batch: RankingBatch) -> Any:
    batch.scores[:] = 0
    return batch.scores


def _keep(batch: RankingBatch) -> Any:
    """Keeps what it returned, and changes it when called again."""
    for scores in _kept:
        scores[:] = 9
    _kept.append(np.array(batch.scores) + 1)
    return _kept[-1]


_kept: list[Any] = []


def by_price(batch: RankingBatch) -> Any:
    return np.asarray([-(p or 0.0) for p in batch.columns["price"]], dtype=np.float32)


def photo_mean(batch: RankingBatch) -> Any:
    """Needs the photos' vectors and says so by its scores."""
    vectors = batch.vectors["image"]
    return np.linalg.norm(vectors, axis=1) + batch.vectors["text"][:, 0] * 0


RANKERS: dict[str, Callable[[RankingBatch], Any]] = {
    "by-price": by_price,
    "photo-mean": photo_mean,
    "double": lambda b: b.scores * 2,
    "level": lambda b: np.ones(len(b.ids)),
    "as-list": lambda b: [float(s) + 1 for s in b.scores],
    "keep": _keep,
    "hang": _hang,
    "raise": _raise,
    "exit": _exit,
    "write": _write,
    "short": lambda b: b.scores[:-1],
    "square": lambda b: np.ones((len(b.ids), 2)),
    "nan": lambda b: np.where(np.arange(len(b.ids)) == 3, np.nan, b.scores),
    "huge": lambda b: np.full(len(b.ids), 1e300),
    "texts": lambda b: ["high"] * len(b.ids),
    "nothing": lambda b: None,
}
BAD_RANKERS = {
    "hang": "missed its deadline",
    "raise": "LookupError: the price list is gone",
    "exit": "SystemExit: 3",
    "write": "read-only",
    "short": "must return 48 scores",
    "square": "must return 48 scores",
    "nan": "not finite",
    "huge": "",
    "texts": "ValueError",
    "nothing": "",
}


def _because(batch: RankingBatch, rows: Any) -> Any:
    return [
        {"price": float(batch.columns["price"][row] or 0), "so": batch.ids[row]} for row in rows
    ]


EXPLAINS: dict[str, Callable[[RankingBatch, Any], Any]] = {
    "because": _because,
    "e-raise": _raise,
    "e-short": lambda b, rows: [{}] * (len(rows) - 1),
    "e-list": lambda b, rows: [{"why": ["many"]}] * len(rows),
    "e-nothing": lambda b, rows: [{}] * len(rows),
}
"""All of them rank, and arrange, as "by-price" and "turn" do; then they say why."""
BAD_EXPLAINS = {
    "e-raise": "LookupError",
    "e-short": "must return 48 mappings, not 47",
    "e-list": "Expected `float | str`, got `array`",
}
ARRANGERS: dict[str, Callable[[RankingBatch], Any]] = {
    "drop-odd": lambda b: np.arange(0, len(b.ids), 2),
    "drop-all": lambda b: [],
    "turn": lambda b: np.arange(len(b.ids))[::-1],
    "keep-three": lambda b: [0, 1, 2][: len(b.ids)],
    "a-raise": _raise,
    "twice": lambda b: [0, 0],
    "outside": lambda b: [len(b.ids)],
    "negative": lambda b: [-1],
    "floats": lambda b: [0.0, 1.0],
    "flags": lambda b: np.ones(len(b.ids), dtype=bool),
    "nested": lambda b: [[0]],
}
BAD_ARRANGERS = {
    "a-raise": "LookupError",
    "twice": "an index twice",
    "outside": "an index outside",
    "negative": "an index outside",
    "floats": "flat array of indices",
    "flags": "flat array of indices",
    "nested": "flat array of indices",
}


def change(**changes: Any) -> Callable[..., Any]:
    return lambda plan, shop: msgspec.structs.replace(plan, **changes)


def know(plan: QueryPlan, shop: ShopView) -> QueryPlan:
    """Labels the words that are values of this shop's fields, and lifts what has them."""
    spans = []
    for word in plan.text.split():
        for field, values in shop.vocabulary.items():
            start = plan.text.index(word)
            span = Span(start, start + len(word), field, word, 0.9, field, (word,), "boost")
            if word in values and span.key not in plan.ignored:
                spans.append(span)
    return msgspec.structs.replace(plan, read=plan.text, spans=tuple(spans))


PROCESSORS: dict[str, Callable[..., Any]] = {
    "know": know,
    "only-filters": change(text="", filters={"color": "red"}),
    "forget": change(ignored=("color:red",)),
    "only-red": change(filters={"color": "red"}),
    "spanish": change(translations={"es": "zapato"}),
    "silence": change(text=""),
    "lie": change(
        original="something else", market="mars", selected={"color": "red"}, at=datetime.now(UTC)
    ),
    "p-raise": _raise,
    "no-plan": lambda plan, shop: "a plan",
    "no-text": change(text=None),
    "no-field": change(filters={"colour": "red"}),
}
BAD_PROCESSORS = {
    "p-raise": "LookupError",
    "no-plan": "must return a QueryPlan, not str",
    "no-text": "Expected `str`, got `null`",
    "no-field": "did you mean 'color'",
}


class Ranker:
    required_fields: Sequence[str] = ()
    required_vectors: Sequence[str] = ()

    def __init__(self, name: str) -> None:
        self.rank = RANKERS[name]
        if name == "by-price":
            self.required_fields = ("price", "title", "undeclared")
        if name == "photo-mean":
            self.required_vectors = ("image", "text")


class Arranger:
    required_fields: Sequence[str] = ()
    required_vectors: Sequence[str] = ()

    def __init__(self, name: str) -> None:
        self.arrange = ARRANGERS[name]


class ExplainingRanker:
    required_fields: Sequence[str] = ("price",)
    required_vectors: Sequence[str] = ()
    rank = staticmethod(by_price)

    def __init__(self, name: str) -> None:
        self.explain = EXPLAINS[name]


class ExplainingArranger(ExplainingRanker):
    arrange = staticmethod(ARRANGERS["turn"])


class Processor:
    def __init__(self, name: str) -> None:
        self.process = PROCESSORS[name]


def as_plugin() -> ModuleType:
    """The module that an entry point would load."""

    def offer(*made: tuple[Any, Sequence[str]]) -> Callable[..., None]:
        def hook(register: Any) -> None:
            for make, names in made:
                for name in names:
                    register(name, lambda options, make=make, name=name: make(name))

        return hookimpl(hook)

    module: Any = ModuleType("toys")
    explains = list(EXPLAINS)
    module.register_rankers = offer((Ranker, list(RANKERS)), (ExplainingRanker, explains))
    module.register_arrangers = offer((Arranger, list(ARRANGERS)), (ExplainingArranger, explains))
    module.register_query_processors = offer((Processor, list(PROCESSORS)))
    return module
