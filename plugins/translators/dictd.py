"""Reads dictionaries in the format of dictd, as FreeDict's packages of Debian bring them.

An ``.index`` names headwords with places in a ``.dict.dz``: gzip in chunks (RFC 1952's extra field
``RA``), so that an entry is read without unpacking the 100 MB of a large dictionary.
"""

from __future__ import annotations

import re
import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

from engine import PluginError

_DIGITS = {
    char: value
    for value, char in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}
_MARKUP = re.compile(r"<[^>]*>|\[[^\]]*\]|\([^)]*\)")
_NUMBER = re.compile(r"^\d+\.\s*")
_SEE = re.compile(r"^\s*see:")
_LINKED = re.compile(r"\{([^}]*)\}")
_PLURAL = re.compile(r"<[^>]*\bpl\b[^>]*>")
_NEXT_MEANING = re.compile(r"[,;]\s*")
_RA = b"RA"


class Dictd:
    """One dictionary; lookups are thread-safe.

    Raises:
        PluginError: the files are missing or no dictionary.
    """

    def __init__(self, index: Path) -> None:
        self._file = index.with_suffix(".dict.dz")
        try:
            self._places, self._chunk = _chunks(self._file)
            lines = index.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError, struct.error) as error:
            raise PluginError(f"{index}: not a dictionary: {error}") from error
        entries = (line.split("\t") for line in lines)
        # One long text and places in it: half a million strings would take 60 MB.
        rows = sorted(
            (row[0].casefold().strip("…"), row[1], row[2]) for row in entries if len(row) == 3
        )
        self._keys = "\n".join(key for key, _, _ in rows)
        self._starts = [0, *accumulate(len(key) + 1 for key, _, _ in rows)]
        self._where = [f"{start} {size}" for _, start, size in rows]
        self._inflated = lru_cache(maxsize=64)(self._inflate)

    def meanings(self, word: str) -> list[str]:
        """Translations of a word or phrase, in the order of the dictionary; of a plural without
        useful ones also those of its singular."""
        found: list[str] = []
        for entry in self._entries(word):
            found += _meanings(entry)
            if _PLURAL.search(entry.partition("\n")[0]):
                singular = next(iter(_see(entry)), "")
                for other in self._entries(singular) if singular else ():
                    found += _meanings(other)
        return list(dict.fromkeys(found))

    def _entries(self, word: str) -> Iterator[str]:
        wanted = word.casefold()
        at = bisect_left(range(len(self._where)), wanted, key=self._key)
        while at < len(self._where) and self._key(at) == wanted:
            start, size = (_number(part) for part in self._where[at].split())
            yield self._read(start, size)
            at += 1

    def _key(self, at: int) -> str:
        return self._keys[self._starts[at] : self._starts[at + 1] - 1]

    def _read(self, start: int, size: int) -> str:
        first, last = start // self._chunk, (start + size) // self._chunk
        text = b"".join(self._inflated(i) for i in range(first, last + 1))
        offset = start - first * self._chunk
        return text[offset : offset + size].decode("utf-8", "replace")

    def _inflate(self, chunk: int) -> bytes:
        if chunk >= len(self._places) - 1:
            return b""
        start, end = self._places[chunk : chunk + 2]
        try:
            with self._file.open("rb") as file:
                file.seek(start)
                return zlib.decompressobj(-zlib.MAX_WBITS).decompress(file.read(end - start))
        except (OSError, zlib.error) as error:
            raise PluginError(f"{self._file}: damaged: {error}") from error


def _chunks(file: Path) -> tuple[list[int], int]:
    """Where each chunk begins in the file, and how much text it holds."""
    with file.open("rb") as data:
        head = data.read(12)
        if head[:3] != b"\x1f\x8b\x08" or not head[3] & 4:
            raise ValueError("not in dictzip's format")
        extra = data.read(struct.unpack("<H", head[10:12])[0])
        if extra[:2] != _RA:
            raise ValueError("not in dictzip's format")
        _, _, size, count = struct.unpack("<HHHH", extra[2:10])
        lengths = struct.unpack(f"<{count}H", extra[10 : 10 + 2 * count])
        for flag in (8, 16):  # the original name and a comment, each ended by a null
            if head[3] & flag:
                while data.read(1) not in (b"\0", b""):
                    pass
        if head[3] & 2:
            data.read(2)
        return list(accumulate(lengths, initial=data.tell())), size


def _number(digits: str) -> int:
    value = 0
    for digit in digits:
        value = value * 64 + _DIGITS[digit]
    return value


def _meanings(entry: str) -> Iterator[str]:
    """An entry is a line with the headword, lines of translations, and indented notes."""
    for line in entry.splitlines()[1:]:
        if not line.strip() or line.startswith("  ") or _SEE.match(line):
            continue
        bare = _NUMBER.sub("", _MARKUP.sub("", line)).replace("‐", "-")
        for meaning in _NEXT_MEANING.split(bare):
            if words := " ".join(meaning.split()):
                yield words


def _see(entry: str) -> Iterator[str]:
    for line in entry.splitlines():
        if _SEE.match(line):
            yield from _LINKED.findall(line)
