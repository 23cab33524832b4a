"""The loop that trains teacher and student: changed queries, distributions as targets, a rate
that falls towards the lower layers, and the weights' moving average as the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .query_data import Example, Floats, Rows
from .query_noise import Generator, change
from .query_pieces import Pieces, WordPieces, first_pieces
from .query_tags import best_path, continued, spans_of

POOL = 50
"""Batches that are sorted by length together, so that little is padded."""
Report = Callable[[str], None]


class Tagger(Protocol):
    """What can be trained: a stack of layers under heads."""

    def logits(self, input_ids: Tensor) -> tuple[Tensor, Tensor | None]: ...

    def stack(self) -> list[nn.Module]:
        """Embeddings, then layers, lowest first."""
        ...

    def heads(self) -> list[nn.Module]: ...

    def word_pieces(self) -> WordPieces: ...


@dataclass(frozen=True, slots=True)
class Fit:
    """``decay``: factor on the rate from a layer to the one below; ``noise``: share of queries
    that are changed in an epoch; ``categories``: weight of that loss; ``frozen``: parts of the
    stack, from below, that stay; ``average``: of the weights, per step."""

    epochs: int
    batch: int = 64
    lr: float = 1e-4
    head_lr: float = 1e-3
    decay: float = 0.9
    weight_decay: float = 0.01
    noise: float = 0.3
    categories: float = 0.3
    frozen: int = 0
    average: float = 0.995
    seed: int = 0


def fit(model: Tagger, examples: Sequence[Example], recipe: Fit, report: Report) -> None:
    """Train ``model`` in place; it ends with the averaged weights, in evaluation mode."""
    module: nn.Module = model
    torch.manual_seed(recipe.seed)
    groups = _groups(model, recipe)
    trained = [p for group in groups for p in group["params"]]
    optimizer = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, fused=True)
    steps = recipe.epochs * -(-len(examples) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [g["lr"] for g in groups], total_steps=steps, pct_start=0.1
    )
    mean = [p.detach().clone() for p in trained]
    pieces = model.word_pieces()
    module.train()
    started, step = time.monotonic(), 0
    for epoch in range(recipe.epochs):
        total = torch.zeros(())
        for batch, encoded in _batches(pieces, examples, recipe, epoch):
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model, pieces, batch, encoded, recipe.categories)
            loss.backward()
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            decay = min(recipe.average, step / (step + 10))
            torch._foreach_lerp_(mean, [p.detach() for p in trained], 1 - decay)
            total += loss.detach()
            if step % 50 == 0:
                report(f"step {step}/{steps}  {time.monotonic() - started:.0f} s")
        per_step = float(total) * recipe.epochs / steps
        report(f"epoch {epoch + 1}: loss {per_step:.4f}  {time.monotonic() - started:.0f} s")
    for parameter, average in zip(trained, mean, strict=True):
        parameter.data.copy_(average)
    module.eval()


def loss_of(
    model: Tagger,
    pieces: WordPieces,
    batch: Sequence[Example],
    encoded: Sequence[Pieces],
    weight: float,
) -> Tensor:
    """Cross entropy to the distributions: over words, and ``weight`` times over queries."""
    ids, firsts = pieces.batch(encoded)
    with torch.autocast("cpu", torch.bfloat16):
        tags, categories = model.logits(ids)
    tags = first_pieces(tags.float(), firsts).log_softmax(dim=-1)
    targets = torch.zeros_like(tags)
    for row, example in enumerate(batch):
        if example.tags is not None:
            targets[row, : len(example.tags)] = torch.from_numpy(example.tags)
    targets = targets * (firsts >= 0).unsqueeze(-1)
    loss = -(targets * tags).sum() / targets.sum().clamp(min=1.0)
    known = {i: e.categories for i, e in enumerate(batch) if e.categories is not None}
    if known and categories is not None:
        wanted = torch.from_numpy(np.stack(list(known.values())))
        loss = loss + weight * F.cross_entropy(categories.float()[list(known)], wanted)
    return loss


@torch.inference_mode()
def read(
    model: Tagger, queries: Sequence[Sequence[str]], batch: int = 128
) -> tuple[list[Floats], Floats]:
    """Logits: of tags for each word, ``[words, labels]`` each, and of categories
    ``[n, categories]`` (``[n, 0]`` of a model without). A word without pieces is O."""
    pieces = model.word_pieces()
    encoded = pieces.encode(queries)
    order = np.argsort([len(p.ids) for p in encoded], kind="stable")
    tags: dict[int, Floats] = {}
    categories: dict[int, Floats] = {}
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        ids, firsts = pieces.batch([encoded[i] for i in rows])
        with torch.autocast("cpu", torch.bfloat16, enabled=batch > 1):
            out, kinds = model.logits(ids)
        chosen = first_pieces(out.float(), firsts)
        chosen[firsts < 0] = torch.eye(chosen.shape[-1])[0] * 100.0
        for place, i in enumerate(rows):
            tags[i] = chosen[place, : len(queries[i])].numpy()
            if kinds is not None:
                categories[i] = kinds[place].float().numpy()
    width = np.zeros((len(queries), 0), np.float32)
    kinds_out = np.stack([categories[i] for i in range(len(queries))]) if categories else width
    return [tags[i] for i in range(len(queries))], kinds_out


def changed(example: Example, rng: Generator) -> Example:
    """``example`` with one or two of a shopper's changes; its tags follow the words."""
    spans = [] if example.tags is None else spans_of(best_path(example.tags))
    words, _ = change(example.words, spans, rng, 1 + int(rng.random() < 0.3))
    texts = tuple(word.text for word in words)
    if example.tags is None:
        return replace(example, words=texts)
    rows = [
        continued(example.tags[w.source]) if w.second else example.tags[w.source] for w in words
    ]
    return replace(example, words=texts, tags=np.stack(rows))


def _batches(
    pieces: WordPieces, examples: Sequence[Example], recipe: Fit, epoch: int
) -> Iterator[tuple[list[Example], list[Pieces]]]:
    """An epoch, whose draws follow from the seed and its number alone."""
    rng = np.random.default_rng((recipe.seed, epoch))
    order = rng.permutation(len(examples))
    for start in range(0, len(order), POOL * recipe.batch):
        pool = [examples[i] for i in order[start : start + POOL * recipe.batch]]
        pool = [changed(e, rng) if rng.random() < recipe.noise else e for e in pool]
        encoded = pieces.encode([example.words for example in pool])
        by_length: Rows = np.argsort([len(p.ids) for p in encoded], kind="stable")
        parts = [by_length[i : i + recipe.batch] for i in range(0, len(by_length), recipe.batch)]
        for i in rng.permutation(len(parts)):
            yield [pool[j] for j in parts[i]], [encoded[j] for j in parts[i]]


def _groups(model: Tagger, recipe: Fit) -> list[dict[str, Any]]:
    """Optimizer groups: heads, then layers from the top down at a falling rate."""
    stack = model.stack()
    for module in (*stack, *model.heads()):
        module.requires_grad_(True)
    for module in stack[: recipe.frozen]:
        module.requires_grad_(False)
    head = [p for module in model.heads() for p in module.parameters()]
    groups: list[dict[str, Any]] = [{"params": head, "lr": recipe.head_lr}]
    for depth, module in enumerate(reversed(stack[recipe.frozen :])):
        lr = recipe.lr * recipe.decay**depth
        groups.append({"params": [p for p in module.parameters() if p.requires_grad], "lr": lr})
    return [group for group in groups if group["params"]]
