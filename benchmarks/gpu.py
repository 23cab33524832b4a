"""The towers of a model on a GPU, by every runtime that is installed: one table.

    python -m benchmarks.gpu MODEL [--checkpoint FILE] [--precision fp16] [--json result.json]

torch (eager and compiled), ONNX Runtime with CUDA, TensorRT-RTX and TensorRT, at one row and
at 32, texts and queries of 8, 16 and 32 tokens, and images. Times are medians in milliseconds
from host memory to host memory, without tokenizing and decoding. All compute in ``--precision``
(torch by autocast). torch runs the product CLIP, with random heads where there is no
``--checkpoint``: the time is the same; a query tower it runs only from its checkpoint. A runtime
that cannot run is listed with its own words. Exit status 3, and one line, without a GPU.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch

from engine import (
    EntrepotError,
    InvalidModel,
    Manifest,
    NoAccelerator,
    load_manifest,
    read_compiled,
)
from engine.compiled import Library
from models.half_precision import Precision, in_precision
from models.plain_graph import plain
from models.query_model import load_query_bert
from models.tensorrt_build import Wanted, build_engines
from models.tensorrt_library import import_library
from models.towers import ImageGraph, TextGraph, build_clip, load_checkpoint
from plugins.cuda_device import Cuda
from plugins.tensorrt_runtime import TensorrtEngine

Rows = npt.NDArray[Any]
Run = Callable[[Rows], object]
Runtime = Callable[[str], Run]
"""Loads the tower "text", "image" or "query" and gives what runs it."""

BATCHES, LENGTHS = (1, 32), (8, 16, 32)
WARM_UP, RUNS = 20, 200
PACKAGES = (
    *("torch", "onnxruntime-gpu", "onnxruntime", "tensorrt-rtx-cu13", "tensorrt", "cuda-bindings"),
)
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


def cases(manifest: Manifest) -> dict[str, tuple[str, Rows]]:
    """By column: the tower and its input. Texts of a fixed length have that one only."""
    rng = np.random.default_rng(0)
    found: dict[str, tuple[str, Rows]] = {}
    fixed = manifest.text.pad_to if manifest.text else 0
    for batch in BATCHES if manifest.text else ():
        for length in (fixed,) if fixed else LENGTHS:
            found[f"text {batch} × {length}"] = "text", rng.integers(1, 100, (batch, length))
    for batch in BATCHES if manifest.query else ():
        for length in LENGTHS:
            found[f"query {batch} × {length}"] = "query", rng.integers(1, 100, (batch, length))
    for batch in BATCHES if manifest.image else ():
        assert manifest.image is not None
        shape = batch, 3, manifest.image.size, manifest.image.size
        found[f"image × {batch}"] = "image", rng.uniform(-1, 1, shape).astype(np.float32)
    return found


def measure(
    runtimes: Mapping[str, Runtime], inputs: Mapping[str, tuple[str, Rows]], runs: int = RUNS
) -> Iterator[tuple[str, dict[str, float] | str]]:
    """Milliseconds by column for each runtime, or why it has none."""
    for name, load in runtimes.items():
        times: dict[str, float] = {}
        try:
            towers = {tower: load(tower) for tower in dict.fromkeys(t for t, _ in inputs.values())}
            for column, (tower, rows) in inputs.items():
                times[column] = _median_ms(towers[tower], rows, runs)
        except Exception as error:  # the rest of the table is worth having
            yield name, f"{type(error).__name__}: {error}"
        else:
            yield name, times


def _median_ms(run: Run, rows: Rows, runs: int) -> float:
    for _ in range(WARM_UP):
        run(rows)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run(rows)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def table(columns: list[str], found: Mapping[str, dict[str, float] | str]) -> str:
    """In Markdown; below it, what did not run."""
    lines = [f"| ms | {' | '.join(columns)} |", "|---" + "|---:" * len(columns) + "|"]
    failures = []
    for name, times in found.items():
        if isinstance(times, str):
            failures.append(f"{name} did not run: {times}")
        else:
            lines.append(f"| {name} | {' | '.join(f'{times[c]:.2f}' for c in columns)} |")
    return "\n".join([*lines, "", *failures])


def on_torch(checkpoint: Path | None, precision: Precision, *, compiled: bool) -> Runtime:
    """The product CLIP or the query BERT, eager or compiled with CUDA graphs."""

    def load(tower: str) -> Run:
        module = torch_module(tower, checkpoint).eval().cuda()
        if compiled:
            module = torch.compile(module, mode="reduce-overhead", dynamic=False)
        half = DTYPES.get(precision)

        def run(rows: Rows) -> object:
            with torch.inference_mode(), torch.autocast("cuda", half, enabled=half is not None):
                found = module(torch.from_numpy(rows).cuda())
            outputs = found if isinstance(found, tuple) else (found,)
            return [output.cpu() for output in outputs]

        return run

    return load


def torch_module(tower: str, checkpoint: Path | None) -> Any:
    """What the tower was exported from."""
    if tower == "query":
        if checkpoint is None:
            raise InvalidModel("torch needs --checkpoint for a query tower")
        return load_query_bert(checkpoint)
    model = build_clip() if checkpoint is None else load_checkpoint(checkpoint)
    return TextGraph(model) if tower == "text" else ImageGraph(model)


def on_onnx_runtime(folder: Path, manifest: Manifest, precision: Precision) -> Runtime:
    """The same converted graph that TensorRT compiles, with the CUDA provider and no other."""

    def load(tower: str) -> Run:
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise NoAccelerator("this onnxruntime has no CUDA: pip install onnxruntime-gpu")
        graph = in_precision(plain(onnx.load(folder / file_of(manifest, tower))), precision)
        session = onnxruntime.InferenceSession(
            graph.SerializeToString(), providers=["CUDAExecutionProvider"]
        )
        if session.get_providers()[0] != "CUDAExecutionProvider":
            raise NoAccelerator("ONNX Runtime did not take its CUDA provider: see its log above")
        return lambda rows: session.run(None, {session.get_inputs()[0].name: rows})

    return load


def on_tensorrt(
    folder: Path, manifest: Manifest, precision: Precision, library: Library
) -> Runtime:
    """Engines compiled here, run as encoder ``tensorrt`` runs them."""

    def load(tower: str) -> Run:
        file = file_of(manifest, tower)
        built = [each.engine for each in build_engines(folder, Wanted(library, precision))]
        (compiled,) = (engine for engine in built if engine.graph == file)
        trt, data = import_library(library), read_compiled(folder, compiled)
        cache = folder / f"{tower}.kernels"
        return TensorrtEngine(trt, Cuda(), compiled, data, cache).run

    return load


def file_of(manifest: Manifest, tower: str) -> str:
    """The graph of a tower."""
    file: str = getattr(manifest, tower).file
    return file


def machine() -> dict[str, str]:
    """Hardware and versions."""
    found = {"gpu": torch.cuda.get_device_name(), "python": platform.python_version()}
    found["capability"] = ".".join(map(str, torch.cuda.get_device_capability()))
    found["cuda"] = str(torch.version.cuda)
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("model", type=Path, help="a served folder")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--precision", choices=["fp16", "bf16", "fp32"], default="fp16")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("benchmarks.gpu needs a GPU: torch finds none")
        return 3
    with tempfile.TemporaryDirectory() as work:
        folder = shutil.copytree(options.model, Path(work) / "model")
        try:
            manifest = load_manifest(folder)
        except EntrepotError as error:
            print(error, file=sys.stderr)
            return 1
        precision: Precision = options.precision
        runtimes: dict[str, Runtime] = {
            "torch": on_torch(options.checkpoint, precision, compiled=False),
            "torch.compile": on_torch(options.checkpoint, precision, compiled=True),
            "ONNX Runtime CUDA": on_onnx_runtime(folder, manifest, precision),
            "TensorRT-RTX": on_tensorrt(folder, manifest, precision, "tensorrt_rtx"),
            "TensorRT": on_tensorrt(folder, manifest, precision, "tensorrt"),
        }
        inputs = cases(manifest)
        found = dict(measure(runtimes, inputs))
    about = {"model": f"{manifest.name} {manifest.version}", "precision": precision, **machine()}
    print("\n".join(f"{name}: {value}" for name, value in about.items()), end="\n\n")
    print(table(list(inputs), found))
    if options.json:
        options.json.write_text(json.dumps({**about, "ms": found}, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
