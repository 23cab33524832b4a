"""CSV and its relatives: the delimiter is found in the header line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from engine.errors import InvalidRequest
from engine.protocols import RawRecord

from .files import MAX_ROW, has_suffix, open_file

_DELIMITERS = ",;\t|"


class CsvSource:
    """Reads ``.csv`` and ``.tsv``, also gzipped: UTF-8, a header line, quoted newlines.

    Empty cells are left out of a record; columns of the same name become one list.
    """

    def accepts(self, uri: str) -> bool:
        return has_suffix(uri, (".csv", ".tsv"))

    def open(self, uri: str) -> Iterator[RawRecord]:
        with open_file(uri) as file:
            yield from _records(file, uri)


def delimiter_of(header: str) -> str:
    """The most frequent of ``, ; tab |`` outside quotes; a comma if there is none."""
    bare = "".join(header.split('"')[::2])
    return max(_DELIMITERS, key=bare.count)


def _records(file: BinaryIO, uri: str) -> Iterator[RawRecord]:
    # The csv module has one limit per process, 128 KiB by default.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW))
    # Bytes that are not UTF-8 survive as lone surrogates, so that one row is refused, not all.
    with io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="") as text:
        first = text.readline(MAX_ROW)
        lines = _bounded(first, text, uri)
        rows = csv.reader(lines, delimiter=delimiter_of(first), strict=True)
        try:
            header = [name.strip() for name in next(rows, [])]
        except csv.Error:
            header = []
        if not any(header):
            raise InvalidRequest(f"cannot read catalogue {uri}: no header line", field="source")
        while True:
            start = rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield RawRecord(start, {}, _reason(error, start, rows.line_num))
                continue
            if row:
                yield _record(start, header, row)


def _bounded(first: str, rest: io.TextIOWrapper, uri: str) -> Iterator[str]:
    number, line = 1, first
    while line:
        if len(line) >= MAX_ROW and not line.endswith(("\n", "\r")):
            raise InvalidRequest(
                f"cannot read catalogue {uri}: line {number} has more than {MAX_ROW:,} characters",
                field="source",
            )
        yield line
        line = rest.readline(MAX_ROW)
        number += 1


def _reason(error: csv.Error, start: int, end: int) -> str:
    if "end of data" in str(error):
        return f"a quote that is opened here is never closed: lines {start} to {end} are not read"
    return f"not valid CSV: {error}"


def _record(line: int, header: list[str], row: list[str]) -> RawRecord:
    if len(row) > len(header) and any(cell.strip() for cell in row[len(header) :]):
        return RawRecord(line, {}, f"{len(row)} cells, but the header has {len(header)} columns")
    data: dict[str, Any] = {}
    for name, cell in zip(header, row, strict=False):
        if not (value := cell.strip()):
            continue
        if not value.isascii() and any("\udc80" <= c <= "\udcff" for c in value):
            return RawRecord(line, {}, f"column {name!r} is not UTF-8; save the file as UTF-8")
        if name in data:
            held = data[name]
            data[name] = [*held, value] if isinstance(held, list) else [held, value]
        elif name:
            data[name] = value
    return RawRecord(line, data)
