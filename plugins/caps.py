"""Arranger ``caps``: at most so many products of one brand, family or category at the top.

Within the first ``within`` places, a product whose value is there ``most`` times already is put
off to behind them. Nothing is dropped, and the order is otherwise kept. Where too few others
are left to fill the places, those put off follow at once: a page is never left short.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from engine import Arranger, RankingBatch, Register, hookimpl

Places = Annotated[int, Meta(ge=1, le=1000)]


class Cap(Struct, frozen=True, forbid_unknown_fields=True):
    """At most ``most`` products with one value of ``field`` in the first ``within`` places.

    A product with several values counts under each; of ``category``, which is a path, under the
    last; one without a value under none.
    """

    field: Annotated[str, Meta(min_length=1)]
    most: Places = 3
    within: Places = 20


class CapsOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``caps`` hold together: a product is put off where any of them says so."""

    caps: Annotated[tuple[Cap, ...], Meta(min_length=1)] = (Cap("brand"),)


class _Tally:
    """One cap at work on one window."""

    def __init__(self, cap: Cap, column: Sequence[Any]) -> None:
        self.cap = cap
        self._values = [_values(cap.field, value) for value in column]
        self._placed: Counter[Any] = Counter()

    def place(self, rows: Sequence[int]) -> None:
        for row in rows:
            self._placed.update(self._values[row])

    def refused(self, row: int) -> str:
        """The value of the product that has its share of places; empty where none has."""
        full = (str(v) for v in self._values[row] if self._placed[v] >= self.cap.most)
        return next(full, "")


class Caps:
    prompt = True
    required_vectors: Sequence[str] = ()

    def __init__(self, options: CapsOptions) -> None:
        self._caps = options.caps

    @property
    def required_fields(self) -> Sequence[str]:
        return tuple(dict.fromkeys(cap.field for cap in self._caps))

    def arrange(self, batch: RankingBatch) -> npt.NDArray[np.intp]:
        order, _ = self._order(batch)
        return np.asarray(order, dtype=np.intp)

    def explain(
        self, batch: RankingBatch, rows: npt.NDArray[np.intp]
    ) -> list[Mapping[str, float | str]]:
        """Which cap put a product off, in words."""
        order, refused = self._order(batch)
        places = {row: place for place, row in enumerate(order)}
        return [refused.get(row, {}) if places[row] > row else {} for row in rows.tolist()]

    def _order(self, batch: RankingBatch) -> tuple[list[int], dict[int, dict[str, float | str]]]:
        """The new order, and by what cap products were refused a place.

        Stretch by stretch, from where one cap ends to where the next does: within one, counts
        only grow, so a product that was refused once need not be looked at again.
        """
        tallies = [_Tally(cap, batch.columns[cap.field]) for cap in self._caps]
        order: list[int] = []
        rest = list(range(len(batch.ids)))
        refusals: dict[int, dict[str, float | str]] = {}
        for end in sorted({cap.within for cap in self._caps}):
            active = [tally for tally in tallies if tally.cap.within >= end]
            placed, refused = _stretch(rest, active, end - len(order))
            for row, tally, value in refused:
                words = f"{tally.cap.most} × {value} in the first {tally.cap.within}"
                refusals.setdefault(row, {}).setdefault(tally.cap.field, words)
            free = [row for row, _, _ in refused][: end - len(order) - len(placed)]
            for tally in active:  # too few others: those put off fill the places
                tally.place(free)
            order += placed + free
            taken = set(order)
            rest = [row for row in rest if row not in taken]
        return order + rest, refusals


def _stretch(
    rest: Sequence[int], active: Sequence[_Tally], places: int
) -> tuple[list[int], list[tuple[int, _Tally, str]]]:
    """The next products that no cap refuses, up to ``places``; those refused on the way, each
    with the first cap that did and the value."""
    placed: list[int] = []
    refused: list[tuple[int, _Tally, str]] = []
    for row in rest:
        if len(placed) == places:
            break
        found = next(((t, value) for t in active if (value := t.refused(row))), None)
        if found is not None:
            refused.append((row, *found))
            continue
        placed.append(row)
        for tally in active:
            tally.place([row])
    return placed, refused


def _values(field: str, value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    if isinstance(value, list):
        return tuple(dict.fromkeys(value[-1:] if field == "category" else value))
    return (value,)


@hookimpl
def register_arrangers(register: Register[Arranger]) -> None:
    register("caps", Caps, CapsOptions)
