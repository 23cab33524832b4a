"""Learning to rank against the fusion before it, and against tuned weights.

    python -m benchmarks.ltr --data DATA [--work FOLDER] [--only home_depot fashion clicks]

Real engine, real encoders, indexes built in ``--work`` (kept there; a temporary folder without it).
nDCG@10 with log2 discount, five-fold cross-fitting by query: every query is ranked by a model that
never saw it. Intervals are 95 % bootstraps, of differences paired by query. See ``docs/ltr.md``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from benchmarks.ltr_clicks import report_clicks
from engine import Engine, Settings, bootstrap_interval
from engine.settings import CatalogueSettings, ProfileSettings, SearchSettings
from indexer import run_build
from plugins.ltr import features
from plugins.ltr.booster import Floats
from plugins.ltr.examples import Example, score, searched
from plugins.ltr.judgments import JudgedQuery
from plugins.ltr.training import Recipe, cross_validate, folds, measurable

HIDDEN = ("type", "color", "gender")
WORDS_ALONE = ProfileSettings(("normalize",), (), weights={"image": 0.0})
READ = ProfileSettings(("normalize", "understand"), ())
UNDERSTOOD = ProfileSettings(("normalize", "understand"), ("understood",))
RUN = 200
"""Products of a ranking that are looked at."""
RRF_K = 60
SHARES = np.linspace(0, 1, 11)


class Task(NamedTuple):
    """Judged queries of one shop; ``recipe`` says what is measured."""

    name: str
    queries: list[JudgedQuery]
    recipe: Recipe


def read_queries(queries: Path, qrels: Path, gain: Callable[[float], float]) -> list[JudgedQuery]:
    judged: dict[str, dict[str, float]] = {}
    for line in qrels.read_text(encoding="utf-8").splitlines():
        query, _, product, grade = line.split()
        judged.setdefault(query, {})[product] = gain(float(grade))
    rows = [json.loads(line) for line in queries.read_text(encoding="utf-8").splitlines()]
    return [JudgedQuery(r["id"], r["text"], judged[r["id"]]) for r in rows if r["id"] in judged]


@contextmanager
def shop(
    folder: Path, catalogue: Path, profile: ProfileSettings, window: int, ignore: Sequence[str] = ()
) -> Iterator[Engine]:
    """The engine over an index of ``catalogue`` in ``folder``, which is built where it is not."""
    settings = Settings(
        root=str(folder),
        catalogue=CatalogueSettings(source=str(catalogue), ignore=tuple(ignore)),
        search=SearchSettings(depth=window, rerank_window=window),
        profiles={"default": profile},
        # A busy machine must not cost a plugin its turn and the figures their meaning.
        plugins=msgspec.structs.replace(Settings().plugins, deadline_ms=60_000),
    )
    with Engine(settings) as engine:
        if not any(generation.live for generation in engine.generations()):
            report = run_build(settings)
            engine.promote(report.generation)
        yield engine


def windows(engine: Engine, task: Task, store: Path) -> list[Example]:
    """Every query's window; the features of all are a file, for they may be larger than memory."""
    found: list[Example] = []
    with store.open("wb") as file:
        for number, example in enumerate(searched(engine, task.queries), 1):
            example.values.tofile(file)
            found.append(msgspec.structs.replace(example, values=example.values[:, :0]))
            if number % 1000 == 0:
                print(f"  {number:,} of {len(task.queries):,} queries searched", flush=True)
    rows = np.memmap(store, np.float32, "r").reshape(-1, len(features.NAMES))
    ends = np.cumsum([len(example.gains) for example in found])
    return measurable(
        [
            msgspec.structs.replace(example, values=rows[end - len(example.gains) : end])
            for example, end in zip(found, ends, strict=True)
        ],
        task.recipe,
    )


def tuned_fusion(examples: Sequence[Example], recipe: Recipe) -> Floats:
    """nDCG@10 per query of reciprocal rank fusion whose lane weights were chosen on the other
    folds, from a grid of shares."""
    lanes = [
        lane
        for lane in ("text", "bm25", "image")
        if not all(np.isnan(_column(example, f"{lane}_rank")).all() for example in examples)
    ]
    grid = _shares(len(lanes))
    every = np.asarray(
        [
            [
                score(example, ranks @ weights, condensed=recipe.condensed, cut=recipe.cut)
                for weights in grid
            ]
            for example in examples
            for ranks in [_reciprocal(example, lanes)]
        ]
    )
    fold = folds(examples, recipe.folds, recipe.seed)
    found = np.zeros(len(examples))
    for k in range(recipe.folds):
        best = int(np.argmax(every[fold != k].mean(0)))
        found[fold == k] = every[fold == k, best]
        shares = ", ".join(f"{lane} {w:.1f}" for lane, w in zip(lanes, grid[best], strict=True))
        print(f"  weights for fold {k + 1}: {shares}")
    return found


def _reciprocal(example: Example, lanes: Sequence[str]) -> Floats:
    ranks = np.stack([1 / _column(example, f"{lane}_rank") for lane in lanes], axis=1)
    return np.nan_to_num(1 / (RRF_K + ranks))


def _column(example: Example, name: str) -> Floats:
    return example.values[:, features.NAMES.index(name)].astype(np.float64)


def _shares(lanes: int) -> Floats:
    if lanes == 1:
        return np.ones((1, 1))
    if lanes == 2:
        return np.stack([SHARES, 1 - SHARES], axis=1)
    pairs = [(a, b, 1 - a - b) for a in SHARES for b in SHARES if a + b <= 1 + 1e-9]
    return np.asarray(pairs)


def report(name: str, values: Floats, against: Mapping[str, Floats]) -> None:
    low, high = bootstrap_interval(values)
    print(f"{name:34}{len(values):6,}{values.mean():9.4f} ({low:.4f} to {high:.4f})")
    for other, theirs in against.items():
        change = values - theirs
        low, high = bootstrap_interval(change)
        print(f"{'':6}against {other:26}{change.mean():+9.4f} ({low:+.4f} to {high:+.4f})")


def compare(examples: Sequence[Example], recipe: Recipe, ablation: bool, **others: Floats) -> None:
    """The fusion before it, ranks fused with tuned weights, what else was measured, the model."""
    outcome = cross_validate(examples, recipe)
    tuned = tuned_fusion(examples, recipe)
    report("the order before", outcome.baseline, {})
    report("ranks fused, weights tuned", tuned, {})
    for name, values in others.items():
        report(name, values, {})
    best = [
        score(e, np.nan_to_num(e.gains, nan=-1), condensed=recipe.condensed, cut=recipe.cut)
        for e in examples
    ]
    report("the best order of the window", np.asarray(best), {})
    against = {"the order before": outcome.baseline, "tuned weights": tuned, **others}
    report(f"LTR ({'/'.join(map(str, outcome.trees))} trees)", outcome.model, against)
    if ablation:
        for group in features.GROUPS:
            own = {f.name for f in features.FEATURES if f.group == group}
            columns = tuple(name for name in features.NAMES if name not in own)
            without = cross_validate(
                examples, msgspec.structs.replace(recipe, columns=columns)
            ).model
            report(f"LTR without {group}", without, {"all features": outcome.model})


def home_depot(data: Path, work: Path, args: argparse.Namespace) -> None:
    """Product titles alone; grades 1 to 3 as gains of 0 to 1."""
    queries = read_queries(data / "queries.jsonl", data / "qrels.tsv", lambda g: (g - 1) / 2)
    queries = queries[:: args.every]
    for window in (200, 1000):
        recipe = Recipe(condensed=True, cut=RUN)
        task = Task("home_depot", queries, recipe)
        print(f"\nhome_depot, window of {window}, first {RUN} looked at, condensed nDCG@10")
        with shop(work / "hd", data / "products.jsonl", WORDS_ALONE, window) as engine:
            examples = windows(engine, task, work / "windows.f32")
        compare(examples, recipe, args.ablation and window == 1000)


def fashion(data: Path, work: Path, args: argparse.Namespace) -> None:
    """Attribute queries over all products; what nobody judged is irrelevant."""
    files = data / "attribute_queries.jsonl", data / "attribute_qrels_all.tsv"
    queries = read_queries(*files, lambda grade: grade)
    for name, ignore in (("all fields", ()), (f"without {', '.join(HIDDEN)}", HIDDEN)):
        task = Task("fashion", queries, Recipe())
        print(f"\nfashion attribute queries, {name}, window of {RUN}, nDCG@10")
        folder = work / ("fashion" if not ignore else "fashion-hidden")
        found: dict[str, list[Example]] = {}
        for kind, profile in (("read", READ), ("understood", UNDERSTOOD)):
            with shop(folder, data / "products.jsonl", profile, RUN, ignore) as engine:
                found[kind] = windows(engine, task, work / f"{kind}.f32")
        lifted = [score(e, e.before, condensed=False) for e in found["understood"]]
        compare(found["read"], task.recipe, args.ablation, understood=np.asarray(lifted))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with home_depot/, …")
    parser.add_argument("--work", type=Path, help="keep indexes here")
    names: dict[str, Callable[[Path, Path, argparse.Namespace], None]] = {
        "home_depot": home_depot,
        "fashion": fashion,
        "retrotech": report_clicks,
    }
    parser.add_argument("--only", nargs="*", choices=names, default=list(names))
    parser.add_argument("--ablation", action="store_true", help="also without each feature group")
    parser.add_argument(
        "--every", type=int, default=1, help="of home_depot only every so many-th query"
    )
    args = parser.parse_args()
    missing = [name for name in args.only if not (args.data / name).is_dir()]
    if missing:
        sys.exit(f"skipped: {args.data} holds no {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="entrepot-ltr-") as folder:
        for name in args.only:
            names[name](args.data / name, args.work or Path(folder), args)


if __name__ == "__main__":
    main()
