"""The seam of the measures: rankings and judgments in, a number per query out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from .judgments import Qrels

Rankings = Mapping[str, Sequence[str]]
"""Query id → product ids, best first."""


class Measures(Protocol):
    """Computes measures of rankings, such as nDCG@10."""

    def per_query(
        self, names: Sequence[str], qrels: Qrels, rankings: Rankings, relevant: float
    ) -> dict[str, dict[str, float]]:
        """Measure → query → value, for every query of ``qrels``; one without a ranking is taken
        for answered by nothing.

        ``names`` are at least nDCG@k (linear gain, log2 discount), RR@k (MRR@k is another name of
        it), R@k and P@k; with "condensed " before it, a measure leaves out of each ranking what
        nobody judged, before k is counted (Sakai, SIGIR 2007). Otherwise that is not relevant.
        For measures that know only relevant or not, grades of at least ``relevant`` are.

        Raises:
            InvalidRequest: a name it does not know.
        """
        ...
