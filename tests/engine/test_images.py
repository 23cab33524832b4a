"""Pictures from anywhere: what decodes, what is refused, and how clearly."""

from __future__ import annotations

import base64
import io
import struct
import threading
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine import EntrepotError, ImageTooLarge, InvalidImage
from engine.images import DRAFT_SIDE, decode_base64, decode_image, read_local
from engine.settings import ImageSettings

LIMITS = ImageSettings()
RED, GREEN, BLUE = (200, 30, 30), (30, 200, 30), (30, 30, 200)


def halves(size: tuple[int, int] = (64, 32)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def near(image: Image.Image, at: tuple[int, int], color: tuple[int, int, int]) -> bool:
    pixel = image.getpixel(at)
    assert isinstance(pixel, tuple)
    return all(abs(a - b) <= 40 for a, b in zip(pixel, color, strict=True))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims its size and holds next to nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0"))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_formats(format: str) -> None:
    image = decode_image(encoded(halves(), format), LIMITS)
    assert (image.mode, image.size) == ("RGB", (64, 32))
    assert near(image, (8, 16), RED)
    assert near(image, (56, 16), BLUE)


def test_cmyk_jpeg() -> None:
    image = decode_image(encoded(halves().convert("CMYK"), "JPEG"), LIMITS)
    assert image.mode == "RGB"
    assert near(image, (8, 16), RED)
    assert near(image, (56, 16), BLUE)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(format: str) -> None:
    frames = [Image.new("RGB", (16, 16), color) for color in (RED, GREEN, BLUE)]
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=50)
    assert near(decode_image(data, LIMITS), (8, 8), RED)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_on_white(mode: str) -> None:
    image = Image.new("RGBA", (16, 16), (*RED, 255))
    image.paste((0, 0, 0, 0), (8, 0, 16, 16))
    options = {}
    image = image.quantize(8) if mode == "P" else image.convert(mode)
    decoded = decode_image(encoded(image, "PNG", **options), LIMITS)
    assert near(decoded, (12, 8), (255, 255, 255))
    assert not near(decoded, (4, 8), (255, 255, 255))


def test_palette_with_a_transparent_colour() -> None:
    image = halves().quantize(4)
    index = image.getpixel((56, 16))
    assert isinstance(index, int)
    decoded = decode_image(encoded(image, "PNG", transparency=index), LIMITS)
    assert near(decoded, (8, 16), RED)
    assert near(decoded, (56, 16), (255, 255, 255))


def test_sixteen_bits_keep_their_tones() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    image = Image.fromarray(np.tile(ramp, (8, 1)))
    assert image.mode == "I;16"
    greys = np.asarray(decode_image(encoded(image, "PNG"), LIMITS))[0, :, 0].astype(int)
    np.testing.assert_allclose(greys, np.arange(256), atol=1)


def test_floats_fill_the_range() -> None:
    image = Image.fromarray(np.tile(np.linspace(-1, 3, 64, dtype=np.float32), (8, 1)))
    greys = np.asarray(decode_image(encoded(image, "TIFF"), LIMITS))[0, :, 0]
    assert (greys[0], greys[-1]) == (0, 255)
    flat = Image.fromarray(np.full((8, 8), 0.5, dtype=np.float32))
    assert decode_image(encoded(flat, "TIFF"), LIMITS).getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_exif_orientation_is_applied(format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: rotate by 90° clockwise
    image = decode_image(encoded(halves(), format, exif=exif), LIMITS)
    assert image.size == (32, 64)
    assert near(image, (16, 8), RED)
    assert near(image, (16, 56), BLUE)


def test_a_large_jpeg_is_decoded_smaller() -> None:
    image = decode_image(encoded(halves((4096, 2048)), "JPEG"), LIMITS)
    assert image.size == (1024, 512)
    assert min(image.size) >= DRAFT_SIDE


# What is refused


def test_a_truncated_jpeg() -> None:
    data = encoded(halves((640, 480)), "JPEG")
    with pytest.raises(InvalidImage, match=r"photo: damaged picture.*truncated") as caught:
        decode_image(data[: len(data) // 2], LIMITS, field="photo")
    assert caught.value.field == "photo"


@pytest.mark.parametrize("size", [(30_000, 30_000), (12_000, 12_000), (8_000, 8_000)])
def test_a_giant_is_refused_by_its_header(size: tuple[int, int]) -> None:
    """Three ways: over twice Pillow's own limit, over it, and over ours alone."""
    data = png_header(*size)
    tracemalloc.start()
    try:
        with pytest.raises(ImageTooLarge, match="50,000,000"):
            decode_image(data, LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


NO_PICTURES = {
    "empty": b"",
    "text": b"Dear shop, I am a letter.",
    "svg": b"<svg/>",
    "pdf": b"%PDF-1.7",
    "jpeg start": b"\xff\xd8\xff",
    "png start": b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("data", NO_PICTURES.values(), ids=NO_PICTURES)
def test_what_is_not_a_picture(data: bytes) -> None:
    with pytest.raises(InvalidImage, match="image: "):
        decode_image(data, LIMITS)


def test_formats_beyond_the_list_are_not_tried() -> None:
    with pytest.raises(InvalidImage, match="not a picture; send JPEG, PNG"):
        decode_image(encoded(halves(), "EPS"), LIMITS)


def test_too_many_bytes() -> None:
    with pytest.raises(ImageTooLarge, match="image: 101 bytes; the limit is 100"):
        decode_image(b"x" * 101, ImageSettings(max_bytes=100))


@given(st.data())
def test_damage_never_gets_out_as_something_else(data: st.DataObject) -> None:
    format = data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"]))
    exif = Image.Exif()
    exif[0x0112] = 3
    options = {"exif": exif} if format in ("JPEG", "PNG", "WEBP", "TIFF") else {}
    raw = bytearray(encoded(halves((48, 48)), format, **options))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(raw[: data.draw(st.integers(1, len(raw)))])
    try:
        assert decode_image(cut, ImageSettings(max_pixels=1_000_000)).mode == "RGB"
    except EntrepotError:
        pass
    except Warning:
        pass  # an error only here, where warnings are


def test_threads_do_not_disturb_each_other() -> None:
    data, truncated = encoded(halves(), "JPEG"), encoded(halves(), "JPEG")[:300]
    together = threading.Barrier(4)

    def decode(bad: bool) -> bool:
        together.wait(30)
        try:
            return decode_image(truncated if bad else data, LIMITS).mode == "RGB"
        except InvalidImage:
            return False

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(decode, [False, True] * 8)) == [True, False] * 8


# Base64


def test_base64_and_data_uri() -> None:
    data = encoded(halves(), "PNG")
    text = base64.b64encode(data).decode()
    expected = np.asarray(decode_image(data, LIMITS))
    for given_as in (text, f"data:image/png;base64,{text}"):
        np.testing.assert_array_equal(np.asarray(decode_base64(given_as, LIMITS)), expected)


@pytest.mark.parametrize(
    "text", ["not base64!", "data:image/png;base64,%%%", "data:image/png", "é"]
)
def test_bad_base64(text: str) -> None:
    with pytest.raises(InvalidImage) as caught:
        decode_base64(text, LIMITS, field="query.image")
    assert caught.value.field == "query.image"


def test_base64_is_measured_before_it_is_decoded() -> None:
    limits = ImageSettings(max_bytes=100)
    with pytest.raises(ImageTooLarge, match="over the limit of 100 bytes"):
        decode_base64("A" * 200, limits)
    data = encoded(Image.new("L", (1, 1)), "PNG")
    limits = ImageSettings(max_bytes=len(data))
    assert decode_base64(base64.b64encode(data).decode(), limits).size == (1, 1)


# Files


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    (root / "photos").mkdir(parents=True)
    (root / "photos" / "a.jpg").write_bytes(b"photo")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    return root


def test_a_file_below_the_root(shop: Path) -> None:
    assert read_local(shop, "photos/a.jpg", LIMITS) == b"photo"
    assert read_local(shop, "photos/../photos/a.jpg", LIMITS) == b"photo"
    assert read_local(shop, str(shop / "photos" / "a.jpg"), LIMITS) == b"photo"


@pytest.mark.parametrize("ref", ["../secret.txt", "photos/../../secret.txt", "/etc/hostname"])
def test_nothing_outside_the_root(shop: Path, ref: str) -> None:
    with pytest.raises(InvalidImage, match="lies outside the catalogue's folder"):
        read_local(shop, ref, LIMITS)


def test_symbolic_links_are_followed_no_further(shop: Path) -> None:
    (shop / "out.jpg").symlink_to(shop.parent / "secret.txt")
    (shop / "in.jpg").symlink_to(shop / "photos" / "a.jpg")
    (shop / "loop.jpg").symlink_to(shop / "loop.jpg")
    with pytest.raises(InvalidImage, match="outside"):
        read_local(shop, "out.jpg", LIMITS)
    with pytest.raises(InvalidImage):
        read_local(shop, "loop.jpg", LIMITS)
    assert read_local(shop, "in.jpg", LIMITS) == b"photo"


@pytest.mark.parametrize("ref", ["nowhere.jpg", "photos", "a\0b.jpg", "x" * 5000, "photos/a.jpg/b"])
def test_what_cannot_be_read(shop: Path, ref: str) -> None:
    with pytest.raises(InvalidImage, match="images: cannot read"):
        read_local(shop, ref, LIMITS)


def test_a_file_over_the_byte_cap(shop: Path) -> None:
    with pytest.raises(ImageTooLarge, match=r"'photos/a\.jpg' is over the limit of 4 bytes"):
        read_local(shop, "photos/a.jpg", ImageSettings(max_bytes=4))
