"""Cells to values: prices, stock, dates, HTML. Pure functions, no locale database."""

from __future__ import annotations

import html
import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

_SYMBOLS = {
    **{"us$": "USD", "a$": "AUD", "au$": "AUD", "c$": "CAD", "ca$": "CAD", "r$": "BRL"},
    **{"€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW", "₺": "TRY", "₽": "RUB"},
    **{"zł": "PLN", "₴": "UAH", "฿": "THB", "₪": "ILS", "₫": "VND", "kč": "CZK", "ft": "HUF"},
    **{"$": "", "kr": "", "kr.": "", "lei": "RON", "лв": "BGN"},
}
"""Signs and abbreviations; those of several currencies name none, the settings decide."""

_NUMBER = re.compile(r"\d[\d.,'’ \u00a0\u202f_]*")
_CODE = re.compile(r"[A-Za-z]{3}")
_YES = frozenset({"true", "yes", "y", "1", "on"})
_NO = frozenset({"false", "no", "n", "0", "off"})
_IN_STOCK = _YES | {
    *("in_stock", "instock", "available", "limited", "limited_availability", "low_stock"),
    *("preorder", "pre_order", "backorder", "back_order", "onbackorder", "available_for_order"),
}
_OUT_OF_STOCK = _NO | {
    *("out_of_stock", "outofstock", "sold_out", "soldout", "unavailable", "discontinued"),
    *("not_available", "none"),
}


def parse_price(value: Any) -> tuple[float, str]:
    """Amount and ISO 4217 code ("" if the cell names none): ``"1,299.00"``, ``"15.00 USD"``,
    ``"€ 12,50"``, ``"1.299,00 kr"``, ``"1'299.-"``.

    Of ``.`` and ``,`` the later one is the decimal sign if both occur. Alone, a sign that
    repeats groups thousands, and so does one comma before exactly three digits; one point is
    always decimal.

    Raises:
        ValueError: says why it is not one non-negative amount.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError(f"{_short(value)} is not a price")
    if not isinstance(value, str):
        return _amount(float(value), value), ""
    text = value.strip()
    numbers = [match for match in _NUMBER.finditer(text) if match.group().strip(" .,'’_")]
    if len(numbers) != 1:
        raise ValueError(f"{_short(value)} is not one price")
    before, after = text[: numbers[0].start()].strip(), text[numbers[0].end() :].strip()
    after = after.lstrip("-–—") if not before.endswith("-") else after
    if before.endswith(("-", "−", "(")):
        raise ValueError(f"{_short(value)} is negative")
    return _amount(_number(numbers[0].group()), value), _currency(before, after.strip(), value)


def _number(text: str) -> float:
    digits = re.sub(r"[^\d.,]", "", text).rstrip(".,")
    comma, point = digits.rfind(","), digits.rfind(".")
    if comma >= 0 and point >= 0:
        thousands = "." if comma > point else ","
    elif digits.count(",") > 1 or re.fullmatch(r"[1-9]\d{0,2},\d{3}", digits):
        thousands = ","
    else:
        thousands = "." if digits.count(".") > 1 else ""
    if thousands:
        digits = digits.replace(thousands, "")
    return float(digits.replace(",", "."))


def _amount(number: float, value: Any) -> float:
    if not math.isfinite(number) or number < 0 or number > 1e12:
        raise ValueError(f"{_short(value)} is not a price between 0 and 10¹²")
    return number


def _currency(before: str, after: str, value: str) -> str:
    if before and after:
        raise ValueError(f"{_short(value)} has words on both sides of the number")
    mark = before or after
    if not mark:
        return ""
    if mark.lower() in _SYMBOLS:
        return _SYMBOLS[mark.lower()]
    if _CODE.fullmatch(mark):
        return mark.upper()
    raise ValueError(f"{_short(value)}: {mark!r} is not a currency")


def parse_stock(value: Any) -> bool:
    """In stock or not: flags, quantities, and the words of the common feeds; an orderable
    product (preorder, backorder) is in stock. Raises ValueError."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        return value > 0
    if isinstance(value, str):
        # schema.org writes https://schema.org/InStock
        text = value.strip().lower().rpartition("/")[2]
        word = re.sub(r"[\s-]+", "_", text)
        if word in _IN_STOCK or word in _OUT_OF_STOCK:
            return word in _IN_STOCK
        try:
            return float(text) > 0
        except ValueError:
            pass
    raise ValueError(f"{_short(value)} says neither in stock nor out of stock")


def parse_flag(value: Any) -> bool | None:
    """A yes or no, however it is written; ``None`` for anything else."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    return True if word in _YES else False if word in _NO else None


def parse_time(value: Any) -> str:
    """ISO 8601 with an offset, from ISO text, a date, or seconds since the epoch; times
    without a zone are UTC. Raises ValueError."""
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day)
    else:
        try:
            number = None if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = None
        try:
            moment = (
                datetime.fromtimestamp(number, UTC)
                if number is not None and number > 1e8
                else datetime.fromisoformat(str(value).strip())
            )
        except (ValueError, OverflowError, OSError) as error:
            raise ValueError(f"{_short(value)} is not an ISO 8601 time") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


_MARKUP = re.compile(r"<[a-zA-Z/!?][^<>]*>|&#?\w{1,32};")
_TAG = re.compile(r"</?([a-zA-Z][\w:-]*)[^<>]*>|<[!?/][^<>]*>")
_INLINE = frozenset({"a", "abbr", "b", "em", "font", "i", "small", "span", "strong", "sub", "u"})


def strip_html(text: str) -> str:
    """Plain text of a description; text without markup comes back with its spaces tidied.

    A scanner of our own, for catalogues are untrusted: Python's ``html.parser`` takes
    minutes for 200 kB of unclosed tags, this one takes linear time for any input.
    """
    if _MARKUP.search(text):
        text = _without(text, re.compile("<!--"), re.compile("-->"))
        for name in ("script", "style"):
            opening, closing = rf"<{name}\b[^<>]*>", rf"</{name}\s*>"
            text = _without(text, re.compile(opening, re.I), re.compile(closing, re.I))
        text = html.unescape(_TAG.sub(_space, text))
    return " ".join(text.split())


def _space(tag: re.Match[str]) -> str:
    return "" if (tag.group(1) or "").lower() in _INLINE else " "


def _without(text: str, opening: re.Pattern[str], closing: re.Pattern[str]) -> str:
    """``text`` less every stretch between the two; one that never closes is left alone."""
    parts, start = [], 0
    while (first := opening.search(text, start)) and (last := closing.search(text, first.end())):
        parts.append(text[start : first.start()])
        start = last.end()
    return " ".join([*parts, text[start:]])


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
