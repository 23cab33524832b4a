"""Correcting typing errors by the shop's own words."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Encoder, IndexSchema, Lexicon, QueryPlan, QueryProcessor, ShopView
from engine.conformance.queries import a_shop
from engine.lexicon import LexiconReader
from engine.testing import QueryProcessorContract
from plugins.spelling import Spelling
from plugins.typo_costs import NEIGHBOURS, typo_cost

TITLES = [
    *["Nike Men Blue Running Shoes"] * 8,
    *["Puma Women Purple Running Shoes"] * 6,
    *["Acme Men Leather Backpack"] * 6,
    *["Women Red Leather Handbag"] * 6,
    *["Men Striped T-Shirt"] * 8,
    *["Zorblax Women Purple Shirt"] * 3,
    *["Stainless Steel Watch GA-B75M"] * 3,
]
"""A catalogue whose counts are far apart, so that what is likelier is plain."""


def lexicon_of(titles: Iterable[str]) -> Lexicon:
    reader = LexiconReader()
    reader.read(list(titles), [])
    return reader.lexicon()


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return a_shop().text_encoder


@pytest.fixture(scope="module")
def shop(encoder: Encoder) -> ShopView:
    return ShopView(IndexSchema(), {}, encoder, lexicon=lexicon_of(TITLES))


SPELLING = Spelling()


def plan(text: str, shop: ShopView, locale: str | None = None, *ignored: str) -> QueryPlan:
    asked = QueryPlan(original=text, text=text, locale=locale, ignored=ignored)
    return SPELLING.process(asked, shop)


def corrected(text: str, titles: Iterable[str], encoder: Encoder) -> str:
    shop = ShopView(IndexSchema(), {}, encoder, lexicon=lexicon_of(titles))
    return Spelling().process(QueryPlan(original=text, text=text), shop).text


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("purpel runing shooes", "purple running shoes"),  # swapped, missing, added
        ("pyrple handbag", "purple handbag"),
        ("stainlss steel watc", "stainless steel watch"),
        ("hndbag", "handbag"),
        ("runningshoes", "running shoes"),
        ("back pack", "backpack"),
        ("leathr backpakc", "leather backpack"),
        ("hndbags", "handbags"),  # the shop writes none but single ones
        ("striped shirt for mne", "striped shirt for men"),
        ("Leathr, Handbg!", "leather, handbag!"),
        ("leathr handbag in rde", "leather handbag in red"),  # "in" is German and Dutch as well
    ],
)
def test_typing_errors_become_the_shops_words(typed: str, meant: str, shop: ShopView) -> None:
    found = plan(typed, shop)
    assert found.text == meant
    assert found.corrections
    assert all(" → " in told for told in found.corrections)


@pytest.mark.parametrize(
    "typed",
    [
        "nike zorblax",  # brands
        "GA-B75M ga-b75n",  # codes
        "501 10.5 2xl",  # numbers and sizes
        "purse wallet",  # what the shop lacks, and people say
        "lether@example.com purpel.example/shooes",
        "under 50 without",
        "handbags shirts watches",  # forms of its words
        "unstriped nonleather stripeing padding grating",  # made of its words, or of English ones
        "鞋子 сумка",
        "🙂 ‎",
        "men",
    ],
)
def test_what_may_be_meant_stands(typed: str, shop: ShopView) -> None:
    found = plan(typed, shop)
    assert found.text == typed
    assert found.corrections == ()


def test_neighbours_decide_between_words(encoder: Encoder) -> None:
    titles = [*["Blue Denim Shirt"] * 5, *["Denim Mini Skirt"] * 5]
    assert corrected("blue denim sjirt", titles, encoder) == "blue denim shirt"
    assert corrected("mini sjirt", titles, encoder) == "mini skirt"
    assert corrected("sjirt mini", titles, encoder) == "skirt mini"


def test_a_plural_of_another_form_than_its_singular_ends(encoder: Encoder) -> None:
    titles = ["Multicolor Socks"] * 20
    assert corrected("multicolores", titles, encoder) == "multicolor"
    assert corrected("multicolors", titles, encoder) == "multicolor"


def test_four_letters_become_no_word_that_hardly_any_product_has(encoder: Encoder) -> None:
    many = ["Nike Men Blue Running Shoes"] * 1600
    assert corrected("asus", [*many, "Smart Ass Shirt"], encoder) == "asus"
    assert corrected("asus shirt", [*many, *["Smart Ass Shirt"] * 20], encoder) == "ass shirt"
    assert corrected("blxe", many, encoder) == "blue"


SHOP = [
    *["Acme Stainless Steel Ball Bearing"] * 20,
    *["Double Kitchen Sink"] * 30,
    *["Racer Back Vest"] * 20,
    *["Nike Men Blue Running Shoes"] * 3000,
    *["Poultry Roasting Pan With Rack"] * 20,
    *["Fender Song Book Sing Along"],
    *["Water Filter Replacement"] * 20,
]
"""With words that are common English elsewhere, and words that few products have."""


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("steel ball beating", "steel ball bearing"),  # a word of English that the shop lacks
        ("beating", "beating"),
        ("beating eggs", "beating eggs"),
        ("pxn roasting", "pan roasting"),  # they stand in titles together, not side by side
        ("roasting pn", "roasting pan"),
        ("pn", "pn"),  # of two letters only where other words speak for it
        ("runing pn", "running pn"),
        ("waetr filtr", "water filter"),  # what is put right speaks for what follows
    ],
)
def test_the_other_words_decide(typed: str, meant: str, encoder: Encoder) -> None:
    assert corrected(typed, SHOP, encoder) == meant


@pytest.mark.parametrize(
    ("typed", "expansion"),
    [
        ("double sing", "double sink"),  # both are the shop's, one of a single product
        ("sing", ""),
        ("acer", "racer"),  # a brand that the shop lacks, or a letter that is missing
        ("acer pompelmoes", "racer pompelmoes"),
        ("double sink", ""),
    ],
)
def test_what_is_likely_but_not_sure_is_searched_for_beside_it(
    typed: str, expansion: str, encoder: Encoder
) -> None:
    shop = ShopView(IndexSchema(), {}, encoder, lexicon=lexicon_of(SHOP))
    found = Spelling().process(QueryPlan(original=typed, text=typed), shop)
    assert (found.text, found.corrections, found.expansion) == (typed, (), expansion)
    taken_back = tuple(f"spelling:{word}" for word in typed.split())
    asked = QueryPlan(original=typed, text=typed, ignored=taken_back)
    assert Spelling().process(asked, shop).expansion == ""


@pytest.mark.parametrize(
    "typed",
    [
        "rote Ledertasche",  # a colour
        "pin für blu",  # a preposition
        "nikè",  # an accent
        "purpel Wassermelonenlippenbalsem",  # beside a word that nobody knows
    ],
)
def test_words_of_another_language_are_left_alone(typed: str, encoder: Encoder) -> None:
    titles = [*TITLES, *["Rose Pen Blue"] * 20]
    assert corrected(typed, titles, encoder) == typed


def test_an_error_that_is_a_foreign_word_is_corrected(shop: ShopView) -> None:
    assert plan("bleu running shoes", shop).text == "blue running shoes"


def test_a_shop_in_another_language_has_its_own_words(encoder: Encoder) -> None:
    titles = ["Rote Ledertasche für Damen", "Blaue Hose"] * 20
    shop = ShopView(IndexSchema(), {}, encoder, locale="de", lexicon=lexicon_of(titles))
    found = Spelling().process(QueryPlan("x", "rtoe Ledertashe für Damén"), shop)
    assert found.text == "rote ledertasche für Damén"


@pytest.mark.parametrize(
    ("locale", "typed", "meant"),
    [
        ("es", "vestdo para una mujer", "vestido para una mujer"),  # Portuguese, Italian
        ("es", "camisa azul mujre", "camisa azul mujer"),  # a shirt in Portuguese, too
        ("es", "parka para mujre", "parka para mujer"),  # and no word of its own is an error
    ],
)
def test_words_that_languages_share_are_not_foreign(
    locale: str, typed: str, meant: str, encoder: Encoder
) -> None:
    lexicon = lexicon_of(["Vestido rojo mujer", "Parka azul mujer"] * 20)
    shop = ShopView(IndexSchema(), {}, encoder, locale=locale, lexicon=lexicon)
    assert Spelling().process(QueryPlan(typed, typed), shop).text == meant


def test_a_shopper_takes_a_correction_back(shop: ShopView) -> None:
    assert plan("purpel shooes", shop, None, "spelling:purpel").text == "purpel shoes"
    assert plan("Purpel", shop, None, "spelling:purpel").text == "Purpel"
    assert plan("back pack", shop, None, "spelling:back pack").text == "back pack"


def test_other_languages_are_left_alone(shop: ShopView) -> None:
    assert plan("purpel", shop, "de").corrections == ()
    assert plan("purpel", shop, "en-GB").corrections == ("purpel → purple",)


def test_nothing_is_corrected_before_the_catalogue_was_read(encoder: Encoder) -> None:
    empty = ShopView(IndexSchema(), {}, encoder)
    assert Spelling().process(QueryPlan("purpel", "purpel"), empty).corrections == ()


def test_a_word_that_was_just_written_is_known_at_once(encoder: Encoder, shop: ShopView) -> None:
    spelling = Spelling()
    asked = QueryPlan(original="purpla", text="purpla")
    assert spelling.process(asked, shop).text == "purple"
    more = ShopView(
        IndexSchema(), {}, encoder, lexicon=shop.lexicon.with_words([("Purpla Lamp", ())])
    )
    assert spelling.process(asked, more) is asked
    # What is corrected to follows before the next first search, which warms up.
    near = QueryPlan(original="lampp", text="lampp")
    assert spelling.process(near, more) is near
    spelling.process(QueryPlan(), more)
    assert spelling.process(near, more).text == "lamp"


LEXICON = lexicon_of(TITLES)
WORDS = sorted(LEXICON.words)
queries = st.lists(
    st.one_of(st.sampled_from(WORDS), st.text(alphabet="abcdehlnoprstu -'1", max_size=12)),
    max_size=6,
).map(" ".join)


@given(queries)
def test_corrections_are_idempotent(text: str) -> None:
    shop = ShopView(IndexSchema(), {}, a_shop().text_encoder, lexicon=LEXICON)
    once = plan(text, shop)
    assert plan(once.text, shop).corrections == ()


@given(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join))
def test_no_word_of_the_shop_is_ever_changed(text: str) -> None:
    shop = ShopView(IndexSchema(), {}, a_shop().text_encoder, lexicon=LEXICON)
    assert plan(text, shop).text.replace(" ", "") == text.replace(" ", "")


letters = st.text(alphabet="abcdefgh", min_size=1, max_size=8)


@given(letters, letters)
def test_a_typo_costs_something_and_no_typo_nothing(a: str, b: str) -> None:
    assert (typo_cost(a, b) == 0) == (a == b)


def test_likelier_errors_cost_less() -> None:
    assert typo_cost("shirr", "shirt") < typo_cost("shirq", "shirt")  # r stands beside t
    assert typo_cost("runing", "running") < typo_cost("rnning", "running")  # a double letter
    assert typo_cost("sihrt", "shirt") < typo_cost("sxixrt", "shirt")
    assert typo_cost("qhirt", "shirt") > typo_cost("shiqt", "shirt")  # the first letter
    assert all(b + a in NEIGHBOURS for a, b in map(tuple, NEIGHBOURS))


class TestContract(QueryProcessorContract):
    @pytest.fixture
    def processor(self) -> QueryProcessor:
        return Spelling()
