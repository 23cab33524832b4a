"""A folder of photos: every picture is a product, its subfolders are its category."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from engine.errors import InvalidRequest
from engine.protocols import RawRecord

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})


class PhotoFolderSource:
    """``shoes/red-sneaker.jpg`` is product ``shoes/red-sneaker`` titled "red sneaker" in the
    category "shoes". Files come in the order of their paths, which ``line`` counts from 1;
    hidden files and folders, and symbolic links to folders, are left out."""

    def accepts(self, uri: str) -> bool:
        return Path(uri).is_dir()

    def open(self, uri: str) -> Iterator[RawRecord]:
        root = Path(uri)
        if not root.is_dir():
            raise InvalidRequest(f"no such folder: {uri}", field="source")
        for line, path in enumerate(_photos(root), 1):
            relative = path.relative_to(root)
            words = re.sub(r"[\s_-]+", " ", path.stem).strip()
            yield RawRecord(
                line,
                {
                    "id": relative.with_suffix("").as_posix(),
                    "title": words or path.stem,
                    "category": list(relative.parts[:-1]),
                    "image": relative.as_posix(),
                },
            )


def _photos(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield Path(folder, name)
