"""Encoder ``hash``: like things are alike, and it says which hash it is."""

from __future__ import annotations

import pytest
from PIL import Image

from engine import Encoder, InvalidSettings, PluginManager
from engine.testing.encoder_contract import EncoderContract


def make(**options: object) -> Encoder:
    encoder: Encoder = PluginManager().create("encoders", "hash", options)
    return encoder


class TestContract(EncoderContract):
    @pytest.fixture
    def encoder(self) -> Encoder:
        return make(dim=128)


def test_like_texts_are_alike() -> None:
    query, near, far = make().encode_texts(
        ["red leather purse", "Purses of red leather", "garden hose"], "query"
    )
    assert query @ near > 0.5
    assert query @ far < 0.2


def test_like_pictures_are_alike() -> None:
    red, also_red, blue = make().encode_images(
        [Image.new("RGB", (40, 30), color) for color in ("red", (240, 10, 5), "blue")]
    )
    assert red @ also_red > 0.99
    assert red @ blue < 0.5


def test_embeddings_stay_the_same_between_releases() -> None:
    row = make(dim=64).encode_texts(["red leather purse"], "query")[0]
    assert row.argmax() == 13
    assert row.max() == pytest.approx(0.610847, abs=1e-5)


def test_salt_and_dimension_make_another_encoder() -> None:
    fingerprints = {make().info.fingerprint, make(salt="x").info.fingerprint}
    assert len(fingerprints | {make(dim=64).info.fingerprint}) == 3
    a, b = make().encode_texts(["purse"], "query"), make(salt="x").encode_texts(["purse"], "query")
    assert float(a[0] @ b[0]) < 0.9


@pytest.mark.parametrize("options", [{"dim": 8}, {"dim": "wide"}, {"dims": 64}])
def test_bad_options(options: dict[str, object]) -> None:
    with pytest.raises(InvalidSettings, match="hash"):
        make(**options)
