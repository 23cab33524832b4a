"""``engines.json``: written and read whole, distrusted, and what a compiled graph promises."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engine import CompiledGraph, Engine, InvalidModel, Profile, agreement
from engine.compiled import (
    FILE_NAME,
    FOLDER,
    CompiledParity,
    Tensor,
    load_compiled,
    read_compiled,
    save_compiled,
)

TEXT = CompiledGraph(
    key="0123456789abcdef",
    graph="text.onnx",
    graph_sha256="0" * 64,
    file="text.engine",
    sha256=hashlib.sha256(b"engine").hexdigest(),
    library="tensorrt_rtx",
    version="1.7.1",
    capabilities=("8.6", "12.0"),
    precision="fp16",
    input=Tensor("input_ids", "int64", (-1, -1)),
    outputs=(Tensor("joint", "float32", (-1, 256)),),
    profiles=(Profile((1, 8), (1, 8), (1, 8)), Profile((1, 8), (32, 16), (32, 64))),
    pad=1,
    parity=CompiledParity("passed", cosine=0.9999, error=1e-4, figures={"R@10": (0.5, 0.5)}),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_compiled(tmp_path, (TEXT,))
    (tmp_path / FOLDER / TEXT.file).write_bytes(b"engine")
    return tmp_path


def test_what_is_written_is_read(folder: Path) -> None:
    assert load_compiled(folder) == (TEXT,)
    assert read_compiled(folder, TEXT) == b"engine"
    save_compiled(folder, ())
    assert load_compiled(folder) == ()


def test_nothing_compiled(tmp_path: Path) -> None:
    assert load_compiled(tmp_path) == ()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text: text[:-9], "remove engines/ and compile again"),
        (lambda text: text.replace('"format": 1', '"format": 2'), "newer than this Entrepot reads"),
        (lambda text: text.replace("text.engine", "../text.engine"), "outside the folder"),
        (lambda text: text.replace("tensorrt_rtx", "pickle"), "Invalid enum value 'pickle'"),
    ],
)
def test_a_bad_description(folder: Path, change: object, complaint: str) -> None:
    path = folder / FOLDER / FILE_NAME
    path.write_text(change(path.read_text()))  # type: ignore[operator]
    with pytest.raises(InvalidModel, match=complaint):
        load_compiled(folder)


def test_a_bad_engine_file(folder: Path) -> None:
    (folder / FOLDER / TEXT.file).write_bytes(b"engine!")
    with pytest.raises(InvalidModel, match="damaged: compile again"):
        read_compiled(folder, TEXT)
    (folder / FOLDER / TEXT.file).unlink()
    with pytest.raises(InvalidModel, match="No such file or directory: compile again"):
        read_compiled(folder, TEXT)


def test_where_an_engine_runs() -> None:
    everywhere = msgspec.structs.replace(TEXT, capabilities=())
    kinds = ("7.5", "8.0", "8.6", "9.0", "12.0")
    assert [kind for kind in kinds if TEXT.runs_on(kind)] == ["8.6", "12.0"]
    assert [kind for kind in kinds if everywhere.runs_on(kind)] == ["8.0", "8.6", "9.0", "12.0"]


def test_what_a_profile_takes() -> None:
    lone, many = TEXT.profiles
    assert (lone.exact, many.exact) == (True, False)
    assert [lone.takes(shape) for shape in ((1, 3), (1, 8), (1, 9), (2, 8))] == [
        *(True, True, False, False)
    ]


def test_probes_of_texts() -> None:
    """Token ids, real ones first: a row of nothing but padding has no embedding."""
    lone, many = TEXT.probes()
    assert (lone.shape, many.shape) == ((1, 8), (4, 16))
    for rows in (lone, many):
        assert rows.dtype == np.int64
        assert (rows[:, 0] != TEXT.pad).all()
        assert rows.max() < 100
    assert [(row == TEXT.pad).sum() for row in many] == [0, 1, 2, 3]
    for rows, again in zip((lone, many), TEXT.probes(), strict=True):
        np.testing.assert_array_equal(rows, again)


def test_probes_of_images() -> None:
    """Also of a side that squares do not fill."""
    shape = (8, 3, 40, 40)
    image = msgspec.structs.replace(
        TEXT, input=Tensor("pixels", "float32", (-1, *shape[1:])), profiles=(Profile(*[shape] * 3),)
    )
    (rows,) = image.probes()
    assert (rows.shape, rows.dtype) == ((4, 3, 40, 40), np.float32)
    assert np.abs(rows).max() <= 1
    assert len(np.unique(rows[0, 0])) == 9


def test_agreement_is_the_worst_rows() -> None:
    a = np.eye(3, 4, dtype=np.float32)
    turned = a.copy()
    turned[1] = [0.6, 0.8, 0.0, 0.0]
    assert agreement(a, a) == 1.0
    assert agreement(a, turned) == pytest.approx(0.8)
    assert agreement(a, a * 1.5) == pytest.approx(0.875), "a row that is too long does not agree"
    assert np.isnan(agreement(a, a * np.nan))
    assert msgspec.structs.replace(TEXT, agreement=0.998).bound == pytest.approx(0.997)


def test_health_tells_of_an_encoder_that_fell_back(
    shop: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not any("encoder" in problem for problem in shop.health().problems)
    encoder = shop._image._encoder._encoder  # type: ignore[attr-defined]
    reason = "TensorRT is off, ONNX Runtime serves: no GPU"
    monkeypatch.setattr(type(encoder), "fallback", reason, raising=False)
    health = shop.health()
    assert health.ready, "it still serves"
    assert f"encoder image: {reason}" in health.problems
