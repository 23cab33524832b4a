"""One build at a time in a data folder, and the memory of a build that died."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from engine.errors import StoreLocked

LOCK_FILE = "build.lock"


class _Note(Struct):
    """What the file says: who builds (or built last), and what is unfinished."""

    pid: int = 0
    generation: str = ""


class BuildLock:
    """Held while a build runs; the system lets go of it when the process dies in any way.

    ``leftover`` is the generation that a dead builder left half-built, or "".

    Raises:
        StoreLocked: on entering, when another build runs.
    """

    def __init__(self, data_path: Path) -> None:
        self._path = data_path / LOCK_FILE
        self._fd = -1
        self.leftover = ""

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            note = self._read()
            os.close(self._fd)
            raise StoreLocked(
                f"{self._path.parent}: another build is under way (process {note.pid}, "
                f"generation {note.generation or 'not begun'}); wait for it or stop it"
            ) from error
        self.leftover = self._read().generation
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)

    def record(self, generation: str) -> None:
        """Name what is being built; "" when it is finished or dropped."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, msgspec.json.encode(_Note(os.getpid(), generation)), 0)

    def _read(self) -> _Note:
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.decode(os.pread(self._fd, 4096, 0), type=_Note)
        return _Note()
