"""Command ``entrepot bridge``: linear maps from one encoder's space into a shop's encoders'.

Both sides see the same texts in one language; ridge regression finds the map (Hoerl and Kennard,
Technometrics 1970). A multilingual encoder puts a sentence and its translation side by side, so the
map serves its other languages too, though it has seen none of them. No photo is needed: the joint
space holds texts and photos alike.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from engine import (
    Encoder,
    InvalidRequest,
    PluginManager,
    Register,
    Settings,
    Vectors,
    hookimpl,
    load_settings,
)

from .usem3_encoder import Map, save_maps

PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Ridge penalties tried; the held-out texts choose."""
HELD_OUT = 0.05
FEWEST = 1000
"""Texts: fewer do not determine a map of 512 × 256 numbers."""
BATCH = 512


class Fitted(Struct, frozen=True):
    """``weights`` ``[d_source + 1, d_target]``, the last row the constant; ``cosine`` is the mean
    between mapped and true embeddings of held-out texts."""

    weights: npt.NDArray[np.float32]
    penalty: float
    cosine: float


def split(n: int, seed: int = 0) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Which of ``n`` texts are held out, and the others."""
    order = np.random.default_rng(seed).permutation(n)
    held = max(1, int(n * HELD_OUT))
    return order[:held], order[held:]


def fit(source: Vectors, target: Vectors) -> Fitted:
    """The map from rows ``[n, d_source]`` to rows ``[n, d_target]``, both of length 1."""
    held, seen = split(len(source))
    inputs = np.hstack([source, np.ones((len(source), 1), np.float32)]).astype(np.float64)
    gram = inputs[seen].T @ inputs[seen]
    cross = inputs[seen].T @ target[seen].astype(np.float64)
    best: Fitted | None = None
    for penalty in PENALTIES:
        ridge = np.eye(len(gram)) * penalty
        ridge[-1, -1] = 0.0  # the constant is not shrunk
        weights = np.linalg.solve(gram + ridge, cross)
        cosine = float((_mapped(inputs[held], weights) * target[held]).sum(axis=1).mean())
        if best is None or cosine > best.cosine:
            best = Fitted(weights.astype(np.float32), penalty, cosine)
    assert best is not None
    return best


def bridge_to(
    target: Encoder, source: Vectors, texts: Sequence[str], say: Callable[[str], None]
) -> Map:
    """The map from ``source``, the rows of ``texts``, into the space of ``target``."""
    rows = encoded(target, texts, say)
    fitted = fit(source, rows)
    say(f"{target.info.name}: cosine {fitted.cosine:.3f} on held-out texts")
    # With the target's own noise floors: without any, searches found less (docs/decisions/0021).
    info = msgspec.structs.replace(target.info, modalities=("text",))
    return Map(info, fitted.weights)


def encoded(encoder: Encoder, texts: Sequence[str], say: Callable[[str], None]) -> Vectors:
    """Query embeddings of ``texts``, by the batch."""
    say(f"{encoder.info.name}: {len(texts)} texts")
    starts = range(0, len(texts), BATCH)
    return np.concatenate([encoder.encode_texts(texts[i : i + BATCH], "query") for i in starts])


def _mapped(inputs: npt.NDArray[np.floating], weights: npt.NDArray[np.floating]) -> Vectors:
    rows = inputs @ weights
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


@click.command()
@click.argument("texts", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", default="usem3", show_default=True, help="The multilingual encoder.")
def bridge(texts: Path, out: Path, config: Path | None, source: str) -> None:
    """Fit maps for queries in other languages.

    TEXTS has one product title or query a line, in the catalogue's language; a few thousand.
    Maps from the multilingual encoder into the spaces of the shop's text and image encoders are
    written to OUT, for `maps` under [encoders.bridge.options].
    """
    settings = load_settings(config, os.environ)
    lines = sorted({line.strip() for line in texts.read_text("utf-8").splitlines()} - {""})
    if len(lines) < FEWEST:
        raise InvalidRequest(f"{texts}: {len(lines)} different texts; at least {FEWEST} are needed")
    manager = PluginManager(settings.plugins)
    reader: Encoder = manager.create("encoders", source)
    rows = encoded(reader, lines, click.echo)
    targets = list(_encoders(settings, manager))
    maps = [bridge_to(target, rows, lines, click.echo) for target in targets]
    save_maps(out, reader.info.fingerprint, maps)
    for encoder in (reader, *targets):
        encoder.close()


def _encoders(settings: Settings, manager: PluginManager) -> Iterator[Encoder]:
    for component in (settings.encoders.text, settings.encoders.image):
        yield manager.create("encoders", component.plugin, component.options)


@hookimpl
def register_commands(register: Register[click.Command]) -> None:
    register("bridge", lambda options: bridge)
