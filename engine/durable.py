"""Files that survive a crash whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path, data: bytes, check: Callable[[], None] = lambda: None) -> None:
    """Replace a file so that a reader, or the next start, sees the old or the new content.

    ``check`` is called as late as can be; what it raises leaves the old content.
    """
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    try:
        check()
    except BaseException:
        temporary.unlink()
        raise
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
