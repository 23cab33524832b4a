"""Whatever else a row holds, as filterable attributes: flags, numbers, words, lists of words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from engine.schema import CORE_FIELDS
from engine.types import AttributeValue

MAX_ATTRIBUTES, MAX_VALUES, MAX_TEXT, MAX_NAME = 200, 500, 10_000, 128
"""Per product: attributes, values in a list, characters of a value and of a name."""
_MAX_DEPTH = 4
_LIST_COLUMNS = frozenset({"tags", "keywords"})
Note = tuple[str, str]


def flatten(nested: Mapping[Any, Any], prefix: str = "", depth: int = 1) -> dict[str, Any]:
    """``{"size": {"width": 3}}`` → ``{"size_width": 3}``, down to four levels."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            if depth < _MAX_DEPTH:
                flat |= flatten(value, f"{name}_", depth + 1)
        elif value is not None and value != "":
            flat[name] = value
    return flat


def attribute_values(row: Mapping[str, Any]) -> tuple[dict[str, AttributeValue], list[Note]]:
    """Usable attributes, and a note ``(name, reason)`` for each that is not (wholly) kept."""
    found: dict[str, AttributeValue] = {}
    notes: list[Note] = []
    for raw_name, raw in flatten(row).items():
        name = attribute_name(raw_name)
        value, reason = _value(name, raw)
        if reason:
            notes.append((name, reason))
        if value is None or not name:
            continue
        if len(found) >= MAX_ATTRIBUTES:
            notes.append((name, f"left out: more than {MAX_ATTRIBUTES} attributes"))
            break
        found[name] = value
    return found, notes


def attribute_name(name: str) -> str:
    """A name that every store can index: no dots, brackets or quotes, which are paths there;
    the names of product fields get a trailing underscore."""
    clean = re.sub(r"[.\[\]\"'\\\x00-\x1f]+", "_", name.removeprefix("g:")).strip()[:MAX_NAME]
    return f"{clean}_" if clean in CORE_FIELDS else clean


def _value(name: str, raw: Any) -> tuple[AttributeValue | None, str]:
    if isinstance(raw, list | tuple | set):
        return _list(raw)
    if isinstance(raw, str) and name.lower() in _LIST_COLUMNS and "," in raw:
        return _list(raw.split(","))
    if isinstance(raw, bool):
        return raw, ""
    if isinstance(raw, int | float | Decimal):
        try:
            number = float(raw)
        except OverflowError:
            number = math.inf
        return (number, "") if math.isfinite(number) else (None, "left out: not a finite number")
    if isinstance(raw, date | datetime):
        return raw.isoformat(), ""
    if isinstance(raw, str):
        text = raw.strip()
        cut = f"{len(text):,} characters; cut to {MAX_TEXT:,}" if len(text) > MAX_TEXT else ""
        return text[:MAX_TEXT] or None, cut
    return None, f"left out: a {type(raw).__name__} is not an attribute"


def _list(raw: Any) -> tuple[list[str] | None, str]:
    """Words of a list; of objects (variants, say) every scalar value is a word."""
    words = list(dict.fromkeys(word for item in raw for word in _words(item)))
    reason = f"{len(words):,} values; cut to {MAX_VALUES}" if len(words) > MAX_VALUES else ""
    return words[:MAX_VALUES] or None, reason


def _words(item: Any, depth: int = 1) -> Iterator[str]:
    if isinstance(item, Mapping):
        item = list(item.values())
    if isinstance(item, list | tuple):
        if depth < _MAX_DEPTH:
            for part in item:
                yield from _words(part, depth + 1)
    elif isinstance(item, bool):
        yield str(item).lower()
    elif isinstance(item, int | float):
        yield f"{item:g}"
    elif isinstance(item, str) and item.strip():
        yield item.strip()[:MAX_TEXT]
