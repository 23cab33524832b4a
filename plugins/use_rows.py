"""What the shipped text encoder makes of the names and uses of :mod:`plugins.uses`: 3,000 texts
that a start would otherwise embed for seconds.

    python -m plugins.use_rows    # after uses.txt or the shipped encoder has changed
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from engine import Encoder, Vectors

from .onnx_encoder import WEIGHTS, OnnxEncoder, OnnxOptions
from .uses import things

FILE = WEIGHTS / "uses" / "rows.npz"
MOST = 127
"""Rows are kept as int8, each with the scale that makes its largest value this."""
BATCH = 32


def texts() -> list[str]:
    """All names and uses, once."""
    each = (text for thing in things().values() for text in (*thing.names, *thing.uses))
    return list(dict.fromkeys(each))


def embed(encoder: Encoder, some: list[str]) -> dict[str, Vectors]:
    """Unit rows ``[d]`` by text."""
    found: dict[str, Vectors] = {}
    for start in range(0, len(some), BATCH):
        batch = some[start : start + BATCH]
        rows = encoder.encode_texts(batch, "document")
        found |= {text: row.copy() for text, row in zip(batch, rows, strict=True)}
    return found


@cache
def shipped_rows(fingerprint: str) -> Mapping[str, Vectors]:
    """The rows by text, within 0.002 of a cosine; none for another encoder than the shipped one."""
    with np.load(FILE) as kept:
        if str(kept["fingerprint"]) != fingerprint:
            return {}
        rows = kept["rows"] * kept["scales"][:, None]
        return dict(zip(kept["texts"].tolist(), rows, strict=True))


def write(path: Path) -> None:
    """Embed all texts with the shipped encoder and keep the rows in ``path``."""
    encoder = OnnxEncoder(OnnxOptions(space="sentence"))
    found = embed(encoder, texts())
    rows = np.stack([*found.values()])
    scales = np.abs(rows).max(axis=1) / MOST
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        path,
        fingerprint=encoder.info.fingerprint,
        texts=np.asarray([*found]),
        rows=np.rint(rows / scales[:, None]).astype(np.int8),
        scales=scales.astype(np.float32),
    )


if __name__ == "__main__":
    write(FILE)
