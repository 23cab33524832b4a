"""Quality and speed of served folders side by side, as a Markdown table.

Speeds are those of the encoder as it serves: tokenization and preprocessing included. Each
folder is loaded in a process of its own, so that memory and load time are its alone.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image
from tokenizers import Tokenizer

from engine import Encoder, load_manifest
from engine.manifest import Manifest, save_manifest

from .evaluation import Figure, evaluate, plugins, served_encoder, served_pairs, served_reader

LENGTHS = (8, 16, 32)
"""Tokens of a query; titles have 8 to 16."""
QUERIES, PICTURES, ROUNDS = 100, 50, 3
TEXT_BATCH, IMAGE_BATCH = 64, 32
PAIRS, PAIR_TOKENS = 20, 24
"""Products that are read again for a query, and tokens of their texts."""
PICTURE = (480, 640)
"""Width and height of the photos, decoded already."""
WORDS = (
    *("red", "blue", "green", "black", "white", "shoe", "shirt", "bag", "watch", "hat", "dress"),
    *("belt", "ring", "coat", "boots", "table", "lamp", "chair", "glass", "wood", "gold", "men"),
)


def run(
    folders: Sequence[Path],
    threads: int,
    data: Path | None,
    save: bool,
    say: Callable[[str], None],
) -> None:
    """Measure, print the table, and with ``save`` write the speeds to the manifests.

    Raises:
        InvalidModel: a folder cannot be read.
    """
    manifests = [load_manifest(folder) for folder in folders]
    columns = [{"size MB": size_mb(f, m)} for f, m in zip(folders, manifests, strict=True)]
    for column, folder in zip(columns, folders, strict=True):
        column |= in_new_process(folder, threads)
    quality = [_quality(f, m, threads, data) for f, m in zip(folders, manifests, strict=True)]
    for line in (machine(threads), "", *table(folders, columns, quality)):
        say(line)
    if save:
        for folder, manifest, column in zip(folders, manifests, columns, strict=True):
            save_manifest(folder, msgspec.structs.replace(manifest, speed=column))


def size_mb(folder: Path, manifest: Manifest) -> float:
    """What the folder's files take on disk."""
    return round(sum((folder / name).stat().st_size for name in manifest.files) / 1e6, 1)


def _quality(
    folder: Path, manifest: Manifest, threads: int, data: Path | None
) -> dict[str, Figure]:
    """Figures on held-out products; none of a model that embeds texts alone."""
    if data is None or "joint" not in manifest.spaces:
        return {}
    encoder = served_encoder(folder, "joint", threads)
    return evaluate(encoder, data) if {"text", "image"} <= {*encoder.info.modalities} else {}


def in_new_process(folder: Path, threads: int) -> dict[str, float]:
    """:func:`speeds`, in a fresh interpreter."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(speeds, folder, threads).result()


def speeds(folder: Path, threads: int) -> dict[str, float]:
    """Load time, memory and latencies of one folder, by name; call it in a new process."""
    manifest = load_manifest(folder)
    plugins()  # imports ONNX Runtime, which is not the model's time
    before, start = _resident_mb(), time.perf_counter()
    encoders = [served_encoder(folder, space, threads) for space in manifest.spaces]
    reader = served_reader(folder, threads=threads) if manifest.query else None
    pairs = served_pairs(folder, threads) if manifest.pair else None
    found = {"load ms": (time.perf_counter() - start) * 1000.0}
    found["memory when loaded MB"] = _resident_mb() - before
    texts = next((e for e in encoders if "text" in e.info.modalities), None)
    images = next((e for e in encoders if "image" in e.info.modalities), None)
    if texts is not None and manifest.text is not None:
        found |= _text_speeds(texts, Tokenizer.from_file(str(folder / manifest.text.tokenizer)))
    if reader is not None and manifest.query is not None:
        tokenizer = Tokenizer.from_file(str(folder / manifest.query.tokenizer))
        found |= _lone_speeds("reading", reader.read, tokenizer)
    if pairs is not None and manifest.pair is not None:
        found |= _pair_speeds(pairs, Tokenizer.from_file(str(folder / manifest.pair.tokenizer)))
    if images is not None:
        found |= _image_speeds(images)
    found["memory after large batches MB"] = _resident_mb() - before
    return {name: float(f"{value:.3g}") for name, value in found.items()}


def _text_speeds(encoder: Encoder, tokenizer: Tokenizer) -> dict[str, float]:
    found = _lone_speeds("query", lambda text: encoder.encode_texts([text], "query"), tokenizer)
    documents = texts_of(tokenizer, 16, TEXT_BATCH * ROUNDS)
    batches = [documents[i : i + TEXT_BATCH] for i in range(0, len(documents), TEXT_BATCH)]
    times = _times([partial(encoder.encode_texts, batch, "document") for batch in batches])
    found["texts of 16 tokens per second"] = TEXT_BATCH / min(times) * 1000.0
    return found


def _lone_speeds(
    what: str, call: Callable[[str], object], tokenizer: Tokenizer
) -> dict[str, float]:
    """Of ``call`` on one text after the other."""
    found: dict[str, float] = {}
    for length in LENGTHS:
        texts = texts_of(tokenizer, length, QUERIES + 10)
        times = _times([partial(call, text) for text in texts], 10)
        found[f"{what} of {length} tokens p50 ms"] = float(np.median(times))
        found[f"{what} of {length} tokens p95 ms"] = float(np.percentile(times, 95))
    return found


def _pair_speeds(reader: Any, tokenizer: Tokenizer) -> dict[str, float]:
    texts = texts_of(tokenizer, PAIR_TOKENS, PAIRS * (QUERIES // 5 + 2))
    lists = [texts[i : i + PAIRS] for i in range(0, len(texts), PAIRS)]
    times = _times([partial(reader.read, "red leather shoes", each) for each in lists], 2)
    return {
        f"{PAIRS} products p50 ms": float(np.median(times)),
        f"{PAIRS} products p95 ms": float(np.percentile(times, 95)),
    }


def _image_speeds(encoder: Encoder) -> dict[str, float]:
    rng = np.random.default_rng(0)
    shape = (PICTURE[1], PICTURE[0], 3)
    photos = [Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)) for _ in range(8)]
    calls = [partial(encoder.encode_images, [photos[i % 8]]) for i in range(PICTURES + 5)]
    times = _times(calls, 5)
    batch = photos * (IMAGE_BATCH // len(photos))
    batched = _times([partial(encoder.encode_images, batch)] * ROUNDS)
    return {
        "photo p50 ms": float(np.median(times)),
        "photos per second": IMAGE_BATCH / min(batched) * 1000.0,
    }


def _times(calls: Sequence[Callable[[], object]], warm_up: int = 0) -> list[float]:
    """Milliseconds of each call after the first ``warm_up``."""
    found: list[float] = []
    for call in calls:
        start = time.perf_counter()
        call()
        found.append((time.perf_counter() - start) * 1000.0)
    return found[warm_up:]


def texts_of(tokenizer: Tokenizer, length: int, count: int) -> list[str]:
    """Texts of ``length`` tokens, special ones included, or a few more where a word has several;
    none is that before it, which the encoder remembers."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    rng = np.random.default_rng(length)
    made = [""]
    while len(made) <= count:
        words: list[str] = []
        while len(tokenizer.encode(" ".join(words)).ids) < length:
            words.append(str(rng.choice(WORDS)))
        if (text := " ".join(words)) != made[-1]:
            made.append(text)
    return made[1:]


def table(
    folders: Sequence[Path],
    columns: Sequence[dict[str, float]],
    quality: Sequence[dict[str, Figure]],
) -> list[str]:
    """Markdown: a row for each figure, a column for each folder."""
    names = [folder.name for folder in folders]
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for name in dict.fromkeys(name for column in columns for name in column):
        cells = [f"{column[name]:g}" if name in column else "–" for column in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for name in dict.fromkeys(name for figures in quality for name in figures):
        first = quality[0].get(name)
        cells = [_cell(each.get(name), first if i else None) for i, each in enumerate(quality)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _cell(figure: Figure | None, first: Figure | None) -> str:
    if figure is None:
        return "–"
    change = f", {(figure.value - first.value) / first.value:+.1%}" if first and first.value else ""
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f}){change}"


def machine(threads: int) -> str:
    """Hardware, versions and threads in a line."""
    return (
        f"{_processor()}, {os.cpu_count()} cores; {threads} threads; ONNX Runtime "
        f"{version('onnxruntime')}, Python {platform.python_version()}"
    )


def _processor() -> str:
    """The processor's name and the instructions that int8 depends on, where Linux tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    known = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    facts = {key.strip(): value.strip() for key, value in known.items()}
    vnni = sorted(flag for flag in facts.get("flags", "").split() if "vnni" in flag)
    return " ".join([facts.get("model name", platform.machine()), *vnni])


def _resident_mb() -> float:
    """Memory of this process; 0 where the system has no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
