"""Torch modules to a served directory: ONNX graphs, tokenizer, manifest.

Every model ends here, trained or imported. What is written is plain float32, the exact
embeddings; :mod:`models.compile` makes the small and fast variants of it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from msgspec import Struct
from torch import nn

from engine import InvalidModel
from engine.manifest import (
    FORMAT,
    ImageTower,
    Manifest,
    PairTower,
    QueryTower,
    Space,
    TextTower,
    save_manifest,
)

from .new_folder import new_folder
from .onnx_export import export_onnx

TEXT_FILE, IMAGE_FILE, TOKENIZER_FILE = "text.onnx", "image.onnx", "tokenizer.json"
QUERY_FILE, QUERY_TOKENIZER_FILE = "query.onnx", "query-tokenizer.json"
PAIR_FILE, PAIR_TOKENIZER_FILE, RELEVANCE = "pair.onnx", "pair-tokenizer.json", "relevance"


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


class QueryPart(Struct, frozen=True):
    """``module`` takes int64 ``input_ids [n, t]`` and returns the probabilities ``tower.outputs``;
    it masks ``tower.pad_id`` itself. ``tokenizer`` is a ``tokenizer.json``."""

    module: nn.Module
    tower: QueryTower
    tokenizer: Path


class PairPart(Struct, frozen=True):
    """``module`` takes int64 ``input_ids [n, t]`` of pairs and returns their float32 relevance
    ``[n]``; it masks ``tower.pad_id`` itself. ``tokenizer`` is a ``tokenizer.json`` with a
    template for pairs."""

    module: nn.Module
    tower: PairTower
    tokenizer: Path


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
    query: QueryPart | None = None,
    pair: PairPart | None = None,
) -> Manifest:
    """Export the parts and write the served directory, whole or not at all.

    Raises:
        InvalidModel: ``folder`` exists, there is no part, two share a file, or one is too large.
    """
    parts = [part for part in (text, image, query, pair) if part is not None]
    if not parts:
        raise InvalidModel(f"{name}: no tower to serve")
    files = [part.tower.file for part in parts]
    files += [part.tower.tokenizer for part in parts if not isinstance(part, ImagePart)]
    if twice := {file for file in files if files.count(file) > 1}:
        raise InvalidModel(f"{name}: two towers write {', '.join(sorted(twice))}: rename one")
    with new_folder(folder) as partial:
        if text is not None:
            _export_tokens(text, text.tower.spaces, partial, text.tower.pad_to)
        if image is not None:
            pixels = torch.zeros(2, 3, image.tower.size, image.tower.size)
            file = partial / image.tower.file
            export_onnx(image.module, pixels, file, ("pixels",), image.tower.spaces)
        if query is not None:
            _export_tokens(query, query.tower.outputs, partial)
        if pair is not None:
            _export_tokens(pair, (RELEVANCE,), partial)
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
            query=query.tower if query else None,
            pair=pair.tower if pair else None,
        )
        return save_manifest(partial, manifest)


def _export_tokens(
    part: TextPart | QueryPart | PairPart, outputs: tuple[str, ...], folder: Path, pad_to: int = 0
) -> None:
    """Plain attention, whose nodes ONNX Runtime recognizes and fuses; of any length, unless
    the model looks at its padding (``pad_to``)."""
    models = [m for m in part.module.modules() if hasattr(m, "set_attn_implementation")]
    before = [model.config._attn_implementation for model in models]
    for model in models:
        model.set_attn_implementation("eager")
    try:
        tower = part.tower
        ids = torch.full((2, pad_to or 8), tower.pad_id + 1, dtype=torch.int64)
        dynamic = (0,) if pad_to else (0, 1)
        export_onnx(part.module, ids, folder / tower.file, ("input_ids",), outputs, dynamic)
    finally:
        for model, implementation in zip(models, before, strict=True):
            model.set_attn_implementation(implementation)
    shutil.copyfile(part.tokenizer, folder / part.tower.tokenizer)
