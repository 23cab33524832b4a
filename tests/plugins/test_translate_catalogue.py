"""``entrepot translate``: what it fills in, what it leaves alone, what it remembers."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from api import cli
from engine import PluginError, Product, RawRecord, Translation
from engine.settings import CatalogueSettings, Settings
from indexer.mapping import Mapper
from plugins.translate_cli import as_row
from plugins.translators.catalogue import LONGEST, CatalogueTranslator, Failure, sentences
from plugins.translators.interpreters import Interpreters
from plugins.translators.labels import Namer, collect, named
from plugins.translators.memory import TranslationMemory

from .toy_dictionaries import write_dictd


def der(text: str) -> str:
    return f"der {text}"


class Toy:
    """Translates English into German of a sort, and notes what it was asked."""

    def __init__(self, answer: Callable[[str], str] = der) -> None:
        self._answer = answer
        self.asked: list[str] = []

    def pairs(self) -> Collection[tuple[str, str]]:
        return {("en", "de")}

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        self.asked += texts
        return [self._answer(text) for text in texts]

    def close(self) -> None: ...


def refuse(text: str) -> str:
    raise PluginError("out of words")


Make = Callable[..., CatalogueTranslator]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes translators of one shop, one after the other, as runs do."""
    opened: list[TranslationMemory] = []

    def made(toy: Toy, how: str = "", terms: Any = None, **options: Any) -> Any:
        for memory in opened:
            memory.close()
        opened[:] = [TranslationMemory(tmp_path / "data", how)]
        interpreters = Interpreters({"toy": toy}, ("toy",), {})
        return CatalogueTranslator(interpreters, opened[0], terms or {}, "en", **options)

    yield made
    for memory in opened:
        memory.close()


def test_what_is_missing_is_filled_in_and_marked(make: Make) -> None:
    translator = make(Toy())
    made = translator.product(Product("a", "Red shoe", "It is red. It is a shoe."), ["de"])
    assert made.translations == {
        "de": Translation(
            "der Red shoe", "der It is red. der It is a shoe.", ("title", "description")
        )
    }
    assert (made.title, made.locale) == ("Red shoe", "en")


def test_what_people_wrote_is_never_changed(make: Make) -> None:
    toy = Toy()
    translator = make(toy)
    by_hand = {"de": Translation("Roter Schuh"), "de-CH": Translation("", "Er ist rot.")}
    made = translator.product(Product("a", "Red shoe", "Red.", translations=by_hand), ["de-AT"])
    assert made.translations == by_hand  # readers in Austria read both already
    assert toy.asked == []
    assert translator.tally.human == 2
    half = Product("a", "Red shoe", "Red.", translations={"de": Translation("Roter Schuh")})
    made = translator.product(half, ["de"])
    assert made.translations["de"] == Translation("Roter Schuh", "der Red.", ("description",))


def test_what_a_translator_wrote_follows_the_products_own_text(make: Make) -> None:
    translator = make(Toy())
    stale = Product("a", "Blue shoe", translations={"de": Translation("ALT", "", ("title",))})
    made = translator.product(stale, ["de"])
    assert made.translations["de"] == Translation("der Blue shoe", "", ("title",))


def test_a_product_needs_no_translation_into_its_own_language(make: Make) -> None:
    toy = Toy()
    swiss = Product("a", "Roter Schuh", locale="de-CH")
    assert make(toy).product(swiss, ["de"]) == swiss
    assert toy.asked == []


def test_brands_and_the_shops_terms_are_kept(make: Make) -> None:
    terms = {"": {"Zyxorn": "Zyxorn"}, "de": {"turnschuhe": "sneakers", "sneaker": "sneakers"}}
    product = Product("a", "Red sneakers by Acme and Zyxorn", brand="Acme")
    made = make(Toy(lambda text: f"der {text.lower()}"), terms=terms).product(product, ["de"])
    assert made.translations["de"].title == "der red turnschuhe by acme and zyxorn"


def test_one_bad_text_fails_alone(make: Make) -> None:
    def sometimes(text: str) -> str:
        return refuse(text) if "bad" in text else der(text)

    translator = make(Toy(sometimes))
    products = [Product("a", "A bad one", "Good words."), Product("b", "Fine")]
    first, second = [translator.product(product, ["de", "fr"]) for product in products]
    assert first.translations == {"de": Translation("", "der Good words.", ("description",))}
    assert second.translations["de"].title == "der Fine"
    tally = translator.tally
    assert (tally.translated, tally.failed) == (2, 4)
    assert tally.failures[:2] == [
        Failure("a", "title (de)", "toy: out of words"),
        Failure("a", "title (fr)", "no translator has 'en' to 'fr'"),
    ]


def test_names_that_are_the_same_elsewhere_are_left_out(make: Make) -> None:
    translator = make(Toy(str))
    assert translator.product(Product("a", "Sofa"), ["de"]).translations == {}
    assert translator.tally.same == 1


def test_what_was_translated_before_is_not_translated_again(make: Make) -> None:
    product, toy = Product("a", "Red shoe", "Red."), Toy()
    before = make(toy).product(product, ["de"])
    translator = make(toy)
    assert translator.product(product, ["de"]) == before
    assert translator.product(before, ["de"]) == before
    assert (len(toy.asked), translator.tally.kept, translator.tally.translated) == (2, 4, 0)
    make(toy, how="another glossary").product(product, ["de"])
    assert len(toy.asked) == 4


def test_what_a_model_adds_in_brackets_is_taken_off(make: Make) -> None:
    translator = make(Toy(lambda text: f"der {text} (auf Englisch)"))
    made = translator.product(Product("a", "Red pepper", "A pepper (red)."), ["de"])
    assert made.translations["de"].title == "der Red pepper"
    assert made.translations["de"].description == "der A pepper (red). (auf Englisch)"


def test_titles_alone(make: Make) -> None:
    made = make(Toy(), texts=("title",)).product(Product("a", "Red", "Red."), ["de"])
    assert made.translations["de"] == Translation("der Red", "", ("title",))


@given(st.text(max_size=3 * LONGEST))
def test_sentences_lose_no_word(text: str) -> None:
    parts = list(sentences(text))
    assert all(0 < len(part) <= LONGEST for part in parts)
    if any(map(str.isalnum, text)):
        assert "".join("".join(parts).split()).strip(".!?…。！？") == "".join(text.split()).strip(
            ".!?…。！？"
        )


def test_labels_by_words_of_trade_and_by_the_translator(make: Make) -> None:
    values: Any = {}
    for color, size in (("red", "10 cm"), ("navy_blue", "M"), ("red", "L")):
        attributes: Any = {"color": color, "size": size, "tags": ["new", "x@y"], "n": 3.0}
        collect(values, Product("a", "t", category=("Shoes", "Boots"), attributes=attributes))
    found = dict(named(values))
    assert found == {
        **{"category": ["Shoes", "Boots"], "color": ["red", "navy_blue"], "tags": ["new"]},
    }
    words = {"rote": "red", "rot": "red", "schuhe": "shoes"}
    namer = Namer(make(Toy(lambda text: f"{text}e")), words, "en", "de")
    assert [namer.name(value) for value in ("red", "navy_blue", "Shoes")] == [
        *("Rot", "Navy bluee", "Schuhe"),
    ]
    article = Namer(make(Toy(lambda text: f"die {text}")), {}, "en", "de")
    assert article.name("sweden") == "Sweden"
    assert Namer(make(Toy(refuse)), words, "en", "de").name("tie") is None


def test_what_is_written_is_read_back() -> None:
    product = Product(
        id="a",
        title="Red shoe",
        description="Of leather",
        category=("Shoes", "A / B"),
        brand="Acme",
        price=9.5,
        currency="EUR",
        attributes={"color": "red", "sizes": ["8", "9"], "weight": 1.5, "vegan": False},
        images=("a.jpg", "https://shop.example/b.jpg"),
        locale="en-GB",
        translations={"de": Translation("Roter Schuh", "Aus Leder", ("description",))},
        group_id="g",
        in_stock=False,
        updated_at="2026-01-02T03:04:05+00:00",
        prices={"GBP": 8.0, "at/EUR": 10.0},
        stock={"at": True},
    )
    for columns in ({}, {"id": "artikel", "title": "name_1", "images": "bilder", "colour": "c"}):
        settings = Settings(catalogue=CatalogueSettings(columns=columns))
        row = json.loads(json.dumps(as_row(product, settings)))
        assert Mapper(settings.catalogue).map(RawRecord(1, row)) == (product, [])


SHOP = """
log_level = "error"
[catalogue]
source = "products.jsonl"
locale = "de"
[plugins.options.translate]
translators = ["dictionary"]
dictionary = { folder = "DICTIONARIES" }
shop_words = false
"""
ROWS = [
    {"id": "1", "title": "schwarze Tasche", "color": "schwarz", "images": ["p.jpg"]},
    {"id": "2", "title": "Hut", "color": "schwarz", "translations": {"en": {"title": "Top hat"}}},
    {"title": "ohne Nummer"},
]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_dictd(tmp_path / "dicts")
    (tmp_path / "entrepot.toml").write_text(SHOP.replace("DICTIONARIES", str(tmp_path / "dicts")))
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (tmp_path / "products.jsonl").write_text(lines, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args: str) -> Result:
    return CliRunner().invoke(cli.main, ["translate", *args], prog_name="entrepot")


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_the_command(shop: Path) -> None:
    result = run("--to", "en", "--labels", "labels.json")
    assert result.exit_code == 0, result.output
    assert "2 products; 3 texts translated" in result.output
    rows = read(shop / "products.translated.jsonl")
    assert [row["translations"]["en"] for row in rows] == [
        {"title": "black pocket", "machine": ["title"]},
        {"title": "Top hat"},
    ]
    labels = json.loads((shop / "labels.json").read_text(encoding="utf-8"))
    assert labels["en"]["values"]["color"] == {"schwarz": "Black"}
    labels["en"]["values"]["color"]["schwarz"] = "Jet"
    (shop / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
    again = run("products.translated.jsonl", "--to", "en", "--labels", "labels.json", "--out", "o")
    assert "0 texts translated" in again.output
    assert read(shop / "o") == rows
    assert json.loads((shop / "labels.json").read_text(encoding="utf-8")) == labels
    assert not list(shop.glob("*.partial"))


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--to", "fr"), "no translator from 'de' to 'fr'; there are ways to: en"),
        (("--to", "klingon"), "BCP 47"),
        ((), "Missing option '--to'"),
        (("--to", "en", "--out", "products.jsonl"), "the catalogue itself"),
        (("--to", "en", "--out", "dicts/o.jsonl"), "photos are relative to"),
        (("--to", "en", "--labels", "labels.toml"), "a .json file of its own"),
        (("--to", "en", "nothing.jsonl"), "no such catalogue"),
    ],
)
def test_what_cannot_be_done_is_said(shop: Path, args: tuple[str, ...], told: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert told in result.output
    assert not (shop / "products.translated.jsonl").exists()


def test_broken_labels_are_left_alone(shop: Path) -> None:
    (shop / "labels.json").write_text("[", encoding="utf-8")
    assert "--labels" in run("--to", "en", "--labels", "labels.json").output
    assert (shop / "labels.json").read_text(encoding="utf-8") == "["
