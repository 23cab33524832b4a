"""The table of features: what a ranking model sees of each candidate, in the order of the columns.

``docs/ltr.md`` shows it and a test keeps the two the same. A model keeps the names it was trained
on. A change of what a name means needs a new :data:`VERSION`, so that no model is fed something
else than it learned from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from .window import BEHIND

VERSION: Final = 2
LANES: Final = ("text", "bm25", "image", "photo", "like_text", "like_image")
SPANS: Final[Mapping[str, tuple[str, ...]]] = {
    "type": ("core_product_type",),
    "brand": ("creator",),
    "color": ("color",),
    "department": ("department",),
    "material": ("material",),
    "size": ("UoM", "size"),
    "other": (),
}
"""Kinds of attributes and the span labels that belong to each; "other" has the rest."""


class Feature(NamedTuple):
    name: str
    group: str
    meaning: str


def _lane_features() -> list[Feature]:
    table = []
    for lane in LANES:
        table += [
            Feature(f"{lane}_rank", "lanes", f"1 / rank in the lane `{lane}`"),
            Feature(f"{lane}_score", "lanes", f"score in the lane `{lane}`"),
            Feature(f"{lane}_score_share", "lanes", f"the same, by the best of `{lane}`"),
        ]
    return table


def _span_features() -> list[Feature]:
    table = []
    for kind in SPANS:
        what = f"named values of the kind {kind}"
        table += [
            Feature(f"has_{kind}", "attributes", f"share of the {what} that the product has"),
            Feature(f"sure_{kind}", "attributes", f"confidence of the surest of the {what}"),
        ]
    return table


def _behind_features() -> list[Feature]:
    return [
        Feature(f"{name}_behind", "window", f"`{name}` by its distance to the best one's")
        for name in BEHIND
    ]


FEATURES: Final[tuple[Feature, ...]] = (
    Feature("score", "fusion", "score so far: the fused one, and what rankers before did to it"),
    Feature("score_share", "fusion", "the same, by the best of the window"),
    Feature("rank", "fusion", "1 / rank by that score"),
    Feature("lanes_found", "fusion", "how many lanes found it"),
    *_lane_features(),
    Feature("query_in_title", "text", "share of the query's words that are in the title"),
    Feature("query_in_title_idf", "text", "the same, words rare in the window counting more"),
    Feature("query_in_title_bm25", "text", "BM25 of the title in this window"),
    Feature("query_words_missing", "text", "how many words of the query are not in the title"),
    Feature("title_in_query", "text", "share of the title's words that are in the query"),
    Feature("query_first_in_title", "text", "whether the query's first word is in the title"),
    Feature("title_words", "text", "words of the title"),
    Feature("query_in_title_solid", "text", "the same without spaces: `tooth brush`, `toothbrush`"),
    Feature("query_pairs_in_title", "text", "share of the query's neighbours that are ones there"),
    Feature("title_head_in_query", "text", "whether the name of the thing in the title is"),
    Feature("heads_agree", "text", "whether that name is the query's last word"),
    Feature("first_match_place", "text", "place of the title's first word that is in the query"),
    Feature("trigrams_in_title", "text", "share of the query's character trigrams in the title"),
    Feature("trigrams_shared", "text", "Jaccard index of the two sets of trigrams"),
    Feature("fuzzy_words", "text", "mean over the query's words of the likest title word (Dice)"),
    Feature("fuzzy_words_idf", "text", "the same, words rare in the window counting more"),
    Feature("fuzzy_words_min", "text", "the same of the word that is worst met"),
    Feature("fuzzy_last_word", "text", "the same of the query's last word"),
    Feature("numbers_in_title", "text", "share of the query's numbers that are in the title"),
    Feature("measures_in_title", "text", "share of the query's measures (`36 in`) in the title"),
    Feature("measures_clash", "text", "other measures in the same units"),
    Feature("codes_in_title", "text", "share of the query's model codes (`dw735`) in the title"),
    Feature("title_consensus", "window", "mean share of the 20 best placed with the title's words"),
    Feature("head_consensus", "window", "share of the 20 best with the same name of the thing"),
    Feature("opening_consensus", "window", "share of the 20 best that begin with the same word"),
    Feature("leaders_consensus", "window", "as `title_consensus`, of the 5 best placed"),
    Feature(
        "other_words_consensus",
        "window",
        "as `title_consensus`, of words not in the query",
    ),
    Feature("category_consensus", "window", "share of the 20 best placed in the same category"),
    *_behind_features(),
    Feature("fuzzy_words_place", "window", "share of the window with less of `fuzzy_words_idf`"),
    Feature("whole_matches", "window", "log(1 + titles of the window with all words of the query)"),
    *_span_features(),
    Feature("brand_in_query", "attributes", "share of the brand's words that are in the query"),
    Feature("category_in_query", "attributes", "share of its own category's words in the query"),
    Feature("category_likely", "attributes", "probability of its category by understanding"),
    Feature("price_place", "shop", "share of the window's prices below its own, ties half"),
    Feature("price_ratio", "shop", "log of its price by the window's median"),
    Feature("in_stock", "shop", "whether it can be had"),
    Feature("popularity", "shop", "log(1 + the field named when the model was trained)"),
    Feature("popularity_place", "shop", "share of the window less popular, ties half"),
    Feature("query_words", "query", "words of the query"),
    Feature("query_characters", "query", "characters of the query"),
    Feature("query_numbers", "query", "numbers in the query"),
    Feature("query_has_photo", "query", "whether a photo is part of the query"),
    Feature("query_likes", "query", "how many products the results should be like"),
    Feature("candidates", "query", "candidates in the window"),
)
NAMES: Final = tuple(feature.name for feature in FEATURES)
GROUPS: Final = tuple(dict.fromkeys(feature.group for feature in FEATURES))
