"""The contrastive loss, with a memory of recent embeddings for more negatives.

Symmetric InfoNCE (Radford et al. 2021) with a learned temperature. Pictures whose captions are
the same words count as matches of each other (supervised contrastive targets, Khosla et al.
2020), for titles repeat. The memory (cross-batch memory, Wang et al. 2020) holds the last
embeddings of both sides without gradients: a batch of 512 is compared with thousands.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


class Memory:
    """The last ``size`` pairs of unit rows and the caption each pair stands for."""

    def __init__(self, size: int, dim: int) -> None:
        self.images = torch.zeros(0, dim)
        self.texts = torch.zeros(0, dim)
        self.captions = torch.zeros(0, dtype=torch.int64)
        self._size = size

    def add(self, images: Tensor, texts: Tensor, captions: Tensor) -> None:
        """Newest first; the oldest fall out."""
        self.images = torch.cat([images.detach(), self.images])[: self._size]
        self.texts = torch.cat([texts.detach(), self.texts])[: self._size]
        self.captions = torch.cat([captions, self.captions])[: self._size]


def contrastive(
    images: Tensor, texts: Tensor, captions: Tensor, scale: Tensor, memory: Memory | None = None
) -> Tensor:
    """Mean loss of both directions; ``images`` and ``texts`` are unit ``[n, d]``, row by row
    pairs, ``captions`` ``[n]`` says which texts are the same words."""
    other_texts, other_images, other_captions = texts, images, captions
    if memory is not None:
        other_texts = torch.cat([texts, memory.texts])
        other_images = torch.cat([images, memory.images])
        other_captions = torch.cat([captions, memory.captions])
    same = (captions[:, None] == other_captions[None, :]).float()
    targets = same / same.sum(dim=1, keepdim=True)
    to_texts = F.cross_entropy(images @ other_texts.T * scale, targets)
    to_images = F.cross_entropy(texts @ other_images.T * scale, targets)
    return (to_texts + to_images) / 2
