"""Rows to products: guessed columns, the feeds everyone has, and what is wrong with rows."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.protocols import RawRecord
from engine.schema import FieldKind, field_values
from engine.settings import CatalogueSettings
from engine.types import Product, Translation, product_to_dict
from indexer.inference import MAX_FIELDS, SchemaInference, conform
from indexer.mapping import Mapper
from indexer.report import Issue
from indexer.shopify import merge_variants
from plugins.sources import CsvSource

FEEDS = Path(__file__).parent / "feeds"


def convert(
    data: dict[str, Any], settings: CatalogueSettings | None = None
) -> tuple[Product | None, list[Issue]]:
    return Mapper(settings or CatalogueSettings()).map(RawRecord(7, data))


def good(data: dict[str, Any], **settings: Any) -> Product:
    product, issues = convert({"id": "1", "title": "t", **data}, CatalogueSettings(**settings))
    assert issues == []
    assert product is not None
    # Whatever is made here must survive the trip to disk and back.
    return msgspec.convert(msgspec.to_builtins(product), Product)


def warning(data: dict[str, Any]) -> tuple[Product, str, str]:
    product, issues = convert({"id": "1", "title": "t", **data})
    assert product is not None
    (issue,) = issues
    assert (issue.line, issue.id, issue.severity) == (7, "1", "warning")
    return product, issue.field, issue.reason


def test_our_own_names() -> None:
    product = Product(
        id="1",
        title="Red shoe",
        description="With laces",
        category=("Shoes", "Red"),
        brand="Acme",
        price=12.5,
        currency="EUR",
        attributes={"size": 42.0, "vegan": True, "colors": ["red", "blue"], "fit": "wide"},
        images=("a.jpg", "b.jpg"),
        locale="en",
        translations={"sv": Translation("Röd sko", "Med snören")},
        group_id="g",
        in_stock=False,
        updated_at="2026-01-02T03:04:05+00:00",
    )
    assert convert(product_to_dict(product)) == (product, [])


TEXT = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8)
VALUE = st.one_of(
    TEXT, st.floats(-1e9, 1e9), st.booleans(), st.lists(TEXT, min_size=1, max_size=3, unique=True)
)
NAME = TEXT.map(lambda name: f"x{name}")


@given(
    st.builds(
        Product,
        id=TEXT,
        title=TEXT,
        description=TEXT,
        category=st.lists(TEXT, max_size=3).map(tuple),
        brand=TEXT,
        price=st.none() | st.floats(0, 1e6),
        attributes=st.dictionaries(NAME, VALUE, max_size=4),
        images=st.lists(TEXT, max_size=3, unique=True).map(tuple),
        translations=st.dictionaries(
            st.sampled_from(["sv", "de-AT"]), st.builds(Translation, TEXT, TEXT)
        ),
        in_stock=st.booleans(),
    )
)
def test_a_product_maps_to_itself(product: Product) -> None:
    mapped, issues = convert(product_to_dict(product))
    assert (mapped, issues) == (product, [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=8,
)
KEY = st.sampled_from([*Product.__struct_fields__, "name", "image", "g:price", "tags", "x.y", ""])


@given(st.dictionaries(KEY, JSON, max_size=8))
def test_no_row_is_too_strange(row: dict[str, Any]) -> None:
    """A product that the whole system can hold, or at least one error."""
    product, issues = convert(row)
    if product is None:
        assert issues
        return
    assert msgspec.convert(msgspec.to_builtins(product), Product) == product
    inference = SchemaInference({})
    inference.add(product)
    schema, _ = inference.schema()
    field_values(conform(product, schema), schema)


@pytest.mark.parametrize(
    ("row", "field", "words"),
    [
        ({"title": "t"}, "id", "missing or empty; name its column"),
        ({"id": "  ", "title": "t"}, "id", "missing"),
        ({"id": "x" * 257, "title": "t"}, "id", "over 256"),
        ({"id": "a\0b", "title": "t"}, "id", "control"),
        ({"id": ["1"], "title": "t"}, "id", "missing"),
        ({"id": "1"}, "title", "missing or empty"),
        ({"id": "1", "title": " <b></b> "}, "title", "missing or empty"),
    ],
)
def test_unusable_rows(row: dict[str, Any], field: str, words: str) -> None:
    product, (issue,) = convert(row)
    assert product is None
    assert (issue.line, issue.field, issue.severity) == (7, field, "error")
    assert words in issue.reason


def test_an_unreadable_row_is_an_error() -> None:
    product, (issue,) = Mapper(CatalogueSettings()).map(RawRecord(3, {}, "not valid JSON"))
    assert product is None
    assert str(issue) == "error: line 3: not valid JSON"


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"price": "cheap"}, "price"),
        ({"in_stock": "perhaps"}, "in_stock"),
        ({"updated_at": "lately"}, "updated_at"),
        ({"locale": "x"}, "locale"),
        ({"description": ["a"]}, "description"),
        ({"when": b"bytes"}, "when"),
        ({"sizes": [str(n) for n in range(501)]}, "sizes"),
    ],
)
def test_an_unusable_optional_field_is_a_warning(row: dict[str, Any], field: str) -> None:
    assert warning(row)[1] == field


def test_long_texts_are_cut() -> None:
    product, field, reason = warning({"description": "word " * 1_000_000})
    assert (field, reason) == ("description", "5,000,000 characters; cut to 200,000")
    assert 199_990 <= len(product.description) <= 200_000
    product, field, _ = warning({"title": "x" * 1001})
    assert (field, len(product.title)) == ("title", 1000)
    product, field, _ = warning({"note": "x" * 10_001})
    assert (field, product.attributes["note"]) == ("note", "x" * 10_000)


def test_guesses() -> None:
    product = good(
        {
            "title": None,
            "name": "Lamp",
            "image_url": "lamp.jpg",
            "images": ["lamp.jpg", {"src": "lamp2.jpg"}],
            "manufacturer": "Acme",
            "quantity": 0,
            "Power Supply": "mains",
        }
    )
    assert (product.title, product.images) == ("Lamp", ("lamp.jpg", "lamp2.jpg"))
    assert (product.brand, product.in_stock) == ("Acme", False)
    assert product.attributes == {"Power Supply": "mains"}


def test_the_settings_choose_columns() -> None:
    product = good(
        {"ref": "9", "label": "Lamp", "foto": "l.jpg", "farbe": "rot", "secret": "x"},
        columns={"id": "ref", "title": "label", "image": "foto", "color": "farbe"},
        ignore=("secret",),
        currency="EUR",
    )
    assert (product.id, product.title, product.images) == ("9", "Lamp", ("l.jpg",))
    assert product.attributes == {"color": "rot", "id": "1", "title": "t"}


def test_keys_of_nested_attributes_can_be_ignored() -> None:
    product = good({"attributes": {"color": "red", "internal": "x"}}, ignore=("internal",))
    assert product.attributes == {"color": "red"}


def test_locales() -> None:
    product = good(
        {
            "title": {"en": "Apple", "sv": "Äpple"},
            "description": {"sv": "Sött", "de": "Süß"},
            "translations": {"fr": {"title": "Pomme"}},
        }
    )
    assert (product.title, product.description, product.locale) == ("Apple", "", "en")
    assert product.translations == {
        "sv": Translation("Äpple", "Sött"),
        "de": Translation("", "Süß"),
        "fr": Translation("Pomme", ""),
    }
    other = good({"title": {"sv": "Äpple"}})
    assert (other.title, other.locale, other.translations) == ("Äpple", "sv", {})
    plain = good({"title": {"sv": "Äpple"}, "description": "En frukt."})
    assert (plain.description, plain.translations) == ("En frukt.", {})


def test_nested_attributes() -> None:
    product = good(
        {
            "attributes": {"brand": "Acme", "color": "red", "size": {"w": 1, "h": 2}},
            "variants": [{"sku": "a", "size": "13 inch"}, {"sku": "b", "opts": ["x", 2.0]}],
            "weight.kg": Decimal("1.5"),
            "since": datetime(2026, 1, 2),
            "brand_": None,
            "tags": "new, sale",
        }
    )
    assert product.brand == "Acme"
    assert product.attributes == {
        "color": "red",
        "size_w": 1.0,
        "size_h": 2.0,
        "variants": ["a", "13 inch", "b", "x", "2"],
        "weight_kg": 1.5,
        "since": "2026-01-02T00:00:00",
        "tags": ["new", "sale"],
    }


@pytest.mark.parametrize(
    ("cell", "separator", "path"),
    [
        ("A > B>C", "", ("A", "B", "C")),
        ("A/B", "", ("A", "B")),
        ("A/B > C", "", ("A/B", "C")),
        ("A|B/C", "|", ("A", "B/C")),
        (["A", "B"], "", ("A", "B")),
        ([["A", "B"], ["C"]], "", ("A", "B")),
        ({"en": "A > B"}, "", ("A", "B")),
        ("", "", ()),
    ],
)
def test_categories(cell: Any, separator: str, path: tuple[str, ...]) -> None:
    assert good({"category": cell}, category_separator=separator).category == path


@pytest.mark.parametrize(
    ("column", "cell", "refs"),
    [
        ("image", "red, blue.jpg", ("red, blue.jpg",)),
        ("images", "a.jpg, b.jpg;c.jpg|d.jpg", ("a.jpg", "b.jpg", "c.jpg", "d.jpg")),
        ("image", "https://x/a,b.jpg, https://x/c.jpg", ("https://x/a,b.jpg", "https://x/c.jpg")),
        ("image", "data:image/png;base64,AA,BB|C", ("data:image/png;base64,AA,BB|C",)),
        ("photos", [{"url": "a.jpg"}, 3, "a.jpg"], ("a.jpg",)),
    ],
)
def test_photo_cells(column: str, cell: Any, refs: tuple[str, ...]) -> None:
    assert good({column: cell}).images == refs


def test_too_many_photos() -> None:
    product, field, reason = warning({"images": [f"{n}.jpg" for n in range(11)]})
    assert (field, len(product.images)) == ("images", 8)
    assert reason == "11 photos; the first 8 are used"


def read_feed(name: str) -> tuple[dict[str, Product], list[Issue]]:
    mapper, products, problems = Mapper(CatalogueSettings()), {}, []
    for record in merge_variants(CsvSource().open(str(FEEDS / name))):
        product, issues = mapper.map(record)
        problems += issues
        if product is not None:
            products[product.id] = product
    return products, problems


def test_google_merchant_feed() -> None:
    products, problems = read_feed("google.tsv")
    tv, shirt = products["TV_123456"], products["SHIRT-1"]
    assert (tv.price, tv.currency, tv.in_stock) == (159.0, "USD", True)
    assert tv.category == ("Home", "TVs", "Flat-screen")
    assert len(tv.images) == 3
    assert (shirt.price, shirt.in_stock, shirt.group_id) == (25.0, False, "SHIRT")
    assert (shirt.attributes["color"], shirt.attributes["size"]) == ("red", "M")
    assert problems == []


def test_shopify_export() -> None:
    products, problems = read_feed("shopify.csv")
    assert list(products) == ["canvas-sneaker", "gift-card"]
    shoe = products["canvas-sneaker"]
    assert (shoe.title, shoe.brand) == ("Canvas sneaker", "Acme")
    assert shoe.description == "Light & airy. For summer"
    assert shoe.category == ("Apparel & Accessories", "Shoes")
    assert (shoe.price, shoe.in_stock) == (39.5, True)
    assert shoe.images == tuple(f"https://cdn.example/{n}.jpg" for n in ("front", "side", "blue"))
    assert shoe.attributes == {
        "Type": "Sneakers",
        "Tags": ["summer", "sale"],
        "Status": "active",
        "gender": "unisex",
        "Color": ["Red", "Blue"],
        "Size": ["40", "41"],
        "sku": ["CS-R-40", "CS-R-41", "CS-B-40"],
    }
    assert products["gift-card"].in_stock is True
    assert [str(issue) for issue in problems] == [
        "warning: line 7 (draft-shoe): published: not published: left out",
        "warning: line 8 (hidden-shoe): published: not published: left out",
    ]


def test_two_products_in_a_row_with_one_handle_column_only() -> None:
    """A ``Handle`` column alone does not make a Shopify export."""
    rows = [RawRecord(n, {"handle": "x", "title": str(n)}) for n in (2, 3)]
    assert list(merge_variants(rows)) == rows


def infer(rows: list[dict[str, Any]], **overrides: FieldKind) -> tuple[dict[str, str], set[str]]:
    inference = SchemaInference(overrides)
    for number, row in enumerate(rows):
        inference.add(Product(id=str(number), title="t", attributes=row))
    schema, undeclared = inference.schema()
    return {name: str(kind) for name, kind in schema.attributes.items()}, set(undeclared)


def test_inferred_kinds() -> None:
    rows: list[dict[str, Any]] = [
        {
            "year": str(2000 + n % 9),
            "weight": n / 3,
            "organic": "yes" if n % 2 else "no",
            "new": bool(n % 2),
            "ean": f"0{7310000 + n}",
            "mixed": "1" if n % 2 else "large",
            "sizes": ["S", "M"],
            "link": f"https://shop.example/products/{n}-and-its-name",
            "story": "once upon a time " * 20,
            "part": f"AB-{n}",
        }
        for n in range(50)
    ]
    assert infer(rows) == (
        {
            "ean": "keyword",
            "mixed": "keyword",
            "new": "boolean",
            "organic": "boolean",
            "part": "keyword",
            "sizes": "keyword",
            "weight": "number",
            "year": "number",
        },
        {"link", "story"},
    )
    declared, undeclared = infer(rows, year=FieldKind.KEYWORD, link=FieldKind.KEYWORD)
    assert (declared["year"], declared["link"], undeclared) == ("keyword", "keyword", {"story"})


def test_too_many_attributes() -> None:
    rows = [{f"a{n}": "x" for n in range(5000)}, {"a0": "y"}]
    declared, undeclared = infer(rows, rare=FieldKind.NUMBER)
    assert len(declared) == MAX_FIELDS
    assert {"a0", "rare"} <= declared.keys()
    assert "a999" in undeclared


def test_conform_types_attributes() -> None:
    inference = SchemaInference({})
    product = Product(
        id="1", title="t", attributes={"year": "2011", "new": "yes", "color": "red", "w": 1.5}
    )
    inference.add(product)
    schema, _ = inference.schema()
    assert conform(product, schema).attributes == {
        "year": 2011.0,
        "new": True,
        "color": "red",
        "w": 1.5,
    }
    assert conform(Product(id="2", title="t"), schema) == Product(id="2", title="t")
