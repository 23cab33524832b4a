"""A shop's own product CLIP: the shipped one, adapted to the shop's photos and words.

``heads`` trains the two projection heads on what the towers give; ``lora`` also adapts the
trained stages of both towers, by low-rank terms (:mod:`models.lora`). The loss is that of the
first training: photos against titles and judged queries, and against the words for their kinds.

Against forgetting, the embeddings are held near the original model's: a term adds the mean of
1 - cosine between the old and the new embedding of each photo and caption in the batch (Li and
Hoiem 2016, "Learning without forgetting", applied to embeddings). The temperature stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from open_clip.model import CustomTextCLIP
from torch import Tensor, nn
from torch.nn import functional as F

from .features import as_maps
from .lora import adapt, merge
from .objective import contrastive, matches
from .shop_figures import (
    Change,
    Values,
    compare,
    moved_floor,
    photo_values,
    query_values,
    title_values,
)
from .shop_material import (
    VIEWS,
    Embedded,
    Material,
    Rows,
    all_pooled,
    all_trunk_features,
    embed_all,
)
from .towers import FROZEN_STAGES, pooled, trunk_features, upper_layers

Method = Literal["lora", "heads"]
WARM_UP = 5
"""Steps after which the speed is known, and over which the learning rate rises."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``minutes`` bounds the training, ``least`` is the number of steps that small shops get at
    least; ``keep`` weighs the term against forgetting, ``kinds`` the captions of kinds."""

    method: Method = "lora"
    minutes: float = 10.0
    seed: int = 0
    epochs: int = 40
    least: int = 100
    batch: int = 128
    head_lr: float = 2e-4
    lora_lr: float = 1e-3
    keep: float = 4.0
    kinds: float = 0.3


@dataclass(frozen=True, slots=True)
class Outcome:
    """``floors`` are the joint space's noise floors, moved along with its cosines."""

    changes: dict[str, Change]
    floors: dict[str, float]
    steps: int


def finetune(
    model: CustomTextCLIP,
    data: Material,
    plan: Plan,
    report: Callable[[str], None],
    floors: dict[str, float] | None = None,
) -> Outcome:
    """Train ``model`` in place; the figures of the held-out products before and after.

    ``floors`` are the noise floors of the joint space before, by query modality.
    """
    before = embed_all(model, data)
    steps = _Run(model, data, before, plan).train(report)
    after = embed_all(model, data)
    changes = compare(_values(data, before), _values(data, after))
    moved = {
        modality: moved_floor(_cosines(data, before, modality), _cosines(data, after, modality), f)
        for modality, f in (floors or {}).items()
    }
    return Outcome(changes, moved, steps)


def _values(data: Material, embedded: Embedded) -> Values:
    photos, texts = embedded.photos.numpy(), embedded.texts.numpy()
    titles = texts[[rows[0] for rows in data.titles]]
    return {
        **query_values(data.shop, data.held, data.pairs, texts[data.asked], photos),
        **title_values(data.shop, data.held, titles, photos),
        **photo_values(data.shop, data.held, photos),
    }


def _cosines(data: Material, embedded: Embedded, modality: str) -> Any:
    """Of held-out titles, or photos, with all photos of other products."""
    photos, owner = embedded.photos.numpy(), data.shop.owner
    if modality == "text":
        asked = np.flatnonzero(data.held.products)
        queries = embedded.texts.numpy()[[data.titles[i][0] for i in asked]]
    else:
        chosen = data.held.products[owner]
        asked, queries = owner[chosen], photos[chosen]
    return (queries @ photos.T)[asked[:, None] != owner[None, :]]


class Trainable(Protocol):
    """The part of the model that a method trains, with its inputs."""

    def groups(self, plan: Plan) -> list[dict[str, Any]]: ...

    def images(self, views: Rows, photos: Rows) -> Tensor: ...

    def texts(self, captions: Rows) -> Tensor: ...

    def finish(self) -> None: ...


class Heads:
    """The projection heads, on features computed once."""

    def __init__(self, model: CustomTextCLIP, data: Material) -> None:
        self._heads = nn.ModuleList([model.visual.head, model.text.proj])
        self._photos = torch.stack([all_trunk_features(model, maps) for maps in data.maps])
        self._texts = all_pooled(model, data.texts)

    def groups(self, plan: Plan) -> list[dict[str, Any]]:
        self._heads.requires_grad_(True)
        return [{"params": list(self._heads.parameters()), "lr": plan.head_lr}]

    def images(self, views: Rows, photos: Rows) -> Tensor:
        return self._heads[0](self._photos[torch.from_numpy(views), torch.from_numpy(photos)])

    def texts(self, captions: Rows) -> Tensor:
        return self._heads[1](self._texts[torch.from_numpy(captions)])

    def finish(self) -> None:
        pass


class Lora:
    """The heads, and low-rank terms in every stage and layer that was trained before."""

    def __init__(self, model: CustomTextCLIP, data: Material) -> None:
        self._model, self._data = model, data
        trunk = model.visual.trunk
        self._towers = nn.ModuleList(
            [*trunk.blocks[FROZEN_STAGES:], trunk.conv_head, *upper_layers(model)]
        )
        self._heads = nn.ModuleList([model.visual.head, model.text.proj])
        self._terms = adapt(self._towers)

    def groups(self, plan: Plan) -> list[dict[str, Any]]:
        self._heads.requires_grad_(True)
        return [
            {"params": list(self._heads.parameters()), "lr": plan.head_lr},
            {"params": self._terms, "lr": plan.lora_lr, "weight_decay": 0.01},
        ]

    def images(self, views: Rows, photos: Rows) -> Tensor:
        maps = np.stack([self._data.maps[v][j] for v, j in zip(views, photos, strict=True)])
        return self._model.visual.head(trunk_features(self._model, as_maps(maps)))

    def texts(self, captions: Rows) -> Tensor:
        return self._model.text.proj(
            pooled(upper_layers(self._model), *self._data.texts.batch(captions))
        )

    def finish(self) -> None:
        merge(self._towers)


class _Run:
    """One training run; everything drawn follows from the plan's seed and the step."""

    def __init__(self, model: CustomTextCLIP, data: Material, before: Embedded, plan: Plan) -> None:
        torch.manual_seed(plan.seed)
        model.eval().requires_grad_(False)
        self.data, self.before, self.plan = data, before, plan
        self.scale = model.logit_scale.detach().exp().clamp(max=100.0)
        self.trained: Trainable = (Heads if plan.method == "heads" else Lora)(model, data)
        groups = self.trained.groups(plan)
        self.parameters = [p for group in groups for p in group["params"]]
        # No decay of the heads: towards zero is away from the model that is to be kept.
        self.optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
        self.rates = [group["lr"] for group in groups]
        self.products = np.flatnonzero(~data.held.products)
        self.photos = [np.flatnonzero(data.shop.owner == i) for i in range(len(data.titles))]
        self.batch = min(plan.batch, len(self.products))

    def train(self, report: Callable[[str], None]) -> int:
        """Steps done; the model then holds the merged weights."""
        wanted = max(self.plan.least, self.plan.epochs * len(self.products) // self.batch)
        started, step, steps = time.monotonic(), 0, wanted
        while step < steps:
            loss = self._update(step, steps)
            step += 1
            if step == WARM_UP:
                spent = time.monotonic() - started
                steps = affordable(wanted, step, spent, 60 * self.plan.minutes)
                if steps < wanted:
                    report(f"{steps} steps fit in {self.plan.minutes:.1f} minutes, not {wanted}")
            if step % 20 == 0 or step == steps:
                report(f"step {step}/{steps}  loss {loss:.3f}")
        self.trained.finish()
        return step

    def _update(self, step: int, steps: int) -> float:
        rate = min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + np.cos(np.pi * step / steps))
        for group, lr in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = lr * rate
        loss = self._loss(np.random.default_rng((self.plan.seed, 3, step)))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return float(loss.detach())

    def _loss(self, rng: np.random.Generator) -> Tensor:
        """One photo of each of ``batch`` products, each with a title or query and a kind."""
        products = rng.choice(self.products, self.batch, replace=False)
        photos = np.asarray([rng.choice(self.photos[i]) for i in products])
        images = self.trained.images(rng.integers(0, VIEWS, self.batch), photos)
        images = F.normalize(images, dim=-1)
        names = np.asarray([self._name(i, rng) for i in products])
        described = np.asarray([k for k, i in enumerate(products) if len(self.data.kinds[i])])
        kinds = [rng.choice(self.data.kinds[products[k]]) for k in described]
        captions, place = np.unique(np.asarray([*names, *kinds]), return_inverse=True)
        texts = F.normalize(self.trained.texts(captions), dim=-1)
        own = [(*self.data.titles[i], *self.data.queries[i][0]) for i in products]
        rows = torch.from_numpy(place[: self.batch])
        loss = contrastive(images, texts[rows], matches(own, names), self.scale)
        if len(described) > 1:
            own = [tuple(self.data.kinds[products[k]]) for k in described]
            chosen, words = images[torch.from_numpy(described)], place[self.batch :]
            right = matches(own, np.asarray(kinds))
            loss = loss + self.plan.kinds * contrastive(
                chosen, texts[torch.from_numpy(words)], right, self.scale
            )
        old_images = self.before.photos[torch.from_numpy(photos)]
        old_texts = self.before.texts[torch.from_numpy(captions)]
        moved = 2 - (images * old_images).sum(-1).mean() - (texts * old_texts).sum(-1).mean()
        return loss + self.plan.keep * moved

    def _name(self, product: int, rng: np.random.Generator) -> int:
        """A title, or half of the time a query that the product answers."""
        queries, chances = self.data.queries[product]
        if len(queries) and rng.random() < 0.5:
            return int(rng.choice(queries, p=chances))
        return int(rng.choice(self.data.titles[product]))


def affordable(wanted: int, done: int, spent: float, seconds: float) -> int:
    """How many of the ``wanted`` steps fit into ``seconds``, when ``done`` took ``spent``; never
    fewer than are done."""
    return max(done, min(wanted, int(seconds * done / max(spent, 1e-9))))
