"""Torch modules to a served directory: ONNX graphs, tokenizer, manifest.

Every model ends here, trained or imported. What is written is plain float32, the exact
embeddings; ``models.compile`` makes the small and fast variants of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from msgspec import Struct
from open_clip.model import CustomTextCLIP
from PIL import Image
from torch import nn

from engine import Encoder, InvalidModel
from engine.manifest import FORMAT, ImageTower, Manifest, Space, TextTower, save_manifest

from .features import Floats, preprocess, token_ids
from .onnx_export import compact, export_onnx
from .towers import (
    IMAGE_SIZE,
    JOINT_DIM,
    MAX_TOKENS,
    MEAN,
    STD,
    TEXT_FEATURES,
    ImageGraph,
    TextGraph,
    tokenizer_path,
)

TEXT_FILE, IMAGE_FILE, TOKENIZER_FILE = "text.onnx", "image.onnx", "tokenizer.json"


class TextPart(Struct, frozen=True):
    """``module`` takes int64 ``input_ids [n, t]`` and returns the unit rows of ``tower.spaces``,
    in that order; it masks ``tower.pad_id`` itself. ``tokenizer`` is a ``tokenizer.json``."""

    module: nn.Module
    tower: TextTower
    tokenizer: Path


class ImagePart(Struct, frozen=True):
    """``module`` takes float32 ``pixels [n, 3, size, size]`` and returns the unit rows of
    ``tower.spaces``, in that order."""

    module: nn.Module
    tower: ImageTower


def write_served(
    folder: Path,
    *,
    name: str,
    version: str,
    licence: str,
    provenance: str,
    spaces: dict[str, Space],
    text: TextPart | None,
    image: ImagePart | None,
) -> Manifest:
    """Export the parts and write the served directory, whole or not at all.

    Raises:
        InvalidModel: ``folder`` exists, or there is no part.
    """
    if text is None and image is None:
        raise InvalidModel(f"{name}: neither a text nor an image tower to serve")
    files: list[str] = []
    with new_folder(folder) as partial:
        if text is not None:
            _export_text(text, partial)
            files += [text.tower.file, text.tower.tokenizer]
        if image is not None:
            pixels = torch.zeros(2, 3, image.tower.size, image.tower.size)
            file = partial / image.tower.file
            export_onnx(image.module, pixels, file, ("pixels",), image.tower.spaces)
            files.append(image.tower.file)
        manifest = Manifest(
            format=FORMAT,
            name=name,
            version=version,
            licence=licence,
            provenance=provenance,
            spaces=spaces,
            files=dict.fromkeys(files, ""),
            text=text.tower if text else None,
            image=image.tower if image else None,
        )
        return save_manifest(partial, manifest)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside ``folder`` that takes its name when the block ends without an error.

    Raises:
        InvalidModel: ``folder`` exists and is not empty; a model is never written over.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidModel(f"{folder} exists: name another folder, or remove it first")
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _export_text(part: TextPart, folder: Path) -> None:
    """Plain attention, whose nodes ONNX Runtime recognizes and fuses."""
    models = [m for m in part.module.modules() if hasattr(m, "set_attn_implementation")]
    before = [model.config._attn_implementation for model in models]
    for model in models:
        model.set_attn_implementation("eager")
    try:
        ids = torch.full((2, 8), part.tower.pad_id + 1, dtype=torch.int64)
        file = folder / part.tower.file
        export_onnx(part.module, ids, file, ("input_ids",), part.tower.spaces)
    finally:
        for model, implementation in zip(models, before, strict=True):
            model.set_attn_implementation(implementation)
    shutil.copyfile(part.tokenizer, folder / part.tower.tokenizer)


def export(model: CustomTextCLIP, folder: Path, *, version: str, provenance: str) -> Manifest:
    """Write the product CLIP's served directory."""
    text = TextTower(TEXT_FILE, TOKENIZER_FILE, MAX_TOKENS, ("sentence", "joint"))
    image = ImageTower(IMAGE_FILE, IMAGE_SIZE, MEAN, STD, ("joint",))
    manifest = write_served(
        folder,
        name="product-clip",
        version=version,
        licence="Apache-2.0",
        provenance=provenance,
        spaces={"joint": Space(JOINT_DIM), "sentence": Space(TEXT_FEATURES)},
        text=TextPart(TextGraph(model), text, tokenizer_path()),
        image=ImagePart(ImageGraph(model), image),
    )
    for file in (TEXT_FILE, IMAGE_FILE):
        compact(folder / file)
    return save_manifest(folder, manifest)


class Parity(Struct, frozen=True):
    """How far served embeddings are from torch's: worst cosine and largest difference."""

    what: str
    cosine: float
    error: float


def check(
    model: CustomTextCLIP, encoder: Encoder, texts: Sequence[str], images: Sequence[Image.Image]
) -> list[Parity]:
    """torch against the served joint space, and served alone against served in a batch."""
    ids = token_ids(texts)
    with torch.inference_mode():
        text = np.concatenate([TextGraph(model)(torch.tensor([row]))[1].numpy() for row in ids])
        image = ImageGraph(model)(torch.from_numpy(preprocess(images))).numpy()
    batch = encoder.encode_texts(list(texts), "document")
    alone = np.concatenate([encoder.encode_texts([text], "document") for text in texts])
    return [
        _compare("texts: torch, served", text, alone),
        _compare("images: torch, served", image, encoder.encode_images(list(images))),
        _compare("texts: alone, in a batch", alone, batch),
    ]


def _compare(what: str, a: Floats, b: Floats) -> Parity:
    cosines = np.einsum("ij,ij->i", a, b)
    return Parity(what, float(cosines.min()), float(np.abs(a - b).max()))
