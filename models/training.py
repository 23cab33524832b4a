"""The recipe of the product CLIP: frozen early towers, computed once; the rest trained
contrastively on a CPU, with checkpoints; the weights' moving average is the model."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from open_clip.model import CustomTextCLIP
from torch import Tensor, nn
from torch.nn import functional as F

from .data import Photo, training_photos
from .evaluation import first_ranks
from .features import Halves, TokenStates, as_maps, embed_captions, embed_photos
from .objective import contrastive, matches
from .onnx_export import round_to_served
from .towers import (
    FROZEN_STAGES,
    TRUNK,
    build_clip,
    image_features,
    pooled,
    upper_layers,
)

Rows = npt.NDArray[np.intp]
DEV_SHARE = 0.05
CHECKPOINT_SECONDS = 300.0
CHUNK = 64
"""Photos per pass through the image tower, captions of like length per pass through the text
tower: what a core's cache holds is twice as fast as a whole batch."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Hyperparameters; chosen on the development split, see the model card's ablation.

    ``kinds`` weighs the loss on attribute captions against that on titles; ``views`` counts the
    cached views of a photo, each of which is mirrored half of the time.
    """

    trunk: str = TRUNK
    size: int = 128
    epochs: int = 18
    batch: int = 512
    views: int = 5
    kinds: float = 0.5
    tower_lr: float = 4e-4
    text_lr: float = 1.5e-4
    head_lr: float = 1e-3
    weight_decay: float = 0.05
    drop_path: float = 0.1
    temperature: float = 0.05
    average: float = 0.99
    seed: int = 0


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """``maps``: views of ``[n, h, w, c]``; ``titles[i]`` and ``kinds[i]`` are the captions, rows
    of ``texts``, that name photo ``i`` and describe its kind."""

    photos: list[Photo]
    maps: list[Halves]
    texts: TokenStates
    titles: list[list[int]]
    kinds: list[list[int]]


def load_training_set(model: CustomTextCLIP, data: Path, work: Path, recipe: Recipe) -> TrainingSet:
    """All training photos and the frozen towers' outputs, computed or from ``work``."""
    photos = training_photos(data)
    paths = [photo.path for photo in photos]
    maps = [embed_photos(model, paths, recipe.size, view, work) for view in range(recipe.views)]
    texts = sorted({text for photo in photos for text in (*photo.titles, *photo.kinds)})
    index = {text: i for i, text in enumerate(texts)}
    titles = [[index[text] for text in photo.titles] for photo in photos]
    kinds = [[index[text] for text in photo.kinds] for photo in photos]
    return TrainingSet(photos, maps, embed_captions(model, texts), titles, kinds)


class Trainer:
    """One run over ``rows`` of the data; resumes from ``checkpoint`` where that exists."""

    def __init__(
        self, model: CustomTextCLIP, data: TrainingSet, rows: Rows, recipe: Recipe
    ) -> None:
        self.model, self.data, self.rows, self.recipe = model, data, rows, recipe
        self.log_scale = nn.Parameter(torch.tensor(float(np.log(1 / recipe.temperature))))
        self.steps = recipe.epochs * (len(rows) // recipe.batch)
        self.step = 0
        groups = _groups(model, recipe, self.log_scale)
        self.optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            [group["lr"] for group in groups],
            total_steps=self.steps,
            pct_start=0.1,
        )
        self.trained = [p for group in groups for p in group["params"]]
        self.mean = [p.detach().clone() for p in self.trained]

    def run(self, checkpoint: Path, report: Callable[[str], None]) -> None:
        """Train to the end; the model then holds the averaged weights."""
        if checkpoint.exists():
            self._restore(checkpoint)
        _train_mode(self.model)
        saved = started = time.monotonic()
        first = self.step
        for batch in self._batches():
            loss = self._update(batch)
            if self.step % 20 == 0:
                rate = (self.step - first) * self.recipe.batch / (time.monotonic() - started)
                report(f"step {self.step}/{self.steps}  loss {loss:.3f}  {rate:.0f} photos/s")
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                saved = time.monotonic()
                self._save(checkpoint)
        self._save(checkpoint)
        for parameter, mean in zip(self.trained, self.mean, strict=True):
            parameter.data.copy_(mean)
        self.model.logit_scale.data.copy_(self.log_scale.detach())
        self.model.eval()

    def _batches(self) -> Iterator[Rows]:
        """The rest of the run; an epoch's order follows from the seed and its number alone."""
        per_epoch = len(self.rows) // self.recipe.batch
        while self.step < self.steps:
            epoch, place = divmod(self.step, per_epoch)
            order = np.random.default_rng((self.recipe.seed, epoch)).permutation(self.rows)
            yield order[place * self.recipe.batch : (place + 1) * self.recipe.batch]

    def _update(self, batch: Rows) -> float:
        """One step; the image tower runs in chunks, for a chunk stays in the cache."""
        rng = np.random.default_rng((self.recipe.seed, 1, self.step))
        torch.manual_seed(hash((self.recipe.seed, self.step)))
        self.optimizer.zero_grad(set_to_none=True)
        chunks = self._maps(batch, rng).split(CHUNK)
        images = torch.cat([image_features(self.model, chunk) for chunk in chunks])
        loss = self._loss(F.normalize(images, dim=-1), batch, rng)
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        decay = min(self.recipe.average, self.step / (self.step + 10))
        torch._foreach_lerp_(self.mean, [p.detach() for p in self.trained], 1 - decay)
        return float(loss.detach())

    def _loss(self, images: Tensor, batch: Rows, rng: np.random.Generator) -> Tensor:
        scale = self.log_scale.exp().clamp(max=100.0)
        loss = torch.zeros(())
        for captions, weight in ((self.data.titles, 1.0), (self.data.kinds, self.recipe.kinds)):
            if weight:
                own = [captions[i] for i in batch]
                drawn = np.asarray([rng.choice(row) for row in own])
                texts = embed(self.model, self.data.texts, drawn)
                loss = loss + weight * contrastive(images, texts, matches(own, drawn), scale)
        return loss

    def _maps(self, batch: Rows, rng: np.random.Generator) -> Tensor:
        """A random view of each photo, mirrored half of the time: ``[n, c, h, w]``."""
        views = rng.integers(0, len(self.data.maps), len(batch))
        maps = np.stack([self.data.maps[v][i] for v, i in zip(views, batch, strict=True)])
        mirrored = rng.random(len(batch)) < 0.5
        maps[mirrored] = maps[mirrored, :, ::-1]
        return as_maps(maps)

    def _save(self, path: Path) -> None:
        state = {
            "step": self.step,
            "trained": self.trained,
            "mean": self.mean,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.rename(path)

    def _restore(self, path: Path) -> None:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        self.step = state["step"]
        for mine, stored in zip(self.trained, state["trained"], strict=True):
            mine.data.copy_(stored)
        self.mean = state["mean"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])


def embed(model: CustomTextCLIP, texts: TokenStates, captions: Rows) -> Tensor:
    """Unit joint rows ``[n, 256]`` of captions; each distinct one is run once."""
    distinct, place = np.unique(captions, return_inverse=True)
    order = np.argsort(texts.starts[distinct + 1] - texts.starts[distinct], kind="stable")
    parts = []
    for chunk in np.array_split(distinct[order], -(-len(distinct) // CHUNK)):
        states, mask = texts.batch(chunk)
        with torch.autocast("cpu", torch.bfloat16):
            parts.append(pooled(upper_layers(model), states, mask).float())
    rows = F.normalize(model.text.proj(torch.cat(parts)), dim=-1)
    return rows[torch.from_numpy(np.argsort(order)[place])]


def split(photos: Sequence[Photo], seed: int = 0) -> tuple[Rows, Rows]:
    """Training and development rows; a product's pictures, and fashion products of one title,
    fall on the same side."""
    groups = [
        photo.titles[0].lower() if photo.product.startswith("fashion-") else photo.product
        for photo in photos
    ]
    names = sorted(set(groups))
    rng = np.random.default_rng(seed)
    held_out = set(rng.choice(names, int(len(names) * DEV_SHARE), replace=False))
    dev = np.asarray([i for i, group in enumerate(groups) if group in held_out])
    train = np.asarray([i for i, group in enumerate(groups) if group not in held_out])
    return train, dev


@torch.inference_mode()
def dev_figures(
    model: CustomTextCLIP, data: TrainingSet, train: Rows, dev: Rows
) -> dict[str, float]:
    """R@1, R@10 and MRR of development titles to photos, among those and all training photos of
    the same shop, as the validation figures are: what choices are made by. Each title counts
    once, for some name dozens of products."""
    fashion = [i for i in dev if data.photos[i].product.startswith("fashion-")]
    others = [i for i in train if data.photos[i].product.startswith("fashion-")]
    gallery = np.asarray([*fashion, *others])
    parts = [
        image_features(model, as_maps(data.maps[0][rows]))
        for rows in np.array_split(gallery, max(1, len(gallery) // 128))
    ]
    x = F.normalize(torch.cat(parts), dim=-1).numpy()
    named = np.asarray([data.titles[i][0] for i in gallery])
    wanted = np.unique(named[: len(fashion)])
    asked = [embed(model, data.texts, rows) for rows in np.array_split(wanted, 8) if len(rows)]
    scores = torch.cat(asked).numpy() @ x.T
    ranks = first_ranks(scores, named == wanted[:, None])
    return {
        "R@1": float((ranks == 1).mean()),
        "R@10": float((ranks <= 10).mean()),
        "MRR": float((1 / ranks).mean()),
    }


def train(
    data: Path, work: Path, recipe: Recipe, report: Callable[[str], None], dev: bool = False
) -> tuple[CustomTextCLIP, dict[str, float]]:
    """The trained model. With ``dev``, without the development products, and its figures on
    them; else on everything, and no figures."""
    model = build_clip(recipe.trunk, recipe.drop_path)
    model.visual.to(memory_format=torch.channels_last)
    everything = load_training_set(model, data, work, recipe)
    kept, held_out = split(everything.photos)
    rows = kept if dev else np.arange(len(everything.photos))
    run = hashlib.sha256(f"{recipe} {dev} {everything.photos}".encode()).hexdigest()[:12]
    Trainer(model, everything, rows, recipe).run(work / f"run-{run}.pt", report)
    figures = dev_figures(model, everything, kept, held_out) if dev else {}
    round_to_served(model)
    return model, figures


def _groups(model: CustomTextCLIP, recipe: Recipe, log_scale: Tensor) -> list[dict[str, Any]]:
    """Optimizer groups; the frozen parts get no gradients."""
    model.requires_grad_(False)
    trunk = model.visual.trunk
    tower = nn.ModuleList([*trunk.blocks[FROZEN_STAGES:], trunk.conv_head, trunk.bn2])
    heads = nn.ModuleList([model.visual.head, model.text.proj])
    groups = []
    for module, lr in (
        (tower, recipe.tower_lr),
        (upper_layers(model), recipe.text_lr),
        (heads, recipe.head_lr),
    ):
        module.requires_grad_(True)
        groups.append({"params": list(module.parameters()), "lr": lr})
    groups.append({"params": [log_scale], "lr": recipe.head_lr, "weight_decay": 0.0})
    return groups


def _train_mode(model: CustomTextCLIP) -> None:
    """Batch norms keep ImageNet's statistics: what is served does not depend on a batch."""
    model.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
