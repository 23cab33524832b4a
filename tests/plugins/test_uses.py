"""The file of uses, and what the name of a kind means."""

from __future__ import annotations

import numpy as np
import pytest

from plugins.onnx_encoder import OnnxEncoder, OnnxOptions
from plugins.use_rows import embed, shipped_rows, texts
from plugins.uses import things, things_called


def test_every_thing_has_names_and_uses() -> None:
    for name, thing in things().items():
        assert thing.names[0] == name
        assert thing.uses
        assert all(text and text == text.strip() for text in (*thing.names, *thing.uses))


def test_no_use_is_said_of_two_things_alike() -> None:
    for thing in things().values():
        assert len(set(thing.uses)) == len(thing.uses)
        assert len(set(thing.names)) == len(thing.names)


@pytest.mark.parametrize(
    ("kind", "means"),
    [
        ("Women's Rain Boots", {"boot"}),
        ("coat-racks", {"coat rack"}),
        ("Perfume and Body Mist", {"perfume"}),
        ("Trunk", {"suitcase", "underwear"}),
        ("Miscellaneous", set()),
        ("", set()),
    ],
)
def test_the_end_of_a_name_tells_the_thing(kind: str, means: set[str]) -> None:
    assert {thing.names[0] for thing in things_called(kind)} == means


def test_the_shipped_rows_are_those_of_the_shipped_encoder() -> None:
    """Where this fails: ``python -m plugins.use_rows``."""
    encoder = OnnxEncoder(OnnxOptions(space="sentence"))
    kept = shipped_rows(encoder.info.fingerprint)
    assert list(kept) == texts()
    some = texts()[::40]
    for text, row in embed(encoder, some).items():
        np.testing.assert_allclose(kept[text], row, atol=np.abs(row).max() / 254 + 1e-6)


def test_another_encoder_has_none() -> None:
    assert shipped_rows("another") == {}
