"""What speaks against products, as ranker ``understood`` counts it."""

from __future__ import annotations

import msgspec
import pytest

from engine import Span

from .understood_batches import batch_with, kept, make, span


def test_what_is_not_wanted_sinks_by_its_title() -> None:
    avoided = Span(0, 3, "negation", "not printed", effect="avoid", values=("printed",))
    titles = ["Print shirt", "Printed shirt", "Shirt", "Sprinter"]
    assert kept(batch_with(avoided, title=titles)) == [0.001, 0.001, 1, 1]


def test_a_title_that_says_so_itself_does_not_sink() -> None:
    avoided = Span(0, 9, "negation", "non stick", effect="avoid", values=("stick",))
    titles = ["Non-Stick Pan", "Nonstick Pan", "Stick", "Pan non stick"]
    assert kept(batch_with(avoided, title=titles)) == [1, 1, 0.001, 1]


def test_what_is_excluded_sinks_where_its_field_says_nothing() -> None:
    excluded = span("color", "Black", effect="exclude", label="negation")
    titles = ["Black shoe", "Black shoe", "Shoe"]
    batch = batch_with(excluded, title=titles, color=[None, "White", None])
    assert kept(batch) == [0.001, 1, 1]


def test_another_colour_or_brand_by_its_title_sinks() -> None:
    gray = span("color", "Gray")
    titles = ["Grey sofa", "Brown sofa", "Sofa", "Charcoal sofa", "Brown sofa"]
    colors = [None, None, None, None, "Gray"]
    batch = batch_with(msgspec.structs.replace(gray, value="grey"), title=titles, color=colors)
    assert kept(batch, strength=0) == [1, 0.1, 1, 1, 1]
    brand = Span(0, 6, "creator", "rayban", effect="note")
    titles = ["Ray-Ban Aviator", "Ray Ban round", "Police shades", "Rayban's"]
    batch = batch_with(brand, read="rayban", title=titles)
    assert kept(batch, strength=0) == [1, 1, 0.1, 1]


def test_what_may_be_a_material_or_a_scent_is_no_other_colour() -> None:
    white = Span(0, 5, "color", "white", effect="note")
    titles = ["White soap", "Olive oil soap", "Steel soap dish", "Navy soap"]
    batch = batch_with(white, read="white", title=titles)
    assert kept(batch, strength=0) == [1, 1, 1, 0.1]


def test_the_kind_in_another_colour_stands_before_what_is_none() -> None:
    bra = Span(0, 3, "core_product_type", "bra", effect="note")
    black = Span(4, 9, "color", "black", effect="note")
    batch = batch_with(bra, black, read="bra black", title=["Black bra", "Pink bra", "Pink cap"])
    assert kept(batch, strength=0) == [1, 1, 0.1]
    bra = span("type", "Bra", label="core_product_type")
    batch = batch_with(bra, black, title=["Black bra", "Pink bra"], type=["Bra", "Bra"])
    assert kept(batch, strength=0) == [1, 0.1]  # a field tells the kinds apart


def test_another_brand_by_its_field_sinks_but_where_a_field_says_the_kind() -> None:
    nike, brands = span("brand", "Nike", label="creator"), ["Nike", "Puma", None]
    runners = Span(5, 12, "core_product_type", "runners", effect="note")
    assert kept(batch_with(nike, runners, brand=brands), strength=0) == [1, 0.1, 1]
    shoes = span("type", "Shoes", label="core_product_type")
    assert kept(batch_with(nike, shoes, brand=brands, type=["Shoes"] * 3), strength=0) == [1, 1, 1]
    assert kept(batch_with(nike, runners, brand=["Puma"] * 2), strength=0) == [1, 1]


def test_where_no_title_has_the_colour_or_brand_nothing_sinks() -> None:
    for label, said in (("color", "pink"), ("creator", "nike")):
        wish = Span(0, 4, label, said, effect="note")
        assert kept(batch_with(wish, read=said, title=["Brown sofa", "Puma shoe"])) == [1, 1]


def test_what_is_hardly_a_brand_sinks_nothing() -> None:
    for confidence, second in ((0.9, 0.1), (0.6, 1)):
        wish = Span(0, 5, "creator", "delta", confidence, effect="note")
        batch = batch_with(wish, read="delta cartridge", title=["Delta cartridge", "Cartridge"])
        assert kept(batch, strength=0) == [1, second]


def test_an_excluded_kind_sinks_by_its_title_whatever_its_field_says() -> None:
    excluded = span("category", "Fruit > Orange", effect="exclude", label="negation")
    titles = ["Orange juice", "Apple juice"]
    batch = batch_with(excluded, title=titles, category=[["Juice"], ["Juice"]])
    assert kept(batch) == [0.001, 1]


def test_an_unwanted_measure_sinks() -> None:
    batch = batch_with(read="socks, not a multipack", title=["Socks", "Socks pack of 3"])
    assert kept(batch) == [1, 0.001]


def test_measures_of_titles() -> None:
    titles = ["Perfume 100 ml", "Perfume 0.1 l", "Perfume 75 ml", "Perfume", "Perfume 10 cm"]
    batch = batch_with(read="perfume 100ml", title=titles)
    assert make(strength=0).rank(batch)[2] == pytest.approx(batch.scores[2] / 2)
    gained = make().rank(batch) > batch.scores
    assert gained.tolist() == [True, True, False, False, False]
