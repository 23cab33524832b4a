"""Small catalogues and tagged queries, laid out like the training data."""

from __future__ import annotations

import json
from pathlib import Path

COLORS = ("red", "blue", "green", "black")
THINGS = ("shoes", "shirts", "bags", "lamps")
BRANDS = ("acme", "zenith")


def tagged(color: str, brand: str, thing: str) -> dict[str, list[str]]:
    """ "red acme running shoes", as QueryNER has it."""
    return {
        "tokens": [color, brand, "running", thing],
        "labels": ["B-color", "B-creator", "B-core_product_type", "I-core_product_type"],
    }


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_catalogues(folder: Path) -> None:
    """32 queries to train on, 4 to validate with; 12 fashion products of which every sixth is
    kept; two retail and two demo products; six titles with attributes."""
    queries = [tagged(c, b, t) for c in COLORS for b in BRANDS for t in THINGS]
    write(folder / "queryner" / "train.jsonl", [dict(q) for q in queries])
    kept = [tagged("mauve", "acme", thing) for thing in THINGS]
    write(folder / "queryner" / "validation.jsonl", [dict(q) for q in kept])
    kinds = (("Shoes", "Footwear", "Shoes"), ("Shirts", "Apparel", "Topwear"))
    fashion: list[dict[str, object]] = [
        {
            "id": str(i),
            "title": f"Acme Men {COLORS[i % 4].title()} {kinds[i % 2][0]} No{i}",
            "gender": "Men",
            "type": kinds[i % 2][0],
            "category": kinds[i % 2][1],
            "subcategory": kinds[i % 2][2],
            "color": COLORS[i % 4].title(),
        }
        for i in range(12)
    ]
    write(folder / "fashion" / "products.jsonl", fashion)
    (folder / "fashion" / "val_ids.txt").write_text("0\n7")
    retail = folder / "retail_demo_store" / "products" / "data" / "products.yaml"
    retail.parent.mkdir(parents=True)
    retail.write_text(
        "- id: a\n  name: Oak Table of a Long Name That\n    Goes On\n  category: furniture\n"
        "  style: tables\n  description: Oak.\n"
        "- id: b\n  name: Vibrant Explorer's Daypack\n  category: accessories\n"
        "  style: backpack\n  description: A pack.\n",
        encoding="utf-8",
    )
    demo: list[dict[str, object]] = [
        {
            "title": {"en": "Tall Lamp"},
            "category": "homedecor",
            "attributes": {"style": "lighting"},
        },
        {"title": {"en": "Royal Gala"}, "category": "Fruit/Apple", "attributes": {}},
    ]
    write(folder / "demo_store" / "products.jsonl", demo)
    titles: list[dict[str, object]] = [
        {
            "input": f"Zenith {color.title()} Boots, {size} oz",
            "target_scores": {
                "Brand": {"Zenith": 1},
                "Color": {color.title(): 1},
                "Volume": {f"{size} oz": 1},
                "Material": {"n/a": 1},
            },
        }
        for color in COLORS
        for size in (8, 12, 16)
    ]
    write(folder / "attributes" / "ae-110k" / "train.jsonl", titles[:6])
    write(folder / "attributes" / "oa-mine" / "train.jsonl", titles[6:])
