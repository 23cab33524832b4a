"""Which words sound like a need, and which are a name for all their verbs and prepositions."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import FieldKind, IndexSchema, Lexicon, QueryPlan, ShopView, Span
from plugins.field_labels import TYPE
from plugins.hash_encoder import HashEncoder, HashOptions
from plugins.onnx_encoder import OnnxEncoder, OnnxOptions
from plugins.query_needs import asks, names_product, opens_like_need
from plugins.understand import Understand, UnderstandOptions
from plugins.uses import things

LISTS = Path(__file__).with_name("golden") / "needs"


def noun(text: str, kind: str, confidence: float = 0.6) -> Span:
    start = text.index(kind)
    return Span(start, start + len(kind), TYPE, kind, confidence)


@pytest.mark.parametrize(
    ("text", "kind", "confidence", "name"),
    [
        ("walk behind mower", "mower", 0.6, True),
        ("walk behind mower under 300", "mower", 0.6, True),
        ("hold up my jeans", "jeans", 0.97, False),
        ("carry groceries", "groceries", 0.75, False),
        ("warm my feet inside boots", "boots", 0.7, False),
        ("throw on the grill", "throw on the grill", 0.6, False),
        ("pants are too loose", "pants", 0.9, False),
        ("sleep pads for camping", "sleep pads", 0.9, True),
        ("music for a picnic", "music", 0.6, False),
        ("breakfast on my sofa with a film", "sofa", 0.9, False),
        ("birthday gift for a friend", "gift", 0.9, False),
        ("what do I need to make guacamole", "guacamole", 0.9, False),
    ],
)
def test_a_noun_names_what_is_wanted(text: str, kind: str, confidence: float, name: bool) -> None:
    spans = [noun(text, kind, confidence)]
    if " under 300" in text:
        spans.append(Span(text.index("under"), len(text), "price", "under 300"))
    assert names_product(text, spans) is name
    assert not names_product(text, [])


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("something to hang coats on", True),
        ("how do I hide my spots", True),
        ("what should a man wear", True),
        ("what juices", False),
        ("where the wild things are", False),
        ("hang something on it", False),
    ],
)
def test_words_that_open_as_no_name_does(text: str, asked: bool) -> None:
    assert asks(text) is asked


def test_a_verb_opens_no_need_by_itself() -> None:
    assert opens_like_need("keep my head warm", [])
    assert opens_like_need("listen to music", [])
    assert not opens_like_need("walk in wardrobe", [])
    assert not opens_like_need("keep my head warmer", [noun("keep my head warmer", "warmer")])


@pytest.fixture(scope="module")
def described() -> list[float]:
    """How surely each line of the two lists describes a need, in a shop that sells all things."""
    encoder = OnnxEncoder(OnnxOptions(space="sentence"))
    kinds = dict.fromkeys(things(), 9)
    shop = ShopView(IndexSchema({}), {"type": kinds}, encoder, locale="en")
    reader = Understand(UnderstandOptions())
    reader.process(QueryPlan(), shop)
    return [
        reader.process(QueryPlan(original=text, text=text), shop).described
        for name in ("names.txt", "needs.txt")
        for text in lines(name)
    ]


def lines(name: str) -> list[str]:
    every = (LISTS / name).read_text(encoding="utf-8").splitlines()
    return [line for line in every if line and not line.startswith("#")]


def test_names_are_seldom_taken_for_needs(described: list[float]) -> None:
    names = described[: len(lines("names.txt"))]
    assert sum(surely > 0 for surely in names) / len(names) < 0.15


def test_needs_are_mostly_known(described: list[float]) -> None:
    needs = described[len(lines("names.txt")) :]
    assert sum(surely > 0 for surely in needs) / len(needs) > 0.8


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("it never stops raining here", "it never stops raining here"),
        ("my feet do not stay warm", "my feet do not stay warm"),
        ("i have no space here", "i have no space here"),
        ("they are not black", "they"),  # a value of the shop
        ("i need feet not warm", "i need feet"),
        ("something with no space", "something"),
        ("my feet hate raining", "my feet hate raining"),
    ],
)
def test_how_things_are_is_not_what_is_unwanted(text: str, rest: str) -> None:
    said = dict.fromkeys(["feet", "stops", "raining", "stay", "warm", "space", "here"], 2)
    schema = IndexSchema({"color": FieldKind.KEYWORD})
    shop = ShopView(
        schema, {"color": {"Black": 9}}, HashEncoder(HashOptions()), lexicon=Lexicon(said)
    )
    reader = Understand(UnderstandOptions(model=""))
    assert reader.process(QueryPlan(original=text, text=text), shop).text == rest
