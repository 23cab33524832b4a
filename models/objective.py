"""The contrastive loss: symmetric InfoNCE (Radford et al. 2021) with every right pair a match.

A caption may be right for several photos of a batch, by its own words or as one of theirs ("red
shoes" is right for red men's shoes that were drawn with "men shoes"). All of them share the
target (supervised contrastive learning, Khosla et al. 2020), for taken as negatives they would
push right answers apart: of 512 photos drawn with attribute captions, 57 % had such a pair.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

Rows = npt.NDArray[np.intp]


def matches(captions: Sequence[Sequence[int]], drawn: Rows) -> Tensor:
    """``[n, n]``, whether the caption ``drawn[j]`` is one of ``captions[i]``, those of photo
    ``i``; a photo's own draw always is."""
    rows = [np.isin(drawn, np.asarray(own)) for own in captions]
    return torch.from_numpy(np.stack(rows))


def contrastive(images: Tensor, texts: Tensor, right: Tensor, scale: Tensor) -> Tensor:
    """Mean loss of both directions.

    ``images`` and ``texts`` are unit ``[n, d]``, ``right[i, j]`` whether text ``j`` is right for
    image ``i``; none may be without. ``scale`` is the inverse temperature.
    """
    target = right.float()
    logits = images @ texts.T * scale
    to_texts = F.cross_entropy(logits, target / target.sum(dim=1, keepdim=True))
    to_images = F.cross_entropy(logits.T, target.T / target.T.sum(dim=1, keepdim=True))
    return (to_texts + to_images) / 2
