"""Dictionaries of a few words in the formats of dictd and CC-CEDICT."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
GERMAN = {
    "Damen": ("/dˈɑːmən/ <pl>", ["ladies"], []),
    "Leder": ("<neut, n, sg>", ["skin <n>"], []),
    "Leder ": ("<neut, n, sg>", ["leather <n>"], []),
    "Tasche": ("<fem, n, sg>", ["pocket <n>, receptacle <n>"], []),
    "Tasche ": ("<fem, n, sg>", ["carrier bag <n>, bag <n>"], []),
    "Taschen": ("<pl>", [], ["Tasche"]),
    "Hut": ("<masc, n, sg>", ["1. hat", "2. lid (of a pot)"], []),
    "schwarz": ("<adj>", ["black <adj>"], []),
    "blau wie der Himmel": ("<adj>", ["sky-blue"], []),
}
CHINESE = """# CC-CEDICT
女 女 [nu:3] /female/woman/daughter/
黑色 黑色 [hei1 se4] /black/
手提包 手提包 [shou3 ti2 bao1] /(hand)bag/hold-all/CL:個|个[ge4]/
襯衫 衬衫 [chen4 shan1] /shirt/blouse/CL:件[jian4]/
T恤 T恤 [T xu4] /T-shirt/
跑 跑 [pao3] /to run/
"""


def write_dictd(
    folder: Path,
    name: str = "freedict-deu-eng",
    entries: Mapping[str, tuple[str, Sequence[str], Sequence[str]]] = GERMAN,
    chunk: int = 64,
) -> Path:
    """The two files of a dictionary; small chunks, so that entries lie across them."""
    text, index = b"", []
    for word, (grammar, meanings, see) in entries.items():
        lines = [f"{word.strip()} {grammar}", *meanings]
        lines += ['      "ein Satz" - a phrase', "   Synonyms: {Anderes}"]
        lines += [f" see: {', '.join('{' + other + '}' for other in see)}"] if see else []
        entry = ("\n".join(lines) + "\n\n").encode()
        index.append(f"{word.strip()}\t{_number(len(text))}\t{_number(len(entry))}")
        text += entry
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.index"
    path.write_text("\n".join(index) + "\n", encoding="utf-8")
    path.with_suffix(".dict.dz").write_bytes(_dictzip(text, chunk))
    return path


def write_cedict(path: Path) -> Path:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(CHINESE)
    return path


def _number(value: int) -> str:
    digits = DIGITS[value % 64]
    while value := value // 64:
        digits = DIGITS[value % 64] + digits
    return digits


def _dictzip(text: bytes, chunk: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    parts = []
    for start in range(0, len(text), chunk):
        part = packer.compress(text[start : start + chunk]) + packer.flush(zlib.Z_FULL_FLUSH)
        parts.append(part)
    sizes = struct.pack(f"<{len(parts)}H", *map(len, parts))
    field = b"RA" + struct.pack("<HHHH", 6 + len(sizes), 1, chunk, len(parts)) + sizes
    head = b"\x1f\x8b\x08" + bytes([4 | 8]) + b"\0" * 4 + b"\2\3" + struct.pack("<H", len(field))
    return head + field + b"name\0" + b"".join(parts) + packer.flush()
