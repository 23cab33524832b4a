"""Compiled engines of a served model: ``engines/engines.json`` beside the engine files.

An engine is a served graph compiled for one library version, one kind of GPU and one
precision. It belongs to a machine, not to the model: it is no part of the manifest or the
fingerprint, and whoever cannot use it serves the graph itself.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from .errors import InvalidModel

FORMAT = 1
FOLDER = "engines"
FILE_NAME = "engines.json"

Shape = tuple[int, ...]
Library = Literal["tensorrt_rtx", "tensorrt"]

LOSS = 0.001
"""How much further an engine's rows may be from the served graph's than compiling makes them."""
PROBE_ROWS = 4
PROBE_TOKENS = 100
"""Token ids below this are in every vocabulary."""
PROBE_PIXELS = 16
"""Side of the squares that a probe picture is made of."""


class Tensor(Struct, frozen=True):
    """An input or output; ``dtype`` is numpy's name, -1 in ``shape`` is a dynamic dimension: of
    an output, as large as the input's in the same place."""

    name: str
    dtype: str
    shape: Shape


class Profile(Struct, frozen=True):
    """The shapes of the one input that an engine is fast for: ``min`` to ``max``, best at
    ``opt``."""

    min: Shape
    opt: Shape
    max: Shape

    @property
    def exact(self) -> bool:
        """Whether it takes a single shape."""
        return self.min == self.max

    def takes(self, shape: Shape) -> bool:
        """Whether ``shape`` fits after padding: no dimension above ``max``."""
        return all(d <= most for d, most in zip(shape, self.max, strict=True))


class CompiledParity(Struct, frozen=True):
    """Engine rows against the reference's: worst cosine, largest difference, and retrieval
    figures as (reference, engine). ``reason`` says why it failed or was not run."""

    status: Literal["passed", "failed", "not run"]
    reason: str = ""
    cosine: float | None = None
    error: float | None = None
    figures: dict[str, tuple[float, float]] = {}


class CompiledGraph(Struct, frozen=True):
    """One engine. ``graph`` and ``graph_sha256`` say what was compiled; ``library`` is the
    Python package ("tensorrt_rtx" or "tensorrt"), ``capabilities`` the GPU kinds ("8.6"), empty
    for every one from 8.0 on. ``key`` hashes all that decides the engine's content.

    ``pad`` fills texts up to a profile's length. ``agreement`` is how near what was compiled is
    to the served graph, both on a CPU, over :meth:`probes`: 1 less what the served graph loses
    by rounding that an engine does not do. An engine must come within ``LOSS`` of it.
    """

    key: str
    graph: str
    graph_sha256: str
    file: str
    sha256: str
    library: Library
    version: str
    capabilities: tuple[str, ...]
    precision: str
    input: Tensor
    outputs: tuple[Tensor, ...]
    profiles: tuple[Profile, ...]
    pad: int = 0
    agreement: float = 1.0
    parity: CompiledParity = CompiledParity("not run", "no GPU")

    def runs_on(self, capability: str) -> bool:
        """Whether it was built for a GPU of this compute capability ("8.6")."""
        if self.capabilities:
            return capability in self.capabilities
        return tuple(map(int, capability.split("."))) >= (8, 0)

    @property
    def bound(self) -> float:
        """The :func:`agreement` with the served graph that the engine must reach."""
        return self.agreement - LOSS

    def probes(self) -> list[npt.NDArray[np.generic]]:
        """An input for each profile, the same every time: token ids that end in padding, or
        pictures of coloured squares."""
        rng = np.random.default_rng(0)
        return [self._probe((min(PROBE_ROWS, p.max[0]), *p.opt[1:]), rng) for p in self.profiles]

    def _probe(self, shape: Shape, rng: np.random.Generator) -> npt.NDArray[np.generic]:
        if self.input.dtype != "int64":
            squares = [-(-d // PROBE_PIXELS) for d in shape[2:]]
            picture = rng.uniform(-1, 1, (*shape[:2], *squares)).astype(np.float32)
            for axis, side in ((2, shape[2]), (3, shape[3])):
                picture = np.repeat(picture, PROBE_PIXELS, axis)
                picture = np.take(picture, range(side), axis)
            return picture
        tokens = [token for token in range(PROBE_TOKENS) if token != self.pad]
        ids = rng.choice(np.array(tokens, dtype=np.int64), shape)
        for row in range(1, shape[0]):
            ids[row, shape[1] - row :] = self.pad
        return ids


def agreement(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    """Of pairs of rows ``[…, d]`` the worst 1 - |a - b|² / 2: the cosine where both are of length
    one, less where ``b`` is not; as good a measure for rows of probabilities. NaN where a value
    is."""
    return float((1.0 - np.square(a - b).sum(axis=-1) / 2.0).min())


class _Engines(Struct, frozen=True):
    format: int
    engines: tuple[CompiledGraph, ...] = ()


def load_compiled(folder: Path) -> tuple[CompiledGraph, ...]:
    """What is compiled of the model in ``folder``; nothing where there is no such file.

    Raises:
        InvalidModel: the file is unreadable, newer, or names a file outside its folder.
    """
    path = folder / FOLDER / FILE_NAME
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Engines)
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidModel(f"{path}: {error}: remove {FOLDER}/ and compile again") from error
    if found.format > FORMAT:
        raise InvalidModel(
            f"{path}: format {found.format} is newer than this Entrepot reads ({FORMAT}): "
            "upgrade, or compile again"
        )
    for engine in found.engines:
        if Path(engine.file).name != engine.file:
            raise InvalidModel(f"{path}: {engine.file!r} lies outside the folder: compile again")
    return found.engines


def save_compiled(folder: Path, engines: tuple[CompiledGraph, ...]) -> None:
    """Write ``engines.json``; a reader sees the old one or the new one."""
    path = folder / FOLDER / FILE_NAME
    path.parent.mkdir(exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(_Engines(FORMAT, engines)), indent=2)
    partial = path.with_suffix(".partial")
    partial.write_bytes(encoded + b"\n")
    partial.replace(path)


def read_compiled(folder: Path, compiled: CompiledGraph) -> bytes:
    """The engine's bytes, verified.

    Raises:
        InvalidModel: the file is missing or damaged.
    """
    path = folder / FOLDER / compiled.file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidModel(f"{path}: {error.strerror}: compile again") from error
    if hashlib.sha256(data).hexdigest() != compiled.sha256:
        raise InvalidModel(f"{path}: the engine file is damaged: compile again")
    return data
