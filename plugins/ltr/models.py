"""Versions of a shop's ranking model: a folder each, and which of them is live.

``<data folder>/ltr/v3/`` holds ``model.txt`` (LightGBM's own format) and ``model.json``
(:class:`Manifest`); ``<data folder>/ltr/live`` holds the name of the live one and is replaced in
one step, so that a server sees the old or the new.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
from msgspec import Struct, field

from engine import InvalidModel, NotFound

from ..model_versions import VersionFolder
from . import booster, features

FOLDER = "ltr"
MANIFEST, TREES = "model.json", "model.txt"
FORMAT = 1


class Figures(Struct, frozen=True):
    """Cross-validated on the queries a model was made from: mean nDCG@10 of the model, each query
    ranked by trees that never saw it, and of the order before it (``baseline``); ``low`` and
    ``high`` bound the mean difference (paired bootstrap, 95 %)."""

    queries: int
    folds: int
    ndcg: float
    baseline: float
    low: float
    high: float

    @property
    def change(self) -> float:
        return self.ndcg - self.baseline

    def __str__(self) -> str:
        return (
            f"nDCG@10 {self.ndcg:.4f}, order before {self.baseline:.4f}, change "
            f"{self.change:+.4f} ({self.low:+.4f} to {self.high:+.4f}), {self.queries:,} queries"
        )


class Manifest(Struct, frozen=True, kw_only=True):
    """What a version is and how it was made. ``features`` are the columns the trees read, as
    :data:`plugins.ltr.features.VERSION` ``features_version`` means them; ``sha256`` is that of
    the trees' file; ``importances`` are shares of the gain."""

    format: int = FORMAT
    features_version: int
    features: tuple[str, ...]
    popularity: str = ""
    source: str
    trees: int
    seed: int
    trained_at: str
    lightgbm: str
    figures: Figures
    importances: dict[str, float] = field(default_factory=dict)
    sha256: str = ""


class _Head(Struct):
    format: int


class Model(Struct, frozen=True, eq=False):
    """A loaded version."""

    name: str
    manifest: Manifest
    trees: booster.Trees


class Versions(VersionFolder):
    """The versions in one folder."""

    def promote(self, name: str) -> None:
        """Make a version live in one step, once it has been read whole. Raises NotFound and
        InvalidModel as :meth:`load` does."""
        self.load(name)
        self.point(name)

    def add(self, manifest: Manifest, trees: booster.Trees) -> str:
        """Keep a version under the next free name, which is returned; it is not live."""
        text = trees.text().encode()
        manifest = msgspec.structs.replace(manifest, sha256=hashlib.sha256(text).hexdigest())
        encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        return self.write({TREES: text, MANIFEST: encoded + b"\n"})

    def manifest(self, name: str) -> Manifest:
        """Raises NotFound for a version that is not there, InvalidModel for a damaged one."""
        if name not in self.names():
            there = ", ".join(self.names()) or "none"
            raise NotFound(f"no ranking model {name!r} in {self.folder}; there are: {there}")
        return read_manifest(self.folder / name)

    def load(self, name: str) -> Model:
        """Raises what :meth:`manifest` and :func:`load` raise."""
        self.manifest(name)
        return load(self.folder / name)


def read_manifest(folder: Path) -> Manifest:
    """Raises InvalidModel where ``folder`` holds no manifest that this version reads."""
    path = folder / MANIFEST
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidModel(f"no ranking model at {folder}: {MANIFEST}: {error.strerror}") from error
    try:
        if (found := msgspec.json.decode(data, type=_Head).format) > FORMAT:
            raise InvalidModel(
                f"{path}: format {found} is newer than this Entrepot reads ({FORMAT}): upgrade, "
                "or train again"
            )
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise InvalidModel(f"{path} does not describe a ranking model: {error}") from error


def load(folder: Path) -> Model:
    """The model in ``folder``, whose features are those that are computed here.

    Raises:
        InvalidModel: it is missing, damaged, or was trained on other features. PluginError:
            LightGBM is not installed.
    """
    manifest = read_manifest(folder)
    _check_features(folder, manifest)
    path = folder / TREES
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidModel(f"{path}: {error.strerror}: train again") from error
    if hashlib.sha256(data).hexdigest() != manifest.sha256:
        raise InvalidModel(f"{path} is damaged or was changed: train again, or copy it again")
    trees = booster.load(data.decode(), str(path))
    return Model(folder.name, manifest, trees)


def _check_features(folder: Path, manifest: Manifest) -> None:
    if manifest.features_version == features.VERSION and manifest.features == features.NAMES:
        return
    unknown = sorted(set(manifest.features) - set(features.NAMES))
    unused = sorted(set(features.NAMES) - set(manifest.features))
    differences = [f"version {manifest.features_version}, here {features.VERSION}"]
    differences += [f"unknown here: {', '.join(unknown)}"] if unknown else []
    differences += [f"not in the model: {', '.join(unused)}"] if unused else []
    raise InvalidModel(
        f"{folder} was trained on other features ({'; '.join(differences)}): train again"
    )
