"""``entrepot eval``: how good the answers are by judgments, and which of two settings is better."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import click
import msgspec
from msgspec import Struct

from engine.errors import InvalidRequest
from engine.evaluation.comparison import Report, evaluate
from engine.evaluation.gate import MEASURES
from engine.evaluation.judgments import JudgedSearch, measurable, read_qrels, read_queries
from engine.evaluation.measures import Measures
from engine.evaluation.running import DEPTH, Answers, together
from engine.evaluation.sweep import MAX_TRIED, Sweep, Tried, grid, halves
from engine.manager import PluginManager
from engine.settings import Settings
from engine.types import MAX_WINDOW

from .cli_common import config_option, settings_from
from .evaluating import LIVE, Asked, Place, Values, open_place
from .evaluation_page import page
from .evaluation_tables import print_report, print_sweep, terminal

FILE = click.Path(dir_okay=False, path_type=Path)
STANDARD = ("nDCG@10", "condensed nDCG@10", "RR@10", "R@100", "P@10")


class Side(Struct, frozen=True):
    """One configuration: whose settings, which profile, which generation."""

    settings: Settings
    profile: str
    generation: str
    name: str


class Judged(Struct, frozen=True):
    """What everything is measured by."""

    queries: list[JudgedSearch]
    qrels: dict[str, dict[str, float]]
    folder: Path
    measures: Measures
    names: Sequence[str]
    relevant: float
    confidence: float
    seed: int
    depth: int

    def report(self, answers: Mapping[str, Answers], queries: list[JudgedSearch]) -> Report:
        return evaluate(
            self.measures,
            self.names,
            queries,
            self.qrels,
            answers,
            relevant=self.relevant,
            confidence=self.confidence,
            seed=self.seed,
        )


@click.command("eval")
@click.option(
    "--queries", required=True, type=FILE, help='JSON Lines of {"id", "text", …}, or TSV.'
)
@click.option("--qrels", required=True, type=FILE, help="TREC judgments or JSON Lines.")
@click.option("--profile", default="default", show_default=True)
@click.option("--generation", default=LIVE, show_default=True, help="A build to search.")
@click.option("--against", metavar="PROFILE", help="Compare with this profile.")
@click.option("--against-config", type=FILE, help="Compare with these settings.")
@click.option("--against-generation", metavar="NAME", help="Compare with this build.")
@click.option(
    "--measure",
    "names",
    multiple=True,
    help=f"Repeatable; the first decides [default: {', '.join(STANDARD)}].",
)
@click.option("--relevant", default=1.0, show_default=True, help="Least grade that is relevant.")
@click.option("--depth", type=click.IntRange(1, MAX_WINDOW), default=DEPTH, show_default=True)
@click.option(
    "--sweep",
    multiple=True,
    metavar="NAME=V1,V2,…",
    help="Try values of weights.bm25, depth, …; repeatable: every combination.",
)
@click.option("--confidence", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--json", "json_file", type=FILE, help="Write the whole report; - prints it.")
@click.option("--html", "html_file", type=FILE, help="Write the report as a page with plots.")
@click.option("--server", default="", metavar="URL", help="Ask this server [default: one here].")
@config_option
def command(
    queries: Path,
    qrels: Path,
    names: tuple[str, ...],
    sweep: tuple[str, ...],
    json_file: Path | None,
    html_file: Path | None,
    server: str,
    config: Path | None,
    relevant: float,
    confidence: float,
    seed: int,
    depth: int,
    **sides: Any,
) -> None:
    """Measure the answers to judged queries, and compare two settings or builds.

    A comparison is paired by query: the mean change with a bootstrap interval, and p of a
    randomization test. With --sweep the best values are chosen on one half of the queries and
    reported on the other.
    """
    settings = settings_from(config)
    measures = cast(Measures, PluginManager(settings.plugins).create("measures", MEASURES))
    grades = read_qrels(qrels)
    asked = measurable(read_queries(queries), grades)
    judged = Judged(
        asked,
        grades,
        queries.absolute().parent,
        measures,
        names or STANDARD,
        relevant,
        confidence,
        seed,
        depth,
    )
    before, after = _sides(settings, **sides)
    if sweep and before is not None:
        raise InvalidRequest("sweep: compares with the settings as they are", field="sweep")
    with ExitStack() as opened:
        found: Report | Sweep
        place = opened.enter_context(open_place(after.settings, server))
        if sweep:
            found = _swept(place, after, judged, _axes(sweep))
        else:
            compared = [(place, after)]
            if before is not None:
                at = place
                if before.settings.data_path != after.settings.data_path:
                    at = opened.enter_context(open_place(before.settings))
                compared.insert(0, (at, before))
            found = judged.report(_by_turns(compared, judged), asked)
    _write(found, json_file, html_file)


def _sides(
    settings: Settings,
    profile: str,
    generation: str,
    against: str | None,
    against_config: Path | None,
    against_generation: str | None,
) -> tuple[Side | None, Side]:
    """The baseline, if there is one, and what is measured; named for what tells them apart."""
    if against is None and against_config is None and against_generation is None:
        return None, Side(settings, profile, generation, profile)
    other = settings_from(against_config) if against_config else settings
    theirs = (against or profile, against_generation or generation)
    words = [
        (theirs[0], profile) if against is not None else ("", ""),
        (f"@{theirs[1]}", f"@{generation}") if against_generation is not None else ("", ""),
        (against_config.stem if against_config else "", ""),
    ]
    before, after = (" ".join(filter(None, side)) for side in zip(*words, strict=True))
    after = after or profile
    if before == after:
        raise InvalidRequest("both sides are the same", field="against")
    return Side(other, *theirs, before), Side(settings, profile, generation, after)


def _answers(
    place: Place,
    side: Side,
    judged: Judged,
    queries: list[JudgedSearch],
    variants: list[Values] | None = None,
) -> list[Answers]:
    asked = Asked(
        queries=queries, profile=side.profile, depth=judged.depth, variants=variants or [{}]
    )
    return place.answers(side.generation, asked, side.settings, judged.folder)


def _by_turns(sides: Sequence[tuple[Place, Side]], judged: Judged) -> dict[str, Answers]:
    """Every second query of the last side first: who is asked first pays for the embedding that
    the other finds in the cache, and the milliseconds of both are compared."""
    parts: dict[str, list[Answers]] = {side.name: [] for _, side in sides}
    for k, order in enumerate((sides, sides[::-1])[: len(sides)]):
        queries = judged.queries[k :: len(sides)]
        for place, side in order if queries else ():
            parts[side.name] += _answers(place, side, judged, queries)
    return {name: together(found) for name, found in parts.items()}


def _swept(place: Place, side: Side, judged: Judged, axes: Mapping[str, Sequence[float]]) -> Sweep:
    points = list(grid(axes))
    if len(points) > MAX_TRIED:
        raise InvalidRequest(
            f"sweep: {len(points)} combinations; the limit is {MAX_TRIED}", field="sweep"
        )
    development, held_out = halves(judged.queries, judged.seed)
    if not (development and held_out):
        raise InvalidRequest("sweep: there are too few queries for two halves", field="queries")
    measure = judged.names[0]
    tried = []
    for point, found in zip(
        points, _answers(place, side, judged, development, points), strict=True
    ):
        qrels = {query.id: judged.qrels[query.id] for query in development}
        values = judged.measures.per_query([measure], qrels, found.rankings, judged.relevant)
        tried.append(Tried(point, sum(values[measure].values()) / len(development)))
    tried.sort(key=lambda one: -one.mean)
    base, best = _answers(place, side, judged, held_out, [{}, tried[0].values])
    report = judged.report({side.name: base, "best": best}, held_out)
    return Sweep(measure, len(development), tried, report)


def _axes(sweep: Sequence[str]) -> dict[str, list[float]]:
    axes: dict[str, list[float]] = {}
    for each in sweep:
        name, equals, values = each.partition("=")
        try:
            axes[name] = [float(value) for value in values.split(",")]
        except ValueError:
            equals = ""
        if not (name and equals):
            raise InvalidRequest(f"--sweep {each!r}: write NAME=V1,V2,…", field="sweep")
    return axes


def _write(found: Report | Sweep, json_file: Path | None, html_file: Path | None) -> None:
    text = msgspec.json.format(msgspec.json.encode(found)).decode()
    if json_file is not None and str(json_file) == "-":
        click.echo(text)
    else:
        console = terminal()
        if isinstance(found, Sweep):
            print_sweep(console, found)
        else:
            print_report(console, found)
        if json_file is not None:
            json_file.write_text(text, encoding="utf-8")
    if html_file is not None:
        html_file.write_text(page(found, " ".join(sys.argv[1:])), encoding="utf-8")
