"""Low-rank adaptation (LoRA, Hu et al. 2021) of linear maps and 1×1 convolutions.

A weight ``W [out, in]`` stays as it is and gets a trained term, ``W + B A`` with ``B [out, r]``
and ``A [r, in]``: some per cent of the values, which a small catalogue cannot overfit as fast.
``B`` starts at zero, so that nothing has changed before the first step. At the end the sum
becomes the weight, and the model is of its old form.

On :mod:`torch.nn.utils.parametrize`, which computes the sum once a forward pass; that is cheaper
than two more products per activation wherever a batch has more rows than a weight, as here. The
library peft would add a dependency and wrappers around each module for the same arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

RANK = 8
"""Ranks of 4 to 8 lose nothing against larger ones in the paper's section 7.2."""


class LowRank(nn.Module):
    """Adds ``B A`` to a weight ``[out, in]`` or ``[out, in, 1, 1]``. The paper's scale α/r is 1:
    it only multiplies the learning rate."""

    def __init__(self, weight: Tensor, rank: int = RANK) -> None:
        super().__init__()
        outputs, inputs = weight.shape[:2]
        self.A = nn.Parameter(torch.empty(rank, inputs))
        self.B = nn.Parameter(torch.zeros(outputs, rank))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.B @ self.A).view_as(weight)


def adaptable(module: nn.Module) -> Iterator[nn.Module]:
    """The linear maps and the 1×1 convolutions (of one group) in ``module``."""
    for part in module.modules():
        pointwise = isinstance(part, nn.Conv2d) and part.kernel_size == (1, 1) and part.groups == 1
        if pointwise or isinstance(part, nn.Linear):
            yield part


def adapt(module: nn.Module, rank: int = RANK) -> list[nn.Parameter]:
    """Add a low-rank term to every weight of :func:`adaptable`; the terms' parameters."""
    terms = []
    for part in list(adaptable(module)):
        term = LowRank(part.weight, rank)
        parametrize.register_parametrization(part, "weight", term)
        terms += list(term.parameters())
    return terms


def merge(module: nn.Module) -> None:
    """Make each sum of :func:`adapt` the weight itself."""
    for part in list(adaptable(module)):
        if parametrize.is_parametrized(part, "weight"):
            parametrize.remove_parametrizations(part, "weight", leave_parametrized=True)
