"""Which kinds serve a need, and whether words describe one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from engine import Engine, IndexSchema, Lexicon, Query, QueryPlan, ShopView, Span
from engine.lanes import SYNONYMS, plan_lanes
from plugins.hash_encoder import HashEncoder, HashOptions
from plugins.likely_kinds import serving
from plugins.purposes import AT_ONCE, Purpose, Purposes
from plugins.uses import things
from tests.api.harness import build, make_photos, make_settings

FINE = {"Trousers": 5, "Belts": 3, "Lamps": 2}
COARSE = {"Goods": 9, "Belts": 1}


class Counting(HashEncoder):
    def __init__(self) -> None:
        super().__init__(HashOptions())
        self.documents: list[str] = []

    def encode_texts(self, texts: Sequence[str], role: Any) -> Any:
        self.documents += texts if role == "document" else []
        return super().encode_texts(texts, role)


def shop_of(kinds: Mapping[str, int], words: str = "", locale: str = "en") -> ShopView:
    lexicon = Lexicon(dict.fromkeys(words.split(), 1))
    return ShopView(IndexSchema({}), {"type": kinds}, Counting(), locale=locale, lexicon=lexicon)


def purpose(text: str, shop: ShopView, opens: bool = False, *spans: Span) -> Purpose:
    purposes = Purposes()
    purposes.learn(shop, "type")
    return purposes.of(plan_of(text, opens, *spans), shop, "type")


def plan_of(text: str, opens: bool = False, *spans: Span) -> QueryPlan:
    return QueryPlan(text=text, read=text, need=opens, spans=spans)


USE = things()["belt"].uses[0]


def test_what_is_known_is_not_learned_again() -> None:
    """As before each search without words, which a photo's is."""
    purposes, shop = Purposes(), shop_of(FINE)
    purposes.learn(shop, "type")
    known = purposes._known
    purposes.learn(msgspec.structs.replace(shop), "type")
    assert purposes._known is known
    purposes.learn(shop_of(COARSE), "type")
    assert purposes._known is not known


def test_what_is_like_a_use_describes_a_need() -> None:
    found = purpose(USE, shop_of(FINE))
    assert found.surely > 0.9
    assert max(found.kinds, key=found.kinds.__getitem__) == "Belts"
    assert 0 < sum(found.kinds.values()) <= 1
    assert found.things == {}


@pytest.mark.parametrize(
    "text",
    [
        "trousers",
        "belts",
        "a belt",
        "the qwertz uiop",
        "two words",
        "",
    ],
)
def test_names_and_what_is_like_nothing_describe_none(text: str) -> None:
    assert purpose(text, shop_of(FINE)) == Purpose()


def test_a_category_above_others_is_no_kind() -> None:
    kinds = {"Wear": 9, "Wear > Belts": 5, "Wear > Trousers": 4}
    assert "Wear > Belts" in purpose(USE, shop_of(kinds)).kinds


def test_words_that_open_like_a_need_need_be_less_like_a_use() -> None:
    text = "hold trousers"
    assert purpose(text, shop_of(FINE), True).surely > purpose(text, shop_of(FINE)).surely


def test_where_kinds_say_little_things_are_told_that_the_shop_has_words_for() -> None:
    found = purpose(USE, shop_of(COARSE, "leather belts"))
    assert (found.kinds, next(iter(found.things))) == ({}, "belt")
    assert "belt" not in purpose(USE, shop_of(COARSE, "leather braces")).things
    assert purpose(USE, shop_of(COARSE, "leather")) == Purpose()


def test_all_names_that_the_shop_has_words_for_are_searched_for() -> None:
    assert {"bicycle", "road bike", "e-bike"} <= set(things()["bicycle"].names)
    use = "get around without a car"
    found = purpose(use, shop_of(COARSE, "road bikes bicycles leather belts"))
    assert {"bicycle", "road bike"} <= set(found.called)
    assert "e-bike" not in found.called
    assert "Belts" in purpose(USE, shop_of(FINE)).called


def test_names_of_what_serves_weigh_as_much_as_words(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "data")
    build(settings, make_photos(tmp_path / "shop"))

    def weights(described: float) -> Mapping[str, float]:
        plan = QueryPlan(text="dark", expansion="lamp", need=True, described=described)
        with Engine(settings) as engine, engine._live() as live:
            return plan_lanes(Query("dark"), plan, live, {}).weights

    assert weights(0.7)[SYNONYMS] == weights(0.7)["bm25"]
    assert weights(0.0)[SYNONYMS] == weights(0.0)["bm25"] / 2


def test_uses_are_english() -> None:
    shop = shop_of(FINE, locale="de")
    assert purpose(USE, shop) == Purpose()
    assert shop.text_encoder.documents == []  # type: ignore[attr-defined]


def test_texts_are_embedded_once_and_many_only_beforehand() -> None:
    shop, purposes = shop_of(FINE), Purposes()
    assert purposes.of(plan_of(USE), shop, "type") == Purpose()
    encoder: Any = shop.text_encoder
    assert encoder.documents == []
    purposes.learn(shop, "type")
    assert len(set(encoder.documents)) == len(encoder.documents) > AT_ONCE
    embedded = len(encoder.documents)
    grown = msgspec.structs.replace(shop, vocabulary={"type": {**FINE, "Table Lamps": 1}})
    assert purposes.of(plan_of(USE), grown, "type").surely > 0
    assert encoder.documents[embedded:] == ["Table Lamps"]


def test_words_that_make_no_sentence_must_be_more_like_a_use() -> None:
    assert "waist of a dress" in things()["belt"].uses
    assert purpose("pants slide on qwertz", shop_of(FINE)).surely
    assert not purpose("waist in dress qwertz", shop_of(FINE)).surely
    assert purpose("waist of a dress qwertz", shop_of(FINE)).surely


@pytest.mark.parametrize("text", ["pants slide qwertz", "pants slide with qwertz", "pants on"])
def test_words_that_nothing_holds_together_are_a_name(text: str) -> None:
    assert purpose(text, shop_of(FINE)) == Purpose()


def test_what_is_not_sold_is_a_name_too_but_not_what_is_had_already() -> None:
    shop = shop_of({"Belts": 3})
    assert "waist of a dress" in things()["belt"].uses
    assert purpose("a dress", shop) == Purpose()
    assert purpose("the dress waist", shop).surely < purpose("my dress waist", shop).surely


def test_of_things_of_one_name_that_is_meant_whose_other_names_the_shop_says() -> None:
    (use,) = {*things()["suitcase"].uses[:1]}
    kinds = {"Trunk": 3, "Belts": 2}
    assert "Trunk" in purpose(use, shop_of(kinds)).kinds
    assert "Trunk" not in purpose(use, shop_of(kinds, "briefs boxers belts")).kinds
    assert "Trunk" in purpose(use, shop_of(kinds, "suitcase luggage briefs belts")).kinds


def test_words_that_ask_are_no_name() -> None:
    shop = shop_of(FINE)
    assert purpose("trousers belts what", shop) == Purpose()
    assert purpose("something to hold trousers belts", shop).surely


def test_what_titles_say_so_is_a_name() -> None:
    pairs = {"hold up": 2, "up my": 2, "trousers my": 2}
    titled = msgspec.structs.replace(shop_of(FINE), lexicon=Lexicon({}, pairs))
    assert purpose(USE, titled) == Purpose()
    assert purpose(f"{USE} please", titled).surely


def test_a_noun_that_ends_the_words_names_what_is_wanted() -> None:
    assert USE == "hold up my trousers"
    text = "hold up the trousers belt"
    assert purpose(text, shop_of(FINE)).surely
    noun = Span(text.index("belt"), len(text), "core_product_type", "belt", 0.6)
    assert not purpose(text, shop_of(FINE), False, noun).surely


NEED = QueryPlan(read="hold up trousers")


def shares(plan: QueryPlan, kinds: Sequence[Any], titles: Sequence[str], *scores: float) -> Any:
    return serving(plan, kinds, titles, np.asarray(scores or [1.0] * len(titles))).tolist()


def test_a_product_serves_by_its_kind_or_by_what_its_title_names() -> None:
    kinds: list[Any] = [["Home", "Home > Belts"], "Lamps", None]
    titles = ["classic", "coat-rack in oak", "leather ties"]
    by_kind = msgspec.structs.replace(NEED, categories={"Home > Belts": 0.7, "Home": 0.9})
    assert shares(by_kind, kinds, titles) == [0.7, 0, 0]
    by_title = msgspec.structs.replace(NEED, things={"belt": 0.6, "coat rack": 0.3, "tie": 0.1})
    assert shares(by_title, kinds, titles) == [0.6, 0.3, 0.1]


def test_kinds_take_turns_by_their_probability() -> None:
    plan = msgspec.structs.replace(NEED, things={"belt": 0.6, "lamp": 0.35})
    titles = ["a belt", "b belt", "c lamp", "d belt", "e lamp", "f sofa"]
    found = shares(plan, [None] * 6, titles, 0.1, 0.5, 0.4, 0.9, 0.2, 1.0)
    assert found == pytest.approx([0.4, 0.48, 0.35, 0.6, 0.28, 0])
    alone = msgspec.structs.replace(NEED, categories={"Belts": 1.0})
    assert shares(alone, ["Belts"] * 3, titles[:3]) == pytest.approx([1, 1 / 1.25, 1 / 1.5])


def test_words_that_are_a_title_are_its_name() -> None:
    plan = QueryPlan(read="A walk in the woods", things={"boot": 0.9})
    assert shares(plan, [None], ["boots"]) == [0.9]
    assert shares(plan, [None, None], ["boots", "a walk in the woods (dvd)"]) == [0, 0]
