"""benchmarks/gpu.py without a GPU: what it asks, how it tells what failed, how it gives up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from benchmarks import gpu
from engine import InvalidModel
from engine.manifest import load_manifest
from plugins.onnx_encoder import WEIGHTS

SHIPPED = WEIGHTS / "product-clip"
LOOKUP = Path(__file__).parent.parent / "plugins" / "golden" / "query-lookup"


def test_says_that_it_needs_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert gpu.main([str(SHIPPED)]) == 3
    assert capsys.readouterr().out == "benchmarks.gpu needs a GPU: torch finds none\n"


def test_every_tower_batch_and_length_is_asked() -> None:
    manifest = load_manifest(SHIPPED)
    inputs = gpu.cases(manifest)
    assert [rows.shape[:2] for _, rows in inputs.values()] == [
        *((1, 8), (1, 16), (1, 32), (32, 8), (32, 16), (32, 32)),
        *((1, 3), (32, 3)),
    ]
    assert {rows.dtype for tower, rows in inputs.values() if tower == "text"} == {np.dtype("int64")}


def test_texts_of_a_fixed_length_are_asked_at_that() -> None:
    manifest = load_manifest(SHIPPED)
    assert manifest.text
    fixed = replace(manifest, text=replace(manifest.text, pad_to=64), image=None)
    assert list(gpu.cases(fixed)) == ["text 1 × 64", "text 32 × 64"]


def test_a_query_tower_is_asked_as_texts_are() -> None:
    manifest = load_manifest(LOOKUP)
    inputs = gpu.cases(manifest)
    assert list(inputs) == [
        f"query {batch} × {length}" for batch in (1, 32) for length in (8, 16, 32)
    ]
    assert {rows.dtype for _, rows in inputs.values()} == {np.dtype("int64")}
    assert gpu.file_of(manifest, "query") == "query.onnx"
    with pytest.raises(InvalidModel, match="--checkpoint for a query tower"):
        gpu.torch_module("query", None)


def test_one_runtime_that_fails_leaves_the_others() -> None:
    inputs = {"text 1 × 8": ("text", np.ones((1, 8))), "image × 1": ("image", np.ones((1, 3)))}

    def refuses(tower: str) -> gpu.Run:
        raise RuntimeError("Target GPU SM 90 is not supported by this TensorRT release.")

    loaded: list[str] = []
    runtimes: dict[str, gpu.Runtime] = {
        "broken": refuses,
        "good": lambda tower: loaded.append(tower) or (lambda rows: rows),  # type: ignore[func-returns-value]
    }
    found = dict(gpu.measure(runtimes, inputs, runs=3))
    assert loaded == ["text", "image"]
    shown = gpu.table(list(inputs), found)
    assert shown.splitlines()[0] == "| ms | text 1 × 8 | image × 1 |"
    assert "| good | 0.0" in shown
    refusal = "RuntimeError: Target GPU SM 90 is not supported by this TensorRT release."
    assert shown.endswith(f"broken did not run: {refusal}")
