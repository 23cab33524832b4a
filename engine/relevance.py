"""How probable it is that a hit is what was asked for, from the raw scores of its lanes.

A fused score orders the hits of one search and says nothing about how good the best of them is. A
:class:`Calibration` does: logistic regression (Platt 1999) on the lanes' raw scores,

    log-odds = bias + Σ_kind slope · score + (what a kind that found nothing at all adds)

of words, and another one of pictures; where a search has both they are mixed as ``image_weight``
says. Of several lanes of a kind (translations) a product's best counts. A product that a lane did
not find has the score at which that lane ended: it cannot be better.

The shipped coefficients belong to the shipped encoders, and to no others: ``docs/relevance.md``
says what they were fitted on and how well the figures hold where they were not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from msgspec import Struct

from .fusion import Fusion
from .types import Candidate, EncoderInfo

DOUBTFUL = 0.5
"""Below it a hit is more likely wrong than right."""


HEAD = 10
"""How many products, those that fusion has first, are looked at for the best of a search: of 266
queries, half of them for what the shop has not, the best was another one in 3 %, by 0.014 at most,
and always on the same side of :data:`DOUBTFUL`."""


class Term(Struct, frozen=True):
    """What a kind of lane adds to the log-odds: ``slope`` times the score, or ``empty`` where it
    found no product at all."""

    slope: float
    empty: float = 0.0


class Model(Struct, frozen=True):
    """Log-odds from scores by kind of lane."""

    bias: float
    terms: dict[str, Term]

    def log_odds(self, scores: Mapping[str, float]) -> float:
        """``scores`` holds the kinds that found something."""
        total = self.bias
        for kind, term in self.terms.items():
            score = scores.get(kind)
            total += term.empty if score is None else term.slope * score
        return total


class Calibration(Struct, frozen=True):
    """For the encoders of these names and versions."""

    text_encoder: tuple[str, str]
    image_encoder: tuple[str, str]
    words: Model
    pictures: Model

    def fits(self, text: EncoderInfo, image: EncoderInfo) -> bool:
        return (text.name, text.version) == self.text_encoder and (
            image.name,
            image.version,
        ) == self.image_encoder


SHIPPED = Calibration(
    text_encoder=("product-clip/sentence", "0.2.0"),
    image_encoder=("product-clip", "0.2.0"),
    words=Model(
        -12.604,
        {"text": Term(8.151, -5.707), "image": Term(16.721, 6.520), "bm25": Term(1.449)},
    ),
    pictures=Model(-3.554, {"photo": Term(6.906)}),
)
"""A shop without photos has an empty lane ``image``: its term then stands for a photo that fits
middling well."""


class Relevance(Struct, frozen=True):
    """The relevance of the hits of one search: ``words`` counts those that were searched,
    ``image_weight`` is what a picture weighs beside them."""

    calibration: Calibration
    fusion: Fusion
    words: int
    image_weight: float = 0.5

    def __call__(self, candidate: Candidate) -> float | None:
        """In [0, 1]; ``None`` for a product that no lane found, or none that is calibrated."""
        if not candidate.lanes:
            return None
        if "codes" in candidate.lanes:
            return 1.0
        scores = self._scores(candidate)
        kinds = {name.partition(":")[0] for name in self.fusion.weights}
        parts: list[tuple[float, float]] = []
        if kinds & self.calibration.words.terms.keys():
            parts.append((1.0 - self.image_weight, self.calibration.words.log_odds(scores)))
        if kinds & self.calibration.pictures.terms.keys():
            parts.append((self.image_weight, self.calibration.pictures.log_odds(scores)))
        if len(parts) == 1:  # with nothing beside it, the whole, whatever it weighs
            return _sigmoid(parts[0][1])
        return _sigmoid(sum(weight * odds for weight, odds in parts)) if parts else None

    def best(self, head: Iterable[Candidate]) -> float | None:
        """The relevance of the most relevant, ``None`` where nothing is known of any."""
        return max((found for each in head if (found := self(each)) is not None), default=None)

    def _scores(self, candidate: Candidate) -> dict[str, float]:
        scores: dict[str, float] = {}
        for name, scale in self.fusion.scales.items():
            kind = name.partition(":")[0]
            hit = candidate.lanes.get(name)
            score = scale.low if hit is None else hit.score
            if kind == "bm25":
                score = math.log1p(max(0.0, score) / max(1, self.words))
            scores[kind] = max(score, scores.get(kind, -math.inf))
        return scores


def _sigmoid(odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, odds))))
