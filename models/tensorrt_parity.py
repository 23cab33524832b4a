"""The parity report of engines: their rows, and their retrieval, against the model's.

It takes a GPU. The encoder ``tensorrt`` compares a few rows whenever it loads an engine; this
compares as many texts and photos as there are, with torch where a checkpoint is given, and
what matters: a retrieval figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from engine import CompiledGraph, Encoder, PluginManager, Vectors, agreement, load_compiled
from engine.compiled import LOSS, CompiledParity, save_compiled
from engine.encoders import fallback_of
from engine.manifest import load_manifest

from .check import recall, references, samples
from .evaluation import served_reader
from .query_parity import TAGS, agreement_of, queries, reference_of

LOST = 0.01
"""The relative loss of a retrieval figure from which an engine is refused, as any variant is."""

OpenEncoder = Callable[[Path, str, str], Encoder]
"""``(folder, space, precision)`` on the engines of the folder."""
OpenReader = Callable[[Path, str], Any]
"""``(folder, precision)``: the query tower on its engine."""


def report(
    folder: Path,
    keys: Sequence[str],
    against: Path | None,
    data: Path | None,
    on_engines: OpenEncoder | None = None,
    reader_on_engine: OpenReader | None = None,
) -> list[CompiledGraph]:
    """Compare the engines under ``keys`` and write what came out to ``engines.json``; an engine
    that failed is not served. An earlier verdict stays where none can be had now.

    ``against`` is a checkpoint (torch) or a served folder (ONNX Runtime), by default ``folder``
    itself; ``data`` the training data, for photos of products and the retrieval figure.

    Returns:
        Those engines, with their reports, in the order of ``keys``.
    """
    engines = {engine.key: engine for engine in load_compiled(folder)}
    open_encoder, open_reader = on_engines or _on_engines, reader_on_engine or _reader_on_engine
    for key in keys:
        before = engines[key]
        # Tags have a row for each token, embeddings one for each text.
        if len(before.outputs[0].shape) == 3:
            found = _compared_readings(folder, before, against, data, open_reader)
        else:
            found = _compared(folder, before, against, data, open_encoder)
        if found.status != "not run" or before.parity.status == "not run":
            engines[key] = msgspec.structs.replace(before, parity=found)
    save_compiled(folder, tuple(engines.values()))
    return [engines[key] for key in keys]


def _compared(
    folder: Path,
    engine: CompiledGraph,
    against: Path | None,
    data: Path | None,
    open_encoder: OpenEncoder,
) -> CompiledParity:
    ours = {o.name: open_encoder(folder, o.name, engine.precision) for o in engine.outputs}
    for encoder in ours.values():
        if reason := fallback_of(encoder):
            return _not_run(reason)
    manifest = load_manifest(folder)
    theirs = references(against or folder, manifest)
    texts, images = samples(data)
    of_texts = engine.input.dtype == "int64"
    rows = {
        space: (_rows(theirs[space], of_texts, texts, images), _rows(e, of_texts, texts, images))
        for space, e in ours.items()
    }
    figures: dict[str, tuple[float, float]] = {}
    if (
        data is not None
        and "joint" in ours
        and {"text", "image"} <= {*ours["joint"].info.modalities}
    ):
        figures["R@10"] = recall(theirs["joint"], data), recall(ours["joint"], data)
    bound = 1 - LOSS if against is not None else engine.bound
    return judged(bound, list(rows.values()), figures)


def _compared_readings(
    folder: Path,
    engine: CompiledGraph,
    against: Path | None,
    data: Path | None,
    open_reader: OpenReader,
) -> CompiledParity:
    """By the tags of words. Against the folder's own graph, which may be a variant that rounds
    what an engine does not, as many may be lost as of any figure."""
    ours = open_reader(folder, engine.precision)
    if ours.fallback:
        return _not_run(ours.fallback)
    theirs = reference_of(against or folder, served_reader(folder))
    texts = queries(data)
    expected = [theirs.tagged([text])[0] for text in texts]
    bound = 1 - LOST if against is None else TAGS
    found = agreement_of("tags", ours.decoder, expected, ours.tagged(texts), bound)
    figures = {"tags": (1.0, found.share)}
    if found.kept:
        return CompiledParity("passed", error=found.error, figures=figures)
    reason = f"{found.share:.3%} of tags are the same, at least {bound:.1%} is asked"
    return CompiledParity("failed", reason, error=found.error, figures=figures)


def _not_run(fallback: str) -> CompiledParity:
    return CompiledParity("not run", "no GPU" if "no GPU" in fallback else fallback)


def judged(
    bound: float,
    compared: Sequence[tuple[Vectors, Vectors]],
    figures: Mapping[str, tuple[float, float]],
) -> CompiledParity:
    """The verdict on pairs of unit rows (expected, engine) and of figures: each row must agree
    to ``bound`` and no figure lose more than ``LOST`` of itself."""
    cosine = min(agreement(a, b) for a, b in compared)
    error = max(float(np.abs(a - b).max()) for a, b in compared)
    reasons = [] if cosine >= bound else [f"cosine {cosine:.5f}, at least {bound:.5f} is asked"]
    reasons += [
        f"{name} falls from {before:.4f} to {after:.4f}"
        for name, (before, after) in figures.items()
        if not after >= before * (1 - LOST)
    ]
    status: Literal["failed", "passed"] = "failed" if reasons else "passed"
    return CompiledParity(status, "; ".join(reasons), cosine, error, dict(figures))


def _rows(encoder: Encoder, of_texts: bool, texts: Sequence[str], images: Sequence[Any]) -> Vectors:
    return encoder.encode_texts(texts, "document") if of_texts else encoder.encode_images(images)


def _on_engines(folder: Path, space: str, precision: str) -> Encoder:
    options = {"model": str(folder.resolve()), "space": space, "precision": precision}
    encoder: Encoder = PluginManager().create("encoders", "tensorrt", options)
    return encoder


def _reader_on_engine(folder: Path, precision: str) -> Any:
    return served_reader(folder, runtime="tensorrt", precision=precision)
