"""A photo and words that change it: "but in red".

    python -m benchmarks.composed --data DATA/fashion [--work FOLDER] [--queries 100]

Photos of validation products, each asked for in another frequent colour; right are products of the
same type in that colour. nDCG@10 (binary, log2 discount, ideal of ten), the share of the first ten
of the same type and of the asked colour, 95 % bootstrap intervals. Where the shop knows colours,
and where type, colour and gender are neither indexed nor known and only photos show them. Half of
the photos were for development; what is printed is of the others. See ``docs/relevance.md``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks.ltr import HIDDEN
from benchmarks.relevance import open_shop
from engine import Engine, Filter, LaneQuery, Query, SearchRequest, bootstrap_interval

COLORS = 14
"""The most frequent ones are asked for."""
LEAST = 5
"""Products of the type in the asked colour, so that there is something to find."""
AVERAGE = 0.7
"""The share of the words in the average of vectors, chosen on development photos."""
Answer = Callable[[str, str], Sequence[str]]
Rows = Mapping[str, dict[str, str]]


class Task(NamedTuple):
    photo: str
    color: str


def tasks(rows: Rows, validation: Sequence[str]) -> list[Task]:
    """Two of five validation products, each with a colour that its type comes in."""
    rng = np.random.default_rng(7)
    count = Counter((row["type"], row["color"]) for row in rows.values())
    common = [c for c, _ in Counter(row["color"] for row in rows.values()).most_common(COLORS)]
    found = []
    for id in validation:
        own = rows[id]
        others = [c for c in common if c != own["color"] and count[own["type"], c] >= LEAST]
        if others and rng.random() < 0.4:
            found.append(Task(id, str(rng.choice(others))))
    return found


def answers(engine: Engine, folder: Path, rows: Rows) -> Iterator[tuple[str, Answer]]:
    """The ways compared, each from photo and colour to product ids."""

    def picture(id: str) -> Image.Image:
        return Image.open(folder / rows[id]["image"])

    def average(id: str, color: str) -> Sequence[str]:
        with engine._live() as live:
            joint = live.image_encoder
            photo = joint.encode_images([picture(id)])[0]
            words = joint.encode_texts([f"but in {color.lower()}"], "query")[0]
            mixed = (1 - AVERAGE) * photo + AVERAGE * words
            mixed /= np.linalg.norm(mixed)
            lane = LaneQuery("photo", "image", mixed.astype(np.float32))
            return [hit.id for hit in live.store.search_batch([lane], Filter(), 20)[0]]

    def search(text: str, weight: float) -> Answer:
        def answer(id: str, color: str) -> Sequence[str]:
            query = Query(text.format(color.lower()) or None, picture(id), image_weight=weight)
            hits = engine.search(SearchRequest(query, limit=20, fields=("id",))).hits
            return [hit.id for hit in hits]

        return answer

    yield "the photo alone", search("", 1.0)
    yield "average of photo and words", average
    yield "lanes of words and photo", search("{} colour wanted", 0.5)
    yield '"but in red" (default)', search("but in {}", 0.5)


def report(way: str, answer: Answer, asked: Sequence[Task], rows: Rows) -> None:
    discount = 1 / np.log2(np.arange(2, 12))
    values, types, colors = [], [], []
    for task in asked:
        found = [rows[id] for id in answer(*task) if id != task.photo][:10]
        same = np.asarray([row["type"] == rows[task.photo]["type"] for row in found], dtype=bool)
        right = np.asarray([row["color"] == task.color for row in found], dtype=bool)
        values.append(float((same & right) @ discount[: len(found)] / discount.sum()))
        types.append(same.sum() / 10)
        colors.append(right.sum() / 10)
    low, high = bootstrap_interval(np.asarray(values))
    figures = f"{np.mean(types):8.2f}{np.mean(colors):8.2f}"
    print(f"{way:30}{np.mean(values):9.3f}   {low:.3f} to {high:.3f}{figures}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, help="keep indexes here")
    parser.add_argument("--queries", type=int, default=1000, help="at most so many")
    args = parser.parse_args()
    lines = (args.data / "products.jsonl").read_text(encoding="utf-8").splitlines()
    rows = {row["id"]: row for row in map(json.loads, lines)}
    reported = tasks(rows, (args.data / "val_ids.txt").read_text().split())[1::2][: args.queries]
    with tempfile.TemporaryDirectory(prefix="entrepot-composed-") as folder:
        for name, ignore in (("fashion", ()), ("fashion-hidden", HIDDEN)):
            print(f"\n{len(reported)} photos, without the fields {ignore or '()'}")
            print(f"{'':30}{'nDCG@10':>9}   {'95 % interval':14}{'type':>8}{'colour':>8}")
            work = (args.work or Path(folder)) / name
            with open_shop(work, args.data / "products.jsonl", ignore) as engine:
                for way, answer in answers(engine, args.data, rows):
                    report(way, answer, reported, rows)


if __name__ == "__main__":
    main()
