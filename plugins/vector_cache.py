"""Vectors that were read before, beside an embedded shard, within a limit of memory.

Qdrant Edge hands a vector out as a list of Python floats: 200 products' vectors take several
times as long to become arrays as to be found (measured: 0.6 ms to find, 4 to 8 ms in all, for
384 dimensions). Windows of many searches overlap, so most of them are here. One process holds a
shard, so what is written passes by, and nothing here is ever stale.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock

from engine.protocols import Vectors

OVERHEAD = 256
"""Bytes of an entry beside its numbers: array, key, and place in the order."""


class VectorCache:
    """Rows by product id; the least recently used go first. Thread-safe.

    ``limit`` is in bytes. What is handed out is read-only, for it is shared.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rows: OrderedDict[str, Vectors] = OrderedDict()
        self._bytes = 0
        self._writes = 0
        self._lock = Lock()

    def find(self, ids: Sequence[str]) -> tuple[dict[str, Vectors], int]:
        """What is known of ``ids``, and the count of writes to hand back to :meth:`keep`."""
        found: dict[str, Vectors] = {}
        with self._lock:
            for id in ids:
                if (rows := self._rows.get(id)) is not None:
                    self._rows.move_to_end(id)
                    found[id] = rows
            return found, self._writes

    def keep(self, rows: Mapping[str, Vectors], writes: int) -> None:
        """Remember what was read since ``writes``; nothing where something was written since,
        for it may have been read before that."""
        with self._lock:
            if writes != self._writes:
                return
            for id, vectors in rows.items():
                self._remove(id)
                vectors.flags.writeable = False
                self._rows[id] = vectors
                self._bytes += vectors.nbytes + OVERHEAD
            while self._bytes > self._limit:
                self._remove(next(iter(self._rows)))

    def drop(self, ids: Iterable[str]) -> None:
        """Forget what was written; to be called after the write."""
        with self._lock:
            self._writes += 1
            for id in ids:
                self._remove(id)

    def _remove(self, id: str) -> None:
        if (rows := self._rows.pop(id, None)) is not None:
            self._bytes -= rows.nbytes + OVERHEAD
