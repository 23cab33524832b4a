"""What typing errors cost, with and without the processor ``spelling``, and what it costs itself.

    python -m benchmarks.typos --config shop/entrepot.toml --queries queries.jsonl \\
        --qrels qrels.tsv [--half reported] [--noise keyboard] [--lanes bm25]
    python -m benchmarks.typos --config shop/entrepot.toml --foreign FILE

Each word of letters gets one random error (an added, missing, wrong letter, or two swapped; all
four alike) with a probability of ``--share``: wrong and added letters are any ("uniform") or
neighbours on a QWERTY keyboard ("keyboard"). nDCG@10 (gain = grade - ``--nothing``, log2 discount)
of the default profile on the queries as they are and with errors, with spelling off and on; paired
bootstrap intervals of what is lost against the queries as they are with spelling off, and of what
errors cost with it on. With unjudged products at 0, and condensed: of judged products alone, which
is fairer where few are judged. The queries are halved by a hash of their id: "development" for
tuning, "reported" for figures.

``--foreign FILE`` (JSON lines of one query in several languages, benchmarks/multilingual) asks
instead in how many queries of each language something is "corrected", their language not named.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import string
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np

from engine import (
    Engine,
    Query,
    SearchRequest,
    Settings,
    bootstrap_interval,
    load_settings,
    ndcg,
    read_qrels,
    read_queries,
    terms,
)
from engine.settings import ProfileSettings
from engine.types import MAX_WINDOW
from plugins.typo_costs import NEIGHBOURS

KEYBOARD = {
    key: "".join(b for a, b in sorted(NEIGHBOURS) if a == key) for key in string.ascii_lowercase
}
Gains = Mapping[str, Mapping[str, float]]
"""What each product counts, by query."""


def half_of(id: str) -> str:
    odd = hashlib.sha256(id.encode()).digest()[0] % 2
    return "reported" if odd else "development"


def mistyped(text: str, share: float, letters: Callable[[str], str], rng: random.Random) -> str:
    """``text`` with one error in about ``share`` of its words of letters."""
    words = text.split(" ")
    return " ".join(_one_error(w, letters, rng) if _hit(w, share, rng) else w for w in words)


def _hit(word: str, share: float, rng: random.Random) -> bool:
    return len(word) > 1 and word.isascii() and word.isalpha() and rng.random() < share


def _one_error(word: str, letters: Callable[[str], str], rng: random.Random) -> str:
    """Never the word itself."""
    while True:
        at = rng.randrange(len(word))
        head, letter, tail = word[:at], word[at], word[at + 1 :]
        other = rng.choice(letters(letter.lower()))
        made = rng.choice(
            (head + tail, head + other + letter + tail, head + other + tail, _swapped(word, at))
        )
        if made != word:
            return made


def _swapped(word: str, at: int) -> str:
    return word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :]


def measured(
    shop: Engine, queries: Mapping[str, str], gains: Gains, profile: str
) -> dict[str, list[float]]:
    """nDCG@10 per query, by how unjudged products count."""
    values: dict[str, list[float]] = {"unjudged 0": [], "condensed": []}
    for id, text in queries.items():
        request = SearchRequest(Query(text), limit=MAX_WINDOW, profile=profile, fields=("id",))
        found = [hit.id for hit in shop.search(request).hits]
        judged = gains[id]
        known = [judged[product] for product in found if product in judged]
        values["unjudged 0"].append(ndcg([judged.get(p, 0.0) for p in found], judged.values()))
        values["condensed"].append(ndcg(known, judged.values()))
    return values


@contextmanager
def shop_of(configured: Settings, lanes: Sequence[str]) -> Iterator[Engine]:
    """The shop with the default profile ("off") and with ``spelling`` in it ("on")."""
    base = configured.profiles.get("default", ProfileSettings())
    if lanes:
        weights = {lane: float(lane in lanes) for lane in ("bm25", "text", "image")}
        base = msgspec.structs.replace(base, weights=weights)
    before = tuple(name for name in base.query_processors if name != "spelling")
    after_these = max(
        (before.index(n) + 1 for n in ("normalize", "language") if n in before), default=0
    )
    with_it = (*before[:after_these], "spelling", *before[after_these:])
    profiles = {
        "default": base,
        "off": msgspec.structs.replace(base, query_processors=before),
        "on": msgspec.structs.replace(base, query_processors=with_it),
    }
    # A loaded machine must not cost a plugin its turn and the figures their meaning.
    plugins = msgspec.structs.replace(configured.plugins, deadline_ms=60_000)
    search = msgspec.structs.replace(configured.search, depth=MAX_WINDOW)
    changed = {"profiles": profiles, "plugins": plugins, "search": search}
    with Engine(msgspec.structs.replace(configured, **changed)) as shop:
        shop.words.read()
        yield shop


def report(clean: Mapping[str, Sequence[float]], found: Mapping[str, Sequence[float]]) -> str:
    """Mean, and loss relative to ``clean`` in percent with its interval, by how it is measured."""
    told = []
    for name, values in found.items():
        whole = np.mean(clean[name])
        lost = 100 * np.subtract(clean[name], values) / whole
        low, high = bootstrap_interval(lost)
        told.append(f"{np.mean(values):8.4f}{lost.mean():+8.2f} % ({low:+.2f} to {high:+.2f})")
    return "   ".join(told)


def tell_corrections(shop: Engine, queries: Mapping[str, str], most: int) -> None:
    """What is corrected in queries as they are: right or not is for a person to judge."""
    plans = {text: shop.understand(text, profile="on")[0] for text in queries.values()}
    changed = {text: plan for text, plan in plans.items() if plan.corrections}
    print(f"corrected without errors put in: {len(changed)} of {len(plans)} queries")
    for text in random.Random(0).sample(sorted(changed), min(most, len(changed))):
        print(f"    {text!r}: {'; '.join(changed[text].corrections)}")


def tell_foreign(shop: Engine, file: Path) -> None:
    """By language how many queries are corrected, and how many of these to a word that is not in
    the English query ("Banane" is a banana, "pesca" no pesto)."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for language in sorted(set.intersection(*map(set, rows)) - {"id", "products"}):
        corrected = wrong = 0
        for row in rows:
            told = shop.understand(row[language], profile="on")[0].corrections
            became = {t.word for each in told for t in terms(each.partition(" → ")[2])}
            corrected += bool(told)
            wrong += not became <= {term.word for term in terms(row["en"])}
        print(
            f"{language:4}{len(rows):5} queries, {corrected:3} corrected, {wrong:3} to another word"
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--queries", type=Path, help='JSONL of {"id", "text"}')
    parser.add_argument("--qrels", type=Path, help="TREC qrels")
    parser.add_argument("--foreign", type=Path, help="one query in several languages a line")
    parser.add_argument("--half", choices=("development", "reported"), default="reported")
    parser.add_argument("--noise", choices=("uniform", "keyboard"), default="uniform")
    parser.add_argument("--share", type=float, default=0.3, help="of words with an error")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=int, default=1500, help="queries measured")
    parser.add_argument("--rounds", type=int, default=1, help="draws of errors for each query")
    parser.add_argument("--lanes", nargs="*", default=(), help="these lanes of words alone")
    parser.add_argument("--show", type=int, default=0, help="corrections of queries as they are")
    parser.add_argument("--nothing", type=float, default=0, help="the grade that counts nothing")
    args = parser.parse_args()
    if not args.foreign and not (args.queries and args.qrels):
        parser.error("give --queries and --qrels, or --foreign")
    for path in (args.queries, args.foreign):
        if path and not path.exists():
            sys.exit(f"skipped: there is no {path}")
    return args


def main() -> None:
    args = arguments()
    with shop_of(load_settings(args.config, os.environ), args.lanes) as shop:
        if args.foreign:
            tell_foreign(shop, args.foreign)
        else:
            tell_losses(shop, args)


def tell_losses(shop: Engine, args: argparse.Namespace) -> None:
    gains = {
        id: {product: max(0.0, grade - args.nothing) for product, grade in grades.items()}
        for id, grades in read_qrels(args.qrels).items()
    }
    asked = {q.id: q.text or "" for q in read_queries(args.queries)}
    ids = sorted(
        (id for id in asked if any(gains.get(id, {}).values()) and half_of(id) == args.half),
        key=_order,
    )
    queries = {id: asked[id] for id in ids[: args.most]}
    letters = KEYBOARD.__getitem__ if args.noise == "keyboard" else lambda _: string.ascii_lowercase
    rng = random.Random(args.seed)
    print(
        f"{len(queries)} queries ({args.half} half) × {args.rounds} draws of {args.noise} errors "
        f"in {args.share:.0%} of words, seed {args.seed}; loss against no errors, spelling off"
    )
    clean = measured(shop, queries, gains, "off")
    print(f"{'':24}" + "   ".join(f"{name:>42}" for name in clean))
    rows = {"no errors, off": clean, "no errors, on": measured(shop, queries, gains, "on")}
    noisy = [
        {id: mistyped(text, args.share, letters, rng) for id, text in queries.items()}
        for _ in range(args.rounds)
    ]
    for profile in ("off", "on"):
        draws = [measured(shop, texts, gains, profile) for texts in noisy]
        rows[f"errors, {profile}"] = {
            name: np.mean([draw[name] for draw in draws], axis=0).tolist() for name in clean
        }
    for name, found in rows.items():
        print(f"{name:24}{report(clean, found)}")
    print(f"{'against no errors, on':24}{report(rows['no errors, on'], rows['errors, on'])}")
    if args.show:
        tell_corrections(shop, queries, args.show)


def _order(id: str) -> str:
    """Any, but always the same, and not that of the file."""
    return hashlib.sha256(f"{id} order".encode()).hexdigest()


if __name__ == "__main__":
    main()
