"""Cells to values."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.values import parse_flag, parse_price, parse_stock, parse_time, strip_html


@pytest.mark.parametrize(
    ("cell", "amount", "currency"),
    [
        (15, 15.0, ""),
        (Decimal("9.99"), 9.99, ""),
        ("0", 0.0, ""),
        ("1,299.00", 1299.0, ""),
        ("15.00 USD", 15.0, "USD"),
        ("usd 15", 15.0, "USD"),
        ("€ 12,50", 12.5, "EUR"),
        ("12.50€", 12.5, "EUR"),
        ("$5", 5.0, ""),
        ("US$ 1,000", 1000.0, "USD"),
        ("1.299,00 kr", 1299.0, ""),
        ("1 299,00 zł", 1299.0, "PLN"),
        ("1\u202f299,5", 1299.5, ""),
        ("1'299.-", 1299.0, ""),
        ("1,299", 1299.0, ""),
        ("0,299", 0.299, ""),
        ("12,5", 12.5, ""),
        ("1.299", 1.299, ""),
        ("1.299.000", 1299000.0, ""),
        ("1,299,000", 1299000.0, ""),
        ("1,50,000.00", 150000.0, ""),
    ],
)
def test_prices(cell: Any, amount: float, currency: str) -> None:
    assert parse_price(cell) == (amount, currency)


@pytest.mark.parametrize(
    "cell",
    [
        *("", "free", "-3", "(5)", "−5", "12-15", "12 or 15", "5 ea", "1 USD 2", "€5 EUR", "1e400"),
        *(True, None, [5], -1, float("nan"), float("inf"), 10**400, "9" * 400),
    ],
)
def test_not_a_price(cell: Any) -> None:
    with pytest.raises((ValueError, OverflowError)):
        parse_price(cell)


@given(st.text(max_size=40))
def test_a_price_is_finite_or_refused(cell: str) -> None:
    try:
        amount, currency = parse_price(cell)
    except ValueError:
        return
    assert 0 <= amount <= 1e12
    assert currency == "" or (len(currency) == 3 and currency.isupper())


@given(st.decimals(0, 10**9, places=2))
def test_both_ways_to_write_a_price(amount: Decimal) -> None:
    english = f"{amount:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    assert parse_price(english)[0] == parse_price(german)[0] == float(amount)


@pytest.mark.parametrize(
    ("cell", "flag"),
    [
        *((True, True), (0, False), (3, True), ("12", True), ("0", False), ("-2", False)),
        *(("in stock", True), ("In_Stock", True), ("https://schema.org/InStock", True)),
        *(("out of stock", False), ("Sold Out", False), ("OutOfStock", False), ("no", False)),
        *(("preorder", True), ("backorder", True)),
    ],
)
def test_stock(cell: Any, flag: bool) -> None:
    assert parse_stock(cell) is flag


@pytest.mark.parametrize("cell", ["soon", "", [1], {}])
def test_not_a_stock(cell: Any) -> None:
    with pytest.raises(ValueError, match="neither"):
        parse_stock(cell)


def test_flags() -> None:
    assert [parse_flag(x) for x in (True, "YES", "n", "maybe", None)] == [
        *(True, True, False, None, None)
    ]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("2026-01-02", "2026-01-02T00:00:00+00:00"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T03:04:05+02:00"),
        (1767322245, "2026-01-02T02:50:45+00:00"),
        ("1767322245", "2026-01-02T02:50:45+00:00"),
        (datetime(2026, 1, 2, 3), "2026-01-02T03:00:00+00:00"),
        (date(2026, 1, 2), "2026-01-02T00:00:00+00:00"),
    ],
)
def test_times(cell: Any, text: str) -> None:
    assert parse_time(cell) == text


@pytest.mark.parametrize("cell", ["yesterday", "", True, [1], 10**30, float("nan"), "2026-13-01"])
def test_not_a_time(cell: Any) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        parse_time(cell)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain,  two\nlines", "plain, two lines"),
        ("a < b & c > d", "a < b & c > d"),
        ("<p>Bold<b>er</b></p><ul><li>one</li><li>two</li></ul>", "Bolder one two"),
        ("<style>p { x }</style>A&nbsp;&amp;&#32;B<!-- no -->C<script>x</script >", "A & B C"),
        ("1 <br/>2<BR>3", "1 2 3"),
        ("never <!-- closed", "never <!-- closed"),
    ],
)
def test_html(html: str, text: str) -> None:
    assert strip_html(html) == text


@pytest.mark.parametrize(
    "part", ["<", "<a ", "<a href='", "<!--", "<script>", "<![CDATA[", "</", "<?", "&", "&#"]
)
def test_html_of_any_kind_takes_linear_time(part: str) -> None:
    """The whole file has a time limit of its own; quadratic time here would be minutes."""
    assert isinstance(strip_html("<b>x</b>" + part * (2_000_000 // len(part))), str)
