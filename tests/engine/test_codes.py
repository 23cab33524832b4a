"""Identifiers in catalogues and in queries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Product
from engine.codes import MAX_CODE_CHARS, code_of, product_codes, query_codes


@pytest.mark.parametrize(
    ("title", "codes"),
    [
        ("DG3-1290 Hinge", ["p", "dg31290"]),
        ("BEHR 1-gal. #SC-141 Tugboat", ["p", "sc141"]),
        ("Lamp 500ml 18V 12in 2x4 10x12 36 in.", ["p"]),
        ("Tape 4011905 of 2011", ["p", "4011905"]),
        ("Plain shoes", ["p"]),
    ],
)
def test_codes_of_a_title(title: str, codes: list[str]) -> None:
    assert product_codes(Product("p", title)) == codes


def test_codes_of_attributes() -> None:
    product = Product(
        "AB-1",
        "Lamp",
        attributes={
            "Model Number": "XZ/9",
            "gtin": ["0012", "0013"],
            "SKU": 77.0,
            "color": "AB12C",
        },
    )
    assert product_codes(product) == ["ab1", "xz9", "0012", "0013", "77"]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("DG3-1290", ["dg31290"]),
        ("dg3 1290", ["dg31290"]),
        ("hinge DG3-1290", ["hingedg31290", "dg31290"]),
        ("shoes", ["shoes"]),
        ("red shoes", []),
        ("Ａ１２３４", ["a1234"]),
        ("where do I find the hinge DG3-1290", ["dg31290"]),
        ("500ml bottle of milk please now", []),
        ("🙂", []),
        ("x" * (MAX_CODE_CHARS + 1), []),
    ],
)
def test_codes_of_a_query(text: str, codes: list[str]) -> None:
    assert query_codes(text) == codes


@given(st.text(min_size=1, max_size=40).filter(lambda text: bool(code_of(text))))
def test_a_product_id_without_spaces_is_a_code_of_itself(id: str) -> None:
    typed = "".join(id.split())
    assert set(query_codes(typed)) & set(product_codes(Product(id, "Thing")))
