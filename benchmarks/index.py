"""Indexing rate against the bare parts, in one run on one machine.

    python benchmarks/index.py ../shared/data/fashion/products.jsonl --limit 4000

Bare: the time to decode the photos, to embed them, and to embed the texts, each measured
alone over the same products, in the pipeline's batches, with nothing else running (a text
that repeats is embedded once, as the pipeline does); the bare rate is products over the sum.
Pipeline: the real builder, a child process with an empty cache, everything included
(validation, cache, store, report) but the HNSW build, which has its own line. The two share
settings, encoders and threads. On a machine that does other work meanwhile, read the ratio
of the processor times, which others disturb little.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from msgspec import structs
from PIL import Image

from engine.assembly import open_encoders
from engine.documents import dense_text
from engine.manager import PluginManager
from engine.settings import Settings, load_settings
from engine.types import Product
from indexer import BuildReport, PhotoLoader, run_build
from indexer.embedding import PHOTO_BATCH, text_batches
from indexer.pipeline import CHUNK
from indexer.scan import Catalogue


def main() -> None:
    options = _options()
    settings = load_settings(options.config, os.environ)
    with tempfile.TemporaryDirectory() as folder:
        source = first_rows(options.catalogue, options.limit, Path(folder))
        settings = structs.replace(settings, root=folder, data_dir="data")
        manager = PluginManager(settings.plugins)
        catalogue = Catalogue(settings, manager, str(source))
        products = [product for _, product, _ in catalogue.rows() if product is not None]
        print(*machine(settings, products), sep="\n")
        cpu = time.process_time()
        bare = bare_seconds(settings, manager, catalogue.root, products)
        cpu = time.process_time() - cpu
        report = run_build(settings, str(source))
        again = run_build(settings, str(source))
    print(*table(len(products), bare, cpu, report, again), sep="\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("catalogue", type=Path, help="a JSON Lines catalogue with local photos")
    parser.add_argument("--limit", type=int, default=0, help="rows to take (default: all)")
    parser.add_argument("--config", type=Path, help="entrepot.toml (default: built-in settings)")
    return parser.parse_args()


def first_rows(catalogue: Path, limit: int, folder: Path) -> Path:
    """The first rows in a folder of their own, with copies of their photos: a photo may not
    lie outside its catalogue's folder, even by a link."""
    rows = catalogue.read_text(encoding="utf-8").splitlines()[: limit or None]
    target = folder / "shop" / catalogue.name
    for row in rows:
        product = json.loads(row)
        refs = [product[key] for key in ("image", "images") if key in product]
        for ref in refs[0] if refs and isinstance(refs[0], list) else refs:
            copy = target.parent / ref
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not copy.exists():
                copy.write_bytes((catalogue.parent / ref).read_bytes())
    target.write_text("\n".join(rows), encoding="utf-8")
    return target


def bare_seconds(
    settings: Settings, manager: PluginManager, root: str, products: list[Product]
) -> dict[str, float]:
    """Seconds for each of the bare parts. Decoded pictures are dropped between batches, so the
    memory stays small; only the part in question is timed."""
    text, image = open_encoders(settings, manager)
    loader = PhotoLoader(settings)
    spent = {"decode": 0.0, "image encode": 0.0, "text encode": 0.0}
    # Every shape once: the first run of a session allocates.
    image.encode_images([Image.new("RGB", (224, 224))] * PHOTO_BATCH)
    text.encode_texts([dense_text(product) for product in products[:64]], "document")
    known: set[str] = set()
    for chunk in _chunks(products):
        refs = [ref for product in chunk for ref in product.images]
        for start in range(0, len(refs), PHOTO_BATCH):
            begun = time.perf_counter()
            pictures = [loader.decode(loader.read(r, root)) for r in refs[start:][:PHOTO_BATCH]]
            decoded = time.perf_counter()
            image.encode_images(pictures)
            spent["image encode"] += time.perf_counter() - decoded
            spent["decode"] += decoded - begun
        fresh = [text for text in map(dense_text, chunk) if text not in known]
        texts = {text.encode(): text for text in fresh}
        known.update(texts.values())
        begun = time.perf_counter()
        for batch in text_batches(texts, text.info.max_tokens or 512):
            text.encode_texts([texts[key] for key in batch], "document")
        spent["text encode"] += time.perf_counter() - begun
    text.close()
    image.close()
    return spent


def _chunks(products: list[Product]) -> Iterator[list[Product]]:
    rest = iter(products)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def machine(settings: Settings, products: list[Product]) -> Iterator[str]:
    names = ("onnxruntime", "pillow", "numpy", "qdrant-edge-py")
    yield f"{platform.machine()}, {os.cpu_count()} cores, {_processor()}; Python " + (
        f"{platform.python_version()}; " + ", ".join(f"{name} {version(name)}" for name in names)
    )
    photos = sum(len(product.images) for product in products)
    characters = sum(len(dense_text(product)) for product in products) / len(products)
    yield f"{len(products):,} products, {photos:,} photos, {characters:.0f} characters of text each"
    parts = (settings.encoders.text, settings.encoders.image)
    yield "encoders: " + "; ".join(f"{part.plugin} {part.options}" for part in parts)
    yield ""


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "unknown processor")


def table(
    count: int, bare: dict[str, float], bare_cpu: float, report: BuildReport, again: BuildReport
) -> Iterator[str]:
    total = sum(bare.values())
    through = report.counts.indexed / report.rate
    yield "| | seconds | products/s |"
    yield "|---|---:|---:|"
    for name, seconds in bare.items():
        yield f"| bare: {name} | {seconds:.1f} | {count / seconds:,.0f} |"
    yield f"| **bare, summed** | {total:.1f} | {count / total:,.1f} |"
    yield f"| pipeline: scan | {report.stages['scan']:.1f} | |"
    for name in ("photos", "images", "texts", "store"):
        yield f"| pipeline: {name} | {report.stages[name]:.1f} | |"
    whole = through + report.stages["scan"]
    yield f"| **pipeline, scan to stored** | {whole:.1f} | {count / whole:,.1f} |"
    yield f"| HNSW build | {report.stages['build']:.1f} | |"
    yield f"| again, all vectors known | {again.seconds:.1f} | {count / again.seconds:,.0f} |"
    yield ""
    yield f"pipeline / bare = {total / whole:.3f} by the clock, " + (
        f"{bare_cpu / report.cpu_seconds:.3f} by processor time ({bare_cpu:.1f} s bare, "
        f"{report.cpu_seconds:.1f} s in the pipeline)"
    )
    yield f"peak memory of the builder {report.peak_rss_bytes / 2**20:,.0f} MiB; " + (
        f"embedded {report.counts.embedded:,}, reused {report.counts.reused:,}; "
        f"failed {report.counts.failed:,}"
    )


if __name__ == "__main__":
    main()
