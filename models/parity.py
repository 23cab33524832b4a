"""How near two embeddings of one thing are, and the bounds that a served model must keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct
from PIL import Image

from engine import Encoder, Vectors

ALONE = 0.9999
"""The cosine that an embedding made alone must have to the same made in a batch."""
VARIANT = 0.997
"""The mean cosine from which a variant may stand for its original: on EfficientNet-Lite0 with
int8 convolutions, 0.995 went with 1.3 % of recall lost and 0.997 with 0.3 %."""


class Parity(Struct, frozen=True):
    """Of pairs of unit rows: the worst cosine, the largest difference of a value, and the mean
    cosine; ``bound`` is what the mean must reach (``whole``: what every row must)."""

    what: str
    cosine: float
    error: float
    mean: float = 1.0
    bound: float = -1.0
    whole: bool = False

    @property
    def kept(self) -> bool:
        """Whether the bound is kept."""
        return (self.cosine if self.whole else self.mean) >= self.bound

    def __str__(self) -> str:
        figures = f"cosine mean {self.mean:.6f} worst {self.cosine:.6f}   error ≤ {self.error:.1e}"
        bound = f"   {'worst' if self.whole else 'mean'} ≥ {self.bound:g}"
        return f"{self.what:44} {figures}{bound if self.bound > -1.0 else ''}{verdict(self.kept)}"


class Loss(Struct, frozen=True):
    """A retrieval figure of the reference and of what is checked; ``bound`` is the largest
    share of it that may be lost."""

    what: str
    reference: float
    served: float
    bound: float = 0.01

    @property
    def kept(self) -> bool:
        """Whether the bound is kept."""
        return self.served >= self.reference * (1.0 - self.bound)

    def __str__(self) -> str:
        change = (self.served - self.reference) / self.reference if self.reference else 0.0
        figures = f"{self.reference:.4f} → {self.served:.4f}   {change:+.2%}"
        return f"{self.what:44} {figures}   loss ≤ {self.bound:.0%}{verdict(self.kept)}"


def verdict(kept: bool) -> str:
    """The end of a line of a report."""
    return "" if kept else "   BROKEN"


def parity(what: str, a: Vectors, b: Vectors, bound: float = -1.0, whole: bool = False) -> Parity:
    """Compare unit rows ``[n, d]`` in pairs."""
    cosines = np.einsum("ij,ij->i", a, b)
    error = float(np.abs(a - b).max())
    return Parity(what, float(cosines.min()), error, float(cosines.mean()), bound, whole)


def against(
    space: str,
    reference: Encoder,
    encoder: Encoder,
    texts: Sequence[str],
    images: Sequence[Image.Image],
    bound: float,
) -> Iterator[Parity]:
    """``encoder`` against ``reference``, and alone against in a batch, in each modality."""
    if "text" in encoder.info.modalities:
        batch = encoder.encode_texts(texts, "document")
        expected = reference.encode_texts(texts, "document")
        yield parity(f"{space}: texts against the reference", expected, batch, bound)
        alone = np.concatenate([encoder.encode_texts([text], "document") for text in texts])
        yield parity(f"{space}: texts alone against in a batch", alone, batch, ALONE, True)
    if "image" in encoder.info.modalities:
        batch = encoder.encode_images(images)
        expected = reference.encode_images(images)
        yield parity(f"{space}: images against the reference", expected, batch, bound)
        alone = np.concatenate([encoder.encode_images([image]) for image in images])
        yield parity(f"{space}: images alone against in a batch", alone, batch, ALONE, True)
