"""How many segments a generation in Qdrant Edge has: as many as there are threads to scan them.

Qdrant searches several segments at once, each on one thread, and joins what they find. A lane that
is scanned therefore takes half the time in two segments (decision 0019); HNSW gains less and
stays in one. Qdrant Edge does not split a segment, so a generation is cut while it is filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qdrant_edge import EdgeConfig, EdgeShard

from engine.protocols import GenerationSpec, Point

SPLIT_FROM_KB = 4_000
"""KiB of text vectors (about 5,000 of 384 dimensions at float16) from which a second thread pays:
one scans them in 0.25 ms."""
BYTES = {"float32": 4, "float16": 2}


class Cuts:
    """Ends a segment whenever another part of the products that ``spec`` expects is written.

    ``worth_kb``: from how many KiB of text vectors on, up to how many of any lane's, which then
    is scanned. ``config`` makes of all that was written a segment to which nothing is added.
    """

    def __init__(
        self,
        path: Path,
        spec: GenerationSpec,
        parts: int,
        worth_kb: tuple[int, int],
        config: EdgeConfig,
    ) -> None:
        self._path = path
        self._spec = spec
        self._parts = parts
        least, self._most_kb = worth_kb
        self._config = config
        self._written = 0
        self._photos = 0
        self._cut = 0
        worth = least <= self._kb(spec.products, spec.text_encoder.dim) <= self._most_kb
        self._part = -(-spec.products // parts) if worth and parts > 1 else 0

    def wrote(self, shard: EdgeShard, points: Sequence[Point]) -> EdgeShard:
        """The shard to go on with after ``points`` were written to ``shard``."""
        if not self._part or self._cut == self._parts:
            return shard
        self._written += len(points)
        self._photos += sum(len(point.images) for point in points)
        if self._written < self._part * (self._cut + 1):
            return shard
        if not self._cut:
            photos = self._kb(self._photos * self._parts, self._spec.image_encoder.dim)
            if photos > self._most_kb:
                self._part = 0
                return shard
            shard.flush()
            shard.close()
            shard = EdgeShard.load(str(self._path), self._config)
        self._cut += 1
        shard.optimize()
        return shard

    def _kb(self, vectors: int, dim: int) -> float:
        return vectors * dim * BYTES[self._spec.precision] / 1024
