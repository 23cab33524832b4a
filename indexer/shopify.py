"""Shopify's CSV export spreads one product over rows of one ``Handle``: variants, photos.

Such rows become one record: photos by their position, each option's values as a list, the
lowest variant price, in stock if any variant is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from engine.protocols import RawRecord

from .columns import normalized
from .values import parse_price

_MARKS = frozenset({"image_src", "option1_name", "variant_price", "variant_sku"})
_LISTS = {"variant_sku": "sku", "variant_barcode": "barcode"}
_OWN = (
    *("variant_", "option", "image_", "handle", "published", "product_category"),
    "cost_per_item",
)
"""Columns that are read here; and what the shop paid, which is nobody's business."""
_SHOPPING = "google_shopping_"
MAX_ROWS = 5000
"""Rows of one product; the rest becomes a duplicate id, which is reported."""

Row = dict[str, Any]


def merge_variants(records: Iterable[RawRecord]) -> Iterator[RawRecord]:
    """``records`` as they are, except that consecutive Shopify rows are joined by handle."""
    group: list[tuple[int, Row]] = []
    for record in records:
        names = {normalized(name): name for name in record.data}
        if record.error or "handle" not in names or (not group and not _MARKS & names.keys()):
            yield from _merged(group)
            group = []
            yield record
            continue
        row = {name: record.data[original] for name, original in names.items()}
        if group and (row["handle"] != group[0][1]["handle"] or len(group) >= MAX_ROWS):
            yield from _merged(group)
            group = []
        group.append((record.line, row | {"": record.data}))
    yield from _merged(group)


def _merged(group: list[tuple[int, Row]]) -> Iterator[RawRecord]:
    if not group:
        return
    line, first = group[0]
    rows = [row for _, row in group]
    data: Row = {
        _name(original): value
        for original, value in first[""].items()
        if not normalized(original).startswith(_OWN)
    }
    data |= {"id": first["handle"], "images": _images(rows), **_options(rows)}
    for column, name in _LISTS.items():
        if values := _distinct(rows, column):
            data[name] = values
    if prices := [str(row["variant_price"]) for row in rows if "variant_price" in row]:
        data["price"] = min(prices, key=_amount)
    if any("variant_inventory_qty" in row for row in rows):
        data["in_stock"] = any(_orderable(row) for row in rows)
    if category := first.get("product_category") or first.get("type"):
        data["category"] = category
    draft = str(first.get("status", "")).lower() in ("draft", "archived")
    data["published"] = False if draft else first.get("published", True)
    yield RawRecord(line, data)


def _name(column: str) -> str:
    """Google Shopping columns by their last word: ``Google Shopping / Gender`` → ``gender``."""
    name = normalized(column)
    return name.removeprefix(_SHOPPING) if name.startswith(_SHOPPING) else column


def _images(rows: list[Row]) -> list[str]:
    def position(row: Row) -> float:
        text = str(row.get("image_position", ""))
        return float(text) if text.isdigit() else float("inf")

    photos = [row for row in rows if "image_src" in row]
    ordered = [str(row["image_src"]) for row in sorted(photos, key=position)]
    return list(dict.fromkeys([*ordered, *_distinct(rows, "variant_image")]))


def _options(rows: list[Row]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for number in (1, 2, 3):
        name = str(rows[0].get(f"option{number}_name", ""))
        values = _distinct(rows, f"option{number}_value")
        if name and values and values != ["Default Title"]:
            found[name] = values
    return found


def _distinct(rows: list[Row], column: str) -> list[str]:
    return list(dict.fromkeys(str(row[column]) for row in rows if column in row))


def _amount(price: str) -> float:
    try:
        return parse_price(price)[0]
    except ValueError:
        return float("inf")


def _orderable(row: Row) -> bool:
    """A variant with stock, sold without stock, or whose stock nobody tracks."""
    if "variant_price" not in row and "variant_sku" not in row:
        return False  # a row that only brings a photo
    if str(row.get("variant_inventory_policy", "")).lower() == "continue":
        return True
    if "variant_inventory_tracker" not in row and "variant_inventory_qty" not in row:
        return True
    try:
        return float(row.get("variant_inventory_qty", 0)) > 0
    except (TypeError, ValueError):
        return False
