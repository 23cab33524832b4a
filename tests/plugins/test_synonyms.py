"""Synonyms at work: the lane they search, and the values they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from engine import Engine, Query, QueryPlan, QueryProcessor, SearchRequest, SynonymSet
from engine.conformance.queries import a_shop
from engine.settings import ProfileSettings
from engine.synonyms import read_lines
from engine.testing import QueryProcessorContract
from plugins.gazetteer import Gazetteer
from plugins.synonyms import Synonyms
from tests.api.harness import build, make_photos, make_settings


def expansion(text: str, lines: str, **asked: object) -> str:
    shop = msgspec.structs.replace(a_shop(), synonyms=SynonymSet(tuple(read_lines(lines))))
    plan = msgspec.structs.replace(QueryPlan(original=text, text=text), **asked)
    return Synonyms().process(plan, shop).expansion


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("red sneakers", "red trainers running shoes"),
        ("Red Sneaker, size 8", "Red trainers running shoes, size 8"),  # any number and case
        ("running shoes", "sneakers trainers"),  # a phrase of several words
        ("tablet", "ipad"),
        ("ipad", ""),  # one way
        ("lamp", ""),
        ("", ""),
    ],
)
def test_alternatives_take_the_place_of_the_words(text: str, found: str) -> None:
    assert expansion(text, "sneakers, trainers, running shoes\ntablet => ipad") == found


def test_a_shopper_takes_a_synonym_back() -> None:
    assert expansion("tablet", "tablet => ipad", ignored=("synonym:tablet",)) == ""


def test_what_spelling_would_search_for_beside_it_has_them_too() -> None:
    assert expansion("tablt", "tablet => ipad", expansion="tablet") == "ipad"
    assert expansion("lmp", "tablet => ipad", expansion="lamp") == "lamp"


def test_languages_have_their_own() -> None:
    (german,) = read_lines("turnschuhe, sneaker", "de")
    (english,) = read_lines("sneaker, trainer", "en")
    shop = msgspec.structs.replace(a_shop(), synonyms=SynonymSet((german, english)))
    asked = QueryPlan(text="sneaker", locale="de", translations={"en": "sneaker red"})
    assert Synonyms().process(asked, shop).expansion == "turnschuhe trainer red"
    alone = QueryPlan(text="sneaker", locale="fr")
    assert Synonyms().process(alone, shop) is alone


def test_what_names_a_value_is_linked_to_it() -> None:
    vocabulary = {"type": {"Sofa": 9, "Lamp": 3}}
    synonyms = SynonymSet(tuple(read_lines("couch => sofa\nlamp, sofa"))).of("en")
    found = Gazetteer.compile(vocabulary, None, synonyms)
    (match,) = found.find("red couch")
    assert match.links[0].values == ("Sofa",)
    (lamp,) = found.find("lamp")
    assert lamp.links[0].values == ("Lamp",)  # a value means itself


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    lanes = {"image": 0.0, "text": 0.0}
    plain = ProfileSettings(query_processors=("normalize",), rankers=(), weights=lanes)
    with_it = msgspec.structs.replace(plain, query_processors=("normalize", "synonyms"))
    profiles = {"default": with_it, "plain": plain}
    settings = msgspec.structs.replace(make_settings(tmp_path / "data"), profiles=profiles)
    build(settings, make_photos(tmp_path / "shop"))
    with Engine(settings) as engine:
        yield engine


def ids_of(engine: Engine, text: str, profile: str = "default") -> list[str]:
    request = SearchRequest(Query(text), profile=profile)
    return [hit.id for hit in engine.search(request).hits]


def test_what_a_synonym_finds_is_added(engine: Engine) -> None:
    assert ids_of(engine, "couch") == []
    engine.synonyms.extend(read_lines("couch => sofa"))
    assert {id.rpartition("-")[2] for id in ids_of(engine, "couch")} == {"sofa"}


def test_a_bad_synonym_cannot_ruin_a_search(engine: Engine) -> None:
    engine.synonyms.extend(read_lines("mug => lamp"))
    answer = engine.search(SearchRequest(Query("red mug"), explain=True))
    assert answer.plan.expansion == "red lamp"
    kinds = [hit.id.rpartition("-")[2] for hit in answer.hits]
    assert answer.hits[0].id == "red-mug"
    assert "lamp" in kinds
    assert ids_of(engine, "red mug", "plain")[0] == "red-mug"


class TestContract(QueryProcessorContract):
    @pytest.fixture
    def processor(self) -> QueryProcessor:
        return Synonyms()
