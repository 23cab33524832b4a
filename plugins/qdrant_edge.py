"""Qdrant Edge, the embedded default: each generation is a folder, no server.

::

    <data_dir>/current                        name of the live generation, replaced atomically
    <data_dir>/generations/<name>/shard/      Qdrant's own files
    <data_dir>/generations/<name>/generation.json   written last: without it, unfinished

One process holds a generation at a time. Every call into Qdrant Edge holds the GIL, so
upserts go in small chunks, and only filling a generation and :meth:`EdgeStore.build` optimize, in
a process of its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from qdrant_edge import (
    AcornSearchParams,
    Distance,
    EdgeConfig,
    EdgeOptimizersConfig,
    EdgeShard,
    EdgeSparseVectorParams,
    EdgeVectorParams,
    HnswIndexConfig,
    Memory,
    Modifier,
    MultiVectorComparator,
    MultiVectorConfig,
    QuantizationSearchParams,
    ScalarQuantizationConfig,
    ScalarType,
    SearchParams,
    VectorStorageDatatype,
)

from engine.durable import write_atomically
from engine.errors import GenerationLive, NotFound, StoreError, StoreLocked
from engine.hookspecs import Register, hookimpl
from engine.protocols import GenerationSpec, VectorStores

from .qdrant_common import (
    EXACT_BELOW_KB,
    HNSW_EF,
    HNSW_EF_CONSTRUCT,
    HNSW_M,
    OVERSAMPLING,
    check_name,
)
from .qdrant_edge_segments import SPLIT_FROM_KB, Cuts
from .qdrant_edge_store import EdgeStore, vendor


class EdgeOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``[store.options]`` for ``qdrant-edge``.

    ``exact_below_kb`` is the size of a vector's data (KiB) up to which it is scanned rather than
    searched by HNSW, as are filtered subsets. ``quantization="scalar"`` lets HNSW search int8
    copies, kept in memory, and scores the best again with the full vectors. ``search_threads``
    share the work of a search: what is worth it and scanned is written in as many segments.
    """

    data_dir: str
    shop: str = "shop"
    quantization: Literal["none", "scalar"] = "none"
    search_threads: int = 2
    exact_below_kb: int = EXACT_BELOW_KB


@hookimpl
def register_stores(register: Register[VectorStores]) -> None:
    register("qdrant-edge", EdgeStores, EdgeOptions)


class EdgeStores:
    """A shop's generations, as folders."""

    split_from_kb = SPLIT_FROM_KB

    def __init__(self, options: EdgeOptions) -> None:
        self._options = options
        self._root = Path(options.data_dir)

    def create(self, generation: str, spec: GenerationSpec) -> EdgeStore:
        folder = self._folder(generation)
        if folder.exists():
            raise StoreError(f"generation {generation!r} exists already; drop it or choose another")
        shard = folder / "shard"
        shard.mkdir(parents=True)
        options = self._options
        with vendor(folder):
            opened = EdgeShard.create(str(shard), _config(spec, options))
        parts = options.search_threads
        worth = self.split_from_kb, options.exact_below_kb
        cuts = Cuts(shard, spec, parts, worth, _config(spec, options, parts))
        return EdgeStore(opened, spec, folder, self._search_params(), cuts)

    def open(self, generation: str) -> EdgeStore:
        spec = self.describe(generation)
        folder = self._folder(generation)
        with vendor(folder):
            shard = EdgeShard.load(str(folder / "shard"), _config(spec, self._options))
        store = EdgeStore(shard, spec, folder, self._search_params())
        store.load()
        return store

    def describe(self, generation: str) -> GenerationSpec:
        file = self._folder(generation) / "generation.json"
        try:
            return msgspec.json.decode(file.read_bytes(), type=GenerationSpec)
        except FileNotFoundError:
            raise NotFound(f"no finished generation {generation!r} in {self._root}") from None
        except (OSError, msgspec.DecodeError) as exc:
            raise StoreError(f"{file} cannot be read ({exc}); index again") from exc

    def generations(self) -> list[str]:
        files = self._root.glob("generations/*/generation.json")
        return sorted(file.parent.name for file in files)

    def current(self) -> str | None:
        try:
            return (self._root / "current").read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def promote(self, generation: str) -> None:
        self.describe(generation)
        write_atomically(self._root / "current", generation.encode())

    def drop(self, generation: str) -> None:
        folder = self._folder(generation)
        if not folder.is_dir():
            raise NotFound(f"no generation {generation!r} in {self._root}")
        if generation == self.current():
            raise GenerationLive(f"generation {generation!r} is live; promote another one first")
        self._ensure_free(folder)
        (folder / "generation.json").unlink(missing_ok=True)
        shutil.rmtree(folder)

    def close(self) -> None:
        """Nothing is held here; each open generation is closed by itself."""

    def _ensure_free(self, folder: Path) -> None:
        """Nobody may hold what is about to be deleted; a broken shard is held by nobody."""
        try:
            with vendor(folder):
                EdgeShard.load(str(folder / "shard")).close()
        except StoreLocked:
            raise
        except StoreError:
            return

    def _folder(self, generation: str) -> Path:
        return self._root / "generations" / check_name(generation, what="generation")

    def _search_params(self) -> SearchParams:
        return SearchParams(
            hnsw_ef=HNSW_EF,
            acorn=AcornSearchParams(enable=True),
            quantization=QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING),
        )


_DATATYPES = {
    "float32": VectorStorageDatatype.Float32,
    "float16": VectorStorageDatatype.Float16,
}


def _config(spec: GenerationSpec, options: EdgeOptions, parts: int = 1) -> EdgeConfig:
    """One segment, with HNSW where it is too large to be scanned; or ``parts`` segments whose int8
    copies are scanned (an index without edges, m 0, is a list), and one for what comes later."""
    quantized = None
    if parts > 1 or options.quantization == "scalar":
        quantized = ScalarQuantizationConfig(ScalarType.Int8, quantile=0.99, memory=Memory.Pinned)
    best_photo = MultiVectorConfig(MultiVectorComparator.MaxSim)
    kept = _DATATYPES[spec.precision]
    return EdgeConfig(
        vectors={
            "text": EdgeVectorParams(spec.text_encoder.dim, Distance.Dot, datatype=kept),
            "image": EdgeVectorParams(
                spec.image_encoder.dim, Distance.Dot, multivector_config=best_photo, datatype=kept
            ),
        },
        sparse_vectors={"bm25": EdgeSparseVectorParams(modifier=Modifier.Idf)},
        hnsw_config=HnswIndexConfig(
            m=HNSW_M if parts == 1 else 0,
            ef_construct=HNSW_EF_CONSTRUCT,
            full_scan_threshold=options.exact_below_kb,
            max_indexing_threads=options.search_threads,
        ),
        quantization_config=quantized,
        optimizers=EdgeOptimizersConfig(
            default_segment_number=1 if parts == 1 else parts + 1,
            indexing_threshold=options.exact_below_kb if parts == 1 else 1,
        ),
        max_search_threads=options.search_threads,
    )
