"""Opening catalogue files, plain or gzipped, with errors that name the file."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from engine.errors import InvalidRequest

MAX_ROW = 16 * 1024 * 1024
"""Bytes of one catalogue row: three times a five-megabyte description. A longer row is
reported and skipped, for it would have to be held in memory."""


def has_suffix(uri: str, suffixes: tuple[str, ...], *, gz: bool = True) -> bool:
    """Whether the file name ends in one of ``suffixes``, optionally followed by ``.gz``."""
    name = uri.lower()
    return (name.removesuffix(".gz") if gz else name).endswith(suffixes)


@contextmanager
def open_file(uri: str) -> Iterator[BinaryIO]:
    """The bytes of a catalogue file, unzipped when its name ends in ``.gz``.

    Raises:
        InvalidRequest: it cannot be opened, or breaks off while it is read.
    """
    try:
        with Path(uri).open("rb") as plain:
            if uri.lower().endswith(".gz"):
                with gzip.open(plain) as unzipped:
                    yield cast(BinaryIO, unzipped)
            else:
                yield plain
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidRequest(f"cannot read catalogue {uri}: {reason}", field="source") from error
