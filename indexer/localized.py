"""What catalogues say by language, currency and market: columns such as ``title_de`` and
``price_eur``, and maps such as ``{"EUR": 10, "at": {"EUR": 11}}``. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from engine.locales import parse_locale
from engine.prices import price_key

from .values import parse_price, parse_stock

_LANGUAGES = (
    "af am ar as az be bg bn bs ca cs cy da de el en eo es et eu fa fi fil fr ga gl gu he hi hr hu "
    "hy id is it ja ka kk km kn ko ku ky lb lo lt lv mk ml mn mr ms mt my nb ne nl nn no or pa pl "
    "ps pt ro ru si sk sl so sq sr sv sw ta te th tl tr uk ur uz vi xh zh zu"
)
LANGUAGES = frozenset(_LANGUAGES.split())
"""Languages that a column's name may end in; not all of ISO 639, for names also end in words."""
IDENTIFIERS = frozenset({"id", "no"})
"""Languages (Indonesian, Norwegian) whose codes also end the names of identifiers and numbers."""
_WORDS = re.compile(r"[^\W\d_]{2,}\s+[^\W\d_]{2,}")
_CURRENCIES = (
    "AED ARS AUD BAM BDT BGN BHD BOB BRL CAD CHF CLP CNY COP CRC CZK DKK DOP DZD EGP EUR GBP GEL "
    "GHS GTQ HKD HUF IDR ILS INR ISK JOD JPY KES KRW KWD KZT LBP LKR MAD MDL MKD MXN MYR NGN NOK "
    "NZD OMR PEN PHP PKR PLN PYG QAR RON RSD RUB SAR SEK SGD THB TND TWD UAH USD UYU UZS VND XAF "
    "XOF ZAR"
)
CURRENCIES = frozenset(_CURRENCIES.split())
"""Currencies that a column's name may end in; without those that are English words."""
_AMOUNT = ("price", "amount", "value")
_CURRENCY = ("currency", "currency_code", "currencyCode")
_MARKET = ("market", "country", "region")
_CODE = re.compile("[A-Za-z]{3}")


class Market(NamedTuple):
    """A market of the shop, by its casefolded name, and what is paid there."""

    name: str
    currency: str


class Place(NamedTuple):
    """What a column says of whom: a ``field`` in one locale, currency or market."""

    field: str
    locale: str = ""
    currency: str = ""
    market: str = ""


def place_of_column(
    normal: str, fields: Mapping[str, tuple[str, ...]], markets: Mapping[str, Market]
) -> Place | None:
    """What a normalized name such as ``title_pt_br``, ``price_eur`` or ``price_united_states`` is
    about. ``markets`` are those of the shop by their normalized names: no other is guessed."""
    for field in ("title", "description"):
        for rest in _rests(normal, fields[field]):
            if rest.partition("_")[0] in LANGUAGES and (tag := _tag(rest)):
                return Place(field, locale=tag)
    for field in ("sale_price", "price"):
        for rest in _rests(normal, fields[field]):
            first, _, last = rest.rpartition("_")
            if last.upper() in CURRENCIES and not first:
                return Place(field, currency=last.upper())
            if last.upper() in CURRENCIES and first in markets:
                return Place(field, currency=last.upper(), market=markets[first].name)
            if rest in markets:
                return Place(field, currency=markets[rest].currency, market=markets[rest].name)
    for rest in _rests(normal, (*fields["in_stock"], "included")):
        if rest in markets:
            return Place("stock", market=markets[rest].name)
    return None


def reads_as_text(value: Any) -> bool:
    """Whether it has two words in a row, as no identifier has."""
    return isinstance(value, str) and _WORDS.search(value) is not None


def read_prices(value: Any) -> tuple[dict[str, float], list[str]]:
    """Prices by key of a map, ``{"EUR": 10, "at": {"EUR": 11}, "ch/EUR": 9}``, or of a list of
    objects such as ``{"currency": "EUR", "amount": 10, "country": "at"}``; and what is wrong with
    the others."""
    found: dict[str, float] = {}
    problems: list[str] = []
    for market, currency, amount in _entries(value):
        try:
            price, named = parse_price(amount)
            code = currency or named
            if not _CODE.fullmatch(code):
                raise ValueError(f"{code[:20]!r} is no currency of ISO 4217")
            if len(market) > 64 or "/" in market:
                raise ValueError(f"{market[:40]!r} is no name of a market")
        except ValueError as error:
            problems.append(str(error))
            continue
        found[price_key(code.upper(), market.casefold())] = price
    return found, problems


def read_stock(value: Mapping[Any, Any]) -> tuple[dict[str, bool], list[str]]:
    """Stock by market, and what is wrong with the others."""
    found: dict[str, bool] = {}
    problems: list[str] = []
    for market, raw in value.items():
        name = str(market).strip().casefold()
        try:
            if not 1 <= len(name) <= 64 or "/" in name:
                raise ValueError(f"{name[:40]!r} is no name of a market")
            found[name] = parse_stock(raw)
        except ValueError as error:
            problems.append(str(error))
    return found, problems


def _rests(normal: str, names: tuple[str, ...]) -> Iterator[str]:
    """What follows one of ``names`` in a normalized column name."""
    for name in names:
        if normal.startswith(f"{name}_"):
            yield normal.removeprefix(f"{name}_")


def _tag(text: str) -> str:
    try:
        return parse_locale(text)
    except ValueError:
        return ""


def _entries(value: Any) -> Iterator[tuple[str, str, Any]]:
    """Market, currency and amount."""
    if isinstance(value, Mapping):
        for name, held in value.items():
            if isinstance(held, Mapping):
                yield from ((str(name).strip(), str(code), amount) for code, amount in held.items())
            else:
                market, _, code = str(name).strip().rpartition("/")
                yield market, code, held
    for item in value if isinstance(value, list | tuple) else ():
        if isinstance(item, Mapping):
            market, currency = _first(item, _MARKET), _first(item, _CURRENCY)
            yield str(market or "").strip(), str(currency or "").strip(), _first(item, _AMOUNT)
        else:
            yield "", "", item


def _first(item: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((item[name] for name in names if name in item), None)
