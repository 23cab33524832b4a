"""Ranker ``boosts``: lifts products by what their fields hold, as a shop declares it.

Each function turns a field into a figure f from 0 to 1; a product's score is multiplied with
``1 + weight · f`` for each of them, so that weight 0 changes nothing, nothing is ever pushed below
where it was, and all together lift by the product of ``1 + weight`` at most.

The decays are those of Elasticsearch's ``function_score`` (x: distance from the origin beyond the
offset): gauss ``exp(x² · ln(decay) / scale²)``, exp ``exp(x · ln(decay) / scale)``, linear
``max(0, 1 - x · (1 - decay) / scale)``; each is ``decay`` at a distance of ``scale``. Saturation is
that of its ``rank_feature`` query, ``x / (x + pivot)``.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from engine import OWN_PRICE, Ranker, RankingBatch, Register, Vectors, hookimpl

Figures = npt.NDArray[np.float64]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Clock = Callable[[], float]
"""Seconds since the epoch."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


class Function(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What all functions have: the ``field`` they read, their ``weight``, the figure of products
    without a value (``missing``), and the ``name`` that explanations use (default: the field)."""

    field: str
    weight: Annotated[float, Meta(ge=0, le=100)] = 1.0
    missing: Fraction = 0.0
    name: str = ""

    @property
    def label(self) -> str:
        return self.name or self.field

    @property
    def column(self) -> str:
        """What it reads: a price is the product's own, for a shop gives figures in its currency."""
        return OWN_PRICE if self.field == "price" else self.field

    def figures(self, column: Sequence[Any], now: float) -> Figures:
        """f of each product ``[n]``, in [0, 1]."""
        numbers = np.asarray([_number(value) for value in column], dtype=np.float64)
        found = self.shape(np.nan_to_num(numbers), now)
        return np.where(np.isnan(numbers), self.missing, np.clip(found, 0.0, 1.0))

    def shape(self, x: Figures, now: float) -> Figures:
        """f of values that are there."""
        raise NotImplementedError


class Values(Function, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="values"):
    """Words or flags: the figure of each value ("true" and "false" for flags); of several held
    the highest. A value that is not listed counts as 0."""

    values: dict[str, Fraction]

    def figures(self, column: Sequence[Any], now: float) -> Figures:
        return np.asarray([self._figure(value) for value in column], dtype=np.float64)

    def _figure(self, value: Any) -> float:
        if value is None:
            return self.missing
        held = value if isinstance(value, list) else [value]
        words = (str(v).lower() if isinstance(v, bool) else str(v) for v in held)
        return max((self.values.get(word, 0.0) for word in words), default=0.0)


class Saturation(Function, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="saturation"):
    """More is better, ever less so: f is a half at ``pivot``, near 1 far beyond it."""

    pivot: Annotated[float, Meta(gt=0)]

    def shape(self, x: Figures, now: float) -> Figures:
        x = np.maximum(x, 0.0)
        return x / (x + self.pivot)


class Log(Function, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="log"):
    """More is better by orders of magnitude: f is 1 from ``top`` on."""

    top: Annotated[float, Meta(gt=0)]

    def shape(self, x: Figures, now: float) -> Figures:
        return np.log1p(np.maximum(x, 0.0)) / math.log1p(self.top)


class Linear(Function, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="linear"):
    """From 0 at ``low`` to 1 at ``high``; less is better where ``low`` is the larger."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if self.low == self.high:
            raise ValueError("low and high are the same")

    def shape(self, x: Figures, now: float) -> Figures:
        return (x - self.low) / (self.high - self.low)


class Decay(Function, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="decay"):
    """1 at ``origin``, falling with the distance: to ``decay`` at ``scale`` beyond ``offset``.

    ``origin`` is a number, an ISO 8601 moment, or "now" for fields that hold moments (seconds
    since the epoch as ``updated_at`` does, or ISO 8601 words). ``scale`` and ``offset`` are
    numbers, or durations ("30d"; s, m, h, d, w). A moment after "now" counts as now.
    """

    scale: float | str
    origin: float | str = "now"
    offset: float | str = 0.0
    decay: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    curve: Literal["exp", "gauss", "linear"] = "exp"

    def __post_init__(self) -> None:
        if _span("scale", self.scale) <= 0:
            raise ValueError("scale: must be above 0")
        if _span("offset", self.offset) < 0:
            raise ValueError("offset: must not be below 0")
        if self.origin != "now" and math.isnan(_number(self.origin)):
            raise ValueError(f'origin: {self.origin!r} is no number, ISO 8601 moment or "now"')

    def shape(self, x: Figures, now: float) -> Figures:
        scale = _span("scale", self.scale)
        if self.origin == "now":
            away = now - np.minimum(x, now)
        else:
            away = np.abs(x - _number(self.origin))
        # So far away that every curve is at 0; a square of more could overflow.
        away = np.clip(away - _span("offset", self.offset), 0.0, 1e9 * scale) / scale
        if self.curve == "linear":
            return np.maximum(1.0 - away * (1.0 - self.decay), 0.0)
        return np.exp(math.log(self.decay) * (away**2 if self.curve == "gauss" else away))


class BoostOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``functions`` all apply, each to one field."""

    functions: tuple[Values | Saturation | Log | Linear | Decay, ...] = ()

    def __post_init__(self) -> None:
        labels = [function.label for function in self.functions]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"functions: two are called {label!r}; give each a name")


class Boosts:
    prompt = True
    required_vectors: Sequence[str] = ()

    def __init__(self, options: BoostOptions, clock: Clock = time.time) -> None:
        self._functions = options.functions
        self._clock = clock
        self.required_fields = tuple(dict.fromkeys(f.column for f in options.functions))

    def rank(self, batch: RankingBatch) -> Vectors:
        scores = batch.scores.astype(np.float64)
        for _, lift in self._lifts(batch):
            scores *= lift
        return scores.astype(np.float32)

    def explain(
        self, batch: RankingBatch, rows: npt.NDArray[np.intp]
    ) -> list[dict[str, float | str]]:
        """By function, what it added to the score that those before it had made."""
        scores = batch.scores.astype(np.float64)
        told: list[dict[str, float | str]] = [{} for _ in rows]
        for label, lift in self._lifts(batch):
            for reasons, row in zip(told, rows, strict=True):
                reasons[label] = float(scores[row] * (lift[row] - 1.0))
            scores *= lift
        return told

    def _lifts(self, batch: RankingBatch) -> list[tuple[str, Figures]]:
        now = self._clock()
        return [
            (f.label, 1.0 + f.weight * f.figures(batch.columns[f.column], now))
            for f in self._functions
        ]


def _number(value: Any) -> float:
    """A number, or a moment in seconds since the epoch (UTC where it has no offset); NaN where
    it is neither."""
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        return math.nan
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return math.nan
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _span(name: str, given: float | str) -> float:
    """A distance: as it is, or a duration in seconds."""
    if not isinstance(given, str):
        return given
    if (found := _DURATION.fullmatch(given.strip())) is None:
        raise ValueError(f'{name}: {given!r} is no number or duration such as "30d" or "12h"')
    return float(found[1]) * _SECONDS[found[2]]


@hookimpl
def register_rankers(register: Register[Ranker]) -> None:
    register("boosts", Boosts, BoostOptions)
