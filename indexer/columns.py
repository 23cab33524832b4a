"""Which catalogue column holds which product field: the settings, then well-known names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .localized import IDENTIFIERS, Market, Place, place_of_column

FIELDS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "product_id", "item_id", "sku", "handle", "code", "uniq_id", "upc", "gtin"),
    "title": ("title", "name", "product_name", "product_title", "item_name"),
    "description": (
        *("description", "body_html", "body", "product_description", "long_description"),
        *("short_description", "text"),
    ),
    "category": (
        *("category", "categories", "category_path", "product_category", "product_type"),
        *("google_product_category",),
    ),
    "brand": ("brand", "vendor", "manufacturer"),
    "price": ("price", "variant_price", "regular_price"),
    "sale_price": ("sale_price",),
    "currency": ("currency", "price_currency", "currency_code"),
    "locale": ("locale", "language", "lang", "content_language"),
    "group_id": ("group_id", "item_group_id", "parent_id", "parent_sku"),
    "in_stock": (
        *("in_stock", "availability", "available", "is_in_stock", "stock_status", "stock"),
        *("quantity", "stock_quantity", "inventory_quantity", "variant_inventory_qty"),
    ),
    "updated_at": ("updated_at", "modified_at", "last_modified", "date_modified"),
    "translations": ("translations",),
    "prices": ("prices",),
    "published": ("published",),
}
"""Product fields and the normalized column names they are guessed from, best first.
``sale_price`` and ``published`` are read along with them, though a product has no such field."""

IMAGES = (
    *("image", "images", "image_link", "image_url", "image_urls", "image_src", "img"),
    *("photo", "photos", "picture", "pictures", "additional_image_link"),
    *("additional_image_links", "additional_images"),
)
"""Photo columns, in the order of the photos; all that a row has are used."""

_SEVERAL = frozenset(
    {name for name in IMAGES if name.endswith("s")} | {"additional_image_link", "image_src"}
)


def normalized(name: str) -> str:
    """``"g:Image Link"`` → ``"image_link"``, ``"Body (HTML)"`` → ``"body_html"``."""
    bare = name.strip().lower().removeprefix("g:")
    return re.sub(r"[^0-9a-z]+", "_", bare).strip("_")


class Columns:
    """The assignment for rows with one set of column names.

    ``fields`` maps a product field to its column, ``images`` are photo columns in order,
    ``places`` are columns of one language, currency or market, ``renamed`` maps columns to the
    attribute names that the settings give them, ``rest`` are the columns that become attributes
    under their own names.

    ``title_id`` may be a title in Indonesian or a number of the title: such ``doubtful`` columns
    are texts where ``texts`` names them. Nothing is in doubt where the settings name the column,
    where the language is one of ``languages``, those of the shop, beside texts in other languages,
    or where it is all the title there is.
    """

    def __init__(
        self,
        names: Iterable[str],
        chosen: Mapping[str, str],
        ignore: Iterable[str],
        markets: Mapping[str, Market],
        languages: Collection[str] = (),
        texts: Collection[str] = (),
    ) -> None:
        names = list(names)
        dropped = set(ignore)
        by_normal: dict[str, str] = {}
        for name in names:
            by_normal.setdefault(normalized(name), name)
        self.fields = {
            field: chosen.get(field, column)
            for field, guesses in FIELDS.items()
            if (column := _first(guesses, by_normal, dropped)) or chosen.get(field) in names
        }
        self.images = _image_columns(names, by_normal, chosen, dropped)
        named = {
            column: name
            for name, column in chosen.items()
            if name not in FIELDS and name not in ("image", "images") and column in names
        }
        used = {*self.fields.values(), *self.images, *dropped, "attributes"}
        places = {
            column: place
            for column in names
            if column not in used
            and (place := place_of_column(normalized(named.get(column, column)), FIELDS, markets))
        }
        self.doubtful = _doubtful(places, {*self.fields, *named}, languages)
        for column in self.doubtful:
            if column not in texts:
                del places[column]
        self.places = places
        self.renamed = {column: name for column, name in named.items() if column not in self.places}
        used |= {*self.renamed, *self.places}
        self.rest = [name for name in names if name not in used]


def split_photos(column: str, value: Any) -> list[str]:
    """The photo references in one cell: a list, a JSON-like list of names, URLs in a row, or
    (in columns named for several) names between commas or semicolons."""
    if isinstance(value, list | tuple):
        return [ref for item in value for ref in split_photos("image", item)]
    if isinstance(value, Mapping):
        return split_photos(column, value.get("src") or value.get("url") or "")
    if not isinstance(value, str):
        return []
    if value.startswith("data:"):
        return [value]
    pattern = r"\s*\|\s*|[,;\s]\s*(?=https?://)"
    if normalized(column) in _SEVERAL and "://" not in value:
        pattern += r"|\s*[,;]\s*"
    return [ref for part in re.split(pattern, value) if (ref := part.strip(" ,;\t\r\n"))]


def _doubtful(
    places: Mapping[str, Place], told: Collection[str], languages: Collection[str]
) -> tuple[str, ...]:
    """Columns that may hold identifiers; ``told`` are the fields that have a column of their own
    and the columns that the settings name."""
    if {place.locale for place in places.values()} - {"", *IDENTIFIERS}:
        return ()
    return tuple(
        column
        for column, place in places.items()
        if place.locale in IDENTIFIERS.difference(languages)
        and column not in told
        and (place.field != "title" or "title" in told)
    )


def _first(guesses: Iterable[str], by_normal: Mapping[str, str], dropped: set[str]) -> str:
    found = (by_normal[guess] for guess in guesses if guess in by_normal)
    return next((name for name in found if name not in dropped), "")


def _image_columns(
    names: list[str], by_normal: Mapping[str, str], chosen: Mapping[str, str], dropped: set[str]
) -> list[str]:
    if column := chosen.get("images") or chosen.get("image"):
        return [column] if column in names else []
    found = [by_normal[guess] for guess in IMAGES if guess in by_normal]
    return [name for name in found if name not in dropped]
