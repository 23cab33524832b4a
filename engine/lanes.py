"""Stage 2: encode the query and decide which lanes to search, and with what weight.

Words search three lanes: ``text`` (text-dense: product texts), ``image`` (image-dense: what
the photos show) and ``bm25``; what may be an identifier also ``codes``. A photo searches
``photo`` (the products' photos), and ``like`` the lanes ``like_text`` and ``like_image`` with the
named products' own vectors. A translated query adds ``text:<locale>``, ``image:<locale>`` and
``bm25:<locale>``, and synonyms of its words ``bm25:synonyms``. Words in another language than the
catalogue's go through the bridge of each encoder, where one is configured.

Words and pictures keep lanes of their own rather than one averaged vector: cosines between
two photos run far higher than between words and a photo, so an average would let the photo
drown the words, while rank fusion weighs both as asked and shows each one's part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import msgspec
import numpy as np
from msgspec import Struct

from .codes import query_codes
from .composing import asked_colors, recolored
from .encoders import bridge_of
from .errors import NotFound
from .fusion import Fusion, scales_of
from .live import Live
from .plan import QueryPlan
from .protocols import Encoder, LaneQuery, Scored, Vectors, VectorStore
from .settings import SearchSettings
from .types import Query
from .vectors import unit

LANE_WEIGHTS: Mapping[str, float] = {
    "text": 0.5,
    "image": 1.0,
    "bm25": 1.0,
    "codes": 1.5,
    "photo": 1.0,
    "like_text": 1.0,
    "like_image": 1.0,
}
"""Defaults of all lanes, against the others of words or of pictures; a translated lane weighs
what its kind does. Those of words were chosen on development queries (decision 0014). ``codes``
has no share: it is added to the others, and what it finds comes first."""
SYNONYMS = "bm25:synonyms"
"""The keyword lane of :attr:`QueryPlan.expansion`; unless it has a weight of its own, it weighs
:data:`SYNONYM_SHARE` of ``bm25``, so that a bad synonym cannot drown the words themselves. Names
of what serves a need (:attr:`QueryPlan.described`) weigh as much as the words, which name something
else: "my trousers keep slipping down" found 200 trousers before a belt."""
SYNONYM_SHARE = 0.5
NEED_WEIGHTS: Mapping[str, float] = {**LANE_WEIGHTS, "text": 1.0, "image": 0.5, "bm25": 0.25}
"""The same for words that describe a need (:attr:`QueryPlan.need`), which no product has in its
title: of 22 such development queries 18 find what is needed, 12 by :data:`LANE_WEIGHTS`."""
IDENTIFIED = 20
"""A code that more products than this have, with their variants, identifies none of them."""

NO_CUTOFFS: Mapping[str, float] = MappingProxyType({})

Weight = Callable[[str], float]
"""What a lane weighs against the others of its group, by its name."""


class Lanes(Struct, frozen=True):
    """The store's questions and each lane's fusion weight."""

    queries: tuple[LaneQuery, ...]
    weights: dict[str, float]

    def found(self, hits: Sequence[list[Scored]]) -> dict[str, list[Scored]]:
        """The store's answers by lane."""
        named = {lane.name: rows for lane, rows in zip(self.queries, hits, strict=True)}
        if "codes" in named:
            named["codes"] = _identified(named["codes"])
        return named

    def fusion(self, found: Mapping[str, Sequence[Scored]], settings: SearchSettings) -> Fusion:
        """How what was found is fused. A keyword lane ends where no word is met, at 0."""
        floors = {
            lane.name: lane.min_score if lane.vector is not None else lane.min_score or 0.0
            for lane in self.queries
        }
        scales = scales_of(found, floors, settings.depth)
        return Fusion(self.weights, settings.fusion, settings.rrf_k, scales)


def plan_lanes(
    query: Query,
    plan: QueryPlan,
    live: Live,
    base: Mapping[str, float],
    cutoffs: Mapping[str, float] = NO_CUTOFFS,
) -> Lanes:
    """Encode only what the lanes with a weight above 0 need.

    ``base`` overrules :data:`LANE_WEIGHTS`, ``cutoffs`` the encoders' noise floors, by lane. The
    words' lanes share a weight of 1, and so do the pictures'; where both are present it is
    ``1 - image_weight`` and ``image_weight``, so that three lanes of words do not outvote one
    photo.

    Raises:
        NotFound: a ``like`` id is not in the index.
    """
    has_words = bool(plan.text)
    has_picture = query.image is not None or bool(query.like)
    mixed = has_words and has_picture
    defaults = NEED_WEIGHTS if plan.need else LANE_WEIGHTS

    def weight(lane: str) -> float:
        kind = lane.partition(":")[0]
        share = SYNONYM_SHARE if lane == SYNONYMS and not plan.described else 1.0
        return base.get(lane, share * base.get(kind, defaults[kind]))

    colors = _colors(query, plan, live) if mixed and weight("photo") > 0 else ()
    words = pictures = 1.0
    if mixed:
        # What recolours the photo is in its lane; below an even weight it is sought as well, so
        # that at 0 the words are all there is.
        words = max(0.0, 1.0 - (2.0 if colors else 1.0) * query.image_weight)
        pictures = 1.0 - words
    _require_products(query.like, live.store)
    queries: list[LaneQuery] = []
    weights: dict[str, float] = {}
    if has_words and words > 0:
        queries += _word_lanes(plan, live, weight)
        weights |= _shares(queries, weight, words)
        if weight("codes") > 0 and (codes := query_codes(plan.original)):
            queries.append(LaneQuery("codes", "codes", text=" ".join(codes)))
            weights["codes"] = words * weight("codes")
    if has_picture and pictures > 0:
        lanes = list(_picture_lanes(query, live, weight, colors))
        weights |= _shares(lanes, weight, pictures)
        queries += lanes
    if cutoffs:
        queries = [
            msgspec.structs.replace(q, min_score=cutoffs.get(q.name, q.min_score)) for q in queries
        ]
    return Lanes(tuple(queries), weights)


def _identified(hits: list[Scored]) -> list[Scored]:
    """The best of them, at most :data:`IDENTIFIED` and never some of several equal ones."""
    end = len(hits)
    while end > IDENTIFIED:
        end = next(i for i, hit in enumerate(hits) if hit.score == hits[end - 1].score)
    return hits[:end]


def _shares(lanes: Sequence[LaneQuery], weight: Weight, whole: float) -> dict[str, float]:
    total = sum(weight(lane.name) for lane in lanes)
    return {lane.name: whole * weight(lane.name) / total for lane in lanes}


def _word_lanes(plan: QueryPlan, live: Live, weight: Weight) -> Iterator[LaneQuery]:
    text, image = live.text_encoder, live.image_encoder
    foreign = _is_foreign(plan, live)
    texts = {"": plan.text, **{f":{locale}": t for locale, t in plan.translations.items()}}
    yield from _dense(text, "text", texts, weight, foreign=foreign)
    for suffix, words in texts.items():
        if weight(f"bm25{suffix}") > 0:
            locale = suffix[1:] or plan.locale or ""
            yield LaneQuery(f"bm25{suffix}", "bm25", text=words, locale=locale)
    if plan.expansion and weight(SYNONYMS) > 0:
        yield LaneQuery(SYNONYMS, "bm25", text=plan.expansion, locale=plan.locale or "")
    if "image" in image.info.modalities:
        yield from _dense(image, "image", texts, weight, foreign=foreign)


def _dense(
    encoder: Encoder,
    lane: Literal["text", "image"],
    texts: Mapping[str, str],
    weight: Weight,
    *,
    foreign: bool,
) -> Iterator[LaneQuery]:
    """A lane for each of ``texts``; the first is the shopper's own words, in a language that the
    encoder does not read where ``foreign``."""
    bridge = bridge_of(encoder) if foreign else None
    if bridge is not None and weight(lane) > 0:
        (row,) = bridge.encode_texts([texts[""]], "query")
        yield LaneQuery(lane, lane, row, min_score=_floor(bridge, "text"))
    rest = {
        suffix: words
        for suffix, words in texts.items()
        if weight(f"{lane}{suffix}") > 0 and (suffix or bridge is None)
    }
    if rest:
        rows = encoder.encode_texts(list(rest.values()), "query")
        for suffix, row in zip(rest, rows, strict=True):
            yield LaneQuery(f"{lane}{suffix}", lane, row, min_score=_floor(encoder, "text"))


def _is_foreign(plan: QueryPlan, live: Live) -> bool:
    """Whether the words are known to be in another language than the catalogue."""
    if plan.locale is None:
        return False
    asked, own = (
        tag.replace("_", "-").partition("-")[0].lower()
        for tag in (plan.locale, live.shop.current.locale)
    )
    return asked != own


def _colors(query: Query, plan: QueryPlan, live: Live) -> tuple[str, ...]:
    """The colours that the words ask of the photo, where the joint encoder reads them."""
    reads = "text" in live.image_encoder.info.modalities and not _is_foreign(plan, live)
    return asked_colors(plan.text) if query.image is not None and reads else ()


def _picture_lanes(
    query: Query, live: Live, weight: Weight, colors: Sequence[str]
) -> Iterator[LaneQuery]:
    if query.image is not None and weight("photo") > 0:
        row = live.image_encoder.encode_images([query.image])[0]
        if colors:
            row = recolored(row, colors, query.image_weight, live.image_encoder)
        floor = _floor(live.image_encoder, "image")
        yield LaneQuery("photo", "image", row, min_score=floor)
    usings: tuple[Literal["text", "image"], ...] = ("text", "image")
    for using in usings:
        if query.like and weight(f"like_{using}") > 0:
            rows = [r for r in live.store.vectors(query.like, using) if len(r)]
            if rows:
                yield LaneQuery(f"like_{using}", using, _mean(rows))


def _require_products(ids: Sequence[str], store: VectorStore) -> None:
    for id, product in zip(ids, store.get(ids) if ids else (), strict=True):
        if product is None:
            raise NotFound(f"like: no product {id!r}", field="like")


def _mean(rows: Sequence[Vectors]) -> Vectors:
    """The unit mean of the products' mean vectors, so that many photos do not outweigh."""
    return unit(np.mean([r.mean(axis=0) for r in rows], axis=0))


def _floor(encoder: Encoder, modality: str) -> float | None:
    return encoder.info.min_score.get(modality)
