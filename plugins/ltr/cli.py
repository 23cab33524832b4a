"""``entrepot ltr``: train, measure, look at and choose the ranking models of a shop."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
import numpy as np

from engine import (
    Engine,
    InvalidModel,
    InvalidRequest,
    JudgedSearch,
    Settings,
    bootstrap_interval,
    load_settings,
    write_qrels,
)

from . import booster, clicks, features, training
from .examples import Example, before_the_ranker, logged, score, searched
from .judgments import JudgedQuery, read_events, read_judgments
from .models import FOLDER, Figures, Manifest, Versions
from .ranker import NAME
from .shop_events import impressions, opened_events
from .training import Recipe

F = TypeVar("F", bound=Callable[..., Any])
FILE = click.Path(dir_okay=False, path_type=Path)
SHOWN_FEATURES = 15


class NoImprovement(InvalidModel):
    """A model that orders judged queries no better than the order it was given; the message has
    the figures."""


def _judgment_options(function: F) -> F:
    options = [
        click.option("--queries", type=FILE, help='JSON Lines of {"id", "text"}.'),
        click.option("--qrels", type=FILE, help="TREC judgments: query 0 product grade."),
        click.option("--events", type=FILE, help='JSON Lines of {"query", "shown", "clicked"}.'),
        click.option(
            "--features", "log", type=FILE, help="Use these logged features; nothing is searched."
        ),
        click.option("--profile", default="default", show_default=True, help="Its search is used."),
        click.option(
            "--condensed", is_flag=True, help="Leave unjudged products out of nDCG; not irrelevant."
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


_config = click.option(
    "--config", type=FILE, help="Settings file [default: entrepot.toml here, if there is one]."
)


@click.group()
def ltr() -> None:
    """Learning to rank: train, measure and choose ranking models (needs the extra `ltr`)."""


@ltr.command()
@_judgment_options
@click.option("--popularity", default="", metavar="FIELD", help="A number field of the shop.")
@click.option("--folds", type=click.IntRange(2, 20), default=5, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@_config
def train(
    queries: Path | None,
    qrels: Path | None,
    events: Path | None,
    log: Path | None,
    profile: str,
    condensed: bool,
    popularity: str,
    folds: int,
    seed: int,
    threads: int,
    config: Path | None,
) -> None:
    """Train a model from judgments or clicks, and make it live if it is better.

    Each query is ranked by a model that never saw it, and compared with the order it had before.
    A model that is not better is kept, but does not go live (exit status 1).
    """
    settings = load_settings(config, os.environ)
    judged = _judged(queries, qrels, events)
    recipe = Recipe(folds=folds, seed=seed, threads=threads, condensed=condensed)
    found = _examples(settings, judged, log, profile, popularity)
    examples = training.measurable(found, recipe)
    click.echo(f"{len(examples):,} queries with a relevant product, {_found(examples)}")
    outcome = training.cross_validate(examples, recipe, click.echo)
    count = sorted(outcome.trees)[len(outcome.trees) // 2]
    trees = training.fit(examples, count, recipe)
    manifest = Manifest(
        features_version=features.VERSION,
        features=features.NAMES,
        popularity=popularity,
        source="events" if events else "judgments",
        trees=trees.count,
        seed=seed,
        trained_at=datetime.now(UTC).isoformat(timespec="seconds"),
        lightgbm=booster.version(),
        figures=outcome.figures(),
        importances=trees.importances(),
    )
    versions = _versions(settings)
    name = versions.add(manifest, trees)
    click.echo(f"{name}: {manifest.figures}")
    _refuse_worse(name, manifest.figures)
    versions.promote(name)
    sure = "" if manifest.figures.low > 0 else "; the gain may still be chance"
    click.echo(f"{name} is live{sure}")


@ltr.command("eval")
@click.argument("version", required=False)
@_judgment_options
@_config
def evaluate(
    version: str | None,
    queries: Path | None,
    qrels: Path | None,
    events: Path | None,
    log: Path | None,
    profile: str,
    condensed: bool,
    config: Path | None,
) -> None:
    """Measure a VERSION [default: the live one] on judgments it was not trained on.

    Without any version, the order without a model is measured alone.
    """
    settings = load_settings(config, os.environ)
    versions = _versions(settings)
    name = version or versions.live()
    model = versions.load(name) if name else None
    popularity = model.manifest.popularity if model else ""
    judged = _judged(queries, qrels, events)
    examples = [
        example
        for example in _examples(settings, judged, log, profile, popularity)
        if max(example.judged, default=0.0) > 0
    ]
    if not examples:
        raise InvalidRequest("no query has a product judged relevant", field="queries")
    click.echo(f"{len(examples):,} queries with a relevant product, {_found(examples)}")
    before = [score(e, e.before, condensed=condensed) for e in examples]
    _line("order before", before)
    if model is not None:
        after = [score(e, model.trees.margins(e.values), condensed=condensed) for e in examples]
        _line(name, after)
        _line("change", [a - b for a, b in zip(after, before, strict=True)])


@ltr.command("judgments")
@click.argument("queries", type=FILE)
@click.argument("qrels", type=FILE)
@click.option("--events", type=FILE, help="Use these clicks instead of the shop's own events.")
@_config
def export(queries: Path, qrels: Path, events: Path | None, config: Path | None) -> None:
    """Write clicks as judgments, for `entrepot eval`: QUERIES and QRELS.

    A grade is a product's attraction by the click model, 3 for the best of its query. Of the
    shop's own events, only queries that enough shoppers asked (events.anonymity) are told.
    """
    settings = load_settings(config, os.environ)
    if events is not None:
        found = read_events(events)
    else:
        with opened_events(settings) as store:
            found = impressions(store.iterate(), settings.events.anonymity)
    counted = clicks.count(found)
    judged = clicks.judged(counted, clicks.fit(counted))
    searches = [JudgedSearch(f"c{n}", query.text) for n, query in enumerate(judged)]
    grades = {
        search.id: {product: round(3 * gain, 2) for product, gain in query.gains.items()}
        for search, query in zip(searches, judged, strict=True)
    }
    qrels.write_text(write_qrels(grades), encoding="utf-8")
    queries.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in searches))
    click.echo(
        f"{len(searches):,} queries from {len(found):,} lists, {counted.moved:,} products of "
        f"{len(counted.pairs):,} seen at several places"
    )


@ltr.command()
@click.argument("version", required=False)
@_config
def show(version: str | None, config: Path | None) -> None:
    """List the versions, or show one VERSION with what its features bring."""
    versions = _versions(load_settings(config, os.environ))
    live = versions.live()
    if version is None:
        for name in versions.names():
            mark = "*" if name == live else " "
            manifest = versions.manifest(name)
            click.echo(f"{mark} {name:5} {manifest.trained_at}  {manifest.figures}")
        if not versions.names():
            click.echo(
                f"no ranking model in {versions.folder}: train one with `entrepot ltr train`"
            )
        return
    manifest = versions.manifest(version)
    click.echo(f"{version}{' (live)' if version == live else ''}, trained {manifest.trained_at}")
    click.echo(
        f"from {manifest.source}, seed {manifest.seed}, {manifest.trees} trees, LightGBM "
        f"{manifest.lightgbm}, features version {manifest.features_version}"
    )
    click.echo(f"{manifest.figures}, {manifest.figures.folds} folds")
    click.echo("share of the gain:")
    for feature, share in list(manifest.importances.items())[:SHOWN_FEATURES]:
        click.echo(f"  {feature:24} {share:6.1%}")


@ltr.command()
@click.argument("version")
@_config
def use(version: str, config: Path | None) -> None:
    """Make another VERSION live; running servers follow."""
    versions = _versions(load_settings(config, os.environ))
    _refuse_worse(version, versions.manifest(version).figures)
    versions.promote(version)
    click.echo(f"{version} is live")


def _versions(settings: Settings) -> Versions:
    return Versions(settings.data_path / FOLDER)


def _judged(queries: Path | None, qrels: Path | None, events: Path | None) -> list[JudgedQuery]:
    if events is not None and queries is None and qrels is None:
        counted = clicks.count(read_events(events))
        model = clicks.fit(counted)
        shown = ", ".join(f"{value:.2f}" for value in model.examination[:10])
        click.echo(
            f"{len(counted.pairs):,} pairs of query and product, {counted.moved:,} of them shown "
            f"at several places; looked at, by place: {shown}"
        )
        return clicks.judged(counted, model)
    if events is None and queries is not None and qrels is not None:
        return read_judgments(queries, qrels)
    raise InvalidRequest("give --queries and --qrels, or --events", field="queries")


def _examples(
    settings: Settings,
    judged: Sequence[JudgedQuery],
    log: Path | None,
    profile: str,
    popularity: str,
) -> list[Example]:
    if log is not None:
        return list(logged(log, judged))
    with Engine(before_the_ranker(settings, NAME, profile)) as engine:
        return list(searched(engine, judged, popularity, profile))


def _found(examples: Sequence[Example]) -> str:
    judged = sum(len(example.judged) for example in examples)
    known = sum(int((example.gains == example.gains).sum()) for example in examples)
    return f"{known:,} of {judged:,} judged products in their windows"


def _refuse_worse(name: str, figures: Figures) -> None:
    if figures.change <= 0:
        raise NoImprovement(
            f"{name} does not go live, for it is not better than the order before it: {figures}"
        )


def _line(name: str, values: Sequence[float]) -> None:
    array = np.asarray(values)
    low, high = bootstrap_interval(array)
    click.echo(f"{name:14}{array.mean():+9.4f} ({low:+.4f} to {high:+.4f})")
