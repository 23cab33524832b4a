"""The grammar: what is a price, a size, a quantity or unwanted, and above all what is not."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.types import MAX_QUERY_CHARS
from plugins.query_grammar import Negation, Reading, read
from plugins.query_measures import Measure
from plugins.query_prices import Price
from plugins.query_sizes import Quantity, Size
from plugins.query_tokens import Token, Tokens

EUR, GBP = ("EUR",), ("GBP",)


def only(text: str, locale: str = "en") -> Reading:
    (reading,) = read(text, locale)
    return reading


def prices(text: str, locale: str = "en") -> list[tuple[str, float | None, float | None]]:
    found = [r for r in read(text, locale) if isinstance(r, Price)]
    return [(text[r.start : r.end], r.gte, r.lte) for r in found]


@pytest.mark.parametrize(
    ("query", "said", "gte", "lte"),
    [
        ("shoes under 60", "under 60", None, 60),
        ("shoes under $60", "under $60", None, 60),
        ("under 60 shoes", "under 60", None, 60),
        ("red nike running shoes for women under 60", "under 60", None, 60),
        ("60 to 80 euros", "60 to 80 euros", 60, 80),
        ("less than 100 USD", "less than 100 USD", None, 100),
        ("bag < 50", "< 50", None, 50),
        ("bag <50", "<50", None, 50),
        ("bag <= $50", "<= $50", None, 50),
        ("between 20 and 40", "between 20 and 40", 20, 40),
        ("between 40 and 20", "between 40 and 20", 20, 40),
        ("from 20 to 40", "from 20 to 40", 20, 40),
        ("$20-$40 gifts", "$20-$40", 20, 40),
        ("20-40€", "20-40€", 20, 40),
        ("around 50", "around 50", 40, 60),
        ("max 30€", "max 30€", None, 30),
        ("jacket max 30", "max 30", None, 30),
        ("rain jacket budget 30", "budget 30", None, 30),
        ("50€", "50€", 40, 60),
        ("€50 voucher", "€50", 40, 60),
        ("shoes over 100", "over 100", 100, None),
        ("at least 20 dollars", "at least 20 dollars", 20, None),
        ("60 or less", "60 or less", None, 60),
        ("60 euros or less", "60 euros or less", None, 60),
        ("$30 and up", "$30 and up", 30, None),
        ("gifts for 20 dollars", "for 20 dollars", None, 20),
        ("no more than 50 shoes", "no more than 50", None, 50),
        ("not over 50", "not over 50", None, 50),
        ("laptop under 2k", "under 2k", None, 2000),
        ("under 1,299.50 $", "under 1,299.50 $", None, 1299.5),
        ("under 1.299,50 €", "under 1.299,50 €", None, 1299.5),
        ("under 1,299 dollars", "under 1,299 dollars", None, 1299),
        ("under 9,99 €", "under 9,99 €", None, 9.99),
        ("US$50", "US$50", 40, 60),
        ("rs. 500", "rs. 500", 400, 600),
        ("UNDER 60", "UNDER 60", None, 60),
        ("moins de 50 euros", "moins de 50 euros", None, 50),
        ("de 20 a 40 euros", "de 20 a 40 euros", 20, 40),
        ("unter 50 €", "unter 50 €", None, 50),
        ("headphones cheaper than fifty dollars", "cheaper than fifty dollars", None, 50),
        ("trainers under a hundred", "under a hundred", None, 100),
        ("chair under twenty-five", "under twenty-five", None, 25),
        ("chair under twenty five", "under twenty five", None, 25),
        ("sofa below two hundred and fifty", "below two hundred and fifty", None, 250),
        ("tv up to one thousand five hundred", "up to one thousand five hundred", None, 1500),
        ("bike over two thousand", "over two thousand", 2000, None),
        ("tv under a thousand", "under a thousand", None, 1000),
        ("max ten quid", "max ten quid", None, 10),
        ("between ten and twenty", "between ten and twenty", 10, 20),
        ("ninety euros or less", "ninety euros or less", None, 90),
        ("jacket 50-100", "50-100", 50, 100),
        ("jacket 50 to 100", "50 to 100", 50, 100),
        ("mirror 50ish", "50ish", 40, 60),
        ("mirror £50-ish", "£50-ish", 40, 60),
        ("my budget is 350", "my budget is 350", None, 350),
        ("i don't want to spend more than 40", "i don't want to spend more than 40", None, 40),
        ("nothing over 50", "nothing over 50", None, 50),
        ("bag more expensive than 200", "more expensive than 200", 200, None),
        ("lamp close to 40", "close to 40", 32, 48),
        ("shoes over 50", "over 50", 50, None),
        ("shoes over 50 for women", "over 50", 50, None),
        ("dvd price over 8", "price over 8", 8, None),
    ],
)
def test_prices(query: str, said: str, gte: float | None, lte: float | None) -> None:
    assert prices(query) == [(said, gte, lte)]


@pytest.mark.parametrize(
    ("query", "locale", "gte", "lte"),
    [
        ("schuhe unter 50", "de", None, 50),
        ("schuhe ab 50", "de-AT", 50, None),
        ("schuhe zwischen 20 und 40", "de", 20, 40),
        ("schuhe über 50", "de", 50, None),
        ("schuhe über 150 leder", "de", 150, None),
        ("chaussures moins de 50", "fr", None, 50),
        ("chaussures jusqu’à 50", "fr", None, 50),
        ("chaussures entre 20 et 40", "fr", 20, 40),
        ("zapatos menos de 50", "es-MX", None, 50),
        ("zapatos más de 50", "es", 50, None),
        ("zapatos mas de 50", "es", 50, None),
        ("scarpe meno di 50", "it", None, 50),
        ("scarpe tra 20 e 40", "it", 20, 40),
        ("sapatos até 50", "pt-BR", None, 50),
        ("schoenen onder de 50", "nl", None, 50),
        ("schoenen tussen 20 en 40", "nl", 20, 40),
        ("shoes under 50", "de", None, 50),
    ],
)
def test_prices_in_other_languages(
    query: str, locale: str, gte: float | None, lte: float | None
) -> None:
    assert [(low, high) for _, low, high in prices(query, locale)] == [(gte, lte)]


@pytest.mark.parametrize(
    ("query", "currencies", "weight"),
    [
        ("under 50", (), False),
        ("under 50 euro", EUR, False),
        ("under £50", GBP, False),
        ("under 50 pounds", GBP, True),
        ("under 50 chf", ("CHF",), False),
        ("20 quid", GBP, False),
    ],
)
def test_currencies(query: str, currencies: tuple[str, ...], weight: bool) -> None:
    price = only(query)
    assert isinstance(price, Price)
    assert (price.currencies, price.weight) == (currencies, weight)


def test_a_dollar_is_of_several_countries() -> None:
    price = only("under $50")
    assert isinstance(price, Price)
    assert {"USD", "CAD", "AUD"} <= set(price.currencies)


@pytest.mark.parametrize(
    "query",
    [
        "iphone 6",
        "501 jeans",
        "under armour",
        "under armour 11 shirt",
        "over the knee boots",
        "no 5 perfume",
        "chanel no. 5",
        "7 for all mankind",
        "air max 90",
        "iphone 15 pro max 256",
        "galaxy s20 under screen protector",
        "toys for kids under 5",
        "ages 3 to 5",
        "ages under 12",
        "vitamins for women over 50",
        "under 18 months",
        "under 60 inches",
        "under 5 ft christmas tree",
        "at least 8gb",
        "up to 4 players",
        "less than 100 calories",
        "up to 50 lbs",
        "from 1990",
        "from 1990 to",
        "5g phone",
        "3d printer",
        "4k tv",
        "2 in 1 laptop",
        "100% cotton",
        "under 20% off",
        "60x90 rug",
        "between 60x90 and 80x100",
        "24/7",
        "size 20 to 40",
        "about a boy",
        "around the world in 80 days",
        "under 007",
        "above ground pool",
        "windows 10",
        "max 30",
        "nike max 95",
        "max 90 shoes",
        "within 50",
        "unter 50",
        "sous 50",
        "over 21st birthday",
        "sub 4",
        "50 shades of grey",
        "1984",
        "fahrenheit 451",
        "wd40",
        "mach 3 razor",
        "under one roof",
        "size eight or under",
        "seven for all mankind",
        "one piece swimsuit",
        "a hundred years of solitude",
        "under twelve months",
        "lens 70-300",
        "boys shirt 8-10",
        "boys shirt 110-116",
        "size 50-100",
        "jacket 50-100 cm",
        "50-100",
        "jacket 50-100 black",
        "size 12ish",
        "60 or less calories",
        "over 40 vitamins",
        "over 18 board game",
        "shampoo for over 40",
        "toys over 8",
        "desk under 30 in",
    ],
)
def test_no_price(query: str) -> None:
    assert prices(query) == []


@pytest.mark.parametrize(
    ("query", "locale"),
    [
        ("wecker um 6 uhr", "de"),
        ("spiel ab 3", "de"),
        ("spiel ab 3 jahren", "de"),
        ("spielzeug für kinder ab 10", "de"),
        ("rucksack mindestens 20 l", "de"),
        ("jouet plus de 3 ans", "fr"),
        ("sac au moins 20 l", "fr"),
        ("mochila al menos 20 l", "es"),
        ("zaino almeno 20 l", "it"),
        ("rugzak minstens 20 l", "nl"),
    ],
)
def test_no_price_in_other_languages(query: str, locale: str) -> None:
    assert prices(query, locale) == []


@pytest.mark.parametrize("query", ["shoes over 50 and under 100", "over 50 under 100 shoes"])
def test_two_bounds_are_prices(query: str) -> None:
    found = [r for r in read(query) if isinstance(r, Price)]
    assert [(r.gte, r.lte, r.bare) for r in found] == [(50, None, False), (None, 100, False)]


@pytest.mark.parametrize(
    ("query", "bare"),
    [
        ("vitamins over 50", True),
        ("toys between 3 and 6", True),
        ("vitamins over $50", False),
        ("vitamins price over 50", False),
        ("shoes over 100", False),
        ("shoes under 50", False),
        ("shoes over 50 please", True),
        ("shoes between 30 and 60", False),
    ],
)
def test_what_may_be_an_age_is_for_titles_to_tell(query: str, bare: bool) -> None:
    (price,) = (r for r in read(query) if isinstance(r, Price))
    assert price.bare is bare


@pytest.mark.parametrize(
    ("query", "said", "amount", "unit"),
    [
        ("32 inch tv", "32 inch", 32, "inch"),
        ("32-inch tv", "32-inch", 32, "inch"),
        ('32" tv', '32"', 32, "inch"),
        ("500 ml shampoo", "500 ml", 500, "ml"),
        ("500ml shampoo", "500ml", 500, "ml"),
        ("1.5 l bottle", "1.5 l", 1.5, "l"),
        ("2 l shirts", None, 0, ""),  # "l" alone could be a size
        ("1.5l bottle", "1.5l", 1.5, "l"),
        ("10 pound dumbbell", "10 pound", 10, "lb"),
        ("64gb usb stick", "64gb", 64, "gb"),
    ],
)
def test_measures(query: str, said: str | None, amount: float, unit: str) -> None:
    found = [r for r in read(query) if isinstance(r, Measure)]
    expected = [(said, amount, unit)] if said else []
    assert [(query[r.start : r.end], r.amount, r.unit) for r in found] == expected


@pytest.mark.parametrize(
    ("query", "said", "size", "system"),
    [
        ("size 8 shoes", "size 8", "8", ""),
        ("shoes size 10.5", "size 10.5", "10.5", ""),
        ("shoes uk 9", "uk 9", "9", "uk"),
        ("uk9 boots", "uk9", "9", "uk"),
        ("boots 9 uk", "9 uk", "9", "uk"),
        ("shirt xl", "xl", "xl", ""),
        ("shirt 2xl", "2xl", "2xl", ""),
        ("shirt size m", "size m", "m", ""),
        ("queen size sheets", "queen size", "queen", ""),
        ("king-size bed", "king-size", "king", ""),
        ("talla 42", "talla 42", "42", ""),
        ("schuhe größe 42", "größe 42", "42", ""),
    ],
)
def test_sizes(query: str, said: str, size: str, system: str) -> None:
    (found,) = (r for r in read(query) if isinstance(r, Size))
    assert (query[found.start : found.end], found.size, found.system) == (said, size, system)
    assert found.sure


def test_half_a_size_is_for_the_shop_to_know() -> None:
    assert only("nike 10.5") == Size(5, 9, "10.5", sure=False)


@pytest.mark.parametrize("query", ["3.5 inch drive", "size matters", "usb 3.0", "1.5", "99.5 fm"])
def test_no_size(query: str) -> None:
    assert not [r for r in read(query) if isinstance(r, Size)]


@pytest.mark.parametrize(
    ("query", "count"), [("socks 2 pack", 2), ("pack of 12 socks", 12), ("12-count eggs", 12)]
)
def test_quantities(query: str, count: int) -> None:
    (found,) = (r for r in read(query) if isinstance(r, Quantity))
    assert found.count == count


@pytest.mark.parametrize(
    ("query", "body", "always"),
    [
        ("shoes not black", "black", False),
        ("shoes not in black", "black", False),
        ("shoes but not black", "black", False),
        ("shoes not for men", "men", False),
        ("juice without sugar", "sugar", True),
        ("juice without any sugar", "sugar", True),
        ("juice w/o sugar", "sugar", True),
        ("no leather shoes", "leather shoes", False),
        ("non-leather shoes", "leather shoes", False),
        ("non leather shoes", "leather shoes", False),
        ("shoes -black", "black", False),
        ("-black shoes", "black shoes", False),
        ("dress except red", "red", False),
        ("dress excluding red or blue for women", "red or blue", False),
        ("rebel without a cause", "cause", False),
        ("same but without the heel", "heel", False),
        ("camera not one of those folding ones", "folding ones", False),
        ("gloves rather than mittens", "mittens", True),
        ("tea instead of coffee", "coffee", True),
        ("nothing in black", "black", False),
        ("earrings but nothing gold", "gold", False),
        ("bread free from nuts", "nuts", False),
        ("shoes that aren't red", "red", False),
        ("boots thats not brown", "brown", False),
        ("anything apart from wool", "wool", False),
        ("shirt not from nike", "nike", False),
        ("coat but not with fur", "fur", False),
        ("not your mother's shampoo", "your mother's shampoo", False),
        ("coat that has no hood", "hood", True),
        ("juice neither apple nor orange", "apple nor orange", False),
        ("shoes of any brand but nike", "nike", False),
        ("shoes in any colour except red", "red", False),
        ("any shoe but the red one", "red one", False),
        ("lipstick except for pink, red and nude", "pink, red and nude", False),
        ("i'm allergic to wool", "wool", False),
        ("please leave out pink", "pink", False),
        ("shoes not black under 60", "black", False),
    ],
)
def test_negations(query: str, body: str, always: bool) -> None:
    (found,) = (r for r in read(query) if isinstance(r, Negation))
    assert (query[found.body : found.end], found.always) == (body, always)


@pytest.mark.parametrize(
    ("query", "locale", "body"),
    [
        ("schuhe ohne leder", "de", "leder"),
        ("schuhe nicht schwarz", "de", "schwarz"),
        ("keine lederschuhe", "de", "lederschuhe"),
        ("jus sans sucre", "fr", "sucre"),
        ("zumo sin azúcar", "es", "azúcar"),
        ("succo senza zucchero", "it", "zucchero"),
        ("suco sem açúcar", "pt", "açúcar"),
        ("sap zonder suiker", "nl", "suiker"),
    ],
)
def test_negations_in_other_languages(query: str, locale: str, body: str) -> None:
    (found,) = (r for r in read(query, locale) if isinstance(r, Negation))
    assert query[found.body : found.end] == body


@pytest.mark.parametrize(
    "query",
    [
        "sugar free drink",
        "sugar-free drink",
        "no 5 perfume",
        "t-shirt",
        "t -shirt",
        "x-ray",
        "spider-man",
        "comic sans poster",
        "sin city",
        "knot rug",
        "shoes -",
        "not",
        "without",
        "nonstick pan",
        "nothing phone 2",
    ],
)
def test_no_negation(query: str) -> None:
    assert not [r for r in read(query) if isinstance(r, Negation)]


PIECES = (
    *("fifty", "a", "hundred", "thousand", "one", "ish", "those"),
    *("under", "60", "$", "€", "-", "to", "between", "and", "not", "without", "no", "size", "xl"),
    *("1,299.50", "black", "or", "k", "inch", '"', "2", "pack", "of", "uk", " ", "  ", "…", "，"),
    *(
        "x",
        "by",
        "in",
        "ft",
        "'",
        "+",
        "ages",
        "ct",
        "gold",
        "1/2",
        "zwischen",
        "und",
        "year",
        "old",
    ),
)


@given(st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join) | st.text(max_size=200))
@example("١٢ under ٦٠ €")
@example("under " + "9" * 300)
@example("²³ under ¼")
def test_readings_lie_in_the_text_and_apart(text: str) -> None:
    end = 0
    for reading in read(text):
        assert end <= reading.start < reading.end <= len(text)
        end = reading.end
        if isinstance(reading, Price):
            assert reading.gte is not None or reading.lte is not None
        if isinstance(reading, Negation):
            assert reading.start <= reading.body < reading.end


@given(st.text(max_size=100))
def test_tokens_are_the_text(text: str) -> None:
    tokens = Tokens(text)
    covered = "".join(text[tokens[i].start : tokens[i].end] for i in range(len(tokens)))
    assert covered == "".join(c for c in text if not c.isspace())


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "a ",
            "1 ",
            "1,1 ",
            "under ",
            "not ",
            "- ",
            " -a",
            "$",
            "1-",
            "a'",
            "no more ",
            "_ ",
            "size ",
        ),
        *(
            "1x",
            "1 x ",
            "1 ct ",
            "ages ",
            "ages 1-",
            "1' ",
            "1/2 ",
            "max 1 ",
            "1 gb a b ",
            "over 1 pack ",
        ),
    ],
)
def test_work_is_linear(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many looks at a token, however long the query is; and the longest one is read."""
    looks = 0
    look_at = Tokens.__getitem__
    is_one_of = Tokens.has

    def counted_item(self: Tokens, i: int) -> Token:
        nonlocal looks
        looks += 1
        return look_at(self, i)

    def counted_has(self: Tokens, i: int, *texts: str) -> bool:
        nonlocal looks
        looks += 1
        return is_one_of(self, i, *texts)

    monkeypatch.setattr(Tokens, "__getitem__", counted_item)
    monkeypatch.setattr(Tokens, "has", counted_has)
    text = (unit * MAX_QUERY_CHARS)[:MAX_QUERY_CHARS]
    read(text)
    assert looks < 150 * len(Tokens(text))
