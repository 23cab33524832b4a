"""What every encoder must do. Inherit :class:`EncoderContract`, supply ``encoder``::

@pytest.fixture(scope="module")
def mine():
    return MyEncoder()

class TestMine(EncoderContract):
    @pytest.fixture
    def encoder(self, mine):
        return mine

Of a modality that ``encoder.info`` does not name, only the refusal is tested.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw

from engine.errors import UnsupportedModality
from engine.protocols import Encoder, Role, Vectors

SAME = 0.9999
"""The cosine from which two embeddings count as one."""
ROLES: tuple[Role, ...] = ("query", "document")
TEXTS = (
    "red leather purse",
    "Red  Leather PURSE",
    "a",
    "",
    "   \n\t ",
    "🎉👟🏽",
    "男士黑色皮鞋",
    "حذاء رياضي أسود",
    "crème brûlée à l'orange",
    "word " * 2000,
    "x" * 10_000,
    "nul \x00 and \u202e marks",
)
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV")
SIZES = ((1, 1), (1, 900), (900, 1), (60, 80), (224, 224), (641, 479))


def picture(size: tuple[int, int] = (96, 128), mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Coloured discs on a light ground; equal arguments give equal pixels."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", size, "ivory")
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        x, y = int(rng.integers(0, size[0])), int(rng.integers(0, size[1]))
        reach = int(rng.integers(1, 2 + max(size) // 3))
        color = tuple(int(channel) for channel in rng.integers(0, 256, 3))
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=color)
    return image.convert(mode)


class EncoderContract:
    """The tests of one encoder."""

    @pytest.fixture
    def encoder(self) -> Encoder:
        """The encoder under test; override it."""
        raise NotImplementedError

    def test_says_what_it_is(self, encoder: Encoder) -> None:
        info = encoder.info
        assert info.name
        assert info.version
        assert info.fingerprint
        assert info.dim > 0
        assert info.modalities
        assert set(info.modalities) <= {"text", "image"}
        assert set(info.min_score) <= {"text", "image"}
        assert all(-1.0 < floor < 1.0 for floor in info.min_score.values())
        assert encoder.info == info

    @pytest.mark.parametrize("role", ROLES)
    def test_texts_become_unit_rows(self, encoder: Encoder, role: Role) -> None:
        if "text" not in encoder.info.modalities:
            with pytest.raises(UnsupportedModality):
                encoder.encode_texts(["shoe"], role)
            return
        self.check(encoder, encoder.encode_texts(TEXTS, role), len(TEXTS))

    def test_images_become_unit_rows(self, encoder: Encoder) -> None:
        images = [picture(seed=seed) for seed in range(5)]
        if "image" not in encoder.info.modalities:
            with pytest.raises(UnsupportedModality):
                encoder.encode_images(images)
            return
        self.check(encoder, encoder.encode_images(images), len(images))

    def test_nothing_gives_no_rows(self, encoder: Encoder) -> None:
        if "text" in encoder.info.modalities:
            for role in ROLES:
                self.check(encoder, encoder.encode_texts([], role), 0)
        if "image" in encoder.info.modalities:
            self.check(encoder, encoder.encode_images([]), 0)

    @pytest.mark.parametrize("role", ROLES)
    def test_a_text_is_embedded_alone_as_in_a_batch(self, encoder: Encoder, role: Role) -> None:
        if "text" not in encoder.info.modalities:
            return
        batch = encoder.encode_texts(TEXTS, role)
        alone = [encoder.encode_texts([text], role) for text in TEXTS]
        assert cosines(np.concatenate(alone), batch).min() >= SAME
        turned = encoder.encode_texts(TEXTS[::-1], role)
        assert cosines(turned[::-1], batch).min() >= SAME

    def test_an_image_is_embedded_alone_as_in_a_batch(self, encoder: Encoder) -> None:
        if "image" not in encoder.info.modalities:
            return
        images = [picture(size, seed=seed) for seed, size in enumerate(SIZES)]
        batch = encoder.encode_images(images)
        alone = [encoder.encode_images([image]) for image in images]
        assert cosines(np.concatenate(alone), batch).min() >= SAME

    def test_many_items(self, encoder: Encoder) -> None:
        """More than any internal batch, of mixed lengths, in the caller's order."""
        if "text" not in encoder.info.modalities:
            return
        texts = [f"product {i} " + "of many words " * (i % 7) for i in range(300)]
        rows = encoder.encode_texts(texts, "document")
        self.check(encoder, rows, len(texts))
        some = [0, 6, 151, 299]
        again = encoder.encode_texts([texts[i] for i in some], "document")
        assert cosines(again, rows[some]).min() >= SAME

    def test_same_input_same_embedding_from_any_thread(self, encoder: Encoder) -> None:
        with ThreadPoolExecutor(4) as threads:
            if "text" in encoder.info.modalities:
                texts = [f"{color} shoes" for color in ("red", "blue", "green", "black")]
                expected = encoder.encode_texts(texts, "query")
                rows = list(threads.map(lambda t: encoder.encode_texts([t], "query"), texts * 4))
                assert cosines(np.concatenate(rows), np.tile(expected, (4, 1))).min() >= SAME
            if "image" in encoder.info.modalities:
                images = [picture(seed=seed) for seed in range(3)]
                expected = encoder.encode_images(images)
                rows = list(threads.map(lambda i: encoder.encode_images([i]), images * 3))
                assert cosines(np.concatenate(rows), np.tile(expected, (3, 1))).min() >= SAME

    def test_rows_belong_to_the_caller(self, encoder: Encoder) -> None:
        """Writing to an answer changes no later answer."""
        if "text" not in encoder.info.modalities:
            return
        first = encoder.encode_texts(["brown boots"], "query")
        kept = first.copy()
        first[:] = 0
        np.testing.assert_array_equal(encoder.encode_texts(["brown boots"], "query"), kept)

    def test_different_inputs_differ(self, encoder: Encoder) -> None:
        if "text" in encoder.info.modalities:
            rows = encoder.encode_texts(["red leather purse", "garden hose"], "query")
            assert rows[0] @ rows[1] < SAME
        if "image" in encoder.info.modalities:
            rows = encoder.encode_images([Image.new("RGB", (64, 64), c) for c in ("red", "blue")])
            assert rows[0] @ rows[1] < SAME

    @pytest.mark.parametrize("mode", MODES)
    def test_image_modes(self, encoder: Encoder, mode: str) -> None:
        if "image" not in encoder.info.modalities:
            return
        rows = encoder.encode_images([picture(mode=mode), picture()])
        self.check(encoder, rows, 2)

    @pytest.mark.parametrize("size", SIZES)
    def test_image_sizes(self, encoder: Encoder, size: tuple[int, int]) -> None:
        if "image" not in encoder.info.modalities:
            return
        self.check(encoder, encoder.encode_images([picture(size)]), 1)

    def test_leaves_images_alone(self, encoder: Encoder) -> None:
        if "image" not in encoder.info.modalities:
            return
        images = [picture(mode=mode) for mode in MODES]
        before = [(image.mode, image.size, image.tobytes()) for image in images]
        encoder.encode_images(images)
        assert [(image.mode, image.size, image.tobytes()) for image in images] == before

    @staticmethod
    def check(encoder: Encoder, rows: Vectors, count: int) -> None:
        """Raises AssertionError where ``rows`` are not ``count`` float32 unit rows."""
        assert isinstance(rows, np.ndarray)
        assert rows.dtype == np.float32
        assert rows.shape == (count, encoder.info.dim)
        assert np.isfinite(rows).all()
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-3)


def cosines(a: Vectors, b: Vectors) -> Vectors:
    """Row by row, of unit rows ``[n, d]``."""
    assert a.shape == b.shape
    return np.asarray(np.einsum("ij,ij->i", a, b), dtype=np.float32)
