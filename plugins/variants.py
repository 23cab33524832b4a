"""Arranger ``variants``: the best-placed variant of each family stands for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from engine import Arranger, RankingBatch, Register, hookimpl


class Variants:
    required_fields: Sequence[str] = ("group_id",)
    required_vectors: Sequence[str] = ()

    def arrange(self, batch: RankingBatch) -> npt.NDArray[np.intp]:
        seen: set[str] = set()
        kept: list[int] = []
        for index, family in enumerate(batch.columns["group_id"]):
            if family is None or family not in seen:
                kept.append(index)
                seen.add(family)
        return np.asarray(kept, dtype=np.intp)


@hookimpl
def register_arrangers(register: Register[Arranger]) -> None:
    register("variants", lambda options: Variants())
