"""Catalogue sources: JSON Lines, CSV, Parquet, and a folder of photos.

All of them stream: a catalogue is never in memory as a whole.
"""

from __future__ import annotations

from engine.hookspecs import NoOptions, Register, hookimpl
from engine.protocols import CatalogueSource

from .delimited import CsvSource
from .jsonl import JsonLinesSource
from .parquet import ParquetSource
from .photos import PhotoFolderSource

__all__ = ["CsvSource", "JsonLinesSource", "ParquetSource", "PhotoFolderSource"]


@hookimpl
def register_sources(register: Register[CatalogueSource]) -> None:
    register("jsonl", lambda _: JsonLinesSource(), NoOptions)
    register("csv", lambda _: CsvSource(), NoOptions)
    register("parquet", lambda _: ParquetSource(), NoOptions)
    register("photos", lambda _: PhotoFolderSource(), NoOptions)
