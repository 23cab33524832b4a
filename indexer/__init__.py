"""Catalogue to searchable generation: validation, photos, embedding, the report.

>>> from indexer import run_build
>>> report = run_build(settings, "products.jsonl", print)
>>> engine.promote(report.generation)
"""

from .child import run_build
from .fetch import Fetcher
from .mapping import Mapper
from .photos import PhotoLoader
from .progress import OnProgress, Progress
from .report import BuildReport, Counts, Issue, read_report
from .retention import drop_old_generations
from .writer import LineResult, write_lines

__all__ = [
    "BuildReport",
    "Counts",
    "Fetcher",
    "Issue",
    "LineResult",
    "Mapper",
    "OnProgress",
    "PhotoLoader",
    "Progress",
    "drop_old_generations",
    "read_report",
    "run_build",
    "write_lines",
]
