"""Folders that appear whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine import InvalidModel


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside ``folder`` that takes its name when the block ends without an error.

    Raises:
        InvalidModel: ``folder`` exists and is not empty; a model is never written over.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidModel(f"{folder} exists: name another folder, or remove it first")
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
