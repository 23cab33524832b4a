"""How often shoppers get what they ask for, over the demo shop and ``fashion``.

    python -m benchmarks.satisfaction --demo demo/entrepot.toml --fashion shop/entrepot.toml \
        --data DATA/fashion [--half dev|report|both] [--show] [--plain]

Five authors wrote requests of seven kinds by hand, before any of them was run: 100 of
``satisfaction.jsonl`` by the author of the rules, 88 of ``satisfaction_second.jsonl``, 60 of
``satisfaction_third.jsonl``, 120 of ``satisfaction_fourth.jsonl`` and 80 of
``satisfaction_fifth.jsonl`` by four who knew the products, but neither the rules nor the other
sets. Each request says by catalogue fields what a shopper expects (``want``) and must not see
(``never``).
A request is *satisfied* when, among the first five products, at least one is expected and none is
forbidden; *well* when besides three of the five are expected, or as many as the shop has if those
are fewer. Half of each kind is for development (``dev``), the other is reported (``report``);
the third and fifth author's are all reported, and nothing may be chosen by them; the fourth's are
all for development.
Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from engine import Engine, Query, SearchRequest, load_settings
from engine.settings import ProfileSettings

REQUESTS = {
    "first author": Path(__file__).with_name("satisfaction.jsonl"),
    "second author": Path(__file__).with_name("satisfaction_second.jsonl"),
    "third author": Path(__file__).with_name("satisfaction_third.jsonl"),
    "fourth author": Path(__file__).with_name("satisfaction_fourth.jsonl"),
    "fifth author": Path(__file__).with_name("satisfaction_fifth.jsonl"),
}
DEMO = Path(__file__).parents[1] / "api" / "demo" / "products.jsonl"
FIRST = 5
PLAIN = ProfileSettings(query_processors=("normalize",), rankers=("availability",))
_BOUNDS = {
    "gt": float.__gt__,
    "gte": float.__ge__,
    "lt": float.__lt__,
    "lte": float.__le__,
}

Row = Mapping[str, Any]


class Verdict(msgspec.Struct):
    """What became of one request; ``shown`` are the titles of the first products."""

    request: Row
    expected: int
    forbidden: int
    available: int
    shown: list[str]

    @property
    def satisfied(self) -> bool:
        return self.expected > 0 and self.forbidden == 0

    @property
    def well(self) -> bool:
        return self.satisfied and self.expected >= min(3, self.available)


def holds(product: Row, condition: Row) -> bool:
    """Whether all fields are as the condition says: one of some values (in a title, one of some
    parts), none of them, or a number within bounds."""
    return all(_has(product.get(name), name, wanted) for name, wanted in condition.items())


def _has(held: Any, name: str, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        if "not" in wanted:
            return not _has(held, name, wanted["not"])
        number = isinstance(held, int | float)
        return number and all(_BOUNDS[op](float(held), float(at)) for op, at in wanted.items())
    if name == "title":
        return any(part in str(held).lower() for part in wanted)
    return held in wanted


def judge(request: Row, found: Sequence[str], products: Mapping[str, Row]) -> Verdict:
    def fits(id: str, key: str) -> bool:
        return any(holds(products[id], condition) for condition in request.get(key, ()))

    return Verdict(
        request,
        expected=sum(fits(id, "want") for id in found),
        forbidden=sum(fits(id, "never") for id in found),
        available=sum(fits(id, "want") for id in products if id not in request.get("like", ())),
        shown=[products[id]["title"] for id in found],
    )


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927)."""
    if not n:
        return 0.0, 1.0
    z, share = 1.96, hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def demo_products() -> dict[str, Row]:
    return {
        row["id"]: {**row["attributes"], **row, "title": row["title"]["en"]} for row in lines(DEMO)
    }


@contextmanager
def shop_of(config: Path, profile: ProfileSettings | None) -> Iterator[Engine]:
    configured = load_settings(config, os.environ)
    # A loaded machine must not cost a plugin its turn and the figures their meaning.
    plugins = msgspec.structs.replace(configured.plugins, deadline_ms=60_000)
    profiles = configured.profiles if profile is None else {"default": profile}
    changed = msgspec.structs.replace(configured, plugins=plugins, profiles=profiles)
    with Engine(changed) as shop:
        shop.words.read()  # else a moment after the start
        yield shop


def run(shop: Engine, requests: Sequence[Row], products: Mapping[str, Row]) -> Iterator[Verdict]:
    for request in requests:
        query = Query(request["text"], like=tuple(request.get("like", ())))
        hits = shop.search(SearchRequest(query, limit=FIRST, fields=("title",))).hits
        yield judge(request, [hit.id for hit in hits], products)


def table(verdicts: Sequence[Verdict]) -> None:
    kinds: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        kinds[verdict.request["kind"]].append(verdict)
    print(f"{'kind':10}{'n':>4}{'satisfied':>11}{'95 %':>15}{'well':>7}")
    for kind, some in [*kinds.items(), ("all", list(verdicts))]:
        hits, n = sum(v.satisfied for v in some), len(some)
        low, high = wilson(hits, n)
        well = sum(v.well for v in some) / n
        print(f"{kind:10}{n:4}{hits / n:11.2f}{low:9.2f}–{high:.2f}{well:8.2f}")


def show(verdicts: Sequence[Verdict]) -> None:
    """What became of the requests that are not well satisfied; of the half for development only:
    who has seen the other half's failures may report it no more."""
    for v in verdicts:
        if not v.well:
            like = f" (like {', '.join(v.request['like'])})" if "like" in v.request else ""
            print(
                f"{v.request['id']} {'' if v.satisfied else 'NOT '}satisfied, {v.expected} of "
                f"{v.available} expected, {v.forbidden} forbidden: {v.request['text']}{like}"
            )
            print("    " + " | ".join(v.shown))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--demo", type=Path, required=True, help="entrepot.toml of the demo shop")
    parser.add_argument("--fashion", type=Path, help="entrepot.toml of an index of fashion")
    parser.add_argument("--data", type=Path, help="the folder of the fashion data")
    parser.add_argument("--half", choices=("dev", "report", "both"), default="report")
    parser.add_argument("--show", action="store_true", help="show failures of the dev half")
    parser.add_argument("--plain", action="store_true", help="without understanding")
    args = parser.parse_args()
    halves = ("dev", "report") if args.half == "both" else (args.half,)
    requests = [
        {"author": author, **row}
        for author, path in REQUESTS.items()
        for row in lines(path)
        if row["half"] in halves
    ]
    verdicts: list[Verdict] = []
    shops = {"demo": (args.demo, demo_products())}
    if args.fashion and args.data:
        rows = lines(args.data / "products.jsonl")
        shops["fashion"] = (args.fashion, {row["id"]: row for row in rows})
    else:
        print("fashion: skipped; give --fashion and --data")
    for name, (config, products) in shops.items():
        with shop_of(config, PLAIN if args.plain else None) as shop:
            verdicts += run(shop, [r for r in requests if r["shop"] == name], products)
    for author in REQUESTS:
        for half in halves:
            some = [
                v for v in verdicts if (v.request["author"], v.request["half"]) == (author, half)
            ]
            if some:
                print(f"{author}, {half} half")
                table(some)
    if args.show:
        show([v for v in verdicts if v.request["half"] == "dev"])


if __name__ == "__main__":
    main()
