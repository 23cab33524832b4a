"""Query processor ``language``, with the real model."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from engine import InvalidSettings, PluginManager, QueryPlan, QueryProcessor, ShopView
from engine.testing.query_processor_contract import QueryProcessorContract
from plugins.language import Language, LanguageOptions
from plugins.scripts import can_be, script_of

from .test_understand import shop_view


@pytest.fixture(scope="module")
def language() -> Language:
    return Language(LanguageOptions())


@pytest.fixture(scope="module")
def shop() -> ShopView:
    return shop_view()


class TestContract(QueryProcessorContract):
    @pytest.fixture
    def processor(self) -> QueryProcessor:
        made: QueryProcessor = PluginManager().create("query_processors", "language")
        return made


def locale_of(
    language: Language, shop: ShopView, text: str, locale: str | None = None
) -> str | None:
    return language.process(QueryPlan(original=text, text=text, locale=locale), shop).locale


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("schwarze Handtasche aus Leder für Damen", "de"),
        ("chaussures rouges pour femme", "fr"),
        ("zapatos rojos de cuero para mujer", "es"),
        ("scarpe rosse di pelle da donna", "it"),
        ("sapatos vermelhos de couro para mulher", "pt"),
        ("rode leren schoenen voor dames", "nl"),
        ("女士红色手提包", "zh"),
        ("red leather shoes for women", "en"),
        # Short ones: the shop's words, or nothing that is sure.
        ("nike", "en"),
        ("red dress", "en"),
        ("air max 90", "en"),
        ("kiwi", "en"),
        ("ps5", "en"),
        ("42", "en"),
        ("!?", "en"),
        ("red 皮鞋", "zh"),
        # Scripts, served or not.
        ("赤いレザーバッグ", "ja"),
        ("빨간 가죽 가방", "ko"),
        ("красная кожаная сумка", "ru"),
        ("κόκκινη τσάντα", "el"),
        ("حقيبة جلدية حمراء", "ar"),
        ("กระเป๋าหนังสีแดง", "th"),
        ("תיק עור אדום", "he"),
    ],
)
def test_a_query_without_a_locale(
    language: Language, shop: ShopView, text: str, expected: str
) -> None:
    assert locale_of(language, shop, text) == expected


@pytest.mark.parametrize(
    ("text", "locale", "expected"),
    [
        ("red shoes", "de-AT", "de-AT"),
        ("nike", "zh", "en"),
        ("红色手提包", "de", "zh"),
        ("红色手提包", "zh-TW", "zh-TW"),
        ("赤いバッグ", "zh", "ja"),
        ("42", "fr", "fr"),
        # The catalogue's own gives way to what is surely another.
        ("schwarze Handtasche aus Leder für Damen", "en-US", "de"),
        ("schwarze Handtasche aus Leder für Damen", "fr", "fr"),
        ("kiwi", "en-GB", "en-GB"),
        ("red leather shoes for women", "en-US", "en-US"),
    ],
)
def test_a_locale_stands_unless_the_words_contradict(
    language: Language, shop: ShopView, text: str, locale: str, expected: str
) -> None:
    assert locale_of(language, shop, text, locale) == expected


def test_words_of_the_shop_speak_for_its_language(language: Language) -> None:
    words: Mapping[str, int] = {"Baguette Traditionnelle": 2, "Chemise": 1}
    text = "baguette traditionnelle"
    assert locale_of(language, shop_view(kind=words), text) == "en"
    assert language.identify(text, shop_view()).language == "fr"


def test_the_catalogues_own_language_is_the_default(language: Language) -> None:
    german = shop_view(locale="de")
    assert locale_of(language, german, "kiwi") == "de"
    assert locale_of(language, german, "zapatos rojos de cuero para mujer") == "es"


def test_only_served_languages(shop: ShopView) -> None:
    two = Language(LanguageOptions(served=("en", "de")))
    assert locale_of(two, shop, "zapatos rojos de cuero para mujer") in ("en", "de")
    one = Language(LanguageOptions(served=("en",)))
    assert locale_of(one, shop, "schwarze Handtasche aus Leder") == "en"


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="served"):
        Language(LanguageOptions(served=("en", "tlh")))


@pytest.mark.parametrize(
    ("text", "script"),
    [("Größe", "latin"), ("12 €", ""), ("", ""), ("Nike スニーカー", "kana"), ("T恤衫", "han")],
)
def test_scripts(text: str, script: str) -> None:
    assert script_of(text) == script


def test_languages_and_scripts() -> None:
    assert can_be("de", "latin")
    assert not can_be("de", "han")
    assert can_be("ja", "han")
    assert not can_be("zh", "latin")
    assert can_be("zh", "")
