"""Measures that texts state, and those that queries ask for."""

from __future__ import annotations

import time
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.asked_measures import asked_in
from plugins.title_measures import Measures, Stated, agree, contradict, measures_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Perfume 100 ml", "perfume 0.1 litre"),
        ("Perfume 100ml", "10 cl"),
        ("Perfume 3.4 fl oz", "100 ml"),
        ("Perfume 3.4 oz", "100 ml"),
        ('32" screen', "32-Inch Monitor"),
        ("10 inch", "25.4 cm"),
        ("10 inch", "25 cm"),  # as shops round it
        ("Shorts 7in", "7 inches"),
        ("1 kg", "1000 g"),
        ("1 lb", "453.592 g"),
        ("8 oz", "226.8 g"),
        ("Backpack 16 Ltr", "16 l bag"),
        ("1,5 l", "1500 ml"),
        ("1,500 ml", "1.5 l"),
        ("1,000.5 ml", "1000.5 ml"),
        ("Pack of 3 socks", "socks 3 pack"),
        ("Pack of Three", "set of 3"),
        ("Pack of Five Socks", "five pairs of socks"),
        ("Tripack socks", "triple pack"),
        ("2 years", "24 months"),
        ("3-5 years", "4 years"),
        ("ages 3+ years", "6 year"),
        ("1 tb", "1000 gb"),
        ("Tent sleeps 4", "4 Person Tent"),
    ],
)
def test_the_same_measure(one: str, other: str) -> None:
    assert agree(measures_of(one), measures_of(other))
    assert not contradict(measures_of(one), measures_of(other))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Lunarswift +3 Grey Shoes",
        "3/4 Length Pants",
        "a 5g phone case of",
        "iPhone 6",
        "1/2 cm",
    ],
)
def test_no_measure(text: str) -> None:
    assert measures_of(text) == frozenset()


@pytest.mark.parametrize(
    ("query", "title", "fits"),
    [
        ("perfume 100 ml", "Perfume 100 ml", True),
        ("perfume one hundred ml", "Perfume 100 ml", True),
        ("perfume 100 ml", "Perfume 75 ml", False),
        ("half a litre of milk", "Milk 500 ml", True),
        ("a litre of milk", "Milk 1 l", True),
        ("one and a half litres of juice", "Juice 1.5 l", True),
        ("1/2 litre milk", "Milk 0.5 l", True),
        ("three quarter litre bottle", "Bottle 750 ml", True),
        ("perfume at least 100 ml", "Perfume 150 ml", True),
        ("perfume at least 100 ml", "Perfume 75 ml", False),
        ("perfume under 50 ml", "Perfume 30 ml", True),
        ("perfume smaller than 50 ml", "Perfume 75 ml", False),
        ("cable longer than 3 m", "Cable 5 m", True),
        ("backpack 20-30 litres", "Backpack 22L", True),
        ("backpack 20-30 litres", "Backpack 50 Ltr", False),
        ("monitor between 24 and 32 inch", "27 inch monitor", True),
        ("screen 24 inch or bigger", '21" screen', False),
        ("backpack about 20 litres", "Backpack 22L", True),
        ("socks pack of three", "Socks Pack of 3", True),
        ("twin pack briefs", "Pack of Two Briefs", True),
        ("three-pack briefs", "Pack of 2 Briefs", False),
        ("multipack socks", "Socks Pack of 3", True),
        ("half a dozen eggs", "Eggs 6 pack", True),
        ("tent for 4 people", "4 Person Tent", True),
        ("tent for 4 people", "2-person tent", False),
        ("tent that sleeps four", "4 person tent", True),
        ("2-man tent", "Tent 2 persons", True),
        ("shirt for a 4 year old", "Shirt 3-5 years", True),
        ("shirt for a 7 year old", "Shirt 3-5 years", False),
        ("1 terabyte drive", "Hard drive 1TB", True),
        ("20 l backpack", "Backpack 20L", True),
        ("10 inch pan", "Pan 25 cm", True),
        ("10 inch pan", "Pan 28 cm", False),
    ],
)
def test_what_a_query_asks_for(query: str, title: str, fits: bool) -> None:
    (asked, unwanted), held = asked_in(query), measures_of(title)
    assert not unwanted
    assert asked
    assert held
    assert (agree(asked, held), contradict(asked, held)) == (fits, not fits)


@pytest.mark.parametrize(
    "query",
    ["jeans 32/34", "24/7 shirt", "2 l shirts", "a foot massager", "5g phone", "nike air max 90"],
)
def test_nothing_is_asked_for(query: str) -> None:
    assert asked_in(query) == (frozenset(), frozenset())


@pytest.mark.parametrize(
    ("asked", "held", "contradicts"),
    [
        ("100 ml", "75 ml", True),
        ("100 ml", "100 ml or 75 ml", False),
        ("100 ml", "10 cm", False),
        ("100 ml", "", False),
        ("", "100 ml", False),
    ],
)
def test_contradictions(asked: str, held: str, contradicts: bool) -> None:
    assert contradict(measures_of(asked), measures_of(held)) is contradicts


def test_a_multipack_is_of_two_or_more() -> None:
    assert asked_in("multipack socks") == ({Stated("count", 2, inf)}, frozenset())


@pytest.mark.parametrize(
    ("query", "unwanted"),
    [
        ("socks not a multipack", Stated("count", 2, inf)),
        ("one pair of socks, no 3 pack", Stated("count", 3, 3)),
        ("perfume but not 75 ml", Stated("volume", 75, 75)),
    ],
)
def test_what_a_query_does_not_want(query: str, unwanted: Stated) -> None:
    assert asked_in(query)[1] == {unwanted}


@given(st.text(alphabet="0123456789., -\"'+mlcgkoz inchpackof", max_size=40))
def test_any_text_is_read(text: str) -> None:
    found: Measures = measures_of(text)
    assert all(0 <= one.least <= one.most for one in found)
    assert found == frozenset() or agree(found, found)


@pytest.mark.parametrize("run", [" ", "-", "1 ", "1-", "1.", "a ", "3 pack ", "pack of "])
def test_long_runs_are_read_in_linear_time(run: str) -> None:
    """A gap is not tried from each of its places: that would take minutes here, not parts of a
    second."""
    start = time.perf_counter()
    measures_of(run * 100_000)
    assert time.perf_counter() - start < 20
