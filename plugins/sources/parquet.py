"""Parquet by pyarrow, a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from engine.errors import InvalidRequest
from engine.protocols import RawRecord

from .files import has_suffix

_BATCH = 256


class ParquetSource:
    """Reads ``.parquet``; ``line`` counts rows from 1. Empty cells are left out."""

    def accepts(self, uri: str) -> bool:
        return has_suffix(uri, (".parquet", ".pq"), gz=False)

    def open(self, uri: str) -> Iterator[RawRecord]:
        arrow, parquet = _pyarrow()
        line = 0
        try:
            with parquet.ParquetFile(uri) as file:
                for batch in file.iter_batches(batch_size=_BATCH, use_threads=False):
                    for row in batch.to_pylist():
                        line += 1
                        data = {k: v for k, v in row.items() if v is not None and v != ""}
                        yield RawRecord(line, data)
        except (arrow.ArrowException, OSError) as error:
            raise InvalidRequest(
                f"cannot read catalogue {uri} after row {line}: {error}", field="source"
            ) from error


def _pyarrow() -> tuple[ModuleType, ModuleType]:
    import pyarrow
    import pyarrow.parquet

    return pyarrow, pyarrow.parquet
