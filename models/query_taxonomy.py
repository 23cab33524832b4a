"""Two levels of categories from the training catalogues, and texts that belong to each.

The catalogues name the same things differently; the table below joins their names. Products
that are kept for validation are marked, and never trained on.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .data import fashion_kinds, rows, validation_ids

HELD_OUT = 10
"""Every tenth title of the retail catalogue is kept for validation."""
FASHION = {
    "Apparel Set": "Apparel > Sets",
    "Bags": "Accessories > Bags",
    "Bottomwear": "Apparel > Bottomwear",
    "Cufflinks": "Accessories > Ties and Cufflinks",
    "Dress": "Apparel > Dresses",
    "Flip Flops": "Footwear > Flip Flops",
    "Fragrance": "Beauty > Fragrance",
    "Gloves": "Accessories > Gloves",
    "Innerwear": "Apparel > Innerwear",
    "Jewellery": "Accessories > Jewellery",
    "Loungewear and Nightwear": "Apparel > Nightwear",
    "Mufflers": "Accessories > Scarves",
    "Perfumes": "Beauty > Fragrance",
    "Sandal": "Footwear > Sandals",
    "Saree": "Apparel > Dresses",
    "Scarves": "Accessories > Scarves",
    "Shoes": "Footwear > Shoes",
    "Socks": "Apparel > Socks",
    "Sports Equipment": "Sports > Equipment",
    "Stoles": "Accessories > Scarves",
    "Ties": "Accessories > Ties and Cufflinks",
    "Topwear": "Apparel > Topwear",
    "Umbrellas": "Accessories > Umbrellas",
    "Watches": "Accessories > Watches",
    "Belts": "Accessories > Belts",
    "Eyewear": "Accessories > Eyewear",
    "Headwear": "Accessories > Headwear",
    "Wallets": "Accessories > Wallets",
}
"""By subcategory; those left out hold a mixture."""
SHOPS = {
    "accessories/backpack": "Accessories > Bags",
    "accessories/bag": "Accessories > Bags",
    "accessories/belt": "Accessories > Belts",
    "accessories/glasses": "Accessories > Eyewear",
    "accessories/handbag": "Accessories > Bags",
    "accessories/watch": "Accessories > Watches",
    "apparel/blouse": "Apparel > Topwear",
    "apparel/jacket": "Apparel > Topwear",
    "apparel/scarf": "Accessories > Scarves",
    "apparel/shirt": "Apparel > Topwear",
    "apparel/socks": "Apparel > Socks",
    "beauty/bathing": "Beauty > Bath",
    "beauty/grooming": "Beauty > Grooming",
    "beauty/makeup": "Beauty > Makeup",
    "books/cooking": "Media > Books",
    "books/travel": "Media > Books",
    "electronics/cable": "Electronics > Cables",
    "electronics/camera": "Electronics > Cameras",
    "electronics/computer": "Electronics > Computers",
    "electronics/headphones": "Electronics > Audio",
    "electronics/keyboard": "Electronics > Computers",
    "electronics/photography": "Electronics > Cameras",
    "electronics/speaker": "Electronics > Audio",
    "electronics/television": "Electronics > Televisions",
    "Electronics/Computers": "Electronics > Computers",
    "Electronics/Photo": "Electronics > Cameras",
    "floral/arrangement": "Garden > Flowers",
    "floral/bouquet": "Garden > Flowers",
    "floral/centerpiece": "Garden > Flowers",
    "floral/plant": "Garden > Plants",
    "floral/wreath": "Garden > Flowers",
    "footwear/boot": "Footwear > Boots",
    "footwear/formal": "Footwear > Shoes",
    "footwear/sandals": "Footwear > Sandals",
    "footwear/sneaker": "Footwear > Shoes",
    "furniture/chairs": "Home > Chairs",
    "furniture/dressers": "Home > Storage",
    "furniture/sofas": "Home > Sofas",
    "furniture/tables": "Home > Tables",
    "groceries/bakery": "Food > Bakery",
    "groceries/dairy": "Food > Dairy",
    "groceries/fruits": "Food > Fruit",
    "groceries/meat": "Food > Meat",
    "groceries/seafood": "Food > Seafood",
    "groceries/vegetables": "Food > Vegetables",
    "Home & Garden/Plants": "Garden > Plants",
    "homedecor/clock": "Home > Clocks",
    "homedecor/cushion": "Home > Cushions",
    "homedecor/decorative": "Home > Decoration",
    "homedecor/lighting": "Home > Lighting",
    "housewares/bowls": "Home > Kitchen",
    "housewares/kitchen": "Home > Kitchen",
    "instruments/keys": "Music > Keyboards",
    "instruments/microphone": "Music > Microphones",
    "instruments/percussion": "Music > Percussion",
    "instruments/strings": "Music > Strings",
    "instruments/wind": "Music > Wind",
    "jewelry/bracelet": "Accessories > Jewellery",
    "jewelry/earrings": "Accessories > Jewellery",
    "jewelry/necklace": "Accessories > Jewellery",
    "outdoors/camping": "Sports > Camping",
    "outdoors/fishing": "Sports > Fishing",
    "outdoors/kayaking": "Sports > Water Sports",
    "outdoors/pet": "Pets > Pet Supplies",
    "Packages/Juice": "Food > Juice",
    "Packages/Milk": "Food > Dairy",
    "Packages/Oat-Milk": "Food > Dairy",
    "Packages/Oatghurt": "Food > Dairy",
    "Packages/Sour-Cream": "Food > Dairy",
    "Packages/Sour-Milk": "Food > Dairy",
    "Packages/Soy-Milk": "Food > Dairy",
    "Packages/Soyghurt": "Food > Dairy",
    "Packages/Yoghurt": "Food > Dairy",
    "seasonal/christmas": "Seasonal > Christmas",
    "seasonal/easter": "Seasonal > Easter",
    "seasonal/halloween": "Seasonal > Halloween",
    "seasonal/valentine": "Seasonal > Valentine",
    "Sports & Outdoor/Equipment": "Sports > Equipment",
    "Sports & Outdoor/Footwear": "Footwear > Shoes",
    "tools/axe": "Tools > Hand Tools",
    "tools/drill": "Tools > Power Tools",
    "tools/hammer": "Tools > Hand Tools",
    "tools/knife": "Tools > Hand Tools",
    "tools/plier": "Tools > Hand Tools",
    "tools/saw": "Tools > Hand Tools",
    "tools/screwdriver": "Tools > Hand Tools",
    "tools/wrench": "Tools > Hand Tools",
    "Fruit/*": "Food > Fruit",
    "Vegetables/*": "Food > Vegetables",
}
"""By category and style, or category path, of the demo shops; ``*`` is any style."""
CATEGORIES = tuple(sorted({*FASHION.values(), *SHOPS.values()}))


@dataclass(frozen=True, slots=True)
class Item:
    """A product: ``names`` are what its kind is called, ``phrases`` ways to ask for it;
    ``category`` indexes :data:`CATEGORIES`."""

    title: str
    names: tuple[str, ...]
    phrases: tuple[str, ...]
    category: int
    held_out: bool


def items(data: Path) -> list[Item]:
    """All products with a place in the taxonomy."""
    return [*_fashion(data), *_retail(data), *_demo(data)]


def _fashion(data: Path) -> Iterator[Item]:
    held_out = validation_ids(data)
    for row in rows(data / "fashion" / "products.jsonl"):
        category = FASHION.get(row.get("subcategory", ""))
        if category is not None:
            place, kind = CATEGORIES.index(category), row["type"].lower()
            yield Item(row["title"], (kind,), fashion_kinds(row), place, row["id"] in held_out)


def _retail(data: Path) -> Iterator[Item]:
    file = data / "retail_demo_store" / "products" / "data" / "products.yaml"
    for record in re.split(r"^- ", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        found = dict(
            re.findall(r"^ *(name|category|style): (.+(?:\n    .+)*)", record, re.MULTILINE)
        )
        title = " ".join(found["name"].strip("'\"").replace("''", "'").split())
        category = _of(found["category"], found["style"])
        if category is not None:
            style = found["style"].strip()
            held_out = zlib.crc32(title.encode()) % HELD_OUT == 0
            yield Item(title, (style,), (f"{style} {found['category']}",), category, held_out)


def _demo(data: Path) -> Iterator[Item]:
    for row in rows(data / "demo_store" / "products.jsonl"):
        path, _, style = row["category"].partition("/")
        style = style or row.get("attributes", {}).get("style", "")
        category = _of(path, style)
        if category is not None:
            name = style.replace("-", " ").lower()
            yield Item(row["title"]["en"], (name,), (), category, False)


def _of(category: str, style: str) -> int | None:
    place = SHOPS.get(f"{category}/{style}") or SHOPS.get(f"{category}/*")
    return None if place is None else CATEGORIES.index(place)
