"""Query processor ``translate``: routes, cache, checks; and what a search makes of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine import (
    Engine,
    InvalidSettings,
    PluginError,
    PluginManager,
    PluginStatus,
    Product,
    Query,
    QueryPlan,
    QueryProcessor,
    RuleSet,
    SearchRequest,
    ShopView,
    Translator,
    UnknownPlugin,
)
from engine.settings import PluginSettings, ProfileSettings
from engine.testing.query_processor_contract import QueryProcessorContract
from plugins.translate import Translate, TranslateOptions, opened
from plugins.translators.dictionary import Wanted
from plugins.translators.interpreters import checked
from plugins.understand import Understand, UnderstandOptions
from tests.engine.shop import build, make_live, settings_for

from .test_understand import shop_view
from .toy_dictionaries import write_dictd

WORDS = {"rote": "red", "schuhe": "shoes", "unter": "under", "nicht": "not", "schwarz": "black"}


class Toy:
    """Translates a few words, and notes what it was asked."""

    def __init__(self, *sources: str, answer: Callable[[str], str] | None = None) -> None:
        self._sources = sources or ("de",)
        self._answer = answer or (lambda text: " ".join(WORDS.get(w, w) for w in text.split()))
        self.asked: list[str] = []
        self.closed = False

    def pairs(self) -> Collection[tuple[str, str]]:
        return {(source, "en") for source in self._sources}

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        self.asked += texts
        return [self._answer(text) for text in texts]

    def close(self) -> None:
        self.closed = True


def translate(translator: Translator | None = None, **options: Any) -> Translate:
    chosen = {"shop_words": False, "translators": ("toy",), **options}
    return Translate(TranslateOptions(**chosen), {"toy": translator or Toy()})


def translations(
    processor: Translate, text: str, locale: str | None = "de", shop: ShopView | None = None
) -> dict[str, str]:
    plan = QueryPlan(original=text, text=text, locale=locale)
    return processor.process(plan, shop or shop_view()).translations


class TestContract(QueryProcessorContract):
    @pytest.fixture
    def processor(self) -> QueryProcessor:
        return translate()


def test_the_translation_stands_beside_the_original() -> None:
    plan = QueryPlan(original="rote schuhe", text="rote schuhe", locale="de-AT")
    after = translate().process(plan, shop_view())
    assert (after.text, after.translations) == ("rote schuhe", {"en": "red shoes"})


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("rote schuhe", None),
        ("rote schuhe", "en-GB"),
        ("rote schuhe", "tr"),
        ("zyxorn", "de"),
        ("  ", "de"),
    ],
)
def test_nothing_to_translate(text: str, locale: str | None) -> None:
    assert translations(translate(), text, locale) == {}


def test_what_is_known_is_not_asked_again() -> None:
    toy = Toy()
    processor, shop = translate(toy, cache=2), shop_view()
    for text in ("rote", "schuhe", "rote", "schwarz", "rote", "schuhe"):
        translations(processor, text, shop=shop)
    assert toy.asked == ["rote", "schuhe", "schwarz", "schuhe"]
    translations(processor, "rote", shop=shop_view())
    assert toy.asked[-1] == "rote"  # another shop may sell other things


def test_other_rules_leave_what_is_known() -> None:
    toy = Toy()
    processor, shop = translate(toy), shop_view()
    for view in (shop, msgspec.structs.replace(shop, rules=RuleSet())):
        translations(processor, "rote", shop=view)
    assert toy.asked == ["rote"]


def test_brands_are_not_translated() -> None:
    toy = Toy(answer=lambda text: text.replace("Orange", "fruit").replace("schuhe", "shoes"))
    assert translations(translate(toy), "schuhe Zyxorn Orange") == {"en": "shoes Zyxorn Orange"}


def test_the_shops_glossary(tmp_path: Path) -> None:
    path = tmp_path / "glossary.toml"
    path.write_text('keep = ["Alte Liebe"]\n[de]\nschuhe = "trainers"\n', encoding="utf-8")
    processor = translate(glossary=str(path))
    assert translations(processor, "rote schuhe") == {"en": "red trainers"}
    assert translations(processor, "rote Alte Liebe") == {"en": "red Alte Liebe"}


def test_shop_words_win_over_translators() -> None:
    toy = Toy("es", answer=lambda text: text.replace("gafas de sol", "glasses of sun"))
    with_words = translate(toy, shop_words=True)
    assert translations(with_words, "gafas de sol", "es") == {"en": "sunglasses"}
    assert translations(with_words, "gafas de sol", "es", shop_view(locale="de")) == {}


def test_the_next_translator_takes_over() -> None:
    def fails(text: str) -> str:
        raise PluginError("no")

    broken, toy = Toy(answer=fails), Toy()
    options = TranslateOptions(translators=("a", "b"), shop_words=False)
    processor = Translate(options, {"a": broken, "b": toy})
    assert translations(processor, "rote schuhe") == {"en": "red shoes"}
    alone = Translate(options, {"a": broken})
    with pytest.raises(PluginError, match="a: no"):
        translations(alone, "rote schuhe")


def test_routes() -> None:
    one, other = Toy(answer=lambda text: "one"), Toy("de", "fr", answer=lambda text: "other")
    options = TranslateOptions(translators=("a", "b"), routes={"de": "b", "fr": ""})
    processor = Translate(options, {"a": one, "b": other})
    assert translations(processor, "x", "de") == {"en": "other"}
    assert translations(processor, "x", "fr") == {}


@pytest.mark.parametrize(
    "answer", ["", " \n", "x" * 1000, "красные туфли", "红色的鞋子"], ids=ascii
)
def test_rubbish_is_no_translation(answer: str) -> None:
    with pytest.raises(PluginError):
        translations(translate(Toy(answer=lambda text: answer)), "rote schuhe")


def test_too_few_translations() -> None:
    toy = Toy()
    toy.translate = lambda texts, source, target: []  # type: ignore[method-assign]
    with pytest.raises(PluginError, match="0 translations of 1"):
        translations(translate(toy), "rote schuhe")


def test_words_that_are_not_of_the_locale_are_left_alone() -> None:
    """A translator would hand them back, and be taken for broken."""
    toy = Toy("es", answer=lambda text: text)
    assert translations(translate(toy), "كرسي خشبي", "es") == {}
    assert toy.asked == []


def test_a_translation_is_one_line() -> None:
    assert checked("red\n shoes ", "rote schuhe", "en") == "red shoes"


class Sells(Toy):
    """Chooses by what the shop sells."""

    def translate_for(
        self, texts: Sequence[str], source: str, target: str, wanted: Wanted
    ) -> list[str]:
        return [next(w for w in ("pocket", "watches", "bag") if wanted(w)) for _ in texts]


def test_a_translator_is_told_what_the_shop_sells() -> None:
    assert translations(translate(Sells()), "uhr") == {"en": "watches"}


def test_the_first_call_warms_up_and_closing_closes() -> None:
    toy = Toy("de", "nl")
    processor = translate(toy)
    assert processor.process(QueryPlan(), shop_view()) == QueryPlan()
    assert len(toy.asked) == 2
    processor.close()
    assert toy.closed


def test_what_is_not_there() -> None:
    assert "http" not in opened(TranslateOptions(), PluginManager())
    with pytest.raises(InvalidSettings, match=r"'http'.*url"):
        opened(TranslateOptions(routes={"de": "http"}), PluginManager())
    misspelt = TranslateOptions(translators=("dictionry",))
    sound = PluginManager(only="plugins.translators.dictionary")
    with pytest.raises(UnknownPlugin, match="did you mean 'dictionary'"):
        opened(misspelt, sound)


def test_a_plugin_that_is_broken_may_have_offered_the_translator() -> None:
    """Then the search goes on with the others."""
    manager = PluginManager(only="plugins.translators.dictionary")
    manager.statuses.append(PluginStatus("theirs", False, {}, "ImportError: no such module"))
    made = opened(TranslateOptions(translators=("theirs", "dictionary")), manager)
    assert list(made) == ["dictionary"]
    routed = TranslateOptions(translators=("dictionary",), routes={"de": "theirs"})
    assert translations(Translate(routed, opened(routed, manager)), "rote schuhe", "de") == {}


def test_options_stand_in_tables_of_their_own_or_in_that_of_translate() -> None:
    server = {"url": "http://127.0.0.1:9", "languages": ["de"]}
    manager = PluginManager(PluginSettings(options={"http": server}))
    for options in ({}, {"http": {"languages": ["fr"]}}):
        made = opened(TranslateOptions(translators=("http",), **options), manager)["http"]
        assert ("fr" if options else "de", "en") in made.pairs()
        made.close()
    with pytest.raises(InvalidSettings, match=r"'http'.*no option 'uri'"):
        opened(TranslateOptions(http={"uri": "x"}), manager)


# Understanding what was translated


def understood(text: str, ignored: tuple[str, ...] = ()) -> QueryPlan:
    plan = QueryPlan(original=text, text=text, locale="de", ignored=ignored)
    shop = shop_view()
    return Understand(UnderstandOptions(model="")).process(translate().process(plan, shop), shop)


def test_spans_are_of_the_translation() -> None:
    plan = understood("rote schuhe")
    assert (plan.text, plan.read, plan.locale) == ("rote schuhe", "red shoes", "de")
    assert {(s.field, s.values) for s in plan.spans} == {
        ("color", ("Red",)),
        ("category", ("Shoes",)),
    }


def test_a_price_leaves_both_texts_and_filters_once() -> None:
    plan = understood("rote schuhe unter 60 euro")
    assert (plan.text, plan.translations) == ("rote schuhe", {"en": "red shoes"})
    assert plan.filters["price"] == {"lte": 60}
    back = understood("rote schuhe unter 60 euro", ("price:under 60 euro",))
    assert "price" not in back.filters


def test_a_price_that_the_translation_lost_filters() -> None:
    toy = Toy(answer=lambda text: "red shoes")
    shop = shop_view()
    plan = QueryPlan(original="x", text="rote schuhe bis 60 euro", locale="de")
    read = Understand(UnderstandOptions(model="")).process(translate(toy).process(plan, shop), shop)
    assert read.filters == {"price": {"lte": 60}}
    assert read.text == "rote schuhe"


def test_a_translation_that_is_all_filter() -> None:
    plan = understood("nicht schwarz")
    assert plan.filters == {"color": {"not": ["Black", "Matte Black"]}}
    assert plan.translations == {}


# In a shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("translated")
    processors = ("normalize", "translate", "understand")
    profile = ProfileSettings(query_processors=processors, rankers=("understood",))
    plain = ProfileSettings(query_processors=("normalize",), rankers=())
    glossary = folder / "glossary.toml"
    glossary.write_text('[de]\n"rote leuchte" = "red lamp"\n', encoding="utf-8")
    write_dictd(folder / "dictd")
    options = {
        "translate": {
            **{"translators": ["dictionary"], "glossary": str(glossary)},
            **{"dictionary": {"folder": str(folder / "dictd")}, "shop_words": False},
        },
        "understand": {"model": ""},
    }
    configured = settings_for(folder)
    settings = msgspec.structs.replace(
        configured,
        profiles={"default": profile, "plain": plain},
        plugins=msgspec.structs.replace(configured.plugins, options=options),
    )
    products = [
        Product(id=f"{color}-{kind}", title=f"{color} {kind}", attributes={"color": color})
        for color in ("red", "blue")
        for kind in ("couch", "lamp", "sofa")
    ]
    build(settings, "g1", products)
    make_live(settings, "g1")
    with Engine(settings) as engine:
        yield engine


def found(shop: Engine, text: str, **more: Any) -> list[str]:
    answer = shop.search(SearchRequest(Query(text=text), **{"locale": "de", **more}))
    assert answer.degraded == ()
    return [hit.id for hit in answer.hits]


def test_a_search_in_two_languages(shop: Engine) -> None:
    request = SearchRequest(Query(text="rote Leuchte"), locale="de", explain=True)
    answer = shop.search(request)
    assert answer.degraded == ()
    assert answer.hits[0].id == "red-lamp"
    assert answer.plan.translations == {"en": "red lamp"}
    assert answer.hits[0].explain is not None
    lanes = set(answer.hits[0].explain.lanes)
    assert {"text:en", "bm25:en", "image:en"} & lanes >= {"text:en", "bm25:en"}


def test_a_bad_translation_does_not_hide_what_the_query_finds(shop: Engine) -> None:
    assert "red-sofa" in found(shop, "red sofa")[:3]
    assert found(shop, "red sofa", profile="plain")[0] == "red-sofa"
