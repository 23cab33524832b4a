"""A trained CLIP to a served directory: graphs, tokenizer, manifest; and the parity check."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from msgspec import Struct
from open_clip.model import CustomTextCLIP
from PIL import Image

from engine import Encoder
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


def export(model: CustomTextCLIP, folder: Path, *, version: str, provenance: str) -> Manifest:
    """Write the served directory."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = torch.ones(2, 8, dtype=torch.int64)
    pixels = torch.zeros(2, 3, IMAGE_SIZE, IMAGE_SIZE)
    text, image = folder / TEXT_FILE, folder / IMAGE_FILE
    export_onnx(TextGraph(model), ids, text, ("input_ids",), ("sentence", "joint"))
    export_onnx(ImageGraph(model), pixels, image, ("pixels",), ("joint",))
    for file in (text, image):
        compact(file)
    shutil.copyfile(tokenizer_path(), folder / TOKENIZER_FILE)
    manifest = Manifest(
        format=FORMAT,
        name="product-clip",
        version=version,
        licence="Apache-2.0",
        provenance=provenance,
        spaces={"joint": Space(JOINT_DIM), "sentence": Space(TEXT_FEATURES)},
        files=dict.fromkeys((TEXT_FILE, IMAGE_FILE, TOKENIZER_FILE), ""),
        text=TextTower(TEXT_FILE, TOKENIZER_FILE, MAX_TOKENS, ("sentence", "joint")),
        image=ImageTower(IMAGE_FILE, IMAGE_SIZE, MEAN, STD, ("joint",)),
    )
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
