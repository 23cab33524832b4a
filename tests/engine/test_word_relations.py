"""What spelling says of two words, and descriptions of two names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.definitions import DefinitionReader
from engine.word_relations import Endings, is_short_for


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("tv", "television"),
        ("gal", "gallon"),
        ("lb", "lbs"),
        ("ss", "stainless steel"),
        ("cfl", "compact fluorescent"),
        ("pvc", "poly vinyl chloride"),
    ],
)
def test_a_short_form_has_the_initials_and_letters_in_order(short: str, long: str) -> None:
    assert is_short_for(short, tuple(long.split()))


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("vt", "television"),  # the order
        ("el", "television"),  # the initial
        ("tv", "tri view lamp"),  # one word has no part in it
        ("sl", "stainless steel"),  # nor has this one
        ("t", "television"),
        ("television", "television"),
        ("televi", "television"),  # cut, not abbreviated
        ("aaaab", "a" * 5000),  # of many ways none is tried twice
    ],
)
def test_other_words_are_not_short_forms(short: str, long: str) -> None:
    assert not is_short_for(short, tuple(long.split()))


@given(st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=3).map(tuple))
def test_initials_are_always_a_short_form(long: tuple[str, ...]) -> None:
    initials = "".join(word[0] for word in long)
    expected = 2 <= len(initials) < sum(map(len, long))
    assert is_short_for(initials, long) is expected


def test_endings_are_learned_of_the_words() -> None:
    stems = ("paint", "coat", "print", "heat", "wash", "clean")
    endings = Endings([stem + end for stem in stems for end in ("ed", "ing")] + ["mold", "mould"])
    assert endings.same_word("folded", "folding"), "though it was never seen"
    assert endings.same_word("lamp", "lamps"), "in any catalogue"
    assert not endings.same_word("color", "colour")
    assert not endings.same_word("adapter", "adaptor")
    assert not endings.same_word("lb", "lbs"), "too short for a stem"
    assert endings.overlap(("painted", "door"), ("painting",))
    assert not endings.overlap(("mold",), ("mould",))


def names(*descriptions: str, known: str = "") -> dict[tuple[str, str], int]:
    reader = DefinitionReader()
    for description in descriptions:
        reader.read(description)
    return reader.names(known.split(","))


@pytest.mark.parametrize(
    "description",
    [
        "Our canned chickpeas, also known as garbanzo beans, are soft.",
        "These are chickpeas (a.k.a. garbanzo beans) in water.",
        "Chickpeas – also called Garbanzo Beans. Ready to eat.",
        "CHICKPEAS a/k/a the garbanzo beans",
    ],
)
def test_what_a_thing_is_also_known_as(description: str) -> None:
    assert names(description, known="chickpeas") == {("chickpeas", "garbanzo beans"): 1}


def test_other_languages_say_it_too() -> None:
    told = names("Die Paradeiser, auch bekannt als Tomaten.", known="tomaten,paradeiser")
    assert told == {("paradeiser", "tomaten"): 1}


def test_abbreviations_in_brackets_that_are_such() -> None:
    text = "Pipe of polyvinyl chloride (PVC), in white (new), with liquid crystal display (LCD)."
    assert names(text, known="pvc,lcd") == {
        ("polyvinyl chloride", "pvc"): 1,
        ("liquid crystal display", "lcd"): 1,
    }


def test_each_description_counts_once_and_names_are_the_catalogue_s() -> None:
    twice = "Sofa, also known as couch. A sofa, also known as couch."
    assert names(twice, twice, known="sofa") == {("sofa", "couch"): 2}
    assert names(twice, known="lamp") == {}
    assert names("It is also known as " + "very " * 9, known="it") == {}
