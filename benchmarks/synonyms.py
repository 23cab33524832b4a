"""What synonyms are mined of a catalogue's own words, how many are right, and what they bring.

    python -m benchmarks.synonyms --data DATA [--only home_depot fashion …] [--work FOLDER]

Precision by pairs that one judge, the author of the method, judged by hand (``synonyms.jsonl``): in
random order, without scores or which method proposed them, but for 61 of 468 that came later.
"same": who types one wants what is called the other; "form": forms of one word, which stemming sees
to and count as wrong here; "other": wrong. Recall is of pairs written down before anything
was mined and whose both sides are in three titles or more. Thresholds were chosen on home_depot.
With ``--work``, an index of home_depot is kept (or built) there, and the candidates are approved:
all, and those judged right. See ``docs/synonyms.md``.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import yaml

from benchmarks.ltr import read_queries
from benchmarks.relevance import DEVELOPMENT, Order, ndcg_at_10, recall
from engine import (
    Encoder,
    Engine,
    IndexSchema,
    Query,
    SearchRequest,
    Settings,
    ShopView,
    bootstrap_interval,
)
from engine.assembly import open_encoders
from engine.catalogue_mining import from_catalogue
from engine.catalogue_words import CatalogueWords
from engine.definitions import DefinitionReader
from engine.inquiry import begin
from engine.manager import PluginManager
from engine.search import retrieve
from engine.settings import CatalogueSettings, ProfileSettings
from engine.synonyms import Synonym
from engine.term_contexts import TermReader
from engine.word_relations import Endings
from indexer import run_build
from plugins.ltr.booster import Floats
from plugins.ltr.judgments import JudgedQuery

JUDGED = Path(__file__).with_suffix(".jsonl")
BASELINE = 25
"""Pairs of each baseline that were judged, the best ones."""
PROFILES = {
    "plain": ProfileSettings(("normalize",), ()),
    "expanded": ProfileSettings(("normalize", "synonyms"), ()),
}


class Row(NamedTuple):
    """A product as its catalogue has it; ``values`` are of fields that hold words."""

    title: str
    values: Mapping[str, str] = {}
    description: str = ""


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _home_depot(data: Path) -> list[Row]:
    return [Row(row["title"]) for row in _lines(data / "home_depot" / "products.jsonl")]


def _fashion(data: Path) -> list[Row]:
    fields = ("gender", "category", "subcategory", "type", "color", "season", "usage")
    rows = _lines(data / "fashion" / "products.jsonl")
    return [Row(row["title"], {f: row[f] for f in fields if row.get(f)}) for row in rows]


def _titles(folder: str) -> Callable[[Path], list[Row]]:
    def read(data: Path) -> list[Row]:
        rows = _lines(data / "attributes" / folder / "train.jsonl")
        return list(
            {r["input"]: Row(r["input"], {"category": r["category"]}) for r in rows}.values()
        )

    return read


def _retail_demo_store(data: Path) -> list[Row]:
    path = data / "retail_demo_store" / "products" / "data" / "products.yaml"
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    fields = ("category", "style")
    return [
        Row(r["name"], {f: r[f] for f in fields if r.get(f)}, r.get("description") or "")
        for r in rows
    ]


def _demo_store(data: Path) -> list[Row]:
    rows = _lines(data / "demo_store" / "products.jsonl")
    return [
        Row(r["title"]["en"], {"category": r["category"]}, r.get("description", {}).get("en", ""))
        for r in rows
        if "en" in r["title"]
    ]


def _retrotech(data: Path) -> list[Row]:
    with (data / "retrotech" / "products.csv").open(encoding="utf-8", newline="") as file:
        return [
            Row(
                row["name"],
                {"brand": row["manufacturer"]},
                f"{row['short_description']} {row['long_description']}",
            )
            for row in csv.DictReader(file)
        ]


CATALOGUES: Mapping[str, Callable[[Path], list[Row]]] = {
    "home_depot": _home_depot,
    "fashion": _fashion,
    "ae-110k": _titles("ae-110k"),
    "oa-mine": _titles("oa-mine"),
    "retail_demo_store": _retail_demo_store,
    "demo_store": _demo_store,
    "retrotech": _retrotech,
}
Pair = tuple[str, str]


class Judged(NamedTuple):
    """What was decided by hand for one catalogue."""

    pairs: dict[Pair, str]
    known: list[Pair]


def judged(name: str) -> Judged:
    found = Judged({}, [])
    for row in _lines(JUDGED):
        pair = row["words"][0], row["words"][1]
        if row["catalogue"] == name and "judged" in row:
            found.pairs[pair] = row["judged"]
        elif row["catalogue"] == name:
            found.known.append(pair)
    return found


def read(rows: Sequence[Row]) -> tuple[CatalogueWords, dict[str, Counter[str]]]:
    """The words of a catalogue, and the values of its fields."""
    reader, definitions = TermReader(), DefinitionReader()
    vocabulary: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        reader.read(row.title, row.values.items())
        definitions.read(row.description)
        for field, value in row.values.items():
            vocabulary[field][value] += 1
    contexts = reader.contexts()
    known = {" ".join(term) for term in contexts.names}
    return CatalogueWords(contexts, definitions.names(known)), vocabulary


def baselines(words: CatalogueWords, encoder: Encoder) -> dict[str, list[Pair]]:
    """The pairs of most alike company, and those nearest to the encoder, but forms of a word."""
    contexts, names = words.contexts, [" ".join(term) for term in words.contexts.names]
    vectors = np.vstack([encoder.encode_texts([name], "query") for name in names])
    endings = Endings(word for term in contexts.names for word in term)
    company = np.vstack([contexts.likeness([i]) for i in range(len(names))])
    rankings = {
        "company alone": np.minimum(company, company.T),
        "encoder alone": vectors @ vectors.T,
    }
    found: dict[str, list[Pair]] = {}
    for title, scores in rankings.items():
        best = np.argsort(-np.triu(scores, 1), axis=None, kind="stable")
        pairs = (divmod(int(at), len(names)) for at in best[: 40 * BASELINE])
        others = [
            tuple(sorted((names[a], names[b])))
            for a, b in pairs
            if a < b
            and not endings.overlap(contexts.names[a], contexts.names[b])
            and names[a].replace(" ", "") != names[b].replace(" ", "")
        ]
        found[title] = [(a, b) for a, b in others[:BASELINE]]
    return found


def told(title: str, pairs: Sequence[Pair], known: Judged) -> None:
    verdicts = Counter(known.pairs.get(pair, "not judged") for pair in pairs)
    right, decided = verdicts["same"], len(pairs) - verdicts["not judged"]
    share = f"{right / decided:.2f}" if decided else "-"
    rest = "".join(f", {n} {v}" for v, n in sorted(verdicts.items()) if v != "same")
    print(f"  {title:16}{len(pairs):4} pairs, precision {share} ({right} same{rest})")
    if undecided := [pair for pair in pairs if pair not in known.pairs]:
        print(f"  {'':16}to be judged: {undecided}")


def evaluate(name: str, rows: Sequence[Row], encoder: Encoder, compare: bool) -> list[Synonym]:
    """Print what is proposed for one catalogue and how good it is."""
    begun = time.perf_counter()
    words, vocabulary = read(rows)
    read_s = time.perf_counter() - begun
    view = ShopView(IndexSchema(), vocabulary, encoder)
    found = from_catalogue(words, view)
    spent = time.perf_counter() - begun
    known = judged(name)
    pairs = [(synonym.words[0], synonym.words[1]) for synonym in found]
    print(
        f"\n{name}: {len(rows):,} products, {len(words.contexts.names):,} terms, "
        f"{spent:.1f} s ({read_s:.1f} s of reading)"
    )
    told("proposed", pairs, known)
    hit = [pair for pair in known.known if pair in pairs]
    print(f"  of {len(known.known)} known pairs {len(hit)} are proposed: {hit}")
    for title, others in baselines(words, encoder).items() if compare else ():
        told(title, others, known)
    for pair, synonym in zip(pairs, found, strict=True):
        print(f"    {known.pairs.get(pair, '?'):6} {', '.join(pair)}: {synonym.evidence}")
    return found


def relevance(data: Path, work: Path, found: Sequence[Synonym]) -> None:
    """What approving the candidates does to the judged queries of home_depot: of the reported ones
    those that any of them expands are searched; all others stay as they are."""
    folder = data / "home_depot"
    queries = read_queries(folder / "queries.jsonl", folder / "qrels.tsv", lambda g: (g - 1) / 2)
    queries = [q for n, q in enumerate(queries) if n % DEVELOPMENT and max(q.gains.values()) > 0]
    good = {pair for pair, verdict in judged("home_depot").pairs.items() if verdict == "same"}
    chosen = {
        "all approved": list(found),
        "the good approved": [s for s in found if (s.words[0], s.words[1]) in good],
    }
    settings = Settings(
        root=str(work),
        catalogue=CatalogueSettings(source=str(folder / "products.jsonl")),
        profiles={"default": PROFILES["expanded"], **PROFILES},
        # A busy machine must not cost a plugin its turn and the figures their meaning.
        plugins=msgspec.structs.replace(Settings().plugins, deadline_ms=60_000),
    )
    with Engine(settings) as engine:
        if not any(generation.live for generation in engine.generations()):
            engine.promote(run_build(settings).generation)
        for title, synonyms in chosen.items():
            engine.synonyms.extend([msgspec.structs.replace(s, status="active") for s in synonyms])
            touched = [query for query in queries if _expanded(engine, query.text)]
            orders = [[_order(engine, q, profile) for q in touched] for profile in PROFILES]
            print(
                f"\nhome_depot, {title}: {len(synonyms)} pairs, {len(touched):,} of "
                f"{len(queries):,} reported queries have one of their words"
            )
            for name, measure in (("nDCG@10", ndcg_at_10), ("Recall@100", recall)):
                before, after = (np.asarray([measure(order) for order in o]) for o in orders)
                told_change(name, before, after, len(queries))
            for synonym in synonyms:
                engine.synonyms.delete(synonym.id, "*")


def told_change(name: str, before: Floats, after: Floats, queries: int) -> None:
    """The paired change over the queries that have one of the words, and over all."""
    change = after - before
    change = change[~np.isnan(change)]
    over_all = np.zeros(queries)
    over_all[: len(change)] = change
    for title, values in (("these queries", change), ("all queries", over_all)):
        low, high = bootstrap_interval(values)
        print(f"  {name:12}{title:16}{values.mean():+.4f} ({low:+.4f} to {high:+.4f})")
    print(f"  {'':12}better {int((change > 0).sum())}, worse {int((change < 0).sum())}")


def _expanded(engine: Engine, text: str) -> bool:
    with engine._live() as live:
        request = SearchRequest(Query(text), profile="expanded")
        return bool(begin(request, live, engine.settings.search).plan.expansion)


def _order(engine: Engine, query: JudgedQuery, profile: str) -> Order:
    with engine._live() as live:
        request = SearchRequest(Query(query.text), profile=profile)
        found = retrieve(begin(request, live, engine.settings.search))
    return Order(query, [id for _, id in found.ranking] if found else [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with home_depot/, …")
    parser.add_argument("--only", nargs="*", choices=CATALOGUES, default=list(CATALOGUES))
    parser.add_argument("--baselines", action="store_true", help="company, encoder alone (minutes)")
    parser.add_argument("--work", type=Path, help="index of home_depot: approve the candidates")
    args = parser.parse_args()
    if not args.data.is_dir():
        sys.exit(f"skipped: there is no folder {args.data}")
    settings = Settings()
    encoder, image = open_encoders(settings, PluginManager(settings.plugins))
    found = {
        name: evaluate(name, CATALOGUES[name](args.data), encoder, args.baselines)
        for name in args.only
    }
    encoder.close()
    image.close()
    if args.work and "home_depot" in found:
        relevance(args.data, args.work, found["home_depot"])


if __name__ == "__main__":
    main()
