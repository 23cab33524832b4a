"""Measures that texts state, and those that queries ask for."""

from __future__ import annotations

import time
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.asked_measures import asked_in
from plugins.stated_measures import Measures, Stated, agree, contradict
from plugins.title_measures import measures_of


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
        ("Table seats 4-6", "Table seats 5"),
        ("1 tb", "1024 gb"),
        ("5 ft. 6 in. curtain", "Curtain 66 in"),
        ("Door 6' 8\"", "Door 80 in."),
        ("Rug 120 x 60 cm", "Rug 60 cm x 1.2 m"),
        ("Rug 120x60cm", "60 x 120 x 1 cm rug"),
        ("Rug 8' x 10'", "Rug 8x10"),
        ("Rug 8 ft. x 10 ft.", "8 by 10 feet rug"),
        ("1-1/2 in. pipe", "pipe 1.5 inch"),
        ("½ in. drill", "drill 0.5 inch"),
        ("Cola 6x330ml", "Cola 330 ml, pack of 6"),
        ("Cola cans, 6 ct", "Cola 6 pack"),
        ("Socken 6er-Pack", "lot de 6 chaussettes"),
        ("60 Softgels", "60 capsules"),
        ("Toy for 3, 4, 5 year olds", "toy ages 4"),
        ("Toy for kids 3 4 5 6 years old", "toy for a 4 year old"),
        ("Toy 18 months to 5 years", "toy 2 years"),
        ("Spiel ab 6 Jahren", "Spiel 8 Jahre"),
        ("Jouet dès 3 ans", "Jouet 4 ans"),
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
        "24/7 cm",
        "Omega 3 Capsules",
        "Vitamin B-12 tablets",
        "3 in 1 shampoo",
        "2 in Gift Box",
        "4.2 cu. ft. washer",
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
        ("vitamins 8 count", "Vitamins 8 Count (Pack of 1)", True),
        ("vitamins 8 count", "Vitamins 60 tablets (Pack of 1)", False),
        ("diapers 120 ct", "Diapers, 120 Count", True),
        ("14 ct gold ring", "Gold ring 14 carat", True),
        ("14 ct gold ring", "Gold ring 9ct", False),
        ("toys for ages 3 to 5", "Toy ages 4+", True),
        ("toys for a 4 year old", "Toy, ages 8 to 12", False),
        ("sofa seats 5", "Sofa seats 2-3", False),
        ("rug 120 x 60 cm", "Rug 60 x 120 cm", True),
        ("rug 120 x 60 cm", "Rug 80 x 60 cm", False),
        ("rug 60 x 60 cm", "Rug 120 x 60 cm", False),
        ("rug 60 cm", "Rug 120 x 60 cm", True),
        ("8x10 rug", "8' x 10' rug", True),
        ("36 in door 6 ft 8 in", "Door 36 in. x 80 in.", True),
        ("1/2 inch drill bit", "1/4 in. drill bit", False),
        ("3/8 in ratchet", "3/8 in. ratchet", True),
        ("tile 6x24 in", "Tile 6 in. x 24 in Glazed", True),
        ("23' cabinet", "Cabinet 23 in.", True),  # the signs are mixed up
        ("23' cabinet", "Cabinet 23 ft.", True),
        ("6 x 330 ml cola", "Cola 330 ml 6 pack", True),
        ("hantel zwischen 5 und 10 kg", "Hantel 8 kg", True),
        ("hantel zwischen 5 und 10 kg", "Hantel 12 kg", False),
        ("valise jusqu'à 30 kg", "Valise 20 kg", True),
        ("rucksack mindestens 20 l", "Rucksack 30L", True),
        ("rucksack mindestens 20 l", "Rucksack 15L", False),
        ("mochila de al menos 20 l", "Mochila 30 l", True),
        ("zaino tra 20 e 30 litri", "Zaino 25L", True),
        ("rugzak minstens 20 l", "Rugzak 15L", False),
        ("pesos até 30 kg", "Peso 20 kg", True),
        ("monitor größer als 27 zoll", "Monitor 32 Zoll", True),
        ("laptop 16 gb ram or more", "Laptop 32 GB", True),
        ("laptop 16 gb ram or more", "Laptop 8 GB", False),
        ("backpack 20 l max", "Backpack 15 l", True),
        ("20v max drill", "12V Max Drill", False),
        ("puzzle over 500 pieces", "1000 Piece Puzzle", True),
        ("puzzle under 500 pieces", "1000 Piece Puzzle", False),
        ("puzzle 500+ pieces", "1000 Piece Puzzle", True),
        ("puzzle 500 pieces or more", "300 Piece Puzzle", False),
        ("pepsi max 24 pack", "Pepsi 6 pack", False),
        ("pepsi max 330 ml", "Pepsi 250 ml", False),
        ("desk no wider than 100 cm", "Desk 80 cm", True),
        ("tv de 50 pulgadas o más", "TV 55 pulgadas", True),
        ("toys for ages 10 and under", "Toy ages 8", True),
        ("milk 1 l", "Milk 1 L", True),
        ("schrank 2 m hoch", "Schrank 200 cm", True),
        ("game for 2 players", "Board Game, 2-4 Players", True),
        ("hdmi cable 2m", "HDMI Cable (2 m)", True),
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
    [
        "omega 3 capsules",
        "b 12 tablets",
        "vitamin d 3 drops",
        "4 tablet",
        "8 in black",
        "jeans 32/34",
        "24/7 shirt",
        "2 l shirts",
        "a foot massager",
        "5g phone",
        "nike air max 90",
    ],
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


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("toys for a 4 year old", "Toy, 2 Year Warranty"),
        ("60 capsules", "Capsules, pack of 2"),
        ("2 pack vitamins", "Vitamins 60 capsules"),
        ("8 count", "Pack of 1"),
        ("rug 5x8", "Rug 5 ft. 3 in. x 7 ft. 6 in."),  # as rugs are called
        ("rug 120 x 60 cm", "Rug 120 cm"),
        ("toys for a 4 year old", "Toy, 12 Year Warranty, 38,000 BTU"),
        ("8x10 rug", "Rug 5x7"),
        ("20 g protein bar", "Protein bar 60 g"),
    ],
)
def test_what_is_stated_of_something_else_speaks_neither_way(query: str, title: str) -> None:
    (asked, _), held = asked_in(query), measures_of(title)
    assert asked
    assert held
    assert not agree(asked, held)
    assert not contradict(asked, held)


@given(st.lists(st.integers(1, 300), min_size=2, max_size=3), st.sampled_from(["cm", "in.", "ft"]))
def test_sides_agree_in_any_order(sides: list[int], unit: str) -> None:
    typed = f"rug {' x '.join(map(str, sides))} {unit}"
    title = f"Rug {f' {unit} x '.join(map(str, sides[::-1]))} {unit}"
    (asked, _), held = asked_in(typed), measures_of(title)
    assert agree(asked, held)
    assert not contradict(asked, held)
    larger = measures_of(title.replace(str(max(sides)), str(max(sides) + 40)))
    assert contradict(asked, larger)


@given(st.integers(2, 300), st.sampled_from(["count", "capsules", "pack", "pieces", "ct"]))
def test_a_pack_of_one_contradicts_no_count(count: int, noun: str) -> None:
    asked, _ = asked_in(f"vitamins {count} {noun}")
    assert not contradict(asked, measures_of("Vitamins (Pack of 1)"))
    assert agree(asked, measures_of(f"Vitamins, {count} {noun.title()} (Pack of 1)"))


def test_a_multipack_is_of_two_or_more() -> None:
    assert asked_in("multipack socks") == ({Stated("count", 2, inf)}, frozenset())


@pytest.mark.parametrize(
    ("query", "unwanted"),
    [
        ("socks not a multipack", Stated("count", 2, inf)),
        ("one pair of socks, no 3 pack", Stated("count", 3, 3, of="packs")),
        ("perfume but not 75 ml", Stated("volume", 75, 75)),
    ],
)
def test_what_a_query_does_not_want(query: str, unwanted: Stated) -> None:
    assert asked_in(query)[1] == {unwanted}


@given(st.text(alphabet="0123456789., -\"'+mlcgkoz inchpackof", max_size=40))
def test_any_text_is_read(text: str) -> None:
    found: Measures = measures_of(text)
    assert all(0 <= one.least <= one.most for one in found if isinstance(one, Stated))
    assert found == frozenset() or agree(found, found)


@pytest.mark.parametrize(
    "run",
    [
        " ",
        "-",
        "1 ",
        "1-",
        "1.",
        "a ",
        "3 pack ",
        "pack of ",
        "1x",
        "1 x ",
        "1/",
        "1-1/2 in ",
        "ct",
    ],
)
def test_long_runs_are_read_in_linear_time(run: str) -> None:
    """A gap is not tried from each of its places: that would take minutes here, not parts of a
    second."""
    start = time.perf_counter()
    measures_of(run * 100_000)
    assert time.perf_counter() - start < 20
