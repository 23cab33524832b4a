"""Trains the two projection heads on cached tower features, contrastively.

Loss: symmetric InfoNCE (Radford et al. 2021) with a learned temperature, over a batch of
product photos with one caption each; pictures whose captions are the same words count as
matches of each other (supervised contrastive targets, Khosla et al. 2020), for product
titles repeat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from open_clip.model import CustomTextCLIP
from torch import Tensor, nn
from torch.nn import functional as F

from .features import Floats


@dataclass(frozen=True, slots=True)
class Recipe:
    """Hyperparameters; chosen on the development split, see the model card's ablation."""

    epochs: int = 40
    batch: int = 2048
    lr: float = 1e-3
    weight_decay: float = 0.05
    dropout: float = 0.2
    temperature: float = 0.05
    seed: int = 0


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """``images``: views of ``[n, 1280]``; ``texts`` ``[m, 384]``; ``captions[i]`` are the rows
    of ``texts`` that describe photo ``i``."""

    images: list[Floats]
    texts: Floats
    captions: list[list[int]]

    def take(self, rows: npt.NDArray[np.intp]) -> TrainingSet:
        """The photos at ``rows``."""
        images = [view[rows] for view in self.images]
        return replace(self, images=images, captions=[self.captions[i] for i in rows])


class Heads(nn.Module):
    """The heads, with inputs standardized while training; :meth:`fold` puts that in the
    heads' own first layers."""

    def __init__(self, model: CustomTextCLIP, data: TrainingSet, recipe: Recipe) -> None:
        super().__init__()
        self.image, self.text = model.visual.head, model.text.proj
        self.drop = nn.Dropout(recipe.dropout)
        views = np.concatenate(data.images)
        self.register_buffer("image_mean", torch.from_numpy(views.mean(axis=0)))
        self.register_buffer("image_std", torch.from_numpy(views.std(axis=0) + 1e-3))
        self.register_buffer("text_std", torch.from_numpy(data.texts.std(axis=0) + 1e-3))
        self.log_scale = nn.Parameter(torch.tensor(float(np.log(1 / recipe.temperature))))

    def images(self, features: Tensor) -> Tensor:
        standard = (features - self.image_mean) / self.image_std
        return F.normalize(self.image(self.drop(standard)), dim=-1)

    def texts(self, features: Tensor) -> Tensor:
        return F.normalize(self.text(self.drop(features / self.text_std)), dim=-1)

    def fold(self) -> None:
        """Make the plain heads give what the standardized ones gave."""
        first = next(m for m in self.image.modules() if isinstance(m, nn.Linear))
        with torch.no_grad():
            first.weight.div_(self.image_std)
            first.bias.sub_(first.weight @ self.image_mean)
            next(m for m in self.text.modules() if isinstance(m, nn.Linear)).weight.div_(
                self.text_std
            )


def train_heads(model: CustomTextCLIP, data: TrainingSet, recipe: Recipe) -> float:
    """Train ``model``'s heads in place; the last epoch's mean loss."""
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    heads = Heads(model, data, recipe).train()
    parameters = [p for p in heads.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay)
    steps = recipe.epochs * max(1, len(data.captions) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, total_steps=steps)
    loss = torch.zeros(())
    for _ in range(recipe.epochs):
        order = rng.permutation(len(data.captions))
        for start in range(0, len(order) - recipe.batch + 1, recipe.batch):
            loss = _loss(heads, data, order[start : start + recipe.batch], rng)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    heads.eval().fold()
    model.logit_scale.data.copy_(heads.log_scale.detach())
    return float(loss.detach())


def _loss(
    heads: Heads, data: TrainingSet, rows: npt.NDArray[np.intp], rng: np.random.Generator
) -> Tensor:
    views = rng.integers(0, len(data.images), len(rows))
    images = np.stack([data.images[v][i] for v, i in zip(views, rows, strict=True)])
    chosen = np.asarray([rng.choice(data.captions[i]) for i in rows])
    x = heads.images(torch.from_numpy(images))
    y = heads.texts(torch.from_numpy(data.texts[chosen]))
    logits = x @ y.T * heads.log_scale.exp().clamp(max=100.0)
    same = torch.from_numpy((chosen[:, None] == chosen[None, :]).astype(np.float32))
    targets = same / same.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2
