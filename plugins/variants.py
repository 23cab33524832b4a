"""Arranger ``variants``: the best-placed variant of a family stands for all of them.

It sees the rerank window. Products below that keep their fused order, so that a family may
show again there; ``docs/diversity.md`` says what to set where that matters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from engine import Arranger, RankingBatch, Register, hookimpl


class VariantsOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``field`` is what the products of a family have in common; one without it is its own
    family. The other variants are dropped, or put behind the window's other products with
    ``others = "defer"``."""

    field: Annotated[str, Meta(min_length=1)] = "group_id"
    others: Literal["drop", "defer"] = "drop"


class Variants:
    prompt = True
    required_vectors: Sequence[str] = ()

    def __init__(self, options: VariantsOptions) -> None:
        self._options = options

    @property
    def required_fields(self) -> Sequence[str]:
        return (self._options.field,)

    def arrange(self, batch: RankingBatch) -> npt.NDArray[np.intp]:
        first: list[int] = []
        others: list[int] = []
        seen: set[Any] = set()
        for row, family in enumerate(self._families(batch)):
            (others if family in seen else first).append(row)
            if family is not None:
                seen.add(family)
        kept = first + others if self._options.others == "defer" else first
        return np.asarray(kept, dtype=np.intp)

    def explain(
        self, batch: RankingBatch, rows: npt.NDArray[np.intp]
    ) -> list[Mapping[str, float | str]]:
        """How many others of the window the first of a family stands for; whose place another
        one waits behind."""
        families = self._families(batch)
        sizes = Counter(families)
        leaders = {family: row for row, family in reversed(list(enumerate(families)))}
        reasons: list[Mapping[str, float | str]] = []
        for row in rows.tolist():
            family = families[row]
            if family is None or sizes[family] == 1:
                reasons.append({})
            elif leaders[family] == row:
                reasons.append({"stands for": float(sizes[family] - 1)})
            else:
                reasons.append({"variant of": batch.ids[leaders[family]]})
        return reasons

    def _families(self, batch: RankingBatch) -> list[Any]:
        """One value per product, hashable; several together (a list) are one family's name."""
        column = batch.columns[self._options.field]
        return [tuple(value) if isinstance(value, list) else value for value in column]


@hookimpl
def register_arrangers(register: Register[Arranger]) -> None:
    register("variants", Variants, VariantsOptions)
