"""Measures of rankings by ``ir-measures``, which speaks for trec_eval (the extra ``eval``).

Its names are the usual ones: nDCG@10, RR@10, R@100, P@10, AP, Success@5. See
``docs/evaluation.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine import InvalidRequest, Measures, NoOptions, PluginError, Register, hookimpl

CONDENSED = "condensed "
_SCALES = (1, 2, 3, 4, 5, 10, 100, 1000)
"""trec_eval takes whole grades. Measures with linear gain do not change when all are multiplied;
a thousandth is as fine as grades get."""


class IrMeasures:
    def __init__(self, options: NoOptions) -> None:
        try:
            import ir_measures
        except ImportError as error:
            raise PluginError(
                'measures need the package ir-measures: pip install "entrepot[eval]"'
            ) from error
        self._library: Any = ir_measures

    def per_query(
        self,
        names: Sequence[str],
        qrels: Mapping[str, Mapping[str, float]],
        rankings: Mapping[str, Sequence[str]],
        relevant: float,
    ) -> dict[str, dict[str, float]]:
        grades = {grade for judged in qrels.values() for grade in judged.values()}
        scale = _scale(grades)
        measures = {name: self._measure(name, scale, relevant) for name in names}
        whole = {
            query: {product: round(grade * scale) for product, grade in judged.items()}
            for query, judged in qrels.items()
        }
        run = {
            query: {product: -float(rank) for rank, product in enumerate(rankings.get(query, ()))}
            for query in qrels
        }
        found = {name: dict.fromkeys(qrels, 0.0) for name in names}
        if whole:
            for value in self._library.iter_calc(list(set(measures.values())), whole, run):
                for name, measure in measures.items():  # RR@10 and MRR@10 are one
                    if measure == value.measure:
                        found[name][value.query_id] = float(value.value)
        return found

    def _measure(self, name: str, scale: int, relevant: float) -> Any:
        """Raises InvalidRequest."""
        plain = name.removeprefix(CONDENSED)
        try:
            measure = self._library.parse_measure(plain)
            known = measure.SUPPORTED_PARAMS
            if "rel" in known and "rel" not in measure.params:
                measure = measure(rel=max(1, math.ceil(relevant * scale)))
            if plain != name:
                measure = measure(judged_only=True)
        except (NameError, ValueError, TypeError, AssertionError, SyntaxError) as error:
            raise InvalidRequest(
                f"no measure {name!r}; such as nDCG@10, RR@10, R@100, P@10, condensed nDCG@10 "
                f"({error})",
                field="measures",
            ) from error
        if scale != 1 and ("dcg" in measure.params or "gains" in measure.params):
            raise InvalidRequest(f"{name}: needs whole grades", field="measures")
        return measure


def _scale(grades: set[float]) -> int:
    for scale in _SCALES:
        if all(abs(grade * scale - round(grade * scale)) < 1e-6 for grade in grades):
            return scale
    return _SCALES[-1]


@hookimpl
def register_measures(register: Register[Measures]) -> None:
    register("ir-measures", IrMeasures)
