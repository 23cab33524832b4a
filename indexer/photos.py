"""A product's photos: files beside the catalogue, URLs, and pictures sent in a write."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import threading
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct, structs
from PIL import Image

from engine.errors import EntrepotError, ForbiddenUrl, ImageTooLarge, InvalidImage
from engine.images import decode_image, read_local
from engine.settings import ImageSettings, Settings
from engine.types import Product

from .fetch import Fetcher
from .report import Issue

UPLOAD = "upload:"
"""Prefix of a reference to a picture that came in a write and is kept in the data folder."""
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})
ENOUGH = 512
"""Pixels that the shorter side keeps; larger pictures are halved, or divided by three, four…,
until just above. Encoders look at 224 or so, and hundreds of pictures wait for them."""
MAX_SIDE = 4096
_URL = re.compile(r"[a-z][a-z0-9+.-]*://|//", re.IGNORECASE)
_UPLOADED = re.compile(r"[0-9a-f]{64}\.(jpg|png|webp|gif|bmp|tiff|avif)")
_SIGNATURES = (
    *((b"\xff\xd8\xff", "jpg"), (b"\x89PNG", "png"), (b"GIF8", "gif"), (b"BM", "bmp")),
    *((b"II*\0", "tiff"), (b"MM\0*", "tiff")),
)
_DECODERS = 2


class Loaded(Struct, frozen=True):
    """A product left with the photos that can be used (and URLs that are not fetched but can be
    shown), those photos decoded, and an issue for each that cannot be used."""

    product: Product
    images: list[Image.Image]
    issues: list[Issue]


class PhotoLoader:
    """Loads photos under a shop's limits; thread-safe."""

    def __init__(self, settings: Settings, fetcher: Fetcher | None = None) -> None:
        self._limits: ImageSettings = settings.images
        self._fetcher = fetcher or Fetcher(settings.images)
        self._uploads = settings.data_path / "uploads"
        # A picture may take 200 MB while it is decoded, however many threads wait for URLs.
        self._decoding = threading.BoundedSemaphore(_DECODERS)

    def load(self, product: Product, root: str | Path, line: int = 0) -> Loaded:
        """The product's photos, decoded; ``data:`` URIs are kept as files first."""
        product, issues = self.keep_inline(product, line)
        images: list[Image.Image] = []
        refs: list[str] = []
        for ref in product.images:
            try:
                images.append(self.decode(self.read(ref, root)))
                refs.append(ref)
            except EntrepotError as error:
                issues.append(photo_issue(line, product.id, ref, error))
                if self.left_alone(error):
                    refs.append(ref)
        return Loaded(with_images(product, refs), images, issues)

    def images(self, product: Product, root: str) -> list[Image.Image]:
        """Those photos that can be used; the engine calls this to embed a replayed write."""
        return self.load(product, root).images

    def left_alone(self, error: EntrepotError) -> bool:
        """Whether a photo failed only because the shop does not fetch URLs: it can be shown."""
        return isinstance(error, ForbiddenUrl) and not self._limits.urls

    def read(self, ref: str, root: str | Path) -> bytes:
        """The bytes of one photo.

        Raises:
            InvalidImage: missing, unreadable, outside ``root``. ImageTooLarge: too many bytes.
            ForbiddenUrl: URLs are off, or this one may not be fetched.
        """
        if ref.startswith(UPLOAD):
            if not _UPLOADED.fullmatch(name := ref.removeprefix(UPLOAD)):
                raise InvalidImage(f"images: {ref[:100]!r} is not an upload", field="images")
            return _read_file(self._uploads, name, self._limits)
        if ref.startswith("data:"):
            return self._inline(ref)
        if is_url(ref):
            return self._fetcher.fetch(f"https:{ref}" if ref.startswith("//") else ref)
        return _read_file(Path(root), ref, self._limits)

    def decode(self, data: bytes) -> Image.Image:
        """An RGB picture no larger than an encoder can use; raises as ``decode_image``."""
        with self._decoding:
            return shrink(decode_image(data, self._limits, field="images"))

    def locate(self, ref: str, root: str | Path) -> Path | None:
        """The file of a photo, for serving it; ``None`` for URLs, for anything outside
        ``root`` and for files that are not named like a picture."""
        base, name = Path(root).resolve(), ref
        if ref.startswith(UPLOAD):
            base, name = self._uploads.resolve(), ref.removeprefix(UPLOAD)
        elif is_url(ref) or ref.startswith("data:"):
            return None
        try:
            path = (base / name).resolve()
            found = path.is_relative_to(base) and path.is_file()
        except (OSError, ValueError):
            return None
        return path if found and path.suffix.lower() in SUFFIXES else None

    def keep_inline(self, product: Product, line: int = 0) -> tuple[Product, list[Issue]]:
        """``data:`` URIs among the photos are decoded, checked and kept as files; the product
        then refers to those. Unusable ones are dropped, with an issue each."""
        refs: list[str] = []
        issues: list[Issue] = []
        for ref in product.images:
            try:
                refs.append(self.keep(self._inline(ref)) if ref.startswith("data:") else ref)
            except EntrepotError as error:
                issues.append(photo_issue(line, product.id, ref, error))
        return with_images(product, refs), issues

    def keep(self, data: bytes) -> str:
        """Check a picture and keep it in the data folder; its reference. Raises InvalidImage."""
        self.decode(data)
        name = f"{hashlib.sha256(data).hexdigest()}.{_suffix(data)}"
        path = self._uploads / name
        if not path.exists():
            self._uploads.mkdir(parents=True, exist_ok=True)
            half = path.with_name(f"{name}.{threading.get_ident()}")
            half.write_bytes(data)
            half.replace(path)
        return UPLOAD + name

    def _inline(self, ref: str) -> bytes:
        header, _, payload = ref.partition(",")
        if not header.startswith("data:image/") or not header.endswith(";base64"):
            raise InvalidImage(
                f"images: {header[:60]!r}: write data:image/…;base64,…", field="images"
            )
        if len(payload) * 3 // 4 > self._limits.max_bytes + 2:
            limit = f"{self._limits.max_bytes:,}"
            raise ImageTooLarge(f"images: over the limit of {limit} bytes", field="images")
        try:
            return base64.b64decode(payload, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidImage("images: not valid base64", field="images") from error


def _read_file(root: Path, ref: str, limits: ImageSettings) -> bytes:
    """A regular file's bytes: a pipe among the photos would stop the build for ever."""
    path = os.path.join(root, ref)
    if os.path.exists(path) and not os.path.isfile(path):
        raise InvalidImage(f"images: {ref!r} is not a file", field="images")
    return read_local(root, ref, limits)


def is_url(ref: str) -> bool:
    return _URL.match(ref) is not None


def photo_issue(line: int, product_id: str, ref: str, error: Exception) -> Issue:
    """The warning for a photo that cannot be used; it names the photo once."""
    reason = str(error).removeprefix("images: ")
    name = "inline picture" if ref.startswith("data:") else ref[:100]
    if name not in reason:
        reason = f"{name}: {reason}"
    return Issue(line, product_id, "images", reason, "warning")


def with_images(product: Product, refs: Iterable[str]) -> Product:
    """``product`` with these photos; itself where they are the same."""
    images = tuple(refs)
    return product if images == product.images else structs.replace(product, images=images)


def shrink(image: Image.Image) -> Image.Image:
    """``image`` with its shorter side at least :data:`ENOUGH` but less than twice that (if it
    was larger), and its longer one at most :data:`MAX_SIDE`."""
    if (factor := min(image.size) // ENOUGH) >= 2:
        image = image.reduce(factor)
    if max(image.size) > MAX_SIDE:
        image.thumbnail((MAX_SIDE, MAX_SIDE))
    return image


def _suffix(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((suffix for start, suffix in _SIGNATURES if data.startswith(start)), "avif")
