"""Evaluations and evidence on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine.errors import GateRefused
from engine.evaluation.comparison import (
    Change,
    Configuration,
    Mean,
    MeasureResult,
    QueryResult,
    Report,
)
from engine.evaluation.gate import Evidence
from engine.evaluation.sweep import Sweep

SHOWN = 5
"""Wins and losses in the table; JSON and HTML have all."""


def terminal(*, stderr: bool = False) -> Console:
    """Wide enough for a comparison where no terminal says how wide it is."""
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 120
    return console


def print_report(console: Console, report: Report) -> None:
    _print_measures(console, report.measures, report.confidence, len(report.queries))
    _print_configurations(console, report.configurations)
    (first, *_) = report.measures
    differences = report.differences(first.measure)
    worst = [pair for pair in differences[:SHOWN] if pair[0] < 0]
    _print_queries(console, f"worst changes of {first.measure}", first.measure, worst)
    best = [pair for pair in reversed(differences) if pair[0] > 0][:SHOWN]
    _print_queries(console, f"best changes of {first.measure}", first.measure, best)


def print_sweep(console: Console, sweep: Sweep) -> None:
    table = Table(
        *sweep.tried[0].values, sweep.measure, box=None, title="development half", title_style="dim"
    )
    for tried in sweep.tried[:10]:
        table.add_row(*(f"{value:g}" for value in tried.values.values()), f"{tried.mean:.4f}")
    console.print(table)
    best = ", ".join(f"{name}={value:g}" for name, value in sweep.tried[0].values.items())
    console.print(
        f"{len(sweep.tried)} tried on {sweep.development} queries; the best, {best}, on the others:"
    )
    print_report(console, sweep.held_out)


@contextmanager
def evidence_shown() -> Iterator[None]:
    """What a gate found that refuses a generation is shown before the error ends the command."""
    try:
        yield
    except GateRefused as error:
        if isinstance(error.evidence, Evidence):
            show_evidence(error.evidence)
        raise


def show_evidence(evidence: Evidence) -> None:
    """What a gate found, on stderr."""
    console = terminal(stderr=True)
    if not evidence.measures:
        console.print(escape(evidence.summary()))
        return
    _print_measures(console, evidence.measures, evidence.confidence, evidence.queries)
    _print_configurations(console, evidence.configurations)
    if evidence.worst:
        table = Table("query", "live", "new", "first was", "first is", box=None)
        for lost in evidence.worst:
            table.add_row(
                escape(lost.text or lost.id),
                f"{lost.live:.3f}",
                f"{lost.new:.3f}",
                escape(", ".join(lost.first_live[:1])),
                escape(", ".join(lost.first_new[:1])),
            )
        console.print(table)
    for reason in evidence.reasons:
        console.print(f"✗ {escape(reason)}", style="red")
    if evidence.passed:
        console.print(f"✓ not worse by more than {evidence.tolerance:g}", style="green")


def _print_measures(
    console: Console, measures: list[MeasureResult], confidence: float, queries: int
) -> None:
    names = list(measures[0].means)
    columns = [f"{queries:,} queries", *map(escape, names)]
    compared = measures[0].change is not None
    if compared:
        columns += ["change", f"{confidence:.0%} interval", "p", "won", "lost"]
    table = Table(*columns, box=None)
    for found in measures:
        means = [_mean(found.means[name], alone=not compared) for name in names]
        table.add_row(found.measure, *means, *(_change(found.change) if found.change else ()))
    console.print(table)


def _mean(mean: Mean, *, alone: bool) -> str:
    return f"{mean.value:.4f} ({mean.low:.4f} to {mean.high:.4f})" if alone else f"{mean.value:.4f}"


def _change(change: Change) -> list[str]:
    interval = f"{change.low:+.4f} to {change.high:+.4f}"
    counts = [str(change.wins), str(change.losses)]
    return [f"{change.value:+.4f}", interval, f"{change.p:.4f}", *counts]


def _print_configurations(console: Console, configurations: list[Configuration]) -> None:
    table = Table("", "judged@10", "no results", "p50 ms", "p95 ms", "degraded", box=None)
    for one in configurations:
        lost = ", ".join(f"{name} {count}" for name, count in one.degraded.items())
        table.add_row(
            escape(one.name),
            f"{one.coverage:.1%}",
            f"{one.zero_results:.1%}",
            f"{one.p50_ms:.1f}",
            f"{one.p95_ms:.1f}",
            escape(lost),
        )
    console.print(table)


def _print_queries(
    console: Console, title: str, measure: str, pairs: list[tuple[float, QueryResult]]
) -> None:
    if not pairs:
        return
    table = Table("query", "before", "after", "change", box=None, title=title, title_style="dim")
    for change, query in pairs:
        before, after = query.values[measure].values()
        text = escape(query.text or query.id)
        table.add_row(text, f"{before:.3f}", f"{after:.3f}", f"{change:+.3f}")
    console.print(table)
