"""JSON Lines: one object per line, UTF-8."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from engine.protocols import RawRecord

from .files import MAX_ROW, has_suffix, open_file

_BOM = b"\xef\xbb\xbf"


class JsonLinesSource:
    """Reads ``.jsonl`` and ``.ndjson``, also gzipped; blank lines are skipped."""

    def accepts(self, uri: str) -> bool:
        return has_suffix(uri, (".jsonl", ".ndjson"))

    def open(self, uri: str) -> Iterator[RawRecord]:
        with open_file(uri) as file:
            for number, line in enumerate(_lines(file), 1):
                if line is None:
                    yield RawRecord(number, {}, f"a line of more than {MAX_ROW:,} bytes")
                elif line.strip():
                    yield parse_line(number, line.removeprefix(_BOM) if number == 1 else line)


def parse_line(number: int, line: bytes) -> RawRecord:
    """One line as a record; ``error`` says what is wrong with it."""
    try:
        data = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return RawRecord(number, {}, f"not valid JSON: {error}")
    if not isinstance(data, dict):
        return RawRecord(number, {}, "not a JSON object")
    return RawRecord(number, data)


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Lines in order; ``None`` for one that is too long to hold."""
    while line := file.readline(MAX_ROW):
        if len(line) < MAX_ROW or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(MAX_ROW)
        yield None
