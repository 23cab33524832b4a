"""Versions of a shop's factor model, and the one that is served.

``<data folder>/recommend/v3/`` holds ``factors.npy`` (float32 ``[products, d]``, in the order of
``products`` in ``model.json``). No shopper is in it. :data:`KEPT` versions are kept, so that what
was learned of a shopper who is erased goes with the trainings that follow.
"""

from __future__ import annotations

import hashlib
import io
import logging
import threading
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from engine import InvalidModel, NotFound, Vectors

from ..model_versions import VersionFolder

log = logging.getLogger(__name__)

FOLDER = "recommend"
MANIFEST, FACTORS = "model.json", "factors.npy"
KEPT = 2
FORMAT = 1


class Figures(Struct, frozen=True):
    """On a time split: ``hit_rate`` is how often one of the first ten products that the model names
    is among those that a shopper went for, next and within a visit, averaged over ``shoppers``;
    ``baseline`` is that of the most popular products; ``low`` and ``high`` bound the mean
    difference (bootstrap, 95 %)."""

    shoppers: int
    hit_rate: float
    baseline: float
    low: float
    high: float

    def __str__(self) -> str:
        return (
            f"hit rate@10 {self.hit_rate:.4f}, most popular {self.baseline:.4f}, change "
            f"{self.hit_rate - self.baseline:+.4f} ({self.low:+.4f} to {self.high:+.4f}), "
            f"{self.shoppers:,} shoppers"
        )


class Manifest(Struct, frozen=True, kw_only=True):
    """What a version is and how it was made; ``products`` name the rows of its factors, ``sha256``
    is that of their file. ``alpha`` and ``regularization`` are those it was fitted with."""

    format: int = FORMAT
    products: tuple[str, ...]
    factors: int
    alpha: float
    regularization: float
    iterations: int
    seed: int
    interactions: int
    shoppers: int
    trained_at: str
    implicit: str
    figures: Figures
    sha256: str = ""


class Factors:
    """A loaded model: ``products`` float32 ``[n, d]`` in the order of ``ids``."""

    def __init__(self, ids: tuple[str, ...], products: Vectors, alpha: float, reg: float) -> None:
        self.ids = ids
        self.products = products
        self.alpha = alpha
        self.regularization = reg
        self.row = {id: row for row, id in enumerate(ids)}

    @cached_property
    def gram(self) -> npt.NDArray[np.float64]:
        """YᵀY, ``[d, d]``."""
        wide = self.products.astype(np.float64)
        return wide.T @ wide


class Versions(VersionFolder):
    """The models of one data folder."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir / FOLDER)

    def add(self, manifest: Manifest, products: Vectors) -> str:
        """Keep a version, which is not live yet, and drop the oldest; its name."""
        buffer = io.BytesIO()
        np.save(buffer, products.astype(np.float32), allow_pickle=False)
        data = buffer.getvalue()
        manifest = msgspec.structs.replace(manifest, sha256=hashlib.sha256(data).hexdigest())
        name = self.write({FACTORS: data, MANIFEST: msgspec.json.encode(manifest)})
        self.prune(KEPT)
        return name

    def manifest(self, name: str) -> Manifest:
        """Raises NotFound for a version that is not there, InvalidModel for a damaged one."""
        if name not in self.names():
            there = ", ".join(self.names()) or "none"
            raise NotFound(f"no recommendation model {name!r} in {self.folder}; there are: {there}")
        path = self.folder / name / MANIFEST
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Manifest)
        except (OSError, msgspec.DecodeError) as error:
            raise InvalidModel(f"{path}: {error}: train again") from error
        if found.format > FORMAT:
            raise InvalidModel(
                f"{path}: format {found.format} is newer than this Entrepot reads ({FORMAT}): "
                "upgrade, or train again"
            )
        return found

    def load(self, name: str) -> Factors:
        """Raises what :meth:`manifest` raises."""
        manifest = self.manifest(name)
        path = self.folder / name / FACTORS
        try:
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() != manifest.sha256:
                raise ValueError("it was changed")
            rows = np.load(io.BytesIO(data), allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InvalidModel(f"{path} is damaged: {error}: train again") from error
        return Factors(manifest.products, rows, manifest.alpha, manifest.regularization)

    def promote(self, name: str) -> None:
        """Make a version live, once it has been read whole, and drop the oldest."""
        self.load(name)
        self.point(name)
        self.prune(KEPT)


class Served:
    """The live model. A change of the pointer is noticed by the next request, which is still
    answered by the old one: the new one is read on a thread of its own."""

    def __init__(self, data_dir: str) -> None:
        self._versions = Versions(Path(data_dir or "."))
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._seen = self._versions.stamp()
        self._factors = self._load()

    def latest(self) -> Factors | None:
        """``None`` until a model is live."""
        factors = self._factors  # before the thread below may replace it
        if (stamp := self._versions.stamp()) != self._seen:
            with self._lock:
                changed, self._seen = stamp != self._seen, stamp
            if changed:
                threading.Thread(target=self._reload, name="recommend-model", daemon=True).start()
        return factors

    def _load(self) -> Factors | None:
        name = self._versions.live()
        return self._versions.load(name) if name else None

    def _reload(self) -> None:
        try:
            with self._reading:  # one that took long must not replace a newer one
                self._factors = self._load()
        except Exception as error:
            log.error("the new recommendation model is not used: %s", error)
