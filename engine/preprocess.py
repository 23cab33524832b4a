"""What an image tower looks at: pictures resized, cut and scaled as its manifest says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from .manifest import ImageTower
from .protocols import Vectors

LONGEST = 16
"""Aspect ratio from which a picture loses its ends before it is scaled and cropped."""

_RESAMPLE = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def pixels(images: Sequence[Image.Image], tower: ImageTower) -> Vectors:
    """Float32 ``[n, 3, size, size]`` as :class:`engine.manifest.ImageTower` says."""
    values = np.stack([np.asarray(_resized(image, tower)) for image in images])
    scale = 1.0 / (255.0 * np.asarray(tower.std, dtype=np.float32))
    shift = np.asarray(tower.mean, dtype=np.float32) / np.asarray(tower.std, dtype=np.float32)
    return np.ascontiguousarray((values * scale - shift).transpose(0, 3, 1, 2), dtype=np.float32)


def _resized(image: Image.Image, tower: ImageTower) -> Image.Image:
    """RGB, ``size`` squared. Rounding is that of torchvision's Resize and CenterCrop, and for
    ``longest`` of OpenCLIP's ResizeKeepRatio and CenterCropOrPad."""
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    resample, side = _RESAMPLE[tower.resample], tower.size
    if tower.resize == "squash":
        return rgb.resize((side, side), resample)
    if tower.resize == "longest":
        longer = max(rgb.size)
        width, height = (max(1, round(length / (longer / side))) for length in rgb.size)
        square = Image.new("RGB", (side, side))
        square.paste(
            rgb.resize((width, height), resample), ((side - width) // 2, (side - height) // 2)
        )
        return square
    rgb = _without_ends(rgb)
    shorter = min(rgb.size)
    width, height = (int(side * length / shorter) for length in rgb.size)
    left, top = round((width - side) / 2), round((height - side) / 2)
    resized = rgb.resize((width, height), resample)
    return resized.crop((left, top, left + side, top + side))


def _without_ends(image: Image.Image) -> Image.Image:
    """A picture longer than :data:`LONGEST` times its width, cut evenly at both ends: scaled
    whole, a long thin strip would take gigabytes, only for its centre to be kept."""
    most = LONGEST * min(image.size)
    left, top = (max(0, (length - most) // 2) for length in image.size)
    return image.crop((left, top, image.width - left, image.height - top))
