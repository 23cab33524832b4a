"""What a product costs in a currency and a market.

A key of :attr:`engine.types.Product.prices` is a currency ("EUR") or a market and a currency
("at/EUR"). What a product has no price for is not made up: a price in another currency is
converted only by rates that the shop gives, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from .types import Product

NO_DECIMALS = frozenset({"CLP", "IDR", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF"})
"""Currencies that are paid in whole units (ISO 4217, exponent 0; rupiah by custom)."""


class Price(Struct, frozen=True):
    """An amount; ``origin`` is the amount and currency that it was converted from."""

    amount: float
    origin: tuple[float, str] | None = None


def price_key(currency: str, market: str = "") -> str:
    """The key of a currency's price, in one market only where one is named."""
    return f"{market}/{currency}" if market else currency


def currency_of(key: str) -> str:
    """The currency of a key."""
    return key.rpartition("/")[2]


def price_of(product: Product, key: str, rates: Mapping[str, float]) -> Price | None:
    """The price by ``key``: the market's, else the currency's, else one converted by ``rates``
    (currency → units that are worth the same), from the product's own price if that can be."""
    currency = currency_of(key)
    special = product.prices.get(key) if key != currency else None
    own = product.price if product.currency == currency else None
    for amount in (special, own, product.prices.get(currency)):
        if amount is not None:
            return Price(amount)
    if (to := rates.get(currency)) is None:
        return None
    known = [(product.price, product.currency)]
    known += [(amount, name) for name, amount in sorted(product.prices.items()) if "/" not in name]
    for other, name in known:
        if other is not None and name in rates:
            digits = 0 if currency in NO_DECIMALS else 2
            return Price(round(other * to / rates[name], digits), (other, name))
    return None
