"""Arranger ``explore``: a bounded share of the first places shows what few have chosen yet.

What is never shown is never chosen, however good it is. So that the shop can learn, a few products
of the window that are little popular are brought up among the first ``within`` places:

- The places are divided into ``share · within`` stretches of equal length, and each has one place
  for such a product: of the first *m* places at most ``ceil(share · m)`` are given away, never one
  of the first ``keep``, and all other products keep their order.
- Candidates stand below these places, have the most of what the words name, score at least
  :data:`LEAST` of the best product, and have less than ``rare`` of popularity.
- Which places and which products follows from the words and the session (or else the user) by
  hashing: the same on every page and at every repetition, and another in the next session. One
  candidate more or less changes no other's turn.

Where no product of the window is popular, there is nothing to catch up with, and nothing is moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Annotated

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from engine import Arranger, RankingBatch, Register, hookimpl

from .fitting import fitting

LEAST = 0.5
"""Of the best product's score, what a candidate must have."""


class ExploreOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``share`` of the first ``within`` places, none of them among the first ``keep``, go to
    products with a popularity below ``rare``: a click counts 1, a cart 3, a purchase 5, half of
    it after a week."""

    share: Annotated[float, Meta(ge=0, le=0.5)] = 0.1
    within: Annotated[int, Meta(ge=1, le=1000)] = 20
    keep: Annotated[int, Meta(ge=0, le=1000)] = 3
    rare: Annotated[float, Meta(gt=0)] = 3.0


class Explore:
    required_fields: Sequence[str] = ()
    required_vectors: Sequence[str] = ()
    required_behaviour = ("popularity",)

    def __init__(self, options: ExploreOptions) -> None:
        self._options = options

    def arrange(self, batch: RankingBatch) -> npt.NDArray[np.intp]:
        brought = self._brought(batch)
        chosen = set(brought.values())
        rest = (row for row in range(len(batch.ids)) if row not in chosen)
        order = [
            brought[place] if place in brought else next(rest) for place in range(len(batch.ids))
        ]
        return np.asarray(order, dtype=np.intp)

    def explain(
        self, batch: RankingBatch, rows: npt.NDArray[np.intp]
    ) -> list[Mapping[str, float | str]]:
        """Where a product that was brought up would stand."""
        chosen = set(self._brought(batch).values())
        words = "chosen by few so far; brought up from place {}"
        return [
            {"explored": words.format(row + 1)} if row in chosen else {} for row in rows.tolist()
        ]

    def _brought(self, batch: RankingBatch) -> dict[int, int]:
        """The places given away, from 0, each with the row that it goes to."""
        options, n = self._options, len(batch.ids)
        popularity = batch.popularity
        if popularity is None or n <= options.within or popularity.max() < options.rare:
            return {}
        rows = np.arange(n)
        good = fitting(batch) & (batch.scores >= LEAST * batch.scores.max())
        found = np.flatnonzero((rows >= options.within) & good & (popularity < options.rare))
        request = batch.request
        seed = f"{batch.plan.original}\n{request.session_id or request.user_id or ''}"
        turns = sorted(found.tolist(), key=lambda row: _hash(seed, batch.ids[row]))
        return dict(zip(self._places(seed), turns, strict=False))

    def _places(self, seed: str) -> list[int]:
        """One place, from 0, of each stretch that lies below those kept."""
        options = self._options
        count = int(options.share * options.within + 1e-9)  # 0.29 · 100 is 28.999…
        edges = [round(options.within * n / count) for n in range(count + 1)] if count else [0]
        places = []
        for n, (start, end) in enumerate(pairwise(edges)):
            start = max(start, options.keep)
            if start < end:
                places.append(start + _hash(seed, str(n)) % (end - start))
        return places


def _hash(seed: str, what: str) -> int:
    digest = blake2b(f"{seed}\n{what}".encode(errors="surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest())


@hookimpl
def register_arrangers(register: Register[Arranger]) -> None:
    register("explore", Explore, ExploreOptions)
