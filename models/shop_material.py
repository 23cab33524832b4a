"""A shop's photos and captions after the frozen towers, and their embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from open_clip.model import CustomTextCLIP
from torch import Tensor
from torch.nn import functional as F

from .features import Halves, TokenStates, as_maps, embed_captions, embed_photos
from .shop import Pairs, Shop, kinds_of, titles_of
from .shop_figures import HeldOut, hold_out
from .towers import IMAGE_SIZE, pooled, trunk_features, upper_layers

Rows = npt.NDArray[np.intp]
VIEWS = 3
"""Cached looks at a photo: whole, and two random crops."""
CHUNK = 64


@dataclass(frozen=True, slots=True)
class Material:
    """Captions are rows of ``texts``: ``titles[i]`` and ``kinds[i]`` are product ``i``'s,
    ``queries[i]`` its trained queries with the chance of each, ``asked`` the held-out queries.
    ``maps`` has one ``[photos, h, w, c]`` for each of :data:`VIEWS`."""

    shop: Shop
    pairs: Pairs
    held: HeldOut
    maps: list[Halves]
    texts: TokenStates
    titles: list[Rows]
    kinds: list[Rows]
    queries: list[tuple[Rows, npt.NDArray[np.float64]]]
    asked: Rows


@dataclass(frozen=True, slots=True)
class Embedded:
    """Unit joint rows of all photos (whole) and of all captions."""

    photos: Tensor
    texts: Tensor


def prepare(model: CustomTextCLIP, shop: Shop, pairs: Pairs, seed: int, work: Path) -> Material:
    """Everything that training does not change, computed once; the maps lie in ``work``."""
    held = hold_out(shop, pairs, seed)
    titles, kinds = [titles_of(p) for p in shop.products], kinds_of(shop.products)
    place = {product.id: i for i, product in enumerate(shop.products)}
    answers: list[dict[str, float]] = [{} for _ in shop.products]
    for query in sorted(pairs.queries.keys() - set(held.queries)):
        for id, worth in pairs.queries[query].items():
            if id in place:
                answers[place[id]][query] = worth
    words = sorted({*held.queries, *(w for row in (*titles, *kinds, *answers) for w in row)})
    index = {word: i for i, word in enumerate(words)}
    maps = [embed_photos(model, shop.photos, IMAGE_SIZE, view, work) for view in range(VIEWS)]
    return Material(
        shop,
        pairs,
        held,
        maps,
        embed_captions(model, words),
        [_rows(row, index) for row in titles],
        [_rows(row, index) for row in kinds],
        [(_rows(row, index), _chances(row)) for row in answers],
        _rows(held.queries, index),
    )


def _rows(words: list[str] | dict[str, float], index: dict[str, int]) -> Rows:
    return np.asarray([index[word] for word in words], dtype=np.intp)


def _chances(answers: dict[str, float]) -> npt.NDArray[np.float64]:
    worths = np.asarray(list(answers.values()), dtype=np.float64)
    return worths / worths.sum() if len(worths) else worths


@torch.no_grad()
def all_trunk_features(model: CustomTextCLIP, maps: Halves) -> Tensor:
    """Of every photo, ``[photos, features]``, float32."""
    return torch.cat([trunk_features(model, x) for x in _chunks(maps)])


@torch.no_grad()
def all_pooled(model: CustomTextCLIP, texts: TokenStates) -> Tensor:
    """Every caption before its head, ``[captions, 384]``, float32."""
    count = len(texts.starts) - 1
    parts = np.array_split(np.arange(count), -(-count // CHUNK))
    return torch.cat([pooled(upper_layers(model), *texts.batch(rows)) for rows in parts])


@torch.no_grad()
def embed_all(model: CustomTextCLIP, data: Material) -> Embedded:
    """The joint embeddings, as they will be served."""
    photos = model.visual.head(all_trunk_features(model, data.maps[0]))
    texts = model.text.proj(all_pooled(model, data.texts))
    return Embedded(F.normalize(photos, dim=-1), F.normalize(texts, dim=-1))


def _chunks(maps: Halves) -> Iterator[Tensor]:
    for start in range(0, len(maps), CHUNK):
        yield as_maps(maps[start : start + CHUNK])
