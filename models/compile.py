"""Variants of a served directory for ONNX Runtime: int8, fp16 and fp32.

- ``int8``: matrices and embedding tables as int8 and computed with as such, but for those of a
  query tower, which are unpacked when loaded (:mod:`models.int8`); convolutions int8 too where
  photos to calibrate them are given (:mod:`models.calibration`); other weights as float16.
- ``fp16``: weights stored as float16 and computed with in float32, for a CPU has no other.
- ``fp32``: every weight whole.

A variant has fingerprints of its own, and no figures until it is measured.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper
from PIL import Image

from engine import ImageTower, InvalidModel, Manifest, QueryTower, load_manifest, pixels
from engine.manifest import save_manifest

from .blocks import SMALLEST
from .calibration import quantize_convolutions
from .int8 import DOMAIN, quantize_matrices, store_int8
from .new_folder import new_folder
from .plain_graph import plain

Precision = Literal["int8", "fp16", "fp32"]
CALIBRATE, HELD_OUT = 128, 64
"""Photos to learn ranges from, and to choose by."""
PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


def compile_served(
    source: Path, out: Path, precision: Precision, photos: Sequence[Path] = ()
) -> Manifest:
    """Write ``out``, the variant of ``source``, whole or not at all; its manifest.

    ``photos`` are picture files of products to calibrate int8 convolutions with, at least
    :data:`CALIBRATE` + :data:`HELD_OUT`; without any, convolutions stay in float.

    Raises:
        InvalidModel: ``source`` cannot be read, ``out`` is not empty, or there are too few
            photos, or one that is not a picture.
    """
    manifest = load_manifest(source)
    with new_folder(out) as partial:
        for name in manifest.files:
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, partial / name)
        for tower in manifest.towers:
            file = partial / tower.file
            onnx.save(plain(onnx.load(file)), file)
            if precision == "int8" and isinstance(tower, ImageTower) and photos:
                onnx.save(_calibrated(file, tower, photos), file)
            if precision != "fp32":
                _store_small(file, precision, computed=not isinstance(tower, QueryTower))
        variant = msgspec.structs.replace(
            manifest,
            provenance=f"{manifest.provenance}; {precision} for ONNX Runtime",
            quality={},
            speed={},
        )
        return save_manifest(partial, variant)


def _store_small(file: Path, precision: Precision, computed: bool) -> None:
    model = onnx.load(file)
    if precision == "int8":
        (quantize_matrices if computed else store_int8)(model)
    store_float16(model)
    onnx.checker.check_model(model)
    onnx.save(model, file)


def store_float16(model: onnx.ModelProto) -> None:
    """Store float32 weights as float16, in place; the graph unpacks them when it is loaded.
    Scales of quantized weights, and weights beyond float16's range, stay as they are."""
    graph = model.graph
    kept = {name for node in graph.node if _is_quantized(node) for name in node.input}
    casts: list[NodeProto] = []
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or tensor.name in kept:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < SMALLEST or np.abs(values).max() > np.finfo(np.float16).max:
            continue
        name = f"{tensor.name}_fp16"
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), name))
        casts.append(helper.make_node("Cast", [name], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _is_quantized(node: NodeProto) -> bool:
    return node.domain == DOMAIN or node.op_type in ("QuantizeLinear", "DequantizeLinear")


def _calibrated(file: Path, tower: ImageTower, photos: Sequence[Path]) -> onnx.ModelProto:
    """With int8 convolutions; the photos are drawn with a fixed seed."""
    if len(photos) < CALIBRATE + HELD_OUT:
        raise InvalidModel(
            f"{len(photos)} photos: calibration needs {CALIBRATE + HELD_OUT}; give more, or none "
            "to keep convolutions in float"
        )
    chosen = np.random.default_rng(0).permutation(len(photos))[: CALIBRATE + HELD_OUT]
    found = pixels([_open(photos[i]) for i in chosen], tower)
    return quantize_convolutions(file, found[HELD_OUT:], found[:HELD_OUT])


def pictures_in(folder: Path) -> list[Path]:
    """The picture files of a folder and what is below it, in order.

    Raises:
        InvalidModel: there are none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    if not found:
        raise InvalidModel(f"{folder}: no pictures ({', '.join(sorted(PICTURES))})")
    return found


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as file:
            return file.convert("RGB")
    except OSError as error:
        raise InvalidModel(f"{path}: not a picture: {error}") from error
