"""Encoder ``hash``: deterministic feature hashing, for fast tests only.

Texts become hashed words and letter trigrams, images a coarse grid of colours, so that like
things are alike; texts and images share a space but no meaning. The engine serves an index
made with it only where the settings name it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct
from PIL import Image

from engine import Encoder, EncoderInfo, Register, Role, Vectors, hookimpl

GRID = 4


class HashOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``salt`` makes another encoder with another fingerprint."""

    dim: Annotated[int, Meta(ge=64, le=4096)] = 256
    salt: str = ""


class HashEncoder:
    def __init__(self, options: HashOptions) -> None:
        self._dim = options.dim
        self._salt = options.salt.encode()
        digest = hashlib.sha256(b"hash-1:%d:" % options.dim + self._salt).hexdigest()
        self._info = EncoderInfo(
            name="hash",
            version="1",
            dim=options.dim,
            modalities=("text", "image"),
            fingerprint=digest[:32],
            max_tokens=512,
            image_size=GRID,
        )

    @property
    def info(self) -> EncoderInfo:
        return self._info

    def encode_texts(self, texts: Sequence[str], role: Role) -> Vectors:
        return self._unit([self._text(text) for text in texts])

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        return self._unit([self._image(image) for image in images])

    def close(self) -> None:
        """Nothing to release."""

    def _text(self, text: str) -> Vectors:
        row = np.zeros(self._dim, dtype=np.float32)
        for feature, weight in _features(text):
            seed = hashlib.blake2b(feature.encode(), digest_size=8, key=self._salt[:64]).digest()
            number = int.from_bytes(seed, "little")
            row[number % self._dim] += weight if number >> 63 else -weight
        return row

    def _image(self, image: Image.Image) -> Vectors:
        small = image.convert("RGB").resize((GRID, GRID), Image.Resampling.BOX)
        row = np.zeros(self._dim, dtype=np.float32)
        row[: GRID * GRID * 3] = np.asarray(small, dtype=np.float32).ravel() / 255 - 0.45
        return row

    def _unit(self, rows: Sequence[Vectors]) -> Vectors:
        matrix = np.asarray(rows, dtype=np.float32).reshape(len(rows), self._dim)
        norms = np.linalg.norm(matrix, axis=1, keepdims=True)
        blank = norms[:, 0] < 1e-6
        matrix[blank, -1] = 1.0
        norms[blank] = 1.0
        return np.asarray(matrix / norms, dtype=np.float32)


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word in re.findall(r"\w+", text.lower())[:512]:
        yield word, 1.0
        padded = f"^{word}$"
        for i in range(len(padded) - 2):
            yield padded[i : i + 3], 0.25


@hookimpl
def register_encoders(register: Register[Encoder]) -> None:
    register("hash", HashEncoder, HashOptions)
