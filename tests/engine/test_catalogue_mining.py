"""Candidates for synonyms among a catalogue's own words."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

from engine import (
    EncoderInfo,
    FieldKind,
    Filter,
    GenerationSpec,
    IndexSchema,
    Product,
    ShopView,
    Vectors,
    catalogue_words,
)
from engine.catalogue_mining import MAX_CANDIDATES, from_catalogue
from engine.catalogue_words import CatalogueWords, read_words
from engine.definitions import DefinitionReader
from engine.protocols import Role
from engine.synonyms import Synonym, SynonymSet
from engine.term_contexts import TermReader

NEAR = 0.88
MAKERS = ("acme", "bolt", "coro", "dune", "evox", "fyne")
STYLES = ("leather", "velvet", "linen")


class Meanings:
    """Words in groups; two of a group have the cosine ``NEAR``, all others 0."""

    info = EncoderInfo("meanings", "1", 800, ("text",), "meanings")

    def __init__(self, *groups: str) -> None:
        self._group = {word: n for n, group in enumerate(groups) for word in group.split(",")}
        self._own: dict[str, int] = {}

    def encode_texts(self, texts: Sequence[str], role: Role) -> Vectors:
        rows = np.zeros((len(texts), self.info.dim), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            own = self._own.setdefault(text, 100 + len(self._own))
            group = self._group.get(text)
            row[own] = 1 if group is None else (1 - NEAR) ** 0.5
            if group is not None:
                row[group] = NEAR**0.5
        return rows

    def encode_images(self, images: Sequence[object]) -> Vectors:
        raise NotImplementedError

    def close(self) -> None: ...


GROUPS = ("sofa,couch", "red,blue", "left,right", "small,large")
Rows = list[tuple[str, dict[str, str]]]


def furniture() -> Rows:
    """Half of the makers say sofa and half couch; doors come in two colours, for two hands."""
    seats = [
        f"{maker} {style} {kind} {'sofa' if n % 2 else 'couch'} with cushion"
        for n, maker in enumerate(MAKERS)
        for style, kind in product(STYLES, ("sectional", "sleeper"))
    ]
    variants = product(MAKERS, ("red", "blue"), ("left", "right"))
    doors = [f"{maker} {color} steel door {hand} hand" for maker, color, hand in variants]
    lamps = [f"{maker} {size} glass lamp" for maker, size in product(MAKERS, ("small", "large"))]
    return [(title, {}) for title in (*seats, *doors, *lamps)]


def mine(
    rows: Rows,
    *groups: str,
    descriptions: Iterable[str] = (),
    synonyms: Sequence[Synonym] = (),
    encoder: Meanings | None = None,
) -> list[Synonym]:
    reader, definitions = TermReader(), DefinitionReader()
    vocabulary: dict[str, Counter[str]] = {}
    for title, values in rows:
        reader.read(title, values.items())
        for field, value in values.items():
            vocabulary.setdefault(field, Counter())[value] += 1
    for description in descriptions:
        definitions.read(description)
    contexts = reader.contexts()
    known = {" ".join(term) for term in contexts.names}
    words = CatalogueWords(contexts, definitions.names(known))
    encoder = encoder or Meanings(*(groups or GROUPS))
    view = ShopView(
        IndexSchema(), vocabulary, encoder, locale="en-GB", synonyms=SynonymSet(tuple(synonyms))
    )
    return from_catalogue(words, view)


def pairs(found: Iterable[Synonym]) -> list[tuple[str, ...]]:
    return [synonym.words for synonym in found]


def test_words_for_the_same_are_proposed_and_variants_are_not() -> None:
    (found,) = mine(furniture())
    assert (found.words, found.status, found.locale) == (("couch", "sofa"), "candidate", "en")
    assert "in 18 and 18 titles, never in one" in found.evidence
    assert "sectional" in found.evidence or "leather" in found.evidence
    assert "cosine 0.88" in found.evidence


def test_neither_company_nor_meaning_is_enough() -> None:
    assert mine(furniture(), "red,door") == [], "no encoder holds sofa and couch for the same"
    strangers = [("brass bell", {})] * 4 + [("garden shovel", {})] * 4
    assert mine([*furniture(), *strangers], "bell,shovel") == [], "they keep no company"


class Narrow(Meanings):
    """All words in a narrow cone, as some encoders have them; in one of width 0 all are alike."""

    def __init__(self, width: float, *groups: str) -> None:
        super().__init__(*groups)
        self._width = width

    def encode_texts(self, texts: Sequence[str], role: Role) -> Vectors:
        rows = super().encode_texts(texts, role) * self._width
        rows[:, -1] = (1 - self._width**2) ** 0.5
        return rows


@pytest.mark.parametrize(("width", "expected"), [(0.3, [("couch", "sofa")]), (0.0, [])])
def test_an_encoder_that_holds_all_for_near_is_read_by_differences(
    width: float, expected: list[tuple[str, ...]]
) -> None:
    assert pairs(mine(furniture(), encoder=Narrow(width, *GROUPS))) == expected


def test_who_writes_both_means_both() -> None:
    both = [(f"{maker} sofa and couch cushion", {}) for maker in MAKERS]
    assert mine([*furniture(), *both]) == []


def test_values_of_one_field_are_not_the_same() -> None:
    kinds = [(t, {"type": "Sofas" if "sofa" in t else "Couches"}) for t, _ in furniture()]
    assert ("couch", "sofa") in pairs(mine(kinds)), "the plural of couch is not couches' bare form"
    kinds = [(t, {"type": "Sofa" if "sofa" in t else "Couch"}) for t, _ in furniture()]
    assert mine(kinds) == []


def test_one_word_written_as_two() -> None:
    spelt = [
        (f"{maker} cotton {'t-shirt' if n % 2 else 'tshirt'} {style} print", {"type": "T-Shirts"})
        for n, maker in enumerate(MAKERS)
        for style in STYLES
    ]
    found = mine([*furniture(), *spelt], "t shirt,tshirt")
    assert pairs(found) == [("t shirt", "tshirt")]
    assert "one word or two" in found[0].evidence


def test_units_and_abbreviations() -> None:
    paint = [
        (f"{maker} {n} {unit} {style} paint", {})
        for maker, (n, unit), style in product(
            MAKERS, ((1, "gal"), (2, "gallon"), (5, "gal"), (6, "gallon")), ("wall", "floor")
        )
    ]
    found = mine([*furniture(), *paint], "gal,gallon")
    assert pairs(found) == [("gal", "gallon")]
    assert "short form" in found[0].evidence


def test_what_descriptions_say_comes_first_and_needs_no_company() -> None:
    told = ["A divan, also known as sofa.", "Our sofa (also known as divan) is soft."]
    found = mine(furniture(), descriptions=told)
    assert pairs(found) == [("divan", "sofa"), ("couch", "sofa")]
    assert found[0].evidence == "1 description says that both name the same"


@pytest.mark.parametrize("status", ["active", "candidate", "rejected"])
@pytest.mark.parametrize("words", [("Sofa", "settee", "couches"), ("COUCH", "sofa")])
def test_what_was_decided_on_is_not_proposed_again(status: str, words: tuple[str, ...]) -> None:
    known = Synonym("mine", words, status=status)  # type: ignore[arg-type]
    expected = [] if words[0] == "COUCH" else [("couch", "sofa")]
    assert pairs(mine(furniture(), synonyms=[known])) == expected
    (found,) = mine(furniture())
    rejected = Synonym("other", (), ("sofa",), ("couch",), status=status)  # type: ignore[arg-type]
    assert mine(furniture(), synonyms=[rejected]) == []
    assert found.id == mine(furniture())[0].id


def test_the_order_of_products_changes_nothing() -> None:
    rows = furniture()
    first = mine(rows)
    random.Random(0).shuffle(rows)
    assert mine(rows) == first


def test_the_list_is_short_and_the_next_one_goes_on() -> None:
    names = [f"{first}{second}za" for first, second in product("bcdfghjklm", "aeiouy")]
    rows = [
        (f"{form} thing number {n}", {})
        for name in names
        for form in (f"{name} room", f"{name}room")
        for n in range(3)
    ]
    groups = [f"{name} room,{name}room" for name in names]
    found = mine(rows, *groups)
    assert len(found) == MAX_CANDIDATES
    rest = mine(rows, *groups, synonyms=found)
    assert sorted(pairs([*found, *rest])) == sorted((f"{n} room", f"{n}room") for n in names)


def test_words_too_long_for_the_file_are_not_proposed() -> None:
    long = "s" * 150
    rows = [(title.replace("couch", long), values) for title, values in furniture()]
    assert mine(rows, f"sofa,{long}", descriptions=[f"Sofa, also known as {long}."]) == []


def test_an_empty_catalogue_has_none() -> None:
    assert mine([]) == mine([("!", {})]) == []


class Shelf:
    """A store as far as it is read here."""

    def __init__(self, *products: Product) -> None:
        encoder = Meanings.info
        self.spec = GenerationSpec(IndexSchema({"type": FieldKind.KEYWORD}), encoder, encoder)
        self._products = {each.id: each for each in products}

    def count(self, filter: Filter) -> int:
        return len(self._products)

    def scroll(self, filter: Filter, limit: int) -> list[str]:
        return sorted(self._products)[:limit]

    def get(self, ids: Sequence[str]) -> list[Product | None]:
        return [self._products.get(id) for id in ids]


def test_products_in_the_shop_s_language_are_read_with_their_values_and_descriptions() -> None:
    told = "A sofa, also known as settee."
    english = [
        Product(f"e{n}", "Red sofa", told, attributes={"type": "Seat"}, locale="en-GB")
        for n in range(3)
    ]
    german = [Product(f"g{n}", "Rotes Sofa aus Leder", locale="de") for n in range(3)]
    store: Any = Shelf(*english, *german)
    words = read_words(store)
    assert words.contexts.names == [("red",), ("red", "sofa"), ("sofa",)]
    assert words.described == {("sofa", "settee"): 3}
    empty: Any = Shelf()
    assert read_words(empty).contexts.names == []


def test_of_a_large_catalogue_a_part_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_words, "MAX_PRODUCTS", 10)
    store: Any = Shelf(*(Product(f"{n:02}", "Red sofa") for n in range(25)))
    assert list(read_words(store).contexts.counts) == [9, 9, 9]
