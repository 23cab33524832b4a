"""Bytes to pictures, safely: every photo, a shopper's or a catalogue's, is decoded here."""

from __future__ import annotations

import base64
import binascii
import io
import logging
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import ImageTooLarge, InvalidImage
from .settings import ImageSettings
from .types import Product

log = logging.getLogger(__name__)

DRAFT_SIDE = 512
"""JPEGs are decoded at the smallest of Pillow's DCT scales that keeps both sides above this:
no encoder here looks at more, and a 12-megapixel photo decodes about eight times faster."""

_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error)
"""What Pillow's decoders raise on damaged files."""
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


def decode_image(data: bytes, limits: ImageSettings, *, field: str = "image") -> Image.Image:
    """An RGB picture, upright by its EXIF orientation; animations give their first frame,
    transparency is laid on white.

    The pixel cap is checked on the header, before anything is allocated.

    Raises:
        ImageTooLarge: more bytes or pixels than ``limits`` allow.
        InvalidImage: not a picture, truncated, or of an unsupported format.
    """
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(
            f"{field}: {len(data):,} bytes; the limit is {limits.max_bytes:,}", field=field
        )
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_pixels(image, limits, field)
            image.draft("RGB", (DRAFT_SIDE, DRAFT_SIDE))
            return _upright_rgb(image)
    except UnidentifiedImageError as error:
        raise InvalidImage(
            f"{field}: not a picture; send {', '.join(_FORMATS)}", field=field
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLarge(
            f"{field}: more than {limits.max_pixels:,} pixels", field=field
        ) from error
    except _DAMAGED as error:
        raise InvalidImage(f"{field}: damaged picture ({error})", field=field) from error


def decode_base64(text: str, limits: ImageSettings, *, field: str = "image") -> Image.Image:
    """A picture given as base64 or as a ``data:`` URI; raises as :func:`decode_image`."""
    payload = text.partition(",")[2] if text.startswith("data:") else text
    if len(payload) * 3 // 4 > limits.max_bytes + 2:
        raise ImageTooLarge(f"{field}: over the limit of {limits.max_bytes:,} bytes", field=field)
    try:
        data = base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidImage(f"{field}: not valid base64", field=field) from error
    return decode_image(data, limits, field=field)


def read_local(root: Path, ref: str, limits: ImageSettings) -> bytes:
    """The bytes of a photo at ``ref`` below ``root``.

    Raises:
        InvalidImage: missing, unreadable, or outside ``root`` (symbolic links resolved).
        ImageTooLarge: over ``limits.max_bytes``.
    """
    base = root.resolve()
    try:
        path = (base / ref).resolve()
        if not path.is_relative_to(base):
            raise InvalidImage(
                f"images: {ref!r} lies outside the catalogue's folder", field="images"
            )
        if path.stat().st_size > limits.max_bytes:
            raise ImageTooLarge(
                f"images: {ref!r} is over the limit of {limits.max_bytes:,} bytes", field="images"
            )
        return path.read_bytes()
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in a circle
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidImage(f"images: cannot read {ref!r}: {reason}", field="images") from error


def _check_pixels(image: Image.Image, limits: ImageSettings, field: str) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise ImageTooLarge(
            f"{field}: {width:,} × {height:,} pixels; the limit is {limits.max_pixels:,}",
            field=field,
        )


def _upright_rgb(image: Image.Image) -> Image.Image:
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        rgba = upright.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    if upright.mode.startswith("I") or upright.mode == "F":
        upright = _eight_bit(upright)
    return upright.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Deep greys to 0…255, which Pillow's own conversion would clip: 16 bits by their full
    range, integers and floats of no known range by what the picture holds."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32))
    low, high = (0.0, 65535.0) if image.mode.startswith("I;16") else (values.min(), values.max())
    scaled = (values - low) * (255.0 / max(float(high - low), 1e-6))
    return Image.fromarray(scaled.astype(np.uint8))


def read_photos(product: Product, root: str, limits: ImageSettings) -> list[Image.Image]:
    """A product's photos from below ``root``; those that cannot be read are logged and left out."""
    images: list[Image.Image] = []
    for ref in product.images[: limits.max_per_product]:
        try:
            images.append(decode_image(read_local(Path(root), ref, limits), limits))
        except InvalidImage as error:
            log.warning("product %r: %s", product.id, error)
    return images
