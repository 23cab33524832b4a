"""Rankers, arrangers and query processors that break the contract in one way each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import msgspec
import numpy as np

from engine import QueryPlan, RankingBatch, ShopView, Span

_calls = count()


class Broken:
    """Declares what all of them read; ``answer`` is its rank() or arrange()."""

    required_fields: Sequence[str] = ("price", "brand", "colour")
    required_vectors: Sequence[str] = ()

    def __init__(self, answer: Callable[[Any, RankingBatch], Any]) -> None:
        self._answer = answer
        self.last: Any = None

    def rank(self, batch: RankingBatch) -> Any:
        return self._answer(self, batch)

    arrange = rank


class Telling(Broken):
    """Changes nothing, and ``why`` is its explain()."""

    def __init__(self, why: Callable[[Any, RankingBatch, Any], Any]) -> None:
        super().__init__(lambda self, batch: batch.scores)
        self._why = why

    def rank(self, batch: RankingBatch) -> Any:
        self.last = batch
        return batch.scores

    def explain(self, batch: RankingBatch, rows: Any) -> Any:
        return self._why(self, batch, rows)


def _declares(**changes: Any) -> Broken:
    made = Broken(lambda self, batch: batch.scores)
    vars(made).update(changes)
    return made


def _needs_order(self: Broken, batch: RankingBatch) -> Any:
    if (np.diff(batch.scores) > 0).any():
        raise ValueError("not sorted")
    return batch.scores


def _sorts_a_column(self: Broken, batch: RankingBatch) -> Any:
    batch.columns["price"].sort(key=lambda price: price or 0)
    return batch.scores


def _by_thread(self: Broken, batch: RankingBatch) -> Any:
    main = threading.current_thread() is threading.main_thread()
    return batch.scores if main else batch.scores * 2


def _most(self: Broken, batch: RankingBatch) -> Any:
    top = max(price for price in batch.columns["price"] if price is not None)
    return batch.scores * np.float32(1 + 1 / (1 + top))


def _in_ascii(self: Broken, batch: RankingBatch) -> Any:
    _ = [brand.encode("ascii") for brand in batch.columns["brand"] if brand]
    return batch.scores


def _one_brand(self: Broken, batch: RankingBatch) -> Any:
    (brand,) = {s.values for s in batch.plan.spans if s.field == "brand"} or {()}
    return batch.scores * (1 + len(brand))


def _knows(answer: Callable[[Any], Any]) -> Broken:
    made = Broken(lambda self, batch: answer(batch))
    vars(made)["required_behaviour"] = ("profile", "popularity")
    return made


def _forgets_tastes(batch: RankingBatch) -> Any:
    if batch.profile is not None:
        dict.clear(batch.profile.session.affinities)  # type: ignore[arg-type]
    return batch.scores


RANKERS: dict[str, list[Any]] = {
    "declares_fields_and_vectors": [
        _declares(required_fields="price"),
        _declares(required_fields=(1,)),
        _declares(required_vectors=("photo",)),
        _declares(required_vectors=None),
        _declares(required_behaviour=("orders",)),
        _declares(required_behaviour="profile"),
        _declares(for_known_shoppers=True),
    ],
    "answers_in_every_size": [
        Broken(lambda self, batch: batch.scores[:-1]),
        Broken(lambda self, batch: batch.scores[:, None]),
        Broken(lambda self, batch: np.full(len(batch.ids), np.nan)),
        Broken(lambda self, batch: np.arange(len(batch.ids))),
        Broken(lambda self, batch: None),
        Broken(lambda self, batch: batch.scores / (len(batch.ids) - 1) if len(batch.ids) else 0),
    ],
    "copes_with_missing_values": [
        Broken(_most),
        _knows(lambda batch: batch.scores + batch.popularity),
        _knows(lambda batch: batch.scores * (1 + len(batch.profile.recent))),
    ],
    "copes_with_odd_values": [
        Broken(_in_ascii),
        Broken(lambda self, batch: (set(batch.columns["colour"]), batch.scores)[1]),
    ],
    "copes_with_a_plan_that_says_all": [
        Broken(_one_brand),
        Broken(lambda self, batch: batch.scores / (0 if batch.plan.spans else 1)),
        Broken(lambda self, batch: ([s.values[0] for s in batch.plan.spans], batch.scores)[1]),
    ],
    "copes_with_a_photo_alone": [
        Broken(lambda self, batch: batch.scores + batch.lane_ranks["bm25"]),
        Broken(lambda self, batch: batch.scores * len(batch.plan.text) / len(batch.plan.text)),
    ],
    "copes_with_scores_of_another_ranker": [Broken(_needs_order)],
    "leaves_the_batch_alone": [
        Broken(_sorts_a_column),
        Broken(lambda self, batch: (batch.ids.reverse(), batch.scores)[1]),
        Broken(lambda self, batch: batch.scores.__imul__(2)),
        _knows(_forgets_tastes),
    ],
    "gives_the_same_again": [Broken(lambda self, batch: batch.scores * (1 + next(_calls)))],
    "gives_the_same_from_any_thread": [Broken(_by_thread)],
    "explains_each_row_asked_for": [
        Telling(lambda self, batch, rows: [{}]),
        Telling(lambda self, batch, rows: {"why": "words"}),
        Telling(lambda self, batch, rows: [{"why": batch.scores[row]} for row in rows]),
        Telling(lambda self, batch, rows: [{"why": float("nan")} for row in rows]),
        Telling(lambda self, batch, rows: [{"place": str(i)} for i, _ in enumerate(rows)]),
    ],
    "explains_from_the_batch_alone": [
        Telling(lambda self, batch, rows: [{"of": str(len(self.last.ids))} for _ in rows]),
    ],
}
"""Clause → rankers that break it, and perhaps others."""
RANKERS_AGAINST_ADVICE: dict[str, list[Any]] = {
    "keeps_scores_positive": [Broken(lambda self, batch: -batch.scores)],
    "scores_go_with_their_products": [Broken(lambda self, batch: np.sort(batch.scores)[::-1])],
    "numbers_add_up_to_the_change": [
        Telling(lambda self, batch, rows: [{"price": 99.0} for _ in rows])
    ],
}
ARRANGERS: dict[str, list[Any]] = {
    "answers_in_every_size": [
        Broken(lambda self, batch: [0, 0]),
        Broken(lambda self, batch: [len(batch.ids)]),
        Broken(lambda self, batch: [-1]),
        Broken(lambda self, batch: [0.0]),
        Broken(lambda self, batch: np.ones(len(batch.ids), dtype=bool)),
    ],
    "gives_the_same_again": [
        Broken(lambda self, batch: np.roll(np.arange(len(batch.ids)), next(_calls))),
    ],
}
ARRANGERS_AGAINST_ADVICE: dict[str, list[Any]] = {
    "keeps_something": [Broken(lambda self, batch: [])],
}


class Processor:
    def __init__(self, answer: Callable[[QueryPlan, ShopView], Any]) -> None:
        self.process = answer


def _changed(**changes: Any) -> Processor:
    return Processor(lambda plan, shop: msgspec.structs.replace(plan, **changes))


def _spans(*spans: Span) -> Processor:
    return Processor(
        lambda plan, shop: (
            msgspec.structs.replace(plan, read=plan.text, spans=spans) if plan.text else plan
        )
    )


def _writes(plan: QueryPlan, shop: ShopView) -> QueryPlan:
    plan.filters["brand"] = "Acme"
    return plan


def _one_reading_per_field(plan: QueryPlan, shop: ShopView) -> QueryPlan:
    fields = [span.field for span in plan.spans if span.effect == "boost"]
    if len(fields) != len(set(fields)):
        raise ValueError("a field twice")
    return plan


def _by_thread_plan(plan: QueryPlan, shop: ShopView) -> QueryPlan:
    main = threading.current_thread() is threading.main_thread()
    return plan if main else msgspec.structs.replace(plan, locale="fr")


PROCESSORS: dict[str, list[Any]] = {
    "copes_with_any_text": [
        Processor(lambda plan, shop: plan.text),
        Processor(lambda plan, shop: (plan.text.split()[0], plan)[1]),
        _changed(text=None),
        _changed(filters={"colour": "red"}),
        _changed(categories={"Shoes": 1.5}),
        _spans(Span(0, 9999, "brand", "x")),
        _spans(Span(0, 1, "brand", "x", confidence=2.0)),
    ],
    "copes_with_what_others_planned": [
        Processor(lambda plan, shop: (shop.vocabulary["brand"], plan)[1]),
        Processor(_one_reading_per_field),
    ],
    "returns_a_copy": [Processor(_writes)],
    "plans_the_same_again": [Processor(_by_thread_plan)],
    "leaves_out_what_was_taken_back": [_spans(Span(0, 1, "brand", "x"))],
}
