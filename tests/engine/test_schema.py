"""A product's declared fields, as stores index them, and its texts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from engine import FieldKind, IndexSchema, Product, Translation
from engine.documents import DESCRIPTION_CHARS, dense_text, keyword_fields, make_point
from engine.protocols import FieldText
from engine.schema import CORE_FIELDS, category_prefixes, coerce, field_values
from engine.types import product_to_dict

PRODUCT = Product(
    id="sku-1",
    title="Red purse",
    description="Soft leather.",
    category=("Bags", "Purses"),
    brand="Lux",
    price=19.5,
    currency="EUR",
    attributes={"color": ["red", "wine"], "heel": 3.0, "vegan": True, "style": "casual"},
    images=("a.jpg",),
    translations={"es": Translation("Bolso rojo", "Piel suave.")},
    group_id="purse",
    updated_at="2026-01-02T03:04:05",
)


def test_fields_of_a_full_product() -> None:
    schema = IndexSchema({"color": FieldKind.KEYWORD, "heel": FieldKind.NUMBER})
    assert field_values(PRODUCT, schema) == {
        "in_stock": True,
        "locale": "en",
        "category": ["Bags", "Bags > Purses"],
        "brand": "Lux",
        "currency": "EUR",
        "group_id": "purse",
        "price": 19.5,
        "updated_at": 1767323045.0,
        "color": ["red", "wine"],
        "heel": 3.0,
    }
    assert set(field_values(PRODUCT, schema)) == set(schema.names())


def test_absent_fields_are_left_out() -> None:
    schema = IndexSchema({"color": FieldKind.KEYWORD})
    assert field_values(Product("p", "Mug"), schema) == {"in_stock": True, "locale": "en"}


@pytest.fixture
def far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        ("1970-01-02", 86400.0),
        ("1970-01-01T00:00:10", 10.0),  # without an offset: UTC, wherever the machine stands
        ("1970-01-01T01:00:10+01:00", 10.0),
        ("1970-01-01T00:00:10Z", 10.0),
    ],
)
@pytest.mark.usefixtures("far_from_greenwich")
def test_moments(moment: str, seconds: float) -> None:
    product = msgspec.structs.replace(PRODUCT, updated_at=moment)
    assert field_values(product, IndexSchema())["updated_at"] == seconds


@pytest.mark.parametrize(
    ("value", "kind", "stored"),
    [
        ("red", FieldKind.KEYWORD, "red"),
        (["red", "blue"], FieldKind.KEYWORD, ["red", "blue"]),
        (True, FieldKind.KEYWORD, "true"),
        (12345678.0, FieldKind.KEYWORD, "12345678"),
        (7, FieldKind.KEYWORD, "7"),
        (1.25, FieldKind.KEYWORD, "1.25"),
        ("", FieldKind.KEYWORD, None),
        ([], FieldKind.KEYWORD, None),
        (None, FieldKind.NUMBER, None),
        (3, FieldKind.NUMBER, 3.0),
        ("3.5", FieldKind.NUMBER, 3.5),
        ("three", FieldKind.NUMBER, None),
        ("nan", FieldKind.NUMBER, None),
        (float("inf"), FieldKind.NUMBER, None),
        (10**400, FieldKind.NUMBER, None),
        (True, FieldKind.NUMBER, None),
        (["3"], FieldKind.NUMBER, None),
        (True, FieldKind.BOOLEAN, True),
        (False, FieldKind.BOOLEAN, False),
        ("true", FieldKind.BOOLEAN, None),
        (1.0, FieldKind.BOOLEAN, None),
    ],
)
def test_coercion(value: Any, kind: FieldKind, stored: Any) -> None:
    assert coerce(value, kind) == stored
    assert type(coerce(value, kind)) is type(stored)


def test_schema_names_and_kinds() -> None:
    schema = IndexSchema({"price": FieldKind.KEYWORD, "color": FieldKind.KEYWORD})
    assert schema.names()[: len(CORE_FIELDS)] == list(CORE_FIELDS)
    assert schema.kind("price") is FieldKind.NUMBER  # core fields cannot be redeclared
    assert schema.kind("color") is FieldKind.KEYWORD
    assert schema.kind("nothing") is None


def test_category_prefixes() -> None:
    assert category_prefixes(("A", "B", "C")) == ["A", "A > B", "A > B > C"]
    assert category_prefixes(()) == []


def test_addresses_are_not_embedded() -> None:
    product = Product(id="1", title="Lamp", attributes={"link": "https://shop.example/1"})
    assert dense_text(product) == "Lamp"


def test_texts() -> None:
    assert dense_text(PRODUCT) == "Red purse. Lux. Bags Purses. red wine. casual. Soft leather."
    assert [(part.field, part.text) for part in keyword_fields(PRODUCT)] == [
        ("title", "Red purse"),
        ("brand", "Lux"),
        ("category", "Bags\nPurses"),
        ("attributes", "red wine\ncasual"),
        ("description", "Soft leather."),
        ("title", "Bolso rojo"),
        ("description", "Piel suave."),
        ("codes", "sku1"),
    ]


def test_a_long_description_is_cut_for_the_encoder_only() -> None:
    product = msgspec.structs.replace(PRODUCT, description="x" * 5000)
    assert dense_text(product).endswith("x" * DESCRIPTION_CHARS)
    assert "x" * (DESCRIPTION_CHARS + 1) not in dense_text(product)
    assert FieldText("description", "x" * 5000, product.locale) in keyword_fields(product)


def test_make_point() -> None:
    point = make_point(PRODUCT, np.ones(3), np.ones((2, 4)), IndexSchema())
    assert point.text.dtype == point.images.dtype == np.float32
    assert (point.text.shape, point.images.shape) == ((3,), (2, 4))
    assert point.bm25 == keyword_fields(PRODUCT)
    assert point.fields == field_values(PRODUCT, IndexSchema())


def test_products_as_builtins() -> None:
    whole = product_to_dict(PRODUCT)
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(whole)), Product) == PRODUCT
    assert product_to_dict(Product("p", "Mug")) == {
        **{"id": "p", "title": "Mug", "description": "", "category": (), "brand": ""},
        **{"price": None, "currency": "", "attributes": {}, "images": (), "locale": "en"},
        **{"translations": {}, "group_id": "", "in_stock": True, "updated_at": ""},
        **{"prices": {}, "stock": {}},
    }
