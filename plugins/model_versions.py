"""Versions of something trained: a folder each, and which of them is live.

``v3/`` holds the files of a version, ``live`` the name of the live one; it is replaced in one step,
so that a server sees the old or the new.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from engine import write_atomically

LIVE = "live"
_NAME = re.compile(r"v([1-9]\d*)")


class VersionFolder:
    """The versions in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def pointer(self) -> Path:
        """The file that names the live version."""
        return self.folder / LIVE

    def names(self) -> list[str]:
        """Oldest first."""
        if not self.folder.is_dir():
            return []
        found = [p.name for p in self.folder.iterdir() if _NAME.fullmatch(p.name) and p.is_dir()]
        return sorted(found, key=lambda name: int(name[1:]))

    def live(self) -> str:
        """The name of the live version; empty where there is none."""
        try:
            return self.pointer.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def point(self, name: str) -> None:
        """Make a version live in one step; whether it is sound is the caller's to know."""
        write_atomically(self.pointer, f"{name}\n".encode())

    def write(self, files: Mapping[str, bytes]) -> str:
        """Keep a version under the next free name, which is returned; it is not live."""
        last = max((int(name[1:]) for name in self.names()), default=0)
        name = f"v{last + 1}"
        made = self.folder / f".{name}.new"
        shutil.rmtree(made, ignore_errors=True)  # of a training that was killed here
        made.mkdir(parents=True)
        for file, data in files.items():
            write_atomically(made / file, data)
        made.rename(self.folder / name)
        return name

    def prune(self, keep: int) -> None:
        """Delete all versions but the live one and the newest ``keep``."""
        for name in self.names()[:-keep]:
            if name != self.live():
                shutil.rmtree(self.folder / name)

    def stamp(self) -> tuple[int, int] | None:
        """Another value whenever the pointer was replaced."""
        try:
            found = self.pointer.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns
