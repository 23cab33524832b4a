"""Serving a catalogue's photos."""

from __future__ import annotations

import hashlib

from msgspec import Struct

from engine.errors import NotFound

from .shops import Shop

_SIGNATURES = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypavif", "image/avif"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
)


class Photo(Struct, frozen=True):
    """A photo's bytes as the browser gets them."""

    data: bytes
    media_type: str
    etag: str


def read_photo(shop: Shop, product_id: str, number: int) -> Photo:
    """The ``number``-th photo of a product.

    Only files below the catalogue's folder (or kept from an upload) that are named and begin
    like a picture are ever read out.

    Raises:
        NotFound: no such product or photo, or the catalogue names a URL or no readable picture.
    """
    engine = shop.engine
    images = engine.get(product_id).images
    if not 0 <= number < len(images):
        raise NotFound(
            f"product {product_id!r} has {len(images)} photos, no number {number}", field="number"
        )
    path = shop.photos.locate(images[number], engine.image_root)
    try:
        data = path.read_bytes() if path else b""
    except OSError:
        data = b""
    media_type = _media_type(data)
    if media_type is None:
        raise NotFound(f"photo {number} of {product_id!r} is no picture here", field="number")
    return Photo(data, media_type, f'"{hashlib.blake2b(data, digest_size=12).hexdigest()}"')


def _media_type(data: bytes) -> str | None:
    for start, mark, media_type in _SIGNATURES:
        if data[start : start + len(mark)] == mark:
            return media_type
    return None
