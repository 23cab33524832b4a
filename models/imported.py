"""What an import reads from a source: the two towers, and torch's own answers to compare with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from PIL import Image
from tokenizers import Tokenizer

from engine import Encoder, Role, Vectors
from engine.manifest import Space, TextTower

from .parity import ALONE, Parity, parity
from .served import ImagePart, TextPart

TEXTS = (
    "Red leather PURSE, size 7½ – “new”",
    "a",
    "",
    "🎉👟🏽 sneakers",
    "男士黑色皮鞋，特价！",
    "crème brûlée à l'orange & more",
    "don't_miss: 50% off #1",
    "long text " * 300,
)
"""What every import is compared on: empty, long, other scripts, punctuation."""
SIZES = ((96, 64), (33, 47), (640, 480), (31, 300), (101, 100))
"""Width and height of the compared pictures: odd, tall, wide, smaller than any model's."""


class Reference(Struct, frozen=True):
    """The model as its own library runs it, one item at a time.

    ``tokens`` are the ids of a text, padded or not; ``text`` and ``image`` give one row, of any
    length.
    """

    tokens: Callable[[str], list[int]]
    text: Callable[[str], Any]
    image: Callable[[Image.Image], Any] | None = None


class Imported(Struct, frozen=True):
    """A model read from its source, ready to be written and compared."""

    name: str
    provenance: str
    licence: str
    spaces: dict[str, Space]
    text: TextPart
    image: ImagePart | None
    reference: Reference


def first_difference(tokenizer: Tokenizer, tower: TextTower, reference: Reference) -> str:
    """The first of :data:`TEXTS` whose served token ids are not the reference's; or nothing."""
    tokenizer.enable_truncation(tower.max_tokens)
    for text in TEXTS:
        expected = reference.tokens(text)
        ids = tokenizer.encode(text).ids
        if ids + [tower.pad_id] * (len(expected) - len(ids)) != expected:
            return f"{text[:30]!r} becomes {ids[:12]}, in torch {expected[:12]}"
    return ""


def compare(encoder: Encoder, reference: Reference, role: Role, prefix: str) -> list[Parity]:
    """Served rows against torch's, and alone against in a batch; ``prefix`` is the role's."""
    rows = _unit([reference.text(prefix + text) for text in TEXTS])
    batch = encoder.encode_texts(TEXTS, role)
    alone = np.concatenate([encoder.encode_texts([text], role) for text in TEXTS])
    found = [
        parity("texts: torch, served alone", rows, alone, ALONE, True),
        parity("texts: torch, served in a batch", rows, batch, ALONE, True),
    ]
    if reference.image is not None:
        photos = pictures()
        rows = _unit([reference.image(photo) for photo in photos])
        batch = encoder.encode_images(photos)
        alone = np.concatenate([encoder.encode_images([photo]) for photo in photos])
        found += [
            parity("images: torch, served alone", rows, alone, ALONE, True),
            parity("images: torch, served in a batch", rows, batch, ALONE, True),
        ]
    return found


def pictures() -> list[Image.Image]:
    """Noise over a colour gradient, the same on every call: both fine and coarse detail."""
    rng = np.random.default_rng(0)
    made = []
    for width, height in SIZES:
        ramp = np.linspace(0, 200, width)[None, :, None] * np.array([1.0, 0.6, 0.2])
        noise = rng.integers(0, 56, (height, width, 3))
        made.append(Image.fromarray((ramp + noise).astype(np.uint8)))
    return made


def _unit(rows: Sequence[Any]) -> Vectors:
    joined = np.stack([np.asarray(row, dtype=np.float32).reshape(-1) for row in rows])
    return np.asarray(joined / np.linalg.norm(joined, axis=1, keepdims=True), dtype=np.float32)
