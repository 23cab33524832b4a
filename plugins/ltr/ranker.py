"""Ranker ``ltr``: the window in the order of a model trained on the shop's own judgments or clicks.

``score = best · exp(margin − largest margin)``, where ``best`` is the highest score before. Margins
are log-odds (:meth:`plugins.ltr.booster.Trees.margins`), so the ratio of two scores is the model's
odds that one belongs above the other (Bradley and Terry 1952), and a ranker that halves a score
later on halves its odds.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from engine import InvalidModel, RankingBatch, Vectors

from . import features
from .feature_log import FeatureLog
from .models import FOLDER, Model, Versions, load

log = logging.getLogger(__name__)

NAME = "ltr"
LEAST = -30.0
"""Log-odds below the best that are told apart; a score stays above 0 in float32."""
CAUSES = 8
"""Features named in an explanation."""


class LtrOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``model``: a version ("v3") or a folder; empty: the live version, and the next one as soon
    as it is live. ``log`` is a file for features, of the share ``sample`` of all searches; with it
    and without a model yet, the order stays and features are logged. ``data_dir`` is filled in by
    the engine."""

    model: str = ""
    log: str = ""
    sample: Annotated[float, Meta(ge=0, le=1)] = 0.01
    data_dir: str = ""


class Ltr:
    required_vectors: Sequence[str] = ()

    def __init__(self, options: LtrOptions) -> None:
        self._served = _Served(options)
        self._log = FeatureLog(Path(options.log), options.sample) if options.log else None

    @property
    def required_fields(self) -> Sequence[str]:
        model = self._served.model
        return features.fields(model.manifest.popularity if model else "")

    def rank(self, batch: RankingBatch) -> Vectors:
        model = self._served.latest()
        values = features.matrix(batch, model.manifest.popularity if model else "")
        if self._log is not None:
            self._log.offer(batch, values, model.name if model else "")
        if model is None:
            return batch.scores
        margins = model.trees.margins(values)
        best = max(float(batch.scores.max()), float(np.finfo(np.float32).tiny))
        scores = best * np.exp(np.maximum(margins - margins.max(), LEAST))
        return np.asarray(scores, dtype=np.float32)

    def explain(
        self, batch: RankingBatch, rows: npt.NDArray[np.intp]
    ) -> Sequence[Mapping[str, float | str]]:
        """SHAP values of the weightiest features, in words because they are log-odds and not
        scores; they sum to the margin."""
        model = self._served.model
        if model is None:
            return [{} for _ in rows]
        values = features.matrix(batch, model.manifest.popularity)[rows]
        parts = model.trees.contributions(values)
        return [_causes(*pair) for pair in zip(values, parts, strict=True)]


def _causes(values: Vectors, parts: npt.NDArray[np.float64]) -> dict[str, str]:
    order = np.argsort(-np.abs(parts[:-1]), kind="stable")
    named = [i for i in order[:CAUSES] if parts[i]]
    rest = float(parts.sum() - parts[named].sum())
    found = {features.NAMES[i]: f"{parts[i]:+.4f} log-odds at {_shown(values[i])}" for i in named}
    return {**found, "all else": f"{rest:+.4f} log-odds", "margin": f"{parts.sum():+.4f} log-odds"}


def _shown(value: np.float32) -> str:
    return "no value" if np.isnan(value) else f"{value:.4g}"


class _Served:
    """The model at work. Where it is the live version, a change of the pointer is noticed by the
    next search, which is still ranked by the old model: the new one is read on a thread of its
    own."""

    def __init__(self, options: LtrOptions) -> None:
        self._versions = Versions(Path(options.data_dir or ".", FOLDER))
        self._lock = threading.Lock()
        self._follows = not options.model
        self._seen = self._versions.stamp()
        self.model: Model | None = None
        if options.model:
            self.model = self._chosen(options.model)
        elif not options.log or self._versions.live():
            self.model = self._live()

    def latest(self) -> Model | None:
        model = self.model  # before the thread below may replace it
        if self._follows and (stamp := self._versions.stamp()) != self._seen:
            with self._lock:
                changed, self._seen = stamp != self._seen, stamp
            if changed:
                threading.Thread(target=self._reload, name="ltr-model", daemon=True).start()
        return model

    def _chosen(self, name: str) -> Model:
        return self._versions.load(name) if name in self._versions.names() else load(Path(name))

    def _live(self) -> Model:
        name = self._versions.live()
        if not name:
            raise InvalidModel(
                f"ranker {NAME!r}: no live model in {self._versions.folder}: train one with "
                "`entrepot ltr train`, set the ranker's option `log` to collect features until "
                "then, or take it out of the profile"
            )
        return self._versions.load(name)

    def _reload(self) -> None:
        try:
            self.model = self._live()
        except Exception as error:
            log.error("the new ranking model is not used: %s", error)
